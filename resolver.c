/* SPDX-License-Identifier: ISC */
/*
 * resolver.c - look a name up in a thread of its own; see resolver.h.
 */
#include <sys/socket.h>
#include <sys/types.h>

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "resolver.h"
#include "sandbox.h"
#include "wake.h"

struct resolver {
	char *host, *port;
	int socktype;
	pthread_mutex_t lock; /* over what stands below */
	bool answered, abandoned;
	const struct wake *wake;
	struct addrinfo *result;
	int gai_error;
};

static void
resolver_free(struct resolver *r)
{
	pthread_mutex_destroy(&r->lock);
	free(r->host);
	free(r->port);
	free(r);
}

static void *
look_up(void *arg)
{
	struct resolver *r = arg;
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = r->socktype };
	struct addrinfo *result = NULL;
	bool abandoned;
	int error;

	sandbox_enter(SANDBOX_RESOLVING);
	error = getaddrinfo(r->host, r->port, &hints, &result);
	pthread_mutex_lock(&r->lock);
	r->result = error == 0 ? result : NULL;
	r->gai_error = error;
	r->answered = true;
	abandoned = r->abandoned;
	if (!abandoned)
		wake_ring(r->wake);
	pthread_mutex_unlock(&r->lock);
	if (abandoned) {
		if (error == 0)
			freeaddrinfo(result);
		resolver_free(r);
	}
	return NULL;
}

/* Start look_up in a detached thread that signals do not interrupt. */
static int
start_thread(struct resolver *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&thread, &attr, look_up, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return error;
}

struct resolver *
resolver_start(
    const char *host, const char *port, int socktype, const struct wake *wake)
{
	struct resolver *r = calloc(1, sizeof(*r));
	int error = ENOMEM;

	if (r == NULL)
		return NULL;
	pthread_mutex_init(&r->lock, NULL);
	r->wake = wake;
	r->socktype = socktype;
	r->host = strdup(host);
	r->port = strdup(port);
	if (r->host != NULL && r->port != NULL)
		error = start_thread(r);
	if (error == 0)
		return r;
	resolver_free(r);
	errno = error;
	return NULL;
}

bool
resolver_done(struct resolver *r, struct addrinfo **result, int *gai_error)
{
	bool answered;

	pthread_mutex_lock(&r->lock);
	answered = r->answered;
	pthread_mutex_unlock(&r->lock);
	if (!answered)
		return false;
	*result = r->result;
	*gai_error = r->gai_error;
	resolver_free(r);
	return true;
}

void
resolver_abandon(struct resolver *r)
{
	bool answered;

	pthread_mutex_lock(&r->lock);
	answered = r->answered;
	r->abandoned = true;
	pthread_mutex_unlock(&r->lock);
	if (!answered)
		return;
	if (r->result != NULL)
		freeaddrinfo(r->result);
	resolver_free(r);
}
