/* SPDX-License-Identifier: ISC */
/*
 * links.c - the interfaces of this machine; see links.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "links.h"
#include "netlink.h"

#ifdef HAVE_MNL

#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "log.h"

#define LISTS_MAX 3 /* a list that changes while it is read is read again */

struct links {
	struct netlink *ask, *listen;
	struct link_table *table;
	struct link *link; /* by order of ifindex */
	bool *listed;      /* of each: the list being read has it */
	size_t n, room;
	bool changed;   /* since links_read began */
	bool unsettled; /* an interface stands on another one than before */
	bool truncated; /* more stand over others than the table holds */
};

/* The list --------------------------------------------------------------- */

/* Where an interface is, or would be. */
static size_t
place(const struct links *l, uint32_t ifindex)
{
	size_t low = 0, high = l->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->link[middle].ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct link *
find(const struct links *l, uint32_t ifindex)
{
	size_t at = place(l, ifindex);

	return at < l->n && l->link[at].ifindex == ifindex ? &l->link[at]
							   : NULL;
}

static int
make_room(struct links *l)
{
	size_t room = l->room == 0 ? 16 : l->room * 2;
	struct link *link;
	bool *listed;

	if (l->n < l->room)
		return 0;
	link = reallocarray(l->link, room, sizeof(*link));
	if (link == NULL)
		return -1;
	l->link = link;
	listed = reallocarray(l->listed, room, sizeof(*listed));
	if (listed == NULL)
		return -1;
	l->listed = listed;
	l->room = room;
	return 0;
}

static void
put(struct links *l, const struct link *new)
{
	size_t at = place(l, new->ifindex);

	if (at == l->n || l->link[at].ifindex != new->ifindex) {
		if (make_room(l) == -1)
			return; /* one interface less is known */
		memmove(&l->link[at + 1], &l->link[at],
		    (l->n - at) * sizeof(*l->link));
		memmove(&l->listed[at + 1], &l->listed[at],
		    (l->n - at) * sizeof(*l->listed));
		l->link[at] = (struct link){ 0 };
		l->n++;
		l->unsettled = true;
	}
	l->listed[at] = true;
	l->unsettled |= l->link[at].lower != new->lower ||
			l->link[at].master != new->master ||
			memcmp(l->link[at].mac, new->mac, 6) != 0;
	l->changed = true;
	l->link[at] = *new;
}

static void
take_out(struct links *l, size_t at)
{
	memmove(
	    &l->link[at], &l->link[at + 1], (l->n - at - 1) * sizeof(*l->link));
	memmove(&l->listed[at], &l->listed[at + 1],
	    (l->n - at - 1) * sizeof(*l->listed));
	l->n--;
	l->changed = l->unsettled = true;
}

/* Depths ----------------------------------------------------------------- */

/* Let `upper` stand over `lower`; returns whether that is news. */
static bool
raise_over(struct link *upper, const struct link *lower)
{
	if (upper == NULL || lower == NULL || upper->depth > lower->depth ||
	    lower->depth == LINK_DEPTH_MAX)
		return false;
	upper->depth = (uint8_t)(lower->depth + 1);
	return true;
}

static void
find_depths(struct links *l)
{
	bool news = true;

	for (size_t i = 0; i < l->n; i++)
		l->link[i].depth = 0;
	/* Each round settles one level, and a ring of interfaces ends it. */
	for (int round = 0; news && round < LINK_DEPTH_MAX; round++) {
		news = false;
		for (size_t i = 0; i < l->n; i++) {
			struct link *it = &l->link[i];

			if (it->lower != 0)
				news |= raise_over(it, find(l, it->lower));
			if (it->master != 0)
				news |= raise_over(find(l, it->master), it);
		}
	}
}

/* Put one that stands over others into a table that has room. */
static void
put_slot(uint32_t slot[LINK_TABLE_SLOTS], const struct link *it)
{
	uint32_t at = link_table_start(it->ifindex);

	while (slot[at] != 0)
		at = (at + 1) % LINK_TABLE_SLOTS;
	slot[at] = it->ifindex | (uint32_t)it->depth << LINK_DEPTH_SHIFT;
}

static void
fill_table(struct links *l)
{
	uint32_t slot[LINK_TABLE_SLOTS] = { 0 };
	uint32_t wanted = 0, deepest = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct link *it = &l->link[i];

		if (it->depth > 0 && it->ifindex >> LINK_DEPTH_SHIFT == 0 &&
		    wanted++ < LINK_TABLE_MAX)
			put_slot(slot, it);
		if (it->depth > deepest)
			deepest = it->depth;
	}
	atomic_store_explicit(
	    &l->table->deepest, deepest, memory_order_relaxed);
	for (size_t at = 0; at < LINK_TABLE_SLOTS; at++)
		atomic_store_explicit(
		    &l->table->slot[at], slot[at], memory_order_relaxed);
	if (wanted > LINK_TABLE_MAX && !l->truncated)
		log_warn("%u interfaces stand over others, more than %u: "
			 "packets of the rest may be counted on both",
		    wanted, LINK_TABLE_MAX);
	l->truncated = wanted > LINK_TABLE_MAX;
}

