/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The race detector; race.c says how it learns of accesses.
 */
#ifndef TEST_SCHEDULE_RACE_H
#define TEST_SCHEDULE_RACE_H

#include <stdbool.h>
#include <stddef.h>

/* Plain accesses are points of the explorer.  Off: only atomics and calls are; races are found all the same. */
extern bool race_points;

/* A new execution. */
void race_reset(void);

/* What orders threads: acquiring and releasing an object, starting a thread. */
void race_acquire(int thread, const void *object);
void race_release(int thread, const void *object);
void race_fork(int parent, int child);

/* Memory goes back to the heap. */
void race_free(const void *memory, size_t size, const void *pc);

#endif
