import { fields } from './fields.ts';

/** Which column of a line holds which field. */
export interface Layout {
  readonly columns: number;
  /** By field, its column; -1 where the layout has none. */
  readonly columnOf: Int16Array;
}

const prefix = (columns: number): Layout => ({
  columns,
  columnOf: Int16Array.from(fields, (_, field) => (field < columns ? field : -1)),
});

/**
 * The layouts that enrich has written, told apart by their number of columns: 98 (2014-02, release 0.9.0), 108 (0.9.12),
 * 125 (r63) and 131 (since r71, 2015-10). Each but the first begins with the whole of the one before.
 */
export const layouts: readonly Layout[] = [
  prefix(131),
  prefix(125),
  prefix(108),
  { columns: 98, columnOf: Int16Array.from(fields, (field) => ('in98' in field ? field.in98 : -1)) },
];

/** The layout of a line of this many columns; none when enrich never wrote such a line. */
export function layoutOf(columns: number): Layout | undefined {
  return columns === 131 ? layouts[0] : layouts.find((layout) => layout.columns === columns);
}
