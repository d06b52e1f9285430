/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Time: the one clock, CLOCK_MONOTONIC, in nanoseconds, and deadlines on it.
 */
#ifndef DUCT_CLOCK_H
#define DUCT_CLOCK_H

#include <duct.h>

#include <time.h>

/* A deadline that every moment is past: what a try waits for. */
#define DEADLINE_NOW 0

/* The deadline has passed.  Reads the clock only if that is in question. */
bool deadline_passed(duct_time deadline);

/* The deadline as pthreads want it; one that the system cannot express becomes the latest that it can. */
struct timespec deadline_timespec(duct_time deadline);

/* So long after a time, neither negative; it saturates. */
static inline duct_time time_plus(duct_time at, int64_t duration)
{
	return duration < DUCT_FOREVER - at ? at + duration : DUCT_FOREVER;
}

static inline duct_time deadline_min(duct_time a, duct_time b)
{
	return a < b ? a : b;
}

#endif
