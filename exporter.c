/* SPDX-License-Identifier: ISC */
/*
 * exporter.c - the Exporting Process; see exporter.h.
 *
 * Decides what goes into which message and when it leaves.  Reads no clock:
 * live, time is told; in a replay it is the records' own, so that the same
 * file gives the same datagrams.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "exporter.h"
#include "lines.h"
#include "log.h"
#include "message.h"
#include "record.h"
#include "share.h"

#define LINGER_NS (NS_PER_S / 2) /* a partly filled message waits so long */
#define PACE_BURST 32            /* datagrams that may leave at once */
#define EARLY_SECONDS 1U         /* when templates are first sent again ... */
#define EARLY_MESSAGES 8U
#define EARLY_DOUBLINGS 28 /* ... and how often that can be doubled */
#define PROBE_SECONDS 5U   /* between tries of one that refused */

/*
 * A boot time for relative times is moved when 2^31 ms have passed, so that
 * sysUptime never wraps, and then stands 2^30 ms (12 days) in the past, so
 * that flows that began before can still be told.
 */
#define UPTIME_MAX_NS ((UINT64_C(1) << 31) * NS_PER_MS)
#define UPTIME_NEW_NS ((UINT64_C(1) << 30) / MS_PER_S * NS_PER_S)
#define BOOT_UNKNOWN UINT64_MAX

/*
 * Template IDs come in blocks from 256 on; options data has that of 512, NAT
 * events that of 768.
 */
#define TEMPLATE_BLOCKS ((65536U - 256) / TEMPLATES_MAX - 2)
#define OPTION_BLOCK ((512U - 256) / TEMPLATES_MAX)
#define EVENT_BLOCK ((768U - 256) / TEMPLATES_MAX)

/* An earlier collector must be up for so long before it is used again. */
#define FAILBACK_NS (10 * NS_PER_S)
#define TURN_NS (5 * NS_PER_S) /* while none is */

#define LEAVE_NS (3 * NS_PER_S) /* what waits for one removed has so long */

struct collector {
	struct collector_config config;
	struct transport *transport;
	const struct dialect *dialect;
	struct template template[TEMPLATES_MAX];
	unsigned ntemplates;
	struct template option[OPTION_KINDS];
	struct template event[EVENT_TEMPLATES];
	bool tells_events;
	unsigned options; /* 1 << enum option_kind: sent to this one */
	uint64_t messages, octets, records; /* handed over */
	struct time_span not_sent_span;     /* when records were lost */
	uint64_t not_sent_seen;             /* how many until then */
	struct lines *lines;                /* in place of messages; or NULL */
	struct message message;
	uint64_t pending_ns; /* when its first record was added */
	uint64_t boot_ns;    /* whole seconds, or BOOT_UNKNOWN */
	uint64_t export_ns;  /* of the last message: never runs backwards */
	uint32_t sequence;
	bool templates_due;
	uint64_t templates_ns; /* sent last */
	uint32_t messages_since_templates;
	unsigned refreshes; /* how often they were sent again */
	double pace;        /* datagrams that may leave now */
	bool told_unfit;
	uint64_t down_ns; /* monotonic: when it last was not up */
	uint64_t
	    leave_ns; /* monotonic: removed, has until then; 0 = not told */
	struct collector_stats stats;
};

struct exporter {
	struct exporter_config config;
	uint64_t now_ns;  /* wall clock, or the capture's */
	uint64_t pace_ns; /* monotonic time of the last look at the pace */
	uint64_t init_ns; /* when it all began */
	bool counted;     /* counts are known */
	struct metering_counts counts;
	struct option_record *interface;
	size_t ninterfaces;
	struct collector **collector;
	size_t ncollectors;
	struct collector **leaving; /* removed, with something in their queue */
	size_t nleaving;
	struct cargo exported; /* all records there were */
	unsigned field_changes;
	size_t chosen;      /* that gets the records, unless all do */
	uint64_t chosen_ns; /* monotonic */
};

struct exporter *
exporter_new(const struct exporter_config *config)
{
	struct exporter *e = calloc(1, sizeof(*e));

	if (e != NULL)
		e->config = *config;
	return e;
}

static void
collector_free(struct collector *c)
{
	if (c == NULL)
		return;
	transport_free(c->transport);
	lines_free(c->lines);
	free(c);
}

void
exporter_free(struct exporter *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < e->ncollectors; i++)
		collector_free(e->collector[i]);
	for (size_t i = 0; i < e->nleaving; i++)
		collector_free(e->leaving[i]);
	free(e->collector);
	free(e->leaving);
	free(e->interface);
	free(e);
}

/* The kinds of options data behind each switch. */
static const unsigned kind_switch[OPTION_KINDS] = {
	[OPTION_SAMPLING] = EXPORT_SAMPLING,
	[OPTION_SAMPLER] = EXPORT_SAMPLING,
	[OPTION_INTERFACE] = EXPORT_INTERFACES,
	[OPTION_EXPORTER] = EXPORT_EXPORTER,
	[OPTION_EXPORTED] = EXPORT_STATISTICS,
	[OPTION_IGNORED] = EXPORT_STATISTICS,
	[OPTION_NOT_SENT] = EXPORT_STATISTICS,
	[OPTION_SELECTED] = EXPORT_STATISTICS,
};

