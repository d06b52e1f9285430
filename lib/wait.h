/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Waiting: the only place of the library that sleeps.
 *
 * A wait is a list of operations of which exactly one is to be done, with a deadline and a cancel token.  A plain send or
 * receive is a wait with one operation.  It goes through three stages, each dearer than the one before:
 *
 *     look    without a lock at each operation's slot; what looks ready is tried under its one lock.  The first look is the
 *             caller's, who has no wait to set up for it (select.c) or comes with the lock (transfer.c)
 *     spin    a few microseconds on the words of the slots, then at most two yields of the processor (spin.h)
 *     sleep   lock all queues, try everything once more, stand in each list, unlock, sleep on one's own condition variable
 *
 * Spinning comes before standing in the lists: with the ring full and a sender in the list, every receive would have to serve
 * the list (refill), and the two sides would go in lock step.  First come, first served therefore counts from the moment of
 * going to sleep.  A thread that still spins cannot overtake a sleeper: as long as one lives, the ring is full or empty for it.
 *
 * At capacity 0 there is nothing to spin on.  There a sender stands in the list at once and a receiver looks around first: of
 * two that come together one can always be found by the other.  A sender to a broadcast looks whether its scout is back (fan.h).
 *
 * What makes the sleep safe is told in queue.h (why no wake-up is lost) and waiter.h (why nobody is served twice).  In short:
 *
 *     select on A and B                          sender on B
 *     -------------------------------------      ------------------------------
 *     lock A.put A.take B.put B.take
 *     try A, try B: nothing
 *     node into A's list, node into B's list
 *     unlock all
 *     sleep ...............................      lock B.put
 *                                                unlink the first node, claim it: B is done
 *                                                copy the message over, unlock
 *     wake: claim says B                         notify
 *     lock A.put, unlink from A, unlock
 *
 * The last attempt and the standing in line are one step for everybody else, since all locks are held; and only one of the
 * two threads that meet is ever in a list, so the one compare-and-swap decides and nobody can meet himself.
 */
#ifndef DUCT_WAIT_H
#define DUCT_WAIT_H

#include "cancel.h"
#include "queue.h"
#include "source.h"
#include "tour.h"

/*
 * A send or receive that its fast path could not do: comes in with the lock of the operation's side held.  Waits until the
 * deadline, or until cancel (or NULL) is raised.
 */
duct_status wait_for(const struct op *op, duct_time deadline, duct_cancel *cancel);

/* Waits until the operation could be done, without doing it. */
duct_status wait_until_ready(const struct op *op, duct_time deadline, duct_cancel *cancel);

/* How a wait for one of several operations goes about it. */
struct wait_rules {
	duct_time deadline;
	duct_status expired; /* what to say when the deadline has passed and nothing was ready */
	duct_cancel *cancel;
	bool in_order; /* the first of several ready ones; else one at random */
	bool observe;  /* do nothing, only tell which one is ready: some operations at least only observe */
	bool logged;   /* by the log of the first operation's end, if it has one */
};

/* Who wants the first of several, or nothing done, has to see all of them at one moment: the others may look without locks. */
static inline bool wait_looks(const struct wait_rules *rules, size_t cases)
{
	return !rules->observe && (!rules->in_order || cases <= 1);
}

/* Operations on the stack, where nearly all waits find room: a select of 16 cases under a token of four generations. */
#define WAIT_CASES_INLINE 16
#define WAIT_OPS_INLINE (WAIT_CASES_INLINE + 4)

/* The memory of a wait: init, fill ops[0 .. cases), wait, fini. */
struct wait {
	struct op *ops;
	struct node *nodes;
	uint32_t *order; /* operations in the order of locking */
	uint32_t cases;  /* the caller's operations; behind them come those of its cancel token */
	uint32_t count;
	uint32_t done;        /* which one was */
	bool hooked;          /* operations have trays: hooks are called, which may free what other operations refer to */
	bool sourced;         /* there are receivers of sources: they have versions, and perhaps feeds */
	struct pollfd *polls; /* room for the descriptors of all sources, and one more; or NULL: there are none */
	size_t poll_count;    /* descriptors to poll now */
	void *block;          /* what had to be allocated, or NULL */
	struct op inline_ops[WAIT_OPS_INLINE];
	struct node inline_nodes[WAIT_OPS_INLINE];
	uint32_t inline_order[WAIT_OPS_INLINE];
};

/* DUCT_OK or DUCT_NOMEM. */
duct_status wait_init(struct wait *wait, size_t cases, duct_cancel *cancel);
void wait_fini(struct wait *wait);

/*
 * Does exactly one of the operations, which did not look ready a moment ago: its status, and wait->done says which.
 * DUCT_CANCELED, DUCT_NOMEM or rules->expired if none was done; a token that was raised before the call is the caller's to
 * see.  SOURCE_MOVED: a feed has to be pumped, or the caller has to look anew at what its sources come to.  The tour is one of
 * all cases, or of more.
 */
duct_status wait_any(struct wait *wait, const struct wait_rules *rules, const struct tour *tour);

#endif
