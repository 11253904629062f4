import { setImmediate as soon } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { PostgresConnection } from '../../../src/stores/postgres/connection.ts';
import { PostgresRejects } from '../../../src/stores/postgres/reject-source.ts';

const all = { pipeline: 'warehouse', since: new Date(0), until: new Date(60_000) };

/** A connection that counts what is asked of it at a time; it answers once it is let go. */
function counting(): { connection: PostgresConnection; calls: (() => void)[]; mostAtOnce: () => number } {
  const calls: (() => void)[] = [];
  let [atOnce, most] = [0, 0];
  const connection = {
    async query() {
      most = Math.max(most, ++atOnce);
      await new Promise<void>((resolve) => calls.push(resolve));
      atOnce--;
      return [];
    },
    close: async () => {},
  };
  return { connection: connection as unknown as PostgresConnection, calls, mostAtOnce: () => most };
}

it('asks one thing of its connection at a time, however many shards are read', async () => {
  const { connection, calls, mostAtOnce } = counting();
  const rejects = new PostgresRejects(connection, 'millrace');
  const pages = Promise.all(['a', 'b', 'c'].map((shard) => rejects.records(all, shard, undefined, 10)));
  for (let asked = 0; asked < 3; asked++) {
    await soon();
    calls[asked]!();
  }
  expect(await pages).toEqual([[], [], []]);
  expect(mostAtOnce()).toBe(1);
});

it('asks nothing more once it is closed, which would connect again', async () => {
  const { connection, calls } = counting();
  const rejects = new PostgresRejects(connection, 'millrace');
  const pages = Promise.allSettled(['a', 'b'].map((shard) => rejects.records(all, shard, undefined, 10)));
  await soon();
  await rejects.close();
  calls[0]!();
  expect((await pages).map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(calls).toHaveLength(1);
});
