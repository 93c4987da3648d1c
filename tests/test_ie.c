/* SPDX-License-Identifier: ISC */
/*
 * test_ie.c - templates name IANA's elements with their lengths, Data Records
 * are what the templates say, and JSON tells the same.
 *
 * Expected numbers are written out here, from the registry and the RFCs.
 */
#include <stdbool.h>

#include "tests/export.h"

#define ENTRIES(table) (sizeof(table) / sizeof((table)[0]))

/* The fields all flavours have, in front of and behind those that differ. */
static const struct field v4_addresses[] = { { 8, 4 }, { 12, 4 } };
static const struct field v6_addresses[] = { { 27, 16 }, { 28, 16 } };
static const struct field middle_nf9[] = { { 7, 2 }, { 11, 2 }, { 4, 1 },
	{ 60, 1 }, { 5, 1 }, { 136, 1 }, { 6, 1 } };
static const struct field middle_ipfix[] = { { 7, 2 }, { 11, 2 }, { 4, 1 },
	{ 60, 1 }, { 5, 1 }, { 136, 1 }, { 6, 2 } };
static const struct field icmp_v4[] = { { 32, 2 } };
static const struct field icmp_v6[] = { { 139, 2 } };
static const struct field vlan[] = { { 58, 2 } };
static const struct field mac[] = { { 56, 6 }, { 80, 6 } };
static const struct field end_nf9[] = { { 10, 4 }, { 14, 4 }, { 1, 8 },
	{ 2, 8 }, { 22, 4 }, { 21, 4 } };
static const struct field end_ipfix[] = { { 10, 4 }, { 14, 4 }, { 1, 8 },
	{ 2, 8 }, { 152, 8 }, { 153, 8 } };

static void
expect(struct shape *s, const struct field *field, size_t n)
{
	memcpy(&s->field[s->nfields], field, n * sizeof(*field));
	s->nfields = (uint16_t)(s->nfields + n);
	for (size_t i = 0; i < n; i++)
		s->record_len += field[i].len;
}

#define EXPECT(s, fields) expect(s, fields, ENTRIES(fields))

static struct shape
expected(unsigned flavour, enum dialect_bit bit, bool with_mac)
{
	struct shape s = { .id = (uint16_t)(256 + flavour) };
	bool v6 = flavour & FLAVOUR_V6;

	expect(&s, v6 ? v6_addresses : v4_addresses, 2);
	expect(&s, bit == DIALECT_NF9 ? middle_nf9 : middle_ipfix, 7);
	if (flavour & FLAVOUR_ICMP)
		expect(&s, v6 ? icmp_v6 : icmp_v4, 1);
	if (flavour & FLAVOUR_VLAN)
		EXPECT(&s, vlan);
	if (with_mac)
		EXPECT(&s, mac);
	expect(&s, bit == DIALECT_NF9 ? end_nf9 : end_ipfix, 6);
	return s;
}

static void
check_templates(enum dialect_bit bit, bool with_mac)
{
	struct template t[TEMPLATES];

	template_all(t, bit, with_mac ? &mac_choice : &plain_choice);
	for (unsigned i = 0; i < TEMPLATES; i++) {
		struct shape want = expected(i, bit, with_mac);
		struct shape got = shape_of(&t[i]);

		ck_assert_uint_eq(got.id, want.id);
		ck_assert_uint_eq(got.nfields, want.nfields);
		for (unsigned f = 0; f < want.nfields; f++) {
			ck_assert_uint_eq(got.field[f].id, want.field[f].id);
			ck_assert_uint_eq(got.field[f].len, want.field[f].len);
		}
		ck_assert_uint_eq(t[i].record_len, want.record_len);
	}
}

UNIT(netflow9_templates_have_these_fields_and_lengths)
{
	check_templates(DIALECT_NF9, false);
}
END_TEST

UNIT(ipfix_templates_have_these_fields_and_lengths)
{
	check_templates(DIALECT_IPFIX, false);
}
END_TEST

