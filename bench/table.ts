import type { Row } from './rows.ts';
import { type Spread, spread } from './spread.ts';

/** What a row's process prints as its last line. */
export interface Measured {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  /** How many bytes the events had. */
  readonly bytes?: number;
  /** Programs that the machine lacks: nothing was measured. */
  readonly missing?: readonly string[];
  /** Whether its process ended with an error: nothing was measured. */
  readonly failed?: true;
  /** What its server spent. */
  readonly serverCpuSeconds?: number;
  /** Half, 99 % and 99.9 % of its events took no longer. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly p999Ms?: number;
  readonly maxMs?: number;
  /** What memory a run had after parts of its events. */
  readonly tenthMiB?: number;
  readonly halfMiB?: number;
  readonly endMiB?: number;
  /** How many bytes they became. */
  readonly packedBytes?: number;
  /** Of `dedupe` alone. */
  readonly newNs?: number;
  readonly repeatNs?: number;
  readonly bytesPerId?: number;
  readonly longestMs?: number;
}

/** One column: its head, and what it says of a row that is compared with another, or with none. */
interface Column {
  readonly head: string;
  readonly cell: (all: readonly Measured[], other: readonly Measured[] | undefined, row: Row) => string;
}

const rate = (digits: number): Column => ({ head: 'k events/s', cell: (all) => told(spread(all.map(ratePerMs)), digits) });
const cpu = (digits: number): Column => ({
  head: 'CPU s a million',
  cell: (all) => told(spread(all.map(cpuPerMillion)), digits),
});
const times: Column = {
  head: 'times as many',
  cell: (all, other) => (other ? (median(all, ratePerMs) / median(other, ratePerMs)).toFixed(1) : ''),
};
const cpuMore: Column = {
  head: 'ns CPU an event, more',
  cell: (all, other, { steps = 1 }) =>
    other ? signed(((median(all, cpuPerMillion) - median(other, cpuPerMillion)) * 1000) / steps) : '',
};
const cpuRatio: Column = {
  head: 'ratio',
  cell: (all, other) => (other ? (median(all, cpuPerMillion) / median(other, cpuPerMillion)).toFixed(2) : ''),
};
const speed: Column = {
  head: 'MB/s',
  cell: (all) => median(all, ({ bytes = 0, seconds }) => bytes / seconds / 1e6).toFixed(0),
};
const serverCpu: Column = {
  head: "server's",
  cell: (all) =>
    all.some(({ serverCpuSeconds }) => serverCpuSeconds !== undefined) ? median(all, serverCpuPerMillion).toFixed(1) : '',
};
const ofTheCpu: Column = {
  head: 'of the CPU',
  cell: (all, other) => (other ? (median(all, wholeCpu) / median(other, wholeCpu)).toFixed(2) : ''),
};
const peak: Column = { head: 'peak MiB', cell: (all) => median(all, ({ peakMiB }) => peakMiB).toFixed(0) };
const measuredAs = (head: string, of: (one: Measured) => number | undefined, digits = 1): Column => ({
  head,
  cell: (all) => told(spread(all.map((one) => of(one) ?? Number.NaN)), digits),
});

/** What tables say, by what they are about. */
const COLUMNS = {
  steps: [rate(0), cpu(2), cpuMore, cpuRatio, peak],
  whole: [rate(1), times, cpu(2), ofTheCpu, peak],
  server: [rate(1), times, cpu(1), serverCpu, peak],
  file: [rate(1), times, speed, cpu(1), serverCpu, ofTheCpu, peak],
  latency: [
    measuredAs('p50 ms', ({ p50Ms }) => p50Ms),
    measuredAs('p99 ms', ({ p99Ms }) => p99Ms),
    measuredAs('p99.9 ms', ({ p999Ms }) => p999Ms),
    measuredAs('most', ({ maxMs }) => maxMs),
    measuredAs('CPU s a second', ({ cpuSeconds, seconds }) => cpuSeconds / seconds, 2),
  ],
  memory: [
    rate(0),
    measuredAs('MiB after a tenth', ({ tenthMiB }) => tenthMiB, 0),
    measuredAs('after a half', ({ halfMiB }) => halfMiB, 0),
    measuredAs('in the end', ({ endMiB }) => endMiB, 0),
    peak,
  ],
  levels: [
    rate(1),
    cpu(1),
    measuredAs('bytes a record', ({ packedBytes = Number.NaN, events }) => packedBytes / events, 0),
    peak,
  ],
  dedupe: [
    measuredAs('ns CPU a new one', ({ newNs }) => newNs, 0),
    measuredAs('ns CPU a repeat', ({ repeatNs }) => repeatNs, 0),
    measuredAs('bytes an identity', ({ bytesPerId }) => bytesPerId, 2),
    measuredAs('longest thousand, ms', ({ longestMs }) => longestMs),
    peak,
  ],
} satisfies Record<string, readonly Column[]>;

export type TableKind = keyof typeof COLUMNS;

/** What the rows measured, head first: medians, and the least and greatest when there were several rounds. */
export function tableOf(
  { rows, table }: { readonly rows: readonly Row[]; readonly table: TableKind },
  measured: ReadonlyMap<Row, readonly Measured[]>,
): readonly (readonly string[])[] {
  const columns: readonly Column[] = COLUMNS[table];
  const lines = rows.map((row) => {
    const why = whyNot(row, measured);
    if (why) return [row.name, why, ...columns.slice(1).map(() => '')];
    const other = rows.find((one) => one.name === row.against && !whyNot(one, measured));
    return [row.name, ...columns.map(({ cell }) => cell(measured.get(row)!, other && measured.get(other), row))];
  });
  return [['', ...columns.map(({ head }) => head)], ...lines];
}

/** Lines a table up for a terminal. */
export function asText(table: readonly (readonly string[])[]): string {
  const widths = table[0]!.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  return table
    .map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

export function asMarkdown([head, ...lines]: readonly (readonly string[])[]): string {
  const rule = head!.map((_, i) => (i === 0 ? '---' : '---:'));
  return [head!, rule, ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

export function hasFigures({ missing, failed }: Measured): boolean {
  return !missing && !failed;
}

/** Why a row has nothing to show. */
function whyNot(row: Row, measured: ReadonlyMap<Row, readonly Measured[]>): string | undefined {
  const one = measured.get(row)!.find((each) => !hasFigures(each));
  return one && (one.missing ? `no ${one.missing.join(', ')} on this machine` : 'failed');
}

function serverCpuPerMillion({ serverCpuSeconds = 0, events }: Measured): number {
  return (serverCpuSeconds / events) * 1e6;
}

function wholeCpu(one: Measured): number {
  return cpuPerMillion(one) + serverCpuPerMillion(one);
}

function median(all: readonly Measured[], of: (one: Measured) => number): number {
  return spread(all.map(of)).median;
}

function cpuPerMillion({ cpuSeconds, events }: Measured): number {
  return (cpuSeconds / events) * 1e6;
}

export function ratePerMs({ events, seconds }: Measured): number {
  return events / seconds / 1000;
}

function told({ median, least, greatest }: Spread, digits: number): string {
  const range = least === greatest ? '' : ` (${least.toFixed(digits)} to ${greatest.toFixed(digits)})`;
  return median.toFixed(digits) + range;
}

function signed(ns: number): string {
  return `${ns < 0 ? '' : '+'}${Math.round(ns)}`;
}
