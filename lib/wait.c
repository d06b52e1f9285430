/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Waiting: look, spin, sleep.  wait.h tells how it works.
 */
#include "wait.h"

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "tour.h"

/* ---- Spinning -------------------------------------------------------------------------------------------------- */

/*
 * A peer that runs on another processor answers within a microsecond; to sleep and be woken costs ten or twenty.  So a wait
 * first pauses for a few microseconds, and who did so in vain goes to sleep at once: to be woken is also the one chance to be
 * given a processor of one's own, away from a peer that could not run while we paused.  Then the next waits here do without
 * pauses, more of them with each time in vain (lesson.h), and yield the processor instead, which helps peers that share it.
 *
 * To a busy stranger a yield gives a whole time slice, where a sleeper would be woken at once: so yields are timed, and one
 * that took long while the queues hardly moved keeps the next waits here from yielding.
 */
#ifndef DUCT_SPIN_YIELDS
#define DUCT_SPIN_YIELDS 2
#endif
#ifndef DUCT_YIELD_LONG
#define DUCT_YIELD_LONG 200000 /* ns: a yield that long may have gone to a stranger */
#endif
#define YIELD_WORTH 2000  /* ns a message: if the queues moved slower than that meanwhile, it did */
#define PAUSES_MOST_LOG 6 /* a round pauses 1, 2, 4 ... 64 times, then 64 times each */

/* How far a wait has gone with waiting awake. */
struct patience {
	uint16_t rounds; /* of pauses, or PAUSED_OUT */
	uint16_t yields;
};

#define PAUSED_OUT UINT16_MAX

static inline bool may_pause(const struct patience *patience, const struct queue *queue)
{
	return patience->rounds < queue->pauses;
}

static void pause_round(uint32_t round)
{
	for (uint32_t i = 0; i < 1u << (round < PAUSES_MOST_LOG ? round : PAUSES_MOST_LOG); i++)
		cpu_pause();
}

/* Messages that went through the queues: each moves both cursors by two. */
static size_t progress(const struct op *ops, uint32_t count)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += load_relaxed(&ops[i].queue->put.at.position) + load_relaxed(&ops[i].queue->take.at.position);
	return sum / 4;
}

static void timed_yield(const struct op *ops, uint32_t count)
{
	size_t before = progress(ops, count);
	duct_time began = duct_now(), took;

	sched_yield();
	took = duct_now() - began;
	if (took > DUCT_YIELD_LONG && (uint64_t)took / YIELD_WORTH > progress(ops, count) - before)
		lesson_failed(&ops[0].queue->yielding);
}

/* One step of waiting awake; false when it is time to sleep. */
static bool spin(const struct op *ops, uint32_t count, struct patience *patience)
{
	struct queue *queue;

	if (count == 0)
		return false;
	queue = ops[0].queue;
	if (patience->rounds == 0 && !lesson_allows(&queue->pausing))
		patience->rounds = PAUSED_OUT;
	if (may_pause(patience, queue)) {
		pause_round(patience->rounds++);
		return true;
	}
	if (patience->rounds != PAUSED_OUT && queue->pauses != 0) {
		lesson_failed(&queue->pausing);
		patience->rounds = PAUSED_OUT;
		patience->yields = DUCT_SPIN_YIELDS;
	}
	if (patience->yields == 0 && !lesson_allows(&queue->yielding))
		patience->yields = DUCT_SPIN_YIELDS;
	if (patience->yields == DUCT_SPIN_YIELDS)
		return false;
	patience->yields++;
	timed_yield(ops, count);
	return true;
}

/* ---- Memory of a wait ------------------------------------------------------------------------------------------ */

