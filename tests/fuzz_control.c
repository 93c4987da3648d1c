/* SPDX-License-Identifier: ISC */
/*
 * fuzz_control.c - any clients of the control socket, and the commands.
 *
 * The input is a script: clients connect, send octets, read a little or
 * nothing, hang up, while the loop serves them and time goes on.  Behind the
 * real commands stands a meter that answers when the script lets it.  What a
 * client gets is a reply or the beginning of one, and a while after the script
 * has ended nobody is left.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

/* The real commands, before a meter of the script's. */
#define meters_ask fake_ask
#define meters_answered fake_answered
#define meters_ended fake_ended
#define meters_final_stats fake_final_stats
#define probe_commands commands_under_test
#include "commands.c" /* NOLINT(bugprone-suspicious-include) */
#undef probe_commands

#include "bytes.h"
#include "fuzz.h"

#define CLIENTS 20U /* more than are served at once */
#define PAGES 4U    /* of flows */
#define HEAD 8U     /* octets of a reply that are looked at */
#define TURNS_MAX 256
#define QUIET 3 /* turns without anybody are the end */

struct client {
	int fd; /* -1 = not connected */
	size_t got;
	char head[HEAD + 1];
};

static struct {
	struct probe probe;
	struct control *control;
	struct sockaddr_un address;
	struct client client[CLIENTS];
	struct meter_call *call; /* under way */
	unsigned delay;          /* looks until it is answered */
	size_t flows;            /* of a page */
	bool ended;              /* the meter has */
	uint64_t mono_ns;
} world;

/* The meter ---------------------------------------------------------------- */

int
fake_ask(struct meters *m, struct meter_call *call)
{
	(void)m;
	require(world.call == NULL && !world.ended);
	require(call->op <= METER_GATHER);
	world.call = call;
	return 0;
}

static void
list(struct meter_call *call)
{
	static const struct flow_record record = { .src = { 192, 0, 2, 1 },
		.dst = { 198, 51, 100, 2 },
		.src_port = 49152,
		.dst_port = 443,
		.protocol = 6,
		.ip_version = 4,
		.fwd = { .packets = 1,
		    .octets = 40,
		    .start_ns = NS_PER_S,
		    .end_ns = NS_PER_S,
		    .tcp_flags = 2 } };

	require(call->cursor < PAGES);
	call->nrecords = world.flows;
	for (size_t i = 0; i < call->nrecords; i++)
		call->record[i] = record;
	call->cursor = (call->cursor + 1) % PAGES;
}

bool
fake_answered(struct meters *m)
{
	(void)m;
	if (world.call == NULL)
		return true;
	if (world.delay > 0) {
		world.delay--;
		return false;
	}
	if (world.call->op == METER_LIST)
		list(world.call);
	world.call = NULL;
	return true;
}

bool
fake_ended(const struct meters *m)
{
	(void)m;
	return world.ended;
}

void
fake_final_stats(struct meters *m, struct meter_call *call)
{
	(void)m;
	call->nsources = 0;
}

/* Clients ------------------------------------------------------------------ */

static void
forget(struct client *c)
{
	if (c->fd != -1)
		close(c->fd);
	*c = (struct client){ .fd = -1 };
}

static void
connect_client(struct client *c)
{
	forget(c);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	require(c->fd != -1);
	if (connect(c->fd, (const struct sockaddr *)&world.address,
		sizeof(world.address)) == -1)
		forget(c); /* too many wait */
}

static void
send_some(const struct client *c, struct rbuf *script, size_t len)
{
	size_t n = len < rb_left(script) ? len : rb_left(script);
	const uint8_t *at = rb_take(script, n);

	if (c->fd != -1)
		(void)send(c->fd, at, n, MSG_NOSIGNAL);
}

/* A reply begins with "ok" or "error: ", as far as it has come. */
static void
check_head(const struct client *c)
{
	size_t n = c->got < HEAD ? c->got : HEAD;

	require(strncmp(c->head, "ok\n", n < 3 ? n : 3) == 0 ||
		strncmp(c->head, "error: ", n < 7 ? n : 7) == 0);
}

