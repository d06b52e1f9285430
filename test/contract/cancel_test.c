/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Cancel tokens: what raises them, how they end a wait that is under way and one that has not begun, and that a wait which was
 * canceled had no effect.
 */
#include "harness.h"

#include <stdatomic.h>

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

static duct_cancel *token(duct_cancel *parent)
{
	duct_cancel *cancel;

	CHECK_STATUS(duct_cancel_new(&cancel, parent, DUCT_FOREVER), DUCT_OK);
	return cancel;
}

/* ---- Tokens ------------------------------------------------------------------------------------------------------------ */

/* A token is down until it is raised; raising it again changes nothing. */
TEST(cancel, is_raised_once_and_stays, 5)
{
	duct_cancel *cancel = token(NULL);

	CHECK(!duct_cancel_raised(cancel));
	duct_cancel_raise(cancel);
	CHECK(duct_cancel_raised(cancel));
	duct_cancel_raise(cancel);
	CHECK(duct_cancel_raised(cancel));
	duct_cancel_free(cancel);
}

/* A wrong parameter makes no token and writes nothing. */
TEST(cancel, refuses_what_can_never_work, 5)
{
	int scratch;
	duct_cancel *const before = (duct_cancel *)&scratch;
	duct_cancel *cancel = before;

	CHECK_STATUS(duct_cancel_new(NULL, NULL, DUCT_FOREVER), DUCT_INVALID);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, -1), DUCT_INVALID);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, INT64_MIN), DUCT_INVALID);
	CHECK_STATUS(duct_cancel_clone(NULL, &cancel), DUCT_INVALID);
	CHECK(cancel == before);
	cancel = token(NULL);
	CHECK_STATUS(duct_cancel_clone(cancel, NULL), DUCT_INVALID);
	duct_cancel_free(cancel);
	CHECK(!duct_cancel_raised(NULL));
	duct_cancel_raise(NULL);
	duct_cancel_free(NULL);
}

/* A clone is the same token: raised through one handle it is raised through all, and lives until the last is freed. */
TEST(cancel, clone_is_the_same_token, 5)
{
	duct_cancel *cancel = token(NULL), *first, *second;

	CHECK_STATUS(duct_cancel_clone(cancel, &first), DUCT_OK);
	CHECK_STATUS(duct_cancel_clone(first, &second), DUCT_OK);
	duct_cancel_free(cancel);
	CHECK(!duct_cancel_raised(first) && !duct_cancel_raised(second));
	duct_cancel_raise(first);
	duct_cancel_free(first);
	CHECK(duct_cancel_raised(second));
	duct_cancel_free(second);
}

/* A parent raises its children and theirs, but no child its parent or a sister. */
TEST(cancel, parent_raises_children_only, 5)
{
	duct_cancel *parent = token(NULL), *child = token(parent), *sister = token(parent), *grandchild = token(child);
	duct_cancel *late;

	duct_cancel_raise(child);
	CHECK(duct_cancel_raised(child) && duct_cancel_raised(grandchild));
	CHECK(!duct_cancel_raised(parent) && !duct_cancel_raised(sister));
	duct_cancel_raise(parent);
	CHECK(duct_cancel_raised(sister));
	late = token(parent);
	CHECK(duct_cancel_raised(late));
	duct_cancel_free(late);
	duct_cancel_free(grandchild);
	duct_cancel_free(sister);
	duct_cancel_free(child);
	duct_cancel_free(parent);
}

/* A token keeps its parent: the parent's handle may go, and a clone of it still raises the child. */
TEST(cancel, keeps_its_parent, 5)
{
	duct_cancel *parent = token(NULL), *clone, *child = token(parent), *grandchild = token(child);

	CHECK_STATUS(duct_cancel_clone(parent, &clone), DUCT_OK);
	duct_cancel_free(parent);
	duct_cancel_free(child);
	CHECK(!duct_cancel_raised(grandchild));
	duct_cancel_raise(clone);
	duct_cancel_free(clone);
	CHECK(duct_cancel_raised(grandchild));
	duct_cancel_free(grandchild);
}

/* A token with a deadline is raised once it has passed, and not before; so is its child. */
TEST(cancel, is_raised_by_its_deadline, 5)
{
	duct_time deadline = duct_after_ms(20);
	duct_cancel *cancel, *child, *past;

	CHECK_STATUS(duct_cancel_new(&past, NULL, 0), DUCT_OK);
	CHECK(duct_cancel_raised(past));
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, deadline), DUCT_OK);
	child = token(cancel);
	while (!duct_cancel_raised(child))
		test_pause();
	CHECK(duct_now() >= deadline);
	CHECK(duct_cancel_raised(cancel));
	duct_cancel_free(child);
	duct_cancel_free(cancel);
	duct_cancel_free(past);
}

