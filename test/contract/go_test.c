/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the tests of Go's channels and select ask of a channel, asked of ours.
 *
 * The properties are theirs, the code is not.  Where Go blocks for ever on cases that can never be ready, a select here
 * returns DUCT_CLOSED; where Go panics, a status tells.  Counts are Go's, or where that takes long less: test_rounds has both,
 * and TEST_SCALE=full brings Go's.  Of Go's tests those have no meaning here that are about its stacks, its collector, its types
 * and its compiler.
 */
#include "harness.h"

#include <limits.h>
#include <stdatomic.h>
#if defined __GLIBC__
#include <malloc.h>
#endif

/* A thread in one receive, through a select of so many cases that the others never happen; 0: a plain call. */
struct one_move {
	const struct test_pair *pair, *idle;
	size_t cases;
	int message;
	pthread_t thread;
};

static void select_one_move(struct one_move *move, bool sends)
{
	int unused;
	duct_case cases[2] = { sends ? (duct_case)DUCT_SEND(move->pair->tx, &move->message)
				     : (duct_case)DUCT_RECV(move->pair->rx, &move->message),
		DUCT_RECV(move->idle->rx, &unused) };
	size_t chosen;

	CHECK_STATUS(duct_select(cases, move->cases, &chosen), DUCT_OK);
	CHECK(chosen == 0);
	CHECK_STATUS(cases[0].status, DUCT_OK);
}

static void *receive_one(void *argument)
{
	struct one_move *move = argument;

	if (move->cases == 0)
		CHECK_STATUS(duct_recv(move->pair->rx, &move->message), DUCT_OK);
	else
		select_one_move(move, false);
	return NULL;
}

static void *send_one(void *argument)
{
	struct one_move *move = argument;

	if (move->cases == 0)
		CHECK_STATUS(duct_send(move->pair->tx, &move->message), DUCT_OK);
	else
		select_one_move(move, true);
	return NULL;
}

/* ---- Cases that are never ready --------------------------------------------------------------------------------------- */

/* A nil case is never chosen; default is; alone it leaves nothing to wait for. */
TEST(go_nil_case, is_never_chosen, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int in;
	duct_case cases[3] = { { NULL, NULL, NULL, DUCT_OK }, { NULL, NULL, &in, DUCT_OK }, DUCT_RECV(a.rx, &in) };
	size_t chosen = 9;

	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_try_select(cases, 3, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_CLOSED);
	CHECK(chosen == 9);
	CHECK_STATUS(duct_try_send(a.tx, &(int){ 4 }), DUCT_OK);
	CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
	CHECK(chosen == 2 && in == 4);
	test_pair_free(&a);
}

/* With default: a ready case is taken, one that is not takes the default, a closed one behaves like the plain call. */
TEST(go_default, is_taken_only_if_nothing_is_ready, 10)
{
	static const size_t capacities[] = { 0, 1, 2, 100 };

	for (size_t c = 0; c < ARRAY_LEN(capacities); c++) {
		struct test_pair a = test_pair_new(sizeof(int), capacities[c]);
		int out = 1, in;
		duct_case send[1] = { DUCT_SEND(a.tx, &out) }, recv[1] = { DUCT_RECV(a.rx, &in) };
		size_t chosen;

		CHECK_STATUS(duct_try_select(recv, 1, &chosen), DUCT_EMPTY);
		for (size_t i = 0; i < capacities[c]; i++)
			CHECK_STATUS(duct_try_select(send, 1, &chosen), DUCT_OK);
		CHECK_STATUS(duct_try_select(send, 1, &chosen), DUCT_EMPTY);
		duct_channel_close(a.channel, 0);
		CHECK_STATUS(duct_try_select(send, 1, &chosen), DUCT_OK);
		CHECK_STATUS(send[0].status, DUCT_CLOSED);
		CHECK_STATUS(duct_send(a.tx, &out), DUCT_CLOSED);
		for (size_t i = 0; i < capacities[c]; i++) {
			CHECK_STATUS(duct_try_select(recv, 1, &chosen), DUCT_OK);
			CHECK_STATUS(recv[0].status, DUCT_OK);
		}
		CHECK_STATUS(duct_try_select(recv, 1, &chosen), DUCT_OK);
		CHECK_STATUS(recv[0].status, DUCT_CLOSED);
		CHECK_STATUS(duct_recv(a.rx, &in), DUCT_CLOSED);
		test_pair_free(&a);
	}
}

