/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One-shot channels: one message, and with it the end of the channel, in one step for everybody.
 */
#include "crowd.h"
#include "instances.h"

struct shot {
	duct_sender *tx;
	duct_receiver *rx;
};

static struct shot shot_new(const duct_options *options)
{
	struct shot shot;

	CHECK_STATUS(duct_oneshot_open(&shot.tx, &shot.rx, sizeof(int), options), DUCT_OK);
	return shot;
}

static void shot_free(struct shot *shot)
{
	duct_sender_free(shot->tx);
	duct_receiver_free(shot->rx);
}

/* Its message was sent: senders are told so in each way of sending, at once. */
static bool refuses_sends(duct_sender *tx, duct_status expected)
{
	int message = 5;
	size_t sent = 77;
	duct_case cases[] = { DUCT_SEND(tx, &message), DUCT_SEND(tx, &message) };
	size_t chosen = 77;

	return duct_send(tx, &message) == expected && duct_try_send(tx, &message) == expected &&
	       duct_send_until(tx, &message, 0, NULL) == expected && duct_publish(tx, &message, NULL, 0, NULL) == expected &&
	       duct_send_many(tx, &message, 1, &sent, 0, NULL) == expected && sent == 0 &&
	       duct_sender_wait(tx, 0, NULL) == expected && duct_try_select(cases, 2, &chosen) == DUCT_OK &&
	       cases[chosen].status == expected;
}

/* ---- One message ----------------------------------------------------------------------------------------------- */

/* The message is received once; then both sides read that the channel is closed. */
TEST(oneshot, carries_one_message, 5)
{
	struct shot shot = shot_new(NULL);

	CHECK(then(shot.rx, DUCT_EMPTY) && !duct_channel_is_closed(duct_sender_channel(shot.tx)));
	CHECK_STATUS(duct_send(shot.tx, &(int){ 42 }), DUCT_OK);
	CHECK(duct_channel_is_closed(duct_sender_channel(shot.tx)) && duct_channel_reason(duct_sender_channel(shot.tx)) == 0);
	CHECK(refuses_sends(shot.tx, DUCT_CLOSED) && duct_receiver_len(shot.rx) == 1);
	CHECK(reads(shot.rx, 42, 42) && then(shot.rx, DUCT_CLOSED) && refuses_sends(shot.tx, DUCT_CLOSED));
	CHECK_STATUS(duct_receiver_wait(shot.rx, DUCT_FOREVER, NULL), DUCT_CLOSED);
	shot_free(&shot);
}

/* In each way in which it can be sent. */
TEST(oneshot, takes_any_way_of_sending, 5)
{
	for (int form = 0; form < 7; form++) {
		struct shot shot = shot_new(NULL);
		int message = 7;
		duct_case cases[] = { DUCT_SEND(shot.tx, &message), DUCT_RECV(NULL, NULL) };
		size_t chosen = 77;
		duct_receipt receipt = { 77, 77 };

		if (form == 0)
			CHECK_STATUS(duct_try_send(shot.tx, &message), DUCT_OK);
		else if (form == 1)
			CHECK_STATUS(duct_send_until(shot.tx, &message, 0, NULL), DUCT_OK);
		else if (form == 2)
			CHECK_STATUS(duct_publish(shot.tx, &message, &receipt, 0, NULL), DUCT_OK);
		else if (form == 3)
			CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		else if (form == 4)
			CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
		else if (form == 5)
			CHECK_STATUS(duct_send_many(shot.tx, &message, 1, NULL, 0, NULL), DUCT_OK);
		else
			CHECK_STATUS(duct_send(shot.tx, &message), DUCT_OK);
		CHECK(form != 2 || (receipt.delivered == 1 && receipt.lost == 0));
		CHECK((form != 3 && form != 4) || (chosen == 0 && cases[0].status == DUCT_OK));
		CHECK(refuses_sends(shot.tx, DUCT_CLOSED) && reads(shot.rx, 7, 7) && then(shot.rx, DUCT_CLOSED));
		shot_free(&shot);
	}
}

