import { DatabaseError, escapeIdentifier } from 'pg';
import { type FoundColumn, checkColumns } from '../database/columns.ts';
import type { Table } from '../database.ts';
import type { PostgresConnection } from './connection.ts';
import { expectPostgres } from './expect-postgres.ts';
import * as sql from './sql.ts';
import * as tableSql from './table-sql.ts';

/** SQLSTATE of what the user may not do. */
const INSUFFICIENT_PRIVILEGE = '42501';

interface Session {
  readonly user: string;
  readonly database: string;
  /** Whether the user may make schemas, and the temporary table that rejects come through. */
  readonly mayCreate: boolean;
  readonly mayStage: boolean;
  readonly isReadOnly: boolean;
}

/** A table as the catalog has it, and the schema that it is in, or would be made in. */
interface Place {
  readonly schema: string | null;
  readonly hasSchema: boolean;
  readonly mayUse: boolean;
  readonly mayCreate: boolean;
  /** Nothing when there is no such table. */
  readonly kind: string | null;
  readonly takesRows: boolean;
  readonly denied: readonly string[];
}

/** What a user is to be allowed in a table: in all of these columns; in some column where none are named. */
interface Need {
  readonly right: string;
  readonly columns?: readonly string[];
}

const SELECT_SESSION = `SELECT quote_ident(current_user) AS user, quote_ident(current_database()) AS database,
  has_database_privilege(current_database(), 'CREATE') AS "mayCreate", has_database_privilege(current_database(), 'TEMPORARY') AS "mayStage",
  ${sql.IS_READ_ONLY} AS "isReadOnly"`;

// In the catalog, as to_regclass fails in a schema that the user may not use. COPY fills tables, partitioned and foreign ones
// too, and views only through a trigger (whose types are bits: 4 is INSERT, 64 is INSTEAD OF).
const SELECT_PLACE = `SELECT asked.schema, n.oid IS NOT NULL AS "hasSchema", coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS "mayUse",
  coalesce(has_schema_privilege(n.oid, 'CREATE'), false) AS "mayCreate", c.relkind AS kind,
  c.relkind IN ('r', 'p', 'f') OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgtype & 68 = 68) AS "takesRows",
  ARRAY(SELECT DISTINCT p FROM unnest($3::text[], $4::text[]) need (p, name) WHERE NOT CASE
    WHEN p = 'DELETE' THEN has_table_privilege(c.oid, p)
    WHEN name IS NULL THEN has_any_column_privilege(c.oid, p)
    WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = name) THEN has_column_privilege(c.oid, name, p)
    ELSE true END) AS denied
FROM (SELECT coalesce($1, current_schema()) AS schema) asked LEFT JOIN pg_namespace n ON n.nspname = asked.schema
LEFT JOIN pg_class c ON c.relname = $2 AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND CASE WHEN $1 IS NULL THEN pg_table_is_visible(c.oid) ELSE c.relnamespace = n.oid END`;

/**
 * Looks into the catalog for what a run needs, and changes nothing. Says what is there and what a run would make.
 *
 * @param where the database, as messages name it
 * @throws {Error} with all that a run would fail by, and the statements that mend it
 */
export async function checkPostgres(
  connection: PostgresConnection,
  where: string,
  schema: string,
  table?: Table,
): Promise<string> {
  await expectPostgres(connection);
  const session = await sessionOf(connection);
  const problems: string[] = [];
  const found: string[] = [];
  if (session.isReadOnly) problems.push(sql.READ_ONLY_REMEDY);

  if (table) {
    const [name, from = null] = table.name.split('.').reverse() as [string, string?];
    const { missingBy } = table;
    const toLoad: readonly Need[] = [
      { right: 'INSERT', columns: table.columns.map((column) => column.name) },
      ...(missingBy === undefined ? [] : [{ right: 'SELECT', columns: [missingBy] }]),
    ];
    const at = await placeOf(connection, name, from, toLoad);
    const inside = at.kind !== null && (at.mayUse || from === null);
    problems.push(...missingRights(session, at, table.name, toLoad));
    if (at.kind !== null && !at.takesRows) problems.push(`${table.name} is a view, which no COPY can fill: name a table`);
    if (inside) problems.push(...(await columnProblems(connection, where, table)), ...(await policyProblems(connection, table)));
    found.push(at.kind === null ? `table ${table.name} is not there: a run makes it` : `table ${table.name} is there`);
    for (const row of inside ? await connection.query(tableSql.SELECT_UNLOGGED, [tableSql.quoteName(table.name)]) : [])
      found.push(`${row['name'] as string} is UNLOGGED, so a crash of the server empties it`);
  }
  const own = await ownTables(connection, session, schema, OWN_NEEDS);
  problems.push(...own.problems);
  if (!session.mayStage)
    problems.push(
      `${session.user} may not make temporary tables, by which rejects come: GRANT TEMPORARY ON DATABASE ${session.database} TO ${session.user}`,
    );
  found.push(own.found);
  refuseAll(problems);
  return found.join(', ');
}

