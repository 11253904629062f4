import { oneByOne } from '../../one-by-one.ts';
import type { Position } from '../../position.ts';
import type { SourceRecord } from '../../records.ts';
import type { PostgresConnection, Row } from './connection.ts';
import { ownTable } from './sql.ts';
import { MAX_PAGE_BYTES, type OpenRejects, type RejectsOf } from '../reject-source.ts';

const IS_ASKED_FOR = `pipeline = $1 AND arrived_at >= $2 AND arrived_at < $3
  AND ($4::text IS NULL OR step = $4) AND ($5::text IS NULL OR code = $5)`;

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNDEFINED_TABLE = '42P01';

interface RejectedRow {
  readonly sequence: string;
  readonly sub_sequence: string;
  readonly arrived_at_ms: number;
  readonly raw: Buffer;
}

/** Reads the table of rejects. */
export class PostgresRejects implements OpenRejects {
  readonly #connection: PostgresConnection;
  readonly #table: string;
  /** Shards are read side by side, and a connection does one thing at a time. */
  readonly #inTurn = oneByOne();
  #isClosed = false;

  constructor(connection: PostgresConnection, schema: string) {
    this.#connection = connection;
    this.#table = ownTable(schema, 'rejects');
  }

  async shards(of: RejectsOf): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#query(
      `SELECT shard, count(DISTINCT (sequence, sub_sequence))::int AS records FROM ${this.#table}
WHERE ${IS_ASKED_FOR} GROUP BY shard ORDER BY shard`,
      valuesOf(of),
    ).catch((error: unknown) => {
      // Who has no such table has no rejects.
      if ((error as { code?: unknown }).code === UNDEFINED_TABLE) return [];
      throw error;
    });
    return new Map(rows.map((row) => [row['shard'] as string, row['records'] as number]));
  }

  async records(of: RejectsOf, shard: string, after: Position | undefined, limit: number): Promise<readonly SourceRecord[]> {
    // The time as a number: as a text it is written in the session's own style. A page is made of keys and sizes first: what is not on it is never read. Each sink's rejects lie in this order in the index of the primary key, all
    // of a shard together do not, and would be sorted for each page.
    const rows = await this.#query(
      `WITH RECURSIVE sinks AS (
  SELECT min(sink) AS sink FROM ${this.#table} WHERE pipeline = $1
  UNION ALL SELECT (SELECT min(sink) FROM ${this.#table} WHERE pipeline = $1 AND sink > sinks.sink) FROM sinks WHERE sink IS NOT NULL)
SELECT sequence, sub_sequence, floor(extract(epoch FROM arrived_at) * 1000)::float8 AS arrived_at_ms, raw FROM (
  SELECT *, row_number() OVER place AS nth, sum(octet_length(raw)) OVER place AS bytes FROM (
    SELECT DISTINCT ON (sequence, sub_sequence) its.* FROM sinks CROSS JOIN LATERAL (
      SELECT DISTINCT ON (sequence, sub_sequence) sequence, sub_sequence, arrived_at, raw FROM ${this.#table}
      WHERE ${IS_ASKED_FOR} AND sink = sinks.sink AND shard = $6
        AND ($7::numeric IS NULL OR (sequence, sub_sequence) > ($7::numeric, $8::bigint))
      ORDER BY sequence, sub_sequence, octet_length(raw) DESC LIMIT $9::int) its
    ORDER BY sequence, sub_sequence, octet_length(raw) DESC LIMIT $9::int) page
  WINDOW place AS (ORDER BY sequence, sub_sequence)) summed
WHERE nth = 1 OR bytes <= ${MAX_PAGE_BYTES} ORDER BY nth`,
      [...valuesOf(of), shard, after?.sequence ?? null, after?.subSequence ?? null, limit],
    );
    return (rows as unknown as RejectedRow[]).map(({ sequence, sub_sequence, arrived_at_ms, raw }) => ({
      position: { shard, sequence, subSequence: Number(sub_sequence) },
      arrivedAtMs: arrived_at_ms,
      data: raw,
    }));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#connection.close();
  }

  #query(text: string, values: readonly unknown[]): Promise<Row[]> {
    return this.#inTurn(async () => {
      // It would connect once more.
      if (this.#isClosed) throw new Error('the rejects were closed before they were asked for');
      return this.#connection.query(text, values);
    });
  }
}

function valuesOf({ pipeline, since, until, step, code }: RejectsOf): readonly (string | null)[] {
  return [pipeline, since.toISOString(), until.toISOString(), step ?? null, code ?? null];
}
