import fc from 'fast-check';
import { type SchedulerLike, asyncScheduler } from 'rxjs';
import { expect, it } from 'vitest';
import type { Event } from '../../src/event.ts';
import { pipeline } from '../../src/pipeline.ts';
import { type Beginning, isPosition } from '../../src/position.ts';
import { run } from '../../src/run/run.ts';
import { readShards } from '../../src/sources/shards/read-shards.ts';
import { reserveRoom } from '../../src/sources/delivery/reserve-room.ts';
import { type Source, readingDeliveries } from '../../src/sources/source.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';
import { killedAfter } from '../support/killed-after.ts';

type Name = 'a' | 'b' | 'c';

const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('put'), which: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('split'), which: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('merge'), which: fc.nat(5), other: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('run'),
      who: fc.subarray<Name>(['a', 'b', 'c'], { minLength: 1 }),
      killedAfter: fc.option(fc.nat(25), { nil: Infinity, freq: 2 }),
    }),
  },
);

/** A record is named by its shard and the time at which it was put, which is its sequence number, too. */
interface PutShard {
  readonly id: string;
  readonly parents: readonly string[];
  isOpen: boolean;
  readonly putAtMs: number[];
}

/** A stream in memory, with a clock that stands still while it is read. */
class Stream {
  nowMs = 1_000;
  readonly shards: PutShard[] = [];

  get open(): PutShard[] {
    return this.shards.filter(({ isOpen }) => isOpen);
  }

  make(parents: readonly PutShard[]): void {
    // What nothing has come to since it was first read says nothing of who has read it.
    for (const parent of parents) this.put(parent);
    for (const parent of parents) parent.isOpen = false;
    const id = `s${this.shards.length}`;
    this.shards.push({ id, parents: parents.map((parent) => parent.id), isOpen: true, putAtMs: [] });
  }

  put(shard: PutShard): void {
    if (shard.isOpen) shard.putAtMs.push(++this.nowMs);
  }

  /** Reads all there is, and then calls `done`. */
  source(done: () => void): Source<Uint8Array> {
    const readToEnd = new Set<string>();
    const deliveries = readingDeliveries((context) =>
      readShards(context, {
        list: async () => this.shards.map((shard) => ({ ...shard })),
        putAt: ({ sequence }) => Number(sequence),
        readShard: async ({ shard: { id }, resume, ledger, signal, emit }) => {
          const shard = this.shards.find((one) => one.id === id)!;
          for (const ms of shard.putAtMs.filter((putAtMs) => isBehind(putAtMs, resume))) {
            const position = { shard: id, sequence: String(ms), subSequence: 0 };
            if (!(await reserveRoom(ledger, 600, signal, id))) return undefined;
            emit([{ position, arrivedAtMs: ms, data: Buffer.from(`${id}:${ms}`) }], 600);
          }
          if (!shard.isOpen) return [];
          if (readToEnd.add(id).size === this.open.length) setTimeout(done, 0);
          await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())));
          return undefined;
        },
      }),
    );
    return { name: 'stream', describe: 'stream', check: async () => '', ...deliveries };
  }
}

function isBehind(putAtMs: number, resume: Beginning): boolean {
  if (resume instanceof Date) return putAtMs >= resume.getTime();
  return typeof resume === 'string' || !isPosition(resume) || putAtMs > Number(resume.sequence);
}

it('a sink gets all that has come since its first run, once, whichever sinks are away, splits, merges and kills', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { minLength: 3, maxLength: 25 }), async (acts) => {
      const stream = new Stream();
      for (let i = 0; i < 2; i++) stream.make([]);
      const sinks = {
        a: memorySink<Event<Uint8Array>>('a'),
        b: memorySink<Event<Uint8Array>>('b'),
        c: memorySink<Event<Uint8Array>>('c'),
      };
      const sinceMs = new Map<Name, number>();
      const schedule = asyncScheduler.schedule.bind(asyncScheduler);
      const scheduler: SchedulerLike = { now: () => stream.nowMs, schedule };

      const play = async (who: readonly Name[], calls: number): Promise<void> => {
        stream.nowMs += 10;
        const left = { calls };
        const stop = new AbortController();
        const [first, ...others] = who.map((name) => killedAfter(sinks[name], left));
        const declared = pipeline('away').from(stream.source(() => stop.abort('all is read')));
        try {
          await run(declared.to(first!, ...others), { start: 'LATEST', scheduler, stop: stop.signal });
        } catch (error) {
          if ((error as Error).message.includes('killed')) return;
          throw error;
        }
        for (const name of who) if (!sinceMs.has(name)) sinceMs.set(name, stream.nowMs);
      };

      for (const one of acts) {
        stream.nowMs += 10;
        const { open } = stream;
        const shard = open['which' in one ? one.which % open.length : 0]!;
        if ('who' in one) {
          // Each begins in a run of its own, at a time of its own.
          const isNew = one.who.find((name) => !sinceMs.has(name));
          await play(isNew ? [isNew] : one.who, one.killedAfter);
        } else if (one.type === 'put') stream.put(shard);
        else if (one.type === 'split') {
          stream.make([shard]);
          stream.make([shard]);
        } else if ('other' in one && open.length > 1) {
          const rest = open.filter((other) => other !== shard);
          stream.make([shard, rest[one.other % rest.length]!]);
        }
      }
      for (const name of ['a', 'b', 'c'] as const) if (!sinceMs.has(name)) await play([name], Infinity);
      await play(['a', 'b', 'c'], Infinity);

      for (const [name, ms] of sinceMs) {
        const got = sinks[name].stored.map(({ data }) => Buffer.from(data).toString());
        const all = stream.shards.flatMap(({ id, putAtMs }) => putAtMs.filter((at) => at > ms).map((at) => `${id}:${at}`));
        expect(got.length, `${name}: each once`).toBe(new Set(got).size);
        expect(
          all.filter((text) => !got.includes(text)),
          `${name}: lost`,
        ).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
});