duct_status wait_init(struct wait *wait, size_t cases, duct_cancel *cancel)
{
	const size_t each = sizeof(struct op) + sizeof(struct node) + sizeof(uint32_t);
	const size_t most = SIZE_MAX / each < INT32_MAX ? SIZE_MAX / each : INT32_MAX; /* an index goes into a claim word */
	const size_t count = cases + cancel_depth(cancel);

	if (count > most)
		return DUCT_NOMEM;
	wait->cases = (uint32_t)cases;
	wait->count = (uint32_t)count;
	wait->done = 0;
	wait->block = NULL;
	wait->ops = wait->inline_ops;
	wait->nodes = wait->inline_nodes;
	wait->order = wait->inline_order;
	if (count > WAIT_OPS_INLINE) {
		if ((wait->block = memory_new(NULL, count * each)) == NULL)
			return DUCT_NOMEM;
		wait->ops = wait->block;
		wait->nodes = (struct node *)(void *)(wait->ops + count);
		wait->order = (uint32_t *)(void *)(wait->nodes + count);
	}
	cancel_ops(cancel, wait->ops + cases);
	return DUCT_OK;
}

void wait_fini(struct wait *wait)
{
	if (wait->block != NULL)
		memory_free(NULL, wait->block);
}

/* ---- Locking all queues ---------------------------------------------------------------------------------------- */

static bool op_precedes(const struct wait *wait, uint32_t a, uint32_t b)
{
	return queue_precedes(wait->ops[a].queue, wait->ops[b].queue);
}

/* Of gaps that are three times the next and one, down to 1. */
#define FIRST_GAP 29524

/* Orders the operations by the ids of their queues: a shell sort, good for a few and for a few thousand. */
static void sort_by_queue(struct wait *wait)
{
	for (uint32_t i = 0; i < wait->count; i++)
		wait->order[i] = i;
	for (uint32_t gap = wait->count > 1 ? FIRST_GAP : 0; gap > 0; gap /= 3) {
		for (uint32_t i = gap; i < wait->count; i++) {
			uint32_t moving = wait->order[i], j = i;

			for (; j >= gap && op_precedes(wait, moving, wait->order[j - gap]); j -= gap)
				wait->order[j] = wait->order[j - gap];
			wait->order[j] = moving;
		}
	}
}

/* Each queue once, in the order of locking. */
static void for_each_queue(const struct wait *wait, void (*call)(struct queue *queue))
{
	struct queue *last = NULL;

	for (uint32_t i = 0; i < wait->count; i++) {
		struct queue *queue = wait->ops[wait->order[i]].queue;

		if (queue != last)
			call(queue);
		last = queue;
	}
}

/* ---- Looking --------------------------------------------------------------------------------------------------- */

/* Tries each operation that looks ready, under its one lock. */
static duct_status look_round(struct wait *wait, const struct tour *tour)
{
	for (uint32_t k = 0; k <= tour->mask; k++) {
		uint32_t i = tour_stop(tour, k);
		duct_status status;

		if (i >= wait->cases || !queue_looks_ready(&wait->ops[i]))
			continue;
		status = queue_attempt(&wait->ops[i]);
		if (!is_pending(status)) {
			wait->done = i;
			return status;
		}
	}
	return DUCT_EMPTY;
}

/* With all queues locked: tries each operation, and the token before them. */
static duct_status poll_locked(struct wait *wait, const struct tour *tour, bool observe, struct node **wakes)
{
	for (uint32_t i = wait->cases; i < wait->count; i++)
		if (queue_probe_locked(&wait->ops[i]) == DUCT_CLOSED)
			return DUCT_CANCELED;
	for (uint32_t k = 0; k <= tour->mask; k++) {
		uint32_t i = tour_stop(tour, k);
		duct_status status;

		if (i >= wait->cases)
			continue;
		status = observe ? queue_probe_locked(&wait->ops[i]) : queue_do_locked(&wait->ops[i], wakes);
		if (!is_pending(status)) {
			wait->done = i;
			return status;
		}
	}
	return DUCT_EMPTY;
}

/* ---- Sleeping -------------------------------------------------------------------------------------------------- */

static struct node *node_of(struct wait *wait, struct waiter *waiter, uint32_t i)
{
	return i == 0 ? &waiter->first : &wait->nodes[i];
}

/* With all queues locked: stands in every list. */
static void stand_in_line_locked(struct wait *wait, struct waiter *waiter, bool observe)
{
	waiter_init(waiter);
	for (uint32_t i = 0; i < wait->count; i++) {
		struct node *node = node_of(wait, waiter, i);

		node->waiter = waiter;
		node->index = i;
		node->observer = observe && i < wait->cases;
		queue_wait_locked(&wait->ops[i], node);
	}
}