/* A select that sends to and receives from one channel blocks at capacity 0; with a buffer it sends, then receives. */
TEST(go_self_select, alone_blocks_at_capacity_0_only, 10)
{
	struct test_pair meet = test_pair_new(sizeof(int), 0), buffered = test_pair_new(sizeof(int), 1);
	int out = 6, in = 0;
	duct_case blocked[2] = { DUCT_SEND(meet.tx, &out), DUCT_RECV(meet.rx, &in) };
	duct_case cases[2] = { DUCT_SEND(buffered.tx, &out), DUCT_RECV(buffered.rx, &in) };
	size_t chosen;

	CHECK_STATUS(duct_select_until(blocked, 2, &chosen, DUCT_FAIR, duct_after_ms(100), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && in == 6);
	test_pair_free(&meet);
	test_pair_free(&buffered);
}

struct self_select {
	struct test_pair pair;
	int own;
};

static void *self_select(void *argument)
{
	struct self_select *self = argument;
	int out = self->own;

	for (int i = 0; i < 1000; i++) {
		int in = -1;
		size_t send = self->own == 0 || i % 2 == 0 ? 0 : 1, chosen;
		duct_case cases[2];

		cases[send] = (duct_case)DUCT_SEND(self->pair.tx, &out);
		cases[1 - send] = (duct_case)DUCT_RECV(self->pair.rx, &in);
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK_STATUS(cases[chosen].status, DUCT_OK);
		CHECK(chosen == send || in == 0 || in == 1);
		CHECK(chosen == send || duct_channel_capacity(self->pair.channel) > 0 || in != self->own);
	}
	return NULL;
}

static void check_self_select(size_t capacity)
{
	struct test_pair pair = test_pair_new(sizeof(int), capacity);
	struct self_select self[2] = { { pair, 0 }, { pair, 1 } };
	pthread_t threads[2];

	for (int k = 0; k < 2; k++)
		threads[k] = test_start(self_select, &self[k]);
	for (int k = 0; k < 2; k++)
		test_join(threads[k]);
	CHECK(test_pair_is_quiet(&pair));
	test_pair_free(&pair);
}

/* Two threads that each send and receive on one channel, 1000 times, cases in both orders: none meets itself. */
TEST(go_self_select, of_two_threads_at_capacity_0_never_gets_its_own, 20)
{
	check_self_select(0);
}

TEST(go_self_select, of_two_threads_at_capacity_10, 20)
{
	check_self_select(10);
}

/* ---- Every capacity --------------------------------------------------------------------------------------------------- */

/* Calls the check with so many capacities, from 0 on. */
static void with_each_capacity(void (*check)(const struct test_pair *pair, int capacity))
{
	int capacities = test_rounds(10, 200);

	for (int capacity = 0; capacity < capacities; capacity++) {
		struct test_pair pair = test_pair_new(sizeof(int), (size_t)capacity);

		check(&pair, capacity);
		CHECK(test_pair_is_quiet(&pair));
		test_pair_free(&pair);
	}
}

static void check_empty(const struct test_pair *pair, int capacity)
{
	struct test_call calls[2];
	int in;
	duct_case cases[1] = { DUCT_RECV(pair->rx, &in) };
	size_t chosen;

	CHECK(duct_channel_len(pair->channel) == 0 && duct_channel_capacity(pair->channel) == (size_t)capacity);
	test_call_start(&calls[0], RECV, pair, -1, DUCT_FOREVER, NULL);
	test_call_start(&calls[1], SELECT, pair, -1, DUCT_FOREVER, NULL);
	AWAIT(duct_channel_waiting_receivers(pair->channel) == 2);
	CHECK_STATUS(duct_try_recv(pair->rx, &in), DUCT_EMPTY);
	CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_EMPTY);
	for (int k = 0; k < 2; k++)
		CHECK_STATUS(duct_send(pair->tx, &k), DUCT_OK);
	for (int k = 0; k < 2; k++)
		CHECK_STATUS(test_call_end(&calls[k]), DUCT_OK);
	CHECK(calls[0].message + calls[1].message == 1);
}

/* An empty channel blocks a receive, plain or selecting, and gives a try nothing. */
TEST(go_chan, that_is_empty_blocks_receives, 60)
{
	with_each_capacity(check_empty);
}

static void check_full(const struct test_pair *pair, int capacity)
{
	struct test_call call;
	int in, out = 7;
	duct_case cases[1] = { DUCT_SEND(pair->tx, &out) };
	size_t chosen;

	CHECK(test_fill(pair->tx) == capacity && duct_channel_len(pair->channel) == (size_t)capacity);
	test_send_start(&call, pair->tx, capacity);
	AWAIT(duct_channel_waiting_senders(pair->channel) == 1);
	CHECK_STATUS(duct_try_send(pair->tx, &out), DUCT_FULL);
	CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_EMPTY);
	for (int i = 0; i <= capacity; i++) {
		CHECK_STATUS(duct_recv(pair->rx, &in), DUCT_OK);
		CHECK(in == i);
	}
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
}

/* A full channel blocks a send, and gives a try no room; what it holds comes in order. */
TEST(go_chan, that_is_full_blocks_sends, 60)
{
	with_each_capacity(check_full);
}

static void check_closed(const struct test_pair *pair, int capacity)
{
	int in;
	duct_case cases[1] = { DUCT_RECV(pair->rx, &in) };
	size_t chosen;

	test_fill(pair->tx);
	duct_channel_close(pair->channel, 0);
	for (int i = 0; i < capacity; i++) {
		CHECK_STATUS(duct_recv(pair->rx, &in), DUCT_OK);
		CHECK(in == i);
	}
	for (int i = 0; i < 2; i++)
		CHECK_STATUS(duct_recv(pair->rx, &in), DUCT_CLOSED);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK_STATUS(cases[0].status, DUCT_CLOSED);
}

/* A closed channel gives what it holds, and then its end, again and again. */
TEST(go_chan, that_is_closed_is_drained_first, 60)
{
	with_each_capacity(check_closed);
}

static void check_close_unblocks(const struct test_pair *pair, int capacity)
{
	struct test_call call;

	(void)capacity;
	test_recv_start(&call, pair->rx);
	AWAIT(duct_channel_waiting_receivers(pair->channel) == 1);
	duct_channel_close(pair->channel, 0);
	CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
}

/* A close ends a blocked receive. */
TEST(go_chan, that_closes_unblocks_receives, 60)
{
	with_each_capacity(check_close_unblocks);
}

static void *send_100(void *argument)
{
	const struct test_pair *pair = argument;

	for (int i = 0; i < 100; i++)
		CHECK_STATUS(duct_send(pair->tx, &i), DUCT_OK);
	return NULL;
}

static void check_100(const struct test_pair *pair, int capacity)
{
	struct test_pair copy = *pair;
	pthread_t thread = test_start(send_100, &copy);
	int in;

	(void)capacity;
	for (int i = 0; i < 100; i++) {
		CHECK_STATUS(duct_recv(pair->rx, &in), DUCT_OK);
		CHECK(in == i);
	}
	test_join(thread);
}

/* 100 messages come in the order of sending. */
TEST(go_chan, gives_100_messages_in_order, 60)
{
	with_each_capacity(check_100);
}

#define CROWD 4
#define CROWD_MOST 1000

struct crowd {
	const struct test_pair *pair;
	int each;
	atomic_int got[CROWD_MOST];
};

static void *crowd_send(void *argument)
{
	const struct crowd *crowd = argument;

	for (int i = 0; i < crowd->each; i++)
		CHECK_STATUS(duct_send(crowd->pair->tx, &i), DUCT_OK);
	return NULL;
}

static void *crowd_receive(void *argument)
{
	struct crowd *crowd = argument;

	for (int i = 0; i < crowd->each; i++) {
		int in;

		CHECK_STATUS(duct_recv(crowd->pair->rx, &in), DUCT_OK);
		CHECK(in >= 0 && in < crowd->each);
		atomic_fetch_add(&crowd->got[in], 1);
	}
	return NULL;
}

