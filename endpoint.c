/* SPDX-License-Identifier: ISC */
/*
 * endpoint.c - one collector of -n to struct collector_config; see
 * endpoint.h.
 *
 * One table of schemes and one of keys drive parsing and the words of
 * refusals; the options that set defaults for all collectors go through the
 * same table.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "lines.h"
#include "message.h"

#define MIB 1048576U
#define QUEUE_MIN 65536U
#define QUEUE_MAX (UINT64_C(1024) * MIB)
#define AGAIN_MIN_MS 1000U
#define DSCP_MAX 63
#define PATH_LEN_MAX 1000
#define VERSION_IPFIX 10

const struct collector_config endpoint_defaults = {
	.kind = COLLECTOR_UDP,
	.version = VERSION_DEFAULT,
	.options = EXPORT_BY_VERSION,
	.mtu = MTU_DEFAULT,
	.template_seconds = TEMPLATE_SECONDS_DEFAULT,
	.template_messages = TEMPLATE_MESSAGES_DEFAULT,
	.queue_octets = QUEUE_DEFAULT_MIB * MIB,
	.lookup_ms = LOOKUP_DEFAULT_S * 1000,
	.reconnect_ms = RECONNECT_DEFAULT_S * 1000,
};

/* Schemes ------------------------------------------------------------------ */

#define PORT_CLEAR "4739" /* ipfix (IANA) */
#define PORT_TLS "4740"   /* ipfixs */

struct scheme {
	const char *name;
	const char *port; /* where none is given; NULL: a path, not a host */
	bool later;       /* not supported yet */
};

static const struct scheme schemes[COLLECTOR_KINDS] = {
	[COLLECTOR_UDP] = { "udp", PORT_CLEAR, false },
	[COLLECTOR_TCP] = { "tcp", PORT_CLEAR, false },
	[COLLECTOR_SCTP] = { "sctp", PORT_CLEAR, false },
	[COLLECTOR_TLS] = { "tls", PORT_TLS, false },
	[COLLECTOR_DTLS] = { "dtls", PORT_TLS, false },
	[COLLECTOR_FILE] = { "file", NULL, false },
	[COLLECTOR_JSON] = { "json", NULL, false },
	[COLLECTOR_CSV] = { "csv", NULL, false },
	[COLLECTOR_TEXT] = { "text", NULL, false },
};

const char *
endpoint_scheme(enum collector_kind kind)
{
	return schemes[kind].name;
}

bool
endpoint_is_file(enum collector_kind kind)
{
	return schemes[kind].port == NULL;
}

/* The schemes as words to choose from; of hosts alone, or all. */
static void
scheme_choices(struct choice choices[COLLECTOR_KINDS + 1], bool hosts)
{
	for (uint32_t k = 0; k < COLLECTOR_KINDS; k++)
		if (schemes[k].port != NULL || !hosts)
			*choices++ = (struct choice){ schemes[k].name, k,
				schemes[k].later };
	*choices = (struct choice){ NULL, 0, false };
}

int
endpoint_set_kind(
    struct collector_config *to, const char *scheme, char reason[REASON_LEN])
{
	struct choice choices[COLLECTOR_KINDS + 1];
	uint32_t kind;

	scheme_choices(choices, true);
	if (choice_value(choices, scheme, &kind, reason) != 0)
		return -1;
	to->kind = (enum collector_kind)kind;
	return 0;
}

/* Hosts and ports ---------------------------------------------------------- */

#define LETTERS                                                                \
	"abcdefghijklmnopqrstuvwxyz"                                           \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NAME_OCTETS LETTERS "0123456789-._"

/* Whether text is not empty and has no octets but these. */
static bool
is_made_of(const char *text, const char *octets)
{
	return *text != '\0' && text[strspn(text, octets)] == '\0';
}

/* A host's or a service's name: there is a letter in it. */
static bool
is_name(const char *text)
{
	return is_made_of(text, NAME_OCTETS) && *text != '-' &&
	       strpbrk(text, LETTERS) != NULL;
}

static bool
is_ipv4(const char *text)
{
	struct in_addr in;

	return inet_pton(AF_INET, text, &in) == 1;
}

/* An IPv6 address, with or without %SCOPE. */
static bool
is_ipv6(const char *text)
{
	size_t len = strcspn(text, "%");
	char address[INET6_ADDRSTRLEN];
	struct in6_addr in6;

	if (len >= sizeof(address))
		return false;
	(void)strlcpy(address, text, len + 1);
	if (text[len] == '%' && !is_made_of(text + len + 1, NAME_OCTETS))
		return false;
	return inet_pton(AF_INET6, address, &in6) == 1;
}

