import type { IdentityState } from '../src/operators/identity-state.ts';
import { SIGHT_WORDS, writePlace } from '../src/operators/dedupe/sight.ts';

const BLOCK_SIGHTS = 10_000;

/** A state of `dedupe` that has so many identities from the beginning, none of which comes again, and keeps none. */
export function remembered(count: number, arrivedAtMs: number): IdentityState {
  return {
    describe: `${count} identities`,
    open: () => ({
      load(take, expect) {
        const startedAt = performance.now();
        expect?.(count);
        for (let from = 0; from < count; from += BLOCK_SIGHTS)
          take(block(from, Math.min(BLOCK_SIGHTS, count - from), arrivedAtMs));
        return { ms: performance.now() - startedAt };
      },
      append: () => {},
      close: () => {},
    }),
  };
}

function block(from: number, count: number, arrivedAtMs: number): Uint32Array {
  const sights = new Uint32Array(count * SIGHT_WORDS);
  for (let i = 0; i < count; i++) {
    const at = i * SIGHT_WORDS;
    // All but the last word are spread over their whole range, as hashes are; the number itself keeps them apart.
    for (let k = 0; k < 3; k++) sights[at + k] = Math.imul(from + i + 1, 0x9e3779b1 + 2 * k);
    sights[at + 3] = from + i;
    writePlace(sights.subarray(at, at + SIGHT_WORDS), { shard: 'earlier', sequence: '1', subSequence: i }, arrivedAtMs);
  }
  return sights;
}
