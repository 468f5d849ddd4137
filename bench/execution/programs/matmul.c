/* Matrices of doubles, multiplied row by row so that a compiler can use vectors. */
#include <stdio.h>

enum { size = 320 };
static double left[size][size], right[size][size], product[size][size];

int main(void) {
  for (int i = 0; i < size; i++)
    for (int j = 0; j < size; j++) {
      left[i][j] = i * 0.5 - j * 0.25;
      right[i][j] = i * 0.125 + j;
    }
  for (int round = 0; round < 12; round++)
    for (int i = 0; i < size; i++)
      for (int k = 0; k < size; k++)
        for (int j = 0; j < size; j++) product[i][j] += left[i][k] * right[k][j];
  double sum = 0;
  for (int i = 0; i < size; i++) sum += product[i][(i * 7) % size];
  printf("%.17g\n", sum);
}
