/* SPDX-License-Identifier: ISC */
/*
 * meter.c - the metering thread; see meter.h.
 *
 * Joins sources, fragment table, flow cache and ring, and answers calls
 * between two bursts.  Decides nothing about packets itself.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "extra.h"
#include "flowkey.h"
#include "fragment.h"
#include "input.h"
#include "log.h"
#include "meter.h"
#include "ring.h"
#include "sampler.h"
#include "sandbox.h"
#include "wake.h"

#define FRAGMENTS 1024           /* first fragments remembered */
#define FEED_PACKETS 4096        /* that wait for a shard, at most */
#define IDLE_POLL_MS 250         /* looks for flows that are due */
#define BEHIND_POLL_MS 10        /* ... if they had to wait */
#define SWEEP_BUDGET 256U        /* flows a command deals with at once */
#define REOPEN_NS (1 * NS_PER_S) /* a lost interface is tried so often */
#define DROPS_NS (1 * NS_PER_S)  /* the kernel is asked for drops so often */
/* A ring block is handed over after the capture timeout at the latest. */
#define DRAIN_NS (CAPTURE_DRAIN_MS * NS_PER_MS)
#define DRAIN_MAX_NS (NS_PER_S / 2) /* under load */
#define FLUSH_NS (4 * NS_PER_S)     /* live: the last flows wait so long */

/* One interface, or the files, and what was last said of it. */
struct source {
	struct capture *capture;
	bool lost;
	uint64_t retry_ns;
};

struct meter {
	struct meter_config config;
	struct capture_config capture_config; /* files */
	struct capture_file *file;            /* to read; owned */
	size_t files;
	struct source source[METER_SOURCES_MAX];
	size_t nsources;
	struct fragment_table *fragments;
	struct sampler sampler;
	struct flowtrack *track; /* NULL: the packets go to shards */
	struct ring *ring;
	struct ring *extra_ring; /* of each record there; NULL: none have it */

	/* A reader and its shards, each with a part of all flows. */
	struct meter *const *shard;
	size_t nshards;
	struct flow_hash_seed seed; /* which shard a flow goes to */
	struct meter *reader;       /* of a shard; else NULL */
	struct ring *feed;          /* packets for a shard */
	struct ring *extra_feed;    /* of each packet there; or NULL */
	uint64_t last_ns;           /* clock at the end of all packets */
	atomic_bool closed;         /* nothing more will be put into feed */
	atomic_bool asleep;         /* the shard waits for packets */
	const struct wake *out;
	struct wake in;   /* calls, room in the ring */
	struct wake halt; /* rung once: read no more */
	pthread_t thread;

	_Atomic(struct meter_call *) call;
	atomic_bool stop, discard, ended;
	atomic_int permille;

	/* The thread's own. */
	bool pushed;         /* into the ring since `out` was rung */
	bool behind;         /* the ring is half full: flows wait */
	bool leaving;        /* the last flows: wait for room, live too */
	uint64_t give_up_ns; /* ... until then; 0 = for ever */
	bool gathering, sweeping;
	enum flow_sweep sweep;
	uint32_t sweep_cursor;
	uint64_t drops_ns;
	int result;
	struct capture_stats read; /* sum over files read */
	struct meter_stats stats;  /* what neither cache nor capture counts */
};

static uint64_t
monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Flows that end ------------------------------------------------------- */

static void
tell_consumer(struct meter *m)
{
	if (m->pushed)
		wake_ring(m->out);
	m->pushed = false;
}

/* Sleep until the consumer made room; false when there is no more waiting. */
static bool
wait_for_room(struct meter *m)
{
	struct pollfd pfd = { wake_fd(&m->in), POLLIN, 0 };

	m->pushed = true;
	tell_consumer(m);
	if (m->give_up_ns != 0 && monotonic_ns() >= m->give_up_ns)
		return false;
	poll(&pfd, 1, IDLE_POLL_MS);
	wake_clear(&m->in);
	return true;
}

