/* SPDX-License-Identifier: ISC */
/*
 * capture.c - interfaces and capture files through libpcap.
 *
 * It counts every frame that libpcap hands over, has it decoded straight into
 * a burst, and passes full bursts on.  It reads no clock, starts no thread,
 * and does not decide when a lost interface is tried again.
 */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "input.h"
#include "log.h"

#define DISPATCH_FRAMES 1024 /* the caller gets control after as many */
#define LINK_CHECK_MS 250    /* between two looks at a silent interface */
#define NFLOG_SNAPLEN 65535
#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

#ifdef __linux__
#define PRIVILEGE "capturing needs root or CAP_NET_RAW"
#else
#define PRIVILEGE "capturing needs root or the right to read /dev/bpf"
#endif

/* The timeline of a file; it goes on in the next file. */
struct capture_clock {
	uint64_t shift_ns; /* added to the time of packets */
	uint64_t last_ns;
};

struct capture {
	pcap_t *pcap;        /* NULL while an interface is lost */
	struct input *input; /* NULL: an interface */
	struct input_waiter waiter; /* what a pipe's silence is used for */
	char *name;
	char *filter; /* NULL for none */
	struct capture_config config;
	uint32_t ifindex_given; /* 0 = the system's */
	uint32_t ifindex;       /* what packets are marked with */
	uint32_t bound_ifindex; /* the system's when it was opened; 0 = none */
	decode_fn *decode;
	uint32_t tick_ns; /* what tv_usec counts: 1 or 1000 */
	bool counting_only;
	struct capture_clock clock;
	uint64_t now_ns;       /* interface: clock_ns of this read */
	uint64_t checked_ns;   /* interface: when link_trouble was asked */
	bool failing;          /* interface: about to be lost, see error */
	uint64_t failed_ns;    /* ... since when */
	struct pcap_stat seen; /* what the open handle said last */
	capture_burst_fn *hand_over;
	void *arg;
	size_t nburst;
	struct packet burst[CAPTURE_BURST];
	struct capture_stats stats;
	char error[CAPTURE_ERROR_LEN];
};

/* --- frames --- */

/*
 * A libpcap time as ns since 1970.  Classic files have 32 unsigned bits of
 * seconds, which libpcap takes for signed ones.  What no clock says is brought
 * to the nearest that one can: the second to 2106, the fraction to its end.
 */
static uint64_t
frame_time_ns(const struct timeval *tv, uint32_t tick_ns)
{
	uint64_t s =
	    tv->tv_sec < 0 ? (uint32_t)tv->tv_sec : (uint64_t)tv->tv_sec;
	uint64_t fraction =
	    tv->tv_usec < 0 ? NS_PER_S : (uint64_t)tv->tv_usec * tick_ns;

	if (s > UINT32_MAX)
		s = UINT32_MAX;
	if (fraction >= NS_PER_S)
		fraction = NS_PER_S - 1;
	return s * NS_PER_S + fraction;
}

/*
 * Step a file's clock to a packet's time and return it.  It never runs
 * backwards: for a packet up to 1 s early (out of order) it stands still;
 * one earlier than that means that the capturing clock was set back, and from
 * there on the clock goes on at the packets' pace.  Its end leaves room for
 * adding any timeout.
 */
static uint64_t
clock_step(struct capture_clock *t, uint64_t time_ns)
{
	uint64_t now = time_ns + t->shift_ns;

	if (now + NS_PER_S < t->last_ns)
		t->shift_ns += t->last_ns - now;
	if (now > UINT64_MAX / 2)
		now = UINT64_MAX / 2;
	if (now > t->last_ns)
		t->last_ns = now;
	return t->last_ns;
}

static void
count_ethertype(struct capture_stats *s, uint16_t type, uint64_t frames)
{
	for (size_t i = 0; i < CAPTURE_ETHERTYPES; i++) {
		if (s->ethertype[i].frames == 0)
			s->ethertype[i].type = type;
		if (s->ethertype[i].type == type) {
			s->ethertype[i].frames += frames;
			return;
		}
	}
	s->ethertype_other += frames;
}

static void
flush_burst(void *arg)
{
	struct capture *c = arg;

	if (c->nburst > 0)
		c->hand_over(c->burst, c->nburst, c->arg);
	c->nburst = 0;
}

