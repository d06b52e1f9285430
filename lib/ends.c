/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Ends: making, closing and freeing them.  ends.h tells what they are.
 */
#include "ends.h"

#include "memory.h"
#include "resolve.h"

#include <stdio.h>
#include <string.h>

/* ---- Ends of the channel's own queue --------------------------------------------------------------------------- */

static void destroy_end(struct end *end)
{
	duct_channel *channel = end->channel;

	memory_free(channel->hooks.allocator, end);
	channel_unref(channel);
}

/* With both locks: a sender or an anycast receiver is marked, a member has left. */
static bool end_is_closed_locked(const duct_channel *channel, const struct end *end)
{
	if (end->queue != &channel->queue)
		return !((const struct member *)(const void *)end)->joined;
	return (load_relaxed(&end->flags) & END_CLOSED) != 0;
}

/* Whether an end may be made, of the channel or from that end of it. */
static duct_status may_open_locked(const duct_channel *channel, const struct end *from, bool is_send)
{
	const bool from_is_closed = from != NULL && end_is_closed_locked(channel, from);

	return from_is_closed || (is_send && channel_is_closed(channel)) ? DUCT_CLOSED : DUCT_OK;
}

/* Counts a new end of the channel, if it may have one. */
static duct_status open_end(duct_channel *channel, const struct end *from, bool is_send)
{
	struct change change;
	duct_status status;

	channel_begin(channel, &change);
	status = may_open_locked(channel, from, is_send);
	if (status == DUCT_OK && is_send) {
		channel->senders++;
	} else if (status == DUCT_OK) {
		channel->receivers++;
		channel->was_received = true;
	}
	channel_settle_locked(channel, &change);
	channel_finish(channel, &change);
	return status;
}

/* Makes an end in memory for a handle, in which the end comes first. */
static duct_status end_new(duct_channel *channel, const struct end *from, bool is_send, void **handle)
{
	struct end *end = memory_new(channel->hooks.allocator, sizeof *end);
	duct_status status;

	if (end == NULL)
		return DUCT_NOMEM;
	end_init(end, &channel->queue, channel, destroy_end);
	if (is_send && channel->hooks.log != NULL && (channel->queue.ring.capacity != 0 || channel->fan != NULL))
		end->log = &channel->log;
	if (is_send && channel->once)
		atomic_init(&end->flags, END_ONCE);
	channel_ref(channel); /* before the new end can be seen to exist */
	status = open_end(channel, from, is_send);
	if (status == DUCT_OK)
		*handle = end;
	else
		destroy_end(end);
	return status;
}

static void end_close(struct end *end, bool is_send)
{
	duct_channel *channel = end->channel;
	struct change change;

	end_pin(end); /* the handle may go once others see that it is closed */
	channel_begin(channel, &change);
	if ((load_relaxed(&end->flags) & END_CLOSED) == 0) {
		end_mark_locked(end);
		if (is_send)
			channel->senders--;
		else
			channel->receivers--;
		channel_settle_less_locked(channel, &change);
		end_stop_waits_locked(end, is_send, &change.wakes);
	}
	channel_finish(channel, &change);
	end_unpin(end);
}

/* ---- Members --------------------------------------------------------------------------------------------------- */

static void destroy_member(struct end *end)
{
	struct member *member = (struct member *)(void *)end;
	duct_channel *channel = end->channel;

	queue_drop_leftovers(&member->queue, &channel->hooks);
	queue_fini(&member->queue);
	memory_free(channel->hooks.allocator, member);
	channel_unref(channel);
}

bool member_close(struct member *member, duct_status status)
{
	duct_channel *channel = member->end.channel;
	struct change change;
	bool left;

	end_pin(&member->end);
	channel_begin(channel, &change);
	left = fan_leave_locked(member, status, &change.wakes);
	channel_finish(channel, &change);
	end_unpin(&member->end);
	return left;
}

static size_t capacity_of(const duct_subscription *subscription)
{
	if (subscription->capacity != 0)
		return subscription->capacity;
	return subscription->overflow == DUCT_LATEST_ONLY ? 1 : DUCT_CAPACITY_DEFAULT;
}

static bool subscription_is_valid(const duct_subscription *subscription, size_t message_size)
{
	size_t ring_size;

	if (subscription->size != sizeof *subscription || (unsigned)subscription->overflow > DUCT_CUT_OFF)
		return false;
	if (subscription->overflow == DUCT_LATEST_ONLY && subscription->capacity > 1)
		return false;
	return ring_measure(message_size, capacity_of(subscription), &ring_size);
}

_Static_assert(sizeof(struct member) % CACHE_LINE == 0, "the ring has to be aligned");

