/* SPDX-License-Identifier: ISC */
/*
 * tls.c - messages over TLS and DTLS, version 1.2 or later (RFC 7011 s11).
 *
 * The only file that knows OpenSSL.  A collector shows a certificate for its
 * name, signed by a CA that is trusted, or it is sent nothing: there is no way
 * back to clear text.
 */
#include "transport_internal.h"

#ifdef HAVE_OPENSSL

#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "record.h"

#define READS_MAX 16       /* in one tick */
#define HANDSHAKE_MTU 1200 /* octets of a datagram of the handshake */
#define CHANGE_OF_MIND_NS (1 * NS_PER_S)

/* One connection. */
struct tls {
	SSL *ssl;
	uint64_t shaken_ns; /* the handshake ended; 0 = not yet */
	bool welcome;       /* the collector said more since */
};

/* Settings ----------------------------------------------------------------- */

/* The oldest error that OpenSSL noted, in words. */
static const char *
first_error(void)
{
	unsigned long e = ERR_peek_error();
	const char *text = ERR_SYSTEM_ERROR(e) ? strerror(ERR_GET_REASON(e))
					       : ERR_reason_error_string(e);

	return text == NULL ? "cannot be used" : text;
}

/* A key that needs a pass phrase is refused, not asked about. */
static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

/* Load the files that the settings name; which one failed, or NULL. */
static const char *
load_files(SSL_CTX *ctx, const struct collector_config *c)
{
	if (c->tls_ca == NULL && SSL_CTX_set_default_verify_paths(ctx) != 1)
		return "the system's certificates";
	if (c->tls_ca != NULL && SSL_CTX_load_verify_file(ctx, c->tls_ca) != 1)
		return c->tls_ca;
	if (c->tls_cert != NULL &&
	    SSL_CTX_use_certificate_chain_file(ctx, c->tls_cert) != 1)
		return c->tls_cert;
	if (c->tls_key != NULL && (SSL_CTX_use_PrivateKey_file(ctx, c->tls_key,
				       SSL_FILETYPE_PEM) != 1 ||
				      SSL_CTX_check_private_key(ctx) != 1))
		return c->tls_key;
	return NULL;
}

/* A ticket: the collector has seen our certificate and goes on. */
static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct tls *c = SSL_get_app_data(ssl);

	(void)session;
	c->welcome = true;
	return 0; /* not kept */
}

static SSL_CTX *
new_context(const struct collector_config *c, char reason[REASON_LEN])
{
	bool dtls = c->kind == COLLECTOR_DTLS;
	SSL_CTX *ctx;
	const char *what = "TLS";

	ERR_clear_error();
	ctx = SSL_CTX_new(dtls ? DTLS_client_method() : TLS_client_method());
	if (ctx != NULL) {
		SSL_CTX_set_min_proto_version(
		    ctx, dtls ? DTLS1_2_VERSION : TLS1_2_VERSION);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
		SSL_CTX_set_session_cache_mode(
		    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, on_ticket);
		what = load_files(ctx, c);
	}
	if (what == NULL)
		return ctx;
	(void)snprintf(reason, REASON_LEN, "%.*s: %s", VALUE_SHOWN_MAX, what,
	    first_error());
	SSL_CTX_free(ctx);
	return NULL;
}

static int
tls_check(const struct collector_config *c, char reason[REASON_LEN])
{
	SSL_CTX *ctx = new_context(c, reason);

	SSL_CTX_free(ctx);
	return ctx == NULL ? -1 : 0;
}

static int
tls_init(struct transport *t)
{
	char reason[REASON_LEN];

	t->context = new_context(t->config, reason);
	errno = EINVAL;
	return t->context == NULL ? -1 : 0;
}

static void
tls_fini(struct transport *t)
{
	SSL_CTX_free(t->context);
}

/* What went wrong -----------------------------------------------------------
 */

struct reason {
	int code;
	const char *text;
};

static const char *
reason_of(const struct reason *r, int code)
{
	for (; r->text != NULL; r++)
		if (r->code == code)
			return r->text;
	return NULL;
}

