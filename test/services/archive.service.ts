import { afterAll, beforeAll, expect, test } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { type Item, Reject } from '../../src/event.ts';
import { archive } from '../../src/sinks/archive.ts';
import { rejectsIntoArchive } from '../../src/sinks/rejects-into-archive.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { s3 } from '../../src/stores/s3.ts';
import { deliver } from '../../src/testing/deliver.ts';
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

// A recovery of a recovery, or a file in a deep folder. MinIO keeps objects as files.
test('takes a shard whose name is longer than the server lets one be', async () => {
  const shard = `/var/log${'/of the shop'.repeat(30)}.log#5f3a9c21`;
  const { events: its } = deliver(['one', 'two'].map((raw) => ({ shard, raw })));
  const [last] = its.slice(-1).map(({ position }) => position);
  const batch = new Map([[shard, last!]]);
  const [lines, rejects] = [archive<Uint8Array>(newStore(), { prefix: 'events' }), rejectsIntoArchive(newStore())];
  const storeAll = async <T extends Item>(sink: Sink<T>, items: readonly T[]): Promise<void> => {
    for (const stands of [undefined, last]) {
      const open = await sink.open({ pipeline: 'p', report: () => {} });
      expect(await open.acquire(shard)).toEqual(stands);
      if (!stands) await open.commit({ items, positions: batch }, []);
      await open.close();
    }
  };
  await storeAll(lines, [windowOf(its)]);
  await storeAll(
    rejects,
    its.map((event) => new Reject(event, { step: 'decode', code: 'c', reason: 'r' })),
  );
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
