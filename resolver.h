/* SPDX-License-Identifier: ISC */
/*
 * resolver.h - look a name up without waiting for it.
 *
 * Each look-up has a thread of its own that lives as long as the look-up, so
 * that one dead name server delays nobody else's answer.
 */
#ifndef RESOLVER_H
#define RESOLVER_H

#include <stdbool.h>

struct addrinfo; /* netdb.h */
struct wake;     /* wake.h */
struct resolver;

/*
 * Start looking up a host and port for sockets of a type (SOCK_DGRAM ...);
 * `wake` is rung when there is an answer.  Returns NULL with errno.
 */
struct resolver *resolver_start(
    const char *host, const char *port, int socktype, const struct wake *wake);

/*
 * Whether the answer is there.  If so *result is the list of addresses, to be
 * freed with freeaddrinfo(), or NULL with *gai_error set; the resolver is
 * freed.
 */
bool resolver_done(struct resolver *, struct addrinfo **result, int *gai_error);

/* Give up waiting; the resolver frees itself when its answer comes. */
void resolver_abandon(struct resolver *);

#endif
