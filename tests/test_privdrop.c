/* SPDX-License-Identifier: ISC */
/*
 * test_privdrop.c - who to become, and that there is no way back.  What a
 * running softprobe keeps is tested by e2e_privilege.py.
 */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "privdrop.h"
#include "unit.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif

#define ERROR_LEN 256
#define SKIP 77 /* exit status of a child that cannot tell */

static const char *const nobody = "nobody";

/* Run what in a child: what it does to itself is for good. */
static int
in_child(int (*what)(void))
{
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ne(child, -1);
	if (child == 0)
		_exit(what());
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

UNIT(unknown_user_is_refused_in_one_line)
{
	struct privdrop pd;
	char why[ERROR_LEN] = "";

	ck_assert_int_eq(
	    privdrop_find(&pd, "no-such-user", why, sizeof(why)), -1);
	ck_assert_ptr_nonnull(strstr(why, "--user no-such-user"));
	ck_assert_ptr_null(strchr(why, '\n'));
}
END_TEST

UNIT(none_stays_who_one_is)
{
	struct privdrop pd;
	char why[ERROR_LEN] = "";

	ck_assert_int_eq(privdrop_find(&pd, "none", why, sizeof(why)), 0);
	ck_assert(!pd.change);
	ck_assert(!pd.homeless);
	ck_assert_str_ne(pd.name, "");
}
END_TEST

UNIT(own_name_changes_nothing)
{
	const struct passwd *pw = getpwuid(geteuid());
	struct privdrop pd;
	char why[ERROR_LEN] = "", name[64];

	if (pw == NULL)
		return; /* a user without a name */
	(void)strlcpy(name, pw->pw_name, sizeof(name));
	ck_assert_int_eq(privdrop_find(&pd, name, why, sizeof(why)), 0);
	ck_assert(!pd.change);
}
END_TEST

UNIT(default_user_is_root_s_only)
{
	bool there = getpwnam(PRIVDROP_USER) != NULL;
	struct privdrop pd;
	char why[ERROR_LEN] = "";

	ck_assert_int_eq(privdrop_find(&pd, NULL, why, sizeof(why)), 0);
	ck_assert_int_eq(pd.change, geteuid() == 0 && there);
	ck_assert_int_eq(pd.homeless, geteuid() == 0 && !there);
}
END_TEST

/* As a user; 0 if the wish of being another one was refused in one line. */
static int
wish_without_root(void)
{
	const struct passwd *pw = getpwnam(nobody);
	struct privdrop pd;
	char why[ERROR_LEN] = "";

	if (pw == NULL || (geteuid() == 0 && setuid(pw->pw_uid) == -1))
		return SKIP;
	return privdrop_find(&pd, "root", why, sizeof(why)) == -1 &&
		       strstr(why, "only root") != NULL
		   ? 0
		   : 1;
}

UNIT(only_root_can_become_another_user)
{
	int status = in_child(wish_without_root);

	ck_assert(status == 0 || status == SKIP);
}
END_TEST

static int
drop_to_nobody(void)
{
	struct privdrop pd;
	char why[ERROR_LEN] = "";

	if (geteuid() != 0 || getpwnam(nobody) == NULL)
		return SKIP;
	if (privdrop_find(&pd, nobody, why, sizeof(why)) == -1 || !pd.change)
		return 1;
	/* In a namespace with one user there is nobody to become. */
	if (privdrop_now(&pd, PRIVDROP_CAPTURE, why, sizeof(why)) == -1)
		return errno == EINVAL || errno == EPERM ? SKIP : 2;
	privdrop_rest();
	if (getuid() == 0 || geteuid() != getuid() || getegid() != getgid())
		return 3;
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 ||
	    setgroups(0, NULL) == 0)
		return 4;
	return open("/etc/shadow", O_RDONLY) == -1 ? 0 : 5;
}

UNIT(there_is_no_way_back_to_root)
{
	int status = in_child(drop_to_nobody);

	ck_assert_msg(status == 0 || status == SKIP, "step %d", status);
}
END_TEST

/* As whoever runs the test. */
static int
drop_without_change(void)
{
	struct privdrop pd;
	struct rlimit core;
	char why[ERROR_LEN] = "";

	if (privdrop_find(&pd, "none", why, sizeof(why)) == -1 ||
	    privdrop_now(&pd, 0, why, sizeof(why)) == -1)
		return 1;
	if (getrlimit(RLIMIT_CORE, &core) == -1 || core.rlim_max != 0)
		return 2;
#ifdef __linux__
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 3;
	if (!PRIVDROP_SANITIZER && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return 4;
#endif
	/* Without a capability uid 0 is not what it was. */
	return chroot("/") == -1 && errno == EPERM ? 0 : 5;
}

UNIT(who_stays_loses_capabilities_core_dumps_and_new_privileges)
{
	ck_assert_int_eq(in_child(drop_without_change), 0);
}
END_TEST

static int
few_descriptors(void)
{
	struct rlimit limit;

	privdrop_descriptors(20);
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur > 20)
		return 1;
	privdrop_descriptors(1000); /* what was lowered stays low */
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur > 20)
		return 2;
	return 0;
}

UNIT(descriptors_are_limited_and_never_beyond_the_outer_limit)
{
	int status;

	if (getenv("UNDER_VALGRIND") != NULL) {
		puts("valgrind keeps the hard limit of descriptors");
		return;
	}
	status = in_child(few_descriptors);
	ck_assert_msg(status == 0, "step %d", status);
}
END_TEST

UNIT(directory_of_a_file_is_made_and_others_cannot_write_there)
{
	const struct privdrop pd = { .change = false };
	char dir[] = "/tmp/softprobe-privdrop-XXXXXX", path[64];
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/sub/file", dir);
	privdrop_directory(&pd, path);
	*strrchr(path, '/') = '\0';
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & (S_IWGRP | S_IWOTH), 0);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	privdrop_directory(&pd, "no-directory-in-it");
	privdrop_directory(&pd, "/nowhere/at/all/file"); /* cannot; no matter */
}
END_TEST

UNIT(directory_that_was_there_stays_its_owner_s)
{
	const struct privdrop pd = { .change = true, .uid = 1, .gid = 1 };
	char dir[] = "/tmp/softprobe-privdrop-XXXXXX", path[64];
	struct stat st;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/file", dir);
	privdrop_directory(&pd, path);
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_int_eq(st.st_uid, geteuid());
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

UNIT_MAIN("privdrop", unknown_user_is_refused_in_one_line,
    none_stays_who_one_is, own_name_changes_nothing,
    default_user_is_root_s_only, only_root_can_become_another_user,
    there_is_no_way_back_to_root,
    who_stays_loses_capabilities_core_dumps_and_new_privileges,
    descriptors_are_limited_and_never_beyond_the_outer_limit,
    directory_of_a_file_is_made_and_others_cannot_write_there,
    directory_that_was_there_stays_its_owner_s)
