/* SPDX-License-Identifier: ISC */
/*
 * netflow9.c - what NetFlow v9 (RFC 3954) does not share with IPFIX: its
 * header, and a sequence of Export Packets.
 */
#include "message.h"
#include "record.h"

/* RFC 3954 s5.1: the sequence counts Export Packets. */
static uint32_t
advance(const struct message *m)
{
	(void)m;
	return 1;
}

/*
 * RFC 3954 s5.1.  The header has no fraction of a second, so a collector
 * finds the boot time exactly only if sysUptime is that of the full second
 * named: the last one, or the next if a flow of this packet ended since.
 */
static void
header(struct wbuf *w, const struct message *m)
{
	uint64_t last_s = (m->latest_ns + NS_PER_S - 1) / NS_PER_S;
	uint64_t now_s = m->time_ns / NS_PER_S;

	if (now_s < last_s)
		now_s = last_s;
	wb_u16(w, 9);
	wb_u16(w, (uint16_t)(m->records + m->templates));
	wb_u32(w, (uint32_t)(now_s * MS_PER_S - m->boot_ns / NS_PER_MS));
	wb_u32(w, (uint32_t)now_s);
	wb_u32(w, m->sequence);
	wb_u32(w, m->domain);
}

const struct dialect dialect_netflow9 = { .name = "NetFlow v9",
	.version = 9,
	.bit = DIALECT_NF9,
	.header_len = 20,
	.has_sets = true,
	.template_set = 0, /* RFC 3954 s5.2 */
	.options_set = 1,  /* s6.1 */
	.relative_times = true,
	.advance = advance,
	.header = header };
