/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * An allocator that goes through malloc, so that it meets the same faults, and counts.
 */
#ifndef TEST_FAULT_ARENA_H
#define TEST_FAULT_ARENA_H

#include <duct.h>

#include <stdatomic.h>

struct arena {
	duct_allocator allocator;
	atomic_long live;
};

void arena_init(struct arena *arena);

#endif
