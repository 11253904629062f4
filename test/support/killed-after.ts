import type { Event } from '../../src/event.ts';
import type { MemorySink } from '../../src/testing/memory-sink.ts';

/** Has a sink fail after so many calls, of all that share `left`; some take a moment, in which positions move on. */
export function killedAfter(sink: MemorySink<Event<Uint8Array>>, left: { calls: number }): MemorySink<Event<Uint8Array>> {
  const step = async (): Promise<void> => {
    if (left.calls % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    if (left.calls-- <= 0) throw new Error('killed');
  };
  return {
    ...sink,
    async open(context) {
      const opened = await sink.open(context);
      return {
        ...opened,
        acquire: async (shard) => (await step(), opened.acquire(shard)),
        async commit(batch, refused) {
          await step();
          await opened.commit(batch, refused);
          await step();
        },
      };
    },
  };
}
