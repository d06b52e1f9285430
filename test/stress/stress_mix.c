/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Mix: every operation at random, on four channels at once.
 *
 * Senders and receivers choose for each step a channel and a way: plain, without waiting, until a deadline, with a token that
 * another thread raises, in a batch, after a wait for readiness, or in a select, of sends, of receives or of both.  In the end
 * the channels are closed and drained.  The number and the sum of the messages that the library said to have sent must be
 * those that it said to have received.
 *
 *     stress_mix [messages of each sender [seconds until the alarm [seed]]]
 */
#include "harness.h"

#include <time.h>
#include <unistd.h>

#define CHANNELS 4
#define SENDERS 4
#define RECEIVERS 4
#define BATCH 3

static const size_t capacities[CHANNELS] = { 0, 1, 2, 5 };

/* What all threads share: the channels and the current token, which is replaced after it was raised. */
static struct {
	duct_channel *channel[CHANNELS];
	duct_sender *tx[CHANNELS];
	duct_receiver *rx[CHANNELS];
	pthread_mutex_t lock;
	duct_cancel *token;
	atomic_bool done;
	long each;
} mix = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* One thread, and what it moved. */
struct worker {
	uint32_t random;
	long sent, received, gave_up;
	uint64_t sum_sent, sum_received;
	pthread_t thread;
};

static uint32_t pick(struct worker *self, uint32_t below)
{
	return test_random(&self->random) % below;
}

static duct_time soon(struct worker *self, uint32_t nanoseconds)
{
	return duct_after_ns(pick(self, nanoseconds));
}

static void fail(const char *what, duct_status status)
{
	fprintf(stderr, "stress_mix: %s: %s\n", what, duct_strerror(status));
	exit(1);
}

static duct_cancel *token_get(void)
{
	duct_cancel *token;

	pthread_mutex_lock(&mix.lock);
	CHECK_STATUS(duct_cancel_clone(mix.token, &token), DUCT_OK);
	pthread_mutex_unlock(&mix.lock);
	return token;
}

/* Raises the token and puts a new one in its place, again and again. */
static void *run_canceler(void *argument)
{
	const struct timespec pause = { 0, 200 * 1000 };

	(void)argument;
	while (!atomic_load(&mix.done)) {
		duct_cancel *token, *old;

		CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
		pthread_mutex_lock(&mix.lock);
		old = mix.token;
		mix.token = token;
		pthread_mutex_unlock(&mix.lock);
		duct_cancel_raise(old);
		duct_cancel_free(old);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static void count_sent(struct worker *self, const uint64_t *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		self->sent++;
		self->sum_sent += messages[i];
	}
}

static void count_received(struct worker *self, const uint64_t *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		self->received++;
		self->sum_received += messages[i];
	}
}

/* Gave up: a status that leaves the operation undone while the channels are open. */
static bool gave_up(struct worker *self, duct_status status)
{
	if (status != DUCT_FULL && status != DUCT_EMPTY && status != DUCT_TIMEDOUT && status != DUCT_CANCELED)
		return false;
	self->gave_up++;
	return true;
}

/* ---- Senders ---------------------------------------------------------------------------------------------------------- */

static duct_status send_plain(struct worker *self, duct_sender *tx, const uint64_t *message)
{
	duct_cancel *token;
	duct_status status;

	switch (pick(self, 5)) {
	case 0:
		return duct_try_send(tx, message);
	case 1:
		return duct_send_until(tx, message, soon(self, 50000), NULL);
	case 2:
		token = token_get();
		status = duct_send_until(tx, message, DUCT_FOREVER, token);
		duct_cancel_free(token);
		return status;
	case 3:
		status = duct_sender_wait(tx, soon(self, 50000), NULL);
		return status == DUCT_OK ? duct_try_send(tx, message) : status;
	default:
		return duct_send(tx, message);
	}
}

static void send_batch(struct worker *self, const uint64_t *messages)
{
	size_t sent = 0;
	duct_sender *tx = mix.tx[pick(self, CHANNELS)];
	duct_time deadline = pick(self, 2) ? DUCT_FOREVER : soon(self, 100000);
	duct_status status = duct_send_many(tx, messages, BATCH, &sent, deadline, NULL);

	count_sent(self, messages, sent);
	if (status == DUCT_OK ? sent != BATCH : !gave_up(self, status))
		fail("send_many", status);
}

