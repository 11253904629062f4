/*
 * `npm run crash -- --seed S --kills N`: real processes of the warehouse pipeline, killed, stopped, taken over and restarted on real servers
 * while records arrive, in acts of some twenty kills each; after each act everything has to be where it belongs, once.
 *
 * `--act K` plays one act of a seed again, as nearly as real time allows; `--archive file` keeps to a folder where MinIO is there too.
 */
import { parseArgs } from 'node:util';
import { startPostgres } from '../support/postgres.ts';
import type { ActResult } from './act.ts';
import { formatFault } from './checker.ts';
import { type OpenPlace, openPlace } from './place.ts';
import { playAct } from './scenes.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    kills: { type: 'string', default: '100' },
    act: { type: 'string' },
    lanes: { type: 'string', default: '2' },
    archive: { type: 'string' },
  },
});
const [seed, wanted, lanes] = [Number(values.seed), Number(values.kills), Number(values.lanes)];
if (![seed, wanted, lanes].every((number) => Number.isSafeInteger(number) && number > 0))
  throw new RangeError('expected --seed, --kills and --lanes of 1 or more');

// What was started ends with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const startedAt = performance.now();
const total = new Map<string, number>();
let [nextAct, records, faults] = [Number(values.act ?? 1), 0, 0];

/** Plays acts on a database server of its own, until there have been enough kills. */
async function lane(place: OpenPlace): Promise<void> {
  const postgres = await startPostgres();
  try {
    do {
      const number = nextAct++;
      const result = await playAct({ seed, number, postgres, archive: place });
      for (const [what, count] of result.tally) total.set(what, (total.get(what) ?? 0) + count);
      records += result.records;
      faults += result.faults.length;
      tell(number, result);
    } while (values.act === undefined && (total.get('SIGKILL') ?? 0) < wanted && faults === 0);
  } finally {
    await postgres.stop();
  }
}

function tell(number: number, { faults: found, log, tally, records: sent, folder }: ActResult): void {
  const kills = `${tally.get('SIGKILL') ?? 0} kills (${total.get('SIGKILL') ?? 0} in all)`;
  const seconds = `${Math.round((performance.now() - startedAt) / 1000)} s`;
  process.stdout.write(`act ${number}: ${kills}, ${sent} records, ${found.length} faults, ${seconds}\n`);
  if (found.length === 0) return;
  process.stdout.write(`\nseed ${seed}, act ${number}; again with: npm run crash -- --seed ${seed} --act ${number}\n`);
  process.stdout.write(`What was done:\n${log.map((line) => `  ${line.slice(0, 200)}\n`).join('')}`);
  for (const fault of found.slice(0, 50)) process.stdout.write(`${formatFault(fault)}\n`);
  process.stdout.write(`${found.length} faults; what each owner said is in ${folder}\n\n`);
}

const place = await openPlace(values.archive === 'file' ? 'folder' : undefined);
process.stdout.write(
  `seed ${seed}, ${values.act ? `act ${values.act}` : `${wanted} kills`}, archive in ${place.name}, ${lanes} lanes\n`,
);
try {
  await Promise.all(Array.from({ length: values.act ? 1 : lanes }, () => lane(place)));
} finally {
  await place.close();
}
const sums = [...total].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `${what} ${count}`);
process.stdout.write(`seed ${seed}: ${records} records, ${faults} faults in ${nextAct - 1} acts: ${sums.join(', ')}\n`);
process.exitCode = faults === 0 ? 0 : 1;
