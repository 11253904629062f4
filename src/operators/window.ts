import { Event, type Item, Origin } from '../event.ts';
import { type Position, comparePositions } from '../position.ts';
import type { Delivery } from '../delivery.ts';

/** Why a window closed. */
export type ClosedBy = 'later-event' | 'grace' | 'count' | 'bytes' | 'pressure' | 'shard-end' | 'complete';

/** Which window: a half-open interval of one shard's arrival times, and the part of it when it closed early. */
export interface WindowBounds {
  readonly shard: string;
  /** Its first instant, in milliseconds since 1970. */
  readonly startMs: number;
  /** The first instant after it. */
  readonly endMs: number;
  /** From 0; above 0 when an earlier part of the same interval closed early. */
  readonly part: number;
  readonly closedBy: ClosedBy;
}

/** Some of a window's events, side by side: each with its data, or records of one delivery whose data is made of their bytes when it is asked for. */
export type WindowPart<T> = ListedPart<T> | RecordsPart<T>;

export interface ListedPart<out T> {
  readonly origins: readonly Origin[];
  readonly data: readonly T[];
}

export interface RecordsPart<out T> {
  readonly delivery: Delivery;
  /** The records' numbers; those of the part stand from `from` up to `to`. */
  readonly numbers: Uint32Array;
  readonly from: number;
  readonly to: number;
  readonly make: (raw: Uint8Array) => T;
}

/** What a window is made of. */
export interface Gathered<out T> {
  readonly parts: readonly WindowPart<T>[];
  readonly count: number;
  readonly sizeBytes: number;
  /** Each once. */
  readonly deliveries: readonly Delivery[];
}

/** The events of one shard in one half-open interval [start, end), closed, in order, never empty. */
export class Window<out T> implements Item {
  readonly bounds: WindowBounds;
  readonly count: number;
  readonly sizeBytes: number;
  readonly #parts: readonly WindowPart<T>[];
  readonly #deliveries: readonly Delivery[];

  /** @throws {RangeError} when there are no events */
  constructor(bounds: WindowBounds, events: readonly Event<T>[] | Gathered<T>) {
    if (!('parts' in events) && events.length === 0)
      throw new RangeError(`Window: expected at least one event of ${bounds.shard}, got none`);
    const { parts, count, sizeBytes, deliveries } = 'parts' in events ? events : gather(events);
    this.bounds = bounds;
    this.count = count;
    this.sizeBytes = sizeBytes;
    this.#parts = parts;
    this.#deliveries = deliveries;
  }

  /**
   * The same window with other data: what is made of all of its events, sums of them say, as many as it takes, also none. They are stored as one,
   * with the position at which the window ends. Of those that a database refuses for one reason the first is a reject, with the bytes of the
   * last event.
   *
   * @param make must follow from the window: of what a sink lacks of one that was read again it is called anew, so that sums of all parts add up
   */
  with<U>(make: (window: Window<T>) => readonly U[]): Window<U> {
    return new MadeOfWindow(this, make);
  }