static void
receive(struct client *c, size_t len)
{
	char buf[8192];
	ssize_t n = c->fd == -1 ? 0 : recv(c->fd, buf, len, 0);

	for (ssize_t i = 0; i < n; i++, c->got++)
		if (c->got < HEAD)
			c->head[c->got] = buf[i];
	check_head(c);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		forget(c);
}

/* The loop ----------------------------------------------------------------- */

/* One turn; returns whether there is anybody. */
static bool
serve(void)
{
	struct pollfd pfd[CONTROL_CLIENTS_MAX + 1];
	size_t n = control_pollfds(world.control, pfd);
	int wait_ms = control_poll_ms(world.control, world.mono_ns), ready;

	require(n <= CONTROL_CLIENTS_MAX + 1);
	require(wait_ms >= -1 && wait_ms <= CONTROL_DEADLINE_S * 1000);
	while ((ready = poll(pfd, n, 0)) == -1)
		require(errno == EINTR); /* the fuzzer's own timer */
	control_serve(world.control, pfd, n, world.mono_ns);
	return n > 1 || ready > 0;
}

static void
step(struct client **c, unsigned op, struct rbuf *script)
{
	if (op >= 128)
		send_some(*c, script, op - 127);
	else if (op < CLIENTS)
		*c = &world.client[op];
	else if (op < 40)
		connect_client(*c);
	else if (op < 70)
		(void)serve();
	else if (op < 90)
		receive(*c, op == 70 ? 8192 : op - 70);
	else if (op < 100)
		world.mono_ns += (uint64_t)(op - 90) * NS_PER_S;
	else if (op < 110)
		world.delay = op - 100;
	else if (op < 115)
		forget(*c);
	else if (op < 120 && (*c)->fd != -1)
		(void)shutdown((*c)->fd, SHUT_WR);
	else if (op == 120 && world.call == NULL)
		world.ended = true;
	else if (op > 120)
		world.flows = op == 127 ? METER_LIST_MAX : op - 121;
}

/* What a client has still to get, to the end. */
static void
receive_all(struct client *c)
{
	for (unsigned turns = 0; c->fd != -1; turns++) {
		require(turns < TURNS_MAX);
		receive(c, 8192);
	}
}

/* Nothing holds on to a client for longer than its deadline. */
static void
settle(void)
{
	unsigned quiet = 0;

	world.delay = 0;
	for (unsigned turns = 0; quiet < QUIET; turns++) {
		world.mono_ns += NS_PER_S;
		require(turns < TURNS_MAX);
		quiet = serve() || world.call != NULL ? 0 : quiet + 1;
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		receive_all(&world.client[i]);
}

static void
open_world(void)
{
	static struct collector_config collector;
	static char path[sizeof(world.address.sun_path)];
	char errbuf[256];

	collector = endpoint_defaults;
	(void)strlcpy(collector.address.host, "127.0.0.1",
	    sizeof(collector.address.host));
	(void)strlcpy(
	    collector.address.port, "9", sizeof(collector.address.port));
	world.probe.config.collector = &collector;
	world.probe.config.ncollectors = 1;
	world.probe.exporter = exporter_new(&world.probe.config.exporter);
	require(world.probe.exporter != NULL);
	require(exporter_add_collector(world.probe.exporter, &collector) == 0);
	(void)snprintf(path, sizeof(path), "/tmp/fuzz-control.%d", getpid());
	world.control = control_new(path, NULL, commands_under_test,
	    &world.probe, errbuf, sizeof(errbuf));
	require(world.control != NULL);
	world.address.sun_family = AF_UNIX;
	(void)strlcpy(
	    world.address.sun_path, path, sizeof(world.address.sun_path));
	for (unsigned i = 0; i < CLIENTS; i++)
		world.client[i].fd = -1;
}

static void
close_world(void)
{
	control_free(world.control);
	printer_free(world.probe.lister);
	exporter_free(world.probe.exporter);
	world.control = NULL;
	world.probe.lister = NULL;
	world.probe.exporter = NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rbuf script = rb_init(data, size);
	struct client *c = &world.client[0];

	if (world.control == NULL) {
		open_world();
		(void)atexit(close_world);
	}
	world.ended = false;
	world.flows = 1;
	world.probe.stopping = world.probe.abandon = false;
	log_set_debug(false);
	while (rb_left(&script) > 0)
		step(&c, rb_u8(&script), &script);
	settle();
	return 0;
}
