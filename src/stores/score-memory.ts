import type { Command } from './commands.ts';
import { isOfOneKey } from './merge-commands.ts';
import { MemberNumbers } from './member-numbers.ts';
import type { PackWriter } from './pack-writer.ts';
import { RankedSet } from './ranked-set.ts';
import { Scores } from './scores.ts';

/** So many different members are kept as bytes, before all is forgotten. */
const MAX_MEMBERS = 500_000;

/** Stands for a set that is not there, or not asked for. */
const NOBODY: ReadonlySet<string> = new Set();
/** A change of so many scores is worth it that a set is remembered. */
const WORTHWHILE = 4;
/** Sets with more members than this are not remembered: their members are looked for one after the other. */
export const MAX_SET = 500;
const NONE: readonly number[] = [];
/** What stands in place of bytes that are no text: of those nothing can be known. */
const NO_TEXT = '\uFFFD';

/** What a key holds. */
type Known = RankedSet | ReadonlySet<string>;

/**
 * Remembers what sorted sets hold that nobody else changes, so that a `rank` can be sent as what scores become: to set them takes the server
 * half as long as to add to each.
 *
 * A set that is not remembered is asked for by the command that changes it: its answer tells what the set held before, which is good
 * as long as nothing that was sent behind it touches the set. Each call says how many members the sets have at its beginning on which it rests,
 * and does nothing when that is not so: keys expire, are evicted and deleted. Whoever does not know whether a call took place has to forget all.
 */
export class ScoreMemory {
  readonly #maxScores: number;
  /** By key, sorted sets, and the sets whose members they leave out. What is not met between two changes of generation is forgotten. */
  #young = new Map<string, Known>();
  #old = new Map<string, Known>();
  #youngScores = 0;
  /** By key, the command under way that asks for it. */
  readonly #asked = new Map<string, Command>();
  #numbers = new MemberNumbers();
  /** Of lists of members that are met again. */
  #shared = new WeakMap<readonly string[], readonly number[]>();
  /** How many members the sets that the call at hand rests on have before it, by key. */
  readonly #sizes = new Map<string, number>();
  /** Those among them that are sets without scores. */
  readonly #unranked = new Set<string>();
  /** Of the command at hand: the places of what it changed in its set, and how many those are. */
  readonly #changed: number[] = [];
  #changes = 0;

  /** @param maxScores about how many are remembered at most; 40 bytes each */
  constructor(maxScores: number) {
    this.#maxScores = maxScores;
  }

