/* SPDX-License-Identifier: ISC */
/*
 * test_report.c - the counters as text and JSON: that the account adds up,
 * that no counter is forgotten, and that hostile names stay inside strings.
 */
#include <sys/socket.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "exporter.h"
#include "meter.h"
#include "report.h"
#include "router.h"
#include "unit.h"

static struct meter_call call;

/* What is wanted from a report. */
enum form { TEXT, JSON };

/* 1,000 packets received: 700 in records, 100 active, 150 ignored, 50 gone. */
static void
fill_call(void)
{
	struct meter_stats *m = &call.stats;

	memset(&call, 0, sizeof(call));
	m->gathering = true;
	m->capture.frames = 1000;
	m->capture.frame_octets = 123456;
	m->capture.packets = 850;
	m->capture.discard[DISCARD_ARP] = 60;
	m->capture.discard[DISCARD_ETHERTYPE] = 70;
	m->capture.gathering_off = 20;
	m->capture.ethertype[0].type = 0x88cc;
	m->capture.ethertype[0].frames = 66;
	m->capture.ethertype_other = 4;
	m->capture.short_transport = 11;
	m->capture.frame_length = 12;
	m->capture.kernel_drops = 13;
	m->fragments = 15;
	m->fragments_orphaned = 16;
	m->ring_lost_packets = 17;
	m->track.packets = 850;
	m->track.octets = 110000;
	m->track.ended_packets = 700;
	m->track.ended_octets = 90000;
	m->track.deleted_packets = 50;
	m->track.flows = 40;
	m->track.active = 5;
	m->track.active_max = 9;
	m->track.ended[FLOW_END_IDLE] = 21;
	m->track.ended[FLOW_END_NO_RESOURCES] = 22;
	m->track.protocol_packets[17] = 50;
	m->track.protocol_octets[17] = 5000;
	m->track.protocol_flows[17] = 25;
	m->track.protocol_packets[6] = 800;
	m->track.protocol_octets[6] = 105000;
	m->track.protocol_flows[6] = 15;
	m->first_ns = UINT64_C(1551443696) * NS_PER_S;
	m->time_ns = m->first_ns + 10 * NS_PER_S + 789 * NS_PER_MS;
}

/* JSON by RFC 8259, as far as it is used: returns what follows, or NULL. */
static const char *json_skip(const char *s, int depth);

static const char *
json_skip_string(const char *s)
{
	if (s == NULL || *s++ != '"')
		return NULL;
	for (; *s != '"'; s++) {
		if ((unsigned char)*s < 0x20)
			return NULL;
		if (*s != '\\')
			continue;
		s++;
		if (*s == 'u') {
			if (strspn(s + 1, "0123456789abcdef") < 4)
				return NULL;
			s += 4;
		} else if (*s == '\0' || strchr("\"\\/bfnrt", *s) == NULL) {
			return NULL;
		}
	}
	return s + 1;
}

static const char *
json_skip_members(const char *s, char close, int depth)
{
	if (*++s == close)
		return s + 1;
	for (;; s++) {
		if (close == '}') {
			s = json_skip_string(s);
			if (s == NULL || *s++ != ':')
				return NULL;
		}
		s = json_skip(s, depth + 1);
		if (s == NULL || (*s != ',' && *s != close))
			return NULL;
		if (*s == close)
			return s + 1;
	}
}

static const char *
json_skip(const char *s, int depth)
{
	static const char *const word[] = { "true", "false", "null" };

	if (depth > 10)
		return NULL;
	if (*s == '{' || *s == '[')
		return json_skip_members(s, *s == '{' ? '}' : ']', depth);
	if (*s == '"')
		return json_skip_string(s);
	for (size_t i = 0; i < 3; i++) {
		if (strncmp(s, word[i], strlen(word[i])) == 0)
			return s + strlen(word[i]);
	}
	return strspn(s, "-0123456789.") > 0 ? s + strspn(s, "-0123456789.")
					     : NULL;
}

static void
check_json(const char *text)
{
	const char *end = text[0] == '{' ? json_skip(text, 0) : NULL;

	ck_assert_msg(end != NULL && strcmp(end, "\n") == 0,
	    "not one line of JSON: %s", text);
}

