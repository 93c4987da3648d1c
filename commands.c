/* SPDX-License-Identifier: ISC */
/*
 * commands.c - what softprobectl can ask of a running probe.
 *
 * Each command is a row of the table at the end.  A handler never waits: what
 * only the metering thread knows is asked for with ask(), and the handler is
 * called again when the answer is there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "exporter.h"
#include "largest.h"
#include "log.h"
#include "metrics.h"
#include "printer.h"
#include "probe.h"
#include "report.h"

#define WORDS_MAX 8

static enum control_result
fail(struct control_request *rq, const char *message)
{
	rq->failed = true;
	fputs(message, rq->out);
	return CONTROL_DONE;
}

static enum control_result
done(struct control_request *rq)
{
	fputs(rq->json ? "{}\n" : "", rq->out);
	return CONTROL_DONE;
}

/* Put p->call to the meters, which are free, for this request. */
static void
ask(struct probe *p, const struct control_request *rq, struct meter_call call)
{
	p->call.op = call.op;
	p->call.cursor = call.cursor;
	p->call.timeouts = call.timeouts;
	p->call.timeout_ms = call.timeout_ms;
	p->call.gather = call.gather;
	if (meters_ask(p->meters, &p->call) == 0)
		p->asker = rq;
}

/*
 * Whether the meter answered this request; asks first if need be.  A meter
 * that has ended answers nothing but still has its counters.
 */
static bool
answered(
    struct probe *p, const struct control_request *rq, struct meter_call call)
{
	if (rq->step == 0 && p->asker == rq)
		p->asker = NULL; /* left over from a client that went away */
	if (p->asker != rq && !meters_answered(p->meters))
		return false;
	if (p->asker != rq && meters_ended(p->meters)) {
		p->call.nrecords = 0;
		p->call.cursor = 0;
		meters_final_stats(p->meters, &p->call);
		return true;
	}
	if (p->asker != rq)
		ask(p, rq, call);
	if (p->asker != rq || !meters_answered(p->meters))
		return false;
	p->asker = NULL;
	return true;
}

static uint64_t
elapsed_ns(const struct probe *p)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec -
	       p->started_ns;
}

/* Commands that show counters --------------------------------------------- */

static enum control_result
run_statistics(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	if (!answered(p, rq, (struct meter_call){ .op = METER_STATS }))
		return CONTROL_WAIT;
	report_statistics(
	    rq->out, rq->json, &p->call, p->router, p->exporter, elapsed_ns(p));
	return CONTROL_DONE;
}

static enum control_result
run_interfaces(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	if (!answered(p, rq, (struct meter_call){ .op = METER_STATS }))
		return CONTROL_WAIT;
	report_interfaces(rq->out, rq->json, &p->call);
	return CONTROL_DONE;
}

static enum control_result
run_timeouts(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	if (!answered(p, rq, (struct meter_call){ .op = METER_STATS }))
		return CONTROL_WAIT;
	report_timeouts(rq->out, rq->json, &p->call);
	return CONTROL_DONE;
}

static enum control_result
run_collectors(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	if (p->exporter == NULL)
		return fail(rq, "no collectors: records go to standard output");
	report_collectors(rq->out, rq->json, p->exporter);
	return CONTROL_DONE;
}

static enum control_result
run_metrics(struct control_request *rq, void *arg)
{
	struct probe *p = arg;
	bool prometheus = strcmp(rq->argument, "prometheus") == 0;

	if (*rq->argument != '\0' && !prometheus)
		return fail(rq, "give metrics, or metrics prometheus");
	if (rq->json)
		return fail(rq, "metrics are no JSON; leave -j out");
	if (!answered(p, rq, (struct meter_call){ .op = METER_STATS }))
		return CONTROL_WAIT;
	metrics_write(rq->out,
	    prometheus ? METRICS_PROMETHEUS : METRICS_OPENMETRICS, p, &p->call);
	return CONTROL_DONE;
}

static enum control_result
run_version(struct control_request *rq, void *arg)
{
	(void)arg;
	fprintf(rq->out, rq->json ? "{\"version\":\"%s\"}\n" : "%s\n", VERSION);
	return CONTROL_DONE;
}

/* flows ------------------------------------------------------------------ */

