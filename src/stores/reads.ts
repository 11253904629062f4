import type { Read } from '../operators/lookup-source.ts';
import { scoreOf } from './commands/scores.ts';

/** The text of a key; nothing when it is absent. */
export const get = (key: string): Read<string | undefined> => ({
  name: 'GET',
  key,
  args: [],
  understand: (answer) => (answer as string | null) ?? undefined,
});

/** The fields of a hash; empty when it is absent. */
export const hgetall = (key: string): Read<ReadonlyMap<string, string>> => ({
  name: 'HGETALL',
  key,
  args: [],
  understand: (answer) => new Map(pairsOf(answer as string[])),
});

/** The members of a set; empty when it is absent. */
export const smembers = (key: string): Read<ReadonlySet<string>> => ({
  name: 'SMEMBERS',
  key,
  args: [],
  understand: (answer) => new Set(answer as string[]),
});

/**
 * So many members of a sorted set with the greatest scores, greatest first; empty when it is absent.
 *
 * @throws {RangeError} when `count` is not a whole number above zero
 */
export function highest(key: string, count: number): Read<readonly (readonly [member: string, score: number])[]> {
  // To Redis, 0 would be all of them.
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`highest: expected a count of 1 or more, got ${count}`);
  return {
    name: 'ZREVRANGE',
    key,
    args: [0, count - 1, 'WITHSCORES'],
    // Flat by the second version of the protocol, pairs by the third.
    understand: (answer) => pairsOf((answer as (string | string[])[]).flat()).map(([member, score]) => [member, scoreOf(score)]),
  };
}

function pairsOf(flat: readonly string[]): [string, string][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]);
}
