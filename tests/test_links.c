/* SPDX-License-Identifier: ISC */
/* test_links.c - which interface stands on which. */
#include <errno.h>
#include <string.h>

#include "links.h"
#include "netlink.h"
#include "unit.h"

static struct link_table table;

#ifdef HAVE_MNL

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

/* Interfaces that no machine has. */
enum { ETH0 = 70001, ETH1, VLAN10, BRIDGE, BOND, TOP };

static struct links *
opened(void)
{
	struct links *l = links_new(&table);

	ck_assert_ptr_nonnull(l);
	return l;
}

/* Tell of an interface; 0 and NULL are left out. */
static void
tell(struct links *l, uint16_t type, uint8_t family, uint32_t ifindex,
    const char *kind, uint32_t lower, uint32_t master, bool elsewhere)
{
	char buffer[NETLINK_REQUEST_LEN] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));

	h->nlmsg_type = type;
	info->ifi_family = family;
	info->ifi_index = (int)ifindex;
	mnl_attr_put_strz(h, IFLA_IFNAME, "a-name");
	mnl_attr_put_u32(h, IFLA_MTU, 1400);
	mnl_attr_put(h, IFLA_ADDRESS, 6, "\2\0\0\0\0\1");
	if (lower != 0)
		mnl_attr_put_u32(h, IFLA_LINK, lower);
	if (master != 0)
		mnl_attr_put_u32(h, IFLA_MASTER, master);
	if (elsewhere)
		mnl_attr_put_u32(h, IFLA_LINK_NETNSID, 0);
	if (kind != NULL) {
		struct nlattr *nest = mnl_attr_nest_start(h, IFLA_LINKINFO);

		mnl_attr_put_strz(h, IFLA_INFO_KIND, kind);
		mnl_attr_nest_end(h, nest);
	}
	links_note(l, h);
	links_settle(l);
}

static void
add(struct links *l, uint32_t ifindex, const char *kind, uint32_t lower,
    uint32_t master)
{
	tell(l, RTM_NEWLINK, AF_UNSPEC, ifindex, kind, lower, master, false);
}

static void
check_depth(const struct links *l, uint32_t ifindex, unsigned int depth)
{
	ck_assert_ptr_nonnull(links_find(l, ifindex));
	ck_assert_uint_eq(links_find(l, ifindex)->depth, depth);
	ck_assert_uint_eq(links_depth(&table, ifindex), depth);
}

UNIT(the_loopback_interface_is_there_and_stands_on_none)
{
	struct links *l = opened();
	const struct link *lo = links_named(l, "lo");

	ck_assert_ptr_nonnull(lo);
	ck_assert_uint_eq(lo->ifindex, if_nametoindex("lo"));
	ck_assert_uint_eq(lo->depth, 0);
	ck_assert_uint_gt(lo->mtu, 1500);
	ck_assert_ptr_eq(links_find(l, lo->ifindex), lo);
	ck_assert_ptr_null(links_find(l, ETH0));
	links_free(l);
}
END_TEST

UNIT(a_bridge_over_a_vlan_over_a_device_is_of_depth_two)
{
	struct links *l = opened();

	add(l, BRIDGE, "bridge", 0, 0);
	add(l, VLAN10, "vlan", ETH0, BRIDGE);
	add(l, ETH0, NULL, 0, 0);
	add(l, ETH1, NULL, 0, BRIDGE);
	check_depth(l, ETH0, 0);
	check_depth(l, ETH1, 0);
	check_depth(l, VLAN10, 1);
	check_depth(l, BRIDGE, 2);
	ck_assert_str_eq(links_find(l, VLAN10)->kind, "vlan");
	ck_assert_uint_eq(links_find(l, ETH1)->mtu, 1400);
	ck_assert(links_find(l, ETH1)->has_mac);
	ck_assert_mem_eq(links_find(l, ETH1)->mac, "\2\0\0\0\0\1", 6);
	links_free(l);
}
END_TEST

UNIT(depths_follow_when_ports_come_and_go)
{
	struct links *l = opened();

	add(l, ETH0, NULL, 0, 0);
	add(l, BOND, "bond", 0, 0);
	add(l, TOP, "vlan", BOND, 0);
	check_depth(l, BOND, 0);
	check_depth(l, TOP, 1);
	add(l, ETH0, NULL, 0, BOND);
	check_depth(l, BOND, 1);
	check_depth(l, TOP, 2);
	tell(l, RTM_DELLINK, AF_UNSPEC, ETH0, NULL, 0, 0, false);
	ck_assert_ptr_null(links_find(l, ETH0));
	check_depth(l, BOND, 0);
	check_depth(l, TOP, 1);
	links_free(l);
}
END_TEST

