/* SPDX-License-Identifier: ISC */
/*
 * config.h - the command line, and a file if it names one, to struct config.
 * Every option stands in one table in config.c, every default in the constants
 * above it.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "endpoint.h"
#include "exporter.h"
#include "flowtrack.h"
#include "meters.h"

#define CONFIG_SOURCES_MAX 64
#define CONFIG_COLLECTORS_MAX 512

struct conffile; /* conffile.h */

/* Whether packets are seen at several interfaces of one box. */
enum router_choice {
	ROUTER_AUTO, /* live, if several are watched */
	ROUTER_ON,
	ROUTER_OFF
};

struct config_source {
	const char *name; /* interface, or path of a file */
	uint32_t ifindex; /* given before a colon; 0 = the system's */
};

struct config {
	struct config_source source[CONFIG_SOURCES_MAX];
	size_t nsources;
	bool replay;      /* the sources are files */
	uint32_t workers; /* metering threads; 1 to METERS_MAX */
	bool wait;        /* for interfaces that are missing */
	bool keep_own;    /* meter own sessions to collectors, too */
	bool no_routes;   /* do not ask the kernel where packets go */
	enum router_choice router;
	bool nat;         /* join both sides of translated connections */
	uint32_t nat_max; /* ... that are kept */
	struct capture_config capture;
	struct flowtrack_config track;
	struct exporter_config exporter;
	bool rate_given;
	struct collector_config defaults;   /* what a -n does not say */
	struct collector_config *collector; /* owned */
	size_t ncollectors;
	bool json;
	bool foreground;
	bool debug;
	bool quiet;                       /* no summary */
	const char *pidfile;              /* NULL = none */
	const char *control_path;         /* NULL = none */
	struct collector_address metrics; /* its host is "": none */
	bool check;                       /* leave before anything is opened */
	bool no_sandbox;
	const char *user;      /* to become; NULL = the default, or "none" */
	char *filter_text;     /* owned; what capture.filter points to */
	size_t filter_line;    /* of the file; 0 = elsewhere */
	struct conffile *file; /* owned; NULL = none */
};

enum config_result {
	CONFIG_RUN,  /* go on with *cfg */
	CONFIG_EXIT, /* --help, --version: done, leave with 0 */
	CONFIG_BAD   /* errbuf holds one line; leave with 2 */
};

#define CONFIG_ERROR_LEN 512

/*
 * The file that a command line names (--config), borrowed from argv; NULL if
 * none, or if config_parse() will not go on anyway.
 */
const char *config_file_name(int argc, char **argv);

/*
 * Parse a command line and before it a file (NULL = none), which it overrides.
 * The file is owned by *cfg from now on, also on error.  Strings in *cfg are
 * borrowed from both but for what config_free() frees.  Opens and creates
 * nothing.  May be called again and again; only after CONFIG_RUN is there
 * something to free.
 */
enum config_result config_parse(struct config *, struct conffile *, int argc,
    char **argv, char errbuf[CONFIG_ERROR_LEN]);

void config_free(struct config *);

/* The longest timeout: a flow ends so long after its last packet, or sooner. */
uint64_t config_longest_ms(const struct config *);

/*
 * Fill `names` with the options in which two configurations differ, ", "
 * between them: those that can change while running, or those that wait for a
 * restart.  "" if there are none.
 */
void config_changes(const struct config *, const struct config *, bool restart,
    char *names, size_t len);

/*
 * Fit a configuration to a probe that runs with another one: what decides what
 * records can tell, and cannot change, becomes what it is there.  Fill
 * `restart` as config_changes() does.  CONFIG_RUN, or CONFIG_BAD and it is
 * freed, with one line in errbuf: that cannot be.
 */
enum config_result config_adapt(struct config *, const struct config *running,
    char *restart, size_t len, char errbuf[CONFIG_ERROR_LEN]);

/*
 * Parse "name=time" (aliases idle and active too) and tell which timeouts it
 * sets: bit 1 << enum flow_timeout for each.  0, or -1 with one line in
 * errbuf.
 */
int config_timeout(const char *text, uint32_t *which, uint32_t *ms,
    char errbuf[CONFIG_ERROR_LEN]);

#endif
