/* SPDX-License-Identifier: ISC */
/*
 * probe.h - the parts of a running softprobe, as softprobe.c wires them and
 * commands.c asks them.
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "control.h"
#include "links.h"
#include "meters.h"
#include "notify.h"
#include "privdrop.h"
#include "reload.h"
#include "wake.h"

struct exporter; /* exporter.h */
struct httpd;    /* httpd.h */
struct largest;  /* largest.h */
struct printer;  /* printer.h */
struct router;   /* router.h */

struct probe {
	struct config config;
	struct privdrop privdrop;
	struct wake wake;        /* rung by the meters, a look-up or a signal */
	struct link_table links; /* read by the meters */
	struct meters *meters;
	struct exporter *exporter; /* NULL without collectors */
	struct printer *printer;   /* NULL with collectors */
	struct router *router;     /* NULL: a replay */
	struct control *control;   /* NULL without a socket */
	struct httpd *httpd;       /* NULL without --metrics */
	struct notify notify;      /* to the service manager */
	uint64_t started_ns;       /* monotonic, */
	uint64_t started_wall_ns;  /* and ns since 1970 UTC */
	bool stopping;             /* export what there is, then leave */
	bool hurried;              /* ... and wait for no collector */
	bool abandon;              /* leave without exporting */

	/* For the statistics that are exported, and warnings. */
	struct meter_call count;
	bool counting;                    /* they are being asked for */
	uint64_t counted_ns;              /* monotonic: when they last were */
	uint64_t warned_drops, warned_ns; /* of which was warned, and when */

	/* The one question to the meters, and who asked it. */
	struct meter_call call;
	const struct control_request *asker;
	struct printer *lister;  /* of the `flows` command */
	struct largest *largest; /* of the `largest` command */

	struct reload reload;
};

/* What softprobectl can ask; ends with a NULL name. */
extern const struct control_command probe_commands[];

#endif
