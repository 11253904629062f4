import { expect, test } from 'vitest';
import { FencedError } from '../../../src/errors.ts';
import { SIGHT_WORDS } from '../../../src/operators/dedupe/sight.ts';
import type { OpenIdentityState } from '../../../src/operators/identity-state.ts';
import { onServer } from '../../../src/stores/identities/on-server.ts';
import { ServerLog } from '../../../src/stores/identities/server-log.ts';
import { memoryBlocks } from '../../support/memory-blocks.ts';

const keepAll = { beforeMs: undefined, capacity: Infinity };

async function append(
  log: OpenIdentityState,
  number: number,
  forget = keepAll as Parameters<typeof log.append>[1],
): Promise<void> {
  log.append({ sights: new Uint32Array(SIGHT_WORDS).fill(number), count: 1, newestMs: number }, forget);
  await log.flush!();
}

test('of two pipelines that begin at once with the same state, one has it and the other is told', async () => {
  const state = onServer(memoryBlocks(), undefined);
  const [one, two] = await Promise.allSettled([state.prepare!('one'), state.prepare!('two')]);
  expect(one).toMatchObject({ status: 'fulfilled' });
  expect(two).toMatchObject({ reason: { message: expect.stringContaining('a run has it already; give each pipeline') } });
});

test('a state whose server could not be reached says so, and may be tried again', async () => {
  const server = memoryBlocks();
  let isAway = true;
  const openIdentities = async (log: string) => {
    if (isAway) throw new Error('away');
    return server.log(log);
  };
  const state = onServer({ ...server, openIdentities }, undefined);
  await expect(state.prepare!('shop')).rejects.toThrow('identityLog: memory:: away');
  isAway = false;
  await state.prepare!('shop');
});

test('a run that was overtaken while it read is fenced, and finds no damage', async () => {
  const server = memoryBlocks().log('shop');
  const before = await ServerLog.take('here', server);
  for (const number of [1, 2, 3]) await append(before, number);
  let isOvertaken = false;
  const overtaken = {
    ...server,
    async read(first: number, last: number) {
      if (!isOvertaken) {
        isOvertaken = true;
        await append(await ServerLog.take('there', server), 4, { beforeMs: 3, capacity: Infinity });
      }
      return server.read(first, last);
    },
  };
  await expect(ServerLog.take('here', overtaken)).rejects.toThrow(FencedError);
});

test('blocks that wait while one is on its way go together, as they were, and are of use as long as the newest of them', async () => {
  const server = memoryBlocks().log('shop');
  const log = await ServerLog.take('here', server);
  // Its words are only its own during the call.
  const sights = new Uint32Array(SIGHT_WORDS);
  for (const number of [1, 2, 3, 2]) log.append({ sights: sights.fill(number), count: 1, newestMs: number }, keepAll);
  await log.flush();
  const blocks = await server.read(1, 9);
  expect(blocks.flatMap(({ bytes }) => [...bytes].filter((_, i) => i % (4 * SIGHT_WORDS) === 0))).toEqual([1, 2, 3, 2]);
  expect(blocks.map(({ newestMs }) => newestMs)).toEqual([1, 3]);
});