/* ---- Waits ------------------------------------------------------------------------------------------------------------- */

/* A token raised before the call ends it at once, ready or not, and nothing moves. */
TEST(cancel, raised_before_does_nothing, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		duct_cancel *cancel = token(NULL);
		int message = -1;

		duct_cancel_raise(cancel);
		for (int full = 0; full < 2; full++) {
			size_t len = duct_channel_len(pair.channel);

			for (enum test_action action = SEND_UNTIL; action < ACTIONS; action++) {
				CHECK_STATUS(test_act(action, &pair, &message, DUCT_FOREVER, cancel), DUCT_CANCELED);
				CHECK_STATUS(test_act(action, &pair, &message, 0, cancel), DUCT_CANCELED);
			}
			CHECK(message == -1 && duct_channel_len(pair.channel) == len);
			test_fill(pair.tx);
		}
		duct_cancel_free(cancel);
		test_pair_free(&pair);
	}
}

/* A token raised during the wait ends it, in every form of waiting; what it waited for is left as it was. */
TEST(cancel, raised_during_ends_the_wait, 10)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (enum test_action action = SEND_UNTIL; action < ACTIONS; action++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			duct_cancel *cancel = token(NULL);
			int queued = test_is_send(action) ? test_fill(pair.tx) : 0, message;
			struct test_call call;

			test_call_start(&call, action, &pair, -1, DUCT_FOREVER, cancel);
			test_call_await_asleep(&call);
			CHECK(!atomic_load(&call.done));
			duct_cancel_raise(cancel);
			CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
			CHECK(call.message == -1);
			for (int n = 0; n < queued; n++) {
				CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
				CHECK(message == n);
			}
			CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
			duct_cancel_free(cancel);
			test_pair_free(&pair);
		}
	}
}

enum { DEPTH = 6 };

/* Any ancestor, up to the sixth, ends a wait. */
TEST(cancel, raised_in_any_generation_ends_the_wait, 10)
{
	for (enum test_action action = SEND_UNTIL; action < ACTIONS; action++) {
		for (int raised = 0; raised <= DEPTH; raised++) {
			struct test_pair pair = test_pair_new(sizeof(int), 1);
			duct_cancel *family[DEPTH + 1];
			struct test_call call;

			for (int g = 0; g <= DEPTH; g++)
				family[g] = token(g > 0 ? family[g - 1] : NULL);
			if (test_is_send(action))
				test_fill(pair.tx);
			test_call_start(&call, action, &pair, -1, DUCT_FOREVER, family[DEPTH]);
			test_call_await_asleep(&call);
			duct_cancel_raise(family[raised]);
			CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
			for (int g = 0; g <= DEPTH; g++) {
				CHECK(duct_cancel_raised(family[g]) == (g >= raised));
				duct_cancel_free(family[g]);
			}
			test_pair_free(&pair);
		}
	}
}

/* A family of 25 generations is no different. */
TEST(cancel, from_far_up_ends_the_wait, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	duct_cancel *eldest = token(NULL), *youngest;
	struct test_call call;

	CHECK_STATUS(duct_cancel_clone(eldest, &youngest), DUCT_OK);
	for (int g = 0; g < 25; g++) {
		duct_cancel *child = token(youngest);

		duct_cancel_free(youngest);
		youngest = child;
	}
	test_call_start(&call, RECV_UNTIL, &pair, -1, DUCT_FOREVER, youngest);
	test_call_await_asleep(&call);
	duct_cancel_raise(eldest);
	CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
	duct_cancel_free(youngest);
	duct_cancel_free(eldest);
	test_pair_free(&pair);
}

/* A token's deadline, its own or an ancestor's, ends a wait as canceled, not before its time; the call's as out of time. */
TEST(cancel, by_deadline_differs_from_out_of_time, 5)
{
	for (int generation = 0; generation < 3; generation++) {
		for (enum test_action action = SEND_UNTIL; action < ACTIONS; action++) {
			struct test_pair pair = test_pair_new(sizeof(int), 1);
			duct_time deadline = duct_after_ms(3);
			duct_cancel *family[3];
			int message = -1;

			if (test_is_send(action))
				test_fill(pair.tx);
			for (int g = 0; g < 3; g++) {
				duct_cancel *parent = g > 0 ? family[g - 1] : NULL;
				duct_time own = g == generation ? deadline : DUCT_FOREVER;

				CHECK_STATUS(duct_cancel_new(&family[g], parent, own), DUCT_OK);
			}
			CHECK_STATUS(test_act(action, &pair, &message, duct_after_s(100), family[2]), DUCT_CANCELED);
			CHECK(duct_now() >= deadline);
			for (int g = 3; g-- > 0;)
				duct_cancel_free(family[g]);
			CHECK_STATUS(duct_cancel_new(&family[0], NULL, duct_after_s(100)), DUCT_OK);
			deadline = duct_after_ms(1);
			CHECK_STATUS(test_act(action, &pair, &message, deadline, family[0]), DUCT_TIMEDOUT);
			CHECK(duct_now() >= deadline);
			CHECK(!duct_cancel_raised(family[0]));
			duct_cancel_free(family[0]);
			test_pair_free(&pair);
		}
	}
}

