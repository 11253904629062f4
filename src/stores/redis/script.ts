import { createHash } from 'node:crypto';
import type { Script } from '../commands.ts';
import { COMPOUNDS } from './compounds.ts';
import { refusing } from './needed.ts';

/**
 * Takes a shard over from an epoch, unless another one has begun: a call that comes late, when one has been made in its place, would fence its
 * own run. KEYS: positions; ARGV: shard, epoch, what its user has to be allowed. A field of positions is `<epoch> <resume>`, the resume empty before the first. Returns the
 * field as it is now, or nothing.
 */
export const ACQUIRE = `${refusing('ARGV[3]')}
local stored = redis.call('HGET', KEYS[1], ARGV[1]) or '0 '
local epoch, resume = string.match(stored, '^(%d+) (.*)$')
if epoch ~= ARGV[2] then return false end
local own = string.format('%.0f %s', epoch + 1, resume)
redis.call('HSET', KEYS[1], ARGV[1], own)
return own
`;

/**
 * Runs the commands of A from `first` on: for each its name, how many arguments it has, and those, the key first. Leaves in `refused`, for each
 * that was refused, its place (from 0) and why; a command that is refused fails alone.
 */
const COMMANDS = `
local refused, told, index, at, size = {}, {}, 0, first, #A
while at <= size do
  local name, from = A[at], at + 2
  local to = at + 1 + A[at + 1]
  local compound, why = compounds[name], nil
  if compound then
    local ok, result = pcall(compound, from, to)
    if not ok then
      why = type(result) == 'table' and result.err or result
    elseif result then
      told[#told + 1] = index
      told[#told + 1] = result
    end
  else
    local result = redis.pcall(name, unpack(A, from, to))
    if type(result) == 'table' and result.err then why = result.err end
  end
  if why then
    why = string.gsub(tostring(why), ',? script: %x+.*$', '')
    refused[#refused + 1] = index
    refused[#refused + 1] = why
    pcall(reject, index, why, A[from], name, from, to)
  end
  index, at = index + 1, to + 1
end
return { refused, told }
`;

/**
 * One batch, all of it or nothing. KEYS: positions, list of rejects, the call that came last. ARGV: what the key of a reject begins with; a line for each event (its
 * arrival, its place in its shard, its shard), an empty line, and a line for each command, the events it stands for; how many shards, and
 * for each its name, its field as this run left it and as it is to be; the call before, nothing when it is not known or need not be, and this one; how many of
 * the commands keep rejects, which come first; for how many milliseconds a reject is kept, nothing for good; 1 when the others rest on what is remembered;
 * what has not come before, see COMPOUNDS; the commands, packed, and in that case behind them the sets they rest on: ZCARD, the place of the key, size, or SCARD, key, size.
 *
 * A reject that cannot be kept refuses the batch as a whole; those before it come again, and change nothing then. Before all other commands this
 * call and the positions are written: what refuses all writes (no memory, a replica) refuses the batch, too.
 * From there on nothing may raise an error, as a script that fails midway is not rolled back. An event whose command is refused is a reject by the same call,
 * with the command, but without its own bytes, which the store has never seen.
 *
 * A call takes place right behind the one before it, which may be under way, or not at all: what a failover has lost of one shard, the next call of
 * another tells.
 */
export const BATCH = `
local positions, at = KEYS[1], 4
for i = 1, tonumber(ARGV[3]) do
  local stored = call('HGET', positions, ARGV[at]) or ''
  if stored ~= ARGV[at + 1] then return redis.error_reply('STANDS ' .. i .. ' ' .. stored) end
  at = at + 3
end
if ARGV[at] ~= '' and call('GET', KEYS[3]) ~= ARGV[at] then
  return redis.error_reply('FORGET another call has come between this one and the one before it')
end
if ARGV[at + 4] == '1' then
  local sizes = table.remove(A)
  for i = 1, #sizes, 3 do
    local key = sizes[i] == 'ZCARD' and A[tonumber(sizes[i + 1])] or sizes[i + 1]
    if redis.pcall(sizes[i], key) ~= tonumber(sizes[i + 2]) then
      return redis.error_reply('FORGET ' .. key .. ' is not as this run left it')
    end
  end
end
local first, keepings, keepMs = 1, tonumber(ARGV[at + 2]), ARGV[at + 3]
for _ = 1, keepings do
  local from, to = first + 2, first + 1 + A[first + 1]
  local result = redis.pcall(A[first], unpack(A, from, to))
  if type(result) == 'table' and result.err then
    return redis.error_reply(result.err .. ': ' .. A[first] .. ' ' .. A[from])
  end
  first = to + 1
end
-- Of rejects that have vanished the list is rid as others come, the oldest first.
local function sweep(count)
  for _, kept in ipairs(redis.pcall('ZRANGE', KEYS[2], '0', count)) do
    if redis.pcall('EXISTS', kept) ~= 0 then return end
    redis.pcall('ZREM', KEYS[2], kept)
  end
end
if keepMs ~= '' and keepings > 0 then sweep(keepings) end
call('SET', KEYS[3], ARGV[at + 1])
at = 4
for _ = 1, tonumber(ARGV[3]) do
  call('HSET', positions, ARGV[at], ARGV[at + 2])
  at = at + 3
end

local events, standsFor
local function reject(index, why, key, name, from, to)
  if not events then
    local lines = {}
    events, standsFor = lines, {}
    for line in string.gmatch(ARGV[2], '([^\\n]*)\\n') do
      if line == '' then lines = standsFor else lines[#lines + 1] = line end
    end
  end
  local command = { name == 'rankAsking' and 'rank' or name }
  for i = from, to do command[#command + 1] = A[i] end
  local isText, text = pcall(cjson.encode, command)
  for number in string.gmatch(standsFor[index + 1], '%d+') do
    local arrival, place, shard = string.match(events[number + 1], '^(%S+) (%S+) (.*)$')
    local kept = ARGV[1] .. shard .. ':' .. place .. ':apply'
    redis.pcall('HSET', kept, 'step', 'apply', 'code', string.match(why, '^%u+') or 'ERR', 'reason', why, 'path', key,
      'command', isText and text or name)
    redis.pcall('ZADD', KEYS[2], arrival, kept)
    if keepMs ~= '' then
      redis.pcall('PEXPIRE', kept, keepMs)
      sweep(1)
    end
  end
end
`;

