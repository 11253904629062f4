import { transform } from '../src/operators/transform.ts';
import { marble } from '../src/testing/marble.ts';

const tick = { seconds: 1 };
const price = transform((text: string) => {
  const cents = Number(text) * 100;
  if (Number.isNaN(cents)) throw new RangeError(`expected a price, got ${text}`);
  return cents;
});

marble('transform changes the data of each event', {
  tick,
  operator: price,
  label: 'transform(toCents)',
  source: '-a-(bc)--|',
  result: '-A-(BC)--|',
  given: { a: '1.50', b: '20', c: '3' },
  emits: { A: 150, B: 2000, C: 300 },
  legend: { a: '"1.50"', A: '150' },
});

marble('transform rejects an event on which its function throws and goes on', {
  tick,
  operator: price,
  label: 'transform(toCents)',
  source: '-a--b--c-|',
  result: '-A-----C-|',
  rejected: '----b',
  given: { a: '1.50', b: 'free', c: '3' },
  emits: { A: 150, C: 300 },
  why: { b: { step: 'transform', code: 'RangeError', reason: 'expected a price, got free' } },
  legend: { b: '"free": expected a price' },
});