static void check_crowd(const struct test_pair *pair, int capacity)
{
	static struct crowd crowd;
	pthread_t threads[2 * CROWD];

	(void)capacity;
	crowd = (struct crowd){ .pair = pair, .each = test_rounds(50, CROWD_MOST) };
	for (int k = 0; k < 2 * CROWD; k++)
		threads[k] = test_start(k < CROWD ? crowd_send : crowd_receive, &crowd);
	for (int k = 0; k < 2 * CROWD; k++)
		test_join(threads[k]);
	for (int i = 0; i < crowd.each; i++)
		CHECK(crowd.got[i] == CROWD);
	CHECK(duct_channel_len(pair->channel) == 0);
}

/* Four threads send 0, 1, 2... and four receive as many: each number comes four times. */
TEST(go_chan, between_four_and_four_loses_nothing, 60)
{
	with_each_capacity(check_crowd);
}

/* ---- The instant of a default ----------------------------------------------------------------------------------------- */

/* The race is hard to hit in rounds; the looks without rounds below hit it sooner. */
static int nonblock_rounds(void)
{
	return test_rounds(TEST_THREAD_SANITIZED ? 3000 : 10000, 100000);
}

#define JUGGLED_LOOKS (TEST_THREAD_SANITIZED ? 20000 : 100000)

struct nonblock_race {
	struct test_pair first, second;
	int rounds;
	atomic_int round, done;
	duct_status status;
};

/* In each round, once it has begun, looks whether one of the two channels is ready. */
static void *nonblock_look(void *argument)
{
	struct nonblock_race *race = argument;

	for (int round = 1; round <= race->rounds; round++) {
		int in;
		duct_case cases[2] = { DUCT_RECV(NULL, &in), DUCT_RECV(NULL, &in) };
		size_t chosen;

		test_spin_until(&race->round, round);
		cases[0].receiver = race->first.rx;
		cases[1].receiver = race->second.rx;
		race->status = duct_try_select(cases, 2, &chosen);
		atomic_store(&race->done, round);
	}
	return NULL;
}

/* A moment between the start of a round and its move: some moves meet the look in its middle. */
static void dawdle(uint32_t *random)
{
	for (uint32_t left = test_random(random) % 2000; left > 0; left--)
		atomic_signal_fence(memory_order_seq_cst);
}

/*
 * The first channel is ready before the look begins; then the second is made ready, and only then the first is emptied: at
 * every instant one of them is ready, so a look must find one.
 */
static void check_nonblock_race(bool close)
{
	struct nonblock_race race = { test_pair_new(sizeof(int), 1), test_pair_new(sizeof(int), 1), nonblock_rounds(), 0, 0,
		DUCT_OK };
	pthread_t thread = test_start(nonblock_look, &race);
	uint32_t random = 5;

	for (int round = 1; round <= race.rounds; round++) {
		CHECK_STATUS(duct_try_send(race.first.tx, &round), DUCT_OK);
		atomic_store(&race.round, round);
		dawdle(&random);
		if (close)
			duct_channel_close(race.second.channel, 0);
		else
			CHECK_STATUS(duct_try_send(race.second.tx, &round), DUCT_OK);
		test_drain(race.first.rx);
		test_spin_until(&race.done, round);
		CHECK_STATUS(race.status, DUCT_OK);
		test_drain(race.first.rx);
		if (close) {
			test_pair_free(&race.second);
			race.second = test_pair_new(sizeof(int), 1);
		} else {
			test_drain(race.second.rx);
		}
	}
	test_join(thread);
	test_pair_free(&race.first);
	test_pair_free(&race.second);
}

TEST(go_nonblock_select_race, of_two_messages_finds_one, 60)
{
	check_nonblock_race(false);
}

TEST(go_nonblock_select_race, of_a_message_and_a_close_finds_one, 60)
{
	check_nonblock_race(true);
}

struct juggling {
	struct test_pair pairs[2];
	atomic_bool done;
};

static void take_surely(const struct test_pair *pair)
{
	int in;

	while (duct_try_recv(pair->rx, &in) != DUCT_OK)
		;
}

/* Puts into one channel before it takes from the other, to and fro: a message lies in one of them at every instant. */
static void *juggle(void *argument)
{
	struct juggling *juggling = argument;

	for (int to = 1; !atomic_load(&juggling->done); to = 1 - to) {
		CHECK_STATUS(duct_try_send(juggling->pairs[to].tx, &to), DUCT_OK);
		take_surely(&juggling->pairs[1 - to]);
	}
	return NULL;
}

/*
 * The same without rounds: a look never finds nothing, for what it finds goes back at once.  Idle cases between the two make
 * it take its time.
 */
static void check_juggling(size_t idle_cases, int looks)
{
	struct juggling juggling = { { test_pair_new(sizeof(int), 4), test_pair_new(sizeof(int), 4) }, false };
	struct test_pair idle = test_pair_new(sizeof(int), 1);
	size_t count = idle_cases + 2, chosen;
	static duct_case cases[502];
	pthread_t thread;
	int in = 0;

	for (size_t k = 0; k < count; k++)
		cases[k] = (duct_case)DUCT_RECV(idle.rx, &in);
	cases[0].receiver = juggling.pairs[0].rx;
	cases[count - 1].receiver = juggling.pairs[1].rx;
	CHECK_STATUS(duct_try_send(juggling.pairs[0].tx, &in), DUCT_OK);
	thread = test_start(juggle, &juggling);
	for (int i = 0; i < looks; i++) {
		CHECK_STATUS(duct_try_select(cases, count, &chosen), DUCT_OK);
		CHECK_STATUS(duct_try_send(juggling.pairs[chosen == 0 ? 0 : 1].tx, &in), DUCT_OK);
	}
	atomic_store(&juggling.done, true);
	test_join(thread);
	test_pair_free(&juggling.pairs[0]);
	test_pair_free(&juggling.pairs[1]);
	test_pair_free(&idle);
}

TEST(go_nonblock_select_race, of_a_message_that_never_rests_finds_it, 60)
{
	check_juggling(0, JUGGLED_LOOKS);
}

TEST(go_nonblock_select_race, among_idle_cases_finds_it, 60)
{
	check_juggling(500, JUGGLED_LOOKS / 20);
}

