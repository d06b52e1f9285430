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
#include "turn.h"

/* ---- Spinning -------------------------------------------------------------------------------------------------- */

/*
 * A peer on the other processor answers within a microsecond; to sleep and be woken costs ten or twenty.  So a wait pauses a
 * few microseconds, and then yields, which helps peers that share its processor.  To a busy stranger a yield gives a whole
 * time slice, where a sleeper would be woken at once: so yields are timed, and a thread whose yield took long while its
 * queues hardly moved keeps the next waits there from yielding; twice as many each time, until yields are good again.
 */
#ifndef DUCT_SPIN_YIELDS
#define DUCT_SPIN_YIELDS 2
#endif
#ifndef DUCT_YIELD_LONG
#define DUCT_YIELD_LONG 200000 /* ns: a yield that long may have gone to a stranger */
#endif
#define YIELD_WORTH 2000  /* ns a message: if the queues moved slower than that meanwhile, it did */
#define SHUN_FIRST 4      /* waits without yields after the first bad one */
#define SHUN_MOST 512     /* no more doubling from here */
#define PAUSES_MOST_LOG 6 /* a round pauses 1, 2, 4 ... 64 times, then 64 times each */

/* Messages that went through the queues: each moves both cursors by two. */
static size_t progress(const struct op *ops, uint32_t count)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += load_relaxed(&ops[i].queue->put.at.position) + load_relaxed(&ops[i].queue->take.at.position);
	return sum / 4;
}

static void learn_from_yield(struct queue *queue, int64_t took, size_t moved)
{
	uint16_t shun = load_relaxed(&queue->shun);

	if (took > DUCT_YIELD_LONG && (uint64_t)took / YIELD_WORTH > moved) {
		if (shun < SHUN_MOST)
			shun = (uint16_t)(2 * shun + SHUN_FIRST);
		store_relaxed(&queue->shun, shun);
		store_relaxed(&queue->crowded, shun);
	} else if (shun != 0) {
		store_relaxed(&queue->shun, (uint16_t)(shun / 2));
	}
}

static void timed_yield(const struct op *ops, uint32_t count)
{
	size_t before = progress(ops, count);
	duct_time begin = duct_now();

	sched_yield();
	learn_from_yield(ops[0].queue, duct_now() - begin, progress(ops, count) - before);
}

/* One step of waiting awake; false when the budget is spent. */
static bool spin(const struct op *ops, uint32_t count, uint32_t *step)
{
	struct queue *queue;
	uint32_t round = (*step)++, budget;
	uint16_t crowded;

	if (count == 0)
		return false;
	queue = ops[0].queue;
	budget = queue->pauses + (uint32_t)DUCT_SPIN_YIELDS;
	if (round < queue->pauses) {
		for (uint32_t i = 0; i < 1u << (round < PAUSES_MOST_LOG ? round : PAUSES_MOST_LOG); i++)
			cpu_pause();
		return true;
	}
	if (round >= budget)
		return false;
	crowded = load_relaxed(&queue->crowded);
	if (crowded > 0) {
		store_relaxed(&queue->crowded, (uint16_t)(crowded - 1));
		*step = budget;
		return false;
	}
	timed_yield(ops, count);
	return true;
}

/* ---- The order of looking -------------------------------------------------------------------------------------- */

/*
 * A fair select starts at any case and goes round a power of two of places in steps of an odd number, leaving out places
 * that have no case: no table to shuffle, and whichever cases are ready, each has about the same chance to come first.
 */
struct tour {
	uint32_t start, stride, mask;
};

static struct tour tour_plan(uint32_t cases, bool in_order)
{
	struct tour tour = { .start = 0, .stride = 1, .mask = 0 };
	uint64_t turn;

	while (tour.mask + 1 < cases)
		tour.mask = 2 * tour.mask + 1;
	if (cases > 1 && !in_order) {
		turn = turn_next();
		tour.start = (uint32_t)((turn & UINT32_MAX) * cases >> 32);
		tour.stride = (uint32_t)(turn >> 32) | 1;
	}
	return tour;
}

