import type { BlockServer, LogState, SentBlock } from '../identities/block-server.ts';
import type { RedisClient } from './client.ts';
import { type Needed, refusing } from './needed.ts';

/** KEYS: where the log stands, a hash; its blocks, a list. Returns where it stands, and how many blocks there are. */
const STATE = `
local state = redis.call('HMGET', KEYS[1], 'epoch', 'first', 'last')
return { state[1] or '0', state[2] or '1', state[3] or '0', redis.call('LLEN', KEYS[2]) }
`;

/** The same; ARGV: what its user has to be allowed. To learn in the middle of an append that it may not would leave the log damaged. */
const STANDS = `${refusing('ARGV[1]')}${STATE}`;

/** KEYS as above; ARGV: the epoch that was seen. Returns the same as above, or nothing when it is another one by now. */
const TAKE_OVER = `
if (redis.call('HGET', KEYS[1], 'epoch') or '0') ~= ARGV[1] then return false end
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
${STATE}`;

/** KEYS as above; ARGV: epoch, id, the block, the id of the first that stays. Returns where the log stands then. */
const APPEND = `
local state = redis.call('HMGET', KEYS[1], 'epoch', 'first', 'last')
local epoch, first, last = state[1] or '0', state[2] or '1', state[3] or '0'
if epoch ~= ARGV[1] or tonumber(last) + 1 ~= tonumber(ARGV[2]) then return { epoch, first, last } end
redis.call('HSET', KEYS[1], 'first', ARGV[4], 'last', ARGV[2])
redis.call('RPUSH', KEYS[2], ARGV[3])
redis.call('LTRIM', KEYS[2], ARGV[4] - first, -1)
return { epoch, ARGV[4], ARGV[2] }
`;

/** Before its sights, a block in the list has the time of the newest: a double of 8 bytes, little-endian. */
const TIME_BYTES = 8;

/** One log of what `dedupe` has seen, in two keys of one slot. */
export class RedisIdentityBlocks implements BlockServer {
  readonly #client: RedisClient;
  readonly #keys: readonly [state: string, blocks: string];
  /** The id of the block that is first in the list. */
  #first = 1;

  constructor(client: RedisClient, log: string) {
    this.#client = client;
    this.#keys = [`millrace:identities:{${log}}`, `millrace:identities:{${log}}:blocks`];
  }

  async stands(): Promise<LogState> {
    return this.#stateOf(await this.#client.call('EVAL', [STANDS, 2, ...this.#keys, JSON.stringify(this.#needed())]));
  }

  async takeOver(seen: number): Promise<LogState | undefined> {
    const answer = await this.#client.call('EVAL', [TAKE_OVER, 2, ...this.#keys, seen]);
    return answer === null ? undefined : this.#stateOf(answer);
  }

  async read(first: number, last: number): Promise<readonly SentBlock[]> {
    const range = [first - this.#first, last - this.#first];
    const blocks = (await this.#client.callForBytes('LRANGE', [this.#keys[1], ...range])) as readonly Buffer[];
    return blocks.map((block, i) => ({
      id: first + i,
      newestMs: block.readDoubleLE(0),
      bytes: block.subarray(TIME_BYTES),
    }));
  }

  async append(epoch: number, { id, newestMs, bytes }: SentBlock, firstId: number): Promise<LogState> {
    const block = Buffer.allocUnsafe(TIME_BYTES + bytes.length);
    block.writeDoubleLE(newestMs, 0);
    block.set(bytes, TIME_BYTES);
    const answer = await this.#client.call('EVAL', [APPEND, 2, ...this.#keys, epoch, id, block, firstId]);
    const [stored, first, last] = (answer as readonly (string | number)[]).map(Number) as [number, number, number];
    this.#first = first;
    return { epoch: stored, first, last };
  }

  #needed(): readonly Needed[] {
    const [state, blocks] = this.#keys;
    const ofState = ['HGET', 'HMGET', 'HSET', 'HINCRBY'].map((name): Needed => [name, state]);
    return [...ofState, ...['LLEN', 'LRANGE', 'RPUSH', 'LTRIM'].map((name): Needed => [name, blocks])];
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  #stateOf(answer: unknown): LogState {
    const [epoch, first, last, length] = (answer as readonly (string | number)[]).map(Number) as [number, number, number, number];
    if (length !== last - first + 1)
      throw new Error(
        `${this.#client.where}: expected ${last - first + 1} blocks in ${this.#keys[1]}, got ${length}: one of the two keys of this log was changed or ` +
          'deleted. Delete both, and repeats of what was seen so far pass',
      );
    this.#first = first;
    return { epoch, first, last };
  }
}
