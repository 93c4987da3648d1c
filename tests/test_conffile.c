/* SPDX-License-Identifier: ISC */
/*
 * test_conffile.c - how a configuration file is written, and what of it is
 * refused.
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conffile.h"
#include "unit.h"

static char err[CONFFILE_ERROR_LEN];

static struct conffile *
parse(const char *text)
{
	return conffile_parse("FILE", text, strlen(text), err);
}

/* The one setting of a line must be this. */
static void
is_read_as(const char *text, const char *name, const char *value)
{
	struct conffile *f = parse(text);

	ck_assert_msg(f != NULL, "%s: %s", text, err);
	ck_assert_msg(f->nsettings == 1, "%s: %zu", text, f->nsettings);
	ck_assert_str_eq(f->setting[0].name, name);
	if (value == NULL)
		ck_assert_ptr_null(f->setting[0].value);
	else
		ck_assert_str_eq(f->setting[0].value, value);
	conffile_free(f);
}

static void
is_refused(const char *text, const char *why)
{
	struct conffile *f = parse(text);

	ck_assert_msg(f == NULL, "%s: accepted", text);
	ck_assert_msg(strstr(err, why) != NULL, "%s: \"%s\" lacks \"%s\"", text,
	    err, why);
	ck_assert_ptr_null(strchr(err, '\n'));
}

/* A file of its own with this text and these permissions; unlink() it. */
static void
write_file(char path[32], const char *text, size_t len, mode_t mode)
{
	int fd;

	(void)strlcpy(path, "/tmp/softprobe-unit-XXXXXX", 32);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	(void)close(fd);
}

UNIT(a_line_is_a_name_and_one_value)
{
	is_read_as("biflow", "biflow", NULL);
	is_read_as("mtu 1400\n", "mtu", "1400");
	is_read_as(" \t mtu \t 1400 \t\r\n", "mtu", "1400");
	is_read_as("\n\nmtu 1400", "mtu", "1400");
	is_read_as("collector udp://h:1?version=9&mtu=600", "collector",
	    "udp://h:1?version=9&mtu=600");
	is_refused("interface a b", "FILE:1: a name takes one value; quote");
	is_refused("\nfilter \"a\" b", "FILE:2: there is more behind");
	is_refused("filter \"a\"b", "FILE:1: there is more behind");
	is_refused("mtu=1400", "FILE:1: give NAME VALUE");
	is_refused("mtu = 1400", "FILE:1: give NAME VALUE");
	is_refused("mtu =1400", "FILE:1: give NAME VALUE");
}
END_TEST

UNIT(comments_end_lines_and_are_no_part_of_words)
{
	is_read_as("# a\n  # b\nmtu 1 # c\n#d", "mtu", "1");
	is_read_as("biflow # c", "biflow", NULL);
	is_read_as("biflow #", "biflow", NULL);
	is_read_as("read a#b", "read", "a#b");
	is_read_as("read \"a # b\"", "read", "a # b");
	is_read_as("read 'a' # b", "read", "a");
	is_refused("read 'a'# b", "FILE:1: there is more behind");
}
END_TEST

UNIT(quotes_hold_blanks_and_each_other)
{
	is_read_as("filter \"udp port 53\"", "filter", "udp port 53");
	is_read_as("filter 'udp port 53'", "filter", "udp port 53");
	is_read_as("filter ' a\"b\\n '", "filter", " a\"b\\n ");
	is_read_as("filter \"a'b\\\"c\\\\d\\e\"", "filter", "a'b\"c\\d\\e");
	is_read_as("filter ''", "filter", "");
	is_read_as("filter \"\"", "filter", "");
	is_read_as("filter a'b\"c", "filter", "a'b\"c");
	is_refused("filter \"a", "FILE:1: a quote is missing at the end");
	is_refused("filter 'a\n'", "FILE:1: a quote is missing at the end");
	is_refused("filter \"a\\\"", "FILE:1: a quote is missing at the end");
	is_refused("filter \"a\\", "FILE:1: a quote is missing at the end");
}
END_TEST

UNIT(lines_are_counted_and_keep_their_order)
{
	struct conffile *f = parse("a 1\n\n# x\nb\r\nc 3");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f->nsettings, 3);
	ck_assert_uint_eq(f->setting[0].line, 1);
	ck_assert_uint_eq(f->setting[1].line, 4);
	ck_assert_uint_eq(f->setting[2].line, 5);
	ck_assert_str_eq(f->setting[2].name, "c");
	ck_assert_str_eq(f->path, "FILE");
	conffile_free(f);
	f = parse("");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(f->nsettings, 0);
	conffile_free(f);
	conffile_free(NULL);
}
END_TEST

