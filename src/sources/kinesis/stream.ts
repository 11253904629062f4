import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { Observable, type Subscriber } from 'rxjs';
import { counted } from '../../counted.ts';
import type { Delivery } from '../../delivery.ts';
import { isPosition } from '../../position.ts';
import { type ShardReaders, readShards } from '../shards/read-shards.ts';
import type { SourceContext } from '../source.ts';
import { KinesisBackOff } from './back-off.ts';
import { Calls } from './calls.ts';
import { type ClientOptions, fanOutClient, kinesisClient } from './client.ts';
import { Consumer, consumerNameOf } from './fan-out/consumer.ts';
import { explain, refuseForeign } from './failure.ts';
import { readShard } from './read-shard.ts';
import { beginningBehind, gapBehind } from './retention.ts';
import { sequenceTimeMs } from './sequence-time.ts';
import { subscribeShard } from './fan-out/subscribe-shard.ts';
import type { Unpacking } from './unpack/unpack.ts';

/** What `kinesis` was told, or does by default. */
export interface StreamOptions extends ClientOptions {
  /** The stream's name or its ARN. */
  readonly stream: string;
  /** The source, as messages name it. */
  readonly name: string;
  /** Not ours to destroy. */
  readonly client?: KinesisClient;
  readonly protocol: 'lean' | 'stock';
  readonly isFanOut: boolean;
  readonly consumer?: string;
  readonly timeoutMs: number;
  readonly listEveryMs: number;
  readonly pollEveryMs: number;
  readonly maxRecords: number;
  readonly unpacking: Unpacking | undefined;
}

interface Reader {
  readonly readShard: ShardReaders['readShard'];
  /** Resolves once a shard can be read so. */
  readonly ready?: (signal: AbortSignal) => Promise<unknown>;
}

/** A stream at its server. */
export class KinesisStream {
  readonly #options: StreamOptions;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  /** Says what is there; reads nothing of it. */
  async check(pipeline: string): Promise<string> {
    const { stream, name, isFanOut } = this.#options;
    const { calls, close } = this.#withClient();
    try {
      const { OpenShardCount = 0, RetentionPeriodHours, StreamARN, StreamStatus } = await calls.describe();
      const status = StreamStatus === 'ACTIVE' ? '' : `, ${StreamStatus?.toLowerCase()}`;
      const how = isFanOut ? await consumerState(calls, StreamARN!, this.#consumerOf(pipeline)) : 'by polling';
      return `stream ${stream}: ${counted(OpenShardCount, 'open shard')}, retention ${RetentionPeriodHours} h${status}, ${how}`;
    } catch (error) {
      throw explain(error, name);
    } finally {
      close();
    }
  }

  read(context: SourceContext): Observable<Delivery> {
    const { name, listEveryMs } = this.#options;
    return new Observable((subscriber) => {
      const { calls, close } = this.#withClient();
      subscriber.add(close);
      const { ready, readShard: read } = this.#reader(context, calls, subscriber);
      readShards(context, {
        listEveryMs,
        async list(signal) {
          // Before a shard is taken over: a run that may not have a consumer should leave the one before it alone.
          await ready?.(signal);
          return (await repeated(() => calls.listShards(signal), context, name, signal)) ?? [];
        },
        putAt: ({ sequence }) => sequenceTimeMs(sequence),
        gapBehind: async (shard, resume, signal) =>
          (await repeated(() => gapBehind(shard, resume, calls, context.scheduler.now(), signal), context, name, signal)) ?? {
            shard,
            resume,
          },
        async readShard(reading) {
          const { resume, shard, signal } = reading;
          // A sink that is new has all be read that is kept; the others may stand where nothing is.
          const ahead = isPosition(resume) ? undefined : context.ledger.sinkStands.firstPosition(shard.id);
          // Once it is known to be the one in which the pipeline stands.
          refuseForeign(ahead ?? resume, shard, name);
          if (ahead)
            await repeated(() => beginningBehind(reading, ahead, { calls, name }), context, `${name} ${shard.id}`, signal);
          return read(reading);
        },
      }).subscribe(subscriber);
    });
  }

  /** How one shard is read, and what has to be there before. */
  #reader(context: SourceContext, calls: Calls, subscriber: Subscriber<Delivery>): Reader {
    const { isFanOut, endpoint, region, protocol, maxRecords, pollEveryMs, unpacking, name } = this.#options;
    if (!isFanOut) {
      const polling = { calls, maxRecords, pollEveryMs, unpacking, name };
      return { readShard: (reading) => readShard(reading, polling) };
    }
    const client = this.#options.client ?? fanOutClient({ endpoint, region });
    subscriber.add(() => client === this.#options.client || client.destroy());
    const consumer = new Consumer(context, { calls, consumer: this.#consumerOf(context.pipeline), name });
    const fanOut = { client, calls, consumer, maxRecords, unpacking, isLean: protocol === 'lean', name };
    return {
      ready: (signal) => consumer.activeArn(signal),
      readShard: (reading) => subscribeShard(reading, fanOut),
    };
  }

  #consumerOf(pipeline: string): string {
    return this.#options.consumer ?? consumerNameOf(pipeline);
  }

  /** Works with a client, which is ours to destroy unless it was given. */
  #withClient(): { calls: Calls; close: () => void } {
    const { client: given, stream, timeoutMs } = this.#options;
    const client = given ?? kinesisClient(this.#options);
    return { calls: new Calls(client, stream, timeoutMs), close: () => client === given || client.destroy() };
  }
}

/** For `--check`. */
async function consumerState(calls: Calls, streamArn: string, consumer: string): Promise<string> {
  const found = await calls.consumer(streamArn, consumer);
  const state = found ? found.ConsumerStatus!.toLowerCase() : 'not registered yet; a run does it';
  return `by fan-out as consumer ${consumer} (${state})`;
}

/** Repeats a call until it succeeds or fails for good; nothing when it was aborted. */
async function repeated<T>(
  call: () => Promise<T>,
  context: SourceContext,
  name: string,
  signal: AbortSignal,
): Promise<T | undefined> {
  const backOff = new KinesisBackOff(context, name, 'all shards', signal);
  while (!signal.aborted) {
    try {
      return await call();
    } catch (error) {
      await backOff.after(error);
    }
  }
  return undefined;
}
