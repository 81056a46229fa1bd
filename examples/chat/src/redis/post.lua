-- Keeps a post, unless the same message of the client was kept before; gives its number.
-- KEYS: last number, stream, this message.  ARGV: the post, its channel, posts kept, seconds that
-- messages are known for, seconds that an unused channel is kept for.
local known = redis.call('GET', KEYS[3])
if known then return tonumber(known) end
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000)
-- Numbers go on to grow when all is forgotten: in a millisecond less than one is said.
redis.call('SET', KEYS[1], string.format('%d', at), 'NX')
local id = string.format('%d', redis.call('INCR', KEYS[1]))
local post = string.format('%d', at) .. ' ' .. ARGV[1]
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], id .. '-0', 'post', post)
redis.call('SET', KEYS[3], id, 'EX', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[2], id .. ' ' .. post)
return tonumber(id)
