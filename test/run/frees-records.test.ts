import { map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Event, Item } from '../../src/event.ts';
import { decode } from '../../src/operators/decode.ts';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import { stripCheckpoints } from '../../src/operators/strip-checkpoints.ts';
import { pipeline } from '../../src/pipeline.ts';
import { RecordList } from '../../src/records.ts';
import { run } from '../../src/run/run.ts';
import type { Resume } from '../../src/position.ts';
import type { Sink } from '../../src/sinks/sink.ts';
import { enriched } from '../../src/snowplow/enriched.ts';
import { emitInTurn } from '../../src/sources/delivery/emit-in-turn.ts';
import { readShards } from '../../src/sources/shards/read-shards.ts';
import { type Source, readingDeliveries } from '../../src/sources/source.ts';
import { lineOf } from '../snowplow/line.ts';

/** Two deliveries, the second with a reject; notes what is freed, and when. */
function source(told: string[]): Source<Uint8Array> {
  const deliveries = [[lineOf({})], [lineOf({}), Buffer.from('malformed')]];
  return {
    name: 'source',
    describe: 'two deliveries',
    check: async () => 'two deliveries',
    ...readingDeliveries((context) =>
      readShards(context, {
        list: async () => [{ id: 'shard-1', parents: [] }],
        async readShard(reading) {
          let sequence = 0;
          for (const [i, datas] of deliveries.entries()) {
            const records = datas.map((data) => ({
              position: { shard: 'shard-1', sequence: String(++sequence), subSequence: 0 },
              arrivedAtMs: i * 60_000,
              data,
            }));
            await emitInTurn(reading, new RecordList(records, () => told.push(`free ${i}`)));
          }
          return [];
        },
      }),
    ),
  };
}

function sink(name: string, told: string[], keepsNothing?: boolean): Sink<Item> {
  return {
    name,
    describe: name,
    ...(keepsNothing !== undefined && { keepsNothing }),
    async open() {
      const stands = new Map<string, Resume>();
      return {
        acquire: async () => undefined,
        positions: async () => stands,
        async commit({ items, positions }) {
          if (items.length > 0) told.push(name);
          for (const [shard, resume] of positions) stands.set(shard, resume);
        },
        close: async () => {},
      };
    },
  };
}

const asItIs = map((event: Event<Uint8Array>) => event);

describe('a run', () => {
  it('has the memory of records given back once all sinks are done with them', async () => {
    const told: string[] = [];
    const declared = pipeline('frees')
      .from(source(told))
      .pipe(stripCheckpoints(), decode(enriched), minuteWindow())
      .to(sink('first', told, true), sink('second', told, true))
      .rejects(sink('rejects', told, true));
    expect(await run(declared)).toMatchObject({ read: 3, stored: 2, rejected: 1 });
    expect(told.filter((one) => one.startsWith('free'))).toEqual(['free 0', 'free 1']);
    expect(told.slice(0, told.indexOf('free 0'))).toEqual(expect.arrayContaining(['first', 'second']));
    expect(told.slice(0, told.indexOf('free 1'))).toEqual(expect.arrayContaining(['rejects']));
  });

  it('leaves it alone where a sink, or a step that sees events, may keep some', async () => {
    const told: string[] = [];
    const [from, keeps, frees] = [source(told), sink('keeps', told), sink('frees', told, true)];
    const windows = [stripCheckpoints(), decode(enriched), minuteWindow()] as const;
    await run(
      pipeline('a')
        .from(from)
        .pipe(...windows)
        .to(frees, keeps)
        .rejects(sink('rejects', told, true)),
    );
    await run(
      pipeline('b')
        .from(from)
        .pipe(...windows)
        .to(frees)
        .rejects(sink('rejects', told)),
    );
    await run(
      pipeline('c')
        .from(from)
        .pipe(asItIs, ...windows)
        .to(frees)
        .rejects(sink('rejects', told, true)),
    );
    await run(
      pipeline('d')
        .from(from)
        .pipe(
          ...windows,
          map((window) => window),
        )
        .to(frees)
        .rejects(sink('rejects', told, true)),
    );
    expect(told).toContain('frees');
    expect(told.filter((one) => one.startsWith('free '))).toEqual([]);
  });
});
