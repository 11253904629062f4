import { setTimeout as sleep } from 'node:timers/promises';
import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { Random } from '../../src/demo/random.ts';
import { type ShopOptions, type ShopRecord, shop } from '../../src/demo/shop.ts';
import type { Sent } from './oracle.ts';
import { type Parcel, hashKey, pack, single } from './parcel.ts';

const EVERY_MS = 150;
const MAX_TRIES = 20;
/** The server needs seconds for the answer to thousands of records, in which a run that is killed all the time comes to nothing. */
const MOST_AHEAD = 1000;

export interface ProducerOptions {
  readonly client: KinesisClient;
  readonly stream: string;
  readonly shop: ShopOptions;
  /** Each record by itself, none damaged. @default false */
  readonly isPlain?: boolean;
  /** Records a second. */
  readonly rate: number;
}

/** Sends a shop's records until it is told to stop, and writes down where each of them went. */
export class Producer {
  /** All records that the stream has taken, in the order in which they were sent. */
  readonly sent: Sent[] = [];
  /** How many of them are known to be done with; the shop waits when it is too far ahead. */
  covered = 0;
  readonly #options: ProducerOptions;
  readonly #records: Generator<ShopRecord, never, void>;
  readonly #random: Random;
  readonly #stop = new AbortController();
  #putting = Promise.resolve();
  readonly #done: Promise<void>;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#random = new Random(options.shop.seed ?? 1, 0, 3);
    this.#records = shop(options.shop);
    this.#done = this.#run();
    // Told by `stop`.
    this.#done.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  /** Resolves once all that the stream has now is in `sent`. */
  allTold(): Promise<void> {
    return this.#putting;
  }

  async #run(): Promise<void> {
    const count = Math.ceil((this.#options.rate * EVERY_MS) / 1000);
    while (!this.#stop.signal.aborted) {
      if (this.sent.length - this.covered < MOST_AHEAD) {
        const records = Array.from({ length: count }, () => this.#records.next().value);
        this.#putting = this.#put(this.#options.isPlain ? records.map(single) : pack(records, this.#random));
        await this.#putting;
      }
      await sleep(EVERY_MS);
    }
  }

  async #put(parcels: readonly Parcel[]): Promise<void> {
    for (let [left, tries] = [parcels, 1]; left.length > 0; tries++) {
      const { Records = [] } = await this.#options.client.send(
        new PutRecordsCommand({
          StreamName: this.#options.stream,
          Records: left.map(({ data, key }) => ({ Data: data, PartitionKey: `key ${key}`, ExplicitHashKey: hashKey(key) })),
        }),
      );
      const refused: Parcel[] = [];
      for (const [i, parcel] of left.entries()) {
        const { ShardId: shard, SequenceNumber: sequence } = Records[i]!;
        if (shard === undefined || sequence === undefined) refused.push(parcel);
        else this.sent.push(...parcel.holds.map((one) => ({ ...one, shard, sequence })));
      }
      // While a shard is split or merged, it takes nothing.
      if (refused.length > 0 && tries === MAX_TRIES)
        throw new Error(`the stream refused ${refused.length} records again and again`);
      if (refused.length > 0) await sleep(50);
      left = refused;
    }
  }
}
