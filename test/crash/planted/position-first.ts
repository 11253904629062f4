// The position is moved before the commands are run.
import { setTimeout as sleep } from 'node:timers/promises';
import { runPlantedRealtime } from './planted-realtime.ts';
import { sayPlanted } from './planted.ts';

await runPlantedRealtime((right) => ({
  async execute(owner, batch) {
    await right.execute(owner, { events: [], commands: [], positions: batch.positions });
    if (batch.commands.length > 0) {
      sayPlanted();
      await sleep(1000);
    }
    return right.execute(owner, batch);
  },
}));
