/* SPDX-License-Identifier: ISC */
/*
 * transport_internal.h - what the kinds of transport share; for transport*.c
 * and tls.c only.
 */
#ifndef TRANSPORT_INTERNAL_H
#define TRANSPORT_INTERNAL_H

#include "queue.h"
#include "transport.h"

struct addrinfo; /* netdb.h */

#define TRANSPORT_BATCH 32 /* messages handed over together, at most */

enum carrier_result {
	CARRIER_UP,    /* messages can be sent */
	CARRIER_AGAIN, /* not yet */
	CARRIER_FAILED /* never; transport_why() was told */
};

/*
 * How one kind of transport carries messages.  t->fd is a non-blocking socket
 * on which connect(2) was called.
 */
struct carrier {
	const char *unsupported; /* why; NULL = it is not */
	bool session;            /* a connection, which can end */
	bool local;              /* no address: up from the start */
	int socktype, protocol;
	/* Try what the settings name.  0, or -1 with a reason. */
	int (*check)(const struct collector_config *, char reason[REASON_LEN]);
	/* Take and free what lasts for all connections.  0, or -1 with errno.
	 */
	int (*init)(struct transport *);
	void (*fini)(struct transport *);
	/* Go on connecting. */
	enum carrier_result (*connect)(struct transport *);
	/*
	 * Send from the front of the queue until it is empty or the socket is
	 * full: transport_sent() for each message, transport_failed() for one
	 * that cannot be sent.  0, or -1 if the session broke.
	 */
	int (*flush)(struct transport *);
	/* Read what came and throw it away.  0, or -1 if the session ended. */
	int (*receive)(struct transport *);
	/* Say good-bye if `orderly`, and free what lasts for a connection. */
	void (*close)(struct transport *, bool orderly);
};

extern const struct carrier carrier_udp, carrier_tcp, carrier_sctp, carrier_tls,
    carrier_dtls, carrier_file;

enum phase {
	PHASE_IDLE, /* until retry_ns */
	PHASE_RESOLVING,
	PHASE_CONNECTING,
	PHASE_UP,
	PHASE_ENDED /* transport_end() was called */
};

struct transport {
	const struct collector_config *config;
	const struct carrier *carrier;
	const struct wake *wake;
	char name[sizeof(struct collector_address) + 16];
	char why[256]; /* the last attempt failed, or a session broke */

	/* Where the collector is. */
	bool numeric;
	struct resolver *resolver;
	struct addrinfo *list;            /* owned */
	const struct addrinfo *at;        /* in it: tried last; NULL = none */
	uint64_t looked_up_ns, lookup_ns; /* last, and next */
	uint64_t troubles; /* refusals and errors at the last look-up */

	/* The attempt to connect, and the session. */
	enum phase phase;
	int fd;
	struct own_session session; /* of the socket opened last */
	void *connection;           /* the carrier's, per connection */
	void *context;              /* the carrier's, for all connections */
	short events;               /* what a carrier that connects waits for */
	bool settled;               /* the first attempt has an outcome */
	bool complained;            /* about not being reachable */
	bool was_up;                /* a session has been */
	enum transport_event event;
	uint64_t now_ns;     /* of the last tick */
	uint64_t attempt_ns; /* the last one began */
	uint64_t retry_ns, retry_after_ns;
	uint64_t deadline_ns; /* of a connection that is being made */
	uint64_t progress_ns; /* octets left last, or none waited */

	/* Messages. */
	struct queue *queue;
	size_t written; /* octets of the first message that are out */
	bool blocked;   /* the socket is full, as far as is known */
	struct transport_stats stats;

	/* Datagrams that were refused. */
	bool refused;        /* and nothing better came since */
	uint64_t refused_ns; /* when it was last seen by transport_tick */
	uint64_t refusals_seen, datagrams_seen; /* ... and until then */
	uint64_t moved_ns;      /* to another address of the name, */
	uint64_t refusals_left; /* after so many refusals */
};

/* Go on connecting a TCP socket. */
enum carrier_result transport_tcp_connect(struct transport *);

/* Close what is open; the next message may open it again. */
void transport_close(struct transport *, bool orderly);

/*
 * Note why connecting failed or the session ended, or of one that begins what
 * is worth knowing; at most a short line.
 */
void transport_why(struct transport *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The first message in the queue is out. */
void transport_sent(struct transport *);

/* The first message in the queue cannot be sent, by errno. */
void transport_failed(struct transport *, int error);

/* Whether errno means that a socket is full just now. */
bool transport_would_block(int error);

/* The error that waits on the socket, as errno; 0 = none. */
int transport_socket_error(const struct transport *);

#endif
