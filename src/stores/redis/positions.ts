import { FencedError, WentBackError } from '../../errors.ts';
import { type Owner, keyOf } from '../../owner.ts';
import { type Resume, type Standing, compareResumes, formatResume, parseResume } from '../../position.ts';
import type { RedisClient } from './client.ts';
import type { RedisKeys } from './keys.ts';
import { neededByOwner } from './needed.ts';
import { ACQUIRE } from './script.ts';

/** How a call moves a shard. */
interface Move {
  readonly key: string;
  readonly shard: string;
  /** Its field when the call comes, as far as this run knows. */
  readonly from: string;
  readonly to: Field;
}

/** Where owners stand in shards, by the hash of positions: as this run left it, and as calls that are under way will leave it. */
export class RedisPositions {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #rejectsVanish: boolean;
  /** Each shard's field as this run left it. */
  readonly #fields = new Map<string, Field>();
  /** How calls that are under way will leave it. */
  readonly #sent = new Map<string, Field>();
  /** Of each owner, the shards that it has acquired. */
  readonly #acquired = new Map<string, Set<string>>();

  /** @param rejectsVanish whether rejects are kept for a time only, which takes more rights */
  constructor(client: RedisClient, keys: RedisKeys, rejectsVanish: boolean) {
    this.#client = client;
    this.#keys = keys;
    this.#rejectsVanish = rejectsVanish;
  }

  /** Where this run left a shard. */
  stands(owner: Owner, shard: string): Resume | undefined {
    return this.#field(owner, shard).resume;
  }

  async acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    const key = this.#keys.positions(owner);
    const needed = JSON.stringify(neededByOwner(this.#keys, owner, this.#rejectsVanish));
    // Whoever finds another epoch than it has read tries again: each time, some other run has come in between.
    for (;;) {
      const stored = (await this.#client.call('HGET', [key, shard])) as string | null;
      const { epoch } = fieldOf(shard, stored ?? '');
      const text = (await this.#client.call('EVAL', [ACQUIRE, 1, key, shard, epoch, needed])) as string | null;
      if (text === null) continue;
      const field = fieldOf(shard, text);
      this.#sent.delete(keyOf(owner, shard));
      this.#fields.set(keyOf(owner, shard), field);
      const acquired = this.#acquired.get(ownerKey(owner)) ?? new Set<string>();
      this.#acquired.set(ownerKey(owner), acquired.add(shard));
      return field.resume;
    }
  }

  async read(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    const asked = new Set(shards);
    if (asked.size === 0) return new Map();
    // A server that has lost something of one shard is met by a call of another: that may be the next to come for long.
    const all = [...asked.union(this.#acquired.get(ownerKey(owner)) ?? new Set<string>())];
    const texts = (await this.#client.call('HMGET', [this.#keys.positions(owner), ...all])) as (string | null)[];
    const found = new Map<string, Resume>();
    for (const [i, shard] of all.entries()) {
      const field = this.check(owner, shard, texts[i] ?? '', asked.has(shard));
      if (!asked.has(shard)) continue;
      this.#fields.set(keyOf(owner, shard), field);
      if (field.resume) found.set(shard, field.resume);
    }
    return found;
  }

  /** How a call that goes out behind those under way is to move positions. */
  moves(owner: Owner, positions: ReadonlyMap<string, Resume>): readonly Move[] {
    return Array.from(positions, ([shard, resume]) => {
      const key = keyOf(owner, shard);
      const { epoch, text } = this.#sent.get(key) ?? this.#field(owner, shard);
      return { key, shard, from: text, to: { epoch, resume, text: `${epoch} ${formatResume(resume)}` } };
    });
  }

  /** Takes note of a call that is under way. */
  send(moves: readonly Move[]): void {
    for (const { key, to } of moves) this.#sent.set(key, to);
  }

  /** Takes note of a call that has taken place. */
  moved(moves: readonly Move[]): void {
    for (const { key, to } of moves) this.#fields.set(key, to);
  }

  /** Nothing is under way. */
  settle(): void {
    this.#sent.clear();
  }

  /**
   * What a field says.
   *
   * @param isNeeded whether this run is to write to the shard
   * @throws {FencedError} when it may not any more, and needs to
   * @throws {WentBackError} when the store has lost what it had acknowledged
   */
  check(owner: Owner, shard: string, text: string, isNeeded = true): Field {
    const own = this.#field(owner, shard);
    const stored = fieldOf(shard, text);
    if (stored.epoch > own.epoch && !isNeeded) return stored;
    if (stored.epoch > own.epoch) throw new FencedError(this.#client.where, shard, own.epoch);
    if (stored.epoch < own.epoch || isLost(stored.resume, own.resume))
      throw new WentBackError(this.#client.where, shard, own.text, text || 'nothing');
    return stored;
  }

  #field(owner: Owner, shard: string): Field {
    const field = this.#fields.get(keyOf(owner, shard));
    if (!field) throw new Error(`${this.#client.where}: ${owner.pipeline}/${owner.sink} has not acquired ${shard}`);
    return field;
  }
}

/** What the hash of positions says of a shard. */
interface Field {
  readonly epoch: number;
  readonly resume: Resume | undefined;
  readonly text: string;
}

/** What the hash of positions says of all shards: each, then its field. */
export function standingsOf(hash: readonly string[]): readonly Standing[] {
  const standings: Standing[] = [];
  for (let i = 0; i < hash.length; i += 2) {
    const { epoch, resume } = fieldOf(hash[i]!, hash[i + 1]!);
    standings.push({ shard: hash[i]!, epoch, resume });
  }
  return standings.sort((a, b) => (a.shard < b.shard ? -1 : 1));
}

function fieldOf(shard: string, text: string): Field {
  const at = text.indexOf(' ');
  const resume = text.slice(at + 1);
  return { epoch: Number(text.slice(0, Math.max(at, 0))), resume: resume ? parseResume(shard, resume) : undefined, text };
}

function isLost(stored: Resume | undefined, own: Resume | undefined): boolean {
  if (!own) return false;
  return !stored || compareResumes(stored, own) < 0;
}

function ownerKey({ pipeline, sink }: Owner): string {
  return JSON.stringify([pipeline, sink]);
}
