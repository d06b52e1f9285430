/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Combine: merges of filters of maps of channels, made, changed, closed and freed while threads receive from them.
 *
 *     channel --> map --> filter --+--> the merge, which all receive from; it is replaced again and again, and the filters
 *     channel --> map --> filter --+    in it go and come
 *     ...                          +--> merges that a thread makes for itself, and frees with what they hold
 *
 * Receivers try, wait until a deadline or with a token, in batches and selects, or ask only whether something is ready and then
 * do not take it.  The functions of the filters refuse a third.  In the end the channels are closed and drained.  Each message
 * that was sent has been received once, or has gone through the drop hook once: their numbers and their sums have to be equal.
 *
 *     stress_combine [messages of each sender [seconds until the alarm [seed]]]
 */
#include "harness.h"

#include <time.h>
#include <unistd.h>

#define LANES 4
#define SENDERS 3
#define RECEIVERS 4
#define BATCH 3

static const size_t capacities[LANES] = { 0, 1, 3, 8 };

/* The merge and the token are replaced under the lock: whoever uses them has a handle of its own. */
static struct {
	duct_channel *channel[LANES];
	duct_sender *tx[LANES];
	duct_receiver *filter[LANES];
	pthread_mutex_t lock;
	duct_receiver *merged;
	size_t number[LANES]; /* of the filters in the merge */
	duct_cancel *token;
	atomic_bool sent;
	atomic_long dropped;
	atomic_ullong sum_dropped;
	long each;
} all = { .lock = PTHREAD_MUTEX_INITIALIZER };

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
	fprintf(stderr, "stress_combine: %s: %s\n", what, duct_strerror(status));
	exit(1);
}

/* ---- Functions and hooks ---------------------------------------------------------------------------------------------- */

static uint64_t number_at(const void *message)
{
	uint64_t number;

	memcpy(&number, message, sizeof number);
	return number;
}

/* Of what a channel has, and with the same numbers of what a map has made. */
static void count_drop(void *message, void *context)
{
	(void)context;
	atomic_fetch_add(&all.dropped, 1);
	atomic_fetch_add(&all.sum_dropped, number_at(message) & UINT32_MAX);
}

static void mark(void *to, void *from, void *context)
{
	const uint64_t made = number_at(from) | (uint64_t)1 << 32;

	(void)context;
	memcpy(to, &made, sizeof made);
}

static bool keeps(const void *message, void *context)
{
	const uint64_t number = number_at(message);

	(void)context;
	CHECK(number >> 32 == 1);
	return number % 3 != 0;
}

/* ---- Making and replacing --------------------------------------------------------------------------------------------- */

