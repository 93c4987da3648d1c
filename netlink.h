/* SPDX-License-Identifier: ISC */
/*
 * netlink.h - questions to the kernel, and what it tells by itself.
 *
 * The only place that knows netlink's sockets, through libmnl (optional).
 * Nothing here waits: the kernel answers a question while it is sent, and what
 * is not there at once counts as no answer.  One socket either asks or
 * listens, so that answers and notifications never mix.
 */
#ifndef NETLINK_H
#define NETLINK_H

#include <stddef.h>

struct nlmsghdr; /* linux/netlink.h */
struct netlink;

/* Room for a question of ours. */
#define NETLINK_REQUEST_LEN 256

/* Receives one message; borrowed. */
typedef void netlink_fn(const struct nlmsghdr *, void *arg);

/* Why this build cannot ask the kernel; NULL = it can. */
const char *netlink_unsupported(void);

/*
 * Open a socket of a protocol (NETLINK_ROUTE ...) and join n multicast groups
 * (RTNLGRP_LINK ...).  NULL with errno; ENOSYS without libmnl.
 */
struct netlink *netlink_open(int protocol, const int *groups, size_t n);

/* NULL is fine. */
void netlink_close(struct netlink *);

/* The descriptor to poll for POLLIN; -1 of NULL. */
int netlink_fd(const struct netlink *);

/*
 * Ask, and hand over what is answered; the header's sequence number is set
 * here.  Returns 0, or -1 with errno: the kernel's error, EINTR if what was
 * listed changed meanwhile, EAGAIN if no answer was there at once.
 */
int netlink_ask(
    struct netlink *n, struct nlmsghdr *request, netlink_fn *fn, void *arg);

/*
 * Hand over what the kernel told since, as far as one turn goes.  Returns how
 * many messages, or -1 with errno: ENOBUFS if some were lost.
 */
int netlink_read(struct netlink *n, netlink_fn *fn, void *arg);

#endif
