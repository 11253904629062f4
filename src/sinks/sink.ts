import type { Report } from '../diagnostic.ts';
import type { Event, Item, RejectReason } from '../event.ts';
import type { Resume, Standing } from '../position.ts';

export interface SinkContext {
  readonly pipeline: string;
  readonly report: Report;
}

/** Items of any number of shards, in order within each, with the position of each shard once they are stored. */
export interface Batch<out T> {
  readonly items: readonly T[];
  /** By shard. May name shards without items: their position moves on because the rest was dropped. */
  readonly positions: ReadonlyMap<string, Resume>;
}

/** An event that the store refused; the sink has stored it as a reject, in the same transaction. */
export interface Refusal {
  readonly event: Event<unknown>;
  readonly why: RejectReason;
}

/**
 * Where items go. A declaration: nothing runs before `open`.
 *
 * The contract is proven by `sinkConformance` of millrace/testing.
 */
export interface Sink<in T extends Item> {
  /** Unique within its pipeline; part of the key of its positions. */
  readonly name: string;
  /** One line for the graph and `--check`: what is stored where, without secrets. */
  readonly describe: string;
  /**
   * For `--check`: asks the store whether it answers, and changes nothing there. Says what a run would find, and what it would make;
   * rejects when a run would fail, with what to do. A sink without it is reported as not checked.
   */
  check?(pipeline: string): Promise<string>;
  /**
   * Says where it stands in all shards that its store knows it to have, by its store's word, and changes nothing: for `--positions`, and for a run that
   * looks for shards which came and went while nobody read.
   */
  stands?(pipeline: string): Promise<readonly Standing[]>;
  /**
   * Whether neither it nor a function that it is given looks at an item any more once its commit has resolved: then sources may give back the memory of
   * their records at once. @default false
   */
  readonly keepsNothing?: boolean;
  /** Connects, and makes what is missing (tables, folders). Rejects when the store does not answer. */
  open(context: SinkContext): Promise<OpenSink<T>>;
}

/** A sink at work. The run calls one method at a time, and repeats a `commit` that failed for a passing reason. */
export interface OpenSink<in T extends Item> {
  /** Takes a shard over: from now on the store refuses every older owner. Says where the sink stands in it. */
  acquire(shard: string): Promise<Resume | undefined>;
  /**
   * Where the sink stands in shards it acquired, by the store's own word. Asked when a commit has failed, and of a sink of rejects before
   * others pass them.
   *
   * @throws {FencedError} when a newer run has taken one of them over
   */
  positions(shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>>;
  /**
   * Stores the items and moves the positions, all or nothing for each shard, durable when it resolves.
   * A commit that fails may or may not have taken place; the run asks `positions` and repeats what is missing.
   * Events that the store refuses are added to `refused`, the same list in each try, and stored as rejects; they are no failure.
   * An error with `isTransient: true`, or one that pg, the AWS SDK, Redis or the network have for what passes, is tried again until the
   * sink has got no further for five minutes (`retry`); any other ends the run.
   *
   * @throws {FencedError} when a newer run has taken one of the shards over
   */
  commit(batch: Batch<T>, refused: Refusal[]): Promise<void>;
  close(): Promise<void>;
}