static void make_lane(int k)
{
	duct_receiver *rx, *mapped;

	CHECK_STATUS(
	    duct_anycast_new(&all.channel[k], sizeof(uint64_t), capacities[k], DUCT_OPTIONS(.drop = count_drop)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(all.channel[k], &all.tx[k]), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(all.channel[k], &rx), DUCT_OK);
	CHECK_STATUS(duct_map_new(&mapped, rx, sizeof(uint64_t), mark, NULL, DUCT_COMBINE(.drop = count_drop)), DUCT_OK);
	CHECK_STATUS(duct_filter_new(&all.filter[k], mapped, keeps, NULL, NULL), DUCT_OK);
}

static duct_receiver *merge_of(size_t count)
{
	duct_receiver *merged;

	CHECK_STATUS(duct_merge_new(&merged, all.filter, count, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	return merged;
}

static duct_receiver *merge_get(void)
{
	duct_receiver *merged;

	pthread_mutex_lock(&all.lock);
	CHECK_STATUS(duct_receiver_clone(all.merged, &merged), DUCT_OK);
	pthread_mutex_unlock(&all.lock);
	return merged;
}

static duct_cancel *token_get(void)
{
	duct_cancel *token;

	pthread_mutex_lock(&all.lock);
	CHECK_STATUS(duct_cancel_clone(all.token, &token), DUCT_OK);
	pthread_mutex_unlock(&all.lock);
	return token;
}

static void replace_merge(bool close)
{
	duct_receiver *old;

	pthread_mutex_lock(&all.lock);
	old = all.merged;
	all.merged = merge_of(LANES);
	for (size_t k = 0; k < LANES; k++)
		all.number[k] = k;
	pthread_mutex_unlock(&all.lock);
	if (close)
		duct_receiver_close(old);
	duct_receiver_free(old);
}

static void replace_token(void)
{
	duct_cancel *token, *old;

	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	pthread_mutex_lock(&all.lock);
	old = all.token;
	all.token = token;
	pthread_mutex_unlock(&all.lock);
	duct_cancel_raise(old);
	duct_cancel_free(old);
}

/* A filter goes, and comes again; unless it has ended meanwhile. */
static void shuffle(size_t k)
{
	duct_receiver *out;
	duct_status status;

	pthread_mutex_lock(&all.lock);
	status = duct_merge_remove(all.merged, all.number[k], &out);
	if (status == DUCT_OK) {
		sched_yield();
		status = duct_merge_add(all.merged, all.filter[k], true, &all.number[k]);
	}
	pthread_mutex_unlock(&all.lock);
	if (status != DUCT_OK && !(status == DUCT_CLOSED && atomic_load(&all.sent)))
		fail("a filter goes and comes", status);
}

static void *run_changer(void *argument)
{
	const struct timespec pause = { 0, 20 * 1000 };
	struct worker *self = argument;

	while (!atomic_load(&all.sent)) {
		uint32_t what = pick(self, 12);

		if (what == 0)
			replace_merge(pick(self, 2));
		else if (what == 1)
			replace_token();
		else
			shuffle(pick(self, LANES));
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* ---- Senders ---------------------------------------------------------------------------------------------------------- */

static void *run_sender(void *argument)
{
	struct worker *self = argument;

	while (self->sent < all.each) {
		uint64_t number = pick(self, 100000);
		duct_sender *tx = all.tx[pick(self, LANES)];
		duct_status status =
		    pick(self, 4) ? duct_send_until(tx, &number, soon(self, 200000), NULL) : duct_try_send(tx, &number);

		if (status == DUCT_OK) {
			self->sent++;
			self->sum_sent += number;
		} else if (status != DUCT_TIMEDOUT && status != DUCT_FULL)
			fail("send", status);
	}
	return NULL;
}

/* ---- Receivers -------------------------------------------------------------------------------------------------------- */

static void count(struct worker *self, const uint64_t *messages, size_t received)
{
	for (size_t i = 0; i < received; i++) {
		CHECK(messages[i] >> 32 == 1 && messages[i] % 3 != 0);
		self->received++;
		self->sum_received += messages[i] & UINT32_MAX;
	}
}

static duct_status receive_with_token(struct worker *self, duct_receiver *rx, uint64_t *message)
{
	duct_cancel *token = token_get();
	duct_status status = duct_recv_until(rx, message, soon(self, 1000000), token);

	duct_cancel_free(token);
	return status;
}

/* Asks whether something is ready, and may leave it. */
static duct_status receive_what_is_ready(struct worker *self, duct_receiver *rx, uint64_t *message)
{
	duct_case cases[] = { DUCT_RECV(rx, message), DUCT_RECV(all.filter[pick(self, LANES)], message) };
	size_t chosen = 0;
	duct_status status;

	if (pick(self, 2))
		status = duct_receiver_wait(rx, soon(self, 50000), NULL);
	else
		status = duct_select_until(cases, 2, &chosen, DUCT_READY, soon(self, 50000), NULL);
	if (status != DUCT_OK || cases[chosen].status != DUCT_OK || pick(self, 3) == 0)
		return status == DUCT_CLOSED ? DUCT_CLOSED : DUCT_TIMEDOUT;
	return duct_try_recv(cases[chosen].receiver, message);
}

static duct_status receive_one(struct worker *self, duct_receiver *rx, uint64_t *message)
{
	switch (pick(self, 5)) {
	case 0:
		return duct_try_recv(rx, message);
	case 1:
		return receive_with_token(self, rx, message);
	case 2:
	case 3:
		return receive_what_is_ready(self, rx, message);
	default:
		return duct_recv_until(rx, message, soon(self, 100000), NULL);
	}
}

static duct_status receive(struct worker *self, duct_receiver *rx)
{
	uint64_t in[BATCH];
	size_t received = 0;
	duct_status status;

	if (pick(self, 4) == 0) {
		status = duct_recv_many(rx, in, pick(self, BATCH), BATCH, &received, soon(self, 100000), NULL);
	} else {
		status = receive_one(self, rx, in);
		received = status == DUCT_OK;
	}
	count(self, in, received);
	if (status == DUCT_EMPTY || status == DUCT_TIMEDOUT || status == DUCT_CANCELED)
		self->gave_up++;
	else if (status != DUCT_OK && status != DUCT_CLOSED)
		fail("receive", status);
	return status;
}

/* A merge of its own, of some of the filters; what it holds then goes with it. */
static void receive_apart(struct worker *self)
{
	duct_receiver *merged = merge_of(1 + pick(self, LANES));

	for (uint32_t left = pick(self, 6); left > 0; left--)
		(void)receive(self, merged);
	duct_receiver_free(merged);
}

static void *run_receiver(void *argument)
{
	struct worker *self = argument;
	bool over = false;

	while (!over) {
		const bool sent = atomic_load(&all.sent); /* before the merge is taken, which is the last one then */
		duct_receiver *merged = merge_get();
		duct_status status = DUCT_OK;

		for (uint32_t left = pick(self, 30); left > 0 && status != DUCT_CLOSED; left--)
			status = receive(self, merged);
		if (status != DUCT_CLOSED && pick(self, 8) == 0)
			receive_apart(self);
		over = sent && status == DUCT_CLOSED;
		duct_receiver_free(merged);
	}
	return NULL;
}

/* ---- The run ---------------------------------------------------------------------------------------------------------- */

static void open_all(void)
{
	CHECK_STATUS(duct_cancel_new(&all.token, NULL, DUCT_FOREVER), DUCT_OK);
	for (int k = 0; k < LANES; k++)
		make_lane(k);
	all.merged = merge_of(LANES);
	for (size_t k = 0; k < LANES; k++)
		all.number[k] = k;
}

static bool free_all(void)
{
	bool quiet = true;

	duct_receiver_free(all.merged);
	for (int k = 0; k < LANES; k++) {
		duct_receiver_free(all.filter[k]);
		quiet = quiet && duct_channel_len(all.channel[k]) == 0 && duct_channel_waiting_senders(all.channel[k]) == 0 &&
		        duct_channel_waiting_receivers(all.channel[k]) == 0;
		duct_sender_free(all.tx[k]);
		duct_channel_free(all.channel[k]);
	}
	duct_cancel_free(all.token);
	return quiet;
}

static void start(struct worker *worker, uint32_t seed, uint32_t number, void *(*run)(void *))
{
	worker->random = seed * 1000003 + number * 77777 + 1;
	worker->random += worker->random == 0; /* which would stay */
	CHECK(pthread_create(&worker->thread, NULL, run, worker) == 0);
}

static void run_all(struct worker *workers, uint32_t seed)
{
	struct worker changer = { 0 };

	for (uint32_t k = 0; k < SENDERS + RECEIVERS; k++)
		start(&workers[k], seed, k, k < SENDERS ? run_sender : run_receiver);
	start(&changer, seed, SENDERS + RECEIVERS, run_changer);
	for (int k = 0; k < SENDERS; k++)
		pthread_join(workers[k].thread, NULL);
	atomic_store(&all.sent, true);
	pthread_join(changer.thread, NULL);
	for (int k = 0; k < LANES; k++)
		duct_channel_close(all.channel[k], 0);
	for (int k = SENDERS; k < SENDERS + RECEIVERS; k++)
		pthread_join(workers[k].thread, NULL);
}

int main(int argc, char **argv)
{
	struct worker workers[SENDERS + RECEIVERS] = { { 0 } };
	long sent = 0, received = 0, gave_up = 0, dropped;
	uint64_t difference = 0;
	bool passed;

	all.each = argc > 1 ? atol(argv[1]) : 20000;
	alarm(argc > 2 ? (unsigned)atol(argv[2]) : 60 + (unsigned)(all.each / 200));
	open_all();
	run_all(workers, argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0);
	passed = free_all();
	dropped = atomic_load(&all.dropped);
	for (int k = 0; k < SENDERS + RECEIVERS; k++) {
		sent += workers[k].sent;
		received += workers[k].received;
		gave_up += workers[k].gave_up;
		difference += workers[k].sum_sent - workers[k].sum_received;
	}
	difference -= atomic_load(&all.sum_dropped);
	passed = passed && sent == received + dropped && difference == 0;
	printf("%s combine of %ld messages sent, %ld received, %ld refused or dropped, difference of the sums %lld, gave up "
	       "%ld times\n",
	    passed ? "ok  " : "FAIL", sent, received, dropped, (long long)difference, gave_up);
	printf("%d passed, %d failed\n", passed, !passed);
	return !passed;
}
