/* SPDX-License-Identifier: ISC */
/*
 * transport.c - what all kinds of transport share: addresses, attempts,
 * sessions, the queue, counters; see transport.h.
 *
 * Refuses to block, to log the same trouble twice, and to know what is inside
 * a message or how a kind carries it.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include <net/if.h>
#include <netinet/in.h>

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "record.h"
#include "resolver.h"
#include "transport_internal.h"

#define RETRY_MIN_NS (1 * NS_PER_S)
#define RETRY_MAX_NS (30 * NS_PER_S)
#define CONNECT_NS (10 * NS_PER_S)  /* one address may take so long */
#define STALL_NS (120 * NS_PER_S)   /* nothing leaves: the session is over */
#define TROUBLED_NS (10 * NS_PER_S) /* look up again at most so often */
#define JITTER_PERCENT 20
#define TLS_OCTETS (UINT32_C(8) << 20) /* its certificates to trust */

static const struct carrier *const carriers[COLLECTOR_KINDS] = {
	[COLLECTOR_UDP] = &carrier_udp,
	[COLLECTOR_TCP] = &carrier_tcp,
	[COLLECTOR_SCTP] = &carrier_sctp,
	[COLLECTOR_TLS] = &carrier_tls,
	[COLLECTOR_DTLS] = &carrier_dtls,
	[COLLECTOR_FILE] = &carrier_file,
	[COLLECTOR_JSON] = &carrier_file,
	[COLLECTOR_CSV] = &carrier_file,
	[COLLECTOR_TEXT] = &carrier_file,
};

const char *
transport_unsupported(enum collector_kind kind)
{
	return carriers[kind]->unsupported;
}

int
transport_check(const struct collector_config *config, char reason[REASON_LEN])
{
	const struct carrier *carrier = carriers[config->kind];

	return carrier->check == NULL ? 0 : carrier->check(config, reason);
}

/* What the carriers call ----------------------------------------------------
 */

void
transport_why(struct transport *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(t->why, sizeof(t->why), fmt, ap);
	va_end(ap);
}

bool
transport_would_block(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS;
}

int
transport_socket_error(const struct transport *t)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return errno;
	return error;
}

static void
add_cargo(struct cargo *sum, const struct cargo *c)
{
	sum->records += c->records;
	sum->packets += c->packets;
	sum->octets += c->octets;
}

/* The front of the queue is dealt with. */
static void
take_front(struct transport *t)
{
	const struct queued *m = queue_peek(t->queue, 0);

	t->stats.queued.records -= m->cargo.records;
	t->stats.queued.packets -= m->cargo.packets;
	t->stats.queued.octets -= m->cargo.octets;
	t->stats.queued_octets -= m->len;
	queue_take(t->queue);
	t->written = 0;
}

void
transport_sent(struct transport *t)
{
	const struct queued *m = queue_peek(t->queue, 0);

	t->stats.datagrams++;
	t->stats.octets += m->len;
	add_cargo(&t->stats.sent, &m->cargo);
	take_front(t);
}

void
transport_drop(struct transport *t, size_t len, const struct cargo *cargo)
{
	t->stats.dropped++;
	t->stats.dropped_octets += len;
	add_cargo(&t->stats.lost, cargo);
}

static void
lose_front(struct transport *t)
{
	const struct queued *m = queue_peek(t->queue, 0);

	transport_drop(t, m->len, &m->cargo);
	take_front(t);
}

void
transport_failed(struct transport *t, int error)
{
	lose_front(t);
	if (t->stats.errors++ == 0)
		log_warn("collector %s: sending failed: %s; sending on",
		    t->name, strerror(error));
}

/* Sockets --------------------------------------------------------------------
 */

static int
set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value));
}

static int
set_hop_limit(int fd, int family, int hops)
{
	unsigned char hops8 = (unsigned char)hops;

	if (family == AF_INET6)
		return set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, hops) |
		       set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops);
	return set_int(fd, IPPROTO_IP, IP_TTL, hops) |
	       setsockopt(
		   fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops8, sizeof(hops8));
}