static void *look_once(void *argument)
{
	const struct test_pair *pair = argument;
	int in;
	duct_case cases[1] = { DUCT_RECV(pair->rx, &in) };
	size_t chosen;

	CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_OK);
	return NULL;
}

/* A channel with a message is closed and drained while another thread looks: it is ready all the time, for one or the other. */
TEST(go_nonblock_recv_race, of_a_message_and_a_close_finds_one, 60)
{
	int rounds = test_rounds(200, 10000);

	for (int round = 0; round < rounds; round++) {
		struct test_pair pair = test_pair_new(sizeof(int), 1);
		pthread_t thread;
		int in;
		duct_status status;

		CHECK_STATUS(duct_try_send(pair.tx, &round), DUCT_OK);
		thread = test_start(look_once, &pair);
		duct_channel_close(pair.channel, 0);
		status = duct_recv(pair.rx, &in);
		CHECK(status == DUCT_OK || status == DUCT_CLOSED);
		test_join(thread);
		test_pair_free(&pair);
	}
}

/* ---- Stress ----------------------------------------------------------------------------------------------------------- */

struct select_stress {
	struct test_pair pairs[4];
	int each; /* messages, to each channel from each thread */
	long sum_out[5], sum_in[5];
};

struct stress_thread {
	struct select_stress *stress;
	int channel;
};

static void *stress_send(void *argument)
{
	const struct stress_thread *self = argument;

	for (int i = 0; i < self->stress->each; i++) {
		CHECK_STATUS(duct_send(self->stress->pairs[self->channel].tx, &i), DUCT_OK);
		self->stress->sum_out[self->channel] += i;
	}
	return NULL;
}

static void *stress_receive(void *argument)
{
	const struct stress_thread *self = argument;

	for (int i = 0; i < self->stress->each; i++) {
		int in;

		CHECK_STATUS(duct_recv(self->stress->pairs[self->channel].rx, &in), DUCT_OK);
		self->stress->sum_in[self->channel] += in;
	}
	return NULL;
}

/* Sends so many messages to each of the four channels, in the order in which they have room. */
static void *stress_select_send(void *argument)
{
	struct select_stress *stress = argument;
	int out[4] = { 0 };
	duct_case cases[4];

	for (int k = 0; k < 4; k++)
		cases[k] = (duct_case)DUCT_SEND(stress->pairs[k].tx, &out[k]);
	for (int left = 4 * stress->each; left > 0; left--) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 4, &chosen), DUCT_OK);
		CHECK_STATUS(cases[chosen].status, DUCT_OK);
		stress->sum_out[4] += out[chosen];
		if (++out[chosen] == stress->each)
			cases[chosen].sender = NULL;
	}
	return NULL;
}

static void *stress_select_receive(void *argument)
{
	struct select_stress *stress = argument;
	int in[4], count[4] = { 0 };
	duct_case cases[4];

	for (int k = 0; k < 4; k++)
		cases[k] = (duct_case)DUCT_RECV(stress->pairs[k].rx, &in[k]);
	for (int left = 4 * stress->each; left > 0; left--) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 4, &chosen), DUCT_OK);
		CHECK_STATUS(cases[chosen].status, DUCT_OK);
		stress->sum_in[4] += in[chosen];
		if (++count[chosen] == stress->each)
			cases[chosen].receiver = NULL;
	}
	return NULL;
}

/* Four plain senders, four plain receivers, a selecting sender and a selecting receiver over capacities 0, 0, 2, 3. */
TEST(go_select_stress, plain_and_selecting_threads_all_finish, 60)
{
	static const size_t capacities[4] = { 0, 0, 2, 3 };
	struct select_stress stress = { .each = test_rounds(3000, 100000) };
	struct stress_thread self[4];
	pthread_t threads[10];
	long difference = 0;

	for (int k = 0; k < 4; k++) {
		stress.pairs[k] = test_pair_new(sizeof(int), capacities[k]);
		self[k] = (struct stress_thread){ &stress, k };
	}
	for (int k = 0; k < 4; k++) {
		threads[k] = test_start(stress_send, &self[k]);
		threads[4 + k] = test_start(stress_receive, &self[k]);
	}
	threads[8] = test_start(stress_select_send, &stress);
	threads[9] = test_start(stress_select_receive, &stress);
	for (int k = 0; k < 10; k++)
		test_join(threads[k]);
	for (int k = 0; k < 5; k++)
		difference += stress.sum_out[k] - stress.sum_in[k];
	CHECK(difference == 0);
	for (int k = 0; k < 4; k++) {
		CHECK(duct_channel_len(stress.pairs[k].channel) == 0 && test_pair_is_quiet(&stress.pairs[k]));
		test_pair_free(&stress.pairs[k]);
	}
}

/* ---- Fairness --------------------------------------------------------------------------------------------------------- */

/* Two channels always ready, two never: they share, closer to a half than chance strays once in 100,000 runs. */
TEST(go_select_fairness, of_two_ready_channels_is_even, 20)
{
	const int trials = 10000;
	struct test_pair p[4];
	int in;
	duct_case cases[4];
	long hits[2] = { 0 };
	double share;

	for (int k = 0; k < 4; k++) {
		p[k] = test_pair_new(sizeof(int), 1);
		cases[k] = (duct_case)DUCT_RECV(p[k].rx, &in);
	}
	for (int k = 0; k < 2; k++)
		CHECK_STATUS(duct_try_send(p[k].tx, &k), DUCT_OK);
	for (int i = 0; i < trials; i++) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 4, &chosen), DUCT_OK);
		CHECK(chosen < 2 && in == (int)chosen);
		hits[chosen]++;
		CHECK_STATUS(duct_try_send(p[chosen].tx, &in), DUCT_OK);
	}
	/* 4.4172 / (2 sqrt(n)), with sqrt(10,000) = 100. */
	share = (double)hits[0] / trials;
	CHECK(share > 0.5 - 4.4172 / 200 && share < 0.5 + 4.4172 / 200);
	for (int k = 0; k < 4; k++)
		test_pair_free(&p[k]);
}

struct random_send {
	struct test_pair pair;
	int got[2];
};

