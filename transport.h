/* SPDX-License-Identifier: ISC */
/*
 * transport.h - one collector's addresses and session: resolve, connect, send,
 * connect again, count.
 *
 * The only place that knows sockets to collectors.  Nothing here blocks: names
 * are looked up by a helper thread, sockets connect in the background, and
 * messages that a socket does not take at once wait in a bounded queue.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "endpoint.h"
#include "own.h"
#include "queue.h" /* struct cargo */

struct wake; /* wake.h */
struct transport;

/* What happened to messages handed over. */
struct transport_stats {
	uint64_t datagrams, octets; /* messages taken by the kernel */
	struct cargo sent;
	struct cargo queued;    /* in the queue now */
	uint64_t queued_octets; /* ... of messages */
	uint64_t dropped;       /* messages that could not be sent */
	uint64_t dropped_octets;
	struct cargo lost;
	uint64_t refused;    /* ICMP unreachable came back */
	uint64_t errors;     /* other send errors, sessions that broke */
	uint64_t reconnects; /* sessions after the first */
};

/* Why this build or system has no transport of a kind; NULL = it has. */
const char *transport_unsupported(enum collector_kind);

/*
 * Try what a collector's settings name on this machine: certificates.  0, or
 * -1 with one line of reason.
 */
int transport_check(const struct collector_config *, char reason[REASON_LEN]);

/* Octets that transport_new takes, and what it begins later, at most. */
size_t transport_memory(const struct collector_config *);

/*
 * Create a transport.  A numeric UDP address is ready at once; a name is
 * looked up from the first tick on, for ever if need be; `wake` is rung when
 * there is an answer.  Both arguments must outlive the transport.  NULL with
 * errno.
 */
struct transport *transport_new(
    const struct collector_config *, const struct wake *wake);

/* What waits is not counted any more.  NULL is fine. */
void transport_free(struct transport *);

/*
 * End the session in good order and count what still waits as lost.  There
 * will be no other one.
 */
void transport_end(struct transport *);

enum transport_state {
	TRANSPORT_RESOLVING,
	TRANSPORT_CONNECTING,
	TRANSPORT_UP,
	TRANSPORT_FAILED,
	TRANSPORT_CLOSED /* in good order, for good */
};
enum transport_state transport_state(const struct transport *);

/*
 * Whether the collector refused datagrams and has not been quiet for long
 * enough to be sure that it is back.
 */
bool transport_refused(const struct transport *);

/* Whether the first attempt to find the collector has an outcome. */
bool transport_settled(const struct transport *);

/* "host:port", with "scheme://" in front unless it is UDP. */
const char *transport_name(const struct transport *);

/* "udp", "tcp" and so on. */
const char *transport_kind(const struct transport *);

enum transport_event {
	TRANSPORT_NO_NEWS,
	TRANSPORT_BACK,   /* it can be sent to again: it wants templates */
	TRANSPORT_SESSION /* it knows nothing: sequence from 0, templates */
};

/*
 * Call about once a second, when `wake` rang and when the descriptor is
 * ready: fetches answers, connects, reads, sends, tries again.  Only here a
 * session begins.
 */
enum transport_event transport_tick(struct transport *, uint64_t mono_ns);

/*
 * Queue one message; transport_flush(), or a full batch, sends.  Returns 0,
 * or -1 if it was dropped (and counted): not up, or no room.
 */
int transport_send(
    struct transport *, const void *data, size_t len, const struct cargo *);

/* Count a message as lost that is not even handed over. */
void transport_drop(struct transport *, size_t len, const struct cargo *);

/* Whether there is, or can be made, room for what one record may fill. */
bool transport_ready(struct transport *);

/*
 * The descriptor to poll, and the events to poll it for; -1 if there is
 * nothing to wait for.
 */
int transport_poll_fd(const struct transport *, short *events);

/*
 * Fill the address messages leave from, of a session or a connected socket:
 * one of them, and the other with zeroes; both with zeroes if it is not known.
 */
void transport_source(const struct transport *, uint8_t v4[4], uint8_t v6[16]);

/*
 * The addresses of the socket that is open, or was open last: as its packets
 * have them, before any translation.  Its protocol is 0 if there was none.
 */
const struct own_session *transport_session(const struct transport *);

/* Whether messages wait that can still be sent. */
bool transport_pending(const struct transport *);

/* Send what waits, as far as the socket takes it. */
void transport_flush(struct transport *);

/*
 * Files.  What these say of other kinds is `false`, and they do nothing.
 *
 * Tell when the next message was made: its file's name may have the time.
 */
void transport_date(struct transport *, uint64_t now_ns);

/* Whether the next message stands first in its file. */
bool transport_fresh(const struct transport *);

/*
 * Whether the file at hand is complete, by its size or by time, when one more
 * message of `len` octets is made.
 */
bool transport_complete(const struct transport *, uint64_t now_ns, size_t len);

/*
 * Complete the file at hand, so that the next message begins another one;
 * lines are appended to what has the file's name then.  Returns whether that
 * was done.
 */
bool transport_turn(struct transport *);

const struct transport_stats *transport_stats(const struct transport *);

#endif
