import { expect, test } from 'vitest';
import { complaintOf } from '../../../src/stores/duckdb/faults.ts';

// As DuckDB 1.5 says them.
test.each([
  ['Conversion Error: Could not convert string "x" to INT32\nLINE 1: …', '22000', 'Could not convert string "x" to INT32'],
  ['Constraint Error: CHECK constraint failed on table t', '23000', 'CHECK constraint failed on table t'],
])('DuckDB blames a line: %s', (message, code, reason) => {
  expect(complaintOf(new Error(message))).toEqual({ fault: { code, reason, path: '' } });
});

// Else a sound line would be a reject.
test.each([
  'Out of Memory Error: could not allocate block of size 256.0 KiB (191.9 MiB/192.0 MiB used)',
  'Invalid Input Error: {"exception_type":"Out of Memory","exception_message":"could not allocate block"}',
  'TransactionContext Error: Failed to commit: failed to pin block of size 256.0 KiB',
  'IO Error: Could not write file "x": No space left on device',
])('DuckDB blames no line: %s', (message) => {
  expect(complaintOf(new Error(message))).toBeUndefined();
});
