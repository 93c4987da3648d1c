/* SPDX-License-Identifier: ISC */
/*
 * softprobe.c - wire the parts, run the exporting thread's poll loop, stop
 * cleanly.
 *
 * This thread owns signals, the control socket, the collectors and standard
 * output.  Packets are the metering thread's (meter.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "confine.h"
#include "conntrack.h"
#include "control.h"
#include "daemon.h"
#include "exporter.h"
#include "extra.h"
#include "httpd.h"
#include "largest.h"
#include "links.h"
#include "log.h"
#include "metrics.h"
#include "nat.h"
#include "netlink.h"
#include "notify.h"
#include "offload.h"
#include "printer.h"
#include "privdrop.h"
#include "probe.h"
#include "record.h"
#include "report.h"
#include "ring.h"
#include "route.h"
#include "router.h"
#include "sandbox.h"
#include "sizing.h"

#define EXIT_USAGE 2
#define TURN_MS 200               /* the loop looks around so often */
#define FETCH_MAX 4096            /* records exported in one turn */
#define SETTLE_NS (30 * NS_PER_S) /* a replay waits so long for names */
#define HURRY_NS (3 * NS_PER_S)   /* after a stop nothing is waited for */
#define PENDING_NS (1 * NS_PER_S) /* the last messages wait so long */
#define REPLAY_PENDING_NS (60 * NS_PER_S) /* ... in a replay */
#define COUNT_NS (5 * NS_PER_S)  /* how old exported statistics may be */
#define DROPS_NS (60 * NS_PER_S) /* between two warnings of drops */
#define PROGRESS_NS (NS_PER_S / 4)
#define PROGRESS_WIDTH 40

static volatile sig_atomic_t stop_signals, expire_signals, reopen_signals;
static const struct wake *signal_wake;

static void
on_stop(int sig)
{
	(void)sig;
	if (stop_signals++ > 0)
		_exit(EXIT_FAILURE); /* the second one: at once */
	wake_ring(signal_wake);
}

static void
on_expire(int sig)
{
	(void)sig;
	expire_signals = 1;
	wake_ring(signal_wake);
}

static void
on_reopen(int sig)
{
	(void)sig;
	reopen_signals = 1;
	wake_ring(signal_wake);
}

static void
catch_signals(const struct wake *wake)
{
	static const struct {
		int sig;
		void (*handler)(int);
	} table[] = {
		{ SIGTERM, on_stop },
		{ SIGINT, on_stop },
		{ SIGUSR1, on_expire },
		{ SIGHUP, on_reopen },
		{ SIGUSR2, SIG_IGN },
		{ SIGPIPE, SIG_IGN },
		{ SIGALRM, SIG_IGN },
	};

	signal_wake = wake;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sigaction sa = { .sa_handler = table[i].handler,
			.sa_flags = SA_RESTART };

		sigemptyset(&sa.sa_mask);
		sigaction(table[i].sig, &sa, NULL);
	}
}

static uint64_t
clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* Starting --------------------------------------------------------------- */

static int
open_collector(struct exporter *e, const struct collector_config *config)
{
	char reason[REASON_LEN];

	if (transport_check(config, reason) == 0)
		return exporter_add_collector(e, config);
	log_error("collector %s: %s", config->address.host, reason);
	errno = 0; /* all is said */
	return -1;
}

static int
open_exporter(struct probe *p)
{
	struct config *cfg = &p->config;

	if (cfg->ncollectors == 0) {
		p->printer = printer_new(stdout,
		    cfg->json ? PRINTER_JSON : PRINTER_TABLE,
		    &cfg->exporter.fields);
		return p->printer == NULL ? -1 : 0;
	}
	cfg->exporter.replay = cfg->replay;
	cfg->exporter.wake = &p->wake;
	cfg->exporter.process_id = cfg->replay ? 1 : (uint32_t)getpid();
	p->exporter = exporter_new(&cfg->exporter);
	if (p->exporter == NULL)
		return -1;
	for (size_t i = 0; i < cfg->ncollectors; i++)
		if (open_collector(p->exporter, &cfg->collector[i]) == -1)
			return -1;
	return 0;
}