/* Loopback's is all zeroes, and nobody's. */
static bool
has_address(const struct link *it)
{
	static const uint8_t none[6];

	return it->has_mac && memcmp(it->mac, none, sizeof(none)) != 0;
}

/* Many interfaces may have one address. */
static void
put_mac(uint64_t slot[LINK_TABLE_SLOTS], size_t *used, const uint8_t mac[6])
{
	uint64_t word = link_mac_word(mac);
	uint32_t at = link_mac_start(word);

	while (slot[at] != 0 && slot[at] != word)
		at = (at + 1) % LINK_TABLE_SLOTS;
	*used += slot[at] == 0;
	slot[at] = word;
}

static void
fill_macs(struct links *l)
{
	uint64_t slot[LINK_TABLE_SLOTS] = { 0 };
	size_t used = 0;

	for (size_t i = 0; i < l->n && used < LINK_TABLE_MAX; i++)
		if (has_address(&l->link[i]))
			put_mac(slot, &used, l->link[i].mac);
	for (size_t at = 0; at < LINK_TABLE_SLOTS; at++) {
		atomic_store_explicit(&l->table->mac_high[at],
		    (uint32_t)(slot[at] >> 32), memory_order_relaxed);
		atomic_store_explicit(&l->table->mac_low[at],
		    (uint32_t)slot[at], memory_order_relaxed);
	}
}

void
links_settle(struct links *l)
{
	if (!l->unsettled)
		return;
	find_depths(l);
	fill_table(l);
	fill_macs(l);
	l->unsettled = false;
}

/* Messages --------------------------------------------------------------- */

/*
 * Whether packets of the interface below are those of this kind, so that its
 * IFLA_LINK stands below it.  What a tunnel carries is other packets, and that
 * of a veth is its peer.
 */
