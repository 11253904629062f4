import { afterAll, beforeAll, expect, test } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { archive } from '../../src/sinks/archive.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { s3 } from '../../src/stores/s3.ts';
import {
  archived,
  byMinute,
  byNumber,
  expected,
  live,
  onePerEvent,
  someEvents,
  windowOf,
  withoutThirds,
} from '../sinks/archive-protocol.ts';
import { sinkConformance } from '../sinks/conformance.ts';
import { interrupted } from '../support/interrupted-store.ts';
import { startConditionalS3 } from '../support/s3-services.ts';
import type { S3Server } from '../support/s3.ts';

const events = someEvents(8);
const steps = Array.from({ length: 10 }, (_, at) => at);

let server: S3Server | undefined;
let stores = 0;
beforeAll(async () => {
  server = await startConditionalS3();
});
afterAll(() => server?.close());
const newStore = (): ObjectStore => s3(`s3://${server!.bucket}/${stores++}`, { client: server!.client });

sinkConformance('archive in S3', async () => {
  const store = newStore();
  return {
    declare: (name = 'archive') => archive<Uint8Array>(store, { prefix: name, name }),
    items: (some) => [windowOf(some)],
    stored: () => archived(store, 'archive/'),
    close: async () => {},
  };
});

test.each([
  ['the same windows', byMinute],
  ['windows that close early', onePerEvent],
  ['windows that begin elsewhere', withoutThirds],
] as const)('stores each line once while a stalled run goes on after another with %s', async (_, cut) => {
  for (const at of steps) {
    const store = newStore();
    const zombie = interrupted(store, { at, mishap: 'stalled' });
    const stale = live(zombie, events, byMinute);
    await zombie.reached;
    const second = await live(store, events, cut);
    await zombie.release();
    const { error } = await stale;
    if (at >= 2) expect(error, `stalled at ${at}`).toBeInstanceOf(FencedError);
    expect(second.error).toBeUndefined();
    const lines = expected(events, cut === withoutThirds ? second : undefined);
    expect((await archived(store)).sort(byNumber), `stalled at ${at}`).toEqual(lines);
  }
});

test('refuses a late put also when the newer run stored the same lines', async () => {
  // S3 makes etags of bytes. Run 1 stores a window; run 2 looks at it and stalls; run 3 stores the same window again.
  for (const at of steps.slice(3)) {
    const store = newStore();
    await live(interrupted(store, { at: 3, mishap: 'unanswered' }), events, byMinute);
    const zombie = interrupted(store, { at, mishap: 'stalled' });
    const stale = live(zombie, events, onePerEvent);
    await zombie.reached;
    expect((await live(store, events, byMinute)).error).toBeUndefined();
    await zombie.release();
    expect((await stale).error, `stalled at ${at}`).toBeInstanceOf(FencedError);
    expect((await archived(store)).sort(byNumber), `stalled at ${at}`).toEqual(expected(events));
  }
});