static int
set_dscp(int fd, int family, int dscp)
{
	int octet = dscp << 2; /* RFC 2474 s3 */

	return family == AF_INET6
		   ? set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, octet)
		   : set_int(fd, IPPROTO_IP, IP_TOS, octet);
}

static int
set_device(int fd, const char *device)
{
#ifdef SO_BINDTODEVICE
	return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
	    (socklen_t)strlen(device) + 1);
#else
	(void)fd;
	(void)device;
	errno = ENOTSUP;
	return -1;
#endif
}

static int
bind_source(int fd, int family, const char *source)
{
	const struct addrinfo hints = { .ai_family = family,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST };
	struct addrinfo *ai;
	int result;

	if (getaddrinfo(source, "0", &hints, &ai) != 0) {
		errno = EAFNOSUPPORT; /* it is of the other family */
		return -1;
	}
	result = bind(fd, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	return result;
}

/*
 * Set what the collector's settings ask of a socket.  Returns what could not
 * be set, with errno; NULL if all was.
 */
static const char *
prepare_socket(int fd, int family, const struct collector_config *c)
{
	if (c->hop_limit != 0 &&
	    set_hop_limit(fd, family, (int)c->hop_limit) != 0)
		return "hop limit";
	if (c->dscp != 0 && set_dscp(fd, family, (int)c->dscp) != 0)
		return "DSCP";
	if (c->device != NULL && set_device(fd, c->device) != 0)
		return c->device;
	if (c->source != NULL && bind_source(fd, family, c->source) != 0)
		return c->source;
	return NULL;
}

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* Take a socket address apart.  Returns the IP version; 0 = it has none. */
static uint8_t
take_address(const union address *from, uint8_t address[16], uint16_t *port)
{
	memset(address, 0, 16);
	*port = 0;
	if (from->any.sa_family == AF_INET) {
		memcpy(address, &from->in.sin_addr, 4);
		*port = ntohs(from->in.sin_port);
		return 4;
	}
	if (from->any.sa_family == AF_INET6) {
		memcpy(address, &from->in6.sin6_addr, 16);
		*port = ntohs(from->in6.sin6_port);
		return 6;
	}
	return 0;
}

/* The IP protocol of a kind's packets. */
static uint8_t
protocol_of(const struct carrier *c)
{
	if (c->protocol != 0)
		return (uint8_t)c->protocol;
	return c->socktype == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
}

/*
 * Note what addresses the packets of the socket have.  While a session is
 * being made some of it is not known yet.
 */
static void
note_session(struct transport *t)
{
	union address own = { .any.sa_family = AF_UNSPEC };
	union address peer = { .any.sa_family = AF_UNSPEC };
	socklen_t own_len = sizeof(own), peer_len = sizeof(peer);
	struct own_session *s = &t->session;

	if (getpeername(t->fd, &peer.any, &peer_len) == -1)
		memcpy(&peer, t->at->ai_addr, t->at->ai_addrlen);
	(void)getsockname(t->fd, &own.any, &own_len);
	s->protocol = protocol_of(t->carrier);
	s->ip_version = take_address(&own, s->local, &s->local_port);
	(void)take_address(&peer, s->remote, &s->remote_port);
}

/* Open a socket that connects to one address.  0, or -1 and why is told. */
static int
open_socket(struct transport *t, const struct addrinfo *ai)
{
	const char *what;

	t->fd = socket(ai->ai_family,
	    t->carrier->socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    t->carrier->protocol);
	if (t->fd == -1) {
		if (errno == EPROTONOSUPPORT)
			transport_why(t, "this system's kernel has no %s",
			    endpoint_scheme(t->config->kind));
		else
			transport_why(t, "%s", strerror(errno));
		return -1;
	}
	what = prepare_socket(t->fd, ai->ai_family, t->config);
	if (what != NULL) {
		transport_why(t, "%s: %s", what, strerror(errno));
		return -1;
	}
	if (connect(t->fd, ai->ai_addr, ai->ai_addrlen) == 0 ||
	    errno == EINPROGRESS) {
		note_session(t);
		return 0;
	}
	transport_why(t, "%s", strerror(errno));
	return -1;
}

void
transport_close(struct transport *t, bool orderly)
{
	if (t->fd == -1)
		return;
	if (t->carrier->close != NULL)
		t->carrier->close(t, orderly);
	close(t->fd);
	t->fd = -1;
	t->written = 0;
	t->blocked = false;
}

/* Attempts and sessions ------------------------------------------------------
 */

static uint64_t
jittered(uint64_t ns)
{
	uint64_t percent = 100 + arc4random_uniform(JITTER_PERCENT + 1);

	return ns / 100 * percent;
}

/*
 * RFC 7011 s10.4: one that was connected is not tried again more than once a
 * minute, or whatever is configured, but an attempt long ago does not count.
 * One that has never been up is tried sooner.
 */
static void
schedule_retry(struct transport *t)
{
	uint64_t again_ns = t->config->reconnect_ms * NS_PER_MS;

	t->phase = PHASE_IDLE;
	if (t->was_up && t->carrier->session) {
		t->retry_ns = t->now_ns + jittered(RETRY_MIN_NS);
		if (t->retry_ns < t->attempt_ns + again_ns)
			t->retry_ns = t->attempt_ns + jittered(again_ns);
		return;
	}
	t->retry_after_ns =
	    t->retry_after_ns == 0 ? RETRY_MIN_NS : 2 * t->retry_after_ns;
	if (t->retry_after_ns > RETRY_MAX_NS)
		t->retry_after_ns = RETRY_MAX_NS;
	t->retry_ns = t->now_ns + jittered(t->retry_after_ns);
}

/* The attempt failed, for t->why: say so once. */
static void
give_up(struct transport *t)
{
	t->settled = true;
	if (!t->complained)
		log_warn("collector %s: %s; will keep trying", t->name, t->why);
	t->complained = true;
	schedule_retry(t);
}

/* A session began, or datagrams can be sent. */
static void
come_up(struct transport *t)
{
	if (t->complained && !t->carrier->session)
		log_note("collector %s: can be reached now", t->name);
	if (t->carrier->session)
		log_note("collector %s: connected%s%s", t->name,
		    t->why[0] == '\0' ? "" : ", ", t->why);
	if (t->was_up && t->carrier->session)
		t->stats.reconnects++;
	if (!t->carrier->local)
		note_session(t);
	t->complained = false;
	t->settled = t->was_up = true;
	t->retry_after_ns = 0;
	t->progress_ns = t->now_ns;
	t->phase = PHASE_UP;
	t->event = TRANSPORT_SESSION;
}

/* Try the addresses from t->at on, until one connects or is going to. */
static void
connect_on(struct transport *t)
{
	for (; t->at != NULL; t->at = t->at->ai_next) {
		t->phase = PHASE_CONNECTING;
		t->deadline_ns = t->now_ns + CONNECT_NS;
		t->why[0] = '\0';
		if (open_socket(t, t->at) == 0) {
			switch (t->carrier->connect(t)) {
			case CARRIER_UP:
				come_up(t);
				return;
			case CARRIER_AGAIN:
				return;
			case CARRIER_FAILED:
				break;
			}
		}
		transport_close(t, false);
	}
	give_up(t);
}

static void
use_list(struct transport *t, struct addrinfo *list)
{
	if (t->list != NULL)
		freeaddrinfo(t->list);
	t->list = list;
	t->at = list;
}

static void
start_lookup(struct transport *t)
{
	t->looked_up_ns = t->now_ns;
	t->lookup_ns = t->now_ns + jittered(t->config->lookup_ms * NS_PER_MS);
	t->troubles = t->stats.refused + t->stats.errors;
	t->resolver = resolver_start(t->config->address.host,
	    t->config->address.port, t->carrier->socktype, t->wake);
	if (t->resolver == NULL)
		transport_why(t, "%s", strerror(errno));
}

/* Begin an attempt; numeric addresses need no look-up. */
static void
start_attempt(struct transport *t)
{
	t->attempt_ns = t->now_ns;
	if (t->carrier->local) {
		come_up(t);
		(void)t->carrier->connect(t);
		return;
	}
	if (t->numeric) {
		t->at = t->list;
		connect_on(t);
		return;
	}
	if (t->resolver == NULL)
		start_lookup(t);
	if (t->resolver == NULL)
		give_up(t);
	else
		t->phase = PHASE_RESOLVING;
}

/* Count all that waits as lost; half a message is a lost one. */
static void
lose_queue(struct transport *t)
{
	while (queue_count(t->queue) > 0)
		lose_front(t);
}

/* The session ended before its time, for t->why. */
static void
lose_session(struct transport *t)
{
	uint64_t waiting = t->stats.queued.records;
	char lost[64] = "";

	if (waiting > 0)
		(void)snprintf(lost, sizeof(lost),
		    "; %" PRIu64 " records that waited were not sent", waiting);
	transport_close(t, false);
	lose_queue(t);
	t->stats.errors++;
	log_warn(
	    "collector %s: %s%s; will connect again", t->name, t->why, lost);
	schedule_retry(t);
}

/* The address in use, as it stands in a list; NULL if it does not. */
static const struct addrinfo *
find_in_use(const struct transport *t, const struct addrinfo *list)
{
	for (; list != NULL; list = list->ai_next)
		if (t->at != NULL && list->ai_addrlen == t->at->ai_addrlen &&
		    memcmp(list->ai_addr, t->at->ai_addr, list->ai_addrlen) ==
			0)
			return list;
	return NULL;
}

/* Send to another address from now on, and to the old one what waits. */
static void
leave_address(struct transport *t)
{
	transport_flush(t);
	lose_queue(t);
	transport_close(t, false);
	t->moved_ns = t->now_ns;
	t->refusals_left = t->stats.refused;
}

/*
 * A name was looked up again while it is in use.  A session stays with its
 * address until it ends; datagrams follow the name.
 */
static void
take_new_list(struct transport *t, struct addrinfo *list)
{
	const struct addrinfo *in_use = find_in_use(t, list);

	if (in_use != NULL) {
		use_list(t, list);
		t->at = in_use;
		return;
	}
	if (t->carrier->session) {
		freeaddrinfo(list);
		return;
	}
	log_note("collector %s: has another address", t->name);
	leave_address(t);
	use_list(t, list);
	connect_on(t);
}

/* Fetch the answer of a look-up. */
static void
take_answer(struct transport *t)
{
	struct addrinfo *list;
	int gai_error;

	if (!resolver_done(t->resolver, &list, &gai_error))
		return;
	t->resolver = NULL;
	if (t->phase == PHASE_RESOLVING && list == NULL) {
		transport_why(t, "%s", gai_strerror(gai_error));
		give_up(t);
	} else if (t->phase == PHASE_RESOLVING) {
		use_list(t, list);
		connect_on(t);
	} else if (t->phase == PHASE_UP && list != NULL) {
		take_new_list(t, list);
	} else if (list != NULL) {
		freeaddrinfo(list); /* the session ended meanwhile */
	}
}

/* Connections that are being made, and sessions ------------------------------
 */

static void
go_on_connecting(struct transport *t)
{
	enum carrier_result result = t->carrier->connect(t);

	if (result == CARRIER_UP) {
		come_up(t);
		return;
	}
	if (result == CARRIER_AGAIN) {
		if (t->now_ns < t->deadline_ns)
			return;
		transport_why(t, "%s", strerror(ETIMEDOUT));
	}
	transport_close(t, false);
	t->at = t->at->ai_next;
	connect_on(t);
}

/* Names: look up again now and then, and soon when sending fails. */
static void
refresh_name(struct transport *t)
{
	uint64_t soon_ns = t->looked_up_ns + TROUBLED_NS;
	bool troubled = t->troubles != t->stats.refused + t->stats.errors;

	if (t->numeric || t->resolver != NULL)
		return;
	if (t->now_ns >= t->lookup_ns || (troubled && t->now_ns >= soon_ns))
		start_lookup(t);
}

/* A refused datagram: perhaps another address of the name is better. */
static void
leave_refusal(struct transport *t)
{
	const struct addrinfo *next = t->at->ai_next;

	if (!t->refused || t->stats.refused == t->refusals_left ||
	    t->list->ai_next == NULL || t->now_ns - t->moved_ns < NS_PER_S)
		return;
	leave_address(t);
	t->at = next == NULL ? t->list : next;
	connect_on(t);
}

static bool
is_stalled(struct transport *t)
{
	if (!t->carrier->session || queue_count(t->queue) == 0)
		t->progress_ns = t->now_ns;
	if (t->now_ns - t->progress_ns < STALL_NS)
		return false;
	transport_why(t, "takes no data");
	return true;
}

static void
serve(struct transport *t)
{
	if (t->carrier->receive(t) == -1) {
		lose_session(t);
		return;
	}
	transport_flush(t);
	if (t->phase == PHASE_UP && is_stalled(t))
		lose_session(t);
	if (t->phase != PHASE_UP || t->carrier->local)
		return;
	leave_refusal(t);
	refresh_name(t);
}

/* Until the first tick tells the time it was 0. */
static void
tell_time(struct transport *t, uint64_t mono_ns)
{
	if (t->now_ns == 0) {
		t->attempt_ns += mono_ns;
		t->deadline_ns += mono_ns;
		t->lookup_ns += mono_ns;
		t->looked_up_ns += mono_ns;
		t->progress_ns += mono_ns;
		t->retry_ns += mono_ns;
	}
	t->now_ns = mono_ns;
}

enum transport_event
transport_tick(struct transport *t, uint64_t mono_ns)
{
	enum transport_event event;

	tell_time(t, mono_ns);
	if (t->phase == PHASE_ENDED)
		return TRANSPORT_NO_NEWS;
	if (t->resolver != NULL)
		take_answer(t);
	else if (t->phase == PHASE_IDLE && mono_ns >= t->retry_ns)
		start_attempt(t);
	else if (t->phase == PHASE_CONNECTING)
		go_on_connecting(t);
	if (t->phase == PHASE_UP)
		serve(t);
	event = t->phase == PHASE_UP ? t->event : TRANSPORT_NO_NEWS;
	t->event = TRANSPORT_NO_NEWS;
	return event;
}

/* Messages -------------------------------------------------------------------
 */

void
transport_flush(struct transport *t)
{
	size_t before = queue_octets(t->queue), written = t->written;

	if (t->phase != PHASE_UP)
		return;
	t->blocked = false;
	if (queue_count(t->queue) == 0)
		return;
	if (t->carrier->flush(t) == -1) {
		lose_session(t);
		return;
	}
	if (queue_octets(t->queue) != before || t->written != written)
		t->progress_ns = t->now_ns;
	t->blocked = queue_count(t->queue) > 0;
}

int
transport_send(struct transport *t, const void *data, size_t len,
    const struct cargo *cargo)
{
	if (t->phase == PHASE_UP && !t->blocked &&
	    (queue_count(t->queue) >= TRANSPORT_BATCH ||
		!queue_has_room(t->queue, 1, len)))
		transport_flush(t);
	if (t->phase != PHASE_UP || len > t->config->mtu ||
	    queue_put(t->queue, data, len, cargo) == -1) {
		transport_drop(t, len, cargo);
		return -1;
	}
	add_cargo(&t->stats.queued, cargo);
	t->stats.queued_octets += len;
	return 0;
}

bool
transport_ready(struct transport *t)
{
	const size_t n = 2; /* a record may fill two */

	if (t->phase == PHASE_UP &&
	    !queue_has_room(t->queue, n, t->config->mtu))
		transport_flush(t);
	/* A file that cannot be written holds nobody up. */
	return t->phase != PHASE_UP || t->complained ||
	       queue_has_room(t->queue, n, t->config->mtu);
}

int
transport_poll_fd(const struct transport *t, short *events)
{
	bool waiting = queue_count(t->queue) > 0;

	*events = 0;
	if (t->phase == PHASE_CONNECTING)
		*events = t->events;
	else if (t->phase == PHASE_UP && t->carrier->session)
		*events = waiting ? POLLIN | POLLOUT : POLLIN;
	else if (t->phase == PHASE_UP && waiting)
		*events = POLLOUT;
	return *events == 0 ? -1 : t->fd;
}

void
transport_source(const struct transport *t, uint8_t v4[4], uint8_t v6[16])
{
	union address own = { .any.sa_family = AF_UNSPEC };
	socklen_t len = sizeof(own);

	memset(v4, 0, 4);
	memset(v6, 0, 16);
	if (t->fd == -1 || getsockname(t->fd, &own.any, &len) == -1)
		return;
	if (own.any.sa_family == AF_INET)
		memcpy(v4, &own.in.sin_addr, 4);
	else if (own.any.sa_family == AF_INET6)
		memcpy(v6, &own.in6.sin6_addr, 16);
}

const struct own_session *
transport_session(const struct transport *t)
{
	return &t->session;
}

bool
transport_pending(const struct transport *t)
{
	return t->phase == PHASE_UP && !t->complained &&
	       queue_count(t->queue) > 0;
}

/* The whole --------------------------------------------------------------- */

/* Numeric addresses need no look-up. */
static void
read_numeric(struct transport *t)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = t->carrier->socktype,
		.ai_flags = AI_NUMERICHOST };

	if (getaddrinfo(t->config->address.host, t->config->address.port,
		&hints, &t->list) == 0)
		t->numeric = true;
	else
		t->list = NULL;
}

