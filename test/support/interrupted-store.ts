import type { ObjectStore, OpenObjectStore } from '../../src/stores/object-store.ts';

/** What befalls one call of a store. */
export type Mishap =
  /** It never reaches the store. */
  | 'lost'
  /** It takes place; nobody hears of it. */
  | 'unanswered'
  /** The caller gives it up; it takes place at `release`. */
  | 'late'
  /** It and its caller wait until `release`. */
  | 'stalled';

export interface Interruption {
  /** Which call of head, get and put, from 0; none when it is left out. */
  readonly at?: number;
  readonly mishap?: Mishap;
  /** Whether the calls after it fail as well, as if the process had been killed. @default true */
  readonly isDeadly?: boolean;
}

export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

export interface InterruptedStore extends ObjectStore {
  /** How many calls came. */
  readonly calls: () => number;
  /** Resolves when the call was met. */
  readonly reached: Promise<void>;
  /** Lets go of what is late or stalled; resolves when it has taken place. */
  release(): Promise<void>;
}

/** A real store behind a wire that fails at one call. */
export function interrupted(store: ObjectStore, { at, mishap = 'lost', isDeadly = true }: Interruption): InterruptedStore {
  let calls = 0;
  let isDead = false;
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let late: Promise<unknown> = Promise.resolve();

  async function call<T>(act: () => Promise<T>): Promise<T> {
    if (isDead) throw new InterruptedError('dead');
    if (calls++ !== at) return act();
    reached.resolve();
    if (mishap === 'stalled') {
      await released.promise;
      return act();
    }
    isDead = isDeadly;
    if (mishap === 'unanswered') await act().catch(() => {});
    if (mishap === 'late') late = released.promise.then(act).catch(() => {});
    throw new InterruptedError(mishap);
  }

  return {
    describe: store.describe,
    calls: () => calls,
    reached: reached.promise,
    async release() {
      released.resolve();
      await late;
    },
    async open(context) {
      const open = await store.open(context);
      return {
        head: (key) => call(() => open.head(key)),
        get: (key) => call(() => open.get(key)),
        put: (key, body, options) => call(() => open.put(key, body, options)),
        list: (prefix) => open.list(prefix),
        close: () => open.close(),
      } satisfies OpenObjectStore;
    },
  };
}
