/* SPDX-License-Identifier: ISC */
/*
 * fuzz_conffile.c - any octets as a configuration file.
 *
 * Either there are settings, whose strings stand in the text, and from them a
 * configuration that would start; or one line says which line of the file is
 * wrong, or what the options together lack.
 */
#include "conffile.h"
#include "config.h"
#include "fuzz.h"

static void
check_settings(const struct conffile *f, size_t size)
{
	const char *end = f->text + size;

	for (size_t i = 0; i < f->nsettings; i++) {
		const struct setting *s = &f->setting[i];

		require(s->line > (i == 0 ? 0 : s[-1].line));
		require(s->name >= f->text && s->name < end && *s->name != 0);
		require(strpbrk(s->name, " \t\r\n=") == NULL);
		require(s->value == NULL ||
			(s->value > s->name && s->value <= end));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char program[] = "softprobe", debug[] = "--debug";
	static struct config cfg;
	char *words[] = { program, debug, NULL };
	char errbuf[CONFIG_ERROR_LEN];
	char *text = text_of(data, size);
	struct conffile *f = conffile_parse("FILE", text, size, errbuf);

	free(text);
	if (f == NULL) {
		require(strncmp(errbuf, "FILE:", 5) == 0);
		require_one_line(errbuf);
		return 0;
	}
	check_settings(f, size);
	switch (config_parse(&cfg, f, 2, words, errbuf)) {
	case CONFIG_RUN:
		require(cfg.file == f && cfg.nsources > 0 && !cfg.check);
		config_free(&cfg);
		break;
	case CONFIG_BAD:
		require_one_line(errbuf);
		break;
	case CONFIG_EXIT: /* no file has the program tell something */
		require(false);
	}
	return 0;
}
