/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A waiter: claimed by one at most, and woken exactly if it was claimed, whatever stage of going to sleep it is in.
 */
#include "waiter.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

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

/* ---- With descriptors ------------------------------------------------------------------------------------------ */

#ifdef __linux__

/* A bed beside a pipe: who sleeps in it leaves also when that can be read. */
struct bunk {
	struct bed bed;
	int pipe[2];
	struct pollfd polls[3];  /* one that stands for none, the pipe, and room for the bell */
	struct pollfd beyond[3]; /* what would end each poll at once */
};

static void bunk_init(struct bunk *bunk, duct_time deadline)
{
	bed_init(&bunk->bed, deadline);
	CHECK(pipe(bunk->pipe) == 0);
	bunk->polls[0] = (struct pollfd){ .fd = -1, .events = POLLIN };
	bunk->polls[1] = (struct pollfd){ .fd = bunk->pipe[0], .events = POLLIN };
	for (size_t i = 0; i < ARRAY_LEN(bunk->beyond); i++)
		bunk->beyond[i] = (struct pollfd){ .fd = bunk->pipe[1], .events = POLLOUT };
}

static void bunk_fini(struct bunk *bunk)
{
	CHECK(close(bunk->pipe[0]) == 0 && close(bunk->pipe[1]) == 0);
}

static duct_status bunk_poll(struct bunk *bunk)
{
	duct_status status;

	errno = EDOM;
	status = waiter_poll(&bunk->bed.waiter, bunk->bed.deadline, bunk->polls, ARRAY_LEN(bunk->polls));
	CHECK(errno == EDOM);
	return status;
}

static void *bunk_sleep(void *argument)
{
	struct bunk *bunk = argument;

	bunk->bed.result = bunk_poll(bunk);
	atomic_store(&bunk->bed.left, true);
	return NULL;
}

static void bunk_park(struct bunk *bunk)
{
	bunk->bed.thread = test_start(bunk_sleep, bunk);
	AWAIT(is_parked(&bunk->bed));
}

static void bunk_write(struct bunk *bunk)
{
	CHECK(write(bunk->pipe[1], "", 1) == 1);
}

/* The next descriptor that would be had: the same as before, if none was kept. */
static int next_descriptor(void)
{
	int descriptor = dup(0);

	CHECK(descriptor >= 0 && close(descriptor) == 0);
	return descriptor;
}

TEST(waiter_poll, after_the_notification_returns_at_once, 5)
{
	static const duct_time deadlines[] = { 0, 1, DUCT_FOREVER };

	for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
		struct bunk bunk;

		bunk_init(&bunk, deadlines[i]);
		bunk_write(&bunk);
		bed_serve(&bunk.bed, DUCT_CLOSED);
		CHECK_STATUS(bunk_poll(&bunk), DUCT_OK);
		CHECK(bunk.bed.waiter.status == DUCT_CLOSED && bunk.bed.waiter.claim == 3);
		bunk_fini(&bunk);
	}
}

TEST(waiter_poll, returns_when_notified, 5)
{
	const duct_time deadlines[] = { DUCT_FOREVER, duct_after_s(1000) };

	for (size_t i = 0; i < ARRAY_LEN(deadlines); i++) {
		struct bunk bunk;
		int next;

		bunk_init(&bunk, deadlines[i]);
		next = next_descriptor();
		bunk_park(&bunk);
		CHECK(fcntl(next, F_GETFD) == FD_CLOEXEC && !bunk.bed.left);
		errno = EDOM;
		bed_serve(&bunk.bed, DUCT_NO_RECEIVERS);
		CHECK(errno == EDOM);
		test_join(bunk.bed.thread);
		CHECK_STATUS(bunk.bed.result, DUCT_OK);
		CHECK(bunk.bed.waiter.status == DUCT_NO_RECEIVERS && bunk.bed.waiter.claim == 3);
		CHECK(next_descriptor() == next);
		bunk_fini(&bunk);
	}
}

TEST(waiter_poll, withdraws_when_a_descriptor_can_be_read, 5)
{
	for (int asleep = 0; asleep < 2; asleep++) {
		struct bunk bunk;
		int next;

		bunk_init(&bunk, DUCT_FOREVER);
		next = next_descriptor();
		if (asleep) {
			bunk_park(&bunk);
			bunk_write(&bunk);
			test_join(bunk.bed.thread);
		} else {
			bunk_write(&bunk);
			(void)bunk_sleep(&bunk);
		}
		CHECK_STATUS(bunk.bed.result, WAITER_READABLE);
		CHECK(bunk.bed.waiter.claim == CLAIM_WITHDRAWN && !node_claim(&bunk.bed.waiter.first));
		CHECK(next_descriptor() == next);
		bunk_fini(&bunk);
	}
}

