import { type Position, formatResume } from './position.ts';

/** A newer run has taken the shard over: this one must not write to it any more. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
  readonly shard: string;
  readonly epoch: number;

  /** @param epoch the epoch of the run that was refused */
  constructor(where: string, shard: string, epoch: number) {
    super(`${where}: a newer run has taken ${shard} over; this one, of epoch ${epoch}, may not write to it any more`);
    this.shard = shard;
    this.epoch = epoch;
  }
}

/** A store has lost what it had acknowledged: a failover, a backup. A new run goes on from where the store stands now. */
export class WentBackError extends Error {
  override readonly name = 'WentBackError';
  readonly shard: string;

  /**
   * @param expected what this run left there: epoch and position
   * @param found what is there now
   */
  constructor(where: string, shard: string, expected: string, found: string) {
    super(`${where}: went back in time: expected ${expected} of ${shard}, got ${found}`);
    this.shard = shard;
  }
}

/** Records of a shard come to the sinks in another order than that of the stream. */
export class OrderBrokenError extends Error {
  override readonly name = 'OrderBrokenError';

  constructor(where: string, before: Position, came: Position) {
    super(
      `${where}: order broken in ${came.shard}: expected a position after ${formatResume(before)}, got ${formatResume(came)}. A step passes ` +
        `events on in another order than they came, as mergeMap of promises does; mapAsync keeps it. What the sinks have passed is not read again`,
    );
  }
}

/** A branch of a pipeline keeps a record, and another one has passed it: with what passed, the sinks would pass what is kept. */
export class OvertakenError extends Error {
  override readonly name = 'OvertakenError';

  constructor(kept: Position, came: Position) {
    super(
      `run: expected the events of ${came.shard} in order, got ${formatResume(came)} while a step still keeps ${formatResume(kept)}. ` +
        `Nothing of it is stored: join branches before a step that keeps events (minuteWindow, mapAsync, lookup), or let each be a pipeline of its own; ` +
        `a step of your own (mapAccum) gives out what it keeps in the order in which it came`,
    );
  }
}

/** A step kept events without holding them, so that they were settled before they were stored. */
export class SettledTooEarlyError extends Error {
  override readonly name = 'SettledTooEarlyError';

  /**
   * @param step the step that let go, as a person finds it in the pipeline file
   * @param remedy what to use instead
   */
  constructor(
    step: string,
    at: Position,
    remedy = 'Use an operator that holds its events, such as mapAsync, instead of delay or mergeMap of promises',
  ) {
    super(
      `${step} passed on the event at ${formatResume(at)} of ${at.shard}, whose delivery was settled already: it kept the event beyond ` +
        `the call without holding it. ${remedy}. ` +
        `Where the sinks stand behind that position by now, the event is not read again`,
    );
  }
}

/** A step that is not ours has thrown, or a function that one of ours was given: as it would at each start, on the same event. */
export class StepError extends Error {
  override readonly name = 'StepError';

  /**
   * @param latest the last event that it was given; nothing before the first
   * @param remedy what to do to make such an event a reject, and go on
   */
  constructor(
    step: string,
    latest: Position | undefined,
    cause: unknown,
    remedy = 'To make such an event a reject, and go on, use transform',
  ) {
    const where = latest
      ? `at ${formatResume(latest)} of ${latest.shard}, the last event that it was given`
      : 'before its first event';
    super(`${step} threw ${where}. ${remedy}`, { cause });
  }
}

/** A pipeline was about to read its source from the beginning again, beside what the same run has in flight of it. */
export class ReadTwiceError extends Error {
  override readonly name = 'ReadTwiceError';

  constructor() {
    super(
      'run: expected the steps to subscribe to the source once, got a second time. Branches share it by share(); instead of retry or ' +
        'repeat use transform or mapAsync, whose failures are rejects, or lookup, which tries again by itself',
    );
  }
}

/** A sink has failed for good: it could not be opened, or what it was to store it could not. */
export class SinkError extends Error {
  override readonly name = 'SinkError';
  readonly sink: string;

  /** @param describe what is stored where, without secrets */
  constructor({ name, describe }: { readonly name: string; readonly describe: string }, cause: unknown) {
    super(`${name} (${describe}): ${messageOf(cause)}`, { cause });
    this.sink = name;
  }
}

/** What a sink threw, with the sink's name; what says more by itself stays as it is. */
export function ofSink(sink: { readonly name: string; readonly describe: string }, error: unknown): unknown {
  return SPEAKING.some((kind) => error instanceof kind) ? error : new SinkError(sink, error);
}

const SPEAKING = [FencedError, WentBackError, OrderBrokenError, OvertakenError, SettledTooEarlyError, StepError, SinkError];

/** The name of an error and what it says. */
export function nameAndMessage(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** What an error says; of several that came together, as when all addresses of a host are tried, each. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
}
