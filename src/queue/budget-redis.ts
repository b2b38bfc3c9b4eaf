import { Cluster } from "ioredis";
import type { AccountState, AccountUsage } from "./budget-state.ts";
import { usageOf } from "./budget-state.ts";
import type { BudgetAnswer, BudgetStore } from "./budget-store.ts";
import type { FaultLog } from "./fault-log.ts";
import type { RedisClient } from "./redis-url.ts";
import { connected, connectRedis, parseRedisUrl } from "./redis-url.ts";

/**
 * An account is a hash: `epoch`, `closed` (until when), `limit` (learned), a field `s:<when>` for the weight that is forgotten at that time,
 * and a field `p:<process>` for each process: seen until, waits until, the weight that waits by priority, and the limit in force. `budget-postgres.ts` does the same.
 */
const script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ask = cjson.decode(ARGV[1])
local function text(number) return string.format('%.0f', number) end
local function write(...) if not ask.look then redis.call(...) end end

local epoch, closed, learned, used, processes = nil, 0, nil, 0, 1
local spent, others = {}, {0, 0, 0}
local state = redis.call('HGETALL', KEYS[1])
for i = 1, #state, 2 do
  local name, value = state[i], state[i + 1]
  local kind = string.sub(name, 1, 2)
  if kind == 's:' then
    local over = tonumber(string.sub(name, 3))
    if over <= now then write('HDEL', KEYS[1], name)
    else
      spent[#spent + 1] = {over, tonumber(value)}
      used = used + tonumber(value)
    end
  elseif kind == 'p:' then
    local seen, waits, a, b, c = string.match(value, '(%d+):(%d+):(%d+):(%d+):(%d+):')
    if tonumber(seen) <= now then write('HDEL', KEYS[1], name)
    elseif name ~= 'p:' .. ask.process then
      processes = processes + 1
      if tonumber(waits) > now then
        others = {others[1] + a, others[2] + b, others[3] + c}
      end
    end
  elseif name == 'epoch' then epoch = value
  elseif name == 'closed' then closed = tonumber(value)
  elseif name == 'limit' then learned = tonumber(value) end
end

local function spend(weight, over)
  if weight <= 0 then return end
  over = math.ceil(over / ask.sliceMs) * ask.sliceMs
  write('HINCRBY', KEYS[1], 's:' .. text(over), weight)
  spent[#spent + 1] = {over, weight}
  used = used + weight
end

local missing = ask.owed
if epoch == nil then
  epoch = text(time[1] * 1000000 + time[2])
  write('HSET', KEYS[1], 'epoch', epoch)
end
if ask.epoch ~= '' and ask.epoch ~= epoch then missing = ask.own end
spend(missing, now + ask.windowMs)

local news = ask.news
if news.limit then
  learned = news.limit
  write('HSET', KEYS[1], 'limit', text(learned))
end
if news.used and news.used > used then
  spend(news.used - used, now + math.min(ask.windowMs, news.resetMs or ask.windowMs))
end
if news.closeMs and now + news.closeMs > closed then
  closed = now + news.closeMs
  write('HSET', KEYS[1], 'closed', text(closed))
end

local calls = ask.calls
if learned and (learned < calls or not ask.ceiling) then calls = learned end
local granted, waitMs, given = 0, 0, {0, 0, 0}
for i = 1, #ask.weights do
  local rank = ask.ranks[i] + 1
  local weight = math.min(ask.weights[i], calls)
  local higher = 0
  for r = 1, rank - 1 do higher = higher + others[r] end
  local room = calls - used - higher
  local mine, theirs = ask.waiting[rank], others[rank]
  local share = math.ceil((room + given[rank]) * mine / math.max(1, mine + theirs))
  if closed > now then
    waitMs = closed - now
    break
  elseif calls - used < weight then
    table.sort(spent, function(one, other) return one[1] < other[1] end)
    local freed = calls - used
    for s = 1, #spent do
      freed = freed + spent[s][2]
      waitMs = spent[s][1] - now
      if freed >= weight then break end
    end
    break
  elseif room < weight or (given[rank] > 0 and given[rank] + weight > share) then
    waitMs = 50
    break
  end
  spend(weight, now + ask.windowMs)
  given[rank] = given[rank] + weight
  granted = granted + 1
end

local waiting = {}
for r = 1, 3 do waiting[r] = text(math.max(0, ask.waiting[r] - given[r])) end
write('HSET', KEYS[1], 'p:' .. ask.process,
  text(now + 60000) .. ':' .. text(now + math.max(waitMs, ask.waitsMs) + 1000) .. ':' .. table.concat(waiting, ':') .. ':' .. text(calls))
write('PEXPIRE', KEYS[1], text(math.max(ask.windowMs, closed - now, 60000) + 60000))
return cjson.encode({
  granted = granted, waitMs = waitMs, epoch = epoch, limit = calls, used = used,
  waiting = others[1] + others[2] + others[3], processes = processes, closedMs = math.max(0, closed - now),
})
`;

interface BudgetCommand {
  readonly deskbridgeBudget: (key: string, ask: string) => Promise<string>;
}

/** Counts in Redis. Never hangs: while Redis is away each question fails at once. */
export async function openRedisBudget(
  redisUrl: string,
  namespace: string,
  faults: FaultLog,
): Promise<BudgetStore> {
  const client = connectRedis(parseRedisUrl(redisUrl), "failingFast");
  client.on("error", (error) => faults.report("redis connection fault", error));
  client.defineCommand("deskbridgeBudget", { numberOfKeys: 1, lua: script });
  await connected(client);
  const { deskbridgeBudget } = client as unknown as BudgetCommand;
  return {
    list: () => listAccounts(client, `${namespace}:budget:`),
    ask: async (account, ask) =>
      JSON.parse(
        await deskbridgeBudget.call(client, `${namespace}:budget:${account}`, JSON.stringify(ask)),
      ) as BudgetAnswer,
    close: () => client.disconnect(),
  };
}

/** Keys are gone two minutes after they were last asked about, so there are as many as accounts in use. */
async function listAccounts(client: RedisClient, prefix: string): Promise<readonly AccountUsage[]> {
  const keys = new Set<string>();
  for (const node of client instanceof Cluster ? client.nodes("master") : [client]) {
    for await (const found of node.scanStream({ match: `${prefix}*`, count: 1000 }) as AsyncIterable<
      string[]
    >)
      for (const key of found) keys.add(key);
  }
  const [seconds = 0] = await client.time();
  const usages = await Promise.all(
    [...keys].map(async (key) => {
      const state = stateOf(await client.hgetall(key));
      return usageOf(key.slice(prefix.length), state, seconds * 1000);
    }),
  );
  return usages.filter((usage) => usage !== undefined);
}

function stateOf(fields: Readonly<Record<string, string>>): AccountState {
  const entries = Object.entries(fields);
  const named = (kind: string) => entries.filter(([name]) => name.startsWith(kind));
  return {
    spent: named("s:").map(([name, weight]) => [Number(name.slice(2)), Number(weight)]),
    processes: named("p:").map(([, figures]) => figures.split(":").map(Number)),
    closed: Number(fields["closed"] ?? 0),
  };
}
