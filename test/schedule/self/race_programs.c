/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs for the race detector, compiled as code under test is: pairs of accesses that race, and what orders them.
 *
 * Each thing that orders is shown with and without each of its halves, so that a detector that forgets the half, or takes
 * something for it that is none, is found out.  The body sets the variables before it starts the threads, which orders that.
 */
#include "self.h"

#include "explorer.h"
#include "race.h"
#include "run.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define THREAD(name_) static void *name_(void *unused __attribute__((unused)))

/* Volatile, so that each access in the source is one. */
static volatile int plain, other, sink;
static volatile unsigned char bytes[16];
static atomic_int flag, done;
static pthread_mutex_t mutex, second_mutex;
static pthread_cond_t condition;
static int *volatile allocated;
static char from[2100], to[2100];

/* The body that starts the threads after it has set everything. */
#define BODY(name_, ...) \
	static void name_(void) \
	{ \
		plain = other = 0; \
		atomic_store_explicit(&flag, 0, memory_order_relaxed); \
		atomic_store_explicit(&done, 0, memory_order_relaxed); \
		pthread_mutex_init(&mutex, NULL); \
		pthread_mutex_init(&second_mutex, NULL); \
		pthread_cond_init(&condition, NULL); \
		RUN(__VA_ARGS__); \
	}

/* ---- Plain accesses --------------------------------------------------------------------------------------------------- */

THREAD(write_plain)
{
	plain = 1;
	return NULL;
}

THREAD(read_plain)
{
	(void)plain;
	return NULL;
}

THREAD(write_other)
{
	other = 1;
	return NULL;
}

BODY(write_and_write, write_plain, write_plain)
BODY(write_and_read, write_plain, read_plain)
BODY(read_and_write, read_plain, write_plain)
BODY(read_and_read, read_plain, read_plain)
BODY(write_elsewhere, write_plain, write_other)
BODY(third_reads, read_plain, read_plain, write_plain)

THREAD(write_byte_3)
{
	bytes[3] = 1;
	return NULL;
}

THREAD(write_byte_4)
{
	bytes[4] = 1;
	return NULL;
}

THREAD(write_byte_5)
{
	bytes[5] = 1;
	return NULL;
}

BODY(write_neighbours, write_byte_3, write_byte_4, write_byte_5)

THREAD(write_errno)
{
	errno = 1;
	return NULL;
}

BODY(errno_of_each, write_errno, write_errno)

/* ---- Threads ---------------------------------------------------------------------------------------------------------- */

static void start_then(bool writes_before, bool writes_during, bool writes_after)
{
	pthread_t started;

	if (writes_before)
		plain = 1;
	pthread_create(&started, NULL, write_plain, NULL);
	if (writes_during)
		plain = 1;
	pthread_join(started, NULL);
	if (writes_after)
		plain = 1;
}

static void before_and_after(void)
{
	start_then(true, false, true);
}

static void during(void)
{
	start_then(false, true, false);
}

/* To have started or joined one thread says nothing about another. */
static void joins_the_wrong_one(void)
{
	pthread_t first, second;

	pthread_create(&first, NULL, write_plain, NULL);
	pthread_create(&second, NULL, write_other, NULL);
	pthread_join(second, NULL);
	plain = 1;
	pthread_join(first, NULL);
}

static void one_after_the_other(void)
{
	pthread_t started;

	for (int i = 0; i < 3; i++) {
		pthread_create(&started, NULL, write_plain, NULL);
		pthread_join(started, NULL);
	}
}

/* What a thread did before it started one is ordered before that one, what it does later is not. */
THREAD(starts_and_writes)
{
	pthread_t started;

	other = 1;
	pthread_create(&started, NULL, write_plain, NULL);
	plain = 1;
	pthread_join(started, NULL);
	return NULL;
}

BODY(child_of_a_child, starts_and_writes)

/* ---- Mutexes and condition variables ---------------------------------------------------------------------------------- */

