/* SPDX-License-Identifier: ISC */
/*
 * daemon.c - fork to the background with a report to the parent, and the
 * pidfile; see daemon.h.
 */
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <libutil.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "log.h"

static int report_fd = -1; /* to the waiting parent */
static int pid_fd = -1;    /* locked */
static char *pid_path;     /* absolute: the working directory may change */

/* Wait until the child reports that it runs, or ends. */
static _Noreturn void
wait_for(pid_t child, int fd)
{
	char ready;
	ssize_t n;
	int status = 0;

	do
		n = read(fd, &ready, 1);
	while (n == -1 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_SUCCESS);
	/* Whoever started it is told that it does not run: see to that. */
	if (n == -1) {
		log_error("cannot learn whether the background process runs: "
			  "%s; ending it",
		    strerror(errno));
		(void)kill(child, SIGTERM);
	}
	while (waitpid(child, &status, 0) == -1 && errno == EINTR)
		continue;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0
		  ? WEXITSTATUS(status)
		  : EXIT_FAILURE);
}

int
daemon_start(void)
{
	int fd[2];
	pid_t child;

	if (pipe(fd) == -1)
		return -1;
	child = fork();
	if (child == -1) {
		close(fd[0]);
		close(fd[1]);
		return -1;
	}
	if (child != 0) {
		close(fd[1]);
		wait_for(child, fd[0]);
	}
	close(fd[0]);
	fcntl(fd[1], F_SETFD, FD_CLOEXEC);
	report_fd = fd[1];
	setsid();
	return 0;
}

void
daemon_ready(void)
{
	int null;

	if (report_fd == -1)
		return;
	log_to_syslog(true);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null != -1) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	if (chdir("/") == -1 || write(report_fd, "", 1) != 1)
		log_warn("cannot tell the parent process that we run");
	close(report_fd);
	report_fd = -1;
}

/* The process id that the holder of a locked pidfile wrote; 0 if none. */
static long
read_pid(const char *path)
{
	char text[24] = "";
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return 0;
	if (fgets(text, sizeof(text), f) == NULL)
		text[0] = '\0';
	fclose(f);
	return strtol(text, NULL, 10);
}

int
daemon_write_pidfile(const char *path, long *other)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	/* Who may write to the folder shall not choose what we overwrite. */
	pid_fd = flopen(
	    path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
	if (pid_fd == -1) {
		if (errno == EWOULDBLOCK) {
			*other = read_pid(path);
			errno = EEXIST;
		}
		return -1;
	}
	pid_path = realpath(path, NULL);
	if (pid_path != NULL && ftruncate(pid_fd, 0) == 0 &&
	    write(pid_fd, text, (size_t)len) == len)
		return 0;
	daemon_remove_pidfile();
	return -1;
}

void
daemon_remove_pidfile(void)
{
	if (pid_fd == -1)
		return;
	if (pid_path != NULL)
		unlink(pid_path);
	free(pid_path);
	pid_path = NULL;
	close(pid_fd);
	pid_fd = -1;
}
