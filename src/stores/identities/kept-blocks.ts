import type { ForgetLimits } from '../../operators/identity-state.ts';

/** A block that a log has. */
export interface KeptBlock {
  /** They count up from 1, none left out. */
  readonly id: number;
  readonly count: number;
  /** When the newest of its sights arrived, in milliseconds since 1970. */
  readonly newestMs: number;
}

/** Two go for one that comes, so that what has expired is worked off without a pause. */
const MAX_FORGOTTEN_AT_ONCE = 2;

/** Which blocks a log has, oldest first, and which of them are of no use any more. */
export class KeptBlocks {
  #blocks: KeptBlock[] = [];
  /** So many at the beginning are gone. They are taken out when they are half of all: one by one, each would move all those behind it. */
  #gone = 0;
  #sights = 0;
  #nextId: number;

  constructor(firstId: number) {
    this.#nextId = firstId;
  }

  get nextId(): number {
    return this.#nextId;
  }

  get sights(): number {
    return this.#sights;
  }

  /** Which of the oldest may go when a block comes: how many, and the id of the first that stays. */
  forgettable(
    coming: KeptBlock,
    { beforeMs = -Infinity, capacity }: ForgetLimits,
  ): { readonly gone: number; readonly firstId: number } {
    let behind = this.#sights;
    let gone = 0;
    for (const { newestMs, count } of this.#blocks.slice(this.#gone, this.#gone + MAX_FORGOTTEN_AT_ONCE)) {
      behind -= count;
      if (newestMs >= beforeMs && behind < capacity - coming.count) break;
      gone++;
    }
    return { gone, firstId: (this.#blocks[this.#gone + gone] ?? coming).id };
  }

  /** Takes note of a block that was kept, and of how many of the oldest have gone for it. */
  keep(block: KeptBlock, gone = 0): void {
    this.#blocks.push(block);
    this.#sights += block.count;
    this.#nextId = block.id + 1;
    for (const { count } of this.#blocks.slice(this.#gone, this.#gone + gone)) this.#sights -= count;
    this.#gone += gone;
    if (this.#gone * 2 <= this.#blocks.length) return;
    this.#blocks = this.#blocks.slice(this.#gone);
    this.#gone = 0;
  }
}
