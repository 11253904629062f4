import { describe, expect, it } from 'vitest';
import { formatFault } from './checker.ts';
import { playRealtime } from './realtime-scenes.ts';

const SEED = Number(process.env['CRASH_SEED'] ?? 1);

describe('a short act of the crash campaign', () => {
  it('leaves every key of every visitor as an oracle computes it', { timeout: 180_000 }, async () => {
    const { faults, log, tally, folder } = await playRealtime({ seed: SEED, number: 1 }, { isShort: true });
    expect(faults.map(formatFault), `seed ${SEED}, kept in ${folder}:\n${log.join('\n')}`).toEqual([]);
    expect([tally.get('failover'), tally.get('Redis killed')]).toEqual([1, 1]);
    expect(tally.get('SIGKILL')).toBeGreaterThanOrEqual(2);
  });
});
