/* SPDX-License-Identifier: ISC */
/*
 * ie.h - the Information Elements softprobe exports: one table that drives
 * NetFlow v1, v5, v9 and IPFIX records, templates, JSON and the printed list.
 */
#ifndef IE_H
#define IE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "extra.h"
#include "record.h"

struct wbuf; /* bytes.h */

/* The formats; a row of the table names those it is for. */
enum dialect_bit {
	DIALECT_NF1 = 1,
	DIALECT_NF5 = 2,
	DIALECT_NF9 = 4,
	DIALECT_IPFIX = 8
};

struct ie;

/* The unit of absolute times: RFC 7011 s6.1.7 to s6.1.10. */
enum time_unit { UNIT_MILLI, UNIT_SEC, UNIT_MICRO, UNIT_NANO, TIME_UNITS };

/* What records with chosen fields need from others, beside what all need. */
enum {
	NEED_MAC = 1,        /* the cache: MAC addresses of each direction */
	NEED_FLOW = 2,       /* the cache: a number and total counts of flows */
	NEED_PACKETS = 4,    /* decoder and cache: struct packet_extra */
	NEED_INTERFACES = 8, /* an interface table */
	NEED_SAMPLING = 16,
	NEED_PORTS = 32, /* the cache: interfaces below ingress and egress */
	NEED_DIRECTION = 64, /* records that differ in having one */
	NEED_NAT = 128,      /* connection tracking */
	NEED_CACHE = NEED_MAC | NEED_FLOW | NEED_PACKETS | NEED_PORTS
};

#define FIELD_WORDS 3 /* of 64 rows of the table each */

/* What is chosen, beyond what every record has; all 0 is nothing. */
struct field_choice {
	bool mac;       /* MAC addresses */
	bool biflow;    /* both directions in one record (RFC 5103) */
	bool direction; /* flowDirection, of those of which it is known */
	bool nat;       /* addresses and ports after a NAT */
	enum time_unit unit;
	/* By name: rows of the table that shall be there, and shall not. */
	uint64_t on[FIELD_WORDS], off[FIELD_WORDS];
	unsigned needs;           /* NEED_ bits, as field_needs tells them */
	struct sampling sampling; /* for NEED_SAMPLING */
	const struct option_record *interface; /* for NEED_INTERFACES; */
	size_t ninterfaces;                    /* ... borrowed */
};

/*
 * Choose an element of flow records by its IANA name, or choose to have it
 * not.  With it goes its reverse, if there is one (RFC 5103).  Returns false
 * if no element of that name can be chosen.
 */
bool field_choose(struct field_choice *, const char *name, bool on);

/* Choose of the labels of an MPLS label stack the first n (0 to LABELS_MAX). */
void field_choose_labels(struct field_choice *, unsigned n);

/* The NEED_ bits of what is chosen by name, and of addresses after a NAT. */
unsigned field_needs(const struct field_choice *);

/* Whether an element of the default record is left out by name. */
bool field_left_out(const struct field_choice *, const char *name);

/* Whether anything is chosen by name. */
bool field_any(const struct field_choice *);

/*
 * The name of an element that was chosen by name but has no place in the
 * records of a dialect; NULL if all have one.
 */
const char *field_misfit(const struct field_choice *, enum dialect_bit);

/*
 * The next name that field_choose knows, *row being 0 to begin; NULL at the
 * end.  A name may come more than once.
 */
const char *field_name(size_t *row);

/* Most fields in one template; ie.c asserts that the table has no more. */
#define TEMPLATE_FIELDS_MAX 192

/*
 * A Template: which Information Elements a Data Record has, in which order.
 * `id` is the Template ID (256 and up), or 0 where the format has none.
 */
struct template
{
	uint16_t id;
	uint16_t nfields;
	uint16_t nscope;       /* that are scope; 0 = no Options Template */
	uint16_t template_len; /* octets of the Template Record */
	uint16_t record_len;   /* octets of a Data Record */
	const struct ie *field[TEMPLATE_FIELDS_MAX];
};

/*
 * The Templates of a dialect differ in what a flow has: one bit each.  The
 * Template ID is 256 plus the bits; who changes the fields of templates that
 * were sent adds to it.  Of those that no record can have, it is 0.
 */
enum {
	FLAVOUR_V6 = 1,
	FLAVOUR_ICMP = 2,
	FLAVOUR_VLAN = 4,
	TEMPLATES = 8,
	FLAVOUR_REVERSE = 8, /* only of biflows: both directions saw packets */
	FLAVOUR_DIRECTION = 16, /* only if chosen: direction is known */
	TEMPLATES_MAX = 32
};

/*
 * Fill the templates of a dialect (DIALECT_NF9 or DIALECT_IPFIX) with what is
 * chosen.  Returns one more than the index of the last.
 */
unsigned template_all(
    struct template *, enum dialect_bit, const struct field_choice *);

/*
 * What Options Data Records tell (RFC 7011 s3.4.2, s4).  The Template ID is
 * 512 plus the kind.
 */
enum option_kind {
	OPTION_SAMPLING,  /* how packets were selected */
	OPTION_SAMPLER,   /* the same, as NetFlow v9 collectors also expect */
	OPTION_INTERFACE, /* an ifIndex and its name */
	OPTION_EXPORTER,  /* process identifiers, time of start */
	OPTION_EXPORTED,  /* s4.1: messages, octets, records */
	OPTION_IGNORED,   /* s4.2: packets not metered */
	OPTION_NOT_SENT,  /* s4.3: records that did not leave */
	OPTION_SELECTED,  /* packets a Selector saw and took (RFC 5477 s8.7) */
	OPTION_KINDS
};

