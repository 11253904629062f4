import { EMPTY, catchError, delay, map } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import { named } from '../../src/operators/named.ts';
import { type Plant, simulate } from './simulate.ts';

vi.mock('../../src/sinks/pack-lines.ts', () => import('./simulated-packing.ts'));

/** A checker that finds nothing is worth nothing: each of these faults has to be found within so many seeds. */
const MAX_SEEDS = 150;

/** Fails now and then between two events of one record: they have one position. */
const failsWithinARecord: Plant['step'] = (process) => {
  let before = '';
  return map((event) => {
    const { sequence } = event.position;
    if (sequence === before && process.world.random.chance(0.3)) throw new Error('a step failed');
    before = sequence;
    return event;
  });
};

const plants: Readonly<Record<string, readonly [found: RegExp, plant: Plant]>> = {
  'a checkpoint before the commit': [/checkpoint ahead of sink/, { database: { positionsFirst: true } }],
  'a commit of an older epoch': [/fenced write accepted/, { database: { noEpochGuard: true } }],
  'a commit that was given up, and took place after all': [/duplicate/, { database: { noPositionGuard: true } }],
  'a put of an older epoch': [/fenced write accepted|nonmonotonic|duplicate|lost/, { objects: { noConditions: true } }],
  'an object key from the clock': [
    /duplicate|checkpoint ahead of sink: .* more than one/,
    { objects: { keyOf: (key, { world }) => `${key}-${Math.floor(world.nowMs / 100)}` } },
  ],
  'a shard that is read before its parents are': [/reordered: .* before all of its parent/, { hidesParents: true }],
  'identities that are forgotten': [/duplicate/, { forgetsIdentities: true }],
  'a window emitted on an error': [
    /checkpoint ahead of sink|lost/,
    {
      step: (process) => (source) =>
        source.pipe(
          failsWithinARecord(process),
          catchError(() => EMPTY),
        ),
    },
  ],
  'a step that keeps events without holding them, and vouches that it does': [
    /checkpoint ahead of sink|lost|stuck/,
    { step: ({ scheduler }) => named('delay', '', delay(100, scheduler)) },
  ],
};

describe.each(Object.entries(plants))('%s', (_, [found, plant]) => {
  test('is found', { timeout: 60_000 }, async () => {
    for (let seed = 1; seed <= MAX_SEEDS; seed++) {
      const { faults } = await simulate(seed, { plant });
      if (faults.length === 0) continue;
      expect(faults[0]).toMatch(found);
      process.stdout.write(`found with seed ${seed}: ${faults[0]}\n`);
      return;
    }
    expect.unreachable(`not found in ${MAX_SEEDS} seeds`);
  });
});

test('a step that fails in the midst of a record harms nothing', { timeout: 60_000 }, async () => {
  for (let seed = 1; seed <= 60; seed++)
    expect((await simulate(seed, { plant: { step: failsWithinARecord } })).faults, `seed ${seed}`).toEqual([]);
});

test('the same seed makes the same world, to the last event', { timeout: 60_000 }, async () => {
  const hashes = new Set<string>();
  for (let seed = 1; seed <= 20; seed++) {
    const first = await simulate(seed, { keepsLines: true });
    await simulate(seed + 1000);
    const again = await simulate(seed, { keepsLines: true });
    expect(again.lines).toEqual(first.lines);
    expect(again.hash).toBe(first.hash);
    expect((await simulate(seed)).hash).toBe(first.hash);
    hashes.add(first.hash);
  }
  expect(hashes.size).toBe(20);
});
