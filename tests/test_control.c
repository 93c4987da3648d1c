/* SPDX-License-Identifier: ISC */
/*
 * test_control.c - the control socket and its clients: good, slow, silent,
 * rude and gone.  One process plays both sides and moves the clock by hand, so
 * no test waits.  SIGPIPE keeps its default action: raised once, it would end
 * the test.
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "unit.h"

#define S UINT64_C(1000000000)
#define PIECE                                                                  \
	((size_t)65536) /* octets, of the commands that answer in pieces */
#define ROUNDS 200

static char dir[64], path[96], err[512];
static struct control *ctl;
static uint64_t now_ns;
static unsigned calls, asked;
static bool answered;

/* Commands. */

static enum control_result
run_echo(struct control_request *req, void *arg)
{
	(void)arg;
	calls++;
	(void)fprintf(
	    req->out, "%s<%s>\n", req->json ? "json" : "text", req->argument);
	return CONTROL_DONE;
}

static enum control_result
run_fail(struct control_request *req, void *arg)
{
	(void)arg;
	req->failed = true;
	(void)fprintf(
	    req->out, "no \x1b such thing: %s\nsecond line", req->argument);
	return CONTROL_DONE;
}

/* Answers `argument` pieces, each a line of one letter. */
static enum control_result
run_pieces(struct control_request *req, void *arg)
{
	unsigned long pieces = strtoul(req->argument, NULL, 10);

	(void)arg;
	calls++;
	ck_assert_uint_eq(req->step, req->cursor);
	for (size_t i = 0; i < PIECE - 1; i++)
		(void)fputc((int)('a' + req->step % 26), req->out);
	(void)fputc('\n', req->out);
	return ++req->cursor < pieces ? CONTROL_PART : CONTROL_DONE;
}

/* Asks a meter that answers when the test says so. */
static enum control_result
run_wait(struct control_request *req, void *arg)
{
	calls++;
	ck_assert_ptr_eq(arg, &asked);
	if (req->step == 0) {
		ck_assert_uint_eq(asked, 0); /* one question at a time */
		asked++;
		(void)fputs("asked ", req->out);
		return CONTROL_WAIT;
	}
	if (!answered)
		return CONTROL_WAIT;
	asked--;
	(void)fprintf(req->out, "answered %s\n", req->argument);
	return CONTROL_DONE;
}

static enum control_result
run_nothing(struct control_request *req, void *arg)
{
	(void)arg;
	return req->step < 3 ? CONTROL_PART : CONTROL_DONE;
}

/* Fails when it is too late to say so. */
static enum control_result
run_late(struct control_request *req, void *arg)
{
	(void)arg;
	(void)fprintf(req->out, "piece %u\n", req->step);
	req->failed = req->step == 1;
	return CONTROL_PART;
}

static const struct control_command table[] = {
	{ "echo", "[TEXT]", "say it again", run_echo },
	{ "fail", NULL, "refuse", run_fail },
	{ "pieces", "N", "a long answer", run_pieces },
	{ "wait", NULL, "ask the meter", run_wait },
	{ "nothing", NULL, "an empty answer", run_nothing },
	{ "late", NULL, "fail in the second piece", run_late },
	{ NULL, NULL, NULL, NULL },
};

/* Both ends. */

static void
setup(void)
{
	(void)strlcpy(dir, "/tmp/test_control.XXXXXX", sizeof(dir));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/ctl", dir);
	now_ns = 1000 * S;
	calls = asked = 0;
	answered = false;
}

static struct control *
new_control(void)
{
	return control_new(path, NULL, table, &asked, err, sizeof(err));
}

static void
start(void)
{
	setup();
	ctl = new_control();
	ck_assert_msg(ctl != NULL, "%s", err);
}

