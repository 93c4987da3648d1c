/* SPDX-License-Identifier: ISC */
/*
 * meters.h - one Metering Process or several (--workers), as one.
 *
 * Live, every worker captures from all interfaces, the kernel gives each
 * packet to one of them by its flow, and each has a part of the flow cache.
 * In a replay one thread reads and the workers meter.  Nobody outside can
 * tell how many there are but by the order of records.
 */
#ifndef METERS_H
#define METERS_H

#include <stdbool.h>
#include <stddef.h>

#include "meter.h"

struct meters;

#define METERS_MAX 32

/* Create a group without members; NULL with ENOMEM. */
struct meters *meters_new(void);

/* Free the group and its members, whose threads do not run.  NULL is fine. */
void meters_free(struct meters *);

/* Add a member, owned from now on.  0, or -1 and it is freed (NULL is fine). */
int meters_add(struct meters *, struct meter *);

/* Have the last member read for all others, the shards. */
void meters_share_reader(struct meters *);

size_t meters_count(const struct meters *);

/* Whether ended flows wait in a ring. */
bool meters_wait(struct meters *);

/* The ring of member i < meters_count(). */
struct ring *meters_ring(struct meters *, size_t i);

/* As meter_extra_ring, of member i. */
struct ring *meters_extra_ring(struct meters *, size_t i);

/* Tell member i that its ring has room again. */
void meters_room(struct meters *, size_t i);

/* As meter_start: 0, or -1 with errno; what was started is stopped again. */
int meters_start(struct meters *);

/*
 * As meter_ask, to every member (METER_LIST: to one after the other).  The
 * answers are added up in the call when meters_answered() says true.
 */
int meters_ask(struct meters *, struct meter_call *);
bool meters_answered(struct meters *);

/* As meter_stop, meter_ended, meter_join, meter_final_stats, for all. */
void meters_stop(struct meters *, bool discard);
bool meters_ended(const struct meters *);
int meters_join(struct meters *);
void meters_final_stats(struct meters *, struct meter_call *);

/* Replay: how far the reading is, 0 to 1000; -1 where not known. */
int meters_permille(const struct meters *);

#endif
