import { setImmediate as nextTurn } from 'node:timers/promises';
import { RECORD_OVERHEAD_BYTES } from '../ledger.ts';
import type { Records, SourceRecord } from '../records.ts';
import { pause } from './waiting/pause.ts';
import { type ShardReading, readShards } from './shards/read-shards.ts';
import { reserveRoom } from './delivery/reserve-room.ts';
import { type Generated, generatedShards } from './scripted/generated.ts';
import { type ScriptedShard, writtenShards } from './scripted/written.ts';
import { type Source, readingDeliveries } from './source.ts';

/** What happens next in a shard. */
export type Scene =
  | { readonly type: 'delivery'; readonly records: Records | readonly SourceRecord[] }
  | { readonly type: 'pause'; readonly ms: number }
  | { readonly type: 'fail'; readonly error: unknown }
  | { readonly type: 'until-stopped' };

/** Shards by name, each with what happens in it; or records made on the fly. */
export type Script = Readonly<Record<string, ScriptedShard>> | Generated;

/**
 * A source without a stream: it plays a script, with the contract of the real ones. For tests, simulations and benches.
 *
 *     scripted({ 'shard-1': [['a', 'b'], { pauseMs: 1000 }, ['c'], { fail: new Error('lost') }] })
 *     scripted({ parent: [['a']], left: { parents: ['parent'], scenes: [['b']] }, right: { parents: ['parent'], scenes: [['c']] } })
 *     scripted({ generate: (i) => lines[i % lines.length]!, count: 1_000_000, shards: 2 })
 *
 * Each array is a delivery. A shard ends with its script (`'until-stopped'` keeps it open); the source completes when all have
 * ended. Played again, it gives every record the same position and arrival time. Pauses go by the scheduler; each
 * delivery waits for room in the ledger and comes in a turn of the event loop of its own, so that sinks get to work in between.
 */
export function scripted(script: Script): Source<Uint8Array> {
  const shards = isGenerated(script) ? generatedShards(script) : writtenShards(script);
  const names = [...shards.keys()];
  return {
    name: 'scripted',
    describe: `a script of ${names.length === 1 ? 'one shard' : `${names.length} shards`}`,
    check: async () => `a script: ${names.join(', ')}`,
    ...readingDeliveries((context) =>
      readShards(context, {
        list: async () => [...shards.values()],
        async readShard(reading) {
          const { id } = reading.shard;
          for (const scene of shards.get(id)!.scenesBehind(reading.resume)) {
            await nextTurn();
            if (reading.signal.aborted) return undefined;
            await play(scene, reading);
            if (reading.signal.aborted) return undefined;
          }
          return [];
        },
      }),
    ),
  };
}

async function play(scene: Scene, { shard, ledger, scheduler, signal, emit }: ShardReading): Promise<void> {
  switch (scene.type) {
    case 'delivery': {
      const { records } = scene;
      const bytes = bytesOf(records);
      if (await reserveRoom(ledger, bytes, signal, shard.id)) emit(records, bytes);
      return;
    }
    case 'pause':
      return pause(scheduler, scene.ms, signal);
    case 'fail':
      throw scene.error;
    case 'until-stopped':
      return new Promise((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
  }
}

function bytesOf(read: Records | readonly SourceRecord[]): number {
  if ('count' in read) return read.sizeBytes + read.count * RECORD_OVERHEAD_BYTES;
  return read.reduce((sum, { data }) => sum + data.length + RECORD_OVERHEAD_BYTES, 0);
}

function isGenerated(script: Script): script is Generated {
  return typeof script['generate'] === 'function';
}
