local function fibonacci(n) if n < 2 then return n end return fibonacci(n - 1) + fibonacci(n - 2) end

math.randomseed(1)
local numbers = {}
for i = 1, 300000 do numbers[i] = (i * 7919) % 100003 end
table.sort(numbers)
local pieces = {}
for i = 1, 100000 do pieces[#pieces + 1] = string.format('%d:%s', i, numbers[i]) end
local text, digits = table.concat(pieces, ','), 0
for word in text:gmatch('%d+') do digits = digits + #word end
print(fibonacci(29), #text, digits, 0.1 + 0.2)