UNIT(mac_addresses_are_in_every_template_if_asked_for)
{
	check_templates(DIALECT_NF9, true);
	check_templates(DIALECT_IPFIX, true);
}
END_TEST

UNIT(rfc7011_3_4_1_template_ids_are_256_to_263_and_tell_the_flavour)
{
	static const enum dialect_bit bits[] = { DIALECT_NF9, DIALECT_IPFIX };
	struct template t[TEMPLATES];

	for (size_t b = 0; b < ENTRIES(bits); b++)
		for (int m = 0; m < 2; m++) {
			template_all(
			    t, bits[b], m == 1 ? &mac_choice : &plain_choice);
			for (unsigned i = 0; i < TEMPLATES; i++)
				ck_assert_uint_eq(t[i].id, 256 + i);
		}
}
END_TEST

UNIT(a_record_has_the_flavour_of_what_it_carries)
{
	struct flow_record r;

	for (unsigned i = 0; i < TEMPLATES; i++) {
		r = flavoured_record(i);
		ck_assert_uint_eq(template_flavour(&r), i);
	}
	r = udp_record(NOON);
	r.protocol = 58; /* ICMPv6 over IPv4 is still told with its codes */
	ck_assert_uint_eq(template_flavour(&r), FLAVOUR_ICMP);
}
END_TEST

/* Write one record by a template into `at`; it must take record_len octets. */
static void
put(const struct template *t, const struct flow_record *r, uint64_t boot_ns,
    uint8_t at[256])
{
	struct wbuf w = wb_init(at, 256);

	memset(at, 0xaa, 256);
	record_put(t, &w, r, boot_ns);
	ck_assert(!w.full);
	ck_assert_uint_eq(wb_len(&w), t->record_len);
	ck_assert_uint_eq(at[t->record_len], 0xaa);
}

UNIT(rfc7011_6_1_values_are_in_network_byte_order_at_their_lengths)
{
	struct template t[TEMPLATES];
	struct flow_record r = tcp_record();
	struct shape s;
	uint8_t at[256];

	r.fwd.octets = UINT64_C(0x0102030405060708);
	r.fwd.ingress = UINT32_C(0x11223344);
	r.fwd.egress = UINT32_C(0x55667788);
	template_all(t, DIALECT_IPFIX, &plain_choice);
	s = shape_of(&t[0]);
	put(&t[0], &r, 0, at);
	ck_assert_mem_eq(at, "\xc0\x00\x02\x01\xc6\x33\x64\x02", 8);
	ck_assert_uint_eq(value_of(&s, at, 7), 49152);
	ck_assert_uint_eq(value_of(&s, at, 11), 443);
	ck_assert_uint_eq(value_of(&s, at, 4), 6);
	ck_assert_uint_eq(value_of(&s, at, 60), 4);
	ck_assert_uint_eq(value_of(&s, at, 5), 0xb8);
	ck_assert_uint_eq(value_of(&s, at, 136), 3);
	ck_assert_uint_eq(value_of(&s, at, 10), 0x11223344);
	ck_assert_uint_eq(value_of(&s, at, 14), 0x55667788);
	ck_assert_uint_eq(value_of(&s, at, 1), UINT64_C(0x0102030405060708));
	ck_assert_uint_eq(value_of(&s, at, 2), 10);
}
END_TEST

UNIT(rfc7011_6_1_8_absolute_times_are_milliseconds_since_1970)
{
	struct template t[TEMPLATES];
	struct flow_record r = tcp_record();
	struct shape s;
	uint8_t at[256];

	template_all(t, DIALECT_IPFIX, &plain_choice);
	s = shape_of(&t[0]);
	put(&t[0], &r, NOON, at); /* the boot time does not matter */
	ck_assert_uint_eq(value_of(&s, at, 152), NOON_S * 1000 + 123);
	ck_assert_uint_eq(value_of(&s, at, 153), NOON_S * 1000 + 1987);
	r.fwd.end_ns = UINT64_MAX; /* the year 2554 */
	put(&t[0], &r, NOON, at);
	ck_assert_uint_eq(value_of(&s, at, 153), UINT64_MAX / 1000000);
}
END_TEST

