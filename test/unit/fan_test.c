/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The fan: what the contract's tests cannot make happen from outside, or only by luck.
 */
#include "channel.h"
#include "harness.h"
#include "wait.h"

static duct_channel *channel;
static duct_sender *tx;
static int copied, fails_at;

static void open_channel(const duct_options *options)
{
	copied = fails_at = 0;
	CHECK_STATUS(duct_broadcast_new(&channel, sizeof(int), options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
}

static void close_channel(void)
{
	duct_sender_free(tx);
	duct_channel_free(channel);
}

static duct_receiver *join(duct_overflow overflow, size_t capacity)
{
	duct_receiver *rx;

	CHECK_STATUS(duct_subscribe(channel, &rx, DUCT_SUBSCRIPTION(.overflow = overflow, .capacity = capacity)), DUCT_OK);
	return rx;
}

static void send(int message)
{
	CHECK_STATUS(duct_try_send(tx, &message), DUCT_OK);
}

static void expect(duct_receiver *rx, int message)
{
	int in = -1;

	CHECK_STATUS(duct_try_recv(rx, &in), DUCT_OK);
	CHECK(in == message);
}

static void expect_nothing(duct_receiver *rx, duct_status status)
{
	int in = -1;

	CHECK_STATUS(duct_try_recv(rx, &in), status);
	CHECK(in == -1);
}

static int copy_int(void *to, const void *from, void *context)
{
	(void)context;
	if (++copied == fails_at)
		return 1;
	memcpy(to, from, sizeof(int));
	return 0;
}

/* ---- Hooks that come alone ------------------------------------------------------------------------------------------- */

/* A copy hook without a drop hook: copies that are not needed any more are simply forgotten. */
TEST(fan_hooks, copy_without_drop, 5)
{
	duct_receiver *rx[3];

	open_channel(DUCT_OPTIONS(.copy = copy_int, .replay = 1));
	rx[0] = join(DUCT_DROP_OLDEST, 1);
	rx[1] = join(DUCT_DROP_NEWEST, 1);
	send(1);
	CHECK(copied == 2); /* for the second receiver and the replay */
	send(2);
	CHECK(copied == 4);
	rx[2] = join(DUCT_LATEST_ONLY, 1);
	CHECK(copied == 5);
	expect(rx[0], 2);
	expect(rx[1], 1);
	expect(rx[2], 2);
	for (int i = 0; i < 3; i++)
		duct_receiver_free(rx[i]);
	close_channel();
}

static int told, lost_told;

static void hear(const duct_log_event *event, void *context)
{
	(void)context;
	told++;
	lost_told += (int)event->lost;
}

/* A log alone: messages need no copies, and those that are kept are overwritten where they are. */
TEST(fan_hooks, log_alone, 5)
{
	duct_receiver *rx[3];

	told = lost_told = 0;
	open_channel(DUCT_OPTIONS(.log = hear, .log_interval = 1, .replay = 2));
	rx[0] = join(DUCT_DROP_OLDEST, 2);
	CHECK_STATUS(duct_subscribe(channel, &rx[1], DUCT_SUBSCRIPTION(.overflow = DUCT_CUT_OFF, .capacity = 1, .quiet = true)),
	    DUCT_OK);
	for (int i = 1; i <= 4; i++)
		send(i);
	CHECK(duct_receiver_is_cut_off(rx[1]));
	CHECK(told == 2 && lost_told == 2); /* the quiet one is not told of */
	rx[2] = join(DUCT_DROP_OLDEST, 5);
	expect(rx[2], 3);
	expect(rx[2], 4);
	expect_nothing(rx[2], DUCT_EMPTY);
	for (int i = 0; i < 3; i++)
		duct_receiver_free(rx[i]);
	close_channel();
}

/* ---- Late receivers -------------------------------------------------------------------------------------------------- */

static int to_send; /* messages that the next copy hook sends */

static int copy_and_send(void *to, const void *from, void *context)
{
	int count = to_send;

	to_send = 0;
	for (int i = 0; i < count; i++)
		CHECK_STATUS(duct_try_send(tx, &(int){ 100 + i }), DUCT_OK);
	return copy_int(to, from, context);
}

/* What is sent while the replay is being copied comes after it; what has no room any more is left out, the oldest first. */
TEST(fan_join, copies_the_replay_ahead_of_what_came_meanwhile, 5)
{
	static const int sent[] = { 0, 1, 2, 3, 5 };

	for (size_t s = 0; s < ARRAY_LEN(sent); s++) {
		const int capacity = 3, kept = sent[s] < capacity ? (sent[s] + 2 < capacity ? 2 : capacity - sent[s]) : 0;
		const int first = sent[s] > capacity ? sent[s] - capacity : 0;
		duct_receiver *rx;
		duct_stats stats;

		to_send = 0;
		open_channel(DUCT_OPTIONS(.copy = copy_and_send, .replay = 2));
		send(1);
		send(2);
		to_send = sent[s];
		rx = join(DUCT_DROP_OLDEST, (size_t)capacity);
		CHECK_STATUS(duct_receiver_stats(rx, &stats), DUCT_OK);
		CHECK(stats.sent == (uint64_t)(kept + sent[s]) && stats.lost == (uint64_t)first);
		for (int i = 3 - kept; i <= 2; i++)
			expect(rx, i);
		for (int i = first; i < sent[s]; i++)
			expect(rx, 100 + i);
		expect_nothing(rx, DUCT_EMPTY);
		duct_receiver_free(rx);
		close_channel();
	}
}

/* With fewer references than there are messages to copy nobody joins, and nothing has changed. */
TEST(fan_join, asks_for_more_references, 5)
{
	struct node *wakes = NULL;
	duct_receiver *rx;
	struct member *member;
	duct_box *boxes[2];
	struct replay replay = { .boxes = boxes, .room = 1, .len = 7 };

	open_channel(DUCT_OPTIONS(.copy = copy_int, .replay = 2));
	rx = join(DUCT_DROP_OLDEST, 5);
	member = (struct member *)(void *)rx;
	duct_receiver_close(rx);
	send(1);
	send(2);
	CHECK(fan_replay_needed(member) == 2);
	member->overflow = DUCT_LATEST_ONLY;
	CHECK(fan_replay_needed(member) == 1);
	member->overflow = DUCT_DROP_OLDEST;
	queue_lock_both(&channel->queue);
	CHECK(!fan_join_locked(channel->fan, member, &replay, &wakes));
	CHECK(!member->joined && channel->fan->outlet.members == 0 && wakes == NULL && replay.len == 7);
	queue_unlock_both(&channel->queue);
	duct_receiver_free(rx);
	close_channel();
}

/* The names of receivers that were given none have numbers of their own. */
TEST(fan_join, numbers_names, 5)
{
	duct_receiver *rx[2];

	open_channel(DUCT_OPTIONS(.name = "prices"));
	for (int i = 0; i < 2; i++)
		rx[i] = join(DUCT_BLOCK, 1);
	CHECK(strcmp(duct_receiver_name(rx[0]), "prices-1") == 0 && strcmp(duct_receiver_name(rx[1]), "prices-2") == 0);
	for (int i = 0; i < 2; i++)
		duct_receiver_free(rx[i]);
	close_channel();
}

/* ---- Selects --------------------------------------------------------------------------------------------------------- */

/* A select in order decides under all locks, where no copy can be made: it is made, and then decided again. */
TEST(fan_select, in_order_makes_copies_without_the_locks, 5)
{
	duct_receiver *rx[2];
	int message = 5, in = -1;
	size_t chosen = 7;

	open_channel(DUCT_OPTIONS(.copy = copy_int));
	rx[0] = join(DUCT_BLOCK, 1);
	rx[1] = join(DUCT_DROP_OLDEST, 1);
	duct_case cases[] = { DUCT_RECV(rx[0], &in), DUCT_SEND(tx, &message) };
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
	CHECK(chosen == 1 && copied == 1);
	expect(rx[0], 5);
	expect(rx[1], 5);
	fails_at = 2;
	chosen = 7;
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_NOMEM);
	CHECK(chosen == 7 && copied == 2);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY | DUCT_READY, 0, NULL), DUCT_OK);
	CHECK(chosen == 1 && copied == 2);
	expect_nothing(rx[0], DUCT_EMPTY);
	expect_nothing(rx[1], DUCT_EMPTY);
	duct_receiver_free(rx[0]);
	duct_receiver_free(rx[1]);
	close_channel();
}

