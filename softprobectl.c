/* SPDX-License-Identifier: ISC */
/*
 * softprobectl.c - ask a running softprobe: send one request line, copy the
 * reply.  Understands no command itself; what there is, the daemon knows.
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

#define CONTROL_DEFAULT RUNSTATEDIR "/softprobe/softprobe.ctl"
#define TIMEOUT_S 10 /* without an octet from the daemon */

enum { EXIT_USAGE = 2 };

static const struct {
	const char *name, *help;
} commands[] = {
	{ "statistics", "all counters" },
	{ "flows [FILTER]", "active flows" },
	{ "dump-flows", "active flows" },
	{ "collectors", "state and counters of each collector" },
	{ "interfaces", "state and counters of each source" },
	{ "metrics [prometheus]", "all counters as OpenMetrics" },
	{ "timeouts", "timeouts in force" },
	{ "set timeout NAME=TIME", "change a timeout" },
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
			   "[ARGUMENT ...]\n");
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
	       "\nCommands:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		printf("  %-26s %s\n", commands[i].name, commands[i].help);
}

static void
print_version(void)
{
	puts(VERSION);
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
		warnx("%s: no answer within %d seconds", path, TIMEOUT_S);
	else if (n < 0)
		warn("%s", path);
	return n;
}

/* Copy the reply as it comes.  Returns the exit status. */
static int
copy_reply(int fd, const char *path)
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
		warnx("%s: hung up without a reply", path);
		return EXIT_FAILURE;
	}
	*text++ = '\0';
	if (text - buf != sizeof("ok") || strcmp(buf, "ok") != 0) {
		warnx("%s", buf + (strncmp(buf, "error: ", 7) == 0 ? 7 : 0));
		return EXIT_FAILURE;
	}
	len -= (size_t)(text - buf);
	while (fwrite(text, 1, len, stdout) == len && fflush(stdout) == 0 &&
	       n > 0) {
		n = read_some(fd, path, buf, sizeof(buf));
		if (n < 0)
			return EXIT_FAILURE;
		text = buf;
		len = (size_t)n;
	}
	return finish_output();
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
		warnx(
		    "cannot reach softprobe at %s: %s", path, strerror(errno));
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
	status = copy_reply(fd, path);
	(void)close(fd);
	return status;
}

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

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "control", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "json", no_argument, NULL, 'j' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = CONTROL_DEFAULT;
	bool json = false;
	int c;

	(void)signal(SIGPIPE, SIG_IGN);
	/* Or the socket would become standard output. */
	if (fcntl(STDOUT_FILENO, F_GETFD) == -1)
		err(EXIT_FAILURE, "standard output");
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:hjvV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'v':
		case 'V':
			print_version();
			return finish_output();
		case 'h':
			print_help();
			return finish_output();
		default:
			if (optopt != '?')
				return refuse(argv[optind - 1]);
			print_help();
			return finish_output();
		}
	}
	if (optind >= argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return ask(path, json, argv + optind);
}