/* A stream to memory; finish() gives its text, to be freed. */
struct memory {
	FILE *out;
	char *text;
	size_t len;
};

static FILE *
begin(struct memory *m)
{
	m->out = open_memstream(&m->text, &m->len);
	ck_assert_ptr_nonnull(m->out);
	return m->out;
}

static char *
finish(struct memory *m, enum form form)
{
	ck_assert_int_eq(fclose(m->out), 0);
	if (form == JSON)
		check_json(m->text);
	return m->text;
}

/* Where records were judged; NULL = nowhere. */
static struct router *router;

static char *
statistics(enum form form, struct exporter *exporter, uint64_t elapsed_ns)
{
	struct memory m;

	report_statistics(
	    begin(&m), form == JSON, &call, router, exporter, elapsed_ns);
	return finish(&m, form);
}

static char *
interfaces(enum form form)
{
	struct memory m;

	report_interfaces(begin(&m), form == JSON, &call);
	return finish(&m, form);
}

static char *
collectors(enum form form, struct exporter *exporter)
{
	struct memory m;

	report_collectors(begin(&m), form == JSON, exporter);
	return finish(&m, form);
}

static char *
timeouts(enum form form)
{
	struct memory m;

	report_timeouts(begin(&m), form == JSON, &call);
	return finish(&m, form);
}

/* Whether one whole line of the text is this one. */
static bool
has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *s = text; (s = strstr(s, line)) != NULL; s++) {
		if ((s == text || s[-1] == '\n') && s[len] == '\n')
			return true;
	}
	return false;
}

/* Check that text has all of these (TEXT: as whole lines); ends in NULL. */
static void
check_has(enum form form, char *text, ...)
{
	const char *want;
	va_list ap;

	va_start(ap, text);
	while ((want = va_arg(ap, const char *)) != NULL)
		ck_assert_msg(form == TEXT ? has_line(text, want)
					   : strstr(text, want) != NULL,
		    "no '%s' in:\n%s", want, text);
	va_end(ap);
	free(text);
}

UNIT(statistics_show_both_sides_of_the_account)
{
	fill_call();
	check_has(TEXT, statistics(TEXT, NULL, 0), "packets received: 1000",
	    "packets in records: 700", "packets in active flows: 100",
	    "ignored packets: 150", "packets deleted: 50", "account: balanced",
	    "packets lost before export: 17", NULL);
	check_has(JSON, statistics(JSON, NULL, 0),
	    "\"account\":{\"packetsReceived\":1000,\"packetsInRecords\":700,"
	    "\"packetsInActiveFlows\":100,\"ignoredPacketTotalCount\":150,"
	    "\"packetsDeleted\":50,\"packetsSeenAgain\":0,"
	    "\"packetsOfOwnSessions\":0,\"packetsSeenTranslated\":0,"
	    "\"balanced\":true,\"offBy\":0,"
	    "\"notSentPacketTotalCount\":17,",
	    NULL);
}
END_TEST

UNIT(own_sessions_are_left_out_of_records_and_stand_in_the_account)
{
	const struct router_config config = { .exclude_own = true,
		.sockets = 1 };
	const struct own_session session = { .local_port = 1,
		.remote_port = 2,
		.protocol = 17,
		.ip_version = 4 };
	struct flow_record r = { .src_port = 2,
		.dst_port = 1,
		.protocol = 17,
		.ip_version = 4,
		.fwd = { .packets = 20, .octets = 1000 },
		.rev = { .packets = 10, .octets = 500 } };

	fill_call();
	router = router_new(&config);
	ck_assert_ptr_nonnull(router);
	router_session(router, 0, &session);
	ck_assert_int_eq(router_judge(router, &r), ROUTER_OWN);
	check_has(TEXT, statistics(TEXT, NULL, 0), "packets in records: 670",
	    "packets of own sessions: 30", "account: balanced",
	    "records of own sessions: 1", "octets of own sessions: 1500", NULL);
	/* Judged since the meters were asked. */
	r.fwd.packets = 1000;
	ck_assert_int_eq(router_judge(router, &r), ROUTER_OWN);
	check_has(TEXT, statistics(TEXT, NULL, 0), "packets in records: 0",
	    "packets of own sessions: 700", "account: balanced", NULL);
	r.src_port = 3;
	ck_assert_int_eq(router_judge(router, &r), ROUTER_EXPORT);
	router_free(router);
	router = NULL;
}
END_TEST

