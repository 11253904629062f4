import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FencedError } from '../../src/errors.ts';
import { type LogObject, ObjectLog } from '../../src/sinks/object-log.ts';
import { type OpenObjectStore, PreconditionFailedError } from '../../src/stores/object-store.ts';
import { interrupted } from '../support/interrupted-store.ts';
import { scratchStores } from './archive-protocol.ts';

const position = (sequence: string) => ({ shard: 's', sequence, subSequence: 0 });

describe('an object log', () => {
  // The next try may store what a pack still reads, whose memory is given back then: the process would die of it.
  it.each(['the first object, when its document is refused', 'the next one, when the one before is not put'])(
    'packs nothing any more once an append has failed: %s',
    async (what) => {
      const isFirst = what.startsWith('the first');
      let isAcquired = false;
      const store = {
        head: async () => undefined,
        get: async () => undefined,
        put: async (key: string) => {
          if (isAcquired && (isFirst || !key.endsWith('.json'))) throw new Error('lost');
          return 'etag';
        },
        close: async () => {},
      } as unknown as OpenObjectStore;
      const log = new ObjectLog(store, { pipeline: 'p', sink: 's' });
      await log.acquire('s');
      isAcquired = true;
      let packing = 0;
      const object = (key: string, ms: number): LogObject => ({
        key,
        holds: { shard: 's', first: position('1'), last: position('1'), count: 1 },
        contentType: 'application/gzip',
        async pack() {
          packing++;
          await new Promise((resolve) => setTimeout(resolve, ms));
          packing--;
          return new Uint8Array(1);
        },
      });
      const objects = isFirst ? [object('a', 50)] : [object('a', 0), object('b', 50)];
      await expect(log.append(objects, new Map([['s', position('1')]]))).rejects.toThrow('lost');
      expect(packing).toBe(0);
    },
  );
});