/** What a run does with tables of ours: rights by table. */
export type OwnNeeds = Readonly<Partial<Record<sql.OwnTable, readonly string[]>>>;

const OWN_NEEDS: OwnNeeds = { positions: ['SELECT', 'INSERT', 'UPDATE'], rejects: ['SELECT', 'INSERT'] };

/** The same of tables of ours alone. */
export async function checkOwnTables(connection: PostgresConnection, schema: string, needs: OwnNeeds): Promise<string> {
  const session = await sessionOf(connection);
  const { problems, found } = await ownTables(connection, session, schema, needs);
  if (session.isReadOnly) problems.push(sql.READ_ONLY_REMEDY);
  refuseAll(problems);
  return found;
}

async function sessionOf(connection: PostgresConnection): Promise<Session> {
  return (await connection.query(SELECT_SESSION))[0] as unknown as Session;
}

async function placeOf(
  connection: PostgresConnection,
  name: string,
  from: string | null,
  needs: readonly Need[],
): Promise<Place> {
  const each = needs.flatMap(({ right, columns = [null] }) => columns.map((column) => [right, column] as const));
  const values = [from, name, each.map(([right]) => right), each.map(([, column]) => column)];
  return (await connection.query(SELECT_PLACE, values))[0] as unknown as Place;
}

async function ownTables(
  connection: PostgresConnection,
  session: Session,
  schema: string,
  needs: OwnNeeds,
): Promise<{ readonly problems: string[]; readonly found: string }> {
  const problems: string[] = [];
  const names = Object.keys(needs) as sql.OwnTable[];
  let missing = 0;
  for (const name of names) {
    const wanted = needs[name]!.map((right) => ({ right }));
    const at = await placeOf(connection, name, schema, wanted);
    if (at.kind === null) missing++;
    problems.push(...missingRights(session, at, sql.ownTable(schema, name), wanted));
  }
  const found = `schema ${schema} ${missing === 0 ? 'is there' : `lacks ${names.join(' or ')}: a run makes them`}`;
  return { problems, found };
}

/** What a run would fail by, and what mends it. */
class DeniedError extends Error {}

function refuseAll(problems: readonly string[]): void {
  if (problems.length > 0) throw new DeniedError([...new Set(problems)].join('; '));
}

/** Says of what the user may not do which statements would let it; any other error as it is. */
export async function explainDenied(error: unknown, check: () => Promise<unknown>): Promise<unknown> {
  if (!(error instanceof DatabaseError) || error.code !== INSUFFICIENT_PRIVILEGE) return error;
  const denied = await check().catch((failure: unknown) => failure);
  // Who cannot be asked says nothing; what was to be said is that it is denied.
  return denied instanceof DeniedError ? new Error(denied.message, { cause: error }) : error;
}

/** Says of a table whose policies concern the user that it cannot be loaded: COPY is refused there, and rows that are there may be unseen. */
export async function policyProblems(connection: PostgresConnection, { name }: Table): Promise<string[]> {
  const found = await connection.query(tableSql.SELECT_GUARDED, [tableSql.quoteName(name)]);
  return found.map(({ user, isOwner }) => {
    const other = isOwner ? `ALTER TABLE ${name} NO FORCE ROW LEVEL SECURITY` : 'name its owner';
    return `${name} has row-level security for ${user as string}, with which it cannot be loaded: ALTER ROLE ${user as string} BYPASSRLS, or ${other}`;
  });
}

function missingRights({ user, mayCreate }: Session, at: Place, table: string, needs: readonly Need[]): string[] {
  if (at.schema === null) return [`no schema of the search path is there to make ${table} in: name it schema.table`];
  const name = escapeIdentifier(at.schema);
  if (!at.hasSchema) {
    if (mayCreate) return [];
    return [
      `the schema ${at.schema} is not there, and ${user} may not make it: CREATE SCHEMA ${name}; GRANT USAGE, CREATE ON SCHEMA ${name} TO ${user}`,
    ];
  }
  if (!at.mayUse || (at.kind === null && !at.mayCreate)) {
    const rights = at.kind === null ? 'USAGE, CREATE' : 'USAGE';
    return [
      `${user} may not ${at.kind === null ? `make ${table}` : `use ${table}`}: GRANT ${rights} ON SCHEMA ${name} TO ${user}`,
    ];
  }
  if (at.kind === null || at.denied.length === 0) return [];
  const wanted = needs.map(({ right }) => right).join(', ');
  return [`${user} may not ${at.denied.join(', ')} in ${table}: GRANT ${wanted} ON ${table} TO ${user}`];
}

async function columnProblems(connection: PostgresConnection, where: string, table: Table): Promise<string[]> {
  const columns = (await connection.query(tableSql.SELECT_COLUMNS, [tableSql.quoteName(table.name)])) as unknown as FoundColumn[];
  try {
    checkColumns(where, table, columns);
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}
