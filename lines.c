/* SPDX-License-Identifier: ISC */
/*
 * lines.c - records as lines of text, gathered; see lines.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ie.h"
#include "lines.h"
#include "printer.h"

#define TABLE_MAX 16U     /* records of a table, which waits to align them */
#define OCTETS_FULL 32768 /* the rest is for one more record, or the table */

struct lines {
	enum collector_kind kind;
	struct printer *printer;
	FILE *stream; /* into `text` */
	char *text;
	size_t len;
	struct cargo cargo;
};

/* A stream in memory doubles, and copies what it has. */
size_t
lines_memory(enum collector_kind kind)
{
	if (!endpoint_is_file(kind) || kind == COLLECTOR_FILE)
		return 0; /* messages */
	return sizeof(struct lines) + printer_memory() + (size_t)4 * LINES_MAX;
}

struct lines *
lines_new(enum collector_kind kind, const struct field_choice *choice)
{
	static const enum printer_format format[COLLECTOR_KINDS] = {
		[COLLECTOR_JSON] = PRINTER_JSON,
		[COLLECTOR_CSV] = PRINTER_CSV,
		[COLLECTOR_TEXT] = PRINTER_TABLE,
	};
	struct lines *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->kind = kind;
	l->stream = open_memstream(&l->text, &l->len);
	if (l->stream != NULL)
		l->printer = printer_new(l->stream, format[kind], choice);
	if (l->printer == NULL) {
		lines_free(l);
		return NULL;
	}
	printer_begin(l->printer, kind == COLLECTOR_CSV);
	return l;
}

void
lines_free(struct lines *l)
{
	if (l == NULL)
		return;
	printer_free(l->printer);
	if (l->stream != NULL)
		fclose(l->stream);
	free(l->text);
	free(l);
}

void
lines_begin(struct lines *l)
{
	printer_begin(l->printer, false);
}

void
lines_add(
    struct lines *l, const struct flow_record *r, const struct cargo *cargo)
{
	printer_add(l->printer, r);
	l->cargo.records += cargo->records;
	l->cargo.packets += cargo->packets;
	l->cargo.octets += cargo->octets;
}

bool
lines_full(const struct lines *l)
{
	if (l->kind == COLLECTOR_TEXT)
		return l->cargo.records >= TABLE_MAX;
	return ftello(l->stream) >= OCTETS_FULL;
}

const struct cargo *
lines_cargo(const struct lines *l)
{
	return &l->cargo;
}

const char *
lines_text(struct lines *l, size_t *len)
{
	if (l->cargo.records == 0)
		return NULL;
	printer_flush(l->printer);
	*len = l->len;
	return l->text;
}

void
lines_clear(struct lines *l)
{
	rewind(l->stream);
	l->cargo = (struct cargo){ 0, 0, 0 };
}
