/* SPDX-License-Identifier: ISC */
/*
 * sandbox.c - the layers together, and what happens when a call is refused.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "privdrop.h"
#include "sandbox_internal.h"

#ifdef HAVE_SECCOMP
#define SECCOMP_BUILT_IN true
#else
#define SECCOMP_BUILT_IN false
#endif

static const struct layer {
	const char *name, *purpose;
	const char *(*missing)(void);
	int (*init)(unsigned int needs);
	void (*allow)(enum sandbox_role, const char *, enum sandbox_access);
	int (*enter)(enum sandbox_role);
	bool expected; /* that it is missing is worth a warning */
} layers[] = {
#if defined(__OpenBSD__)
	{ "unveil", "only the files of its job can be opened",
	    sandbox_unveil_missing, sandbox_unveil_init, sandbox_unveil_allow,
	    sandbox_unveil_enter, true },
	{ "pledge", "a replay makes the system calls of its job only",
	    sandbox_pledge_missing, sandbox_pledge_init, NULL,
	    sandbox_pledge_enter, true },
#elif defined(__FreeBSD__)
	{ "capsicum", "a replay to standard output opens nothing any more",
	    sandbox_capsicum_missing, sandbox_capsicum_init, NULL,
	    sandbox_capsicum_enter, true },
#else
	{ "landlock", "each thread opens the files of its job only",
	    sandbox_landlock_missing, sandbox_landlock_init,
	    sandbox_landlock_allow, sandbox_landlock_enter, false },
	{ "seccomp", "each thread makes the system calls of its job only",
	    sandbox_seccomp_missing, sandbox_seccomp_init, NULL,
	    sandbox_seccomp_enter, SECCOMP_BUILT_IN },
#endif
};

#define LAYERS (sizeof(layers) / sizeof(layers[0]))

static const char *const role_name[SANDBOX_ROLES] = {
	[SANDBOX_EXPORTING] = "exporting thread",
	[SANDBOX_LIVE] = "metering thread",
	[SANDBOX_REPLAY] = "metering thread",
	[SANDBOX_RESOLVING] = "resolver thread",
};

static bool on[LAYERS];
static atomic_flag complained = ATOMIC_FLAG_INIT;
static _Thread_local const char *own_role = "thread";

/* Why this build has no sandbox at all; NULL = it has. */
static const char *
left_out(void)
{
	if (PRIVDROP_SANITIZER)
		return "built with a sanitizer";
#ifdef SANDBOX_OFF
	return SANDBOX_OFF;
#else
	return NULL;
#endif
}

/* Refused calls ---------------------------------------------------------- */

#ifdef __linux__

/* Append text, and a number; async-signal-safe. */
static void
append(char *line, size_t size, const char *text)
{
	(void)strlcat(line, text, size);
}

static void
append_number(char *line, size_t size, unsigned int n)
{
	char digits[12] = "";
	size_t at = sizeof(digits) - 1;

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	append(line, size, digits + at);
}

/*
 * The kernel refused a call: whoever runs us must learn which one, and what
 * made it shall not go on.
 */
static void
on_refusal(int sig, siginfo_t *info, void *context)
{
	char line[160] = "sandbox: the ";

	(void)sig;
	(void)context;
	append(line, sizeof(line), own_role);
	append(line, sizeof(line), " made the system call ");
	append(
	    line, sizeof(line), sandbox_seccomp_name((long)info->si_syscall));
	append(line, sizeof(line), " (");
	append_number(line, sizeof(line), (unsigned int)info->si_syscall);
	append(line, sizeof(line), "), which is not part of its job; leaving");
	log_last_words(line);
	_exit(EXIT_FAILURE);
}

static void
catch_refusals(void)
{
	struct sigaction sa = { .sa_sigaction = on_refusal,
		.sa_flags = SA_SIGINFO };

	sigfillset(&sa.sa_mask);
	(void)sigaction(SIGSYS, &sa, NULL);
}

#else

static void
catch_refusals(void)
{
}

#endif

/* A signal that is forced on a thread that blocks it would kill in silence. */
static void
unblock_refusals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	(void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* The doors -------------------------------------------------------------- */

void
sandbox_init(unsigned int needs)
{
	for (size_t i = 0; i < LAYERS && left_out() == NULL; i++) {
		const char *why = layers[i].missing();

		if (why == NULL && layers[i].init(needs) == -1)
			why = strerror(errno);
		on[i] = why == NULL;
		if (why != NULL)
			log_msg(layers[i].expected ? LOG_WARNING : LOG_DEBUG,
			    "going on without %s: %s", layers[i].name, why);
	}
	catch_refusals();
}

void
sandbox_allow(
    enum sandbox_role role, const char *path, enum sandbox_access access)
{
	for (size_t i = 0; i < LAYERS; i++)
		if (on[i] && layers[i].allow != NULL)
			layers[i].allow(role, path, access);
}

void
sandbox_allow_beside(
    enum sandbox_role role, const char *path, enum sandbox_access access)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash == NULL ? strdup(".")
				  : strndup(path, (size_t)(slash - path) + 1);

	if (dir != NULL)
		sandbox_allow(role, dir, access);
	free(dir);
}

void
sandbox_enter(enum sandbox_role role)
{
	own_role = role_name[role];
	unblock_refusals();
	for (size_t i = 0; i < LAYERS; i++)
		if (on[i] && layers[i].enter(role) == -1 &&
		    !atomic_flag_test_and_set(&complained))
			log_warn("%s is refused here (%s); going on without",
			    layers[i].name, strerror(errno));
}

void
sandbox_describe(FILE *f)
{
	for (size_t i = 0; i < LAYERS; i++) {
		const char *why =
		    left_out() != NULL ? left_out() : layers[i].missing();

		if (why == NULL)
			(void)fprintf(
			    f, "%s: %s\n", layers[i].name, layers[i].purpose);
		else
			(void)fprintf(f, "%s: off, %s\n", layers[i].name, why);
	}
}
