/* SPDX-License-Identifier: ISC */
/*
 * conffile.h - a configuration file to settings: names with a value each.
 *
 *	NAME [VALUE]            # from here on it is a comment
 *	NAME "VALUE with blanks, \" and \\"
 *	NAME 'VALUE as it stands'
 *
 * Knows how a file is written, not which names there are (config.h).
 */
#ifndef CONFFILE_H
#define CONFFILE_H

#include <stdbool.h>
#include <stddef.h>

#define CONFFILE_OCTETS_MAX 262144
#define CONFFILE_LINE_MAX 4096 /* octets */
#define CONFFILE_ERROR_LEN 512

struct setting {
	size_t line; /* from 1 */
	const char *name;
	const char *value; /* NULL = none */
};

/* Settings in the order of the file; all strings are its own. */
struct conffile {
	char *path; /* owned, as all is */
	char *text; /* what the strings point into */
	struct setting *setting;
	size_t nsettings;
};

/*
 * Read a file.  With `guarded`, one that others than its owner can write is
 * refused.  Returns NULL with one line in errbuf, "PATH: why" or
 * "PATH:LINE: why".
 */
struct conffile *conffile_read(
    const char *path, bool guarded, char errbuf[CONFFILE_ERROR_LEN]);

/* Parse what would stand in a file of that path; opens nothing.  Likewise. */
struct conffile *conffile_parse(const char *path, const char *octets,
    size_t len, char errbuf[CONFFILE_ERROR_LEN]);

/* NULL is fine. */
void conffile_free(struct conffile *);

#endif
