/* SPDX-License-Identifier: ISC */
/*
 * netflow5.c - what NetFlow v5 (Cisco) does not share with v9 and IPFIX: its
 * header, its fixed record, at most 30 records, a sequence of flows.
 */
#include "message.h"
#include "record.h"

#define RECORDS_MAX 30
#define INTERVAL_MAX 0x3fffU /* sampling that 14 bits can tell */

/* flow_sequence counts the flows sent before this message. */
static uint32_t
advance(const struct message *m)
{
	return m->records;
}

/* Two bits of mode, 14 of interval; 0 if all packets were metered. */
static uint16_t
sampling_bits(const struct sampling *s)
{
	unsigned mode = s->mode == SAMPLING_SYSTEMATIC ? 1 : 2;

	if (s->interval <= 1)
		return 0;
	return (uint16_t)(mode << 14 | (s->interval & INTERVAL_MAX));
}

/*
 * 24 octets.  sysUptime, seconds and nanoseconds name the same instant, to
 * the millisecond, and no flow ends after it.
 */
static void
header(struct wbuf *w, const struct message *m)
{
	uint64_t now_ns = m->time_ns > m->latest_ns ? m->time_ns : m->latest_ns;
	uint64_t now_ms = now_ns / NS_PER_MS;

	wb_u16(w, 5);
	wb_u16(w, (uint16_t)m->records);
	wb_u32(w, (uint32_t)(now_ms - m->boot_ns / NS_PER_MS));
	wb_u32(w, (uint32_t)(now_ms / MS_PER_S));
	wb_u32(w, (uint32_t)(now_ms % MS_PER_S * NS_PER_MS));
	wb_u32(w, m->sequence);
	wb_u8(w, (uint8_t)(m->domain >> 8)); /* engine_type */
	wb_u8(w, (uint8_t)m->domain);        /* engine_id */
	wb_u16(w, sampling_bits(&m->sampling));
}

const struct dialect dialect_netflow5 = { .name = "NetFlow v5",
	.version = 5,
	.bit = DIALECT_NF5,
	.header_len = 24,
	.records_max = RECORDS_MAX,
	.interval_max = INTERVAL_MAX,
	.domain_max = UINT16_MAX,
	.relative_times = true,
	.advance = advance,
	.header = header };
