/* SPDX-License-Identifier: ISC */
/*
 * test_config.c - every option, every refusal, every default.
 *
 * Command lines are written as one string and cut at blanks; ~ stands for a
 * blank inside a word and '' for an empty word.
 */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "conffile.h"
#include "config.h"
#include "message.h"
#include "unit.h"

#define WORDS_MAX 256

static struct config cfg;
static char err[CONFIG_ERROR_LEN];
static char words_buf[8192];
static char *words[WORDS_MAX + 2];

/* Cut a command line, with the program's name before it.  Returns argc. */
static int
cut(const char *line)
{
	int argc = 0;

	ck_assert(strlen(line) < sizeof(words_buf));
	(void)strlcpy(words_buf, line, sizeof(words_buf));
	words[argc++] = words_buf + strlen(words_buf); /* "" is as good */
	for (char *at = strtok(words_buf, " "); at != NULL;
	     at = strtok(NULL, " ")) {
		ck_assert(argc < WORDS_MAX);
		for (char *c = at; *c != '\0'; c++)
			if (*c == '~')
				*c = ' ';
		if (strcmp(at, "''") == 0)
			*at = '\0';
		words[argc++] = at;
	}
	words[argc] = NULL;
	return argc;
}

static enum config_result
parse(const char *line)
{
	int argc = cut(line);

	config_free(&cfg);
	return config_parse(&cfg, NULL, argc, words, err);
}

/* Parse what must be accepted. */
static void
accept_line(const char *line)
{
	ck_assert_msg(parse(line) == CONFIG_RUN, "%s: %s", line, err);
	ck_assert_str_eq(err, "");
}

/* Parse what must be refused, in one line that holds `why`. */
static void
refuse_line(const char *line, const char *why)
{
	ck_assert_msg(parse(line) == CONFIG_BAD, "%s: accepted", line);
	ck_assert_msg(strstr(err, why) != NULL, "%s: \"%s\" lacks \"%s\"", line,
	    err, why);
	ck_assert_ptr_null(strchr(err, '\n'));
	ck_assert_uint_lt(strlen(err), CONFIG_ERROR_LEN - 1);
	ck_assert_ptr_null(cfg.filter_text);
}

struct refusal {
	const char *line, *why;
};

#define REFUSE_ALL(table)                                                      \
	for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++)        \
	refuse_line((table)[i].line, (table)[i].why)

/* Run the parser with standard output in buf. */
static enum config_result
parse_output(const char *line, char *buf, size_t len)
{
	FILE *out = tmpfile();
	int saved = dup(STDOUT_FILENO);
	enum config_result result;
	size_t n;

	ck_assert(out != NULL && saved >= 0);
	(void)fflush(stdout);
	ck_assert_int_ge(dup2(fileno(out), STDOUT_FILENO), 0);
	result = parse(line);
	(void)fflush(stdout);
	ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
	(void)close(saved);
	rewind(out);
	n = fread(buf, 1, len - 1, out);
	buf[n] = '\0';
	(void)fclose(out);
	return result;
}

/* Defaults. */

UNIT(defaults_are_those_of_the_manual)
{
	accept_line("-i eth0 -n 192.0.2.1:2055");
	ck_assert_uint_eq(cfg.nsources, 1);
	ck_assert(!cfg.replay && !cfg.wait && !cfg.json && !cfg.quiet);
	ck_assert(!cfg.debug && !cfg.foreground && !cfg.rate_given);
	ck_assert(cfg.capture.promiscuous);
	ck_assert_ptr_null(cfg.capture.filter);
	ck_assert_uint_eq(cfg.capture.buffer_octets, 2097152);
	ck_assert_uint_eq(cfg.capture.snaplen, 128);
	ck_assert_uint_eq(cfg.track.max_flows, 8192);
	ck_assert_int_eq(cfg.track.key, KEY_FULL);
	ck_assert(cfg.track.octets_max == UINT64_MAX);
	ck_assert_uint_eq(cfg.defaults.version, 10);
	ck_assert_uint_eq(cfg.defaults.mtu, 1400);
	ck_assert_uint_eq(cfg.defaults.domain, 0);
	ck_assert_uint_eq(cfg.defaults.template_seconds, 60);
	ck_assert_uint_eq(cfg.defaults.template_messages, 4096);
	ck_assert_uint_eq(cfg.exporter.rate, 2000);
	ck_assert_int_eq(cfg.defaults.hop_limit, 0);
	ck_assert(!cfg.exporter.replay);
	ck_assert_ptr_null(cfg.exporter.wake);
}
END_TEST

UNIT(default_timeouts_are_those_of_the_manual)
{
	static const uint32_t seconds[TIMEOUTS] = { [TIMEOUT_GENERAL] = 60,
		[TIMEOUT_TCP] = 60,
		[TIMEOUT_TCP_FIN] = 10,
		[TIMEOUT_TCP_RST] = 10,
		[TIMEOUT_UDP] = 60,
		[TIMEOUT_ICMP] = 60,
		[TIMEOUT_MAXLIFE] = 300,
		[TIMEOUT_EXPINT] = 1 };

	accept_line("-i eth0");
	for (int t = 0; t < TIMEOUTS; t++)
		ck_assert(cfg.track.timeout_ms[t] == seconds[t] * 1000);
}
END_TEST

UNIT(daemon_has_a_pidfile_and_a_control_socket)
{
	accept_line("-i eth0 -n 192.0.2.1:2055");
	ck_assert(!cfg.foreground);
	ck_assert_str_eq(cfg.pidfile, RUNSTATEDIR "/softprobe/softprobe.pid");
	ck_assert_str_eq(
	    cfg.control_path, RUNSTATEDIR "/softprobe/softprobe.ctl");
	accept_line("-i eth0 -n 192.0.2.1:2055 -p none -c none");
	ck_assert_ptr_null(cfg.pidfile);
	ck_assert_ptr_null(cfg.control_path);
}
END_TEST

UNIT(foreground_has_a_control_socket_but_no_pidfile)
{
	accept_line("-d -i eth0 -n 192.0.2.1:2055");
	ck_assert(cfg.foreground);
	ck_assert_ptr_null(cfg.pidfile);
	ck_assert_ptr_nonnull(cfg.control_path);
	accept_line("-d -i eth0 -n 192.0.2.1:2055 -p /x/y.pid");
	ck_assert_str_eq(cfg.pidfile, "/x/y.pid");
}
END_TEST

UNIT(text_on_standard_output_keeps_the_program_in_the_foreground)
{
	accept_line("-i eth0");
	ck_assert(cfg.foreground);
	ck_assert_ptr_null(cfg.pidfile);
	ck_assert_ptr_null(cfg.control_path);
	accept_line("-i eth0 -c /x/y.ctl");
	ck_assert_str_eq(cfg.control_path, "/x/y.ctl");
}
END_TEST

UNIT(replay_stays_in_the_foreground_without_a_control_socket)
{
	accept_line("-r a.pcap -n 192.0.2.1:2055");
	ck_assert(cfg.foreground && cfg.replay && cfg.exporter.replay);
	ck_assert_ptr_null(cfg.pidfile);
	ck_assert_ptr_null(cfg.control_path);
	accept_line("-r a.pcap -n 192.0.2.1:2055 -c /x/y.ctl");
	ck_assert_str_eq(cfg.control_path, "/x/y.ctl");
}
END_TEST

UNIT(one_parse_leaves_nothing_behind_for_the_next)
{
	accept_line("-i eth0 -i eth1 -m 5 -N --wait -T ip -n h:1 not port 22");
	ck_assert_uint_eq(cfg.nsources, 2);
	refuse_line("-dNZ -i eth0", "-Z: no such option");
	accept_line("-r x");
	ck_assert_uint_eq(cfg.nsources, 1);
	ck_assert_uint_eq(cfg.ncollectors, 0);
	ck_assert_uint_eq(cfg.track.max_flows, 8192);
	ck_assert(cfg.capture.promiscuous && !cfg.wait);
	ck_assert_int_eq(cfg.track.key, KEY_FULL);
	ck_assert_ptr_null(cfg.capture.filter);
}
END_TEST