/* Put an item into a ring, and before it what comes with it into another. */
static bool
push_both(
    struct ring *first, const void *with, struct ring *ring, const void *item)
{
	return (first == NULL || ring_push(first, with)) &&
	       ring_push(ring, item);
}

static void
flow_ended(const struct flow_record *r, void *arg)
{
	struct meter *m = arg;

	while (!push_both(m->extra_ring, r->extra, m->ring, r)) {
		if ((m->config.replay || m->leaving) && wait_for_room(m))
			continue;
		m->stats.ring_lost_records++;
		m->stats.ring_lost_packets += r->fwd.packets + r->rev.packets;
		m->stats.ring_lost_octets += r->fwd.octets + r->rev.octets;
		break;
	}
	m->pushed = true;
}

/* Packets ---------------------------------------------------------------- */

/* Sample so from now on, unless it is so already. */
static void
start_sampling(struct meter *m, const struct sampling *sampling)
{
	uint64_t seed = 0;

	if (m->config.sampling.mode == sampling->mode &&
	    m->config.sampling.interval == sampling->interval)
		return;
	m->config.sampling = *sampling;
	if (!m->config.replay) /* a replay gives the same records twice */
		arc4random_buf(&seed, sizeof(seed));
	sampler_init(&m->sampler, sampling, seed);
}

static void
join_fragment(struct meter *m, struct packet *p)
{
	bool known = fragment_join(m->fragments, p);

	if (p->fragment == FRAGMENT_LATER) {
		m->stats.fragments++;
		m->stats.fragments_orphaned += !known;
	}
}

static void
wake_shard(struct meter *shard)
{
	if (atomic_exchange(&shard->asleep, false))
		wake_ring(&shard->in);
}

/* Give a packet to the shard that has its flow; wait if it is behind. */
static void
feed_shard(
    struct meter *m, const struct packet *p, const struct packet_extra *extra)
{
	struct flow_key key;
	struct flow_ether ether;
	struct meter *shard;

	flow_key_make(&key, &ether, KEY_FULL, p);
	shard = m->shard[flow_hash(&m->seed, &key, NULL) % m->nshards];
	while (!push_both(shard->extra_feed, extra, shard->feed, p)) {
		wake_shard(shard);
		wait_for_room(m);
	}
}

static void
feed_shards(struct meter *m, const struct packet *p,
    const struct packet_extra *extra, size_t n)
{
	for (size_t i = 0; i < n; i++)
		feed_shard(m, &p[i], extra == NULL ? NULL : &extra[i]);
	for (size_t i = 0; i < m->nshards; i++)
		wake_shard(m->shard[i]);
}

static uint64_t
octets_of(const struct packet *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += p[i].octets;
	return sum;
}

/* Leave to the front those packets that are metered; returns how many. */
static size_t
sample(struct meter *m, struct packet *p, struct packet_extra *extra, size_t n)
{
	uint64_t octets = octets_of(p, n);
	uint64_t first_ns = p[0].time_ns, last_ns = p[n - 1].time_ns;
	size_t chosen = sampler_choose(&m->sampler, p, extra, n);

	if (chosen < n)
		span_cover(&m->stats.sampled_out_span, first_ns, last_ns);
	m->stats.sampled_out += n - chosen;
	m->stats.sampled_out_octets += octets - octets_of(p, chosen);
	return chosen;
}

/*
 * Live, let flows that are due wait while records pile up in the ring: their
 * deadlines say what they tell, not when they are looked at.
 */
static void
hold_if_behind(struct meter *m)
{
	m->behind = !m->config.replay &&
		    ring_used(m->ring) > ring_capacity(m->ring) / 2;
	flowtrack_hold(m->track, m->behind);
}

/* Let each query of ICMP be a flow of its own, by its identifier. */
static void
use_identifiers(struct packet *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].identifier != 0)
			p[i].src_port = p[i].identifier;
}