/* Whether every word stands in what identifies the flow. */
static bool
flow_matches(const struct flow_record *r, char *const word[], size_t words)
{
	bool ports = (r->src_port | r->dst_port) != 0;
	char src[PRINTER_ENDPOINT_LEN], dst[PRINTER_ENDPOINT_LEN], name[8];
	char text[2 * PRINTER_ENDPOINT_LEN + 32];

	printer_endpoint(src, r->ip_version, r->src, r->src_port, ports);
	printer_endpoint(dst, r->ip_version, r->dst, r->dst_port, ports);
	snprintf(text, sizeof(text), "%s %s %s",
	    printer_protocol(name, r->protocol), src, dst);
	for (size_t i = 0; i < words; i++)
		if (strstr(text, word[i]) == NULL)
			return false;
	return true;
}

static size_t
split_words(char *text, char *word[WORDS_MAX])
{
	size_t n = 0;

	for (char *w; (w = strsep(&text, " \t")) != NULL && n < WORDS_MAX;)
		if (*w != '\0')
			word[n++] = w;
	return n;
}

static void
list_flows(struct probe *p, struct control_request *rq)
{
	char words[CONTROL_LINE_MAX], *word[WORDS_MAX];
	size_t n;

	strlcpy(words, rq->argument, sizeof(words));
	n = split_words(words, word);
	printer_redirect(p->lister, rq->out);
	for (size_t i = 0; i < p->call.nrecords; i++)
		if (flow_matches(&p->call.record[i], word, n))
			printer_add(p->lister, &p->call.record[i]);
	rq->cursor = p->call.cursor;
}

/* Page by page, as fast as the client reads. */
static enum control_result
run_flows(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	if (rq->step == 0) {
		printer_free(p->lister);
		p->lister = printer_new(rq->out,
		    rq->json ? PRINTER_JSON : PRINTER_TABLE,
		    &p->config.exporter.fields);
	}
	if (p->lister == NULL)
		return fail(rq, "out of memory");
	if (!answered(p, rq,
		(struct meter_call){ .op = METER_LIST, .cursor = rq->cursor }))
		return CONTROL_WAIT;
	list_flows(p, rq);
	if (rq->cursor != 0)
		return CONTROL_PART;
	printer_flush(p->lister);
	return CONTROL_DONE;
}

/* largest ------------------------------------------------------------------ */

/* What is asked for: octets or packets.  Returns whether it is either. */
static bool
wants_packets(const char *argument, bool *by_packets)
{
	*by_packets = strcmp(argument, "packets") == 0;
	return *by_packets || *argument == '\0' ||
	       strcmp(argument, "octets") == 0;
}

/*
 * Page by page through all flows, and an answer at the end: nobody else's
 * handler runs in between, so that one place for it will do.
 */
static enum control_result
run_largest(struct control_request *rq, void *arg)
{
	struct probe *p = arg;
	bool by_packets;

	if (!wants_packets(rq->argument, &by_packets) || rq->json)
		return fail(rq, "give largest octets, or largest packets; "
				"there is no JSON");
	if (rq->step == 0) {
		largest_free(p->largest);
		p->largest = largest_new(LARGEST_MAX, by_packets);
	}
	if (p->largest == NULL)
		return fail(rq, "out of memory");
	do {
		if (!answered(p, rq,
			(struct meter_call){
			    .op = METER_LIST, .cursor = rq->cursor }))
			return CONTROL_WAIT;
		for (size_t i = 0; i < p->call.nrecords; i++)
			largest_add(p->largest, &p->call.record[i]);
		rq->cursor = p->call.cursor;
	} while (rq->cursor != 0);
	largest_write(p->largest, rq->out);
	largest_free(p->largest);
	p->largest = NULL;
	return CONTROL_DONE;
}

/* Commands that do something ----------------------------------------------- */

static enum control_result
run_call(struct control_request *rq, struct probe *p, struct meter_call call)
{
	return answered(p, rq, call) ? done(rq) : CONTROL_WAIT;
}

static enum control_result
run_expire_all(struct control_request *rq, void *arg)
{
	return run_call(rq, arg, (struct meter_call){ .op = METER_EXPIRE_ALL });
}

static enum control_result
run_delete_all(struct control_request *rq, void *arg)
{
	return run_call(rq, arg, (struct meter_call){ .op = METER_DELETE_ALL });
}

static enum control_result
run_start_gather(struct control_request *rq, void *arg)
{
	return run_call(
	    rq, arg, (struct meter_call){ .op = METER_GATHER, .gather = true });
}

static enum control_result
run_stop_gather(struct control_request *rq, void *arg)
{
	return run_call(rq, arg, (struct meter_call){ .op = METER_GATHER });
}