/* A number for the group of workers on source i that no other process has. */
static uint16_t
fanout_group(size_t i)
{
	return (uint16_t)(1 + ((size_t)getpid() * CONFIG_SOURCES_MAX + i) %
				  UINT16_MAX);
}

/* Open one interface, or with --wait a place for it. */
static struct capture *
open_interface(const struct probe *p, size_t i)
{
	const struct config *cfg = &p->config;
	const struct config_source *s = &cfg->source[i];
	struct capture_config config = cfg->capture;
	char errbuf[CAPTURE_ERROR_LEN];
	struct capture *c;
	bool missing;

	config.fanout = cfg->workers > 1 ? fanout_group(i) : 0;
	config.links = &p->links;
	c = capture_open_live(s->name, s->ifindex, &config, &missing, errbuf);
	if (c != NULL)
		return c;
	if (!missing || !cfg->wait) {
		log_error("%s", errbuf);
		errno = 0; /* all is said */
		return NULL;
	}
	log_note("%s; waiting for it", errbuf);
	return capture_await_live(s->name, s->ifindex, &config);
}

/* A worker over all interfaces. */
static struct meter *
open_interfaces(struct probe *p, const struct meter_config *config)
{
	struct capture *capture[CONFIG_SOURCES_MAX];
	size_t n = 0;
	int error;

	for (; n < p->config.nsources; n++) {
		capture[n] = open_interface(p, n);
		if (capture[n] == NULL)
			break;
	}
	if (n == p->config.nsources)
		return meter_new(config, capture, n, &p->wake);
	error = errno;
	while (n > 0)
		capture_close(capture[--n]);
	errno = error;
	return NULL;
}

/* One thread that reads files, and meters them unless others do. */
static struct meter *
open_files(struct probe *p, const struct meter_config *config)
{
	const char *path[CONFIG_SOURCES_MAX];
	const struct config *cfg = &p->config;

	for (size_t i = 0; i < cfg->nsources; i++)
		path[i] = cfg->source[i].name;
	return meter_new_files(
	    config, &cfg->capture, path, cfg->nsources, &p->wake);
}

/* As many workers as wanted, and for files a reader that feeds them. */
static int
add_workers(struct probe *p, struct meter_config *config)
{
	uint32_t workers = p->config.workers;

	for (uint32_t i = 0; i < workers; i++) {
		struct meter *m;

		config->track.cache = i;
		if (!p->config.replay)
			m = open_interfaces(p, config);
		else if (workers > 1)
			m = meter_new_shard(config, &p->wake);
		else
			m = open_files(p, config);
		if (meters_add(p->meters, m) == -1)
			return -1;
	}
	if (!p->config.replay || workers == 1)
		return 0;
	config->track.max_flows = 0;
	if (meters_add(p->meters, open_files(p, config)) == -1)
		return -1;
	meters_share_reader(p->meters);
	return 0;
}

static int
open_meters(struct probe *p)
{
	const struct config *cfg = &p->config;
	struct meter_config config = sizing_meter(cfg);

	errno = 0;
	p->meters = meters_new();
	if (p->meters != NULL && add_workers(p, &config) == 0)
		return 0;
	if (errno == ENOMEM)
		log_error("-m %" PRIu32 ": not enough memory for so many flows",
		    cfg->track.max_flows);
	else if (errno != 0)
		log_error("cannot meter: %s", strerror(errno));
	return -1;
}

/* Export that a connection begins or ceases to be translated. */
static void
export_event(
    const struct nat_connection *c, bool begins, uint64_t time_ns, void *arg)
{
	static const uint8_t events[2][2] = {
		{ NAT_TRANSLATION_DELETE, NAT_TRANSLATION_CREATE },
		{ NAT44_SESSION_DELETE, NAT44_SESSION_CREATE },
	};
	const struct nat_end *from = &c->original, *to = &c->translated;
	const struct probe *p = arg;
	struct nat_event ev = { .time_ns = time_ns,
		.event = events[c->ip_version == 4][begins],
		.connection = { .flow = { .src_port = from->src_port,
				    .dst_port = from->dst_port,
				    .protocol = c->protocol,
				    .ip_version = c->ip_version },
		    .post_src_port = to->src_port,
		    .post_dst_port = to->dst_port } };

	memcpy(ev.connection.flow.src, from->src, sizeof(from->src));
	memcpy(ev.connection.flow.dst, from->dst, sizeof(from->dst));
	memcpy(ev.connection.post_src, to->src, sizeof(to->src));
	memcpy(ev.connection.post_dst, to->dst, sizeof(to->dst));
	exporter_event(p->exporter, &ev);
}

