/* SPDX-License-Identifier: ISC */
/*
 * printer.h - Flow Records on a stdio stream: an aligned table for people, one
 * JSON object a line, or CSV (RFC 4180).
 */
#ifndef PRINTER_H
#define PRINTER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct field_choice; /* ie.h */
struct flow_record;  /* record.h */
struct printer;

enum printer_format { PRINTER_TABLE, PRINTER_JSON, PRINTER_CSV };

/* Octets that printer_new takes. */
size_t printer_memory(void);

/*
 * Create a printer to a borrowed stream.  The choice of fields is borrowed,
 * too; NULL is the least.  Fields chosen by name follow the columns of a table
 * as words "name=value".  NULL with ENOMEM.
 */
struct printer *printer_new(
    FILE *, enum printer_format, const struct field_choice *);

/* Go on printing to another stream. */
void printer_redirect(struct printer *, FILE *);

/* What comes next stands below titles, or else titles come first. */
void printer_begin(struct printer *, bool titled);

/* NULL is fine; does not flush. */
void printer_free(struct printer *);

/*
 * Print a conversation: a line for each half that saw packets, or in JSON and
 * CSV one for a biflow.
 */
void printer_add(struct printer *, const struct flow_record *);

/* Write out what is held back to align columns, and flush the stream. */
void printer_flush(struct printer *);

/* 0, or the errno of the first write that failed. */
int printer_error(const struct printer *);

/* Format "address" or "address:port" ("[v6]:port"); returns buf. */
#define PRINTER_ENDPOINT_LEN 56
char *printer_endpoint(char buf[PRINTER_ENDPOINT_LEN], int ip_version,
    const uint8_t addr[16], uint16_t port, bool with_port);

/* "tcp", "udp", ... or the number; returns buf or a constant. */
const char *printer_protocol(char buf[8], uint8_t protocol);

/*
 * Format a time (ns since 1970 UTC) as "2019-03-01 12:34:56.789"; returns
 * buf.  All 64 bits are understood, whatever the size of time_t.
 */
#define PRINTER_TIME_LEN 32
char *printer_time(char buf[PRINTER_TIME_LEN], uint64_t time_ns);

/* One word for an enum flow_end: "idle", "active", ...; "-" for none. */
const char *printer_end_reason(unsigned reason);

#endif
