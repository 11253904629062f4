import { FencedError, WentBackError } from '../errors.ts';
import { type RejectReason, type Resume, compareResumes, formatResume, parseResume } from '../event.ts';
import type { LookupSource } from '../operators/lookup-source.ts';
import type { Owner } from '../owner.ts';
import type { Batch, CommandFault, CommandStore, KeptReject, OpenCommandStore, Place } from './command-store.ts';
import type { Script, ScriptCommand } from './commands.ts';
import { RedisClient, RedisError } from './redis-client.ts';
import { RedisReads } from './redis-reads.ts';
import { ACQUIRE, batchScript } from './redis-script.ts';

export interface RedisOptions {
  /** How long the server may be silent while it is to answer, in milliseconds, before it counts as gone. @default 10_000 */
  readonly timeoutMs?: number;
}

/**
 * A Redis server, 7 or later: each batch is one call of a script that checks the epoch, moves the positions and runs the commands, so that
 * they are there together or not at all. What a server that failed over has lost, it has lost with the positions, and the run goes back.
 *
 * Keys of its own, which nobody may evict:
 * - `millrace:positions:<pipeline>:<sink>`, a hash: by shard, `<epoch> <position>`;
 * - `millrace:rejects:<pipeline>`, a sorted set of the keys of rejects, by arrival in milliseconds;
 * - `millrace:reject:<pipeline>:<sink>:<shard>:<position>:<step>`, a hash: `step`, `code`, `reason`, `path`, `arrived_at`, `raw` (the record's bytes) and, of
 *   a command that was refused, `command` (JSON). One whose run was killed in that very moment has a `command` and no `raw`.
 *
 * @param url `redis://user:password@host:port/database`, or `rediss://` for TLS
 * @throws {TypeError} when it is a URL of another kind; the message does not show it
 */
export function redis(url: string, { timeoutMs = 10_000 }: RedisOptions = {}): CommandStore & LookupSource {
  const parsed = URL.parse(url);
  if (!parsed || !/^rediss?:$/.test(parsed.protocol) || !parsed.host)
    throw new TypeError('redis: expected a URL like redis://user:password@host:6379/0');
  const { protocol, host, pathname } = parsed;
  return {
    describe: `${protocol}//${host}${pathname === '/' ? '' : pathname}`,
    async open() {
      const client = new RedisClient(url, { timeoutMs });
      await client.open();
      try {
        await checkServer(client);
      } catch (error) {
        client.close();
        throw error;
      }
      return new OpenRedis(client);
    },
    openReads: () => new RedisReads(new RedisClient(url, { timeoutMs })),
  };
}

/** @throws {Error} when the server may throw positions away to make room; nothing when it does not let us ask */
async function checkServer(client: RedisClient): Promise<void> {
  const info = await client.call('INFO', ['memory']).catch((error: Error) => {
    if (error instanceof RedisError) return '';
    throw error;
  });
  const [, policy] = /^maxmemory_policy:(allkeys-\S+)/m.exec(String(info)) ?? [];
  if (policy && !/^maxmemory:0\b/m.test(String(info)))
    throw new Error(
      `${client.where}: expected a maxmemory-policy that evicts no key without expiry (noeviction, volatile-…), got ${policy}, which may evict positions`,
    );
}

class OpenRedis implements OpenCommandStore {
  readonly #client: RedisClient;
  /** Each shard's field of positions as this run left it. */
  readonly #fields = new Map<string, Field>();
  readonly #scripts = new Map<string, Script>();
  #batch = batchScript([]);

  constructor(client: RedisClient) {
    this.#client = client;
  }

