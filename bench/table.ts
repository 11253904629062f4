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
  /** What its server spent. */
  readonly serverCpuSeconds?: number;
  /** Half, 99 % and 99.9 % of its events took no longer. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly p999Ms?: number;
  readonly maxMs?: number;
}

/** What the rows measured, head first: medians, and the least and greatest when there were several rounds. */
export function tableOf(rows: readonly Row[], measured: ReadonlyMap<Row, readonly Measured[]>): readonly (readonly string[])[] {
  const any = [...measured.values()].flat();
  const isLatency = any.some(({ p50Ms }) => p50Ms !== undefined);
  const hasServer = any.some(({ serverCpuSeconds }) => serverCpuSeconds !== undefined);
  const hasBytes = any.some(({ bytes }) => bytes !== undefined);
  const head = hasBytes ? WITH_BYTES : isLatency ? LATENCY : hasServer ? WITH_SERVER : ALONE;
  const cellsOf = hasBytes ? cellsWithBytes : isLatency ? latencyCells : hasServer ? cellsWithServer : cellsAlone;
  const lines = rows.map((row) => {
    const missing = missingOf(row, measured);
    if (missing) return [row.name, `no ${missing.join(', ')} on this machine`, ...head.slice(2).map(() => '')];
    const other = rows.find((one) => one.name === row.against && !missingOf(one, measured));
    return [row.name, ...cellsOf(measured.get(row)!, other && measured.get(other))];
  });
  return [head, ...lines];
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

function missingOf(row: Row, measured: ReadonlyMap<Row, readonly Measured[]>): readonly string[] | undefined {
  return measured.get(row)!.find(({ missing }) => missing)?.missing;
}

const ALONE = ['', 'k events/s', 'CPU s a million', 'ns CPU an event, more', 'ratio', 'peak MiB'];

function cellsAlone(all: readonly Measured[], other?: readonly Measured[]): string[] {
  const cpu = spread(all.map(cpuPerMillion));
  const before = other && spread(other.map(cpuPerMillion)).median;
  const more = before === undefined ? '' : signed((cpu.median - before) * 1000);
  const ratio = before === undefined ? '' : (cpu.median / before).toFixed(2);
  return [told(spread(all.map(ratePerMs)), 0), told(cpu, 2), more, ratio, peakOf(all)];
}

const WITH_SERVER = ['', 'k events/s', 'times as many', 'CPU s a million', "server's", 'peak MiB'];

function cellsWithServer(all: readonly Measured[], other?: readonly Measured[]): string[] {
  const rate = spread(all.map(ratePerMs));
  const times = other ? (rate.median / spread(other.map(ratePerMs)).median).toFixed(1) : '';
  const server = spread(all.map(serverCpuPerMillion));
  return [told(rate, 1), times, told(spread(all.map(cpuPerMillion)), 1), told(server, 1), peakOf(all)];
}

const WITH_BYTES = ['', 'k events/s', 'times as many', 'MB/s', 'CPU s a million', "server's", 'of the CPU', 'peak MiB'];

function cellsWithBytes(all: readonly Measured[], other?: readonly Measured[]): string[] {
  const [rate, times] = cellsWithServer(all, other);
  const speed = spread(all.map(({ bytes = 0, seconds }) => bytes / seconds / 1e6)).median.toFixed(0);
  const hasServer = all.some(({ serverCpuSeconds }) => serverCpuSeconds !== undefined);
  const server = hasServer ? spread(all.map(serverCpuPerMillion)).median.toFixed(1) : '';
  const share = other ? (spread(all.map(wholeCpu)).median / spread(other.map(wholeCpu)).median).toFixed(2) : '';
  return [rate!, times!, speed, told(spread(all.map(cpuPerMillion)), 1), server, share, peakOf(all)];
}

function serverCpuPerMillion({ serverCpuSeconds = 0, events }: Measured): number {
  return (serverCpuSeconds / events) * 1e6;
}

function wholeCpu(one: Measured): number {
  return cpuPerMillion(one) + serverCpuPerMillion(one);
}

const LATENCY = ['', 'p50 ms', 'p99 ms', 'p99.9 ms', 'most', 'CPU s a second'];

function latencyCells(all: readonly Measured[]): string[] {
  const cells = (['p50Ms', 'p99Ms', 'p999Ms', 'maxMs'] as const).map((name) =>
    told(spread(all.map((one) => one[name] ?? Number.NaN)), 1),
  );
  return [...cells, told(spread(all.map(({ cpuSeconds, seconds }) => cpuSeconds / seconds)), 2)];
}

function peakOf(all: readonly Measured[]): string {
  return spread(all.map(({ peakMiB }) => peakMiB)).median.toFixed(0);
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
