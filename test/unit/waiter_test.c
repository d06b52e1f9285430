/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A waiter: claimed by one at most, and woken exactly if it was claimed, whatever stage of going to sleep it is in.
 */
#include "waiter.h"
#include "harness.h"

#include <stddef.h>

/* A waiter as the thread that sleeps sees it. */
struct bed {
	struct waiter waiter;
	duct_time deadline;
	duct_status result;
	_Atomic bool left;
	pthread_t thread;
};

static void bed_init(struct bed *bed, duct_time deadline)
{
	waiter_init(&bed->waiter);
	bed->waiter.first = (struct node){ .waiter = &bed->waiter, .index = 3 };
	bed->deadline = deadline;
	bed->result = DUCT_INVALID;
	atomic_init(&bed->left, false);
}

static void *bed_sleep(void *argument)
{
	struct bed *bed = argument;

	bed->result = waiter_sleep(&bed->waiter, bed->deadline);
	atomic_store(&bed->left, true);
	return NULL;
}

static bool is_parked(struct bed *bed)
{
	return atomic_load(&bed->waiter.wake) == WAKE_PARKED;
}

/* Starts a thread that sleeps, and returns when it does. */
static void bed_park(struct bed *bed)
{
	bed->thread = test_start(bed_sleep, bed);
	AWAIT(is_parked(bed));
}

/* Claims the waiter and wakes it. */
static void bed_serve(struct bed *bed, duct_status status)
{
	struct node *wakes = NULL;

	CHECK(node_claim(&bed->waiter.first));
	wakes_add(&wakes, &bed->waiter.first, status);
	wakes_notify(wakes);
}

/* ---- Claims ---------------------------------------------------------------------------------------------------- */

/* A claim writes the index of its operation, and is the last one. */
TEST(node_claim, succeeds_once, 5)
{
	struct waiter waiter;
	struct node first = { .waiter = &waiter, .index = 0 }, second = { .waiter = &waiter, .index = 5 };

	waiter_init(&waiter);
	CHECK(node_is_live(&first) && node_is_live(&second));
	CHECK(node_claim(&second));
	CHECK(atomic_load(&waiter.claim) == 5);
	CHECK(!node_is_live(&first) && !node_is_live(&second));
	CHECK(!node_claim(&first) && !node_claim(&second));
	CHECK(atomic_load(&waiter.claim) == 5);
	CHECK(!waiter_is_notified(&waiter));
}

#define CLAIMERS 2 /* more would not run at once on a small machine */
#define WAITERS 10000

/* Threads that run through the same waiters.  Who finds them claimed is faster than who claims, so none gets ahead. */
struct contest {
	struct waiter waiters[WAITERS];
	unsigned char won[CLAIMERS][WAITERS];
	_Atomic int ready;
};

struct claimer {
	struct contest *contest;
	uint32_t index;
};

static void *claim_all(void *argument)
{
	const struct claimer *claimer = argument;
	struct contest *contest = claimer->contest;

	atomic_fetch_add(&contest->ready, 1);
	for (int spins = 1; atomic_load(&contest->ready) < CLAIMERS; spins++)
		if (spins % 10000 == 0)
			sched_yield();
	for (size_t i = 0; i < WAITERS; i++) {
		struct node node = { .waiter = &contest->waiters[i], .index = claimer->index };

		contest->won[claimer->index][i] = node_claim(&node);
	}
	return NULL;
}

static void run_contest(struct contest *contest)
{
	struct claimer claimers[CLAIMERS];
	pthread_t threads[CLAIMERS];

	atomic_store(&contest->ready, 0);
	for (size_t i = 0; i < WAITERS; i++)
		waiter_init(&contest->waiters[i]);
	for (uint32_t i = 0; i < CLAIMERS; i++) {
		claimers[i] = (struct claimer){ contest, i };
		threads[i] = test_start(claim_all, &claimers[i]);
	}
	for (uint32_t i = 0; i < CLAIMERS; i++)
		test_join(threads[i]);
}

/* Of threads that claim at once exactly one gets the waiter, and the claim word says which. */
TEST(node_claim, has_one_winner_among_threads, 20)
{
	static struct contest contest;

	for (int again = 0; again < 20; again++) {
		run_contest(&contest);
		for (size_t i = 0; i < WAITERS; i++) {
			CHECK(contest.won[0][i] + contest.won[1][i] == 1);
			CHECK(contest.won[contest.waiters[i].claim][i]);
		}
	}
}

