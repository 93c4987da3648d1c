/* SPDX-License-Identifier: ISC */
/*
 * ipfix.c - what IPFIX (RFC 7011) does not share with NetFlow: its Message
 * Header, and a sequence of Data Records.
 */
#include "message.h"
#include "record.h"

/* RFC 7011 s3.1: Data Records count, Template Records do not. */
static uint32_t
advance(const struct message *m)
{
	return m->records;
}

/* RFC 7011 s3.1, erratum 4396: records sent before this Message. */
static void
header(struct wbuf *w, const struct message *m)
{
	wb_u16(w, 10);
	wb_u16(w, (uint16_t)wb_len(&m->w));
	wb_u32(w, (uint32_t)(m->time_ns / NS_PER_S));
	wb_u32(w, m->sequence);
	wb_u32(w, m->domain);
}

const struct dialect dialect_ipfix = { .name = "IPFIX",
	.version = 10,
	.bit = DIALECT_IPFIX,
	.header_len = 16,
	.has_sets = true,
	.template_set = 2, /* RFC 7011 s3.3.2 */
	.options_set = 3,
	.advance = advance,
	.header = header };
