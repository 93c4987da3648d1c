/* SPDX-License-Identifier: ISC */
/*
 * privdrop.h - give up root once everything is open.
 *
 * The order is the caller's: privdrop_find() before anything is opened,
 * privdrop_directory() before a file that is to be removed at the end,
 * privdrop_now() when all is open and there is still one thread,
 * privdrop_rest() in a thread that needs no privilege at all.
 */
#ifndef PRIVDROP_H
#define PRIVDROP_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#define PRIVDROP_USER "softprobe" /* the default, where it exists */

/* A sanitizer's runtime does what the program itself never does. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PRIVDROP_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||     \
    __has_feature(memory_sanitizer)
#define PRIVDROP_SANITIZER 1
#endif
#endif
#ifndef PRIVDROP_SANITIZER
#define PRIVDROP_SANITIZER 0
#endif

/* Rights that a thread keeps, as bits. */
#define PRIVDROP_CAPTURE 0x1 /* open an interface again: CAP_NET_RAW */
#define PRIVDROP_NFLOG 0x2   /* bind to a netfilter log: CAP_NET_ADMIN */

struct privdrop {
	bool change;   /* become uid and gid */
	bool homeless; /* root, and the default user does not exist */
	uid_t uid;
	gid_t gid;
	char name[64]; /* of the user that is or stays; for messages */
};

/*
 * Find out who to become: the named user, nobody else for "none", or for NULL
 * the default user if there is one and we are root.  Changes nothing.
 * Returns 0, or -1 with one line in errbuf: no such user, or not ours to
 * become.
 */
int privdrop_find(
    struct privdrop *, const char *name, char *errbuf, size_t errlen);

/*
 * Make the directory of a file at path, if it is missing, and give it to the
 * user, who could not remove the file at the end otherwise.  So is done with
 * root's own directory at RUNSTATEDIR/softprobe; others stay as they are.
 * What fails, the file will tell.
 */
void privdrop_directory(const struct privdrop *, const char *path);

/*
 * Use what a program file permits and does not give by itself, as after
 * `setcap cap_net_raw+p`: such a file runs without the capability, too.
 */
void privdrop_raise(void);

/* Allow n descriptors, as far as the limit set from outside does. */
void privdrop_descriptors(size_t n);

/*
 * Become the user, for good: no other groups, no capability but those of
 * `keep` that there are, none to be had by executing anything, no core dumps.
 * Call it while there is one thread.  Returns 0, or -1 with one line that
 * names what is missing in errbuf.
 */
int privdrop_now(
    const struct privdrop *, unsigned int keep, char *errbuf, size_t errlen);

/* Give up in this thread what privdrop_now() kept. */
void privdrop_rest(void);

/* The names of what `keep` stands for here, or "none". */
const char *privdrop_names(unsigned int keep);

#endif
