import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { after } from '../../src/command/after.ts';

const DAY_MS = 86_400_000;

describe('after', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it.each([1, 1000, 25 * DAY_MS, 100 * DAY_MS])('waits %i ms, no longer and no shorter', (ms) => {
    const act = vi.fn<() => void>();
    after(ms, act);
    vi.advanceTimersByTime(ms - 1);
    expect(act).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(act).toHaveBeenCalledOnce();
  });

  it('can be called off, however long it has waited', () => {
    const act = vi.fn<() => void>();
    const callOff = after(60 * DAY_MS, act);
    vi.advanceTimersByTime(50 * DAY_MS);
    callOff();
    vi.advanceTimersByTime(50 * DAY_MS);
    expect(act).not.toHaveBeenCalled();
  });
});
