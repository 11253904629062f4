import type { Delivery } from '../../delivery.ts';
import { StepError } from '../../errors.ts';
import type { Origin } from '../../event.ts';
import type { Ledger } from '../../ledger.ts';
import type { Position } from '../../position.ts';
import { type LineIndex, MAX_LINES } from '../../lines/line-index.ts';
import { ArrivalHorizon } from './arrival-horizon.ts';
import type { IdentityState } from '../identity-state.ts';
import { type Seen, spread } from './identity-partition.ts';
import { IdentityTable } from './identity-table.ts';
import type { Identity } from '../identity.ts';
import { SeenBySome } from './seen-by-some.ts';
import { SightJournal } from './sight-journal.ts';
import { SIGHT_WORDS, writePlace } from './sight.ts';

export interface DedupeMemoryOptions<T> {
  /** The operator's name, for diagnostics. */
  readonly step: string;
  readonly identity: Identity<T>;
  readonly withinMs: number;
  readonly capacity: number;
  readonly state: IdentityState | undefined;
}

/** After how many events it looks anew how far the stream has come: that only frees memory. */
const EXPIRE_EVERY = 1024;

/** What whoever reads identities does with an event that has none. */
const NO_IDENTITY = 'Of an event without an identity give the empty text (or four zeros): it is never a repeat';

/** What one subscription of `dedupe` remembers: a table, and with a state a journal of what is new in it. */
export class DedupeMemory<T> {
  readonly #options: DedupeMemoryOptions<T>;
  readonly #identity: Identity<T>;
  readonly #table: IdentityTable;
  readonly #seenBySome: SeenBySome;
  /** Whether some of the delivery at hand is new to some of the sinks only. */
  #isUneven = false;
  readonly #horizon: ArrivalHorizon;
  readonly #sight = new Uint32Array(SIGHT_WORDS);
  /** Of lines that were foreseen, by place: their sights, which have an identity so far, and what `spread` makes of it. */
  readonly #foreseen = Array.from({ length: MAX_LINES }, () => new Uint32Array(SIGHT_WORDS));
  readonly #hashes = new Int32Array(MAX_LINES);
  readonly #journal: SightJournal | undefined;
  readonly #loadedMs: number = 0;
  #ledger: Ledger | undefined;
  #unregister: (() => void) | undefined;
  #seen = 0;
  #forgottenTold = 0;

  /** Opens the state and loads it: before the source takes anything over, so that a state that cannot be had stops nobody else. */
  constructor(options: DedupeMemoryOptions<T>) {
    const { state, capacity } = options;
    this.#options = options;
    this.#identity = options.identity;
    this.#table = new IdentityTable(options);
    this.#seenBySome = new SeenBySome(options);
    this.#horizon = new ArrivalHorizon(options.withinMs);
    if (!state) return;
    this.#journal = new SightJournal(state, { capacity, expiredBeforeMs: () => this.#expiredBeforeMs() });
    try {
      this.#loadedMs = this.#journal.loadInto(this.#table).ms;
    } catch (error) {
      this.#journal.close();
      throw error;
    }
  }

