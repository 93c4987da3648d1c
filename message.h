/* SPDX-License-Identifier: ISC */
/*
 * message.h - one datagram being filled: sets, lengths, padding, roll-back.
 *
 * What the formats share.  What each does not share is its struct dialect,
 * in netflow1.c, netflow5.c, netflow9.c and ipfix.c.  "Set" and "Message" are
 * RFC 7011's words; in NetFlow v9 they are FlowSet and Export Packet.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "ie.h"

#define MESSAGE_MAX 9000 /* octets; the largest --mtu */
#define MESSAGE_MIN 256  /* octets; any one record by default fits */

struct message;

struct dialect {
	const char *name;
	uint16_t version;
	enum dialect_bit bit;
	uint16_t header_len;
	bool has_sets;         /* Templates, and Sets around records */
	uint16_t template_set; /* Set ID of a Template Set */
	uint16_t options_set;  /* ... of an Options Template Set */
	uint16_t records_max;  /* in one message; 0 = as many as fit */
	uint32_t interval_max; /* sampling its header tells; 0 = not there */
	uint32_t domain_max;   /* domain its header tells; 0 = any, or none */
	bool relative_times;   /* counted from boot_ns, in 32 bits of ms */
	/* How far a finished message moves the sequence number. */
	uint32_t (*advance)(const struct message *);
	/* Write the header_len octets at the front of a finished message. */
	void (*header)(struct wbuf *, const struct message *);
};

extern const struct dialect dialect_netflow1, dialect_netflow5,
    dialect_netflow9, dialect_ipfix;

/* The dialect of an export version: 1, 5, 9 or 10; NULL for another. */
const struct dialect *dialect_for(unsigned version);

/*
 * The smallest message in octets that holds any one Template or Data Record of
 * a dialect with Templates, with these fields; 0 if one of them is so short
 * that the padding of a Set would look like another.
 */
size_t message_least(const struct dialect *, const struct field_choice *);

struct message {
	const struct dialect *dialect;
	struct wbuf w;
	uint32_t sequence; /* of this message, as the dialect counts */
	uint32_t domain;   /* Observation Domain ID, source id, engine id */
	struct sampling sampling;
	uint64_t boot_ns;         /* origin of sysUptime; whole milliseconds */
	uint64_t time_ns;         /* when it leaves */
	uint64_t latest_ns;       /* newest flow end in it */
	uint32_t records;         /* Data Records in it ... */
	uint32_t flows;           /* ... that are Flow Records */
	uint32_t events;          /* ... or of NAT events */
	uint32_t templates;       /* Template Records in it */
	uint64_t packets, octets; /* that its Data Records account for */
	size_t set_at;            /* where the open Set starts; 0 = none */
	uint16_t set_id;
	uint8_t buf[MESSAGE_MAX];
};

/* Begin an empty message of at most `size` octets, header included. */
void message_begin(struct message *, const struct dialect *, size_t size);

/* Whether there is nothing in it yet. */
bool message_empty(const struct message *);

/* Append a Template or Options Template Record.  0, or -1 if it does not fit
 * (nothing changed). */
int message_template(struct message *, const struct template *);

/* Append an Options Data Record.  As message_record. */
int message_option(
    struct message *, const struct template *, const struct option_record *);

/* Append the Data Record of a NAT event.  As message_record. */
int message_event(
    struct message *, const struct template *, const struct nat_event *);

/* Append the Data Record of a flow.  0, or -1 if it does not fit (nothing
 * changed). */
int message_record(
    struct message *, const struct template *, const struct flow_record *);

/*
 * Whether relative times of the record (v5, v9) can be told from the
 * message's boot_ns on; always true for a dialect with absolute times.
 */
bool message_spans(const struct message *, const struct flow_record *);

/*
 * Close the last Set and write the header; then w holds the datagram.
 * boot_ns, time_ns, sequence and domain must be set.
 */
void message_end(struct message *);

#endif
