import { EMPTY, type Observable, delay, filter, interval, map, mergeMap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { transform } from '../../src/operators/transform.ts';
import { validate } from '../../src/operators/validate.ts';
import { checkMarble } from '../../src/testing/marble-check.ts';
import { record } from '../../src/testing/marble-record.ts';
import { parseMarbles } from '../../src/testing/marble-text.ts';
import { marble, pictureName } from '../../src/testing/marble.ts';

const tick = { seconds: 10 };
const pages = { a: 'home', b: 'cart', c: 'paid' };
const same = { tick, label: 'x', given: pages };

describe('marble', () => {
  marble('runs a spec as a test of its own', {
    ...same,
    operator: map((event) => event),
    source: '-a-(bc)-|',
    result: '-a-(bc)-|',
    picture: false,
  });

  it('says nothing of an operator that does as drawn', () => {
    const spec = { ...same, operator: minuteWindow<string>({ grace: { seconds: 30 } }), source: '-a-----b-|' };
    expect(checkMarble({ ...spec, result: '-------x-(y|)', emits: { x: ['home'], y: ['cart'] } })).toBeUndefined();
  });

  it('prints what was expected and what it got as aligned strings', () => {
    const spec = { ...same, operator: minuteWindow<string>(), source: '-a-----b-|', emits: { x: ['home'], y: ['home', 'cart'] } };
    expect(checkMarble({ ...spec, result: '-------x-(y|)' })).toMatchInlineSnapshot(`
      "  source    -a-----b-|
        expected  -------x-(y|)
        got       ------~x-(?|)
        x between two columns, at 00:01:05
        ? at 00:01:30: a window of [b] of shard-1 from 00:01:00, part 0, closed by complete"
    `);
  });

  it('compares the bounds of a window as far as they are told', () => {
    const spec = { ...same, operator: minuteWindow<string>(), source: '-a|', result: '--(x|)' };
    const events = ['home'];
    expect(
      checkMarble({ ...spec, emits: { x: { events, part: 0, closedBy: 'complete', start: { seconds: 0 } } } }),
    ).toBeUndefined();
    expect(checkMarble({ ...spec, emits: { x: { events, part: 1 } } })).toContain('part 0, closed by complete');
    expect(checkMarble({ ...spec, emits: { x: { events, start: { minutes: 1 } } } })).toContain('from 00:00:00');
  });

  it('tells what data came instead', () => {
    const spec = { ...same, operator: transform((page: string) => page.toUpperCase()), source: 'a|', result: 'A|' };
    expect(checkMarble({ ...spec, emits: { A: 'HOME' } })).toBeUndefined();
    expect(checkMarble({ ...spec, emits: { A: 'Home' } })).toContain("? at 00:00:00: a as 'HOME'");
  });

  it('compares what `compare` sees, and knows vitest’s matchers', () => {
    const spec = { ...same, operator: transform((page: string) => ({ page, seen: true })), source: 'a|', result: 'A|' };
    expect(checkMarble({ ...spec, emits: { A: expect.objectContaining({ page: 'home' }) } })).toBeUndefined();
    expect(checkMarble({ ...spec, emits: { A: 'home' }, compare: ({ page }: { page: string }) => page })).toBeUndefined();
  });

  it('compares bytes as text', () => {
    const spec = { ...same, operator: map((event: Event<Uint8Array>) => event), source: 'a|', result: 'a|' };
    expect(checkMarble({ ...spec, given: { a: Buffer.from('home') }, emits: { a: 'home' } })).toBeUndefined();
  });

  it('takes data of which there is no JSON', () => {
    const given = { a: { id: 10n }, b: undefined };
    const spec = { ...same, given, operator: map((event: Event<unknown>) => event), source: '-a-b-|' };
    expect(checkMarble({ ...spec, result: '-a-b-|' })).toBeUndefined();
  });

  it('draws rejects on a line of their own', () => {
    const check = (page: string) => (page === 'cart' ? { code: 'no_carts', reason: 'expected no cart' } : undefined);
    const spec = { ...same, operator: validate(check), source: 'a-b-c|', result: 'a---c|' };
    expect(checkMarble({ ...spec, rejected: '--b' })).toBeUndefined();
    expect(checkMarble({ ...spec, rejected: '--b', why: { b: { code: 'no_carts' } } })).toBeUndefined();
    expect(checkMarble({ ...spec, rejected: '--b', why: { b: { code: 'other' } } })).toContain("code: 'no_carts'");
    expect(checkMarble(spec)).toContain('got rejects       --?---');
  });

  it('finds events that a step dropped without a word', () => {
    const spec = { ...same, operator: filter(({ data }: Event<string>) => data !== 'cart'), source: 'a-b-c|', result: 'a---c|' };
    expect(checkMarble(spec)).toContain('dropped: expected {}, got { filter: 1 } (filter: by a step without a name)');
    expect(checkMarble({ ...spec, dropped: { filter: 1 } })).toBeUndefined();
  });

  it('finds events that were not held', () => {
    const spec = { ...same, operator: delay<Event<string>>(10_000), source: 'a-|', result: '-a-|' };
    expect(checkMarble(spec)).toContain('settled before they came out: the operator did not hold them');
  });

  it('finds events that are still in flight', () => {
    const keep = mergeMap((event: Event<string>) => {
      event.hold();
      return EMPTY;
    });
    const spec = { ...same, operator: keep, source: 'a-b|', result: '---|' };
    expect(checkMarble(spec)).toContain('in flight at the end: expected 0, got 2');
    expect(checkMarble({ ...spec, inFlight: 2 })).toBeUndefined();
  });

  it('shows the error that nobody expected', () => {
    const broken = map((): void => {
      throw new Error('a mistake');
    });
    expect(checkMarble({ ...same, operator: broken, source: '-a|', result: '-a|' })).toContain('# at 00:00:10: Error: a mistake');
  });

  it('ends with the strings: what would happen later does not', () => {
    const spec = { ...same, operator: minuteWindow<string>(), source: '-a--', result: '----', inFlight: 1 };
    expect(checkMarble(spec)).toBeUndefined();
  });

  it('ends also where an operator leaves a timer behind that repeats', () => {
    const leaving = (source: Observable<Event<string>>): Observable<Event<string>> => {
      interval(1000).subscribe();
      return source;
    };
    expect(checkMarble({ ...same, operator: leaving, source: '-a|', result: '-a|' })).toBeUndefined();
  });

  it('gives a record the arrival time, the position and the bytes that it is told', () => {
    const look = transform((page: string) => page);
    const seen: Event<string>[] = [];
    const operator = map((event: Event<string>) => (seen.push(event), event));
    const a = record('home', { arrived: { seconds: 3 }, sequence: 7, raw: 'bytes' });
    expect(
      checkMarble({ ...same, operator: (source) => source.pipe(operator, look), given: { a }, source: '-a|', result: '-a|' }),
    ).toBeUndefined();
    expect(seen[0]).toMatchObject({ arrivedAtMs: 3_000, sizeBytes: 5, position: { shard: 'shard-1', sequence: '7' } });
    expect(seen[0]!.delivery.readAtMs).toBe(10_000);
  });

  it('refuses strings that it cannot read, and letters that stand for nothing', () => {
    expect(() => parseMarbles('-a 5s b|')).toThrow(RangeError);
    expect(() => parseMarbles('-(a')).toThrow(RangeError);
    expect(() => checkMarble({ ...same, operator: map((event) => event), source: '-z|', result: '-z|' })).toThrow(
      /z of the source/,
    );
  });

  it('says of a source that it cannot read that it cannot, and not that the stream fails', () => {
    expect(() => checkMarble({ ...same, operator: map((event) => event), source: '-a |', result: '-a|' })).toThrow(
      'expected - letters | # ! and groups in parentheses, got "-a |"',
    );
  });

  it('says why a promise brings nothing', () => {
    const spec = { ...same, operator: mapAsync(async (page: string) => page), source: '-a-|', result: '-a-|' };
    expect(checkMarble(spec)).toContain(
      'in flight at the end: expected 0, got 1 (no promise is kept in virtual time: a step that',
    );
  });

  it('names a picture after its sentence', () => {
    expect(pictureName('minuteWindow keeps a minute (of 60 s) open')).toBe('minute-window-keeps-a-minute-of-60-s-open.svg');
  });
});
