/* SPDX-License-Identifier: ISC */
/* test_offload.c - what is said of packets that are not seen as they were. */
#include <string.h>

#include "offload.h"
#include "unit.h"

static const char *const names[] = { "lo" };

/* The line for a kind. */
static const char *
text_of(struct offload *o, enum offload_kind kind)
{
	static char text[OFFLOAD_TEXT_LEN];

	offload_text(o, NULL, kind, text);
	return text;
}

static struct offload *
opened(void)
{
	struct offload *o = offload_new(names, 1);

	ck_assert_ptr_nonnull(o);
	return o;
}

UNIT(an_interface_that_is_not_there_has_no_offload)
{
	static const char *const missing[] = { "nosuch0" };
	struct offload *o = offload_new(missing, 1);

	for (int k = OFFLOAD_MERGED; k <= OFFLOAD_HARDWARE; k++)
		ck_assert_str_eq(text_of(o, (enum offload_kind)k), "");
	offload_free(o);
}
END_TEST

UNIT(loopback_cuts_nothing_and_that_is_said)
{
	struct offload *o = opened();
#ifdef __linux__
	const char *wanted = "lo: ";
#else
	const char *wanted = ""; /* it cannot be asked */
#endif

	ck_assert_msg(
	    strncmp(text_of(o, OFFLOAD_UNCUT), wanted, strlen(wanted)) == 0,
	    "%s", text_of(o, OFFLOAD_UNCUT));
	offload_free(o);
}
END_TEST

#ifdef HAVE_MNL

#include <arpa/inet.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

/* Tell of a flowtable on two interfaces, as the kernel does. */
static void
tell(struct offload *o, int type, const char *name, uint32_t flags)
{
	char buffer[512] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));
	struct nlattr *hook, *devices;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nf->nfgen_family = AF_INET;
	mnl_attr_put_strz(h, NFTA_FLOWTABLE_TABLE, "fw4");
	mnl_attr_put_strz(h, NFTA_FLOWTABLE_NAME, name);
	mnl_attr_put_u32(h, NFTA_FLOWTABLE_FLAGS, htonl(flags));
	hook = mnl_attr_nest_start(h, NFTA_FLOWTABLE_HOOK);
	mnl_attr_put_u32(h, NFTA_FLOWTABLE_HOOK_NUM, htonl(0));
	devices = mnl_attr_nest_start(h, NFTA_FLOWTABLE_HOOK_DEVS);
	mnl_attr_put_strz(h, NFTA_DEVICE_NAME, "lan1");
	mnl_attr_put_strz(h, NFTA_DEVICE_NAME, "wan");
	mnl_attr_nest_end(h, devices);
	mnl_attr_nest_end(h, hook);
	offload_note(o, h);
}

UNIT(flowtables_are_said_with_their_interfaces_by_who_forwards)
{
	struct offload *o = opened();

	tell(o, NFT_MSG_NEWFLOWTABLE, "soft", 0);
	ck_assert_msg(strncmp(text_of(o, OFFLOAD_FLOWTABLE),
			  "lan1, wan: a flowtable ", 23) == 0,
	    "%s", text_of(o, OFFLOAD_FLOWTABLE));
	ck_assert_str_eq(text_of(o, OFFLOAD_BYPASS), "");
	tell(o, NFT_MSG_NEWFLOWTABLE, "hard", 1);
	ck_assert_ptr_nonnull(
	    strstr(text_of(o, OFFLOAD_BYPASS), "lan1, wan: a flowtable with "));
	tell(o, NFT_MSG_DELFLOWTABLE, "soft", 0);
	ck_assert_str_eq(text_of(o, OFFLOAD_FLOWTABLE), "");
	ck_assert_str_ne(text_of(o, OFFLOAD_BYPASS), "");
	offload_free(o);
}
END_TEST

UNIT(a_flowtable_that_changes_is_still_one)
{
	struct offload *o = opened();

	for (int i = 0; i < 100; i++)
		tell(o, NFT_MSG_NEWFLOWTABLE, "ft", (uint32_t)i % 2);
	ck_assert_str_eq(text_of(o, OFFLOAD_FLOWTABLE), "");
	ck_assert_str_ne(text_of(o, OFFLOAD_BYPASS), "");
	tell(o, NFT_MSG_DELFLOWTABLE, "ft", 0);
	ck_assert_str_eq(text_of(o, OFFLOAD_BYPASS), "");
	offload_free(o);
}
END_TEST

UNIT(more_flowtables_than_there_is_room_for_are_cut_short)
{
	struct offload *o = opened();
	char name[8];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		tell(o, NFT_MSG_NEWFLOWTABLE, name, 0);
	}
	ck_assert_uint_lt(
	    strlen(text_of(o, OFFLOAD_FLOWTABLE)), OFFLOAD_TEXT_LEN - 1);
	offload_free(o);
}
END_TEST

UNIT(other_messages_of_nftables_are_passed_over)
{
	struct offload *o = opened();
	char buffer[64] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);

	h->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWFLOWTABLE;
	offload_note(o, h);
	tell(o, NFT_MSG_NEWTABLE, "ft", 0);
	ck_assert_str_eq(text_of(o, OFFLOAD_FLOWTABLE), "");
	offload_free(o);
}
END_TEST

UNIT_MAIN("offload", an_interface_that_is_not_there_has_no_offload,
    loopback_cuts_nothing_and_that_is_said,
    flowtables_are_said_with_their_interfaces_by_who_forwards,
    a_flowtable_that_changes_is_still_one,
    more_flowtables_than_there_is_room_for_are_cut_short,
    other_messages_of_nftables_are_passed_over)

#else

UNIT_MAIN("offload", an_interface_that_is_not_there_has_no_offload,
    loopback_cuts_nothing_and_that_is_said)

#endif
