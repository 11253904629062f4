/*
 * `npm run crash -- --seed S --kills N [--pipeline realtime]`: real processes of a pipeline (the warehouse unless told), killed, stopped, taken over and restarted on real servers
 * while records arrive, in acts of some twenty kills each; after each act everything has to be where it belongs, once.
 *
 * `--act K` plays one act of a seed again, as nearly as real time allows; `--archive file` keeps to a folder where MinIO is there too.
 */
import { parseArgs } from 'node:util';
import { startPostgres } from '../support/postgres.ts';
import type { ActOptions, ActResult } from './act.ts';
import { formatFault } from './checker.ts';
import { type OpenPlace, openPlace } from './place.ts';
import { playRealtime } from './realtime-scenes.ts';
import { playWarehouse } from './warehouse-scenes.ts';

const { values } = parseArgs({
  options: {
    pipeline: { type: 'string', default: 'warehouse' },
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

if (values.pipeline !== 'warehouse' && values.pipeline !== 'realtime')
  throw new RangeError(`expected --pipeline warehouse or realtime, got ${values.pipeline}`);

const startedAt = performance.now();
const total = new Map<string, number>();
let [nextAct, records, faults] = [Number(values.act ?? 1), 0, 0];

type Play = (options: ActOptions) => Promise<ActResult>;

/** Plays acts until there have been enough kills. */
async function lane(play: Play): Promise<void> {
  do {
    const number = nextAct++;
    const result = await play({ seed, number });
    for (const [what, count] of result.tally) total.set(what, (total.get(what) ?? 0) + count);
    records += result.records;
    faults += result.faults.length;
    tell(number, result);
  } while (values.act === undefined && (total.get('SIGKILL') ?? 0) < wanted && faults === 0);
}

/** On a database server of its own. */
async function warehouseLane(archive: OpenPlace): Promise<void> {
  const postgres = await startPostgres();
  try {
    await lane((options) => playWarehouse({ ...options, postgres, archive }));
  } finally {
    await postgres.stop();
  }
}

function tell(number: number, { faults: found, log, tally, records: sent, folder }: ActResult): void {
  const kills = `${tally.get('SIGKILL') ?? 0} kills (${total.get('SIGKILL') ?? 0} in all)`;
  const seconds = `${Math.round((performance.now() - startedAt) / 1000)} s`;
  process.stdout.write(`act ${number}: ${kills}, ${sent} records, ${found.length} faults, ${seconds}\n`);
  if (found.length === 0) return;
  process.stdout.write(`\nseed ${seed}, act ${number}; again with: npm run crash -- ${again} --act ${number}\n`);
  process.stdout.write(`What was done:\n${log.map((line) => `  ${line.slice(0, 200)}\n`).join('')}`);
  for (const fault of found.slice(0, 50)) process.stdout.write(`${formatFault(fault)}\n`);
  process.stdout.write(`${found.length} faults; what each owner said is in ${folder}\n\n`);
}

const again = values.pipeline === 'realtime' ? `--pipeline realtime --seed ${seed}` : `--seed ${seed}`;
const place = values.pipeline === 'warehouse' ? await openPlace(values.archive === 'file' ? 'folder' : undefined) : undefined;
const what = `${values.pipeline}${place ? `, archive in ${place.name}` : ''}`;
process.stdout.write(`${what}: seed ${seed}, ${values.act ? `act ${values.act}` : `${wanted} kills`}, ${lanes} lanes\n`);
try {
  const one = (): Promise<void> => (place ? warehouseLane(place) : lane(playRealtime));
  await Promise.all(Array.from({ length: values.act ? 1 : lanes }, one));
} finally {
  await place?.close();
}
const sums = [...total].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([what, count]) => `${what} ${count}`);
process.stdout.write(`seed ${seed}: ${records} records, ${faults} faults in ${nextAct - 1} acts: ${sums.join(', ')}\n`);
process.exitCode = faults === 0 ? 0 : 1;
