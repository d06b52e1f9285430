/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * When a timer ticks next: pure arithmetic of integers, in whatever unit, exact from 0 to the end of time (DUCT_FOREVER),
 * where it stays.
 *
 *     now        when the tick was found due, at or after scheduled
 *     scheduled  when it should have been
 *     interval   at least 1
 */
#ifndef DUCT_SCHEDULE_H
#define DUCT_SCHEDULE_H

#include "clock.h"

/* Every tick, one after the other, however late. */
static inline duct_time schedule_trigger_all(duct_time scheduled, int64_t interval)
{
	return time_plus(scheduled, interval);
}

/* The first one after now that is a number of intervals from scheduled. */
static inline duct_time schedule_resync(duct_time now, duct_time scheduled, int64_t interval)
{
	return time_plus(now, interval - (now - scheduled) % interval);
}

/* An interval from now if it is later than the tolerance, else from when it should have been. */
static inline duct_time schedule_drift(duct_time now, duct_time scheduled, int64_t interval, int64_t tolerance)
{
	return time_plus(now - scheduled > tolerance ? now : scheduled, interval);
}

#endif
