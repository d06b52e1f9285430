/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A queue: what is more than the fast path.  queue.h tells how it works.
 */
#include "queue.h"

#include <assert.h>
#include <errno.h>

/* Rounds of pauses of a wait: a few microseconds in all (spin.h). */
#ifndef DUCT_SPIN_ROUNDS
#define DUCT_SPIN_ROUNDS 11
#endif

/* ---- Life ------------------------------------------------------------------------------------------------------ */

/* With one processor the thread we wait for cannot run while we spin. */
static uint16_t spin_pauses(void)
{
	uint16_t pauses = DUCT_SPIN_ROUNDS;
#ifdef CPU_COUNT
	cpu_set_t processors;
	int error = errno; /* which a system of very many processors would set */

	if (sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) == 1)
		pauses = 0;
	errno = error;
#endif
	return pauses;
}

static void side_init(struct side *side)
{
	atomic_init(&side->at.position, 0);
	atomic_init(&side->at.slot, 0);
	atomic_init(&side->at.ended, DUCT_OK);
	atomic_init(&side->waiting, NULL);
}

_Static_assert(sizeof(pthread_mutex_t) > 40 || sizeof(struct queue) <= 192, "a queue takes more than three cache lines");

bool queue_init(struct queue *queue, size_t message_size, size_t capacity, void *ring, struct queue *gate)
{
	static _Atomic uint32_t last_id;

	queue->gate = gate != NULL ? gate : queue;
	queue->id = gate != NULL ? gate->id : atomic_fetch_add(&last_id, 1) + 1;
	if (gate == NULL && pthread_mutex_init(&queue->put.lock, NULL) != 0)
		return false;
	if (pthread_mutex_init(&queue->take.lock, NULL) != 0) {
		if (gate == NULL)
			pthread_mutex_destroy(&queue->put.lock);
		return false;
	}
	side_init(&queue->put);
	side_init(&queue->take);
	ring_init(&queue->ring, message_size, capacity, ring);
	queue->outlet = NULL;
	queue->pauses = spin_pauses();
	lesson_init(&queue->pausing);
	lesson_init(&queue->yielding);
	queue->take_is_held = false;
	return true;
}

void queue_fini(struct queue *queue)
{
	/* Whoever was seen to be inside by what it did is out once the locks are free. */
	queue_lock_both(queue);
	queue_unlock_both(queue);
	pthread_mutex_destroy(&queue->take.lock);
	if (queue->gate == queue)
		pthread_mutex_destroy(&queue->put.lock);
}

void end_init(struct end *end, struct queue *queue, struct duct_channel *channel, void (*destroy)(struct end *end))
{
	end->queue = queue;
	end->destroy = destroy;
	end->channel = channel;
	end->log = NULL;
	end->source = NULL;
	atomic_init(&end->references, 1);
	atomic_init(&end->flags, 0);
}

void queue_lock_both(struct queue *queue)
{
	queue_lock_put(queue);
	(void)queue_lock_take_also(queue);
}

void queue_unlock_both(struct queue *queue)
{
	queue_unlock_take_also(queue);
	queue_unlock_put(queue);
}

/* ---- Lists of waiting threads, under their lock ---------------------------------------------------------------- */

/* Where a thread with this operation waits: at the side that serves it. */
static struct side *serving_side(const struct op *op)
{
	return op->is_send ? &op->queue->take : &op->queue->put;
}

void side_append(struct side *side, struct node *node)
{
	struct node *first = load_relaxed(&side->waiting);

	node->linked = true;
	if (first == NULL) {
		node->next = node->prev = node;
		store_release(&side->waiting, node);
		return;
	}
	node->next = first;
	node->prev = first->prev;
	first->prev->next = node;
	first->prev = node;
}

static void side_unlink(struct side *side, struct node *node)
{
	node->linked = false;
	if (node->next == node) {
		store_release(&side->waiting, NULL);
		return;
	}
	node->next->prev = node->prev;
	node->prev->next = node->next;
	if (load_relaxed(&side->waiting) == node)
		store_release(&side->waiting, node->next);
}

/*
 * Claimed first, and then off the list: who looks at the list without the lock and finds nobody may say so, since whoever
 * stood there has met somebody.  The other way round it would be wrong if the claim then failed.
 */
struct node *side_claim_first(struct side *side, struct node **wakes)
{
	struct node *node;

	while ((node = load_relaxed(&side->waiting)) != NULL) {
		bool claimed = node_claim(node);

		side_unlink(side, node);
		if (!claimed)
			continue;
		if (!node->observer)
			return node;
		wakes_add(wakes, node, DUCT_OK);
	}
	return NULL;
}

static size_t side_count(const struct side *side, bool (*counts)(const struct node *node))
{
	const struct node *first = load_relaxed(&side->waiting), *node = first;
	size_t count = 0;

	if (first == NULL)
		return 0;
	do {
		count += counts(node);
		node = node->next;
	} while (node != first);
	return count;
}

