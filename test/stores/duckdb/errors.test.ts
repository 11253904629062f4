import { expect, test } from 'vitest';
import { FencedError, WentBackError } from '../../../src/errors.ts';
import { PositionBehindError } from '../../../src/stores/database/position.ts';
import { packError, unpackError } from '../../../src/stores/duckdb/errors.ts';

const transient = Object.assign(new Error('full'), { isTransient: true });

test.each([
  new FencedError('duckdb:x', 'a', 7),
  new WentBackError('duckdb:x', 'a', 'epoch 2', '1'),
  new PositionBehindError('duckdb:x', 'a', '5', '5'),
  new RangeError('no'),
  new Error('outer', { cause: transient }),
  transient,
])('%o comes out of a thread as it went in', (error) => {
  const came = unpackError(structuredClone(packError(error)));
  expect(came).toStrictEqual(error);
  expect([came.constructor, came.stack, Object.keys(came).sort()]).toEqual([
    error.constructor,
    error.stack,
    Object.keys(error).sort(),
  ]);
});
