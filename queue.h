/* SPDX-License-Identifier: ISC */
/*
 * queue.h - messages that wait for one collector: whole ones, in order, in a
 * bounded number of octets.
 *
 * All memory is taken in queue_new(), and of that only as much is touched as
 * ever waits at a time.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

/* What the Data Records in a message account for. */
struct cargo {
	uint64_t records, packets, octets;
};

struct queued {
	uint8_t *data; /* in the queue */
	size_t len;
	struct cargo cargo;
};

/* Create an empty queue for so many octets.  NULL with errno. */
struct queue *queue_new(size_t octets);

/* Octets that queue_new takes, those told included. */
size_t queue_memory(size_t octets);

/* NULL is fine. */
void queue_free(struct queue *);

/* How many messages wait. */
size_t queue_count(const struct queue *);

/* How many octets they have. */
size_t queue_octets(const struct queue *);

/* Whether n more messages of `len` octets each are sure to find room. */
bool queue_has_room(const struct queue *, size_t n, size_t len);

/* Append a copy of a message: 0, or -1 if there is no room. */
int queue_put(
    struct queue *, const void *data, size_t len, const struct cargo *);

/* Message i < queue_count(), 0 being the next to leave; until it is taken. */
const struct queued *queue_peek(const struct queue *, size_t i);

/* Remove the next message to leave; there must be one. */
void queue_take(struct queue *);

#endif