/**
 * What a batch does in one slot of a cluster. KEYS: the slot's positions, then all keys that it touches. ARGV: how many shards; for each its
 * name, where the run stands in it (nothing at its beginning) and up to where this call comes; for each command a line of the events it
 * stands for, each its place and its shard, with tabs between; then what has not come before, and the commands, packed.
 *
 * When the slot has more of some shard than the run, it does nothing and returns -1 and what the slot has of each. Why a command was
 * refused stays in the slot's hash until it is kept elsewhere.
 *
 * It does nothing either while its slot is on its way to another node: there, a key that a command removes cannot be made again by the next.
 */
export const SLOT_BATCH = `
local positions, at, count = KEYS[1], 2, tonumber(ARGV[1])
-- Of a key that is not there a node says so only while it keeps the slot.
local absent = redis.pcall('EXISTS', positions .. ':absent')
if type(absent) == 'table' and absent.err and string.find(absent.err, 'non local key', 1, true) then
  return redis.error_reply('TRYAGAIN the slot of ' .. positions .. ' is on its way to another node')
end
local function isAhead(stored, from)
  local x, i = string.match(stored or '', '^(%d+):(%d+)$')
  local y, j = string.match(from, '^(%d+):(%d+)$')
  if not x or not y then return x ~= nil end
  if x == y then return tonumber(i) > tonumber(j) end
  if #x ~= #y then return #x > #y end
  return x > y
end
local has, ahead = { -1 }, false
for i = 1, count do
  local stored = call('HGET', positions, ARGV[at])
  has[i + 1] = stored or ''
  ahead = ahead or isAhead(stored, ARGV[at + 1])
  at = at + 3
end
if ahead then return has end
at = 2
for _ = 1, count do
  call('HSET', positions, ARGV[at], ARGV[at + 2])
  at = at + 3
end
local about, first = ARGV[at], 1

local standsFor
local function reject(index, why, key)
  if not standsFor then
    standsFor = {}
    for line in string.gmatch(about, '([^\\n]*)\\n') do standsFor[#standsFor + 1] = line end
  end
  for event in string.gmatch(standsFor[index + 1], '[^\\t]+') do
    local place, shard = string.match(event, '^(%S+) (.*)$')
    redis.pcall('HSET', positions, 'refused:' .. shard .. ':' .. place, key .. '\\n' .. string.gsub(why, '\\n', ' '))
  end
end
`;

/** A script as a server knows it. */
export interface Compiled {
  readonly lua: string;
  readonly sha: string;
}

/** The script of a batch in which these scripts of a pipeline's own may occur. */
export function compiled(batch: string, own: Iterable<Script>): Compiled {
  const lua = [COMPOUNDS, ...[...own].map(functionOf), batch, COMMANDS].join('');
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** A script gets KEYS and ARGV as EVAL would hand them over. Its arguments: the key, how many more keys there are, those, the rest. */
function functionOf({ name, lua }: Script): string {
  return `
compounds[${quoted(`script:${name}`)}] = function(from, to)
  local run = function(KEYS, ARGV)
${lua}
  end
  local keys, args, more = { A[from] }, {}, tonumber(A[from + 1])
  for i = from + 2, from + 1 + more do keys[#keys + 1] = A[i] end
  for i = from + 2 + more, to do args[#args + 1] = A[i] end
  run(keys, args)
end
`;
}

function quoted(text: string): string {
  return `'${text.replace(/[\\'\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}'`;
}
