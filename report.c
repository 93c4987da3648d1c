/* SPDX-License-Identifier: ISC */
/*
 * report.c - the counters of a run as text or JSON.
 *
 * Each counter is one row of one table, which names it for people and for
 * programs; both forms are written from the same row.  The account is added
 * up here from both sides and never assumed to be balanced.  This file counts
 * nothing itself and asks nobody: it writes what it is handed.  Names of
 * interfaces and files may hold any octets; none of them reaches a terminal
 * or a JSON parser as anything but a character.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporter.h"
#include "meter.h"
#include "printer.h"
#include "report.h"
#include "router.h"
#include "text.h"

#define NAME_LEN 320        /* above a collector's host and port */
#define VALUE_LEN 24        /* above 2^64 in decimal */
#define WORDS_MAX 3         /* columns of words in one table */
#define COLUMNS_MAX 32      /* counters in one table */
#define PROTOCOLS_SHOWN 10U /* in text; JSON has all */

/*
 * A counter.  Text leaves out one that is 0 (in a table: 0 in every row)
 * unless it is `always` shown.
 */
struct counter {
	const char *text; /* its name for people */
	const char *json; /* its name for programs; NULL = as text */
	size_t offset, size;
	bool always;
};

#define AT(type, member)                                                       \
	offsetof(struct type, member), sizeof(((struct type *)0)->member)

/* One line of a table; each kind of table uses its part. */
struct item {
	const char *name; /* any octets */
	char number[8];   /* where a name is made */
	const char *word[WORDS_MAX];
	struct collector_stats collector;
	struct {
		uint64_t frames, packets, ignored;
		uint64_t kernel_drops, interface_drops, reopened;
		uint32_t ifindex;
	} source;
	struct {
		uint64_t packets, octets, flows;
	} protocol;
};

/* A table: what its rows are, its columns, and where item i comes from. */
struct listing {
	const char *title;           /* of the first column */
	const char *key;             /* the JSON array */
	const char *word[WORDS_MAX]; /* columns of words; NULL = no more */
	const struct counter *column;
	size_t ncolumns; /* at most COLUMNS_MAX */
	void (*get)(struct item *, size_t i, const void *from);
};

/* clang-format off */
static const struct counter account_rows[] = {
	{ "packets received", "packetsReceived",
	    AT(account, received), true },
	{ "packets in records", "packetsInRecords",
	    AT(account, in_records), true },
	{ "packets in active flows", "packetsInActiveFlows",
	    AT(account, in_flows), true },
	{ "ignored packets", "ignoredPacketTotalCount",
	    AT(account, ignored), true },
	{ "packets deleted", "packetsDeleted",
	    AT(account, deleted), true },
	{ "packets seen again", "packetsSeenAgain",
	    AT(account, again), false },
	{ "packets of own sessions", "packetsOfOwnSessions",
	    AT(account, own), false },
	{ "packets seen translated", "packetsSeenTranslated",
	    AT(account, second), false },
};

/* Contained in "packets in records". */
static const struct counter lost_rows[] = {
	{ "packets lost before export", "notSentPacketTotalCount",
	    AT(meter_stats, ring_lost_packets), true },
	{ "octets lost before export", "notSentOctetTotalCount",
	    AT(meter_stats, ring_lost_octets), false },
	{ "records lost before export", "notSentFlowTotalCount",
	    AT(meter_stats, ring_lost_records), false },
};

/* What became of records before they were exported. */
static const struct counter router_rows[] = {
	{ "records of own sessions", "ownRecords",
	    AT(router_stats, verdict[ROUTER_OWN].records), false },
	{ "octets of own sessions", "ownOctets",
	    AT(router_stats, verdict[ROUTER_OWN].octets), false },
	{ "records seen translated", "recordsSeenTranslated",
	    AT(router_stats, verdict[ROUTER_SECOND].records), false },
	{ "octets seen translated", "octetsSeenTranslated",
	    AT(router_stats, verdict[ROUTER_SECOND].octets), false },
	{ "translated connections", "natConnections",
	    AT(router_stats, nat.connections), false },
	{ "translated connections begun", "natConnectionsBegun",
	    AT(router_stats, nat.begun), false },
	{ "translated connections evicted", "natConnectionsEvicted",
	    AT(router_stats, nat.evicted), false },
	{ "connection messages", "conntrackMessages",
	    AT(router_stats, conntrack.told), false },
	{ "connection messages missed", "conntrackMissed",
	    AT(router_stats, conntrack.missed), false },
	{ "connection messages unknown", "conntrackUnknown",
	    AT(router_stats, conntrack.unknown), false },
	{ "route lookups failed", "routeLookupsFailed",
	    AT(router_stats, lookups_failed), false },
};

