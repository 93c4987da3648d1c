/* SPDX-License-Identifier: ISC */
/*
 * nat.c - the connections that this box translates; see nat.h.
 *
 * Each is in one hash table twice, by its original and by its translated
 * addresses, in the form in which both directions are the same (flowkey.h).
 * Who chooses addresses does not choose buckets, and each walk along one has
 * a limit.  Protocols without ports have one entry for all connections between
 * the same addresses.
 */
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "flowkey.h"
#include "nat.h"

#define NONE UINT32_MAX
#define FOREVER UINT64_MAX
#define LOOKS_MAX 64   /* along one bucket */
#define FORGET_MAX 256 /* at a time */
/* Connection tracking and capture do not tell the same time of a packet. */
#define SLACK_NS (2 * NS_PER_S)

enum { ORIGINAL, TRANSLATED, SIDES };

/* One side of an entry, in the bucket of its key. */
struct side {
	struct flow_key key;
	uint32_t next, prev; /* in the bucket: entry * SIDES + side, or NONE */
	bool down;           /* the originator is endpoint 1 */
};

struct entry {
	struct side side[SIDES];
	uint64_t begun_ns; /* ns since 1970 UTC; 0 = not known */
	uint64_t cut_ns;   /* from when on its addresses are another's */
	uint64_t ended_ns; /* monotonic, if live is 0 */
	uint32_t live;     /* connections that last; without ports several */
	uint32_t older, newer;
};

/* Entries in the order in which they were put there. */
struct line {
	uint32_t oldest, newest;
};

struct nat {
	struct entry *entry;
	uint32_t *bucket;
	uint32_t nbuckets; /* a power of 2 */
	uint32_t max, used, fresh;
	uint32_t free; /* linked by `older` */
	struct line live, ended;
	struct flow_hash_seed seed;
	struct flow_nat joined; /* of the last record */
	uint64_t begun, evicted;
};

static_assert(sizeof(struct nat_end) == 36, "ends of connections compare");

/* Making and freeing ------------------------------------------------------ */

/* A power of two: the buckets of so many connections. */
static uint32_t
buckets_for(uint32_t max)
{
	uint32_t n = 1;

	while (n < SIDES * max)
		n *= 2;
	return n;
}

size_t
nat_memory(uint32_t max)
{
	return sizeof(struct nat) + max * sizeof(struct entry) +
	       buckets_for(max) * sizeof(uint32_t);
}

struct nat *
nat_new(uint32_t max)
{
	struct nat *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	n->max = max;
	n->nbuckets = buckets_for(max);
	n->entry = calloc(max, sizeof(n->entry[0]));
	n->bucket = malloc(n->nbuckets * sizeof(n->bucket[0]));
	if (n->entry == NULL || n->bucket == NULL) {
		nat_free(n);
		return NULL;
	}
	for (uint32_t i = 0; i < n->nbuckets; i++)
		n->bucket[i] = NONE;
	n->free = NONE;
	n->live = n->ended = (struct line){ NONE, NONE };
	flow_hash_seed(&n->seed);
	return n;
}

void
nat_free(struct nat *n)
{
	if (n == NULL)
		return;
	free(n->entry);
	free(n->bucket);
	free(n);
}

/* Keys -------------------------------------------------------------------- */

static bool
has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP ||
	       protocol == IPPROTO_UDPLITE;
}

/* Whether more than addresses tells connections of a protocol apart. */
static bool
is_told_apart(uint8_t protocol)
{
	return protocol_is_icmp(protocol) || has_ports(protocol);
}

/* The key of both directions between two ends; whether src is endpoint 1. */
static bool
make_key(struct flow_key *key, const struct nat_end *end, uint8_t protocol,
    uint8_t ip_version)
{
	struct packet p = { .protocol = protocol, .ip_version = ip_version };

	memcpy(p.src, end->src, sizeof(p.src));
	memcpy(p.dst, end->dst, sizeof(p.dst));
	if (is_told_apart(protocol))
		p.src_port = end->src_port;
	if (has_ports(protocol))
		p.dst_port = end->dst_port;
	return flow_key_make(key, NULL, KEY_FULL, &p);
}

