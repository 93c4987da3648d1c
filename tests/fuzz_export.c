/* SPDX-License-Identifier: ISC */
/*
 * fuzz_export.c - any Flow Records through the Exporting Process and back.
 *
 * The input is a choice of version, size, options and fields, then records.
 * What arrives at a socket is read by wire.h, a second reading of the RFCs:
 * every field of every record must have the value that went in, in order, and
 * none may be missing.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <unistd.h>

#include "exporter.h"
#include "extra.h"
#include "fuzz.h"
#include "message.h"
#include "wire.h"

#define RECORDS_MAX 48
#define DUE_MAX ((size_t)2 * RECORDS_MAX)
#define DATAGRAM_MAX 65536
#define NAMES_MAX 192U /* the first 64 may be left out, too */

/* One record that shall arrive; [0] is its own direction, [1] the reverse. */
struct due {
	struct flow_record flow;
	struct flow_half half[2];
	struct half_extra extra[2];
	struct flow_nat nat; /* half 0 of it is its own, too */
	uint64_t flow_id;
	bool biflow;
};

static struct {
	struct exporter_config config;
	struct collector_config collector;
	struct wire wire;
	struct due due[DUE_MAX];
	size_t ndue, arrived;
	uint64_t time_ns;
	int fd;
} world = { .fd = -1 };

/* What shall arrive -------------------------------------------------------- */

static bool
is_icmp(const struct flow_record *r)
{
	return r->protocol == 1 || r->protocol == 58;
}

/* The other direction, by the words of RFC 5103, not by record_reverse(). */
static struct due
turn(struct due d)
{
	struct due t = d;

	memcpy(t.flow.src, d.flow.dst, sizeof(t.flow.src));
	memcpy(t.flow.dst, d.flow.src, sizeof(t.flow.dst));
	if (!is_icmp(&d.flow)) {
		t.flow.src_port = d.flow.dst_port;
		t.flow.dst_port = d.flow.src_port;
	}
	t.half[0] = d.half[1];
	t.half[1] = d.half[0];
	t.extra[0] = d.extra[1];
	t.extra[1] = d.extra[0];
	t.nat.half[0] = d.nat.half[1];
	t.nat.half[1] = d.nat.half[0];
	t.flow.biflow = BIFLOW_RESPONDER;
	t.flow_id += !d.biflow;
	return t;
}

static void
expect(const struct flow_record *r, const struct flow_extra *x)
{
	bool biflow = world.config.fields.biflow;
	struct due d = { .flow = *r,
		.half = { r->fwd, r->rev },
		.extra = { x->half[0], x->half[1] },
		.flow_id = 2 * x->number,
		.biflow = biflow };

	if (r->ip_version == 6 && world.collector.version <= 5)
		return;
	if (r->nat != NULL)
		d.nat = *r->nat;
	d.flow.biflow = BIFLOW_INITIATOR;
	if (r->fwd.packets > 0)
		world.due[world.ndue++] = d;
	if (r->rev.packets > 0 && !(biflow && r->fwd.packets > 0))
		world.due[world.ndue++] = turn(d);
}

/* What a field must say ---------------------------------------------------- */

/* Elements that differ from direction to direction. */
static bool
half_value(const struct due *d, unsigned id, bool reverse, uint64_t *v)
{
	const struct flow_half *h = &d->half[reverse];
	const struct half_extra *x = &d->extra[reverse];
	const struct {
		unsigned id;
		uint64_t value;
	} known[] = { { 1, h->octets }, { 2, h->packets }, { 5, h->tos },
		{ 6, h->tcp_flags }, { 25, x->packet.shortest },
		{ 26, x->packet.longest }, { 52, x->packet.ttl_min },
		{ 53, x->packet.ttl_max }, { 85, x->octets_total },
		{ 86, x->packets_total }, { 184, x->packet.tcp_sequence },
		{ 185, x->packet.tcp_acknowledgement },
		{ 186, x->packet.tcp_window }, { 195, h->tos >> 2 },
		{ 209, x->packet.tcp_options }, { 31, x->packet.flow_label },
		{ 161, h->end_ns / NS_PER_MS - h->start_ns / NS_PER_MS } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].id == id) {
			*v = known[i].value;
			return true;
		}
	return false;
}

