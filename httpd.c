/* SPDX-License-Identifier: ISC */
/*
 * httpd.c - one page by HTTP; see httpd.h.
 *
 * What the page tells, only the meters know, and they are asked by the poll
 * loop: so a request for it is suspended, and answered when the page is made.
 */
#include "httpd.h"

#ifdef HAVE_MICROHTTPD

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "endpoint.h"
#include "record.h"

#define DEADLINE_NS (HTTPD_DEADLINE_S * NS_PER_S)
#define RUNS_MAX 16     /* of the library in one turn */
#define MEMORY_MAX 8192 /* octets, of a connection: request and headers */
#define FORMATS (METRICS_PROMETHEUS + 1)

enum state {
	FREE,
	TALKING,  /* all that is not one of these */
	WAITING,  /* suspended, until the page is made */
	ANSWERED, /* the page is there for it */
};

struct client {
	enum state state;
	struct MHD_Connection *connection;
	uint64_t deadline_ns;
	enum metrics_format format;
};

struct httpd {
	struct MHD_Daemon *daemon;
	int fd; /* listens; the library's once there is a daemon */
	uint64_t mono_ns;
	struct client client[HTTPD_CLIENTS_MAX];
	struct MHD_Response *page[FORMATS]; /* the newest; NULL = none */
};

const char *
httpd_unsupported(void)
{
	return NULL;
}

/* Answers ------------------------------------------------------------------ */

/* Queue a response that is the last of its connection, and forget it. */
static enum MHD_Result
answer(struct MHD_Connection *c, unsigned int status, struct MHD_Response *r)
{
	enum MHD_Result result = MHD_queue_response(c, status, r);

	MHD_destroy_response(r);
	return result;
}

/* A response of a few words, which stay where they are. */
static struct MHD_Response *
make_response(char *text, const char *type)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
	    strlen(text), text, MHD_RESPMEM_PERSISTENT);

	if (r != NULL) {
		(void)MHD_add_response_header(r, "Content-Type", type);
		(void)MHD_add_response_header(r, "Connection", "close");
	}
	return r;
}

static enum MHD_Result
answer_index(struct MHD_Connection *c)
{
	static char text[] = "<!DOCTYPE html>\n<title>softprobe</title>\n"
			     "<a href=\"/metrics\">metrics</a>\n";
	struct MHD_Response *r =
	    make_response(text, "text/html; charset=utf-8");

	return r == NULL ? MHD_NO : answer(c, MHD_HTTP_OK, r);
}

static enum MHD_Result
refuse_url(struct MHD_Connection *c)
{
	static char text[] = "not found; try /metrics\n";
	struct MHD_Response *r = make_response(text, "text/plain");

	return r == NULL ? MHD_NO : answer(c, MHD_HTTP_NOT_FOUND, r);
}

static enum MHD_Result
refuse_method(struct MHD_Connection *c)
{
	static char text[] = "only GET and HEAD are allowed\n";
	struct MHD_Response *r = make_response(text, "text/plain");

	if (r == NULL)
		return MHD_NO;
	(void)MHD_add_response_header(r, "Allow", "GET, HEAD");
	return answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, r);
}

/* Have a client wait for the page, or give it the page that was made. */
static enum MHD_Result
give_page(struct httpd *h, struct client *client)
{
	struct MHD_Response *page = h->page[client->format];

	if (client->state == ANSWERED) {
		client->state = TALKING;
		return page == NULL ? MHD_NO
				    : MHD_queue_response(client->connection,
					  MHD_HTTP_OK, page);
	}
	client->format = metrics_accepted(MHD_lookup_connection_value(
	    client->connection, MHD_HEADER_KIND, "Accept"));
	client->state = WAITING;
	MHD_suspend_connection(client->connection);
	return MHD_YES;
}

/* What the library calls -----------------------------------------------------
 */

static struct client *
client_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

/* A request, with its headers; called again after it was suspended. */
static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url,
    const char *method, const char *version, const char *upload,
    size_t *upload_len, void **context)
{
	struct client *client = client_of(c);

	(void)version;
	(void)upload;
	(void)upload_len;
	(void)context;
	if (client == NULL)
		return MHD_NO;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse_method(c);
	if (strcmp(url, "/metrics") == 0)
		return give_page(arg, client);
	return strcmp(url, "/") == 0 ? answer_index(c) : refuse_url(c);
}

static void
on_connection(void *arg, struct MHD_Connection *c, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	struct httpd *h = arg;
	struct client *client = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED && client != NULL) {
		client->state = FREE;
		return;
	}
	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++) {
		client = &h->client[i];
		if (client->state != FREE)
			continue;
		*client = (struct client){ .state = TALKING,
			.connection = c,
			.deadline_ns = h->mono_ns + DEADLINE_NS };
		*context = client;
		return;
	}
}

/* Clients -------------------------------------------------------------------
 */

static bool
any_client(const struct httpd *h, enum state state)
{
	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++)
		if (h->client[i].state == state)
			return true;
	return false;
}

/* The library sees the end of a connection that was shut down. */
static void
hang_up_late(struct httpd *h)
{
	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++) {
		const struct client *client = &h->client[i];
		const union MHD_ConnectionInfo *info;

		if (client->state != TALKING ||
		    h->mono_ns < client->deadline_ns)
			continue;
		info = MHD_get_connection_info(
		    client->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info != NULL)
			(void)shutdown(info->connect_fd, SHUT_RDWR);
	}
}

static void
forget_page(struct httpd *h, int format)
{
	if (h->page[format] != NULL)
		MHD_destroy_response(h->page[format]);
	h->page[format] = NULL;
}

/* Whether the library has more to do at once. */
static bool
is_busy(struct httpd *h)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	return MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
}