static bool is_partner(const struct node *node)
{
	return !node->observer && node_is_live(node);
}

size_t side_count_live(const struct side *side)
{
	return side_count(side, node_is_live);
}

size_t side_count_partners(const struct side *side)
{
	return side_count(side, is_partner);
}

static bool is_any(const struct node *node)
{
	(void)node;
	return true;
}

/* Stops the waits through one end, or all if end is NULL; the others keep their order: the circle is turned once. */
void side_stop_waits(struct side *side, const struct end *end, duct_status status, struct node **wakes)
{
	for (size_t left = side_count(side, is_any); left > 0; left--) {
		struct node *node = load_relaxed(&side->waiting);

		if (end != NULL && node->op->end != end) {
			store_release(&side->waiting, node->next);
			continue;
		}
		side_unlink(side, node);
		if (node_claim(node))
			wakes_add(wakes, node, status);
	}
}

/* ---- Put and take, under the lock of the side ------------------------------------------------------------------ */

/* Why a put cannot even be tried: DUCT_OK if it can. */
static duct_status put_refusal(const struct end *end)
{
	if (load_relaxed(&end->flags) & END_CLOSED)
		return DUCT_CLOSED;
	return (duct_status)load_relaxed(&end->queue->put.at.ended);
}

/* To the first waiting receiver, or into the ring. */
static duct_status put_into_locked(struct queue *queue, const void *message, struct node **wakes)
{
	struct node *receiver = side_claim_first(&queue->put, wakes);

	if (receiver == NULL)
		return ring_put(&queue->ring, &queue->put.at, message) ? DUCT_OK : DUCT_FULL;
	assert(queue->ring.capacity == 0 || ring_has_room(&queue->ring, &queue->put.at));
	ring_copy(&queue->ring, receiver->message, message);
	wakes_add(wakes, receiver, DUCT_OK);
	return DUCT_OK;
}

/* A message and the end behind it, in one step for all others: with both locks.  It is also the first, so there is room for it. */
static duct_status put_last_locked(struct queue *queue, const void *message, struct node **wakes)
{
	const bool locked = queue_lock_take_also(queue);
	duct_status status = put_into_locked(queue, message, wakes);

	queue_mark_puts_locked(queue, DUCT_CLOSED);
	queue_mark_takes_locked(queue, DUCT_CLOSED);
	queue_stop_waits_locked(queue, wakes);
	if (locked)
		queue_unlock_take_also(queue);
	return status;
}

static duct_status put_locked(const struct op *op, const void *message, struct node **wakes)
{
	struct queue *queue = op->queue;
	duct_status refusal = put_refusal(op->end);

	if (refusal != DUCT_OK)
		return refusal;
	if (queue->outlet != NULL)
		return queue->outlet->put_locked(op, wakes);
	if (unlikely(load_relaxed(&op->end->flags) & END_ONCE))
		return put_last_locked(queue, message, wakes);
	return put_into_locked(queue, message, wakes);
}

/*
 * Takes the oldest message of the ring, or of the first waiting sender at capacity 0, whatever has ended.  To NULL: throws
 * it away, which happens to messages in the ring only.
 */
static bool take_any_locked(struct queue *queue, void *message, struct node **wakes)
{
	struct node *sender;

	if (ring_has_message(&queue->ring, &queue->take.at)) {
		if (likely((sender = side_claim_first(&queue->take, wakes)) == NULL)) {
			ring_take_many(&queue->ring, &queue->take.at, message, 1);
			return true;
		}
		ring_refill(&queue->ring, &queue->take.at, &queue->put.at, message, sender->message);
		wakes_add(wakes, sender, DUCT_OK);
		return true;
	}
	if (queue->ring.capacity == 0 && (sender = side_claim_first(&queue->take, wakes)) != NULL) {
		ring_copy(&queue->ring, message, sender->message);
		wakes_add(wakes, sender, DUCT_OK);
		return true;
	}
	return false;
}

/* What a take comes to that finds nothing. */
static duct_status take_of_nothing(const struct queue *queue)
{
	duct_status ended = (duct_status)load_relaxed(&queue->take.at.ended);

	return ended != DUCT_OK ? ended : DUCT_EMPTY;
}

/* What a take comes to whatever the ring holds: DUCT_OK if it can be tried. */
static duct_status take_refusal(const struct end *end)
{
	uint8_t flags = load_relaxed(&end->flags);

	if (likely(flags == 0))
		return DUCT_OK;
	return flags & END_CLOSED ? DUCT_CLOSED : DUCT_LAGGED;
}

