/* SPDX-License-Identifier: ISC */
/*
 * test_fields.c - elements chosen by name: which lists are taken, what they
 * put into templates and records, and what they need from others.
 *
 * Numbers, lengths and values are written out here, from IANA's registry and
 * RFC 3954.
 */
#include "extra.h"
#include "fields.h"
#include "tests/export.h"

#define ENTRIES(table) (sizeof(table) / sizeof((table)[0]))
#define RECORD_MAX 1024

static char reason[REASON_LEN];

static struct field_choice
chosen(const char *list)
{
	struct field_choice choice = { .biflow = false };

	ck_assert_msg(
	    fields_parse(&choice, list, reason) == 0, "%s: %s", list, reason);
	choice.needs = field_needs(&choice);
	return choice;
}

/* The template of a flavour. */
static struct template template_of(
    const struct field_choice *choice, enum dialect_bit bit, unsigned flavour)
{
	static struct template t[TEMPLATES_MAX];

	ck_assert_uint_lt(flavour, template_all(t, bit, choice));
	return t[flavour];
}

/* The octets of an element in the template of a flavour; 0 if not there. */
static unsigned
len_in(const struct field_choice *choice, enum dialect_bit bit,
    unsigned flavour, uint16_t id)
{
	struct template t = template_of(choice, bit, flavour);
	struct shape s = shape_of(&t);

	for (unsigned i = 0; i < s.nfields; i++)
		if (s.field[i].id == id)
			return s.field[i].len;
	return 0;
}

/* Lists ------------------------------------------------------------------- */

UNIT(a_name_is_added_with_and_without_a_plus)
{
	struct field_choice with = chosen("+minimumTTL,+vlanId");
	struct field_choice without = chosen("minimumTTL,vlanId");

	ck_assert_mem_eq(&with, &without, sizeof(with));
	ck_assert_uint_eq(len_in(&with, DIALECT_IPFIX, 0, 52), 1);
	ck_assert_uint_eq(len_in(&with, DIALECT_IPFIX, 0, 58), 2);
}
END_TEST

UNIT(a_minus_takes_an_element_out_of_every_record)
{
	struct field_choice choice = chosen("-octetDeltaCount,-vlanId");

	for (unsigned i = 0; i < TEMPLATES; i++) {
		ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, i, 1), 0);
		ck_assert_uint_eq(len_in(&choice, DIALECT_NF9, i, 58), 0);
		ck_assert_uint_eq(len_in(&choice, DIALECT_NF9, i, 2), 8);
	}
}
END_TEST

UNIT(the_last_word_on_a_name_holds)
{
	struct field_choice choice = chosen("+minimumTTL,-minimumTTL");

	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, 0, 52), 0);
	ck_assert_uint_eq(choice.needs, 0);
	ck_assert_int_eq(fields_parse(&choice, "minimumTTL", reason), 0);
	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, 0, 52), 1);
}
END_TEST

UNIT(an_unknown_name_is_refused_with_those_near_it)
{
	static const struct {
		const char *list, *shown, *near;
	} rows[] = {
		{ "minTTL", "\"minTTL\"", "minimumTTL" },
		{ "+vlanId,sourceMacAdress", "\"sourceMacAdress\"",
		    "sourceMacAddress" },
		{ "MINIMUMTTL", "\"MINIMUMTTL\"", "minimumTTL" },
		{ "mac", "\"mac\"", "destinationMacAddress" },
		{ "minimumTTL,", "\"\"", "--elements" },
		{ "", "\"\"", "--elements" },
		{ "++vlanId", "\"+vlanId\"", "vlanId" },
		{ "observationDomainId", "\"observationDomainId\"",
		    "--elements" },
		{ "nothingWhateverThatIsLikeAnyOfTheNamesThereAre", "\"nothing",
		    "--elements" },
	};
	struct field_choice choice = { .biflow = false };

	for (size_t i = 0; i < ENTRIES(rows); i++) {
		ck_assert_int_eq(
		    fields_parse(&choice, rows[i].list, reason), -1);
		ck_assert_ptr_nonnull(strstr(reason, rows[i].shown));
		ck_assert_msg(strstr(reason, rows[i].near) != NULL,
		    "\"%s\" lacks %s", reason, rows[i].near);
		ck_assert_uint_lt(strlen(reason), 250);
	}
}
END_TEST