/* Why we do not trust the collector. */
static const struct reason verify_reasons[] = {
	{ X509_V_ERR_CERT_HAS_EXPIRED, "its certificate has expired" },
	{ X509_V_ERR_CERT_NOT_YET_VALID, "its certificate is not valid yet" },
	{ X509_V_ERR_HOSTNAME_MISMATCH, "its certificate is for another name" },
	{ X509_V_ERR_IP_ADDRESS_MISMATCH,
	    "its certificate is for another address" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
	    "its certificate is of an unknown CA" },
	{ X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
	    "its certificate is of an unknown CA" },
	{ X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
	    "its certificate is of an unknown CA" },
	{ X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
	    "its certificate is of an unknown CA" },
	{ X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
	    "its certificate is of an unknown CA" },
	{ 0, NULL },
};

/* Why the collector does not trust us, and what else it may say. */
static const struct reason ssl_reasons[] = {
	{ SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED,
	    "it asks for a certificate; see --tls-cert" },
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA,
	    "it does not know the CA of our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED,
	    "it says that our certificate has expired" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "it refused our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "it refused our certificate" },
	{ SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE,
	    "it refused our certificate" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "it refused the handshake" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION,
	    "it has no version of TLS that is accepted" },
	{ SSL_R_UNSUPPORTED_PROTOCOL,
	    "it has no version of TLS that is accepted" },
	{ SSL_R_WRONG_VERSION_NUMBER, "it does not speak TLS" },
	{ SSL_R_UNEXPECTED_EOF_WHILE_READING, "closed the connection" },
	{ 0, NULL },
};

/* Tell why an operation failed that returned `result`. */
static void
explain(struct transport *t, SSL *ssl, int result)
{
	int error = errno, kind = SSL_get_error(ssl, result);
	long verified = SSL_get_verify_result(ssl);
	const char *text;

	if (verified != X509_V_OK) {
		text = reason_of(verify_reasons, (int)verified);
		transport_why(t, "%s",
		    text != NULL ? text
				 : X509_verify_cert_error_string(verified));
	} else if (kind == SSL_ERROR_ZERO_RETURN ||
		   (kind == SSL_ERROR_SYSCALL && error == 0)) {
		transport_why(t, "closed the connection");
	} else if (kind == SSL_ERROR_SYSCALL) {
		transport_why(t, "%s", strerror(error));
	} else {
		text = reason_of(ssl_reasons, ERR_GET_REASON(ERR_peek_error()));
		transport_why(t, "%s%s", text != NULL ? "" : "TLS: ",
		    text != NULL ? text : first_error());
	}
}

/* Connecting ----------------------------------------------------------------
 */

/* Have the collector's certificate checked against its name or address. */
static int
expect_name(SSL *ssl, const struct collector_config *c)
{
	char name[sizeof(c->address.host)];

	(void)strlcpy(name, c->tls_name != NULL ? c->tls_name : c->address.host,
	    sizeof(name));
	name[strcspn(name, "%")] = '\0'; /* a scope is ours alone */
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
		return 1;
	return SSL_set1_host(ssl, name) == 1 &&
	       SSL_set_tlsext_host_name(ssl, name) == 1;
}

/* Give the connection its socket. */
static int
attach(struct transport *t, SSL *ssl)
{
	BIO_ADDR *peer;
	BIO *bio;

	if (t->config->kind == COLLECTOR_TLS)
		return SSL_set_fd(ssl, t->fd);
	bio = BIO_new_dgram(t->fd, BIO_NOCLOSE);
	peer = BIO_ADDR_new();
	if (bio != NULL)
		SSL_set_bio(ssl, bio, bio);
	if (bio != NULL && peer != NULL && BIO_dgram_get_peer(bio, peer) >= 0)
		(void)BIO_ctrl_set_connected(bio, peer);
	BIO_ADDR_free(peer);
	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	return bio != NULL && SSL_set_mtu(ssl, HANDSHAKE_MTU) != 0;
}

static struct tls *
new_connection(struct transport *t)
{
	struct tls *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->ssl = SSL_new(t->context);
	t->connection = c;
	if (c->ssl != NULL && SSL_set_app_data(c->ssl, c) == 1 &&
	    expect_name(c->ssl, t->config) == 1 && attach(t, c->ssl) == 1)
		return c;
	return NULL;
}

/* What the handshake waits for. */
static bool
note_wait(struct transport *t, SSL *ssl, int result)
{
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
		t->events = POLLIN;
		return true;
	case SSL_ERROR_WANT_WRITE:
		t->events = POLLOUT;
		return true;
	default:
		return false;
	}
}

