import type { RunRecord, RunStage, ShardNow } from './run-record.ts';

/** How one shard is, for a person and a probe. */
export interface ShardHealth {
  readonly shard: string;
  readonly status: 'ok' | 'quiet';
  readonly inFlight: number;
  readonly waitsForRoom: boolean;
  /** How far reading is behind the newest record; while it waits for room, the time since it last read comes on top. */
  readonly behindSeconds?: number;
  /** Since the stream last answered a read. */
  readonly sinceReadSeconds?: number;
  /** Since more of it was settled. */
  readonly sinceSettledSeconds?: number;
  /** For how long it has made no progress, where that is too long, and what it is doing. */
  readonly quietSeconds?: number;
  readonly doing?: string;
}

export interface PipelineHealth {
  readonly name: string;
  readonly status: RunStage | 'quiet';
  readonly shards: readonly ShardHealth[];
}

export interface Health {
  /** `ok` as long as a run is at work, none has failed, and no shard has been quiet for too long. */
  readonly status: 'ok' | 'quiet' | 'failed' | 'ended';
  readonly pipelines: readonly PipelineHealth[];
}

/** Says how some runs are. @param nowMs by the clock of the runs */
export function healthOf(records: readonly RunRecord[], nowMs: number): Health {
  const pipelines = records.map((record): PipelineHealth => {
    const { pipeline: name, stage } = record;
    const shards = [...record.shards(nowMs)].map(([shard, now]) => shardHealth(shard, now, nowMs));
    const isOver = stage === 'stopping' || stage === 'ended' || stage === 'failed';
    const isQuiet = !isOver && shards.some(({ status }) => status === 'quiet');
    return { name, status: isQuiet ? 'quiet' : stage, shards };
  });
  const statuses = pipelines.map(({ status }) => status);
  if (statuses.includes('failed')) return { status: 'failed', pipelines };
  if (statuses.includes('quiet')) return { status: 'quiet', pipelines };
  return { status: statuses.every((status) => status === 'ended') ? 'ended' : 'ok', pipelines };
}

/** Whether every sink of each run is open, its first shard is read, and all is well. */
export function isReady({ status, pipelines }: Health): boolean {
  return status === 'ok' && pipelines.every((one) => one.status === 'running' || one.status === 'ended');
}

function shardHealth(shard: string, now: ShardNow, nowMs: number): ShardHealth {
  const { inFlight, waitsForRoom, behindMs, lastReadAtMs, lastSettledAtMs, quiet } = now;
  return {
    shard,
    status: quiet ? 'quiet' : 'ok',
    inFlight,
    waitsForRoom,
    ...(behindMs !== undefined && { behindSeconds: behindMs / 1000 }),
    ...(lastReadAtMs !== undefined && { sinceReadSeconds: since(lastReadAtMs, nowMs) }),
    ...(lastSettledAtMs !== undefined && { sinceSettledSeconds: since(lastSettledAtMs, nowMs) }),
    ...(quiet && { quietSeconds: quiet.forMs / 1000, doing: quiet.doing }),
  };
}

/** In seconds, to a millisecond. A clock that was set back makes none negative. */
function since(atMs: number, nowMs: number): number {
  return Math.max(0, Math.round(nowMs - atMs)) / 1000;
}