UNIT(an_account_that_does_not_add_up_says_by_how_much)
{
	fill_call();
	call.stats.capture.frames += 3;
	check_has(TEXT, statistics(TEXT, NULL, 0), "account: OFF BY 3", NULL);
	call.stats.capture.frames -= 5;
	check_has(TEXT, statistics(TEXT, NULL, 0), "account: OFF BY -2", NULL);
	check_has(JSON, statistics(JSON, NULL, 0),
	    "\"balanced\":false,\"offBy\":-2", NULL);
}
END_TEST

UNIT(packets_missing_from_an_empty_cache_are_off)
{
	fill_call();
	call.stats.track.active = 0;
	check_has(TEXT, statistics(TEXT, NULL, 0), "packets in active flows: 0",
	    "account: OFF BY 100", NULL);
}
END_TEST

UNIT(statistics_of_nothing_are_balanced)
{
	memset(&call, 0, sizeof(call));
	check_has(TEXT, statistics(TEXT, NULL, 0), "packets received: 0",
	    "ignored packets: 0", "account: balanced", "gathering: off", NULL);
	check_has(JSON, statistics(JSON, NULL, 0), "\"firstPacket\":null",
	    "\"protocols\":[]", "\"collectors\":[]", "\"gathering\":false",
	    NULL);
}
END_TEST

UNIT(every_discard_reason_reaches_its_own_line_and_the_sum)
{
	for (int i = DECODE_OK + 1; i < DECODE_STATUSES; i++) {
		const char *name = decode_status_name((enum decode_status)i);
		char line[64], member[64];

		memset(&call, 0, sizeof(call));
		call.stats.capture.frames = 9;
		call.stats.capture.discard[i] = 9;
		snprintf(line, sizeof(line), "ignored %s: 9", name);
		snprintf(member, sizeof(member), "\"%s\":9", name);
		check_has(TEXT, statistics(TEXT, NULL, 0), line,
		    "ignored packets: 9", "account: balanced", NULL);
		check_has(JSON, statistics(JSON, NULL, 0), member, NULL);
	}
}
END_TEST

UNIT(text_leaves_out_reasons_that_are_zero_and_json_has_all)
{
	char *text;

	fill_call();
	text = statistics(TEXT, NULL, 0);
	ck_assert_ptr_null(strstr(text, "ignored llc"));
	check_has(TEXT, text, "ignored arp: 60", "ignored ethertype: 70",
	    "ignored gathering-off: 20", NULL);
	check_has(JSON, statistics(JSON, NULL, 0), "\"arp\":60", "\"llc\":0",
	    "\"gathering-off\":20", NULL);
}
END_TEST

UNIT(statistics_show_ethertypes_notes_drops_flows_and_reasons)
{
	fill_call();
	check_has(TEXT, statistics(TEXT, NULL, 0), "ethertype 0x88cc: 66",
	    "ethertype other: 4", "short transport: 11",
	    "length from frame: 12", "fragments: 15",
	    "fragments without first: 16", "kernel drops: 13",
	    "interface drops: 0", "flows active: 5", "flows active at most: 9",
	    "flows created: 40", "records ended, idle timeout: 21",
	    "records ended, lack of resources: 22", "octets received: 123456",
	    "octets in flows: 110000", "octets in records: 90000", NULL);
	check_has(JSON, statistics(JSON, NULL, 0), "\"0x88cc\":66",
	    "\"lengthFromFrame\":12", "\"kernelDrops\":13",
	    "\"observedFlowTotalCount\":40", "\"idle\":21", "\"resources\":22",
	    "\"active\":0", NULL);
}
END_TEST

UNIT(protocols_come_busiest_first_in_aligned_columns)
{
	fill_call();
	check_has(TEXT, statistics(TEXT, NULL, 0),
	    "protocol  packets  octets  flows\n"
	    "tcp           800  105000     15\n"
	    "udp            50    5000     25",
	    NULL);
	check_has(JSON, statistics(JSON, NULL, 0),
	    "\"protocols\":[{\"name\":\"tcp\",\"packets\":800,\"octets\":"
	    "105000,\"flows\":15},{\"name\":\"udp\",",
	    NULL);
}
END_TEST

