/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A cancel token: a queue without messages that gets closed.  cancel.h tells how it works.
 */
#include "cancel.h"

#include "clock.h"
#include "memory.h"

struct duct_cancel {
	struct queue queue;  /* first member: an end's queue is its token */
	struct end end;      /* its references are the token's: handles, children, waits */
	duct_cancel *parent; /* [I] */
	duct_time deadline;  /* [I] */
	size_t ring;         /* its one slot, which is a word and no message */
};

/* Goes with the last reference, and takes the parents along that had no other: a loop, for there may be many. */
static void cancel_destroy(struct end *end)
{
	duct_cancel *cancel = (duct_cancel *)(void *)end->queue, *parent;

	do {
		parent = cancel->parent;
		queue_fini(&cancel->queue);
		memory_free(NULL, cancel);
		cancel = parent;
	} while (cancel != NULL && end_release(&cancel->end));
}

duct_status duct_cancel_new(duct_cancel **cancel, duct_cancel *parent, duct_time deadline)
{
	duct_cancel *made;

	if (cancel == NULL || deadline < 0)
		return DUCT_INVALID;
	if ((made = memory_new(NULL, sizeof *made)) == NULL)
		return DUCT_NOMEM;
	if (!queue_init(&made->queue, 0, 0, &made->ring, NULL)) {
		memory_free(NULL, made);
		return DUCT_NOMEM;
	}
	end_init(&made->end, &made->queue, NULL, cancel_destroy);
	cancel_pin(parent);
	made->parent = parent;
	made->deadline = deadline;
	*cancel = made;
	return DUCT_OK;
}

void cancel_pin(duct_cancel *cancel)
{
	if (cancel != NULL)
		end_pin(&cancel->end);
}

void cancel_unpin(duct_cancel *cancel)
{
	if (cancel != NULL)
		end_unpin(&cancel->end);
}

duct_status duct_cancel_clone(duct_cancel *cancel, duct_cancel **clone)
{
	if (cancel == NULL || clone == NULL)
		return DUCT_INVALID;
	end_pin(&cancel->end);
	*clone = cancel;
	return DUCT_OK;
}

void duct_cancel_raise(duct_cancel *cancel)
{
	struct node *wakes = NULL;

	if (cancel == NULL)
		return;
	queue_lock_both(&cancel->queue);
	queue_mark_takes_locked(&cancel->queue, DUCT_CLOSED);
	queue_stop_waits_locked(&cancel->queue, &wakes);
	queue_unlock_both(&cancel->queue);
	wakes_notify(wakes);
}

bool duct_cancel_raised(const duct_cancel *cancel)
{
	for (; cancel != NULL; cancel = cancel->parent)
		if (load_acquire(&cancel->queue.take.at.ended) || deadline_passed(cancel->deadline))
			return true;
	return false;
}

void duct_cancel_free(duct_cancel *cancel)
{
	cancel_unpin(cancel);
}

uint32_t cancel_depth(const duct_cancel *cancel)
{
	uint32_t depth = 0;

	for (; cancel != NULL; cancel = cancel->parent)
		depth++;
	return depth;
}

duct_time cancel_deadline(const duct_cancel *cancel)
{
	duct_time nearest = DUCT_FOREVER;

	for (; cancel != NULL; cancel = cancel->parent)
		nearest = deadline_min(nearest, cancel->deadline);
	return nearest;
}

void cancel_ops(duct_cancel *cancel, struct op *ops)
{
	for (; cancel != NULL; cancel = cancel->parent)
		*ops++ = (struct op){ .queue = &cancel->queue, .end = &cancel->end };
}
