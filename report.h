/* SPDX-License-Identifier: ISC */
/*
 * report.h - the counters of a run as text or JSON: the summary of a replay,
 * and what `softprobectl statistics`, `collectors` and `interfaces` show.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct exporter;   /* exporter.h */
struct meter_call; /* meter.h: answered METER_STATS, or final */
struct meter_stats;
struct router; /* router.h; NULL: all records were exported */

/* Both sides of the account: each packet received is in one of the others. */
struct account {
	uint64_t received, in_records, in_flows, ignored, deleted;
	uint64_t again;       /* counted at another interface */
	uint64_t own, second; /* in records that were left out */
	int64_t off_by;       /* received less all others; 0 = balanced */
};

/*
 * Add both sides up.  What active flows hold is what came into the cache less
 * what left it; a cache that has no flow cannot hold packets, so any left
 * over then are off.  Records may have been judged since the meters were asked.
 */
struct account report_account(
    const struct meter_stats *, const struct router *);

/* The counter of 4 or 8 octets that stands at an offset. */
uint64_t report_value(const void *base, size_t offset, size_t size);

/* All counters, both sides of the account, so that they can be added up. */
void report_statistics(FILE *, bool json, const struct meter_call *,
    const struct router *, struct exporter *, uint64_t elapsed_ns);

void report_collectors(FILE *, bool json, struct exporter *);
void report_interfaces(FILE *, bool json, const struct meter_call *);
void report_timeouts(FILE *, bool json, const struct meter_call *);

#endif