static void
meter_burst(struct packet *p, struct packet_extra *extra, size_t n, void *arg)
{
	struct meter *m = arg;

	if (m->stats.first_ns == 0)
		m->stats.first_ns = p[0].time_ns;
	if (m->config.identifiers)
		use_identifiers(p, n);
	for (size_t i = 0; i < n; i++)
		if (p[i].fragment != FRAGMENT_NONE)
			join_fragment(m, &p[i]);
	m->stats.time_ns = p[n - 1].time_ns;
	m->last_ns = p[n - 1].clock_ns;
	if (m->config.sampling.interval > 1)
		n = sample(m, p, extra, n);
	if (m->nshards > 0) {
		feed_shards(m, p, extra, n);
		return;
	}
	hold_if_behind(m);
	flowtrack_add(m->track, p, extra, n);
}

/* Calls ------------------------------------------------------------------ */

static void
copy_stats(const struct meter *m, struct meter_stats *s)
{
	*s = m->stats;
	s->capture = m->read;
	for (size_t i = 0; i < m->nsources; i++)
		if (m->source[i].capture != NULL)
			capture_stats_add(
			    &s->capture, capture_stats(m->source[i].capture));
	if (m->track != NULL)
		s->track = *flowtrack_stats(m->track);
	s->gathering = m->gathering;
	memcpy(
	    s->timeout_ms, m->config.track.timeout_ms, sizeof(s->timeout_ms));
}

static void
copy_sources(const struct meter *m, struct meter_call *c)
{
	c->nsources = 0;
	for (size_t i = 0; i < m->nsources; i++) {
		const struct source *s = &m->source[i];
		struct meter_source *to = &c->source[c->nsources];

		if (s->capture == NULL)
			continue;
		strlcpy(to->name, capture_name(s->capture), sizeof(to->name));
		to->live = capture_is_live(s->capture);
		to->up = !s->lost;
		to->ifindex = capture_ifindex(s->capture);
		to->stats = *capture_stats(s->capture);
		c->nsources++;
	}
}

static void
start_sweep(struct meter *m, enum flow_sweep what)
{
	m->sweeping = m->track != NULL;
	m->sweep = what;
	m->sweep_cursor = 0;
}

static void
set_timeout(struct meter *m, const struct meter_call *c)
{
	for (unsigned i = 0; i < TIMEOUTS && m->track != NULL; i++) {
		if (!(c->timeouts & 1U << i))
			continue;
		m->config.track.timeout_ms[i] = c->timeout_ms;
		flowtrack_set_timeout(m->track, i, c->timeout_ms);
	}
	start_sweep(m, SWEEP_LOOK);
}

/* Whether all interfaces can have a filter: if not, the first reason why. */
static void
try_settings(struct meter *m, struct meter_call *c)
{
	c->error[0] = '\0';
	for (size_t i = 0; i < m->nsources && c->settings->new_filter; i++)
		if (capture_try_filter(m->source[i].capture,
			c->settings->filter, c->error) == -1)
			return;
}

static void
change_filter(struct meter *m, const char *filter)
{
	char errbuf[CAPTURE_ERROR_LEN];

	for (size_t i = 0; i < m->nsources; i++)
		if (capture_set_filter(m->source[i].capture, filter, errbuf) ==
		    -1)
			log_warn("%s; its filter is not changed", errbuf);
}

static void
change_settings(struct meter *m, const struct meter_settings *s)
{
	for (unsigned i = 0; i < TIMEOUTS; i++) {
		m->config.track.timeout_ms[i] = s->timeout_ms[i];
		flowtrack_set_timeout(m->track, i, s->timeout_ms[i]);
	}
	flowtrack_set_octets_max(m->track, s->octets_max);
	if (s->new_filter)
		change_filter(m, s->filter);
	start_sampling(m, &s->sampling);
	start_sweep(m, s->end_flows ? SWEEP_END : SWEEP_LOOK);
}

static void
set_gathering(struct meter *m, bool on)
{
	m->gathering = on;
	for (size_t i = 0; i < m->nsources; i++)
		if (m->source[i].capture != NULL)
			capture_gather(m->source[i].capture, on);
}

/*
 * Begin what a call asks for.  A call that sweeps over all flows is answered
 * when the sweep is done.
 */
