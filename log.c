/* SPDX-License-Identifier: ISC */
/*
 * log.c - one line an event, to standard error or to syslog.
 *
 * A line is put together in a local buffer and leaves in one write, so lines
 * of two threads never mix.  It takes no lock and keeps errno; a line that
 * cannot be written is lost.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define LINE_LEN 1024 /* octets of a line; what is longer is cut */

static atomic_bool to_syslog, debugging;

void
log_to_syslog(bool on)
{
	if (on)
		openlog("softprobe", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	atomic_store(&to_syslog, on);
}

void
log_set_debug(bool on)
{
	atomic_store(&debugging, on);
}

bool
log_debugging(void)
{
	return atomic_load(&debugging);
}

/*
 * Return how many octets the printable character at s takes (RFC 3629 s4),
 * or 0 if there is none: a control character, or not UTF-8.  The final NUL
 * ends every sequence that is cut short.
 */
static size_t
printable(const unsigned char *s)
{
	/* clang-format off */
	static const struct {
		unsigned char first, last; /* of the leading octet */
		unsigned char low, high;   /* of the second */
		unsigned char len;
	} shape[] = {
		{ 0x20, 0x7e, 0x00, 0xff, 1 },
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, /* without the C1 controls */
		{ 0xc3, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, /* without the surrogates */
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		if (s[0] < shape[i].first || s[0] > shape[i].last)
			continue;
		for (size_t k = 1; k < shape[i].len; k++) {
			unsigned char low = k == 1 ? shape[i].low : 0x80;
			unsigned char high = k == 1 ? shape[i].high : 0xbf;

			if (s[k] < low || s[k] > high)
				return 0;
		}
		return shape[i].len;
	}
	return 0;
}

static void
sanitise(char *text)
{
	while (*text != '\0') {
		size_t len = printable((const unsigned char *)text);

		if (len == 0)
			*text = '?';
		text += len == 0 ? 1 : len;
	}
}

/*
 * Whether standard error goes to the journal, which takes the priority as a
 * leading <N>: sd-daemon(3), and JOURNAL_STREAM in systemd.exec(5).
 */
static bool
journal_reads(void)
{
	const char *given = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (given == NULL || fstat(STDERR_FILENO, &st) == -1)
		return false;
	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	return strcmp(own, given) == 0;
}

static void
to_stderr(int priority, const char *text)
{
	char line[LINE_LEN + 32];
	int n;

	if (journal_reads())
		n = snprintf(
		    line, sizeof(line), "<%d>softprobe: %s\n", priority, text);
	else
		n = snprintf(line, sizeof(line), "softprobe: %s\n", text);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) == -1)
		return; /* nobody is left to be told */
}

void
log_msg(int priority, const char *fmt, ...)
{
	int saved = errno;
	char text[LINE_LEN];
	va_list ap;
	int n;

	if (priority == LOG_DEBUG && !log_debugging())
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0) {
		sanitise(text);
		if (atomic_load(&to_syslog))
			syslog(priority, "%s", text);
		else
			to_stderr(priority, text);
	}
	errno = saved;
}
