import { type OperatorFunction, map } from 'rxjs';
import { expect, it } from 'vitest';
import type { Event, Item, Reject } from '../../src/event.ts';
import { decode } from '../../src/operators/decode.ts';
import { dedupe } from '../../src/operators/dedupe.ts';
import { lookup } from '../../src/operators/lookup.ts';
import { mapAsync } from '../../src/operators/map-async.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { run } from '../../src/run/run.ts';
import { rejectRow } from '../../src/sinks/reject-row.ts';
import { enriched } from '../../src/snowplow/enriched.ts';
import { scripted } from '../../src/sources/scripted.ts';
import type { ScriptedShard } from '../../src/sources/scripted/written.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { lineOf } from '../snowplow/line.ts';

const record = (page_title: string): string => lineOf({ app_id: 'shop', page_title }).toString();
const [a, b, c, d] = [record('a'), record('b'), record('c'), record('d')];
const textsOf = (item: Item): string[] =>
  (item instanceof Window ? item.events : [item as Event<unknown>]).map(({ data }) => Buffer.from(data as Uint8Array).toString());

/** Takes a text into a sink, through runs that are each killed once an item is stored, as where each item is a commit. */
async function storedBy(shard: ScriptedShard, step: OperatorFunction<Event<Uint8Array>, Item>): Promise<string[]> {
  const sink = memorySink<Item>();
  const open = sink.open.bind(sink);
  let isKilled = true;
  sink.open = async (context) => {
    const opened = await open(context);
    return {
      ...opened,
      async commit(batch, refused) {
        const [first, ...more] = batch.items;
        if (!first || !isKilled) return opened.commit(batch, refused);
        const together = [
          first,
          ...more.filter((item) => !(item instanceof Window) && item.first.sequence === first.first.sequence),
        ];
        await opened.commit({ items: together, positions: new Map([[first.shard, together.at(-1)!.last]]) }, refused);
        throw new Error('killed');
      },
    };
  };
  const declared = pipeline('text')
    .from(scripted({ s: shard }))
    .pipe(stripCheckpoints({ of: 'text' }), step)
    .to(sink)
    .rejects(memorySink<Reject>('rejects'));
  for (let runs = 0; runs < 6; runs++) {
    isKilled = runs < 5;
    await run(declared).catch((error: Error) => expect(error.message).toContain('killed'));
  }
  return sink.stored.flatMap(textsOf);
}

const soon = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
const slowOfLast = mapAsync(async (data: Uint8Array) => {
  await soon(Buffer.from(data).includes('\tb\t') ? 20 : 0);
  return data;
});
const remembered = lookup({
  from: {
    describe: 'a store that takes its time',
    openReads: () => ({ read: (reads, done) => void setTimeout(() => done(reads.map(() => 1)), 20), close() {} }),
  },
  keys: (data: Uint8Array) =>
    Buffer.from(data).includes('\tb\t')
      ? [{ name: 'GET', key: 'b', args: [], understand: (answer: unknown) => answer }]
      : undefined,
  attach: (data) => data,
});

it.each<[string, OperatorFunction<Event<Uint8Array>, Item>]>([
  ['windows that close by count', minuteWindow({ maxEvents: 1 })],
  ['windows that close by bytes', minuteWindow({ maxBytes: 1 })],
  ['mapAsync', slowOfLast],
  ['lookup', remembered],
])('loses no record of a block of text, whatever is killed between two commits: %s', async (_, step) => {
  expect(await storedBy([[`${a}\n${b}\n`, `${c}\n${d}\n`]], step)).toEqual([a, b, c, d]);
});

it('loses no record where the blocks are parts of a packed record', async () => {
  const parts = [`${a}\n${b}\n`, `${c}\n`, `${d}\n`].map((data, i) => ({ data, sequence: 1, subSequence: i + 1 }));
  expect(await storedBy([parts], minuteWindow({ maxEvents: 1 }))).toEqual([a, b, c, d]);
});

it('tells records of one part of a packed record apart: one that is there twice is a repeat, and of rejects each is kept', async () => {
  const parts = [`${a}\n${a}\nodd\neven\n`, `${b}\n`].map((data, i) => ({ data, sequence: 1, subSequence: i + 1 }));
  const [sink, rejects] = [memorySink<Item>(), memorySink<Reject>('rejects')];
  const by = (data: Uint8Array): string => Buffer.from(data).toString();
  const declared = pipeline('text')
    .from(scripted({ s: [parts] }))
    .pipe(
      stripCheckpoints({ of: 'text' }),
      decode(enriched),
      map((event) => event.with(event.origin.raw)),
      dedupe({ by, within: { hours: 1 } }),
    )
    .to(sink)
    .rejects(rejects);
  await run(declared);
  expect(sink.stored.flatMap(textsOf)).toEqual([a, b]);
  const rows = rejects.stored.map(({ event, why }) => rejectRow(event, why));
  expect(rows.map(({ raw }) => Buffer.from(raw).toString())).toEqual(['odd', 'even']);
  expect(new Set(rows.map(({ position }) => position.subSequence)).size).toBe(2);
});
