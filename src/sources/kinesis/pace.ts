/** AWS allows 5 GetRecords calls a second a shard. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html */
const CALLS = 5;
const WITHIN_MS = 1000;

/** And 2 MB a second, to all readers together: the next calls are refused for as long as an answer is above that. */
const BYTES_PER_MS = (2 * 1024 * 1024) / 1000;

/** Keeps calls to at most 5 in any second, and, once the stream has refused one, to what it allows to read. */
export class Pace {
  readonly #beganAtMs: number[] = Array.from({ length: CALLS }, () => Number.NEGATIVE_INFINITY);
  #next = 0;
  /** Until when what was read last is above that. */
  #readUntilMs = Number.NEGATIVE_INFINITY;
  #isMetered = false;

  /** How long the next call has to wait; 0 or less when it need not. */
  waitMs(nowMs: number): number {
    const callsMs = this.#beganAtMs[this.#next]! + WITHIN_MS - nowMs;
    return this.#isMetered ? Math.max(callsMs, this.#readUntilMs - nowMs) : callsMs;
  }

  /** Notes that a call begins. */
  begin(nowMs: number): void {
    this.#beganAtMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % CALLS;
  }

  /** Notes how much came. */
  answered(nowMs: number, bytes: number): void {
    this.#readUntilMs = nowMs + bytes / BYTES_PER_MS;
  }

  /** Notes that the stream has refused to give more. */
  refused(): void {
    this.#isMetered = true;
  }
}
