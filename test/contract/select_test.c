/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Select: exactly one case is performed, the losers are as if they had never been there, and every way a wait can end is told
 * apart.  The first half runs in one thread and pins down each sentence of the contract; the second half lets threads sleep
 * in selects, and meets them there by the channel's own count of waiting threads.
 */
#include "harness.h"

#include <stdatomic.h>

#define NOT_CHOSEN 77
#define UNTOUCHED 0x5a5a5a5a

/* ThreadSanitizer follows at most 64 locks held at once, and a select may hold those of all its channels. */
#define MANY_CHANNELS (TEST_THREAD_SANITIZED ? 24 : 4096)

/* A thread in a select: what it was given and what came of it. */
struct selecting {
	duct_case cases[4];
	size_t count;
	unsigned flags;
	duct_time deadline;
	duct_cancel *cancel;
	size_t chosen;
	duct_status status;
	pthread_t thread;
};

static void *run_select(void *argument)
{
	struct selecting *self = argument;

	self->status = duct_select_until(self->cases, self->count, &self->chosen, self->flags, self->deadline, self->cancel);
	return NULL;
}

static void start_select(struct selecting *selecting)
{
	selecting->chosen = NOT_CHOSEN;
	selecting->thread = test_start(run_select, selecting);
}

/* Ends the select's thread; the select must have chosen this case. */
static void join_chosen(struct selecting *selecting, size_t chosen)
{
	test_join(selecting->thread);
	CHECK_STATUS(selecting->status, DUCT_OK);
	CHECK(selecting->chosen == chosen);
}

static void join_failed(struct selecting *selecting, duct_status status)
{
	test_join(selecting->thread);
	CHECK_STATUS(selecting->status, status);
	CHECK(selecting->chosen == NOT_CHOSEN);
}

static void await_receivers(const struct test_pair *pair, size_t count)
{
	AWAIT(duct_channel_waiting_receivers(pair->channel) == count);
}

static void await_senders(const struct test_pair *pair, size_t count)
{
	AWAIT(duct_channel_waiting_senders(pair->channel) == count);
}

static void put(const struct test_pair *pair, int message)
{
	CHECK_STATUS(duct_try_send(pair->tx, &message), DUCT_OK);
}

static int take(const struct test_pair *pair)
{
	int message = UNTOUCHED;

	CHECK_STATUS(duct_try_recv(pair->rx, &message), DUCT_OK);
	return message;
}

/* ---- Cases ------------------------------------------------------------------------------------------------------------ */

/* A case with both ends NULL is skipped, whatever the order asked for. */
TEST(select_null_case, is_never_chosen, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int in = 0;
	duct_case cases[3] = { { NULL, NULL, NULL, DUCT_OK }, DUCT_RECV(a.rx, &in), { NULL, NULL, &in, DUCT_OK } };
	size_t chosen;

	for (int i = 0; i < 200; i++) {
		put(&a, i);
		CHECK_STATUS(duct_select_until(cases, 3, &chosen, i % 2 ? DUCT_PRIORITY : DUCT_FAIR, 0, NULL), DUCT_OK);
		CHECK(chosen == 1 && in == i);
	}
	test_pair_free(&a);
}

/* A select that nothing could ever end says so instead of sleeping for ever. */
TEST(select_null_case, alone_ends_a_select_that_would_sleep_for_ever, 10)
{
	duct_case cases[2] = { { NULL, NULL, NULL, DUCT_OK }, { NULL, NULL, NULL, DUCT_OK } };
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_CLOSED);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(chosen == NOT_CHOSEN);
}

/* With a deadline, nothing but NULL cases is a sleep. */
TEST(select_null_case, alone_sleeps_until_the_deadline, 10)
{
	duct_case cases[1] = { { NULL, NULL, NULL, DUCT_OK } };
	duct_time deadline = duct_after_ms(20);
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, deadline, NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() >= deadline);
	CHECK(chosen == NOT_CHOSEN);
}

/* With a token, nothing but NULL cases waits for the token. */
TEST(select_null_case, alone_sleeps_until_the_token_is_raised, 10)
{
	duct_case cases[1] = { { NULL, NULL, NULL, DUCT_OK } };
	duct_cancel *cancel;
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, duct_after_ms(20)), DUCT_OK);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(duct_cancel_raised(cancel));
	CHECK(chosen == NOT_CHOSEN);
	duct_cancel_free(cancel);
}

/* A try over NULL cases finds nothing ready. */
TEST(select_null_case, alone_is_not_ready, 10)
{
	duct_case cases[1] = { { NULL, NULL, NULL, DUCT_OK } };
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_EMPTY);
	CHECK(chosen == NOT_CHOSEN);
}

/* What status an empty case has from earlier does not make it one that has ended. */
TEST(select_empty_case, has_no_end, 10)
{
	duct_case unused[1] = { { NULL, NULL, NULL, DUCT_CLOSED } };
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_try_select(unused, 1, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(unused, 1, &chosen, DUCT_FAIR, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK(chosen == NOT_CHOSEN);
}

/* No cases at all are like NULL cases only; the array may then be NULL. */
TEST(select_empty_list, behaves_like_null_cases, 10)
{
	duct_time deadline = duct_after_ms(10);
	duct_case unused[1] = { { NULL, NULL, NULL, DUCT_OK } };
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_try_select(NULL, 0, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_try_select(unused, 0, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select(NULL, 0, &chosen), DUCT_CLOSED);
	CHECK_STATUS(duct_select_until(NULL, 0, &chosen, DUCT_FAIR, deadline, NULL), DUCT_TIMEDOUT);
	CHECK(duct_now() >= deadline);
	CHECK(chosen == NOT_CHOSEN);
}

/* A channel listed five times gives each message once, into the buffer of the case that was chosen. */
TEST(select_duplicates, take_each_message_once, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 10);
	int in[5];
	duct_case cases[5];
	size_t chosen;

	for (int k = 0; k < 5; k++)
		cases[k] = (duct_case)DUCT_RECV(a.rx, &in[k]);
	for (int i = 0; i < 10; i++)
		put(&a, i);
	for (int i = 0; i < 10; i++) {
		for (int k = 0; k < 5; k++)
			in[k] = UNTOUCHED;
		CHECK_STATUS(duct_select(cases, 5, &chosen), DUCT_OK);
		CHECK(chosen < 5 && in[chosen] == i);
		for (size_t k = 0; k < 5; k++)
			CHECK(k == chosen || in[k] == UNTOUCHED);
	}
	CHECK_STATUS(duct_try_select(cases, 5, &chosen), DUCT_EMPTY);
	test_pair_free(&a);
}

/* A thread asleep twice on one channel takes one message; the next stays for others. */
TEST(select_duplicates, asleep_take_one_message, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 2);
	int in[2] = { UNTOUCHED, UNTOUCHED };
	struct selecting s = {
		.cases = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(a.rx, &in[1]) }, .count = 2, .deadline = DUCT_FOREVER
	};

	start_select(&s);
	AWAIT(duct_channel_waiting_receivers(a.channel) > 0);
	put(&a, 1);
	put(&a, 2);
	test_join(s.thread);
	CHECK_STATUS(s.status, DUCT_OK);
	CHECK(s.chosen < 2 && in[s.chosen] == 1 && in[1 - s.chosen] == UNTOUCHED);
	CHECK(test_pair_is_quiet(&a));
	CHECK(take(&a) == 2);
	test_pair_free(&a);
}

/* Asleep twice as a sender, a thread sends one of the two messages. */
TEST(select_duplicates, asleep_send_one_message, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int out[2] = { 10, 11 };
	struct selecting s = {
		.cases = { DUCT_SEND(a.tx, &out[0]), DUCT_SEND(a.tx, &out[1]) }, .count = 2, .deadline = DUCT_FOREVER
	};
	int in = UNTOUCHED, more = UNTOUCHED;

	start_select(&s);
	AWAIT(duct_channel_waiting_senders(a.channel) > 0);
	CHECK_STATUS(duct_recv(a.rx, &in), DUCT_OK);
	test_join(s.thread);
	CHECK_STATUS(s.status, DUCT_OK);
	CHECK(s.chosen < 2 && in == out[s.chosen]);
	CHECK_STATUS(duct_try_recv(a.rx, &more), DUCT_EMPTY);
	CHECK(more == UNTOUCHED && test_pair_is_quiet(&a));
	test_pair_free(&a);
}

