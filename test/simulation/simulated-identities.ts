import { FencedError } from '../../src/errors.ts';
import type { IdentityState } from '../../src/operators/identity-state.ts';
import type { SimulatedProcess } from './simulated-process.ts';

/** The file in which `dedupe` keeps what it has seen: whoever opened it last may append to it. */
export class SimulatedIdentities {
  readonly #blocks: Uint32Array[] = [];
  #epoch = 0;

  /** @param forgets a planted fault: nothing of it is kept */
  for(process: SimulatedProcess, forgets = false): IdentityState {
    return {
      describe: 'simulated identities',
      open: () => {
        const epoch = ++this.#epoch;
        return {
          load: (take) => {
            for (const block of this.#blocks) take(block);
            return { ms: 0 };
          },
          append: ({ sights, count }) => {
            if (process.isDead) throw new Error('the dead write nothing');
            if (epoch !== this.#epoch) throw new FencedError('simulated identities', 'the memory of dedupe', epoch);
            process.note(`remembers ${count} identities`);
            if (!forgets) this.#blocks.push(sights.slice());
          },
          close: () => {},
        };
      },
    };
  }
}
