/* SPDX-License-Identifier: ISC */
/*
 * fuzz_reply.c - any octets as a daemon's reply to softprobectl.
 *
 * What follows a first line "ok" comes out octet for octet, with status 0;
 * anything else gives status 1 and nothing on standard output.
 */
#define main softprobectl_main
int softprobectl_main(int argc, char **argv);
#include "softprobectl.c" /* NOLINT(bugprone-suspicious-include) */
#undef main

#include <sys/mman.h>

#include "fuzz.h"

#define REPLY_MAX 65536 /* fits a socket's buffer */

static int output = -1; /* what stdout writes to */

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	hide_stderr(argc, argv);
	output = memfd_create("output", MFD_CLOEXEC);
	require(output != -1 && fflush(stdout) == 0);
	require(dup2(output, STDOUT_FILENO) == STDOUT_FILENO);
	return 0;
}

/* What came out, compared; and made ready for the next one. */
static void
check_output(const uint8_t *data, size_t size)
{
	static uint8_t out[REPLY_MAX];

	require(pread(output, out, sizeof(out), 0) == (ssize_t)size);
	require(memcmp(out, data, size) == 0);
	require(ftruncate(output, 0) == 0);
	require(lseek(output, 0, SEEK_SET) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool ok = size >= 3 && memcmp(data, "ok\n", 3) == 0;
	int fd[2], status;

	if (size > REPLY_MAX)
		return 0;
	require(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
	require(write(fd[1], data, size) == (ssize_t)size);
	close(fd[1]);
	status = copy_reply(fd[0], "socket", stdout);
	close(fd[0]);
	require(status == (ok ? EXIT_SUCCESS : EXIT_FAILURE));
	check_output(ok ? data + 3 : data, ok ? size - 3 : 0);
	return 0;
}
