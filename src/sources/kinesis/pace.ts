/** AWS allows 5 GetRecords calls a second a shard. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html */
const CALLS = 5;
const WITHIN_MS = 1000;

/** Keeps calls to at most 5 in any second. */
export class Pace {
  readonly #beganAtMs: number[] = Array.from({ length: CALLS }, () => Number.NEGATIVE_INFINITY);
  #next = 0;

  /** How long the next call has to wait; 0 or less when it need not. */
  waitMs(nowMs: number): number {
    return this.#beganAtMs[this.#next]! + WITHIN_MS - nowMs;
  }

  /** Notes that a call begins. */
  begin(nowMs: number): void {
    this.#beganAtMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % CALLS;
  }
}
