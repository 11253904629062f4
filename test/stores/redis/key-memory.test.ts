import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KEY_COUNTS, KeyMemory } from '../../../src/stores/redis/key-memory.ts';

const name = fc.constantFrom('a:{1}', 'b:{1}', 'c:{1}', 'a:{2}', 'b:{2}', '{1}', 'a:1}', 'a', 'b', '');
const act = fc.oneof(
  { weight: 3, arbitrary: name.map((of) => ({ of })) },
  { weight: 3, arbitrary: name.map((get) => ({ get })) },
  name.map((forget) => ({ forget })),
  fc.integer({ min: 0, max: 30 }).map((grow) => ({ grow })),
  fc.constant('clear' as const),
);

describe('what is known of keys', () => {
  it('is what was noted last, as long as it was not forgotten', () => {
    const memory = new KeyMemory(1000);
    const [a, b] = [memory.of('a:{1}'), memory.of('b:{1}')];
    expect(memory.of('a:{1}')).toBe(a);
    memory.forget('a:{1}');
    expect(memory.get('a:{1}')).toBeUndefined();
    expect(memory.get('b:{1}')).toBe(b);
  });

  it('is at most as much as it is told to hold, and of what is met again', () => {
    const memory = new KeyMemory(100);
    const often = memory.of('often:{1}');
    for (let i = 0; i < 1000; i++) {
      memory.of(`k:{${i}}`);
      expect(memory.get('often:{1}')).toBe(often);
      expect(memory.size * KEY_COUNTS).toBeLessThanOrEqual(100);
    }
    expect(memory.get('k:{998}')).toBeDefined();
    expect(memory.get('k:{0}')).toBeUndefined();
  });

  it('is less where names are long', () => {
    const memory = new KeyMemory(1000);
    for (let i = 0; i < 1000; i++) memory.of(`${i}:${'x'.repeat(6400)}`);
    expect(memory.size).toBeLessThanOrEqual(1000 / (KEY_COUNTS + 100));
    expect(memory.size).toBeGreaterThan(0);
  });

  it('is held once, and leaves nothing behind when it is forgotten, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const memory = new KeyMemory(60);
        const noted = new Map<string, unknown>();
        for (const one of acts) {
          if (one === 'clear') {
            memory.clear();
            noted.clear();
          } else if ('grow' in one) memory.grow(one.grow);
          else if ('forget' in one) {
            memory.forget(one.forget);
            noted.delete(one.forget);
            expect(memory.get(one.forget)).toBeUndefined();
          } else if ('of' in one) noted.set(one.of, memory.of(one.of));
          else {
            const known = memory.get(one.get);
            if (known) expect(known).toBe(noted.get(one.get));
            else noted.delete(one.get);
          }
          expect(memory.size).toBeLessThanOrEqual(noted.size);
        }
        for (const key of noted.keys()) memory.forget(key);
        expect(memory.size).toBe(0);
      }),
    );
  });
});
