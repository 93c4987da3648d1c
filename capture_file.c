/* SPDX-License-Identifier: ISC */
/*
 * capture_file.c - capture files: classic ones by the own reader (pcapfile.h),
 * all others through libpcap.
 *
 * What a header may say - version, link type, snap length - and what a filter
 * means is libpcap's to judge in every file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capture_internal.h"

/* A pipe has nothing for now: nobody shall wait for what was read. */
static void
before_wait(void *arg)
{
	struct capture *c = arg;

	capture_flush(c);
	if (c->waiter.waiting != NULL)
		c->waiter.waiting(c->waiter.arg);
}

static pcap_t *
open_pcap(FILE *stream, char why[PCAP_ERRBUF_SIZE])
{
	return pcap_fopen_offline_with_tstamp_precision(
	    stream, PCAP_TSTAMP_PRECISION_NANO, why);
}

/*
 * Whether the own reader does for the frames of a handle.  Where it is not
 * the host's byte order libpcap brings some link-layer headers into it, and
 * what cannot be decoded may have longer records.
 */
static bool
is_simple(pcap_t *p)
{
	static const int host_order[] = { DLT_LINUX_SLL, DLT_NFLOG, DLT_PFLOG };
	int link_type = pcap_datalink(p);

	if (!decode_knows(link_type))
		return false;
	for (size_t i = 0; i < sizeof(host_order) / sizeof(*host_order); i++)
		if (link_type == host_order[i] && pcap_is_swapped(p))
			return false;
	return true;
}

/*
 * Start the own reader, if the file is for it.  Returns a handle that libpcap
 * made of the file's header alone, or NULL: libpcap shall read it all.
 */
static pcap_t *
open_records(struct capture *c)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	FILE *stream;
	pcap_t *p;

	if (c->config.libpcap_reader ||
	    !pcapfile_recognise(c->input, c->header))
		return NULL;
	stream = fmemopen(c->header, sizeof(c->header), "rb");
	if (stream == NULL)
		return NULL;
	p = open_pcap(stream, why);
	if (p == NULL) {
		(void)fclose(stream);
		return NULL;
	}
	if (is_simple(p))
		c->records = pcapfile_new(
		    c->input, c->header, (uint32_t)pcap_snapshot(p));
	if (c->records == NULL) {
		pcap_close(p);
		return NULL;
	}
	return p;
}

static int
open_handle(struct capture *c)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *p = open_records(c);

	if (p == NULL)
		p = open_pcap(input_stream(c->input), why);
	if (p == NULL && input_stopped(c->input))
		return capture_explain(c, "stopped before its first packet");
	if (p == NULL) {
		const char *e = input_error(c->input);

		(void)snprintf(c->error, sizeof(c->error),
		    "%.200s: not a capture file: %s", c->name,
		    e == NULL ? why : e);
		return -1;
	}
	if (capture_adopt(c, p) == -1) {
		pcap_close(p);
		return -1;
	}
	return 0;
}

static int
open_input(struct capture *c, int fd)
{
	const struct input_waiter waiter = { c->waiter.stop, c->waiter.call,
		before_wait, c };

	c->input = input_adopt(fd, &waiter);
	if (c->input == NULL && errno == ENOTSUP)
		return capture_explain(c, "gzip'd, and built without zlib");
	if (c->input == NULL)
		return capture_explain(c, strerror(errno));
	return open_handle(c);
}

void
capture_find_file(struct capture_file *f, const char *path)
{
	*f = (struct capture_file){ path, input_descriptor(path), 0 };
	if (f->fd == -1)
		f->error = errno;
}

void
capture_leave_file(struct capture_file *f)
{
	if (f->fd != -1 && f->fd != STDIN_FILENO)
		close(f->fd);
	f->fd = -1;
}

struct capture *
capture_open_found(struct capture_file *f, uint32_t ifindex,
    const struct capture_config *config, const struct input_waiter *waiter,
    char errbuf[CAPTURE_ERROR_LEN])
{
	bool from_stdin = strcmp(f->path, "-") == 0;
	struct capture *c = capture_new(
	    from_stdin ? "standard input" : f->path, ifindex, config);
	int fd = f->fd, status = -1;

	if (c == NULL) {
		capture_leave_file(f);
		return capture_give_up(c, errbuf);
	}
	f->fd = -1;
	if (waiter != NULL)
		c->waiter = *waiter;
	if (fd == -1)
		capture_explain(c, strerror(f->error));
	else
		status = open_input(c, fd);
	return status == 0 ? c : capture_give_up(c, errbuf);
}

size_t
capture_file_memory(const struct capture_config *config)
{
	return capture_memory(config) + input_memory() + pcapfile_memory() +
	       CAPTURE_FILE_OCTETS;
}

struct capture *
capture_open_file(const char *path, uint32_t ifindex,
    const struct capture_config *config, const struct input_waiter *waiter,
    char errbuf[CAPTURE_ERROR_LEN])
{
	struct capture_file f;

	capture_find_file(&f, path);
	return capture_open_found(&f, ifindex, config, waiter, errbuf);
}

/* Leave to the front those records that pass the filter; how many they are. */
static size_t
filter_records(const struct capture *c, struct pcapfile_record *rec, size_t n)
{
	size_t passed = 0;

	for (size_t i = 0; i < n; i++) {
		struct pcap_pkthdr h = { .caplen = rec[i].caplen,
			.len = rec[i].wirelen };

		if (pcap_offline_filter(&c->program, &h, rec[i].frame) != 0)
			rec[passed++] = rec[i];
	}
	return passed;
}

/* As pcap_dispatch, but records that do not pass the filter count, too. */
static int
dispatch_records(struct capture *c)
{
	struct pcapfile_record rec[CAPTURE_BURST];
	enum pcapfile_status status;
	size_t n, done = 0;

	do {
		status = pcapfile_next(c->records, rec, CAPTURE_BURST, &n);
		done += n;
		if (c->filter != NULL)
			n = filter_records(c, rec, n);
		capture_records(c, rec, n);
	} while (status == PCAPFILE_RECORD && done < CAPTURE_DISPATCH);
	return status == PCAPFILE_DAMAGED ? -1 : (int)done;
}

/* Say what is wrong with the file, or return NULL. */
static const char *
damage(const struct capture *c, int dispatched)
{
	const char *why = input_error(c->input);

	if (why != NULL || dispatched == 0)
		return why;
	return c->records != NULL ? pcapfile_error(c->records)
				  : pcap_geterr(c->pcap);
}

enum capture_result
capture_read_file(struct capture *c)
{
	const char *why;
	int n = c->records != NULL ? dispatch_records(c)
				   : pcap_dispatch(c->pcap, CAPTURE_DISPATCH,
					 capture_pcap_frame, (void *)c);

	capture_flush(c);
	if (n > 0)
		return CAPTURE_MORE;
	why = damage(c, n);
	if (input_stopped(c->input) || why == NULL)
		return CAPTURE_END;
	(void)snprintf(c->error, sizeof(c->error),
	    "%.200s: damaged after %" PRIu64 " packets: %s", c->name,
	    c->stats.frames, why);
	return CAPTURE_ERROR;
}

void
capture_close_file(struct capture *c)
{
	pcapfile_free(c->records);
	input_close(c->input);
}

void
capture_continue(struct capture *c, const struct capture *before)
{
	c->clock = before->clock;
}

int
capture_permille(const struct capture *c)
{
	return c->input == NULL ? -1 : input_permille(c->input);
}
