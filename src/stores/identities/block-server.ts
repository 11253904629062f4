/** A block on its way to a server, or back from it. */
export interface SentBlock {
  readonly id: number;
  /** When the newest of its sights arrived, in milliseconds since 1970. */
  readonly newestMs: number;
  /** The words of its sights, as they lie in memory. */
  readonly bytes: Uint8Array;
}

/** Where a log stands on its server. */
export interface LogState {
  /** The number of the run that owns it; 0 when there is no log. */
  readonly epoch: number;
  /** The blocks it has: none when the first is beyond the last. */
  readonly first: number;
  readonly last: number;
}

/** A server that keeps logs of what `dedupe` has seen. A declaration: nothing runs before it is asked. */
export interface IdentityServer {
  /** Its URL without secrets. */
  readonly describe: string;
  /** Asks whether a run could keep a log there, and changes nothing. @throws {Error} when it could not */
  checkIdentities(): Promise<string>;
  openIdentities(log: string): Promise<BlockServer>;
}

/** One log on a server. The contract: `test/stores/identities.conformance.ts`. */
export interface BlockServer {
  /** Where the log stands. Makes what it needs on the server when that is absent. */
  stands(): Promise<LogState>;
  /**
   * Raises the log's epoch, so that no earlier run can append any more; makes the log when it is absent. Does nothing when its epoch is not `seen`: a
   * call that comes late, when another one has been made in its place, would fence its own run.
   *
   * @returns where the log stands then, or nothing
   */
  takeOver(seen: number): Promise<LogState | undefined>;
  /** The blocks of these ids, both included, in order; those that are missing are left out. */
  read(first: number, last: number): Promise<readonly SentBlock[]>;
  /**
   * Appends a block while this epoch owns the log and the block before is its last one, and forgets those before `firstId`; changes nothing otherwise.
   * All of it or nothing, and durable when it resolves.
   *
   * @returns where the log stands then
   */
  append(epoch: number, block: SentBlock, firstId: number): Promise<LogState>;
  close(): Promise<void>;
}
