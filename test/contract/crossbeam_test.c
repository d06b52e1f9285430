/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the tests of crossbeam-channel, Rust's channels between threads, ask of a channel, asked of ours.
 *
 * The properties are theirs, the code is not.  Their "disconnected" is our DUCT_CLOSED (or, for a sender, DUCT_NO_RECEIVERS),
 * their select with default our try, and their unbounded channel one of a capacity that is never reached.  Counts are theirs,
 * or where that takes long less: test_rounds has both, and TEST_SCALE=full brings theirs.  Of their tests those have no meaning
 * here that are about channels of the clock, iterators, panics and the macro.
 */
#include "harness.h"

#include <stdatomic.h>

#define UNBOUNDED 20000

static void put(const struct test_pair *pair, int message)
{
	CHECK_STATUS(duct_try_send(pair->tx, &message), DUCT_OK);
}

/* A select without waiting, in the two forms there are. */
static duct_status look(duct_case *cases, size_t count, size_t *chosen, bool timed)
{
	return timed ? duct_select_until(cases, count, chosen, DUCT_FAIR, 0, NULL) : duct_try_select(cases, count, chosen);
}

/* ---- Linearizable ----------------------------------------------------------------------------------------------------- */

struct linear {
	struct test_pair first, second;
	bool timed;
	int rounds;
	atomic_int round, done;
	duct_status status;
};

static void *linear_look(void *argument)
{
	struct linear *linear = argument;

	for (int round = 1; round <= linear->rounds; round++) {
		int in;
		duct_case cases[2] = { DUCT_RECV(linear->first.rx, &in), DUCT_RECV(linear->second.rx, &in) };
		size_t chosen;

		test_spin_until(&linear->round, round);
		put(&linear->first, round);
		linear->status = look(cases, 2, &chosen, linear->timed);
		atomic_store(&linear->done, round);
		CHECK_STATUS(linear->status, DUCT_OK);
	}
	return NULL;
}

/*
 * One thread sends to the first channel and then looks at both; the other sends to the second and then empties the first.
 * Whatever the order, the look comes while at least one message lies there.
 */
static void check_linear(size_t capacity, bool timed)
{
	struct linear linear = { test_pair_new(sizeof(int), capacity), test_pair_new(sizeof(int), capacity), .timed = timed,
		.rounds = test_rounds(10000, 100000) };
	pthread_t thread = test_start(linear_look, &linear);

	for (int round = 1; round <= linear.rounds; round++) {
		int in;
		duct_status status;

		atomic_store(&linear.round, round);
		put(&linear.second, round);
		status = duct_try_recv(linear.first.rx, &in);
		CHECK(status == DUCT_OK || status == DUCT_EMPTY);
		test_spin_until(&linear.done, round);
		test_drain(linear.first.rx);
		test_drain(linear.second.rx);
	}
	test_join(thread);
	test_pair_free(&linear.first);
	test_pair_free(&linear.second);
}

TEST(crossbeam_linearizable, try_at_capacity_1, 60)
{
	check_linear(1, false);
}

TEST(crossbeam_linearizable, try_unbounded, 60)
{
	check_linear(UNBOUNDED, false);
}

TEST(crossbeam_linearizable, deadline_0_at_capacity_1, 60)
{
	check_linear(1, true);
}

TEST(crossbeam_linearizable, deadline_0_unbounded, 60)
{
	check_linear(UNBOUNDED, true);
}

/* ---- Either delivered or returned ------------------------------------------------------------------------------------- */

/* A send or a receive, whichever the case says. */
struct dropping {
	struct test_pair pair;
	duct_case cases[1];
	int message;
	atomic_bool started;
};

static void *drop_race(void *argument)
{
	struct dropping *dropping = argument;
	size_t chosen;

	atomic_store(&dropping->started, true);
	CHECK_STATUS(duct_select(dropping->cases, 1, &chosen), DUCT_OK);
	return NULL;
}

/* Starts a thread in the race, and waits until it is about to make its call. */
static pthread_t drop_race_start(struct dropping *dropping, size_t capacity, bool sends, int message)
{
	pthread_t thread;

	*dropping = (struct dropping){ .pair = test_pair_new(sizeof(int), capacity), .message = message };
	dropping->cases[0] = sends ? (duct_case)DUCT_SEND(dropping->pair.tx, &dropping->message)
	                           : (duct_case)DUCT_RECV(dropping->pair.rx, &dropping->message);
	thread = test_start(drop_race, dropping);
	while (!atomic_load(&dropping->started))
		sched_yield();
	return thread;
}

/* A send that races the receiver's last receive and its free: the message was received or the send says why not. */
TEST(crossbeam_send_races_receiver_drop, delivered_or_returned, 30)
{
	for (int i = 0; i < 500; i++) {
		struct dropping d;
		pthread_t thread = drop_race_start(&d, (size_t)i % 2, true, i);
		int in = -1;
		duct_status status, sent;
		size_t left;

		status = duct_try_recv(d.pair.rx, &in);
		duct_receiver_free(d.pair.rx);
		test_join(thread);
		sent = d.cases[0].status;
		left = duct_channel_len(d.pair.channel);
		if (status == DUCT_OK) {
			CHECK_STATUS(sent, DUCT_OK);
			CHECK(in == i && left == 0);
		} else {
			CHECK_STATUS(status, DUCT_EMPTY);
			CHECK(left == (sent == DUCT_OK));
			CHECK(sent == DUCT_OK || sent == DUCT_NO_RECEIVERS);
		}
		duct_sender_free(d.pair.tx);
		duct_channel_free(d.pair.channel);
	}
}

