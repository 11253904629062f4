import { pause } from '../../waiting/pause.ts';
import type { SourceContext } from '../../source.ts';
import { KinesisBackOff } from '../back-off.ts';
import type { Calls } from '../calls.ts';
import { isLimitExceeded } from '../failure.ts';

/** AWS makes a consumer within seconds, and answers 20 DescribeStreamConsumer calls a second. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamConsumer.html */
const ASK_EVERY_MS = 250;

/** After how many questions it is told again that the consumer is not active yet: nothing else is to be seen of a run that waits for it. */
const TELL_EVERY = 120;

/**
 * How often in a row AWS may refuse another consumer before that is believed. A stream may have 20 (50 in one mode), which does not pass
 * by itself; 5 may be in the making at a time, and 5 a second be registered, which does. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
 */
const MAX_REFUSALS = 10;

/** 1 to 128 letters, digits, `_`, `.` and `-`. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html */
export const CONSUMER_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;

/** Makes a pipeline's name one that a consumer may have. */
export function consumerNameOf(pipeline: string): string {
  return pipeline.replace(/[^a-zA-Z0-9_.-]/g, '-').slice(0, 128);
}

export interface ConsumerOptions {
  readonly calls: Calls;
  readonly consumer: string;
  /** For a person: `kinesis shop`. */
  readonly name: string;
}

/** The stream's consumer, for all shards together: registered when it is not there, never deregistered, as the next run uses it again. */
export class Consumer {
  readonly #context: Pick<SourceContext, 'scheduler' | 'report'>;
  readonly #options: ConsumerOptions;
  #arn: Promise<string | undefined> | undefined;
  #known: string | undefined;

  constructor(context: Pick<SourceContext, 'scheduler' | 'report'>, options: ConsumerOptions) {
    this.#context = context;
    this.#options = options;
  }

  /**
   * Its ARN, once it is active; nothing when the signal came before.
   *
   * @throws {Error} what to do, when it cannot be had
   */
  activeArn(signal: AbortSignal): Promise<string | undefined> {
    return (this.#arn ??= this.#activate(signal));
  }

  /** Makes it be looked up again, because it was not there; all shards that find this out do it together. */
  forget(arn: string): void {
    if (arn !== this.#known) return;
    this.#known = undefined;
    this.#arn = undefined;
  }

  async #activate(signal: AbortSignal): Promise<string | undefined> {
    const { calls, consumer, name } = this.#options;
    const { scheduler } = this.#context;
    const backOff = new KinesisBackOff(this.#context, `${name} consumer ${consumer}`, 'all shards', signal);
    let stream: string | undefined;
    let refusals = 0;
    let asked = 0;
    while (!signal.aborted) {
      let state = 'not registered';
      try {
        stream ??= (await calls.describe(signal)).StreamARN!;
        const found = await calls.consumer(stream, consumer, signal);
        if (found?.ConsumerStatus === 'ACTIVE') return (this.#known = found.ConsumerARN!);
        if (found) state = found.ConsumerStatus!.toLowerCase();
        else await calls.registerConsumer(stream, consumer, signal);
      } catch (error) {
        const isFull = isLimitExceeded(error) && ++refusals === MAX_REFUSALS;
        await backOff.after(error, isFull ? false : undefined);
        continue;
      }
      refusals = 0;
      // It is being made; or being deleted, and will be made again.
      backOff.succeeded();
      if (++asked % TELL_EVERY === 0) {
        const error = new Error(`${name}: expected consumer ${consumer} to become active, it is ${state}`);
        this.#context.report({ type: 'source-retry', shard: 'all shards', attempt: asked, delayMs: ASK_EVERY_MS, error });
      }
      await pause(scheduler, ASK_EVERY_MS, signal);
    }
    return undefined;
  }
}
