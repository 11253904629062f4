import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { writeLines } from './lines.ts';
import { machine } from './machine.ts';
import { failedOf, pageResults, withAnew } from './page-results.ts';
import { type GroupResult, writeReport } from './report.ts';
import { type Group, type Row, groups } from './rows.ts';
import { type Measured, asText, tableOf } from './table.ts';

/**
 * Runs the rows of `rows.ts`, each in a process of its own, round after round so that a busy moment of the machine meets all of
 * them, and prints the median of each with its least and greatest:
 *
 *     npm run bench -- [--rounds 5] [--only core] [--quick | --failed]
 *
 * `--quick` is one round of some rows, with fewer events. All of it, without `--only` and `--quick`, also writes docs/benchmarks.md and bench/results.json.
 * `--failed` is the rows that failed there, measured anew on the same machine and put in their places.
 */
const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    failed: { type: 'boolean', default: false },
  },
});

if (values.quick && values.failed) {
  process.stderr.write('bench: expected --quick or --failed, got both\n');
  process.exit(2);
}

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const on = machine();
const page = values.failed ? await pageResults(root, on) : undefined;
const rounds = Number(values.rounds ?? (values.quick ? 1 : (page?.rounds ?? 5)));
const all = page ? failedOf(page) : groups;
const chosen = all
  .filter(({ name }) => values.only === undefined || name === values.only)
  .map((group) => (values.quick ? { ...group, rows: group.rows.filter(({ quick }) => quick) } : group))
  .filter(({ rows }) => rows.length > 0);
if (page && all.length === 0) {
  process.stdout.write('No row failed on the page.\n');
  process.exit();
}
if (chosen.length === 0 || !(rounds >= 1)) {
  const names = all.filter(({ rows }) => !values.quick || rows.some(({ quick }) => quick)).map(({ name }) => name);
  const [when, came] = [
    values.quick ? ' with --quick' : page ? ' with --failed' : '',
    `--only ${values.only ?? 'all'} --rounds ${values.rounds ?? rounds}`,
  ];
  process.stderr.write(`bench: expected${when} --only ${names.join(' | ')} and --rounds of 1 or more, got ${came}\n`);
  process.exit(2);
}

process.stdout.write(rounds === 1 ? 'One round.\n' : `Medians of ${rounds} rounds (least to greatest).\n`);
if (values.quick)
  process.stdout.write('Some of the rows only, and too short for figures to quote: all of them come without --quick.\n');
const results: GroupResult[] = [];
for (const group of chosen) {
  const measured = await measureAll(group);
  results.push({ group, measured });
  process.stdout.write(`\n${group.title}\n\n${asText(tableOf(group, measured))}\n`);
}
if (page) await writeReport(root, withAnew(page, results));
else if (values.only === undefined && !values.quick) await writeReport(root, { machine: on, rounds, results });

async function measureAll({ rows, fileEvents, maxRounds = rounds }: Group): Promise<ReadonlyMap<Row, readonly Measured[]>> {
  const measured = new Map(rows.map((row) => [row, [] as Measured[]]));
  const eventsOf = ({ quick }: Row): number | undefined => (values.quick && quick !== 'own' ? quick : undefined);
  const inFile = fileEvents && Math.min(...rows.map((row) => eventsOf(row) ?? fileEvents));
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const file = join(folder, 'lines');
  if (inFile !== undefined) await writeLines(file, inFile);
  const flagsOf = (row: Row): readonly string[] => {
    const events = inFile ?? eventsOf(row);
    return [...(events === undefined ? [] : ['--events', String(events)]), ...(inFile === undefined ? [] : ['--file', file])];
  };
  try {
    for (let round = 0; round < Math.min(rounds, maxRounds); round++)
      for (const row of rows) measured.get(row)!.push(await measure([...row.command, ...flagsOf(row)]));
  } finally {
    await rm(folder, { recursive: true });
  }
  return measured;
}

/** A row that fails says so in its place, and in the end by the exit code: an hour of other rows is not lost with it. */
async function measure(command: readonly string[]): Promise<Measured> {
  try {
    const { stdout } = await run(process.execPath, command, { cwd: root });
    return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured;
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`bench: ${command.join(' ')}: ${String(error)}\n`);
    return { failed: true, events: 0, seconds: 0, cpuSeconds: 0, peakMiB: 0 };
  }
}
