/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Schedulers: a receiver of objects, each when it is due.
 *
 * An agenda under the locks of the source's queue, fed as a timer is: who waits sleeps until the first object is due, and
 * puts it into the queue, which holds one.  An object that was put there, and not received yet, is still pending: it can be
 * set anew or unset.
 */
#include "agenda.h"
#include "dial.h"
#include "memory.h"

#include <string.h>

/* [I] fixed when made; [b] written under both locks of the queue, read under either. */
struct scheduler {
	struct source source;
	struct hand hand;     /* [I] */
	struct agenda agenda; /* [b] */
};

static struct scheduler *scheduler_behind(struct source *source)
{
	return (struct scheduler *)(void *)source;
}

/* ---- What is due ----------------------------------------------------------------------------------------------- */

static duct_time scheduler_due_locked(struct source *source)
{
	struct scheduler *scheduler = scheduler_behind(source);
	struct entry *first = agenda_first(&scheduler->agenda);

	return first == NULL || source_holds_locked(source) ? DUCT_FOREVER : hand_deadline(&scheduler->hand, first->at);
}

static void scheduler_pump(struct source *source)
{
	struct scheduler *scheduler = scheduler_behind(source);
	struct node *wakes = NULL;
	struct entry *first;

	queue_lock_both(&source->queue);
	first = agenda_first(&scheduler->agenda);
	if (first != NULL &&
	    (source_holds_locked(source) || source_has_ended(source) || first->at > hand_now(&scheduler->hand)))
		first = NULL;
	if (first != NULL) {
		agenda_take(&scheduler->agenda, first);
		(void)source_put_locked(source, first->object, &wakes);
	}
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
	entry_free(first);
}

static void scheduler_destroy(struct source *source)
{
	hand_fini(&scheduler_behind(source)->hand);
	agenda_fini(&scheduler_behind(source)->agenda);
}

static const struct source_kind scheduler_kind = {
	.name = "scheduler", .due_locked = scheduler_due_locked, .pump = scheduler_pump, .destroy = scheduler_destroy
};

/* ---- Setting --------------------------------------------------------------------------------------------------- */

static struct scheduler *scheduler_of(const duct_receiver *receiver)
{
	return (struct scheduler *)(void *)source_of_kind(receiver, &scheduler_kind);
}

/* Takes back the object that was due and that nobody has received; false if it is another one. */
static bool take_held_locked(struct source *source, const void *object)
{
	struct queue *queue = &source->queue;
	const void *held = ring_message(&queue->ring, load_relaxed(&queue->take.at.slot));

	if (!source_holds_locked(source) || memcmp(held, object, queue->ring.size) != 0)
		return false;
	return ring_take_many(&queue->ring, &queue->take.at, NULL, 1) == 1;
}

/* Of one that was closed all are forgotten that were not due. */
static size_t pending_locked(const struct scheduler *scheduler)
{
	return source_is_closed(&scheduler->source) ? 0 : scheduler->agenda.len;
}

/* Takes out what there is of an object: true if there was, with an entry to free or without. */
static bool take_out_locked(struct scheduler *scheduler, const void *object, struct entry **entry)
{
	*entry = NULL;
	if (pending_locked(scheduler) > 0)
		*entry = agenda_find(&scheduler->agenda, object, object_hash(object, scheduler->agenda.size));
	if (*entry != NULL)
		agenda_take(&scheduler->agenda, *entry);
	return *entry != NULL || take_held_locked(&scheduler->source, object);
}

/* DUCT_FULL: there is no room for one more; *old is to be freed. */
static duct_status set_locked(struct scheduler *scheduler, struct entry *entry, duct_time at, struct entry **old)
{
	if (source_is_closed(&scheduler->source))
		return DUCT_CLOSED;
	if (at <= hand_now(&scheduler->hand))
		return DUCT_TIMEDOUT;
	if (agenda_is_full(&scheduler->agenda))
		return DUCT_FULL;
	(void)take_out_locked(scheduler, entry->object, old);
	agenda_put(&scheduler->agenda, entry, at);
	return DUCT_OK;
}

