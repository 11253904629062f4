import { dedupe } from '../src/operators/dedupe.ts';
import { record } from '../src/testing/marble-record.ts';
import { marble } from '../src/testing/marble.ts';

interface Page {
  readonly id: string;
}

const home: Page = { id: 'home' };
const cart: Page = { id: 'cart' };
const paid: Page = { id: 'paid' };
const byId = (hours: number) => dedupe<Page>({ by: ({ id }) => id, within: { hours } });
const tick = { minutes: 10 };
const ruler = { hours: 1 };
const label = 'dedupe({ by: eventId, within: { hours: 1 } })';

marble('dedupe lets each event through once', {
  tick,
  ruler,
  operator: byId(1),
  label,
  source: '-a-b-a-cb-|',
  result: '-a-b---c--|',
  given: { a: home, b: cart, c: paid },
  dropped: { dedupe: 2 },
});

marble('dedupe forgets an event once it is longer ago than within', {
  tick,
  ruler,
  operator: byId(1),
  label,
  source: '-a----a-a---b-|',
  result: '-a------a---b-|',
  given: { a: home, b: cart },
  dropped: { dedupe: 1 },
});

marble('dedupe goes by arrival, not by when an event is read', {
  tick,
  ruler,
  operator: byId(1),
  label,
  source: '-a---------b-|',
  result: '-a-----------|',
  given: { a: home, b: record(home, { arrived: { minutes: 40 } }) },
  dropped: { dedupe: 1 },
  legend: { b: 'the same event, read late' },
});

marble('dedupe finds repeats across the shards', {
  tick,
  ruler,
  operator: byId(1),
  label,
  source: { 'shard 1': '-a---b-|', 'shard 2': '--a-c--|' },
  result: '-a--cb-|',
  given: { a: home, b: cart, c: paid },
  dropped: { dedupe: 1 },
});

marble('dedupe lets a record pass again that is read again', {
  tick,
  ruler,
  operator: byId(1),
  label,
  source: '-a-b--r--|',
  result: '-a-b--r--|',
  given: { a: record(home, { sequence: 1 }), b: cart, r: record(home, { sequence: 1 }) },
  legend: { r: 'the record of a, at its position, read again after a restart' },
});
