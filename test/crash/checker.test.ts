import { describe, expect, it } from 'vitest';
import { shop } from '../../src/demo/shop.ts';
import {
  type Change,
  type Fault,
  type FoundObject,
  changeFaults,
  countFaults,
  orderFaults,
  rejectFaults,
  restFaults,
  rowsOf,
  storeFaults,
} from './checker.ts';
import { type Sent, oracleOf, placeOf } from './oracle.ts';

const sent: Sent[] = shop({ shares: { repeat: 0.1, noise: 0.05, malformed: 0.05 } })
  .take(900)
  .toArray()
  .map(({ data, truth, eventId }, i) => ({
    shard: 'shardId-0',
    sequence: String(1000 + i),
    subSequence: 0,
    truth,
    eventId,
    text: Buffer.from(data).toString('latin1'),
  }));
// No noise that was mended, so that each line is known.
const rejects = sent.filter(({ truth }) => truth !== 'event' && truth !== 'repeat');
const places = new Set(rejects.map(placeOf));
const expected = oracleOf(sent, places);
const rows = [...expected.stored.values()].map(({ eventId, text }) => ({ eventId, text }));
const [first, second] = [rows[0]!, rows[1]!];
const names = (faults: readonly Fault[]): string[] => faults.map(({ name }) => name);
const end = { shard: 'shardId-0', sequence: '1899', subSequence: 0 };

describe('the checker of a store', () => {
  it('finds nothing wrong with what is right', () => {
    expect(rows.length).toBeGreaterThan(500);
    expect(storeFaults('store', rows, expected)).toEqual([]);
  });

  it.each([
    ['lost', rows.slice(1)],
    ['duplicate', [...rows, second]],
    ['phantom', [...rows, { eventId: 'nobody', text: '' }]],
    ['changed', [{ ...first, text: `${first.text} ` }, ...rows.slice(1)]],
  ])('finds what is %s', (name, found) => {
    expect(names(storeFaults('store', found, expected))).toEqual([name]);
  });

  it('finds a repeat that was stored in the place of its event', () => {
    const repeat = sent.find(
      ({ truth, eventId, text }) => truth === 'repeat' && text !== sent.find((one) => one.eventId === eventId)!.text,
    )!;
    const found = rows.map((row) => (row.eventId === repeat.eventId ? { ...row, text: repeat.text } : row));
    expect(names(storeFaults('store', found, expected))).toEqual(['changed']);
  });
});

describe('the checker of rejects', () => {
  it('finds nothing wrong with what is right', () => {
    expect(rejects.length).toBeGreaterThan(5);
    expect(rejectFaults(rejects, expected)).toEqual([]);
  });

  it.each([
    ['lost', rejects.slice(1)],
    ['duplicate', [...rejects, rejects[0]!]],
    ['phantom', [...rejects, { ...rejects[0]!, sequence: '1' }]],
    ['changed', [{ ...rejects[0]!, text: 'x' }, ...rejects.slice(1)]],
  ])('finds what is %s', (name, found) => {
    expect(names(rejectFaults(found, expected))).toEqual([name]);
  });
});

const object = (lines: readonly { readonly text: string }[], epoch = 1): FoundObject => ({
  key: `snowplow/2026/11/22/0900-${epoch}.tsv.gz`,
  shard: 'shardId-0',
  epoch,
  text: lines.map(({ text }) => `${text}\n`).join(''),
});

