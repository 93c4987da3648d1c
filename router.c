/* SPDX-License-Identifier: ISC */
/*
 * router.c - what this machine knows of a flow; see router.h.
 */
#include <stdlib.h>

#include "record.h"
#include "router.h"

struct router {
	struct router_config config;
	struct own *own; /* NULL: own sessions stay */
	uint64_t now_ns; /* monotonic, of the last tick */
	struct router_stats stats;
};

struct router *
router_new(const struct router_config *config)
{
	struct router *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
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
	free(r);
}

void
router_tick(struct router *r, uint64_t mono_ns)
{
	if (r != NULL)
		r->now_ns = mono_ns;
}

void
router_session(struct router *r, size_t i, const struct own_session *session)
{
	if (r != NULL && r->own != NULL)
		own_note(r->own, i, session, r->now_ns);
}

/* Judging ---------------------------------------------------------------- */

static enum router_verdict
judge(const struct router *r, const struct flow_record *rec)
{
	if (r->own != NULL && own_is(r->own, rec, r->now_ns))
		return ROUTER_OWN;
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
	static const struct router_stats none;

	return r == NULL ? none : r->stats;
}
