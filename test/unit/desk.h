/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A desk: one bare queue of 64-bit messages with an end on each side, and threads that only seem to sleep there: their nodes
 * stand in the lists, so a test in one thread can see what is done to them.
 */
#ifndef TEST_UNIT_DESK_H
#define TEST_UNIT_DESK_H

#include "harness.h"

#include "memory.h"
#include "queue.h"

struct desk {
	struct queue queue;
	struct end tx, rx;
	void *ring;
};

/* What this thread does where it would give up the processor, or NULL. */
extern _Thread_local void (*on_yield)(void);

/* An end on a test's stack: nothing to free. */
static inline void desk_end_left(struct end *end)
{
	(void)end;
}

static inline void desk_init(struct desk *desk, size_t capacity)
{
	size_t bytes;

	CHECK(ring_measure(sizeof(uint64_t), capacity, &bytes));
	desk->ring = memory_new(NULL, bytes);
	CHECK(desk->ring != NULL);
	CHECK(queue_init(&desk->queue, sizeof(uint64_t), capacity, desk->ring, NULL));
	end_init(&desk->tx, &desk->queue, NULL, desk_end_left);
	end_init(&desk->rx, &desk->queue, NULL, desk_end_left);
}

/* Everybody has left: no list, no lock and no pin is kept. */
static inline void desk_fini(struct desk *desk)
{
	CHECK(desk->queue.put.waiting == NULL && desk->queue.take.waiting == NULL);
	CHECK(desk->tx.references == 1 && desk->rx.references == 1);
	CHECK(pthread_mutex_trylock(&desk->queue.put.lock) == 0);
	pthread_mutex_unlock(&desk->queue.put.lock);
	CHECK(pthread_mutex_trylock(&desk->queue.take.lock) == 0);
	pthread_mutex_unlock(&desk->queue.take.lock);
	queue_fini(&desk->queue);
	memory_free(NULL, desk->ring);
}

static inline struct op send_through(struct end *end, uint64_t *message)
{
	return (struct op){ .queue = end->queue, .end = end, .message = message, .is_send = true };
}

static inline struct op recv_through(struct end *end, uint64_t *message)
{
	return (struct op){ .queue = end->queue, .end = end, .message = message };
}

/* One attempt, as a send or receive makes it. */
static inline duct_status desk_put(struct desk *desk, uint64_t message)
{
	const struct op op = send_through(&desk->tx, &message);

	return queue_attempt(&op);
}

static inline duct_status desk_take(struct desk *desk, uint64_t *message)
{
	const struct op op = recv_through(&desk->rx, message);

	return queue_attempt(&op);
}

/* Puts 1, 2, 3... until the ring is full. */
static inline void desk_fill(struct desk *desk)
{
	for (uint64_t i = 1; i <= desk->queue.ring.capacity; i++)
		CHECK_STATUS(desk_put(desk, i), DUCT_OK);
}

/* What ends one direction, or one end: it is marked, then waits stop, then they are woken. */
static inline void desk_end_puts(struct desk *desk, duct_status status)
{
	struct node *wakes = NULL;

	queue_lock_both(&desk->queue);
	queue_mark_puts_locked(&desk->queue, status);
	queue_stop_waits_locked(&desk->queue, &wakes);
	queue_unlock_both(&desk->queue);
	wakes_notify(wakes);
}

static inline void desk_end_takes(struct desk *desk)
{
	struct node *wakes = NULL;

	queue_lock_both(&desk->queue);
	queue_mark_takes_locked(&desk->queue, DUCT_CLOSED);
	queue_stop_waits_locked(&desk->queue, &wakes);
	queue_unlock_both(&desk->queue);
	wakes_notify(wakes);
}

static inline void desk_close(struct end *end, bool is_send)
{
	struct node *wakes = NULL;

	queue_lock_both(end->queue);
	end_mark_locked(end);
	end_stop_waits_locked(end, is_send, &wakes);
	queue_unlock_both(end->queue);
	wakes_notify(wakes);
}

/* The next message is this one. */
static inline void desk_expect(struct desk *desk, uint64_t expected)
{
	uint64_t message = ~expected;

	CHECK_STATUS(desk_take(desk, &message), DUCT_OK);
	CHECK(message == expected);
}

struct sleeper {
	struct waiter waiter;
	struct op op;
	uint64_t message;
};

static inline void sleeper_stand(struct sleeper *sleeper, struct end *end, bool is_send, uint64_t message, bool observer)
{
	struct node *node = &sleeper->waiter.first;

	waiter_init(&sleeper->waiter);
	sleeper->message = message;
	sleeper->op = (struct op){ .queue = end->queue, .end = end, .message = &sleeper->message, .is_send = is_send };
	node->waiter = &sleeper->waiter;
	node->index = 7;
	node->observer = observer;
	queue_lock_both(end->queue);
	queue_wait_locked(&sleeper->op, node);
	queue_unlock_both(end->queue);
}

/* Seems to sleep in a send of this message. */
static inline void sleeper_send(struct sleeper *sleeper, struct end *end, uint64_t message)
{
	sleeper_stand(sleeper, end, true, message, false);
}

/* Seems to sleep in a receive. */
static inline void sleeper_recv(struct sleeper *sleeper, struct end *end)
{
	sleeper_stand(sleeper, end, false, 0, false);
}

/* Gives up, as at a deadline, but has not left the list yet. */
static inline void sleeper_withdraw(struct sleeper *sleeper)
{
	atomic_store(&sleeper->waiter.claim, CLAIM_WITHDRAWN);
}

static inline void sleeper_leave(struct sleeper *sleeper)
{
	queue_unwait(&sleeper->op, &sleeper->waiter.first);
}

static inline bool sleeper_sleeps(struct sleeper *sleeper)
{
	return sleeper->waiter.first.linked && !waiter_is_notified(&sleeper->waiter) &&
	       atomic_load(&sleeper->waiter.claim) == CLAIM_FREE;
}

/* Was claimed, taken out of the list and woken, with this status. */
static inline bool sleeper_woke(struct sleeper *sleeper, duct_status status)
{
	return !sleeper->waiter.first.linked && waiter_is_notified(&sleeper->waiter) &&
	       atomic_load(&sleeper->waiter.claim) == 7 && sleeper->waiter.status == status;
}

#endif
