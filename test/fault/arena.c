/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * An allocator that counts: see arena.h.
 */
#include "arena.h"

#include "harness.h"

static void *arena_allocate(size_t size, void *context)
{
	struct arena *arena = context;
	void *memory = malloc(size);

	if (memory != NULL)
		atomic_fetch_add(&arena->live, 1);
	return memory;
}

static void arena_release(void *memory, void *context)
{
	struct arena *arena = context;

	CHECK(memory != NULL);
	CHECK(atomic_fetch_sub(&arena->live, 1) > 0);
	free(memory);
}

void arena_init(struct arena *arena)
{
	arena->allocator = (duct_allocator){ arena_allocate, arena_release, arena };
	arena->live = 0;
}
