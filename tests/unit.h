/* SPDX-License-Identifier: ISC */
/*
 * unit.h - what every unit test shares: a libcheck suite as a main().
 *
 *	UNIT(idle_flow_ends_at_its_timeout) { ... ck_assert ... } END_TEST
 *	UNIT_MAIN("flowtrack", idle_flow_ends_at_its_timeout, ...)
 *
 * A test's name is the sentence it proves.  The last line printed is
 * "N passed, N failed", which tests/run adds up.
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define UNIT(name) START_TEST(name)

static inline int
unit_main(const char *suite, const TTest *const *tests, size_t n)
{
	Suite *s = suite_create(suite);
	TCase *tc = tcase_create(suite);
	SRunner *sr;
	int run, failed;

	for (size_t i = 0; i < n; i++)
		tcase_add_test(tc, tests[i]);
	tcase_set_timeout(tc, 120);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	run = srunner_ntests_run(sr);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	printf("%d passed, %d failed\n", run - failed, failed);
	return failed == 0 && run > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(suite, ...)                                                  \
	int main(void)                                                         \
	{                                                                      \
		const TTest *const tests[] = { __VA_ARGS__ };                  \
		return unit_main(                                              \
		    suite, tests, sizeof(tests) / sizeof(tests[0]));           \
	}

#endif