/* Learn what the kernel translates; what cannot be had is said. */
static int
open_nat(struct probe *p, struct router_config *config)
{
	const struct config *cfg = &p->config;
	struct conntrack_config from = { .arg = p };
	char reason[REASON_LEN];

	if (!cfg->nat && !cfg->exporter.nat_events)
		return 0;
	if (cfg->exporter.nat_events)
		from.tell = export_event;
	if (cfg->nat)
		config->nat = from.nat = nat_new(cfg->nat_max);
	config->conntrack = conntrack_new(&from);
	if (config->conntrack == NULL || (cfg->nat && config->nat == NULL))
		return -1;
	if (conntrack_open(config->conntrack, reason) == -1)
		log_warn("%s; %s", reason,
		    cfg->nat ? "--nat: flows are exported as they are seen"
			     : "--nat-events: there are none");
	return 0;
}

/* What the kernel can tell; without it less is known, which is said. */
static struct routes *
open_routes(const struct config *cfg)
{
	bool wanted = cfg->nat || !cfg->no_routes;
	struct routes *routes = wanted ? routes_new() : NULL;

	if (routes == NULL && !cfg->no_routes)
		log_note("the other interface of flows is not looked up: %s",
		    netlink_unsupported() != NULL ? netlink_unsupported()
						  : strerror(errno));
	return routes;
}

/* The interfaces, in forms that its parts take. */
struct interfaces {
	struct router_source source[CONFIG_SOURCES_MAX];
	const char *name[CONFIG_SOURCES_MAX];
};

static void
list_sources(const struct config *cfg, struct interfaces *all)
{
	for (size_t i = 0; i < cfg->nsources; i++) {
		all->name[i] = cfg->source[i].name;
		all->source[i] = (struct router_source){ cfg->source[i].name,
			cfg->source[i].ifindex };
	}
}

/* What the machine itself knows of live traffic. */
static int
open_router(struct probe *p)
{
	static struct interfaces all;
	const struct config *cfg = &p->config;
	struct router_config config = {
		.source = all.source,
		.nsources = cfg->nsources,
		.lookup = !cfg->no_routes,
		.ports = (cfg->exporter.fields.needs & NEED_PORTS) != 0,
		.exclude_own = !cfg->keep_own && cfg->track.key >= KEY_FULL,
		.sockets = cfg->ncollectors,
		.own_ns = config_longest_ms(cfg) * NS_PER_MS + ROUTER_MARGIN_NS,
	};

	if (cfg->replay)
		return 0;
	list_sources(cfg, &all);
	config.links = links_new(&p->links);
	config.routes = open_routes(cfg);
	config.offload = offload_new(all.name, cfg->nsources);
	if (open_nat(p, &config) == 0)
		p->router = router_new(&config);
	if (p->router == NULL)
		log_error("%s", strerror(errno));
	return p->router == NULL ? -1 : 0;
}

static int
open_control(struct probe *p)
{
	char errbuf[CONFIG_ERROR_LEN];

	if (p->config.control_path == NULL)
		return 0;
	privdrop_directory(&p->privdrop, p->config.control_path);
	p->control = control_new(p->config.control_path, "softprobe",
	    probe_commands, p, errbuf, sizeof(errbuf));
	if (p->control == NULL)
		log_error("%s", errbuf);
	return p->control == NULL ? -1 : 0;
}

static int
open_httpd(struct probe *p)
{
	char errbuf[CONFIG_ERROR_LEN];

	if (p->config.metrics.host[0] == '\0')
		return 0;
	p->httpd = httpd_new(&p->config.metrics, errbuf, sizeof(errbuf));
	if (p->httpd == NULL)
		log_error("%s", errbuf);
	return p->httpd == NULL ? -1 : 0;
}

