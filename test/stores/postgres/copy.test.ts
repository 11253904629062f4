import type { Connection } from 'pg';
import { expect, test } from 'vitest';
import { Copy, CopyMessage, copyData } from '../../../src/stores/postgres/copy.ts';

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
  expect(settled).toEqual([]);
  written();
  expect(settled).toEqual([error]);
});