/* ---- Sleeping and waking --------------------------------------------------------------------------------------- */

/* A notification that comes before the sleep is found there, whatever the deadline. */
TEST(waiter_sleep, after_the_notification_returns_at_once, 5)
{
	static const duct_time deadlines[] = { 0, 1, DUCT_FOREVER };

	for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
		struct bed bed;

		bed_init(&bed, deadlines[i]);
		bed_serve(&bed, DUCT_CLOSED);
		CHECK(waiter_is_notified(&bed.waiter));
		CHECK_STATUS(waiter_sleep(&bed.waiter, bed.deadline), DUCT_OK);
		CHECK(bed.waiter.status == DUCT_CLOSED && bed.waiter.claim == 3);
	}
}

/* A thread that sleeps is woken by the notification, with or without a deadline ahead. */
TEST(waiter_sleep, returns_when_notified, 5)
{
	const duct_time deadlines[] = { DUCT_FOREVER, duct_after_s(1000) };

	for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
		struct bed bed;

		bed_init(&bed, deadlines[i]);
		bed_park(&bed);
		CHECK(!bed.left);
		bed_serve(&bed, DUCT_NO_RECEIVERS);
		test_join(bed.thread);
		CHECK_STATUS(bed.result, DUCT_OK);
		CHECK(bed.waiter.status == DUCT_NO_RECEIVERS && bed.waiter.claim == 3 && bed.waiter.token);
	}
}

/* Nobody came: the waiter takes itself back at the deadline, not before, and cannot be claimed any more. */
TEST(waiter_sleep, withdraws_at_the_deadline, 5)
{
	struct bed bed;

	bed_init(&bed, duct_after_ms(5));
	CHECK_STATUS(waiter_sleep(&bed.waiter, bed.deadline), DUCT_TIMEDOUT);
	CHECK(duct_now() >= bed.deadline);
	CHECK(bed.waiter.claim == CLAIM_WITHDRAWN);
	CHECK(!node_is_live(&bed.waiter.first) && !node_claim(&bed.waiter.first));
}

/* A deadline that has passed already ends the sleep as well. */
TEST(waiter_sleep, with_a_past_deadline_withdraws_at_once, 5)
{
	struct bed bed;

	bed_init(&bed, 1);
	CHECK_STATUS(waiter_sleep(&bed.waiter, bed.deadline), DUCT_TIMEDOUT);
	CHECK(bed.waiter.claim == CLAIM_WITHDRAWN);
}

/* Claimed before the deadline and notified after it: the waiter stays until then, and takes what it got. */
TEST(waiter_sleep, claimed_sleeps_past_the_deadline_until_notified, 5)
{
	struct node *wakes = NULL;
	struct bed bed;

	bed_init(&bed, duct_after_ms(1));
	CHECK(node_claim(&bed.waiter.first));
	bed_park(&bed);
	AWAIT(deadline_passed(bed.deadline));
	for (int i = 0; i < 20; i++) {
		test_pause();
		CHECK(!bed.left);
	}
	wakes_add(&wakes, &bed.waiter.first, DUCT_OK);
	wakes_notify(wakes);
	test_join(bed.thread);
	CHECK_STATUS(bed.result, DUCT_OK);
	CHECK(bed.waiter.claim == 3 && bed.waiter.status == DUCT_OK);
}

/*
 * Notifies a waiter that sleeps until this deadline as if the signal were just too late: it must time out to find the token.
 * False if the deadline passed before.
 */
static bool notify_at_the_deadline(duct_time deadline)
{
	struct bed bed;
	bool in_time;

	bed_init(&bed, deadline);
	CHECK(node_claim(&bed.waiter.first));
	bed_park(&bed);
	mutex_lock(&bed.waiter.lock); /* which it gave back to wait */
	in_time = !deadline_passed(deadline);
	atomic_store(&bed.waiter.wake, WAKE_NOTIFIED);
	bed.waiter.token = true;
	if (!in_time)
		pthread_cond_signal(&bed.waiter.woken);
	mutex_unlock(&bed.waiter.lock);
	test_join(bed.thread);
	CHECK_STATUS(bed.result, DUCT_OK);
	CHECK(bed.waiter.claim == 3);
	return in_time;
}

/* Notified and timed out at once: the notification counts. */
TEST(waiter_sleep, notified_at_the_deadline_has_not_timed_out, 10)
{
	int64_t ahead = 2;

	while (!notify_at_the_deadline(duct_after_ms(ahead)))
		ahead *= 2;
}