static void
begin_call(struct meter *m, struct meter_call *c)
{
	switch (c->op) {
	case METER_STATS:
		break;
	case METER_LIST:
		c->nrecords = m->track == NULL
				  ? 0
				  : flowtrack_list(m->track, &c->cursor,
					c->record, c->extra, METER_LIST_MAX);
		return;
	case METER_EXPIRE_ALL:
		start_sweep(m, SWEEP_END);
		return;
	case METER_DELETE_ALL:
		start_sweep(m, SWEEP_DELETE);
		return;
	case METER_SET_TIMEOUT:
		set_timeout(m, c);
		return;
	case METER_TRY:
		try_settings(m, c);
		return;
	case METER_CHANGE:
		change_settings(m, c->settings);
		return;
	case METER_GATHER:
		set_gathering(m, c->gather);
		return;
	}
	copy_stats(m, &c->stats);
	copy_sources(m, c);
}

/* Between two bursts: begin a call, go on with a sweep, answer. */
static void
serve_call(struct meter *m)
{
	struct meter_call *c = atomic_load(&m->call);

	if (c == NULL)
		return;
	if (!m->sweeping)
		begin_call(m, c);
	if (m->sweeping)
		m->sweeping = flowtrack_sweep(
		    m->track, m->sweep, &m->sweep_cursor, SWEEP_BUDGET);
	if (m->sweeping)
		return;
	atomic_store_explicit(&m->call, NULL, memory_order_release);
	wake_ring(m->out);
}

/* Interfaces ------------------------------------------------------------- */

static void
reopen(struct source *s, uint64_t now_ns)
{
	if (!s->lost || now_ns < s->retry_ns)
		return;
	s->retry_ns = now_ns + REOPEN_NS;
	if (capture_reopen(s->capture) == -1)
		return;
	s->lost = false;
	log_note("interface %s: capturing", capture_name(s->capture));
}

/* Read one interface.  Returns whether there may be more at once. */
static bool
read_interface(struct meter *m, struct source *s, uint64_t now_ns)
{
	if (s->lost)
		return false;
	switch (capture_read(s->capture, now_ns, meter_burst, m)) {
	case CAPTURE_MORE:
		return true;
	case CAPTURE_IDLE:
		return false;
	default:
		log_warn(
		    "%s; waiting for it to return", capture_error(s->capture));
		s->lost = true;
		s->retry_ns = now_ns + REOPEN_NS;
		return false;
	}
}

static bool
read_interfaces(struct meter *m, uint64_t now_ns)
{
	bool more = false;

	for (size_t i = 0; i < m->nsources; i++)
		more |= read_interface(m, &m->source[i], now_ns);
	return more;
}

/* Wait for packets, a call or the next look at the cache. */
static void
wait_live(struct meter *m, int timeout_ms)
{
	struct pollfd pfd[METER_SOURCES_MAX + 1];
	nfds_t n = 0;

	pfd[n++] = (struct pollfd){ wake_fd(&m->in), POLLIN, 0 };
	for (size_t i = 0; i < m->nsources; i++) {
		const struct capture *c = m->source[i].capture;
		int limit_ms = capture_poll_ms(c);

		if (m->source[i].lost)
			continue;
		pfd[n++] = (struct pollfd){ capture_fd(c), POLLIN, 0 };
		if (limit_ms >= 0 && limit_ms < timeout_ms)
			timeout_ms = limit_ms;
	}
	if (poll(pfd, n, timeout_ms) > 0 && pfd[0].revents != 0)
		wake_clear(&m->in);
}

static void
poll_drops(struct meter *m, uint64_t now_ns)
{
	if (now_ns - m->drops_ns < DROPS_NS)
		return;
	m->drops_ns = now_ns;
	for (size_t i = 0; i < m->nsources; i++)
		if (!m->source[i].lost)
			capture_poll_drops(m->source[i].capture);
}

/* What the kernel holds was on the wire before we were told to go. */
static void
drain(struct meter *m)
{
	uint64_t now_ns = monotonic_ns();
	uint64_t enough_ns = now_ns + DRAIN_NS, end_ns = now_ns + DRAIN_MAX_NS;
	bool more = true;

	while (now_ns < enough_ns || (more && now_ns < end_ns)) {
		more = read_interfaces(m, now_ns);
		if (!more)
			wait_live(m, 5);
		now_ns = monotonic_ns();
	}
}