static void *random_receive(void *argument)
{
	struct random_send *random = argument;

	for (int i = 0; i < 400; i++) {
		int in;

		CHECK_STATUS(duct_recv(random->pair.rx, &in), DUCT_OK);
		random->got[in]++;
	}
	return NULL;
}

/* One channel listed twice as a send, of 0 and of 1: both are sent, each at least every tenth time. */
static void check_random_send(size_t capacity)
{
	struct random_send random = { .pair = test_pair_new(sizeof(int), capacity) };
	int out[2] = { 0, 1 };
	duct_case cases[2] = { DUCT_SEND(random.pair.tx, &out[0]), DUCT_SEND(random.pair.tx, &out[1]) };
	pthread_t thread = test_start(random_receive, &random);

	for (int i = 0; i < 400; i++) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	}
	test_join(thread);
	CHECK(random.got[0] >= 40 && random.got[1] >= 40);
	test_pair_free(&random.pair);
}

/* Only a receiver already asleep leaves a choice at capacity 0, so it is the buffered channel that decides at random. */
TEST(go_pseudo_random_send, to_a_buffer_sends_both, 20)
{
	check_random_send(400);
}

/* The same with a receiver known to sleep each time. */
TEST(go_pseudo_random_send, to_a_sleeping_receiver_sends_both, 20)
{
	struct random_send random = { .pair = test_pair_new(sizeof(int), 0) };
	int out[2] = { 0, 1 };
	duct_case cases[2] = { DUCT_SEND(random.pair.tx, &out[0]), DUCT_SEND(random.pair.tx, &out[1]) };
	pthread_t thread = test_start(random_receive, &random);

	for (int i = 0; i < 400; i++) {
		size_t chosen;

		AWAIT(duct_channel_waiting_receivers(random.pair.channel) == 1);
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	}
	test_join(thread);
	CHECK(random.got[0] >= 40 && random.got[1] >= 40);
	test_pair_free(&random.pair);
}

/* ---- Lines of waiting threads ----------------------------------------------------------------------------------------- */

struct duplicate {
	struct test_pair c, d, e;
	int in[4];
	size_t chosen;
};

static void *select_ccd(void *argument)
{
	struct duplicate *dup = argument;
	duct_case cases[3] = { DUCT_RECV(dup->c.rx, &dup->in[0]), DUCT_RECV(dup->c.rx, &dup->in[0]),
		DUCT_RECV(dup->d.rx, &dup->in[1]) };

	CHECK_STATUS(duct_select(cases, 3, &dup->chosen), DUCT_OK);
	CHECK(dup->chosen == 2);
	return NULL;
}

static void *select_cde(void *argument)
{
	struct duplicate *dup = argument;
	duct_case cases[3] = { DUCT_RECV(dup->c.rx, &dup->in[2]), DUCT_RECV(dup->d.rx, &dup->in[2]),
		DUCT_RECV(dup->e.rx, &dup->in[2]) };
	size_t chosen;

	CHECK_STATUS(duct_select(cases, 3, &chosen), DUCT_OK);
	CHECK(chosen == 2);
	return NULL;
}

static void *receive_c(void *argument)
{
	struct duplicate *dup = argument;

	CHECK_STATUS(duct_recv(dup->c.rx, &dup->in[3]), DUCT_OK);
	return NULL;
}

/*
 * The line on c reads A A B C, or with channels that count threads A B C.  Messages on d and on e take A and C out of it
 * from the front, twice, and from the back: B must still be in it.
 */
TEST(go_select_duplicate_channel, leaves_the_line_of_others_intact, 20)
{
	for (int round = 0; round < 50; round++) {
		struct duplicate dup = { .c = test_pair_new(sizeof(int), 0),
			.d = test_pair_new(sizeof(int), 0),
			.e = test_pair_new(sizeof(int), 0) };
		pthread_t a, b, c;
		size_t ahead;

		a = test_start(select_ccd, &dup);
		AWAIT(duct_channel_waiting_receivers(dup.d.channel) == 1);
		ahead = duct_channel_waiting_receivers(dup.c.channel);
		b = test_start(receive_c, &dup);
		AWAIT(duct_channel_waiting_receivers(dup.c.channel) == ahead + 1);
		c = test_start(select_cde, &dup);
		AWAIT(duct_channel_waiting_receivers(dup.e.channel) == 1);

		CHECK_STATUS(duct_send(dup.d.tx, &(int){ 7 }), DUCT_OK);
		test_join(a);
		CHECK_STATUS(duct_send(dup.e.tx, &(int){ 8 }), DUCT_OK);
		test_join(c);
		CHECK(duct_channel_waiting_receivers(dup.c.channel) == 1);
		CHECK_STATUS(duct_send(dup.c.tx, &(int){ 9 }), DUCT_OK);
		test_join(b);
		CHECK(dup.in[1] == 7 && dup.in[2] == 8 && dup.in[3] == 9);
		CHECK(test_pair_is_quiet(&dup.c) && test_pair_is_quiet(&dup.d) && test_pair_is_quiet(&dup.e));
		test_pair_free(&dup.c);
		test_pair_free(&dup.d);
		test_pair_free(&dup.e);
	}
}

struct pair_of_pairs {
	struct test_pair c1, c2;
};

static void *select_c1_c2(void *argument)
{
	const struct pair_of_pairs *both = argument;
	int in;
	duct_case cases[2] = { DUCT_RECV(both->c1.rx, &in), DUCT_RECV(both->c2.rx, &in) };
	size_t chosen;

	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1);
	return NULL;
}

/* A select over c1 and c2 that got its message from c2 is out of c1's line: two messages on c1 reach its two receivers. */
TEST(go_select_that_fired, is_out_of_the_other_line, 20)
{
	for (int round = 0; round < 50; round++) {
		struct pair_of_pairs both = { test_pair_new(sizeof(int), 0), test_pair_new(sizeof(int), 0) };
		struct one_move moves[2] = { { &both.c1, &both.c2, 0, -1, 0 }, { &both.c1, &both.c2, 0, -1, 0 } };
		pthread_t selecting;

		moves[0].thread = test_start(receive_one, &moves[0]);
		AWAIT(duct_channel_waiting_receivers(both.c1.channel) == 1);
		selecting = test_start(select_c1_c2, &both);
		AWAIT(duct_channel_waiting_receivers(both.c2.channel) == 1);
		moves[1].thread = test_start(receive_one, &moves[1]);
		AWAIT(duct_channel_waiting_receivers(both.c1.channel) == 3);
		CHECK_STATUS(duct_send(both.c2.tx, &round), DUCT_OK);
		test_join(selecting);
		for (int k = 0; k < 2; k++)
			CHECK_STATUS(duct_send(both.c1.tx, &k), DUCT_OK);
		for (int k = 0; k < 2; k++) {
			test_join(moves[k].thread);
			CHECK(moves[k].message == k);
		}
		test_pair_free(&both.c1);
		test_pair_free(&both.c2);
	}
}

