/* SPDX-License-Identifier: ISC */
/*
 * router.h - what this machine knows of a flow that its packets do not tell.
 *
 * The last stage before a record is exported: it learns the interface that
 * was not captured from, or is left out, if it is of this program's own
 * sessions, or the other side of a connection that this machine translates.
 * Live only, in the exporting thread; a replay never comes here.
 */
#ifndef ROUTER_H
#define ROUTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conntrack.h"
#include "nat.h"
#include "own.h"
#include "queue.h"  /* struct cargo */
#include "record.h" /* struct time_span */

struct links;   /* links.h */
struct offload; /* offload.h */
struct routes;  /* route.h */
struct router;

#define ROUTER_FDS 4 /* descriptors to poll, at most */

/* An interface that is captured from. */
struct router_source {
	const char *name;
	uint32_t ifindex; /* that records have; 0 = the system's */
};

#define ROUTER_MARGIN_NS (60 * NS_PER_S) /* a record may wait so long */

struct router_config {
	const struct router_source *source; /* borrowed */
	size_t nsources;
	bool lookup;      /* ask for the other interface */
	bool ports;       /* tell physical interfaces (252, 253) */
	bool exclude_own; /* leave own sessions out */
	size_t sockets;   /* to collectors */
	uint64_t own_ns;  /* how long what ended matters to records to come */
	/* What a router takes over; NULL = not there, and less is known. */
	struct links *links;
	struct routes *routes;
	struct offload *offload;
	struct nat *nat;
	struct conntrack *conntrack;
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
	uint64_t lookups_failed; /* questions that the kernel did not answer */
	struct nat_stats nat;
	struct conntrack_stats conntrack;
};

/* NULL with ENOMEM, and all that was to be taken over is freed. */
struct router *router_new(const struct router_config *);

/* NULL is fine. */
void router_free(struct router *);

/* Fill in what to poll for; returns how many.  None of NULL. */
size_t router_pollfds(const struct router *, struct pollfd[ROUTER_FDS]);

/*
 * Tell the time, by the wall clock (ns since 1970 UTC) and by one that never
 * runs backwards, and read what changed on the machine.  NULL is fine.
 */
void router_tick(struct router *, uint64_t now_ns, uint64_t mono_ns);

/*
 * Tell how many sockets there are now, and how long what ended
 * matters.  0, or -1 with ENOMEM.  NULL is fine.
 */
int router_change(struct router *, size_t sockets, uint64_t own_ns);

/* Tell what socket i < sockets is now.  NULL is fine. */
void router_session(struct router *, size_t i, const struct own_session *);

/* Judge a record and complete it; r->nat is valid until the next call. */
enum router_verdict router_judge(struct router *, struct flow_record *);

/* What was judged; all 0 of NULL. */
struct router_stats router_stats(const struct router *);

#endif
