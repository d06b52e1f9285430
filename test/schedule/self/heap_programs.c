/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Programs for the checking heap, compiled as code under test is: each misuse of memory, and beside it the use that is right.
 */
#include "self.h"

#include "explorer.h"
#include "heap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static volatile unsigned char sink;
static unsigned char *volatile block, *volatile old_block; /* so that the compiler does not know what they are */
static unsigned char not_allocated[64] __attribute__((aligned(16)));
static volatile size_t size_max = SIZE_MAX;

/* ---- Inside, outside, after ------------------------------------------------------------------------------------------- */

static void allocate(size_t size)
{
	block = malloc(size);
	EXPLORER_CHECK(block != NULL && (uintptr_t)block % 16 == 0);
}

static void use_it_all(void)
{
	for (size_t size = 1; size < 100; size++) {
		allocate(size);
		for (size_t i = 0; i < size; i++) {
			EXPLORER_CHECK(block[i] == 0xa5);
			block[i] = (unsigned char)i;
		}
		EXPLORER_CHECK(heap_live() == 1);
		free(block);
		EXPLORER_CHECK(heap_live() == 0);
	}
}

static void read_past_end(void)
{
	allocate(10);
	sink = block[10];
}

static void write_past_end(void)
{
	allocate(16);
	block[16] = 1;
}

static void read_before_begin(void)
{
	allocate(10);
	sink = block[-1];
}

static void write_between(void)
{
	allocate(10);
	allocate(10);
	block[-50] = 1;
}

static void read_far_past_end(void)
{
	allocate(10);
	sink = block[10 + 63];
}

static void read_never_allocated(void)
{
	allocate(10);
	sink = block[100000];
}

static void write_across_end(void)
{
	allocate(12);
	*(volatile uint64_t *)(block + 8) = 1;
}

static void read_across_begin(void)
{
	allocate(16);
	sink = (unsigned char)*(volatile uint64_t *)(block - 4);
}

static void write_up_to_end(void)
{
	allocate(16);
	*(volatile uint64_t *)(block + 8) = 1;
	free(block);
}

static void copy_past_end(void)
{
	allocate(16);
	memset(block, 0, size_max % 16 + 2);
}

static void copy_nothing(void)
{
	allocate(16);
	memset(block + 16, 0, size_max - SIZE_MAX);
	heap_check(block + 16, 0);
	heap_check(not_allocated, sizeof not_allocated);
	heap_check(block, 16);
	free(block);
}

/* The first allocation lies 64 behind the beginning of the arena, which is 512 KiB; what lies behind its end is not its own. */
static void check_behind_arena(void)
{
	allocate(1);
	heap_check(block - 64 + 512 * 1024, 1);
	free(block);
}

static void read_after_free(void)
{
	allocate(10);
	free(block);
	sink = block[9];
}

static void write_after_free(void)
{
	allocate(10);
	free(block);
	block[0] = 1;
}

static void read_across_freed(void)
{
	allocate(16);
	free(block);
	allocate(16);
	sink = (unsigned char)*(volatile uint64_t *)(block - 4);
}

#define ATOMIC_AFTER_FREE(name_, call_) \
	static void name_(void) \
	{ \
		atomic_int *at; \
		int expected = 0; \
		(void)expected; \
		allocate(sizeof *at); \
		at = (atomic_int *)block; \
		free(block); \
		(void)(call_); \
	}

ATOMIC_AFTER_FREE(load_after_free, atomic_load(at))
ATOMIC_AFTER_FREE(store_after_free, (atomic_store(at, 1), 1))
ATOMIC_AFTER_FREE(modify_after_free, atomic_fetch_add(at, 1))
ATOMIC_AFTER_FREE(swap_after_free, atomic_compare_exchange_strong(at, &expected, 1))

/* ---- Given back ------------------------------------------------------------------------------------------------------- */

static void free_twice(void)
{
	allocate(10);
	free(block);
	free(block);
}

static void free_nothing(void)
{
	block = NULL;
	free(block);
	EXPLORER_CHECK(heap_live() == 0);
}

static void free_not_allocated(void)
{
	block = not_allocated;
	free(block);
}

static void free_nowhere(void)
{
	block = (unsigned char *)size_max - SIZE_MAX + 16;
	free(block);
}

static void free_inside(void)
{
	allocate(100);
	block += 32;
	free(block);
}

static void free_inside_unaligned(void)
{
	allocate(100);
	block += 1;
	free(block);
}

static void free_between(void)
{
	allocate(100);
	block += 112;
	free(block);
}