/* Alone on a rendezvous channel, a select that both sends and receives does not meet itself. */
TEST(select_both_directions, at_capacity_0_never_meets_itself, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int out = 1, in = UNTOUCHED;
	duct_case cases[2] = { DUCT_SEND(a.tx, &out), DUCT_RECV(a.rx, &in) };
	size_t chosen = NOT_CHOSEN;

	for (int i = 0; i < 100; i++)
		CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, duct_after_ms(20), NULL), DUCT_TIMEDOUT);
	CHECK(chosen == NOT_CHOSEN && in == UNTOUCHED && test_pair_is_quiet(&a));
	test_pair_free(&a);
}

/* Asleep in both directions on a rendezvous channel, it meets another thread in either. */
TEST(select_both_directions, at_capacity_0_meets_a_sender_or_a_receiver, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int out = 1, in = UNTOUCHED, mine = UNTOUCHED;
	struct selecting s = { .cases = { DUCT_SEND(a.tx, &out), DUCT_RECV(a.rx, &in) }, .count = 2, .deadline = DUCT_FOREVER };

	start_select(&s);
	await_receivers(&a, 1);
	CHECK_STATUS(duct_try_send(a.tx, &(int){ 2 }), DUCT_OK);
	join_chosen(&s, 1);
	CHECK(in == 2 && test_pair_is_quiet(&a));

	start_select(&s);
	await_senders(&a, 1);
	CHECK_STATUS(duct_try_recv(a.rx, &mine), DUCT_OK);
	join_chosen(&s, 0);
	CHECK(mine == 1 && in == 2 && test_pair_is_quiet(&a));
	test_pair_free(&a);
}

/* Alone on a buffered channel, send and receive are chosen as the buffer allows; each call does one of them. */
TEST(select_both_directions, at_capacity_10_moves_the_length_by_one, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 10);
	int out = 0, next = 0, in;
	duct_case cases[2] = { DUCT_SEND(a.tx, &out), DUCT_RECV(a.rx, &in) };
	size_t chosen, len = 0;

	for (int i = 0; i < 1000; i++) {
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		if (chosen == 0) {
			len++;
			out++;
		} else {
			CHECK(in == next++);
			len--;
		}
		CHECK(duct_channel_len(a.channel) == len);
	}
	test_pair_free(&a);
}

/* A select of one case is a plain call. */
TEST(select_one_case, is_a_plain_call, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int out = 5, in = UNTOUCHED;
	duct_case send[1] = { DUCT_SEND(a.tx, &out) }, recv[1] = { DUCT_RECV(a.rx, &in) };
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_try_select(recv, 1, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select(send, 1, &chosen), DUCT_OK);
	CHECK(chosen == 0);
	CHECK_STATUS(duct_try_select(send, 1, &chosen), DUCT_EMPTY);
	chosen = NOT_CHOSEN;
	CHECK_STATUS(duct_select(recv, 1, &chosen), DUCT_OK);
	CHECK(chosen == 0 && in == 5);
	test_pair_free(&a);
}

/* A message of no bytes needs no buffer. */
TEST(select_empty_message, needs_no_buffer, 10)
{
	struct test_pair a = test_pair_new(0, 3);
	duct_case cases[2] = { DUCT_SEND(a.tx, NULL), DUCT_RECV(a.rx, NULL) };
	size_t chosen;

	for (int i = 0; i < 3; i++) {
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
		CHECK(chosen == 0);
	}
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
	CHECK(chosen == 1 && duct_channel_len(a.channel) == 2);
	test_pair_free(&a);
}

/* Three cases with a buffer each: a message goes into the buffer of its own case, chosen at once or asleep. */
TEST(select_buffers, receive_the_message_of_their_own_case, 10)
{
	struct test_pair p[3];
	int in[3];
	struct selecting s = { .count = 3, .deadline = DUCT_FOREVER };

	for (int k = 0; k < 3; k++) {
		p[k] = test_pair_new(sizeof(int), (size_t)k);
		s.cases[k] = (duct_case)DUCT_RECV(p[k].rx, &in[k]);
	}
	for (size_t k = 0; k < 3; k++) {
		in[0] = in[1] = in[2] = UNTOUCHED;
		start_select(&s);
		for (int j = 0; j < 3; j++)
			await_receivers(&p[j], 1);
		put(&p[k], (int)k + 100);
		join_chosen(&s, k);
		for (size_t j = 0; j < 3; j++)
			CHECK(in[j] == (j == k ? (int)k + 100 : UNTOUCHED) && test_pair_is_quiet(&p[j]));
	}
	for (size_t k = 1; k < 3; k++) {
		in[0] = in[1] = in[2] = UNTOUCHED;
		put(&p[k], (int)k + 200);
		CHECK_STATUS(duct_try_select(s.cases, 3, &s.chosen), DUCT_OK);
		CHECK(s.chosen == k);
		for (size_t j = 0; j < 3; j++)
			CHECK(in[j] == (j == k ? (int)k + 200 : UNTOUCHED));
	}
	for (int k = 0; k < 3; k++)
		test_pair_free(&p[k]);
}

/* A case that lost leaves no trace: no message, no changed buffer or status, no sleeper, whichever case won. */
TEST(select_losers, are_as_they_were, 10)
{
	struct test_pair full = test_pair_new(sizeof(int), 1), empty = test_pair_new(sizeof(int), 1);
	struct test_pair meet = test_pair_new(sizeof(int), 0), win = test_pair_new(sizeof(int), 1);
	int out = 7, in[2] = { UNTOUCHED, UNTOUCHED };
	struct selecting s = { .cases = { DUCT_SEND(full.tx, &out), DUCT_RECV(empty.rx, &in[0]), DUCT_SEND(meet.tx, &out),
				   DUCT_RECV(win.rx, &in[1]) },
		.count = 4,
		.deadline = DUCT_FOREVER };

	put(&full, 1);
	start_select(&s);
	await_senders(&full, 1);
	await_receivers(&empty, 1);
	await_senders(&meet, 1);
	await_receivers(&win, 1);
	put(&win, 9);
	join_chosen(&s, 3);
	CHECK(in[1] == 9 && in[0] == UNTOUCHED && out == 7);
	for (int k = 0; k < 4; k++)
		CHECK_STATUS(s.cases[k].status, DUCT_OK);
	CHECK(test_pair_is_quiet(&full) && test_pair_is_quiet(&empty) && test_pair_is_quiet(&meet) && test_pair_is_quiet(&win));
	CHECK(duct_channel_len(full.channel) == 1 && duct_channel_len(empty.channel) == 0);
	CHECK(take(&full) == 1);
	CHECK_STATUS(duct_try_recv(full.rx, &in[0]), DUCT_EMPTY);
	CHECK_STATUS(duct_try_recv(meet.rx, &in[0]), DUCT_EMPTY);
	put(&empty, 3);
	CHECK(take(&empty) == 3);
	test_pair_free(&full);
	test_pair_free(&empty);
	test_pair_free(&meet);
	test_pair_free(&win);
}

/* ---- How many --------------------------------------------------------------------------------------------------------- */

struct wide {
	size_t count;
	struct test_pair *pairs;
	duct_case *cases;
	int *in;
	size_t chosen;
	duct_status status;
};

static struct wide wide_new(size_t count)
{
	struct wide wide = { count, calloc(count, sizeof *wide.pairs), calloc(count, sizeof *wide.cases),
		calloc(count, sizeof *wide.in), NOT_CHOSEN, DUCT_OK };

	CHECK(wide.pairs != NULL && wide.cases != NULL && wide.in != NULL);
	for (size_t i = 0; i < count; i++) {
		wide.pairs[i] = test_pair_new(sizeof(int), 1);
		wide.cases[i] = (duct_case)DUCT_RECV(wide.pairs[i].rx, &wide.in[i]);
	}
	return wide;
}

static void wide_free(struct wide *wide)
{
	for (size_t i = 0; i < wide->count; i++)
		test_pair_free(&wide->pairs[i]);
	free(wide->pairs);
	free(wide->cases);
	free(wide->in);
}

static void *run_wide(void *argument)
{
	struct wide *wide = argument;

	wide->status = duct_select(wide->cases, wide->count, &wide->chosen);
	return NULL;
}

