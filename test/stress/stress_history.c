/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * History: when each call of a long run began and ended, checked afterwards for what no order of single steps explains.
 *
 * Every message is sent once, so that each has four times: the send began and ended, the receive began and ended.  The sender
 * that finds none left to send closes the channel, while others are still sending theirs.  From the times, in O(n log n):
 *
 *     lost, strange  every message whose send said so was received exactly once, not before its send began; no other was
 *     order          a send that ended before another began is received first: its receive does not begin after the other's
 *                    has ended; and each receiver gets the messages of one sender as they were sent
 *     capacity       at no instant have more sends ended than receives begun, but for the capacity
 *     rendezvous     at capacity 0 a send and its receive overlap in time
 *     closed         no send that began after the close had ended was done; once a receiver was told that all is over, no
 *                    receive that begins later gets anything
 *
 * The times are taken outside of the calls, and all messages of a batch have those of the batch, so that a violation is one
 * for certain.
 *
 *     stress_history [messages [capacity, or all [form, or all [seconds until the alarm [seed]]]]]
 *
 * Forms: plain, select (with a second channel where nothing happens), until (deadlines that pass, and another try), batch, and
 * mixed: threads of all four, which is what all capacities are run with by default.
 */
#include "harness.h"

#include <unistd.h>

#define MOST_THREADS 4 /* of a kind */
#define BATCH 7

enum form { PLAIN, SELECTING, UNTIL, BATCHED, MIXED, FORMS };

static const char *const form_names[FORMS] = { "plain", "select", "until", "batch", "mixed" };

/* One message: the times of its send and of its receive, and how often it came. */
struct event {
	duct_time send_began, send_ended, receive_began, receive_ended;
	bool sent, received;
	unsigned char sender;
};

/* One receive, as its thread wrote it down. */
struct receipt {
	uint32_t message;
	duct_time began, ended;
};

struct run {
	struct event *events;
	enum form form;
	uint32_t total, senders, receivers, seed;
	_Atomic uint32_t next; /* message to send */
	atomic_int done;       /* senders that found none */
	size_t capacity;
	struct test_pair pair, idle;
	duct_time close_ended;
};

struct sending {
	struct run *run;
	enum form form;
	uint32_t number, random;
	pthread_t thread;
};

struct receiving {
	struct run *run;
	enum form form;
	uint32_t random;
	struct receipt *receipts;
	size_t count;
	duct_time told; /* that all is over */
	pthread_t thread;
};

struct verdict {
	size_t sent, strange, lost, order, capacity, rendezvous, closed;
};

static void *zeroed(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	CHECK(memory != NULL);
	return memory;
}

/* ---- Sending ---------------------------------------------------------------------------------------------------------- */

/* Mostly nothing to a few microseconds, so that some pass and some do not. */
static duct_time soon(uint32_t *random)
{
	return duct_after_ns(test_random(random) % 30000);
}

static duct_status send_selecting(struct sending *self, uint32_t *message)
{
	uint32_t unused;
	duct_case cases[2] = { DUCT_RECV(self->run->idle.rx, &unused), DUCT_SEND(self->run->pair.tx, message) };
	unsigned flags = test_random(&self->random) % 2 ? DUCT_FAIR : DUCT_PRIORITY;
	size_t chosen;
	duct_status status = duct_select_until(cases, 2, &chosen, flags, DUCT_FOREVER, NULL);

	CHECK(status != DUCT_OK || chosen == 1);
	return status == DUCT_OK ? cases[1].status : status;
}

/* One call: sends one message, or in a batch all of them; *sent is how many it did send. */
static duct_status send_some(struct sending *self, uint32_t *messages, size_t count, size_t *sent)
{
	duct_sender *tx = self->run->pair.tx;
	duct_status status;

	switch (self->form) {
	case SELECTING:
		status = send_selecting(self, messages);
		break;
	case UNTIL:
		status = duct_send_until(tx, messages, soon(&self->random), NULL);
		break;
	case BATCHED:
		return duct_send_many(
		    tx, messages, count, sent, test_random(&self->random) % 2 ? DUCT_FOREVER : soon(&self->random), NULL);
	default:
		status = duct_send(tx, messages);
	}
	*sent = status == DUCT_OK;
	return status;
}

