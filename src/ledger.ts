import type { Report } from './diagnostic.ts';
import type { Reject } from './event.ts';
import type { Position } from './position.ts';
import { Delivery, type DeliveryOptions } from './delivery.ts';
import { Keepers, type OldestKept } from './keepers.ts';
import { RejectLine } from './reject-line.ts';
import { Room, type RoomOptions } from './room.ts';
import { ShardInFlight } from './shard-in-flight.ts';
import { SinkStands } from './sink-stands.ts';

/** What became of a record, kept as one byte a record; the greater one wins. Between them lie the steps that drop. */
export const Outcome = { unnamed: 0, firstDrop: 1, lastDrop: 199, stored: 200, rejected: 201 } as const;

/** What a record costs in memory beside its bytes: its objects and its byte in the delivery. */
export const RECORD_OVERHEAD_BYTES = 512;

/** Where records were dropped that no step of ours dropped: a plain `filter`, say. */
export const UNNAMED_DROP = 'filter';

/** What of one shard is in flight. */
export interface InFlight {
  readonly count: number;
  /** Their bytes, without overhead. */
  readonly sizeBytes: number;
  /** When each delivery that is not settled was read, the oldest first. */
  readonly readAtMs: readonly number[];
  /** Whether its reader waits for room. */
  readonly waitsForRoom: boolean;
}

export interface LedgerOptions extends RoomOptions {
  /** Takes what operators have to tell; the run's own. @default tells nobody */
  readonly report?: Report;
  /**
   * Whether rejects wait until all events of their record were emitted, a microtask: they have one position, and must not be parted by
   * a commit, where one is rejected at once and another one, which a step keeps, later. @default false
   */
  readonly rejectsWaitForRecords?: boolean;
  /** Whether nobody looks at a record any more once it is settled: its memory is given back then. @default false */
  readonly freesRecords?: boolean;
}

/** At every moment: read = stored + all dropped + rejected + in flight. */
export interface Counts {
  readonly read: number;
  readonly stored: number;
  /** By the step that dropped them; `filter` for steps that have no name. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly rejected: number;
  readonly inFlight: number;
}

/** Makes state durable: at once, or when what it returns is a promise and resolves. */
type Flush = () => unknown;

/**
 * Knows which deliveries are in flight; gives sources their flow control and each shard its checkpoint.
 *
 * Sources call `room.reserve` and `open`; whoever keeps an event holds its delivery; what is left when nobody holds is settled.
 */
export class Ledger {
  readonly room: Room;
  /** Where the sinks stood when the reading of each shard began. */
  readonly sinkStands = new SinkStands();
  /** For operators, which know no run: `event.delivery.ledger.report`. The run at work puts its own here, which does not throw. */
  report: Report;
  /** Ends the run, whatever a step makes of an error: it may answer one, and go on. The run at work puts its own here. */
  fail: (error: unknown) => void = () => {};
  /** Whether nobody looks at a record any more once it is settled. */
  readonly freesRecords: boolean;
  #read = 0;
  #inFlight = 0;
  readonly #settledBy: number[] = Array.from({ length: 256 }, () => 0);
  readonly #dropNames: string[] = [UNNAMED_DROP];
  readonly #shards = new Map<string, ShardInFlight>();
  /** Those of them that were not seen to be over. */
  readonly #unfinished = new Map<string, ShardInFlight>();
  readonly #endListeners = new Set<(shard: string) => void>();
  readonly #journals = new Set<Flush>();
  readonly #keepers = new Keepers();
  #keepsMs = 0;
  readonly #rejects: RejectLine;

  /** @throws {RangeError} when `maxInFlightBytes` is not above zero. */
  constructor(options: LedgerOptions = {}) {
    const { report = () => {}, freesRecords = false, ...others } = options;
    const { rejectsWaitForRecords = false, ...room } = others;
    this.room = new Room(room);
    this.report = report;
    this.freesRecords = freesRecords;
    this.#rejects = new RejectLine(this.#keepers, { waitsForRecords: rejectsWaitForRecords });
  }

  /** Costs a look at each delivery in flight: not for the hot path. */
  inFlight(shard: string): InFlight {
    const deliveries = this.#shards.get(shard)?.unsettled ?? [];
    return {
      count: deliveries.reduce((sum, { count }) => sum + count, 0),
      sizeBytes: deliveries.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      readAtMs: deliveries.map(({ readAtMs }) => readAtMs),
      waitsForRoom: this.room.isWaitedForBy(shard),
    };
  }

