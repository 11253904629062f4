import { setTimeout as sleep } from 'node:timers/promises';
import { type KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { type ShopOptions, type ShopRecord, shop } from '../../src/demo/shop.ts';
import type { Sent } from './oracle.ts';

/** Visitors share so many hash keys, spread evenly, so that each one's records follow each other through splits and merges. */
const KEYS = 16;
const EVERY_MS = 150;
const MAX_TRIES = 20;

/** One record of the stream, and what is in it. */
interface Parcel {
  readonly key: number;
  readonly data: Uint8Array;
  readonly holds: readonly Pick<Sent, 'truth' | 'eventId' | 'text' | 'subSequence'>[];
}

export interface ProducerOptions {
  readonly client: KinesisClient;
  readonly stream: string;
  readonly shop: ShopOptions;
  /** Records a second. */
  readonly rate: number;
}

/** Sends a shop's records until it is told to stop, and writes down where each of them went. */
export class Producer {
  /** All records that the stream has taken, in the order in which they were sent. */
  readonly sent: Sent[] = [];
  readonly #options: ProducerOptions;
  readonly #records: Generator<ShopRecord, never, void>;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(options: ProducerOptions) {
    this.#options = options;
    this.#records = shop(options.shop);
    this.#done = this.#run();
    // Told by `stop`.
    this.#done.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const startedAt = performance.now();
    let drawn = 0;
    while (!this.#stop.signal.aborted) {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * this.#options.rate) - drawn;
      const records = Array.from({ length: Math.min(due, 200) }, () => this.#records.next().value);
      drawn += records.length;
      await this.#put(this.#pack(records));
      await sleep(EVERY_MS);
    }
  }

  #pack(records: readonly ShopRecord[]): Parcel[] {
    return records.map(({ data, truth, eventId, partitionKey }) => ({
      key: Number.parseInt(partitionKey.slice(0, 2), 16) % KEYS,
      data,
      holds: [{ truth, eventId, text: Buffer.from(data).toString('latin1'), subSequence: 0 }],
    }));
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

function hashKey(key: number): string {
  return String(((2n * BigInt(key) + 1n) * 2n ** 128n) / BigInt(2 * KEYS));
}
