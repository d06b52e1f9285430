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
#include "spin.h"

#include <poll.h>

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
	wait->hooked = wait->sourced = false;
	wait->polls = NULL;
	wait->poll_count = 0;
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

/* Both locks of each queue, once. */
static void lock_queues(const struct wait *wait)
{
	const struct queue *gate = NULL;

	for (uint32_t i = 0; i < wait->count; i++) {
		struct queue *queue = wait->ops[wait->order[i]].queue;

		if (queue->gate != gate)
			queue_lock_put(queue);
		gate = queue->gate;
		(void)queue_lock_take_also(queue);
	}
}

/*
 * Unlocks them the other way round.  What there is to do with an outlet is done when nothing is held any more that comes after
 * its put lock: the send that was decided on, or a look after its line, in which the wait now stands.  The status is that of what
 * was decided; DUCT_FULL if it could not be done after all, because those in line changed who there is to receive.
 */
static duct_status unlock_queues(const struct wait *wait, const struct op *decided, struct node **wakes)
{
	duct_status status = DUCT_OK;

	for (uint32_t i = wait->count; i-- > 0;) {
		struct queue *queue = wait->ops[wait->order[i]].queue, *gate = queue->gate;

		if (queue->take_is_held)
			queue_unlock_take_also(queue);
		if (i > 0 && wait->ops[wait->order[i - 1]].queue->gate == gate)
			continue;
		if (gate->outlet != NULL && decided == NULL)
			gate->outlet->attend_locked(gate, wakes);
		else if (gate->outlet != NULL && decided->queue == gate)
			status = gate->outlet->put_locked(decided, wakes);
		queue_unlock_put(queue);
	}
	return status;
}

/* ---- Sources --------------------------------------------------------------------------------------------------- */

/* With all queues locked: a source is not what it was when its operation was made. */
static bool sources_moved_locked(const struct wait *wait)
{
	for (uint32_t i = 0; i < wait->cases; i++) {
		const struct source *source = wait->ops[i].end->source;

		if (source != NULL && source->version != wait->ops[i].version)
			return true;
	}
	return false;
}

/* With all queues locked: when the first feed wants to be pumped. */
static duct_time feeds_due_locked(const struct wait *wait)
{
	duct_time due = DUCT_FOREVER;

	for (uint32_t i = 0; i < wait->cases; i++) {
		struct source *source = wait->ops[i].end->source;

		if (source != NULL && source->kind->due_locked != NULL && !source_has_ended(source))
			due = deadline_min(due, source->kind->due_locked(source));
	}
	return due;
}

/* ---- Looking --------------------------------------------------------------------------------------------------- */

/* Tries each operation that looks ready, under its one lock. */
static duct_status look_round(struct wait *wait, const struct tour *tour)
{
	for (uint32_t k = 0; k <= tour->mask; k++) {
		uint32_t i = tour_stop(tour, k);
		duct_status status;

		if (i >= wait->cases)
			continue;
		status = queue_try(&wait->ops[i]);
		if (!is_pending(status)) {
			wait->done = i;
			return status;
		}
	}
	return DUCT_EMPTY;
}

/*
 * With all queues locked: tries each operation, and the token before them.  A send to an outlet is only decided on here, and
 * done while they are unlocked.
 */
static duct_status poll_locked(struct wait *wait, const struct tour *tour, struct node **wakes)
{
	for (uint32_t i = wait->cases; i < wait->count; i++)
		if (queue_probe_locked(&wait->ops[i]) == DUCT_CLOSED)
			return DUCT_CANCELED;
	for (uint32_t k = 0; k <= tour->mask; k++) {
		uint32_t i = tour_stop(tour, k);
		duct_status status;

		if (i >= wait->cases)
			continue;
		if (wait->ops[i].observe || wait->ops[i].queue->outlet != NULL)
			status = queue_probe_locked(&wait->ops[i]);
		else
			status = queue_do_locked(&wait->ops[i], wakes);
		if (!is_pending(status)) {
			wait->done = i;
			return status;
		}
	}
	return wait->sourced && sources_moved_locked(wait) ? SOURCE_MOVED : DUCT_EMPTY;
}

/* With all queues locked: what there is to poll now.  There is room for the bell behind. */
static void note_descriptors_locked(struct wait *wait)
{
	wait->poll_count = 0;
	for (uint32_t i = 0; i < wait->cases; i++) {
		struct source *source = wait->ops[i].end->source;
		int descriptor = -1;

		if (source != NULL && source->kind->descriptor_locked != NULL)
			descriptor = source->kind->descriptor_locked(source);
		if (descriptor >= 0)
			wait->polls[wait->poll_count++] = (struct pollfd){ .fd = descriptor, .events = POLLIN };
	}
}

/* ---- Sleeping -------------------------------------------------------------------------------------------------- */

