import { expect, test } from 'vitest';
import { objectStoreFrom } from '../../src/stores/object-store-url.ts';

test.each([
  ['s3://bucket/a/prefix', 's3://bucket/a/prefix'],
  ['file:./data/archive', 'file:./data/archive'],
  ['file:/var/archive', 'file:/var/archive'],
  ['file:///var/the%20archive', 'file:/var/the archive'],
])('takes %s', (url, describe) => {
  expect(objectStoreFrom(url).describe).toBe(describe);
});

test.each(['', './data', 'file:', 'https://me:secret@host/x', 'gs://bucket', 's3:/bucket'])(
  'refuses "%s", and says what it wants',
  (url) => {
    expect(() => objectStoreFrom(url)).toThrow(TypeError);
    expect(() => objectStoreFrom(url)).toThrow(/s3:\/\/bucket\/prefix/);
    expect(() => objectStoreFrom(url)).not.toThrow(/secret/);
  },
);
