import { type Event, type Item, type Position, comparePositions } from '../event.ts';
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

interface Gathered {
  readonly sizeBytes: number;
  readonly deliveries: readonly Delivery[];
}

/** The events of one shard in one half-open interval [start, end), closed, in order, never empty. */
export class Window<out T> implements Item {
  readonly events: readonly Event<T>[];
  readonly bounds: WindowBounds;
  readonly sizeBytes: number;
  readonly #deliveries: readonly Delivery[];

  /**
   * @param gathered the sum of the events' bytes and each of their deliveries once, when the caller has them already
   * @throws {RangeError} when there are no events.
   */
  constructor(bounds: WindowBounds, events: readonly Event<T>[], gathered: Gathered = gather(events)) {
    if (events.length === 0) throw new RangeError(`Window: expected at least one event of ${bounds.shard}, got none`);
    this.bounds = bounds;
    this.events = events;
    this.sizeBytes = gathered.sizeBytes;
    this.#deliveries = gathered.deliveries;
  }

  get shard(): string {
    return this.bounds.shard;
  }

  get first(): Position {
    return this.events[0]!.position;
  }

  get last(): Position {
    return this.events.at(-1)!.position;
  }

  get count(): number {
    return this.events.length;
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
    for (const event of this.events) event.mark(outcome);
  }
}

function gather(events: readonly Event<unknown>[]): Gathered {
  const deliveries: Delivery[] = [];
  let sizeBytes = 0;
  for (const event of events) {
    sizeBytes += event.sizeBytes;
    // A shard's events come delivery by delivery, so looking at the last one finds each once.
    if (deliveries.at(-1) !== event.delivery) deliveries.push(event.delivery);
  }
  return { sizeBytes, deliveries };
}
