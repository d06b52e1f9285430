/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Schedulers: objects that are received when their time has come.
 */
#include "harness.h"

static duct_receiver *scheduler;
static duct_clock *clock_by_hand;

static void begin(void)
{
	CHECK_STATUS(duct_clock_new(&clock_by_hand, 1000), DUCT_OK);
	CHECK_STATUS(duct_scheduler_new(&scheduler, sizeof(int), NULL, clock_by_hand), DUCT_OK);
}

static void finish(void)
{
	duct_receiver_free(scheduler);
	duct_clock_free(clock_by_hand);
}

static duct_status set(int object, duct_time at)
{
	return duct_scheduler_set(scheduler, &object, at);
}

static duct_status unset(int object)
{
	return duct_scheduler_unset(scheduler, &object);
}

/* Lets time go on; then this is received, and no more for now. */
static void expect_after(int64_t duration, int object)
{
	int received = -1;

	CHECK_STATUS(duct_clock_advance(clock_by_hand, duration), DUCT_OK);
	CHECK_STATUS(duct_try_recv(scheduler, &received), DUCT_OK);
	CHECK(received == object);
}

static void expect_none_after(int64_t duration)
{
	int received = -1;

	CHECK_STATUS(duct_clock_advance(clock_by_hand, duration), DUCT_OK);
	CHECK_STATUS(duct_try_recv(scheduler, &received), DUCT_EMPTY);
	CHECK(received == -1);
}

TEST(scheduler, gives_each_object_when_it_is_due, 5)
{
	begin();
	CHECK_STATUS(set(1, 1030), DUCT_OK);
	CHECK_STATUS(set(2, 1010), DUCT_OK);
	CHECK_STATUS(set(3, 1020), DUCT_OK);
	CHECK(duct_scheduler_pending(scheduler) == 3);
	expect_none_after(9);
	expect_after(1, 2);
	expect_none_after(9);
	expect_after(1, 3);
	expect_after(1000, 1);
	expect_none_after(1000);
	CHECK(duct_scheduler_pending(scheduler) == 0);
	finish();
}

/* All that are due at once, in the order of their times, and of setting where these are the same. */
TEST(scheduler, gives_what_is_late_in_order, 5)
{
	int all[100];
	size_t received;

	begin();
	for (int i = 0; i < 100; i++)
		CHECK_STATUS(set(i, 1001 + (i * 7) % 10), DUCT_OK);
	CHECK_STATUS(duct_clock_advance(clock_by_hand, 100), DUCT_OK);
	CHECK_STATUS(duct_recv_many(scheduler, all, 100, 100, &received, 0, NULL), DUCT_OK);
	for (int i = 1; i < 100; i++) {
		int before = (all[i - 1] * 7) % 10, here = (all[i] * 7) % 10;

		CHECK(before < here || (before == here && all[i - 1] < all[i]));
	}
	finish();
}

TEST(scheduler, replaces_the_time_of_an_object, 5)
{
	begin();
	CHECK_STATUS(set(1, 1010), DUCT_OK);
	CHECK_STATUS(set(1, 1005), DUCT_OK); /* earlier: once only */
	CHECK(duct_scheduler_pending(scheduler) == 1);
	expect_after(5, 1);
	expect_none_after(10);
	CHECK_STATUS(set(1, 1020), DUCT_OK);
	CHECK_STATUS(set(1, 1040), DUCT_OK); /* later */
	expect_none_after(24);
	expect_after(1, 1);
	finish();
}

TEST(scheduler, forgets_what_is_unset, 5)
{
	begin();
	CHECK_STATUS(unset(1), DUCT_EMPTY);
	CHECK_STATUS(set(1, 1010), DUCT_OK);
	CHECK_STATUS(set(2, 1010), DUCT_OK);
	CHECK_STATUS(unset(1), DUCT_OK);
	CHECK_STATUS(unset(1), DUCT_EMPTY);
	expect_after(10, 2);
	expect_none_after(10);
	finish();
}

/* Somebody has seen that it is due, but nobody has received it: it still has its one time. */
TEST(scheduler, takes_back_what_is_due_but_not_received, 5)
{
	begin();
	for (int replaced = 0; replaced < 2; replaced++) {
		CHECK_STATUS(set(1, duct_clock_now(clock_by_hand) + 10), DUCT_OK);
		CHECK_STATUS(duct_clock_advance(clock_by_hand, 10), DUCT_OK);
		CHECK_STATUS(duct_receiver_wait(scheduler, 0, NULL), DUCT_OK);
		CHECK(duct_scheduler_pending(scheduler) == 1);
		CHECK_STATUS(unset(2), DUCT_EMPTY);
		CHECK_STATUS(unset(257), DUCT_EMPTY); /* whose first byte is the same */
		if (replaced) {
			CHECK_STATUS(set(1, duct_clock_now(clock_by_hand) + 5), DUCT_OK);
			CHECK(duct_scheduler_pending(scheduler) == 1);
			expect_none_after(4);
			expect_after(1, 1);
		} else {
			CHECK_STATUS(unset(1), DUCT_OK);
		}
		expect_none_after(100);
	}
	finish();
}

