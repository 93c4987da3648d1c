/* SPDX-License-Identifier: ISC */
/*
 * wire.h - a strict reader of NetFlow v1, v5, v9 and IPFIX datagrams for the
 * fuzz targets: a second reading of RFC 3954, 7011, 5103, that shares nothing
 * with the code under test, its cursors included.
 *
 * Each field of each Data Record of a flow is handed over; the first rule that
 * a datagram breaks ends the reading.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_TEMPLATES 1024 /* identifiers from 256 on */
#define WIRE_FIELDS 200
#define WIRE_ERA_MS (UINT64_C(1000) << 32) /* of 32 bits of seconds */

struct wire_field {
	unsigned id;
	bool reverse; /* RFC 5103 s6.1 */
	size_t len;
	const uint8_t *at;
	uint64_t value;   /* its last 8 octets as a number */
	uint64_t unit_ns; /* 0: not a time of a flow */
	uint64_t time;    /* ns since 1970, modulo wraps_ns unless that is 0 */
	uint64_t wraps_ns;
	bool is_end;
};

struct wire_template {
	unsigned n, nscope; /* n = 0: not known */
	size_t record_len;
	struct {
		uint16_t id, len, reverse;
	} field[WIRE_FIELDS];
};

/* Whether a Template is what it was. */
static inline bool
wire_same(const struct wire_template *a, const struct wire_template *b)
{
	return a->n == b->n && a->nscope == b->nscope &&
	       memcmp(a->field, b->field, sizeof(a->field)) == 0;
}

struct wire {
	void (*field)(void *arg, const struct wire_field *);
	void (*record)(void *arg); /* after the fields of one */
	void *arg;
	/* The session, all 0 to begin. */
	uint32_t sequence;
	struct wire_template *template[WIRE_TEMPLATES];
	/* The datagram at hand. */
	unsigned version, count, records;
	uint64_t boot_ms; /* modulo WIRE_ERA_MS */
	uint32_t uptime_ms;
};

static inline uint64_t
wire_number(const uint8_t *at, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | at[i];
	return v;
}

/* Times ------------------------------------------------------------------- */

/* RFC 7011 s6.1.9, s6.1.10: seconds since 1900 and a fraction, both 32 bits. */
static inline uint64_t
wire_ntp(const uint8_t *at, uint64_t per_s)
{
	uint32_t s = (uint32_t)wire_number(at, 4) - UINT32_C(2208988800);
	uint64_t fraction = wire_number(at + 4, 4) * per_s >> 32;

	return s * UINT64_C(1000000000) + fraction * (1000000000 / per_s);
}

static inline void
wire_time(const struct wire *w, struct wire_field *f)
{
	unsigned id = f->id;
	uint64_t v = f->value;

	f->is_end = id == 21 || (id > 150 && id < 158 && id % 2 == 1);
	f->wraps_ns = WIRE_ERA_MS * 1000000;
	if ((id == 21 || id == 22) && w->version != 10) {
		f->unit_ns = 1000000;
		f->time = (w->boot_ms + v) % WIRE_ERA_MS * f->unit_ns;
	} else if (w->version != 10) {
		return;
	} else if (id == 150 || id == 151) {
		f->unit_ns = 1000000000;
		f->time = v * f->unit_ns;
	} else if (id == 152 || id == 153) {
		f->unit_ns = 1000000;
		f->time = v * f->unit_ns;
		f->wraps_ns = 0;
	} else if (id == 154 || id == 155) {
		f->unit_ns = 1000;
		f->time = wire_ntp(f->at, 1000000);
	} else if (id == 156 || id == 157) {
		f->unit_ns = 1;
		f->time = wire_ntp(f->at, 1000000000);
	}
}

/* Records ----------------------------------------------------------------- */

static inline const char *
wire_field(const struct wire *w, unsigned id, bool reverse, const uint8_t *at,
    size_t len)
{
	struct wire_field f = {
		.id = id, .reverse = reverse, .len = len, .at = at
	};

	f.value = wire_number(len > 8 ? at + len - 8 : at, len > 8 ? 8 : len);
	wire_time(w, &f);
	if (id == 21 && w->version != 10 && f.value > w->uptime_ms)
		return "a flow ends after the datagram left";
	if ((id == 154 || id == 155) && w->version == 10 && f.value % 2048 != 0)
		return "RFC 7011 s6.1.9: bits below a microsecond";
	w->field(w->arg, &f);
	return NULL;
}