static void
finish_packet(struct capture *c, struct packet *p, const struct timeval *tv)
{
	p->time_ns = frame_time_ns(tv, c->tick_ns);
	p->clock_ns =
	    c->input == NULL ? c->now_ns : clock_step(&c->clock, p->time_ns);
	if (p->ifindex == 0 || c->ifindex_given != 0)
		p->ifindex = c->ifindex;
	c->stats.packets++;
	if (p->notes & NOTE_SHORT_TRANSPORT)
		c->stats.short_transport++;
	if (p->notes & NOTE_FRAME_LENGTH)
		c->stats.frame_length++;
	if (++c->nburst == CAPTURE_BURST)
		flush_burst(c);
}

static void
on_frame(u_char *arg, const struct pcap_pkthdr *h, const u_char *frame)
{
	struct capture *c = (void *)arg;
	struct packet *p = &c->burst[c->nburst];
	enum decode_status status;

	c->stats.frames++;
	c->stats.frame_octets += h->len;
	if (c->counting_only) {
		c->stats.gathering_off++;
		return;
	}
	p->ifindex = 0;
	status = c->decode(frame, h->caplen, h->len, p);
	if (status == DECODE_OK) {
		finish_packet(c, p, &h->ts);
		return;
	}
	c->stats.discard[status]++;
	if (status == DISCARD_ETHERTYPE || status == DISCARD_ARP)
		count_ethertype(&c->stats, p->ethertype, 1);
}

/* --- opening --- */

static struct capture *
capture_new(const char *name, uint32_t ifindex, const struct capture_config *cf)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->config = *cf;
	c->config.filter = NULL; /* borrowed; its copy is c->filter */
	c->ifindex = c->ifindex_given = ifindex;
	c->name = strdup(name);
	if (cf->filter != NULL)
		c->filter = strdup(cf->filter);
	if (c->name == NULL || (cf->filter != NULL && c->filter == NULL)) {
		capture_close(c);
		errno = ENOMEM;
		return NULL;
	}
	return c;
}

/* Put "name: why" into c->error.  Returns -1. */
static int
explain(struct capture *c, const char *why)
{
	(void)snprintf(c->error, sizeof(c->error), "%.200s: %s", c->name, why);
	return -1;
}

/*
 * The last step of a capture_open: give up c, which could not be opened (NULL:
 * no memory), and tell why.
 */
static struct capture *
give_up(struct capture *c, char errbuf[CAPTURE_ERROR_LEN])
{
	strlcpy(
	    errbuf, c == NULL ? "out of memory" : c->error, CAPTURE_ERROR_LEN);
	capture_close(c);
	return NULL;
}

static int
set_filter(struct capture *c, pcap_t *p)
{
	struct bpf_program program;
	int status;

	if (c->filter == NULL)
		return 0;
	status = pcap_compile(p, &program, c->filter, 1, PCAP_NETMASK_UNKNOWN);
	if (status == 0) {
		status = pcap_setfilter(p, &program);
		pcap_freecode(&program);
	}
	if (status != 0) {
		(void)snprintf(c->error, sizeof(c->error),
		    "filter \"%.200s\": %s", c->filter, pcap_geterr(p));
		return -1;
	}
	return 0;
}

/* Learn what a handle will give.  On success c owns it. */
static int
adopt_handle(struct capture *c, pcap_t *p)
{
	int link_type = pcap_datalink(p);
	const char *link_name = pcap_datalink_val_to_name(link_type);

	if (set_filter(c, p) == -1)
		return -1;
	if (!decode_knows(link_type))
		log_warn("%s: no decoder for link type %d (%s): its packets "
			 "are only counted",
		    c->name, link_type,
		    link_name == NULL ? "unknown" : link_name);
	c->decode = decode_for(link_type);
	c->tick_ns = pcap_get_tstamp_precision(p) == PCAP_TSTAMP_PRECISION_NANO
			 ? 1
			 : 1000;
	c->seen = (struct pcap_stat){ 0 };
	c->pcap = p;
	return 0;
}

/* --- interfaces --- */

