/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Merges: a source with any number of parts, which come and go.
 *
 * All that a merge does is in resolve.c: its parts are looked at and waited on side by side, another one first each time, and it
 * ends with its last part.  A tagged merge has a step that writes the number of the part ahead of the message.
 */
#include "memory.h"
#include "resolve.h"

#include <string.h>

/* [b] written under both locks of the queue, read under either. */
struct merge {
	struct source source;
	uint32_t room;      /* [b] for so many parts */
	struct part *grown; /* [b] where they are if they had to move */
	size_t numbered;    /* [b] parts, ever: the next one's number */
	size_t offset;      /* [I] of the message, if it is tagged */
	size_t size;        /* [I] of a part's message */
};

static struct merge *merge_behind(struct source *source)
{
	return (struct merge *)(void *)source;
}

static enum verdict tag(struct source *source, size_t part, void *from, void *to)
{
	struct merge *merge = merge_behind(source);
	unsigned char *tagged = to;

	/* Bytes that belong to neither are zero. */
	memset(tagged, 0, source->hooks.size);
	memcpy(tagged, &part, sizeof part);
	if (merge->size != 0)
		memcpy(tagged + merge->offset, from, merge->size);
	return STEP_MADE;
}

static void merge_destroy(struct source *source)
{
	if (merge_behind(source)->grown != NULL)
		memory_free(NULL, merge_behind(source)->grown);
}

static const struct source_kind merge_kind = { .name = "merge", .many = true, .destroy = merge_destroy };
static const struct source_kind tagged_kind = { .name = "merge", .step = tag, .many = true, .destroy = merge_destroy };

static struct merge *merge_of(const duct_receiver *receiver)
{
	struct source *source = source_of_kind(receiver, &merge_kind);

	if (source == NULL)
		source = source_of_kind(receiver, &tagged_kind);
	return source != NULL ? merge_behind(source) : NULL;
}

/* ---- Making ---------------------------------------------------------------------------------------------------- */

/* Each one is there, once, and all are for messages of one size. */
static bool parts_are_valid(duct_receiver *const *receivers, size_t count)
{
	if (receivers == NULL || count == 0 || count > UINT32_MAX / sizeof(struct part))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (receivers[i] == NULL || receivers[i]->end.queue->ring.size != receivers[0]->end.queue->ring.size)
			return false;
		for (size_t k = 0; k < i; k++)
			if (receivers[k] == receivers[i])
				return false;
	}
	return true;
}

/* offset 0: not tagged. */
static duct_status merge_make(duct_receiver **merged, duct_receiver *const *receivers, size_t count, size_t size, size_t offset,
    const duct_combine_options *options)
{
	const duct_combine_options defaults = DUCT_COMBINE_OPTIONS_INIT;
	struct source_plan plan = { .kind = offset != 0 ? &tagged_kind : &merge_kind, .size = sizeof(struct merge) };
	struct merge *merge;

	if (options == NULL)
		options = &defaults;
	if (options->size != sizeof *options)
		return DUCT_INVALID;
	plan.name = options->name;
	plan.capacity = 1;
	plan.part_room = count;
	plan.hooks = offset != 0 ? source_hooks(options, size) : *end_hooks(&receivers[0]->end);
	if ((merge = source_new(&plan)) == NULL)
		return DUCT_NOMEM;
	merge->room = (uint32_t)count;
	merge->numbered = count;
	merge->offset = offset;
	merge->size = receivers[0]->end.queue->ring.size;
	for (size_t i = 0; i < count; i++)
		source_add_locked(&merge->source, &receivers[i]->end, i, options->borrow);
	*merged = source_receiver(&merge->source);
	return DUCT_OK;
}

duct_status duct_merge_new(
    duct_receiver **merged, duct_receiver *const *receivers, size_t count, const duct_combine_options *options)
{
	if (merged == NULL || !parts_are_valid(receivers, count))
		return DUCT_INVALID;
	return merge_make(merged, receivers, count, 0, 0, options);
}

duct_status duct_merge_tagged_new(duct_receiver **merged, duct_receiver *const *receivers, size_t count, size_t size,
    size_t offset, const duct_combine_options *options)
{
	size_t ring_size;

	if (merged == NULL || !parts_are_valid(receivers, count) || !ring_measure(size, 1, &ring_size))
		return DUCT_INVALID;
	if (offset < sizeof(size_t) || offset > size || size - offset < receivers[0]->end.queue->ring.size)
		return DUCT_INVALID;
	return merge_make(merged, receivers, count, size, offset, options);
}

/* ---- Coming and going ------------------------------------------------------------------------------------------ */

static bool has_part_locked(const struct source *source, const struct end *end)
{
	for (uint32_t i = 0; i < source->part_count; i++)
		if (source->parts[i].end == end)
			return true;
	return false;
}

/*
 * Counts the parts that were added to any merge.  Two threads that add two merges to each other would each find that the other one
 * is not behind its own yet: so nothing is added if anything was since the look that allows it.
 */