UNIT(parsing_opens_and_creates_nothing)
{
	char dir[] = "/tmp/test_config.XXXXXX", line[512];
	int before = dup(STDIN_FILENO), after;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)close(before);
	(void)snprintf(line, sizeof(line),
	    "-i eth0 -n localhost:2055 -p %s/pid -c %s/ctl -w", dir, dir);
	refuse_line(line, "-w: no such option");
	line[strlen(line) - 3] = '\0';
	accept_line(line);
	after = dup(STDIN_FILENO);
	(void)close(after);
	ck_assert_int_eq(before, after);
	ck_assert_int_eq(rmdir(dir), 0); /* it is empty */
}
END_TEST

/* Sources. */

UNIT(interfaces_are_taken_in_order_with_their_index)
{
	accept_line("-i eth0 -i 7:eth1 --interface 4294967295:any "
		    "--interface=nflog:5 -i 12");
	ck_assert_uint_eq(cfg.nsources, 5);
	ck_assert_str_eq(cfg.source[0].name, "eth0");
	ck_assert_uint_eq(cfg.source[0].ifindex, 0);
	ck_assert_str_eq(cfg.source[1].name, "eth1");
	ck_assert_uint_eq(cfg.source[1].ifindex, 7);
	ck_assert_str_eq(cfg.source[2].name, "any");
	ck_assert_uint_eq(cfg.source[2].ifindex, UINT32_MAX);
	ck_assert_str_eq(cfg.source[3].name, "nflog:5");
	ck_assert_str_eq(cfg.source[4].name, "12");
	ck_assert(!cfg.replay);
}
END_TEST

UNIT(files_are_taken_in_order_even_twice)
{
	accept_line("-r b.pcap -r a.pcap --read - -r b.pcap");
	ck_assert_uint_eq(cfg.nsources, 4);
	ck_assert_str_eq(cfg.source[0].name, "b.pcap");
	ck_assert_str_eq(cfg.source[1].name, "a.pcap");
	ck_assert_str_eq(cfg.source[2].name, "-");
	ck_assert_str_eq(cfg.source[3].name, "b.pcap");
	ck_assert(cfg.replay);
}
END_TEST

UNIT(bad_sources_are_refused)
{
	static const struct refusal table[] = {
		{ "", "give -i INTERFACE or -r FILE" },
		{ "-n h:1", "give -i INTERFACE or -r FILE" },
		{ "port 53", "give -i INTERFACE or -r FILE" },
		{ "-i eth0 -r a.pcap", "-r a.pcap: -i and -r cannot be mixed" },
		{ "-r a.pcap -i eth0", "-i eth0: -i and -r cannot be mixed" },
		{ "-i eth0 -i 3:eth0", "-i 3:eth0: given twice" },
		{ "-r - -r -", "-r -: given twice" },
		{ "-i ''", "give [IFINDEX:]NAME" },
		{ "-i 3:", "give [IFINDEX:]NAME" },
		{ "-i 4294967296:eth0", "from 0 to 4294967295" },
		{ "-i 99999999999999999999:eth0", "from 0 to 4294967295" },
		{ "--interface 0123456789012345678901234567890123456789012345"
		  "678901234567890123",
		    "a name of 1 to 63 octets" },
		{ "-r ''", "give the path of a file" },
		{ "-i", "-i: needs a value: [IFINDEX:]NAME" },
		{ "--read", "--read: needs a value: FILE" },
	};

	REFUSE_ALL(table);
}
END_TEST

UNIT(more_sources_than_fit_are_refused)
{
	char line[1024] = "";

	for (int i = 0; i < CONFIG_SOURCES_MAX; i++)
		(void)snprintf(line + strlen(line), sizeof(line) - strlen(line),
		    "-i e%d ", i);
	accept_line(line);
	ck_assert_uint_eq(cfg.nsources, CONFIG_SOURCES_MAX);
	(void)strlcat(line, "-i x", sizeof(line));
	refuse_line(line, "-i x: at most 64 of them");
}
END_TEST

UNIT(the_rest_of_the_command_line_is_the_filter)
{
	accept_line("-i eth0 not port 22 -n and tcp");
	ck_assert_str_eq(cfg.capture.filter, "not port 22 -n and tcp");
	ck_assert_uint_eq(cfg.ncollectors, 0);
	accept_line("-i eth0 -- tcp~or~udp");
	ck_assert_str_eq(cfg.capture.filter, "tcp or udp");
}
END_TEST

UNIT(the_filter_may_be_an_option)
{
	accept_line("--filter udp~port~53 -r x");
	ck_assert_str_eq(cfg.capture.filter, "udp port 53");
	ck_assert_ptr_eq(cfg.capture.filter, cfg.filter_text);
	config_free(&cfg);
	config_free(&cfg);
	ck_assert_ptr_null(cfg.filter_text);
	refuse_line("-r x --filter tcp udp", "udp: a filter was given");
	refuse_line(
	    "-r x --filter tcp --filter udp", "--filter udp: given twice");
}
END_TEST

UNIT(a_blank_filter_is_no_filter)
{
	accept_line("-i eth0 ''");
	ck_assert_ptr_null(cfg.capture.filter);
	accept_line("-i eth0 --filter ~~");
	ck_assert_ptr_null(cfg.capture.filter);
}
END_TEST

UNIT(capture_options_are_taken)
{
	accept_line("-i eth0 -N -B 65536 -C 96 --wait");
	ck_assert(!cfg.capture.promiscuous && cfg.wait);
	ck_assert_uint_eq(cfg.capture.buffer_octets, 65536);
	ck_assert_uint_eq(cfg.capture.snaplen, 96);
	accept_line("-i eth0 --no-promiscuous --buffer 64k --snaplen 262144");
	ck_assert_uint_eq(cfg.capture.buffer_octets, 65536);
	ck_assert_uint_eq(cfg.capture.snaplen, 262144);
	accept_line("-i eth0 -B 1024M -C 64");
	ck_assert_uint_eq(cfg.capture.buffer_octets, 1 << 30);
	ck_assert_uint_eq(cfg.capture.snaplen, 64);
}
END_TEST

UNIT(bad_capture_options_are_refused)
{
	static const struct refusal table[] = {
		{ "-B 0", "-B 0: give 4096 to 1073741824 octets" },
		{ "-B 4095", "give 4096 to" },
		{ "-B 1025M", "give 4096 to" },
		{ "-B 18446744073709551615M", "give 4096 to" },
		{ "-B 4m", "give 4096 to" },
		{ "-B 4Mx", "give 4096 to" },
		{ "-B M", "give 4096 to" },
		{ "-B -4096", "give 4096 to" },
		{ "-B ''", "give 4096 to" },
		{ "-C 63", "-C 63: give a number from 64 to 262144" },
		{ "-C 262145", "from 64 to 262144" },
		{ "-C ~96", "from 64 to 262144" },
		{ "-C +96", "from 64 to 262144" },
		{ "-C 96~", "from 64 to 262144" },
		{ "-C 0x60", "from 64 to 262144" },
		{ "-C 18446744073709551712", "from 64 to 262144" },
		{ "--snaplen ''", "--snaplen : give a number" },
	};

	REFUSE_ALL(table);
}
END_TEST

/* Flows. */

UNIT(flow_key_levels_are_softflowd_s_and_tos)
{
	static const struct {
		const char *line;
		enum flow_key_level key;
	} table[] = { { "-r x -T ip", KEY_IP }, { "-r x -T proto", KEY_PROTO },
		{ "-r x -T full", KEY_FULL }, { "-r x -T port", KEY_FULL },
		{ "-r x -T tos", KEY_TOS }, { "-r x -T vlan", KEY_VLAN },
		{ "-r x -T ether", KEY_ETHER },
		{ "-r x --flow-key=ip", KEY_IP } };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		accept_line(table[i].line);
		ck_assert_int_eq(cfg.track.key, table[i].key);
	}
	refuse_line("-T ports", "-T ports: \"ports\" is not known; give ip, "
				"proto, full, tos, vlan, ether or port");
	refuse_line("-T ''", "is not known");
}
END_TEST

