/* SPDX-License-Identifier: ISC */
/*
 * text.h - names that others chose (files, interfaces, hosts), made safe to
 * show: no control character, nothing that is not UTF-8 (RFC 3629).
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdio.h>

/*
 * Octets of the printable character at s (RFC 3629 s3); 0 if there is none: a
 * control character, or not UTF-8.  A final NUL ends any sequence.
 */
size_t text_printable(const unsigned char *s);

/* Write text as a JSON string (RFC 8259 s7): always valid UTF-8. */
void text_json(FILE *, const char *text);

/* Copy text for people: what is not a printable character becomes '?'. */
void text_clean(char *buf, size_t len, const char *text);

/* Write text as a field of CSV (RFC 4180), in quotes if it needs them. */
void text_csv(FILE *, const char *text);

#endif
