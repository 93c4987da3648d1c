/* SPDX-License-Identifier: ISC */
/*
 * conntrack.h - what the kernel's connection tracking tells of connections
 * that it translates, by its messages over netlink (libmnl, optional).
 *
 * It is opened while there still is CAP_NET_ADMIN: a list of all connections
 * is read once, and then only what the kernel tells by itself.  Everything
 * here is the exporting thread's.
 */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "values.h" /* REASON_LEN */

struct conntrack;
struct nat;            /* nat.h */
struct nat_connection; /* nat.h */
struct nlmsghdr;       /* linux/netlink.h */

/* Receives each translated connection that begins, or else ends. */
typedef void conntrack_fn(
    const struct nat_connection *, bool begins, uint64_t time_ns, void *arg);

struct conntrack_config {
	struct nat *nat;    /* to be told of connections, borrowed; or NULL */
	conntrack_fn *tell; /* or NULL */
	void *arg;
};

struct conntrack_stats {
	uint64_t told;    /* messages of connections that came */
	uint64_t missed;  /* times that some were lost */
	uint64_t unknown; /* messages that could not be read */
};

/* Create one that is told nothing yet.  NULL with ENOMEM. */
struct conntrack *conntrack_new(const struct conntrack_config *);

/*
 * Ask to be told, and read what connections there are.  Needs CAP_NET_ADMIN.
 * 0, or -1 with a reason.
 */
int conntrack_open(struct conntrack *, char reason[REASON_LEN]);

/* NULL is fine. */
void conntrack_close(struct conntrack *);

/* The descriptor to poll for POLLIN; -1 of NULL, or if it is not open. */
int conntrack_fd(const struct conntrack *);

/*
 * Take in what was told, a bounded number of messages.  now_ns is of the wall
 * clock (ns since 1970 UTC), mono_ns of one that never runs backwards.  NULL
 * is fine.
 */
void conntrack_read(struct conntrack *, uint64_t now_ns, uint64_t mono_ns);

/*
 * Take in one message (IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_DELETE) as of the time
 * of the last conntrack_read().  For tests: conntrack_read() does.
 */
void conntrack_note(struct conntrack *, const struct nlmsghdr *);

void conntrack_stats(const struct conntrack *, struct conntrack_stats *);

#endif