static int
open_pidfile(const struct probe *p)
{
	const struct config *cfg = &p->config;
	long other;

	if (cfg->pidfile == NULL)
		return 0;
	privdrop_directory(&p->privdrop, cfg->pidfile);
	if (daemon_write_pidfile(cfg->pidfile, &other) == 0)
		return 0;
	if (errno == EEXIST)
		log_error("another softprobe runs as process %ld (%s)", other,
		    cfg->pidfile);
	else
		log_error("pidfile %s: %s", cfg->pidfile, strerror(errno));
	return -1;
}

/* Exporting -------------------------------------------------------------- */

/* Whether the next record may go out now; full: its ring is half full. */
static bool
may_export(const struct probe *p, bool full, uint64_t mono_ns)
{
	if (p->exporter == NULL || p->hurried ||
	    exporter_ready(p->exporter, mono_ns))
		return true;
	/* Live, the default pace gives way before records are lost. */
	return !p->config.replay && !p->config.rate_given && full;
}

/* Export one record, with its extra unless that is NULL, if it shall be. */
static void
export_record(
    struct probe *p, const struct flow_record *r, struct flow_extra *extra)
{
	struct flow_record whole;

	if (extra != NULL || p->router != NULL) {
		whole = *r;
		whole.extra = extra;
		r = &whole;
	}
	if (p->router != NULL &&
	    router_judge(p->router, &whole) != ROUTER_EXPORT)
		return;
	if (p->exporter != NULL)
		exporter_add(p->exporter, r);
	else
		printer_add(p->printer, r);
}

/* Export what one worker has ended, as far as the pace allows. */
static size_t
fetch_from(struct probe *p, size_t worker, uint64_t mono_ns)
{
	struct ring *ring = meters_ring(p->meters, worker);
	struct ring *extra_ring = meters_extra_ring(p->meters, worker);
	uint32_t used = ring_used(ring), half = ring_capacity(ring) / 2;
	bool was_full = used == ring_capacity(ring);
	struct flow_extra *extra = NULL;
	const struct flow_record *r;
	size_t done = 0, n, extras, i;

	while (done < FETCH_MAX && (r = ring_peek(ring, &n), n > 0)) {
		if (extra_ring != NULL) {
			extra = ring_peek(extra_ring, &extras);
			n = n < extras ? n : extras;
		}
		for (i = 0; i < n && i < FETCH_MAX; i++) {
			if (!may_export(p, used > half + i, mono_ns))
				break;
			export_record(
			    p, &r[i], extra == NULL ? NULL : &extra[i]);
		}
		ring_release(ring, i);
		if (extra_ring != NULL)
			ring_release(extra_ring, i);
		done += i;
		if (i < n)
			break;
	}
	if (was_full && done > 0)
		meters_room(p->meters, worker);
	return done;
}

static size_t
fetch(struct probe *p, uint64_t mono_ns)
{
	size_t done = 0;

	for (size_t i = 0; i < meters_count(p->meters); i++)
		done += fetch_from(p, i, mono_ns);
	return done;
}

/* Say the first write error, and stop: records have nowhere to go. */
static void
check_output(struct probe *p, int *result)
{
	int error;

	if (p->printer == NULL || p->stopping ||
	    (error = printer_error(p->printer)) == 0)
		return;
	log_error("standard output: %s", strerror(error));
	*result = EXIT_FAILURE;
	p->stopping = p->abandon = true;
}

static void
tell_counts(struct exporter *e, const struct router *router,
    const struct meter_stats *s)
{
	const struct router_stats judged = router_stats(router);
	const struct cargo *own = &judged.verdict[ROUTER_OWN];
	const struct cargo *second = &judged.verdict[ROUTER_SECOND];
	const struct capture_stats *c = &s->capture;
	const struct time_span *left_out = &s->sampled_out_span;
	struct metering_counts counts = {
		.observed_packets = c->packets,
		.selected_packets = c->packets - s->sampled_out,
		.ignored_packets = capture_ignored(c) + s->sampled_out +
				   own->packets + second->packets,
		.ignored_octets = c->ignored_octets + s->sampled_out_octets +
				  own->octets + second->octets,
		.ignored_span = c->ignored_span,
		.dropped_packets = c->kernel_drops + c->interface_drops,
		.lost = { s->ring_lost_records, s->ring_lost_packets,
		    s->ring_lost_octets },
		.time_ns = s->time_ns,
	};

	span_cover(&counts.ignored_span, left_out->first_ns, left_out->last_ns);
	span_cover(&counts.ignored_span, judged.left_out.first_ns,
	    judged.left_out.last_ns);
	exporter_metering(e, &counts);
}

