/* SPDX-License-Identifier: ISC */
/*
 * test_endpoint.c - one item of -n: every form, every key, every refusal.
 */
#include <string.h>

#include "endpoint.h"
#include "unit.h"

static struct collector_config to;
static char reason[REASON_LEN];

static int
parse(const char *item)
{
	endpoint_free(&to);
	return endpoint_parse(
	    &to, item, strlen(item), &endpoint_defaults, reason);
}

static void
accept_item(const char *item)
{
	ck_assert_msg(parse(item) == 0, "%s: %s", item, reason);
}

/* What must be refused, in one line that begins so. */
static void
refuse_item(const char *item, const char *why)
{
	ck_assert_msg(parse(item) == -1, "%s: accepted", item);
	ck_assert_msg(strncmp(reason, why, strlen(why)) == 0,
	    "%s: \"%s\" does not begin \"%s\"", item, reason, why);
	ck_assert_ptr_null(strchr(reason, '\n'));
}

UNIT(an_item_without_keys_is_as_the_defaults)
{
	accept_item("192.0.2.1:2055");
	ck_assert_int_eq(to.kind, COLLECTOR_UDP);
	ck_assert_str_eq(to.address.host, "192.0.2.1");
	ck_assert_str_eq(to.address.port, "2055");
	ck_assert_uint_eq(to.version, 10);
	ck_assert_uint_eq(to.options, EXPORT_BY_VERSION);
	ck_assert_uint_eq(to.domain, 0);
	ck_assert_uint_eq(to.mtu, 1400);
	ck_assert_uint_eq(to.template_seconds, 60);
	ck_assert_uint_eq(to.template_messages, 4096);
	ck_assert_uint_eq(to.hop_limit, 0);
	ck_assert_uint_eq(to.dscp, 0);
	ck_assert_uint_eq(to.queue_octets, 1048576);
	ck_assert_uint_eq(to.reconnect_ms, 60000);
	ck_assert_ptr_null(to.source);
	ck_assert_ptr_null(to.device);
	ck_assert_ptr_null(to.tls_ca);
	endpoint_free(&to);
}
END_TEST

UNIT(only_a_url_may_leave_the_port_out)
{
	accept_item("udp://[2001:db8::1]");
	ck_assert_str_eq(to.address.host, "2001:db8::1");
	ck_assert_str_eq(to.address.port, "4739");
	accept_item("udp://c.example?mtu=600");
	ck_assert_str_eq(to.address.host, "c.example");
	ck_assert_str_eq(to.address.port, "4739");
	refuse_item("c.example", "\"c.example\" is not a collector; give ");
	refuse_item("[::1]?mtu=600", "\"[::1]?mtu=600\" is not a collector");
	endpoint_free(&to);
}
END_TEST

UNIT(keys_override_the_defaults_of_one_collector)
{
	accept_item("udp://c:1?version=9&domain=7&mtu=600&source=192.0.2.9&"
		    "device=eth0&dscp=46&hop-limit=3&queue=256k&"
		    "options=sampling+statistics&template-refresh=5+99");
	ck_assert_uint_eq(to.version, 9);
	ck_assert_uint_eq(to.domain, 7);
	ck_assert_uint_eq(to.mtu, 600);
	ck_assert_str_eq(to.source, "192.0.2.9");
	ck_assert_str_eq(to.device, "eth0");
	ck_assert_uint_eq(to.dscp, 46);
	ck_assert_uint_eq(to.hop_limit, 3);
	ck_assert_uint_eq(to.queue_octets, 262144);
	ck_assert_uint_eq(to.options, EXPORT_SAMPLING | EXPORT_STATISTICS);
	ck_assert_uint_eq(to.template_seconds, 5);
	ck_assert_uint_eq(to.template_messages, 99);
	accept_item("c:1?export-version=5&source-address=fe80::1%25&"
		    "bind-device=lo");
	ck_assert_uint_eq(to.version, 5);
	ck_assert_str_eq(to.source, "fe80::1%25");
	ck_assert_str_eq(to.device, "lo");
	endpoint_free(&to);
}
END_TEST

