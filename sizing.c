/* SPDX-License-Identifier: ISC */
/*
 * sizing.c - sizes, from the configuration alone; see sizing.h.
 *
 * Each part tells what it takes (..._memory) from the same figures that it is
 * made from, so that a sum here is a bound there.
 */
#include "capture.h"
#include "config.h"
#include "exporter.h"
#include "nat.h"
#include "sizing.h"

#define RING_RECORDS_MIN 1024U
#define RING_RECORDS_MAX 16384U
#define MIB 1048576.0

/*
 * The program itself with its libraries, stacks, standard output, answers to
 * clients of the control socket, and what allocation costs.
 */
#define PROGRAM_OCTETS (UINT64_C(24) << 20)

static uint32_t
clamp(uint32_t n, uint32_t low, uint32_t high)
{
	return n < low ? low : n > high ? high : n;
}

struct meter_config
sizing_meter(const struct config *cfg)
{
	uint32_t flows =
	    (cfg->track.max_flows + cfg->workers - 1) / cfg->workers;
	struct meter_config config = { .track = cfg->track,
		.ring_records =
		    clamp(flows / 4, RING_RECORDS_MIN, RING_RECORDS_MAX),
		.sampling = cfg->exporter.sampling,
		.identifiers = cfg->nat,
		.extra = cfg->capture.extra,
		.replay = cfg->replay };

	config.track.max_flows = flows;
	config.track.caches = cfg->workers;
	return config;
}

/* The metering threads; among several in a replay there is a reader, too. */
static uint64_t
metering(const struct config *cfg)
{
	struct meter_config config = sizing_meter(cfg);
	uint64_t sum = (uint64_t)cfg->workers * meter_memory(&config);

	config.track.max_flows = 0;
	if (cfg->replay && cfg->workers > 1)
		sum += meter_memory(&config);
	return sum;
}

/* Files are read one after the other; each worker has all interfaces. */
static uint64_t
capturing(const struct config *cfg)
{
	if (cfg->replay)
		return capture_file_memory(&cfg->capture);
	return (uint64_t)cfg->workers * cfg->nsources *
	       capture_live_memory(&cfg->capture);
}

static uint64_t
exporting(const struct config *cfg)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < cfg->ncollectors; i++)
		sum += exporter_memory(&cfg->collector[i]);
	return sum;
}

void
sizing_describe(FILE *f, const struct config *cfg)
{
	const struct {
		const char *what;
		uint64_t octets;
	} part[] = {
		{ "flows", metering(cfg) },
		{ "capture", capturing(cfg) },
		{ "collectors", exporting(cfg) },
		{ "translations", cfg->nat ? nat_memory(cfg->nat_max) : 0 },
		{ "the program", PROGRAM_OCTETS },
	};
	size_t n = sizeof(part) / sizeof(part[0]);
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += part[i].octets;
	(void)fprintf(f, "memory: %.1f MiB at most", (double)sum / MIB);
	for (size_t i = 0; i < n; i++)
		if (part[i].octets != 0)
			(void)fprintf(f, "%s %.1f for %s", i == 0 ? ":" : ",",
			    (double)part[i].octets / MIB, part[i].what);
	(void)fprintf(f, "\n");
}