static bool
is_host(const char *text)
{
	if (strchr(text, ':') != NULL)
		return is_ipv6(text);
	if (is_made_of(text, "0123456789."))
		return is_ipv4(text);
	return is_name(text);
}

/* A port number, or a service name that shall be looked up later. */
static bool
is_port(const char *text)
{
	uint64_t n;

	if (is_made_of(text, "0123456789"))
		return value_number(text, 1, UINT16_MAX, &n);
	return is_name(text);
}

/*
 * Read "host:port" or "[host]:port", cutting it up; without a port it is
 * `port`, if there is one.  0, or -1.
 */
static int
read_address(struct collector_address *to, char *text, const char *port)
{
	bool bracket = *text == '[';
	const char *host = bracket ? text + 1 : text;
	char *end = text + strcspn(text, bracket ? "]" : ":");

	if (bracket && *end == ']')
		*end++ = '\0';
	else if (bracket)
		return -1;
	if (*end == ':') {
		*end = '\0';
		port = end + 1;
	} else if (*end != '\0' || port == NULL) {
		return -1;
	}
	if (!is_host(host) || !is_port(port))
		return -1;
	return strlcpy(to->host, host, sizeof(to->host)) >= sizeof(to->host) ||
		       strlcpy(to->port, port, sizeof(to->port)) >=
			   sizeof(to->port)
		   ? -1
		   : 0;
}

/* Keys --------------------------------------------------------------------- */

struct key;
typedef int set_fn(struct collector_config *, const struct key *,
    const char *value, char reason[REASON_LEN]);

#define BIT(kind) (1U << (kind))
#define TLS_KINDS (BIT(COLLECTOR_TLS) | BIT(COLLECTOR_DTLS))
#define SESSION_KINDS (BIT(COLLECTOR_TCP) | BIT(COLLECTOR_SCTP) | TLS_KINDS)
#define HOST_KINDS (BIT(COLLECTOR_UDP) | SESSION_KINDS)
#define LOSSY_KINDS (BIT(COLLECTOR_UDP) | BIT(COLLECTOR_DTLS))
#define MESSAGE_KINDS (HOST_KINDS | BIT(COLLECTOR_FILE))

struct key {
	const char *name;  /* of the option */
	const char *alias; /* a shorter word for it in a URL; or NULL */
	unsigned kinds;    /* of collectors that it means something for */
	set_fn *set;
	size_t at; /* in struct collector_config */
	uint64_t min, max;
};

static set_fn set_address, set_device, set_number, set_octets, set_options,
    set_template_refresh, set_text, set_time, set_version;

#define AT(field) .at = offsetof(struct collector_config, field)

/* clang-format off */
static const struct key keys[] = {
	{ "export-version", "version", HOST_KINDS, set_version,
	    AT(version) },
	{ "domain", NULL, MESSAGE_KINDS, set_number,
	    AT(domain), .max = UINT32_MAX },
	{ "mtu", NULL, MESSAGE_KINDS, set_number,
	    AT(mtu), .min = MESSAGE_MIN, .max = MESSAGE_MAX },
	{ "options", NULL, MESSAGE_KINDS, set_options, AT(options) },
	{ "template-refresh", NULL, LOSSY_KINDS, set_template_refresh,
	    .min = 1, .max = INT32_MAX },
	{ "source-address", "source", HOST_KINDS, set_address, AT(source) },
	{ "bind-device", "device", HOST_KINDS, set_device, AT(device) },
	{ "hop-limit", NULL, HOST_KINDS, set_number,
	    AT(hop_limit), .max = 255 },
	{ "dscp", NULL, HOST_KINDS, set_number, AT(dscp), .max = DSCP_MAX },
	{ "queue", NULL, MESSAGE_KINDS, set_octets,
	    AT(queue_octets), .min = QUEUE_MIN, .max = QUEUE_MAX },
	{ "lookup", NULL, HOST_KINDS, set_time,
	    AT(lookup_ms), .min = AGAIN_MIN_MS },
	{ "reconnect", NULL, SESSION_KINDS, set_time,
	    AT(reconnect_ms), .min = AGAIN_MIN_MS },
	{ "rotate", NULL, BIT(COLLECTOR_FILE), set_time,
	    AT(rotate_ms), .min = AGAIN_MIN_MS },
	{ "size", NULL, BIT(COLLECTOR_FILE), set_octets,
	    AT(file_octets), .min = QUEUE_MIN, .max = UINT32_MAX },
	{ "tls-ca", "ca", TLS_KINDS, set_text, AT(tls_ca) },
	{ "tls-cert", "cert", TLS_KINDS, set_text, AT(tls_cert) },
	{ "tls-key", "key", TLS_KINDS, set_text, AT(tls_key) },
	{ "tls-name", "name", TLS_KINDS, set_text, AT(tls_name) },
};
/* clang-format on */

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int __attribute__((format(printf, 2, 3)))
refuse(char reason[REASON_LEN], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, REASON_LEN, fmt, ap);
	va_end(ap);
	value_one_line(reason);
	return -1;
}