/* Sends the messages from first on; false once the channel is closed. */
static bool send_all(struct sending *self, uint32_t first, uint32_t count)
{
	uint32_t messages[BATCH], done = 0;
	duct_status status = DUCT_OK;

	for (uint32_t i = 0; i < count; i++)
		messages[i] = first + i;
	while (done < count && status != DUCT_CLOSED) {
		duct_time began = duct_now(), ended;
		size_t sent = 0;

		status = send_some(self, messages + done, count - done, &sent);
		ended = duct_now();
		CHECK(status == DUCT_OK || status == DUCT_TIMEDOUT || status == DUCT_CLOSED);
		for (; sent > 0; sent--, done++)
			self->run->events[first + done] = (struct event){
				.send_began = began, .send_ended = ended, .sent = true, .sender = (unsigned char)self->number
			};
	}
	return status != DUCT_CLOSED;
}

static void *run_sender(void *argument)
{
	struct sending *self = argument;
	struct run *run = self->run;
	bool open = true;

	while (open) {
		uint32_t count = test_random(&self->random) % BATCH + 1, first = atomic_fetch_add(&run->next, count);

		if (first >= run->total)
			break;
		open = send_all(self, first, count < run->total - first ? count : run->total - first);
	}
	/* The first to come here. */
	if (open && atomic_fetch_add(&run->done, 1) == 0) {
		duct_channel_close(run->pair.channel, 0);
		run->close_ended = duct_now();
	}
	return NULL;
}

/* ---- Receiving -------------------------------------------------------------------------------------------------------- */

static duct_status receive_selecting(struct receiving *self, uint32_t *message)
{
	uint32_t unused;
	duct_case cases[2] = { DUCT_RECV(self->run->pair.rx, message), DUCT_RECV(self->run->idle.rx, &unused) };
	unsigned flags = test_random(&self->random) % 2 ? DUCT_FAIR : DUCT_PRIORITY;
	size_t chosen;
	duct_status status = duct_select_until(cases, 2, &chosen, flags, DUCT_FOREVER, NULL);

	CHECK(status != DUCT_OK || chosen == 0);
	return status == DUCT_OK ? cases[0].status : status;
}

static duct_status receive_some(struct receiving *self, uint32_t *messages, size_t *received)
{
	duct_receiver *rx = self->run->pair.rx;
	duct_status status;
	size_t most;

	switch (self->form) {
	case SELECTING:
		status = receive_selecting(self, messages);
		break;
	case UNTIL:
		status = duct_recv_until(rx, messages, soon(&self->random), NULL);
		break;
	case BATCHED:
		most = test_random(&self->random) % BATCH + 1;
		return duct_recv_many(rx, messages, most / 2 + 1, most, received,
		    test_random(&self->random) % 2 ? DUCT_FOREVER : soon(&self->random), NULL);
	default:
		status = duct_recv(rx, messages);
	}
	*received = status == DUCT_OK;
	return status;
}

static void *run_receiver(void *argument)
{
	struct receiving *self = argument;
	duct_status status = DUCT_OK;

	while (status != DUCT_CLOSED && self->count <= self->run->total) {
		uint32_t messages[BATCH];
		duct_time began = duct_now(), ended;
		size_t received = 0;

		status = receive_some(self, messages, &received);
		ended = duct_now();
		CHECK(status == DUCT_OK || status == DUCT_TIMEDOUT || status == DUCT_CLOSED);
		for (size_t i = 0; i < received; i++)
			self->receipts[self->count++] = (struct receipt){ messages[i], began, ended };
		if (status == DUCT_CLOSED)
			self->told = ended;
	}
	return NULL;
}

/* ---- The run ---------------------------------------------------------------------------------------------------------- */

static enum form form_of(const struct run *run, uint32_t thread)
{
	return run->form == MIXED ? (enum form)(thread % MIXED) : run->form;
}

