/* SPDX-License-Identifier: ISC */
/*
 * input.c - a file, pipe or gzip'd file by reads or as a stdio stream.
 *
 * It knows nothing of what the octets mean but gzip's magic (RFC 1952
 * s2.3.1), and never seeks: what works for a file works for a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <stdio_ext.h>
#endif
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "input.h"
#include "wake.h"

#define STREAM_LEN 262144    /* of the stdio buffer */
#define RAW_LEN 65536        /* octets of the file ahead of the stream */
#define INFLATE_OCTETS 65536 /* that zlib takes; its manual says 44 KiB */
#define READ_MAX INT_MAX     /* octets of one read: zlib and stdio count so */

struct input {
	int fd;
	struct input_waiter waiter;
	FILE *stream; /* NULL once it is closed */
	const char *error;
	bool stopped;
	uint64_t size, position; /* octets; size 0 = not known */
	atomic_int permille;     /* not 64 bits: lock-free everywhere */
#ifdef HAVE_ZLIB
	z_stream z;
	bool inflating;
	bool between_members; /* the stream may end here */
#endif
	size_t peek_pos, peek_len;
	uint8_t peek[INPUT_PEEK_MAX]; /* decompressed; come before all else */
	size_t raw_pos, raw_len;
	uint8_t raw[RAW_LEN];
	char buffer[STREAM_LEN];
};

static int
fd_of(const struct wake *wake)
{
	return wake == NULL ? -1 : wake_fd(wake);
}

/*
 * Wait until the file can be read.  A regular file always can, so there this
 * only looks at `stop`.  Returns 0, or -1 with errno.
 */
static int
wait_readable(struct input *in)
{
	const struct input_waiter *w = &in->waiter;
	struct pollfd pfd[3] = {
		{ .fd = fd_of(w->stop), .events = POLLIN },
		{ .fd = in->fd, .events = POLLIN },
		{ .fd = fd_of(w->call), .events = POLLIN },
	};
	int timeout_ms = w->waiting == NULL ? -1 : 0;

	for (;;) {
		int n = poll(pfd, 3, timeout_ms);

		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0 && pfd[0].revents != 0)
			in->stopped = true;
		if (n > 0 && (pfd[0].revents | pfd[1].revents) != 0)
			return 0;
		if (n >= 0 && w->waiting != NULL)
			w->waiting(w->arg);
		if (n == 0)
			timeout_ms = -1;
	}
}

static void
advance(struct input *in, size_t n)
{
	uint64_t permille;

	in->position += n;
	if (in->size == 0)
		return;
	permille =
	    in->position >= in->size ? 1000 : in->position * 1000 / in->size;
	atomic_store_explicit(
	    &in->permille, (int)permille, memory_order_relaxed);
}

/* As read(2), but 0 once stopped, and waits where read would not. */
static ssize_t
read_file(struct input *in, void *buf, size_t len)
{
	for (;;) {
		ssize_t n;

		if (in->stopped)
			return 0;
		if (wait_readable(in) == -1)
			return -1;
		if (in->stopped)
			return 0;
		n = read(in->fd, buf, len);
		if (n > 0)
			advance(in, (size_t)n);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n;
	}
}

static ssize_t
read_plain(struct input *in, void *buf, size_t len)
{
	size_t ahead = in->raw_len - in->raw_pos;

	if (ahead == 0)
		return read_file(in, buf, len);
	if (len > ahead)
		len = ahead;
	memcpy(buf, in->raw + in->raw_pos, len);
	in->raw_pos += len;
	return (ssize_t)len;
}

#ifdef HAVE_ZLIB

/* Read ahead into the empty raw buffer; as read(2). */
static ssize_t
refill(struct input *in)
{
	ssize_t n = read_file(in, in->raw, RAW_LEN);

	in->raw_pos = 0;
	in->raw_len = n > 0 ? (size_t)n : 0;
	return n;
}

static int
gzip_fail(struct input *in, const char *why)
{
	in->error = why;
	errno = EIO;
	return -1;
}

/*
 * Between two members (RFC 1952 s2.2): step over the zeros that tapes and
 * block devices pad with, and get ready for the next member, if there is one.
 */
static void
next_member(struct input *in)
{
	while (in->raw_pos < in->raw_len && in->raw[in->raw_pos] == 0)
		in->raw_pos++;
	if (in->raw_pos == in->raw_len)
		return;
	in->between_members = false;
	inflateReset(&in->z);
}

/*
 * Feed zlib what is ahead, which may be nothing: it can hold back output that
 * did not fit the last time.
 */
static int
inflate_ahead(struct input *in)
{
	int status;

	in->z.next_in = in->raw + in->raw_pos;
	in->z.avail_in = (uInt)(in->raw_len - in->raw_pos);
	status = inflate(&in->z, Z_NO_FLUSH);
	in->raw_pos = in->raw_len - in->z.avail_in;
	in->between_members = status == Z_STREAM_END;
	if (status == Z_OK || status == Z_STREAM_END ||
	    (status == Z_BUF_ERROR && in->z.avail_in == 0))
		return 0;
	return gzip_fail(in, "gzip data is damaged");
}

