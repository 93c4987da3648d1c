/* SPDX-License-Identifier: ISC */
/*
 * router.h - what this machine knows of a flow that its packets do not tell.
 *
 * The last stage before a record is exported, or left out: if it is of this
 * program's own sessions.  Live only, in the exporting thread; a replay never
 * comes here.
 */
#ifndef ROUTER_H
#define ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "own.h"
#include "queue.h"  /* struct cargo */
#include "record.h" /* struct time_span */

struct router;

struct router_config {
	bool exclude_own; /* leave own sessions out */
	size_t sockets;   /* to collectors */
	uint64_t own_ns;  /* how long a session that ended matters */
};

/* What to do with a record. */
enum router_verdict {
	ROUTER_EXPORT, /* it is complete */
	ROUTER_OWN,    /* leave it out: it is of an own session */
	ROUTER_VERDICTS
};

struct router_stats {
	/* Records by verdict, with the conversations' packets and octets. */
	struct cargo verdict[ROUTER_VERDICTS];
	struct time_span left_out; /* of those that are not exported */
};

/* NULL with ENOMEM. */
struct router *router_new(const struct router_config *);

/* NULL is fine. */
void router_free(struct router *);

/* Tell the time, of a clock that never runs backwards.  NULL is fine. */
void router_tick(struct router *, uint64_t mono_ns);

/* Tell what socket i < sockets is now.  NULL is fine. */
void router_session(struct router *, size_t i, const struct own_session *);

/* Judge a record. */
enum router_verdict router_judge(struct router *, struct flow_record *);

/* What was judged; all 0 of NULL. */
struct router_stats router_stats(const struct router *);

#endif