/* The same for a take that is really made: it is told once of what was lost.  A source has counted that already. */
static duct_status take_refusal_told(struct end *end)
{
	duct_status refusal = take_refusal(end);

	if (refusal == DUCT_LAGGED && end->source != NULL)
		atomic_store(&end->flags, 0);
	else if (refusal == DUCT_LAGGED)
		end->queue->gate->outlet->tell_lag_locked(end);
	return refusal;
}

static duct_status take_locked(struct end *end, void *message, struct node **wakes)
{
	struct queue *queue = end->queue;
	duct_status refusal = take_refusal_told(end);

	if (refusal != DUCT_OK)
		return refusal;
	if (take_any_locked(queue, message, wakes))
		return DUCT_OK;
	return take_of_nothing(queue);
}

duct_status queue_do_locked(const struct op *op, struct node **wakes)
{
	return op->is_send ? put_locked(op, op->message, wakes) : take_locked(op->end, op->message, wakes);
}

/* After the fast path failed: only because the ring has no room, or no message. */
static bool is_only_pending(const struct op *op)
{
	const struct side *side = own_side(op);

	return load_relaxed(&side->waiting) == NULL && !load_relaxed(&side->at.ended) && !load_relaxed(&op->end->flags);
}

static duct_status attempt_once_locked(const struct op *op)
{
	struct queue *queue = op->queue;
	struct node *wakes = NULL;
	duct_status status = pending_of(op);

	/* To look again would often find the one slot that the other side has just left. */
	if (queue_run(queue) == 0 || !is_only_pending(op))
		status = queue_do_locked(op, &wakes);
	if (op->is_send)
		queue_unlock_put(queue);
	else
		queue_unlock_take(queue);
	wakes_notify(wakes);
	return status;
}

duct_status queue_attempt_locked(const struct op *op)
{
	duct_status status;

	while ((status = attempt_once_locked(op)) == TRAY_IS_SHORT) {
		if (!op->queue->outlet->prepare(op))
			return DUCT_NOMEM;
		queue_lock_put(op->queue);
	}
	return status;
}

/* To the threads that wait, one by one, then the rest in one piece. */
static duct_status put_many_locked(const struct op *op, size_t count, size_t *moved, struct node **wakes)
{
	struct queue *queue = op->queue;
	const struct ring *ring = &queue->ring;
	duct_status status = put_refusal(op->end);

	*moved = 0;
	if (status == DUCT_OK && queue->outlet != NULL)
		return queue->outlet->put_many_locked(op, count, moved, wakes);
	while (*moved < count && status == DUCT_OK &&
	       (load_relaxed(&queue->put.waiting) != NULL || load_relaxed(&op->end->flags))) {
		status = put_locked(op, ring_nth(ring, op->message, *moved), wakes);
		*moved += status == DUCT_OK;
	}
	if (status == DUCT_OK)
		*moved += ring_put_many(ring, &queue->put.at, ring_nth(ring, op->message, *moved), count - *moved);
	return status != DUCT_OK ? status : DUCT_FULL;
}

duct_status queue_put_many(struct end *end, const void *messages, size_t count, size_t *moved)
{
	const struct op op = { .queue = end->queue, .end = end, .message = (void *)messages, .is_send = true };
	struct node *wakes = NULL;
	duct_status status;

	queue_lock_put(op.queue);
	status = put_many_locked(&op, count, moved, &wakes);
	queue_unlock_put(op.queue);
	wakes_notify(wakes);
	return *moved > 0 || count == 0 ? DUCT_OK : status;
}

/* Message number i of an array to take to, or NULL to throw it away. */
static void *nth_or_null(const struct ring *ring, void *messages, size_t i)
{
	return messages != NULL ? ring_nth(ring, messages, i) : NULL;
}

/* Takes while senders wait, each of which moves up, then the rest in one piece. */
static size_t take_many_locked(struct queue *queue, void *messages, size_t count, struct node **wakes)
{
	const struct ring *ring = &queue->ring;
	size_t done = 0;

	while (done < count && load_relaxed(&queue->take.waiting) != NULL) {
		if (!take_any_locked(queue, nth_or_null(ring, messages, done), wakes))
			break;
		done++;
	}
	return done + ring_take_many(ring, &queue->take.at, nth_or_null(ring, messages, done), count - done);
}

duct_status queue_take_many(struct end *end, void *messages, size_t count, size_t *moved)
{
	struct queue *queue = end->queue;
	struct node *wakes = NULL;
	duct_status status;

	*moved = 0;
	queue_lock_take(queue);
	status = take_refusal_told(end);
	if (status == DUCT_OK) {
		*moved = take_many_locked(queue, messages, count, &wakes);
		status = *moved > 0 ? DUCT_OK : take_of_nothing(queue);
	}
	queue_unlock_take(queue);
	wakes_notify(wakes);
	return status;
}