/*
 * Template IDs of other fields are other ones (RFC 7011 s8): the next block,
 * but for those of others, and the first again when all were used.
 */
static uint16_t
template_shift(const struct exporter *e)
{
	unsigned block = e->field_changes % TEMPLATE_BLOCKS;

	block += block >= OPTION_BLOCK;
	block += block >= EVENT_BLOCK;
	return (uint16_t)(block * TEMPLATES_MAX);
}

/*
 * Choose the options data of a collector.  What it is told it is told from then
 * on: the rate also when it is 1 again.
 */
static void
choose_options(const struct exporter *e, struct collector *c)
{
	unsigned wanted = c->config.options;

	if ((wanted & EXPORT_IF_SAMPLED) && e->config.sampling.interval > 1)
		wanted |= EXPORT_SAMPLING;
	for (unsigned kind = 0; kind < OPTION_KINDS; kind++)
		if ((wanted & kind_switch[kind]) && c->option[kind].nfields > 0)
			c->options |= 1U << kind;
}

static void
make_templates(const struct exporter *e, struct collector *c)
{
	c->ntemplates =
	    template_all(c->template, c->dialect->bit, &e->config.fields);
	for (unsigned i = 0; i < c->ntemplates; i++)
		if (c->template[i].id != 0)
			c->template[i].id =
			    (uint16_t)(c->template[i].id + template_shift(e));
	for (unsigned kind = 0; kind < OPTION_KINDS; kind++)
		if (!template_option(&c->option[kind], kind, c->dialect->bit))
			c->option[kind].nfields = 0;
	choose_options(e, c);
	c->tells_events = e->config.nat_events;
	for (unsigned v6 = 0; v6 < EVENT_TEMPLATES; v6++)
		template_event(&c->event[v6], v6);
}

/* Messages or lines, of the kind of the collector.  0, or -1 with errno. */
static int
make_format(const struct exporter *e, struct collector *c)
{
	static const struct dialect none = { .name = "lines" };
	enum collector_kind kind = c->config.kind;

	c->dialect = &none;
	if (endpoint_is_file(kind) && kind != COLLECTOR_FILE) {
		c->lines = lines_new(kind, &e->config.fields);
		return c->lines == NULL ? -1 : 0;
	}
	c->dialect = dialect_for(c->config.version);
	if (c->dialect->has_sets)
		make_templates(e, c);
	else
		template_fixed(c->template, c->dialect->bit);
	return 0;
}

