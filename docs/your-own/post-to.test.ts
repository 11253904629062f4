import { mkdtemp, rm } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mergeMap } from 'rxjs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { directory, pipeline, run, scripted } from '../../src/index.ts';
import { sinkConformance } from '../../src/testing/index.ts';
import { postTo } from './post-to.ts';

/** An API that does a thing once for each key, and then, where it is `shaky`, says of one in five that it is not well. */
async function startApi(shaky = false): Promise<{ server: Server; url: string; done: Map<string, string> }> {
  const done = new Map<string, string>();
  let calls = 0;
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString();
    const isBad = body.startsWith('bad');
    if (!isBad) done.set(String(request.headers['idempotency-key']), body);
    if (shaky && ++calls % 5 === 2) return response.writeHead(503).end('try again');
    response.writeHead(isBad ? 422 : 200).end(isBad ? 'no such thing' : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/things`, done };
}

let folder: string;
let api: Awaited<ReturnType<typeof startApi>>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'own-sink-'));
  api = await startApi(true);
});

afterEach(async () => {
  api.server.close();
  await rm(folder, { recursive: true });
});

test('postTo posts each event once, whatever the API answers, and goes on where it stopped', async () => {
  const play = (shards: Parameters<typeof scripted>[0]) =>
    run(
      pipeline('things')
        .from(scripted(shards))
        .to(postTo(api.url, directory(folder))),
      { retry: { firstDelayMs: 1 } },
    );
  expect(await play({ s: [['a', 'b', 'bad', 'c']] })).toMatchObject({ stored: 3, rejected: 1 });
  expect([...api.done.values()]).toEqual(['a', 'b', 'c']);
  expect(await play({ s: [['a', 'b', 'bad', 'c']], t: [['d']] })).toMatchObject({ read: 1, stored: 1 });
  expect([...api.done.values()]).toEqual(['a', 'b', 'c', 'd']);
});

test('postTo goes on behind what is posted when the API fails, be it each time that it has taken a few', async () => {
  const things = Array.from({ length: 15 }, (_, i) => (i % 5 === 0 ? `bad ${i}` : `${i}`));
  const declared = pipeline('things')
    .from(scripted({ s: [things] }))
    .pipe(mergeMap((event) => [event, event]))
    .to(postTo(api.url, directory(folder)));
  expect(await run(declared, { retry: { firstDelayMs: 1 } })).toMatchObject({ stored: 12, rejected: 3 });
  expect([...api.done.values()]).toEqual(things.filter((thing) => !thing.startsWith('bad')).flatMap((thing) => [thing, thing]));
});

sinkConformance('postTo', async () => {
  const place = await mkdtemp(join(tmpdir(), 'own-sink-'));
  const { server, url, done } = await startApi();
  return {
    declare: (name) => postTo(url, directory(place), name === undefined ? {} : { name }),
    items: (events) => events,
    stored: async () => [...done.values()],
    refuses: ['bad'],
    async close() {
      server.close();
      await rm(place, { recursive: true });
    },
  };
});
