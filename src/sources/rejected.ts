import { checkCounts } from '../check-counts.ts';
import { isPosition } from '../position.ts';
import { RecordList, type SourceRecord } from '../records.ts';
import type { OpenRejects, RejectSource, RejectsOf } from '../stores/reject-source.ts';
import { emitInTurn } from './delivery/emit-in-turn.ts';
import { patiently } from './waiting/patiently.ts';
import { readRange } from './shards/read-range.ts';
import type { ShardReading } from './shards/read-shards.ts';
import { type Source, readingDeliveries } from './source.ts';
import { type TimeRange, checkRange, formatRange } from './time-range.ts';

/** How many shards are read at a time: each has a page of rejects in memory, which nothing counts. */
const SHARDS_AT_ONCE = 4;

export interface RejectedOptions extends TimeRange {
  /** The name of the pipeline that rejected them. */
  readonly of: string;
  /** Records are read that arrived then or later: a whole minute. */
  readonly since: Date;
  /** None is read that arrived then or later: a whole minute. */
  readonly until: Date;
  /** Only what this step or sink rejected: `validate`. @default all */
  readonly step?: string | undefined;
  /** Only what was rejected with this code: `invalid_json`. @default all */
  readonly code?: string | undefined;
  /**
   * The most records of one delivery.
   *
   * @default 1_000
   */
  readonly maxRecords?: number;
}

/**
 * Reads again the records that a pipeline rejected, those that arrived in [since, until), in UTC, then completes: for when what was wrong with them, or
 * with the pipeline, is mended.
 *
 *     rejected(database, { of: 'warehouse', since: new Date('2026-11-22T09:00Z'), until: new Date('2026-11-22T10:00Z') })
 *
 * A record is as it was when it was read the first time, bytes, arrival and position; it comes once, however often something of it was rejected. Of one that
 * held several events all come again: let the sink leave out those that it has (`missingBy`). Shards are read side by side, four at a time.
 * Their names begin with the pipeline that reads, the one that rejected, the range and what else was asked for, so what was read of one range says nothing
 * of another, and no two readers archive under one key. What is read is not removed. A shard has no end: what is rejected later, behind what was
 * read, is read when the same is asked for once more, and what is rejected later, before that, is not: so let the pipeline be past the range.
 *
 * A range without such rejects is an error. Stores that fail for a passing reason are tried again (`source-retry`).
 *
 * @throws {RangeError} when since and until are no whole minutes, one after the other, or maxRecords is below 1
 */
export function rejected(
  store: RejectSource,
  { of, since, until, step, code, maxRecords = 1_000 }: RejectedOptions,
): Source<Uint8Array> {
  checkRange('rejected', { since, until });
  checkCounts('rejected', { maxRecords });
  const asked: RejectsOf = { pipeline: of, since, until, step, code };
  const range = formatRange({ since, until });
  const only = [...(step === undefined ? [] : [`step ${step}`]), ...(code === undefined ? [] : [`code ${code}`])].join(', ');
  const where = `rejects of ${of}${only && ` (${only})`} in ${store.describe}`;
  const before = `${of} ${range} ${only && `(${only}) `}`;
  const checkReader = (pipeline: string): void => {
    if (pipeline === of)
      throw new Error(
        `rejected: expected another pipeline than ${of} to read its rejects: what it rejects again, it would read again`,
      );
  };

  return {
    name: 'rejected',
    describe: `${where}, ${range}`,
    async check(pipeline) {
      checkReader(pipeline);
      const found = (await store.check?.()) ?? 'not checked';
      return `${where}, ${range}: ${found}`;
    },
    ...readingDeliveries((context) =>
      readRange(context, {
        open: () => store.openRejects(),
        async find(open) {
          checkReader(context.pipeline);
          const counts = await open.shards(asked);
          if (counts.size === 0) throw new Error(`rejected: expected ${where} in ${range}, got none`);
          const records = [...counts.values()].reduce((sum, count) => sum + count, 0);
          context.report({ type: 'rejects-found', where, range, records, shards: counts.size });
          return new Map([...counts].map(([shard, count]) => [`${context.pipeline} ${before}${shard}`, { shard, count }]));
        },
        atOnce: SHARDS_AT_ONCE,
        read: (reading, open, found) => readRejects(reading, { ...found, open, asked, maxRecords }),
      }),
    ),
  };
}

interface RejectsReading {
  readonly open: OpenRejects;
  readonly asked: RejectsOf;
  /** The shard as the pipeline knew it that rejected them. */
  readonly shard: string;
  /** Of how many of its records there are rejects. */
  readonly count: number;
  readonly maxRecords: number;
}

/** Reads the rejects of one shard behind where it is resumed. Resolves with false when the signal ended it. */
async function readRejects(reading: ShardReading, { open, asked, shard, count, maxRecords }: RejectsReading): Promise<boolean> {
  const { resume, signal, report, scheduler } = reading;
  const { id } = reading.shard;
  const stand = isPosition(resume) ? resume : undefined;
  const of = resume instanceof Date && resume > asked.since ? { ...asked, since: resume } : asked;
  let after = stand;
  let read = 0;
  for (;;) {
    const page = await patiently(reading, id, signal, () => open.records(of, shard, after, maxRecords));
    if (!page) return false;
    const last = page.at(-1);
    if (!last) break;
    report({
      type: 'shard-lag',
      shard: id,
      behindMs: Math.max(0, of.until.getTime() - last.arrivedAtMs),
      readAtMs: scheduler.now(),
    });
    after = last.position;
    read += page.length;
    const records = page.map((record): SourceRecord => ({ ...record, position: { ...record.position, shard: id } }));
    if (!(await emitInTurn(reading, new RecordList(records)))) return false;
  }
  const isAll = read === 0;
  if (stand && (isAll || count > read)) report({ type: 'read-before', shard: id, count: count - read, what: 'record', isAll });
  return true;
}