/* A receive that races the only send and the end of the sender: it gets the message if the send said so. */
TEST(crossbeam_recv_races_sender_drop, delivered_or_returned, 30)
{
	for (int i = 0; i < 500; i++) {
		struct dropping d;
		pthread_t thread = drop_race_start(&d, (size_t)i % 2, false, -1);
		duct_status status = duct_try_send(d.pair.tx, &i);

		duct_channel_free(d.pair.channel);
		duct_sender_free(d.pair.tx);
		test_join(thread);
		CHECK(status == DUCT_OK || status == DUCT_FULL);
		CHECK_STATUS(d.cases[0].status, status == DUCT_OK ? DUCT_OK : DUCT_CLOSED);
		CHECK(d.message == (status == DUCT_OK ? i : -1));
		duct_receiver_free(d.pair.rx);
	}
}

/* ---- Fairness --------------------------------------------------------------------------------------------------------- */

/* Empties channels of 10,000 messages each by so many selects; the hits of each case. */
static void check_fair(size_t channels, size_t copies, size_t selects, size_t least)
{
	struct test_pair p[4];
	duct_case cases[8];
	int in;
	size_t hits[8] = { 0 };

	for (size_t k = 0; k < channels; k++) {
		p[k] = test_pair_new(sizeof(int), 10000);
		for (int i = 0; i < 10000; i++)
			put(&p[k], i);
	}
	for (size_t k = 0; k < channels * copies; k++)
		cases[k] = (duct_case)DUCT_RECV(p[k % channels].rx, &in);
	for (size_t i = 0; i < selects; i++) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, channels * copies, &chosen), DUCT_OK);
		hits[chosen]++;
	}
	for (size_t k = 0; k < channels * copies; k++)
		CHECK(hits[k] >= least);
	for (size_t k = 0; k < channels; k++)
		test_pair_free(&p[k]);
}

/* Each of two is hit at least every fourth time. */
TEST(crossbeam_fairness, of_2_channels, 20)
{
	check_fair(2, 1, 10000, 2500);
}

/* Each of four at least every eighth time. */
TEST(crossbeam_fairness, of_4_channels, 20)
{
	check_fair(4, 1, 10000, 1250);
}

/* One channel five times: each case at least every tenth time. */
TEST(crossbeam_fairness, of_duplicates, 20)
{
	check_fair(1, 5, 10000, 1000);
}

struct mixed_kinds {
	struct test_pair unbounded, one, zero;
};

#define MIXED_ROUNDS 10000

static void *send_mixed(void *argument)
{
	const struct mixed_kinds *mixed = argument;
	int out = 0;

	for (int i = 0; i < MIXED_ROUNDS; i++) {
		duct_case cases[3] = { DUCT_SEND(NULL, &out), DUCT_SEND(NULL, &out), DUCT_SEND(mixed->zero.tx, &out) };
		size_t chosen;

		if (duct_channel_is_empty(mixed->unbounded.channel))
			cases[0].sender = mixed->unbounded.tx;
		if (duct_channel_is_empty(mixed->one.channel))
			cases[1].sender = mixed->one.tx;
		CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
	}
	return NULL;
}

/* An unbounded channel, one of capacity 1 and a rendezvous in one select: each gets at least a 150th of the messages. */
TEST(crossbeam_fairness, of_mixed_capacities, 60)
{
	struct mixed_kinds mixed = { test_pair_new(sizeof(int), UNBOUNDED), test_pair_new(sizeof(int), 1),
		test_pair_new(sizeof(int), 0) };
	int in;
	duct_case cases[3] = { DUCT_RECV(mixed.unbounded.rx, &in), DUCT_RECV(mixed.one.rx, &in),
		DUCT_RECV(mixed.zero.rx, &in) };
	size_t hits[3] = { 0 };
	pthread_t thread = test_start(send_mixed, &mixed);

	for (int i = 0; i < MIXED_ROUNDS; i++) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
		hits[chosen]++;
	}
	test_join(thread);
	for (int k = 0; k < 3; k++)
		CHECK(hits[k] >= MIXED_ROUNDS / 3 / 50);
	test_pair_free(&mixed.unbounded);
	test_pair_free(&mixed.one);
	test_pair_free(&mixed.zero);
}

/* A select by priority takes the first ready case in every form. */
TEST(crossbeam_unfairness, takes_the_first_ready, 20)
{
	struct test_pair p[3];
	int in;
	duct_case cases[3];
	size_t chosen;

	for (int k = 0; k < 3; k++) {
		p[k] = test_pair_new(sizeof(int), 1000);
		cases[k] = (duct_case)DUCT_RECV(p[k].rx, &in);
	}
	for (int i = 0; i < 1000; i++) {
		put(&p[0], i);
		put(&p[1], i);
	}
	for (size_t k = 0; k < 2; k++)
		for (int i = 0; i < 1000; i++) {
			duct_time deadline = i % 3 == 0 ? 0 : i % 3 == 1 ? duct_after_ms(100) : DUCT_FOREVER;

			CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, deadline, NULL), DUCT_OK);
			CHECK(chosen == k && in == i);
		}
	CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_TIMEDOUT);
	for (int k = 0; k < 3; k++)
		test_pair_free(&p[k]);
}

/* ---- Partners --------------------------------------------------------------------------------------------------------- */

struct matching {
	struct test_pair pair;
	atomic_int next, received;
	atomic_int partner[64];
};

