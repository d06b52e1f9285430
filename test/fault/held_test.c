/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A thread blocked in a call keeps what it works on, wherever in the call it is.
 *
 * A wait that has not yet gone to sleep cannot be told from one that has, so the handles may be freed then too.  The thread is
 * held where the library gives up the processor; meanwhile all handles go, and the memory must stay until the call is over.
 * Where the library does not yield, the thread is met asleep, and the same must hold.  How to link: faults.h.
 */
#include "faults.h"
#include "harness.h"

struct held {
	duct_channel *channel; /* borrowed once the ends are freed */
	duct_sender *tx;
	duct_receiver *rx;
	duct_cancel *cancel;
	duct_status (*call)(struct held *held);
	duct_status status;
	atomic_int hold;
};

static void *run_held(void *argument)
{
	struct held *held = argument;

	fault_hold_yield(&held->hold);
	held->status = held->call(held);
	fault_unhold();
	return NULL;
}

/* The thread is held, or asleep. */
static bool is_inside(struct held *held)
{
	return atomic_load(&held->hold) == HOLD_HELD ||
	       duct_channel_waiting_receivers(held->channel) + duct_channel_waiting_senders(held->channel) > 0;
}

/* ---- Ends and channel ------------------------------------------------------------------------------------------------- */

static duct_status held_recv(struct held *held)
{
	int in;

	return duct_recv(held->rx, &in);
}

static duct_status held_recv_until(struct held *held)
{
	int in;

	return duct_recv_until(held->rx, &in, DUCT_FOREVER, held->cancel);
}

static duct_status held_recv_many(struct held *held)
{
	int in[3];

	return duct_recv_many(held->rx, in, 2, 3, NULL, DUCT_FOREVER, held->cancel);
}

static duct_status held_receiver_wait(struct held *held)
{
	return duct_receiver_wait(held->rx, DUCT_FOREVER, held->cancel);
}

static duct_status held_select(struct held *held, unsigned flags)
{
	int in;
	duct_case cases[2] = { DUCT_RECV(held->rx, &in), DUCT_RECV(held->rx, &in) };
	size_t chosen;
	duct_status status = duct_select_until(cases, 2, &chosen, flags, DUCT_FOREVER, held->cancel);

	return status == DUCT_OK ? cases[chosen].status : status;
}

static duct_status held_select_fair(struct held *held)
{
	return held_select(held, DUCT_FAIR);
}

static duct_status held_select_priority(struct held *held)
{
	return held_select(held, DUCT_PRIORITY);
}

static duct_status held_select_ready(struct held *held)
{
	return held_select(held, DUCT_READY);
}

static duct_status held_send(struct held *held)
{
	return duct_send(held->tx, &(int){ 1 });
}

static duct_status held_send_until(struct held *held)
{
	return duct_send_until(held->tx, &(int){ 1 }, DUCT_FOREVER, held->cancel);
}

static duct_status held_send_many(struct held *held)
{
	return duct_send_many(held->tx, (int[]){ 1, 2, 3 }, 3, NULL, DUCT_FOREVER, held->cancel);
}

static duct_status held_select_send(struct held *held)
{
	duct_case cases[2] = { DUCT_SEND(held->tx, &(int){ 1 }), DUCT_SEND(held->tx, &(int){ 2 }) };
	size_t chosen;
	duct_status status = duct_select_until(cases, 2, &chosen, DUCT_FAIR, DUCT_FOREVER, held->cancel);

	return status == DUCT_OK ? cases[chosen].status : status;
}

/* Frees every handle while the thread is in the call: nothing goes before the call has ended, and then everything. */
static void check_free(duct_status (*call)(struct held *held), duct_status outcome)
{
	struct fault_live before = fault_live(), inside, now;
	struct held held = { .call = call };
	pthread_t thread;

	CHECK_STATUS(duct_anycast_open(&held.tx, &held.rx, sizeof(int), 1, NULL), DUCT_OK);
	held.channel = duct_receiver_channel(held.rx);
	if (outcome == DUCT_NO_RECEIVERS)
		CHECK_STATUS(duct_try_send(held.tx, &(int){ 0 }), DUCT_OK);
	inside = fault_live();
	thread = test_start(run_held, &held);
	AWAIT(is_inside(&held));
	if (outcome == DUCT_NO_RECEIVERS) {
		duct_receiver_free(held.rx);
		duct_sender_free(held.tx);
	} else {
		duct_sender_free(held.tx);
		duct_receiver_free(held.rx);
	}
	/* The channel and the end of the call; the other end may have gone. */
	if (atomic_load(&held.hold) == HOLD_HELD)
		CHECK(fault_live().blocks >= inside.blocks - 1);
	atomic_store(&held.hold, HOLD_LET_GO);
	test_join(thread);
	CHECK(held.status == outcome || held.status == DUCT_CLOSED);
	now = fault_live();
	CHECK(fault_live_same(&before, &now));
}

