/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Spinning: pauses, yields, and what is learned about them.  spin.h tells how it works.
 */
#include "spin.h"

#include "clock.h"

#ifndef DUCT_SPIN_YIELDS
#define DUCT_SPIN_YIELDS 2
#endif
#ifndef DUCT_YIELD_LONG
#define DUCT_YIELD_LONG 200000 /* ns: a yield that long may have gone to a stranger */
#endif
#define YIELD_WORTH 1000  /* ns a message: if the queues moved slower than that meanwhile, it did */
#define TURN_LONG 20000   /* ns: what one of many receivers of a broadcast takes, once it has the processor */
#define SLEEP_LONG 50000  /* ns: longer than it takes to be woken by a peer that is quick */
#define SHARED_AT 1000    /* so much of a lesson about pauses, and peers may well share a processor */
#define PAUSES_MOST_LOG 6 /* a round pauses 1, 2, 4 ... 64 times, then 64 times each */

/* All pauses were made, the long ones too. */
static inline bool has_paused(const struct patience *patience, const struct queue *queue)
{
	return patience->rounds == queue->pauses && queue->pauses > SHORT_ROUNDS;
}

static void pause_round(uint32_t round)
{
	for (uint32_t i = 0; i < 1u << (round < PAUSES_MOST_LOG ? round : PAUSES_MOST_LOG); i++)
		cpu_pause();
}

/* Grows by four for each message that goes through the queues: it moves both cursors by two; those of a gate more. */
static size_t progress(const struct op *ops, uint32_t count)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct queue *gate = ops[i].queue->gate;

		sum += load_relaxed(&gate->put.at.position) + load_relaxed(&gate->take.at.position);
	}
	return sum;
}

/* What a yield may take if it went to those who receive the same messages: all of them may have a turn. */
static duct_time turns(const struct op *ops, uint32_t count)
{
	duct_time sum = DUCT_YIELD_LONG;

	for (uint32_t i = 0; i < count; i++) {
		const struct outlet *outlet = ops[i].queue->gate->outlet;

		if (outlet != NULL)
			sum += TURN_LONG * (duct_time)load_relaxed(&outlet->members);
	}
	return sum;
}

/* Whether somebody may have waited for us: for a receive nobody can tell, for a send it shows who sleeps until it comes. */
static bool was_missed(const struct op *ops, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!ops[i].is_send || load_relaxed(&own_side(&ops[i])->waiting) != NULL)
			return true;
	return false;
}

/* False if it went to a stranger, and that did harm. */
static bool timed_yield(const struct op *ops, uint32_t count)
{
	size_t before = progress(ops, count), moved;
	duct_time began = duct_now(), took;

	sched_yield();
	took = duct_now() - began;
	moved = progress(ops, count) - before;
	if (took <= turns(ops, count) || (uint64_t)took / YIELD_WORTH <= moved / 4)
		return true;
	if (moved > 0 && !was_missed(ops, count))
		return true;
	lesson_failed(&ops[0].queue->yielding);
	return false;
}

static bool strangers_about(const struct queue *queue)
{
	return load_relaxed(&queue->yielding.without) != 0;
}

/* Asks the lesson about long pauses, once in a wait. */
static void ask_for_pauses(struct queue *queue, struct patience *patience)
{
	if (patience->asked || patience->rounds < (strangers_about(queue) ? FEW_ROUNDS : SHORT_ROUNDS))
		return;
	patience->asked = true;
	if (!lesson_allows(&queue->pausing))
		patience->rounds = NO_MORE_PAUSES;
}

bool spin(const struct op *ops, uint32_t count, struct patience *patience)
{
	struct queue *queue;

	if (count == 0)
		return false;
	queue = ops[0].queue;
	ask_for_pauses(queue, patience);
	if (may_pause(patience, queue)) {
		pause_round(patience->rounds++);
		return true;
	}
	if (has_paused(patience, queue) && load_relaxed(&queue->pausing.lasting) >= SHARED_AT)
		return false;
	if (patience->yields == DUCT_SPIN_YIELDS)
		return false;
	if (patience->yields == 0 && !lesson_allows(&queue->yielding)) {
		patience->yields = DUCT_SPIN_YIELDS;
		return false;
	}
	patience->yields = timed_yield(ops, count) ? patience->yields + 1 : DUCT_SPIN_YIELDS;
	return true;
}

void spin_learn(struct queue *queue, const struct patience *patience)
{
	const bool slept = patience->slept != 0, peer_is_near = patience->slept <= SLEEP_LONG && !strangers_about(queue);

	if (has_paused(patience, queue)) {
		if (slept ? !peer_is_near : patience->yields > 0)
			lesson_failed(&queue->pausing);
	} else if (patience->rounds == NO_MORE_PAUSES && slept && peer_is_near) {
		lesson_doubt(&queue->pausing);
	}
}
