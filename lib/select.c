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
#include "channel.h"
#include "wait.h"

#include <assert.h>

#define FLAGS_KNOWN ((unsigned)DUCT_PRIORITY | (unsigned)DUCT_READY)

static bool has_ended(duct_status status)
{
	return status == DUCT_CLOSED || status == DUCT_NO_RECEIVERS;
}

static bool is_empty(const duct_case *c)
{
	return c->sender == NULL && c->receiver == NULL;
}

static bool is_live(const duct_case *c)
{
	return !is_empty(c) && !has_ended(c->status);
}

static struct op op_of(const duct_case *c)
{
	struct end *end = c->sender != NULL ? &c->sender->end : &c->receiver->end;

	return (struct op){ .queue = end->queue, .end = end, .message = c->message, .is_send = c->sender != NULL };
}

/* What the cases come to before any queue is asked. */
struct census {
	size_t live, ended;
	bool valid;
};

static struct census count_cases(const duct_case *cases, size_t count, bool observe)
{
	struct census census = { .valid = true };

	for (size_t i = 0; i < count; i++) {
		const duct_case *c = &cases[i];

		if (c->sender != NULL && c->receiver != NULL)
			census.valid = false;
		else if (!is_empty(c) && has_ended(c->status))
			census.ended++;
		else if (!is_empty(c)) {
			census.live++;
			if (c->message == NULL && !observe && op_of(c).queue->ring.size != 0)
				census.valid = false;
		}
	}
	return census;
}

/* The index of the live case number n. */
static size_t nth_live(const duct_case *cases, uint32_t n)
{
	size_t i = 0;

	while (!is_live(&cases[i]) || n-- > 0)
		i++;
	return i;
}

static duct_status select_live(duct_case *cases, size_t count, size_t live, size_t *chosen, const struct wait_rules *rules)
{
	struct wait wait;
	duct_status status = wait_init(&wait, live, rules->cancel);
	uint32_t n = 0;
	size_t done;

	if (status != DUCT_OK)
		return status;
	for (size_t i = 0; i < count; i++)
		if (is_live(&cases[i]))
			wait.ops[n++] = op_of(&cases[i]);
	status = wait_any(&wait, rules);
	if (status == DUCT_OK || has_ended(status)) {
		assert(cases != NULL);
		done = nth_live(cases, wait.done);
		cases[done].status = status;
		*chosen = done;
		status = DUCT_OK;
	}
	wait_fini(&wait);
	return status;
}

static duct_status select_cases(duct_case *cases, size_t count, size_t *chosen, const struct wait_rules *rules)
{
	struct census census;

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
	return select_live(cases, count, census.live, chosen, rules);
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