describe('an object log over a store', () => {
  let stores: Awaited<ReturnType<typeof scratchStores>>;
  let store: OpenObjectStore;
  beforeEach(async () => {
    stores = await scratchStores();
    store = await interrupted(stores.make(), {}).open({ report: () => {} });
  });
  afterEach(async () => {
    await store.close();
    await stores.close();
  });

  const owner = { pipeline: 'p', sink: 's' };
  const objectOf = (key: string, shard = 's', pack: LogObject['pack'] = async () => new Uint8Array(1)): LogObject => {
    const at = { shard, sequence: '1', subSequence: 0 };
    return { key, holds: { shard, first: at, last: at, count: 1 }, contentType: 'application/gzip', pack };
  };
  const endsOf = (...shards: string[]) => new Map(shards.map((shard) => [shard, { shard, sequence: '1', subSequence: 0 }]));
  async function logOf(over: Partial<OpenObjectStore> = {}, of = owner, shards = ['s']): Promise<ObjectLog> {
    const log = new ObjectLog({ ...store, ...over }, of);
    for (const shard of shards) await log.acquire(shard);
    return log;
  }

  it('closes the key under which an older run may put yet, also where nothing is put in its place', async () => {
    const put: OpenObjectStore['put'] = async (key, ...rest) => {
      if (key === 'a') throw new Error('on its way');
      return store.put(key, ...rest);
    };
    await expect((await logOf({ put })).append([objectOf('a')], endsOf('s'))).rejects.toThrow('on its way');
    await (await logOf()).append([], endsOf('s'));
    expect(await store.head('a')).toMatchObject({ metadata: { count: '0', epoch: '2' } });
  });

  it.each(['pipeline', 'sink'])(
    'takes an object of another %s, under a key that it was to put, for none of its own',
    async (what) => {
      await (await logOf({}, { ...owner, [what]: 'other' })).append([objectOf('a')], endsOf('s'));
      await expect((await logOf()).append([objectOf('a')], endsOf('s'))).rejects.toThrow('belongs to');
      expect(await (await logOf()).positions(['s'])).toEqual(new Map());
    },
  );

  it('takes one of a run before the one before it for none that is stored, also when it was not told that it took over', async () => {
    // A run that was killed goes on to put an object after the next one has begun, which may be about to put another one over it.
    const put: typeof store.put = async (key, ...rest) => {
      if (key === 'a') throw new Error('killed');
      return store.put(key, ...rest);
    };
    for (let run = 1; run <= 2; run++)
      await expect((await logOf({ put })).append([objectOf('a')], endsOf('s'))).rejects.toThrow('killed');
    await store.put('a', Buffer.from('late'), { metadata: { ...owner, first: '1:0', last: '1:0', epoch: '1' } });

    const shaky = interrupted({ describe: 'store', open: async () => store }, { at: 1, mishap: 'unanswered', isDeadly: false });
    const log = new ObjectLog(await shaky.open({ report: () => {} }), owner);
    await expect(log.acquire('s')).rejects.toThrow('unanswered');
    expect(await log.acquire('s')).toBeUndefined();
  });

  it('empties no object that it is about to put again', async () => {
    const puts: string[] = [];
    const put: typeof store.put = async (key, body, options) => {
      puts.push(key === 'a' ? `${options?.metadata?.['count']} line` : 'the document');
      // The object is put, and not the word of it.
      if (puts.length === 4) throw new Error('lost');
      return store.put(key, body, options);
    };
    const log = await logOf({ put });
    await expect(log.append([objectOf('a')], endsOf('s'))).rejects.toThrow('lost');
    await log.positions(['s']);
    await log.append([objectOf('a')], endsOf('s'));
    expect(new Set(puts)).toEqual(new Set(['the document', '1 line']));
  });

  it('packs nothing any more once it has stored all, though it had packed ahead for an older epoch', async () => {
    let packing = 0;
    const pack = async (epoch: number): Promise<Uint8Array> => {
      packing++;
      await new Promise((resolve) => setTimeout(resolve, epoch === 1 ? 100 : 0));
      packing--;
      return new Uint8Array(1);
    };
    const log = await logOf();
    await store.put('a', Buffer.from('newer'), { metadata: { ...owner, epoch: '5' } });
    await log.append([objectOf('a'), objectOf('b', 's', pack)], endsOf('s'));
    expect(packing).toBe(0);
  });

  it('puts over an object whose metadata are gone, and over none of another pipeline', async () => {
    await store.put('a', Buffer.from('older'));
    await (await logOf()).append([objectOf('a')], endsOf('s'));
    expect(await store.head('a')).toMatchObject({ sizeBytes: 1, metadata: { pipeline: 'p' } });
    const other = await logOf({}, { ...owner, pipeline: 'other' });
    await expect(other.append([objectOf('a')], endsOf('s'))).rejects.toThrow(/a belongs to the sink s of the pipeline p:/);
  });

  it('keeps where it stands, and what is pending, as its epoch is raised beyond that of an object', async () => {
    const documents: object[] = [];
    const put: typeof store.put = async (key, body, options) => {
      if (key.endsWith('.json')) documents.push(JSON.parse(Buffer.from(body).toString()) as object);
      return store.put(key, body, options);
    };
    const log = await logOf({ put });
    await log.append([objectOf('a')], endsOf('s'));
    await store.put('b', Buffer.from('newer'), { metadata: { ...owner, epoch: '5' } });
    await log.append([objectOf('b')], endsOf('s'));
    expect(documents.at(-2)).toMatchObject({ epoch: 6, position: '1:0', pending: 'b' });
  });

  it('puts an object that vanishes as it is about to be written over', async () => {
    let tries = 0;
    const put: typeof store.put = async (key, ...rest) => {
      if (key === 'a' && ++tries === 1) throw new PreconditionFailedError('store', key);
      return store.put(key, ...rest);
    };
    await (await logOf({ put })).append([objectOf('a')], endsOf('s'));
    expect(await store.head('a')).toBeDefined();
  });

  it('tries no put again that fails for another reason than another writer', async () => {
    let tries = 0;
    const put: typeof store.put = async (key, ...rest) => {
      if (key === 'a' && ++tries > 0) throw new Error('denied');
      return store.put(key, ...rest);
    };
    await expect((await logOf({ put })).append([objectOf('a')], endsOf('s'))).rejects.toThrow('denied');
    expect(tries).toBe(1);
  });

  it('closes the key of a run before it by an empty object of its kind', async () => {
    const put: typeof store.put = async (key, ...rest) => {
      if (key === 'a.tsv.zst') throw new Error('killed');
      return store.put(key, ...rest);
    };
    await expect((await logOf({ put })).append([objectOf('a.tsv.zst')], endsOf('s'))).rejects.toThrow('killed');
    await (await logOf()).append([objectOf('b.tsv.zst')], endsOf('s'));
    expect(zstdDecompressSync((await store.get('a.tsv.zst'))!.body)).toHaveLength(0);
    expect((await store.head('a.tsv.zst'))!.metadata).toMatchObject({ count: '0' });
  });

  it('says that it was replaced, whatever else failed', async () => {
    const lost = Promise.withResolvers<void>();
    let isReplaced = false;
    const put: typeof store.put = async (key, ...rest) => {
      if (key !== 'a') return store.put(key, ...rest);
      lost.resolve();
      throw new Error('lost');
    };
    const get: typeof store.get = async (key) => {
      if (isReplaced) await lost.promise;
      return store.get(key);
    };
    const log = await logOf({ put, get }, owner, ['r', 's']);
    await logOf({}, owner, ['s']);
    isReplaced = true;
    const objects = [objectOf('a', 'r'), objectOf('b')];
    await expect(log.append(objects, endsOf('r', 's'))).rejects.toThrow(FencedError);
  });

  it('asks before it goes on from a place of which it is not certain, and puts nothing when it is another one', async () => {
    const faulty = interrupted({ describe: 'store', open: async () => store }, { at: 4, mishap: 'unanswered', isDeadly: false });
    const log = new ObjectLog(await faulty.open({ report: () => {} }), owner);
    await log.acquire('s');
    // Its document, the object, the document.
    await expect(log.append([objectOf('a')], endsOf('s'))).rejects.toThrow('unanswered');
    const error: unknown = await log.append([objectOf('b')], endsOf('s')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: 's: the position of s is not what it was: ask for it', isTransient: true });
    expect(await store.head('b')).toBeUndefined();
    expect(await store.head('a')).toMatchObject({ metadata: { count: '1' } });
  });

  it('fails on an object of which nobody says up to where its shard is then', async () => {
    const log = await logOf();
    await expect(log.append([objectOf('a')], endsOf())).rejects.toThrow('s: expected a position for s up to 1:0, got none');
    await expect(log.append([objectOf('a', 'other')], endsOf('other'))).rejects.toThrow(
      's: expected a shard that was acquired, got other',
    );
  });

  it('takes notice of what fails while it packs ahead when its turn has come', async () => {
    const put: typeof store.put = async (...args) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return store.put(...args);
    };
    const fails = objectOf('b', 's', () => Promise.reject(new Error('no lines')));
    await expect((await logOf({ put })).append([objectOf('a'), fails], endsOf('s'))).rejects.toThrow('no lines');
    expect(await store.head('a')).toBeDefined();
  });

  it('writes eight shards at a time', async () => {
    let [now, most] = [0, 0];
    const put: typeof store.put = async (...args) => {
      most = Math.max(most, ++now);
      return store.put(...args).finally(() => now--);
    };
    const shards = Array.from({ length: 20 }, (_, i) => `shard-${i}`);
    const log = await logOf({ put }, owner, shards);
    await log.append(
      shards.map((shard) => objectOf(`object-${shard}`, shard)),
      endsOf(...shards),
    );
    expect(most).toBe(8);
  });
});