static inline uint32_t tour_stop(const struct tour *tour, uint32_t k)
{
	return (tour->start + k * tour->stride) & tour->mask;
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
	for (uint32_t gap = FIRST_GAP; gap > 0; gap /= 3) {
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
static duct_status sleep_in_line(struct wait *wait, struct waiter *waiter, struct log *log, duct_time limit, uint32_t *step)
{
	bool told = log != NULL && log_blocked(log);
	duct_status status = DUCT_OK;

	while (!waiter_is_notified(waiter)) {
		if (!spin(wait->ops, wait->count, step)) {
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
static duct_status wait_turn(struct wait *wait, const struct wait_rules *rules, const struct tour *tour, uint32_t *step)
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

	status = sleep_in_line(wait, &waiter, log_of(wait, rules), rules->deadline, step);
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
static duct_status wait_locked(struct wait *wait, const struct wait_rules *rules, const struct tour *tour, uint32_t step)
{
	duct_status status;

	sort_by_queue(wait);
	do
		status = wait_turn(wait, rules, tour, &step);
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

/* Decides at one moment whether anything is ready, without waiting. */
static duct_status wait_not(struct wait *wait, const struct wait_rules *rules, const struct tour *tour, bool looks)
{
	duct_status status;

	if (!looks)
		return wait_locked(wait, rules, tour, 0);
	full_fence();
	status = look_round(wait, tour);
	if (!is_pending(status))
		return status;
	return wait->cases <= 1 ? rules->expired : wait_locked(wait, rules, tour, 0);
}

duct_status wait_any(struct wait *wait, const struct wait_rules *caller)
{
	const struct wait_rules rules = with_token(*caller);
	const struct tour tour = tour_plan(wait->cases, rules.in_order);
	/* Who wants the first of several, or nothing done, has to see all of them at one moment. */
	const bool looks = !rules.observe && (!rules.in_order || wait->cases <= 1);
	duct_status status = DUCT_EMPTY;
	uint32_t step = 0;

	if (rules.deadline <= DEADLINE_NOW)
		return wait_not(wait, &rules, &tour, looks);
	if (looks)
		status = look_round(wait, &tour);
	if (!is_pending(status))
		return status;
	pin_ends(wait);
	while (looks && is_pending(status) && !deadline_passed(rules.deadline) && spin(wait->ops, wait->cases, &step))
		status = look_round(wait, &tour);
	if (is_pending(status))
		status = wait_locked(wait, &rules, &tour, step);
	unpin_ends(wait);
	return status;
}

/* The last stage of a plain send or receive. */
static NOINLINE duct_status sleep_for(const struct op *op, const struct wait_rules *rules, uint32_t step)
{
	const struct tour tour = tour_plan(1, true);
	struct wait wait;
	duct_status status = wait_init(&wait, 1, rules->cancel);

	if (status != DUCT_OK)
		return status;
	wait.ops[0] = *op;
	status = wait_locked(&wait, rules, &tour, step);
	wait_fini(&wait);
	return status;
}

/* Spins until the operation has a chance; false when the budget is spent. */
static bool spin_until_moved(const struct op *op, _Atomic size_t *word, size_t seen, uint32_t *step)
{
	bool has_ring = op->queue->ring.capacity != 0;

	if (!has_ring && op->is_send)
		return false;
	while (spin(op, 1, step))
		if (has_ring ? load_relaxed(word) != seen : queue_looks_ready(op))
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
	uint32_t step = 0;
	duct_status status;

	end_pin(end); /* under the lock that whoever frees the end must pass */
	cancel_pin(cancel);
	do {
		_Atomic size_t *word = queue_next_word(op);
		size_t seen = load_relaxed(word);

		status = queue_attempt_locked(op);
		if (!is_pending(status))
			break;
		if (deadline_passed(rules.deadline)) {
			status = rules.expired;
			break;
		}
		if (!spin_until_moved(op, word, seen, &step)) {
			status = sleep_for(op, &rules, step);
			break;
		}
		status = DUCT_OK;
	} while (!queue_fast(op));
	cancel_unpin(cancel);
	end_unpin(end);
	return status;
}