UNIT(text_shows_ten_protocols_and_json_all_of_256)
{
	char *text;
	int found = 0;

	memset(&call, 0, sizeof(call));
	for (int i = 0; i < 256; i++)
		call.stats.track.protocol_packets[i] = 300;
	check_has(
	    TEXT, statistics(TEXT, NULL, 0), "(and 246 more protocols)", NULL);
	text = statistics(JSON, NULL, 0);
	for (const char *s = text; (s = strstr(s, "\"packets\":300")); s++)
		found++;
	ck_assert_int_eq(found, 256);
	free(text);
}
END_TEST

UNIT(times_and_rates_are_of_the_capture_and_of_the_run)
{
	fill_call();
	call.stats.time_ns = call.stats.first_ns + 10 * NS_PER_S;
	check_has(TEXT, statistics(TEXT, NULL, NS_PER_S / 2),
	    "first packet: 2019-03-01 12:34:56.000 UTC",
	    "last packet: 2019-03-01 12:35:06.000 UTC",
	    "capture time: 10.000 s (100.0 packets/s, 12345.6 octets/s)",
	    "elapsed time: 0.500 s (2000.0 packets/s, 246912.0 octets/s)",
	    NULL);
	check_has(JSON, statistics(JSON, NULL, NS_PER_S / 2),
	    "\"firstPacket\":\"2019-03-01T12:34:56.000Z\"",
	    "\"capture\":{\"seconds\":10.000,\"packetsPerSecond\":100.0,",
	    "\"elapsed\":{\"seconds\":0.500,", NULL);
}
END_TEST

UNIT(a_single_instant_has_no_rate)
{
	char *text;

	fill_call();
	call.stats.time_ns = call.stats.first_ns;
	text = statistics(TEXT, NULL, 0);
	ck_assert_ptr_null(strstr(text, "packets/s"));
	free(text);
	text = statistics(JSON, NULL, 0);
	ck_assert_ptr_null(strstr(text, "PerSecond"));
	free(text);
}
END_TEST

UNIT(counters_are_shown_in_all_64_bits)
{
	memset(&call, 0, sizeof(call));
	call.stats.capture.frames = UINT64_MAX;
	call.stats.track.ended_packets = UINT64_MAX;
	check_has(TEXT, statistics(TEXT, NULL, 0),
	    "packets received: 18446744073709551615", "account: balanced",
	    NULL);
	check_has(JSON, statistics(JSON, NULL, 0),
	    "\"packetsReceived\":18446744073709551615", NULL);
}
END_TEST

static void
add_source(const char *name, bool live, bool up, uint64_t frames)
{
	struct meter_source *src = &call.source[call.nsources++];

	*src = (struct meter_source){ .live = live, .up = up };
	snprintf(src->name, sizeof(src->name), "%s", name);
	src->ifindex = 2;
	src->stats.frames = frames;
	src->stats.packets = frames - 1;
	src->stats.discard[DISCARD_ARP] = 1;
}

UNIT(interfaces_show_state_and_counters_in_columns)
{
	memset(&call, 0, sizeof(call));
	add_source("eth0", true, true, 100000);
	add_source("lo", true, false, 5);
	add_source("a.pcap", false, true, 5);
	check_has(TEXT, interfaces(TEXT),
	    "interface  state  ifindex  frames  packets  ignored  "
	    "kernel-drops  interface-drops  reopened\n"
	    "eth0       up           2  100000    99999        1  "
	    "           0                0         0\n"
	    "lo         down         2       5        4        1  "
	    "           0                0         0\n"
	    "a.pcap     file         2       5        4        1  "
	    "           0                0         0",
	    NULL);
	check_has(JSON, interfaces(JSON),
	    "{\"interfaces\":[{\"name\":\"eth0\",\"state\":\"up\","
	    "\"ifindex\":2,\"frames\":100000,\"packets\":99999,\"ignored\":1,"
	    "\"kernelDrops\":0,\"interfaceDrops\":0,\"reopened\":0},",
	    NULL);
}
END_TEST

