/* SPDX-License-Identifier: ISC */
/*
 * capture_live.c - interfaces through libpcap.
 *
 * It opens an interface, reads it, and finds out that it is lost.  It does not
 * decide when a lost interface is tried again, and never waits.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture_internal.h"
#include "links.h"
#include "log.h"

#define LINK_CHECK_MS 250 /* between two looks at a silent interface */
#define NFLOG_SNAPLEN 65535
#define PRIVILEGE_NFLOG "reading it needs root or CAP_NET_ADMIN"
#define NS_PER_MS UINT64_C(1000000)

#ifdef __linux__
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#define PRIVILEGE "capturing needs root or CAP_NET_RAW"
#else
#define PRIVILEGE "capturing needs root or the right to read /dev/bpf"
#endif

#if defined(__linux__) && !defined(__GLIBC__)
typedef int ioctl_request; /* as POSIX had it, in musl */
#else
typedef unsigned long ioctl_request;
#endif

static bool
is_nflog(const struct capture *c)
{
	return strncmp(c->name, "nflog", 5) == 0;
}

/*
 * libpcap sizes its netlink buffer by the snap length, and what the kernel
 * batches beyond it is lost; so nflog gets room for the largest batch.
 */
static int
snaplen_for(const struct capture *c)
{
	return is_nflog(c) ? NFLOG_SNAPLEN : (int)c->config.snaplen;
}

/* Make and activate a handle; *status is pcap_activate's. */
static pcap_t *
activate(struct capture *c, const char *device, bool promiscuous, int *status)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_create(device, why);

	if (p == NULL) {
		capture_explain(c, why);
		return NULL;
	}
	pcap_set_snaplen(p, snaplen_for(c));
	pcap_set_promisc(p, promiscuous);
	pcap_set_timeout(p, CAPTURE_TIMEOUT_MS);
	pcap_set_buffer_size(p, (int)c->config.buffer_octets);
	/* Refused where there are microseconds only; tick_ns tells. */
	pcap_set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	*status = pcap_activate(p);
	return p;
}

static void
explain_missing(struct capture *c)
{
	char *there = capture_list_interfaces();

	(void)snprintf(c->error, sizeof(c->error),
	    "%.200s: no such interface (there are: %.200s)", c->name,
	    there == NULL ? "?" : there);
	free(there);
}

/* Explain why p was not activated; returns whether it is just not there. */
static bool
explain_status(struct capture *c, pcap_t *p, int status)
{
	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		explain_missing(c);
		return true;
	case PCAP_ERROR_IFACE_NOT_UP:
		capture_explain(c, "interface is down");
		return true;
	case PCAP_ERROR_PERM_DENIED:
		capture_explain(c, PRIVILEGE);
		return false;
	case PCAP_ERROR:
		/* nflog has no status of its own for it. */
		capture_explain(c, is_nflog(c) && strstr(pcap_geterr(p),
						      strerror(EPERM)) != NULL
				       ? PRIVILEGE_NFLOG
				       : pcap_geterr(p));
		return false;
	default:
		capture_explain(c, pcap_statustostr(status));
		return false;
	}
}

/*
 * Have the kernel copy no more of a frame than is wanted.  libpcap takes the
 * snap length from a filter; with none the kernel's buffer holds whole frames,
 * a tenth as many of them.  A filter expression replaces this one.
 */
static int
cut_frames(struct capture *c, pcap_t *p)
{
	struct bpf_insn cut = { BPF_RET | BPF_K, 0, 0,
		(bpf_u_int32)snaplen_for(c) };
	struct bpf_program program = { 1, &cut };

	return pcap_setfilter(p, &program) == 0
		   ? 0
		   : capture_explain(c, pcap_geterr(p));
}

#ifdef __linux__
static void
ignore_frame(u_char *arg, const struct pcap_pkthdr *h, const u_char *frame)
{
	(void)arg;
	(void)h;
	(void)frame;
}

/* Let nothing more through, and go what came before.  As pcap_setfilter. */
static int
shut(pcap_t *p)
{
	struct bpf_insn none = { BPF_RET | BPF_K, 0, 0, 0 };
	struct bpf_program program = { 1, &none };

	if (pcap_setfilter(p, &program) == -1)
		return -1;
	while (pcap_dispatch(p, -1, ignore_frame, NULL) > 0)
		continue;
	return 0;
}
#endif

