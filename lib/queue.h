/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A queue: a ring, its two locks, and the threads that wait on it.  The one mechanism under every kind of channel.
 *
 * Two sides.  Senders work on the put side, receivers on the take side, each under a lock of its own, and the two meet only
 * in the words of the ring's slots.  The lists of waiting threads lie crosswise:
 *
 *     put side    lock, cursor, waiting RECEIVERS      (a put serves them)
 *     take side   lock, cursor, waiting SENDERS        (a take serves them)
 *
 * Each list is guarded by the lock of those who serve it, so everything that moves a message takes one lock: a put into the
 * ring, a put straight into a waiting receiver's buffer, a take from the ring, a take that also lets the first waiting
 * sender's message into the slot it freed (refill), a take straight from a waiting sender at capacity 0.  Both locks, put
 * before take, are taken only to begin to wait, to end a side, to be sure that nothing is ready, and to count.
 *
 * Invariants, whenever no lock is held:
 *
 *     a live receiver waits  =>  the ring is empty, and no sender waits but through the same call
 *     a live sender waits    =>  the ring is full, and no receiver waits but through the same call
 *
 * A thread begins to wait only under both locks, after it saw there that it cannot go on.  From then on every put passes the
 * list of receivers under the put lock, and every take the list of senders under the take lock, before it touches the ring;
 * waiters die, but never come back to life.  That is also why no wake-up is lost: a message is either in the ring, and the
 * one who wants to wait sees it, or its sender comes later and sees who waits.
 *
 * Refill moves the put cursor under the take lock alone.  The live sender says that the ring was full when it began to wait,
 * and every take since has refilled it; whoever holds the put lock meanwhile sees a full slot and leaves the cursor alone.
 * A torn look at it is harmless (ring.h).
 *
 * Observers (waiter.h) stand in the lists too, are pinged by the first to come by, and hold nobody up.
 *
 * Gates.  The queues of a broadcast's receivers share one put lock, that of the channel's own queue, which is their gate: so
 * who holds it puts into all of them at one instant.  A gate has no ring; it passes what is put into it on to its outlet
 * (fan.h).  All other queues are their own gate.
 *
 * Ends.  A thread comes to a queue through an end: the handle, as far as the queue cares.  Closing one end is flagged under
 * both locks and ends the waits that came through it.  An end counts its handle and the calls that wait through it, so it
 * and its queue stay until they have left.  A call that does not wait takes no reference: others can know that it is inside
 * only by what it did under a lock, and whoever gives the last reference back passes both locks before the memory goes.
 *
 * Lock order: put locks by the gates' ids, after each the take locks of its queues, the gate's own first (queue_precedes); then
 * one waiter.  Nothing is called, allocated or freed under a lock.
 *
 * Cost: one pthread lock an operation, and three cache lines a queue: the two sides, and what seldom changes.
 */
#ifndef DUCT_QUEUE_H
#define DUCT_QUEUE_H

#include "hooks.h"
#include "lesson.h"
#include "ring.h"
#include "sync.h"
#include "waiter.h"

struct log;
struct outlet;
struct source;
struct tray;

struct side {
	_Alignas(CACHE_LINE) pthread_mutex_t lock;
	struct cursor at;               /* under lock; also read without (ring.h) */
	_Atomic(struct node *) waiting; /* under lock: a circle, first come first; NULL is also read without, as a hint */
};

/* [I] fixed when made; [p] under the put lock. */
struct queue {
	struct side put;
	struct side take;
	struct ring ring;            /* [I] */
	struct queue *gate;          /* [I] whose put lock is that of this queue */
	const struct outlet *outlet; /* [I] where a gate passes messages on to; NULL: they go into the ring */
	uint32_t id;                 /* [I] the gate's number, which gives the order of locking */
	uint16_t pauses;             /* [I] rounds of pauses of a wait: none with one processor */
	struct lesson pausing;       /* whether waits here should pause; spin.h */
	struct lesson yielding;      /* and whether they should yield the processor */
	bool take_is_held;           /* [p] by the one who holds the put lock */
};

/* [I] fixed when made; [b] written under both locks, read under either; [t] under the take lock; [a] atomic. */
struct end {
	struct queue *queue;              /* [I] */
	void (*destroy)(struct end *end); /* [I] */
	struct duct_channel *channel;     /* [I] whose end it is; NULL: a token's */
	struct log *log;                  /* [I] hears of sends that wait; NULL: nobody does */
	struct source *source;            /* [I] whose receiver it is instead of a channel's (source.h); NULL: a channel's */
	_Atomic uint32_t references;      /* [a] the handles, and the calls that wait through it */
	_Atomic uint8_t flags;            /* END_...: none as long as all is usual */
};

