/* SPDX-License-Identifier: ISC */
/*
 * export.h - what the tests of the exporting side share: fixed Flow Records,
 * a datagram taken apart by the RFCs, and a collector on the loopback.
 *
 * It takes datagrams apart on its own, from the Template Records in them, and
 * asks the code under test for nothing but its cursors over octets.
 */
#ifndef EXPORT_H
#define EXPORT_H

#include <sys/socket.h>

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "endpoint.h"
#include "ie.h"
#include "message.h"
#include "record.h"
#include "tests/unit.h"
#include "transport.h"

/* 2024-03-01 12:00:00 UTC */
#define NOON_S UINT64_C(1709294400)
#define NOON (NOON_S * NS_PER_S)

/* What every record has, and MAC addresses too. */
static const struct field_choice plain_choice
    __attribute__((unused)) = { .biflow = false };
static const struct field_choice mac_choice
    __attribute__((unused)) = { .mac = true };

/* Flow Records ----------------------------------------------------------- */

/* TCP, 192.0.2.1 port 49152 to 198.51.100.2 port 443, both ways. */
static inline struct flow_record
tcp_record(void)
{
	return (struct flow_record){
		.src = { 192, 0, 2, 1 },
		.dst = { 198, 51, 100, 2 },
		.src_port = 49152,
		.dst_port = 443,
		.protocol = 6,
		.ip_version = 4,
		.end_reason = FLOW_END_FLOW,
		.ended_ns = NOON + 3 * NS_PER_S,
		.fwd = { .packets = 10,
		    .octets = 5000,
		    .start_ns = NOON + UINT64_C(123456789),
		    .end_ns = NOON + UINT64_C(1987654321),
		    .tcp_flags = 0x15b,
		    .tos = 0xb8,
		    .ingress = 3,
		    .egress = 4 },
		.rev = { .packets = 8,
		    .octets = 40000,
		    .start_ns = NOON + UINT64_C(150000000),
		    .end_ns = NOON + UINT64_C(1999999999),
		    .tcp_flags = 0x053,
		    .tos = 0x28,
		    .ingress = 3,
		    .egress = 4 },
	};
}

/* UDP, one packet from 192.0.2.1 port 40000 to 198.51.100.53 port 53. */
static inline struct flow_record
udp_record(uint64_t at_ns)
{
	return (struct flow_record){
		.src = { 192, 0, 2, 1 },
		.dst = { 198, 51, 100, 53 },
		.src_port = 40000,
		.dst_port = 53,
		.protocol = 17,
		.ip_version = 4,
		.end_reason = FLOW_END_IDLE,
		.ended_ns = at_ns,
		.fwd = { .packets = 1,
		    .octets = 60,
		    .start_ns = at_ns,
		    .end_ns = at_ns },
	};
}