UNIT(octets_that_are_no_text_are_refused)
{
	ck_assert_ptr_null(conffile_parse("FILE", "a 1\nb\0c\n", 8, err));
	ck_assert_ptr_nonnull(strstr(err, "FILE:2: there is a NUL octet"));
	ck_assert_ptr_null(conffile_parse("a\nb", "mtu 1 2", 7, err));
	ck_assert_ptr_nonnull(strstr(err, "a?b:1: "));
}
END_TEST

UNIT(a_line_may_have_so_many_octets_and_no_more)
{
	static const char head[] = { '#', '\n', 'r', 'e', 'a', 'd', ' ' };
	static char text[CONFFILE_LINE_MAX + 8];
	struct conffile *f;

	memset(text, 'a', sizeof(text));
	memcpy(text, head, sizeof(head));
	f = conffile_parse("FILE", text, CONFFILE_LINE_MAX + 2, err);
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(strlen(f->setting[0].value), CONFFILE_LINE_MAX - 5);
	conffile_free(f);
	ck_assert_ptr_null(
	    conffile_parse("FILE", text, CONFFILE_LINE_MAX + 3, err));
	ck_assert_ptr_nonnull(strstr(err, "FILE:2: the line has more than"));
}
END_TEST

UNIT(a_file_is_read_with_its_own_path)
{
	char path[32];
	struct conffile *f;

	write_file(path, "mtu 1400\n", 9, 0600);
	f = conffile_read(path, true, err);
	ck_assert_msg(f != NULL, "%s", err);
	ck_assert_uint_eq(f->nsettings, 1);
	ck_assert_str_eq(f->path, path);
	conffile_free(f);
	(void)unlink(path);
	ck_assert_ptr_null(conffile_read(path, false, err));
	ck_assert_ptr_nonnull(strstr(err, "cannot be read: No such file"));
	ck_assert_ptr_null(conffile_read("/tmp", false, err));
	ck_assert_str_eq(err, "/tmp: is not a file; give one");
}
END_TEST

UNIT(a_pipe_is_not_waited_for)
{
	char path[32];

	write_file(path, "", 0, 0600);
	(void)unlink(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_ptr_null(conffile_read(path, false, err));
	(void)unlink(path);
	ck_assert_ptr_nonnull(strstr(err, "is not a file; give one"));
}
END_TEST

UNIT(a_file_that_others_can_write_is_refused_where_it_matters)
{
	static const mode_t modes[] = { 0620, 0602, 0666 };
	char path[32];

	for (size_t i = 0; i < 3; i++) {
		struct conffile *f;

		write_file(path, "mtu 1400\n", 9, modes[i]);
		ck_assert_ptr_null(conffile_read(path, true, err));
		ck_assert_ptr_nonnull(strstr(err, "chmod go-w"));
		f = conffile_read(path, false, err);
		ck_assert_ptr_nonnull(f);
		conffile_free(f);
		(void)unlink(path);
	}
}
END_TEST

UNIT(a_file_that_is_too_big_is_refused)
{
	char *text = malloc(CONFFILE_OCTETS_MAX + 1), path[32];
	struct conffile *f;

	ck_assert_ptr_nonnull(text);
	memset(text, '\n', CONFFILE_OCTETS_MAX + 1);
	write_file(path, text, CONFFILE_OCTETS_MAX, 0600);
	f = conffile_read(path, true, err);
	ck_assert_msg(f != NULL, "%s", err);
	conffile_free(f);
	(void)unlink(path);
	write_file(path, text, CONFFILE_OCTETS_MAX + 1, 0600);
	ck_assert_ptr_null(conffile_read(path, true, err));
	ck_assert_ptr_nonnull(strstr(err, "has more than 262144 octets"));
	(void)unlink(path);
	free(text);
}
END_TEST

UNIT_MAIN("conffile", a_line_is_a_name_and_one_value,
    comments_end_lines_and_are_no_part_of_words,
    quotes_hold_blanks_and_each_other, lines_are_counted_and_keep_their_order,
    octets_that_are_no_text_are_refused,
    a_line_may_have_so_many_octets_and_no_more,
    a_file_is_read_with_its_own_path, a_pipe_is_not_waited_for,
    a_file_that_others_can_write_is_refused_where_it_matters,
    a_file_that_is_too_big_is_refused)
