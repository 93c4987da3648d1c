/* SPDX-License-Identifier: ISC */
/*
 * route.h - where this machine sends a packet, as its kernel says.
 *
 * The kernel is asked by rtnetlink, and what it said is kept until an
 * interface, an address, a route or a rule changes.  What a packet filter's
 * mark changes about routing cannot be asked.  For the exporting thread.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdbool.h>
#include <stdint.h>

struct routes;

/* A packet; addresses in network order, IPv4 in the first 4 octets. */
struct route_query {
	uint8_t src[16], dst[16];
	uint32_t ingress; /* where it came in; 0 = it is born here */
	uint8_t ip_version;
	uint8_t tos; /* class of service */
};

enum route_kind {
	ROUTE_UNKNOWN, /* the kernel could not be asked */
	ROUTE_NONE,    /* it goes nowhere */
	ROUTE_LOCAL,   /* it is for this machine */
	ROUTE_OUT      /* it leaves by an interface */
};

struct route {
	enum route_kind kind;
	uint32_t ifindex; /* ROUTE_OUT; else 0 */
};

struct route_stats {
	uint64_t asked;  /* questions to the kernel */
	uint64_t failed; /* ... without an answer */
	uint64_t kept;   /* answered by what was kept */
};

/*
 * Asks for one packet.  Returns 0, or -1 with errno: what the kernel has
 * against the packet, or why it was not asked.
 */
typedef int route_ask_fn(
    void *arg, const struct route_query *query, struct route *answer);

/* Create, with nothing known.  NULL with errno; ENOSYS without libmnl. */
struct routes *routes_new(void);

/* The same, with somebody else to ask than the kernel; nothing to read. */
struct routes *routes_new_asking(route_ask_fn *, void *arg);

/* NULL is fine. */
void routes_free(struct routes *);

/* The descriptor to poll for POLLIN; -1 if there is none. */
int routes_fd(const struct routes *);

/* Read what changed; if anything did, forget all.  NULL is fine. */
void routes_read(struct routes *);

/* Forget all that was kept. */
void routes_forget(struct routes *);

/*
 * Find where a packet goes.  If the kernel would not take it at the interface
 * it came from (reverse path filter), it is asked as if it was born here.
 * ROUTE_UNKNOWN of NULL.
 */
struct route routes_find(struct routes *, const struct route_query *);

const struct route_stats *routes_stats(const struct routes *);

#endif
