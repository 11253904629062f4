import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Complaint, loadAround } from '../../src/stores/database/refusals.ts';

const fault = { code: 'x', reason: 'bad' };
type Teller = (firstBad: number) => number | undefined;

/** Loads `count` lines of which some are bad into an array, as a database that says where the first bad one is, or what it says of it. */
async function load(count: number, bad: ReadonlySet<number>, tell: Teller, maxLines = 64) {
  const stored: number[] = [];
  const refused: number[] = [];
  let attempts = 0;
  const attempt = async (from: number, to: number): Promise<Complaint | undefined> => {
    attempts++;
    for (let i = from; i < to; i++) {
      if (!bad.has(i)) continue;
      const soundBefore = tell(i - from);
      return soundBefore === undefined ? { fault } : { fault, soundBefore };
    }
    for (let i = from; i < to; i++) stored.push(i);
  };
  const first = (await attempt(0, count))!;
  stored.length = 0;
  await loadAround({ count, attempt, first, maxLines, refuse: (index) => void refused.push(index) });
  return { stored, refused, attempts };
}

const tellers: Record<string, Teller> = {
  'says which line it is': (i) => i,
  'does not say which line it is': () => undefined,
  'says a line too early': (i) => Math.max(0, i - 3),
  'says a line too late': (i) => i + 2,
};

test.each(Object.keys(tellers))('refuses the bad lines, in order, and no other, when the database %s', async (teller) => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(199), { minLength: 1 }), fc.integer({ min: 1, max: 300 }), async (bad, maxLines) => {
      const set = new Set(bad);
      const { stored, refused } = await load(200, set, tellers[teller]!, maxLines);
      expect(refused).toEqual(bad.toSorted((a, b) => a - b));
      expect(stored).toEqual([...Array(200).keys()].filter((i) => !set.has(i)));
    }),
  );
});

test('needs few attempts for one bad line among thousands', async () => {
  const one = new Set([40_321]);
  expect((await load(50_000, one, (i) => i, 4096)).attempts).toBeLessThan(10);
  expect((await load(50_000, one, () => undefined, 4096)).attempts).toBeLessThan(40);
});

test('needs about one attempt each when all lines are bad', async () => {
  const all = new Set(Array(5000).keys());
  for (const tell of Object.values(tellers)) expect((await load(5000, all, tell, 4096)).attempts).toBeLessThan(5100);
});
