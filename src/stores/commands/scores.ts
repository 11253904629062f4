/** A script cannot hand more on in one go. */
const MAX_MEMBERS = 2_000;
/** What a number takes, and the server's table for it and its member. */
const OVERHEAD_BYTES = 40;

export interface ScoresOptions {
  /** Whether the list of members is given more than once, so that it is worth being remembered. @default false */
  readonly isShared?: boolean;
  /** About how many bytes the members send, when they were looked through before. */
  readonly sizeBytes?: number;
}

/**
 * Members of a sorted set, each once, and at the same place what is added to its score.
 *
 * @throws {TypeError} when a member is no text, or what is added is no finite number
 * @throws {RangeError} when there are more than a script can hand on
 */
export class Scores {
  readonly members: readonly string[];
  readonly by: readonly number[];
  readonly isShared: boolean;
  /** About how many bytes it sends. */
  readonly sizeBytes: number;

  constructor(
    members: readonly string[],
    by: readonly number[],
    { isShared = false, sizeBytes = checkedSizeOf(members) }: ScoresOptions = {},
  ) {
    for (let i = 0; i < members.length; i++)
      if (!Number.isFinite(by[i]))
        throw new TypeError(`scores: expected a finite number for ${members[i]}, got ${String(by[i])}`);
    this.members = members;
    this.by = by;
    this.isShared = isShared;
    this.sizeBytes = sizeBytes;
  }
}

function checkedSizeOf(members: readonly string[]): number {
  if (members.length > MAX_MEMBERS)
    throw new RangeError(`scores: expected at most ${MAX_MEMBERS} members, got ${members.length}`);
  let sizeBytes = 0;
  for (const member of members) {
    if (typeof member !== 'string') throw new TypeError(`scores: expected a member of text, got ${String(member)}`);
    sizeBytes += member.length + OVERHEAD_BYTES;
  }
  return sizeBytes;
}

type Pair = readonly [member: string, by: number];

/** The scores of pairs; of a member that occurs more than once their sum. */
export function scoresOf(pairs: readonly Pair[]): Scores {
  if (pairs.length === 1) return new Scores([asSent(pairs[0]![0])], [pairs[0]![1]]);
  const sums = new Map<string, number>();
  for (const [given, by] of pairs) {
    const member = asSent(given);
    sums.set(member, (sums.get(member) ?? 0) + by);
  }
  return new Scores([...sums.keys()], [...sums.values()]);
}

/** Half of a surrogate pair has no bytes of its own: all of them are one member. */
export function asSent(member: string): string {
  return typeof member === 'string' ? member.toWellFormed() : member;
}

type Share = readonly [member: string, share: number];

interface List {
  readonly members: readonly string[];
  readonly shares: readonly number[];
  /** How many bytes the members send. */
  readonly sizeBytes: number;
}

/** Lists that were met. */
const lists = new WeakMap<readonly Share[], List>();

/**
 * Gives each member of a list its share of a score, as a whole number. A list that comes again, as one that `lookup` remembers, is only looked
 * through once, so it must not change, and has each member once.
 */
export function shares(list: readonly Share[], score: number): Scores {
  let known = lists.get(list);
  if (!known) {
    const members = list.map(([member]) => asSent(member));
    known = { members, shares: list.map(([, share]) => share), sizeBytes: checkedSizeOf(members) };
    lists.set(list, known);
  }
  const by = known.shares.map((share) => Math.round(share * score));
  return new Scores(known.members, by, { isShared: true, sizeBytes: known.sizeBytes });
}

/** Reads a score as Redis writes it. */
export function scoreOf(text: string): number {
  return text.endsWith('inf') ? Number(text.replace('inf', 'Infinity')) : Number(text);
}
