import { type Resume, comparePositions, formatResume, isPosition } from '../event.ts';

/** A shard's position was to move backwards: the store has what is to be stored, and more. */
export class PositionBehindError extends Error {
  override readonly name = 'PositionBehindError';
  readonly shard: string;

  constructor(where: string, shard: string, has: string, came: string) {
    super(`${where}: the position of ${shard} may not move backwards, from ${has} to ${came}`);
    this.shard = shard;
  }
}

/** Says whether a place to resume lies before another of its shard: the oldest record, then arrival times, then positions. */
export function isBehind(came: Resume, has: Resume): boolean {
  const ranks = [rank(came), rank(has)] as const;
  if (ranks[0] !== ranks[1]) return ranks[0] < ranks[1];
  if (isPosition(came) && isPosition(has)) return comparePositions(came, has) < 0;
  return formatResume(came) < formatResume(has);
}

function rank(resume: Resume): number {
  if (resume === 'TRIM_HORIZON') return 0;
  return isPosition(resume) ? 2 : 1;
}
