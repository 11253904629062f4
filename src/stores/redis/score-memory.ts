import type { Command } from '../commands.ts';
import { compareAsUtf8 } from './compare-as-utf8.ts';
import { KeyMemory, type KnownKey, type Members, countOf, sizeOf } from './key-memory.ts';
import { MemberNumbers } from './member-numbers.ts';
import { isOfOneKey } from '../commands/merge-commands.ts';
import type { PackWriter } from './pack-writer.ts';
import { RankedSet } from './ranked-set.ts';
import { Scores, scoreOf } from '../commands/scores.ts';

/** How many different members there may be for each score that is remembered, and how many at all, before everything is forgotten. */
const [MEMBERS_A_SCORE, MAX_MEMBERS] = [2, 500_000];
/** How many bytes members may have on average. */
const MEMBER_BYTES = 64;

/** Stands for a set that is not there, or not asked for. */
const NOBODY: ReadonlySet<string> = new Set();
/** A change of so many scores is worth it that a set is remembered. */
const WORTHWHILE = 4;
/** Sets with more members than this are not remembered: their members are looked for one after the other. */
export const MAX_SET = 500;
const NONE: readonly number[] = [];
/** What stands in place of bytes that are no text: of those nothing can be known. */
const NO_TEXT = '\uFFFD';

/**
 * Remembers what sorted sets hold that nobody else changes, so that a `rank` can be sent as what scores become: to set them takes the server
 * half as long as to add to each; and when their expiry was told, so that it need not be told each time.
 *
 * A set that is not remembered is asked for by the command that changes it: its answer tells what the set held before, which is good
 * as long as nothing that was sent behind it touches the set. Each call says how many members the sets have at its beginning on which it rests,
 * and does nothing when that is not so: keys expire, are evicted and deleted. Whoever does not know whether a call took place has to forget all.
 */
export class ScoreMemory {
  readonly #keys: KeyMemory;
  readonly #maxMembers: number;
  #numbers = new MemberNumbers();
  /** Of lists of members that are met again. */
  #shared = new WeakMap<readonly string[], readonly number[]>();
  /** The number of the call at hand, and of what was written last: calls and their commands are numbered in one go. */
  #call = 0;
  #written = 0;
  #answered = 0;
  #nowMs = 0;
  /** The sets that the call at hand rests on: how each is counted, where its key stands or the key, and how many members it has before the call. */
  readonly #rests: (string | number)[] = [];
  /** Of the command at hand: the places of what it changed in its set, and how many those are. */
  readonly #changed: number[] = [];
  #changes = 0;

  /** @param maxScores about how many are remembered at most; 40 bytes each, beside the texts of their members */
  constructor(maxScores: number) {
    this.#keys = new KeyMemory(maxScores);
    this.#maxMembers = Math.min(maxScores * MEMBERS_A_SCORE, MAX_MEMBERS);
  }

