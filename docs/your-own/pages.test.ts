import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Event, pipeline, run } from '../../src/index.ts';
import { memorySink } from '../../src/testing/index.ts';
import { pages } from './pages.ts';

let server: Server;
let url: string;
/** What the API has: the numbers from 1 up to it. */
let last: number;

beforeEach(async () => {
  last = 7;
  server = createServer((request, response) => {
    const after = Number(new URL(request.url!, url).searchParams.get('after'));
    const things = Array.from({ length: Math.min(3, last - after) }, (_, i) => ({ number: after + i + 1, madeAtMs: 0 }));
    response.end(JSON.stringify({ things }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/things`;
});

afterEach(() => server.close());

function numbersIn(stored: readonly Event<Uint8Array>[]): number[] {
  return stored.map(({ data }) => (JSON.parse(String(data)) as { number: number }).number);
}

test('pages reads each thing once, also when a run ends in the middle, and what is new the next time', async () => {
  const sink = memorySink<Event<Uint8Array>>();
  const things = pipeline('things').from(pages(url)).to(sink);
  sink.beforeCommit = ({ items }) => {
    if (numbersIn(items).includes(5)) throw new Error('killed');
  };
  await expect(run(things)).rejects.toThrow('killed');
  sink.beforeCommit = () => {};
  await run(things);
  expect(numbersIn(sink.stored)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  last = 8;
  expect(await run(things)).toMatchObject({ read: 1, stored: 1 });
});

test('pages waits for more behind the last page until it is stopped, and says what it found', async () => {
  const sink = memorySink<Event<Uint8Array>>();
  const source = pages(url, { pollEveryMs: 10 });
  const stop = new AbortController();
  const ended = run(pipeline('things').from(source).to(sink), { stop: stop.signal });
  await expect.poll(() => sink.stored.length).toBe(7);
  last = 9;
  await expect.poll(() => sink.stored.length).toBe(9);
  stop.abort();
  expect(await ended).toMatchObject({ read: 9, stored: 9 });
  expect(await source.check('things')).toBe(`${url}: begins with number 1`);
});
