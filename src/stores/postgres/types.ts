/** A column as Postgres's catalog has it. https://www.postgresql.org/docs/current/catalog-pg-attribute.html */
export interface CatalogColumn {
  readonly name: string;
  /** The oid of its type. */
  readonly type: number;
  /** What its type was given in braces, in the type's own way; -1 when nothing. */
  readonly modifier: number;
  readonly isRequired: boolean;
}

/** What binary.as knows, in its order. */
const KINDS = ['text', 'jsonb', 'bool', 'int2', 'int4', 'int8', 'float4', 'float8', 'timestamp', 'date', 'uuid'] as const;
const REQUIRED = 0x80;
const LENGTH = 0x100;

/**
 * Types whose values are the same whatever the session's settings are, by oid: they are the same on every server.
 * https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
 *
 * Not so timestamptz, which without a zone in it takes the session's.
 */
const KIND_OF: Readonly<Record<number, (typeof KINDS)[number]>> = {
  16: 'bool',
  20: 'int8',
  21: 'int2',
  23: 'int4',
  25: 'text',
  114: 'text', // json: its text as it stands
  700: 'float4',
  701: 'float8',
  1042: 'text', // char(n): the server fills it up
  1043: 'text', // varchar(n)
  1082: 'date',
  1114: 'timestamp',
  2950: 'uuid',
  3802: 'jsonb',
};
const WITH_LENGTH: readonly number[] = [1042, 1043];
/** The modifier of a text is its length and this. */
const MODIFIER_HEADER = 4;

/** Says of a column what binary.as has to know; nothing when it does not know the type, or when there is no column. */
export function columnWord(column: CatalogColumn | undefined): number | undefined {
  const kind = column && KIND_OF[column.type];
  if (kind === undefined) return undefined;
  const { type, modifier, isRequired } = column!;
  const most = WITH_LENGTH.includes(type) && modifier >= 0 ? modifier - MODIFIER_HEADER : 0;
  return KINDS.indexOf(kind) + (isRequired ? REQUIRED : 0) + most * LENGTH;
}
