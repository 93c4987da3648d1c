/* SPDX-License-Identifier: ISC */
/* test_sampler.c - which packets each way of sampling chooses. */
#include <stdbool.h>
#include <string.h>

#include "decode.h"
#include "extra.h"
#include "sampler.h"
#include "unit.h"

#define PACKETS 100000
#define BURST 32

static struct packet
packet(uint32_t n)
{
	struct packet p;

	memset(&p, 0, sizeof(p));
	p.ip_version = 4;
	p.protocol = 17;
	memcpy(p.src, "\xc0\x00\x02\x01", 4);
	memcpy(p.dst, "\xc0\x00\x02\x02", 4);
	p.src_port = 1000;
	p.dst_port = 53;
	p.octets = 100;
	p.content = n;
	p.time_ns = n;
	return p;
}

/*
 * Run n packets through in bursts of `burst`; chosen[i] says whether packet
 * i was.  Returns how many were.
 */
static uint32_t
run(const struct sampling *sampling, uint64_t seed, uint32_t n, uint32_t burst,
    bool *chosen)
{
	struct packet p[BURST];
	struct sampler s;
	uint32_t total = 0;

	memset(chosen, 0, n * sizeof(*chosen));
	sampler_init(&s, sampling, seed);
	for (uint32_t at = 0; at < n; at += burst) {
		uint32_t some = n - at < burst ? n - at : burst;
		size_t left;

		for (uint32_t i = 0; i < some; i++)
			p[i] = packet(at + i);
		left = sampler_choose(&s, p, NULL, some);
		ck_assert_uint_le(left, some);
		total += (uint32_t)left;
		for (size_t i = 0; i < left; i++) {
			ck_assert(i == 0 || p[i].time_ns > p[i - 1].time_ns);
			chosen[p[i].time_ns] = true;
		}
	}
	return total;
}

static bool one[PACKETS], other[PACKETS];
static const enum sampling_mode modes[] = { SAMPLING_SYSTEMATIC,
	SAMPLING_RANDOM, SAMPLING_HASH };

UNIT(an_interval_of_one_chooses_all_packets)
{
	for (size_t m = 0; m < 3; m++) {
		struct sampling all = { modes[m], 1 };

		ck_assert_uint_eq(run(&all, 1, 1000, BURST, one), 1000);
	}
}
END_TEST

UNIT(systematic_sampling_takes_the_first_packet_and_every_nth_after_it)
{
	struct sampling s = { SAMPLING_SYSTEMATIC, 7 };

	ck_assert_uint_eq(run(&s, 1, 1000, BURST, one), 143);
	for (uint32_t i = 0; i < 1000; i++)
		ck_assert(one[i] == (i % 7 == 0));
	s.interval = UINT32_MAX;
	ck_assert_uint_eq(run(&s, 1, 1000, BURST, one), 1);
}
END_TEST

UNIT(random_and_hash_sampling_choose_about_one_in_n)
{
	for (size_t m = 1; m < 3; m++) {
		for (uint32_t n = 2; n <= 1000; n *= 3) {
			struct sampling s = { modes[m], n };
			double due = (double)PACKETS / n;
			double off = run(&s, 1, PACKETS, BURST, one) - due;

			/* five standard deviations */
			ck_assert_msg(off * off < 25 * due,
			    "mode %u, 1 in %u: off by %.0f", modes[m], n, off);
		}
	}
}
END_TEST

UNIT(the_same_seed_gives_the_same_choice_however_bursts_are_cut)
{
	for (size_t m = 0; m < 3; m++) {
		struct sampling s = { modes[m], 5 };

		run(&s, 42, 10000, BURST, one);
		run(&s, 42, 10000, 3, other);
		ck_assert_int_eq(memcmp(one, other, 10000), 0);
	}
}
END_TEST

UNIT(another_seed_gives_another_random_choice)
{
	struct sampling s = { SAMPLING_RANDOM, 5 };

	run(&s, 1, 10000, BURST, one);
	run(&s, 2, 10000, BURST, other);
	ck_assert_int_ne(memcmp(one, other, 10000), 0);
}
END_TEST

UNIT(every_probe_on_the_way_chooses_the_same_packets_by_hash)
{
	struct sampling s = { SAMPLING_HASH, 5 };

	run(&s, 1, 10000, BURST, one);
	run(&s, 2, 10000, BURST, other);
	ck_assert_int_eq(memcmp(one, other, 10000), 0);
}
END_TEST

/* Whether sampling 1 in n by hash takes the packet. */
static bool
hashed(const struct packet *p, uint32_t n)
{
	struct sampling sampling = { SAMPLING_HASH, n };
	struct packet copy = *p;
	struct sampler s;

	sampler_init(&s, &sampling, 0);
	return sampler_choose(&s, &copy, NULL, 1) == 1;
}

UNIT(the_hash_is_a_crc_32_of_the_fields_that_the_manual_names)
{
	/* c0000201 c0000202 03e8 0035 11 00000064 00000001: 0x6f159964 */
	struct packet p = packet(1);

	ck_assert(hashed(&p, 2));  /* below 0x80000000 */
	ck_assert(!hashed(&p, 3)); /* not below 0x55555555 */
}
END_TEST

UNIT(packets_that_are_chosen_take_their_extra_along)
{
	struct packet_extra extra[BURST] = { 0 };
	struct packet p[BURST];

	for (size_t m = 0; m < 3; m++) {
		const struct sampling few = { modes[m], 3 };
		struct sampler s;
		size_t left;

		sampler_init(&s, &few, 1);
		for (uint32_t i = 0; i < BURST; i++) {
			p[i] = packet(i);
			extra[i].tcp_sequence = i;
		}
		left = sampler_choose(&s, p, extra, BURST);
		ck_assert_uint_gt(left, 1);
		for (size_t i = 0; i < left; i++)
			ck_assert_uint_eq(extra[i].tcp_sequence, p[i].time_ns);
	}
}
END_TEST

UNIT_MAIN("sampler", an_interval_of_one_chooses_all_packets,
    systematic_sampling_takes_the_first_packet_and_every_nth_after_it,
    random_and_hash_sampling_choose_about_one_in_n,
    the_same_seed_gives_the_same_choice_however_bursts_are_cut,
    another_seed_gives_another_random_choice,
    every_probe_on_the_way_chooses_the_same_packets_by_hash,
    the_hash_is_a_crc_32_of_the_fields_that_the_manual_names,
    packets_that_are_chosen_take_their_extra_along)