static void
store_number(struct collector_config *to, const struct key *key, uint64_t n)
{
	uint32_t n32 = (uint32_t)n;

	memcpy((char *)to + key->at, &n32, sizeof(n32));
}

static int
set_number(struct collector_config *to, const struct key *key,
    const char *value, char reason[REASON_LEN])
{
	uint64_t n;

	if (value_parse_number(value, key->min, key->max, &n, reason) != 0)
		return -1;
	store_number(to, key, n);
	return 0;
}

static int
set_octets(struct collector_config *to, const struct key *key,
    const char *value, char reason[REASON_LEN])
{
	uint64_t n;

	if (value_parse_octets(value, key->min, key->max, &n, reason) != 0)
		return -1;
	store_number(to, key, n);
	return 0;
}

static int
set_time(struct collector_config *to, const struct key *key, const char *value,
    char reason[REASON_LEN])
{
	uint32_t ms;

	if (value_time(value, &ms) != 0 || ms < key->min)
		return refuse(reason,
		    "give a time from %" PRIu64 " s to 24d, such as 90 or "
		    "1m30s",
		    key->min / 1000);
	store_number(to, key, ms);
	return 0;
}

static int
set_text(struct collector_config *to, const struct key *key, const char *value,
    char reason[REASON_LEN])
{
	if (*value == '\0')
		return refuse(reason, "give a value");
	memcpy((char *)to + key->at, &value, sizeof(value));
	return 0;
}

static int
set_address(struct collector_config *to, const struct key *key,
    const char *value, char reason[REASON_LEN])
{
	if (!is_ipv4(value) && !is_ipv6(value))
		return refuse(
		    reason, "give an IPv4 or IPv6 address of this machine");
	return set_text(to, key, value, reason);
}

static int
set_device(struct collector_config *to, const struct key *key,
    const char *value, char reason[REASON_LEN])
{
#ifdef SO_BINDTODEVICE
	if (strlen(value) >= IFNAMSIZ)
		return refuse(reason,
		    "give the name of an interface, at most %d octets",
		    IFNAMSIZ - 1);
	return set_text(to, key, value, reason);
#else
	(void)to;
	(void)key;
	(void)value;
	return refuse(reason, "this system cannot bind to an interface; "
			      "leave it out");
#endif
}

static int
set_version(struct collector_config *to, const struct key *key,
    const char *value, char reason[REASON_LEN])
{
	static const struct choice versions[] = { { "1", 1, false },
		{ "5", 5, false }, { "9", 9, false }, { "10", 10, false },
		{ "ipfix", 10, false }, { "psamp", 0, true },
		{ "ntopng", 0, true }, { NULL, 0, false } };

	(void)key;
	return choice_value(versions, value, &to->version, reason);
}

/* Names of options data, or none. */
static int
set_options(struct collector_config *to, const struct key *key,
    const char *value, char reason[REASON_LEN])
{
	static const struct choice kinds[] = { { "sampling", EXPORT_SAMPLING,
						   false },
		{ "interfaces", EXPORT_INTERFACES, false },
		{ "statistics", EXPORT_STATISTICS, false },
		{ "exporter", EXPORT_EXPORTER, false },
		{ "all", EXPORT_ALL, false }, { "none", 0, false },
		{ NULL, 0, false } };

	(void)key;
	return choice_values(kinds, value, ',', &to->options, reason);
}

static int
set_template_refresh(struct collector_config *to, const struct key *key,
    const char *value, char reason[REASON_LEN])
{
	const char *comma = strchr(value, ',');
	uint64_t seconds = to->template_seconds;
	uint64_t messages = to->template_messages;
	const char *at = value;

	if ((at != comma && (value_digits(&at, &seconds) != 0 ||
				seconds < key->min || seconds > key->max)) ||
	    (comma == NULL ? *at != '\0' : at != comma) ||
	    (comma != NULL &&
		!value_number(comma + 1, key->min, key->max, &messages)))
		return refuse(reason,
		    "give SECONDS, SECONDS,MESSAGES or ,MESSAGES, "
		    "each from %" PRIu64 " to %" PRIu64,
		    key->min, key->max);
	to->template_seconds = (uint32_t)seconds;
	to->template_messages = (uint32_t)messages;
	return 0;
}