static void
clean_up(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void
stop(void)
{
	control_free(ctl);
	ctl = NULL;
	clean_up();
}

/* One turn of the poll loop. */
static void
turn(void)
{
	struct pollfd pfd[CONTROL_CLIENTS_MAX + 1];
	size_t n = control_pollfds(ctl, pfd);

	ck_assert_uint_le(n, CONTROL_CLIENTS_MAX + 1);
	ck_assert_int_ge(poll(pfd, (nfds_t)n, 0), 0);
	control_serve(ctl, pfd, n, now_ns);
}

static void
turns(int n)
{
	while (n-- > 0)
		turn();
}

/* How many descriptors the loop would find ready now. */
static int
ready(void)
{
	struct pollfd pfd[CONTROL_CLIENTS_MAX + 1];

	return poll(pfd, (nfds_t)control_pollfds(ctl, pfd), 0);
}

static int
dial(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	(void)strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	ck_assert_int_eq(
	    connect(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void
put(int fd, const void *data, size_t len)
{
	ck_assert_int_eq(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static int
dial_and_say(const char *request)
{
	int fd = dial();

	put(fd, request, strlen(request));
	return fd;
}

/* Read what is there; true at the end of the reply. */
static bool
get(int fd, char *buf, size_t len, size_t *used)
{
	ssize_t n = -1;

	while (*used < len - 1 &&
	       (n = recv(fd, buf + *used, len - 1 - *used, 0)) > 0)
		*used += (size_t)n;
	buf[*used] = '\0';
	if (n < 0 && *used < len - 1) /* a reset would lose some of it */
		ck_assert_int_eq(errno, EAGAIN);
	return n == 0;
}

/* Read a whole reply, and close. */
static void
hear(int fd, char *buf, size_t len)
{
	size_t used = 0;

	for (int i = 0; i < ROUNDS; i++) {
		turn();
		if (get(fd, buf, len, &used)) {
			(void)close(fd);
			return;
		}
	}
	ck_abort_msg("no end of the reply, after \"%.100s\"", buf);
}

static void
expect(int fd, const char *reply)
{
	char buf[1024];

	hear(fd, buf, sizeof(buf));
	ck_assert_str_eq(buf, reply);
}

/* Requests and replies. */

UNIT(a_command_is_answered_and_the_client_hung_up_on)
{
	start();
	expect(dial_and_say("echo hello world\n"), "ok\ntext<hello world>\n");
	expect(dial_and_say("echo\n"), "ok\ntext<>\n");
	expect(dial_and_say("nothing\n"), "ok\n");
	stop();
}
END_TEST

UNIT(json_before_a_command_asks_for_json)
{
	start();
	expect(dial_and_say("json echo x\n"), "ok\njson<x>\n");
	expect(dial_and_say("json echo json\n"), "ok\njson<json>\n");
	expect(dial_and_say("echo json\n"), "ok\ntext<json>\n");
	expect(
	    dial_and_say("json\n"), "error: the request is empty; try help\n");
	stop();
}
END_TEST

UNIT(blanks_around_words_do_not_count)
{
	start();
	expect(dial_and_say(" \t echo \t a  b \t\r\n"), "ok\ntext<a  b>\n");
	expect(dial_and_say("\tjson\techo\n"), "ok\njson<>\n");
	stop();
}
END_TEST

UNIT(a_last_line_needs_no_newline)
{
	int fd;

	start();
	fd = dial_and_say("echo x");
	turns(3);
	ck_assert_uint_eq(calls, 0);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	expect(fd, "ok\ntext<x>\n");
	stop();
}
END_TEST

UNIT(a_request_may_come_octet_by_octet)
{
	const char request[] = "echo slowly\n";
	int fd;

	start();
	fd = dial();
	for (const char *c = request; *c != '\0'; c++) {
		put(fd, c, 1);
		turn();
	}
	expect(fd, "ok\ntext<slowly>\n");
	stop();
}
END_TEST

UNIT(what_follows_the_request_line_is_ignored)
{
	start();
	expect(dial_and_say("echo 1\necho 2\n"), "ok\ntext<1>\n");
	ck_assert_uint_eq(calls, 1);
	stop();
}
END_TEST

UNIT(unknown_commands_are_answered_with_those_there_are)
{
	start();
	expect(dial_and_say("reboot now\n"),
	    "error: unknown command \"reboot\"; commands are: help echo fail "
	    "pieces wait nothing late\n");
	expect(dial_and_say("\x01\xff\x1b[2J\n"),
	    "error: unknown command \"?\xff?[2J\"; commands are: help echo "
	    "fail pieces wait nothing late\n");
	expect(dial_and_say("ech\n"),
	    "error: unknown command \"ech\"; commands are: help echo fail "
	    "pieces wait nothing late\n");
	stop();
}
END_TEST

UNIT(empty_requests_are_refused)
{
	start();
	expect(dial_and_say("\n"), "error: the request is empty; try help\n");
	expect(
	    dial_and_say(" \t \n"), "error: the request is empty; try help\n");
	expect(dial_and_say("\r\n"), "error: the request is empty; try help\n");
	stop();
}
END_TEST

UNIT(a_request_with_a_nul_octet_is_refused)
{
	int fd;

	start();
	fd = dial();
	put(fd, "echo a\0b\n", 9);
	expect(fd, "error: the request holds a NUL octet\n");
	fd = dial();
	put(fd, "\0\n", 2);
	expect(fd, "error: the request holds a NUL octet\n");
	ck_assert_uint_eq(calls, 0);
	stop();
}
END_TEST

UNIT(the_longest_request_is_answered_and_a_longer_one_refused)
{
	char line[CONTROL_LINE_MAX + 2], reply[CONTROL_LINE_MAX + 64];

	start();
	memset(line, 'x', sizeof(line));
	memcpy(line, "echo ", 5);
	line[CONTROL_LINE_MAX] = '\n';
	line[CONTROL_LINE_MAX + 1] = '\0';
	hear(dial_and_say(line), reply, sizeof(reply));
	ck_assert_uint_eq(strlen(reply), CONTROL_LINE_MAX - 5 + 10);
	line[CONTROL_LINE_MAX] = 'x';
	expect(dial_and_say(line), "error: the request line is too long\n");
	stop();
}
END_TEST

UNIT(an_endless_request_is_refused)
{
	static char flood[100000];
	int fd;

	start();
	memset(flood, 'f', sizeof(flood));
	fd = dial();
	put(fd, flood, sizeof(flood));
	expect(fd, "error: the request line is too long\n");
	stop();
}
END_TEST

UNIT(a_handler_may_answer_with_an_error)
{
	start();
	expect(dial_and_say("fail x\n"), "error: no ? such thing: x\n");
	stop();
}
END_TEST

UNIT(an_error_that_comes_late_ends_the_reply)
{
	start();
	expect(dial_and_say("late\n"), "ok\npiece 0\npiece 1\n");
	stop();
}
END_TEST

UNIT(help_lists_the_table)
{
	char reply[1024];

	start();
	hear(dial_and_say("help\n"), reply, sizeof(reply));
	ck_assert_int_eq(strncmp(reply, "ok\necho [TEXT] ", 15), 0);
	ck_assert_ptr_nonnull(strstr(reply, " say it again\nfail "));
	hear(dial_and_say("json help\n"), reply, sizeof(reply));
	ck_assert_ptr_nonnull(
	    strstr(reply, "ok\n[{\"name\":\"echo\",\"arguments\":\"[TEXT]\","
			  "\"help\":\"say it again\"},{\"name\":\"fail\","
			  "\"arguments\":\"\","));
	ck_assert_str_eq(reply + strlen(reply) - 3, "}]\n");
	stop();
}
END_TEST

/* Long replies and slow readers. */

UNIT(a_reply_in_pieces_arrives_whole_and_in_order)
{
	const size_t n = 60;
	static char reply[60 * PIECE + 16], piece[PIECE];

	start();
	hear(dial_and_say("pieces 60\n"), reply, sizeof(reply));
	ck_assert_uint_eq(strlen(reply), n * PIECE + 3);
	for (size_t i = 0; i < n; i++) {
		memset(piece, (int)('a' + i % 26), PIECE - 1);
		piece[PIECE - 1] = '\n';
		ck_assert_mem_eq(reply + 3 + i * PIECE, piece, PIECE);
	}
	ck_assert_uint_eq(calls, n);
	stop();
}
END_TEST

UNIT(pieces_are_made_only_as_fast_as_the_client_reads)
{
	char buf[PIECE + 1];
	unsigned before;
	size_t used = 0;
	int fd;

	start();
	fd = dial_and_say("pieces 1000\n");
	turns(ROUNDS);
	before = calls;
	ck_assert_uint_lt(before, 50); /* what the socket buffer holds */
	turns(ROUNDS);
	ck_assert_uint_eq(calls, before);
	ck_assert_int_eq(ready(), 0); /* and nothing spins */
	for (int i = 0; i < 20; i++) {
		used = 0;
		ck_assert(!get(fd, buf, sizeof(buf), &used));
		turns(2);
	}
	ck_assert_uint_gt(calls, before);
	(void)close(fd);
	stop();
}
END_TEST

UNIT(a_client_that_does_not_read_is_hung_up_on_after_5_s_without_progress)
{
	static char buf[PIECE * 64];
	size_t used = 0;
	int fd;

	start();
	fd = dial_and_say("pieces 1000\n");
	turns(ROUNDS);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), 5000);
	now_ns += 4 * S;
	ck_assert(!get(fd, buf, PIECE * 4, &used));
	turns(5); /* progress: 5 s more */
	now_ns += 4 * S;
	turns(5);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), 1000);
	now_ns += 1 * S;
	turn();
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	ck_assert(get(fd, buf, sizeof(buf), &used));
	(void)close(fd);
	stop();
}
END_TEST

UNIT(a_client_that_does_not_read_delays_no_other)
{
	int slow[4];

	start();
	for (int i = 0; i < 4; i++)
		slow[i] = dial_and_say("pieces 1000\n");
	turns(50);
	expect(dial_and_say("echo quick\n"), "ok\ntext<quick>\n");
	for (int i = 0; i < 4; i++)
		(void)close(slow[i]);
	turns(5);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	stop();
}
END_TEST

UNIT(a_client_that_leaves_in_mid_reply_raises_no_signal)
{
	char buf[100];
	size_t used = 0;
	int fd;

	start();
	fd = dial_and_say("pieces 1000\n");
	turns(20);
	ck_assert(!get(fd, buf, sizeof(buf), &used));
	(void)close(fd);
	turns(5);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	expect(dial_and_say("echo still here\n"), "ok\ntext<still here>\n");
	stop();
}
END_TEST

UNIT(a_command_is_carried_out_though_its_client_left)
{
	start();
	(void)close(dial_and_say("echo x\n"));
	turns(3);
	ck_assert_uint_eq(calls, 1);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	stop();
}
END_TEST

UNIT(a_client_that_shuts_its_reading_side_is_dropped)
{
	int fd;

	start();
	fd = dial_and_say("pieces 10\n");
	ck_assert_int_eq(shutdown(fd, SHUT_RD), 0);
	turns(5);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	(void)close(fd);
	stop();
}
END_TEST

/* Silence and crowds. */

UNIT(a_silent_client_is_hung_up_on_after_5_s)
{
	int fd;

	start();
	fd = dial();
	turn();
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), 5000);
	now_ns += S / 2 + 1;
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), 4500);
	now_ns += 4 * S;
	put(fd, "ec", 2); /* an octet now and then does not help */
	turn();
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), 500);
	now_ns += S;
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), 0);
	expect(fd, "error: no request in time\n");
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	stop();
}
END_TEST

