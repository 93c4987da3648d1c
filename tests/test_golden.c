/* SPDX-License-Identifier: ISC */
/*
 * test_golden.c - fixed Flow Records give exactly the datagrams in
 * tests/golden/, which were written from the RFCs, field by field.
 *
 * A .hex file has octets in hexadecimal, in any grouping; a line that begins
 * with '#' is a comment.  Runs in the top directory of the tree.
 */
#include <ctype.h>
#include <stdbool.h>

#include "tests/export.h"

struct octets {
	size_t len;
	uint8_t data[MESSAGE_MAX];
};

static int
nibble(int c)
{
	return c <= '9' ? c - '0' : tolower(c) - 'a' + 10;
}

/* Append the octets of one line. */
static void
read_line(struct octets *o, const char *line)
{
	for (; *line != '\0'; line++) {
		if (isspace((unsigned char)*line))
			continue;
		ck_assert(isxdigit((unsigned char)line[0]));
		ck_assert(isxdigit((unsigned char)line[1]));
		ck_assert_uint_lt(o->len, sizeof(o->data));
		o->data[o->len++] =
		    (uint8_t)(nibble(line[0]) << 4 | nibble(line[1]));
		line++;
	}
}

static void
read_golden(const char *name, struct octets *o)
{
	char path[128], line[256];
	FILE *in;

	(void)snprintf(path, sizeof(path), "tests/golden/%s.hex", name);
	in = fopen(path, "r");
	if (in == NULL)
		ck_abort_msg("cannot open %s", path);
	o->len = 0;
	while (fgets(line, sizeof(line), in) != NULL)
		if (line[0] != '#')
			read_line(o, line);
	ck_assert_int_eq(fclose(in), 0);
	ck_assert_uint_gt(o->len, 0);
}

/* Print octets, marking the first that differs. */
static void
print_octets(const char *what, const uint8_t *data, size_t len, size_t mark)
{
	printf("%s, %zu octets:", what, len);
	for (size_t i = 0; i < len; i++)
		printf("%s%s%02x", i % 16 == 0 ? "\n\t" : " ",
		    i == mark ? ">" : "", data[i]);
	printf("\n");
}

static void
check_golden(const char *name, struct message *m)
{
	static struct octets want;
	size_t len, at = 0;

	message_end(m);
	ck_assert(!m->w.full);
	len = wb_len(&m->w);
	read_golden(name, &want);
	while (at < len && at < want.len && m->w.base[at] == want.data[at])
		at++;
	if (at == len && at == want.len)
		return;
	print_octets("expected", want.data, want.len, at);
	print_octets("made", m->w.base, len, at);
	ck_abort_msg("%s.hex differs at octet %zu", name, at);
}

static void
begin(struct message *m, const struct dialect *d)
{
	message_begin(m, d, 1400);
	m->sampling = (struct sampling){ .interval = 1 };
	m->boot_ns = NOON - 60 * NS_PER_S;
	m->time_ns = NOON + 5 * NS_PER_S + 678 * NS_PER_MS;
	m->sequence = UINT32_C(0x01020304);
	m->domain = UINT32_C(0x0a0b0c0d);
}

static void
put(struct message *m, const struct template *t, const struct flow_record *r)
{
	ck_assert_int_eq(message_record(m, t, r), 0);
}

static void
check_templates(const struct dialect *d, const char *name)
{
	struct template t[TEMPLATES];
	struct message m;

	template_all(t, d->bit, &plain_choice);
	begin(&m, d);
	for (unsigned i = 0; i < TEMPLATES; i++)
		ck_assert_int_eq(message_template(&m, &t[i]), 0);
	check_golden(name, &m);
}

/* TCP both ways, then a record of each other flavour. */
static void
check_data(const struct dialect *d, const char *name)
{
	struct template t[TEMPLATES];
	struct flow_record r = tcp_record(), reverse;
	struct message m;

	template_all(t, d->bit, &plain_choice);
	record_reverse(&r, &reverse);
	begin(&m, d);
	put(&m, &t[0], &r);
	put(&m, &t[0], &reverse);
	for (unsigned i = 1; i < TEMPLATES; i++) {
		r = flavoured_record(i);
		put(&m, &t[template_flavour(&r)], &r);
	}
	check_golden(name, &m);
}

static void
check_mac(const struct dialect *d, const char *name)
{
	struct template t[TEMPLATES];
	struct flow_record r = tcp_record();
	struct message m;

	memcpy(r.src_mac, "\x00\x00\x5e\x00\x53\x01", 6);
	memcpy(r.dst_mac, "\x00\x00\x5e\x00\x53\x02", 6);
	template_all(t, d->bit, &mac_choice);
	begin(&m, d);
	ck_assert_int_eq(message_template(&m, &t[0]), 0);
	put(&m, &t[0], &r);
	check_golden(name, &m);
}

static void
check_fixed(const struct dialect *d, const char *name)
{
	struct flow_record r = tcp_record(), reverse;
	struct template t;
	struct message m;

	template_fixed(&t, d->bit);
	record_reverse(&r, &reverse);
	begin(&m, d);
	put(&m, &t, &r);
	put(&m, &t, &reverse);
	r = flavoured_record(FLAVOUR_ICMP);
	r.fwd.ingress = 65535;
	r.fwd.egress = 65536;
	put(&m, &t, &r);
	check_golden(name, &m);
}

UNIT(netflow1_datagrams_are_these_octets)
{
	check_fixed(&dialect_netflow1, "netflow1");
}
END_TEST

UNIT(netflow5_datagrams_are_these_octets)
{
	check_fixed(&dialect_netflow5, "netflow5");
}
END_TEST

UNIT(rfc3954_5_2_netflow9_templates_are_these_octets)
{
	check_templates(&dialect_netflow9, "netflow9-templates");
}
END_TEST

UNIT(rfc3954_5_3_netflow9_data_is_these_octets)
{
	check_data(&dialect_netflow9, "netflow9-data");
}
END_TEST

UNIT(netflow9_with_mac_addresses_is_these_octets)
{
	check_mac(&dialect_netflow9, "netflow9-mac");
}
END_TEST

UNIT(rfc7011_3_4_1_ipfix_templates_are_these_octets)
{
	check_templates(&dialect_ipfix, "ipfix-templates");
}
END_TEST

UNIT(rfc7011_3_4_3_ipfix_data_is_these_octets)
{
	check_data(&dialect_ipfix, "ipfix-data");
}
END_TEST

UNIT(ipfix_with_mac_addresses_is_these_octets)
{
	check_mac(&dialect_ipfix, "ipfix-mac");
}
END_TEST

UNIT_MAIN("golden", netflow1_datagrams_are_these_octets,
    netflow5_datagrams_are_these_octets,
    rfc3954_5_2_netflow9_templates_are_these_octets,
    rfc3954_5_3_netflow9_data_is_these_octets,
    netflow9_with_mac_addresses_is_these_octets,
    rfc7011_3_4_1_ipfix_templates_are_these_octets,
    rfc7011_3_4_3_ipfix_data_is_these_octets,
    ipfix_with_mac_addresses_is_these_octets)
