/* SPDX-License-Identifier: ISC */
/*
 * test_conntrack.c - what the kernel's messages say of translated connections.
 */
#include "conntrack.h"
#include "nat.h"
#include "netlink.h"
#include "tests/export.h"

#ifdef HAVE_MNL

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#define CREATED (NLM_F_CREATE | NLM_F_EXCL)

/* What was told, and how often. */
struct news {
	struct nat_connection connection;
	bool begins;
	uint64_t time_ns;
	int times;
};

static void
tell(const struct nat_connection *c, bool begins, uint64_t time_ns, void *arg)
{
	struct news *told = arg;

	told->connection = *c;
	told->begins = begins;
	told->time_ns = time_ns;
	told->times++;
}

/* A message being made; what a test leaves out is not in it. */
struct sent {
	uint16_t type, flags;
	uint8_t family, protocol;
	const char *src, *dst, *reply_src, *reply_dst;
	uint16_t src_port, dst_port, reply_src_port, reply_dst_port;
	uint16_t id, reply_id; /* of ICMP */
	uint64_t stamp;        /* when it began or ended */
};

static struct sent
masqueraded(void)
{
	return (struct sent){ .type = IPCTNL_MSG_CT_NEW,
		.flags = CREATED,
		.family = AF_INET,
		.protocol = IPPROTO_UDP,
		.src = "10.0.0.2",
		.dst = "192.0.2.9",
		.reply_src = "192.0.2.9",
		.reply_dst = "203.0.113.1",
		.src_port = 1000,
		.dst_port = 53,
		.reply_src_port = 53,
		.reply_dst_port = 61000 };
}

static void
put_address(struct nlmsghdr *h, uint16_t v4, uint16_t v6, const char *text)
{
	bool is_v6 = strchr(text, ':') != NULL;
	uint8_t octets[16];

	ck_assert_int_eq(
	    inet_pton(is_v6 ? AF_INET6 : AF_INET, text, octets), 1);
	mnl_attr_put(h, is_v6 ? v6 : v4, is_v6 ? 16 : 4, octets);
}

static void
put_tuple(struct nlmsghdr *h, uint16_t type, const struct sent *s, bool reply)
{
	struct nlattr *tuple, *inside;
	uint16_t id = reply ? s->reply_id : s->id;

	if (s->src == NULL)
		return;
	tuple = mnl_attr_nest_start(h, type);
	inside = mnl_attr_nest_start(h, CTA_TUPLE_IP);
	put_address(
	    h, CTA_IP_V4_SRC, CTA_IP_V6_SRC, reply ? s->reply_src : s->src);
	put_address(
	    h, CTA_IP_V4_DST, CTA_IP_V6_DST, reply ? s->reply_dst : s->dst);
	mnl_attr_nest_end(h, inside);
	inside = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, s->protocol);
	if (s->src_port != 0) {
		mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT,
		    htons(reply ? s->reply_src_port : s->src_port));
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT,
		    htons(reply ? s->reply_dst_port : s->dst_port));
	}
	if (id != 0)
		mnl_attr_put_u16(h,
		    s->family == AF_INET ? CTA_PROTO_ICMP_ID
					 : CTA_PROTO_ICMPV6_ID,
		    htons(id));
	mnl_attr_nest_end(h, inside);
	mnl_attr_nest_end(h, tuple);
}

static void
note(struct conntrack *t, const struct sent *s)
{
	char buffer[512] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(h, sizeof(*head));

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | s->type);
	h->nlmsg_flags = s->flags;
	head->nfgen_family = s->family;
	put_tuple(h, CTA_TUPLE_ORIG, s, false);
	put_tuple(h, CTA_TUPLE_REPLY, s, true);
	if (s->stamp != 0) {
		struct nlattr *nest = mnl_attr_nest_start(h, CTA_TIMESTAMP);

		mnl_attr_put_u64(h,
		    s->type == IPCTNL_MSG_CT_DELETE ? CTA_TIMESTAMP_STOP
						    : CTA_TIMESTAMP_START,
		    htobe64(s->stamp));
		mnl_attr_nest_end(h, nest);
	}
	conntrack_note(t, h);
}

