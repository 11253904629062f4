import type { Item } from '../src/event.ts';
import type { Resume, Sink } from '../src/index.ts';

/** A sink that stores nothing, and says that it has. */
export function nullSink(name: string): Sink<Item> {
  return {
    name,
    describe: 'nothing',
    keepsNothing: true,
    async open() {
      const stands = new Map<string, Resume>();
      return {
        acquire: async () => undefined,
        positions: async () => stands,
        commit: async ({ positions }) => positions.forEach((resume, shard) => stands.set(shard, resume)),
        close: async () => {},
      };
    },
  };
}