static struct collector *
collector_new(const struct exporter *e, const struct collector_config *config)
{
	struct collector *c;

	if (dialect_for(config->version) == NULL) {
		errno = EINVAL;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->config = *config;
	if (make_format(e, c) == -1) {
		collector_free(c);
		return NULL;
	}
	c->templates_due = c->dialect->has_sets;
	c->boot_ns = BOOT_UNKNOWN;
	c->pace = PACE_BURST;
	c->transport = transport_new(&c->config, e->config.wake);
	message_begin(&c->message, c->dialect, config->mtu);
	if (c->transport != NULL)
		return c;
	collector_free(c);
	return NULL;
}

/* Whether a collector takes part in sharing and failing over: no file does. */
static bool
is_shared(const struct exporter *e, size_t i)
{
	return !endpoint_is_file(e->collector[i]->config.kind);
}

size_t
exporter_memory(const struct collector_config *config)
{
	return sizeof(struct collector) + transport_memory(config) +
	       lines_memory(config->kind);
}

int
exporter_add_collector(
    struct exporter *e, const struct collector_config *config)
{
	struct collector **more = realloc(
	    e->collector, (e->ncollectors + 1) * sizeof(struct collector *));

	if (more == NULL)
		return -1;
	e->collector = more;
	more[e->ncollectors] = collector_new(e, config);
	if (more[e->ncollectors] == NULL)
		return -1;
	e->ncollectors++;
	if (!is_shared(e, e->chosen)) /* a failover begins with the first */
		e->chosen = e->ncollectors - 1;
	return 0;
}

bool
exporter_tells(const struct exporter *e)
{
	for (size_t i = 0; i < e->ncollectors; i++)
		if (e->collector[i]->options != 0)
			return true;
	return false;
}

size_t
exporter_collectors(const struct exporter *e)
{
	return e->ncollectors;
}

/* Messages -------------------------------------------------------------- */

static void
begin_message(struct collector *c)
{
	message_begin(&c->message, c->dialect, c->config.mtu);
}

/* The boot time from which times from from_ns to end_ns are best told. */
static uint64_t
boot_time_for(const struct collector *c, uint64_t from_ns, uint64_t end_ns)
{
	if (c->boot_ns != BOOT_UNKNOWN) {
		uint64_t back_ns =
		    end_ns > UPTIME_NEW_NS ? end_ns - UPTIME_NEW_NS : 0;

		if (back_ns < from_ns)
			from_ns = back_ns;
	}
	return from_ns / NS_PER_S * NS_PER_S;
}

/*
 * When the header of a message that leaves at at_ns says it does.  Relative
 * times have 32 bits: where a capture's clock leapt too far for them, a
 * message leaves with its newest flow, or with templates alone, anew.
 */
static uint64_t
header_time(struct collector *c, uint64_t at_ns)
{
	const struct message *m = &c->message;

	if (!m->dialect->relative_times) {
		/* RFC 7011 s8: Templates are ordered by Export Time. */
		if (at_ns > c->export_ns)
			c->export_ns = at_ns;
		return c->export_ns;
	}
	if (at_ns >= c->boot_ns && at_ns - c->boot_ns <= UPTIME_MAX_NS)
		return at_ns;
	if (m->flows != 0)
		return m->latest_ns;
	c->boot_ns = boot_time_for(c, at_ns, at_ns);
	return at_ns;
}

/* Only datagrams can come too fast. */
static bool
is_paced(const struct exporter *e, const struct collector *c)
{
	return e->config.rate != 0 && endpoint_is_lossy(c->config.kind);
}

/* Hand over lines that were gathered. */
static void
send_lines(struct collector *c)
{
	const struct cargo *cargo = lines_cargo(c->lines);
	size_t len;
	const char *text = lines_text(c->lines, &len);

	if (text == NULL)
		return;
	if (transport_send(c->transport, text, len, cargo) == 0) {
		c->messages++;
		c->octets += len;
		c->records += cargo->records;
	}
	lines_clear(c->lines);
}

/* What a message accounts for; an event is a record without packets. */
static struct cargo
message_cargo(const struct message *m)
{
	return (struct cargo){ m->flows + m->events, m->packets, m->octets };
}

/* Close the message and hand it over; at_ns is when it leaves. */
static void
send_message(struct exporter *e, struct collector *c, uint64_t at_ns)
{
	struct message *m = &c->message;
	struct cargo cargo = message_cargo(m);

	if (c->lines != NULL)
		send_lines(c);
	if (message_empty(m))
		return;
	transport_date(c->transport, at_ns);
	m->time_ns = header_time(c, at_ns);
	m->sequence = c->sequence;
	m->domain = c->config.domain;
	m->sampling = e->config.sampling;
	m->boot_ns = c->boot_ns;
	message_end(m);
	c->sequence += c->dialect->advance(m);
	c->stats.templates += m->templates;
	if (cargo.records != 0)
		c->messages_since_templates++;
	if (is_paced(e, c))
		c->pace -= 1;
	if (transport_send(c->transport, m->w.base, wb_len(&m->w), &cargo) ==
	    0) {
		c->messages++;
		c->octets += wb_len(&m->w);
		c->records += cargo.records;
	} else if (m->templates > 0 &&
		   transport_state(c->transport) == TRANSPORT_UP) {
		c->templates_due = true; /* it has not got them */
	}
	begin_message(c);
}

static void
put_template(struct exporter *e, struct collector *c, const struct template *t)
{
	if (message_template(&c->message, t) == 0)
		return;
	send_message(e, c, e->now_ns);
	message_template(&c->message, t);
}

static void
put_option(struct exporter *e, struct collector *c, enum option_kind kind,
    const struct option_record *o)
{
	if (message_option(&c->message, &c->option[kind], o) == 0)
		return;
	send_message(e, c, e->now_ns);
	message_option(&c->message, &c->option[kind], o);
}

/* All that this collector was to be sent and was not. */
static struct cargo
not_sent(const struct exporter *e, const struct collector *c)
{
	const struct cargo *lost = &transport_stats(c->transport)->lost;
	const struct cargo *unfit = &c->stats.unfit;
	const struct cargo *early = &e->counts.lost;

	return (struct cargo){ lost->records + unfit->records + early->records,
		lost->packets + unfit->packets + early->packets,
		lost->octets + unfit->octets + early->octets };
}

/* Note when records were lost since the last look. */
static void
note_not_sent(const struct exporter *e, struct collector *c)
{
	uint64_t records = not_sent(e, c).records;

	if (records != c->not_sent_seen)
		span_cover(&c->not_sent_span, e->now_ns, e->now_ns);
	c->not_sent_seen = records;
}

/* What options data of all kinds but the interfaces say now. */
static void
fill_option(const struct exporter *e, const struct collector *c,
    struct option_record *o)
{
	const struct cargo lost = not_sent(e, c);

	*o = (struct option_record){
		.domain = c->config.domain,
		.metering_process = e->config.process_id,
		.exporting_process = e->config.process_id,
		.init_ns = e->init_ns,
		.exported_messages = c->messages,
		.exported_octets = c->octets,
		.exported_records = c->records,
		.ignored_packets = e->counts.ignored_packets,
		.ignored_octets = e->counts.ignored_octets,
		.ignored_span = e->counts.ignored_span,
		.dropped_packets = e->counts.dropped_packets,
		.observed_packets = e->counts.observed_packets,
		.selected_packets = e->counts.selected_packets,
		.not_sent_records = lost.records,
		.not_sent_packets = lost.packets,
		.not_sent_octets = lost.octets,
		.not_sent_span = c->not_sent_span,
	};
	option_sampling(o, &e->config.sampling);
	transport_source(c->transport, o->exporter_v4, o->exporter_v6);
}

/* Append the options data behind these switches, EXPORT_ bits. */
static void
put_options(struct exporter *e, struct collector *c, unsigned switches)
{
	struct option_record o;

	note_not_sent(e, c);
	fill_option(e, c, &o);
	for (unsigned kind = 0; kind < OPTION_KINDS; kind++) {
		if (!(c->options & 1U << kind) ||
		    !(kind_switch[kind] & switches) ||
		    ((kind == OPTION_IGNORED || kind == OPTION_SELECTED) &&
			!e->counted))
			continue;
		if (kind != OPTION_INTERFACE)
			put_option(e, c, kind, &o);
		for (size_t i = 0;
		     kind == OPTION_INTERFACE && i < e->ninterfaces; i++)
			put_option(e, c, kind, &e->interface[i]);
	}
}

/* What is refreshed now and then is going to be sent. */
static void
note_refresh(const struct exporter *e, struct collector *c)
{
	if (c->templates_due)
		c->refreshes = 0;
	else if (c->refreshes < EARLY_DOUBLINGS)
		c->refreshes++;
	c->templates_due = false;
	c->templates_ns = e->now_ns;
	c->messages_since_templates = 0;
}

/* Append the templates of Flow Records. */
static void
put_flow_templates(struct exporter *e, struct collector *c)
{
	for (unsigned i = 0; i < c->ntemplates; i++)
		if (c->template[i].id != 0)
			put_template(e, c, &c->template[i]);
}

/*
 * Append all templates and then what options data there is, in as many
 * messages as that takes.
 */
static void
put_templates(struct exporter *e, struct collector *c)
{
	note_refresh(e, c);
	put_flow_templates(e, c);
	for (unsigned kind = 0; kind < OPTION_KINDS; kind++)
		if (c->options & 1U << kind)
			put_template(e, c, &c->option[kind]);
	for (unsigned v6 = 0; c->tells_events && v6 < EVENT_TEMPLATES; v6++)
		put_template(e, c, &c->event[v6]);
	put_options(e, c, EXPORT_ALL);
}

static uint32_t
lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * At first templates are sent again after 1 second or 8 messages, then after
 * 2 or 16 and so on, up to what was configured: UDP may lose some, and what
 * follows cannot be read without.
 */
static bool
refresh_is_due(const struct exporter *e, const struct collector *c)
{
	uint64_t age_ns = e->now_ns > c->templates_ns
			      ? e->now_ns - c->templates_ns
			      : c->templates_ns - e->now_ns;
	uint32_t seconds =
	    lesser(EARLY_SECONDS << c->refreshes, c->config.template_seconds);
	uint32_t messages =
	    lesser(EARLY_MESSAGES << c->refreshes, c->config.template_messages);

	/* They also find out whether one that refused is back. */
	if (transport_refused(c->transport))
		seconds = lesser(seconds, PROBE_SECONDS);
	return age_ns >= seconds * NS_PER_S ||
	       c->messages_since_templates >= messages;
}

/* RFC 7011 s8: where nothing is lost, once in a session is enough. */
static bool
templates_are_due(const struct exporter *e, const struct collector *c)
{
	return c->dialect->has_sets &&
	       (c->templates_due ||
		   (endpoint_is_lossy(c->config.kind) && refresh_is_due(e, c)));
}

/*
 * Let relative times of the record be told.  Returns false if the boot time
 * was moved for it and the message has to be opened (again).
 */
static bool
fit_boot_time(
    struct exporter *e, struct collector *c, const struct flow_record *r)
{
	uint64_t boot_ns;

	c->message.boot_ns = c->boot_ns;
	if (!c->dialect->relative_times ||
	    (message_spans(&c->message, r) &&
		r->fwd.end_ns - c->boot_ns <= UPTIME_MAX_NS))
		return true;
	boot_ns = boot_time_for(c, r->fwd.start_ns, r->fwd.end_ns);
	if (boot_ns == c->boot_ns)
		return true;
	if (c->message.flows != 0)
		send_message(e, c, e->now_ns);
	c->message.boot_ns = c->boot_ns = boot_ns;
	return !message_empty(&c->message);
}

/*
 * Complete a file that is full, or any if `now`, with statistics of all that
 * is in it.  The next one knows nothing of it.
 */
static void
turn_file(struct exporter *e, struct collector *c, bool now)
{
	size_t reserve =
	    2 * (size_t)c->config.mtu; /* the next message, statistics */

	if (!now && !transport_complete(c->transport, e->now_ns, reserve))
		return;
	send_message(e, c, e->now_ns);
	if (!c->templates_due)
		put_options(e, c, EXPORT_STATISTICS);
	send_message(e, c, e->now_ns);
	if (!transport_turn(c->transport))
		return;
	c->sequence = 0;
	c->templates_due = c->dialect->has_sets;
}

/*
 * The next record starts a message: what must stand before it?  Nothing, if
 * templates for it have just been sent.
 */
static void
open_message(struct exporter *e, struct collector *c, bool just_sent)
{
	c->pending_ns = e->now_ns;
	if (just_sent)
		return;
	turn_file(e, c, false);
	/* One that refused may be back at any moment, and know nothing. */
	if (templates_are_due(e, c) ||
	    (c->dialect->has_sets && transport_refused(c->transport)))
		put_templates(e, c);
}

static void
count_unfit(struct collector *c, const struct flow_record *r)
{
	c->stats.unfit.records++;
	c->stats.unfit.packets += r->fwd.packets;
	c->stats.unfit.octets += r->fwd.octets;
	if (c->told_unfit)
		return;
	c->told_unfit = true;
	log_warn("collector %s: %s cannot tell IPv6 flows; they are "
		 "left out and counted (use -v 9 or -v 10)",
	    transport_name(c->transport), c->dialect->name);
}

/* Add a record to one collector's message. */
static void
add_record(struct exporter *e, struct collector *c, const struct flow_record *r)
{
	const struct template *t = c->template;
	bool opened = false;

	if (!c->dialect->has_sets && r->ip_version != 4) {
		count_unfit(c, r);
		return;
	}
	if (c->dialect->has_sets)
		t += template_flavour(r);
	/* At worst: a full message, templates that fill the next, its boot. */
	for (int tries = 0; tries < 4; tries++) {
		if (message_empty(&c->message)) {
			open_message(e, c, opened);
			opened = true;
		}
		if (!fit_boot_time(e, c, r))
			continue;
		if (message_record(&c->message, t, r) == 0)
			return;
		send_message(e, c, e->now_ns);
	}
}

/* The next of the collectors that share, after i; i if there is no other. */
static size_t
next_shared(const struct exporter *e, size_t i)
{
	for (size_t n = 1; n < e->ncollectors; n++)
		if (is_shared(e, (i + n) % e->ncollectors))
			return (i + n) % e->ncollectors;
	return i;
}

/* The collector that shall have a conversation. */
static size_t
choose_shared(const struct exporter *e, const struct flow_record *r)
{
	size_t n = 0, i = e->ncollectors - 1;

	for (size_t k = 0; k < e->ncollectors; k++)
		n += is_shared(e, k);
	if (n == 0)
		return 0;
	for (size_t k = share_index(r, n) + 1; k > 0; k--)
		i = next_shared(e, i);
	return i;
}

/* Whether what is exported now is for this collector. */
static bool
is_for(const struct exporter *e, size_t i)
{
	return e->config.mode == EXPORT_REPLICATE || i == e->chosen ||
	       !is_shared(e, i);
}

static void
add_cargo(struct cargo *sum, const struct cargo *c)
{
	sum->records += c->records;
	sum->packets += c->packets;
	sum->octets += c->octets;
}

/* What a record accounts for. */
static void
add_record_cargo(struct cargo *sum, const struct flow_record *r)
{
	sum->records++;
	sum->packets += r->fwd.packets + (r->biflow ? r->rev.packets : 0);
	sum->octets += r->fwd.octets + (r->biflow ? r->rev.octets : 0);
}

/* Add a conversation, which accounts for this, to one collector's lines. */
static void
add_lines(struct exporter *e, struct collector *c, const struct flow_record *r,
    const struct cargo *cargo)
{
	if (lines_cargo(c->lines)->records == 0) {
		c->pending_ns = e->now_ns;
		if (transport_fresh(c->transport))
			lines_begin(c->lines);
	}
	lines_add(c->lines, r, cargo);
	if (lines_full(c->lines))
		send_lines(c);
}

static bool
is_empty(const struct collector *c)
{
	return c->lines != NULL ? lines_cargo(c->lines)->records == 0
				: message_empty(&c->message);
}

/* Send the messages whose first record has waited long enough. */
static void
send_lingering(struct exporter *e)
{
	for (size_t i = 0; i < e->ncollectors; i++) {
		struct collector *c = e->collector[i];

		if (!is_empty(c) && e->now_ns - c->pending_ns >= LINGER_NS)
			send_message(e, c, c->pending_ns + LINGER_NS);
	}
}

void
exporter_add(struct exporter *e, const struct flow_record *r)
{
	struct export_record split[2];
	unsigned n = record_split(r, &e->config.fields, split);
	struct cargo cargo = { 0, 0, 0 };

	if (e->config.replay) {
		if (r->ended_ns > e->now_ns)
			e->now_ns = r->ended_ns;
		send_lingering(e);
	}
	if (e->init_ns == 0)
		e->init_ns = split[0].flow.fwd.start_ns;
	if (e->config.mode == EXPORT_BALANCE)
		e->chosen = choose_shared(e, r);
	for (unsigned j = 0; j < n; j++)
		add_record_cargo(&cargo, &split[j].flow);
	add_cargo(&e->exported, &cargo);
	for (size_t i = 0; i < e->ncollectors; i++) {
		struct collector *c = e->collector[i];

		if (!is_for(e, i))
			add_cargo(&c->stats.elsewhere, &cargo);
		else if (c->lines != NULL)
			add_lines(e, c, r, &cargo);
		else
			for (unsigned j = 0; j < n; j++)
				add_record(e, c, &split[j].flow);
	}
}

/* Add an event to one collector's message. */
static void
add_event(struct exporter *e, struct collector *c, const struct nat_event *ev)
{
	const struct template *t =
	    &c->event[ev->connection.flow.ip_version == 6];
	bool opened = false;

	/* At worst: a full message, and templates that fill the next. */
	for (int tries = 0; tries < 3; tries++) {
		if (message_empty(&c->message)) {
			open_message(e, c, opened);
			opened = true;
		}
		if (message_event(&c->message, t, ev) == 0) {
			c->stats.events++;
			return;
		}
		send_message(e, c, e->now_ns);
	}
}

void
exporter_event(struct exporter *e, const struct nat_event *ev)
{
	if (e->config.mode == EXPORT_BALANCE)
		e->chosen = choose_shared(e, &ev->connection.flow);
	for (size_t i = 0; i < e->ncollectors; i++)
		if (e->collector[i]->tells_events && is_for(e, i))
			add_event(e, e->collector[i], ev);
}

void
exporter_clock(struct exporter *e, uint64_t now_ns)
{
	/* A message that began before the clock was set back leaves soon. */
	for (size_t i = 0; i < e->ncollectors; i++)
		if (e->collector[i]->pending_ns > now_ns)
			e->collector[i]->pending_ns = now_ns;
	e->now_ns = now_ns;
	if (e->init_ns == 0)
		e->init_ns = now_ns;
}

void
exporter_metering(struct exporter *e, const struct metering_counts *counts)
{
	e->counts = *counts;
	e->counted = true;
}

int
exporter_interfaces(
    struct exporter *e, const struct exporter_interface *table, size_t n)
{
	struct option_record *copy = calloc(n + 1, sizeof(*copy));

	if (copy == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		option_interface(&copy[i], table[i].ifindex, table[i].name,
		    table[i].description);
	free(e->interface);
	e->interface = copy;
	e->ninterfaces = n;
	e->config.fields.interface = copy;
	e->config.fields.ninterfaces = n;
	return 0;
}

/* Send statistics for the last time; what flows wait are counted before. */
static void
send_last_statistics(struct exporter *e, struct collector *c)
{
	send_message(e, c, e->now_ns);
	if (!(c->config.options & EXPORT_STATISTICS) || !c->options)
		return;
	if (c->templates_due)
		put_templates(e, c);
	else
		put_options(e, c, EXPORT_STATISTICS);
	send_message(e, c, e->now_ns);
}

void
exporter_finish(struct exporter *e)
{
	if (e->config.replay && e->counts.time_ns > e->now_ns)
		e->now_ns = e->counts.time_ns;
	if (e->now_ns == 0) /* no packet was metered */
		e->now_ns = e->counts.ignored_span.last_ns;
	if (e->init_ns == 0)
		e->init_ns = e->now_ns;
	for (size_t i = 0; i < e->ncollectors && e->now_ns != 0; i++)
		send_last_statistics(e, e->collector[i]);
	exporter_flush(e);
}

void
exporter_send_templates(struct exporter *e)
{
	for (size_t i = 0; i < e->ncollectors; i++) {
		struct collector *c = e->collector[i];

		if (!c->dialect->has_sets ||
		    c->config.kind == COLLECTOR_FILE) /* it has them */
			continue;
		send_message(e, c, e->now_ns);
		put_templates(e, c);
		send_message(e, c, e->now_ns);
	}
}

/* A session begins with templates: what was gathered before is lost. */
static void
drop_message(struct collector *c)
{
	struct message *m = &c->message;
	struct cargo cargo = message_cargo(m);

	if (!message_empty(m))
		transport_drop(c->transport, wb_len(&m->w), &cargo);
	begin_message(c);
}

/*
 * The next message to a collector that came up, or back, is a new start, and
 * in a new session (RFC 7011 s10.4.3) the first of its sequence.
 */
static void
tick_collector(struct exporter *e, struct collector *c, uint64_t mono_ns)
{
	note_not_sent(e, c);
	switch (transport_tick(c->transport, mono_ns)) {
	case TRANSPORT_NO_NEWS:
		break;
	case TRANSPORT_BACK:
		send_message(e, c, e->now_ns);
		c->templates_due = c->dialect->has_sets;
		break;
	case TRANSPORT_SESSION:
		drop_message(c);
		c->sequence = 0;
		c->templates_due = c->dialect->has_sets;
		break;
	}
	if (e->config.replay || transport_state(c->transport) != TRANSPORT_UP)
		return;
	turn_file(e, c, false);
	if (message_empty(&c->message) && templates_are_due(e, c)) {
		put_templates(e, c);
		send_message(e, c, e->now_ns);
	} else if (c->options != 0 && refresh_is_due(e, c)) {
		note_refresh(e, c); /* a session's templates hold */
		put_options(e, c, EXPORT_STATISTICS);
		send_message(e, c, e->now_ns);
	}
}

static bool
is_up(const struct collector *c)
{
	return transport_state(c->transport) == TRANSPORT_UP &&
	       !transport_refused(c->transport);
}

/*
 * The first collector that is up; while the chosen one works, an earlier one
 * must have been up for a while.  If none is, they take turns, since one that
 * refused is only known to be back when it is sent something.
 */
static size_t
first_up(const struct exporter *e, uint64_t mono_ns)
{
	bool works = is_up(e->collector[e->chosen]);

	for (size_t i = 0; i < e->ncollectors; i++) {
		const struct collector *c = e->collector[i];

		if (is_shared(e, i) && is_up(c) &&
		    (!works || i == e->chosen ||
			mono_ns - c->down_ns >= FAILBACK_NS))
			return i;
	}
	if (mono_ns - e->chosen_ns < TURN_NS)
		return e->chosen;
	return next_shared(e, e->chosen);
}

/* Choose another collector if need be. */
static void
fail_over(struct exporter *e, uint64_t mono_ns)
{
	struct collector *now = e->collector[e->chosen], *next;

	for (size_t i = 0; i < e->ncollectors; i++)
		if (!is_up(e->collector[i]))
			e->collector[i]->down_ns = mono_ns;
	e->chosen = first_up(e, mono_ns);
	next = e->collector[e->chosen];
	if (next == now)
		return;
	e->chosen_ns = mono_ns;
	next->templates_due = next->dialect->has_sets;
	if (!is_up(next))
		return;
	log_note("collector %s: gets the records now, not %s",
	    transport_name(next->transport), transport_name(now->transport));
}

/* End one that was removed: what still waits is lost. */
static void
end_leaving(struct collector *c)
{
	const struct transport_stats *stats = transport_stats(c->transport);

	transport_end(c->transport);
	log_note("collector %s: removed; %" PRIu64
		 " records were sent, %" PRIu64 " were not",
	    transport_name(c->transport), stats->sent.records,
	    stats->lost.records);
	collector_free(c);
}

/* Send what waits for those that were removed, until their time is up. */
static void
tick_leaving(struct exporter *e, uint64_t mono_ns)
{
	size_t n = 0;

	for (size_t i = 0; i < e->nleaving; i++) {
		struct collector *c = e->leaving[i];

		if (c->leave_ns == 0)
			c->leave_ns = mono_ns + LEAVE_NS;
		(void)transport_tick(c->transport, mono_ns);
		if (transport_pending(c->transport) && mono_ns < c->leave_ns)
			e->leaving[n++] = c;
		else
			end_leaving(c);
	}
	e->nleaving = n;
}

void
exporter_tick(struct exporter *e, uint64_t mono_ns)
{
	if (!e->config.replay)
		send_lingering(e);
	for (size_t i = 0; i < e->ncollectors; i++)
		tick_collector(e, e->collector[i], mono_ns);
	if (e->config.mode == EXPORT_FAILOVER)
		fail_over(e, mono_ns);
	tick_leaving(e, mono_ns);
}

void
exporter_reopen(struct exporter *e)
{
	for (size_t i = 0; i < e->ncollectors; i++) {
		struct collector *c = e->collector[i];

		if (c->lines != NULL || endpoint_is_dated(&c->config))
			turn_file(e, c, true);
	}
}

void
exporter_flush(struct exporter *e)
{
	for (size_t i = 0; i < e->ncollectors; i++) {
		send_message(e, e->collector[i], e->now_ns);
		transport_flush(e->collector[i]->transport);
	}
}

/* Pace and queues ------------------------------------------------------- */

/* Let messages leave at the pace; what was not used is saved for two waits. */
static void
refill_pace(struct exporter *e, uint64_t mono_ns)
{
	double more =
	    (double)(mono_ns - e->pace_ns) / (double)NS_PER_S * e->config.rate;
	double most = 2.0 * EXPORTER_WAIT_MS / MS_PER_S * e->config.rate;

	if (most < PACE_BURST)
		most = PACE_BURST;
	e->pace_ns = mono_ns;
	for (size_t i = 0; i < e->ncollectors; i++) {
		struct collector *c = e->collector[i];

		c->pace += more;
		if (c->pace > most)
			c->pace = most;
	}
}

bool
exporter_ready(struct exporter *e, uint64_t mono_ns)
{
	if (e->config.rate != 0 && mono_ns > e->pace_ns)
		refill_pace(e, mono_ns);
	for (size_t i = 0; i < e->ncollectors; i++) {
		struct collector *c = e->collector[i];

		if (e->config.mode == EXPORT_FAILOVER && i != e->chosen)
			continue;
		/* Live, a session that stalls holds up nobody else. */
		if (!e->config.replay && !endpoint_is_lossy(c->config.kind))
			continue;
		if (!transport_ready(c->transport) ||
		    (is_paced(e, c) && c->pace < 1))
			return false;
	}
	return true;
}

bool
exporter_settled(const struct exporter *e)
{
	for (size_t i = 0; i < e->ncollectors; i++)
		if (!transport_settled(e->collector[i]->transport))
			return false;
	return true;
}

bool
exporter_lets_go(const struct exporter *e)
{
	return e->nleaving > 0;
}

bool
exporter_pending(const struct exporter *e)
{
	for (size_t i = 0; i < e->ncollectors; i++)
		if (transport_pending(e->collector[i]->transport))
			return true;
	return e->nleaving > 0;
}

void
exporter_end(struct exporter *e)
{
	for (size_t i = 0; i < e->ncollectors; i++)
		transport_end(e->collector[i]->transport);
	while (e->nleaving > 0)
		end_leaving(e->leaving[--e->nleaving]);
}

/* Changes ---------------------------------------------------------------- */

/* What all collectors are to be told of. */
enum { CHANGED_FIELDS = 1, CHANGED_SAMPLING = 2 };

static bool
is_among(struct collector *const *list, size_t n, const struct collector *c)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == c)
			return true;
	return false;
}

