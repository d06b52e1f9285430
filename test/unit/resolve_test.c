/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Receivers of sources in a wait, where no contract test can look: what changes between finding out what there is and
 * standing in line, who takes in order to know, in which order all is looked at, and when it is given up.
 *
 * A source of a kind of our own acts when it is pumped: that is after all has been found out, and before anything is tried.
 */
#include "desk.h"
#include "resolve.h"

static struct end *end_of(duct_receiver *rx)
{
	return (struct end *)(void *)rx;
}

/* ---- A source that acts ------------------------------------------------------------------------------------------------ */

static struct {
	int pumps, acts; /* so often it was pumped, and acts yet */
	void (*act)(struct source *source);
	struct test_pair pair; /* what there is to add */
	duct_time due;
} actor;

static void pump_actor(struct source *source)
{
	actor.pumps++;
	if (actor.acts > 0) {
		actor.acts--;
		actor.act(source);
	}
}

static duct_time actor_due_locked(struct source *source)
{
	(void)source;
	return actor.due;
}

static const struct source_kind actor_kind = { .name = "actor", .many = true, .pump = pump_actor };
static const struct source_kind feed_kind = { .name = "feed", .pump = pump_actor, .due_locked = actor_due_locked };

static struct source *actor_new(const struct source_kind *kind, int acts, void (*act)(struct source *source))
{
	struct source *source = source_new(&(struct source_plan){ .kind = kind,
	    .size = sizeof(struct source),
	    .capacity = 1,
	    .part_room = 4,
	    .hooks = { .size = sizeof(uint64_t) } });

	CHECK(source != NULL);
	memset(&actor, 0, sizeof actor);
	actor.acts = acts;
	actor.act = act;
	actor.due = DUCT_FOREVER;
	actor.pair = test_pair_new(sizeof(uint64_t), 4);
	return source;
}

static void actor_free(struct source *source)
{
	CHECK(source->end.references == 1 && end_of(actor.pair.rx)->references == 1 + source->part_count);
	duct_receiver_free(source_receiver(source));
	test_pair_free(&actor.pair);
}

static void move(struct source *source)
{
	struct node *wakes = NULL;

	queue_lock_both(&source->queue);
	source_moved_locked(source, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
}

static void add_a_part(struct source *source)
{
	CHECK_STATUS(duct_send(actor.pair.tx, &(uint64_t){ 42 }), DUCT_OK);
	queue_lock_both(&source->queue);
	source_add_locked(source, end_of(actor.pair.rx), 0, true);
	queue_unlock_both(&source->queue);
	move(source);
}

static void end_it(struct source *source)
{
	source_end(source, DUCT_CLOSED);
}

static void put_one(struct source *source)
{
	actor.due = DUCT_FOREVER;
	CHECK_STATUS(source_put(source, &(uint64_t){ 42 }), DUCT_OK);
}

static void be_due_then_put(struct source *source)
{
	actor.due = DEADLINE_NOW;
	actor.act = put_one;
	(void)source;
}

static const enum test_action receives[] = { RECV, RECV_UNTIL, RECV_MANY, RECEIVER_WAIT, SELECT };

static duct_status receive(enum test_action action, struct source *source, uint64_t *in, duct_time deadline)
{
	return test_act(action, &(struct test_pair){ .rx = source_receiver(source) }, in, deadline, NULL);
}

/* ---- Between finding out and standing in line -------------------------------------------------------------------------- */

/* A part that comes after it was found out what there is: nobody sleeps without it, nor says that there is nothing. */
TEST(resolve, sees_a_part_that_comes_before_it_stands_in_line, 10)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++)
		for (int tries = 0; tries < 2; tries++) {
			struct source *source = actor_new(&actor_kind, 1, add_a_part);
			uint64_t in = 0;

			CHECK_STATUS(
			    receive(tries && r > 0 ? receives[r] : RECV_UNTIL, source, &in, tries ? 0 : DUCT_FOREVER), DUCT_OK);
			CHECK(in == 42 || (tries && receives[r] == RECEIVER_WAIT && in == 0));
			actor_free(source);
		}
}

