/* SPDX-License-Identifier: ISC */
/*
 * ring.h - a bounded, lock-free queue from one thread to another: ended Flow
 * Records on their way to the exporting thread, packets on their way to the
 * cache that meters them.
 */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

/* Octets that ring_new takes with these arguments. */
size_t ring_memory(uint32_t entries, size_t size);

/* A ring of at least `entries` items of `size` octets; NULL with ENOMEM. */
struct ring *ring_new(uint32_t entries, size_t size);

/* NULL is fine. */
void ring_free(struct ring *);

/* How many items fit. */
uint32_t ring_capacity(const struct ring *);

/* How many items are in it; exact only for a thread that owns an end. */
uint32_t ring_used(const struct ring *);

/* Producer: append a copy of *item; false if there is no room. */
bool ring_push(struct ring *, const void *item);

/*
 * Consumer: return the oldest items, and in *n how many stand there in a row;
 * 0 if the ring is empty.  They are valid until ring_release.
 */
void *ring_peek(struct ring *, size_t *n);

/* Consumer: give n items (at most what ring_peek returned) back. */
void ring_release(struct ring *, size_t n);

#endif