static void *match(void *argument)
{
	struct matching *matching = argument;
	int own = atomic_fetch_add(&matching->next, 1), in = -1;
	duct_case cases[2] = { DUCT_RECV(matching->pair.rx, &in), DUCT_SEND(matching->pair.tx, &own) };
	size_t chosen;

	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	if (chosen == 0) {
		CHECK(in >= 0 && in < 64 && in != own);
		CHECK(atomic_fetch_add(&matching->partner[in], 1) == 0);
		atomic_fetch_add(&matching->received, 1);
	}
	return NULL;
}

static void check_matching(int threads, bool leftover)
{
	struct matching matching = { .pair = test_pair_new(sizeof(int), 0) };
	pthread_t started[64];

	for (int k = 0; k < threads; k++)
		started[k] = test_start(match, &matching);
	if (leftover)
		CHECK_STATUS(duct_send(matching.pair.tx, &(int){ 63 }), DUCT_OK);
	for (int k = 0; k < threads; k++)
		test_join(started[k]);
	CHECK(matching.received == (threads + 1) / 2);
	CHECK(matching.partner[63] == leftover && test_pair_is_quiet(&matching.pair));
	test_pair_free(&matching.pair);
}

/* 44 threads that each offer themselves and look for another pair up, none with itself. */
TEST(crossbeam_matching, pairs_44_threads, 20)
{
	for (int i = 0; i < 20; i++)
		check_matching(44, false);
}

/* 55 leave one over, whom one more sender meets. */
TEST(crossbeam_matching, of_55_threads_leaves_one_for_a_sender, 20)
{
	for (int i = 0; i < 20; i++)
		check_matching(55, true);
}

/* Two sends and two receives on one channel: every case comes up. */
TEST(crossbeam_duplicate_operations, are_all_chosen, 20)
{
	struct test_pair a = test_pair_new(sizeof(int), UNBOUNDED);
	int out = 0, in;
	duct_case cases[4] = { DUCT_RECV(a.rx, &in), DUCT_RECV(a.rx, &in), DUCT_SEND(a.tx, &out), DUCT_SEND(a.tx, &out) };
	size_t hits[4] = { 0 };

	while (hits[0] == 0 || hits[1] == 0 || hits[2] == 0 || hits[3] == 0) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 4, &chosen), DUCT_OK);
		hits[chosen]++;
	}
	test_pair_free(&a);
}

static void nest(const struct test_pair *pair, int depth)
{
	int out = depth, in = -1;
	duct_case send[1] = { DUCT_SEND(pair->tx, &out) }, recv[1] = { DUCT_RECV(pair->rx, &in) };
	size_t chosen;

	CHECK_STATUS(duct_select(send, 1, &chosen), DUCT_OK);
	if (depth < 4)
		nest(pair, depth + 1);
	CHECK_STATUS(duct_select(recv, 1, &chosen), DUCT_OK);
	CHECK(in >= 1 && in <= 4);
}

/* A select inside what another select's case does, four deep. */
TEST(crossbeam_nesting, four_deep, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), UNBOUNDED);

	nest(&a, 1);
	CHECK(duct_channel_is_empty(a.channel));
	test_pair_free(&a);
}

struct selecting {
	duct_case cases[4];
	size_t count, chosen;
	unsigned flags;
	pthread_t thread;
};

static void *run_select(void *argument)
{
	struct selecting *s = argument;

	CHECK_STATUS(duct_select_until(s->cases, s->count, &s->chosen, s->flags, DUCT_FOREVER, NULL), DUCT_OK);
	return NULL;
}

/* A send wakes a select that receives; a receive that makes room wakes one that sends. */
TEST(crossbeam_unblocks, by_message_and_by_room, 20)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in[2], out[2] = { 7, 8 }, got;
	struct selecting r = { .cases = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]) }, .count = 2 };
	struct selecting s = { .cases = { DUCT_SEND(a.tx, &out[0]), DUCT_SEND(b.tx, &out[1]) }, .count = 2 };

	r.thread = test_start(run_select, &r);
	AWAIT(duct_channel_waiting_receivers(b.channel) == 1);
	put(&b, 2);
	test_join(r.thread);
	CHECK(r.chosen == 1 && in[1] == 2);

	put(&a, 1);
	put(&b, 2);
	s.thread = test_start(run_select, &s);
	AWAIT(duct_channel_waiting_senders(a.channel) == 1);
	CHECK_STATUS(duct_recv(a.rx, &got), DUCT_OK);
	test_join(s.thread);
	CHECK(s.chosen == 0 && got == 1);
	CHECK_STATUS(duct_try_recv(a.rx, &got), DUCT_OK);
	CHECK(got == 7 && duct_channel_len(b.channel) == 1);
	test_pair_free(&a);
	test_pair_free(&b);
}

struct both_ready {
	struct test_pair to, from;
};

static void *exchange_half(void *argument)
{
	const struct both_ready *both = argument;
	int in, out = 1;
	duct_case cases[2] = { DUCT_SEND(both->to.tx, &out), DUCT_RECV(both->from.rx, &in) };

	for (int i = 0; i < 2; i++) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		cases[chosen] = (duct_case)DUCT_RECV(NULL, NULL);
	}
	return NULL;
}

/* One thread sends and then receives, the other does both in selects as they come: both finish. */
TEST(crossbeam_both_ready, completes_both, 20)
{
	for (int i = 0; i < 200; i++) {
		struct both_ready both = { test_pair_new(sizeof(int), 0), test_pair_new(sizeof(int), 0) };
		pthread_t thread = test_start(exchange_half, &both);
		int in;

		if (i % 2)
			CHECK_STATUS(duct_send(both.from.tx, &i), DUCT_OK);
		CHECK_STATUS(duct_recv(both.to.rx, &in), DUCT_OK);
		if (i % 2 == 0)
			CHECK_STATUS(duct_send(both.from.tx, &i), DUCT_OK);
		test_join(thread);
		test_pair_free(&both.to);
		test_pair_free(&both.from);
	}
}