UNIT(a_port_that_leaves_its_bridge_is_still_there)
{
	struct links *l = opened();

	add(l, ETH0, NULL, 0, BRIDGE);
	tell(l, RTM_DELLINK, AF_BRIDGE, ETH0, NULL, 0, BRIDGE, false);
	ck_assert_ptr_nonnull(links_find(l, ETH0));
	links_free(l);
}
END_TEST

UNIT(tunnels_veth_and_other_namespaces_stand_on_none)
{
	struct links *l = opened();

	add(l, ETH0, NULL, 0, 0);
	add(l, ETH1, "veth", ETH0, 0);
	add(l, TOP, "gre", ETH0, 0);
	tell(l, RTM_NEWLINK, AF_UNSPEC, VLAN10, "vlan", ETH0, 0, true);
	check_depth(l, ETH1, 0);
	check_depth(l, TOP, 0);
	check_depth(l, VLAN10, 0);
	ck_assert_uint_eq(links_find(l, VLAN10)->lower, 0);
	links_free(l);
}
END_TEST

UNIT(addresses_of_interfaces_are_known_while_they_are_there)
{
	static const uint8_t mac[] = { 2, 0, 0, 0, 0, 1 }, none[6];
	struct links *l = opened();

	ck_assert(!links_has_mac(&table, mac));
	ck_assert(!links_has_mac(&table, none)); /* lo has it */
	add(l, ETH0, NULL, 0, 0);
	add(l, ETH1, NULL, 0, 0);
	ck_assert(links_has_mac(&table, mac));
	tell(l, RTM_DELLINK, AF_UNSPEC, ETH0, NULL, 0, 0, false);
	ck_assert(links_has_mac(&table, mac));
	tell(l, RTM_DELLINK, AF_UNSPEC, ETH1, NULL, 0, 0, false);
	ck_assert(!links_has_mac(&table, mac));
	links_free(l);
}
END_TEST

UNIT(a_ring_of_interfaces_has_an_end)
{
	struct links *l = opened();

	add(l, ETH0, "vlan", ETH1, 0);
	add(l, ETH1, "vlan", ETH0, 0);
	ck_assert_uint_le(links_depth(&table, ETH0), LINK_DEPTH_MAX);
	ck_assert_uint_le(links_depth(&table, ETH1), LINK_DEPTH_MAX);
	links_free(l);
}
END_TEST

UNIT(what_does_not_fit_the_table_has_no_depth_and_nothing_hangs)
{
	struct links *l = opened();
	unsigned int known = 0;

	add(l, ETH0, NULL, 0, 0);
	for (uint32_t i = 0; i < LINK_TABLE_SLOTS + 50; i++)
		add(l, 80000 + i, "vlan", ETH0, 0);
	for (uint32_t i = 0; i < LINK_TABLE_SLOTS + 50; i++)
		known += links_depth(&table, 80000 + i);
	ck_assert_uint_le(known, LINK_TABLE_MAX);
	ck_assert_uint_gt(known, LINK_TABLE_MAX / 2);
	ck_assert_uint_eq(links_depth(&table, 90000), 0);
	links_free(l);
}
END_TEST

UNIT(truncated_messages_are_passed_over)
{
	struct links *l = opened();
	size_t n = links_count(l);
	char buffer[NETLINK_REQUEST_LEN] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);

	h->nlmsg_type = RTM_NEWLINK;
	links_note(l, h);
	mnl_nlmsg_put_extra_header(h, 4);
	links_note(l, h);
	links_settle(l);
	ck_assert_uint_eq(links_count(l), n);
	links_free(l);
}
END_TEST

UNIT_MAIN("links", the_loopback_interface_is_there_and_stands_on_none,
    a_bridge_over_a_vlan_over_a_device_is_of_depth_two,
    depths_follow_when_ports_come_and_go,
    a_port_that_leaves_its_bridge_is_still_there,
    tunnels_veth_and_other_namespaces_stand_on_none,
    addresses_of_interfaces_are_known_while_they_are_there,
    a_ring_of_interfaces_has_an_end,
    what_does_not_fit_the_table_has_no_depth_and_nothing_hangs,
    truncated_messages_are_passed_over)

#else

UNIT(without_libmnl_nothing_is_known)
{
	errno = 0;
	ck_assert_ptr_null(links_new(&table));
	ck_assert_int_eq(errno, ENOSYS);
	ck_assert_ptr_nonnull(netlink_unsupported());
	ck_assert_int_eq(links_fd(NULL), -1);
	ck_assert(!links_read(NULL));
	ck_assert_uint_eq(links_count(NULL), 0);
	ck_assert_ptr_null(links_find(NULL, 1));
	ck_assert_ptr_null(links_named(NULL, "lo"));
	ck_assert_uint_eq(links_depth(&table, 1), 0);
	links_free(NULL);
}
END_TEST

UNIT_MAIN("links", without_libmnl_nothing_is_known)

#endif