enum {
	END_CLOSED = 1, /* [b] */
	END_LAGGED = 2, /* [t] its next take has to tell first of what was lost */
	END_ONCE = 4    /* what it puts is the last message: both sides end with it */
};

/* One operation on one queue: what a send or a receive wants, and a case of a select. */
struct op {
	struct queue *queue;
	struct end *end;
	void *message;
	struct tray *tray; /* what a send to an outlet with hooks takes along (tray.h); or NULL */
	uint32_t number;   /* the caller's */
	uint32_t version;  /* of the end's source, if it has one, when the operation was made */
	bool is_send;
	bool observe; /* do nothing, only wait until it could be done */
};

/* An attempt's answer: its tray has too few copies; to be prepared without a lock.  No call ends with it. */
#define TRAY_IS_SHORT DUCT_INVALID

/* What a gate does instead of what its ring would: fan.c.  With the locks that the functions of the same names have below. */
struct outlet {
	bool has_hooks;                       /* its sends need trays */
	_Atomic uint32_t members;             /* [p] queues behind the gate; also read without, as a hint */
	const _Atomic int32_t *scout;         /* a claim word: as long as it is free there is no room (fan.h) */
	bool (*prepare)(const struct op *op); /* makes what the tray was short of, with no lock; false if that failed */
	duct_status (*put_locked)(const struct op *op, struct node **wakes);
	duct_status (*put_many_locked)(const struct op *op, size_t count, size_t *moved, struct node **wakes);
	duct_status (*probe_locked)(const struct op *op);
	void (*attend_locked)(struct queue *gate, struct node **wakes); /* somebody stands in line; with the put lock only */
	void (*tell_lag_locked)(struct end *end);
};

/* The side where the operation is done.  A thread with it waits at the other one, its serving side. */
static inline struct side *own_side(const struct op *op)
{
	return op->is_send ? &op->queue->put : &op->queue->take;
}

/* An operation's answer that means "not now". */
static inline duct_status pending_of(const struct op *op)
{
	return op->is_send ? DUCT_FULL : DUCT_EMPTY;
}

static inline bool is_pending(duct_status status)
{
	return status == DUCT_FULL || status == DUCT_EMPTY;
}

/* ---- Life ------------------------------------------------------------------------------------------------------ */

/*
 * Makes a queue whose ring lies in memory of ring_measure's size, behind a gate or as its own (NULL); false if the system has
 * no mutex.  The caller sees to it that nobody knows of a queue any more when it is finished.
 */
bool queue_init(struct queue *queue, size_t message_size, size_t capacity, void *ring, struct queue *gate);
void queue_fini(struct queue *queue);

/* Drops what is left in a queue that nobody knows of any more, where it lies. */
void queue_drop_leftovers(struct queue *queue, const struct hooks *hooks);

void end_init(struct end *end, struct queue *queue, struct duct_channel *channel, void (*destroy)(struct end *end));

static inline void end_pin(struct end *end)
{
	atomic_fetch_add(&end->references, 1);
}

/* Gives a reference back; true if it was the last. */
static inline bool end_release(struct end *end)
{
	return atomic_fetch_sub(&end->references, 1) == 1;
}

static inline void end_unpin(struct end *end)
{
	if (end_release(end))
		end->destroy(end);
}

/* ---- Locks ----------------------------------------------------------------------------------------------------- */

/* DUCT_ONE_LOCK builds the same queue with one lock instead of two: a second opinion for the tests. */
#ifdef DUCT_ONE_LOCK
#define TAKE_LOCK(queue_) (&(queue_)->gate->put.lock)
#else
#define TAKE_LOCK(queue_) (&(queue_)->take.lock)
#endif

static inline void queue_lock_put(struct queue *queue)
{
	mutex_lock(&queue->gate->put.lock);
}

static inline void queue_unlock_put(struct queue *queue)
{
	mutex_unlock(&queue->gate->put.lock);
}

static inline void queue_lock_take(struct queue *queue)
{
	mutex_lock(TAKE_LOCK(queue));
}

static inline void queue_unlock_take(struct queue *queue)
{
	mutex_unlock(TAKE_LOCK(queue));
}

/*
 * The order of locking: any that does not change, in which the queues of one gate stand together.  Ids come round in a program
 * that makes queues for hours.
 */
