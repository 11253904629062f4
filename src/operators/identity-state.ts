/** Where `dedupe` keeps what it has seen over a restart. A declaration: nothing runs before `prepare` or `open`. The one there is: `identityLog`. */
export interface IdentityState {
  /** Its URL without secrets. */
  readonly describe: string;
  /**
   * For `--check`: asks whether a run could open it, and changes nothing. Says what it would find or make.
   *
   * @throws {Error} when it could not
   */
  check?(): Promise<string>;
  /**
   * Of a state behind a network: connects, takes it over and reads it. A run calls it once its sinks are open and its source takes its first shard over, and before `open`.
   *
   * @returns what lets go of it; the run calls that once its sinks are closed, whether it was opened or not
   */
  prepare?(pipeline: string): Promise<() => Promise<void>>;
  /** Opens it, and makes it when it is absent. */
  open(): OpenIdentityState;
}

export interface OpenIdentityState {
  /**
   * Hands over the blocks that were appended and not forgotten, oldest first; before them tells how many sights they have.
   * Call it once, first of all. Tells how long it took.
   */
  load(take: (sights: Uint32Array) => void, expect?: (count: number) => void): { readonly ms: number };
  /**
   * Keeps a block, all or nothing, and may forget others. Durable when it returns; of a state that has `flush`, once that says so. The block's
   * words are only its own during the call.
   */
  append(block: SightBlock, forget: ForgetLimits): void;
  /**
   * Resolves when all that was appended is durable; nothing when it is so already. When it fails, nothing was lost: the next call tries again. It
   * may be called once it is closed.
   */
  flush?(): Promise<void> | undefined;
  close(): void;
}

/** Sights in the order they came. */
export interface SightBlock {
  /** Their words, one sight after the other. */
  readonly sights: Uint32Array;
  /** How many there are. */
  readonly count: number;
  /** When the newest of them arrived, in milliseconds since 1970. */
  readonly newestMs: number;
}

/** What is of no use any more: from the oldest block on, those that fall under one of the two. */
export interface ForgetLimits {
  /** Blocks that arrived before this time, in milliseconds since 1970. */
  readonly beforeMs: number | undefined;
  /** Blocks with at least this many newer sights behind them. */
  readonly capacity: number;
}