static void
name_transport(struct transport *t)
{
	bool v6 = strchr(t->config->address.host, ':') != NULL;
	bool udp = t->config->kind == COLLECTOR_UDP;

	if (t->carrier->local) {
		(void)snprintf(t->name, sizeof(t->name), "%s:%s",
		    endpoint_scheme(t->config->kind), t->config->path);
		return;
	}
	(void)snprintf(t->name, sizeof(t->name), "%s%s%s%s%s:%s",
	    udp ? "" : endpoint_scheme(t->config->kind), udp ? "" : "://",
	    v6 ? "[" : "", t->config->address.host, v6 ? "]" : "",
	    t->config->address.port);
}

size_t
transport_memory(const struct collector_config *config)
{
	size_t tls =
	    config->kind == COLLECTOR_TLS || config->kind == COLLECTOR_DTLS
		? TLS_OCTETS
		: 0;

	return sizeof(struct transport) + queue_memory(config->queue_octets) +
	       tls;
}

struct transport *
transport_new(const struct collector_config *config, const struct wake *wake)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->config = config;
	t->carrier = carriers[config->kind];
	t->wake = wake;
	t->fd = -1;
	name_transport(t);
	t->queue = queue_new(config->queue_octets);
	if (t->queue == NULL ||
	    (t->carrier->init != NULL && t->carrier->init(t) == -1)) {
		transport_free(t);
		return NULL;
	}
	if (!t->carrier->local)
		read_numeric(t);
	/* Threads and files are begun by a tick, when root is given up. */
	if (t->numeric)
		start_attempt(t);
	t->event = TRANSPORT_NO_NEWS; /* a new transport is in that state */
	return t;
}

