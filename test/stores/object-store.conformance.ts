import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Diagnostic } from '../../src/diagnostic.ts';
import { type ObjectStore, type OpenObjectStore, PreconditionFailedError } from '../../src/stores/object-store.ts';

/** One empty store. Made anew for every test. */
export interface ObjectStoreFixture {
  /** Declares the store, as each run does. */
  readonly declare: () => ObjectStore;
  /** False when it can only look before it puts. */
  readonly isConditional: boolean;
  /** Ends what is below the store, after the test closed it. */
  readonly close: () => Promise<void>;
}

const text = (body: Uint8Array | undefined): string | undefined => body && Buffer.from(body).toString();

/** The contract of `ObjectStore`: one suite for every store. */
export function objectStoreConformance(name: string, setUp: () => Promise<ObjectStoreFixture>): void {
  describe(`${name} keeps the contract of an object store`, () => {
    let fixture: ObjectStoreFixture;
    let store: OpenObjectStore;
    const opened: OpenObjectStore[] = [];
    const reports: Diagnostic[] = [];

    beforeEach(async () => {
      fixture = await setUp();
      reports.length = 0;
      store = await open();
    });

    afterEach(async () => {
      for (const one of opened.splice(0)) await one.close();
      await fixture.close();
    });

    async function open(): Promise<OpenObjectStore> {
      const one = await fixture.declare().open({ report: (diagnostic) => reports.push(diagnostic) });
      opened.push(one);
      return one;
    }

    async function keys(prefix: string): Promise<string[]> {
      return Array.fromAsync(store.list(prefix));
    }

    test('has nothing under a key that was never put', async () => {
      expect(await store.head('a/b')).toBeUndefined();
      expect(await store.get('a/b')).toBeUndefined();
    });

    test('gives back the bytes, the etag and the metadata that were put', async () => {
      const body = randomBytes(3_000_000);
      const etag = await store.put('a/b.gz', body, {
        metadata: { shard: 'shard-1', count: '3' },
        contentType: 'application/gzip',
      });
      expect(etag).toMatch(/./);
      const head = (await store.head('a/b.gz'))!;
      expect(head).toEqual(expect.objectContaining({ etag, sizeBytes: body.length, metadata: { shard: 'shard-1', count: '3' } }));
      // S3 tells whole seconds.
      expect(Math.abs(Date.now() - (head.storedAtMs ?? Date.now()))).toBeLessThan(30_000);
      const { body: came, ...rest } = (await store.get('a/b.gz'))!;
      expect(rest).toEqual(head);
      expect(Buffer.compare(came, body)).toBe(0);
    });

    test('keeps an object of no bytes, and only the part of an array that was given', async () => {
      await store.put('empty', new Uint8Array());
      expect(await store.head('empty')).toMatchObject({ sizeBytes: 0 });
      expect(text((await store.get('empty'))?.body)).toBe('');
      await store.put('part', Buffer.from('before-inside-after').subarray(7, 13));
      expect(text((await store.get('part'))?.body)).toBe('inside');
    });

    test('replaces an object whole, its metadata too', async () => {
      const first = await store.put('a', Buffer.from('a long first version'), { metadata: { count: '1', part: '0' } });
      const second = await store.put('a', Buffer.from('second'), { metadata: { count: '2' } });
      expect(second).not.toBe(first);
      expect(await store.head('a')).toEqual(expect.objectContaining({ etag: second, sizeBytes: 6, metadata: { count: '2' } }));
      expect(text((await store.get('a'))?.body)).toBe('second');
    });

    test('puts what must be absent only when it is', async () => {
      const etag = await store.put('a', Buffer.from('first'), { condition: 'absent' });
      await expect(store.put('a', Buffer.from('second'), { condition: 'absent' })).rejects.toThrow(PreconditionFailedError);
      expect(await store.head('a')).toMatchObject({ etag });
      expect(text((await store.get('a'))?.body)).toBe('first');
    });

    test('puts over a version only while it is the newest', async () => {
      const first = await store.put('a', Buffer.from('first'));
      const second = await store.put('a', Buffer.from('second'), { condition: { etag: first } });
      await expect(store.put('a', Buffer.from('late'), { condition: { etag: first } })).rejects.toThrow(PreconditionFailedError);
      expect(text((await store.get('a'))?.body)).toBe('second');
      await store.put('a', Buffer.from('third'), { condition: { etag: second } });
      expect(text((await store.get('a'))?.body)).toBe('third');
    });

    test('puts over a version only when there is one', async () => {
      const etag = await store.put('a', Buffer.from('first'));
      await expect(store.put('b', Buffer.from('x'), { condition: { etag } })).rejects.toThrow(PreconditionFailedError);
      expect(await store.head('b')).toBeUndefined();
    });

    test('lists the keys of a prefix in the order of their bytes', async () => {
      const some = ['x/b', 'x/a/c', 'x/a-b', 'x/a/b', 'x/A', 'y', 'x/a.b', 'xx', 'x/ü/ä ö', 'x/1+2=3/%41&c'];
      for (const key of some) await store.put(key, Buffer.from(key));
      expect(await keys('x/')).toEqual(['x/1+2=3/%41&c', 'x/A', 'x/a-b', 'x/a.b', 'x/a/b', 'x/a/c', 'x/b', 'x/ü/ä ö']);
      expect(await keys('x/a')).toEqual(['x/a-b', 'x/a.b', 'x/a/b', 'x/a/c']);
      expect(await keys('x/a/b')).toEqual(['x/a/b']);
      expect(await keys('z')).toEqual([]);
      for (const key of some) expect(text((await store.get(key))?.body)).toBe(key);
    });

    test('shows an object to who opens the store later', async () => {
      const etag = await store.put('a', Buffer.from('first'), { metadata: { epoch: '7' } });
      await store.close();
      opened.length = 0;
      expect(await (await open()).head('a')).toEqual(expect.objectContaining({ etag, sizeBytes: 5, metadata: { epoch: '7' } }));
    });

    test('says whether it can keep a condition', () => {
      const reported = reports.some(({ type }) => type === 'no-conditional-writes');
      expect(reported).toBe(!fixture.isConditional);
    });

    // What follows cannot hold where the server ignores conditions, and docs/decisions.md says what does.
    test('lets one of many win who put the same key at once', async () => {
      const others = await Promise.all(Array.from({ length: 8 }, open));
      const race = async (key: string, condition: 'absent' | { etag: string }): Promise<void> => {
        // Never the bytes that are there: where etags follow from bytes, such a put leaves the condition true for the next.
        const bytes = (i: number): string => `of ${i}, ${JSON.stringify(condition)}`;
        const tries = await Promise.allSettled(others.map((one, i) => one.put(key, Buffer.from(bytes(i)), { condition })));
        const won = tries.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
        for (const one of tries) if (one.status === 'rejected') expect(one.reason).toBeInstanceOf(PreconditionFailedError);
        expect(won.length).toBeGreaterThan(0);
        if (fixture.isConditional) expect(won).toHaveLength(1);
        expect(won.map(bytes)).toContain(text((await store.get(key))?.body));
      };
      for (let i = 0; i < 5; i++) {
        await race(`a/${i}`, 'absent');
        await race(`a/${i}`, { etag: (await store.head(`a/${i}`))!.etag });
      }
    });
  });
}
