import type { Column, RowFault, Table } from '../database.ts';
import type { DuckdbConnection, DuckdbRow } from './connection.ts';
import type { LineReader } from './lines.ts';
import { readField } from './missing.ts';
import { type FileColumn, type FileTable, type TableKey, insertRows } from './row-sql.ts';
import { sqlType } from './sql.ts';

/** With a greater share of rows that are not read as DuckDB does, all of a table's are left to DuckDB. */
const ODD_SHARE = 0.01;

const TEXT = { kind: 'text' } as const;
/** Types that are left to the INSERT: TRY_CAST makes NULL of what is wrong inside, and says nothing. */
const NESTED = /\]$|^(STRUCT|MAP|UNION)\(/;

export type Fault = readonly [line: number, fault: RowFault];

export interface StoredRows {
  readonly table: FileTable;
  /** The columns as vectors are to have them: what has another type in the file is text. */
  readonly fed: readonly Column[];
  readonly count: number;
  readonly lines: LineReader;
  /** By what the rows are known that are to be left out when the table has them, and what each line has for it. */
  readonly key: TableKey | undefined;
  readonly keys: readonly Uint8Array[];
}

/** What is wrong with lines that the table's columns do not take, and how many were left out because their rows are there. */
export interface Inserted {
  readonly faults: readonly Fault[];
  readonly leftOut: number;
}

export const NOTHING_INSERTED: Inserted = { faults: [], leftOut: 0 };

/** Loads lines into tables, but those whose values they do not take, or whose rows they have. */
export class RowLoader {
  readonly #describe: string;
  /** By table, its columns as `selectColumns` finds them in the file, by name. */
  readonly #found = new Map<string, ReadonlyMap<string, DuckdbRow>>();
  /** Tables that hold values which we do not read as DuckDB does. */
  readonly #odd = new Set<string>();

  constructor(describe: string) {
    this.#describe = describe;
  }

  /** Takes note of the columns of a table, as `selectColumns` finds them. */
  know(table: string, columns: readonly DuckdbRow[]): void {
    this.#found.set(table, new Map(columns.map((row) => [row['name'] as string, row])));
  }

  /** What is to be loaded into a table, with what each line has for the column by which rows are known. */
  rowsOf({ name, columns, missingBy }: Table, count: number, lines: LineReader): StoredRows {
    const found = this.#found.get(name);
    const inFile = columns.map((column): FileColumn => {
      const own = sqlType(column.type);
      const { type = own, required = column.required } = found?.get(column.name) ?? {};
      const fileType = NESTED.test(type as string) ? own : (type as string);
      return { ...column, fileType, required: required as boolean };
    });
    const fed = inFile.map((column) => (column.fileType === sqlType(column.type) ? column : { ...column, type: TEXT }));
    const place = columns.findIndex((column) => column.name === missingBy);
    const column = inFile[place];
    const key = column && { table: name, column };
    return { table: { name, columns: inFile }, fed, count, lines, key, keys: key ? readField(lines, count, place) : [] };
  }

  /** Inserts lines but those that are refused. */
  async insert(connection: DuckdbConnection, rows: StoredRows, refused: readonly Fault[]): Promise<Inserted> {
    const out = new Set(refused.map(([line]) => line));
    let rest = Int32Array.from({ length: rows.count }, (_, line) => line).filter((line) => !out.has(line));
    if (!rows.key) return { faults: await this.#insertLines(connection, rows, rest), leftOut: 0 };
    const faults: Fault[] = [];
    let leftOut = 0;
    // What came a second time is looked at again: the first one may have been refused.
    while (rest.length > 0) {
      const { there, repeats } = await connection.findKnown(
        rows.key,
        Array.from(rest, (line) => rows.keys[line]!),
      );
      leftOut += there.size;
      const missing = rest.filter((_, place) => !there.has(place) && !repeats.has(place));
      if (missing.length > 0) faults.push(...(await this.#insertLines(connection, rows, missing)));
      rest = rest.filter((_, place) => repeats.has(place));
    }
    return { faults, leftOut };
  }

  async #insertLines(
    connection: DuckdbConnection,
    { table, fed, count, lines }: StoredRows,
    all: Int32Array,
  ): Promise<readonly Fault[]> {
    const { name } = table;
    const insert = (numbers: Int32Array, asText: boolean): ReturnType<typeof connection.insertRows> => {
      lines.begin(numbers);
      return connection.insertRows(insertRows(table, asText), { columns: fed, asText, lines, count: numbers.length });
    };
    const suspects = await insert(all, this.#odd.has(name));
    if (suspects.size === 0) return [];
    const found = await connection.findFaults(table, [...suspects.values()]);
    const faults = [...suspects.keys()].map((line, i) => [line, found[i]] as const);
    const sound = faults.flatMap(([line, fault]) => (fault ? [] : line)).sort((a, b) => a - b);
    if (sound.length > 0) {
      const left = await insert(Int32Array.from(sound), true);
      if (left.size > 0) throw new Error(`${this.#describe}: ${name} does not take a row, and nothing is wrong with it`);
      if (sound.length > count * ODD_SHARE) this.#odd.add(name);
    }
    return faults.filter((one): one is Fault => one[1] !== undefined);
  }
}
