/* SPDX-License-Identifier: ISC */
/*
 * test_notify.c - what reaches the socket of a service manager.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"
#include "unit.h"

static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

/* A manager's socket at `path`, or where '@' begins it, in no file system. */
static int
listen_at(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	ck_assert_int_eq(
	    bind(fd, (const struct sockaddr *)&sun,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
	    0);
	setenv("NOTIFY_SOCKET", path, 1);
	return fd;
}

/* Whether a state that is sent arrives as it is, and alone. */
static void
check_sent(int fd, const struct notify *n)
{
	char text[32];

	notify_send(n, "READY=1");
	ck_assert_int_eq(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
	ck_assert_mem_eq(text, "READY=1", 7);
	ck_assert_int_eq(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
}

UNIT(state_arrives_at_a_path)
{
	struct notify n;
	int fd;

	(void)snprintf(
	    path, sizeof(path), "/tmp/softprobe-notify-%d", (int)getpid());
	fd = listen_at();
	notify_open(&n);
	check_sent(fd, &n);
	notify_close(&n);
	notify_close(&n);
	unlink(path);
	close(fd);
}
END_TEST

UNIT(state_arrives_at_an_abstract_name)
{
	struct notify n;
	int fd;

	(void)snprintf(
	    path, sizeof(path), "@softprobe-notify-%d", (int)getpid());
	fd = listen_at();
	notify_open(&n);
	check_sent(fd, &n);
	notify_close(&n);
	close(fd);
}
END_TEST

UNIT(nobody_asks_and_nothing_is_done)
{
	static const char *const names[] = { NULL, "", "/", "@", "relative",
		"/nonexistent/socket", "vsock:2:1234" };
	char longest[2 * sizeof(path)];
	struct notify n;

	setenv("WATCHDOG_USEC", "1000000", 1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		unsetenv("NOTIFY_SOCKET");
		if (names[i] != NULL)
			setenv("NOTIFY_SOCKET", names[i], 1);
		notify_open(&n);
		ck_assert_int_eq(n.fd, -1);
		ck_assert_uint_eq(n.watchdog_ns, 0);
		notify_send(&n, "READY=1");
		notify_close(&n);
	}
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	notify_open(&n);
	ck_assert_int_eq(n.fd, -1);
}
END_TEST

UNIT(watchdog_is_ours_and_a_number_or_there_is_none)
{
	char own[24], other[24];
	const struct {
		const char *usec, *pid;
		uint64_t ns;
	} rows[] = {
		{ "30000000", own, 30000000000 },
		{ "1", NULL, 1000 },
		{ "30000000", other, 0 },
		{ NULL, own, 0 },
		{ "0", own, 0 },
		{ "-1", own, 0 },
		{ "1s", own, 0 },
		{ "18446744073709551615", own, 0 },
		{ "99999999999999999999", own, 0 },
	};
	struct notify n;
	int fd;

	(void)snprintf(own, sizeof(own), "%d", (int)getpid());
	(void)snprintf(other, sizeof(other), "%d", (int)getppid());
	(void)snprintf(
	    path, sizeof(path), "@softprobe-notify-%d", (int)getpid());
	fd = listen_at();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (rows[i].usec != NULL)
			setenv("WATCHDOG_USEC", rows[i].usec, 1);
		if (rows[i].pid != NULL)
			setenv("WATCHDOG_PID", rows[i].pid, 1);
		notify_open(&n);
		ck_assert_msg(n.watchdog_ns == rows[i].ns, "row %zu", i);
		notify_close(&n);
	}
	close(fd);
}
END_TEST

UNIT(manager_that_does_not_read_delays_nothing)
{
	struct notify n;
	int fd;

	(void)snprintf(
	    path, sizeof(path), "@softprobe-notify-%d", (int)getpid());
	fd = listen_at();
	notify_open(&n);
	for (int i = 0; i < 10000; i++)
		notify_send(&n, "WATCHDOG=1");
	close(fd);
	notify_send(&n, "WATCHDOG=1");
	notify_close(&n);
}
END_TEST

UNIT_MAIN("notify", state_arrives_at_a_path, state_arrives_at_an_abstract_name,
    nobody_asks_and_nothing_is_done,
    watchdog_is_ours_and_a_number_or_there_is_none,
    manager_that_does_not_read_delays_nothing)
