/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Exchanges: two parties that take turns, over two channels.
 *
 *     server                                   client
 *     ---------------------------------        ---------------------------------
 *                                              exchange(NULL, &item): takes
 *     exchange(&item, &reply): gives item
 *         takes                                uses item
 *                                              exchange(&reply, &item): gives reply
 *     uses reply                                   takes
 *     exchange(&item, &reply): gives item ...
 *
 * Each turn is a rendezvous, so an exchange keeps no message: at each moment a message is one party's or the other's.  That is
 * why a call can fail in two ways.  Until its message has been taken it has had no effect.  Then the message is the peer's,
 * which may be at work on it, and no failure can bring it back: DUCT_UNANSWERED says so, the turn is kept, and the next call
 * goes on from there.
 *
 * Replies without bytes are no messages but a client's asking for more.  They are kept, in a channel of capacity 1, and there
 * is never a second one: so asking does not wait for a server that is not in its call at this moment, and a client that only
 * looks (a deadline of 0, then a select) does not wait for a server that waits to be asked.
 *
 * Costs what two sends and two receives cost, and one atomic exchange a call.
 */
#include "exchange.h"

#include "cancel.h"
#include "memory.h"

/* ---- Life ------------------------------------------------------------------------------------------------------ */

static duct_party *party_new(bool takes)
{
	duct_party *party = memory_new(NULL, sizeof *party);

	if (party == NULL)
		return NULL;
	*party = (duct_party){ .takes = takes, .started = takes };
	atomic_init(&party->references, 1);
	return party;
}

static void party_ref(duct_party *party)
{
	atomic_fetch_add(&party->references, 1);
}

static void party_unref(duct_party *party)
{
	if (atomic_fetch_sub(&party->references, 1) != 1)
		return;
	duct_sender_free(party->sender);
	duct_receiver_free(party->receiver);
	if (party->release != NULL)
		party->release(party->shared);
	memory_free(NULL, party);
}

/* Nothing is ever left in a channel to drop, to copy or to tell of. */
static duct_status open_channels(duct_party *client, duct_party *server, size_t item_size, size_t reply_size, const char *name,
    const duct_allocator *allocator)
{
	duct_options options = DUCT_OPTIONS_INIT;
	duct_status status;

	options.name = name;
	options.allocator = allocator;
	status = duct_anycast_open(&server->sender, &client->receiver, item_size, 0, &options);
	if (status == DUCT_OK)
		status = duct_anycast_open(&client->sender, &server->receiver, reply_size, reply_size == 0, &options);
	return status;
}

duct_status duct_exchange_open(
    duct_party **client, duct_party **server, size_t item_size, size_t reply_size, const duct_options *options)
{
	const duct_options defaults = DUCT_OPTIONS_INIT, *given = options != NULL ? options : &defaults;
	duct_party *one, *other;
	duct_status status = DUCT_NOMEM;

	if (client == NULL || server == NULL || client == server || given->size != sizeof *given)
		return DUCT_INVALID;
	one = party_new(true);
	other = party_new(false);
	if (one != NULL && other != NULL)
		status = open_channels(one, other, item_size, reply_size, given->name, given->allocator);
	if (status == DUCT_OK) {
		*client = one;
		*server = other;
		return DUCT_OK;
	}
	if (one != NULL)
		party_unref(one);
	if (other != NULL)
		party_unref(other);
	return status;
}

/* Whoever is told of the first may give the party back before the second. */
void duct_party_close(duct_party *party)
{
	if (party == NULL)
		return;
	party_ref(party);
	duct_channel_close(duct_sender_channel(party->sender), 0);
	duct_channel_close(duct_receiver_channel(party->receiver), 0);
	party_unref(party);
}

void duct_party_free(duct_party *party)
{
	if (party == NULL)
		return;
	duct_party_close(party);
	party_unref(party);
}

/* ---- Turns ----------------------------------------------------------------------------------------------------- */

duct_status party_enter(duct_party *party, duct_cancel *cancel)
{
	party_ref(party);
	if (atomic_exchange(&party->busy, true)) {
		party_unref(party);
		return DUCT_BUSY;
	}
	cancel_pin(cancel);
	return DUCT_OK;
}

void party_leave(duct_party *party, duct_cancel *cancel)
{
	cancel_unpin(cancel);
	atomic_store(&party->busy, false);
	party_unref(party);
}

duct_status party_give(duct_party *party, const void *message, duct_time deadline, duct_cancel *cancel)
{
	duct_status status = duct_send_until(party->sender, message, deadline, cancel);

	if (status == DUCT_OK)
		party->takes = party->started = true;
	return status;
}

duct_status party_take(duct_party *party, void *message, duct_time deadline, duct_cancel *cancel)
{
	duct_status status = duct_recv_until(party->receiver, message, deadline, cancel);

	if (status == DUCT_OK)
		party->takes = false;
	return status;
}

static size_t give_size(const duct_party *party)
{
	return duct_channel_message_size(duct_sender_channel(party->sender));
}

static size_t take_size(const duct_party *party)
{
	return duct_channel_message_size(duct_receiver_channel(party->receiver));
}

/* Something of no bytes is given without a message, so there is none to answer for. */
static duct_status exchange(duct_party *party, const void *give, void *take, duct_time deadline, duct_cancel *cancel)
{
	const bool gives = !party->takes, gives_bytes = give_size(party) != 0;
	duct_status status;

	if (gives_bytes && gives != (give != NULL))
		return DUCT_INVALID;
	if (gives) {
		status = party_give(party, give, deadline, cancel);
		if (status != DUCT_OK)
			return status;
	}
	status = party_take(party, take, deadline, cancel);
	return status != DUCT_OK && gives && gives_bytes ? DUCT_UNANSWERED : status;
}

duct_status duct_exchange_until(duct_party *party, const void *give, void *take, duct_time deadline, duct_cancel *cancel)
{
	duct_status status;

	if (party == NULL || deadline < 0 || (take == NULL && take_size(party) != 0))
		return DUCT_INVALID;
	status = party_enter(party, cancel);
	if (status != DUCT_OK)
		return status;
	status = exchange(party, give, take, deadline, cancel);
	party_leave(party, cancel);
	return status;
}

duct_status duct_exchange(duct_party *party, const void *give, void *take)
{
	return duct_exchange_until(party, give, take, DUCT_FOREVER, NULL);
}

duct_status duct_party_start(duct_party *party, duct_time deadline, duct_cancel *cancel)
{
	duct_status status;

	if (party == NULL || deadline < 0)
		return DUCT_INVALID;
	status = party_enter(party, cancel);
	if (status != DUCT_OK)
		return status;
	if (duct_cancel_raised(cancel))
		status = DUCT_CANCELED;
	else if (party_is_closed(party))
		status = DUCT_CLOSED;
	else if (!party->started)
		status = duct_sender_wait(party->sender, deadline, cancel);
	if (status == DUCT_OK)
		party->started = true;
	party_leave(party, cancel);
	return status;
}

/* ---- Ends ------------------------------------------------------------------------------------------------------ */

duct_sender *duct_party_sender(const duct_party *party)
{
	return party != NULL ? party->sender : NULL;
}

duct_receiver *duct_party_receiver(const duct_party *party)
{
	return party != NULL ? party->receiver : NULL;
}