static void record(struct run *run, struct receiving receiving[MOST_THREADS])
{
	struct sending sending[MOST_THREADS];

	CHECK_STATUS(duct_anycast_new(&run->pair.channel, sizeof(uint32_t), run->capacity, NULL), DUCT_OK);
	CHECK_STATUS(duct_sender_new(run->pair.channel, &run->pair.tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(run->pair.channel, &run->pair.rx), DUCT_OK);
	CHECK_STATUS(duct_anycast_open(&run->idle.tx, &run->idle.rx, sizeof(uint32_t), 1, NULL), DUCT_OK);
	for (uint32_t k = 0; k < run->receivers; k++) {
		receiving[k] = (struct receiving){ .run = run,
			.form = form_of(run, k + run->seed),
			.random = (run->seed * 31 + k * 77777) | 1, /* never 0, which would stay */
			.receipts = zeroed((size_t)run->total + 2 * BATCH, sizeof(struct receipt)),
			.told = INT64_MAX };
		CHECK(pthread_create(&receiving[k].thread, NULL, run_receiver, &receiving[k]) == 0);
	}
	for (uint32_t k = 0; k < run->senders; k++) {
		sending[k] = (struct sending){
			.run = run, .form = form_of(run, k), .number = k, .random = run->seed * 17 + k * 33333 + 2
		};
		CHECK(pthread_create(&sending[k].thread, NULL, run_sender, &sending[k]) == 0);
	}
	for (uint32_t k = 0; k < run->senders; k++)
		pthread_join(sending[k].thread, NULL);
	for (uint32_t k = 0; k < run->receivers; k++)
		pthread_join(receiving[k].thread, NULL);
	duct_sender_free(run->pair.tx);
	duct_receiver_free(run->pair.rx);
	duct_channel_free(run->pair.channel);
	duct_sender_free(run->idle.tx);
	duct_receiver_free(run->idle.rx);
}

/* ---- The checks ------------------------------------------------------------------------------------------------------- */

/* Brings a receiver's notes to the messages, and sees that those of one sender come in their order. */
static void merge(struct run *run, const struct receiving *receiving, struct verdict *verdict)
{
	uint32_t last[MOST_THREADS] = { 0 };

	for (size_t i = 0; i < receiving->count; i++) {
		const struct receipt *receipt = &receiving->receipts[i];
		struct event *event;
		unsigned char sender;

		if (receipt->message >= run->total || !run->events[receipt->message].sent ||
		    run->events[receipt->message].received) {
			verdict->strange++;
			continue;
		}
		event = &run->events[receipt->message];
		event->received = true;
		event->receive_began = receipt->began;
		event->receive_ended = receipt->ended;
		sender = event->sender;
		verdict->order += receipt->message < last[sender];
		last[sender] = receipt->message;
	}
}

/* Leaves the messages that were sent, in no order, and counts them. */
static struct event **gather(const struct run *run, struct verdict *verdict)
{
	struct event **sent = zeroed(run->total, sizeof *sent);

	for (uint32_t i = 0; i < run->total; i++) {
		struct event *event = &run->events[i];

		if (!event->sent)
			continue;
		if (!event->received) {
			verdict->lost++;
			event->receive_began = event->receive_ended = INT64_MAX;
		}
		sent[verdict->sent++] = event;
	}
	return sent;
}

static void check_each(
    const struct run *run, const struct receiving *receiving, struct event *const *sent, struct verdict *verdict)
{
	duct_time told = INT64_MAX;

	for (uint32_t k = 0; k < run->receivers; k++)
		if (receiving[k].told < told)
			told = receiving[k].told;
	for (size_t i = 0; i < verdict->sent; i++) {
		const struct event *event = sent[i];

		verdict->closed += event->send_began > run->close_ended;
		if (!event->received)
			continue;
		verdict->strange += event->receive_ended < event->send_began;
		verdict->closed += event->receive_began > told;
		verdict->rendezvous += run->capacity == 0 &&
		                       (event->receive_began > event->send_ended || event->send_began > event->receive_ended);
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

static int by_receive_began(const void *one, const void *other)
{
	return compare_times((*(struct event *const *)one)->receive_began, (*(struct event *const *)other)->receive_began);
}

/*
 * Goes through the sends as they began, and knows of all that had ended before the one at hand the latest begin of a receive:
 * that receive must not have begun after this message's own has ended.
 */
static void check_order(struct event **ended, struct event **began, struct verdict *verdict)
{
	duct_time latest = INT64_MIN;
	size_t before = 0;

	qsort(began, verdict->sent, sizeof *began, by_send_began);
	for (size_t i = 0; i < verdict->sent; i++) {
		for (; before < verdict->sent && ended[before]->send_ended < began[i]->send_began; before++)
			if (ended[before]->receive_began > latest)
				latest = ended[before]->receive_began;
		verdict->order += began[i]->received && latest > began[i]->receive_ended;
	}
}

/* At the end of the i-th send at most capacity of the i may not have a receive that began by then. */
static void check_capacity(struct event **ended, struct event **received, size_t capacity, struct verdict *verdict)
{
	size_t begun = 0;

	qsort(received, verdict->sent, sizeof *received, by_receive_began);
	for (size_t i = 0; i < verdict->sent; i++) {
		while (begun < verdict->sent && received[begun]->receive_began <= ended[i]->send_ended)
			begun++;
		verdict->capacity += i + 1 > begun + capacity;
	}
}

static void check(struct run *run, struct receiving *receiving, struct verdict *verdict)
{
	struct event **sent, **ended;

	for (uint32_t k = 0; k < run->receivers; k++) {
		merge(run, &receiving[k], verdict);
		free(receiving[k].receipts);
	}
	sent = gather(run, verdict);
	check_each(run, receiving, sent, verdict);
	ended = zeroed(verdict->sent + 1, sizeof *ended);
	memcpy(ended, sent, verdict->sent * sizeof *ended);
	qsort(ended, verdict->sent, sizeof *ended, by_send_ended);
	check_order(ended, sent, verdict);
	check_capacity(ended, sent, run->capacity, verdict);
	free(ended);
	free(sent);
}

/* Runs and checks one history and prints its line; true if nothing was wrong. */
static bool history(uint32_t messages, size_t capacity, enum form form, uint32_t seed)
{
	struct run run = { .form = form, .capacity = capacity, .seed = seed };
	struct receiving receiving[MOST_THREADS];
	struct verdict verdict = { 0 };
	duct_time began = duct_now(), ran;
	bool passed;

	run.senders = form == MIXED ? MOST_THREADS : 1 + (seed + 1) % MOST_THREADS;
	run.receivers = form == MIXED ? MOST_THREADS : 1 + seed / MOST_THREADS % MOST_THREADS;
	run.total = messages + MOST_THREADS * BATCH; /* some are not sent any more */
	run.events = zeroed(run.total, sizeof *run.events);
	record(&run, receiving);
	ran = duct_now();
	check(&run, receiving, &verdict);
	free(run.events);
	passed = verdict.strange + verdict.lost + verdict.order + verdict.capacity + verdict.rendezvous + verdict.closed == 0;
	printf("%s %-6s capacity %2zu, %u x %u, %zu of %u messages in %.2f s, checked in %.2f s: "
	       "strange %zu, lost %zu, order %zu, capacity %zu, rendezvous %zu, closed %zu\n",
	    passed ? "ok  " : "FAIL", form_names[form], capacity, run.senders, run.receivers, verdict.sent, run.total,
	    (double)(ran - began) / 1e9, (double)(duct_now() - ran) / 1e9, verdict.strange, verdict.lost, verdict.order,
	    verdict.capacity, verdict.rendezvous, verdict.closed);
	fflush(stdout);
	return passed;
}

/* The form of that name; MIXED if there is none, FORMS for all. */
static enum form form_named(const char *name)
{
	enum form form = PLAIN;

	if (name == NULL)
		return MIXED;
	while (form < FORMS && strcmp(name, form_names[form]) != 0)
		form++;
	CHECK(form < FORMS || strcmp(name, "all") == 0);
	return form;
}

int main(int argc, char **argv)
{
	static const size_t all_capacities[] = { 0, 1, 3, 64 };
	uint32_t messages = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 30000;
	bool one = argc > 2 && strcmp(argv[2], "all") != 0;
	size_t capacity = one ? strtoul(argv[2], NULL, 10) : 0;
	enum form wanted = form_named(argc > 3 ? argv[3] : NULL);
	uint32_t seed = argc > 5 ? (uint32_t)strtoul(argv[5], NULL, 10) : 5;
	int passed = 0, failed = 0;

	if (messages == 0 || messages > INT32_MAX) {
		fprintf(stderr, "usage: stress_history [messages [capacity or all [form or all [seconds [seed]]]]]\n");
		return 2;
	}
	alarm(argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 60 + messages / 1000);
	for (size_t k = 0; k < (one ? 1 : ARRAY_LEN(all_capacities)); k++)
		for (enum form form = PLAIN; form < FORMS; form++)
			if (form == wanted || wanted == FORMS) {
				if (history(messages, one ? capacity : all_capacities[k], form, seed))
					passed++;
				else
					failed++;
			}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
