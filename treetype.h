/* SPDX-License-Identifier: ISC */
/*
 * treetype.h - the one tree of the project: a red-black tree over an array.
 *
 * Nodes are named by 32-bit indexes, not pointers, and stand in an array of
 * their own, apart from the records they lead to: four or five share a cache
 * line, so that a walk seldom touches a record before the last step.  A node
 * has no link to its parent; changes remember the path they came by.  The
 * macros of <sys/tree.h> can do neither, which is why this file is here.
 *
 * Index 0 means "no node".  A tree is ordered by `tag` first and, only where
 * tags are equal, by the caller's comparison.
 */
#ifndef TREETYPE_H
#define TREETYPE_H

#include <stdbool.h>
#include <stdint.h>

#define TREE_INDEX_MAX UINT32_C(0x7fffffff)
#define TREE_RED UINT32_C(0x80000000) /* kept in link[0] */
#define TREE_DEPTH_MAX 64             /* > 2 log2(TREE_INDEX_MAX + 1) + 1 */

struct tree_node {
	uint32_t link[2]; /* lower, higher */
	uint32_t tag;
};

/* Order of entries a and b, which have equal tags: < 0, 0, > 0. */
typedef int tree_compare_fn(const void *arg, uint32_t a, uint32_t b);

struct tree_type {
	struct tree_node *node; /* [0] is never used */
	tree_compare_fn *compare;
	const void *arg;
};

/* The way from the root to a node: at[i] is left towards side[i]. */
struct tree_path {
	uint32_t *root;
	int depth; /* nodes in at[] */
	uint32_t at[TREE_DEPTH_MAX];
	uint8_t side[TREE_DEPTH_MAX];
};

static inline uint32_t
tree_child(const struct tree_type *t, uint32_t i, int side)
{
	return t->node[i].link[side] & TREE_INDEX_MAX;
}

static inline bool
tree_is_red(const struct tree_type *t, uint32_t i)
{
	return i != 0 && (t->node[i].link[0] & TREE_RED) != 0;
}

static inline void
tree_paint(const struct tree_type *t, uint32_t i, bool red)
{
	if (red)
		t->node[i].link[0] |= TREE_RED;
	else
		t->node[i].link[0] &= TREE_INDEX_MAX;
}

static inline void
tree_link(const struct tree_type *t, uint32_t i, int side, uint32_t child)
{
	t->node[i].link[side] = (t->node[i].link[side] & TREE_RED) | child;
}

static inline int
tree_order(const struct tree_type *t, uint32_t a, uint32_t b)
{
	if (t->node[a].tag != t->node[b].tag)
		return t->node[a].tag < t->node[b].tag ? -1 : 1;
	return t->compare(t->arg, a, b);
}

/* Let whoever stands above depth d lead to i. */
static inline void
tree_hang(const struct tree_type *t, struct tree_path *p, int d, uint32_t i)
{
	if (d == 0)
		*p->root = i;
	else
		tree_link(t, p->at[d - 1], p->side[d - 1], i);
}

/* Move i down to `side`; returns the child that took its place. */
static inline uint32_t
tree_rotate(const struct tree_type *t, uint32_t i, int side)
{
	uint32_t up = tree_child(t, i, !side);

	tree_link(t, i, !side, tree_child(t, up, side));
	tree_link(t, up, side, i);
	return up;
}

/* Insert i, whose tag is set and which equals no node of the tree. */
static inline void
tree_insert(const struct tree_type *t, uint32_t *root, uint32_t i)
{
	struct tree_path p; /* not cleared: it is large */
	int d;

	p.root = root;
	p.depth = 0;
	for (uint32_t at = *root; at != 0;) {
		p.at[p.depth] = at;
		p.side[p.depth] = tree_order(t, i, at) > 0;
		at = tree_child(t, at, p.side[p.depth++]);
	}
	t->node[i].link[0] = TREE_RED;
	t->node[i].link[1] = 0;
	tree_hang(t, &p, p.depth, i);
	for (d = p.depth; d >= 2 && tree_is_red(t, p.at[d - 1]); d -= 2) {
		uint32_t parent = p.at[d - 1], grand = p.at[d - 2];
		int side = p.side[d - 2];
		uint32_t uncle = tree_child(t, grand, !side);

		if (!tree_is_red(t, uncle)) {
			if (p.side[d - 1] != side)
				tree_link(t, grand, side,
				    tree_rotate(t, parent, side));
			tree_paint(t, grand, true);
			parent = tree_rotate(t, grand, !side);
			tree_paint(t, parent, false);
			tree_hang(t, &p, d - 2, parent);
			break;
		}
		tree_paint(t, parent, false);
		tree_paint(t, uncle, false);
		tree_paint(t, grand, true);
	}
	tree_paint(t, *root, false);
}

