/* SPDX-License-Identifier: ISC */
/*
 * flowkey.c - what of flowkey.h is not done for each packet: the seed.
 */
#include <assert.h>
#include <stdlib.h>

#include "flowkey.h"

static_assert(sizeof(struct flow_key) == 40, "flow keys have no padding");

void
flow_hash_seed(struct flow_hash_seed *seed)
{
	arc4random_buf(seed, sizeof(*seed));
}