static const struct counter note_rows[] = {
	{ "short transport", "shortTransport",
	    AT(meter_stats, capture.short_transport), false },
	{ "length from frame", "lengthFromFrame",
	    AT(meter_stats, capture.frame_length), false },
	{ "above MTU", "aboveMtu",
	    AT(meter_stats, capture.above_mtu), false },
	{ "fragments", NULL,
	    AT(meter_stats, fragments), false },
	{ "fragments without first", "fragmentsWithoutFirst",
	    AT(meter_stats, fragments_orphaned), false },
};

static const struct counter drop_rows[] = {
	{ "kernel drops", "kernelDrops",
	    AT(meter_stats, capture.kernel_drops), true },
	{ "interface drops", "interfaceDrops",
	    AT(meter_stats, capture.interface_drops), true },
	{ "interfaces reopened", "reopened",
	    AT(meter_stats, capture.reopened), false },
};

static const struct counter octet_rows[] = {
	{ "octets received", "octetsReceived",
	    AT(meter_stats, capture.frame_octets), true },
	{ "octets in flows", "octetsInFlows",
	    AT(meter_stats, track.octets), true },
	{ "octets in records", "octetsInRecords",
	    AT(meter_stats, track.ended_octets), true },
	{ "octets deleted", "octetsDeleted",
	    AT(meter_stats, track.deleted_octets), false },
	{ "octets seen again", "octetsSeenAgain",
	    AT(meter_stats, track.again_octets), false },
};

static const struct counter flow_rows[] = {
	{ "flows active", "active",
	    AT(meter_stats, track.active), true },
	{ "flows active at most", "activeMax",
	    AT(meter_stats, track.active_max), true },
	{ "flows created", "observedFlowTotalCount",
	    AT(meter_stats, track.flows), true },
	{ "flows deleted", "deleted",
	    AT(meter_stats, track.deleted_flows), false },
};

static const struct counter protocol_columns[] = {
	{ "packets", NULL, AT(item, protocol.packets), true },
	{ "octets",  NULL, AT(item, protocol.octets),  true },
	{ "flows",   NULL, AT(item, protocol.flows),   true },
};

/*
 * Sent, waiting, lost, unfit and elsewhere are all records there were for a collector,
 * but for those in datagrams that its queue holds.
 */
