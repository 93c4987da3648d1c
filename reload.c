/* SPDX-License-Identifier: ISC */
/*
 * reload.c - read the configuration again while running; see reload.h.
 *
 * Nothing here waits: each turn of the loop goes one step on, if it can.
 * Decides in which order things change; how they do is the meters' and the
 * exporter's to know.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conffile.h"
#include "confine.h"
#include "exporter.h"
#include "log.h"
#include "printer.h"
#include "probe.h"
#include "record.h"
#include "reload.h"
#include "router.h"
#include "transport.h"

#define DRAIN_NS (2 * NS_PER_S) /* records of before have so long */

/* Reading ---------------------------------------------------------------- */

/* Read a file, if there is one to read, and then the command line. */
static enum config_result
read_config(
    const struct reload *r, struct config *cfg, char errbuf[CONFIG_ERROR_LEN])
{
	struct conffile *file = NULL;

	if (r->path != NULL) {
		file = conffile_read(r->path, r->guarded, errbuf);
		if (file == NULL)
			return CONFIG_BAD;
	}
	return config_parse(cfg, file, r->argc, r->argv, errbuf);
}

/* A path that is good from any directory; NULL without memory. */
static char *
absolute_path(const char *path)
{
	char *folder = *path == '/' ? strdup("") : getcwd(NULL, 0), *whole;

	if (folder == NULL)
		return NULL;
	if (asprintf(&whole, "%s%s%s", folder, *path == '/' ? "" : "/", path) ==
	    -1)
		whole = NULL;
	free(folder);
	return whole;
}

enum config_result
reload_first(
    struct probe *p, int argc, char **argv, char errbuf[CONFIG_ERROR_LEN])
{
	struct reload *r = &p->reload;
	const char *name = config_file_name(argc, argv);

	r->argc = argc;
	r->argv = argv;
	r->guarded = geteuid() == 0;
	if (name != NULL) {
		r->path = absolute_path(name);
		if (r->path == NULL) {
			(void)snprintf(errbuf, CONFIG_ERROR_LEN, "%.200s: %s",
			    name, strerror(errno));
			return CONFIG_BAD;
		}
	}
	return read_config(r, &p->config, errbuf);
}

/* Free what was replaced once nobody uses it. */
static void
free_old(struct reload *r)
{
	while (r->nold > 0) {
		struct config *old = r->old[--r->nold];

		config_free(old);
		free(old);
		r->old[r->nold] = NULL;
	}
}

void
reload_free(struct reload *r)
{
	if (r->phase != RELOAD_IDLE)
		config_free(&r->next);
	r->phase = RELOAD_IDLE;
	free_old(r);
	for (size_t i = 0; i < RELOADS_KEPT; i++) {
		free(r->old[i]); /* a place that was not needed */
		r->old[i] = NULL;
	}
	conffile_free(r->first);
	r->first = NULL;
	free(r->path);
	r->path = NULL;
}

/* The end of it ---------------------------------------------------------- */

static void
tell_manager(const struct probe *p, const char *status)
{
	char state[CONFIG_ERROR_LEN + 32];

	(void)snprintf(state, sizeof(state), "READY=1\nSTATUS=%s", status);
	notify_send(&p->notify, state);
}

static void
finish(struct probe *p)
{
	p->reload.phase = RELOAD_IDLE;
	p->reload.done = p->reload.begun;
	wake_ring(&p->wake); /* somebody may wait for the answer */
}

/* It cannot be, for what is in r->error. */
static void
refuse(struct probe *p)
{
	struct reload *r = &p->reload;

	r->refused = true;
	log_error("not reloaded: %s", r->error);
	tell_manager(p, r->error);
	finish(p);
}

/* The same, once there is another configuration, which is freed. */
static void __attribute__((format(printf, 2, 3)))
refuse_next(struct probe *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(p->reload.error, sizeof(p->reload.error), fmt, ap);
	va_end(ap);
	config_free(&p->reload.next);
	refuse(p);
}

