// A run that was taken over stores all the same: rows and positions, without a look at the epoch.
import pg from 'pg';
import { FencedError } from '../../../src/index.ts';
import { formatResume } from '../../../src/position.ts';
import { runPlanted, sayPlanted } from './planted.ts';

await runPlanted({
  // It would stop the run that was taken over before the database does.
  hasNoArchive: true,
  database: (right, url) => ({
    ...right,
    async open(context) {
      const open = await right.open(context);
      return {
        createTable: (table) => open.createTable(table),
        acquire: (owner, shard) => open.acquire(owner, shard),
        positions: (owner, shards) => open.positions(owner, shards),
        async commit(owner, load) {
          try {
            await open.commit(owner, load);
          } catch (error) {
            if (!(error instanceof FencedError)) throw error;
            const nobody = { pipeline: 'nobody', sink: `of-${process.pid}` };
            for (const shard of load.positions.keys()) await open.acquire(nobody, shard);
            await open.commit(nobody, load);
            const client = new pg.Client(url);
            await client.connect();
            for (const [shard, to] of load.positions)
              await client.query(`UPDATE millrace.positions SET position = $1 WHERE pipeline = $2 AND sink = $3 AND shard = $4`, [
                formatResume(to),
                owner.pipeline,
                owner.sink,
                shard,
              ]);
            await client.end();
            sayPlanted();
          }
        },
        close: () => open.close(),
      };
    },
  }),
});
