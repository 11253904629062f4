// A batch of which no answer came is sent again, without the question whether it has run. PLANTED=no asks.
import type { Resume } from '../../../src/index.ts';
import { runPlantedRealtime } from './planted-realtime.ts';
import { sayPlanted } from './planted.ts';

/** Of so many batches with commands one answer is lost. */
const EVERY = 4;

await runPlantedRealtime((right) => {
  const stood = new Map<string, Resume>();
  let batches = 0;
  return {
    async positions(owner, shards) {
      const stands = new Map(await right.positions(owner, shards));
      if (process.env['PLANTED'] === 'no') return stands;
      for (const shard of stands.keys()) if (stood.has(shard)) stands.set(shard, stood.get(shard)!);
      return stands;
    },
    async execute(owner, batch) {
      const faults = await right.execute(owner, batch);
      if (batch.commands.length > 0 && ++batches % EVERY === 0) {
        sayPlanted();
        throw Object.assign(new Error('no answer'), { isTransient: true });
      }
      for (const [shard, position] of batch.positions) stood.set(shard, position);
      return faults;
    },
  };
});
