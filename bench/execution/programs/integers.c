/* Loops, branches and calls over integers: a sieve, a sort, a hash, and a recursion. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char composite[4000000];
static unsigned numbers[400000];
static unsigned state = 12345;

static unsigned next(void) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

static int compare(const void *left, const void *right) {
  unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
  return a < b ? -1 : a > b;
}

static unsigned fibonacci(unsigned n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

int main(void) {
  unsigned long long sum = 0;
  for (int round = 0; round < 8; round++) {
    memset(composite, 0, sizeof composite);
    for (unsigned i = 2; i * i < sizeof composite; i++)
      if (!composite[i])
        for (unsigned j = i * i; j < sizeof composite; j += i) composite[j] = 1;
    for (unsigned i = 2; i < sizeof composite; i++) sum += !composite[i];
  }
  for (int i = 0; i < 400000; i++) numbers[i] = next();
  qsort(numbers, 400000, sizeof *numbers, compare);
  for (int i = 0; i < 400000; i += 1000) sum += numbers[i];
  sum += fibonacci(33);
  unsigned hash = 2166136261u;
  for (int i = 0; i < 40000000; i++) hash = (hash ^ (i & 255)) * 16777619;
  printf("%llu\n", sum + hash);
}