/* Cisco's fixed records of 48 octets. */
static inline const char *
wire_fixed(const struct wire *w, const uint8_t *at)
{
	const struct {
		unsigned id, v1, v5, len;
	} layout[] = { { 8, 0, 0, 4 }, { 12, 4, 4, 4 }, { 10, 12, 12, 2 },
		{ 14, 14, 14, 2 }, { 2, 16, 16, 4 }, { 1, 20, 20, 4 },
		{ 22, 24, 24, 4 }, { 21, 28, 28, 4 }, { 7, 32, 32, 2 },
		{ 11, 34, 34, 2 }, { 6, 40, 37, 1 }, { 4, 38, 38, 1 },
		{ 5, 39, 39, 1 } };
	const char *wrong = NULL;

	for (size_t i = 0;
	     wrong == NULL && i < sizeof(layout) / sizeof(layout[0]); i++)
		wrong = wire_field(w, layout[i].id, false,
		    at + (w->version == 1 ? layout[i].v1 : layout[i].v5),
		    layout[i].len);
	return wrong;
}

static inline const char *
wire_record(
    const struct wire *w, const struct wire_template *t, const uint8_t *at)
{
	const char *wrong = NULL;

	for (unsigned i = 0; wrong == NULL && i < t->n; i++) {
		wrong = wire_field(w, t->field[i].id, t->field[i].reverse, at,
		    t->field[i].len);
		at += t->field[i].len;
	}
	return wrong;
}

static inline bool
wire_is_zero(const uint8_t *at, size_t len)
{
	while (len > 0)
		if (at[--len] != 0)
			return false;
	return true;
}

static inline const char *
wire_data(struct wire *w, unsigned id, const uint8_t *at, size_t len)
{
	const struct wire_template *t =
	    id - 256 < WIRE_TEMPLATES ? w->template[id - 256] : NULL;
	const char *wrong = NULL;

	if (t == NULL)
		return "data before its template";
	if (len < t->record_len)
		return "a set without a record";
	for (; wrong == NULL && len >= t->record_len;
	     at += t->record_len, len -= t->record_len) {
		w->records++;
		if (t->nscope > 0)
			continue;
		wrong = wire_record(w, t, at);
		if (wrong == NULL)
			w->record(w->arg);
	}
	return wrong == NULL && (len > 3 || !wire_is_zero(at, len))
		   ? "RFC 7011 s3.3.1: padding"
		   : wrong;
}

/* Templates ---------------------------------------------------------------- */

/* Read one Template Record; returns its octets, 0 if there is none. */
static inline size_t
wire_template(struct wire *w, bool options, const uint8_t *at, size_t left)
{
	struct wire_template t = { 0 };
	size_t used = options ? 6 : 4, scope = 0;
	unsigned id;

	if (left < used)
		return 0;
	id = (unsigned)wire_number(at, 2);
	t.n = (unsigned)wire_number(at + 2, 2);
	if (options && w->version == 9) { /* RFC 3954 s6.1: in octets */
		scope = t.n;
		t.nscope = t.n / 4;
		t.n = t.nscope + (unsigned)wire_number(at + 4, 2) / 4;
		if (scope % 4 != 0 || wire_number(at + 4, 2) % 4 != 0)
			return 0;
	} else if (options) {
		t.nscope = (unsigned)wire_number(at + 4, 2);
	}
	if (id < 256 || id - 256 >= WIRE_TEMPLATES || t.n == 0 ||
	    t.n > WIRE_FIELDS || t.nscope > t.n || (options && t.nscope == 0))
		return 0;
	for (unsigned i = 0; i < t.n; i++) {
		bool enterprise;

		if (left - used < 4)
			return 0;
		t.field[i].id = (uint16_t)wire_number(at + used, 2);
		t.field[i].len = (uint16_t)wire_number(at + used + 2, 2);
		used += 4;
		enterprise = t.field[i].id >= 0x8000;
		if (enterprise && (w->version != 10 || left - used < 4 ||
				      wire_number(at + used, 4) != 29305))
			return 0;
		used += enterprise ? 4 : 0;
		t.field[i].reverse = enterprise;
		t.field[i].id &= 0x7fff;
		t.record_len += t.field[i].len;
		if (t.field[i].len == 0 || t.field[i].len == 65535)
			return 0;
	}
	if (w->template[id - 256] == NULL)
		w->template[id - 256] = malloc(sizeof(t));
	else if (!wire_same(w->template[id - 256], &t))
		return 0; /* a Template never changes here */
	if (w->template[id - 256] == NULL)
		return 0;
	*w->template[id - 256] = t;
	return used;
}

