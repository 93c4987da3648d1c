/* SPDX-License-Identifier: ISC */
/*
 * test_printer.c - the table and the JSON lines of printer.c, and what it
 * does when the stream fails.  What a record says in JSON is ie.c's matter.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "ie.h"
#include "printer.h"
#include "record.h"
#include "unit.h"

#define LINES_MAX 700
#define T2019_NS (UINT64_C(1551443696) * NS_PER_S) /* 2019-03-01 12:34:56 */

/* A printer to memory, and what it wrote cut into lines. */
struct bench {
	struct printer *printer;
	FILE *out;
	char *text, *copy;
	size_t len, nlines;
	char *line[LINES_MAX];
};

static void
bench_open(struct bench *b, bool json)
{
	*b = (struct bench){ 0 };
	b->out = open_memstream(&b->text, &b->len);
	ck_assert_ptr_nonnull(b->out);
	b->printer =
	    printer_new(b->out, json ? PRINTER_JSON : PRINTER_TABLE, NULL);
	ck_assert_ptr_nonnull(b->printer);
}

/* Cut what was written so far into lines. */
static void
bench_cut(struct bench *b)
{
	char *rest;

	fflush(b->out);
	free(b->copy);
	b->copy = strdup(b->text);
	ck_assert_ptr_nonnull(b->copy);
	rest = b->copy;
	for (b->nlines = 0; *rest != '\0'; b->nlines++) {
		ck_assert_uint_lt(b->nlines, LINES_MAX);
		b->line[b->nlines] = strsep(&rest, "\n");
		ck_assert_msg(rest != NULL, "the last line has no end");
	}
}

static void
bench_close(struct bench *b)
{
	printer_free(b->printer);
	fclose(b->out);
	free(b->text);
	free(b->copy);
}

static void
set_address(uint8_t addr[16], const char *text)
{
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	memset(addr, 0, 16);
	ck_assert_int_eq(inet_pton(family, text, addr), 1);
}

/* A TCP conversation of which only the forward half saw packets. */
static struct flow_record
record(const char *src, const char *dst)
{
	struct flow_record r = {
		.protocol = IPPROTO_TCP,
		.ip_version = strchr(src, ':') != NULL ? 6 : 4,
		.src_port = 40000,
		.dst_port = 443,
		.end_reason = FLOW_END_IDLE,
		.fwd = { .packets = 3,
		    .octets = 180,
		    .start_ns = T2019_NS + 789 * NS_PER_MS,
		    .end_ns = T2019_NS + 2 * NS_PER_S,
		    .tcp_flags = 0x1b },
	};

	set_address(r.src, src);
	set_address(r.dst, dst);
	return r;
}

/* The line of a table that holds nothing but this record. */
static void
check_row(const struct flow_record *rec, const char *expected)
{
	struct bench b;

	bench_open(&b, false);
	printer_add(b.printer, rec);
	printer_flush(b.printer);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 2);
	ck_assert_str_eq(b.line[1], expected);
	ck_assert_int_eq(printer_error(b.printer), 0);
	bench_close(&b);
}

UNIT(a_tcp_line_shows_every_column)
{
	struct flow_record r = record("10.0.0.1", "192.0.2.77");

	r.fwd.tos = 0xb8;
	check_row(&r,
	    "2019-03-01 12:34:56.789    1.211  tcp    10.0.0.1:40000  "
	    "192.0.2.77:443  ...AP.SF  0xb8        3     180  idle");
}
END_TEST

/* Where a word starts in a line. */
static int
place(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	ck_assert_msg(at != NULL, "no '%s' in '%s'", word, line);
	return (int)(at - line);
}

