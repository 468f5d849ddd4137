/*
 * Intel ISA-L, for bench/data/isa-l.ts: what pleach's code is measured beside, and an independent judge of its bytes.
 *
 *   isa-l parity K M BYTES     K strips of BYTES from stdin, M strips of parity to stdout (gf_gen_cauchy1_matrix)
 *   isa-l serve                answers lines `best|avx2|sse K M BYTES LOST REPEATS` with GB/s of data by processor time, one
 *                              thread: encoding when LOST is 0, else making the first LOST data strips of the rest. 0 where
 *                              the processor has no AVX2
 */
#include <isa-l/erasure_code.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void encoder(int, int, int, unsigned char *, unsigned char **, unsigned char **);

/* Exported by the library, but in no header. */
encoder ec_encode_data_avx2;

static unsigned char *strips[512];

/* All strips in one piece, 64 bytes more than their length apart, as pleach lays them. */
static unsigned char *lay_out(int count, size_t bytes)
{
	size_t stride = (bytes + 63) / 64 * 64 + 64;
	unsigned char *memory;
	if (posix_memalign((void **)&memory, 64, count * stride)) exit(1);
	memset(memory, 0x5a, count * stride);
	for (int i = 0; i < count; i++) strips[i] = memory + i * stride;
	return memory;
}

static int parity(int k, int m, int bytes)
{
	unsigned char *matrix = malloc((k + m) * k), *tables = malloc(32 * k * m + 1);
	lay_out(k + m, bytes);
	for (int i = 0; i < k; i++)
		if (fread(strips[i], 1, bytes, stdin) != (size_t)bytes) return 1;
	gf_gen_cauchy1_matrix(matrix, k + m, k);
	ec_init_tables(k, m, matrix + k * k, tables);
	ec_encode_data(bytes, k, m, tables, strips, strips + k);
	for (int i = k; i < k + m; i++) fwrite(strips[i], 1, bytes, stdout);
	return 0;
}

/* Rows that make the first `lost` strips of those with the numbers lost … lost + k − 1. */
static int decoding_rows(int k, int m, int lost, unsigned char *rows)
{
	unsigned char *matrix = malloc((k + m) * k), *inverse = malloc(k * k);
	gf_gen_cauchy1_matrix(matrix, k + m, k);
	if (gf_invert_matrix(matrix + lost * k, inverse, k)) return 1;
	memcpy(rows, inverse, lost * k);
	free(matrix);
	free(inverse);
	return 0;
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static encoder *encoder_of(const char *path)
{
	if (!strcmp(path, "sse")) return ec_encode_data_sse;
	if (!strcmp(path, "avx2")) return __builtin_cpu_supports("avx2") ? ec_encode_data_avx2 : NULL;
	return ec_encode_data;
}

static int serve(void)
{
	char path[8];
	int k, m, bytes, lost, repeats;
	while (scanf("%7s %d %d %d %d %d", path, &k, &m, &bytes, &lost, &repeats) == 6) {
		encoder *encode = encoder_of(path);
		if (!encode) {
			puts("0");
			fflush(stdout);
			continue;
		}
		int rows = lost ? lost : m;
		unsigned char *matrix = malloc((k + m) * k), *tables = malloc(32 * k * rows);
		unsigned char *memory = lay_out(k + m + lost, bytes);
		gf_gen_cauchy1_matrix(matrix, k + m, k);
		if (lost && decoding_rows(k, m, lost, matrix + k * k)) return 1;
		ec_init_tables(k, rows, matrix + k * k, tables);
		unsigned char **from = strips + lost, **to = strips + (lost ? k + m : k);
		encode(bytes, k, rows, tables, from, to);
		double began = seconds();
		for (int i = 0; i < repeats; i++) encode(bytes, k, rows, tables, from, to);
		printf("%f\n", (double)k * bytes * repeats / (seconds() - began) / 1e9);
		fflush(stdout);
		free(matrix);
		free(tables);
		free(memory);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "parity")) return parity(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	if (argc == 2 && !strcmp(argv[1], "serve")) return serve();
	return 2;
}
