/* SPDX-License-Identifier: ISC */
/*
 * netlink.c - netlink's sockets; see netlink.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "netlink.h"

#ifdef HAVE_MNL

#include <sys/socket.h>

#include <stdbool.h>
#include <stdint.h>

#include <libmnl/libmnl.h>

#define BUFFER_LEN 32768    /* the kernel never sends more at once */
#define ANSWERS_MAX 65536   /* datagrams of one answer */
#define DATAGRAMS_A_TURN 64 /* of notifications */

struct netlink {
	struct mnl_socket *socket;
	unsigned int port;
	uint32_t sequence; /* of the last question */
	_Alignas(struct nlmsghdr) char buffer[BUFFER_LEN];
};

const char *
netlink_unsupported(void)
{
	return NULL;
}

static int
join(struct netlink *n, const int *groups, size_t ngroups)
{
	if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) == -1)
		return -1;
	n->port = mnl_socket_get_portid(n->socket);
	for (size_t i = 0; i < ngroups; i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(n->socket, NETLINK_ADD_MEMBERSHIP,
			&group, sizeof(group)) == -1)
			return -1;
	}
	return 0;
}

struct netlink *
netlink_open(int protocol, const int *groups, size_t ngroups)
{
	struct netlink *n = calloc(1, sizeof(*n));
	int error;

	if (n == NULL)
		return NULL;
	n->socket = mnl_socket_open2(protocol, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (n->socket != NULL && join(n, groups, ngroups) == 0)
		return n;
	error = errno;
	netlink_close(n);
	errno = error;
	return NULL;
}

void
netlink_close(struct netlink *n)
{
	if (n == NULL)
		return;
	if (n->socket != NULL)
		(void)mnl_socket_close(n->socket);
	free(n);
}

int
netlink_fd(const struct netlink *n)
{
	return n == NULL ? -1 : mnl_socket_get_fd(n->socket);
}

/* The errno that an NLMSG_ERROR or NLMSG_DONE tells; 0 = all is well. */
static int
told_error(const struct nlmsghdr *h)
{
	const int *code = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*code))
		return h->nlmsg_type == NLMSG_DONE ? 0 : EBADMSG;
	return *code < 0 ? -*code : *code;
}

/*
 * Hand over one datagram of an answer.  Returns whether more follow; *error
 * is set to an errno.
 */
static bool
take_answer(struct netlink *n, int len, netlink_fn *fn, void *arg, int *error)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)n->buffer;
	bool more = true;

	for (; more && mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
		if (!mnl_nlmsg_seq_ok(h, n->sequence) ||
		    !mnl_nlmsg_portid_ok(h, n->port))
			continue; /* of a question given up */
		if ((h->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
			*error = EINTR;
		more = (h->nlmsg_flags & NLM_F_MULTI) != 0 &&
		       h->nlmsg_type != NLMSG_DONE;
		if (h->nlmsg_type == NLMSG_ERROR ||
		    h->nlmsg_type == NLMSG_DONE) {
			int told = told_error(h);

			more = false;
			*error = told != 0 ? told : *error;
		} else if (h->nlmsg_type >= NLMSG_MIN_TYPE)
			fn(h, arg);
	}
	return more;
}

int
netlink_ask(
    struct netlink *n, struct nlmsghdr *request, netlink_fn *fn, void *arg)
{
	int error = 0;

	request->nlmsg_seq = ++n->sequence;
	if (mnl_socket_sendto(n->socket, request, request->nlmsg_len) == -1)
		return -1;
	for (int i = 0; i < ANSWERS_MAX; i++) {
		ssize_t len = mnl_socket_recvfrom(
		    n->socket, n->buffer, sizeof(n->buffer));

		if (len == -1 && errno == EINTR)
			continue;
		if (len == -1)
			return -1;
		if (!take_answer(n, (int)len, fn, arg, &error))
			break;
	}
	errno = error;
	return error == 0 ? 0 : -1;
}

int
netlink_read(struct netlink *n, netlink_fn *fn, void *arg)
{
	int count = 0;

	for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)n->buffer;
		int len = (int)mnl_socket_recvfrom(
		    n->socket, n->buffer, sizeof(n->buffer));

		if (len == -1)
			return errno == EAGAIN || errno == EINTR ? count : -1;
		for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len))
			if (h->nlmsg_type >= NLMSG_MIN_TYPE) {
				fn(h, arg);
				count++;
			}
	}
	return count;
}

#else

const char *
netlink_unsupported(void)
{
	return "softprobe was built without libmnl";
}

struct netlink *
netlink_open(int protocol, const int *groups, size_t ngroups)
{
	(void)protocol;
	(void)groups;
	(void)ngroups;
	errno = ENOSYS;
	return NULL;
}

void
netlink_close(struct netlink *n)
{
	(void)n;
}

int
netlink_fd(const struct netlink *n)
{
	(void)n;
	return -1;
}

int
netlink_ask(
    struct netlink *n, struct nlmsghdr *request, netlink_fn *fn, void *arg)
{
	(void)n;
	(void)request;
	(void)fn;
	(void)arg;
	errno = ENOSYS;
	return -1;
}

int
netlink_read(struct netlink *n, netlink_fn *fn, void *arg)
{
	(void)n;
	(void)fn;
	(void)arg;
	errno = ENOSYS;
	return -1;
}

#endif
