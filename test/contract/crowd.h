/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the tests of broadcast channels share: a channel of ints with a sender, receivers that join it, runs of numbers.
 *
 * The functions that answer with a bool are for CHECK, so that a failure names the line of the test.
 */
#ifndef TEST_CONTRACT_CROWD_H
#define TEST_CONTRACT_CROWD_H

#include "harness.h"

#include <sys/syscall.h>
#include <unistd.h>

static const duct_overflow policies[] = { DUCT_DROP_OLDEST, DUCT_DROP_NEWEST, DUCT_LATEST_ONLY, DUCT_BLOCK, DUCT_CUT_OFF };

struct crowd {
	duct_channel *channel;
	duct_sender *tx;
};

static inline struct crowd crowd_new(const duct_options *options)
{
	struct crowd crowd;

	CHECK_STATUS(duct_broadcast_new(&crowd.channel, sizeof(int), options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(crowd.channel, &crowd.tx), DUCT_OK);
	return crowd;
}

static inline void crowd_free(struct crowd *crowd)
{
	duct_sender_free(crowd->tx);
	duct_channel_free(crowd->channel);
}

static inline duct_receiver *crowd_join_as(const struct crowd *crowd, const duct_subscription *subscription)
{
	duct_receiver *rx;

	CHECK_STATUS(duct_subscribe(crowd->channel, &rx, subscription), DUCT_OK);
	return rx;
}

/* LATEST_ONLY has no other capacity than 1. */
static inline duct_receiver *crowd_join(const struct crowd *crowd, duct_overflow overflow, size_t capacity)
{
	return crowd_join_as(
	    crowd, DUCT_SUBSCRIPTION(.overflow = overflow, .capacity = overflow == DUCT_LATEST_ONLY ? 1 : capacity));
}

/* Each of first to last can be sent at once. */
static inline bool sends(duct_sender *tx, int first, int last)
{
	for (int n = first; n <= last; n++)
		if (duct_try_send(tx, &n) != DUCT_OK)
			return false;
	return true;
}

/* The next messages are first to last. */
static inline bool reads(duct_receiver *rx, int first, int last)
{
	for (int n = first; n <= last; n++) {
		int message = first - 1;
		duct_status status = duct_try_recv(rx, &message);

		if (status != DUCT_OK || message != n) {
			fprintf(stderr, "%d was to come: %s, %d\n", n, duct_strerror(status), message);
			return false;
		}
	}
	return true;
}

/* The next receive comes to that status, and to no message. */
static inline bool then(duct_receiver *rx, duct_status expected)
{
	int message = -77;
	duct_status status = duct_try_recv(rx, &message);

	if (status != expected || message != -77)
		fprintf(stderr, "%s was to come: %s, %d\n", duct_strerror(expected), duct_strerror(status), message);
	return status == expected && message == -77;
}

static inline duct_stats stats_of(const duct_receiver *rx)
{
	duct_stats stats;

	CHECK_STATUS(duct_receiver_stats(rx, &stats), DUCT_OK);
	return stats;
}

/* What was sent to a receiver is received, lost, queued or discarded. */
static inline bool adds_up(const duct_receiver *rx)
{
	duct_stats stats = stats_of(rx);

	return stats.sent == stats.received + stats.lost + stats.queued + stats.discarded &&
	       stats.queued == duct_receiver_len(rx);
}

static inline bool counts(const duct_receiver *rx, uint64_t sent, uint64_t received, uint64_t lost, uint64_t queued)
{
	duct_stats stats = stats_of(rx);

	if (stats.sent == sent && stats.received == received && stats.lost == lost && stats.queued == queued)
		return adds_up(rx);
	fprintf(stderr, "sent %d, received %d, lost %d, queued %d\n", (int)stats.sent, (int)stats.received, (int)stats.lost,
	    (int)stats.queued);
	return false;
}

/* A thread that has told its number sleeps, as the system tells it, for some moments on end. */
static inline void await_asleep(const atomic_int *thread_id)
{
	char path[64], state = 'R';

	AWAIT(atomic_load(thread_id) != 0);
	snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(thread_id));
	for (int moments = 0; moments < 5; test_pause()) {
		FILE *file = fopen(path, "r");

		if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = 'S';
		if (file != NULL)
			fclose(file);
		moments = state == 'S' ? moments + 1 : 0;
	}
}

static inline void tell_thread_id(atomic_int *thread_id)
{
	atomic_store(thread_id, (int)syscall(SYS_gettid));
}

#endif
