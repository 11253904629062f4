import { minuteWindow } from '../src/operators/minute-window.ts';
import { record } from '../src/testing/marble-record.ts';
import { marble } from '../src/testing/marble.ts';

const [home, list, cart, paid] = ['home', 'list', 'cart', 'paid'];
const pages = { a: home, b: list, c: cart, d: paid };
const by5 = { tick: { seconds: 5 }, ruler: { minutes: 1 } };
const by10 = { tick: { seconds: 10 }, ruler: { minutes: 1 } };
const by20 = { tick: { seconds: 20 }, ruler: { minutes: 1 } };

marble('minuteWindow gives a record to the minute in which it arrived', {
  ...by10,
  operator: minuteWindow({ grace: { seconds: 30 } }),
  label: 'minuteWindow({ grace: { seconds: 30 } })',
  source: '-a---b-c-----|',
  result: '-------x-----(y|)',
  given: { a: home, b: cart, c: paid },
  emits: {
    x: { events: [home, cart], closedBy: 'later-event' },
    y: { events: [paid], closedBy: 'complete' },
  },
});

marble('minuteWindow begins a minute with its first instant', {
  ...by10,
  operator: minuteWindow(),
  label: 'minuteWindow()',
  source: '-----ab----|',
  result: '------x----(y|)',
  given: { a: home, b: cart },
  emits: { x: { events: [home], start: { minutes: 0 } }, y: { events: [cart], start: { minutes: 1 } } },
});

marble('minuteWindow closes a minute its grace after the end when nothing comes', {
  ...by5,
  operator: minuteWindow(),
  label: 'minuteWindow({ grace: { seconds: 5 } })',
  source: '-a-----b--------',
  result: '-------------x--',
  given: pages,
  emits: { x: { events: [home, list], closedBy: 'grace' } },
});

marble('minuteWindow keeps a minute open for what is read within its grace', {
  ...by10,
  operator: minuteWindow({ grace: { seconds: 30 } }),
  label: 'minuteWindow({ grace: { seconds: 30 } })',
  source: '-a-----b------',
  result: '----------x---',
  given: { a: home, b: record(list, { arrived: { seconds: 50 } }) },
  emits: { x: { events: [home, list], closedBy: 'grace' } },
});

marble('minuteWindow without grace closes a minute at its end', {
  ...by10,
  operator: minuteWindow({ grace: { seconds: 0 } }),
  label: 'minuteWindow({ grace: { seconds: 0 } })',
  source: '-a---b--c----',
  result: '------x-----y',
  given: pages,
  emits: { x: [home, list], y: [cart] },
});

marble('minuteWindow aligns longer windows to the clock, not to the first event', {
  tick: { minutes: 1 },
  ruler: { minutes: 5 },
  operator: minuteWindow({ every: { minutes: 5 }, grace: { minutes: 1 } }),
  label: 'minuteWindow({ every: { minutes: 5 } })',
  source: '---a--b---c--|',
  result: '------x---y--(z|)',
  given: pages,
  emits: { x: [home], y: [list], z: [cart] },
});

marble('minuteWindow gives nothing for minutes in which nothing arrived', {
  ...by20,
  operator: minuteWindow({ grace: { seconds: 20 } }),
  label: 'minuteWindow({ grace: { seconds: 20 } })',
  source: '-a---------b---|',
  result: '----x--------y-|',
  given: pages,
  emits: { x: { events: [home], start: { minutes: 0 } }, y: { events: [list], start: { minutes: 3 } } },
});

marble('minuteWindow gives a late arrival to the open window', {
  ...by10,
  operator: minuteWindow({ grace: { seconds: 30 } }),
  label: 'minuteWindow({ grace: { seconds: 30 } })',
  source: '---a---b-c--|',
  result: '-------x----(y|)',
  given: { a: home, b: list, c: record(cart, { arrived: { seconds: 40 } }) },
  emits: { x: [home], y: [list, cart] },
});

marble('minuteWindow opens the next minute for a late arrival when none is open', {
  ...by10,
  operator: minuteWindow({ grace: { seconds: 10 } }),
  label: 'minuteWindow({ grace: { seconds: 10 } })',
  source: '---a----b-----',
  result: '-------x-----y',
  given: { a: home, b: record(list, { arrived: { seconds: 40 } }) },
  emits: { x: { events: [home], start: { minutes: 0 } }, y: { events: [list], start: { minutes: 1 } } },
});

marble('minuteWindow closes early when it is full and numbers the parts', {
  ...by10,
  operator: minuteWindow({ maxEvents: 2, grace: { seconds: 30 } }),
  label: 'minuteWindow({ maxEvents: 2 })',
  source: '-a-b-c-d--|',
  result: '-----x-y--(z|)',
  given: pages,
  emits: {
    x: { events: [home, list], part: 0, closedBy: 'count' },
    y: { events: [cart], part: 1, closedBy: 'later-event' },
    z: { events: [paid], part: 0, closedBy: 'complete' },
  },
});

