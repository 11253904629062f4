import type { Counts } from './ledger.ts';
import type { RejectReason } from './event.ts';
import type { Position, Resume } from './position.ts';

/** All that a run tells about itself: one closed union feeds logs, metrics and tests. */
export type Diagnostic =
  /** A sink knows the shard, so reading of it does not begin where the run was told to. At SHARD_END nothing of it is read. */
  | { readonly type: 'shard-known'; readonly shard: string; readonly resume: Resume }
  | { readonly type: 'shard-started'; readonly shard: string; readonly resume: Resume }
  | { readonly type: 'shard-ended'; readonly shard: string }
  /** What a shard may have had behind where the sinks stand is past retention, as far as times are known. */
  | {
      readonly type: 'gap';
      readonly shard: string;
      readonly resume: Resume;
      readonly fromMs?: number | undefined;
      readonly untilMs?: number | undefined;
      /** False when it ends the run. */
      readonly isAccepted: boolean;
    }
  | { readonly type: 'shard-lag'; readonly shard: string; readonly behindMs: number; readonly readAtMs: number }
  | {
      readonly type: 'shard-health';
      readonly shard: string;
      /** How far reading is behind the newest record, and when it was last answered; nothing before the first answer. */
      readonly behindMs: number | undefined;
      readonly readAtMs: number | undefined;
      /** When the checkpoint last moved, as far as was looked. */
      readonly settledAtMs: number | undefined;
      /** Records in flight, and their bytes. */
      readonly inFlight: number;
      readonly sizeBytes: number;
      readonly waitsForRoom: boolean;
      /** For how long it has made no progress, and what it is doing; nothing before that is a quarter of `stalledAfter`. */
      readonly quiet: { readonly forMs: number; readonly doing: string } | undefined;
    }
  | { readonly type: 'shard-quiet'; readonly shard: string; readonly forMs: number; readonly doing: string }
  | {
      readonly type: 'source-retry';
      readonly shard: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: unknown;
    }
  | {
      readonly type: 'committed';
      readonly sink: string;
      readonly count: number;
      readonly sizeBytes: number;
      readonly ms: number;
      readonly positions: ReadonlyMap<string, Resume>;
    }
  | {
      readonly type: 'sink-retry';
      readonly sink: string;
      readonly attempt: number;
      readonly delayMs: number;
      readonly error: unknown;
    }
  /** A store has lost what it had acknowledged; a new run begins where it stands. The counts are those of the run that ended by it. */
  | { readonly type: 'went-back'; readonly error: Error; readonly counts: Counts }
  | { readonly type: 'lookup-retry'; readonly attempt: number; readonly delayMs: number; readonly error: unknown }
  | { readonly type: 'sink-joined'; readonly sink: string; readonly shard: string; readonly resume: Resume }
  | { readonly type: 'rejected'; readonly position: Position; readonly why: RejectReason }
  | {
      readonly type: 'identities-loaded';
      readonly step: string;
      readonly count: number;
      readonly ms: number;
      readonly state: string;
    }
  | { readonly type: 'identities-forgotten'; readonly step: string; readonly count: number; readonly capacity: number }
  | { readonly type: 'no-conditional-writes'; readonly store: string }
  /** A store keeps rejects for a time, and by its policy may throw them away before that is over, to make room. */
  | { readonly type: 'may-evict-rejects'; readonly store: string; readonly policy: string }
  /** What an archive has in a range of time, before any of it is read. */
  | {
      readonly type: 'archive-found';
      readonly where: string;
      readonly range: string;
      readonly objects: number;
      readonly shards: number;
    }
  /** What a store has of rejects in a range of time, before any of it is read. */
  | {
      readonly type: 'rejects-found';
      readonly where: string;
      readonly range: string;
      readonly records: number;
      readonly shards: number;
    }
  /** What files of lines there are, before any of them is read. */
  | { readonly type: 'files-found'; readonly where: string; readonly files: number; readonly sizeBytes: number }
  /** A text of several files ends inside a line, which is left to a run that finds the rest of it. */
  | { readonly type: 'line-open'; readonly shard: string; readonly sizeBytes: number }
  /**
   * What an earlier run had read of a stream and may not have stored is read again, from files. `cutBytes` are of the last lines, which were not written to
   * their end when it was killed: no step has seen them.
   */
  | {
      readonly type: 'spool-read';
      readonly shard: string;
      readonly where: string;
      readonly sizeBytes: number;
      readonly cutBytes: number;
    }
  /**
   * Of a shard in a range so much lies at or before where the sinks stand; `what` is what was counted, in the singular. When that is not all,
   * the rest was read.
   */
  | {
      readonly type: 'read-before';
      readonly shard: string;
      readonly count: number;
      readonly what: 'object' | 'record';
      readonly isAll: boolean;
    }
  /** A table has no index by which to find the rows that are there already: each load reads all of it. */
  | { readonly type: 'no-index'; readonly store: string; readonly table: string; readonly column: string }
  /** A table, or a partition of it, that the server empties when it crashes, while where the pipeline stands stays: what it had is not read again. */
  | { readonly type: 'unlogged'; readonly store: string; readonly table: string }
  /** A table was not there, though its sink has loaded all up to where it stands: that is in a table of another name, or gone. Told of one shard. */
  | {
      readonly type: 'table-anew';
      readonly sink: string;
      readonly table: string;
      readonly shard: string;
      readonly resume: Resume;
    }
  /** What came of a sink that leaves out what its table has, at its end: how many rows it stored, and how many were there. */
  | { readonly type: 'left-out'; readonly sink: string; readonly stored: number; readonly leftOut: number }
  /** Objects of an archive that lost their metadata: when their windows began is known to the minute only, how many lines they had is not. */
  | { readonly type: 'no-metadata'; readonly shard: string; readonly objects: number; readonly key: string }
  | { readonly type: 'stopping'; readonly why: string };

/** Takes a diagnostic; must not throw. */
export type Report = (diagnostic: Diagnostic) => void;