UNIT(hostile_names_stay_inside_their_json_string)
{
	memset(&call, 0, sizeof(call));
	add_source("a\"],\\\n\x1b[2J\x7f", true, true, 1);
	add_source("gr\xc3\xbc\xc3\x9f"
		   "e",
	    true, true, 1);
	add_source("\xff\xc3|\xed\xa0\x80|\xc0\xaf|\xf5\x80\x80\x80|\xe2\x82",
	    true, true, 1);
	check_has(JSON, interfaces(JSON),
	    "\"a\\\"],\\\\\\u000a\\u001b[2J\\u007f\"",
	    "\"gr\xc3\xbc\xc3\x9f"
	    "e\"",
	    "\"\\ufffd\\ufffd|\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd|"
	    "\\ufffd\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\"",
	    NULL);
}
END_TEST

UNIT(hostile_names_cannot_forge_a_line_or_command_a_terminal)
{
	char *text;

	memset(&call, 0, sizeof(call));
	add_source(
	    "eth0\nignored packets: 0\x1b[2J\xc2\x9b\xff", true, true, 1);
	add_source("gr\xc3\xbcn", true, true, 1);
	text = interfaces(TEXT);
	for (const char *s = text; *s != '\0'; s++)
		ck_assert(*s == '\n' || (unsigned char)*s >= 0x20);
	ck_assert_ptr_null(strstr(text, "\nignored"));
	ck_assert_ptr_null(strstr(text, "\xc2\x9b"));
	ck_assert_ptr_nonnull(
	    strstr(text, "\neth0?ignored packets: 0?[2J???  up "));
	ck_assert_ptr_nonnull(strstr(text, "\ngr\xc3\xbcn  "));
	free(text);
}
END_TEST

UNIT(timeouts_are_lines_of_seconds)
{
	memset(&call, 0, sizeof(call));
	for (int i = 0; i < TIMEOUTS; i++)
		call.stats.timeout_ms[i] = 60000;
	call.stats.timeout_ms[TIMEOUT_TCP_FIN] = 10000;
	call.stats.timeout_ms[TIMEOUT_TCP_RST] = 500;
	call.stats.timeout_ms[TIMEOUT_MAXLIFE] = 0;
	call.stats.timeout_ms[TIMEOUT_EXPINT] = 0;
	check_has(TEXT, timeouts(TEXT), "general: 60 s", "tcp: 60 s",
	    "tcp.fin: 10 s", "tcp.rst: 0.500 s", "udp: 60 s", "icmp: 60 s",
	    "maxlife: never", "expint: 0 s", NULL);
	check_has(JSON, timeouts(JSON),
	    "{\"timeoutMilliseconds\":{\"general\":60000,\"tcp\":60000,"
	    "\"tcp.fin\":10000,\"tcp.rst\":500,\"udp\":60000,\"icmp\":60000,"
	    "\"maxlife\":0,\"expint\":0}}",
	    NULL);
}
END_TEST

UNIT(no_collectors_are_said_in_words_and_as_an_empty_list)
{
	check_has(TEXT, collectors(TEXT, NULL), "no collectors", NULL);
	check_has(JSON, collectors(JSON, NULL), "{\"collectors\":[]}", NULL);
}
END_TEST

/* A UDP socket on the loopback address that nobody reads; its port. */
static int
open_sink(char port[16])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	snprintf(port, 16, "%u", ntohs(sin.sin_port));
	return fd;
}

static struct exporter *
one_collector(const char *port)
{
	struct exporter_config cfg = { .replay = true };
	struct collector_config to = { .address.host = "127.0.0.1",
		.version = 9,
		.mtu = 1400,
		.template_seconds = 60,
		.template_messages = 100,
		.queue_octets = 65536 };
	struct exporter *e = exporter_new(&cfg);

	ck_assert_ptr_nonnull(e);
	snprintf(to.address.port, sizeof(to.address.port), "%s", port);
	ck_assert_int_eq(exporter_add_collector(e, &to), 0);
	return e;
}

