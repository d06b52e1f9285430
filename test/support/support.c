/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What tests under either runner share: threads, pauses and a ready-made channel.
 */
#include "harness.h"

#include <time.h>

void test_pause(void)
{
	const struct timespec moment = { 0, 50 * 1000 };

	nanosleep(&moment, NULL);
}

pthread_t test_start(void *(*run)(void *), void *argument)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, run, argument) == 0);
	return thread;
}

void test_join(pthread_t thread)
{
	CHECK(pthread_join(thread, NULL) == 0);
}

struct test_pair test_pair_new(size_t message_size, size_t capacity)
{
	struct test_pair pair;

	CHECK_STATUS(duct_anycast_new(&pair.channel, message_size, capacity, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_new(pair.channel, &pair.tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(pair.channel, &pair.rx), DUCT_OK);
	return pair;
}

void test_pair_free(struct test_pair *pair)
{
	duct_sender_free(pair->tx);
	duct_receiver_free(pair->rx);
	duct_channel_free(pair->channel);
}

int64_t test_cpu_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

int test_time_scale(void)
{
	const char *scale = getenv("TEST_TIME_SCALE");

	return scale != NULL && atoi(scale) > 0 ? atoi(scale) : 1;
}