/* set NAME=TIME, or as some write it, set timeout NAME=TIME. */
static enum control_result
run_set(struct control_request *rq, void *arg)
{
	struct meter_call call = { .op = METER_SET_TIMEOUT };
	char errbuf[CONFIG_ERROR_LEN];
	const char *text = rq->argument;

	if (strncmp(text, "timeout ", 8) == 0)
		text += 8;
	if (config_timeout(text, &call.timeouts, &call.timeout_ms, errbuf) ==
	    -1)
		return fail(rq, errbuf);
	return run_call(rq, arg, call);
}

/* A list of names as JSON. */
static void
put_names(FILE *out, const char *title, const char *names)
{
	fprintf(out, "\"%s\":[", title);
	while (*names != '\0') {
		size_t len = strcspn(names, ",");
		bool last = names[len] == '\0';

		fprintf(out, "\"%.*s\"%s", (int)len, names, last ? "" : ",");
		names += last ? len : len + 2;
	}
	fputc(']', out);
}

static void
put_reload(const struct control_request *rq, const struct reload *r)
{
	if (rq->json) {
		fputc('{', rq->out);
		put_names(rq->out, "changed", r->changed);
		fputc(',', rq->out);
		put_names(rq->out, "unchangedUntilRestart", r->restart);
		fputs("}\n", rq->out);
		return;
	}
	fprintf(rq->out, "changed: %s\n",
	    r->changed[0] == '\0' ? "nothing" : r->changed);
	if (r->restart[0] != '\0')
		fprintf(rq->out, "unchanged until a restart: %s\n", r->restart);
}

/* As SIGHUP does; one that is under way may have read the file before. */
static enum control_result
run_reload(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	if (p->reload.path == NULL)
		return fail(rq, "there is no file to read again; start "
				"softprobe with --config");
	if (!reload_possible(p))
		return fail(rq, "a replay goes on as it was begun");
	if (rq->step == 0)
		rq->cursor = reload_want(p);
	if (!reload_done(p, rq->cursor))
		return CONTROL_WAIT;
	if (p->reload.refused)
		return fail(rq, p->reload.error);
	put_reload(rq, &p->reload);
	return CONTROL_DONE;
}

static enum control_result
run_debug_on(struct control_request *rq, void *arg)
{
	(void)arg;
	log_set_debug(true);
	return done(rq);
}

static enum control_result
run_debug_off(struct control_request *rq, void *arg)
{
	(void)arg;
	log_set_debug(false);
	return done(rq);
}

static enum control_result
run_send_template(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	if (p->exporter == NULL)
		return fail(rq, "no collectors: records go to standard output");
	exporter_send_templates(p->exporter);
	return done(rq);
}

static enum control_result
run_shutdown(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	p->stopping = true;
	return done(rq);
}

static enum control_result
run_exit(struct control_request *rq, void *arg)
{
	struct probe *p = arg;

	p->stopping = p->abandon = true;
	return done(rq);
}

/* clang-format off */
const struct control_command probe_commands[] = {
{ "statistics",    "",          "counters, both sides of the account",     run_statistics },
{ "flows",         "[WORD...]", "active flows, those with every word",     run_flows },
{ "dump-flows",    "[WORD...]", "the same as flows",                       run_flows },
{ "largest",       "[octets|packets]", "the largest active flows, for top", run_largest },
{ "collectors",    "",          "what each collector was sent",            run_collectors },
{ "interfaces",    "",          "what each source counted",                run_interfaces },
{ "metrics",       "[prometheus]", "all counters as OpenMetrics",          run_metrics },
{ "timeouts",      "",          "the timeouts in force",                   run_timeouts },
{ "set",           "NAME=TIME", "change a timeout, e.g. idle=30s",         run_set },
{ "reload",        "",          "read the configuration file again",       run_reload },
{ "expire-all",    "",          "end and export all active flows",         run_expire_all },
{ "delete-all",    "",          "throw all active flows away",             run_delete_all },
{ "send-template", "",          "send templates to all collectors now",    run_send_template },
{ "start-gather",  "",          "meter packets again",                     run_start_gather },
{ "stop-gather",   "",          "count packets without metering them",     run_stop_gather },
{ "debug+",        "",          "log debugging messages",                  run_debug_on },
{ "debug-",        "",          "log them no longer",                      run_debug_off },
{ "version",       "",          "version of the running probe",            run_version },
{ "shutdown",      "",          "export all active flows and leave",       run_shutdown },
{ "exit",          "",          "leave without exporting active flows",    run_exit },
{ NULL, NULL, NULL, NULL }
};
/* clang-format on */
