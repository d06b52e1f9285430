/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A source: its life, its parts, its end.  source.h tells what it is.
 */
#include "source.h"

#include "log.h"
#include "memory.h"

#include <string.h>

/* ---- Life ------------------------------------------------------------------------------------------------------ */

static void release_part(const struct part *part)
{
	if (part->borrowed)
		end_unpin(part->end);
	else
		duct_receiver_free((duct_receiver *)(void *)part->end);
}

static void source_destroy(struct end *end)
{
	struct source *source = end->source;
	int cancellation = cancellation_hold(); /* hooks are called */

	queue_drop_leftovers(&source->queue, &source->hooks);
	for (uint32_t i = 0; i < source->part_count; i++)
		release_part(&source->parts[i]);
	if (source->kind->destroy != NULL)
		source->kind->destroy(source);
	queue_fini(&source->queue);
	memory_free(NULL, source);
	cancellation_resume(cancellation);
}

#define NAME_SIZE 32

/* One block of memory: the structure, the ring, the parts, the name. */
void *source_new(const struct source_plan *plan)
{
	const size_t name_size = plan->name != NULL ? strlen(plan->name) + 1 : NAME_SIZE;
	const size_t parts_size = plan->part_room * sizeof(struct part);
	size_t ring_size;
	unsigned char *block;
	struct source *made;

	/* Half of what there can be, and a quarter for the ring: so that no sum overflows. */
	if (plan->part_room > UINT32_MAX / 2 / sizeof(struct part) ||
	    !ring_measure(plan->hooks.size, plan->capacity, &ring_size))
		return NULL;
	block = memory_new(NULL, line_round_up(plan->size) + ring_size + parts_size + name_size);
	if (block == NULL)
		return NULL;
	made = (struct source *)(void *)block;
	memset(made, 0, plan->size);
	if (!queue_init(&made->queue, plan->hooks.size, plan->capacity, block + line_round_up(plan->size), NULL)) {
		memory_free(NULL, made);
		return NULL;
	}
	end_init(&made->end, &made->queue, NULL, source_destroy);
	made->end.source = made;
	made->kind = plan->kind;
	made->hooks = plan->hooks;
	made->hooks.allocator = NULL;
	made->parts = (struct part *)(void *)(block + line_round_up(plan->size) + ring_size);
	made->name = (char *)made->parts + parts_size;
	name_write((char *)made->parts + parts_size, name_size, plan->name, plan->kind->name, made->queue.id);
	atomic_init(&made->handles, 1);
	return made;
}

void source_give_up(struct source *source)
{
	queue_fini(&source->queue);
	memory_free(NULL, source);
}

struct source *source_of_kind(const duct_receiver *receiver, const struct source_kind *kind)
{
	struct source *source = receiver != NULL ? source_of(receiver) : NULL;

	return source != NULL && source->kind == kind ? source : NULL;
}

/* ---- Its queue ------------------------------------------------------------------------------------------------- */

duct_status source_put_locked(struct source *source, const void *message, struct node **wakes)
{
	const struct op op = {
		.queue = &source->queue, .end = &source->end, .message = (void *)(uintptr_t)message, .is_send = true
	};

	return queue_do_locked(&op, wakes);
}

duct_status source_put(struct source *source, const void *message)
{
	struct node *wakes = NULL;
	duct_status status;

	queue_lock_put(&source->queue);
	status = source_put_locked(source, message, &wakes);
	queue_unlock_put(&source->queue);
	wakes_notify(wakes);
	return status;
}

void source_hold_lag(struct source *source)
{
	struct node *wakes = NULL;

	queue_lock_both(&source->queue);
	atomic_store(&source->end.flags, END_LAGGED);
	source_moved_locked(source, &wakes); /* who sleeps for a message is to be told of that */
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
}

void source_moved_locked(struct source *source, struct node **wakes)
{
	source->version++;
	side_stop_waits(&source->queue.put, NULL, SOURCE_MOVED, wakes);
}

void source_end_locked(struct source *source, duct_status status, struct node **wakes)
{
	if (source_is_ending_locked(source))
		return;
	if (source->puller != NULL) {
		source->ending = status;
		source_moved_locked(source, wakes); /* the one that pulls, too: it looks anew, and ends it */
		return;
	}
	queue_mark_puts_locked(&source->queue, status);
	queue_mark_takes_locked(&source->queue, status);
	queue_stop_waits_locked(&source->queue, wakes);
}

void source_reopen_locked(struct source *source)
{
	atomic_store(&source->closed, false);
	queue_mark_puts_locked(&source->queue, DUCT_OK);
	queue_mark_takes_locked(&source->queue, DUCT_OK);
}

