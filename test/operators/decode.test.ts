import { NEVER, Subject, from, map, of, throwError, toArray } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { StepError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import { Ledger } from '../../src/ledger.ts';
import { type Format, Malformed, decode } from '../../src/operators/decode.ts';
import { stepOf } from '../../src/operators/named.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { type StepRun, throughStep } from '../support/through-step.ts';

const digits: Format<number> = {
  name: 'digits',
  parse(bytes) {
    const text = Buffer.from(bytes).toString();
    if (text === 'bug') throw new Error('a bug in the format');
    return /^\d+$/.test(text) ? Number(text) : new Malformed('not_digits', `expected digits, got ${text}`, 'text');
  },
};

const run = (...raws: string[]): StepRun<number> => throughStep(decode(digits), raws);

describe('decode', () => {
  it('gives each record the data that the format reads, and keeps where it came from', () => {
    const { out, completed } = run('1', '22');
    expect(out.map(({ data, position }) => [data, position.sequence])).toEqual([
      [1, '1'],
      [22, '2'],
    ]);
    expect(completed).toBe(true);
    expectTypeOf(out[0]!.data).toEqualTypeOf<number>();
  });

  it('makes a reject of what is malformed, and goes on', () => {
    const { out, rejects, ledger, completed } = run('1', 'x', '3');
    expect(out.map(({ data }) => data)).toEqual([1, 3]);
    expect(rejects.map(({ why, first }) => [first.sequence, why])).toEqual([
      ['2', { step: 'decode', code: 'not_digits', reason: 'expected digits, got x', path: 'text' }],
    ]);
    expect(ledger.counts()).toMatchObject({ read: 3, rejected: 1, inFlight: 0 });
    expect(completed).toBe(true);
  });

  it('keeps a malformed record in flight until its reject is stored', () => {
    const ledger = new Ledger();
    const { delivery, events } = deliver(['x'], ledger);
    from(events).pipe(decode(digits)).subscribe();
    delivery.letGo();
    expect(delivery.isSettled).toBe(false);
    ledger.onReject((reject) => reject.release());
    expect(delivery.isSettled).toBe(true);
  });

  it('is never, empty or an error when its source is', () => {
    const seen: unknown[] = [];
    NEVER.pipe(decode(digits)).subscribe({ next: () => seen.push('next'), complete: () => seen.push('complete') });
    expect(seen).toEqual([]);
    expect(run()).toMatchObject({ out: [], completed: true });
    throwError(() => 'the source failed')
      .pipe(decode(digits))
      .subscribe({ error: (error: unknown) => seen.push(error) });
    expect(seen).toEqual(['the source failed']);
  });

  it('lets go of its source when nobody listens any more', () => {
    const source = new Subject<Event<Uint8Array>>();
    const subscription = source.pipe(decode(digits)).subscribe();
    expect(source.observed).toBe(true);
    subscription.unsubscribe();
    expect(source.observed).toBe(false);
  });

  it('ends the stream with an error when the format throws', () => {
    const { out, error } = run('1', 'bug', '3');
    expect(out).toHaveLength(1);
    expect(error).toBeInstanceOf(StepError);
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /^decode threw at 2:0 of shard-1, .*\. To make such a record a reject, .* return Malformed$/,
      ),
      cause: { message: 'a bug in the format' },
    });
  });

  it('has a name, and the format for its detail', () => {
    expect(stepOf(decode(digits))).toMatchObject({ name: 'decode', detail: 'digits' });
  });

  it('is an ordinary operator', () => {
    let data: unknown;
    of(deliver(['7']).events[0]!)
      .pipe(
        decode(digits),
        map((event) => event.data + 1),
        toArray(),
      )
      .subscribe((all) => (data = all));
    expect(data).toEqual([8]);
  });
});
