/* SPDX-License-Identifier: ISC */
/*
 * conffile.c - a configuration file to settings; see conffile.h.
 *
 * The text is cut up in place, a line at a time.  What names mean, and whether
 * values are good, is for config.c to say.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conffile.h"
#include "values.h"

#define BLANKS " \t\r"
#define PATH_SHOWN_MAX 200

/* Say what is wrong with a file, or with one of its lines.  Returns -1. */
static int __attribute__((format(printf, 4, 5)))
refuse(char errbuf[CONFFILE_ERROR_LEN], const char *path, size_t line,
    const char *fmt, ...)
{
	char place[24] = "", why[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (line != 0)
		(void)snprintf(place, sizeof(place), ":%zu", line);
	(void)snprintf(errbuf, CONFFILE_ERROR_LEN, "%.*s%s: %s", PATH_SHOWN_MAX,
	    path, place, why);
	value_one_line(errbuf);
	return -1;
}

/* Lines ------------------------------------------------------------------ */

/*
 * Take a quoted value apart, in place: *text stands at the first quote, and
 * then behind the second.  NULL if there is none.
 */
static char *
unquote(char **text)
{
	char *at = *text, quote = *at++, *value = at, *to = at;

	for (; *at != quote; *to++ = *at++) {
		if (quote == '"' && *at == '\\' &&
		    (at[1] == '"' || at[1] == '\\'))
			at++;
		if (*at == '\0')
			return NULL;
	}
	*text = at + 1;
	*to = '\0';
	return value;
}

/* Whether nothing but a comment follows. */
static bool
is_end(const char *text)
{
	text += strspn(text, BLANKS);
	return *text == '\0' || *text == '#';
}

/* Cut a word off at `text`; returns what follows it. */
static char *
cut_word(char *text)
{
	text += strcspn(text, BLANKS);
	if (*text != '\0')
		*text++ = '\0';
	return text + strspn(text, BLANKS);
}

/* Read a value, of which there is one.  0, or -1 with the reason. */
static int
read_value(char *text, const char **value, const char **why)
{
	*value = text;
	if (*text == '"' || *text == '\'') {
		*value = unquote(&text);
		*why = "a quote is missing at the end; give it";
		if (*value == NULL)
			return -1;
		*why = "there is more behind the quotes; quote all of the "
		       "value";
		/* A comment begins behind a blank. */
		return is_end(text) && *text != '#' ? 0 : -1;
	}
	*why = "a name takes one value; quote one that has blanks";
	return is_end(cut_word(text)) ? 0 : -1;
}

/* Read a line, which may have no setting.  0, or -1 with the reason. */
static int
read_line(struct conffile *f, char *text, size_t line, const char **why)
{
	struct setting s = { .line = line };

	text += strspn(text, BLANKS);
	if (is_end(text))
		return 0;
	s.name = text;
	text = cut_word(text);
	*why = "give NAME VALUE, with a blank between and no =";
	if (strchr(s.name, '=') != NULL || *text == '=')
		return -1;
	if (!is_end(text) && read_value(text, &s.value, why) == -1)
		return -1;
	f->setting[f->nsettings++] = s;
	return 0;
}

/* Read all lines.  0, or -1 with errbuf. */
static int
read_lines(struct conffile *f, size_t len, char errbuf[CONFFILE_ERROR_LEN])
{
	char *text = f->text, *end = f->text + len;

	for (size_t line = 1; text < end; line++) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline == NULL ? end : newline) - text);
		const char *why;

		if (n > CONFFILE_LINE_MAX)
			return refuse(errbuf, f->path, line,
			    "the line has more than %d octets; repeat the "
			    "name on several",
			    CONFFILE_LINE_MAX);
		if (memchr(text, '\0', n) != NULL)
			return refuse(errbuf, f->path, line,
			    "there is a NUL octet; give text");
		text[n] = '\0';
		if (read_line(f, text, line, &why) == -1)
			return refuse(errbuf, f->path, line, "%s", why);
		text += n + 1;
	}
	return 0;
}

static size_t
count_lines(const char *text, size_t len)
{
	size_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

struct conffile *
conffile_parse(const char *path, const char *octets, size_t len,
    char errbuf[CONFFILE_ERROR_LEN])
{
	struct conffile *f = calloc(1, sizeof(*f));

	if (f != NULL) {
		f->path = strdup(path);
		f->text = malloc(len + 1);
		f->setting =
		    calloc(count_lines(octets, len), sizeof(f->setting[0]));
	}
	if (f == NULL || f->path == NULL || f->text == NULL ||
	    f->setting == NULL) {
		(void)refuse(errbuf, path, 0, "out of memory");
		conffile_free(f);
		return NULL;
	}
	memcpy(f->text, octets, len);
	f->text[len] = '\0';
	if (read_lines(f, len, errbuf) == 0)
		return f;
	conffile_free(f);
	return NULL;
}

void
conffile_free(struct conffile *f)
{
	if (f == NULL)
		return;
	free(f->path);
	free(f->text);
	free(f->setting);
	free(f);
}

/* Files ------------------------------------------------------------------ */

/* Whether an open file may be read.  0, or -1 with errbuf. */
static int
check_file(
    int fd, const char *path, bool guarded, char errbuf[CONFFILE_ERROR_LEN])
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return refuse(errbuf, path, 0, "%s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(errbuf, path, 0, "is not a file; give one");
	if (guarded && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return refuse(errbuf, path, 0,
		    "others than its owner can write it, and root would do "
		    "what they say; chmod go-w it");
	return 0;
}

/* Read all of it, as far as it may be: how many octets, or -1 with errno. */
static ssize_t
read_all(int fd, char *text, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, text + len, size - len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static struct conffile *
read_open(
    int fd, const char *path, bool guarded, char errbuf[CONFFILE_ERROR_LEN])
{
	static char text[CONFFILE_OCTETS_MAX + 1];
	ssize_t len;

	if (check_file(fd, path, guarded, errbuf) == -1)
		return NULL;
	len = read_all(fd, text, sizeof(text));
	if (len == -1)
		(void)refuse(errbuf, path, 0, "%s", strerror(errno));
	else if (len > CONFFILE_OCTETS_MAX)
		(void)refuse(errbuf, path, 0,
		    "has more than %d octets; give less", CONFFILE_OCTETS_MAX);
	else
		return conffile_parse(path, text, (size_t)len, errbuf);
	return NULL;
}

struct conffile *
conffile_read(const char *path, bool guarded, char errbuf[CONFFILE_ERROR_LEN])
{
	/* What waits for a writer, or is a terminal, is no file. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct conffile *f;

	if (fd == -1) {
		(void)refuse(
		    errbuf, path, 0, "cannot be read: %s", strerror(errno));
		return NULL;
	}
	f = read_open(fd, path, guarded, errbuf);
	(void)close(fd);
	return f;
}
