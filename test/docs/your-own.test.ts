import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const docs = join(import.meta.dirname, '../../docs');

function quotedIn(page: string): RegExpExecArray[] {
  const text = readFileSync(join(docs, page), 'utf8');
  return [...text.matchAll(/<!-- docs\/(your-own\/[\w.-]+\.ts) -->\s+```ts\n([^]*?)\n```/g)];
}

const pages = ['your-own.md', 'sinks-and-sources.md'];
const quoted = pages.flatMap(quotedIn);

test('docs/your-own.md quotes two pipelines, and an operator with its test', () => {
  expect(quotedIn('your-own.md').map(([, file]) => file)).toEqual([
    'your-own/clicks.ts',
    'your-own/counts.ts',
    'your-own/at-most.ts',
    'your-own/at-most.test.ts',
  ]);
});

test('docs/sinks-and-sources.md quotes a sink with its test, and a source', () => {
  expect(quotedIn('sinks-and-sources.md').map(([, file]) => file)).toEqual([
    'your-own/post-to.ts',
    'your-own/post-to.test.ts',
    'your-own/pages.ts',
  ]);
});

test.each(quoted.map(([, file, text]) => [file!, text!]))('a page quotes %s as it is, from the package', (file, text) => {
  const program = readFileSync(join(docs, file), 'utf8');
  expect(text).toBe(
    program.replace("'../../src/index.ts'", "'millrace'").replaceAll("'../../src/testing/index.ts'", "'millrace/testing'").trim(),
  );
});
