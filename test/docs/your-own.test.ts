import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const docs = join(import.meta.dirname, '../../docs');
const page = readFileSync(join(docs, 'your-own.md'), 'utf8');
const quoted = [...page.matchAll(/<!-- docs\/(your-own\/[\w.-]+\.ts) -->\s+```ts\n([^]*?)\n```/g)];

test('docs/your-own.md quotes two pipelines, an operator and a sink with their tests, and a source', () => {
  expect(quoted.map(([, file]) => file)).toEqual([
    'your-own/clicks.ts',
    'your-own/counts.ts',
    'your-own/at-most.ts',
    'your-own/at-most.test.ts',
    'your-own/post-to.ts',
    'your-own/post-to.test.ts',
    'your-own/pages.ts',
  ]);
});

test.each(quoted.map(([, file, text]) => [file!, text!]))(
  'docs/your-own.md quotes %s as it is, from the package',
  (file, text) => {
    const program = readFileSync(join(docs, file), 'utf8');
    expect(text).toBe(
      program
        .replace("'../../src/index.ts'", "'millrace'")
        .replaceAll("'../../src/testing/index.ts'", "'millrace/testing'")
        .trim(),
    );
  },
);