static const struct counter collector_columns[] = {
	{ "messages", "exportedMessageTotalCount",
	    AT(item, collector.transport.datagrams), true },
	{ "octets", "exportedOctetTotalCount",
	    AT(item, collector.transport.octets), true },
	{ "records", "exportedFlowRecordTotalCount",
	    AT(item, collector.transport.sent.records), true },
	{ "packets", NULL,
	    AT(item, collector.transport.sent.packets), true },
	{ "flow-octets", "flowOctets",
	    AT(item, collector.transport.sent.octets), true },
	{ "templates", NULL,
	    AT(item, collector.templates), true },
	{ "nat-events", "natEvents",
	    AT(item, collector.events), false },
	{ "waiting", "waitingRecords",
	    AT(item, collector.waiting.records), false },
	{ "waiting-packets", "waitingPackets",
	    AT(item, collector.waiting.packets), false },
	{ "waiting-octets", "waitingOctets",
	    AT(item, collector.waiting.octets), false },
	{ "queue", "queuedOctets",
	    AT(item, collector.transport.queued_octets), false },
	{ "reconnects", NULL,
	    AT(item, collector.transport.reconnects), false },
	{ "refused", NULL,
	    AT(item, collector.transport.refused), false },
	{ "errors", NULL,
	    AT(item, collector.transport.errors), false },
	{ "dropped", "droppedMessages",
	    AT(item, collector.transport.dropped), false },
	{ "dropped-octets", "droppedOctets",
	    AT(item, collector.transport.dropped_octets), false },
	{ "lost", "notSentFlowTotalCount",
	    AT(item, collector.transport.lost.records), false },
	{ "lost-packets", "notSentPacketTotalCount",
	    AT(item, collector.transport.lost.packets), false },
	{ "lost-octets", "notSentOctetTotalCount",
	    AT(item, collector.transport.lost.octets), false },
	{ "unfit", "unfitRecords",
	    AT(item, collector.unfit.records), false },
	{ "unfit-packets", "unfitPackets",
	    AT(item, collector.unfit.packets), false },
	{ "unfit-octets", "unfitOctets",
	    AT(item, collector.unfit.octets), false },
	{ "elsewhere", "elsewhereRecords",
	    AT(item, collector.elsewhere.records), false },
	{ "elsewhere-packets", "elsewherePackets",
	    AT(item, collector.elsewhere.packets), false },
	{ "elsewhere-octets", "elsewhereOctets",
	    AT(item, collector.elsewhere.octets), false },
};

static const struct counter interface_columns[] = {
	{ "ifindex", NULL, AT(item, source.ifindex), true },
	{ "frames",  NULL, AT(item, source.frames),  true },
	{ "packets", NULL, AT(item, source.packets), true },
	{ "ignored", NULL, AT(item, source.ignored), true },
	{ "kernel-drops", "kernelDrops",
	    AT(item, source.kernel_drops), true },
	{ "interface-drops", "interfaceDrops",
	    AT(item, source.interface_drops), true },
	{ "reopened", NULL, AT(item, source.reopened), true },
};
/* clang-format on */

#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

