import { describe, expect, it } from 'vitest';
import { pipelineName, timeRange } from '../../src/command/setting-types.ts';
import { readSettings } from '../../src/command/settings.ts';

const rangeOf = (text: string): string[] => {
  const { since, until } = timeRange.parse(text);
  return [since.toISOString(), until.toISOString()];
};

describe('timeRange', () => {
  it.each([
    ['a day', '2026-11-22', '2026-11-22T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
    ['the last day of a year', '2026-12-31', '2026-12-31T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['an hour', '2026-11-22T09', '2026-11-22T09:00:00.000Z', '2026-11-22T10:00:00.000Z'],
    ['a minute', '2026-11-22T09:30Z', '2026-11-22T09:30:00.000Z', '2026-11-22T09:31:00.000Z'],
    ['some hours', '2026-11-22T09/2026-11-22T17', '2026-11-22T09:00:00.000Z', '2026-11-22T17:00:00.000Z'],
    ['some days and hours', '2026-11-22/2026-11-24T06', '2026-11-22T00:00:00.000Z', '2026-11-24T06:00:00.000Z'],
  ])('is %s: %s', (_, text, since, until) => {
    expect(rangeOf(text)).toEqual([since, until]);
  });

  it.each([
    '',
    'today',
    '2026-11',
    '2026-02-30',
    '2026-11-22T24',
    '2026-11-22T09/',
    '/2026-11-22T09',
    '2026-11-22/2026-11-23/2026-11-24',
    '2026-11-22T09:00:30',
  ])('is not %j', (text) => {
    expect(() => readSettings({ RANGE: timeRange }, ['--range', text], {})).toThrow(
      `RANGE (--range): expected a day such as 2026-11-22, an hour such as 2026-11-22T09, or a stretch such as 2026-11-22T09/2026-11-22T17, got ${JSON.stringify(text)}`,
    );
  });
});

describe('timeRange, of a stretch without time in it,', () => {
  it.each(['2026-11-22/2026-11-22', '2026-11-22T09/2026-11-22T09', '2026-11-22T10/2026-11-22T09'])('says so of %s', (text) => {
    expect(() => readSettings({ RANGE: timeRange }, ['--range', text], {})).toThrow(
      `RANGE (--range): expected a stretch that ends later than it begins, as 2026-11-22/2026-11-23 is a day, got ${JSON.stringify(text)}`,
    );
  });
});

describe('pipelineName', () => {
  it('is what a pipeline takes for a name', () => {
    expect(pipelineName.parse('restore-2')).toBe('restore-2');
    expect(() => readSettings({ NAME: pipelineName }, ['--name', 'Restore 2'], {})).toThrow(
      /NAME \(--name\): pipeline: expected a name of lower-case letters.*got "Restore 2"/,
    );
  });
});
