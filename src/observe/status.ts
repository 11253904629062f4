import type { Diagnostic } from '../diagnostic.ts';
import type { Ledger } from '../ledger.ts';

export interface StatusOptions {
  /** Whether it stores minute by minute, so that the next one is worth waiting for. @default true */
  readonly hasWindows?: boolean;
}

/** How a run stands, in one line: a person sees at a glance that it moves and that nothing is missing. */
export class Status {
  readonly #ledger: () => Ledger;
  readonly #hasWindows: boolean;
  readonly #behindMs = new Map<string, number>();

  /** @param ledger gives that of the run at work */
  constructor(ledger: () => Ledger, { hasWindows = true }: StatusOptions = {}) {
    this.#ledger = ledger;
    this.#hasWindows = hasWindows;
  }

  /** Takes note of what a run reports. */
  report(diagnostic: Diagnostic): void {
    if (diagnostic.type === 'shard-lag') this.#behindMs.set(diagnostic.shard, diagnostic.behindMs);
    if (diagnostic.type === 'shard-ended') this.#behindMs.delete(diagnostic.shard);
  }

  /** @param nowMs the clock, for the time to the next minute */
  line(nowMs: number): string {
    const { read, stored, dropped, rejected, inFlight } = this.#ledger().counts();
    const { dedupe: repeats = 0, ...others } = dropped;
    const other = Object.values(others).reduce((sum, count) => sum + count, 0);
    const behindMs = Math.max(0, ...this.#behindMs.values());
    const mebibytes = this.#ledger().room.inFlightBytes / 2 ** 20;
    return [
      `read ${count(read)}`,
      `stored ${count(stored)}`,
      `repeats ${count(repeats)}`,
      ...(other > 0 ? [`dropped ${count(other)}`] : []),
      `rejected ${count(rejected)}`,
      `in flight ${count(inFlight)} (${mebibytes.toFixed(1)} MiB)`,
      `behind ${behindMs < 1000 ? `${behindMs} ms` : `${(behindMs / 1000).toFixed(1)} s`}`,
      ...(this.#ledger().room.isFull ? ['waits for room'] : []),
      ...(this.#hasWindows ? [`next minute in ${Math.ceil((60_000 - (nowMs % 60_000)) / 1000)} s`] : []),
    ].join('  ');
  }
}

function count(n: number): string {
  return n.toLocaleString('en-US');
}
