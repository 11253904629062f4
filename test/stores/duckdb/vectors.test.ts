import duckdb from '@duckdb/node-bindings';
import { expect, test } from 'vitest';
import type { Column } from '../../../src/stores/database.ts';
import { LineSender, LineSlot, USUAL_LINE_BYTES } from '../../../src/stores/duckdb/lines.ts';
import { Vectors } from '../../../src/stores/duckdb/vectors.ts';

const CELL_BYTES = 16;
const LONG = 'a text of more than twelve bytes';

/** Makes one row of a line that lies at an address, and gives back what DuckDB is given for each of its texts. */
async function cellsOf(fields: readonly string[], address: bigint): Promise<readonly Buffer[]> {
  const columns = fields.map((_, i): Column => ({ name: `c${i}`, type: { kind: 'text' }, required: false }));
  const sender = new LineSender(USUAL_LINE_BYTES);
  await sender.send(1, [Buffer.from(fields.join('\t'))], Int32Array.of(0));
  const place = {
    low: Number(BigInt.asIntN(32, address)),
    high: Number(BigInt.asIntN(32, address >> 32n)),
    carriesAt: Number(2n ** 32n - (address & 0xffff_ffffn)),
  };
  const vectors = new Vectors(columns, false);
  vectors.clear();
  expect(vectors.setRow(0, LineSlot.all(sender.memory)[0]!, 0, place)).toBe(true);
  const chunk = duckdb.create_data_chunk(vectors.types.map((type) => type.toLogicalType().logical_type));
  vectors.writeTo(chunk, 1);
  return fields.map((_, i) => Buffer.from(duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, i), CELL_BYTES)));
}

test('a text of up to 12 bytes lies beside its length, and zeros behind it', async () => {
  const texts = Array.from({ length: 12 }, (_, i) => 'abcdefghijkl'.slice(0, i + 1));
  const cells = await cellsOf(texts, 0x1234_5678_9abcn);
  for (const [i, text] of texts.entries()) {
    expect(cells[i]!.readInt32LE(0)).toBe(text.length);
    expect(cells[i]!.subarray(4)).toEqual(Buffer.from(text.padEnd(12, '\0')));
  }
});

test('a longer text is found by its address, also behind the 4 GiB that its line crosses', async () => {
  const address = 0x7fff_0000_0000n - 40n;
  const cells = await cellsOf([LONG, LONG, LONG], address);
  expect(cells.map((cell) => [cell.readInt32LE(0), cell.toString('latin1', 4, 8), cell.readBigUInt64LE(8)])).toEqual(
    [0, 1, 2].map((i) => [LONG.length, 'a te', address + BigInt(i * (LONG.length + 1))]),
  );
});

test('a line that would leave no room behind it goes into the next chunk, as a tab follows each', async () => {
  const lines = [Buffer.alloc(USUAL_LINE_BYTES - 8, 'a'), Buffer.alloc(20, 'b')];
  const sender = new LineSender(USUAL_LINE_BYTES);
  const [first, second] = LineSlot.all(sender.memory) as [LineSlot, LineSlot];
  await sender.send(1, lines, Int32Array.of(0, 1));
  expect(
    [first, second].map((slot) => [slot.count, slot.line(0).equals(lines[slot.numbers[0]!]!), slot.bytes[slot.ends[0]!]]),
  ).toEqual([
    [1, true, 9],
    [1, true, 9],
  ]);
});