static struct conntrack *
listener(struct nat *nat, struct news *told)
{
	struct conntrack_config config = {
		.nat = nat, .tell = told == NULL ? NULL : tell, .arg = told
	};
	struct conntrack *t = conntrack_new(&config);

	ck_assert_ptr_nonnull(t);
	return t;
}

static void
check_address(const uint8_t octets[16], const char *text)
{
	uint8_t wanted[16] = { 0 };

	inet_pton(strchr(text, ':') != NULL ? AF_INET6 : AF_INET, text, wanted);
	ck_assert_mem_eq(octets, wanted, 16);
}

/* What was told last is what was sent. */
static void
check_told(const struct news *told, const struct sent *s, bool begins)
{
	const struct nat_connection *c = &told->connection;

	ck_assert(told->begins == begins);
	ck_assert_uint_eq(c->protocol, s->protocol);
	ck_assert_uint_eq(c->ip_version, s->family == AF_INET ? 4 : 6);
	check_address(c->original.src, s->src);
	check_address(c->original.dst, s->dst);
	check_address(c->translated.src, s->reply_dst);
	check_address(c->translated.dst, s->reply_src);
}

UNIT(a_connection_is_told_as_its_originator_sees_it_and_as_it_leaves)
{
	struct news told = { .times = 0 };
	struct conntrack *t = listener(NULL, &told);
	struct sent s = masqueraded();

	note(t, &s);
	ck_assert_int_eq(told.times, 1);
	check_told(&told, &s, true);
	ck_assert_uint_eq(told.connection.original.src_port, 1000);
	ck_assert_uint_eq(told.connection.original.dst_port, 53);
	ck_assert_uint_eq(told.connection.translated.src_port, 61000);
	ck_assert_uint_eq(told.connection.translated.dst_port, 53);
	conntrack_close(t);
}
END_TEST

UNIT(a_connection_of_ipv6_is_told)
{
	struct news told = { .times = 0 };
	struct conntrack *t = listener(NULL, &told);
	struct sent s = masqueraded();

	s.family = AF_INET6;
	s.src = "2001:db8:a::2";
	s.dst = s.reply_src = "2001:db8:b::9";
	s.reply_dst = "2001:db8:c::1";
	note(t, &s);
	ck_assert_int_eq(told.times, 1);
	check_told(&told, &s, true);
	conntrack_close(t);
}
END_TEST

UNIT(the_identifier_of_icmp_stands_as_source_port_on_both_sides)
{
	struct news told = { .times = 0 };
	struct conntrack *t = listener(NULL, &told);
	struct sent s = masqueraded();

	s.protocol = IPPROTO_ICMP;
	s.src_port = 0;
	s.id = 77;
	s.reply_id = 78;
	note(t, &s);
	check_told(&told, &s, true);
	ck_assert_uint_eq(told.connection.original.src_port, 77);
	ck_assert_uint_eq(told.connection.translated.src_port, 78);
	ck_assert_uint_eq(told.connection.translated.dst_port, 0);
	conntrack_close(t);
}
END_TEST

UNIT(a_connection_that_ends_is_told_and_one_that_lasts_is_not)
{
	struct news told = { .times = 0 };
	struct conntrack *t = listener(NULL, &told);
	struct sent s = masqueraded();

	s.flags = 0; /* an update */
	note(t, &s);
	ck_assert_int_eq(told.times, 0);
	s.type = IPCTNL_MSG_CT_DELETE;
	note(t, &s);
	ck_assert_int_eq(told.times, 1);
	check_told(&told, &s, false);
	conntrack_close(t);
}
END_TEST

UNIT(a_connection_that_is_not_translated_is_not_told)
{
	struct news told = { .times = 0 };
	struct conntrack *t = listener(NULL, &told);
	struct sent s = masqueraded();

	s.reply_dst = s.src;
	s.reply_dst_port = s.src_port;
	note(t, &s);
	ck_assert_int_eq(told.times, 0);
	conntrack_close(t);
}
END_TEST

UNIT(the_time_is_that_which_the_kernel_noted)
{
	struct news told = { .times = 0 };
	struct conntrack *t = listener(NULL, &told);
	struct sent s = masqueraded();

	s.stamp = NOON + 1;
	note(t, &s);
	ck_assert_uint_eq(told.time_ns, NOON + 1);
	s.type = IPCTNL_MSG_CT_DELETE;
	s.stamp = NOON + 2;
	note(t, &s);
	ck_assert_uint_eq(told.time_ns, NOON + 2);
	conntrack_close(t);
}
END_TEST

