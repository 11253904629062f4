import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const limits = join(import.meta.dirname, '..', '..', 'bench', 'limits.ts');

describe('bench/limits.ts', () => {
  // It makes the table by the statements that the sink makes it by.
  it.each(['duckdb', 'duckdb-newest'])('has %s load the rows that the warehouse would store', async (of) => {
    const { stdout } = await promisify(execFile)(process.execPath, [limits, '--of', of, '--events', '500']);
    expect(JSON.parse(stdout)).toMatchObject({ events: 500, seconds: expect.any(Number) });
  });
});
