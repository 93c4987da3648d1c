/* SPDX-License-Identifier: ISC */
/*
 * test_httpd.c - the page by HTTP and its clients: good, slow, silent, rude
 * and many.  One process plays both sides and moves the clock by hand, so no
 * test waits for a deadline.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "endpoint.h"
#include "httpd.h"
#include "record.h"
#include "unit.h"

#define TURNS_MAX 2000 /* of 1 ms at least: far more than anything takes */

static struct httpd *h;
static struct sockaddr_in where;
static uint64_t now_ns;
static unsigned pages;
static char err[512];

/* An address nobody listens at; the port is free again when it returns. */
static struct collector_address
free_address(void)
{
	struct collector_address at = { .host = "127.0.0.1" };
	socklen_t len = sizeof(where);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	where = (struct sockaddr_in){ .sin_family = AF_INET };
	where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&where, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&where, &len), 0);
	close(fd);
	snprintf(at.port, sizeof(at.port), "%d", ntohs(where.sin_port));
	return at;
}

static void
start(void)
{
	struct collector_address at = free_address();

	(void)signal(SIGPIPE, SIG_IGN); /* as the program does */
	now_ns = 5 * NS_PER_S;
	pages = 0;
	h = httpd_new(&at, err, sizeof(err));
	ck_assert_msg(h != NULL, "%s", err);
}

static void
write_page(FILE *out, enum metrics_format format, void *arg)
{
	(void)arg;
	fprintf(out, "page %u in format %d\n", ++pages, (int)format);
}

static void
serve(void)
{
	struct pollfd pfd = { httpd_poll_fd(h), POLLIN, 0 };

	(void)poll(&pfd, 1, 1);
	httpd_serve(h, now_ns);
}

static int
client(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	if (connect(fd, (struct sockaddr *)&where, sizeof(where)) == -1)
		ck_assert_int_eq(errno, EINPROGRESS);
	serve();
	return fd;
}

static void
say(int fd, const char *text)
{
	size_t len = strlen(text);

	for (int turn = 0; turn < TURNS_MAX; turn++) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		serve();
		if (n == (ssize_t)len)
			return;
	}
	ck_abort_msg("not sent: %s", text);
}

/* Serve until a client waits for the page. */
static void
await_wish(void)
{
	for (int turn = 0; turn < TURNS_MAX && !httpd_waits(h); turn++)
		serve();
	ck_assert(httpd_waits(h));
}

/* Serve until the connection ends; what came is in buf. */
static void
hear(int fd, char *buf, size_t size)
{
	size_t len = 0;

	for (int turn = 0; turn < TURNS_MAX; turn++) {
		ssize_t n = recv(fd, buf + len, size - 1 - len, 0);

		if (n == 0 || (n == -1 && errno == ECONNRESET)) {
			buf[len] = '\0';
			close(fd);
			return;
		}
		if (n > 0)
			len += (size_t)n;
		serve();
	}
	ck_abort_msg("the connection does not end");
}

/* Ask and have the answer, which the page is made for if it is wanted. */
static void
ask(const char *request, char *buf, size_t size)
{
	int fd = client();

	say(fd, request);
	for (int turn = 0; turn < 50 && !httpd_waits(h); turn++)
		serve();
	if (httpd_waits(h))
		httpd_answer(h, write_page, NULL);
	hear(fd, buf, size);
}

/* A test of what a build without the library has not ends at once. */
#define START()                                                                \
	do {                                                                   \
		if (httpd_unsupported() != NULL)                               \
			return;                                                \
		start();                                                       \
	} while (0)

UNIT(the_page_is_made_when_it_is_asked_for_in_the_format_accepted)
{
	char buf[1024];

	START();
	ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "HTTP/1.1 200 OK\r\n"));
	ck_assert_ptr_nonnull(strstr(
	    buf, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	ck_assert_ptr_nonnull(strstr(buf, "Connection: close\r\n"));
	ck_assert_ptr_nonnull(strstr(buf, "\r\n\r\npage 1 in format 1\n"));
	ask("GET /metrics?a=b HTTP/1.1\r\nHost: x\r\nAccept: "
	    "application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n\r\n",
	    buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "application/openmetrics-text; "));
	ck_assert_ptr_nonnull(strstr(buf, "\r\n\r\npage 2 in format 0\n"));
	ask("GET /metrics HTTP/1.0\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "page 3 "));
	httpd_free(h);
}
END_TEST

UNIT(head_has_the_length_and_no_page)
{
	char buf[1024];

	START();
	ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "Content-Length: 19\r\n"));
	ck_assert_ptr_null(strstr(buf, "page 1"));
	httpd_free(h);
}
END_TEST

UNIT(one_page_is_made_for_all_who_wait)
{
	char buf[1024];
	int fd[3];

	START();
	for (int i = 0; i < 3; i++) {
		fd[i] = client();
		say(fd[i], "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	}
	for (int turn = 0; turn < 50; turn++)
		serve();
	await_wish();
	httpd_answer(h, write_page, NULL);
	for (int i = 0; i < 3; i++) {
		hear(fd[i], buf, sizeof(buf));
		ck_assert_ptr_nonnull(strstr(buf, "page 1 in format 1\n"));
	}
	ck_assert_uint_eq(pages, 1);
	httpd_free(h);
}
END_TEST

UNIT(what_is_not_there_or_not_allowed_is_told)
{
	char buf[1024];

	START();
	ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "200 OK"));
	ck_assert_ptr_nonnull(strstr(buf, "<a href=\"/metrics\">"));
	ask("GET /metrics/../x HTTP/1.1\r\nHost: x\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, " 404 "));
	ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: "
	    "3\r\n\r\nabc",
	    buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, " 405 "));
	ck_assert_ptr_nonnull(strstr(buf, "Allow: GET, HEAD\r\n"));
	ask("DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, " 405 "));
	ck_assert_uint_eq(pages, 0);
	httpd_free(h);
}
END_TEST

