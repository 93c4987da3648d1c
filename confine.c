/* SPDX-License-Identifier: ISC */
/*
 * confine.c - what a configuration needs of the system; see confine.h.
 */
#include <netinet/in.h>
#include <sys/types.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conffile.h"
#include "config.h"
#include "confine.h"
#include "control.h"
#include "httpd.h"
#include "log.h"
#include "privdrop.h"
#include "sandbox.h"

#define DESCRIPTORS_SPARE 256 /* for look-ups and what libraries open */
#define DESCRIPTORS_EACH 4    /* of a source or a collector, at most */

void
confine_descriptors(const struct config *cfg)
{
	size_t sources = cfg->nsources * (cfg->workers + 1);
	size_t collectors = /* a file can have more of them later */
	    cfg->file == NULL ? cfg->ncollectors : CONFIG_COLLECTORS_MAX;

	privdrop_descriptors(DESCRIPTORS_SPARE + CONTROL_CLIENTS_MAX +
			     HTTPD_CLIENTS_MAX +
			     (sources + collectors) * DESCRIPTORS_EACH);
}

/* Which privileges the metering threads need to open what they lost. */
static unsigned int
rights_kept(const struct config *cfg)
{
	unsigned int keep = 0;

	for (size_t i = 0; !cfg->replay && i < cfg->nsources; i++)
		keep |= strncmp(cfg->source[i].name, "nflog", 5) == 0
			    ? PRIVDROP_NFLOG
			    : PRIVDROP_CAPTURE;
	return keep;
}

/* Files ------------------------------------------------------------------ */

/* Whether a collector has a name that is looked up again and again. */
static bool
looks_up(const struct config *cfg)
{
	struct in6_addr addr;

	for (size_t i = 0; i < cfg->ncollectors; i++) {
		const char *host = cfg->collector[i].address.host;

		if (cfg->collector[i].path == NULL &&
		    inet_pton(AF_INET, host, &addr) != 1 &&
		    inet_pton(AF_INET6, host, &addr) != 1)
			return true;
	}
	return false;
}

/*
 * What a look-up reads: settings in /etc, which are replaced while we run, so
 * that their directory is needed; what they link to; modules of the C library.
 */
static void
allow_lookups(void)
{
	static const char *const paths[] = { "/etc", "/run/systemd/resolve",
		"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/var/lib/sss",
		"/dev/urandom" };
	char *settings = realpath("/etc/resolv.conf", NULL);

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		sandbox_allow(SANDBOX_EXPORTING, paths[i], SANDBOX_READ);
	if (settings != NULL)
		sandbox_allow_beside(SANDBOX_EXPORTING, settings, SANDBOX_READ);
	free(settings);
}

/* The directory of a collector's files; NULL if it has none, or no memory. */
static char *
output_directory(const struct collector_config *c)
{
	size_t fixed, len = 0;

	if (c->path == NULL || strcmp(c->path, "-") == 0)
		return NULL;
	fixed = strcspn(c->path, "%"); /* then comes a time */
	for (size_t i = 0; i < fixed; i++)
		if (c->path[i] == '/')
			len = i + 1;
	return len == 0 ? strdup(".") : strndup(c->path, len);
}

/* Files are begun, renamed and begun again in their directories. */
static void
allow_outputs(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->ncollectors; i++) {
		char *dir = output_directory(&cfg->collector[i]);

		if (dir != NULL)
			sandbox_allow(SANDBOX_EXPORTING, dir, SANDBOX_WRITE);
		free(dir);
	}
}

/* Root wonders why it may not write: say who it is now, or what it lacks. */
static void
check_outputs(const struct config *cfg, const struct privdrop *pd)
{
	for (size_t i = 0; i < cfg->ncollectors; i++) {
		const char *path = cfg->collector[i].path;
		char *dir = output_directory(&cfg->collector[i]);

		if (dir != NULL && access(path, W_OK) == -1 &&
		    access(dir, W_OK) == -1 && errno == EACCES)
			log_warn("%s: user %s may not write there%s", path,
			    pd->name,
			    pd->change ? "; let that user, or give --user"
				       : ", and has no capability to");
		free(dir);
	}
}

