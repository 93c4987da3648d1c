/* SPDX-License-Identifier: ISC */
/*
 * router.c - what this machine knows of a flow; see router.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "extra.h"
#include "links.h"
#include "log.h"
#include "offload.h"
#include "record.h"
#include "route.h"
#include "router.h"

#define WARN_NS (60 * NS_PER_S) /* between two warnings */

struct router {
	struct router_config config;
	struct own *own;                    /* NULL: own sessions stay */
	uint64_t now_ns;                    /* monotonic, of the last tick */
	uint64_t warned_evicted, warned_ns; /* of which was warned, and when */
	struct router_stats stats;
};

static void
free_taken(const struct router_config *config)
{
	conntrack_close(config->conntrack);
	nat_free(config->nat);
	offload_free(config->offload);
	routes_free(config->routes);
	links_free(config->links);
}

struct router *
router_new(const struct router_config *config)
{
	struct router *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		free_taken(config);
		return NULL;
	}
	r->config = *config;
	if (!config->exclude_own)
		return r;
	r->own = own_new(config->sockets, config->own_ns);
	if (r->own != NULL)
		return r;
	router_free(r);
	return NULL;
}

void
router_free(struct router *r)
{
	if (r == NULL)
		return;
	own_free(r->own);
	free_taken(&r->config);
	free(r);
}

size_t
router_pollfds(const struct router *r, struct pollfd pfd[ROUTER_FDS])
{
	size_t n = 0;

	if (r == NULL)
		return 0;
	const int fds[ROUTER_FDS] = { links_fd(r->config.links),
		routes_fd(r->config.routes), offload_fd(r->config.offload),
		conntrack_fd(r->config.conntrack) };

	for (size_t i = 0; i < ROUTER_FDS; i++)
		if (fds[i] != -1)
			pfd[n++] = (struct pollfd){ fds[i], POLLIN, 0 };
	return n;
}

/* Warn when the table of translated connections begins to be too small. */
static void
warn_evicted(struct router *r)
{
	struct nat_stats s;

	nat_stats(r->config.nat, &s);
	if (s.evicted == r->warned_evicted ||
	    (r->warned_evicted != 0 && r->now_ns - r->warned_ns < WARN_NS))
		return;
	log_warn("more than %" PRIu32
		 " translated connections: flows of %" PRIu64
		 " so far are exported as they are seen; a larger --nat-max "
		 "may help",
	    s.connections_max, s.evicted);
	r->warned_evicted = s.evicted;
	r->warned_ns = r->now_ns;
}

void
router_tick(struct router *r, uint64_t now_ns, uint64_t mono_ns)
{
	if (r == NULL)
		return;
	r->now_ns = mono_ns;
	if (links_read(r->config.links))
		offload_changed(r->config.offload);
	routes_read(r->config.routes);
	offload_read(r->config.offload);
	offload_tell(r->config.offload, r->config.links, mono_ns);
	conntrack_read(r->config.conntrack, now_ns, mono_ns);
	if (r->config.nat == NULL)
		return;
	nat_forget(r->config.nat, mono_ns, r->config.own_ns);
	warn_evicted(r);
}

int
router_change(struct router *r, size_t sockets, uint64_t own_ns)
{
	if (r == NULL)
		return 0;
	r->config.own_ns = own_ns;
	return r->own == NULL ? 0
			      : own_change(r->own, sockets, own_ns, r->now_ns);
}

void
router_session(struct router *r, size_t i, const struct own_session *session)
{
	if (r != NULL && r->own != NULL)
		own_note(r->own, i, session, r->now_ns);
}

/* Numbers of interfaces -------------------------------------------------- */

/* The system's number of an interface that a record knows by another. */
static uint32_t
system_number(const struct router *r, uint32_t ifindex)
{
	for (size_t i = 0; i < r->config.nsources; i++) {
		const struct router_source *a = &r->config.source[i];
		const struct link *it =
		    a->ifindex == ifindex
			? links_named(r->config.links, a->name)
			: NULL;

		if (it != NULL)
			return it->ifindex;
	}
	return ifindex;
}

/* The number that records have for an interface of the system's. */
static uint32_t
record_number(const struct router *r, uint32_t ifindex)
{
	const struct link *it = r->config.nsources == 0
				    ? NULL
				    : links_find(r->config.links, ifindex);

	for (size_t i = 0; it != NULL && i < r->config.nsources; i++)
		if (r->config.source[i].ifindex != 0 &&
		    strcmp(r->config.source[i].name, it->name) == 0)
			return r->config.source[i].ifindex;
	return ifindex;
}

