import type { Diagnostic } from '../../diagnostic.ts';
import type { Counts, Ledger } from '../../ledger.ts';
import { behindNow } from '../run-record.ts';

export interface StatusOptions {
  /** How long the windows are in which it stores events, in milliseconds, so that the next one is worth waiting for. @default no windows */
  readonly windowMs?: number | undefined;
}

/** How a run stands, in numbers. */
export interface StatusNumbers extends Counts {
  readonly inFlightBytes: number;
  /** Of the shard that is farthest behind. */
  readonly behindMs: number;
  readonly waitsForRoom: boolean;
}

/** How a run stands, in one line: a person sees at a glance that it moves and that nothing is missing. */
export class Status {
  readonly #ledger: () => Ledger;
  readonly #windowMs: number | undefined;
  readonly #lags = new Map<string, { readonly behindMs: number; readonly lastReadAtMs: number }>();

  /** @param ledger gives that of the run at work */
  constructor(ledger: () => Ledger, { windowMs }: StatusOptions = {}) {
    this.#ledger = ledger;
    this.#windowMs = windowMs;
  }

  /** Takes note of what a run reports. */
  report(diagnostic: Diagnostic): void {
    if (diagnostic.type === 'shard-lag')
      this.#lags.set(diagnostic.shard, { behindMs: diagnostic.behindMs, lastReadAtMs: diagnostic.readAtMs });
    if (diagnostic.type === 'shard-ended') this.#lags.delete(diagnostic.shard);
  }

  /** @param nowMs the clock, for the time to the next window, and since who waits for room has read */
  numbers(nowMs: number): StatusNumbers {
    const { room } = this.#ledger();
    const behind = Array.from(this.#lags, ([shard, lag]) => behindNow(lag, room.isFull && room.isWaitedForBy(shard), nowMs) ?? 0);
    return {
      ...this.#ledger().counts(),
      inFlightBytes: room.inFlightBytes,
      behindMs: Math.max(0, ...behind),
      waitsForRoom: room.isFull,
    };
  }

  /** @param nowMs as above */
  line(nowMs: number): string {
    const { read, stored, dropped, rejected, inFlight, inFlightBytes, behindMs, waitsForRoom } = this.numbers(nowMs);
    const { dedupe: repeats = 0, ...others } = dropped;
    const other = Object.values(others).reduce((sum, count) => sum + count, 0);
    const windowMs = this.#windowMs;
    return [
      `read ${count(read)}`,
      `stored ${count(stored)}`,
      `repeats ${count(repeats)}`,
      ...(other > 0 ? [`dropped ${count(other)}`] : []),
      `rejected ${count(rejected)}`,
      `in flight ${count(inFlight)} (${(inFlightBytes / 2 ** 20).toFixed(1)} MiB)`,
      `behind ${behindMs < 1000 ? `${behindMs} ms` : `${(behindMs / 1000).toFixed(1)} s`}`,
      ...(waitsForRoom ? ['waits for room'] : []),
      ...(windowMs === undefined ? [] : [`next window in ${Math.ceil((windowMs - (nowMs % windowMs)) / 1000)} s`]),
    ].join('  ');
  }
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}
