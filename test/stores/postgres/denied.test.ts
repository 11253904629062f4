import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';
import { explainDenied } from '../../../src/stores/postgres/check.ts';

test('what is denied is told as the server did, where it cannot be asked any more what would allow it', async () => {
  const denied = Object.assign(new DatabaseError('permission denied for table events', 1, 'error'), { code: '42501' });
  const lost = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });
  expect(await explainDenied(denied, () => Promise.reject(lost))).toBe(denied);
});
