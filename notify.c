/* SPDX-License-Identifier: ISC */
/*
 * notify.c - datagrams to $NOTIFY_SOCKET; see notify.h.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"
#include "values.h"

#define NS_PER_US 1000U

/*
 * The address that a name stands for: a path, or with '@' a name that is in no
 * file system.  Returns its length, 0 if it is neither.
 */
static socklen_t
address_of(const char *name, struct sockaddr_un *sun)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 ||
	    len >= sizeof(sun->sun_path))
		return 0;
	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(sun->sun_path, name, len);
	if (name[0] == '@')
		sun->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len +
			   (name[0] == '/'));
}

static int
connect_to(const char *name)
{
	struct sockaddr_un sun;
	socklen_t len = address_of(name, &sun);
	int fd;

	if (len == 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd == -1)
		return -1;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	    fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
	    connect(fd, (const struct sockaddr *)&sun, len) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* A number of the environment, from 1; 0 if there is none. */
static uint64_t
number_of(const char *name)
{
	const char *text = getenv(name);
	uint64_t n;

	if (text == NULL || !value_number(text, 1, UINT64_MAX / NS_PER_US, &n))
		return 0;
	return n;
}

void
notify_open(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");
	uint64_t pid = number_of("WATCHDOG_PID");

	*n = (struct notify){ .fd = name == NULL ? -1 : connect_to(name) };
	/* Meant for another process, such as our parent? */
	if (n->fd != -1 && (pid == 0 || pid == (uint64_t)getpid()))
		n->watchdog_ns = number_of("WATCHDOG_USEC") * NS_PER_US;
}

void
notify_close(struct notify *n)
{
	if (n->fd != -1)
		(void)close(n->fd);
	n->fd = -1;
}

void
notify_send(const struct notify *n, const char *state)
{
	if (n->fd != -1)
		(void)send(n->fd, state, strlen(state), MSG_NOSIGNAL);
}