UNIT(every_name_there_is_can_be_chosen_and_then_stands_in_a_template)
{
	struct field_choice all = { .biflow = true, .direction = true };
	struct template t[TEMPLATES_MAX];
	const char *name;
	unsigned n;

	for (size_t row = 0; (name = field_name(&row)) != NULL;)
		ck_assert_msg(
		    fields_parse(&all, name, reason) == 0, "%s", reason);
	ck_assert_str_eq(field_misfit(&all, DIALECT_IPFIX),
	    "flowStartSysUpTime"); /* of NetFlow v9 alone */
	n = template_all(t, DIALECT_IPFIX, &all);
	ck_assert_uint_eq(n, TEMPLATES_MAX);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_uint_gt(t[i].nfields, 60);
		ck_assert_uint_le(t[i].nfields, TEMPLATE_FIELDS_MAX);
	}
}
END_TEST

/* Templates --------------------------------------------------------------- */

UNIT(chosen_elements_have_the_numbers_and_lengths_of_the_registry)
{
	static const struct {
		const char *name;
		uint16_t id, ipfix, nf9;
	} rows[] = {
		{ "sourceMacAddress", 56, 6, 6 },
		{ "destinationMacAddress", 80, 6, 6 },
		{ "vlanId", 58, 2, 2 },
		{ "postVlanId", 59, 2, 2 },
		{ "dot1qVlanId", 243, 2, 2 },
		{ "dot1qPriority", 244, 1, 1 },
		{ "dot1qCustomerVlanId", 245, 2, 2 },
		{ "dot1qCustomerPriority", 246, 1, 1 },
		{ "mplsTopLabelStackSection", 70, 3, 3 },
		{ "mplsLabelStackSection2", 71, 3, 3 },
		{ "mplsLabelStackSection10", 79, 3, 3 },
		{ "mplsTopLabelTTL", 200, 1, 1 },
		{ "mplsLabelStackDepth", 202, 4, 4 },
		{ "mplsTopLabelExp", 203, 1, 1 },
		{ "minimumTTL", 52, 1, 1 },
		{ "maximumTTL", 53, 1, 1 },
		{ "ipTTL", 192, 1, 1 },
		{ "minimumIpTotalLength", 25, 8, 2 },
		{ "maximumIpTotalLength", 26, 8, 2 },
		{ "fragmentIdentification", 54, 4, 2 },
		{ "fragmentFlags", 197, 1, 1 },
		{ "ipv4Options", 208, 4, 4 },
		{ "tcpOptions", 209, 8, 8 },
		{ "tcpSequenceNumber", 184, 4, 4 },
		{ "tcpAcknowledgementNumber", 185, 4, 4 },
		{ "tcpWindowSize", 186, 2, 2 },
		{ "ipDiffServCodePoint", 195, 1, 1 },
		{ "flowDurationMilliseconds", 161, 4, 4 },
		{ "flowDurationMicroseconds", 162, 4, 4 },
		{ "octetTotalCount", 85, 8, 8 },
		{ "packetTotalCount", 86, 8, 8 },
		{ "flowId", 148, 8, 8 },
		{ "ingressPhysicalInterface", 252, 4, 4 },
		{ "egressPhysicalInterface", 253, 4, 4 },
		{ "interfaceName", 82, 16, 16 },
		{ "interfaceDescription", 83, 64, 64 },
		{ "samplingInterval", 34, 4, 4 },
		{ "samplingAlgorithm", 35, 1, 1 },
		{ "flowStartSeconds", 150, 4, 0 },
	};

	for (size_t i = 0; i < ENTRIES(rows); i++) {
		struct field_choice choice = chosen(rows[i].name);
		uint16_t id = rows[i].id;

		ck_assert_uint_eq(
		    len_in(&choice, DIALECT_IPFIX, 0, id), rows[i].ipfix);
		ck_assert_uint_eq(
		    len_in(&choice, DIALECT_NF9, 0, id), rows[i].nf9);
		ck_assert_uint_eq(
		    len_in(&plain_choice, DIALECT_IPFIX, 0, id), 0);
		ck_assert_ptr_null(field_misfit(&choice, DIALECT_IPFIX));
	}
}
END_TEST

