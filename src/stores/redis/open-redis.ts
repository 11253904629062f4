import { randomUUID } from 'node:crypto';
import type { RejectReason } from '../../event.ts';
import { type Resume, formatResume } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import { BatchScript } from './batch-script.ts';
import type { Batch, CommandFault, KeptReject, OpenCommandStore, Place } from '../command-store.ts';
import type { Merged } from '../commands/merge-commands.ts';
import { type RedisClient, RedisError, type Sendable } from './client.ts';
import type { RedisKeys } from './keys.ts';
import { RedisPositions } from './positions.ts';
import { BATCH } from './script.ts';
import { ScoreMemory } from './score-memory.ts';

export interface OpenRedisOptions {
  readonly rememberScores?: number;
  /** Nothing for good. */
  readonly keepRejectsMs?: number | undefined;
}

/** A store at work on one server, or, with the keys of a cluster, on the slot of its positions and rejects. */
export class OpenRedis implements OpenCommandStore {
  /** The server goes on with one while another is made ready and an answer is read. Each takes place right behind the one before it, or not at all. */
  readonly callsAtOnce = 3;
  readonly #client: RedisClient;
  readonly #keys: RedisKeys;
  readonly #positions: RedisPositions;
  readonly #script: BatchScript;
  readonly #memory: ScoreMemory | undefined;
  /** So many calls more do without it, and need not come right behind the one before, but for those that belong to it. */
  #plainCalls = 0;
  /** Tells this run's calls from those of others. */
  readonly #run = randomUUID();
  #calls = 0;
  /** The call that was sent last; nothing when nobody knows which have taken place. */
  #lastCall = '';
  /** Why no call may go on. */
  #broken: Error | undefined;

  readonly #keepRejectsMs: number | undefined;

  /** @param rememberScores about how many; they are only good while nobody else changes their sets */
  constructor(client: RedisClient, keys: RedisKeys, { rememberScores = 0, keepRejectsMs }: OpenRedisOptions = {}) {
    this.#keepRejectsMs = keepRejectsMs;
    this.#client = client;
    this.#memory = rememberScores > 0 ? new ScoreMemory(rememberScores) : undefined;
    this.#keys = keys;
    this.#positions = new RedisPositions(client, keys, keepRejectsMs !== undefined);
    this.#script = new BatchScript(client, BATCH, rememberScores > 0);
  }

  /** Where this run left a shard. */
  stands(owner: Owner, shard: string): Resume | undefined {
    return this.#positions.stands(owner, shard);
  }

  acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    return this.#positions.acquire(owner, shard);
  }

  positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    this.#settle();
    return this.#positions.read(owner, shards);
  }

  async execute(owner: Owner, batch: Batch): Promise<readonly CommandFault[]> {
    if (!batch.goesOn) this.#settle();
    if (this.#broken) throw transient('a call before this one has failed', { cause: this.#broken });
    try {
      return await this.#execute(owner, batch);
    } catch (error) {
      this.#broken ??= error as Error;
      this.#lastCall = '';
      this.#memory?.forgetAll();
      throw error;
    }
  }

  async #execute(owner: Owner, { events, commands, rejects = [], positions, goesOn }: Batch): Promise<readonly CommandFault[]> {
    const args: Sendable[] = [this.#keys.rejectPrefix(owner), aboutOf(events, commands), positions.size];
    const moves = this.#positions.moves(owner, positions);
    for (const { shard, from, to } of moves) args.push(shard, from, to.text);
    const keys = [this.#keys.positions(owner), this.#keys.rejects(owner), this.#keys.lastCall(owner)];
    // In a cluster a key that is not there yet has to be named while its slot is on its way to another node.
    for (const reject of rejects) keys.push(this.#keys.reject(owner, reject, reject.why.step));
    const thisCall = `${this.#run} ${++this.#calls}`;
    const isPlain = this.#plainCalls > 0;
    const memory = isPlain ? undefined : this.#memory;
    if (isPlain) this.#plainCalls--;
    const keepings = rejects.flatMap((reject) => this.#keeping(owner, reject));
    args.push(isPlain && !goesOn ? '' : this.#lastCall, thisCall, keepings.length, this.#keepRejectsMs ?? '');
    const call = memory?.begin(Date.now());
    const running = this.#script.run(keys, args, (writer) => {
      for (const [name, key, ...rest] of keepings) writer.addCommand(name, key, rest);
      for (const { command } of commands) {
        this.#script.know(command);
        if (memory) memory.write(command, writer);
        else writer.addCommand(command.name, command.key, command.args);
      }
      args.push(memory?.end(writer) ? 1 : 0);
    });
    this.#positions.send(moves);
    this.#lastCall = thisCall;
    const [refused, told] = await this.#answered(owner, positions, running);
    this.#positions.moved(moves);
    if (call !== undefined) {
      this.#memory!.answered(call);
      for (let i = 0; i < told.length; i += 2) {
        const place = Number(told[i]);
        this.#memory!.learn(commands[place]!.command, [call, place], String(told[i + 1]));
      }
    }
    const faults: CommandFault[] = [];
    for (let i = 0; i < refused.length; i += 2) {
      const stands = commands[Number(refused[i])]!;
      this.#memory?.forget(stands.command);
      faults.push(faultOf(stands, String(refused[i + 1])));
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
    await this.#client.callAll(rejects.flatMap((reject) => this.#keeping(owner, reject)));
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  /** The commands that keep a reject, and change nothing when it is kept. */
  #keeping(owner: Owner, reject: KeptReject): [name: string, key: string, ...args: Sendable[]][] {
    const { arrivedAtMs, why, raw } = reject;
    const { step, code, reason, path = '' } = why;
    const key = this.#keys.reject(owner, reject, step);
    const fields = { step, code, reason, path, raw: Buffer.from(raw), arrived_at: new Date(arrivedAtMs).toISOString() };
    return [
      ['HSET', key, ...Object.entries(fields).flat()],
      ['ZADD', this.#keys.rejects(owner), arrivedAtMs, key],
      ...(this.#keepRejectsMs === undefined ? [] : [['PEXPIRE', key, this.#keepRejectsMs] as [string, string, number]]),
    ];
  }

  /** What a call had refused, and what it told of keys: each time the place of a command, and a text. */
  async #answered(owner: Owner, positions: Batch['positions'], running: Promise<unknown>): Promise<[Answer, Answer]> {
    const { where } = this.#client;
    try {
      return (await running) as [Answer, Answer];
    } catch (error) {
      const reply = error instanceof RedisError ? error.reply : '';
      if (reply.startsWith('FORGET')) {
        this.#plainCalls = PLAIN_CALLS;
        throw transient(`${where}: ${reply.slice(7)}`);
      }
      const [, nth, text] = /^STANDS (\d+) (.*)$/.exec(reply) ?? [];
      if (nth === undefined) throw error;
      this.#positions.check(owner, [...positions.keys()][Number(nth) - 1]!, text!);
      // A call that was thought lost has run meanwhile, or the one before this has failed; whoever asks for positions now learns so.
      throw transient(`${where}: stands at ${text}, not where expected`);
    }
  }

  /** Nothing is under way, and what has taken place is what was answered, or will be asked for. */
  #settle(): void {
    this.#positions.settle();
    this.#broken = undefined;
  }
}

/**
 * Where sets vanish again and again, as keys expire or are evicted, remembering them must not make every call fail once. Nor must looking at the call
 * before, where another run of the pipeline is at work on other shards: of other files, or of another range of an archive.
 */
const PLAIN_CALLS = 1_000;

function transient(message: string, options?: ErrorOptions): Error {
  return Object.assign(new Error(message, options), { isTransient: true });
}

type Answer = readonly (string | number)[];

/** A line for each event, and after an empty one for each command the events it stands for. */
function aboutOf(events: Batch['events'], commands: readonly Merged[]): string {
  let about = '';
  for (const { position, arrivedAtMs } of events) about += `${arrivedAtMs} ${formatResume(position)} ${position.shard}\n`;
  about += '\n';
  for (const { events: numbers } of commands) about += `${numbers.length === 1 ? numbers[0] : numbers.join()}\n`;
  return about;
}

/** A refused command in the store's words: `WRONGTYPE Operation against a key…`. */
export function faultOf({ command, events }: Merged, reason: string): CommandFault {
  return { events, code: /^[A-Z]+/.exec(reason)?.[0] ?? 'ERR', reason, path: command.key };
}
