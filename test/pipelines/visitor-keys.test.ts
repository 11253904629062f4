import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visitorChanges } from '../../pipelines/visitor-keys.ts';
import type { Event } from '../../src/event.ts';
import { slotOf } from '../../src/stores/redis/hash-slot.ts';

/** The keys of all that a visitor may change at once. */
function keysOf(user: string): string[] {
  const did = { user, sku: 'a', brand: 'b', weight: 1, similar: [['c', 1]] as const };
  const event = { arrivedAtMs: Date.UTC(2026, 10, 22) } as Event<unknown>;
  const changes = ['page_view', 'transaction_item'].flatMap((action) => visitorChanges({ ...did, action }, event));
  return [...new Set(changes.flatMap(({ key, reads = key }) => [key, reads]))].toSorted();
}

const ids = fc.array(fc.oneof(fc.constantFrom('}', '{', '\\', '\n', ' '), fc.string({ unit: 'binary' })), { minLength: 1 });
const id = ids.map((parts) => parts.join('')).filter((user) => user !== '');

describe("a visitor's keys", () => {
  it('lie in one slot of a cluster, whatever the id', () => {
    fc.assert(fc.property(id, (user) => new Set(keysOf(user).map(slotOf)).size === 1));
  });

  it('have no brand where the one that is looked up is empty', () => {
    const did = { user: 'u', sku: 'a', weight: 1, action: 'cart/add', similar: [] };
    const event = { arrivedAtMs: Date.UTC(2026, 10, 22) } as Event<unknown>;
    const keys = (brand: string): string[] => visitorChanges({ ...did, brand }, event).map(({ key }) => key);
    expect(keys('b')).toContain('brands:{u}');
    expect(keys('')).not.toContain('brands:{u}');
  });

  it('are those of one visitor alone', () => {
    const odd = fc.array(fc.constantFrom('}', '\\', 'a'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
    fc.assert(fc.property(odd, odd, (one, other) => one === other || keysOf(one)[0] !== keysOf(other)[0]));
  });

  it('are the id in braces, with a backslash before a brace that it begins with', () => {
    const named = (tag: string): string[] =>
      ['bought', 'brands', 'interest', 'recommended', 'viewed'].map((name) => `${name}:${tag}`);
    for (const user of ['alice', 'a}b', '{a', '\\a', ' }']) expect(keysOf(user)).toEqual(named(`{${user}}`));
    expect(keysOf('}mallory')).toEqual(named('{\\}mallory}'));
  });
});