  /** Begins a call, and tells its number. @param nowMs by any clock that goes as time does */
  begin(nowMs: number): number {
    this.#call = ++this.#written;
    this.#nowMs = nowMs;
    this.#rests.length = 0;
    const { texts, sizeBytes } = this.#numbers;
    if (texts.length > this.#maxMembers || sizeBytes > this.#maxMembers * MEMBER_BYTES) this.forgetAll();
    return this.#call;
  }

  /** Writes a command of the call at hand, or what comes to the same. */
  write(command: Command, writer: PackWriter): void {
    const { name, key, args, reads = '' } = command;
    this.#written++;
    // To Redis all that is no text is the same.
    if (!key.isWellFormed() || !reads.isWellFormed()) this.forgetAll();
    else if (name === 'rank') return this.#rank(command, writer);
    else this.#note(command, writer);
    writer.addCommand(name, key, args);
  }

  /**
   * Ends a call: writes, as one argument behind its commands, the sets that it rests on: ZCARD, where the key stands among the arguments, size; or
   * SCARD, the key, size. Says whether there are any; without them it writes nothing.
   */
  end(writer: PackWriter): boolean {
    if (this.#rests.length === 0) return false;
    writer.addList(this.#rests.length);
    for (const item of this.#rests) {
      if (typeof item === 'string') writer.text(item);
      else writer.number(item);
    }
    return true;
  }

  /** To be told of each call that took place, before what it had refused is forgotten. */
  answered(call: number): void {
    this.#answered = call;
  }

  /**
   * @param call the number of the call that the command came with, and as what of its commands, from 0: a command may come more than once
   * @param told what the keys of a command held before it, as JSON; empty when they held nothing, `large` when more than is remembered
   */
  learn(command: Command, [call, place]: readonly [call: number, place: number], told: string): void {
    const { key, args, reads } = command;
    const asked = call + 1 + place;
    if (told === 'large' || told.includes(NO_TEXT)) return this.forget(command);
    const [scores, others] = told === '' ? [[], []] : (JSON.parse(told) as [string[], string[] | object]);
    // To Lua an empty list is an empty table.
    const without = Array.isArray(others) ? new Set(others as string[]) : NOBODY;
    const [known, read] = [this.#keys.get(key), reads === undefined ? undefined : this.#keys.get(reads)];
    if (read?.askedBy === asked) this.#remember(read, without);
    if (known?.askedBy !== asked) return;
    const ranked = new RankedSet();
    for (let i = 0; i < scores.length; i += 2) ranked.add(this.#numbers.numberOf(scores[i]!), scoreOf(scores[i + 1]!));
    this.#change(ranked, args, without);
    this.#remember(known, ranked);
  }

  /** Forgets what it knows of the keys of a command. */
  forget({ key, reads = key }: Command): void {
    this.#keys.forget(key);
    this.#keys.forget(reads);
  }

  forgetAll(): void {
    this.#keys.clear();
    this.#numbers = new MemberNumbers();
    this.#shared = new WeakMap();
  }

  #rank(command: Command, writer: PackWriter): void {
    const { name, key, args, reads } = command;
    const known = this.#keys.get(key);
    const ranked = known && this.#membersOf(known);
    const read = reads === undefined ? undefined : this.#keys.get(reads);
    const without = reads === undefined ? NOBODY : read && this.#membersOf(read);
    if (ranked instanceof RankedSet && without instanceof Set) {
      this.#restOn(known!, ranked, writer);
      if (read && without.size > 0) this.#restOn(read, without, writer);
      return this.#put(command, known!, ranked, without, writer);
    }
    const asks = ranked !== undefined || isWorthwhile(args);
    if (asks) this.#ask(command, without === undefined);
    else if (known) known.askedBy = undefined;
    writer.addCommand(asks ? 'rankAsking' : name, key, args);
  }

  #ask(command: Command, asksForRead: boolean): void {
    const { key, args, reads } = command;
    const known = this.#keys.of(key);
    known.members = undefined;
    known.askedBy = this.#written;
    known.tell(Number(args[1]), this.#call, this.#nowMs);
    if (asksForRead) this.#keys.of(reads!).askedBy = this.#written;
  }

  /** Notes how many members a set has before the call at hand, which has not changed it so far. Sorted sets are those of the command that is written next. */
  #restOn(known: KnownKey, members: Members, writer: PackWriter): void {
    if (known.restedOnBy === this.#call) return;
    known.restedOnBy = this.#call;
    if (members instanceof RankedSet) this.#rests.push('ZCARD', writer.nextKey, sizeOf(members));
    else this.#rests.push('SCARD', known.name, sizeOf(members));
  }

  /** Writes what the scores become: key, expiry in ms or 0 when it need not be told, those scores, and the members that go. */
  #put(command: Command, known: KnownKey, ranked: RankedSet, without: ReadonlySet<string>, writer: PackWriter): void {
    const { key, args } = command;
    const before = ranked.members.length;
    const gone = this.#change(ranked, args, without);
    this.#keys.grow(ranked.members.length - before);
    const expiryMs = Number(args[1]);
    // What goes, goes first: without members the set itself is gone, and its expiry.
    const isTold = gone.length < before && known.isTold(expiryMs, this.#answered, this.#nowMs);
    if (!isTold) known.tell(expiryMs, this.#call, this.#nowMs);
    writer.add('put');
    writer.add(3 + gone.length);
    writer.add(key);
    writer.add(isTold ? 0 : expiryMs);
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
      const went = ranked.cut(Number(args[0]), (a, b) => compareAsUtf8(texts[a]!, texts[b]!));
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
  #note(command: Command, writer: PackWriter): void {
    const { name, key, args } = command;
    if (!isOfOneKey(command)) return this.forgetAll();
    const known = this.#keys.get(key);
    if (!known) return;
    if (name === 'PEXPIRE' && Number(args[0]) > 0) return known.forgetExpiry();
    const members = this.#membersOf(known);
    if (!members || name !== (members instanceof RankedSet ? 'ZREM' : 'SADD')) return this.#keys.forget(key);
    this.#restOn(known, members, writer);
    const texts = args.map((arg) => (arg instanceof Scores ? '' : String(arg).toWellFormed()));
    if (members instanceof RankedSet) for (const text of texts) members.remove(this.#numbers.numberOf(text));
    else this.#remember(known, members.union(new Set(texts)));
  }

  /** What a key holds; nothing when that is not known, or too much. */
  #membersOf(known: KnownKey): Members | undefined {
    if (known.members && sizeOf(known.members) > MAX_SET) known.members = undefined;
    return known.members;
  }

  #remember(known: KnownKey, members: Members): void {
    known.askedBy = undefined;
    this.#keys.grow(countOf(members) - (known.members ? countOf(known.members) : 0));
    known.members = members;
  }

  #numbersOf({ members, isShared }: Scores): readonly number[] {
    const known = isShared ? this.#shared.get(members) : undefined;
    if (known) return known;
    const numbers = members.map((member) => this.#numbers.numberOf(member));
    if (isShared) this.#shared.set(members, numbers);
    return numbers;
  }
}

/** Says whether a rank changes so many scores that to set them is faster than to add to them. */
function isWorthwhile(args: Command['args']): boolean {
  let count = 0;
  for (let i = 3; i < args.length; i++) count += (args[i] as Scores).members.length;
  return count >= WORTHWHILE;
}
