import { Random } from '../../src/demo/random.ts';
import { EventQueue } from './event-queue.ts';

/** 2026-11-22 09:00, when every world begins. */
const BEGIN_MS = Date.UTC(2026, 10, 22, 9);
/** More than any sound run needs: a world that does so much goes round in circles. */
const MAX_EVENTS = 200_000;

/**
 * A world of its own: a clock that goes from one event to the next, chances that follow from a seed, and a record of all that
 * happens. The same seed makes the same world, to the last event.
 */
export class World {
  readonly seed: number;
  readonly random: Random;
  /** While it is above zero, calls go wrong: one in so many parts of a whole. */
  faultRate = 0;
  readonly lines: string[] = [];
  readonly faults: string[] = [];
  events = 0;
  /** Calls that went wrong. */
  mishaps = 0;
  #nowMs = BEGIN_MS;
  #hash = 0x811c9dc5;
  readonly #keepsLines: boolean;
  readonly #queue = new EventQueue();

  constructor(seed: number, keepsLines = false) {
    this.seed = seed;
    this.random = new Random(seed, 0x51301);
    this.#keepsLines = keepsLines;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** The hash of all that was noted: two worlds that have the same one went the same way. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  after(delayMs: number, act: () => void): void {
    this.#queue.add(this.#nowMs + Math.max(0, delayMs), act);
  }

  /** A number from the least up to the most. */
  between(least: number, most: number): number {
    return least + (this.random.below(1_000_000) / 1_000_000) * (most - least);
  }

  note(line: string): void {
    const text = `${(this.#nowMs - BEGIN_MS).toFixed(3)} ${line}`;
    for (let i = 0; i < text.length; i++) this.#hash = Math.imul(this.#hash ^ text.charCodeAt(i), 0x01000193);
    if (this.#keepsLines) this.lines.push(text);
  }

  /** Notes something that must never be. */
  fault(what: string): void {
    this.note(`FAULT ${what}`);
    this.faults.push(what);
  }

  /** Lets things happen, one after the other, until it is over, or something is wrong. */
  async play(isOver: () => boolean): Promise<void> {
    while (!isOver() && this.faults.length === 0) {
      const next = this.#queue.take();
      if (!next) return this.fault('stuck: nothing is to happen any more');
      if (this.events++ > MAX_EVENTS) return this.fault(`stuck: ${MAX_EVENTS} events, and no end`);
      this.#nowMs = next.atMs;
      next.act();
      await this.settle();
    }
  }

  /**
   * Waits for all that follows from an event: Node comes to what `nextTick` was given once no promise is left to be acted on. It is a
   * third of the price of `setImmediate`.
   */
  settle(): Promise<void> {
    return new Promise((resolve) => process.nextTick(resolve));
  }
}
