/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Relays: who gets a message, what each target came to, and whose the message is then.
 */
#include "crowd.h"
#include "instances.h"

enum { TARGETS = 3 };

/* Three channels, and a relay over a sender of each. */
struct tee {
	struct test_pair to[TARGETS];
	duct_relay *relay;
};

/* Of ints, at these capacities, with the senders borrowed; what the test makes of the targets comes later. */
static struct tee tee_with(size_t first, size_t second, size_t third, unsigned flags)
{
	struct tee tee = { { test_pair_new(sizeof(int), first), test_pair_new(sizeof(int), second),
			       test_pair_new(sizeof(int), third) },
		NULL };
	duct_sender *senders[TARGETS] = { tee.to[0].tx, tee.to[1].tx, tee.to[2].tx };

	CHECK_STATUS(duct_relay_new(&tee.relay, senders, TARGETS, flags | DUCT_BORROW_SENDER), DUCT_OK);
	return tee;
}

static void tee_free(struct tee *tee)
{
	duct_relay_free(tee->relay);
	for (int i = 0; i < TARGETS; i++)
		test_pair_free(&tee->to[i]);
}

static bool statuses_are(const duct_status *statuses, duct_status first, duct_status second, duct_status third)
{
	if (statuses[0] == first && statuses[1] == second && statuses[2] == third)
		return true;
	fprintf(stderr, "%s; %s; %s\n", duct_strerror(statuses[0]), duct_strerror(statuses[1]), duct_strerror(statuses[2]));
	return false;
}

#define NO_STATUSES \
	{ \
		DUCT_UNSUPPORTED, DUCT_UNSUPPORTED, DUCT_UNSUPPORTED \
	}

/* ---- Who gets it --------------------------------------------------------------------------------------------------- */