struct trying {
	struct test_pair there, back, end;
};

static void *try_to_send(void *argument)
{
	const struct trying *trying = argument;
	int out = 1, in;
	duct_case cases[2] = { DUCT_SEND(trying->there.tx, &out), DUCT_RECV(trying->end.rx, &in) };
	size_t chosen;

	while (duct_try_select(cases, 2, &chosen) == DUCT_EMPTY)
		sched_yield();
	return NULL;
}

static void *try_to_receive(void *argument)
{
	const struct trying *trying = argument;
	int in;
	duct_case cases[2] = { DUCT_RECV(trying->back.rx, &in), DUCT_RECV(trying->end.rx, &in) };
	size_t chosen;

	while (duct_try_select(cases, 2, &chosen) == DUCT_EMPTY)
		sched_yield();
	return NULL;
}

/* Two threads that only try meet a third that waits, at capacity 0; the close of a channel ends who is left trying. */
TEST(crossbeam_loop_try, meets_who_waits, 30)
{
	for (int i = 0; i < 50; i++) {
		struct trying trying = { test_pair_new(sizeof(int), 0), test_pair_new(sizeof(int), 0),
			test_pair_new(sizeof(int), 0) };
		pthread_t sender = test_start(try_to_send, &trying), receiver = test_start(try_to_receive, &trying);
		int in, out = 2;
		duct_case cases[2] = { DUCT_RECV(trying.there.rx, &in), DUCT_SEND(trying.back.tx, &out) };
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK_STATUS(cases[chosen].status, DUCT_OK);
		duct_channel_close(trying.end.channel, 0);
		test_join(sender);
		test_join(receiver);
		test_pair_free(&trying.there);
		test_pair_free(&trying.back);
		test_pair_free(&trying.end);
	}
}

/* ---- Deadlines and ends ----------------------------------------------------------------------------------------------- */

/* A deadline fires at its time, and not at all if a case is ready; that a case has closed counts as ready. */
TEST(crossbeam_timeout, fires_in_time_and_only_if_nothing_is_ready, 20)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in;
	duct_case cases[2] = { DUCT_RECV(a.rx, &in), DUCT_RECV(b.rx, &in) };
	duct_time begin = duct_now();
	size_t chosen;

	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, duct_after_ms(50), NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() - begin >= 50 * 1000000);
	put(&b, 3);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, duct_after_s(100), NULL), DUCT_OK);
	CHECK(chosen == 1 && in == 3);
	duct_channel_close(a.channel, 0);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, duct_after_s(100), NULL), DUCT_OK);
	CHECK(chosen == 0);
	CHECK_STATUS(cases[0].status, DUCT_CLOSED);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* With default, a closed channel is ready; so is one whose last sender is gone. */
TEST(crossbeam_default, when_disconnected_is_not_taken, 10)
{
	duct_sender *tx;
	duct_receiver *rx;
	int in;
	size_t chosen;
	duct_case cases[1];

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), 0, NULL), DUCT_OK);
	cases[0] = (duct_case)DUCT_RECV(rx, &in);
	CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_EMPTY);
	duct_sender_free(tx);
	CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_OK);
	CHECK_STATUS(cases[0].status, DUCT_CLOSED);
	duct_receiver_free(rx);
}

/* A disconnected channel among live ones is selected; its queued message comes first. */
TEST(crossbeam_disconnected, is_selected_after_its_messages, 10)
{
	struct test_pair live = test_pair_new(sizeof(int), 1);
	duct_sender *tx;
	duct_receiver *rx;
	int in = -1;
	size_t chosen;
	duct_case cases[2];

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), 1, NULL), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &(int){ 5 }), DUCT_OK);
	duct_sender_free(tx);
	cases[0] = (duct_case)DUCT_RECV(live.rx, &in);
	cases[1] = (duct_case)DUCT_RECV(rx, &in);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && in == 5);
	CHECK_STATUS(cases[1].status, DUCT_OK);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1);
	CHECK_STATUS(cases[1].status, DUCT_CLOSED);
	duct_receiver_free(rx);
	test_pair_free(&live);
}

/* A clone that goes, of a sender or of a receiver, does not wake a select as if the channel had closed. */
TEST(crossbeam_cloning, drop_of_a_clone_is_no_close, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int in[2], out = 4;
	struct selecting r = { .cases = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(a.rx, &in[1]) }, .count = 2 };
	struct selecting s = { .cases = { DUCT_SEND(a.tx, &out) }, .count = 1 };
	duct_sender *tx;
	duct_receiver *rx;
	int got;

	CHECK_STATUS(duct_sender_clone(a.tx, &tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(a.rx, &rx), DUCT_OK);
	r.thread = test_start(run_select, &r);
	AWAIT(duct_channel_waiting_receivers(a.channel) > 0);
	duct_sender_free(tx);
	duct_receiver_free(rx);
	CHECK(duct_channel_waiting_receivers(a.channel) > 0);
	put(&a, 1);
	test_join(r.thread);
	CHECK_STATUS(r.cases[r.chosen].status, DUCT_OK);
	CHECK(in[r.chosen] == 1);

	CHECK_STATUS(duct_receiver_clone(a.rx, &rx), DUCT_OK);
	s.thread = test_start(run_select, &s);
	AWAIT(duct_channel_waiting_senders(a.channel) == 1);
	duct_receiver_free(rx);
	CHECK(duct_channel_waiting_senders(a.channel) == 1);
	CHECK_STATUS(duct_recv(a.rx, &got), DUCT_OK);
	test_join(s.thread);
	CHECK_STATUS(s.cases[0].status, DUCT_OK);
	CHECK(got == 4);
	test_pair_free(&a);
}

