import { expect, test, vi } from 'vitest';
import { type Outcome, simulate } from './simulate.ts';

vi.mock('../../src/sinks/pack-lines.ts', () => import('./simulated-packing.ts'));

/** `SIMULATION_SEED=7` for one, with all that happens in it; `SIMULATION_SEEDS=1-20000` for all of these. */
const { SIMULATION_SEED, SIMULATION_SEEDS } = process.env;
/** Without them: these, or as many as a slow machine plays in so many seconds of CPU. */
const SEEDS = '1-2000';
const MAX_CPU_SECONDS = 40;
const LINES_SHOWN = 60;

function seeds(): number[] {
  const [first = 1, last = first] = (SIMULATION_SEED ?? SIMULATION_SEEDS ?? SEEDS).split('-').map(Number);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** What went wrong, how to see it again, and what came before. */
async function storyOf({ seed, faults }: Outcome): Promise<string> {
  const { lines } = await simulate(seed, { keepsLines: true });
  const shown = SIMULATION_SEED === undefined ? lines.slice(-LINES_SHOWN) : lines;
  const replay = `SIMULATION_SEED=${seed} npx vitest run test/simulation/seeds.test.ts`;
  return [`seed ${seed}: ${faults.join('; ') || 'all is well'}`, `replay: ${replay}`, ...shown].join('\n');
}

test(
  'whatever befalls a run, each event is stored once and in order, and no position is ahead of it',
  {
    timeout: 24 * 3_600_000,
  },
  async () => {
    const total = { records: 0, runs: 0, kills: 0, pauses: 0, takeOvers: 0, mishaps: 0, events: 0 };
    const all = seeds();
    const before = process.threadCpuUsage();
    let played = 0;
    let seconds = 0;
    for (const seed of all) {
      const outcome = await simulate(seed);
      if (outcome.faults.length > 0) expect.unreachable(await storyOf(outcome));
      if (SIMULATION_SEED !== undefined) process.stdout.write(`${await storyOf(outcome)}\n`);
      for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += outcome.counts[name];
      played++;
      const { user, system } = process.threadCpuUsage(before);
      seconds = (user + system) / 1e6;
      if (seconds > MAX_CPU_SECONDS && SIMULATION_SEEDS === undefined) break;
      // Lets the test's own process breathe.
      await new Promise((resolve) => setImmediate(resolve));
    }
    const totals = Object.entries(total).map(([name, count]) => `${count} ${name}`);
    process.stdout.write(
      `simulation: ${played} of ${all.length} seeds in ${seconds.toFixed(1)} s of CPU: ${totals.join(', ')}\n`,
    );
    if (played > 100) expect(Math.min(...Object.values(total)), totals.join(', ')).toBeGreaterThan(0);
  },
);
