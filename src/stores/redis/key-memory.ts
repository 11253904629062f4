import { RankedSet } from './ranked-set.ts';

/** What a set holds. */
export type Members = RankedSet | ReadonlySet<string>;

/** What a key counts beside its members. */
export const KEY_COUNTS = 4;
/** So many characters of its name, or of a member that is kept as text, count one more: a visitor's text may be in them, and of any length. */
const CHARACTERS_A_COUNT = 64;

/** What is known of one key. */
export class KnownKey {
  readonly name: string;
  /** What it holds; nothing when that is not known. */
  members: Members | undefined;
  /** The command under way that asks what it holds, by its number. */
  askedBy: number | undefined;
  /** The call, by its number, that rests on the members. */
  restedOnBy = 0;
  #expiryMs = 0;
  #toldUntilMs = 0;
  #toldBy = 0;

  constructor(name: string) {
    this.name = name;
  }

  get count(): number {
    return KEY_COUNTS + textCounts(this.name) + (this.members ? countOf(this.members) : 0);
  }

  /** Notes that the key is told to vanish so long after now. @param call the call that brings it, by its number */
  tell(expiryMs: number, call: number, nowMs: number): void {
    this.#expiryMs = expiryMs;
    this.#toldUntilMs = nowMs + expiryMs * STALE_AFTER;
    this.#toldBy = call;
  }

  /**
   * Says whether to tell the key now that it vanishes so much later would change next to nothing.
   *
   * @param answered the last call of which it is known that it took place
   */
  isTold(expiryMs: number, answered: number, nowMs: number): boolean {
    return expiryMs === this.#expiryMs && nowMs < this.#toldUntilMs && this.#toldBy <= answered;
  }

  forgetExpiry(): void {
    this.#toldUntilMs = 0;
  }
}

/** A key is told its expiry anew when so much of it is over: of 90 days, after 22 hours. */
const STALE_AFTER = 0.01;

export function sizeOf(members: Members): number {
  return members instanceof RankedSet ? members.members.length : members.size;
}

/** What members count; those of a sorted set are numbers, and their texts are bounded elsewhere. */
export function countOf(members: Members): number {
  let count = sizeOf(members);
  if (!(members instanceof RankedSet)) for (const text of members) count += textCounts(text);
  return count;
}

function textCounts(text: string): number {
  return Math.floor(text.length / CHARACTERS_A_COUNT);
}

/** Holds what is known of keys. What is not met between two changes of generation is forgotten. */
export class KeyMemory {
  readonly #most: number;
  #young = new Map<string, KnownKey>();
  #old = new Map<string, KnownKey>();
  #youngCount = 0;

  /** @param most about how many members are held at most; a key counts like some, and so does a long text */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many keys it knows anything of. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(name: string): KnownKey | undefined {
    const young = this.#young.get(name);
    if (young) return young;
    const old = this.#old.get(name);
    if (!old) return undefined;
    this.#old.delete(name);
    this.#add(old);
    return old;
  }

  /** What is known of a key, be it nothing yet. */
  of(name: string): KnownKey {
    let known = this.get(name);
    if (!known) this.#add((known = new KnownKey(name)));
    return known;
  }

  /** To be told what the members count that a key has got. */
  grow(by: number): void {
    this.#youngCount += by;
    if (this.#youngCount * 2 < this.#most) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngCount = 0;
  }

  forget(name: string): void {
    this.#young.delete(name);
    this.#old.delete(name);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngCount = 0;
  }

  #add(known: KnownKey): void {
    this.#young.set(known.name, known);
    this.grow(known.count);
  }
}
