import { type Position, type Resume, compareResumes, formatResume, isBeyond, parseResume } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import type { SourceRecord } from '../../records.ts';
import { type FoundColumn, checkColumns } from '../database/columns.ts';
import { Epochs } from '../database/epochs.ts';
import { PositionBehindError } from '../database/position.ts';
import { type Complaint, loadAround } from '../database/refusals.ts';
import type { RejectRow, Table } from '../database.ts';
import type { RejectsOf } from '../reject-source.ts';
import type { DuckdbConnection, DuckdbLimits, DuckdbRow } from './connection.ts';
import { complaintOf } from './faults.ts';
import type { FedReject } from './feed.ts';
import { DuckdbFile } from './file.ts';
import { LineReader } from './lines.ts';
import { type Fault, type Inserted, NOTHING_INSERTED, RowLoader, type StoredRows } from './row-loader.ts';
import * as sql from './sql.ts';

/** How many lines an attempt holds once DuckDB refused one that `findFaults` finds no fault with. */
const LINES_AFTER_REFUSAL = 4096;

export interface StoreOptions {
  readonly schema: string;
  readonly limits: DuckdbLimits;
}

/** A load whose lines are with another thread. */
export interface RemoteLoad {
  readonly rows?: { readonly table: Table; readonly count: number; readonly memory: SharedArrayBuffer };
  /** Whether lines may be refused. */
  readonly refusable: boolean;
  readonly rejects: readonly RejectRow[];
  readonly positions: ReadonlyMap<string, Resume>;
}

/** What the thread that has the lines is asked. */
export interface LoadHost {
  /** Sends lines once more: those with these numbers. */
  readonly send: (pass: number, numbers: Int32Array) => void;
  readonly refuse: (faults: readonly Fault[]) => readonly RejectRow[] | Promise<readonly RejectRow[]>;
}

/** A DuckDB file as the thread of its own has it that all of DuckDB's work is done in: `OpenDatabase`, but for its lines. */
export class DuckdbStore {
  readonly #describe: string;
  readonly #schema: string;
  readonly #file: DuckdbFile;
  readonly #epochs: Epochs;
  readonly #loader: RowLoader;
  #isOpen = true;

  private constructor(describe: string, schema: string, file: DuckdbFile) {
    this.#describe = describe;
    this.#schema = schema;
    this.#file = file;
    this.#epochs = new Epochs(describe);
    this.#loader = new RowLoader(describe);
  }

  static async open(path: string, { schema, limits }: StoreOptions): Promise<DuckdbStore> {
    const file = await DuckdbFile.acquire(path, limits);
    try {
      await file.transaction(sql.createOwnTables(schema), async () => ['COMMIT']);
    } catch (error) {
      await file.release();
      throw error;
    }
    return new DuckdbStore(`duckdb:${path}`, schema, file);
  }

