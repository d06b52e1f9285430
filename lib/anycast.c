/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Anycast channels: one queue that all ends share; and one-shots, whose first message is their last.
 */
#include "channel.h"

duct_status duct_anycast_new(duct_channel **channel, size_t message_size, size_t capacity, const duct_options *options)
{
	return channel_new(
	    channel, &(struct channel_plan){
			 .kind = "anycast", .message_size = message_size, .capacity = capacity, .options = options });
}

/* The ends keep the channel from here on. */
static duct_status open_pair(duct_channel *channel, duct_sender **sender, duct_receiver **receiver)
{
	duct_sender *tx = NULL;
	duct_receiver *rx = NULL;
	duct_status status = duct_sender_new(channel, &tx);

	if (status == DUCT_OK)
		status = duct_receiver_new(channel, &rx);
	duct_channel_free(channel);
	if (status != DUCT_OK) {
		duct_sender_free(tx);
		return status;
	}
	*sender = tx;
	*receiver = rx;
	return DUCT_OK;
}

duct_status duct_anycast_open(
    duct_sender **sender, duct_receiver **receiver, size_t message_size, size_t capacity, const duct_options *options)
{
	duct_channel *channel;
	duct_status status;

	if (sender == NULL || receiver == NULL)
		return DUCT_INVALID;
	status = duct_anycast_new(&channel, message_size, capacity, options);
	return status == DUCT_OK ? open_pair(channel, sender, receiver) : status;
}

duct_status duct_oneshot_open(duct_sender **sender, duct_receiver **receiver, size_t message_size, const duct_options *options)
{
	duct_channel *channel;
	duct_status status;

	if (sender == NULL || receiver == NULL)
		return DUCT_INVALID;
	status = channel_new(
	    &channel, &(struct channel_plan){
			  .kind = "oneshot", .message_size = message_size, .capacity = 1, .options = options, .once = true });
	return status == DUCT_OK ? open_pair(channel, sender, receiver) : status;
}
