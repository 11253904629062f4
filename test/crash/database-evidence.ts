import pg from 'pg';
import type { Position } from '../../src/position.ts';
import { enrichedColumns } from '../../src/snowplow/columns.ts';
import { postgres } from '../../src/stores/postgres.ts';
import { type Change, type FoundReject, type Row, positionIn } from './checker.ts';
import type { Sent } from './oracle.ts';

/** The columns that are compared with what was sent. */
const TEXTS = ['event_id', 'page_url', 'user_ipaddress', 'domain_userid', 'se_label', 'se_property'];
const TABLE = 'snowplow_events';

/** What a database holds, all of one moment. */
export interface DatabaseEvidence {
  readonly rows: readonly Row[];
  readonly rejects: readonly FoundReject[];
  /** By sink, then by shard. */
  readonly standing: ReadonlyMap<string, ReadonlyMap<string, Position>>;
}

/** Makes the tables before any run does, so that each change of a position is written down with who made it. */
export async function watchDatabase(url: string): Promise<void> {
  const database = await postgres(url).open({ report: () => {} });
  await database.createTable({ name: TABLE, columns: enrichedColumns });
  await database.close();
  await withClient(url, (client) =>
    client.query(`
      CREATE TABLE public.changes (id bigserial, sink text, shard text, epoch bigint, place text, by text);
      CREATE FUNCTION public.note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.changes (sink, shard, epoch, place, by)
        VALUES (NEW.sink, NEW.shard, NEW.epoch, NEW.position, current_setting('application_name'));
        RETURN NEW;
      END $$;
      CREATE TRIGGER note_change AFTER INSERT OR UPDATE ON millrace.positions FOR EACH ROW EXECUTE FUNCTION public.note_change()`),
  );
}

/** Reads all that the database holds. */
export function readDatabase(url: string): Promise<DatabaseEvidence> {
  return withClient(url, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const texts = TEXTS.map((name) => `coalesce(${name}::text, '')`).join(` || E'\\t' || `);
    const rows = await client.query<Row>(`SELECT event_id::text AS "eventId", ${texts} AS text FROM ${TABLE}`);
    const rejects = await client.query<{ shard: string; sequence: string; sub: string; raw: Buffer }>(
      'SELECT shard, sequence::text, sub_sequence::text AS sub, raw FROM millrace.rejects',
    );
    const positions = await client.query<{ sink: string; shard: string; place: string | null }>(
      'SELECT sink, shard, position AS place FROM millrace.positions',
    );
    const standing = new Map<string, Map<string, Position>>();
    for (const { sink, shard, place } of positions.rows) {
      const position = positionIn(shard, place ?? undefined);
      if (!standing.has(sink)) standing.set(sink, new Map());
      if (position) standing.get(sink)!.set(shard, position);
    }
    return {
      rows: rows.rows,
      rejects: rejects.rows.map(({ shard, sequence, sub, raw }) => ({
        shard,
        sequence,
        subSequence: Number(sub),
        text: raw.toString('latin1'),
      })),
      standing,
    };
  });
}

/** All changes of positions since `watchDatabase`. */
export function readChanges(url: string): Promise<Change[]> {
  return withClient(url, async (client) => {
    const found = await client.query<{ sink: string; shard: string; epoch: string; place: string | null; by: string }>(
      'SELECT sink, shard, epoch, place, by FROM public.changes ORDER BY id',
    );
    return found.rows.map(({ sink, shard, epoch, place, by }) => ({
      sink,
      shard,
      epoch: Number(epoch),
      position: place ?? undefined,
      by,
    }));
  });
}

/** What a row has of a record. */
export function rowTextOf({ text }: Sent): string {
  const columns = text.split('\t');
  const numbers = TEXTS.map((name) => enrichedColumns.findIndex((column) => column.name === name));
  return Buffer.from(numbers.map((number) => columns[number]).join('\t'), 'latin1').toString();
}

async function withClient<R>(url: string, act: (client: pg.Client) => Promise<R>): Promise<R> {
  // Postgres may be on its way up again.
  for (let tries = 1; ; tries++) {
    const client = new pg.Client({ connectionString: url, application_name: 'checker' });
    client.on('error', () => {});
    try {
      await client.connect();
      return await act(client);
    } catch (error) {
      if (tries === 3) throw error;
    } finally {
      await client.end().catch(() => {});
    }
  }
}