#ifdef PACKET_FANOUT
/*
 * Share the interface's packets with the other handles of the group: the
 * kernel gives each packet to one of them, by a hash that both directions of
 * a flow have in common (packet(7)).  What came before is for the others.
 * The filter that is left lets nothing through.
 */
static int
join_fanout(struct capture *c, pcap_t *p)
{
	int group = c->config.fanout | PACKET_FANOUT_HASH << 16;

	if (shut(p) == -1)
		return capture_explain(c, pcap_geterr(p));
	if (setsockopt(pcap_fileno(p), SOL_PACKET, PACKET_FANOUT, &group,
		sizeof(group)) == -1)
		return capture_explain(c, "cannot be shared by workers");
	return 0;
}
#else
static int
join_fanout(struct capture *c, pcap_t *p)
{
	(void)p;
	return capture_explain(c, "--workers on interfaces needs Linux");
}
#endif

/* Ask for something of the interface by ioctl(2).  0, or -1 with errno. */
static int
ask_link(const struct capture *c, ioctl_request request, struct ifreq *ifr)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int status;

	if (fd == -1)
		return -1;
	*ifr = (struct ifreq){ 0 };
	strlcpy(ifr->ifr_name, c->name, sizeof(ifr->ifr_name));
	status = ioctl(fd, request, ifr);
	close(fd);
	return status;
}

/*
 * Learn the interface's MTU and, of Ethernet, its address, by which the
 * direction of packets is known.  Loopback has neither direction.
 */
static void
learn_link(struct capture *c)
{
	struct ifreq ifr;

	c->mtu = UINT32_MAX;
	c->has_mac = false;
	if (c->bound_ifindex == 0)
		return;
	if (ask_link(c, SIOCGIFMTU, &ifr) == 0 && ifr.ifr_mtu > 0)
		c->mtu = (uint32_t)ifr.ifr_mtu;
#ifdef __linux__
	if (c->link_type != DLT_EN10MB ||
	    ask_link(c, SIOCGIFHWADDR, &ifr) == -1)
		return;
	c->has_mac = ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	memcpy(c->mac, ifr.ifr_hwaddr.sa_data, sizeof(c->mac));
#endif
}

/* What can be said of an activated handle; log what is not as asked for. */
static int
set_up(struct capture *c, pcap_t *p, int warning)
{
	char why[PCAP_ERRBUF_SIZE] = "";

	if (warning != 0)
		log_warn("%s: %s", c->name,
		    warning == PCAP_WARNING ? pcap_geterr(p)
					    : pcap_statustostr(warning));
#ifdef DLT_LINUX_SLL2
	/* Each packet tells its interface; the older format does not. */
	if (strcmp(c->name, "any") == 0)
		pcap_set_datalink(p, DLT_LINUX_SLL2);
#endif
	if (pcap_setnonblock(p, 1, why) != 0)
		return capture_explain(c, why);
	if (c->config.fanout != 0 && join_fanout(c, p) == -1)
		return -1;
	if (cut_frames(c, p) == -1)
		return -1;
	c->seen = (struct pcap_stat){ 0 };
	return capture_adopt(c, p);
}

#if defined(__linux__) && defined(DLT_LINUX_SLL2)
/*
 * An interface without a link layer (tun, WireGuard) gives bare IP datagrams,
 * which do not tell which way they went.  All interfaces together tell it in
 * their cooked link layer, and so does one of them if a capture from all is
 * bound to it before it lets a packet through.  Takes p, and returns what to
 * use.
 */
static pcap_t *
with_direction(struct capture *c, pcap_t *p)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)c->bound_ifindex };
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *cooked;
	int status;

	if (pcap_datalink(p) != DLT_RAW)
		return p;
	cooked = activate(c, "any", false, &status);
	if (cooked == NULL)
		return p;
	if (status < 0 || pcap_set_datalink(cooked, DLT_LINUX_SLL2) != 0 ||
	    bind(pcap_fileno(cooked), (struct sockaddr *)&to, sizeof(to)) ==
		-1 ||
	    pcap_setnonblock(cooked, 1, why) != 0 || shut(cooked) == -1) {
		pcap_close(cooked);
		return p;
	}
	pcap_close(p);
	return cooked;
}
#else
static pcap_t *
with_direction(struct capture *c, pcap_t *p)
{
	(void)c;
	return p;
}
#endif

