import { randomUUID } from 'node:crypto';
import { FencedError } from '../errors.ts';
import type { Item } from '../event.ts';
import { type Resume, formatResume } from '../position.ts';
import type { Owner } from '../owner.ts';
import { type OpenObjectStore, type PutCondition, PreconditionFailedError } from '../stores/object-store.ts';
import { packLines } from './pack-lines.ts';
import { PositionDocument } from './position-document.ts';

/** How many shards are written at a time: each has at most two packed objects in memory. */
const SHARDS_AT_ONCE = 8;
/** How often another writer may come in between before a put is given up. */
const MAX_TRIES = 30;

/** One object to store: where, and what is in it. */
export interface LogObject {
  readonly key: string;
  /** What it holds: its shard, first and last position and count go into the metadata. */
  readonly holds: Pick<Item, 'shard' | 'first' | 'last' | 'count'>;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly contentType: string;
  /**
   * Makes its bytes. They must differ from epoch to epoch: on S3 equal bytes have equal etags, and a late put of an older run,
   * made for the etag of bytes that came back, would take place.
   */
  readonly pack: (epoch: number) => Promise<Uint8Array>;
}

/**
 * Keeps, for each shard, a log of objects and the position up to which it is complete, so that each event is in it once
 * whatever is killed whenever.
 *
 * Per object: the shard's document says that its key is pending; the object is put; the document says how far the log now is
 * (and, in the same put, which key is pending next). An owner that takes a shard over finds the one key under which a put of
 * an older owner may still arrive. When the object is there already, it counts as stored: the stream may keep its records no more. Otherwise
 * it overwrites the object, or, when its own next object has another key, closes that key with an empty one. Either way the late put's
 * condition no longer holds.
 */
export class ObjectLog {
  readonly #store: OpenObjectStore;
  readonly #owner: Owner;
  readonly #run = randomUUID();
  readonly #documents = new Map<string, PositionDocument>();

  constructor(store: OpenObjectStore, owner: Owner) {
    this.#store = store;
    this.#owner = owner;
  }

  async acquire(shard: string): Promise<Resume | undefined> {
    const document = this.#documents.get(shard) ?? new PositionDocument(this.#store, this.#owner, shard, this.#run);
    // Before it is its own: a next try has to know what this one has seen.
    this.#documents.set(shard, document);
    await document.acquire();
    await this.#noteWhatWasPut(document);
    return document.resume;
  }

