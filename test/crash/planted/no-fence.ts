// A run that was taken over has its commands run all the same, without a look at the epoch.
import { FencedError } from '../../../src/index.ts';
import { runPlantedRealtime } from './planted-realtime.ts';
import { sayPlanted } from './planted.ts';

await runPlantedRealtime((right) => ({
  async execute(owner, batch) {
    try {
      return await right.execute(owner, batch);
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
      const nobody = { pipeline: 'nobody', sink: `of-${process.pid}` };
      for (const shard of batch.positions.keys()) await right.acquire(nobody, shard);
      const faults = await right.execute(nobody, batch);
      if (batch.commands.length > 0) sayPlanted();
      return faults;
    }
  },
}));