UNIT(elements_of_one_ip_version_are_in_its_templates_alone)
{
	struct field_choice choice =
	    chosen("flowLabelIPv6,ipv6ExtensionHeaders,ipv4Options,"
		   "fragmentIdentification");

	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, 0, 31), 0);
	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, FLAVOUR_V6, 31), 4);
	ck_assert_uint_eq(len_in(&choice, DIALECT_NF9, FLAVOUR_V6, 31), 3);
	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, 0, 64), 0);
	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, FLAVOUR_V6, 64), 4);
	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, FLAVOUR_V6, 208), 0);
	ck_assert_uint_eq(len_in(&choice, DIALECT_NF9, FLAVOUR_V6, 54), 4);
}
END_TEST

UNIT(n_labels_are_the_first_n_elements_from_70_on)
{
	for (unsigned n = 0; n <= LABELS_MAX; n++) {
		struct field_choice choice = { .biflow = false };

		field_choose_labels(&choice, 7); /* the last word holds */
		field_choose_labels(&choice, n);
		ck_assert_int_eq(field_any(&choice), n > 0);
		for (uint16_t i = 0; i <= LABELS_MAX; i++)
			ck_assert_uint_eq(
			    len_in(&choice, DIALECT_NF9, 0, (uint16_t)(70 + i)),
			    i < n ? 3 : 0);
	}
}
END_TEST

/* Field Specifiers of a biflow template with the enterprise bit. */
static unsigned
reverse_fields(const struct field_choice *choice, uint16_t id)
{
	struct template t = template_of(choice, DIALECT_IPFIX, FLAVOUR_REVERSE);
	uint8_t octets[4 + 8 * TEMPLATE_FIELDS_MAX];
	struct wbuf w = wb_init(octets, sizeof(octets));
	unsigned found = 0;
	struct rbuf r;

	template_put(&t, DIALECT_IPFIX, &w);
	r = rb_init(octets, wb_len(&w));
	rb_take(&r, 4);
	while (rb_left(&r) > 0) {
		uint16_t number = rb_u16(&r);

		rb_take(&r, 2);
		if (!(number & 0x8000))
			continue;
		ck_assert_uint_eq(rb_u32(&r), 29305);
		found += (number & 0x7fff) == id;
	}
	return found;
}

UNIT(rfc5103_an_element_of_each_direction_comes_with_its_reverse)
{
	struct field_choice choice =
	    chosen("minimumTTL,flowId,-octetDeltaCount");

	choice.biflow = true;
	ck_assert_uint_eq(reverse_fields(&choice, 52), 1);
	ck_assert_uint_eq(reverse_fields(&choice, 53), 0);
	ck_assert_uint_eq(reverse_fields(&choice, 148), 0); /* of both */
	ck_assert_uint_eq(reverse_fields(&choice, 1), 0);
	ck_assert_uint_eq(reverse_fields(&choice, 2), 1);
	choice = chosen("-reverseMinimumTTL,minimumTTL,-reverseMinimumTTL");
	choice.biflow = true;
	ck_assert_uint_eq(reverse_fields(&choice, 52), 0);
	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, 0, 52), 1);
}
END_TEST

UNIT(what_a_format_has_no_place_for_is_named)
{
	struct field_choice choice = chosen("minimumTTL,flowStartSeconds");

	ck_assert_ptr_null(field_misfit(&choice, DIALECT_IPFIX));
	ck_assert_str_eq(
	    field_misfit(&choice, DIALECT_NF9), "flowStartSeconds");
	choice = chosen("reverseMinimumTTL");
	ck_assert_str_eq(
	    field_misfit(&choice, DIALECT_IPFIX), "reverseMinimumTTL");
	choice.biflow = true;
	ck_assert_ptr_null(field_misfit(&choice, DIALECT_IPFIX));
}
END_TEST