/* Of so many cases the one that is ready is found, and the one that becomes ready wakes the sleeper. */
static void check_wide(size_t count)
{
	struct wide wide = wide_new(count);
	const size_t ready[3] = { 0, count / 2, count - 1 };

	CHECK_STATUS(duct_try_select(wide.cases, count, &wide.chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(wide.cases, count, &wide.chosen, DUCT_FAIR, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK(wide.chosen == NOT_CHOSEN);
	for (int k = 0; k < 3; k++) {
		pthread_t thread;

		put(&wide.pairs[ready[k]], k + 1);
		CHECK_STATUS(duct_select(wide.cases, count, &wide.chosen), DUCT_OK);
		CHECK(wide.chosen == ready[k] && wide.in[ready[k]] == k + 1);

		thread = test_start(run_wide, &wide);
		for (size_t i = 0; i < count; i++)
			await_receivers(&wide.pairs[i], 1);
		put(&wide.pairs[ready[k]], k + 10);
		test_join(thread);
		CHECK_STATUS(wide.status, DUCT_OK);
		CHECK(wide.chosen == ready[k] && wide.in[ready[k]] == k + 10);
		for (size_t i = 0; i < count; i++)
			CHECK(test_pair_is_quiet(&wide.pairs[i]) && duct_channel_len(wide.pairs[i].channel) == 0);
	}
	wide_free(&wide);
}

TEST(select_count, of_1_case, 10)
{
	check_wide(1);
}

TEST(select_count, of_2_cases, 10)
{
	check_wide(2);
}

/* The most that needs no memory. */
TEST(select_count, of_16_cases, 10)
{
	check_wide(16);
}

TEST(select_count, of_17_cases, 10)
{
	check_wide(17);
}

/* The most that find room on the stack, if there is no token. */
TEST(select_count, of_20_cases, 10)
{
	check_wide(20);
}

TEST(select_count, of_1000_cases, 20)
{
	check_wide(MANY_CHANNELS < 1000 ? MANY_CHANNELS : 1000);
}

TEST(select_count, of_4096_cases, 20)
{
	check_wide(MANY_CHANNELS);
}

/* One array serves again and again, ready or asleep, and each time gets one message. */
TEST(select_reuse, of_one_array_10000_times, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 3);
	int in[2] = { UNTOUCHED, UNTOUCHED }, out = 0;
	duct_case cases[4] = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]), DUCT_SEND(a.tx, &out), DUCT_SEND(b.tx, &out) };
	size_t chosen, moved[4] = { 0 };

	for (int i = 0; i < 10000; i++) {
		CHECK_STATUS(duct_select(cases, 4, &chosen), DUCT_OK);
		CHECK(chosen < 4);
		CHECK_STATUS(cases[chosen].status, DUCT_OK);
		moved[chosen]++;
		out++;
	}
	CHECK(moved[2] - moved[0] == duct_channel_len(a.channel));
	CHECK(moved[3] - moved[1] == duct_channel_len(b.channel));
	for (int i = 0; i < 4; i++)
		CHECK(moved[i] > 0);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* ---- Without waiting -------------------------------------------------------------------------------------------------- */

/* A try performs a case that is ready. */
TEST(try_select, ready_performs_it, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int out = 3, in = UNTOUCHED;
	duct_case send[1] = { DUCT_SEND(a.tx, &out) }, recv[1] = { DUCT_RECV(a.rx, &in) };
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_try_select(send, 1, &chosen), DUCT_OK);
	CHECK(chosen == 0 && duct_channel_len(a.channel) == 1);
	chosen = NOT_CHOSEN;
	CHECK_STATUS(duct_try_select(recv, 1, &chosen), DUCT_OK);
	CHECK(chosen == 0 && in == 3 && duct_channel_len(a.channel) == 0);
	test_pair_free(&a);
}

/* A try with nothing ready changes nothing. */
TEST(try_select, not_ready_changes_nothing, 10)
{
	struct test_pair full = test_pair_new(sizeof(int), 1), empty = test_pair_new(sizeof(int), 1);
	struct test_pair meet = test_pair_new(sizeof(int), 0);
	int out = 3, in = UNTOUCHED;
	duct_case cases[4] = { DUCT_SEND(full.tx, &out), DUCT_RECV(empty.rx, &in), DUCT_SEND(meet.tx, &out),
		DUCT_RECV(meet.rx, &in) };
	size_t chosen = NOT_CHOSEN;

	put(&full, 1);
	CHECK_STATUS(duct_try_select(cases, 4, &chosen), DUCT_EMPTY);
	CHECK(chosen == NOT_CHOSEN && in == UNTOUCHED && out == 3);
	for (int k = 0; k < 4; k++)
		CHECK_STATUS(cases[k].status, DUCT_OK);
	CHECK(take(&full) == 1 && duct_channel_len(empty.channel) == 0);
	CHECK(test_pair_is_quiet(&full) && test_pair_is_quiet(&empty) && test_pair_is_quiet(&meet));
	test_pair_free(&full);
	test_pair_free(&empty);
	test_pair_free(&meet);
}

/* A closed case counts as ready: its status tells. */
TEST(try_select, closed_is_ready, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int out = 3, in = UNTOUCHED;
	duct_case cases[2] = { DUCT_SEND(a.tx, &out), DUCT_RECV(a.rx, &in) };
	size_t chosen = NOT_CHOSEN, other = NOT_CHOSEN;

	duct_channel_close(a.channel, 0);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen < 2);
	CHECK_STATUS(cases[chosen].status, DUCT_CLOSED);
	CHECK_STATUS(duct_try_select(cases, 2, &other), DUCT_OK);
	CHECK(other == 1 - chosen);
	CHECK_STATUS(cases[other].status, DUCT_CLOSED);
	CHECK_STATUS(duct_try_select(cases, 2, &other), DUCT_CLOSED);
	CHECK(in == UNTOUCHED);
	test_pair_free(&a);
}

/* At capacity 0 a try meets a thread asleep in a plain call. */
TEST(try_select, at_capacity_0_meets_who_sleeps, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int out = 3, in = UNTOUCHED, got = UNTOUCHED, give = 4;
	struct selecting recv = { .cases = { DUCT_RECV(a.rx, &got) }, .count = 1, .deadline = DUCT_FOREVER };
	struct selecting send = { .cases = { DUCT_SEND(a.tx, &give) }, .count = 1, .deadline = DUCT_FOREVER };
	duct_case cases[2] = { DUCT_SEND(a.tx, &out), DUCT_RECV(a.rx, &in) };
	size_t chosen = NOT_CHOSEN;

	start_select(&recv);
	await_receivers(&a, 1);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0);
	join_chosen(&recv, 0);
	CHECK(got == 3);

	start_select(&send);
	await_senders(&a, 1);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && in == 4);
	join_chosen(&send, 0);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	test_pair_free(&a);
}

/* ---- Deadlines -------------------------------------------------------------------------------------------------------- */

/* A ready case beats a deadline that has passed. */
TEST(select_deadline, passed_does_not_stop_a_ready_case, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int in = UNTOUCHED;
	duct_case cases[1] = { DUCT_RECV(a.rx, &in) };
	size_t chosen = NOT_CHOSEN;

	put(&a, 1);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, 0, NULL), DUCT_OK);
	CHECK(chosen == 0 && in == 1);
	put(&a, 2);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, duct_now() - 1, NULL), DUCT_OK);
	CHECK(in == 2);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, 1, NULL), DUCT_TIMEDOUT);
	test_pair_free(&a);
}

/* A select that times out does so no sooner than asked, and leaves nothing on any of its channels. */
TEST(select_deadline, leaves_nothing_behind, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0), b = test_pair_new(sizeof(int), 1);
	int out = 3, in[2] = { UNTOUCHED, UNTOUCHED };
	duct_case cases[4] = { DUCT_SEND(a.tx, &out), DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]),
		{ NULL, NULL, NULL, DUCT_OK } };
	size_t chosen = NOT_CHOSEN;

	for (int i = 0; i < 5; i++) {
		duct_time deadline = duct_after_ms(5);

		CHECK_STATUS(duct_select_until(cases, 4, &chosen, DUCT_FAIR, deadline, NULL), DUCT_TIMEDOUT);
		CHECK(duct_now() >= deadline);
		CHECK(chosen == NOT_CHOSEN && in[0] == UNTOUCHED && in[1] == UNTOUCHED);
		CHECK(test_pair_is_quiet(&a) && test_pair_is_quiet(&b));
		for (int k = 0; k < 4; k++)
			CHECK_STATUS(cases[k].status, DUCT_OK);
	}
	put(&b, 1);
	CHECK(take(&b) == 1);
	CHECK_STATUS(duct_try_recv(a.rx, &in[0]), DUCT_EMPTY);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* A deadline far away does not end a wait that a message ends. */
TEST(select_deadline, far_away_lets_a_message_through, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int in = UNTOUCHED;
	struct selecting s = { .cases = { DUCT_RECV(a.rx, &in) }, .count = 1, .deadline = DUCT_FOREVER - 1 };

	start_select(&s);
	await_receivers(&a, 1);
	put(&a, 5);
	join_chosen(&s, 0);
	CHECK(in == 5);
	test_pair_free(&a);
}

