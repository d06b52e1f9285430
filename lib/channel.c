/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A channel: its life, its handles, its state.  channel.h tells what it is.
 */
#include "channel.h"

#include "memory.h"

#include <stdio.h>
#include <string.h>

/* ---- Life ------------------------------------------------------------------------------------------------------ */

void channel_ref(duct_channel *channel)
{
	atomic_fetch_add(&channel->references, 1);
}

void channel_unref(duct_channel *channel)
{
	if (atomic_fetch_sub(&channel->references, 1) != 1)
		return;
	queue_drop_leftovers(&channel->queue, &channel->hooks);
	if (channel->fan != NULL)
		fan_fini(channel->fan);
	queue_fini(&channel->queue);
	memory_free(channel->hooks.allocator, channel);
}

static bool options_are_valid(const duct_options *options, bool is_broadcast)
{
	if (options->size != sizeof *options || options->log_interval < 0)
		return false;
	if (is_broadcast && ((unsigned)options->unheard > DUCT_UNHEARD_WAIT || options->replay > UINT32_MAX))
		return false;
	return options->allocator == NULL || (options->allocator->allocate != NULL && options->allocator->release != NULL);
}

static void set_options(duct_channel *channel, const struct channel_plan *plan, const duct_options *options)
{
	channel->hooks = (struct hooks){ .size = plan->message_size,
		.drop = options->drop,
		.copy = options->copy,
		.log = options->log,
		.log_interval = options->log_interval != 0 ? options->log_interval : 1000000000,
		.context = options->context };
	if (options->allocator != NULL) {
		channel->allocator = *options->allocator;
		channel->hooks.allocator = &channel->allocator;
	}
	channel->log = (struct log){ .hook = options->log,
		.context = options->context,
		.channel = channel->name,
		.blocked = plan->is_broadcast ? "a sender waits until there are receivers that all have room"
		                              : "full, a sender waits until a message is received",
		.interval = channel->hooks.log_interval,
		.queue = &channel->queue };
}

/* One block of memory: the channel, its fan, its ring, its name. */
struct layout {
	size_t fan, ring, name, name_size, total; /* offsets of the first three */
};

_Static_assert(sizeof(duct_channel) % CACHE_LINE == 0 && sizeof(struct fan) % CACHE_LINE == 0, "the ring has to be aligned");

static bool layout_memory(struct layout *layout, const struct channel_plan *plan, const char *name)
{
	size_t ring_size;

	if (!ring_measure(plan->message_size, plan->capacity, &ring_size))
		return false;
	layout->name_size = name != NULL ? strlen(name) + 1 : 32;
	layout->fan = sizeof(duct_channel);
	layout->ring = layout->fan + (plan->is_broadcast ? sizeof(struct fan) : 0);
	layout->name = layout->ring + ring_size;
	layout->total = layout->name + layout->name_size;
	return layout->total > layout->name_size;
}

static void receiver_left(struct duct_channel *channel, struct node **wakes);

duct_status channel_new(duct_channel **channel, const struct channel_plan *plan)
{
	const duct_options defaults = DUCT_OPTIONS_INIT;
	const duct_options *given = plan->options != NULL ? plan->options : &defaults;
	struct layout layout;
	unsigned char *block;
	duct_channel *made;

	if (channel == NULL || !options_are_valid(given, plan->is_broadcast) || !layout_memory(&layout, plan, given->name))
		return DUCT_INVALID;
	if ((block = memory_new(given->allocator, layout.total)) == NULL)
		return DUCT_NOMEM;
	made = (duct_channel *)(void *)block;
	memset(made, 0, sizeof *made);
	if (!queue_init(&made->queue, plan->message_size, plan->capacity, block + layout.ring, NULL)) {
		memory_free(given->allocator, made);
		return DUCT_NOMEM;
	}
	made->kind = plan->kind;
	made->closes_itself = plan->closes_itself;
	made->once = plan->once;
	made->name = (char *)block + layout.name;
	name_write((char *)block + layout.name, layout.name_size, given->name, plan->kind, made->queue.id);
	set_options(made, plan, given);
	atomic_init(&made->references, 1);
	atomic_init(&made->handles, 1);
	if (plan->is_broadcast) {
		made->fan = (struct fan *)(void *)(block + layout.fan);
		fan_init(made->fan, &made->queue, made, &made->hooks,
		    (struct fan_owner){ .keep = channel_ref, .release = channel_unref, .receiver_left = receiver_left },
		    given->unheard);
		if (fan_set_replay(made->fan, given->replay) != DUCT_OK) {
			channel_unref(made);
			return DUCT_NOMEM;
		}
	}
	*channel = made;
	return DUCT_OK;
}

