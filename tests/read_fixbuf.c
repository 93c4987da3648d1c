/* SPDX-License-Identifier: ISC */
/*
 * read_fixbuf.c - a Collecting Process made with libfixbuf, a reference reader
 * that shares nothing with softprobe: prints what it collects until it is
 * killed.  For tests/e2e_fixbuf.py.
 *
 *	read_fixbuf udp|tcp|v9 PORT
 *
 * A line a Data Record: the domain, then "options" or the address family,
 * source, destination, protocol, ports, ICMP type and code, packets, octets,
 * TCP flags, class of service, first and last in ms since 1970, packets and
 * octets of the reverse direction.  What libfixbuf warns of is on standard
 * error.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fixbuf/public.h>

#define INTERNAL_ID 999 /* the template below */

/* Without holes: libfixbuf fills it field after field, with zeroes if need. */
struct flow {
	uint64_t octets, packets, reverse_octets, reverse_packets;
	uint64_t start_ms, end_ms, init_ms;
	uint8_t src6[16], dst6[16];
	uint32_t src, dst, first, last;
	uint16_t src_port, dst_port, icmp, icmp6, flags;
	uint8_t protocol, tos, ip_version, padding[3];
};

static struct {
	char name[32];
	uint16_t len;
} fields[] = {
	{ "octetDeltaCount", 8 },
	{ "packetDeltaCount", 8 },
	{ "reverseOctetDeltaCount", 8 },
	{ "reversePacketDeltaCount", 8 },
	{ "flowStartMilliseconds", 8 },
	{ "flowEndMilliseconds", 8 },
	{ "systemInitTimeMilliseconds", 8 },
	{ "sourceIPv6Address", 16 },
	{ "destinationIPv6Address", 16 },
	{ "sourceIPv4Address", 4 },
	{ "destinationIPv4Address", 4 },
	{ "flowStartSysUpTime", 4 },
	{ "flowEndSysUpTime", 4 },
	{ "sourceTransportPort", 2 },
	{ "destinationTransportPort", 2 },
	{ "icmpTypeCodeIPv4", 2 },
	{ "icmpTypeCodeIPv6", 2 },
	{ "tcpControlBits", 2 },
	{ "protocolIdentifier", 1 },
	{ "ipClassOfService", 1 },
	{ "ipVersion", 1 },
	{ "paddingOctets", 3 },
};

/* Print one line of a flow. */
static void
print_flow(const struct flow *f)
{
	int family = f->ip_version == 4 ? AF_INET : AF_INET6;
	uint32_t src4 = htonl(f->src), dst4 = htonl(f->dst);
	unsigned icmp = family == AF_INET ? f->icmp : f->icmp6;
	char src[INET6_ADDRSTRLEN] = "", dst[INET6_ADDRSTRLEN] = "";

	inet_ntop(family, family == AF_INET ? (const void *)&src4 : f->src6,
	    src, sizeof(src));
	inet_ntop(family, family == AF_INET ? (const void *)&dst4 : f->dst6,
	    dst, sizeof(dst));
	printf("%u|%s|%s|%u|%u|%u|%u|%ju|%ju|%u|%u|%ju|%ju|%ju|%ju\n",
	    f->ip_version, src, dst, f->protocol, f->src_port, f->dst_port,
	    icmp, (uintmax_t)f->packets, (uintmax_t)f->octets, f->flags, f->tos,
	    (uintmax_t)(f->start_ms + f->init_ms + f->first),
	    (uintmax_t)(f->end_ms + f->init_ms + f->last),
	    (uintmax_t)f->reverse_packets, (uintmax_t)f->reverse_octets);
}

/* Read one record.  Returns false at the end of a message, or of a session. */
static bool
read_record(fBuf_t *buf, GError **error)
{
	struct flow f;
	size_t len = sizeof(f);
	uint16_t id;
	fbTemplate_t *t = fBufNextCollectionTemplate(buf, &id, error);

	if (t == NULL || !fBufNext(buf, (uint8_t *)&f, &len, error))
		return false;
	printf("%u|", fbSessionGetDomain(fBufGetSession(buf)));
	if (fbTemplateGetOptionsScope(t) != 0)
		printf("options\n");
	else
		print_flow(&f);
	return true;
}

/* Say why and leave. */
static void
fail(const GError *error)
{
	fprintf(stderr, "read_fixbuf: %s\n",
	    error != NULL ? error->message : "usage: udp|tcp|v9 PORT");
	exit(1);
}

static fbListener_t *
listen_on(const char *kind, char *port)
{
	char host[] = "127.0.0.1";
	fbConnSpec_t spec = {
		.transport = strcmp(kind, "tcp") == 0 ? FB_TCP : FB_UDP,
		.host = host,
		.svc = port,
	};
	GError *error = NULL;
	fbInfoModel_t *model = fbInfoModelAlloc();
	fbTemplate_t *t = fbTemplateAlloc(model);
	fbSession_t *session = fbSessionAlloc(model);
	fbListener_t *listener;
	fbCollector_t *collector;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		fbInfoElementSpec_t field = { fields[i].name, fields[i].len,
			0 };

		if (!fbTemplateAppendSpec(t, &field, UINT32_MAX, &error))
			fail(error);
	}
	if (fbSessionAddTemplate(session, TRUE, INTERNAL_ID, t, &error) == 0)
		fail(error);
	listener = fbListenerAlloc(&spec, session, NULL, NULL, &error);
	if (listener == NULL)
		fail(error);
	if (strcmp(kind, "v9") == 0 &&
	    (!fbListenerGetCollector(listener, &collector, &error) ||
		!fbCollectorSetNetflowV9Translator(collector, &error)))
		fail(error);
	return listener;
}

int
main(int argc, char **argv)
{
	GError *error = NULL;
	fbListener_t *listener;
	fBuf_t *buf;

	if (argc != 3)
		fail(NULL);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	listener = listen_on(argv[1], argv[2]);
	printf("ready\n");
	while ((buf = fbListenerWait(listener, &error)) != NULL) {
		fBufSetAutomaticMode(buf, FALSE);
		if (!fBufSetInternalTemplate(buf, INTERNAL_ID, &error))
			fail(error);
		while (read_record(buf, &error))
			;
		if (error->code == FB_ERROR_EOF)
			fBufFree(buf);
		else if (error->code != FB_ERROR_EOM)
			fprintf(stderr, "WARNING: %s\n", error->message);
		g_clear_error(&error);
	}
	fail(error);
}
