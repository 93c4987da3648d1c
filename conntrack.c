/* SPDX-License-Identifier: ISC */
/*
 * conntrack.c - the kernel's connection tracking; see conntrack.h.
 *
 * The messages are taken apart here, by libmnl: libnetfilter_conntrack does
 * not tell the identifier of ICMP in replies, which a NAT may change.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conntrack.h"
#include "nat.h"
#include "netlink.h"

#ifdef HAVE_MNL

#include <sys/socket.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "log.h"

#define READS_MAX 64                /* calls of netlink_read() in one turn */
#define BUFFER_OCTETS (4 * 1048576) /* of the socket, if the system lets us */
#define WARN_NS (60 * NS_PER_S)     /* between two warnings */

#define EVENTS_SYSCTL "/proc/sys/net/netfilter/nf_conntrack_events"

struct conntrack {
	struct conntrack_config config;
	struct netlink *listen;
	bool listing; /* what is told is the list at the start */
	uint64_t now_ns, mono_ns, warned_ns;
	struct conntrack_stats stats;
};

struct conntrack *
conntrack_new(const struct conntrack_config *config)
{
	struct conntrack *t = calloc(1, sizeof(*t));

	if (t != NULL)
		t->config = *config;
	return t;
}

/* Messages ------------------------------------------------------------------
 */

/* What an attribute of one of our numbers holds, by its number. */
struct attributes {
	const struct nlattr *of[CTA_MAX + 1];
};

static_assert(CTA_TUPLE_MAX <= CTA_MAX && CTA_IP_MAX <= CTA_MAX &&
		  CTA_PROTO_MAX <= CTA_MAX && CTA_TIMESTAMP_MAX <= CTA_MAX,
    "the attributes of what is nested fit, too");

