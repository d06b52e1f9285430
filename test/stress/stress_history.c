/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * History: when each call of a long run began and ended, checked afterwards for what no order of single steps explains.
 *
 * Every message is sent once, so that each has four times: the send began and ended, the receive began and ended.  From them,
 * in O(n log n):
 *
 *     lost, strange  every message was received exactly once, and not before its send began
 *     order          a send that ended before another began is received first: its receive does not begin after the other's
 *                    has ended
 *     capacity       at no instant have more sends ended than receives begun, but for the capacity
 *     rendezvous     at capacity 0 a send and its receive overlap in time
 *
 * The times are taken outside of the calls, so that a violation is one for certain.
 *
 *     stress_history [messages of each of 3 senders [capacity, or all [seconds until the alarm]]]
 */
#include "harness.h"

#include <unistd.h>

#define SENDERS 3
#define RECEIVERS 2

/* One message: the times of its send and of its receive, and how often it came. */
struct event {
	duct_time send_began, send_ended, receive_began, receive_ended;
	int received;
};

/* One receive, as its thread wrote it down. */
struct receipt {
	uint32_t message;
	duct_time began, ended;
};

struct run {
	struct event *events;
	size_t each, total;
	duct_sender *tx;
	duct_receiver *rx;
};

struct sending {
	const struct run *run;
	size_t first;
	pthread_t thread;
};

struct receiving {
	const struct run *run;
	struct receipt *receipts;
	size_t count;
	pthread_t thread;
};

struct verdict {
	size_t strange, lost, order, capacity, rendezvous;
};

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	CHECK(memory != NULL);
	return memory;
}

/* ---- The run ---------------------------------------------------------------------------------------------------------- */

static void *run_sender(void *argument)
{
	const struct sending *self = argument;

	for (size_t i = self->first; i < self->first + self->run->each; i++) {
		struct event *event = &self->run->events[i];
		uint32_t message = (uint32_t)i;

		event->send_began = duct_now();
		CHECK_STATUS(duct_send(self->run->tx, &message), DUCT_OK);
		event->send_ended = duct_now();
	}
	return NULL;
}

static void *run_receiver(void *argument)
{
	struct receiving *self = argument;

	while (self->count < self->run->total) {
		struct receipt *receipt = &self->receipts[self->count];

		receipt->began = duct_now();
		if (duct_recv(self->run->rx, &receipt->message) != DUCT_OK)
			break;
		receipt->ended = duct_now();
		self->count++;
	}
	return NULL;
}

static void record(struct run *run, struct receiving receiving[RECEIVERS], size_t capacity)
{
	struct sending sending[SENDERS];

	CHECK_STATUS(duct_anycast_open(&run->tx, &run->rx, sizeof(uint32_t), capacity, NULL), DUCT_OK);
	for (size_t k = 0; k < RECEIVERS; k++) {
		receiving[k] = (struct receiving){ .run = run, .receipts = zeroed(run->total, sizeof(struct receipt)) };
		CHECK(pthread_create(&receiving[k].thread, NULL, run_receiver, &receiving[k]) == 0);
	}
	for (size_t k = 0; k < SENDERS; k++) {
		sending[k] = (struct sending){ .run = run, .first = k * run->each };
		CHECK(pthread_create(&sending[k].thread, NULL, run_sender, &sending[k]) == 0);
	}
	for (size_t k = 0; k < SENDERS; k++)
		pthread_join(sending[k].thread, NULL);
	duct_sender_free(run->tx);
	for (size_t k = 0; k < RECEIVERS; k++)
		pthread_join(receiving[k].thread, NULL);
	duct_receiver_free(run->rx);
}

/* ---- The checks ------------------------------------------------------------------------------------------------------- */

/* Brings the receivers' notes to the messages. */
static void merge(struct run *run, struct receiving receiving[RECEIVERS], struct verdict *verdict)
{
	for (size_t k = 0; k < RECEIVERS; k++) {
		for (size_t i = 0; i < receiving[k].count; i++) {
			const struct receipt *receipt = &receiving[k].receipts[i];
			struct event *event;

			if (receipt->message >= run->total || run->events[receipt->message].received++ > 0) {
				verdict->strange++;
				continue;
			}
			event = &run->events[receipt->message];
			event->receive_began = receipt->began;
			event->receive_ended = receipt->ended;
		}
		free(receiving[k].receipts);
	}
}