UNIT(garbage_ends_its_connection_alone)
{
	static const char *const garbage[] = { "\r\n\r\n\r\n\r\n",
		"nonsense\n\n", "GET\r\n\r\n", "GET /metrics HTTP/9.9\r\n\r\n",
		"GET /metrics HTTP/1.1\r\n: x\r\n\r\n", "\x16\x03\x01\x02" };
	char buf[4096];

	START();
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		int fd = client();

		say(fd, garbage[i]);
		(void)shutdown(fd, SHUT_WR);
		for (int turn = 0; turn < 20; turn++)
			serve();
		if (httpd_waits(h))
			httpd_answer(h, write_page, NULL);
		hear(fd, buf, sizeof(buf));
	}
	ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "200 OK"));
	httpd_free(h);
}
END_TEST

UNIT(headers_without_end_are_refused)
{
	static char line[1024];
	char buf[4096];
	int fd;

	START();
	fd = client();
	memset(line, 'x', sizeof(line) - 1);
	line[1] = ':';
	line[sizeof(line) - 2] = '\n';
	say(fd, "GET /metrics HTTP/1.1\r\n");
	for (int i = 0; i < 100; i++) {
		(void)send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL);
		serve();
	}
	hear(fd, buf, sizeof(buf));
	ck_assert(!httpd_waits(h));
	httpd_free(h);
}
END_TEST

UNIT(an_octet_a_second_does_not_buy_time)
{
	const char *request = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	char buf[1024];
	int fd;

	START();
	fd = client();
	for (int second = 0; second < HTTPD_DEADLINE_S; second++) {
		char octet[2] = { request[second], '\0' };

		say(fd, octet);
		now_ns += NS_PER_S;
	}
	hear(fd, buf, sizeof(buf));
	ck_assert_str_eq(buf, "");
	httpd_free(h);
}
END_TEST

UNIT(who_is_silent_is_let_go_at_the_deadline)
{
	char buf[1024];
	int fd;

	START();
	fd = client();
	now_ns += HTTPD_DEADLINE_S * NS_PER_S - 1;
	for (int turn = 0; turn < 20; turn++)
		serve();
	ck_assert_int_eq(recv(fd, buf, sizeof(buf), 0), -1);
	ck_assert_int_eq(errno, EAGAIN);
	now_ns++;
	hear(fd, buf, sizeof(buf));
	httpd_free(h);
}
END_TEST

UNIT(silent_clients_leave_room_for_others_after_the_deadline)
{
	int fd[3 * HTTPD_CLIENTS_MAX], n = 0;
	char buf[1024];

	START();
	for (; n < 3 * HTTPD_CLIENTS_MAX; n++)
		fd[n] = client();
	for (int turn = 0; turn < 20; turn++)
		serve();
	now_ns += HTTPD_DEADLINE_S * NS_PER_S;
	for (int i = 0; i < n; i++)
		close(fd[i]);
	for (int turn = 0; turn < 50; turn++)
		serve();
	ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "200 OK"));
	httpd_free(h);
}
END_TEST

UNIT(who_left_before_the_answer_costs_nobody)
{
	char buf[1024];
	int fd;

	START();
	fd = client();
	say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	await_wish();
	close(fd);
	for (int turn = 0; turn < 20; turn++)
		serve();
	httpd_answer(h, write_page, NULL);
	ask("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", buf, sizeof(buf));
	ck_assert_ptr_nonnull(strstr(buf, "200 OK"));
	httpd_free(h);
}
END_TEST

UNIT(it_ends_while_clients_wait)
{
	int fd;

	START();
	fd = client();
	say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
	await_wish();
	httpd_free(h);
	close(fd);
	httpd_free(NULL);
}
END_TEST

UNIT(an_address_in_use_is_one_line)
{
	struct collector_address at;

	START();
	at = (struct collector_address){ .host = "127.0.0.1" };
	snprintf(at.port, sizeof(at.port), "%d", ntohs(where.sin_port));
	ck_assert_ptr_null(httpd_new(&at, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, at.port));
	ck_assert_ptr_nonnull(strstr(err, strerror(EADDRINUSE)));
	ck_assert_ptr_null(strchr(err, '\n'));
	httpd_free(h);
}
END_TEST

UNIT(a_build_without_the_library_says_so)
{
	struct collector_address at = { .host = "127.0.0.1", .port = "9" };

	if (httpd_unsupported() == NULL)
		return;
	ck_assert_ptr_null(httpd_new(&at, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "libmicrohttpd"));
	httpd_free(NULL);
}
END_TEST

UNIT_MAIN("httpd", the_page_is_made_when_it_is_asked_for_in_the_format_accepted,
    head_has_the_length_and_no_page, one_page_is_made_for_all_who_wait,
    what_is_not_there_or_not_allowed_is_told, garbage_ends_its_connection_alone,
    headers_without_end_are_refused, an_octet_a_second_does_not_buy_time,
    who_is_silent_is_let_go_at_the_deadline,
    silent_clients_leave_room_for_others_after_the_deadline,
    who_left_before_the_answer_costs_nobody, it_ends_while_clients_wait,
    an_address_in_use_is_one_line, a_build_without_the_library_says_so)