static inline bool queue_precedes(const struct queue *a, const struct queue *b)
{
	if (a->id != b->id)
		return a->id < b->id;
	if (a->gate != b->gate)
		return (uintptr_t)a->gate < (uintptr_t)b->gate;
	if ((a == a->gate) != (b == b->gate))
		return a == a->gate;
	return (uintptr_t)a < (uintptr_t)b;
}

/* With the put lock: takes the take lock too. */
static inline void queue_lock_take_too(struct queue *queue)
{
	if (TAKE_LOCK(queue) != &queue->gate->put.lock)
		queue_lock_take(queue);
}

static inline void queue_unlock_take_too(struct queue *queue)
{
	if (TAKE_LOCK(queue) != &queue->gate->put.lock)
		queue_unlock_take(queue);
}

/* The same where this thread may have it, which it notes; true if it had not. */
static inline bool queue_lock_take_also(struct queue *queue)
{
	if (queue->take_is_held)
		return false;
	queue_lock_take_too(queue);
	queue->take_is_held = true;
	return true;
}

static inline void queue_unlock_take_also(struct queue *queue)
{
	queue->take_is_held = false;
	queue_unlock_take_too(queue);
}

void queue_lock_both(struct queue *queue);
void queue_unlock_both(struct queue *queue);

/* ---- Operations that do not wait ------------------------------------------------------------------------------- */

/* What nearly always happens, under one lock.  False, with that lock held, if it does not. */
ALWAYS_INLINE bool queue_put_fast(struct end *end, const void *message)
{
	struct queue *queue = end->queue;

	queue_lock_put(queue);
	if (unlikely(load_relaxed(&queue->put.waiting) != NULL || load_relaxed(&queue->put.at.ended) ||
		     load_relaxed(&end->flags) || !ring_put(&queue->ring, &queue->put.at, message)))
		return false;
	queue_unlock_put(queue);
	return true;
}

ALWAYS_INLINE bool queue_take_fast(struct end *end, void *message)
{
	struct queue *queue = end->queue;

	queue_lock_take(queue);
	if (unlikely(load_relaxed(&queue->take.waiting) != NULL || load_relaxed(&end->flags) ||
		     !ring_take(&queue->ring, &queue->take.at, message)))
		return false;
	queue_unlock_take(queue);
	return true;
}

static inline bool queue_fast(const struct op *op)
{
	return op->is_send ? queue_put_fast(op->end, op->message) : queue_take_fast(op->end, op->message);
}

/*
 * One full attempt, under the one lock.  queue_attempt_locked comes in with that lock held; both come out without.  In between
 * a tray that is short is prepared.
 */
duct_status queue_attempt_locked(const struct op *op);

static inline duct_status queue_attempt(const struct op *op)
{
	return queue_fast(op) ? DUCT_OK : queue_attempt_locked(op);
}

/* As many as go now, up to count, under one lock; *moved is how many.  Pending only if none went. */
duct_status queue_put_many(struct end *end, const void *messages, size_t count, size_t *moved);
duct_status queue_take_many(struct end *end, void *messages, size_t count, size_t *moved);

/* The messages that were queued at some moment: how many, and the position where they end. */
struct backlog {
	size_t len, end;
};

struct backlog queue_backlog_locked(const struct queue *queue);

/* The same with the put lock, which takes the take lock too; and without a lock, which takes both. */
struct backlog queue_backlog_too(struct queue *queue);
struct backlog queue_backlog(struct queue *queue);

/*
 * Takes out messages from before that end, most of them at most, to the array unless that is NULL; how many, which is added
 * to the tally, under the take lock, unless that is NULL.
 */
size_t queue_discard(struct queue *queue, size_t end, void *messages, size_t most, uint64_t *tally);

/* Without a ring: a partner waits at that side, or the outlet has room. */
static inline bool queue_looks_met(const struct queue *queue, const struct side *side)
{
	if (unlikely(queue->outlet != NULL))
		return load_acquire(queue->outlet->scout) != CLAIM_FREE;
	return load_acquire(&side->waiting) != NULL;
}

/*
 * Without a lock: false only if the operation was not ready at some moment during the call.  A thread that has to be sure of
 * the order of what it did on other queues calls full_fence first: of two threads that each put into one queue and then find
 * the other's empty, one would be wrong.
 */