/* Plain calls, selects of one case and selects of two meet each other at capacity 0, whichever was there first. */
TEST(go_select_wakes, every_form_of_sender_and_receiver, 20)
{
	for (size_t send = 0; send < 3; send++)
		for (size_t recv = 0; recv < 3; recv++)
			for (int sender_first = 0; sender_first < 2; sender_first++) {
				struct test_pair pair = test_pair_new(sizeof(int), 0), idle = test_pair_new(sizeof(int), 0);
				struct one_move sender = { &pair, &idle, send, 42, 0 };
				struct one_move receiver = { &pair, &idle, recv, -1, 0 };

				if (sender_first) {
					sender.thread = test_start(send_one, &sender);
					AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
				}
				receiver.thread = test_start(receive_one, &receiver);
				if (!sender_first) {
					AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
					sender.thread = test_start(send_one, &sender);
				}
				test_join(sender.thread);
				test_join(receiver.thread);
				CHECK(receiver.message == 42 && test_pair_is_quiet(&pair) && test_pair_is_quiet(&idle));
				test_pair_free(&pair);
				test_pair_free(&idle);
			}
}

/* ---- Programs --------------------------------------------------------------------------------------------------------- */

struct double_select {
	struct test_pair in[4], out;
	int messages;
};

struct muxer {
	struct double_select *select;
	int channel;
};

static void *double_send(void *argument)
{
	struct double_select *both = argument;

	for (int i = 0; i < both->messages; i++) {
		duct_case cases[4];
		size_t chosen;

		for (int k = 0; k < 4; k++)
			cases[k] = (duct_case)DUCT_SEND(both->in[k].tx, &i);
		CHECK_STATUS(duct_select(cases, 4, &chosen), DUCT_OK);
	}
	for (int k = 0; k < 4; k++)
		duct_channel_close(both->in[k].channel, 0);
	return NULL;
}

static void *double_mux(void *argument)
{
	const struct muxer *self = argument;
	int message;

	while (duct_recv(self->select->in[self->channel].rx, &message) == DUCT_OK)
		CHECK_STATUS(duct_send(self->select->out.tx, &message), DUCT_OK);
	return NULL;
}

/* A select that sends to one of four threads, which forward to one: no message comes twice, none is missing. */
TEST(go_double_select, neither_doubles_nor_loses, 60)
{
	struct double_select both = { .out = test_pair_new(sizeof(int), 0), .messages = test_rounds(10000, 100000) };
	struct muxer muxers[4];
	pthread_t sender, threads[4];
	unsigned char *seen = calloc((size_t)both.messages, 1);

	CHECK(seen != NULL);
	for (int k = 0; k < 4; k++)
		both.in[k] = test_pair_new(sizeof(int), 0);
	for (int k = 0; k < 4; k++) {
		muxers[k] = (struct muxer){ &both, k };
		threads[k] = test_start(double_mux, &muxers[k]);
	}
	sender = test_start(double_send, &both);
	for (int i = 0; i < both.messages; i++) {
		int in;

		CHECK_STATUS(duct_recv(both.out.rx, &in), DUCT_OK);
		CHECK(in >= 0 && in < both.messages && !seen[in]);
		seen[in] = 1;
	}
	test_join(sender);
	for (int k = 0; k < 4; k++) {
		test_join(threads[k]);
		test_pair_free(&both.in[k]);
	}
	test_pair_free(&both.out);
	free(seen);
}

struct request {
	struct test_pair reply, done;
	bool selects;
};

static void *answer(void *argument)
{
	struct request *request = argument;
	int error = 5, in;
	duct_case cases[2] = { DUCT_SEND(request->reply.tx, &error), DUCT_RECV(request->done.rx, &in) };
	size_t chosen;

	if (request->selects)
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	else
		CHECK_STATUS(duct_send(request->reply.tx, &error), DUCT_OK);
	return NULL;
}

struct asking {
	bool selects;
	int requests;
};

static void *ask_often(void *argument)
{
	const struct asking *asking = argument;

	for (int i = 0; i < asking->requests; i++) {
		struct request request = { test_pair_new(sizeof(int), 0), test_pair_new(sizeof(int), 0), asking->selects };
		pthread_t thread = test_start(answer, &request);
		int reply;

		CHECK_STATUS(duct_recv(request.reply.rx, &reply), DUCT_OK);
		CHECK(reply == 5);
		sched_yield();
		test_join(thread);
		test_pair_free(&request.reply);
		test_pair_free(&request.done);
	}
	return NULL;
}

/* Short-lived channels and threads that answer one request, plain and by select; each starts a thread of the system. */
static void check_barrier(bool selects)
{
	struct asking asking = { selects, test_rounds(60, 1000) };
	pthread_t threads[100];
	int count = test_rounds(20, 100);

	for (int k = 0; k < count; k++)
		threads[k] = test_start(ask_often, &asking);
	for (int k = 0; k < count; k++)
		test_join(threads[k]);
}

TEST(go_chan_send_barrier, of_plain_sends, 60)
{
	check_barrier(false);
}

TEST(go_chan_send_barrier, of_selects, 60)
{
	check_barrier(true);
}

