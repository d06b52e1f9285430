/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A waiter that cannot sleep, for there is no mutex or condition variable, although somebody has claimed it already: it stays
 * until that one is done with it.  Between claim and notification there is nothing that a thread could be held at, so here
 * the test is the claimer, and the waiter is held where it gives up the processor.  How to link: faults.h.
 */
#include "waiter.h"
#include "faults.h"
#include "harness.h"

struct sleepless {
	struct waiter waiter;
	long n, calls;
	duct_time deadline;
	duct_status result;
	atomic_int hold;
	atomic_bool left;
	pthread_t thread;
};

static void *sleep_with_fault(void *argument)
{
	struct sleepless *sleepless = argument;

	fault_hold_yield(&sleepless->hold);
	fault_begin(sleepless->n);
	sleepless->result = waiter_sleep(&sleepless->waiter, sleepless->deadline);
	sleepless->calls = fault_end();
	fault_unhold();
	atomic_store(&sleepless->left, true);
	return NULL;
}

static bool waits_somehow(struct sleepless *sleepless)
{
	return atomic_load(&sleepless->hold) == HOLD_HELD || atomic_load(&sleepless->waiter.wake) == WAKE_PARKED ||
	       atomic_load(&sleepless->left);
}

/* Claims it, lets it try to sleep with its n-th call failing, and only then notifies it; false once there is no n-th. */
static bool check_claimed(long n, duct_time deadline)
{
	struct fault_live before = fault_live(), after;
	struct sleepless sleepless = { .n = n, .deadline = deadline, .result = DUCT_INVALID };
	struct waiter *waiter = &sleepless.waiter;
	struct node *wakes = NULL;

	waiter_init(waiter);
	waiter->first = (struct node){ .waiter = waiter, .index = 3 };
	CHECK(node_claim(&waiter->first));
	sleepless.thread = test_start(sleep_with_fault, &sleepless);
	AWAIT(waits_somehow(&sleepless));
	CHECK(!atomic_load(&sleepless.left));
	wakes_add(&wakes, &waiter->first, DUCT_CLOSED);
	wakes_notify(wakes);
	atomic_store(&sleepless.hold, HOLD_LET_GO);
	test_join(sleepless.thread);
	CHECK_STATUS(sleepless.result, DUCT_OK);
	CHECK(atomic_load(&waiter->claim) == 3 && waiter->status == DUCT_CLOSED);
	after = fault_live();
	CHECK(fault_live_same(&before, &after));
	return sleepless.calls >= n;
}

/* Whatever it lacks, and however late it is, it leaves with what it was given. */
TEST(sleepless, claimed_stays_until_it_is_notified, 10)
{
	static const duct_time deadlines[] = { DUCT_FOREVER, 1 };

	for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
		long n = 1;

		while (check_claimed(n, deadlines[i]))
			n++;
		CHECK(n > 1);
	}
}