static void
say_done(struct probe *p)
{
	const struct reload *r = &p->reload;
	bool waits = r->restart[0] != '\0';

	log_note("reloaded %s: changed: %s%s%s", r->path,
	    r->changed[0] == '\0' ? "nothing" : r->changed,
	    waits ? "; unchanged until a restart: " : "", r->restart);
	tell_manager(p, "");
	finish(p);
}

/* Exchange what changes; the other configuration then has the old of it. */
static void
exchange(struct reload *r, struct config *now)
{
	struct config *next = &r->next, old = *now;
	struct field_choice *fields = &now->exporter.fields;

	now->exporter.mode = next->exporter.mode;
	now->exporter.sampling = next->exporter.sampling;
	now->exporter.rate = next->exporter.rate;
	*fields = next->exporter.fields;
	fields->interface = old.exporter.fields.interface;
	fields->ninterfaces = old.exporter.fields.ninterfaces;
	memcpy(now->track.timeout_ms, next->track.timeout_ms,
	    sizeof(now->track.timeout_ms));
	now->track.octets_max = next->track.octets_max;
	now->rate_given = next->rate_given;
	now->debug = next->debug;
	now->quiet = next->quiet;
	now->collector = next->collector;
	now->ncollectors = next->ncollectors;
	now->filter_text = next->filter_text;
	now->capture.filter = next->capture.filter;
	now->file = next->file;
	next->collector = old.collector;
	next->ncollectors = old.ncollectors;
	next->filter_text = old.filter_text;
	next->file = old.file;
	if (r->first == NULL) { /* what does not change points into it */
		r->first = next->file;
		next->file = NULL;
	}
}

static bool
uses_old(const struct probe *p)
{
	return p->exporter != NULL && exporter_lets_go(p->exporter);
}

/* Put what was replaced aside.  The place for it was made before. */
static void
keep_old(struct probe *p)
{
	struct reload *r = &p->reload;

	*r->old[r->nold++] = r->next;
	if (!uses_old(p))
		free_old(r);
}

/* Make a place for what will be replaced; false if there is none now. */
static bool
make_place(struct reload *r)
{
	if (r->nold == RELOADS_KEPT)
		return false;
	if (r->old[r->nold] == NULL)
		r->old[r->nold] = malloc(sizeof(struct config));
	return r->old[r->nold] != NULL;
}

/* The meters have changed; now all else does. */
static void
change_rest(struct probe *p)
{
	struct reload *r = &p->reload;

	if (p->printer != NULL)
		printer_flush(p->printer);
	if (p->exporter != NULL &&
	    exporter_change(p->exporter, &r->next.exporter, r->next.collector,
		r->next.ncollectors) == -1) {
		refuse_next(p, "collectors, fields: %s", strerror(errno));
		return;
	}
	if (router_change(p->router, r->next.ncollectors,
		config_longest_ms(&r->next) * NS_PER_MS + ROUTER_MARGIN_NS) ==
	    -1)
		log_warn("own sessions to new collectors are metered: %s",
		    strerror(errno));
	if (r->next.debug != p->config.debug)
		log_set_debug(r->next.debug);
	exchange(r, &p->config);
	keep_old(p);
	say_done(p);
}

/* Its beginning ---------------------------------------------------------- */

/* Whether a collector is one there is. */
static bool
is_kept(const struct config *running, const struct collector_config *c)
{
	for (size_t i = 0; i < running->ncollectors; i++)
		if (endpoint_equal(&running->collector[i], c))
			return true;
	return false;
}

/* Refuse an option of a line, or for 0 of the command line. */
static void
refuse_line(struct probe *p, size_t line, const char *name, const char *why)
{
	if (line == 0)
		refuse_next(p, "%s: %s", name, why);
	else
		refuse_next(
		    p, "%s:%zu: %s: %s", p->reload.path, line, name, why);
}

/* What collectors name on this machine must be there, and for us.  0 or -1. */
static int
check_collectors(struct probe *p)
{
	const struct config *next = &p->reload.next;
	char reason[REASON_LEN];

	for (size_t i = 0; i < next->ncollectors; i++) {
		const struct collector_config *c = &next->collector[i];

		if (is_kept(&p->config, c) ||
		    (confine_check(c, reason) == 0 &&
			transport_check(c, reason) == 0))
			continue;
		refuse_line(p, c->line, "collector", reason);
		return -1;
	}
	return 0;
}

