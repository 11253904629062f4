export interface RoomOptions {
  /**
   * How many bytes may be in flight, records and their overhead, reservations included.
   *
   * @default 268_435_456 (256 MiB)
   */
  readonly maxInFlightBytes?: number;
}

/**
 * The flow control that RxJS has not: how many bytes are in flight, and who waits until more fit.
 *
 * A source reserves what it is about to read. When it waits, room comes by what the sinks are at; when they have nothing, what lingers is
 * hurried; when nothing lingers, the windows are closed.
 */
export class Room {
  readonly maxInFlightBytes: number;
  #inFlightBytes = 0;
  #reservedBytes = 0;
  #bytesAtSinks = 0;
  #bytesLingering = 0;
  #sinkRests = 0;
  /** Whether it is about to see who can make room. */
  #isRelieving = false;
  readonly #waiting: { bytes: number; shard: string | undefined; resolve: () => void }[] = [];
  readonly #fullListeners = new Set<() => void>();
  readonly #pressureListeners = new Set<() => void>();

  /** @throws {RangeError} when `maxInFlightBytes` is not above zero. */
  constructor({ maxInFlightBytes = 256 * 1024 * 1024 }: RoomOptions = {}) {
    if (!(maxInFlightBytes > 0)) throw new RangeError(`Room: expected maxInFlightBytes above 0, got ${maxInFlightBytes}`);
    this.maxInFlightBytes = maxInFlightBytes;
  }

  get inFlightBytes(): number {
    return this.#inFlightBytes;
  }

  /** True while a source waits for room. */
  get isFull(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether sinks have something to do. */
  get hasSomeAtSinks(): boolean {
    return this.#bytesAtSinks + this.#bytesLingering > 0;
  }

  /** How often the sinks had nothing left to do. */
  get sinkRests(): number {
    return this.#sinkRests;
  }

  /** Whether a shard's reader waits for room. */
  isWaitedForBy(shard: string): boolean {
    return this.#waiting.some((one) => one.shard === shard);
  }

  /**
   * Waits until this many bytes fit. What is more than the whole limit fits once nothing else is in flight.
   * First come, first served; give the bytes back with `Ledger.open` or `unreserve`.
   *
   * @param shard who waits, for `isWaitedForBy` to tell
   */
  async reserve(bytes: number, shard?: string): Promise<void> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((resolve) => {
        this.#waiting.push({ bytes, shard, resolve });
        this.relieve();
      });
    } else this.#reservedBytes += bytes;
  }

  unreserve(bytes: number): void {
    this.#reservedBytes -= bytes;
    this.#wake();
  }

  /** @internal A delivery is in flight. */
  take(bytes: number): void {
    this.#inFlightBytes += bytes;
  }

  /** @internal A delivery is settled. */
  giveBack(bytes: number): void {
    this.#inFlightBytes -= bytes;
    this.#wake();
  }

  /** Tells that sinks have taken on (or, negative, finished) this many bytes: as long as they have some, room will come. */
  atSinks(bytes: number): void {
    this.#bytesAtSinks += bytes;
    if (bytes <= 0) this.#noteRest();
  }

  /** Tells the same of what waits for company: it may go on waiting as long as the sinks have something else. */
  linger(bytes: number): void {
    this.#bytesLingering += bytes;
    if (bytes <= 0) this.#noteRest();
  }

  /** Calls `hurry` when a source waits for room and only what lingers can make it: who waits for company should go alone. */
  onFull(hurry: () => void): void {
    this.#fullListeners.add(hurry);
  }

  /** Calls `close` when a source waits for room and no sink has anything to make it with. Returns what ends that. */
  onPressure(close: () => void): () => void {
    this.#pressureListeners.add(close);
    return () => this.#pressureListeners.delete(close);
  }

  /** @internal Sees whether somebody has to make room for who waits. */
  relieve(): void {
    // What the sinks have makes room by itself, and so does a reservation once it is read. Only when neither will do has what lingers to go,
    // and only then have the windows to close.
    const next = this.#waiting[0];
    if (!next || this.#bytesAtSinks > 0 || this.#inFlightBytes + next.bytes <= this.maxInFlightBytes) return;
    const listeners = this.#bytesLingering > 0 ? this.#fullListeners : this.#pressureListeners;
    for (const makeRoom of listeners) makeRoom();
  }

  /** @internal The same a moment later: no window is to close between two events of one record. */
  relieveSoon(): void {
    if (this.#isRelieving || !this.isFull) return;
    this.#isRelieving = true;
    queueMicrotask(() => {
      this.#isRelieving = false;
      this.relieve();
    });
  }

  #fits(bytes: number): boolean {
    const taken = this.#inFlightBytes + this.#reservedBytes;
    return taken === 0 || taken + bytes <= this.maxInFlightBytes;
  }

  #wake(): void {
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const { bytes, resolve } = this.#waiting.shift()!;
      this.#reservedBytes += bytes;
      resolve();
    }
    this.relieve();
  }

  #noteRest(): void {
    if (!this.hasSomeAtSinks) this.#sinkRests++;
    this.relieve();
  }
}