/* What was ready before the select began: a message, the last message of a closed channel, a closed empty channel. */
TEST(crossbeam_preflight, finds_what_was_ready_before, 10)
{
	for (int kind = 0; kind < 3; kind++) {
		struct test_pair a = test_pair_new(sizeof(int), 1), idle = test_pair_new(sizeof(int), 1);
		int in = -1;
		duct_case cases[2] = { DUCT_RECV(idle.rx, &in), DUCT_RECV(a.rx, &in) };
		size_t chosen;

		if (kind < 2)
			put(&a, kind);
		if (kind > 0)
			duct_channel_close(a.channel, 0);
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 1);
		CHECK_STATUS(cases[1].status, kind < 2 ? DUCT_OK : DUCT_CLOSED);
		CHECK(in == (kind < 2 ? kind : -1));
		test_pair_free(&a);
		test_pair_free(&idle);
	}
}

/* The handler of a case cancels and closes what the next select looks at: nobody hangs. */
TEST(crossbeam_uncompleted, cancel_in_the_handler_hangs_nobody, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int in, out = 1;
	struct selecting s = { .cases = { DUCT_SEND(a.tx, &out) }, .count = 1 };
	duct_case cases[1] = { DUCT_RECV(a.rx, &in) };
	duct_cancel *cancel;
	size_t chosen;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	for (int i = 0; i < 2; i++) {
		s.thread = test_start(run_select, &s);
		if (i == 0) {
			CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, DUCT_FOREVER, cancel), DUCT_OK);
			duct_cancel_raise(cancel);
		} else {
			AWAIT(duct_channel_waiting_senders(a.channel) == 1);
			CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, DUCT_FOREVER, cancel), DUCT_CANCELED);
			CHECK(duct_channel_waiting_senders(a.channel) == 1);
			duct_channel_close(a.channel, 0);
		}
		test_join(s.thread);
	}
	CHECK_STATUS(s.cases[0].status, DUCT_CLOSED);
	duct_cancel_free(cancel);
	test_pair_free(&a);
}