static void
run(struct httpd *h)
{
	int n = 0;

	do
		(void)MHD_run(h->daemon);
	while (++n < RUNS_MAX && is_busy(h));
	for (int f = 0; f < FORMATS && !any_client(h, ANSWERED); f++)
		forget_page(h, f);
}

static bool
is_wanted(const struct httpd *h, int format)
{
	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++)
		if (h->client[i].state == WAITING &&
		    (int)h->client[i].format == format)
			return true;
	return false;
}

/* The page in one format; NULL for want of memory. */
static struct MHD_Response *
make_page(enum metrics_format format, httpd_page_fn *write, void *arg)
{
	struct MHD_Response *page = NULL;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	write(out, format, arg);
	if (fclose(out) == 0)
		page = MHD_create_response_from_buffer(
		    len, text, MHD_RESPMEM_MUST_FREE);
	if (page == NULL) {
		free(text);
		return NULL;
	}
	(void)MHD_add_response_header(
	    page, "Content-Type", metrics_content_type(format));
	(void)MHD_add_response_header(page, "Connection", "close");
	return page;
}

/* Opening -------------------------------------------------------------------
 */

static int
complain(const struct collector_address *at, const char *what, char *errbuf,
    size_t errlen)
{
	bool v6 = strchr(at->host, ':') != NULL;

	(void)snprintf(errbuf, errlen, "--metrics %s%s%s:%s: %s", v6 ? "[" : "",
	    at->host, v6 ? "]" : "", at->port, what);
	return -1;
}

/* A socket that listens there, or -1 with errno. */
static int
listen_at(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM, 0), on = 1, error;

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	    fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    listen(fd, HTTPD_CLIENTS_MAX) == 0)
		return fd;
	error = errno;
	(void)close(fd);
	errno = error;
	return -1;
}

static int
open_socket(struct httpd *h, const struct collector_address *at, char *errbuf,
    size_t errlen)
{
	const struct addrinfo hints = { .ai_flags =
					    AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct addrinfo *ai;
	int error = getaddrinfo(at->host, at->port, &hints, &ai);

	if (error != 0)
		return complain(at, gai_strerror(error), errbuf, errlen);
	h->fd = listen_at(ai);
	error = errno;
	freeaddrinfo(ai);
	return h->fd == -1 ? complain(at, strerror(error), errbuf, errlen) : 0;
}

static int
start(struct httpd *h)
{
	unsigned int epoll =
	    MHD_is_feature_supported(MHD_FEATURE_EPOLL) == MHD_YES
		? MHD_USE_EPOLL
		: 0;

	h->daemon = MHD_start_daemon(epoll | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
	    NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, h->fd,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTPD_CLIENTS_MAX,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    (unsigned int)HTTPD_CLIENTS_MAX / 2,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
	return h->daemon == NULL ? -1 : 0;
}

/* The doors ------------------------------------------------------------------
 */

struct httpd *
httpd_new(const struct collector_address *at, char *errbuf, size_t errlen)
{
	struct httpd *h = calloc(1, sizeof(*h));

	if (h == NULL) {
		(void)complain(at, "out of memory", errbuf, errlen);
		return NULL;
	}
	h->fd = -1;
	if (open_socket(h, at, errbuf, errlen) == 0) {
		if (start(h) == 0)
			return h;
		(void)complain(
		    at, "libmicrohttpd cannot start", errbuf, errlen);
	}
	httpd_free(h);
	return NULL;
}

void
httpd_free(struct httpd *h)
{
	if (h == NULL)
		return;
	/* It does not stop while a connection is suspended. */
	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++)
		if (h->client[i].state == WAITING)
			MHD_resume_connection(h->client[i].connection);
	if (h->daemon != NULL)
		MHD_stop_daemon(h->daemon); /* closes the socket */
	else if (h->fd != -1)
		(void)close(h->fd);
	for (int f = 0; f < FORMATS; f++)
		forget_page(h, f);
	free(h);
}

int
httpd_poll_fd(const struct httpd *h)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return info == NULL ? -1 : info->epoll_fd;
}

void
httpd_serve(struct httpd *h, uint64_t mono_ns)
{
	h->mono_ns = mono_ns;
	hang_up_late(h);
	run(h);
}

bool
httpd_waits(const struct httpd *h)
{
	return any_client(h, WAITING);
}

void
httpd_answer(struct httpd *h, httpd_page_fn *write, void *arg)
{
	for (int f = 0; f < FORMATS; f++) {
		if (!is_wanted(h, f))
			continue;
		forget_page(h, f);
		h->page[f] = make_page((enum metrics_format)f, write, arg);
	}
	for (size_t i = 0; i < HTTPD_CLIENTS_MAX; i++) {
		if (h->client[i].state != WAITING)
			continue;
		h->client[i].state = ANSWERED;
		MHD_resume_connection(h->client[i].connection);
	}
	run(h);
}

#else

const char *
httpd_unsupported(void)
{
	return "built without libmicrohttpd; use softprobectl metrics";
}

struct httpd *
httpd_new(const struct collector_address *at, char *errbuf, size_t errlen)
{
	(void)at;
	(void)snprintf(errbuf, errlen, "--metrics: %s", httpd_unsupported());
	return NULL;
}

void
httpd_free(struct httpd *h)
{
	(void)h;
}

int
httpd_poll_fd(const struct httpd *h)
{
	(void)h;
	return -1;
}

void
httpd_serve(struct httpd *h, uint64_t mono_ns)
{
	(void)h;
	(void)mono_ns;
}

bool
httpd_waits(const struct httpd *h)
{
	(void)h;
	return false;
}

void
httpd_answer(struct httpd *h, httpd_page_fn *write, void *arg)
{
	(void)h;
	(void)write;
	(void)arg;
}

#endif
