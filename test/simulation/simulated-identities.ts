import { FencedError } from '../../src/errors.ts';
import type { IdentityState } from '../../src/operators/identity-state.ts';
import type { BlockServer, LogState, SentBlock } from '../../src/stores/identities/block-server.ts';
import { onServer } from '../../src/stores/identities/on-server.ts';
import type { Fate, SimulatedProcess } from './simulated-process.ts';

/** What `dedupe` has seen: whoever opened it last may append to it. */
export class SimulatedIdentities {
  readonly #blocks: SentBlock[] = [];
  #epoch = 0;
  #first = 1;

  /**
   * A file of the machine on which all runs are.
   *
   * @param forgets a planted fault: nothing of it is kept
   */
  file(process: SimulatedProcess, forgets = false): IdentityState {
    return {
      describe: 'simulated identities',
      open: () => {
        const epoch = ++this.#epoch;
        return {
          load: (take) => {
            for (const { bytes } of this.#blocks) take(new Uint32Array(bytes.buffer));
            return { ms: 0 };
          },
          append: ({ sights, count, newestMs }) => {
            if (process.isDead) throw new Error('the dead write nothing');
            if (epoch !== this.#epoch) throw new FencedError('simulated identities', 'the memory of dedupe', epoch);
            process.note(`remembers ${count} identities`);
            if (!forgets) this.#blocks.push({ id: 0, newestMs, bytes: new Uint8Array(sights.slice().buffer) });
          },
          close: () => {},
        };
      },
    };
  }

  /** A server, which answers late, twice or not at all. */
  server(process: SimulatedProcess, forgets = false): IdentityState {
    const call = <T>(what: string, serve: () => T): Promise<T> =>
      process.call(what, FATES, serve, () => Object.assign(new Error('Connection terminated'), { code: 'ECONNRESET' }));
    const blocks: BlockServer = {
      stands: () => call('asks for the memory of dedupe', () => this.#stands()),
      takeOver: (seen) =>
        call('takes the memory of dedupe over', () => {
          if (seen !== this.#epoch) return undefined;
          this.#epoch++;
          return this.#stands();
        }),
      read: (first, last) => call('reads the memory of dedupe', () => this.#blocks.filter(({ id }) => id >= first && id <= last)),
      append: (epoch, { id, newestMs, bytes }, firstId) => {
        const block = { id, newestMs, bytes: bytes.slice() };
        return call(`remembers block ${id}`, () => {
          if (epoch !== this.#epoch || id !== this.#stands().last + 1) return this.#stands();
          this.#blocks.push(forgets ? { ...block, bytes: new Uint8Array() } : block);
          this.#blocks.splice(0, firstId - this.#first);
          this.#first = firstId;
          return this.#stands();
        });
      },
      close: async () => {},
    };
    return onServer(
      { describe: 'simulated identities', checkIdentities: async () => 'there', openIdentities: async () => blocks },
      undefined,
    );
  }

  #stands(): LogState {
    return { epoch: this.#epoch, first: this.#first, last: this.#first + this.#blocks.length - 1 };
  }
}

const FATES: readonly Fate[] = ['lost', 'unanswered', 'late', 'repeated'];