UNIT(the_smallest_message_holds_any_one_template_and_record)
{
	struct field_choice choice =
	    chosen("interfaceDescription,interfaceName,flowId");
	const unsigned most = FLAVOUR_V6 | FLAVOUR_ICMP | FLAVOUR_VLAN;
	const struct dialect *d = &dialect_ipfix;
	size_t least = message_least(d, &choice);
	struct template t = template_of(&choice, DIALECT_IPFIX, most);
	struct flow_record r = flavoured_record(most);
	struct export_record split[2];
	static struct message m;

	record_split(&r, &choice, split);
	ck_assert_uint_gt(least, message_least(d, &plain_choice));
	for (size_t size = least - 16; size <= least; size += 4) {
		int fits = size == least ? 0 : -1;

		message_begin(&m, d, size);
		ck_assert_int_eq(message_record(&m, &t, &split[0].flow), fits);
	}
	message_begin(&m, d, least);
	ck_assert_int_eq(message_template(&m, &t), 0);
	ck_assert_uint_le(message_least(d, &plain_choice), MESSAGE_MIN);
	choice = chosen("-flowId");
	for (size_t row = 0; row < 1000;) {
		const char *name = field_name(&row);

		if (name == NULL)
			break;
		field_choose(&choice, name, false);
	}
	ck_assert_uint_eq(message_least(d, &choice), 0);
	/* Three octets of padding would be three records more. */
	field_choose(&choice, "protocolIdentifier", true);
	ck_assert_uint_eq(message_least(d, &choice), 0);
	field_choose(&choice, "sourceTransportPort", true);
	ck_assert_uint_eq(message_least(d, &choice), 0);
	field_choose(&choice, "ipVersion", true);
	ck_assert_uint_gt(message_least(d, &choice), 0);
}
END_TEST

/* Needs ------------------------------------------------------------------- */

UNIT(what_is_chosen_needs_no_more_than_it_tells)
{
	static const struct {
		const char *list;
		unsigned needs;
	} rows[] = {
		{ "vlanId,ipDiffServCodePoint,flowDurationMilliseconds", 0 },
		{ "sourceMacAddress", NEED_MAC },
		{ "flowId", NEED_FLOW },
		{ "octetTotalCount,packetTotalCount", NEED_FLOW },
		{ "minimumTTL", NEED_PACKETS },
		{ "interfaceName", NEED_INTERFACES },
		{ "samplingInterval", NEED_SAMPLING },
		{ "ipTTL,flowId", NEED_PACKETS | NEED_FLOW },
		{ "-sourceMacAddress,-octetDeltaCount", 0 },
	};

	ck_assert_uint_eq(field_needs(&plain_choice), 0);
	ck_assert(!field_any(&plain_choice));
	for (size_t i = 0; i < ENTRIES(rows); i++) {
		struct field_choice choice = chosen(rows[i].list);

		ck_assert_uint_eq(choice.needs, rows[i].needs);
		ck_assert(field_any(&choice));
	}
}
END_TEST

/* Records ----------------------------------------------------------------- */