/* Leaves every list but that of the operation that was done: there the claimer did it. */
static void leave_lines(struct wait *wait, struct waiter *waiter, int32_t claimed)
{
	for (uint32_t i = 0; i < wait->count; i++)
		if ((int32_t)i != claimed)
			queue_unwait(&wait->ops[i], node_of(wait, waiter, i));
}

/* A full channel that makes a sender wait is told to the log; true if its going on is to be told too. */
static bool log_blocked(struct log *log)
{
	struct queue *queue = log->queue;
	duct_time now = duct_now();
	uint64_t suppressed;
	bool admitted;

	queue_lock_put(queue);
	admitted = log_admit_locked(log, now, &suppressed);
	queue_unlock_put(queue);
	if (admitted)
		log_tell(log, DUCT_LOG_BLOCKED, suppressed);
	return admitted;
}

/* The log that wants to hear of this wait, or NULL. */
static struct log *log_of(const struct wait *wait, const struct wait_rules *rules)
{
	return rules->logged ? wait->ops[0].queue->log : NULL;
}

/* In every list: until notified, or withdrawn for a reason that is returned. */
static duct_status sleep_in_line(
    struct wait *wait, struct waiter *waiter, struct log *log, duct_time limit, struct patience *patience)
{
	bool told = log != NULL && log_blocked(log);
	duct_status status = DUCT_OK;

	while (!waiter_is_notified(waiter)) {
		if (!spin(wait->ops, wait->count, patience)) {
			status = waiter_sleep(waiter, limit);
			break;
		}
	}
	if (told)
		log_tell(log, DUCT_LOG_RESUMED, 0);
	return status;
}

/* An observer was pinged and has to look again.  No wait ends with this status. */
#define PINGED DUCT_FULL

/* One turn of the last stage: locks everything, tries everything, and if nothing goes sleeps. */
static duct_status wait_turn(
    struct wait *wait, const struct wait_rules *rules, const struct tour *tour, struct patience *patience)
{
	struct node *wakes = NULL;
	struct waiter waiter;
	bool passed = deadline_passed(rules->deadline);
	duct_status status;
	int32_t claimed;

	for_each_queue(wait, queue_lock_both);
	status = poll_locked(wait, tour, rules->observe, &wakes);
	if (!is_pending(status) || passed) {
		for_each_queue(wait, queue_unlock_both);
		wakes_notify(wakes);
		return is_pending(status) ? rules->expired : status;
	}
	stand_in_line_locked(wait, &waiter, rules->observe);
	for_each_queue(wait, queue_unlock_both);
	wakes_notify(wakes);

	status = sleep_in_line(wait, &waiter, log_of(wait, rules), rules->deadline, patience);
	claimed = atomic_load(&waiter.claim);
	leave_lines(wait, &waiter, claimed);
	if (status != DUCT_OK)
		return status == DUCT_TIMEDOUT ? rules->expired : status;
	if (claimed >= (int32_t)wait->cases)
		return DUCT_CANCELED;
	wait->done = (uint32_t)claimed;
	return rules->observe && waiter.status == DUCT_OK ? PINGED : waiter.status;
}

/* The last stage.  The caller has pinned the ends and the token, unless the deadline is now. */
static duct_status wait_locked(
    struct wait *wait, const struct wait_rules *rules, const struct tour *tour, struct patience *patience)
{
	duct_status status;

	sort_by_queue(wait);
	do
		status = wait_turn(wait, rules, tour, patience);
	while (status == PINGED);
	return status;
}

/* ---- Entries --------------------------------------------------------------------------------------------------- */

/* The nearer of the wait's own deadline and its token's, and what its passing means. */
static struct wait_rules with_token(struct wait_rules rules)
{
	duct_time canceled = cancel_deadline(rules.cancel);

	if (canceled < rules.deadline) {
		rules.deadline = canceled;
		rules.expired = DUCT_CANCELED;
	}
	return rules;
}