static const struct key *
find_key(const char *name)
{
	for (const struct key *k = keys; k < keys + KEYS; k++)
		if (strcmp(k->name, name) == 0 ||
		    (k->alias != NULL && strcmp(k->alias, name) == 0))
			return k;
	return NULL;
}

int
endpoint_set(struct collector_config *to, const char *name, const char *value,
    char reason[REASON_LEN])
{
	const struct key *key = find_key(name);

	return key->set(to, key, value, reason);
}

/* URLs --------------------------------------------------------------------- */

/* What stands before the keys of an item, as far as it is shown. */
struct base {
	const char *text;
	int len;
};

/* Say which keys there are for this kind of collector. */
static int
refuse_key(const struct collector_config *to, const struct base *base,
    const char *name, char reason[REASON_LEN])
{
	char list[REASON_LEN / 2] = "";

	for (const struct key *k = keys; k < keys + KEYS; k++) {
		if (!(k->kinds & BIT(to->kind)))
			continue;
		if (list[0] != '\0')
			(void)strlcat(list, ", ", sizeof(list));
		(void)strlcat(
		    list, k->alias != NULL ? k->alias : k->name, sizeof(list));
	}
	return refuse(reason, "%.*s: \"%.*s\" is no key of %s%s%s", base->len,
	    base->text, VALUE_SHOWN_MAX, name, endpoint_scheme(to->kind),
	    list[0] != '\0' ? "; give " : ", which has none; leave it out",
	    list);
}

/*
 * Take one "key=value", cutting it in two.  Where options have a comma
 * between values, a URL has a plus sign: a comma ends the collector.
 */
static int
read_key(struct collector_config *to, const struct base *base, char *text,
    char reason[REASON_LEN])
{
	char why[REASON_LEN];
	char *value = strchr(text, '=');
	const struct key *key;

	if (value != NULL)
		*value++ = '\0';
	key = find_key(text);
	if (key == NULL || !(key->kinds & BIT(to->kind)))
		return refuse_key(to, base, text, reason);
	if (value == NULL)
		return refuse(reason, "%.*s: %s: give %s=VALUE", base->len,
		    base->text, text, text);
	if (key->set == set_options || key->set == set_template_refresh)
		for (char *c = value; *c != '\0'; c++)
			if (*c == '+')
				*c = ',';
	if (key->set(to, key, value, why) == 0)
		return 0;
	return refuse(reason, "%.*s: %s=%.*s: %.*s", base->len, base->text,
	    text, VALUE_SHOWN_MAX, value, REASON_LEN / 2, why);
}

static int
read_keys(struct collector_config *to, const struct base *base, char *text,
    char reason[REASON_LEN])
{
	char *next;

	for (; text != NULL; text = next) {
		next = strchr(text, '&');
		if (next != NULL)
			*next++ = '\0';
		if (read_key(to, base, text, reason) != 0)
			return -1;
	}
	return 0;
}

/*
 * Step over SCHEME:// and set the kind and the port that go with it; without
 * a scheme there is no default port.
 */
static int
read_scheme(struct collector_config *to, char **text, const char **port,
    char reason[REASON_LEN])
{
	struct choice choices[COLLECTOR_KINDS + 1];
	char *colon = strchr(*text, ':');
	const struct choice *scheme;
	uint32_t kind;
	bool slashes;

	if (colon == NULL)
		return 0;
	scheme_choices(choices, false);
	*colon = '\0';
	slashes = strncmp(colon + 1, "//", 2) == 0;
	scheme = choice_find(choices, *text);
	if (slashes ||
	    (scheme != NULL && schemes[scheme->value].port == NULL)) {
		if (choice_value(choices, *text, &kind, reason) != 0)
			return -1;
		to->kind = (enum collector_kind)kind;
		*port = schemes[kind].port;
	}
	*colon = ':';
	if (slashes)
		*text = colon + 3;
	else if (endpoint_is_file(to->kind))
		*text = colon + 1;
	return 0;
}

/* Conversions of strftime(3) that a file's name may have. */
#define CONVERSIONS "YmdHMSFTjys"

/* How many times a name has, in conversions; -1: there are others. */
static int
count_times(const char *name)
{
	int n = 0;

	for (; (name = strchr(name, '%')) != NULL; name += 2) {
		if (name[1] == '\0' || strchr(CONVERSIONS "%", name[1]) == NULL)
			return -1;
		n += name[1] != '%';
	}
	return n;
}

int
endpoint_numeric(
    struct collector_address *to, const char *text, char reason[REASON_LEN])
{
	char copy[sizeof(to->host) + sizeof(to->port)];