static int
tls_receive(struct transport *t)
{
	struct tls *c = t->connection;
	char nothing[4096];

	for (int i = 0; i < READS_MAX; i++) {
		int n;

		ERR_clear_error();
		errno = 0;
		n = SSL_read(c->ssl, nothing, sizeof(nothing));
		if (n > 0)
			continue;
		if (note_wait(t, c->ssl, n))
			return 0;
		explain(t, c->ssl, n);
		return -1;
	}
	return 0;
}

/*
 * In TLS 1.3 the handshake ends for us before the collector has looked at our
 * certificate.  If it accepts that it sends a ticket, mostly; if not, an
 * alert.  Messages are kept back for a moment, to see which.
 */
static enum carrier_result
await_welcome(struct transport *t, struct tls *c)
{
	t->events = POLLIN;
	if (tls_receive(t) == -1)
		return CARRIER_FAILED;
	if (SSL_version(c->ssl) == TLS1_3_VERSION && !c->welcome &&
	    t->now_ns - c->shaken_ns < CHANGE_OF_MIND_NS)
		return CARRIER_AGAIN;
	transport_why(t, "%s", SSL_get_version(c->ssl));
	return CARRIER_UP;
}

static enum carrier_result
shake_hands(struct transport *t)
{
	struct tls *c = t->connection;
	int result;

	if (c == NULL)
		c = new_connection(t);
	if (c == NULL) {
		transport_why(t, "TLS: %s", first_error());
		return CARRIER_FAILED;
	}
	if (c->shaken_ns != 0)
		return await_welcome(t, c);
	ERR_clear_error();
	errno = 0;
	result = SSL_connect(c->ssl);
	if (result == 1) {
		c->shaken_ns = t->now_ns;
		return await_welcome(t, c);
	}
	if (note_wait(t, c->ssl, result))
		return CARRIER_AGAIN;
	explain(t, c->ssl, result);
	return CARRIER_FAILED;
}

static enum carrier_result
tls_connect(struct transport *t)
{
	enum carrier_result result = CARRIER_UP;

	if (t->connection == NULL)
		result = transport_tcp_connect(t);
	return result == CARRIER_UP ? shake_hands(t) : result;
}

/* A datagram of the handshake may be lost: send it again in time. */
static enum carrier_result
dtls_connect(struct transport *t)
{
	struct tls *c = t->connection;

	if (c != NULL)
		(void)DTLSv1_handle_timeout(c->ssl);
	return shake_hands(t);
}

/* Messages -------------------------------------------------------------------
 */

/* A message is one record; one begun is gone on with, OpenSSL sees to it. */
static int
tls_flush(struct transport *t)
{
	struct tls *c = t->connection;

	while (queue_count(t->queue) > 0) {
		const struct queued *m = queue_peek(t->queue, 0);
		int n;

		ERR_clear_error();
		errno = 0;
		n = SSL_write(c->ssl, m->data, (int)m->len);
		if (n > 0) {
			transport_sent(t);
			continue;
		}
		if (note_wait(t, c->ssl, n))
			return 0;
		explain(t, c->ssl, n);
		return -1;
	}
	return 0;
}

static void
tls_close(struct transport *t, bool orderly)
{
	struct tls *c = t->connection;

	if (c == NULL)
		return;
	ERR_clear_error();
	if (orderly && c->ssl != NULL && SSL_shutdown(c->ssl) >= 0)
		(void)tls_receive(t); /* unread, it would reset TCP */
	SSL_free(c->ssl);
	free(c);
	t->connection = NULL;
}

const struct carrier carrier_tls = { .session = true,
	.socktype = SOCK_STREAM,
	.check = tls_check,
	.init = tls_init,
	.fini = tls_fini,
	.connect = tls_connect,
	.flush = tls_flush,
	.receive = tls_receive,
	.close = tls_close };

const struct carrier carrier_dtls = { .session = true,
	.socktype = SOCK_DGRAM,
	.check = tls_check,
	.init = tls_init,
	.fini = tls_fini,
	.connect = dtls_connect,
	.flush = tls_flush,
	.receive = tls_receive,
	.close = tls_close };

#else

const struct carrier carrier_tls = {
	.unsupported = "softprobe was built without OpenSSL; use tcp or udp"
};
const struct carrier carrier_dtls = {
	.unsupported = "softprobe was built without OpenSSL; use tcp or udp"
};

#endif
