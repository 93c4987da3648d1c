/* SPDX-License-Identifier: ISC */
/*
 * fuzz_pcapfile.c - any octets as a capture file to both readers (libFuzzer).
 *
 * They must give the same packets, statistics and result, or refuse the file
 * with the same words.  The last octet also chooses a filter, and a magic
 * number to put in front, so that few inputs are spent on what no reader reads.
 */
#include "fuzz.h"
#include "readers.h"

#define FILE_MAX 65536

static const char *const filters[] = { NULL, "ip", "udp or icmp6", "less 80" };
static const char *const magics[] = { "", "\xd4\xc3\xb2\xa1",
	"\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d",
	"\x34\xcd\xb2\xa1", "\xa1\xb2\xcd\x34" };

/* Most inputs name no known link type, and each is warned about: hide that. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	hide_stderr(argc, argv);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t file[FILE_MAX];
	const char *magic, *what;
	uint8_t choice;

	if (len < 4 || len > sizeof(file))
		return 0;
	choice = data[len - 1];
	magic = magics[choice / 4 % (sizeof(magics) / sizeof(*magics))];
	memcpy(file, data, len);
	if (*magic != '\0')
		memcpy(file, magic, 4);
	what = readers_differ(file_of(file, len), filters[choice % 4]);
	if (what != NULL) {
		(void)fprintf(stderr, "the readers differ in: %s\n", what);
		abort();
	}
	return 0;
}
