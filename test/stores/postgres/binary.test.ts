import { describe, expect, test } from 'vitest';
import { BinaryLines } from '../../../src/stores/postgres/binary.ts';
import { columnWord } from '../../../src/stores/postgres/types.ts';

/** The oids of types, and the modifier of `varchar(3)`. */
const [INT4, TEXT, VARCHAR, TIMESTAMP, UUID, OF_THREE] = [23, 25, 1043, 1114, 2950, 7];

const columns = [
  { type: INT4, isRequired: true },
  { type: VARCHAR, modifier: OF_THREE },
  { type: TIMESTAMP },
  { type: UUID },
  { type: TEXT },
].map((column, i) => columnWord({ name: `c${i}`, modifier: -1, isRequired: false, ...column })!);

/** How many of the lines are written before one is in doubt. */
function written(...lines: readonly string[]): number {
  const binary = new BinaryLines(columns);
  for (const message of binary.messages(
    lines.map((line) => Buffer.from(line)),
    0,
  ))
    expect(message.length).toBeGreaterThan(0);
  return binary.end;
}

// The server refuses most of these, too; but then all that come behind such a line go as text.
describe('postgres in binary', () => {
  const sure = '1\tabc\t2026-11-22 09:00:00\t\tx';

  test('writes lines of which there is no doubt', () => {
    for (const line of [
      sure,
      '-1\t\t\t\t',
      '2147483647\tünï\t2024-02-29 23:59:59.999999\ta0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\t🛒',
    ])
      expect(written(sure, line, sure), line).toBe(3);
  });

  test.each([
    ['of a column too few', '1\tabc\t2026-11-22 09:00:00\t'],
    ['of no column but the first', '1'],
    ['of a column too many', `${sure}\tx`],
    ['of an empty column too many', `${sure}\t`],
    ['without what has to be there', '\tabc\t2026-11-22 09:00:00\t\tx'],
    ['with a number beyond 32 bits', '2147483648\tabc\t2026-11-22 09:00:00\t\tx'],
    ['with a character too many', '1\tabcd\t2026-11-22 09:00:00\t\tx'],
    ['with a character too many, of two bytes each', '1\tünïö\t2026-11-22 09:00:00\t\tx'],
    ['with a UUID of too few digits', '1\tabc\t2026-11-22 09:00:00\ta0eebc99-9c0b-4ef8-bb6d-6b-b9-bd38a1\tx'],
    ['with a second of 60', '1\tabc\t2026-11-22 09:00:60\t\tx'],
  ])('ends before a line %s', (_, line) => {
    expect(written(sure, line, sure)).toBe(1);
    expect(written(line)).toBe(0);
    expect(written(sure, sure, line)).toBe(2);
  });
});