/* Note the names of interfaces, for records that are printed with them. */
static void
note_interfaces(struct field_choice *fields,
    const struct exporter_interface *table, size_t n)
{
	static struct option_record names[METER_SOURCES_MAX];

	for (size_t i = 0; i < n; i++)
		option_interface(&names[i], table[i].ifindex, table[i].name,
		    table[i].description);
	fields->interface = names;
	fields->ninterfaces = n;
}

/* Whether packets of a source come from many interfaces: any, or nflog. */
static bool
captures_from_many(const struct meter_call *count)
{
	for (size_t i = 0; i < count->nsources; i++)
		if (count->source[i].live && count->source[i].ifindex == 0)
			return true;
	return false;
}

/*
 * Fill the table of interfaces: those captured from and, unless it is NULL,
 * those of a list of the system's.  Returns how many.
 */
static size_t
list_interfaces(const struct meter_call *count, const struct if_nameindex *all,
    struct exporter_interface table[METER_SOURCES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < count->nsources; i++) {
		const struct meter_source *s = &count->source[i];

		if (s->live && s->ifindex != 0)
			table[n++] = (struct exporter_interface){ s->ifindex,
				s->name, s->name };
	}
	if (all == NULL)
		return n;
	for (; all->if_index != 0 && n < METER_SOURCES_MAX; all++)
		table[n++] = (struct exporter_interface){ all->if_index,
			all->if_name, all->if_name };
	return n;
}

/* Tell the exporter what its statistics are made from, and the interfaces. */
static void
tell_exporter(struct probe *p)
{
	struct exporter_interface table[METER_SOURCES_MAX];
	struct if_nameindex *all =
	    captures_from_many(&p->count) ? if_nameindex() : NULL;
	size_t n = list_interfaces(&p->count, all, table);

	note_interfaces(&p->config.exporter.fields, table, n);
	if (p->exporter != NULL) {
		tell_counts(p->exporter, p->router, &p->count.stats);
		if (exporter_interfaces(p->exporter, table, n) == -1)
			log_warn("interface table: %s", strerror(errno));
	}
	if (all != NULL)
		if_freenameindex(all);
}

/* Whether anything is told of counts or interfaces. */
static bool
tells(const struct probe *p)
{
	return (p->config.exporter.fields.needs & NEED_INTERFACES) != 0 ||
	       (p->exporter != NULL && exporter_tells(p->exporter));
}

/* Warn when packets begin to be lost; then sum up now and then. */
static void
warn_drops(struct probe *p, uint64_t mono_ns)
{
	const struct capture_stats *c = &p->count.stats.capture;
	uint64_t drops = c->kernel_drops + c->interface_drops;

	if (drops == p->warned_drops ||
	    (p->warned_drops != 0 && mono_ns - p->warned_ns < DROPS_NS))
		return;
	log_warn("packets were dropped before they could be metered: %" PRIu64
		 " by the kernel, %" PRIu64 " by interfaces so far; a "
		 "larger -B, or --workers, may help",
	    c->kernel_drops, c->interface_drops);
	p->warned_drops = drops;
	p->warned_ns = mono_ns;
}

/* How often the meters are asked for their counters. */
static uint64_t
count_every(const struct probe *p)
{
	uint64_t alive_ns = p->notify.watchdog_ns / 4;

	return alive_ns != 0 && alive_ns < COUNT_NS ? alive_ns : COUNT_NS;
}

static void
write_metrics(FILE *out, enum metrics_format format, void *arg)
{
	const struct probe *p = arg;

	metrics_write(out, format, p, &p->count);
}

/* The meters have answered: pass it on to all who want to know. */
static void
tell_count(struct probe *p, uint64_t mono_ns)
{
	if (p->notify.watchdog_ns != 0)
		notify_send(&p->notify, "WATCHDOG=1");
	warn_drops(p, mono_ns);
	if (!p->config.replay && tells(p))
		tell_exporter(p);
	if (p->httpd != NULL)
		httpd_answer(p->httpd, write_metrics, p);
}

