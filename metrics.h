/* SPDX-License-Identifier: ISC */
/*
 * metrics.h - the counters of a run as metrics, for monitoring systems that
 * ask again and again: OpenMetrics 1.0, or the text format of Prometheus.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdio.h>

struct meter_call; /* meter.h */
struct probe;      /* probe.h */

/*
 * The two differ in where a counter's name ends with _total: OpenMetrics has
 * that in its samples alone, Prometheus also in what is said about it.
 */
enum metrics_format { METRICS_OPENMETRICS, METRICS_PROMETHEUS };

/*
 * Write all metrics of a probe, those of its meters from a call that was
 * answered METER_STATS, or is final.  The last line is "# EOF".
 */
void metrics_write(FILE *, enum metrics_format, const struct probe *,
    const struct meter_call *);

/* What Content-Type says of a format. */
const char *metrics_content_type(enum metrics_format);

/*
 * The format for a client that accepts what an HTTP header Accept says (RFC
 * 9110 s12.5.1); NULL = it did not say.
 */
enum metrics_format metrics_accepted(const char *accept);

#endif
