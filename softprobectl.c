/* SPDX-License-Identifier: ISC */
/*
 * softprobectl.c - ask a running softprobe: send one request line, copy the
 * reply.  What commands there are, the daemon knows; only `top` is made here,
 * of many replies (top.c).
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "top.h"
#include "values.h"

#define CONTROL_DEFAULT RUNSTATEDIR "/softprobe/softprobe.ctl"
#define TIMEOUT_S 10        /* without an octet from the daemon */
#define PICTURE_MAX 1048576 /* octets kept of a reply to top */
#define DELAY_MIN_MS 100
#define DELAY_MAX_MS 3600000

enum { EXIT_USAGE = 2 };

static const struct {
	const char *name, *help;
} commands[] = {
	{ "statistics", "all counters" },
	{ "flows [FILTER]", "active flows" },
	{ "dump-flows", "active flows" },
	{ "collectors", "state and counters of each collector" },
	{ "interfaces", "state and counters of each source" },
	{ "top [flows|hosts|ports]", "who sends most just now" },
	{ "largest [octets|packets]", "what top reads" },
	{ "metrics [prometheus]", "all counters as OpenMetrics" },
	{ "timeouts", "timeouts in force" },
	{ "set timeout NAME=TIME", "change a timeout" },
	{ "reload", "read the configuration file again" },
	{ "expire-all", "end and export all flows" },
	{ "delete-all", "forget all flows, export nothing" },
	{ "send-template", "send the templates now" },
	{ "stop-gather", "stop metering" },
	{ "start-gather", "go on metering" },
	{ "debug+", "show debug messages" },
	{ "debug-", "hide debug messages" },
	{ "shutdown", "export all flows, then stop" },
	{ "exit", "stop at once, export nothing" },
	{ "version", "version of the daemon" },
	{ "help", "commands of the daemon" },
};

static void
usage(FILE *out)
{
	(void)fprintf(out, "usage: softprobectl [-c SOCKET] [-j] COMMAND "
			   "[ARGUMENT ...]\n"
			   "       softprobectl [-c SOCKET] [-b] [-d TIME] "
			   "[-l ROWS] [-n COUNT] [-s MEASURE]\n"
			   "                    top [flows|hosts|ports]\n");
}

static void
print_help(void)
{
	usage(stdout);
	printf("\n  -c, --control SOCKET       where softprobe listens\n"
	       "                             (" CONTROL_DEFAULT ")\n"
	       "  -j, --json                 reply in JSON\n"
	       "  -h, --help                 this text\n"
	       "  -V, --version              the version number\n"
	       "\nOptions of top:\n"
	       "  -b, --batch                text instead of a screen\n"
	       "  -d, --delay TIME           between two pictures (2)\n"
	       "  -l, --lines ROWS           at most (those that fit, or 20)\n"
	       "  -n, --count COUNT          pages, then leave\n"
	       "  -s, --sort MEASURE         octets or packets (octets)\n"
	       "\nCommands:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		printf("  %-26s %s\n", commands[i].name, commands[i].help);
}

static void
print_version(void)
{
	puts(VERSION);
}

/* What went wrong last; on a screen it is told when that is left. */
static char problem[CONTROL_LINE_MAX * 2];
static bool on_screen;

static void __attribute__((format(printf, 1, 2))) tell(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(problem, sizeof(problem), fmt, ap);
	va_end(ap);
	if (!on_screen)
		warnx("%s", problem);
}

/* Leave after output; a reader that went away is told nothing. */
static int
finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	if (errno != EPIPE)
		warn("standard output");
	return EXIT_FAILURE;
}

/* Join the words of the command line to one request line. */
static int
make_request(char *line, size_t len, bool json, char **words)
{
	size_t used = strlcpy(line, json ? "json" : "", len);

	for (; *words != NULL; words++) {
		if (strchr(*words, '\n') != NULL) {
			warnx("a command cannot hold a line break");
			return -1;
		}
		if (used > 0)
			(void)strlcat(line, " ", len);
		used = strlcat(line, *words, len);
	}
	if (used >= len - 1) {
		warnx("a command has at most %d octets", CONTROL_LINE_MAX);
		return -1;
	}
	(void)strlcat(line, "\n", len);
	return 0;
}