THREAD(write_locked)
{
	pthread_mutex_lock(&mutex);
	plain++;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(write_try_locked)
{
	if (pthread_mutex_trylock(&mutex) != 0)
		return NULL;
	plain++;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(write_locked_otherwise)
{
	pthread_mutex_lock(&second_mutex);
	plain++;
	pthread_mutex_unlock(&second_mutex);
	return NULL;
}

THREAD(write_before_lock)
{
	plain = 1;
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(write_after_lock)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	plain = 1;
	return NULL;
}

BODY(both_lock, write_locked, write_locked, write_try_locked)
BODY(one_locks, write_locked, write_plain)
BODY(each_locks_another, write_locked, write_locked_otherwise)
BODY(lock_too_late, write_before_lock, write_locked)
BODY(lock_too_short, write_after_lock, write_locked)

THREAD(wait_then_write)
{
	pthread_mutex_lock(&mutex);
	while (other == 0)
		pthread_cond_wait(&condition, &mutex);
	pthread_mutex_unlock(&mutex);
	plain = 2;
	return NULL;
}

THREAD(write_then_wake)
{
	plain = 1;
	pthread_mutex_lock(&mutex);
	other = 1;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(wake_then_write)
{
	pthread_mutex_lock(&mutex);
	other = 1;
	pthread_cond_signal(&condition);
	pthread_mutex_unlock(&mutex);
	plain = 1;
	return NULL;
}

BODY(woken_after_write, wait_then_write, write_then_wake)
BODY(woken_before_write, wait_then_write, wake_then_write)

/* ---- Publishing ------------------------------------------------------------------------------------------------------- */

#define PUBLISHER(name_, ...) \
	THREAD(name_) \
	{ \
		plain = 1; \
		__VA_ARGS__; \
		return NULL; \
	}

/* Touches what was published, if it sees that it was. */
#define READER(name_, seen_, ...) \
	THREAD(name_) \
	{ \
		if (!(seen_)) \
			return NULL; \
		__VA_ARGS__; \
		sink = plain; \
		return NULL; \
	}

#define LOAD(order_) (atomic_load_explicit(&flag, memory_order_##order_) == 1)
#define STORE(order_) atomic_store_explicit(&flag, 1, memory_order_##order_)
#define FENCE(order_) atomic_thread_fence(memory_order_##order_)

PUBLISHER(store_seq_cst, STORE(seq_cst))
PUBLISHER(store_release, STORE(release))
PUBLISHER(store_relaxed, STORE(relaxed))
PUBLISHER(add_seq_cst, atomic_fetch_add_explicit(&flag, 1, memory_order_seq_cst))
PUBLISHER(add_acq_rel, atomic_fetch_add_explicit(&flag, 1, memory_order_acq_rel))
PUBLISHER(add_release, atomic_fetch_add_explicit(&flag, 1, memory_order_release))
PUBLISHER(add_acquire, atomic_fetch_add_explicit(&flag, 1, memory_order_acquire))
PUBLISHER(add_relaxed, atomic_fetch_add_explicit(&flag, 1, memory_order_relaxed))
PUBLISHER(exchange_release, atomic_exchange_explicit(&flag, 1, memory_order_release))
PUBLISHER(exchange_consume, __atomic_exchange_n((int *)&flag, 1, __ATOMIC_CONSUME))
PUBLISHER(fence_release_store, FENCE(release); STORE(relaxed))
PUBLISHER(fence_acquire_store, FENCE(acquire); STORE(relaxed))
PUBLISHER(signal_fence_store, atomic_signal_fence(memory_order_seq_cst); STORE(relaxed))
PUBLISHER(store_release_twice, STORE(release); STORE(release))
PUBLISHER(store_release_relaxed, STORE(release); STORE(relaxed))
PUBLISHER(store_release_add, STORE(release); atomic_fetch_add_explicit(&flag, 0, memory_order_relaxed))
READER(load_seq_cst, LOAD(seq_cst))
READER(load_acquire, LOAD(acquire))
READER(load_consume, __atomic_load_n((int *)&flag, __ATOMIC_CONSUME) == 1)
READER(load_relaxed, LOAD(relaxed))
READER(load_fence_acquire, LOAD(relaxed), FENCE(acquire))
READER(load_fence_release, LOAD(relaxed), FENCE(release))
READER(load_signal_fence, LOAD(relaxed), atomic_signal_fence(memory_order_seq_cst))
READER(add_seen_acquire, atomic_fetch_add_explicit(&flag, 0, memory_order_acquire) == 1)
READER(add_seen_relaxed, atomic_fetch_add_explicit(&flag, 0, memory_order_relaxed) == 1)
READER(add_seen_release, atomic_fetch_add_explicit(&flag, 0, memory_order_release) == 1)

BODY(seq_cst_seq_cst, store_seq_cst, load_seq_cst)
BODY(release_acquire, store_release, load_acquire)
BODY(release_consume, store_release, load_consume)
BODY(release_relaxed, store_release, load_relaxed)
BODY(relaxed_acquire, store_relaxed, load_acquire)
BODY(relaxed_relaxed, store_relaxed, load_relaxed)
BODY(rmw_seq_cst, add_seq_cst, load_acquire)
BODY(rmw_acq_rel, add_acq_rel, load_acquire)
BODY(rmw_release, add_release, load_acquire)
BODY(rmw_acquire, add_acquire, load_acquire)
BODY(rmw_relaxed, add_relaxed, load_acquire)
BODY(exchanged_release, exchange_release, load_acquire)
BODY(exchanged_consume, exchange_consume, load_acquire)
BODY(seen_by_rmw_acquire, store_release, add_seen_acquire)
BODY(seen_by_rmw_relaxed, store_release, add_seen_relaxed)
BODY(seen_by_rmw_release, store_release, add_seen_release)
BODY(fence_fence, fence_release_store, load_fence_acquire)
BODY(fence_none, fence_release_store, load_relaxed)
BODY(none_fence, store_relaxed, load_fence_acquire)
BODY(acquire_fence_fence, fence_acquire_store, load_fence_acquire)
BODY(fence_release_fence, fence_release_store, load_fence_release)
BODY(signal_fence_first, signal_fence_store, load_fence_acquire)
BODY(signal_fence_second, fence_release_store, load_signal_fence)
BODY(release_twice, store_release_twice, load_acquire)
BODY(release_then_relaxed, store_release_relaxed, load_acquire)
BODY(release_then_rmw, store_release_add, load_acquire)

/* What is written after the release is not published by it. */
THREAD(store_release_then_write)
{
	STORE(release);
	plain = 1;
	return NULL;
}

BODY(release_too_early, store_release_then_write, load_acquire)

/* A third thread's relaxed store takes the release away, its relaxed read-modify-write hands it on. */
THREAD(store_again)
{
	if (LOAD(relaxed))
		STORE(relaxed);
	return NULL;
}

THREAD(modify_again)
{
	if (LOAD(relaxed))
		atomic_fetch_or_explicit(&flag, 1, memory_order_relaxed);
	return NULL;
}

/* A release by somebody who has not seen the data takes it away as well. */
THREAD(release_again)
{
	if (LOAD(relaxed))
		STORE(release);
	return NULL;
}

BODY(third_stores, store_release, store_again, load_acquire)
BODY(third_modifies, store_release, modify_again, load_acquire)
BODY(third_releases, store_release, release_again, load_acquire)

/* From thread to thread; and with a link that is none. */
THREAD(hand_on)
{
	if (LOAD(acquire))
		atomic_store_explicit(&done, 1, memory_order_release);
	return NULL;
}

THREAD(hand_on_relaxed)
{
	if (LOAD(relaxed))
		atomic_store_explicit(&done, 1, memory_order_release);
	return NULL;
}

READER(read_when_done, atomic_load_explicit(&done, memory_order_acquire) == 1)

BODY(handed_on, store_release, hand_on, read_when_done)
BODY(not_handed_on, store_release, hand_on_relaxed, read_when_done)

/* A compare-and-swap that fails is a load with its second order, and no store. */
static bool swap_fails(memory_order success, memory_order failure)
{
	int expected = 7;

	return !__atomic_compare_exchange_n((int *)&flag, &expected, 8, false, (int)success, (int)failure) && expected == 1;
}

static bool swap_succeeds(memory_order success)
{
	int expected = 1;

	return __atomic_compare_exchange_n((int *)&flag, &expected, 1, false, (int)success, __ATOMIC_RELAXED);
}

static void swap_in(int from_value, memory_order success)
{
	__atomic_compare_exchange_n((int *)&flag, &from_value, 1, true, (int)success, __ATOMIC_RELAXED);
}

PUBLISHER(swap_release, swap_in(0, memory_order_release))
PUBLISHER(swap_acquire, swap_in(0, memory_order_acquire))
PUBLISHER(failing_swap, swap_in(5, memory_order_release); atomic_store_explicit(&done, 1, memory_order_relaxed))
READER(failed_acquire, swap_fails(memory_order_acquire, memory_order_acquire))
READER(failed_relaxed, swap_fails(memory_order_acquire, memory_order_relaxed))
READER(swapped_acquire, swap_succeeds(memory_order_acquire))
READER(swapped_relaxed, swap_succeeds(memory_order_relaxed))
READER(acquire_of_no_store, atomic_load_explicit(&done, memory_order_relaxed) == 1,
    atomic_load_explicit(&flag, memory_order_acquire))

BODY(swap_then_acquire, swap_release, load_acquire)
BODY(swap_without_release, swap_acquire, load_acquire)
BODY(swap_that_failed, failing_swap, acquire_of_no_store)
BODY(failed_swap_acquires, store_release, failed_acquire)
BODY(failed_swap_relaxed, store_release, failed_relaxed)
BODY(swap_acquires, store_release, swapped_acquire)
BODY(swap_relaxed, store_release, swapped_relaxed)

/* ---- Plain and atomic ------------------------------------------------------------------------------------------------- */

THREAD(write_flag_plainly)
{
	*(volatile int *)&flag = 1;
	return NULL;
}

THREAD(read_flag_plainly)
{
	(void)*(volatile int *)&flag;
	return NULL;
}

THREAD(read_byte_of_flag)
{
	(void)((volatile char *)&flag)[3];
	return NULL;
}

THREAD(write_byte_of_flag)
{
	((volatile char *)&flag)[3] = 1;
	return NULL;
}

THREAD(store_flag)
{
	STORE(seq_cst);
	return NULL;
}

THREAD(load_flag)
{
	(void)LOAD(seq_cst);
	return NULL;
}

THREAD(modify_flag)
{
	atomic_fetch_add(&flag, 1);
	return NULL;
}

THREAD(swap_flag)
{
	swap_in(0, memory_order_seq_cst);
	return NULL;
}

THREAD(swap_flag_in_vain)
{
	swap_in(7, memory_order_seq_cst);
	return NULL;
}

BODY(store_and_plain_read, store_flag, read_flag_plainly)
BODY(store_and_plain_byte, store_flag, read_byte_of_flag)
BODY(plain_read_and_store, read_flag_plainly, store_flag)
BODY(load_and_plain_write, load_flag, write_flag_plainly)
BODY(plain_write_and_load, write_flag_plainly, load_flag)
BODY(load_and_plain_read, load_flag, read_flag_plainly)
BODY(modify_and_plain_read, modify_flag, read_flag_plainly)
BODY(swap_and_plain_read, swap_flag, read_flag_plainly)
BODY(vain_swap_and_plain_read, swap_flag_in_vain, read_flag_plainly)
BODY(vain_swap_and_plain_write, swap_flag_in_vain, write_flag_plainly)
BODY(load_and_plain_byte, load_flag, write_byte_of_flag)
BODY(atomic_and_atomic, store_flag, modify_flag)

/* ---- Atomics do what they say ----------------------------------------------------------------------------------------- */

#define ATOMICS_OF(bits_, type_) \
	static void atomics_##bits_(void) \
	{ \
		static _Atomic type_ at; \
		type_ expected = 9; \
		atomic_store(&at, (type_)~0); \
		EXPLORER_CHECK(atomic_load(&at) == (type_)~0); \
		EXPLORER_CHECK(atomic_fetch_add(&at, 7) == (type_)~0 && atomic_load(&at) == 6); \
		EXPLORER_CHECK(atomic_fetch_sub(&at, 1) == 6 && atomic_load(&at) == 5); \
		EXPLORER_CHECK(atomic_fetch_or(&at, 12) == 5 && atomic_load(&at) == 13); \
		EXPLORER_CHECK(atomic_fetch_and(&at, 12) == 13 && atomic_load(&at) == 12); \
		EXPLORER_CHECK(atomic_fetch_xor(&at, 5) == 12 && atomic_load(&at) == 9); \
		EXPLORER_CHECK(atomic_exchange(&at, 3) == 9 && atomic_load(&at) == 3); \
		EXPLORER_CHECK(!atomic_compare_exchange_strong(&at, &expected, 4) && expected == 3 && atomic_load(&at) == 3); \
		EXPLORER_CHECK(atomic_compare_exchange_strong(&at, &expected, 4) && expected == 3 && atomic_load(&at) == 4); \
		EXPLORER_CHECK(!atomic_compare_exchange_weak(&at, &expected, 5) && expected == 4); \
		EXPLORER_CHECK(atomic_compare_exchange_weak(&at, &expected, 5) && atomic_load(&at) == 5); \
		EXPLORER_CHECK(__tsan_atomic##bits_##_compare_exchange_val(&at, 6, 7, 5, 5) == 5 && atomic_load(&at) == 5); \
		EXPLORER_CHECK(__tsan_atomic##bits_##_compare_exchange_val(&at, 5, 7, 5, 5) == 5 && atomic_load(&at) == 7); \
	}

/* Clang's form of compare-and-swap. */
unsigned char __tsan_atomic8_compare_exchange_val(volatile void *at, unsigned char expected, unsigned char value, int, int);
unsigned short __tsan_atomic16_compare_exchange_val(volatile void *at, unsigned short expected, unsigned short value, int, int);
unsigned __tsan_atomic32_compare_exchange_val(volatile void *at, unsigned expected, unsigned value, int, int);
unsigned long long __tsan_atomic64_compare_exchange_val(
    volatile void *at, unsigned long long expected, unsigned long long value, int, int);

ATOMICS_OF(8, unsigned char)
ATOMICS_OF(16, unsigned short)
ATOMICS_OF(32, unsigned)
ATOMICS_OF(64, unsigned long long)

/* Each is a point: eight interleavings of six of them and the join, as explorer_programs.c says. */
THREAD(six_atomics)
{
	atomic_store(&flag, 1);
	(void)atomic_load(&flag);
	atomic_fetch_add(&flag, 1);
	(void)swap_succeeds(memory_order_seq_cst);
	swap_in(2, memory_order_seq_cst);
	FENCE(seq_cst);
	return NULL;
}

static void count_atomics(void)
{
	RUN(six_atomics);
}

/* ---- Copies ----------------------------------------------------------------------------------------------------------- */

static volatile size_t copied; /* not known to the compiler */

static void set_copied(size_t size)
{
	copied = size;
	for (size_t i = 0; i < sizeof from; i++) {
		from[i] = (char)(i % 127);
		to[i] = 0;
	}
}

static void check_copies(size_t size)
{
	set_copied(size);
	EXPLORER_CHECK(memcpy(to, from, copied) == to);
	for (size_t i = 0; i < sizeof to; i++)
		EXPLORER_CHECK(to[i] == (i < size ? (char)(i % 127) : 0));
	EXPLORER_CHECK(memmove(from + 1, from, copied) == from + 1);
	for (size_t i = 0; i < size; i++)
		EXPLORER_CHECK(from[i + 1] == (char)(i % 127));
	set_copied(size);
	EXPLORER_CHECK(memmove(from, from + 1, copied) == from);
	for (size_t i = 0; i < size; i++)
		EXPLORER_CHECK(from[i] == (char)((i + 1) % 127));
	EXPLORER_CHECK(memset(to, 3, copied) == to);
	for (size_t i = 0; i < sizeof to; i++)
		EXPLORER_CHECK(to[i] == (i < size ? 3 : 0));
}

static void copies(void)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 16, 1023, 1024, 1025, 2048 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		check_copies(sizes[i]);
}

THREAD(copy)
{
	memcpy(to, from, copied);
	return NULL;
}

/*
 * One thread copies while the body only starts and joins it.  The body has two points with it, where it reads the handle and
 * at the join; the copier has one where it reads the size, and one for each half that it reads or writes.  Of b and c points
 * there are b + c + 1 over b interleavings, as explorer_programs.c says.
 */
static void copy_of(size_t size)
{
	pthread_t started;

	set_copied(size);
	pthread_create(&started, NULL, copy, NULL);
	pthread_join(started, NULL);
}

static void copy_none(void)
{
	copy_of(0);
}

static void copy_8(void)
{
	copy_of(8);
}

static void copy_9(void)
{
	copy_of(9);
}

static void copy_1024(void)
{
	copy_of(1024);
}

static void copy_1025(void)
{
	copy_of(1025);
}

THREAD(copy_to_begin)
{
	memcpy(to, from, copied);
	return NULL;
}

THREAD(copy_to_end)
{
	memcpy(to + sizeof to - copied, from, copied);
	return NULL;
}

THREAD(copy_from_end)
{
	memcpy(to, from + sizeof from - copied, copied);
	return NULL;
}

/* Small ones, and some that are over 1 KiB. */
#define COPIES(name_, size_, first_, second_) \
	static void name_(void) \
	{ \
		copied = size_; \
		RUN(first_, second_); \
	}

COPIES(copies_from_the_same, 1000, copy_to_begin, copy_to_end)
COPIES(copies_to_the_same, 1000, copy_to_begin, copy_from_end)
COPIES(big_copies_from_the_same, 1030, copy_to_begin, copy_to_end)
COPIES(big_copies_to_the_same, 1030, copy_to_begin, copy_from_end)

/* ---- Memory ----------------------------------------------------------------------------------------------------------- */

THREAD(free_it)
{
	free(allocated);
	return NULL;
}

THREAD(read_it)
{
	sink = *allocated;
	return NULL;
}

THREAD(read_it_locked)
{
	pthread_mutex_lock(&mutex);
	if (other == 0)
		sink = *allocated;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

THREAD(free_it_locked)
{
	pthread_mutex_lock(&mutex);
	other = 1;
	pthread_mutex_unlock(&mutex);
	free(allocated);
	return NULL;
}

THREAD(move_it)
{
	sink = realloc(allocated, 100) != NULL;
	return NULL;
}

static void with_memory(void *(*first)(void *), void *(*second)(void *))
{
	void *(*const threads[])(void *) = { first, second };

	plain = other = 0;
	pthread_mutex_init(&mutex, NULL);
	allocated = malloc(sizeof *allocated);
	*allocated = 1;
	run(threads, 2);
}

static void read_and_free(void)
{
	with_memory(read_it, free_it);
}

static void read_and_realloc(void)
{
	with_memory(read_it, move_it);
}

static void read_and_free_in_order(void)
{
	with_memory(read_it_locked, free_it_locked);
}

/* More places than the tables have room for at their first choice; of one of them the order is missing. */
#define MANY 12000

static int many[MANY];

THREAD(read_many)
{
	for (int i = 0; i < MANY; i++)
		sink = many[i];
	return NULL;
}

THREAD(write_last_of_many)
{
	many[MANY - 1] = 1;
	return NULL;
}

static void write_many(void)
{
	for (int i = 0; i < MANY; i++)
		many[i] = i;
	RUN(read_many);
	for (int i = 0; i < MANY; i++)
		many[i] = i;
}

static void race_among_many(void)
{
	write_many();
	RUN(read_many, write_last_of_many);
}

THREAD(write_even_ones)
{
	for (int i = 0; i < MANY; i += 2)
		many[i] = i;
	return NULL;
}

THREAD(write_odd_ones)
{
	for (int i = 1; i < MANY; i += 2)
		many[i] = i;
	return NULL;
}

static void each_its_own_of_many(void)
{
	RUN(write_even_ones, write_odd_ones);
}

#define MANY_FLAGS 3500

static atomic_int flags[MANY_FLAGS];

static bool see_many(void)
{
	for (int i = 0; i < MANY_FLAGS; i++)
		if (atomic_load_explicit(&flags[i], memory_order_acquire) == 0)
			return false;
	return true;
}

PUBLISHER(store_many, for (int i = 0; i < MANY_FLAGS; i++)
			  atomic_store_explicit(&flags[i], 1, i == 0 ? memory_order_release : memory_order_relaxed))
READER(load_many, see_many())

static void publish_among_many(void)
{
	plain = 0;
	for (int i = 0; i < MANY_FLAGS; i++)
		atomic_store_explicit(&flags[i], 0, memory_order_relaxed);
	RUN(store_many, load_many);
}

/* The flags that are looked at are stored without a release, then all the others with one. */
#define IS_LOOKED_AT(i_) ((i_) % 7 == 0)

THREAD(store_others_with_release)
{
	plain = 1;
	for (int i = 0; i < MANY_FLAGS; i++)
		if (IS_LOOKED_AT(i))
			atomic_store_explicit(&flags[i], 1, memory_order_relaxed);
	for (int i = 0; i < MANY_FLAGS; i++)
		if (!IS_LOOKED_AT(i))
			atomic_store_explicit(&flags[i], 1, memory_order_release);
	atomic_store_explicit(&done, 1, memory_order_relaxed);
	return NULL;
}

THREAD(look_at_some)
{
	if (atomic_load_explicit(&done, memory_order_relaxed) == 0)
		return NULL;
	for (int i = 0; i < MANY_FLAGS; i++)
		if (IS_LOOKED_AT(i))
			(void)atomic_load_explicit(&flags[i], memory_order_acquire);
	sink = plain;
	return NULL;
}

static void other_releases_among_many(void)
{
	plain = 0;
	atomic_store_explicit(&done, 0, memory_order_relaxed);
	for (int i = 0; i < MANY_FLAGS; i++)
		atomic_store_explicit(&flags[i], 0, memory_order_relaxed);
	RUN(store_others_with_release, look_at_some);
}

/* ---- From execution to execution -------------------------------------------------------------------------------------- */

/*
 * An execution has up to 2^16 ticks, and what is remembered of a clock holds no more.  The third execution has the race; before
 * that each had many ticks, which have to be forgotten.
 */
static int executions;

__attribute__((no_sanitize("thread"))) static void begin_executions(void)
{
	executions = 0;
}

THREAD(tick_often)
{
	for (int i = 0; i < 30000; i++)
		race_release(explorer_self(), &executions);
	if (executions == 3)
		plain = 1;
	return NULL;
}

THREAD(write_in_third)
{
	if (executions == 3)
		plain = 2;
	return NULL;
}

static void clocks_begin_anew(void)
{
	(void)explorer_choose(3);
	executions++;
	RUN(tick_often, write_in_third);
}

/* ---- The table -------------------------------------------------------------------------------------------------------- */

/* clang-format off */
#define RACES(body_) { .name = #body_, .body = body_, .bound = 2, .finds = "data race at" }
#define ORDERED(body_) { .name = #body_, .body = body_, .bound = 2 }

const struct trial race_trials[] = {
	RACES(write_and_write), RACES(write_and_read), RACES(read_and_write), ORDERED(read_and_read), ORDERED(write_elsewhere),
	RACES(third_reads), ORDERED(write_neighbours), ORDERED(errno_of_each),
	{ .name = "a write, then a read", .body = write_and_read, .ways = EXHAUSTIVE, .finds = "read by T2" },
	{ .name = "after a write", .body = write_and_read, .ways = EXHAUSTIVE, .finds = ", write by T1" },
	{ .name = "a read, then a write", .body = read_and_write, .ways = EXHAUSTIVE, .finds = "write by T2" },
	{ .name = "after a read", .body = read_and_write, .ways = EXHAUSTIVE, .finds = ", read by T1" },
	ORDERED(before_and_after), RACES(during), RACES(joins_the_wrong_one), ORDERED(one_after_the_other),
	RACES(child_of_a_child),
	ORDERED(both_lock), RACES(one_locks), RACES(each_locks_another), RACES(lock_too_late), RACES(lock_too_short),
	{ .name = "woken_after_write", .body = woken_after_write, .bound = 2, .spurious = 1 },
	RACES(woken_before_write),
	ORDERED(seq_cst_seq_cst), ORDERED(release_acquire), ORDERED(release_consume), RACES(release_relaxed),
	RACES(relaxed_acquire), RACES(relaxed_relaxed), ORDERED(rmw_seq_cst), ORDERED(rmw_acq_rel), ORDERED(rmw_release),
	RACES(rmw_acquire), RACES(rmw_relaxed), ORDERED(exchanged_release), RACES(exchanged_consume),
	ORDERED(seen_by_rmw_acquire), RACES(seen_by_rmw_relaxed), RACES(seen_by_rmw_release),
	ORDERED(fence_fence), RACES(fence_none), RACES(none_fence), RACES(acquire_fence_fence), RACES(fence_release_fence),
	RACES(signal_fence_first), RACES(signal_fence_second), ORDERED(release_twice), RACES(release_then_relaxed),
	ORDERED(release_then_rmw), RACES(release_too_early), RACES(third_stores), ORDERED(third_modifies),
	RACES(third_releases),
	ORDERED(handed_on), RACES(not_handed_on), ORDERED(swap_then_acquire), RACES(swap_without_release),
	RACES(swap_that_failed), ORDERED(failed_swap_acquires), RACES(failed_swap_relaxed), ORDERED(swap_acquires),
	RACES(swap_relaxed),
	RACES(store_and_plain_read), RACES(store_and_plain_byte), RACES(plain_read_and_store), RACES(load_and_plain_write),
	RACES(plain_write_and_load), ORDERED(load_and_plain_read), RACES(modify_and_plain_read), RACES(swap_and_plain_read),
	ORDERED(vain_swap_and_plain_read), RACES(vain_swap_and_plain_write), ORDERED(atomic_and_atomic),
	{ .name = "atomic write, plain read", .body = store_and_plain_read, .ways = EXHAUSTIVE, .finds = ", atomic write by T1" },
	{ .name = "atomic read, plain write", .body = load_and_plain_write, .ways = EXHAUSTIVE,
	  .finds = ", atomic read by T1" },
	{ .name = "atomic write, plain byte", .body = store_and_plain_byte, .ways = EXHAUSTIVE,
	  .finds = ", atomic write by T1" },
	{ .name = "atomic read, plain byte", .body = load_and_plain_byte, .ways = EXHAUSTIVE, .finds = ", atomic read by T1" },
	{ .name = "plain write, atomic read", .body = plain_write_and_load, .ways = EXHAUSTIVE, .finds = "atomic read by T2" },
	ORDERED(atomics_8), ORDERED(atomics_16), ORDERED(atomics_32), ORDERED(atomics_64),
	{ .name = "count_atomics", .body = count_atomics, .ways = EXHAUSTIVE, .bound = UNBOUNDED, .schedules = 8 },
	{ .name = "copies", .body = copies, .max_steps = 60000, .ways = EXHAUSTIVE },
	{ .name = "copy_none", .body = copy_none, .ways = EXHAUSTIVE, .bound = UNBOUNDED, .plain = true,
	  .schedules = 6 },
	{ .name = "copy_8", .body = copy_8, .ways = EXHAUSTIVE, .bound = UNBOUNDED, .plain = true,
	  .schedules = 15 },
	{ .name = "copy_9", .body = copy_9, .ways = EXHAUSTIVE, .bound = UNBOUNDED, .plain = true,
	  .schedules = 28 },
	{ .name = "copy_1024", .body = copy_1024, .ways = EXHAUSTIVE, .bound = UNBOUNDED, .plain = true,
	  .schedules = 28 },
	{ .name = "copy_1025", .body = copy_1025, .ways = EXHAUSTIVE, .bound = UNBOUNDED, .plain = true,
	  .schedules = 15 },
	ORDERED(copies_from_the_same), RACES(copies_to_the_same), ORDERED(big_copies_from_the_same),
	RACES(big_copies_to_the_same),
	{ .name = "read_and_free", .body = read_and_free, .ways = EXHAUSTIVE, .finds = "data race at" },
	{ .name = "read_and_realloc", .body = read_and_realloc, .ways = EXHAUSTIVE, .finds = "data race at" },
	ORDERED(read_and_free_in_order),
	{ .name = "write_many", .body = write_many, .ways = EXHAUSTIVE },
	{ .name = "race_among_many", .body = race_among_many, .ways = EXHAUSTIVE, .finds = "data race at" },
	{ .name = "each_its_own_of_many", .body = each_its_own_of_many, .ways = EXHAUSTIVE },
	{ .name = "other_releases_among_many", .body = other_releases_among_many, .ways = EXHAUSTIVE, .max_steps = 60000,
	  .finds = "data race at" },
	{ .name = "clocks_begin_anew", .body = clocks_begin_anew, .begin = begin_executions, .finds = "data race at" },
	{ .name = "publish_among_many", .body = publish_among_many, .ways = EXHAUSTIVE, .max_steps = 60000 },
	{ .name = NULL },
};
/* clang-format on */