  async acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    const text = await this.#client.call('EVAL', [ACQUIRE, 1, positionsOf(owner), shard]);
    const field = fieldOf(shard, String(text));
    this.#fields.set(keyOf(owner, shard), field);
    return field.resume;
  }

  async positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    const asked = [...shards];
    if (asked.length === 0) return new Map();
    const texts = (await this.#client.call('HMGET', [positionsOf(owner), ...asked])) as (string | null)[];
    const found = new Map<string, Resume>();
    for (const [i, shard] of asked.entries()) {
      const field = this.#checked(owner, shard, texts[i] ?? '');
      this.#fields.set(keyOf(owner, shard), field);
      if (field.resume) found.set(shard, field.resume);
    }
    return found;
  }

  async execute(owner: Owner, { events, commands, rejects = [], positions }: Batch): Promise<readonly CommandFault[]> {
    let about = '';
    for (const { position, arrivedAtMs } of events) about += `${arrivedAtMs} ${formatResume(position)} ${position.shard}\n`;
    about += '\n';
    const args: Argument[] = [];
    for (const { command, events: numbers } of commands) {
      about += `${numbers.join()}\n`;
      if ('script' in command) this.#know((command as ScriptCommand).script);
      args.push(command.name, command.args.length + 1, command.key);
      for (const arg of command.args) args.push(arg);
    }
    for (const [name, ...rest] of rejects.flatMap((reject) => keeping(owner, reject))) args.push(name, rest.length, ...rest);
    const next = new Map<string, Field>();
    const moves: string[] = [];
    for (const [shard, resume] of positions) {
      const { epoch, text } = this.#field(owner, shard);
      const field = { epoch, resume, text: `${epoch} ${formatResume(resume)}` };
      next.set(shard, field);
      moves.push(shard, text, field.text);
    }
    const refused = await this.#run(
      owner,
      positions,
      ([rejectKeyOf(owner), about, positions.size, ...moves] as Argument[]).concat(args),
    );
    for (const [shard, field] of next) this.#fields.set(keyOf(owner, shard), field);
    const faults: CommandFault[] = [];
    for (let i = 0; i < refused.length; i += 2) faults.push(faultOf(Number(refused[i]), String(refused[i + 1])));
    return faults;
  }

  async rejected(owner: Owner, events: readonly Place[]): Promise<readonly (RejectReason | undefined)[]> {
    const kept = await this.#client.callAll(
      events.map((event) => ['HMGET', rejectOf(owner, event, 'apply'), 'step', 'code', 'reason', 'path'] as const),
    );
    return (kept as (string | null)[][]).map(([step, code, reason, path]) =>
      step && code && reason ? { step, code, reason, ...(path && { path }) } : undefined,
    );
  }

  async keep(owner: Owner, rejects: readonly KeptReject[]): Promise<void> {
    await this.#client.callAll([['MULTI'], ...rejects.flatMap((reject) => keeping(owner, reject)), ['EXEC']]);
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #know(script: Script): void {
    const known = this.#scripts.get(script.name);
    if (known === script) return;
    if (known && known.lua !== script.lua)
      throw new TypeError(`${this.#client.where}: expected one script of the name ${script.name}, got two`);
    this.#scripts.set(script.name, script);
    this.#batch = batchScript(this.#scripts.values());
  }

  async #run(owner: Owner, positions: Batch['positions'], args: readonly Argument[]): Promise<readonly (string | number)[]> {
    try {
      return (await this.#eval([2, positionsOf(owner), rejectListOf(owner), ...args])) as (string | number)[];
    } catch (error) {
      const [, nth, text] = (error instanceof RedisError && /^STANDS (\d+) (.*)$/.exec(error.reply)) || [];
      if (nth === undefined) throw error;
      this.#checked(owner, [...positions.keys()][Number(nth) - 1]!, text!);
      // A call that was thought lost has run meanwhile; whoever asks for positions now learns so.
      throw Object.assign(new Error(`${this.#client.where}: stands at ${text}, further than expected`), { isTransient: true });
    }
  }

  async #eval(args: readonly Argument[]): Promise<unknown> {
    const { sha, lua } = this.#batch;
    try {
      return await this.#client.call('EVALSHA', [sha, ...args]);
    } catch (error) {
      // The server was restarted, or another one has taken its place: it gets the script anew.
      if (error instanceof RedisError && error.reply.startsWith('NOSCRIPT')) return this.#client.call('EVAL', [lua, ...args]);
      throw error;
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

/** What goes to the server. */
type Argument = string | number | Buffer;

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
function faultOf(index: number, reason: string): CommandFault {
  return { index, code: /^[A-Z]+/.exec(reason)?.[0] ?? 'ERR', reason };
}

function positionsOf({ pipeline, sink }: Owner): string {
  return `millrace:positions:${pipeline}:${sink}`;
}

function rejectKeyOf({ pipeline, sink }: Owner): string {
  return `millrace:reject:${pipeline}:${sink}:`;
}

function rejectOf(owner: Owner, { position }: Place, step: string): string {
  return `${rejectKeyOf(owner)}${position.shard}:${formatResume(position)}:${step}`;
}

/** The commands that keep a reject, and change nothing when it is kept. */
function keeping(owner: Owner, reject: KeptReject): [name: string, ...args: Argument[]][] {
  const { arrivedAtMs, why, raw } = reject;
  const { step, code, reason, path = '' } = why;
  const key = rejectOf(owner, reject, step);
  const fields = { step, code, reason, path, raw: Buffer.from(raw), arrived_at: new Date(arrivedAtMs).toISOString() };
  return [
    ['HSET', key, ...Object.entries(fields).flat()],
    ['ZADD', rejectListOf(owner), arrivedAtMs, key],
  ];
}

function rejectListOf({ pipeline }: Owner): string {
  return `millrace:rejects:${pipeline}`;
}

function keyOf({ pipeline, sink }: Owner, shard: string): string {
  return JSON.stringify([pipeline, sink, shard]);
}