/* What the meters shall do; without a change they are not asked to. */
static void
make_settings(struct reload *r, const struct config *now)
{
	const struct config *next = &r->next;
	const char *was = now->capture.filter, *is = next->capture.filter;
	const struct sampling *s = &next->exporter.sampling;

	r->settings = (struct meter_settings){
		.octets_max = next->track.octets_max,
		.sampling = *s,
		.filter = is,
		.new_filter = was == NULL || is == NULL ? was != is
							: strcmp(was, is) != 0,
		/* Records are told with the sampling they underwent, and those
		 * of some formats cannot have more octets. */
		.end_flows =
		    memcmp(s, &now->exporter.sampling, sizeof(*s)) != 0 ||
		    next->track.octets_max < now->track.octets_max,
	};
	memcpy(r->settings.timeout_ms, next->track.timeout_ms,
	    sizeof(r->settings.timeout_ms));
	r->call.settings = &r->settings;
	r->phase = r->settings.new_filter ? RELOAD_TRYING : RELOAD_CHANGING;
	r->asked = false;
}

static void
begin(struct probe *p, uint64_t mono_ns)
{
	struct reload *r = &p->reload;
	char state[64];

	r->begun = r->wanted;
	r->refused = false;
	r->changed[0] = r->restart[0] = r->error[0] = '\0';
	(void)snprintf(state, sizeof(state),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, mono_ns / 1000);
	notify_send(&p->notify, state);
	if (read_config(r, &r->next, r->error) != CONFIG_RUN ||
	    config_adapt(&r->next, &p->config, r->restart, sizeof(r->restart),
		r->error) != CONFIG_RUN) {
		refuse(p);
		return;
	}
	config_changes(
	    &p->config, &r->next, false, r->changed, sizeof(r->changed));
	if (check_collectors(p) == 0)
		make_settings(r, &p->config);
}

/* Steps ------------------------------------------------------------------ */

/* Ask the meters what the phase is for; true when they have answered. */
static bool
ask(struct probe *p)
{
	struct reload *r = &p->reload;

	if (!meters_answered(p->meters))
		return false;
	if (r->asked) {
		r->asked = false;
		return true;
	}
	r->call.op = r->phase == RELOAD_TRYING ? METER_TRY : METER_CHANGE;
	if (meters_ask(p->meters, &r->call) == 0)
		r->asked = true;
	else
		refuse_next(p, "softprobe is leaving");
	return false;
}

static void
step_trying(struct probe *p)
{
	if (!ask(p))
		return;
	if (p->reload.call.error[0] == '\0')
		p->reload.phase = RELOAD_CHANGING;
	else
		refuse_line(p, p->reload.next.filter_line, "filter",
		    p->reload.call.error);
}

static void
step_changing(struct probe *p, uint64_t mono_ns)
{
	if (!ask(p))
		return;
	p->reload.phase = RELOAD_DRAINING;
	p->reload.until_ns =
	    p->reload.settings.end_flows ? mono_ns + DRAIN_NS : 0;
}

void
reload_step(struct probe *p, uint64_t mono_ns)
{
	struct reload *r = &p->reload;

	if (r->nold > 0 && !uses_old(p))
		free_old(r);
	if (r->phase == RELOAD_IDLE && r->begun != r->wanted && make_place(r))
		begin(p, mono_ns);
	if (r->phase == RELOAD_TRYING)
		step_trying(p);
	if (r->phase == RELOAD_CHANGING)
		step_changing(p, mono_ns);
	if (r->phase == RELOAD_DRAINING &&
	    (mono_ns >= r->until_ns || !meters_wait(p->meters)))
		change_rest(p);
}

/* Wishes ----------------------------------------------------------------- */

bool
reload_possible(const struct probe *p)
{
	/* A replay gives the same records twice, whatever else happens. */
	return p->reload.path != NULL && !p->config.replay;
}

uint32_t
reload_want(struct probe *p)
{
	return ++p->reload.wanted;
}

bool
reload_done(const struct probe *p, uint32_t wish)
{
	return (int32_t)(p->reload.done - wish) >= 0;
}
