/* SPDX-License-Identifier: ISC */
/*
 * top.c - who sends most just now; see top.h.
 *
 * A picture of the largest flows is fetched again and again; what is shown is
 * what happened between the last two.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "picture.h"
#include "screen.h"
#include "text.h"
#include "top.h"

#define HEAD_LINES 4 /* of a page, above its rows */
#define BRIGHT_LINE 3
#define TITLE_LEN 128
#define COUNT_LEN 16 /* a number as shown */

struct top {
	struct top_options options;
	top_fetch_fn *fetch;
	void *arg;
	struct picture *now, *before;
	uint64_t now_ns, before_ns; /* monotonic: when they were taken */
	char *problem;              /* owned; one line */
};

static uint64_t
monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Pages -------------------------------------------------------------------- */

/* A number in few characters: 999, 1.2k, 34.5M. */
static const char *
shorten(char buf[COUNT_LEN], double n)
{
	static const char units[] = " kMGTPE";
	size_t unit = 0;

	while (n >= 999.5 && unit < sizeof(units) - 2) {
		n /= 1000;
		unit++;
	}
	if (unit == 0)
		(void)snprintf(buf, COUNT_LEN, "%.0f", n);
	else
		(void)snprintf(buf, COUNT_LEN, "%.1f%c", n, units[unit]);
	return buf;
}

/* What came in a second between the pictures; "-" without a second one. */
static const char *
rate(const struct top *t, char buf[COUNT_LEN], uint64_t n)
{
	double seconds = (double)(t->now_ns - t->before_ns) / 1e9;

	if (t->before == NULL || seconds <= 0)
		return "-";
	return shorten(buf, (double)n / seconds);
}

