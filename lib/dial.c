/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A clock that is set by hand.  dial.h tells what it is for.
 */
#include "dial.h"

#include "memory.h"

struct duct_clock {
	pthread_mutex_t lock;
	_Atomic duct_time now;       /* [c] written under lock */
	struct hand *hands;          /* [c] */
	_Atomic uint32_t references; /* [a] handles and hands */
};

static void clock_unref(duct_clock *clock)
{
	if (atomic_fetch_sub(&clock->references, 1) != 1)
		return;
	pthread_mutex_destroy(&clock->lock);
	memory_free(NULL, clock);
}

duct_status duct_clock_new(duct_clock **clock, duct_time now)
{
	duct_clock *made;

	if (clock == NULL || now < 0 || now == DUCT_FOREVER)
		return DUCT_INVALID;
	if ((made = memory_new(NULL, sizeof *made)) == NULL)
		return DUCT_NOMEM;
	if (pthread_mutex_init(&made->lock, NULL) != 0) {
		memory_free(NULL, made);
		return DUCT_NOMEM;
	}
	atomic_init(&made->now, now);
	atomic_init(&made->references, 1);
	made->hands = NULL;
	*clock = made;
	return DUCT_OK;
}

void duct_clock_free(duct_clock *clock)
{
	if (clock != NULL)
		clock_unref(clock);
}

duct_time duct_clock_now(const duct_clock *clock)
{
	return clock != NULL ? atomic_load(&clock->now) : duct_now();
}

/* Who waits for a source of the clock looks anew.  The time is set before: who comes into line later sees it. */
duct_status duct_clock_advance(duct_clock *clock, int64_t nanoseconds)
{
	struct node *wakes = NULL;
	duct_time now;

	if (clock == NULL || nanoseconds < 0)
		return DUCT_INVALID;
	mutex_lock(&clock->lock);
	now = atomic_load(&clock->now);
	atomic_store(&clock->now, nanoseconds < DUCT_FOREVER - now ? now + nanoseconds : DUCT_FOREVER - 1);
	for (struct hand *hand = clock->hands; hand != NULL; hand = hand->next) {
		queue_lock_both(&hand->source->queue);
		source_moved_locked(hand->source, &wakes);
		queue_unlock_both(&hand->source->queue);
	}
	mutex_unlock(&clock->lock);
	wakes_notify(wakes);
	return DUCT_OK;
}

/* ---- Hands ----------------------------------------------------------------------------------------------------- */

void hand_init(struct hand *hand, struct source *source, duct_clock *clock)
{
	hand->clock = clock;
	hand->source = source;
	if (clock == NULL)
		return;
	atomic_fetch_add(&clock->references, 1);
	mutex_lock(&clock->lock);
	hand->next = clock->hands;
	hand->link = &clock->hands;
	if (hand->next != NULL)
		hand->next->link = &hand->next;
	clock->hands = hand;
	mutex_unlock(&clock->lock);
}

void hand_fini(struct hand *hand)
{
	if (hand->clock == NULL)
		return;
	mutex_lock(&hand->clock->lock);
	*hand->link = hand->next;
	if (hand->next != NULL)
		hand->next->link = hand->link;
	mutex_unlock(&hand->clock->lock);
	clock_unref(hand->clock);
}

duct_time hand_now(const struct hand *hand)
{
	return duct_clock_now(hand->clock);
}

duct_time hand_deadline(const struct hand *hand, duct_time at)
{
	if (hand->clock == NULL)
		return at;
	return at <= atomic_load(&hand->clock->now) ? DEADLINE_NOW : DUCT_FOREVER;
}