/* Of those in line and one that comes by, each needs room of its own. */
TEST(fan_select, does_not_take_the_room_of_those_in_line, 5)
{
	struct node *wakes = NULL;
	struct waiter waiter;
	struct op waiting, coming;
	duct_receiver *rx;
	int messages[2] = { 8, 9 };

	open_channel(NULL);
	rx = join(DUCT_BLOCK, 2);
	waiting = (struct op){ .queue = &channel->queue, .end = &tx->end, .message = &messages[0], .is_send = true };
	coming = waiting;
	coming.message = &messages[1];
	waiter_init(&waiter);
	waiter.first = (struct node){ .waiter = &waiter };
	queue_lock_both(&channel->queue);
	CHECK_STATUS(queue_probe_locked(&coming), DUCT_OK);
	queue_wait_locked(&waiting, &waiter.first);
	CHECK_STATUS(queue_probe_locked(&coming), DUCT_OK);
	queue_unlock_both(&channel->queue);
	queue_lock_put(&channel->queue);
	channel->fan->outlet.attend_locked(&channel->queue, &wakes);
	queue_unlock_put(&channel->queue);
	wakes_notify(wakes);
	CHECK(waiter.claim == 0 && waiter.wake == WAKE_NOTIFIED && waiter.status == DUCT_OK);
	wakes = NULL;
	waiter_init(&waiter);
	queue_lock_both(&channel->queue);
	CHECK_STATUS(queue_probe_locked(&coming), DUCT_OK);
	queue_wait_locked(&waiting, &waiter.first);
	CHECK_STATUS(queue_probe_locked(&coming), DUCT_FULL);
	queue_unlock_both(&channel->queue);
	queue_unwait(&waiting, &waiter.first);
	expect(rx, 8);
	duct_receiver_free(rx);
	close_channel();
}

