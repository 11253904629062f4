import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { type Resume, compareResumes, formatResume, parseResume } from '../event.ts';
import type { Owner } from '../owner.ts';
import { type FoundColumn, checkColumns } from './database-columns.ts';
import { Epochs } from './database-epochs.ts';
import { PositionBehindError } from './database-position.ts';
import { type Complaint, loadAround } from './database-refusals.ts';
import type { Database, Load, OpenDatabase, RejectRow, RowFault, Table } from './database.ts';
import { complaintOf, findFaults } from './duckdb-faults.ts';
import type { DuckdbFeed, FedReject } from './duckdb-feed.ts';
import { DuckdbFile } from './duckdb-file.ts';
import * as sql from './duckdb-sql.ts';

/** How many lines an attempt holds once DuckDB refused one that `findFaults` finds no fault with. */
const LINES_AFTER_REFUSAL = 4096;

export interface DuckdbOptions {
  /** Where the tables `positions` and `rejects` live. @default 'millrace' */
  readonly schema?: string;
  /**
   * What DuckDB may use of memory for its buffers; with less than the default a wide table crawls. A load that needs more, of
   * very long records, fails once as transient and finds twice as much when it is tried again.
   *
   * @default 201_326_592 (192 MiB)
   */
  readonly memoryLimitBytes?: number;
  /** How many threads DuckDB may use; each needs memory of its own. @default 1 */
  readonly threads?: number;
}

/**
 * A DuckDB file, made with its folder when absent. What is committed is in its write-ahead log, forced to disk. A process
 * that has the file open keeps every other one out; within the process all users of a file share it, one at a time.
 *
 * @throws {TypeError} when the path names no file
 */
export function duckdb(
  path: string,
  { schema = 'millrace', memoryLimitBytes = 192 * 1024 * 1024, threads = 1 }: DuckdbOptions = {},
): Database {
  // In memory, positions and rows would not outlive the run.
  if (path === '' || path === ':memory:') throw new TypeError(`duckdb: expected the path of a file, got ${JSON.stringify(path)}`);
  const describe = `duckdb:${path}`;
  return {
    describe,
    async open() {
      const file = await DuckdbFile.acquire(path, { memoryLimitBytes, threads });
      try {
        await file.transaction(async (connection) => {
          for (const statement of sql.createOwnTables(schema)) await connection.run(statement);
        });
      } catch (error) {
        await file.release();
        throw error;
      }
      return new OpenDuckdb(describe, schema, file);
    },
  };
}

class OpenDuckdb implements OpenDatabase {
  readonly #describe: string;
  readonly #schema: string;
  readonly #file: DuckdbFile;
  readonly #epochs: Epochs;
  /** By table, the columns that are NOT NULL in the file. */
  readonly #required = new Map<string, ReadonlySet<string>>();
  #isOpen = true;

  constructor(describe: string, schema: string, file: DuckdbFile) {
    this.#describe = describe;
    this.#schema = schema;
    this.#file = file;
    this.#epochs = new Epochs(describe);
  }

