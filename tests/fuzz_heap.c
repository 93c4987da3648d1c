/* SPDX-License-Identifier: ISC */
/*
 * fuzz_heap.c - large blocks of memory, given again, for the fuzz targets.
 *
 * The sanitizer maps a large block anew each time, and all of its shadow: that
 * was two thirds of the time of reading a small capture file.  Here it is kept
 * when it is freed, poisoned until it is given again, so that a use of it is
 * still found; so are one that is freed twice and one that is lost.
 *
 * The program's malloc(3) and its kin come here by the linker's --wrap.
 */
#include <sanitizer/asan_interface.h>

#include "fuzz.h"

#define LARGE 131072 /* octets that the sanitizer has no size class for */
#define KEPT_MAX 8

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);

/* The address of one in use is inverted: here it shall not count as known. */
static struct block {
	uintptr_t at; /* 0 = none */
	size_t size;
	bool used;
} kept[KEPT_MAX];

static struct block *
find(uintptr_t at)
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (kept[i].at == at)
			return &kept[i];
	return NULL;
}

void *
__wrap_malloc(size_t size)
{
	struct block *b;
	void *p;

	for (size_t i = 0; size >= LARGE && i < KEPT_MAX; i++) {
		b = &kept[i];
		if (b->at == 0 || b->used || b->size != size)
			continue;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): see at */
		p = (void *)b->at;
		b->at = ~b->at;
		b->used = true;
		ASAN_UNPOISON_MEMORY_REGION(p, size);
		return p;
	}
	p = __real_malloc(size);
	if (p != NULL && size >= LARGE && (b = find(0)) != NULL)
		*b = (struct block){ ~(uintptr_t)p, size, true };
	return p;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	void *p;

	if (size == 0 || n > SIZE_MAX / size || n * size < LARGE)
		return __real_calloc(n, size);
	p = __wrap_malloc(n * size);
	if (p != NULL)
		memset(p, 0, n * size);
	return p;
}

void *
__wrap_realloc(void *p, size_t size)
{
	require(p == NULL || find(~(uintptr_t)p) == NULL); /* as of yet */
	return __real_realloc(p, size);
}

void
__wrap_free(void *p)
{
	struct block *b = p == NULL ? NULL : find(~(uintptr_t)p);

	require(p == NULL || find((uintptr_t)p) == NULL); /* freed before */
	if (b == NULL) {
		__real_free(p);
		return;
	}
	b->at = (uintptr_t)p;
	b->used = false;
	ASAN_POISON_MEMORY_REGION(p, b->size);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