UNIT(rfc3954_8_relative_times_are_milliseconds_since_boot)
{
	struct template t[TEMPLATES];
	struct flow_record r = tcp_record();
	struct shape s;
	uint8_t at[256];

	template_all(t, DIALECT_NF9, &plain_choice);
	s = shape_of(&t[0]);
	put(&t[0], &r, NOON - 60 * NS_PER_S, at);
	ck_assert_uint_eq(value_of(&s, at, 22), 60123);
	ck_assert_uint_eq(value_of(&s, at, 21), 61987);
}
END_TEST

UNIT(tcp_control_bits_are_1_octet_in_netflow9_and_2_in_ipfix)
{
	struct template t[TEMPLATES];
	struct flow_record r = tcp_record();
	struct shape s;
	uint8_t at[256];

	template_all(t, DIALECT_NF9, &plain_choice);
	s = shape_of(&t[0]);
	put(&t[0], &r, NOON, at);
	ck_assert_uint_eq(value_of(&s, at, 6), 0x5b);
	template_all(t, DIALECT_IPFIX, &plain_choice);
	s = shape_of(&t[0]);
	put(&t[0], &r, NOON, at);
	ck_assert_uint_eq(value_of(&s, at, 6), 0x15b);
}
END_TEST

UNIT(icmp_type_and_code_are_an_element_of_their_own_and_the_destination_port)
{
	struct template t[TEMPLATES];
	struct flow_record r = flavoured_record(FLAVOUR_ICMP);
	struct shape s;
	uint8_t at[256];

	template_all(t, DIALECT_IPFIX, &plain_choice);
	s = shape_of(&t[FLAVOUR_ICMP]);
	put(&t[FLAVOUR_ICMP], &r, 0, at);
	ck_assert_uint_eq(value_of(&s, at, 32), 0x0800);
	ck_assert_uint_eq(value_of(&s, at, 11), 0x0800);
	r = flavoured_record(FLAVOUR_ICMP | FLAVOUR_V6);
	s = shape_of(&t[FLAVOUR_ICMP | FLAVOUR_V6]);
	put(&t[FLAVOUR_ICMP | FLAVOUR_V6], &r, 0, at);
	ck_assert_uint_eq(value_of(&s, at, 139), 0x8000);
}
END_TEST

UNIT(mac_addresses_and_vlan_are_told_as_they_were_seen)
{
	struct template t[TEMPLATES];
	struct flow_record r = flavoured_record(FLAVOUR_VLAN);
	struct shape s;
	uint8_t at[256];

	memcpy(r.src_mac, "\x02\0\0\0\0\x01", 6);
	memcpy(r.dst_mac, "\x02\0\0\0\0\x02", 6);
	r.vlan = 4094;
	template_all(t, DIALECT_NF9, &mac_choice);
	s = shape_of(&t[FLAVOUR_VLAN]);
	put(&t[FLAVOUR_VLAN], &r, 0, at);
	ck_assert_uint_eq(value_of(&s, at, 58), 4094);
	ck_assert_uint_eq(value_of(&s, at, 56), UINT64_C(0x020000000001));
	ck_assert_uint_eq(value_of(&s, at, 80), UINT64_C(0x020000000002));
}
END_TEST

UNIT(a_record_that_does_not_fit_writes_nothing)
{
	struct template t[TEMPLATES];
	struct flow_record r = tcp_record();
	uint8_t at[256];
	struct wbuf w;

	template_all(t, DIALECT_IPFIX, &plain_choice);
	memset(at, 0xaa, sizeof(at));
	w = wb_init(at, t[0].record_len - 1U);
	record_put(&t[0], &w, &r, 0);
	ck_assert(w.full);
	for (size_t i = 0; i < sizeof(at); i++)
		ck_assert_uint_eq(at[i], 0xaa);
}
END_TEST

/* NetFlow v5 -------------------------------------------------------------- */

