import type { Command } from '../commands.ts';
import { type Needed, neededBy, neededToRead } from './needed.ts';

/** Of a name so many beginnings are asked for: where each visitor's keys begin otherwise, rights are hardly given by that. */
const MOST_BEGINNINGS = 64;
/** Stands for any command that looks at a key. */
const READS = 'reads';

/** What a call asks whether its user may run it. */
export interface Asked {
  /** As JSON; empty when there is nothing to ask. */
  readonly needed: string;
  /** To be called when it was answered. */
  readonly granted: () => void;
}

/** Knows what a user may run for certain, and what is to be asked: for each name of a command, and each beginning of its keys. */
export class Rights {
  readonly #remembers: boolean;
  readonly #permitted = new Beginnings();
  #asking = new Beginnings();
  #needed: Needed[] = [];

  /** @param remembers whether scores are remembered, which takes more commands */
  constructor(remembers: boolean) {
    this.#remembers = remembers;
  }

  /** To be told of each command before its call is sent. */
  need(command: Command): void {
    const { name, key, reads } = command;
    if (!this.#permitted.has(name, key) && this.#isNew(name, key)) this.#needed.push(...neededBy(command, this.#remembers));
    if (reads !== undefined && !this.#permitted.has(READS, reads) && this.#isNew(READS, reads))
      this.#needed.push(...neededToRead(reads, this.#remembers));
  }

  /** What the call at hand asks. */
  take(): Asked {
    const [asking, needed] = [this.#asking, this.#needed];
    if (!asking.isEmpty) this.#asking = new Beginnings();
    this.#needed = [];
    return { needed: needed.length === 0 ? '' : JSON.stringify(needed), granted: () => this.#permitted.addAll(asking) };
  }

  #isNew(name: string, key: string): boolean {
    return !this.#asking.has(name, key) && this.#asking.add(name, key);
  }
}

/** For each name of a command, how keys begin: up to their first colon, as the patterns do by which rights are given (`~viewed:*`). */
class Beginnings {
  readonly #of = new Map<string, string[]>();

  get isEmpty(): boolean {
    return this.#of.size === 0;
  }

  has(name: string, key: string): boolean {
    const known = this.#of.get(name);
    if (!known) return false;
    if (known.length >= MOST_BEGINNINGS) return true;
    for (let i = 0; i < known.length; i++) {
      const one = known[i]!;
      if (one === '' ? !key.includes(':') : key.startsWith(one)) return true;
    }
    return false;
  }

  add(name: string, key: string): true {
    const known = this.#of.get(name) ?? [];
    known.push(key.slice(0, key.indexOf(':') + 1));
    this.#of.set(name, known);
    return true;
  }

  addAll(others: Beginnings): void {
    for (const [name, beginnings] of others.#of) for (const one of beginnings) if (!this.has(name, one)) this.add(name, one);
  }
}
