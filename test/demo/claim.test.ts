import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claim } from '../../src/demo/claim.ts';
import { SettingsError } from '../../src/command/settings.ts';

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), 'claim-'))));
afterEach(() => rm(directory, { recursive: true }));

describe('claim', () => {
  it('keeps a directory until it is closed', () => {
    const first = claim(directory);
    expect(() => claim(directory)).toThrow(SettingsError);
    first.close();
    claim(directory).close();
  });

  it('tells of no other shop when the file cannot be locked for another reason', async () => {
    await writeFile(join(directory, 'in-use'), 'no database'.repeat(1000));
    expect(() => claim(directory)).toThrow(/^file is not a database$/);
  });
});