marble('minuteWindow closes before it would hold too many bytes', {
  ...by10,
  operator: minuteWindow({ maxBytes: 1_000 }),
  label: 'minuteWindow({ maxBytes: 1_000 })',
  source: '-a-b-c|',
  result: '-----x(y|)',
  given: {
    a: record(home, { raw: Buffer.alloc(400) }),
    b: record(list, { raw: Buffer.alloc(400) }),
    c: record(cart, { raw: Buffer.alloc(400) }),
  },
  emits: { x: { events: [home, list], part: 0, closedBy: 'bytes' }, y: { events: [cart], part: 1, closedBy: 'complete' } },
  legend: { a: '400 bytes', b: '400 bytes', c: '400 bytes' },
});

marble('minuteWindow gives a record that is too big a window of its own', {
  ...by10,
  operator: minuteWindow({ maxBytes: 1_000 }),
  label: 'minuteWindow({ maxBytes: 1_000 })',
  source: '-a-b-c|',
  result: '---x-y(z|)',
  given: {
    a: record(home, { raw: Buffer.alloc(400) }),
    b: record(list, { raw: Buffer.alloc(5_000) }),
    c: record(cart, { raw: Buffer.alloc(400) }),
  },
  emits: { x: { events: [home], part: 0 }, y: { events: [list], part: 1 }, z: { events: [cart], part: 2 } },
  legend: { a: '400 bytes', b: '5,000 bytes', c: '400 bytes' },
});

marble('minuteWindow closes early when a source waits for room', {
  ...by10,
  operator: minuteWindow(),
  label: 'minuteWindow()',
  source: '-a-b---c-|',
  pressure: '-----!',
  result: '-----x---(y|)',
  given: pages,
  emits: {
    x: { events: [home, list], part: 0, closedBy: 'pressure' },
    y: { events: [cart], start: { minutes: 1 }, part: 0, closedBy: 'complete' },
  },
});

marble('minuteWindow closes at once what is open of a shard that was read to its end', {
  ...by10,
  operator: minuteWindow({ grace: { seconds: 10 } }),
  label: 'minuteWindow({ grace: { seconds: 10 } })',
  source: { 'shard 1': '-a-b-------', 'shard 2': '--c--------' },
  shardEnd: '----!',
  result: '----x--y---',
  given: pages,
  emits: {
    x: { events: [home, list], shard: 'shard 1', closedBy: 'shard-end' },
    y: { events: [cart], shard: 'shard 2', closedBy: 'grace' },
  },
});

marble('minuteWindow keeps the shards apart', {
  ...by10,
  operator: minuteWindow({ grace: { seconds: 30 } }),
  label: 'minuteWindow({ grace: { seconds: 30 } })',
  source: { 'shard 1': '-a----c---|', 'shard 2': '--b--d----|' },
  result: '------x--y(z|)',
  given: pages,
  emits: {
    x: { events: [home], shard: 'shard 1', closedBy: 'later-event' },
    y: { events: [list, paid], shard: 'shard 2', closedBy: 'grace' },
    z: { events: [cart], shard: 'shard 1', closedBy: 'complete' },
  },
});

marble('minuteWindow gives out every open window when the source completes', {
  ...by10,
  operator: minuteWindow(),
  label: 'minuteWindow()',
  source: { 'shard 1': '--a-c-|', 'shard 2': '-b----|' },
  result: '------(xy|)',
  given: pages,
  emits: { x: { events: [list], closedBy: 'complete' }, y: { events: [home, cart], closedBy: 'complete' } },
});

marble('minuteWindow gives out nothing on an error and leaves its events in flight', {
  ...by10,
  operator: minuteWindow(),
  label: 'minuteWindow()',
  source: '-a-b--#',
  result: '------#',
  given: pages,
  inFlight: 2,
});

marble('minuteWindow leaves its events in flight when it is unsubscribed', {
  ...by10,
  operator: minuteWindow({ grace: { seconds: 30 } }),
  label: 'minuteWindow({ grace: { seconds: 30 } })',
  source: '-a--b--c----d-',
  result: '-------x------',
  unsubscribe: '----------!',
  given: pages,
  emits: { x: [home, list] },
  inFlight: 1,
});

marble('minuteWindow gives old minutes that are read at once as they were', {
  ...by20,
  operator: minuteWindow({ grace: { minutes: 1 } }),
  label: 'minuteWindow({ grace: { minutes: 1 } })',
  source: '--------(abcd)--',
  result: '--------(xy)z---',
  given: {
    a: record(home, { arrived: { seconds: 10 } }),
    b: record(list, { arrived: { seconds: 40 } }),
    c: record(cart, { arrived: { seconds: 80 } }),
    d: record(paid, { arrived: { seconds: 140 } }),
  },
  emits: {
    x: { events: [home, list], start: { minutes: 0 } },
    y: { events: [cart], start: { minutes: 1 } },
    z: { events: [paid], start: { minutes: 2 } },
  },
});

marble('minuteWindow does not cut an old minute while there is more of it to read', {
  ...by20,
  operator: minuteWindow({ grace: { minutes: 1 } }),
  label: 'minuteWindow({ grace: { minutes: 1 } })',
  source: '-------a-b-c----',
  result: '--------------x-',
  given: {
    a: record(home, { arrived: { seconds: 10 } }),
    b: record(list, { arrived: { seconds: 25 } }),
    c: record(cart, { arrived: { seconds: 50 } }),
  },
  emits: { x: { events: [home, list, cart], start: { minutes: 0 }, closedBy: 'grace' } },
});