/* All receivers get all messages, by each form of the send. */
TEST(relay, sends_to_all, 5)
{
	struct tee tee = tee_with(9, 9, 9, 0);
	duct_status statuses[TARGETS] = NO_STATUSES;

	CHECK_STATUS(duct_relay_send(tee.relay, &(int){ 42 }, statuses), DUCT_OK);
	CHECK(statuses_are(statuses, DUCT_OK, DUCT_OK, DUCT_OK));
	CHECK_STATUS(duct_relay_send(tee.relay, &(int){ 43 }, NULL), DUCT_OK);
	CHECK_STATUS(duct_relay_try_send(tee.relay, &(int){ 44 }, NULL), DUCT_OK);
	CHECK_STATUS(duct_relay_send_until(tee.relay, &(int){ 45 }, NULL, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_relay_send(tee.relay, &(int){ -2 }, statuses), DUCT_OK);
	for (int i = 0; i < TARGETS; i++)
		CHECK(reads(tee.to[i].rx, 42, 45) && reads(tee.to[i].rx, -2, -2) && then(tee.to[i].rx, DUCT_EMPTY));
	tee_free(&tee);
}

/* To one target alone, and to a broadcast's receivers, and with messages of no bytes. */
TEST(relay, sends_to_channels_of_all_kinds, 5)
{
	struct crowd crowd = crowd_new(NULL);
	struct test_pair pair = test_pair_new(sizeof(int), 3), empty = test_pair_new(0, 3);
	duct_receiver *rx[2] = { crowd_join(&crowd, DUCT_DROP_OLDEST, 3), crowd_join(&crowd, DUCT_BLOCK, 3) };
	duct_sender *senders[] = { crowd.tx, pair.tx };
	duct_relay *relay;

	CHECK_STATUS(duct_relay_new(&relay, senders, 2, DUCT_BORROW_SENDER), DUCT_OK);
	CHECK_STATUS(duct_relay_send(relay, &(int){ 1 }, NULL), DUCT_OK);
	CHECK(reads(rx[0], 1, 1) && reads(rx[1], 1, 1) && reads(pair.rx, 1, 1));
	duct_relay_free(relay);
	CHECK_STATUS(duct_relay_new(&relay, &empty.tx, 1, 0), DUCT_OK);
	CHECK_STATUS(duct_relay_send(relay, NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_recv(empty.rx, NULL), DUCT_OK);
	duct_relay_free(relay);
	empty.tx = NULL;
	duct_receiver_free(rx[0]);
	duct_receiver_free(rx[1]);
	test_pair_free(&pair);
	test_pair_free(&empty);
	crowd_free(&crowd);
}

/* A target that cannot have it says why, and the others have it; the result is the first that is not OK. */
TEST(relay, tells_of_each_target, 5)
{
	struct tee tee = tee_with(1, 5, 5, 0);
	duct_status statuses[TARGETS] = NO_STATUSES;

	CHECK(sends(tee.to[0].tx, 0, 0));
	CHECK_STATUS(duct_relay_try_send(tee.relay, &(int){ 1 }, statuses), DUCT_FULL);
	CHECK(statuses_are(statuses, DUCT_FULL, DUCT_OK, DUCT_OK));
	duct_channel_close(tee.to[1].channel, 0);
	CHECK_STATUS(duct_relay_try_send(tee.relay, &(int){ 2 }, statuses), DUCT_FULL);
	CHECK(statuses_are(statuses, DUCT_FULL, DUCT_CLOSED, DUCT_OK));
	CHECK(reads(tee.to[0].rx, 0, 0) && reads(tee.to[1].rx, 1, 1) && reads(tee.to[2].rx, 1, 2));
	duct_receiver_close(tee.to[2].rx);
	CHECK_STATUS(duct_relay_send(tee.relay, &(int){ 3 }, statuses), DUCT_CLOSED);
	CHECK(statuses_are(statuses, DUCT_OK, DUCT_CLOSED, DUCT_NO_RECEIVERS));
	CHECK_STATUS(duct_relay_try_send(tee.relay, &(int){ 4 }, NULL), DUCT_FULL);
	CHECK(reads(tee.to[0].rx, 3, 3) && then(tee.to[0].rx, DUCT_EMPTY));
	tee_free(&tee);
}

/* Told to stop at the first failure, it tries none behind it; those before it have the message. */
TEST(relay, stops_at_a_failure_if_it_is_told_to, 5)
{
	struct tee tee = tee_with(5, 1, 5, DUCT_STOP_AT_FAILURE);
	duct_status statuses[TARGETS] = NO_STATUSES;

	CHECK_STATUS(duct_relay_try_send(tee.relay, &(int){ 1 }, statuses), DUCT_OK);
	CHECK(statuses_are(statuses, DUCT_OK, DUCT_OK, DUCT_OK));
	CHECK_STATUS(duct_relay_try_send(tee.relay, &(int){ 2 }, statuses), DUCT_FULL);
	CHECK(statuses_are(statuses, DUCT_OK, DUCT_FULL, DUCT_CANCELED));
	CHECK(reads(tee.to[0].rx, 1, 2) && reads(tee.to[1].rx, 1, 1) && reads(tee.to[2].rx, 1, 1));
	for (int i = 0; i < TARGETS; i++)
		CHECK(then(tee.to[i].rx, DUCT_EMPTY));
	tee_free(&tee);
}

/* ---- Waiting ------------------------------------------------------------------------------------------------------- */

struct relaying {
	duct_relay *relay;
	duct_time deadline;
	duct_cancel *cancel;
	duct_status statuses[TARGETS], result;
};

static void *relay_seven(void *argument)
{
	struct relaying *relaying = argument;

	relaying->result =
	    duct_relay_send_until(relaying->relay, &(int){ 7 }, relaying->statuses, relaying->deadline, relaying->cancel);
	return NULL;
}

/* The plain send waits for ever. */
static void *relay_seven_plainly(void *argument)
{
	struct relaying *relaying = argument;

	relaying->result = duct_relay_send(relaying->relay, &(int){ 7 }, relaying->statuses);
	return NULL;
}

static struct relaying relaying_by(duct_relay *relay, duct_cancel *cancel)
{
	return (struct relaying){ relay, DUCT_FOREVER, cancel, NO_STATUSES, DUCT_UNSUPPORTED };
}

/* It waits at a full target, when those before it have the message, and those behind do not. */
TEST(relay, waits_at_each_target, 5)
{
	for (int plain = 0; plain < 2; plain++) {
		struct tee tee = tee_with(5, 1, 5, 0);
		struct relaying relaying = relaying_by(tee.relay, NULL);
		pthread_t thread;

		CHECK(sends(tee.to[1].tx, 6, 6));
		thread = test_start(plain ? relay_seven_plainly : relay_seven, &relaying);
		AWAIT(duct_channel_waiting_senders(tee.to[1].channel) == 1);
		CHECK(reads(tee.to[0].rx, 7, 7) && then(tee.to[2].rx, DUCT_EMPTY));
		CHECK(reads(tee.to[1].rx, 6, 7));
		test_join(thread);
		CHECK_STATUS(relaying.result, DUCT_OK);
		CHECK(statuses_are(relaying.statuses, DUCT_OK, DUCT_OK, DUCT_OK) && reads(tee.to[2].rx, 7, 7));
		tee_free(&tee);
	}
}

/* One deadline is for all: what is ready gets the message after it too. */
TEST(relay, has_one_deadline, 5)
{
	struct tee tee = tee_with(1, 1, 5, 0);
	struct relaying relaying = relaying_by(tee.relay, NULL);

	CHECK(sends(tee.to[0].tx, 6, 6) && sends(tee.to[1].tx, 6, 6));
	relaying.deadline = duct_after_ms(10);
	relay_seven(&relaying);
	CHECK(duct_now() >= relaying.deadline && relaying.result == DUCT_TIMEDOUT);
	CHECK(statuses_are(relaying.statuses, DUCT_TIMEDOUT, DUCT_TIMEDOUT, DUCT_OK) && reads(tee.to[2].rx, 7, 7));
	tee_free(&tee);
}

/* A token that is raised ends the wait, and all that were to follow. */
TEST(relay, is_canceled_on_its_way, 5)
{
	struct tee tee = tee_with(5, 0, 5, 0);
	struct relaying relaying;
	duct_cancel *cancel;
	pthread_t thread;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	relaying = relaying_by(tee.relay, cancel);
	thread = test_start(relay_seven, &relaying);
	AWAIT(duct_channel_waiting_senders(tee.to[1].channel) == 1);
	duct_cancel_raise(cancel);
	test_join(thread);
	CHECK(relaying.result == DUCT_CANCELED && statuses_are(relaying.statuses, DUCT_OK, DUCT_CANCELED, DUCT_CANCELED));
	CHECK(reads(tee.to[0].rx, 7, 7) && then(tee.to[2].rx, DUCT_EMPTY));
	relaying = relaying_by(tee.relay, cancel);
	relay_seven(&relaying);
	CHECK(statuses_are(relaying.statuses, DUCT_CANCELED, DUCT_CANCELED, DUCT_CANCELED) && then(tee.to[0].rx, DUCT_EMPTY));
	duct_cancel_free(cancel);
	tee_free(&tee);
}

/* ---- Whose the message is ------------------------------------------------------------------------------------------ */

static const duct_options counted = { .size = sizeof(duct_options), .copy = instance_copy, .drop = instance_drop };

static struct tee counted_tee(unsigned flags)
{
	struct tee tee;
	duct_sender *senders[TARGETS];

	for (int i = 0; i < TARGETS; i++) {
		tee.to[i] = test_pair_with(sizeof(struct instance), 5, &counted);
		senders[i] = tee.to[i].tx;
	}
	CHECK_STATUS(duct_relay_new(&tee.relay, senders, TARGETS, flags | DUCT_BORROW_SENDER), DUCT_OK);
	return tee;
}

/* If all have it, the last one has the message itself, and the others each a copy. */
TEST(relay, moves_the_message_if_all_have_it, 5)
{
	struct tee tee = counted_tee(0);
	struct instance out = instance_new(1), in[TARGETS];

	CHECK_STATUS(duct_relay_send(tee.relay, &out, NULL), DUCT_OK);
	CHECK(instances.copied == 2 && instances_alive() == 3);
	for (int i = 0; i < TARGETS; i++) {
		CHECK_STATUS(duct_try_recv(tee.to[i].rx, &in[i]), DUCT_OK);
		instance_end(&in[i]);
		CHECK((in[i].id == out.id) == (i == 2) && in[i].number == 1);
	}
	tee_free(&tee);
	CHECK(instances_alive() == 0 && instances.dropped == 0);
}

/* If one has it not, the message stays the caller's, each of the others has a copy, and no copy is left over. */
TEST(relay, leaves_the_message_if_one_has_it_not, 5)
{
	for (unsigned failing = 1; failing < 8; failing++)
		for (unsigned stops = 0; stops < 2; stops++) {
			struct tee tee = counted_tee(stops ? DUCT_STOP_AT_FAILURE : 0);
			duct_status statuses[TARGETS] = NO_STATUSES;
			struct instance out = instance_new(1);
			bool failed = false;

			for (int i = 0; i < TARGETS; i++)
				if (failing & 1u << i)
					duct_receiver_close(tee.to[i].rx);
			CHECK_STATUS(duct_relay_send(tee.relay, &out, statuses), DUCT_NO_RECEIVERS);
			for (int i = 0; i < TARGETS; i++) {
				const bool fails = (failing & 1u << i) != 0, has_it = !fails && !(stops && failed);

				CHECK(statuses[i] == (has_it ? DUCT_OK : stops && failed ? DUCT_CANCELED : DUCT_NO_RECEIVERS));
				CHECK(!has_it || instances_read(tee.to[i].rx, 1, 1));
				failed = failed || fails;
			}
			CHECK(instances_alive() == 1);
			instance_end(&out);
			tee_free(&tee);
			CHECK(instances_alive() == 0);
		}
}

/* A copy that one target did not take is the next one's: no more are made than are needed. */
TEST(relay, gives_a_refused_copy_to_the_next, 5)
{
	struct tee tee = counted_tee(0);
	struct instance out = instance_new(1);

	duct_receiver_close(tee.to[0].rx);
	CHECK_STATUS(duct_relay_send(tee.relay, &out, NULL), DUCT_NO_RECEIVERS);
	CHECK(instances.copied == 2 && instances.dropped == 0 && instances_alive() == 3);
	instance_end(&out);
	CHECK(instances_read(tee.to[1].rx, 1, 1) && instances_read(tee.to[2].rx, 1, 1));
	tee_free(&tee);
}

/* A copy that fails is a failure of its target alone. */
TEST(relay, goes_on_after_a_copy_that_failed, 5)
{
	struct tee tee = counted_tee(0);
	duct_status statuses[TARGETS] = NO_STATUSES;
	struct instance out = instance_new(1);

	atomic_store(&instances.fail_in, 2);
	CHECK_STATUS(duct_relay_send(tee.relay, &out, statuses), DUCT_NOMEM);
	CHECK(statuses_are(statuses, DUCT_OK, DUCT_NOMEM, DUCT_OK) && instances_alive() == 3);
	instance_end(&out);
	CHECK(instances_read(tee.to[0].rx, 1, 1) && instances_read(tee.to[2].rx, 1, 1));
	tee_free(&tee);
	CHECK(instances_alive() == 0);
}

/* A token that was raised before costs no copy. */
TEST(relay, copies_nothing_that_was_canceled, 5)
{
	struct tee tee = counted_tee(0);
	struct instance out = instance_new(1);
	duct_cancel *cancel;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, 0), DUCT_OK);
	CHECK_STATUS(duct_relay_send_until(tee.relay, &out, NULL, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(instances.copied == 0 && instances_alive() == 1);
	instance_end(&out);
	duct_cancel_free(cancel);
	tee_free(&tee);
}

/* To a target alone the message itself goes. */
TEST(relay, of_one_copies_nothing, 5)
{
	struct test_pair pair = test_pair_with(sizeof(struct instance), 1, &counted);
	struct instance out = instance_new(1);
	duct_relay *relay;

	CHECK_STATUS(duct_relay_new(&relay, &pair.tx, 1, 0), DUCT_OK);
	CHECK_STATUS(duct_relay_send(relay, &out, NULL), DUCT_OK);
	out = instance_new(2);
	CHECK_STATUS(duct_relay_try_send(relay, &out, NULL), DUCT_FULL);
	CHECK(instances.copied == 0);
	instance_end(&out);
	CHECK(instances_read(pair.rx, 1, 1) && instances_alive() == 0);
	duct_relay_free(relay);
	pair.tx = NULL;
	test_pair_free(&pair);
}

static void count_drop(void *message, void *context)
{
	(void)message;
	++*(int *)context;
}

/* Without a copy hook the bytes are copied, and there is nothing to drop for a target that has it not. */
TEST(relay, copies_bytes_where_there_is_no_hook, 5)
{
	int drops = 0;
	struct test_pair pairs[2];
	duct_sender *senders[2];
	duct_relay *relay;

	for (int i = 0; i < 2; i++) {
		pairs[i] = test_pair_with(sizeof(int), 2, DUCT_OPTIONS(.drop = count_drop, .context = &drops));
		senders[i] = pairs[i].tx;
	}
	CHECK_STATUS(duct_relay_new(&relay, senders, 2, DUCT_BORROW_SENDER), DUCT_OK);
	duct_receiver_close(pairs[0].rx);
	CHECK_STATUS(duct_relay_send(relay, &(int){ 1 }, NULL), DUCT_NO_RECEIVERS);
	CHECK(drops == 0 && reads(pairs[1].rx, 1, 1));
	duct_receiver_close(pairs[1].rx);
	CHECK_STATUS(duct_relay_send(relay, &(int){ 1 }, NULL), DUCT_NO_RECEIVERS);
	CHECK(drops == 0);
	duct_relay_free(relay);
	for (int i = 0; i < 2; i++)
		test_pair_free(&pairs[i]);
	CHECK(drops == 0);
}

/* Boxes are shared by all targets; a large message is copied whole. */
TEST(relay, copies_large_messages, 5)
{
	struct large {
		union {
			duct_box *box;
			struct instance instance;
		};
		char filling[5000];
	};
	static struct large out, in;
	struct test_pair pairs[2];
	duct_sender *senders[2];
	duct_relay *relay;

	for (int i = 0; i < 2; i++) {
		pairs[i] = test_pair_with(sizeof(duct_box *), 2, DUCT_OPTIONS(DUCT_BOX_HOOKS));
		senders[i] = pairs[i].tx;
	}
	CHECK_STATUS(duct_box_new(&out.box, 10, NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_relay_new(&relay, senders, 2, 0), DUCT_OK);
	CHECK_STATUS(duct_relay_send(relay, &out.box, NULL), DUCT_OK);
	for (int i = 0; i < 2; i++) {
		CHECK_STATUS(duct_recv(pairs[i].rx, &in.box), DUCT_OK);
		CHECK(in.box == out.box);
		duct_box_free(in.box);
	}
	duct_relay_free(relay);
	for (int i = 0; i < 2; i++) {
		pairs[i].tx = NULL;
		test_pair_free(&pairs[i]);
		pairs[i] = test_pair_with(sizeof out, 2, i == 0 ? &counted : NULL);
		senders[i] = pairs[i].tx;
	}
	out.instance = instance_new(3);
	memset(out.filling, 5, sizeof out.filling);
	CHECK_STATUS(duct_relay_new(&relay, senders, 2, DUCT_BORROW_SENDER), DUCT_OK);
	CHECK_STATUS(duct_relay_send(relay, &out, NULL), DUCT_OK);
	CHECK_STATUS(duct_recv(pairs[1].rx, &in), DUCT_OK);
	CHECK(memcmp(&out, &in, sizeof out) == 0 && instances.copied == 1);
	duct_relay_free(relay);
	for (int i = 0; i < 2; i++)
		test_pair_free(&pairs[i]);
}

/* ---- Its senders --------------------------------------------------------------------------------------------------- */

/* A close, and a free, closes the senders that it owns. */
TEST(relay, closes_what_it_owns, 5)
{
	struct test_pair pairs[2] = { test_pair_new(sizeof(int), 2), test_pair_new(sizeof(int), 2) };
	duct_sender *senders[] = { pairs[0].tx, pairs[1].tx };
	duct_status statuses[2];
	duct_relay *relay;

	CHECK_STATUS(duct_relay_new(&relay, senders, 2, 0), DUCT_OK);
	CHECK_STATUS(duct_relay_send(relay, &(int){ 1 }, NULL), DUCT_OK);
	for (int again = 0; again < 2; again++) {
		duct_relay_close(relay);
		CHECK_STATUS(duct_relay_send(relay, &(int){ 2 }, statuses), DUCT_CLOSED);
		CHECK(statuses[0] == DUCT_CLOSED && statuses[1] == DUCT_CLOSED);
		CHECK(duct_channel_senders(pairs[0].channel) == 0 && duct_channel_senders(pairs[1].channel) == 0);
	}
	duct_relay_free(relay);
	for (int i = 0; i < 2; i++) {
		CHECK_STATUS(duct_sender_new(pairs[i].channel, &senders[i]), DUCT_OK);
		CHECK(reads(pairs[i].rx, 1, 1));
	}
	{
		DUCT_AUTO_RELAY duct_relay *left = NULL;

		CHECK_STATUS(duct_relay_new(&left, senders, 2, 0), DUCT_OK);
		CHECK(duct_channel_senders(pairs[1].channel) == 1);
	}
	for (int i = 0; i < 2; i++) {
		CHECK(duct_channel_senders(pairs[i].channel) == 0);
		pairs[i].tx = NULL;
		test_pair_free(&pairs[i]);
	}
}

/* Those that it borrows stay open: only itself is closed. */
TEST(relay, leaves_what_it_borrows_open, 5)
{
	struct tee tee = tee_with(2, 2, 2, 0);
	duct_status statuses[TARGETS] = NO_STATUSES;

	duct_relay_close(tee.relay);
	CHECK_STATUS(duct_relay_try_send(tee.relay, &(int){ 1 }, statuses), DUCT_CLOSED);
	CHECK(statuses_are(statuses, DUCT_CLOSED, DUCT_CLOSED, DUCT_CLOSED));
	for (int freed = 0; freed < 2; freed++) {
		for (int i = 0; i < TARGETS; i++)
			CHECK(sends(tee.to[i].tx, 5, 5) && reads(tee.to[i].rx, 5, 5) && then(tee.to[i].rx, DUCT_EMPTY));
		duct_relay_free(tee.relay);
		tee.relay = NULL;
	}
	tee_free(&tee);
}

/* A borrowed sender may be freed before the relay, which then finds it closed. */
TEST(relay, outlives_what_it_borrows, 5)
{
	struct tee tee = tee_with(2, 2, 2, 0);
	duct_status statuses[TARGETS] = NO_STATUSES;

	duct_sender_free(tee.to[1].tx);
	tee.to[1].tx = NULL;
	duct_channel_free(tee.to[1].channel);
	duct_receiver_free(tee.to[1].rx);
	tee.to[1] = (struct test_pair){ NULL, NULL, NULL };
	CHECK_STATUS(duct_relay_send(tee.relay, &(int){ 1 }, statuses), DUCT_CLOSED);
	CHECK(statuses_are(statuses, DUCT_OK, DUCT_CLOSED, DUCT_OK));
	tee_free(&tee);
}

/* A free ends the sends that are blocked in senders that it owns, and the targets behind are closed too. */
TEST(relay, ends_its_sends_when_freed, 5)
{
	struct test_pair pairs[TARGETS];
	duct_sender *senders[TARGETS];
	struct relaying relaying;
	pthread_t thread;

	for (int i = 0; i < TARGETS; i++) {
		pairs[i] = test_pair_new(sizeof(int), i == 1 ? 0 : 2);
		senders[i] = pairs[i].tx;
		pairs[i].tx = NULL;
	}
	CHECK_STATUS(duct_relay_new(&relaying.relay, senders, TARGETS, 0), DUCT_OK);
	relaying = relaying_by(relaying.relay, NULL);
	thread = test_start(relay_seven, &relaying);
	AWAIT(duct_channel_waiting_senders(pairs[1].channel) == 1);
	duct_relay_free(relaying.relay);
	test_join(thread);
	CHECK(relaying.result == DUCT_CLOSED && statuses_are(relaying.statuses, DUCT_OK, DUCT_CLOSED, DUCT_CLOSED));
	CHECK(reads(pairs[0].rx, 7, 7) && then(pairs[2].rx, DUCT_EMPTY));
	for (int i = 0; i < TARGETS; i++)
		test_pair_free(&pairs[i]);
}

/* One that is blocked in a borrowed sender stays there, and goes to no other afterwards. */
TEST(relay, sends_no_further_when_freed, 5)
{
	struct tee tee = tee_with(2, 0, 2, 0);
	struct relaying relaying = relaying_by(tee.relay, NULL);
	pthread_t thread = test_start(relay_seven, &relaying);
	int message = -1;

	AWAIT(duct_channel_waiting_senders(tee.to[1].channel) == 1);
	duct_relay_free(tee.relay);
	tee.relay = NULL;
	CHECK_STATUS(duct_recv(tee.to[1].rx, &message), DUCT_OK);
	test_join(thread);
	CHECK(message == 7 && statuses_are(relaying.statuses, DUCT_OK, DUCT_OK, DUCT_CLOSED));
	CHECK(then(tee.to[2].rx, DUCT_EMPTY));
	tee_free(&tee);
}

static duct_relay *freed_by_a_hook;

static int copy_and_free(void *to, const void *from, void *context)
{
	duct_relay *relay = freed_by_a_hook;

	(void)context;
	freed_by_a_hook = NULL;
	duct_relay_free(relay);
	memcpy(to, from, sizeof(int));
	return 0;
}

/* A hook may free the relay that it works for. */
TEST(relay, may_be_freed_by_a_hook, 5)
{
	struct test_pair pairs[TARGETS];
	duct_sender *senders[TARGETS];
	duct_status statuses[TARGETS] = NO_STATUSES;

	for (int i = 0; i < TARGETS; i++) {
		pairs[i] = test_pair_with(sizeof(int), 2, DUCT_OPTIONS(.copy = copy_and_free));
		senders[i] = pairs[i].tx;
		pairs[i].tx = NULL;
	}
	CHECK_STATUS(duct_relay_new(&freed_by_a_hook, senders, TARGETS, 0), DUCT_OK);
	CHECK_STATUS(duct_relay_send(freed_by_a_hook, &(int){ 1 }, statuses), DUCT_CLOSED);
	CHECK(statuses_are(statuses, DUCT_CLOSED, DUCT_CLOSED, DUCT_CLOSED));
	for (int i = 0; i < TARGETS; i++) {
		CHECK(duct_channel_senders(pairs[i].channel) == 0);
		test_pair_free(&pairs[i]);
	}
}

static void *relay_a_thousand(void *argument)
{
	for (int n = 0; n < 1000; n++)
		CHECK_STATUS(duct_relay_send(argument, &n, NULL), DUCT_OK);
	return NULL;
}

/* Any number of threads may send at once: each target gets all messages, those of each thread in order. */
TEST(relay, serves_many_threads, 20)
{
	struct tee tee = tee_with(3000, 3000, 3000, 0);
	pthread_t threads[3];

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		threads[i] = test_start(relay_a_thousand, tee.relay);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		test_join(threads[i]);
	for (int i = 0; i < TARGETS; i++) {
		long sum = 0;
		int message, count = 0;

		for (; duct_try_recv(tee.to[i].rx, &message) == DUCT_OK; count++)
			sum += message;
		CHECK(count == 3000 && sum == 3 * 499500);
	}
	tee_free(&tee);
}

/* ---- What is refused ----------------------------------------------------------------------------------------------- */

/* What can never work is refused, and the senders stay the caller's. */
TEST(relay, refuses_what_can_never_work, 5)
{
	struct test_pair one = test_pair_new(sizeof(int), 2), wide = test_pair_new(sizeof(int) + 1, 2);
	duct_sender *other, *sizes[] = { one.tx, wide.tx }, *none[] = { one.tx, NULL }, *first[] = { NULL, one.tx };
	duct_sender *twice[] = { one.tx, wide.tx, one.tx }, *same[] = { one.tx, NULL, NULL };
	duct_relay *relay = NULL;

	CHECK_STATUS(duct_sender_clone(one.tx, &other), DUCT_OK);
	twice[1] = same[1] = same[2] = other;
	CHECK_STATUS(duct_relay_new(NULL, &one.tx, 1, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, NULL, 1, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, &one.tx, 0, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, &one.tx, SIZE_MAX / sizeof one.tx, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, none, 2, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, first, 2, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, sizes, 2, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, twice, 3, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, same, 3, 0), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, &one.tx, 1, DUCT_BORROW_RECEIVER), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, &one.tx, 1, DUCT_CLOSE_CHANNEL), DUCT_INVALID);
	CHECK_STATUS(duct_relay_new(&relay, &one.tx, 1, 32), DUCT_INVALID);
	CHECK(relay == NULL);
	CHECK_STATUS(duct_relay_new(&relay, same, 2, 0), DUCT_OK); /* two senders of one channel are two targets */
	CHECK_STATUS(duct_relay_send(relay, &(int){ 1 }, NULL), DUCT_OK);
	CHECK(reads(one.rx, 1, 1) && reads(one.rx, 1, 1) && duct_channel_senders(one.channel) == 2);
	duct_relay_free(relay);
	one.tx = NULL;
	test_pair_free(&one);
	test_pair_free(&wide);
}

/* So are sends that can never work: no target has it, and no status is written. */
TEST(relay, refuses_sends_that_can_never_work, 5)
{
	struct tee tee = tee_with(2, 2, 2, 0);
	duct_status statuses[TARGETS] = NO_STATUSES;
	duct_cancel *cancel;
	int message = 1;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, 0), DUCT_OK);
	CHECK_STATUS(duct_relay_send(NULL, &message, statuses), DUCT_INVALID);
	CHECK_STATUS(duct_relay_try_send(NULL, &message, statuses), DUCT_INVALID);
	CHECK_STATUS(duct_relay_send(tee.relay, NULL, statuses), DUCT_INVALID);
	CHECK_STATUS(duct_relay_try_send(tee.relay, NULL, statuses), DUCT_INVALID);
	CHECK_STATUS(duct_relay_send_until(tee.relay, NULL, statuses, DUCT_FOREVER, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_relay_send_until(tee.relay, &message, statuses, -1, cancel), DUCT_INVALID);
	CHECK(statuses_are(statuses, DUCT_UNSUPPORTED, DUCT_UNSUPPORTED, DUCT_UNSUPPORTED));
	for (int i = 0; i < TARGETS; i++)
		CHECK(then(tee.to[i].rx, DUCT_EMPTY));
	duct_relay_close(NULL);
	duct_relay_free(NULL);
	duct_cancel_free(cancel);
	tee_free(&tee);
}
