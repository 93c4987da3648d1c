/* SPDX-License-Identifier: ISC */
/*
 * test_sandbox.c - what a thread of each role can and cannot do, in children
 * that confine themselves.  That the program lives with it is tested by all
 * end-to-end tests.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "privdrop.h"
#include "sandbox.h"
#include "sandbox_internal.h"
#include "unit.h"

#define FINE 0
#define LEFT 1 /* what the handler of a refused call leaves with */
#define WRONG 3

/* How a child ended, and what it said. */
static char said[512];

static char scratch[] = "/tmp/softprobe-sandbox-XXXXXX";
static char inside[64], outside[] = "/etc/passwd";

static bool
have_seccomp(void)
{
	return !PRIVDROP_SANITIZER && sandbox_seccomp_missing() == NULL;
}

static bool
have_landlock(void)
{
	return !PRIVDROP_SANITIZER && sandbox_landlock_missing() == NULL;
}

/* Confine this process as a thread of a role that has scratch. */
static void
confine(enum sandbox_role role)
{
	const struct privdrop stay = { .change = false };
	char why[256];

	sandbox_init(0);
	sandbox_allow(role, scratch, SANDBOX_WRITE);
	if (privdrop_now(&stay, 0, why, sizeof(why)) == -1)
		_exit(WRONG);
	sandbox_enter(role);
}

/* Run what() in a confined child; its exit status, what it said in said. */
static int
in_child(enum sandbox_role role, int (*what)(void))
{
	int fd[2], status = 0;
	size_t used = 0;
	ssize_t n;
	pid_t child;

	ck_assert_int_eq(pipe(fd), 0);
	child = fork();
	ck_assert_int_ne(child, -1);
	if (child == 0) {
		dup2(fd[1], STDERR_FILENO);
		close(fd[0]);
		close(fd[1]);
		confine(role);
		_exit(what());
	}
	close(fd[1]);
	while ((n = read(fd[0], said + used, sizeof(said) - 1 - used)) > 0)
		used += (size_t)n;
	said[used] = '\0';
	close(fd[0]);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status), "signal %d: %s",
	    WIFSIGNALED(status) ? WTERMSIG(status) : 0, said);
	return WEXITSTATUS(status);
}

static void
make_scratch(void)
{
	ck_assert_ptr_nonnull(mkdtemp(scratch));
	(void)snprintf(inside, sizeof(inside), "%s/file", scratch);
}

static void
remove_scratch(void)
{
	(void)unlink(inside);
	ck_assert_int_eq(rmdir(scratch), 0);
}

/* Calls that no thread makes ----------------------------------------------- */

static int
run_program(void)
{
	char *const argv[] = { (char[]){ "true" }, NULL };

	execv("/bin/true", argv);
	return FINE;
}

static int
fork_off(void)
{
	(void)fork();
	return FINE;
}

static int
listen_to_others(void)
{
	(void)listen(0, 1);
	return FINE;
}

#ifdef __GLIBC__
static const char *const fork_name = " clone (";
#else
static const char *const fork_name = " fork (";
#endif

/* It ends the program with one line that names the call. */
static void
check_refused(enum sandbox_role role, int (*what)(void), const char *name)
{
	const char *line;

	ck_assert_int_eq(in_child(role, what), LEFT);
	line = strstr(said, name);
	ck_assert_msg(line != NULL, "\"%s\" is not said: %s", name, said);
	ck_assert_ptr_nonnull(strstr(said, "thread made the system call "));
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
}

UNIT(no_thread_can_execute_a_program)
{
	if (have_seccomp())
		for (int role = 0; role < SANDBOX_ROLES; role++)
			check_refused(
			    (enum sandbox_role)role, run_program, " execve (");
}
END_TEST

UNIT(no_thread_can_fork)
{
	if (have_seccomp())
		for (int role = 0; role < SANDBOX_ROLES; role++)
			check_refused(
			    (enum sandbox_role)role, fork_off, fork_name);
}
END_TEST

UNIT(no_thread_can_listen)
{
	if (have_seccomp())
		for (int role = 0; role < SANDBOX_ROLES; role++)
			check_refused((enum sandbox_role)role, listen_to_others,
			    " listen (");
}
END_TEST

static int
block_and_listen(void)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	sandbox_enter(SANDBOX_RESOLVING); /* as threads that block signals */
	return listen_to_others();
}

UNIT(thread_that_blocks_all_signals_still_tells_what_was_refused)
{
	if (have_seccomp())
		check_refused(SANDBOX_EXPORTING, block_and_listen,
		    "resolver thread made the system call listen (");
}
END_TEST

/* Sockets ------------------------------------------------------------------ */

static int
open_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0) == -1 ? WRONG : FINE;
}

UNIT(thread_that_reads_files_has_no_sockets)
{
	if (have_seccomp())
		check_refused(SANDBOX_REPLAY, open_socket, " socket (");
	ck_assert_int_eq(in_child(SANDBOX_EXPORTING, open_socket), FINE);
}
END_TEST

#ifdef AF_PACKET
static int
open_packet_socket(void)
{
	/* Without the capability it fails; that is not the question. */
	(void)socket(AF_PACKET, SOCK_RAW, 0);
	return FINE;
}

