/* SPDX-License-Identifier: ISC */
/*
 * log.c - one line an event, to standard error or to syslog.
 *
 * A line is put together in a local buffer and leaves in one write, so lines
 * of two threads never mix.  It takes no lock and keeps errno; a line that
 * cannot be written is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

#ifndef _PATH_LOG
#define _PATH_LOG "/dev/log"
#endif
#define LINE_LEN 1024 /* octets of a line; what is longer is cut */

static atomic_bool to_syslog, debugging;
static int last_fd = -1; /* to syslog, for the last words */

/*
 * syslog(3) may not be called by a signal handler, and a sandbox may keep it
 * from opening a socket: have one at hand.
 */
static void
open_last(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = _PATH_LOG };

	last_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (last_fd == -1)
		return;
	(void)fcntl(last_fd, F_SETFD, FD_CLOEXEC);
	if (connect(last_fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		return;
	close(last_fd);
	last_fd = -1;
}

void
log_to_syslog(bool on)
{
	if (on) {
		openlog("softprobe", LOG_PID | LOG_NDELAY, LOG_DAEMON);
		if (last_fd == -1)
			open_last();
	}
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

static void
sanitise(char *text)
{
	while (*text != '\0') {
		size_t len = text_printable((const unsigned char *)text);

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

void
log_last_words(const char *text)
{
	bool syslogging = atomic_load(&to_syslog);
	char line[256];

	/* <27>: LOG_DAEMON and LOG_ERR, as syslog(3) would put it. */
	(void)strlcpy(
	    line, syslogging ? "<27>softprobe: " : "softprobe: ", sizeof(line));
	(void)strlcat(line, text, sizeof(line) - 1);
	if (!syslogging)
		(void)strlcat(line, "\n", sizeof(line));
	if (write(syslogging ? last_fd : STDERR_FILENO, line, strlen(line)) ==
	    -1)
		return; /* nobody is left to be told */
}
