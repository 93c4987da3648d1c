/* SPDX-License-Identifier: ISC */
/*
 * test_transport.c - datagrams reach collectors on the loopback, and what does
 * not is counted; nothing blocks.
 *
 * Time is made up.  send(2) and sendmmsg(2) are replaced by ones that can be
 * told to fail, since the loopback never keeps a datagram waiting.
 */
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>

#include "log.h"
#include "tests/export.h"
#include "transport.h"
#include "wake.h"

#define MTU 1400
#define S NS_PER_S
#define BATCH 32
#define QUEUE 40        /* messages of 4 octets fill make_small()'s */
#define LOOKUP_MS 60000 /* a resolver without a network may take long */

static int send_error;       /* errno of every send, or 0 */
static unsigned sends_to_go; /* ... after so many that work */

ssize_t
send(int fd, const void *data, size_t len, int flags)
{
	if (send_error != 0 && sends_to_go == 0) {
		errno = send_error;
		return -1;
	}
	if (sends_to_go > 0)
		sends_to_go--;
	return sendto(fd, data, len, flags, NULL, 0);
}

#ifdef __linux__
#ifdef __GLIBC__
typedef int mmsg_flags;
#else
typedef unsigned mmsg_flags;
#endif

int
sendmmsg(int fd, struct mmsghdr *message, unsigned n, mmsg_flags flags)
{
	for (unsigned i = 0; i < n; i++) {
		const struct iovec *iov = message[i].msg_hdr.msg_iov;

		if (send(fd, iov->iov_base, iov->iov_len, (int)flags) == -1)
			return i > 0 ? (int)i : -1;
	}
	return (int)n;
}
#endif

/* One of several addresses, chained by hand. */
#define CHAINED 0x7e57
struct chained {
	struct addrinfo ai; /* first: a pointer to it is one to the whole */
	struct addrinfo *owned;
};

/* Names under .test have the addresses that a test gives them, if any. */
static const char *given[4];

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
    struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **) = NULL;
	struct addrinfo numeric = *hints, **end = list;

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (strstr(host, ".test") == NULL)
		return real(host, port, hints, list);
	if (hints->ai_flags & AI_NUMERICHOST || given[0] == NULL)
		return EAI_NONAME;
	numeric.ai_flags = AI_NUMERICHOST;
	for (int i = 0; given[i] != NULL; i++) {
		struct chained *c = calloc(1, sizeof(*c));

		ck_assert_ptr_nonnull(c);
		ck_assert_int_eq(real(given[i], port, &numeric, &c->owned), 0);
		c->ai = *c->owned;
		c->ai.ai_flags = CHAINED;
		c->ai.ai_next = NULL;
		*end = &c->ai;
		end = &c->ai.ai_next;
	}
	return 0;
}

