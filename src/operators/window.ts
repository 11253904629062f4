import { Event, type Item, type Origin, type Position, comparePositions } from '../event.ts';
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

/** The events of a window in columns, the sum of their bytes, and each of their deliveries once. */
export interface Gathered<out T> {
  readonly origins: readonly Origin[];
  readonly data: readonly T[];
  readonly sizeBytes: number;
  readonly deliveries: readonly Delivery[];
}

/** The events of one shard in one half-open interval [start, end), closed, in order, never empty. */
export class Window<out T> implements Item {
  readonly bounds: WindowBounds;
  /** What its events hold, in order. */
  readonly data: readonly T[];
  readonly sizeBytes: number;
  readonly #origins: readonly Origin[];
  readonly #deliveries: readonly Delivery[];

  /** @throws {RangeError} when there are no events */
  constructor(bounds: WindowBounds, events: readonly Event<T>[] | Gathered<T>) {
    const { origins, data, sizeBytes, deliveries } = 'origins' in events ? events : gather(events);
    if (data.length === 0) throw new RangeError(`Window: expected at least one event of ${bounds.shard}, got none`);
    this.bounds = bounds;
    this.data = data;
    this.sizeBytes = sizeBytes;
    this.#origins = origins;
    this.#deliveries = deliveries;
  }

  /** Its events, made anew each time they are asked for. */
  get events(): readonly Event<T>[] {
    return this.data.map((data, i) => new Event(data, this.#origins[i]!));
  }

  /** One of its events, by its place from 0. */
  eventAt(i: number): Event<T> {
    return new Event(this.data[i]!, this.#origins[i]!);
  }

  get shard(): string {
    return this.bounds.shard;
  }

  get first(): Position {
    return this.#origins[0]!.position;
  }

  get last(): Position {
    return this.#origins.at(-1)!.position;
  }

  get count(): number {
    return this.data.length;
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

  hold(): void {
    for (const delivery of this.#deliveries) delivery.hold();
  }

  release(): void {
    for (const delivery of this.#deliveries) delivery.release();
  }

  mark(outcome: number): void {
    for (const { delivery, index } of this.#origins) delivery.mark(index, outcome);
  }
}

function gather<T>(events: readonly Event<T>[]): Gathered<T> {
  const deliveries: Delivery[] = [];
  let sizeBytes = 0;
  for (const event of events) {
    sizeBytes += event.sizeBytes;
    // A shard's events come delivery by delivery, so looking at the last one finds each once.
    if (deliveries.at(-1) !== event.delivery) deliveries.push(event.delivery);
  }
  return { origins: events.map(({ origin }) => origin), data: events.map(({ data }) => data), sizeBytes, deliveries };
}