/* One that is as this one and not among the n first of `next`; else NULL. */
static struct collector *
find_same(const struct exporter *e, struct collector *const *next, size_t n,
    const struct collector_config *config)
{
	for (size_t i = 0; i < e->ncollectors; i++)
		if (endpoint_equal(&e->collector[i]->config, config) &&
		    !is_among(next, n, e->collector[i]))
			return e->collector[i];
	return NULL;
}

/* Fill `next` with those kept and those made: how many.  Too few: errno. */
static size_t
fill_next(const struct exporter *e, struct collector **next,
    const struct collector_config *config, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		next[i] = find_same(e, next, i, &config[i]);
		if (next[i] != NULL)
			continue;
		next[i] = collector_new(e, &config[i]);
		if (next[i] == NULL)
			return i;
		next[i]->stats.elsewhere = e->exported;
	}
	return n;
}

/* Tell how packets are sampled now, by new templates if it was not told. */
static void
put_new_options(struct exporter *e, struct collector *c)
{
	unsigned before = c->options;

	choose_options(e, c);
	for (unsigned kind = 0; kind < OPTION_KINDS; kind++)
		if (c->options & ~before & 1U << kind)
			put_template(e, c, &c->option[kind]);
	put_options(e, c, EXPORT_SAMPLING);
}

