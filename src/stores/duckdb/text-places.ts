import { BLOB } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';

const CELL_BYTES = 16;

/** Where DuckDB finds a text: both halves of its address. From `carriesAt` on in the text, the upper half is one more. */
export interface TextPlace {
  readonly low: number;
  readonly high: number;
  readonly carriesAt: number;
}

/** Memory of DuckDB's for text that strings point to, two by turns: what lies in one is good until the next but one is taken. */
export class TextPlaces {
  readonly #chunks = [0, 1].map(() => duckdb.create_data_chunk([BLOB.toLogicalType().logical_type]));

  take(text: Uint8Array): TextPlace {
    const chunk = this.#chunks.reverse()[0]!;
    duckdb.data_chunk_reset(chunk);
    const vector = duckdb.data_chunk_get_vector(chunk, 0);
    duckdb.vector_assign_string_element_len(vector, 0, text);
    const cell = Buffer.from(duckdb.vector_get_data(vector, CELL_BYTES));
    const carriesAt = Math.min(2 ** 32 - cell.readUInt32LE(8), 2 ** 31 - 1);
    return { low: cell.readInt32LE(8), high: cell.readInt32LE(12), carriesAt };
  }

  clear(): void {
    for (const chunk of this.#chunks) duckdb.data_chunk_reset(chunk);
  }
}
