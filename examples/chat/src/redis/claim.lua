-- Gives a name to a client, if nobody else has it.  KEYS: the name.  ARGV: client, seconds.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
