/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The latest value: a cache whose messages have all the same key; and the peekable, such a cache over a hidden receiver of a
 * broadcast.
 */
#include "cache.h"
#include "ends.h"

/* No bytes. */
static const void *no_key(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = 0;
	return message;
}

static duct_cache *cache_of(const void *handle)
{
	return (duct_cache *)(uintptr_t)handle;
}

duct_status duct_latest_new(duct_latest **latest, duct_receiver *receiver)
{
	duct_cache *cache;
	duct_status status;

	if (latest == NULL)
		return DUCT_INVALID;
	status = duct_cache_new(&cache, receiver, no_key, NULL);
	if (status == DUCT_OK)
		*latest = (duct_latest *)(void *)cache;
	return status;
}

duct_status duct_latest_get(duct_latest *latest, void *message)
{
	return duct_cache_get(cache_of(latest), NULL, 0, message);
}

void duct_latest_free(duct_latest *latest)
{
	duct_cache_free(cache_of(latest));
}

/* ---- The peekable ---------------------------------------------------------------------------------------------- */

duct_status duct_peekable_new(duct_channel *channel, duct_peekable **peekable)
{
	duct_subscription subscription = DUCT_SUBSCRIPTION_INIT;
	duct_receiver *receiver;
	duct_cache *cache;
	duct_status status;

	if (channel == NULL || peekable == NULL)
		return DUCT_INVALID;
	subscription.overflow = DUCT_LATEST_ONLY;
	status = receiver_subscribe(channel, NULL, &subscription, true, &receiver);
	if (status != DUCT_OK)
		return status;
	status = duct_cache_new(&cache, receiver, no_key, NULL);
	if (status != DUCT_OK) {
		duct_receiver_free(receiver);
		return status;
	}
	*peekable = (duct_peekable *)(void *)cache;
	return DUCT_OK;
}

/* It is there before the receiver leaves, so that no message goes by both.  Hooks may free the receiver meanwhile. */
duct_status duct_receiver_into_peekable(duct_receiver *receiver, duct_peekable **peekable)
{
	duct_peekable *made;
	duct_status status;

	if (receiver == NULL || peekable == NULL)
		return DUCT_INVALID;
	if (receiver->end.channel == NULL)
		return DUCT_UNSUPPORTED;
	end_pin(&receiver->end);
	status = duct_peekable_new(receiver->end.channel, &made);
	if (status == DUCT_OK && !member_close(member_of(receiver), DUCT_INVALIDATED)) {
		duct_peekable_free(made);
		status = DUCT_CLOSED;
	}
	end_unpin(&receiver->end);
	if (status == DUCT_OK)
		*peekable = made;
	return status;
}

duct_status duct_peek(duct_peekable *peekable, void *message)
{
	duct_cache *cache = cache_of(peekable);

	if (cache == NULL || (message == NULL && cache_channel(cache)->hooks.size != 0))
		return DUCT_INVALID;
	return channel_is_closed(cache_channel(cache)) ? DUCT_CLOSED : duct_cache_get(cache, NULL, 0, message);
}

void duct_peekable_free(duct_peekable *peekable)
{
	duct_cache_free(cache_of(peekable));
}