UNIT(netflow5_records_are_48_octets_with_every_field_in_its_place)
{
	/* clang-format off */
	static const uint8_t want[48] = {
		192, 0, 2, 1,  198, 51, 100, 2,  0, 0, 0, 0, /* no next hop */
		0, 3,  0, 4,                                 /* interfaces */
		0, 0, 0, 10,  0, 0, 0x13, 0x88,              /* 5000 octets */
		0, 0, 0xea, 0xdb,  0, 0, 0xf2, 0x23,         /* 60123, 61987 */
		0xc0, 0x00,  0x01, 0xbb,                     /* 49152, 443 */
		0,  0x5b,  6,  0xb8,                         /* flags, tos */
		0, 0,  0, 0,  0,  0,  0, 0                   /* AS, masks */
	};
	/* clang-format on */
	struct template t;
	struct flow_record r = tcp_record();
	uint8_t at[256];

	template_fixed(&t, DIALECT_NF5);
	ck_assert_uint_eq(t.id, 0);
	ck_assert_uint_eq(t.record_len, 48);
	put(&t, &r, NOON - 60 * NS_PER_S, at);
	ck_assert_mem_eq(at, want, sizeof(want));
}
END_TEST

UNIT(netflow5_tells_an_ifindex_above_65535_as_0)
{
	struct template t;
	struct flow_record r = tcp_record();
	uint8_t at[256];

	template_fixed(&t, DIALECT_NF5);
	r.fwd.ingress = 65535;
	r.fwd.egress = 65536;
	put(&t, &r, NOON, at);
	ck_assert_mem_eq(at + 12, "\xff\xff\0\0", 4);
	r.fwd.ingress = 65536 + 7; /* not interface 7 */
	r.fwd.egress = 0;
	put(&t, &r, NOON, at);
	ck_assert_mem_eq(at + 12, "\0\0\0\0", 4);
}
END_TEST

/* Turning round ------------------------------------------------------------ */

UNIT(direction_is_there_where_it_is_known)
{
	static const uint8_t told[] = {
		[DIRECTION_IN] = 0, [DIRECTION_OUT] = 1
	};
	struct field_choice choice = { .direction = true };
	struct template t[TEMPLATES_MAX];
	struct export_record out[2];
	struct flow_record r = tcp_record();
	uint8_t at[256];

	ck_assert_uint_eq(template_all(t, DIALECT_IPFIX, &choice),
	    TEMPLATES + 2 * FLAVOUR_REVERSE);
	for (unsigned i = 0; i < TEMPLATES; i++) {
		struct template *with = &t[i | FLAVOUR_DIRECTION];

		ck_assert_uint_eq(t[i].id, 256 + i);
		ck_assert_uint_eq(t[i | FLAVOUR_REVERSE].id, 0);
		ck_assert_uint_eq(with->id, 256 + (i | FLAVOUR_DIRECTION));
		ck_assert_uint_eq(with->record_len, t[i].record_len + 1);
	}
	for (unsigned way = DIRECTION_UNKNOWN; way <= DIRECTION_OUT; way++) {
		struct shape s;
		unsigned flavour;

		r.fwd.direction = way & 3U;
		record_split(&r, &choice, out);
		flavour = template_flavour(&out[0].flow);
		ck_assert_uint_eq(
		    flavour, way == DIRECTION_UNKNOWN ? 0 : FLAVOUR_DIRECTION);
		if (flavour == 0)
			continue;
		s = shape_of(&t[flavour]);
		put(&t[flavour], &out[0].flow, 0, at);
		ck_assert_uint_eq(value_of(&s, at, 61), told[way]);
	}
	choice.direction = false; /* nor is it told where nobody asks */
	record_split(&r, &choice, out);
	ck_assert_uint_eq(template_flavour(&out[0].flow), 0);
}
END_TEST

