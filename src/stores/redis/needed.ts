import type { Command } from '../commands.ts';

/** A command of Redis that has to be allowed, with the key that it is for, where it has one. */
export type Needed = readonly [name: string, key?: string];

/** What a user has to be allowed so that a command can be run. Of a script of one's own nobody knows. */
export function neededBy({ name, key, reads, ...rest }: Command): readonly Needed[] {
  if ('script' in rest) return [];
  const names = COMPOUNDS_NEED[name];
  if (!names) return [[name, key]];
  const looks: Needed[] =
    reads === undefined
      ? []
      : [
          ['SCARD', reads],
          ['SMISMEMBER', reads],
        ];
  return [['TIME'], ...names.map((one): Needed => [one, key]), ...looks];
}

const COMPOUNDS_NEED: Readonly<Record<string, readonly string[]>> = {
  recent: ['LREM', 'LPUSH', 'LTRIM', 'PEXPIREAT'],
  rank: ['ZINCRBY', 'ZREMRANGEBYRANK', 'PEXPIREAT'],
};
