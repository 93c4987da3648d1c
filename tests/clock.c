/* SPDX-License-Identifier: ISC */
/*
 * clock.c - a library to preload that moves a program's wall clock: by as many
 * seconds as the file CLOCK_STEP holds as a 64-bit number of the host, for what
 * the program asks and for what libpcap gives.  No other clock is touched.
 */
#include <sys/mman.h>
#include <sys/time.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static volatile const int64_t *step_s;

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("CLOCK_STEP");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *at = mmap(NULL, sizeof(*step_s), PROT_READ, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		abort();
	step_s = at;
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);
	int result;

	if (real == NULL)
		real = (int (*)(clockid_t, struct timespec *))dlsym(
		    RTLD_NEXT, "clock_gettime");
	result = real(id, ts);
	if (id == CLOCK_REALTIME && step_s != NULL)
		ts->tv_sec += (time_t)*step_s;
	return result;
}

struct wrapped {
	pcap_handler handler;
	u_char *arg;
};

static void
moved(u_char *arg, const struct pcap_pkthdr *h, const u_char *octets)
{
	const struct wrapped *w = (const void *)arg;
	struct pcap_pkthdr header = *h;

	header.ts.tv_sec += (time_t)*step_s;
	w->handler(w->arg, &header, octets);
}

int
pcap_dispatch(pcap_t *p, int count, pcap_handler handler, u_char *arg)
{
	static int (*real)(pcap_t *, int, pcap_handler, u_char *);
	struct wrapped w = { handler, arg };

	if (real == NULL)
		real = (int (*)(pcap_t *, int, pcap_handler, u_char *))dlsym(
		    RTLD_NEXT, "pcap_dispatch");
	return real(p, count, moved, (u_char *)&w);
}
