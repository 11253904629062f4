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

/** A sink received a record that lies before one it already had. */
export class OrderBrokenError extends Error {
  override readonly name = 'OrderBrokenError';

  constructor(where: string, before: Position, came: Position) {
    super(
      `${where}: order broken in ${came.shard}: expected a position after ${formatResume(before)}, got ${formatResume(came)}`,
    );
  }
}

/** A step kept events without holding them, so that they were settled before they were stored. */
export class SettledTooEarlyError extends Error {
  override readonly name = 'SettledTooEarlyError';

  /** @param step the step that let go, as a person finds it in the pipeline file */
  constructor(step: string, shard: string) {
    super(
      `${step} passed on an event of ${shard} whose delivery was settled already: it kept the event beyond the call ` +
        `without holding it. Use an operator that holds its events, such as mapAsync, instead of delay or mergeMap of promises`,
    );
  }
}
