/* SPDX-License-Identifier: ISC */
/*
 * sizing.h - how large a configuration makes the parts of softprobe, and how
 * much memory they take together.
 */
#ifndef SIZING_H
#define SIZING_H

#include <stdio.h>

#include "meter.h"

struct config; /* config.h */

/* What each metering thread is made from: its share of the flows, its ring. */
struct meter_config sizing_meter(const struct config *);

/*
 * Write one line: the most memory that will be resident, whatever the traffic
 * is and however long the run, and what takes it.
 */
void sizing_describe(FILE *, const struct config *);

#endif
