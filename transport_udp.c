/* SPDX-License-Identifier: ISC */
/*
 * transport_udp.c - messages as UDP datagrams (RFC 7011 s10.3).
 *
 * Nobody says whether they arrive.  An ICMP unreachable is all that may come
 * back: it is counted, and sending goes on.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <string.h>

#include "log.h"
#include "record.h"
#include "transport_internal.h"

#define REFUSALS_MAX 64         /* in one flush, before one is given up */
#define READS_MAX 64            /* in one tick */
#define QUIET_NS (2 * NS_PER_S) /* without a refusal: it is back */

/* An ICMP unreachable came back for a datagram sent before. */
static void
note_refusal(struct transport *t)
{
	t->stats.refused++;
	if (!t->refused)
		log_warn("collector %s: port unreachable; sending on", t->name);
	t->refused = true;
}

static enum carrier_result
udp_connect(struct transport *t)
{
	(void)t;
	return CARRIER_UP; /* that only set the address */
}

/*
 * Hand datagrams from the front of the queue to the kernel, in one call where
 * it can take several.  Returns how many it took, or -1 with errno.
 */
#ifdef __linux__
static int
send_some(struct transport *t)
{
	struct mmsghdr message[TRANSPORT_BATCH];
	struct iovec iov[TRANSPORT_BATCH];
	size_t waiting = queue_count(t->queue);
	unsigned n =
	    (unsigned)(waiting < TRANSPORT_BATCH ? waiting : TRANSPORT_BATCH);

	memset(message, 0, n * sizeof(message[0]));
	for (unsigned i = 0; i < n; i++) {
		const struct queued *m = queue_peek(t->queue, i);

		iov[i] = (struct iovec){ m->data, m->len };
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	return sendmmsg(t->fd, message, n, MSG_NOSIGNAL);
}
#else
static int
send_some(struct transport *t)
{
	const struct queued *m = queue_peek(t->queue, 0);

	return send(t->fd, m->data, m->len, MSG_NOSIGNAL) == -1 ? -1 : 1;
}
#endif

/*
 * An ICMP unreachable is reported by the next send in place of sending, so
 * that one is repeated, a few times.
 */
static int
udp_flush(struct transport *t)
{
	int refusals = 0;

	while (queue_count(t->queue) > 0) {
		int n = send_some(t);

		if (n > 0) {
			for (; n > 0; n--)
				transport_sent(t);
			continue;
		}
		if (errno == ECONNREFUSED)
			note_refusal(t);
		if (errno == EINTR ||
		    (errno == ECONNREFUSED && ++refusals < REFUSALS_MAX))
			continue;
		if (transport_would_block(errno))
			return 0;
		transport_failed(t, errno);
	}
	return 0;
}

/* Whether a collector that refused has been quiet since, while we sent. */
static bool
came_back(struct transport *t)
{
	/* It can only be quiet about something that was sent. */
	if (t->stats.refused != t->refusals_seen ||
	    t->stats.datagrams == t->datagrams_seen) {
		t->refusals_seen = t->stats.refused;
		t->datagrams_seen = t->stats.datagrams;
		t->refused_ns = t->now_ns;
	}
	if (!t->refused || t->now_ns - t->refused_ns < QUIET_NS)
		return false;
	t->refused = false;
	log_note("collector %s: refuses no longer", t->name);
	return true;
}

/* Reading also tells of a refusal that no send has met yet. */
static int
udp_receive(struct transport *t)
{
	char nothing[1];

	for (int i = 0; i < READS_MAX; i++) {
		if (recv(t->fd, nothing, sizeof(nothing), MSG_DONTWAIT) != -1)
			continue;
		if (transport_would_block(errno))
			break;
		if (errno != EINTR && errno != EMSGSIZE)
			note_refusal(t);
	}
	if (came_back(t) && t->event == TRANSPORT_NO_NEWS)
		t->event = TRANSPORT_BACK;
	return 0;
}

const struct carrier carrier_udp = { .socktype = SOCK_DGRAM,
	.connect = udp_connect,
	.flush = udp_flush,
	.receive = udp_receive };