/*
 * Ask the meters for their counters: now and then live, and for a watchdog,
 * who learns from an answer that packets are looked after; and at once for who
 * wants metrics.
 */
static void
count(struct probe *p, uint64_t mono_ns)
{
	bool regular = !p->config.replay || p->notify.watchdog_ns != 0;
	bool wanted = p->httpd != NULL && httpd_waits(p->httpd);

	if (p->counting && meters_answered(p->meters)) {
		p->counting = false;
		tell_count(p, mono_ns);
		return;
	}
	if (!wanted && (!regular || mono_ns - p->counted_ns < count_every(p)))
		return;
	if (p->counting || !meters_answered(p->meters))
		return;
	p->count.op = METER_STATS;
	p->counted_ns = mono_ns;
	p->counting = meters_ask(p->meters, &p->count) == 0;
	if (!p->counting && wanted) { /* they have ended */
		meters_final_stats(p->meters, &p->count);
		tell_count(p, mono_ns);
	}
}

/* The loop --------------------------------------------------------------- */

#define POLL_MAX                                                               \
	(1 + CONTROL_CLIENTS_MAX + 1 + 1 + ROUTER_FDS + CONFIG_COLLECTORS_MAX)

/* Sleep until something happens; returns how many of pfd are the control's. */
static size_t
sleep_until(struct probe *p, struct pollfd pfd[POLL_MAX], int timeout_ms)
{
	size_t n = 1, ncontrol = 0;

	pfd[0] = (struct pollfd){ wake_fd(&p->wake), POLLIN, 0 };
	if (p->control != NULL)
		ncontrol = control_pollfds(p->control, pfd + n);
	n += ncontrol;
	if (p->httpd != NULL)
		pfd[n++] =
		    (struct pollfd){ httpd_poll_fd(p->httpd), POLLIN, 0 };
	n += router_pollfds(p->router, pfd + n);
	for (size_t i = 0;
	     p->exporter != NULL && i < exporter_collectors(p->exporter); i++) {
		short events;
		int fd = transport_poll_fd(
		    exporter_transport(p->exporter, i), &events);

		if (fd != -1)
			pfd[n++] = (struct pollfd){ fd, events, 0 };
	}
	if (poll(pfd, (nfds_t)n, timeout_ms) <= 0)
		for (size_t i = 0; i < n; i++)
			pfd[i].revents = 0;
	if (pfd[0].revents != 0)
		wake_clear(&p->wake);
	return ncontrol;
}

static void
serve_signals(struct probe *p)
{
	if (stop_signals > 0)
		p->stopping = true;
	if (reopen_signals) {
		reopen_signals = 0;
		if (p->exporter != NULL)
			exporter_reopen(p->exporter);
		if (reload_possible(p))
			reload_want(p);
	}
	if (expire_signals && meters_answered(p->meters)) {
		expire_signals = 0;
		p->call.op = METER_EXPIRE_ALL;
		meters_ask(p->meters, &p->call);
	}
}

static void
draw_progress(const struct probe *p, uint64_t mono_ns, uint64_t *drawn_ns)
{
	int permille = meters_permille(p->meters);
	int width = permille * PROGRESS_WIDTH / 1000;

	if (!p->config.replay || p->config.quiet || permille < 0 ||
	    mono_ns - *drawn_ns < PROGRESS_NS || !isatty(STDERR_FILENO) ||
	    (p->printer != NULL && isatty(STDOUT_FILENO)))
		return;
	*drawn_ns = mono_ns;
	fprintf(stderr, "\r[%.*s%*s] %3d %%", width,
	    "########################################", PROGRESS_WIDTH - width,
	    "", permille / 10);
}

static void
clear_progress(uint64_t drawn_ns, uint64_t started_ns)
{
	if (drawn_ns != started_ns)
		fprintf(stderr, "\r%*s\r", PROGRESS_WIDTH + 8, "");
}

/* Begin to stop, once; wait for no collector if it takes too long. */
static void
hurry(struct probe *p, uint64_t mono_ns, uint64_t *stopping_ns)
{
	if (!p->stopping)
		return;
	if (*stopping_ns == 0) {
		*stopping_ns = mono_ns;
		notify_send(&p->notify, "STOPPING=1");
		meters_stop(p->meters, p->abandon);
	}
	if (mono_ns - *stopping_ns > HURRY_NS)
		p->hurried = true;
}

