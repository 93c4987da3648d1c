/* SPDX-License-Identifier: ISC */
/*
 * own.c - which flows are of this program's own sockets; see own.h.
 */
#include <stdlib.h>
#include <string.h>

#include "own.h"
#include "record.h"

#define ENDED_MAX 256 /* sessions remembered; the newest */

struct ended {
	struct own_session session;
	uint64_t until_ns;
};

struct own {
	uint64_t keep_ns;
	struct own_session *now; /* of each socket */
	size_t sockets;
	struct ended ended[ENDED_MAX];
	size_t next; /* the oldest of them, to be replaced */
};

struct own *
own_new(size_t sockets, uint64_t keep_ns)
{
	struct own *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->keep_ns = keep_ns;
	o->sockets = sockets;
	o->now = calloc(sockets == 0 ? 1 : sockets, sizeof(*o->now));
	if (o->now != NULL)
		return o;
	free(o);
	return NULL;
}

void
own_free(struct own *o)
{
	if (o == NULL)
		return;
	free(o->now);
	free(o);
}

static bool
same_session(const struct own_session *a, const struct own_session *b)
{
	return a->local_port == b->local_port &&
	       a->remote_port == b->remote_port && a->protocol == b->protocol &&
	       a->ip_version == b->ip_version &&
	       memcmp(a->local, b->local, sizeof(a->local)) == 0 &&
	       memcmp(a->remote, b->remote, sizeof(a->remote)) == 0;
}

void
own_note(struct own *o, size_t i, const struct own_session *session,
    uint64_t mono_ns)
{
	struct own_session *now = &o->now[i];

	if (i >= o->sockets || same_session(now, session))
		return;
	if (now->protocol != 0) {
		o->ended[o->next] =
		    (struct ended){ *now, mono_ns + o->keep_ns };
		o->next = (o->next + 1) % ENDED_MAX;
	}
	*now = *session;
}

int
own_change(struct own *o, size_t sockets, uint64_t keep_ns, uint64_t mono_ns)
{
	static const struct own_session none;
	struct own_session *now =
	    calloc(sockets == 0 ? 1 : sockets, sizeof(*now));

	if (now == NULL)
		return -1;
	o->keep_ns = keep_ns;
	for (size_t i = sockets; i < o->sockets; i++)
		own_note(o, i, &none, mono_ns);
	memcpy(now, o->now,
	    (sockets < o->sockets ? sockets : o->sockets) * sizeof(*now));
	free(o->now);
	o->now = now;
	o->sockets = sockets;
	return 0;
}

/* Whether a session is that of a record in one direction. */
static bool
runs(const struct own_session *s, const struct flow_record *r,
    const uint8_t *src, uint16_t src_port, const uint8_t *dst,
    uint16_t dst_port)
{
	return s->local_port == src_port && s->remote_port == dst_port &&
	       s->protocol == r->protocol && s->ip_version == r->ip_version &&
	       memcmp(s->local, src, sizeof(s->local)) == 0 &&
	       memcmp(s->remote, dst, sizeof(s->remote)) == 0;
}

static bool
is_of(const struct own_session *s, const struct flow_record *r)
{
	return s->protocol != 0 &&
	       (runs(s, r, r->src, r->src_port, r->dst, r->dst_port) ||
		   runs(s, r, r->dst, r->dst_port, r->src, r->src_port));
}

bool
own_is(const struct own *o, const struct flow_record *r, uint64_t mono_ns)
{
	for (size_t i = 0; i < o->sockets; i++)
		if (is_of(&o->now[i], r))
			return true;
	for (size_t i = 0; i < ENDED_MAX; i++)
		if (o->ended[i].until_ns > mono_ns &&
		    is_of(&o->ended[i].session, r))
			return true;
	return false;
}
