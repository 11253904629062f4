import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pictureName } from '../src/testing/marble.ts';

const folder = import.meta.dirname;
const files = readdirSync(folder).toSorted();
const specs = files
  .filter((file) => file.endsWith('.test.ts') && file !== 'readme.test.ts')
  .map((file) => {
    const names = [...readFileSync(join(folder, file), 'utf8').matchAll(/^marble\('([^']+)'/gm)].map(([, name]) => name!);
    return { file, operator: names[0]?.split(' ')[0] ?? file, names };
  });

const notation = [
  ['text', 'picture', 'meaning'],
  ['`-`', 'the line goes on', 'a tick of time in which nothing happens'],
  ['`a`', 'a marble; each value has its colour', 'a record: read in the upper lines, given out in the lower ones'],
  ['`A`', 'a rounded square', 'the same record with other data'],
  [
    '`(abc)`',
    'marbles on top of each other',
    'at one moment, that of the parenthesis: read as one delivery, or given out in this order',
  ],
  ['`x: [a, b]`', 'a box of marbles', 'a window; under it, if told: the minute it is of, its part, what closed it'],
  [
    '`record(a, { arrived })`',
    'a foot from the marble to a dot',
    'when the stream received the record, where that was not when it was read',
  ],
  ['`\\|`', 'a bar', 'the stream completes'],
  ['`#`', 'a cross', 'the stream fails'],
  ["`rejected: '--b'`", 'a struck marble on a line of its own', 'a reject, with the code of the reason'],
  ["`unsubscribe: '---!'`", 'a dashed line', 'nobody listens from here on'],
  ["`pressure: '---!'`", 'a red mark on the operator', 'a source waits for room'],
  ["`shardEnd: '---!'`", 'a dark mark on the operator', 'the shard was read to its end, and its children wait for it'],
  ['`dropped`, `inFlight`', 'a note below', 'records that did not come out: dropped by a step, or not settled at the end'],
];

const opening = `# Marbles

What each operator does over time, one sentence and one picture each. Every picture is a test that passes: \`marble\` of
\`millrace/testing\` runs the operator in virtual time, compares what comes out with the strings below, and draws them. A
picture that is not what the strings say fails the test; \`vitest run marbles -u\` draws it, and this page, anew.

## Notation

\`\`\`ts
marble('minuteWindow gives a record to the minute in which it arrived', {
  tick: { seconds: 10 }, // one column
  ruler: { minutes: 1 }, // the lines behind the picture
  operator: minuteWindow({ grace: { seconds: 30 } }),
  label: 'minuteWindow()',
  source: '-a---b-c-----|', // or one line a shard: { 'shard 1': '-a---|', 'shard 2': '--b--|' }
  result: '-------x-----(y|)',
  given: { a: home, b: cart, c: paid }, // c: record(paid, { arrived: { seconds: 50 } }) arrived before it was read
  emits: { x: [home, cart], y: { events: [paid], part: 0, closedBy: 'complete' } },
});
\`\`\`

${table(notation)}

What comes out is stored at once. At the end every record that was read is stored, dropped, rejected or in flight, and no
more are in flight than the spec says: none, unless it says otherwise. A promise does not resolve in virtual time: \`mapAsync\` wants an
ordinary test.
`;

describe('marbles/README.md', () => {
  it('shows every picture with its sentence', async () => {
    const sections = specs.map(({ file, operator, names }) => {
      const pictures = names.map((name) => `${name.replace(operator, `\`${operator}\``)}:\n\n![${name}](${pictureName(name)})\n`);
      return `## ${operator}\n\nThe strings: [${file}](${file}).\n\n${pictures.join('\n')}`;
    });
    await expect([opening, ...sections].join('\n')).toMatchFileSnapshot('./README.md');
  });

  it('has no picture that no spec draws', () => {
    const drawn = new Set(specs.flatMap(({ names }) => names.map(pictureName)));
    expect(files.filter((file) => file.endsWith('.svg') && !drawn.has(file))).toEqual([]);
  });

  it('has a dozen pictures of windows and more, and no name twice', () => {
    const names = specs.flatMap((spec) => spec.names);
    expect(names.filter((name) => name.startsWith('minuteWindow')).length).toBeGreaterThan(12);
    expect(new Set(names).size).toBe(names.length);
  });
});

/** A table as the formatter has it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const write = (cells: readonly string[], fill = ' '): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!, fill)).join(' | ')} |`;
  const [head, ...body] = rows;
  return [
    write(head!),
    write(
      head!.map(() => ''),
      '-',
    ),
    ...body.map((row) => write(row)),
  ].join('\n');
}
