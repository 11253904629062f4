import { Subscription, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { steady } from '../src/steady.ts';

describe('steady', () => {
  it('goes on from where it was when the clock is set back, and ahead when that is set ahead', () => {
    let nowMs = 1000;
    const clock = steady({ now: () => nowMs, schedule: () => expect.unreachable() });
    const tellsAt = (ms: number): number => ((nowMs = ms), clock.now());
    expect([1000, 1500, 500, 700, 690, 2000].map(tellsAt)).toEqual([1000, 1500, 1500, 1700, 1700, 3010]);
  });

  it('takes a timer for a clock: what it was to wait for has passed', () => {
    const scheduler = new VirtualTimeScheduler();
    let backMs = 0;
    const clock = steady({ now: () => scheduler.now() - backMs, schedule: scheduler.schedule.bind(scheduler) });
    const at: [number, string | undefined][] = [];
    clock.schedule((state) => at.push([clock.now(), state]), 30, 'given');
    backMs = 1000;
    scheduler.flush();
    expect(at).toEqual([[30, 'given']]);
  });

  it('takes the word of another one for what time it is, never for an earlier one', () => {
    let nowMs = 1000;
    const clock = steady({ now: () => nowMs, schedule: () => expect.unreachable() });
    clock.catchUp(5000);
    expect(clock.now()).toBe(5000);
    clock.catchUp(2000);
    nowMs = 1500;
    expect(clock.now()).toBe(5500);
  });

  it('does not gain by timers that come a millisecond early, as they do', () => {
    let nowMs = 0;
    const clock = steady({
      now: () => nowMs,
      schedule(work, delayMs = 0) {
        nowMs += delayMs - 1;
        (work as () => void)();
        return new Subscription();
      },
    });
    for (let i = 0; i < 1000; i++) clock.schedule(() => {}, 10);
    expect(clock.now()).toBe(nowMs);
  });
});