/* A wait keeps its token: all handles may be freed meanwhile, and the wait ends as it would have. */
TEST(cancel, may_be_freed_during_a_wait, 5)
{
	for (int ending = 0; ending < 3; ending++) {
		for (enum test_action action = SEND_UNTIL; action <= RECV_UNTIL; action++) {
			struct test_pair pair = test_pair_new(sizeof(int), 1);
			duct_cancel *parent = token(NULL), *kept, *cancel;
			struct test_call call;
			int message;

			CHECK_STATUS(duct_cancel_clone(parent, &kept), DUCT_OK);
			cancel = token(parent);
			if (action == SEND_UNTIL)
				test_fill(pair.tx);
			test_call_start(&call, action, &pair, -1, DUCT_FOREVER, cancel);
			test_call_await_asleep(&call);
			duct_cancel_free(cancel);
			duct_cancel_free(parent);
			if (ending == 0) {
				duct_cancel_raise(kept);
				CHECK_STATUS(test_call_end(&call), DUCT_CANCELED);
			} else if (ending == 1) {
				duct_channel_close(pair.channel, 0);
				CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
			} else if (action == SEND_UNTIL) {
				CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
				CHECK_STATUS(test_call_end(&call), DUCT_OK);
			} else {
				CHECK_STATUS(duct_send(pair.tx, &(int){ 3 }), DUCT_OK);
				CHECK_STATUS(test_call_end(&call), DUCT_OK);
				CHECK(call.message == 3);
			}
			duct_cancel_free(kept);
			test_pair_free(&pair);
		}
	}
}

/* One token ends the waits of many threads, on many channels and in both directions; a raise through a clone does as well. */
TEST(cancel, ends_many_waits_at_once, 10)
{
	for (int round = 0; round < 20; round++) {
		struct test_pair full = test_pair_new(sizeof(int), 1), empty = test_pair_new(sizeof(int), 1);
		duct_cancel *cancel = token(NULL), *clone;
		struct test_call calls[16];

		CHECK_STATUS(duct_cancel_clone(cancel, &clone), DUCT_OK);
		test_fill(full.tx);
		for (size_t n = 0; n < ARRAY_LEN(calls);) {
			test_call_start(&calls[n++], RECV_UNTIL, &empty, -1, DUCT_FOREVER, cancel);
			test_call_start(&calls[n++], SEND_UNTIL, &full, -1, DUCT_FOREVER, cancel);
		}
		if (round % 2 == 0) {
			AWAIT(duct_channel_waiting_senders(full.channel) == 8);
			AWAIT(duct_channel_waiting_receivers(empty.channel) == 8);
		}
		duct_cancel_raise(clone);
		for (size_t n = 0; n < ARRAY_LEN(calls); n++)
			CHECK_STATUS(test_call_end(&calls[n]), DUCT_CANCELED);
		CHECK(test_pair_is_quiet(&full) && test_pair_is_quiet(&empty));
		CHECK(duct_channel_len(full.channel) == 1 && duct_channel_len(empty.channel) == 0);
		duct_cancel_free(clone);
		duct_cancel_free(cancel);
		test_pair_free(&full);
		test_pair_free(&empty);
	}
}

/* A canceled waiter has left the line: the message goes to the next one, and a canceled sender's place too. */
TEST(cancel, leaves_the_line, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		duct_cancel *cancel = token(NULL);
		struct test_call first, second;
		int message, queued;

		test_call_start(&first, RECV_UNTIL, &pair, -1, DUCT_FOREVER, cancel);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
		test_call_start(&second, RECV_UNTIL, &pair, -1, DUCT_FOREVER, NULL);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 2);
		duct_cancel_raise(cancel);
		CHECK_STATUS(test_call_end(&first), DUCT_CANCELED);
		CHECK_STATUS(duct_send(pair.tx, &(int){ 7 }), DUCT_OK);
		CHECK_STATUS(test_call_end(&second), DUCT_OK);
		CHECK(second.message == 7 && first.message == -1);
		duct_cancel_free(cancel);

		cancel = token(NULL);
		queued = test_fill(pair.tx);
		test_call_start(&first, SEND_UNTIL, &pair, -1, DUCT_FOREVER, cancel);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
		test_call_start(&second, SEND_MANY, &pair, -1, DUCT_FOREVER, NULL);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 2);
		duct_cancel_raise(cancel);
		CHECK_STATUS(test_call_end(&first), DUCT_CANCELED);
		for (int n = 0; n <= queued; n++)
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK_STATUS(test_call_end(&second), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
		duct_cancel_free(cancel);
		test_pair_free(&pair);
	}
}

