/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the tests of receivers that are made of receivers share: lanes, which are channels of ints, each with a sender and a
 * receiver, for a merge to be made of; and calls that wait on any receiver.
 */
#ifndef TEST_CONTRACT_LANES_H
#define TEST_CONTRACT_LANES_H

#include "crowd.h"

enum { MOST_LANES = 210, LANE_CAPACITY = 8 };

struct lanes {
	size_t count;
	struct test_pair pair[MOST_LANES];
	duct_receiver *rx[MOST_LANES]; /* once more, as a merge wants them */
};

static inline void lanes_init_with(struct lanes *lanes, size_t count, size_t size, const duct_options *options)
{
	lanes->count = count;
	for (size_t i = 0; i < count; i++) {
		lanes->pair[i] = test_pair_with(size, LANE_CAPACITY, options);
		lanes->rx[i] = lanes->pair[i].rx;
	}
}

static inline void lanes_init(struct lanes *lanes, size_t count)
{
	lanes_init_with(lanes, count, sizeof(int), NULL);
}

/* Somebody else owns the receivers from now on. */
static inline void lanes_give(struct lanes *lanes)
{
	for (size_t i = 0; i < lanes->count; i++)
		lanes->pair[i].rx = NULL;
}

static inline void lanes_free(struct lanes *lanes)
{
	for (size_t i = 0; i < lanes->count; i++)
		test_pair_free(&lanes->pair[i]);
}

/* Those that have an open receiver. */
static inline size_t lanes_received(const struct lanes *lanes)
{
	size_t received = 0;

	for (size_t i = 0; i < lanes->count; i++)
		received += duct_channel_receivers(lanes->pair[i].channel);
	return received;
}

/* What is queued in all of them. */
static inline size_t lanes_len(const struct lanes *lanes)
{
	size_t len = 0;

	for (size_t i = 0; i < lanes->count; i++)
		len += duct_channel_len(lanes->pair[i].channel);
	return len;
}

/* No thread stands in line at any of them. */
static inline bool lanes_are_quiet(const struct lanes *lanes)
{
	for (size_t i = 0; i < lanes->count; i++)
		if (!test_pair_is_quiet(&lanes->pair[i]))
			return false;
	return true;
}

static inline void lanes_close(struct lanes *lanes)
{
	for (size_t i = 0; i < lanes->count; i++)
		duct_channel_close(lanes->pair[i].channel, 0);
}

/* Makes a merge of all lanes, which owns them, or only borrows. */
static inline duct_receiver *lanes_merge(struct lanes *lanes, bool borrow)
{
	duct_receiver *merged = NULL;

	CHECK_STATUS(duct_merge_new(&merged, lanes->rx, lanes->count, borrow ? DUCT_COMBINE(.borrow = true) : NULL), DUCT_OK);
	if (!borrow)
		lanes_give(lanes);
	return merged;
}

/* The next message, an int that is there already. */
static inline int next_of(duct_receiver *rx)
{
	int message = -1;

	CHECK_STATUS(duct_try_recv(rx, &message), DUCT_OK);
	return message;
}

/* A call that waits on a receiver, for ever. */
static inline void wait_start(struct test_call *call, enum test_action action, duct_receiver *rx)
{
	test_call_start(call, action, &(struct test_pair){ .rx = rx }, -1, DUCT_FOREVER, NULL);
}

static const enum test_action receives[] = { RECV, RECV_UNTIL, RECV_MANY, RECEIVER_WAIT, SELECT };

#endif