static void
run_live(struct meter *m)
{
	bool more = false;

	while (!atomic_load_explicit(&m->stop, memory_order_relaxed)) {
		uint64_t now_ns;

		if (!more)
			wait_live(m, m->behind ? BEHIND_POLL_MS : IDLE_POLL_MS);
		now_ns = monotonic_ns();
		more = read_interfaces(m, now_ns);
		hold_if_behind(m);
		more |= flowtrack_expire(
		    m->track, now_ns, ring_capacity(m->ring) / 4);
		for (size_t i = 0; i < m->nsources; i++)
			reopen(&m->source[i], now_ns);
		poll_drops(m, now_ns);
		serve_call(m);
		more |= m->sweeping;
		tell_consumer(m);
	}
	drain(m);
	m->drops_ns = 0;
	poll_drops(m, monotonic_ns());
}

/* Files ------------------------------------------------------------------ */

/* A pipe is silent: deal with what does not wait for packets. */
static void
while_waiting(void *arg)
{
	struct meter *m = arg;

	wake_clear(&m->in);
	do
		serve_call(m);
	while (m->sweeping);
	tell_consumer(m);
}

/* Read the file at hand to its end, its damage or a stop. */
static void
read_file(struct meter *m, struct capture *c)
{
	enum capture_result result = CAPTURE_MORE;

	while (result == CAPTURE_MORE &&
	       !atomic_load_explicit(&m->stop, memory_order_relaxed)) {
		result = capture_read(c, 0, meter_burst, m);
		atomic_store_explicit(
		    &m->permille, capture_permille(c), memory_order_relaxed);
		while_waiting(m);
	}
	if (result == CAPTURE_ERROR) {
		log_error("%s", capture_error(c));
		m->result = 1;
	}
}

static void
run_files(struct meter *m)
{
	struct source *s = &m->source[0];
	const struct input_waiter waiter = { &m->halt, &m->in, while_waiting,
		m };
	char errbuf[CAPTURE_ERROR_LEN];

	for (size_t i = 0; i < m->files; i++) {
		struct capture *next = capture_open_found(
		    &m->file[i], 0, &m->capture_config, &waiter, errbuf);

		if (atomic_load_explicit(&m->stop, memory_order_relaxed)) {
			capture_close(next);
			return;
		}
		if (next == NULL) {
			log_error("%s", errbuf);
			m->result = 1;
			continue;
		}
		if (s->capture != NULL) {
			capture_continue(next, s->capture);
			capture_stats_add(&m->read, capture_stats(s->capture));
			capture_close(s->capture);
		}
		s->capture = next;
		m->nsources = 1;
		capture_gather(next, m->gathering);
		read_file(m, next);
	}
}

/* Shards ----------------------------------------------------------------- */

/* Meter packets that the reader put into the feed.  Returns how many. */
static size_t
take_feed(struct meter *m)
{
	bool was_full = ring_used(m->feed) == ring_capacity(m->feed);
	size_t n, extras;
	const struct packet *p = ring_peek(m->feed, &n);
	const struct packet_extra *extra = NULL;

	if (n > CAPTURE_BURST)
		n = CAPTURE_BURST;
	if (n == 0)
		return 0;
	if (m->extra_feed != NULL) {
		extra = ring_peek(m->extra_feed, &extras);
		if (n > extras)
			n = extras;
	}
	flowtrack_add(m->track, p, extra, n);
	ring_release(m->feed, n);
	if (extra != NULL)
		ring_release(m->extra_feed, n);
	if (was_full)
		wake_ring(&m->reader->in);
	return n;
}

/* Sleep until there are packets or a call. */
static void
wait_feed(struct meter *m)
{
	struct pollfd pfd = { wake_fd(&m->in), POLLIN, 0 };

	atomic_store(&m->asleep, true);
	if (ring_used(m->feed) == 0 && !atomic_load(&m->closed))
		poll(&pfd, 1, IDLE_POLL_MS);
	atomic_store(&m->asleep, false);
	while_waiting(m);
}