/* Rounds of a race, run by two threads that meet at each. */
struct race {
	struct test_pair pair;
	struct test_pair tokens; /* one token each round */
	struct test_pair answers;
};

static void *receive_with_tokens(void *argument)
{
	struct race *race = argument;
	duct_cancel *cancel;

	DUCT_FOR_EACH(race->tokens.rx, &cancel) {
		int message = -1;
		duct_status status = duct_recv_until(race->pair.rx, &message, DUCT_FOREVER, cancel);

		CHECK(status == DUCT_OK || status == DUCT_CANCELED);
		CHECK((message == -1) == (status == DUCT_CANCELED));
		CHECK_STATUS(duct_send(race->answers.tx, &message), DUCT_OK);
	}
	return NULL;
}

/* A message and a raise come together: the message is received or left where it was, never lost and never both. */
TEST(cancel, races_a_message, 30)
{
	for (size_t capacity = 0; capacity <= 1; capacity++) {
		struct race race = { test_pair_new(sizeof(int), capacity), test_pair_new(sizeof(duct_cancel *), 1),
			test_pair_new(sizeof(int), 1) };
		pthread_t receiver = test_start(receive_with_tokens, &race);
		int canceled = 0;

		for (int n = 0; n < 3000; n++) {
			duct_cancel *cancel = token(NULL);
			int answer, message;
			duct_status sent;

			CHECK_STATUS(duct_send(race.tokens.tx, &cancel), DUCT_OK);
			if (n % 2 == 0)
				AWAIT(duct_channel_waiting_receivers(race.pair.channel) == 1);
			if (n % 4 < 2)
				sent = duct_try_send(race.pair.tx, &n);
			else
				sent = DUCT_FULL;
			duct_cancel_raise(cancel);
			CHECK_STATUS(duct_recv(race.answers.rx, &answer), DUCT_OK);
			if (answer == -1)
				canceled++;
			if (sent == DUCT_OK && answer == -1) {
				CHECK_STATUS(duct_try_recv(race.pair.rx, &message), DUCT_OK);
				CHECK(message == n);
			} else {
				CHECK(answer == (sent == DUCT_OK ? n : -1));
			}
			CHECK_STATUS(duct_try_recv(race.pair.rx, &message), DUCT_EMPTY);
			duct_cancel_free(cancel);
		}
		CHECK(canceled >= 1500);
		duct_channel_close(race.tokens.channel, 0);
		test_join(receiver);
		test_pair_free(&race.pair);
		test_pair_free(&race.tokens);
		test_pair_free(&race.answers);
	}
}

struct crowd {
	duct_cancel *root;
	struct test_pair *pair;
	int message;
};

static void *cancel_own_children(void *argument)
{
	struct crowd *crowd = argument;

	for (int n = 0; n < 500; n++) {
		duct_cancel *child = token(crowd->root), *clone;

		CHECK_STATUS(duct_cancel_clone(child, &clone), DUCT_OK);
		CHECK_STATUS(duct_recv_until(crowd->pair->rx, &crowd->message, 1, child), DUCT_TIMEDOUT);
		duct_cancel_raise(child);
		CHECK_STATUS(duct_recv_until(crowd->pair->rx, &crowd->message, DUCT_FOREVER, clone), DUCT_CANCELED);
		duct_cancel_free(child);
		duct_cancel_free(clone);
	}
	CHECK_STATUS(duct_recv_until(crowd->pair->rx, &crowd->message, DUCT_FOREVER, crowd->root), DUCT_CANCELED);
	return NULL;
}

/* Many threads make, raise and free children of one token at once, and all of them end by it. */
TEST(cancel, is_shared_by_many_threads, 20)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	struct crowd crowds[8];
	pthread_t threads[8];
	duct_cancel *root = token(NULL);

	for (int t = 0; t < 8; t++) {
		crowds[t] = (struct crowd){ root, &pair, -1 };
		threads[t] = test_start(cancel_own_children, &crowds[t]);
	}
	AWAIT(duct_channel_waiting_receivers(pair.channel) == 8);
	duct_cancel_raise(root);
	for (int t = 0; t < 8; t++)
		test_join(threads[t]);
	duct_cancel_free(root);
	test_pair_free(&pair);
}
