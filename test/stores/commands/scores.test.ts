import { describe, expect, it } from 'vitest';
import { Scores, scoresOf, shares } from '../../../src/stores/commands/scores.ts';

describe('scores', () => {
  it('are shares of a score in whole numbers, of a list that is looked through once', () => {
    const list = [
      ['a', 1],
      ['b', 0.3334],
      ['c', -0.5],
    ] as const;
    const [one, two] = [shares(list, 1000), shares(list, 5)];
    expect(one).toMatchObject({ members: ['a', 'b', 'c'], by: [1000, 333, -500], isShared: true });
    expect(two.by).toEqual([5, 2, -2]);
    expect(two.members).toBe(one.members);
  });

  it('of a member that occurs twice are their sum, also where its text has no bytes of its own', () => {
    expect(
      scoresOf([
        ['a', 1],
        ['b', 2],
        ['a', 0.5],
      ]),
    ).toMatchObject({ members: ['a', 'b'], by: [1.5, 2] });
    expect(
      scoresOf([
        ['\uD800', 1],
        ['\uDFFF', 2],
      ]),
    ).toMatchObject({ members: ['\uFFFD'], by: [3] });
  });

  it('are refused when a member is no text, a score no finite number, or there are more than a script can hand on', () => {
    expect(() => new Scores([undefined as never], [1])).toThrow(/expected a member of text, got undefined/);
    for (const by of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => scoresOf([['a', by]])).toThrow(TypeError);
    const many = Array.from({ length: 2_001 }, String);
    expect(() => new Scores(many, many.map(Number))).toThrow(RangeError);
  });
});
