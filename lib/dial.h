/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A clock that is set by hand, for tests of what depends on time: it knows the sources that go by it, and has their waits look
 * anew whenever it is set.
 *
 * Lock order: the clock's lock, then those of its sources' queues, one source at a time.
 */
#ifndef DUCT_DIAL_H
#define DUCT_DIAL_H

#include "source.h"

/* A source that goes by a clock: in its structure. */
struct hand {
	duct_clock *clock; /* [I] NULL: CLOCK_MONOTONIC */
	struct source *source;
	struct hand *next, **link; /* [c] under the clock's lock: in its list */
};

/* Goes by that clock (or NULL) from now on, and keeps it, until hand_fini. */
void hand_init(struct hand *hand, struct source *source, duct_clock *clock);
void hand_fini(struct hand *hand);

/* The time on its clock. */
duct_time hand_now(const struct hand *hand);

/* A time on its clock as a deadline for a wait: one that has passed, or will be told of, if the clock is set by hand. */
duct_time hand_deadline(const struct hand *hand, duct_time at);

#endif