  counts(): Counts {
    const by = this.#settledBy;
    const dropped: Record<string, number> = {};
    this.#dropNames.forEach((name, code) => (dropped[name] = by[code]!));
    return { read: this.#read, stored: by[Outcome.stored]!, dropped, rejected: by[Outcome.rejected]!, inFlight: this.#inFlight };
  }

  /** Up to where everything in a shard is settled; nothing before its first delivery is. */
  checkpoint(shard: string): Position | undefined {
    return this.#shards.get(shard)?.checkpoint;
  }

  /** Tells that a shard is to be read, before the first event of any shard that is known with it. */
  expect(shard: string): void {
    this.#shard(shard);
  }

  /** The shards that were read or are to be read, but for those of which nothing more can come: a stream may have had a hundred thousand. */
  *unfinished(): Iterable<string> {
    for (const [name, { hasEnded, isSettled }] of this.#unfinished)
      if (hasEnded && isSettled) this.#unfinished.delete(name);
      else yield name;
  }

  /** Each shard's checkpoint. */
  checkpoints(): Position[] {
    return [...this.#shards.values()].flatMap(({ checkpoint }) => checkpoint ?? []);
  }

  /** Takes in what was read. The delivery is held once; the source releases it after it emitted its events. */
  open(options: DeliveryOptions): Delivery {
    const { shard, count, reservedBytes = 0 } = options;
    const delivery = new Delivery(this, options);
    this.#read += count;
    this.#inFlight += count;
    this.room.take(takenBy(delivery));
    this.#shard(shard).push(delivery);
    if (reservedBytes > 0) this.room.unreserve(reservedBytes);
    return delivery;
  }

  /** The outcome that stands for records which the step of this name dropped. */
  dropCode(step: string): number {
    const known = this.#dropNames.indexOf(step);
    if (known >= 0) return known;
    if (this.#dropNames.length > Outcome.lastDrop)
      throw new RangeError(`Ledger: more than ${Outcome.lastDrop} steps drop events`);
    return this.#dropNames.push(step) - 1;
  }

  /** Keeps a reject, held, until somebody takes it, and no step keeps an event of its shard that came before it. */
  reject(reject: Reject): void {
    this.#rejects.add(reject);
  }

  /** Hands every reject, kept ones first, to the one who stores it, marks it and releases it. In each shard they come in order. */
  onReject(take: (reject: Reject) => void): void {
    this.#rejects.onReject(take);
  }

  /**
   * Registers a step that hands events on later than they come, in order. It stays registered when it fails: what it keeps then is read again,
   * and nothing behind it may be stored, be it as a reject. Returns what ends that, for a step that has ended and keeps nothing.
   *
   * @param oldest the position of the first event of a shard that it keeps and is not handing on right now; it calls `passRejects` when
   * that has changed
   * @param isLast whether no step behind it may reject: then rejects need not wait for what it keeps
   * @param keepsMs how long it may keep an event with nothing amiss, in milliseconds
   */
  onKept(oldest: OldestKept, { isLast = false, keepsMs = 0 } = {}): () => void {
    this.#keepsMs = Math.max(this.#keepsMs, keepsMs);
    return this.#keepers.add(oldest, { isLast });
  }

  /** The longest that a step which keeps events may keep one, as far as they told, in milliseconds. */
  get keepsMs(): number {
    return this.#keepsMs;
  }

  /** The first event of a shard that a step keeps. */
  kept(shard: string): Position | undefined {
    return this.#keepers.first(shard);
  }

  /** Hands on a shard's rejects before which nothing is kept. */
  passRejects(shard: string): void {
    this.#rejects.pass(shard);
  }

  /** Tells that a shard was read to its end: nobody need wait for more of it. */
  endShard(shard: string): void {
    this.#shard(shard).hasEnded = true;
    for (const close of this.#endListeners) close(shard);
  }

  /** True once a shard was read to its end; some of it may be in flight still. */
  hasEnded(shard: string): boolean {
    return this.#shards.get(shard)?.hasEnded ?? false;
  }

  /** Calls `close` with each shard that was read to its end, in the order in which the listeners came. Returns what ends that. */
  onShardEnd(close: (shard: string) => void): () => void {
    this.#endListeners.add(close);
    return () => this.#endListeners.delete(close);
  }

  /** True when nothing of a shard is in flight. */
  isSettled(shard: string): boolean {
    return this.#shards.get(shard)?.isSettled ?? true;
  }

  /** Resolves once nothing of a shard is in flight; at once when nothing is. */
  async whenSettled(shard: string): Promise<void> {
    const queue = this.#shard(shard);
    if (!queue.isSettled) await new Promise<void>((resolve) => queue.waiting.push(resolve));
  }

  /** Tells that at a time, of the scheduler's clock, a shard had nothing more to read than what was opened. */
  caughtUp(shard: string, atMs: number): void {
    const queue = this.#shard(shard);
    queue.quietSinceMs ??= atMs;
    queue.caughtUpAtMs = atMs;
  }

  /** When a shard last had nothing more to read. */
  caughtUpAtMs(shard: string): number | undefined {
    return this.#shards.get(shard)?.caughtUpAtMs;
  }

  /** The shards of which all is settled that had come until a time, and since when no more has come. */
  *quiet(): Iterable<{ readonly shard: string; readonly sinceMs: number; readonly untilMs: number }> {
    for (const [shard, { caughtUpAtMs, quietSinceMs, isSettled }] of this.#shards)
      if (isSettled && caughtUpAtMs !== undefined) yield { shard, sinceMs: quietSinceMs ?? caughtUpAtMs, untilMs: caughtUpAtMs };
  }

  /** Registers state that has to be durable before a sink commits a position that covers it. Returns what ends that. */
  onBeforeCommit(flush: Flush): () => void {
    this.#journals.add(flush);
    return () => this.#journals.delete(flush);
  }

  /** Makes all registered state durable. */
  async flushState(): Promise<void> {
    for (const flush of this.#journals) await flush();
  }

  /** @internal */
  settle(delivery: Delivery, outcomes: Uint8Array): void {
    for (let i = 0; i < outcomes.length; i++) this.#settledBy[outcomes[i]!]!++;
    this.#inFlight -= delivery.count;
    this.#shards.get(delivery.shard)!.shift();
    this.room.giveBack(takenBy(delivery));
  }

  #shard(name: string): ShardInFlight {
    let shard = this.#shards.get(name);
    if (shard) return shard;
    this.#shards.set(name, (shard = new ShardInFlight()));
    this.#unfinished.set(name, shard);
    return shard;
  }
}

/** What a delivery takes of the room. */
function takenBy({ count, sizeBytes }: Delivery): number {
  return sizeBytes + count * RECORD_OVERHEAD_BYTES;
}
