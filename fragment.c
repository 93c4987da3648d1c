/* SPDX-License-Identifier: ISC */
/*
 * fragment.c - the ports of first fragments, for those that follow.
 *
 * Entries are a ring that is overwritten oldest first; chains of indexes over
 * a keyed hash find them.  The seed decides only how chains are shared, never
 * an answer.  It refuses to reassemble, and to hold back a later fragment that
 * overtook its first.
 */
#include "fragment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "flowkey.h"

#define ENTRIES_MAX (UINT32_C(1) << 30)
#define LIFETIME_NS (FRAGMENT_LIFETIME_MS * UINT64_C(1000000))

struct entry {
	struct flow_key key; /* directional: endpoint 0 is the source */
	uint64_t seen_ns;    /* clock_ns of the first fragment */
	uint32_t next;       /* in its chain; 0 ends it */
	uint16_t src_port, dst_port;
	uint8_t protocol;
};

struct fragment_table {
	struct flow_hash_seed seed;
	struct entry *entry; /* [1] to [entries] */
	uint32_t *bucket;    /* first entry of each chain; 0 = empty */
	uint32_t entries;
	uint32_t bucket_mask;
	uint32_t used;   /* entries that are in a chain: [1] to [used] */
	uint32_t newest; /* where the ring was written last */
};

/* A power of two, at least as many as there are entries. */
static uint32_t
buckets_for(uint32_t entries)
{
	uint32_t buckets = 1;

	while (buckets < entries)
		buckets *= 2;
	return buckets;
}

size_t
fragment_memory(uint32_t entries)
{
	return sizeof(struct fragment_table) +
	       ((size_t)entries + 1) * sizeof(struct entry) +
	       buckets_for(entries) * sizeof(uint32_t);
}

struct fragment_table *
fragment_new(uint32_t entries)
{
	struct fragment_table *t;
	uint32_t buckets;

	if (entries == 0 || entries > ENTRIES_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	buckets = buckets_for(entries);
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->entry = calloc((size_t)entries + 1, sizeof(*t->entry));
	t->bucket = calloc(buckets, sizeof(*t->bucket));
	if (t->entry == NULL || t->bucket == NULL) {
		fragment_free(t);
		errno = ENOMEM;
		return NULL;
	}
	t->entries = entries;
	t->bucket_mask = buckets - 1;
	flow_hash_seed(&t->seed);
	return t;
}

void
fragment_free(struct fragment_table *t)
{
	if (t == NULL)
		return;
	free(t->entry);
	free(t->bucket);
	free(t);
}

/*
 * What all fragments of a datagram share: by RFC 791 s3.2 addresses, protocol
 * and identification; by RFC 8200 s4.5 not the protocol, since a later
 * fragment may name an extension header instead.
 */
static struct flow_key
datagram_key(const struct packet *p)
{
	struct flow_key key = { .ip_version = p->ip_version };

	memcpy(key.addr[0], p->src, sizeof(p->src));
	memcpy(key.addr[1], p->dst, sizeof(p->dst));
	key.port[0] = (uint16_t)(p->fragment_id >> 16);
	key.port[1] = (uint16_t)p->fragment_id;
	if (p->ip_version == 4)
		key.protocol = p->protocol;
	return key;
}

static uint32_t *
bucket_of(struct fragment_table *t, const struct flow_key *key)
{
	uint64_t hash = flow_hash(&t->seed, key, NULL);

	return &t->bucket[(hash >> 32) & t->bucket_mask];
}

/* The entry of a chain that has this key, or NULL. */
static struct entry *
find(struct fragment_table *t, uint32_t i, const struct flow_key *key)
{
	for (; i != 0; i = t->entry[i].next)
		if (memcmp(&t->entry[i].key, key, sizeof(*key)) == 0)
			return &t->entry[i];
	return NULL;
}

/* Take entry i, which is in use, out of its chain. */
static void
forget(struct fragment_table *t, uint32_t i)
{
	uint32_t *link = bucket_of(t, &t->entry[i].key);

	while (*link != i)
		link = &t->entry[*link].next;
	*link = t->entry[i].next;
}

/* The next entry of the ring, linked under the key. */
static struct entry *
add(struct fragment_table *t, const struct flow_key *key)
{
	uint32_t i = t->newest % t->entries + 1;
	uint32_t *bucket = bucket_of(t, key);

	if (t->used == t->entries)
		forget(t, i);
	else
		t->used++;
	t->newest = i;
	t->entry[i].key = *key;
	t->entry[i].next = *bucket;
	*bucket = i;
	return &t->entry[i];
}

static void
remember(struct entry *e, const struct packet *p)
{
	e->seen_ns = p->clock_ns;
	e->src_port = p->src_port;
	e->dst_port = p->dst_port;
	e->protocol = p->protocol;
}

bool
fragment_join(struct fragment_table *t, struct packet *p)
{
	struct flow_key key = datagram_key(p);
	struct entry *e = find(t, *bucket_of(t, &key), &key);

	if (p->fragment == FRAGMENT_FIRST) {
		remember(e == NULL ? add(t, &key) : e, p);
		return true;
	}
	if (e == NULL || p->clock_ns > e->seen_ns + LIFETIME_NS)
		return false;
	p->src_port = e->src_port;
	p->dst_port = e->dst_port;
	p->protocol = e->protocol;
	return true;
}
