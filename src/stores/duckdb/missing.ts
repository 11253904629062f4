import { isUtf8 } from 'node:buffer';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { DuckdbFeed } from './feed.ts';
import type { LineReader } from './lines.ts';
import { type TableKey, selectKnown } from './row-sql.ts';

const TAB = 9;
const NOTHING = new Uint8Array();

/** Of some values, by their places among them: those that the table has, and those that it has not but that come a second time. */
export interface Known {
  readonly there: ReadonlySet<number>;
  readonly repeats: ReadonlySet<number>;
}

/**
 * Reads one field of each line of a load; of a line that has not so many nothing, as of one where it is empty.
 *
 * @throws {Error} when the lines were broken off
 */
export function readField(lines: LineReader, count: number, column: number): readonly Uint8Array[] {
  const fields: Uint8Array[] = [];
  lines.begin(Int32Array.from({ length: count }, (_, line) => line));
  for (let slot = lines.next(); slot.count > 0; slot = lines.next()) {
    // They come in order in the first pass.
    for (let i = 0; i < slot.count; i++) fields.push(fieldOf(slot.line(i), column));
    slot.set(0);
  }
  if (fields.length < count) throw new Error(`duckdb: of ${count} lines ${fields.length} came`);
  return fields;
}

function fieldOf(line: Buffer, column: number): Uint8Array {
  let start = 0;
  for (let before = 0; before < column; before++) {
    const tab = line.indexOf(TAB, start);
    if (tab < 0) return NOTHING;
    start = tab + 1;
  }
  const end = line.indexOf(TAB, start);
  return Buffer.from(line.subarray(start, end < 0 ? line.length : end));
}

/** Finds which values a table has. What the column would not take it has not: whoever loads it will hear why. */
export async function findKnown(
  connection: DuckDBConnection,
  feed: DuckdbFeed,
  key: TableKey,
  values: readonly Uint8Array[],
): Promise<Known> {
  feed.lines = values.map((value) => (isUtf8(value) ? value : NOTHING));
  const [there, repeats] = [new Set<number>(), new Set<number>()];
  try {
    const found = await connection.runAndReadAll(selectKnown(key));
    for (const [place, isThere] of found.getRows() as [number, boolean][]) (isThere ? there : repeats).add(place);
  } finally {
    feed.lines = [];
  }
  return { there, repeats: repeats.difference(there) };
}
