/* SPDX-License-Identifier: ISC */
/*
 * log.h - one line an event, to standard error in the foreground and to
 * syslog as a daemon.  Never called per packet.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */

/* Messages from now on go to syslog (true) or to standard error. */
void log_to_syslog(bool);

/* Show LOG_DEBUG messages too.  Any thread may call it. */
void log_set_debug(bool);
bool log_debugging(void);

/*
 * Write one line; priority is one of syslog's.  Octets that are not printable
 * ASCII or UTF-8 are shown as '?', so that no name can forge a line.
 */
void log_msg(int priority, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Write one last line from a signal handler, before leaving: async-signal-safe
 * and to where log_msg() writes.  Plain ASCII, at most some 200 octets.
 */
void log_last_words(const char *text);

#define log_error(...) log_msg(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_WARNING, __VA_ARGS__)
#define log_note(...) log_msg(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
