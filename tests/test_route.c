/* SPDX-License-Identifier: ISC */
/* test_route.c - where packets go, by a kernel of the test's own. */
#include <errno.h>
#include <string.h>

#include "route.h"
#include "unit.h"

/* What the kernel says, and what it was asked. */
struct kernel {
	struct route answer;
	int error, error_at_ingress; /* errno; 0 = it answers */
	unsigned int asked;
	struct route_query last;
};

static int
ask(void *arg, const struct route_query *query, struct route *answer)
{
	struct kernel *k = arg;

	k->asked++;
	k->last = *query;
	errno = query->ingress != 0 && k->error_at_ingress != 0
		    ? k->error_at_ingress
		    : k->error;
	*answer = k->answer;
	return errno == 0 ? 0 : -1;
}

static struct route_query
query(uint32_t n)
{
	struct route_query q = { .ip_version = 4, .ingress = 2 };

	memcpy(q.src, "\xc0\x00\x02\x01", 4);
	memcpy(q.dst, &n, sizeof(n));
	return q;
}

static const struct route out = { ROUTE_OUT, 7 };

UNIT(an_answer_is_kept_until_something_changes)
{
	struct kernel k = { .answer = out };
	struct routes *r = routes_new_asking(ask, &k);
	const struct route_query q = query(1);
	struct route found;

	found = routes_find(r, &q);
	ck_assert_int_eq(found.kind, ROUTE_OUT);
	ck_assert_uint_eq(found.ifindex, 7);
	k.answer.ifindex = 8;
	ck_assert_uint_eq(routes_find(r, &q).ifindex, 7);
	ck_assert_uint_eq(k.asked, 1);
	routes_forget(r);
	ck_assert_uint_eq(routes_find(r, &q).ifindex, 8);
	ck_assert_uint_eq(k.asked, 2);
	ck_assert_uint_eq(routes_stats(r)->asked, 2);
	ck_assert_uint_eq(routes_stats(r)->kept, 1);
	routes_free(r);
}
END_TEST

UNIT(each_part_of_a_query_matters_but_congestion_bits)
{
	struct kernel k = { .answer = out };
	struct routes *r = routes_new_asking(ask, &k);
	struct route_query q = query(1), other;

	(void)routes_find(r, &q);
	other = q;
	other.tos = 3;
	(void)routes_find(r, &other);
	ck_assert_uint_eq(k.asked, 1);
	other.tos = 4;
	(void)routes_find(r, &other);
	ck_assert_uint_eq(k.asked, 2);
	other = q;
	other.ingress = 3;
	(void)routes_find(r, &other);
	ck_assert_uint_eq(k.asked, 3);
	other = q;
	other.src[3]++;
	(void)routes_find(r, &other);
	ck_assert_uint_eq(k.asked, 4);
	other = q;
	other.ip_version = 6;
	(void)routes_find(r, &other);
	ck_assert_uint_eq(k.asked, 5);
	routes_free(r);
}
END_TEST

UNIT(more_answers_than_the_cache_holds_are_all_right)
{
	struct kernel k = { .answer = out };
	struct routes *r = routes_new_asking(ask, &k);

	for (uint32_t i = 0; i < 20000; i++) {
		const struct route_query q = query(i);

		k.answer.ifindex = i + 1;
		ck_assert_uint_eq(routes_find(r, &q).ifindex, i + 1);
	}
	for (uint32_t i = 19000; i < 20000; i++) {
		const struct route_query q = query(i);

		k.answer.ifindex = i + 1;
		ck_assert_uint_eq(routes_find(r, &q).ifindex, i + 1);
	}
	ck_assert_uint_gt(routes_stats(r)->kept, 500);
	routes_free(r);
}
END_TEST

UNIT(a_packet_refused_where_it_came_in_is_asked_about_as_if_born_here)
{
	static const int errors[] = { EINVAL, EXDEV, ENODEV };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kernel k = { .answer = out,
			.error_at_ingress = errors[i] };
		struct routes *r = routes_new_asking(ask, &k);
		const struct route_query q = query(1);
		static const uint8_t nobody[16];

		ck_assert_uint_eq(routes_find(r, &q).ifindex, 7);
		ck_assert_uint_eq(k.asked, 2);
		ck_assert_uint_eq(k.last.ingress, 0);
		ck_assert_mem_eq(k.last.src, nobody, 16);
		ck_assert_uint_eq(routes_find(r, &q).ifindex, 7);
		ck_assert_uint_eq(k.asked, 2);
		routes_free(r);
	}
}
END_TEST

UNIT(what_is_unreachable_goes_nowhere_and_that_is_kept)
{
	static const int errors[] = { ENETUNREACH, EHOSTUNREACH, EACCES };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kernel k = { .answer = out, .error = errors[i] };
		struct routes *r = routes_new_asking(ask, &k);
		const struct route_query q = query(1);

		ck_assert_int_eq(routes_find(r, &q).kind, ROUTE_NONE);
		ck_assert_uint_eq(routes_find(r, &q).ifindex, 0);
		ck_assert_uint_eq(k.asked, 1);
		ck_assert_uint_eq(routes_stats(r)->failed, 0);
		routes_free(r);
	}
}
END_TEST

UNIT(a_question_that_fails_is_counted_and_asked_again)
{
	static const int errors[] = { EAGAIN, ENOBUFS, ENOMEM };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kernel k = { .answer = out, .error = errors[i] };
		struct routes *r = routes_new_asking(ask, &k);
		const struct route_query q = query(1);

		ck_assert_int_eq(routes_find(r, &q).kind, ROUTE_UNKNOWN);
		ck_assert_uint_eq(routes_stats(r)->failed, 1);
		k.error = 0;
		ck_assert_int_eq(routes_find(r, &q).kind, ROUTE_OUT);
		routes_free(r);
	}
}
END_TEST

UNIT(of_nobody_nothing_is_known)
{
	const struct route_query q = query(1);

	ck_assert_int_eq(routes_find(NULL, &q).kind, ROUTE_UNKNOWN);
	ck_assert_int_eq(routes_fd(NULL), -1);
	routes_read(NULL);
	routes_free(NULL);
}
END_TEST

UNIT(this_machine_knows_itself)
{
	struct routes *r = routes_new();
	struct route_query q = { .ip_version = 4 };

#ifdef HAVE_MNL
	ck_assert_ptr_nonnull(r);
	memcpy(q.dst, "\x7f\x00\x00\x01", 4);
	ck_assert_int_eq(routes_find(r, &q).kind, ROUTE_LOCAL);
	ck_assert_int_ge(routes_fd(r), 0);
	routes_read(r);
	ck_assert_uint_eq(routes_stats(r)->failed, 0);
#else
	(void)q;
	ck_assert_ptr_null(r);
	ck_assert_int_eq(errno, ENOSYS);
#endif
	routes_free(r);
}
END_TEST

UNIT_MAIN("route", an_answer_is_kept_until_something_changes,
    each_part_of_a_query_matters_but_congestion_bits,
    more_answers_than_the_cache_holds_are_all_right,
    a_packet_refused_where_it_came_in_is_asked_about_as_if_born_here,
    what_is_unreachable_goes_nowhere_and_that_is_kept,
    a_question_that_fails_is_counted_and_asked_again,
    of_nobody_nothing_is_known, this_machine_knows_itself)
