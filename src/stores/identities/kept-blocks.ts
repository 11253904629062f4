import { Fifo } from '../../fifo.ts';
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
  readonly #blocks = new Fifo<KeptBlock>();
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
    for (let oldest = this.#blocks.at(0); oldest && gone < MAX_FORGOTTEN_AT_ONCE; oldest = this.#blocks.at(gone)) {
      behind -= oldest.count;
      if (oldest.newestMs >= beforeMs && behind < capacity - coming.count) break;
      gone++;
    }
    return { gone, firstId: (this.#blocks.at(gone) ?? coming).id };
  }

  /** Takes note of a block that was kept, and of how many of the oldest have gone for it. */
  keep(block: KeptBlock, gone = 0): void {
    this.#blocks.push(block);
    this.#sights += block.count;
    this.#nextId = block.id + 1;
    for (let i = 0; i < gone; i++) this.#sights -= this.#blocks.shift()!.count;
  }
}
