/* SPDX-License-Identifier: ISC */
/*
 * picture.c - what happened between two pictures of the largest flows; see
 * picture.h.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"
#include "values.h"

#define FLOWS_MAX 65536 /* more than a daemon sends */
#define COUNTS_MAX (UINT64_MAX / 4)

/* Octets and packets of either direction. */
struct tally {
	uint64_t octets[2], packets[2];
};

/* What tells flows apart; zeroes between the members. */
struct key {
	char protocol[8];
	uint8_t address[2][16];
	uint16_t port[2];
	uint64_t version, start_ns;
};

struct flow {
	struct key key;
	struct tally tally;
};

struct picture {
	struct picture_sums sums;
	uint64_t least, newest_ns;
	size_t n;
	struct flow flow[]; /* by key, each once */
};

/* Reading ------------------------------------------------------------------ */

/* The next word of a line; "" at its end. */
static const char *
next_word(char **line)
{
	char *word = strsep(line, " ");

	return word == NULL ? "" : word;
}

static bool
read_number(char **line, uint64_t max, uint64_t *n)
{
	return value_number(next_word(line), 0, max, n);
}

/* Read a line of numbers, and nothing after them. */
static bool
read_numbers(char *line, uint64_t *const to[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!read_number(&line, COUNTS_MAX, to[i]))
			return false;
	return line == NULL;
}

static bool
read_protocol(char **line, char to[8])
{
	const char *word = next_word(line);

	for (const char *s = word; *s != '\0'; s++)
		if (!isalnum((unsigned char)*s) && *s != '-')
			return false;
	return *word != '\0' && strlcpy(to, word, 8) < 8;
}

static bool
read_endpoint(char **line, struct key *key, int side)
{
	const char *word = next_word(line);
	uint64_t version = strchr(word, ':') == NULL ? 4 : 6, port;

	if (side == 1 && version != key->version)
		return false;
	key->version = version;
	if (inet_pton(version == 4 ? AF_INET : AF_INET6, word,
		key->address[side]) != 1 ||
	    !read_number(line, UINT16_MAX, &port))
		return false;
	key->port[side] = (uint16_t)port;
	return true;
}

static bool
read_flow(char *line, struct flow *f)
{
	struct tally *t = &f->tally;
	uint64_t *const numbers[] = { &t->octets[0], &t->packets[0],
		&t->octets[1], &t->packets[1], &f->key.start_ns };

	memset(f, 0, sizeof(*f));
	return read_protocol(&line, f->key.protocol) &&
	       read_endpoint(&line, &f->key, 0) &&
	       read_endpoint(&line, &f->key, 1) && line != NULL &&
	       read_numbers(line, numbers, 5);
}

static int
compare_flows(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct key)); /* their first member */
}

static void
add_tally(struct tally *to, const struct tally *t)
{
	for (int i = 0; i < 2; i++) {
		to->octets[i] += t->octets[i];
		to->packets[i] += t->packets[i];
	}
}

/* Bring flows in order; those of one key, which -T allows, become one. */
static void
sort_flows(struct picture *p)
{
	size_t n = 0;

	qsort(p->flow, p->n, sizeof(p->flow[0]), compare_flows);
	for (size_t i = 0; i < p->n; i++) {
		if (n > 0 && compare_flows(&p->flow[n - 1], &p->flow[i]) == 0)
			add_tally(&p->flow[n - 1].tally, &p->flow[i].tally);
		else
			p->flow[n++] = p->flow[i];
	}
	p->n = n;
}

struct picture *
picture_parse(char *text)
{
	struct picture head = { .n = 0 }, *p;
	uint64_t *const numbers[] = { &head.sums.flows, &head.sums.octets,
		&head.sums.packets, &head.sums.kept, &head.least,
		&head.newest_ns };
	char *line = strsep(&text, "\n");

	if (line == NULL || !read_numbers(line, numbers, 6) ||
	    head.sums.kept > FLOWS_MAX)
		return NULL;
	p = malloc(sizeof(*p) + (size_t)head.sums.kept * sizeof(p->flow[0]));
	if (p == NULL)
		return NULL;
	*p = head;
	while (p->n < head.sums.kept && (line = strsep(&text, "\n")) != NULL &&
	       read_flow(line, &p->flow[p->n]))
		p->n++;
	if (p->n < head.sums.kept || text == NULL || *text != '\0') {
		free(p);
		return NULL;
	}
	sort_flows(p);
	return p;
}

void
picture_free(struct picture *p)
{
	free(p);
}

struct picture_sums
picture_sums(const struct picture *p)
{
	return p->sums;
}

/* What is between two pictures ------------------------------------------------
 */

static uint64_t
part_of(uint64_t n, uint64_t part, uint64_t size)
{
	return (uint64_t)((double)n * (double)part / (double)size);
}

/* Of a flow that was there, but not kept: what it has more than the least. */
static struct tally
above_least(const struct tally *t, uint64_t least, bool by_packets)
{
	uint64_t size = by_packets ? t->packets[0] + t->packets[1]
				   : t->octets[0] + t->octets[1];
	uint64_t part = size > least ? size - least : 0;
	struct tally above = { 0 };

	for (int i = 0; i < 2 && size > 0; i++) {
		above.octets[i] = part_of(t->octets[i], part, size);
		above.packets[i] = part_of(t->packets[i], part, size);
	}
	return above;
}