static void
run_shard(struct meter *m)
{
	for (;;) {
		bool closed = atomic_load(&m->closed);

		if (take_feed(m) > 0) {
			serve_call(m);
			tell_consumer(m);
		} else if (closed) {
			return;
		} else {
			wait_feed(m);
		}
	}
}

static void
close_shards(struct meter *m)
{
	for (size_t i = 0; i < m->nshards; i++) {
		m->shard[i]->last_ns = m->last_ns;
		atomic_store(&m->shard[i]->closed, true);
		wake_ring(&m->shard[i]->in);
	}
}

/* The thread ------------------------------------------------------------- */

/*
 * Nothing more will come: report all flows, or throw them away.  The time of a
 * replay also passes with packets that another shard got, or sampling left
 * out.
 */
static void
end_flows(struct meter *m)
{
	bool discard = atomic_load_explicit(&m->discard, memory_order_relaxed);
	uint32_t cursor = 0;

	if (m->config.replay && !discard)
		flowtrack_expire(m->track, m->last_ns, UINT32_MAX);
	flowtrack_sweep(
	    m->track, discard ? SWEEP_DELETE : SWEEP_END, &cursor, UINT32_MAX);
}

static void *
run(void *arg)
{
	struct meter *m = arg;

	sandbox_enter(m->config.replay ? SANDBOX_REPLAY : SANDBOX_LIVE);
	if (m->feed != NULL)
		run_shard(m);
	else if (m->config.replay)
		run_files(m);
	else
		run_live(m);
	close_shards(m);
	m->leaving = true;
	if (!m->config.replay)
		m->give_up_ns = monotonic_ns() + FLUSH_NS;
	if (m->track != NULL)
		end_flows(m);
	atomic_store(&m->ended, true);
	do /* a call that came before it could be known that we ended */
		serve_call(m);
	while (m->sweeping);
	wake_ring(m->out);
	return NULL;
}

size_t
meter_memory(const struct meter_config *config)
{
	size_t packet = sizeof(struct packet);
	size_t record = sizeof(struct flow_record), cache = 0;

	if (config->extra) {
		packet += sizeof(struct packet_extra);
		record += sizeof(struct flow_extra);
	}
	if (config->track.max_flows > 0)
		cache = flowtrack_memory(&config->track);
	/* In a live run nothing is fed; that is little. */
	return sizeof(struct meter) + fragment_memory(FRAGMENTS) + cache +
	       ring_memory(config->ring_records, record) +
	       ring_memory(FEED_PACKETS, packet);
}

static struct meter *
make(const struct meter_config *config, const struct wake *out)
{
	struct meter *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->config = *config;
	m->out = out;
	m->config.sampling.interval = 0; /* none yet */
	start_sampling(m, &config->sampling);
	m->gathering = true;
	atomic_init(&m->permille, -1);
	if (wake_init(&m->in) == -1) {
		free(m);
		return NULL;
	}
	if (wake_init(&m->halt) == -1) {
		wake_close(&m->in);
		free(m);
		return NULL;
	}
	m->fragments = fragment_new(FRAGMENTS);
	m->ring = ring_new(config->ring_records, sizeof(struct flow_record));
	if (config->track.extra)
		m->extra_ring =
		    ring_new(config->ring_records, sizeof(struct flow_extra));
	if (config->track.max_flows > 0)
		m->track = flowtrack_new(&config->track, flow_ended, m);
	if (m->fragments != NULL && m->ring != NULL &&
	    (m->extra_ring != NULL || !config->track.extra) &&
	    (m->track != NULL || config->track.max_flows == 0))
		return m;
	meter_free(m);
	errno = ENOMEM;
	return NULL;
}

