import { defineConfig } from 'vitest/config';

/** What `npm run test:services` runs: tests against servers that npm does not have. `.ci/services` installs those. */
export default defineConfig({
  test: { include: ['test/services/**/*.service.ts'], maxWorkers: '100%', testTimeout: 60_000, hookTimeout: 60_000 },
});
