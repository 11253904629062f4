import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const root = join(import.meta.dirname, '..');
/** By the end of their names, those that take the longest first: none is left over for one worker alone. */
const KINDS = [/\.crash\.test\.ts$/, /\.integration\.test\.ts$/, /./];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const kindOf = ({ moduleId }: TestSpecification): number => KINDS.findIndex((kind) => kind.test(moduleId));
    return (await super.sort(files)).toSorted((a, b) => kindOf(a) - kindOf(b));
  }
}

/** What `npm test` runs: all tests but those of the services, side by side. */
export default defineConfig({
  root,
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Many tests start processes and wait for them, so that another one finds a processor free.
    maxWorkers: '100%',
    sequence: { sequencer: LongestFirst },
    // Hundreds of these processes load the same modules.
    env: { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled') },
  },
});
