import { NEVER, Subject, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { StepError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import { stepOf } from '../../src/operators/named.ts';
import { wordsOf } from '../../src/operators/thrown.ts';
import { type Check, validate } from '../../src/operators/validate.ts';
import { type StepRun, throughStep } from '../support/through-step.ts';

const isShort: Check<Uint8Array> = function isShort({ length }) {
  if (length === 0) throw new Error('a bug in the check');
  return length > 3 ? { code: 'too_long', reason: `expected 3 bytes at most, got ${length}`, path: 'data' } : undefined;
};

const run = (...raws: string[]): StepRun<Uint8Array> => throughStep(validate(isShort), raws);

describe('validate', () => {
  it('hands on the very same events', () => {
    const { out, events } = run('a', 'b');
    expect(out[0]).toBe(events[0]);
    expect(out[1]).toBe(events[1]);
  });

  it('makes a reject of an event with an issue, and goes on', () => {
    const { out, events, rejects } = run('a', 'long', 'c');
    expect(out).toEqual([events[0], events[2]]);
    expect(rejects.map(({ why, event }) => [event, why])).toEqual([
      [events[1], { step: 'validate', code: 'too_long', reason: 'expected 3 bytes at most, got 4', path: 'data' }],
    ]);
  });

  it('ends the stream with an error when the check throws', () => {
    const { out, error } = run('a', '', 'c');
    expect(out).toHaveLength(1);
    expect(error).toBeInstanceOf(StepError);
    expect(error).toMatchObject({
      message: expect.stringMatching(
        /^validate threw at 2:0 of shard-1, .*\. To make such an event a reject, .* return an issue$/,
      ),
      cause: { message: 'a bug in the check' },
    });
  });

  it('is never, or an error, when its source is', () => {
    const seen: unknown[] = [];
    NEVER.pipe(validate(isShort)).subscribe({ next: () => seen.push('next'), complete: () => seen.push('complete') });
    throwError(() => 'the source failed')
      .pipe(validate(isShort))
      .subscribe({ error: (error: unknown) => seen.push(error) });
    expect(seen).toEqual(['the source failed']);
  });

  it('completes with its source, and lets go of it when nobody listens any more', () => {
    const source = new Subject<Event<Uint8Array>>();
    let completed = false;
    source.pipe(validate(isShort)).subscribe({ complete: () => (completed = true) });
    const early = source.pipe(validate(isShort)).subscribe();
    early.unsubscribe();
    source.complete();
    expect(completed).toBe(true);
    expect(source.observed).toBe(false);
  });

  it('has a name, and the check for its detail', () => {
    expect(stepOf(validate(isShort))).toMatchObject({ name: 'validate', detail: 'isShort' });
  });

  it.each([true, 'too long', Promise.resolve()])('ends the stream when its check returns %o, which is no issue', (came) => {
    const { error } = throughStep(validate((() => came) as unknown as Check<Uint8Array>), ['a']);
    expect(error).toEqual(
      new TypeError(
        `validate: expected its check to return an issue, { code, reason }, or nothing when all is well; got ${wordsOf(came)}`,
      ),
    );
  });
});