uint64_t
report_value(const void *base, size_t offset, size_t size)
{
	const char *at = (const char *)base + offset;
	uint64_t wide;
	uint32_t narrow;

	if (size == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static uint64_t
value_of(const struct counter *c, const void *base)
{
	return report_value(base, c->offset, c->size);
}

/* Characters, not octets, of clean text: what it takes in a column. */
static int
columns_of(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/*
 * A sheet being written: text lines in groups, or JSON members in objects.
 */
struct sheet {
	FILE *out;
	bool json;
	bool more;          /* JSON: a comma is due before the next member */
	bool written, gap;  /* text: an empty line is due before the next */
	const char *prefix; /* text: stands before each name of the group */
};

/* JSON: begin a member, or an element where key is NULL. */
static void
member(struct sheet *s, const char *key)
{
	if (s->more)
		putc(',', s->out);
	if (key != NULL) {
		text_json(s->out, key);
		putc(':', s->out);
	}
	s->more = true;
}

/* Text: begin a line. */
static void
line(struct sheet *s)
{
	if (s->gap && s->written)
		putc('\n', s->out);
	s->gap = false;
	s->written = true;
}

/* Open an object ('{') or an array ('['); key NULL = not a member. */
static void
open_group(struct sheet *s, const char *key, char bracket, const char *prefix)
{
	s->gap = true;
	s->prefix = prefix;
	if (!s->json)
		return;
	member(s, key);
	putc(bracket, s->out);
	s->more = false;
}

static void
close_group(struct sheet *s, char bracket)
{
	s->prefix = "";
	if (!s->json)
		return;
	putc(bracket, s->out);
	s->more = true;
}

static struct sheet
open_sheet(FILE *out, bool json)
{
	struct sheet s = { .out = out, .json = json, .prefix = "" };

	if (json)
		putc('{', out);
	return s;
}

static void
close_sheet(struct sheet *s)
{
	if (s->json)
		fputs("}\n", s->out);
}

static void
put_count(struct sheet *s, const char *text, const char *key, uint64_t value,
    bool always)
{
	if (s->json) {
		member(s, key != NULL ? key : text);
		fprintf(s->out, "%" PRIu64, value);
	} else if (value != 0 || always) {
		line(s);
		fprintf(s->out, "%s%s: %" PRIu64 "\n", s->prefix, text, value);
	}
}

/* JSON only: a member that is a string. */
static void
put_string(struct sheet *s, const char *key, const char *value)
{
	member(s, key);
	text_json(s->out, value);
}

static void
put_counters(
    struct sheet *s, const struct counter *c, size_t n, const void *base)
{
	for (size_t i = 0; i < n; i++)
		put_count(s, c[i].text, c[i].json, value_of(&c[i], base),
		    c[i].always);
}

static void
put_group(struct sheet *s, const char *key, const struct counter *c, size_t n,
    const void *base)
{
	open_group(s, key, '{', "");
	put_counters(s, c, n, base);
	close_group(s, '}');
}

/* The columns of a table that text shows, and how wide each is. */
struct layout {
	int name, word[WORDS_MAX], width[COLUMNS_MAX];
	bool shown[COLUMNS_MAX];
};

static void
widen(int *width, int len)
{
	if (len > *width)
		*width = len;
}

static void
fit_words(struct layout *lay, const char *raw_name, const char *const *word)
{
	char name[NAME_LEN];

	text_clean(name, sizeof(name), raw_name);
	widen(&lay->name, columns_of(name));
	for (int w = 0; w < WORDS_MAX && word[w] != NULL; w++)
		widen(&lay->word[w], columns_of(word[w]));
}

static void
fit_layout(
    struct layout *lay, const struct listing *l, size_t n, const void *from)
{
	struct item item;
	char value[VALUE_LEN];

	*lay = (struct layout){ 0 };
	fit_words(lay, l->title, l->word);
	for (size_t c = 0; c < l->ncolumns; c++) {
		lay->shown[c] = l->column[c].always;
		lay->width[c] = columns_of(l->column[c].text);
	}
	for (size_t i = 0; i < n; i++) {
		l->get(&item, i, from);
		fit_words(lay, item.name, item.word);
		for (size_t c = 0; c < l->ncolumns; c++) {
			uint64_t v = value_of(&l->column[c], &item);

			widen(&lay->width[c],
			    snprintf(value, sizeof(value), "%" PRIu64, v));
			if (v != 0)
				lay->shown[c] = true;
		}
	}
}

/* The left part of a line; a name is padded by characters, not octets. */
static void
put_words(struct sheet *s, const struct layout *lay, const char *raw_name,
    const char *const *word)
{
	char name[NAME_LEN];

	text_clean(name, sizeof(name), raw_name);
	line(s);
	fprintf(s->out, "%s%*s", name, lay->name - columns_of(name), "");
	for (int w = 0; w < WORDS_MAX && word[w] != NULL; w++)
		fprintf(s->out, "  %-*s", lay->word[w], word[w]);
}

static void
list_text(struct sheet *s, const struct listing *l, size_t n, const void *from)
{
	struct layout lay;
	struct item item;

	if (n == 0)
		return;
	fit_layout(&lay, l, n, from);
	s->gap = true;
	put_words(s, &lay, l->title, l->word);
	for (size_t c = 0; c < l->ncolumns; c++) {
		if (lay.shown[c])
			fprintf(
			    s->out, "  %*s", lay.width[c], l->column[c].text);
	}
	putc('\n', s->out);
	for (size_t i = 0; i < n; i++) {
		l->get(&item, i, from);
		put_words(s, &lay, item.name, item.word);
		for (size_t c = 0; c < l->ncolumns; c++) {
			if (lay.shown[c])
				fprintf(s->out, "  %*" PRIu64, lay.width[c],
				    value_of(&l->column[c], &item));
		}
		putc('\n', s->out);
	}
}

static void
list_json(struct sheet *s, const struct listing *l, size_t n, const void *from)
{
	struct item item;

	open_group(s, l->key, '[', "");
	for (size_t i = 0; i < n; i++) {
		l->get(&item, i, from);
		open_group(s, NULL, '{', "");
		put_string(s, "name", item.name);
		for (int w = 0; w < WORDS_MAX && item.word[w] != NULL; w++)
			put_string(s, l->word[w], item.word[w]);
		put_counters(s, l->column, l->ncolumns, &item);
		close_group(s, '}');
	}
	close_group(s, ']');
}

static void
put_list(struct sheet *s, const struct listing *l, size_t n, const void *from)
{
	if (s->json)
		list_json(s, l, n, from);
	else
		list_text(s, l, n, from);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct account
report_account(const struct meter_stats *m, const struct router *router)
{
	const struct flowtrack_stats *t = &m->track;
	const struct router_stats r = router_stats(router);
	uint64_t own = least(r.verdict[ROUTER_OWN].packets, t->ended_packets);
	uint64_t second =
	    least(r.verdict[ROUTER_SECOND].packets, t->ended_packets - own);
	struct account a = {
		.received = m->capture.frames,
		.in_records = t->ended_packets - own - second,
		.own = own,
		.second = second,
		.ignored = capture_ignored(&m->capture) + m->sampled_out,
		.deleted = t->deleted_packets,
		.again = t->again_packets,
	};

	if (t->active > 0)
		a.in_flows = t->packets - t->ended_packets - t->deleted_packets;
	a.off_by =
	    (int64_t)(a.received - a.in_records - a.in_flows - a.ignored -
		      a.deleted - a.again - a.own - a.second);
	return a;
}

static void
put_account(
    struct sheet *s, const struct meter_stats *m, const struct router *router)
{
	struct account a = report_account(m, router);

	open_group(s, "account", '{', "");
	put_counters(s, ROWS(account_rows), &a);
	if (s->json) {
		member(s, "balanced");
		fputs(a.off_by == 0 ? "true" : "false", s->out);
		member(s, "offBy");
		fprintf(s->out, "%" PRId64, a.off_by);
	} else if (a.off_by == 0) {
		fputs("account: balanced\n", s->out);
	} else {
		fprintf(s->out, "account: OFF BY %" PRId64 "\n", a.off_by);
	}
	put_counters(s, ROWS(lost_rows), m);
	close_group(s, '}');
}

/* Text speaks only when packets are not taken. */
static void
put_gathering(struct sheet *s, bool on)
{
	if (s->json) {
		member(s, "gathering");
		fputs(on ? "true" : "false", s->out);
	} else if (!on) {
		s->gap = true;
		line(s);
		fputs("gathering: off\n", s->out);
	}
}

/* The parts of "ignored packets": one name for each reason. */
static void
put_discards(struct sheet *s, const struct meter_stats *m)
{
	const struct capture_stats *c = &m->capture;

	open_group(s, "ignored", '{', "ignored ");
	for (int i = DECODE_OK + 1; i < DECODE_STATUSES; i++)
		put_count(s, decode_status_name((enum decode_status)i), NULL,
		    c->discard[i], false);
	put_count(s, "gathering-off", NULL, c->gathering_off, false);
	put_count(s, "sampled-out", NULL, m->sampled_out, false);
	close_group(s, '}');
}

static void
put_ethertypes(struct sheet *s, const struct capture_stats *c)
{
	char name[8];

	open_group(s, "ethertypes", '{', "ethertype ");
	for (int i = 0; i < CAPTURE_ETHERTYPES; i++) {
		if (c->ethertype[i].frames == 0)
			continue;
		snprintf(name, sizeof(name), "0x%04x", c->ethertype[i].type);
		put_count(s, name, NULL, c->ethertype[i].frames, false);
	}
	put_count(s, "other", NULL, c->ethertype_other, false);
	close_group(s, '}');
}

static void
put_end_reasons(struct sheet *s, const struct flowtrack_stats *t)
{
	open_group(s, "records", '{', "records ended, ");
	for (unsigned i = FLOW_END_NONE + 1; i < FLOW_ENDS; i++)
		put_count(s, flow_end_name((enum flow_end)i),
		    printer_end_reason(i), t->ended[i], false);
	close_group(s, '}');
}

/* Protocols that saw packets, the busiest first. */
struct protocols {
	const struct flowtrack_stats *track;
	uint8_t number[256];
	size_t n;
};

static void
get_protocol(struct item *item, size_t i, const void *from)
{
	const struct protocols *p = from;
	uint8_t number = p->number[i];

	*item = (struct item){ 0 };
	item->name = printer_protocol(item->number, number);
	item->protocol.packets = p->track->protocol_packets[number];
	item->protocol.octets = p->track->protocol_octets[number];
	item->protocol.flows = p->track->protocol_flows[number];
}

/* Insertion sort: at most 256, mostly a handful; equal ones by number. */
static void
sort_protocols(struct protocols *p, const struct flowtrack_stats *t)
{
	p->track = t;
	p->n = 0;
	for (unsigned number = 0; number < 256; number++) {
		uint64_t packets = t->protocol_packets[number];
		size_t at = p->n;

		if (packets == 0)
			continue;
		for (; at > 0; at--) {
			if (t->protocol_packets[p->number[at - 1]] >= packets)
				break;
			p->number[at] = p->number[at - 1];
		}
		p->number[at] = (uint8_t)number;
		p->n++;
	}
}

static void
put_protocols(struct sheet *s, const struct flowtrack_stats *t)
{
	static const struct listing listing = { "protocol", "protocols",
		{ NULL }, ROWS(protocol_columns), get_protocol };
	struct protocols p;
	size_t n;

	sort_protocols(&p, t);
	n = s->json || p.n <= PROTOCOLS_SHOWN ? p.n : PROTOCOLS_SHOWN;
	put_list(s, &listing, n, &p);
	if (n < p.n)
		fprintf(s->out, "(and %zu more protocols)\n", p.n - n);
}

/* Capture time of one packet; JSON says null before the first. */
static void
put_time(struct sheet *s, const char *text, const char *key, uint64_t time_ns)
{
	char buf[PRINTER_TIME_LEN];

	printer_time(buf, time_ns);
	if (s->json) {
		member(s, key);
		buf[10] = 'T'; /* RFC 3339 */
		if (time_ns == 0)
			fputs("null", s->out);
		else
			fprintf(s->out, "\"%sZ\"", buf);
	} else if (time_ns != 0) {
		line(s);
		fprintf(s->out, "%s: %s UTC\n", text, buf);
	}
}

/* How long something took and what came in a second of it. */
static void
put_rates(struct sheet *s, const char *text, const char *key, uint64_t ns,
    const struct capture_stats *c)
{
	double seconds = (double)ns / (double)NS_PER_S;
	double packets, octets;

	if (ns == 0)
		return;
	packets = (double)c->frames / seconds;
	octets = (double)c->frame_octets / seconds;
	if (s->json) {
		open_group(s, key, '{', "");
		fprintf(s->out,
		    "\"seconds\":%.3f,\"packetsPerSecond\":%.1f,"
		    "\"octetsPerSecond\":%.1f",
		    seconds, packets, octets);
		close_group(s, '}');
		return;
	}
	line(s);
	fprintf(s->out, "%s: %.3f s (%.1f packets/s, %.1f octets/s)\n", text,
	    seconds, packets, octets);
}

static void
put_times(struct sheet *s, const struct meter_stats *m, uint64_t elapsed_ns)
{
	uint64_t span_ns =
	    m->time_ns > m->first_ns ? m->time_ns - m->first_ns : 0;

	open_group(s, "time", '{', "");
	put_time(s, "first packet", "firstPacket", m->first_ns);
	put_time(s, "last packet", "lastPacket", m->time_ns);
	put_rates(s, "capture time", "capture", span_ns, &m->capture);
	put_rates(s, "elapsed time", "elapsed", elapsed_ns, &m->capture);
	close_group(s, '}');
}

static void
get_collector(struct item *item, size_t i, const void *from)
{
	static const char *const state[] = {
		[TRANSPORT_RESOLVING] = "resolving",
		[TRANSPORT_CONNECTING] = "connecting",
		[TRANSPORT_UP] = "up",
		[TRANSPORT_FAILED] = "failed",
		[TRANSPORT_CLOSED] = "closed",
	};
	const struct exporter *exporter = from;
	const struct transport *t = exporter_transport(exporter, i);

	*item = (struct item){ 0 };
	item->name = transport_name(t);
	item->word[0] = state[transport_state(t)];
	item->word[1] = exporter_format(exporter, i);
	item->word[2] = transport_kind(t);
	exporter_stats(exporter, i, &item->collector);
}

/* No exporter, no collector: text then has nothing to say. */
static void
put_collectors(struct sheet *s, const struct exporter *exporter)
{
	static const struct listing listing = { "collector", "collectors",
		{ "state", "format", "transport" }, ROWS(collector_columns),
		get_collector };
	size_t n = exporter == NULL ? 0 : exporter_collectors(exporter);

	put_list(s, &listing, n, exporter);
}

static void
get_source(struct item *item, size_t i, const void *from)
{
	const struct meter_call *call = from;
	const struct meter_source *src = &call->source[i];
	const struct capture_stats *c = &src->stats;

	*item = (struct item){ 0 };
	item->name = src->name;
	item->word[0] = !src->live ? "file" : src->up ? "up" : "down";
	item->source.ifindex = src->ifindex;
	item->source.frames = c->frames;
	item->source.packets = c->packets;
	item->source.ignored = capture_ignored(c);
	item->source.kernel_drops = c->kernel_drops;
	item->source.interface_drops = c->interface_drops;
	item->source.reopened = c->reopened;
}

void
report_statistics(FILE *out, bool json, const struct meter_call *call,
    const struct router *router, struct exporter *exporter, uint64_t elapsed_ns)
{
	const struct meter_stats *m = &call->stats;
	const struct router_stats r = router_stats(router);
	struct sheet s = open_sheet(out, json);

	put_account(&s, m, router);
	put_gathering(&s, m->gathering);
	put_discards(&s, m);
	put_ethertypes(&s, &m->capture);
	put_group(&s, "router", ROWS(router_rows), &r);
	put_group(&s, "notes", ROWS(note_rows), m);
	put_group(&s, "drops", ROWS(drop_rows), m);
	put_group(&s, "flows", ROWS(flow_rows), m);
	put_end_reasons(&s, &m->track);
	put_group(&s, "octets", ROWS(octet_rows), m);
	put_protocols(&s, &m->track);
	put_times(&s, m, elapsed_ns);
	put_collectors(&s, exporter);
	close_sheet(&s);
}

void
report_collectors(FILE *out, bool json, struct exporter *exporter)
{
	struct sheet s = open_sheet(out, json);

	put_collectors(&s, exporter);
	if (!s.json && !s.written)
		fputs("no collectors\n", out);
	close_sheet(&s);
}

void
report_interfaces(FILE *out, bool json, const struct meter_call *call)
{
	static const struct listing listing = { "interface", "interfaces",
		{ "state" }, ROWS(interface_columns), get_source };
	struct sheet s = open_sheet(out, json);

	put_list(&s, &listing, call->nsources, call);
	close_sheet(&s);
}

/* A timeout for people: 0 is no time but a mode of its own. */
static void
timeout_text(FILE *out, enum flow_timeout which, uint32_t ms)
{
	if (ms == 0 && which == TIMEOUT_MAXLIFE)
		fputs("never", out);
	else if (ms % MS_PER_S == 0)
		fprintf(out, "%" PRIu32 " s", ms / MS_PER_S);
	else
		fprintf(out, "%" PRIu32 ".%03" PRIu32 " s", ms / MS_PER_S,
		    ms % MS_PER_S);
}

void
report_timeouts(FILE *out, bool json, const struct meter_call *call)
{
	struct sheet s = open_sheet(out, json);

	open_group(&s, "timeoutMilliseconds", '{', "");
	for (int i = 0; i < TIMEOUTS; i++) {
		enum flow_timeout which = (enum flow_timeout)i;
		const char *name = flow_timeout_name(which);
		uint32_t ms = call->stats.timeout_ms[i];

		if (json) {
			put_count(&s, name, NULL, ms, true);
			continue;
		}
		fprintf(out, "%s: ", name);
		timeout_text(out, which, ms);
		putc('\n', out);
	}
	close_group(&s, '}');
	close_sheet(&s);
}
