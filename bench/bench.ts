import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { writeLines } from './lines.ts';
import { machine } from './machine.ts';
import { type GroupResult, writeReport } from './report.ts';
import { type Group, type Row, groups } from './rows.ts';
import { LEFT_OUT, type Measured, asText, tableOf } from './table.ts';

/**
 * Runs the rows of `rows.ts`, each in a process of its own, round after round so that a busy moment of the machine meets all of
 * them, and prints the median of each with its least and greatest:
 *
 *     npm run bench -- [--rounds 5] [--only core] [--quick]
 *
 * `--quick` is one round of fewer events. All of it, without `--only` and `--quick`, also writes docs/benchmarks.md and bench/results.json.
 */
const { values } = parseArgs({
  options: { rounds: { type: 'string' }, only: { type: 'string' }, quick: { type: 'boolean', default: false } },
});

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const chosen = groups.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0 || !(rounds >= 1)) {
  process.stderr.write(`bench: expected --only ${groups.map(({ name }) => name).join(' | ')} and --rounds of 1 or more\n`);
  process.exit(2);
}

process.stdout.write(rounds === 1 ? 'One round.\n' : `Medians of ${rounds} rounds (least to greatest).\n`);
const [on, results] = [machine(), [] as GroupResult[]];
for (const group of chosen) {
  const measured = await measureAll(group);
  results.push({ group, measured });
  process.stdout.write(`\n${group.title}\n\n${asText(tableOf(group, measured))}\n`);
}
if (values.only === undefined && !values.quick) await writeReport(root, { machine: on, rounds, results });

async function measureAll({
  rows,
  quickEvents = 100_000,
  fileEvents,
  maxRounds = rounds,
}: Group): Promise<ReadonlyMap<Row, readonly Measured[]>> {
  const measured = new Map(rows.map((row) => [row, [] as Measured[]]));
  const events = values.quick ? (quickEvents === 'own' ? undefined : quickEvents) : fileEvents;
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const file = join(folder, 'lines');
  if (fileEvents !== undefined) await writeLines(file, events!);
  const flags = [
    ...(events === undefined ? [] : ['--events', String(events)]),
    ...(fileEvents === undefined ? [] : ['--file', file]),
  ];
  try {
    for (let round = 0; round < Math.min(rounds, maxRounds); round++)
      for (const row of rows)
        measured.get(row)!.push(values.quick && row.takesLong ? LEFT_OUT : await measure([...row.command, ...flags]));
  } finally {
    await rm(folder, { recursive: true });
  }
  return measured;
}

async function measure(command: readonly string[]): Promise<Measured> {
  const { stdout } = await run(process.execPath, ['--max-semi-space-size=8', ...command], { cwd: root });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured;
}