/* No cases: a try finds nothing, a timed wait sleeps, an endless one says that nothing is left. */
TEST(crossbeam_empty_list, try_timed_and_endless, 10)
{
	duct_time deadline = duct_after_ms(20);
	size_t chosen;

	CHECK_STATUS(duct_try_select(NULL, 0, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(NULL, 0, &chosen, DUCT_FAIR, deadline, NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() >= deadline);
	CHECK_STATUS(duct_select(NULL, 0, &chosen), DUCT_CLOSED);
}

/* A case taken out of the list, by NULL, is chosen no more; the others are. */
TEST(crossbeam_removal, of_a_case_leaves_the_others, 10)
{
	struct test_pair p[3];
	int in;
	duct_case cases[3];
	size_t chosen;

	for (int k = 0; k < 3; k++) {
		p[k] = test_pair_new(sizeof(int), 1);
		cases[k] = (duct_case)DUCT_RECV(p[k].rx, &in);
		put(&p[k], k);
	}
	for (size_t left = 3; left > 0; left--) {
		CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
		CHECK(in == (int)chosen && cases[chosen].receiver != NULL);
		put(&p[chosen], in);
		cases[chosen].receiver = NULL;
	}
	CHECK_STATUS(duct_try_select(cases, 3, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_CLOSED);
	for (int k = 0; k < 3; k++)
		test_pair_free(&p[k]);
}

/* ---- Stress ----------------------------------------------------------------------------------------------------------- */

struct stress {
	struct test_pair first, second, ack;
	int rounds;
};

static struct stress stress_new(size_t first, size_t second)
{
	return (struct stress){ test_pair_new(sizeof(int), first), test_pair_new(sizeof(int), second),
		test_pair_new(sizeof(int), 100), test_rounds(3000, 10000) };
}

static void send_int(const struct test_pair *pair, int message)
{
	CHECK_STATUS(duct_send(pair->tx, &message), DUCT_OK);
}

static int receive_int(const struct test_pair *pair)
{
	int message = -1;

	CHECK_STATUS(duct_recv(pair->rx, &message), DUCT_OK);
	return message;
}

static void *stress_recv_partner(void *argument)
{
	const struct stress *stress = argument;

	for (int i = 0; i < stress->rounds; i++) {
		send_int(&stress->first, i);
		receive_int(&stress->ack);
		send_int(&stress->second, i);
		receive_int(&stress->ack);
	}
	return NULL;
}

/* Two selects that receive for each round of a partner that sends to one channel and then to the other. */
TEST(crossbeam_stress_recv, in_step_with_its_sender, 60)
{
	struct stress stress = stress_new(UNBOUNDED, 5);
	int in;
	duct_case cases[2] = { DUCT_RECV(stress.first.rx, &in), DUCT_RECV(stress.second.rx, &in) };
	pthread_t thread = test_start(stress_recv_partner, &stress);

	for (int i = 0; i < 2 * stress.rounds; i++) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(in == i / 2 && chosen == (size_t)i % 2);
		send_int(&stress.ack, 0);
	}
	test_join(thread);
	test_pair_free(&stress.first);
	test_pair_free(&stress.second);
	test_pair_free(&stress.ack);
}

static void *stress_send_partner(void *argument)
{
	const struct stress *stress = argument;

	for (int i = 0; i < stress->rounds; i++) {
		CHECK(receive_int(&stress->first) == i);
		CHECK(receive_int(&stress->second) == i);
		receive_int(&stress->ack);
	}
	return NULL;
}

/* Two selects that send, at capacity 0, for each round of a partner that receives from one and then from the other. */
TEST(crossbeam_stress_send, in_step_with_its_receiver, 60)
{
	struct stress stress = stress_new(0, 0);
	pthread_t thread = test_start(stress_send_partner, &stress);

	for (int i = 0; i < stress.rounds; i++) {
		duct_case cases[2] = { DUCT_SEND(stress.first.tx, &i), DUCT_SEND(stress.second.tx, &i) };
		size_t chosen;

		for (size_t k = 0; k < 2; k++) {
			CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
			CHECK(chosen == k);
		}
		send_int(&stress.ack, 0);
	}
	test_join(thread);
	test_pair_free(&stress.first);
	test_pair_free(&stress.second);
	test_pair_free(&stress.ack);
}

static void *stress_mixed_partner(void *argument)
{
	const struct stress *stress = argument;

	for (int i = 0; i < stress->rounds; i++) {
		send_int(&stress->first, i);
		CHECK(receive_int(&stress->second) == i);
		receive_int(&stress->ack);
	}
	return NULL;
}

/* Two selects of a send and a receive for each round of a partner that sends and then receives. */
TEST(crossbeam_stress_mixed, in_step_with_its_partner, 60)
{
	struct stress stress = stress_new(0, 0);
	pthread_t thread = test_start(stress_mixed_partner, &stress);

	for (int i = 0; i < stress.rounds; i++) {
		int in = -1;
		duct_case cases[2] = { DUCT_RECV(stress.first.rx, &in), DUCT_SEND(stress.second.tx, &i) };
		size_t chosen;

		for (size_t k = 0; k < 2; k++) {
			CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
			CHECK(chosen == k && in == i);
		}
		send_int(&stress.ack, 0);
	}
	test_join(thread);
	test_pair_free(&stress.first);
	test_pair_free(&stress.second);
	test_pair_free(&stress.ack);
}

/* One prepared list serves 10,000 selects. */
TEST(crossbeam_reuse, of_a_prepared_list, 60)
{
	struct stress stress = stress_new(0, 0);
	int in = -1, out = 0;
	duct_case cases[2] = { DUCT_RECV(stress.first.rx, &in), DUCT_SEND(stress.second.tx, &out) };
	pthread_t thread = test_start(stress_mixed_partner, &stress);
	size_t chosen;

	for (; out < stress.rounds; out++) {
		for (size_t k = 0; k < 2; k++) {
			CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
			CHECK(chosen == k && in == out);
		}
		send_int(&stress.ack, 0);
	}
	test_join(thread);
	cases[0] = (duct_case)DUCT_RECV(stress.ack.rx, &in);
	cases[1] = (duct_case)DUCT_SEND(stress.ack.tx, &out);
	for (int i = 0; i < 10000; i++)
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	test_pair_free(&stress.first);
	test_pair_free(&stress.second);
	test_pair_free(&stress.ack);
}

struct copies {
	struct test_pair first, second;
	duct_case cases[2];
	atomic_int received;
};

static void *select_copy(void *argument)
{
	struct copies *copies = argument;
	int in = -1;
	duct_case cases[2] = { copies->cases[0], copies->cases[1] };
	size_t chosen;

	cases[0].message = cases[1].message = &in;
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK((size_t)in == chosen);
	atomic_fetch_add(&copies->received, 1);
	return NULL;
}

/* 20 threads use copies of one list at once. */
TEST(crossbeam_reuse, of_copies_by_20_threads, 20)
{
	struct copies copies = { .first = test_pair_new(sizeof(int), 0), .second = test_pair_new(sizeof(int), 0) };
	pthread_t threads[20];

	copies.cases[0] = (duct_case)DUCT_RECV(copies.first.rx, NULL);
	copies.cases[1] = (duct_case)DUCT_RECV(copies.second.rx, NULL);
	for (int k = 0; k < 20; k++)
		threads[k] = test_start(select_copy, &copies);
	for (int k = 0; k < 20; k++)
		send_int(k % 2 ? &copies.second : &copies.first, k % 2);
	for (int k = 0; k < 20; k++)
		test_join(threads[k]);
	CHECK(copies.received == 20 && test_pair_is_quiet(&copies.first) && test_pair_is_quiet(&copies.second));
	test_pair_free(&copies.first);
	test_pair_free(&copies.second);
}

/* ---- Ready ------------------------------------------------------------------------------------------------------------ */

/* Readiness tells the index and takes nothing; with deadline, default and a disconnected channel. */
TEST(crossbeam_ready, tells_without_taking, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in = -1;
	duct_case cases[2] = { DUCT_RECV(a.rx, &in), DUCT_RECV(b.rx, &in) };
	duct_time deadline = duct_after_ms(20);
	size_t chosen;

	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, deadline, NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() >= deadline);
	put(&b, 1);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 1 && in == -1 && duct_channel_len(b.channel) == 1);
	test_drain(b.rx);
	duct_channel_close(a.channel, 0);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 0 && in == -1);
	test_pair_free(&a);
	test_pair_free(&b);
}

struct ready_stress {
	struct test_pair p[2];
	int rounds;
	atomic_int received;
};

