import { NEVER, Subject, from, throwError } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Event, Reject } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { decode } from '../../src/operators/decode.ts';
import { stepOf } from '../../src/operators/named.ts';
import { transform } from '../../src/operators/transform.ts';
import { enriched } from '../../src/snowplow/enriched.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { lineOf } from '../snowplow/line.ts';
import { type StepRun, throughStep } from '../support/through-step.ts';

function lengthOf({ length }: Uint8Array): number {
  if (length === 0) throw new RangeError('expected bytes, got none');
  if (length === 4) throw Object.assign(new Error('expected another length'), { code: 'FOUR', path: 'length' });
  // oxlint-disable-next-line typescript/only-throw-error -- others' code does
  if (length === 5) throw 'five';
  return length;
}

const run = (...raws: string[]): StepRun<number> => throughStep(transform(lengthOf), raws);

describe('transform', () => {
  it('changes the data and keeps where it came from', () => {
    const { out } = run('a', 'bb');
    expect(out.map(({ data, position }) => [data, position.sequence])).toEqual([
      [1, '1'],
      [2, '2'],
    ]);
    expectTypeOf(transform((length: number) => length > 3)).returns.toExtend<object>();
  });

  it('makes a reject of what the function throws, and goes on', () => {
    const { out, rejects, completed } = run('', 'four', 'fives', 'ok');
    expect(out.map(({ data }) => data)).toEqual([2]);
    expect(rejects.map(({ why }) => why)).toEqual([
      { step: 'transform', code: 'RangeError', reason: 'expected bytes, got none' },
      { step: 'transform', code: 'FOUR', reason: 'expected another length', path: 'length' },
      { step: 'transform', code: 'thrown', reason: 'five' },
    ]);
    expect(completed).toBe(true);
  });

  it('names the field of an enriched event that could not be read', () => {
    const ledger = new Ledger();
    const rejects: Reject[] = [];
    ledger.onReject((reject) => rejects.push(reject));
    from(deliver([{ raw: lineOf({ page_urlport: 'https' }) }], ledger).events)
      .pipe(
        decode(enriched),
        transform((event) => event.page_urlport),
      )
      .subscribe();
    expect(rejects[0]!.why).toEqual({
      step: 'transform',
      code: 'invalid_integer',
      reason: 'page_urlport: expected an integer of 32 bits, got "https"',
      path: 'page_urlport',
    });
  });

  it('is never, or an error, when its source is', () => {
    const seen: unknown[] = [];
    NEVER.pipe(transform(lengthOf)).subscribe({ next: () => seen.push('next'), complete: () => seen.push('complete') });
    throwError(() => 'the source failed')
      .pipe(transform(lengthOf))
      .subscribe({ error: (error: unknown) => seen.push(error) });
    expect(seen).toEqual(['the source failed']);
  });

  it('makes what is no event an error of the stream', () => {
    let ended: unknown;
    from([{ data: 'a row' }] as never[])
      .pipe(transform(lengthOf))
      .subscribe({ error: (error: unknown) => (ended = error) });
    expect(ended).toBeInstanceOf(TypeError);
  });

  it('completes with its source, and lets go of it when nobody listens any more', () => {
    const source = new Subject<Event<Uint8Array>>();
    let completed = false;
    source.pipe(transform(lengthOf)).subscribe({ complete: () => (completed = true) });
    const early = source.pipe(transform(lengthOf)).subscribe();
    early.unsubscribe();
    source.complete();
    expect(completed).toBe(true);
    expect(source.observed).toBe(false);
  });

  it('has a name, and the function for its detail', () => {
    expect(stepOf(transform(lengthOf))).toMatchObject({ name: 'transform', detail: 'lengthOf' });
  });
});
