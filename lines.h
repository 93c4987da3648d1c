/* SPDX-License-Identifier: ISC */
/*
 * lines.h - records as lines of text (JSON, CSV or a table), gathered until
 * there are enough of them to be written at once.
 *
 * Writes nowhere: the exporter hands what was gathered to a transport.
 */
#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "endpoint.h"
#include "queue.h" /* struct cargo */

struct field_choice; /* ie.h */
struct flow_record;  /* record.h */
struct lines;

#define LINES_MAX 262144U /* octets gathered, at most */

/* Octets that lines_new takes, and the text they gather, at most. */
size_t lines_memory(enum collector_kind);

/*
 * Create an empty gathering for COLLECTOR_JSON, COLLECTOR_CSV or
 * COLLECTOR_TEXT; the choice is borrowed.  NULL with errno.
 */
struct lines *lines_new(enum collector_kind, const struct field_choice *);

/* NULL is fine. */
void lines_free(struct lines *);

/* What comes next stands first in a file: begin with a line of titles. */
void lines_begin(struct lines *);

/* Add a conversation, which accounts for this. */
void lines_add(
    struct lines *, const struct flow_record *, const struct cargo *);

/* Whether so much is gathered that it should be taken. */
bool lines_full(const struct lines *);

/* What is gathered accounts for this. */
const struct cargo *lines_cargo(const struct lines *);

/*
 * Finish the lines gathered and return them, *len octets that are there until
 * the next call, or NULL if there are none.
 */
const char *lines_text(struct lines *, size_t *len);

/* Throw away what is gathered. */
void lines_clear(struct lines *);

#endif
