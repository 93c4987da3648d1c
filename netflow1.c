/* SPDX-License-Identifier: ISC */
/*
 * netflow1.c - what NetFlow v1 (Cisco) does not share with v5: a header
 * without sequence number, engine or sampling, and at most 24 records.
 */
#include "message.h"
#include "record.h"

#define RECORDS_MAX 24

/* There is no sequence number. */
static uint32_t
advance(const struct message *m)
{
	(void)m;
	return 0;
}

/* 16 octets, of one instant as in v5. */
static void
header(struct wbuf *w, const struct message *m)
{
	uint64_t now_ns = m->time_ns > m->latest_ns ? m->time_ns : m->latest_ns;
	uint64_t now_ms = now_ns / NS_PER_MS;

	wb_u16(w, 1);
	wb_u16(w, (uint16_t)m->records);
	wb_u32(w, (uint32_t)(now_ms - m->boot_ns / NS_PER_MS));
	wb_u32(w, (uint32_t)(now_ms / MS_PER_S));
	wb_u32(w, (uint32_t)(now_ms % MS_PER_S * NS_PER_MS));
}

const struct dialect dialect_netflow1 = { .name = "NetFlow v1",
	.version = 1,
	.bit = DIALECT_NF1,
	.header_len = 16,
	.records_max = RECORDS_MAX,
	.interval_max = 1,
	.relative_times = true,
	.advance = advance,
	.header = header };
