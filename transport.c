/* SPDX-License-Identifier: ISC */
/*
 * transport.c - one collector's address and UDP socket; see transport.h.
 *
 * Refuses to block, to log the same trouble twice, and to know what is inside
 * a datagram.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include <netinet/in.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "endpoint.h"
#include "log.h"
#include "record.h"
#include "resolver.h"
#include "transport.h"

#define QUEUE_LEN 32    /* datagrams handed over together, at most */
#define REFUSALS_MAX 64 /* in one flush, before a datagram is given up */
#define RETRY_MIN_NS (1 * NS_PER_S)
#define RETRY_MAX_NS (30 * NS_PER_S)
#define QUIET_NS (2 * NS_PER_S) /* without a refusal: it is back */

struct waiting {
	size_t len;
	struct cargo cargo;
	uint8_t *data; /* mtu octets */
};

struct transport {
	const struct collector_config *config;
	const struct wake *wake;
	char name[sizeof(struct collector_address) + 4];
	enum transport_state state;
	int fd;
	struct resolver *resolver;
	bool settled;    /* the first look-up has an outcome */
	bool complained; /* about not being reachable */
	bool refused;    /* ICMP unreachable came, and nothing better since */
	uint64_t refused_ns; /* when it was last seen by transport_tick */
	uint64_t refusals_seen, datagrams_seen; /* ... and until then */
	uint64_t retry_ns, retry_after_ns;
	struct waiting queue[QUEUE_LEN];
	size_t queue_first, queue_len;
	uint8_t *queue_memory;
	struct transport_stats stats;
};

/* Say once why the collector cannot be reached. */
static void
complain(struct transport *t, const char *why)
{
	t->state = TRANSPORT_FAILED;
	if (!t->complained)
		log_warn("collector %s: %s; will keep trying", t->name, why);
	t->complained = true;
}

static int
set_hop_limit(int fd, int family, int hops)
{
	unsigned char hops8 = (unsigned char)hops;

	if (hops == 0)
		return 0;
	if (family == AF_INET6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops,
			   sizeof(hops)) |
		       setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
			   sizeof(hops));
	return setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops)) |
	       setsockopt(
		   fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops8, sizeof(hops8));
}

/* A connected socket to one address, or -1 with errno. */
static int
connect_to(const struct transport *t, const struct addrinfo *ai)
{
	int error, fd = socket(ai->ai_family,
		       SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	if (set_hop_limit(fd, ai->ai_family, (int)t->config->hop_limit) == 0 &&
	    connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Use the first address that a socket can be made for; frees the list. */
static bool
use_addresses(struct transport *t, struct addrinfo *list)
{
	int error = 0;

	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		t->fd = connect_to(t, ai);
		if (t->fd != -1)
			break;
		error = errno;
	}
	freeaddrinfo(list);
	if (t->fd == -1) {
		complain(t, strerror(error));
		return false;
	}
	if (t->complained)
		log_note("collector %s: can be reached now", t->name);
	t->complained = false;
	t->retry_after_ns = 0;
	t->state = TRANSPORT_UP;
	return true;
}

/* Numeric addresses need no look-up.  Returns whether it was one. */
static bool
use_numeric(struct transport *t, bool *up)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST };
	struct addrinfo *list;

	if (getaddrinfo(t->config->address.host, t->config->address.port,
		&hints, &list) != 0)
		return false;
	*up = use_addresses(t, list);
	t->settled = true;
	return true;
}

/* Try to come up.  Returns whether it did at once. */
static bool
try_to_connect(struct transport *t)
{
	bool up = false;

	if (use_numeric(t, &up))
		return up;
	t->resolver = resolver_start(
	    t->config->address.host, t->config->address.port, t->wake);
	if (t->resolver == NULL) {
		t->settled = true;
		complain(t, strerror(errno));
	} else if (!t->complained) {
		t->state = TRANSPORT_RESOLVING;
	}
	return false;
}