static struct node *node_of(struct wait *wait, struct waiter *waiter, uint32_t i)
{
	return i == 0 ? &waiter->first : &wait->nodes[i];
}

/* With all queues locked: stands in every list. */
static void stand_in_line_locked(struct wait *wait, struct waiter *waiter)
{
	waiter_init(waiter);
	for (uint32_t i = 0; i < wait->count; i++) {
		struct node *node = node_of(wait, waiter, i);

		node->waiter = waiter;
		node->index = i;
		node->observer = wait->ops[i].observe;
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
	return rules->logged ? wait->ops[0].end->log : NULL;
}

/* In every list: until notified, or withdrawn for a reason that is returned. */
static duct_status sleep_in_line(
    struct wait *wait, struct waiter *waiter, struct log *log, duct_time limit, struct patience *patience)
{
	bool told = log != NULL && log_blocked(log);
	duct_status status = DUCT_OK;
	duct_time began;

	while (!waiter_is_notified(waiter)) {
		if (!spin(wait->ops, wait->cases, patience)) {
			began = duct_now();
			status = wait->poll_count > 0 ? waiter_poll(waiter, limit, wait->polls, wait->poll_count + 1)
			                              : waiter_sleep(waiter, limit);
			patience->slept = duct_now() - began;
			break;
		}
	}
	if (told)
		log_tell(log, DUCT_LOG_RESUMED, 0);
	return status;
}

/* An observer was pinged and has to look again.  No wait ends with this status. */
#define PINGED DUCT_FULL

/* The operation that was decided on, to be done while all are unlocked; or none. */
static const struct op *decision(const struct wait *wait, duct_status status)
{
	static const struct op nothing = { .queue = NULL };

	return status == DUCT_OK && !wait->ops[wait->done].observe ? &wait->ops[wait->done] : &nothing;
}

/* In every list, until the deadline, or until a feed is due: what the sleep came to.  What is due at the deadline is ready. */
static duct_status wait_in_line(
    struct wait *wait, struct waiter *waiter, const struct wait_rules *rules, duct_time due, struct patience *patience)
{
	const duct_time limit = deadline_min(due, rules->deadline);
	duct_status status = sleep_in_line(wait, waiter, log_of(wait, rules), limit, patience);
	int32_t claimed = atomic_load(&waiter->claim);

	leave_lines(wait, waiter, claimed);
	if (status == DUCT_TIMEDOUT)
		return due <= rules->deadline ? SOURCE_MOVED : rules->expired;
	if (status != DUCT_OK)
		return status == WAITER_READABLE ? SOURCE_MOVED : status;
	if (claimed >= (int32_t)wait->cases)
		return DUCT_CANCELED;
	wait->done = (uint32_t)claimed;
	return wait->ops[claimed].observe && waiter->status == DUCT_OK ? PINGED : waiter->status;
}

/* One turn of the last stage: locks everything, tries everything, and if nothing goes sleeps. */
static duct_status wait_turn(
    struct wait *wait, const struct wait_rules *rules, const struct tour *tour, struct patience *patience)
{
	struct node *wakes = NULL;
	struct waiter waiter;
	bool passed = deadline_passed(rules->deadline);
	duct_time due;
	duct_status status, decided;

	lock_queues(wait);
	status = poll_locked(wait, tour, &wakes);
	due = wait->sourced ? feeds_due_locked(wait) : DUCT_FOREVER;
	if (is_pending(status) && deadline_passed(due))
		status = SOURCE_MOVED;
	if (!is_pending(status) || passed) {
		decided = unlock_queues(wait, decision(wait, status), &wakes);
		wakes_notify(wakes);
		if (decided != DUCT_OK)
			return decided == DUCT_FULL ? PINGED : decided;
		return is_pending(status) ? rules->expired : status;
	}
	stand_in_line_locked(wait, &waiter);
	if (wait->polls != NULL)
		note_descriptors_locked(wait);
	(void)unlock_queues(wait, NULL, &wakes);
	wakes_notify(wakes);
	return wait_in_line(wait, &waiter, rules, due, patience);
}

/* The last stage.  The caller has pinned the ends and the token, unless the deadline is now and no hooks are called. */
static duct_status wait_locked(
    struct wait *wait, const struct wait_rules *rules, const struct tour *tour, struct patience *patience)
{
	duct_status status;

	sort_by_queue(wait);
	for (;;) {
		status = wait_turn(wait, rules, tour, patience);
		if (status == TRAY_IS_SHORT) {
			const struct op *op = &wait->ops[wait->done];

			if (!op->queue->outlet->prepare(op))
				return DUCT_NOMEM;
		} else if (status != PINGED) {
			return status;
		}
	}
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

duct_status wait_any(struct wait *wait, const struct wait_rules *caller, const struct tour *tour)
{
	const struct wait_rules rules = with_token(*caller);
	duct_status status = DUCT_EMPTY;
	struct patience patience = { 0 };

	if (rules.deadline <= DEADLINE_NOW && !wait->hooked)
		return wait_locked(wait, &rules, tour, &patience);
	pin_ends(wait);
	while (wait_looks(&rules, wait->cases) && is_pending(status) && !deadline_passed(rules.deadline) &&
	       spin(wait->ops, wait->cases, &patience))
		status = look_round(wait, tour);
	if (is_pending(status))
		status = wait_locked(wait, &rules, tour, &patience);
	if (wait->cases > 0)
		spin_learn(wait->ops[0].queue, &patience);
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

static bool has_moved(const struct op *op, const struct watch *next, size_t steps)
{
	const struct watch ahead = watch_ahead(&op->queue->ring, next, steps);

	return watch_moved(&ahead);
}

/* Waits a moment for room for a run.  If it is time to sleep, the next step of spinning says so again. */
static void await_room(const struct op *op, const struct watch *next, struct patience *patience)
{
	while (may_pause_briefly(patience, op->queue) && !has_moved(op, next, queue_run(op->queue)))
		(void)spin(op, 1, patience);
}

/*
 * Waits a moment for a run of messages, as long as there is one more for every two pauses (which come in rounds of 2, 4, 8 ...
 * here): a stream that is slower is given up after the first.
 */
static void await_stream(const struct op *op, const struct watch *next, struct patience *patience)
{
	const size_t run = queue_run(op->queue);

	for (size_t n = 0; n < run && may_pause_briefly(patience, op->queue) && has_moved(op, next, n); n = 2 * n + 1)
		(void)spin(op, 1, patience);
}

/*
 * Waits awake until the operation has a chance; false when it is time to sleep.  For a run a sender always waits, since no
 * message waits longer because a full ring has not become fuller; a receiver only if a message came while it was leaving, and
 * the next ones as fast.
 */
static bool spin_until_moved(const struct op *op, const struct watch *next, struct patience *patience)
{
	if (may_pause_briefly(patience, op->queue) && (op->is_send || watch_moved(next))) {
		patience->rounds++; /* this look: what has moved may not be for us, again and again */
		if (op->is_send)
			await_room(op, next, patience);
		else
			await_stream(op, next, patience);
		if (watch_moved(next))
			return true;
	}
	do
		if (!spin(op, 1, patience))
			return false;
	while (!watch_moved(next));
	return true;
}

/*
 * At capacity 0 a sender stands in line at once, and a receiver looks for one.  A sender to a broadcast looks whether there is
 * room again, and then waits a moment for a run of it.
 */
static bool spin_until_met(const struct op *op, struct patience *patience)
{
	const bool publishes = op->queue->outlet != NULL;

	while ((!op->is_send || publishes) && spin(op, 1, patience))
		if (queue_looks_ready(op)) {
			while (publishes && may_pause_briefly(patience, op->queue))
				(void)spin(op, 1, patience);
			return true;
		}
	return false;
}

NOINLINE duct_status wait_for(const struct op *op, duct_time deadline, duct_cancel *cancel)
{
	const bool has_ring = op->queue->ring.capacity != 0;
	const struct wait_rules rules = with_token((struct wait_rules){
	    .deadline = deadline, .expired = DUCT_TIMEDOUT, .cancel = cancel, .in_order = true, .logged = op->is_send });
	struct end *end = op->end;
	struct patience patience = { 0 };
	duct_status status;

	end_pin(end); /* under the lock that whoever frees the end must pass */
	cancel_pin(cancel);
	do {
		const struct watch next = queue_watch(op);

		status = queue_attempt_locked(op);
		if (!is_pending(status))
			break;
		if (deadline_passed(rules.deadline)) {
			status = rules.expired;
			break;
		}
		if (!(has_ring ? spin_until_moved(op, &next, &patience) : spin_until_met(op, &patience))) {
			status = sleep_for(op, &rules, &patience);
			break;
		}
		status = DUCT_OK;
	} while (!queue_fast(op));
	spin_learn(op->queue, &patience);
	cancel_unpin(cancel);
	end_unpin(end);
	return status;
}

duct_status wait_until_ready(const struct op *op, duct_time deadline, duct_cancel *cancel)
{
	const struct wait_rules rules = { .deadline = deadline, .expired = DUCT_TIMEDOUT, .cancel = cancel, .observe = true };
	const struct tour tour = tour_plan(1, true);
	struct wait wait;
	duct_status status;

	if (deadline < 0)
		return DUCT_INVALID;
	if (duct_cancel_raised(cancel))
		return DUCT_CANCELED;
	status = wait_init(&wait, 1, cancel);
	if (status != DUCT_OK)
		return status;
	wait.ops[0] = *op;
	wait.ops[0].observe = true;
	status = wait_any(&wait, &rules, &tour);
	wait_fini(&wait);
	return status;
}