/* One block of memory: the member, its ring, its name. */
static duct_status member_new(duct_channel *channel, const duct_subscription *subscription, bool hidden, struct member **member)
{
	const size_t head = sizeof **member, capacity = capacity_of(subscription);
	const size_t name_size = (subscription->name != NULL ? strlen(subscription->name) : strlen(channel->name) + 24) + 1;
	size_t ring_size;
	unsigned char *block;
	struct member *made;

	(void)ring_measure(channel->hooks.size, capacity, &ring_size);
	if ((block = memory_new(channel->hooks.allocator, head + ring_size + name_size)) == NULL)
		return DUCT_NOMEM;
	made = (struct member *)(void *)block;
	memset(made, 0, sizeof *made);
	if (!queue_init(&made->queue, channel->hooks.size, capacity, block + head, &channel->queue)) {
		memory_free(channel->hooks.allocator, made);
		return DUCT_NOMEM;
	}
	end_init(&made->end, &made->queue, channel, destroy_member);
	made->fan = channel->fan;
	made->name = (char *)block + head + ring_size;
	name_write((char *)block + head + ring_size, name_size, subscription->name, channel->name,
	    subscription->name == NULL ? (unsigned long)fan_next_number(channel->fan) : 0);
	made->overflow = subscription->overflow;
	made->tell_lag = subscription->tell_lag;
	made->quiet = subscription->quiet;
	made->hidden = hidden;
	made->log = (struct log){ .hook = channel->log.hook,
		.context = channel->log.context,
		.channel = channel->log.channel,
		.interval = channel->log.interval,
		.queue = channel->log.queue };
	channel_ref(channel);
	*member = made;
	return DUCT_OK;
}

/* One attempt to join; false if the replay has grown meanwhile. */
static bool try_join(struct member *member, const struct end *from, struct replay *replay, duct_status *status)
{
	duct_channel *channel = member->end.channel;
	struct change change;
	bool decided = true;

	channel_begin(channel, &change);
	*status = may_open_locked(channel, from, from != NULL && from->queue == &channel->queue);
	if (*status == DUCT_OK) {
		if (from != NULL && from->queue != &channel->queue)
			member->overflow = ((const struct member *)(const void *)from)->overflow; /* as it is now */
		channel->receivers += !member->hidden; /* before the line is served, where others may be cut off */
		decided = fan_join_locked(channel->fan, member, replay, &change.wakes);
		if (!decided)
			channel->receivers -= !member->hidden;
		else if (!member->hidden) {
			channel->was_received = true;
			channel_settle_locked(channel, &change);
		}
	}
	channel_finish(channel, &change);
	return decided;
}

static duct_status join(struct member *member, const struct end *from)
{
	duct_channel *channel = member->end.channel;
	struct replay replay = { 0 };
	duct_status status;

	do {
		if (replay.boxes != NULL)
			memory_free(channel->hooks.allocator, replay.boxes);
		replay.boxes = NULL;
		replay.room = fan_replay_needed(member);
		if (replay.room > 0) {
			replay.boxes = memory_new(channel->hooks.allocator, replay.room * sizeof(duct_box *));
			if (replay.boxes == NULL)
				return DUCT_NOMEM;
		}
	} while (!try_join(member, from, &replay, &status));
	if (status == DUCT_OK && !fan_finish_join(member, &replay)) {
		(void)member_close(member, DUCT_CLOSED);
		status = DUCT_NOMEM;
	}
	if (replay.boxes != NULL)
		memory_free(channel->hooks.allocator, replay.boxes);
	return status;
}

duct_status receiver_subscribe(
    duct_channel *channel, const struct end *from, const duct_subscription *subscription, bool hidden, duct_receiver **receiver)
{
	const duct_subscription defaults = DUCT_SUBSCRIPTION_INIT;
	struct member *member;
	duct_status status;

	if (subscription == NULL)
		subscription = &defaults;
	if (!subscription_is_valid(subscription, channel->hooks.size))
		return DUCT_INVALID;
	if (channel->fan == NULL)
		return DUCT_UNSUPPORTED;
	status = member_new(channel, subscription, hidden, &member);
	if (status != DUCT_OK)
		return status;
	status = join(member, from);
	if (status == DUCT_OK)
		*receiver = (duct_receiver *)(void *)&member->end;
	else
		end_unpin(&member->end);
	return status;
}

/* The same subscription, with a name of its own.  It takes its overflow from the original when it joins. */
static duct_status clone_member(const struct member *member, duct_receiver **clone)
{
	duct_subscription subscription = DUCT_SUBSCRIPTION_INIT;

	subscription.capacity = member->queue.ring.capacity;
	subscription.tell_lag = member->tell_lag;
	subscription.quiet = member->quiet;
	return receiver_subscribe(member->end.channel, &member->end, &subscription, false, clone);
}

/* ---- Making ends ----------------------------------------------------------------------------------------------- */

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
	if (channel == NULL || receiver == NULL)
		return DUCT_INVALID;
	if (channel->fan != NULL)
		return receiver_subscribe(channel, NULL, NULL, false, receiver);
	return receiver_make(channel, NULL, receiver);
}