UNIT(a_silent_client_delays_no_other)
{
	int fd;

	start();
	fd = dial();
	turn();
	expect(dial_and_say("echo x\n"), "ok\ntext<x>\n");
	(void)close(fd);
	turns(2);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	stop();
}
END_TEST

UNIT(a_client_that_leaves_at_once_is_forgotten)
{
	start();
	for (int i = 0; i < 100; i++) {
		(void)close(dial());
		turns(2);
	}
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	expect(dial_and_say("echo x\n"), "ok\ntext<x>\n");
	stop();
}
END_TEST

UNIT(the_17th_client_is_told_so_and_the_16_are_served)
{
	int fd[CONTROL_CLIENTS_MAX];

	start();
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fd[i] = dial();
	turns(2);
	expect(dial(), "error: too many clients\n");
	expect(dial_and_say("echo x\n"), "error: too many clients\n");
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		put(fd[i], "echo y\n", 7);
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		expect(fd[i], "ok\ntext<y>\n");
	expect(dial_and_say("echo z\n"), "ok\ntext<z>\n");
	stop();
}
END_TEST

UNIT(forty_clients_at_once_are_all_answered)
{
	int fd[40], served = 0;
	char buf[128];

	start();
	for (int i = 0; i < 40; i++)
		fd[i] = dial_and_say("echo x\n");
	for (int i = 0; i < 40; i++) {
		hear(fd[i], buf, sizeof(buf));
		if (strcmp(buf, "ok\ntext<x>\n") == 0)
			served++;
		else
			ck_assert_str_eq(buf, "error: too many clients\n");
	}
	ck_assert_int_ge(served, CONTROL_CLIENTS_MAX);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	stop();
}
END_TEST