void
freeaddrinfo(struct addrinfo *ai)
{
	void (*real)(struct addrinfo *) = NULL;

	*(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
	while (ai != NULL && ai->ai_flags == CHAINED) {
		struct chained *c = (struct chained *)(void *)ai;

		ai = ai->ai_next;
		real(c->owned);
		free(c);
	}
	if (ai != NULL)
		real(ai);
}

/* Where a test sends to; outlives its transport. */
static struct collector_config config;
static struct wake wake;

/* A transport to an address with what else stands in `config`. */
static struct transport *
make_with(const struct collector_address *address)
{
	struct transport *t;

	config.address = *address;
	ck_assert_int_eq(wake_init(&wake), 0);
	t = transport_new(&config, &wake);
	ck_assert_ptr_nonnull(t);
	return t;
}

static struct transport *
make(const struct collector_address *address)
{
	config = endpoint_defaults;
	return make_with(address);
}

/* Queue a text that accounts for 1 record, 2 packets and 3 octets. */
static int
queue_text(struct transport *t, const char *text)
{
	const struct cargo cargo = { 1, 2, 3 };

	return transport_send(t, text, strlen(text), &cargo);
}

/* Queue it, and send what the socket takes. */
static int
send_text(struct transport *t, const char *text)
{
	int result = queue_text(t, text);

	transport_flush(t);
	return result;
}

/* What is polled for; 0 = nothing. */
static void
check_poll(const struct transport *t, short want)
{
	short events;
	int fd = transport_poll_fd(t, &events);

	ck_assert_int_eq(events, want);
	ck_assert((fd == -1) == (want == 0));
}

/* A transport with a queue for QUEUE messages of four octets. */
static struct transport *
make_small(const struct collector_address *address)
{
	config = endpoint_defaults;
	config.mtu = 4;
	config.queue_octets = QUEUE * 64 - 64; /* see MESSAGE_LEAST */
	return make_with(address);
}

static void
check_next(struct sink *s, const char *want)
{
	ssize_t len = sink_next(s);

	ck_assert_int_eq(len, (ssize_t)strlen(want));
	ck_assert_mem_eq(s->data, want, (size_t)len);
}

static void
check_cargo(const struct cargo *c, uint64_t n)
{
	ck_assert_uint_eq(c->records, n);
	ck_assert_uint_eq(c->packets, 2 * n);
	ck_assert_uint_eq(c->octets, 3 * n);
}

static void
open_or_skip(struct sink *s, const char *host, bool *there)
{
	*there = sink_open(s, host) == 0;
	if (!*there)
		printf("skip no %s on this machine\n", host);
}

/* Addresses ---------------------------------------------------------------- */

static void
check_numeric(const char *host)
{
	struct sink s;
	struct transport *t;
	bool there;

	open_or_skip(&s, host, &there);
	if (!there)
		return;
	t = make(&s.address);
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	ck_assert(transport_settled(t));
	ck_assert_int_eq(send_text(t, "one"), 0);
	ck_assert_int_eq(send_text(t, "two"), 0);
	check_next(&s, "one");
	check_next(&s, "two");
	ck_assert_int_eq(sink_next(&s), -1);
	ck_assert_uint_eq(transport_stats(t)->datagrams, 2);
	ck_assert_uint_eq(transport_stats(t)->octets, 6);
	check_cargo(&transport_stats(t)->sent, 2);
	check_cargo(&transport_stats(t)->lost, 0);
	transport_free(t);
	sink_close(&s);
}

UNIT(a_numeric_ipv4_address_is_up_at_once)
{
	check_numeric("127.0.0.1");
}
END_TEST

UNIT(a_numeric_ipv6_address_is_up_at_once)
{
	check_numeric("::1");
}
END_TEST

UNIT(a_name_is_host_and_port_with_brackets_around_ipv6)
{
	static const struct collector_address v4 = { "192.0.2.1", "2055" };
	static const struct collector_address v6 = { "2001:db8::1", "4739" };
	struct transport *t = make(&v4);

	ck_assert_str_eq(transport_name(t), "192.0.2.1:2055");
	transport_free(t);
	t = make(&v6);
	ck_assert_str_eq(transport_name(t), "[2001:db8::1]:4739");
	transport_free(t);
}
END_TEST

/* Start the look-up of t, wait until it rang `wake`, and tick. */
static enum transport_event
await_answer_at(struct transport *t, uint64_t mono_ns)
{
	struct pollfd pfd = { .fd = wake_fd(&wake), .events = POLLIN };

	ck_assert(!transport_tick(t, mono_ns));
	ck_assert_int_eq(poll(&pfd, 1, LOOKUP_MS), 1);
	wake_clear(&wake);
	return transport_tick(t, mono_ns);
}

static bool
await_answer(struct transport *t)
{
	return await_answer_at(t, 0) != TRANSPORT_NO_NEWS;
}

UNIT(a_name_is_looked_up_and_then_comes_up)
{
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "localhost"), 0);
	t = make(&s.address);
	ck_assert_int_eq(transport_state(t), TRANSPORT_RESOLVING);
	ck_assert(!transport_settled(t));
	ck_assert_int_eq(send_text(t, "too early"), -1);
	check_cargo(&transport_stats(t)->lost, 1);
	ck_assert_uint_eq(transport_stats(t)->dropped, 1);
	ck_assert(await_answer(t)); /* it came up just now */
	ck_assert(transport_settled(t));
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	ck_assert(!transport_tick(t, 1 * S)); /* and not again */
	ck_assert_int_eq(send_text(t, "hello"), 0);
	check_next(&s, "hello");
	transport_free(t);
	sink_close(&s);
}
END_TEST