TEST(held_free, during_a_receive, 10)
{
	check_free(held_recv, DUCT_CLOSED);
	check_free(held_recv_until, DUCT_CLOSED);
	check_free(held_recv_many, DUCT_CLOSED);
	check_free(held_receiver_wait, DUCT_CLOSED);
}

TEST(held_free, during_a_send, 10)
{
	check_free(held_send, DUCT_NO_RECEIVERS);
	check_free(held_send_until, DUCT_NO_RECEIVERS);
	check_free(held_send_many, DUCT_NO_RECEIVERS);
}

struct unlocking {
	struct held held;
	long unlocks; /* until the call has let go of the channel for the first time */
};

static void *run_unlocking(void *argument)
{
	struct unlocking *unlocking = argument;

	fault_hold_unlock(&unlocking->held.hold, unlocking->unlocks);
	unlocking->held.status = unlocking->held.call(&unlocking->held);
	fault_unhold();
	return NULL;
}

static void drop_nothing(void *message, void *context)
{
	(void)message, (void)context;
}

/* A send that found a broadcast full has let go of the lock, and goes on to wait: its sender stays though it is freed. */
TEST(held_free, between_the_locks_of_a_send_to_a_broadcast, 10)
{
	for (int has_hooks = 0; has_hooks < 2; has_hooks++) {
		struct fault_live before = fault_live(), inside, now;
		/*
		 * Without hooks the lock of the full queue is let go before, with them nothing has been asked yet.  (With a wrong
		 * number this shows nothing; then the bug that is planted for it is not found any more.)
		 */
		struct unlocking unlocking = { .held.call = held_send, .unlocks = has_hooks ? 1 : 2 };
		struct held *held = &unlocking.held;
		pthread_t thread;

		CHECK_STATUS(duct_broadcast_open(&held->tx, &held->rx, sizeof(int),
				 DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK, .capacity = 1),
				 DUCT_OPTIONS(.drop = has_hooks ? drop_nothing : NULL)),
		    DUCT_OK);
		CHECK_STATUS(duct_try_send(held->tx, &(int){ 0 }), DUCT_OK);
		inside = fault_live();
		thread = test_start(run_unlocking, &unlocking);
		AWAIT(atomic_load(&held->hold) == HOLD_HELD);
		duct_sender_free(held->tx);
		CHECK(fault_live().blocks == inside.blocks);
		atomic_store(&held->hold, HOLD_LET_GO);
		test_join(thread);
		CHECK_STATUS(held->status, DUCT_CLOSED);
		duct_receiver_free(held->rx);
		now = fault_live();
		CHECK(fault_live_same(&before, &now));
	}
}

static void *try_and_be_held(void *argument)
{
	struct held *held = argument;

	fault_hold_lock(&held->hold, 2); /* the channel's, and then that of the full queue */
	held->status = duct_try_send(held->tx, &(int){ 9 });
	fault_unhold();
	return NULL;
}

/*
 * A receive makes room between a sender's two looks: then that queue is not full, whatever the first look said; but another one
 * may be.
 */
