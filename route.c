/* SPDX-License-Identifier: ISC */
/*
 * route.c - where this machine sends a packet; see route.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowkey.h" /* flow_fold, flow_word */
#include "netlink.h"
#include "route.h"

#define CACHE_BITS 12
#define CACHE_ENTRIES (1U << CACHE_BITS)
#define ECN_BITS 3 /* of the class of service: no matter to routing */

/* An answer; of the queries that share a place the last one is kept. */
struct kept {
	struct route_query query;
	struct route answer;
	uint64_t age; /* valid while it is that of the whole */
};

struct routes {
	route_ask_fn *ask;
	void *arg;
	struct netlink *asking, *listening; /* NULL: another one is asked */
	uint64_t age;                       /* > 0 */
	uint64_t seed[4];
	struct route_stats stats;
	struct kept kept[CACHE_ENTRIES];
};

/* The kernel ------------------------------------------------------------- */

#ifdef HAVE_MNL

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

static int
take_attribute(const struct nlattr *a, void *arg)
{
	struct route *answer = arg;

	if (mnl_attr_get_type(a) == RTA_OIF &&
	    mnl_attr_get_payload_len(a) == sizeof(uint32_t))
		answer->ifindex = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

/* A multicast packet goes to who wants it, which is no one interface. */
static enum route_kind
kind_of(unsigned char type)
{
	switch (type) {
	case RTN_UNICAST:
		return ROUTE_OUT;
	case RTN_LOCAL:
	case RTN_BROADCAST:
	case RTN_ANYCAST:
	case RTN_MULTICAST:
		return ROUTE_LOCAL;
	default:
		return ROUTE_NONE;
	}
}

static void
take_answer(const struct nlmsghdr *h, void *arg)
{
	struct route *answer = arg;
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type != RTM_NEWROUTE ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*rt))
		return;
	answer->kind = kind_of(rt->rtm_type);
	(void)mnl_attr_parse(h, sizeof(*rt), take_attribute, answer);
	if (answer->kind != ROUTE_OUT)
		answer->ifindex = 0;
}

static int
ask_kernel(void *arg, const struct route_query *q, struct route *answer)
{
	static const uint8_t unspecified[16];
	struct routes *r = arg;
	char buffer[NETLINK_REQUEST_LEN] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
	uint8_t len = q->ip_version == 4 ? 4 : 16;

	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST;
	rt->rtm_family = q->ip_version == 4 ? AF_INET : AF_INET6;
	rt->rtm_tos = q->tos;
	rt->rtm_dst_len = (uint8_t)(len * 8);
	mnl_attr_put(h, RTA_DST, len, q->dst);
	if (memcmp(q->src, unspecified, sizeof(q->src)) != 0) {
		rt->rtm_src_len = (uint8_t)(len * 8);
		mnl_attr_put(h, RTA_SRC, len, q->src);
	}
	if (q->ingress != 0)
		mnl_attr_put_u32(h, RTA_IIF, q->ingress);
	*answer = (struct route){ ROUTE_UNKNOWN, 0 };
	return netlink_ask(r->asking, h, take_answer, answer);
}

struct routes *
routes_new(void)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
		RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE };
	struct routes *r = routes_new_asking(ask_kernel, NULL);
	int error;

	if (r == NULL)
		return NULL;
	r->arg = r;
	r->listening = netlink_open(
	    NETLINK_ROUTE, groups, sizeof(groups) / sizeof(groups[0]));
	if (r->listening != NULL)
		r->asking = netlink_open(NETLINK_ROUTE, NULL, 0);
	if (r->asking != NULL)
		return r;
	error = errno;
	routes_free(r);
	errno = error;
	return NULL;
}

#else

struct routes *
routes_new(void)
{
	errno = ENOSYS;
	return NULL;
}

#endif

/* The cache -------------------------------------------------------------- */

struct routes *
routes_new_asking(route_ask_fn *ask, void *arg)
{
	struct routes *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->ask = ask;
	r->arg = arg;
	r->age = 1;
	arc4random_buf(r->seed, sizeof(r->seed));
	return r;
}

void
routes_free(struct routes *r)
{
	if (r == NULL)
		return;
	netlink_close(r->asking);
	netlink_close(r->listening);
	free(r);
}

int
routes_fd(const struct routes *r)
{
	return r == NULL ? -1 : netlink_fd(r->listening);
}

static void
pass_over(const struct nlmsghdr *h, void *arg)
{
	(void)h;
	(void)arg;
}

void
routes_read(struct routes *r)
{
	if (r != NULL && r->listening != NULL &&
	    netlink_read(r->listening, pass_over, NULL) != 0)
		routes_forget(r);
}

void
routes_forget(struct routes *r)
{
	r->age++;
}

static bool
same_query(const struct route_query *a, const struct route_query *b)
{
	return memcmp(a->dst, b->dst, sizeof(a->dst)) == 0 &&
	       memcmp(a->src, b->src, sizeof(a->src)) == 0 &&
	       a->ingress == b->ingress && a->ip_version == b->ip_version &&
	       a->tos == b->tos;
}

static struct kept *
place_of(struct routes *r, const struct route_query *q)
{
	uint64_t rest =
	    (uint64_t)q->ingress << 16 | (uint64_t)q->tos << 8 | q->ip_version;
	uint64_t hash = flow_fold(
	    flow_word(q->dst) ^ r->seed[0], flow_word(q->dst + 8) ^ r->seed[1]);

	hash ^= flow_fold(
	    flow_word(q->src) ^ r->seed[2], flow_word(q->src + 8) ^ r->seed[3]);
	hash = flow_fold(hash ^ r->seed[1], rest ^ r->seed[2]);
	return &r->kept[hash >> (64 - CACHE_BITS)];
}

/* Whether the question failed, other than by what the kernel found. */
static bool
went_wrong(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == ENOMEM ||
	       error == EINTR || error == EBUSY || error == EBADMSG;
}

/* Whether the kernel would not take the packet where it came in. */
static bool
refused_there(int error)
{
	return error == EINVAL || error == EXDEV || error == ENODEV;
}

static struct route
ask(struct routes *r, const struct route_query *q)
{
	struct route answer = { ROUTE_UNKNOWN, 0 };
	struct route_query born_here = *q;

	r->stats.asked++;
	if (r->ask(r->arg, q, &answer) == 0)
		return answer;
	if (q->ingress != 0 && refused_there(errno)) {
		born_here.ingress = 0;
		memset(born_here.src, 0, sizeof(born_here.src));
		return routes_find(r, &born_here);
	}
	if (!went_wrong(errno))
		return (struct route){ ROUTE_NONE, 0 };
	r->stats.failed++;
	return (struct route){ ROUTE_UNKNOWN, 0 };
}

struct route
routes_find(struct routes *r, const struct route_query *query)
{
	struct route_query q = *query;
	struct route answer;
	struct kept *k;

	if (r == NULL)
		return (struct route){ ROUTE_UNKNOWN, 0 };
	q.tos &= (uint8_t)~ECN_BITS;
	k = place_of(r, &q);
	if (k->age == r->age && same_query(&k->query, &q)) {
		r->stats.kept++;
		return k->answer;
	}
	answer = ask(r, &q);
	if (answer.kind != ROUTE_UNKNOWN)
		*k = (struct kept){ q, answer, r->age };
	return answer;
}

const struct route_stats *
routes_stats(const struct routes *r)
{
	return &r->stats;
}