TEST(scheduler, refuses_a_time_that_has_passed, 5)
{
	begin();
	CHECK_STATUS(set(1, 1010), DUCT_OK);
	CHECK_STATUS(set(1, 1000), DUCT_TIMEDOUT);
	CHECK_STATUS(set(2, 0), DUCT_TIMEDOUT);
	CHECK(duct_scheduler_pending(scheduler) == 1);
	expect_after(10, 1);
	finish();
}

struct waiter {
	int object;
	duct_status status;
	atomic_bool done;
};

static void *wait_for_object(void *argument)
{
	struct waiter *waiter = argument;

	waiter->status = duct_recv(scheduler, &waiter->object);
	atomic_store(&waiter->done, true);
	return NULL;
}

/* The thread may sleep already or not: either way it sees what is set, that the clock goes on, and the close. */
TEST(scheduler, wakes_who_waits, 20)
{
	for (int round = 0; round < test_rounds(200, 2000); round++) {
		struct waiter waiter = { .object = -1 };
		pthread_t thread;

		begin();
		thread = test_start(wait_for_object, &waiter);
		for (int i = 0; i < round % 7; i++)
			test_pause();
		CHECK_STATUS(set(1, 1020), DUCT_OK);
		CHECK_STATUS(set(2, 1010), DUCT_OK);
		if (round % 3 == 0) {
			duct_receiver_close(scheduler);
		} else {
			CHECK(!atomic_load(&waiter.done));
			CHECK_STATUS(duct_clock_advance(clock_by_hand, 10), DUCT_OK);
		}
		test_join(thread);
		CHECK_STATUS(waiter.status, round % 3 == 0 ? DUCT_CLOSED : DUCT_OK);
		CHECK(waiter.object == (round % 3 == 0 ? -1 : 2));
		finish();
	}
}

/* By the system's clock: never early, and an earlier object that is set later comes first. */
TEST(scheduler, goes_by_the_time_of_the_system, 10)
{
	duct_time begun = duct_now(), late = begun + 150000000, early = begun + 100000000;
	int object;

	CHECK_STATUS(duct_scheduler_new(&scheduler, sizeof(int), "reminders", NULL), DUCT_OK);
	CHECK(strcmp(duct_receiver_name(scheduler), "reminders") == 0);
	CHECK_STATUS(set(1, late), DUCT_OK);
	CHECK_STATUS(set(2, early), DUCT_OK);
	CHECK_STATUS(duct_recv(scheduler, &object), DUCT_OK);
	CHECK(object == 2 && duct_now() >= early);
	CHECK_STATUS(duct_recv(scheduler, &object), DUCT_OK);
	CHECK(object == 1 && duct_now() >= late);
	duct_receiver_free(scheduler);
}

TEST(scheduler, closed_gives_what_was_due_and_takes_no_more, 5)
{
	int object;

	begin();
	CHECK_STATUS(set(1, 1010), DUCT_OK);
	CHECK_STATUS(set(2, 1020), DUCT_OK);
	CHECK_STATUS(duct_clock_advance(clock_by_hand, 10), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(scheduler, 0, NULL), DUCT_OK);
	duct_receiver_close(scheduler);
	CHECK_STATUS(set(3, 1030), DUCT_CLOSED);
	CHECK(duct_scheduler_pending(scheduler) == 1);
	CHECK_STATUS(duct_scheduler_unset(scheduler, &(int){ 2 }), DUCT_EMPTY);
	CHECK_STATUS(duct_recv(scheduler, &object), DUCT_OK);
	CHECK(object == 1);
	CHECK_STATUS(duct_recv(scheduler, &object), DUCT_CLOSED);
	CHECK_STATUS(duct_clock_advance(clock_by_hand, 10), DUCT_OK);
	CHECK_STATUS(duct_try_recv(scheduler, &object), DUCT_CLOSED);
	CHECK(duct_scheduler_pending(scheduler) == 0);
	finish();
}

enum { SHARED = 20000, SHARERS = 2, SETTERS = 2 };

static atomic_uchar times_received[SHARED];
static atomic_int left_to_receive;

static void *share_objects(void *argument)
{
	int object;

	while (atomic_load(&left_to_receive) > 0) {
		if (duct_try_recv(scheduler, &object) != DUCT_OK)
			continue;
		atomic_fetch_add(&times_received[object], 1);
		atomic_fetch_sub(&left_to_receive, 1);
	}
	return argument;
}

/* Every other object, and one that is not to come. */
static void *set_objects(void *first)
{
	for (int i = *(int *)first; i < SHARED; i += SETTERS) {
		CHECK_STATUS(set(i, DUCT_FOREVER - 1), DUCT_OK);
		CHECK_STATUS(set(SHARED + i, DUCT_FOREVER - 1), DUCT_OK);
		while (set(i, duct_clock_now(clock_by_hand) + 1000000) != DUCT_OK)
			; /* the other one has set the clock meanwhile */
		CHECK_STATUS(unset(SHARED + i), DUCT_OK);
		if (i % 100 == 0)
			CHECK_STATUS(duct_clock_advance(clock_by_hand, 100000), DUCT_OK);
	}
	return NULL;
}