/* ---- Cancel ----------------------------------------------------------------------------------------------------------- */

/* A token raised before stops even a select with a ready case, and nothing moves. */
TEST(select_cancel, raised_before_performs_nothing, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 2);
	int in = UNTOUCHED, out = 2;
	duct_case cases[2] = { DUCT_RECV(a.rx, &in), DUCT_SEND(a.tx, &out) };
	duct_cancel *cancel;
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	put(&a, 1);
	duct_cancel_raise(cancel);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, 0, cancel), DUCT_CANCELED);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(chosen == NOT_CHOSEN && in == UNTOUCHED && duct_channel_len(a.channel) == 1 && test_pair_is_quiet(&a));
	duct_cancel_free(cancel);
	test_pair_free(&a);
}

/* A token raised during the sleep ends it, and nothing is left on the channels. */
TEST(select_cancel, raised_during_leaves_nothing_behind, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0), b = test_pair_new(sizeof(int), 1);
	int in[2] = { UNTOUCHED, UNTOUCHED }, out = 1;
	duct_cancel *cancel;
	struct selecting s = { .cases = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]), DUCT_SEND(a.tx, &out) },
		.count = 3,
		.deadline = DUCT_FOREVER };

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	s.cancel = cancel;
	start_select(&s);
	await_receivers(&a, 1);
	await_receivers(&b, 1);
	await_senders(&a, 1);
	duct_cancel_raise(cancel);
	join_failed(&s, DUCT_CANCELED);
	CHECK(in[0] == UNTOUCHED && in[1] == UNTOUCHED && test_pair_is_quiet(&a) && test_pair_is_quiet(&b));
	put(&b, 4);
	CHECK(take(&b) == 4);
	duct_cancel_free(cancel);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* One token ends every select that it was given to. */
TEST(select_cancel, ends_many_selects, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int in[8];
	struct selecting s[8];
	duct_cancel *cancel;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	for (int k = 0; k < 8; k++) {
		s[k] = (struct selecting){
			.cases = { DUCT_RECV(a.rx, &in[k]) }, .count = 1, .deadline = DUCT_FOREVER, .cancel = cancel
		};
		start_select(&s[k]);
	}
	await_receivers(&a, 8);
	duct_cancel_raise(cancel);
	for (int k = 0; k < 8; k++)
		join_failed(&s[k], DUCT_CANCELED);
	CHECK(test_pair_is_quiet(&a));
	duct_cancel_free(cancel);
	test_pair_free(&a);
}

/* The parent of a token, and its own deadline, raise it too. */
TEST(select_cancel, by_parent_and_by_deadline, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int in = UNTOUCHED;
	duct_cancel *parent, *child, *timed;
	struct selecting s = { .cases = { DUCT_RECV(a.rx, &in) }, .count = 1, .deadline = DUCT_FOREVER };
	duct_time deadline = duct_after_ms(10);

	CHECK_STATUS(duct_cancel_new(&parent, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&child, parent, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&timed, NULL, deadline), DUCT_OK);
	s.cancel = child;
	start_select(&s);
	await_receivers(&a, 1);
	duct_cancel_raise(parent);
	join_failed(&s, DUCT_CANCELED);

	s.cancel = timed;
	start_select(&s);
	join_failed(&s, DUCT_CANCELED);
	CHECK(duct_now() >= deadline);
	CHECK(test_pair_is_quiet(&a));
	duct_cancel_free(parent);
	duct_cancel_free(child);
	duct_cancel_free(timed);
	test_pair_free(&a);
}

/* ---- Order ------------------------------------------------------------------------------------------------------------ */

/* With DUCT_PRIORITY the first ready case in the array wins, always. */
TEST(select_order, priority_takes_the_first_ready, 10)
{
	struct test_pair p[3];
	int in[3];
	duct_case cases[3];
	size_t chosen;

	for (int k = 0; k < 3; k++) {
		p[k] = test_pair_new(sizeof(int), 200);
		cases[k] = (duct_case)DUCT_RECV(p[k].rx, &in[k]);
	}
	for (int i = 0; i < 200; i++) {
		put(&p[1], i);
		put(&p[2], i);
	}
	for (size_t k = 1; k < 3; k++)
		for (int i = 0; i < 200; i++) {
			CHECK_STATUS(duct_select_until(cases, 3, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
			CHECK(chosen == k && in[k] == i);
		}
	for (int k = 0; k < 3; k++)
		test_pair_free(&p[k]);
}

/* A closed case in front wins as a message would; behind a ready one it has to wait its turn. */
TEST(select_order, priority_counts_a_closed_case_as_ready, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in[2];
	duct_case ahead[2] = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]) };
	duct_case behind[2] = { DUCT_RECV(b.rx, &in[1]), DUCT_RECV(a.rx, &in[0]) };
	size_t chosen;

	duct_channel_close(a.channel, 0);
	put(&b, 1);
	CHECK_STATUS(duct_select_until(ahead, 2, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
	CHECK(chosen == 0);
	CHECK_STATUS(ahead[0].status, DUCT_CLOSED);
	CHECK_STATUS(duct_select_until(behind, 2, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
	CHECK(chosen == 0 && in[1] == 1);
	CHECK_STATUS(behind[1].status, DUCT_OK);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* In fair order no case of ten that are always ready gets less than half of its share. */
TEST(select_order, fair_serves_all_of_ten, 10)
{
	struct test_pair p[10];
	int in;
	duct_case cases[10];
	size_t chosen, hits[2][10] = { 0 };

	for (int k = 0; k < 10; k++) {
		p[k] = test_pair_new(sizeof(int), 1);
		cases[k] = (duct_case)DUCT_RECV(p[k].rx, &in);
		put(&p[k], k);
	}
	for (int i = 0; i < 20000; i++) {
		if (i % 2 == 0)
			CHECK_STATUS(duct_select(cases, 10, &chosen), DUCT_OK);
		else
			CHECK_STATUS(duct_select_until(cases, 10, &chosen, DUCT_FAIR, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(in == (int)chosen);
		hits[i % 2][chosen]++;
		put(&p[chosen], in);
	}
	for (int k = 0; k < 10; k++) {
		CHECK(hits[0][k] >= 500 && hits[1][k] >= 500);
		test_pair_free(&p[k]);
	}
}

/* ---- Ready ------------------------------------------------------------------------------------------------------------ */

/* DUCT_READY tells the case and takes nothing: again and again, until somebody takes it. */
TEST(select_ready, tells_the_case_and_takes_nothing, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in[2] = { UNTOUCHED, UNTOUCHED }, out = 3;
	duct_case cases[2] = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]) };
	duct_case send[1] = { DUCT_SEND(a.tx, &out) };
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, 0, NULL), DUCT_TIMEDOUT);
	CHECK(chosen == NOT_CHOSEN);
	put(&b, 8);
	for (int i = 0; i < 10; i++) {
		chosen = NOT_CHOSEN;
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(chosen == 1 && in[1] == UNTOUCHED && duct_channel_len(b.channel) == 1);
		CHECK_STATUS(cases[1].status, DUCT_OK);
	}
	CHECK(take(&b) == 8);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_select_until(send, 1, &chosen, DUCT_READY, 0, NULL), DUCT_OK);
	CHECK(chosen == 0 && duct_channel_len(a.channel) == 0);
	put(&a, 1);
	CHECK_STATUS(duct_select_until(send, 1, &chosen, DUCT_READY, 0, NULL), DUCT_TIMEDOUT);
	CHECK(duct_channel_len(a.channel) == 1);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* Together with DUCT_PRIORITY it tells the first that is ready. */
TEST(select_ready, with_priority_tells_the_first, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in[2];
	duct_case cases[2] = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]) };
	size_t chosen;

	put(&a, 1);
	put(&b, 1);
	for (int i = 0; i < 100; i++) {
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY | DUCT_PRIORITY, 0, NULL), DUCT_OK);
		CHECK(chosen == 0);
	}
	test_pair_free(&a);
	test_pair_free(&b);
}

/* A select that takes nothing needs no place to put it: with DUCT_READY a NULL message is no mistake, and beside it is. */
TEST(select_ready, needs_no_buffer, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	duct_case cases[] = { DUCT_RECV(a.rx, NULL), DUCT_SEND(a.tx, NULL) };
	size_t chosen = NOT_CHOSEN;
	int in = UNTOUCHED;

	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, 0, NULL), DUCT_OK);
	CHECK(chosen == 1);
	put(&a, 7);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, 0, NULL), DUCT_OK);
	CHECK(chosen == 0 && duct_channel_len(a.channel) == 1);
	chosen = NOT_CHOSEN;
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, 0, NULL), DUCT_INVALID);
	CHECK(chosen == NOT_CHOSEN);
	CHECK_STATUS(duct_try_recv(a.rx, &in), DUCT_OK);
	CHECK(in == 7);
	test_pair_free(&a);
}

