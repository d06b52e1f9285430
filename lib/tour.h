/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The order in which a select looks at its cases.
 *
 * A fair select starts at any case and goes round a power of two of places in steps of an odd number, leaving out places
 * that have no case: no table to shuffle, and whichever cases are ready, each has about the same chance to come first.
 */
#ifndef DUCT_TOUR_H
#define DUCT_TOUR_H

#include "turn.h"

#include <stdbool.h>

struct tour {
	uint32_t start, stride, mask;
};

static inline struct tour tour_plan(uint32_t cases, bool in_order)
{
	struct tour tour = { .start = 0, .stride = 1, .mask = 0 };
	uint64_t turn;

	while (tour.mask + 1 < cases)
		tour.mask = 2 * tour.mask + 1;
	if (cases > 1 && !in_order) {
		turn = turn_next();
		tour.start = (uint32_t)((turn & UINT32_MAX) * cases >> 32);
		tour.stride = (uint32_t)(turn >> 32) | 1;
	}
	return tour;
}

/* Stop number k of 0 ... mask: a case, or a place that has none. */
static inline uint32_t tour_stop(const struct tour *tour, uint32_t k)
{
	return (tour->start + k * tour->stride) & tour->mask;
}

#endif
