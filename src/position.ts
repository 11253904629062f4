/** A record's place in its stream, totally ordered within one shard. */
export interface Position {
  readonly shard: string;
  /** Decimal digits without leading zeros; up to 56 of them on Kinesis. */
  readonly sequence: string;
  /** The place inside a record that holds others, from 1; 0 for a record of its own. */
  readonly subSequence: number;
  /** Of where a sink stands: until when nothing had come behind it, in milliseconds since 1970. Says nothing about order. */
  readonly quietUntilMs?: number;
}

/** Where reading of a shard begins: after a position, at an arrival time, or at the oldest record that is kept. */
export type Beginning = Position | Date | 'TRIM_HORIZON';

/** Where a sink stands in a shard, and reading of it is resumed: at SHARD_END it has all of a shard that was split or merged. */
export type Resume = Beginning | 'SHARD_END';

/** Where a sink stands in a shard by its store's word. */
export interface Standing {
  readonly shard: string;
  /** That of the run which took it over last. */
  readonly epoch: number;
  /** Nothing when nothing was ever stored. */
  readonly resume: Resume | undefined;
}

/** Says which of two positions of one shard comes first: negative, zero or positive, as `Array.prototype.sort` wants it. */
export function comparePositions(a: Position, b: Position): number {
  const [x, y] = [a.sequence, b.sequence];
  return x === y ? a.subSequence - b.subSequence : compareSequences(x, y);
}

/** Says the same of two sequence numbers. */
export function compareSequences(a: string, b: string): number {
  // Digits without leading zeros: the longer number is the greater one. No BigInt on the hot path.
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a === b ? 0 : 1;
}

/**
 * Says which of two places in a shard comes first, as `comparePositions` does: the oldest record, then times, then positions, then
 * the end. A time is only stored where a run began, so it lies before every position of the sinks
 * that were there; `readShards` sees to one that was away.
 */
export function compareResumes(a: Resume, b: Resume): number {
  if (isPosition(a) && isPosition(b)) return comparePositions(a, b);
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  return rankOf(a) - rankOf(b);
}

/** Whether a place is beyond another one, or tells of the same one that its shard was quiet for longer. Anything is beyond nothing. */
export function isBeyond(to: Resume | undefined, stands: Resume | undefined): boolean {
  if (!to || !stands) return to !== undefined;
  const order = compareResumes(to, stands);
  return order > 0 || (order === 0 && quietUntilMs(to) > quietUntilMs(stands));
}

function quietUntilMs(resume: Resume): number {
  return (isPosition(resume) && resume.quietUntilMs) || 0;
}

function rankOf(resume: Resume): number {
  if (isPosition(resume)) return 2;
  return resume instanceof Date ? 1 : resume === 'TRIM_HORIZON' ? 0 : 3;
}

export function isPosition(resume: Resume): resume is Position {
  return typeof resume === 'object' && 'sequence' in resume;
}

/** Writes a place to resume as stores keep it: `495…154:0`, that with `@2026-11-22T09:00:00.000Z` while its shard is quiet, `@2026-11-22T09:00:00.000Z`, `TRIM_HORIZON` or `SHARD_END`. */
export function formatResume(resume: Resume): string {
  if (typeof resume === 'string') return resume;
  if (!isPosition(resume)) return `@${resume.toISOString()}`;
  const { sequence, subSequence, quietUntilMs } = resume;
  return `${sequence}:${subSequence}${quietUntilMs === undefined ? '' : `@${new Date(quietUntilMs).toISOString()}`}`;
}

/**
 * Reads what `formatResume` wrote.
 *
 * @throws {TypeError} when the text has none of the four forms.
 */
export function parseResume(shard: string, text: string): Resume {
  if (text === 'TRIM_HORIZON' || text === 'SHARD_END') return text;
  const [, sequence, subSequence, quietUntil] = /^(\d+):(\d+)(?:@(\d.*Z))?$/.exec(text) ?? [];
  if (sequence !== undefined) {
    const quietUntilMs = Date.parse(quietUntil ?? '');
    return { shard, sequence, subSequence: Number(subSequence), ...(!Number.isNaN(quietUntilMs) && { quietUntilMs }) };
  }
  const at = new Date(text.slice(1));
  if (text.startsWith('@') && !Number.isNaN(at.getTime())) return at;
  throw new TypeError(
    `position of ${shard}: expected <sequence>:<sub-sequence>, @<ISO time>, TRIM_HORIZON or SHARD_END, got ${JSON.stringify(text)}`,
  );
}
