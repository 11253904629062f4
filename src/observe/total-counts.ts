import type { Counts, Ledger } from '../ledger.ts';

/** What a pipeline has counted since the process began: read = stored + all dropped + rejected + abandoned + in flight. */
export interface Totals extends Counts {
  /** In flight when the run went back with a store: read again by the one that began anew. */
  readonly abandoned: number;
}

/** Adds up the ledgers of a run that begins anew when a store goes back: a counter that is scraped must not. */
export class TotalCounts {
  #before: Totals = { read: 0, stored: 0, dropped: {}, rejected: 0, abandoned: 0, inFlight: 0 };
  #ended: Ledger | undefined;

  /** Takes note that a run ended with these counts; its ledger counts no more. */
  end(ledger: Ledger | undefined, counts: Counts): void {
    const abandoned = this.#before.abandoned + counts.inFlight;
    this.#before = { ...sum(this.#before, counts), abandoned, inFlight: 0 };
    this.#ended = ledger;
  }

  /** Whether a ledger is that of a run which another one is about to take the place of. */
  hasEnded(ledger: Ledger): boolean {
    return ledger === this.#ended;
  }

  with(ledger: Ledger | undefined): Totals {
    return ledger && !this.hasEnded(ledger) ? sum(this.#before, ledger.counts()) : this.#before;
  }
}

function sum(before: Totals, counts: Counts): Totals {
  const dropped = { ...before.dropped };
  for (const [step, count] of Object.entries(counts.dropped)) dropped[step] = (dropped[step] ?? 0) + count;
  return {
    read: before.read + counts.read,
    stored: before.stored + counts.stored,
    dropped,
    rejected: before.rejected + counts.rejected,
    abandoned: before.abandoned,
    inFlight: counts.inFlight,
  };
}
