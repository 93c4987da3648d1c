/* SPDX-License-Identifier: ISC */
/*
 * bytes.h - cursors over octets: rbuf reads, wbuf writes.
 *
 * The only place that knows byte order.  Every access is checked here: a
 * read past the end gives 0 or NULL and sets `bad`, a write past the end
 * writes nothing and sets `full`.  Both flags stick, so that one test after
 * a header covers every access before it.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Integers in network byte order, and in little-endian order, among octets
 * that were taken: who took n of them may read at offsets below n.
 */
static inline uint16_t
be16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t
be32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
}

static inline uint16_t
le16(const uint8_t *b)
{
	return (uint16_t)(b[1] << 8 | b[0]);
}

static inline uint32_t
le32(const uint8_t *b)
{
	return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 |
	       (uint32_t)b[1] << 8 | b[0];
}

struct rbuf {
	const uint8_t *p, *end;
	bool bad;
};

/* Start reading the len octets at data; they are borrowed. */
static inline struct rbuf
rb_init(const void *data, size_t len)
{
	const uint8_t *p = data;

	return (struct rbuf){ p, p + len, false };
}

/* Octets not read yet. */
static inline size_t
rb_left(const struct rbuf *r)
{
	return (size_t)(r->end - r->p);
}

/*
 * A second cursor over what is left.  Field by field: copying the struct loads
 * two fields at once, and waits for the store of the one last changed.
 */
static inline struct rbuf
rb_rest(const struct rbuf *r)
{
	return (struct rbuf){ r->p, r->end, r->bad };
}

/* Step over n octets and return where they start, or NULL past the end. */
static inline const uint8_t *
rb_take(struct rbuf *r, size_t n)
{
	const uint8_t *at = r->p;

	if (r->bad || n > rb_left(r)) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	return at;
}

/* Let at most n more octets be read. */
static inline void
rb_limit(struct rbuf *r, size_t n)
{
	if (n < rb_left(r))
		r->end = r->p + n;
}

/* Copy n octets to dst; past the end dst is zeroed. */
static inline void
rb_copy(struct rbuf *r, void *dst, size_t n)
{
	const uint8_t *at = rb_take(r, n);

	if (at != NULL)
		memcpy(dst, at, n);
	else
		memset(dst, 0, n);
}

/* Read an unsigned integer in network byte order; 0 past the end. */
static inline uint8_t
rb_u8(struct rbuf *r)
{
	const uint8_t *b = rb_take(r, 1);

	return b == NULL ? 0 : b[0];
}

static inline uint16_t
rb_u16(struct rbuf *r)
{
	const uint8_t *b = rb_take(r, 2);

	return b == NULL ? 0 : be16(b);
}

static inline uint32_t
rb_u32(struct rbuf *r)
{
	const uint8_t *b = rb_take(r, 4);

	return b == NULL ? 0 : be32(b);
}

/* Read an unsigned integer in little-endian byte order; 0 past the end. */
static inline uint16_t
rb_le16(struct rbuf *r)
{
	const uint8_t *b = rb_take(r, 2);

	return b == NULL ? 0 : le16(b);
}

static inline uint32_t
rb_le32(struct rbuf *r)
{
	const uint8_t *b = rb_take(r, 4);

	return b == NULL ? 0 : le32(b);
}

struct wbuf {
	uint8_t *base, *p, *end;
	bool full;
};

/* Start writing into the len octets at data; they are borrowed. */
static inline struct wbuf
wb_init(void *data, size_t len)
{
	uint8_t *p = data;

	return (struct wbuf){ p, p, p + len, false };
}

/* Octets written so far. */
static inline size_t
wb_len(const struct wbuf *w)
{
	return (size_t)(w->p - w->base);
}

/* Octets that still fit. */
static inline size_t
wb_room(const struct wbuf *w)
{
	return (size_t)(w->end - w->p);
}

/* Reserve n octets and return where they start, or NULL past the end. */
static inline uint8_t *
wb_take(struct wbuf *w, size_t n)
{
	uint8_t *at = w->p;

	if (w->full || n > wb_room(w)) {
		w->full = true;
		return NULL;
	}
	w->p += n;
	return at;
}

/* Append n octets from src. */
static inline void
wb_put(struct wbuf *w, const void *src, size_t n)
{
	uint8_t *at = wb_take(w, n);

	if (at != NULL)
		memcpy(at, src, n);
}

/* Append n zero octets. */
static inline void
wb_zero(struct wbuf *w, size_t n)
{
	uint8_t *at = wb_take(w, n);

	if (at != NULL)
		memset(at, 0, n);
}

/* Append the low n octets of v (n <= 8) in network byte order. */
static inline void
wb_uint(struct wbuf *w, uint64_t v, size_t n)
{
	uint8_t *at = wb_take(w, n);

	if (at == NULL)
		return;
	while (n-- > 0) {
		at[n] = (uint8_t)v;
		v >>= 8;
	}
}

static inline void
wb_u8(struct wbuf *w, uint8_t v)
{
	wb_uint(w, v, 1);
}

static inline void
wb_u16(struct wbuf *w, uint16_t v)
{
	wb_uint(w, v, 2);
}

static inline void
wb_u32(struct wbuf *w, uint32_t v)
{
	wb_uint(w, v, 4);
}

/* Overwrite the 16 bits at offset off, which must be written already. */
static inline void
wb_patch16(struct wbuf *w, size_t off, uint16_t v)
{
	w->base[off] = (uint8_t)(v >> 8);
	w->base[off + 1] = (uint8_t)v;
}

#endif
