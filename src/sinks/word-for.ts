import { Event } from '../event.ts';

/** Says what a value is, without what is in it. */
export function wordFor(value: unknown): string {
  if (value === null || typeof value === 'undefined') return String(value);
  if (value instanceof Event) return `an event of ${wordFor(value.data)}`;
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value !== 'object') return `a ${typeof value}`;
  const { constructor } = value;
  const fields = Object.keys(value).slice(0, 5).join(', ');
  const name = typeof constructor === 'function' && constructor !== Object ? constructor.name : 'an object';
  return fields === '' || Array.isArray(value) ? name : `${name} with ${fields}`;
}
