/* SPDX-License-Identifier: ISC */
/*
 * test_metrics.c - counters as metrics: what is said about each in either
 * format, that no name can break out of a label, and all 64 bits.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "exporter.h"
#include "metrics.h"
#include "probe.h"
#include "unit.h"

static struct probe probe;
static struct meter_call call;

static char *
page(enum metrics_format format)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(out);
	metrics_write(out, format, &probe, &call);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

/* Whether the text has all these lines, one after the other. */
static void
check_lines(enum metrics_format format, const char *lines)
{
	char *text = page(format), *at = strstr(text, lines);

	ck_assert_msg(at != NULL && (at == text || at[-1] == '\n'),
	    "no\n%s\nin\n%s", lines, text);
	free(text);
}

static void
start(void)
{
	memset(&probe, 0, sizeof(probe));
	memset(&call, 0, sizeof(call));
	probe.config.track.max_flows = 1000;
}

static void
add_interface(const char *name)
{
	struct meter_source *s = &call.source[call.nsources++];

	*s = (struct meter_source){ .live = true, .up = true };
	snprintf(s->name, sizeof(s->name), "%s", name);
}

UNIT(openmetrics_has_total_in_samples_alone)
{
	start();
	call.stats.capture.frames = 7;
	check_lines(METRICS_OPENMETRICS,
	    "# HELP softprobe_received_packets Packets that the capture "
	    "handed over.\n"
	    "# TYPE softprobe_received_packets counter\n"
	    "# UNIT softprobe_received_packets packets\n"
	    "softprobe_received_packets_total 7\n");
	check_lines(METRICS_OPENMETRICS,
	    "# TYPE softprobe_build info\n"
	    "softprobe_build_info{version=\"" VERSION "\"} 1\n");
}
END_TEST

UNIT(prometheus_has_total_in_what_is_said_too)
{
	start();
	call.stats.capture.frames = 7;
	check_lines(METRICS_PROMETHEUS,
	    "# TYPE softprobe_received_packets_total counter\n"
	    "# UNIT softprobe_received_packets_total packets\n"
	    "softprobe_received_packets_total 7\n");
	check_lines(METRICS_PROMETHEUS,
	    "# TYPE softprobe_build_info gauge\n"
	    "softprobe_build_info{version=\"" VERSION "\"} 1\n");
}
END_TEST

UNIT(a_page_ends_with_its_end)
{
	char *text;

	start();
	for (int f = METRICS_OPENMETRICS; f <= METRICS_PROMETHEUS; f++) {
		text = page((enum metrics_format)f);
		ck_assert_str_eq(text + strlen(text) - 7, "\n# EOF\n");
		ck_assert_ptr_eq(
		    strstr(text, "# EOF"), text + strlen(text) - 6);
		free(text);
	}
}
END_TEST

UNIT(counters_have_all_64_bits)
{
	start();
	call.stats.capture.frames = UINT64_MAX;
	call.stats.track.ended_packets = UINT64_MAX;
	check_lines(METRICS_OPENMETRICS,
	    "softprobe_received_packets_total 18446744073709551615\n");
	check_lines(METRICS_OPENMETRICS, "softprobe_unaccounted_packets 0\n");
}
END_TEST

UNIT(an_account_that_is_off_is_told_with_its_sign)
{
	start();
	call.stats.track.ended_packets = 2;
	check_lines(METRICS_OPENMETRICS, "softprobe_unaccounted_packets -2\n");
}
END_TEST

UNIT(times_have_nanoseconds_and_are_left_out_before_the_first_packet)
{
	char *text;

	start();
	text = page(METRICS_OPENMETRICS);
	ck_assert_ptr_null(strstr(text, "\nsoftprobe_first_packet_seconds "));
	free(text);
	call.stats.first_ns = UINT64_C(1551443696000000005);
	check_lines(METRICS_OPENMETRICS,
	    "softprobe_first_packet_seconds 1551443696.000000005\n");
}
END_TEST

UNIT(no_name_breaks_out_of_its_label)
{
	start();
	add_interface("a\"} 1\n\\b\x1b[2J");
	check_lines(METRICS_OPENMETRICS,
	    "softprobe_interface_up{interface=\"a\\\"} 1?\\\\b?[2J\"} 1\n");
	call.nsources = 0;
	add_interface("gr\xc3\xbc\xc3\x9f\xff");
	check_lines(METRICS_OPENMETRICS,
	    "softprobe_interface_up{interface=\"gr\xc3\xbc\xc3\x9f?\"} 1\n");
}
END_TEST

UNIT(files_are_no_interfaces)
{
	char *text;

	start();
	add_interface("a.pcap");
	call.source[0].live = false;
	add_interface("eth0");
	text = page(METRICS_OPENMETRICS);
	ck_assert_ptr_null(strstr(text, "a.pcap"));
	ck_assert_ptr_nonnull(strstr(text, "interface=\"eth0\""));
	free(text);
}
END_TEST

UNIT(collectors_of_one_address_have_different_numbers)
{
	struct exporter_config config = { .process_id = 1 };
	struct collector_config to = endpoint_defaults;

	start();
	strlcpy(to.address.host, "127.0.0.1", sizeof(to.address.host));
	strlcpy(to.address.port, "9", sizeof(to.address.port));
	probe.exporter = exporter_new(&config);
	ck_assert_ptr_nonnull(probe.exporter);
	ck_assert_int_eq(exporter_add_collector(probe.exporter, &to), 0);
	ck_assert_int_eq(exporter_add_collector(probe.exporter, &to), 0);
	probe.config.collector = calloc(2, sizeof(to));
	ck_assert_ptr_nonnull(probe.config.collector);
	probe.config.collector[1].queue_octets = 4711;
	check_lines(METRICS_OPENMETRICS,
	    "softprobe_collector_queue_limit_octets{collector=\"127.0.0.1:9\","
	    "number=\"1\"} 0\n"
	    "softprobe_collector_queue_limit_octets{collector=\"127.0.0.1:9\","
	    "number=\"2\"} 4711\n");
	free(probe.config.collector);
	exporter_free(probe.exporter);
}
END_TEST

UNIT(openmetrics_is_for_those_who_accept_it)
{
	ck_assert_int_eq(metrics_accepted(NULL), METRICS_PROMETHEUS);
	ck_assert_int_eq(metrics_accepted("*/*"), METRICS_PROMETHEUS);
	ck_assert_int_eq(metrics_accepted("text/plain;version=0.0.4;q=1,*/*"),
	    METRICS_PROMETHEUS);
	ck_assert_int_eq(
	    metrics_accepted("application/openmetrics-text;version=1.0.0,"
			     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
	    METRICS_OPENMETRICS);
}
END_TEST

UNIT_MAIN("metrics", openmetrics_has_total_in_samples_alone,
    prometheus_has_total_in_what_is_said_too, a_page_ends_with_its_end,
    counters_have_all_64_bits, an_account_that_is_off_is_told_with_its_sign,
    times_have_nanoseconds_and_are_left_out_before_the_first_packet,
    no_name_breaks_out_of_its_label, files_are_no_interfaces,
    collectors_of_one_address_have_different_numbers,
    openmetrics_is_for_those_who_accept_it)