/*
 * The subtree at depth d lacks one black node: make it up from its sibling, or
 * pass the lack upwards.
 */
static inline void
tree_mend(const struct tree_type *t, struct tree_path *p, int d)
{
	for (; d > 0; d--) {
		uint32_t parent = p->at[d - 1];
		int side = p->side[d - 1];
		uint32_t sib = tree_child(t, parent, !side), near, far;

		if (tree_is_red(t, sib)) {
			tree_paint(t, sib, false);
			tree_paint(t, parent, true);
			tree_hang(t, p, d - 1, tree_rotate(t, parent, side));
			p->at[d - 1] = sib;
			p->at[d] = parent;
			p->side[d] = (uint8_t)side;
			d++;
			sib = tree_child(t, parent, !side);
		}
		near = tree_child(t, sib, side);
		far = tree_child(t, sib, !side);
		if (tree_is_red(t, near) || tree_is_red(t, far)) {
			if (!tree_is_red(t, far)) {
				tree_paint(t, near, false);
				far = sib;
				sib = tree_rotate(t, sib, !side);
				tree_link(t, parent, !side, sib);
			}
			tree_paint(t, sib, tree_is_red(t, parent));
			tree_paint(t, parent, false);
			tree_paint(t, far, false);
			tree_hang(t, p, d - 1, tree_rotate(t, parent, side));
			return;
		}
		tree_paint(t, sib, true);
		if (tree_is_red(t, parent)) {
			tree_paint(t, parent, false);
			return;
		}
	}
}

/* Let i change places with the next higher node, which has no lower child. */
static inline void
tree_sink(const struct tree_type *t, struct tree_path *p, uint32_t i)
{
	int d = p->depth;
	uint32_t next = tree_child(t, i, 1), swap[2];

	p->at[p->depth] = i;
	p->side[p->depth++] = 1;
	for (uint32_t low; (low = tree_child(t, next, 0)) != 0; next = low) {
		p->at[p->depth] = next;
		p->side[p->depth++] = 0;
	}
	swap[0] = t->node[i].link[0];
	swap[1] = t->node[i].link[1];
	t->node[i].link[0] = t->node[next].link[0];
	t->node[i].link[1] = t->node[next].link[1];
	t->node[next].link[0] = swap[0];
	t->node[next].link[1] = swap[1];
	p->at[d] = next;
	tree_hang(t, p, d, next);
	tree_hang(t, p, p->depth, i);
}

/* Remove i, which must be in the tree. */
static inline void
tree_remove(const struct tree_type *t, uint32_t *root, uint32_t i)
{
	struct tree_path p; /* not cleared: it is large */
	uint32_t child;

	p.root = root;
	p.depth = 0;
	for (uint32_t at = *root; at != i;) {
		p.at[p.depth] = at;
		p.side[p.depth] = tree_order(t, i, at) > 0;
		at = tree_child(t, at, p.side[p.depth++]);
	}
	if (tree_child(t, i, 0) != 0 && tree_child(t, i, 1) != 0)
		tree_sink(t, &p, i);
	child = tree_child(t, i, tree_child(t, i, 0) == 0);
	tree_hang(t, &p, p.depth, child);
	if (tree_is_red(t, i))
		return;
	if (tree_is_red(t, child))
		tree_paint(t, child, false);
	else
		tree_mend(t, &p, p.depth);
}

#endif