  async createTable(table: Table): Promise<boolean> {
    const before = await this.#file.session((connection) => connection.run(sql.selectColumns(table.name)));
    await this.#file.transaction([...sql.createTable(table), sql.selectColumns(table.name)], async (_, rows) => {
      const found = sql.asNamed(table, rows as unknown as (FoundColumn & DuckdbRow)[]);
      checkColumns(this.#describe, table, found);
      this.#loader.know(table.name, found);
      return ['COMMIT'];
    });
    return before.length === 0;
  }

  async acquire(owner: Owner, shard: string): Promise<Resume | undefined> {
    let taken: DuckdbRow = {};
    await this.#file.transaction([sql.acquire(this.#schema, owner, shard)], async (_, [row]) => {
      taken = row!;
      return ['COMMIT'];
    });
    this.#epochs.set(owner, shard, Number(taken['epoch']));
    return typeof taken['position'] === 'string' ? parseResume(shard, taken['position']) : undefined;
  }

  async positions(owner: Owner, shards: readonly string[]): Promise<ReadonlyMap<string, Resume>> {
    if (shards.length === 0) return new Map();
    const found = await this.#file.session((connection) => connection.run(sql.selectPositions(this.#schema, owner, shards)));
    return this.#positionsOf(owner, shards, found);
  }

  /** @returns how many lines were left out because their rows are there */
  async commit(owner: Owner, { rows, refusable, rejects, positions }: RemoteLoad, { send, refuse }: LoadHost): Promise<number> {
    const load = rows && this.#loader.rowsOf(rows.table, rows.count, new LineReader(rows.memory, send));
    let leftOut = 0;
    const attempt = (refused: readonly Fault[]): Promise<Complaint | undefined> =>
      this.#attempt([sql.selectPositions(this.#schema, owner, [...positions.keys()])], async (connection, stored, insert) => {
        this.#guard(owner, positions, stored, rows !== undefined);
        const { faults, leftOut: there } = load ? await insert(load, refused) : NOTHING_INSERTED;
        leftOut = there;
        if (faults.length > 0 && !refusable) throw new Error(`${this.#describe}: ${faults[0]![1].reason}`);
        const all = [...refused, ...faults].sort(([a], [b]) => a - b);
        await this.#storeRejects(connection, owner, [...rejects, ...(all.length > 0 ? await refuse(all) : [])]);
        return [...sql.movePositions(this.#schema, owner, positions), 'COMMIT'];
      });
    let complaint = await attempt([]);
    if (complaint && refusable && load) complaint = await attempt(await this.#findRefused(load, complaint));
    if (complaint) throw new Error(`${this.#describe}: ${complaint.fault.reason}`);
    return leftOut;
  }

  async rejectedShards(of: RejectsOf): Promise<ReadonlyMap<string, number>> {
    const found = await this.#file.session((connection) => connection.run(sql.selectRejectedShards(this.#schema, of)));
    return new Map(found.map((row) => [row['shard'] as string, row['records'] as number]));
  }

  async rejectedRecords(
    of: RejectsOf,
    shard: string,
    after: Position | undefined,
    limit: number,
  ): Promise<readonly SourceRecord[]> {
    const select = sql.selectRejectedRecords(this.#schema, of, shard, after, limit);
    const found = await this.#file.session((connection) => connection.run(select));
    return found.map((row) => ({
      position: { shard, sequence: row['sequence'] as string, subSequence: row['sub_sequence'] as number },
      arrivedAtMs: row['arrived_at_ms'] as number,
      data: new Uint8Array(row['raw'] as Uint8Array),
    }));
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.release();
  }

  #positionsOf(owner: Owner, shards: Iterable<string>, found: readonly DuckdbRow[]): Map<string, Resume> {
    const rows = new Map(found.map((row) => [row['shard'] as string, row]));
    const positions = new Map<string, Resume>();
    for (const shard of shards) {
      const { epoch = 0, position } = rows.get(shard) ?? {};
      this.#epochs.check(owner, shard, Number(epoch));
      if (typeof position === 'string') positions.set(shard, parseResume(shard, position));
    }
    return positions;
  }

  // Nobody else writes to the file while this process has it, and within it one at a time: what is read here still holds at COMMIT.
  #guard(owner: Owner, positions: ReadonlyMap<string, Resume>, found: readonly DuckdbRow[], stores: boolean): void {
    const stored = this.#positionsOf(owner, positions.keys(), found);
    for (const [shard, came] of positions) {
      const has = stored.get(shard);
      if (has !== undefined && (stores ? !isBeyond(came, has) : compareResumes(came, has) < 0))
        throw new PositionBehindError(this.#describe, shard, formatResume(has), formatResume(came));
    }
  }

  async #storeRejects(connection: DuckdbConnection, owner: Owner, rejects: readonly RejectRow[]): Promise<void> {
    if (rejects.length === 0) return;
    const fed = rejects.map(({ position, arrivedAtMs, why, raw }): FedReject => {
      const { step, code, reason, path = '' } = why;
      const strings = [position.shard, position.sequence, position.subSequence, arrivedAtMs, step, code, reason, path];
      // A NUL would end the string on its way.
      return [...strings.map((text) => String(text).replaceAll('\0', '\\0')), raw];
    });
    await connection.insertRejects(sql.insertRejects(this.#schema, owner), fed);
  }

  /** Finds the lines that constraints of the table's own refuse. Rare, and slow. */
  async #findRefused(rows: StoredRows, first: Complaint): Promise<readonly Fault[]> {
    const refused: Fault[] = [];
    await loadAround({
      count: rows.count,
      first,
      maxLines: LINES_AFTER_REFUSAL,
      refuse: (line, fault) => void refused.push([line, fault]),
      // A statement that fails undoes its whole transaction here, so each attempt is one, with all that is sound so far.
      attempt: (_, to) =>
        this.#attempt([], async (_connection, _rows, insert) => {
          await insert({ ...rows, count: to }, refused);
          return ['ROLLBACK'];
        }),
    });
    return refused;
  }

  /** Runs statements and work in a transaction. Resolves with a complaint when it was undone because a line met one. */
  async #attempt(
    statements: readonly string[],
    work: (connection: DuckdbConnection, rows: readonly DuckdbRow[], insert: Insert) => Promise<readonly string[]>,
  ): Promise<Complaint | undefined> {
    let complaint: Complaint | undefined;
    try {
      await this.#file.transaction(statements, (connection, found) =>
        work(connection, found, (rows, refused) =>
          this.#loader.insert(connection, rows, refused).catch((error: unknown) => {
            complaint = complaintOf(error);
            throw error;
          }),
        ),
      );
    } catch (error) {
      if (!complaint) throw error;
    }
    return complaint;
  }
}

/** Inserts lines but those that are refused. */
type Insert = (rows: StoredRows, refused: readonly Fault[]) => Promise<Inserted>;
