// The position is stored before the rows are.
import { setTimeout as sleep } from 'node:timers/promises';
import { runPlanted, sayPlanted } from './planted.ts';

await runPlanted({
  database: (right) => ({
    ...right,
    async open(context) {
      const open = await right.open(context);
      return {
        createTable: (table) => open.createTable(table),
        acquire: (owner, shard) => open.acquire(owner, shard),
        positions: (owner, shards) => open.positions(owner, shards),
        async commit(owner, load) {
          await open.commit(owner, { positions: load.positions });
          if (load.rows && load.rows.lines.length > 0) {
            sayPlanted();
            await sleep(1000);
          }
          await open.commit(owner, load);
        },
        close: () => open.close(),
      };
    },
  }),
});
