import { isPosition } from '../../position.ts';
import { MAX_LINE_BYTES, NEWLINE, oneLine, tooLong } from '../text/cut-lines.ts';
import type { LineBlock } from '../text/line-block.ts';
import type { ShardReading } from '../shards/read-shards.ts';
import { LineFeed, type LineFeedOptions } from './line-feed.ts';
import type { TextFile } from './text-file.ts';
import { lastByteOf, linesOfFile } from './text-of-file.ts';

/** A file's place in its folder, when the files of a folder are one text that was cut. */
export interface Place {
  /** All files of the folder, in their order. */
  readonly files: readonly TextFile[];
  readonly index: number;
}

export interface FileReading extends Omit<LineFeedOptions, 'sequenceOf' | 'since'> {
  readonly file: TextFile;
  /** Nothing when the file is a text of its own. */
  readonly place: Place | undefined;
  /** The newest time of all files, for how far behind it reading is. */
  readonly untilMs: number;
}

/**
 * Reads the lines of one file behind where it is resumed. Resolves with false when the signal ended it.
 *
 * A line that the file cuts is read with it to its end in the files that come after it, and left out where it goes on. Until it has an end, it
 * is not read.
 */
export async function readFile(reading: ShardReading, { file, place, untilMs, ...options }: FileReading): Promise<boolean> {
  const { resume, report, scheduler, shard, signal } = reading;
  const times = { usualMs: file.madeAtMs, latestMs: file.modifiedAtMs };
  const seen = isPosition(resume) ? Number(resume.sequence) : 0;
  // What comes of a text depends on what came before: the same again, from its beginning. Sinks pass over what they have.
  const isResumed = options.of === 'line' && seen > 0;
  // From the byte before: a line without a newline that was read then may have got it since.
  const from = isResumed ? seen - 1 : 0;
  const since = resume instanceof Date ? resume : undefined;
  const feed = new LineFeed(reading, { ...options, since, sequenceOf: String }, from);
  // An empty file would look through all that are empty before it, each again.
  let passes = !isResumed && place !== undefined && file.sizeBytes > 0 && (await beginsInside(place, signal));
  let isBehind = !isResumed;
  let at = from;

  for await (const blocks of linesOfFile(file, signal, seen, from)) {
    if (signal.aborted) return false;
    report({ type: 'shard-lag', shard: shard.id, behindMs: untilMs - file.modifiedAtMs, readAtMs: scheduler.now() });
    const [first, ...others] = blocks as [LineBlock, ...LineBlock[]];
    for (const block of blocks) at += block.endOf(block.count - 1) - block.startOf(0);
    const passed = passes ? first.sizeOf(0) : isBehind ? 0 : endOfRead(first);
    const own = first.behind(passed);
    feed.pass(passed);
    [passes, isBehind] = [false, true];
    // What has no newline comes alone.
    const isOpen = place !== undefined && own.count > 0 && !own.hasNewline(0);
    if (!isOpen) {
      if (!(await feed.emit([own, ...others], times))) return false;
      continue;
    }
    const line = await joined(own.lineOf(0), place, signal);
    if (!line) report({ type: 'line-open', shard: shard.id, sizeBytes: own.sizeOf(0) });
    else if (!(await feed.emit([line], times, at))) return false;
  }
  return true;
}

/** How many bytes of the first line, of which the first was read, were read with that: its newline, when nothing else has come. */
function endOfRead(block: LineBlock): number {
  return block.sizeOf(0) === 2 && block.hasNewline(0) ? 2 : 1;
}

/** Whether the text that lies before a file ends inside a line. */
async function beginsInside({ files, index }: Place, signal: AbortSignal): Promise<boolean> {
  for (let i = index - 1; i >= 0; i--) {
    const last = await lastByteOf(files[i]!, signal);
    if (last !== undefined) return last !== NEWLINE;
  }
  return false;
}

/** A line with what there is of it in the next files; nothing when it does not end there. */
async function joined(begun: Uint8Array, { files, index }: Place, signal: AbortSignal): Promise<LineBlock | undefined> {
  const parts = [begun];
  let sizeBytes = begun.length;
  for (let i = index + 1; i < files.length; i++) {
    for await (const [block] of linesOfFile(files[i]!, signal)) {
      parts.push(block!.textOf(0));
      sizeBytes += block!.sizeOf(0);
      if (sizeBytes > MAX_LINE_BYTES) throw new Error(`lines: ${files[i]!.path}: ${tooLong().message}`);
      if (block!.hasNewline(0)) return oneLine(parts);
    }
  }
  return undefined;
}
