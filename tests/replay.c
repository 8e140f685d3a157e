/*
 * replay: feeds kept inputs to one fuzzer's function without a fuzzing engine.
 *
 *   NAME_fuzz FILE...
 *
 * Each file is given whole, then cut short at a few places, then with single
 * bits turned: a cheap check in every test run that parsers stay in bounds.
 * A fault ends the program by a signal. Prints the number of inputs tried.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20)
#define TURNS 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long tried;

/* Exactly sized copies let a sanitizer see the first byte read too far. */
static void try_input(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		exit(111);
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	tried++;
}

static void try_variants(uint8_t *data, size_t size)
{
	uint32_t state = 1;

	try_input(data, size);
	for (size_t cut = 0; cut < size; cut += 1 + size / 32)
		try_input(data, cut);
	for (int i = 0; i < TURNS && size > 0; i++) {
		state = state * 1664525u + 1013904223u;
		size_t at = (state >> 8) % size;
		uint8_t bit = (uint8_t)(1u << (state & 7));
		data[at] ^= bit;
		try_input(data, size);
		data[at] ^= bit;
	}
}

static int try_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		return 1;
	}
	size_t n = fread(data, 1, sizeof data, f);
	fclose(f);
	try_variants(data, n);
	return 0;
}

int main(int argc, char **argv)
{
	uint8_t nothing = 0;
	int failed = 0;

	try_input(&nothing, 0);
	try_input(&nothing, 1);
	for (int i = 1; i < argc; i++)
		failed |= try_file(argv[i]);
	printf("%lu inputs\n", tried);
	return failed;
}
