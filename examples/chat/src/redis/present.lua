-- Says who is in a room on one server, and forgets servers that have not said so for a while; gives
-- what each server said.
-- KEYS: the room.  ARGV: server, names, their channel, milliseconds that this holds for.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] == '[]' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%d', now + ARGV[4]) .. ' ' .. ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
if (before and string.match(before, ' (.*)') or '[]') ~= ARGV[2] then
    redis.call('PUBLISH', ARGV[3], 'present')
end
local all = redis.call('HGETALL', KEYS[1])
local names = {}
for i = 1, #all, 2 do
    local expires, said = string.match(all[i + 1], '^(%d+) (.*)$')
    if tonumber(expires) < now then
        redis.call('HDEL', KEYS[1], all[i])
    else
        names[#names + 1] = said
    end
end
return names