/* A select of three sends, some of them maybe on one channel, and now and then a receive among them. */
static void send_select(struct worker *self, const uint64_t *messages)
{
	uint64_t in = 0;
	duct_case cases[BATCH + 1];
	size_t count = 0, chosen;
	duct_status status;

	for (; count < BATCH; count++)
		cases[count] = (duct_case)DUCT_SEND(mix.tx[pick(self, CHANNELS)], &messages[count]);
	if (pick(self, 2))
		cases[count++] = (duct_case)DUCT_RECV(mix.rx[pick(self, CHANNELS)], &in);
	status = duct_select_until(cases, count, &chosen, pick(self, 2) ? DUCT_FAIR : DUCT_PRIORITY,
	    pick(self, 3) ? DUCT_FOREVER : soon(self, 100000), NULL);
	if (gave_up(self, status))
		return;
	if (status != DUCT_OK || cases[chosen].status != DUCT_OK)
		fail("select of sends", status);
	if (chosen == BATCH)
		count_received(self, &in, 1);
	else
		count_sent(self, &messages[chosen], 1);
}

static void *run_sender(void *argument)
{
	struct worker *self = argument;

	while (self->sent < mix.each) {
		uint64_t messages[BATCH];
		uint32_t what = pick(self, 8);
		duct_status status;

		for (int i = 0; i < BATCH; i++)
			messages[i] = pick(self, 100000);
		if (what == 0) {
			send_batch(self, messages);
		} else if (what <= 2) {
			send_select(self, messages);
		} else {
			status = send_plain(self, mix.tx[pick(self, CHANNELS)], messages);
			if (status == DUCT_OK)
				count_sent(self, messages, 1);
			else if (!gave_up(self, status))
				fail("send", status);
		}
	}
	return NULL;
}

/* ---- Receivers -------------------------------------------------------------------------------------------------------- */

static duct_status recv_plain(struct worker *self, duct_receiver *rx, uint64_t *message)
{
	duct_cancel *token;
	duct_status status;

	switch (pick(self, 4)) {
	case 0:
		return duct_try_recv(rx, message);
	case 1:
		token = token_get();
		status = duct_recv_until(rx, message, soon(self, 1000000), token);
		duct_cancel_free(token);
		return status;
	case 2:
		status = duct_receiver_wait(rx, soon(self, 50000), NULL);
		return status == DUCT_OK ? duct_try_recv(rx, message) : status;
	default:
		return duct_recv_until(rx, message, soon(self, 100000), NULL);
	}
}

/* A select over all that are open; the one that has ended, or CHANNELS. */
static size_t recv_select(struct worker *self, duct_receiver *const open[CHANNELS])
{
	static const unsigned flags[] = { DUCT_FAIR, DUCT_PRIORITY, DUCT_READY };
	uint64_t in[CHANNELS];
	duct_case cases[CHANNELS];
	uint32_t first = pick(self, CHANNELS);
	unsigned flag = flags[pick(self, 3)];
	size_t chosen;
	duct_status status;

	for (uint32_t k = 0; k < CHANNELS; k++)
		cases[k] = (duct_case)DUCT_RECV(open[(first + k) % CHANNELS], &in[k]);
	status = duct_select_until(cases, CHANNELS, &chosen, flag, pick(self, 2) ? 0 : soon(self, 200000), NULL);
	if (gave_up(self, status))
		return CHANNELS;
	if (status != DUCT_OK)
		fail("select of receives", status);
	status = cases[chosen].status;
	if (status == DUCT_OK && flag == DUCT_READY) {
		status = duct_try_recv(cases[chosen].receiver, &in[chosen]);
		if (gave_up(self, status))
			return CHANNELS;
	}
	if (status == DUCT_CLOSED)
		return (first + chosen) % CHANNELS;
	if (status != DUCT_OK)
		fail("case of a receive", status);
	count_received(self, &in[chosen], 1);
	return CHANNELS;
}

