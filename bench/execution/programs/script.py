import hashlib, json, re

def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

counts = {}
for i in range(200000):
    counts[str(i % 5000)] = counts.get(str(i % 5000), 0) + i
text = json.dumps(counts)
print(fibonacci(22), len(json.loads(text)), sum(counts.values()), len(re.findall(r'\d+', text)))