/* ---- Closing, under both locks --------------------------------------------------------------------------------- */

static void close_locked(duct_channel *channel, int reason, struct node **wakes)
{
	if (channel_is_closed(channel))
		return;
	atomic_store(&channel->reason, reason);
	queue_mark_puts_locked(&channel->queue, DUCT_CLOSED);
	queue_mark_takes_locked(&channel->queue, DUCT_CLOSED);
	if (channel->fan != NULL)
		fan_close_locked(channel->fan, wakes);
	queue_stop_waits_locked(&channel->queue, wakes);
}

/* What a send comes to when there is no receiver. */
static duct_status unheard(const duct_channel *channel)
{
	if (channel->fan != NULL)
		return channel->fan->unheard == DUCT_UNHEARD_FAIL ? DUCT_NO_RECEIVERS : DUCT_OK;
	return channel->handles > 0 && !channel->was_received ? DUCT_OK : DUCT_NO_RECEIVERS;
}

/* After a handle or an end has come or gone: draws the consequences. */
static void settle_locked(duct_channel *channel, struct node **wakes)
{
	const bool deserted = channel->receivers == 0 && channel->was_received && channel->closes_itself;

	if (deserted || (channel->handles == 0 && channel->senders == 0))
		close_locked(channel, 0, wakes);
	if (channel_is_closed(channel))
		return;
	queue_mark_puts_locked(&channel->queue, channel->receivers > 0 ? DUCT_OK : unheard(channel));
	queue_stop_waits_locked(&channel->queue, wakes);
}

static void receiver_left(struct duct_channel *channel, struct node **wakes)
{
	channel->receivers--;
	settle_locked(channel, wakes);
}

/*
 * What is queued when nobody holds what it takes to receive, now or later, and has to be dropped; nothing otherwise.  What is
 * sent after that, because somebody borrowed a handle from a sender and made one more, stays.  (A broadcast's messages are with
 * its receivers.)
 */
static struct backlog orphans_locked(const duct_channel *channel)
{
	if (channel->handles > 0 || channel->receivers > 0)
		return (struct backlog){ .len = 0 };
	return queue_backlog_locked(&channel->queue);
}

/* ---- Changes --------------------------------------------------------------------------------------------------- */

void channel_begin(duct_channel *channel, struct change *change)
{
	*change = (struct change){ .wakes = NULL };
	queue_lock_both(&channel->queue);
}

void channel_settle_locked(duct_channel *channel, struct change *change)
{
	settle_locked(channel, &change->wakes);
}

void channel_settle_less_locked(duct_channel *channel, struct change *change)
{
	settle_locked(channel, &change->wakes);
	change->orphans = orphans_locked(channel);
}

static duct_status discard(duct_channel *channel, struct backlog backlog, size_t *discarded);

/* Without the memory for it orphans stay until the last reference goes. */
void channel_finish(duct_channel *channel, struct change *change)
{
	const bool forgot = channel->fan != NULL && channel->fan->forgotten.kept != NULL;

	if (forgot)
		channel_ref(channel); /* whoever is told of the close may give back the rest */
	queue_unlock_both(&channel->queue);
	wakes_notify(change->wakes);
	if (change->orphans.len > 0)
		(void)discard(channel, change->orphans, NULL);
	if (forgot) {
		fan_drop_forgotten(channel->fan);
		channel_unref(channel);
	}
}

