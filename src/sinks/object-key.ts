import type { Position } from '../position.ts';

/** Where an object of a shard lies: by the minute at which it begins, in UTC, and its first position, and nothing else. */
export function objectKey(prefix: string, startMs: number, first: Position, extension: string): string {
  const [year, month, day, hour, minute] = new Date(startMs).toISOString().split(/[-T:]/);
  const place = first.subSequence === 0 ? first.sequence : `${first.sequence}.${first.subSequence}`;
  return `${prefix}/${year}/${month}/${day}/${hour}${minute}-${encodeURIComponent(first.shard)}-${place}.${extension}`;
}

/**
 * Tells whether a prefix keeps the objects apart from our own documents.
 *
 * @throws {TypeError} when it does not
 */
export function checkPrefix(who: string, prefix: string): void {
  const parts = prefix.split('/');
  if (parts[0] === '_millrace' || parts.some((part) => part === '' || part === '.' || part === '..'))
    throw new TypeError(`${who}: expected a prefix like events or shop/events, got ${JSON.stringify(prefix)}`);
}
