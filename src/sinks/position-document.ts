import { FencedError } from '../errors.ts';
import { type Resume, type Standing, parseResume } from '../position.ts';
import type { Owner } from '../owner.ts';
import { type ObjectStore, type OpenObjectStore, PreconditionFailedError } from '../stores/object-store.ts';
import { shardName } from './object-key.ts';

/** How often another writer may come in between before an attempt is given up; each costs a round trip. */
const MAX_TRIES = 30;
const EXTENSION = '.json';

interface Content {
  /** Tells runs apart that have one epoch, which a store without conditional writes cannot rule out. */
  readonly run: string;
  readonly epoch: number;
  /** As `formatResume` writes it. */
  readonly position?: string;
  /** The key of an object that may have been put, or may be yet: what lies behind the position. */
  readonly pending?: string;
}

/** What a document says beside whose it is. */
interface Place {
  readonly position?: string | undefined;
  readonly pending?: string | undefined;
}

/** Where a sink stands in all shards of which it has documents. Changes nothing. */
export async function standingsIn(store: ObjectStore, { pipeline, sink }: Owner): Promise<readonly Standing[]> {
  const open = await store.open({ report: () => {}, readOnly: true });
  try {
    const folder = `${folderOf({ pipeline, sink })}/`;
    const found: Standing[] = [];
    for await (const key of open.list(folder)) {
      const shard = decodeURIComponent(key.slice(folder.length).replace(/\.json$/, ''));
      const document = new PositionDocument(open, { pipeline, sink }, shard, '');
      await document.look();
      found.push({ shard, epoch: document.epoch, resume: document.resume });
    }
    return found;
  } finally {
    await open.close();
  }
}

function folderOf({ pipeline, sink }: Owner): string {
  return `_millrace/${[pipeline, sink].map(encodeURIComponent).join('/')}`;
}

/**
 * Keeps where one sink of one pipeline stands in one shard, as an object that only the newest owner can change.
 *
 * Every put has the etag of the one before as its condition, so the first that fails shows that somebody else took over.
 */
export class PositionDocument {
  readonly key: string;
  readonly shard: string;
  readonly #where: string;
  readonly #store: OpenObjectStore;
  #content: Content;
  #etag: string | undefined;
  #isCertain = true;
  #epochBefore = 0;

  constructor(store: OpenObjectStore, { pipeline, sink }: Owner, shard: string, run: string) {
    const name = shardName(shard, (store.maxNameBytes ?? Number.POSITIVE_INFINITY) - EXTENSION.length);
    this.key = `${folderOf({ pipeline, sink })}/${name}${EXTENSION}`;
    this.shard = shard;
    this.#where = sink;
    this.#store = store;
    this.#content = { run, epoch: 0 };
  }

  /** False after a write whose outcome is unknown, until the next `read`. */
  get isCertain(): boolean {
    return this.#isCertain;
  }

  get epoch(): number {
    return this.#content.epoch;
  }

  /** That of the owner before, however often this one had to take the shard over. */
  get epochBefore(): number {
    return this.#epochBefore;
  }

  get position(): string | undefined {
    return this.#content.position;
  }

  get pending(): string | undefined {
    return this.#content.pending;
  }

  get resume(): Resume | undefined {
    return this.position === undefined ? undefined : parseResume(this.shard, this.position);
  }

  /** Reads what it says, whoever owns it. */
  async look(): Promise<void> {
    const found = await this.#find();
    if (found) this.#content = found.content;
  }

  /** Takes the shard over: raises the epoch, keeps the rest. */
  async acquire(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const found = await this.#find();
      const { epoch, ...standing } = found?.content ?? this.#content;
      if (found && !this.#isOurs(found.content)) this.#epochBefore = epoch;
      const content = { ...standing, run: this.#content.run, epoch: Math.max(epoch, this.epoch) + 1 };
      try {
        await this.#put(content, found?.etag);
        return;
      } catch (error) {
        if (!(error instanceof PreconditionFailedError) || tries === MAX_TRIES) throw error;
      }
    }
  }

  /**
   * Reads where the sink stands, by the store's own word, be it further back than before.
   *
   * @throws {FencedError} when a newer run owns it
   */
  async read(): Promise<void> {
    const found = await this.#find();
    if (found && !this.#isOurs(found.content) && found.content.epoch >= this.epoch)
      throw new FencedError(this.#where, this.shard, this.epoch);
    this.#etag = found?.etag;
    const { run, epoch } = this.#content;
    this.#content = { ...found?.content, run, epoch };
    this.#isCertain = true;
  }

  /**
   * Makes a new standing durable.
   *
   * @param epoch to raise it beyond one that only objects know
   * @throws {FencedError} when a newer run owns it
   */
  async write({ position, pending }: Place, epoch = this.epoch): Promise<void> {
    const content: Content = {
      run: this.#content.run,
      epoch,
      ...(position !== undefined && { position }),
      ...(pending !== undefined && { pending }),
    };
    try {
      await this.#put(content, this.#etag);
    } catch (error) {
      if (!(error instanceof PreconditionFailedError)) throw error;
      const found = await this.#find();
      if (found && this.#isOurs(found.content)) {
        // This very write, whose answer got lost. Any other is one that was given up and took place after all, later than
        // we looked: it says where we stand now, and what we were about to write says less.
        if (JSON.stringify(found.content) !== JSON.stringify(content)) throw this.#doubt('is not what it was: ask for it');
        this.#etag = found.etag;
        this.#content = content;
        this.#isCertain = true;
        return;
      }
      if (found && found.content.epoch >= this.epoch) throw new FencedError(this.#where, this.shard, this.epoch);
      throw this.#doubt(`went back in time: ${this.key} is older`);
    }
  }

  #doubt(what: string): Error {
    return Object.assign(new Error(`${this.#where}: the position of ${this.shard} ${what}`), { isTransient: true });
  }

  #isOurs({ run }: Content): boolean {
    return run === this.#content.run;
  }

  async #put(content: Content, etag: string | undefined): Promise<void> {
    this.#isCertain = false;
    this.#etag = await this.#store.put(this.key, Buffer.from(`${JSON.stringify(content)}\n`), {
      contentType: 'application/json',
      condition: etag === undefined ? 'absent' : { etag },
    });
    this.#content = content;
    this.#isCertain = true;
  }

  async #find(): Promise<{ etag: string; content: Content } | undefined> {
    const found = await this.#store.get(this.key);
    if (!found) return undefined;
    const text = Buffer.from(found.body).toString();
    try {
      const content = JSON.parse(text) as Content;
      if (Number.isSafeInteger(content.epoch)) return { etag: found.etag, content };
    } catch {
      // Told below, together with JSON of another kind.
    }
    throw new TypeError(`${this.#where}: expected the position of ${this.shard} in ${this.key}, got ${text.slice(0, 100)}`);
  }
}
