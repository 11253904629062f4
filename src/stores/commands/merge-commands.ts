import { MAX_ARGUMENTS } from './check-command.ts';
import type { Command } from '../commands.ts';

/** A command that stands for several. */
export interface Merged {
  readonly command: Command;
  /** The events it stands for, by their place in the batch. */
  readonly events: number[];
}

/**
 * Makes fewer commands of many that leave the store the same: whole numbers are summed, pushes and ranks joined, of values that replace
 * each other the last one stays. Two commands of a key are only merged when no other command of that key came between them, nor one that looks
 * at it. A script,
 * and a command not known here, may touch keys that nobody can see from here, so nothing is merged across it.
 *
 * One thing changes: in a sorted set in which some scores are no whole numbers, sums may differ in their last digit.
 */
export class CommandMerger {
  #merged: Merged[] = [];
  /** Each key's last command. */
  readonly #last = new Map<string, number>();
  /** For a key that a command of another one looked at, the last such command. */
  readonly #lastLook = new Map<string, number>();

  add(command: Command, event: number): void {
    const merge = mergeOf(command);
    if (!merge) this.#last.clear();
    // To the store keys with halves of surrogate pairs are one.
    const key = command.key.toWellFormed();
    const reads = command.reads?.toWellFormed();
    const at = merge && this.#last.get(key);
    const before = at === undefined ? undefined : this.#merged[at]!;
    const both =
      before && this.#mayJoin(command, [key, reads], at!, before.command) ? merge!(before.command.args, command.args) : undefined;
    if (before && both) {
      if (before.events.at(-1) !== event) before.events.push(event);
      this.#merged[at!] = { command: { ...command, args: both }, events: before.events };
      return;
    }
    if (merge) this.#last.set(key, this.#merged.length);
    if (reads !== undefined) this.#lastLook.set(reads, this.#merged.length);
    this.#merged.push({ command, events: [event] });
  }

  /** Says whether a command may run as early as one before it: nobody has looked at its key since, and what it looks at is as it was. */
  #mayJoin({ name, args }: Command, [key, reads]: readonly [string, string | undefined], at: number, before: Command): boolean {
    if (before.name !== name || before.args.length + args.length > MAX_ARGUMENTS) return false;
    if (before.reads?.toWellFormed() !== reads) return false;
    return (this.#lastLook.get(key) ?? -1) < at && (reads === undefined || (this.#last.get(reads) ?? -1) < at);
  }

  take(): Merged[] {
    const merged = this.#merged;
    this.#merged = [];
    this.#last.clear();
    this.#lastLook.clear();
    return merged;
  }
}

/** Says whether a command is known to touch no key but its own. */
export function isOfOneKey(command: Command): boolean {
  return mergeOf(command) !== undefined;
}

/** A DEL of several keys touches others than its own. */
function mergeOf({ name, args }: Command): Merge | undefined {
  return name === 'DEL' && args.length > 0 ? undefined : MERGES[name];
}

type Arguments = Command['args'];
/** The arguments of one command that comes to the same as two with these; nothing when there is none. */
type Merge = (a: Arguments, b: Arguments) => Arguments | undefined;

const joined: Merge = (a, b) => (a.length > 0 && b.length > 0 ? [...a, ...b] : undefined);

const MERGES: Readonly<Record<string, Merge>> = {
  SET: (a, b) => (a.length === 1 && b.length === 1 ? b : undefined),
  DEL: (_, b) => b,
  // One that lies in the past deletes the key.
  PEXPIRE: (a, b) => (a.length === 1 && b.length === 1 && Number(a[0]) > 0 ? b : undefined),
  INCRBY: (a, b) => (a.length === 1 && b.length === 1 ? sum(a, b, 0) : undefined),
  HSET: (a, b) => (a.length % 2 === 0 && b.length % 2 === 0 ? joined(a, b) : undefined),
  HINCRBY: (a, b) => (a.length === 2 && b.length === 2 && a[0] === b[0] ? sum(a, b, 1) : undefined),
  ZINCRBY: (a, b) => (a.length === 2 && b.length === 2 && a[1] === b[1] ? sum(a, b, 0) : undefined),
  LPUSH: joined,
  RPUSH: joined,
  SADD: joined,
  ZREM: joined,
  recent: (a, b) => (haveSameBounds(a, b) ? recent(a, b) : undefined),
  rank: (a, b) => (haveSameBounds(a, b) && a[2] === b[2] ? [...a, ...b.slice(3)] : undefined),
};

/** Whole numbers only: of others, adding in another order gives another sum. */
function sum(a: Arguments, b: Arguments, at: number): Arguments | undefined {
  const [x, y] = [a[at], b[at]];
  return isWhole(x) && isWhole(y) && isWhole(x + y) ? a.with(at, x + y) : undefined;
}

function isWhole(value: Arguments[number] | undefined): value is number {
  return Number.isSafeInteger(value);
}

function haveSameBounds(a: Arguments, b: Arguments): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

/** Each member once, where it came last; no more of them than the list keeps. */
function recent(a: Arguments, b: Arguments): Arguments {
  const bounds = a.slice(0, 2);
  const members = [...new Set([...a.slice(2), ...b.slice(2)].reverse())].slice(0, Number(a[0]));
  return [...bounds, ...members.reverse()];
}
