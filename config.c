/* SPDX-License-Identifier: ISC */
/*
 * config.c - the command line, and a file if it names one, to struct config.
 *
 * One table of options drives getopt_long(3), the names in a file, the usage
 * text and the call of the small function that takes each option's value.
 * Opens nothing, creates nothing, resolves nothing: what is refused leaves no
 * trace but its one line of explanation.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conffile.h"
#include "config.h"
#include "endpoint.h"
#include "fields.h"
#include "httpd.h"
#include "ie.h"
#include "message.h"
#include "nat.h"
#include "netlink.h"
#include "privdrop.h"
#include "values.h"

#define STRING(x) #x
#define STR(x) STRING(x)

/* Defaults that the usage text names too. */
#define MAX_FLOWS_DEFAULT 8192
#define SNAPLEN_DEFAULT 128
#define BUFFER_DEFAULT_MIB 2
#define NAT_MAX_DEFAULT 65536
/* A receiver with a default socket buffer on the same machine keeps up. */
#define RATE_DEFAULT 2000
#define IDLE_DEFAULT_S 60
#define CLOSED_DEFAULT_S 10
#define MAXLIFE_DEFAULT_S 300
#define EXPINT_DEFAULT_S 1

#define PIDFILE_DEFAULT RUNSTATEDIR "/softprobe/softprobe.pid"
#define CONTROL_DEFAULT RUNSTATEDIR "/softprobe/softprobe.ctl"

#define MIB 1048576
#define BUFFER_MIN 4096
#define BUFFER_MAX (UINT64_C(1024) * MIB)
#define SNAPLEN_MIN 64
#define SNAPLEN_MAX 262144
#define INTERFACE_NAME_MAX 63 /* octets */

static const struct capture_config capture_defaults = {
	.filter = NULL,
	.buffer_octets = BUFFER_DEFAULT_MIB * MIB,
	.snaplen = SNAPLEN_DEFAULT,
	.promiscuous = true,
};

static const struct flowtrack_config track_defaults = {
	.max_flows = MAX_FLOWS_DEFAULT,
	.key = KEY_FULL,
	.octets_max = UINT64_MAX,
	.timeout_ms = {
		[TIMEOUT_GENERAL] = IDLE_DEFAULT_S * 1000,
		[TIMEOUT_TCP] = IDLE_DEFAULT_S * 1000,
		[TIMEOUT_TCP_FIN] = CLOSED_DEFAULT_S * 1000,
		[TIMEOUT_TCP_RST] = CLOSED_DEFAULT_S * 1000,
		[TIMEOUT_UDP] = IDLE_DEFAULT_S * 1000,
		[TIMEOUT_ICMP] = IDLE_DEFAULT_S * 1000,
		[TIMEOUT_MAXLIFE] = MAXLIFE_DEFAULT_S * 1000,
		[TIMEOUT_EXPINT] = EXPINT_DEFAULT_S * 1000,
	},
};

static const struct exporter_config exporter_defaults = {
	.rate = RATE_DEFAULT,
	.sampling = { SAMPLING_SYSTEMATIC, 1 },
};

struct option_row;

/* An option as it was given. */
struct given {
	const struct option_row *row;
	bool long_form;    /* spelled --name, not -x */
	const char *value; /* NULL = none */
	size_t line;       /* of the file; 0 = the command line */
};

/* What a file said that the command line replaces, not adds to. */
enum {
	STALE_SOURCES = 1,
	STALE_FILTER = 2,
	STALE_COLLECTORS = 4,
	STALE_MODE = 8,
	STALE_ALL = 15
};

/* A command line and its file being read. */
struct parse {
	struct config *cfg;
	char *errbuf;
	struct given at; /* the option at hand */
	size_t *given;   /* for each row the line that had it last; or 0 */
	unsigned stale;  /* STALE_ bits */
	bool pidfile_given, control_given;
	struct given collector[CONFIG_COLLECTORS_MAX]; /* each -n */
	size_t ncollectors;
};

/* Whether an option, of this row, is another one in two configurations. */
typedef bool differs_fn(
    const struct option_row *, const struct config *, const struct config *);

/* Takes an option's value; CONFIG_RUN = go on. */
typedef enum config_result set_fn(struct parse *, const char *value);

enum group {
	GROUP_SOURCES,
	GROUP_FLOWS,
	GROUP_EXPORT,
	GROUP_OUTPUT,
	GROUP_RUNNING,
	GROUP_INFORMATION,
	GROUP_ALWAYS,
	GROUP_LATER,
	GROUPS
};

static const char *const group_title[GROUPS] = {
	[GROUP_SOURCES] = "Where packets come from",
	[GROUP_FLOWS] = "What a flow is and when it ends",
	[GROUP_EXPORT] = "Where Flow Records go",
	[GROUP_OUTPUT] = "What is printed",
	[GROUP_RUNNING] = "How the program runs",
	[GROUP_INFORMATION] = "What the program can tell",
	[GROUP_ALWAYS] = "Always so; accepted for scripts that say it",
	[GROUP_LATER] = "Not supported yet; refused",
};

struct option_row {
	enum group group;
	char letter;          /* 0 = long only */
	const char *name;     /* without the dashes */
	const char *argument; /* as shown; NULL = takes none */
	const char *help;     /* at most HELP_WIDTH octets */
	set_fn *set;
	size_t at, size;   /* in struct config, where it is one value there */
	uint64_t min, max; /* of a number */
	bool not_in_file;
	differs_fn *differs; /* NULL: by what is at `at`, if anything is */
	bool restart;        /* what it changes by, not while running */
};

static set_fn set_buffer, set_collector, set_config, set_control, set_elements,
    set_endpoint, set_fields, set_metrics, set_filter, set_flag, set_flow_key,
    set_help, set_interface, set_labels, set_later, set_no_promiscuous,
    set_mode, set_nothing, set_number, set_sampling, set_pidfile, set_rate,
    set_read, set_router, set_switch, set_time_unit, set_timeout, set_transport,
    set_user, set_version;

static differs_fn differs_collectors, differs_fields, differs_filter,
    differs_foreground, differs_mode, differs_pidfile, differs_router,
    differs_sources, differs_switch, differs_text, differs_timeouts;

#define AT(field)                                                              \
	.at = offsetof(struct config, field),                                  \
	.size = sizeof(((struct config *)0)->field)

