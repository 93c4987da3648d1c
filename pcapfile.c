/* SPDX-License-Identifier: ISC */
/*
 * pcapfile.c - the records of a classic capture file, out of large reads.
 *
 * It reads ahead into one buffer and hands out frames in place.  It does not
 * map the file: that is not faster than reads of this size, and a file that is
 * cut short while it is mapped would end the program.  It knows no link type,
 * filters nothing, and never seeks.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "input.h"
#include "pcapfile.h"

#define RECORD_HEADER_MAX 24
#define BUFFER_LEN 524288 /* more has not been faster */
#define NS_PER_S UINT64_C(1000000000)

static_assert(BUFFER_LEN >= RECORD_HEADER_MAX + PCAPFILE_CAPLEN_MAX,
    "the longest record fits the buffer");

/* Which of a record's two lengths is the captured one. */
enum length_order { CAPTURED_FIRST, CAPTURED_SECOND, CAPTURED_IS_SMALLER };

struct variant {
	uint32_t magic;
	uint32_t tick_ns;         /* what the fraction of a second counts */
	size_t record_header_len; /* octets */
};

/* clang-format off */
static const struct variant variants[] = {
	{ 0xa1b2c3d4, 1000, 16 },
	{ 0xa1b23c4d,    1, 16 },
	{ 0xa1b2cd34, 1000, 24 }, /* device, protocol and kind follow */
};
/* clang-format on */

struct pcapfile {
	struct input *input;
	const struct variant *variant;
	bool big_endian;
	enum length_order order;
	uint32_t snaplen;
	const char *error;         /* NULL while there is none */
	const uint8_t *next, *end; /* octets read but not handed out */
	uint8_t buffer[BUFFER_LEN];
};

static const struct variant *
find_variant(uint32_t magic)
{
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++)
		if (variants[i].magic == magic)
			return &variants[i];
	return NULL;
}

/* Return the variant that a header names, or NULL. */
static const struct variant *
recognise(const uint8_t *header, bool *big_endian)
{
	struct rbuf big = rb_init(header, 4), little = rb_init(header, 4);
	const struct variant *v = find_variant(rb_u32(&big));

	*big_endian = v != NULL;
	return v != NULL ? v : find_variant(rb_le32(&little));
}

bool
pcapfile_recognise(struct input *in, uint8_t header[PCAPFILE_HEADER_LEN])
{
	bool big_endian;

	return input_peek(in, header, PCAPFILE_HEADER_LEN) ==
		   PCAPFILE_HEADER_LEN &&
	       recognise(header, &big_endian) != NULL;
}

/*
 * The captured length came second before version 2.3, and so it does in the
 * version 543.0 that one system wrote; in 2.3 it may be first or second.
 */
static enum length_order
length_order(const uint8_t *header, bool big_endian)
{
	struct rbuf r = rb_init(header + 6, 2); /* the minor version */
	unsigned int minor = big_endian ? rb_u16(&r) : rb_le16(&r);

	if (minor < 3)
		return CAPTURED_SECOND;
	return minor == 3 ? CAPTURED_IS_SMALLER : CAPTURED_FIRST;
}

size_t
pcapfile_memory(void)
{
	return sizeof(struct pcapfile);
}

struct pcapfile *
pcapfile_new(struct input *in, const uint8_t header[PCAPFILE_HEADER_LEN],
    uint32_t snaplen)
{
	struct pcapfile *f = malloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	f->input = in;
	f->variant = recognise(header, &f->big_endian);
	f->order = length_order(header, f->big_endian);
	f->snaplen = snaplen;
	f->error = NULL;
	f->next = f->end = f->buffer;
	/* It was peeked at, so it comes at once, and whole. */
	(void)input_read(in, f->buffer, PCAPFILE_HEADER_LEN);
	return f;
}

void
pcapfile_free(struct pcapfile *f)
{
	free(f);
}

