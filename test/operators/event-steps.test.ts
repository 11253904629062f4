import { EMPTY, NEVER, Subject, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { type EventSteps, eventSteps, joined } from '../../src/operators/event-steps.ts';
import { deliver } from '../../src/testing/deliver.ts';

/** A step that counts how often it was closed. */
function closing(seed: () => unknown = () => undefined) {
  const count = { closed: 0 };
  const steps: EventSteps<unknown, never, unknown> = {
    name: 'closing',
    detail: '',
    seed,
    step: () => {},
    close: () => void count.closed++,
  };
  return { steps, count };
}

describe('eventSteps', () => {
  it('gives all that a step makes of an event the position of that, also when the stream feeds itself in between', () => {
    const { events } = deliver(['a', 'b']);
    const twice = eventSteps<undefined, Uint8Array, string>({
      name: 'twice',
      detail: '',
      seed: () => undefined,
      step(_, data, _origin, out) {
        for (const n of [1, 2]) out.emit(`${Buffer.from(data).toString()}${n}`);
      },
    });
    const source = new Subject<Event<Uint8Array>>();
    const seen: string[] = [];
    source.pipe(twice).subscribe(({ data, position }) => {
      seen.push(`${data} at ${position.sequence}`);
      if (data === 'a1') source.next(events[1]!);
    });
    source.next(events[0]!);
    expect(seen).toEqual(['a1 at 1', 'b1 at 2', 'b2 at 2', 'a2 at 1']);
  });

  it('closes each step once, however a subscription ends', () => {
    const { steps, count } = closing();
    EMPTY.pipe(eventSteps(steps)).subscribe();
    expect(count.closed).toBe(1);
    throwError(() => 'lost')
      .pipe(eventSteps(steps))
      .subscribe({ error: () => {} });
    expect(count.closed).toBe(2);
    NEVER.pipe(eventSteps(steps)).subscribe().unsubscribe();
    expect(count.closed).toBe(3);
  });

  it('closes the steps that it has begun when another one cannot begin', () => {
    const fail = (): never => {
      throw new Error('no room');
    };
    let told: unknown;
    const [failing, begun] = [closing(fail), closing()];
    NEVER.pipe(joined([failing.steps, begun.steps])).subscribe({ error: (error) => (told = error) });
    expect([told, failing.count.closed, begun.count.closed]).toEqual([new Error('no room'), 0, 1]);
  });
});