UNIT(each_timeout_is_set_by_its_name)
{
	char line[64];

	for (int t = 0; t < TIMEOUTS; t++) {
		(void)snprintf(line, sizeof(line), "-r x -t %s=77s",
		    flow_timeout_name((enum flow_timeout)t));
		accept_line(line);
		for (int u = 0; u < TIMEOUTS; u++)
			ck_assert(
			    (cfg.track.timeout_ms[u] == 77000) == (u == t));
	}
}
END_TEST

UNIT(idle_and_active_are_aliases)
{
	accept_line("-r x -t idle=15 --timeout active=1m30s");
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_GENERAL], 15000);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_TCP], 15000);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_UDP], 15000);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_ICMP], 15000);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_TCP_FIN], 10000);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_TCP_RST], 10000);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_EXPINT], 1000);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_MAXLIFE], 90000);
}
END_TEST

UNIT(max_flows_may_be_given_as_a_timeout)
{
	accept_line("-r x -t maxflows=65536");
	ck_assert_uint_eq(cfg.track.max_flows, 65536);
	accept_line("-r x -m 1");
	ck_assert_uint_eq(cfg.track.max_flows, 1);
	accept_line("-r x --max-flows 67108863");
	ck_assert_uint_eq(cfg.track.max_flows, FLOWTRACK_MAX_FLOWS);
	refuse_line("-t maxflows=0", "-t maxflows=0: give a number from 1 to");
	refuse_line("-t maxflows=1k", "give a number from 1 to 67108863");
	refuse_line("-m 0", "-m 0: give a number from 1 to 67108863");
	refuse_line("-m 67108864", "from 1 to 67108863");
	refuse_line("-m -1", "from 1 to 67108863");
}
END_TEST

UNIT(maxlife_and_expint_may_be_zero_and_idle_timeouts_may_not)
{
	accept_line("-r x -t maxlife=0 -t expint=0 -t udp=1ms");
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_MAXLIFE], 0);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_EXPINT], 0);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_UDP], 1);
	refuse_line("-t udp=0", "-t udp=0: an idle timeout cannot be 0");
	refuse_line("-t tcp.fin=0s", "cannot be 0");
	refuse_line("-t idle=0", "cannot be 0");
}
END_TEST

UNIT(bad_timeouts_are_refused)
{
	static const struct refusal table[] = {
		{ "-t udp=1x",
		    "-t udp=1x: \"1x\" is not a time; give a number with ms, "
		    "s, m, h, d or w, such as 1m30s" },
		{ "-t udp=", "\"\" is not a time" },
		{ "-t udp=-1", "\"-1\" is not a time" },
		{ "-t udp==1", "\"=1\" is not a time" },
		{ "-t udp", "\"udp\" is not a timeout; give NAME=TIME" },
		{ "-t ''", "is not a timeout" },
		{ "-t =5", "is not a timeout" },
		{ "-t Udp=5", "is not a timeout" },
		{ "-t icmp6=5",
		    "general, tcp, tcp.fin, tcp.rst, udp, icmp, maxlife, "
		    "expint, idle or active" },
		{ "-t averyveryverylongname=5", "\"averyveryverylongname\"" },
		{ "--timeout x=1", "--timeout x=1: \"x\" is not a timeout" },
	};

	REFUSE_ALL(table);
}
END_TEST

UNIT(config_timeout_tells_which_timeouts_it_sets)
{
	uint32_t which = 0, ms = 0;

	ck_assert_int_eq(config_timeout("tcp.rst=2h", &which, &ms, err), 0);
	ck_assert_uint_eq(which, 1U << TIMEOUT_TCP_RST);
	ck_assert_uint_eq(ms, 7200000);
	ck_assert_int_eq(config_timeout("idle=3", &which, &ms, err), 0);
	ck_assert_uint_eq(which, 1U << TIMEOUT_GENERAL | 1U << TIMEOUT_TCP |
				     1U << TIMEOUT_UDP | 1U << TIMEOUT_ICMP);
	ck_assert_int_eq(config_timeout("maxflows=3", &which, &ms, err), -1);
	ck_assert_int_eq(config_timeout("a\nb=3", &which, &ms, err), -1);
	ck_assert_ptr_null(strchr(err, '\n'));
	ck_assert_int_eq(config_timeout("udp=a\nb", &which, &ms, err), -1);
	ck_assert_ptr_null(strchr(err, '\n'));
}
END_TEST

/* Export. */

UNIT(collectors_are_taken_in_softflowd_s_and_in_url_form)
{
	static const struct collector_address expected[] = { { "192.168.1.100",
								 "2055" },
		{ "127.0.0.1", "4432" }, { "::1", "4433" },
		{ "fe80::1%eth0", "65535" }, { "flows.example.net", "netflow" },
		{ "10.0.0.1", "1" }, { "2001:db8::2", "4739" },
		{ "192.0.2.3", "9995" }, { "udp", "7" }, { "host", "8" } };

	accept_line("-i eth0 -n 192.168.1.100:2055 -n 127.0.0.1:4432,[::1]:4433"
		    ",[fe80::1%eth0]:65535 --collector "
		    "flows.example.net:netflow,udp://10.0.0.1:1 -n "
		    "udp://[2001:db8::2]:4739,[192.0.2.3]:9995,udp:7,[host]:8");
	ck_assert_uint_eq(
	    cfg.ncollectors, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < cfg.ncollectors; i++) {
		ck_assert_str_eq(
		    cfg.collector[i].address.host, expected[i].host);
		ck_assert_str_eq(
		    cfg.collector[i].address.port, expected[i].port);
	}
}
END_TEST

UNIT(a_collector_s_own_keys_win_over_options_wherever_those_stand)
{
	accept_line("-r x --mtu 700 -n udp://a?version=9,b:1 -n "
		    "udp://c?mtu=800&domain=3 -v 5 --domain 9");
	ck_assert_uint_eq(cfg.ncollectors, 3);
	ck_assert_uint_eq(cfg.collector[0].version, 9);
	ck_assert_uint_eq(cfg.collector[0].options, EXPORT_ALL);
	ck_assert_uint_eq(cfg.collector[1].version, 5);
	ck_assert_uint_eq(cfg.collector[1].options, 0);
	ck_assert_uint_eq(cfg.collector[1].mtu, 700);
	ck_assert_uint_eq(cfg.collector[1].domain, 9);
	ck_assert_uint_eq(cfg.collector[2].mtu, 800);
	ck_assert_uint_eq(cfg.collector[2].domain, 3);
	ck_assert(cfg.track.octets_max == UINT32_MAX);
	/* What one cannot express is refused whatever the others can. */
	refuse_line("-r x -b -n a:1,udp://b?version=9", "-b: biflow needs");
	refuse_line("-r x -n a:1?domain=65536,udp://b?version=5&domain=65536",
	    "--domain 65536: NetFlow v5 has none above 65535");
	accept_line("-r x -b -v 9 -n udp://b?version=10");
}
END_TEST

UNIT(malformed_collectors_are_refused)
{
	static const char *const table[] = { "''", ",", "h:1,", ",h:1", "h",
		":", "h:", ":1", "h:0", "h:65536", "h:99999999999999999999",
		"h:-1", "h:+1", "h:--", "-h:1", "h:a+b", "h:1~", "~h:1", "h:1/",
		"h/x:1", "u@h:1", "h:n~s", "::1:2055", "2001:db8::1:2055",
		"[::1]", "[::1", "[::1]2055", "[::1]:", "[]:1", "[:::1]:1",
		"[::g]:1", "[::1%]:1", "[::1%a/b]:1", "[1.2.3.4:5]:6",
		"999.1.1.1:1", "1.2.3:1", "1.2.3.4.5:1", "udp://",
		"udp://h:", "udp:///h:1", "udp://h:1,h2",
		"h:0123456789012345678901234567890x" };
	char line[128];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		(void)snprintf(line, sizeof(line), "-i eth0 -n %s", table[i]);
		refuse_line(line, "is not a collector; give HOST:PORT or "
				  "[IPV6]:PORT");
		ck_assert_int_eq(strncmp(err, "-n ", 3), 0);
	}
	refuse_line("-n h:1,b", "-n h:1,b: \"b\" is not a collector");
}
END_TEST

