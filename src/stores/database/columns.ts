import type { ColumnType, Table } from '../database.ts';

/** A column as it is in the database. */
export interface FoundColumn {
  readonly name: string;
  /** As the database spells it: `timestamp without time zone`, `DATE`. */
  readonly typeName: string;
  /** True when a row cannot do without it: not null, and nothing fills it by default. */
  readonly wanted: boolean;
}

/** @throws {Error} when a table lacks columns that are to be filled, wants one that nobody fills, or would cut what it is given without a word. */
export function checkColumns(where: string, { name, columns }: Table, found: readonly FoundColumn[]): void {
  const has = new Set(found.map((column) => column.name));
  const filled = new Set(columns.map((column) => column.name));
  const missing = columns.filter((column) => !has.has(column.name)).map((column) => column.name);
  const unfilled = found.filter((column) => column.wanted && !filled.has(column.name)).map((column) => column.name);
  const cutting = columns.flatMap((column) => {
    const type = found.find((one) => one.name === column.name)?.typeName.toLowerCase() ?? '';
    return CUTTING[column.type.kind]?.test(type) ? `${column.name} is ${type}, expected ${column.type.kind}` : [];
  });
  if (missing.length > 0)
    throw new Error(`${where}: the table ${name} is there, but lacks ${missing.join(', ')}; add them or name another table`);
  if (unfilled.length > 0)
    throw new Error(`${where}: the table ${name} wants ${unfilled.join(', ')} (NOT NULL without a default), which no event has`);
  if (cutting.length > 0)
    throw new Error(
      `${where}: the table ${name} would cut values without a word: ${cutting.join('; ')}; change them or name another table`,
    );
}

/** Types that take a value and keep a part of it. A decimal of two places is none of them: Snowplow's own tables have it for prices; one of none is. */
const CUTTING: { readonly [kind in ColumnType['kind']]?: RegExp } = {
  timestamp: /^(date|time( |\(|$)|timestamp(\([0-2]\)|_s))/,
  double: /^(u?(small|big|huge|tiny)?int|integer|uinteger|(numeric|decimal)\(\d+,0\))/,
};
