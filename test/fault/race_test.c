/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable, in the middle of a hand-off.
 *
 * Calls that need nothing are shown to ask for nothing; and where a wait cannot be set up while a partner is at work, the
 * message has moved or it has not, and the status says which.  How to link: faults.h.
 */
#include "faults.h"
#include "harness.h"

#include <stdatomic.h>

#define MANY 40 /* cases, more than need no memory */
#define UNTOUCHED (-1)

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

/* For a channel that has nothing to drop. */
static void drop_nothing(void *message, void *context)
{
	(void)context;
	CHECK(message == NULL);
}

/* Nor to discard nothing, however large a message would be. */
TEST(memory, is_not_needed_to_discard_nothing, 5)
{
	struct test_pair pair = test_pair_with(2000, 4, DUCT_OPTIONS(.drop = drop_nothing));
	size_t count = 77;

	fault_begin(1);
	CHECK_STATUS(duct_channel_discard(pair.channel, &count), DUCT_OK);
	CHECK(fault_end() == 0 && count == 0);
	test_pair_free(&pair);
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

/* One message, sent or received, by the plain call or by a select of as many equal cases. */
static duct_status race_move(struct race *race, bool sends, int *message)
{
	duct_case cases[MANY];
	size_t chosen;
	duct_status status;

	if (race->cases == 0)
		return sends ? duct_send(race->pair.tx, message) : duct_recv(race->pair.rx, message);
	for (size_t k = 0; k < race->cases; k++)
		cases[k] = sends ? duct_send_case(race->pair.tx, message) : duct_recv_case(race->pair.rx, message);
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
		status = race_move(&race, false, &in);
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
		status = race_move(&race, true, &next);
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
	held->status = race_move(&held->race, held->sends, &held->message);
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