/* Elements of the conversation. */
static bool
flow_value(const struct due *d, unsigned id, uint64_t *v)
{
	const struct flow_record *r = &d->flow;
	const struct flow_half *h = &d->half[0];
	bool nat = r->nat != NULL;
	const struct {
		unsigned id;
		uint64_t value;
	} known[] = { { 227, nat ? d->nat.half[0].src_port : r->src_port },
		{ 228, nat ? d->nat.half[0].dst_port : r->dst_port },
		{ 4, r->protocol }, { 7, r->src_port }, { 11, r->dst_port },
		{ 10, h->ingress }, { 14, h->egress }, { 32, r->icmp },
		{ 139, r->icmp }, { 58, r->vlan }, { 59, r->vlan },
		{ 60, r->ip_version }, { 136, r->end_reason },
		{ 239, r->biflow }, { 148, d->flow_id }, { 252, h->ingress },
		{ 253, h->egress }, { 61, h->direction == DIRECTION_OUT } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].id == id) {
			*v = known[i].value;
			return true;
		}
	return false;
}

/* Addresses, of either version, and with which packets leave the box. */
static bool
address_value(const struct due *d, unsigned id, const uint8_t **address,
    unsigned *version)
{
	const struct flow_record *r = &d->flow;
	bool nat = r->nat != NULL;
	const struct {
		unsigned v4, v6;
		const uint8_t *value;
	} known[] = { { 8, 27, r->src }, { 12, 28, r->dst },
		{ 225, 281, nat ? d->nat.half[0].src : r->src },
		{ 226, 282, nat ? d->nat.half[0].dst : r->dst } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].v4 == id || known[i].v6 == id) {
			*address = known[i].value;
			*version = known[i].v4 == id ? 4 : 6;
			return true;
		}
	return false;
}

static uint64_t
low_octets(uint64_t v, size_t len)
{
	return len >= 8 ? v : v & ((UINT64_C(1) << 8 * len) - 1);
}

static void
check_time(const struct due *d, const struct wire_field *f)
{
	const struct flow_half *h = &d->half[f->reverse];
	uint64_t ns = f->is_end ? h->end_ns : h->start_ns;
	uint64_t unit = f->unit_ns;

	/* In 32 bits of seconds, an era of either epoch. */
	require(f->time / unit ==
		(f->wraps_ns == 0 ? ns : ns % f->wraps_ns) / unit);
}

static void
check_field(void *arg, const struct wire_field *f)
{
	const struct due *d = &world.due[world.arrived];
	const uint8_t *address;
	unsigned version;
	uint64_t v;

	(void)arg;
	require(world.arrived < world.ndue);
	if (f->unit_ns != 0)
		check_time(d, f);
	else if (address_value(d, f->id, &address, &version))
		require(d->flow.ip_version == version &&
			memcmp(f->at, address, f->len) == 0);
	else if (half_value(d, f->id, f->reverse, &v) ||
		 (!f->reverse && flow_value(d, f->id, &v)))
		require(f->value == low_octets(v, f->len));
}

static void
record_done(void *arg)
{
	(void)arg;
	require(world.arrived < world.ndue);
	world.arrived++;
}

static void
receive(void)
{
	static uint8_t data[DATAGRAM_MAX];
	const char *broken;
	ssize_t n;

	while ((n = recv(world.fd, data, sizeof(data), MSG_DONTWAIT)) > 0) {
		require((size_t)n <= world.collector.mtu);
		broken = wire_read(&world.wire, data, (size_t)n);
		if (broken == NULL)
			continue;
		(void)fprintf(stderr, "not kept: %s\n", broken);
		abort();
	}
}

/* What the script says ----------------------------------------------------- */

