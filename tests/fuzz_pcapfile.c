/* SPDX-License-Identifier: ISC */
/*
 * fuzz_pcapfile.c - any octets as a capture file to both readers (libFuzzer).
 *
 * They must give the same packets, statistics and result, or refuse the file
 * with the same words.  The last octet also chooses a filter, and a magic
 * number to put in front, so that few inputs are spent on what no reader reads.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "readers.h"

static const char *const filters[] = { NULL, "ip", "udp or icmp6", "less 80" };
static const char *const magics[] = { "", "\xd4\xc3\xb2\xa1",
	"\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d",
	"\x34\xcd\xb2\xa1", "\xa1\xb2\xcd\x34" };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Most inputs name no known link type, and each is warned about: hide that. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char hide[] = "-close_fd_mask=2", *longer[64];

	if (*argc + 2 > (int)(sizeof(longer) / sizeof(*longer)))
		abort();
	for (int i = 0; i < *argc; i++)
		longer[i] = (*argv)[i];
	longer[(*argc)++] = hide;
	*argv = longer;
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *magic, *what;
	uint8_t choice;
	char path[64];
	int fd;

	if (len < 4)
		return 0;
	choice = data[len - 1];
	magic = magics[choice / 4 % (sizeof(magics) / sizeof(*magics))];
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	if (fd == -1 || write(fd, data, len) != (ssize_t)len ||
	    pwrite(fd, magic, strlen(magic), 0) != (ssize_t)strlen(magic))
		abort();
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	what = readers_differ(path, filters[choice % 4]);
	if (what != NULL) {
		(void)fprintf(stderr, "the readers differ in: %s\n", what);
		abort();
	}
	close(fd);
	return 0;
}