UNIT(columns_line_up_under_one_header)
{
	struct bench b;
	struct flow_record small = record("1.2.3.4", "5.6.7.8");
	struct flow_record wide =
	    record("2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8::1");

	wide.fwd.octets = UINT64_MAX;
	bench_open(&b, false);
	printer_add(b.printer, &small);
	printer_add(b.printer, &wide);
	printer_flush(b.printer);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 3);
	ck_assert_int_eq(place(b.line[0], "start (UTC)"), 0);
	for (size_t i = 1; i < 3; i++) {
		ck_assert_int_eq(
		    place(b.line[i], "tcp"), place(b.line[0], "proto"));
		ck_assert_int_eq(
		    place(b.line[i], "...AP.SF"), place(b.line[0], "flags"));
		ck_assert_int_eq(
		    place(b.line[i], "idle"), place(b.line[0], "end"));
	}
	ck_assert_int_eq(place(b.line[1], "180  idle") + 3,
	    place(b.line[2], "18446744073709551615  idle") + 20);
	bench_close(&b);
}
END_TEST

UNIT(each_half_that_saw_packets_gets_a_line_forward_first)
{
	struct bench b;
	struct flow_record r = record("10.0.0.1", "10.0.0.2");

	r.rev = r.fwd;
	r.rev.packets = 7777;
	bench_open(&b, false);
	printer_add(b.printer, &r);
	r.fwd.packets = 0;
	printer_add(b.printer, &r);
	r.rev.packets = 0;
	printer_add(b.printer, &r);
	printer_flush(b.printer);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 4);
	place(b.line[1], "10.0.0.1:40000  10.0.0.2:443 ");
	place(b.line[2], "10.0.0.2:443    10.0.0.1:40000 ");
	place(b.line[2], " 7777 ");
	ck_assert_str_eq(b.line[3], b.line[2]);
	bench_close(&b);
}
END_TEST

UNIT(nothing_is_written_before_256_lines_or_a_flush)
{
	struct bench b;
	struct flow_record r = record("10.0.0.1", "10.0.0.2");

	bench_open(&b, false);
	for (int i = 0; i < 255; i++)
		printer_add(b.printer, &r);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 0);
	printer_add(b.printer, &r);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 257);
	printer_add(b.printer, &r);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 258);
	printer_flush(b.printer);
	printer_flush(b.printer);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 258);
	for (size_t i = 1; i < b.nlines; i++)
		ck_assert_str_eq(b.line[i], b.line[1]);
	bench_close(&b);
}
END_TEST

UNIT(a_column_grows_for_a_later_line_and_stays_wide)
{
	struct bench b;
	struct flow_record r = record("10.0.0.1", "10.0.0.2");
	struct flow_record wide = record("203.0.113.201", "10.0.0.2");

	bench_open(&b, false);
	printer_add(b.printer, &r);
	printer_flush(b.printer);
	printer_add(b.printer, &wide);
	printer_add(b.printer, &r);
	printer_flush(b.printer);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 4);
	ck_assert_int_lt(
	    place(b.line[1], "10.0.0.2"), place(b.line[2], "10.0.0.2"));
	ck_assert_int_eq(
	    place(b.line[3], "10.0.0.2"), place(b.line[2], "10.0.0.2"));
	bench_close(&b);
}
END_TEST

UNIT(a_redirected_printer_goes_on_with_the_same_table)
{
	struct bench b, rest;
	struct flow_record r = record("10.0.0.1", "10.0.0.2");
	struct flow_record wide = record("203.0.113.201", "10.0.0.2");

	bench_open(&b, false);
	bench_open(&rest, false);
	printer_add(b.printer, &r);
	printer_add(b.printer, &wide);
	printer_flush(b.printer);
	printer_redirect(b.printer, rest.out);
	printer_add(b.printer, &r);
	printer_flush(b.printer);
	bench_cut(&b);
	bench_cut(&rest);
	ck_assert_uint_eq(b.nlines, 3);
	ck_assert_uint_eq(rest.nlines, 1);
	ck_assert_str_eq(rest.line[0], b.line[1]);
	bench_close(&rest);
	bench_close(&b);
}
END_TEST

UNIT(no_record_means_no_header)
{
	struct bench b;

	bench_open(&b, false);
	printer_flush(b.printer);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 0);
	bench_close(&b);
}
END_TEST

