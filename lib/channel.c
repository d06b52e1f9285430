/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A channel: its life, its ends, its state.  channel.h tells what it is.
 */
#include "channel.h"

#include "memory.h"

#include <stdio.h>
#include <string.h>

/* ---- Life ------------------------------------------------------------------------------------------------------ */

static const duct_allocator *allocator_of(const duct_channel *channel)
{
	return channel->has_allocator ? &channel->allocator : NULL;
}

/* The queue of a channel's end is the channel. */
static duct_channel *channel_of(const struct end *end)
{
	return (duct_channel *)(void *)end->queue;
}

/* Nobody knows of the channel any more: what is left in the ring goes through the drop hook, where it lies. */
static void drop_leftovers(duct_channel *channel)
{
	struct ring *ring = &channel->queue.ring;
	uint32_t slot = load_relaxed(&channel->queue.take.at.slot);

	if (channel->drop == NULL)
		return;
	for (size_t left = queue_backlog(&channel->queue).len; left > 0; left--) {
		channel->drop(ring_message(ring, slot), channel->context);
		slot = (uint32_t)ring_step(ring, slot, 1);
	}
}

static void channel_unref(duct_channel *channel)
{
	int cancellation;

	if (atomic_fetch_sub(&channel->references, 1) != 1)
		return;
	cancellation = cancellation_hold();
	drop_leftovers(channel);
	cancellation_resume(cancellation);
	queue_fini(&channel->queue);
	memory_free(allocator_of(channel), channel);
}

static bool options_are_valid(const duct_options *options)
{
	if (options->size != sizeof *options || options->log_interval < 0)
		return false;
	return options->allocator == NULL || (options->allocator->allocate != NULL && options->allocator->release != NULL);
}

/* Copies the name behind the channel, or makes one from its number. */
static void channel_set_name(duct_channel *channel, char *storage, size_t size, const char *name)
{
	if (name != NULL)
		memcpy(storage, name, size);
	else
		(void)snprintf(storage, size, "%s-%lu", channel->kind, (unsigned long)channel->queue.id);
	channel->name = storage;
}

static void channel_set_options(duct_channel *channel, const duct_options *options)
{
	const int64_t interval = options->log_interval != 0 ? options->log_interval : 1000000000;

	channel->drop = options->drop;
	channel->context = options->context;
	channel->log = (struct log){ .hook = options->log,
		.context = options->context,
		.channel = channel->name,
		.interval = interval,
		.queue = &channel->queue };
}

/* One block of memory: the channel, its ring, its name. */
struct plan {
	size_t ring, name, name_size, total; /* offsets of the first two */
};

