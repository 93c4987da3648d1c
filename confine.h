/* SPDX-License-Identifier: ISC */
/*
 * confine.h - what a configuration needs of the system, and nothing else: the
 * user, the capabilities, the files and the descriptors of each thread.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdio.h>

#include "endpoint.h" /* REASON_LEN */

struct config;   /* config.h */
struct privdrop; /* privdrop.h */

/* Allow as many descriptors as sources, collectors and clients may take. */
void confine_descriptors(const struct config *);

/*
 * Give up root and make the sandbox ready, now that all is open and before
 * anything is read; threads enter it on their own.  What is wrong is logged.
 * Returns 0 or -1.
 */
int confine(const struct config *, const struct privdrop *);

/*
 * Whether a collector that is added later can be written to, if it is a file:
 * 0, or -1 with a reason.  Others can always be tried.
 */
int confine_check(const struct collector_config *, char reason[REASON_LEN]);

/* Tell which protections there would be, one a line. */
void confine_describe(FILE *, const struct config *, const struct privdrop *);

#endif