UNIT(out_of_descriptors_the_loop_does_not_spin)
{
	struct rlimit old, low;
	int fd;

	if (getenv("UNDER_VALGRIND") != NULL) {
		puts("valgrind closes what is above the limit itself");
		return;
	}
	start();
	fd = dial_and_say("echo x\n");
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)dup(fd); /* all below are in use */
	(void)close((int)low.rlim_cur);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	turn();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(ready(), 0);
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), 1000);
	now_ns += S;
	turn();
	expect(fd, "ok\ntext<x>\n");
	stop();
}
END_TEST

/* Commands that wait for the meter. */

UNIT(a_waiting_command_is_called_again_until_the_meter_answered)
{
	int fd;

	start();
	fd = dial_and_say("wait x\n");
	turns(3);
	ck_assert_uint_eq(asked, 1);
	ck_assert_uint_ge(calls, 2);
	ck_assert_int_eq(ready(), 0); /* nothing spins meanwhile */
	now_ns += 60 * S;             /* and no deadline runs */
	ck_assert_int_eq(control_poll_ms(ctl, now_ns), -1);
	turn();
	answered = true;
	expect(fd, "ok\nasked answered x\n");
	stop();
}
END_TEST

UNIT(only_one_command_waits_at_a_time_and_the_others_keep_their_turn)
{
	int first, second, third;

	start();
	first = dial_and_say("wait 1\n");
	turns(2);
	second = dial_and_say("wait 2\n");
	third = dial_and_say("echo 3\n");
	turns(10); /* run_wait checks that it is alone */
	ck_assert_uint_eq(asked, 1);
	ck_assert_int_eq(ready(), 0);
	answered = true;
	turn();
	answered = false;
	expect(first, "ok\nasked answered 1\n");
	ck_assert_uint_eq(asked, 1);
	answered = true;
	expect(second, "ok\nasked answered 2\n");
	expect(third, "ok\ntext<3>\n");
	stop();
}
END_TEST

