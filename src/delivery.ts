import type { Position } from './position.ts';
import type { Ledger } from './ledger.ts';
import type { Records } from './records.ts';

export interface DeliveryOptions {
  readonly shard: string;
  /** How many records it holds. */
  readonly count: number;
  /** Their bytes. */
  readonly sizeBytes: number;
  /** The position of its last record: the shard's checkpoint once this and all before it is settled. */
  readonly last: Position;
  /** The scheduler's clock when it was read, in milliseconds. */
  readonly readAtMs: number;
  /** What `reserve` set aside for it; given back here. */
  readonly reservedBytes?: number;
  /** What was read, when its events are to be found by their numbers. */
  readonly records?: Records;
}

/** What a source read in one go: the unit that gets settled. */
export class Delivery {
  readonly ledger: Ledger;
  readonly shard: string;
  readonly count: number;
  readonly sizeBytes: number;
  readonly last: Position;
  readonly readAtMs: number;
  /** What was read; nothing where events are made one by one. */
  readonly records: Records | undefined;
  readonly #outcomes: Uint8Array;
  #holds = 1;
  #then: (() => void)[] | undefined;

  /** @internal Deliveries come from `Ledger.open`. */
  constructor(ledger: Ledger, { shard, count, sizeBytes, last, readAtMs, records }: DeliveryOptions) {
    this.ledger = ledger;
    this.shard = shard;
    this.count = count;
    this.sizeBytes = sizeBytes;
    this.last = last;
    this.readAtMs = readAtMs;
    this.records = records;
    this.#outcomes = new Uint8Array(count);
  }

  get isSettled(): boolean {
    return this.#holds === 0;
  }

  /**
   * Keeps the delivery in flight until `release`.
   *
   * @throws {Error} when it is settled already.
   */
  hold(): void {
    if (this.#holds === 0) throw this.#tooLate();
    this.#holds++;
  }

  /** What there is to say is said by the stream's error first, which knows the step; unless a step has answered that, and goes on without the event. */
  #tooLate(): Error {
    const error = new Error(
      `Delivery: a hold on a settled delivery of ${this.shard}: its events were kept by a step that did not hold them, as delay and concatMap do. ` +
        `Where the sinks stand behind them by now, they are not read again`,
    );
    queueMicrotask(() => this.ledger.fail(error));
    return error;
  }

  /** @throws {Error} when nobody holds it. */
  release(): void {
    if (this.#holds === 0) throw new Error(`Delivery: a release without a hold on a delivery of ${this.shard}`);
    // A step that kept an event has handed it on, to a window perhaps.
    if (--this.#holds > 0) return this.ledger.room.relieveSoon();
    this.ledger.settle(this, this.#outcomes);
    for (const then of this.#then ?? []) then();
    if (this.ledger.freesRecords) this.records?.free?.();
  }

  /** The source's own release, after it emitted the last event. */
  letGo(): void {
    this.release();
    if (!this.isSettled) this.ledger.room.relieve();
  }

  /** Notes what became of a record. */
  mark(index: number, outcome: number): void {
    if (this.#outcomes[index]! < outcome) this.#outcomes[index] = outcome;
  }

  /** Keeps an earlier delivery of the shard in flight until this one is settled: for records that span both. */
  holdUntilSettled(earlier: Delivery): void {
    if (earlier === this) return;
    earlier.hold();
    (this.#then ??= []).push(() => earlier.release());
  }
}
