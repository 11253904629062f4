import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RankedSet } from '../../../src/stores/redis/ranked-set.ts';

const byNumber = (a: number, b: number): number => a - b;

it('takes out the least scores, of equal ones the member that comes first', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -2, max: 2 }), { maxLength: 30 }), fc.integer({ min: 1, max: 30 }), (scores, keep) => {
      const set = new RankedSet();
      for (const [member, score] of scores.entries()) set.add(member, score);
      const gone = set.cut(keep, byNumber);
      const lowestFirst = [...scores.keys()].sort((a, b) => scores[a]! - scores[b]! || a - b);
      const count = Math.max(0, scores.length - keep);
      expect(gone).toEqual(lowestFirst.slice(0, count));
      expect([...set.members].sort(byNumber)).toEqual(lowestFirst.slice(count).sort(byNumber));
      expect(set.members.map((member) => scores[member])).toEqual(set.scores);
    }),
  );
});

it('keeps the score of each member beside it when one is removed', () => {
  const set = new RankedSet();
  for (const member of [1, 2, 3]) set.add(member, member * 10);
  for (const member of [1, 7, 3]) set.remove(member);
  expect([set.members, set.scores]).toEqual([[2], [20]]);
});
