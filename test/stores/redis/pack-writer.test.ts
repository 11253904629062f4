import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PackWriter, packed } from '../../../src/stores/redis/pack-writer.ts';
import { Scores } from '../../../src/stores/commands/scores.ts';

type Unpacked = string | readonly Unpacked[];

/** Reads what a script would, by the book: lists with lengths of 32 bits, and texts. */
function unpacked(bytes: Buffer): Unpacked {
  let at = 0;
  const length = (size: number): number => bytes.readUIntBE((at += size) - size, size);
  const item = (): Unpacked => {
    const head = length(1);
    if (head === 0xdd) return Array.from({ length: length(4) }, item);
    const size = head >= 0xa0 && head < 0xc0 ? head - 0xa0 : length({ 0xd9: 1, 0xda: 2, 0xdb: 4 }[head]!);
    return bytes.toString('latin1', at, (at += size));
  };
  const all = item();
  expect(at).toBe(bytes.length);
  return all;
}

const latin = (text: string | number | Buffer): string =>
  Buffer.from(typeof text === 'number' ? String(text) : text).toString('latin1');

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ maxLength: 3 }),
  fc.constantFrom(
    '',
    'ü',
    'x'.repeat(31),
    'x'.repeat(32),
    'ü'.repeat(130),
    'x'.repeat(255),
    'x'.repeat(256),
    '🛒'.repeat(30_000),
  ),
);
const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 9, 10, 1e9 - 1, 1e9, 1e15),
);
const data = fc.uint8Array().map((bytes) => Buffer.from(bytes));

test('commands are packed as they are, one after the other, whatever their arguments', () => {
  const writer = new PackWriter();
  const scores = fc.array(fc.tuple(text, number.filter(Number.isFinite)), { maxLength: 5 }).map(
    (pairs) =>
      new Scores(
        pairs.map(([member]) => member),
        pairs.map(([, by]) => by),
      ),
  );
  const command = fc.tuple(text, text, fc.array(fc.oneof(text, number, data, scores)));
  fc.assert(
    fc.property(fc.array(command), (commands) => {
      for (const [name, key, args] of commands) writer.addCommand(name, key, args);
      const expected = commands.flatMap(([name, key, args]) => [
        latin(name),
        String(args.length + 1),
        latin(key),
        ...args.map((arg) =>
          arg instanceof Scores
            ? arg.members.flatMap((member, i) => [latin(plain(arg.by[i]!)), latin(member)])
            : latin(plain(arg)),
        ),
      ]);
      expect(unpacked(writer.take())).toEqual(expected);
    }),
  );
});

/** Redis knows no negative nought. */
function plain<A>(arg: A): A | 0 {
  return Object.is(arg, -0) ? 0 : arg;
}

test('a list is written of items that were packed before, too', () => {
  fc.assert(
    fc.property(fc.array(text), (texts) => {
      const writer = new PackWriter();
      writer.addList(texts.length);
      for (const one of texts) {
        const bytes = packed(one);
        writer.packed(bytes, 0, bytes.length);
      }
      expect(unpacked(writer.take())).toEqual([texts.map(latin)]);
    }),
  );
});
