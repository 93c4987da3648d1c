/* SPDX-License-Identifier: ISC */
/*
 * offload.c - what is not seen as it was on the wire; see offload.h.
 */
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "links.h"
#include "log.h"
#include "netlink.h"
#include "offload.h"
#include "record.h"

#define LOOK_NS (5 * NS_PER_S)
#define NAMES_LEN 200    /* of all interfaces in a line */
#define FEATURES_MAX 512 /* that a kernel knows */
#define FLOWTABLES_MAX 16
#define FLOWTABLE_NAME_LEN 32

/* What the line about a kind says, after the names. */
static const char *const effect[OFFLOAD_KINDS] = {
	[OFFLOAD_MERGED] = "receive offload merges segments before they are "
			   "captured: packets are fewer and larger than on "
			   "the wire, and octets lack the headers between; "
			   "ethtool -K NAME gro off lro off shows them as "
			   "they are",
	[OFFLOAD_UNCUT] = "segmentation offload cuts packets after they are "
			  "captured: those sent are fewer and larger than on "
			  "the wire, and octets lack the headers between; "
			  "ethtool -K NAME tso off gso off shows them as they "
			  "are",
	[OFFLOAD_HARDWARE] = "hw-tc-offload is on: packets that the hardware "
			     "forwards by rules of tc(8) are not seen",
	[OFFLOAD_FLOWTABLE] = "a flowtable forwards packets past bridges, "
			      "VLANs and PPP above these interfaces, and past "
			      "rules for nflog: there only the first packets "
			      "of a connection are seen",
	[OFFLOAD_BYPASS] = "a flowtable with hardware offload forwards "
			   "packets: only the first of a connection are seen, "
			   "anywhere",
};

struct flowtable {
	char table[FLOWTABLE_NAME_LEN], name[FLOWTABLE_NAME_LEN];
	char devices[NAMES_LEN]; /* with commas between */
	uint8_t family;          /* 0 = no flowtable */
	bool hardware;
};

struct offload {
	const char *const *name;
	size_t n;
	bool due; /* something changed */
	uint64_t looked_ns;
	struct netlink *listen; /* NULL: of flowtables nothing is known */
	struct flowtable flowtable[FLOWTABLES_MAX];
	char said[OFFLOAD_KINDS][OFFLOAD_TEXT_LEN];
	/* Which bits of an interface's features are of a kind. */
	size_t nfeatures;
	uint8_t kind_of[FEATURES_MAX]; /* enum offload_kind + 1; 0 = none */
};

/* Add a name to a list; "..." stands for those that do not fit. */
static void
add_name(char names[NAMES_LEN], const char *name)
{
	size_t used = strlen(names);
	const char *comma = used == 0 ? "" : ", ";

	if (used + strlen(name) + sizeof(", , ...") <= NAMES_LEN)
		(void)snprintf(
		    names + used, NAMES_LEN - used, "%s%s", comma, name);
	else if (used < 3 || strcmp(names + used - 3, "...") != 0)
		(void)snprintf(names + used, NAMES_LEN - used, ", ...");
}

/* Features of interfaces ------------------------------------------------- */

#ifdef __linux__

#include <linux/ethtool.h>
#include <linux/sockios.h>

#define BLOCKS (FEATURES_MAX / 32)

/* As ethtool(8) names them. */
static const struct {
	const char *name;
	enum offload_kind kind;
} features[] = {
	{ "rx-gro", OFFLOAD_MERGED },
	{ "rx-gro-hw", OFFLOAD_MERGED },
	{ "rx-lro", OFFLOAD_MERGED },
	{ "tx-tcp-segmentation", OFFLOAD_UNCUT },
	{ "tx-tcp6-segmentation", OFFLOAD_UNCUT },
	{ "tx-generic-segmentation", OFFLOAD_UNCUT },
	{ "hw-tc-offload", OFFLOAD_HARDWARE },
};

/* Ask about an interface.  0, or -1 with errno. */
static int
ask(const char *name, void *question)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd == -1)
		return -1;
	(void)snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	ifr.ifr_data = question;
	result = ioctl(fd, SIOCETHTOOL, &ifr);
	close(fd);
	return result;
}

static uint8_t
kind_of(const char name[ETH_GSTRING_LEN])
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (strncmp(name, features[i].name, ETH_GSTRING_LEN) == 0)
			return (uint8_t)(features[i].kind + 1);
	return 0;
}

/* How many features this kernel knows; 0 = that cannot be told. */
static uint32_t
count_features(const char *name)
{
	/* It ends with an array. */
	_Alignas(struct ethtool_sset_info) char
	    room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)] = { 0 };
	struct ethtool_sset_info *q = (void *)room;

	q->cmd = ETHTOOL_GSSET_INFO;
	q->sset_mask = UINT64_C(1) << ETH_SS_FEATURES;
	return ask(name, q) == 0 && q->sset_mask != 0 &&
		       q->data[0] <= FEATURES_MAX
		   ? q->data[0]
		   : 0;
}

