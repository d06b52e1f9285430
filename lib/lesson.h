/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A lesson: whether something that is worth a try at times is worth it here and now.
 *
 * Each failure in a row doubles how often the next ones do without; each success halves it again.  A trial counts as a success until it is known to have failed, so that only failures have to be reported.
 *
 * Threads learn together and race for it: an update may be lost, and nothing depends on one.
 */
#ifndef DUCT_LESSON_H
#define DUCT_LESSON_H

#include "sync.h"

#include <stdint.h>

#define LESSON_MOST 512 /* times without, at most */

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

	lasting = (uint16_t)(lasting < LESSON_MOST / 4 ? 4 * lasting + 2 : LESSON_MOST);
	store_relaxed(&lesson->lasting, lasting);
	store_relaxed(&lesson->without, lasting);
}

#endif