/* Keeps the ends of all operations, the token's too, while others may free their handles. */
static void pin_ends(const struct wait *wait)
{
	for (uint32_t i = 0; i < wait->count; i++)
		end_pin(wait->ops[i].end);
}

static void unpin_ends(const struct wait *wait)
{
	for (uint32_t i = 0; i < wait->count; i++)
		end_unpin(wait->ops[i].end);
}

duct_status wait_any(struct wait *wait, const struct wait_rules *caller)
{
	const struct wait_rules rules = with_token(*caller);
	const struct tour tour = tour_plan(wait->cases, rules.in_order);
	duct_status status = DUCT_EMPTY;
	struct patience patience = { 0 };

	if (rules.deadline <= DEADLINE_NOW)
		return wait_locked(wait, &rules, &tour, &patience);
	pin_ends(wait);
	while (wait_looks(&rules, wait->cases) && is_pending(status) && !deadline_passed(rules.deadline) &&
	       spin(wait->ops, wait->cases, &patience))
		status = look_round(wait, &tour);
	if (is_pending(status))
		status = wait_locked(wait, &rules, &tour, &patience);
	unpin_ends(wait);
	return status;
}

/* The last stage of a plain send or receive. */
static NOINLINE duct_status sleep_for(const struct op *op, const struct wait_rules *rules, struct patience *patience)
{
	const struct tour tour = tour_plan(1, true);
	struct wait wait;
	duct_status status = wait_init(&wait, 1, rules->cancel);

	if (status != DUCT_OK)
		return status;
	wait.ops[0] = *op;
	status = wait_locked(&wait, rules, &tour, patience);
	wait_fini(&wait);
	return status;
}

/*
 * The word that a wait awake watches.  For a receiver it is that of the next slot.  A sender waits for room for a run: one
 * slot more in a full ring would be taken at once, and the two sides would go through the ring on each other's heels, from
 * one cache line after the other.  Apart they go about twice as fast.  Only while it may pause: no message waits longer for
 * it, since the ring is full.
 */
#define RUN_MOST 64

static _Atomic size_t *word_to_watch(const struct op *op, const struct patience *patience)
{
	const size_t run = op->queue->ring.capacity / 4;

	if (!op->is_send || !may_pause(patience, op->queue))
		return queue_word_ahead(op, 0);
	return queue_word_ahead(op, run < RUN_MOST ? run : RUN_MOST);
}

/* Waits awake until the operation has a chance, or its pauses are over; false when it is time to sleep. */
static bool spin_until_moved(const struct op *op, _Atomic size_t *word, size_t seen, struct patience *patience)
{
	const bool has_ring = op->queue->ring.capacity != 0, paused = may_pause(patience, op->queue);

	if (!has_ring && op->is_send)
		return false;
	while (spin(op, 1, patience))
		if (has_ring ? load_relaxed(word) != seen || may_pause(patience, op->queue) != paused : queue_looks_ready(op))
			return true;
	return false;
}

NOINLINE duct_status wait_for(const struct op *op, duct_time deadline, duct_cancel *cancel)
{
	const struct wait_rules rules = with_token((struct wait_rules){ .deadline = deadline,
	    .expired = DUCT_TIMEDOUT,
	    .cancel = cancel,
	    .in_order = true,
	    .logged = op->is_send && op->queue->ring.capacity != 0 });
	struct end *end = op->end;
	struct patience patience = { 0 };
	duct_status status;

	end_pin(end); /* under the lock that whoever frees the end must pass */
	cancel_pin(cancel);
	do {
		_Atomic size_t *word = word_to_watch(op, &patience);
		size_t seen = load_relaxed(word);

		status = queue_attempt_locked(op);
		if (!is_pending(status))
			break;
		if (deadline_passed(rules.deadline)) {
			status = rules.expired;
			break;
		}
		if (!spin_until_moved(op, word, seen, &patience)) {
			status = sleep_for(op, &rules, &patience);
			break;
		}
		status = DUCT_OK;
	} while (!queue_fast(op));
	cancel_unpin(cancel);
	end_unpin(end);
	return status;
}
