/* SPDX-License-Identifier: ISC */
/*
 * capture.c - frames to bursts of packets, whatever their source.
 *
 * It counts every frame that a source gives, has it decoded straight into a
 * burst, and passes full bursts on.  It opens and reads nothing, reads no
 * clock and starts no thread: see capture_live.c and capture_file.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_internal.h"
#include "links.h"
#include "log.h"

#define NS_PER_S UINT64_C(1000000000)

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

void
capture_flush(struct capture *c)
{
	c->stats.frames += c->nburst;
	c->stats.packets += c->nburst;
	if (c->nburst > 0)
		c->hand_over(c->burst, c->extra, c->nburst, c->arg);
	c->nburst = 0;
}

static void
count_notes(struct capture_stats *s, unsigned notes)
{
	s->short_transport += (notes & NOTE_SHORT_TRANSPORT) != 0;
	s->frame_length += (notes & NOTE_FRAME_LENGTH) != 0;
}

static void
ignore(struct capture_stats *s, const struct pcapfile_record *rec)
{
	s->frames++;
	s->ignored_octets += rec->wirelen;
	span_cover(&s->ignored_span, rec->time_ns, rec->time_ns);
}

static void
discard(struct capture *c, const struct packet *p, enum decode_status why)
{
	c->stats.discard[why]++;
	if (why == DISCARD_ETHERTYPE || why == DISCARD_ARP)
		count_ethertype(&c->stats, p->ethertype, 1);
}

/* Decode to what is the next of a burst, and fill its extra. */
static enum decode_status __attribute__((cold, noinline)) decode_asked(
    struct capture *c, const struct pcapfile_record *rec, struct packet *p)
{
	return decode_extra(c->link_type, rec->frame, rec->caplen, rec->wirelen,
	    p, &c->extra[c->nburst]);
}

/*
 * Which way a packet passes an interface, by its address or that of another
 * one of the box, such as the bridge that it is a port of; not known of what
 * others send to others, which the port of a bridge sees both ways.
 */
static enum packet_direction
direction_by_mac(const struct capture *c, const struct packet *p)
{
	const struct link_table *all = c->config.links;

	if (memcmp(p->src_mac, c->mac, 6) == 0)
		return DIRECTION_OUT;
	if ((p->dst_mac[0] & 1) != 0 || memcmp(p->dst_mac, c->mac, 6) == 0)
		return DIRECTION_IN;
	if (all != NULL && links_has_mac(all, p->src_mac))
		return DIRECTION_OUT;
	if (all != NULL && links_has_mac(all, p->dst_mac))
		return DIRECTION_IN;
	return DIRECTION_UNKNOWN;
}

/*
 * What an interface knows of a packet, of which its link layer may know more.
 * Apart, so that what files need, too, stays in one piece.
 */
static void __attribute__((noinline))
see_live(struct capture *c, struct packet *p)
{
	p->clock_ns = c->now_ns;
	if (c->has_mac && p->direction == DIRECTION_UNKNOWN)
		p->direction = direction_by_mac(c, p) & 3U;
	if (c->config.links != NULL)
		p->depth =
		    15U & (c->bound_ifindex != 0
				  ? c->depth
				  : links_depth(c->config.links, p->ifindex));
	p->covered = p->depth < c->deepest;
	c->stats.above_mtu += p->octets > c->mtu;
}

/* Frames that become packets are counted when their burst is handed over. */
static inline void
add_frame(struct capture *c, const struct pcapfile_record *rec)
{
	struct packet *p = &c->burst[c->nburst];
	enum decode_status status;

	c->stats.frame_octets += rec->wirelen;
	if (c->counting_only) {
		c->stats.gathering_off++;
		ignore(&c->stats, rec);
		return;
	}
	p->ifindex = 0;
	if (c->extra == NULL)
		status = c->decode(rec->frame, rec->caplen, rec->wirelen, p);
	else
		status = decode_asked(c, rec, p);
	if (status != DECODE_OK) {
		discard(c, p, status);
		ignore(&c->stats, rec);
		return;
	}
	p->time_ns = rec->time_ns;
	if (c->input == NULL)
		see_live(c, p);
	else
		p->clock_ns = clock_step(&c->clock, rec->time_ns);
	if (p->ifindex == 0 || c->ifindex_given != 0)
		p->ifindex = c->ifindex;
	if (p->notes != 0)
		count_notes(&c->stats, p->notes);
	if (++c->nburst == CAPTURE_BURST)
		capture_flush(c);
}

void
capture_records(struct capture *c, const struct pcapfile_record *rec, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_frame(c, &rec[i]);
}