/* A message wakes who sleeps for readiness, and stays. */
TEST(select_ready, asleep_is_woken_by_a_message, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in[2] = { UNTOUCHED, UNTOUCHED };
	struct selecting s = { .cases = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]) },
		.count = 2,
		.flags = DUCT_READY,
		.deadline = DUCT_FOREVER };

	start_select(&s);
	await_receivers(&a, 1);
	await_receivers(&b, 1);
	put(&a, 6);
	join_chosen(&s, 0);
	CHECK(in[0] == UNTOUCHED && test_pair_is_quiet(&a) && test_pair_is_quiet(&b));
	CHECK(take(&a) == 6);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* Room wakes who sleeps until a send is ready, and stays free. */
TEST(select_ready, asleep_is_woken_by_room, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int out = 2;
	struct selecting s = { .cases = { DUCT_SEND(a.tx, &out) }, .count = 1, .flags = DUCT_READY, .deadline = DUCT_FOREVER };

	put(&a, 1);
	start_select(&s);
	await_senders(&a, 1);
	CHECK(take(&a) == 1);
	join_chosen(&s, 0);
	CHECK(duct_channel_len(a.channel) == 0 && test_pair_is_quiet(&a));
	test_pair_free(&a);
}

/* The close of a channel wakes who sleeps for readiness: the case would not wait now. */
TEST(select_ready, asleep_is_woken_by_close, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in[2];
	struct selecting s = { .cases = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]) },
		.count = 2,
		.flags = DUCT_READY,
		.deadline = DUCT_FOREVER };

	start_select(&s);
	await_receivers(&a, 1);
	await_receivers(&b, 1);
	duct_channel_close(b.channel, 0);
	join_chosen(&s, 1);
	CHECK(test_pair_is_quiet(&a) && test_pair_is_quiet(&b));
	test_pair_free(&a);
	test_pair_free(&b);
}

/* So does the close of the end that the case names. */
TEST(select_ready, asleep_is_woken_by_the_close_of_its_end, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int in, out = 1;
	struct selecting r = { .cases = { DUCT_RECV(a.rx, &in) }, .count = 1, .flags = DUCT_READY, .deadline = DUCT_FOREVER };
	struct selecting s = { .cases = { DUCT_SEND(a.tx, &out) }, .count = 1, .flags = DUCT_READY, .deadline = DUCT_FOREVER };
	duct_receiver *keep;

	CHECK_STATUS(duct_receiver_new(a.channel, &keep), DUCT_OK);
	start_select(&r);
	await_receivers(&a, 1);
	duct_receiver_close(a.rx);
	join_chosen(&r, 0);
	start_select(&s);
	await_senders(&a, 1);
	duct_sender_close(a.tx);
	join_chosen(&s, 0);
	CHECK(test_pair_is_quiet(&a));
	duct_receiver_free(keep);
	test_pair_free(&a);
}

/* Two sleep for readiness, one message comes: as long as it lies there neither sleeps. */
TEST(select_ready, two_observers_do_not_sleep_beside_a_message, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 4);
	int in[2];
	struct selecting s[2];

	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 2; k++) {
			s[k] = (struct selecting){
				.cases = { DUCT_RECV(a.rx, &in[k]) }, .count = 1, .flags = DUCT_READY, .deadline = DUCT_FOREVER
			};
			start_select(&s[k]);
		}
		await_receivers(&a, 2);
		put(&a, i);
		join_chosen(&s[0], 0);
		join_chosen(&s[1], 0);
		CHECK(take(&a) == i && test_pair_is_quiet(&a));
	}
	test_pair_free(&a);
}

/* An observer ahead in line does not keep the message from a receiver behind it. */
TEST(select_ready, observer_does_not_keep_a_message_from_a_receiver, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int in[2] = { UNTOUCHED, UNTOUCHED };
	struct selecting observer = {
		.cases = { DUCT_RECV(a.rx, &in[0]) }, .count = 1, .flags = DUCT_READY, .deadline = DUCT_FOREVER
	};
	struct selecting taker = { .cases = { DUCT_RECV(a.rx, &in[1]) }, .count = 1, .deadline = DUCT_FOREVER };

	for (int i = 0; i < 50; i++) {
		start_select(&observer);
		await_receivers(&a, 1);
		start_select(&taker);
		await_receivers(&a, 2);
		put(&a, i);
		join_chosen(&taker, 0);
		CHECK(in[1] == i && duct_channel_len(a.channel) == 0);
		put(&a, i);
		join_chosen(&observer, 0);
		CHECK(take(&a) == i && in[0] == UNTOUCHED && test_pair_is_quiet(&a));
	}
	test_pair_free(&a);
}

/* At capacity 0 a thread asleep in a call makes the other direction ready, and stays asleep. */
TEST(select_ready, at_capacity_0_sees_a_waiting_partner, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int out = 4, in = UNTOUCHED;
	struct selecting sender = { .cases = { DUCT_SEND(a.tx, &out) }, .count = 1, .deadline = DUCT_FOREVER };
	struct selecting observer = {
		.cases = { DUCT_RECV(a.rx, &in) }, .count = 1, .flags = DUCT_READY, .deadline = DUCT_FOREVER
	};

	start_select(&observer);
	await_receivers(&a, 1);
	start_select(&sender);
	join_chosen(&observer, 0);
	await_senders(&a, 1);
	CHECK(in == UNTOUCHED);
	start_select(&observer);
	join_chosen(&observer, 0);
	CHECK(take(&a) == 4);
	join_chosen(&sender, 0);
	test_pair_free(&a);
}

/* Two observers asleep in opposite directions at capacity 0 are not partners: an observer never performs anything. */
TEST(select_ready, observers_are_no_partners, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int out = 4, in = UNTOUCHED;
	struct selecting r = { .cases = { DUCT_RECV(a.rx, &in) }, .count = 1, .flags = DUCT_READY, .deadline = DUCT_FOREVER };
	struct selecting s = { .cases = { DUCT_SEND(a.tx, &out) }, .count = 1, .flags = DUCT_READY, .deadline = DUCT_FOREVER };

	start_select(&r);
	await_receivers(&a, 1);
	start_select(&s);
	await_senders(&a, 1);
	CHECK_STATUS(duct_try_recv(a.rx, &in), DUCT_EMPTY);
	CHECK_STATUS(duct_try_send(a.tx, &out), DUCT_FULL);
	duct_channel_close(a.channel, 0);
	join_chosen(&r, 0);
	join_chosen(&s, 0);
	CHECK(in == UNTOUCHED);
	test_pair_free(&a);
}

/* ---- Ended cases ------------------------------------------------------------------------------------------------------ */

/* A closed case is told once; the others go on; when all have ended the select says so. */
TEST(select_closed, is_told_once_and_then_left_out, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in[2] = { UNTOUCHED, UNTOUCHED };
	duct_case cases[2] = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]) };
	size_t chosen = NOT_CHOSEN;

	duct_channel_close(a.channel, 0);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0 && in[0] == UNTOUCHED);
	CHECK_STATUS(cases[0].status, DUCT_CLOSED);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	put(&b, 1);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 1 && in[1] == 1);
	duct_channel_close(b.channel, 0);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1);
	CHECK_STATUS(cases[1].status, DUCT_CLOSED);
	chosen = NOT_CHOSEN;
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_CLOSED);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_CLOSED);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, DUCT_FOREVER - 1, NULL), DUCT_CLOSED);
	CHECK(chosen == NOT_CHOSEN);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* A case set back to DUCT_OK takes part again: it is told again, and the case of a revived channel works again. */
