/* SPDX-License-Identifier: ISC */
/*
 * router.c - what this machine knows of a flow; see router.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
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
	nat_free(config->nat);
	conntrack_close(config->conntrack);
	routes_free(config->routes);
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

int
router_fd(const struct router *r)
{
	return r == NULL ? -1 : conntrack_fd(r->config.conntrack);
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
	routes_read(r->config.routes);
	conntrack_read(r->config.conntrack, now_ns, mono_ns);
	if (r->config.nat == NULL)
		return;
	nat_forget(r->config.nat, mono_ns, r->config.own_ns);
	warn_evicted(r);
}

void
router_session(struct router *r, size_t i, const struct own_session *session)
{
	if (r != NULL && r->own != NULL)
		own_note(r->own, i, session, r->now_ns);
}

/* Judging ---------------------------------------------------------------- */

/* Whether packets of `origin` are captured where they enter the machine. */
static bool
enters_captured(const uint8_t origin[16], uint8_t ip_version, void *arg)
{
	const struct router *r = arg;
	struct route_query back = { .ip_version = ip_version };
	struct route route;

	memcpy(back.dst, origin, sizeof(back.dst));
	route = routes_find(r->config.routes, &back);
	return route.kind == ROUTE_OUT &&
	       r->config.captures(route.ifindex, r->config.arg);
}

static enum router_verdict
judge(struct router *r, struct flow_record *rec)
{
	if (r->own != NULL && own_is(r->own, rec, r->now_ns))
		return ROUTER_OWN;
	if (r->config.nat != NULL &&
	    nat_join(r->config.nat, rec, enters_captured, r))
		return ROUTER_SECOND;
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
	if (r->config.nat != NULL)
		nat_stats(r->config.nat, &s.nat);
	if (r->config.conntrack != NULL)
		conntrack_stats(r->config.conntrack, &s.conntrack);
	return s;
}