/* With the locks of the gate: a send that stands in line, as if it slept. */
static void stand_in_line(struct waiter *waiter, struct op *op, int *message)
{
	*op = (struct op){ .queue = &channel->queue, .end = &tx->end, .message = message, .is_send = true };
	waiter_init(waiter);
	waiter->first = (struct node){ .waiter = waiter };
	queue_lock_both(&channel->queue);
	queue_wait_locked(op, &waiter->first);
	queue_unlock_both(&channel->queue);
}

/* Those in line go first; if that cuts off the last receiver, there is nobody any more. */
TEST(fan_line, cuts_off_the_last_receiver_before_the_next_send, 5)
{
	for (int many = 0; many < 2; many++) {
		struct waiter waiter;
		struct op op;
		duct_receiver *rx;
		int message = 8;
		size_t sent = 7;

		open_channel(DUCT_OPTIONS(.unheard = DUCT_UNHEARD_FAIL));
		rx = join(DUCT_CUT_OFF, 1);
		send(1);
		stand_in_line(&waiter, &op, &message);
		if (many) {
			CHECK_STATUS(duct_send_many(tx, (int[]){ 9, 10 }, 2, &sent, 0, NULL), DUCT_NO_RECEIVERS);
			CHECK(sent == 0);
		} else {
			CHECK_STATUS(duct_try_send(tx, &(int){ 9 }), DUCT_NO_RECEIVERS);
		}
		CHECK(waiter.claim == 0 && waiter.status == DUCT_OK && duct_receiver_is_cut_off(rx));
		expect(rx, 1);
		expect_nothing(rx, DUCT_CLOSED);
		duct_receiver_free(rx);
		close_channel();
	}
}

/* ---- An outlet that changes its mind --------------------------------------------------------------------------------- */

static int calls;
static duct_status answers[3];

static duct_status answer_put(const struct op *op, struct node **wakes)
{
	(void)op;
	(void)wakes;
	return answers[calls++];
}

static duct_status answer_probe(const struct op *op)
{
	(void)op;
	return DUCT_OK;
}

/* What was decided under all locks is decided again if it could not be done while they were released; or ends as it says. */
TEST(fan_select, asks_again_if_what_was_decided_cannot_be_done, 5)
{
	static const duct_status ends[] = { DUCT_OK, DUCT_CLOSED };
	static const _Atomic int32_t scout = CLAIM_FREE;
	const struct outlet outlet = { .scout = &scout, .put_locked = answer_put, .probe_locked = answer_probe };
	const struct wait_rules rules = { .deadline = DUCT_FOREVER, .expired = DUCT_TIMEDOUT, .in_order = true };
	const struct tour tour = tour_plan(2, true);
	size_t words[2];

	for (size_t e = 0; e < ARRAY_LEN(ends); e++) {
		struct queue gate;
		struct end end;
		struct wait wait;

		CHECK(queue_init(&gate, 0, 0, words, NULL));
		gate.outlet = &outlet;
		end_init(&end, &gate, NULL, NULL);
		answers[0] = answers[1] = DUCT_FULL;
		answers[2] = ends[e];
		calls = 0;
		CHECK_STATUS(wait_init(&wait, 2, NULL), DUCT_OK);
		for (int i = 0; i < 2; i++)
			wait.ops[i] = (struct op){ .queue = &gate, .end = &end, .is_send = true };
		CHECK_STATUS(wait_any(&wait, &rules, &tour), ends[e]);
		CHECK(calls == 3 && wait.done == 0);
		wait_fini(&wait);
		queue_fini(&gate);
	}
}