/* One that nobody can write to any more counts as readable: its owner is to see to it. */
TEST(waiter_poll, withdraws_when_a_descriptor_has_ended, 5)
{
	struct bunk bunk;

	bunk_init(&bunk, DUCT_FOREVER);
	bunk_park(&bunk);
	CHECK(close(bunk.pipe[1]) == 0);
	test_join(bunk.bed.thread);
	CHECK_STATUS(bunk.bed.result, WAITER_READABLE);
	bunk.pipe[1] = dup(0);
	bunk_fini(&bunk);
}

TEST(waiter_poll, withdraws_at_the_deadline, 5)
{
	for (int i = 0; i < 3; i++) {
		struct bunk bunk;

		bunk_init(&bunk, i < 2 ? i : duct_after_ms(5));
		CHECK_STATUS(bunk_poll(&bunk), DUCT_TIMEDOUT);
		CHECK(duct_now() >= bunk.bed.deadline);
		CHECK(bunk.bed.waiter.claim == CLAIM_WITHDRAWN && !node_claim(&bunk.bed.waiter.first));
		bunk_fini(&bunk);
	}
}

/* A program may have closed its standard input. */
TEST(waiter_poll, may_have_descriptor_0_for_a_bell, 5)
{
	struct bunk bunk;

	bunk_init(&bunk, DUCT_FOREVER);
	CHECK(close(0) == 0);
	bunk_park(&bunk);
	CHECK(fcntl(0, F_GETFD) == FD_CLOEXEC);
	bed_serve(&bunk.bed, DUCT_OK);
	test_join(bunk.bed.thread);
	CHECK_STATUS(bunk.bed.result, DUCT_OK);
	CHECK(fcntl(0, F_GETFD) == -1);
	bunk_fini(&bunk);
}

/* Claimed first: neither the deadline nor the descriptor counts any more. */
TEST(waiter_poll, claimed_sleeps_until_notified, 5)
{
	for (int readable = 0; readable < 2; readable++) {
		struct node *wakes = NULL;
		struct bunk bunk;
		int64_t used;

		bunk_init(&bunk, readable ? DUCT_FOREVER : duct_after_ms(1));
		CHECK(node_claim(&bunk.bed.waiter.first));
		bunk_park(&bunk);
		if (readable)
			bunk_write(&bunk);
		AWAIT(readable || deadline_passed(bunk.bed.deadline));
		used = test_cpu_time();
		usleep(100000);
		used = test_cpu_time() - used;
		CHECK(!bunk.bed.left && used < 5000000 * test_time_scale());
		wakes_add(&wakes, &bunk.bed.waiter.first, DUCT_OK);
		wakes_notify(wakes);
		test_join(bunk.bed.thread);
		CHECK_STATUS(bunk.bed.result, DUCT_OK);
		CHECK(bunk.bed.waiter.claim == 3);
		bunk_fini(&bunk);
	}
}

static void *serve_bunk(void *argument)
{
	struct bunk *bunk = argument;
	struct node *wakes = NULL;

	if (!node_claim(&bunk->bed.waiter.first))
		return NULL;
	wakes_add(&wakes, &bunk->bed.waiter.first, DUCT_CLOSED);
	wakes_notify(wakes);
	return bunk;
}

/* Whoever comes first: who claims the waiter is told so by what it returns, and who does not finds it withdrawn. */
TEST(waiter_poll, notified_and_readable_at_once_is_one_of_both, 30)
{
	int served = 0, rounds = test_rounds(2000, 20000);
	const int next = next_descriptor();

	for (int round = 0; round < rounds; round++) {
		struct bunk bunk;
		pthread_t server;
		void *claimed;

		bunk_init(&bunk, round % 3 == 0 ? duct_now() + 50000 : DUCT_FOREVER);
		if (round % 2 == 0)
			bunk_park(&bunk);
		else
			bunk.bed.thread = test_start(bunk_sleep, &bunk);
		server = test_start(serve_bunk, &bunk);
		if (round % 3 != 0)
			bunk_write(&bunk);
		CHECK(pthread_join(server, &claimed) == 0);
		test_join(bunk.bed.thread);
		CHECK((claimed != NULL) == (bunk.bed.result == DUCT_OK));
		CHECK(claimed != NULL || bunk.bed.result == (round % 3 == 0 ? DUCT_TIMEDOUT : WAITER_READABLE));
		CHECK(bunk.bed.waiter.claim == (claimed != NULL ? 3 : CLAIM_WITHDRAWN));
		served += claimed != NULL;
		bunk_fini(&bunk);
	}
	CHECK(served > 0 && next_descriptor() == next);
}