UNIT(transports_are_taken_for_all_and_for_one)
{
	static const struct refusal table[] = {
		{ "-r x -n tcp://h --tls-cert a",
		    "--tls-cert: give --tls-cert and --tls-key together" },
		{ "-r x -n h:1 -e 192.0.2", "-e 192.0.2: give an IPv4 or" },
		{ "-r x -n h:1 -S a-name-that-is-too-long", "-S a-name-that" },
		{ "-r x -n h:1 --dscp 64", "--dscp 64: give a number from 0" },
		{ "-r x -n h:1 --queue 5", "--queue 5: give 65536 to " },
		{ "-r x -n h:1 --lookup 0", "--lookup 0: give a time from 1" },
		{ "-r x -n h:1 --reconnect x", "--reconnect x: give a time" },
	};

	accept_line("-r x -P tcp -n a:1,udp://b:2,c:3 -e 192.0.2.1 -S eth0 "
		    "--dscp 10 --queue 2M --lookup 1m --reconnect 5 "
		    "-n tcp://d");
	ck_assert_int_eq(cfg.collector[0].kind, COLLECTOR_TCP);
	ck_assert_int_eq(cfg.collector[1].kind, COLLECTOR_UDP);
	ck_assert_int_eq(cfg.collector[2].kind, COLLECTOR_TCP);
	ck_assert_str_eq(cfg.collector[3].address.port, "4739");
	ck_assert_str_eq(cfg.collector[0].source, "192.0.2.1");
	ck_assert_str_eq(cfg.collector[0].device, "eth0");
	ck_assert_uint_eq(cfg.collector[0].dscp, 10);
	ck_assert_uint_eq(cfg.collector[0].queue_octets, 2097152);
	ck_assert_uint_eq(cfg.collector[0].lookup_ms, 60000);
	ck_assert_uint_eq(cfg.collector[0].reconnect_ms, 5000);
	REFUSE_ALL(table);
}
END_TEST

UNIT(tls_is_taken_or_refused_since_it_is_not_built_in)
{
	if (transport_unsupported(COLLECTOR_TLS) != NULL) {
		refuse_line("-r x -n tls://h",
		    "-n tls://: softprobe was built without OpenSSL; use tcp "
		    "or udp");
		return;
	}
	refuse_line("-r x -n tls://h?key=a",
	    "--tls-key: give --tls-cert and --tls-key together");
	accept_line("-r x -n tls://h,dtls://h --tls-ca a --tls-cert b "
		    "--tls-key c --tls-name d");
	ck_assert_str_eq(cfg.collector[0].address.port, "4740");
	ck_assert_str_eq(cfg.collector[1].address.port, "4740");
	ck_assert_str_eq(cfg.collector[1].tls_ca, "a");
	ck_assert_str_eq(cfg.collector[1].tls_name, "d");
}
END_TEST

UNIT(unknown_schemes_are_refused_by_name)
{
	static const struct refusal table[] = {
		{ "-n http://h:1", "\"http\" is not known; give udp" },
		{ "-n ://h:1", "\"\" is not known; give udp" },
	};

	REFUSE_ALL(table);
}
END_TEST

UNIT(more_collectors_than_fit_are_refused)
{
	char line[4096] = "-i eth0 -n h:1";

	for (int i = 1; i < CONFIG_COLLECTORS_MAX; i++)
		(void)strlcat(line, ",h:1", sizeof(line));
	accept_line(line);
	ck_assert_uint_eq(cfg.ncollectors, CONFIG_COLLECTORS_MAX);
	(void)strlcat(line, " -n h:2", sizeof(line));
	refuse_line(line, "-n h:2: at most 512 collectors");
}
END_TEST

UNIT(a_host_name_fits_or_is_refused)
{
	char line[512] = "-i eth0 -n ";
	size_t at = strlen(line);

	memset(line + at, 'a', 255);
	(void)strlcpy(line + at + 255, ":1", 3);
	accept_line(line);
	ck_assert_uint_eq(strlen(cfg.collector[0].address.host), 255);
	memset(line + at, 'a', 256);
	(void)strlcpy(line + at + 256, ":1", 3);
	refuse_line(line, "is not a collector");
	memset(line + at, 'a', 450);
	(void)strlcpy(line + at + 450, ":1", 3);
	refuse_line(line, "...: \"aaaa");
}
END_TEST

UNIT(export_versions_are_taken)
{
	static const struct {
		const char *line;
		unsigned version;
	} table[] = { { "-r x -v 1", 1 }, { "-r x -v 5", 5 },
		{ "-r x -v 9", 9 }, { "-r x -v 10", 10 },
		{ "-r x -v ipfix", 10 }, { "-r x --export-version=9", 9 },
		{ "-r x -v 5 -v 9", 9 } };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		accept_line(table[i].line);
		ck_assert_uint_eq(cfg.defaults.version, table[i].version);
		ck_assert(cfg.track.octets_max ==
			  (table[i].version <= 5 ? UINT32_MAX : UINT64_MAX));
	}
}
END_TEST

UNIT(export_numbers_are_taken)
{
	accept_line("-i a -n h:1 -P udp -L 64 --mtu 256 --domain 4294967295 "
		    "--export-rate 0 --template-refresh 30,20 -A milli");
	ck_assert_int_eq(cfg.defaults.hop_limit, 64);
	ck_assert_uint_eq(cfg.defaults.mtu, MESSAGE_MIN);
	ck_assert_uint_eq(cfg.defaults.domain, UINT32_MAX);
	ck_assert_uint_eq(cfg.exporter.rate, 0);
	ck_assert(cfg.rate_given);
	ck_assert_uint_eq(cfg.defaults.template_seconds, 30);
	ck_assert_uint_eq(cfg.defaults.template_messages, 20);
	accept_line("-i a --mtu 9000 -L 0 --transport udp --time-unit milli "
		    "--template-refresh 5 --domain 7 --hop-limit 255");
	ck_assert_uint_eq(cfg.defaults.mtu, MESSAGE_MAX);
	ck_assert_int_eq(cfg.defaults.hop_limit, 255);
	ck_assert_uint_eq(cfg.defaults.domain, 7);
	ck_assert_uint_eq(cfg.defaults.template_seconds, 5);
	ck_assert_uint_eq(cfg.defaults.template_messages, 4096);
	accept_line("-i a --template-refresh ,9");
	ck_assert_uint_eq(cfg.defaults.template_seconds, 60);
	ck_assert_uint_eq(cfg.defaults.template_messages, 9);
}
END_TEST

UNIT(bad_export_options_are_refused)
{
	static const struct refusal table[] = {
		{ "-v 7",
		    "-v 7: \"7\" is not known; give 1, 5, 9, 10 or ipfix" },
		{ "-v 09", "give 1, 5, 9, 10 or ipfix" },
		{ "-P dccp", "-P dccp: \"dccp\" is not known; give udp" },
		{ "-L 256", "-L 256: give a number from 0 to 255" },
		{ "-L -1", "from 0 to 255" },
		{ "--mtu 255", "--mtu 255: give a number from 256 to 9000" },
		{ "--mtu 9001", "from 256 to 9000" },
		{ "--domain 4294967296", "from 0 to 4294967295" },
		{ "--export-rate x", "from 0 to 4294967295" },
		{ "--template-refresh ''", "give SECONDS" },
		{ "--template-refresh ,", "give SECONDS" },
		{ "--template-refresh 0", "give SECONDS" },
		{ "--template-refresh 60,", "give SECONDS" },
		{ "--template-refresh 60,0", "each from 1 to 2147483647" },
		{ "--template-refresh 60,1,", "give SECONDS" },
		{ "--template-refresh 60x,1", "give SECONDS" },
		{ "--template-refresh 2147483648", "give SECONDS" },
		{ "-A week",
		    "\"week\" is not known; give sec, milli, micro or nano" },
	};

	REFUSE_ALL(table);
}
END_TEST

