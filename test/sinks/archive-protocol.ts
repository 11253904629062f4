import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { FencedError } from '../../src/errors.ts';
import type { Event } from '../../src/event.ts';
import { type Resume, comparePositions, isPosition } from '../../src/position.ts';
import { Window } from '../../src/operators/window.ts';
import { archive } from '../../src/sinks/archive.ts';
import type { OpenSink } from '../../src/sinks/sink.ts';
import { directory } from '../../src/stores/directory.ts';
import type { ObjectStore } from '../../src/stores/object-store.ts';
import { deliver } from '../../src/testing/deliver.ts';
import { scratch } from '../support/scratch.ts';

const MINUTE_MS = 60_000;

export type Cut = (events: readonly Event<Uint8Array>[]) => Window<Uint8Array>[];

/** Makes directories to throw away, in memory where there is such a folder: what is proven here is the protocol, not the disk. */
export async function scratchStores(): Promise<{ make: () => ObjectStore; close: () => Promise<void> }> {
  const parent = await scratch('archive');
  let stores = 0;
  return { make: () => directory(join(parent, String(stores++))), close: () => rm(parent, { recursive: true }) };
}

/** Events of shard `a`, three a minute; the text of each is its sequence number. */
export function someEvents(count: number): Event<Uint8Array>[] {
  return deliver(
    Array.from({ length: count }, (_, i) => ({
      shard: 'a',
      sequence: i + 1,
      arrivedAtMs: Math.floor(i / 3) * MINUTE_MS,
      raw: String(i + 1),
    })),
  ).events;
}

export function windowOf(events: readonly Event<Uint8Array>[]): Window<Uint8Array> {
  const { shard, arrivedAtMs } = events[0]!;
  const startMs = Math.floor(arrivedAtMs / MINUTE_MS) * MINUTE_MS;
  return new Window({ shard, startMs, endMs: startMs + MINUTE_MS, part: 0, closedBy: 'later-event' }, events);
}

/** The windows of the pipeline as it is. */
export const byMinute: Cut = (events) =>
  [...Map.groupBy(events, ({ arrivedAtMs }) => Math.floor(arrivedAtMs / MINUTE_MS)).values()].map(windowOf);

/** Windows that close early, by count say: other bytes under some of the same keys. */
export const onePerEvent: Cut = (events) => events.map((event) => windowOf([event]));

/** The windows of a pipeline that now drops every third event, the first among them: other keys. */
export const withoutThirds: Cut = (events) => byMinute(events.filter(({ position }) => Number(position.sequence) % 3 !== 1));

/** What is left to do after a position. */
export function behind(events: readonly Event<Uint8Array>[], resume: Resume | undefined): Event<Uint8Array>[] {
  return events.filter(({ position }) => !resume || !isPosition(resume) || comparePositions(position, resume) > 0);
}

export interface Outcome {
  readonly error?: unknown;
  /** Where the run began. */
  readonly from?: Resume | undefined;
}

/** A run's life: takes the shard over, stores what is missing, in one batch or a batch each window, or ends with an error. */
export async function live(
  store: ObjectStore,
  events: readonly Event<Uint8Array>[],
  cut: Cut,
  isBacklog = true,
): Promise<Outcome> {
  let sink: OpenSink<Window<Uint8Array>> | undefined;
  try {
    sink = await archive<Uint8Array>(store, { prefix: 'events' }).open({ pipeline: 'test', report: () => {} });
    const from = await sink.acquire('a');
    await storeAll(sink, behind(events, from), cut, isBacklog);
    return { from };
  } catch (error) {
    return { error };
  } finally {
    await sink?.close();
  }
}

async function storeAll(
  sink: OpenSink<Window<Uint8Array>>,
  events: readonly Event<Uint8Array>[],
  cut: Cut,
  isBacklog: boolean,
): Promise<void> {
  const end = events.at(-1)?.position;
  if (!end) return;
  const windows = cut(events);
  for (const items of isBacklog ? [windows] : windows.map((window) => [window]))
    await sink.commit({ items, positions: new Map([['a', items.at(-1)!.last]]) }, []);
  await sink.commit({ items: [], positions: new Map([['a', end]]) }, []);
}

/** A run that survives its faults: asks where it stands and repeats what is missing, as the run does. */
export async function persist(store: ObjectStore, events: readonly Event<Uint8Array>[], cut: Cut): Promise<Outcome> {
  const sink = await archive<Uint8Array>(store, { prefix: 'events' }).open({ pipeline: 'test', report: () => {} });
  let isAcquired = false;
  try {
    for (let tries = 1; ; tries++) {
      try {
        const from = isAcquired ? (await sink.positions(['a'])).get('a') : await sink.acquire('a');
        isAcquired = true;
        await storeAll(sink, behind(events, from), cut, true);
        return { from };
      } catch (error) {
        if (error instanceof FencedError || tries === 5) return { error };
      }
    }
  } finally {
    await sink.close();
  }
}

/** Every line in the archive, in no order; each object must be whole. */
export async function archived(store: ObjectStore, prefix = 'events/'): Promise<string[]> {
  const open = await store.open({ report: () => {} });
  const lines: string[] = [];
  for await (const key of open.list(prefix)) {
    const text = gunzipSync((await open.get(key))!.body).toString();
    lines.push(...text.split('\n').slice(0, -1));
  }
  await open.close();
  return lines;
}

/** What has to be in the archive: all, but what `withoutThirds` dropped behind the position from which it began. */
export function expected(events: readonly Event<Uint8Array>[], changedFrom?: Outcome): string[] {
  const changed = changedFrom ? new Set(behind(events, changedFrom.from)) : new Set();
  return events
    .filter((event) => !changed.has(event) || Number(event.position.sequence) % 3 !== 1)
    .map(({ position }) => position.sequence);
}

export const byNumber = (a: string, b: string): number => Number(a) - Number(b);
