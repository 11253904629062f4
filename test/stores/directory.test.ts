import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directory } from '../../src/stores/directory.ts';
import { objectStoreConformance } from './object-store.conformance.ts';

objectStoreConformance('directory', async () => {
  const path = await mkdtemp(join(tmpdir(), 'millrace-directory-'));
  return { declare: () => directory(path), isConditional: true, close: () => rm(path, { recursive: true }) };
});
