import type { Owner } from '../../owner.ts';
import type { Command } from '../commands.ts';
import type { RedisKeys } from './keys.ts';

/** A command of Redis that has to be allowed, with the key that it is for, where it has one. */
export type Needed = readonly [name: string, key?: string];

/**
 * Lua that refuses a call whose user may not run what is needed.
 *
 * @param needed the argument that has it: JSON, or empty
 */
export function refusing(needed: string): string {
  return `
if ${needed} ~= '' and redis.acl_check_cmd then
  for _, needed in ipairs(cjson.decode(${needed})) do
    local isKnown, may = pcall(redis.acl_check_cmd, unpack(needed))
    if isKnown and not may then return redis.error_reply('NOPERM no right to run ' .. table.concat(needed, ' ')) end
  end
end
`;
}

/** What a user has to be allowed so that a command can be run. Of a script of one's own nobody knows. */
export function neededBy({ name, key, ...rest }: Command, remembers: boolean): readonly Needed[] {
  if ('script' in rest) return [];
  const names = COMPOUNDS_NEED[name];
  if (!names) return all([name], key);
  return [['TIME'], ...all(names, key), ...(remembers && name === 'rank' ? all(['ZADD', 'ZREM', 'ZCARD', 'ZRANGE'], key) : [])];
}

/** What it has to be allowed of a key that a command looks at. */
export function neededToRead(key: string, remembers: boolean): readonly Needed[] {
  return all(['SCARD', 'SMISMEMBER', ...(remembers ? ['SMEMBERS'] : [])], key);
}

/** What it has to be allowed of the keys of an owner: in the middle of a call it would be too late to learn that a reject cannot be kept. */
export function neededByOwner(keys: RedisKeys, owner: Owner, vanish: boolean): readonly Needed[] {
  return [
    ...all(['HGET', 'HMGET', 'HSET'], keys.positions(owner)),
    ...all(['GET', 'SET'], keys.lastCall(owner)),
    ...all(['HSET', 'HMGET', ...(vanish ? ['PEXPIRE', 'EXISTS'] : [])], keys.rejectPrefix(owner)),
    ...all(['ZADD', ...(vanish ? ['ZRANGE', 'ZREM'] : [])], keys.rejects(owner)),
  ];
}

/** As the server gets the key: half of a surrogate pair, which any visitor may write into JSON, would be none to who reads this. */
function all(names: readonly string[], key: string): Needed[] {
  const sent = key.toWellFormed();
  return names.map((name) => [name, sent]);
}

const COMPOUNDS_NEED: Readonly<Record<string, readonly string[]>> = {
  recent: ['LREM', 'LPUSH', 'LTRIM', 'PEXPIREAT'],
  rank: ['ZINCRBY', 'ZREMRANGEBYRANK', 'PEXPIREAT'],
};