/* clang-format off */
static const struct option_row rows[] = {
	{ GROUP_SOURCES, 'i', "interface", "[IFINDEX:]NAME",
	    "capture from it; repeatable", .set = set_interface,
	    .max = UINT32_MAX, .differs = differs_sources, .restart = true },
	{ GROUP_SOURCES, 'r', "read", "FILE",
	    "read a capture file, - = stdin; repeatable", .set = set_read,
	    .differs = differs_sources, .restart = true },
	{ GROUP_SOURCES, 0, "filter", "EXPRESSION",
	    "BPF; also the rest of the command line", .set = set_filter,
	    .differs = differs_filter },
	{ GROUP_SOURCES, 'N', "no-promiscuous", NULL,
	    "leave the interface's mode alone", .set = set_no_promiscuous,
	    AT(capture.promiscuous), .restart = true },
	{ GROUP_SOURCES, 'B', "buffer", "OCTETS[k|M]",
	    "kernel buffer of an interface (" STR(BUFFER_DEFAULT_MIB) "M)",
	    .set = set_buffer, .min = BUFFER_MIN, .max = BUFFER_MAX,
	    AT(capture.buffer_octets), .restart = true },
	{ GROUP_SOURCES, 'C', "snaplen", "OCTETS",
	    "captured of each frame (" STR(SNAPLEN_DEFAULT) ")",
	    .set = set_number,
	    AT(capture.snaplen), .min = SNAPLEN_MIN, .max = SNAPLEN_MAX,
	    .restart = true },
	{ GROUP_SOURCES, 0, "wait", NULL,
	    "wait for interfaces that are missing", .set = set_flag, AT(wait),
	    .restart = true },
	{ GROUP_SOURCES, 0, "router", NULL,
	    "count once what several interfaces see",
	    .set = set_router, .max = ROUTER_ON, .differs = differs_router,
	    .restart = true },
	{ GROUP_SOURCES, 0, "no-router", NULL,
	    "count what each interface sees",
	    .set = set_router, .max = ROUTER_OFF, .differs = differs_router,
	    .restart = true },
	{ GROUP_SOURCES, 0, "exclude-self", NULL,
	    "leave own sessions out (default)",
	    .set = set_switch, AT(keep_own), .max = false,
	    .differs = differs_switch, .restart = true },
	{ GROUP_SOURCES, 0, "no-exclude-self", NULL,
	    "meter own sessions to collectors, too",
	    .set = set_switch, AT(keep_own), .max = true,
	    .differs = differs_switch, .restart = true },
	{ GROUP_SOURCES, 0, "no-routes", NULL,
	    "do not ask the kernel for the other interface",
	    .set = set_flag, AT(no_routes), .restart = true },

	{ GROUP_FLOWS, 'T', "flow-key", "LEVEL",
	    "ip, proto, full, tos, vlan or ether (full)", .set = set_flow_key,
	    AT(track.key), .restart = true },
	{ GROUP_FLOWS, 't', "timeout", "NAME=TIME",
	    "see below; repeatable", .set = set_timeout,
	    .differs = differs_timeouts },
	{ GROUP_FLOWS, 'm', "max-flows", "N",
	    "flows kept at once (" STR(MAX_FLOWS_DEFAULT) ")",
	    .set = set_number,
	    AT(track.max_flows), .min = 1, .max = FLOWTRACK_MAX_FLOWS,
	    .restart = true },
	{ GROUP_FLOWS, 0, "workers", "N",
	    "metering threads, 1 to " STR(METERS_MAX) " (1)", .set = set_number,
	    AT(workers), .min = 1, .max = METERS_MAX, .restart = true },
	{ GROUP_FLOWS, 's', "sampling", "[MODE:]N",
	    "one packet in N; systematic, random, hash", .set = set_sampling,
	    .min = 1, .max = UINT32_MAX, AT(exporter.sampling) },
	{ GROUP_FLOWS, 0, "nat", NULL,
	    "one flow of both sides of what NAT translates", .set = set_flag,
	    AT(nat), .restart = true },
	{ GROUP_FLOWS, 0, "nat-max", "N",
	    "translated connections kept (" STR(NAT_MAX_DEFAULT) ")",
	    .set = set_number, AT(nat_max), .min = 1,
	    .max = NAT_CONNECTIONS_MAX, .restart = true },

	{ GROUP_EXPORT, 'n', "collector", "HOST:PORT[,...]",
	    "[IPV6]:PORT, URL, file: json: csv: text:PATH",
	    .set = set_collector, .differs = differs_collectors },
	{ GROUP_EXPORT, 'v', "export-version", "VERSION",
	    "1, 5, 9, 10 or ipfix (" STR(VERSION_DEFAULT) ")",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 'P', "transport", "PROTOCOL",
	    "of HOST:PORT: udp, tcp, sctp, tls, dtls (udp)",
	    .set = set_transport },
	{ GROUP_EXPORT, 'e', "source-address", "ADDRESS",
	    "send from this address", .set = set_endpoint },
	{ GROUP_EXPORT, 'S', "bind-device", "NAME",
	    "send through this interface", .set = set_endpoint },
	{ GROUP_EXPORT, 0, "dscp", "N",
	    "DiffServ code point, 0 to 63 (0)", .set = set_endpoint },
	{ GROUP_EXPORT, 'L', "hop-limit", "N",
	    "of datagrams, 1 to 255; 0 = the system's (0)",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 0, "mtu", "OCTETS",
	    "payload of a datagram, at most (" STR(MTU_DEFAULT) ")",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 0, "export-rate", "N",
	    "datagrams a second; 0 = no cap (" STR(RATE_DEFAULT) ")",
	    .set = set_rate, .max = UINT32_MAX, AT(exporter.rate) },
	{ GROUP_EXPORT, 'l', "balance", NULL,
	    "each conversation to one of the collectors",
	    .set = set_mode, .max = EXPORT_BALANCE, .differs = differs_mode },
	{ GROUP_EXPORT, 0, "failover", NULL,
	    "to the first collector that is up",
	    .set = set_mode, .max = EXPORT_FAILOVER, .differs = differs_mode },
	{ GROUP_EXPORT, 0, "template-refresh", "[SECONDS][,MESSAGES]",
	    "send templates again ("
	    STR(TEMPLATE_SECONDS_DEFAULT) "," STR(TEMPLATE_MESSAGES_DEFAULT)
	    ")", .set = set_endpoint },
	{ GROUP_EXPORT, 0, "queue", "OCTETS[k|M]",
	    "wait for a collector, at most (" STR(QUEUE_DEFAULT_MIB) "M)",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 0, "lookup", "TIME",
	    "look names up again (" STR(LOOKUP_DEFAULT_S) ")",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 0, "reconnect", "TIME",
	    "between two sessions, at least (" STR(RECONNECT_DEFAULT_S) ")",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 0, "tls-ca", "FILE",
	    "CA certificates to trust; else the system's",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 0, "tls-cert", "FILE",
	    "certificate to show, with its chain", .set = set_endpoint },
	{ GROUP_EXPORT, 0, "tls-key", "FILE",
	    "its private key", .set = set_endpoint },
	{ GROUP_EXPORT, 0, "tls-name", "NAME",
	    "in the collector's certificate; else HOST",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 0, "options", "LIST",
	    "sampling,interfaces,statistics,exporter; none",
	    .set = set_endpoint },
	{ GROUP_EXPORT, 0, "domain", "N",
	    "Observation Domain ID (0)", .set = set_endpoint },
	{ GROUP_EXPORT, 0, "nat-events", NULL,
	    "tell when NAT begins, ends a translation",
	    .set = set_flag, AT(exporter.nat_events), .restart = true },
	{ GROUP_EXPORT, 'b', "biflow", NULL,
	    "both directions in one record; IPFIX, JSON", .set = set_flag,
	    AT(exporter.fields.biflow) },
	{ GROUP_EXPORT, 'A', "time-unit", "UNIT",
	    "of times: sec, milli, micro, nano (milli)",
	    .set = set_time_unit, AT(exporter.fields.unit) },
	{ GROUP_EXPORT, 0, "fields", "[+-]NAME[,...]",
	    "elements in records; see --elements", .set = set_fields,
	    .differs = differs_fields },
	{ GROUP_EXPORT, 'x', "mpls-labels", "N",
	    "MPLS labels in records, 0 to " STR(LABELS_MAX) " (0)",
	    .set = set_labels, .min = 0, .max = LABELS_MAX },

	{ GROUP_OUTPUT, 0, "json", NULL,
	    "JSON instead of a table", .set = set_flag, AT(json),
	    .restart = true },
	{ GROUP_OUTPUT, 0, "quiet", NULL,
	    "no summary at the end", .set = set_flag, AT(quiet) },

	{ GROUP_RUNNING, 'd', "foreground", NULL,
	    "do not become a daemon", .set = set_flag, AT(foreground),
	    .differs = differs_foreground, .restart = true },
	{ GROUP_RUNNING, 'D', "debug", NULL,
	    "in the foreground, with debug messages",
	    .set = set_flag, AT(debug) },
	{ GROUP_RUNNING, 'p', "pidfile", "FILE",
	    "where a daemon notes its process ID, or none",
	    .set = set_pidfile,
	    AT(pidfile), .differs = differs_pidfile, .restart = true },
	{ GROUP_RUNNING, 'c', "control", "SOCKET",
	    "where softprobectl connects, or none", .set = set_control,
	    AT(control_path), .differs = differs_text, .restart = true },
	{ GROUP_RUNNING, 0, "metrics", "ADDRESS:PORT",
	    "serve metrics by HTTP; needs libmicrohttpd", .set = set_metrics,
	    AT(metrics), .restart = true },

	{ GROUP_RUNNING, 0, "config", "FILE",
	    "options, one a line; see softprobe.conf(5)",
	    .set = set_config, .not_in_file = true },
	{ GROUP_RUNNING, 0, "user", "NAME",
	    "become this user, or none (" PRIVDROP_USER ")",
	    .set = set_user,
	    AT(user), .differs = differs_text, .restart = true },
	{ GROUP_RUNNING, 0, "no-sandbox", NULL,
	    "let threads make any system call", .set = set_flag,
	    AT(no_sandbox), .restart = true },
	{ GROUP_RUNNING, 0, "check", NULL,
	    "check the options, tell what protects, leave",
	    .set = set_flag, AT(check), .not_in_file = true },

	{ GROUP_INFORMATION, 'h', "help", NULL, "this text",
	    .set = set_help, .not_in_file = true },
	{ GROUP_INFORMATION, 'V', "version", NULL,
	    "the version number", .set = set_version, .not_in_file = true },
	{ GROUP_INFORMATION, 0, "elements", NULL,
	    "the Information Elements there are", .set = set_elements,
	    .not_in_file = true },

	{ GROUP_ALWAYS, '6', "ipv6", NULL, "meter IPv6", .set = set_nothing },
	{ GROUP_ALWAYS, 'a', "capture-time", NULL,
	    "take the times of a capture file", .set = set_nothing },
	{ GROUP_ALWAYS, 'M', "threads", NULL,
	    "capture in a thread of its own", .set = set_nothing },

	{ GROUP_LATER, 'R', "receive-port", "PORT",
	    "receive PSAMP", .set = set_later },
	{ GROUP_LATER, 'H', "direction-mac", "ADDRESS",
	    "tell directions by MAC address", .set = set_later },
	{ GROUP_LATER, 'I', "boot-interval", "SECONDS",
	    "set sysUptime back now and then", .set = set_later },
	{ GROUP_LATER, 'g', "cpu-gauge", NULL,
	    "measure processor time", .set = set_later },
};
/* clang-format on */

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define FILE_SHOWN_MAX 200 /* octets of its path */
#define LONG_FORM 256      /* plus a row's index: getopt's value of --name */

