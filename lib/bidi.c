/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Bidirectional links: two channels, and two peers that each hold the sender of one and the receiver of the other.
 *
 *     client    sender   -> req_<service>_<client>  -> receiver    service
 *               receiver <- resp_<service>_<client> <- sender
 *
 * There is nothing between a peer and its plain ends, so the rules are those of a channel, each direction by itself.  A peer is
 * never written to once it is made: a call reads its end from it and goes on with that, whoever frees the peer meanwhile.
 */
#include "memory.h"

#include <stdio.h>
#include <string.h>

#define REQUESTS "req_"
#define RESPONSES "resp_"

/* [I] All of it. */
struct duct_peer {
	duct_sender *sender;
	duct_receiver *receiver;
	bool is_client;
	char name[]; /* of the channel that it sends to, for when that is made */
};

static duct_peer *peer_new(const char *prefix, const char *service, const char *client)
{
	const size_t name_size = strlen(prefix) + strlen(service) + strlen(client) + 2;
	duct_peer *peer = memory_new(NULL, sizeof *peer + name_size);

	if (peer == NULL)
		return NULL;
	*peer = (duct_peer){ .is_client = strcmp(prefix, REQUESTS) == 0 };
	(void)snprintf(peer->name, name_size, "%s%s_%s", prefix, service, client);
	return peer;
}

static duct_status open_direction(
    duct_peer *from, duct_peer *to, size_t message_size, size_t capacity, bool lossy, const duct_options *given)
{
	duct_options options = DUCT_OPTIONS_INIT;
	duct_subscription subscription = DUCT_SUBSCRIPTION_INIT;

	if (given != NULL)
		options = *given;
	options.name = from->name;
	subscription.capacity = capacity;
	if (lossy)
		return duct_broadcast_open(&from->sender, &to->receiver, message_size, &subscription, &options);
	return duct_anycast_open(&from->sender, &to->receiver, message_size, capacity, &options);
}

static bool options_are_known(const duct_options *options)
{
	return options == NULL || options->size == sizeof *options;
}

duct_status duct_bidi_open(duct_peer **client, duct_peer **service, size_t request_size, size_t response_size, size_t capacity,
    const duct_bidi_options *options)
{
	const duct_bidi_options defaults = DUCT_BIDI_OPTIONS_INIT, *given = options != NULL ? options : &defaults;
	const char *client_name, *service_name;
	duct_peer *one, *other;
	duct_status status = DUCT_NOMEM;

	if (client == NULL || service == NULL || client == service || given->size != sizeof *given ||
	    !options_are_known(given->requests) || !options_are_known(given->responses))
		return DUCT_INVALID;
	client_name = given->client != NULL ? given->client : "client";
	service_name = given->service != NULL ? given->service : "service";
	one = peer_new(REQUESTS, service_name, client_name);
	other = peer_new(RESPONSES, service_name, client_name);
	if (one != NULL && other != NULL)
		status = open_direction(one, other, request_size, capacity, given->lossy, given->requests);
	if (status == DUCT_OK)
		status = open_direction(other, one, response_size, capacity, given->lossy, given->responses);
	if (status != DUCT_OK) {
		duct_peer_free(one);
		duct_peer_free(other);
		return status;
	}
	*client = one;
	*service = other;
	return DUCT_OK;
}

/* ---- Ends ------------------------------------------------------------------------------------------------------ */

duct_sender *duct_peer_sender(const duct_peer *peer)
{
	return peer != NULL ? peer->sender : NULL;
}

duct_receiver *duct_peer_receiver(const duct_peer *peer)
{
	return peer != NULL ? peer->receiver : NULL;
}

duct_status duct_peer_send(duct_peer *peer, const void *message)
{
	return duct_send(duct_peer_sender(peer), message);
}

duct_status duct_peer_recv(duct_peer *peer, void *message)
{
	return duct_recv(duct_peer_receiver(peer), message);
}

/* ---- Closing --------------------------------------------------------------------------------------------------- */

void duct_peer_close_send(duct_peer *peer)
{
	duct_sender_close(duct_peer_sender(peer));
}

void duct_peer_close_recv(duct_peer *peer)
{
	duct_receiver_close(duct_peer_receiver(peer));
}

void duct_peer_free(duct_peer *peer)
{
	if (peer == NULL)
		return;
	duct_sender_free(peer->sender);
	duct_receiver_free(peer->receiver);
	memory_free(NULL, peer);
}

/* ---- State ----------------------------------------------------------------------------------------------------- */

static const char *state_of(bool end_is_closed, const duct_channel *channel)
{
	return end_is_closed ? "closed here" : duct_channel_is_closed(channel) ? "closed" : "open";
}

/* The link has the name of its requests without the prefix. */
size_t duct_peer_describe(const duct_peer *peer, char *buffer, size_t size)
{
	const duct_channel *out, *in;
	int length;

	if (buffer == NULL)
		size = 0;
	if (peer == NULL)
		return (size_t)snprintf(buffer, size, "%s", "");
	out = duct_sender_channel(peer->sender);
	in = duct_receiver_channel(peer->receiver);
	length =
	    snprintf(buffer, size, "%s of bidirectional %s: sends to %s, %s, %zu messages; receives from %s, %s, %zu messages",
		peer->is_client ? "client" : "service", duct_channel_name(peer->is_client ? out : in) + strlen(REQUESTS),
		duct_channel_name(out), state_of(duct_sender_is_closed(peer->sender), out), duct_channel_len(out),
		duct_channel_name(in), state_of(duct_receiver_is_closed(peer->receiver), in), duct_channel_len(in));
	return length > 0 ? (size_t)length : 0;
}