static _Atomic uint32_t additions;

/* One more part, if there is room for it (else DUCT_FULL), and if so far is still how many were added (else AGAIN). */
static duct_status add_locked(struct merge *merge, struct end *end, bool borrowed, uint32_t so_far, size_t *number)
{
	struct source *source = &merge->source;

	if (atomic_load(&source->closed) || source_is_ending_locked(source))
		return DUCT_CLOSED;
	if (has_part_locked(source, end))
		return DUCT_INVALID;
	if (source->part_count == merge->room)
		return DUCT_FULL;
	if (!atomic_compare_exchange_strong(&additions, &so_far, so_far + 1))
		return AGAIN;
	*number = merge->numbered;
	source_add_locked(source, end, merge->numbered++, borrowed);
	return DUCT_OK;
}

/* Moves the parts to a larger place, if it still is larger; what is not needed any more then is for the caller to free. */
static struct part *grow_locked(struct merge *merge, struct part *larger, uint32_t room)
{
	struct part *old = merge->grown;

	if (room <= merge->room)
		return larger;
	memcpy(larger, merge->source.parts, merge->source.part_count * sizeof *larger);
	merge->source.parts = merge->grown = larger;
	merge->room = room;
	return old;
}

static bool grow(struct merge *merge)
{
	struct queue *queue = &merge->source.queue;
	struct part *larger, *old;
	uint32_t room;

	queue_lock_put(queue);
	room = merge->room;
	queue_unlock_put(queue);
	if (room > UINT32_MAX / 2 / sizeof *larger || (larger = memory_new(NULL, (size_t)2 * room * sizeof *larger)) == NULL)
		return false;
	queue_lock_both(queue);
	old = grow_locked(merge, larger, 2 * room);
	queue_unlock_both(queue);
	if (old != NULL)
		memory_free(NULL, old);
	return true;
}

static duct_status try_add(struct merge *merge, struct end *end, bool borrowed, uint32_t so_far, size_t *number)
{
	struct node *wakes = NULL;
	duct_status status;

	queue_lock_both(&merge->source.queue);
	status = add_locked(merge, end, borrowed, so_far, number);
	if (status == DUCT_OK)
		source_moved_locked(&merge->source, &wakes);
	queue_unlock_both(&merge->source.queue);
	wakes_notify(wakes);
	return status;
}

/* AGAIN: another thread added something meanwhile. */
static duct_status look_and_add(struct merge *merge, duct_receiver *receiver, bool borrowed, size_t *number)
{
	const uint32_t so_far = atomic_load(&additions);
	duct_status status;
	bool reaches;

	if ((status = resolve_reaches(receiver, &merge->source, &reaches)) != DUCT_OK || reaches)
		return reaches ? DUCT_INVALID : status;
	while ((status = try_add(merge, &receiver->end, borrowed, so_far, number)) == DUCT_FULL)
		if (!grow(merge))
			return DUCT_NOMEM;
	return status;
}

duct_status duct_merge_add(duct_receiver *merged, duct_receiver *receiver, bool borrow, size_t *number)
{
	struct merge *merge = merge_of(merged);
	duct_status status;
	size_t given = 0;

	if (merged == NULL || receiver == NULL)
		return DUCT_INVALID;
	if (merge == NULL)
		return DUCT_UNSUPPORTED;
	if (receiver->end.queue->ring.size != merge->size)
		return DUCT_INVALID;
	do
		status = look_and_add(merge, receiver, borrow, &given);
	while (status == AGAIN);
	if (status == DUCT_OK && number != NULL)
		*number = given;
	return status;
}

/* A part was taken out.  A merge that was closed gets no other: if it was the last one, there is none whose end could end it. */
static void without_part_locked(struct source *source, struct node **wakes)
{
	if (source->part_count == 0 && atomic_load(&source->closed))
		source_end_locked(source, DUCT_CLOSED, wakes);
	else
		source_moved_locked(source, wakes);
}

duct_status duct_merge_remove(duct_receiver *merged, size_t number, duct_receiver **receiver)
{
	struct merge *merge = merge_of(merged);
	struct node *wakes = NULL;
	duct_receiver *back;
	struct part part;
	bool taken, gone;

	if (merged == NULL || receiver == NULL)
		return DUCT_INVALID;
	if (merge == NULL)
		return DUCT_UNSUPPORTED;
	queue_lock_both(&merge->source.queue);
	taken = source_take_part_locked(&merge->source, number, &part);
	if (taken)
		without_part_locked(&merge->source, &wakes);
	queue_unlock_both(&merge->source.queue);
	wakes_notify(wakes);
	if (!taken)
		return DUCT_CLOSED;
	back = (duct_receiver *)(void *)part.end;
	gone = part.borrowed && duct_receiver_is_closed(back); /* its owner may have freed it */
	if (part.borrowed)
		end_unpin(part.end);
	if (gone)
		return DUCT_CLOSED;
	*receiver = back;
	return DUCT_OK;
}
