import { escapeIdentifier, escapeLiteral } from 'pg';
import { type Resume, formatResume } from '../../position.ts';
import type { Owner } from '../../owner.ts';

/** SQLSTATEs of our own, raised by `guard`. */
export const FENCED = 'MR001';
export const POSITION_BEHIND = 'MR002';
export const WENT_BACK = 'MR004';

/**
 * Begins a transaction. What it may wait for is short: a lock is held only while the server itself works, so whoever waits
 * longer waits for a stranger. Should this process stop in the middle, the server ends its transaction after a minute. A row that breaks a
 * deferred constraint is to fail with its COPY: at COMMIT nobody could tell which one it was. A limit on statements, or transactions (which Postgres 17
 * brought), that its user has is one for questions of people: a load that takes longer would be cut off at each try. A time without a zone is in UTC,
 * wherever the server is.
 */
export const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED;
SET CONSTRAINTS ALL IMMEDIATE;
SET LOCAL TimeZone = 'UTC';
SET LOCAL statement_timeout = 0;
DO 'BEGIN IF current_setting(''transaction_timeout'', true) <> ''0'' THEN PERFORM set_config(''transaction_timeout'', ''0'', true); END IF; END';
SET LOCAL lock_timeout = '10s';
SET LOCAL idle_in_transaction_session_timeout = '60s'`;

/** The tables of ours. */
export type OwnTable = 'positions' | 'rejects' | 'identity_logs' | 'identity_blocks';

/** A table's own name in a schema of ours. */
export function ownTable(schema: string, name: OwnTable): string {
  return `${escapeIdentifier(schema)}.${name}`;
}

/** Whether nothing can be written in a session, and what to do then. */
export const IS_READ_ONLY = `current_setting('transaction_read_only')::bool`;
export const READ_ONLY_REMEDY = `the server only lets read, as a standby does, or where default_transaction_read_only is on: name the primary, or turn that off`;

/** How many of some tables there are; whether rejects can be stored, and what they may hold. */
export const SELECT_STATE = `SELECT (SELECT count(*)::int FROM unnest($1::text[]) name WHERE to_regclass(name) IS NOT NULL) AS tables,
  has_database_privilege(current_database(), 'TEMPORARY') AS "mayStoreRejects",
  format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), current_user) AS remedy,
  current_setting('server_encoding') IN ('UTF8', 'SQL_ASCII') AS "takesAnyText", ${IS_READ_ONLY} AS "isReadOnly"`;

// Not IF NOT EXISTS: that asks for the right to create schemas also when there is nothing to create, and looks into a cache
// that does not know yet what was made while this one waited for the lock.
export function createSchema(schema: string): string {
  const exists = `EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ${escapeLiteral(schema)})`;
  return `DO ${escapeLiteral(`BEGIN IF NOT ${exists} THEN CREATE SCHEMA ${escapeIdentifier(schema)}; END IF; END`)}`;
}

/** Lets one process at a time make tables: `IF NOT EXISTS` alone fails when two do so at once. */
export const LOCK_CATALOG = `SELECT pg_advisory_xact_lock(hashtextextended('millrace: make tables', 0))`;

export function createOwnTables(schema: string): string {
  return `${createSchema(schema)};
CREATE TABLE IF NOT EXISTS ${ownTable(schema, 'positions')} (
  pipeline text, sink text, shard text,
  epoch bigint NOT NULL,
  position text,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, sink, shard));
CREATE TABLE IF NOT EXISTS ${ownTable(schema, 'rejects')} (
  pipeline text, sink text, shard text,
  sequence numeric, sub_sequence bigint,
  arrived_at timestamptz NOT NULL,
  step text, code text,
  reason text NOT NULL, path text NOT NULL,
  raw bytea NOT NULL,
  rejected_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, sink, shard, sequence, sub_sequence, step, code))`;
}

/** A COPY of nothing: whoever sends it ends it when what comes behind it may run, and makes it fail otherwise. */
export function gate(schema: string): string {
  return `COPY ${ownTable(schema, 'positions')} (pipeline) FROM STDIN`;
}

/**
 * Takes a shard over, if its epoch still is what one has seen (nothing: no row). So what arrives late, when whoever sent it has asked
 * again or is dead, takes nothing away from the owner of that time.
 */
export function acquire(schema: string, { pipeline, sink }: Owner, shard: string, seen: number | undefined): string {
  const table = ownTable(schema, 'positions');
  const [pipelineText, sinkText, shardText] = [pipeline, sink, shard].map(escapeLiteral);
  if (seen === undefined)
    return `INSERT INTO ${table} (pipeline, sink, shard, epoch) VALUES (${pipelineText}, ${sinkText}, ${shardText}, 1)
ON CONFLICT DO NOTHING RETURNING epoch, position`;
  return `UPDATE ${table} SET epoch = epoch + 1, updated_at = now()