/* ---- Pulling --------------------------------------------------------------------------------------------------- */

/* Nobody pulls any more: it ends, if it was to, or one of those who waited for that pulls. */
static void stop_pulling_locked(struct source *source, struct node **wakes)
{
	const duct_status ending = source->ending;

	atomic_store(&source->puller, NULL);
	source->ending = DUCT_OK;
	if (ending != DUCT_OK)
		source_end_locked(source, ending, wakes);
	else if (source->pull_awaited)
		source_moved_locked(source, wakes);
	source->pull_awaited = false;
}

void source_stop_pulling(struct source *source)
{
	struct node *wakes = NULL;

	queue_lock_both(&source->queue);
	stop_pulling_locked(source, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
}

bool source_pulls(struct source *source, const void *call)
{
	struct node *wakes = NULL;
	bool pulls;

	queue_lock_both(&source->queue);
	if (source->puller == call && source->ending != DUCT_OK)
		stop_pulling_locked(source, &wakes);
	if (source->puller == NULL)
		atomic_store(&source->puller, call);
	pulls = source->puller == call;
	source->pull_awaited |= !pulls;
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
	return pulls;
}

/* ---- Its parts ------------------------------------------------------------------------------------------------- */

void source_add_locked(struct source *source, struct end *end, size_t number, bool borrowed)
{
	if (borrowed)
		end_pin(end);
	source->parts[source->part_count++] = (struct part){ .end = end, .number = number, .borrowed = borrowed };
}

bool source_take_part_locked(struct source *source, size_t number, struct part *part)
{
	for (uint32_t i = 0; i < source->part_count; i++) {
		if (source->parts[i].number != number)
			continue;
		*part = source->parts[i];
		source->part_count--;
		source->version++; /* who waits for the part is told by the caller, or by its end */
		for (; i < source->part_count; i++)
			source->parts[i] = source->parts[i + 1];
		return true;
	}
	return false;
}

void source_part_ended(struct source *source, size_t number, duct_status status)
{
	struct node *wakes = NULL;
	struct part part;
	bool taken;

	queue_lock_both(&source->queue);
	taken = source_take_part_locked(source, number, &part);
	if (taken && source->part_count == 0)
		source_end_locked(source, source->kind->many ? DUCT_CLOSED : status, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
	if (taken)
		release_part(&part);
}

/* Others go on with it: it is borrowed, or has more handles than the one that was taken over. */
static bool is_shared(const struct part *part)
{
	return part->borrowed || (part->end->source != NULL && atomic_load(&part->end->source->handles) > 1);
}

/* Lets go of all parts, or of those that others go on with. */
static void release_parts(struct source *source, bool shared_only)
{
	struct part part;
	bool found;

	do {
		found = false;
		queue_lock_both(&source->queue);
		for (uint32_t i = 0; !found && i < source->part_count; i++)
			if (!shared_only || is_shared(&source->parts[i]))
				found = source_take_part_locked(source, source->parts[i].number, &part);
		queue_unlock_both(&source->queue);
		if (found)
			release_part(&part);
	} while (found);
}

/* The n-th part, pinned; NULL: there are not so many. */
static struct end *pin_part(struct source *source, uint32_t n)
{
	struct end *end = NULL;

	queue_lock_put(&source->queue);
	if (n < source->part_count) {
		end = source->parts[n].end;
		end_pin(end);
	}
	queue_unlock_put(&source->queue);
	return end;
}

/* Backwards: those that end meanwhile, and go, are behind. */
static void close_parts(struct source *source)
{
	struct end *end;
	uint32_t n;

	queue_lock_put(&source->queue);
	n = source->part_count;
	queue_unlock_put(&source->queue);
	for (; n > 0; n--) {
		if ((end = pin_part(source, n - 1)) == NULL)
			continue;
		duct_receiver_close((duct_receiver *)(void *)end);
		end_unpin(end);
	}
}

/* ---- Its end --------------------------------------------------------------------------------------------------- */

void source_end(struct source *source, duct_status status)
{
	struct node *wakes = NULL;

	queue_lock_both(&source->queue);
	source_end_locked(source, status, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
	release_parts(source, false);
}

void source_close(struct source *source)
{
	struct node *wakes = NULL;

	if (atomic_exchange(&source->closed, true)) /* no parts are added from here on */
		return;
	release_parts(source, true);
	queue_lock_both(&source->queue);
	if (source->part_count == 0)
		source_end_locked(source, DUCT_CLOSED, &wakes);
	else
		source_moved_locked(source, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
	close_parts(source);
}