/* ---- The gate -------------------------------------------------------------------------------------------------------- */

/* Queues of one gate stand together in the order of locking, the gate first. */
TEST(fan_gate, comes_before_its_members, 5)
{
	duct_channel *other;
	duct_receiver *rx[2], *stranger;
	const struct queue *gate, *members[2];
	size_t chosen;
	int in;

	open_channel(NULL);
	CHECK_STATUS(duct_broadcast_new(&other, sizeof(int), NULL), DUCT_OK);
	for (int i = 0; i < 2; i++) {
		rx[i] = join(DUCT_BLOCK, 1);
		members[i] = rx[i]->end.queue;
	}
	gate = &channel->queue;
	for (int i = 0; i < 2; i++) {
		CHECK(queue_precedes(gate, members[i]) && !queue_precedes(members[i], gate));
		CHECK(queue_precedes(members[i], &other->queue) && !queue_precedes(&other->queue, members[i]));
	}
	CHECK(queue_precedes(members[0], members[1]) != queue_precedes(members[1], members[0]));
	CHECK(!queue_precedes(gate, gate) && !queue_precedes(members[0], members[0]));
	other->queue.id = gate->id; /* ids come round */
	for (int i = 0; i < 2; i++)
		CHECK(queue_precedes(gate, &other->queue) == queue_precedes(members[i], &other->queue));
	CHECK_STATUS(duct_receiver_new(other, &stranger), DUCT_OK);
	duct_case cases[] = { DUCT_RECV(rx[0], &in), DUCT_RECV(stranger, &in), DUCT_RECV(rx[1], &in) };
	CHECK_STATUS(duct_try_select(cases, 3, &chosen), DUCT_EMPTY);
	duct_receiver_free(stranger);
	duct_receiver_free(rx[0]);
	duct_receiver_free(rx[1]);
	duct_channel_free(other);
	close_channel();
}

/* What is seen of a gate without a lock: the scout is out or not. */
TEST(fan_gate, looks_full_while_the_scout_is_out, 5)
{
	duct_receiver *rx;
	int message = 3;

	open_channel(NULL);
	rx = join(DUCT_BLOCK, 1);
	const struct op op = { .queue = &channel->queue, .end = &tx->end, .message = &message, .is_send = true };
	send(1);
	CHECK(queue_looks_ready(&op));
	CHECK_STATUS(duct_try_send(tx, &message), DUCT_FULL);
	CHECK(!queue_looks_ready(&op) && channel->fan->scouting);
	expect(rx, 1);
	CHECK(queue_looks_ready(&op) && !channel->fan->scouting);
	CHECK_STATUS(duct_try_send(tx, &message), DUCT_OK);
	CHECK_STATUS(duct_try_send(tx, &message), DUCT_FULL);
	CHECK(!queue_looks_ready(&op));
	duct_channel_close(channel, 0);
	CHECK(queue_looks_ready(&op));
	duct_receiver_free(rx);
	CHECK(!channel->fan->scouting && channel->references == 2); /* the handle, the sender */
	close_channel();
}

/* A peekable is nobody's receiver: what it has yet to show is not there to be discarded. */
TEST(fan_gate, hides_peekables_from_a_discard, 5)
{
	duct_peekable *peekable;
	duct_receiver *rx;
	size_t discarded = 7;
	int in = -1;

	open_channel(NULL);
	CHECK_STATUS(duct_peekable_new(channel, &peekable), DUCT_OK);
	rx = join(DUCT_BLOCK, 2);
	send(1);
	CHECK_STATUS(duct_channel_discard(channel, &discarded), DUCT_OK);
	CHECK(discarded == 1);
	CHECK_STATUS(duct_peek(peekable, &in), DUCT_OK);
	CHECK(in == 1);
	expect_nothing(rx, DUCT_EMPTY);
	duct_peekable_free(peekable);
	duct_receiver_free(rx);
	close_channel();
}

