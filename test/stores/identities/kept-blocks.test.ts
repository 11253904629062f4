import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeptBlocks } from '../../../src/stores/identities/kept-blocks.ts';

test('keeps the newest blocks that are needed, whatever comes, and forgets two at a time at most', () => {
  const steps = fc.array(
    fc.record({ count: fc.integer({ min: 1, max: 5 }), isQuiet: fc.boolean(), capacity: fc.integer({ min: 1, max: 40 }) }),
    {
      maxLength: 60,
    },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const kept = new KeptBlocks(1);
      let expected: { readonly id: number; readonly count: number; readonly newestMs: number }[] = [];
      for (const [i, { count, isQuiet, capacity }] of all.entries()) {
        const coming = { id: kept.nextId, count, newestMs: i };
        const beforeMs = isQuiet ? undefined : i - 10;
        const { gone, firstId } = kept.forgettable(coming, { beforeMs, capacity });
        let stays = [...expected, coming];
        for (let forgotten = 0; forgotten < 2 && stays.length > 1; forgotten++) {
          const behind = stays.slice(1).reduce((sum, block) => sum + block.count, 0);
          if (stays[0]!.newestMs >= (beforeMs ?? -Infinity) && behind < capacity) break;
          stays = stays.slice(1);
        }
        expect({ gone, firstId }).toEqual({ gone: expected.length + 1 - stays.length, firstId: stays[0]!.id });
        kept.keep(coming, gone);
        expected = stays;
        expect(kept.sights).toBe(expected.reduce((sum, block) => sum + block.count, 0));
      }
    }),
  );
});
