import type { FieldName } from './field-types.ts';
import { fields } from './fields.ts';

const numbers: ReadonlyMap<string, number> = new Map(fields.map(({ name }, field) => [name, field]));

/**
 * Says where a field stands in the 131-column layout.
 *
 * @throws {RangeError} when there is no such field
 */
export function fieldNumber(name: FieldName): number {
  const field = numbers.get(name);
  if (field === undefined) throw new RangeError(`enriched event: expected one of its 131 fields, got ${JSON.stringify(name)}`);
  return field;
}
