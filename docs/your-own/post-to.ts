import {
  type Event,
  FencedError,
  type ObjectStore,
  type OpenObjectStore,
  type OpenSink,
  PreconditionFailedError,
  type Refusal,
  type Resume,
  type Sink,
  formatResume,
  parseResume,
} from '../../src/index.ts';

export interface PostToOptions {
  /** The sink's name in the pipeline; part of the keys of its positions. @default 'api' */
  readonly name?: string;
}

/** What the store keeps of a shard. */
interface Kept {
  readonly epoch: number;
  readonly position?: string;
}

/**
 * Posts the bytes of each event to an API that does a thing once for each `Idempotency-Key`, and keeps beside it, in an object store with
 * conditional puts, how far it has come in each shard. The key follows from the position: what is posted again after a crash does nothing.
 *
 * That is once for as long as the API remembers keys. A run that was taken over may still post what it has in hand, under the same keys.
 * What the API answers with 422 is a reject, kept as an object; 429 and 5xx are tried again, and anything else ends the run.
 */
export function postTo(url: string, store: ObjectStore, { name = 'api' }: PostToOptions = {}): Sink<Event<Uint8Array>> {
  return {
    name,
    describe: `posts to ${new URL(url).host}, positions in ${store.describe}`,
    async check() {
      return `the API is not asked; positions: ${(await store.check?.()) ?? 'not checked'}`;
    },
    async open({ pipeline, report }) {
      return new Posting(url, await store.open({ report }), `${pipeline}/${name}`);
    },
  };
}

class Posting implements OpenSink<Event<Uint8Array>> {
  readonly #url: string;
  readonly #store: OpenObjectStore;
  readonly #folder: string;
  /** By shard, what this run has put last, and the version that it is. */
  readonly #own = new Map<string, Kept & { readonly etag: string }>();

  constructor(url: string, store: OpenObjectStore, folder: string) {
    this.#url = url;
    this.#store = store;
    this.#folder = folder;
  }

  async acquire(shard: string): Promise<Resume | undefined> {
    for (;;) {
      const found = await this.#read(shard);
      const next: Kept = { ...found, epoch: (found?.epoch ?? 0) + 1 };
      try {
        await this.#put(shard, next, found?.etag);
        return next.position === undefined ? undefined : parseResume(shard, next.position);
      } catch (error) {
        if (!(error instanceof PreconditionFailedError)) throw error; // else another run came in between: look again
      }
    }
  }

  async positions(shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    const positions = new Map<string, Resume>();
    for (const shard of shards) {
      const [found, own] = [await this.#read(shard), this.#own.get(shard)];
      if (!found || !own || found.epoch !== own.epoch) throw new FencedError(this.#folder, shard, own?.epoch ?? 0);
      this.#own.set(shard, found); // a put whose answer was lost may have taken place
      if (found.position !== undefined) positions.set(shard, parseResume(shard, found.position));
    }
    return positions;
  }

  async commit({ items, positions }: Parameters<OpenSink<Event<Uint8Array>>['commit']>[0], refused: Refusal[]): Promise<void> {
    const these = new Set<Event<unknown>>(items);
    // What a try before this one has done with stays a reject.
    refused.splice(0, refused.length, ...refused.filter(({ event }) => !these.has(event)));
    await this.positions(positions.keys()); // a run that was taken over had better post nothing more
    const posted = new Map<string, Resume>();
    let nth = 0;
    try {
      for (const [i, event] of items.entries()) {
        // Events that were made of one record share its position. They come in one commit, always in this order.
        const before = items[i - 1];
        nth = before && event.origin.isSameRecord(before.origin) ? nth + 1 : 0;
        if (before && nth === 0) posted.set(before.shard, before.position);
        const place = `${encodeURIComponent(event.shard)}/${formatResume(event.position)}.${nth}`;
        const reason = await this.#post(event.data, place);
        if (reason === undefined) continue;
        const why = { step: 'postTo', code: '422', reason };
        const kept = JSON.stringify({ ...why, raw: Buffer.from(event.data).toString('base64') });
        await this.#store.put(`${this.#folder}/rejects/${place}.json`, Buffer.from(kept));
        refused.push({ event, why });
      }
    } catch (error) {
      // The next try goes on there: thousands may come in one commit, and an API that fails now and then may never take all of them in a row.
      await this.#move(posted);
      throw error;
    }
    await this.#move(positions);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** @returns why the API does not take it */
  async #post(body: Uint8Array, place: string): Promise<string | undefined> {
    const answer = await fetch(this.#url, {
      method: 'POST',
      headers: { 'idempotency-key': `${this.#folder}/${place}` },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await answer.text();
    if (answer.ok) return undefined;
    if (answer.status === 422) return text.slice(0, 200);
    const error = new Error(`the API answered ${answer.status}: ${text.slice(0, 200)}`);
    throw Object.assign(error, { isTransient: answer.status === 429 || answer.status >= 500 });
  }

  async #move(positions: ReadonlyMap<string, Resume>): Promise<void> {
    for (const [shard, resume] of positions) {
      const { epoch, etag } = this.#own.get(shard)!;
      // It fails with an error that passes when a newer run has put: the run then asks `positions`, and is told.
      await this.#put(shard, { epoch, position: formatResume(resume) }, etag);
    }
  }

  async #read(shard: string): Promise<(Kept & { readonly etag: string }) | undefined> {
    const found = await this.#store.get(this.#key(shard));
    return found && { ...(JSON.parse(Buffer.from(found.body).toString()) as Kept), etag: found.etag };
  }

  async #put(shard: string, { epoch, position }: Kept, before: string | undefined): Promise<void> {
    const kept: Kept = { epoch, ...(position !== undefined && { position }) };
    const condition = before === undefined ? 'absent' : { etag: before };
    const etag = await this.#store.put(this.#key(shard), Buffer.from(JSON.stringify(kept)), { condition });
    this.#own.set(shard, { ...kept, etag });
  }

  /** A shard of `lines` is named by a path, which would be another key, or none. */
  #key(shard: string): string {
    return `${this.#folder}/positions/${encodeURIComponent(shard)}.json`;
  }
}
