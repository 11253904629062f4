import type { Beginning, Resume } from '../position.ts';

/** A shard as its stream lists it. */
export interface Shard {
  readonly id: string;
  /** The shards it was split or merged from; those that the stream no longer keeps may be missing from the list. */
  readonly parents: readonly string[];
  /** Which hash keys its records have: decimal numbers, both included. */
  readonly hashKeys?: { readonly first: string; readonly last: string } | undefined;
  /** The least sequence number it can have, where the stream tells. */
  readonly startsAt?: string | undefined;
  /** True while it takes in records; unknown when left out. */
  readonly isOpen?: boolean | undefined;
}

/**
 * Knows in which order shards may be read: a child only after all of its parents is settled, so that the records of one key
 * stay in order through splits and merges. A parent that is not listed is past retention, and nobody waits for it; where the
 * sinks stand in it still tells where its children begin.
 *
 * It may be told of shards, the same ones again or new ones, at any time: that is how a stream that reshards while it is read is followed.
 */
export class ShardSet {
  readonly #shards = new Map<string, Entry>();
  /** By shard that is no longer listed, where its reading stood. */
  readonly #gone = new Map<string, Resume>();

  /** Takes in what the stream listed; shards it knows already stay as they are. */
  add(shards: Iterable<Shard>): void {
    for (const shard of shards)
      if (!this.#shards.has(shard.id)) this.#shards.set(shard.id, { shard, state: 'waiting', resume: undefined });
  }

  /** The shards whose turn has come, each handed out once. */
  takeReady(): Shard[] {
    const ready: Shard[] = [];
    for (const entry of this.#shards.values()) {
      if (entry.state !== 'waiting' || this.#parents(entry).some(({ state }) => state !== 'settled')) continue;
      entry.state = 'reading';
      ready.push(entry.shard);
    }
    return ready;
  }

  /** The parents of a shard that no list had: they are past retention, if all shards were listed since it came. */
  unlistedParents(id: string): string[] {
    return this.#shards.get(id)!.shard.parents.filter((parent) => !this.#shards.has(parent));
  }

  /** Notes where the sinks stand in a shard that the stream no longer keeps. */
  remember(id: string, resume: Resume): void {
    this.#gone.set(id, resume);
  }

  /**
   * Where a shard begins that no sink knows. A child begins with its oldest record: all of them come after the parent's.
   * But when its parents' reading began at a time, which may be after they were closed, then it begins at that time too.
   */
  beginningOf(id: string, start: Beginning): Beginning {
    const { parents } = this.#shards.get(id)!.shard;
    const resumes = parents.flatMap((parent) => this.#shards.get(parent)?.resume ?? this.#gone.get(parent) ?? []);
    if (resumes.length === 0) return start;
    const times = resumes.flatMap((resume) => (resume instanceof Date ? [resume.getTime()] : []));
    return times.length === resumes.length ? new Date(Math.min(...times)) : 'TRIM_HORIZON';
  }

  /** Notes where reading of a shard began. */
  began(id: string, resume: Resume): void {
    this.#shards.get(id)!.resume = resume;
  }

  /** Notes that a shard was read to its end. */
  end(id: string): void {
    this.#shards.get(id)!.state = 'ended';
  }

  /** Notes that all of a shard that was read to its end is settled: its children's turn may have come. */
  settle(id: string): void {
    this.#shards.get(id)!.state = 'settled';
  }

  has(id: string): boolean {
    return this.#shards.has(id);
  }

  hasChildren(id: string): boolean {
    return [...this.#shards.values()].some(({ shard }) => shard.parents.includes(id));
  }

  /** True when every shard was read to its end. */
  get isOver(): boolean {
    return [...this.#shards.values()].every(({ state }) => state === 'ended' || state === 'settled');
  }

  #parents({ shard }: Entry): Entry[] {
    return shard.parents.flatMap((id) => this.#shards.get(id) ?? []);
  }
}

interface Entry {
  readonly shard: Shard;
  state: 'waiting' | 'reading' | 'ended' | 'settled';
  resume: Resume | undefined;
}
