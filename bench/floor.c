/* SPDX-License-Identifier: ISC */
/*
 * floor.c - what reading a capture file must cost: yardsticks for the bench.
 *
 *	floor pcap FILE          libpcap with an empty callback
 *	floor walk FILE          walk the records of the mapped file
 *	floor parse FILE         ... and read addresses, ports and flags
 *	floor table FILE FLOWS   ... and count in an open-addressing table
 *	floor huge FILE FLOWS    ... that asks for huge pages
 *
 * The table is the least a meter can do: no timeouts, no expiry, no export,
 * no hostile traffic, no full cache, and one direction is one entry.  It reads
 * files in the host's byte order and Ethernet only, and must not be taken for
 * a meter.  Prints "packets N octets N flows N check N cpu_ns N".
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_HEADER_LEN 24
#define RECORD_HEADER_LEN 16
#define BURST 32
#define HUGE_LEN (UINT64_C(2) << 20)

/* 40 octets, compared and hashed as words. */
struct key {
	uint64_t word[5]; /* addresses; ports, protocol, version, VLAN */
};

/* One cache line. */
struct entry {
	struct key key;
	uint64_t octets;
	uint32_t packets;
	uint32_t first_ms, last_ms;
	uint32_t flags;
};

struct seen {
	struct key key;
	uint64_t hash;
	uint32_t octets, ms;
	uint32_t flags;
};

struct file {
	const uint8_t *p, *end;
};

struct table {
	struct entry *entry;
	uint64_t mask;
	uint64_t flows;
};

struct result {
	uint64_t packets, octets, flows, check;
};

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(EXIT_FAILURE);
}

static uint64_t
cpu_ns(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) *
		   1000000000 +
	       (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1000;
}

static inline uint32_t
load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t
net16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static struct file
map_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *p;

	if (fd == -1 || fstat(fd, &st) == -1)
		die(path);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ,
	    MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		die(path);
	close(fd);
	return (struct file){ p + FILE_HEADER_LEN, p + st.st_size };
}

/* The next record; NULL at the end.  Frame and lengths come with it. */
static inline const uint8_t *
next_record(struct file *f, uint32_t *caplen, uint32_t *wirelen, uint32_t *ms)
{
	const uint8_t *p = f->p;

	if (f->end - p < RECORD_HEADER_LEN)
		return NULL;
	*caplen = load32(p + 8);
	*wirelen = load32(p + 12);
	*ms = load32(p) * 1000 + load32(p + 4) / 1000;
	p += RECORD_HEADER_LEN;
	if (*caplen > (size_t)(f->end - p))
		return NULL;
	f->p = p + *caplen;
	return p;
}

/* Addresses, ports and flags of a packet; false if it is no IP. */
static inline bool
parse(const uint8_t *p, uint32_t caplen, struct seen *s)
{
	const uint8_t *end = p + caplen, *transport;
	uint8_t protocol, version;
	uint16_t type, vlan = 0;

	if (caplen < 38)
		return false;
	type = net16(p + 12);
	p += 14;
	if (type == 0x8100) {
		vlan = net16(p) & 0xfff;
		type = net16(p + 2);
		p += 4;
	}
	memset(&s->key, 0, sizeof(s->key));
	if (type == 0x0800 && p[0] >> 4 == 4) {
		memcpy(&s->key.word[0], p + 12, 8);
		protocol = p[9];
		version = 4;
		s->octets = net16(p + 2);
		transport = p + (size_t)(p[0] & 15) * 4;
	} else if (type == 0x86dd && end - p >= 40) {
		memcpy(&s->key.word[0], p + 8, 32);
		protocol = p[6];
		version = 6;
		s->octets = net16(p + 4) + 40U;
		transport = p + 40;
	} else {
		return false;
	}
	s->flags = 0;
	if (end - transport >= 4)
		s->key.word[4] = load32(transport);
	if (protocol == 6 && end - transport >= 14)
		s->flags = net16(transport + 12) & 0xfff;
	s->key.word[4] |= (uint64_t)protocol << 32 | (uint64_t)version << 40 |
			  (uint64_t)vlan << 48;
	return true;
}

static inline uint64_t
fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* A multiply-fold with secret words, as a meter would need it. */
static inline uint64_t
hash(const uint64_t seed[4], const struct key *k)
{
	uint64_t h = fold(k->word[0] ^ seed[0], k->word[4] ^ seed[1]);

	if ((k->word[4] >> 40 & 0xff) == 6) {
		h ^= fold(k->word[1] ^ seed[2], k->word[2] ^ seed[3]);
		h = fold(h ^ seed[0], k->word[3] ^ seed[2]);
	}
	return h;
}

static inline bool
same(const struct key *a, const struct key *b)
{
	uint64_t d = 0;

	for (int i = 0; i < 5; i++)
		d |= a->word[i] ^ b->word[i];
	return d == 0;
}

