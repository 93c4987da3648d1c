/* SPDX-License-Identifier: ISC */
/*
 * printer.c - Flow Records on a stdio stream: an aligned table for people, one
 * JSON object a line, or CSV.
 *
 * A record is one conversation, a line is one direction of it, or in JSON all
 * of it if biflows are chosen.  The first
 * lines of a table are held back so that the columns fit all of them; after
 * that a line is written as it comes, and a column only grows.  This file
 * opens and closes nothing, and does not know what the stream is: a write
 * that fails is remembered, and nothing is written after it.
 */
#include <sys/socket.h>
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "flowkey.h" /* protocol_is_icmp */
#include "ie.h"
#include "printer.h"
#include "record.h"

#define ROWS_HELD 256
#define CELL_LEN 64 /* above PRINTER_ENDPOINT_LEN + ".255" */

/* The columns of the table, from left to right. */
enum {
	COLUMN_START,
	COLUMN_DURATION,
	COLUMN_PROTOCOL,
	COLUMN_SRC,
	COLUMN_DST,
	COLUMN_FLAGS,
	COLUMN_TOS,
	COLUMN_PACKETS,
	COLUMN_OCTETS,
	COLUMN_END,
	COLUMNS
};

struct row {
	char cell[COLUMNS][CELL_LEN];
};

/* clang-format off */
static const struct {
	const char *title;
	bool right;
} column[COLUMNS] = {
	[COLUMN_START]    = { "start (UTC)", false },
	[COLUMN_DURATION] = { "seconds",     true  },
	[COLUMN_PROTOCOL] = { "proto",       false },
	[COLUMN_SRC]      = { "source",      false },
	[COLUMN_DST]      = { "destination", false },
	[COLUMN_FLAGS]    = { "flags",       false },
	[COLUMN_TOS]      = { "tos",         false },
	[COLUMN_PACKETS]  = { "packets",     true  },
	[COLUMN_OCTETS]   = { "octets",      true  },
	[COLUMN_END]      = { "end",         false },
};

/* IANA protocol numbers; `ports`: source and destination port make sense. */
static const struct {
	uint8_t number;
	bool ports;
	const char *name;
} protocol_table[] = {
	{ IPPROTO_ICMP,   false, "icmp"     },
	{ IPPROTO_IGMP,   false, "igmp"     },
	{ IPPROTO_IPIP,   false, "ipip"     },
	{ IPPROTO_TCP,    true,  "tcp"      },
	{ IPPROTO_UDP,    true,  "udp"      },
	{ 33,             true,  "dccp"     },
	{ IPPROTO_IPV6,   false, "ipv6"     },
	{ 46,             false, "rsvp"     },
	{ 47,             false, "gre"      },
	{ IPPROTO_ESP,    false, "esp"      },
	{ IPPROTO_AH,     false, "ah"       },
	{ IPPROTO_ICMPV6, false, "icmp6"    },
	{ 88,             false, "eigrp"    },
	{ 89,             false, "ospf"     },
	{ 97,             false, "etherip"  },
	{ 103,            false, "pim"      },
	{ 108,            false, "ipcomp"   },
	{ 112,            false, "vrrp"     },
	{ 115,            false, "l2tp"     },
	{ 132,            true,  "sctp"     },
	{ 135,            false, "mobility" },
	{ 136,            true,  "udplite"  },
	{ 137,            false, "mpls"     },
};
/* clang-format on */

#define PROTOCOLS (sizeof(protocol_table) / sizeof(protocol_table[0]))

struct printer {
	FILE *out;
	enum printer_format format;
	const struct field_choice *fields;
	bool begun; /* the header line is written: hold nothing back */
	int error;  /* errno of the first write that failed */
	int width[COLUMNS];
	size_t nheld;
	struct export_record held[ROWS_HELD]; /* forward half = the line */
};

size_t
printer_memory(void)
{
	return sizeof(struct printer);
}

struct printer *
printer_new(
    FILE *out, enum printer_format format, const struct field_choice *fields)
{
	static const struct field_choice least = { .biflow = false };
	struct printer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->out = out;
	p->format = format;
	p->fields = fields != NULL ? fields : &least;
	for (int i = 0; i < COLUMNS; i++)
		p->width[i] = (int)strlen(column[i].title);
	return p;
}

void
printer_begin(struct printer *p, bool titled)
{
	p->begun = titled;
}

void
printer_redirect(struct printer *p, FILE *out)
{
	p->out = out;
}

void
printer_free(struct printer *p)
{
	free(p);
}

int
printer_error(const struct printer *p)
{
	return p->error;
}

