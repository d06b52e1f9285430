/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Memory at the start of a cache line, whatever the allocator returns.
 */
#include "memory.h"
#include "harness.h"
#include "sync.h"

#include <errno.h>

/* An allocator that hands out its pool from a chosen offset on, once, and remembers what it was asked. */
struct pool {
	_Alignas(CACHE_LINE) unsigned char bytes[1024];
	size_t offset;
	size_t asked; /* size of the last request */
	int allocations;
	void *released;
	bool has_nothing;
	int error; /* what errno becomes */
};

static void *pool_allocate(size_t size, void *context)
{
	struct pool *pool = context;

	pool->allocations++;
	pool->asked = size;
	errno = pool->error;
	return pool->has_nothing ? NULL : pool->bytes + pool->offset;
}

/* Scribbles over what it gets back, as a real allocator may. */
static void pool_release(void *memory, void *context)
{
	struct pool *pool = context;

	pool->released = memory;
	errno = pool->error;
	memset(memory, 0xdd, pool->asked);
}

/* Wherever the allocator's memory begins, ours begins a cache line, lies within it and is as large as asked for. */
TEST(memory_new, starts_a_line_within_what_was_allocated, 5)
{
	static struct pool pool;
	const duct_allocator allocator = { pool_allocate, pool_release, &pool };

	for (pool.offset = 0; pool.offset <= 2 * CACHE_LINE; pool.offset += sizeof(void *)) {
		for (size_t size = 0; size < 200; size += 33) {
			unsigned char *memory = memory_new(&allocator, size);

			CHECK((uintptr_t)memory % CACHE_LINE == 0);
			CHECK(memory >= pool.bytes + pool.offset + sizeof(void *));
			CHECK(memory + size <= pool.bytes + pool.offset + pool.asked);
			memset(memory, 0x11, size);
			memory_free(&allocator, memory);
			CHECK(pool.released == pool.bytes + pool.offset);
		}
	}
}

/* The same from malloc; a sanitizer sees that all of it is usable and that it is given back. */
TEST(memory_new, without_an_allocator_comes_from_malloc, 5)
{
	for (size_t size = 0; size < 5000; size += 499) {
		unsigned char *memory = memory_new(NULL, size);

		CHECK(memory != NULL && (uintptr_t)memory % CACHE_LINE == 0);
		memset(memory, 0x22, size);
		memory_free(NULL, memory);
	}
}

/* An allocator that has nothing is asked once. */
TEST(memory_new, is_null_when_the_allocator_has_nothing, 5)
{
	static struct pool pool = { .has_nothing = true };
	const duct_allocator allocator = { pool_allocate, pool_release, &pool };

	CHECK(memory_new(&allocator, 100) == NULL);
	CHECK(pool.allocations == 1 && pool.released == NULL);
}

/* A size that overflows with what alignment needs is refused before anybody is asked; the largest that does not is asked. */
TEST(memory_new, refuses_a_size_that_overflows, 5)
{
	static struct pool pool = { .has_nothing = true };
	const duct_allocator allocator = { pool_allocate, pool_release, &pool };
	const size_t extra = CACHE_LINE - 1 + sizeof(void *);

	CHECK(memory_new(&allocator, SIZE_MAX) == NULL);
	CHECK(memory_new(&allocator, SIZE_MAX - extra + 1) == NULL);
	CHECK(memory_new(NULL, SIZE_MAX) == NULL);
	CHECK(pool.allocations == 0);
	CHECK(memory_new(&allocator, SIZE_MAX - extra) == NULL);
	CHECK(pool.allocations == 1 && pool.asked == SIZE_MAX);
}

/* An allocator may change errno; its caller does not see that. */
TEST(memory_new, keeps_errno, 5)
{
	static struct pool pool = { .error = ENOMEM };
	const duct_allocator allocator = { pool_allocate, pool_release, &pool };
	void *memory;

	errno = EDOM;
	memory = memory_new(&allocator, 100);
	CHECK(memory != NULL && errno == EDOM);
	memory_free(&allocator, memory);
	CHECK(pool.released != NULL && errno == EDOM);
	pool.has_nothing = true;
	CHECK(memory_new(&allocator, 100) == NULL && errno == EDOM);
}

/* The allocator may go with the memory that it is kept in. */
TEST(memory_free, works_with_an_allocator_in_that_memory, 5)
{
	static struct pool pool;
	const duct_allocator allocator = { pool_allocate, pool_release, &pool };
	duct_allocator *inside = memory_new(&allocator, sizeof *inside);

	CHECK(inside != NULL);
	*inside = allocator;
	memory_free(inside, inside);
	CHECK(pool.released == pool.bytes);
}

TEST(line_round_up, goes_to_the_end_of_a_line, 5)
{
	CHECK(line_round_up(0) == 0 && line_round_up(1) == CACHE_LINE && line_round_up(CACHE_LINE) == CACHE_LINE);
	CHECK(line_round_up(CACHE_LINE + 1) == (size_t)2 * CACHE_LINE);
}