static void
make_sides(struct side side[SIDES], const struct nat_connection *c)
{
	side[ORIGINAL].down = make_key(
	    &side[ORIGINAL].key, &c->original, c->protocol, c->ip_version);
	side[TRANSLATED].down = make_key(
	    &side[TRANSLATED].key, &c->translated, c->protocol, c->ip_version);
}

/* The ends of one side, as the originator's packets have them. */
static struct nat_end
end_of(const struct side *s)
{
	const struct flow_key *key = &s->key;
	bool turned = s->down && !protocol_is_icmp(key->protocol);
	struct nat_end end = { .src_port = key->port[turned],
		.dst_port = key->port[!turned] };

	memcpy(end.src, key->addr[s->down], sizeof(end.src));
	memcpy(end.dst, key->addr[!s->down], sizeof(end.dst));
	return end;
}

/* The ends as replies have them; an identifier is the same both ways. */
static struct nat_end
turned_round(const struct nat_end *end, uint8_t protocol)
{
	bool swap = !protocol_is_icmp(protocol);
	struct nat_end turned = { .src_port =
				      swap ? end->dst_port : end->src_port,
		.dst_port = swap ? end->src_port : end->dst_port };

	memcpy(turned.src, end->dst, sizeof(turned.src));
	memcpy(turned.dst, end->src, sizeof(turned.dst));
	return turned;
}

/* Buckets and lines ------------------------------------------------------- */

static uint32_t *
bucket_of(const struct nat *n, const struct flow_key *key)
{
	return &n->bucket[flow_hash(&n->seed, key, NULL) & (n->nbuckets - 1)];
}

static struct side *
side_at(const struct nat *n, uint32_t at)
{
	return &n->entry[at / SIDES].side[at % SIDES];
}

/* What is newer stands in front. */
static void
bucket_add(struct nat *n, uint32_t at)
{
	struct side *s = side_at(n, at);
	uint32_t *bucket = bucket_of(n, &s->key);

	s->prev = NONE;
	s->next = *bucket;
	if (s->next != NONE)
		side_at(n, s->next)->prev = at;
	*bucket = at;
}

static void
bucket_remove(struct nat *n, uint32_t at)
{
	const struct side *s = side_at(n, at);

	if (s->next != NONE)
		side_at(n, s->next)->prev = s->prev;
	if (s->prev != NONE)
		side_at(n, s->prev)->next = s->next;
	else
		*bucket_of(n, &s->key) = s->next;
}

static void
line_add(struct nat *n, struct line *line, uint32_t i)
{
	struct entry *e = &n->entry[i];

	e->older = line->newest;
	e->newer = NONE;
	if (line->newest != NONE)
		n->entry[line->newest].newer = i;
	else
		line->oldest = i;
	line->newest = i;
}

static void
line_remove(struct nat *n, struct line *line, uint32_t i)
{
	const struct entry *e = &n->entry[i];

	if (e->newer != NONE)
		n->entry[e->newer].older = e->older;
	else
		line->newest = e->older;
	if (e->older != NONE)
		n->entry[e->older].newer = e->newer;
	else
		line->oldest = e->newer;
}

/* Note that an entry was used just now. */
static void
touch(struct nat *n, uint32_t i)
{
	if (n->entry[i].live == 0)
		return;
	line_remove(n, &n->live, i);
	line_add(n, &n->live, i);
}

/* Entries ----------------------------------------------------------------- */

static void
entry_remove(struct nat *n, uint32_t i)
{
	struct entry *e = &n->entry[i];

	for (uint32_t side = 0; side < SIDES; side++)
		bucket_remove(n, i * SIDES + side);
	line_remove(n, e->live > 0 ? &n->live : &n->ended, i);
	e->older = n->free;
	n->free = i;
	n->used--;
}

/* Take a free entry, or make room for one. */
static uint32_t
entry_take(struct nat *n)
{
	uint32_t i = n->free;

	if (i == NONE && n->fresh < n->max) {
		n->used++;
		return n->fresh++;
	}
	if (i == NONE && n->ended.oldest == NONE)
		n->evicted++;
	if (i == NONE)
		entry_remove(n,
		    n->ended.oldest != NONE ? n->ended.oldest : n->live.oldest);
	i = n->free;
	n->free = n->entry[i].older;
	n->used++;
	return i;
}

