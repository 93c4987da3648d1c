/* SPDX-License-Identifier: ISC */
/*
 * exporter.h - the Exporting Process (RFC 7011 s2): Flow Records to messages,
 * to every collector, each with its own templates, sequence and counters.
 */
#ifndef EXPORTER_H
#define EXPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"
#include "ie.h" /* struct field_choice */
#include "transport.h"

struct flow_record; /* record.h */
struct wake;        /* wake.h */
struct exporter;

/* Who gets a record, of several collectors. */
enum export_mode {
	EXPORT_REPLICATE, /* all */
	EXPORT_BALANCE,   /* one, chosen by conversation */
	EXPORT_FAILOVER /* the first that is up, in the order they were added */
};

struct exporter_config {
	enum export_mode mode;
	uint32_t process_id;        /* of the metering and exporting process */
	struct field_choice fields; /* of records */
	struct sampling sampling;   /* that the packets of records underwent */
	uint32_t rate;   /* datagrams a second to each collector; 0 = no cap */
	bool nat_events; /* are told to collectors that can be */
	bool replay;     /* time comes from the records alone */
	const struct wake *wake;
};

/* What became of all records, for one collector. */
struct collector_stats {
	uint64_t templates;     /* Template Records handed to the transport */
	uint64_t events;        /* of NAT; in what follows, records, too */
	struct cargo waiting;   /* in the message being filled */
	struct cargo unfit;     /* the format cannot tell: IPv6 in v1, v5 */
	struct cargo elsewhere; /* another's, by mode or before this one was */
	struct transport_stats transport; /* sent, and lost */
};

/* What the Metering Process tells for the statistics. */
struct metering_counts {
	uint64_t observed_packets, selected_packets; /* by sampling */
	uint64_t ignored_packets, ignored_octets;
	struct time_span ignored_span;
	uint64_t dropped_packets; /* that the kernel or an interface lost */
	struct cargo lost;        /* records that never came to be exported */
	uint64_t time_ns;         /* of the newest packet */
};

/* A row of the interface table; strings are UTF-8. */
struct exporter_interface {
	uint32_t ifindex;
	const char *name, *description;
};

/* Create an Exporting Process without collectors.  NULL with errno. */
struct exporter *exporter_new(const struct exporter_config *);

/* Messages not flushed are lost.  NULL is fine. */
void exporter_free(struct exporter *);

/* Octets that a collector takes, at most. */
size_t exporter_memory(const struct collector_config *);

/*
 * Add a collector, whose strings must outlive the exporter.  0, or -1 with
 * errno; EINVAL if its version is none.
 */
int exporter_add_collector(struct exporter *, const struct collector_config *);

/*
 * Change to other settings and to n > 0 other collectors, live.  A collector
 * that is the same as one there is stays what it is: its session, sequence and
 * queue, its templates too unless the fields change, which then have other
 * Template IDs (RFC 7011 s8).  One that is not there any more is sent what
 * waits for it, for a few seconds.  What was added before is exported as it was
 * then.  Strings must outlive the exporter or the next change; wake, process
 * and whether it is a replay stay as they are.  0, or -1 with errno and nothing
 * is changed.
 */
int exporter_change(struct exporter *, const struct exporter_config *,
    const struct collector_config *, size_t n);

size_t exporter_collectors(const struct exporter *);

/* Whether any collector is told statistics or interfaces. */
bool exporter_tells(const struct exporter *);

/* Who waits for the pace may look again after so long, and loses nothing. */
#define EXPORTER_WAIT_MS 5

/*
 * Whether a record may be added now: the pace allows it and every collector
 * that is up has room.  One added all the same may be dropped.
 */
bool exporter_ready(struct exporter *, uint64_t mono_ns);

/*
 * Export one ended conversation: a record for each half that saw packets, or
 * one biflow.
 */
void exporter_add(struct exporter *, const struct flow_record *);

/*
 * Export a NAT event, if there are to be any: to the collectors that would
 * get the connection's flows, and whose format can tell it.
 */
void exporter_event(struct exporter *, const struct nat_event *);

/* Live: tell the wall clock before records are added. */
void exporter_clock(struct exporter *, uint64_t now_ns);

/*
 * Retry collectors and send what waits in queues.  Live: also send messages
 * that waited long enough and templates that are due.
 */
void exporter_tick(struct exporter *, uint64_t mono_ns);

/* Tell what statistics shall say from now on. */
void exporter_metering(struct exporter *, const struct metering_counts *);

/* Tell the interface table, which is copied.  0, or -1 with ENOMEM. */
int exporter_interfaces(
    struct exporter *, const struct exporter_interface *, size_t n);

/* The end: send statistics for the last time, and all there is. */
void exporter_finish(struct exporter *);

/*
 * Open files of lines anew, which may have been renamed, and complete IPFIX
 * files whose names have the time.
 */
void exporter_reopen(struct exporter *);

/* Send all partly filled messages. */
void exporter_flush(struct exporter *);

/* Send templates to all collectors now. */
void exporter_send_templates(struct exporter *);

/* Whether every name was looked up once, with whatever outcome. */
bool exporter_settled(const struct exporter *);

/* Whether collectors that were removed still use their strings. */
bool exporter_lets_go(const struct exporter *);

/* Whether messages wait in a queue that can still be sent. */
bool exporter_pending(const struct exporter *);

/* End all sessions in good order; what still waits is lost, and counted. */
void exporter_end(struct exporter *);

/* The transport and the counters of collector i < exporter_collectors(). */
struct transport *exporter_transport(const struct exporter *, size_t i);
void exporter_stats(
    const struct exporter *, size_t i, struct collector_stats *);

/* The format collector i is sent, e.g. "IPFIX". */
const char *exporter_format(const struct exporter *, size_t i);

#endif