const char *
printer_protocol(char buf[8], uint8_t protocol)
{
	for (size_t i = 0; i < PROTOCOLS; i++) {
		if (protocol_table[i].number == protocol)
			return protocol_table[i].name;
	}
	snprintf(buf, 8, "%u", protocol);
	return buf;
}

static bool
has_ports(uint8_t protocol)
{
	for (size_t i = 0; i < PROTOCOLS; i++) {
		if (protocol_table[i].number == protocol)
			return protocol_table[i].ports;
	}
	return false;
}

/* Write an address, and a suffix after a colon unless it is "". */
static char *
put_endpoint(char *buf, size_t len, int ip_version, const uint8_t addr[16],
    const char *suffix)
{
	char text[INET6_ADDRSTRLEN];
	bool bracket = ip_version == 6 && suffix[0] != '\0';

	inet_ntop(
	    ip_version == 6 ? AF_INET6 : AF_INET, addr, text, sizeof(text));
	snprintf(buf, len, "%s%s%s%s%s", bracket ? "[" : "", text,
	    bracket ? "]" : "", suffix[0] != '\0' ? ":" : "", suffix);
	return buf;
}

char *
printer_endpoint(char buf[PRINTER_ENDPOINT_LEN], int ip_version,
    const uint8_t addr[16], uint16_t port, bool with_port)
{
	char suffix[8] = "";

	if (with_port)
		snprintf(suffix, sizeof(suffix), "%u", port);
	return put_endpoint(
	    buf, PRINTER_ENDPOINT_LEN, ip_version, addr, suffix);
}

