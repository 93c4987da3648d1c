/* SPDX-License-Identifier: ISC */
/*
 * fuzz_driver.c - a main() for the fuzz targets where there is no libFuzzer.
 *
 * Runs every seed as it is, then seeds with random changes until the time is
 * up.  It is not guided by coverage; the sanitizers it is built with find
 * what the target does wrong.  Takes libFuzzer's -max_total_time, -max_len and
 * -artifact_prefix, and passes over its other options.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEEDS_MAX 4096
#define CHANGES_MAX 8

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct seed {
	uint8_t *data;
	size_t len;
} seed[SEEDS_MAX];
static size_t nseeds;
static size_t max_len = 65536;
static const char *artifact_prefix = "";
static uint64_t state = 1, runs;

static uint32_t
draw(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return below == 0 ? 0 : (uint32_t)(state >> 33) % below;
}

static void
load(const char *dir, const char *name)
{
	char path[1024];
	struct seed *s = &seed[nseeds];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (nseeds == SEEDS_MAX || (f = fopen(path, "rb")) == NULL)
		return;
	s->data = malloc(max_len);
	s->len = s->data == NULL ? 0 : fread(s->data, 1, max_len, f);
	fclose(f);
	if (s->len > 0)
		nseeds++;
	else
		free(s->data);
}

static void
load_all(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			load(dir, e->d_name);
	if (d != NULL)
		closedir(d);
}

/* Keep the input at hand where it can be found if the target crashes. */
static void
keep(const uint8_t *data, size_t len)
{
	char path[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%slast", artifact_prefix);
	f = fopen(path, "wb");
	if (f == NULL)
		return;
	fwrite(data, 1, len, f);
	fclose(f);
}

/* An exact copy, so that a read past its end is seen. */
static void
run(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	if (copy == NULL)
		return;
	memcpy(copy, data, len);
	if (runs % 1024 == 0)
		keep(data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	runs++;
}

static void
change(uint8_t *data, size_t *len)
{
	static const uint8_t odd[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint32_t at = draw((uint32_t)*len);

	if (*len == 0)
		return;
	switch (draw(4)) {
	case 0:
		data[at] ^= (uint8_t)(1U << draw(8));
		break;
	case 1:
		data[at] = odd[draw(sizeof(odd))];
		break;
	case 2:
		data[at] = (uint8_t)draw(256);
		break;
	default:
		*len = at + 1; /* cut it off */
	}
}

static void
run_changed(uint8_t *work)
{
	const struct seed *s = &seed[draw((uint32_t)nseeds)];
	size_t len = s->len;

	memcpy(work, s->data, len);
	for (uint32_t n = draw(CHANGES_MAX) + 1; n > 0; n--)
		change(work, &len);
	run(work, len);
}

int
main(int argc, char **argv)
{
	time_t end = time(NULL) + 10;
	uint8_t *work;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "-max_total_time=", 16) == 0)
			end = time(NULL) + strtol(argv[i] + 16, NULL, 10);
		else if (strncmp(argv[i], "-artifact_prefix=", 17) == 0)
			artifact_prefix = argv[i] + 17;
		else if (argv[i][0] != '-')
			load_all(argv[i]);
	}
	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	work = malloc(max_len);
	if (nseeds == 0 || work == NULL) {
		free(work);
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < nseeds; i++)
		run(seed[i].data, seed[i].len);
	while (time(NULL) < end)
		for (int i = 0; i < 64; i++)
			run_changed(work);
	for (size_t i = 0; i < nseeds; i++)
		free(seed[i].data);
	free(work);
	fprintf(stderr, "stat::number_of_executed_units: %llu\n",
	    (unsigned long long)runs);
	return EXIT_SUCCESS;
}