UNIT(collectors_show_what_each_was_sent)
{
	struct flow_record r = { .ip_version = 4,
		.protocol = 17,
		.end_reason = FLOW_END_IDLE,
		.ended_ns = 2 * NS_PER_S,
		.fwd = { .packets = 31,
		    .octets = 4100,
		    .start_ns = NS_PER_S,
		    .end_ns = NS_PER_S } };
	char port[16], row[64], json[256];
	int fd = open_sink(port);
	struct exporter *e = one_collector(port);
	struct collector_stats stats;
	const struct transport_stats *sent = &stats.transport;

	exporter_tick(e, NS_PER_S);
	exporter_add(e, &r);
	exporter_flush(e);
	exporter_tick(e, NS_PER_S); /* what waits is sent */
	exporter_stats(e, 0, &stats);
	ck_assert_uint_eq(sent->sent.packets, 31);
	ck_assert_uint_eq(sent->sent.octets, 4100);
	snprintf(row, sizeof(row), "\n127.0.0.1:%s  up     NetFlow v9  ", port);
	snprintf(json, sizeof(json),
	    "{\"name\":\"127.0.0.1:%s\",\"state\":\"up\","
	    "\"format\":\"NetFlow v9\",\"transport\":\"udp\","
	    "\"exportedMessageTotalCount\":%" PRIu64
	    ",\"exportedOctetTotalCount\":%" PRIu64
	    ",\"exportedFlowRecordTotalCount\":1,\"packets\":31,"
	    "\"flowOctets\":4100,\"templates\":%" PRIu64 ",",
	    port, sent->datagrams, sent->octets, stats.templates);
	check_has(JSON, collectors(TEXT, e), row, " flow-octets ", NULL);
	check_has(JSON, collectors(JSON, e), json, NULL);
	fill_call();
	check_has(JSON, statistics(TEXT, e, 0), row, NULL);
	check_has(JSON, statistics(JSON, e, 0), json, NULL);
	exporter_free(e);
	close(fd);
}
END_TEST

UNIT(columns_of_losses_appear_only_with_a_loss)
{
	struct flow_record r = { .ip_version = 6,
		.protocol = 17,
		.ended_ns = 2 * NS_PER_S,
		.fwd = { .packets = 1, .octets = 60 } };
	struct exporter_config cfg = { .replay = true };
	struct collector_config to = { .address.host = "127.0.0.1",
		.version = 5,
		.mtu = 1400,
		.template_seconds = 60,
		.template_messages = 100,
		.queue_octets = 65536 };
	struct exporter *e = exporter_new(&cfg);
	int fd = open_sink(to.address.port);
	char *text;

	ck_assert_ptr_nonnull(e);
	ck_assert_int_eq(exporter_add_collector(e, &to), 0);
	text = collectors(TEXT, e);
	ck_assert_ptr_null(strstr(text, "unfit"));
	ck_assert_ptr_null(strstr(text, "lost"));
	free(text);
	exporter_add(e, &r);
	text = collectors(TEXT, e);
	ck_assert_ptr_null(strstr(text, "lost"));
	check_has(JSON, text, "unfit  unfit-packets  unfit-octets\n",
	    "    1              1            60\n", NULL);
	check_has(JSON, collectors(JSON, e), "\"unfitRecords\":1,", NULL);
	exporter_free(e);
	close(fd);
}
END_TEST

UNIT_MAIN("report", statistics_show_both_sides_of_the_account,
    own_sessions_are_left_out_of_records_and_stand_in_the_account,
    an_account_that_does_not_add_up_says_by_how_much,
    packets_missing_from_an_empty_cache_are_off,
    statistics_of_nothing_are_balanced,
    every_discard_reason_reaches_its_own_line_and_the_sum,
    text_leaves_out_reasons_that_are_zero_and_json_has_all,
    statistics_show_ethertypes_notes_drops_flows_and_reasons,
    protocols_come_busiest_first_in_aligned_columns,
    text_shows_ten_protocols_and_json_all_of_256,
    times_and_rates_are_of_the_capture_and_of_the_run,
    a_single_instant_has_no_rate, counters_are_shown_in_all_64_bits,
    interfaces_show_state_and_counters_in_columns,
    hostile_names_stay_inside_their_json_string,
    hostile_names_cannot_forge_a_line_or_command_a_terminal,
    timeouts_are_lines_of_seconds,
    no_collectors_are_said_in_words_and_as_an_empty_list,
    collectors_show_what_each_was_sent,
    columns_of_losses_appear_only_with_a_loss)
