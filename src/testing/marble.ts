import { expect, test } from 'vitest';
import { drawMarble } from './draw.ts';
import { checkMarble } from './marble-check.ts';
import type { MarbleSpec } from './marble-spec.ts';

/**
 * Registers a test that runs an operator in virtual time and compares what comes out with marble strings. Its picture is a
 * file snapshot beside the spec: a stale one fails the test, and `vitest -u` draws it again. A promise brings nothing in virtual time: what waits for
 * one, as `mapAsync` does, is tested by `run`, with `scripted` for a source and `memorySink` for a sink.
 *
 *     marble('minuteWindow gives a record to the minute in which it arrived', {
 *       tick: { seconds: 10 },
 *       ruler: { minutes: 1 },
 *       operator: minuteWindow(),
 *       label: 'minuteWindow()',
 *       source: '-a---b-c-----|',
 *       result: '-------x-----(y|)',
 *       given: { a: 'home', b: 'cart', c: 'paid' },
 *       emits: { x: ['home', 'cart'], y: ['paid'] },
 *     });
 */
export function marble<A, R>(name: string, spec: MarbleSpec<A, R>): void {
  const place = new Error('marble');
  Error.captureStackTrace(place, marble);
  test(name, async () => {
    const difference = checkMarble(spec);
    if (difference !== undefined) {
      place.message = `not as drawn\n\n${difference}\n`; // thrown from where the spec stands
      throw place;
    }
    if (spec.picture ?? true) await expect(drawMarble(name, spec)).toMatchFileSnapshot(`./${pictureName(name)}`);
  });
}

/** The file name of the picture of a spec. */
export function pictureName(name: string): string {
  const words = name.replaceAll(/([a-z])([A-Z])/g, '$1-$2').toLowerCase();
  return `${words.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')}.svg`;
}
