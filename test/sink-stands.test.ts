import { describe, expect, it } from 'vitest';
import type { Position, Resume } from '../src/position.ts';
import { SinkStands } from '../src/sink-stands.ts';

const at = (sequence: number): Position => ({ shard: 's', sequence: String(sequence), subSequence: 0 });

function standing(rejects: Resume | undefined, ...stands: (Resume | undefined)[]): SinkStands {
  const all = new SinkStands();
  all.note('s', stands, rejects);
  return all;
}

describe('where sinks stood when reading began', () => {
  it('tells which of them a record is new to, and nothing once it is new to all', () => {
    const stands = standing(undefined, at(5), at(9), 'TRIM_HORIZON', new Date(1));
    expect([4, 5, 6, 9].map((sequence) => stands.newTo(at(sequence)))).toEqual([0b11001, 0b11001, 0b11011, 0b11011]);
    expect(stands.newTo(at(10))).toBeUndefined();
    expect(standing(at(5), 'SHARD_END').newTo(at(99))).toBe(0b01);
  });

  it('tells nothing of a shard that no run has taken over, as in a test of a step', () => {
    expect(new SinkStands().newTo(at(1))).toBeUndefined();
  });

  it('tells whether one of them has all of a shard', () => {
    expect(standing(undefined, at(5), 'SHARD_END', undefined).isAtEnd('s')).toBe(true);
    expect(standing(at(9), at(5), undefined).isAtEnd('s')).toBe(false);
    expect(new SinkStands().isAtEnd('s')).toBe(false);
  });

  it('tells the first position at which one stands, whatever rejects are stored', () => {
    expect(standing(at(1), 'TRIM_HORIZON', at(9), undefined, at(5), 'SHARD_END').firstPosition('s')).toEqual(at(5));
    expect(standing(at(1), 'TRIM_HORIZON', new Date(1)).firstPosition('s')).toBeUndefined();
    expect(new SinkStands().firstPosition('s')).toBeUndefined();
  });

  it('tells the last position at which one stands, be it that of the rejects', () => {
    expect(standing(at(1), 'TRIM_HORIZON', at(9), undefined, at(5), 'SHARD_END').lastPosition('s')).toEqual(at(9));
    expect(standing(at(11), at(9)).lastPosition('s')).toEqual(at(11));
    expect(standing(undefined, 'TRIM_HORIZON', new Date(1)).lastPosition('s')).toBeUndefined();
    expect(new SinkStands().lastPosition('s')).toBeUndefined();
  });
});