static inline bool queue_looks_ready(const struct op *op)
{
	const struct queue *queue = op->queue;
	const struct side *side = own_side(op);
	bool ready;

	if (queue->ring.capacity == 0)
		ready = queue_looks_met(queue, side) || load_acquire(&side->at.ended);
	else if (op->is_send)
		ready = ring_looks_puttable(&queue->ring, &side->at);
	else
		ready = ring_looks_takable(&queue->ring, &side->at);
	/* Last, since it only ever goes one way: not closed now was not closed then. */
	return ready || load_acquire(&op->end->flags);
}

/* One attempt, without a lock if it does not look ready: as sure of the order as that look. */
static inline duct_status queue_try(const struct op *op)
{
	return queue_looks_ready(op) ? queue_attempt(op) : pending_of(op);
}

/*
 * Two sides that both go as fast as they can would go through the ring on each other's heels: the one takes what the other
 * has just put, from a cache line that goes to and fro for every message.  Who finds the other right ahead had better wait a
 * moment for a run of so many slots; small rings have none (0).
 */
static inline size_t queue_run(const struct queue *queue)
{
	const size_t quarter = queue->ring.capacity / 4, most = 64;

	return quarter < most ? quarter : most;
}

/* A slot, and what its word says as long as the operation is not ready there. */
struct watch {
	size_t slot, idle;
	_Atomic size_t *word;
};

static inline bool watch_moved(const struct watch *watch)
{
	return load_relaxed(watch->word) != watch->idle;
}

/* The slot where the operation will happen.  For the one who holds the lock of its side. */
static inline struct watch queue_watch(const struct op *op)
{
	const struct ring *ring = &op->queue->ring;
	const struct cursor *at = &own_side(op)->at;
	const size_t slot = load_relaxed(&at->slot), position = load_relaxed(&at->position);

	return (struct watch){
		.slot = slot, .idle = op->is_send ? position - ring_lap(ring) + 1 : position, .word = ring_word(ring, slot)
	};
}

/* The slot so many steps further on, fewer than there are. */
static inline struct watch watch_ahead(const struct ring *ring, const struct watch *watch, size_t steps)
{
	const size_t slot = ring_step(ring, watch->slot, steps);

	return (struct watch){ .slot = slot, .idle = watch->idle + 2 * steps, .word = ring_word(ring, slot) };
}

/* ---- With both locks ------------------------------------------------------------------------------------------- */

/* One full attempt; who has to be woken is added to wakes, for after the locks. */
duct_status queue_do_locked(const struct op *op, struct node **wakes);

/*
 * What the operation would come to, without doing it; TRAY_IS_SHORT if its tray is.  What a send to an outlet would come to
 * does not get worse as long as the put lock is held.
 */
duct_status queue_probe_locked(const struct op *op);

/* Begins to wait: the node stands last in the list of those who will serve it. */
void queue_wait_locked(const struct op *op, struct node *node);

/*
 * Ending takes two steps: all that an event comes to is marked, and only then do waits stop.  A try looks without a lock;
 * once it no longer sees that a partner waits, it has to see why.
 */

/* What puts come to from now on: a status, or DUCT_OK to open them again.  Takes end with a status once the ring is drained. */
void queue_mark_puts_locked(struct queue *queue, duct_status status);
void queue_mark_takes_locked(struct queue *queue, duct_status status);
void end_mark_locked(struct end *end);

/* Stops the waits of sides that are marked, with their status, or those through an end, with DUCT_CLOSED. */
void queue_stop_waits_locked(struct queue *queue, struct node **wakes);
void end_stop_waits_locked(struct end *end, bool is_send, struct node **wakes);

/* ---- With the lock of the list --------------------------------------------------------------------------------- */

/*
 * The first waiting thread of a side that is not claimed yet becomes the caller's to serve, and is off the list; NULL: there is
 * none.  Observers on the way are pinged.
 */
struct node *side_claim_first(struct side *side, struct node **wakes);

/* Stands last in the list of a side. */
void side_append(struct side *side, struct node *node);

/* Those at a side that nobody has claimed yet, and of these the ones that are no observers. */
size_t side_count_live(const struct side *side);
size_t side_count_partners(const struct side *side);

/* Claims all that wait at a side, or all through one end (not NULL), and tells them that status. */
void side_stop_waits(struct side *side, const struct end *end, duct_status status, struct node **wakes);

/* ---- With the lock of the list (this takes it) ----------------------------------------------------------------- */

/* Stops waiting: takes the node out of its list, unless a claimer did. */
void queue_unwait(const struct op *op, struct node *node);

/* Threads that wait to send, or to receive. */
size_t queue_count_waiting(struct queue *queue, bool is_send);

#endif
