import { map } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { named } from '../../src/operators/named.ts';
import { type Pipeline, pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { type Row, copyInto } from '../../src/sinks/copy-into.ts';
import { archived } from '../../src/sources/archived.ts';
import type { Column, Database } from '../../src/stores/database.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { scratchStores } from '../sinks/archive-protocol.ts';
import { storeWindows } from '../support/archive-of.ts';
import { type TestDatabase, emptyDuckdb, emptyPostgres } from '../support/databases.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';

const nine = Date.UTC(2026, 10, 22, 9);
const columns: readonly Column[] = [{ name: 'line', type: { kind: 'varchar', length: 4 }, required: true }];
/** Some are too long for the table. */
const lines = Array.from({ length: 24 }, (_, i) => (i % 7 === 3 ? `too long ${i}` : `l ${i}`));
const expected = lines.filter((line) => line.length <= 4).toSorted();

let server: Postgres;
let stores: Awaited<ReturnType<typeof scratchStores>>;
let store: ObjectStore;

beforeAll(async () => {
  [server, stores] = await Promise.all([startPostgres(), scratchStores()]);
  store = stores.make();
  // Objects of eight lines, one of which begins inside an aggregated record.
  await storeWindows(store, [
    { shard: 'a', startMs: nine, first: '100', lines: lines.slice(0, 8) },
    { shard: 'a', startMs: nine + 60_000, first: '200:57', lines: lines.slice(8, 16) },
    { shard: 'b', startMs: nine, first: '7', lines: lines.slice(16) },
  ]);
});

afterAll(() => Promise.all([server.stop(), stores.close()]));

class KilledError extends Error {}

/** A database in front of which a process dies at its n-th commit: before it takes place, or before it hears of it. */
function dyingAt(database: Database, n: number, when: 'before' | 'after'): Database & { readonly commits: () => number } {
  let commits = 0;
  return {
    describe: database.describe,
    commits: () => commits,
    async open(context) {
      const open = await database.open(context);
      return {
        createTable: (table) => open.createTable(table),
        acquire: (owner, shard) => open.acquire(owner, shard),
        positions: (owner, shards) => open.positions(owner, shards),
        close: () => open.close(),
        async commit(owner, load) {
          if (commits > n) throw new KilledError('dead');
          const isLast = commits++ === n;
          if (isLast && when === 'before') throw new KilledError('before');
          await open.commit(owner, load);
          if (isLast) throw new KilledError('after');
        },
      };
    },
  };
}

/** Windows of three lines, and room for one delivery of two: commits end in the middle of objects. */
function restoring(name: string, database: Database): Pipeline {
  const toRow = map((event: Event<Uint8Array>) => event.with<Row>({ toRow: () => event.data }));
  return pipeline(name)
    .from(archived(store, { prefix: 'events', since: new Date(nine), until: new Date(nine + 3_600_000), maxLines: 2 }))
    .pipe(named('toRow', '', toRow), minuteWindow({ maxEvents: 3 }))
    .to(copyInto(database, { table: name, columns }));
}

const restore = (name: string, database: Database): Promise<unknown> =>
  run(restoring(name, database), { maxInFlightBytes: 1 }).then(
    () => undefined,
    (error: unknown) => error,
  );

const databases: [string, () => Promise<TestDatabase>][] = [
  ['Postgres', () => emptyPostgres(server)],
  ['DuckDB', emptyDuckdb],
];

describe.each(databases)('a restore into %s that is killed between any two commits', (_, empty) => {
  it.each(['before', 'after'] as const)(
    'and run again has each line once, by its positions alone: killed %s the commit takes place',
    async (when) => {
      const database = await empty();
      // Who has it open meanwhile spares the others its start.
      const held = await database.declare().open({ report: () => {} });
      let n = 0;
      for (let isOver = false; !isOver; n++) {
        const name = `kill_${n}`;
        const dying = dyingAt(database.declare(), n, when);
        const error = await restore(name, dying);
        isOver = error === undefined;
        expect(isOver || (error as Error).cause instanceof KilledError, String(error)).toBe(true);
        // The next one is killed too, and the third is not.
        await restore(name, dyingAt(database.declare(), n % 3, when));
        expect(await restore(name, database.declare())).toBeUndefined();
        const rows = await database.query(`SELECT line FROM ${name} ORDER BY line`);
        expect(rows.map(({ line }) => line)).toEqual(expected);
        const rejects = await database.query(`SELECT count(*) AS n FROM millrace.rejects WHERE pipeline = '${name}'`);
        expect(Number(rejects[0]!['n'])).toBe(lines.length - expected.length);
      }
      expect(n).toBeGreaterThan(8);
      await held.close();
      await database.close();
    },
  );
});
