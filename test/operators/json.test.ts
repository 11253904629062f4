import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { type Format, Malformed } from '../../src/operators/decode.ts';
import { json } from '../../src/operators/json.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('json', () => {
  it('reads a value a record, from the middle of a buffer too', () => {
    expect(json().parse(bytes('{"a": ["ä", 1, null]}'))).toEqual({ a: ['ä', 1, null] });
    expect(json().parse(bytes('x"ä"x').subarray(1, 5))).toBe('ä');
    expect(json().parse(Buffer.from(' 12 '))).toBe(12);
  });

  it('passes over one byte order mark, which files of Windows begin with', () => {
    expect(json().parse(bytes('\ufeff{"a": "\ufeff"}'))).toEqual({ a: '\ufeff' });
    expect(json().parse(bytes('\ufeff\ufeff1'))).toMatchObject({ code: 'invalid_json' });
  });

  it('gives what a schema makes of the value', () => {
    const format = json(z.object({ at: z.coerce.date() }));
    expectTypeOf(format).toExtend<Format<{ at: Date }>>();
    expect(format.parse(bytes('{"at": "2026-11-22T00:00:00Z", "b": 1}'))).toEqual({ at: new Date('2026-11-22T00:00:00Z') });
  });

  it('says what of a value the schema does not take', () => {
    const format = json(z.object({ ad: z.object({ id: z.string(), price: z.number() }) }));
    expect(format.parse(bytes('{"ad": {"id": 1}}'))).toEqual(
      new Malformed('invalid_type', 'Invalid input: expected string, received number (and 1 more issues)', 'ad.id'),
    );
    expect(format.parse(bytes('1'))).toEqual(
      new Malformed('invalid_type', 'Invalid input: expected object, received number', undefined),
    );
  });

  it('takes a value for malformed that is nested deeper than its schema can follow, and no other fault of a schema', () => {
    const nested = (levels: number): Uint8Array => bytes('['.repeat(levels) + ']'.repeat(levels));
    expect(json(z.json()).parse(nested(90))).not.toBeInstanceOf(Malformed);
    expect(json(z.json()).parse(nested(100_000))).toEqual(
      new Malformed('too_deep', 'expected JSON that its schema can follow, got more than 100 levels'),
    );
    const circle = z.unknown().refine((): boolean => circle.safeParse(1).success);
    expect(() => json(circle).parse(nested(90))).toThrow('call stack');
  });

  it.each([
    ['', 'expected JSON, got ""'],
    ['{"a": 1', 'expected JSON, got "{\\"a\\": 1"'],
    ['1 2', 'expected JSON, got "1 2"'],
    ['x'.repeat(100), `expected JSON, got "${'x'.repeat(60)}…"`],
  ])('refuses %j, which is no JSON', (text, reason) => {
    const malformed = json().parse(bytes(text));
    expect(malformed).toMatchObject({ code: 'invalid_json', reason: expect.stringContaining(reason) });
  });

  it('refuses bytes that are no UTF-8, instead of reading others in their place', () => {
    expect(json().parse(Uint8Array.of(0x22, 0xff, 0x22))).toMatchObject({ code: 'invalid_utf8' });
  });
});