/* Connect, with time limits for all that follows.  -1 with errno. */
static int
connect_to(const char *path)
{
	const struct timeval limit = { .tv_sec = TIMEOUT_S };
	const socklen_t len = sizeof(limit);
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, len) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, len) == 0 &&
	    connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

/* Send what the daemon takes; if it hung up, its reply tells why. */
static void
send_request(int fd, const char *line)
{
	size_t len = strlen(line), sent = 0;

	while (sent < len) {
		ssize_t n = send(fd, line + sent, len - sent, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		sent += (size_t)n;
	}
}

/* Read some of the reply: 0 at its end, -1 after telling what went wrong. */
static ssize_t
read_some(int fd, const char *path, char *buf, size_t len)
{
	ssize_t n;

	do
		n = read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == ECONNRESET)
		return 0; /* it hung up before it read our whole request */
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		tell("%s: no answer within %d seconds", path, TIMEOUT_S);
	else if (n < 0)
		tell("%s: %s", path, strerror(errno));
	return n;
}

/*
 * Copy the reply as it comes to a stream, or else, if it is an error, tell
 * that.  Returns the exit status.
 */
static int
copy_reply(int fd, const char *path, FILE *out)
{
	char buf[CONTROL_LINE_MAX * 2], *text = NULL;
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && text == NULL && len < sizeof(buf)) {
		n = read_some(fd, path, buf + len, sizeof(buf) - len);
		if (n < 0)
			return EXIT_FAILURE;
		len += (size_t)n;
		text = memchr(buf, '\n', len);
	}
	if (text == NULL) {
		tell("%s: hung up without a reply", path);
		return EXIT_FAILURE;
	}
	*text++ = '\0';
	if (text - buf != sizeof("ok") || strcmp(buf, "ok") != 0) {
		tell("%s", buf + (strncmp(buf, "error: ", 7) == 0 ? 7 : 0));
		return EXIT_FAILURE;
	}
	len -= (size_t)(text - buf);
	while (fwrite(text, 1, len, out) == len && fflush(out) == 0 && n > 0) {
		n = read_some(fd, path, buf, sizeof(buf));
		if (n < 0)
			return EXIT_FAILURE;
		text = buf;
		len = (size_t)n;
	}
	return EXIT_SUCCESS;
}

static void
tell_unreachable(const char *path)
{
	tell("cannot reach softprobe at %s: %s", path, strerror(errno));
}

/* Without a daemon: a few words have an answer all the same. */
static int
answer_alone(const char *path, const char *word)
{
	if (strcmp(word, "version") == 0)
		print_version();
	else if (strcmp(word, "help") == 0)
		print_help();
	else {
		tell_unreachable(path);
		return EXIT_FAILURE;
	}
	return finish_output();
}

static int
ask(const char *path, bool json, char **words)
{
	char line[CONTROL_LINE_MAX + 2]; /* and newline and NUL */
	int fd, status;

	if (make_request(line, sizeof(line), json, words) != 0)
		return EXIT_USAGE;
	fd = connect_to(path);
	if (fd < 0)
		return answer_alone(path, words[0]);
	send_request(fd, line);
	status = copy_reply(fd, path, stdout);
	(void)close(fd);
	return status == EXIT_SUCCESS ? finish_output() : status;
}

/* top ---------------------------------------------------------------------- */

/* Keep the reply to a request in memory, as far as it may go. */
static int
fetch_from(int fd, const char *path, const char *request, char **text)
{
	char *buf = calloc(1, PICTURE_MAX + 1), line[64];
	FILE *out = buf == NULL ? NULL : fmemopen(buf, PICTURE_MAX, "w");
	int status = EXIT_FAILURE;

	if (out == NULL) {
		tell("%s", strerror(errno));
	} else {
		(void)snprintf(line, sizeof(line), "%s\n", request);
		send_request(fd, line);
		status = copy_reply(fd, path, out);
		(void)fclose(out);
	}
	if (status == EXIT_SUCCESS)
		*text = buf;
	else
		free(buf);
	return status;
}

/* A top_fetch_fn, with the path of the socket. */
static int
fetch(const char *request, char **text, void *arg)
{
	const char *path = *(const char **)arg;
	int fd = connect_to(path), status = EXIT_FAILURE;

	if (fd < 0) {
		tell_unreachable(path);
	} else {
		status = fetch_from(fd, path, request, text);
		(void)close(fd);
	}
	if (status == EXIT_SUCCESS)
		return 0;
	*text = strdup(problem);
	return -1;
}

