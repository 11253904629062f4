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
 * `--quick` is one round of fewer events.
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
  /** What its server spent. */
  readonly serverCpuSeconds?: number;
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

async function measureAll({ rows, quickEvents }: Group): Promise<ReadonlyMap<Row, readonly Measured[]>> {
  const measured = new Map(rows.map((row) => [row, [] as Measured[]]));
  for (let round = 0; round < rounds; round++) for (const row of rows) measured.get(row)!.push(await measure(row, quickEvents));
  return measured;
}

async function measure({ command }: Row, quickEvents = 200_000): Promise<Measured> {
  const args = [...command, ...(values.quick ? ['--events', String(quickEvents)] : [])];
  const { stdout } = await run(process.execPath, ['--max-semi-space-size=8', ...args], { cwd: root });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured;
}

function print({ title, rows }: Group, measured: ReadonlyMap<Row, readonly Measured[]>): void {
  const allOf = (name: string): readonly Measured[] => measured.get(rows.find((row) => row.name === name)!)!;
  const hasServer = [...measured.values()].flat().some(({ serverCpuSeconds }) => serverCpuSeconds !== undefined);
  const lines = rows.map((row) => {
    const all = allOf(row.name);
    const other = row.against === undefined ? undefined : allOf(row.against);
    const cpu = spread(all.map(cpuPerMillion));
    const rate = spread(all.map(ratePerMs));
    const peak = spread(all.map(({ peakMiB }) => peakMiB)).median.toFixed(0);
    if (hasServer) {
      const server = spread(all.map(({ serverCpuSeconds = 0, events }) => (serverCpuSeconds / events) * 1e6));
      const times = other ? (rate.median / spread(other.map(ratePerMs)).median).toFixed(1) : '';
      return [row.name, told(rate, 1), times, told(cpu, 1), told(server, 1), peak];
    }
    const before = other && spread(other.map(cpuPerMillion)).median;
    const more = before === undefined ? '' : signed((cpu.median - before) * 1000);
    const ratio = before === undefined ? '' : (cpu.median / before).toFixed(2);
    return [row.name, told(rate, 0), told(cpu, 2), more, ratio, peak];
  });
  const head = hasServer
    ? ['', 'k events/s', 'times as many', 'CPU s a million', "server's", 'peak MiB']
    : ['', 'k events/s', 'CPU s a million', 'ns CPU an event, more', 'ratio', 'peak MiB'];
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]!.length)));
  const text = [head, ...lines].map((line) =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  process.stdout.write(`\n${title}\n\n${text.join('\n')}\n`);
}

function cpuPerMillion({ cpuSeconds, events }: Measured): number {
  return (cpuSeconds / events) * 1e6;
}

function ratePerMs({ events, seconds }: Measured): number {
  return events / seconds / 1000;
}

function told({ median, least, greatest }: Spread, digits: number): string {
  const range = rounds === 1 ? '' : ` (${least.toFixed(digits)} to ${greatest.toFixed(digits)})`;
  return median.toFixed(digits) + range;
}

function signed(ns: number): string {
  return `${ns < 0 ? '' : '+'}${Math.round(ns)}`;
}
