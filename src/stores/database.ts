import type { Report } from '../diagnostic.ts';
import type { RejectReason } from '../event.ts';
import type { Position, Resume, Standing } from '../position.ts';
import type { Owner } from '../owner.ts';

/**
 * A column's type, as every database of ours can store it. A field is text: an integer of 32 bits in digits, a double as JavaScript writes it, a timestamp
 * in UTC as ISO 8601 (`2026-11-22T09:00:00.000Z`; of another offset each database makes its own), a boolean as `true` or `false`, JSON as
 * its text. Of a table that is there, a column that is `text` here may be of another type, which the database then makes of the text: `bigint`, say.
 */
export type ColumnType =
  | { readonly kind: 'text' | 'integer' | 'double' | 'timestamp' | 'boolean' | 'json' }
  | { readonly kind: 'char' | 'varchar'; readonly length: number };

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  /** Whether it is NOT NULL: a row that has nothing there is a reject. */
  readonly required: boolean;
}

export interface Table {
  /** `name` or `schema.name`, as the database spells it; quoted by the store. */
  readonly name: string;
  readonly columns: readonly Column[];
  /**
   * A column by which rows are known. A line whose value in it some row has already, one before it in the load among them, is left out; one
   * that has none there never is. Of a line that is to be left out and refused as well, either may come true.
   */
  readonly missingBy?: string | undefined;
}

/** A reject as a database keeps it. */
export interface RejectRow {
  readonly position: Position;
  readonly arrivedAtMs: number;
  readonly why: RejectReason;
  /** The record's bytes as the source read them. */
  readonly raw: Uint8Array;
}

/** Why a database refuses a line: its own words, its SQLSTATE (DuckDB's faults have the code Postgres has for them), the column. */
export type RowFault = Omit<RejectReason, 'step'>;

/** What one transaction stores. */
export interface Load {
  /** Lines in the order of the table's columns: tab between fields, empty is NULL, no escapes, no newline at the end. */
  readonly rows?: { readonly table: Table; readonly lines: readonly Uint8Array[] };
  /**
   * Called once, in order, for each line that the database refuses, before the transaction commits; its answer is stored
   * as a reject. Without it a refused line fails the whole load.
   */
  readonly refuse?: (index: number, fault: RowFault) => RejectRow;
  /** Called once it has committed, with how many lines were left out because their rows are there. */
  readonly leftOut?: (count: number) => void;
  readonly rejects?: readonly RejectRow[];
  readonly positions: ReadonlyMap<string, Resume>;
}

/** A database, named by URL. A declaration: nothing runs before `open`. The contract: `test/stores/database.conformance.ts`. */
export interface Database {
  /** Its URL without secrets. */
  readonly describe: string;
  /**
   * Asks whether it answers, and changes nothing. Says what a run that loads this table would find and make; none is asked for where only
   * rejects go.
   *
   * @throws {Error} when a run would fail, with what to do
   */
  check?(table?: Table): Promise<string>;
  /** Says where a sink stands in all shards that it has taken over. Changes nothing. */
  stands?(owner: Owner): Promise<readonly Standing[]>;
  /** Connects and makes its own tables (positions, rejects) when they are absent. */
  open(context: { readonly report: Report }): Promise<OpenDatabase>;
}

export interface OpenDatabase {
  /**
   * Makes the table (and its schema) when it is absent; checks that it has the columns when it is there.
   *
   * @returns whether it was absent
   * @throws {Error} naming the columns that are missing, or that the table wants and nobody fills
   */
  createTable(table: Table): Promise<boolean>;
  /** Raises the shard's epoch to this run's own and says where the owner stands in it. */
  acquire(owner: Owner, shard: string): Promise<Resume | undefined>;
  /** @throws {FencedError} when a newer run has acquired one of the shards */
  positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>>;
  /**
   * Stores rows, rejects and positions in one transaction that commits only while this run's epoch is the newest.
   * A reject that is stored already stays as it is.
   *
   * @throws {FencedError} when a newer run has acquired one of the shards
   * @throws {PositionBehindError} when a position would move backwards, or stay where it is while rows are stored, and tell nothing new
   *   of how long its shard was quiet
   * @throws {WentBackError} when a shard is not where it was left, nor where it is to go, where that can be: the store has lost what it had
   *   acknowledged
   */
  commit(owner: Owner, load: Load): Promise<void>;
  close(): Promise<void>;
}
