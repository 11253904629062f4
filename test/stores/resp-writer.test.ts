import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RespWriter, type Sendable } from '../../src/stores/resp-writer.ts';

/** The same, the plain way. */
function plainly(parts: readonly Sendable[]): string {
  const bulks = parts.map((part) => {
    const bytes = Buffer.isBuffer(part) ? part : Buffer.from(String(part));
    return `$${bytes.length}\r\n${bytes.toString('latin1')}\r\n`;
  });
  return `*${parts.length}\r\n${bulks.join('')}`;
}

test('a command is written as the protocol has it, whatever its arguments, one after the other', () => {
  const writer = new RespWriter();
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ maxLength: 3 }),
    fc.constantFrom('', 'ü', 'x'.repeat(70_000), '🛒'.repeat(30_000)),
  );
  const argument = fc.oneof(
    text,
    fc.integer(),
    fc.double(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(fc.array(argument), fc.array(argument), (some, more) => {
      expect(writer.write('EVALSHA', some, more).toString('latin1')).toBe(plainly(['EVALSHA', ...some, ...more]));
    }),
  );
});