/* Of a batch the first message is sent, and the rest is not. */
TEST(oneshot, takes_the_first_of_a_batch, 5)
{
	struct shot shot = shot_new(NULL);
	static const int messages[] = { 1, 2, 3 };
	int in[3] = { 0, 0, 0 };
	size_t moved = 77;

	CHECK_STATUS(duct_send_many(shot.tx, messages, 3, &moved, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(moved == 1);
	CHECK_STATUS(duct_recv_many(shot.rx, in, 2, 3, &moved, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(moved == 1 && in[0] == 1 && in[1] == 0);
	shot_free(&shot);
}

/* A wait for room is over at once, and takes no room. */
TEST(oneshot, has_room_until_it_is_sent, 5)
{
	struct shot shot = shot_new(NULL);
	int message = 9;
	duct_case cases[] = { DUCT_SEND(shot.tx, &message) };
	size_t chosen = 77;

	CHECK_STATUS(duct_sender_wait(shot.tx, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, 0, NULL), DUCT_OK);
	CHECK(chosen == 0 && cases[0].status == DUCT_OK && then(shot.rx, DUCT_EMPTY));
	CHECK_STATUS(duct_try_send(shot.tx, &message), DUCT_OK);
	CHECK(reads(shot.rx, 9, 9));
	shot_free(&shot);
}

/* A select told of its message, and then, once, of its end. */
TEST(oneshot, is_told_by_a_select, 5)
{
	struct shot shot = shot_new(NULL), other = shot_new(NULL);
	int in = 0;
	duct_case cases[] = { DUCT_RECV(other.rx, &in), DUCT_RECV(shot.rx, &in) };
	size_t chosen = 77;

	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_send(shot.tx, &(int){ 3 }), DUCT_OK);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && cases[1].status == DUCT_OK && in == 3);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && cases[1].status == DUCT_CLOSED);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	shot_free(&shot);
	shot_free(&other);
}

/* A message of no bytes, and one of many. */
TEST(oneshot, carries_any_size, 5)
{
	static char out[5000], in[5000];
	struct shot small, large;

	CHECK_STATUS(duct_oneshot_open(&small.tx, &small.rx, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_oneshot_open(&large.tx, &large.rx, sizeof out, NULL), DUCT_OK);
	memset(out, 5, sizeof out);
	CHECK_STATUS(duct_send(small.tx, NULL), DUCT_OK);
	CHECK_STATUS(duct_send(small.tx, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_send(large.tx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_send(large.tx, out), DUCT_OK);
	CHECK_STATUS(duct_recv(small.rx, NULL), DUCT_OK);
	CHECK_STATUS(duct_recv(small.rx, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_recv(large.rx, in), DUCT_OK);
	CHECK(memcmp(in, out, sizeof in) == 0);
	shot_free(&small);
	shot_free(&large);
}

/* What a channel can be given it can be given; and it says what it is. */
TEST(oneshot, has_options_like_any_channel, 5)
{
	struct shot shot = shot_new(DUCT_OPTIONS(.name = "answer")), unnamed = shot_new(NULL);
	char line[200];

	(void)duct_channel_describe(duct_sender_channel(shot.tx), line, sizeof line);
	CHECK(strcmp(line,
		  "oneshot answer: 0 of 1 messages of 4 bytes, 1 senders (0 waiting), 1 receivers (0 waiting), open") == 0);
	CHECK_STATUS(duct_send(shot.tx, &(int){ 3 }), DUCT_OK);
	(void)duct_channel_describe(duct_sender_channel(shot.tx), line, sizeof line);
	CHECK(strstr(line, "oneshot answer: 1 of 1 messages of 4 bytes") == line && strstr(line, "closed (0)") != NULL);
	CHECK(strncmp(duct_receiver_name(unnamed.rx), "oneshot-", 8) == 0);
	shot_free(&shot);
	shot_free(&unnamed);
}

/* What can never work is refused, and nothing is written. */
TEST(oneshot, refuses_what_can_never_work, 5)
{
	duct_options strange = DUCT_OPTIONS_INIT;
	struct shot shot = { NULL, NULL };

	strange.size++;
	CHECK_STATUS(duct_oneshot_open(NULL, &shot.rx, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_oneshot_open(&shot.tx, NULL, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_oneshot_open(&shot.tx, &shot.rx, SIZE_MAX, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_oneshot_open(&shot.tx, &shot.rx, 8, &strange), DUCT_INVALID);
	CHECK(shot.tx == NULL && shot.rx == NULL);
}

/* ---- No message ------------------------------------------------------------------------------------------------ */

/* A sender that is closed or freed unused closes the channel. */
TEST(oneshot, unused_is_closed_by_its_sender, 5)
{
	struct shot shot = shot_new(NULL), other = shot_new(NULL);

	duct_sender_close(shot.tx);
	CHECK(then(shot.rx, DUCT_CLOSED) && refuses_sends(shot.tx, DUCT_CLOSED));
	duct_sender_free(other.tx);
	CHECK(then(other.rx, DUCT_CLOSED));
	duct_receiver_free(other.rx);
	shot_free(&shot);
}

/* A sender that is freed used changes nothing any more. */
TEST(oneshot, used_may_lose_its_sender, 5)
{
	struct shot shot = shot_new(NULL);

	CHECK_STATUS(duct_send(shot.tx, &(int){ 8 }), DUCT_OK);
	duct_sender_free(shot.tx);
	CHECK(reads(shot.rx, 8, 8) && then(shot.rx, DUCT_CLOSED));
	duct_receiver_free(shot.rx);
}

/* Without a receiver there is nobody to send to, and the message stays the caller's; a new receiver can have it. */
TEST(oneshot, without_a_receiver_sends_nothing, 5)
{
	for (int freed = 0; freed < 2; freed++) {
		struct shot shot = shot_new(NULL);
		duct_channel *channel = duct_sender_channel(shot.tx);

		duct_receiver_close(shot.rx);
		if (freed)
			duct_receiver_free(shot.rx);
		CHECK(refuses_sends(shot.tx, DUCT_NO_RECEIVERS) && !duct_channel_is_closed(channel));
		CHECK(duct_channel_len(channel) == 0);
		if (!freed)
			duct_receiver_free(shot.rx);
		CHECK_STATUS(duct_receiver_new(channel, &shot.rx), DUCT_OK);
		CHECK_STATUS(duct_try_send(shot.tx, &(int){ 4 }), DUCT_OK);
		CHECK(reads(shot.rx, 4, 4) && then(shot.rx, DUCT_CLOSED));
		shot_free(&shot);
	}
}

/* A discard throws its message away: then there is none to come. */
TEST(oneshot, may_be_discarded, 5)
{
	struct shot shot = shot_new(NULL);
	duct_channel *channel = duct_sender_channel(shot.tx);
	size_t discarded = 77;

	CHECK_STATUS(duct_channel_discard(channel, &discarded), DUCT_OK);
	CHECK(discarded == 0);
	CHECK_STATUS(duct_send(shot.tx, &(int){ 1 }), DUCT_OK);
	CHECK_STATUS(duct_channel_discard(channel, &discarded), DUCT_OK);
	CHECK(discarded == 1 && then(shot.rx, DUCT_CLOSED) && refuses_sends(shot.tx, DUCT_CLOSED));
	shot_free(&shot);
}

/* A close with a reason comes before the message, or too late. */
TEST(oneshot, may_be_closed_with_a_reason, 5)
{
	struct shot before = shot_new(NULL), after = shot_new(NULL);

	duct_channel_close(duct_sender_channel(before.tx), 5);
	CHECK(refuses_sends(before.tx, DUCT_CLOSED) && then(before.rx, DUCT_CLOSED));
	CHECK(duct_channel_reason(duct_receiver_channel(before.rx)) == 5);
	CHECK_STATUS(duct_send(after.tx, &(int){ 1 }), DUCT_OK);
	duct_channel_close(duct_sender_channel(after.tx), 5);
	CHECK(duct_channel_reason(duct_receiver_channel(after.rx)) == 0 && reads(after.rx, 1, 1));
	shot_free(&before);
	shot_free(&after);
}

/* Its message is one instance: received by one, or dropped once, wherever it is left. */
TEST(oneshot, drops_what_nobody_received_once, 5)
{
	for (int left = 0; left < 4; left++) {
		const duct_options options = { .size = sizeof options, .drop = instance_drop };
		const int dropped = atomic_load(&instances.dropped);
		struct shot shot;

		CHECK_STATUS(duct_oneshot_open(&shot.tx, &shot.rx, sizeof(struct instance), &options), DUCT_OK);
		CHECK_STATUS(instance_send(shot.tx, 1), DUCT_OK);
		CHECK_STATUS(instance_send(shot.tx, 2), DUCT_CLOSED);
		if (left == 0)
			CHECK(instances_read(shot.rx, 1, 1));
		else if (left == 1)
			CHECK_STATUS(duct_channel_discard(duct_sender_channel(shot.tx), NULL), DUCT_OK);
		else if (left == 2) {
			duct_receiver_free(shot.rx);
			shot.rx = NULL;
			CHECK(instances_alive() == 0);
		}
		shot_free(&shot);
		CHECK(instances_alive() == 0 && atomic_load(&instances.dropped) - dropped == (left != 0));
	}
}

/* ---- More ends ------------------------------------------------------------------------------------------------- */

/* However many senders and receivers are made of it, there is one message. */
TEST(oneshot_clone, shares_the_one_message, 5)
{
	struct shot shot = shot_new(NULL), more, late = { NULL, NULL };
	duct_sender *third;

	CHECK_STATUS(duct_sender_clone(shot.tx, &more.tx), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(shot.rx, &more.rx), DUCT_OK);
	CHECK_STATUS(duct_sender_new(duct_sender_channel(shot.tx), &third), DUCT_OK);
	CHECK_STATUS(duct_send(third, &(int){ 6 }), DUCT_OK);
	CHECK(refuses_sends(shot.tx, DUCT_CLOSED) && refuses_sends(more.tx, DUCT_CLOSED) && refuses_sends(third, DUCT_CLOSED));
	CHECK_STATUS(duct_sender_clone(shot.tx, &late.tx), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_clone(shot.rx, &late.rx), DUCT_OK);
	CHECK(late.tx == NULL && reads(late.rx, 6, 6));
	CHECK(then(shot.rx, DUCT_CLOSED) && then(more.rx, DUCT_CLOSED) && then(late.rx, DUCT_CLOSED));
	shot_free(&shot);
	shot_free(&more);
	shot_free(&late);
	duct_sender_free(third);
}

/* A sender of several that is freed unused leaves the rest their turn. */
TEST(oneshot_clone, unused_leaves_the_others_their_turn, 5)
{
	struct shot shot = shot_new(NULL);
	duct_sender *other;

	CHECK_STATUS(duct_sender_clone(shot.tx, &other), DUCT_OK);
	duct_sender_free(shot.tx);
	CHECK(then(shot.rx, DUCT_EMPTY));
	CHECK_STATUS(duct_send(other, &(int){ 1 }), DUCT_OK);
	CHECK(reads(shot.rx, 1, 1) && then(shot.rx, DUCT_CLOSED));
	shot.tx = other;
	shot_free(&shot);
}

/* ---- Threads --------------------------------------------------------------------------------------------------- */

/* Who waits already gets it, and the same ends follow; a thread that waits beside it is told of the close. */
TEST(oneshot, serves_one_of_those_who_wait_and_tells_the_others, 10)
{
	enum { WAITERS = 4 };
	const enum test_action actions[WAITERS] = { RECV, RECV_UNTIL, RECV_MANY, SELECT };

	for (int first = 0; first < WAITERS; first++) {
		struct shot shot = shot_new(NULL);
		struct test_call calls[WAITERS];
		int got = 0;

		for (int i = 0; i < WAITERS; i++) {
			test_call_start(&calls[i], actions[(first + i) % WAITERS], &(struct test_pair){ .rx = shot.rx }, -1,
			    DUCT_FOREVER, NULL);
			AWAIT(duct_channel_waiting_receivers(duct_sender_channel(shot.tx)) == (size_t)i + 1);
		}
		CHECK_STATUS(duct_send(shot.tx, &(int){ 42 }), DUCT_OK);
		for (int i = 0; i < WAITERS; i++) {
			duct_status status = test_call_end(&calls[i]);

			got += calls[i].message == 42;
			CHECK(calls[i].message == (i == 0 ? 42 : -1));
			CHECK(status == (i == 0 || calls[i].action == SELECT ? DUCT_OK : DUCT_CLOSED));
		}
		CHECK(got == 1 && then(shot.rx, DUCT_CLOSED) && refuses_sends(shot.tx, DUCT_CLOSED));
		shot_free(&shot);
	}
}

/* A thread that waits without taking is told that it is ready, or that it is over; it leaves the message. */
TEST(oneshot, tells_who_only_wants_to_know, 5)
{
	struct shot shot = shot_new(NULL);
	struct test_call call;

	test_call_start(&call, RECEIVER_WAIT, &(struct test_pair){ .rx = shot.rx }, -1, DUCT_FOREVER, NULL);
	AWAIT(duct_channel_waiting_receivers(duct_sender_channel(shot.tx)) == 1);
	CHECK_STATUS(duct_send(shot.tx, &(int){ 42 }), DUCT_OK);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(reads(shot.rx, 42, 42) && then(shot.rx, DUCT_CLOSED));
	shot_free(&shot);
}

/* A thread that waits is told when the sender goes without having sent. */
TEST(oneshot, unused_ends_who_waits, 5)
{
	for (int freed = 0; freed < 2; freed++) {
		struct shot shot = shot_new(NULL);
		struct test_call call;

		test_recv_start(&call, shot.rx);
		AWAIT(duct_channel_waiting_receivers(duct_receiver_channel(shot.rx)) == 1);
		if (freed)
			duct_sender_free(shot.tx);
		else
			duct_sender_close(shot.tx);
		CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
		CHECK(call.message == -1);
		if (freed)
			shot.tx = NULL;
		shot_free(&shot);
	}
}

enum { RACERS = 3 };

struct race {
	struct shot shot;
	atomic_int round;
	int rounds, racer[RACERS];
	duct_status statuses[RACERS];
	atomic_int finished;
};

struct racer {
	struct race *race;
	int number;
};

/* Each sends its number once a round, in a way of its own. */
static void *race(void *argument)
{
	const struct racer *racer = argument;
	struct race *r = racer->race;

	for (int round = 1; round <= r->rounds; round++) {
		duct_case cases[] = { DUCT_SEND(NULL, &racer->number) };
		duct_status status;
		size_t chosen;

		test_spin_until(&r->round, round);
		cases[0].sender = r->shot.tx;
		if (racer->number == 0)
			status = duct_try_send(r->shot.tx, &racer->number);
		else if (racer->number == 1)
			status = duct_send(r->shot.tx, &racer->number);
		else
			status = duct_try_select(cases, 1, &chosen) == DUCT_OK ? cases[0].status : DUCT_EMPTY;
		r->statuses[racer->number] = status;
		atomic_fetch_add(&r->finished, 1);
	}
	return NULL;
}

/* Of threads that send at once exactly one succeeds; the others are told that it is closed, never that it is full. */
TEST(oneshot, has_one_winner_among_threads_that_send_at_once, 60)
{
	struct race r = { .rounds = test_rounds(3000, 300000) };
	struct racer racers[RACERS];
	pthread_t threads[RACERS];

	for (int i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){ &r, i };
		threads[i] = test_start(race, &racers[i]);
	}
	for (int round = 1; round <= r.rounds; round++) {
		int winner = -1;

		r.shot = shot_new(NULL);
		atomic_store(&r.finished, 0);
		atomic_store(&r.round, round);
		test_spin_until(&r.finished, RACERS);
		for (int i = 0; i < RACERS; i++) {
			CHECK(r.statuses[i] == DUCT_OK || r.statuses[i] == DUCT_CLOSED);
			if (r.statuses[i] == DUCT_OK) {
				CHECK(winner == -1);
				winner = i;
			}
		}
		CHECK(winner >= 0 && reads(r.shot.rx, winner, winner) && then(r.shot.rx, DUCT_CLOSED));
		shot_free(&r.shot);
	}
	for (int i = 0; i < RACERS; i++)
		test_join(threads[i]);
}

static void *try_until_told(void *argument)
{
	struct race *r = argument;

	for (int round = 1; round <= r->rounds; round++) {
		int message = -1;
		duct_status status;

		test_spin_until(&r->round, round);
		while ((status = duct_try_recv(r->shot.rx, &message)) == DUCT_EMPTY)
			;
		r->statuses[0] = status;
		r->racer[0] = message;
		atomic_fetch_add(&r->finished, 1);
	}
	return NULL;
}

/* A receiver that keeps trying finds the message, and never that the channel is closed before it. */
TEST(oneshot, is_never_seen_closed_before_its_message, 60)
{
	struct race r = { .rounds = test_rounds(3000, 300000) };
	pthread_t thread = test_start(try_until_told, &r);

	for (int round = 1; round <= r.rounds; round++) {
		r.shot = shot_new(NULL);
		atomic_store(&r.finished, 0);
		atomic_store(&r.round, round);
		CHECK_STATUS(duct_send(r.shot.tx, &round), DUCT_OK);
		CHECK_STATUS(duct_try_send(r.shot.tx, &round), DUCT_CLOSED);
		test_spin_until(&r.finished, 1);
		CHECK(r.statuses[0] == DUCT_OK && r.racer[0] == round);
		shot_free(&r.shot);
	}
	test_join(thread);
}

/* A select by priority decides with all locks held, and sends so. */
TEST(oneshot, is_sent_to_by_a_select_in_order, 5)
{
	duct_sender *tx;
	duct_receiver *rx;
	int message = 42, received = -1;
	size_t chosen;

	CHECK_STATUS(duct_oneshot_open(&tx, &rx, sizeof(int), NULL), DUCT_OK);
	struct test_pair empty = test_pair_new(sizeof(int), 1);
	duct_case cases[] = { DUCT_RECV(empty.rx, &received), DUCT_SEND(tx, &message) };

	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 1 && cases[1].status == DUCT_OK);
	CHECK_STATUS(duct_try_send(tx, &message), DUCT_CLOSED);
	CHECK_STATUS(duct_recv(rx, &received), DUCT_OK);
	CHECK(received == 42);
	CHECK_STATUS(duct_recv(rx, &received), DUCT_CLOSED);
	duct_sender_free(tx);
	duct_receiver_free(rx);
	test_pair_free(&empty);
}