size_t queue_discard(struct queue *queue, size_t end, void *messages, size_t most, uint64_t *tally)
{
	struct node *wakes = NULL;
	size_t left, discarded;

	queue_lock_take(queue);
	left = (end - load_relaxed(&queue->take.at.position)) / 2;
	if (left > queue->ring.capacity)
		left = 0; /* others have taken all up to the end, and perhaps more */
	discarded = take_many_locked(queue, messages, left < most ? left : most, &wakes);
	if (tally != NULL)
		*tally += discarded;
	queue_unlock_take(queue);
	wakes_notify(wakes);
	return discarded;
}

struct backlog queue_backlog_locked(const struct queue *queue)
{
	size_t end = load_relaxed(&queue->put.at.position);

	return (struct backlog){ .len = (end - load_relaxed(&queue->take.at.position)) / 2, .end = end };
}

struct backlog queue_backlog_too(struct queue *queue)
{
	struct backlog backlog;

	/* Without the locks a position may lag behind its slot's word, and their difference could be anything. */
	queue_lock_take_too(queue);
	backlog = queue_backlog_locked(queue);
	queue_unlock_take_too(queue);
	return backlog;
}

struct backlog queue_backlog(struct queue *queue)
{
	struct backlog backlog;

	queue_lock_put(queue);
	backlog = queue_backlog_too(queue);
	queue_unlock_put(queue);
	return backlog;
}

void queue_drop_leftovers(struct queue *queue, const struct hooks *hooks)
{
	struct ring *ring = &queue->ring;
	uint32_t slot = load_relaxed(&queue->take.at.slot);
	int cancellation = cancellation_hold();

	for (size_t left = queue_backlog(queue).len; left > 0; left--) {
		hooks_drop(hooks, ring_message(ring, slot));
		slot = (uint32_t)ring_step(ring, slot, 1);
	}
	cancellation_resume(cancellation);
}

/* ---- Under both locks ------------------------------------------------------------------------------------------ */

/* At capacity 0 an operation is ready if a partner waits. */
static bool has_partner(const struct queue *queue, const struct side *side)
{
	return queue->ring.capacity == 0 && side_count_partners(side) > 0;
}

duct_status queue_probe_locked(const struct op *op)
{
	const struct queue *queue = op->queue;
	duct_status refusal = op->is_send ? put_refusal(op->end) : take_refusal(op->end);

	if (refusal != DUCT_OK)
		return refusal;
	if (queue->outlet != NULL)
		return queue->outlet->probe_locked(op);
	if (op->is_send)
		return ring_has_room(&queue->ring, &queue->put.at) || has_partner(queue, &queue->put) ? DUCT_OK : DUCT_FULL;
	if (ring_has_message(&queue->ring, &queue->take.at) || has_partner(queue, &queue->take))
		return DUCT_OK;
	return take_of_nothing(queue);
}

void queue_wait_locked(const struct op *op, struct node *node)
{
	node->message = op->message;
	node->op = op;
	side_append(serving_side(op), node);
}

void queue_mark_puts_locked(struct queue *queue, duct_status status)
{
	atomic_store(&queue->put.at.ended, status);
}

void queue_mark_takes_locked(struct queue *queue, duct_status status)
{
	atomic_store(&queue->take.at.ended, status);
}

void end_mark_locked(struct end *end)
{
	atomic_store(&end->flags, END_CLOSED);
}

void queue_stop_waits_locked(struct queue *queue, struct node **wakes)
{
	duct_status puts = (duct_status)load_relaxed(&queue->put.at.ended);
	duct_status takes = (duct_status)load_relaxed(&queue->take.at.ended);

	if (puts != DUCT_OK)
		side_stop_waits(&queue->take, NULL, puts, wakes);
	if (takes != DUCT_OK)
		side_stop_waits(&queue->put, NULL, takes, wakes);
}

void end_stop_waits_locked(struct end *end, bool is_send, struct node **wakes)
{
	side_stop_waits(is_send ? &end->queue->take : &end->queue->put, end, DUCT_CLOSED, wakes);
}

/* ---- Under the lock of the list -------------------------------------------------------------------------------- */

static void lock_serving_side(const struct op *op)
{
	if (op->is_send)
		queue_lock_take(op->queue);
	else
		queue_lock_put(op->queue);
}

static void unlock_serving_side(const struct op *op)
{
	if (op->is_send)
		queue_unlock_take(op->queue);
	else
		queue_unlock_put(op->queue);
}

void queue_unwait(const struct op *op, struct node *node)
{
	lock_serving_side(op);
	if (node->linked)
		side_unlink(serving_side(op), node);
	unlock_serving_side(op);
}

size_t queue_count_waiting(struct queue *queue, bool is_send)
{
	const struct op op = { .queue = queue, .is_send = is_send };
	size_t count;

	lock_serving_side(&op);
	count = side_count_live(serving_side(&op));
	unlock_serving_side(&op);
	return count;
}