  async positions(shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    const documents = [...shards].map((shard) => this.#document(shard));
    await atOnce(documents, (document) => document.read());
    return new Map(documents.flatMap(({ shard, resume }) => (resume === undefined ? [] : [[shard, resume] as const])));
  }

  /** Stores objects, in order within each shard, and moves the positions. */
  async append(objects: readonly LogObject[], positions: ReadonlyMap<string, Resume>): Promise<void> {
    const byShard = new Map<string, LogObject[]>([...positions.keys()].map((shard) => [shard, []]));
    for (const object of objects) {
      const { shard, last } = object.holds;
      const queue = byShard.get(shard);
      if (queue) queue.push(object);
      else throw new TypeError(`${this.#owner.sink}: expected a position for ${shard} up to ${formatResume(last)}, got none`);
    }
    await atOnce([...byShard], ([shard, queue]) => this.#appendTo(this.#document(shard), queue, positions.get(shard)!));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #appendTo(document: PositionDocument, objects: readonly LogObject[], end: Resume): Promise<void> {
    const known = document.position;
    if (!document.isCertain) await document.read();
    if (document.position !== known)
      throw Object.assign(new Error(`${this.#owner.sink}: the position of ${document.shard} is not what it was: ask for it`), {
        isTransient: true,
      });
    const { pending } = document;
    if (pending !== undefined && pending !== objects[0]?.key) await this.#put(document, emptyObject(pending, document.shard));
    let { position } = document;
    let packed = packAhead(objects[0], document.epoch);
    try {
      for (const [i, object] of objects.entries()) {
        await document.write({ position, pending: object.key });
        const body = await packed;
        const { epoch } = document;
        packed = packAhead(objects[i + 1], epoch);
        await this.#put(document, object, body);
        if (document.epoch !== epoch) {
          // Raised by what was there: what was packed ahead has the bytes of an older epoch.
          await packed?.catch(() => {});
          packed = packAhead(objects[i + 1], document.epoch);
        }
        position = formatResume(object.holds.last);
      }
    } finally {
      // A next try may store what it still reads, and memory that is given back then would be read no more.
      await packed?.catch(() => {});
    }
    await document.write({ position: formatResume(end) });
  }

  /**
   * Moves the position behind the object that the owner before had put, and had not said so yet. Only behind its own: under the key of an older one
   * a later owner may be about to put another.
   */
  async #noteWhatWasPut(document: PositionDocument): Promise<void> {
    const there = document.pending === undefined ? undefined : await this.#store.head(document.pending);
    const { pipeline, sink, last, epoch } = there?.metadata ?? {};
    const isItsOwn = pipeline === encodeURIComponent(this.#owner.pipeline) && sink === encodeURIComponent(this.#owner.sink);
    if (isItsOwn && last !== undefined && Number(epoch) >= document.epochBefore) await document.write({ position: last });
  }

  /** Puts an object, over one of an older owner if there is one, never over one of a newer. */
  async #put(document: PositionDocument, object: LogObject, packed?: Uint8Array): Promise<void> {
    const { pipeline, sink } = this.#owner;
    const { key, holds, contentType, pack } = object;
    let body = packed ?? (await pack(document.epoch));
    let condition: PutCondition = 'absent';
    for (let tries = 1; ; tries++) {
      const metadata = {
        ...object.metadata,
        pipeline: encodeURIComponent(pipeline),
        sink: encodeURIComponent(sink),
        shard: encodeURIComponent(holds.shard),
        ...(holds.count > 0 && { first: formatResume(holds.first), last: formatResume(holds.last) }),
        count: String(holds.count),
        epoch: String(document.epoch),
      };
      try {
        await this.#store.put(key, body, { metadata, contentType, condition });
        return;
      } catch (error) {
        if (!(error instanceof PreconditionFailedError) || tries === MAX_TRIES) throw error;
      }
      const there = await this.#store.head(key);
      condition = there ? { etag: there.etag } : 'absent';
      if (!there) continue;
      const { pipeline: otherPipeline, sink: otherSink, epoch = 0 } = there.metadata;
      if (otherSink !== undefined && (otherPipeline !== metadata.pipeline || otherSink !== metadata.sink))
        throw new Error(
          `${sink}: ${key} belongs to the sink ${otherSink} of the pipeline ${otherPipeline}: each sink needs a prefix of its own`,
        );
      if (Number(epoch) > document.epoch) {
        await document.read();
        // No newer run: the positions were removed, so that all is read again. What is there is older after all.
        await document.write({ position: document.position, pending: document.pending }, Number(epoch) + 1);
        body = await pack(document.epoch);
      }
    }
  }

  #document(shard: string): PositionDocument {
    const document = this.#documents.get(shard);
    if (!document) throw new TypeError(`${this.#owner.sink}: expected a shard that was acquired, got ${shard}`);
    return document;
  }
}

/** Closes a key under which nothing of ours will stand. Its bytes are an empty stream, so it harms no reader. */
function emptyObject(key: string, shard: string): LogObject {
  const nowhere = { shard, sequence: '0', subSequence: 0 };
  const compression = key.endsWith('.zst') ? 'zstd' : 'gzip';
  return {
    key,
    holds: { shard, first: nowhere, last: nowhere, count: 0 },
    contentType: `application/${compression}`,
    pack: (epoch) => packLines([], { compression, stamp: stampOf(epoch) }),
  };
}

/** What makes an object's bytes those of its epoch. */
export function stampOf(epoch: number): string {
  return `millrace epoch ${epoch}`;
}

/** Packs the next object while the one before is put. A failure is told when its turn comes, or never. */
function packAhead(object: LogObject | undefined, epoch: number): Promise<Uint8Array> | undefined {
  const packed = object?.pack(epoch);
  packed?.catch(() => {});
  return packed;
}

/** Runs `act` for some of the values at a time, and waits for all of them also when one fails. Being fenced is told first. */
async function atOnce<T>(values: readonly T[], act: (value: T) => Promise<void>): Promise<void> {
  const errors: unknown[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < values.length) await act(values[next++]!).catch((error: unknown) => errors.push(error));
  };
  await Promise.all(Array.from({ length: SHARDS_AT_ONCE }, work));
  if (errors.length > 0) throw errors.find((error) => error instanceof FencedError) ?? errors[0];
}
