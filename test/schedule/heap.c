/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The heap of an execution: malloc and its like for what is linked with -Wl,--wrap=.
 *
 * Memory is handed out from a fixed arena, in order, and never twice in one execution.  So addresses repeat from run to run,
 * and whatever touches memory that was freed, or that lies between two allocations, is seen for what it is.  New memory is
 * filled with a pattern; a free is a write of all of it to the race detector, for nobody may still be reading.
 */
#include "heap.h"

#include "explorer.h"
#include "race.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE (512 * 1024)
#define ALIGNMENT 16
#define GAP 64 /* between allocations; keeps cache lines apart as well */
#define PATTERN 0xa5

enum byte_state { NEVER, LIVE, FREED };

static unsigned char arena[ARENA_SIZE] __attribute__((aligned(4096)));
static unsigned char states[ARENA_SIZE];
static size_t sizes[ARENA_SIZE / ALIGNMENT]; /* by the first byte's place */
static size_t used;
static int live;

void heap_reset(void)
{
	memset(states, NEVER, used);
	memset(sizes, 0, (used / ALIGNMENT + 1) * sizeof sizes[0]);
	used = 0;
	live = 0;
}

int heap_live(void)
{
	return live;
}

static bool in_arena(const void *memory)
{
	return (uintptr_t)memory - (uintptr_t)arena < ARENA_SIZE;
}

void heap_check(const void *memory, size_t size)
{
	size_t at;

	if (!in_arena(memory) || size == 0)
		return;
	at = (size_t)((const unsigned char *)memory - arena);
	if (states[at] == FREED)
		explorer_fail("use of freed memory %p", memory);
	if (states[at] != LIVE || states[at + size - 1] != LIVE)
		explorer_fail("use of memory outside an allocation: %zu bytes at %p", size, memory);
}

static void *allocate(size_t alignment, size_t size)
{
	size_t at = (used + GAP + alignment - 1) / alignment * alignment;

	if (size > ARENA_SIZE || at + size + GAP > ARENA_SIZE || explorer_fails())
		return NULL;
	memset(arena + at, PATTERN, size);
	memset(states + at, LIVE, size);
	sizes[at / ALIGNMENT] = size;
	used = at + size;
	live++;
	return arena + at;
}

void *__wrap_malloc(size_t size)
{
	return allocate(ALIGNMENT, size > 0 ? size : 1);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return allocate(alignment < ALIGNMENT ? ALIGNMENT : alignment, size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	void *memory;

	if (size != 0 && count > SIZE_MAX / size)
		return NULL;
	memory = __wrap_malloc(count * size);
	if (memory != NULL)
		memset(memory, 0, count * size);
	return memory;
}

void __wrap_free(void *memory)
{
	size_t at, size;

	if (memory == NULL)
		return;
	if (!in_arena(memory))
		explorer_fail("free of memory that was not allocated %p", memory);
	at = (size_t)((unsigned char *)memory - arena);
	size = sizes[at / ALIGNMENT];
	if (states[at] == FREED)
		explorer_fail("memory freed twice %p", memory);
	if (at % ALIGNMENT != 0 || size == 0)
		explorer_fail("free of memory that was not allocated %p", memory);
	race_free(memory, size, __builtin_return_address(0));
	memset(states + at, FREED, size);
	live--;
}

void *__wrap_realloc(void *memory, size_t size)
{
	void *moved;
	size_t old;

	if (memory != NULL && !in_arena(memory))
		explorer_fail("realloc of memory that was not allocated %p", memory);
	moved = __wrap_malloc(size);
	if (memory == NULL || moved == NULL)
		return moved;
	old = sizes[(size_t)((unsigned char *)memory - arena) / ALIGNMENT];
	memcpy(moved, memory, old < size ? old : size);
	__wrap_free(memory);
	return moved;
}
