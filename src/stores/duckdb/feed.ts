import {
  BLOB,
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBTableFunction,
  type DuckDBValue,
  INTEGER,
  VARCHAR,
} from '@duckdb/node-api';

/** How many rows DuckDB takes at once, and how many bytes we give it: it copies a chunk several times over. */
const CHUNK_ROWS = 2048;
const CHUNK_BYTES = 2 * 1024 * 1024;

/** The columns of `millrace_fed_rejects()`, in order. */
export const FED_REJECT_COLUMNS = [
  'shard',
  'sequence',
  'sub_sequence',
  'arrived_at_ms',
  'step',
  'code',
  'reason',
  'path',
  'raw',
] as const;
export type FedReject = readonly [...strings: string[], raw: Uint8Array];

/**
 * Lets SQL read what lies in this process's memory, without a file: `millrace_numbered_lines()` gives lines as they are, with
 * their index, `millrace_fed_rejects()` rejects.
 */
export class DuckdbFeed {
  lines: readonly Uint8Array[] = [];
  rejects: readonly FedReject[] = [];

  constructor(connection: DuckDBConnection) {
    register(connection, 'millrace_numbered_lines', [INTEGER, BLOB], {
      count: () => this.lines.length,
      sizeBytes: (row) => this.lines[row]!.length,
      value: (row, column) => (column === 0 ? row : new DuckDBBlobValue(this.lines[row]!)),
    });
    register(
      connection,
      'millrace_fed_rejects',
      FED_REJECT_COLUMNS.map((name) => (name === 'raw' ? BLOB : VARCHAR)),
      {
        count: () => this.rejects.length,
        sizeBytes: (row) => this.rejects[row]!.at(-1)!.length,
        value: (row, column) => {
          const value = this.rejects[row]![column]!;
          return typeof value === 'string' ? value : new DuckDBBlobValue(value);
        },
      },
    );
  }

  clear(): void {
    this.lines = [];
    this.rejects = [];
  }
}

interface Rows {
  /** How many bytes a row has, about. */
  readonly sizeBytes: (row: number) => number;
  readonly count: () => number;
  readonly value: (row: number, column: number) => DuckDBValue;
}

function register(
  connection: DuckDBConnection,
  name: string,
  types: readonly (typeof BLOB | typeof INTEGER | typeof VARCHAR)[],
  rows: Rows,
): void {
  connection.registerTableFunction(
    DuckDBTableFunction.create({
      name,
      bindFunction: (info) => {
        types.forEach((type, column) => info.addResultColumn(`c${column}`, type));
        info.setCardinality(rows.count(), true);
      },
      initFunction: (info) => {
        info.setMaxThreads(1);
        info.setInitData({ next: 0 });
      },
      mainFunction: (info, chunk) => {
        const scan = info.initData as { next: number };
        const count = countWithin(rows, scan.next);
        chunk.rowCount = count;
        if (count === 0) return;
        for (let column = 0; column < types.length; column++) {
          const vector = chunk.getColumnVector(column);
          for (let i = 0; i < count; i++) vector.setItem(i, rows.value(scan.next + i, column));
          vector.flush();
        }
        scan.next += count;
      },
    }),
  );
}

function countWithin(rows: Rows, from: number): number {
  const most = Math.min(CHUNK_ROWS, rows.count() - from);
  let sizeBytes = 0;
  for (let i = 0; i < most; i++) {
    sizeBytes += rows.sizeBytes(from + i);
    if (sizeBytes > CHUNK_BYTES) return Math.max(1, i);
  }
  return most;
}