UNIT(packet_sockets_are_the_live_metering_thread_s_only)
{
	if (!have_seccomp())
		return;
	ck_assert_int_eq(in_child(SANDBOX_LIVE, open_packet_socket), FINE);
	check_refused(SANDBOX_EXPORTING, open_packet_socket, " socket (");
	check_refused(SANDBOX_REPLAY, open_packet_socket, " socket (");
	check_refused(SANDBOX_RESOLVING, open_packet_socket, " socket (");
}
END_TEST

#define PACKET_TESTS packet_sockets_are_the_live_metering_thread_s_only,
#else
#define PACKET_TESTS
#endif

/* Memory ------------------------------------------------------------------- */

static int
make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return WRONG;
	return mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0 ? FINE : WRONG;
}

static int
map_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? WRONG : FINE;
}

UNIT(no_thread_can_make_memory_both_written_and_executed)
{
	if (!have_seccomp())
		return;
	for (int role = 0; role < SANDBOX_ROLES; role++) {
		check_refused(
		    (enum sandbox_role)role, make_code, " mprotect (");
		check_refused((enum sandbox_role)role, map_code, " mmap");
	}
}
END_TEST

/* Files -------------------------------------------------------------------- */

static int
write_inside(void)
{
	int fd = open(inside, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	return fd == -1 || write(fd, "x", 1) != 1 || close(fd) == -1 ||
		       unlink(inside) == -1
		   ? WRONG
		   : FINE;
}

static int
read_outside(void)
{
	return open(outside, O_RDONLY) == -1 && errno == EACCES ? FINE : WRONG;
}

static int
write_outside(void)
{
	int fd =
	    open("/tmp/softprobe-sandbox-outside", O_WRONLY | O_CREAT, 0600);

	if (fd == -1 && errno == EACCES)
		return FINE;
	(void)unlink("/tmp/softprobe-sandbox-outside");
	return WRONG;
}

UNIT(files_are_those_that_were_allowed)
{
	if (!have_landlock())
		return;
	make_scratch();
	ck_assert_int_eq(in_child(SANDBOX_EXPORTING, write_inside), FINE);
	ck_assert_int_eq(in_child(SANDBOX_EXPORTING, read_outside), FINE);
	ck_assert_int_eq(in_child(SANDBOX_EXPORTING, write_outside), FINE);
	ck_assert_int_eq(in_child(SANDBOX_LIVE, read_outside), FINE);
	remove_scratch();
}
END_TEST

UNIT(thread_that_reads_files_opens_none)
{
	if (have_seccomp())
		ck_assert_int_eq(in_child(SANDBOX_REPLAY, read_outside), FINE);
}
END_TEST

/* What must work ----------------------------------------------------------- */

static void *
look_up(void *arg)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
	struct addrinfo *list = NULL;

	(void)arg;
	sandbox_enter(SANDBOX_RESOLVING);
	if (getaddrinfo("127.0.0.1", "2055", &hints, &list) == 0)
		freeaddrinfo(list);
	return NULL;
}

static int
start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, look_up, NULL) != 0)
		return WRONG;
	return pthread_join(thread, NULL) == 0 ? FINE : WRONG;
}

UNIT(exporting_thread_starts_threads_that_look_up)
{
	ck_assert_int_eq(in_child(SANDBOX_EXPORTING, start_thread), FINE);
}
END_TEST

static int
use_memory(void)
{
	for (size_t size = 1; size <= 64U << 20; size *= 8) {
		char *p = malloc(size);

		if (p == NULL)
			return WRONG;
		memset(p, 1, size);
		free(p);
	}
	return FINE;
}

UNIT(every_thread_can_take_and_give_back_memory)
{
	for (int role = 0; role < SANDBOX_ROLES; role++)
		ck_assert_int_eq(
		    in_child((enum sandbox_role)role, use_memory), FINE);
}
END_TEST

static int
give_up(void)
{
	abort();
}

UNIT(abort_is_abort)
{
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ne(child, -1);
	if (child == 0) {
		confine(SANDBOX_REPLAY);
		_exit(give_up());
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}
END_TEST

UNIT(every_layer_is_described_in_a_line)
{
	char text[512] = "";
	FILE *f = fmemopen(text, sizeof(text), "w");

	ck_assert_ptr_nonnull(f);
	sandbox_describe(f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_ptr_nonnull(strstr(text, "landlock: "));
	ck_assert_ptr_nonnull(strstr(text, "\nseccomp: "));
	ck_assert_int_eq(strstr(text, "seccomp: off") == NULL, have_seccomp());
	ck_assert_int_eq(
	    strstr(text, "landlock: off") == NULL, have_landlock());
}
END_TEST

UNIT_MAIN("sandbox", no_thread_can_execute_a_program, no_thread_can_fork,
    no_thread_can_listen,
    thread_that_blocks_all_signals_still_tells_what_was_refused,
    thread_that_reads_files_has_no_sockets,
    PACKET_TESTS no_thread_can_make_memory_both_written_and_executed,
    files_are_those_that_were_allowed, thread_that_reads_files_opens_none,
    exporting_thread_starts_threads_that_look_up,
    every_thread_can_take_and_give_back_memory, abort_is_abort,
    every_layer_is_described_in_a_line)