/* The configuration file is replaced, and read again; it may be a link. */
static void
allow_reload(const char *path)
{
	char *real = realpath(path, NULL);

	sandbox_allow_beside(SANDBOX_EXPORTING, path, SANDBOX_READ);
	if (real != NULL)
		sandbox_allow_beside(SANDBOX_EXPORTING, real, SANDBOX_READ);
	free(real);
}

/* Root wonders why it is not read again: say who it is now, or what it lacks.
 */
static void
check_reload(const char *path, const struct privdrop *pd)
{
	if (access(path, R_OK) == -1 && errno == EACCES)
		log_warn("%s: user %s may not read it again, so it cannot be "
			 "reloaded%s",
		    path, pd->name,
		    pd->change ? "; let that user, or give --user"
			       : "; let that user");
}

static void
allow_files(const struct config *cfg)
{
	const char *const removed[] = { cfg->pidfile, cfg->control_path };

	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++)
		if (removed[i] != NULL)
			sandbox_allow_beside(
			    SANDBOX_EXPORTING, removed[i], SANDBOX_REMOVE);
	sandbox_allow(SANDBOX_EXPORTING, "/dev/null", SANDBOX_WRITE);
	allow_outputs(cfg);
	if (looks_up(cfg) || cfg->file != NULL)
		allow_lookups();
	if (cfg->file != NULL)
		allow_reload(cfg->file->path);
	/* libpcap reads what an interface is, and its counters. */
	sandbox_allow(SANDBOX_LIVE, "/sys", SANDBOX_READ);
}

/* What the process as a whole needs when everything is open. */
static unsigned int
needs(const struct config *cfg)
{
	unsigned int n = cfg->replay ? 0 : SANDBOX_NEED_INTERFACES;

	for (size_t i = 0; i < cfg->ncollectors; i++)
		if (cfg->collector[i].path == NULL)
			n |= SANDBOX_NEED_NETWORK;
		else if (strcmp(cfg->collector[i].path, "-") != 0)
			n |= SANDBOX_NEED_FILES;
	if (cfg->metrics.host[0] != '\0')
		n |= SANDBOX_NEED_NETWORK;
	if (cfg->pidfile != NULL || cfg->control_path != NULL)
		n |= SANDBOX_NEED_FILES;
	return n;
}

/* All together ----------------------------------------------------------- */

int
confine(const struct config *cfg, const struct privdrop *pd)
{
	unsigned int keep = rights_kept(cfg);
	char errbuf[CONFIG_ERROR_LEN];

	tzset(); /* reads a file, once */
	if (!cfg->no_sandbox) {
		sandbox_init(needs(cfg));
		allow_files(cfg);
	}
	if (privdrop_now(pd, keep, errbuf, sizeof(errbuf)) == -1) {
		log_error("%s", errbuf);
		return -1;
	}
	check_outputs(cfg, pd);
	if (cfg->file != NULL && !cfg->replay)
		check_reload(cfg->file->path, pd);
	if (pd->homeless && !cfg->replay)
		log_warn("there is no user " PRIVDROP_USER
			 ": going on as root, with capabilities: %s; make "
			 "one, or give --user",
		    privdrop_names(keep));
	return 0;
}

/*
 * Opening a directory asks the sandbox, too, which allows those that some
 * collector had at the start.
 */
int
confine_check(const struct collector_config *c, char reason[REASON_LEN])
{
	char *dir = output_directory(c);
	int fd = -1, error;

	if (dir == NULL)
		return 0;
	if (access(c->path, W_OK) == 0 || access(dir, W_OK) == 0)
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	error = errno;
	free(dir);
	if (fd != -1)
		return close(fd);
	(void)snprintf(reason, REASON_LEN,
	    "%.200s: %s; another directory than collectors have had may need "
	    "a restart",
	    c->path, strerror(error));
	return -1;
}

void
confine_describe(FILE *f, const struct config *cfg, const struct privdrop *pd)
{
	unsigned int keep = rights_kept(cfg);

	(void)fprintf(f, "user: %s%s\n", pd->name,
	    pd->homeless ? ", since there is no user " PRIVDROP_USER : "");
	(void)fprintf(f, "capabilities: %s%s\n", privdrop_names(keep),
	    keep == 0 ? "" : ", in the threads that meter");
	if (cfg->no_sandbox)
		(void)fprintf(f, "landlock, seccomp: off, by --no-sandbox\n");
	else
		sandbox_describe(f);
}