UNIT(reversing_swaps_addresses_ports_macs_and_halves)
{
	struct flow_record in = tcp_record(), out;

	memcpy(in.src_mac, "\x02\0\0\0\0\x01", 6);
	memcpy(in.dst_mac, "\x02\0\0\0\0\x02", 6);
	in.vlan = 5;
	in.rev.ingress = 8;
	in.rev.egress = 9;
	record_reverse(&in, &out);
	ck_assert_mem_eq(out.src, in.dst, 16);
	ck_assert_mem_eq(out.dst, in.src, 16);
	ck_assert_mem_eq(out.src_mac, in.dst_mac, 6);
	ck_assert_mem_eq(out.dst_mac, in.src_mac, 6);
	ck_assert_uint_eq(out.src_port, 443);
	ck_assert_uint_eq(out.dst_port, 49152);
	ck_assert_mem_eq(&out.fwd, &in.rev, sizeof(in.rev));
	ck_assert_mem_eq(&out.rev, &in.fwd, sizeof(in.fwd));
	ck_assert_uint_eq(out.fwd.ingress, 8); /* each half has its own */
	ck_assert_uint_eq(out.fwd.egress, 9);
	ck_assert_uint_eq(out.vlan, 5);
	ck_assert_uint_eq(out.protocol, 6);
	ck_assert_uint_eq(out.end_reason, FLOW_END_FLOW);
	ck_assert_uint_eq(out.ended_ns, in.ended_ns);
}
END_TEST

UNIT(reversing_keeps_icmp_type_and_code_where_they_are)
{
	static const unsigned flavours[] = { FLAVOUR_ICMP,
		FLAVOUR_ICMP | FLAVOUR_V6 };
	struct flow_record in, out;

	for (size_t i = 0; i < ENTRIES(flavours); i++) {
		in = flavoured_record(flavours[i]);
		record_reverse(&in, &out);
		ck_assert_uint_eq(out.src_port, 0);
		ck_assert_uint_eq(out.dst_port, in.dst_port);
		ck_assert_uint_eq(out.icmp, in.icmp);
		ck_assert_mem_eq(out.src, in.dst, 16);
	}
}
END_TEST

UNIT(reversing_twice_gives_the_record_back)
{
	struct flow_record in, out, back;

	for (unsigned i = 0; i <= TEMPLATES; i++) {
		in = i < TEMPLATES ? flavoured_record(i) : tcp_record();
		record_reverse(&in, &out);
		record_reverse(&out, &back);
		ck_assert_mem_eq(&back, &in, sizeof(in));
	}
}
END_TEST

/* JSON --------------------------------------------------------------------- */

