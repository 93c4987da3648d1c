/* SPDX-License-Identifier: ISC */
/*
 * endpoint.h - one collector: what it is, where, and how it is exported to.
 *
 *	HOST:PORT                         as softflowd has it
 *	SCHEME://HOST[:PORT][?KEY=VALUE[&KEY=VALUE...]]
 *
 * Each key is the long option, or a short word for it, whose value it
 * overrides for this one collector.  Nothing is looked up or opened here.
 */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "values.h"

enum collector_kind {
	COLLECTOR_UDP,
	COLLECTOR_TCP,
	COLLECTOR_SCTP,
	COLLECTOR_TLS,
	COLLECTOR_DTLS,
	COLLECTOR_FILE,
	COLLECTOR_JSON,
	COLLECTOR_CSV,
	COLLECTOR_TEXT,
	COLLECTOR_KINDS
};

/* Kinds of options data that can be sent (--options). */
enum {
	EXPORT_SAMPLING = 1,
	EXPORT_INTERFACES = 2,
	EXPORT_STATISTICS = 4,
	EXPORT_EXPORTER = 8,
	EXPORT_ALL = 15,
	EXPORT_IF_SAMPLED = 16,     /* EXPORT_SAMPLING where there is some */
	EXPORT_BY_VERSION = 1 << 30 /* not chosen: as the version has it */
};

struct collector_address {
	char host[256]; /* name or numeric address, without brackets */
	char port[32];  /* number or service name */
};

/*
 * One collector.  Strings that are not given are NULL; the others are
 * borrowed, from the command line or from `text`.
 */
struct collector_config {
	enum collector_kind kind;
	struct collector_address address;
	uint32_t version; /* 1, 5, 9 or 10 */
	uint32_t options; /* EXPORT_ bits; none in NetFlow v1, v5 */
	uint32_t domain;  /* Observation Domain ID */
	uint32_t mtu;     /* octets of a message, at most */
	/* Refresh after this time or so many messages; sooner at first. */
	uint32_t template_seconds, template_messages;
	uint32_t hop_limit;    /* 1 to 255; 0 = the system's */
	uint32_t dscp;         /* 0 to 63 */
	uint32_t queue_octets; /* of messages that wait */
	uint32_t lookup_ms;    /* a name is looked up again after */
	uint32_t reconnect_ms; /* least time between two sessions */
	const char *source;    /* numeric address to send from */
	const char *device;    /* interface to send through */
	const char *tls_ca;    /* file of certificates to trust */
	const char *tls_cert;  /* file of our certificate chain */
	const char *tls_key;   /* file of its private key */
	const char *tls_name;  /* to be in the collector's certificate */
	const char *path;      /* of a file; "-" = standard output */
	uint32_t rotate_ms;    /* a file holds so much time; 0 = any */
	uint32_t file_octets;  /* ... and so many octets; 0 = any */
	size_t line;           /* of the file that has it; 0 = elsewhere */
	char *text;            /* owned; see endpoint_free() */
};

/* Defaults that the usage text names too. */
#define VERSION_DEFAULT 10
#define MTU_DEFAULT 1400
#define TEMPLATE_SECONDS_DEFAULT 60
#define TEMPLATE_MESSAGES_DEFAULT 4096
#define QUEUE_DEFAULT_MIB 1
#define RECONNECT_DEFAULT_S 60
#define LOOKUP_DEFAULT_S 300

extern const struct collector_config endpoint_defaults;

/*
 * Set what the option or key of this name sets, e.g. "mtu".  The value is
 * borrowed for the life of *to.  0, or -1 with a reason that does not repeat
 * the name.
 */
int endpoint_set(struct collector_config *to, const char *name,
    const char *value, char reason[REASON_LEN]);

/*
 * Set the kind that a bare HOST:PORT means, by its scheme: 0, or -1 with a
 * reason.
 */
int endpoint_set_kind(
    struct collector_config *to, const char *scheme, char reason[REASON_LEN]);

/*
 * Parse one collector of `len` octets at `item`; what it does not say is as
 * in *defaults.  0, and *to must be freed; or -1 with one line of reason.
 */
int endpoint_parse(struct collector_config *to, const char *item, size_t len,
    const struct collector_config *defaults, char reason[REASON_LEN]);

/*
 * Read "ADDRESS:PORT" or "[IPV6]:PORT", both numeric.  0, or -1 with a reason
 * that does not repeat the text.
 */
int endpoint_numeric(
    struct collector_address *to, const char *text, char reason[REASON_LEN]);

/*
 * Whether messages to both would be the same, and take the same way: all that
 * means something for their kind is.
 */
bool endpoint_equal(
    const struct collector_config *, const struct collector_config *);

/* Free what *to owns. */
void endpoint_free(struct collector_config *to);

/* Whether messages to a kind can be lost on the way: datagrams. */
bool endpoint_is_lossy(enum collector_kind);

/* Whether a kind is a file on this machine, or standard output. */
bool endpoint_is_file(enum collector_kind);

/* Whether the name of its files has a time, and so each a name of its own. */
bool endpoint_is_dated(const struct collector_config *);

/* The scheme of a kind, e.g. "udp". */
const char *endpoint_scheme(enum collector_kind);

#endif