UNIT(icmp_shows_type_and_code_in_place_of_ports)
{
	struct flow_record r = record("10.0.0.1", "10.0.0.2");

	r.protocol = IPPROTO_ICMP;
	r.src_port = r.dst_port = 0;
	r.icmp = 3 * 256 + 13;
	check_row(&r, "2019-03-01 12:34:56.789    1.211  icmp   10.0.0.1  "
		      "10.0.0.2:3.13  -      0x00        3     180  idle");
	r = record("fe80::1", "ff02::2");
	r.protocol = IPPROTO_ICMPV6;
	r.icmp = 133 * 256;
	check_row(&r, "2019-03-01 12:34:56.789    1.211  icmp6  fe80::1  "
		      "[ff02::2]:133.0  -      0x00        3     180  idle");
}
END_TEST

UNIT(a_protocol_without_ports_shows_bare_addresses)
{
	struct flow_record r = record("2001:db8::1", "2001:db8::2");

	r.protocol = IPPROTO_ESP;
	check_row(&r, "2019-03-01 12:34:56.789    1.211  esp    2001:db8::1  "
		      "2001:db8::2  -      0x00        3     180  idle");
}
END_TEST

UNIT(ports_that_are_not_known_are_not_shown_as_zero)
{
	struct flow_record r = record("10.0.0.1", "10.0.0.2");

	r.protocol = IPPROTO_UDP;
	r.src_port = r.dst_port = 0;
	check_row(&r, "2019-03-01 12:34:56.789    1.211  udp    10.0.0.1  "
		      "10.0.0.2     -      0x00        3     180  idle");
}
END_TEST

UNIT(every_tcp_flag_has_its_letter_and_place)
{
	static const char *const shown[8] = { ".......F", "......S.",
		".....R..", "....P...", "...A....", "..U.....", ".E......",
		"C......." };
	struct flow_record r = record("10.0.0.1", "10.0.0.2");

	for (int bit = 0; bit < 8; bit++) {
		struct bench b;

		r.fwd.tcp_flags = (uint16_t)(1 << bit);
		bench_open(&b, false);
		printer_add(b.printer, &r);
		printer_flush(b.printer);
		bench_cut(&b);
		place(b.line[1], shown[bit]);
		bench_close(&b);
	}
}
END_TEST

UNIT(every_end_reason_has_one_word)
{
	static const char *const word[FLOW_ENDS] = { "-", "idle", "active",
		"end", "forced", "resources" };

	for (unsigned i = 0; i < FLOW_ENDS; i++)
		ck_assert_str_eq(printer_end_reason(i), word[i]);
	ck_assert_str_eq(printer_end_reason(FLOW_ENDS), "?");
}
END_TEST

UNIT(start_and_duration_add_up_to_the_end_in_milliseconds)
{
	struct flow_record r = record("10.0.0.1", "10.0.0.2");

	r.fwd.start_ns = T2019_NS + 999999;
	r.fwd.end_ns = T2019_NS + 1000000;
	check_row(&r,
	    "2019-03-01 12:34:56.000    0.001  tcp    10.0.0.1:40000  "
	    "10.0.0.2:443  ...AP.SF  0x00        3     180  idle");
}
END_TEST

UNIT(times_are_right_from_1970_to_2554)
{
	static const struct {
		uint64_t s;
		const char *text;
	} table[] = {
		{ 0, "1970-01-01 00:00:00.000" },
		{ 68255999, "1972-02-29 23:59:59.000" },
		{ 68256000, "1972-03-01 00:00:00.000" },
		{ 946684799, "1999-12-31 23:59:59.000" },
		{ 951782400, "2000-02-29 00:00:00.000" },
		{ 1551443696, "2019-03-01 12:34:56.000" },
		{ 2147483648, "2038-01-19 03:14:08.000" },
		{ 4107542400, "2100-03-01 00:00:00.000" },
		{ 4294967296, "2106-02-07 06:28:16.000" },
	};
	char buf[PRINTER_TIME_LEN];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_str_eq(
		    printer_time(buf, table[i].s * NS_PER_S), table[i].text);
	ck_assert_str_eq(
	    printer_time(buf, UINT64_MAX), "2554-07-21 23:34:33.709");
}
END_TEST

