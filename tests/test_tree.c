/* SPDX-License-Identifier: ISC */
/*
 * test_tree.c - treetype.h: order and balance through every kind of change.
 */
#include "treetype.h"
#include "unit.h"

#define NODES 3000

static struct tree_node node[NODES + 1];
static uint32_t rank[NODES + 1];
static uint32_t root, count;
static unsigned seed;

static int
by_rank(const void *arg, uint32_t a, uint32_t b)
{
	const uint32_t *r = arg;

	return (r[a] > r[b]) - (r[a] < r[b]);
}

static const struct tree_type type = { node, by_rank, rank };

static uint32_t
next_random(void)
{
	seed = seed * 1103515245u + 12345u;
	return (uint32_t)seed >> 8;
}

/* Black height of a correct subtree; -1 if a rule is broken. */
static int
black_height(uint32_t i, uint32_t *last, bool parent_red)
{
	int low, high;

	if (i == 0)
		return 1;
	if (i > NODES || (parent_red && tree_is_red(&type, i)))
		return -1;
	low =
	    black_height(tree_child(&type, i, 0), last, tree_is_red(&type, i));
	if (*last != 0 && tree_order(&type, *last, i) >= 0)
		return -1;
	*last = i;
	count++;
	high =
	    black_height(tree_child(&type, i, 1), last, tree_is_red(&type, i));
	return low == -1 || low != high ? -1 : low + !tree_is_red(&type, i);
}

static void
verify(uint32_t expected)
{
	uint32_t last = 0;

	count = 0;
	ck_assert(!tree_is_red(&type, root));
	ck_assert_int_ne(black_height(root, &last, true), -1);
	ck_assert_uint_eq(count, expected);
}

/* Tags drawn from `tags` values, so that ties fall to the comparison. */
static void
churn(uint32_t tags)
{
	static bool in[NODES + 1];
	uint32_t n = 0;

	for (uint32_t i = 1; i <= NODES; i++) {
		node[i].tag = next_random() % tags;
		rank[i] = i * 2654435761u;
	}
	for (int turn = 0; turn < 60000; turn++) {
		uint32_t i = 1 + next_random() % NODES;

		if (in[i])
			tree_remove(&type, &root, i);
		else
			tree_insert(&type, &root, i);
		n = in[i] ? n - 1 : n + 1;
		in[i] = !in[i];
		if (turn % 97 == 0)
			verify(n);
	}
	for (uint32_t i = 1; i <= NODES; i++) {
		if (in[i])
			tree_remove(&type, &root, i);
		if (in[i])
			n--;
		if (i % 101 == 0)
			verify(n);
	}
	ck_assert_uint_eq(root, 0);
}

UNIT(random_changes_keep_order_and_balance)
{
	seed = 1;
	churn(UINT32_MAX);
}
END_TEST

UNIT(equal_tags_are_ordered_by_the_comparison)
{
	seed = 2;
	churn(1);
}
END_TEST

UNIT(few_tags_mix_both_orders)
{
	seed = 3;
	churn(7);
}
END_TEST

UNIT(ascending_and_descending_inserts_stay_balanced)
{
	for (uint32_t i = 1; i <= NODES; i++) {
		node[i].tag = i;
		tree_insert(&type, &root, i);
		if (i % 50 == 0)
			verify(i);
	}
	for (uint32_t i = 1; i <= NODES; i++) {
		tree_remove(&type, &root, i);
		if (i % 50 == 0)
			verify(NODES - i);
	}
	for (uint32_t i = NODES; i > 0; i--) {
		tree_insert(&type, &root, i);
		if (i % 50 == 0)
			verify(NODES + 1 - i);
	}
}
END_TEST

UNIT_MAIN("tree", random_changes_keep_order_and_balance,
    equal_tags_are_ordered_by_the_comparison, few_tags_mix_both_orders,
    ascending_and_descending_inserts_stay_balanced)