static inline const char *
wire_templates(struct wire *w, bool options, const uint8_t *at, size_t len)
{
	while (len > 3) {
		size_t used = wire_template(w, options, at, len);

		if (used == 0)
			return "a template that is none";
		w->count += w->version == 9;
		at += used;
		len -= used;
	}
	return wire_is_zero(at, len) ? NULL : "padding of templates";
}

/* Datagrams ---------------------------------------------------------------- */

static inline const char *
wire_sets(struct wire *w, const uint8_t *at, size_t len)
{
	unsigned templates = w->version == 9 ? 0 : 2;
	const char *wrong = NULL;

	while (wrong == NULL && len > 0) {
		size_t set_len = len < 4 ? 0 : (size_t)wire_number(at + 2, 2);
		unsigned id = len < 4 ? 0 : (unsigned)wire_number(at, 2);

		if (set_len <= 4 || set_len > len)
			return "the length of a set";
		if (w->version == 9 && set_len % 4 != 0)
			return "RFC 3954 s5.3: sets end on 32 bits";
		if (id >= 256)
			wrong = wire_data(w, id, at + 4, set_len - 4);
		else if (id == templates || id == templates + 1)
			wrong = wire_templates(
			    w, id != templates, at + 4, set_len - 4);
		else
			wrong = "the identifier of a set";
		at += set_len;
		len -= set_len;
	}
	return wrong;
}

static inline const char *
wire_fixed_all(struct wire *w, const uint8_t *at, size_t len)
{
	const char *wrong = NULL;

	for (; wrong == NULL && len >= 48; at += 48, len -= 48) {
		w->records++;
		wrong = wire_fixed(w, at);
		if (wrong == NULL)
			w->record(w->arg);
	}
	return wrong == NULL && len > 0 ? "octets behind the records" : wrong;
}

/* The header; returns its octets, 0 if it is none. */
static inline size_t
wire_header(struct wire *w, const uint8_t *at, size_t len, uint32_t *sequence,
    unsigned *count)
{
	const size_t lengths[] = { [1] = 16, [5] = 24, [9] = 20, [10] = 16 };
	uint64_t now_ms;

	w->version = len < 16 ? 0 : (unsigned)wire_number(at, 2);
	if ((w->version != 1 && w->version != 5 && w->version != 9 &&
		w->version != 10) ||
	    len < lengths[w->version])
		return 0;
	*count = (unsigned)wire_number(at + 2, 2);
	*sequence = (uint32_t)wire_number(at + (w->version == 5      ? 16
						   : w->version == 9 ? 12
								     : 8),
	    4);
	if (w->version == 10)
		return *count == len ? 16 : 0;
	w->uptime_ms = (uint32_t)wire_number(at + 4, 4);
	now_ms = wire_number(at + 8, 4) * 1000;
	if (w->version != 9)
		now_ms += wire_number(at + 12, 4) / 1000000;
	w->boot_ms = (now_ms + WIRE_ERA_MS - w->uptime_ms) % WIRE_ERA_MS;
	return lengths[w->version];
}

/* Read a datagram: NULL, or the rule that it breaks. */
static inline const char *
wire_read(struct wire *w, const uint8_t *at, size_t len)
{
	unsigned count = 0;
	uint32_t sequence = 0;
	size_t header = wire_header(w, at, len, &sequence, &count);
	const char *wrong;

	if (header == 0)
		return "the header";
	if (w->version != 1 && sequence != w->sequence)
		return "the sequence number";
	w->records = w->count = 0;
	wrong = w->version <= 5 ? wire_fixed_all(w, at + header, len - header)
				: wire_sets(w, at + header, len - header);
	if (wrong != NULL)
		return wrong;
	if (w->version != 10 && count != w->records + w->count)
		return "the count";
	if (w->records + w->count == 0 && w->version != 10)
		return "an empty datagram";
	w->sequence += w->version == 9 ? 1 : w->records;
	return NULL;
}

/* Forget the session. */
static inline void
wire_forget(struct wire *w)
{
	for (size_t i = 0; i < WIRE_TEMPLATES; i++) {
		free(w->template[i]);
		w->template[i] = NULL;
	}
}

#endif
