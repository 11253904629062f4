import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { identityLog } from '../../src/stores/identity-log.ts';
import { expectTakeOver } from '../support/second-run.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-second-'));
});

afterAll(() => rm(folder, { recursive: true }));

describe('a second run on the same machine', () => {
  it('takes the memory of dedupe over with the shards; the first one ends with the reason, and remembers nothing more', () =>
    expectTakeOver(() => identityLog(join(folder, 'state'))));
});
