/* SPDX-License-Identifier: ISC */
/*
 * top.h - `softprobectl top`: who sends most just now, as top(1) shows who
 * computes most; on a terminal, or as text for scripts.
 */
#ifndef TOP_H
#define TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "picture.h" /* enum picture_kind */

#define TOP_DELAY_MS 2000 /* between two pictures, by default */
#define TOP_LINES 20      /* rows of one text, by default */

struct top_options {
	enum picture_kind kind;
	bool by_packets;
	bool batch;
	uint32_t delay_ms;
	uint32_t count;    /* pages shown; 0 = on and on */
	uint32_t lines;    /* rows of a page at most; 0 = by default */
	const char *title; /* of each page; any octets */
};

/*
 * Fetches the daemon's answer to a request: 0 and *text to be freed, or -1
 * and *text, to be freed, is one line of what went wrong, or NULL.
 */
typedef int top_fetch_fn(const char *request, char **text, void *arg);

/*
 * Show pages until somebody wants no more.  0; or 1, having told what went
 * wrong; or 2 if there is no terminal.
 */
int top_run(const struct top_options *options, top_fetch_fn *fetch, void *arg);

#endif