static bool plan_memory(struct plan *plan, size_t message_size, size_t capacity, const char *name)
{
	size_t ring_size;

	if (!ring_measure(message_size, capacity, &ring_size))
		return false;
	plan->name_size = name != NULL ? strlen(name) + 1 : 32;
	plan->ring = (sizeof(duct_channel) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	plan->name = plan->ring + ring_size;
	plan->total = plan->name + plan->name_size;
	return plan->total > plan->name_size;
}

duct_status channel_new(
    duct_channel **channel, const char *kind, size_t message_size, size_t capacity, const duct_options *options)
{
	const duct_options defaults = DUCT_OPTIONS_INIT;
	const duct_options *given = options != NULL ? options : &defaults;
	struct plan plan;
	unsigned char *block;
	duct_channel *made;

	if (channel == NULL || !options_are_valid(given) || !plan_memory(&plan, message_size, capacity, given->name))
		return DUCT_INVALID;
	if ((block = memory_new(given->allocator, plan.total)) == NULL)
		return DUCT_NOMEM;
	made = (duct_channel *)(void *)block;
	memset(made, 0, sizeof *made);
	made->has_allocator = given->allocator != NULL;
	if (made->has_allocator)
		made->allocator = *given->allocator;
	if (!queue_init(&made->queue, message_size, capacity, block + plan.ring, given->log ? &made->log : NULL)) {
		memory_free(given->allocator, made);
		return DUCT_NOMEM;
	}
	made->kind = kind;
	channel_set_name(made, (char *)block + plan.name, plan.name_size, given->name);
	channel_set_options(made, given);
	atomic_init(&made->references, 1);
	atomic_init(&made->handles, 1);
	*channel = made;
	return DUCT_OK;
}

/* ---- Closing, under both locks --------------------------------------------------------------------------------- */

static bool is_closed(const duct_channel *channel)
{
	return load_acquire(&channel->queue.take.at.ended) != DUCT_OK;
}

static void close_locked(duct_channel *channel, int reason, struct node **wakes)
{
	if (is_closed(channel))
		return;
	atomic_store(&channel->reason, reason);
	queue_mark_puts_locked(&channel->queue, DUCT_CLOSED);
	queue_mark_takes_locked(&channel->queue);
	queue_stop_waits_locked(&channel->queue, wakes);
}

/* After a handle or an end has come or gone: draws the consequences. */
static void settle_locked(duct_channel *channel, struct node **wakes)
{
	if (channel->handles == 0 && channel->senders == 0)
		close_locked(channel, 0, wakes);
	if (is_closed(channel))
		return;
	if (channel->receivers > 0 || (channel->handles > 0 && !channel->was_received))
		queue_mark_puts_locked(&channel->queue, DUCT_OK);
	else
		queue_mark_puts_locked(&channel->queue, DUCT_NO_RECEIVERS);
	queue_stop_waits_locked(&channel->queue, wakes);
}

/*
 * What is queued when nobody holds what it takes to receive, now or later, and has to be dropped; nothing otherwise.  What is
 * sent after that, because somebody borrowed a handle from a sender and made one more, stays.
 */
static struct backlog orphans_locked(const duct_channel *channel)
{
	if (channel->handles > 0 || channel->receivers > 0)
		return (struct backlog){ .len = 0 };
	return queue_backlog_locked(&channel->queue);
}

static duct_status discard_backlog(duct_channel *channel, struct backlog backlog, size_t *discarded);

/* With no lock: without the memory for it they stay until the last reference goes. */
static void drop_orphans(duct_channel *channel, struct backlog orphans)
{
	if (orphans.len > 0)
		(void)discard_backlog(channel, orphans, NULL);
}

/* ---- Handles of the channel ------------------------------------------------------------------------------------ */

duct_status duct_channel_clone(duct_channel *channel, duct_channel **clone)
{
	struct node *wakes = NULL;

	if (channel == NULL || clone == NULL)
		return DUCT_INVALID;
	atomic_fetch_add(&channel->references, 1);
	queue_lock_both(&channel->queue);
	channel->handles++;
	settle_locked(channel, &wakes);
	queue_unlock_both(&channel->queue);
	wakes_notify(wakes);
	*clone = channel;
	return DUCT_OK;
}

void duct_channel_free(duct_channel *channel)
{
	struct node *wakes = NULL;
	struct backlog orphans;

	if (channel == NULL)
		return;
	queue_lock_both(&channel->queue);
	channel->handles--;
	settle_locked(channel, &wakes);
	orphans = orphans_locked(channel);
	queue_unlock_both(&channel->queue);
	wakes_notify(wakes);
	drop_orphans(channel, orphans);
	channel_unref(channel);
}

void duct_channel_close(duct_channel *channel, int reason)
{
	struct node *wakes = NULL;

	if (channel == NULL)
		return;
	queue_lock_both(&channel->queue);
	close_locked(channel, reason, &wakes);
	queue_unlock_both(&channel->queue);
	wakes_notify(wakes);
}

/* ---- Discard --------------------------------------------------------------------------------------------------- */

#define TRAY_SIZE 1024

/* Takes messages in handfuls to a tray that holds so many, and drops them there, without a lock. */
static size_t discard_through(duct_channel *channel, size_t end, unsigned char *tray, size_t holds)
{
	size_t discarded = 0, handful;

	while ((handful = queue_discard(&channel->queue, end, tray, holds)) > 0) {
		for (size_t i = 0; i < handful; i++)
			channel->drop(ring_nth(&channel->queue.ring, tray, i), channel->context);
		discarded += handful;
	}
	return discarded;
}

static duct_status discard_with_hook(duct_channel *channel, size_t end, size_t *discarded)
{
	_Alignas(max_align_t) unsigned char stack[TRAY_SIZE];
	size_t size = channel->queue.ring.size;
	void *heap;

	if (size <= TRAY_SIZE) {
		*discarded = discard_through(channel, end, stack, size != 0 ? TRAY_SIZE / size : TRAY_SIZE);
		return DUCT_OK;
	}
	if ((heap = memory_new(allocator_of(channel), size)) == NULL)
		return DUCT_NOMEM;
	*discarded = discard_through(channel, end, heap, 1);
	memory_free(allocator_of(channel), heap);
	return DUCT_OK;
}

static duct_status discard_backlog(duct_channel *channel, struct backlog backlog, size_t *discarded)
{
	duct_status status = DUCT_OK;
	size_t done = 0;
	int cancellation = cancellation_hold();

	atomic_fetch_add(&channel->references, 1);
	if (channel->drop == NULL)
		done = queue_discard(&channel->queue, backlog.end, NULL, backlog.len);
	else if (backlog.len > 0)
		status = discard_with_hook(channel, backlog.end, &done);
	channel_unref(channel);
	cancellation_resume(cancellation);
	if (status == DUCT_OK && discarded != NULL)
		*discarded = done;
	return status;
}

duct_status duct_channel_discard(duct_channel *channel, size_t *discarded)
{
	if (channel == NULL)
		return DUCT_INVALID;
	return discard_backlog(channel, queue_backlog(&channel->queue), discarded); /* what comes later is not thrown away */
}

/* ---- Ends ------------------------------------------------------------------------------------------------------ */

static void destroy_end(struct end *end)
{
	duct_channel *channel = channel_of(end);

	memory_free(allocator_of(channel), end);
	channel_unref(channel);
}

/* Counts a new end of the channel, if it may have one: from is the end that is cloned, or NULL. */
static duct_status open_end(duct_channel *channel, const struct end *from, bool is_send)
{
	struct node *wakes = NULL;
	duct_status status = DUCT_OK;

	queue_lock_both(&channel->queue);
	if ((from != NULL && from->closed) || (is_send && is_closed(channel))) {
		status = DUCT_CLOSED;
	} else if (is_send) {
		channel->senders++;
	} else {
		channel->receivers++;
		channel->was_received = true;
	}
	settle_locked(channel, &wakes);
	queue_unlock_both(&channel->queue);
	wakes_notify(wakes);
	return status;
}

/* Makes an end in memory for a handle, in which the end comes first. */
static duct_status end_new(duct_channel *channel, const struct end *from, bool is_send, void **handle)
{
	struct end *end = memory_new(allocator_of(channel), sizeof *end);
	duct_status status;

	if (end == NULL)
		return DUCT_NOMEM;
	end_init(end, &channel->queue, destroy_end);
	atomic_fetch_add(&channel->references, 1); /* before the new end can be seen to exist */
	status = open_end(channel, from, is_send);
	if (status == DUCT_OK)
		*handle = end;
	else
		destroy_end(end);
	return status;
}

static void end_close(struct end *end, bool is_send)
{
	duct_channel *channel = channel_of(end);
	struct node *wakes = NULL;
	struct backlog orphans = { .len = 0 };

	end_pin(end); /* the handle may go once others see that it is closed */
	queue_lock_both(&channel->queue);
	if (!end->closed) {
		end_mark_locked(end);
		if (is_send)
			channel->senders--;
		else
			channel->receivers--;
		settle_locked(channel, &wakes);
		end_stop_waits_locked(end, is_send, &wakes);
		orphans = orphans_locked(channel);
	}
	queue_unlock_both(&channel->queue);
	wakes_notify(wakes);
	drop_orphans(channel, orphans);
	end_unpin(end);
}

static duct_status sender_make(duct_channel *channel, const struct end *from, duct_sender **sender)
{
	void *handle;
	duct_status status = end_new(channel, from, true, &handle);

	if (status == DUCT_OK)
		*sender = handle;
	return status;
}

static duct_status receiver_make(duct_channel *channel, const struct end *from, duct_receiver **receiver)
{
	void *handle;
	duct_status status = end_new(channel, from, false, &handle);

	if (status == DUCT_OK)
		*receiver = handle;
	return status;
}

duct_status duct_sender_new(duct_channel *channel, duct_sender **sender)
{
	return channel != NULL && sender != NULL ? sender_make(channel, NULL, sender) : DUCT_INVALID;
}

duct_status duct_receiver_new(duct_channel *channel, duct_receiver **receiver)
{
	return channel != NULL && receiver != NULL ? receiver_make(channel, NULL, receiver) : DUCT_INVALID;
}

duct_status duct_sender_clone(duct_sender *sender, duct_sender **clone)
{
	if (sender == NULL || clone == NULL)
		return DUCT_INVALID;
	return sender_make(channel_of(&sender->end), &sender->end, clone);
}

duct_status duct_receiver_clone(duct_receiver *receiver, duct_receiver **clone)
{
	if (receiver == NULL || clone == NULL)
		return DUCT_INVALID;
	return receiver_make(channel_of(&receiver->end), &receiver->end, clone);
}

void duct_sender_close(duct_sender *sender)
{
	if (sender != NULL)
		end_close(&sender->end, true);
}

void duct_receiver_close(duct_receiver *receiver)
{
	if (receiver != NULL)
		end_close(&receiver->end, false);
}

void duct_sender_free(duct_sender *sender)
{
	if (sender == NULL)
		return;
	end_close(&sender->end, true);
	end_unpin(&sender->end);
}

void duct_receiver_free(duct_receiver *receiver)
{
	if (receiver == NULL)
		return;
	end_close(&receiver->end, false);
	end_unpin(&receiver->end);
}

bool duct_sender_is_closed(const duct_sender *sender)
{
	return sender == NULL || load_acquire(&sender->end.closed);
}

bool duct_receiver_is_closed(const duct_receiver *receiver)
{
	return receiver == NULL || load_acquire(&receiver->end.closed);
}

duct_channel *duct_sender_channel(const duct_sender *sender)
{
	return sender != NULL ? channel_of(&sender->end) : NULL;
}

duct_channel *duct_receiver_channel(const duct_receiver *receiver)
{
	return receiver != NULL ? channel_of(&receiver->end) : NULL;
}

/* ---- State ----------------------------------------------------------------------------------------------------- */

bool duct_channel_is_closed(const duct_channel *channel)
{
	return channel != NULL && is_closed(channel);
}

int duct_channel_reason(const duct_channel *channel)
{
	/* The reason is stored ahead of the closing, which it must not be seen before. */
	return channel != NULL && is_closed(channel) ? atomic_load(&channel->reason) : 0;
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
	return channel != NULL ? queue_backlog(queue_of(channel)).len : 0;
}

bool duct_channel_is_full(const duct_channel *channel)
{
	return channel != NULL && duct_channel_len(channel) == channel->queue.ring.capacity;
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
	return channel != NULL ? queue_count_waiting(queue_of(channel), false) : 0;
}

const char *duct_channel_name(const duct_channel *channel)
{
	return channel != NULL ? channel->name : "";
}

size_t duct_channel_describe(const duct_channel *channel, char *buffer, size_t size)
{
	char state[32] = "open";
	int length;

	if (buffer == NULL)
		size = 0;
	if (channel == NULL)
		return (size_t)snprintf(buffer, size, "%s", "");
	if (duct_channel_is_closed(channel))
		(void)snprintf(state, sizeof state, "closed (%d)", duct_channel_reason(channel));
	length = snprintf(buffer, size,
	    "%s %s: %zu of %zu messages of %zu bytes, %zu senders (%zu waiting), "
	    "%zu receivers (%zu waiting), %s",
	    channel->kind, channel->name, duct_channel_len(channel), duct_channel_capacity(channel),
	    duct_channel_message_size(channel), duct_channel_senders(channel), duct_channel_waiting_senders(channel),
	    duct_channel_receivers(channel), duct_channel_waiting_receivers(channel), state);
	return length > 0 ? (size_t)length : 0;
}