UNIT(a_client_that_left_while_waiting_keeps_its_turn_until_answered)
{
	int fd;

	start();
	fd = dial_and_say("wait 1\n");
	turns(2);
	(void)close(fd);
	fd = dial_and_say("wait 2\n");
	turns(5);
	ck_assert_uint_eq(asked, 1);
	answered = true;
	expect(fd, "ok\nasked answered 2\n");
	ck_assert_uint_eq(asked, 0);
	stop();
}
END_TEST

UNIT(leaving_with_clients_in_every_state_leaks_nothing)
{
	int fd[4];

	start();
	fd[0] = dial();
	fd[1] = dial_and_say("pieces 1000\n");
	turns(20);
	fd[2] = dial_and_say("wait\n");
	turns(3);
	fd[3] = dial_and_say("echo queued\n");
	turns(3);
	stop(); /* the sanitizers look for what was lost */
	for (int i = 0; i < 4; i++)
		(void)close(fd[i]);
	control_free(NULL);
}
END_TEST

/* The path. */

UNIT(the_socket_is_for_its_owner_alone_without_a_group)
{
	struct stat st;
	mode_t mask = umask(0);

	start();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_uint_eq(umask(mask), 0); /* as it was */
	control_free(ctl);
	ctl =
	    control_new(path, "no-such-group", table, &asked, err, sizeof(err));
	ck_assert_ptr_nonnull(ctl);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	stop();
}
END_TEST

UNIT(root_shares_the_socket_with_the_group)
{
	const struct group *gr;
	struct stat st;
	mode_t mask = umask(077);

	setup();
	gr = getgrgid(getegid());
	ck_assert_ptr_nonnull(gr);
	ctl = control_new(path, gr->gr_name, table, &asked, err, sizeof(err));
	ck_assert_ptr_nonnull(ctl);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, geteuid() == 0 ? 0660 : 0600);
	ck_assert_uint_eq(st.st_gid, gr->gr_gid);
	(void)umask(mask);
	stop();
}
END_TEST