  async createTable(table: Table): Promise<void> {
    const found = await this.#file.transaction(async (connection) => {
      for (const statement of sql.createTable(table)) await connection.run(statement);
      const [name, schema = null] = table.name.split('.').reverse();
      return rowsOf(connection, sql.SELECT_COLUMNS, [schema, name!]);
    });
    checkColumns(this.#describe, table, found as unknown as FoundColumn[]);
    this.#required.set(table.name, new Set(found.filter((row) => row['required']).map((row) => row['name'] as string)));
  }

  async acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    const values = [owner.pipeline, owner.sink, shard];
    const [row] = await this.#file.transaction((connection) => rowsOf(connection, sql.acquire(this.#schema), values));
    this.#epochs.set(owner, shard, Number(row!['epoch']));
    return row!['position'] === null ? undefined : parseResume(shard, row!['position'] as string);
  }

  positions(owner: Owner, shards: Iterable<string>): Promise<ReadonlyMap<string, Resume>> {
    return this.#file.session((connection) => this.#readPositions(connection, owner, shards));
  }

  async commit(owner: Owner, { rows, refuse, rejects = [], positions }: Load): Promise<void> {
    const lines = rows?.lines ?? [];
    if (positions.size === 0 && lines.length + rejects.length > 0)
      throw new RangeError(`${this.#describe}: expected positions with what is stored, got none`);
    let faults: ReadonlyMap<number, RowFault> = new Map();
    const load = (): Promise<Complaint | undefined> =>
      this.#attempt(async (connection, feed, insert) => {
        await this.#guard(connection, owner, positions, lines.length > 0);
        if (rows) await insert(rows.table, faults.size === 0 ? lines : lines.filter((_, index) => !faults.has(index)));
        const refused = [...faults].sort(([a], [b]) => a - b).map(([index, fault]) => refuse!(index, fault));
        await this.#storeRejects(connection, feed, owner, [...rejects, ...refused]);
        await this.#movePositions(connection, owner, positions);
      });
    let complaint = await load();
    if (complaint && refuse && rows) {
      faults = await this.#findFaults(rows.table, lines);
      complaint = await load();
      if (complaint) {
        faults = await this.#findFaultsAlone(rows.table, lines, faults, complaint);
        complaint = await load();
      }
    }
    if (complaint) throw new Error(`${this.#describe}: ${complaint.fault.reason}`);
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.release();
  }

  async #readPositions(connection: DuckDBConnection, owner: Owner, shards: Iterable<string>): Promise<Map<string, Resume>> {
    const positions = new Map<string, Resume>();
    for (const shard of shards) {
      const [row] = await rowsOf(connection, sql.selectPosition(this.#schema), [owner.pipeline, owner.sink, shard]);
      this.#epochs.check(owner, shard, Number(row?.['epoch'] ?? 0));
      const position = row?.['position'];
      if (typeof position === 'string') positions.set(shard, parseResume(shard, position));
    }
    return positions;
  }

  // Nobody else writes to the file while this process has it, and within it one at a time: what is read here still holds at COMMIT.
  async #guard(
    connection: DuckDBConnection,
    owner: Owner,
    positions: ReadonlyMap<string, Resume>,
    stores: boolean,
  ): Promise<void> {
    const stored = await this.#readPositions(connection, owner, positions.keys());
    for (const [shard, came] of positions) {
      const has = stored.get(shard);
      if (has !== undefined && compareResumes(came, has) < (stores ? 1 : 0))
        throw new PositionBehindError(this.#describe, shard, formatResume(has), formatResume(came));
    }
  }

  async #movePositions(connection: DuckDBConnection, owner: Owner, positions: ReadonlyMap<string, Resume>): Promise<void> {
    for (const [shard, to] of positions)
      await connection.run(sql.movePosition(this.#schema), [owner.pipeline, owner.sink, shard, formatResume(to)]);
  }

  async #storeRejects(
    connection: DuckDBConnection,
    feed: DuckdbFeed,
    owner: Owner,
    rejects: readonly RejectRow[],
  ): Promise<void> {
    if (rejects.length === 0) return;
    feed.rejects = rejects.map(({ position, arrivedAtMs, why, raw }): FedReject => {
      const { step, code, reason, path = '' } = why;
      const strings = [position.shard, position.sequence, position.subSequence, arrivedAtMs, step, code, reason, path];
      // A NUL would end the string on its way.
      return [...strings.map((text) => String(text).replaceAll('\0', '\\0')), raw];
    });
    await connection.run(sql.insertRejects(this.#schema), [owner.pipeline, owner.sink]);
    feed.clear();
  }

  #findFaults({ name, columns }: Table, lines: readonly Uint8Array[]): Promise<Map<number, RowFault>> {
    const required = this.#required.get(name);
    const asFound = columns.map((column) => ({ ...column, required: required?.has(column.name) ?? column.required }));
    return this.#file.session((connection, feed) => {
      feed.lines = lines;
      return findFaults(connection, feed, { name, columns: asFound });
    });
  }

  /** Adds the faults that show only when lines are loaded: what constraints of the table's own refuse. Rare, and slow to find. */
  async #findFaultsAlone(
    table: Table,
    lines: readonly Uint8Array[],
    known: ReadonlyMap<number, RowFault>,
    first: Complaint,
  ): Promise<Map<number, RowFault>> {
    const faults = new Map(known);
    const left = [...lines.keys()].filter((index) => !faults.has(index));
    const sound: Uint8Array[] = [];
    await loadAround({
      count: left.length,
      first,
      maxLines: LINES_AFTER_REFUSAL,
      refuse: (index, fault) => void faults.set(left[index]!, fault),
      // A statement that fails undoes its whole transaction here, so each attempt is one, with all that is sound so far.
      attempt: async (from, to) => {
        const more = left.slice(from, to).map((index) => lines[index]!);
        const complaint = await this.#attempt((_, __, insert) => insert(table, [...sound, ...more]), false);
        if (!complaint) sound.push(...more);
        return complaint;
      },
    });
    return faults;
  }

  /** Runs work in a transaction. Resolves with a complaint when it was undone because `insert` met a line that is at fault. */
  async #attempt(work: Attempt, keep = true): Promise<Complaint | undefined> {
    let complaint: Complaint | undefined;
    const insertInto = (connection: DuckDBConnection, feed: DuckdbFeed): Insert => {
      return async (table, lines) => {
        if (lines.length === 0) return;
        feed.lines = lines;
        try {
          await connection.run(sql.insertLines(table));
        } catch (error) {
          complaint = complaintOf(error);
          throw error;
        }
        feed.clear();
      };
    };
    try {
      await this.#file.transaction((connection, feed) => work(connection, feed, insertInto(connection, feed)), keep);
    } catch (error) {
      if (!complaint) throw error;
    }
    return complaint;
  }
}

type Insert = (table: Table, lines: readonly Uint8Array[]) => Promise<void>;
type Attempt = (connection: DuckDBConnection, feed: DuckdbFeed, insert: Insert) => Promise<void>;

async function rowsOf(
  connection: DuckDBConnection,
  statement: string,
  values: DuckDBValue[],
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  return (await connection.runAndReadAll(statement, values)).getRowObjects();
}