static void
read_half(struct rbuf *s, struct flow_half *h, uint8_t ingress, uint8_t egress)
{
	static const uint64_t packets[] = { 0, 1, 2, 40, 65536, UINT32_MAX,
		UINT64_C(1) << 40, UINT64_MAX >> 8 };
	bool small = world.collector.version <= 5;
	unsigned how = rb_u8(s);
	/* At most 12 days, as far as a boot time stands back. */
	uint64_t ns = (uint64_t)rb_u32(s) * (how & 128 ? 200000 : 1000);

	h->packets = packets[how & (small ? 3 : 7)];
	h->octets = h->packets * 40 + (small ? rb_u16(s) : rb_u32(s));
	h->start_ns = world.time_ns;
	h->end_ns = h->start_ns + ns;
	h->tcp_flags = rb_u16(s) & 0xfff;
	h->tos = rb_u8(s);
	h->ingress = ingress;
	h->egress = egress;
	h->direction = (uint8_t)((ingress ^ egress) % (DIRECTION_OUT + 1));
	if (h->packets == 0)
		*h = (struct flow_half){ 0 };
}

static void
read_extra(struct rbuf *s, struct flow_extra *x)
{
	static uint64_t number;

	memset(x, 0, sizeof(*x));
	x->number = ++number;
	for (int i = 0; i < 2; i++) {
		struct half_extra *h = &x->half[i];

		h->packets_total = h->octets_total = rb_u32(s) * UINT64_C(99);
		h->packet.shortest = rb_u8(s);
		h->packet.longest = h->packet.shortest + rb_u8(s);
		h->packet.ttl_min = rb_u8(s);
		h->packet.ttl_max = rb_u8(s);
		h->packet.tcp_options = h->packets_total;
		h->packet.tcp_sequence = (uint32_t)h->packets_total;
		h->packet.flow_label = (uint32_t)h->packets_total & 0xfffff;
	}
}

static void
read_nat(struct rbuf *s, struct flow_nat *nat)
{
	memset(nat, 0, sizeof(*nat));
	for (int i = 0; i < 2; i++) {
		rb_copy(s, nat->half[i].src, 4);
		rb_copy(s, nat->half[i].dst, 4);
		nat->half[i].src_port = rb_u16(s);
		nat->half[i].dst_port = rb_u16(s);
	}
}

/* Time leaps either way, by up to 49 days, or to another year. */
static void
leap(struct rbuf *s)
{
	static const uint64_t years_s[] = { 0, 1700000000, 2147483640,
		4294967290, 8000000000 };
	unsigned how = rb_u8(s);
	uint64_t ns =
	    (uint64_t)rb_u16(s) * (how & 64 ? NS_PER_MS : 65 * NS_PER_S);

	if (how < 5)
		world.time_ns = years_s[how] * NS_PER_S;
	if (how & 128 && ns < world.time_ns)
		world.time_ns -= ns;
	else
		world.time_ns += ns;
}

static void
add_record(struct exporter *e, struct rbuf *s)
{
	static const uint8_t protocols[] = { 6, 17, 1, 58, 132, 0, 255, 47 };
	struct flow_record r = { .ip_version = 4 };
	struct flow_extra x;
	struct flow_nat nat;
	unsigned how = rb_u8(s);
	uint8_t ingress, egress;

	if (how >= 224)
		leap(s);
	rb_copy(s, r.src, 4);
	rb_copy(s, r.dst, 4);
	r.protocol = protocols[how & 7];
	r.src_port = is_icmp(&r) ? 0 : rb_u16(s);
	r.icmp = r.dst_port = rb_u16(s);
	if (!is_icmp(&r))
		r.icmp = 0;
	if (how & 8)
		r.ip_version = 6;
	r.vlan = how & 16 ? rb_u16(s) & 0xfff : 0;
	ingress = rb_u8(s);
	egress = rb_u8(s);
	r.end_reason = (uint8_t)(1 + how % (FLOW_ENDS - 1));
	read_half(s, &r.fwd, ingress, egress);
	read_half(s, &r.rev, egress, ingress);
	read_extra(s, &x);
	if (how & 32) {
		read_nat(s, &nat);
		r.nat = &nat;
	}
	if (r.fwd.packets == 0 && r.rev.packets == 0)
		return;
	r.ended_ns = r.fwd.end_ns > r.rev.end_ns ? r.fwd.end_ns : r.rev.end_ns;
	r.extra = world.config.fields.needs & NEED_CACHE ? &x : NULL;
	expect(&r, &x);
	exporter_add(e, &r);
}

