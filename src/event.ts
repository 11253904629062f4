import type { Delivery } from './delivery.ts';
import type { SourceRecord } from './records.ts';
import { type Position, comparePositions } from './position.ts';

/** More than a packed record has parts: each takes five bytes, and `maxUnpackedBytes` allows 32 MiB of them. */
const MOST_PARTS = 2 ** 24;

/** A record that is not simply one of its delivery's. */
interface GivenRecord extends SourceRecord {
  /** How many with the same position come before it. @default 0 */
  readonly nth?: number;
}

/**
 * Where an event came from; shared by all that operators make of one record. A position itself, for whoever only looks; `position` is one to
 * keep, as it keeps nothing else in memory.
 */
export class Origin implements Position {
  readonly delivery: Delivery;
  /** The record's number in its delivery, from 0. */
  readonly index: number;
  /** Of what is no record of its delivery's, or of a delivery without records: what it is instead. */
  readonly #given: GivenRecord | undefined;

  /** @param given when it is not simply the record of this number */
  constructor(delivery: Delivery, index: number, given?: GivenRecord) {
    this.delivery = delivery;
    this.index = index;
    this.#given = given;
  }

  get position(): Position {
    const { shard, sequence, subSequence } = this.#position;
    return { shard, sequence, subSequence };
  }

  /** By what it is told from all others: its position, unless it shares that with others that were cut of the same part of a packed record. */
  get place(): Position {
    const { shard, sequence, subSequence } = this.#position;
    return { shard, sequence, subSequence: subSequence + (this.#given?.nth ?? 0) * MOST_PARTS };
  }

  get shard(): string {
    return this.delivery.shard;
  }

  get sequence(): string {
    return this.#position.sequence;
  }

  get subSequence(): number {
    return this.#position.subSequence;
  }

  /** When the stream received the record, in milliseconds since 1970. */
  get arrivedAtMs(): number {
    return this.#given ? this.#given.arrivedAtMs : this.delivery.records!.arrivedAtMsOf(this.index);
  }

  /** The record's bytes as the source read them. */
  get raw(): Uint8Array {
    return this.#given ? this.#given.data : this.delivery.records!.rawOf(this.index);
  }

  get sizeBytes(): number {
    return this.#given ? this.#given.data.length : this.delivery.records!.sizeOf(this.index);
  }

  /**
   * Whether both are of one record of the source: then the sinks store what they are of by one commit, for no position says how far inside of a
   * record a run has come.
   */
  isSameRecord({ delivery, index }: Origin): boolean {
    return this.index === index && this.delivery === delivery;
  }

  get #position(): Position {
    return this.#given ? this.#given.position : this.delivery.records!.positionOf(this.index);
  }
}

/** What a sink takes: an event, a window of them, a reject. It knows its place in the shard and what it keeps in flight. */
export interface Item {
  readonly shard: string;
  /** The position of its first record. */
  readonly first: Position;
  /** The position of its last record: what a shard's position becomes once the item is stored. */
  readonly last: Position;
  /** How many events it holds. */
  readonly count: number;
  /** How many bytes its events had at the source. */
  readonly sizeBytes: number;
  /** True once a delivery of its events is settled: whoever handed it on did not hold it. */
  readonly isSettled: boolean;
  /** The part of it behind a position; nothing when all of it lies at or before. */
  after(position: Position): this | undefined;
  /** Keeps its deliveries in flight until `release`. */
  hold(): void;
  release(): void;
  /** Notes what became of its events. */
  mark(outcome: number): void;
}

export function isItem(value: unknown): value is Item {
  return typeof value === 'object' && value !== null && 'isSettled' in value;
}

/** Says whether an item goes on with the record of the one before it: they must not be parted by a commit. */
export function isSameRecord(before: Item, item: Item): boolean {
  const [one, other] = [originOf(before), originOf(item)];
  // Windows have all of a record.
  return one !== undefined && other !== undefined && one.isSameRecord(other);
}

function originOf(item: Item): Origin | undefined {
  if (item instanceof Reject) return item.event.origin;
  return item instanceof Event ? item.origin : undefined;
}

/** Where the last of some items ends, by shard. */
export function lastByShard(items: Iterable<Item>): ReadonlyMap<string, Position> {
  const last = new Map<string, Item>();
  for (const item of items) last.set(item.shard, item);
  // A position is an object made for whoever asks for it.
  return new Map([...last].map(([shard, item]) => [shard, item.last]));
}

/** How many events, or bytes at the source, some items have. */
export function totalOf(items: readonly Item[], what: 'count' | 'sizeBytes'): number {
  return items.reduce((sum, item) => sum + item[what], 0);
}

/** One record on its way: its data, and where it came from. */
export class Event<out T> implements Item {
  readonly data: T;
  readonly origin: Origin;

  constructor(data: T, origin: Origin) {
    this.data = data;
    this.origin = origin;
  }

  /** The same record with other data: what an operator emits. */
  with<U>(data: U): Event<U> {
    return new Event(data, this.origin);
  }

  get position(): Position {
    return this.origin.position;
  }

  /** When the stream received the record, in milliseconds since 1970. */
  get arrivedAtMs(): number {
    return this.origin.arrivedAtMs;
  }

  get delivery(): Delivery {
    return this.origin.delivery;
  }

  get shard(): string {
    return this.origin.shard;
  }

  get first(): Position {
    return this.origin.position;
  }

  get last(): Position {
    return this.origin.position;
  }

  get count(): number {
    return 1;
  }

  get sizeBytes(): number {
    return this.origin.sizeBytes;
  }

  get isSettled(): boolean {
    return this.origin.delivery.isSettled;
  }

  after(position: Position): this | undefined {
    return comparePositions(this.origin, position) > 0 ? this : undefined;
  }

  hold(): void {
    this.origin.delivery.hold();
  }

  release(): void {
    this.origin.delivery.release();
  }

  mark(outcome: number): void {
    this.origin.delivery.mark(this.origin.index, outcome);
  }

  /** Notes that the step of this name dropped the event on purpose; the caller then simply does not emit it. */
  drop(step: string): void {
    this.mark(this.delivery.ledger.dropCode(step));
  }

  /** Hands the event to the rejects, which hold it until it is stored; the caller then does not emit it. */
  reject(why: RejectReason): void {
    this.delivery.ledger.reject(new Reject(this, why));
  }
}

/** Why an event cannot go on. */
export interface RejectReason {
  /** The step that refused it: `decode`, `validate`, `copyInto`. */
  readonly step: string;
  /** A short, stable word to group by: `column_count`, `invalid_type`, `22P02`. */
  readonly code: string;
  /** What was expected and what came, for a person. */
  readonly reason: string;
  /** Where in the event: a field, a path in its JSON. Empty when it is the whole event. */
  readonly path?: string;
}

/** An event that cannot go on, with the reason. */
export class Reject implements Item {
  readonly event: Event<unknown>;
  readonly why: RejectReason;

  constructor(event: Event<unknown>, why: RejectReason) {
    this.event = event;
    this.why = why;
  }

  get shard(): string {
    return this.event.shard;
  }

  get first(): Position {
    return this.event.position;
  }

  get last(): Position {
    return this.event.position;
  }

  get count(): number {
    return 1;
  }

  get sizeBytes(): number {
    return this.event.sizeBytes;
  }

  get isSettled(): boolean {
    return this.event.isSettled;
  }

  after(position: Position): this | undefined {
    return this.event.after(position) && this;
  }

  hold(): void {
    this.event.hold();
  }

  release(): void {
    this.event.release();
  }

  mark(outcome: number): void {
    this.event.mark(outcome);
  }
}