UNIT(a_stale_socket_is_replaced)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	setup();
	(void)strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(
	    bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	(void)close(fd);
	ctl = new_control();
	ck_assert_msg(ctl != NULL, "%s", err);
	expect(dial_and_say("echo x\n"), "ok\ntext<x>\n");
	stop();
}
END_TEST

UNIT(a_live_socket_is_refused_and_goes_on_serving)
{
	start();
	ck_assert_ptr_null(new_control());
	ck_assert_ptr_nonnull(strstr(err, "another softprobe listens"));
	ck_assert_ptr_nonnull(strstr(err, path));
	expect(dial_and_say("echo x\n"), "ok\ntext<x>\n");
	stop();
}
END_TEST

UNIT(a_live_socket_with_a_full_backlog_is_refused)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd, other[3];

	setup();
	(void)strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(
	    bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	for (int i = 0; i < 3; i++) {
		other[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		(void)fcntl(other[i], F_SETFL, O_NONBLOCK);
		(void)connect(
		    other[i], (const struct sockaddr *)&sun, sizeof(sun));
	}
	ck_assert_ptr_null(new_control());
	ck_assert_ptr_nonnull(strstr(err, "another softprobe listens"));
	for (int i = 0; i < 3; i++)
		(void)close(other[i]);
	(void)close(fd);
	clean_up();
}
END_TEST

UNIT(what_is_not_a_socket_is_refused_and_kept)
{
	char target[128];
	struct stat st;
	FILE *f;

	setup();
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	(void)fclose(f);
	ck_assert_ptr_null(new_control());
	ck_assert_ptr_nonnull(strstr(err, "something else is there"));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(unlink(path), 0);
	/* Nor is a link followed to a socket. */
	(void)snprintf(target, sizeof(target), "%s/elsewhere", dir);
	ck_assert_int_eq(symlink(target, path), 0);
	ck_assert_ptr_null(new_control());
	ck_assert_int_eq(lstat(path, &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	clean_up();
}
END_TEST

UNIT(a_datagram_socket_is_refused_and_kept)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	setup();
	(void)strlcpy(sun.sun_path, path, sizeof(sun.sun_path));
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(
	    bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_ptr_null(new_control());
	ck_assert_ptr_nonnull(strstr(err, "cannot replace it"));
	ck_assert_int_eq(stat(path, &st), 0);
	(void)close(fd);
	clean_up();
}
END_TEST

UNIT(leaving_removes_the_socket_and_only_our_own)
{
	struct stat st;
	FILE *f;

	start();
	control_free(ctl);
	ck_assert_int_eq(lstat(path, &st), -1);
	ctl = new_control();
	ck_assert_ptr_nonnull(ctl);
	ck_assert_int_eq(unlink(path), 0);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	(void)fclose(f);
	control_free(ctl);
	ck_assert_int_eq(lstat(path, &st), 0);
	clean_up();
}
END_TEST

UNIT(a_relative_path_is_removed_from_wherever_we_went)
{
	struct stat st;
	int here = open(".", O_RDONLY);

	setup();
	ck_assert_int_eq(chdir(dir), 0);
	ctl = control_new("ctl", NULL, table, &asked, err, sizeof(err));
	ck_assert_msg(ctl != NULL, "%s", err);
	ck_assert_int_eq(fchdir(here), 0);
	ck_assert_int_eq(lstat(path, &st), 0);
	control_free(ctl);
	ck_assert_int_eq(lstat(path, &st), -1);
	(void)close(here);
	clean_up();
}
END_TEST

UNIT(a_missing_directory_is_made_one_level_deep)
{
	char sub[80], deep[128];
	struct stat st;

	setup();
	(void)snprintf(sub, sizeof(sub), "%s/run", dir);
	(void)snprintf(path, sizeof(path), "%s/ctl", sub);
	ctl = new_control();
	ck_assert_msg(ctl != NULL, "%s", err);
	ck_assert_int_eq(stat(sub, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07027, 0);
	control_free(ctl);
	ck_assert_int_eq(rmdir(sub), 0);
	(void)snprintf(deep, sizeof(deep), "%s/run/deep/ctl", dir);
	ck_assert_ptr_null(
	    control_new(deep, NULL, table, &asked, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "cannot make its directory"));
	ck_assert_int_eq(stat(sub, &st), -1);
	clean_up();
}
END_TEST

UNIT(a_directory_that_everyone_can_write_is_refused_unless_sticky)
{
	struct stat st;

	setup();
	ck_assert_int_eq(chmod(dir, 0777), 0);
	ck_assert_ptr_null(new_control());
	ck_assert_ptr_nonnull(strstr(err, "can be written by everyone"));
	ck_assert_int_eq(lstat(path, &st), -1);
	ck_assert_int_eq(chmod(dir, 01777), 0);
	ctl = new_control();
	ck_assert_msg(ctl != NULL, "%s", err);
	stop();
}
END_TEST

UNIT(a_path_that_is_empty_or_too_long_is_refused)
{
	char line[300];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	ck_assert_ptr_null(
	    control_new(line, NULL, table, &asked, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "the path must have 1 to"));
	ck_assert_ptr_null(
	    control_new("", NULL, table, &asked, err, sizeof(err)));
	ck_assert_ptr_nonnull(strstr(err, "the path must have 1 to"));
}
END_TEST

UNIT(every_descriptor_is_closed_on_exec_and_never_blocks)
{
	struct pollfd pfd[CONTROL_CLIENTS_MAX + 1];
	size_t n;
	int fd;

	start();
	fd = dial();
	turn();
	n = control_pollfds(ctl, pfd);
	ck_assert_uint_eq(n, 2);
	for (size_t i = 0; i < n; i++) {
		ck_assert(fcntl(pfd[i].fd, F_GETFD) & FD_CLOEXEC);
		ck_assert(fcntl(pfd[i].fd, F_GETFL) & O_NONBLOCK);
	}
	(void)close(fd);
	stop();
}
END_TEST

UNIT_MAIN("control", a_command_is_answered_and_the_client_hung_up_on,
    json_before_a_command_asks_for_json, blanks_around_words_do_not_count,
    a_last_line_needs_no_newline, a_request_may_come_octet_by_octet,
    what_follows_the_request_line_is_ignored,
    unknown_commands_are_answered_with_those_there_are,
    empty_requests_are_refused, a_request_with_a_nul_octet_is_refused,
    the_longest_request_is_answered_and_a_longer_one_refused,
    an_endless_request_is_refused, a_handler_may_answer_with_an_error,
    an_error_that_comes_late_ends_the_reply, help_lists_the_table,
    a_reply_in_pieces_arrives_whole_and_in_order,
    pieces_are_made_only_as_fast_as_the_client_reads,
    a_client_that_does_not_read_is_hung_up_on_after_5_s_without_progress,
    a_client_that_does_not_read_delays_no_other,
    a_client_that_leaves_in_mid_reply_raises_no_signal,
    a_command_is_carried_out_though_its_client_left,
    a_client_that_shuts_its_reading_side_is_dropped,
    a_silent_client_is_hung_up_on_after_5_s, a_silent_client_delays_no_other,
    a_client_that_leaves_at_once_is_forgotten,
    the_17th_client_is_told_so_and_the_16_are_served,
    forty_clients_at_once_are_all_answered,
    out_of_descriptors_the_loop_does_not_spin,
    a_waiting_command_is_called_again_until_the_meter_answered,
    only_one_command_waits_at_a_time_and_the_others_keep_their_turn,
    a_client_that_left_while_waiting_keeps_its_turn_until_answered,
    leaving_with_clients_in_every_state_leaks_nothing,
    the_socket_is_for_its_owner_alone_without_a_group,
    root_shares_the_socket_with_the_group, a_stale_socket_is_replaced,
    a_live_socket_is_refused_and_goes_on_serving,
    a_live_socket_with_a_full_backlog_is_refused,
    what_is_not_a_socket_is_refused_and_kept,
    a_datagram_socket_is_refused_and_kept,
    leaving_removes_the_socket_and_only_our_own,
    a_relative_path_is_removed_from_wherever_we_went,
    a_missing_directory_is_made_one_level_deep,
    a_directory_that_everyone_can_write_is_refused_unless_sticky,
    a_path_that_is_empty_or_too_long_is_refused,
    every_descriptor_is_closed_on_exec_and_never_blocks)