static void
name_transport(struct transport *t)
{
	bool v6 = strchr(t->config->address.host, ':') != NULL;

	snprintf(t->name, sizeof(t->name), v6 ? "[%s]:%s" : "%s:%s",
	    t->config->address.host, t->config->address.port);
}

struct transport *
transport_new(const struct collector_config *config, const struct wake *wake)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->config = config;
	t->wake = wake;
	t->fd = -1;
	t->queue_memory = malloc(QUEUE_LEN * config->mtu);
	if (t->queue_memory == NULL) {
		transport_free(t);
		return NULL;
	}
	for (size_t i = 0; i < QUEUE_LEN; i++)
		t->queue[i].data = t->queue_memory + i * config->mtu;
	name_transport(t);
	try_to_connect(t);
	return t;
}

void
transport_free(struct transport *t)
{
	if (t == NULL)
		return;
	if (t->resolver != NULL)
		resolver_abandon(t->resolver);
	if (t->fd != -1)
		close(t->fd);
	free(t->queue_memory);
	free(t);
}

enum transport_state
transport_state(const struct transport *t)
{
	return t->state;
}

bool
transport_refused(const struct transport *t)
{
	return t->refused;
}

bool
transport_settled(const struct transport *t)
{
	return t->settled;
}

const char *
transport_name(const struct transport *t)
{
	return t->name;
}

/* Fetch the answer of a look-up.  Returns whether the collector came up. */
static bool
take_answer(struct transport *t)
{
	struct addrinfo *list;
	int gai_error;

	if (!resolver_done(t->resolver, &list, &gai_error))
		return false;
	t->resolver = NULL;
	t->settled = true;
	if (list != NULL)
		return use_addresses(t, list);
	complain(t, gai_strerror(gai_error));
	return false;
}

/* An ICMP unreachable came back for a datagram sent before. */
static void
note_refusal(struct transport *t)
{
	t->stats.refused++;
	if (!t->refused)
		log_warn("collector %s: port unreachable; sending on", t->name);
	t->refused = true;
}

/* The same, if no send has met it yet. */
static void
take_error(struct transport *t)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
	    error != 0 && error != EMSGSIZE)
		note_refusal(t);
}

/* Whether a collector that refused has been quiet since, while we sent. */
static bool
came_back(struct transport *t, uint64_t mono_ns)
{
	if (t->stats.refused != t->refusals_seen) {
		t->refusals_seen = t->stats.refused;
		t->datagrams_seen = t->stats.datagrams;
		t->refused_ns = mono_ns;
	}
	if (!t->refused || mono_ns - t->refused_ns < QUIET_NS ||
	    t->stats.datagrams == t->datagrams_seen)
		return false;
	t->refused = false;
	log_note("collector %s: refuses no longer", t->name);
	return true;
}

bool
transport_tick(struct transport *t, uint64_t mono_ns)
{
	if (t->resolver != NULL)
		return take_answer(t);
	if (t->state == TRANSPORT_UP) {
		take_error(t);
		transport_flush(t);
		return came_back(t, mono_ns);
	}
	if (mono_ns < t->retry_ns)
		return false;
	t->retry_after_ns =
	    t->retry_after_ns == 0 ? RETRY_MIN_NS : 2 * t->retry_after_ns;
	if (t->retry_after_ns > RETRY_MAX_NS)
		t->retry_after_ns = RETRY_MAX_NS;
	t->retry_ns = mono_ns + t->retry_after_ns;
	return try_to_connect(t);
}

static void
add_cargo(struct cargo *sum, const struct cargo *c)
{
	sum->records += c->records;
	sum->packets += c->packets;
	sum->octets += c->octets;
}

static bool
would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS;
}

/* Datagrams from the front of the queue to its end, or to the array's. */
static unsigned
in_a_row(const struct transport *t)
{
	size_t to_end = QUEUE_LEN - t->queue_first;

	return (unsigned)(t->queue_len < to_end ? t->queue_len : to_end);
}

