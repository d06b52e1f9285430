/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Time: deadlines saturate instead of overflowing, and 0 and DUCT_FOREVER are what they say.
 */
#include "clock.h"
#include "harness.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* The clock of the library is the system's, in nanoseconds. */
TEST(duct_now, is_the_monotonic_clock, 5)
{
	struct timespec at;
	duct_time before = duct_now(), between, after;

	clock_gettime(CLOCK_MONOTONIC, &at);
	after = duct_now();
	between = (duct_time)at.tv_sec * NS_PER_S + at.tv_nsec;
	CHECK(before <= between && between <= after);
}

/* Each unit counts in its own nanoseconds. */
TEST(duct_after, lies_so_far_ahead_in_each_unit, 5)
{
	duct_time before = duct_now(), ns = duct_after_ns(5000), ms = duct_after_ms(5000), s = duct_after_s(5000);
	duct_time after = duct_now();

	CHECK(before + 5000 <= ns && ns <= after + 5000);
	CHECK(before + 5000 * NS_PER_MS <= ms && ms <= after + 5000 * NS_PER_MS);
	CHECK(before + 5000 * NS_PER_S <= s && s <= after + 5000 * NS_PER_S);
}

/* A sum or a product that is too large is for ever; one just below that is a time. */
TEST(duct_after, saturates_to_forever, 5)
{
	CHECK(duct_after_ns(INT64_MAX) == DUCT_FOREVER);
	CHECK(duct_after_ns(INT64_MAX - 1) == DUCT_FOREVER);
	CHECK(duct_after_ns(INT64_MAX - duct_now()) == DUCT_FOREVER);
	CHECK(duct_after_ns(INT64_MAX - duct_now() - 1000 * NS_PER_S) < DUCT_FOREVER);
	CHECK(duct_after_ms(INT64_MAX) == DUCT_FOREVER);
	CHECK(duct_after_ms(INT64_MAX / NS_PER_MS) == DUCT_FOREVER);
	CHECK(duct_after_ms(INT64_MAX / NS_PER_MS + 1) == DUCT_FOREVER);
	CHECK(duct_after_ms((INT64_MAX - duct_now()) / NS_PER_MS - 1000000) < DUCT_FOREVER);
	CHECK(duct_after_s(INT64_MAX) == DUCT_FOREVER);
	CHECK(duct_after_s(INT64_MAX / NS_PER_S + 1) == DUCT_FOREVER);
	CHECK(duct_after_s((INT64_MAX - duct_now()) / NS_PER_S - 1000) < DUCT_FOREVER);
}

/* A duration below zero is none at all, in any unit and of any size. */
TEST(duct_after, negative_durations_count_as_zero, 5)
{
	static const int64_t durations[] = { 0, -1, -1000, INT64_MIN / NS_PER_S, INT64_MIN };

	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		duct_time before = duct_now(), ns = duct_after_ns(durations[i]), ms = duct_after_ms(durations[i]);
		duct_time s = duct_after_s(durations[i]), after = duct_now();

		CHECK(before <= ns && ns <= after);
		CHECK(before <= ms && ms <= after);
		CHECK(before <= s && s <= after);
	}
}

/* What is past has nothing left, for ever has for ever left, and the rest counts down. */
TEST(duct_remaining_ns, counts_down_to_zero, 5)
{
	duct_time deadline = duct_after_s(100);
	int64_t left;

	CHECK(duct_remaining_ns(0) == 0);
	CHECK(duct_remaining_ns(1) == 0);
	CHECK(duct_remaining_ns(duct_now()) == 0);
	CHECK(duct_remaining_ns(DUCT_FOREVER) == DUCT_FOREVER);
	CHECK(duct_remaining_ns(DUCT_FOREVER - 1) < DUCT_FOREVER - 1);
	left = duct_remaining_ns(deadline);
	CHECK(left > 0 && left <= 100 * NS_PER_S);
	CHECK(deadline - left <= duct_now());
}

/* 0 has passed whatever the clock says, for ever never does, and a moment passes when it comes. */
TEST(deadline_passed, tells_past_from_future, 5)
{
	duct_time soon = duct_after_ms(2);

	CHECK(deadline_passed(DEADLINE_NOW));
	CHECK(deadline_passed(1));
	CHECK(deadline_passed(duct_now()));
	CHECK(!deadline_passed(DUCT_FOREVER));
	CHECK(!deadline_passed(DUCT_FOREVER - 1));
	CHECK(!deadline_passed(duct_after_s(1000)));
	AWAIT(deadline_passed(soon));
	CHECK(duct_now() >= soon);
}

/* The deadline in seconds and nanoseconds is the same moment. */
TEST(deadline_timespec, is_the_same_moment, 5)
{
	static const duct_time deadlines[] = { 0, 1, NS_PER_S - 1, NS_PER_S, NS_PER_S + 1, INT64_C(1234567890123456789) };

	for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
		struct timespec at = deadline_timespec(deadlines[i]);

		if (sizeof at.tv_sec < sizeof(int64_t) && deadlines[i] / NS_PER_S > INT32_MAX)
			continue;
		CHECK((duct_time)at.tv_sec == deadlines[i] / NS_PER_S);
		CHECK(at.tv_nsec == deadlines[i] % NS_PER_S);
	}
}

/* For ever is not past in any form: the seconds are as large as they can be, the nanoseconds valid. */
TEST(deadline_timespec, for_ever_is_far_and_valid, 5)
{
	struct timespec at = deadline_timespec(DUCT_FOREVER);

	CHECK(at.tv_sec > 0 && at.tv_nsec >= 0 && at.tv_nsec < NS_PER_S);
	CHECK(sizeof at.tv_sec < sizeof(int64_t) ? at.tv_sec == INT32_MAX : (int64_t)at.tv_sec == DUCT_FOREVER / NS_PER_S);
}

/* The nearer of two deadlines, from either side. */
TEST(deadline_min, is_the_nearer, 5)
{
	CHECK(deadline_min(1, 2) == 1 && deadline_min(2, 1) == 1);
	CHECK(deadline_min(DUCT_FOREVER, 5) == 5 && deadline_min(5, DUCT_FOREVER) == 5);
}