WHERE pipeline = ${pipelineText} AND sink = ${sinkText} AND shard = ${shardText} AND epoch = ${seen} RETURNING epoch, position`;
}

/** Where an owner stands in all shards. */
export function selectStandings(schema: string): string {
  return `SELECT shard, epoch, position FROM ${ownTable(schema, 'positions')} WHERE pipeline = $1 AND sink = $2 ORDER BY shard`;
}

export function selectPositions(schema: string): string {
  return `SELECT shard, epoch, position FROM ${ownTable(schema, 'positions')} WHERE pipeline = $1 AND sink = $2 AND shard = ANY ($3)`;
}

/**
 * Moves positions, or fails when a shard has another owner, when a position would move backwards, or is not where it was left. It goes to the server in one
 * message with COMMIT, so that a process stopped in between never leaves a row locked for the next owner.
 *
 * @param stores whether rows come with it: then no position may stay where it is, but for one that tells how long its shard was quiet, or a
 *   message that arrives late, when its sender has sent another one in its place, would store them once more
 */
export function guard(
  schema: string,
  { pipeline, sink }: Owner,
  moves: readonly { shard: string; epoch: number; stood: string | undefined; to: Resume }[],
  stores: boolean,
): string {
  const table = ownTable(schema, 'positions');
  const values = moves.map(
    ({ shard, epoch, stood, to }) =>
      `(${escapeLiteral(shard)}, ${epoch}::bigint, ${stood === undefined ? 'NULL' : escapeLiteral(stood)}::text, ${escapeLiteral(formatResume(to))})`,
  );
  const mine = `p.pipeline = ${escapeLiteral(pipeline)} AND p.sink = ${escapeLiteral(sink)}`;
  // As numbers: a position may have got an @ since, when its shard was quiet. One that gets it with rows is of another shard than they are.
  const before = stores ? '<=' : '<';
  const place = (of: string): string => {
    const numbers = `split_part(${of}, ':', 1)::numeric, split_part(split_part(${of}, ':', 2), '@', 1)::numeric`;
    return stores ? `(${numbers}, split_part(${of}, '@', 2) COLLATE "C")` : `(${numbers})`;
  };
  // The shards in one order, whatever the order they came in: two owners of some of them never wait for each other.
  return `DO ${escapeLiteral(`DECLARE
  come record;
  has record;
  behind boolean;
BEGIN
  FOR come IN SELECT v.* FROM (VALUES ${values.join(', ')}) AS v (shard, epoch, stood, place) ORDER BY v.shard LOOP
    SELECT p.epoch, p.position AS place INTO has FROM ${table} p WHERE ${mine} AND p.shard = come.shard FOR UPDATE;
    IF has.epoch IS DISTINCT FROM come.epoch THEN
      RAISE EXCEPTION USING ERRCODE = '${FENCED}', MESSAGE = 'epoch', DETAIL = come.shard, HINT = coalesce(has.epoch, 0)::text;
    END IF;
    behind := CASE
      WHEN has.place IS NULL OR come.place = 'SHARD_END' THEN false
      WHEN has.place = 'SHARD_END' THEN true
      WHEN has.place LIKE '%:%' AND has.place NOT LIKE '@%' THEN come.place NOT LIKE '%:%' OR come.place LIKE '@%'
        OR ${place('come.place')} ${before} ${place('has.place')}
      WHEN has.place LIKE '@%' THEN come.place = 'TRIM_HORIZON'
        OR come.place LIKE '@%' AND come.place COLLATE "C" < has.place COLLATE "C"
      ELSE false END;
    IF behind${stores ? ' OR come.place = has.place' : ''} THEN
      RAISE EXCEPTION USING ERRCODE = '${POSITION_BEHIND}', MESSAGE = 'position', DETAIL = come.shard, HINT = has.place;
    END IF;
    -- Of this epoch, and not where it was left: a server has taken its place that lacks the last commits. Where it is to go, an
    -- attempt of which nothing was heard has brought it.
    IF has.place IS DISTINCT FROM come.stood AND has.place IS DISTINCT FROM come.place THEN
      RAISE EXCEPTION USING ERRCODE = '${WENT_BACK}', MESSAGE = 'went back', DETAIL = come.shard, HINT = coalesce(has.place, 'nothing');
    END IF;
    UPDATE ${table} p SET position = come.place, updated_at = now() WHERE ${mine} AND p.shard = come.shard;
  END LOOP;
END`)}`;
}

const REJECT_COLUMNS = 'pipeline, sink, shard, sequence, sub_sequence, arrived_at, step, code, reason, path, raw';

/**
 * Stores rejects. They come through a table of this session: a second try leaves what is there, which COPY cannot, and
 * nobody waits for rows that this process has sent half of.
 */
export function storeRejects(schema: string): string {
  const table = ownTable(schema, 'rejects');
  return `CREATE TEMPORARY TABLE millrace_rejects ON COMMIT DROP AS SELECT ${REJECT_COLUMNS} FROM ${table} WITH NO DATA;
COPY pg_temp.millrace_rejects (${REJECT_COLUMNS}) FROM STDIN WITH (FORMAT csv, NULL '\\N', ENCODING 'UTF8');
INSERT INTO ${table} (${REJECT_COLUMNS}) SELECT ${REJECT_COLUMNS} FROM pg_temp.millrace_rejects ON CONFLICT DO NOTHING`;
}
