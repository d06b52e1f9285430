/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A lesson: whether something that pays at times pays here and now.
 *
 * Failures in a row make the next ones do without, each about four times as often as the one before, for a failure may cost a
 * thousand times what a success saves; each success halves that.  A trial counts as a success until it is known to have
 * failed, so that only failures have to be reported.
 *
 * Threads learn together and race for it: an update may be lost, and nothing depends on one.
 */
#ifndef DUCT_LESSON_H
#define DUCT_LESSON_H

#include "sync.h"

#include <stdint.h>

#define LESSON_MOST 8192 /* times without, at most */

struct lesson {
	_Atomic uint16_t without; /* [a] relaxed: how often still to do without */
	_Atomic uint16_t lasting; /* [a] relaxed: grows with failures, shrinks with successes */
};

static inline void lesson_init(struct lesson *lesson)
{
	atomic_init(&lesson->without, 0);
	atomic_init(&lesson->lasting, 0);
}

/* Whether to try now. */
static inline bool lesson_allows(struct lesson *lesson)
{
	uint16_t without = load_relaxed(&lesson->without), lasting;

	if (unlikely(without > 0)) {
		store_relaxed(&lesson->without, (uint16_t)(without - 1));
		return false;
	}
	lasting = load_relaxed(&lesson->lasting);
	if (unlikely(lasting > 0))
		store_relaxed(&lesson->lasting, (uint16_t)(lasting / 2));
	return true;
}

/* What was allowed has failed. */
static inline void lesson_failed(struct lesson *lesson)
{
	uint16_t lasting = load_relaxed(&lesson->lasting);

	lasting = (uint16_t)(lasting < LESSON_MOST / 16 ? 8 * lasting + 16 : LESSON_MOST);
	store_relaxed(&lesson->lasting, lasting);
	store_relaxed(&lesson->without, lasting);
}

/* Something tells that it may work again: to be tried sooner. */
static inline void lesson_doubt(struct lesson *lesson)
{
	uint16_t without = load_relaxed(&lesson->without);

	if (without != 0)
		store_relaxed(&lesson->without, (uint16_t)(without / 2));
}

#endif
