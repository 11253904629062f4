import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { type Group, type Row, groups } from './rows.ts';
import { type Spread, spread } from './spread.ts';

/**
 * Runs the rows of `rows.ts`, each in a process of its own, round after round so that a busy moment of the machine meets all of
 * them, and prints the median of each with its least and greatest:
 *
 *     npm run bench -- [--rounds 5] [--only core] [--quick]
 *
 * `--quick` is one round of a fifth of the events.
 */
const { values } = parseArgs({
  options: { rounds: { type: 'string' }, only: { type: 'string' }, quick: { type: 'boolean', default: false } },
});

/** What a row's process prints as its last line. */
interface Measured {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const chosen = groups.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0 || !(rounds >= 1)) {
  process.stderr.write(`bench: expected --only ${groups.map(({ name }) => name).join(' | ')} and --rounds of 1 or more\n`);
  process.exit(2);
}

process.stdout.write(rounds === 1 ? 'One round.\n' : `Medians of ${rounds} rounds (least to greatest).\n`);
for (const group of chosen) print(group, await measureAll(group));

async function measureAll({ rows }: Group): Promise<ReadonlyMap<Row, readonly Measured[]>> {
  const measured = new Map(rows.map((row) => [row, [] as Measured[]]));
  for (let round = 0; round < rounds; round++) for (const row of rows) measured.get(row)!.push(await measure(row));
  return measured;
}

async function measure({ command }: Row): Promise<Measured> {
  const args = [...command, ...(values.quick ? ['--events', '200000'] : [])];
  const { stdout } = await run(process.execPath, ['--max-semi-space-size=8', ...args], { cwd: root });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured;
}

function print({ title, rows }: Group, measured: ReadonlyMap<Row, readonly Measured[]>): void {
  const cpuOf = (name: string): Spread => spread(measured.get(rows.find((row) => row.name === name)!)!.map(cpuPerMillion));
  const lines = rows.map((row) => {
    const all = measured.get(row)!;
    const cpu = cpuOf(row.name);
    const other = row.against === undefined ? undefined : cpuOf(row.against).median;
    const more = other === undefined ? '' : signed((cpu.median - other) * 1000);
    const ratio = other === undefined ? '' : (cpu.median / other).toFixed(2);
    const rate = spread(all.map(({ events, seconds }) => events / seconds / 1000));
    const peak = spread(all.map(({ peakMiB }) => peakMiB));
    return [row.name, told(rate, 0), told(cpu, 2), more, ratio, peak.median.toFixed(0)];
  });
  const head = ['', 'k events/s', 'CPU s a million', 'ns CPU an event, more', 'ratio', 'peak MiB'];
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]!.length)));
  const text = [head, ...lines].map((line) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  process.stdout.write(`\n${title}\n\n${text.join('\n')}\n`);
}

function cpuPerMillion({ cpuSeconds, events }: Measured): number {
  return (cpuSeconds / events) * 1e6;
}

function told({ median, least, greatest }: Spread, digits: number): string {
  const range = rounds === 1 ? '' : ` (${least.toFixed(digits)} to ${greatest.toFixed(digits)})`;
  return median.toFixed(digits) + range;
}

function signed(ns: number): string {
  return `${ns < 0 ? '' : '+'}${Math.round(ns)}`;
}
