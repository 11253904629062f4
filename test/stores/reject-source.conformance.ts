import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Position } from '../../src/position.ts';
import type { Database, OpenDatabase, RejectRow } from '../../src/stores/database.ts';
import { MAX_PAGE_BYTES, type OpenRejects, type RejectSource, type RejectsOf } from '../../src/stores/reject-source.ts';
import type { TestDatabase } from '../support/databases.ts';

const nine = Date.UTC(2026, 10, 22, 9);
const hour: RejectsOf = { pipeline: 'warehouse', since: new Date(nine), until: new Date(nine + 3_600_000) };
const at = (sequence: number | string, shard = 'a', subSequence = 0): Position => ({
  shard,
  sequence: String(sequence),
  subSequence,
});

interface Kept {
  readonly step?: string;
  readonly code?: string;
  readonly raw?: Uint8Array;
  readonly arrivedAtMs?: number;
}

const reject = (
  position: Position,
  { step = 'decode', code = 'column_count', raw, arrivedAtMs = nine }: Kept = {},
): RejectRow => ({
  position,
  arrivedAtMs,
  why: { step, code, reason: 'it was so' },
  raw: raw ?? Buffer.from(`${position.sequence}.${position.subSequence}`),
});

/** What every database gives back of the rejects that it keeps. */
export function rejectSourceConformance(name: string, setUp: () => Promise<TestDatabase>): void {
  describe(`${name} gives rejects back`, () => {
    let fixture: TestDatabase;
    let declared: Database & RejectSource;
    let database: OpenDatabase;
    let rejects: OpenRejects;
    beforeEach(async () => {
      fixture = await setUp();
      declared = fixture.declare() as Database & RejectSource;
      database = await declared.open({ report: () => {} });
      rejects = await declared.openRejects();
    });
    afterEach(async () => {
      await rejects.close();
      await database.close();
      await fixture.close();
    });

    const keep = async (rows: readonly RejectRow[], { pipeline = 'warehouse', sink = 'rejects' } = {}): Promise<void> => {
      const owner = { pipeline, sink };
      for (const [shard, its] of Map.groupBy(rows, ({ position }) => position.shard)) {
        await database.acquire(owner, shard);
        await database.commit(owner, { rejects: its, positions: new Map([[shard, its.at(-1)!.position]]) });
      }
    };
    /** All records of a shard, page by page: where each lies, and its bytes as text. */
    const all = async (of: RejectsOf, shard = 'a', limit = 1_000): Promise<string[][]> => {
      const pages: string[][] = [];
      let after: Position | undefined;
      for (;;) {
        const page = await rejects.records(of, shard, after, limit);
        if (page.length === 0) return pages;
        after = page.at(-1)!.position;
        pages.push(
          page.map(({ position, data }) => `${position.sequence}:${position.subSequence} ${Buffer.from(data).toString()}`),
        );
      }
    };

    it('each with its bytes, its place and its arrival', async () => {
      const raw = Uint8Array.from([0, 1, 9, 10, 13, 34, 92, 127, 128, 195, 40, 255]);
      await keep([
        reject(at('49590338271490256608559692538361571095921575989136588898', "it's"), { raw, arrivedAtMs: nine + 7 }),
      ]);
      const [record, ...more] = await rejects.records(hour, "it's", undefined, 10);
      expect(more).toEqual([]);
      expect(record!.position).toEqual(at('49590338271490256608559692538361571095921575989136588898', "it's"));
      expect(record!.arrivedAtMs).toBe(nine + 7);
      expect(Buffer.from(record!.data)).toEqual(Buffer.from(raw));
    });

    it('in the order of the stream, by number and not by text, and page by page', async () => {
      const places = [at(9), at(10), at(10, 'a', 1), at(10, 'a', 2), at(10, 'a', 10), at(100), at(1000)];
      await keep(places.map((place) => reject(place)));
      const expected = ['9:0 9.0', '10:0 10.0', '10:1 10.1', '10:2 10.2', '10:10 10.10', '100:0 100.0', '1000:0 1000.0'];
      expect(await all(hour)).toEqual([expected]);
      for (const limit of [1, 2, 3])
        expect(await all(hour, 'a', limit)).toEqual(
          Array.from({ length: Math.ceil(expected.length / limit) }, (_, i) => expected.slice(i * limit, (i + 1) * limit)),
        );
    });

    it('a record once, whoever rejected it how often', async () => {
      await keep([reject(at(1), { step: 'validate' }), reject(at(1), { step: 'validate', code: 'other' }), reject(at(2))]);
      await keep([reject(at(1), { step: 'copy', code: '22001' })], { sink: 'copy' });
      expect(await all(hour)).toEqual([['1:0 1.0', '2:0 2.0']]);
      expect(await all(hour, 'a', 1)).toEqual([['1:0 1.0'], ['2:0 2.0']]);
      expect(await rejects.shards(hour)).toEqual(new Map([['a', 2]]));
    });

    it('a record with all of its bytes, where some have rejected a part of it', async () => {
      const [whole, part] = [Buffer.from('all of the record'), Buffer.from('a part')];
      await keep([
        reject(at(1), { step: 'a', raw: part }),
        reject(at(1), { step: 'b', raw: whole }),
        reject(at(2), { step: 'a', raw: whole }),
        reject(at(2), { step: 'b', raw: part }),
        reject(at(3), { raw: whole }),
        reject(at(4), { raw: part }),
      ]);
      await keep([reject(at(3), { step: 'copy', raw: part }), reject(at(4), { step: 'copy', raw: whole })], { sink: 'copy' });
      expect(await all(hour)).toEqual([[1, 2, 3, 4].map((sequence) => `${sequence}:0 all of the record`)]);
    });

    it('of one pipeline, of one step or with one code alone', async () => {
      await keep([reject(at(1), { step: 'validate', code: 'x' }), reject(at(2), { step: 'validate' }), reject(at(3))]);
      await keep([reject(at(4))], { pipeline: 'another' });
      expect(await all({ ...hour, step: 'validate' })).toEqual([['1:0 1.0', '2:0 2.0']]);
      expect(await all({ ...hour, code: 'column_count' })).toEqual([['2:0 2.0', '3:0 3.0']]);
      expect(await all({ ...hour, step: 'validate', code: 'x' })).toEqual([['1:0 1.0']]);
      expect(await all({ ...hour, pipeline: 'another' })).toEqual([['4:0 4.0']]);
      expect(await all({ ...hour, pipeline: "no'body" })).toEqual([]);
    });

    it('that arrived in the range, and says of which shards there are some', async () => {
      const edges = [nine - 1, nine, nine + 3_599_999, nine + 3_600_000];
      for (const shard of ['a', 'b']) await keep(edges.map((arrivedAtMs, i) => reject(at(i + 1, shard), { arrivedAtMs })));
      await keep([reject(at(1, 'c'), { arrivedAtMs: nine - 1 })]);
      expect(await all(hour)).toEqual([['2:0 2.0', '3:0 3.0']]);
      expect(await rejects.shards(hour)).toEqual(
        new Map([
          ['a', 2],
          ['b', 2],
        ]),
      );
      expect(await rejects.shards({ ...hour, step: 'nobody' })).toEqual(new Map());
    });

    it('fewer of them at a time where they are large, and one that is larger than that alone', async () => {
      const raw = Buffer.alloc(MAX_PAGE_BYTES / 2 - 10, 'x');
      const sizes = [raw, raw, raw, Buffer.alloc(MAX_PAGE_BYTES * 3, 'y'), raw];
      await keep(sizes.map((bytes, i) => reject(at(i + 1), { raw: bytes })));
      expect((await all(hour)).map((page) => page.map((text) => text.split(':')[0]))).toEqual([['1', '2'], ['3'], ['4'], ['5']]);
    });

    it('while the pipeline is at work', async () => {
      await keep([reject(at(1))]);
      expect(await all(hour)).toEqual([['1:0 1.0']]);
      await keep([reject(at(2))]);
      expect(await all(hour)).toEqual([['1:0 1.0', '2:0 2.0']]);
    });
  });
}
