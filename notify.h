/* SPDX-License-Identifier: ISC */
/*
 * notify.h - tell the service manager how we are: the protocol of sd_notify(3)
 * of systemd, without its library.  Where nobody asked, nothing is done.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdint.h>

struct notify {
	int fd;               /* connected datagram socket; -1 = nobody asks */
	uint64_t watchdog_ns; /* killed if silent so long; 0 = never */
};

/*
 * Read the environment, while files can still be reached.  What stands there
 * and cannot be used is the same as nothing.
 */
void notify_open(struct notify *);

/* Close the socket; may be called twice. */
void notify_close(struct notify *);

/*
 * Send a state such as "READY=1", "WATCHDOG=1" or "STOPPING=1".  Never blocks;
 * what cannot be sent is lost.
 */
void notify_send(const struct notify *, const char *state);

#endif
