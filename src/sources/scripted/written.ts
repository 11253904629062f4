import { type Position, type Beginning, comparePositions, isPosition } from '../../position.ts';
import type { SourceRecord } from '../../records.ts';
import type { Scene } from '../scripted.ts';
import type { Shard } from '../shards/shard-set.ts';

/** A record as a script has it: text stands for its UTF-8 bytes. */
type ScriptedRecord =
  | string
  | Uint8Array
  | {
      readonly data: string | Uint8Array;
      /** In milliseconds since 1970. @default how long the shard's script has paused before it */
      readonly arrivedAtMs?: number;
      /** @default one above the record before, from 1 */
      readonly sequence?: number | string;
      /** @default 0 */
      readonly subSequence?: number;
    };

/** A delivery; a pause by the scheduler's clock; an error of the source; the shard stays open until the stop. */
export type ScriptedScene =
  | readonly ScriptedRecord[]
  | { readonly pauseMs: number }
  | { readonly fail: unknown }
  | 'until-stopped';

/** What happens in a shard, one thing after the other; with its parents when it was made by a split or a merge. */
export type ScriptedShard =
  | readonly ScriptedScene[]
  | { readonly parents: readonly string[]; readonly scenes: readonly ScriptedScene[] };

/** A shard that can be played from any place. */
export interface PlayedShard extends Shard {
  readonly scenesBehind: (resume: Beginning) => Iterable<Scene>;
}

/** Gives the records of a written script their positions and times. */
export function writtenShards(script: Readonly<Record<string, ScriptedShard>>): ReadonlyMap<string, PlayedShard> {
  return new Map(
    Object.entries(script).map(([id, written]) => {
      const { parents, scenes } = 'scenes' in written ? written : { parents: [], scenes: written };
      const all = scenesOf(id, scenes);
      return [id, { id, parents, scenesBehind: (resume) => all.flatMap((scene) => behind(scene, resume)) }];
    }),
  );
}

/** A scene of which each record is written down. */
type WrittenScene =
  | Exclude<Scene, { readonly type: 'delivery' }>
  | { readonly type: 'delivery'; readonly records: readonly SourceRecord[] };

function scenesOf(shard: string, written: readonly ScriptedScene[]): WrittenScene[] {
  let sequence = 0n;
  let nowMs = 0;
  return written.map((scene): WrittenScene => {
    if (scene === 'until-stopped') return { type: scene };
    if ('fail' in scene) return { type: 'fail', error: scene.fail };
    if ('pauseMs' in scene) {
      nowMs += scene.pauseMs;
      return { type: 'pause', ms: scene.pauseMs };
    }
    const records = scene.map((one): SourceRecord => {
      const record = typeof one === 'string' || one instanceof Uint8Array ? { data: one } : one;
      sequence = BigInt(record.sequence ?? (record.subSequence ? sequence : sequence + 1n));
      const position: Position = { shard, sequence: String(sequence), subSequence: record.subSequence ?? 0 };
      const data = typeof record.data === 'string' ? Buffer.from(record.data) : record.data;
      return { position, arrivedAtMs: record.arrivedAtMs ?? nowMs, data };
    });
    return { type: 'delivery', records };
  });
}

function behind(scene: WrittenScene, resume: Beginning): Scene[] {
  if (scene.type !== 'delivery' || resume === 'TRIM_HORIZON') return [scene];
  const records = scene.records.filter(({ position, arrivedAtMs }) =>
    isPosition(resume) ? comparePositions(position, resume) > 0 : arrivedAtMs >= resume.getTime(),
  );
  return records.length === 0 ? [] : [{ type: 'delivery', records }];
}
