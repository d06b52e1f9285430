/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Where a fair select starts: even over any number of cases, also for every other select only.
 *
 * The bounds are eight standard deviations of fair draws, so a fair turn fails once in 10^14 runs.
 */
#include "turn.h"
#include "harness.h"

#define MOST_CASES 17
#define DRAWS 4096 /* for each case */
#define BOUND 512  /* 8 * sqrt(DRAWS) */

/* Of the numbers in so many strides, each remainder came as often. */
static bool is_even(const uint32_t *counts, size_t cases)
{
	for (size_t i = 0; i < cases; i++)
		if (counts[i] < DRAWS - BOUND || counts[i] > DRAWS + BOUND)
			return false;
	return true;
}

/* A select takes its start from the low half and its stride from the high half: both spread evenly. */
TEST(turn_next, spreads_evenly_over_cases, 10)
{
	for (size_t cases = 2; cases <= MOST_CASES; cases++) {
		uint32_t low[MOST_CASES] = { 0 }, high[MOST_CASES] = { 0 };

		for (size_t i = 0; i < cases * DRAWS; i++) {
			uint64_t turn = turn_next();

			low[(uint32_t)turn % cases]++;
			high[(uint32_t)(turn >> 32) % cases]++;
		}
		CHECK(is_even(low, cases));
		CHECK(is_even(high, cases));
	}
}

/* Two selects that take turns in one thread each see every start as often: no plain rotation would do that. */
TEST(turn_next, spreads_evenly_over_two_that_alternate, 10)
{
	for (size_t cases = 2; cases <= MOST_CASES; cases++) {
		uint32_t starts[2][MOST_CASES] = { 0 };

		for (size_t i = 0; i < 2 * cases * DRAWS; i++)
			starts[i % 2][(uint32_t)turn_next() % cases]++;
		CHECK(is_even(starts[0], cases));
		CHECK(is_even(starts[1], cases));
	}
}

/* What follows a number does not depend on it: each pair comes as often, in both halves. */
TEST(turn_next, successive_numbers_are_independent, 10)
{
	uint32_t low[16] = { 0 }, high[16] = { 0 };
	uint64_t last = turn_next();

	for (size_t i = 0; i < 16 * DRAWS; i++) {
		uint64_t next = turn_next();

		low[4 * (last % 4) + next % 4]++;
		high[4 * (last >> 32 & 3) + (next >> 32 & 3)]++;
		last = next;
	}
	CHECK(is_even(low, 16));
	CHECK(is_even(high, 16));
}

#define FIRST_TURNS 8

static void *draw_first_turns(void *argument)
{
	uint64_t *turns = argument;

	for (size_t i = 0; i < FIRST_TURNS; i++)
		turns[i] = turn_next();
	return NULL;
}

/* Threads that draw at the same time do not draw the same: their stacks lie apart. */
TEST(turn_next, threads_draw_different_numbers, 10)
{
	uint64_t turns[4][FIRST_TURNS];
	pthread_t threads[4];

	for (size_t i = 0; i < 4; i++)
		threads[i] = test_start(draw_first_turns, turns[i]);
	for (size_t i = 0; i < 4; i++)
		test_join(threads[i]);
	for (size_t i = 0; i < 4; i++)
		for (size_t j = 0; j < i; j++)
			CHECK(memcmp(turns[i], turns[j], sizeof turns[i]) != 0);
}
