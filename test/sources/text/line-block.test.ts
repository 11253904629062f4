import { describe, expect, it } from 'vitest';
import { cutLines } from '../../../src/sources/text/cut-lines.ts';
import type { LineBlock } from '../../../src/sources/text/line-block.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const linesOf = (block: LineBlock): string[] => Array.from({ length: block.count }, (_, i) => text(block.lineOf(i)));

/** What a text becomes that comes in these pieces: a list for each time that lines were given, the texts of each block in it. */
async function cut(...pieces: string[]): Promise<string[][][]> {
  const given: string[][][] = [];
  // eslint-disable-next-line typescript/require-await -- as a stream gives them
  async function* stream(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield Buffer.from(piece);
  }
  for await (const blocks of cutLines(stream()))
    given.push(blocks.map((block) => Array.from({ length: block.count }, (_, i) => text(block.textOf(i)))));
  return given;
}

async function blockOf(whole: string): Promise<LineBlock> {
  // eslint-disable-next-line typescript/require-await -- as a stream gives it
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(whole);
  }
  for await (const [block] of cutLines(stream())) return block!;
  throw new Error(`no line in ${whole}`);
}

describe('cutLines', () => {
  it('gives the lines that end in a piece together, one that goes on as a block of its own, and what has no newline last and alone', async () => {
    expect(await cut('a\nbb\nc', 'c\nd\n', 'e')).toEqual([[['a\n', 'bb\n']], [['cc\n'], ['d\n']], [['e']]]);
    expect(await cut('a', 'b', 'c\n')).toEqual([[['abc\n']]]);
    expect(await cut('\n', '\n\n')).toEqual([[['\n']], [['\n', '\n']]]);
    expect(await cut('', 'a')).toEqual([[['a']]]);
    expect(await cut()).toEqual([]);
  });
});

describe('LineBlock', () => {
  it('tells where each line lies, with and without its newline', async () => {
    const block = await blockOf('a\n\nccc\n');
    expect(linesOf(block)).toEqual(['a', '', 'ccc']);
    expect([0, 1, 2].map((i) => [block.startOf(i), block.endOf(i), block.sizeOf(i), block.hasNewline(i)])).toEqual([
      [0, 2, 2, true],
      [2, 3, 1, true],
      [3, 7, 4, true],
    ]);
    const open = await blockOf('open');
    expect([linesOf(open), open.sizeOf(0), open.hasNewline(0)]).toEqual([['open'], 4, false]);
  });

  it('leaves lines out, and what lies before a place in the first', async () => {
    const block = await blockOf('a\nbb\nccc\n');
    const odd = block.filter((i) => i !== 1);
    expect([linesOf(odd), odd.startOf(1), odd.endOf(1)]).toEqual([['a', 'ccc'], 5, 9]);
    expect(linesOf(block.behind(0))).toEqual(['a', 'bb', 'ccc']);
    expect([linesOf(block.behind(1)), block.behind(1).startOf(0)]).toEqual([['', 'bb', 'ccc'], 1]);
    expect(linesOf(block.behind(2))).toEqual(['bb', 'ccc']);
    expect((await blockOf('open')).behind(4).count).toBe(0);
    expect(linesOf((await blockOf('open')).behind(1))).toEqual(['pen']);
  });
});
