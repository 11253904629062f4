import { FencedError, WentBackError } from '../errors.ts';
import { type RejectReason, type Resume, compareResumes, formatResume, parseResume } from '../event.ts';
import type { Owner } from '../owner.ts';
import { BatchScript } from './batch-script.ts';
import type { Batch, CommandFault, KeptReject, OpenCommandStore, Place } from './command-store.ts';
import type { Merged } from './merge-commands.ts';
import { type RedisClient, RedisError } from './redis-client.ts';
import type { Sendable } from './resp-writer.ts';
import type { RedisKeys } from './redis-keys.ts';
import { ACQUIRE, BATCH } from './redis-script.ts';

/** A store at work on one server, or, with the keys of a cluster, on the slot of its positions and rejects. */
export class OpenRedis implements OpenCommandStore {
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  /** Each shard's field of positions as this run left it. */
  readonly #fields = new Map<string, Field>();
  readonly #script: BatchScript;

  constructor(client: RedisClient, keys: RedisKeys) {
    this.#client = client;
    this.#keys = keys;
    this.#script = new BatchScript(client, BATCH);
  }

  /** Where this run left a shard. */
  stands(owner: Owner, shard: string): Resume | undefined {
    return this.#field(owner, shard).resume;
  }

  async acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    const key = this.#keys.positions(owner);
    // Whoever finds another epoch than it has read tries again: each time, some other run has come in between.
    for (;;) {
      const stored = (await this.#client.call('HGET', [key, shard])) as string | null;
      const { epoch } = fieldOf(shard, stored ?? '');
      const text = (await this.#client.call('EVAL', [ACQUIRE, 1, key, shard, epoch])) as string | null;
      if (text === null) continue;
      const field = fieldOf(shard, text);
      this.#fields.set(keyOf(owner, shard), field);
      return field.resume;
    }
  }

  async positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    const asked = [...shards];
    if (asked.length === 0) return new Map();
    const texts = (await this.#client.call('HMGET', [this.#keys.positions(owner), ...asked])) as (string | null)[];
    const found = new Map<string, Resume>();
    for (const [i, shard] of asked.entries()) {
      const field = this.#checked(owner, shard, texts[i] ?? '');
      this.#fields.set(keyOf(owner, shard), field);
      if (field.resume) found.set(shard, field.resume);
    }
    return found;
  }

  async execute(owner: Owner, { events, commands, rejects = [], positions }: Batch): Promise<readonly CommandFault[]> {
    const next = new Map<string, Field>();
    const args: Sendable[] = [this.#keys.rejectPrefix(owner), '', positions.size];
    for (const [shard, resume] of positions) {
      const { epoch, text } = this.#field(owner, shard);
      const field = { epoch, resume, text: `${epoch} ${formatResume(resume)}` };
      next.set(shard, field);
      args.push(shard, text, field.text);
    }
    let about = '';
    for (const { position, arrivedAtMs } of events) about += `${arrivedAtMs} ${formatResume(position)} ${position.shard}\n`;
    about += '\n';
    for (const { command, events: numbers } of commands) {
      about += `${numbers.join()}\n`;
      this.#script.know(command);
      args.push(command.name, command.args.length + 1, command.key);
      for (const arg of command.args) args.push(arg);
    }
    args[1] = about;
    const keys = [this.#keys.positions(owner), this.#keys.rejects(owner)];
    for (const reject of rejects) {
      // In a cluster a key that is not there yet has to be named while its slot is on its way to another node.
      keys.push(this.#keys.reject(owner, reject, reject.why.step));
      for (const [name, ...rest] of keeping(this.#keys, owner, reject)) args.push(name, rest.length, ...rest);
    }
    const refused = await this.#run(owner, positions, keys, args);
    for (const [shard, field] of next) this.#fields.set(keyOf(owner, shard), field);
    const faults: CommandFault[] = [];
    for (let i = 0; i < refused.length; i += 2) {
      const stands = commands[Number(refused[i])];
      if (stands) faults.push(faultOf(stands, String(refused[i + 1])));
    }
    return faults;
  }

  async rejected(owner: Owner, events: readonly Place[]): Promise<readonly (RejectReason | undefined)[]> {
    const kept = await this.#client.callAll(
      events.map((event) => ['HMGET', this.#keys.reject(owner, event, 'apply'), 'step', 'code', 'reason', 'path'] as const),
    );
    return (kept as (string | null)[][]).map(([step, code, reason, path]) =>
      step && code && reason ? { step, code, reason, ...(path && { path }) } : undefined,
    );
  }

  async keep(owner: Owner, rejects: readonly KeptReject[]): Promise<void> {
    await this.#client.callAll(rejects.flatMap((reject) => keeping(this.#keys, owner, reject)));
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #run(
    owner: Owner,
    positions: Batch['positions'],
    keys: readonly string[],
    args: readonly Sendable[],
  ): Promise<readonly (string | number)[]> {
    try {
      return (await this.#script.run(keys, args)) as (string | number)[];
    } catch (error) {
      const [, nth, text] = (error instanceof RedisError && /^STANDS (\d+) (.*)$/.exec(error.reply)) || [];
      if (nth === undefined) throw error;
      this.#checked(owner, [...positions.keys()][Number(nth) - 1]!, text!);
      // A call that was thought lost has run meanwhile; whoever asks for positions now learns so.
      throw Object.assign(new Error(`${this.#client.where}: stands at ${text}, further than expected`), { isTransient: true });
    }
  }

  #field(owner: Owner, shard: string): Field {
    const field = this.#fields.get(keyOf(owner, shard));
    if (!field) throw new Error(`${this.#client.where}: ${owner.pipeline}/${owner.sink} has not acquired ${shard}`);
    return field;
  }

  /** What a field says, when this run may still write to its shard and the store has lost nothing. */
  #checked(owner: Owner, shard: string, text: string): Field {
    const own = this.#field(owner, shard);
    const stored = fieldOf(shard, text);
    if (stored.epoch > own.epoch) throw new FencedError(this.#client.where, shard, own.epoch);
    if (stored.epoch < own.epoch || isLost(stored.resume, own.resume))
      throw new WentBackError(this.#client.where, shard, own.text, text || 'nothing');
    return stored;
  }
}

/** What the hash of positions says of a shard. */
interface Field {
  readonly epoch: number;
  readonly resume: Resume | undefined;
  readonly text: string;
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

/** A refused command in the store's words: `WRONGTYPE Operation against a key…`. */
export function faultOf({ command, events }: Merged, reason: string): CommandFault {
  return { events, code: /^[A-Z]+/.exec(reason)?.[0] ?? 'ERR', reason, path: command.key };
}

/** The commands that keep a reject, and change nothing when it is kept. */
function keeping(keys: RedisKeys, owner: Owner, reject: KeptReject): [name: string, ...args: Sendable[]][] {
  const { arrivedAtMs, why, raw } = reject;
  const { step, code, reason, path = '' } = why;
  const key = keys.reject(owner, reject, step);
  const fields = { step, code, reason, path, raw: Buffer.from(raw), arrived_at: new Date(arrivedAtMs).toISOString() };
  return [
    ['HSET', key, ...Object.entries(fields).flat()],
    ['ZADD', keys.rejects(owner), arrivedAtMs, key],
  ];
}

function keyOf({ pipeline, sink }: Owner, shard: string): string {
  return JSON.stringify([pipeline, sink, shard]);
}