void
capture_pcap_frame(
    u_char *arg, const struct pcap_pkthdr *h, const u_char *frame)
{
	struct capture *c = (void *)arg;
	const struct pcapfile_record rec = { frame, h->caplen, h->len,
		frame_time_ns(&h->ts, c->tick_ns) };

	add_frame(c, &rec);
}

/* --- opening --- */

size_t
capture_memory(const struct capture_config *config)
{
	size_t packet = sizeof(struct packet);

	packet += config->extra ? sizeof(struct packet_extra) : 0;
	return sizeof(struct capture) + CAPTURE_BURST * packet;
}

struct capture *
capture_new(const char *name, uint32_t ifindex, const struct capture_config *cf)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->config = *cf;
	c->mtu = UINT32_MAX;
	c->config.filter = NULL; /* borrowed; its copy is c->filter */
	c->ifindex = c->ifindex_given = ifindex;
	c->name = strdup(name);
	if (cf->filter != NULL)
		c->filter = strdup(cf->filter);
	if (cf->extra)
		c->extra = calloc(CAPTURE_BURST, sizeof(*c->extra));
	if (c->name == NULL || (cf->filter != NULL && c->filter == NULL) ||
	    (cf->extra && c->extra == NULL)) {
		capture_close(c);
		errno = ENOMEM;
		return NULL;
	}
	return c;
}

int
capture_explain(struct capture *c, const char *why)
{
	(void)snprintf(c->error, sizeof(c->error), "%.200s: %s", c->name, why);
	return -1;
}

struct capture *
capture_give_up(struct capture *c, char errbuf[CAPTURE_ERROR_LEN])
{
	strlcpy(
	    errbuf, c == NULL ? "out of memory" : c->error, CAPTURE_ERROR_LEN);
	capture_close(c);
	return NULL;
}

int
capture_filter(struct capture *c, pcap_t *p)
{
	pcap_freecode(&c->program); /* of the handle before */
	if (c->filter == NULL)
		return 0;
	if (pcap_compile(p, &c->program, c->filter, 1, PCAP_NETMASK_UNKNOWN) !=
		0 ||
	    pcap_setfilter(p, &c->program) != 0) {
		(void)snprintf(c->error, sizeof(c->error),
		    "filter \"%.200s\": %s", c->filter, pcap_geterr(p));
		return -1;
	}
	return 0;
}

int
capture_adopt(struct capture *c, pcap_t *p)
{
	int link_type = pcap_datalink(p);
	const char *link_name = pcap_datalink_val_to_name(link_type);

	if (capture_filter(c, p) == -1)
		return -1;
	if (!decode_knows(link_type))
		log_warn("%s: no decoder for link type %d (%s): its packets "
			 "are only counted",
		    c->name, link_type,
		    link_name == NULL ? "unknown" : link_name);
	c->link_type = link_type;
	c->decode = decode_for(link_type);
	c->tick_ns = pcap_get_tstamp_precision(p) == PCAP_TSTAMP_PRECISION_NANO
			 ? 1
			 : 1000;
	c->pcap = p;
	return 0;
}

/* --- the rest --- */

void
capture_close(struct capture *c)
{
	if (c == NULL)
		return;
	if (c->pcap != NULL)
		pcap_close(c->pcap); /* closes the input's stream */
	capture_close_file(c);
	pcap_freecode(&c->program);
	free(c->extra);
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

enum capture_result
capture_read(struct capture *c, uint64_t clock_ns, capture_burst_fn *hand_over,
    void *arg)
{
	c->now_ns = clock_ns;
	c->hand_over = hand_over;
	c->arg = arg;
	return c->input != NULL ? capture_read_file(c) : capture_read_live(c);
}

void
capture_gather(struct capture *c, bool on)
{
	c->counting_only = !on;
}

const char *
capture_error(const struct capture *c)
{
	return c->error;
}

const struct capture_stats *
capture_stats(const struct capture *c)
{
	return &c->stats;
}

uint64_t
capture_ignored(const struct capture_stats *s)
{
	uint64_t sum = s->gathering_off;

	for (int i = DECODE_OK + 1; i < DECODE_STATUSES; i++)
		sum += s->discard[i];
	return sum;
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
	sum->ignored_octets += s->ignored_octets;
	span_cover(&sum->ignored_span, s->ignored_span.first_ns,
	    s->ignored_span.last_ns);
	sum->short_transport += s->short_transport;
	sum->frame_length += s->frame_length;
	sum->above_mtu += s->above_mtu;
	sum->kernel_drops += s->kernel_drops;
	sum->interface_drops += s->interface_drops;
	sum->reopened += s->reopened;
	for (size_t i = 0; i < CAPTURE_ETHERTYPES; i++)
		if (s->ethertype[i].frames != 0)
			count_ethertype(
			    sum, s->ethertype[i].type, s->ethertype[i].frames);
	sum->ethertype_other += s->ethertype_other;
}
