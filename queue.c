/* SPDX-License-Identifier: ISC */
/*
 * queue.c - messages that wait for one collector; see queue.h.
 *
 * A message is never cut in two: where it does not fit before the end of the
 * memory it begins at the front again.  A queue that has run empty begins at
 * the front, too, so that one that is always emptied soon stays in the cache
 * of the processor.
 */
#include <stdlib.h>
#include <string.h>

#include "queue.h"

#define MESSAGE_LEAST 64 /* octets; smaller ones are counted as large */

struct queue {
	size_t size;         /* octets of memory */
	size_t entries;      /* messages there is a place for */
	size_t first, count; /* of entry */
	size_t octets;
	struct queued *entry;
	uint8_t *memory;
};

static size_t
entries_for(size_t octets)
{
	return octets / MESSAGE_LEAST + 1;
}

size_t
queue_memory(size_t octets)
{
	return sizeof(struct queue) +
	       entries_for(octets) * sizeof(struct queued) + octets;
}

struct queue *
queue_new(size_t octets)
{
	struct queue *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->size = octets;
	q->entries = entries_for(octets);
	q->entry = calloc(q->entries, sizeof(q->entry[0]));
	q->memory = malloc(octets);
	if (q->entry != NULL && q->memory != NULL)
		return q;
	queue_free(q);
	return NULL;
}

void
queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	free(q->entry);
	free(q->memory);
	free(q);
}

size_t
queue_count(const struct queue *q)
{
	return q->count;
}

size_t
queue_octets(const struct queue *q)
{
	return q->octets;
}

const struct queued *
queue_peek(const struct queue *q, size_t i)
{
	return &q->entry[(q->first + i) % q->entries];
}

/* The free stretches of memory: after the last message, and before the first
 * where that is another one. */
static void
free_stretches(const struct queue *q, size_t *after, size_t *before)
{
	const struct queued *first, *last;
	size_t begin, end;

	*after = q->size;
	*before = 0;
	if (q->count == 0)
		return;
	first = queue_peek(q, 0);
	last = queue_peek(q, q->count - 1);
	begin = (size_t)(first->data - q->memory);
	end = (size_t)(last->data - q->memory) + last->len;
	if (last->data >= first->data) {
		*after = q->size - end;
		*before = begin;
	} else {
		*after = begin - end;
	}
}

bool
queue_has_room(const struct queue *q, size_t n, size_t len)
{
	size_t after, before;

	free_stretches(q, &after, &before);
	return q->entries - q->count >= n &&
	       (after >= n * len || after / len + before / len >= n);
}

int
queue_put(
    struct queue *q, const void *data, size_t len, const struct cargo *cargo)
{
	size_t after, before;
	struct queued *e;
	uint8_t *at;

	free_stretches(q, &after, &before);
	if (q->count == q->entries || (len > after && len > before))
		return -1;
	at = q->memory;
	if (q->count > 0 && len <= after) {
		const struct queued *last = queue_peek(q, q->count - 1);

		at += (size_t)(last->data - q->memory) + last->len;
	}
	memcpy(at, data, len);
	e = &q->entry[(q->first + q->count++) % q->entries];
	*e = (struct queued){ at, len, *cargo };
	q->octets += len;
	return 0;
}

void
queue_take(struct queue *q)
{
	q->octets -= queue_peek(q, 0)->len;
	q->first = --q->count == 0 ? 0 : (q->first + 1) % q->entries;
}
