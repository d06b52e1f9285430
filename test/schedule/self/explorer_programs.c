/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs for the schedule explorer, compiled as code under test is: what it has to find, and what it has to reach.
 *
 * Outcomes are numbers that a program shows; in each way of exploring the set of those shown has to be the one in the table.
 */
#include "self.h"

#include "explorer.h"
#include "explorer_programs.h"
#include "run.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREAD(name_) static void *name_(void *unused __attribute__((unused)))

#define START INT64_C(1000000000000) /* of the virtual clock */

static pthread_mutex_t mutex, second_mutex;
static pthread_cond_t condition, second_condition;
static atomic_int x, y, z;
static int guarded, count, order; /* by the mutex */

static void prepare(void)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&mutex, NULL);
	pthread_mutex_init(&second_mutex, NULL);
	pthread_cond_init(&condition, &attributes);
	pthread_cond_init(&second_condition, &attributes);
	atomic_store(&x, 0);
	atomic_store(&y, 0);
	atomic_store(&z, 0);
	guarded = count = order = 0;
}

#define BODY(name_, ...) \
	static void name_(void) \
	{ \
		prepare(); \
		RUN(__VA_ARGS__); \
	}

static void points(int number)
{
	for (int i = 0; i < number; i++)
		explorer_point("here", NULL);
}

/* ---- How many schedules there are ------------------------------------------------------------------------------------- */

/*
 * The body starts one thread with t points, has b - 1 points, and joins the thread, which is its b-th.  A schedule begins
 * with the body, and changes at points of one and of the other in turn.  With p preemptions, ceil(p / 2) of them are at
 * points of the body and floor(p / 2) at points of the thread, each set of points in one way:
 *
 *     schedules with at most k preemptions = sum over p = 0 .. k of C(b, ceil(p / 2)) * C(t, floor(p / 2))
 *
 * For b = 3, t = 2: 1, then 3, 6, 6, 3, 1, together C(b + t + 1, b) = 20.
 */
THREAD(two_points)
{
	points(2);
	return NULL;
}

static void count_two_and_two(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, two_points, NULL);
	points(2);
	pthread_join(thread, NULL);
}

/*
 * Without preemptions: the body starts both and waits for the first.  If that runs first, the body or the second one goes
 * on; if the second one does, the first one follows.  So there are three.
 */
BODY(count_two_threads, two_points, two_points)

/* At most one preemption: none; or the body's at its lock, its unlock or its join, each of which has one way to go on. */
THREAD(lock_once)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void count_locks(void)
{
	pthread_t thread;

	pthread_mutex_init(&mutex, NULL);
	pthread_create(&thread, NULL, lock_once, NULL);
	lock_once(NULL);
	pthread_join(thread, NULL);
}

/* To read the clock is a point: b = 1, t = 2. */
THREAD(read_clock_twice)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	clock_gettime(CLOCK_MONOTONIC, &time);
	return NULL;
}

static void count_clock(void)
{
	RUN(read_clock_twice);
}

/* 3 * 2 choices, each of which costs no preemption. */
static void count_choices(void)
{
	int first = explorer_choose(3), none = explorer_choose(1), second = explorer_choose(2);

	EXPLORER_CHECK(none == 0);
	self_outcome(first * 2 + second);
}

static void choose_of_many(void)
{
	self_outcome(explorer_choose(40));
}

/* ---- What interleavings there are ------------------------------------------------------------------------------------- */

/* The order of their steps, as a bit each.  Nothing orders them, and the race detector is not asked. */
static unsigned bits;

__attribute__((no_sanitize("thread"), noinline)) static unsigned append(unsigned bit)
{
	bits = bits * 2 + bit;
	return bits;
}

static void append_two(unsigned bit)
{
	for (int i = 0; i < 2; i++) {
		explorer_point("append", NULL);
		append(bit);
	}
}

THREAD(append_ones)
{
	append_two(1);
	return NULL;
}

THREAD(append_zeros)
{
	append_two(0);
	return NULL;
}

static void orders(void)
{
	prepare();
	RUN(append_ones, append_zeros);
	self_outcome((int)(append(0) / 2 % 16));
}

THREAD(add_in_two_steps)
{
	int was = atomic_load(&x);

	atomic_store(&x, was + 1);
	return NULL;
}

static void lost_update(void)
{
	prepare();
	RUN(add_in_two_steps, add_in_two_steps);
	self_outcome(atomic_load(&x));
}

THREAD(add_in_one_step)
{
	atomic_fetch_add(&x, 1);
	return NULL;
}

static void no_lost_update(void)
{
	prepare();
	RUN(add_in_one_step, add_in_one_step, add_in_one_step);
	self_outcome(atomic_load(&x));
}

/* Sequentially consistent: one at least sees what the other stored. */
THREAD(store_x_load_y)
{
	atomic_store(&x, 1);
	atomic_fetch_add(&z, 2 * atomic_load(&y));
	return NULL;
}

THREAD(store_y_load_x)
{
	atomic_store(&y, 1);
	atomic_fetch_add(&z, atomic_load(&x));
	return NULL;
}

static void store_buffers(void)
{
	prepare();
	RUN(store_x_load_y, store_y_load_x);
	self_outcome(atomic_load(&z));
}

