/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Pipe: numbered messages through a pipe that another thread stops and starts again all the time.
 *
 * From and to anycast channels of several capacities each message must arrive exactly once, and in order.  Every so often the
 * thread that stops it takes out what the pipe has in hand, and sends that on by itself.  Some targets have a rival, who takes
 * the room that the pipe has just seen.  A hang ends in an alarm.
 *
 *     stress_pipe [messages of a configuration [seconds until the alarm]]
 */
#include "harness.h"

#include <time.h>
#include <unistd.h>

#define NOISE UINT32_MAX /* what the rival sends */

struct line {
	uint32_t messages;
	duct_sender *from_tx, *to_tx;
	duct_receiver *from_rx, *to_rx;
	duct_pipe *pipe;
	atomic_bool over;
	uint64_t stops, taken; /* of the thread that stops it */
};

static void *run_sender(void *argument)
{
	struct line *line = argument;

	for (uint32_t n = 0; n < line->messages; n++)
		CHECK_STATUS(duct_send(line->from_tx, &n), DUCT_OK);
	return NULL;
}

/* For so long as makes stops fall everywhere: at once, after some messages, after the pipe went to sleep. */
static void let_run(uint32_t *random)
{
	const uint32_t kind = test_random(random) % 8;
	const struct timespec moment = { 0, (long)(test_random(random) % 20000) };

	if (kind == 0)
		return;
	if (kind == 1)
		(void)nanosleep(&moment, NULL);
	else
		for (uint32_t yields = test_random(random) % (1u << kind); yields > 0; yields--)
			sched_yield();
}

static void *run_stopper(void *argument)
{
	struct line *line = argument;
	uint32_t random = 1, message;

	while (!atomic_load(&line->over)) {
		CHECK_STATUS(duct_pipe_start(line->pipe), DUCT_OK);
		let_run(&random);
		duct_pipe_stop(line->pipe);
		CHECK(duct_pipe_state(line->pipe) == DUCT_PIPE_STOPPED);
		line->stops++;
		if (test_random(&random) % 4 == 0 && duct_pipe_take(line->pipe, &message) == DUCT_OK) {
			CHECK_STATUS(duct_send(line->to_tx, &message), DUCT_OK);
			line->taken++;
		}
	}
	return NULL;
}

static void *run_rival(void *argument)
{
	struct line *line = argument;

	while (!atomic_load(&line->over)) {
		(void)!duct_try_send(line->to_tx, &(uint32_t){ NOISE });
		sched_yield();
	}
	return NULL;
}

static uint32_t read_next(duct_receiver *rx)
{
	uint32_t message;

	do
		CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
	while (message == NOISE);
	return message;
}

/* Reads all messages; how many were not the next one. */
static uint64_t read_all(const struct line *line)
{
	uint64_t wrong = 0;

	for (uint32_t n = 0; n < line->messages; n++)
		wrong += read_next(line->to_rx) != n;
	return wrong;
}

/* Nothing is left over, in no place. */
static bool is_empty(const struct line *line)
{
	uint32_t message = NOISE;

	while (message == NOISE && duct_try_recv(line->to_rx, &message) == DUCT_OK)
		;
	return message == NOISE && duct_pipe_take(line->pipe, &message) == DUCT_EMPTY &&
	       duct_pipe_forwarded(line->pipe) + line->taken == line->messages;
}

/* Runs one configuration and prints its line; true if nothing was wrong. */
static bool forwards(size_t from, size_t to, bool has_rival, uint32_t messages)
{
	struct line line = { .messages = messages };
	pthread_t sender, stopper, rival;
	duct_time begin = duct_now();
	uint64_t wrong;
	bool passed;

	CHECK_STATUS(duct_anycast_open(&line.from_tx, &line.from_rx, sizeof(uint32_t), from, NULL), DUCT_OK);
	CHECK_STATUS(duct_anycast_open(&line.to_tx, &line.to_rx, sizeof(uint32_t), to, NULL), DUCT_OK);
	CHECK_STATUS(duct_pipe_new(&line.pipe, line.from_rx, line.to_tx, 0), DUCT_OK);
	CHECK(pthread_create(&stopper, NULL, run_stopper, &line) == 0);
	CHECK(pthread_create(&sender, NULL, run_sender, &line) == 0);
	if (has_rival)
		CHECK(pthread_create(&rival, NULL, run_rival, &line) == 0);
	wrong = read_all(&line);
	atomic_store(&line.over, true);
	pthread_join(sender, NULL);
	pthread_join(stopper, NULL);
	if (has_rival)
		pthread_join(rival, NULL);
	passed = wrong == 0 && is_empty(&line);
	printf("%s capacities %2zu and %2zu%s, %u messages: wrong %llu, stops %llu, taken out %llu, %.0f ns each\n",
	    passed ? "ok  " : "FAIL", from, to, has_rival ? ", a rival" : "", messages, (unsigned long long)wrong,
	    (unsigned long long)line.stops, (unsigned long long)line.taken,
	    (double)(duct_now() - begin) / (double)(messages + (messages == 0)));
	fflush(stdout);
	duct_pipe_free(line.pipe);
	duct_sender_free(line.from_tx);
	duct_receiver_free(line.to_rx);
	return passed;
}

int main(int argc, char **argv)
{
	static const struct {
		size_t from, to;
		bool has_rival;
	} configurations[] = { { 0, 0, false }, { 0, 3, false }, { 3, 0, false }, { 1, 1, false }, { 64, 64, false },
		{ 1, 1, true }, { 64, 2, true } };
	uint32_t messages = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20000;
	int passed = 0, failed = 0;

	alarm(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 60 + messages / 1000);
	for (size_t k = 0; k < ARRAY_LEN(configurations); k++)
		if (forwards(configurations[k].from, configurations[k].to, configurations[k].has_rival, messages))
			passed++;
		else
			failed++;
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
