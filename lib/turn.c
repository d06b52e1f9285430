/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Numbers without a pattern for fair selects, without thread-local state and without a line that all threads write: a table
 * of counters, of which a thread uses the one its stack address picks.  Two threads may share one, and lose an increment:
 * that harms nobody.  A plain rotation would do for one select in a loop, but two selects that take turns would each see
 * every other number only, so the count is mixed (the finalizer of SplitMix64).
 */
#include "turn.h"

#include "sync.h"

#define COUNTERS 64

static struct counter {
	_Alignas(CACHE_LINE) _Atomic uint32_t count; /* [a] relaxed: no other data depends on it */
} counters[COUNTERS];

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t turn_next(void)
{
	char here;
	uint64_t stack = (uint64_t)(uintptr_t)&here >> 12; /* stacks lie pages apart */
	uint64_t key = mix(stack);
	struct counter *counter = &counters[key % COUNTERS];
	uint32_t count = load_relaxed(&counter->count) + 1;

	store_relaxed(&counter->count, count);
	return mix(key + count * UINT64_C(0x9e3779b97f4a7c15));
}