static bool
shares_packets(const char *kind)
{
	static const char *const kinds[] = { "vlan", "macvlan", "macvtap",
		"ipvlan", "ipvtap" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

/* Copy a text of the kernel's, cut if need be. */
static void
take_text(char *to, size_t size, const struct nlattr *a)
{
	size_t len =
	    strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

	len = len < size ? len : size - 1;
	memcpy(to, mnl_attr_get_payload(a), len);
	to[len] = '\0';
}

/* What only one kind has: IFLA_VLAN_ID is of VLANs, so that comes first. */
static int
take_data(const struct nlattr *a, void *arg)
{
	struct link *it = arg;

	if (mnl_attr_get_type(a) == IFLA_VLAN_ID &&
	    strcmp(it->kind, "vlan") == 0 &&
	    mnl_attr_get_payload_len(a) == sizeof(uint16_t))
		it->vlan = mnl_attr_get_u16(a);
	return MNL_CB_OK;
}

static int
take_info(const struct nlattr *a, void *arg)
{
	struct link *it = arg;

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
		take_text(it->kind, sizeof(it->kind), a);
	else if (mnl_attr_get_type(a) == IFLA_INFO_DATA)
		(void)mnl_attr_parse_nested(a, take_data, it);
	return MNL_CB_OK;
}

/* The number that an attribute has, 0 if it is none. */
static uint32_t
number(const struct nlattr *a)
{
	return mnl_attr_get_payload_len(a) == sizeof(uint32_t)
		   ? mnl_attr_get_u32(a)
		   : 0;
}

static void
take_mac(struct link *it, const struct nlattr *a)
{
	it->has_mac = mnl_attr_get_payload_len(a) == sizeof(it->mac);
	if (it->has_mac)
		memcpy(it->mac, mnl_attr_get_payload(a), sizeof(it->mac));
}

static int
take_attribute(const struct nlattr *a, void *arg)
{
	struct link *it = arg;

	switch (mnl_attr_get_type(a)) {
	case IFLA_IFNAME:
		take_text(it->name, sizeof(it->name), a);
		break;
	case IFLA_ADDRESS:
		take_mac(it, a);
		break;
	case IFLA_MTU:
		it->mtu = number(a);
		break;
	case IFLA_LINK:
		it->lower = number(a);
		break;
	case IFLA_LINK_NETNSID:
		it->lower_elsewhere = true;
		break;
	case IFLA_MASTER:
		it->master = number(a);
		break;
	case IFLA_LINKINFO:
		(void)mnl_attr_parse_nested(a, take_info, it);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

void
links_note(struct links *l, const struct nlmsghdr *h)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct link new = { 0 }, *old;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*info) ||
	    info->ifi_index <= 0)
		return;
	/* Bridges tell of their ports this way, too. */
	if (info->ifi_family != AF_UNSPEC)
		return;
	old = find(l, (uint32_t)info->ifi_index);
	if (h->nlmsg_type == RTM_DELLINK && old != NULL)
		take_out(l, (size_t)(old - l->link));
	if (h->nlmsg_type != RTM_NEWLINK)
		return;
	new.ifindex = (uint32_t)info->ifi_index;
	(void)mnl_attr_parse(h, sizeof(*info), take_attribute, &new);
	if (new.lower_elsewhere || !shares_packets(new.kind))
		new.lower = 0;
	new.depth = old == NULL ? 0 : old->depth;
	put(l, &new);
}

static void
note(const struct nlmsghdr *h, void *arg)
{
	links_note(arg, h);
}

/* Ask for all of them once. */
static int
list_once(struct links *l)
{
	char buffer[NETLINK_REQUEST_LEN] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return netlink_ask(l->ask, h, note, l);
}

/* Ask for all of them, and forget those that are gone. */
static int
list(struct links *l)
{
	int result = -1;

	for (size_t i = 0; i < l->n; i++)
		l->listed[i] = false;
	for (int i = 0; i < LISTS_MAX && result == -1; i++) {
		result = list_once(l);
		if (result == -1 && errno != EINTR)
			return -1;
	}
	for (size_t i = l->n; i > 0; i--)
		if (!l->listed[i - 1])
			take_out(l, i - 1);
	links_settle(l);
	return 0;
}

/* Ports ------------------------------------------------------------------ */

#define VLAN_DEFAULT 1 /* of a bridge that knows VLANs */

static void
take_neighbour(const struct nlmsghdr *h, void *arg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(h);
	uint32_t *port = arg;

	if (h->nlmsg_type == RTM_NEWNEIGH &&
	    mnl_nlmsg_get_payload_len(h) >= sizeof(*nd))
		*port = (uint32_t)nd->ndm_ifindex;
}

/*
 * Ask behind which port a bridge knows a station; 0 = none.  Addresses of this
 * machine are no station's, though a bridge has them at its ports.
 */
static uint32_t
ask_port(struct links *l, uint32_t bridge, const uint8_t mac[6], uint16_t vlan)
{
	char buffer[NETLINK_REQUEST_LEN] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));
	uint32_t port = 0;

	if (links_has_mac(l->table, mac))
		return 0;
	h->nlmsg_type = RTM_GETNEIGH;
	h->nlmsg_flags = NLM_F_REQUEST;
	nd->ndm_family = AF_BRIDGE;
	mnl_attr_put(h, NDA_LLADDR, 6, mac);
	mnl_attr_put_u32(h, NDA_MASTER, bridge);
	if (vlan != 0)
		mnl_attr_put_u16(h, NDA_VLAN, vlan);
	return netlink_ask(l->ask, h, take_neighbour, &port) == 0 ? port : 0;
}

static uint32_t
port_of(struct links *l, uint32_t bridge, const uint8_t mac[6], uint16_t vlan)
{
	uint32_t port = ask_port(l, bridge, mac, vlan);

	return port != 0 || vlan != 0 ? port
				      : ask_port(l, bridge, mac, VLAN_DEFAULT);
}

/* The interface one level below, by a station of a bridge; NULL = none. */
static const struct link *
below(
    struct links *l, const struct link *it, const uint8_t mac[6], uint16_t vlan)
{
	if (strcmp(it->kind, "bridge") == 0)
		return find(l, port_of(l, it->ifindex, mac, vlan));
	return it->lower == 0 ? NULL : find(l, it->lower);
}

