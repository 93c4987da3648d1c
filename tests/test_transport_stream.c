/* SPDX-License-Identifier: ISC */
/*
 * test_transport_stream.c - sessions over TCP with collectors on the loopback
 * that come late, go away, do not read and talk back: whole messages arrive,
 * in order, and each that does not is counted.
 *
 * Time is made up: a tick tells it.  What needs the kernel to catch up is
 * waited for, a few seconds at most.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "tests/export.h"
#include "transport.h"
#include "wake.h"

#define S NS_PER_S
#define MESSAGE ((size_t)1000) /* octets of each message here */
#define WAIT_MS 5000

static struct collector_config config;
static struct wake wake;
static uint64_t now;              /* the time that is told */
static enum transport_event news; /* that a tick told last */

/* A collector ----------------------------------------------------------------
 */

struct tcp_sink {
	int listener, fd;
	size_t got; /* octets */
	struct collector_address address;
	uint8_t data[1 << 20];
};

static struct tcp_sink s;

/* Take a port on the loopback, where nobody listens yet. */
static void
take_port(struct tcp_sink *sink)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int small = 4096;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sink->fd = -1;
	sink->got = 0;
	sink->listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_ne(sink->listener, -1);
	(void)setsockopt(
	    sink->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	ck_assert_int_eq(
	    bind(sink->listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(
	    getsockname(sink->listener, (struct sockaddr *)&sin, &len), 0);
	(void)snprintf(
	    sink->address.host, sizeof(sink->address.host), "127.0.0.1");
	(void)snprintf(sink->address.port, sizeof(sink->address.port), "%u",
	    ntohs(sin.sin_port));
}

static void
accept_one(struct tcp_sink *sink)
{
	struct pollfd pfd = { .fd = sink->listener, .events = POLLIN };

	ck_assert_int_eq(poll(&pfd, 1, WAIT_MS), 1);
	sink->fd = accept(sink->listener, NULL, NULL);
	ck_assert_int_ne(sink->fd, -1);
	sink->got = 0;
}

static void
close_sink(struct tcp_sink *sink)
{
	if (sink->fd != -1)
		close(sink->fd);
	if (sink->listener != -1)
		close(sink->listener);
	sink->fd = sink->listener = -1;
}

/* The exporting side ----------------------------------------------------------
 */

static struct transport *
make_to(const struct collector_address *to, enum collector_kind kind)
{
	struct transport *t;

	config = endpoint_defaults;
	config.kind = kind;
	config.address = *to;
	config.queue_octets = (uint32_t)(100 * MESSAGE);
	now = 1000 * S;
	ck_assert_int_eq(wake_init(&wake), 0);
	t = transport_new(&config, &wake);
	ck_assert_ptr_nonnull(t);
	return t;
}

/* Tick, and keep what news there is. */
static void
tick(struct transport *t)
{
	enum transport_event event = transport_tick(t, now);

	if (event != TRANSPORT_NO_NEWS)
		news = event;
}

static void
tick_until(struct transport *t, enum transport_state state)
{
	for (int ms = 0; ms < WAIT_MS; ms++) {
		tick(t);
		if (transport_state(t) == state)
			return;
		(void)poll(NULL, 0, 1);
	}
	ck_abort_msg("nothing happens");
}

/* Take the connection that t makes or has made; it must be a new session. */
static void
accept_session(struct transport *t)
{
	accept_one(&s);
	tick_until(t, TRANSPORT_UP);
	ck_assert_int_eq(news, TRANSPORT_SESSION);
	news = TRANSPORT_NO_NEWS;
}

static struct transport *
make_connected(void)
{
	struct transport *t;

	take_port(&s);
	ck_assert_int_eq(listen(s.listener, 1), 0);
	t = make_to(&s.address, COLLECTOR_TCP);
	accept_one(&s);
	tick_until(t, TRANSPORT_UP); /* a first session needs no news */
	news = TRANSPORT_NO_NEWS;
	return t;
}

/* Queue message n: a count, then octets that tell where they belong. */
static int
put(struct transport *t, unsigned n)
{
	const struct cargo cargo = { 1, 2, 3 };
	uint8_t data[MESSAGE];

	for (size_t i = 0; i < MESSAGE; i++)
		data[i] = (uint8_t)((size_t)n * 7 + i % 251);
	return transport_send(t, data, sizeof(data), &cargo);
}

/* Read what has come, as far as `octets`. */
static void
read_up_to(struct tcp_sink *sink, size_t octets)
{
	while (sink->got < octets) {
		struct pollfd pfd = { .fd = sink->fd, .events = POLLIN };
		ssize_t n;

		ck_assert_int_eq(poll(&pfd, 1, WAIT_MS), 1);
		n = recv(
		    sink->fd, sink->data + sink->got, octets - sink->got, 0);
		ck_assert_int_gt(n, 0);
		sink->got += (size_t)n;
	}
}

/* What came must be messages from `first` on, of which the last may be cut. */
static void
check_messages(const struct tcp_sink *sink, unsigned first)
{
	for (size_t at = 0; at < sink->got; at++) {
		unsigned n = first + (unsigned)(at / MESSAGE);
		uint8_t want = (uint8_t)((size_t)n * 7 + at % MESSAGE % 251);

		if (sink->data[at] != want)
			ck_abort_msg("octet %zu is %u, not %u", at,
			    sink->data[at], want);
	}
}

static void
check_account(const struct transport *t, uint64_t messages)
{
	const struct transport_stats *st = transport_stats(t);

	ck_assert_uint_eq(
	    st->sent.records + st->queued.records + st->lost.records, messages);
	ck_assert_uint_eq(
	    st->sent.packets + st->queued.packets + st->lost.packets,
	    2 * messages);
	ck_assert_uint_eq(st->sent.octets + st->queued.octets + st->lost.octets,
	    3 * messages);
	ck_assert_uint_eq(st->datagrams, st->sent.records);
	ck_assert_uint_eq(st->octets, st->sent.records * MESSAGE);
	ck_assert_uint_eq(st->dropped, st->lost.records);
	ck_assert_uint_eq(st->dropped_octets, st->lost.records * MESSAGE);
	ck_assert_uint_eq(st->queued_octets, st->queued.records * MESSAGE);
}

/* Sessions
 * --------------------------------------------------------------------- */

UNIT(a_session_begins_once_it_is_connected_and_carries_messages_in_order)
{
	struct transport *t = make_connected();

	ck_assert(transport_settled(t));
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	ck_assert_int_eq(transport_tick(t, now), TRANSPORT_NO_NEWS);
	for (unsigned n = 0; n < 90; n++)
		ck_assert_int_eq(put(t, n), 0);
	for (size_t got = 0; got < 90 * MESSAGE; got += MESSAGE) {
		transport_flush(t);
		read_up_to(&s, got + MESSAGE);
	}
	check_messages(&s, 0);
	check_account(t, 90);
	ck_assert_uint_eq(transport_stats(t)->sent.records, 90);
	ck_assert_uint_eq(transport_stats(t)->reconnects, 0);
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(a_collector_s_name_says_what_it_speaks)
{
	struct transport *t = make_connected();
	char want[64];

	(void)snprintf(
	    want, sizeof(want), "tcp://127.0.0.1:%s", s.address.port);
	ck_assert_str_eq(transport_name(t), want);
	ck_assert_str_eq(transport_kind(t), "tcp");
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(what_is_sent_while_there_is_no_session_is_lost_and_counted)
{
	struct transport *t;

	take_port(&s);
	t = make_to(&s.address, COLLECTOR_TCP);
	ck_assert_int_eq(put(t, 0), -1);
	tick_until(t, TRANSPORT_FAILED);
	ck_assert_int_eq(news, TRANSPORT_NO_NEWS);
	ck_assert(transport_settled(t));
	ck_assert_int_eq(put(t, 1), -1);
	ck_assert(transport_ready(t)); /* it holds nobody up */
	ck_assert(!transport_pending(t));
	check_account(t, 2);
	ck_assert_uint_eq(transport_stats(t)->lost.records, 2);
	transport_free(t);
	close_sink(&s);
}
END_TEST

/* Seconds until the next attempt is made, to a tenth. */
static double
seconds_to_attempt(struct transport *t, struct tcp_sink *sink)
{
	uint64_t began = now;

	for (;; now += S / 10) {
		struct pollfd pfd = { .fd = sink->listener, .events = POLLIN };

		ck_assert_uint_lt(now - began, 1000 * S);
		tick(t);
		if (poll(&pfd, 1, 0) == 1)
			return (double)(now - began) / 1e9;
	}
}

UNIT(a_collector_that_comes_late_is_tried_sooner_than_once_a_minute)
{
	struct transport *t;

	take_port(&s);
	t = make_to(&s.address, COLLECTOR_TCP);
	for (int i = 0; i < 20; i++) { /* a minute or so of refusals */
		tick_until(t, TRANSPORT_FAILED);
		now += 3 * S;
	}
	ck_assert_int_eq(listen(s.listener, 1), 0);
	ck_assert_double_le(seconds_to_attempt(t, &s), 36);
	accept_session(t);
	ck_assert_int_eq(put(t, 0), 0);
	transport_flush(t);
	read_up_to(&s, MESSAGE);
	check_messages(&s, 0);
	ck_assert_uint_eq(transport_stats(t)->reconnects, 0);
	transport_free(t);
	close_sink(&s);
}
END_TEST

/* Tick until the end of the session is seen. */
static void
await_loss(struct transport *t)
{
	for (int ms = 0; ms < WAIT_MS; ms++) {
		tick(t);
		if (transport_state(t) != TRANSPORT_UP)
			return;
		(void)poll(NULL, 0, 1);
	}
	ck_abort_msg("the session does not end");
}

UNIT(a_lost_session_is_followed_by_another_no_sooner_than_asked)
{
	struct transport *t = make_connected();

	ck_assert_int_eq(put(t, 0), 0);
	transport_flush(t);
	read_up_to(&s, MESSAGE);
	close(s.fd);
	await_loss(t);
	ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
	ck_assert_int_eq(put(t, 1), -1);
	ck_assert_double_ge(seconds_to_attempt(t, &s), 60);
	accept_session(t);
	ck_assert_uint_eq(transport_stats(t)->reconnects, 1);
	ck_assert_int_eq(put(t, 2), 0);
	transport_flush(t);
	read_up_to(&s, MESSAGE);
	check_messages(&s, 2);
	check_account(t, 3);
	/* An attempt long ago does not count. */
	now += 3600 * S;
	tick(t);
	close(s.fd);
	await_loss(t);
	ck_assert_double_le(seconds_to_attempt(t, &s), 2);
	s.fd = -1;
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(a_collector_that_resets_is_noticed_without_sending)
{
	struct transport *t = make_connected();
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	short events;

	ck_assert_int_ne(transport_poll_fd(t, &events), -1);
	ck_assert_int_eq(events, POLLIN);
	(void)setsockopt(s.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(s.fd);
	s.fd = -1;
	await_loss(t);
	ck_assert_uint_eq(transport_stats(t)->errors, 1);
	transport_free(t);
	close_sink(&s);
}
END_TEST

/* Send until nothing is taken any more; how many messages there were. */
static unsigned
fill(struct transport *t, unsigned first)
{
	unsigned n = first;

	while (transport_ready(t) && n < 20000)
		ck_assert_int_eq(put(t, n++), 0);
	ck_assert_uint_lt(n, 20000);
	return n;
}

UNIT(a_collector_that_does_not_read_fills_its_queue_and_no_more)
{
	struct transport *t = make_connected();
	unsigned n = fill(t, 0), lost = 0;

	ck_assert(transport_pending(t));
	while (put(t, n) == 0)
		n++;
	for (; lost < 50; lost++)
		ck_assert_int_eq(put(t, n), -1);
	check_account(t, n + lost + 1);
	ck_assert_uint_eq(transport_stats(t)->lost.records, lost + 1);
	ck_assert_uint_le(transport_stats(t)->queued_octets, 100 * MESSAGE);
	/* It reads again: nothing is missing from what was queued. */
	for (size_t got = 0; got < (size_t)n * MESSAGE; got += MESSAGE) {
		transport_flush(t);
		read_up_to(&s, got + MESSAGE);
		if (s.got > sizeof(s.data) - MESSAGE)
			break;
	}
	check_messages(&s, 0);
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(a_session_that_takes_nothing_for_two_minutes_is_ended)
{
	struct transport *t = make_connected();
	unsigned n = fill(t, 0);
	uint64_t sent = transport_stats(t)->sent.records;

	tick(t);
	now += 119 * S;
	tick(t);
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	now += 2 * S;
	tick(t);
	ck_assert_int_eq(transport_state(t), TRANSPORT_FAILED);
	check_account(t, n);
	ck_assert_uint_eq(transport_stats(t)->sent.records, sent);
	ck_assert_uint_eq(transport_stats(t)->queued.records, 0);
	ck_assert(transport_ready(t));
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(a_session_that_pauses_for_a_minute_goes_on)
{
	struct transport *t = make_connected();
	unsigned n = fill(t, 0);

	for (int i = 0; i < 60; i++) {
		now += S;
		tick(t);
	}
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	read_up_to(&s, 50 * MESSAGE);
	check_messages(&s, 0);
	now += 100 * S;
	(void)poll(NULL, 0, 50); /* the window opens */
	tick(t);
	ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	check_account(t, n);
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(half_a_message_is_never_gone_on_with)
{
	struct transport *t = make_connected();
	unsigned n = fill(t, 0);
	uint64_t sent;

	close(s.fd); /* with data unread: a reset, in the middle of a message */
	s.fd = -1;
	await_loss(t);
	check_account(t, n);
	sent = transport_stats(t)->sent.records;
	ck_assert_uint_lt(sent, n);
	ck_assert_uint_eq(transport_stats(t)->lost.records, n - sent);
	now += 100 * S;
	tick(t);
	accept_session(t);
	ck_assert_int_eq(put(t, 5), 0);
	transport_flush(t);
	read_up_to(&s, MESSAGE);
	check_messages(&s, 5);
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(what_a_collector_sends_back_is_thrown_away)
{
	struct transport *t = make_connected();
	uint8_t noise[4096];

	memset(noise, 0xff, sizeof(noise));
	for (unsigned i = 0; i < 500; i++) {
		(void)send(s.fd, noise, sizeof(noise), MSG_DONTWAIT);
		tick(t);
		ck_assert_int_eq(transport_state(t), TRANSPORT_UP);
	}
	ck_assert_int_eq(put(t, 0), 0);
	transport_flush(t);
	read_up_to(&s, MESSAGE);
	check_messages(&s, 0);
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(the_end_is_orderly_after_the_last_message)
{
	struct transport *t = make_connected();
	uint8_t octet;

	for (unsigned n = 0; n < 3; n++)
		ck_assert_int_eq(put(t, n), 0);
	transport_flush(t);
	ck_assert(!transport_pending(t));
	transport_end(t);
	ck_assert_int_eq(transport_state(t), TRANSPORT_CLOSED);
	ck_assert_int_eq(transport_tick(t, now + 1000 * S), TRANSPORT_NO_NEWS);
	ck_assert_int_eq(transport_state(t), TRANSPORT_CLOSED);
	read_up_to(&s, 3 * MESSAGE);
	check_messages(&s, 0);
	ck_assert_int_eq(recv(s.fd, &octet, 1, 0), 0); /* no reset */
	check_account(t, 3);
	transport_free(t);
	close_sink(&s);
}
END_TEST

UNIT(what_waits_at_the_end_is_lost_and_counted)
{
	struct transport *t = make_connected();
	unsigned n = fill(t, 0);

	transport_end(t);
	check_account(t, n);
	ck_assert_uint_eq(transport_stats(t)->queued.records, 0);
	ck_assert_uint_gt(transport_stats(t)->lost.records, 0);
	transport_free(t);
	close_sink(&s);
}
END_TEST

/* SCTP --------------------------------------------------------------------- */

UNIT(sctp_connects_or_says_that_the_kernel_has_none)
{
	struct collector_address nobody = { "127.0.0.1", "9" };
	struct transport *t;
	int fd;

	if (transport_unsupported(COLLECTOR_SCTP) != NULL)
		return;
	fd = socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
	t = make_to(&nobody, COLLECTOR_SCTP);
	tick_until(t, TRANSPORT_FAILED); /* nobody listens, anyway */
	ck_assert(transport_settled(t));
	ck_assert_int_eq(put(t, 0), -1);
	if (fd != -1)
		close(fd);
	else
		printf("skip no SCTP in this kernel\n");
	transport_free(t);
}
END_TEST

UNIT_MAIN("transport_stream",
    a_session_begins_once_it_is_connected_and_carries_messages_in_order,
    a_collector_s_name_says_what_it_speaks,
    what_is_sent_while_there_is_no_session_is_lost_and_counted,
    a_collector_that_comes_late_is_tried_sooner_than_once_a_minute,
    a_lost_session_is_followed_by_another_no_sooner_than_asked,
    a_collector_that_resets_is_noticed_without_sending,
    a_collector_that_does_not_read_fills_its_queue_and_no_more,
    a_session_that_takes_nothing_for_two_minutes_is_ended,
    a_session_that_pauses_for_a_minute_goes_on,
    half_a_message_is_never_gone_on_with,
    what_a_collector_sends_back_is_thrown_away,
    the_end_is_orderly_after_the_last_message,
    what_waits_at_the_end_is_lost_and_counted,
    sctp_connects_or_says_that_the_kernel_has_none)