void
transport_free(struct transport *t)
{
	if (t == NULL)
		return;
	if (t->resolver != NULL)
		resolver_abandon(t->resolver);
	transport_close(t, false);
	if (t->context != NULL)
		t->carrier->fini(t);
	if (t->list != NULL)
		freeaddrinfo(t->list);
	queue_free(t->queue);
	free(t);
}

void
transport_end(struct transport *t)
{
	/* After half a message there is no good order. */
	bool orderly = t->phase == PHASE_UP && queue_count(t->queue) == 0;

	if (!t->carrier->session && !t->carrier->local) {
		lose_queue(t);
		return;
	}
	transport_close(t, orderly);
	lose_queue(t);
	if (t->phase != PHASE_IDLE)
		t->phase = PHASE_ENDED;
}

enum transport_state
transport_state(const struct transport *t)
{
	if (t->phase == PHASE_UP && !t->complained)
		return TRANSPORT_UP;
	if (t->phase == PHASE_ENDED)
		return TRANSPORT_CLOSED;
	if (t->complained || (t->phase == PHASE_IDLE && t->settled))
		return TRANSPORT_FAILED;
	return t->phase == PHASE_CONNECTING ? TRANSPORT_CONNECTING
					    : TRANSPORT_RESOLVING;
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

const char *
transport_kind(const struct transport *t)
{
	return endpoint_scheme(t->config->kind);
}

const struct transport_stats *
transport_stats(const struct transport *t)
{
	return &t->stats;
}
