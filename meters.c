/* SPDX-License-Identifier: ISC */
/*
 * meters.c - several metering threads as one; see meters.h.
 */
#include <stdlib.h>
#include <string.h>

#include "meters.h"
#include "ring.h"

/* A cursor over the flows of all members: which one, and its own. */
#define CURSOR_BITS 26
#define CURSOR_MASK ((UINT32_C(1) << CURSOR_BITS) - 1)

struct meters {
	struct meter *member[METERS_MAX];
	struct meter_call *part[METERS_MAX]; /* of the call under way */
	size_t n;
	size_t started;
	size_t lister;           /* METER_LIST: whom was asked */
	struct meter_call *call; /* under way; else NULL */
};

struct meters *
meters_new(void)
{
	return calloc(1, sizeof(struct meters));
}

void
meters_free(struct meters *ms)
{
	if (ms == NULL)
		return;
	for (size_t i = 0; i < ms->n; i++) {
		meter_free(ms->member[i]);
		free(ms->part[i]);
	}
	free(ms);
}

int
meters_add(struct meters *ms, struct meter *m)
{
	struct meter_call *part = calloc(1, sizeof(*part));

	if (m == NULL || part == NULL || ms->n == METERS_MAX) {
		free(part);
		meter_free(m);
		return -1;
	}
	ms->part[ms->n] = part;
	ms->member[ms->n++] = m;
	return 0;
}

void
meters_share_reader(struct meters *ms)
{
	meter_set_shards(ms->member[ms->n - 1], ms->member, ms->n - 1);
}

size_t
meters_count(const struct meters *ms)
{
	return ms->n;
}

bool
meters_wait(struct meters *ms)
{
	for (size_t i = 0; i < ms->n; i++)
		if (ring_used(meter_ring(ms->member[i])) > 0)
			return true;
	return false;
}

struct ring *
meters_extra_ring(struct meters *ms, size_t i)
{
	return meter_extra_ring(ms->member[i]);
}

struct ring *
meters_ring(struct meters *ms, size_t i)
{
	return meter_ring(ms->member[i]);
}

void
meters_room(struct meters *ms, size_t i)
{
	meter_room(ms->member[i]);
}

int
meters_start(struct meters *ms)
{
	for (; ms->started < ms->n; ms->started++)
		if (meter_start(ms->member[ms->started]) == -1)
			return -1;
	return 0;
}

/* Calls ------------------------------------------------------------------ */

static int
ask_member(struct meters *ms, size_t i, const struct meter_call *call)
{
	struct meter_call *part = ms->part[i];

	part->op = call->op;
	part->timeouts = call->timeouts;
	part->timeout_ms = call->timeout_ms;
	part->gather = call->gather;
	part->settings = call->settings;
	part->cursor = call->cursor & CURSOR_MASK;
	return meter_ask(ms->member[i], part);
}

/*
 * A member that has ended is asked no more; its counters stay what they are.
 */
int
meters_ask(struct meters *ms, struct meter_call *call)
{
	int asked = -1;

	ms->lister = call->cursor >> CURSOR_BITS;
	if (call->op == METER_LIST) {
		asked =
		    ms->lister < ms->n ? ask_member(ms, ms->lister, call) : -1;
	} else {
		for (size_t i = 0; i < ms->n; i++)
			if (ask_member(ms, i, call) == 0)
				asked = 0;
			else
				meter_final_stats(ms->member[i], ms->part[i]);
	}
	ms->call = asked == 0 ? call : NULL;
	return asked;
}

/* The flows of one member; the cursor goes on to the next one. */
static void
take_list(struct meters *ms, struct meter_call *call)
{
	const struct meter_call *part = ms->part[ms->lister];
	uint32_t member = (uint32_t)ms->lister << CURSOR_BITS;

	call->nrecords = part->nrecords;
	memcpy(call->record, part->record,
	    part->nrecords * sizeof(part->record[0]));
	if (part->cursor != 0)
		call->cursor = member | part->cursor;
	else if (ms->lister + 1 < ms->n)
		call->cursor = member + (UINT32_C(1) << CURSOR_BITS);
	else
		call->cursor = 0;
}

