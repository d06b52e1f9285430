/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A waiter: one sleeping thread, and the nodes by which queues know it.
 *
 * A wake is a claim.  Whoever can serve a waiter first claims it, with one compare-and-swap of its claim word, and by that
 * has done one of its operations for it: the message is moved between the two threads' buffers before the waiter wakes.  A
 * deadline claims the same word for the waiter itself.  So a waiter is served once or not at all, and one that gives up has
 * either not been served or finds that it was, and takes what it got.
 *
 *     waiting thread                            thread that serves it
 *     ------------------------------------      --------------------------------------------
 *     nodes appended under the queues' locks
 *                                               lock; unlink the first node
 *                                               claim: FREE -> the node's index
 *                                               copy the message, set status; unlock
 *     spins on wake ...........................  wake: RUNNING -> NOTIFIED      nothing more to do
 *     or: wake: RUNNING -> PARKED, sleeps .....  wake: PARKED -> NOTIFIED       lock waiter, token, signal, unlock
 *     unlinks its other nodes
 *
 * A waiter lives on its thread's stack.  It returns only after NOTIFIED, if it parked only after the token, and with all its
 * nodes unlinked: then nobody knows of it.  The server's last touch is the exchange of the wake word, unless that said
 * PARKED; then the waiter is still inside waiter_sleep, which it leaves with the mutex, after the server let go of it.
 *
 * A thread that only wants to know (DUCT_READY) stands in the same lists as an observer: its claim is a ping that moves
 * nothing, and the server goes on to the next in the list.
 *
 * A waiter without a thread is one that calls: it has no buffer and only ever observes, and who pinged it makes the call,
 * once all others are notified.  Its owner keeps it while it is in a list or called.
 *
 * A waiter that also waits for descriptors sleeps in ppoll, with an eventfd of its own in the place of the condition variable: its
 * bell, which is rung where the other is signalled.
 *
 * Cost: the words a server touches and the first node share one cache line; mutex and condition variable are made only by a
 * thread that really goes to sleep.
 */
#ifndef DUCT_WAITER_H
#define DUCT_WAITER_H

#include "clock.h"
#include "sync.h"

#include <duct.h>

struct op;
struct pollfd;
struct waiter;

/* A waiter's place in one queue: one for each operation that it waits for.  Links and linked: under the lock of the list. */
struct node {
	struct node *next, *prev; /* next also chains claimed nodes, for the claimer */
	struct waiter *waiter;    /* [I] */
	void *message;            /* [I] of the operation, here for the one who serves it */
	const struct op *op;      /* [I] the operation */
	uint32_t index;           /* [I] of the operation */
	bool linked;
	bool observer; /* [I] */
};

enum { CLAIM_FREE = -1, CLAIM_WITHDRAWN = -2 }; /* or the index of the operation that was done */
enum { WAKE_RUNNING, WAKE_PARKED, WAKE_NOTIFIED, WAKE_CALLS };

struct waiter {
	_Alignas(CACHE_LINE) _Atomic int32_t claim; /* [a] */
	_Atomic int32_t wake;                       /* [a] */
	duct_status status;                         /* written by the claimer before wake, read by the owner after it */
	bool token;                                 /* under lock: notified after having parked */
	struct node first;                          /* of operation 0 */
	void (*call)(struct waiter *waiter);        /* of one that calls */
	int bell;                                   /* these three exist while it sleeps only: -1, or what to write to */
	pthread_mutex_t lock;
	pthread_cond_t woken;
};

void waiter_init(struct waiter *waiter);

/* A waiter that calls, and its one node: ready to stand in a list. */
void waiter_init_call(struct waiter *waiter, void (*call)(struct waiter *waiter));

/* Nobody has claimed it yet. */
static inline bool waiter_is_live(const struct waiter *waiter)
{
	return atomic_load(&waiter->claim) == CLAIM_FREE;
}

/* Somebody claimed the waiter and is done with its nodes. */
static inline bool waiter_is_notified(struct waiter *waiter)
{
	return atomic_load(&waiter->wake) == WAKE_NOTIFIED;
}

/*
 * Sleeps until notified: DUCT_OK.  Anything else means that the waiter withdrew before anybody claimed it: DUCT_TIMEDOUT at
 * the deadline, DUCT_NOMEM if the system has no mutex or condition variable.
 */
duct_status waiter_sleep(struct waiter *waiter, duct_time deadline);

/* That the waiter withdrew because a descriptor can be read. */
#define WAITER_READABLE DUCT_UNSUPPORTED

/*
 * The same, or until one of the descriptors can be read; the last of the count is no descriptor, but room for the bell, and
 * revents of the others are 0.
 * DUCT_NOMEM also if there is no descriptor for the bell, or the system does not poll so many.
 */
duct_status waiter_poll(struct waiter *waiter, duct_time deadline, struct pollfd *polls, size_t count);

/* The node's waiter is now the caller's to serve with this operation, if nobody else has it. */
static inline bool node_claim(struct node *node)
{
	int32_t expected = CLAIM_FREE;

	return atomic_compare_exchange_strong(&node->waiter->claim, &expected, (int32_t)node->index);
}

/* Nobody has claimed the node's waiter yet.  For the one who holds the lock of the node's list. */
static inline bool node_is_live(const struct node *node)
{
	return waiter_is_live(node->waiter);
}

/* Puts a claimed and unlinked node on the list of those to wake, with what its operation came to. */
static inline void wakes_add(struct node **wakes, struct node *node, duct_status status)
{
	node->waiter->status = status;
	node->next = *wakes;
	*wakes = node;
}

/* Wakes the waiters of a list.  No lock of a queue is held: a waiter's lock comes after all of them. */
void wakes_notify_slow(struct node *wakes);

static inline void wakes_notify(struct node *wakes)
{
	if (wakes != NULL)
		wakes_notify_slow(wakes);
}

#endif
