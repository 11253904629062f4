import { asyncScheduler } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Retry, retrying } from '../../src/run/retry.ts';

const passing = Object.assign(new Error('reset'), { code: 'ECONNRESET' });

describe('retrying', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] }));
  afterEach(() => void vi.useRealTimers());

  const attempt = async (failures: unknown[], signal = new AbortController().signal) => {
    const retries: Retry[] = [];
    const result = retrying(
      async (tries) => {
        if (failures.length > 0) throw failures.shift();
        return tries;
      },
      { within: { minutes: 1 } },
      { signal, scheduler: asyncScheduler, random: Math.random, onRetry: (retry) => retries.push(retry) },
    ).catch((error: unknown) => error);
    await vi.runAllTimersAsync();
    return { result: await result, retries };
  };

  it('returns what the work returns, at once when it works at once', async () => {
    expect(await attempt([])).toEqual({ result: 1, retries: [] });
  });

  it('tries again after passing faults, waiting longer and with jitter, never beyond the longest wait', async () => {
    const { result, retries } = await attempt(Array.from({ length: 12 }, () => passing));
    expect(result).toBe(13);
    retries.forEach(({ attempt: n, delayMs }) => expect(delayMs).toBeLessThanOrEqual(Math.min(10_000, 100 * 2 ** (n - 1))));
  });

  it('does not try again what trying again cannot mend', async () => {
    const wrong = new TypeError('wrong');
    expect(await attempt([passing, wrong])).toMatchObject({ result: wrong, retries: { length: 1 } });
  });

  it('gives up after its limit with the fault itself', async () => {
    const { result, retries } = await attempt(Array.from({ length: 10_000 }, () => passing));
    expect(result).toBe(passing);
    expect(retries.length).toBeLessThan(10_000);
  });

  it('begins anew when some of the work was done in between, however long all of it takes', async () => {
    const retries: Retry[] = [];
    let left = 100;
    const result = retrying(
      async (_, moved) => {
        if (left % 4 === 0) moved();
        if (left-- > 0) throw passing;
        return 'all';
      },
      { within: { seconds: 1 } },
      {
        signal: new AbortController().signal,
        scheduler: asyncScheduler,
        random: () => 0.99,
        onRetry: (retry) => retries.push(retry),
      },
    );
    await vi.runAllTimersAsync();
    expect(await result).toBe('all');
    expect(Math.max(...retries.map(({ attempt: n }) => n))).toBe(4);
    expect(Math.max(...retries.map(({ delayMs }) => delayMs))).toBeLessThan(800);
  });

  it('ends when aborted', async () => {
    expect(await attempt([passing], AbortSignal.abort())).toMatchObject({ result: passing, retries: [] });
  });
});
