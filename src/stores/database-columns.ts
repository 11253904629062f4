import type { Table } from './database.ts';

/** A column as it is in the database. */
export interface FoundColumn {
  readonly name: string;
  /** True when a row cannot do without it: not null, and nothing fills it by default. */
  readonly wanted: boolean;
}

/** @throws {Error} when a table lacks columns that are to be filled, or wants one that nobody fills. */
export function checkColumns(where: string, { name, columns }: Table, found: readonly FoundColumn[]): void {
  const has = new Set(found.map((column) => column.name));
  const filled = new Set(columns.map((column) => column.name));
  const missing = columns.filter((column) => !has.has(column.name)).map((column) => column.name);
  const unfilled = found.filter((column) => column.wanted && !filled.has(column.name)).map((column) => column.name);
  if (missing.length > 0)
    throw new Error(`${where}: the table ${name} is there, but lacks ${missing.join(', ')}; add them or name another table`);
  if (unfilled.length > 0)
    throw new Error(`${where}: the table ${name} wants ${unfilled.join(', ')} (NOT NULL without a default), which no event has`);
}