static bool
is_leap_year(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Turn days since 1970-01-01 into a date; 2^64 ns end in the year 2554. */
static void
date_of(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	static const uint8_t month_days[12] = { 31, 28, 31, 30, 31, 30, 31, 31,
		30, 31, 30, 31 };
	unsigned y = 1970, m = 0, len;

	for (; days >= (len = is_leap_year(y) ? 366 : 365); y++)
		days -= len;
	for (; m < 11; m++) {
		len = month_days[m] + (m == 1 && is_leap_year(y) ? 1U : 0U);
		if (days < len)
			break;
		days -= len;
	}
	*year = y;
	*month = m + 1;
	*day = (unsigned)days + 1;
}

char *
printer_time(char buf[PRINTER_TIME_LEN], uint64_t time_ns)
{
	uint64_t ms = time_ns / NS_PER_MS, s = ms / MS_PER_S;
	unsigned year, month, day, of_day = (unsigned)(s % 86400);

	date_of(s / 86400, &year, &month, &day);
	snprintf(buf, PRINTER_TIME_LEN, "%04u-%02u-%02u %02u:%02u:%02u.%03u",
	    year % 10000, month, day, of_day / 3600, of_day / 60 % 60,
	    of_day % 60, (unsigned)(ms % MS_PER_S));
	return buf;
}

const char *
printer_end_reason(unsigned reason)
{
	static const char *const word[FLOW_ENDS] = {
		[FLOW_END_NONE] = "-",
		[FLOW_END_IDLE] = "idle",
		[FLOW_END_ACTIVE] = "active",
		[FLOW_END_FLOW] = "end",
		[FLOW_END_FORCED] = "forced",
		[FLOW_END_NO_RESOURCES] = "resources",
	};

	return reason < FLOW_ENDS ? word[reason] : "?";
}

/*
 * From millisecond to millisecond, so that start and duration add up to the
 * end that a collector is told.
 */
static void
put_duration(char cell[CELL_LEN], const struct flow_half *half)
{
	uint64_t ms = half->end_ns / NS_PER_MS - half->start_ns / NS_PER_MS;

	snprintf(cell, CELL_LEN, "%" PRIu64 ".%03u", ms / MS_PER_S,
	    (unsigned)(ms % MS_PER_S));
}

/* Source and destination: with ports, ICMP type and code, or neither. */
static void
put_endpoints(struct row *row, const struct flow_record *rec)
{
	char src[8] = "", dst[8] = "";

	/* Both 0 means not known (a later fragment), or not in the key. */
	if (has_ports(rec->protocol) &&
	    (rec->src_port != 0 || rec->dst_port != 0)) {
		snprintf(src, sizeof(src), "%u", rec->src_port);
		snprintf(dst, sizeof(dst), "%u", rec->dst_port);
	} else if (protocol_is_icmp(rec->protocol)) {
		snprintf(dst, sizeof(dst), "%u.%u", (unsigned)rec->icmp >> 8,
		    rec->icmp & 0xffU);
	}
	put_endpoint(
	    row->cell[COLUMN_SRC], CELL_LEN, rec->ip_version, rec->src, src);
	put_endpoint(
	    row->cell[COLUMN_DST], CELL_LEN, rec->ip_version, rec->dst, dst);
}

/* The low eight flags, a letter or a dot each. */
static void
put_flags(char cell[CELL_LEN], const struct flow_record *rec)
{
	static const char letter[] = "CEUAPRSF";

	if (rec->protocol != IPPROTO_TCP) {
		strlcpy(cell, "-", CELL_LEN);
		return;
	}
	strlcpy(cell, "........", CELL_LEN);
	for (unsigned i = 0; i < 8; i++) {
		if ((rec->fwd.tcp_flags & 0x80U >> i) != 0)
			cell[i] = letter[i];
	}
}

static void
format_row(struct row *row, const struct flow_record *rec)
{
	const struct flow_half *half = &rec->fwd;
	char buf[8];

	printer_time(row->cell[COLUMN_START], half->start_ns);
	put_duration(row->cell[COLUMN_DURATION], half);
	strlcpy(row->cell[COLUMN_PROTOCOL],
	    printer_protocol(buf, rec->protocol), CELL_LEN);
	put_endpoints(row, rec);
	put_flags(row->cell[COLUMN_FLAGS], rec);
	snprintf(row->cell[COLUMN_TOS], CELL_LEN, "0x%02x", half->tos);
	snprintf(
	    row->cell[COLUMN_PACKETS], CELL_LEN, "%" PRIu64, half->packets);
	snprintf(row->cell[COLUMN_OCTETS], CELL_LEN, "%" PRIu64, half->octets);
	strlcpy(row->cell[COLUMN_END], printer_end_reason(rec->end_reason),
	    CELL_LEN);
}

static void
fit_columns(struct printer *p, const struct row *row)
{
	for (int i = 0; i < COLUMNS; i++) {
		int len = (int)strlen(row->cell[i]);

		if (len > p->width[i])
			p->width[i] = len;
	}
}

/* The last column is not padded: no line ends in blanks. */
static void
write_cell(struct printer *p, int i, const char *text)
{
	int width = i == COLUMNS - 1 ? 0 : p->width[i];

	fprintf(p->out, "%s%*s", i == 0 ? "" : "  ",
	    column[i].right ? width : -width, text);
}

static void
write_row(struct printer *p, const struct export_record *rec)
{
	struct row row = { .cell = { "" } };

	format_row(&row, &rec->flow);
	fit_columns(p, &row);
	for (int i = 0; i < COLUMNS; i++)
		write_cell(p, i, row.cell[i]);
	record_chosen(p->out, rec, p->fields);
	putc('\n', p->out);
}

/* Write the header line and the lines held back, all columns fitting. */
static void
release_rows(struct printer *p)
{
	struct row row;

	for (size_t i = 0; i < p->nheld; i++) {
		format_row(&row, &p->held[i].flow);
		fit_columns(p, &row);
	}
	for (int i = 0; i < COLUMNS; i++)
		write_cell(p, i, column[i].title);
	putc('\n', p->out);
	for (size_t i = 0; i < p->nheld; i++)
		write_row(p, &p->held[i]);
	p->nheld = 0;
	p->begun = true;
}

/* Remember the first failure; errno is still that of the failed write. */
static void
note_error(struct printer *p, bool failed)
{
	if (failed && p->error == 0)
		p->error = errno != 0 ? errno : EIO;
}

static void
add_line(struct printer *p, const struct export_record *rec)
{
	if (p->error != 0)
		return;
	errno = 0;
	if (p->format == PRINTER_CSV && !p->begun)
		record_csv_titles(p->out, p->fields);
	p->begun |= p->format != PRINTER_TABLE;
	if (p->format == PRINTER_JSON)
		record_json(p->out, rec, p->fields);
	else if (p->format == PRINTER_CSV)
		record_csv(p->out, rec, p->fields);
	else if (p->begun)
		write_row(p, rec);
	else
		p->held[p->nheld++] = *rec;
	if (p->nheld == ROWS_HELD)
		release_rows(p);
	note_error(p, ferror(p->out) != 0);
}

void
printer_add(struct printer *p, const struct flow_record *rec)
{
	struct field_choice fields = *p->fields;
	struct export_record split[2];
	unsigned n;

	fields.biflow &=
	    p->format != PRINTER_TABLE; /* a line of the table is a direction */
	n = record_split(rec, &fields, split);

	for (unsigned i = 0; i < n; i++)
		add_line(p, &split[i]);
}

void
printer_flush(struct printer *p)
{
	if (p->error != 0)
		return;
	errno = 0;
	if (p->nheld > 0)
		release_rows(p);
	note_error(p, fflush(p->out) != 0 || ferror(p->out) != 0);
}