/* The order in which three threads get the mutex, as digits: 1 2 3 .. 3 2 1, less what none of them can be. */
THREAD(note_turn)
{
	pthread_mutex_lock(&mutex);
	order = order * 3 + explorer_self() - 1;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void turns(void)
{
	prepare();
	RUN(note_turn, note_turn, note_turn);
	self_outcome(order);
}

THREAD(keep_inside)
{
	pthread_mutex_lock(&mutex);
	EXPLORER_CHECK(count++ == 0);
	points(1);
	count--;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(try_to_get_inside)
{
	int result = pthread_mutex_trylock(&mutex);

	self_outcome(result == EBUSY);
	if (result != 0) {
		EXPLORER_CHECK(result == EBUSY);
		return NULL;
	}
	EXPLORER_CHECK(pthread_mutex_trylock(&mutex) == EBUSY);
	EXPLORER_CHECK(count++ == 0);
	points(1);
	count--;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

BODY(exclusion, keep_inside, keep_inside, try_to_get_inside)

/* ---- What never ends -------------------------------------------------------------------------------------------------- */

THREAD(lock_first_second)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&second_mutex);
	pthread_mutex_unlock(&second_mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(lock_second_first)
{
	pthread_mutex_lock(&second_mutex);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_mutex_unlock(&second_mutex);
	return NULL;
}

BODY(lock_cycle, lock_first_second, lock_second_first)
BODY(lock_order, lock_first_second, lock_first_second)

THREAD(keep_locked)
{
	pthread_mutex_lock(&mutex);
	return NULL;
}

BODY(never_unlocked, keep_locked, keep_inside)

THREAD(wait_for_nobody)
{
	pthread_mutex_lock(&mutex);
	pthread_cond_wait(&condition, &mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

BODY(nobody_wakes, wait_for_nobody)

/* The body does not even wait for it. */
static void left_asleep(void)
{
	pthread_t thread;

	prepare();
	pthread_create(&thread, NULL, wait_for_nobody, NULL);
}

/* Asks without the mutex, so that the wake-up can come before the wait. */
THREAD(ask_then_wait)
{
	if (atomic_load(&x) != 0)
		return NULL;
	pthread_mutex_lock(&mutex);
	pthread_cond_wait(&condition, &mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(tell_and_wake)
{
	atomic_store(&x, 1);
	pthread_cond_signal(&condition);
	return NULL;
}

BODY(lost_wake_up, ask_then_wait, tell_and_wake)

THREAD(wake_the_wrong_one)
{
	pthread_mutex_lock(&mutex);
	guarded = 1;
	pthread_cond_broadcast(&second_condition);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(wait_until_told)
{
	pthread_mutex_lock(&mutex);
	while (guarded == 0)
		pthread_cond_wait(&condition, &mutex);
	guarded--;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

BODY(wrong_condition, wait_until_told, wake_the_wrong_one)

THREAD(spin_for_ever)
{
	while (atomic_load(&x) == 0)
		;
	return NULL;
}

BODY(livelock, spin_for_ever)

THREAD(join_each_other)
{
	pthread_join((pthread_t)(3 - explorer_self()), NULL);
	return NULL;
}

BODY(join_cycle, join_each_other, join_each_other)

/* ---- Misuse of a mutex ------------------------------------------------------------------------------------------------ */

static void unlock_free(void)
{
	prepare();
	pthread_mutex_unlock(&mutex);
}

THREAD(unlock_others)
{
	while (atomic_load(&x) == 0)
		sched_yield();
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(lock_and_tell)
{
	pthread_mutex_lock(&mutex);
	atomic_store(&x, 1);
	points(1);
	return NULL;
}

BODY(unlock_by_stranger, lock_and_tell, unlock_others)

static void lock_twice(void)
{
	prepare();
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&mutex);
}

static void destroy_locked(void)
{
	prepare();
	pthread_mutex_lock(&mutex);
	pthread_mutex_destroy(&mutex);
}

THREAD(destroy_others)
{
	while (atomic_load(&x) == 0)
		sched_yield();
	pthread_mutex_destroy(&mutex);
	return NULL;
}

BODY(destroy_locked_by_another, lock_and_tell, destroy_others)

#define DESTROYED(name_, call_) \
	static void name_##_destroyed(void) \
	{ \
		const struct timespec deadline = { 0, 0 }; \
		(void)deadline; \
		prepare(); \
		pthread_mutex_lock(&second_mutex); \
		pthread_mutex_destroy(&mutex); \
		pthread_cond_destroy(&condition); \
		(void)(call_); \
	} \
	static void name_##_unmade(void) \
	{ \
		const struct timespec deadline = { 0, 0 }; \
		(void)deadline; \
		prepare(); \
		pthread_mutex_lock(&second_mutex); \
		memset(&mutex, 0x33, sizeof mutex); \
		memset(&condition, 0x33, sizeof condition); \
		(void)(call_); \
	}

DESTROYED(lock, pthread_mutex_lock(&mutex))
DESTROYED(trylock, pthread_mutex_trylock(&mutex))
DESTROYED(unlock, pthread_mutex_unlock(&mutex))
DESTROYED(mutex_destroy, pthread_mutex_destroy(&mutex))
DESTROYED(cond_wait, pthread_cond_wait(&condition, &second_mutex))
DESTROYED(cond_clockwait, pthread_cond_clockwait(&condition, &second_mutex, CLOCK_MONOTONIC, &deadline))
DESTROYED(cond_signal, pthread_cond_signal(&condition))
DESTROYED(cond_broadcast, pthread_cond_broadcast(&condition))
DESTROYED(cond_destroy, pthread_cond_destroy(&condition))

/* What was made statically, or made again after it was destroyed, is there; what is made and not destroyed is counted. */
static pthread_mutex_t static_mutex;
static pthread_cond_t static_condition;

static void lives(void)
{
	static const pthread_mutex_t fresh_mutex = PTHREAD_MUTEX_INITIALIZER;
	static const pthread_cond_t fresh_condition = PTHREAD_COND_INITIALIZER;

	static_mutex = fresh_mutex;
	static_condition = fresh_condition;
	EXPLORER_CHECK(explorer_live_objects() == 0);
	pthread_mutex_lock(&static_mutex);
	pthread_cond_signal(&static_condition);
	pthread_mutex_unlock(&static_mutex);
	pthread_mutex_destroy(&static_mutex);
	pthread_cond_destroy(&static_condition);
	EXPLORER_CHECK(explorer_live_objects() == 0);
	prepare();
	EXPLORER_CHECK(explorer_live_objects() == 4);
	EXPLORER_CHECK(pthread_mutex_destroy(&mutex) == 0 && explorer_live_objects() == 3);
	EXPLORER_CHECK(pthread_cond_destroy(&condition) == 0 && explorer_live_objects() == 2);
	EXPLORER_CHECK(pthread_mutex_init(&mutex, NULL) == 0 && explorer_live_objects() == 3);
	EXPLORER_CHECK(pthread_cond_init(&condition, NULL) == 0 && explorer_live_objects() == 4);
	EXPLORER_CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
	EXPLORER_CHECK(pthread_cond_broadcast(&condition) == 0 && pthread_cond_signal(&condition) == 0);
	memset(&mutex, 0x33, sizeof mutex);
	EXPLORER_CHECK(pthread_mutex_init(&mutex, NULL) == 0 && pthread_mutex_trylock(&mutex) == 0);
}

/* ---- Condition variables ---------------------------------------------------------------------------------------------- */

static void wait_unlocked(void)
{
	prepare();
	pthread_cond_wait(&condition, &mutex);
}

THREAD(wait_with_others)
{
	while (atomic_load(&x) == 0)
		sched_yield();
	pthread_cond_wait(&condition, &mutex);
	return NULL;
}

BODY(wait_with_a_strangers, lock_and_tell, wait_with_others)

THREAD(destroy_under_waiter)
{
	while (!explorer_asleep(1))
		sched_yield();
	pthread_cond_destroy(&condition);
	return NULL;
}

BODY(destroy_condition_waited_on, wait_for_nobody, destroy_under_waiter)

THREAD(destroy_beside_waiter)
{
	while (!explorer_asleep(1))
		sched_yield();
	pthread_cond_destroy(&second_condition);
	pthread_cond_signal(&condition);
	return NULL;
}

BODY(destroy_condition_beside, wait_for_nobody, destroy_beside_waiter)

/* A queue of one, as it should be. */
THREAD(produce)
{
	for (int i = 0; i < 2; i++) {
		pthread_mutex_lock(&mutex);
		while (guarded == 1)
			pthread_cond_wait(&second_condition, &mutex);
		EXPLORER_CHECK(guarded++ == 0);
		pthread_cond_signal(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

THREAD(consume)
{
	pthread_mutex_lock(&mutex);
	while (guarded == 0)
		pthread_cond_wait(&condition, &mutex);
	EXPLORER_CHECK(guarded-- == 1);
	pthread_cond_signal(&second_condition);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

BODY(produce_and_consume, produce, consume, consume)

/* Looks once: another consumer may have been faster. */
THREAD(consume_hastily)
{
	pthread_mutex_lock(&mutex);
	if (guarded == 0)
		pthread_cond_wait(&condition, &mutex);
	EXPLORER_CHECK(guarded-- == 1);
	pthread_cond_signal(&second_condition);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

BODY(produce_and_consume_hastily, produce, consume_hastily, consume_hastily)

/* With one consumer of one thing to look once is wrong only because of spurious wake-ups. */
THREAD(produce_one)
{
	points(1);
	pthread_mutex_lock(&mutex);
	guarded = 1;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

BODY(look_once, consume_hastily, produce_one)

/* How many wake-ups without a signal there are. */
THREAD(count_wake_ups)
{
	pthread_mutex_lock(&mutex);
	while (guarded == 0) {
		EXPLORER_CHECK(pthread_cond_wait(&condition, &mutex) == 0);
		count += guarded == 0;
	}
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(produce_late)
{
	points(6);
	return produce_one(NULL);
}

static void spurious_wake_ups(void)
{
	prepare();
	RUN(count_wake_ups, produce_late);
	self_outcome(count);
}

/* Waits on a condition after it had to wait for another mutex, which is locked when it is woken. */
THREAD(contend_then_wait)
{
	pthread_mutex_lock(&second_mutex);
	pthread_mutex_unlock(&second_mutex);
	wait_until_told(NULL);
	atomic_store(&x, 1);
	return NULL;
}

THREAD(wake_with_another_locked)
{
	pthread_mutex_lock(&second_mutex);
	points(2);
	pthread_mutex_unlock(&second_mutex);
	while (!explorer_asleep(1))
		sched_yield();
	pthread_mutex_lock(&second_mutex);
	produce_one(NULL);
	while (atomic_load(&x) == 0)
		sched_yield();
	pthread_mutex_unlock(&second_mutex);
	return NULL;
}

BODY(woken_for_its_mutex, contend_then_wait, wake_with_another_locked)

/* An execution that ends with threads asleep, and one with fewer: no thread of another execution ever runs. */
static void fewer_threads(void)
{
	prepare();
	if (explorer_choose(2) == 0)
		RUN(wait_for_nobody, wait_for_nobody, wait_for_nobody);
	RUN(two_points, produce_one);
	self_outcome(1);
}

/* The body sleeps as others do. */
static void body_waits(void)
{
	pthread_t thread;

	prepare();
	pthread_create(&thread, NULL, produce_one, NULL);
	wait_until_told(NULL);
	pthread_join(thread, NULL);
}

/* Three wait once each; the first signal wakes one of them, any of them, the broadcast the other two. */
THREAD(wait_once)
{
	pthread_mutex_lock(&mutex);
	pthread_cond_wait(&condition, &mutex);
	order = order * 4 + explorer_self();
	atomic_fetch_add(&x, 1);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static int asleep(void)
{
	return explorer_asleep(1) + explorer_asleep(2) + explorer_asleep(3);
}

static void await(int sleepers, int woken)
{
	while (asleep() != sleepers || atomic_load(&x) != woken)
		sched_yield();
}

static void wakes_one_then_all(void)
{
	pthread_t threads[3];

	prepare();
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, wait_once, NULL);
	await(3, 0);
	pthread_cond_signal(&condition);
	EXPLORER_CHECK(asleep() == 2);
	await(2, 1);
	points(1);
	EXPLORER_CHECK(asleep() == 2);
	pthread_mutex_lock(&mutex);
	self_outcome(order);
	pthread_mutex_unlock(&mutex);
	pthread_cond_broadcast(&condition);
	EXPLORER_CHECK(asleep() == 0);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPLORER_CHECK(atomic_load(&x) == 3);
	self_outcome(32 + order % 16);
}

/* ---- Time ------------------------------------------------------------------------------------------------------------- */

static int64_t now(void)
{
	struct timespec time;

	EXPLORER_CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
	EXPLORER_CHECK(explorer_now() == (int64_t)time.tv_sec * 1000000000 + time.tv_nsec);
	EXPLORER_CHECK(time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
	return explorer_now();
}

static int wait_until(time_t seconds, long nanoseconds)
{
	const struct timespec deadline = { .tv_sec = seconds, .tv_nsec = nanoseconds };
	int result;

	pthread_mutex_lock(&mutex);
	result = pthread_cond_timedwait(&condition, &mutex, &deadline);
	pthread_mutex_unlock(&mutex);
	return result;
}

static void time_passes(void)
{
	const struct timespec deadline = { .tv_sec = 1003, .tv_nsec = 7 };

	prepare();
	EXPLORER_CHECK(explorer_now() == START && explorer_now() == START);
	EXPLORER_CHECK(now() == START + 1 && now() == START + 2);
	EXPLORER_CHECK(wait_until(1001, 5) == ETIMEDOUT && explorer_now() == START + 1000000005);
	EXPLORER_CHECK(wait_until(1001, 4) == ETIMEDOUT && explorer_now() == START + 1000000005);
	EXPLORER_CHECK(wait_until(0, 0) == ETIMEDOUT && explorer_now() == START + 1000000005);
	EXPLORER_CHECK(now() == START + 1000000006);
	pthread_mutex_lock(&mutex);
	EXPLORER_CHECK(pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &deadline) == ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
	EXPLORER_CHECK(explorer_now() == START + INT64_C(3000000007));
}

/* Told before it waits, while it waits, or too late: all happen, and time tells which. */
THREAD(wait_a_second)
{
	int64_t deadline = START + 1000000000;
	int result = 0, waits = 0;

	pthread_mutex_lock(&mutex);
	for (; guarded == 0 && result == 0; waits++)
		result = pthread_cond_timedwait(&condition, &mutex, &(struct timespec){ .tv_sec = 1001 });
	EXPLORER_CHECK(result == (explorer_now() < deadline ? 0 : ETIMEDOUT));
	self_outcome(result == ETIMEDOUT ? 2 : waits);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

BODY(in_time_or_not, wait_a_second, produce_one)

/* Asleep beside one that nobody wakes: the one with a deadline goes on, even if it never had a chance before. */
static void deadline_ends_rest(void)
{
	pthread_t threads[2];

	prepare();
	pthread_create(&threads[0], NULL, wait_until_told, NULL);
	pthread_create(&threads[1], NULL, wait_a_second, NULL);
	pthread_join(threads[1], NULL);
	pthread_mutex_lock(&mutex);
	guarded = 1;
	pthread_cond_broadcast(&condition);
	pthread_mutex_unlock(&mutex);
	pthread_join(threads[0], NULL);
}

/* Two deadlines: either may be first, whatever the clock says; it never goes back. */
THREAD(wait_two_seconds)
{
	const struct timespec deadline = { .tv_sec = 1002 };

	pthread_mutex_lock(&mutex);
	EXPLORER_CHECK(pthread_cond_timedwait(&condition, &mutex, &deadline) == ETIMEDOUT);
	EXPLORER_CHECK(explorer_now() >= START + INT64_C(2000000000));
	order = order * 4 + 2;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(wait_one_second)
{
	const struct timespec deadline = { .tv_sec = 1001 };
	int64_t before;

	pthread_mutex_lock(&mutex);
	before = explorer_now();
	EXPLORER_CHECK(pthread_cond_timedwait(&condition, &mutex, &deadline) == ETIMEDOUT);
	EXPLORER_CHECK(explorer_now() >= START + INT64_C(1000000000) && explorer_now() >= before);
	order = order * 4 + 1;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void two_deadlines(void)
{
	prepare();
	RUN(wait_one_second, wait_two_seconds);
	EXPLORER_CHECK(explorer_now() == START + INT64_C(2000000000));
	self_outcome(order);
}

static void wall_clock_of_condition(void)
{
	const struct timespec deadline = { .tv_sec = 1001 };

	prepare();
	pthread_cond_destroy(&condition);
	pthread_cond_init(&condition, NULL);
	pthread_mutex_lock(&mutex);
	pthread_cond_timedwait(&condition, &mutex, &deadline);
}

static void wall_clock_of_wait(void)
{
	const struct timespec deadline = { .tv_sec = 1001 };

	prepare();
	pthread_mutex_lock(&mutex);
	pthread_cond_clockwait(&condition, &mutex, CLOCK_REALTIME, &deadline);
}

static void wall_clock_read(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
}

/* ---- Yielding --------------------------------------------------------------------------------------------------------- */

THREAD(yield_until_told)
{
	while (atomic_load(&x) == 0)
		EXPLORER_CHECK(sched_yield() == 0);
	return NULL;
}

THREAD(tell)
{
	atomic_store(&x, 1);
	return NULL;
}

/*
 * Without preemptions: while the body waits for the first, either begins.  The first yields, and only the second can run; it
 * tells, and the first one ends.  Or the second tells at once.  So there are two.
 */
BODY(yield_gives_way, yield_until_told, tell)

/* A yield is a call that others see the thread to be in, until it returns. */
THREAD(yield_once)
{
	sched_yield();
	EXPLORER_CHECK(!explorer_blocked(1));
	return NULL;
}

static void seen_to_yield(void)
{
	pthread_t thread;

	prepare();
	EXPLORER_CHECK(!explorer_blocked(0) && !explorer_asleep(0));
	pthread_create(&thread, NULL, yield_once, NULL);
	EXPLORER_CHECK(!explorer_blocked(1) && !explorer_asleep(1));
	for (int i = 0; i < 3; i++) {
		points(1);
		EXPLORER_CHECK(!explorer_asleep(1));
		self_outcome(explorer_blocked(1));
	}
	pthread_join(thread, NULL);
	EXPLORER_CHECK(!explorer_blocked(1));
	sched_yield();
}

/* Whether the thread that yields goes on while another could. */
THREAD(yield_between_looks)
{
	int before = atomic_load(&x);

	sched_yield();
	self_outcome(before < 5 && atomic_load(&x) == before);
	return NULL;
}

static void goes_on_after_yield(void)
{
	pthread_t thread;

	prepare();
	pthread_create(&thread, NULL, yield_between_looks, NULL);
	for (int i = 1; i <= 5; i++)
		atomic_store(&x, i);
	pthread_join(thread, NULL);
}

/* Who runs instead gives way no more than usual: without preemptions it ends before the yield does. */
THREAD(yield_then_look)
{
	sched_yield();
	self_outcome(atomic_load(&x));
	return NULL;
}

THREAD(store_twice)
{
	atomic_store(&x, 1);
	atomic_store(&x, 2);
	return NULL;
}

BODY(gives_way_once, yield_then_look, store_twice)

static void seen_to_sleep(void)
{
	pthread_t thread;

	prepare();
	pthread_create(&thread, NULL, wait_until_told, NULL);
	points(1);
	EXPLORER_CHECK(explorer_blocked(1) == explorer_asleep(1));
	self_outcome(explorer_asleep(1));
	produce_one(NULL);
	pthread_join(thread, NULL);
	EXPLORER_CHECK(!explorer_asleep(1));
}

static void processors(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(7, &set);
	EXPLORER_CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 2);
	EXPLORER_CHECK(CPU_ISSET(0, &set) && CPU_ISSET(1, &set));
}

/* ---- What fails ------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t failing_mutex;
static pthread_cond_t failing_condition;
static int allowed; /* failures */

/* Which of its six calls failed, as a bit each. */
THREAD(try_to_get)
{
	int live = explorer_live_objects(), failed = 0, result;
	void *memory[4];

	memory[0] = malloc(8);
	result = pthread_mutex_init(&failing_mutex, NULL);
	EXPLORER_CHECK(result == 0 || result == ENOMEM);
	failed |= (result != 0) << 1;
	memory[1] = calloc(1, 8);
	result = pthread_cond_init(&failing_condition, NULL);
	EXPLORER_CHECK(result == 0 || result == ENOMEM);
	failed |= (result != 0) << 3;
	memory[2] = realloc(NULL, 8);
	memory[3] = aligned_alloc(64, 64);
	failed |= memory[0] == NULL;
	failed |= (memory[1] == NULL) << 2 | (memory[2] == NULL) << 4 | (memory[3] == NULL) << 5;
	EXPLORER_CHECK(explorer_failures(explorer_self()) == __builtin_popcount((unsigned)failed));
	EXPLORER_CHECK(explorer_live_objects() == live + 2 - (failed >> 1 & 1) - (failed >> 3 & 1));
	EXPLORER_CHECK(explorer_failures(explorer_self()) <= allowed);
	self_outcome(failed);
	return NULL;
}

THREAD(must_get)
{
	EXPLORER_CHECK(malloc(8) != NULL);
	return NULL;
}

static void fail_at_most(int most)
{
	pthread_t thread;

	for (int i = 0; i < EXPLORER_THREADS; i++)
		EXPLORER_CHECK(explorer_failures(i) == 0);
	RUN(must_get); /* before anything may fail */
	allowed = most;
	explorer_allow_failures(most);
	for (int i = 0; i < 4; i++)
		EXPLORER_CHECK(malloc(8) != NULL);
	prepare();
	EXPLORER_CHECK(explorer_live_objects() == 4);
	pthread_create(&thread, NULL, try_to_get, NULL);
	pthread_join(thread, NULL);
	EXPLORER_CHECK(explorer_failures(0) == 0 && explorer_failures(1) == 0);
}

static void no_failures(void)
{
	fail_at_most(0);
}

static void one_failure(void)
{
	fail_at_most(1);
}

static void two_failures(void)
{
	fail_at_most(2);
}

/* As a set of outcomes: each call alone; each two of them. */
#define EACH_FAILS (OUTCOME(1) | OUTCOME(2) | OUTCOME(4) | OUTCOME(8) | OUTCOME(16) | OUTCOME(32))
#define TWO_FAIL \
	(OUTCOME(3) | OUTCOME(5) | OUTCOME(6) | OUTCOME(9) | OUTCOME(10) | OUTCOME(12) | OUTCOME(17) | OUTCOME(18) | \
	    OUTCOME(20) | OUTCOME(24) | OUTCOME(33) | OUTCOME(34) | OUTCOME(36) | OUTCOME(40) | OUTCOME(48))

/* ---- Threads ---------------------------------------------------------------------------------------------------------- */

static int results[EXPLORER_THREADS];

static void *return_argument(void *argument)
{
	EXPLORER_CHECK(explorer_self() == (int)((int *)argument - results));
	points(1);
	EXPLORER_CHECK(explorer_self() == (int)((int *)argument - results));
	return argument;
}

static void join_all(int number)
{
	pthread_t threads[EXPLORER_THREADS + 1];

	EXPLORER_CHECK(explorer_self() == 0 && explorer_threads() == 1);
	for (int i = 1; i <= number; i++) {
		EXPLORER_CHECK(pthread_create(&threads[i], NULL, return_argument, &results[i]) == 0);
		EXPLORER_CHECK(explorer_threads() == i + 1);
	}
	for (int i = number; i >= 1; i--) {
		void *result = NULL;

		EXPLORER_CHECK(pthread_join(threads[i], &result) == 0 && result == &results[i]);
	}
	EXPLORER_CHECK(explorer_self() == 0);
}

static void join_two(void)
{
	join_all(2);
}

static void join_seven(void)
{
	join_all(EXPLORER_THREADS - 1);
}

static void one_thread_too_many(void)
{
	join_all(EXPLORER_THREADS);
}

/* ---- What would end the process --------------------------------------------------------------------------------------- */

static void assertion(void)
{
	assert(explorer_self() != 0);
}

THREAD(crash_now)
{
	*(volatile int *)(uintptr_t)explorer_threads() = 1;
	return NULL;
}

static void crash(void)
{
	crash_now(NULL);
}

BODY(crash_in_thread, two_points, crash_now)

static void bus_error(void)
{
	raise(SIGBUS);
}

static void check(void)
{
	EXPLORER_CHECK(explorer_self() == 1);
}

static void fail_with_numbers(void)
{
	explorer_fail("%s %d", "number", 42);
}

static bool never_asked(void)
{
	return self_quiescences == 0;
}

static bool asked_each_time(void)
{
	return self_quiescences > 0 && self_quiescences == self_shown(1);
}

static void show_and_sleep(void)
{
	self_outcome(1);
	prepare();
	RUN(wait_for_nobody, two_points);
}

/* ---- For explorer_test.c ---------------------------------------------------------------------------------------------- */

void program_deadlock(void)
{
	lock_cycle();
}

/* Shows whether the body's step or the thread's is first. */
THREAD(see_order)
{
	self_outcome(atomic_load(&x));
	return NULL;
}

void program_order(void)
{
	pthread_t thread;

	atomic_store(&x, 0);
	pthread_create(&thread, NULL, see_order, NULL);
	EXPLORER_CHECK(!explorer_blocked(1));
	atomic_store(&x, 1);
	pthread_join(thread, NULL);
}

void program_order_after_yield(void)
{
	sched_yield();
	program_order();
}

THREAD(fail_at_once)
{
	explorer_fail("at once");
}

void program_fails_after_join(void)
{
	RUN(two_points);
	explorer_fail("after the join");
}

void program_fails_early(void)
{
	explorer_allow_failures(5);
	RUN(fail_at_once);
}

void program_yields(void)
{
	atomic_store(&x, 0);
	RUN(yield_until_told);
}

/* Shows 1 if the thread runs between two steps of the body: one change of priority. */
THREAD(see_one)
{
	if (atomic_load(&x) == 1)
		self_outcome(1);
	return NULL;
}

void program_depth_2(void)
{
	pthread_t thread;

	atomic_store(&x, 0);
	pthread_create(&thread, NULL, see_one, NULL);
	atomic_store(&x, 1);
	atomic_store(&x, 0);
	pthread_join(thread, NULL);
	self_outcome(0);
}

/* And if the body then goes on between two steps of the thread: two changes. */
THREAD(answer)
{
	if (atomic_load(&x) != 1)
		return NULL;
	atomic_store(&y, 1);
	atomic_store(&y, 0);
	return NULL;
}

void program_depth_3(void)
{
	pthread_t thread;

	atomic_store(&x, 0);
	atomic_store(&y, 0);
	pthread_create(&thread, NULL, answer, NULL);
	atomic_store(&x, 1);
	atomic_store(&x, 0);
	if (atomic_load(&y) == 1)
		self_outcome(1);
	pthread_join(thread, NULL);
	self_outcome(0);
}

void program_choose(void)
{
	self_outcome(explorer_choose(2));
	self_outcome(2 + explorer_choose(40));
}

/* For its number of steps. */
void program_join(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, two_points, NULL);
	pthread_join(thread, NULL);
}

int program_choices, program_alternatives = 2;

void program_choices_made(void)
{
	for (int i = 0; i < program_choices; i++)
		explorer_choose(program_alternatives);
}

int program_points;

THREAD(many_points)
{
	points(program_points);
	return NULL;
}

void program_many_points(void)
{
	RUN(many_points);
}

void program_sleeps(void)
{
	prepare();
	RUN(wait_for_nobody);
}

void program_long_message(void)
{
	char text[400];

	memset(text, 'm', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	explorer_fail("%s", text);
}

/* ---- The table -------------------------------------------------------------------------------------------------------- */

/* clang-format off */
#define RIGHT(body_) { .name = #body_, .body = body_, .bound = 2 }
#define WRONG(body_, finds_) { .name = #body_, .body = body_, .bound = 2, .finds = finds_ }
#define COUNT(body_, bound_, schedules_) \
	{ .name = #body_, .body = body_, .ways = EXHAUSTIVE, .bound = bound_, .schedules = schedules_ }
#define REACHES(body_, bound_, outcomes_) { .name = #body_, .body = body_, .bound = bound_, .outcomes = outcomes_ }
#define STUCK(body_) WRONG(body_, "no thread can run")
#define MISUSED(name_) WRONG(name_##_destroyed, "of a destroyed object"), WRONG(name_##_unmade, "never made")

const struct trial explorer_trials[] = {
	COUNT(count_two_and_two, 0, 1), COUNT(count_two_and_two, 1, 4), COUNT(count_two_and_two, 2, 10),
	COUNT(count_two_and_two, 3, 16), COUNT(count_two_and_two, 4, 19), COUNT(count_two_and_two, 5, 20),
	COUNT(count_two_and_two, UNBOUNDED, 20), COUNT(count_two_threads, 0, 3), COUNT(count_locks, 0, 1),
	COUNT(count_locks, 1, 4), COUNT(count_clock, UNBOUNDED, 4), COUNT(count_choices, 0, 6), COUNT(yield_gives_way, 0, 2),
	REACHES(count_choices, 0, 0x3f), REACHES(choose_of_many, 0, (OUTCOME(40) - 1)),
	{ .name = "orders", .body = orders, .bound = UNBOUNDED, .depth = 5,
	  .outcomes = OUTCOME(3) | OUTCOME(5) | OUTCOME(6) | OUTCOME(9) | OUTCOME(10) | OUTCOME(12) },
	REACHES(lost_update, 1, OUTCOME(1) | OUTCOME(2)),
	{ .name = "no lost update", .body = lost_update, .ways = EXHAUSTIVE, .outcomes = OUTCOME(2) },
	REACHES(no_lost_update, 2, OUTCOME(3)),
	REACHES(store_buffers, 2, OUTCOME(1) | OUTCOME(2) | OUTCOME(3)),
	/* 0 1 2 to the base of 3, and so on */
	REACHES(turns, 2, OUTCOME(5) | OUTCOME(7) | OUTCOME(11) | OUTCOME(15) | OUTCOME(19) | OUTCOME(21)),
	REACHES(exclusion, 2, OUTCOME(0) | OUTCOME(1)),
	STUCK(lock_cycle), RIGHT(lock_order), STUCK(never_unlocked), STUCK(nobody_wakes), STUCK(left_asleep),
	STUCK(lost_wake_up), STUCK(wrong_condition), STUCK(join_cycle), WRONG(livelock, "step limit"),
	{ .name = "a spurious wake-up helps nobody", .body = nobody_wakes, .spurious = 3, .ways = EXHAUSTIVE,
	  .finds = "no thread can run", .schedules = 1 },
	{ .name = "it is all right", .body = lock_cycle, .bound = 2, .quiet = true },
	{ .name = "asked each time", .body = show_and_sleep, .bound = 1, .quiet = true, .agrees = asked_each_time },
	{ .name = "not asked", .body = lock_order, .bound = 1, .quiet = true, .agrees = never_asked },
	WRONG(unlock_free, "unlock of a mutex that the thread does not have"),
	WRONG(unlock_by_stranger, "unlock of a mutex that the thread does not have"),
	WRONG(lock_twice, "lock of a mutex that the thread has already"),
	WRONG(destroy_locked, "mutex_destroy of a locked mutex"),
	WRONG(destroy_locked_by_another, "mutex_destroy of a locked mutex"),
	MISUSED(lock), MISUSED(trylock), MISUSED(unlock), MISUSED(mutex_destroy), MISUSED(cond_wait), MISUSED(cond_clockwait),
	MISUSED(cond_signal), MISUSED(cond_broadcast), MISUSED(cond_destroy), RIGHT(lives),
	WRONG(wait_unlocked, "wait without the mutex"), WRONG(wait_with_a_strangers, "wait without the mutex"),
	WRONG(destroy_condition_waited_on, "cond_destroy under a waiter"), RIGHT(destroy_condition_beside),
	{ .name = "produce_and_consume", .body = produce_and_consume, .bound = 1, .spurious = 1 },
	{ .name = "produce_and_consume_hastily", .body = produce_and_consume_hastily, .bound = 2, .runs = 5000,
	  .finds = "guarded-- == 1" },
	RIGHT(look_once),
	{ .name = "look once, woken by nobody", .body = look_once, .bound = 2, .spurious = 1, .finds = "guarded-- == 1" },
	{ .name = "no spurious wake-ups", .body = spurious_wake_ups, .bound = 4, .outcomes = OUTCOME(0) },
	{ .name = "one spurious wake-up", .body = spurious_wake_ups, .bound = 4, .spurious = 1,
	  .outcomes = OUTCOME(0) | OUTCOME(1) },
	{ .name = "two spurious wake-ups", .body = spurious_wake_ups, .bound = 4, .spurious = 2, .runs = 5000,
	  .outcomes = OUTCOME(0) | OUTCOME(1) | OUTCOME(2) },
	{ .name = "wakes_one_then_all", .body = wakes_one_then_all, .bound = 0, .runs = 1000,
	  .outcomes = OUTCOME(1) | OUTCOME(2) | OUTCOME(3) | OUTCOME(32 + 6) | OUTCOME(32 + 9) | OUTCOME(32 + 7) |
		      OUTCOME(32 + 13) | OUTCOME(32 + 11) | OUTCOME(32 + 14) },
	{ .name = "free of preemptions", .body = spurious_wake_ups, .ways = EXHAUSTIVE, .spurious = 1,
	  .outcomes = OUTCOME(0) | OUTCOME(1) },
	{ .name = "fewer_threads", .body = fewer_threads, .bound = 1, .spurious = 1, .quiet = true, .outcomes = OUTCOME(1) },
	RIGHT(body_waits), RIGHT(woken_for_its_mutex), RIGHT(time_passes),
	REACHES(in_time_or_not, 2, OUTCOME(0) | OUTCOME(1) | OUTCOME(2)),
	REACHES(deadline_ends_rest, 0, OUTCOME(2)), REACHES(two_deadlines, 1, OUTCOME(6) | OUTCOME(9)),
	WRONG(wall_clock_of_condition, "wall clock"), WRONG(wall_clock_of_wait, "wall clock"),
	WRONG(wall_clock_read, "wall clock"),
	RIGHT(yield_gives_way), REACHES(seen_to_yield, 2, OUTCOME(0) | OUTCOME(1)),
	{ .name = "may go on after a yield", .body = goes_on_after_yield, .ways = RANDOM, .outcomes = OUTCOME(0) | OUTCOME(1) },
	{ .name = "does not go on after a yield", .body = goes_on_after_yield, .ways = EXHAUSTIVE | PCT, .bound = 3,
	  .outcomes = OUTCOME(0) },
	{ .name = "gives_way_once", .body = gives_way_once, .ways = EXHAUSTIVE, .outcomes = OUTCOME(2) },
	REACHES(seen_to_sleep, 2, OUTCOME(0) | OUTCOME(1)), RIGHT(processors),
	REACHES(no_failures, 0, OUTCOME(0)), REACHES(one_failure, 0, OUTCOME(0) | EACH_FAILS),
	/* None fails, or one of six, or two of them. */
	COUNT(one_failure, 0, 1 + 6), COUNT(two_failures, 0, 1 + 6 + 15),
	{ .name = "nothing fails unasked", .body = no_failures, .spurious = 2, .outcomes = OUTCOME(0) },
	REACHES(two_failures, 0, OUTCOME(0) | EACH_FAILS | TWO_FAIL),
	RIGHT(join_two), { .name = "join_seven", .body = join_seven, .ways = RANDOM | PCT },
	WRONG(one_thread_too_many, "too many threads"),
	WRONG(assertion, "assertion explorer_self() != 0"), WRONG(crash, "signal 11: a crash"),
	WRONG(crash_in_thread, "signal 11: a crash"), WRONG(bus_error, "signal 7: a crash"),
	WRONG(check, "explorer_self() == 1"), WRONG(fail_with_numbers, "number 42"),
	{ .name = NULL },
};
/* clang-format on */
