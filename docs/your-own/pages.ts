import { setTimeout as sleep } from 'node:timers/promises';
import { type ShardReading, type Source, isPosition, readShards, readingDeliveries, reserveRoom } from '../../src/index.ts';

export interface PagesOptions {
  /** How long to wait for more behind the last page, in milliseconds; without it the last page is the end. */
  readonly pollEveryMs?: number;
}

/** What a page has. The numbers grow from one thing to the next, and stay what they are. */
interface Page {
  readonly things: readonly { readonly number: number; readonly madeAtMs: number }[];
}

/** What the ledger counts for a record beside its bytes. */
const RECORD_BYTES = 512;

/** Reads things from an API page by page, `…?after=41`, each once: where the sinks stand says behind which number it goes on. */
export function pages(url: string, { pollEveryMs }: PagesOptions = {}): Source<Uint8Array> {
  const pageBehind = async (after: string, signal?: AbortSignal): Promise<Page> => {
    const limit = AbortSignal.timeout(10_000);
    const answer = await fetch(`${url}?after=${after}`, { signal: signal ? AbortSignal.any([signal, limit]) : limit });
    if (!answer.ok) throw new Error(`pages: ${url} answered ${answer.status}`);
    return (await answer.json()) as Page;
  };

  async function readShard({ shard, resume, ledger, scheduler, signal, emit }: ShardReading): Promise<[] | undefined> {
    let after = typeof resume !== 'string' && isPosition(resume) ? resume.sequence : '0';
    while (!signal.aborted) {
      const { things } = await pageBehind(after, signal);
      if (things.length === 0) {
        if (pollEveryMs === undefined) return []; // read to its end: it has no children
        ledger.caughtUp(shard.id, scheduler.now());
        await sleep(pollEveryMs, undefined, { signal }).catch(() => {});
        continue;
      }
      const records = things.map((thing) => ({
        position: { shard: shard.id, sequence: String(thing.number), subSequence: 0 },
        arrivedAtMs: thing.madeAtMs,
        data: Buffer.from(JSON.stringify(thing)),
      }));
      const bytes = records.reduce((sum, { data }) => sum + data.length + RECORD_BYTES, 0);
      if (!(await reserveRoom(ledger, bytes, signal, shard.id))) return undefined;
      emit(records, bytes);
      after = records.at(-1)!.position.sequence;
    }
    return undefined; // it was stopped
  }

  return {
    name: 'pages',
    describe: url,
    async check() {
      const { things } = await pageBehind('0');
      return `${url}: ${things.length === 0 ? 'nothing yet' : `begins with number ${things[0]!.number}`}`;
    },
    ...readingDeliveries((context) => {
      // There may be more tomorrow, so no end is written down: of a shard that has one nothing is ever read again.
      const end = (shard: string): Promise<void> => {
        context.ledger.endShard(shard);
        return context.ledger.whenSettled(shard);
      };
      return readShards({ ...context, end }, { list: async () => [{ id: 'things', parents: [] }], readShard });
    }),
  };
}