/* What is accepted or refused for the time being. */

#ifdef HAVE_MNL

UNIT(nat_is_taken_live_with_ports_and_by_who_can_tell_it)
{
	static const struct refusal refused[] = {
		{ "-r f --nat", "--nat: a capture file" },
		{ "-r f --nat-events -n 192.0.2.1:1",
		    "--nat-events: a capture" },
		{ "-i a --nat -T proto", "-T full" },
		{ "-i a --nat-events", "only NetFlow v9 and IPFIX" },
		{ "-i a --nat-events -v 5 -n 192.0.2.1:1", "only NetFlow v9" },
		{ "-i a --nat-events -d -n json:/tmp/x", "only NetFlow v9" },
		{ "-i a --fields postNATSourceIPv4Address", "--nat" },
		{ "-i a --nat --nat-max 0", "from 1 to" },
		{ "-i a --nat -n 192.0.2.1:1 --mtu 200 --fields flowId",
		    "--mtu" },
	};

	accept_line("-i a --nat -T tos");
	ck_assert(cfg.nat && cfg.exporter.fields.nat);
	ck_assert_uint_eq(cfg.exporter.fields.needs & NEED_NAT, NEED_NAT);
	ck_assert_uint_eq(cfg.nat_max, 65536);
	config_free(&cfg);
	accept_line("-i a --nat --nat-max 7 -v 5 -n 192.0.2.1:1");
	ck_assert_uint_eq(cfg.nat_max, 7);
	config_free(&cfg);
	accept_line("-i a --nat --fields -postNATSourceIPv4Address");
	config_free(&cfg);
	accept_line("-i a --nat-events -v 9 -n 192.0.2.1:1");
	ck_assert(!cfg.nat && cfg.exporter.nat_events);
	config_free(&cfg);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		refuse_line(refused[i].line, refused[i].why);
}
END_TEST

#else

UNIT(nat_is_taken_live_with_ports_and_by_who_can_tell_it)
{
	refuse_line("-i a --nat", "without libmnl");
	refuse_line("-i a --nat-events -n 192.0.2.1:1", "without libmnl");
}
END_TEST

#endif

UNIT(sampling_is_a_number_with_or_without_a_mode)
{
	static const struct {
		const char *line;
		enum sampling_mode mode;
		uint32_t interval;
	} table[] = { { "-r x", SAMPLING_SYSTEMATIC, 1 },
		{ "-r x -s 1 -v 5", SAMPLING_SYSTEMATIC, 1 },
		{ "-r x -s 100", SAMPLING_SYSTEMATIC, 100 },
		{ "-r x -s systematic:4294967295", SAMPLING_SYSTEMATIC,
		    UINT32_MAX },
		{ "-r x --sampling random:16384", SAMPLING_RANDOM, 16384 },
		{ "-r x -v 5 -s hash:16383", SAMPLING_HASH, 16383 } };
	static const struct refusal refused[] = {
		{ "-r x -s 0", "-s 0: give a number from 1 to 4294967295" },
		{ "-r x -s random:0", "-s random:0: give a number from 1" },
		{ "-r x -s 4294967296", "give a number from 1" },
		{ "-r x -s often:5", "give systematic, random or hash" },
		{ "-r x -s systematicallywrong:5", "give systematic, random" },
		{ "-r x -s :5", "give systematic, random or hash" },
		{ "-r x -s 5:random", "give systematic, random or hash" },
		{ "-r x -s random", "give a number from 1" },
		{ "-r x -v 5 -s 16384", "-s 16384: NetFlow v5" },
		{ "-r x -v 1 -s 2", "-s 2: NetFlow v1 tells at most" },
		{ "-s random:20000 -r x -v 5", "-s 20000: NetFlow v5" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		accept_line(table[i].line);
		ck_assert_int_eq(cfg.exporter.sampling.mode, table[i].mode);
		ck_assert_uint_eq(
		    cfg.exporter.sampling.interval, table[i].interval);
	}
	REFUSE_ALL(refused);
}
END_TEST

UNIT(options_data_are_chosen_by_name_or_version)
{
	static const struct refusal refused[] = {
		{ "-r x --options every", "is not known; give sampling" },
		{ "-r x --options ''", "give sampling, interfaces" },
		{ "-r x --options sampling,", "\"\" is not known" },
		{ "-r x --options samplingsamplingsampling", "is not known" },
	};

	accept_line("-r x");
	ck_assert_uint_eq(cfg.defaults.options, EXPORT_IF_SAMPLED);
	accept_line("-r x -v 9");
	ck_assert_uint_eq(cfg.defaults.options, EXPORT_ALL);
	accept_line("-r x --options all");
	ck_assert_uint_eq(cfg.defaults.options, EXPORT_ALL);
	accept_line("-r x --options none");
	ck_assert_uint_eq(cfg.defaults.options, 0);
	accept_line("-r x --options statistics,sampling");
	ck_assert_uint_eq(
	    cfg.defaults.options, EXPORT_STATISTICS | EXPORT_SAMPLING);
	accept_line("-r x --options interfaces,exporter");
	ck_assert_uint_eq(
	    cfg.defaults.options, EXPORT_INTERFACES | EXPORT_EXPORTER);
	REFUSE_ALL(refused);
}
END_TEST

UNIT(biflow_needs_ipfix)
{
	accept_line("-r x -n h:1 -b");
	ck_assert(cfg.exporter.fields.biflow);
	accept_line("-r x --biflow --json");
	accept_line("-r x -v ipfix -b -T ether");
	ck_assert(cfg.exporter.fields.biflow && cfg.exporter.fields.mac);
	accept_line("-r x");
	ck_assert(!cfg.exporter.fields.biflow && !cfg.exporter.fields.mac);
	refuse_line("-r x -n h:1 -b -v 5", "-b: biflow needs IPFIX");
	refuse_line("-r x -v 9 -b", "-b: biflow needs IPFIX");
}
END_TEST

UNIT(units_of_time_are_softflowd_s_and_need_ipfix)
{
	static const struct {
		const char *line;
		enum time_unit unit;
	} table[] = { { "-r x", UNIT_MILLI }, { "-r x -A sec", UNIT_SEC },
		{ "-r x -A milli -v 5", UNIT_MILLI },
		{ "-r x -A micro", UNIT_MICRO },
		{ "-r x --time-unit nano", UNIT_NANO } };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		accept_line(table[i].line);
		ck_assert_int_eq(cfg.exporter.fields.unit, table[i].unit);
	}
	refuse_line("-r x -A sec -v 5", "-A: times of NetFlow");
	refuse_line("-r x -v 9 -A nano", "-A: times of NetFlow");
}
END_TEST

UNIT(what_is_always_so_is_accepted)
{
	accept_line("-6 -a -M -s 1 -x 0 -A milli -P udp -r x");
	accept_line("--ipv6 --capture-time --threads --sampling 1 "
		    "--mpls-labels 0 -r x");
}
END_TEST

UNIT(one_way_to_share_records_is_taken)
{
	static const struct refusal refused[] = {
		{ "-l --failover", "--failover: -l and --failover exclude" },
		{ "--failover -l", "-l: -l and --failover exclude" },
	};

	accept_line("-r x -n a:1,b:2");
	ck_assert_int_eq(cfg.exporter.mode, EXPORT_REPLICATE);
	accept_line("-r x -n a:1,b:2 -l");
	ck_assert_int_eq(cfg.exporter.mode, EXPORT_BALANCE);
	accept_line("-r x -n a:1,b:2 --balance -l");
	ck_assert_int_eq(cfg.exporter.mode, EXPORT_BALANCE);
	accept_line("-r x -n a:1,b:2 --failover");
	ck_assert_int_eq(cfg.exporter.mode, EXPORT_FAILOVER);
	REFUSE_ALL(refused);
}
END_TEST

