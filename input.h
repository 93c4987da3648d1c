/* SPDX-License-Identifier: ISC */
/*
 * input.h - the octets of a capture file: a plain or gzip'd file, a pipe, a
 * FIFO or standard input, by large reads or as a stdio stream for libpcap.
 *
 * A read that waits for a pipe can be ended by another thread, so a FIFO that
 * nobody writes never keeps the program from leaving.
 */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define INPUT_PEEK_MAX 64

struct wake; /* wake.h */
struct input;

/* What happens while a read has to wait for a pipe. */
struct input_waiter {
	const struct wake *stop; /* a ring ends the stream; NULL = never */
	const struct wake *call; /* a ring calls waiting(); NULL = never */
	/* Also called before each wait; NULL: not. */
	void (*waiting)(void *arg);
	void *arg;
};

/*
 * Open a file for input_adopt(), without waiting for a FIFO's writer;
 * standard input for "-".  Returns a descriptor, or -1 with errno (EISDIR for
 * a directory).
 */
int input_descriptor(const char *path);

/*
 * As input_open() of what input_descriptor() gave, which is taken over even
 * if this fails.
 */
struct input *input_adopt(int fd, const struct input_waiter *);

/* Octets that an input takes, whatever it decompresses. */
size_t input_memory(void);

/*
 * Open a file, or standard input for "-", and read its first octets: on a
 * FIFO this waits for a writer.  A ring of `stop` ends every read as if the
 * stream ended there.  Nothing here clears a wake.
 * Returns NULL with errno set (EISDIR for a directory, ENOTSUP for a gzip'd
 * file where zlib was not built in).
 */
struct input *input_open(const char *path, const struct input_waiter *);

/*
 * Copy the first len (at most INPUT_PEEK_MAX) octets, decompressed, to dst
 * without taking them; only before anything was read.  Returns how many there
 * are: fewer than len if the file is shorter or cannot be read.
 */
size_t input_peek(struct input *, void *dst, size_t len);

/*
 * Read on, as read(2): 1 to len octets, decompressed; 0 at the end or once
 * stopped; -1 with errno.  Waits only where not one octet is there.  Use this
 * or the stream, not both.
 */
ssize_t input_read(struct input *, void *dst, size_t len);

/*
 * The stream of (decompressed) octets, for one thread: it does not lock.
 * Owned by the input, but whoever reads it may fclose it.
 */
FILE *input_stream(struct input *);

/* Close stream and file; standard input stays open.  NULL is fine. */
void input_close(struct input *);

/* How far the reading of the file is, 0 to 1000; -1 for a pipe.  Any thread. */
int input_permille(const struct input *);

/* Whether a ring of `stop` ended the stream. */
bool input_stopped(const struct input *);

/* What went wrong while reading: NULL if nothing, else a static message. */
const char *input_error(const struct input *);

#endif
