/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Time: readings, and deadlines that saturate instead of overflowing.
 */
#include "clock.h"

#include <limits.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

duct_time duct_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (duct_time)now.tv_sec * NS_PER_S + now.tv_nsec;
}

duct_time duct_after_ns(int64_t nanoseconds)
{
	duct_time now = duct_now();

	if (nanoseconds < 0)
		return now;
	return time_plus(now, nanoseconds);
}

static duct_time after(int64_t duration, int64_t unit)
{
	return duct_after_ns(duration < INT64_MAX / unit ? (duration < 0 ? 0 : duration * unit) : INT64_MAX);
}

duct_time duct_after_ms(int64_t milliseconds)
{
	return after(milliseconds, NS_PER_MS);
}

duct_time duct_after_s(int64_t seconds)
{
	return after(seconds, NS_PER_S);
}

int64_t duct_remaining_ns(duct_time deadline)
{
	duct_time now;

	if (deadline == DUCT_FOREVER)
		return DUCT_FOREVER;
	now = duct_now();
	return deadline > now ? deadline - now : 0;
}

bool deadline_passed(duct_time deadline)
{
	if (deadline == DUCT_FOREVER)
		return false;
	return deadline <= DEADLINE_NOW || deadline <= duct_now();
}

struct timespec deadline_timespec(duct_time deadline)
{
	const int64_t latest = sizeof(time_t) < sizeof(int64_t) ? INT32_MAX : INT64_MAX;
	int64_t seconds = deadline / NS_PER_S;

	if (seconds > latest)
		return (struct timespec){ .tv_sec = (time_t)latest };
	return (struct timespec){ .tv_sec = (time_t)seconds, .tv_nsec = (long)(deadline % NS_PER_S) };
}