/* Returns 0, or -1 with c->error. */
static int
open_interface(struct capture *c, bool *missing)
{
	/* Not of "any", which would only give a warning. */
	bool promiscuous = c->config.promiscuous && strcmp(c->name, "any") != 0;
	int status = 0;
	pcap_t *p;

	*missing = false;
	/* Asked before, so that a change in between shows as trouble. */
	c->bound_ifindex = if_nametoindex(c->name);
	p = activate(c, c->name, promiscuous, &status);
	/* Linux has no status of its own for a refused mode. */
	if (p != NULL && promiscuous &&
	    (status == PCAP_ERROR_PROMISC_PERM_DENIED ||
		status == PCAP_ERROR)) {
		pcap_close(p);
		p = activate(c, c->name, false, &status);
		if (p != NULL && status >= 0)
			log_warn(
			    "%s: promiscuous mode refused, going on without",
			    c->name);
	}
	if (p == NULL)
		return -1;
	if (status >= 0)
		p = with_direction(c, p);
	if (status < 0)
		*missing = explain_status(c, p, status);
	if (status < 0 || set_up(c, p, status) == -1) {
		pcap_close(p);
		return -1;
	}
	if (c->ifindex_given == 0)
		c->ifindex = c->bound_ifindex;
	learn_link(c);
	return 0;
}

size_t
capture_live_memory(const struct capture_config *config)
{
	return capture_memory(config) + config->buffer_octets +
	       CAPTURE_LIVE_OCTETS;
}

struct capture *
capture_open_live(const char *name, uint32_t ifindex,
    const struct capture_config *config, bool *missing,
    char errbuf[CAPTURE_ERROR_LEN])
{
	struct capture *c = capture_new(name, ifindex, config);

	*missing = false;
	if (c == NULL || open_interface(c, missing) == -1)
		return capture_give_up(c, errbuf);
	return c;
}

struct capture *
capture_await_live(
    const char *name, uint32_t ifindex, const struct capture_config *config)
{
	return capture_new(name, ifindex, config);
}

int
capture_reopen(struct capture *c)
{
	bool missing;

	if (open_interface(c, &missing) == -1)
		return -1;
	c->stats.reopened++;
	return 0;
}

int
capture_try_filter(
    struct capture *c, const char *filter, char errbuf[CAPTURE_ERROR_LEN])
{
	struct bpf_program program = { 0, NULL };
	/* Of a lost one it is only known what its frames were like. */
	pcap_t *p =
	    c->pcap != NULL
		? c->pcap
		: pcap_open_dead(c->link_type == 0 ? DLT_EN10MB : c->link_type,
		      snaplen_for(c));
	int rc = 0;

	if (p == NULL || (filter != NULL && pcap_compile(p, &program, filter, 1,
						PCAP_NETMASK_UNKNOWN) != 0)) {
		(void)snprintf(errbuf, CAPTURE_ERROR_LEN, "%.200s: %s", c->name,
		    p == NULL ? "out of memory" : pcap_geterr(p));
		rc = -1;
	}
	pcap_freecode(&program);
	if (p != NULL && p != c->pcap)
		pcap_close(p);
	return rc;
}

int
capture_set_filter(
    struct capture *c, const char *filter, char errbuf[CAPTURE_ERROR_LEN])
{
	char *copy = filter == NULL ? NULL : strdup(filter);

	if (filter != NULL && copy == NULL) {
		(void)strlcpy(errbuf, "out of memory", CAPTURE_ERROR_LEN);
		return -1;
	}
	free(c->filter);
	c->filter = copy;
	if (c->pcap == NULL || ((copy != NULL || cut_frames(c, c->pcap) == 0) &&
				   capture_filter(c, c->pcap) == 0))
		return 0;
	(void)strlcpy(errbuf, c->error, CAPTURE_ERROR_LEN);
	return -1;
}

/* What keeps a bound interface from giving packets ever again, or NULL. */
static const char *
link_trouble(const struct capture *c)
{
	struct ifreq ifr;
	unsigned int index = if_nametoindex(c->name);

	if (index == 0)
		return errno == ENODEV || errno == ENXIO
			   ? "interface disappeared"
			   : NULL;
	if (index != c->bound_ifindex)
		return "interface was replaced";
	return ask_link(c, SIOCGIFFLAGS, &ifr) == 0 &&
		       (ifr.ifr_flags & IFF_UP) == 0
		   ? "interface went down"
		   : NULL;
}

