import { isUtf8 } from 'node:buffer';
import { BOOLEAN, type DuckDBConnection, DuckDBScalarFunction, DuckDBTableFunction, INTEGER } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import type { Column } from '../database.ts';
import { CHUNK_ROWS, type LineReader, type LineSlot } from './lines.ts';
import { TextPlaces } from './text-places.ts';
import { Vectors } from './vectors.ts';

export interface RowsRead {
  readonly columns: readonly Column[];
  /** Leaves it to DuckDB to read what is not text. */
  readonly asText: boolean;
  readonly lines: LineReader;
  /** How many lines there are. */
  readonly count: number;
}

/** Lines of which no row was made, by number. */
export type Suspects = ReadonlyMap<number, Uint8Array>;

/**
 * Lets SQL read lines as rows: `millrace_fields()` gives the values of their fields (c0, c1, …) and the line's number;
 * `millrace_suspect(line)` notes a line that DuckDB cannot read, and is false.
 */
export class RowFeed {
  #read: RowsRead | undefined;
  #vectors = new Vectors([], false);
  readonly #numbers = new Int32Array(CHUNK_ROWS);
  readonly #places = new TextPlaces();
  #suspects = new Map<number, Uint8Array>();
  /** What the vectors are made of, and what those that DuckDB has were made of. */
  #filled: LineSlot | undefined;
  #given: LineSlot | undefined;
  #rowCount = 0;

  constructor(connection: DuckDBConnection) {
    connection.registerTableFunction(
      DuckDBTableFunction.create({
        name: 'millrace_fields',
        bindFunction: (info) => {
          this.#vectors.types.forEach((type, column) => info.addResultColumn(`c${column}`, type));
          info.addResultColumn('line', INTEGER);
        },
        initFunction: (info) => info.setMaxThreads(1),
        mainFunction: (_, { chunk }) => {
          this.#given?.set(0);
          this.#given = this.#fill();
          this.#filled = undefined;
          this.#vectors.writeTo(chunk, this.#rowCount);
          const numbers = duckdb.data_chunk_get_vector(chunk, this.#vectors.types.length);
          duckdb.copy_data_to_vector(numbers, 0, this.#numbers.buffer, 0, this.#rowCount * this.#numbers.BYTES_PER_ELEMENT);
          // The next one, while DuckDB works on this.
          if (this.#rowCount > 0) queueMicrotask(() => this.#fill());
        },
      }),
    );
    connection.registerScalarFunction(
      DuckDBScalarFunction.create({
        name: 'millrace_suspect',
        parameterTypes: [INTEGER],
        returnType: BOOLEAN,
        volatile: true,
        mainFunction: (_, chunk, result) => {
          for (const [row, number] of chunk.getColumnValues(0).entries()) {
            this.#suspect(this.#given!, this.#given!.numbers.indexOf(number as number));
            result.setItem(row, false);
          }
          result.flush();
        },
      }),
    );
  }

  /** Says what is read from now on. */
  begin(read: RowsRead): void {
    if (this.#read?.columns !== read.columns || this.#read.asText !== read.asText)
      this.#vectors = new Vectors(read.columns, read.asText);
    this.#read = read;
    this.#suspects = new Map();
  }

  /** Once DuckDB reads no more. */
  end(): Suspects {
    this.#given = undefined;
    this.#filled = undefined;
    this.#places.clear();
    return this.#suspects;
  }

  /** Makes rows of the next lines, if that is not done yet. No rows are the end. */
  #fill(): LineSlot {
    if (this.#filled) return this.#filled;
    for (;;) {
      const slot = this.#read!.lines.next();
      this.#split(slot);
      if (this.#rowCount > 0 || slot.count === 0) return (this.#filled = slot);
      slot.set(0);
    }
  }

  #split(slot: LineSlot): void {
    const text = slot.bytes.subarray(0, slot.length);
    const place = this.#places.take(text);
    const isText = isUtf8(text);
    this.#rowCount = 0;
    this.#vectors.clear();
    for (let i = 0; i < slot.count; i++) {
      const isRow = (isText || isUtf8(slot.line(i))) && this.#vectors.setRow(this.#rowCount, slot, i, place);
      if (isRow) this.#numbers[this.#rowCount++] = slot.numbers[i]!;
      else {
        this.#vectors.undoRow(this.#rowCount);
        this.#suspect(slot, i);
      }
    }
  }

  #suspect(slot: LineSlot, index: number): void {
    this.#suspects.set(slot.numbers[index]!, Buffer.from(slot.line(index)));
  }
}
