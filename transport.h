/* SPDX-License-Identifier: ISC */
/*
 * transport.h - one collector's address and socket: resolve, connect, send,
 * count.
 *
 * The only place that knows sockets to collectors.  Nothing here blocks: names
 * are looked up by a helper thread, datagrams that the socket does not take at
 * once wait in a bounded queue.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector_config; /* endpoint.h */
struct wake;             /* wake.h */
struct transport;

/* What the Data Records in a datagram account for. */
struct cargo {
	uint64_t records, packets, octets;
};

/* What happened to datagrams handed over. */
struct transport_stats {
	uint64_t datagrams, octets; /* taken by the kernel */
	struct cargo sent;
	struct cargo queued; /* in the queue now */
	uint64_t dropped;    /* datagrams that could not be sent */
	struct cargo lost;
	uint64_t refused; /* ICMP unreachable came back */
	uint64_t errors;  /* other send errors */
};

/*
 * Create a transport.  A numeric address is ready at once; a name is looked up
 * in the background, for ever if need be; `wake` is rung when there is an
 * answer.  Both arguments must outlive the transport.  NULL with errno.
 */
struct transport *transport_new(
    const struct collector_config *, const struct wake *wake);

/* NULL is fine. */
void transport_free(struct transport *);

enum transport_state { TRANSPORT_RESOLVING, TRANSPORT_UP, TRANSPORT_FAILED };
enum transport_state transport_state(const struct transport *);

/*
 * Whether the collector refused and has not been quiet for long enough to be
 * sure that it is back.
 */
bool transport_refused(const struct transport *);

/* Whether the first attempt to find the collector has an outcome. */
bool transport_settled(const struct transport *);

/* "host:port", as given. */
const char *transport_name(const struct transport *);

/*
 * Call about once a second and when `wake` rang: fetches answers, retries.
 * Returns true if the collector came up, or came back, just now, so that
 * templates should be sent.
 */
bool transport_tick(struct transport *, uint64_t mono_ns);

/*
 * Queue one datagram; transport_flush(), or a full queue, sends.  Returns 0,
 * or -1 if it was dropped (and counted): not resolved, or no room.
 */
int transport_send(
    struct transport *, const void *data, size_t len, const struct cargo *);

/* Whether there is, or can be made, room for what one record may fill. */
bool transport_ready(struct transport *);

/* The descriptor to poll for POLLOUT while datagrams wait; else -1. */
int transport_poll_fd(const struct transport *);

/* Send what waits, as far as the socket takes it. */
void transport_flush(struct transport *);

const struct transport_stats *transport_stats(const struct transport *);

#endif