static void *sleep_cancellable(void *argument)
{
	bed_sleep(argument);
	pthread_testcancel();
	return argument;
}

/* A thread that is cancelled in its sleep stays until it is notified; the cancellation takes it after that. */
TEST(waiter_sleep, is_no_cancellation_point, 5)
{
	struct bed bed;
	void *result;

	bed_init(&bed, DUCT_FOREVER);
	bed.thread = test_start(sleep_cancellable, &bed);
	AWAIT(is_parked(&bed));
	CHECK(pthread_cancel(bed.thread) == 0);
	for (int i = 0; i < 20; i++) {
		test_pause();
		CHECK(!bed.left);
	}
	bed_serve(&bed, DUCT_OK);
	CHECK(pthread_join(bed.thread, &result) == 0);
	CHECK(result == PTHREAD_CANCELED);
	CHECK(bed.left);
	CHECK_STATUS(bed.result, DUCT_OK);
}

/* ---- Lists of those to wake ------------------------------------------------------------------------------------ */

/* A list wakes each of its waiters, at whatever stage it is, with the status of its own. */
TEST(wakes_notify, wakes_all_of_a_list, 5)
{
	static const duct_status statuses[] = { DUCT_OK, DUCT_CLOSED, DUCT_NO_RECEIVERS };
	struct node *wakes = NULL;
	struct bed beds[3];

	for (size_t i = 0; i < 3; i++)
		bed_init(&beds[i], DUCT_FOREVER);
	bed_park(&beds[0]);
	bed_park(&beds[2]);
	for (size_t i = 0; i < 3; i++) {
		CHECK(node_claim(&beds[i].waiter.first));
		wakes_add(&wakes, &beds[i].waiter.first, statuses[i]);
	}
	CHECK(!waiter_is_notified(&beds[1].waiter) && !beds[0].left);
	wakes_notify(wakes);
	CHECK_STATUS(waiter_sleep(&beds[1].waiter, DUCT_FOREVER), DUCT_OK);
	test_join(beds[0].thread);
	test_join(beds[2].thread);
	for (size_t i = 0; i < 3; i++)
		CHECK(waiter_is_notified(&beds[i].waiter) && beds[i].waiter.status == statuses[i]);
}

/* An empty list wakes nobody. */
TEST(wakes_notify, of_an_empty_list_does_nothing, 5)
{
	wakes_notify(NULL);
}

#define LIVES 300
#define GONE ((struct node *)(uintptr_t)1) /* nobody may follow it */

/* Where the two threads of the next test meet. */
struct meeting {
	_Atomic(struct waiter *) offered;
};

/* One life of a waiter, on a stack that is used again at once. */
static void live_once(struct meeting *meeting, bool sleeps)
{
	struct waiter waiter;

	waiter_init(&waiter);
	waiter.first = (struct node){ .waiter = &waiter };
	atomic_store(&meeting->offered, &waiter);
	if (sleeps)
		CHECK_STATUS(waiter_sleep(&waiter, DUCT_FOREVER), DUCT_OK);
	while (!waiter_is_notified(&waiter))
		sched_yield();
	waiter.first.next = GONE;
	memset(&waiter, 0xee, offsetof(struct waiter, lock));
}

static void *live_often(void *argument)
{
	for (int i = 0; i < LIVES; i++)
		live_once(argument, i % 2);
	return NULL;
}

/* Takes what one thread offers. */
static struct waiter *await_waiter(struct meeting *meeting)
{
	struct waiter *waiter;

	while ((waiter = atomic_exchange(&meeting->offered, NULL)) == NULL)
		sched_yield();
	return waiter;
}

/* A notified waiter may be gone with its node before the list is at its end: the wakers never look back. */
TEST(wakes_notify, does_not_touch_a_waiter_that_it_has_woken, 20)
{
	static struct meeting meetings[2];
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		threads[i] = test_start(live_often, &meetings[i]);
	for (int life = 0; life < LIVES; life++) {
		struct node *wakes = NULL;

		for (size_t i = 0; i < 2; i++) {
			struct waiter *waiter = await_waiter(&meetings[i]);

			CHECK(node_claim(&waiter->first));
			wakes_add(&wakes, &waiter->first, DUCT_OK);
		}
		wakes_notify(wakes);
	}
	for (size_t i = 0; i < 2; i++)
		test_join(threads[i]);
}
