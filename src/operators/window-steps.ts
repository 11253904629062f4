import type { Origin } from '../event.ts';
import type { Delivery } from '../delivery.ts';
import { type ClosedBy, Window } from './window.ts';

export interface WindowLimits {
  /** The length of an interval; each begins at a multiple of it since 1970. */
  readonly everyMs: number;
  /** How long after its end a window waits for events that were on their way. */
  readonly graceMs: number;
  readonly maxEvents: number;
  /** Of the records' bytes at the source. */
  readonly maxBytes: number;
}

/** The open windows of one subscription. */
interface WindowState<T> {
  /** No open window closes by the clock before this; infinite when none is open. */
  dueMs: number;
  /** In the order of the shards' first events. */
  readonly lanes: Map<string, Lane<T>>;
  /** Of the event before: as long as the delivery stays, so does the shard. */
  lane: Lane<T> | undefined;
  delivery: Delivery | undefined;
}

/** One shard's window, and where its next one may begin. */
interface Lane<T> {
  readonly shard: string;
  /** Nothing more is read of it; what a step before this one kept may still come. */
  hasEnded: boolean;
  startMs: number;
  endMs: number;
  part: number;
  origins: Origin[];
  data: T[];
  deliveries: Delivery[];
  sizeBytes: number;
  delivery: Delivery | undefined;
  origin: Origin | undefined;
}

type Emit<T> = (window: Window<T>) => void;

/** What `minuteWindow` does with an event, a tick of the clock and an end, without a stream or a clock. */
export interface WindowSteps<T> {
  readonly seed: () => WindowState<T>;
  /** Takes an event, and holds its delivery once a window. */
  readonly add: (state: WindowState<T>, data: T, origin: Origin, emit: Emit<T>) => void;
  /** Closes what is due, and finds when the next is. */
  readonly tick: (state: WindowState<T>, nowMs: number, emit: Emit<T>) => void;
  /** Closes what is open of a shard that was read to its end. What still comes of it closes by the next tick. */
  readonly endShard: (state: WindowState<T>, shard: string, emit: Emit<T>) => void;
  /** Closes all that is open. */
  readonly closeAll: (state: WindowState<T>, closedBy: ClosedBy, emit: Emit<T>) => void;
}

/** Makes the steps of `minuteWindow`. A window given out is still held: release it once it was handed on. */
export function windowSteps<T>({ everyMs, graceMs, maxEvents, maxBytes }: WindowLimits): WindowSteps<T> {
  // A window that waits for its grace has got all that was read by then, so a poll of old minutes is not cut by the clock.
  const dueMs = (lane: Lane<T>): number =>
    lane.hasEnded ? Number.NEGATIVE_INFINITY : Math.max(lane.endMs, lane.delivery!.readAtMs) + graceMs;

  function close(lane: Lane<T>, closedBy: ClosedBy, emit: Emit<T>): void {
    const { shard, startMs, endMs, part, origins, data, sizeBytes, deliveries } = lane;
    // An interval that closed early goes on with its next part; of one that is over nothing may come any more.
    const isOver = closedBy === 'later-event' || closedBy === 'grace';
    lane.startMs = isOver ? endMs : startMs;
    lane.endMs = lane.startMs + everyMs;
    lane.part = isOver ? 0 : part + 1;
    lane.origins = [];
    lane.data = [];
    lane.deliveries = [];
    lane.sizeBytes = 0;
    lane.delivery = lane.origin = undefined;
    emit(new Window({ shard, startMs, endMs, part, closedBy }, { origins, data, sizeBytes, deliveries }));
  }

  function add(state: WindowState<T>, data: T, origin: Origin, emit: Emit<T>): void {
    const { delivery, arrivedAtMs } = origin;
    const lane = delivery === state.delivery ? state.lane! : laneOf(state, delivery);
    const bytes = origin.raw.length;
    if (lane.data.length > 0) {
      if (arrivedAtMs >= lane.endMs) close(lane, 'later-event', emit);
      // What operators made of one record stays together: its position must not be in two windows.
      else if (origin !== lane.origin) {
        if (lane.data.length >= maxEvents) close(lane, 'count', emit);
        else if (lane.sizeBytes + bytes > maxBytes) close(lane, 'bytes', emit);
      }
    }
    if (arrivedAtMs >= lane.endMs) {
      lane.startMs = Math.floor(arrivedAtMs / everyMs) * everyMs;
      lane.endMs = lane.startMs + everyMs;
      lane.part = 0;
    }
    const opens = lane.data.length === 0;
    lane.data.push(data);
    lane.origins.push(origin);
    lane.sizeBytes += bytes;
    lane.origin = origin;
    if (delivery !== lane.delivery) {
      delivery.hold();
      lane.deliveries.push(delivery);
      lane.delivery = delivery;
    }
    if (opens) state.dueMs = Math.min(state.dueMs, dueMs(lane));
  }

  function laneOf(state: WindowState<T>, delivery: Delivery): Lane<T> {
    const { shard } = delivery;
    let lane = state.lanes.get(shard);
    if (!lane) {
      lane = {
        shard,
        hasEnded: delivery.ledger.hasEnded(shard),
        startMs: Number.NEGATIVE_INFINITY,
        endMs: Number.NEGATIVE_INFINITY,
        part: 0,
        origins: [],
        data: [],
        deliveries: [],
        sizeBytes: 0,
        delivery: undefined,
        origin: undefined,
      };
      state.lanes.set(shard, lane);
    }
    state.delivery = delivery;
    state.lane = lane;
    return lane;
  }

  function tick(state: WindowState<T>, nowMs: number, emit: Emit<T>): void {
    state.dueMs = Number.POSITIVE_INFINITY;
    for (const lane of state.lanes.values())
      if (lane.data.length > 0 && dueMs(lane) <= nowMs) close(lane, lane.hasEnded ? 'shard-end' : 'grace', emit);
    for (const lane of state.lanes.values()) if (lane.data.length > 0) state.dueMs = Math.min(state.dueMs, dueMs(lane));
  }

  function endShard(state: WindowState<T>, shard: string, emit: Emit<T>): void {
    const lane = state.lanes.get(shard);
    if (!lane) return;
    lane.hasEnded = true;
    if (lane.data.length > 0) close(lane, 'shard-end', emit);
  }

  function closeAll(state: WindowState<T>, closedBy: ClosedBy, emit: Emit<T>): void {
    for (const lane of state.lanes.values()) if (lane.data.length > 0) close(lane, closedBy, emit);
  }

  return {
    seed: () => ({ dueMs: Number.POSITIVE_INFINITY, lanes: new Map(), lane: undefined, delivery: undefined }),
    add,
    tick,
    endShard,
    closeAll,
  };
}