/* A select has no upper limit in this library; Go's is 65,536 cases. */
TEST(go_select_cases, may_be_65536, 60)
{
	const size_t count = 65536;
	struct test_pair idle = test_pair_new(sizeof(int), 1), last = test_pair_new(sizeof(int), 1);
	duct_case *cases = calloc(count, sizeof *cases);
	int in = -1;
	size_t chosen;

	CHECK(cases != NULL);
	for (size_t i = 0; i < count; i++)
		cases[i] = (duct_case)DUCT_RECV(i % 2 ? idle.rx : NULL, &in);
	cases[count - 1].receiver = last.rx;
	CHECK_STATUS(duct_try_select(cases, count, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(cases, count, &chosen, DUCT_FAIR, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK(test_pair_is_quiet(&idle) && test_pair_is_quiet(&last));
	CHECK_STATUS(duct_try_send(last.tx, &(int){ 3 }), DUCT_OK);
	CHECK_STATUS(duct_select(cases, count, &chosen), DUCT_OK);
	CHECK(chosen == count - 1 && in == 3);
	free(cases);
	test_pair_free(&idle);
	test_pair_free(&last);
}

/* Bytes in use, 0 where the system does not tell. */
static size_t allocated(void)
{
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
	return mallinfo2().uordblks;
#else
	return 0;
#endif
}

struct idle_select {
	struct test_pair busy, idle;
	int rounds;
	size_t longest;
};

static void *idle_select_send(void *argument)
{
	struct idle_select *idle = argument;
	int unused;

	for (int i = 0; i < idle->rounds; i++) {
		duct_case cases[2] = { DUCT_SEND(idle->busy.tx, &i), DUCT_RECV(idle->idle.rx, &unused) };
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 0);
	}
	return NULL;
}

static void *idle_select_receive(void *argument)
{
	struct idle_select *idle = argument;
	int unused;

	for (int i = 0; i < idle->rounds; i++) {
		int in;
		duct_case cases[2] = { DUCT_RECV(idle->busy.rx, &in), DUCT_RECV(idle->idle.rx, &unused) };
		size_t chosen, waiting;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 0 && in == i);
		waiting = duct_channel_waiting_receivers(idle->idle.channel);
		if (waiting > idle->longest)
			idle->longest = waiting;
	}
	return NULL;
}

/* Selects with a second case that never happens leave no trace in memory or in that case's line. */
TEST(go_select_idle_case, does_not_grow, 60)
{
	struct idle_select idle = { .busy = test_pair_new(sizeof(int), 0), .idle = test_pair_new(sizeof(int), 0) };
	size_t before = 0, after;

	for (int round = 0; round < 2; round++) {
		pthread_t sender, receiver;

		idle.rounds = round == 0 ? 1000 : test_rounds(10000, 100000);
		sender = test_start(idle_select_send, &idle);
		receiver = test_start(idle_select_receive, &idle);
		test_join(sender);
		test_join(receiver);
		if (round == 0)
			before = allocated();
	}
	after = allocated();
	CHECK(after <= before + 1024);
	CHECK(idle.longest <= 1 && test_pair_is_quiet(&idle.idle));
	test_pair_free(&idle.busy);
	test_pair_free(&idle.idle);
}

/* ---- Chains ----------------------------------------------------------------------------------------------------------- */

struct link {
	struct test_pair before, after, shared;
	int number;
	pthread_t thread;
};

static void *take_in_turn(void *argument)
{
	const struct link *link = argument;
	int in;

	CHECK_STATUS(duct_recv(link->before.rx, &in), DUCT_OK);
	CHECK_STATUS(duct_recv(link->shared.rx, &in), DUCT_OK);
	CHECK(in == link->number);
	CHECK_STATUS(duct_send(link->after.tx, &in), DUCT_OK);
	return NULL;
}

/* Ten threads, each let go by the one before, receive from one rendezvous: each gets its own message. */
TEST(go_fifo, of_threads_that_take_turns, 20)
{
	enum { LINKS = 10 };
	struct test_pair turns[LINKS + 1], shared = test_pair_new(sizeof(int), 0);
	struct link links[LINKS];
	int in;

	for (int k = 0; k <= LINKS; k++)
		turns[k] = test_pair_new(sizeof(int), 0);
	for (int k = 0; k < LINKS; k++) {
		links[k] = (struct link){ turns[k], turns[k + 1], shared, k, 0 };
		links[k].thread = test_start(take_in_turn, &links[k]);
	}
	CHECK_STATUS(duct_send(turns[0].tx, &(int){ 0 }), DUCT_OK);
	for (int k = 0; k < LINKS; k++)
		CHECK_STATUS(duct_send(shared.tx, &k), DUCT_OK);
	CHECK_STATUS(duct_recv(turns[LINKS].rx, &in), DUCT_OK);
	for (int k = 0; k < LINKS; k++)
		test_join(links[k].thread);
	for (int k = 0; k <= LINKS; k++)
		test_pair_free(&turns[k]);
	test_pair_free(&shared);
}

#define CHAIN_MOST 2000

static void *pass_on(void *argument)
{
	const struct link *link = argument;
	int in;

	CHECK_STATUS(duct_recv(link->before.rx, &in), DUCT_OK);
	in++;
	CHECK_STATUS(duct_send(link->after.tx, &in), DUCT_OK);
	return NULL;
}

/* A message goes through a chain of threads, each of which adds one.  Go's are 10,000, but ours are threads of the system. */
TEST(go_goroutines, in_a_long_chain, 60)
{
	static struct test_pair pairs[CHAIN_MOST + 1];
	static struct link links[CHAIN_MOST];
	int count = test_rounds(100, TEST_THREAD_SANITIZED ? 200 : CHAIN_MOST), in;
	pthread_attr_t small;

	CHECK(pthread_attr_init(&small) == 0);
	CHECK(pthread_attr_setstacksize(&small, 256 * 1024) == 0);
	for (int k = 0; k <= count; k++)
		pairs[k] = test_pair_new(sizeof(int), 0);
	for (int k = 0; k < count; k++) {
		links[k] = (struct link){ .before = pairs[k], .after = pairs[k + 1] };
		CHECK(pthread_create(&links[k].thread, &small, pass_on, &links[k]) == 0);
	}
	CHECK_STATUS(duct_send(pairs[0].tx, &(int){ 0 }), DUCT_OK);
	CHECK_STATUS(duct_recv(pairs[count].rx, &in), DUCT_OK);
	CHECK(in == count);
	for (int k = 0; k < count; k++)
		test_join(links[k].thread);
	for (int k = 0; k <= count; k++)
		test_pair_free(&pairs[k]);
	pthread_attr_destroy(&small);
}

static void *count_up(void *argument)
{
	const struct link *link = argument;
	int number = 2;

	while (duct_send(link->after.tx, &number) == DUCT_OK)
		number++;
	return NULL;
}

/* Lets pass what its number does not divide. */
static void *sieve(void *argument)
{
	const struct link *link = argument;
	int number;

	DUCT_FOR_EACH(link->before.rx, &number) {
		if (number % link->number != 0 && duct_send(link->after.tx, &number) != DUCT_OK)
			break;
	}
	return NULL;
}

/* The sieve of primes: a thread for each prime, which passes on what its prime does not divide; in the end all are closed. */
TEST(go_sieve, of_the_first_25_primes, 60)
{
	static const int primes[] = { 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83,
		89, 97 };
	enum { PRIMES = ARRAY_LEN(primes) };
	struct test_pair pairs[PRIMES + 1];
	struct link links[PRIMES + 1];

	for (int k = 0; k <= PRIMES; k++)
		pairs[k] = test_pair_new(sizeof(int), 0);
	links[PRIMES] = (struct link){ .after = pairs[0] };
	links[PRIMES].thread = test_start(count_up, &links[PRIMES]);
	for (int k = 0; k < PRIMES; k++) {
		int prime;

		CHECK_STATUS(duct_recv(pairs[k].rx, &prime), DUCT_OK);
		CHECK(prime == primes[k]);
		links[k] = (struct link){ .before = pairs[k], .after = pairs[k + 1], .number = prime };
		links[k].thread = test_start(sieve, &links[k]);
	}
	for (int k = 0; k <= PRIMES; k++)
		duct_channel_close(pairs[k].channel, 0);
	for (int k = 0; k <= PRIMES; k++)
		test_join(links[k].thread);
	for (int k = 0; k <= PRIMES; k++)
		test_pair_free(&pairs[k]);
}

/* ---- Many workers ----------------------------------------------------------------------------------------------------- */

#define WORKERS 23

struct multi_consumer {
	struct test_pair queue, results;
	int items;
	atomic_int left;
};

static void *consume(void *argument)
{
	static const int primes[] = { 2, 3, 7, 11, 13, 17, 19, 23, 27, 31 };
	struct multi_consumer *multi = argument;
	int item;

	DUCT_FOR_EACH(multi->queue.rx, &item) {
		if (primes[item % (int)ARRAY_LEN(primes)] == item)
			sched_yield();
		CHECK_STATUS(duct_send(multi->results.tx, &item), DUCT_OK);
	}
	if (atomic_fetch_sub(&multi->left, 1) == 1)
		duct_channel_close(multi->results.channel, 0);
	return NULL;
}

static void *feed(void *argument)
{
	struct multi_consumer *multi = argument;

	for (int i = 0; i < multi->items; i++) {
		int item = i % 97;

		CHECK_STATUS(duct_send(multi->queue.tx, &item), DUCT_OK);
	}
	duct_channel_close(multi->queue.channel, 0);
	return NULL;
}

/* 23 workers between two channels; the first close ends them, the last of them closes the second: the sums match. */
TEST(go_multi_consumer, gets_every_item_once, 60)
{
	struct multi_consumer multi = { test_pair_new(sizeof(int), WORKERS * 3), test_pair_new(sizeof(int), WORKERS * 3),
		test_rounds(100000, 271828), WORKERS };
	pthread_t feeder, workers[WORKERS];
	long count = 0, sum = 0, expected = 0;
	int item;

	for (int k = 0; k < WORKERS; k++)
		workers[k] = test_start(consume, &multi);
	feeder = test_start(feed, &multi);
	DUCT_FOR_EACH(multi.results.rx, &item) {
		count++;
		sum += item;
	}
	for (int i = 0; i < multi.items; i++)
		expected += i % 97;
	CHECK(count == multi.items && sum == expected);
	test_join(feeder);
	for (int k = 0; k < WORKERS; k++)
		test_join(workers[k]);
	test_pair_free(&multi.queue);
	test_pair_free(&multi.results);
}

#define POPULAR_THREADS (TEST_THREAD_SANITIZED ? 200 : 1000)
#define POPULAR_ROUNDS 3

struct popular {
	struct test_pair shared, own[POPULAR_THREADS];
};

struct popular_thread {
	struct popular *popular;
	int number;
};

static void *select_shared_or_own(void *argument)
{
	const struct popular_thread *self = argument;
	int shared, own;

	for (int i = 0; i < POPULAR_ROUNDS; i++) {
		duct_case cases[2] = { DUCT_RECV(self->popular->shared.rx, &shared),
			DUCT_RECV(self->popular->own[self->number].rx, &own) };
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 1 && own == i);
	}
	return NULL;
}

