/* SPDX-License-Identifier: ISC */
/*
 * offload.h - what of an interface's traffic is not seen as it was on the
 * wire, or not at all, and what that does to the counts.
 *
 * Interfaces merge segments before they are captured and cut them after;
 * flowtables of nftables, and hardware, take packets past places where they
 * would be seen.  One line says so at the start, and when it changes.  For the
 * exporting thread.
 */
#ifndef OFFLOAD_H
#define OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct links;    /* links.h */
struct nlmsghdr; /* linux/netlink.h */
struct offload;

#define OFFLOAD_TEXT_LEN 512

/* What can be said, a line each. */
enum offload_kind {
	OFFLOAD_MERGED,    /* segments that come in */
	OFFLOAD_UNCUT,     /* segments that go out */
	OFFLOAD_HARDWARE,  /* rules of tc(8) that an interface may carry out */
	OFFLOAD_FLOWTABLE, /* by software */
	OFFLOAD_BYPASS,    /* by hardware: packets are not seen */
	OFFLOAD_KINDS
};

/*
 * Create for n interfaces, whose names are borrowed.  Flowtables are known
 * where libmnl is and there is CAP_NET_ADMIN now.  NULL with ENOMEM.
 */
struct offload *offload_new(const char *const *name, size_t n);

/* NULL is fine. */
void offload_free(struct offload *);

/* The descriptor to poll for POLLIN; -1 if there is none. */
int offload_fd(const struct offload *);

/* Read what changed about flowtables. */
void offload_read(struct offload *);

/* Note that interfaces changed. */
void offload_changed(struct offload *);

/*
 * Look again if anything changed, but not more often than every 5 s, and
 * write a line about each kind that is not what it was.  `links` are for the
 * names of all interfaces, where "any" is captured from; or NULL.
 */
void offload_tell(
    struct offload *, const struct links *links, uint64_t mono_ns);

/*
 * Fill the line for one kind; empty if there is nothing to say.  For tests:
 * offload_tell() does.
 */
void offload_text(struct offload *, const struct links *links,
    enum offload_kind, char text[OFFLOAD_TEXT_LEN]);

/* Take in one message about a flowtable.  For tests. */
void offload_note(struct offload *, const struct nlmsghdr *);

#endif
