/* SPDX-License-Identifier: ISC */
/*
 * message.c - one datagram being filled; see message.h.
 *
 * Knows Sets, lengths and padding, but no socket, no collector and no clock.
 */
#include <string.h>

#include "message.h"
#include "record.h"

#define SET_HEADER_LEN 4
#define SET_ALIGN 4

const struct dialect *
dialect_for(unsigned version)
{
	static const struct dialect *const all[] = { &dialect_netflow1,
		&dialect_netflow5, &dialect_netflow9, &dialect_ipfix };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i]->version == version)
			return all[i];
	return NULL;
}

size_t
message_least(const struct dialect *d, const struct field_choice *choice)
{
	struct template t[TEMPLATES_MAX];
	unsigned n = template_all(t, d->bit, choice);
	size_t longest = 0;

	for (unsigned i = 0; i < n; i++) {
		if (t[i].id == 0)
			continue;
		/* RFC 7011 s3.3.1: padding is shorter than any record. */
		if (t[i].record_len < SET_ALIGN)
			return 0;
		if (t[i].template_len > longest)
			longest = t[i].template_len;
		if (t[i].record_len > longest)
			longest = t[i].record_len;
	}
	longest = (longest + SET_ALIGN - 1) / SET_ALIGN * SET_ALIGN;
	return (d->header_len + SET_HEADER_LEN + longest + SET_ALIGN - 1) /
	       SET_ALIGN * SET_ALIGN;
}

void
message_begin(struct message *m, const struct dialect *d, size_t size)
{
	if (size > MESSAGE_MAX)
		size = MESSAGE_MAX;
	m->dialect = d;
	/* Every Set ends aligned, so padding always fits. */
	m->w = wb_init(m->buf, size / SET_ALIGN * SET_ALIGN);
	wb_zero(&m->w, d->header_len);
	m->records = m->flows = m->events = m->templates = 0;
	m->packets = m->octets = 0;
	m->latest_ns = 0;
	m->set_at = 0;
	m->set_id = 0;
}

bool
message_empty(const struct message *m)
{
	return m->records == 0 && m->templates == 0;
}

/* Pad the open Set with zeroes (RFC 7011 s3.3.1) and fill its length in. */
static void
close_set(struct message *m)
{
	size_t len;

	if (m->set_at == 0)
		return;
	while ((wb_len(&m->w) - m->set_at) % SET_ALIGN != 0)
		wb_u8(&m->w, 0);
	len = wb_len(&m->w) - m->set_at;
	wb_patch16(&m->w, m->set_at + 2, (uint16_t)len);
	m->set_at = 0;
}

/*
 * Make room for `len` octets in a Set of this id, opening it if another is
 * open.  Returns -1, with nothing changed, if they do not fit.
 */
static int
reserve(struct message *m, uint16_t id, size_t len)
{
	size_t pad = 0;

	if (!m->dialect->has_sets || (m->set_at != 0 && m->set_id == id))
		return len > wb_room(&m->w) ? -1 : 0;
	if (m->set_at != 0)
		pad = (SET_ALIGN - (wb_len(&m->w) - m->set_at) % SET_ALIGN) %
		      SET_ALIGN;
	if (pad + SET_HEADER_LEN + len > wb_room(&m->w))
		return -1;
	close_set(m);
	m->set_at = wb_len(&m->w);
	m->set_id = id;
	wb_u16(&m->w, id);
	wb_u16(&m->w, 0); /* its length, when it is known */
	return 0;
}

int
message_template(struct message *m, const struct template *t)
{
	const struct dialect *d = m->dialect;
	uint16_t set = t->nscope == 0 ? d->template_set : d->options_set;

	if (reserve(m, set, t->template_len) == -1)
		return -1;
	template_put(t, d->bit, &m->w);
	m->templates++;
	/* A Set each: nfacctd (pmacct 1.7) loses its way after the first. */
	if (t->nscope != 0)
		close_set(m);
	return 0;
}

/* Append a Data Record that is not of a flow. */
static int
put_record(struct message *m, const struct template *t, const void *record)
{
	if (reserve(m, t->id, t->record_len) == -1)
		return -1;
	record_put(t, &m->w, record, m->boot_ns);
	m->records++;
	return 0;
}

int
message_option(
    struct message *m, const struct template *t, const struct option_record *o)
{
	return put_record(m, t, o);
}

int
message_event(
    struct message *m, const struct template *t, const struct nat_event *event)
{
	if (put_record(m, t, event) == -1)
		return -1;
	m->events++;
	return 0;
}

int
message_record(
    struct message *m, const struct template *t, const struct flow_record *r)
{
	const struct dialect *d = m->dialect;

	if (d->records_max != 0 && m->records == d->records_max)
		return -1;
	if (reserve(m, t->id, t->record_len) == -1)
		return -1;
	record_put(t, &m->w, r, m->boot_ns);
	m->records++;
	m->flows++;
	m->packets += r->fwd.packets + (r->biflow ? r->rev.packets : 0);
	m->octets += r->fwd.octets + (r->biflow ? r->rev.octets : 0);
	if (r->fwd.end_ns > m->latest_ns)
		m->latest_ns = r->fwd.end_ns;
	return 0;
}

bool
message_spans(const struct message *m, const struct flow_record *r)
{
	return !m->dialect->relative_times ||
	       (r->fwd.start_ns >= m->boot_ns &&
		   r->fwd.end_ns - m->boot_ns < UINT32_MAX * NS_PER_MS);
}

void
message_end(struct message *m)
{
	struct wbuf header = wb_init(m->buf, m->dialect->header_len);

	close_set(m);
	m->dialect->header(&header, m);
}
