/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Map, filter and their like: sources with one part and a step.
 *
 * The step is called by the thread that receives, without a lock, after the message was taken; so threads that receive from one
 * such source at once call it at once, each with its own message.  What a step remembers from message to message is exchanged
 * under a lock or in one word, so that it is always whole; in which order is for the threads.
 */
#include "memory.h"
#include "resolve.h"

/* [I] fixed when made; [m] under lock; [a] atomic. */
struct step {
	struct source source;
	duct_map map;           /* [I] one of these */
	duct_filter filter;     /* [I] */
	duct_filter_map both;   /* [I] */
	duct_compare compare;   /* [I] */
	void *context;          /* [I] */
	bool first;             /* [I] what to do with a message that none was ahead of */
	_Atomic bool past;      /* [a] drop_while: the predicate was false once */
	pthread_mutex_t lock;   /* of a compare */
	void *previous, *spare; /* [m] memory for the last message that was looked at, and for one more; or NULL */
	bool has_previous;      /* [m] */
};

static struct step *step_behind(struct source *source)
{
	return (struct step *)(void *)source;
}

/* ---- Without memory -------------------------------------------------------------------------------------------- */

static enum verdict map_step(struct source *source, size_t part, void *from, void *to)
{
	const struct step *step = step_behind(source);

	(void)part;
	step->map(to, from, step->context);
	return STEP_MADE;
}

static enum verdict filter_step(struct source *source, size_t part, void *from, void *to)
{
	const struct step *step = step_behind(source);

	(void)part;
	(void)to;
	return step->filter(from, step->context) ? STEP_KEEP : STEP_SKIP;
}

static enum verdict filter_map_step(struct source *source, size_t part, void *from, void *to)
{
	const struct step *step = step_behind(source);

	(void)part;
	return step->both(to, from, step->context) ? STEP_MADE : STEP_SKIP;
}

static enum verdict take_while_step(struct source *source, size_t part, void *from, void *to)
{
	return filter_step(source, part, from, to) == STEP_KEEP ? STEP_KEEP : STEP_END;
}

static enum verdict drop_while_step(struct source *source, size_t part, void *from, void *to)
{
	struct step *step = step_behind(source);

	if (atomic_load(&step->past))
		return STEP_KEEP;
	if (filter_step(source, part, from, to) == STEP_KEEP)
		return STEP_SKIP;
	atomic_store(&step->past, true);
	return STEP_KEEP;
}

static const struct source_kind map_kind = { .name = "map", .step = map_step };
static const struct source_kind filter_kind = { .name = "filter", .step = filter_step, .selective = true };
static const struct source_kind filter_map_kind = { .name = "filter-map", .step = filter_map_step, .selective = true };
static const struct source_kind take_while_kind = { .name = "take-while", .step = take_while_step, .selective = true };
static const struct source_kind drop_while_kind = { .name = "drop-while", .step = drop_while_step, .selective = true };

/* ---- With the previous message --------------------------------------------------------------------------------- */

static void *take_spare(struct step *step)
{
	void *spare;

	mutex_lock(&step->lock);
	spare = step->spare;
	step->spare = NULL;
	mutex_unlock(&step->lock);
	return spare != NULL ? spare : memory_new(NULL, step->source.hooks.size);
}

static void give_spare(struct step *step, void *spare)
{
	mutex_lock(&step->lock);
	if (step->spare == NULL) {
		step->spare = spare;
		spare = NULL;
	}
	mutex_unlock(&step->lock);
	if (spare != NULL)
		memory_free(NULL, spare);
}

/* What was the previous message, and whether there was one; the memory's copy, if there is one, takes its place. */
static void *exchange_previous(struct step *step, void *copy, bool has_copy, bool *has_old)
{
	void *old;

	mutex_lock(&step->lock);
	old = step->previous;
	*has_old = step->has_previous;
	step->previous = copy;
	step->has_previous = has_copy;
	mutex_unlock(&step->lock);
	return old;
}

/* Without memory, or a copy, the next message is a first one again; threads that receive one after the other need none. */
static enum verdict compare_step(struct source *source, size_t part, void *from, void *to)
{
	struct step *step = step_behind(source);
	void *copy = take_spare(step), *old;
	bool has_old, keep = step->first;

	(void)part;
	(void)to;
	old = exchange_previous(step, copy, copy != NULL && hooks_copy(&source->hooks, copy, from), &has_old);
	if (has_old) {
		keep = step->compare(old, from, step->context);
		hooks_drop(&source->hooks, old);
	}
	if (old != NULL)
		give_spare(step, old);
	return keep ? STEP_KEEP : STEP_SKIP;
}