/* Takes what readiness tells, until both channels have closed. */
static void *consume_ready(void *argument)
{
	struct ready_stress *stress = argument;
	int in;
	duct_case cases[2] = { DUCT_RECV(stress->p[0].rx, &in), DUCT_RECV(stress->p[1].rx, &in) };
	size_t chosen;
	duct_status status;

	while ((status = duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, NULL)) == DUCT_OK) {
		duct_status taken = duct_try_recv(cases[chosen].receiver, &in);

		if (taken == DUCT_OK)
			atomic_fetch_add(&stress->received, 1);
		else if (taken == DUCT_CLOSED)
			cases[chosen].status = DUCT_CLOSED;
		else
			CHECK_STATUS(taken, DUCT_EMPTY);
	}
	CHECK_STATUS(status, DUCT_CLOSED);
	return NULL;
}

static void check_ready_stress(size_t one, size_t other)
{
	struct ready_stress stress = { { test_pair_new(sizeof(int), one), test_pair_new(sizeof(int), other) },
		test_rounds(3000, 10000), 0 };
	pthread_t threads[2];

	for (int k = 0; k < 2; k++)
		threads[k] = test_start(consume_ready, &stress);
	for (int i = 0; i < stress.rounds; i++)
		send_int(&stress.p[i % 2], i);
	duct_channel_close(stress.p[0].channel, 0);
	duct_channel_close(stress.p[1].channel, 0);
	for (int k = 0; k < 2; k++)
		test_join(threads[k]);
	CHECK(stress.received == stress.rounds);
	test_pair_free(&stress.p[0]);
	test_pair_free(&stress.p[1]);
}

/* Two consumers that wait for readiness and then try: they may be told in vain, but nothing is left lying. */
TEST(crossbeam_ready, with_two_consumers_leaves_nothing, 60)
{
	check_ready_stress(1, 3);
}

/* At capacity 0 the sender that sleeps is what is ready. */
TEST(crossbeam_ready, at_capacity_0_finds_every_sender, 60)
{
	check_ready_stress(0, 0);
}

/* ---- Whole runs ------------------------------------------------------------------------------------------------------- */

#define MPMC_THREADS 4
#define MPMC_MOST 25000

/* Capacities for a rendezvous, their array and their list. */
static const size_t kinds[] = { 0, 3, UNBOUNDED };

struct transfer {
	struct test_pair pair;
	int each;
	atomic_int *got; /* how often each number came, unless it is NULL: then they come in order */
};

static void *transfer_send(void *argument)
{
	const struct transfer *transfer = argument;

	for (int i = 0; i < transfer->each; i++)
		send_int(&transfer->pair, i);
	return NULL;
}

static void *transfer_receive(void *argument)
{
	const struct transfer *transfer = argument;

	for (int i = 0; i < transfer->each; i++) {
		int in = receive_int(&transfer->pair);

		CHECK(in >= 0 && in < transfer->each);
		if (transfer->got != NULL)
			atomic_fetch_add(&transfer->got[in], 1);
		else
			CHECK(in == i);
	}
	return NULL;
}

/* One sender and one receiver: every message, in order, and then the end. */
TEST(crossbeam_spsc, gets_all_in_order, 60)
{
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct transfer transfer = { test_pair_new(sizeof(int), kinds[k]), test_rounds(2000, 100000), NULL };
		pthread_t thread = test_start(transfer_receive, &transfer);
		int in;

		transfer_send(&transfer);
		test_join(thread);
		CHECK_STATUS(duct_try_recv(transfer.pair.rx, &in), DUCT_EMPTY);
		test_pair_free(&transfer.pair);
	}
}

/* Four senders of the same numbers and four receivers: each number comes four times. */
TEST(crossbeam_mpmc, gets_all_of_all, 60)
{
	static atomic_int got[MPMC_MOST];

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct transfer transfer = { test_pair_new(sizeof(int), kinds[k]), test_rounds(1000, MPMC_MOST), got };
		pthread_t threads[2 * MPMC_THREADS];

		for (int i = 0; i < transfer.each; i++)
			atomic_store(&got[i], 0);
		for (int t = 0; t < 2 * MPMC_THREADS; t++)
			threads[t] = test_start(t % 2 ? transfer_send : transfer_receive, &transfer);
		for (int t = 0; t < 2 * MPMC_THREADS; t++)
			test_join(threads[t]);
		for (int i = 0; i < transfer.each; i++)
			CHECK(got[i] == MPMC_THREADS);
		CHECK(duct_channel_len(transfer.pair.channel) == 0 && test_pair_is_quiet(&transfer.pair));
		test_pair_free(&transfer.pair);
	}
}

/* A channel for one message, made and freed again and again while another thread receives. */
TEST(crossbeam_oneshot, of_many_channels, 60)
{
	int rounds = test_rounds(200, 10000);

	for (size_t k = 0; k < 2; k++)
		for (int i = 0; i < rounds; i++) {
			struct test_pair pair = test_pair_new(sizeof(int), k);
			struct test_call call;

			test_recv_start(&call, pair.rx);
			send_int(&pair, i);
			CHECK_STATUS(test_call_end(&call), DUCT_OK);
			CHECK(call.message == i);
			test_pair_free(&pair);
		}
}

/* Four threads send one message and take one from a channel with room for four: neither is ever refused. */
static void *send_and_take(void *argument)
{
	const struct transfer *transfer = argument;
	int in;

	for (int i = 0; i < transfer->each; i++) {
		CHECK_STATUS(duct_try_send(transfer->pair.tx, &i), DUCT_OK);
		CHECK_STATUS(duct_try_recv(transfer->pair.rx, &in), DUCT_OK);
	}
	return NULL;
}