/*
 * Choose a name by its number, or leave it out, as field_choose() would: what
 * a name stands for is asked once, for it compares with all of them.
 */
static void
choose_name(struct field_choice *choice, unsigned n, bool on)
{
	static struct field_choice named[NAMES_MAX];
	static unsigned known;
	static size_t row;
	const char *name;

	for (; known < NAMES_MAX && (name = field_name(&row)) != NULL; known++)
		field_choose(&named[known], name, true);
	for (size_t i = 0; i < FIELD_WORDS; i++) {
		uint64_t rows = named[n].on[i];

		choice->on[i] = (choice->on[i] & ~rows) | (on ? rows : 0);
		choice->off[i] = (choice->off[i] & ~rows) | (on ? 0 : rows);
	}
}

/* Choose as a command line may; returns whether it would be taken. */
static bool
choose(struct rbuf *s)
{
	static const uint32_t versions[] = { 1, 5, 9, 10, 10 };
	unsigned how = rb_u8(s), size = rb_u8(s), fields = rb_u8(s);
	struct field_choice *choice = &world.config.fields;
	const struct dialect *d;
	size_t least;

	world.config.replay = true;
	memset(choice, 0, sizeof(*choice));
	world.collector.version = versions[how % 5];
	d = dialect_for(world.collector.version);
	choice->biflow = how % 5 == 4;
	if (world.collector.version == 10)
		choice->unit = (enum time_unit)(how / 5 % 4);
	choice->mac = how & 32;
	choice->direction = how & 64;
	choice->nat = how & 128;
	world.collector.mtu = 256 + size * 30;
	world.collector.options = d->has_sets ? fields & 15 : 0;
	for (unsigned n = fields >> 5; d->has_sets && n > 0; n--) {
		unsigned which = rb_u8(s);

		choose_name(choice, which % NAMES_MAX, which >= NAMES_MAX);
	}
	choice->needs = field_needs(choice);
	if (!field_any(choice))
		return true;
	least = message_least(d, choice);
	return least != 0 && least <= world.collector.mtu &&
	       field_misfit(choice, d->bit) == NULL;
}

static void
tell(struct exporter *e)
{
	static const struct exporter_interface interfaces[] = {
		{ 1, "eth0", "uplink" }, { 7, "vlan.7", "" }
	};
	const struct metering_counts counts = { .observed_packets = 9,
		.ignored_packets = 1,
		.ignored_span = { NS_PER_S, 2 * NS_PER_S } };

	require(exporter_interfaces(e, interfaces, 2) == 0);
	exporter_metering(e, &counts);
}

static void
listen_once(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);

	if (world.fd != -1)
		return;
	world.fd = socket(AF_INET, SOCK_DGRAM, 0);
	require(world.fd != -1);
	require(bind(world.fd, (struct sockaddr *)&in, sizeof(in)) == 0);
	require(getsockname(world.fd, (struct sockaddr *)&in, &len) == 0);
	world.collector = endpoint_defaults;
	world.collector.queue_octets = 65536;
	(void)strlcpy(world.collector.address.host, "127.0.0.1",
	    sizeof(world.collector.address.host));
	(void)snprintf(world.collector.address.port,
	    sizeof(world.collector.address.port), "%u", ntohs(in.sin_port));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rbuf script = rb_init(data, size);
	struct exporter *e;

	listen_once();
	if (!choose(&script))
		return 0;
	world.ndue = world.arrived = 0;
	world.time_ns = UINT64_C(1700000000) * NS_PER_S;
	world.wire.field = check_field;
	world.wire.record = record_done;
	world.wire.sequence = 0;
	e = exporter_new(&world.config);
	require(e != NULL && exporter_add_collector(e, &world.collector) == 0);
	tell(e);
	for (int n = 0; n < RECORDS_MAX && rb_left(&script) > 0; n++) {
		add_record(e, &script);
		if (n % 8 == 0)
			receive();
	}
	exporter_finish(e);
	receive();
	require(world.arrived == world.ndue);
	exporter_end(e);
	exporter_free(e);
	wire_forget(&world.wire);
	return 0;
}