/* Let collectors have their turn; what sockets they have then is told. */
static void
tick_exporter(struct probe *p, uint64_t mono_ns)
{
	exporter_tick(p->exporter, mono_ns);
	for (size_t i = 0; i < exporter_collectors(p->exporter); i++)
		router_session(p->router, i,
		    transport_session(exporter_transport(p->exporter, i)));
}

/* Run until the meters have ended and all its records are out. */
static int
run(struct probe *p)
{
	uint64_t mono_ns = p->started_ns, now_ns, stopping_ns = 0;
	uint64_t drawn_ns = mono_ns, unseen_ns = 0;
	struct pollfd pfd[POLL_MAX];
	int result = EXIT_SUCCESS, timeout_ms = 0;
	bool ended = false;

	while (!ended || meters_wait(p->meters)) {
		size_t ncontrol = sleep_until(p, pfd, timeout_ms);

		ended = meters_ended(p->meters);
		mono_ns = clock_ns(CLOCK_MONOTONIC);
		now_ns = clock_ns(CLOCK_REALTIME);
		if (p->exporter != NULL && !p->config.replay)
			exporter_clock(p->exporter, now_ns);
		router_tick(p->router, now_ns, mono_ns);
		serve_signals(p);
		if (p->httpd != NULL)
			httpd_serve(p->httpd, mono_ns);
		count(p, mono_ns);
		if (p->control != NULL)
			control_serve(p->control, pfd + 1, ncontrol, mono_ns);
		if (fetch(p, mono_ns) > 0 && unseen_ns == 0)
			unseen_ns = mono_ns;
		reload_step(p, mono_ns);
		if (p->exporter != NULL)
			tick_exporter(p, mono_ns);
		else if (unseen_ns != 0 && mono_ns - unseen_ns > NS_PER_S) {
			printer_flush(p->printer);
			unseen_ns = 0;
		}
		check_output(p, &result);
		hurry(p, mono_ns, &stopping_ns);
		draw_progress(p, mono_ns, &drawn_ns);
		timeout_ms =
		    meters_wait(p->meters) ? EXPORTER_WAIT_MS : TURN_MS;
	}
	clear_progress(drawn_ns, p->started_ns);
	return result;
}

/* A replay sends nothing before it is known where to. */
static void
settle(struct probe *p)
{
	uint64_t mono_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t end_ns = mono_ns + SETTLE_NS;
	struct pollfd pfd[POLL_MAX];

	if (p->exporter == NULL)
		return;
	tick_exporter(p, mono_ns); /* look-ups and files begin */
	while (p->config.replay && !exporter_settled(p->exporter) &&
	       mono_ns < end_ns && stop_signals == 0) {
		sleep_until(p, pfd, TURN_MS);
		mono_ns = clock_ns(CLOCK_MONOTONIC);
		tick_exporter(p, mono_ns);
	}
}

/* Stopping --------------------------------------------------------------- */

/* Send what waits in queues; a replay fails if records could not be sent. */
static int
finish_export(struct probe *p)
{
	uint64_t mono_ns = clock_ns(CLOCK_MONOTONIC);
	uint64_t end_ns =
	    mono_ns + (p->config.replay ? REPLAY_PENDING_NS : PENDING_NS);
	struct collector_stats stats;
	struct pollfd pfd[POLL_MAX];
	int result = EXIT_SUCCESS;

	p->count = p->call;
	tell_exporter(p);
	exporter_finish(p->exporter);
	while (exporter_pending(p->exporter) && mono_ns < end_ns) {
		sleep_until(p, pfd, TURN_MS);
		mono_ns = clock_ns(CLOCK_MONOTONIC);
		router_tick(p->router, clock_ns(CLOCK_REALTIME), mono_ns);
		exporter_tick(p->exporter, mono_ns);
	}
	exporter_end(p->exporter);
	for (size_t i = 0; i < exporter_collectors(p->exporter); i++) {
		exporter_stats(p->exporter, i, &stats);
		if (stats.transport.lost.records == 0)
			continue;
		log_warn("collector %s: %" PRIu64 " records were not sent",
		    transport_name(exporter_transport(p->exporter, i)),
		    stats.transport.lost.records);
		if (p->config.replay)
			result = EXIT_FAILURE;
	}
	return result;
}

