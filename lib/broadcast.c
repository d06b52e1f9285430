/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Broadcast channels: a fan behind the channel's queue.
 */
#include "ends.h"
#include "source.h"
#include "wait.h"

static duct_status broadcast_new(duct_channel **channel, size_t message_size, const duct_options *options, bool closes_itself)
{
	return channel_new(channel, &(struct channel_plan){ .kind = "broadcast",
					.message_size = message_size,
					.options = options,
					.is_broadcast = true,
					.closes_itself = closes_itself });
}

duct_status duct_broadcast_new(duct_channel **channel, size_t message_size, const duct_options *options)
{
	return broadcast_new(channel, message_size, options, false);
}

duct_status duct_broadcast_open(duct_sender **sender, duct_receiver **receiver, size_t message_size,
    const duct_subscription *subscription, const duct_options *options)
{
	duct_channel *channel;
	duct_sender *tx = NULL;
	duct_receiver *rx = NULL;
	duct_status status;

	if (sender == NULL || receiver == NULL)
		return DUCT_INVALID;
	status = broadcast_new(&channel, message_size, options, true);
	if (status != DUCT_OK)
		return status;
	status = duct_sender_new(channel, &tx);
	if (status == DUCT_OK)
		status = duct_subscribe(channel, &rx, subscription);
	duct_channel_free(channel);
	if (status != DUCT_OK) {
		duct_sender_free(tx);
		return status;
	}
	*sender = tx;
	*receiver = rx;
	return DUCT_OK;
}

duct_status duct_subscribe(duct_channel *channel, duct_receiver **receiver, const duct_subscription *subscription)
{
	if (channel == NULL || receiver == NULL)
		return DUCT_INVALID;
	return receiver_subscribe(channel, NULL, subscription, false, receiver);
}

duct_status duct_sender_subscribe(duct_sender *sender, duct_receiver **receiver, const duct_subscription *subscription)
{
	if (sender == NULL || receiver == NULL)
		return DUCT_INVALID;
	return receiver_subscribe(sender->end.channel, &sender->end, subscription, false, receiver);
}

/* ---- What can be changed --------------------------------------------------------------------------------------- */

duct_status duct_channel_set_replay(duct_channel *channel, size_t count)
{
	if (channel == NULL || count > UINT32_MAX)
		return DUCT_INVALID;
	return channel->fan != NULL ? fan_set_replay(channel->fan, count) : DUCT_UNSUPPORTED;
}

duct_status duct_receiver_set_overflow(duct_receiver *receiver, duct_overflow overflow)
{
	if (receiver == NULL || (unsigned)overflow > DUCT_CUT_OFF)
		return DUCT_INVALID;
	if (member_of(receiver) == NULL)
		return DUCT_UNSUPPORTED;
	fan_set_overflow(member_of(receiver), overflow);
	return DUCT_OK;
}

/* ---- Waiting for receivers ------------------------------------------------------------------------------------- */

/* Observes the gate, through an end that is no handle's and is never destroyed. */
duct_status duct_channel_wait_receivers(duct_channel *channel, size_t count, duct_time deadline, duct_cancel *cancel)
{
	struct end end;
	struct op op;
	duct_status status;

	if (channel == NULL || deadline < 0)
		return DUCT_INVALID;
	if (channel->fan == NULL)
		return DUCT_UNSUPPORTED;
	channel_ref(channel);
	end_init(&end, &channel->queue, channel, NULL);
	op = (struct op){ .queue = &channel->queue, .end = &end, .number = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX };
	status = wait_until_ready(&op, deadline, cancel);
	channel_unref(channel);
	return status;
}

/* ---- State ----------------------------------------------------------------------------------------------------- */

size_t duct_channel_replay(const duct_channel *channel)
{
	return channel != NULL && channel->fan != NULL ? fan_replay(channel->fan) : 0;
}

duct_status duct_receiver_stats(const duct_receiver *receiver, duct_stats *stats)
{
	if (receiver == NULL || stats == NULL)
		return DUCT_INVALID;
	if (member_of(receiver) == NULL)
		return DUCT_UNSUPPORTED;
	*stats = fan_stats(member_of(receiver));
	return DUCT_OK;
}

uint64_t duct_receiver_lag(const duct_receiver *receiver)
{
	if (receiver != NULL && receiver->end.source != NULL)
		return atomic_load(&receiver->end.source->lag);
	return receiver != NULL && member_of(receiver) != NULL ? atomic_load(&member_of(receiver)->lag) : 0;
}

bool duct_receiver_is_cut_off(const duct_receiver *receiver)
{
	return receiver != NULL && member_of(receiver) != NULL && atomic_load(&member_of(receiver)->cut_off);
}