/*
 * libpcap sizes its netlink buffer by the snap length, and what the kernel
 * batches beyond it is lost; so nflog gets room for the largest batch.
 */
static int
snaplen_for(const struct capture *c)
{
	return strncmp(c->name, "nflog", 5) == 0 ? NFLOG_SNAPLEN
						 : (int)c->config.snaplen;
}

/* Make and activate a handle; *status is pcap_activate's. */
static pcap_t *
activate(struct capture *c, bool promiscuous, int *status)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = pcap_create(c->name, why);

	if (p == NULL) {
		explain(c, why);
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
		explain(c, "interface is down");
		return true;
	case PCAP_ERROR_PERM_DENIED:
		explain(c, PRIVILEGE);
		return false;
	case PCAP_ERROR:
		explain(c, pcap_geterr(p));
		return false;
	default:
		explain(c, pcap_statustostr(status));
		return false;
	}
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
		return explain(c, why);
	return adopt_handle(c, p);
}

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
	p = activate(c, promiscuous, &status);
	if (p != NULL && status == PCAP_ERROR_PROMISC_PERM_DENIED) {
		log_warn(
		    "%s: promiscuous mode refused, going on without", c->name);
		pcap_close(p);
		p = activate(c, false, &status);
	}
	if (p == NULL)
		return -1;
	if (status < 0)
		*missing = explain_status(c, p, status);
	if (status < 0 || set_up(c, p, status) == -1) {
		pcap_close(p);
		return -1;
	}
	if (c->ifindex_given == 0)
		c->ifindex = c->bound_ifindex;
	return 0;
}

struct capture *
capture_open_live(const char *name, uint32_t ifindex,
    const struct capture_config *config, bool *missing,
    char errbuf[CAPTURE_ERROR_LEN])
{
	struct capture *c = capture_new(name, ifindex, config);

	*missing = false;
	if (c == NULL || open_interface(c, missing) == -1)
		return give_up(c, errbuf);
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

/* What keeps a bound interface from giving packets ever again, or NULL. */
static const char *
link_trouble(const struct capture *c)
{
	struct ifreq ifr = { 0 };
	unsigned int index = if_nametoindex(c->name);
	int fd, status;

	if (index == 0)
		return errno == ENODEV || errno == ENXIO
			   ? "interface disappeared"
			   : NULL;
	if (index != c->bound_ifindex)
		return "interface was replaced";
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd == -1)
		return NULL;
	strlcpy(ifr.ifr_name, c->name, sizeof(ifr.ifr_name));
	status = ioctl(fd, SIOCGIFFLAGS, &ifr);
	close(fd);
	return status == 0 && (ifr.ifr_flags & IFF_UP) == 0
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
	n = pcap_dispatch(c->pcap, DISPATCH_FRAMES, on_frame, (void *)c);
	/* libpcap takes an empty netlink socket (nflog) for an error. */
	return n < 0 && c->bound_ifindex == 0 && errno == EAGAIN ? 0 : n;
}

/*
 * A failing handle is read on until the kernel has handed over what it
 * gathered before.
 */
static enum capture_result
read_interface(struct capture *c)
{
	int n = dispatch_live(c);
	const char *why;

	flush_burst(c);
	if (n > 0)
		return CAPTURE_MORE;
	if (c->failing)
		return c->now_ns - c->failed_ns < CAPTURE_DRAIN_MS * NS_PER_MS
			   ? CAPTURE_IDLE
			   : lose(c);
	why = n < 0 ? pcap_geterr(c->pcap) : look_at_link(c);
	if (why != NULL) {
		explain(c, why);
		c->failing = true;
		c->failed_ns = c->now_ns;
	}
	return CAPTURE_IDLE;
}

/* --- files --- */

/* A pipe has nothing for now: nobody shall wait for what was read. */
static void
before_wait(void *arg)
{
	struct capture *c = arg;

	flush_burst(c);
	if (c->waiter.waiting != NULL)
		c->waiter.waiting(c->waiter.arg);
}