/* What a cache keeps beside tcp_record(). */
static struct flow_extra
tcp_extra(void)
{
	return (struct flow_extra){
		.number = 7,
		.half = { {
			      .packet = { .tcp_options = 0x11e,
				  .ip_options = 0x100000,
				  .shortest = 40,
				  .longest = 70000,
				  .fragment_id = 0xabcd,
				  .tcp_sequence = 0x01020304,
				  .tcp_acknowledgement = 0x05060708,
				  .tcp_window = 0xfff0,
				  .tag = { 0xa00c, 0x6fff },
				  .fragment_flags = 0x40,
				  .ttl = 60,
				  .ttl_min = 58,
				  .ttl_max = 61,
				  .labels = 2,
				  .label_ttl = 254,
				  .label = { { 0x00, 0x06, 0x4a },
				      { 0xff, 0xff, 0xf1 } } },
			      .packets_total = 100,
			      .octets_total = 50000,
			      .src_mac = { 2, 0, 0, 0, 0, 1 },
			      .dst_mac = { 2, 0, 0, 0, 0, 2 },
			  },
		    {
			.packet = { .ttl = 250,
			    .ttl_min = 250,
			    .ttl_max = 251 },
			.packets_total = 80,
			.octets_total = 400000,
			.src_mac = { 2, 0, 0, 0, 0, 3 },
			.dst_mac = { 2, 0, 0, 0, 0, 1 },
		    } },
	};
}

static const char every_name[] =
    "sourceMacAddress,destinationMacAddress,vlanId,postVlanId,dot1qVlanId,"
    "dot1qPriority,dot1qCustomerVlanId,dot1qCustomerPriority,"
    "mplsTopLabelStackSection,mplsLabelStackSection2,mplsLabelStackSection3,"
    "mplsTopLabelTTL,mplsLabelStackDepth,mplsTopLabelExp,ipTTL,minimumTTL,"
    "maximumTTL,minimumIpTotalLength,maximumIpTotalLength,"
    "fragmentIdentification,fragmentFlags,ipv4Options,tcpOptions,"
    "tcpSequenceNumber,tcpAcknowledgementNumber,tcpWindowSize,"
    "ipDiffServCodePoint,flowDurationMilliseconds,flowDurationMicroseconds,"
    "octetTotalCount,packetTotalCount,flowId,ingressPhysicalInterface,"
    "egressPhysicalInterface,samplingInterval,samplingAlgorithm";

/* Encode record i of a conversation with these fields. */
static struct shape
encode(const struct field_choice *choice, enum dialect_bit bit,
    const struct flow_record *r, unsigned i, uint8_t at[RECORD_MAX])
{
	struct template t = template_of(choice, bit, 0);
	struct wbuf w = wb_init(at, RECORD_MAX);
	struct export_record split[2];

	ck_assert_uint_gt(record_split(r, choice, split), i);
	record_put(&t, &w, &split[i], NOON - 60 * NS_PER_S);
	ck_assert(!w.full);
	ck_assert_uint_eq(wb_len(&w), t.record_len);
	return shape_of(&t);
}

UNIT(a_record_tells_of_its_direction_what_was_chosen)
{
	static const struct {
		uint16_t id;
		uint64_t fwd, rev;
	} rows[] = {
		{ 56, 0x020000000001, 0x020000000003 },
		{ 80, 0x020000000002, 0x020000000001 },
		{ 58, 0, 0 },
		{ 59, 0, 0 },
		{ 243, 0x00c, 0 },
		{ 244, 5, 0 },
		{ 245, 0xfff, 0 },
		{ 246, 3, 0 },
		{ 70, 0x00064a, 0 },
		{ 71, 0xfffff1, 0 },
		{ 72, 0, 0 },
		{ 200, 254, 0 },
		{ 202, 2, 0 },
		{ 203, 5, 0 },
		{ 192, 60, 250 },
		{ 52, 58, 250 },
		{ 53, 61, 251 },
		{ 25, 40, 0 },
		{ 26, 70000, 0 },
		{ 54, 0xabcd, 0 },
		{ 197, 0x40, 0 },
		{ 208, 0x100000, 0 },
		{ 209, 0x11e, 0 },
		{ 184, 0x01020304, 0 },
		{ 185, 0x05060708, 0 },
		{ 186, 0xfff0, 0 },
		{ 195, 0x2e, 0x0a },
		{ 161, 1864, 1849 }, /* from ms to ms */
		{ 162, 1864198, 1849999 },
		{ 85, 50000, 400000 },
		{ 86, 100, 80 },
		{ 148, 14, 15 },
		{ 252, 3, 3 },
		{ 253, 4, 4 },
		{ 34, 100, 100 },
		{ 35, 2, 2 },
	};
	struct field_choice choice = chosen(every_name);
	struct flow_record r = tcp_record();
	struct flow_extra extra = tcp_extra();
	uint8_t fwd[RECORD_MAX], rev[RECORD_MAX];
	struct shape s;

	r.extra = &extra;
	choice.sampling = (struct sampling){ SAMPLING_RANDOM, 100 };
	s = encode(&choice, DIALECT_IPFIX, &r, 0, fwd);
	encode(&choice, DIALECT_IPFIX, &r, 1, rev);
	for (size_t i = 0; i < ENTRIES(rows); i++) {
		ck_assert_msg(value_of(&s, fwd, rows[i].id) == rows[i].fwd,
		    "element %u: %ju", rows[i].id,
		    (uintmax_t)value_of(&s, fwd, rows[i].id));
		ck_assert_msg(value_of(&s, rev, rows[i].id) == rows[i].rev,
		    "element %u, reverse: %ju", rows[i].id,
		    (uintmax_t)value_of(&s, rev, rows[i].id));
	}
}
END_TEST