static struct tally
happened(const struct flow *f, const struct picture *before, bool by_packets)
{
	struct tally t = f->tally;
	const struct flow *was;

	if (before == NULL)
		return (struct tally){ 0 };
	was = bsearch(
	    f, before->flow, before->n, sizeof(before->flow[0]), compare_flows);
	if (was == NULL && (f->key.start_ns > before->newest_ns ||
			       before->sums.kept == before->sums.flows))
		return t;
	if (was == NULL)
		return above_least(&t, before->least, by_packets);
	for (int i = 0; i < 2; i++) {
		if (t.octets[i] >= was->tally.octets[i] &&
		    t.packets[i] >= was->tally.packets[i]) {
			t.octets[i] -= was->tally.octets[i];
			t.packets[i] -= was->tally.packets[i];
		}
	}
	return t;
}

/* Rows ------------------------------------------------------------------------
 */

/* An address, with its port unless that is 0. */
static void
name_endpoint(char name[PICTURE_NAME_LEN], const struct key *key, int side,
    bool with_port)
{
	bool v6 = key->version == 6, port = with_port && key->port[side] != 0;
	char address[INET6_ADDRSTRLEN];

	(void)inet_ntop(v6 ? AF_INET6 : AF_INET, key->address[side], address,
	    sizeof(address));
	if (port)
		(void)snprintf(name, PICTURE_NAME_LEN, "%s%s%s:%u",
		    v6 ? "[" : "", address, v6 ? "]" : "", key->port[side]);
	else
		(void)strlcpy(name, address, PICTURE_NAME_LEN);
}

static void
name_port(char name[PICTURE_NAME_LEN], uint16_t port)
{
	if (port == 0)
		(void)strlcpy(name, "-", PICTURE_NAME_LEN);
	else
		(void)snprintf(name, PICTURE_NAME_LEN, "%u", port);
}

/* Count for a row: `side` is whose octets are those sent. */
static void
fill_row(struct picture_row *row, const struct flow *f, const struct tally *t,
    int side)
{
	const struct tally *all = &f->tally;

	row->sent = t->octets[side];
	row->received = t->octets[1 - side];
	row->packets = t->packets[0] + t->packets[1];
	row->octets = all->octets[0] + all->octets[1];
	row->all_packets = all->packets[0] + all->packets[1];
}

/*
 * The row or rows of one flow; returns how many.  A host that talks to itself
 * sends and receives all of it, but the flow is one.
 */
static size_t
rows_of(struct picture_row *row, const struct flow *f, const struct tally *t,
    enum picture_kind kind)
{
	memset(row, 0, 2 * sizeof(*row));
	fill_row(&row[0], f, t, 0);
	if (kind == PICTURE_HOSTS) {
		fill_row(&row[1], f, t, 1);
		name_endpoint(row[0].name[0], &f->key, 0, false);
		name_endpoint(row[1].name[0], &f->key, 1, false);
		if (strcmp(row[0].name[0], row[1].name[0]) == 0)
			row[1].packets = row[1].octets = row[1].all_packets = 0;
		return 2;
	}
	(void)strlcpy(row->protocol, f->key.protocol, sizeof(row->protocol));
	if (kind == PICTURE_PORTS) {
		name_port(row->name[0], f->key.port[1]);
	} else {
		name_endpoint(row->name[0], &f->key, 0, true);
		name_endpoint(row->name[1], &f->key, 1, true);
	}
	return 1;
}

static int
compare_names(const void *a, const void *b)
{
	const struct picture_row *x = a, *y = b;
	int order = strcmp(x->name[0], y->name[0]);

	if (order == 0)
		order = strcmp(x->name[1], y->name[1]);
	return order != 0 ? order : strcmp(x->protocol, y->protocol);
}

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0; /* the larger one first */
}

static int
compare_octets(const void *a, const void *b)
{
	const struct picture_row *x = a, *y = b;
	int order =
	    compare_numbers(x->sent + x->received, y->sent + y->received);

	if (order == 0)
		order = compare_numbers(x->octets, y->octets);
	return order != 0 ? order : compare_names(a, b);
}

static int
compare_packets(const void *a, const void *b)
{
	const struct picture_row *x = a, *y = b;
	int order = compare_numbers(x->packets, y->packets);

	if (order == 0)
		order = compare_numbers(x->all_packets, y->all_packets);
	return order != 0 ? order : compare_names(a, b);
}

/* Make one row of those of one name. */
static size_t
merge_rows(struct picture_row *row, size_t rows)
{
	size_t n = 0;

	qsort(row, rows, sizeof(*row), compare_names);
	for (size_t i = 0; i < rows; i++) {
		if (n == 0 || compare_names(&row[n - 1], &row[i]) != 0) {
			row[n++] = row[i];
			continue;
		}
		row[n - 1].sent += row[i].sent;
		row[n - 1].received += row[i].received;
		row[n - 1].packets += row[i].packets;
		row[n - 1].octets += row[i].octets;
		row[n - 1].all_packets += row[i].all_packets;
	}
	return n;
}

size_t
picture_rows(const struct picture *now, const struct picture *before,
    enum picture_kind kind, bool by_packets, struct picture_row **rows)
{
	struct picture_row *row = calloc(2 * now->n + 2, sizeof(*row));
	size_t n = 0;

	*rows = row;
	if (row == NULL)
		return 0;
	for (size_t i = 0; i < now->n; i++) {
		struct tally t = happened(&now->flow[i], before, by_packets);

		n += rows_of(&row[n], &now->flow[i], &t, kind);
	}
	n = merge_rows(row, n);
	qsort(row, n, sizeof(*row),
	    by_packets ? compare_packets : compare_octets);
	return n;
}