/* Learn which bit is which; the kernel has one list for all interfaces. */
static void
learn_features(struct offload *o, const char *name)
{
	uint32_t n = count_features(name);
	size_t octets = (size_t)n * ETH_GSTRING_LEN;
	struct ethtool_gstrings *q = calloc(1, sizeof(*q) + octets);

	if (q == NULL)
		return;
	q->cmd = ETHTOOL_GSTRINGS;
	q->string_set = ETH_SS_FEATURES;
	q->len = n;
	if (n > 0 && ask(name, q) == 0 && q->len <= n) {
		o->nfeatures = q->len;
		for (size_t i = 0; i < o->nfeatures; i++)
			o->kind_of[i] = kind_of(
			    (const char *)q->data + i * ETH_GSTRING_LEN);
	}
	free(q);
}

/* Whether an interface has an active feature of a kind. */
static bool
has_kind(struct offload *o, const char *name, enum offload_kind kind)
{
	_Alignas(struct ethtool_gfeatures) char
	    room[sizeof(struct ethtool_gfeatures) +
		 BLOCKS * sizeof(struct ethtool_get_features_block)] = { 0 };
	struct ethtool_gfeatures *q = (void *)room;

	q->cmd = ETHTOOL_GFEATURES;
	q->size = BLOCKS;
	if (o->nfeatures == 0)
		learn_features(o, name);
	if (o->nfeatures == 0 || ask(name, q) == -1)
		return false;
	for (size_t i = 0; i < o->nfeatures && i / 32 < q->size; i++)
		if (o->kind_of[i] == kind + 1 &&
		    (q->features[i / 32].active & UINT32_C(1) << i % 32) != 0)
			return true;
	return false;
}

#else

static bool
has_kind(struct offload *o, const char *name, enum offload_kind kind)
{
	(void)o;
	(void)name;
	(void)kind;
	return false;
}

#endif

static void
add_if_has(struct offload *o, const char *name, enum offload_kind kind,
    char names[NAMES_LEN])
{
	if (has_kind(o, name, kind))
		add_name(names, name);
}

/*
 * The interfaces with a feature of a kind, of those that are captured from.
 * What is true of loopback everywhere is not said of "any".
 */
static void
list_interfaces(struct offload *o, const struct links *links,
    enum offload_kind kind, char names[NAMES_LEN])
{
	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->name[i], "any") != 0) {
			add_if_has(o, o->name[i], kind, names);
			continue;
		}
		for (size_t l = 0; l < links_count(links); l++)
			if (strcmp(links_at(links, l)->name, "lo") != 0)
				add_if_has(
				    o, links_at(links, l)->name, kind, names);
	}
}

/* Flowtables ------------------------------------------------------------- */

static void
list_flowtables(const struct offload *o, bool hardware, char names[NAMES_LEN])
{
	for (size_t i = 0; i < FLOWTABLES_MAX; i++)
		if (o->flowtable[i].family != 0 &&
		    o->flowtable[i].hardware == hardware)
			add_name(names, o->flowtable[i].devices);
}

#ifdef HAVE_MNL

#include <arpa/inet.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#define MESSAGE(type) (NFNL_SUBSYS_NFTABLES << 8 | (type))
#define HARDWARE 1U /* NFT_FLOWTABLE_HW_OFFLOAD, which older headers lack */

static int
take_device(const struct nlattr *a, void *arg)
{
	char name[IF_NAMESIZE] = "";

	if (mnl_attr_get_type(a) != NFTA_DEVICE_NAME)
		return MNL_CB_OK;
	(void)snprintf(name, sizeof(name), "%.*s",
	    (int)mnl_attr_get_payload_len(a), mnl_attr_get_str(a));
	add_name(arg, name);
	return MNL_CB_OK;
}

static int
take_hook(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == NFTA_FLOWTABLE_HOOK_DEVS)
		(void)mnl_attr_parse_nested(a, take_device, arg);
	return MNL_CB_OK;
}

