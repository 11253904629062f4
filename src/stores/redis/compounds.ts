import { MAX_ARGUMENTS } from '../commands/check-command.ts';
import { refusing } from './needed.ts';
import { MAX_SET } from './score-memory.ts';

/**
 * What a compound command does, with its arguments from A[from] to A[to]; the first is the key. A call of the server's takes a microsecond, of
 * which a number that has to be made text is a quarter, and a time that has to be reckoned another.
 */
export const COMPOUNDS = `
-- Commands that have not come before: without the right to run them each event would be a reject, and a compound be done by half.
${refusing('ARGV[#ARGV - 1]')}local A = cmsgpack.unpack(ARGV[#ARGV])
local call, compounds, moments, texts = redis.call, {}, {}, {}

local function expire(key, ms)
  local at = moments[ms]
  if not at then
    local now = call('TIME')
    at = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) + ms)
    moments[ms] = at
  end
  return call('PEXPIREAT', key, at)
end

local function textOf(number)
  local text = texts[number] or string.format('%d', number)
  texts[number] = text
  return text
end

local function cut(key, keep)
  call('ZREMRANGEBYRANK', key, '0', textOf(-keep - 1))
end

-- key, keep, expiry in ms, members: each once, the last one comes to stand first
function compounds.recent(from, to)
  local key, keep = A[from], tonumber(A[from + 1])
  for i = from + 3, to do call('LREM', key, '0', A[i]) end
  if call('LPUSH', key, unpack(A, from + 3, to)) > keep then call('LTRIM', key, '0', textOf(keep - 1)) end
  expire(key, A[from + 2])
end

-- what of a list of members, each with a number, is not in a set
local function lacking(set, list)
  local names, left = {}, {}
  for i = 2, #list, 2 do names[#names + 1] = list[i] end
  if #names == 0 then return left end
  for i, is in ipairs(call('SMISMEMBER', set, unpack(names))) do
    if is == 0 then
      left[#left + 1] = list[2 * i - 1]
      left[#left + 1] = list[2 * i]
    end
  end
  return left
end

-- key, keep, expiry in ms, a set of members without a score or nothing; then lists of members, each with what to add to its score. Cut to its
-- size after each list, as if that were a command of its own.
function compounds.rank(from, to)
  local key, without = A[from], A[from + 3]
  local leavesOut = without ~= '' and call('SCARD', without) > 0
  for i = from + 4, to do
    local list = A[i]
    if leavesOut then list = lacking(without, list) end
    for j = 1, #list, 2 do call('ZINCRBY', key, list[j], list[j + 1]) end
    cut(key, A[from + 1])
  end
  expire(key, A[from + 2])
end

-- a rank, and as JSON what its keys held before: the members and scores, and the members without one
function compounds.rankAsking(from, to)
  local key, without, list = A[from], A[from + 3], A[from + 4]
  if call('ZCARD', key) > ${MAX_SET} or (without ~= '' and call('SCARD', without) > ${MAX_SET}) then
    compounds.rank(from, to)
    return 'large'
  end
  local scores = call('ZRANGE', key, '0', '-1', 'WITHSCORES')
  local others = without ~= '' and call('SMEMBERS', without) or {}
  local isNew = #scores + #others == 0
  if isNew and from + 4 == to and #list > 0 then
    call('ZADD', key, unpack(list))
    cut(key, A[from + 1])
    expire(key, A[from + 2])
  else
    compounds.rank(from, to)
  end
  return isNew and '' or cjson.encode({ scores, others })
end

local function inParts(name, key, list, from, to)
  for i = from, to, ${MAX_ARGUMENTS} do call(name, key, unpack(list, i, math.min(i + ${MAX_ARGUMENTS - 1}, to))) end
end

-- key, expiry in ms or 0 when that was told a short while ago, a list of scores, each with its member, and members to take out before
function compounds.put(from, to)
  local key, list = A[from], A[from + 2]
  inParts('ZREM', key, A, from + 3, to)
  inParts('ZADD', key, list, 1, #list)
  if A[from + 1] ~= '0' then expire(key, A[from + 1]) end
end
`;