/* The same between 2001:db8::1 and 2001:db8::2. */
static inline struct flow_record
udp6_record(uint64_t at_ns)
{
	struct flow_record r = udp_record(at_ns);

	memcpy(r.src, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	memcpy(r.dst, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
	r.ip_version = 6;
	return r;
}

/* A record that needs the template of this flavour (FLAVOUR_ bits). */
static inline struct flow_record
flavoured_record(unsigned flavour)
{
	struct flow_record r =
	    flavour & FLAVOUR_V6 ? udp6_record(NOON) : udp_record(NOON);

	if (flavour & FLAVOUR_ICMP) {
		r.protocol = flavour & FLAVOUR_V6 ? 58 : 1;
		r.src_port = 0;
		r.icmp = r.dst_port = flavour & FLAVOUR_V6 ? 0x8000 : 0x0800;
	}
	if (flavour & FLAVOUR_VLAN)
		r.vlan = 100;
	return r;
}

/* Templates --------------------------------------------------------------- */

/* One field of a Template Record. */
struct field {
	uint16_t id, len;
};

/* A Template Record, read back from the octets it is sent as. */
struct shape {
	uint16_t id, nfields;
	size_t record_len; /* the sum of its fields' */
	struct field field[TEMPLATE_FIELDS_MAX];
};

static inline struct shape
shape_read(struct rbuf *r)
{
	struct shape s = { .id = rb_u16(r), .nfields = rb_u16(r) };

	ck_assert_uint_gt(s.nfields, 0);
	ck_assert_uint_le(s.nfields, TEMPLATE_FIELDS_MAX);
	for (unsigned i = 0; i < s.nfields; i++) {
		s.field[i].id = rb_u16(r);
		s.field[i].len = rb_u16(r);
		s.record_len += s.field[i].len;
	}
	ck_assert(!r->bad);
	return s;
}

static inline struct shape
shape_of(const struct template *t)
{
	uint8_t octets[4 + 4 * TEMPLATE_FIELDS_MAX];
	struct wbuf w = wb_init(octets, sizeof(octets));
	struct rbuf r;

	template_put(t, DIALECT_IPFIX, &w);
	ck_assert(!w.full);
	r = rb_init(octets, wb_len(&w));
	return shape_read(&r);
}

/* The value of Information Element `id` in a Data Record; it must be there. */
static inline uint64_t
value_of(const struct shape *s, const uint8_t *record, uint16_t id)
{
	for (unsigned i = 0; i < s->nfields; i++) {
		uint64_t v = 0;

		if (s->field[i].id != id) {
			record += s->field[i].len;
			continue;
		}
		ck_assert_uint_le(s->field[i].len, 8);
		for (unsigned n = 0; n < s->field[i].len; n++)
			v = v << 8 | record[n];
		return v;
	}
	ck_abort_msg("no Information Element %u", id);
	return 0;
}

/* Datagrams --------------------------------------------------------------- */

#define RECORDS_SEEN 256

/* A datagram, taken apart. */
struct seen {
	const uint8_t *data;
	size_t len;
	uint16_t version;
	uint16_t count;     /* v1, v5, v9 */
	uint32_t uptime_ms; /* v1, v5, v9 */
	uint32_t unix_s;    /* IPFIX: Export Time */
	uint32_t unix_ns;   /* v1, v5 */
	uint32_t sequence;
	uint32_t domain;
	unsigned templates, records, sets;
	const uint8_t *record[RECORDS_SEEN];
	uint16_t set_id[RECORDS_SEEN]; /* of each record */
};

/* The templates a collector knows; [0] is that of Template ID 256. */
struct known {
	struct shape shape[TEMPLATES];
};

static inline void
see_v1_v5(struct seen *s, struct rbuf *r)
{
	s->count = rb_u16(r);
	s->uptime_ms = rb_u32(r);
	s->unix_s = rb_u32(r);
	s->unix_ns = rb_u32(r);
	if (s->version == 5) {
		s->sequence = rb_u32(r);
		s->domain = rb_u16(r); /* engine type and id */
		ck_assert_uint_eq(rb_u16(r), 0);
	}
	while (rb_left(r) > 0) {
		ck_assert_uint_lt(s->records, RECORDS_SEEN);
		s->record[s->records++] = rb_take(r, 48);
		ck_assert(!r->bad);
	}
	ck_assert_uint_eq(s->count, s->records);
}

static inline void
see_template_set(struct seen *s, struct rbuf *set, struct known *known)
{
	while (rb_left(set) > 0) {
		struct shape shape = shape_read(set);

		ck_assert_uint_ge(shape.id, 256);
		ck_assert_uint_lt(shape.id, 256 + TEMPLATES);
		known->shape[shape.id - 256] = shape;
		s->templates++;
	}
}

static inline void
see_data_set(
    struct seen *s, struct rbuf *set, uint16_t id, const struct known *known)
{
	size_t record_len;

	ck_assert_uint_ge(id, 256);
	ck_assert_uint_lt(id, 256 + TEMPLATES);
	record_len = known->shape[id - 256].record_len;
	ck_assert_uint_gt(record_len, 0); /* its template came before */
	ck_assert_uint_ge(rb_left(set), record_len);
	while (rb_left(set) >= record_len) {
		ck_assert_uint_lt(s->records, RECORDS_SEEN);
		s->set_id[s->records] = id;
		s->record[s->records++] = rb_take(set, record_len);
	}
	ck_assert_uint_lt(rb_left(set), 4);
	while (rb_left(set) > 0)
		ck_assert_uint_eq(rb_u8(set), 0);
}

static inline void
see_sets(struct seen *s, struct rbuf *r, struct known *known)
{
	uint16_t template_set = s->version == 9 ? 0 : 2;

	while (rb_left(r) > 0) {
		uint16_t id = rb_u16(r), len = rb_u16(r);
		struct rbuf set;

		ck_assert_uint_gt(len, 4);
		ck_assert_uint_eq(len % 4, 0);
		ck_assert_uint_le(len - 4U, rb_left(r));
		set = rb_init(rb_take(r, len - 4U), len - 4U);
		s->sets++;
		if (id == template_set)
			see_template_set(s, &set, known);
		else
			see_data_set(s, &set, id, known);
	}
}

/* Take a datagram apart; `known` may be NULL for v1 and v5. */
static inline struct seen
see(const uint8_t *data, size_t len, struct known *known)
{
	struct rbuf r = rb_init(data, len);
	struct seen s = { .data = data, .len = len, .version = rb_u16(&r) };

	if (s.version <= 5) {
		see_v1_v5(&s, &r);
		return s;
	}
	if (s.version == 9) {
		s.count = rb_u16(&r);
		s.uptime_ms = rb_u32(&r);
	} else {
		ck_assert_uint_eq(s.version, 10);
		ck_assert_uint_eq(rb_u16(&r), len);
	}
	s.unix_s = rb_u32(&r);
	s.sequence = rb_u32(&r);
	s.domain = rb_u32(&r);
	see_sets(&s, &r, known);
	ck_assert(!r.bad);
	if (s.version == 9)
		ck_assert_uint_eq(s.count, s.templates + s.records);
	return s;
}

/* When a flow of a v1, v5 or v9 datagram began and ended, as collectors do it.
 */
struct told {
	uint64_t first_ms, last_ms; /* since 1970 UTC */
};

/*
 * Work times out, and check what must hold of any: the flow began before it
 * ended, and ended before the datagram left.
 */
static inline struct told
told_times(const struct seen *s, const struct known *known, unsigned i)
{
	uint64_t boot_ms =
	    s->unix_s * UINT64_C(1000) + s->unix_ns / 1000000 - s->uptime_ms;
	uint64_t first, last;

	if (s->version <= 5) {
		struct rbuf r = rb_init(s->record[i] + 24, 8);

		first = rb_u32(&r);
		last = rb_u32(&r);
	} else {
		const struct shape *shape = &known->shape[s->set_id[i] - 256];

		first = value_of(shape, s->record[i], 22);
		last = value_of(shape, s->record[i], 21);
	}
	ck_assert_uint_le(first, last);
	ck_assert_uint_le(last, s->uptime_ms);
	return (struct told){ boot_ms + first, boot_ms + last };
}

/* A collector on the loopback ---------------------------------------------- */

struct sink {
	int fd;
	struct collector_address address;
	uint8_t data[65536];
};

/* Listen on a port that the kernel chooses; -1 if the address is not there. */
static inline int
sink_open(struct sink *s, const char *host)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_PASSIVE };
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	struct addrinfo *list;
	int large = 1 << 20;

	memset(s, 0, sizeof(*s));
	(void)snprintf(s->address.host, sizeof(s->address.host), "%s", host);
	if (getaddrinfo(host, "0", &hints, &list) != 0)
		return -1;
	s->fd = socket(list->ai_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (s->fd == -1 || bind(s->fd, list->ai_addr, list->ai_addrlen) == -1) {
		freeaddrinfo(list);
		return -1;
	}
	freeaddrinfo(list);
	(void)setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large));
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
	return getnameinfo((struct sockaddr *)&at, len, NULL, 0,
	    s->address.port, sizeof(s->address.port),
	    NI_NUMERICSERV | NI_DGRAM);
}

