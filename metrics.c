/* SPDX-License-Identifier: ISC */
/*
 * metrics.c - the counters of a run as metrics; see metrics.h.
 *
 * Each metric is a row of one table: its name, what it is, and where its
 * samples come from.  Names of collectors and interfaces are values of labels,
 * where whatever octets they hold can end neither the value nor the line.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "exporter.h"
#include "metrics.h"
#include "printer.h"
#include "probe.h"
#include "report.h"
#include "ring.h"
#include "router.h"
#include "text.h"

#define PREFIX "softprobe_"
#define NAME_LEN 320 /* above a collector's host and port */

enum metric_type { COUNTER, GAUGE, INFO };

/* What types are called in either format, and how their samples' names end. */
static const struct {
	const char *openmetrics, *prometheus, *suffix;
} types[] = {
	[COUNTER] = { "counter", "counter", "_total" },
	[GAUGE] = { "gauge", "gauge", "" },
	[INFO] = { "info", "gauge", "_info" },
};

struct page {
	FILE *out;
	enum metrics_format format;
	const struct probe *probe;
	const struct meter_call *call;
	struct account account; /* of the call */
	bool labelled;          /* the sample at hand has a label */
};

/* A metric: put() writes its samples, from a field or by means of its own. */
struct metric {
	const char *name; /* without prefix and suffix; ends with the unit */
	enum metric_type type;
	const char *unit; /* NULL = none */
	const char *help;
	void (*put)(struct page *, const struct metric *);
	size_t offset, size; /* of the field that put() knows the struct of */
};

/* Samples ---------------------------------------------------------------- */

static void
begin(struct page *p, const struct metric *m)
{
	fprintf(p->out, PREFIX "%s%s", m->name, types[m->type].suffix);
	p->labelled = false;
}