/* Threads that receive what others set, set anew and unset, get each object once. */
TEST(scheduler, is_shared_by_threads, 60)
{
	pthread_t threads[SHARERS + SETTERS];
	int first[SETTERS];

	begin();
	atomic_store(&left_to_receive, SHARED);
	for (int i = 0; i < SETTERS; i++) {
		first[i] = i;
		threads[i] = test_start(set_objects, &first[i]);
	}
	for (int i = 0; i < SHARERS; i++)
		threads[SETTERS + i] = test_start(share_objects, NULL);
	for (int i = 0; i < SETTERS; i++)
		test_join(threads[i]);
	CHECK_STATUS(duct_clock_advance(clock_by_hand, 1000000), DUCT_OK);
	for (int i = SETTERS; i < SHARERS + SETTERS; i++)
		test_join(threads[i]);
	for (int i = 0; i < SHARED; i++)
		CHECK(times_received[i] == 1);
	CHECK(duct_scheduler_pending(scheduler) == 0);
	finish();
}

/* Unless the system keeps this thread until that has passed. */
static void set_soon(int object)
{
	duct_status status;

	while ((status = set(object, duct_after_ms(1))) != DUCT_OK)
		CHECK_STATUS(status, DUCT_TIMEDOUT);
}

/* By the system's clock nothing else than the new time can wake it. */
TEST(scheduler, that_is_waited_for_learns_of_an_earlier_time, 20)
{
	struct waiter waiter = { .object = -1 };
	pthread_t thread;

	CHECK_STATUS(duct_scheduler_new(&scheduler, sizeof(int), NULL, NULL), DUCT_OK);
	CHECK_STATUS(set(1, duct_after_s(100000)), DUCT_OK);
	thread = test_start(wait_for_object, &waiter);
	for (int i = 0; i < 100; i++)
		test_pause();
	set_soon(2);
	test_join(thread);
	CHECK_STATUS(waiter.status, DUCT_OK);
	CHECK(waiter.object == 2);
	duct_receiver_free(scheduler);
}

/* Who looks at the right moment finds the object due, and hands it to the one who has waited longer. */
TEST(scheduler, serves_who_waits_first, 30)
{
	CHECK_STATUS(duct_scheduler_new(&scheduler, sizeof(int), NULL, NULL), DUCT_OK);
	for (int round = 0; round < test_rounds(200, 2000); round++) {
		struct waiter waiter = { .object = -1 };
		pthread_t thread;
		int object = -1;

		set_soon(round);
		thread = test_start(wait_for_object, &waiter);
		while (!atomic_load(&waiter.done) && object == -1)
			(void)!duct_try_recv(scheduler, &object);
		if (object != -1)
			set_soon(object); /* the other one was late */
		test_join(thread);
		CHECK_STATUS(waiter.status, DUCT_OK);
		CHECK(waiter.object == round);
	}
	duct_receiver_free(scheduler);
}

TEST(scheduler, in_a_select_with_a_channel, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	int object = -1, message = 7;
	duct_case cases[] = { DUCT_RECV(NULL, &object), DUCT_RECV(pair.rx, &message) };
	size_t chosen;

	begin();
	cases[0].receiver = scheduler;
	CHECK_STATUS(set(5, 1010), DUCT_OK);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_send(pair.tx, &message), DUCT_OK);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1);
	CHECK_STATUS(duct_clock_advance(clock_by_hand, 10), DUCT_OK);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0 && object == 5);
	test_pair_free(&pair);
	finish();
}

TEST(scheduler, refuses_what_cannot_work, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	duct_receiver *untouched = NULL;
	int object = 1;

	begin();
	CHECK_STATUS(duct_scheduler_new(NULL, sizeof(int), NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_scheduler_new(&untouched, 0, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_scheduler_new(&untouched, SIZE_MAX, NULL, NULL), DUCT_INVALID);
	CHECK(untouched == NULL);
	CHECK_STATUS(duct_scheduler_set(NULL, &object, 2000), DUCT_INVALID);
	CHECK_STATUS(duct_scheduler_set(scheduler, NULL, 2000), DUCT_INVALID);
	CHECK_STATUS(set(1, -1), DUCT_INVALID);
	CHECK_STATUS(duct_scheduler_set(pair.rx, &object, 2000), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_scheduler_unset(NULL, &object), DUCT_INVALID);
	CHECK_STATUS(duct_scheduler_unset(scheduler, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_scheduler_unset(pair.rx, &object), DUCT_UNSUPPORTED);
	CHECK(duct_scheduler_pending(NULL) == 0 && duct_scheduler_pending(pair.rx) == 0);
	CHECK(duct_scheduler_pending(scheduler) == 0);
	test_pair_free(&pair);
	finish();
}