/* Listen at a numeric address where nobody does now. */
static inline void
sink_reopen(struct sink *s, const struct collector_address *address)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST };
	struct addrinfo *ai;

	s->address = *address;
	ck_assert_int_eq(
	    getaddrinfo(address->host, address->port, &hints, &ai), 0);
	s->fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_ne(s->fd, -1);
	ck_assert_int_eq(bind(s->fd, ai->ai_addr, ai->ai_addrlen), 0);
	freeaddrinfo(ai);
}

static inline void
sink_close(struct sink *s)
{
	close(s->fd);
}

/*
 * The length of the next datagram, which then is in `data`; -1 if there is
 * none.  On the loopback what was sent has arrived: nothing to wait for.
 */
static inline ssize_t
sink_next(struct sink *s)
{
	return recv(s->fd, s->data, sizeof(s->data), 0);
}

/*
 * A port where nobody listens before sink_reopen().  Another process could be
 * given the same one of 127.0.0.1 meanwhile, so it is of this one's own
 * address.
 */
static inline void
closed_port(struct collector_address *address)
{
	unsigned id = (unsigned)getpid();
	char host[sizeof("127.255.255.255")];
	struct sink s;

	(void)snprintf(host, sizeof(host), "127.%u.%u.%u", 1 + (id >> 16 & 63),
	    id >> 8 & 255, id & 255);
	ck_assert_int_eq(sink_open(&s, host), 0);
	*address = s.address;
	sink_close(&s);
}

#endif