static void compare_destroy(struct source *source)
{
	struct step *step = step_behind(source);

	if (step->has_previous)
		hooks_drop(&source->hooks, step->previous);
	if (step->previous != NULL)
		memory_free(NULL, step->previous);
	if (step->spare != NULL)
		memory_free(NULL, step->spare);
	pthread_mutex_destroy(&step->lock);
}

static const struct source_kind compare_kind = {
	.name = "with-previous", .step = compare_step, .selective = true, .destroy = compare_destroy
};

/* ---- Making ---------------------------------------------------------------------------------------------------- */

/* What a step that compares needs more: its lock, and memory so that one thread never needs any later. */
static bool compare_init(struct step *step)
{
	void *first = memory_new(NULL, step->source.hooks.size), *second = memory_new(NULL, step->source.hooks.size);

	if (first != NULL && second != NULL && pthread_mutex_init(&step->lock, NULL) == 0) {
		step->previous = first;
		step->spare = second;
		return true;
	}
	if (first != NULL)
		memory_free(NULL, first);
	if (second != NULL)
		memory_free(NULL, second);
	return false;
}

/* What to do with messages that are of another type than the part's; or those of the part. */
static bool find_hooks(
    struct hooks *hooks, const duct_receiver *receiver, const size_t *size, const duct_combine_options *options)
{
	size_t ring_size;

	*hooks = size != NULL ? source_hooks(options, *size) : *end_hooks(&receiver->end);
	return ring_measure(hooks->size, 1, &ring_size);
}

/* Makes a step with the functions of the pattern, for messages of that size (NULL: of the part's). */
static duct_status step_new(duct_receiver **made, duct_receiver *receiver, const struct source_kind *kind, const size_t *size,
    const struct step *pattern, const duct_combine_options *options)
{
	const duct_combine_options defaults = DUCT_COMBINE_OPTIONS_INIT;
	struct source_plan plan = { .kind = kind, .size = sizeof(struct step), .capacity = 1, .part_room = 1 };
	struct step *step;

	if (options == NULL)
		options = &defaults;
	if (made == NULL || receiver == NULL || options->size != sizeof *options ||
	    !find_hooks(&plan.hooks, receiver, size, options))
		return DUCT_INVALID;
	plan.name = options->name;
	if ((step = source_new(&plan)) == NULL)
		return DUCT_NOMEM;
	step->map = pattern->map;
	step->filter = pattern->filter;
	step->both = pattern->both;
	step->compare = pattern->compare;
	step->context = pattern->context;
	step->first = pattern->first;
	if (step->compare != NULL && !compare_init(step)) {
		source_give_up(&step->source);
		return DUCT_NOMEM;
	}
	source_add_locked(&step->source, &receiver->end, 0, options->borrow);
	*made = source_receiver(&step->source);
	return DUCT_OK;
}

duct_status duct_map_new(duct_receiver **mapped, duct_receiver *receiver, size_t size, duct_map map, void *context,
    const duct_combine_options *options)
{
	if (map == NULL)
		return DUCT_INVALID;
	return step_new(mapped, receiver, &map_kind, &size, &(struct step){ .map = map, .context = context }, options);
}

duct_status duct_filter_map_new(duct_receiver **mapped, duct_receiver *receiver, size_t size, duct_filter_map both,
    void *context, const duct_combine_options *options)
{
	if (both == NULL)
		return DUCT_INVALID;
	return step_new(mapped, receiver, &filter_map_kind, &size, &(struct step){ .both = both, .context = context }, options);
}

static duct_status filter_new(duct_receiver **made, duct_receiver *receiver, const struct source_kind *kind, duct_filter filter,
    void *context, const duct_combine_options *options)
{
	if (filter == NULL)
		return DUCT_INVALID;
	return step_new(made, receiver, kind, NULL, &(struct step){ .filter = filter, .context = context }, options);
}

duct_status duct_filter_new(
    duct_receiver **filtered, duct_receiver *receiver, duct_filter keep, void *context, const duct_combine_options *options)
{
	return filter_new(filtered, receiver, &filter_kind, keep, context, options);
}

duct_status duct_take_while_new(
    duct_receiver **taken, duct_receiver *receiver, duct_filter keep, void *context, const duct_combine_options *options)
{
	return filter_new(taken, receiver, &take_while_kind, keep, context, options);
}

duct_status duct_drop_while_new(
    duct_receiver **rest, duct_receiver *receiver, duct_filter drop, void *context, const duct_combine_options *options)
{
	return filter_new(rest, receiver, &drop_while_kind, drop, context, options);
}

duct_status duct_with_previous_new(duct_receiver **filtered, duct_receiver *receiver, duct_compare keep, void *context,
    bool keep_first, const duct_combine_options *options)
{
	if (keep == NULL)
		return DUCT_INVALID;
	return step_new(filtered, receiver, &compare_kind, NULL,
	    &(struct step){ .compare = keep, .context = context, .first = keep_first }, options);
}