/* The JSON line of a record, to be freed. */
static char *
json(const struct flow_record *r)
{
	const struct export_record whole = { .flow = *r };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	record_json(out, &whole, &plain_choice);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static void
check_json(const struct flow_record *r, const char *want)
{
	char *text = json(r);

	ck_assert_str_eq(text, want);
	free(text);
}

UNIT(json_is_one_object_a_line_with_iana_names_and_all_digits_of_time)
{
	struct flow_record r = tcp_record();

	check_json(&r,
	    "{\"sourceIPv4Address\":\"192.0.2.1\","
	    "\"destinationIPv4Address\":\"198.51.100.2\","
	    "\"sourceTransportPort\":49152,\"destinationTransportPort\":443,"
	    "\"protocolIdentifier\":6,\"ipVersion\":4,\"ipClassOfService\":184,"
	    "\"flowEndReason\":3,\"tcpControlBits\":347,"
	    "\"ingressInterface\":3,\"egressInterface\":4,"
	    "\"octetDeltaCount\":5000,\"packetDeltaCount\":10,"
	    "\"flowStartMilliseconds\":1709294400123.456789,"
	    "\"flowEndMilliseconds\":1709294401987.654321}\n");
}
END_TEST

UNIT(json_has_icmp_vlan_and_macs_of_a_record_that_has_them)
{
	struct flow_record r =
	    flavoured_record(FLAVOUR_V6 | FLAVOUR_ICMP | FLAVOUR_VLAN);

	memcpy(r.dst_mac, "\x02\0\0\0\xfe\x02", 6);
	check_json(&r,
	    "{\"sourceIPv6Address\":\"2001:db8::1\","
	    "\"destinationIPv6Address\":\"2001:db8::2\","
	    "\"sourceTransportPort\":0,\"destinationTransportPort\":32768,"
	    "\"protocolIdentifier\":58,\"ipVersion\":6,\"ipClassOfService\":0,"
	    "\"flowEndReason\":1,\"tcpControlBits\":0,"
	    "\"icmpTypeCodeIPv6\":32768,\"vlanId\":100,"
	    "\"sourceMacAddress\":\"00:00:00:00:00:00\","
	    "\"destinationMacAddress\":\"02:00:00:00:fe:02\","
	    "\"ingressInterface\":0,\"egressInterface\":0,"
	    "\"octetDeltaCount\":60,\"packetDeltaCount\":1,"
	    "\"flowStartMilliseconds\":1709294400000.000000,"
	    "\"flowEndMilliseconds\":1709294400000.000000}\n");
}
END_TEST

UNIT(json_has_no_field_that_the_record_lacks)
{
	static const char *const others[] = { "IPv6", "icmp", "vlan", "Mac" };
	struct flow_record r = udp_record(NOON);
	char *text = json(&r);

	for (size_t i = 0; i < ENTRIES(others); i++)
		ck_assert_ptr_null(strstr(text, others[i]));
	free(text);
}
END_TEST

UNIT(json_tells_the_largest_counters_exactly)
{
	struct flow_record r = udp_record(NOON);
	char *text;

	r.fwd.octets = UINT64_MAX;
	text = json(&r);
	ck_assert_ptr_nonnull(
	    strstr(text, "\"octetDeltaCount\":18446744073709551615,"));
	free(text);
}
END_TEST

UNIT(the_list_has_number_octets_formats_and_name_of_each_element)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	unsigned lines = 0;

	ck_assert_ptr_nonnull(out);
	ie_list(out);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(
	    strncmp(text, "number octets formats     name\n", 30), 0);
	ck_assert_ptr_nonnull(
	    strstr(text, "\n     8      4 v9 IPFIX  * sourceIPv4Address\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\n     6      1 v9        * tcpControlBits\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\n     6      2    IPFIX  * tcpControlBits\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\n   153      8    IPFIX  * flowEndMilliseconds\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\n    52      1 v9 IPFIX  + minimumTTL\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\n    56      6 v9 IPFIX  + sourceMacAddress\n"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\n   302      8    IPFIX    selectorId\n"));
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	ck_assert_ptr_nonnull(strstr(
	    text, "\n     1      8    IPFIX  + reverseOctetDeltaCount\n"));
	ck_assert_uint_gt(lines, 150);
	free(text);
}
END_TEST

UNIT_MAIN("ie", netflow9_templates_have_these_fields_and_lengths,
    ipfix_templates_have_these_fields_and_lengths,
    mac_addresses_are_in_every_template_if_asked_for,
    rfc7011_3_4_1_template_ids_are_256_to_263_and_tell_the_flavour,
    a_record_has_the_flavour_of_what_it_carries,
    rfc7011_6_1_values_are_in_network_byte_order_at_their_lengths,
    rfc7011_6_1_8_absolute_times_are_milliseconds_since_1970,
    rfc3954_8_relative_times_are_milliseconds_since_boot,
    tcp_control_bits_are_1_octet_in_netflow9_and_2_in_ipfix,
    icmp_type_and_code_are_an_element_of_their_own_and_the_destination_port,
    mac_addresses_and_vlan_are_told_as_they_were_seen,
    a_record_that_does_not_fit_writes_nothing,
    netflow5_records_are_48_octets_with_every_field_in_its_place,
    netflow5_tells_an_ifindex_above_65535_as_0,
    direction_is_there_where_it_is_known,
    reversing_swaps_addresses_ports_macs_and_halves,
    reversing_keeps_icmp_type_and_code_where_they_are,
    reversing_twice_gives_the_record_back,
    json_is_one_object_a_line_with_iana_names_and_all_digits_of_time,
    json_has_icmp_vlan_and_macs_of_a_record_that_has_them,
    json_has_no_field_that_the_record_lacks,
    json_tells_the_largest_counters_exactly,
    the_list_has_number_octets_formats_and_name_of_each_element)