  /** Tells whether an event is a repeat; remembers it when it is the first. */
  isRepeat(data: T, origin: Origin): boolean {
    const sight = this.#sight;
    const { arrivedAtMs } = origin;
    try {
      this.#identity.hash(data, sight);
    } catch (error) {
      throw new StepError(this.#options.step, origin.position, error, NO_IDENTITY);
    }
    writePlace(sight, origin.place, arrivedAtMs);
    return this.#isRepeat(sight, spread(sight, 0), origin.delivery, arrivedAtMs, origin);
  }

  /** Reads the identities of many lines, and looks at where they will be looked for, all in one go. */
  foresee(index: LineIndex, places: Uint16Array): void {
    for (const place of places) {
      const sight = this.#foreseen[place]!;
      index.show(place);
      this.#identity.hashLine!(index, sight);
      this.#hashes[place] = spread(sight, 0);
    }
    this.#table.touch(this.#hashes, places);
  }

  /** The same as `isRepeat`, of a record whose line was foreseen. */
  isRepeatLine(place: number, delivery: Delivery, record: number): boolean {
    const sight = this.#foreseen[place]!;
    const records = delivery.records!;
    const arrivedAtMs = records.arrivedAtMsOf(record);
    writePlace(sight, records.positionOf(record), arrivedAtMs);
    return this.#isRepeat(sight, this.#hashes[place]!, delivery, arrivedAtMs, record);
  }

  /**
   * @param hash what `spread` makes of the sight's identity
   * @param at where it lies, be it the record's number in its delivery: a position is made when it is needed
   */
  #isRepeat(sight: Uint32Array, hash: number, delivery: Delivery, arrivedAtMs: number, at: Position | number): boolean {
    if (!this.#ledger) this.#begin((this.#ledger = delivery.ledger));
    if (this.#horizon.note(delivery, arrivedAtMs)) {
      this.#tellForgotten();
      this.#isUneven = newTo(delivery, at) !== undefined;
    }
    if (++this.#seen % EXPIRE_EVERY === 0) this.#expire();
    if ((sight[0]! | sight[1]! | sight[2]! | sight[3]!) === 0) return false;
    const sinks = this.#isUneven ? newTo(delivery, at) : undefined;
    const seen = sinks === undefined ? this.#table.see(sight, hash) : this.#seeBySome(sight, hash, sinks, arrivedAtMs);
    if (seen === 'first') this.#journal?.add(sight, arrivedAtMs);
    return seen === 'repeat';
  }

  #seeBySome(sight: Uint32Array, hash: number, sinks: number, arrivedAtMs: number): Seen {
    const seen = this.#table.find(sight, hash);
    return seen === 'first' ? this.#seenBySome.see(sight, hash, sinks, arrivedAtMs) : seen;
  }

  #expire(): void {
    const beforeMs = this.#expiredBeforeMs();
    this.#table.expire(beforeMs);
    this.#seenBySome.expire(beforeMs);
  }

  /** Hands all that is remembered over to the state. */
  write(): void {
    this.#tellForgotten();
    this.#journal?.write();
  }

  /** Writes as well as it can; throws nothing. */
  close(): void {
    try {
      this.write();
    } catch (error) {
      // Windows of these events may be on their way to a sink yet: none may be committed that is not remembered.
      this.#ledger?.onBeforeCommit(() => {
        throw error;
      });
    }
    // What is on its way to a server has to be there before the windows of its events are committed.
    if (this.#journal?.isDurable !== false) this.#unregister?.();
    this.#journal?.close();
  }

  /** What there is to tell and to register is known with the first event's ledger. */
  #begin(ledger: Ledger): void {
    const { state, step } = this.#options;
    const journal = this.#journal;
    if (!state || !journal) return;
    ledger.report({ type: 'identities-loaded', step, count: this.#table.size, ms: this.#loadedMs, state: state.describe });
    this.#unregister = ledger.onBeforeCommit(() => journal.flush());
  }

  #expiredBeforeMs(): number {
    return this.#horizon.standsAt() - this.#options.withinMs;
  }

  #tellForgotten(): void {
    const { forgotten, capacity } = this.#table;
    if (forgotten === this.#forgottenTold) return;
    this.#ledger?.report({
      type: 'identities-forgotten',
      step: this.#options.step,
      count: forgotten - this.#forgottenTold,
      capacity,
    });
    this.#forgottenTold = forgotten;
  }
}

/** The sinks that a record is new to, when it is not new to all of them. */
function newTo({ ledger, records }: Delivery, at: Position | number): number | undefined {
  return ledger.sinkStands.newTo(typeof at === 'number' ? records!.positionOf(at) : at);
}