/* Nor if it comes to one that stands below another. */
TEST(resolve, sees_a_part_that_comes_below_before_it_stands_in_line, 10)
{
	struct source *source = actor_new(&actor_kind, 1, add_a_part);
	duct_receiver *below = source_receiver(source), *merged;
	uint64_t in = 0;

	CHECK_STATUS(duct_merge_new(&merged, &below, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_recv(merged, &in), DUCT_OK);
	CHECK(in == 42);
	duct_receiver_free(merged);
	actor_free(source);
}

/* So with a source that ends then. */
TEST(resolve, sees_an_end_that_comes_before_it_stands_in_line, 10)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++) {
		struct source *source = actor_new(&actor_kind, 1, end_it);
		uint64_t in = 0;

		CHECK_STATUS(receive(receives[r], source, &in, DUCT_FOREVER), receives[r] == SELECT ? DUCT_OK : DUCT_CLOSED);
		CHECK(in == 0);
		actor_free(source);
	}
}

/* What a feed puts when it is pumped is received by who pumped it. */
TEST(resolve, pumps_before_it_looks, 10)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++) {
		struct source *source = actor_new(&feed_kind, 1, put_one);
		uint64_t in = 0;

		CHECK_STATUS(receive(receives[r], source, &in, 0), DUCT_OK);
		CHECK(actor.pumps == 1 && (in == 42 || receives[r] == RECEIVER_WAIT));
		actor_free(source);
	}
}

/* And one that says, when all is locked, that it is due, is pumped again. */
TEST(resolve, pumps_again_what_is_due, 10)
{
	for (size_t r = 0; r < ARRAY_LEN(receives); r++) {
		struct source *source = actor_new(&feed_kind, 2, be_due_then_put);
		uint64_t in = 0;

		CHECK_STATUS(receive(receives[r], source, &in, DUCT_FOREVER), DUCT_OK);
		CHECK(actor.pumps == 2 && (in == 42 || receives[r] == RECEIVER_WAIT));
		actor_free(source);
	}
}

/* ---- Giving up --------------------------------------------------------------------------------------------------------- */

/* A source that changes all the time: after the deadline there are as many attempts as it could have changed, not more. */
TEST(resolve, gives_up_on_what_changes_all_the_time, 10)
{
	for (size_t r = 1; r < ARRAY_LEN(receives); r++) {
		struct source *source = actor_new(&actor_kind, INT32_MAX, move);
		uint64_t in = 0;

		CHECK_STATUS(receive(receives[r], source, &in, 0), DUCT_TIMEDOUT);
		CHECK(in == 0 && actor.pumps >= 2 && actor.pumps <= (receives[r] == RECV_MANY ? 6 : 3));
		actor_free(source);
	}
}

/* But before the deadline there is no end to them. */
TEST(resolve, goes_on_until_the_deadline, 10)
{
	struct source *source = actor_new(&actor_kind, INT32_MAX, move);
	const duct_time deadline = duct_after_ms(20);
	uint64_t in = 0;

	CHECK_STATUS(receive(RECV_UNTIL, source, &in, deadline), DUCT_TIMEDOUT);
	CHECK(duct_now() >= deadline && actor.pumps > 10);
	actor_free(source);
}

static struct {
	duct_sender *tx;
	int asked;
	bool sends;
} asking;

/* Refuses all, and has another one sent each time. */
static bool refuse_and_send(const void *message, void *context)
{
	uint64_t number;

	(void)context;
	memcpy(&number, message, sizeof number);
	asking.asked++;
	if (asking.sends)
		CHECK_STATUS(duct_try_send(asking.tx, &number), DUCT_OK);
	return false;
}

/* All that were there are looked at, and those that come meanwhile are not for ever. */
TEST(resolve, looks_at_all_that_was_there_when_the_deadline_passed, 10)
{
	for (int sends = 0; sends < 2; sends++)
		for (int queued = 1; queued <= 20; queued++) {
			struct test_pair pair = test_pair_new(sizeof(uint64_t), 20);
			duct_receiver *filtered;
			uint64_t in;

			asking.tx = pair.tx;
			asking.asked = 0;
			asking.sends = sends;
			CHECK_STATUS(duct_filter_new(&filtered, pair.rx, refuse_and_send, NULL, NULL), DUCT_OK);
			pair.rx = NULL;
			for (int n = 0; n < queued; n++)
				CHECK_STATUS(duct_send(pair.tx, &(uint64_t){ 1 }), DUCT_OK);
			CHECK_STATUS(duct_try_recv(filtered, &in), DUCT_EMPTY);
			CHECK(asking.asked >= queued && asking.asked <= queued + 5);
			CHECK(duct_channel_len(pair.channel) == (size_t)(sends ? queued : 0));
			duct_receiver_free(filtered);
			test_pair_free(&pair);
		}
}