TEST(held_look, sees_the_room_that_came, 10)
{
	for (int others = 0; others < 2; others++) {
		struct held held = { .hold = HOLD_SET };
		duct_receiver *other = NULL;
		pthread_t thread;
		int in = 0;

		CHECK_STATUS(duct_broadcast_open(&held.tx, &held.rx, sizeof(int),
				 DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK, .capacity = 2), NULL),
		    DUCT_OK);
		if (others)
			CHECK_STATUS(
			    duct_sender_subscribe(held.tx, &other, DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK, .capacity = 2)),
			    DUCT_OK);
		CHECK_STATUS(duct_send_many(held.tx, (int[]){ 7, 8 }, 2, NULL, 0, NULL), DUCT_OK);
		thread = test_start(try_and_be_held, &held);
		AWAIT(atomic_load(&held.hold) == HOLD_HELD);
		CHECK_STATUS(duct_try_recv(held.rx, &in), DUCT_OK);
		CHECK(in == 7);
		atomic_store(&held.hold, HOLD_LET_GO);
		test_join(thread);
		CHECK_STATUS(held.status, others ? DUCT_FULL : DUCT_OK);
		CHECK(duct_receiver_len(held.rx) == (others ? 1 : 2));
		duct_sender_free(held.tx);
		duct_receiver_free(held.rx);
		duct_receiver_free(other);
	}
}

TEST(held_free, during_a_select, 10)
{
	check_free(held_select_fair, DUCT_CLOSED);
	check_free(held_select_send, DUCT_NO_RECEIVERS);
}

TEST(held_free, during_a_select_by_priority, 10)
{
	check_free(held_select_priority, DUCT_CLOSED);
}

TEST(held_free, during_a_select_for_readiness, 10)
{
	check_free(held_select_ready, DUCT_CLOSED);
}

/* ---- Tokens ----------------------------------------------------------------------------------------------------------- */

/* Raises the token and frees it while the thread is in the call, which keeps it until it ends. */
static void check_token(duct_status (*call)(struct held *held), bool full)
{
	struct fault_live before, with, now;
	struct held held = { .call = call };
	pthread_t thread;

	CHECK_STATUS(duct_anycast_open(&held.tx, &held.rx, sizeof(int), 1, NULL), DUCT_OK);
	held.channel = duct_receiver_channel(held.rx);
	if (full)
		CHECK_STATUS(duct_try_send(held.tx, &(int){ 0 }), DUCT_OK);
	before = fault_live();
	CHECK_STATUS(duct_cancel_new(&held.cancel, NULL, DUCT_FOREVER), DUCT_OK);
	with = fault_live();
	thread = test_start(run_held, &held);
	AWAIT(is_inside(&held));
	duct_cancel_raise(held.cancel);
	duct_cancel_free(held.cancel);
	if (atomic_load(&held.hold) == HOLD_HELD)
		CHECK(fault_live().blocks == with.blocks);
	atomic_store(&held.hold, HOLD_LET_GO);
	test_join(thread);
	CHECK_STATUS(held.status, DUCT_CANCELED);
	now = fault_live();
	CHECK(fault_live_same(&before, &now));
	CHECK(duct_channel_waiting_receivers(held.channel) == 0 && duct_channel_waiting_senders(held.channel) == 0);
	duct_sender_free(held.tx);
	duct_receiver_free(held.rx);
}

/* An exchange in a thread that is held ahead of one of its locks. */
struct turn {
	duct_party *party;
	duct_cancel *cancel;
	bool gives;
	long locks;
	duct_status status;
	atomic_int hold;
};

static void *run_turn(void *argument)
{
	struct turn *turn = argument;
	int in;

	if (turn->locks > 0)
		fault_hold_lock(&turn->hold, turn->locks);
	turn->status = duct_exchange_until(
	    turn->party, turn->gives ? &(int){ 1 } : NULL, turn->gives ? NULL : &in, DUCT_FOREVER, turn->cancel);
	fault_unhold();
	return NULL;
}