static ssize_t
read_gzip(struct input *in, void *buf, size_t len)
{
	if (in->error != NULL)
		return gzip_fail(in, in->error);
	in->z.next_out = buf;
	in->z.avail_out = (uInt)len;
	while (in->z.avail_out == len) {
		ssize_t n;

		if (in->between_members)
			next_member(in);
		/* What came before the damage is given first. */
		if (!in->between_members && inflate_ahead(in) == -1 &&
		    in->z.avail_out == len)
			return -1;
		if (in->z.avail_out < len || in->raw_pos < in->raw_len)
			continue;
		n = refill(in);
		if (n == -1 || in->stopped)
			return n;
		if (n == 0 && in->between_members)
			return 0;
		if (n == 0)
			return gzip_fail(in, "gzip data ends early");
	}
	return (ssize_t)(len - in->z.avail_out);
}

static int
start_gzip(struct input *in)
{
	if (inflateInit2(&in->z, 16 + MAX_WBITS) != Z_OK) {
		errno = ENOMEM;
		return -1;
	}
	in->inflating = true;
	return 0;
}

static void
end_gzip(struct input *in)
{
	if (in->inflating)
		inflateEnd(&in->z);
}

static ssize_t
read_octets(struct input *in, void *buf, size_t len)
{
	return in->inflating ? read_gzip(in, buf, len)
			     : read_plain(in, buf, len);
}

#else

static int
start_gzip(struct input *in)
{
	(void)in;
	errno = ENOTSUP;
	return -1;
}

static void
end_gzip(struct input *in)
{
	(void)in;
}

static ssize_t
read_octets(struct input *in, void *buf, size_t len)
{
	return read_plain(in, buf, len);
}

#endif

size_t
input_peek(struct input *in, void *dst, size_t len)
{
	while (in->peek_len < len) {
		ssize_t n = read_octets(
		    in, in->peek + in->peek_len, len - in->peek_len);

		if (n <= 0)
			break;
		in->peek_len += (size_t)n;
	}
	if (len > in->peek_len)
		len = in->peek_len;
	memcpy(dst, in->peek, len);
	return len;
}

ssize_t
input_read(struct input *in, void *dst, size_t len)
{
	size_t peeked = in->peek_len - in->peek_pos;

	if (len > READ_MAX)
		len = READ_MAX;
	if (peeked == 0)
		return read_octets(in, dst, len);
	if (len > peeked)
		len = peeked;
	memcpy(dst, in->peek + in->peek_pos, len);
	in->peek_pos += len;
	return (ssize_t)len;
}

static int
read_stream(void *cookie, char *buf, int len)
{
	return (int)input_read(cookie, buf, (size_t)len);
}

static int
close_stream(void *cookie)
{
	struct input *in = cookie;

	in->stream = NULL;
	return 0;
}

/* Read ahead until gzip's magic is, or is not, there. */
static int
recognise(struct input *in)
{
	static const uint8_t magic[2] = { 0x1f, 0x8b };

	while (in->raw_len < sizeof(magic)) {
		ssize_t n =
		    read_file(in, in->raw + in->raw_len, RAW_LEN - in->raw_len);

		if (n <= 0)
			return (int)n;
		in->raw_len += (size_t)n;
	}
	return memcmp(in->raw, magic, sizeof(magic)) == 0 ? start_gzip(in) : 0;
}

int
input_descriptor(const char *path)
{
	struct stat st;
	int fd;

	if (strcmp(path, "-") == 0)
		return STDIN_FILENO;
	/* Non-blocking, or the open itself would wait for a FIFO's writer. */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd == -1 || fstat(fd, &st) == -1 || !S_ISDIR(st.st_mode))
		return fd;
	close(fd);
	errno = EISDIR;
	return -1;
}

static int
begin(struct input *in)
{
	struct stat st;

	if (fstat(in->fd, &st) == -1)
		return -1;
	if (S_ISREG(st.st_mode) && st.st_size > 0)
		in->size = (uint64_t)st.st_size;
	atomic_init(&in->permille, in->size == 0 ? -1 : 0);
	return recognise(in);
}

static int
open_stream(struct input *in)
{
	in->stream = funopen(in, read_stream, NULL, NULL, close_stream);
	if (in->stream == NULL)
		return -1;
	(void)setvbuf(in->stream, in->buffer, _IOFBF, STREAM_LEN);
#ifdef __linux__
	/* A quarter of the time of libpcap's two reads a packet. */
	__fsetlocking(in->stream, FSETLOCKING_BYCALLER);
#endif
	return 0;
}

size_t
input_memory(void)
{
	return sizeof(struct input) + INFLATE_OCTETS;
}

struct input *
input_adopt(int fd, const struct input_waiter *waiter)
{
	struct input *in = calloc(1, sizeof(*in));

	if (in == NULL) {
		if (fd != STDIN_FILENO)
			close(fd);
		errno = ENOMEM;
		return NULL;
	}
	if (waiter != NULL)
		in->waiter = *waiter;
	in->fd = fd;
	if (begin(in) == -1 || open_stream(in) == -1) {
		int saved = errno;

		input_close(in);
		errno = saved;
		return NULL;
	}
	return in;
}

struct input *
input_open(const char *path, const struct input_waiter *waiter)
{
	int fd = input_descriptor(path);

	return fd == -1 ? NULL : input_adopt(fd, waiter);
}

FILE *
input_stream(struct input *in)
{
	return in->stream;
}

void
input_close(struct input *in)
{
	if (in == NULL)
		return;
	if (in->stream != NULL)
		(void)fclose(in->stream);
	end_gzip(in);
	if (in->fd != STDIN_FILENO)
		close(in->fd);
	free(in);
}

int
input_permille(const struct input *in)
{
	return atomic_load_explicit(&in->permille, memory_order_relaxed);
}

bool
input_stopped(const struct input *in)
{
	return in->stopped;
}

const char *
input_error(const struct input *in)
{
	return in->error;
}
