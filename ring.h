/* SPDX-License-Identifier: ISC */
/*
 * ring.h - ended Flow Records on their way from one metering thread to the
 * exporting thread: bounded, lock-free, one producer and one consumer.
 */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flow_record;
struct ring;

/* A ring of at least `entries` records; NULL with ENOMEM. */
struct ring *ring_new(uint32_t entries);

/* NULL is fine. */
void ring_free(struct ring *);

/* How many records fit. */
uint32_t ring_capacity(const struct ring *);

/* How many records are in it; exact only for a thread that owns an end. */
uint32_t ring_used(const struct ring *);

/* Producer: append a copy of *rec; false if there is no room. */
bool ring_push(struct ring *, const struct flow_record *rec);

/*
 * Consumer: point *first at the oldest records and return how many stand
 * there in a row; 0 if the ring is empty.  They are valid until ring_release.
 */
size_t ring_peek(struct ring *, const struct flow_record **first);

/* Consumer: give n records (at most what ring_peek returned) back. */
void ring_release(struct ring *, size_t n);

#endif
