import { type Standing, parseResume } from '../../position.ts';

/** What a row of the table of positions says. */
export function standingOf(row: Readonly<Record<string, unknown>>): Standing {
  const [shard, position] = [row['shard'] as string, row['position']];
  return { shard, epoch: Number(row['epoch']), resume: typeof position === 'string' ? parseResume(shard, position) : undefined };
}

/** A shard's position was to move backwards, or rows were to be stored without moving it: the store has what is to be stored. */
export class PositionBehindError extends Error {
  override readonly name = 'PositionBehindError';
  readonly shard: string;
  /** Where the store stands right there, an attempt of which nothing was heard has stored it after all: ask it, and go on. */
  readonly isTransient: boolean;

  constructor(where: string, shard: string, has: string, came: string) {
    const isThere = placeOf(has) === placeOf(came);
    super(
      isThere
        ? `${where}: what was to bring ${shard} to ${has} is stored already`
        : `${where}: the position of ${shard} may not move backwards, from ${has} to ${came}`,
    );
    this.shard = shard;
    this.isTransient = isThere;
  }
}

/** Without what is said of a shard that was quiet since. */
function placeOf(resume: string): string {
  return resume.replace(/(?<=:\d+)@.*/, '');
}
