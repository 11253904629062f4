import type { Item } from '../src/event.ts';
import type { Sink } from '../src/index.ts';

/** A sink that stores nothing, and says that it has. */
export function nullSink(name: string): Sink<Item> {
  return {
    name,
    describe: 'nothing',
    keepsNothing: true,
    open: async () => ({
      acquire: async () => undefined,
      positions: async () => new Map(),
      commit: async () => {},
      close: async () => {},
    }),
  };
}
