/* SPDX-License-Identifier: ISC */
/*
 * ring.c - a bounded queue between two threads; see ring.h.
 *
 * Only the producer writes `head`, only the consumer writes `tail`; each keeps
 * the other's count as it last saw it, so that the line they share is read
 * only when the ring looks full or empty.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ring.h"

#define CACHE_LINE 64

struct ring {
	uint8_t *slot;
	size_t size; /* octets of an item */
	uint32_t mask;
	_Alignas(CACHE_LINE) atomic_uint_least32_t head; /* items ever put */
	uint32_t tail_seen;
	_Alignas(CACHE_LINE) atomic_uint_least32_t tail; /* items ever taken */
	uint32_t head_seen;
};

/* How many slots there are for so many entries: a power of two. */
static uint32_t
slots(uint32_t entries)
{
	uint32_t size = 1;

	while (size < entries && size < UINT32_C(0x80000000))
		size *= 2;
	return size;
}

size_t
ring_memory(uint32_t entries, size_t item_size)
{
	return sizeof(struct ring) + slots(entries) * item_size;
}

struct ring *
ring_new(uint32_t entries, size_t item_size)
{
	uint32_t size = slots(entries);
	struct ring *r;

	r = aligned_alloc(CACHE_LINE, sizeof(*r));
	if (r == NULL)
		return NULL;
	*r = (struct ring){ .size = item_size, .mask = size - 1 };
	r->slot = calloc(size, item_size);
	if (r->slot == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

void
ring_free(struct ring *r)
{
	if (r == NULL)
		return;
	free(r->slot);
	free(r);
}

uint32_t
ring_capacity(const struct ring *r)
{
	return r->mask + 1;
}

uint32_t
ring_used(const struct ring *r)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);

	return atomic_load_explicit(&r->head, memory_order_acquire) - tail;
}

bool
ring_push(struct ring *r, const void *item)
{
	uint32_t head = atomic_load_explicit(&r->head, memory_order_relaxed);

	if (head - r->tail_seen > r->mask) {
		r->tail_seen =
		    atomic_load_explicit(&r->tail, memory_order_acquire);
		if (head - r->tail_seen > r->mask)
			return false;
	}
	memcpy(r->slot + (head & r->mask) * r->size, item, r->size);
	atomic_store_explicit(&r->head, head + 1, memory_order_release);
	return true;
}

void *
ring_peek(struct ring *r, size_t *n)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint32_t to_wrap = r->mask + 1 - (tail & r->mask), used;

	if (r->head_seen == tail)
		r->head_seen =
		    atomic_load_explicit(&r->head, memory_order_acquire);
	used = r->head_seen - tail;
	*n = used < to_wrap ? used : to_wrap;
	return r->slot + (tail & r->mask) * r->size;
}

void
ring_release(struct ring *r, size_t n)
{
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	atomic_store_explicit(
	    &r->tail, tail + (uint32_t)n, memory_order_release);
}
