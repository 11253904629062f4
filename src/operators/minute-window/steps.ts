import type { Origin } from '../../event.ts';
import type { Delivery } from '../../delivery.ts';
import { type MakeData, WindowContents } from './contents.ts';
import { type ClosedBy, Window } from '../window.ts';

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
  contents: WindowContents<T>;
}

type Emit<T> = (window: Window<T>) => void;

/** What `minuteWindow` does with an event, a tick of the clock and an end, without a stream or a clock. */
export interface WindowSteps<T> {
  readonly seed: () => WindowState<T>;
  /** Takes an event, and holds its delivery once a window. */
  readonly add: (state: WindowState<T>, data: T, origin: Origin, emit: Emit<T>) => void;
  /** Takes an event that is a record of a delivery as it is. */
  readonly addRecord: (state: WindowState<T>, delivery: Delivery, index: number, make: MakeData<T>, emit: Emit<T>) => void;
  /** Closes what is due, and finds when the next is. */
  readonly tick: (state: WindowState<T>, nowMs: number, emit: Emit<T>) => void;
  /** Closes what is open of a shard that was read to its end. What still comes of it closes by the next tick. */
  readonly endShard: (state: WindowState<T>, shard: string, emit: Emit<T>) => void;
  /** Closes all that is open. */
  readonly closeAll: (state: WindowState<T>, closedBy: ClosedBy, emit: Emit<T>) => void;
  /** Whether no window is open. */
  readonly isEmpty: (state: WindowState<T>) => boolean;
}

/** Makes the steps of `minuteWindow`. A window given out is still held: release it once it was handed on. */
export function windowSteps<T>({ everyMs, graceMs, maxEvents, maxBytes }: WindowLimits): WindowSteps<T> {
  // A window that waits for its grace has got all that was read by then, so a poll of old minutes is not cut by the clock.
  const dueMs = ({ hasEnded, endMs, contents }: Lane<T>): number =>
    hasEnded ? Number.NEGATIVE_INFINITY : Math.max(endMs, contents.lastDelivery!.readAtMs) + graceMs;

  function close(lane: Lane<T>, closedBy: ClosedBy, emit: Emit<T>): void {
    const { shard, startMs, endMs, part, contents } = lane;
    // An interval that closed early goes on with its next part; of one that is over nothing may come any more.
    const isOver = closedBy === 'later-event' || closedBy === 'grace';
    lane.startMs = isOver ? endMs : startMs;
    lane.endMs = lane.startMs + everyMs;
    lane.part = isOver ? 0 : part + 1;
    lane.contents = new WindowContents();
    emit(new Window({ shard, startMs, endMs, part, closedBy }, contents));
  }

  function add(state: WindowState<T>, data: T, origin: Origin, emit: Emit<T>): void {
    const { delivery } = origin;
    const lane = delivery === state.delivery ? state.lane! : laneOf(state, delivery);
    // What operators made of one record stays together: its position must not be in two windows.
    const isTwin = lane.contents.endsWith(origin);
    const opens = makeRoom(lane, origin.arrivedAtMs, origin.sizeBytes, isTwin, emit);
    lane.contents.add(data, origin);
    if (opens) state.dueMs = Math.min(state.dueMs, dueMs(lane));
  }

  function addRecord(state: WindowState<T>, delivery: Delivery, index: number, make: MakeData<T>, emit: Emit<T>): void {
    const records = delivery.records!;
    const lane = delivery === state.delivery ? state.lane! : laneOf(state, delivery);
    const opens = makeRoom(lane, records.arrivedAtMsOf(index), records.sizeOf(index), false, emit);
    lane.contents.addRecord(delivery, index, make);
    if (opens) state.dueMs = Math.min(state.dueMs, dueMs(lane));
  }

  /** Closes the lane's window where the next event is not to go into it. Says whether that event opens one. */
  function makeRoom(lane: Lane<T>, arrivedAtMs: number, bytes: number, isTwin: boolean, emit: Emit<T>): boolean {
    const { count, sizeBytes } = lane.contents;
    if (count > 0) {
      if (arrivedAtMs >= lane.endMs) close(lane, 'later-event', emit);
      else if (!isTwin) {
        if (count >= maxEvents) close(lane, 'count', emit);
        else if (sizeBytes + bytes > maxBytes) close(lane, 'bytes', emit);
      }
    }
    if (arrivedAtMs >= lane.endMs) {
      lane.startMs = Math.floor(arrivedAtMs / everyMs) * everyMs;
      lane.endMs = lane.startMs + everyMs;
      lane.part = 0;
    }
    return lane.contents.count === 0;
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
        contents: new WindowContents(),
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
      if (lane.contents.count > 0 && dueMs(lane) <= nowMs) close(lane, lane.hasEnded ? 'shard-end' : 'grace', emit);
    for (const lane of state.lanes.values()) if (lane.contents.count > 0) state.dueMs = Math.min(state.dueMs, dueMs(lane));
  }

  function endShard(state: WindowState<T>, shard: string, emit: Emit<T>): void {
    const lane = state.lanes.get(shard);
    if (!lane) return;
    lane.hasEnded = true;
    if (lane.contents.count > 0) close(lane, 'shard-end', emit);
  }

  function closeAll(state: WindowState<T>, closedBy: ClosedBy, emit: Emit<T>): void {
    for (const lane of state.lanes.values()) if (lane.contents.count > 0) close(lane, closedBy, emit);
  }

  return {
    seed: () => ({ dueMs: Number.POSITIVE_INFINITY, lanes: new Map(), lane: undefined, delivery: undefined }),
    add,
    addRecord,
    tick,
    endShard,
    closeAll,
    isEmpty: ({ lanes }) => lanes.values().every(({ contents }) => contents.count === 0),
  };
}
