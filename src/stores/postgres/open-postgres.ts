import { DatabaseError } from 'pg';
import type { Report } from '../../diagnostic.ts';
import type { Resume } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import { type FoundColumn, checkColumns } from '../database/columns.ts';
import type { Load, OpenDatabase, RejectRow, Table } from '../database.ts';
import { BinaryLines } from './binary.ts';
import { explainDenied, policyProblems } from './check.ts';
import type { PostgresConnection, Row } from './connection.ts';
import { Copy, copyData, textLines } from './copy.ts';
import { explainCutOff } from './cut-off.ts';
import { type BinaryFormat, type Part, loadLines } from './load.ts';
import { PostgresPositions } from './positions.ts';
import { expectPostgres } from './expect-postgres.ts';
import { rejectLines } from './rejects.ts';
import * as sql from './sql.ts';
import * as tableSql from './table-sql.ts';
import { type CatalogColumn, columnWord } from './types.ts';

/** SQLSTATE of what has nothing where something has to be. */
const NOT_NULL = '23502';

/** One user's connection to the database, and what is stored by it. */
export class OpenPostgres implements OpenDatabase {
  readonly #describe: string;
  readonly #schema: string;
  readonly #connection: PostgresConnection;
  readonly #check: (table?: Table) => Promise<string>;
  readonly #positions: PostgresPositions;
  readonly #report: Report;
  /** Tables whose lines can be written in binary. */
  readonly #formats = new Map<Table, BinaryFormat | undefined>();
  /** What fails when a table's columns are others by now. */
  readonly #checks = new Map<Table, string>();
  #takesAnyText = true;

  constructor(
    describe: string,
    schema: string,
    connection: PostgresConnection,
    { report, check }: { readonly report: Report; readonly check: (table?: Table) => Promise<string> },
  ) {
    this.#describe = describe;
    this.#report = report;
    this.#schema = schema;
    this.#connection = connection;
    this.#check = check;
    this.#positions = new PostgresPositions(describe, schema, connection);
  }