TEST(select_closed, set_back_takes_part_again, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in = UNTOUCHED, out = 2;
	duct_case recv[1] = { DUCT_RECV(a.rx, &in) }, send[1] = { DUCT_SEND(b.tx, &out) };
	size_t chosen;

	duct_channel_close(a.channel, 0);
	for (int i = 0; i < 3; i++) {
		chosen = NOT_CHOSEN;
		CHECK_STATUS(duct_select(recv, 1, &chosen), DUCT_OK);
		CHECK(chosen == 0);
		CHECK_STATUS(recv[0].status, DUCT_CLOSED);
		CHECK_STATUS(duct_select(recv, 1, &chosen), DUCT_CLOSED);
		recv[0].status = DUCT_OK;
	}

	duct_receiver_free(b.rx);
	CHECK_STATUS(duct_select(send, 1, &chosen), DUCT_OK);
	CHECK_STATUS(send[0].status, DUCT_NO_RECEIVERS);
	CHECK_STATUS(duct_receiver_new(b.channel, &b.rx), DUCT_OK);
	CHECK_STATUS(duct_select(send, 1, &chosen), DUCT_CLOSED);
	send[0].status = DUCT_OK;
	CHECK_STATUS(duct_select(send, 1, &chosen), DUCT_OK);
	CHECK_STATUS(send[0].status, DUCT_OK);
	CHECK(take(&b) == 2);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* What was queued before the close comes first, each message once, then the end. */
TEST(select_closed, comes_after_the_queued_messages, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 4);
	int in = UNTOUCHED;
	duct_case cases[2] = { DUCT_RECV(a.rx, &in), { NULL, NULL, NULL, DUCT_OK } };
	size_t chosen;

	for (int i = 0; i < 4; i++)
		put(&a, i);
	duct_channel_close(a.channel, 0);
	for (int i = 0; i < 4; i++) {
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 0 && in == i);
		CHECK_STATUS(cases[0].status, DUCT_OK);
	}
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK_STATUS(cases[0].status, DUCT_CLOSED);
	CHECK(in == 3);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_CLOSED);
	test_pair_free(&a);
}

/* Once every case that is not NULL has ended, a deadline or a token is not waited for. */
TEST(select_closed, with_null_cases_does_not_wait_for_the_deadline, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 4);
	int in;
	duct_case cases[2] = { { NULL, NULL, NULL, DUCT_OK }, DUCT_RECV(a.rx, &in) };
	duct_cancel *cancel;
	size_t chosen = NOT_CHOSEN;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	cases[1].status = DUCT_CLOSED;
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, duct_after_s(3600), NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, DUCT_FOREVER, cancel), DUCT_CLOSED);
	cases[1].status = DUCT_NO_RECEIVERS;
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, duct_after_s(3600), cancel), DUCT_CLOSED);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_CLOSED);
	cases[1] = (duct_case)DUCT_SEND(a.tx, &in);
	cases[1].status = DUCT_CLOSED;
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_CLOSED);
	CHECK(chosen == NOT_CHOSEN);
	duct_cancel_free(cancel);
	test_pair_free(&a);
}

/* A sleeping select whose one live case is not its first names that one. */
TEST(select_null_case, before_one_that_is_waited_for, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int in = 0;
	struct selecting s = {
		.cases = { { NULL, NULL, NULL, DUCT_OK }, DUCT_RECV(a.rx, &in) }, .count = 2, .deadline = DUCT_FOREVER
	};

	start_select(&s);
	await_receivers(&a, 1);
	put(&a, 5);
	join_chosen(&s, 1);
	CHECK(in == 5);
	test_pair_free(&a);
}

/* The last receiver gone ends a send case with its own status, asleep or not. */
TEST(select_no_receivers, ends_a_send_case, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int out = 2, in;
	struct selecting s = { .cases = { DUCT_SEND(a.tx, &out), DUCT_RECV(b.rx, &in) }, .count = 2, .deadline = DUCT_FOREVER };
	size_t chosen;

	put(&a, 1);
	start_select(&s);
	await_senders(&a, 1);
	await_receivers(&b, 1);
	duct_receiver_free(a.rx);
	join_chosen(&s, 0);
	CHECK_STATUS(s.cases[0].status, DUCT_NO_RECEIVERS);
	CHECK(test_pair_is_quiet(&b));

	s.cases[0].status = DUCT_OK;
	CHECK_STATUS(duct_try_select(s.cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 0);
	CHECK_STATUS(s.cases[0].status, DUCT_NO_RECEIVERS);
	CHECK_STATUS(duct_try_select(s.cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_receiver_new(a.channel, &a.rx), DUCT_OK);
	CHECK(take(&a) == 1 && duct_channel_len(a.channel) == 0);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* A channel that closes wakes selects asleep in both directions; their messages stay theirs. */
TEST(select_closed, wakes_sleepers_of_both_directions, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0), b = test_pair_new(sizeof(int), 0);
	int out = 5, in[2] = { UNTOUCHED, UNTOUCHED };
	struct selecting r = {
		.cases = { DUCT_RECV(b.rx, &in[0]), DUCT_RECV(a.rx, &in[1]) }, .count = 2, .deadline = DUCT_FOREVER
	};
	struct selecting s[2];

	start_select(&r);
	await_receivers(&a, 1);
	await_receivers(&b, 1);
	duct_channel_close(a.channel, 0);
	join_chosen(&r, 1);
	CHECK_STATUS(r.cases[1].status, DUCT_CLOSED);
	CHECK_STATUS(r.cases[0].status, DUCT_OK);
	CHECK(in[1] == UNTOUCHED && test_pair_is_quiet(&b));

	for (int k = 0; k < 2; k++) {
		s[k] = (struct selecting){
			.cases = { DUCT_SEND(b.tx, &out), { NULL, NULL, NULL, DUCT_OK } }, .count = 2, .deadline = DUCT_FOREVER
		};
		start_select(&s[k]);
	}
	await_senders(&b, 2);
	duct_channel_close(b.channel, 0);
	for (int k = 0; k < 2; k++) {
		join_chosen(&s[k], 0);
		CHECK_STATUS(s[k].cases[0].status, DUCT_CLOSED);
	}
	CHECK(out == 5 && test_pair_is_quiet(&b));
	CHECK_STATUS(duct_try_recv(b.rx, &in[0]), DUCT_CLOSED);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* The close of one end ends the cases on that end only: another receiver of the channel sleeps on. */
TEST(select_end_closed, ends_the_cases_on_that_end_only, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int in[2] = { UNTOUCHED, UNTOUCHED };
	duct_receiver *other;
	struct selecting mine, theirs;

	CHECK_STATUS(duct_receiver_clone(a.rx, &other), DUCT_OK);
	mine = (struct selecting){ .cases = { DUCT_RECV(a.rx, &in[0]) }, .count = 1, .deadline = DUCT_FOREVER };
	theirs = (struct selecting){ .cases = { DUCT_RECV(other, &in[1]) }, .count = 1, .deadline = DUCT_FOREVER };
	start_select(&mine);
	await_receivers(&a, 1);
	start_select(&theirs);
	await_receivers(&a, 2);
	duct_receiver_close(a.rx);
	join_chosen(&mine, 0);
	CHECK_STATUS(mine.cases[0].status, DUCT_CLOSED);
	CHECK(duct_channel_waiting_receivers(a.channel) == 1);
	put(&a, 3);
	join_chosen(&theirs, 0);
	CHECK(in[1] == 3 && in[0] == UNTOUCHED);
	duct_receiver_free(other);
	test_pair_free(&a);
}

/* A sender closed under a select: the case ends, another sender of the channel sleeps on. */
TEST(select_end_closed, of_a_sender_keeps_other_senders_asleep, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0);
	int out[2] = { 1, 2 };
	duct_sender *other;
	struct selecting mine, theirs;

	CHECK_STATUS(duct_sender_clone(a.tx, &other), DUCT_OK);
	mine = (struct selecting){ .cases = { DUCT_SEND(a.tx, &out[0]) }, .count = 1, .deadline = DUCT_FOREVER };
	theirs = (struct selecting){ .cases = { DUCT_SEND(other, &out[1]) }, .count = 1, .deadline = DUCT_FOREVER };
	start_select(&mine);
	await_senders(&a, 1);
	start_select(&theirs);
	await_senders(&a, 2);
	duct_sender_close(a.tx);
	join_chosen(&mine, 0);
	CHECK_STATUS(mine.cases[0].status, DUCT_CLOSED);
	CHECK(duct_channel_waiting_senders(a.channel) == 1);
	CHECK(take(&a) == 2);
	join_chosen(&theirs, 0);
	CHECK_STATUS(theirs.cases[0].status, DUCT_OK);
	duct_sender_free(other);
	test_pair_free(&a);
}

/* A handle may be freed while a thread sleeps in a select on it: the case ends, nothing is touched after. */
TEST(select_end_closed, by_free_while_selected_upon, 10)
{
	for (int i = 0; i < 100; i++) {
		struct test_pair a = test_pair_new(sizeof(int), 0), b = test_pair_new(sizeof(int), 1);
		int in[2] = { UNTOUCHED, UNTOUCHED }, out = 1;
		struct selecting s = { .cases = { DUCT_RECV(a.rx, &in[0]), DUCT_RECV(b.rx, &in[1]), DUCT_SEND(a.tx, &out) },
			.count = 3,
			.deadline = DUCT_FOREVER };

		start_select(&s);
		await_receivers(&a, 1);
		await_senders(&a, 1);
		if (i % 3 == 0) {
			duct_sender_free(a.tx);
			join_chosen(&s, 2);
			duct_receiver_free(a.rx);
		} else if (i % 3 == 1) {
			duct_receiver_free(b.rx);
			join_chosen(&s, 1);
			CHECK_STATUS(duct_receiver_new(b.channel, &b.rx), DUCT_OK);
			duct_sender_free(a.tx);
			duct_receiver_free(a.rx);
		} else {
			/* All handles at once: the last references are the select's own. */
			duct_channel_free(a.channel);
			duct_sender_free(a.tx);
			test_join(s.thread);
			CHECK_STATUS(s.status, DUCT_OK);
			CHECK(s.chosen == 0 || s.chosen == 2);
			duct_receiver_free(a.rx);
			a.channel = NULL;
		}
		CHECK(s.cases[s.chosen].status == DUCT_CLOSED);
		CHECK(in[0] == UNTOUCHED && in[1] == UNTOUCHED);
		duct_channel_free(a.channel);
		test_pair_free(&b);
	}
}

/* ---- Wrong parameters ------------------------------------------------------------------------------------------------- */

static bool same_case(const duct_case *one, const duct_case *other)
{
	return one->sender == other->sender && one->receiver == other->receiver && one->message == other->message &&
	       one->status == other->status;
}

/* Each wrong parameter gets DUCT_INVALID from every form, and neither the choice nor a case nor a message changes. */
TEST(select_invalid, changes_nothing, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1), b = test_pair_new(sizeof(int), 1);
	int in = UNTOUCHED, out = 2;
	const duct_case ready = DUCT_RECV(a.rx, &in);
	const duct_case bad[] = { { b.tx, b.rx, &in, DUCT_OK }, { NULL, b.rx, NULL, DUCT_OK }, { b.tx, NULL, NULL, DUCT_OK } };
	size_t chosen = NOT_CHOSEN;

	put(&a, 1);
	for (size_t k = 0; k < ARRAY_LEN(bad); k++)
		for (int first = 0; first < 2; first++) {
			duct_case cases[2];

			cases[first] = bad[k];
			cases[1 - first] = ready;
			CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_INVALID);
			CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_INVALID);
			CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_INVALID);
			CHECK(same_case(&cases[first], &bad[k]) && same_case(&cases[1 - first], &ready));
		}
	CHECK(chosen == NOT_CHOSEN && in == UNTOUCHED && out == 2);
	CHECK(duct_channel_len(a.channel) == 1 && duct_channel_len(b.channel) == 0);
	test_pair_free(&a);
	test_pair_free(&b);
}