static int
take_attribute(const struct nlattr *a, void *arg)
{
	struct attributes *to = arg;

	if (mnl_attr_get_type(a) <= CTA_MAX)
		to->of[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static struct attributes
open_nest(const struct nlattr *a)
{
	struct attributes inside = { { NULL } };

	if (a != NULL)
		(void)mnl_attr_parse_nested(a, take_attribute, &inside);
	return inside;
}

/* Copy an attribute of len octets; false if it is none. */
static bool
take(const struct nlattr *a, void *to, size_t len)
{
	if (a == NULL || mnl_attr_get_payload_len(a) != len)
		return false;
	memcpy(to, mnl_attr_get_payload(a), len);
	return true;
}

/* A number of 2 octets in network byte order; 0 if it is not there. */
static uint16_t
port(const struct nlattr *a)
{
	uint16_t v = 0;

	(void)take(a, &v, sizeof(v));
	return ntohs(v);
}

/* Read a tuple: one direction of a connection.  False if it has a gap. */
static bool
take_tuple(const struct nlattr *a, struct nat_end *end, uint8_t *protocol,
    uint8_t ip_version)
{
	struct attributes tuple = open_nest(a);
	struct attributes ip = open_nest(tuple.of[CTA_TUPLE_IP]);
	struct attributes l4 = open_nest(tuple.of[CTA_TUPLE_PROTO]);
	bool v4 = ip_version == 4;
	size_t len = v4 ? 4 : 16;

	end->src_port = port(l4.of[CTA_PROTO_SRC_PORT]);
	end->dst_port = port(l4.of[CTA_PROTO_DST_PORT]);
	if (l4.of[CTA_PROTO_ICMP_ID] != NULL)
		end->src_port = port(l4.of[CTA_PROTO_ICMP_ID]);
	if (l4.of[CTA_PROTO_ICMPV6_ID] != NULL)
		end->src_port = port(l4.of[CTA_PROTO_ICMPV6_ID]);
	return take(ip.of[v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC], end->src, len) &&
	       take(ip.of[v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST], end->dst, len) &&
	       take(l4.of[CTA_PROTO_NUM], protocol, 1);
}

/* Replies come from where translated packets go; an identifier stays. */
static void
turn_reply(
    const struct nat_end *reply, bool identifier, struct nat_end *translated)
{
	memcpy(translated->src, reply->dst, sizeof(translated->src));
	memcpy(translated->dst, reply->src, sizeof(translated->dst));
	translated->src_port = identifier ? reply->src_port : reply->dst_port;
	translated->dst_port = identifier ? reply->dst_port : reply->src_port;
}

static bool
is_icmp(uint8_t protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static bool
take_connection(
    const struct attributes *a, uint8_t family, struct nat_connection *c)
{
	struct nat_end reply = { .src_port = 0 };
	uint8_t protocol;

	*c =
	    (struct nat_connection){ .ip_version = family == AF_INET6 ? 6 : 4 };
	if (!take_tuple(a->of[CTA_TUPLE_ORIG], &c->original, &c->protocol,
		c->ip_version) ||
	    !take_tuple(
		a->of[CTA_TUPLE_REPLY], &reply, &protocol, c->ip_version))
		return false;
	turn_reply(&reply, is_icmp(c->protocol), &c->translated);
	return true;
}

/* When it began or ended by the kernel, if it notes that; else now. */
static uint64_t
time_of(const struct conntrack *t, const struct attributes *a, bool begins)
{
	struct attributes stamp = open_nest(a->of[CTA_TIMESTAMP]);
	uint64_t ns = 0;

	(void)take(stamp.of[begins ? CTA_TIMESTAMP_START : CTA_TIMESTAMP_STOP],
	    &ns, sizeof(ns));
	return ns == 0 ? t->now_ns : be64toh(ns);
}

/* A connection begins, lasts or ends. */
static void
note_connection(struct conntrack *t, const struct nat_connection *c,
    const struct nlmsghdr *h, const struct attributes *a)
{
	bool ends = NFNL_MSG_TYPE(h->nlmsg_type) == IPCTNL_MSG_CT_DELETE;
	bool begins = !ends && (h->nlmsg_flags & NLM_F_CREATE) != 0;
	struct nat *nat = t->config.nat;

	if (nat != NULL && ends)
		nat_end(nat, c, t->mono_ns);
	else if (nat != NULL && t->listing)
		nat_begin(nat, c, 0);
	else if (nat != NULL && begins)
		nat_begin(nat, c, t->now_ns);
	else if (nat != NULL)
		nat_last(nat, c, t->now_ns);
	if (t->config.tell != NULL && !t->listing && begins != ends &&
	    nat_translates(c))
		t->config.tell(c, begins, time_of(t, a, begins), t->config.arg);
}

void
conntrack_note(struct conntrack *t, const struct nlmsghdr *h)
{
	const struct nfgenmsg *head = mnl_nlmsg_get_payload(h);
	struct attributes a = { { NULL } };
	struct nat_connection c;

	if (NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_CTNETLINK ||
	    (NFNL_MSG_TYPE(h->nlmsg_type) != IPCTNL_MSG_CT_NEW &&
		NFNL_MSG_TYPE(h->nlmsg_type) != IPCTNL_MSG_CT_DELETE))
		return;
	t->stats.told++;
	if (mnl_nlmsg_get_payload_len(h) < sizeof(*head) ||
	    (head->nfgen_family != AF_INET && head->nfgen_family != AF_INET6) ||
	    mnl_attr_parse(h, sizeof(*head), take_attribute, &a) ==
		MNL_CB_ERROR ||
	    !take_connection(&a, head->nfgen_family, &c)) {
		t->stats.unknown++;
		return;
	}
	note_connection(t, &c, h, &a);
}

static void
note(const struct nlmsghdr *h, void *arg)
{
	conntrack_note(arg, h);
}

/* Opening -------------------------------------------------------------------
 */

/* Read what connections there are.  0, or -1 with errno. */
static int
list_connections(struct conntrack *t)
{
	char buffer[NETLINK_REQUEST_LEN] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *head = mnl_nlmsg_put_extra_header(h, sizeof(*head));
	struct netlink *ask = netlink_open(NETLINK_NETFILTER, NULL, 0);
	int result, error;

	if (ask == NULL)
		return -1;
	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	head->nfgen_family = AF_UNSPEC;
	head->version = NFNETLINK_V0;
	t->listing = true;
	result = netlink_ask(ask, h, note, t);
	t->listing = false;
	error = errno;
	netlink_close(ask);
	errno = error;
	return result;
}

/* As much room for what is told as the system lets us have. */
static void
widen(int fd)
{
	int octets = BUFFER_OCTETS;

	if (setsockopt(
		fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) == -1)
		(void)setsockopt(
		    fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
}

/* Whether the system was told to tell nothing. */
static bool
events_are_off(void)
{
	FILE *f = fopen(EVENTS_SYSCTL, "re");
	int c = f == NULL ? EOF : getc(f);

	if (f != NULL)
		(void)fclose(f);
	return c == '0';
}

static int
start(struct conntrack *t)
{
	static const int groups[] = { NFNLGRP_CONNTRACK_NEW,
		NFNLGRP_CONNTRACK_UPDATE, NFNLGRP_CONNTRACK_DESTROY };

	t->listen = netlink_open(
	    NETLINK_NETFILTER, groups, sizeof(groups) / sizeof(groups[0]));
	if (t->listen == NULL)
		return -1;
	widen(netlink_fd(t->listen));
	if (t->config.nat != NULL && list_connections(t) == -1)
		return -1;
	if (events_are_off())
		log_warn("connection tracking tells nothing of new "
			 "connections: set net.netfilter.nf_conntrack_events "
			 "to 1");
	return 0;
}

int
conntrack_open(struct conntrack *t, char reason[REASON_LEN])
{
	if (start(t) == 0)
		return 0;
	(void)snprintf(reason, REASON_LEN, "connection tracking: %s",
	    errno == EPERM ? "needs the capability CAP_NET_ADMIN"
			   : strerror(errno));
	return -1;
}

void
conntrack_close(struct conntrack *t)
{
	if (t == NULL)
		return;
	netlink_close(t->listen);
	free(t);
}

int
conntrack_fd(const struct conntrack *t)
{
	return t == NULL ? -1 : netlink_fd(t->listen);
}

/* Reading -------------------------------------------------------------------
 */

static void
miss(struct conntrack *t)
{
	t->stats.missed++;
	if (t->stats.missed > 1 && t->mono_ns - t->warned_ns < WARN_NS)
		return;
	t->warned_ns = t->mono_ns;
	log_warn("connection tracking told more at once than could be read: "
		 "flows of some translated connections are exported as they "
		 "are seen");
}

void
conntrack_read(struct conntrack *t, uint64_t now_ns, uint64_t mono_ns)
{
	if (t == NULL || t->listen == NULL)
		return;
	t->now_ns = now_ns;
	t->mono_ns = mono_ns;
	for (int i = 0; i < READS_MAX; i++) {
		int n = netlink_read(t->listen, note, t);

		if (n == -1 && errno == ENOBUFS)
			miss(t);
		else if (n <= 0)
			return;
	}
}

void
conntrack_stats(const struct conntrack *t, struct conntrack_stats *stats)
{
	*stats = t->stats;
}

#else

struct conntrack {
	char none;
};

struct conntrack *
conntrack_new(const struct conntrack_config *config)
{
	(void)config;
	return calloc(1, sizeof(struct conntrack));
}

int
conntrack_open(struct conntrack *t, char reason[REASON_LEN])
{
	(void)t;
	(void)snprintf(reason, REASON_LEN, "%s", netlink_unsupported());
	return -1;
}

void
conntrack_close(struct conntrack *t)
{
	free(t);
}

int
conntrack_fd(const struct conntrack *t)
{
	(void)t;
	return -1;
}

void
conntrack_read(struct conntrack *t, uint64_t now_ns, uint64_t mono_ns)
{
	(void)t;
	(void)now_ns;
	(void)mono_ns;
}

void
conntrack_note(struct conntrack *t, const struct nlmsghdr *h)
{
	(void)t;
	(void)h;
}

void
conntrack_stats(const struct conntrack *t, struct conntrack_stats *stats)
{
	(void)t;
	*stats = (struct conntrack_stats){ 0, 0, 0 };
}

#endif
