/* SPDX-License-Identifier: ISC */
/*
 * links.h - the interfaces of this machine, and which stands on which.
 *
 * A packet may be seen on several interfaces at one time: on eth0, on the
 * VLAN eth0.10, on the bridge that has it as a port.  The depth of an
 * interface, that is how many stand below it in the longest row, tells which
 * of them knows best what happened.
 *
 * The exporting thread keeps all this by rtnetlink.  Metering threads read one
 * small table of depths, without a lock.
 */
#ifndef LINKS_H
#define LINKS_H

#include <net/if.h> /* IF_NAMESIZE */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr; /* linux/netlink.h */
struct links;

#define LINK_KIND_LEN 16
#define LINK_DEPTH_MAX 7
#define LINK_DEPTH_SHIFT 29 /* where the depth stands in a slot */
#define LINK_TABLE_BITS 8
#define LINK_TABLE_SLOTS (1U << LINK_TABLE_BITS)
#define LINK_TABLE_MAX                                                         \
	(LINK_TABLE_SLOTS - LINK_TABLE_SLOTS / 4) /* interfaces in it */

/*
 * The depth of those interfaces that stand over others, and the MAC addresses
 * of all.  A slot of depths is ifindex | depth << LINK_DEPTH_SHIFT, one of
 * addresses what link_mac_word() makes of it; 0 is empty.  All zeroes is a
 * table that knows of none.
 */
struct link_table {
	_Atomic uint32_t slot[LINK_TABLE_SLOTS];
	_Atomic uint32_t deepest; /* the greatest depth in it */
	/* In two halves, since not every machine reads 64 bits at once. */
	_Atomic uint32_t mac_high[LINK_TABLE_SLOTS], mac_low[LINK_TABLE_SLOTS];
};

/* The greatest depth of all.  Any thread. */
static inline unsigned int
links_deepest(const struct link_table *t)
{
	return atomic_load_explicit(&t->deepest, memory_order_relaxed);
}

/* Where the search for an interface begins. */
static inline uint32_t
link_table_start(uint32_t ifindex)
{
	return ifindex * UINT32_C(0x9e3779b1) >> (32 - LINK_TABLE_BITS);
}

/*
 * The depth of an interface: 0 = it stands on none, or is not known.  Any
 * thread; while the table changes it may answer for before or after.
 */
static inline unsigned int
links_depth(const struct link_table *t, uint32_t ifindex)
{
	uint32_t at = link_table_start(ifindex), slot;

	for (uint32_t i = 0; i < LINK_TABLE_SLOTS; i++) {
		slot =
		    atomic_load_explicit(&t->slot[(at + i) % LINK_TABLE_SLOTS],
			memory_order_relaxed);
		if (slot == 0)
			break;
		if ((slot & ((UINT32_C(1) << LINK_DEPTH_SHIFT) - 1)) == ifindex)
			return slot >> LINK_DEPTH_SHIFT;
	}
	return 0;
}

/* A MAC address as a word that is never 0. */
static inline uint64_t
link_mac_word(const uint8_t mac[6])
{
	uint64_t word = 1;

	for (int i = 0; i < 6; i++)
		word = word << 8 | mac[i];
	return word;
}

/* Where the search for an address begins. */
static inline uint32_t
link_mac_start(uint64_t word)
{
	return (uint32_t)(word * UINT64_C(0x9e3779b97f4a7c15) >>
			  (64 - LINK_TABLE_BITS));
}

/*
 * Whether an interface of this machine has an address.  As links_depth(), by
 * any thread.
 */
static inline bool
links_has_mac(const struct link_table *t, const uint8_t mac[6])
{
	uint64_t word = link_mac_word(mac), slot;
	uint32_t at = link_mac_start(word);

	for (uint32_t i = 0; i < LINK_TABLE_SLOTS; i++) {
		uint32_t k = (at + i) % LINK_TABLE_SLOTS;

		slot =
		    (uint64_t)atomic_load_explicit(
			&t->mac_high[k], memory_order_relaxed)
			<< 32 |
		    atomic_load_explicit(&t->mac_low[k], memory_order_relaxed);
		if (slot == 0 || slot == word)
			return slot == word;
	}
	return false;
}

/* One interface. */
struct link {
	uint32_t ifindex;
	uint32_t lower;  /* that a VLAN or the like stands on; 0 = none here */
	uint32_t master; /* bridge, bond ... that it is a part of; 0 = none */
	uint32_t mtu;    /* octets of an IP datagram */
	uint16_t vlan;   /* identifier of kind "vlan"; 0 = none */
	uint8_t depth;   /* at most LINK_DEPTH_MAX */
	bool lower_elsewhere; /* ... for it is in another namespace */
	bool has_mac;
	uint8_t mac[6];
	char name[IF_NAMESIZE];
	char kind[LINK_KIND_LEN]; /* "vlan", "bridge" ...; "" = a device */
};

/*
 * Learn what interfaces there are, and keep the table from now on.  The table
 * is borrowed and may be read by other threads all the time.  NULL with errno;
 * ENOSYS without libmnl.
 */
struct links *links_new(struct link_table *);

/* The table stays as it is.  NULL is fine. */
void links_free(struct links *);

/* The descriptor to poll for POLLIN; -1 of NULL. */
int links_fd(const struct links *);

/*
 * Read what changed; if some of it was missed, ask for all again.  Returns
 * whether anything did.  NULL is fine.
 */
bool links_read(struct links *);

/* Find an interface; NULL if there is none, or nothing is known. */
const struct link *links_find(const struct links *, uint32_t ifindex);
const struct link *links_named(const struct links *, const char *name);

/*
 * Find the interface that routes: the bridge, bond or the like that has this
 * one as a part, if any.  What is not known is its own.
 */
uint32_t links_routing(const struct links *, uint32_t ifindex);

/*
 * Find the physical interface below one: that of a VLAN; the port of a bridge
 * behind which the station `mac` was learned (the kernel is asked).  One of
 * which nothing is known is its own.  0 = a port that cannot be told.
 */
uint32_t links_port(struct links *, uint32_t ifindex, const uint8_t mac[6]);

/* How many there are, and each of them by order of ifindex. */
size_t links_count(const struct links *);
const struct link *links_at(const struct links *, size_t i);

/*
 * Take one message of rtnetlink in (RTM_NEWLINK, RTM_DELLINK), and bring the
 * table up to date after some of them.  For tests: links_read() does both.
 */
void links_note(struct links *, const struct nlmsghdr *);
void links_settle(struct links *);

#endif