static double
seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

UNIT(a_name_nobody_knows_settles_as_failed_and_blocks_nothing)
{
	static const struct collector_address nowhere = { "nowhere.invalid",
		"2055" };
	double began = seconds_now();
	struct transport *t;

	t = make(&nowhere);
	ck_assert_int_eq(send_text(t, "lost"), -1);
	ck_assert_double_lt(seconds_now() - began, 1);
	ck_assert(!await_answer(t));
	ck_assert(transport_settled(t));
	ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
	/* It is looked up again and again, and stays failed meanwhile. */
	began = seconds_now();
	for (uint64_t s = 1; s < 10; s++) {
		ck_assert(!transport_tick(t, s * S));
		ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
		ck_assert_int_eq(send_text(t, "lost"), -1);
	}
	ck_assert_double_lt(seconds_now() - began, 1);
	check_cargo(&transport_stats(t)->lost, 10);
	ck_assert(transport_ready(t)); /* it holds nobody up */
	check_poll(t, 0);
	transport_free(t); /* perhaps while it is being looked up */
}
END_TEST

/* Sinks on two addresses of the loopback, with the same port. */
static void
open_two(struct sink *one, struct sink *two, struct collector_address *name)
{
	struct collector_address second;

	ck_assert_int_eq(sink_open(one, "127.0.0.1"), 0);
	second = one->address;
	(void)snprintf(second.host, sizeof(second.host), "127.0.0.2");
	sink_reopen(two, &second);
	*name = one->address;
	(void)snprintf(name->host, sizeof(name->host), "flows.test");
}

static void
give(const char *first, const char *second)
{
	given[0] = first;
	given[1] = second;
}

/* A transport to a name that has been looked up. */
static struct transport *
make_named(const struct collector_address *name)
{
	struct transport *t;

	config = endpoint_defaults;
	config.lookup_ms = 60000;
	t = make_with(name);
	ck_assert_int_eq(await_answer_at(t, 1 * S), TRANSPORT_SESSION);
	return t;
}

UNIT(a_name_that_changes_is_followed)
{
	struct collector_address name;
	struct sink one, two;
	struct transport *t;

	open_two(&one, &two, &name);
	give("127.0.0.1", NULL);
	t = make_named(&name);
	ck_assert_int_eq(send_text(t, "first"), 0);
	check_next(&one, "first");
	give("127.0.0.2", NULL);
	ck_assert_int_eq(transport_tick(t, 40 * S), TRANSPORT_NO_NEWS);
	ck_assert_int_eq(send_text(t, "second"), 0);
	check_next(&one, "second"); /* nobody has looked yet */
	ck_assert_int_eq(await_answer_at(t, 80 * S), TRANSPORT_SESSION);
	ck_assert_int_eq(send_text(t, "third"), 0);
	check_next(&two, "third");
	ck_assert_int_eq(sink_next(&one), -1);
	check_cargo(&transport_stats(t)->sent, 3);
	transport_free(t);
	sink_close(&one);
	sink_close(&two);
}
END_TEST

UNIT(the_old_address_holds_while_there_is_no_answer_or_the_same)
{
	struct collector_address name;
	struct sink one, two;
	struct transport *t;

	open_two(&one, &two, &name);
	give("127.0.0.1", NULL);
	t = make_named(&name);
	for (uint64_t s = 100; s < 1000; s += 100) {
		give(s % 200 == 0 ? NULL : "127.0.0.1", NULL);
		ck_assert_int_eq(await_answer_at(t, s * S), TRANSPORT_NO_NEWS);
		ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
		ck_assert_int_eq(send_text(t, "on"), 0);
		check_next(&one, "on");
	}
	transport_free(t);
	sink_close(&one);
	sink_close(&two);
}
END_TEST

