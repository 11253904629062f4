import { formatResume } from '../../position.ts';
import type { Owner } from '../../owner.ts';
import type { Place } from '../command-store.ts';

/** The names of the keys of our own. */
export interface RedisKeys {
  positions(owner: Owner): string;
  /** Which call came last. */
  lastCall(owner: Owner): string;
  /** The list of rejects. */
  rejects(owner: Owner): string;
  /** What the key of a reject begins with, up to its shard. */
  rejectPrefix(owner: Owner): string;
  reject(owner: Owner, place: Place, step: string): string;
}

function keysFor(named: (pipeline: string) => string): RedisKeys {
  const rejectPrefix = ({ pipeline, sink }: Owner): string => `millrace:reject:${named(pipeline)}:${sink}:`;
  return {
    positions: ({ pipeline, sink }) => `millrace:positions:${named(pipeline)}:${sink}`,
    lastCall: ({ pipeline, sink }) => `millrace:last-call:${named(pipeline)}:${sink}`,
    rejects: ({ pipeline }) => `millrace:rejects:${named(pipeline)}`,
    rejectPrefix,
    reject: (owner, { position }, step) => `${rejectPrefix(owner)}${position.shard}:${formatResume(position)}:${step}`,
  };
}

export const redisKeys = keysFor((pipeline) => pipeline);
/** All of a pipeline in one slot. */
export const clusterKeys = keysFor((pipeline) => `{${pipeline}}`);