static void free_others(void)
{
	unsigned char *first, *second;

	allocate(10);
	first = block;
	allocate(20);
	second = block;
	allocate(30);
	EXPLORER_CHECK(heap_live() == 3);
	free(second);
	EXPLORER_CHECK(heap_live() == 2);
	first[9] = block[29] = 1;
	free(block);
	free(first);
	EXPLORER_CHECK(heap_live() == 0);
}

/* Memory that was freed is not handed out again, and nothing lies close to what follows. */
static void never_the_same(void)
{
	for (size_t size = 1; size < 70; size++) {
		unsigned char *first;

		allocate(size);
		first = block;
		free(block);
		allocate(size);
		EXPLORER_CHECK(block >= first + size + 64 && block < first + size + 64 + 16);
		block[0] = block[size - 1] = 1;
		free(block);
	}
}

/* ---- The other calls -------------------------------------------------------------------------------------------------- */

static void zeroed(void)
{
	block = calloc(7, 3);
	for (int i = 0; i < 21; i++)
		EXPLORER_CHECK(block[i] == 0);
	EXPLORER_CHECK(heap_live() == 1);
	free(block);
	EXPLORER_CHECK(heap_live() == 0);
}

static void past_zeroed(void)
{
	block = calloc(7, 3);
	sink = block[21];
}

static void moved(void)
{
	unsigned char *old;

	block = NULL;
	block = realloc(block, 10);
	EXPLORER_CHECK(block != NULL && heap_live() == 1);
	memset(block, 7, 10);
	for (size_t size = 20; size > 4; size -= 8) {
		old = block;
		block = realloc(old, size);
		EXPLORER_CHECK(block != NULL && block != old && heap_live() == 1);
		for (size_t i = 0; i < size; i++)
			EXPLORER_CHECK(block[i] == (i < 10 ? 7 : 0xa5));
	}
	free(block);
	EXPLORER_CHECK(heap_live() == 0);
}

static void use_after_move(void)
{
	allocate(10);
	old_block = block;
	block = realloc(block, 20);
	sink = old_block[0];
}

static void move_after_free(void)
{
	allocate(10);
	free(block);
	block = realloc(block, 20);
}

static void move_nowhere(void)
{
	block = (unsigned char *)size_max - SIZE_MAX + 16;
	block = realloc(block, 20);
}

static void past_moved(void)
{
	allocate(30);
	block = realloc(block, 20);
	sink = block[20];
}

/* What cannot be had changes nothing. */
static void too_much(void)
{
	allocate(10);
	block[9] = 3;
	EXPLORER_CHECK(malloc(size_max) == NULL && malloc(size_max - 200) == NULL && malloc(512 * 1024 + 1) == NULL);
	EXPLORER_CHECK(malloc(512 * 1024 - 200) == NULL && calloc(1, size_max) == NULL && aligned_alloc(64, size_max) == NULL);
	EXPLORER_CHECK(calloc(size_max / 2 + 2, 2) == NULL && calloc(2, size_max / 2 + 2) == NULL);
	EXPLORER_CHECK(calloc(size_max, 0) != NULL && heap_live() == 2);
	EXPLORER_CHECK(realloc(block, size_max) == NULL);
	EXPLORER_CHECK(heap_live() == 2 && block[9] == 3);
	free(block);
}

static void until_it_is_full(void)
{
	int count = 0;

	while (count < 1000 && (block = malloc(1000)) != NULL) {
		count++;
		block[0] = block[999] = 1;
	}
	/* 512 KiB; 1000 bytes and a gap of 64 lie 1072 apart. */
	EXPLORER_CHECK(count == 489 && heap_live() == count);
	EXPLORER_CHECK(malloc(1000) == NULL);
}

static void almost_all_of_it(void)
{
	EXPLORER_CHECK(malloc(512 * 1024 - 127) == NULL);
	block = malloc(512 * 1024 - 128);
	EXPLORER_CHECK(block != NULL);
	block[512 * 1024 - 129] = 1;
	free(block);
}

static void aligned(void)
{
	for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
		block = aligned_alloc(alignment, 24);
		EXPLORER_CHECK(block != NULL && (uintptr_t)block % alignment == 0 && (uintptr_t)block % 16 == 0);
		block[0] = block[23] = 1;
		free(block);
		EXPLORER_CHECK(heap_live() == 0);
	}
}

static void past_aligned(void)
{
	block = aligned_alloc(64, 24);
	sink = block[24];
}

static void no_bytes(void)
{
	unsigned char *first;

	allocate(0);
	first = block;
	allocate(0);
	EXPLORER_CHECK(first != block && heap_live() == 2);
	free(first);
	free(block);
}

static void past_no_bytes(void)
{
	allocate(0);
	sink = block[1];
}

/* ---- From execution to execution -------------------------------------------------------------------------------------- */

