import { isPosition } from '../../position.ts';
import { MAX_LINE_BYTES, NEWLINE, endsLine, tooLong } from '../cut-lines.ts';
import type { ShardReading } from '../read-shards.ts';
import type { TextFile } from './find-files.ts';
import { LineFeed, type LineFeedOptions } from './line-feed.ts';
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

  for await (const lines of linesOfFile(file, signal, seen, from)) {
    if (signal.aborted) return false;
    report({ type: 'shard-lag', shard: shard.id, behindMs: untilMs - file.modifiedAtMs, readAtMs: scheduler.now() });
    for (const { length } of lines) at += length;
    const passed = passes ? lines[0]!.length : isBehind ? 0 : endOfRead(lines[0]!);
    const own = passed === 0 ? lines : [lines[0]!.subarray(passed), ...lines.slice(1)].filter(({ length }) => length > 0);
    feed.pass(passed);
    [passes, isBehind] = [false, true];
    const last = own.at(-1);
    const isOpen = place !== undefined && last !== undefined && !endsLine(last);
    if (!(await feed.emit(isOpen ? own.slice(0, -1) : own, times))) return false;
    if (!isOpen) continue;
    const line = await joined(last, place, signal);
    if (!line) report({ type: 'line-open', shard: shard.id, sizeBytes: last.length });
    else if (!(await feed.emit([line], times, at))) return false;
  }
  return true;
}

/** How many bytes of a line whose first byte was read were read with it: its newline, when nothing else has come. */
function endOfRead(line: Uint8Array): number {
  return line.length === 2 && endsLine(line) ? 2 : 1;
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
async function joined(begun: Uint8Array, { files, index }: Place, signal: AbortSignal): Promise<Uint8Array | undefined> {
  const parts = [begun];
  let sizeBytes = begun.length;
  for (let i = index + 1; i < files.length; i++) {
    for await (const [part] of linesOfFile(files[i]!, signal)) {
      parts.push(part!);
      sizeBytes += part!.length;
      if (sizeBytes > MAX_LINE_BYTES) throw new Error(`lines: ${files[i]!.path}: ${tooLong().message}`);
      if (endsLine(part!)) return Buffer.concat(parts);
    }
  }
  return undefined;
}
