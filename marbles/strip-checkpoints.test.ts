import { stripCheckpoints } from '../src/operators/strip-checkpoints.ts';
import { marble } from '../src/testing/marble.ts';
import { lineOf } from '../test/snowplow/line.ts';

const tick = { seconds: 1 };
const home = lineOf({ page_url: 'https://shop.example/home' }, 108).toString();
const cart = lineOf({ page_url: 'https://shop.example/cart' }, 108).toString();
const log = '[pool-1-thread-2] INFO com.snowplowanalytics.snowplow.enrich.kinesis.sources.KinesisSource - ';
const checkpoint = `${log}Checkpointing shard shardId-000000000001\n`;
const middle = home.indexOf('/home');
const broken = (noise: string): string => home.slice(0, middle) + noise + home.slice(middle);

marble('stripCheckpoints takes noise out of a record, wherever it stands', {
  tick,
  operator: stripCheckpoints(),
  label: 'stripCheckpoints()',
  source: '-a--b--n-|',
  result: '-a--B----|',
  given: { a: Buffer.from(cart), b: Buffer.from(broken(checkpoint)), n: Buffer.from(checkpoint) },
  emits: { a: cart, B: home },
  dropped: { stripCheckpoints: 1 },
  legend: { b: 'a record that a log line was printed into', B: 'the record, byte for byte', n: 'a log line alone' },
});

marble('stripCheckpoints rejects what it cannot explain', {
  tick,
  operator: stripCheckpoints(),
  label: 'stripCheckpoints()',
  source: '-a--x--b-|',
  result: '-a-----b-|',
  rejected: '----x',
  given: { a: Buffer.from(home), x: Buffer.from(`${log}What is this?`), b: Buffer.from(cart) },
  why: { x: { step: 'stripCheckpoints', code: 'unexplained' } },
  legend: { x: 'a log line of no known message' },
});

marble('stripCheckpoints joins a record that comes in pieces', {
  tick,
  operator: stripCheckpoints({ of: 'text' }),
  label: "stripCheckpoints({ of: 'text' })",
  source: '-a--n--b--c-|',
  result: '-------B--C-|',
  given: {
    a: Buffer.from(home.slice(0, middle)),
    n: Buffer.from(checkpoint),
    b: Buffer.from(`${home.slice(middle)}\n`),
    c: Buffer.from(`${cart}\n`),
  },
  emits: { B: home, C: cart },
  dropped: { stripCheckpoints: 2 },
  legend: { a: 'a record’s beginning', n: 'a log line', b: 'its end', B: 'the record, byte for byte' },
});

marble('stripCheckpoints leaves what waits for its end in flight when it is unsubscribed', {
  tick,
  operator: stripCheckpoints({ of: 'text' }),
  label: "stripCheckpoints({ of: 'text' })",
  source: '-c--a-----',
  result: '-C--------',
  unsubscribe: '-------!',
  given: { c: Buffer.from(`${cart}\n`), a: Buffer.from(home.slice(0, middle)) },
  emits: { C: cart },
  inFlight: 1,
  legend: { a: 'a record’s beginning' },
});
