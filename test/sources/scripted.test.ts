import { describe } from 'vitest';
import type { ScriptedScene } from '../../src/sources/scripted/written.ts';
import { scripted } from '../../src/sources/scripted.ts';
import { sourceConformance } from './conformance.ts';

describe('scripted, a written script', () => {
  sourceConformance(async (shards, recordsPerDelivery) => {
    const times = shards[0]!.map((_, batch) => new Date(1_000_000 + batch * 1000));
    const script = shards.map((batches, i): [string, ScriptedScene[]] => {
      const records = batches.flatMap((batch, n) => batch.map((data) => ({ data, arrivedAtMs: times[n]!.getTime() + 1 })));
      const deliveries: ScriptedScene[] = [];
      for (let at = 0; at < records.length; at += recordsPerDelivery) deliveries.push(records.slice(at, at + recordsPerDelivery));
      return [`shard-${i}`, [...deliveries, 'until-stopped']];
    });
    return { source: scripted(Object.fromEntries(script)), shards: script.map(([name]) => name), times };
  });
});
