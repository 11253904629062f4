import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { packLines } from '../../src/sinks/pack-lines.ts';

describe('objects one behind the other', () => {
  test.each([
    ['gzip', ['gzip', '-dc']],
    ['zstd', ['zstd', '-dcq']],
  ] as const)('are a valid stream to the %s program', async (compression, [program, flag]) => {
    const bodies = [];
    for (const lines of [['a', 'b'], [], ['c']])
      bodies.push(
        await packLines(
          lines.map((line) => Buffer.from(line)),
          { compression, stamp: 'millrace epoch 1' },
        ),
      );
    expect(execFileSync(program, [flag], { input: Buffer.concat(bodies) }).toString()).toBe('a\nb\nc\n');
  });
});