UNIT(a_bad_key_is_named_with_its_item_and_what_would_do)
{
	static const struct {
		const char *item, *why;
	} table[] = {
		{ "udp://h?mtu=3",
		    "udp://h: mtu=3: give a number from 256 to 9000" },
		{ "h:1?version=8",
		    "h:1: version=8: \"8\" is not known; give 1, 5, 9, 10" },
		{ "h:1?version", "h:1: version: give version=VALUE" },
		{ "h:1?", "h:1: \"\" is no key of udp; give version, domain, "
			  "mtu, options, template-refresh, source, device, "
			  "hop-limit, dscp, queue" },
		{ "h:1?mtu=600&", "h:1: \"\" is no key of udp" },
		{ "h:1?colour=red&mtu=600",
		    "h:1: \"colour\" is no key of udp" },
		{ "h:1?ca=/x", "h:1: \"ca\" is no key of udp" },
		{ "h:1?reconnect=5", "h:1: \"reconnect\" is no key of udp" },
		{ "h:1?dscp=64", "h:1: dscp=64: give a number from 0 to 63" },
		{ "h:1?hop-limit=256",
		    "h:1: hop-limit=256: give a number from 0 to 255" },
		{ "h:1?source=c.example", "h:1: source=c.example: give an IPv4 "
					  "or IPv6 address of this machine" },
		{ "h:1?queue=1k", "h:1: queue=1k: give 65536 to 1073741824 "
				  "octets, or use k or M" },
		{ "h:1?options=all+some", "h:1: options=all,some: \"some\" is "
					  "not known; give sampling" },
		{ "h:1?template-refresh=0",
		    "h:1: template-refresh=0: give SECONDS" },
		{ "h:1?device=", "h:1: device=: give a value" },
		{ "h:1?device=a-name-that-is-too-long",
		    "h:1: device=a-name-that-is-too-long: give the name of "
		    "an interface, at most 15 octets" },
		{ "udp://h?mtu=a\nb", "udp://h: mtu=a?b: give a number" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		refuse_item(table[i].item, table[i].why);
}
END_TEST

UNIT(a_file_has_a_path_and_what_goes_with_it)
{
	accept_item("json:flows.json");
	ck_assert_int_eq(to.kind, COLLECTOR_JSON);
	ck_assert_str_eq(to.path, "flows.json");
	ck_assert_uint_eq(to.version, 10);
	ck_assert(endpoint_is_file(to.kind) && !endpoint_is_lossy(to.kind));
	accept_item("csv:///var/log/100%.csv");
	ck_assert_int_eq(to.kind, COLLECTOR_CSV);
	ck_assert_str_eq(to.path, "/var/log/100%.csv");
	accept_item("text:-");
	ck_assert_str_eq(to.path, "-");
	accept_item("file:/f/%F-%H?rotate=1h&size=100M&domain=7&options=none");
	ck_assert_int_eq(to.kind, COLLECTOR_FILE);
	ck_assert_str_eq(to.path, "/f/%F-%H");
	ck_assert_uint_eq(to.rotate_ms, 3600000);
	ck_assert_uint_eq(to.file_octets, UINT64_C(100) * 1048576);
	ck_assert_uint_eq(to.domain, 7);
	ck_assert_uint_eq(to.options, 0);
	endpoint_free(&to);
}
END_TEST

UNIT(a_bad_file_is_told_what_would_do)
{
	static const struct {
		const char *item, *why;
	} table[] = {
		{ "file:", "file: give file:PATH, at most 1000 octets, or " },
		{ "json:?x=1", "json: give json:PATH" },
		{ "file:a%Qb", "a%Qb: a % in the name begins a time" },
		{ "file:a%", "a%: a % in the name begins a time" },
		{ "file:a?size=1M", "file:a: files that follow each other" },
		{ "file:a%%?size=1M",
		    "file:a%%: files that follow each other" },
		{ "file:a%s?rotate=1ms", "file:a%s: rotate=1ms: give a time" },
		{ "file:a?version=9", "file:a: \"version\" is no key of file; "
				      "give domain, mtu, options, queue, "
				      "rotate, size" },
		{ "csv:a?mtu=600", "csv:a: \"mtu\" is no key of csv, which has "
				   "none; leave it out" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		refuse_item(table[i].item, table[i].why);
}
END_TEST

UNIT(an_option_sets_what_its_key_sets)
{
	struct collector_config c = endpoint_defaults;

	ck_assert_int_eq(endpoint_set(&c, "mtu", "900", reason), 0);
	ck_assert_uint_eq(c.mtu, 900);
	ck_assert_int_eq(
	    endpoint_set(&c, "template-refresh", "7,8", reason), 0);
	ck_assert_uint_eq(c.template_seconds, 7);
	ck_assert_uint_eq(c.template_messages, 8);
	ck_assert_int_eq(endpoint_set(&c, "reconnect", "2m", reason), 0);
	ck_assert_uint_eq(c.reconnect_ms, 120000);
	ck_assert_int_eq(endpoint_set(&c, "reconnect", "500ms", reason), -1);
	ck_assert_str_eq(
	    reason, "give a time from 1 s to 24d, such as 90 or 1m30s");
	ck_assert_int_eq(endpoint_set(&c, "tls-ca", "", reason), -1);
	ck_assert_str_eq(reason, "give a value");
}
END_TEST

UNIT(a_numeric_address_is_neither_a_name_nor_half_a_one)
{
	static const char *const bad[] = { "", "9191", ":9191",
		"localhost:9191", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0",
		"127.0.0.1:65536", "127.0.0.1:http", "127.0.0.1:80x",
		"::1:9191", "[::1]", "[::1", "[::g]:1", "1.2.3:9",
		"256.1.1.1:9" };
	struct collector_address at;

	ck_assert_int_eq(endpoint_numeric(&at, "127.0.0.1:9191", reason), 0);
	ck_assert_str_eq(at.host, "127.0.0.1");
	ck_assert_str_eq(at.port, "9191");
	ck_assert_int_eq(
	    endpoint_numeric(&at, "[fe80::1%lo]:65535", reason), 0);
	ck_assert_str_eq(at.host, "fe80::1%lo");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reason[0] = '\0';
		ck_assert_int_eq(endpoint_numeric(&at, bad[i], reason), -1);
		ck_assert_ptr_nonnull(strstr(reason, "127.0.0.1:9191"));
	}
}
END_TEST

/* Whether two items are one collector. */
static bool
same(const char *one, const char *other)
{
	struct collector_config a, b;
	bool equal, turned;

	ck_assert_int_eq(
	    endpoint_parse(&a, one, strlen(one), &endpoint_defaults, reason),
	    0);
	ck_assert_int_eq(endpoint_parse(&b, other, strlen(other),
			     &endpoint_defaults, reason),
	    0);
	equal = endpoint_equal(&a, &b);
	turned = endpoint_equal(&b, &a);
	ck_assert(equal == turned);
	endpoint_free(&a);
	endpoint_free(&b);
	return equal;
}

UNIT(collectors_are_equal_if_all_that_counts_is)
{
	ck_assert(same("192.0.2.1:2055", "udp://192.0.2.1:2055"));
	ck_assert(same("192.0.2.1:4739", "udp://192.0.2.1?version=ipfix"));
	ck_assert(!same("192.0.2.1:2055", "192.0.2.2:2055"));
	ck_assert(!same("192.0.2.1:2055", "192.0.2.1:2056"));
	ck_assert(!same("192.0.2.1:2055", "tcp://192.0.2.1:2055"));
	ck_assert(!same("udp://h?version=9", "udp://h"));
	ck_assert(!same("udp://h?domain=1", "udp://h?domain=2"));
	ck_assert(!same("udp://h?template-refresh=60+9", "udp://h"));
	ck_assert(!same("udp://h?template-refresh=61", "udp://h"));
	ck_assert(!same("udp://h?source=192.0.2.1", "udp://h"));
	ck_assert(same("udp://h?source=::1", "udp://h?source=::1"));
	ck_assert(!same("tls://h?ca=a", "tls://h?ca=b"));
	ck_assert(same("tls://h?ca=a", "tls://h?ca=a"));
	ck_assert(same("json:/a", "json:/a"));
	ck_assert(!same("json:/a", "json:/b"));
	ck_assert(!same("json:/a", "csv:/a"));
	ck_assert(!same("file:/%s?rotate=1m", "file:/%s"));
}
END_TEST

UNIT(what_means_nothing_for_a_kind_makes_no_difference)
{
	struct collector_config other = endpoint_defaults, a, b;
	const char *tcp = "tcp://h", *udp = "h:1";

	other.tls_ca = "ca.pem";
	other.reconnect_ms = 5000;
	ck_assert_int_eq(
	    endpoint_parse(&a, udp, strlen(udp), &endpoint_defaults, reason),
	    0);
	ck_assert_int_eq(
	    endpoint_parse(&b, udp, strlen(udp), &other, reason), 0);
	ck_assert(endpoint_equal(&a, &b));
	endpoint_free(&a);
	endpoint_free(&b);
	ck_assert_int_eq(
	    endpoint_parse(&a, tcp, strlen(tcp), &endpoint_defaults, reason),
	    0);
	ck_assert_int_eq(
	    endpoint_parse(&b, tcp, strlen(tcp), &other, reason), 0);
	ck_assert(!endpoint_equal(&a, &b));
	endpoint_free(&a);
	endpoint_free(&b);
}
END_TEST

UNIT_MAIN("endpoint", a_numeric_address_is_neither_a_name_nor_half_a_one,
    an_item_without_keys_is_as_the_defaults, only_a_url_may_leave_the_port_out,
    keys_override_the_defaults_of_one_collector,
    a_bad_key_is_named_with_its_item_and_what_would_do,
    a_file_has_a_path_and_what_goes_with_it, a_bad_file_is_told_what_would_do,
    an_option_sets_what_its_key_sets,
    collectors_are_equal_if_all_that_counts_is,
    what_means_nothing_for_a_kind_makes_no_difference)
