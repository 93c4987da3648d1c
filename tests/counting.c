/* SPDX-License-Identifier: ISC */
/*
 * counting.c - a library to preload that counts allocations.
 *
 * COUNT_LOG=FILE gets one number at the end: how many there were, by whomever.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static atomic_long allocations;
static int log_fd = -1;

static void
count(void)
{
	(void)atomic_fetch_add(&allocations, 1);
}

void *
malloc(size_t size)
{
	count();
	return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	count();
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	count();
	return __libc_realloc(p, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	count();
	return __libc_memalign(alignment, size);
}

/* Later the sandbox would keep us from it. */
__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("COUNT_LOG");

	if (path != NULL)
		log_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
}

__attribute__((destructor)) static void
end(void)
{
	char line[24];
	int len =
	    snprintf(line, sizeof(line), "%ld\n", atomic_load(&allocations));

	if (log_fd != -1 && write(log_fd, line, (size_t)len) != len)
		abort();
}