UNIT(netflow9_lengths_above_65535_are_told_as_65535)
{
	struct field_choice choice =
	    chosen("minimumIpTotalLength,maximumIpTotalLength");
	struct flow_record r = tcp_record();
	struct flow_extra extra = tcp_extra();
	uint8_t at[RECORD_MAX];
	struct shape s;

	r.extra = &extra;
	s = encode(&choice, DIALECT_NF9, &r, 0, at);
	ck_assert_uint_eq(value_of(&s, at, 25), 40);
	ck_assert_uint_eq(value_of(&s, at, 26), 65535);
}
END_TEST

UNIT(a_biflow_has_one_flow_id_whichever_side_it_begins_with)
{
	struct field_choice choice = chosen("flowId,packetTotalCount");
	struct flow_record r = tcp_record();
	struct flow_extra extra = tcp_extra();
	struct export_record split[2];

	r.extra = &extra;
	choice.biflow = true;
	ck_assert_uint_eq(record_split(&r, &choice, split), 1);
	ck_assert_uint_eq(split[0].flow_id, 14);
	ck_assert_uint_eq(split[0].fwd.packets_total, 100);
	ck_assert_uint_eq(split[0].rev.packets_total, 80);
	r.fwd = (struct flow_half){ 0 };
	ck_assert_uint_eq(record_split(&r, &choice, split), 1);
	ck_assert_uint_eq(split[0].flow_id, 14);
	ck_assert_uint_eq(split[0].fwd.packets_total, 80);
	ck_assert_uint_eq(split[0].rev.packets_total, 100);
}
END_TEST

UNIT(interface_names_are_those_of_the_table_or_empty)
{
	struct field_choice choice =
	    chosen("interfaceName,interfaceDescription");
	struct option_record table[2] = { 0 };
	struct flow_record r = tcp_record();
	struct export_record split[2];

	option_interface(&table[0], 2, "lo", "loopback");
	option_interface(&table[1], 3, "eth0", "a \"wire\"");
	choice.interface = table;
	choice.ninterfaces = 2;
	record_split(&r, &choice, split);
	ck_assert_str_eq(split[0].interface_name, "eth0");
	ck_assert_str_eq(split[1].interface_description, "a \"wire\"");
	r.fwd.ingress = 4;
	record_split(&r, &choice, split);
	ck_assert_str_eq(split[0].interface_name, "");
}
END_TEST

/* JSON and table ---------------------------------------------------------- */