static bool grow(struct scheduler *scheduler)
{
	struct queue *queue = &scheduler->source.queue;
	void *memory;
	size_t room;

	queue_lock_put(queue);
	room = scheduler->agenda.room;
	queue_unlock_put(queue);
	if ((memory = agenda_more(room)) == NULL)
		return false;
	queue_lock_both(queue);
	memory = agenda_grow(&scheduler->agenda, memory, room);
	queue_unlock_both(queue);
	if (memory != NULL)
		memory_free(NULL, memory);
	return true;
}

static duct_status try_set(struct scheduler *scheduler, struct entry *entry, duct_time at)
{
	struct entry *old = NULL;
	struct node *wakes = NULL;
	duct_status status;

	queue_lock_both(&scheduler->source.queue);
	status = set_locked(scheduler, entry, at, &old);
	if (status == DUCT_OK)
		source_moved_locked(&scheduler->source, &wakes);
	queue_unlock_both(&scheduler->source.queue);
	wakes_notify(wakes);
	entry_free(old);
	return status;
}

duct_status duct_scheduler_set(duct_receiver *receiver, const void *object, duct_time at)
{
	struct scheduler *scheduler = scheduler_of(receiver);
	struct entry *entry;
	duct_status status;

	if (receiver == NULL || object == NULL || at < 0)
		return DUCT_INVALID;
	if (scheduler == NULL)
		return DUCT_UNSUPPORTED;
	if ((entry = entry_new(&scheduler->agenda, object)) == NULL)
		return DUCT_NOMEM;
	while ((status = try_set(scheduler, entry, at)) == DUCT_FULL)
		if (!grow(scheduler)) {
			status = DUCT_NOMEM;
			break;
		}
	if (status != DUCT_OK)
		entry_free(entry);
	return status;
}

duct_status duct_scheduler_unset(duct_receiver *receiver, const void *object)
{
	struct scheduler *scheduler = scheduler_of(receiver);
	struct entry *entry;
	bool found;

	if (receiver == NULL || object == NULL)
		return DUCT_INVALID;
	if (scheduler == NULL)
		return DUCT_UNSUPPORTED;
	queue_lock_both(&scheduler->source.queue);
	found = take_out_locked(scheduler, object, &entry);
	queue_unlock_both(&scheduler->source.queue);
	entry_free(entry);
	return found ? DUCT_OK : DUCT_EMPTY;
}

size_t duct_scheduler_pending(const duct_receiver *receiver)
{
	struct scheduler *scheduler = scheduler_of(receiver);
	size_t pending;

	if (scheduler == NULL)
		return 0;
	queue_lock_both(&scheduler->source.queue);
	pending = pending_locked(scheduler) + source_holds_locked(&scheduler->source);
	queue_unlock_both(&scheduler->source.queue);
	return pending;
}

/* ---- Life ------------------------------------------------------------------------------------------------------ */

duct_status duct_scheduler_new(duct_receiver **receiver, size_t object_size, const char *name, duct_clock *clock)
{
	struct scheduler *scheduler;
	size_t ring_size;

	if (receiver == NULL || object_size == 0 || !ring_measure(object_size, 1, &ring_size))
		return DUCT_INVALID;
	scheduler = source_new(&(struct source_plan){ .kind = &scheduler_kind,
	    .name = name,
	    .size = sizeof(struct scheduler),
	    .capacity = 1,
	    .hooks = { .size = object_size } });
	if (scheduler == NULL)
		return DUCT_NOMEM;
	scheduler->agenda.size = object_size;
	hand_init(&scheduler->hand, &scheduler->source, clock);
	*receiver = source_receiver(&scheduler->source);
	return DUCT_OK;
}