static int
take_flowtable(const struct nlattr *a, void *arg)
{
	struct flowtable *ft = arg;
	int len = (int)mnl_attr_get_payload_len(a);

	switch (mnl_attr_get_type(a)) {
	case NFTA_FLOWTABLE_TABLE:
		(void)snprintf(ft->table, sizeof(ft->table), "%.*s", len,
		    mnl_attr_get_str(a));
		break;
	case NFTA_FLOWTABLE_NAME:
		(void)snprintf(ft->name, sizeof(ft->name), "%.*s", len,
		    mnl_attr_get_str(a));
		break;
	case NFTA_FLOWTABLE_HOOK:
		(void)mnl_attr_parse_nested(a, take_hook, ft->devices);
		break;
	case NFTA_FLOWTABLE_FLAGS:
		ft->hardware = (size_t)len == sizeof(uint32_t) &&
			       (ntohl(mnl_attr_get_u32(a)) & HARDWARE) != 0;
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static bool
same_flowtable(const struct flowtable *a, const struct flowtable *b)
{
	return a->family == b->family && strcmp(a->table, b->table) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

/* Where a flowtable is, or can be put; NULL = there is no room. */
static struct flowtable *
place_of(struct offload *o, const struct flowtable *ft)
{
	struct flowtable *free_one = NULL;

	for (size_t i = 0; i < FLOWTABLES_MAX; i++) {
		if (same_flowtable(&o->flowtable[i], ft))
			return &o->flowtable[i];
		if (free_one == NULL && o->flowtable[i].family == 0)
			free_one = &o->flowtable[i];
	}
	return free_one;
}

void
offload_note(struct offload *o, const struct nlmsghdr *h)
{
	const struct nfgenmsg *nf = mnl_nlmsg_get_payload(h);
	struct flowtable ft = { .family = 0 }, *at;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*nf) ||
	    (h->nlmsg_type != MESSAGE(NFT_MSG_NEWFLOWTABLE) &&
		h->nlmsg_type != MESSAGE(NFT_MSG_DELFLOWTABLE)))
		return;
	ft.family = nf->nfgen_family;
	(void)mnl_attr_parse(h, sizeof(*nf), take_flowtable, &ft);
	at = ft.family == 0 ? NULL : place_of(o, &ft);
	if (at == NULL)
		return;
	if (h->nlmsg_type == MESSAGE(NFT_MSG_DELFLOWTABLE))
		ft.family = 0;
	*at = ft;
	o->due = true;
}

static void
note(const struct nlmsghdr *h, void *arg)
{
	offload_note(arg, h);
}

/* Ask for the flowtables there are, which only CAP_NET_ADMIN may. */
static void
list(struct offload *o)
{
	struct netlink *n = netlink_open(NETLINK_NETFILTER, NULL, 0);
	char buffer[NETLINK_REQUEST_LEN] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));

	h->nlmsg_type = MESSAGE(NFT_MSG_GETFLOWTABLE);
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nf->version = NFNETLINK_V0;
	if (n != NULL)
		(void)netlink_ask(n, h, note, o);
	netlink_close(n);
}

static void
learn_flowtables(struct offload *o)
{
	static const int groups[] = { NFNLGRP_NFTABLES };

	o->listen = netlink_open(NETLINK_NETFILTER, groups, 1);
	list(o);
}

void
offload_read(struct offload *o)
{
	if (o != NULL && o->listen != NULL)
		(void)netlink_read(o->listen, note, o);
}

#else

static void
learn_flowtables(struct offload *o)
{
	(void)o;
}

void
offload_note(struct offload *o, const struct nlmsghdr *h)
{
	(void)o;
	(void)h;
}

void
offload_read(struct offload *o)
{
	(void)o;
}

#endif

/* Doors ------------------------------------------------------------------ */

struct offload *
offload_new(const char *const *name, size_t n)
{
	struct offload *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->name = name;
	o->n = n;
	o->due = true;
	learn_flowtables(o);
	return o;
}

void
offload_free(struct offload *o)
{
	if (o == NULL)
		return;
	netlink_close(o->listen);
	free(o);
}

int
offload_fd(const struct offload *o)
{
	return o == NULL ? -1 : netlink_fd(o->listen);
}

void
offload_changed(struct offload *o)
{
	if (o != NULL)
		o->due = true;
}

void
offload_text(struct offload *o, const struct links *links,
    enum offload_kind kind, char text[OFFLOAD_TEXT_LEN])
{
	char names[NAMES_LEN] = "";

	if (kind == OFFLOAD_FLOWTABLE || kind == OFFLOAD_BYPASS)
		list_flowtables(o, kind == OFFLOAD_BYPASS, names);
	else
		list_interfaces(o, links, kind, names);
	text[0] = '\0';
	if (names[0] != '\0')
		(void)snprintf(
		    text, OFFLOAD_TEXT_LEN, "%s: %s", names, effect[kind]);
}

void
offload_tell(struct offload *o, const struct links *links, uint64_t mono_ns)
{
	char text[OFFLOAD_TEXT_LEN];

	if (o == NULL || !o->due ||
	    (o->looked_ns != 0 && mono_ns - o->looked_ns < LOOK_NS))
		return;
	o->due = false;
	o->looked_ns = mono_ns;
	for (int k = 0; k < OFFLOAD_KINDS; k++) {
		offload_text(o, links, (enum offload_kind)k, text);
		if (strcmp(text, o->said[k]) == 0)
			continue;
		if (text[0] != '\0')
			log_note("%s", text);
		else
			log_note("no longer so: %s", o->said[k]);
		memcpy(o->said[k], text, sizeof(text));
	}
}