/* The other interface ---------------------------------------------------- */

/* Whether routers pass on what has this source or destination. */
static bool
is_forwarded(uint8_t ip_version, const uint8_t *address)
{
	if (ip_version == 4)
		return address[0] < 224; /* multicast, broadcast */
	return address[0] != 0xff &&     /* multicast, link-local */
	       !(address[0] == 0xfe && (address[1] & 0xc0) == 0x80);
}

/* Where packets from src (NULL: born here) to dst go, in records' numbers. */
static uint32_t
look_up(struct router *r, const struct flow_record *rec, const uint8_t *src,
    const uint8_t *dst, uint32_t ingress, uint8_t tos)
{
	struct route_query q = { .ip_version = rec->ip_version, .tos = tos };

	if (!is_forwarded(rec->ip_version, dst) ||
	    (src != NULL && !is_forwarded(rec->ip_version, src)))
		return 0;
	memcpy(q.dst, dst, sizeof(q.dst));
	if (src != NULL)
		memcpy(q.src, src, sizeof(q.src));
	if (ingress != 0)
		q.ingress =
		    links_routing(r->config.links, system_number(r, ingress));
	return record_number(r, routes_find(r->config.routes, &q).ifindex);
}

/* By which addresses packets of a direction are routed. */
struct ends {
	const uint8_t *src, *dst;
};

/*
 * A destination is translated before the packet is routed, and a source after
 * it; so packets go to where their direction leads, and come from where the
 * other one does.
 */
static struct ends
routed_by(const struct flow_record *rec, bool reverse)
{
	const struct flow_nat *nat = rec->nat;

	if (nat != NULL)
		return (struct ends){ nat->half[!reverse ^ rec->turned].dst,
			nat->half[reverse ^ rec->turned].dst };
	return reverse ? (struct ends){ rec->dst, rec->src }
		       : (struct ends){ rec->src, rec->dst };
}

/*
 * Packets that came in were sent on as the kernel does with such; 0 = nowhere,
 * for they were for this machine.
 */
static void
find_egress(struct router *r, struct flow_record *rec, bool reverse)
{
	struct flow_half *half = reverse ? &rec->rev : &rec->fwd;
	const struct ends by = routed_by(rec, reverse);

	if (half->packets > 0 && half->direction == DIRECTION_IN &&
	    half->ingress != 0 && half->egress == 0)
		half->egress =
		    look_up(r, rec, by.src, by.dst, half->ingress, half->tos);
}

/*
 * Packets that went out came from where answers to them go, if there are any,
 * or would go.  0 = from nowhere, for they were born on this machine.
 */
static void
find_ingress(struct router *r, struct flow_record *rec, bool reverse)
{
	struct flow_half *half = reverse ? &rec->rev : &rec->fwd;
	const struct flow_half *other = reverse ? &rec->fwd : &rec->rev;
	uint32_t back = other->packets > 0 ? other->egress : 0;

	if (half->packets == 0 || half->direction != DIRECTION_OUT ||
	    half->egress == 0 || half->ingress != 0)
		return;
	if (back == 0)
		back = look_up(
		    r, rec, NULL, routed_by(rec, reverse).src, 0, half->tos);
	/* One that left towards its source tells nothing. */
	half->ingress = back == half->egress ? 0 : back;
}

static void
find_interfaces(struct router *r, struct flow_record *rec)
{
	/* An egress that was found helps to find an ingress. */
	find_egress(r, rec, false);
	find_egress(r, rec, true);
	find_ingress(r, rec, false);
	find_ingress(r, rec, true);
}

/* Physical interfaces ---------------------------------------------------- */

/*
 * The MAC address of the station at one end of a half: the one its frames come
 * from or go to, whichever was seen, or that of the answers; all 0 = unknown.
 */
static const uint8_t *
station(const struct flow_record *rec, bool reverse, bool ingress)
{
	static const uint8_t nobody[6];
	const struct flow_half *half[2] = { &rec->fwd, &rec->rev };
	const struct flow_half *it = half[reverse], *other = half[!reverse];
	const struct half_extra *x = rec->extra->half;
	uint32_t at = ingress ? it->ingress : it->egress;
	uint8_t seen = ingress ? DIRECTION_IN : DIRECTION_OUT;
	uint8_t seen_back = ingress ? DIRECTION_OUT : DIRECTION_IN;
	const struct half_extra *mine = &x[reverse ^ rec->turned];
	const struct half_extra *theirs = &x[!reverse ^ rec->turned];

	if (it->packets > 0 && it->direction == seen)
		return ingress ? mine->src_mac : mine->dst_mac;
	if (other->packets > 0 && other->direction == seen_back &&
	    at == (ingress ? other->egress : other->ingress))
		return ingress ? theirs->dst_mac : theirs->src_mac;
	return nobody;
}