/* Move what is left to the front and read on until there are len octets. */
static bool
fill(struct pcapfile *f, size_t len)
{
	size_t have = (size_t)(f->end - f->next);

	memmove(f->buffer, f->next, have);
	while (f->error == NULL && have < len) {
		ssize_t n =
		    input_read(f->input, f->buffer + have, BUFFER_LEN - have);

		if (n == -1)
			f->error = strerror(errno);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	f->next = f->buffer;
	f->end = f->buffer + have;
	return have >= len;
}

/* Whether len octets are, or could be, read ahead; moves the buffer. */
static inline bool
need(struct pcapfile *f, size_t len)
{
	return (size_t)(f->end - f->next) >= len || fill(f, len);
}

/* There is no more to read, or it is no good. */
static enum pcapfile_status
finish(struct pcapfile *f, const char *damage)
{
	if (f->error == NULL)
		f->error = damage;
	return f->error == NULL ? PCAPFILE_END : PCAPFILE_DAMAGED;
}

static inline uint32_t
u32(const struct pcapfile *f, const uint8_t *at)
{
	return f->big_endian ? be32(at) : le32(at);
}

/* Read the header of a record, of which all octets are at hand. */
static inline void
parse_header(
    const struct pcapfile *f, const uint8_t *at, struct pcapfile_record *rec)
{
	uint64_t s = u32(f, at);
	uint64_t fraction_ns = (uint64_t)u32(f, at + 4) * f->variant->tick_ns;
	uint32_t first = u32(f, at + 8);
	uint32_t second = u32(f, at + 12);
	bool swap = f->order == CAPTURED_SECOND ||
		    (f->order == CAPTURED_IS_SMALLER && first > second);

	if (fraction_ns >= NS_PER_S)
		fraction_ns = NS_PER_S - 1;
	rec->time_ns = s * NS_PER_S + fraction_ns;
	rec->caplen = swap ? second : first;
	rec->wirelen = swap ? first : second;
	rec->frame = at + f->variant->record_header_len;
}

/* Hand out whole records that are in the buffer; returns how many. */
static inline size_t
take_records(struct pcapfile *f, struct pcapfile_record *rec, size_t max)
{
	const uint8_t *next = f->next, *end = f->end;
	size_t header_len = f->variant->record_header_len, n;

	for (n = 0; n < max && (size_t)(end - next) >= header_len; n++) {
		parse_header(f, next, &rec[n]);
		if (rec[n].caplen > PCAPFILE_CAPLEN_MAX ||
		    rec[n].caplen > (size_t)(end - rec[n].frame))
			break;
		next = rec[n].frame + rec[n].caplen;
		if (rec[n].caplen > f->snaplen)
			rec[n].caplen = f->snaplen;
	}
	f->next = next;
	return n;
}

/* Read on until the next record is whole in the buffer, or say why not. */
static enum pcapfile_status
read_on(struct pcapfile *f)
{
	size_t header_len = f->variant->record_header_len;
	struct pcapfile_record rec;

	if (!need(f, header_len))
		return finish(f,
		    f->next == f->end ? NULL : "ends inside a record's header");
	parse_header(f, f->next, &rec);
	if (rec.caplen > PCAPFILE_CAPLEN_MAX)
		return finish(f, "a record is longer than any packet");
	if (!need(f, header_len + rec.caplen))
		return finish(f, "ends inside a record");
	return PCAPFILE_RECORD;
}

enum pcapfile_status
pcapfile_next(
    struct pcapfile *f, struct pcapfile_record *rec, size_t max, size_t *n)
{
	enum pcapfile_status status = PCAPFILE_RECORD;

	*n = take_records(f, rec, max);
	if (*n == 0 && (status = read_on(f)) == PCAPFILE_RECORD)
		*n = take_records(f, rec, max);
	return status;
}

const char *
pcapfile_error(const struct pcapfile *f)
{
	return f->error;
}