/* What top shows: its argument.  0, or -1 having refused it. */
static int
choose_kind(struct top_options *o, char **words)
{
	static const char *const kinds[PICTURE_KINDS] = { "flows", "hosts",
		"ports" };

	if (words[0] == NULL)
		return 0;
	for (int k = 0; k < PICTURE_KINDS && words[1] == NULL; k++) {
		if (strcmp(words[0], kinds[k]) != 0)
			continue;
		o->kind = (enum picture_kind)k;
		return 0;
	}
	warnx("top %s: give one of flows, hosts or ports", words[0]);
	return -1;
}

static int
run_top(const char *path, struct top_options *o, char **words)
{
	if (choose_kind(o, words) != 0)
		return EXIT_USAGE;
	o->title = path;
	on_screen = true;
	return top_run(o, fetch, &path);
}

/* Take an option of top.  0, or -1 having refused its value. */
static int
set_top_option(struct top_options *o, int letter, const char *value)
{
	uint64_t n = 0;

	switch (letter) {
	case 'b':
		o->batch = true;
		return 0;
	case 'd':
		if (value_time(value, &o->delay_ms) == 0 &&
		    o->delay_ms >= DELAY_MIN_MS && o->delay_ms <= DELAY_MAX_MS)
			return 0;
		warnx("-d %s: give a time from 100ms to 1h", value);
		return -1;
	case 's':
		o->by_packets = strcmp(value, "packets") == 0;
		if (o->by_packets || strcmp(value, "octets") == 0)
			return 0;
		warnx("-s %s: give octets or packets", value);
		return -1;
	default:
		if (!value_number(value, 1, UINT32_MAX, &n)) {
			warnx("-%c %s: give a number from 1", letter, value);
			return -1;
		}
		*(letter == 'l' ? &o->lines : &o->count) = (uint32_t)n;
		return 0;
	}
}

/* The command line ----------------------------------------------------------
 */

/* Refuse the option that getopt_long stopped at. */
static int
refuse(const char *arg)
{
	const char letter[3] = { '-', (char)optopt, '\0' };

	warnx("%s: not understood, or without its value; see softprobectl "
	      "--help",
	    optopt == 0 ? arg : letter);
	return EXIT_USAGE;
}

/* What the options say. */
struct options {
	const char *path;
	bool json;
	int top_letter; /* the last one given that only top takes; 0 = none */
	struct top_options top;
};

/* Read the options.  -1 to go on; else an exit status. */
static int
read_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "batch", no_argument, NULL, 'b' },
		{ "control", required_argument, NULL, 'c' },
		{ "count", required_argument, NULL, 'n' },
		{ "delay", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "lines", required_argument, NULL, 'l' },
		{ "sort", required_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":bc:d:hjl:n:s:vV", longs, NULL)) !=
	       -1) {
		switch (c) {
		case 'c':
			o->path = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'b':
		case 'd':
		case 'l':
		case 'n':
		case 's':
			if (set_top_option(&o->top, c, optarg) != 0)
				return EXIT_USAGE;
			o->top_letter = c;
			break;
		case 'v':
		case 'V':
			print_version();
			return finish_output();
		default:
			if (c != 'h' && optopt != '?')
				return refuse(argv[optind - 1]);
			print_help();
			return finish_output();
		}
	}
	return -1;
}

/* Carry out the command that the words are. */
static int
run_command(struct options *o, char **words)
{
	if (strcmp(words[0], "top") != 0) {
		if (o->top_letter == 0)
			return ask(o->path, o->json, words);
		warnx("-%c: only top takes it", o->top_letter);
		return EXIT_USAGE;
	}
	if (!o->json)
		return run_top(o->path, &o->top, words + 1);
	warnx("top has no JSON; leave -j out");
	return EXIT_USAGE;
}

int
main(int argc, char **argv)
{
	struct options options = { .path = CONTROL_DEFAULT,
		.top = { .delay_ms = TOP_DELAY_MS } };
	int status;

	(void)signal(SIGPIPE, SIG_IGN);
	/* Or the socket would become standard output. */
	if (fcntl(STDOUT_FILENO, F_GETFD) == -1)
		err(EXIT_FAILURE, "standard output");
	status = read_options(&options, argc, argv);
	if (status != -1)
		return status;
	if (optind >= argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return run_command(&options, argv + optind);
}