  async setUp(): Promise<void> {
    await expectPostgres(this.#connection);
    // Looking first: a user who may not create schemas can work in one that is there.
    const names = [sql.ownTable(this.#schema, 'positions'), sql.ownTable(this.#schema, 'rejects')];
    const [state] = await this.#connection.query(sql.SELECT_STATE, [names]);
    const { tables, mayStoreRejects, remedy, takesAnyText, isReadOnly } = state as unknown as State;
    // It passes in the middle of a failover, where a run that goes back with its store may be opening it.
    if (isReadOnly) throw Object.assign(new Error(`${this.#describe}: ${sql.READ_ONLY_REMEDY}`), { isTransient: true });
    if (!mayStoreRejects)
      throw new Error(`${this.#describe}: expected the right to make temporary tables, by which rejects are stored; ${remedy}`);
    this.#takesAnyText = takesAnyText;
    if (tables < names.length) await this.#create(sql.createOwnTables(this.#schema));
  }

  async createTable(table: Table): Promise<boolean> {
    try {
      const isAbsent = (await this.#columns(table)).length === 0;
      if (isAbsent) await this.#create(tableSql.createTable(table));
      const found = await this.#columns(table);
      checkColumns(this.#describe, table, found);
      for (const problem of await policyProblems(this.#connection, table)) throw new Error(`${this.#describe}: ${problem}`);
      await this.#checkIndex(table);
      for (const { name } of await this.#connection.query(tableSql.SELECT_UNLOGGED, [tableSql.quoteName(table.name)]))
        this.#report({ type: 'unlogged', store: this.#describe, table: name as string });
      this.#know(table, found);
      return isAbsent;
    } catch (error) {
      throw await explainDenied(error, () => this.#check(table));
    }
  }

  acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    return this.#positions.acquire(owner, shard);
  }

  positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    return this.#positions.read(owner, shards);
  }

  async commit(owner: Owner, { rows, refuse, leftOut, rejects = [], positions }: Load): Promise<void> {
    const lines = rows?.lines ?? [];
    if (positions.size === 0) {
      if (lines.length + rejects.length > 0)
        throw new RangeError(`${this.#describe}: expected positions with what is stored, got none`);
      return;
    }
    const guard = this.#positions.guard(owner, positions, lines.length > 0);
    const storing = (all: readonly RejectRow[]): Part => {
      const copy = new Copy(copyData(rejectLines(owner, all, this.#takesAnyText)));
      return { text: sql.storeRejects(this.#schema), copy };
    };
    const finish = (all: readonly RejectRow[]): Part[] => [
      ...(all.length === 0 ? [] : [storing(all)]),
      { text: guard },
      { text: 'COMMIT' },
    ];
    let count = 0;
    try {
      if (!rows || lines.length === 0) await this.#send([{ text: sql.BEGIN }, ...finish(rejects)]);
      else if (!refuse) {
        const copy = new Copy(copyData(textLines(lines, 0, lines.length)), tableSql.lastTag(rows.table));
        await this.#send([
          { text: tableSql.beginLoad(rows.table) },
          { text: tableSql.copyRows(rows.table, 'text'), copy },
          ...finish(rejects),
        ]);
        count = copy.leftOut;
      } else count = await this.#load(rows, refuse, (refused) => finish([...rejects, ...refused]));
    } catch (error) {
      await this.#connection.rollback();
      const cutOff = await explainCutOff(error, this.#connection, rows?.table);
      const explained = this.#positions.explain(cutOff, owner, positions);
      throw await explainDenied(explained, () => this.#check(rows?.table));
    }
    this.#positions.moved(owner, positions);
    leftOut?.(count);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  async #load(
    { table, lines }: NonNullable<Load['rows']>,
    refuse: NonNullable<Load['refuse']>,
    finish: (refused: readonly RejectRow[]) => readonly Part[],
  ): Promise<number> {
    const refused: RejectRow[] = [];
    const ours = new Set(table.columns.map(({ name }) => name));
    // Columns that are not ours, and had nothing.
    const strange = new Set<string>();
    const load = (check: string | undefined, binary?: BinaryFormat): Promise<number> =>
      loadLines({
        lines,
        binary,
        check,
        begin: tableSql.beginLoad(table),
        text: tableSql.copyRows(table, 'text'),
        lastTag: tableSql.lastTag(table),
        gate: sql.gate(this.#schema),
        refuse: (index, fault) => {
          if (fault.code === NOT_NULL && !ours.has(fault.path!)) strange.add(fault.path!);
          refused.push(refuse(index, fault));
        },
        finish: () => [
          // What goes as text may go into a type that cuts it: whoever alters the table gets in before the COPY, and where one is undone.
          ...(check === undefined || (binary && !binary.wasRefused) ? [] : [{ text: check }]),
          ...[...strange].map((column) => ({ text: tableSql.checkWanted(table, column) })),
          ...finish(refused),
        ],
        send: (parts) => this.#send(parts),
      });
    if (this.#formats.get(table)?.wasRefused) await this.#learn(table);
    const binary = this.#formats.get(table);
    try {
      return await load(this.#checks.get(table), binary);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      const isAltered = error.code === tableSql.OTHER_COLUMNS;
      // Values of types that the columns no longer have may fail with any code.
      if (refused.length > 0 && !isAltered) throw error;
      await this.#connection.rollback();
      if (!(await this.#learn(table)) && !isAltered) throw error;
      // What is refused is said once in a load: the next one says it of the columns as they are.
      if (refused.length > 0) throw Object.assign(error, { isTransient: true });
      // Text is right whatever the columns are by now.
      return load(this.#checks.get(table));
    }
  }

  /** Tells when all of a table is read for each load that is to leave out what it has. */
  async #checkIndex({ name, missingBy }: Table): Promise<void> {
    if (missingBy === undefined) return;
    const found = await this.#connection.query(tableSql.SELECT_INDEX, [tableSql.quoteName(name), missingBy]);
    if (found.length === 0) this.#report({ type: 'no-index', store: this.#describe, table: name, column: missingBy });
  }

  /**
   * Looks at a table's columns again; says whether they are others than before.
   *
   * @throws {Error} when they are such that it would have been refused at the start
   */
  async #learn(table: Table): Promise<boolean> {
    const before = this.#checks.get(table);
    const found = await this.#columns(table);
    if (found.length > 0) checkColumns(this.#describe, table, found);
    this.#know(table, found);
    return before !== this.#checks.get(table);
  }

  #know(table: Table, found: readonly CatalogRow[]): void {
    const check = tableSql.checkTypes(table, found[0]?.types);
    this.#checks.set(table, check);
    this.#formats.set(table, binaryFormat(table, found, check, this.#formats.get(table)));
  }

  async #columns({ name }: Table): Promise<CatalogRow[]> {
    return (await this.#connection.query(tableSql.SELECT_COLUMNS, [tableSql.quoteName(name)])) as unknown as CatalogRow[];
  }

  #send(parts: readonly Part[]): Promise<void> {
    const copies = parts.flatMap(({ copy }) => copy ?? []);
    return this.#connection.send(parts.map(({ text }) => text).join(';\n'), copies);
  }

  #create(statements: string): Promise<Row[]> {
    return this.#connection.transaction([sql.BEGIN, sql.LOCK_CATALOG, statements, 'COMMIT']);
  }
}

/** What `SELECT_STATE` tells. */
interface State {
  readonly tables: number;
  readonly mayStoreRejects: boolean;
  /** What an administrator does when it may not. */
  readonly remedy: string;
  readonly takesAnyText: boolean;
  readonly isReadOnly: boolean;
}

interface CatalogRow extends FoundColumn, CatalogColumn {
  readonly types: string;
  readonly isUtf8: boolean;
}

/** Nothing when a column is of a type that only Postgres itself reads for sure, or is not there. */
function binaryFormat(
  table: Table,
  found: readonly CatalogRow[],
  check: string,
  before: BinaryFormat | undefined,
): BinaryFormat | undefined {
  const byName = new Map(found.map((column) => [column.name, column]));
  const words = table.columns.map(({ name }) => columnWord(byName.get(name)));
  const [first] = found;
  if (!first?.isUtf8 || !words.every((word) => word !== undefined)) return undefined;
  const copy = `${tableSql.copyRows(table, 'binary')};\n${check}`;
  return { lines: before?.copy === copy ? before.lines : new BinaryLines(words), copy, wasRefused: false };
}
