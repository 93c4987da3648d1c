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

/* All counters, both sides of the account, so that they can be added up. */
void report_statistics(FILE *, bool json, const struct meter_call *,
    struct exporter *, uint64_t elapsed_ns);

void report_collectors(FILE *, bool json, struct exporter *);
void report_interfaces(FILE *, bool json, const struct meter_call *);
void report_timeouts(FILE *, bool json, const struct meter_call *);

#endif