  /** Begins a call. */
  begin(): void {
    this.#sizes.clear();
    this.#unranked.clear();
    if (this.#numbers.texts.length > MAX_MEMBERS) this.forgetAll();
  }

  /** Writes a command of the call at hand, or what comes to the same. */
  write(command: Command, writer: PackWriter): void {
    const { name, key, args, reads = '' } = command;
    // To Redis all that is no text is the same.
    if (!key.isWellFormed() || !reads.isWellFormed()) this.forgetAll();
    else if (name === 'rank') return this.#rank(command, writer);
    else this.#note(command);
    writer.addCommand(name, key, args);
  }

  /**
   * Ends a call: writes, as one argument behind its commands, the sets that it rests on: how they are counted, key, size. Says whether there
   * are any; without them it writes nothing.
   */
  end(writer: PackWriter): boolean {
    if (this.#sizes.size === 0) return false;
    writer.addList(this.#sizes.size * 3);
    for (const [key, size] of this.#sizes) {
      writer.text(this.#unranked.has(key) ? 'SCARD' : 'ZCARD');
      writer.text(key);
      writer.number(size);
    }
    return true;
  }

  /** @param told what the keys of a command held before it, as JSON; empty when they held nothing, `large` when more than is remembered */
  learn(command: Command, told: string): void {
    const { key, args, reads } = command;
    if (told === 'large' || told.includes(NO_TEXT)) return this.forget(command);
    const isGood = this.#asked.get(key) === command;
    const [scores, others] = told === '' ? [[], []] : (JSON.parse(told) as [string[], string[] | object]);
    // To Lua an empty list is an empty table.
    const without = Array.isArray(others) ? new Set(others as string[]) : NOBODY;
    if (reads !== undefined && this.#asked.get(reads) === command) {
      this.#asked.delete(reads);
      this.#remember(reads, without);
    }
    if (!isGood) return;
    this.#asked.delete(key);
    const ranked = new RankedSet();
    for (let i = 0; i < scores.length; i += 2) ranked.add(this.#numbers.numberOf(scores[i]!), Number(scores[i + 1]));
    this.#change(ranked, args, without);
    this.#remember(key, ranked);
  }

  /** Forgets what the keys of a command hold. */
  forget({ key, reads = key }: Command): void {
    for (const one of [key, reads]) {
      this.#asked.delete(one);
      this.#forget(one);
    }
  }

  forgetAll(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngScores = 0;
    this.#asked.clear();
    this.#numbers = new MemberNumbers();
    this.#shared = new WeakMap();
  }

  #rank(command: Command, writer: PackWriter): void {
    const { name, key, args, reads } = command;
    const ranked = this.#get(key);
    const without = reads === undefined ? NOBODY : this.#get(reads);
    if (ranked instanceof RankedSet && without instanceof Set) {
      this.#restOn(key, ranked);
      if (without.size > 0) this.#restOn(reads!, without);
      return this.#put(command, ranked, without, writer);
    }
    this.#asked.delete(key);
    const asks = ranked !== undefined || isWorthwhile(args);
    if (asks) this.#ask(command);
    writer.addCommand(asks ? 'learn' : name, key, args);
  }

  /** Notes how many members a set has before the call at hand, which has not changed it so far. */
  #restOn(key: string, known: Known): void {
    if (this.#sizes.has(key)) return;
    this.#sizes.set(key, sizeOf(known));
    if (!(known instanceof RankedSet)) this.#unranked.add(key);
  }

  #ask(command: Command): void {
    const { key, reads } = command;
    this.#forget(key);
    this.#asked.set(key, command);
    if (reads !== undefined && !this.#get(reads)) this.#asked.set(reads, command);
  }

  /** Writes what the scores become: key, expiry in ms, those scores, and the members that go. */
  #put({ key, args }: Command, ranked: RankedSet, without: ReadonlySet<string>, writer: PackWriter): void {
    const before = ranked.members.length;
    const gone = this.#change(ranked, args, without);
    this.#youngScores += ranked.members.length - before;
    writer.add('put');
    writer.add(3 + gone.length);
    writer.add(key);
    writer.add(args[1]!);
    writer.addList(this.#changes * 2);
    const { texts, starts, bytes } = this.#numbers;
    for (let i = 0; i < this.#changes; i++) {
      const at = this.#changed[i]!;
      const member = ranked.members[at]!;
      writer.number(ranked.scores[at]!);
      writer.packed(bytes, starts[member]!, starts[member + 1]!);
    }
    for (const member of gone) writer.add(texts[member]!);
  }

  /** Does to a set what the arguments of a `rank` say. Leaves in `changed` what has changed, and gives what was taken out. */
  #change(ranked: RankedSet, args: Command['args'], without: ReadonlySet<string>): readonly number[] {
    const { texts } = this.#numbers;
    const changed = this.#changed;
    let gone = NONE;
    let changes = 0;
    for (let i = 3; i < args.length; i++) {
      const { by } = args[i] as Scores;
      const members = this.#numbersOf(args[i] as Scores);
      for (let j = 0; j < members.length; j++)
        if (without.size === 0 || !without.has(texts[members[j]!]!)) changed[changes++] = ranked.add(members[j]!, by[j]!);
      if (ranked.members.length <= Number(args[0])) continue;
      const those = changed.slice(0, changes).map((at) => ranked.members[at]!);
      const went = ranked.cut(Number(args[0]), (a, b) => Buffer.compare(Buffer.from(texts[a]!), Buffer.from(texts[b]!)));
      gone = [...gone, ...went];
      changes = 0;
      for (const member of those) {
        const at = ranked.members.indexOf(member);
        if (at >= 0) changed[changes++] = at;
      }
    }
    this.#changes = changes;
    return gone;
  }

  /** Follows a command of another kind. */
  #note(command: Command): void {
    const { name, key, args } = command;
    if (!isOfOneKey(command)) return this.forgetAll();
    if (name === 'PEXPIRE' && Number(args[0]) > 0) return;
    this.#asked.delete(key);
    const known = this.#get(key);
    if (!known || name !== (known instanceof RankedSet ? 'ZREM' : 'SADD')) {
      this.#forget(key);
      return;
    }
    this.#restOn(key, known);
    const members = args.map((arg) => (arg instanceof Scores ? '' : String(arg).toWellFormed()));
    if (known instanceof RankedSet) for (const member of members) known.remove(this.#numbers.numberOf(member));
    else this.#remember(key, known.union(new Set(members)));
  }

  #get(key: string): Known | undefined {
    const young = this.#young.get(key);
    const known = young ?? this.#old.get(key);
    if (!known) return undefined;
    if (sizeOf(known) > MAX_SET) {
      this.#forget(key);
      return undefined;
    }
    if (!young) this.#remember(key, known);
    return known;
  }

  #remember(key: string, known: Known): void {
    this.#old.delete(key);
    this.#young.set(key, known);
    this.#youngScores += sizeOf(known) + 1;
    if (this.#youngScores * 2 < this.#maxScores) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngScores = 0;
  }

  #forget(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  #numbersOf({ members, isShared }: Scores): readonly number[] {
    const known = isShared ? this.#shared.get(members) : undefined;
    if (known) return known;
    const numbers = members.map((member) => this.#numbers.numberOf(member));
    if (isShared) this.#shared.set(members, numbers);
    return numbers;
  }
}

function sizeOf(known: Known): number {
  return known instanceof RankedSet ? known.members.length : known.size;
}

/** Says whether a rank changes so many scores that to set them is faster than to add to them. */
function isWorthwhile(args: Command['args']): boolean {
  let count = 0;
  for (let i = 3; i < args.length; i++) count += (args[i] as Scores).members.length;
  return count >= WORTHWHILE;
}
