import { MAX_TIMER_MS } from '../duration.ts';

/** Does something once so many milliseconds have passed, be it months. Returns what calls it off. */
export function after(ms: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const nextMs = Math.min(leftMs, MAX_TIMER_MS);
    timer = setTimeout(() => (leftMs > nextMs ? wait(leftMs - nextMs) : act()), nextMs);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
