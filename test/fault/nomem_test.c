/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable: every function, in every state of a channel, with each of its n calls that can
 * fail failing in turn, until there is none left to fail.
 *
 * Each time the answer must be DUCT_NOMEM, the channel and everything the call was given must be as they were, and when all
 * handles are back nothing may be alive that was not before.  How to link: faults.h.
 */
#include "faults.h"
#include "harness.h"

#include <stdatomic.h>

#define CAPACITY 4
#define BIG 2000 /* a message for which a discard needs memory */
#define MANY 40  /* cases, more than need no memory */
#define OUT_VALUE 1000
#define UNTOUCHED (-1)
#define NO_CHOICE 77

struct message {
	int number;
	char filling[BIG - sizeof(int)];
};

enum state { EMPTY, PARTLY, FULL, CLOSED, CLOSED_EMPTY, NO_RECEIVERS, STATES };

/* A channel in one of the states, and everything that a call may be given or write. */
struct world {
	duct_channel *channel, *new_channel;
	duct_sender *tx, *new_tx;
	duct_receiver *rx, *new_rx;
	duct_cancel *cancel, *new_cancel;
	struct message out[6], in[6];
	duct_case cases[MANY];
	size_t chosen, sent, received, discarded;
	int dropped;
};

/* What must not change. */
struct snapshot {
	size_t len, senders, receivers, waiting_senders, waiting_receivers;
	bool closed;
	int reason, dropped;
};

static void count_drop(void *message, void *context)
{
	struct world *world = context;

	(void)message;
	world->dropped++;
}