static unsigned char *left;
static int executions;

__attribute__((no_sanitize("thread"))) static void begin_executions(void)
{
	executions = 0;
	left = NULL;
}

/* Each execution leaves memory behind, live and freed; the next one begins with none, and at the same addresses. */
static void leave_memory(void)
{
	EXPLORER_CHECK(heap_live() == 0);
	(void)explorer_choose(3);
	allocate(100);
	EXPLORER_CHECK(left == NULL || left == block);
	left = block;
	block[99] = 1;
	allocate(10);
	free(block);
	allocate(10);
}

static void touch_what_was_left(void)
{
	(void)explorer_choose(3);
	if (executions++ == 0) {
		allocate(100);
		left = block;
		allocate(10);
		free(block);
	} else if (executions == 2) {
		sink = left[50];
	}
}

static void touch_what_was_freed(void)
{
	(void)explorer_choose(3);
	if (executions++ == 0) {
		allocate(100);
		free(block);
		left = block;
	} else if (executions == 2) {
		sink = left[99];
	}
}

static void free_what_was_left(void)
{
	(void)explorer_choose(3);
	if (executions++ == 0) {
		allocate(100);
		left = block;
	} else if (executions == 2) {
		block = left;
		free(block);
	}
}

/* Inside an allocation, where another one began in the execution before. */
static void free_where_another_began(void)
{
	(void)explorer_choose(3);
	if (executions++ == 0) {
		allocate(1);
		allocate(1);
		left = block;
	} else if (executions == 2) {
		allocate(500);
		block = left;
		free(block);
	}
}

/* ---- Threads ---------------------------------------------------------------------------------------------------------- */

static pthread_mutex_t mutex;

