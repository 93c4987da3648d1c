/* SPDX-License-Identifier: ISC */
/*
 * transport_stream.c - messages over TCP (RFC 7011 s10.4) and SCTP (s10.2).
 *
 * TCP may take a part of a message; the rest is sent before anything else, or
 * the connection is closed: a collector never reads on behind half a message.
 * An SCTP association takes whole messages, in order, on one stream.
 */
#include <sys/socket.h>
#include <sys/uio.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "transport_internal.h"

#define READS_MAX 16             /* in one tick */
#define KERNEL_OCTETS 262144     /* beside the queue, which is the bound */
#define UNACKNOWLEDGED_MS 120000 /* then the collector is dead */

static void
set_option(int fd, int level, int option, int value)
{
	/* Without these it works, if not as well. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

static enum carrier_result
stream_connect(struct transport *t)
{
	struct pollfd pfd = { .fd = t->fd, .events = POLLOUT };
	int error;

	t->events = POLLOUT;
	if (poll(&pfd, 1, 0) <= 0)
		return CARRIER_AGAIN;
	error = transport_socket_error(t);
	if (error == 0)
		return CARRIER_UP;
	transport_why(t, "%s", strerror(error));
	return CARRIER_FAILED;
}

enum carrier_result
transport_tcp_connect(struct transport *t)
{
	enum carrier_result result = stream_connect(t);

	if (result != CARRIER_UP)
		return result;
	/* Messages are gathered already. */
	set_option(t->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(t->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(t->fd, SOL_SOCKET, SO_SNDBUF, KERNEL_OCTETS);
#ifdef TCP_USER_TIMEOUT
	set_option(t->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
#endif
	return CARRIER_UP;
}

/* Why the connection ended, by errno. */
static int
broken(struct transport *t, int error)
{
	if (error == EPIPE || error == ECONNRESET)
		transport_why(t, "closed the connection");
	else
		transport_why(t, "%s", strerror(error));
	return -1;
}

/*
 * What waits, as vectors; the first message without what is out of it.
 * msg_iovlen is an int here and a size_t there: the count fits either.
 */
static uint16_t
gather(const struct transport *t, struct iovec iov[TRANSPORT_BATCH])
{
	size_t n = queue_count(t->queue);

	if (n > TRANSPORT_BATCH)
		n = TRANSPORT_BATCH;
	for (size_t i = 0; i < n; i++) {
		const struct queued *m = queue_peek(t->queue, i);
		size_t out = i == 0 ? t->written : 0;

		iov[i] = (struct iovec){ m->data + out, m->len - out };
	}
	return (uint16_t)n;
}

/* So many more octets are out. */
static void
advance(struct transport *t, size_t octets)
{
	t->written += octets;
	while (queue_count(t->queue) > 0) {
		size_t len = queue_peek(t->queue, 0)->len, out = t->written;

		if (out < len)
			return;
		transport_sent(t); /* none of the next one */
		t->written = out - len;
	}
}

static int
tcp_flush(struct transport *t)
{
	while (queue_count(t->queue) > 0) {
		struct iovec iov[TRANSPORT_BATCH];
		struct msghdr msg = { .msg_iov = iov,
			.msg_iovlen = gather(t, iov) };
		ssize_t n = sendmsg(t->fd, &msg, MSG_NOSIGNAL);

		if (n >= 0)
			advance(t, (size_t)n);
		else if (transport_would_block(errno))
			return 0;
		else if (errno != EINTR)
			return broken(t, errno);
	}
	return 0;
}

static int
stream_receive(struct transport *t)
{
	char nothing[4096];

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(t->fd, nothing, sizeof(nothing), MSG_DONTWAIT);

		if (n == 0)
			return broken(t, ECONNRESET);
		if (n == -1 && transport_would_block(errno))
			return 0;
		if (n == -1 && errno != EINTR)
			return broken(t, errno);
	}
	return 0;
}

/* What is unread when a socket is closed resets the connection. */
static void
stream_close(struct transport *t, bool orderly)
{
	if (!orderly)
		return;
	(void)shutdown(t->fd, SHUT_WR);
	(void)stream_receive(t);
}

const struct carrier carrier_tcp = { .session = true,
	.socktype = SOCK_STREAM,
	.connect = transport_tcp_connect,
	.flush = tcp_flush,
	.receive = stream_receive,
	.close = stream_close };

#ifdef IPPROTO_SCTP

static int
sctp_flush(struct transport *t)
{
	while (queue_count(t->queue) > 0) {
		const struct queued *m = queue_peek(t->queue, 0);

		if (send(t->fd, m->data, m->len, MSG_NOSIGNAL) != -1)
			transport_sent(t);
		else if (transport_would_block(errno))
			return 0;
		else if (errno != EINTR)
			return broken(t, errno);
	}
	return 0;
}

const struct carrier carrier_sctp = { .session = true,
	.socktype = SOCK_STREAM,
	.protocol = IPPROTO_SCTP,
	.connect = stream_connect,
	.flush = sctp_flush,
	.receive = stream_receive,
	.close = stream_close };

#else

const struct carrier carrier_sctp = {
	.unsupported = "this system has no SCTP; use tcp or udp"
};

#endif
