import type { Report } from '../diagnostic.ts';
import type { RejectReason } from '../event.ts';
import type { Position, Resume, Standing } from '../position.ts';
import type { Owner } from '../owner.ts';
import type { Command } from './commands.ts';
import type { Merged } from './commands/merge-commands.ts';

/** Where an event lies, and when it arrived. */
export interface Place {
  readonly position: Position;
  readonly arrivedAtMs: number;
}

/** A reject as a command store keeps it. */
export interface KeptReject extends Place {
  readonly why: RejectReason;
  /** The record's bytes as the source read them. */
  readonly raw: Uint8Array;
}

/** What one atomic call does. */
export interface Batch {
  /** The events whose commands these are, so that one of them can become a reject by the same call. */
  readonly events: readonly Place[];
  /** In the order of their events. */
  readonly commands: readonly Merged[];
  /** The commands of one event, as they were before they were merged. */
  readonly commandsOf?: (event: number) => readonly Command[];
  /** What is kept of an event whose command is refused, in a store that cannot keep it by the same call. */
  readonly rejectOf?: (event: number, why: Omit<RejectReason, 'step'>) => KeptReject;
  /** Kept by the same call. */
  readonly rejects?: readonly KeptReject[];
  /** Whether it belongs to the call before it: when that one has failed, it is not to take place either. @default false */
  readonly goesOn?: boolean;
  /** Of at least one shard. */
  readonly positions: ReadonlyMap<string, Resume>;
}

/** Events of which a command was refused; the other commands of the batch stand. */
export interface CommandFault extends Omit<RejectReason, 'step'> {
  /** By their place in the batch. */
  readonly events: readonly number[];
}

/** A store of commands, named by URL. A declaration: nothing runs before `open`. */
export interface CommandStore {
  /** Its URL without secrets. */
  readonly describe: string;
  /**
   * Asks whether it answers, and changes nothing. Says what it found.
   *
   * @throws {Error} when a run would fail, with what to do
   */
  check?(): Promise<string>;
  /** Says where a sink stands in all shards that it has taken over. Changes nothing. */
  stands?(owner: Owner): Promise<readonly Standing[]>;
  open(context: { readonly report: Report }): Promise<OpenCommandStore>;
}

/** Its calls come one at a time, but for `execute`. */
export interface OpenCommandStore {
  /** How many times `execute` may be under way at once; in what order calls are made they take place. */
  readonly callsAtOnce: number;
  /** Raises the shard's epoch to this run's own and says where the owner stands in it. */
  acquire(owner: Owner, shard: string): Promise<Resume | undefined>;
  /**
   * @throws {FencedError} when a newer run has acquired one of the shards
   * @throws {WentBackError} when the store has lost what it had acknowledged
   */
  positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>>;
  /**
   * Runs the commands and moves the positions in one atomic call that happens only while this run's epoch is the newest and each shard
   * stands where this run left it. Says which commands were refused; their events are rejects by then, but for their bytes.
   *
   * A call that failed may have run, or may still run until `positions` is asked and another one is made.
   *
   * @throws {FencedError} when a newer run has acquired one of the shards
   * @throws {WentBackError} when the store has lost what it had acknowledged
   */
  execute(owner: Owner, batch: Batch): Promise<readonly CommandFault[]>;
  /** Says which of these events are kept as rejects, and why: in their order, nothing for those that are none. */
  rejected(owner: Owner, events: readonly Place[]): Promise<readonly (RejectReason | undefined)[]>;
  /** Adds the bytes to rejects that have none. */
  keep(owner: Owner, rejects: readonly KeptReject[]): Promise<void>;
  close(): Promise<void>;
}
