import { type Issue, validate } from '../src/operators/validate.ts';
import { marble } from '../src/testing/marble.ts';

const tick = { seconds: 1 };

function hasPrice({ price }: { price?: unknown }): Issue | undefined {
  if (price === undefined) return { code: 'missing', path: 'price', reason: 'expected a price' };
  if (typeof price !== 'number') return { code: 'invalid_type', path: 'price', reason: `expected a number, got ${typeof price}` };
  return undefined;
}

marble('validate rejects what its check finds wrong, with the reason', {
  tick,
  operator: validate(hasPrice),
  label: 'validate(hasPrice)',
  source: '-a--b--c--d-|',
  result: '-a--------d-|',
  rejected: '----b--c',
  given: { a: { price: 5 }, b: {}, c: { price: 'free' }, d: { price: 7 } },
  why: { b: { step: 'validate', code: 'missing', path: 'price' }, c: { code: 'invalid_type', path: 'price' } },
});

marble('validate with a check that finds nothing lets every event pass', {
  tick,
  operator: validate(() => undefined),
  label: 'validate(() => undefined)',
  source: '-a--(bc)--|',
  result: '-a--(bc)--|',
  given: { a: 'home', b: 'cart', c: 'paid' },
});
