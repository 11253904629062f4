import type { Position } from '../position.ts';
import type { SourceRecord } from '../records.ts';

/** Which of the rejects that a store keeps. */
export interface RejectsOf {
  /** The pipeline that rejected them. */
  readonly pipeline: string;
  /** Their records arrived then or later, and before `until`. */
  readonly since: Date;
  readonly until: Date;
  /** Only those of this step or sink. @default all */
  readonly step?: string | undefined;
  /** Only those with this code. @default all */
  readonly code?: string | undefined;
}

/** A store that gives back the rejects which it keeps. A declaration: nothing runs before `openRejects`. */
export interface RejectSource {
  /** Its URL without secrets. */
  readonly describe: string;
  /** Asks whether it answers, and changes nothing. Says what it found. */
  check?(): Promise<string>;
  openRejects(): Promise<OpenRejects>;
}

/** Reads rejects, and changes nothing. */
export interface OpenRejects {
  /** Says of which shards there are some, and of how many records. */
  shards(of: RejectsOf): Promise<ReadonlyMap<string, number>>;
  /**
   * The next records of a shard, in order, each once, as their source read them: none when there are no more. Of many bytes, fewer than asked for.
   *
   * @param after the position behind which they lie; nothing for all
   * @param limit how many at most
   */
  records(of: RejectsOf, shard: string, after: Position | undefined, limit: number): Promise<readonly SourceRecord[]>;
  close(): Promise<void>;
}

/** How many bytes are read in one go, unless one record alone has more. */
export const MAX_PAGE_BYTES = 1024 * 1024;