/* The entry of these two sides, or NONE. */
static uint32_t
entry_find(const struct nat *n, const struct side side[SIDES])
{
	uint32_t at = *bucket_of(n, &side[ORIGINAL].key);

	for (int looks = 0; at != NONE && looks < LOOKS_MAX; looks++) {
		const struct side *own = n->entry[at / SIDES].side;

		if (at % SIDES == ORIGINAL &&
		    flow_key_equal(&own[ORIGINAL].key, &side[ORIGINAL].key) &&
		    flow_key_equal(
			&own[TRANSLATED].key, &side[TRANSLATED].key) &&
		    own[ORIGINAL].down == side[ORIGINAL].down)
			return at / SIDES;
		at = own[at % SIDES].next;
	}
	return NONE;
}

/* Connections ------------------------------------------------------------- */

bool
nat_translates(const struct nat_connection *c)
{
	return memcmp(&c->original, &c->translated, sizeof(c->original)) != 0;
}

/* Another connection has these addresses from now on, as they are. */
static void
cut(struct nat *n, const struct flow_key *key, uint64_t now_ns)
{
	uint32_t at = *bucket_of(n, key);

	for (int looks = 0; at != NONE && looks < LOOKS_MAX; looks++) {
		struct entry *e = &n->entry[at / SIDES];
		const struct side *s = &e->side[at % SIDES];

		if (flow_key_equal(&s->key, key) && e->cut_ns == FOREVER)
			e->cut_ns = now_ns;
		at = s->next;
	}
}

static uint32_t
entry_add(struct nat *n, const struct side side[SIDES], uint64_t now_ns)
{
	uint32_t i = entry_take(n);
	struct entry *e = &n->entry[i];

	memcpy(e->side, side, sizeof(e->side));
	e->begun_ns = now_ns;
	e->live = 0;
	for (uint32_t s = 0; s < SIDES; s++)
		bucket_add(n, i * SIDES + s);
	line_add(n, &n->ended, i);
	return i;
}

/* Begin a connection; or only go on, if it `lasts` and is known. */
static void
begin(
    struct nat *n, const struct nat_connection *c, uint64_t now_ns, bool lasts)
{
	struct side side[SIDES];
	struct entry *e;
	uint32_t i;

	make_sides(side, c);
	if (flow_key_equal(&side[ORIGINAL].key, &side[TRANSLATED].key)) {
		if (!lasts && is_told_apart(c->protocol))
			cut(n, &side[ORIGINAL].key, now_ns);
		return;
	}
	i = entry_find(n, side);
	if (i == NONE)
		i = entry_add(n, side, now_ns);
	e = &n->entry[i];
	e->cut_ns = FOREVER;
	if (e->live == 0) {
		line_remove(n, &n->ended, i);
		line_add(n, &n->live, i);
		n->begun++;
		e->live = 1;
		return;
	}
	if (!lasts && !is_told_apart(c->protocol))
		e->live++;
	touch(n, i);
}

void
nat_begin(struct nat *n, const struct nat_connection *c, uint64_t now_ns)
{
	begin(n, c, now_ns, false);
}

void
nat_last(struct nat *n, const struct nat_connection *c, uint64_t now_ns)
{
	begin(n, c, now_ns, true);
}

void
nat_end(struct nat *n, const struct nat_connection *c, uint64_t mono_ns)
{
	struct side side[SIDES];
	struct entry *e;
	uint32_t i;

	make_sides(side, c);
	i = entry_find(n, side);
	if (i == NONE)
		return;
	e = &n->entry[i];
	if (e->live == 0 || --e->live > 0)
		return;
	e->ended_ns = mono_ns;
	line_remove(n, &n->live, i);
	line_add(n, &n->ended, i);
}

void
nat_forget(struct nat *n, uint64_t mono_ns, uint64_t keep_ns)
{
	for (int i = 0; i < FORGET_MAX && n->ended.oldest != NONE; i++) {
		uint64_t ended_ns = n->entry[n->ended.oldest].ended_ns;

		if (mono_ns < ended_ns || mono_ns - ended_ns < keep_ns)
			return;
		entry_remove(n, n->ended.oldest);
	}
}

void
nat_stats(const struct nat *n, struct nat_stats *s)
{
	*s = (struct nat_stats){ .connections = n->used,
		.connections_max = n->max,
		.begun = n->begun,
		.evicted = n->evicted };
}

/* Records ----------------------------------------------------------------- */

