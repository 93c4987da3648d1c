/* SPDX-License-Identifier: ISC */
/*
 * fuzz_config.c - any words as a command line.
 *
 * Words end with a NUL or a line break.  Either there is a configuration all
 * of which is within bounds, or one line that says why not.  The second time
 * there is no descriptor to be had: what is the same then needed none, so
 * nothing was opened; and none is left open.
 */
#include <sys/resource.h>

#include <fcntl.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"
#include "message.h"

#define WORDS_MAX 64

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	hide_stdout(); /* --help, --elements */
	return 0;
}

/* Cut text into words; returns how many. */
static int
split(char *text, size_t size, char *words[WORDS_MAX + 1])
{
	static char name[] = "softprobe";
	int n = 0;

	words[n++] = name;
	for (size_t i = 0; i < size && n < WORDS_MAX; i++) {
		if (i == 0 || text[i - 1] == '\0')
			words[n++] = text + i;
		if (text[i] == '\n')
			text[i] = '\0';
	}
	words[n] = NULL;
	return n;
}

static void
check_collectors(const struct config *cfg)
{
	require(cfg->ncollectors <= CONFIG_COLLECTORS_MAX);
	for (size_t i = 0; i < cfg->ncollectors; i++) {
		const struct collector_config *c = &cfg->collector[i];
		const struct dialect *d = dialect_for(c->version);

		require(d != NULL);
		require(!d->has_sets ||
			message_least(d, &cfg->exporter.fields) <= c->mtu);
		require(c->options <= EXPORT_ALL ||
			c->options == EXPORT_IF_SAMPLED);
		require(transport_unsupported(c->kind) == NULL);
	}
}

static void
check_config(const struct config *cfg)
{
	require(cfg->nsources > 0 && cfg->nsources <= CONFIG_SOURCES_MAX);
	require(cfg->workers > 0 && cfg->workers <= METERS_MAX);
	require(cfg->track.max_flows > 0);
	require(cfg->track.max_flows <= FLOWTRACK_MAX_FLOWS);
	require(cfg->track.key < KEY_LEVELS);
	for (int t = 0; t < TIMEOUTS; t++)
		require(cfg->track.timeout_ms[t] <= TIMEOUT_MAX_MS);
	require(cfg->capture.snaplen >= 64 && cfg->capture.snaplen <= 262144);
	require(cfg->exporter.sampling.interval > 0);
	require(!cfg->replay || cfg->control_path == NULL ||
		*cfg->control_path != '\0');
	check_collectors(cfg);
}

static enum config_result
parse(const uint8_t *data, size_t size, char errbuf[CONFIG_ERROR_LEN])
{
	static struct config cfg;
	char *text = text_of(data, size), *words[WORDS_MAX + 1];
	enum config_result result =
	    config_parse(&cfg, NULL, split(text, size, words), words, errbuf);

	if (result == CONFIG_RUN) {
		check_config(&cfg);
		config_free(&cfg);
	} else if (result == CONFIG_BAD) {
		require_one_line(errbuf);
	}
	free(text);
	return result;
}

/* The lowest descriptor that is not in use. */
static int
next_descriptor(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	require(fd != -1);
	close(fd);
	return fd;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char errbuf[CONFIG_ERROR_LEN], again[CONFIG_ERROR_LEN];
	int fd = next_descriptor();
	struct rlimit all, none;
	enum config_result result;

	require(getrlimit(RLIMIT_NOFILE, &all) == 0);
	none = (struct rlimit){ 0, all.rlim_max };
	result = parse(data, size, errbuf);
	require(setrlimit(RLIMIT_NOFILE, &none) == 0);
	require(parse(data, size, again) == result);
	require(setrlimit(RLIMIT_NOFILE, &all) == 0);
	require(result != CONFIG_BAD || strcmp(errbuf, again) == 0);
	require(next_descriptor() == fd);
	return 0;
}