UNIT(what_later_releases_add_is_refused_by_name)
{
	static const struct refusal table[] = {
		{ "-P file",
		    "-P file: \"file\" is not known; give udp, tcp, sctp" },
		{ "-v psamp",
		    "-v psamp: not supported yet; only 1, 5, 9, 10 and" },
		{ "-v psamp", "-v psamp: not supported yet" },
		{ "-v ntopng", "-v ntopng: not supported yet" },
		{ "-g", "-g: not supported yet" },
		{ "-R 4739", "-R 4739: not supported yet" },
		{ "-I 60", "-I 60: not supported yet" },
		{ "-H 0:1:2:3:4:5", "-H 0:1:2:3:4:5: not supported yet" },
	};

	REFUSE_ALL(table);
	refuse_line("-s 0", "-s 0: give a number from 1 to 4294967295");
	refuse_line("-x 11", "-x 11: give a number from 0 to 10");
}
END_TEST

/* Running and output. */

UNIT(running_options_are_taken)
{
	accept_line(
	    "-i a -n h:1 -D -p /run/x.pid -c /run/x.ctl --json --quiet");
	ck_assert(cfg.debug && cfg.foreground && cfg.json && cfg.quiet);
	ck_assert_str_eq(cfg.pidfile, "/run/x.pid");
	ck_assert_str_eq(cfg.control_path, "/run/x.ctl");
	accept_line("-i a -n h:1 --foreground --pidfile=p --control=c");
	ck_assert(cfg.foreground && !cfg.debug);
	ck_assert_str_eq(cfg.pidfile, "p");
	ck_assert_str_eq(cfg.control_path, "c");
	accept_line("-i a -n h:1 --debug");
	ck_assert(cfg.foreground && cfg.debug);
}
END_TEST

UNIT(bad_paths_are_refused)
{
	char line[256] = "-i a -c /";

	refuse_line("-i a -c ''", "give a path, or none");
	refuse_line("-i a -p ''", "give a path, or none");
	memset(line + strlen(line), 'x', 200);
	refuse_line(line, "give a path of at most ");
}
END_TEST

UNIT(unknown_options_are_refused_by_name)
{
	static const struct refusal table[] = {
		{ "-Z", "-Z: no such option; see softprobe --help" },
		{ "-i a -dZ", "-Z: no such option" },
		{ "-f x", "-f: no such option" },
		{ "-?", "-?: no such option" },
		{ "-\x01", "-?: no such option" },
		{ "-\xc3\xa9", "-?: no such option" },
		{ "--frobnicate", "--frobnicate: no such option" },
		{ "--fro\x01nicate", "--fro?nicate: no such option" },
		{ "--ti 3", "--ti: no such option, or short for several" },
		{ "--json=yes -r x", "--json: takes no value; leave it out" },
		{ "--mtu", "--mtu: needs a value: OCTETS" },
		{ "-i a -n", "-n: needs a value: HOST:PORT[,...]" },
	};

	REFUSE_ALL(table);
}
END_TEST

UNIT(long_options_may_be_cut_short)
{
	accept_line("--inter eth0 --coll h:1 --max 7");
	ck_assert_str_eq(cfg.source[0].name, "eth0");
	ck_assert_uint_eq(cfg.track.max_flows, 7);
	refuse_line("--max 0", "--max-flows 0: give a number");
}
END_TEST

UNIT(an_endless_value_is_cut_and_the_advice_is_kept)
{
	char line[4096] = "-v ";

	memset(line + 3, 'v', 4000);
	refuse_line(line, "give 1, 5, 9, 10 or ipfix");
	(void)strlcpy(line, "--", 3);
	memset(line + 2, 'v', 4000);
	refuse_line(line, "no such option");
	(void)strlcpy(line, "-n ", 4);
	memset(line + 3, 'v', 4000);
	refuse_line(line, "or a service name");
	(void)strlcpy(line, "-t ", 4);
	memset(line + 3, 'v', 4000);
	refuse_line(line, "idle or active");
}
END_TEST

UNIT(control_characters_in_a_value_stay_out_of_the_message)
{
	refuse_line("-v 1\n2\x1b[0m", "-v 1?2?[0m: \"1?2?[0m\" is not known");
	refuse_line("-n a\tb", "a?b");
}
END_TEST

UNIT(no_arguments_at_all_are_refused)
{
	char *none[] = { NULL };

	ck_assert_int_eq(config_parse(&cfg, NULL, 0, none, err), CONFIG_BAD);
	ck_assert_ptr_nonnull(strstr(err, "nothing to capture from"));
}
END_TEST

/* A file. */

/* Parse a file's text, and a command line after it. */
static enum config_result
parse_file(const char *text, const char *line)
{
	int argc = cut(line);
	struct conffile *f = conffile_parse("F", text, strlen(text), err);

	ck_assert_msg(f != NULL, "%s", err);
	config_free(&cfg);
	return config_parse(&cfg, f, argc, words, err);
}

static void
accept_file(const char *text, const char *line)
{
	ck_assert_msg(parse_file(text, line) == CONFIG_RUN, "%s", err);
}

static void
refuse_file(const char *text, const char *line, const char *why)
{
	ck_assert_msg(parse_file(text, line) == CONFIG_BAD, "accepted");
	ck_assert_msg(
	    strncmp(err, why, strlen(why)) == 0, "\"%s\" not \"%s\"", err, why);
	ck_assert_ptr_null(cfg.file);
}

UNIT(a_file_has_options_by_their_long_names)
{
	accept_file(
	    "interface eth0\n# none\ncollector 192.0.2.1:1,192.0.2.2:2\n"
	    "collector 192.0.2.3:3\nfilter \"udp port 53\"\n"
	    "timeout idle=5\nbiflow\nmax-flows 7 # few\n",
	    "");
	ck_assert_uint_eq(cfg.nsources, 1);
	ck_assert_str_eq(cfg.source[0].name, "eth0");
	ck_assert_uint_eq(cfg.ncollectors, 3);
	ck_assert_str_eq(cfg.collector[2].address.host, "192.0.2.3");
	ck_assert_uint_eq(cfg.collector[0].line, 3);
	ck_assert_uint_eq(cfg.collector[2].line, 4);
	ck_assert_str_eq(cfg.capture.filter, "udp port 53");
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_UDP], 5000);
	ck_assert(cfg.exporter.fields.biflow);
	ck_assert_uint_eq(cfg.track.max_flows, 7);
}
END_TEST

UNIT(the_command_line_overrides_the_file)
{
	accept_file("interface a\nmax-flows 7\ntimeout idle=5\n"
		    "timeout active=6\nmtu 300\n",
	    "-m 8 -t idle=1 -n 192.0.2.1:1");
	ck_assert_uint_eq(cfg.track.max_flows, 8);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_TCP], 1000);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_MAXLIFE], 6000);
	ck_assert_uint_eq(cfg.collector[0].mtu, 300);
	ck_assert_uint_eq(cfg.collector[0].line, 0);
}
END_TEST

UNIT(lists_of_the_command_line_replace_those_of_the_file)
{
	accept_file("interface a\ninterface b\ncollector 192.0.2.1:1\n"
		    "collector 192.0.2.2:2\nfilter udp\nbalance\n",
	    "-i c -n 192.0.2.3:3 -i d -n 192.0.2.4:4 --failover tcp or icmp");
	ck_assert_uint_eq(cfg.nsources, 2);
	ck_assert_str_eq(cfg.source[0].name, "c");
	ck_assert_str_eq(cfg.source[1].name, "d");
	ck_assert_uint_eq(cfg.ncollectors, 2);
	ck_assert_str_eq(cfg.collector[0].address.host, "192.0.2.3");
	ck_assert_str_eq(cfg.capture.filter, "tcp or icmp");
	ck_assert_int_eq(cfg.exporter.mode, EXPORT_FAILOVER);
	accept_file("interface a\nfilter udp\n", "-r x.pcap --filter tcp");
	ck_assert(cfg.replay);
	ck_assert_uint_eq(cfg.nsources, 1);
	ck_assert_str_eq(cfg.capture.filter, "tcp");
}
END_TEST

