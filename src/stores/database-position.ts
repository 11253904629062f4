/** A shard's position was to move backwards: the store has what is to be stored, and more. */
export class PositionBehindError extends Error {
  override readonly name = 'PositionBehindError';
  readonly shard: string;

  constructor(where: string, shard: string, has: string, came: string) {
    super(`${where}: the position of ${shard} may not move backwards, from ${has} to ${came}`);
    this.shard = shard;
  }
}
