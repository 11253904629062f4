import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Position } from '../../src/position.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { type TcpSwitch, startTcpSwitch } from '../support/tcp-switch.ts';
import { Act, type ActOptions, type Stage, openStage } from './act.ts';
import { type Fault, type Stretch, countFaults, positionIn, rejectFaults } from './checker.ts';
import { type Sent, isCovered, placeOf } from './oracle.ts';
import { historyFaults } from './redis-history.ts';
import { type FoundVisitors, fillProducts, readArrivals, readRejects, readVisitors, visitorFaults } from './visitor-evidence.ts';
import { type ExpectedVisitors, type Products, visitorKeysOf } from './visitor-oracle.ts';
import { productsOf } from './visitor-products.ts';

/** Few people, so that each does much: lists are cut, and what she bought is met again. */
const PEOPLE = 24;

interface Stores {
  readonly redis: RedisServer;
  /** The address that owners know. */
  readonly address: TcpSwitch;
  readonly products: Products;
}

/** An act of the realtime pipeline: a Redis server, which others take the place of. */
export class RealtimeAct extends Act {
  #redis: RedisServer;
  readonly #address: TcpSwitch;
  readonly #products: Products;
  readonly #replicas = new Set<RedisServer>();
  readonly #arrivals = new Map<string, number>();

  private constructor(options: ActOptions, stage: Stage, stores: Stores, settings: Readonly<Record<string, string>>) {
    const { rate = 100, file = 'pipelines/realtime.ts' } = options;
    super(options, stage, { file, rate, settings, people: PEOPLE });
    this.#redis = stores.redis;
    this.#address = stores.address;
    this.#products = stores.products;
  }

  static async open(options: ActOptions): Promise<RealtimeAct> {
    const stage = await openStage(options);
    const redis = await startRedis();
    const address = await startTcpSwitch(redis.port);
    const products = productsOf(stage.random);
    await fillProducts(redis.client, products);
    const url = await stage.before('redis', `redis://127.0.0.1:${address.port}`);
    const settings = {
      ...stage.settings,
      REDIS_URL: url,
      // Every other act is one of machines whose disks do not last.
      ...(options.number % 2 === 1 && { STATE_FILE: url }),
      ...options.settings,
    };
    return new RealtimeAct(options, stage, { redis, address, products }, settings);
  }

  /** Kills the server, and starts it again with all that it had acknowledged. */
  async restartRedis(): Promise<void> {
    // It may have begun as a replica.
    await this.#redis.restart({ replicaof: 'no one' });
  }

  /** Starts a server that follows the one there is; resolves when it has all of that. */
  async addReplica(): Promise<RedisServer> {
    const replica = await startRedis({ replicaOf: this.#redis.port });
    this.#replicas.add(replica);
    while (!(await replica.client.info('replication')).includes('master_link_status:up')) await sleep(10);
    return replica;
  }

  /** Ends the server; from now on the address leads to this one. */
  async promote(replica: RedisServer): Promise<void> {
    this.#address.to(replica.port);
    const old = this.#redis;
    this.#redis = replica;
    this.#replicas.delete(replica);
    for (const fault of await historyFaults(old.client)) this.fault(fault);
    await old.stop();
  }

  /** Plans that a batch meets a fault; resolves when one has, or after a while. */
  async batchMeets(kind: 'late' | 'drop-answer' | 'reset-answer' | 'reset-request' | 'silence', delayMs: number): Promise<void> {
    const hasCome = this.stage.weather.inject('redis', { kind, on: 'EVALSHA', bytes: 2000, delayMs });
    await Promise.race([hasCome, sleep(2000)]);
  }

  async checkAtRest(): Promise<ReadonlyMap<string, Position>> {
    const { found, standing, expected, covered } = await this.#evidence();
    // Rejects are kept before a position passes them, and may be there before that.
    const places = new Set(covered.map(placeOf));
    const early = found.rejected.difference(places);
    const faults = visitorFaults({ ...found, rejected: found.rejected.difference(early) }, expected);
    for (const what of faults) this.fault({ name: 'wrong key', where: 'redis', what });
    return standing;
  }

  protected async countFaultsOf(stretch: Stretch): Promise<Fault[]> {
    const { expected } = await this.#evidence();
    return countFaults(stretch, this.sent, (between) => ({
      rejected: between.filter((sent) => expected.rejected.has(placeOf(sent))).length,
      repeats: between.filter(({ truth }) => truth === 'repeat').length,
    }));
  }

  protected async checkAll(): Promise<void> {
    const { found, expected } = await this.#evidence();
    const rejected = new Map(this.sent.flatMap((sent) => (expected.rejected.has(placeOf(sent)) ? [[placeOf(sent), sent]] : [])));
    const all = [
      ...rejectFaults(await readRejects(this.#redis.client), { stored: new Map(), rejected }),
      ...(await historyFaults(this.#redis.client)),
    ];
    for (const fault of all) this.fault(fault);
    this.note(`${this.sent.length} sent, ${found.keys.size} keys, ${found.rejected.size} rejected`);
  }

  protected async closeStores(): Promise<void> {
    await this.#address.close();
    await Promise.all([this.#redis, ...this.#replicas].map((server) => server.stop()));
  }

  /** What Redis holds, and what it should hold with its positions where they are. */
  async #evidence(): Promise<{
    readonly found: FoundVisitors;
    readonly standing: ReadonlyMap<string, Position>;
    readonly expected: ExpectedVisitors;
    readonly covered: readonly Sent[];
  }> {
    const { client } = this.#redis;
    for (;;) {
      const before = await client.hgetall('millrace:positions:realtime:apply');
      const found = await readVisitors(client);
      // A call of an owner that is dead by now may still have been on its way.
      if (!isDeepStrictEqual(before, await client.hgetall('millrace:positions:realtime:apply'))) continue;
      const standing = new Map<string, Position>();
      for (const [shard, text] of Object.entries(before)) {
        const position = positionIn(shard, text.slice(text.indexOf(' ') + 1) || undefined);
        if (position) standing.set(shard, position);
      }
      await this.allTold();
      const covered = this.sent.filter((sent) => isCovered(sent, standing.get(sent.shard)));
      await readArrivals(this.stage.kinesis.client, this.stream.name, this.#arrivals);
      return { found, standing, covered, expected: visitorKeysOf(covered, this.#arrivals, this.#products, found.rejected) };
    }
  }
}
