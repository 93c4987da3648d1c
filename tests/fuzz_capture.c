/* SPDX-License-Identifier: ISC */
/*
 * fuzz_capture.c - any octets as a capture file (libFuzzer).
 *
 * Whatever the file, every frame is a packet or one named discard, bursts
 * keep their size, and the clock never runs backwards.
 */
#include "capture.h"
#include "fuzz.h"

static struct {
	uint64_t packets, clock_ns;
} seen;

static void
on_burst(struct packet *p, struct packet_extra *extra, size_t n, void *arg)
{
	(void)arg;
	require(extra == NULL);
	require(n > 0 && n <= CAPTURE_BURST);
	seen.packets += n;
	for (size_t i = 0; i < n; i++) {
		require(p[i].clock_ns >= seen.clock_ns);
		require(p[i].ip_version == 4 || p[i].ip_version == 6);
		seen.clock_ns = p[i].clock_ns;
	}
}

static void
check_sums(const struct capture_stats *s)
{
	uint64_t sum = s->packets + s->gathering_off;

	for (size_t i = 0; i < DECODE_STATUSES; i++)
		sum += s->discard[i];
	require(s->discard[DECODE_OK] == 0);
	require(s->frames == sum);
	require(s->packets == seen.packets);
}

static void
read_whole(const char *path)
{
	static const struct capture_config config = { .snaplen = 128 };
	char errbuf[CAPTURE_ERROR_LEN];
	struct capture *c = capture_open_file(path, 0, &config, NULL, errbuf);

	if (c == NULL)
		return;
	seen.packets = seen.clock_ns = 0;
	while (capture_read(c, 0, on_burst, NULL) == CAPTURE_MORE)
		require(capture_permille(c) <= 1000);
	check_sums(capture_stats(c));
	capture_close(c);
}

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
	read_whole(file_of(data, len));
	return 0;
}
