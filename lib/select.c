/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Select: the caller's cases become the operations of a wait.
 *
 * A case without ends is left out, and so is one whose status says that it ended: that is how each end is told once, with no
 * state but the caller's own array.
 */
#include "cancel.h"
#include "resolve.h"

#include <assert.h>

#define FLAGS_KNOWN ((unsigned)DUCT_PRIORITY | (unsigned)DUCT_READY)

static inline struct op op_of(const duct_case *c, size_t number)
{
	struct end *end = c->sender != NULL ? &c->sender->end : &c->receiver->end;

	return (struct op){
		.queue = end->queue, .end = end, .message = c->message, .number = (uint32_t)number, .is_send = c->sender != NULL
	};
}

/* What the cases come to before any queue is asked. */
struct census {
	size_t live, ended;
	bool valid, hooked; /* hooked: a send that needs a tray */
	bool sourced;       /* a receiver of a source */
};

static struct census count_cases(const duct_case *cases, size_t count, bool observe)
{
	struct census census = { .valid = true };

	for (size_t i = 0; i < count; i++) {
		const duct_case *c = &cases[i];

		if (c->sender != NULL && c->receiver != NULL)
			census.valid = false;
		else if (case_is_live(c)) {
			census.live++;
			if (c->sender != NULL && wants_trays(c->sender->end.queue))
				census.hooked = true;
			if (c->receiver != NULL && c->receiver->end.source != NULL)
				census.sourced = true;
			if (c->message == NULL && !observe && op_of(c, i).queue->ring.size != 0)
				census.valid = false;
		} else if (c->sender != NULL || c->receiver != NULL)
			census.ended++;
	}
	return census;
}

/* ---- Looking and waiting --------------------------------------------------------------------------------------- */

/* Tries each case that looks ready, in a fair order; what came of it is told as for one operation. */
static duct_status look(const duct_case *cases, size_t count, const struct tour *tour, size_t *done)
{
	for (uint32_t k = 0; k <= tour->mask; k++) {
		uint32_t i = tour_stop(tour, k);
		struct op op;
		duct_status status;

		if (i >= count || !case_is_live(&cases[i]))
			continue;
		op = op_of(&cases[i], i);
		status = queue_try(&op);
		if (!is_pending(status)) {
			*done = i;
			return status;
		}
	}
	return DUCT_EMPTY;
}

/* The live cases become operations of a wait. */
static NOINLINE duct_status wait_for_one(
    const duct_case *cases, size_t count, size_t live, const struct wait_rules *rules, const struct tour *tour, size_t *done)
{
	struct wait wait;
	struct tray *trays = NULL;
	duct_status status = wait_init(&wait, live, rules->cancel);
	uint32_t n = 0;

	if (status != DUCT_OK)
		return status;
	for (size_t i = 0; i < count; i++)
		if (case_is_live(&cases[i])) {
			wait.ops[n] = op_of(&cases[i], i);
			wait.ops[n++].observe = rules->observe;
		}
	status = rules->observe || trays_begin(&wait, &trays) ? wait_any(&wait, rules, tour) : DUCT_NOMEM;
	trays_finish(&wait, trays);
	if (live > 0)
		*done = wait.ops[wait.done].number;
	wait_fini(&wait);
	return status;
}

static duct_status select_cases(duct_case *cases, size_t count, size_t *chosen, const struct wait_rules *rules)
{
	struct census census;
	struct tour tour;
	duct_status status = DUCT_EMPTY;
	size_t done = 0;

	if ((cases == NULL && count > 0) || chosen == NULL || rules->deadline < 0)
		return DUCT_INVALID;
	census = count_cases(cases, count, rules->observe);
	if (!census.valid)
		return DUCT_INVALID;
	if (duct_cancel_raised(rules->cancel))
		return DUCT_CANCELED;
	/* Nothing to wait for: all is over, or this would never return. */
	if (census.live == 0 && (census.ended > 0 || (rules->deadline == DUCT_FOREVER && rules->cancel == NULL)))
		return DUCT_CLOSED;
	if (count > INT32_MAX)
		return DUCT_NOMEM; /* no wait can be for so many */
	tour = tour_plan((uint32_t)count, rules->in_order);
	/* Hooks may free what the cases refer to, so they run only in a wait, which keeps it. */
	if (census.sourced) {
		status = resolve_select(cases, count, rules, &done);
	} else if (wait_looks(rules, census.live) && !census.hooked) {
		if (rules->deadline <= DEADLINE_NOW)
			full_fence();
		status = look(cases, count, &tour, &done);
		if (is_pending(status) && rules->deadline <= DEADLINE_NOW && census.live <= 1)
			return rules->expired;
	}
	if (is_pending(status) && !census.sourced)
		status = wait_for_one(cases, count, census.live, rules, &tour, &done);
	if (status == DUCT_OK || status == DUCT_LAGGED || status_has_ended(status)) {
		assert(cases != NULL);
		*chosen = done;
		cases[done].status = status;
		status = DUCT_OK;
	}
	return status;
}

duct_status duct_select(duct_case *cases, size_t count, size_t *chosen)
{
	return select_cases(cases, count, chosen, &(struct wait_rules){ .deadline = DUCT_FOREVER, .expired = DUCT_TIMEDOUT });
}

duct_status duct_try_select(duct_case *cases, size_t count, size_t *chosen)
{
	return select_cases(cases, count, chosen, &(struct wait_rules){ .deadline = DEADLINE_NOW, .expired = DUCT_EMPTY });
}

duct_status duct_select_until(
    duct_case *cases, size_t count, size_t *chosen, unsigned flags, duct_time deadline, duct_cancel *cancel)
{
	if (flags & ~FLAGS_KNOWN)
		return DUCT_INVALID;
	return select_cases(cases, count, chosen,
	    &(struct wait_rules){ .deadline = deadline,
		.expired = DUCT_TIMEDOUT,
		.cancel = cancel,
		.in_order = flags & DUCT_PRIORITY,
		.observe = flags & DUCT_READY });
}
