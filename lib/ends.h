/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Ends: senders and receivers, of both kinds of channels.
 *
 * The sender of any channel, and the receiver of an anycast channel, is an end of the channel's own queue.  The receiver of a
 * broadcast is a member of its fan, with a queue of its own; its handle is the end in it.
 */
#ifndef DUCT_ENDS_H
#define DUCT_ENDS_H

#include "channel.h"

/* The member behind a receiver; NULL: an anycast receiver, or one of a source. */
static inline struct member *member_of(const duct_receiver *receiver)
{
	const struct duct_channel *channel = receiver->end.channel;

	return channel != NULL && channel->fan != NULL ? (struct member *)(uintptr_t)receiver : NULL;
}

/*
 * Makes a receiver of a broadcast; hidden: nobody counts it.  from is the end that it is made from, which must be open, or NULL.
 * The statuses are duct_subscribe's.
 */
duct_status receiver_subscribe(duct_channel *channel, const struct end *from, const duct_subscription *subscription,
    bool hidden, duct_receiver **receiver);

/* Closes a member with the status that its takes come to once it is drained; false if it had left. */
bool member_close(struct member *member, duct_status status);

#endif