static void check_each(struct run *run, size_t capacity, struct verdict *verdict)
{
	for (size_t i = 0; i < run->total; i++) {
		struct event *event = &run->events[i];

		if (event->received == 0) {
			verdict->lost++;
			event->receive_began = event->receive_ended = INT64_MAX;
			continue;
		}
		verdict->strange += event->receive_ended < event->send_began;
		verdict->rendezvous +=
		    capacity == 0 && (event->receive_began > event->send_ended || event->send_began > event->receive_ended);
	}
}

static int compare_times(duct_time one, duct_time other)
{
	return (one > other) - (one < other);
}

static int by_send_ended(const void *one, const void *other)
{
	return compare_times((*(struct event *const *)one)->send_ended, (*(struct event *const *)other)->send_ended);
}

static int by_send_began(const void *one, const void *other)
{
	return compare_times((*(struct event *const *)one)->send_began, (*(struct event *const *)other)->send_began);
}

static int by_time(const void *one, const void *other)
{
	return compare_times(*(const duct_time *)one, *(const duct_time *)other);
}

/*
 * Goes through the sends as they began, and knows of all that had ended before the one at hand the latest begin of a receive:
 * that receive must not have begun after this message's own has ended.
 */
static void check_order(struct run *run, struct verdict *verdict)
{
	struct event **ended = zeroed(run->total, sizeof *ended), **began = zeroed(run->total, sizeof *began);
	duct_time latest = INT64_MIN;
	size_t before = 0;

	for (size_t i = 0; i < run->total; i++)
		ended[i] = began[i] = &run->events[i];
	qsort(ended, run->total, sizeof *ended, by_send_ended);
	qsort(began, run->total, sizeof *began, by_send_began);
	for (size_t i = 0; i < run->total; i++) {
		for (; before < run->total && ended[before]->send_ended < began[i]->send_began; before++)
			if (ended[before]->receive_began > latest)
				latest = ended[before]->receive_began;
		verdict->order += began[i]->received > 0 && latest > began[i]->receive_ended;
	}
	free(ended);
	free(began);
}

/* At the end of the i-th send at most capacity of the i may not have a receive that began by then. */
static void check_capacity(struct run *run, size_t capacity, struct verdict *verdict)
{
	duct_time *sent = zeroed(run->total, sizeof *sent), *received = zeroed(run->total, sizeof *received);
	size_t begun = 0;

	for (size_t i = 0; i < run->total; i++) {
		sent[i] = run->events[i].send_ended;
		received[i] = run->events[i].receive_began;
	}
	qsort(sent, run->total, sizeof *sent, by_time);
	qsort(received, run->total, sizeof *received, by_time);
	for (size_t i = 0; i < run->total; i++) {
		while (begun < run->total && received[begun] <= sent[i])
			begun++;
		verdict->capacity += i + 1 > begun + capacity;
	}
	free(sent);
	free(received);
}

/* Runs and checks one capacity and prints its line; true if nothing was wrong. */
static bool history(size_t each, size_t capacity)
{
	struct run run = { .each = each, .total = each * SENDERS };
	struct receiving receiving[RECEIVERS];
	struct verdict verdict = { 0 };
	duct_time began = duct_now(), ran;
	bool passed;

	run.events = zeroed(run.total, sizeof *run.events);
	record(&run, receiving, capacity);
	ran = duct_now();
	merge(&run, receiving, &verdict);
	check_each(&run, capacity, &verdict);
	check_order(&run, &verdict);
	check_capacity(&run, capacity, &verdict);
	free(run.events);
	passed = verdict.strange + verdict.lost + verdict.order + verdict.capacity + verdict.rendezvous == 0;
	printf("%s capacity %3zu, %zu messages in %.2f s, checked in %.2f s: "
	       "strange %zu, lost %zu, order %zu, capacity %zu, rendezvous %zu\n",
	    passed ? "ok  " : "FAIL", capacity, run.total, (double)(ran - began) / 1e9, (double)(duct_now() - ran) / 1e9,
	    verdict.strange, verdict.lost, verdict.order, verdict.capacity, verdict.rendezvous);
	fflush(stdout);
	return passed;
}

int main(int argc, char **argv)
{
	static const size_t capacities[] = { 0, 1, 3, 64 };
	size_t each = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	int passed = 0, failed = 0;

	if (each == 0 || each > UINT32_MAX / SENDERS) {
		fprintf(stderr, "usage: stress_history [messages of each sender [capacity or all [seconds]]]\n");
		return 2;
	}
	alarm(argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 60 + (unsigned)(each / 1000));
	for (size_t k = 0; k < ARRAY_LEN(capacities); k++) {
		bool one = argc > 2 && strcmp(argv[2], "all") != 0;

		if (history(each, one ? strtoul(argv[2], NULL, 10) : capacities[k]))
			passed++;
		else
			failed++;
		if (one)
			break;
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
