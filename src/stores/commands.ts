import type { Duration } from 'date-fns';
import { durationMs } from '../duration.ts';
import { asSent, Scores, scoresOf } from './commands/scores.ts';

export { type Scores, shares } from './commands/scores.ts';

/** A change to one key, as a value: it can be looked at, merged with its like and sent with others. */
export interface Command {
  /** A command of Redis, in capitals, or a compound of ours, in small letters. */
  readonly name: string;
  readonly key: string;
  readonly args: readonly (Argument | Scores)[];
  /** Another key that it looks at. */
  readonly reads?: string;
}

/** Text goes as UTF-8; a number must be finite. */
export type Argument = string | number;

type OneOrMore<A> = readonly [A, ...A[]];

/** How a key that grows is held within bounds. */
export interface Bounds {
  /** How many members it keeps. */
  readonly keep: number;
  /** How long after its last change it vanishes; a set whose scores are remembered up to a hundredth sooner. */
  readonly expire: Duration;
}

export const set = (key: string, value: Argument): Command => ({ name: 'SET', key, args: [value] });
export const del = (key: string): Command => ({ name: 'DEL', key, args: [] });
export const incrby = (key: string, by: number): Command => ({ name: 'INCRBY', key, args: [by] });
export const hset = (key: string, field: string, value: Argument): Command => ({ name: 'HSET', key, args: [field, value] });
export const hincrby = (key: string, field: string, by: number): Command => ({ name: 'HINCRBY', key, args: [field, by] });
export const zincrby = (key: string, by: number, member: string): Command => ({ name: 'ZINCRBY', key, args: [by, member] });
export const zrem = (key: string, ...members: OneOrMore<string>): Command => ({ name: 'ZREM', key, args: members });
export const sadd = (key: string, ...members: OneOrMore<string>): Command => ({ name: 'SADD', key, args: members });
export const lpush = (key: string, ...values: OneOrMore<Argument>): Command => ({ name: 'LPUSH', key, args: values });
export const rpush = (key: string, ...values: OneOrMore<Argument>): Command => ({ name: 'RPUSH', key, args: values });

export const expire = (key: string, after: Duration): Command => ({
  name: 'PEXPIRE',
  key,
  args: [durationMs(after, { who: 'expire', name: 'after' })],
});

/** Any other command of Redis that changes its first argument, the key. Nothing is merged across it, as it may read other keys. */
export const redisCommand = (name: string, key: string, ...args: Argument[]): Command => ({
  name: name.toUpperCase(),
  key,
  args,
});

/** Puts a member at the head of a list in which each is once; the list keeps so many. */
export const recent = (key: string, member: string, bounds: Bounds): Command => ({
  name: 'recent',
  key,
  args: [keptBy('recent', bounds), msOf(bounds.expire, 'recent'), asSent(member)],
});

export interface RankBounds extends Bounds {
  /** The key of a set whose members get no score. */
  readonly without?: string;
}

/**
 * Adds to the scores of a sorted set's members, then takes out those with the least scores when it has more than it keeps.
 *
 * @param scores pairs, or `shares` of a list
 */
export function rank(
  key: string,
  scores: readonly (readonly [member: string, by: number])[] | Scores,
  bounds: RankBounds,
): Command {
  const { without } = bounds;
  if (without === '') throw new RangeError('rank: expected the key of a set in `without`, got an empty one');
  const added = scores instanceof Scores ? scores : scoresOf(scores);
  const args = [keptBy('rank', bounds), msOf(bounds.expire, 'rank'), without ?? '', added];
  return without === undefined ? { name: 'rank', key, args } : { name: 'rank', key, args, reads: without };
}

function keptBy(who: string, { keep }: Bounds): number {
  if (!Number.isInteger(keep) || keep < 1) throw new RangeError(`${who}: expected to keep 1 or more, got ${keep}`);
  return keep;
}

/** Durations that were met, in milliseconds: a pipeline has few, and gives them with each event. */
const known = new WeakMap<Duration, number>();

function msOf(after: Duration, who: string): number {
  let ms = known.get(after);
  if (ms === undefined) known.set(after, (ms = durationMs(after, { who, name: 'expire' })));
  return ms;
}

/** A Lua function of your own, run in the store with the rest of the batch. What it has done before it fails stands. */
export interface Script {
  /** Says what it is in messages, and is unique in its pipeline. */
  readonly name: string;
  /** The body of a function of `KEYS` and `ARGV`, as in EVAL; `redis.call` does the work. */
  readonly lua: string;
}

export interface ScriptCommand extends Command {
  readonly script: Script;
}

/** Runs a script of your own on some keys. Nothing is merged across it. */
export function script(of: Script, [key, ...keys]: OneOrMore<string>, args: readonly Argument[] = []): ScriptCommand {
  return { name: `script:${of.name}`, key, args: [keys.length, ...keys, ...args], script: of };
}