/* What an Options Data Record is made from; each kind has its part. */
struct option_record {
	uint32_t domain, metering_process, exporting_process;
	uint32_t interval, spacing; /* packets taken, packets left out */
	uint32_t one_in;            /* the same as one in so many */
	double probability;         /* ... and as IEEE 754 has it on the wire */
	uint32_t ifindex;
	uint16_t selector_algorithm; /* of the registry of RFC 5477 */
	uint8_t selector, sampling_algorithm;
	char interface_name[16], interface_description[64];
	uint64_t init_ns;
	uint8_t exporter_v4[4], exporter_v6[16]; /* one is all 0, or both */
	uint64_t exported_messages, exported_octets, exported_records;
	uint64_t ignored_packets, ignored_octets, dropped_packets;
	struct time_span ignored_span; /* of packets ignored */
	uint64_t not_sent_records, not_sent_packets, not_sent_octets;
	struct time_span not_sent_span; /* of records not sent */
	uint64_t observed_packets, selected_packets;
};

/*
 * A Flow Record on its way to be encoded or printed: what is chosen by name
 * stands behind it.  Where nothing is, only `flow` is there.
 */
struct export_record {
	struct flow_record flow;
	struct half_extra fwd, rev;
	uint64_t flow_id;
	/* With which packets left the box; those of `flow` if it is no NAT. */
	uint8_t post_src[16], post_dst[16];
	uint16_t post_src_port, post_dst_port;
	uint32_t sampling_interval;
	uint8_t sampling_algorithm;
	char interface_name[16], interface_description[64];
};

/*
 * A connection that a NAT began or ceased to translate (RFC 8158).  Of `flow`
 * only addresses, ports, protocol and version count: the originator's.
 */
struct nat_event {
	struct export_record connection;
	uint64_t time_ns;
	uint8_t event; /* natEvent, IE 230 */
};

/* Values of natEvent.  For NAT66 there are only those of before RFC 8158. */
enum {
	NAT_TRANSLATION_CREATE = 1,
	NAT_TRANSLATION_DELETE = 2,
	NAT44_SESSION_CREATE = 4,
	NAT44_SESSION_DELETE = 5
};

/* The Templates of NAT events: of IPv4 and of IPv6. */
#define EVENT_TEMPLATES 2

/* Fill how packets were selected, as each format says it. */
void option_sampling(struct option_record *, const struct sampling *);

/* Fill a row of the interface table; names become UTF-8. */
void option_interface(struct option_record *, uint32_t ifindex,
    const char *name, const char *description);

/*
 * Fill the Options Template of a kind.  Returns whether the dialect has that
 * kind.
 */
bool template_option(struct template *, enum option_kind, enum dialect_bit);

/*
 * Fill the Template of NAT events of IPv4, 0, or IPv6, 1: for NetFlow v9 and
 * IPFIX the same.  The Template ID is 768 plus that.
 */
void template_event(struct template *, unsigned v6);

/*
 * Fill the fixed record layout of NetFlow v1 or v5, 48 octets: a Template that
 * is never sent.
 */
void template_fixed(struct template *, enum dialect_bit);

/* The index of the template that fits the record. */
unsigned template_flavour(const struct flow_record *);

/*
 * Append a Template Record (RFC 7011 s3.4.1, RFC 3954 s5.2) or an Options
 * Template Record (RFC 7011 s3.4.2, RFC 3954 s6.1).
 */
void template_put(const struct template *, enum dialect_bit, struct wbuf *);

/*
 * Append the Data Record of a struct export_record as record_split made it
 * (with nothing chosen by name, a struct flow_record will do) or, of an
 * Options Template, of a struct option_record, or of one of NAT events, of a
 * struct nat_event.  boot_ns is what relative times
 * are counted from (v5 and v9).
 */
void record_put(const struct template *, struct wbuf *, const void *record,
    uint64_t boot_ns);

/*
 * Write a record as record_split made it as one line of JSON with IANA
 * element names.
 */
void record_json(
    FILE *, const struct export_record *, const struct field_choice *);

/*
 * Write it as one line of CSV (RFC 4180), a column for each element that
 * records of any kind have, or the line of their IANA names.
 */
void record_csv(
    FILE *, const struct export_record *, const struct field_choice *);
void record_csv_titles(FILE *, const struct field_choice *);

/*
 * Write what is chosen by name as words " name=value", each with a blank in
 * front; and how a NAT translates, where it does.
 */
void record_chosen(
    FILE *, const struct export_record *, const struct field_choice *);

/*
 * Print the table, one element a line: number, octets, formats, whether it is
 * in the default record (*) or can be chosen (+), name.
 */
void ie_list(FILE *);

/*
 * Turn a conversation round: *out is the record of the reverse direction.
 * ICMP type and code, which are no ports, stay what they are.
 */
void record_reverse(const struct flow_record *in, struct flow_record *out);

/*
 * Make the records of a conversation as they are exported, and return how
 * many: one for each half that saw packets, as its forward half; or one
 * biflow, whose source saw packets.  What stands behind `flow` is filled if
 * something needs it.
 */
unsigned record_split(const struct flow_record *, const struct field_choice *,
    struct export_record out[2]);

#endif