describe('the checker of objects', () => {
  it('finds nothing wrong with what is right', () => {
    const objects = [object(rows.slice(0, 50)), object([]), object(rows.slice(50), 2)];
    expect(objects.flatMap((one) => rowsOf(one).rows)).toEqual(rows);
    expect(objects.flatMap((one) => rowsOf(one).faults)).toEqual([]);
    expect(orderFaults(objects, sent)).toEqual([]);
  });

  it.each([
    ['a line in two', { ...object(rows), text: object(rows).text.replace('\t', '\n') }],
    ['an end within a line', { ...object(rows), text: object(rows).text.slice(0, -1) }],
  ])('finds what is split: %s', (_, found) => {
    expect(new Set(names(rowsOf(found).faults))).toEqual(new Set(['split']));
  });

  it('finds what is reordered in an object, and among objects', () => {
    expect(names(orderFaults([object([second, first, ...rows.slice(2)])], sent))).toEqual(['reordered']);
    expect(names(orderFaults([object([first, rows[5]!]), object(rows.slice(1, 5))], sent))).toEqual(['reordered']);
  });

  it('finds an object of an older owner behind one of a newer', () => {
    expect(names(orderFaults([object(rows.slice(0, 50), 2), object(rows.slice(50), 1)], sent))).toEqual([
      'fenced write accepted',
    ]);
  });
});

describe('the checker of positions', () => {
  const change = (epoch: number, by: string, sequence?: number, sink = 'copy'): Change => ({
    sink,
    shard: 'shardId-0',
    epoch,
    position: sequence === undefined ? undefined : `${sequence}:0`,
    by,
  });
  const right = [change(1, 'a'), change(1, 'a', 9), change(1, 'a', 10), change(2, 'b', 10), change(2, 'b', 11)];

  it('finds nothing wrong with what is right', () => {
    expect(changeFaults([...right, change(1, 'a', 3, 'rejects')])).toEqual([]);
  });

  it.each([
    ['fenced write accepted', change(2, 'a', 12)],
    ['nonmonotonic checkpoint', change(2, 'b', 9)],
    ['nonmonotonic checkpoint', change(3, 'c')],
    ['nonmonotonic checkpoint', change(1, 'c', 11)],
  ])('finds: %s', (name, next) => {
    expect(names(changeFaults([...right, next]))).toEqual([name]);
  });

  it('finds a checkpoint ahead of its sink, for events and for rejects', () => {
    const standing = new Map([['store', new Map([['shardId-0', { ...end, sequence: '1099' }]])]]);
    const ids = new Set(rows.map(({ eventId }) => eventId));
    expect(restFaults(sent, standing, { store: ids }, places)).toEqual([]);
    ids.delete(first.eventId);
    ids.delete(rows.at(-1)!.eventId);
    expect(names(restFaults(sent, standing, { store: ids }, places))).toEqual(['checkpoint ahead of sink']);
    ids.add(first.eventId);
    const others = new Set([...places].slice(1));
    expect(names(restFaults(sent, standing, { store: ids }, others))).toEqual(['checkpoint ahead of sink']);
  });
});

describe('the checker of sums', () => {
  const repeats = sent.length - rows.length - rejects.length;
  const stretch = (summary: string) => ({
    owner: 'owner',
    summary,
    from: new Map([['shardId-0', undefined]]),
    to: new Map([['shardId-0', end]]),
  });
  const counts = () => ({ stored: rows.length, repeats, rejected: rejects.length });
  const sum = `read 900 = stored ${rows.length} + repeats ${repeats} + rejected ${rejects.length}`;

  it('finds nothing wrong with what is right', () => {
    expect(countFaults(stretch(`what it said before\n${sum}\n`), sent, counts)).toEqual([]);
  });

  it.each([
    ['', 'no sum'],
    [sum.replace('900', '901'), 'the terms make 900'],
    [`read 899 = stored ${rows.length - 1} + repeats ${repeats} + rejected ${rejects.length}`, '900 records lie between'],
    [`read 900 = stored ${rows.length - 1} + repeats ${repeats + 1} + rejected ${rejects.length}`, 'expected stored'],
    [`read 900 = stored ${rows.length - 1} + repeats ${repeats} + rejected ${rejects.length} + in flight 1`, 'left in flight'],
  ])('finds what does not add up: %s', (summary, what) => {
    const faults = countFaults(stretch(summary), sent, counts);
    expect(new Set(names(faults))).toEqual(new Set(['counts do not add up']));
    expect(faults[0]!.what).toContain(what);
  });
});
