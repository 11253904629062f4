import { type DuckDBConnection, DuckDBInstance, LIST, VARCHAR, listValue } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ReadValue, readBoolean, readDouble, readInteger, readTimestamp } from '../../../src/stores/duckdb/values.ts';

let instance: DuckDBInstance;
let connection: DuckDBConnection;

beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:');
  connection = await instance.connect();
});

afterAll(() => {
  connection.closeSync();
  instance.closeSync();
});

const read = (reader: ReadValue, text: string): number => {
  // What stands around a value is not part of it.
  const bytes = Buffer.from(`9${text}9`);
  return reader(bytes, 1, bytes.length - 1);
};

/** What DuckDB makes of texts; null for what it refuses. */
async function cast(type: string, texts: readonly string[]): Promise<readonly unknown[]> {
  const value = { TIMESTAMP: 'epoch_us(TRY_CAST(t AS TIMESTAMP))', BOOLEAN: 'CAST(TRY_CAST(t AS BOOLEAN) AS INTEGER)' }[type];
  const statement = `SELECT ${value ?? `TRY_CAST(t AS ${type})`} FROM unnest($1) u(t)`;
  const rows = await connection.runAndReadAll(statement, [listValue(texts)], [LIST(VARCHAR)]);
  return rows.getRows().map(([found]) => found);
}

const digits = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom('0', '1', '2', '3', '4', '5', '6', '7', '8', '9'), minLength: min, maxLength: max });
const two = (most: number) => fc.nat(most).map((n) => String(n).padStart(2, '0'));
const joined = (...parts: readonly (string | fc.Arbitrary<string>)[]) =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((all) => all.join(''));
const day = joined(
  fc.integer({ min: 0, max: 9999 }).map((n) => String(n).padStart(4, '0')),
  '-',
  two(13),
  '-',
  two(32),
);
const fraction = fc.oneof(fc.constant(''), joined('.', digits(0, 8)));
const timestamp = joined(day, fc.constantFrom(' ', 'T', '_'), two(25), ':', two(61), ':', two(61), fraction);
const number = joined(fc.constantFrom('', '-', '+'), digits(0, 20), fc.oneof(fc.constant(''), joined('.', digits(0, 20))));

/** A value, often with one thing in it that does not belong there, or cut. */
const hurt = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    value,
    fc
      .tuple(value, fc.nat(), fc.constantFrom('', ' ', '0', '9', '.', '-', '+', ':', 'e', 'Z', '_', 'x', 'é'))
      .map(([text, at, what]) => text.slice(0, at % (text.length + 1)) + what + text.slice((at % (text.length + 1)) + 1)),
    fc.tuple(value, fc.nat()).map(([text, at]) => text.slice(0, at % (text.length + 1))),
  );

describe('a value is read as DuckDB reads it, or not at all', () => {
  test.each([
    ['INTEGER', readInteger, fc.oneof(fc.integer().map(String), number)],
    ['DOUBLE', readDouble, fc.oneof(number, fc.double({ noNaN: true }).map(String))],
    ['BOOLEAN', readBoolean, fc.constantFrom('0', '1', 't', 'f', 'true', 'false', 'T', 'yes', '01', 'on')],
    ['TIMESTAMP', readTimestamp, fc.oneof(timestamp, day)],
  ] as const)('%s', async (type, reader, values) => {
    let known = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          hurt(values).filter((text) => text !== ''),
          { minLength: 50, maxLength: 200 },
        ),
        async (texts) => {
          const expected = await cast(type, texts);
          for (const [i, text] of texts.entries()) {
            const value = read(reader, text);
            if (Number.isNaN(value)) continue;
            known++;
            expect([text, typeof expected[i] === 'bigint' ? BigInt(value) : value]).toEqual([text, expected[i]]);
          }
        },
      ),
      { numRuns: 50 },
    );
    expect(known).toBeGreaterThan(500);
  });

  test.each([
    [
      readInteger,
      ['0', '-1', '+5', '007', '2147483647', '-2147483648', '2147483648', '-2147483649'],
      [0, -1, 5, 7, 2 ** 31 - 1, -(2 ** 31), NaN, NaN],
    ],
    [
      readDouble,
      ['0', '-0', '1.5', '48.85341', '12.25', '0.1234567890123456789', '9.999999999999999', '9'.repeat(400)],
      [0, -0, 1.5, 48.85341, 12.25, Number('0.1234567890123456789'), Number('9.999999999999999'), NaN],
    ],
    [readBoolean, ['0', '1', 't', 'f', 'true', 'false'], [0, 1, 1, 0, 1, 0]],
    [
      readTimestamp,
      [
        '1000-01-01 00:00:01',
        '1685-01-01 00:00:00.000001',
        '1970-01-01 00:00:00',
        '2024-02-29T23:59:59.999999',
        '2026-11-22 09:00:00.1',
        '2026-11-22',
        '2026-11-2',
        '2254-12-31 23:59:59.999999',
        '9999-12-31T23:59:59.000',
      ],
      [
        Date.UTC(1000, 0, 1) * 1000 + 1e6,
        Date.UTC(1685, 0, 1) * 1000 + 1,
        0,
        Date.UTC(2024, 2, 1) * 1000 - 1,
        Date.UTC(2026, 10, 22, 9) * 1000 + 1e5,
        Date.UTC(2026, 10, 22) * 1000,
        Date.UTC(2026, 10, 2) * 1000,
        Date.UTC(2255, 0, 1) * 1000 - 1,
        Date.UTC(10000, 0, 1) * 1000 - 1e6,
      ],
    ],
  ] as const)('%o reads the usual ways to write it', (reader, texts, expected) => {
    expect(texts.map((text) => read(reader, text))).toEqual(expected);
  });
});
