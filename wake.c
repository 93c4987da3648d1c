/* SPDX-License-Identifier: ISC */
/*
 * wake.c - the non-blocking pipe behind wake.h.
 *
 * It carries no data: an octet in the pipe means "rung", and how many there
 * are means nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "wake.h"

static int
prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int
wake_init(struct wake *w)
{
	if (pipe(w->fd) == -1) {
		w->fd[0] = w->fd[1] = -1;
		return -1;
	}
	if (prepare(w->fd[0]) == -1 || prepare(w->fd[1]) == -1) {
		int saved = errno;

		wake_close(w);
		errno = saved;
		return -1;
	}
	return 0;
}

void
wake_close(struct wake *w)
{
	for (int i = 0; i < 2; i++) {
		if (w->fd[i] != -1)
			close(w->fd[i]);
		w->fd[i] = -1;
	}
}

int
wake_fd(const struct wake *w)
{
	return w->fd[0];
}

void
wake_ring(const struct wake *w)
{
	int saved = errno;

	/* The one way to fail is a full pipe, and that one is rung already. */
	if (write(w->fd[1], "", 1) == -1)
		errno = saved;
}

void
wake_clear(const struct wake *w)
{
	char octets[64];
	ssize_t n;

	do
		n = read(w->fd[0], octets, sizeof(octets));
	while (n == sizeof(octets)); /* a short read has emptied the pipe */
}
