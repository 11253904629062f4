/** Whose positions these are: one sink of one pipeline. */
export interface Owner {
  readonly pipeline: string;
  readonly sink: string;
}

/** A text that tells an owner in a shard from all others in theirs, by which a map has what is known of it. */
export function keyOf({ pipeline, sink }: Owner, shard: string): string {
  return JSON.stringify([pipeline, sink, shard]);
}