/* Others are asked before a filter that refused is asked again, however many messages it has: in a select and in a merge. */
TEST(resolve, asks_others_after_what_was_refused, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4), plain = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *filtered, *merged;
	uint64_t in = 0;

	CHECK_STATUS(duct_filter_new(&filtered, pair.rx, refuse_and_send, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(
	    duct_merge_new(&merged, (duct_receiver *[]){ filtered, plain.rx }, 2, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	asking.tx = pair.tx;
	asking.sends = true;
	CHECK_STATUS(duct_send(pair.tx, &(uint64_t){ 1 }), DUCT_OK);
	for (uint64_t n = 0; n < 40; n++) {
		duct_case cases[] = { DUCT_RECV(filtered, &in), DUCT_RECV(plain.rx, &in) };
		size_t chosen = 77;

		asking.asked = 0;
		CHECK_STATUS(duct_send(plain.tx, &n), DUCT_OK);
		if (n % 2 == 0) {
			CHECK_STATUS(duct_recv(merged, &in), DUCT_OK);
			CHECK(asking.asked <= 1);
		} else {
			CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
			CHECK(chosen == 1 && asking.asked <= 30); /* at random */
		}
		CHECK(in == n);
	}
	duct_receiver_free(merged);
	duct_receiver_free(filtered);
	test_pair_free(&pair);
	test_pair_free(&plain);
}

static duct_cancel *raised_in_ten;

static bool refuse_and_raise(const void *message, void *context)
{
	if (asking.asked == 9)
		duct_cancel_raise(raised_in_ten);
	return refuse_and_send(message, context);
}

/* A token is seen between messages that are refused, though there is always one more. */
TEST(resolve, sees_the_token_between_messages_that_are_refused, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *filtered;
	uint64_t in;

	CHECK_STATUS(duct_filter_new(&filtered, pair.rx, refuse_and_raise, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&raised_in_ten, NULL, DUCT_FOREVER), DUCT_OK);
	asking.tx = pair.tx;
	asking.sends = true;
	asking.asked = 0;
	CHECK_STATUS(duct_send(pair.tx, &(uint64_t){ 1 }), DUCT_OK);
	CHECK_STATUS(duct_recv_until(filtered, &in, DUCT_FOREVER, raised_in_ten), DUCT_CANCELED);
	CHECK(asking.asked == 10);
	duct_cancel_free(raised_in_ten);
	duct_receiver_free(filtered);
	test_pair_free(&pair);
}

/* ---- Taking in order to know ------------------------------------------------------------------------------------------- */

static bool any(const void *message, void *context)
{
	(void)message;
	(void)context;
	return true;
}

/* While one thread takes from the parts of a filter in order to know, others look at what it holds only. */
TEST(resolve, takes_in_order_to_know_by_one_thread, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *filtered;
	struct source *source;
	uint64_t in = 0;

	CHECK_STATUS(duct_filter_new(&filtered, pair.rx, any, NULL, NULL), DUCT_OK);
	source = source_of(filtered);
	CHECK_STATUS(duct_send(pair.tx, &(uint64_t){ 5 }), DUCT_OK);
	source->puller = &pair;
	CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_TIMEDOUT);
	CHECK(source->puller == &pair && source->pull_awaited && source->version == 0);
	CHECK(end_of(pair.rx)->references == 1 && duct_channel_len(pair.channel) == 1);
	/* Who receives takes all the same. */
	CHECK_STATUS(duct_try_recv(filtered, &in), DUCT_OK);
	CHECK(in == 5);
	CHECK_STATUS(duct_send(pair.tx, &(uint64_t){ 6 }), DUCT_OK);
	source->puller = NULL;
	CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_OK);
	/* Who waited for that is told; nobody did the next time. */
	CHECK(source->puller == NULL && !source->pull_awaited && source->version == 1);
	CHECK_STATUS(duct_receiver_wait(filtered, 0, NULL), DUCT_OK);
	CHECK(source->puller == NULL && source->version == 1);
	CHECK(duct_channel_len(pair.channel) == 0 && queue_backlog(&source->queue).len == 1);
	CHECK_STATUS(duct_try_recv(filtered, &in), DUCT_OK);
	CHECK(in == 6);
	pair.rx = NULL;
	duct_receiver_free(filtered);
	test_pair_free(&pair);
}

/* What needs no taking they see by themselves. */
TEST(resolve, observes_the_rest_while_another_takes, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4), plain = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *filtered, *merged;

	CHECK_STATUS(duct_filter_new(&filtered, pair.rx, any, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(
	    duct_merge_new(&merged, (duct_receiver *[]){ filtered, plain.rx }, 2, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	source_of(merged)->puller = &pair;
	CHECK_STATUS(duct_send(pair.tx, &(uint64_t){ 5 }), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(merged, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_send(plain.tx, &(uint64_t){ 6 }), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(merged, 0, NULL), DUCT_OK);
	CHECK(duct_channel_len(pair.channel) == 1 && duct_channel_len(plain.channel) == 1);
	CHECK_STATUS(source_put(source_of(filtered), &(uint64_t){ 7 }), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(merged, 0, NULL), DUCT_OK);
	duct_receiver_free(merged);
	duct_receiver_free(filtered);
	test_pair_free(&pair);
	test_pair_free(&plain);
}

/* Nobody takes in order to know for what only changes messages. */
TEST(resolve, observes_where_nothing_is_left_out, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *merged;

	CHECK_STATUS(duct_merge_new(&merged, &pair.rx, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	source_of(merged)->puller = &pair; /* by whom? */
	CHECK_STATUS(duct_send(pair.tx, &(uint64_t){ 5 }), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(merged, 0, NULL), DUCT_OK);
	CHECK(source_of(merged)->version == 0 && duct_channel_len(pair.channel) == 1);
	duct_receiver_free(merged);
	test_pair_free(&pair);
}

/* ---- The order --------------------------------------------------------------------------------------------------------- */

enum { LANES = 3 };

/* The turn is a number that comes round: wherever it stands no part is left out. */
TEST(resolve, leaves_no_part_out_when_the_turn_comes_round, 10)
{
	for (uint32_t turn = UINT32_MAX - 5; turn != 6; turn++)
		for (int lane = 0; lane < LANES; lane++) {
			struct test_pair pair[LANES];
			duct_receiver *rx[LANES], *merged;
			uint64_t in = 77;

			for (int k = 0; k < LANES; k++) {
				pair[k] = test_pair_new(sizeof(uint64_t), 1);
				rx[k] = pair[k].rx;
			}
			CHECK_STATUS(duct_merge_new(&merged, rx, LANES, DUCT_COMBINE(.borrow = true)), DUCT_OK);
			atomic_store(&source_of(merged)->turn, turn);
			CHECK_STATUS(duct_send(pair[lane].tx, &(uint64_t){ (uint64_t)lane }), DUCT_OK);
			CHECK_STATUS(duct_try_recv(merged, &in), DUCT_OK);
			CHECK((int)in == lane && source_of(merged)->turn == (uint32_t)lane + 1);
			duct_receiver_free(merged);
			for (int k = 0; k < LANES; k++)
				test_pair_free(&pair[k]);
		}
}

/* A receive that finds nothing, and one that only asks, passes no turn on. */
TEST(resolve, passes_the_turn_with_a_message_only, 10)
{
	struct test_pair pair[LANES];
	duct_receiver *rx[LANES], *merged;
	uint64_t in;

	for (int k = 0; k < LANES; k++) {
		pair[k] = test_pair_new(sizeof(uint64_t), 2);
		rx[k] = pair[k].rx;
	}
	CHECK_STATUS(duct_merge_new(&merged, rx, LANES, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_try_recv(merged, &in), DUCT_EMPTY);
	CHECK(source_of(merged)->turn == 0);
	for (uint64_t k = 0; k < LANES; k++)
		CHECK_STATUS(duct_send(pair[k].tx, &k), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(merged, 0, NULL), DUCT_OK);
	CHECK(source_of(merged)->turn == 0 && duct_receiver_len(merged) == 3 && source_of(merged)->turn == 0);
	for (uint64_t k = 0; k < LANES; k++) {
		CHECK_STATUS(duct_try_recv(merged, &in), DUCT_OK);
		CHECK(in == k);
	}
	duct_receiver_free(merged);
	for (int k = 0; k < LANES; k++)
		test_pair_free(&pair[k]);
}

/* A tree is looked at from the top to the bottom, and from one part with all behind it to the next. */
TEST(resolve, looks_at_own_queues_before_those_behind, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4), other = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *low, *high, *merged;
	uint64_t in;

	CHECK_STATUS(duct_filter_new(&low, pair.rx, any, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_filter_new(&high, low, any, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&merged, (duct_receiver *[]){ high, other.rx }, 2, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	for (int again = 0; again < 20; again++) {
		CHECK_STATUS(duct_send(pair.tx, &(uint64_t){ 4 }), DUCT_OK);
		CHECK_STATUS(duct_send(other.tx, &(uint64_t){ 5 }), DUCT_OK);
		CHECK_STATUS(source_put(source_of(low), &(uint64_t){ 3 }), DUCT_OK);
		CHECK_STATUS(source_put(source_of(high), &(uint64_t){ 2 }), DUCT_OK);
		CHECK_STATUS(source_put(source_of(merged), &(uint64_t){ 1 }), DUCT_OK);
		for (uint64_t n = 1; n <= 5; n++) {
			/* All that is behind the one part, then the other: the merge passes the turn each time. */
			atomic_store(&source_of(merged)->turn, 0);
			CHECK_STATUS(duct_try_recv(merged, &in), DUCT_OK);
			CHECK(in == n);
		}
	}
	duct_receiver_free(merged);
	duct_receiver_free(high);
	duct_receiver_free(low);
	test_pair_free(&pair);
	test_pair_free(&other);
}

/* ---- What is behind a receiver ----------------------------------------------------------------------------------------- */

TEST(resolve, reaches_all_that_is_behind, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *one, *two;
	bool reaches;

	CHECK_STATUS(duct_merge_new(&one, &pair.rx, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&two, &one, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(resolve_reaches(one, source_of(two), &reaches), DUCT_OK);
	CHECK(!reaches);
	CHECK_STATUS(resolve_reaches(two, source_of(one), &reaches), DUCT_OK);
	CHECK(reaches);
	CHECK_STATUS(resolve_reaches(two, source_of(two), &reaches), DUCT_OK);
	CHECK(reaches);
	duct_receiver_free(two);
	duct_receiver_free(one);
	test_pair_free(&pair);
}

/* A message goes through a merge as it is, without a step. */
TEST(resolve, has_no_step_for_a_merge, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *merged;

	CHECK_STATUS(duct_merge_new(&merged, &pair.rx, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK(source_of(merged)->kind->step == NULL);
	duct_receiver_free(merged);
	test_pair_free(&pair);
}

/* One that ends as soon as nobody pulls it takes no more sources. */
TEST(resolve, adds_nothing_to_what_is_ending, 10)
{
	struct test_pair pair = test_pair_new(sizeof(uint64_t), 4), other = test_pair_new(sizeof(uint64_t), 4);
	duct_receiver *merged;

	CHECK_STATUS(duct_merge_new(&merged, &pair.rx, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK(source_pulls(source_of(merged), &pair));
	source_end(source_of(merged), DUCT_CLOSED);
	CHECK_STATUS(duct_merge_add(merged, other.rx, true, NULL), DUCT_CLOSED);
	source_stop_pulling(source_of(merged));
	CHECK_STATUS(duct_merge_add(merged, other.rx, true, NULL), DUCT_CLOSED);
	CHECK(end_of(other.rx)->references == 1);
	duct_receiver_free(merged);
	test_pair_free(&pair);
	test_pair_free(&other);
}

/* ---- What is kept ------------------------------------------------------------------------------------------------------ */

static uint32_t references_of(duct_cancel *token)
{
	struct op op;

	cancel_ops(token, &op);
	return op.end->references;
}

/* Nothing stays pinned, whatever a call came to. */
TEST(resolve, lets_go_of_all_that_it_looked_at, 10)
{
	struct test_pair pair[LANES];
	duct_receiver *rx[LANES], *merged, *filtered;
	duct_cancel *token;
	uint64_t in;

	for (int k = 0; k < LANES; k++) {
		pair[k] = test_pair_new(sizeof(uint64_t), 2);
		rx[k] = pair[k].rx;
	}
	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&merged, rx, LANES, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	CHECK_STATUS(duct_filter_new(&filtered, merged, any, NULL, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	for (size_t r = 1; r < ARRAY_LEN(receives); r++)
		for (int queued = 0; queued < 2; queued++) {
			if (queued)
				CHECK_STATUS(duct_send(pair[1].tx, &(uint64_t){ 1 }), DUCT_OK);
			CHECK_STATUS(test_act(receives[r], &(struct test_pair){ .rx = filtered }, &in, duct_after_ms(1), token),
			    queued ? DUCT_OK : DUCT_TIMEDOUT);
			if (receives[r] == RECEIVER_WAIT && queued)
				CHECK_STATUS(duct_try_recv(filtered, &in), DUCT_OK);
			CHECK(end_of(filtered)->references == 1 && end_of(merged)->references == 2);
			CHECK(end_of(rx[0])->references == 2 && references_of(token) == 1);
		}
	duct_cancel_free(token);
	duct_receiver_free(filtered);
	duct_receiver_free(merged);
	for (int k = 0; k < LANES; k++)
		test_pair_free(&pair[k]);
}
