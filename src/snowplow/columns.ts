import type { Column } from '../stores/database.ts';
import { fields } from './fields/fields.ts';

/** The columns of a table of enriched events, typed as the atomic schema has them, for `copyInto`. */
export const enrichedColumns: readonly Column[] = fields.map((field) => ({
  name: field.name,
  type: field.column,
  required: 'required' in field,
}));

/** The same columns as plain text, none required: for a table that takes whatever comes. */
export const textColumns: readonly Column[] = fields.map(({ name }) => ({ name, type: { kind: 'text' }, required: false }));