UNIT(the_table_is_told_of_each_that_begins_lasts_or_ends)
{
	struct nat *nat = nat_new(8);
	struct conntrack *t = listener(nat, NULL);
	struct sent s = masqueraded();
	struct nat_stats stats;

	note(t, &s);
	s.flags = 0;
	note(t, &s); /* it lasts */
	s.src_port++;
	note(t, &s); /* one whose beginning was missed */
	nat_stats(nat, &stats);
	ck_assert_uint_eq(stats.connections, 2);
	s.type = IPCTNL_MSG_CT_DELETE;
	note(t, &s);
	nat_forget(nat, 0, 0);
	nat_stats(nat, &stats);
	ck_assert_uint_eq(stats.connections, 1);
	conntrack_close(t);
	nat_free(nat);
}
END_TEST

UNIT(a_message_with_gaps_is_counted_and_nothing_else)
{
	struct news told = { .times = 0 };
	struct conntrack *t = listener(NULL, &told);
	struct conntrack_stats stats;
	struct sent s = masqueraded();

	s.src = NULL; /* no tuples */
	note(t, &s);
	s = masqueraded();
	s.family = AF_INET6; /* its addresses are of IPv4 */
	note(t, &s);
	s.family = AF_UNIX;
	note(t, &s);
	s = masqueraded();
	s.type = IPCTNL_MSG_CT_GET_STATS; /* not of a connection at all */
	note(t, &s);
	conntrack_stats(t, &stats);
	ck_assert_uint_eq(stats.told, 3);
	ck_assert_uint_eq(stats.unknown, 3);
	ck_assert_int_eq(told.times, 0);
	conntrack_close(t);
}
END_TEST

/* Each octet of a message in turn becomes every value that breaks lengths. */
UNIT(a_broken_message_is_survived)
{
	char whole[512] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(whole);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(h, sizeof(*head));
	struct nat *nat = nat_new(8);
	struct conntrack *t = listener(nat, NULL);
	struct sent s = masqueraded();
	struct conntrack_stats stats;
	uint64_t sent = 0;

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	head->nfgen_family = AF_INET;
	put_tuple(h, CTA_TUPLE_ORIG, &s, false);
	put_tuple(h, CTA_TUPLE_REPLY, &s, true);
	for (uint32_t at = NLMSG_HDRLEN; at < h->nlmsg_len; at++)
		for (int value = 0; value < 256; value += 51) {
			struct nlmsghdr *copy = malloc(h->nlmsg_len);

			memcpy(copy, whole, h->nlmsg_len);
			((uint8_t *)copy)[at] = (uint8_t)value;
			conntrack_note(t, copy);
			free(copy);
			sent++;
		}
	conntrack_stats(t, &stats);
	ck_assert_uint_eq(stats.told, sent);
	ck_assert_uint_gt(stats.unknown, 0);
	conntrack_close(t);
	nat_free(nat);
}
END_TEST

UNIT_MAIN("conntrack",
    a_connection_is_told_as_its_originator_sees_it_and_as_it_leaves,
    a_connection_of_ipv6_is_told,
    the_identifier_of_icmp_stands_as_source_port_on_both_sides,
    a_connection_that_ends_is_told_and_one_that_lasts_is_not,
    a_connection_that_is_not_translated_is_not_told,
    the_time_is_that_which_the_kernel_noted,
    the_table_is_told_of_each_that_begins_lasts_or_ends,
    a_message_with_gaps_is_counted_and_nothing_else,
    a_broken_message_is_survived)

#else

UNIT(a_build_without_libmnl_says_why)
{
	struct conntrack *t = conntrack_new(&(struct conntrack_config){ 0 });
	char reason[REASON_LEN] = "";

	ck_assert_int_eq(conntrack_open(t, reason), -1);
	ck_assert_str_eq(reason, netlink_unsupported());
	conntrack_close(t);
}
END_TEST

UNIT_MAIN("conntrack", a_build_without_libmnl_says_why)

#endif