static struct table
table_new(uint64_t flows, bool huge)
{
	struct table t = { .mask = 1 };
	uint64_t len;
	uint8_t *p;

	while (t.mask < 2 * flows)
		t.mask *= 2;
	len = t.mask * sizeof(struct entry);
	t.mask--;
	p = mmap(NULL, len + HUGE_LEN, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("table");
	p += (HUGE_LEN - (uintptr_t)p % HUGE_LEN) % HUGE_LEN;
	if (huge)
		madvise(p, len, MADV_HUGEPAGE);
	t.entry = (void *)p;
	return t;
}

static inline void
count(struct table *t, const struct seen *s)
{
	uint64_t at = s->hash & t->mask;
	struct entry *e = &t->entry[at];

	while (e->packets != 0 && !same(&e->key, &s->key)) {
		at = (at + 1) & t->mask;
		e = &t->entry[at];
	}
	if (e->packets == 0) {
		e->key = s->key;
		e->first_ms = s->ms;
		t->flows++;
	}
	e->packets++;
	e->octets += s->octets;
	e->flags |= s->flags;
	e->last_ms = s->ms;
}

static struct result
run_table(const char *path, uint64_t flows, bool huge)
{
	static const uint64_t seed[4] = { UINT64_C(0xa0761d6478bd642f),
		UINT64_C(0xe7037ed1a0b428db), UINT64_C(0x8ebc6af09c88c6e3),
		UINT64_C(0x589965cc75374cc3) };
	struct table t = table_new(flows, huge);
	struct file f = map_file(path);
	struct result r = { 0 };
	struct seen seen[BURST];
	uint32_t caplen, wirelen;
	size_t n;

	do {
		for (n = 0; n < BURST;) {
			struct seen *s = &seen[n];
			const uint8_t *p =
			    next_record(&f, &caplen, &wirelen, &s->ms);

			if (p == NULL)
				break;
			if (!parse(p, caplen, s))
				continue;
			s->hash = hash(seed, &s->key);
			__builtin_prefetch(&t.entry[s->hash & t.mask], 1);
			n++;
		}
		for (size_t i = 0; i < n; i++) {
			count(&t, &seen[i]);
			r.octets += seen[i].octets;
		}
		r.packets += n;
	} while (n == BURST);
	r.flows = t.flows;
	return r;
}

static struct result
run_parse(const char *path)
{
	struct file f = map_file(path);
	struct result r = { 0 };
	uint32_t caplen, wirelen, ms;
	const uint8_t *p;
	struct seen s;

	while ((p = next_record(&f, &caplen, &wirelen, &ms)) != NULL) {
		if (!parse(p, caplen, &s))
			continue;
		r.packets++;
		r.octets += s.octets;
		r.check += s.key.word[0] ^ s.key.word[4] ^ s.flags;
	}
	return r;
}

static struct result
run_walk(const char *path)
{
	struct file f = map_file(path);
	struct result r = { 0 };
	uint32_t caplen, wirelen, ms;

	while (next_record(&f, &caplen, &wirelen, &ms) != NULL) {
		r.packets++;
		r.octets += wirelen;
		r.check += ms;
	}
	return r;
}

static void
on_frame(u_char *arg, const struct pcap_pkthdr *h, const u_char *frame)
{
	struct result *r = (void *)arg;

	(void)frame;
	r->packets++;
	r->octets += h->len;
}

static struct result
run_pcap(const char *path)
{
	char why[PCAP_ERRBUF_SIZE];
	struct result r = { 0 };
	pcap_t *p = pcap_open_offline(path, why);

	if (p == NULL) {
		fprintf(stderr, "%s\n", why);
		exit(EXIT_FAILURE);
	}
	pcap_loop(p, -1, on_frame, (void *)&r);
	pcap_close(p);
	return r;
}

static struct result
run(const char *what, const char *path, uint64_t flows)
{
	if (strcmp(what, "pcap") == 0)
		return run_pcap(path);
	if (strcmp(what, "walk") == 0)
		return run_walk(path);
	if (strcmp(what, "parse") == 0)
		return run_parse(path);
	if (strcmp(what, "table") == 0 && flows > 0)
		return run_table(path, flows, false);
	if (strcmp(what, "huge") == 0 && flows > 0)
		return run_table(path, flows, true);
	fprintf(stderr, "usage: floor pcap|walk|parse FILE\n"
			"       floor table|huge FILE FLOWS\n");
	exit(2);
}

int
main(int argc, char **argv)
{
	uint64_t before = cpu_ns();
	struct result r = run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "",
	    argc > 3 ? strtoumax(argv[3], NULL, 10) : 0);

	printf("packets %" PRIu64 " octets %" PRIu64 " flows %" PRIu64
	       " check %" PRIu64 " cpu_ns %" PRIu64 "\n",
	    r.packets, r.octets, r.flows, r.check, cpu_ns() - before);
	return EXIT_SUCCESS;
}