/* One that was seen below the interface needs no question. */
static void
find_port(const struct router *r, uint32_t ifindex, const uint8_t mac[6],
    uint32_t *port)
{
	if (ifindex != 0 && (*port == 0 || *port == ifindex))
		*port = record_number(r, links_port(r->config.links,
					     system_number(r, ifindex), mac));
}

static void
find_ports(const struct router *r, struct flow_record *rec)
{
	for (int reverse = 0; reverse < 2; reverse++) {
		const struct flow_half *half = reverse ? &rec->rev : &rec->fwd;
		struct half_extra *x = &rec->extra->half[reverse ^ rec->turned];

		find_port(r, half->ingress, station(rec, reverse, true),
		    &x->ingress_port);
		find_port(r, half->egress, station(rec, reverse, false),
		    &x->egress_port);
	}
}

/* Judging ---------------------------------------------------------------- */

/* Whether an interface is one of those captured from, or any is. */
static bool
is_source(const struct router *r, const struct link *it)
{
	for (size_t i = 0; i < r->config.nsources; i++) {
		const char *name = r->config.source[i].name;

		if (strcmp(name, "any") == 0 || strncmp(name, "nflog", 5) == 0)
			return true;
		if (it != NULL && strcmp(name, it->name) == 0)
			return true;
	}
	return false;
}

/* Whether packets of an interface are: there, below it, or at all its parts. */
static bool
is_captured(const struct router *r, uint32_t ifindex, int depth)
{
	const struct links *links = r->config.links;
	const struct link *it = links_find(links, ifindex);
	size_t parts = 0;

	if (is_source(r, it))
		return true;
	if (it == NULL || depth > LINK_DEPTH_MAX)
		return false;
	if (it->lower != 0)
		return is_captured(r, it->lower, depth + 1);
	for (size_t i = 0; i < links_count(links); i++) {
		const struct link *part = links_at(links, i);

		if (part->master != ifindex)
			continue;
		if (!is_captured(r, part->ifindex, depth + 1))
			return false;
		parts++;
	}
	return parts > 0;
}

/* Whether packets of `origin` are captured where they enter the machine. */
static bool
enters_captured(const uint8_t origin[16], uint8_t ip_version, void *arg)
{
	const struct router *r = arg;
	struct route_query back = { .ip_version = ip_version };
	struct route route;

	memcpy(back.dst, origin, sizeof(back.dst));
	route = routes_find(r->config.routes, &back);
	return route.kind == ROUTE_OUT && is_captured(r, route.ifindex, 0);
}

static enum router_verdict
judge(struct router *r, struct flow_record *rec)
{
	if (r->own != NULL && own_is(r->own, rec, r->now_ns))
		return ROUTER_OWN;
	if (r->config.nat != NULL &&
	    nat_join(r->config.nat, rec, enters_captured, r))
		return ROUTER_SECOND;
	/* An own session that was translated has its own addresses again. */
	if (rec->nat != NULL && r->own != NULL &&
	    own_is(r->own, rec, r->now_ns))
		return ROUTER_OWN;
	if (r->config.lookup && r->config.routes != NULL)
		find_interfaces(r, rec);
	if (r->config.ports && rec->extra != NULL)
		find_ports(r, rec);
	return ROUTER_EXPORT;
}

enum router_verdict
router_judge(struct router *r, struct flow_record *rec)
{
	enum router_verdict v = judge(r, rec);
	struct cargo *sum = &r->stats.verdict[v];

	sum->records++;
	sum->packets += rec->fwd.packets + rec->rev.packets;
	sum->octets += rec->fwd.octets + rec->rev.octets;
	if (v != ROUTER_EXPORT) {
		span_cover(
		    &r->stats.left_out, rec->fwd.start_ns, rec->fwd.end_ns);
		span_cover(
		    &r->stats.left_out, rec->rev.start_ns, rec->rev.end_ns);
	}
	return v;
}

struct router_stats
router_stats(const struct router *r)
{
	struct router_stats s = { .left_out = { 0, 0 } };

	if (r == NULL)
		return s;
	s = r->stats;
	if (r->config.routes != NULL)
		s.lookups_failed = routes_stats(r->config.routes)->failed;
	if (r->config.nat != NULL)
		nat_stats(r->config.nat, &s.nat);
	if (r->config.conntrack != NULL)
		conntrack_stats(r->config.conntrack, &s.conntrack);
	return s;
}