/* ---- Handles of the channel ------------------------------------------------------------------------------------ */

duct_status duct_channel_clone(duct_channel *channel, duct_channel **clone)
{
	struct change change;

	if (channel == NULL || clone == NULL)
		return DUCT_INVALID;
	channel_ref(channel);
	channel_begin(channel, &change);
	channel->handles++;
	channel_settle_locked(channel, &change);
	channel_finish(channel, &change);
	*clone = channel;
	return DUCT_OK;
}

void duct_channel_free(duct_channel *channel)
{
	struct change change;

	if (channel == NULL)
		return;
	channel_begin(channel, &change);
	channel->handles--;
	channel_settle_less_locked(channel, &change);
	channel_finish(channel, &change);
	channel_unref(channel);
}

void duct_channel_close(duct_channel *channel, int reason)
{
	struct change change;

	if (channel == NULL)
		return;
	channel_begin(channel, &change);
	close_locked(channel, reason, &change.wakes);
	channel_finish(channel, &change);
}

/* ---- Discard --------------------------------------------------------------------------------------------------- */

#define HAND_BYTES 1024

/* Where messages are dropped: as many at a time as it holds.  Without a drop hook it needs no memory, and holds all. */
struct hand {
	unsigned char *items;
	size_t holds;
	_Alignas(max_align_t) unsigned char few[HAND_BYTES];
};

static bool hand_init(struct hand *hand, const struct hooks *hooks)
{
	const size_t size = hooks->size != 0 ? hooks->size : 1;

	hand->items = hooks->drop == NULL ? NULL : size <= HAND_BYTES ? hand->few : memory_new(hooks->allocator, size);
	hand->holds = hooks->drop == NULL ? SIZE_MAX : size <= HAND_BYTES ? HAND_BYTES / size : 1;
	return hooks->drop == NULL || hand->items != NULL;
}

static void hand_fini(struct hand *hand, const struct hooks *hooks)
{
	if (hand->items != NULL && hand->items != hand->few)
		memory_free(hooks->allocator, hand->items);
}

/* Takes out what the queue held at that moment, by handfuls, and drops it, without a lock; tally as of queue_discard. */
static size_t drop_backlog(
    struct hand *hand, const struct hooks *hooks, struct queue *queue, struct backlog backlog, uint64_t *tally)
{
	size_t discarded = 0, handful;

	while ((handful = queue_discard(queue, backlog.end, hand->items, hand->holds, tally)) > 0) {
		for (size_t i = 0; hand->items != NULL && i < handful; i++)
			hooks_drop(hooks, ring_nth(&queue->ring, hand->items, i));
		discarded += handful;
	}
	return discarded;
}

/* Of each receiver, one after the other. */
static size_t drop_backlogs(struct hand *hand, duct_channel *channel)
{
	size_t discarded = 0;
	struct member *member;

	for (uint64_t number = 0; (member = fan_next(channel->fan, number)) != NULL; end_unpin(&member->end)) {
		struct queue *queue = &member->queue;

		number = member->number;
		discarded += drop_backlog(hand, &channel->hooks, queue, queue_backlog(queue), &member->discarded);
	}
	return discarded;
}

static duct_status discard(duct_channel *channel, struct backlog backlog, size_t *discarded)
{
	struct hand hand;
	size_t done = 0;
	int cancellation;

	if (channel->fan == NULL && backlog.len == 0) {
		if (discarded != NULL)
			*discarded = 0;
		return DUCT_OK;
	}
	if (!hand_init(&hand, &channel->hooks))
		return DUCT_NOMEM;
	channel_ref(channel);
	cancellation = cancellation_hold();
	if (channel->fan != NULL)
		done = drop_backlogs(&hand, channel);
	else
		done = drop_backlog(&hand, &channel->hooks, &channel->queue, backlog, NULL);
	hand_fini(&hand, &channel->hooks);
	channel_unref(channel);
	cancellation_resume(cancellation);
	if (discarded != NULL)
		*discarded = done;
	return DUCT_OK;
}