static void world_init(struct world *world, enum state state)
{
	static const int queued[STATES] = { 0, 2, CAPACITY, 2, 0, 2 };
	const duct_options *options = DUCT_OPTIONS(.drop = count_drop, .context = world);

	memset(world, 0, sizeof *world);
	CHECK_STATUS(duct_anycast_new(&world->channel, sizeof(struct message), CAPACITY, options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(world->channel, &world->tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(world->channel, &world->rx), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&world->cancel, NULL, DUCT_FOREVER), DUCT_OK);
	for (int i = 0; i < queued[state]; i++) {
		world->out[0].number = i;
		CHECK_STATUS(duct_try_send(world->tx, &world->out[0]), DUCT_OK);
	}
	if (state == CLOSED || state == CLOSED_EMPTY)
		duct_channel_close(world->channel, 3);
	if (state == NO_RECEIVERS) {
		duct_receiver_free(world->rx);
		world->rx = NULL;
	}
	for (int i = 0; i < 6; i++) {
		world->out[i].number = OUT_VALUE + i;
		world->in[i].number = UNTOUCHED;
	}
	world->chosen = NO_CHOICE;
	world->sent = world->received = world->discarded = NO_CHOICE;
}

static struct snapshot look_at(const struct world *world)
{
	return (struct snapshot){ .len = duct_channel_len(world->channel),
		.senders = duct_channel_senders(world->channel),
		.receivers = duct_channel_receivers(world->channel),
		.waiting_senders = duct_channel_waiting_senders(world->channel),
		.waiting_receivers = duct_channel_waiting_receivers(world->channel),
		.closed = duct_channel_is_closed(world->channel),
		.reason = duct_channel_reason(world->channel),
		.dropped = world->dropped };
}

/* The queue holds these messages, in order, and no others. */
static void check_queue(struct world *world, int first, int len)
{
	if (world->rx == NULL)
		CHECK_STATUS(duct_receiver_new(world->channel, &world->rx), DUCT_OK);
	for (int i = first; i < first + len; i++) {
		struct message in;

		CHECK_STATUS(duct_try_recv(world->rx, &in), DUCT_OK);
		CHECK(in.number == i || in.number >= OUT_VALUE);
	}
	CHECK(duct_channel_len(world->channel) == 0);
}

static void world_free(struct world *world)
{
	duct_channel_free(world->new_channel);
	duct_sender_free(world->new_tx);
	duct_receiver_free(world->new_rx);
	duct_cancel_free(world->new_cancel);
	duct_sender_free(world->tx);
	duct_receiver_free(world->rx);
	duct_channel_free(world->channel);
	duct_cancel_free(world->cancel);
}

/* ---- The calls -------------------------------------------------------------------------------------------------------- */

/* Long enough that a wait is set up and sleeps, short enough for a hundred of them. */
static duct_time soon(void)
{
	return duct_after_ms(2);
}

static duct_status call_anycast_new(struct world *w)
{
	return duct_anycast_new(&w->new_channel, 8, 16, DUCT_OPTIONS(.name = "a channel with a rather long name to copy"));
}

static duct_status call_anycast_open(struct world *w)
{
	return duct_anycast_open(&w->new_tx, &w->new_rx, 8, 0, NULL);
}

static duct_status call_sender_new(struct world *w)
{
	return duct_sender_new(w->channel, &w->new_tx);
}

static duct_status call_receiver_new(struct world *w)
{
	return duct_receiver_new(w->channel, &w->new_rx);
}

static duct_status call_sender_clone(struct world *w)
{
	return duct_sender_clone(w->tx, &w->new_tx);
}

static duct_status call_receiver_clone(struct world *w)
{
	return duct_receiver_clone(w->rx, &w->new_rx);
}

static duct_status call_channel_clone(struct world *w)
{
	return duct_channel_clone(w->channel, &w->new_channel);
}

static duct_status call_cancel_new(struct world *w)
{
	return duct_cancel_new(&w->new_cancel, NULL, DUCT_FOREVER);
}

static duct_status call_cancel_new_child(struct world *w)
{
	return duct_cancel_new(&w->new_cancel, w->cancel, duct_after_s(100));
}

static duct_status call_cancel_clone(struct world *w)
{
	return duct_cancel_clone(w->cancel, &w->new_cancel);
}

static duct_status call_discard(struct world *w)
{
	return duct_channel_discard(w->channel, &w->discarded);
}

static duct_status call_try_send(struct world *w)
{
	return duct_try_send(w->tx, &w->out[0]);
}

static duct_status call_send_until(struct world *w)
{
	return duct_send_until(w->tx, &w->out[0], soon(), NULL);
}

static duct_status call_send_until_cancel(struct world *w)
{
	return duct_send_until(w->tx, &w->out[0], soon(), w->cancel);
}

static duct_status call_send_many(struct world *w)
{
	return duct_send_many(w->tx, w->out, 6, &w->sent, soon(), NULL);
}

static duct_status call_sender_wait(struct world *w)
{
	return duct_sender_wait(w->tx, soon(), w->cancel);
}

static duct_status call_try_recv(struct world *w)
{
	return duct_try_recv(w->rx, &w->in[0]);
}

static duct_status call_recv_until(struct world *w)
{
	return duct_recv_until(w->rx, &w->in[0], soon(), NULL);
}

static duct_status call_recv_until_cancel(struct world *w)
{
	return duct_recv_until(w->rx, &w->in[0], soon(), w->cancel);
}

static duct_status call_recv_many(struct world *w)
{
	return duct_recv_many(w->rx, w->in, 6, 6, &w->received, soon(), NULL);
}

static duct_status call_receiver_wait(struct world *w)
{
	return duct_receiver_wait(w->rx, soon(), w->cancel);
}

static duct_status select_receives(struct world *w, size_t count, duct_time deadline, unsigned flags, duct_cancel *cancel)
{
	for (size_t i = 0; i < count; i++)
		w->cases[i] = (duct_case)DUCT_RECV(w->rx, &w->in[i % 6]);
	return duct_select_until(w->cases, count, &w->chosen, flags, deadline, cancel);
}

static duct_status select_sends(struct world *w, size_t count, duct_time deadline, unsigned flags, duct_cancel *cancel)
{
	for (size_t i = 0; i < count; i++)
		w->cases[i] = (duct_case)DUCT_SEND(w->tx, &w->out[i % 6]);
	return duct_select_until(w->cases, count, &w->chosen, flags, deadline, cancel);
}

static duct_status call_select_recv_1(struct world *w)
{
	return select_receives(w, 1, soon(), DUCT_FAIR, NULL);
}

static duct_status call_select_recv_16(struct world *w)
{
	return select_receives(w, 16, soon(), DUCT_PRIORITY, w->cancel);
}

static duct_status call_select_recv_17(struct world *w)
{
	return select_receives(w, 17, soon(), DUCT_FAIR, w->cancel);
}

static duct_status call_select_recv_many(struct world *w)
{
	return select_receives(w, MANY, soon(), DUCT_PRIORITY, NULL);
}

static duct_status call_select_ready_recv(struct world *w)
{
	return select_receives(w, MANY, soon(), DUCT_READY, NULL);
}

static duct_status call_select_send_1(struct world *w)
{
	return select_sends(w, 1, soon(), DUCT_PRIORITY, w->cancel);
}

static duct_status call_select_send_16(struct world *w)
{
	return select_sends(w, 16, soon(), DUCT_FAIR, NULL);
}

static duct_status call_select_send_17(struct world *w)
{
	return select_sends(w, 17, soon(), DUCT_FAIR, NULL);
}

static duct_status call_select_send_many(struct world *w)
{
	return select_sends(w, MANY, soon(), DUCT_FAIR, w->cancel);
}

static duct_status call_try_select_16(struct world *w)
{
	for (int i = 0; i < 16; i++)
		w->cases[i] = (duct_case)DUCT_RECV(w->rx, &w->in[i % 6]);
	return duct_try_select(w->cases, 16, &w->chosen);
}

static duct_status call_try_select_many(struct world *w)
{
	for (int i = 0; i < MANY; i++)
		w->cases[i] = (duct_case)DUCT_RECV(w->rx, &w->in[i % 6]);
	return duct_try_select(w->cases, MANY, &w->chosen);
}

static duct_status call_describe(struct world *w)
{
	char line[200];

	CHECK(duct_channel_describe(w->channel, line, sizeof line) > 0);
	CHECK(duct_channel_name(w->channel) != NULL);
	return DUCT_OK;
}

struct call {
	const char *name;
	duct_status (*run)(struct world *world);
	bool receives;   /* needs a receiver, so not in state NO_RECEIVERS */
	bool infallible; /* makes no call that can fail, in no state */
};

static const struct call calls[] = {
	{ "anycast_new", call_anycast_new, false, false },
	{ "anycast_open", call_anycast_open, false, false },
	{ "sender_new", call_sender_new, false, false },
	{ "receiver_new", call_receiver_new, false, false },
	{ "sender_clone", call_sender_clone, false, false },
	{ "receiver_clone", call_receiver_clone, true, false },
	{ "channel_clone", call_channel_clone, false, true },
	{ "cancel_new", call_cancel_new, false, false },
	{ "cancel_new of a parent", call_cancel_new_child, false, false },
	{ "cancel_clone", call_cancel_clone, false, true },
	{ "discard", call_discard, false, false },
	{ "try_send", call_try_send, false, true },
	{ "send_until", call_send_until, false, false },
	{ "send_until with a token", call_send_until_cancel, false, false },
	{ "send_many", call_send_many, false, false },
	{ "sender_wait", call_sender_wait, false, false },
	{ "try_recv", call_try_recv, true, true },
	{ "recv_until", call_recv_until, true, false },
	{ "recv_until with a token", call_recv_until_cancel, true, false },
	{ "recv_many", call_recv_many, true, false },
	{ "receiver_wait", call_receiver_wait, true, false },
	{ "select of 1 receive", call_select_recv_1, true, false },
	{ "select of 16 receives", call_select_recv_16, true, false },
	{ "select of 17 receives", call_select_recv_17, true, false },
	{ "select of 40 receives", call_select_recv_many, true, false },
	{ "select of 40 that become ready", call_select_ready_recv, true, false },
	{ "select of 1 send", call_select_send_1, false, false },
	{ "select of 16 sends", call_select_send_16, false, false },
	{ "select of 17 sends", call_select_send_17, false, false },
	{ "select of 40 sends", call_select_send_many, false, false },
	{ "try_select of 16", call_try_select_16, true, true },
	{ "try_select of 40", call_try_select_many, true, false },
	{ "describe", call_describe, false, true },
};

/* ---- The check -------------------------------------------------------------------------------------------------------- */

/* After a fault: the parameters that the call could have written. */
static void check_parameters(const struct world *world)
{
	size_t sent = world->sent == NO_CHOICE ? 0 : world->sent, received = world->received == NO_CHOICE ? 0 : world->received;

	CHECK(world->new_channel == NULL && world->new_tx == NULL && world->new_rx == NULL && world->new_cancel == NULL);
	CHECK(world->chosen == NO_CHOICE && world->discarded == NO_CHOICE && sent <= 6 && received <= 6);
	for (size_t i = 0; i < 6; i++) {
		CHECK(world->out[i].number == OUT_VALUE + (int)i);
		CHECK(world->in[i].number == (i < received ? (int)i : UNTOUCHED));
	}
	for (size_t i = 0; i < MANY; i++)
		CHECK_STATUS(world->cases[i].status, DUCT_OK);
}

/* After a fault: the channel, but for what a batch said that it moved. */
static void check_channel(struct world *world, const struct snapshot *before)
{
	size_t sent = world->sent == NO_CHOICE ? 0 : world->sent, received = world->received == NO_CHOICE ? 0 : world->received;
	struct snapshot now = look_at(world);

	CHECK(now.len == before->len + sent - received);
	CHECK(now.senders == before->senders && now.receivers == before->receivers);
	CHECK(now.waiting_senders == 0 && now.waiting_receivers == 0);
	CHECK(now.closed == before->closed && now.reason == before->reason && now.dropped == before->dropped);
	check_queue(world, (int)received, (int)now.len);
}

/* Fails the n-th call that can fail; false once there is no n-th. */
static bool check_nth(const struct call *call, enum state state, long n)
{
	static struct world world;
	struct fault_live before, after;
	struct snapshot snapshot;
	duct_status status;
	bool hit;

	before = fault_live();
	world_init(&world, state);
	snapshot = look_at(&world);
	fault_begin(n);
	status = call->run(&world);
	hit = fault_end() >= n;
	if (hit && status != DUCT_NOMEM)
		fprintf(stderr, "%s in state %d, fault %ld: %s\n", call->name, (int)state, n, duct_strerror(status));
	CHECK(hit ? status == DUCT_NOMEM : status != DUCT_NOMEM);
	if (hit) {
		check_parameters(&world);
		check_channel(&world, &snapshot);
	}
	world_free(&world);
	after = fault_live();
	if (!fault_live_same(&before, &after))
		fprintf(stderr, "%s in state %d, fault %ld: %ld blocks, %ld mutexes, %ld condvars, %ld attributes left\n",
		    call->name, (int)state, n, after.blocks - before.blocks, after.mutexes - before.mutexes,
		    after.conditions - before.conditions, after.attributes - before.attributes);
	CHECK(fault_live_same(&before, &after));
	return hit;
}

static long check_state(enum state state)
{
	long points = 0;

	for (size_t k = 0; k < ARRAY_LEN(calls); k++) {
		long n = 1;

		if (state == NO_RECEIVERS && calls[k].receives)
			continue;
		while (check_nth(&calls[k], state, n))
			n++;
		CHECK(n == 1 || !calls[k].infallible);
		points += n - 1;
	}
	printf("%ld faults\n", points);
	return points;
}

TEST(nomem, on_an_empty_channel_changes_nothing, 60)
{
	CHECK(check_state(EMPTY) > 0);
}

TEST(nomem, on_a_partly_full_channel_changes_nothing, 60)
{
	CHECK(check_state(PARTLY) > 0);
}

TEST(nomem, on_a_full_channel_changes_nothing, 60)
{
	CHECK(check_state(FULL) > 0);
}

TEST(nomem, on_a_closed_channel_changes_nothing, 60)
{
	CHECK(check_state(CLOSED) > 0);
}

TEST(nomem, on_a_closed_and_drained_channel_changes_nothing, 60)
{
	CHECK(check_state(CLOSED_EMPTY) > 0);
}

TEST(nomem, without_receivers_changes_nothing, 60)
{
	CHECK(check_state(NO_RECEIVERS) > 0);
}

/* ---- No memory needed ------------------------------------------------------------------------------------------------- */

struct frugal {
	struct test_pair pair, idle;
	atomic_long memory_calls;
};

/* 16 cases, asleep most of the time. */
static void *receive_frugally(void *argument)
{
	struct frugal *frugal = argument;
	int in;
	duct_case cases[16];
	size_t chosen;

	for (int k = 0; k < 16; k++)
		cases[k] = (duct_case)DUCT_RECV(k == 7 ? frugal->pair.rx : frugal->idle.rx, &in);
	do {
		struct fault_live before = fault_live(), after;

		CHECK_STATUS(duct_select(cases, 16, &chosen), DUCT_OK);
		after = fault_live();
		CHECK(chosen == 7 && before.blocks == after.blocks);
	} while (cases[7].status == DUCT_OK);
	return NULL;
}

/* A select of 16 cases takes no memory, ready or asleep: none is asked for, so none can be missing. */
TEST(memory, is_not_needed_by_16_cases, 20)
{
	struct frugal frugal = { .pair = test_pair_new(sizeof(int), 0), .idle = test_pair_new(sizeof(int), 0) };
	pthread_t thread = test_start(receive_frugally, &frugal);
	duct_case cases[16];
	int in, out = 1;
	size_t chosen;

	for (int k = 0; k < 16; k++)
		cases[k] = (duct_case)DUCT_RECV(frugal.idle.rx, &in);
	cases[3] = (duct_case)DUCT_SEND(frugal.pair.tx, &out);
	for (int i = 0; i < 100; i++) {
		AWAIT(duct_channel_waiting_receivers(frugal.pair.channel) == 1);
		fault_begin(1);
		CHECK_STATUS(duct_select(cases, 16, &chosen), DUCT_OK);
		CHECK(fault_end() == 0);
		CHECK(chosen == 3);
	}
	duct_channel_close(frugal.pair.channel, 0);
	test_join(thread);
	test_pair_free(&frugal.pair);
	test_pair_free(&frugal.idle);
}

/* Plain calls on a channel that is ready, and hand-offs to a thread asleep, take none either. */
TEST(memory, is_not_needed_by_calls_that_are_ready, 20)
{
	struct test_pair a = test_pair_new(sizeof(int), 4);
	int in[4], out[4] = { 0, 1, 2, 3 };
	size_t count;

	fault_begin(1);
	for (int i = 0; i < 10; i++) {
		CHECK_STATUS(duct_send(a.tx, &out[0]), DUCT_OK);
		CHECK_STATUS(duct_recv(a.rx, &in[0]), DUCT_OK);
		CHECK_STATUS(duct_send_many(a.tx, out, 4, &count, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK_STATUS(duct_receiver_wait(a.rx, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK_STATUS(duct_recv_many(a.rx, in, 1, 4, &count, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK_STATUS(duct_sender_wait(a.tx, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK_STATUS(duct_send(a.tx, &out[0]), DUCT_OK);
		CHECK_STATUS(duct_channel_discard(a.channel, &count), DUCT_OK);
		CHECK(count == 1);
	}
	CHECK(fault_end() == 0);
	test_pair_free(&a);
}

/* ---- Faults beside hand-offs ------------------------------------------------------------------------------------------ */

#define RACE_MESSAGES 3000

/* The partner stops for a moment every so many messages, so that the thread under test has to wait; no multiple of 3, by
 * which the faults go round. */
#define BURST 8

struct race {
	struct test_pair pair;
	size_t cases; /* 0: plain calls */
	long nomem;
};

static duct_status race_recv(struct race *race, int *in)
{
	duct_case cases[MANY];
	size_t chosen;
	duct_status status;

	if (race->cases == 0)
		return duct_recv(race->pair.rx, in);
	for (size_t k = 0; k < race->cases; k++)
		cases[k] = (duct_case)DUCT_RECV(race->pair.rx, in);
	status = duct_select(cases, race->cases, &chosen);
	return status == DUCT_OK ? cases[chosen].status : status;
}

static duct_status race_send(struct race *race, int *out)
{
	duct_case cases[MANY];
	size_t chosen;
	duct_status status;

	if (race->cases == 0)
		return duct_send(race->pair.tx, out);
	for (size_t k = 0; k < race->cases; k++)
		cases[k] = (duct_case)DUCT_SEND(race->pair.tx, out);
	status = duct_select(cases, race->cases, &chosen);
	return status == DUCT_OK ? cases[chosen].status : status;
}

static void *send_without_faults(void *argument)
{
	struct race *race = argument;

	for (int i = 0; i < RACE_MESSAGES; i++) {
		if (i % BURST == 0)
			test_pause();
		CHECK_STATUS(duct_send(race->pair.tx, &i), DUCT_OK);
	}
	return NULL;
}

/* Receives all of them, each call meeting a fault if it meets a wait at all. */
static void check_faulty_receiver(size_t capacity, size_t cases)
{
	struct race race = { .pair = test_pair_new(sizeof(int), capacity), .cases = cases };
	pthread_t thread = test_start(send_without_faults, &race);
	long turn = 0;

	for (int next = 0; next < RACE_MESSAGES;) {
		int in = UNTOUCHED;
		duct_status status;

		fault_begin(turn++ % 3);
		status = race_recv(&race, &in);
		fault_end();
		if (status == DUCT_NOMEM) {
			CHECK(in == UNTOUCHED);
			race.nomem++;
			continue;
		}
		CHECK_STATUS(status, DUCT_OK);
		CHECK(in == next++);
	}
	test_join(thread);
	CHECK(race.nomem > 0);
	CHECK(duct_channel_len(race.pair.channel) == 0 && duct_channel_waiting_receivers(race.pair.channel) == 0);
	test_pair_free(&race.pair);
}

static void *receive_without_faults(void *argument)
{
	struct race *race = argument;

	for (int i = 0; i < RACE_MESSAGES; i++) {
		int in = UNTOUCHED;

		if (i % BURST == 0)
			test_pause();
		CHECK_STATUS(duct_recv(race->pair.rx, &in), DUCT_OK);
		CHECK(in == i);
	}
	return NULL;
}

/* Sends all of them; a send that met the fault is made again, and must not have sent. */
static void check_faulty_sender(size_t capacity, size_t cases)
{
	struct race race = { .pair = test_pair_new(sizeof(int), capacity), .cases = cases };
	pthread_t thread = test_start(receive_without_faults, &race);
	long turn = 0;

	for (int next = 0; next < RACE_MESSAGES;) {
		duct_status status;

		fault_begin(turn++ % 3);
		status = race_send(&race, &next);
		fault_end();
		if (status == DUCT_NOMEM) {
			race.nomem++;
			continue;
		}
		CHECK_STATUS(status, DUCT_OK);
		next++;
	}
	test_join(thread);
	CHECK(race.nomem > 0);
	CHECK(duct_channel_len(race.pair.channel) == 0 && duct_channel_waiting_senders(race.pair.channel) == 0);
	test_pair_free(&race.pair);
}

/* A receive whose wait cannot be set up, while the sender hands over: nothing is lost, nothing comes twice. */
TEST(nomem_race, of_receives, 60)
{
	check_faulty_receiver(0, 0);
	check_faulty_receiver(1, 0);
}

TEST(nomem_race, of_receives_in_selects, 60)
{
	check_faulty_receiver(0, 2);
	check_faulty_receiver(0, MANY);
	check_faulty_receiver(2, MANY);
}

/* A send whose wait cannot be set up, while the receiver takes: what was refused is not sent. */
TEST(nomem_race, of_sends, 60)
{
	check_faulty_sender(0, 0);
	check_faulty_sender(1, 0);
}

TEST(nomem_race, of_sends_in_selects, 60)
{
	check_faulty_sender(0, 2);
	check_faulty_sender(0, MANY);
	check_faulty_sender(2, MANY);
}

/* A thread whose n-th call fails, held there. */
struct held_fault {
	struct race race;
	bool sends;
	long n;
	int message;
	duct_status status;
	atomic_int hold;
	atomic_bool done;
};

static void *run_to_the_fault(void *argument)
{
	struct held_fault *held = argument;

	fault_hold_fault(&held->hold);
	fault_begin(held->n);
	held->status = held->sends ? race_send(&held->race, &held->message) : race_recv(&held->race, &held->message);
	fault_end();
	fault_unhold();
	atomic_store(&held->done, true);
	return NULL;
}

/*
 * Holds a thread at its n-th call that can fail, and meets it there if it stands in line already: then the message has moved,
 * and the call must say so.  Else it says that there is no memory, and the message has not moved.  False once there is no n-th.
 */
static bool check_met_at_the_fault(size_t cases, bool sends, long n, long *met)
{
	struct held_fault held = { .race = { .pair = test_pair_new(sizeof(int), 0), .cases = cases },
		.sends = sends,
		.n = n,
		.message = sends ? 5 : UNTOUCHED };
	const struct test_pair *pair = &held.race.pair;
	pthread_t thread = test_start(run_to_the_fault, &held);
	duct_status moved;
	int other = sends ? UNTOUCHED : 5;
	bool hit;

	AWAIT(atomic_load(&held.hold) == HOLD_HELD ||
	      (sends ? duct_channel_waiting_senders(pair->channel) : duct_channel_waiting_receivers(pair->channel)) > 0);
	moved = sends ? duct_try_recv(pair->rx, &other) : duct_try_send(pair->tx, &other);
	/* Asleep it returns for having been met; held it stays until it is let go. */
	AWAIT(atomic_load(&held.hold) == HOLD_HELD || atomic_load(&held.done));
	hit = atomic_load(&held.hold) == HOLD_HELD;
	atomic_store(&held.hold, HOLD_LET_GO);
	test_join(thread);
	CHECK_STATUS(held.status, moved == DUCT_OK ? DUCT_OK : DUCT_NOMEM);
	CHECK((sends ? other : held.message) == (moved == DUCT_OK ? 5 : UNTOUCHED));
	CHECK(duct_channel_waiting_senders(pair->channel) == 0 && duct_channel_waiting_receivers(pair->channel) == 0);
	CHECK(duct_channel_len(pair->channel) == 0);
	*met += hit && moved == DUCT_OK;
	test_pair_free(&held.race.pair);
	return hit;
}

static void check_met_at_each_fault(bool sends)
{
	static const size_t cases[] = { 0, 1, 2, MANY };
	long met = 0;

	for (size_t k = 0; k < ARRAY_LEN(cases); k++)
		for (long n = 1; check_met_at_the_fault(cases[k], sends, n, &met); n++)
			;
	CHECK(met > 0);
}

/* A receiver in line is served in the very moment in which its sleep turns out to be impossible: it has the message. */
TEST(nomem_met, in_line_to_receive_has_the_message, 60)
{
	check_met_at_each_fault(false);
}

/* A sender in line has sent. */
TEST(nomem_met, in_line_to_send_has_sent, 60)
{
	check_met_at_each_fault(true);
}