TEST(select_invalid, arguments_are_refused, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 1);
	int in = UNTOUCHED;
	duct_case cases[1] = { DUCT_RECV(a.rx, &in) };
	size_t chosen = NOT_CHOSEN;

	put(&a, 1);
	CHECK_STATUS(duct_select(NULL, 1, &chosen), DUCT_INVALID);
	CHECK_STATUS(duct_try_select(NULL, 1, &chosen), DUCT_INVALID);
	CHECK_STATUS(duct_select_until(NULL, 1, &chosen, DUCT_FAIR, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_select(cases, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_try_select(cases, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_select_until(cases, 1, NULL, DUCT_FAIR, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, 4, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, ~0u, DUCT_FOREVER, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_FAIR, INT64_MIN, NULL), DUCT_INVALID);
	CHECK(chosen == NOT_CHOSEN && in == UNTOUCHED && duct_channel_len(a.channel) == 1);
	CHECK_STATUS(cases[0].status, DUCT_OK);
	test_pair_free(&a);
}

/* ---- Many threads ----------------------------------------------------------------------------------------------------- */

#define RACE_CHANNELS 3

/* Selecting senders against selecting receivers, each over all channels, with deadlines that often pass. */
struct race {
	struct test_pair pairs[RACE_CHANNELS];
	int each;         /* messages of a sender */
	uint32_t longest; /* that a select waits, in nanoseconds */
	bool mixed;       /* a sender also receives */
	atomic_long sent, received, sum;
	_Atomic uint32_t seed;
};

static void race_took(struct race *race, int message)
{
	atomic_fetch_add(&race->received, 1);
	atomic_fetch_sub(&race->sum, message);
}

static void *race_sender(void *argument)
{
	struct race *race = argument;
	uint32_t random = atomic_fetch_add(&race->seed, 7919) + 1;

	for (int i = 0; i < race->each;) {
		int out = (int)(test_random(&random) % 1000), in = 0;
		duct_case cases[RACE_CHANNELS + 1];
		size_t chosen, count = 0;
		duct_time deadline;
		duct_status status;

		for (; count < RACE_CHANNELS; count++)
			cases[count] = (duct_case)DUCT_SEND(race->pairs[count].tx, &out);
		if (race->mixed)
			cases[count++] = (duct_case)DUCT_RECV(race->pairs[test_random(&random) % RACE_CHANNELS].rx, &in);
		deadline = duct_after_ns(test_random(&random) % race->longest);
		status = duct_select_until(cases, count, &chosen, DUCT_FAIR, deadline, NULL);
		if (status == DUCT_TIMEDOUT)
			continue;
		CHECK_STATUS(status, DUCT_OK);
		CHECK_STATUS(cases[chosen].status, DUCT_OK);
		if (chosen == RACE_CHANNELS) {
			race_took(race, in);
			continue;
		}
		atomic_fetch_add(&race->sum, out);
		atomic_fetch_add(&race->sent, 1);
		i++;
	}
	return NULL;
}

static void *race_receiver(void *argument)
{
	struct race *race = argument;
	uint32_t random = atomic_fetch_add(&race->seed, 104729) + 1;
	int in[RACE_CHANNELS];
	duct_case cases[RACE_CHANNELS];

	for (int k = 0; k < RACE_CHANNELS; k++)
		cases[k] = (duct_case)DUCT_RECV(race->pairs[k].rx, &in[k]);
	for (;;) {
		size_t chosen;
		duct_time deadline = duct_after_ns(test_random(&random) % race->longest);
		duct_status status = duct_select_until(cases, RACE_CHANNELS, &chosen, DUCT_FAIR, deadline, NULL);

		if (status == DUCT_CLOSED)
			return NULL;
		if (status == DUCT_TIMEDOUT)
			continue;
		CHECK_STATUS(status, DUCT_OK);
		if (cases[chosen].status == DUCT_OK)
			race_took(race, in[chosen]);
	}
}

static void check_race(const size_t capacities[RACE_CHANNELS], int each, uint32_t longest, bool mixed)
{
	struct race race = { .each = each, .longest = longest, .mixed = mixed, .seed = 1 };
	pthread_t senders[2], receivers[3];

	for (int k = 0; k < RACE_CHANNELS; k++)
		race.pairs[k] = test_pair_new(sizeof(int), capacities[k]);
	for (size_t k = 0; k < ARRAY_LEN(senders); k++)
		senders[k] = test_start(race_sender, &race);
	for (size_t k = 0; k < ARRAY_LEN(receivers); k++)
		receivers[k] = test_start(race_receiver, &race);
	for (size_t k = 0; k < ARRAY_LEN(senders); k++)
		test_join(senders[k]);
	for (int k = 0; k < RACE_CHANNELS; k++)
		duct_channel_close(race.pairs[k].channel, 0);
	for (size_t k = 0; k < ARRAY_LEN(receivers); k++)
		test_join(receivers[k]);
	CHECK(race.sent == (long)(each * (int)ARRAY_LEN(senders)));
	CHECK(race.received == race.sent && race.sum == 0);
	for (int k = 0; k < RACE_CHANNELS; k++) {
		CHECK(test_pair_is_quiet(&race.pairs[k]) && duct_channel_len(race.pairs[k].channel) == 0);
		test_pair_free(&race.pairs[k]);
	}
}

/*
 * A deadline that races a hand-off: a message said to be sent is received, one said to be late is not.  With shorter deadlines
 * threads that run at once would hardly ever meet.
 */
TEST(select_race, of_deadlines_and_rendezvous, 30)
{
	check_race((const size_t[]){ 0, 0, 0 }, 3000, 100000, false);
}

TEST(select_race, of_deadlines_and_buffers, 30)
{
	check_race((const size_t[]){ 1, 1, 2 }, 3000, 3000, false);
}

/* Rendezvous and buffered channels in one select. */
TEST(select_race, of_capacity_0_mixed_with_buffers, 30)
{
	check_race((const size_t[]){ 0, 1, 5 }, 3000, 30000, false);
}

/* Selects of both directions against each other. */
TEST(select_race, of_selects_that_send_and_receive, 30)
{
	check_race((const size_t[]){ 0, 0, 1 }, 3000, 30000, true);
}

struct crossing {
	struct test_pair a, b;
	int rounds, sent, received;
};

/* Sends on one channel and receives from the other, whichever is ready, until it has done both so often. */
static void *cross(void *argument, bool swapped)
{
	struct crossing *crossing = argument;
	const struct test_pair *to = swapped ? &crossing->b : &crossing->a, *from = swapped ? &crossing->a : &crossing->b;
	int out = 0, next = 0, in;
	duct_case cases[2] = { DUCT_SEND(to->tx, &out), DUCT_RECV(from->rx, &in) };

	while (out < crossing->rounds || next < crossing->rounds) {
		size_t chosen;

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		if (chosen == 1)
			CHECK(in == next++);
		else if (++out == crossing->rounds)
			cases[0].sender = NULL;
		if (next == crossing->rounds)
			cases[1].receiver = NULL;
	}
	return NULL;
}

static void *cross_there(void *argument)
{
	return cross(argument, false);
}

static void *cross_back(void *argument)
{
	return cross(argument, true);
}

/* Two threads, each sending to the other and receiving from it in one select: neither waits for the other to begin. */
static void check_crossing(size_t there, size_t back)
{
	struct crossing crossing = { .rounds = 2000 };
	pthread_t threads[2];

	crossing.a = test_pair_new(sizeof(int), there);
	crossing.b = test_pair_new(sizeof(int), back);
	threads[0] = test_start(cross_there, &crossing);
	threads[1] = test_start(cross_back, &crossing);
	test_join(threads[0]);
	test_join(threads[1]);
	test_pair_free(&crossing.a);
	test_pair_free(&crossing.b);
}

TEST(select_crossing, at_capacity_0, 30)
{
	check_crossing(0, 0);
}

TEST(select_crossing, at_capacity_1, 30)
{
	check_crossing(1, 1);
}

TEST(select_crossing, at_capacities_0_and_3, 30)
{
	check_crossing(0, 3);
}

struct ending {
	struct test_pair pair;
	long sent;
};

/* Sends through a select until the channel closes under it. */
static void *send_until_closed(void *argument)
{
	struct ending *ending = argument;
	int out = 0;
	duct_case cases[2] = { DUCT_SEND(ending->pair.tx, &out), { NULL, NULL, NULL, DUCT_OK } };
	size_t chosen;

	for (;;) {
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 0);
		if (cases[0].status != DUCT_OK)
			break;
		ending->sent++;
	}
	CHECK_STATUS(cases[0].status, DUCT_CLOSED);
	return NULL;
}

/* A close that races a select: what was said to be sent is there to be drained, and no more. */
TEST(select_race, of_close_and_send, 30)
{
	for (int i = 0; i < 300; i++) {
		struct ending ending = { .pair = test_pair_new(sizeof(int), (size_t)i % 3) };
		pthread_t thread = test_start(send_until_closed, &ending);
		long received = 0;
		int in;

		for (int k = 0; k < i % 5; k++) {
			CHECK_STATUS(duct_recv(ending.pair.rx, &in), DUCT_OK);
			received++;
		}
		duct_channel_close(ending.pair.channel, 0);
		while (duct_try_recv(ending.pair.rx, &in) == DUCT_OK)
			received++;
		test_join(thread);
		CHECK_STATUS(duct_try_recv(ending.pair.rx, &in), DUCT_CLOSED);
		CHECK(received == ending.sent && test_pair_is_quiet(&ending.pair));
		test_pair_free(&ending.pair);
	}
}

struct canceling {
	struct test_pair pair;
	duct_cancel *cancel;
	long sent;
};

static void *send_until_canceled(void *argument)
{
	struct canceling *canceling = argument;
	int out = 0;
	duct_case cases[1] = { DUCT_SEND(canceling->pair.tx, &out) };
	size_t chosen;
	duct_status status;

	while ((status = duct_select_until(cases, 1, &chosen, DUCT_FAIR, DUCT_FOREVER, canceling->cancel)) == DUCT_OK)
		canceling->sent++;
	CHECK_STATUS(status, DUCT_CANCELED);
	return NULL;
}

/* A token that races a hand-off: the select either performed its case or did not. */
TEST(select_race, of_cancel_and_send, 30)
{
	for (int i = 0; i < 300; i++) {
		struct canceling c = { .pair = test_pair_new(sizeof(int), (size_t)i % 3) };
		pthread_t thread;
		long received = 0;
		int in;

		CHECK_STATUS(duct_cancel_new(&c.cancel, NULL, DUCT_FOREVER), DUCT_OK);
		thread = test_start(send_until_canceled, &c);
		for (int k = 0; k < i % 5; k++) {
			CHECK_STATUS(duct_recv(c.pair.rx, &in), DUCT_OK);
			received++;
		}
		duct_cancel_raise(c.cancel);
		while (duct_try_recv(c.pair.rx, &in) == DUCT_OK)
			received++;
		test_join(thread);
		while (duct_try_recv(c.pair.rx, &in) == DUCT_OK)
			received++;
		CHECK(received == c.sent && test_pair_is_quiet(&c.pair));
		duct_cancel_free(c.cancel);
		test_pair_free(&c.pair);
	}
}

/* Those asleep in selects and in plain calls are served in the order in which they went to sleep. */
TEST(select_order, sleepers_are_served_first_come_first_served, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0), idle = test_pair_new(sizeof(int), 0);
	int in[6], other[6];
	struct selecting s[6];

	for (int k = 0; k < 6; k++) {
		s[k] = (struct selecting){ .cases = { DUCT_RECV(idle.rx, &other[k]), DUCT_RECV(a.rx, &in[k]) },
			.count = 2,
			.deadline = DUCT_FOREVER };
		start_select(&s[k]);
		await_receivers(&a, (size_t)k + 1);
	}
	for (int k = 0; k < 6; k++) {
		CHECK_STATUS(duct_send(a.tx, &k), DUCT_OK);
		join_chosen(&s[k], 1);
		CHECK(in[k] == k);
	}
	CHECK(test_pair_is_quiet(&a) && test_pair_is_quiet(&idle));
	test_pair_free(&a);
	test_pair_free(&idle);
}