  /** What its events hold, in order; made anew each time where it need not be kept. */
  *data(): Generator<T, void, void> {
    for (const part of this.#parts) for (let i = 0; i < sizeOf(part); i++) yield dataAt(part, i);
  }

  /** Its events, made anew each time they are asked for. */
  get events(): readonly Event<T>[] {
    return this.#parts.flatMap((part) => Array.from({ length: sizeOf(part) }, (_, i) => eventIn(part, i)));
  }

  /** One of its events, by its place from 0. */
  eventAt(place: number): Event<T> {
    let before = 0;
    for (const part of this.#parts) {
      if (place < before + sizeOf(part)) return eventIn(part, place - before);
      before += sizeOf(part);
    }
    throw new RangeError(`Window: expected a place below ${this.count}, got ${place}`);
  }

  get shard(): string {
    return this.bounds.shard;
  }

  get first(): Position {
    return originIn(this.#parts[0]!, 0).position;
  }

  get last(): Position {
    const last = this.#parts.at(-1)!;
    return originIn(last, sizeOf(last) - 1).position;
  }

  get isSettled(): boolean {
    return this.#deliveries.some((delivery) => delivery.isSettled);
  }

  /** The same window with the events behind a position; itself when that is all of them. */
  after(position: Position): this | undefined {
    if (comparePositions(this.first, position) > 0) return this;
    const behind = this.events.filter((event) => comparePositions(event.position, position) > 0);
    return behind.length === 0 ? undefined : (new Window(this.bounds, behind) as this);
  }

  /** The same window in parts, cut where a sink stands, so that each sink has all or nothing of a part. */
  cutWhereSinksStand(): readonly Window<T>[] {
    const stands = this.#deliveries[0]!.ledger.sinkStands.between(this.first, this.last);
    if (stands.length === 0) return [this];
    const parts = Map.groupBy(this.events, ({ position }) => stands.findIndex((stand) => comparePositions(position, stand) <= 0));
    return [...parts.values()].map((events) => new Window(this.bounds, events));
  }

  hold(): void {
    for (const delivery of this.#deliveries) delivery.hold();
  }

  release(): void {
    for (const delivery of this.#deliveries) delivery.release();
  }

  /** Keeps all of it in flight until its last delivery is settled: for what is made of all of it, and goes on as events of its last record. */
  keepUntilLast(): void {
    const last = this.#deliveries.at(-1)!;
    if (!last.isSettled) for (const delivery of this.#deliveries) last.holdUntilSettled(delivery);
  }

  mark(outcome: number): void {
    for (const part of this.#parts) {
      if ('origins' in part) for (const { delivery, index } of part.origins) delivery.mark(index, outcome);
      else for (let i = part.from; i < part.to; i++) part.delivery.mark(part.numbers[i]!, outcome);
    }
  }
}

/** It has the place of another window, and keeps in flight what that keeps. */
class MadeOfWindow<T, U> extends Window<U> {
  readonly #of: Window<T>;
  readonly #make: (window: Window<T>) => readonly U[];

  constructor(of: Window<T>, make: (window: Window<T>) => readonly U[]) {
    const data = make(of);
    const last = of.eventAt(of.count - 1).origin;
    const parts = [{ origins: data.map(() => last), data }];
    super(of.bounds, { parts, count: data.length, sizeBytes: of.sizeBytes, deliveries: [] });
    this.#of = of;
    this.#make = make;
  }

  override with<V>(make: (window: Window<U>) => readonly V[]): Window<V> {
    return this.#of.with((part) => make(part.with(this.#make)));
  }

  /** Whoever keeps one of them, as a step behind it may, holds its delivery alone; and no sink is to have something once more that went into one. */
  override get events(): readonly Event<U>[] {
    this.#of.keepUntilLast();
    return this.#of.cutWhereSinksStand().flatMap((part) => (part === this.#of ? super.events : part.with(this.#make).events));
  }

  override get first(): Position {
    return this.#of.first;
  }

  override get last(): Position {
    return this.#of.last;
  }

  override get isSettled(): boolean {
    return this.#of.isSettled;
  }

  override after(position: Position): this | undefined {
    const rest = this.#of.after(position);
    return rest === this.#of ? this : (rest?.with(this.#make) as this | undefined);
  }

  override hold(): void {
    this.#of.hold();
  }

  override release(): void {
    this.#of.release();
  }

  override mark(outcome: number): void {
    this.#of.mark(outcome);
  }
}

function sizeOf(part: WindowPart<unknown>): number {
  return 'origins' in part ? part.origins.length : part.to - part.from;
}

function originIn(part: WindowPart<unknown>, i: number): Origin {
  return 'origins' in part ? part.origins[i]! : new Origin(part.delivery, part.numbers[part.from + i]!);
}

function dataAt<T>(part: WindowPart<T>, i: number): T {
  return 'origins' in part ? part.data[i]! : part.make(part.delivery.records!.rawOf(part.numbers[part.from + i]!));
}

function eventIn<T>(part: WindowPart<T>, i: number): Event<T> {
  return new Event(dataAt(part, i), originIn(part, i));
}

function gather<T>(events: readonly Event<T>[]): Gathered<T> {
  const deliveries: Delivery[] = [];
  let sizeBytes = 0;
  for (const event of events) {
    sizeBytes += event.sizeBytes;
    // A shard's events come delivery by delivery, so looking at the last one finds each once.
    if (deliveries.at(-1) !== event.delivery) deliveries.push(event.delivery);
  }
  const part = { origins: events.map(({ origin }) => origin), data: events.map(({ data }) => data) };
  return { parts: [part], count: events.length, sizeBytes, deliveries };
}
