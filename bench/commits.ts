import type { Item } from '../src/event.ts';
import type { Pipeline } from '../src/index.ts';

/** The sink itself; tells of each item as soon as its store has answered that it is there. */
export function watched(sink: Pipeline['sinks'][number], stored: (item: Item, nowMs: number) => void): typeof sink {
  return {
    ...sink,
    async open(context) {
      const open = await sink.open(context);
      const commit = open.commit.bind(open);
      open.commit = async (batch, refused) => {
        await commit(batch, refused);
        const nowMs = performance.now();
        for (const item of batch.items) stored(item, nowMs);
      };
      return open;
    },
  };
}
