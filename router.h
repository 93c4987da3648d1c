/* SPDX-License-Identifier: ISC */
/*
 * router.h - what this machine knows of a flow that its packets do not tell.
 *
 * The last stage before a record is exported, or left out: if it is of this
 * program's own sessions, or the other side of a connection that this machine
 * translates.  Live only, in the exporting thread; a replay never comes here.
 */
#ifndef ROUTER_H
#define ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conntrack.h"
#include "nat.h"
#include "own.h"
#include "queue.h"  /* struct cargo */
#include "record.h" /* struct time_span */

struct routes; /* route.h */
struct router;

/* Whether packets of an interface of the system are captured. */
typedef bool router_captures_fn(uint32_t ifindex, void *arg);

struct router_config {
	bool exclude_own; /* leave own sessions out */
	size_t sockets;   /* to collectors */
	uint64_t own_ns;  /* how long what ended matters to records to come */
	router_captures_fn *captures;
	void *arg;
	/* What a router takes over; NULL = not there. */
	struct nat *nat;
	struct conntrack *conntrack;
	struct routes *routes;
};

/* What to do with a record. */
enum router_verdict {
	ROUTER_EXPORT, /* it is complete */
	ROUTER_OWN,    /* leave it out: it is of an own session */
	ROUTER_SECOND, /* leave it out: it was seen before it was translated */
	ROUTER_VERDICTS
};

struct router_stats {
	/* Records by verdict, with the conversations' packets and octets. */
	struct cargo verdict[ROUTER_VERDICTS];
	struct time_span left_out; /* of those that are not exported */
	struct nat_stats nat;
	struct conntrack_stats conntrack;
};

/* NULL with ENOMEM, and all that was to be taken over is freed. */
struct router *router_new(const struct router_config *);

/* NULL is fine. */
void router_free(struct router *);

/* The descriptor to poll for POLLIN; -1 if there is none. */
int router_fd(const struct router *);

/*
 * Tell the time, by the wall clock (ns since 1970 UTC) and by one that never
 * runs backwards, and read what the kernel tells.  NULL is fine.
 */
void router_tick(struct router *, uint64_t now_ns, uint64_t mono_ns);

/* Tell what socket i < sockets is now.  NULL is fine. */
void router_session(struct router *, size_t i, const struct own_session *);

/* Judge a record and complete it; r->nat is valid until the next call. */
enum router_verdict router_judge(struct router *, struct flow_record *);

/* What was judged; all 0 of NULL. */
struct router_stats router_stats(const struct router *);

#endif