/*
 * Hand datagrams from the front of the queue to the kernel, in one call where
 * it can take several.  Returns how many it took, or -1 with errno.
 */
static int
send_some(struct transport *t)
{
#ifdef __linux__
	struct mmsghdr message[QUEUE_LEN];
	struct iovec iov[QUEUE_LEN];
	unsigned n = in_a_row(t);

	memset(message, 0, n * sizeof(message[0]));
	for (unsigned i = 0; i < n; i++) {
		const struct waiting *w = &t->queue[t->queue_first + i];

		iov[i] = (struct iovec){ w->data, w->len };
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	return sendmmsg(t->fd, message, n, MSG_NOSIGNAL);
#else
	const struct waiting *w = &t->queue[t->queue_first];

	return send(t->fd, w->data, w->len, MSG_NOSIGNAL) == -1 ? -1 : 1;
#endif
}

/* The front of the queue is dealt with. */
static void
take_front(struct transport *t)
{
	const struct cargo *c = &t->queue[t->queue_first].cargo;

	t->stats.queued.records -= c->records;
	t->stats.queued.packets -= c->packets;
	t->stats.queued.octets -= c->octets;
	t->queue_first = (t->queue_first + 1) % QUEUE_LEN;
	t->queue_len--;
}

static void
count_sent(struct transport *t, int n)
{
	for (; n > 0; n--) {
		const struct waiting *w = &t->queue[t->queue_first];

		t->stats.datagrams++;
		t->stats.octets += w->len;
		add_cargo(&t->stats.sent, &w->cargo);
		take_front(t);
	}
}

static int
drop(struct transport *t, const struct cargo *cargo, int error)
{
	t->stats.dropped++;
	add_cargo(&t->stats.lost, cargo);
	if (would_block(error) || t->stats.errors++ != 0)
		return -1;
	log_warn("collector %s: sending failed: %s; sending on", t->name,
	    strerror(error));
	return -1;
}

/*
 * An ICMP unreachable is reported by the next send in place of sending, so
 * that one is repeated, a few times.
 */
void
transport_flush(struct transport *t)
{
	int refusals = 0;

	while (t->queue_len > 0) {
		int n = send_some(t);

		if (n > 0) {
			count_sent(t, n);
			continue;
		}
		if (errno == ECONNREFUSED)
			note_refusal(t);
		if (errno == EINTR ||
		    (errno == ECONNREFUSED && ++refusals < REFUSALS_MAX))
			continue;
		if (would_block(errno))
			return;
		drop(t, &t->queue[t->queue_first].cargo, errno);
		take_front(t);
	}
}

int
transport_send(struct transport *t, const void *data, size_t len,
    const struct cargo *cargo)
{
	struct waiting *w;

	if (t->state != TRANSPORT_UP || len > t->config->mtu)
		return drop(t, cargo, EAGAIN);
	if (t->queue_len == QUEUE_LEN)
		transport_flush(t);
	if (t->queue_len == QUEUE_LEN)
		return drop(t, cargo, EAGAIN);
	w = &t->queue[(t->queue_first + t->queue_len++) % QUEUE_LEN];
	memcpy(w->data, data, len);
	w->len = len;
	w->cargo = *cargo;
	add_cargo(&t->stats.queued, cargo);
	return 0;
}

bool
transport_ready(struct transport *t)
{
	if (t->state != TRANSPORT_UP)
		return true;
	if (t->queue_len + 2 > QUEUE_LEN) /* a record may fill two */
		transport_flush(t);
	return t->queue_len + 2 <= QUEUE_LEN;
}

int
transport_poll_fd(const struct transport *t)
{
	return t->queue_len > 0 ? t->fd : -1;
}

const struct transport_stats *
transport_stats(const struct transport *t)
{
	return &t->stats;
}