UNIT(endpoints_of_ipv6_are_bracketed_only_before_a_port)
{
	char buf[PRINTER_ENDPOINT_LEN];
	uint8_t addr[16];

	set_address(addr, "192.0.2.1");
	ck_assert_str_eq(
	    printer_endpoint(buf, 4, addr, 53, true), "192.0.2.1:53");
	ck_assert_str_eq(
	    printer_endpoint(buf, 4, addr, 53, false), "192.0.2.1");
	ck_assert_str_eq(
	    printer_endpoint(buf, 4, addr, 0, true), "192.0.2.1:0");
	memset(addr, 0xff, sizeof(addr));
	ck_assert_str_eq(printer_endpoint(buf, 6, addr, 65535, true),
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	set_address(addr, "::");
	ck_assert_str_eq(printer_endpoint(buf, 6, addr, 9, false), "::");
}
END_TEST

UNIT(protocols_have_names_or_numbers)
{
	static const struct {
		uint8_t number;
		const char *name;
	} table[] = {
		{ 0, "0" },
		{ 1, "icmp" },
		{ 4, "ipip" },
		{ 6, "tcp" },
		{ 17, "udp" },
		{ 33, "dccp" },
		{ 41, "ipv6" },
		{ 47, "gre" },
		{ 50, "esp" },
		{ 51, "ah" },
		{ 58, "icmp6" },
		{ 89, "ospf" },
		{ 132, "sctp" },
		{ 136, "udplite" },
		{ 255, "255" },
	};
	char buf[8];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		ck_assert_str_eq(
		    printer_protocol(buf, table[i].number), table[i].name);
}
END_TEST

UNIT(json_writes_a_line_for_each_half_at_once)
{
	struct bench b;
	struct flow_record r = record("10.0.0.1", "10.0.0.2");

	r.rev = r.fwd;
	bench_open(&b, true);
	printer_add(b.printer, &r);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(b.line[i][0], '{');
		ck_assert_int_eq(b.line[i][strlen(b.line[i]) - 1], '}');
	}
	ck_assert_str_ne(b.line[0], b.line[1]);
	r.fwd.packets = 0;
	printer_add(b.printer, &r);
	bench_cut(&b);
	ck_assert_uint_eq(b.nlines, 3);
	ck_assert_str_eq(b.line[2], b.line[1]);
	bench_close(&b);
}
END_TEST

/* The errno a printer remembers after records to `out`, and more of them. */
static int
error_of(FILE *out, bool json)
{
	struct printer *p =
	    printer_new(out, json ? PRINTER_JSON : PRINTER_TABLE, NULL);
	struct flow_record r = record("10.0.0.1", "10.0.0.2");
	int error;

	ck_assert_ptr_nonnull(p);
	printer_add(p, &r);
	printer_flush(p);
	error = printer_error(p);
	for (int i = 0; i < 1000; i++)
		printer_add(p, &r);
	errno = EINVAL;
	printer_flush(p);
	ck_assert_int_eq(printer_error(p), error);
	printer_free(p);
	fclose(out);
	return error;
}

UNIT(rfc4180_csv_has_titles_and_as_many_fields_in_each_line)
{
	struct flow_record rec[] = { record("192.0.2.2", "192.0.2.1"),
		record("2001:db8::2", "2001:db8::1") };
	char *text = NULL;
	size_t len = 0, commas[4] = { 0 }, lines = 0;
	FILE *out = open_memstream(&text, &len);
	struct printer *p = printer_new(out, PRINTER_CSV, NULL);

	rec[1].vlan = 7;
	for (size_t i = 0; i < 2; i++)
		printer_add(p, &rec[i]);
	printer_begin(p, false);
	printer_flush(p);
	ck_assert_int_eq(strncmp(text, "sourceIPv4Address,destination", 29), 0);
	ck_assert_ptr_nonnull(strstr(text, "\r\n192.0.2.2,192.0.2.1,,,"));
	ck_assert_ptr_nonnull(strstr(text, "\r\n,,2001:db8::2,2001:db8::1,"));
	for (size_t i = 0; i < len; i++) {
		commas[lines] += text[i] == ',';
		lines += text[i] == '\n';
	}
	ck_assert_uint_eq(lines, 3);
	ck_assert_uint_eq(commas[1], commas[0]);
	ck_assert_uint_eq(commas[2], commas[0]);
	printer_free(p);
	ck_assert_int_eq(fclose(out), 0);
	free(text);
}
END_TEST