static void hear_nothing(const duct_log_event *event, void *context)
{
	(void)event, (void)context;
}

/* The interval of a receiver's log begins when it is told, not when the send did that lost something. */
TEST(fan_log, counts_its_interval_from_what_it_told, 5)
{
	enum { HOUR = 3600 };
	duct_receiver *full, *lossy;
	struct test_call call;
	duct_time waiting;

	open_channel(DUCT_OPTIONS(.log = hear_nothing, .log_interval = (int64_t)HOUR * 1000000000));
	full = join(DUCT_BLOCK, 1);
	lossy = join(DUCT_DROP_OLDEST, 1);
	send(1);
	test_send_start(&call, tx, 2);
	AWAIT(duct_channel_waiting_senders(channel) == 1);
	waiting = duct_now();
	expect(full, 1);
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(((struct member *)(void *)lossy)->log.next >= waiting + (int64_t)HOUR * 1000000000);
	duct_receiver_free(full);
	duct_receiver_free(lossy);
	close_channel();
}

/* Where a sender could not go on, a take shows it that messages move, though it may not stand in line. */
TEST(fan_gate, shows_that_room_came, 5)
{
	duct_receiver *full;
	size_t before;

	open_channel(NULL);
	full = join(DUCT_BLOCK, 1);
	send(1);
	CHECK_STATUS(duct_try_send(tx, &(int){ 2 }), DUCT_FULL);
	before = channel->queue.put.at.position;
	expect(full, 1);
	CHECK(channel->queue.put.at.position > before && channel->queue.put.at.position == channel->queue.take.at.position);
	duct_receiver_free(full);
	close_channel();
}

/* Those that block are counted however they came to it, and as long as they are there. */
TEST(fan_gate, counts_those_who_block, 5)
{
	duct_receiver *rx[3];

	open_channel(NULL);
	rx[0] = join(DUCT_BLOCK, 1);
	rx[1] = join(DUCT_DROP_OLDEST, 1);
	rx[2] = join(DUCT_DROP_OLDEST, 1);
	CHECK(channel->fan->blocking == 1);
	CHECK_STATUS(duct_receiver_set_overflow(rx[1], DUCT_BLOCK), DUCT_OK);
	CHECK(channel->fan->blocking == 2);
	CHECK_STATUS(duct_receiver_set_overflow(rx[1], DUCT_BLOCK), DUCT_OK);
	CHECK(channel->fan->blocking == 2);
	CHECK_STATUS(duct_receiver_set_overflow(rx[0], DUCT_CUT_OFF), DUCT_OK);
	CHECK(channel->fan->blocking == 1);
	duct_receiver_free(rx[1]);
	CHECK(channel->fan->blocking == 0);
	CHECK_STATUS(duct_receiver_set_overflow(rx[2], DUCT_BLOCK), DUCT_OK);
	duct_receiver_close(rx[2]);
	CHECK(channel->fan->blocking == 0);
	CHECK_STATUS(duct_receiver_set_overflow(rx[2], DUCT_DROP_NEWEST), DUCT_OK);
	CHECK(channel->fan->blocking == 0); /* it has left */
	duct_receiver_free(rx[0]);
	duct_receiver_free(rx[2]);
	close_channel();
}

/* Waiting threads see by the cursors that messages move, and to how many; nothing is queued there. */
TEST(fan_gate, shows_progress, 5)
{
	duct_receiver *rx[2];
	size_t before;

	open_channel(NULL);
	for (size_t receivers = 0; receivers <= 2; receivers++) {
		before = channel->queue.put.at.position;
		CHECK(before % 2 == 1);
		CHECK_STATUS(duct_send_many(tx, (int[]){ 1, 2, 3 }, 3, NULL, 0, NULL), DUCT_OK);
		CHECK(channel->queue.put.at.position == before + 6 * (1 + receivers));
		CHECK(channel->queue.take.at.position == before + 6 * (1 + receivers));
		CHECK(queue_backlog(&channel->queue).len == 0);
		if (receivers < 2)
			rx[receivers] = join(DUCT_DROP_OLDEST, 3);
	}
	duct_receiver_free(rx[0]);
	duct_receiver_free(rx[1]);
	close_channel();
}