/* 1000 threads select one shared channel or their own: each is woken by its own, and leaves the long shared line. */
TEST(go_chan_popular, with_1000_threads, 60)
{
	static struct popular popular;
	static struct popular_thread self[POPULAR_THREADS];
	static pthread_t threads[POPULAR_THREADS];
	pthread_attr_t small;

	CHECK(pthread_attr_init(&small) == 0);
	CHECK(pthread_attr_setstacksize(&small, 256 * 1024) == 0);
	popular.shared = test_pair_new(sizeof(int), 0);
	for (int k = 0; k < POPULAR_THREADS; k++) {
		popular.own[k] = test_pair_new(sizeof(int), 0);
		self[k] = (struct popular_thread){ &popular, k };
		CHECK(pthread_create(&threads[k], &small, select_shared_or_own, &self[k]) == 0);
	}
	AWAIT(duct_channel_waiting_receivers(popular.shared.channel) == POPULAR_THREADS);
	for (int i = 0; i < POPULAR_ROUNDS; i++)
		for (int k = 0; k < POPULAR_THREADS; k++)
			CHECK_STATUS(duct_send(popular.own[k].tx, &i), DUCT_OK);
	for (int k = 0; k < POPULAR_THREADS; k++)
		test_join(threads[k]);
	CHECK(test_pair_is_quiet(&popular.shared));
	test_pair_free(&popular.shared);
	for (int k = 0; k < POPULAR_THREADS; k++)
		test_pair_free(&popular.own[k]);
	pthread_attr_destroy(&small);
}
