import type { Readable } from 'node:stream';
import { checkCounts } from '../check-counts.ts';
import type { ObjectStore } from '../stores/object-store.ts';
import { fromFiles } from './lines/files-source.ts';
import { fromInput } from './lines/input-source.ts';
import type { Source } from './source.ts';

/** What both ways to read lines have in common. */
interface EveryLinesOptions {
  /**
   * What an event is: a `line`, without its newline; or a line of the one `text` of its shard, newline and all, of which `stripCheckpoints` makes
   * records.
   *
   * @default 'line'
   */
  readonly of?: 'line' | 'text';
  /**
   * Reads from a line when it arrived, always the same; one of which it says nothing, or an invalid date, arrived with the line before. None arrived
   * later than its file was last written to, or than it is read.
   *
   * @default when its file was made, or last written to if that was before; when it is read
   */
  readonly arrivedAt?: (line: Uint8Array) => Date | undefined;
  /**
   * The most lines of one delivery.
   *
   * @default 1_000
   */
  readonly maxLines?: number;
}

/** Lines that lie in files. */
export interface FilesOptions extends EveryLinesOptions {
  /** Paths, or patterns such as `logs/good.*.log`; what gzip or zstd has packed is unpacked. In a store, keys, packed where they end in `.gz` or `.zst`. */
  readonly files: string | readonly string[];
  /**
   * Where they are, a bucket of S3, say: `objectStoreFrom('s3://shop-events/enriched')`.
   *
   * @default this machine
   */
  readonly store?: ObjectStore | undefined;
  /**
   * Whether the files of a folder are one text, in the order of their names, that was cut anywhere: a line goes on in the next file. What has no
   * newline yet at the end of the last one is left to a later run (`line-open`); of other files it is read
   * as it is.
   *
   * @default false
   */
  readonly rotated?: boolean;
}

/** Lines that come in on a stream. */
export interface InputOptions extends EveryLinesOptions {
  /** `process.stdin`, say. */
  readonly input: Readable;
  /** The name of its shard. @default 'stdin' */
  readonly name?: string;
  /**
   * A folder in which lines lie until they are stored: `./data/spool`, and in it one for each pipeline and name. A run that comes after one that was killed
   * reads them first.
   *
   * @default what a killed run had read and not stored is lost
   */
  readonly spool?: string | undefined;
}

export type LinesOptions = FilesOptions | InputOptions;

/**
 * Reads lines from files, or as they come in on a stream, then completes: where there is no Kinesis, or what it had is in files.
 *
 *     lines({ files: 'enriched/*.tsv.gz' })
 *     lines({ files: 'logs/good.*.log', rotated: true, of: 'text' })
 *     lines({ files: '2026/11/22/*.gz', store: objectStoreFrom('s3://shop-events/enriched') })
 *     lines({ input: process.stdin })
 *
 * **Each file is a shard**, named by its path as the pattern has it and a mark of its first line (`logs/good.log#5f3a9c21`), and a line's sequence number is
 * where it ends in it. So each line is read once, whatever is killed whenever; a run that comes later reads what files there are then, what was appended,
 * and a log that was begun anew under its old name; one that was packed since is the file that it was (its shard has no `.gz`). Files are read side by side, four at a time, each as long as it was when it was found. One that is
 * shorter than it was, was renamed or replaced meanwhile, or cannot be unpacked, is an error, as is a pattern without files. A compressed file has an end
 * that is written down, unless it is rotated: it is not unpacked again, be it that something was appended, or that another one that begins with the same
 * line took its place. What has no newline at the end of a file is a line, too: a file that is written to is one to read as `rotated`.
 *
 * **Of a store** each object is a shard, named by its key and a mark of its etag: one that was put anew is read anew, all of it. It is fetched whole when its
 * turn comes, and held packed. Its lines arrived, at the latest, when it was stored. A store that fails for a passing reason is tried again (`source-retry`).
 *
 * What comes of a text depends on what came before, so a file of which a part was read is read again from its beginning, and the same events come of it:
 * the sinks pass over those that they have. What a run counts as read and stored has them in it again.
 *
 * **A stream** is read from where it is, whatever the start, and cannot be read again: with a `spool` each line is written to a file of that before it goes out, and
 * removed once it is settled, so that a killed run loses nothing that it had read; the disk is not waited for. Without one it loses what it had not stored,
 * whatever the stores can do. A stop destroys the stream.
 *
 * @throws {TypeError} when neither files nor an input are given, or `of` is neither
 * @throws {RangeError} when maxLines is below 1
 */
export function lines(options: LinesOptions): Source<Uint8Array> {
  const { of = 'line', arrivedAt, maxLines = 1_000 } = options;
  if (of !== 'line' && of !== 'text') throw new TypeError(`lines: expected of 'line' or 'text', got ${String(of)}`);
  checkCounts('lines', { maxLines });
  const feed = { of, arrivedAt, maxLines };
  return 'input' in options && options.input ? fromInput(options, feed) : fromFiles(options as FilesOptions, feed);
}