/* A kept collector is told of what is another now: CHANGED_ bits. */
static void
keep_collector(struct exporter *e, struct collector *c,
    const struct collector_config *config, unsigned changed)
{
	c->config = *config; /* equal, but of another text */
	if (c->lines != NULL && (changed & CHANGED_FIELDS))
		lines_begin(c->lines);
	if (!c->dialect->has_sets)
		return;
	if (changed & CHANGED_FIELDS)
		make_templates(e, c);
	if ((changed & CHANGED_FIELDS) && endpoint_is_lossy(c->config.kind))
		c->templates_due = true; /* again and again at first */
	if (c->templates_due)
		return;
	/* RFC 7011 s8: once in a session, so none but those that are new. */
	if (changed & CHANGED_FIELDS)
		put_flow_templates(e, c);
	if (changed & CHANGED_SAMPLING)
		put_new_options(e, c);
	send_message(e, c, e->now_ns);
}

/* Let go one that is in the list no more. */
static void
remove_collector(struct exporter *e, struct collector *c)
{
	send_last_statistics(e, c);
	transport_flush(c->transport);
	e->leaving[e->nleaving++] = c;
}

/* Put the n collectors of `next` in place of those there are. */
static void
replace_collectors(struct exporter *e, struct collector **next, size_t n)
{
	const struct collector *chosen = e->collector[e->chosen];

	for (size_t i = 0; i < e->ncollectors; i++)
		if (!is_among(next, n, e->collector[i]))
			remove_collector(e, e->collector[i]);
	free(e->collector);
	e->collector = next;
	e->ncollectors = n;
	e->chosen = 0;
	while (e->chosen + 1 < n && !is_shared(e, e->chosen))
		e->chosen++; /* a failover begins with the first */
	for (size_t i = 0; i < n; i++)
		if (next[i] == chosen)
			e->chosen = i;
}