/* Close the handle of an interface that is lost; its counts stay. */
static enum capture_result
lose(struct capture *c)
{
	capture_poll_drops(c);
	pcap_close(c->pcap);
	c->pcap = NULL;
	c->failing = false;
	return CAPTURE_LOST;
}

/*
 * Ask, now and then, why an interface is silent.  libpcap does not tell when
 * it went down, nor when another one took its name.
 */
static const char *
look_at_link(struct capture *c)
{
	if (c->bound_ifindex == 0 ||
	    c->now_ns - c->checked_ns < LINK_CHECK_MS * NS_PER_MS)
		return NULL;
	c->checked_ns = c->now_ns;
	return link_trouble(c);
}

/* As pcap_dispatch. */
static int
dispatch_live(struct capture *c)
{
	int n;

	errno = 0;
	n = pcap_dispatch(
	    c->pcap, CAPTURE_DISPATCH, capture_pcap_frame, (void *)c);
	/* libpcap takes an empty netlink socket (nflog) for an error. */
	return n < 0 && c->bound_ifindex == 0 && errno == EAGAIN ? 0 : n;
}

/*
 * A failing handle is read on until the kernel has handed over what it
 * gathered before.
 */
enum capture_result
capture_read_live(struct capture *c)
{
	const char *why;
	int n;

	if (c->pcap == NULL)
		return CAPTURE_LOST;
	if (c->config.links != NULL)
		c->depth = links_depth(c->config.links, c->bound_ifindex);
	if (c->config.links != NULL)
		c->deepest = links_deepest(c->config.links);
	n = dispatch_live(c);
	capture_flush(c);
	if (n > 0)
		return CAPTURE_MORE;
	if (c->failing)
		return c->now_ns - c->failed_ns < CAPTURE_DRAIN_MS * NS_PER_MS
			   ? CAPTURE_IDLE
			   : lose(c);
	why = n < 0 ? pcap_geterr(c->pcap) : look_at_link(c);
	if (why != NULL) {
		capture_explain(c, why);
		c->failing = true;
		c->failed_ns = c->now_ns;
	}
	return CAPTURE_IDLE;
}

int
capture_fd(const struct capture *c)
{
	return c->pcap == NULL ? -1 : pcap_get_selectable_fd(c->pcap);
}

int
capture_poll_ms(const struct capture *c)
{
	const struct timeval *tv;

	if (c->pcap == NULL || c->input != NULL)
		return -1;
	if (c->failing)
		return CAPTURE_TIMEOUT_MS;
	tv = pcap_get_required_select_timeout(c->pcap);
	if (tv != NULL && tv->tv_sec == 0)
		return (int)(tv->tv_usec / 1000 + 1);
	return c->bound_ifindex == 0 ? -1 : LINK_CHECK_MS;
}

/*
 * What a 32-bit count of libpcap grew by since it was last seen.  One that
 * fell (the system reset the interface's own) did not grow.
 */
static uint32_t
growth(u_int now, u_int before)
{
	uint32_t n = (uint32_t)now - (uint32_t)before;

	return n > INT32_MAX ? 0 : n;
}

void
capture_poll_drops(struct capture *c)
{
	struct pcap_stat now;

	if (c->pcap == NULL || c->input != NULL ||
	    pcap_stats(c->pcap, &now) != 0)
		return;
	c->stats.kernel_drops += growth(now.ps_drop, c->seen.ps_drop);
	c->stats.interface_drops += growth(now.ps_ifdrop, c->seen.ps_ifdrop);
	c->seen = now;
	learn_link(c);
}

char *
capture_list_interfaces(void)
{
	struct if_nameindex *all = if_nameindex();
	char *list = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&list, &len);

	if (f != NULL) {
		for (size_t i = 0; all != NULL && all[i].if_index != 0; i++)
			(void)fprintf(
			    f, "%s%s", i == 0 ? "" : ", ", all[i].if_name);
		if (fclose(f) != 0) {
			free(list);
			list = NULL;
		}
	}
	if (all != NULL)
		if_freenameindex(all);
	return list;
}
