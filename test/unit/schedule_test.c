/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * When a timer ticks next: examples, and what holds for any times, to the nanosecond and up to the end of time.
 */
#include "schedule.h"
#include "harness.h"

/* Milliseconds. */
#define MS(count_) ((count_)*INT64_C(1000000))

struct example {
	duct_time now, scheduled;
	int64_t interval;
	duct_time trigger_all, resync, drift; /* with a tolerance of 0.1 s */
};

/* Late, on time, many intervals late, and as late as is tolerated. */
static const struct example examples[] = {
	{ MS(10200), MS(9000), MS(1000), MS(10000), MS(11000), MS(11200) },
	{ MS(10000), MS(9000), MS(1000), MS(10000), MS(11000), MS(11000) },
	{ MS(10500), MS(1000), MS(1000), MS(2000), MS(11000), MS(11500) },
	{ MS(10100), MS(10000), MS(1000), MS(11000), MS(11000), MS(11000) },
};

TEST(schedule, of_examples, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *e = &examples[i];

		CHECK(schedule_trigger_all(e->scheduled, e->interval) == e->trigger_all);
		CHECK(schedule_resync(e->now, e->scheduled, e->interval) == e->resync);
		CHECK(schedule_drift(e->now, e->scheduled, e->interval, MS(100)) == e->drift);
	}
}

/* As late as the tolerance is on time, a nanosecond more is late. */
TEST(schedule, drifts_beyond_the_tolerance, 5)
{
	CHECK(schedule_drift(1010, 1000, 100, 10) == 1100 && schedule_drift(1011, 1000, 100, 10) == 1111);
	CHECK(schedule_drift(1000, 1000, 100, 0) == 1100 && schedule_drift(1001, 1000, 100, 0) == 1101);
	CHECK(schedule_drift(1500, 1000, 100, 500) == 1100); /* a burst */
}

/* Exactly some intervals late still goes on to the next one. */
TEST(schedule, resyncs_to_what_is_to_come, 5)
{
	CHECK(schedule_resync(1000, 1000, 100) == 1100 && schedule_resync(1099, 1000, 100) == 1100);
	CHECK(schedule_resync(1100, 1000, 100) == 1200 && schedule_resync(1500, 1000, 100) == 1600);
	CHECK(schedule_resync(7, 0, 1) == 8);
}

/* What would come after the end of time never comes; what just fits does. */
TEST(schedule, ends_with_the_end_of_time, 5)
{
	const duct_time last = DUCT_FOREVER - 1;

	CHECK(time_plus(last, 0) == last && time_plus(last, 1) == DUCT_FOREVER && time_plus(last, 2) == DUCT_FOREVER);
	CHECK(time_plus(0, DUCT_FOREVER) == DUCT_FOREVER && time_plus(DUCT_FOREVER, DUCT_FOREVER) == DUCT_FOREVER);
	CHECK(time_plus(1, last - 1) == last && time_plus(0, 0) == 0);
	CHECK(schedule_trigger_all(last, 1) == DUCT_FOREVER && schedule_trigger_all(5, last - 5) == last);
	CHECK(schedule_resync(last, 5, DUCT_FOREVER) == DUCT_FOREVER && schedule_resync(last, last - 1, 3) == DUCT_FOREVER);
	CHECK(schedule_drift(last, 0, 1, 0) == DUCT_FOREVER && schedule_drift(last, 0, 1, last) == 1);
}

/* ---- Any times ------------------------------------------------------------------------------------------------- */

static uint32_t state = 20240229;

/* From 0 to most, each size as likely as any other. */
static int64_t random_up_to(int64_t most)
{
	uint64_t bits = (uint64_t)test_random(&state) << 32 | test_random(&state);

	bits >>= 1 + test_random(&state) % 63;
	return (int64_t)(bits % ((uint64_t)most + 1));
}

struct times {
	duct_time now, scheduled;
	int64_t interval, tolerance;
};

/* Often on time, often exactly some intervals late, often exactly as late as is tolerated. */
static struct times random_times(int64_t most)
{
	struct times t = { .scheduled = random_up_to(most), .interval = 1 + random_up_to(most - 1) };
	int64_t late = random_up_to(most - t.scheduled);

	if (test_random(&state) % 4 == 0)
		late -= late % t.interval;
	t.now = t.scheduled + late;
	t.tolerance = test_random(&state) % 4 == 0 ? late : random_up_to(most);
	return t;
}

/* What was reckoned without a limit, with it. */
static duct_time limited(uint64_t time)
{
	return time < (uint64_t)DUCT_FOREVER ? (duct_time)time : DUCT_FOREVER;
}

static bool holds(const struct times *t)
{
	const uint64_t now = (uint64_t)t->now, scheduled = (uint64_t)t->scheduled, interval = (uint64_t)t->interval;
	const duct_time resync = schedule_resync(t->now, t->scheduled, t->interval);
	const uint64_t in_step = scheduled + ((now - scheduled) / interval + 1) * interval;
	const bool late = now - scheduled > (uint64_t)t->tolerance;

	if (schedule_trigger_all(t->scheduled, t->interval) != limited(scheduled + interval))
		return false;
	if (resync <= t->now || resync - t->now > t->interval || resync != limited(in_step))
		return false;
	if (resync != DUCT_FOREVER && (resync - t->scheduled) % t->interval != 0)
		return false;
	return schedule_drift(t->now, t->scheduled, t->interval, t->tolerance) == limited((late ? now : scheduled) + interval);
}

/* The next tick is exact however large the numbers are, and never beyond the end of time. */
TEST(schedule, is_exact_at_any_time, 60)
{
	static const int64_t mosts[] = { 1000, INT64_C(170000000000000000), DUCT_FOREVER - 1 };

	for (int round = test_rounds(1500000, 30000000); round > 0; round--) {
		struct times t = random_times(mosts[round % 3]);

		if (!holds(&t))
			fprintf(stderr, "now %lld, scheduled %lld, interval %lld, tolerance %lld\n", (long long)t.now,
			    (long long)t.scheduled, (long long)t.interval, (long long)t.tolerance);
		CHECK(holds(&t));
	}
}