/* Take the settings that can change.  Returns CHANGED_ bits. */
static unsigned
take_config(struct exporter *e, const struct exporter_config *config)
{
	struct field_choice *fields = &e->config.fields;
	const struct field_choice was = *fields;
	unsigned changed = 0;

	if (memcmp(&e->config.sampling, &config->sampling,
		sizeof(config->sampling)) != 0)
		changed |= CHANGED_SAMPLING;
	*fields = config->fields;
	fields->interface = was.interface;
	fields->ninterfaces = was.ninterfaces;
	e->config.mode = config->mode;
	e->config.sampling = config->sampling;
	e->config.rate = config->rate;
	if (was.biflow != fields->biflow ||
	    was.direction != fields->direction || was.unit != fields->unit ||
	    memcmp(was.on, fields->on, sizeof(was.on)) != 0 ||
	    memcmp(was.off, fields->off, sizeof(was.off)) != 0)
		changed |= CHANGED_FIELDS;
	return changed;
}

int
exporter_change(struct exporter *e, const struct exporter_config *config,
    const struct collector_config *collector, size_t n)
{
	const struct exporter_config was = e->config;
	struct collector **next = calloc(n, sizeof(struct collector *));
	struct collector **leaving = realloc(e->leaving,
	    (e->nleaving + e->ncollectors) * sizeof(struct collector *));
	unsigned changed;
	size_t made = 0;

	if (leaving != NULL)
		e->leaving = leaving;
	exporter_flush(e); /* what was added is told as it was then */
	changed = take_config(e, config);
	e->field_changes += (changed & CHANGED_FIELDS) != 0;
	if (next != NULL && leaving != NULL)
		made = fill_next(e, next, collector, n);
	if (made < n) {
		while (made > 0)
			if (!is_among(
				e->collector, e->ncollectors, next[--made]))
				collector_free(next[made]);
		free(next);
		e->config = was;
		e->field_changes -= (changed & CHANGED_FIELDS) != 0;
		errno = ENOMEM;
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (is_among(e->collector, e->ncollectors, next[i]))
			keep_collector(e, next[i], &collector[i], changed);
	replace_collectors(e, next, n);
	return 0;
}

struct transport *
exporter_transport(const struct exporter *e, size_t i)
{
	return e->collector[i]->transport;
}

void
exporter_stats(
    const struct exporter *e, size_t i, struct collector_stats *stats)
{
	const struct collector *c = e->collector[i];
	struct cargo waiting;

	*stats = c->stats;
	stats->transport = *transport_stats(c->transport);
	stats->waiting = stats->transport.queued;
	waiting = message_cargo(&c->message);
	add_cargo(&stats->waiting, &waiting);
	if (c->lines != NULL)
		add_cargo(&stats->waiting, lines_cargo(c->lines));
}

const char *
exporter_format(const struct exporter *e, size_t i)
{
	const struct collector *c = e->collector[i];

	return c->lines != NULL ? endpoint_scheme(c->config.kind)
				: c->dialect->name;
}