static bool
has_ports(const struct link *it)
{
	return strcmp(it->kind, "bridge") == 0 ||
	       strcmp(it->kind, "bond") == 0 || strcmp(it->kind, "team") == 0;
}

uint32_t
links_port(struct links *l, uint32_t ifindex, const uint8_t mac[6])
{
	const struct link *it = links_find(l, ifindex), *next;
	uint16_t vlan = 0;

	for (int i = 0; i < LINK_DEPTH_MAX && it != NULL; i++) {
		next = below(l, it, mac, vlan);
		if (next == NULL)
			return has_ports(it) ? 0 : it->ifindex;
		vlan = it->vlan;
		it = next;
	}
	return ifindex;
}

uint32_t
links_routing(const struct links *l, uint32_t ifindex)
{
	const struct link *it = links_find(l, ifindex), *master;

	for (int i = 0; i < LINK_DEPTH_MAX && it != NULL; i++) {
		master = it->master == 0 ? NULL : find(l, it->master);
		/* A VRF is no part of the way, but another set of routes. */
		if (master == NULL || strcmp(master->kind, "vrf") == 0)
			break;
		it = master;
	}
	return it == NULL ? ifindex : it->ifindex;
}

/* Doors ------------------------------------------------------------------ */

struct links *
links_new(struct link_table *table)
{
	static const int groups[] = { RTNLGRP_LINK };
	struct links *l = calloc(1, sizeof(*l));
	int error;

	if (l == NULL)
		return NULL;
	l->table = table;
	/* It listens first: what changes meanwhile is told twice, not never. */
	l->listen = netlink_open(NETLINK_ROUTE, groups, 1);
	if (l->listen != NULL)
		l->ask = netlink_open(NETLINK_ROUTE, NULL, 0);
	if (l->ask != NULL && list(l) == 0)
		return l;
	error = errno;
	links_free(l);
	errno = error;
	return NULL;
}

void
links_free(struct links *l)
{
	if (l == NULL)
		return;
	netlink_close(l->ask);
	netlink_close(l->listen);
	free(l->link);
	free(l->listed);
	free(l);
}

int
links_fd(const struct links *l)
{
	return l == NULL ? -1 : netlink_fd(l->listen);
}

bool
links_read(struct links *l)
{
	if (l == NULL)
		return false;
	l->changed = false;
	if (netlink_read(l->listen, note, l) == -1)
		(void)list(l);
	links_settle(l);
	return l->changed;
}

const struct link *
links_find(const struct links *l, uint32_t ifindex)
{
	return l == NULL ? NULL : find(l, ifindex);
}

const struct link *
links_named(const struct links *l, const char *name)
{
	for (size_t i = 0; i < links_count(l); i++)
		if (strcmp(l->link[i].name, name) == 0)
			return &l->link[i];
	return NULL;
}

size_t
links_count(const struct links *l)
{
	return l == NULL ? 0 : l->n;
}

const struct link *
links_at(const struct links *l, size_t i)
{
	return &l->link[i];
}

#else

struct links *
links_new(struct link_table *table)
{
	(void)table;
	errno = ENOSYS;
	return NULL;
}

void
links_free(struct links *l)
{
	(void)l;
}

int
links_fd(const struct links *l)
{
	(void)l;
	return -1;
}

bool
links_read(struct links *l)
{
	(void)l;
	return false;
}

const struct link *
links_find(const struct links *l, uint32_t ifindex)
{
	(void)l;
	(void)ifindex;
	return NULL;
}

const struct link *
links_named(const struct links *l, const char *name)
{
	(void)l;
	(void)name;
	return NULL;
}

uint32_t
links_routing(const struct links *l, uint32_t ifindex)
{
	(void)l;
	return ifindex;
}

uint32_t
links_port(struct links *l, uint32_t ifindex, const uint8_t mac[6])
{
	(void)l;
	(void)mac;
	return ifindex;
}

size_t
links_count(const struct links *l)
{
	(void)l;
	return 0;
}

const struct link *
links_at(const struct links *l, size_t i)
{
	(void)l;
	(void)i;
	return NULL;
}

void
links_note(struct links *l, const struct nlmsghdr *h)
{
	(void)l;
	(void)h;
}

void
links_settle(struct links *l)
{
	(void)l;
}

#endif
