/* SPDX-License-Identifier: ISC */
/*
 * control.h - the control socket: one request line, one reply, closed.
 *
 * Runs in the exporting thread's poll loop and never blocks it: sockets are
 * non-blocking, a request line is at most CONTROL_LINE_MAX octets, a client
 * has CONTROL_DEADLINE_S seconds and replies are made piece by piece, only as
 * fast as the client reads.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONTROL_LINE_MAX 4096
#define CONTROL_DEADLINE_S 5
#define CONTROL_CLIENTS_MAX 16

struct control;

/*
 * One command being carried out.  out collects the reply; the handler is
 * called again, with step one higher each time, until it says CONTROL_DONE.
 * cursor is the handler's own.  After CONTROL_WAIT it is always called again,
 * before any other handler is, even if the client went away; after
 * CONTROL_PART it is not if the client went away.
 */
struct control_request {
	FILE *out;
	bool json;       /* the client wants JSON */
	char *argument;  /* rest of the line after the command; may be "" */
	unsigned step;   /* 0 at first */
	uint32_t cursor; /* 0 at first */
	bool failed;     /* set it before the first CONTROL_PART to answer
			    with an error instead; then out holds the
			    one-line message */
};

enum control_result {
	CONTROL_DONE, /* the reply is complete */
	CONTROL_PART, /* send what is in out, then call again */
	CONTROL_WAIT, /* call again when the meter answered */
};

typedef enum control_result control_fn(struct control_request *, void *arg);

struct control_command {
	const char *name;
	const char *arguments; /* for help, e.g. "NAME=TIME" */
	const char *help;      /* one line */
	control_fn *run;
};

/*
 * Listen on a unix socket at path, mode 0660, group `group` where it exists
 * and we are root, else mode 0600.  A stale socket is replaced, a live one and
 * anything that is not a socket refused.  Returns NULL with one line in
 * errbuf.  The table ends with a NULL name; it is borrowed; `help` need not
 * be in it.  A missing directory is made (mode 0750), one level only; one that
 * everyone can write is refused unless it is sticky.  Sets the umask for a
 * moment: call it while there is one thread.
 */
struct control *control_new(const char *path, const char *group,
    const struct control_command *, void *arg, char *errbuf, size_t errlen);

/* Close all clients; remove the socket if it is still ours.  NULL is fine. */
void control_free(struct control *);

/* Descriptors to poll: fills up to CONTROL_CLIENTS_MAX + 1, returns how many.
 */
size_t control_pollfds(const struct control *, struct pollfd *);

/* Serve what poll found; mono_ns rules deadlines.  Returns nothing. */
void control_serve(
    struct control *, const struct pollfd *, size_t n, uint64_t mono_ns);

/* Milliseconds until a client's deadline; -1 = none. */
int control_poll_ms(const struct control *, uint64_t mono_ns);

#endif
