import type { Took } from './programs.ts';

/** Does work in this process, and says what it took; the peak is the process's since it began. */
export async function here(work: () => unknown): Promise<Took> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { seconds, cpuSeconds: (user + system) / 1e6, peakMiB: Math.round(process.resourceUsage().maxRSS / 1024) };
}