static void
label(struct page *p, const char *name, const char *value)
{
	char clean[NAME_LEN];

	text_clean(clean, sizeof(clean), value);
	fprintf(p->out, "%s%s=\"", p->labelled ? "," : "{", name);
	for (const char *s = clean; *s != '\0'; s++)
		fprintf(p->out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	putc('"', p->out);
	p->labelled = true;
}

static void
number_label(struct page *p, const char *name, size_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", value);
	label(p, name, text);
}

static void
end(struct page *p, uint64_t value)
{
	fprintf(p->out, "%s %" PRIu64 "\n", p->labelled ? "}" : "", value);
}

static void
end_seconds(struct page *p, uint64_t ns)
{
	fprintf(p->out, "%s %" PRIu64 ".%09" PRIu64 "\n",
	    p->labelled ? "}" : "", ns / NS_PER_S, ns % NS_PER_S);
}

/* A sample with one label. */
static void
put_one(struct page *p, const struct metric *m, const char *name,
    const char *value, uint64_t n)
{
	begin(p, m);
	label(p, name, value);
	end(p, n);
}

static uint64_t
field(const struct metric *m, const void *base)
{
	return report_value(base, m->offset, m->size);
}

/* What the whole run counted ----------------------------------------------- */

static void
put_stat(struct page *p, const struct metric *m)
{
	begin(p, m);
	end(p, field(m, &p->call->stats));
}

static void
put_account(struct page *p, const struct metric *m)
{
	begin(p, m);
	end(p, field(m, &p->account));
}

/* The field is one of struct router_stats. */
static void
put_judged(struct page *p, const struct metric *m)
{
	const struct router_stats stats = router_stats(p->probe->router);

	begin(p, m);
	end(p, field(m, &stats));
}

static void
put_unaccounted(struct page *p, const struct metric *m)
{
	begin(p, m);
	fprintf(p->out, " %" PRId64 "\n", p->account.off_by);
}

static void
put_time(struct page *p, const struct metric *m)
{
	uint64_t ns = field(m, &p->call->stats);

	if (ns == 0)
		return;
	begin(p, m);
	end_seconds(p, ns);
}

static void
put_ignored(struct page *p, const struct metric *m)
{
	const struct meter_stats *s = &p->call->stats;

	for (int i = DECODE_OK + 1; i < DECODE_STATUSES; i++)
		put_one(p, m, "reason",
		    decode_status_name((enum decode_status)i),
		    s->capture.discard[i]);
	put_one(p, m, "reason", "gathering-off", s->capture.gathering_off);
	put_one(p, m, "reason", "sampled-out", s->sampled_out);
}

static void
put_ethertypes(struct page *p, const struct metric *m)
{
	const struct capture_stats *c = &p->call->stats.capture;
	char name[8];

	for (int i = 0; i < CAPTURE_ETHERTYPES; i++) {
		if (c->ethertype[i].frames == 0)
			continue;
		snprintf(name, sizeof(name), "0x%04x", c->ethertype[i].type);
		put_one(p, m, "ethertype", name, c->ethertype[i].frames);
	}
	put_one(p, m, "ethertype", "other", c->ethertype_other);
}

static void
put_drops(struct page *p, const struct metric *m)
{
	const struct capture_stats *c = &p->call->stats.capture;

	put_one(p, m, "by", "kernel", c->kernel_drops);
	put_one(p, m, "by", "interface", c->interface_drops);
}

static void
put_ended(struct page *p, const struct metric *m)
{
	const struct flowtrack_stats *t = &p->call->stats.track;

	for (unsigned i = FLOW_END_NONE + 1; i < FLOW_ENDS; i++)
		put_one(p, m, "reason", printer_end_reason(i), t->ended[i]);
}

/* The field is an array by protocol number. */
static void
put_protocols(struct page *p, const struct metric *m)
{
	const struct flowtrack_stats *t = &p->call->stats.track;
	const char *at = (const char *)t + m->offset;
	char name[8];

	for (unsigned i = 0; i < 256; i++)
		if (t->protocol_packets[i] != 0)
			put_one(p, m, "protocol",
			    printer_protocol(name, (uint8_t)i),
			    report_value(
				at, i * sizeof(uint64_t), sizeof(uint64_t)));
}

static void
put_timeouts(struct page *p, const struct metric *m)
{
	const struct meter_stats *s = &p->call->stats;

	for (int i = 0; i < TIMEOUTS; i++) {
		begin(p, m);
		label(p, "timeout", flow_timeout_name((enum flow_timeout)i));
		end_seconds(p, s->timeout_ms[i] * NS_PER_MS);
	}
}

static void
put_gathering(struct page *p, const struct metric *m)
{
	begin(p, m);
	end(p, p->call->stats.gathering);
}

/* Room: the cache and the rings ---------------------------------------------
 */

static void
put_max_flows(struct page *p, const struct metric *m)
{
	begin(p, m);
	end(p, p->probe->config.track.max_flows);
}

static void
put_cache_octets(struct page *p, const struct metric *m)
{
	const struct flowtrack_config *track = &p->probe->config.track;
	size_t each = flowtrack_octets_per_flow();

	if (track->extra)
		each += sizeof(struct flow_extra);
	begin(p, m);
	end(p, (uint64_t)track->max_flows * each);
}

static size_t
workers(const struct page *p)
{
	return p->probe->meters == NULL ? 0 : meters_count(p->probe->meters);
}

static void
put_rings(struct page *p, const struct metric *m)
{
	for (size_t i = 0; i < workers(p); i++) {
		begin(p, m);
		number_label(p, "worker", i);
		end(p, ring_used(meters_ring(p->probe->meters, i)));
	}
}

static void
put_ring_capacities(struct page *p, const struct metric *m)
{
	for (size_t i = 0; i < workers(p); i++) {
		begin(p, m);
		number_label(p, "worker", i);
		end(p, ring_capacity(meters_ring(p->probe->meters, i)));
	}
}

/* Now, by the clock that records are stamped with. */
static uint64_t
time_of_records(const struct page *p)
{
	struct timespec ts;

	if (p->probe->config.replay)
		return p->call->stats.time_ns;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void
put_lag(struct page *p, const struct metric *m)
{
	uint64_t now_ns = time_of_records(p), lag_ns = 0;

	for (size_t i = 0; i < workers(p); i++) {
		size_t n;
		const struct flow_record *oldest =
		    ring_peek(meters_ring(p->probe->meters, i), &n);

		if (n > 0 && oldest->ended_ns < now_ns &&
		    now_ns - oldest->ended_ns > lag_ns)
			lag_ns = now_ns - oldest->ended_ns;
	}
	begin(p, m);
	end_seconds(p, lag_ns);
}

/* Interfaces --------------------------------------------------------------- */

static void
begin_interface(
    struct page *p, const struct metric *m, const struct meter_source *s)
{
	begin(p, m);
	label(p, "interface", s->name);
}

/* The next live source from *i on; NULL = no more. */
static const struct meter_source *
next_interface(const struct page *p, size_t *i)
{
	const struct meter_call *c = p->call;

	while (*i < c->nsources && !c->source[*i].live)
		++*i;
	return *i < c->nsources ? &c->source[(*i)++] : NULL;
}

/* The field is one of struct meter_source. */
static void
put_interfaces(struct page *p, const struct metric *m)
{
	const struct meter_source *s;

	for (size_t i = 0; (s = next_interface(p, &i)) != NULL;) {
		begin_interface(p, m, s);
		end(p, field(m, s));
	}
}

static void
put_interfaces_ignored(struct page *p, const struct metric *m)
{
	const struct meter_source *s;

	for (size_t i = 0; (s = next_interface(p, &i)) != NULL;) {
		begin_interface(p, m, s);
		end(p, capture_ignored(&s->stats));
	}
}

static void
put_interfaces_up(struct page *p, const struct metric *m)
{
	const struct meter_source *s;

	for (size_t i = 0; (s = next_interface(p, &i)) != NULL;) {
		begin_interface(p, m, s);
		end(p, s->up);
	}
}

static void
put_interface_drops(struct page *p, const struct metric *m)
{
	const struct meter_source *s;

	for (size_t i = 0; (s = next_interface(p, &i)) != NULL;) {
		begin_interface(p, m, s);
		label(p, "by", "kernel");
		end(p, s->stats.kernel_drops);
		begin_interface(p, m, s);
		label(p, "by", "interface");
		end(p, s->stats.interface_drops);
	}
}

/* Collectors --------------------------------------------------------------- */

static size_t
collectors(const struct page *p)
{
	return p->probe->exporter == NULL
		   ? 0
		   : exporter_collectors(p->probe->exporter);
}

/* Its number tells a collector from another one of the same address. */
static void
begin_collector(struct page *p, const struct metric *m, size_t i)
{
	begin(p, m);
	label(p, "collector",
	    transport_name(exporter_transport(p->probe->exporter, i)));
	number_label(p, "number", i + 1);
}

/* The field is one of struct collector_stats. */
static void
put_collectors(struct page *p, const struct metric *m)
{
	struct collector_stats stats;

	for (size_t i = 0; i < collectors(p); i++) {
		exporter_stats(p->probe->exporter, i, &stats);
		begin_collector(p, m, i);
		end(p, field(m, &stats));
	}
}

static void
put_collectors_up(struct page *p, const struct metric *m)
{
	for (size_t i = 0; i < collectors(p); i++) {
		begin_collector(p, m, i);
		end(p, transport_state(exporter_transport(
			   p->probe->exporter, i)) == TRANSPORT_UP);
	}
}

static void
put_collector_infos(struct page *p, const struct metric *m)
{
	struct exporter *e = p->probe->exporter;

	for (size_t i = 0; i < collectors(p); i++) {
		begin_collector(p, m, i);
		label(p, "format", exporter_format(e, i));
		label(p, "transport", transport_kind(exporter_transport(e, i)));
		end(p, 1);
	}
}

static void
put_queue_limits(struct page *p, const struct metric *m)
{
	for (size_t i = 0; i < collectors(p); i++) {
		begin_collector(p, m, i);
		end(p, p->probe->config.collector[i].queue_octets);
	}
}

/* The program itself ---------------------------------------------------------
 */

static void
put_build(struct page *p, const struct metric *m)
{
	begin(p, m);
	label(p, "version", VERSION);
	end(p, 1);
}

static void
put_start(struct page *p, const struct metric *m)
{
	begin(p, m);
	end_seconds(p, p->probe->started_wall_ns);
}

/* The table ------------------------------------------------------------------
 */

#define AT(type, member)                                                       \
	offsetof(struct type, member), sizeof(((struct type *)0)->member)
#define NOTHING 0, 0

/* clang-format off */
static const struct metric metrics[] = {
	{ "build", INFO, NULL, "The version that is running.",
	    put_build, NOTHING },
	{ "start_time_seconds", GAUGE, "seconds",
	    "When it was started, since 1970 UTC.", put_start, NOTHING },
	{ "gathering", GAUGE, NULL,
	    "Whether packets are metered (1), or only counted (0).",
	    put_gathering, NOTHING },

	{ "received_packets", COUNTER, "packets",
	    "Packets that the capture handed over.",
	    put_account, AT(account, received) },
	{ "received_octets", COUNTER, "octets",
	    "Octets of those packets, on the wire.",
	    put_stat, AT(meter_stats, capture.frame_octets) },
	{ "recorded_packets", COUNTER, "packets",
	    "Packets in records of flows that ended.",
	    put_account, AT(account, in_records) },
	{ "recorded_octets", COUNTER, "octets",
	    "IP octets in those records.",
	    put_stat, AT(meter_stats, track.ended_octets) },
	{ "active_packets", GAUGE, "packets",
	    "Packets in flows that have not ended.",
	    put_account, AT(account, in_flows) },
	{ "ignored_packets", COUNTER, "packets",
	    "Packets that were not metered, by reason.",
	    put_ignored, NOTHING },
	{ "ignored_frames", COUNTER, "frames",
	    "Frames of network layers that are not metered, by EtherType.",
	    put_ethertypes, NOTHING },
	{ "deleted_packets", COUNTER, "packets",
	    "Packets in flows that were thrown away.",
	    put_account, AT(account, deleted) },
	{ "deleted_octets", COUNTER, "octets",
	    "IP octets in those flows.",
	    put_stat, AT(meter_stats, track.deleted_octets) },
	{ "repeated_packets", COUNTER, "packets",
	    "Packets that were counted at another interface.",
	    put_account, AT(account, again) },
	{ "repeated_octets", COUNTER, "octets",
	    "IP octets of those packets.",
	    put_stat, AT(meter_stats, track.again_octets) },
	{ "own_packets", COUNTER, "packets",
	    "Packets in records that were left out as of own sessions.",
	    put_account, AT(account, own) },
	{ "own_octets", COUNTER, "octets",
	    "IP octets in those records.",
	    put_judged, AT(router_stats, verdict[ROUTER_OWN].octets) },
	{ "own_records", COUNTER, "records",
	    "Those records.",
	    put_judged, AT(router_stats, verdict[ROUTER_OWN].records) },
	{ "translated_packets", COUNTER, "packets",
	    "Packets in records that were left out as seen translated.",
	    put_account, AT(account, second) },
	{ "translated_octets", COUNTER, "octets",
	    "IP octets in those records.",
	    put_judged, AT(router_stats, verdict[ROUTER_SECOND].octets) },
	{ "translated_records", COUNTER, "records",
	    "Those records.",
	    put_judged, AT(router_stats, verdict[ROUTER_SECOND].records) },
	{ "nat_connections", GAUGE, "connections",
	    "Translated connections that are known.",
	    put_judged, AT(router_stats, nat.connections) },
	{ "nat_begun_connections", COUNTER, "connections",
	    "Translated connections that began.",
	    put_judged, AT(router_stats, nat.begun) },
	{ "nat_evicted_connections", COUNTER, "connections",
	    "Translated connections that made room while they lasted.",
	    put_judged, AT(router_stats, nat.evicted) },
	{ "conntrack_messages", COUNTER, "messages",
	    "Messages of connection tracking.",
	    put_judged, AT(router_stats, conntrack.told) },
	{ "conntrack_missed", COUNTER, NULL,
	    "Times that messages of connection tracking were lost.",
	    put_judged, AT(router_stats, conntrack.missed) },
	{ "conntrack_unknown_messages", COUNTER, "messages",
	    "Messages of connection tracking that could not be read.",
	    put_judged, AT(router_stats, conntrack.unknown) },
	{ "route_lookup_failures", COUNTER, "failures",
	    "Questions for a route that the kernel did not answer.",
	    put_judged, AT(router_stats, lookups_failed) },
	{ "unaccounted_packets", GAUGE, "packets",
	    "Packets received that are in none of the above; always 0.",
	    put_unaccounted, NOTHING },
	{ "dropped_packets", COUNTER, "packets",
	    "Packets lost before they were received, by whom.",
	    put_drops, NOTHING },
	{ "reopened_interfaces", COUNTER, "interfaces",
	    "Times that an interface came back.",
	    put_stat, AT(meter_stats, capture.reopened) },
	{ "short_transport_packets", COUNTER, "packets",
	    "Packets metered without ports, which were cut off.",
	    put_stat, AT(meter_stats, capture.short_transport) },
	{ "above_mtu_packets", COUNTER, "packets",
	    "Packets longer than the interface's MTU, merged or not yet cut.",
	    put_stat, AT(meter_stats, capture.above_mtu) },
	{ "frame_length_packets", COUNTER, "packets",
	    "Packets whose octets were taken from the frame.",
	    put_stat, AT(meter_stats, capture.frame_length) },
	{ "fragment_packets", COUNTER, "packets",
	    "Later fragments of datagrams.",
	    put_stat, AT(meter_stats, fragments) },
	{ "orphan_fragment_packets", COUNTER, "packets",
	    "Those whose first fragment was not seen.",
	    put_stat, AT(meter_stats, fragments_orphaned) },
	{ "first_packet_seconds", GAUGE, "seconds",
	    "Capture time of the first packet, since 1970 UTC.",
	    put_time, AT(meter_stats, first_ns) },
	{ "last_packet_seconds", GAUGE, "seconds",
	    "Capture time of the newest packet, since 1970 UTC.",
	    put_time, AT(meter_stats, time_ns) },

	{ "active_flows", GAUGE, "flows",
	    "Flows that have not ended.",
	    put_stat, AT(meter_stats, track.active) },
	{ "active_most_flows", GAUGE, "flows",
	    "The most flows there have been at once.",
	    put_stat, AT(meter_stats, track.active_max) },
	{ "max_flows", GAUGE, "flows",
	    "Flows that the cache has room for.", put_max_flows, NOTHING },
	{ "cache_octets", GAUGE, "octets",
	    "Memory of the flow cache, if all of it was in use.",
	    put_cache_octets, NOTHING },
	{ "created_flows", COUNTER, "flows",
	    "Flows that began.",
	    put_stat, AT(meter_stats, track.flows) },
	{ "deleted_flows", COUNTER, "flows",
	    "Flows that were thrown away.",
	    put_stat, AT(meter_stats, track.deleted_flows) },
	{ "flow_octets", COUNTER, "octets",
	    "IP octets metered into flows.",
	    put_stat, AT(meter_stats, track.octets) },
	{ "ended_records", COUNTER, "records",
	    "Records of conversations that ended, by reason.",
	    put_ended, NOTHING },
	{ "protocol_packets", COUNTER, "packets",
	    "Packets metered, by protocol.",
	    put_protocols, AT(flowtrack_stats, protocol_packets) },
	{ "protocol_octets", COUNTER, "octets",
	    "IP octets metered, by protocol.",
	    put_protocols, AT(flowtrack_stats, protocol_octets) },
	{ "protocol_flows", COUNTER, "flows",
	    "Flows that began, by protocol.",
	    put_protocols, AT(flowtrack_stats, protocol_flows) },
	{ "timeout_seconds", GAUGE, "seconds",
	    "The timeouts in force.", put_timeouts, NOTHING },

	{ "ring_records", GAUGE, "records",
	    "Records on their way to the exporting thread, by worker.",
	    put_rings, NOTHING },
	{ "ring_capacity_records", GAUGE, "records",
	    "Records that there is room for on that way.",
	    put_ring_capacities, NOTHING },
	{ "export_lag_seconds", GAUGE, "seconds",
	    "How long the oldest of them has waited.", put_lag, NOTHING },
	{ "unexported_records", COUNTER, "records",
	    "Records lost since there was no room on that way.",
	    put_stat, AT(meter_stats, ring_lost_records) },
	{ "unexported_packets", COUNTER, "packets",
	    "Packets in those records.",
	    put_stat, AT(meter_stats, ring_lost_packets) },
	{ "unexported_octets", COUNTER, "octets",
	    "IP octets in those records.",
	    put_stat, AT(meter_stats, ring_lost_octets) },

	{ "interface_up", GAUGE, NULL,
	    "Whether the interface is being captured from.",
	    put_interfaces_up, NOTHING },
	{ "interface_index", GAUGE, NULL,
	    "What packets of the interface are marked with.",
	    put_interfaces, AT(meter_source, ifindex) },
	{ "interface_received_packets", COUNTER, "packets",
	    "Packets that the capture of the interface handed over.",
	    put_interfaces, AT(meter_source, stats.frames) },
	{ "interface_received_octets", COUNTER, "octets",
	    "Octets of those packets, on the wire.",
	    put_interfaces, AT(meter_source, stats.frame_octets) },
	{ "interface_decoded_packets", COUNTER, "packets",
	    "Those of them that were decoded.",
	    put_interfaces, AT(meter_source, stats.packets) },
	{ "interface_ignored_packets", COUNTER, "packets",
	    "Those of them that were not.",
	    put_interfaces_ignored, NOTHING },
	{ "interface_dropped_packets", COUNTER, "packets",
	    "Packets of the interface lost before that, by whom.",
	    put_interface_drops, NOTHING },
	{ "interface_reopened", COUNTER, NULL,
	    "Times that the interface came back.",
	    put_interfaces, AT(meter_source, stats.reopened) },

	{ "collector", INFO, NULL,
	    "The format and the transport of what the collector is sent.",
	    put_collector_infos, NOTHING },
	{ "collector_up", GAUGE, NULL,
	    "Whether the collector can be sent to.",
	    put_collectors_up, NOTHING },
	{ "collector_sent_messages", COUNTER, "messages",
	    "Messages sent to the collector.",
	    put_collectors, AT(collector_stats, transport.datagrams) },
	{ "collector_sent_octets", COUNTER, "octets",
	    "Octets of those messages.",
	    put_collectors, AT(collector_stats, transport.octets) },
	{ "collector_sent_records", COUNTER, "records",
	    "Flow Records in those messages.",
	    put_collectors, AT(collector_stats, transport.sent.records) },
	{ "collector_sent_packets", COUNTER, "packets",
	    "Packets that those records tell of.",
	    put_collectors, AT(collector_stats, transport.sent.packets) },
	{ "collector_sent_flow_octets", COUNTER, "octets",
	    "IP octets that those records tell of.",
	    put_collectors, AT(collector_stats, transport.sent.octets) },
	{ "collector_sent_templates", COUNTER, "templates",
	    "Template Records made for the collector.",
	    put_collectors, AT(collector_stats, templates) },
	{ "collector_sent_nat_events", COUNTER, "events",
	    "Events of NAT made for the collector.",
	    put_collectors, AT(collector_stats, events) },
	{ "collector_waiting_records", GAUGE, "records",
	    "Records that wait to be sent.",
	    put_collectors, AT(collector_stats, waiting.records) },
	{ "collector_waiting_packets", GAUGE, "packets",
	    "Packets in those records.",
	    put_collectors, AT(collector_stats, waiting.packets) },
	{ "collector_waiting_flow_octets", GAUGE, "octets",
	    "IP octets in those records.",
	    put_collectors, AT(collector_stats, waiting.octets) },
	{ "collector_queue_octets", GAUGE, "octets",
	    "Octets of messages that wait in the collector's queue.",
	    put_collectors, AT(collector_stats, transport.queued_octets) },
	{ "collector_queue_limit_octets", GAUGE, "octets",
	    "Octets that the collector's queue has room for.",
	    put_queue_limits, NOTHING },
	{ "collector_reconnects", COUNTER, NULL,
	    "Sessions after the first.",
	    put_collectors, AT(collector_stats, transport.reconnects) },
	{ "collector_refused", COUNTER, NULL,
	    "Times that the collector, or a host on the way, refused.",
	    put_collectors, AT(collector_stats, transport.refused) },
	{ "collector_errors", COUNTER, NULL,
	    "Other errors of sending, and sessions that broke.",
	    put_collectors, AT(collector_stats, transport.errors) },
	{ "collector_dropped_messages", COUNTER, "messages",
	    "Messages that could not be sent.",
	    put_collectors, AT(collector_stats, transport.dropped) },
	{ "collector_dropped_octets", COUNTER, "octets",
	    "Octets of those messages.",
	    put_collectors, AT(collector_stats, transport.dropped_octets) },
	{ "collector_lost_records", COUNTER, "records",
	    "Flow Records in those messages.",
	    put_collectors, AT(collector_stats, transport.lost.records) },
	{ "collector_lost_packets", COUNTER, "packets",
	    "Packets in those records.",
	    put_collectors, AT(collector_stats, transport.lost.packets) },
	{ "collector_lost_flow_octets", COUNTER, "octets",
	    "IP octets in those records.",
	    put_collectors, AT(collector_stats, transport.lost.octets) },
	{ "collector_unfit_records", COUNTER, "records",
	    "Records that the collector's format cannot tell.",
	    put_collectors, AT(collector_stats, unfit.records) },
	{ "collector_unfit_packets", COUNTER, "packets",
	    "Packets in those records.",
	    put_collectors, AT(collector_stats, unfit.packets) },
	{ "collector_unfit_flow_octets", COUNTER, "octets",
	    "IP octets in those records.",
	    put_collectors, AT(collector_stats, unfit.octets) },
	{ "collector_elsewhere_records", COUNTER, "records",
	    "Records that went to another collector instead.",
	    put_collectors, AT(collector_stats, elsewhere.records) },
	{ "collector_elsewhere_packets", COUNTER, "packets",
	    "Packets in those records.",
	    put_collectors, AT(collector_stats, elsewhere.packets) },
	{ "collector_elsewhere_flow_octets", COUNTER, "octets",
	    "IP octets in those records.",
	    put_collectors, AT(collector_stats, elsewhere.octets) },
};
/* clang-format on */

/* What is said about a metric, in front of its samples. */
static void
put_about(struct page *p, const struct metric *m)
{
	bool open = p->format == METRICS_OPENMETRICS;
	const char *suffix = open ? "" : types[m->type].suffix;

	fprintf(p->out, "# HELP " PREFIX "%s%s %s\n", m->name, suffix, m->help);
	fprintf(p->out, "# TYPE " PREFIX "%s%s %s\n", m->name, suffix,
	    open ? types[m->type].openmetrics : types[m->type].prometheus);
	if (m->unit != NULL)
		fprintf(p->out, "# UNIT " PREFIX "%s%s %s\n", m->name, suffix,
		    m->unit);
}

void
metrics_write(FILE *out, enum metrics_format format, const struct probe *probe,
    const struct meter_call *call)
{
	struct page p = { .out = out,
		.format = format,
		.probe = probe,
		.call = call,
		.account = report_account(&call->stats, probe->router) };

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		put_about(&p, &metrics[i]);
		metrics[i].put(&p, &metrics[i]);
	}
	fputs("# EOF\n", out);
}

const char *
metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS
		   ? "application/openmetrics-text; version=1.0.0; "
		     "charset=utf-8"
		   : "text/plain; version=0.0.4; charset=utf-8";
}

enum metrics_format
metrics_accepted(const char *accept)
{
	return accept != NULL &&
		       strstr(accept, "application/openmetrics-text") != NULL
		   ? METRICS_OPENMETRICS
		   : METRICS_PROMETHEUS;
}
