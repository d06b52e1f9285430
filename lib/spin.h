/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Spinning: how long a wait stays awake, and how.
 *
 * A peer that runs on another processor answers within a microsecond; to sleep and be woken costs ten or twenty.  So a wait
 * first pauses, for a microsecond or two and then for a few more; and then it yields the processor, twice at
 * most, which helps peers that share it.  Then it sleeps.
 *
 * Two things may be wrong with that, and each queue learns of both (lesson.h):
 *
 *     yields        give a busy stranger a whole time slice, where a sleeper would be woken at once.  So yields are timed:
 *                   one that took long while the queues hardly moved went to a stranger.  It did no harm, though, if
 *                   messages were taken from a sender's ring and nobody sleeps for want of more: the receiver has others
 *                   to receive from, and would only have been kept from it to wake us for one slot after the other.
 *                   The receivers of a broadcast are no strangers to each other: a yield may take as long as a turn of each
 *                   of them does, and a message is worth one for each.
 *     long pauses   are in vain if a peer shares our processor, which a yield tells of that helps where pauses did not; if it
 *                   is busy or idle, which a long sleep tells of; or if strangers have its processor.  After a short sleep
 *                   they are tried again sooner.
 *
 * While strangers are about waits seldom yield, so peers that share a processor sleep for each other, and a short sleep tells
 * nothing of another processor.  The lesson about long pauses is then asked before most of the short ones too, which would be
 * a third of what a message costs.
 *
 * Peers that share a processor, pause for each other in vain and then yield to each other would go on so for ever, though
 * another processor may be idle: none of them ever sleeps, and it is sleepers that the system gives an idle processor when it
 * wakes them.  So who has learned that much and still pauses in vain sleeps at once.
 *
 * Nothing but speed depends on any of it.
 */
#ifndef DUCT_SPIN_H
#define DUCT_SPIN_H

#include "queue.h"

/* How far a wait has gone; begins as zeros. */
struct patience {
	uint16_t rounds; /* of pauses, or NO_MORE_PAUSES */
	uint16_t yields;
	duct_time slept; /* ns */
	bool asked;      /* whether the lesson about long pauses was */
};

#define SHORT_ROUNDS 6            /* of pauses, before the lesson about long ones is asked */
#define FEW_ROUNDS 2              /* the same while strangers are about */
#define NO_MORE_PAUSES UINT16_MAX /* for the lesson says so */

static inline bool may_pause(const struct patience *patience, const struct queue *queue)
{
	return patience->rounds < queue->pauses;
}

static inline bool may_pause_briefly(const struct patience *patience, const struct queue *queue)
{
	return may_pause(patience, queue) && patience->rounds < SHORT_ROUNDS;
}

/* One step of waiting awake for one of these operations; false when it is time to sleep. */
bool spin(const struct op *ops, uint32_t count, struct patience *patience);

/* At the end of a wait, on the queue of its first operation: what it tells about long pauses. */
void spin_learn(struct queue *queue, const struct patience *patience);

#endif