/* A select leaves the line in the middle: those before and behind it keep their places. */
TEST(select_order, who_leaves_the_line_does_not_disturb_it, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 0), b = test_pair_new(sizeof(int), 0);
	int in[3] = { UNTOUCHED, UNTOUCHED, UNTOUCHED }, mine = UNTOUCHED;
	struct selecting s[3];

	for (int k = 0; k < 3; k++) {
		s[k] = (struct selecting){ .cases = { DUCT_RECV(a.rx, &in[k]) }, .count = 1, .deadline = DUCT_FOREVER };
		if (k == 1)
			s[k].cases[s[k].count++] = (duct_case)DUCT_RECV(b.rx, &mine);
		start_select(&s[k]);
		await_receivers(&a, (size_t)k + 1);
	}
	put(&b, 9);
	join_chosen(&s[1], 1);
	CHECK(mine == 9 && duct_channel_waiting_receivers(a.channel) == 2);
	put(&a, 0);
	join_chosen(&s[0], 0);
	put(&a, 2);
	join_chosen(&s[2], 0);
	CHECK(in[0] == 0 && in[1] == UNTOUCHED && in[2] == 2);
	test_pair_free(&a);
	test_pair_free(&b);
}

/* A sender asleep in a select moves up into the buffer when a message is taken: order and count stay. */
TEST(select_refill, moves_a_sleeping_select_into_the_room, 10)
{
	struct test_pair a = test_pair_new(sizeof(int), 2);
	int out[2] = { 2, 3 };
	struct selecting s[2];

	put(&a, 0);
	put(&a, 1);
	for (int k = 0; k < 2; k++) {
		s[k] = (struct selecting){ .cases = { DUCT_SEND(a.tx, &out[k]) }, .count = 1, .deadline = DUCT_FOREVER };
		start_select(&s[k]);
		await_senders(&a, (size_t)k + 1);
	}
	CHECK(take(&a) == 0);
	join_chosen(&s[0], 0);
	CHECK(duct_channel_len(a.channel) == 2 && duct_channel_waiting_senders(a.channel) == 1);
	CHECK(take(&a) == 1);
	join_chosen(&s[1], 0);
	CHECK(take(&a) == 2 && take(&a) == 3 && test_pair_is_quiet(&a));
	test_pair_free(&a);
}
