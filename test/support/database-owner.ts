import { databaseFrom } from '../../src/stores/database-url.ts';

/*
 * A process that owns a shard and loads into it: `node database-owner.ts <url> <rows> <every>`. Every so many rows one is
 * refused (0: none). Says `acquired`, then `committed` or the error's name, on stdout; keeps the database open until killed;
 * exits at once when it gets SIGTERM.
 */
const [url, rows, every] = process.argv.slice(2) as [string, string, string];
const owner = { pipeline: 'warehouse', sink: 'copy' };
const table = { name: 'numbers', columns: [{ name: 'n', type: { kind: 'integer' }, required: true } as const] };

process.once('SIGTERM', () => process.exit(3));

const database = await databaseFrom(url).open({ report: () => {} });
await database.createTable(table);
await database.acquire(owner, 'a');
process.stdout.write('acquired\n');

// Numbers that nothing can be left out of: of those in a row a database may write nothing until the end.
const lines = Array.from({ length: Number(rows) }, (_, i) =>
  Buffer.from(i % Number(every) === 1 ? 'bad' : String((i * 48_271) % 2_147_483_647)),
);
const at = (sequence: number) => ({ shard: 'a', sequence: String(sequence), subSequence: 0 });
try {
  await database.commit(owner, {
    rows: { table, lines },
    refuse: (index, fault) => ({
      position: at(index + 1),
      arrivedAtMs: 0,
      why: { step: 'copyInto', ...fault },
      raw: lines[index]!,
    }),
    positions: new Map([['a', at(lines.length)]]),
  });
  process.stdout.write('committed\n');
} catch (error) {
  process.stdout.write(`${(error as Error).name}: ${(error as Error).message}\n`);
}
setInterval(() => {}, 60_000);