static int
finish_print(struct probe *p)
{
	int error;

	printer_flush(p->printer);
	error = printer_error(p->printer);
	if (error == 0 || p->abandon)
		return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	log_error("standard output: %s", strerror(error));
	return EXIT_FAILURE;
}

static int
finish(struct probe *p, int result)
{
	if (!p->stopping) /* a replay came to its end */
		notify_send(&p->notify, "STOPPING=1");
	result |= meters_join(p->meters);
	meters_final_stats(p->meters, &p->call);
	result |= p->exporter != NULL ? finish_export(p) : finish_print(p);
	if (p->config.foreground && !p->config.quiet)
		report_statistics(stderr, false, &p->call, p->router,
		    p->exporter, clock_ns(CLOCK_MONOTONIC) - p->started_ns);
	return result;
}

static void
close_probe(struct probe *p)
{
	control_free(p->control);
	httpd_free(p->httpd);
	printer_free(p->lister);
	largest_free(p->largest);
	printer_free(p->printer);
	meters_free(p->meters);
	exporter_free(p->exporter);
	router_free(p->router);
	daemon_remove_pidfile();
	notify_close(&p->notify);
	wake_close(&p->wake);
	config_free(&p->config);
	reload_free(&p->reload);
}

/* Open everything in an order that leaves nothing behind when it fails. */
static int
start(struct probe *p)
{
	if (wake_init(&p->wake) == -1) {
		log_error("%s", strerror(errno));
		return -1;
	}
	catch_signals(&p->wake);
	if (!p->config.foreground && daemon_start() == -1) {
		log_error("cannot go to the background: %s", strerror(errno));
		return -1;
	}
	p->started_ns = clock_ns(CLOCK_MONOTONIC);
	p->started_wall_ns = clock_ns(CLOCK_REALTIME);
	notify_open(&p->notify);
	confine_descriptors(&p->config);
	privdrop_raise();
	if (open_meters(p) == -1 || open_router(p) == -1 ||
	    open_pidfile(p) == -1 || open_control(p) == -1 ||
	    open_httpd(p) == -1)
		return -1;
	errno = 0;
	if (open_exporter(p) == -1) {
		if (errno != 0)
			log_error("%s", strerror(errno));
		return -1;
	}
	/* The first messages shall have it all. */
	meters_final_stats(p->meters, &p->count);
	tell_exporter(p);
	if (confine(&p->config, &p->privdrop) == -1)
		return -1;
	if (meters_start(p->meters) == -1) {
		log_error(
		    "cannot start the metering thread: %s", strerror(errno));
		_exit(EXIT_FAILURE); /* some may run already */
	}
	privdrop_rest(); /* what was kept is the metering threads' */
	sandbox_enter(SANDBOX_EXPORTING);
	settle(p);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct probe probe; /* zeros, which the file need not hold */
	char errbuf[CONFIG_ERROR_LEN];
	int result = EXIT_FAILURE;

	probe.notify.fd = -1;
	switch (reload_first(&probe, argc, argv, errbuf)) {
	case CONFIG_EXIT:
		return EXIT_SUCCESS;
	case CONFIG_BAD:
		log_error("%s", errbuf);
		return EXIT_USAGE;
	case CONFIG_RUN:
		break;
	}
	log_set_debug(probe.config.debug);
	if (privdrop_find(&probe.privdrop, probe.config.user, errbuf,
		sizeof(errbuf)) == -1) {
		log_error("%s", errbuf);
		config_free(&probe.config);
		reload_free(&probe.reload);
		return EXIT_USAGE;
	}
	if (probe.config.check) {
		confine_describe(stdout, &probe.config, &probe.privdrop);
		sizing_describe(stdout, &probe.config);
		config_free(&probe.config);
		reload_free(&probe.reload);
		return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (start(&probe) == 0) {
		daemon_ready();
		notify_send(&probe.notify, "READY=1");
		result = finish(&probe, run(&probe));
	}
	close_probe(&probe);
	return result;
}
