/* SPDX-License-Identifier: ISC */
/*
 * fuzz.h - what the fuzz targets share: a requirement that is not met ends the
 * run as a finding; words that are shown to people must be showable.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void
require(bool holds)
{
	if (!holds)
		abort();
}

/* A refusal in words: one line, not empty, no control characters. */
static inline void
require_one_line(const char *text)
{
	require(*text != '\0');
	for (; *text != '\0'; text++)
		require((unsigned char)*text >= ' ' && *text != 0x7f);
}

/* What the program says to people is not wanted here: have libFuzzer hide it.
 */
static inline void
hide_stderr(int *argc, char ***argv)
{
	static char hide[] = "-close_fd_mask=2";
	static char *longer[64];

	require(*argc < 62);
	for (int i = 0; i < *argc; i++)
		longer[i] = (*argv)[i];
	longer[(*argc)++] = hide;
	*argv = longer;
}

static inline void
hide_stdout(void)
{
	require(freopen("/dev/null", "w", stdout) != NULL);
}

/* The path of a file of these octets; it is good until the next one. */
static inline const char *
file_of(const uint8_t *data, size_t size)
{
	static char path[64];
	static int fd = -1;

	if (fd == -1)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	require(fd != -1 && ftruncate(fd, (off_t)size) == 0);
	require(pwrite(fd, data, size, 0) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

/* The octets as text of their own, which ends where they do. */
static inline char *
text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