static void
add_stats(struct meter_stats *sum, const struct meter_stats *s)
{
	capture_stats_add(&sum->capture, &s->capture);
	flowtrack_stats_add(&sum->track, &s->track);
	sum->fragments += s->fragments;
	sum->fragments_orphaned += s->fragments_orphaned;
	sum->sampled_out += s->sampled_out;
	sum->sampled_out_octets += s->sampled_out_octets;
	span_cover(&sum->sampled_out_span, s->sampled_out_span.first_ns,
	    s->sampled_out_span.last_ns);
	sum->ring_lost_records += s->ring_lost_records;
	sum->ring_lost_packets += s->ring_lost_packets;
	sum->ring_lost_octets += s->ring_lost_octets;
	if (s->time_ns > sum->time_ns)
		sum->time_ns = s->time_ns;
	if (s->first_ns != 0 &&
	    (sum->first_ns == 0 || s->first_ns < sum->first_ns))
		sum->first_ns = s->first_ns;
	sum->gathering &= s->gathering;
}

/* Every worker has the same interfaces, in the same order. */
static void
add_sources(struct meter_call *sum, const struct meter_call *part)
{
	for (size_t i = 0; i < part->nsources; i++) {
		struct meter_source *to = &sum->source[i];

		if (i >= sum->nsources) {
			*to = part->source[i];
			sum->nsources++;
			continue;
		}
		to->up &= part->source[i].up;
		capture_stats_add(&to->stats, &part->source[i].stats);
	}
}

static void
take_stats(struct meters *ms, struct meter_call *call)
{
	call->nsources = 0;
	call->stats = (struct meter_stats){ .gathering = true };
	for (size_t i = 0; i < ms->n; i++) {
		add_stats(&call->stats, &ms->part[i]->stats);
		add_sources(call, ms->part[i]);
	}
	memcpy(call->stats.timeout_ms, ms->part[0]->stats.timeout_ms,
	    sizeof(call->stats.timeout_ms));
}

/* What the first that cannot says. */
static void
take_error(struct meters *ms, struct meter_call *call)
{
	call->error[0] = '\0';
	for (size_t i = 0; i < ms->n && call->error[0] == '\0'; i++)
		(void)strlcpy(
		    call->error, ms->part[i]->error, sizeof(call->error));
}

bool
meters_answered(struct meters *ms)
{
	for (size_t i = 0; i < ms->n; i++)
		if (!meter_answered(ms->member[i]))
			return false;
	if (ms->call != NULL && ms->call->op == METER_LIST)
		take_list(ms, ms->call);
	else if (ms->call != NULL && ms->call->op == METER_STATS)
		take_stats(ms, ms->call);
	else if (ms->call != NULL && ms->call->op == METER_TRY)
		take_error(ms, ms->call);
	ms->call = NULL;
	return true;
}

/* Ending ----------------------------------------------------------------- */

void
meters_stop(struct meters *ms, bool discard)
{
	for (size_t i = 0; i < ms->n; i++)
		meter_stop(ms->member[i], discard);
}

bool
meters_ended(const struct meters *ms)
{
	for (size_t i = 0; i < ms->n; i++)
		if (!meter_ended(ms->member[i]))
			return false;
	return true;
}

int
meters_join(struct meters *ms)
{
	int result = 0;

	for (size_t i = 0; i < ms->started; i++)
		result |= meter_join(ms->member[i]);
	ms->started = 0;
	return result;
}

void
meters_final_stats(struct meters *ms, struct meter_call *call)
{
	for (size_t i = 0; i < ms->n; i++)
		meter_final_stats(ms->member[i], ms->part[i]);
	take_stats(ms, call);
}

int
meters_permille(const struct meters *ms)
{
	return meter_permille(ms->member[ms->n - 1]);
}