static void *use_locked(void *unused)
{
	pthread_mutex_lock(&mutex);
	if (block != NULL)
		block[0] = 1;
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void *free_locked(void *unused)
{
	pthread_mutex_lock(&mutex);
	free(block);
	block = NULL;
	pthread_mutex_unlock(&mutex);
	return unused;
}

/* Forgets that it is gone: a use after it, in half of the schedules, though it is no race. */
static void *free_locked_and_keep(void *unused)
{
	pthread_mutex_lock(&mutex);
	free(block);
	pthread_mutex_unlock(&mutex);
	return unused;
}

static void with_two(void *(*second)(void *))
{
	pthread_t threads[2];

	pthread_mutex_init(&mutex, NULL);
	allocate(10);
	pthread_create(&threads[0], NULL, use_locked, NULL);
	pthread_create(&threads[1], NULL, second, NULL);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
}

static void freed_by_another(void)
{
	with_two(free_locked);
}

static void freed_under_another(void)
{
	with_two(free_locked_and_keep);
}

/* ---- Objects of the system -------------------------------------------------------------------------------------------- */

union object {
	pthread_mutex_t mutex;
	pthread_cond_t condition;
};

/* Used where it was freed, or in memory that ends within it. */
#define OBJECT(name_, use_) \
	static void name_##_freed(void) \
	{ \
		union object *object; \
		struct timespec deadline = { 0, 0 }; \
		(void)deadline; \
		allocate(sizeof *object); \
		object = (union object *)block; \
		memset(block, 0, sizeof *object); \
		pthread_mutex_init(&mutex, NULL); \
		pthread_mutex_lock(&mutex); \
		free(block); \
		use_; \
	} \
	static void name_##_outside(void) \
	{ \
		union object *object; \
		struct timespec deadline = { 0, 0 }; \
		(void)deadline; \
		allocate(2); \
		object = (union object *)block; \
		pthread_mutex_init(&mutex, NULL); \
		pthread_mutex_lock(&mutex); \
		use_; \
	}

OBJECT(mutex_init, pthread_mutex_init(&object->mutex, NULL))
OBJECT(mutex_destroy, pthread_mutex_destroy(&object->mutex))
OBJECT(mutex_lock, pthread_mutex_lock(&object->mutex))
OBJECT(mutex_trylock, pthread_mutex_trylock(&object->mutex))
OBJECT(mutex_unlock, pthread_mutex_unlock(&object->mutex))
OBJECT(cond_init, pthread_cond_init(&object->condition, NULL))
OBJECT(cond_destroy, pthread_cond_destroy(&object->condition))
OBJECT(cond_signal, pthread_cond_signal(&object->condition))
OBJECT(cond_broadcast, pthread_cond_broadcast(&object->condition))
OBJECT(cond_wait, pthread_cond_wait(&object->condition, &mutex))
OBJECT(cond_clockwait, pthread_cond_clockwait(&object->condition, &mutex, CLOCK_MONOTONIC, &deadline))

static pthread_cond_t condition;

OBJECT(wait_mutex, (pthread_cond_init(&condition, NULL), pthread_cond_wait(&condition, &object->mutex)))

static void cond_timedwait_freed(void)
{
	const struct timespec deadline = { 0, 0 };
	pthread_condattr_t attributes;

	allocate(sizeof condition);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init((pthread_cond_t *)block, &attributes);
	pthread_mutex_init(&mutex, NULL);
	pthread_mutex_lock(&mutex);
	free(block);
	pthread_cond_timedwait((pthread_cond_t *)block, &mutex, &deadline);
}

/* ---- The table -------------------------------------------------------------------------------------------------------- */

/* clang-format off */
#define RIGHT(body_) { .name = #body_, .body = body_, .bound = 2, .runs = 20, .max_steps = 200000 }
#define WRONG(body_, finds_) { .name = #body_, .body = body_, .bound = 2, .runs = 50, .finds = finds_ }
#define WRONG_OBJECT(name_) WRONG(name_##_freed, "use of freed memory"), WRONG(name_##_outside, "outside an allocation")

const struct trial heap_trials[] = {
	RIGHT(use_it_all), RIGHT(write_up_to_end), RIGHT(copy_nothing),
	WRONG(read_past_end, "outside an allocation"), WRONG(write_past_end, "outside an allocation"),
	WRONG(read_before_begin, "outside an allocation"), WRONG(write_between, "outside an allocation: 1 bytes"),
	WRONG(read_far_past_end, "outside an allocation"), WRONG(read_never_allocated, "outside an allocation"),
	WRONG(write_across_end, "outside an allocation: 8 bytes"), WRONG(read_across_begin, "outside an allocation"),
	WRONG(copy_past_end, "outside an allocation: 17 bytes"), WRONG(read_after_free, "use of freed memory"),
	WRONG(write_after_free, "use of freed memory"), WRONG(read_across_freed, "outside an allocation"),
	WRONG(load_after_free, "use of freed memory"), WRONG(store_after_free, "use of freed memory"),
	WRONG(modify_after_free, "use of freed memory"), WRONG(swap_after_free, "use of freed memory"),
	WRONG(free_twice, "freed twice"), RIGHT(free_nothing),
	WRONG(free_not_allocated, "free of memory that was not allocated"),
	WRONG(free_nowhere, "free of memory that was not allocated"),
	WRONG(free_inside, "free of memory that was not allocated"),
	WRONG(free_inside_unaligned, "free of memory that was not allocated"),
	WRONG(free_between, "free of memory that was not allocated"), RIGHT(free_others), RIGHT(never_the_same),
	RIGHT(zeroed), WRONG(past_zeroed, "outside an allocation"), RIGHT(moved), WRONG(use_after_move, "use of freed memory"),
	WRONG(move_nowhere, "realloc of memory that was not allocated"),
	WRONG(move_after_free, "freed twice"), WRONG(past_moved, "outside an allocation"), RIGHT(too_much),
	RIGHT(until_it_is_full), RIGHT(almost_all_of_it), RIGHT(aligned), WRONG(past_aligned, "outside an allocation"),
	RIGHT(no_bytes), WRONG(past_no_bytes, "outside an allocation"), RIGHT(check_behind_arena),
	{ .name = "leave_memory", .body = leave_memory, .begin = begin_executions, .schedules = 3 },
	{ .name = "touch_what_was_left", .body = touch_what_was_left, .begin = begin_executions,
	  .finds = "outside an allocation" },
	{ .name = "touch_what_was_freed", .body = touch_what_was_freed, .begin = begin_executions,
	  .finds = "outside an allocation" },
	{ .name = "free_what_was_left", .body = free_what_was_left, .begin = begin_executions,
	  .finds = "free of memory that was not allocated" },
	{ .name = "free_where_another_began", .body = free_where_another_began, .begin = begin_executions,
	  .finds = "free of memory that was not allocated" },
	RIGHT(freed_by_another), WRONG(freed_under_another, "use of freed memory"),
	WRONG_OBJECT(mutex_init), WRONG_OBJECT(mutex_destroy), WRONG_OBJECT(mutex_lock), WRONG_OBJECT(mutex_trylock),
	WRONG_OBJECT(mutex_unlock), WRONG_OBJECT(cond_init), WRONG_OBJECT(cond_destroy), WRONG_OBJECT(cond_signal),
	WRONG_OBJECT(cond_broadcast), WRONG_OBJECT(cond_wait), WRONG_OBJECT(cond_clockwait), WRONG_OBJECT(wait_mutex),
	WRONG(cond_timedwait_freed, "use of freed memory"),
	{ .name = NULL },
};
/* clang-format on */