UNIT(fields_of_the_command_line_add_to_those_of_the_file)
{
	accept_file("interface a\nfields flowId,-ingressInterface\n",
	    "--fields -flowId,minimumTTL");
	ck_assert_uint_eq(cfg.exporter.fields.needs & NEED_FLOW, 0);
	ck_assert(field_any(&cfg.exporter.fields));
	ck_assert_uint_eq(
	    cfg.exporter.fields.needs & NEED_PACKETS, NEED_PACKETS);
}
END_TEST

UNIT(a_refusal_names_file_and_line)
{
	refuse_file("\nmtu 1\n", "-i a", "F:2: mtu 1: give a number from 256");
	refuse_file("mtux 1", "-i a", "F:1: mtux: no such option; see");
	refuse_file("mt 1", "-i a", "F:1: mt: no such option");
	refuse_file("m 1", "-i a", "F:1: m: no such option");
	refuse_file("--mtu 1", "-i a",
	    "F:1: --mtu: no such option; leave the "
	    "dashes out");
	refuse_file("biflow yes", "-i a", "F:1: biflow yes: takes no value");
	refuse_file(
	    "interface", "", "F:1: interface: needs a value: [IFINDEX:]");
	refuse_file(
	    "interface a\ninterface a", "", "F:2: interface a: given twice");
	refuse_file("interface a\nread b", "", "F:2: read b: -i and -r");
	refuse_file(
	    "receive-port 1", "-i a", "F:1: receive-port 1: not supported yet");
	refuse_file("filter a\nfilter b", "-i a", "F:2: filter b: given twice");
	refuse_file("mtu 300", "-i a -m 0", "-m 0: give a number");
	refuse_file("mtu 300", "", "nothing to capture from");
}
END_TEST

UNIT(what_options_say_together_is_refused_where_one_of_them_stands)
{
	refuse_file("interface a\ncollector udp://192.0.2.1:1?version=5\n"
		    "biflow",
	    "", "F:3: -b: biflow needs IPFIX");
	refuse_file(
	    "interface a\nbiflow\ncollector udp://192.0.2.1:1?version=5", "",
	    "F:2: -b: biflow needs IPFIX");
	refuse_file("interface a\n\ncollector udp://192.0.2.1:1?version=5",
	    "-b", "F:3: -b: biflow needs IPFIX");
	refuse_file("interface a\nbiflow", "-n udp://192.0.2.1:1?version=5",
	    "F:2: -b: biflow needs IPFIX");
	refuse_file("interface a\ncollector json:/x\ncollector json:/x", "",
	    "F:3: -n json:/x: this file is given twice");
	refuse_file("interface a\ncollector json:x", "",
	    "F:2: -n json:x: a daemon needs a path");
}
END_TEST

UNIT(what_only_a_command_line_can_say_is_refused_in_a_file)
{
	static const char *const lines[] = { "check", "config F", "elements",
		"help", "version" };
	char why[80];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		(void)snprintf(why, sizeof(why),
		    "F:1: %s: not in a file; give it on the", lines[i]);
		refuse_file(lines[i], "-i a", why);
	}
}
END_TEST

UNIT(the_last_file_that_is_named_counts)
{
	int argc = cut("-i a --config x --config=y -n json:-");

	ck_assert_str_eq(config_file_name(argc, words), "y");
	argc = cut("-i a -V --config x");
	ck_assert_ptr_null(config_file_name(argc, words));
	argc = cut("-i a --nosuch --config x");
	ck_assert_ptr_null(config_file_name(argc, words));
	argc = cut("-i a not --config x");
	ck_assert_ptr_null(config_file_name(argc, words));
	refuse_line("-i a --config ''", "--config : give the path of a file");
	accept_line("-i a --config x");
}
END_TEST

/* Two configurations. */

static struct config other;

/* What a file changes after another one: now, and by a restart. */
static void
changes_are(
    const char *before, const char *after, const char *now, const char *restart)
{
	char names[256];

	accept_file(before, "");
	other = cfg;
	memset(&cfg, 0, sizeof(cfg));
	accept_file(after, "");
	config_changes(&other, &cfg, false, names, sizeof(names));
	ck_assert_str_eq(names, now);
	config_changes(&other, &cfg, true, names, sizeof(names));
	ck_assert_str_eq(names, restart);
	config_changes(&cfg, &cfg, true, names, sizeof(names));
	ck_assert_str_eq(names, "");
	config_free(&other);
}

UNIT(what_differs_is_told_by_option)
{
	changes_are("interface a", "interface a\n", "", "");
	changes_are("interface a\ntimeout idle=60", "interface a", "", "");
	changes_are("interface a\ntimeout idle=61\nbiflow", "interface a",
	    "timeout, biflow", "");
	changes_are("interface a", "interface b", "", "interface");
	changes_are(
	    "interface a", "interface 1:a\ninterface b", "", "interface");
	changes_are("interface a", "read b", "", "read");
	changes_are("read a", "read b", "", "read");
	changes_are(
	    "interface a\nfilter x", "interface a\nfilter y", "filter", "");
	changes_are("interface a\nfilter x", "interface a", "filter", "");
	changes_are("interface a\nbalance", "interface a\nfailover",
	    "balance, failover", "");
	changes_are(
	    "interface a\nbuffer 2M\nmax-flows 8192", "interface a", "", "");
	changes_are("interface a\ncollector 192.0.2.1:1\nmtu 1400",
	    "interface a\ncollector udp://192.0.2.1:1", "", "");
	changes_are("interface a\ncollector 192.0.2.1:1\nmtu 1300",
	    "interface a\ncollector udp://192.0.2.1:1", "collector", "");
	changes_are("interface a\ncollector json:/x",
	    "interface a\ncollector json:/x\ndebug", "debug", "");
	changes_are("interface a\ncollector json:/x",
	    "interface a\ncollector json:/x\nforeground\nuser u\n"
	    "pidfile /p\ncontrol none",
	    "", "foreground, control, user");
}
END_TEST

/* Fit one file to another that runs.  What waits for a restart. */
static enum config_result
adapt(const char *running, const char *next, char restart[256])
{
	enum config_result result;

	accept_file(running, "");
	other = cfg;
	memset(&cfg, 0, sizeof(cfg));
	accept_file(next, "");
	result = config_adapt(&cfg, &other, restart, 256, err);
	config_free(&other);
	return result;
}

#ifdef HAVE_MNL
UNIT(nat_and_its_fields_wait_for_a_restart)
{
	char restart[256];

	ck_assert_int_eq(
	    adapt("interface a",
		"interface a\nnat\nfields postNATSourceIPv4Address", restart),
	    CONFIG_RUN);
	ck_assert_str_eq(restart, "nat, fields");
	ck_assert(!cfg.exporter.fields.nat);
	ck_assert(!field_any(&cfg.exporter.fields));
	ck_assert_int_eq(
	    adapt("interface a\nnat", "interface a", restart), CONFIG_RUN);
	ck_assert_str_eq(restart, "nat");
	ck_assert(cfg.exporter.fields.nat);
	ck_assert_uint_eq(cfg.exporter.fields.needs & NEED_NAT, NEED_NAT);
}
END_TEST
#else
UNIT(nat_and_its_fields_wait_for_a_restart)
{
	refuse_file("interface a\nnat\n", "", "F:2: --nat: softprobe was");
}
END_TEST
#endif

