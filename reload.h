/* SPDX-License-Identifier: ISC */
/*
 * reload.h - read the configuration again while running, and change to it.
 *
 * The exporting thread reads and checks it; then the metering threads are
 * asked to change, and last the collectors do.  What is refused changes
 * nothing.
 */
#ifndef RELOAD_H
#define RELOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "meter.h"

struct probe; /* probe.h */

/* Whoever reloads more often while collectors leave has to wait for them. */
#define RELOADS_KEPT 8

enum reload_phase {
	RELOAD_IDLE,
	RELOAD_TRYING,   /* the meters: can they have the filter? */
	RELOAD_CHANGING, /* the meters */
	RELOAD_DRAINING  /* records of before are exported as they were */
};

struct reload {
	int argc;
	char **argv;
	char *path;   /* of the file, absolute; owned, NULL = none */
	bool guarded; /* root started us: see conffile_read() */
	uint32_t wanted, begun, done;

	/* The one under way. */
	enum reload_phase phase;
	bool asked;
	struct config next;
	struct meter_settings settings;
	struct meter_call call;
	uint64_t until_ns; /* monotonic: of RELOAD_DRAINING */

	/* What was replaced, while removed collectors use it; owned. */
	struct config *old[RELOADS_KEPT];
	size_t nold;

	/* What came of the last one. */
	bool refused;
	char changed[CONFIG_ERROR_LEN]; /* option names, ", " between them */
	char restart[CONFIG_ERROR_LEN]; /* ... that wait for a restart */
	char error[CONFIG_ERROR_LEN];   /* one line: why it was refused */

	struct conffile *first; /* what the fixed settings point into; owned */
};

/*
 * Read the configuration of a command line for the first time, and remember
 * how to read it again.  As config_parse().
 */
enum config_result reload_first(
    struct probe *, int argc, char **argv, char errbuf[CONFIG_ERROR_LEN]);

/* Free all that is owned. */
void reload_free(struct reload *);

/* Whether there is a file to read again. */
bool reload_possible(const struct probe *);

/* Want it to be read again, soon.  Returns the number of this wish. */
uint32_t reload_want(struct probe *);

/* Whether a wish was dealt with; then the results are in struct reload. */
bool reload_done(const struct probe *, uint32_t wish);

/* Go on with it.  Call it in every turn of the loop. */
void reload_step(struct probe *, uint64_t mono_ns);

#endif