/* One step on a channel; false once it has ended. */
static bool recv_one(struct worker *self, duct_receiver *rx)
{
	uint64_t in[BATCH + 1];
	size_t received = 0;
	duct_status status;

	if (pick(self, 4) == 0) {
		status = duct_recv_many(rx, in, pick(self, BATCH), BATCH + 1, &received, soon(self, 100000), NULL);
		count_received(self, in, received);
	} else {
		status = recv_plain(self, rx, in);
		if (status == DUCT_OK)
			count_received(self, in, 1);
	}
	if (status != DUCT_OK && status != DUCT_CLOSED && !gave_up(self, status))
		fail("receive", status);
	return status != DUCT_CLOSED;
}

static void *run_receiver(void *argument)
{
	struct worker *self = argument;
	duct_receiver *open[CHANNELS];
	int left = CHANNELS;

	for (int k = 0; k < CHANNELS; k++)
		open[k] = mix.rx[k];
	while (left > 0) {
		size_t ended = CHANNELS, which = pick(self, CHANNELS);

		if (pick(self, 3) == 0)
			ended = recv_select(self, open);
		else if (open[which] != NULL && !recv_one(self, open[which]))
			ended = which;
		if (ended < CHANNELS) {
			open[ended] = NULL;
			left--;
		}
	}
	return NULL;
}

/* ---- The run ---------------------------------------------------------------------------------------------------------- */

static void open_channels(void)
{
	CHECK_STATUS(duct_cancel_new(&mix.token, NULL, DUCT_FOREVER), DUCT_OK);
	for (int k = 0; k < CHANNELS; k++) {
		CHECK_STATUS(duct_anycast_new(&mix.channel[k], sizeof(uint64_t), capacities[k], NULL), DUCT_OK);
		CHECK_STATUS(duct_sender_new(mix.channel[k], &mix.tx[k]), DUCT_OK);
		CHECK_STATUS(duct_receiver_new(mix.channel[k], &mix.rx[k]), DUCT_OK);
	}
}

static bool free_channels(void)
{
	bool quiet = true;

	for (int k = 0; k < CHANNELS; k++) {
		quiet = quiet && duct_channel_len(mix.channel[k]) == 0 && duct_channel_waiting_senders(mix.channel[k]) == 0 &&
		        duct_channel_waiting_receivers(mix.channel[k]) == 0;
		duct_sender_free(mix.tx[k]);
		duct_receiver_free(mix.rx[k]);
		duct_channel_free(mix.channel[k]);
	}
	duct_cancel_free(mix.token);
	return quiet;
}

int main(int argc, char **argv)
{
	struct worker workers[SENDERS + RECEIVERS] = { { 0 } };
	long sent = 0, received = 0, gave_ups = 0;
	uint64_t difference = 0;
	uint32_t seed = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	pthread_t canceler;
	bool passed;

	mix.each = argc > 1 ? atol(argv[1]) : 20000;
	alarm(argc > 2 ? (unsigned)atol(argv[2]) : 60 + (unsigned)(mix.each / 200));
	open_channels();
	CHECK(pthread_create(&canceler, NULL, run_canceler, NULL) == 0);
	for (uint32_t k = 0; k < SENDERS + RECEIVERS; k++) {
		workers[k].random = seed * 1000003 + k * 77777 + 1;
		workers[k].random += workers[k].random == 0; /* which would stay */
		CHECK(pthread_create(&workers[k].thread, NULL, k < SENDERS ? run_sender : run_receiver, &workers[k]) == 0);
	}
	for (int k = 0; k < SENDERS; k++)
		pthread_join(workers[k].thread, NULL);
	for (int k = 0; k < CHANNELS; k++)
		duct_channel_close(mix.channel[k], 0);
	for (int k = SENDERS; k < SENDERS + RECEIVERS; k++)
		pthread_join(workers[k].thread, NULL);
	atomic_store(&mix.done, true);
	pthread_join(canceler, NULL);
	for (int k = 0; k < SENDERS + RECEIVERS; k++) {
		sent += workers[k].sent;
		received += workers[k].received;
		gave_ups += workers[k].gave_up;
		difference += workers[k].sum_sent - workers[k].sum_received;
	}
	passed = free_channels() && sent == received && difference == 0;
	printf("%s mix of %ld messages sent, %ld received, difference of the sums %lld, gave up %ld times\n",
	    passed ? "ok  " : "FAIL", sent, received, (long long)difference, gave_ups);
	printf("%d passed, %d failed\n", passed, !passed);
	return !passed;
}