/* How wide the names of the rows shown are. */
static void
fit(const struct picture_row *row, size_t n, int width[2])
{
	for (size_t i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			if ((int)strlen(row[i].name[k]) > width[k])
				width[k] = (int)strlen(row[i].name[k]);
}

static void
write_row(FILE *out, const struct top *t, const struct picture_row *row,
    const int width[2])
{
	char sent[COUNT_LEN], received[COUNT_LEN], packets[COUNT_LEN];
	char octets[COUNT_LEN];

	if (t->options.kind != PICTURE_HOSTS)
		fprintf(out, "%-8s ", row->protocol);
	fprintf(out, "%-*s ", width[0], row->name[0]);
	if (t->options.kind == PICTURE_FLOWS)
		fprintf(out, "%-*s ", width[1], row->name[1]);
	fprintf(out, "%9s %9s %9s %9s\n", rate(t, sent, row->sent),
	    rate(t, received, row->received), rate(t, packets, row->packets),
	    shorten(octets, (double)row->octets));
}

static void
write_titles(FILE *out, const struct top *t, const int width[2])
{
	static const char *const first[] = { [PICTURE_FLOWS] = "SOURCE",
		[PICTURE_HOSTS] = "HOST",
		[PICTURE_PORTS] = "PORT" };

	if (t->options.kind != PICTURE_HOSTS)
		fprintf(out, "%-8s ", "PROTOCOL");
	fprintf(out, "%-*s ", width[0], first[t->options.kind]);
	if (t->options.kind == PICTURE_FLOWS)
		fprintf(out, "%-*s ", width[1], "DESTINATION");
	fprintf(out, "%9s %9s %9s %9s\n", "SENT/S", "RECVD/S", "PACKETS/S",
	    "OCTETS");
}

/* The lines above the titles: what of, of how many, which keys. */
static void
write_head(FILE *out, const struct top *t)
{
	struct picture_sums sums = picture_sums(t->now);
	char title[TITLE_LEN], octets[COUNT_LEN];
	time_t now = time(NULL);
	struct tm tm;

	text_clean(title, sizeof(title), t->options.title);
	(void)localtime_r(&now, &tm);
	fprintf(out, "%02d:%02d:%02d  %s\n", tm.tm_hour, tm.tm_min, tm.tm_sec,
	    title);
	fprintf(out, "%" PRIu64 " active flows with %s octets", sums.flows,
	    shorten(octets, (double)sums.octets));
	if (sums.kept < sums.flows)
		fprintf(out, "; the largest %" PRIu64 " of them", sums.kept);
	fprintf(out, "; by %s\n", t->options.by_packets ? "packets" : "octets");
	if (!t->options.batch)
		fprintf(out,
		    "f flows  h hosts  p ports  s sort by %s  "
		    "q quit\n",
		    t->options.by_packets ? "octets" : "packets");
}

static size_t
rows_wanted(const struct top *t)
{
	int lines, columns;

	if (t->options.lines != 0)
		return t->options.lines;
	if (t->options.batch)
		return TOP_LINES;
	screen_size(&lines, &columns);
	return lines <= HEAD_LINES ? 0 : (size_t)(lines - HEAD_LINES);
}

static void
write_page(FILE *out, const struct top *t)
{
	int width[2] = { 15, 15 };
	struct picture_row *row;
	size_t n = picture_rows(
	    t->now, t->before, t->options.kind, t->options.by_packets, &row);

	if (n > rows_wanted(t))
		n = rows_wanted(t);
	fit(row, n, width);
	write_head(out, t);
	write_titles(out, t, width);
	for (size_t i = 0; i < n; i++)
		write_row(out, t, &row[i], width);
	free(row);
}

/* Pictures ------------------------------------------------------------------
 */

/* Take the next picture.  0; or -1 with t->problem, unless out of memory. */
static int
take(struct top *t)
{
	char *text = NULL;
	struct picture *p;

	if (t->fetch(
		t->options.by_packets ? "largest packets" : "largest octets",
		&text, t->arg) != 0) {
		t->problem = text;
		return -1;
	}
	p = picture_parse(text);
	free(text);
	if (p == NULL) {
		t->problem = strdup("the answer is not understood; is "
				    "softprobe of the same version?");
		return -1;
	}
	picture_free(t->before);
	t->before = t->now;
	t->before_ns = t->now_ns;
	t->now = p;
	t->now_ns = monotonic_ns();
	return 0;
}

/*
 * Sort by the other measure.  The largest flows by one are not those by the
 * other, so unless pictures have all flows they are of no use any more; then
 * a new one is needed.
 */
static bool
sort_by_other(struct top *t)
{
	struct picture_sums sums = picture_sums(t->now);

	t->options.by_packets = !t->options.by_packets;
	if (sums.kept == sums.flows)
		return false;
	picture_free(t->now);
	picture_free(t->before);
	t->now = t->before = NULL;
	return true;
}

/* Batch ------------------------------------------------------------------- */

static void
pause_ms(uint32_t ms)
{
	struct timespec ts = { .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

static int
run_batch(struct top *t)
{
	if (take(t) != 0)
		return -1;
	for (uint32_t n = 0; t->options.count == 0 || n < t->options.count;
	     n++) {
		pause_ms(t->options.delay_ms);
		if (take(t) != 0)
			return -1;
		if (n > 0)
			putchar('\n');
		write_page(stdout, t);
		if (fflush(stdout) != 0)
			return errno == EPIPE ? 0 : -1;
	}
	return 0;
}

/* On a terminal ---------------------------------------------------------------
 */

static void
draw(const struct top *t)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return;
	write_page(out, t);
	if (fclose(out) == 0)
		screen_draw(text, BRIGHT_LINE);
	free(text);
}

/* Do what a key says.  Returns whether a new picture is needed for it. */
static bool
obey(struct top *t, char key, bool *quit)
{
	switch (key) {
	case 'f':
		t->options.kind = PICTURE_FLOWS;
		break;
	case 'h':
		t->options.kind = PICTURE_HOSTS;
		break;
	case 'p':
		t->options.kind = PICTURE_PORTS;
		break;
	case 's':
		return sort_by_other(t);
	case ' ':
		return true;
	case 'q':
		*quit = true;
		break;
	default:
		break;
	}
	return false;
}

/* Show the picture until the next one is due.  False to quit. */
static bool
show(struct top *t)
{
	uint64_t due_ns = t->now_ns + t->options.delay_ms * UINT64_C(1000000);
	bool quit = false;

	draw(t);
	for (;;) {
		uint64_t now_ns = monotonic_ns();
		char key = 0;

		if (now_ns >= due_ns)
			return true;
		switch (screen_wait(
		    (uint32_t)((due_ns - now_ns) / 1000000 + 1), &key)) {
		case SCREEN_LEAVE:
			return false;
		case SCREEN_KEY:
			if (obey(t, key, &quit))
				return true;
			if (quit)
				return false;
			draw(t);
			break;
		case SCREEN_REDRAW:
			draw(t);
			break;
		case SCREEN_TIMEOUT:
			break;
		}
	}
}

static int
run_screen(struct top *t)
{
	int result = 0;

	if (screen_open() != 0) {
		warnx("top needs a terminal; give -b for text");
		return 2;
	}
	for (uint32_t n = 0; t->options.count == 0 || n < t->options.count;
	     n++) {
		result = take(t);
		if (result != 0 || !show(t))
			break;
	}
	screen_close();
	return result;
}

int
top_run(const struct top_options *options, top_fetch_fn *fetch, void *arg)
{
	struct top t = { .options = *options, .fetch = fetch, .arg = arg };
	int result = options->batch ? run_batch(&t) : run_screen(&t);

	if (result == -1)
		warnx("%s", t.problem != NULL ? t.problem : strerror(errno));
	picture_free(t.now);
	picture_free(t.before);
	free(t.problem);
	return result == -1 ? 1 : result;
}