static int
open_file(struct capture *c, const char *path)
{
	const struct input_waiter waiter = { c->waiter.stop, c->waiter.call,
		before_wait, c };
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p;

	c->input = input_open(path, &waiter);
	if (c->input == NULL && errno == ENOTSUP)
		return explain(c, "gzip'd, and built without zlib");
	if (c->input == NULL)
		return explain(c, strerror(errno));
	p = pcap_fopen_offline_with_tstamp_precision(
	    input_stream(c->input), PCAP_TSTAMP_PRECISION_NANO, why);
	if (p == NULL && input_stopped(c->input))
		return explain(c, "stopped before its first packet");
	if (p == NULL) {
		const char *e = input_error(c->input);

		(void)snprintf(c->error, sizeof(c->error),
		    "%.200s: not a capture file: %s", c->name,
		    e == NULL ? why : e);
		return -1;
	}
	if (adopt_handle(c, p) == -1) {
		pcap_close(p);
		return -1;
	}
	return 0;
}

struct capture *
capture_open_file(const char *path, uint32_t ifindex,
    const struct capture_config *config, const struct input_waiter *waiter,
    char errbuf[CAPTURE_ERROR_LEN])
{
	bool from_stdin = strcmp(path, "-") == 0;
	struct capture *c =
	    capture_new(from_stdin ? "standard input" : path, ifindex, config);

	if (c != NULL && waiter != NULL)
		c->waiter = *waiter;
	if (c == NULL || open_file(c, path) == -1)
		return give_up(c, errbuf);
	return c;
}

static enum capture_result
read_file(struct capture *c)
{
	int n = pcap_dispatch(c->pcap, DISPATCH_FRAMES, on_frame, (void *)c);
	const char *why = input_error(c->input);

	flush_burst(c);
	if (n > 0)
		return CAPTURE_MORE;
	if (input_stopped(c->input) || (n == 0 && why == NULL))
		return CAPTURE_END;
	(void)snprintf(c->error, sizeof(c->error),
	    "%.200s: damaged after %" PRIu64 " packets: %s", c->name,
	    c->stats.frames, why == NULL ? pcap_geterr(c->pcap) : why);
	return CAPTURE_ERROR;
}

void
capture_continue(struct capture *c, const struct capture *before)
{
	c->clock = before->clock;
}

/* --- both --- */

void
capture_close(struct capture *c)
{
	if (c == NULL)
		return;
	if (c->pcap != NULL)
		pcap_close(c->pcap); /* closes the input's stream */
	input_close(c->input);
	free(c->filter);
	free(c->name);
	free(c);
}

const char *
capture_name(const struct capture *c)
{
	return c->name;
}

bool
capture_is_live(const struct capture *c)
{
	return c->input == NULL;
}

uint32_t
capture_ifindex(const struct capture *c)
{
	return c->ifindex;
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

enum capture_result
capture_read(struct capture *c, uint64_t clock_ns, capture_burst_fn *hand_over,
    void *arg)
{
	c->now_ns = clock_ns;
	c->hand_over = hand_over;
	c->arg = arg;
	if (c->input != NULL)
		return read_file(c);
	return c->pcap == NULL ? CAPTURE_LOST : read_interface(c);
}

void
capture_gather(struct capture *c, bool on)
{
	c->counting_only = !on;
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
}

const char *
capture_error(const struct capture *c)
{
	return c->error;
}

int
capture_permille(const struct capture *c)
{
	return c->input == NULL ? -1 : input_permille(c->input);
}

const struct capture_stats *
capture_stats(const struct capture *c)
{
	return &c->stats;
}

void
capture_stats_add(struct capture_stats *sum, const struct capture_stats *s)
{
	sum->frames += s->frames;
	sum->frame_octets += s->frame_octets;
	sum->packets += s->packets;
	for (size_t i = 0; i < DECODE_STATUSES; i++)
		sum->discard[i] += s->discard[i];
	sum->gathering_off += s->gathering_off;
	sum->short_transport += s->short_transport;
	sum->frame_length += s->frame_length;
	sum->kernel_drops += s->kernel_drops;
	sum->interface_drops += s->interface_drops;
	sum->reopened += s->reopened;
	for (size_t i = 0; i < CAPTURE_ETHERTYPES; i++)
		if (s->ethertype[i].frames != 0)
			count_ethertype(
			    sum, s->ethertype[i].type, s->ethertype[i].frames);
	sum->ethertype_other += s->ethertype_other;
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
