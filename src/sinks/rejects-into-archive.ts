import { isUtf8 } from 'node:buffer';
import { asBuffer } from '../as-buffer.ts';
import type { Reject } from '../event.ts';
import type { ObjectStore } from '../stores/object-store.ts';
import { checkStore } from './ask-store.ts';
import { checkPrefix, objectKey } from './object-key.ts';
import { type LogObject, ObjectLog, stampOf } from './object-log.ts';
import { packLines } from './pack-lines.ts';
import { standingsIn } from './position-document.ts';
import type { Sink } from './sink.ts';

export interface RejectsIntoArchiveOptions {
  /** The folder that the objects' keys begin with; of this sink alone. @default 'rejects' */
  readonly prefix?: string;
  /** @default 'rejects' */
  readonly name?: string;
}

/** A reject as it is stored: one JSON object a line. */
export interface RejectLine {
  readonly shard: string;
  readonly sequence: string;
  readonly subSequence: number;
  /** When the stream received the record, in ISO 8601. */
  readonly arrivedAt: string;
  readonly step: string;
  readonly code: string;
  readonly reason: string;
  readonly path?: string;
  /** The record's bytes as the source read them, in base64. */
  readonly raw: string;
  /** The same as text, when they are valid UTF-8. */
  readonly text?: string;
}

/**
 * Stores rejects as gzipped lines of JSON (`RejectLine`), an object for each shard of a batch.
 *
 *     rejects/2026/11/22/0900-shardId-000000000000-4959…154.ndjson.gz
 *
 * @throws {TypeError} when the prefix is empty or not a path
 */
export function rejectsIntoArchive(
  store: ObjectStore,
  { prefix = 'rejects', name = 'rejects' }: RejectsIntoArchiveOptions = {},
): Sink<Reject> {
  checkPrefix(name, prefix);
  return {
    name,
    keepsNothing: true,
    describe: `gzip objects of JSON lines in ${store.describe}/${prefix}`,
    check: () => checkStore(store),
    stands: (pipeline) => standingsIn(store, { pipeline, sink: name }),
    async open({ pipeline, report }) {
      const open = await store.open({ report });
      const log = new ObjectLog(open, { pipeline, sink: name });
      return {
        acquire: (shard) => log.acquire(shard),
        positions: (shards) => log.positions(shards),
        commit: ({ items, positions }, refused) => {
          refused.length = 0;
          return log.append(
            [...Map.groupBy(items, ({ shard }) => shard).values()].map((rejects) => objectOf(prefix, rejects, open.maxNameBytes)),
            positions,
          );
        },
        close: () => log.close(),
      };
    },
  };
}

function objectOf(prefix: string, rejects: readonly Reject[], maxNameBytes: number | undefined): LogObject {
  const [{ event, shard, first }, last] = [rejects[0]!, rejects.at(-1)!.last];
  return {
    key: objectKey(prefix, event.arrivedAtMs, first, 'ndjson.gz', maxNameBytes),
    holds: { shard, first, last, count: rejects.length },
    contentType: 'application/gzip',
    pack: (epoch) => packLines(linesOf(rejects), { compression: 'gzip', stamp: stampOf(epoch) }),
  };
}

function* linesOf(rejects: readonly Reject[]): Iterable<Uint8Array> {
  for (const reject of rejects) yield Buffer.from(JSON.stringify(lineOf(reject)));
}

function lineOf({ event, why: { step, code, reason, path } }: Reject): RejectLine {
  const { shard, sequence, subSequence } = event.position;
  const raw = asBuffer(event.origin.raw);
  return {
    shard,
    sequence,
    subSequence,
    arrivedAt: new Date(event.arrivedAtMs).toISOString(),
    step,
    code,
    reason,
    ...(path !== undefined && { path }),
    raw: raw.toString('base64'),
    ...(isUtf8(raw) && { text: raw.toString() }),
  };
}