UNIT(a_name_is_looked_up_sooner_when_sending_fails)
{
	struct collector_address name;
	struct sink one, two;
	struct transport *t;

	open_two(&one, &two, &name);
	give("127.0.0.1", NULL);
	t = make_named(&name);
	sink_close(&one);
	give("127.0.0.2", NULL);
	ck_assert_int_eq(send_text(t, "lost"), 0);
	(void)transport_tick(t, 5 * S); /* it is refused */
	ck_assert(transport_refused(t));
	ck_assert_int_eq(await_answer_at(t, 15 * S), TRANSPORT_SESSION);
	ck_assert_int_eq(send_text(t, "found"), 0);
	check_next(&two, "found");
	transport_free(t);
	sink_close(&two);
}
END_TEST

UNIT(an_address_that_a_name_gains_is_tried_when_the_old_one_refuses)
{
	struct collector_address name;
	struct sink one, two;
	struct transport *t;
	uint64_t s = 81;

	open_two(&one, &two, &name);
	give("127.0.0.1", NULL);
	t = make_named(&name);
	give("127.0.0.1", "127.0.0.2");
	ck_assert_int_eq(await_answer_at(t, 80 * S), TRANSPORT_NO_NEWS);
	ck_assert_int_eq(send_text(t, "stays"), 0);
	check_next(&one, "stays");
	sink_close(&one);
	ck_assert_int_eq(send_text(t, "refused"), 0);
	while (transport_tick(t, s * S) != TRANSPORT_SESSION)
		ck_assert_uint_lt(s++, 85);
	ck_assert_int_eq(send_text(t, "taken"), 0);
	check_next(&two, "taken");
	transport_free(t);
	sink_close(&two);
}
END_TEST

UNIT(all_addresses_of_a_name_are_tried_in_turn)
{
	struct collector_address name;
	struct sink one, two;
	struct transport *t;
	uint64_t s = 2;

	open_two(&one, &two, &name);
	give("127.0.0.1", "127.0.0.2");
	t = make_named(&name);
	sink_close(&one);
	ck_assert_int_eq(send_text(t, "refused"), 0);
	while (transport_tick(t, s * S) != TRANSPORT_SESSION)
		ck_assert_uint_lt(s++, 5);
	ck_assert_int_eq(send_text(t, "taken"), 0);
	check_next(&two, "taken");
	/* The other way round, too. */
	sink_close(&two);
	sink_reopen(&one, &one.address);
	ck_assert_int_eq(send_text(t, "refused"), 0);
	while (transport_tick(t, s * S) != TRANSPORT_SESSION)
		ck_assert_uint_lt(s++, 9);
	ck_assert_int_eq(send_text(t, "taken"), 0);
	check_next(&one, "taken");
	transport_free(t);
	sink_close(&one);
}
END_TEST

/* Lose a session that writing finds out about, the peer having closed. */
static void
lose_by_writing(struct transport *t)
{
	for (int i = 0; i < 5000 && transport_state(t) == TRANSPORT_UP; i++) {
		(void)send_text(t, "lost");
		(void)poll(NULL, 0, 1);
	}
	ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
}

UNIT(an_answer_does_not_hasten_the_next_session)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct collector_address name = { "flows.test", "" };
	struct pollfd answered, caller;
	socklen_t len = sizeof(at);
	struct transport *t;
	int fd, listener = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	(void)getsockname(listener, (struct sockaddr *)&at, &len);
	(void)snprintf(name.port, sizeof(name.port), "%u", ntohs(at.sin_port));
	give("127.0.0.1", NULL);
	config = endpoint_defaults;
	config.kind = COLLECTOR_TCP;
	config.lookup_ms = 1000;
	t = make_with(&name);
	(void)await_answer_at(t, 1 * S);
	while (transport_state(t) != TRANSPORT_UP)
		(void)transport_tick(t, 1 * S);
	fd = accept(listener, NULL, NULL);
	/* It is looked up again; the session ends before that is answered. */
	(void)transport_tick(t, 9 * S);
	close(fd);
	lose_by_writing(t);
	answered = (struct pollfd){ .fd = wake_fd(&wake), .events = POLLIN };
	ck_assert_int_eq(poll(&answered, 1, LOOKUP_MS), 1);
	caller = (struct pollfd){ .fd = listener, .events = POLLIN };
	for (uint64_t s = 9; s < 60; s++) {
		(void)transport_tick(t, s * S);
		ck_assert_int_eq(poll(&caller, 1, 0), 0);
	}
	transport_free(t);
	close(listener);
}
END_TEST

