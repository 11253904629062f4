import { describe, expect, it } from 'vitest';
import { type LogObject, ObjectLog } from '../../src/sinks/object-log.ts';
import type { OpenObjectStore } from '../../src/stores/object-store.ts';

const position = (sequence: string) => ({ shard: 's', sequence, subSequence: 0 });

describe('an object log', () => {
  // The next try may store what a pack still reads, whose memory is given back then: the process would die of it.
  it.each(['the first object, when its document is refused', 'the next one, when the one before is not put'])(
    'packs nothing any more once an append has failed: %s',
    async (what) => {
      const isFirst = what.startsWith('the first');
      let isAcquired = false;
      const store = {
        head: async () => undefined,
        get: async () => undefined,
        put: async (key: string) => {
          if (isAcquired && (isFirst || !key.endsWith('.json'))) throw new Error('lost');
          return 'etag';
        },
        close: async () => {},
      } as unknown as OpenObjectStore;
      const log = new ObjectLog(store, { pipeline: 'p', sink: 's' });
      await log.acquire('s');
      isAcquired = true;
      let packing = 0;
      const object = (key: string, ms: number): LogObject => ({
        key,
        holds: { shard: 's', first: position('1'), last: position('1'), count: 1 },
        contentType: 'application/gzip',
        async pack() {
          packing++;
          await new Promise((resolve) => setTimeout(resolve, ms));
          packing--;
          return new Uint8Array(1);
        },
      });
      const objects = isFirst ? [object('a', 50)] : [object('a', 0), object('b', 50)];
      await expect(log.append(objects, new Map([['s', position('1')]]))).rejects.toThrow('lost');
      expect(packing).toBe(0);
    },
  );
});
