import type { Connection } from 'pg';
import { expect, test } from 'vitest';
import { Copy, CopyMessage, copyData } from '../../../src/stores/postgres/copy.ts';

/** What the messages hold, each as long as it says. */
function contentOf(messages: Iterable<Buffer>): string {
  let text = '';
  for (const message of messages) {
    expect([message.toString('latin1', 0, 1), message.readUInt32BE(1)]).toEqual(['d', message.length - 1]);
    text += message.toString('latin1', 5);
  }
  return text;
}

test('messages hold all lines, each with its end, whatever fills one to the last byte', () => {
  for (let length = 131_060; length < 131_075; length++)
    for (const before of [[], ['a']]) {
      const lines = [...before, 'x'.repeat(length), 'b', ''];
      // Not as values: a difference would be printed.
      expect(contentOf(copyData(lines.map((line) => Buffer.from(line)))) === lines.map((line) => `${line}\n`).join('')).toBe(
        true,
      );
    }
});

test('a message that failed is not over before what is being written is: the next one writes into the same memory', () => {
  let written!: (error?: Error) => void;
  const wire = {
    stream: { write: (_: Buffer, done: typeof written) => (written = done) },
    query: () => {},
    endCopyFrom: () => {},
  };
  const settled: unknown[] = [];
  const copy = new Copy(copyData([Buffer.from('1'), Buffer.from('2')]));
  const message = new CopyMessage('COPY numbers FROM STDIN', [copy], (error) => settled.push(error));
  message.submit(wire as unknown as Connection);
  const error = new Error('relation "numbers" does not exist');
  message.handleError(error);
  message.handleError(new Error('Connection terminated unexpectedly'));
  expect(settled).toEqual([]);
  written();
  expect(settled).toEqual([error]);
});