struct meter *
meter_new(const struct meter_config *config, struct capture **capture, size_t n,
    const struct wake *out)
{
	struct meter *m = NULL;

	if (n <= METER_SOURCES_MAX)
		m = make(config, out);
	for (size_t i = 0; i < n; i++) {
		if (m == NULL) {
			capture_close(capture[i]);
			continue;
		}
		m->source[i].capture = capture[i];
		m->source[i].lost = capture_fd(capture[i]) == -1;
		m->nsources++;
	}
	if (m == NULL) /* closing has changed it */
		errno = ENOMEM;
	return m;
}

struct meter *
meter_new_files(const struct meter_config *config,
    const struct capture_config *capture, const char *const *paths, size_t n,
    const struct wake *out)
{
	struct meter *m = make(config, out);

	if (m == NULL)
		return NULL;
	m->capture_config = *capture;
	m->file = calloc(n, sizeof(m->file[0]));
	if (m->file == NULL) {
		meter_free(m);
		return NULL;
	}
	for (; m->files < n; m->files++)
		capture_find_file(&m->file[m->files], paths[m->files]);
	return m;
}

struct meter *
meter_new_shard(const struct meter_config *config, const struct wake *out)
{
	struct meter *m = make(config, out);

	if (m == NULL)
		return NULL;
	m->feed = ring_new(FEED_PACKETS, sizeof(struct packet));
	if (config->extra)
		m->extra_feed =
		    ring_new(FEED_PACKETS, sizeof(struct packet_extra));
	if (m->feed != NULL && (m->extra_feed != NULL || !config->extra))
		return m;
	meter_free(m);
	return NULL;
}

void
meter_set_shards(struct meter *m, struct meter *const *shard, size_t n)
{
	flow_hash_seed(&m->seed);
	m->shard = shard;
	m->nshards = n;
	for (size_t i = 0; i < n; i++)
		shard[i]->reader = m;
}

void
meter_free(struct meter *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->nsources; i++)
		capture_close(m->source[i].capture);
	for (size_t i = 0; i < m->files; i++)
		capture_leave_file(&m->file[i]);
	free(m->file);
	fragment_free(m->fragments);
	flowtrack_free(m->track);
	ring_free(m->ring);
	ring_free(m->extra_ring);
	ring_free(m->feed);
	ring_free(m->extra_feed);
	wake_close(&m->in);
	wake_close(&m->halt);
	free(m);
}

int
meter_start(struct meter *m)
{
	sigset_t all, old;
	int error;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&m->thread, NULL, run, m);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

struct ring *
meter_ring(struct meter *m)
{
	return m->ring;
}

struct ring *
meter_extra_ring(struct meter *m)
{
	return m->extra_ring;
}

int
meter_ask(struct meter *m, struct meter_call *call)
{
	struct meter_call *posted = call;

	if (!meter_answered(m)) {
		errno = EBUSY;
		return -1;
	}
	if (meter_ended(m)) {
		errno = ESRCH;
		return -1;
	}
	atomic_store(&m->call, call);
	wake_ring(&m->in);
	/* It may have ended since; then either side takes the call back. */
	if (atomic_load(&m->ended) &&
	    atomic_compare_exchange_strong(&m->call, &posted, NULL)) {
		errno = ESRCH;
		return -1;
	}
	return 0;
}

bool
meter_answered(const struct meter *m)
{
	return atomic_load_explicit(&m->call, memory_order_acquire) == NULL;
}

void
meter_room(struct meter *m)
{
	wake_ring(&m->in);
}

void
meter_stop(struct meter *m, bool discard)
{
	atomic_store_explicit(&m->discard, discard, memory_order_relaxed);
	atomic_store_explicit(&m->stop, true, memory_order_relaxed);
	wake_ring(&m->halt);
	wake_ring(&m->in);
}

bool
meter_ended(const struct meter *m)
{
	return atomic_load_explicit(&m->ended, memory_order_acquire);
}

int
meter_join(struct meter *m)
{
	pthread_join(m->thread, NULL);
	return m->result;
}

void
meter_final_stats(struct meter *m, struct meter_call *c)
{
	copy_stats(m, &c->stats);
	copy_sources(m, c);
}

int
meter_permille(const struct meter *m)
{
	return atomic_load_explicit(&m->permille, memory_order_relaxed);
}
