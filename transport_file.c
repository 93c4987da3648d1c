/* SPDX-License-Identifier: ISC */
/*
 * transport_file.c - messages into files: lines that are appended to one, or
 * IPFIX files (RFC 5655) that get their name when they are complete.
 *
 * A file is there from its first message on.  What cannot be written, as on a
 * full disk, waits in the queue and is tried again: a file has no half
 * messages but at its end, and none when it is complete.
 */
#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "record.h"
#include "transport_internal.h"

#define NAME_LEN 1024
#define SAME_NAME_MAX 10000     /* files whose names differ by a number */
#define AGAIN_NS (NS_PER_S / 2) /* between tries to write */

/* What t->context points to. */
struct file {
	bool regular;      /* its end can be cut off */
	uint64_t begin_ns; /* when its first message was made */
	uint64_t before;   /* octets handed over for earlier files */
	uint64_t again_ns; /* monotonic: when to try, after trouble */
	char name[NAME_LEN], part[NAME_LEN + 8];
};

static bool
is_appended(const struct transport *t)
{
	return t->config->kind != COLLECTOR_FILE;
}

static bool
is_stdout(const struct transport *t)
{
	return strcmp(t->config->path, "-") == 0;
}

/* Octets handed over for the file at hand, written or not. */
static uint64_t
handed_over(const struct transport *t)
{
	const struct file *f = t->context;

	return t->stats.octets + t->stats.queued_octets - f->before;
}

/* Say once what is wrong. */
static void
trouble(struct transport *t, int error)
{
	struct file *f = t->context;

	t->stats.errors++;
	f->again_ns = t->now_ns + AGAIN_NS;
	if (!t->complained)
		log_warn("collector %s: %s; will keep trying", t->name,
		    strerror(error));
	t->complained = true;
}

/* Names ---------------------------------------------------------------------
 */

/* Put the time into a name, as UTC.  0, or -1 with errno. */
static int
expand_name(char *name, size_t size, const char *pattern, uint64_t time_ns)
{
	time_t seconds = (time_t)(time_ns / NS_PER_S);
	struct tm tm;

	errno = ENAMETOOLONG;
	if (gmtime_r(&seconds, &tm) == NULL)
		return -1;
	return strftime(name, size, pattern, &tm) == 0 ? -1 : 0;
}

/*
 * Choose the names of a file.  One whose name has a time never replaces
 * another: if need be, a number follows.
 */
static int
choose_names(struct transport *t)
{
	struct file *f = t->context;
	const char *pattern = t->config->path;
	char name[NAME_LEN - 12]; /* a number may follow */

	if (expand_name(name, sizeof(name), pattern, f->begin_ns) == -1)
		return -1;
	(void)strlcpy(f->name, name, sizeof(f->name));
	for (int i = 1; endpoint_is_dated(t->config) && i < SAME_NAME_MAX &&
			access(f->name, F_OK) == 0;
	     i++)
		(void)snprintf(f->name, sizeof(f->name), "%s-%d", name, i);
	(void)snprintf(f->part, sizeof(f->part), "%s.part", f->name);
	return 0;
}

/* Files ---------------------------------------------------------------------
 */

/* Open the file that the next message goes to.  0, or -1 with errno. */
static int
open_next(struct transport *t)
{
	const int flags =
	    O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct file *f = t->context;
	struct stat st;

	if (is_stdout(t))
		t->fd = dup(STDOUT_FILENO);
	else if (is_appended(t))
		t->fd = open(t->config->path, flags | O_APPEND, 0644);
	else if (choose_names(t) == 0)
		t->fd = open(f->part, flags | O_TRUNC, 0644);
	if (t->fd == -1 || fstat(t->fd, &st) == -1)
		return -1;
	f->regular = S_ISREG(st.st_mode);
	t->events = f->regular ? 0 : POLLOUT;
	return 0;
}

/* Cut half a message off the end, so that it can be written again. */
static void
cut_half(struct transport *t)
{
	const struct file *f = t->context;
	struct stat st;

	if (t->written == 0 || !f->regular || fstat(t->fd, &st) == -1)
		return;
	if (ftruncate(t->fd, st.st_size - (off_t)t->written) == 0)
		t->written = 0;
}