static const struct option_row *
row_of(const char *name)
{
	for (const struct option_row *row = rows; row < rows + ROWS; row++)
		if (strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

/* The line that sets an option for a collector, else that of the collector. */
static size_t
line_of(
    const struct parse *p, const char *name, const struct collector_config *to)
{
	size_t line = p->given[row_of(name) - rows];

	return line != 0 ? line : to->line;
}

/* Refuse what stands in a line of the file, or for 0 elsewhere. */
static enum config_result __attribute__((format(printf, 3, 4)))
refuse_at(struct parse *p, size_t line, const char *fmt, ...)
{
	char place[FILE_SHOWN_MAX + 24] = "", why[CONFIG_ERROR_LEN];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (line != 0)
		(void)snprintf(place, sizeof(place),
		    "%.*s:%zu: ", FILE_SHOWN_MAX, p->cfg->file->path, line);
	(void)strlcpy(p->errbuf, place, CONFIG_ERROR_LEN);
	(void)strlcat(p->errbuf, why, CONFIG_ERROR_LEN);
	value_one_line(p->errbuf);
	return CONFIG_BAD;
}

/* Refuse the option at hand: its name and value, then the reason. */
static enum config_result __attribute__((format(printf, 2, 3)))
fail(struct parse *p, const char *fmt, ...)
{
	const struct given *at = &p->at;
	const char *value = at->value == NULL ? "" : at->value;
	const char letter[2] = { at->row->letter, '\0' };
	char reason[CONFIG_ERROR_LEN];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	return refuse_at(p, at->line, "%s%s%s%.*s%s: %s",
	    at->line != 0   ? ""
	    : at->long_form ? "--"
			    : "-",
	    at->long_form ? at->row->name : letter,
	    at->value == NULL ? "" : " ", VALUE_SHOWN_MAX, value,
	    strlen(value) > VALUE_SHOWN_MAX ? "..." : "", reason);
}

/* Whether the command line now replaces what the file said of these. */
static bool
is_stale(struct parse *p, unsigned what)
{
	bool stale = (p->stale & what) != 0;

	p->stale &= ~what;
	return stale;
}

/* Words and numbers. */

static enum config_result
choose(struct parse *p, const struct choice *choices, const char *word,
    uint32_t *value)
{
	char reason[REASON_LEN];

	if (choice_value(choices, word, value, reason) == 0)
		return CONFIG_RUN;
	return fail(p, "%s", reason);
}

/* Read a number within the bounds of the option at hand. */
static enum config_result
number(struct parse *p, const char *text, uint64_t *n)
{
	char reason[REASON_LEN];

	if (value_parse_number(
		text, p->at.row->min, p->at.row->max, n, reason) == 0)
		return CONFIG_RUN;
	return fail(p, "%s", reason);
}

#define BIT(timeout) (UINT32_C(1) << (timeout))
#define MAY_BE_ZERO (BIT(TIMEOUT_MAXLIFE) | BIT(TIMEOUT_EXPINT))

/* The names of timeouts, with the bits each sets. */
static void
timeout_choices(struct choice choices[TIMEOUTS + 3])
{
	for (int t = 0; t < TIMEOUTS; t++)
		choices[t] =
		    (struct choice){ flow_timeout_name((enum flow_timeout)t),
			    BIT(t), false };
	choices[TIMEOUTS] = (struct choice){ "idle",
		BIT(TIMEOUT_GENERAL) | BIT(TIMEOUT_TCP) | BIT(TIMEOUT_UDP) |
		    BIT(TIMEOUT_ICMP),
		false };
	choices[TIMEOUTS + 1] =
	    (struct choice){ "active", BIT(TIMEOUT_MAXLIFE), false };
	choices[TIMEOUTS + 2] = (struct choice){ NULL, 0, false };
}

/* Why config_timeout refuses a name. */
static void
refuse_timeout_name(
    const struct choice *choices, const char *name, size_t len, char *errbuf)
{
	char list[128];

	choice_list(choices, " or ", list, sizeof(list));
	(void)snprintf(errbuf, CONFIG_ERROR_LEN,
	    "\"%.*s\" is not a timeout; give NAME=TIME with %s",
	    value_shown(len), name, list);
	value_one_line(errbuf);
}

int
config_timeout(const char *text, uint32_t *which, uint32_t *ms,
    char errbuf[CONFIG_ERROR_LEN])
{
	size_t len = strcspn(text, "=");
	struct choice choices[TIMEOUTS + 3];
	const struct choice *c = NULL;
	char name[16];

	timeout_choices(choices);
	if (len < sizeof(name) && text[len] == '=') {
		(void)strlcpy(name, text, len + 1);
		c = choice_find(choices, name);
	}
	if (c == NULL) {
		refuse_timeout_name(choices, text, len, errbuf);
		return -1;
	}
	text += len + 1;
	if (value_time(text, ms) != 0)
		(void)snprintf(errbuf, CONFIG_ERROR_LEN,
		    "\"%.*s\" is not a time; give a number with ms, s, m, h, "
		    "d or w, such as 1m30s, at most 24d",
		    VALUE_SHOWN_MAX, text);
	else if (*ms == 0 && (c->value & MAY_BE_ZERO) == 0)
		(void)snprintf(errbuf, CONFIG_ERROR_LEN,
		    "an idle timeout cannot be 0; give 1ms or more");
	else {
		*which = c->value;
		return 0;
	}
	value_one_line(errbuf);
	return -1;
}

/* Options that fit many. */

static enum config_result
set_flag(struct parse *p, const char *value)
{
	(void)value;
	*(bool *)(void *)((char *)p->cfg + p->at.row->at) = true;
	return CONFIG_RUN;
}

/* One of two options that undo each other: max is the value. */
static enum config_result
set_switch(struct parse *p, const char *value)
{
	(void)value;
	*(bool *)(void *)((char *)p->cfg + p->at.row->at) = p->at.row->max != 0;
	return CONFIG_RUN;
}

static enum config_result
set_number(struct parse *p, const char *value)
{
	uint64_t n;
	uint32_t n32;

	if (number(p, value, &n) != CONFIG_RUN)
		return CONFIG_BAD;
	n32 = (uint32_t)n;
	memcpy((char *)p->cfg + p->at.row->at,
	    p->at.row->size == sizeof(n32) ? (const void *)&n32 : &n,
	    p->at.row->size);
	return CONFIG_RUN;
}

static enum config_result
set_nothing(struct parse *p, const char *value)
{
	(void)p;
	(void)value;
	return CONFIG_RUN;
}

static enum config_result
set_later(struct parse *p, const char *value)
{
	(void)value;
	return fail(p, "not supported yet; leave it out");
}

/* Where packets come from. */

static enum config_result
add_source(struct parse *p, bool replay, const char *name, uint64_t ifindex)
{
	struct config *cfg = p->cfg;

	if (is_stale(p, STALE_SOURCES))
		cfg->nsources = 0;
	if (cfg->nsources > 0 && cfg->replay != replay)
		return fail(p, "-i and -r cannot be mixed; give one of them");
	if (cfg->nsources == CONFIG_SOURCES_MAX)
		return fail(p, "at most %d of them", CONFIG_SOURCES_MAX);
	/* A file may well be read twice, but not standard input. */
	for (size_t i = 0; i < cfg->nsources; i++)
		if ((!replay || strcmp(name, "-") == 0) &&
		    strcmp(cfg->source[i].name, name) == 0)
			return fail(p, "given twice; give it once");
	cfg->replay = replay;
	cfg->source[cfg->nsources].name = name;
	cfg->source[cfg->nsources++].ifindex = (uint32_t)ifindex;
	return CONFIG_RUN;
}

static enum config_result
set_interface(struct parse *p, const char *value)
{
	size_t prefix = strspn(value, "0123456789");
	const char *name = value;
	uint64_t ifindex = 0;

	if (prefix > 0 && value[prefix] == ':' &&
	    (value_digits(&name, &ifindex) != 0 || *name++ != ':' ||
		ifindex > p->at.row->max))
		return fail(p,
		    "give an index from 0 to %" PRIu64 " before the colon",
		    p->at.row->max);
	if (*name == '\0' || strlen(name) > INTERFACE_NAME_MAX)
		return fail(p,
		    "give [IFINDEX:]NAME with a name of 1 to %d octets",
		    INTERFACE_NAME_MAX);
	return add_source(p, false, name, ifindex);
}

static enum config_result
set_read(struct parse *p, const char *value)
{
	if (*value == '\0')
		return fail(p, "give the path of a file, or - for stdin");
	return add_source(p, true, value, 0);
}

/* Forget the file's filter if the command line has another one. */
static void
replace_filter(struct parse *p)
{
	if (!is_stale(p, STALE_FILTER))
		return;
	free(p->cfg->filter_text);
	p->cfg->filter_text = NULL;
	p->cfg->filter_line = 0;
}

static enum config_result
set_filter(struct parse *p, const char *value)
{
	replace_filter(p);
	if (p->cfg->filter_text != NULL)
		return fail(p, "given twice; give one expression");
	p->cfg->filter_line = p->at.line;
	p->cfg->filter_text = strdup(value);
	if (p->cfg->filter_text == NULL)
		return fail(p, "out of memory");
	return CONFIG_RUN;
}

static enum config_result
set_no_promiscuous(struct parse *p, const char *value)
{
	(void)value;
	p->cfg->capture.promiscuous = false;
	return CONFIG_RUN;
}

static enum config_result
set_buffer(struct parse *p, const char *value)
{
	char reason[REASON_LEN];
	uint64_t n;

	if (value_parse_octets(
		value, p->at.row->min, p->at.row->max, &n, reason) != 0)
		return fail(p, "%s", reason);
	p->cfg->capture.buffer_octets = (uint32_t)n;
	return CONFIG_RUN;
}

/* What a flow is and when it ends. */

static enum config_result
set_flow_key(struct parse *p, const char *value)
{
	struct choice choices[KEY_LEVELS + 2];
	uint32_t level = KEY_FULL;

	for (uint32_t k = 0; k < KEY_LEVELS; k++)
		choices[k] =
		    (struct choice){ flow_key_name((enum flow_key_level)k), k,
			    false };
	choices[KEY_LEVELS] = (struct choice){ "port", KEY_FULL, false };
	choices[KEY_LEVELS + 1] = (struct choice){ NULL, 0, false };
	if (choose(p, choices, value, &level) != CONFIG_RUN)
		return CONFIG_BAD;
	p->cfg->track.key = (enum flow_key_level)level;
	return CONFIG_RUN;
}

/* N, or MODE:N. */
static enum config_result
set_sampling(struct parse *p, const char *value)
{
	static const struct choice modes[] = { { "systematic",
						   SAMPLING_SYSTEMATIC, false },
		{ "random", SAMPLING_RANDOM, false },
		{ "hash", SAMPLING_HASH, false }, { NULL, 0, false } };
	const char *colon = strchr(value, ':');
	uint32_t mode = SAMPLING_SYSTEMATIC;
	char word[16] = "";
	uint64_t n;

	if (colon != NULL) {
		size_t len = (size_t)(colon - value);

		if (len < sizeof(word))
			(void)strlcpy(word, value, len + 1);
		if (choose(p, modes, word, &mode) != CONFIG_RUN)
			return CONFIG_BAD;
		value = colon + 1;
	}
	if (number(p, value, &n) != CONFIG_RUN)
		return CONFIG_BAD;
	p->cfg->exporter.sampling =
	    (struct sampling){ (enum sampling_mode)mode, (uint32_t)n };
	return CONFIG_RUN;
}

static enum config_result
set_timeout(struct parse *p, const char *value)
{
	static const char max_flows[] = "maxflows=";
	char reason[CONFIG_ERROR_LEN];
	uint32_t which, ms;
	uint64_t n;

	if (strncmp(value, max_flows, strlen(max_flows)) == 0) {
		if (!value_number(
			value + strlen(max_flows), 1, FLOWTRACK_MAX_FLOWS, &n))
			return fail(p, "give a number from 1 to %" PRIu32,
			    FLOWTRACK_MAX_FLOWS);
		p->cfg->track.max_flows = (uint32_t)n;
		return CONFIG_RUN;
	}
	if (config_timeout(value, &which, &ms, reason) != 0)
		return fail(p, "%s", reason);
	for (int t = 0; t < TIMEOUTS; t++)
		if ((which & BIT(t)) != 0)
			p->cfg->track.timeout_ms[t] = ms;
	return CONFIG_RUN;
}

/* Where Flow Records go. */

/* An option that sets what a key of a collector sets, for all of them. */
static enum config_result
set_endpoint(struct parse *p, const char *value)
{
	char reason[REASON_LEN];

	if (endpoint_set(&p->cfg->defaults, p->at.row->name, value, reason) ==
	    0)
		return CONFIG_RUN;
	return fail(p, "%s", reason);
}

static enum config_result
set_transport(struct parse *p, const char *value)
{
	char reason[REASON_LEN];

	if (endpoint_set_kind(&p->cfg->defaults, value, reason) == 0)
		return CONFIG_RUN;
	return fail(p, "%s", reason);
}

/* Collectors are read when all defaults are known. */
static enum config_result
set_collector(struct parse *p, const char *value)
{
	(void)value;
	if (is_stale(p, STALE_COLLECTORS))
		p->ncollectors = 0;
	if (p->ncollectors == CONFIG_COLLECTORS_MAX)
		return fail(p, "at most %d collectors", CONFIG_COLLECTORS_MAX);
	p->collector[p->ncollectors++] = p->at;
	return CONFIG_RUN;
}

static enum config_result
add_collector(struct parse *p, const char *item, size_t len)
{
	struct config *cfg = p->cfg;
	struct collector_config *more;
	char reason[REASON_LEN];

	if (cfg->ncollectors == CONFIG_COLLECTORS_MAX)
		return fail(p, "at most %d collectors", CONFIG_COLLECTORS_MAX);
	more =
	    realloc(cfg->collector, (cfg->ncollectors + 1) * sizeof(more[0]));
	if (more == NULL)
		return fail(p, "out of memory");
	cfg->collector = more;
	if (endpoint_parse(&more[cfg->ncollectors], item, len, &cfg->defaults,
		reason) != 0)
		return fail(p, "%s", reason);
	more[cfg->ncollectors++].line = p->at.line;
	return CONFIG_RUN;
}

/* Read what the option at hand, a -n, holds. */
static enum config_result
read_collectors(struct parse *p)
{
	const char *value = p->at.value;
	size_t len;

	for (;; value += len + 1) {
		len = strcspn(value, ",");
		if (add_collector(p, value, len) != CONFIG_RUN)
			return CONFIG_BAD;
		if (value[len] == '\0')
			return CONFIG_RUN;
	}
}

static enum config_result
set_time_unit(struct parse *p, const char *value)
{
	static const struct choice time_units[] = { { "sec", UNIT_SEC, false },
		{ "milli", UNIT_MILLI, false }, { "micro", UNIT_MICRO, false },
		{ "nano", UNIT_NANO, false }, { NULL, 0, false } };
	uint32_t unit = UNIT_MILLI;

	if (choose(p, time_units, value, &unit) != CONFIG_RUN)
		return CONFIG_BAD;
	p->cfg->exporter.fields.unit = (enum time_unit)unit;
	return CONFIG_RUN;
}

static enum config_result
set_router(struct parse *p, const char *value)
{
	(void)value;
	p->cfg->router = (enum router_choice)p->at.row->max;
	return CONFIG_RUN;
}

static enum config_result
set_mode(struct parse *p, const char *value)
{
	enum export_mode mode = (enum export_mode)p->at.row->max;

	(void)value;
	if (is_stale(p, STALE_MODE))
		p->cfg->exporter.mode = EXPORT_REPLICATE;
	if (p->cfg->exporter.mode != EXPORT_REPLICATE &&
	    p->cfg->exporter.mode != mode)
		return fail(p, "-l and --failover exclude each other; give "
			       "one of them");
	p->cfg->exporter.mode = mode;
	return CONFIG_RUN;
}

static enum config_result
set_fields(struct parse *p, const char *value)
{
	char reason[REASON_LEN];

	if (fields_parse(&p->cfg->exporter.fields, value, reason) != 0)
		return fail(p, "%s", reason);
	return CONFIG_RUN;
}

static enum config_result
set_labels(struct parse *p, const char *value)
{
	uint64_t n;

	if (number(p, value, &n) != CONFIG_RUN)
		return CONFIG_BAD;
	field_choose_labels(&p->cfg->exporter.fields, (unsigned)n);
	return CONFIG_RUN;
}

static enum config_result
set_rate(struct parse *p, const char *value)
{
	uint64_t n;

	if (number(p, value, &n) != CONFIG_RUN)
		return CONFIG_BAD;
	p->cfg->exporter.rate = (uint32_t)n;
	p->cfg->rate_given = true;
	return CONFIG_RUN;
}

/* How the program runs. */

/* A path; NULL in *path for "none". */
static enum config_result
path_or_none(struct parse *p, const char *value, const char **path)
{
	if (*value == '\0')
		return fail(p, "give a path, or none");
	*path = strcmp(value, "none") == 0 ? NULL : value;
	return CONFIG_RUN;
}

static enum config_result
set_pidfile(struct parse *p, const char *value)
{
	p->pidfile_given = true;
	return path_or_none(p, value, &p->cfg->pidfile);
}

static enum config_result
set_control(struct parse *p, const char *value)
{
	struct sockaddr_un sun;

	if (strlen(value) >= sizeof(sun.sun_path))
		return fail(p, "give a path of at most %zu octets",
		    sizeof(sun.sun_path) - 1);
	p->control_given = true;
	return path_or_none(p, value, &p->cfg->control_path);
}

static enum config_result
set_metrics(struct parse *p, const char *value)
{
	const char *why = httpd_unsupported();
	char reason[REASON_LEN];

	if (why != NULL)
		return fail(p, "%s", why);
	if (endpoint_numeric(&p->cfg->metrics, value, reason) != 0)
		return fail(p, "%s", reason);
	return CONFIG_RUN;
}

/* It was read before: see config_file_name(). */
static enum config_result
set_config(struct parse *p, const char *value)
{
	if (*value == '\0')
		return fail(p, "give the path of a file");
	return CONFIG_RUN;
}

/* Whether there is such a user is known when the program starts. */
static enum config_result
set_user(struct parse *p, const char *value)
{
	if (*value == '\0')
		return fail(p, "give the name of a user, or none");
	p->cfg->user = value;
	return CONFIG_RUN;
}

/* What the program can tell. */

#define HELP_COLUMN 35
#define HELP_WIDTH (80 - HELP_COLUMN)

static void
usage_row(const struct option_row *row)
{
	char text[64];
	int len;

	len = snprintf(text, sizeof(text), "  %c%c%c --%s%s%s",
	    row->letter == 0 ? ' ' : '-', row->letter == 0 ? ' ' : row->letter,
	    row->letter == 0 ? ' ' : ',', row->name,
	    row->argument == NULL ? "" : " ",
	    row->argument == NULL ? "" : row->argument);
	printf("%s%s%*s%s\n", text, len >= HELP_COLUMN ? "\n" : "",
	    len >= HELP_COLUMN ? HELP_COLUMN : HELP_COLUMN - len, "",
	    row->help);
}

static void
usage_timeouts(void)
{
	printf("\nTimeouts (-t), by default in seconds:\n  ");
	for (int t = 0; t < TIMEOUTS; t++)
		printf("%s%s=%" PRIu32, t == 0 ? "" : " ",
		    flow_timeout_name((enum flow_timeout)t),
		    track_defaults.timeout_ms[t] / 1000);
	printf("\n  idle sets general, tcp, udp and icmp; active sets maxlife, "
	       "0 = never.\n"
	       "  Times are sums such as 90, 1m30s or 500ms; units ms s m h d "
	       "w.\n");
}

static enum config_result
set_help(struct parse *p, const char *value)
{
	(void)p;
	(void)value;
	printf("usage: softprobe -i INTERFACE|-r FILE [OPTION ...] "
	       "[BPF EXPRESSION]\n"
	       "\nMeters IP flows and exports them as NetFlow v1, v5, v9 or "
	       "IPFIX;\nwithout -n it prints them.\n");
	for (int g = 0; g < GROUPS; g++) {
		printf("\n%s:\n", group_title[g]);
		for (size_t i = 0; i < ROWS; i++)
			if ((int)rows[i].group == g)
				usage_row(&rows[i]);
	}
	usage_timeouts();
	return CONFIG_EXIT;
}

static enum config_result
set_version(struct parse *p, const char *value)
{
	(void)p;
	(void)value;
	puts(VERSION);
	return CONFIG_EXIT;
}

static enum config_result
set_elements(struct parse *p, const char *value)
{
	(void)p;
	(void)value;
	ie_list(stdout);
	return CONFIG_EXIT;
}

/* The command line as a whole. */

/* What getopt_long wants. */
struct tables {
	char shorts[2 * ROWS + 3];
	struct option longs[ROWS + 1];
};

/* Fill getopt_long's empty tables from ours, and have it start afresh. */
static void
build_tables(struct tables *t)
{
	struct option *longs = t->longs;
	char *shorts = t->shorts;

	/* '+': options end at the filter; ':': tell a missing argument. */
	*shorts++ = '+';
	*shorts++ = ':';
	opterr = 0;
	optind = 0; /* every getopt_long starts afresh at 0, the BSDs' too */
	for (size_t i = 0; i < ROWS; i++) {
		bool takes = rows[i].argument != NULL;

		longs[i].name = rows[i].name;
		longs[i].has_arg = takes ? required_argument : no_argument;
		longs[i].val = LONG_FORM + (int)i;
		if (rows[i].letter == 0)
			continue;
		*shorts++ = rows[i].letter;
		if (takes)
			*shorts++ = ':';
	}
	*shorts = '\0';
}

/* Make the row of one of getopt's values the option at hand. */
static bool
find_row(struct parse *p, int c)
{
	/* musl's getopt makes larger numbers of octets beyond ASCII. */
	p->at.long_form = c >= LONG_FORM && c < LONG_FORM + (int)ROWS;
	p->at.value = NULL;
	if (p->at.long_form) {
		p->at.row = &rows[c - LONG_FORM];
		return true;
	}
	for (p->at.row = rows; p->at.row < rows + ROWS; p->at.row++)
		if (c != 0 && p->at.row->letter == c)
			return true;
	return false;
}

/* Explain what getopt_long refused; c is what it returned. */
static enum config_result
refuse_option(struct parse *p, int c, char **argv)
{
	if (find_row(p, optopt))
		return c == ':'
			   ? fail(p, "needs a value: %s", p->at.row->argument)
			   : fail(p, "takes no value; leave it out");
	if (optopt != 0)
		return refuse_at(p, 0,
		    "-%c: no such option; see softprobe --help",
		    optopt > ' ' && optopt < 0x7f ? optopt : '?');
	return refuse_at(p, 0,
	    "%.*s: no such option, or short for several; see "
	    "softprobe --help",
	    VALUE_SHOWN_MAX, argv[optind - 1]);
}

/*
 * The next option of a command line becomes the one at hand; false at the end.
 * What there is no such option for is in *c.
 */
static bool
next_option(
    struct parse *p, const struct tables *t, int argc, char **argv, int *c)
{
	*c = getopt_long(argc, argv, t->shorts, t->longs, NULL);
	if (*c == -1)
		return false;
	if (*c != '?' && *c != ':' && find_row(p, *c)) {
		p->at.value = optarg;
		*c = 0;
	}
	return true;
}

static enum config_result
read_options(struct parse *p, int argc, char **argv)
{
	struct tables tables = { .shorts = "" };
	int c;

	build_tables(&tables);
	while (next_option(p, &tables, argc, argv, &c)) {
		enum config_result result;

		if (c != 0)
			return refuse_option(p, c, argv);
		p->given[p->at.row - rows] = 0;
		result = p->at.row->set(p, p->at.value);
		if (result != CONFIG_RUN)
			return result;
	}
	return CONFIG_RUN;
}

const char *
config_file_name(int argc, char **argv)
{
	struct parse p = { .errbuf = NULL };
	const char *name = NULL;
	struct tables tables = { .shorts = "" };
	int c;

	build_tables(&tables);
	while (next_option(&p, &tables, argc, argv, &c)) {
		if (c != 0 || p.at.row->group == GROUP_INFORMATION)
			return NULL;
		if (p.at.row->set == set_config)
			name = p.at.value;
	}
	return name == NULL || *name == '\0' ? NULL : name;
}

/* The file. */

static enum config_result
read_setting(struct parse *p, const struct setting *s)
{
	const struct option_row *row = row_of(s->name);

	if (row == NULL)
		return refuse_at(p, s->line, "%.*s: no such option%s",
		    VALUE_SHOWN_MAX, s->name,
		    *s->name == '-' ? "; leave the dashes out"
				    : "; see softprobe.conf(5)");
	p->at = (struct given){ row, true, s->value, s->line };
	if (row->not_in_file)
		return fail(p, "not in a file; give it on the command line");
	if (row->argument == NULL && s->value != NULL)
		return fail(p, "takes no value; leave it out");
	if (row->argument != NULL && s->value == NULL)
		return fail(p, "needs a value: %s", row->argument);
	p->given[row - rows] = s->line;
	return row->set(p, s->value);
}

static enum config_result
read_file(struct parse *p)
{
	const struct conffile *f = p->cfg->file;
	enum config_result result = CONFIG_RUN;

	if (f == NULL)
		return CONFIG_RUN;
	for (size_t i = 0; i < f->nsettings && result == CONFIG_RUN; i++)
		result = read_setting(p, &f->setting[i]);
	p->stale = STALE_ALL;
	p->at.line = 0;
	return result;
}

/* The rest of the command line, joined by blanks, is the filter. */
static enum config_result
read_filter(struct parse *p, int argc, char **argv)
{
	struct config *cfg = p->cfg;
	size_t len = 1;

	if (optind < argc)
		replace_filter(p);
	if (optind < argc && cfg->filter_text != NULL)
		return refuse_at(p, 0,
		    "%.*s: a filter was given with --filter; give "
		    "one expression",
		    VALUE_SHOWN_MAX, argv[optind]);
	for (int i = optind; i < argc; i++)
		len += strlen(argv[i]) + 1;
	if (optind < argc) {
		cfg->filter_text = calloc(1, len);
		if (cfg->filter_text == NULL)
			return refuse_at(p, 0, "out of memory");
	}
	for (int i = optind; i < argc; i++) {
		if (i > optind)
			(void)strlcat(cfg->filter_text, " ", len);
		(void)strlcat(cfg->filter_text, argv[i], len);
	}
	if (cfg->filter_text != NULL &&
	    cfg->filter_text[strspn(cfg->filter_text, " \t\n")] != '\0')
		cfg->capture.filter = cfg->filter_text;
	return CONFIG_RUN;
}

/* Whether records with the fields chosen by name can be sent. */
static enum config_result
check_fields(struct parse *p, const struct collector_config *to)
{
	const struct field_choice *fields = &p->cfg->exporter.fields;
	struct field_choice biflow = *fields;
	const struct dialect *d = dialect_for(to->version);
	const char *name;
	size_t least;

	biflow.biflow = true;
	if (!field_any(fields) && (!fields->nat || !d->has_sets))
		return CONFIG_RUN;
	if (!d->has_sets)
		return refuse_at(p, line_of(p, "fields", to),
		    "--fields, -x: records of %s are as they are; give -v 9 "
		    "or -v 10, or leave it out",
		    d->name);
	name = field_misfit(fields, d->bit);
	if (name != NULL)
		return refuse_at(p, line_of(p, "fields", to),
		    "--fields %s: not in %s records%s", name, d->name,
		    field_misfit(&biflow, d->bit) == name ? "" : " without -b");
	least = message_least(d, fields);
	if (least == 0)
		return refuse_at(p, line_of(p, "fields", to),
		    "--fields: some records have fewer than 4 "
		    "octets left; leave them more elements");
	if (least > to->mtu)
		return refuse_at(p, line_of(p, "mtu", to),
		    "--mtu %" PRIu32 ": a record or template with these "
		    "--fields takes %zu octets; give that much, or fewer",
		    to->mtu, least);
	return CONFIG_RUN;
}

/* What not every export version can express. */
static enum config_result
check_version(struct parse *p, const struct collector_config *to)
{
	const struct exporter_config *x = &p->cfg->exporter;
	const struct dialect *d = dialect_for(to->version);

	if (x->fields.biflow && to->version != 10)
		return refuse_at(p, line_of(p, "biflow", to),
		    "-b: biflow needs IPFIX; give -v 10, or leave -b out");
	if (x->fields.unit != UNIT_MILLI && to->version != 10)
		return refuse_at(p, line_of(p, "time-unit", to),
		    "-A: times of NetFlow are milliseconds; give "
		    "-v 10, or -A milli");
	if (d->interval_max != 0 && x->sampling.interval > d->interval_max)
		return refuse_at(p, line_of(p, "sampling", to),
		    "-s %" PRIu32 ": %s tells at most one packet in %" PRIu32
		    "; give -v 9 or -v 10, or sample less",
		    x->sampling.interval, d->name, d->interval_max);
	if (d->domain_max != 0 && to->domain > d->domain_max)
		return refuse_at(p, line_of(p, "domain", to),
		    "--domain %" PRIu32 ": %s has none above %" PRIu32
		    "; give that at most, or -v 9 or -v 10",
		    to->domain, d->name, d->domain_max);
	return check_fields(p, to);
}

/* What its kind, and this build, ask for. */
static enum config_result
check_kind(struct parse *p, const struct collector_config *to)
{
	const char *why = transport_unsupported(to->kind);

	if (why != NULL)
		return refuse_at(p, to->line, "-n %s://: %s",
		    endpoint_scheme(to->kind), why);
	if ((to->tls_cert == NULL) != (to->tls_key == NULL))
		return refuse_at(p, to->line,
		    "%s: give --tls-cert and --tls-key together",
		    to->tls_cert == NULL ? "--tls-key" : "--tls-cert");
	return CONFIG_RUN;
}

/* Settle what a collector's export version implies. */
static enum config_result
settle_collector(struct parse *p, struct collector_config *to)
{
	if (!dialect_for(to->version)->has_sets) /* 32 bits */
		p->cfg->track.octets_max = UINT32_MAX;
	/*
	 * Not all collectors count options data in the IPFIX sequence; but
	 * none can tell true totals without the rate of sampling.
	 */
	if (to->options == EXPORT_BY_VERSION)
		to->options = to->version == 9 || to->kind == COLLECTOR_FILE
				  ? EXPORT_ALL
			      : to->version == 10 ? EXPORT_IF_SAMPLED
						  : 0;
	return check_kind(p, to) != CONFIG_RUN ? CONFIG_BAD
					       : check_version(p, to);
}

static enum config_result
settle_collectors(struct parse *p)
{
	struct config *cfg = p->cfg;

	for (size_t i = 0; i < p->ncollectors; i++) {
		p->at = p->collector[i];
		if (read_collectors(p) != CONFIG_RUN)
			return CONFIG_BAD;
	}
	for (size_t i = 0; i < cfg->ncollectors; i++)
		if (settle_collector(p, &cfg->collector[i]) != CONFIG_RUN)
			return CONFIG_BAD;
	/* Without any, records are printed: as if for one. */
	return cfg->ncollectors > 0 ? CONFIG_RUN
				    : settle_collector(p, &cfg->defaults);
}

/* Whether a source gives the packets of more than one interface. */
static bool
watches_several(const struct config *cfg)
{
	const char *name = cfg->source[0].name;

	return cfg->nsources != 1 || strcmp(name, "any") == 0 ||
	       strncmp(name, "nflog", strlen("nflog")) == 0;
}

static void
settle_router(struct config *cfg)
{
	cfg->track.router = cfg->router == ROUTER_ON ||
			    (cfg->router == ROUTER_AUTO && !cfg->replay &&
				watches_several(cfg));
}

/* What the choice of fields means to others, and others to it. */
static void
settle_fields(struct config *cfg)
{
	struct field_choice *fields = &cfg->exporter.fields;

	fields->mac = cfg->track.key == KEY_ETHER;
	fields->nat = cfg->nat;
	fields->needs = field_needs(fields);
	/* Most files do not tell. */
	fields->direction = (!cfg->replay || cfg->track.router ||
				(fields->needs & NEED_DIRECTION) != 0) &&
			    !field_left_out(fields, "flowDirection");
	fields->sampling = cfg->exporter.sampling;
	cfg->track.extra = (fields->needs & NEED_CACHE) != 0;
	cfg->capture.extra = (fields->needs & NEED_PACKETS) != 0;
}

/* Whether a collector is told of NAT events. */
static bool
takes_events(const struct collector_config *to)
{
	return dialect_for(to->version)->has_sets &&
	       (to->kind == COLLECTOR_FILE || !endpoint_is_file(to->kind));
}

/* What connection tracking can be asked for, and by whom. */
static enum config_result
check_nat(struct parse *p)
{
	const struct config *cfg = p->cfg;
	const char *name = cfg->nat ? "nat" : "nat-events";
	size_t line = p->given[row_of(name) - rows];
	bool events = cfg->exporter.nat_events, taken = false;

	if (!cfg->nat && (cfg->exporter.fields.needs & NEED_NAT) != 0)
		return refuse_at(p, p->given[row_of("fields") - rows],
		    "--fields: addresses after a NAT are known to --nat; give "
		    "that, too");
	if (!cfg->nat && !events)
		return CONFIG_RUN;
	if (netlink_unsupported() != NULL)
		return refuse_at(p, line, "--%s: %s; leave it out", name,
		    netlink_unsupported());
	if (cfg->replay)
		return refuse_at(p, line,
		    "--%s: a capture file knows no NAT; give -i, or leave it "
		    "out",
		    name);
	if (cfg->nat && cfg->track.key < KEY_FULL)
		return refuse_at(p, line,
		    "--nat: tells connections apart by their ports; give -T "
		    "full or more");
	for (size_t i = 0; i < cfg->ncollectors; i++)
		taken = taken || takes_events(&cfg->collector[i]);
	if (events && !taken)
		return refuse_at(p, p->given[row_of("nat-events") - rows],
		    "--nat-events: only NetFlow v9 and IPFIX can tell them; "
		    "give -n and -v 9 or -v 10, or leave it out");
	return CONFIG_RUN;
}

/* Files that would be written by two, or not where they are expected. */
static enum config_result
check_file(struct parse *p, size_t i)
{
	const struct config *cfg = p->cfg;
	const struct collector_config *c = &cfg->collector[i];
	const char *scheme = endpoint_scheme(c->kind);

	if (!cfg->foreground && c->path[0] != '/')
		return refuse_at(p, c->line,
		    "-n %s:%.*s: a daemon needs a path that begins with /; "
		    "give one, or -d",
		    scheme, VALUE_SHOWN_MAX, c->path);
	for (size_t k = 0; k < i; k++)
		if (cfg->collector[k].path != NULL &&
		    strcmp(cfg->collector[k].path, c->path) == 0)
			return refuse_at(p, c->line,
			    "-n %s:%.*s: this file is given twice; give it "
			    "once",
			    scheme, VALUE_SHOWN_MAX, c->path);
	return CONFIG_RUN;
}

static enum config_result
settle_files(struct parse *p)
{
	struct config *cfg = p->cfg;

	for (size_t i = 0; i < cfg->ncollectors; i++)
		if (cfg->collector[i].path != NULL &&
		    strcmp(cfg->collector[i].path, "-") == 0)
			cfg->foreground = true; /* where there is an output */
	for (size_t i = 0; i < cfg->ncollectors; i++)
		if (cfg->collector[i].path != NULL &&
		    check_file(p, i) != CONFIG_RUN)
			return CONFIG_BAD;
	return CONFIG_RUN;
}

/* Settle what follows from several options together. */
static enum config_result
settle(struct parse *p)
{
	struct config *cfg = p->cfg;

	settle_router(cfg);
	settle_fields(cfg);
	if (settle_collectors(p) != CONFIG_RUN)
		return CONFIG_BAD;
	if (cfg->nsources == 0)
		return refuse_at(p, 0,
		    "nothing to capture from: give -i INTERFACE "
		    "or -r FILE");
	if (cfg->replay || cfg->ncollectors == 0 || cfg->debug)
		cfg->foreground = true;
	if (settle_files(p) != CONFIG_RUN || check_nat(p) != CONFIG_RUN)
		return CONFIG_BAD;
	if (!p->pidfile_given && !cfg->foreground)
		cfg->pidfile = PIDFILE_DEFAULT;
	if (!p->control_given && !cfg->replay && cfg->ncollectors > 0)
		cfg->control_path = CONTROL_DEFAULT;
	cfg->exporter.replay = cfg->replay;
	return CONFIG_RUN;
}

enum config_result
config_parse(struct config *cfg, struct conffile *file, int argc, char **argv,
    char errbuf[CONFIG_ERROR_LEN])
{
	size_t given[ROWS] = { 0 };
	struct parse p = { .cfg = cfg, .errbuf = errbuf, .given = given };
	enum config_result result;

	memset(cfg, 0, sizeof(*cfg));
	cfg->file = file;
	cfg->capture = capture_defaults;
	cfg->track = track_defaults;
	cfg->exporter = exporter_defaults;
	cfg->defaults = endpoint_defaults;
	cfg->workers = 1;
	cfg->nat_max = NAT_MAX_DEFAULT;
	errbuf[0] = '\0';
	result = read_file(&p);
	if (result == CONFIG_RUN)
		result = read_options(&p, argc, argv);
	if (result == CONFIG_RUN)
		result = read_filter(&p, argc, argv);
	if (result == CONFIG_RUN)
		result = settle(&p);
	if (result != CONFIG_RUN)
		config_free(cfg);
	return result;
}

uint64_t
config_longest_ms(const struct config *cfg)
{
	uint32_t longest = 0;

	for (int i = 0; i < TIMEOUTS; i++)
		if (cfg->track.timeout_ms[i] > longest)
			longest = cfg->track.timeout_ms[i];
	return longest;
}

/* Two configurations. */

static bool
differs_text(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	const void *at = (const char *)a + row->at;
	const void *bt = (const char *)b + row->at;
	const char *x = *(const char *const *)at, *y = *(const char *const *)bt;

	return x == NULL || y == NULL ? x != y : strcmp(x, y) != 0;
}

/* Without the option it depends on whether there is a daemon. */
static bool
differs_pidfile(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	return a->foreground == b->foreground && differs_text(row, a, b);
}

static bool
differs_filter(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	const char *x = a->capture.filter, *y = b->capture.filter;

	(void)row;
	return x == NULL || y == NULL ? x != y : strcmp(x, y) != 0;
}

/* Of the two options for sources the one that the second has. */
static bool
differs_sources(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	if (b->replay != (row->set == set_read))
		return false;
	if (a->replay != b->replay || a->nsources != b->nsources)
		return true;
	for (size_t i = 0; i < a->nsources; i++)
		if (a->source[i].ifindex != b->source[i].ifindex ||
		    strcmp(a->source[i].name, b->source[i].name) != 0)
			return true;
	return false;
}

static bool
differs_timeouts(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	(void)row;
	return memcmp(a->track.timeout_ms, b->track.timeout_ms,
		   sizeof(a->track.timeout_ms)) != 0;
}

static bool
differs_collectors(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	(void)row;
	if (a->ncollectors != b->ncollectors)
		return true;
	for (size_t i = 0; i < a->ncollectors; i++)
		if (!endpoint_equal(&a->collector[i], &b->collector[i]))
			return true;
	return false;
}

/* How records are shared; either way may be named. */
static bool
differs_mode(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	return a->exporter.mode != b->exporter.mode &&
	       (a->exporter.mode == row->max || b->exporter.mode == row->max);
}

/* Of the options for one choice that which is chosen now, or was. */
static bool
differs_router(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	return a->router != b->router &&
	       (b->router == row->max ||
		   (b->router == ROUTER_AUTO && a->router == row->max));
}

static bool
differs_switch(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	bool x = *((const char *)a + row->at), y = *((const char *)b + row->at);

	return x != y && y == row->max;
}

static bool
differs_fields(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	const struct field_choice *x = &a->exporter.fields;
	const struct field_choice *y = &b->exporter.fields;

	(void)row;
	return memcmp(x->on, y->on, sizeof(x->on)) != 0 ||
	       memcmp(x->off, y->off, sizeof(x->off)) != 0;
}

/* Debugging is in the foreground, but does not ask to be when it begins. */
static bool
differs_foreground(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	(void)row;
	return !a->debug && !b->debug && a->foreground != b->foreground;
}

static bool
differs(const struct option_row *row, const struct config *a,
    const struct config *b)
{
	if (row->differs != NULL)
		return row->differs(row, a, b);
	return row->size != 0 && memcmp((const char *)a + row->at,
				     (const char *)b + row->at, row->size) != 0;
}

void
config_changes(const struct config *a, const struct config *b, bool restart,
    char *names, size_t len)
{
	names[0] = '\0';
	for (const struct option_row *row = rows; row < rows + ROWS; row++) {
		if (row->restart != restart || !differs(row, a, b))
			continue;
		if (names[0] != '\0')
			(void)strlcat(names, ", ", len);
		(void)strlcat(names, row->name, len);
	}
}

/* Whether all that records with these fields need is there already. */
static bool
can_have(const struct config *running, const struct field_choice *fields)
{
	return ((fields->needs & NEED_CACHE) == 0 || running->track.extra) &&
	       ((fields->needs & NEED_PACKETS) == 0 ||
		   running->capture.extra) &&
	       (fields->needs & ~running->exporter.fields.needs &
		   (NEED_PORTS | NEED_NAT)) == 0;
}

static void
keep_fields(struct config *cfg, const struct config *running)
{
	struct field_choice *fields = &cfg->exporter.fields;

	memcpy(fields->on, running->exporter.fields.on, sizeof(fields->on));
	memcpy(fields->off, running->exporter.fields.off, sizeof(fields->off));
	settle_fields(cfg);
}

enum config_result
config_adapt(struct config *cfg, const struct config *running, char *restart,
    size_t len, char errbuf[CONFIG_ERROR_LEN])
{
	size_t given[ROWS] = { 0 };
	struct parse p = { .cfg = cfg, .errbuf = errbuf, .given = given };
	enum config_result result = CONFIG_RUN;

	config_changes(running, cfg, true, restart, len);
	cfg->track.key = running->track.key;
	cfg->track.router = running->track.router;
	cfg->nat = running->nat;
	settle_fields(cfg);
	if (!can_have(running, &cfg->exporter.fields)) {
		keep_fields(cfg, running);
		(void)strlcat(restart, restart[0] == '\0' ? "" : ", ", len);
		(void)strlcat(restart, "fields", len);
	}
	if ((cfg->ncollectors == 0) != (running->ncollectors == 0))
		result = refuse_at(&p, 0,
		    "collector: records are %s; restart, or %s",
		    running->ncollectors == 0 ? "printed" : "not printed",
		    running->ncollectors == 0 ? "leave it out" : "give one");
	for (size_t i = 0; i < cfg->ncollectors && result == CONFIG_RUN; i++)
		result = check_version(&p, &cfg->collector[i]);
	if (result != CONFIG_RUN)
		config_free(cfg);
	return result;
}

void
config_free(struct config *cfg)
{
	for (size_t i = 0; i < cfg->ncollectors; i++)
		endpoint_free(&cfg->collector[i]);
	free(cfg->collector);
	cfg->collector = NULL;
	cfg->ncollectors = 0;
	free(cfg->filter_text);
	cfg->filter_text = NULL;
	cfg->capture.filter = NULL;
	conffile_free(cfg->file);
	cfg->file = NULL;
}
