/** JSON that names its schema: `iglu:vendor/name/jsonschema/1-0-0`. */
export interface SelfDescribing<out T = unknown> {
  readonly schema: string;
  readonly data: T;
}

/** Says whether a JSON value names its schema. */
export function isSelfDescribing(value: unknown): value is SelfDescribing {
  return typeof value === 'object' && value !== null && 'schema' in value && typeof value.schema === 'string' && 'data' in value;
}
