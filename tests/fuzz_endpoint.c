/* SPDX-License-Identifier: ISC */
/*
 * fuzz_endpoint.c - any octets as one collector of -n.
 *
 * It is refused with a reason, or all that came of it is within bounds; and the
 * same collector, written out again from what was read, is the same.
 */
#include "endpoint.h"
#include "fuzz.h"
#include "message.h"

static void
check_host(const struct collector_config *c)
{
	size_t host = strlen(c->address.host), port = strlen(c->address.port);

	require(host > 0 && host < sizeof(c->address.host));
	require(port > 0 && port < sizeof(c->address.port));
	require(c->mtu >= MESSAGE_MIN && c->mtu <= MESSAGE_MAX);
	require(c->queue_octets >= 65536);
	require(c->queue_octets <= UINT32_C(1) << 30);
}

static void
check_file(const struct collector_config *c)
{
	require(c->path != NULL && *c->path != '\0');
	require(
	    (c->rotate_ms == 0 && c->file_octets == 0) || endpoint_is_dated(c));
	require(c->kind != COLLECTOR_FILE || c->version == 10);
}

static void
check_bounds(const struct collector_config *c)
{
	require(c->kind < COLLECTOR_KINDS);
	require(dialect_for(c->version) != NULL);
	require(c->options <= EXPORT_ALL || c->options == EXPORT_BY_VERSION);
	require(c->template_seconds > 0 && c->template_seconds <= INT32_MAX);
	require(c->template_messages > 0 && c->template_messages <= INT32_MAX);
	require(c->hop_limit <= 255 && c->dscp <= 63);
	require(c->lookup_ms >= 1000 && c->reconnect_ms >= 1000);
	require(c->source == NULL || *c->source != '\0');
	require(c->device == NULL || strlen(c->device) < 16);
	if (endpoint_is_file(c->kind))
		check_file(c);
	else
		check_host(c);
}

static int
write_out(const struct collector_config *c, char *url, size_t len)
{
	bool bracket = strchr(c->address.host, ':') != NULL;

	if (endpoint_is_file(c->kind))
		return snprintf(
		    url, len, "%s://%s", endpoint_scheme(c->kind), c->path);
	return snprintf(url, len, "%s://%s%s%s:%s?version=%u&mtu=%u&domain=%u",
	    endpoint_scheme(c->kind), bracket ? "[" : "", c->address.host,
	    bracket ? "]" : "", c->address.port, c->version, c->mtu, c->domain);
}

static void
check_again(const struct collector_config *c)
{
	char url[8192], reason[REASON_LEN];
	struct collector_config again;
	int len = write_out(c, url, sizeof(url));

	require(len > 0 && (size_t)len < sizeof(url));
	require(endpoint_parse(
		    &again, url, (size_t)len, &endpoint_defaults, reason) == 0);
	require(again.kind == c->kind && again.version == c->version);
	require(strcmp(again.address.host, c->address.host) == 0);
	require(strcmp(again.address.port, c->address.port) == 0);
	require((again.path == NULL) == (c->path == NULL));
	require(c->path == NULL || strcmp(again.path, c->path) == 0);
	if (!endpoint_is_file(c->kind))
		require(again.mtu == c->mtu && again.domain == c->domain);
	endpoint_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char reason[REASON_LEN] = "";
	struct collector_config c;

	if (endpoint_parse(&c, (const char *)data, size, &endpoint_defaults,
		reason) != 0) {
		require(*reason != '\0');
		return 0;
	}
	check_bounds(&c);
	check_again(&c);
	endpoint_free(&c);
	return 0;
}
