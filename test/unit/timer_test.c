/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Timers and their clocks from inside: when a wait has to pump, and what locks keep apart, for the race detectors.
 */
#include "dial.h"
#include "harness.h"

static duct_receiver *timer_by(duct_clock *clock, int64_t interval, bool starts_later)
{
	duct_receiver *timer;

	CHECK_STATUS(duct_timer_new(&timer, interval, DUCT_TIMER(.clock = clock, .start_later = starts_later)), DUCT_OK);
	return timer;
}

static duct_time due(const duct_receiver *timer)
{
	return source_of(timer)->kind->due_locked(source_of(timer));
}

/* A tick that is due and that nobody has found has a wait pump at once; one that lies there, or is to come, does not. */
TEST(timer_due, tells_when_to_pump, 5)
{
	duct_clock *clock;
	duct_receiver *timer, *later, *real = timer_by(NULL, 1000000000, false);
	const duct_time soon = duct_now() + 1000000000;
	int64_t late;

	CHECK_STATUS(duct_clock_new(&clock, 0), DUCT_OK);
	timer = timer_by(clock, 1, false);
	later = timer_by(clock, 1, true);
	CHECK(due(timer) == DUCT_FOREVER && due(later) == DEADLINE_NOW);
	CHECK_STATUS(duct_clock_advance(clock, 3), DUCT_OK);
	for (int64_t expected = 2; expected >= 0; expected--) {
		CHECK(due(timer) == DEADLINE_NOW);
		CHECK_STATUS(duct_receiver_wait(timer, 0, NULL), DUCT_OK);
		CHECK(due(timer) == DUCT_FOREVER);
		CHECK_STATUS(duct_try_recv(timer, &late), DUCT_OK);
		CHECK(late == expected);
	}
	CHECK(due(timer) == DUCT_FOREVER && due(real) > 0 && due(real) <= soon);
	duct_receiver_free(timer);
	duct_receiver_free(later);
	duct_receiver_free(real);
	duct_clock_free(clock);
}

struct busy {
	duct_clock *clock;
	duct_receiver *timer;
	atomic_bool over;
};

static void *receive_all(void *argument)
{
	struct busy *busy = argument;
	int64_t late;

	while (duct_recv(busy->timer, &late) == DUCT_OK)
		CHECK(late >= 0);
	return NULL;
}

static void *set_anew(void *argument)
{
	struct busy *busy = argument;

	for (int64_t n = 0; !atomic_load(&busy->over); n++) {
		int64_t late = -1;

		CHECK_STATUS(duct_timer_reset(busy->timer, 1 + n % 3, n % 2, n % 5 == 0), DUCT_OK);
		CHECK(duct_try_recv(busy->timer, &late) != DUCT_CLOSED);
		CHECK(duct_timer_interval(busy->timer) == 1 + n % 3);
	}
	return NULL;
}

static void *ask(void *argument)
{
	struct busy *busy = argument;

	while (!atomic_load(&busy->over)) {
		const int64_t interval = duct_timer_interval(busy->timer);

		CHECK(duct_timer_is_running(busy->timer) && interval >= 1 && interval <= 3);
	}
	return NULL;
}

/* All that can be done with a timer, at once. */
TEST(timer_locks, keep_apart_what_is_done_at_once, 20)
{
	void *(*const runs[])(void *) = { receive_all, receive_all, set_anew, ask };
	struct busy busy = { .over = false };
	pthread_t threads[ARRAY_LEN(runs)];

	CHECK_STATUS(duct_clock_new(&busy.clock, 0), DUCT_OK);
	busy.timer = timer_by(busy.clock, 1, false);
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		threads[i] = test_start(runs[i], &busy);
	for (int n = 0; n < 500; n++) {
		CHECK_STATUS(duct_clock_advance(busy.clock, 1), DUCT_OK);
		if (n % 8 == 0)
			sched_yield();
	}
	atomic_store(&busy.over, true);
	test_join(threads[2]);
	test_join(threads[3]);
	duct_receiver_close(busy.timer);
	test_join(threads[0]);
	test_join(threads[1]);
	duct_receiver_free(busy.timer);
	duct_clock_free(busy.clock);
}

static void *free_timer(void *argument)
{
	struct busy *busy = argument;

	while (!atomic_load(&busy->over))
		;
	duct_receiver_free(busy->timer);
	return NULL;
}

/* The clock goes with its last handle or timer, whoever that is, when nobody is at it any more. */
TEST(clock_references, are_counted_in_order, 20)
{
	for (int n = 0; n < 200; n++) {
		struct busy busy = { .over = false };
		pthread_t thread;

		CHECK_STATUS(duct_clock_new(&busy.clock, 0), DUCT_OK);
		busy.timer = timer_by(busy.clock, 1, false);
		thread = test_start(free_timer, &busy);
		atomic_store(&busy.over, true);
		CHECK_STATUS(duct_clock_advance(busy.clock, 1), DUCT_OK);
		duct_clock_free(busy.clock);
		test_join(thread);
	}
}

/* A clock has no timers when it is made, whatever was in its memory. */
TEST(clock_new, has_no_timers, 5)
{
	duct_clock *clock;

	CHECK_STATUS(duct_clock_new(&clock, 5), DUCT_OK);
	CHECK_STATUS(duct_clock_advance(clock, 1), DUCT_OK);
	CHECK(duct_clock_now(clock) == 6);
	duct_clock_free(clock);
}