static char *
written(const struct field_choice *choice, const struct flow_record *r,
    void (*write)(
	FILE *, const struct export_record *, const struct field_choice *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct export_record split[2];

	ck_assert_ptr_nonnull(out);
	record_split(r, choice, split);
	write(out, &split[0], choice);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

UNIT(json_tells_what_was_chosen_as_it_is_on_the_wire)
{
	struct field_choice choice = chosen(
	    "mplsTopLabelStackSection,"
	    "dot1qVlanId,ipDiffServCodePoint,interfaceName,-tcpControlBits");
	struct option_record table[1] = { 0 };
	struct flow_record r = tcp_record();
	struct flow_extra extra = tcp_extra();
	char *text;

	option_interface(&table[0], 3, "a\"b", "");
	choice.interface = table;
	choice.ninterfaces = 1;
	r.extra = &extra;
	text = written(&choice, &r, record_json);
	ck_assert_ptr_nonnull(
	    strstr(text, "\"mplsTopLabelStackSection\":\"0x00064a\","));
	ck_assert_ptr_nonnull(strstr(text, "\"dot1qVlanId\":12,"));
	ck_assert_ptr_nonnull(strstr(text, "\"ipDiffServCodePoint\":46,"));
	ck_assert_ptr_nonnull(strstr(text, "\"interfaceName\":\"a\\\"b\""));
	ck_assert_ptr_null(strstr(text, "tcpControlBits"));
	free(text);
}
END_TEST

UNIT(the_table_gets_only_what_was_chosen)
{
	struct field_choice choice = chosen("minimumTTL,dot1qVlanId,-vlanId");
	struct flow_record r = tcp_record();
	struct flow_extra extra = tcp_extra();
	char *text;

	r.extra = &extra;
	text = written(&choice, &r, record_chosen);
	ck_assert_str_eq(text, " dot1qVlanId=12 minimumTTL=58");
	free(text);
	text = written(&plain_choice, &r, record_chosen);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

UNIT(a_flow_that_is_listed_without_its_extra_tells_none_of_it)
{
	struct field_choice choice = chosen("minimumTTL,flowId,postVlanId");
	struct flow_record r = tcp_record();
	char *text = written(&choice, &r, record_json);

	ck_assert_ptr_null(strstr(text, "minimumTTL"));
	ck_assert_ptr_null(strstr(text, "flowId"));
	ck_assert_ptr_nonnull(strstr(text, "\"postVlanId\":0"));
	free(text);
}
END_TEST

/* Addresses after a NAT ---------------------------------------------------- */

static struct field_choice
nat_choice(void)
{
	struct field_choice choice = { .nat = true };

	choice.needs = field_needs(&choice);
	return choice;
}

/* 192.0.2.1 port 49152 leaves as 203.0.113.1 port 61000; replies, turned. */
static struct flow_nat
tcp_nat(void)
{
	return (struct flow_nat){ .half = { { .src = { 203, 0, 113, 1 },
						.dst = { 198, 51, 100, 2 },
						.src_port = 61000,
						.dst_port = 443 },
				      { .src = { 198, 51, 100, 2 },
					  .dst = { 192, 0, 2, 1 },
					  .src_port = 443,
					  .dst_port = 49152 } } };
}

UNIT(addresses_after_a_nat_have_the_numbers_and_lengths_of_the_registry)
{
	static const struct {
		uint16_t id;
		unsigned v4, v6;
	} rows[] = { { 225, 4, 0 }, { 226, 4, 0 }, { 227, 2, 2 }, { 228, 2, 2 },
		{ 281, 0, 16 }, { 282, 0, 16 } };
	struct field_choice choice = nat_choice();

	for (size_t i = 0; i < ENTRIES(rows); i++)
		for (unsigned d = 0; d < 2; d++) {
			enum dialect_bit bit = d ? DIALECT_NF9 : DIALECT_IPFIX;

			ck_assert_uint_eq(
			    len_in(&choice, bit, 0, rows[i].id), rows[i].v4);
			ck_assert_uint_eq(
			    len_in(&choice, bit, FLAVOUR_V6, rows[i].id),
			    rows[i].v6);
			ck_assert_uint_eq(
			    len_in(&plain_choice, bit, 0, rows[i].id), 0);
		}
}
END_TEST

UNIT(addresses_after_a_nat_need_connection_tracking)
{
	struct field_choice choice = nat_choice();

	ck_assert_uint_eq(choice.needs, NEED_NAT);
	choice = chosen("postNATSourceIPv6Address");
	ck_assert_uint_eq(choice.needs, NEED_NAT);
	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, FLAVOUR_V6, 281), 16);
	ck_assert_uint_eq(len_in(&choice, DIALECT_IPFIX, FLAVOUR_V6, 282), 0);
}
END_TEST

UNIT(each_direction_tells_with_which_addresses_its_packets_left)
{
	struct field_choice choice = nat_choice();
	struct flow_record r = tcp_record();
	struct flow_nat nat = tcp_nat();
	struct export_record split[2];

	r.nat = &nat;
	ck_assert_uint_eq(record_split(&r, &choice, split), 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_mem_eq(split[i].post_src, nat.half[i].src, 16);
		ck_assert_mem_eq(split[i].post_dst, nat.half[i].dst, 16);
		ck_assert_uint_eq(split[i].post_src_port, nat.half[i].src_port);
		ck_assert_uint_eq(split[i].post_dst_port, nat.half[i].dst_port);
	}
	ck_assert_mem_eq(split[0].flow.src, "\xc0\0\x02\x01", 4);
}
END_TEST

UNIT(what_is_not_translated_leaves_as_it_came)
{
	struct field_choice choice = nat_choice();
	struct flow_record r = tcp_record();
	struct export_record split[2];

	ck_assert_uint_eq(record_split(&r, &choice, split), 2);
	for (int i = 0; i < 2; i++) {
		const struct flow_record *flow = &split[i].flow;

		ck_assert_mem_eq(split[i].post_src, flow->src, 16);
		ck_assert_mem_eq(split[i].post_dst, flow->dst, 16);
		ck_assert_uint_eq(split[i].post_src_port, flow->src_port);
		ck_assert_uint_eq(split[i].post_dst_port, flow->dst_port);
	}
}
END_TEST

UNIT(the_table_shows_a_nat_where_it_translates)
{
	struct field_choice choice = nat_choice();
	struct flow_record r = tcp_record();
	struct flow_nat nat = tcp_nat();
	char *text = written(&choice, &r, record_chosen);

	ck_assert_str_eq(text, "");
	free(text);
	r.nat = &nat;
	text = written(&choice, &r, record_chosen);
	ck_assert_str_eq(text, " postNATSourceIPv4Address=\"203.0.113.1\""
			       " postNATDestinationIPv4Address=\"198.51.100.2\""
			       " postNAPTSourceTransportPort=61000"
			       " postNAPTDestinationTransportPort=443");
	free(text);
}
END_TEST

UNIT_MAIN("fields", a_name_is_added_with_and_without_a_plus,
    a_minus_takes_an_element_out_of_every_record, the_last_word_on_a_name_holds,
    an_unknown_name_is_refused_with_those_near_it,
    every_name_there_is_can_be_chosen_and_then_stands_in_a_template,
    chosen_elements_have_the_numbers_and_lengths_of_the_registry,
    elements_of_one_ip_version_are_in_its_templates_alone,
    n_labels_are_the_first_n_elements_from_70_on,
    rfc5103_an_element_of_each_direction_comes_with_its_reverse,
    what_a_format_has_no_place_for_is_named,
    the_smallest_message_holds_any_one_template_and_record,
    what_is_chosen_needs_no_more_than_it_tells,
    a_record_tells_of_its_direction_what_was_chosen,
    netflow9_lengths_above_65535_are_told_as_65535,
    a_biflow_has_one_flow_id_whichever_side_it_begins_with,
    interface_names_are_those_of_the_table_or_empty,
    json_tells_what_was_chosen_as_it_is_on_the_wire,
    the_table_gets_only_what_was_chosen,
    a_flow_that_is_listed_without_its_extra_tells_none_of_it,
    addresses_after_a_nat_have_the_numbers_and_lengths_of_the_registry,
    addresses_after_a_nat_need_connection_tracking,
    each_direction_tells_with_which_addresses_its_packets_left,
    what_is_not_translated_leaves_as_it_came,
    the_table_shows_a_nat_where_it_translates)