UNIT(json_of_a_biflow_run_has_one_line_with_reverse_names)
{
	static const struct field_choice choice = { .biflow = true };
	struct flow_record rec = record("192.0.2.2", "192.0.2.1");
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct printer *p = printer_new(out, PRINTER_JSON, &choice);

	rec.rev = (struct flow_half){ .packets = 7,
		.octets = 700,
		.start_ns = rec.fwd.start_ns + NS_PER_MS,
		.end_ns = rec.fwd.end_ns + NS_PER_MS,
		.tcp_flags = 0x12,
		.tos = 9 };
	printer_add(p, &rec);
	printer_flush(p);
	ck_assert_ptr_nonnull(strstr(text, "\"biflowDirection\":1,"));
	ck_assert_ptr_nonnull(strstr(text, "\"reversePacketDeltaCount\":7,"));
	ck_assert_ptr_nonnull(strstr(text, "\"reverseOctetDeltaCount\":700,"));
	ck_assert_ptr_nonnull(strstr(text, "\"reverseTcpControlBits\":18,"));
	ck_assert_ptr_nonnull(strstr(text, "\"reverseIpClassOfService\":9,"));
	ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
	rec.fwd = (struct flow_half){ 0 };
	printer_add(p, &rec);
	printer_flush(p);
	ck_assert_ptr_nonnull(strstr(text, "\"biflowDirection\":2}"));
	printer_free(p);
	ck_assert_int_eq(fclose(out), 0);
	free(text);
}
END_TEST

UNIT(a_closed_pipe_is_remembered_as_epipe)
{
	signal(SIGPIPE, SIG_IGN);
	for (int json = 0; json < 2; json++) {
		int fd[2];

		ck_assert_int_eq(pipe(fd), 0);
		close(fd[0]);
		ck_assert_int_eq(
		    error_of(fdopen(fd[1], "w"), json != 0), EPIPE);
	}
}
END_TEST

UNIT(a_full_disk_is_remembered_as_enospc)
{
	if (access("/dev/full", W_OK) != 0)
		return;
	ck_assert_int_eq(error_of(fopen("/dev/full", "w"), false), ENOSPC);
	ck_assert_int_eq(error_of(fopen("/dev/full", "w"), true), ENOSPC);
}
END_TEST

UNIT(freeing_no_printer_is_fine)
{
	printer_free(NULL);
}
END_TEST

UNIT_MAIN("printer", a_tcp_line_shows_every_column,
    columns_line_up_under_one_header,
    each_half_that_saw_packets_gets_a_line_forward_first,
    nothing_is_written_before_256_lines_or_a_flush,
    a_column_grows_for_a_later_line_and_stays_wide,
    a_redirected_printer_goes_on_with_the_same_table, no_record_means_no_header,
    icmp_shows_type_and_code_in_place_of_ports,
    a_protocol_without_ports_shows_bare_addresses,
    ports_that_are_not_known_are_not_shown_as_zero,
    every_tcp_flag_has_its_letter_and_place, every_end_reason_has_one_word,
    start_and_duration_add_up_to_the_end_in_milliseconds,
    times_are_right_from_1970_to_2554,
    endpoints_of_ipv6_are_bracketed_only_before_a_port,
    protocols_have_names_or_numbers, json_writes_a_line_for_each_half_at_once,
    rfc4180_csv_has_titles_and_as_many_fields_in_each_line,
    json_of_a_biflow_run_has_one_line_with_reverse_names,
    a_closed_pipe_is_remembered_as_epipe, a_full_disk_is_remembered_as_enospc,
    freeing_no_printer_is_fine)