/* The source address and the type of service of the next datagram. */
static void
look_at_next(struct sink *s, char source[INET_ADDRSTRLEN], int *tos)
{
	union {
		struct cmsghdr align;
		uint8_t octets[256];
	} control;
	struct sockaddr_in from;
	struct iovec iov = { s->data, sizeof(s->data) };
	struct msghdr msg = { .msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	ck_assert_int_gt(recvmsg(s->fd, &msg, 0), 0);
	ck_assert_ptr_nonnull(
	    inet_ntop(AF_INET, &from.sin_addr, source, INET_ADDRSTRLEN));
	c = CMSG_FIRSTHDR(&msg);
	ck_assert(c != NULL && c->cmsg_type == IP_TOS);
	*tos = *CMSG_DATA(c);
}

UNIT(datagrams_come_from_the_address_and_have_the_code_point_asked_for)
{
	char source[INET_ADDRSTRLEN];
	struct transport *t;
	struct sink s;
	int on = 1, tos;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	ck_assert_int_eq(
	    setsockopt(s.fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)), 0);
	config = endpoint_defaults;
	config.source = "127.0.0.3";
	config.dscp = 46;
	config.device = "lo";
	t = make_with(&s.address);
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	ck_assert_int_eq(send_text(t, "x"), 0);
	look_at_next(&s, source, &tos);
	ck_assert_str_eq(source, "127.0.0.3");
	ck_assert_int_eq(tos, 46 << 2);
	transport_free(t);
	sink_close(&s);
}
END_TEST

static void
check_unreachable(const char *source, const char *device)
{
	struct transport *t;
	struct sink s;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	config = endpoint_defaults;
	config.source = source;
	config.device = device;
	t = make_with(&s.address);
	ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
	ck_assert_int_eq(send_text(t, "x"), -1);
	transport_free(t);
	sink_close(&s);
}

UNIT(a_source_or_device_that_is_not_there_is_tried_again)
{
	check_unreachable("192.0.2.1", NULL);
	check_unreachable("::1", NULL); /* of the other family */
	check_unreachable(NULL, "no-such-device");
}
END_TEST

UNIT(a_port_nobody_knows_settles_as_failed)
{
	static const struct collector_address bad = { "127.0.0.1", "no-such" };
	struct transport *t;

	t = make(&bad);
	ck_assert(!await_answer(t));
	ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
	transport_free(t);
}
END_TEST

/* The hop limit of the next datagram, as IP_RECVTTL or its like tells it. */
static int
hops_of_next(struct sink *s)
{
	union {
		struct cmsghdr align;
		uint8_t octets[256];
	} control;
	struct iovec iov = { s->data, sizeof(s->data) };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int hops = -1;

	ck_assert_int_gt(recvmsg(s->fd, &msg, 0), 0);
	c = CMSG_FIRSTHDR(&msg); /* nothing else was asked for */
	if (c != NULL &&
	    ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
		(c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_HOPLIMIT)))
		memcpy(&hops, CMSG_DATA(c), sizeof(hops));
	return hops;
}

static int
hops_sent(const char *host, int level, int option, int hop_limit)
{
	struct sink s;
	struct transport *t;
	int on = 1, hops;
	bool there;

	open_or_skip(&s, host, &there);
	if (!there)
		return hop_limit;
	ck_assert_int_eq(setsockopt(s.fd, level, option, &on, sizeof(on)), 0);
	config = endpoint_defaults;
	config.hop_limit = (uint32_t)hop_limit;
	t = make_with(&s.address);
	ck_assert_int_eq(send_text(t, "far"), 0);
	hops = hops_of_next(&s);
	transport_free(t);
	sink_close(&s);
	return hops;
}