	if (strlcpy(copy, text, sizeof(copy)) < sizeof(copy) &&
	    read_address(to, copy, NULL) == 0 && !is_name(to->host) &&
	    !is_name(to->port))
		return 0;
	return refuse(reason,
	    "give a numeric address and a port, such as 127.0.0.1:9191 or "
	    "[::1]:9191");
}

bool
endpoint_is_dated(const struct collector_config *c)
{
	return c->kind == COLLECTOR_FILE && count_times(c->path) > 0;
}

static int
read_path(
    struct collector_config *to, const char *path, char reason[REASON_LEN])
{
	const char *scheme = endpoint_scheme(to->kind);

	if (*path == '\0' || strlen(path) > PATH_LEN_MAX)
		return refuse(reason,
		    "%s: give %s:PATH, at most %d octets, or %s:- for standard "
		    "output",
		    scheme, scheme, PATH_LEN_MAX, scheme);
	if (to->kind == COLLECTOR_FILE && count_times(path) == -1)
		return refuse(reason,
		    "%.*s: a %% in the name begins a time; give one "
		    "of " CONVERSIONS " after it, or %%%%",
		    value_shown(strlen(path)), path);
	to->path = path;
	return 0;
}

/* Keys, and what follows from them and the path together. */
static int
read_file_keys(struct collector_config *to, const struct base *base, char *text,
    char reason[REASON_LEN])
{
	if (to->kind != COLLECTOR_FILE) { /* which sets its own sizes */
		to->mtu = LINES_MAX;
		to->queue_octets = 4 * LINES_MAX;
	}
	to->version = VERSION_IPFIX;
	if (read_keys(to, base, text, reason) != 0)
		return -1;
	if ((to->rotate_ms != 0 || to->file_octets != 0) &&
	    !endpoint_is_dated(to))
		return refuse(reason,
		    "%.*s: files that follow each other need the time in their "
		    "name; give one such as %%Y%%m%%d-%%H%%M%%S.ipfix",
		    base->len, base->text);
	return 0;
}

static int
read_item(struct collector_config *to, const char *item, size_t len,
    char reason[REASON_LEN])
{
	char *text = to->text, *query = strchr(text, '?');
	struct base base = { item, value_shown(strcspn(text, "?")) };
	const char *port = NULL;

	if (query != NULL)
		*query++ = '\0';
	if (read_scheme(to, &text, &port, reason) != 0)
		return -1;
	if (endpoint_is_file(to->kind))
		return read_path(to, text, reason) != 0
			   ? -1
			   : read_file_keys(to, &base, query, reason);
	if (read_address(&to->address, text, port) != 0)
		return refuse(reason,
		    "\"%.*s\" is not a collector; give HOST:PORT or "
		    "[IPV6]:PORT, PORT being 1 to 65535 or a service name",
		    value_shown(len), item);
	return read_keys(to, &base, query, reason);
}

int
endpoint_parse(struct collector_config *to, const char *item, size_t len,
    const struct collector_config *defaults, char reason[REASON_LEN])
{
	*to = *defaults;
	to->text = strndup(item, len);
	if (to->text == NULL)
		return refuse(reason, "out of memory");
	if (read_item(to, item, len, reason) == 0)
		return 0;
	endpoint_free(to);
	return -1;
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Whether a key has one value for both. */
static bool
same_value(const struct key *key, const struct collector_config *a,
    const struct collector_config *b)
{
	const void *at = (const char *)a + key->at;
	const void *bt = (const char *)b + key->at;

	if (key->set == set_template_refresh)
		return a->template_seconds == b->template_seconds &&
		       a->template_messages == b->template_messages;
	if (key->set == set_text || key->set == set_address ||
	    key->set == set_device)
		return same_text(
		    *(const char *const *)at, *(const char *const *)bt);
	return memcmp(at, bt, sizeof(uint32_t)) == 0;
}

bool
endpoint_equal(
    const struct collector_config *a, const struct collector_config *b)
{
	if (a->kind != b->kind || !same_text(a->path, b->path) ||
	    strcmp(a->address.host, b->address.host) != 0 ||
	    strcmp(a->address.port, b->address.port) != 0)
		return false;
	for (const struct key *k = keys; k < keys + KEYS; k++)
		if ((k->kinds & BIT(a->kind)) && !same_value(k, a, b))
			return false;
	return true;
}

bool
endpoint_is_lossy(enum collector_kind kind)
{
	return (BIT(kind) & LOSSY_KINDS) != 0;
}

void
endpoint_free(struct collector_config *to)
{
	free(to->text);
	to->text = NULL;
}