/* The file is complete: give it its name. */
static void
file_close(struct transport *t, bool orderly)
{
	struct file *f = t->context;

	(void)orderly;
	cut_half(t);
	f->before = t->stats.octets;
	if (!is_appended(t) && !is_stdout(t) && rename(f->part, f->name) == -1)
		log_warn("collector %s: %s stays %s: %s", t->name, f->name,
		    f->part, strerror(errno));
}

/*
 * Write some of the message at the front: all of it into a file, and as much
 * into a pipe as it takes without waiting.
 */
static ssize_t
write_some(struct transport *t, const struct queued *m)
{
	const struct file *f = t->context;
	struct pollfd pfd = { .fd = t->fd, .events = POLLOUT };
	size_t len = m->len - t->written;

	if (!f->regular && len > PIPE_BUF)
		len = PIPE_BUF;
	if (!f->regular && poll(&pfd, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(t->fd, m->data + t->written, len);
}

/* Write what waits.  0, or -1 with errno. */
static int
write_all(struct transport *t)
{
	while (queue_count(t->queue) > 0) {
		const struct queued *m = queue_peek(t->queue, 0);
		ssize_t n = write_some(t, m);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		t->written += (size_t)n;
		if (t->written == m->len)
			transport_sent(t);
	}
	return 0;
}

static int
file_flush(struct transport *t)
{
	const struct file *f = t->context;

	if (t->complained && t->now_ns < f->again_ns)
		return 0;
	if ((t->fd == -1 && open_next(t) == -1) || write_all(t) == -1) {
		if (!transport_would_block(errno))
			trouble(t, errno);
		return 0;
	}
	if (t->complained)
		log_note("collector %s: can be written again", t->name);
	t->complained = false;
	return 0;
}

/* What is appended to is opened at once, while we may. */
static enum carrier_result
file_connect(struct transport *t)
{
	if (is_appended(t) && open_next(t) == -1)
		trouble(t, errno);
	return CARRIER_UP;
}

static int
file_init(struct transport *t)
{
	t->context = calloc(1, sizeof(struct file));
	return t->context == NULL ? -1 : 0;
}

static void
file_fini(struct transport *t)
{
	free(t->context);
}

static int
file_receive(struct transport *t)
{
	(void)t;
	return 0;
}

const struct carrier carrier_file = { .local = true,
	.init = file_init,
	.fini = file_fini,
	.connect = file_connect,
	.flush = file_flush,
	.receive = file_receive,
	.close = file_close };

/* What only files have ------------------------------------------------------
 */

void
transport_date(struct transport *t, uint64_t now_ns)
{
	struct file *f = t->context;

	if (t->carrier == &carrier_file && handed_over(t) == 0)
		f->begin_ns = now_ns;
}

bool
transport_fresh(const struct transport *t)
{
	struct stat st;

	if (t->carrier != &carrier_file || handed_over(t) != 0)
		return false;
	if ((t->fd != -1 ? fstat(t->fd, &st) : stat(t->config->path, &st)) ==
	    -1)
		return true;
	return !S_ISREG(st.st_mode) || st.st_size == 0;
}

bool
transport_complete(const struct transport *t, uint64_t now_ns, size_t len)
{
	const struct collector_config *c = t->config;
	const struct file *f = t->context;
	uint64_t rotate_ns = c->rotate_ms * NS_PER_MS;

	if (t->carrier != &carrier_file || handed_over(t) == 0)
		return false;
	if (c->file_octets != 0 && handed_over(t) + len > c->file_octets)
		return true;
	return rotate_ns != 0 && now_ns / rotate_ns != f->begin_ns / rotate_ns;
}

bool
transport_turn(struct transport *t)
{
	if (t->carrier != &carrier_file || is_stdout(t))
		return false;
	transport_flush(t);
	/* What waits belongs to the file at hand, but lines to any. */
	if (queue_count(t->queue) > 0 && !is_appended(t))
		return false;
	transport_close(t, true);
	return true;
}
