import type { _Record } from '@aws-sdk/client-kinesis';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../src/ledger.ts';
import { RecordList, type Records, type SourceRecord } from '../../../src/records.ts';
import { deliver } from '../../../src/sources/kinesis/deliver.ts';
import { freeing, ownMemory } from '../../../src/sources/text/own-memory.ts';
import type { ShardReading } from '../../../src/sources/shards/read-shards.ts';
import { aggregate } from '../../support/aggregates.ts';

const isFreed = ({ buffer }: Uint8Array): boolean => (buffer as ArrayBuffer).detached;

describe('memory of a reader’s own', () => {
  it('is given back by the last of its users', () => {
    const bytes = ownMemory(Buffer.alloc(10));
    const free = freeing(bytes.subarray(2, 4), 2);
    free();
    expect(isFreed(bytes)).toBe(false);
    free();
    expect(isFreed(bytes)).toBe(true);
    expect(bytes).toHaveLength(0);
  });

  it('stays when it is a part of some more, or another one’s', () => {
    const part = ownMemory(Buffer.alloc(10).subarray(1));
    const others = Buffer.alloc(10);
    for (const bytes of [part, others]) {
      freeing(bytes, 1)();
      expect(isFreed(bytes)).toBe(false);
    }
  });
});

describe('an answer of Kinesis', () => {
  const arrived = new Date(Date.UTC(2026, 10, 22, 9));

  /** Delivers records whose data lies in one answer, with room for so many bytes at a time. Gives the answer, and what was emitted. */
  async function delivered(datas: readonly Uint8Array[], { unpacks, roomBytes = 1e6 }: { unpacks: boolean; roomBytes?: number }) {
    const body = ownMemory(new Uint8Array(Buffer.concat(datas)));
    let at = 0;
    const records = datas.map(({ length }, i): _Record => ({
      Data: length === 0 ? new Uint8Array() : body.subarray(at, (at += length)),
      SequenceNumber: String(100 + i),
      PartitionKey: 'any',
      ApproximateArrivalTimestamp: arrived,
    }));
    const emitted: Records[] = [];
    const reading = {
      shard: { id: 'shard-1', parents: [] },
      ledger: new Ledger(),
      signal: new AbortController().signal,
      emit: (read: Records | readonly SourceRecord[]) => void ('count' in read && emitted.push(read)),
    } as unknown as ShardReading;
    await deliver(
      reading,
      'TRIM_HORIZON',
      { records, reservedBytes: roomBytes },
      unpacks ? { maxUnpackedBytes: 1e6 } : undefined,
    );
    const texts = emitted.flatMap((its) => Array.from({ length: its.count }, (_, i) => Buffer.from(its.rawOf(i)).toString()));
    return { body, emitted, texts };
  }

  it('has its memory given back with its records, which are no objects until then', async () => {
    const { body, emitted, texts } = await delivered([Buffer.from('a'), Buffer.alloc(0), Buffer.from('ccc')], { unpacks: false });
    expect(texts).toEqual(['a', '', 'ccc']);
    const [records] = emitted;
    expect(records).not.toBeInstanceOf(RecordList);
    expect([records!.sizeBytes, records!.sizeOf(2), records!.arrivedAtMsOf(1), records!.fateOf(0)]).toEqual([4, 3, arrived.getTime(), undefined]); // prettier-ignore
    expect(records!.positionOf(2)).toEqual({ shard: 'shard-1', sequence: '102', subSequence: 0 });
    records!.free!();
    expect(isFreed(body)).toBe(true);
  });

  it('keeps it until all that was unpacked of it is given up', async () => {
    const packed = aggregate(['one', 'two', 'three']);
    const { body, emitted, texts } = await delivered([Buffer.from('a'), packed], { unpacks: true, roomBytes: 1 });
    expect(texts).toEqual(['a', 'one', 'two', 'three']);
    expect(emitted.length).toBeGreaterThan(1);
    for (const [i, records] of emitted.toReversed().entries()) {
      expect(isFreed(body), String(i)).toBe(false);
      records.free!();
    }
    expect(isFreed(body)).toBe(true);
  });

  it('takes records that lie elsewhere, each in memory of its own, as they are', async () => {
    const emitted: Records[] = [];
    const records = ['a', 'b'].map((data, i) => ({
      Data: Uint8Array.from(Buffer.from(data)),
      SequenceNumber: String(i),
      PartitionKey: 'any',
      ApproximateArrivalTimestamp: arrived,
    }));
    const reading = {
      shard: { id: 'shard-1', parents: [] },
      emit: (read: Records) => void emitted.push(read),
    } as unknown as ShardReading;
    await deliver(reading, 'TRIM_HORIZON', { records, reservedBytes: 1 }, undefined);
    const [its] = emitted;
    expect([0, 1].map((i) => Buffer.from(its!.rawOf(i)).toString())).toEqual(['a', 'b']);
    expect(() => its!.free!()).not.toThrow();
    expect(isFreed(records[0]!.Data)).toBe(false);
  });
});