UNIT(fields_that_need_what_is_not_there_wait_for_a_restart)
{
	char restart[256];

	ck_assert_int_eq(adapt("interface a",
			     "interface a\nfields flowId\n"
			     "time-unit micro\nbiflow\n"
			     "max-flows 7",
			     restart),
	    CONFIG_RUN);
	ck_assert_str_eq(restart, "max-flows, fields");
	ck_assert(!field_any(&cfg.exporter.fields));
	ck_assert(cfg.exporter.fields.biflow);
	ck_assert_int_eq(cfg.exporter.fields.unit, UNIT_MICRO);
	ck_assert_int_eq(adapt("interface a\nfields minimumTTL",
			     "interface a\nfields flowId", restart),
	    CONFIG_RUN);
	ck_assert_str_eq(restart, "");
	ck_assert(field_any(&cfg.exporter.fields));
}
END_TEST

UNIT(the_flow_key_that_runs_decides_what_records_have)
{
	char restart[256];

	ck_assert_int_eq(
	    adapt("interface a\nflow-key ether", "interface a", restart),
	    CONFIG_RUN);
	ck_assert_str_eq(restart, "flow-key");
	ck_assert(cfg.exporter.fields.mac);
	ck_assert_int_eq(cfg.track.key, KEY_ETHER);
}
END_TEST

UNIT(records_are_printed_or_exported_as_they_were_begun)
{
	char restart[256];

	ck_assert_int_eq(
	    adapt("interface a", "interface a\ncollector 192.0.2.1:1", restart),
	    CONFIG_BAD);
	ck_assert_str_eq(
	    err, "collector: records are printed; restart, or leave it out");
	ck_assert_int_eq(
	    adapt("interface a\ncollector 192.0.2.1:1", "interface a", restart),
	    CONFIG_BAD);
	ck_assert_str_eq(
	    err, "collector: records are not printed; restart, or give one");
}
END_TEST

/* Information. */

UNIT(version_is_printed_bare)
{
	char out[64];

	ck_assert_int_eq(
	    parse_output("-V --frobnicate", out, sizeof(out)), CONFIG_EXIT);
	ck_assert_str_eq(out, VERSION "\n");
	ck_assert_int_eq(
	    parse_output("--version", out, sizeof(out)), CONFIG_EXIT);
	ck_assert_str_eq(out, VERSION "\n");
}
END_TEST

UNIT(help_fits_80_columns_and_names_every_option)
{
	static const char letters[] = "6abBcCdDeghHiIlLmMnNpPrRsStTvVxA";
	static char out[16384];
	char needle[16];

	ck_assert_int_eq(parse_output("-h", out, sizeof(out)), CONFIG_EXIT);
	for (const char *c = letters; *c != '\0'; c++) {
		(void)snprintf(needle, sizeof(needle), "\n  -%c, --", *c);
		ck_assert_msg(strstr(out, needle) != NULL, "-%c", *c);
	}
	for (char *l = strtok(out, "\n"); l != NULL; l = strtok(NULL, "\n")) {
		ck_assert_msg(strlen(l) <= 80, "%s", l);
		ck_assert_ptr_null(strchr(l, '\t'));
	}
	ck_assert_int_eq(parse_output("--help", out, sizeof(out)), CONFIG_EXIT);
	ck_assert_ptr_nonnull(strstr(out, "--template-refresh"));
}
END_TEST

UNIT(elements_are_listed)
{
	static char out[16384];

	ck_assert_int_eq(
	    parse_output("--elements", out, sizeof(out)), CONFIG_EXIT);
	ck_assert_ptr_nonnull(strstr(out, "octetDeltaCount"));
}
END_TEST

/* Lines from the field, with only the program's name changed. */

UNIT(command_lines_from_the_field_are_accepted)
{
	accept_line("-i eth0 -n 192.168.1.100:2055 -P udp -v 9 -t maxlife=1800 "
		    "-t maxflows=8192");
	ck_assert_uint_eq(cfg.defaults.version, 9);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_MAXLIFE], 1800000);
	ck_assert_uint_eq(cfg.track.max_flows, 8192);
	ck_assert_str_eq(cfg.collector[0].address.host, "192.168.1.100");
	accept_line("-i eth0 -n 127.0.0.1:2055 -v 9 -t maxlife=1800");
	ck_assert(!cfg.foreground);
	accept_line("-v 5 -i lo -n 127.0.0.1:4432 -m 65536 -t udp=1m30s");
	ck_assert_uint_eq(cfg.track.max_flows, 65536);
	ck_assert_uint_eq(cfg.track.timeout_ms[TIMEOUT_UDP], 90000);
	accept_line("-i lo -n 127.0.0.1:4432,127.0.0.1:4433 -d");
	ck_assert_uint_eq(cfg.ncollectors, 2);
	ck_assert(cfg.foreground);
	accept_line("-v 9 -i fxp0 -n 224.0.1.20:4432 -L 64");
	accept_line(
	    "-i fxp0 -p /var/run/sfd.pid.fxp0 -c /var/run/sfd.ctl.fxp0");
}
END_TEST

UNIT_MAIN("config", defaults_are_those_of_the_manual,
    default_timeouts_are_those_of_the_manual,
    daemon_has_a_pidfile_and_a_control_socket,
    foreground_has_a_control_socket_but_no_pidfile,
    text_on_standard_output_keeps_the_program_in_the_foreground,
    replay_stays_in_the_foreground_without_a_control_socket,
    one_parse_leaves_nothing_behind_for_the_next,
    parsing_opens_and_creates_nothing,
    interfaces_are_taken_in_order_with_their_index,
    files_are_taken_in_order_even_twice, bad_sources_are_refused,
    more_sources_than_fit_are_refused,
    the_rest_of_the_command_line_is_the_filter, the_filter_may_be_an_option,
    a_blank_filter_is_no_filter, capture_options_are_taken,
    bad_capture_options_are_refused, flow_key_levels_are_softflowd_s_and_tos,
    each_timeout_is_set_by_its_name, idle_and_active_are_aliases,
    max_flows_may_be_given_as_a_timeout,
    maxlife_and_expint_may_be_zero_and_idle_timeouts_may_not,
    bad_timeouts_are_refused, config_timeout_tells_which_timeouts_it_sets,
    collectors_are_taken_in_softflowd_s_and_in_url_form,
    a_collector_s_own_keys_win_over_options_wherever_those_stand,
    malformed_collectors_are_refused, transports_are_taken_for_all_and_for_one,
    tls_is_taken_or_refused_since_it_is_not_built_in,
    unknown_schemes_are_refused_by_name, more_collectors_than_fit_are_refused,
    a_host_name_fits_or_is_refused, export_versions_are_taken,
    export_numbers_are_taken, bad_export_options_are_refused,
    biflow_needs_ipfix, options_data_are_chosen_by_name_or_version,
    nat_is_taken_live_with_ports_and_by_who_can_tell_it,
    sampling_is_a_number_with_or_without_a_mode,
    units_of_time_are_softflowd_s_and_need_ipfix, what_is_always_so_is_accepted,
    one_way_to_share_records_is_taken,
    what_later_releases_add_is_refused_by_name, running_options_are_taken,
    bad_paths_are_refused, unknown_options_are_refused_by_name,
    long_options_may_be_cut_short,
    an_endless_value_is_cut_and_the_advice_is_kept,
    control_characters_in_a_value_stay_out_of_the_message,
    no_arguments_at_all_are_refused, a_file_has_options_by_their_long_names,
    the_command_line_overrides_the_file,
    lists_of_the_command_line_replace_those_of_the_file,
    fields_of_the_command_line_add_to_those_of_the_file,
    a_refusal_names_file_and_line,
    what_options_say_together_is_refused_where_one_of_them_stands,
    what_only_a_command_line_can_say_is_refused_in_a_file,
    the_last_file_that_is_named_counts, what_differs_is_told_by_option,
    nat_and_its_fields_wait_for_a_restart,
    fields_that_need_what_is_not_there_wait_for_a_restart,
    the_flow_key_that_runs_decides_what_records_have,
    records_are_printed_or_exported_as_they_were_begun, version_is_printed_bare,
    help_fits_80_columns_and_names_every_option, elements_are_listed,
    command_lines_from_the_field_are_accepted)