/* Without a bell it leaves if nobody has claimed it, else it is awake until it is notified. */
TEST(waiter_poll, without_a_descriptor_for_the_bell_does_not_sleep, 10)
{
	struct rlimit none = { .rlim_max = 1024 };
	struct node *wakes = NULL;
	struct bunk left, claimed;

	bunk_init(&left, DUCT_FOREVER);
	bunk_init(&claimed, DUCT_FOREVER);
	CHECK(node_claim(&claimed.bed.waiter.first));
	none.rlim_cur = (rlim_t)next_descriptor();
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK_STATUS(bunk_poll(&left), DUCT_NOMEM);
	CHECK(left.bed.waiter.claim == CLAIM_WITHDRAWN);
	claimed.bed.thread = test_start(bunk_sleep, &claimed);
	for (int i = 0; i < 20; i++) {
		test_pause();
		CHECK(!claimed.bed.left);
	}
	wakes_add(&wakes, &claimed.bed.waiter.first, DUCT_CLOSED);
	wakes_notify(wakes);
	test_join(claimed.bed.thread);
	CHECK_STATUS(claimed.bed.result, DUCT_OK);
	bunk_fini(&left);
	bunk_fini(&claimed);
}

/* The bell is had in the place of one that was given back, but the system does not poll more than it would now open. */
TEST(waiter_poll, of_more_than_the_system_polls_does_not_sleep, 10)
{
	struct rlimit limit, one;
	struct bunk bunk;
	duct_status status;
	bool set;

	bunk_init(&bunk, DUCT_FOREVER);
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && close(0) == 0);
	one = limit;
	one.rlim_cur = 1;
	set = setrlimit(RLIMIT_NOFILE, &one) == 0; /* no checks until the limit is back: a runner may poll */
	status = waiter_poll(&bunk.bed.waiter, DUCT_FOREVER, bunk.polls, ARRAY_LEN(bunk.polls));
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0 && set);
	CHECK_STATUS(status, DUCT_NOMEM);
	CHECK(bunk.bed.waiter.claim == CLAIM_WITHDRAWN && fcntl(0, F_GETFD) == -1);
	bunk_fini(&bunk);
}

static void *poll_cancellable(void *argument)
{
	bunk_sleep(argument);
	pthread_testcancel();
	return argument;
}

/* Nor is to ring the bell. */
TEST(waiter_poll, is_no_cancellation_point, 5)
{
	struct bunk bunk;
	void *result;

	bunk_init(&bunk, DUCT_FOREVER);
	bunk.bed.thread = test_start(poll_cancellable, &bunk);
	AWAIT(is_parked(&bunk.bed));
	CHECK(pthread_cancel(bunk.bed.thread) == 0);
	for (int i = 0; i < 20; i++) {
		test_pause();
		CHECK(!bunk.bed.left);
	}
	bed_serve(&bunk.bed, DUCT_OK);
	CHECK(pthread_join(bunk.bed.thread, &result) == 0 && result == PTHREAD_CANCELED);
	CHECK(bunk.bed.left && bunk.bed.result == DUCT_OK);
	bunk_fini(&bunk);
}

static void interrupted(int number)
{
	(void)number;
}

TEST(waiter_poll, goes_on_after_a_signal, 5)
{
	const struct sigaction action = { .sa_handler = interrupted };
	struct bunk bunk;

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	bunk_init(&bunk, DUCT_FOREVER);
	bunk_park(&bunk);
	for (int i = 0; i < 20; i++) {
		CHECK(pthread_kill(bunk.bed.thread, SIGUSR1) == 0);
		test_pause();
		CHECK(!bunk.bed.left);
	}
	bed_serve(&bunk.bed, DUCT_OK);
	test_join(bunk.bed.thread);
	CHECK_STATUS(bunk.bed.result, DUCT_OK);
	bunk_fini(&bunk);
}

#endif

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
