/* SPDX-License-Identifier: ISC */
/*
 * httpd.h - one page by HTTP, /metrics, to whoever asks at one address.
 *
 * Runs in the exporting thread's poll loop and never blocks it.  A connection
 * carries one request and has HTTPD_DEADLINE_S seconds for all of it, however
 * busy it is; there are HTTPD_CLIENTS_MAX at a time, and half of that from one
 * address.  libmicrohttpd does the talking, without a thread of its own.
 */
#ifndef HTTPD_H
#define HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics.h" /* enum metrics_format */

#define HTTPD_DEADLINE_S 10
#define HTTPD_CLIENTS_MAX 16

struct collector_address; /* endpoint.h */
struct httpd;

/* Why this build has no HTTP; NULL = it has. */
const char *httpd_unsupported(void);

/*
 * Listen at a numeric address.  Returns NULL with one line in errbuf.  All
 * that needs rights is done here.
 */
struct httpd *httpd_new(
    const struct collector_address *, char *errbuf, size_t errlen);

/* Hang up on all clients; NULL is fine. */
void httpd_free(struct httpd *);

/*
 * The descriptor to poll for reading; -1 where httpd_serve() has to be called
 * now and then instead.
 */
int httpd_poll_fd(const struct httpd *);

/* Serve clients, and hang up on those that are late. */
void httpd_serve(struct httpd *, uint64_t mono_ns);

/* Whether a client waits for the page. */
bool httpd_waits(const struct httpd *);

/* Writes the page in one of its formats. */
typedef void httpd_page_fn(FILE *, enum metrics_format, void *arg);

/* Make the page for all clients that wait for it. */
void httpd_answer(struct httpd *h, httpd_page_fn *write, void *arg);

#endif
