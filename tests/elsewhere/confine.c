/* SPDX-License-Identifier: ISC */
/*
 * confine.c - what a run with these needs asks of a system that confines
 * processes: tests/e2e_elsewhere.py builds it as if on OpenBSD or FreeBSD.
 *
 *	confine NEEDS    a sum of SANDBOX_NEED_ bits
 */
#include <stdio.h>
#include <stdlib.h>

#include "calls.h"
#include "sandbox.h"

static const char *
shown(const char *text)
{
	return text == NULL ? "NULL" : text;
}

int
pledge(const char *promises, const char *execpromises)
{
	(void)printf("pledge %s, %s\n", shown(promises), shown(execpromises));
	return 0;
}

int
unveil(const char *path, const char *permissions)
{
	(void)printf("unveil %s %s\n", shown(path), shown(permissions));
	return 0;
}

int
cap_enter(void)
{
	(void)printf("cap_enter\n");
	return 0;
}

int
feature_present(const char *feature)
{
	(void)feature;
	return 1;
}

int
main(int argc, char **argv)
{
	unsigned int needs =
	    argc == 2 ? (unsigned int)strtoul(argv[1], NULL, 10) : 0;

	sandbox_describe(stdout);
	sandbox_init(needs);
	sandbox_allow(SANDBOX_EXPORTING, "/etc", SANDBOX_READ);
	sandbox_allow(SANDBOX_EXPORTING, "/out", SANDBOX_WRITE);
	sandbox_allow(SANDBOX_EXPORTING, "/run", SANDBOX_REMOVE);
	sandbox_enter((needs & SANDBOX_NEED_INTERFACES) != 0 ? SANDBOX_LIVE
							     : SANDBOX_REPLAY);
	(void)printf("threads run\n");
	sandbox_enter(SANDBOX_EXPORTING);
	sandbox_enter(SANDBOX_RESOLVING);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