duct_status duct_sender_clone(duct_sender *sender, duct_sender **clone)
{
	if (sender == NULL || clone == NULL)
		return DUCT_INVALID;
	return sender_make(sender->end.channel, &sender->end, clone);
}

duct_status duct_receiver_clone(duct_receiver *receiver, duct_receiver **clone)
{
	if (receiver == NULL || clone == NULL)
		return DUCT_INVALID;
	if (source_of(receiver) != NULL) {
		if (atomic_load(&source_of(receiver)->closed))
			return DUCT_CLOSED;
		source_ref(source_of(receiver));
		*clone = receiver;
		return DUCT_OK;
	}
	if (member_of(receiver) != NULL)
		return clone_member(member_of(receiver), clone);
	return receiver_make(receiver->end.channel, &receiver->end, clone);
}

/* ---- Closing ends ---------------------------------------------------------------------------------------------- */

void duct_sender_close(duct_sender *sender)
{
	if (sender != NULL)
		end_close(&sender->end, true);
}

void duct_receiver_close(duct_receiver *receiver)
{
	if (receiver == NULL)
		return;
	if (source_of(receiver) != NULL)
		source_close(source_of(receiver));
	else if (member_of(receiver) != NULL)
		(void)member_close(member_of(receiver), DUCT_CLOSED);
	else
		end_close(&receiver->end, false);
}

void duct_sender_free(duct_sender *sender)
{
	if (sender == NULL)
		return;
	duct_sender_close(sender);
	end_unpin(&sender->end);
}

void duct_receiver_free(duct_receiver *receiver)
{
	if (receiver == NULL)
		return;
	if (source_of(receiver) == NULL || source_unref(source_of(receiver)))
		duct_receiver_close(receiver);
	end_unpin(&receiver->end);
}

/* ---- State ----------------------------------------------------------------------------------------------------- */

bool duct_sender_is_closed(const duct_sender *sender)
{
	return sender == NULL || (load_acquire(&sender->end.flags) & END_CLOSED) != 0;
}

bool duct_receiver_is_closed(const duct_receiver *receiver)
{
	if (receiver == NULL)
		return true;
	if (source_of(receiver) != NULL)
		return source_is_closed(source_of(receiver));
	if (member_of(receiver) != NULL)
		return load_acquire(&member_of(receiver)->left);
	return (load_acquire(&receiver->end.flags) & END_CLOSED) != 0;
}

duct_channel *duct_sender_channel(const duct_sender *sender)
{
	return sender != NULL ? sender->end.channel : NULL;
}

duct_channel *duct_receiver_channel(const duct_receiver *receiver)
{
	return receiver != NULL ? receiver->end.channel : NULL;
}

size_t duct_receiver_len(const duct_receiver *receiver)
{
	if (receiver == NULL)
		return 0;
	if (source_of(receiver) != NULL)
		return resolve_len((duct_receiver *)(uintptr_t)receiver);
	return queue_backlog(receiver->end.queue).len;
}

size_t duct_receiver_capacity(const duct_receiver *receiver)
{
	return receiver != NULL ? receiver->end.queue->ring.capacity : 0;
}

const char *duct_receiver_name(const duct_receiver *receiver)
{
	if (receiver == NULL)
		return "";
	if (source_of(receiver) != NULL)
		return source_of(receiver)->name;
	return member_of(receiver) != NULL ? member_of(receiver)->name : receiver->end.channel->name;
}

static int describe_source(const duct_receiver *receiver, char *buffer, size_t size)
{
	const struct source *source = source_of(receiver);

	return snprintf(buffer, size, "%s %s: %zu messages of %zu bytes, %s", source->kind->name, source->name,
	    duct_receiver_len(receiver), source->hooks.size, source_is_closed(source) ? "closed" : "open");
}

size_t duct_receiver_describe(const duct_receiver *receiver, char *buffer, size_t size)
{
	const char *state = "open";
	int length;

	if (buffer == NULL)
		size = 0;
	if (receiver == NULL)
		return (size_t)snprintf(buffer, size, "%s", "");
	if (source_of(receiver) != NULL) {
		length = describe_source(receiver, buffer, size);
		return length > 0 ? (size_t)length : 0;
	}
	if (duct_receiver_is_cut_off(receiver))
		state = "cut off";
	else if (duct_receiver_is_closed(receiver))
		state = "closed";
	length = snprintf(buffer, size, "receiver %s of %s %s: %zu of %zu messages, %s", duct_receiver_name(receiver),
	    receiver->end.channel->kind, receiver->end.channel->name, duct_receiver_len(receiver),
	    duct_receiver_capacity(receiver), state);
	return length > 0 ? (size_t)length : 0;
}