UNIT(datagrams_carry_the_hop_limit_asked_for)
{
	ck_assert_int_eq(hops_sent("127.0.0.1", IPPROTO_IP, IP_RECVTTL, 7), 7);
	ck_assert_int_eq(
	    hops_sent("127.0.0.1", IPPROTO_IP, IP_RECVTTL, 255), 255);
	ck_assert_int_eq(
	    hops_sent("::1", IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 9), 9);
}
END_TEST

/* Refusals ----------------------------------------------------------------- */

/* Send until the refusal of an earlier datagram was seen. */
static void
be_refused(struct transport *t)
{
	uint64_t before = transport_stats(t)->refused;

	for (int i = 0; i < 10 && transport_stats(t)->refused == before; i++)
		ck_assert_int_eq(send_text(t, "anybody?"), 0);
	ck_assert_uint_gt(transport_stats(t)->refused, before);
}

UNIT(a_refusal_is_counted_and_the_datagram_that_met_it_is_sent)
{
	struct collector_address address;
	struct transport *t;
	struct sink s;

	closed_port(&address);
	t = make(&address);
	ck_assert_int_eq(send_text(t, "first"), 0);
	sink_reopen(&s, &address);
	ck_assert_int_eq(send_text(t, "second"), 0); /* told of the first */
	ck_assert_uint_eq(transport_stats(t)->refused, 1);
	ck_assert_uint_eq(transport_stats(t)->dropped, 0);
	check_next(&s, "second");
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(a_collector_that_refuses_is_still_sent_everything)
{
	struct collector_address address;
	struct transport *t;

	closed_port(&address);
	t = make(&address);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(send_text(t, "anybody?"), 0);
	check_cargo(&transport_stats(t)->sent, 1000);
	ck_assert_uint_gt(transport_stats(t)->refused, 0);
	ck_assert_uint_eq(transport_stats(t)->dropped, 0);
	transport_free(t);
}
END_TEST

UNIT(a_tick_sees_a_refusal_that_no_send_has_met)
{
	struct collector_address address;
	struct transport *t;

	closed_port(&address);
	t = make(&address);
	ck_assert(!transport_refused(t));
	ck_assert_int_eq(send_text(t, "anybody?"), 0);
	ck_assert(!transport_tick(t, 1 * S));
	ck_assert(transport_refused(t));
	ck_assert_uint_eq(transport_stats(t)->refused, 1);
	transport_free(t);
}
END_TEST

UNIT(a_collector_is_back_after_two_quiet_seconds)
{
	struct collector_address address;
	struct transport *t;
	struct sink s;

	closed_port(&address);
	t = make(&address);
	be_refused(t);
	ck_assert(!transport_tick(t, 100 * S));
	be_refused(t);
	ck_assert(!transport_tick(t, 102 * S)); /* refused since */
	sink_reopen(&s, &address);
	ck_assert_int_eq(send_text(t, "heard"), 0);
	ck_assert(!transport_tick(t, 104 * S - 1));
	ck_assert(transport_refused(t));
	ck_assert(transport_tick(t, 104 * S));
	ck_assert(!transport_refused(t));
	ck_assert(!transport_tick(t, 106 * S)); /* only once */
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(a_collector_that_refused_is_not_back_before_something_was_sent)
{
	struct collector_address address;
	struct transport *t;
	struct sink s;

	closed_port(&address);
	t = make(&address);
	be_refused(t);
	ck_assert(!transport_tick(t, 100 * S));
	sink_reopen(&s, &address);
	ck_assert(!transport_tick(t, 110 * S));
	ck_assert_int_eq(send_text(t, "heard"), 0);
	ck_assert(
	    !transport_tick(t, 111 * S)); /* an answer may be on its way */
	ck_assert(transport_tick(t, 112 * S));
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(a_collector_that_never_refused_never_comes_back)
{
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make(&s.address);
	for (uint64_t i = 0; i < 100; i++) {
		ck_assert_int_eq(send_text(t, "x"), 0);
		ck_assert(!transport_tick(t, i * S));
	}
	transport_free(t);
	sink_close(&s);
}
END_TEST

/* The queue ---------------------------------------------------------------- */

UNIT(datagrams_wait_for_a_flush_and_leave_in_order)
{
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make(&s.address);
	ck_assert_int_eq(queue_text(t, "one"), 0);
	ck_assert_int_eq(queue_text(t, "two"), 0);
	ck_assert_int_eq(sink_next(&s), -1);
	check_cargo(&transport_stats(t)->queued, 2);
	check_cargo(&transport_stats(t)->sent, 0);
	transport_flush(t);
	check_next(&s, "one");
	check_next(&s, "two");
	check_cargo(&transport_stats(t)->queued, 0);
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(a_full_batch_is_sent)
{
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make(&s.address);
	for (unsigned i = 0; i < BATCH; i++)
		ck_assert_int_eq(queue_text(t, "x"), 0);
	ck_assert_int_eq(sink_next(&s), -1);
	ck_assert_int_eq(queue_text(t, "y"), 0);
	for (unsigned i = 0; i < BATCH; i++)
		check_next(&s, "x");
	ck_assert_int_eq(sink_next(&s), -1);
	transport_flush(t);
	check_next(&s, "y");
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(what_the_socket_does_not_take_waits_in_order)
{
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make(&s.address);
	send_error = EAGAIN;
	ck_assert_int_eq(send_text(t, "one"), 0);
	check_poll(t, POLLOUT);
	ck_assert_int_eq(send_text(t, "two"), 0);
	send_error = 0;
	ck_assert_int_eq(sink_next(&s), -1);
	check_cargo(&transport_stats(t)->sent, 0);
	transport_flush(t);
	check_next(&s, "one");
	check_next(&s, "two");
	check_poll(t, 0);
	check_cargo(&transport_stats(t)->sent, 2);
	check_cargo(&transport_stats(t)->lost, 0);
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(a_tick_sends_what_waits)
{
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make(&s.address);
	send_error = ENOBUFS;
	ck_assert_int_eq(send_text(t, "one"), 0);
	send_error = 0;
	ck_assert(!transport_tick(t, 1));
	check_next(&s, "one");
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(the_queue_is_bounded_and_what_does_not_fit_is_lost_and_counted)
{
	struct sink s;
	struct transport *t;
	unsigned taken = 0;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make_small(&s.address);
	send_error = EAGAIN;
	while (taken < 1000 && send_text(t, "wait") == 0)
		taken++;
	ck_assert_uint_eq(taken, QUEUE);
	ck_assert_int_eq(send_text(t, "wait"), -1);
	check_cargo(&transport_stats(t)->lost, 2);
	check_cargo(&transport_stats(t)->queued, QUEUE);
	ck_assert_uint_eq(transport_stats(t)->dropped, 2);
	ck_assert_uint_eq(transport_stats(t)->errors, 0);
	send_error = 0;
	transport_flush(t);
	check_cargo(&transport_stats(t)->sent, QUEUE);
	for (unsigned i = 0; i < QUEUE; i++)
		check_next(&s, "wait");
	ck_assert_int_eq(sink_next(&s), -1);
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(it_is_not_ready_when_two_more_datagrams_have_no_room)
{
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make_small(&s.address);
	send_error = EAGAIN;
	for (unsigned i = 0; i < QUEUE - 1; i++) {
		ck_assert(transport_ready(t));
		ck_assert_int_eq(send_text(t, "wait"), 0);
	}
	ck_assert(!transport_ready(t));
	sends_to_go = 1;
	ck_assert(transport_ready(t)); /* it makes room */
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(a_queue_that_is_filled_and_emptied_in_turns_keeps_order)
{
	struct sink s;
	struct transport *t;
	unsigned in = 0, out = 0;
	char text[16];

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make_small(&s.address);
	send_error = EAGAIN;
	for (unsigned turn = 0; turn < 50; turn++) {
		for (unsigned i = 0; i < 3 + turn % 2 && in - out < QUEUE;
		     i++) {
			(void)snprintf(text, sizeof(text), "%u", in++);
			ck_assert_int_eq(send_text(t, text), 0);
		}
		sends_to_go = 3;
		transport_flush(t);
		for (; sink_next(&s) > 0; out++) {
			s.data[8] = 0;
			ck_assert_uint_eq(
			    strtoul((char *)s.data, NULL, 10), out);
			memset(s.data, 0, 16);
		}
		sends_to_go = 0;
	}
	ck_assert_uint_gt(out, 100);
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(another_send_error_loses_that_datagram_and_no_other)
{
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	t = make(&s.address);
	send_error = ENETUNREACH;
	ck_assert_int_eq(send_text(t, "lost"), 0);
	send_error = 0;
	ck_assert_int_eq(send_text(t, "kept"), 0);
	check_next(&s, "kept");
	ck_assert_uint_eq(transport_stats(t)->errors, 1);
	check_cargo(&transport_stats(t)->lost, 1);
	check_cargo(&transport_stats(t)->sent, 1);
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(a_datagram_too_large_is_lost_and_counted)
{
	static const uint8_t large[65520]; /* for UDP over IPv4 */
	const struct cargo cargo = { 1, 2, 3 };
	struct sink s;
	struct transport *t;

	ck_assert_int_eq(sink_open(&s, "127.0.0.1"), 0);
	config = endpoint_defaults;
	config.mtu = 65535;
	t = make_with(&s.address);
	ck_assert_int_eq(transport_send(t, large, sizeof(large), &cargo), 0);
	ck_assert_int_eq(send_text(t, "kept"), 0);
	check_next(&s, "kept");
	check_cargo(&transport_stats(t)->lost, 1);
	transport_free(t);
	t = make(&s.address);
	ck_assert_int_eq(transport_send(t, large, MTU + 1, &cargo), -1);
	check_cargo(&transport_stats(t)->lost, 1);
	transport_free(t);
	sink_close(&s);
}
END_TEST

UNIT(freeing_no_transport_is_fine)
{
	transport_free(NULL);
}
END_TEST

UNIT_MAIN("transport", a_numeric_ipv4_address_is_up_at_once,
    a_numeric_ipv6_address_is_up_at_once,
    a_name_is_host_and_port_with_brackets_around_ipv6,
    a_name_is_looked_up_and_then_comes_up,
    a_name_nobody_knows_settles_as_failed_and_blocks_nothing,
    a_name_that_changes_is_followed,
    the_old_address_holds_while_there_is_no_answer_or_the_same,
    a_name_is_looked_up_sooner_when_sending_fails,
    an_address_that_a_name_gains_is_tried_when_the_old_one_refuses,
    all_addresses_of_a_name_are_tried_in_turn,
    an_answer_does_not_hasten_the_next_session,
    datagrams_come_from_the_address_and_have_the_code_point_asked_for,
    a_source_or_device_that_is_not_there_is_tried_again,
    a_port_nobody_knows_settles_as_failed,
    datagrams_carry_the_hop_limit_asked_for,
    a_refusal_is_counted_and_the_datagram_that_met_it_is_sent,
    a_collector_that_refuses_is_still_sent_everything,
    a_tick_sees_a_refusal_that_no_send_has_met,
    a_collector_is_back_after_two_quiet_seconds,
    a_collector_that_refused_is_not_back_before_something_was_sent,
    a_collector_that_never_refused_never_comes_back,
    datagrams_wait_for_a_flush_and_leave_in_order, a_full_batch_is_sent,
    what_the_socket_does_not_take_waits_in_order, a_tick_sends_what_waits,
    the_queue_is_bounded_and_what_does_not_fit_is_lost_and_counted,
    it_is_not_ready_when_two_more_datagrams_have_no_room,
    a_queue_that_is_filled_and_emptied_in_turns_keeps_order,
    another_send_error_loses_that_datagram_and_no_other,
    a_datagram_too_large_is_lost_and_counted, freeing_no_transport_is_fine)
