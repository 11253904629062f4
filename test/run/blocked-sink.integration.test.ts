import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { minuteWindow } from '../../src/operators/minute-window.ts';
import type { Window } from '../../src/operators/window.ts';
import { pipeline } from '../../src/pipeline.ts';
import { startRun } from '../../src/run/run.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { memorySink } from '../../src/testing/memory-sink.ts';

const MEBIBYTE = 2 ** 20;
const LIMIT = 32 * MEBIBYTE;
const BLOCKED_MS = 60_000;
const RECORDS = 200_000;

describe('a sink that blocks for a minute while the stream is full', () => {
  it('keeps memory flat, and loses nothing', { timeout: BLOCKED_MS + 60_000 }, async () => {
    const blocked = Promise.withResolvers<void>();
    const sink = memorySink<Window<Uint8Array>>();
    const numbers: number[] = [];
    sink.beforeCommit = async ({ items }) => {
      if (items.length > 0) await blocked.promise;
      for (const { events } of items)
        for (const { data } of events) numbers.push(Buffer.from(data.buffer, data.byteOffset).readUInt32LE());
    };
    // What is stored shall not count as memory of the run.
    sink.afterCommit = () => void (sink.stored.length = 0);
    const { ledger, finished } = startRun(
      pipeline('blocked')
        .from(scripted({ generate: numbered, count: RECORDS, shards: 2 }))
        .pipe(minuteWindow())
        .to(sink),
      { maxInFlightBytes: LIMIT },
    );

    await until(() => ledger.room.isFull);
    const before = process.memoryUsage();
    const inFlight = ledger.counts().inFlight;
    for (let passedMs = 0; passedMs < BLOCKED_MS; passedMs += 1000) {
      await sleep(1000);
      expect(ledger.room.inFlightBytes).toBeLessThanOrEqual(LIMIT);
    }
    const after = process.memoryUsage();
    expect(ledger.counts()).toMatchObject({ stored: 0, inFlight });
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(MEBIBYTE);
    expect(after.rss - before.rss).toBeLessThan(32 * MEBIBYTE);

    blocked.resolve();
    expect(await finished).toMatchObject({ read: RECORDS, stored: RECORDS, inFlight: 0 });
    expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: RECORDS }, (_, i) => i));
  });
});

/** A kilobyte that says which record it is. */
function numbered(i: number): Uint8Array {
  const record = Buffer.alloc(1000);
  record.writeUInt32LE(i);
  return record;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(10);
}