duct_status duct_channel_discard(duct_channel *channel, size_t *discarded)
{
	if (channel == NULL)
		return DUCT_INVALID;
	return discard(channel, queue_backlog(&channel->queue), discarded); /* what comes later is not thrown away */
}

/* ---- State ----------------------------------------------------------------------------------------------------- */

bool duct_channel_is_closed(const duct_channel *channel)
{
	return channel != NULL && channel_is_closed(channel);
}

int duct_channel_reason(const duct_channel *channel)
{
	/* The reason is stored ahead of the closing, which it must not be seen before. */
	return channel != NULL && channel_is_closed(channel) ? atomic_load(&channel->reason) : 0;
}

size_t duct_channel_capacity(const duct_channel *channel)
{
	return channel != NULL ? channel->queue.ring.capacity : 0;
}

size_t duct_channel_message_size(const duct_channel *channel)
{
	return channel != NULL ? channel->queue.ring.size : 0;
}

/* To look at a queue its locks are taken, which are no part of what a const channel promises to keep. */
static struct queue *queue_of(const duct_channel *channel)
{
	return (struct queue *)&channel->queue;
}

size_t duct_channel_len(const duct_channel *channel)
{
	if (channel == NULL)
		return 0;
	return channel->fan != NULL ? fan_len(channel->fan) : queue_backlog(queue_of(channel)).len;
}

bool duct_channel_is_full(const duct_channel *channel)
{
	if (channel == NULL)
		return false;
	return channel->fan != NULL ? fan_is_full(channel->fan) : duct_channel_len(channel) == channel->queue.ring.capacity;
}

bool duct_channel_is_empty(const duct_channel *channel)
{
	return channel != NULL && duct_channel_len(channel) == 0;
}

size_t duct_channel_senders(const duct_channel *channel)
{
	return channel != NULL ? atomic_load(&channel->senders) : 0;
}

size_t duct_channel_receivers(const duct_channel *channel)
{
	return channel != NULL ? atomic_load(&channel->receivers) : 0;
}

size_t duct_channel_waiting_senders(const duct_channel *channel)
{
	return channel != NULL ? queue_count_waiting(queue_of(channel), true) : 0;
}

size_t duct_channel_waiting_receivers(const duct_channel *channel)
{
	if (channel == NULL)
		return 0;
	return channel->fan != NULL ? fan_count_waiting_receivers(channel->fan) : queue_count_waiting(queue_of(channel), false);
}

const char *duct_channel_name(const duct_channel *channel)
{
	return channel != NULL ? channel->name : "";
}

size_t duct_channel_describe(const duct_channel *channel, char *buffer, size_t size)
{
	char state[32] = "open", capacity[32] = "";
	int length;

	if (buffer == NULL)
		size = 0;
	if (channel == NULL)
		return (size_t)snprintf(buffer, size, "%s", "");
	if (duct_channel_is_closed(channel))
		(void)snprintf(state, sizeof state, "closed (%d)", duct_channel_reason(channel));
	if (channel->fan == NULL)
		(void)snprintf(capacity, sizeof capacity, " of %zu", duct_channel_capacity(channel));
	length = snprintf(buffer, size,
	    "%s %s: %zu%s messages of %zu bytes, %zu senders (%zu waiting), "
	    "%zu receivers (%zu waiting), %s",
	    channel->kind, channel->name, duct_channel_len(channel), capacity, duct_channel_message_size(channel),
	    duct_channel_senders(channel), duct_channel_waiting_senders(channel), duct_channel_receivers(channel),
	    duct_channel_waiting_receivers(channel), state);
	return length > 0 ? (size_t)length : 0;
}
