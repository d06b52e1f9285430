/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Anycast channels: one queue that all ends share.
 */
#include "channel.h"

duct_status duct_anycast_new(duct_channel **channel, size_t message_size, size_t capacity, const duct_options *options)
{
	return channel_new(
	    channel, &(struct channel_plan){
			 .kind = "anycast", .message_size = message_size, .capacity = capacity, .options = options });
}

duct_status duct_anycast_open(
    duct_sender **sender, duct_receiver **receiver, size_t message_size, size_t capacity, const duct_options *options)
{
	duct_channel *channel;
	duct_sender *tx = NULL;
	duct_receiver *rx = NULL;
	duct_status status;

	if (sender == NULL || receiver == NULL)
		return DUCT_INVALID;
	status = duct_anycast_new(&channel, message_size, capacity, options);
	if (status != DUCT_OK)
		return status;
	status = duct_sender_new(channel, &tx);
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