TEST(crossbeam_linearizable, a_try_after_a_send_is_never_in_vain, 60)
{
	static const size_t capacities[] = { MPMC_THREADS, UNBOUNDED };

	for (size_t k = 0; k < ARRAY_LEN(capacities); k++) {
		struct transfer transfer = { test_pair_new(sizeof(int), capacities[k]), test_rounds(5000, 25000), NULL };
		pthread_t threads[MPMC_THREADS];

		for (int t = 0; t < MPMC_THREADS; t++)
			threads[t] = test_start(send_and_take, &transfer);
		for (int t = 0; t < MPMC_THREADS; t++)
			test_join(threads[t]);
		CHECK(duct_channel_is_empty(transfer.pair.channel));
		test_pair_free(&transfer.pair);
	}
}

/* The length is never over the capacity, whoever sends and receives meanwhile, and exact when nobody does. */
TEST(crossbeam_len, is_within_the_capacity, 60)
{
	enum { ROOM = 1000 };
	struct transfer transfer = { test_pair_new(sizeof(int), ROOM), test_rounds(5000, 25000), NULL };
	pthread_t thread;

	for (size_t i = 0; i < ROOM; i++) {
		CHECK(duct_channel_len(transfer.pair.channel) == i && !duct_channel_is_full(transfer.pair.channel));
		put(&transfer.pair, 0);
	}
	CHECK(duct_channel_len(transfer.pair.channel) == ROOM && duct_channel_is_full(transfer.pair.channel));
	test_drain(transfer.pair.rx);
	thread = test_start(transfer_receive, &transfer);
	for (int i = 0; i < transfer.each; i++) {
		send_int(&transfer.pair, i);
		CHECK(duct_channel_len(transfer.pair.channel) <= ROOM);
	}
	test_join(thread);
	CHECK(duct_channel_len(transfer.pair.channel) == 0);
	test_pair_free(&transfer.pair);
}

static void count_one_drop(void *message, void *context)
{
	(void)message;
	atomic_fetch_add((atomic_int *)context, 1);
}

/* So many messages are received and some more left over: those are dropped, each once, and no other. */
TEST(crossbeam_drops, are_of_what_is_left, 60)
{
	int runs = test_rounds(5, 100), most = test_rounds(300, 3000);
	uint32_t random = 11;

	for (size_t k = 0; k < 2; k++)
		for (int run = 0; run < runs; run++) {
			atomic_int dropped = 0;
			int left = k == 0 ? 0 : (int)(test_random(&random) % 50);
			const duct_options *options = DUCT_OPTIONS(.drop = count_one_drop, .context = &dropped);
			struct transfer transfer = { test_pair_with(sizeof(int), k * 50, options),
				(int)(test_random(&random) % (uint32_t)most), NULL };
			pthread_t thread = test_start(transfer_send, &transfer);

			transfer_receive(&transfer);
			test_join(thread);
			for (int i = 0; i < left; i++)
				put(&transfer.pair, i);
			CHECK(dropped == 0);
			test_pair_free(&transfer.pair);
			CHECK(dropped == left);
		}
}

struct handing {
	duct_sender *tx;
	int rounds;
};

/* Sends through each channel the receiver of the next. */
static void *hand_on(void *argument)
{
	const struct handing *handing = argument;
	duct_sender *tx = handing->tx;

	for (int i = 0; i < handing->rounds; i++) {
		duct_sender *next_tx;
		duct_receiver *next_rx;

		CHECK_STATUS(duct_anycast_open(&next_tx, &next_rx, sizeof(duct_receiver *), (size_t)i % 2, NULL), DUCT_OK);
		CHECK_STATUS(duct_send(tx, &next_rx), DUCT_OK);
		duct_sender_free(tx);
		tx = next_tx;
	}
	duct_sender_free(tx);
	return NULL;
}

/* Channels that go through channels: each is freed by another thread than made it. */
TEST(crossbeam_channel_through_channel, a_thousand_times, 60)
{
	struct handing handing = { NULL, 1000 };
	duct_receiver *rx, *next_rx;
	pthread_t thread;

	CHECK_STATUS(duct_anycast_open(&handing.tx, &rx, sizeof(duct_receiver *), 1, NULL), DUCT_OK);
	thread = test_start(hand_on, &handing);
	for (int i = 0; i < handing.rounds; i++) {
		CHECK_STATUS(duct_recv(rx, &next_rx), DUCT_OK);
		duct_receiver_free(rx);
		rx = next_rx;
	}
	CHECK_STATUS(duct_recv(rx, &next_rx), DUCT_CLOSED);
	duct_receiver_free(rx);
	test_join(thread);
}

/* ---- Size ------------------------------------------------------------------------------------------------------------- */

static void count_drop(void *message, void *context)
{
	long *sum = context;

	*sum += *(int *)message;
}

/* A million messages left over at the end are dropped one by one, without a stack as deep. */
TEST(crossbeam_drop, of_a_million_queued_messages, 30)
{
	enum { MESSAGES = 1000000 };
	long sum = 0;
	const duct_options *options = DUCT_OPTIONS(.drop = count_drop, .context = &sum);
	duct_sender *tx;
	duct_receiver *rx;

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), MESSAGES, options), DUCT_OK);
	for (int i = 0; i < MESSAGES; i++)
		CHECK_STATUS(duct_send(tx, &(int){ 1 }), DUCT_OK);
	CHECK_STATUS(duct_try_send(tx, &(int){ 1 }), DUCT_FULL);
	duct_sender_free(tx);
	CHECK(sum == 0);
	duct_receiver_free(rx);
	CHECK(sum == MESSAGES);
}