/* From the first to the last packet of both directions. */
static struct time_span
span_of(const struct flow_record *r)
{
	struct time_span span = { 0, 0 };

	if (r->fwd.packets > 0)
		span_cover(&span, r->fwd.start_ns, r->fwd.end_ns);
	if (r->rev.packets > 0)
		span_cover(&span, r->rev.start_ns, r->rev.end_ns);
	return span;
}

struct match {
	uint32_t at;  /* entry * SIDES + side, or NONE */
	bool several; /* without ports: others have these addresses, too */
};

/*
 * The newest connection with these addresses that had begun when the record
 * ended; or the first after, since clocks are set.
 */
static struct match
match(const struct nat *n, const struct flow_key *key,
    const struct time_span *span)
{
	struct match m = { NONE, false };
	uint32_t at = *bucket_of(n, key);
	bool begun = false;

	for (int looks = 0; at != NONE && looks < LOOKS_MAX; looks++) {
		const struct entry *e = &n->entry[at / SIDES];
		const struct side *s = &e->side[at % SIDES];

		if (flow_key_equal(&s->key, key) &&
		    e->cut_ns >= span->first_ns) {
			m.several = m.at != NONE;
			if (!begun)
				m.at = at;
			begun =
			    begun || e->begun_ns <= span->last_ns + SLACK_NS;
		}
		at = s->next;
	}
	m.several = m.several && !is_told_apart(key->protocol);
	return m;
}

/* Give a record whose source is the originator, or not, the original ends. */
static void
rewrite(struct flow_record *r, const struct nat_end *original, bool reply)
{
	struct nat_end end =
	    reply ? turned_round(original, r->protocol) : *original;

	memcpy(r->src, end.src, sizeof(r->src));
	memcpy(r->dst, end.dst, sizeof(r->dst));
	if (is_told_apart(r->protocol))
		r->src_port = end.src_port;
	if (has_ports(r->protocol))
		r->dst_port = end.dst_port;
}

/* How packets of one direction of the record leave the box. */
static void
set_half(struct nat *n, const struct flow_record *r, unsigned half,
    const struct nat_end *end)
{
	memcpy(n->joined.half[half].src, end->src, sizeof(end->src));
	memcpy(n->joined.half[half].dst, end->dst, sizeof(end->dst));
	n->joined.half[half].src_port =
	    is_told_apart(r->protocol) ? end->src_port : r->src_port;
	/* Type and code of ICMP stand there and are not translated. */
	n->joined.half[half].dst_port =
	    has_ports(r->protocol) ? end->dst_port : r->dst_port;
}

/* Make it a record of the original addresses, and tell the others. */
static void
join(struct nat *n, struct flow_record *r, const struct side side[SIDES],
    bool reply)
{
	struct nat_end original = end_of(&side[ORIGINAL]);
	struct nat_end translated = end_of(&side[TRANSLATED]);
	struct nat_end back = turned_round(&original, r->protocol);

	rewrite(r, &original, reply);
	set_half(n, r, r->turned != reply, &translated);
	set_half(n, r, r->turned == reply, &back);
	r->nat = &n->joined;
}

bool
nat_join(
    struct nat *n, struct flow_record *r, nat_captured_fn *captured, void *arg)
{
	struct nat_end end = { .src_port = r->src_port,
		.dst_port = r->dst_port };
	const struct time_span span = span_of(r);
	const struct side *side;
	struct flow_key key;
	struct match m;
	bool down;

	/* Messages about other packets are of no connection. */
	if (protocol_is_icmp(r->protocol) &&
	    !icmp_has_identifier(r->protocol, r->icmp >> 8))
		return false;
	memcpy(end.src, r->src, sizeof(end.src));
	memcpy(end.dst, r->dst, sizeof(end.dst));
	down = make_key(&key, &end, r->protocol, r->ip_version);
	m = match(n, &key, &span);
	if (m.at == NONE)
		return false;
	touch(n, m.at / SIDES);
	side = n->entry[m.at / SIDES].side;
	if (m.at % SIDES == TRANSLATED) {
		end = end_of(&side[ORIGINAL]);
		if (captured(end.src, r->ip_version, arg))
			return true;
	}
	if (!m.several)
		join(n, r, side, down != side[m.at % SIDES].down);
	return false;
}
