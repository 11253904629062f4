import type { Beginning, Resume } from '../../position.ts';

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
 * Whether a shard takes in records still, by a list of all. One that has just ended may be listed as open beside its children.
 * https://github.com/awslabs/amazon-kinesis-client/issues/210
 */
export function isListedOpen(shard: string, all: readonly Shard[]): boolean {
  return all.some(({ id, isOpen }) => id === shard && isOpen) && !all.some(({ parents }) => parents.includes(shard));
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
  /** By parent: a stream that reshards each day and keeps a year has tens of thousands of shards, too many to look through for each. */
  readonly #children = new Map<string, Entry[]>();
  /** Those whose turn may have come since it was asked for last. */
  readonly #candidates = new Set<Entry>();
  #unread = 0;
  /** By shard that is no longer listed, where its reading stood. */
  readonly #gone = new Map<string, Resume>();

  /** Takes in what the stream listed; shards it knows already stay as they are. */
  add(shards: Iterable<Shard>): void {
    for (const shard of shards) {
      if (this.#shards.has(shard.id)) continue;
      const entry: Entry = { shard, state: 'waiting', resume: undefined };
      this.#shards.set(shard.id, entry);
      this.#candidates.add(entry);
      this.#unread++;
      for (const parent of shard.parents) {
        const children = this.#children.get(parent);
        if (children) children.push(entry);
        else this.#children.set(parent, [entry]);
      }
    }
  }

  /** The shards whose turn has come, each handed out once. */
  takeReady(): Shard[] {
    const ready: Shard[] = [];
    for (const entry of this.#candidates) {
      if (entry.state !== 'waiting' || this.#parents(entry).some(({ state }) => state !== 'settled')) continue;
      entry.state = 'reading';
      ready.push(entry.shard);
    }
    this.#candidates.clear();
    return ready;
  }

  /** The parents of a shard that no list had: they are past retention, if all shards were listed since it came. */
  unlistedParents(id: string): string[] {
    return this.#shards.get(id)!.shard.parents.filter((parent) => !this.#shards.has(parent));
  }

  /** Whether a list had one of its parents. */
  hasListedParents(id: string): boolean {
    return this.#parents(this.#shards.get(id)!).length > 0;
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
    this.#unread--;
  }

  /** Notes that all of a shard that was read to its end is settled: its children's turn may have come. */
  settle(id: string): void {
    const entry = this.#shards.get(id)!;
    if (entry.state === 'reading') this.#unread--;
    entry.state = 'settled';
    for (const child of this.#children.get(id) ?? []) this.#candidates.add(child);
  }

  has(id: string): boolean {
    return this.#shards.has(id);
  }

  /** The children of a shard that are known by now. */
  childrenOf(id: string): string[] {
    return (this.#children.get(id) ?? []).map(({ shard }) => shard.id);
  }

  /** True when every shard was read to its end. */
  get isOver(): boolean {
    return this.#unread === 0;
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