/* The two halves of an exchange are one call: it keeps its token, wherever it is, between them too. */
TEST(held_token, in_either_half_of_an_exchange, 10)
{
	for (long locks = 1; locks <= 6; locks++) {
		struct turn server = { .gives = true, .locks = locks }, client = { .gives = false };
		struct fault_live before = fault_live(), with, now;
		const duct_channel *items, *replies;
		pthread_t threads[2];

		CHECK_STATUS(duct_exchange_open(&client.party, &server.party, sizeof(int), 0, NULL), DUCT_OK);
		items = duct_sender_channel(duct_party_sender(server.party));
		replies = duct_receiver_channel(duct_party_receiver(server.party));
		CHECK_STATUS(duct_cancel_new(&server.cancel, NULL, DUCT_FOREVER), DUCT_OK);
		with = fault_live();
		threads[0] = test_start(run_turn, &client);
		AWAIT(duct_channel_waiting_receivers(items) == 1);
		threads[1] = test_start(run_turn, &server);
		AWAIT(atomic_load(&server.hold) == HOLD_HELD || duct_channel_waiting_receivers(replies) == 1);
		duct_cancel_free(server.cancel);
		CHECK(fault_live().blocks == with.blocks);
		atomic_store(&server.hold, HOLD_LET_GO);
		test_join(threads[0]);
		duct_party_close(client.party);
		test_join(threads[1]);
		CHECK(client.status == DUCT_OK && server.status == DUCT_UNANSWERED);
		duct_party_free(client.party);
		duct_party_free(server.party);
		now = fault_live();
		CHECK(fault_live_same(&before, &now));
	}
}

TEST(held_token, during_a_receive, 10)
{
	check_token(held_recv_until, false);
}

TEST(held_token, during_a_receive_of_many, 10)
{
	check_token(held_recv_many, false);
}

TEST(held_token, during_a_wait_for_a_message, 10)
{
	check_token(held_receiver_wait, false);
}

TEST(held_token, during_a_send, 10)
{
	check_token(held_send_until, true);
}

TEST(held_token, during_a_send_of_many, 10)
{
	check_token(held_send_many, true);
}

TEST(held_token, during_a_select, 10)
{
	check_token(held_select_fair, false);
	check_token(held_select_priority, false);
	check_token(held_select_ready, false);
	check_token(held_select_send, true);
}

/* ---- Two merges that are added to each other ---------------------------------------------------------------------------- */

struct joining {
	duct_receiver *merged, *part;
	duct_status status;
	atomic_int hold;
	long unlocks; /* until it has seen that its part does not lead to the merge, or that there is no room for it either */
};

static void *add_and_be_held(void *argument)
{
	struct joining *joining = argument;

	fault_hold_unlock(&joining->hold, joining->unlocks);
	joining->status = duct_merge_add(joining->merged, joining->part, true, NULL);
	fault_unhold();
	return NULL;
}

/* Merged, with room for one more or not. */
static duct_receiver *merge_with_room(struct test_pair *pair, bool has_room)
{
	duct_receiver *merged, *back;
	struct test_pair gone = test_pair_new(sizeof(int), 1);

	CHECK_STATUS(duct_merge_new(&merged, &pair->rx, 1, DUCT_COMBINE(.borrow = true)), DUCT_OK);
	if (has_room) {
		CHECK_STATUS(duct_merge_add(merged, gone.rx, true, NULL), DUCT_OK);
		CHECK_STATUS(duct_merge_remove(merged, 1, &back), DUCT_OK);
	}
	test_pair_free(&gone);
	return merged;
}

/* Whoever comes second is refused, though it looked first; also if it has to make room meanwhile. */
TEST(held_add, of_two_merges_to_each_other_refuses_one, 10)
{
	for (int has_room = 0; has_room < 2; has_room++) {
		struct test_pair one = test_pair_new(sizeof(int), 1), two = test_pair_new(sizeof(int), 1);
		duct_receiver *other = merge_with_room(&two, true);
		struct joining joining = {
			.merged = merge_with_room(&one, has_room), .part = other, .hold = HOLD_SET, .unlocks = has_room ? 1 : 3
		};
		pthread_t thread = test_start(add_and_be_held, &joining);
		int in = 0;

		AWAIT(atomic_load(&joining.hold) == HOLD_HELD);
		CHECK_STATUS(duct_merge_add(other, joining.merged, true, NULL), DUCT_OK);
		atomic_store(&joining.hold, HOLD_LET_GO);
		test_join(thread);
		CHECK_STATUS(joining.status, DUCT_INVALID);
		CHECK_STATUS(duct_send(one.tx, &(int){ 5 }), DUCT_OK);
		CHECK_STATUS(duct_try_recv(other, &in), DUCT_OK);
		CHECK(in == 5);
		duct_receiver_free(other);
		duct_receiver_free(joining.merged);
		test_pair_free(&one);
		test_pair_free(&two);
	}
}
