/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What happens to a message that finds a receiver's queue full: the five policies, what they count, tell and drop, and senders
 * that wait because one receiver asks them to.
 */
#include "crowd.h"

enum { MOST = 7 };

/* ---- The policies, against a model ------------------------------------------------------------------------------------- */

/* Copies that went through the drop hook, in order. */
enum { DROPS = 100000 };

static struct {
	int count, messages[DROPS];
} dropped;

static void keep_dropped(void *message, void *context)
{
	(void)context;
	CHECK(dropped.count < DROPS);
	memcpy(&dropped.messages[dropped.count++], message, sizeof(int));
}

/* What a receiver is to be. */
struct model {
	duct_receiver *rx;
	duct_overflow overflow;
	size_t capacity, length;
	int queue[MOST];
	uint64_t sent, received, lost, discarded, lag;
	bool tell_lag, left, cut_off;
};

static void model_lose(struct model *model, size_t count)
{
	model->lost += count;
	model->lag += count;
}

static void model_lose_first(struct model *model, size_t count)
{
	model_lose(model, count);
	model->length -= count;
	memmove(model->queue, model->queue + count, model->length * sizeof(int));
}

/* A message comes; what a receipt says of it. */
static void model_send(struct model *model, int message, duct_receipt *receipt)
{
	uint64_t lost = model->lost;
	bool full = model->length >= model->capacity, kept = true;

	if (model->left)
		return;
	model->sent++;
	if (model->overflow == DUCT_LATEST_ONLY)
		model_lose_first(model, model->length);
	else if (full && model->overflow == DUCT_DROP_OLDEST)
		model_lose_first(model, model->length - model->capacity + 1);
	else if (full)
		kept = false;
	if (kept) {
		model->queue[model->length++] = message;
	} else {
		model_lose(model, 1);
		model->left = model->cut_off = model->overflow == DUCT_CUT_OFF;
	}
	receipt->delivered += kept;
	receipt->lost += (size_t)(model->lost - lost);
}

static bool model_blocks(const struct model *model)
{
	return !model->left && model->overflow == DUCT_BLOCK && model->length >= model->capacity;
}

static bool model_holds(const struct model *model)
{
	duct_stats stats = stats_of(model->rx);

	return stats.sent == model->sent && stats.received == model->received && stats.lost == model->lost &&
	       stats.queued == model->length && stats.discarded == model->discarded &&
	       duct_receiver_len(model->rx) == model->length && duct_receiver_is_closed(model->rx) == model->left &&
	       duct_receiver_is_cut_off(model->rx) == model->cut_off;
}

static void receive_as(struct model *model)
{
	int message = -1;
	duct_status status = duct_try_recv(model->rx, &message);

	if (model->tell_lag && model->lag > 0) {
		CHECK_STATUS(status, DUCT_LAGGED);
		CHECK(message == -1 && duct_receiver_lag(model->rx) == model->lag);
		model->lag = 0;
	} else if (model->length > 0) {
		CHECK_STATUS(status, DUCT_OK);
		CHECK(message == model->queue[0]);
		model->received++;
		model->length--;
		memmove(model->queue, model->queue + 1, model->length * sizeof(int));
	} else {
		CHECK_STATUS(status, model->left ? DUCT_CLOSED : DUCT_EMPTY);
	}
}

/* All receivers get it, each as its policy says, or none does because one blocks. */
static void publish_as(const struct crowd *crowd, struct model *models, size_t count, int message)
{
	duct_receipt expected = { 0, 0 }, receipt = { 77, 77 };
	bool blocked = false, unheard = true;
	int before = dropped.count;

	for (size_t m = 0; m < count; m++)
		blocked = blocked || model_blocks(&models[m]);
	CHECK(duct_channel_is_full(crowd->channel) == blocked);
	if (blocked) {
		CHECK_STATUS(duct_try_send(crowd->tx, &message), DUCT_FULL);
		CHECK_STATUS(duct_publish(crowd->tx, &message, &receipt, 0, NULL), DUCT_TIMEDOUT);
		CHECK(receipt.delivered == 77 && receipt.lost == 77 && dropped.count == before);
		return;
	}
	for (size_t m = 0; m < count; m++) {
		unheard = unheard && models[m].left;
		model_send(&models[m], message, &expected);
	}
	CHECK_STATUS(duct_publish(crowd->tx, &message, &receipt, 0, NULL), DUCT_OK);
	CHECK(receipt.delivered == expected.delivered && receipt.lost == expected.lost);
	CHECK((size_t)(dropped.count - before) == expected.lost + unheard);
}

static struct model model_join(const struct crowd *crowd, duct_overflow overflow, size_t capacity, bool tell_lag)
{
	struct model model = {
		.overflow = overflow, .capacity = overflow == DUCT_LATEST_ONLY ? 1 : capacity, .tell_lag = tell_lag
	};

	model.rx =
	    crowd_join_as(crowd, DUCT_SUBSCRIPTION(.overflow = overflow, .capacity = model.capacity, .tell_lag = tell_lag));
	return model;
}

/* Each policy with each capacity, filled beyond its end from empty: what is kept, lost, told and dropped. */
TEST(overflow, keeps_what_its_policy_says, 5)
{
	for (size_t p = 0; p < ARRAY_LEN(policies); p++)
		for (size_t capacity = 1; capacity < MOST; capacity++)
			for (int tell_lag = 0; tell_lag < 2; tell_lag++) {
				struct crowd crowd = crowd_new(DUCT_OPTIONS(.drop = keep_dropped));
				struct model model = model_join(&crowd, policies[p], capacity, tell_lag);

				dropped.count = 0;
				for (int n = 1; n <= 2 * MOST; n++)
					publish_as(&crowd, &model, 1, n);
				CHECK(model_holds(&model));
				while (model.length > 0)
					receive_as(&model);
				receive_as(&model);
				CHECK(model_holds(&model));
				duct_receiver_free(model.rx);
				crowd_free(&crowd);
			}
}

/* What is lost is the oldest, the newest or all that were queued, once each, in order; nobody hears what comes after a cut. */
TEST(overflow, drops_each_lost_message_once, 5)
{
	static const int lost[ARRAY_LEN(policies)][4] = { { 1, 2, 3, 4 }, { 4, 5, 6, 7 }, { 1, 2, 3, 4 }, { 0 },
		{ 4, 5, 6, 7 } };
	static const int losses[ARRAY_LEN(policies)] = { 4, 4, 6, 0, 4 };

	for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
		struct crowd crowd = crowd_new(DUCT_OPTIONS(.drop = keep_dropped));
		duct_receiver *rx = crowd_join(&crowd, policies[p], 3);

		dropped.count = 0;
		for (int n = 1; n <= 7; n++)
			CHECK_STATUS(duct_try_send(crowd.tx, &n), policies[p] == DUCT_BLOCK && n > 3 ? DUCT_FULL : DUCT_OK);
		CHECK(dropped.count == losses[p]);
		for (int i = 0; i < dropped.count && i < 4; i++)
			CHECK(dropped.messages[i] == lost[p][i]);
		duct_receiver_free(rx);
		crowd_free(&crowd);
	}
}

struct large {
	int number;
	char filling[300];
};

/* What became the latest only displaces all that were queued at once, more than a send usually loses: each is dropped once. */
TEST(overflow, that_became_the_latest_only_drops_all, 5)
{
	static struct large out, in;
	static int seen[30];
	duct_sender *tx;
	duct_receiver *rx;
	duct_receipt receipt;

	CHECK_STATUS(
	    duct_broadcast_open(&tx, &rx, sizeof out, DUCT_SUBSCRIPTION(.capacity = 20), DUCT_OPTIONS(.drop = keep_dropped)),
	    DUCT_OK);
	for (out.number = 1; out.number <= 20; out.number++)
		CHECK_STATUS(duct_send(tx, &out), DUCT_OK);
	CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_LATEST_ONLY), DUCT_OK);
	CHECK(dropped.count == 0 && duct_receiver_len(rx) == 20);
	CHECK_STATUS(duct_publish(tx, &out, &receipt, 0, NULL), DUCT_OK);
	CHECK(receipt.delivered == 1 && receipt.lost == 20 && dropped.count == 20 && duct_receiver_len(rx) == 1);
	for (int n = 0; n < 20; n++)
		seen[dropped.messages[n]]++;
	for (int n = 1; n <= 20; n++)
		CHECK(seen[n] == 1);
	CHECK_STATUS(duct_recv(rx, &in), DUCT_OK);
	CHECK(in.number == 21 && counts(rx, 21, 1, 20, 0));
	duct_receiver_free(rx);
	duct_sender_free(tx);
	CHECK(dropped.count == 20);
}

/* Messages of no bytes are displaced like others. */
TEST(overflow, that_became_the_latest_only_keeps_one_of_no_bytes, 5)
{
	duct_sender *tx;
	duct_receiver *rx;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx, 0, DUCT_SUBSCRIPTION(.capacity = 5), NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_LATEST_ONLY), DUCT_OK);
	for (int n = 0; n < 3; n++)
		CHECK_STATUS(duct_send(tx, NULL), DUCT_OK);
	CHECK(counts(rx, 3, 0, 2, 1));
	duct_receiver_free(rx);
	duct_sender_free(tx);
}

/* And keeps one of a batch, though there were room for all of it. */
TEST(overflow, that_became_the_latest_only_keeps_one_of_a_batch, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 9);

	CHECK(sends(crowd.tx, 1, 2));
	CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_LATEST_ONLY), DUCT_OK);
	CHECK_STATUS(duct_send_many(crowd.tx, (int[]){ 3, 4, 5 }, 3, NULL, 0, NULL), DUCT_OK);
	CHECK(counts(rx, 5, 0, 4, 1) && reads(rx, 5, 5) && then(rx, DUCT_EMPTY));
	/* What blocks again has room for all again. */
	CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_BLOCK), DUCT_OK);
	CHECK(sends(crowd.tx, 1, 9) && duct_channel_is_full(crowd.channel) && reads(rx, 1, 9));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Who has left is counted no more, nor what is still in its queue. */
static bool channel_holds(const struct crowd *crowd, const struct model *models, size_t count)
{
	size_t receivers = 0, length = 0;

	for (size_t m = 0; m < count; m++) {
		receivers += !models[m].left;
		length += models[m].left ? 0 : models[m].length;
	}
	return duct_channel_receivers(crowd->channel) == receivers && duct_channel_len(crowd->channel) == length &&
	       duct_channel_is_empty(crowd->channel) == (length == 0);
}

static void random_step(const struct crowd *crowd, struct model *models, size_t count, uint32_t *seed, int *next)
{
	struct model *model = &models[test_random(seed) % count];
	size_t discarded = 77, expected = 0;

	switch (test_random(seed) % 24) {
	case 0:
		model->overflow = policies[test_random(seed) % ARRAY_LEN(policies)];
		CHECK_STATUS(duct_receiver_set_overflow(model->rx, model->overflow), DUCT_OK);
		break;
	case 1:
		for (size_t m = 0; m < count; m++) {
			if (models[m].left)
				continue;
			expected += models[m].length;
			models[m].discarded += models[m].length;
			models[m].length = 0;
		}
		CHECK_STATUS(duct_channel_discard(crowd->channel, &discarded), DUCT_OK);
		CHECK(discarded == expected);
		break;
	case 2:
		if (test_random(seed) % 2 == 0 && !model->left) {
			duct_receiver_close(model->rx);
			model->left = true;
		} else if (model->left) {
			duct_receiver_free(model->rx);
			*model = model_join(crowd, policies[test_random(seed) % ARRAY_LEN(policies)],
			    1 + test_random(seed) % (MOST - 1), test_random(seed) % 2);
		}
		break;
	default:
		if (test_random(seed) % 2)
			receive_as(model);
		else
			publish_as(crowd, models, count, (*next)++);
	}
}

/* Twenty thousand random steps of one thread on six receivers that change, leave and come: always as in the model. */
TEST(overflow, is_the_model_s_at_every_step, 20)
{
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.drop = keep_dropped));
	struct model models[6];
	uint32_t seed = 2463534242;
	int next = 1;

	for (size_t m = 0; m < ARRAY_LEN(models); m++)
		models[m] = model_join(&crowd, policies[m % ARRAY_LEN(policies)], m + 1, m % 2);
	for (int step = 0; step < test_rounds(20000, 200000); step++) {
		dropped.count = 0;
		random_step(&crowd, models, ARRAY_LEN(models), &seed, &next);
		for (size_t m = 0; m < ARRAY_LEN(models); m++)
			CHECK(model_holds(&models[m]));
		CHECK(channel_holds(&crowd, models, ARRAY_LEN(models)));
	}
	for (size_t m = 0; m < ARRAY_LEN(models); m++)
		duct_receiver_free(models[m].rx);
	crowd_free(&crowd);
}

/* Where nobody blocks a try to send always succeeds, however full the queues are. */
TEST(overflow, never_refuses_where_nobody_blocks, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx[ARRAY_LEN(policies)];

	for (size_t p = 0; p < ARRAY_LEN(policies); p++)
		rx[p] = crowd_join(&crowd, policies[p] == DUCT_BLOCK ? DUCT_DROP_NEWEST : policies[p], p + 1);
	CHECK(sends(crowd.tx, 1, 1000) && !duct_channel_is_full(crowd.channel));
	for (size_t p = 0; p < ARRAY_LEN(policies); p++)
		duct_receiver_free(rx[p]);
	crowd_free(&crowd);
}

/* With LATEST_ONLY the receiver sees the latest, once, whatever came before. */
TEST(overflow, of_the_latest_only_keeps_one, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_LATEST_ONLY, 1);
	int out = 0;
	duct_case cases[] = { DUCT_SEND(crowd.tx, &out) };
	size_t chosen;

	for (int round = 1; round < 20; round++) {
		for (int n = 0; n < round; n++) {
			out = round * 100 + n;
			CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_OK);
			CHECK(cases[0].status == DUCT_OK && duct_receiver_len(rx) == 1);
		}
		CHECK(reads(rx, round * 101 - 1, round * 101 - 1) && then(rx, DUCT_EMPTY));
	}
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Receipts of all sends together say what the receivers count. */
TEST(receipts, add_up_to_the_counts_of_receivers, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx[4];
	size_t delivered = 0, lost = 0;
	uint64_t sent = 0, all_lost = 0, dropped_newest;

	for (size_t p = 0; p < 4; p++)
		rx[p] = crowd_join(&crowd, policies[p] == DUCT_BLOCK ? DUCT_CUT_OFF : policies[p], 3);
	for (int n = 1; n <= 30; n++) {
		duct_receipt receipt;

		CHECK_STATUS(duct_publish(crowd.tx, &n, &receipt, DUCT_FOREVER, NULL), DUCT_OK);
		delivered += receipt.delivered;
		lost += receipt.lost;
		if (n % 3 == 0)
			for (size_t p = 0; p < 3; p++)
				CHECK_STATUS(duct_try_recv(rx[p], &(int){ 0 }), DUCT_OK);
	}
	for (size_t p = 0; p < 4; p++) {
		sent += stats_of(rx[p]).sent;
		all_lost += stats_of(rx[p]).lost;
		CHECK(adds_up(rx[p]));
	}
	/* What was refused as the newest, and the one that cut off, was never delivered. */
	dropped_newest = stats_of(rx[1]).lost + stats_of(rx[3]).lost;
	CHECK(lost == all_lost && delivered == sent - dropped_newest && all_lost > 0);
	CHECK_STATUS(duct_publish(crowd.tx, &(int){ 31 }, NULL, DUCT_FOREVER, NULL), DUCT_OK);
	for (size_t p = 0; p < 4; p++)
		duct_receiver_free(rx[p]);
	crowd_free(&crowd);
}

/* Nobody there: a receipt of nothing.  On an anycast channel: of one. */
TEST(receipts, tell_of_nobody_and_of_one, 5)
{
	struct crowd crowd = crowd_new(NULL);
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	duct_receipt receipt = { 77, 77 };

	CHECK_STATUS(duct_publish(crowd.tx, &(int){ 1 }, &receipt, 0, NULL), DUCT_OK);
	CHECK(receipt.delivered == 0 && receipt.lost == 0);
	CHECK_STATUS(duct_publish(pair.tx, &(int){ 1 }, &receipt, 0, NULL), DUCT_OK);
	CHECK(receipt.delivered == 1 && receipt.lost == 0);
	receipt.delivered = 77;
	CHECK_STATUS(duct_publish(pair.tx, &(int){ 2 }, &receipt, 0, NULL), DUCT_TIMEDOUT);
	CHECK(receipt.delivered == 77 && reads(pair.rx, 1, 1) && then(pair.rx, DUCT_EMPTY));
	test_pair_free(&pair);
	crowd_free(&crowd);
}

/* ---- Lag --------------------------------------------------------------------------------------------------------------- */

static duct_receiver *join_telling(const struct crowd *crowd, duct_overflow overflow, size_t capacity)
{
	return crowd_join_as(crowd, DUCT_SUBSCRIPTION(.overflow = overflow, .capacity = capacity, .tell_lag = true));
}

/* The next receive says LAGGED, and how many were lost. */
static bool lags(duct_receiver *rx, uint64_t lost)
{
	return then(rx, DUCT_LAGGED) && duct_receiver_lag(rx) == lost;
}

/* More than the capacity: the lag, then from the oldest that was kept on. */
TEST(lag, is_told_ahead_of_what_was_kept, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 10);

	CHECK(duct_receiver_lag(rx) == 0);
	CHECK(sends(crowd.tx, 1, 10) && duct_receiver_lag(rx) == 0 && reads(rx, 1, 1));
	CHECK(sends(crowd.tx, 11, 14) && lags(rx, 3) && reads(rx, 5, 14) && then(rx, DUCT_EMPTY));
	CHECK(duct_receiver_lag(rx) == 3 && counts(rx, 14, 11, 3, 0));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Slow, but within its capacity: no lag. */
TEST(lag, does_not_come_within_the_capacity, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 4);

	for (int first = 1; first < 100; first += 4)
		CHECK(sends(crowd.tx, first, first + 3) && reads(rx, first, first + 3));
	CHECK(duct_receiver_lag(rx) == 0 && stats_of(rx).lost == 0);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Who lags twice is told twice, of what was lost in between; losses before one receive are told together. */
TEST(lag, is_told_for_each_time, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 2);

	CHECK(sends(crowd.tx, 1, 3) && sends(crowd.tx, 4, 5) && lags(rx, 3) && reads(rx, 4, 4));
	CHECK(sends(crowd.tx, 6, 7) && lags(rx, 1) && reads(rx, 6, 7) && then(rx, DUCT_EMPTY));
	CHECK(sends(crowd.tx, 8, 12) && lags(rx, 3));
	/* And again before the first that was kept was read. */
	CHECK(sends(crowd.tx, 13, 13) && lags(rx, 1) && reads(rx, 12, 13));
	CHECK(counts(rx, 13, 5, 8, 0));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Each receiver lags by itself, and only those are told that asked to be. */
TEST(lag, is_each_receiver_s_own, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *two = join_telling(&crowd, DUCT_DROP_OLDEST, 2), *nine = join_telling(&crowd, DUCT_DROP_OLDEST, 9);
	duct_receiver *untold = crowd_join(&crowd, DUCT_DROP_OLDEST, 2), *clone;

	CHECK_STATUS(duct_receiver_clone(two, &clone), DUCT_OK);
	CHECK(sends(crowd.tx, 1, 5));
	CHECK(lags(two, 3) && reads(two, 4, 5) && reads(nine, 1, 5) && reads(untold, 4, 5));
	CHECK(lags(clone, 3) && reads(clone, 4, 5));
	CHECK(duct_receiver_lag(nine) == 0 && duct_receiver_lag(untold) == 0 && stats_of(untold).lost == 3);
	duct_receiver_free(two);
	duct_receiver_free(nine);
	duct_receiver_free(untold);
	duct_receiver_free(clone);
	crowd_free(&crowd);
}

/* With room for one: told and the latest, again and again.  The same of LATEST_ONLY. */
TEST(lag, comes_with_a_capacity_of_one, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *one = join_telling(&crowd, DUCT_DROP_OLDEST, 1), *latest = join_telling(&crowd, DUCT_LATEST_ONLY, 1);

	CHECK(sends(crowd.tx, 1, 1) && reads(one, 1, 1) && reads(latest, 1, 1));
	for (int first = 2; first < 20; first += 3) {
		CHECK(sends(crowd.tx, first, first + 2));
		CHECK(lags(one, 2) && reads(one, first + 2, first + 2));
		CHECK(lags(latest, 2) && reads(latest, first + 2, first + 2));
	}
	duct_receiver_free(one);
	duct_receiver_free(latest);
	crowd_free(&crowd);
}

/* Of the newest lost it is told too, ahead of the older ones. */
TEST(lag, of_the_newest_is_told_first, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_NEWEST, 2);

	CHECK(sends(crowd.tx, 1, 4) && lags(rx, 2) && reads(rx, 1, 2) && then(rx, DUCT_EMPTY));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* The lag comes before what was kept, and that before the end. */
TEST(lag, comes_before_the_close, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 2), *cut = join_telling(&crowd, DUCT_CUT_OFF, 2);

	CHECK(sends(crowd.tx, 1, 3));
	duct_channel_close(crowd.channel, 0);
	CHECK(lags(rx, 1) && reads(rx, 2, 3) && then(rx, DUCT_CLOSED) && then(rx, DUCT_CLOSED));
	CHECK(lags(cut, 1) && reads(cut, 1, 2) && then(cut, DUCT_CLOSED));
	duct_receiver_free(rx);
	duct_receiver_free(cut);
	crowd_free(&crowd);
}

/* A discard is no loss: nothing is told of it; but what was lost before it still is. */
TEST(lag, is_not_of_what_was_discarded, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 2);

	CHECK(sends(crowd.tx, 1, 2));
	CHECK_STATUS(duct_channel_discard(crowd.channel, NULL), DUCT_OK);
	CHECK(then(rx, DUCT_EMPTY) && sends(crowd.tx, 3, 5));
	CHECK_STATUS(duct_channel_discard(crowd.channel, NULL), DUCT_OK);
	CHECK(lags(rx, 1) && then(rx, DUCT_EMPTY) && duct_receiver_lag(rx) == 1);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

enum form { PLAIN, UNTIL, BATCH, CHOSEN, FIRST_READY, FORMS };

static duct_status receive_in(enum form form, duct_receiver *rx, int *message)
{
	duct_case cases[] = { DUCT_RECV(rx, message) };
	size_t moved = 77, chosen = 77;
	duct_status status;

	switch (form) {
	case PLAIN:
		return duct_recv(rx, message);
	case UNTIL:
		return duct_recv_until(rx, message, duct_after_s(100), NULL);
	case BATCH:
		status = duct_recv_many(rx, message, 1, 1, &moved, DUCT_FOREVER, NULL);
		CHECK(moved == (status == DUCT_OK));
		return status;
	default:
		status = duct_select_until(cases, 1, &chosen, form == CHOSEN ? DUCT_FAIR : DUCT_PRIORITY, DUCT_FOREVER, NULL);
		CHECK_STATUS(status, DUCT_OK);
		CHECK(chosen == 0);
		return cases[0].status;
	}
}

/* Each form of receive tells it, as its status or as that of its case, and the next goes on. */
TEST(lag, is_told_by_every_form, 5)
{
	for (enum form form = PLAIN; form < FORMS; form++) {
		struct crowd crowd = crowd_new(NULL);
		duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 2);
		int message = -1;

		CHECK(sends(crowd.tx, 1, 5));
		CHECK_STATUS(receive_in(form, rx, &message), DUCT_LAGGED);
		CHECK(message == -1 && duct_receiver_lag(rx) == 3);
		CHECK_STATUS(receive_in(form, rx, &message), DUCT_OK);
		CHECK(message == 4 && reads(rx, 5, 5) && then(rx, DUCT_EMPTY));
		duct_receiver_free(rx);
		crowd_free(&crowd);
	}
}

/* To wait for a message, or to ask which case is ready, says so too, as often as it is asked, but takes nothing of it. */
TEST(lag, is_seen_by_waits_and_told_by_receives, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 2);
	duct_case cases[] = { DUCT_RECV(rx, NULL) };
	size_t chosen = 77;

	CHECK(sends(crowd.tx, 1, 5));
	for (int again = 0; again < 2; again++) {
		CHECK_STATUS(duct_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_LAGGED);
		CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(chosen == 0 && cases[0].status == DUCT_LAGGED && duct_receiver_lag(rx) == 0);
	}
	CHECK(lags(rx, 3));
	CHECK_STATUS(duct_receiver_wait(rx, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(reads(rx, 4, 5) && then(rx, DUCT_EMPTY));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A case that lagged has not ended: the same array goes on. */
TEST(lag, does_not_end_a_case, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 1);
	int message = -1;
	duct_case cases[] = { DUCT_RECV(rx, &message) };
	size_t chosen;

	for (int n = 1; n < 10; n += 2) {
		CHECK(sends(crowd.tx, n, n + 1));
		CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
		CHECK(cases[0].status == DUCT_LAGGED);
		CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
		CHECK(cases[0].status == DUCT_OK && message == n + 1);
		CHECK_STATUS(duct_try_select(cases, 1, &chosen), DUCT_EMPTY);
	}
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A batch that meets a lag ends there, with what it has; the next one goes on with the oldest kept. */
TEST(lag, parts_a_batch, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = join_telling(&crowd, DUCT_DROP_OLDEST, 3);
	int in[8];
	size_t received = 77;

	CHECK(sends(crowd.tx, 1, 5));
	CHECK_STATUS(duct_recv_many(rx, in, 0, 8, &received, 0, NULL), DUCT_LAGGED);
	CHECK(received == 0 && duct_receiver_lag(rx) == 2);
	CHECK_STATUS(duct_recv_many(rx, in, 0, 8, &received, 0, NULL), DUCT_OK);
	CHECK(received == 3 && in[0] == 3 && in[2] == 5);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

struct member_batch {
	duct_receiver *rx;
	size_t min, received;
	int in[8];
	duct_status status;
};

static void *receive_one_to_eight(void *argument)
{
	struct member_batch *self = argument;

	self->status = duct_recv_many(self->rx, self->in, self->min, 8, &self->received, DUCT_FOREVER, NULL);
	return NULL;
}

/* Nor is it swallowed by one that has what it needs: a batch of the sender fills the queue before the receiver looks again. */
TEST(lag, is_not_lost_to_a_batch_that_waited, 5)
{
	for (size_t min = 1; min <= 2; min++) {
		struct crowd crowd = crowd_new(NULL);
		struct member_batch batch = { .rx = join_telling(&crowd, DUCT_DROP_OLDEST, 2), .min = min };
		pthread_t thread;

		if (min == 2)
			CHECK(sends(crowd.tx, 0, 0));
		thread = test_start(receive_one_to_eight, &batch);
		AWAIT(duct_channel_waiting_receivers(crowd.channel) == 1);
		CHECK_STATUS(duct_send_many(crowd.tx, (int[]){ 1, 2, 3, 4 }, 4, NULL, 0, NULL), DUCT_OK);
		test_join(thread);
		CHECK(batch.received >= 1 && batch.in[min - 1] == 1);
		CHECK(batch.status == DUCT_LAGGED || lags(batch.rx, 1));
		CHECK(duct_receiver_lag(batch.rx) == 1 && reads(batch.rx, 3, 4) && then(batch.rx, DUCT_EMPTY));
		duct_receiver_free(batch.rx);
		crowd_free(&crowd);
	}
}

/* ---- Blocking ---------------------------------------------------------------------------------------------------------- */

/* One receiver that blocks and is full, one that is wide, and a sender that waits with 9. */
struct blocked {
	struct crowd crowd;
	duct_receiver *full, *wide;
	struct test_call call;
};

static void block(struct blocked *blocked, enum test_action action, duct_time deadline, duct_cancel *cancel)
{
	blocked->crowd = crowd_new(NULL);
	blocked->full = crowd_join(&blocked->crowd, DUCT_BLOCK, 2);
	blocked->wide = crowd_join(&blocked->crowd, DUCT_DROP_OLDEST, 9);
	CHECK(sends(blocked->crowd.tx, 1, 2));
	test_call_start(&blocked->call, action, &(struct test_pair){ .tx = blocked->crowd.tx }, 9, deadline, cancel);
}

static void await_blocked(const struct blocked *blocked)
{
	AWAIT(duct_channel_waiting_senders(blocked->crowd.channel) == 1);
	CHECK(duct_receiver_len(blocked->wide) == 2 && duct_receiver_len(blocked->full) == 2);
	CHECK(duct_channel_is_full(blocked->crowd.channel));
}

static void unblocked(struct blocked *blocked)
{
	CHECK(duct_channel_waiting_senders(blocked->crowd.channel) == 0);
	duct_receiver_free(blocked->full);
	duct_receiver_free(blocked->wide);
	crowd_free(&blocked->crowd);
}

/* The send is full when the slowest has not read, and goes on when that one reads; the others read as they like. */
TEST(blocking, goes_on_when_the_slowest_reads, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *slow = crowd_join(&crowd, DUCT_BLOCK, 2), *quick = crowd_join(&crowd, DUCT_BLOCK, 3);
	struct test_call call;

	CHECK(sends(crowd.tx, 1, 2) && reads(quick, 1, 2));
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 9 }), DUCT_FULL);
	test_send_start(&call, crowd.tx, 3);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	CHECK(then(quick, DUCT_EMPTY) && reads(slow, 1, 1));
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(reads(quick, 3, 3) && reads(slow, 2, 3));
	CHECK(counts(slow, 3, 3, 0, 0) && counts(quick, 3, 3, 0, 0));
	duct_receiver_free(slow);
	duct_receiver_free(quick);
	crowd_free(&crowd);
}

/* Two are full: the sender waits for both. */
TEST(blocking, waits_for_all_who_are_full, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *one = crowd_join(&crowd, DUCT_BLOCK, 1), *other = crowd_join(&crowd, DUCT_BLOCK, 1);
	struct test_call call;

	CHECK(sends(crowd.tx, 1, 1));
	test_send_start(&call, crowd.tx, 2);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	CHECK(reads(one, 1, 1));
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 9 }), DUCT_FULL);
	CHECK(then(one, DUCT_EMPTY) && duct_channel_waiting_senders(crowd.channel) == 1);
	CHECK(reads(other, 1, 1));
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(reads(one, 2, 2) && reads(other, 2, 2));
	duct_receiver_free(one);
	duct_receiver_free(other);
	crowd_free(&crowd);
}

/* Every way to send that can wait goes on when the full receiver leaves, with everybody else getting the message. */
TEST(blocking, goes_on_when_the_slow_receiver_leaves, 10)
{
	static const enum test_action actions[] = { SEND, SEND_UNTIL, SEND_MANY };

	for (size_t a = 0; a < ARRAY_LEN(actions); a++)
		for (int freed = 0; freed < 2; freed++) {
			struct blocked blocked;

			block(&blocked, actions[a], DUCT_FOREVER, NULL);
			await_blocked(&blocked);
			if (freed)
				duct_receiver_free(blocked.full);
			else
				duct_receiver_close(blocked.full);
			CHECK_STATUS(test_call_end(&blocked.call), DUCT_OK);
			CHECK(reads(blocked.wide, 1, 2) && reads(blocked.wide, 9, 9));
			if (freed)
				blocked.full = NULL;
			else
				CHECK(reads(blocked.full, 1, 2) && then(blocked.full, DUCT_CLOSED));
			unblocked(&blocked);
		}
}

/* Or becomes a peekable. */
TEST(blocking, goes_on_when_the_slow_receiver_becomes_a_peekable, 5)
{
	struct blocked blocked;
	duct_peekable *peekable;
	int message = 0;

	block(&blocked, SEND, DUCT_FOREVER, NULL);
	await_blocked(&blocked);
	CHECK_STATUS(duct_receiver_into_peekable(blocked.full, &peekable), DUCT_OK);
	CHECK_STATUS(test_call_end(&blocked.call), DUCT_OK);
	CHECK_STATUS(duct_peek(peekable, &message), DUCT_OK);
	CHECK(message == 9 && reads(blocked.wide, 1, 2) && reads(blocked.wide, 9, 9));
	CHECK(reads(blocked.full, 1, 2) && then(blocked.full, DUCT_INVALIDATED));
	duct_peekable_free(peekable);
	unblocked(&blocked);
}

/* Or changes its mind; what becomes of its queue is as the new policy says. */
TEST(blocking, goes_on_when_the_policy_changes, 5)
{
	for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
		struct blocked blocked;

		if (policies[p] == DUCT_BLOCK)
			continue;
		block(&blocked, SEND, DUCT_FOREVER, NULL);
		await_blocked(&blocked);
		CHECK_STATUS(duct_receiver_set_overflow(blocked.full, DUCT_BLOCK), DUCT_OK);
		CHECK(duct_channel_waiting_senders(blocked.crowd.channel) == 1);
		CHECK_STATUS(duct_receiver_set_overflow(blocked.full, policies[p]), DUCT_OK);
		CHECK_STATUS(test_call_end(&blocked.call), DUCT_OK);
		if (policies[p] == DUCT_DROP_OLDEST)
			CHECK(reads(blocked.full, 2, 2) && reads(blocked.full, 9, 9) && then(blocked.full, DUCT_EMPTY));
		if (policies[p] == DUCT_DROP_NEWEST)
			CHECK(reads(blocked.full, 1, 2) && then(blocked.full, DUCT_EMPTY));
		if (policies[p] == DUCT_LATEST_ONLY)
			CHECK(reads(blocked.full, 9, 9) && then(blocked.full, DUCT_EMPTY));
		if (policies[p] == DUCT_CUT_OFF)
			CHECK(reads(blocked.full, 1, 2) && then(blocked.full, DUCT_CLOSED) &&
			      duct_receiver_is_cut_off(blocked.full));
		CHECK(reads(blocked.wide, 1, 2) && reads(blocked.wide, 9, 9) && adds_up(blocked.full));
		unblocked(&blocked);
	}
}

/* A close ends it: CLOSED, and the message reached nobody. */
TEST(blocking, is_ended_by_a_close, 5)
{
	struct blocked blocked;

	block(&blocked, SEND, DUCT_FOREVER, NULL);
	await_blocked(&blocked);
	CHECK(duct_channel_is_full(blocked.crowd.channel));
	duct_channel_close(blocked.crowd.channel, 0);
	CHECK(!duct_channel_is_full(blocked.crowd.channel)); /* no send waits any more */
	CHECK_STATUS(test_call_end(&blocked.call), DUCT_CLOSED);
	CHECK(reads(blocked.full, 1, 2) && then(blocked.full, DUCT_CLOSED));
	CHECK(reads(blocked.wide, 1, 2) && then(blocked.wide, DUCT_CLOSED));
	unblocked(&blocked);
}

/* A deadline or a token ends it without an effect on anybody: not even on later sends. */
TEST(blocking, ended_by_time_or_token_reaches_nobody, 5)
{
	for (int canceled = 0; canceled < 2; canceled++) {
		struct blocked blocked;
		duct_cancel *cancel;

		CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
		block(&blocked, SEND_UNTIL, canceled ? DUCT_FOREVER : duct_after_ms(5), cancel);
		if (canceled) {
			await_blocked(&blocked);
			duct_cancel_raise(cancel);
		}
		CHECK_STATUS(test_call_end(&blocked.call), canceled ? DUCT_CANCELED : DUCT_TIMEDOUT);
		CHECK(reads(blocked.full, 1, 2) && sends(blocked.crowd.tx, 3, 4));
		CHECK(reads(blocked.full, 3, 4) && then(blocked.full, DUCT_EMPTY));
		CHECK(reads(blocked.wide, 1, 4) && then(blocked.wide, DUCT_EMPTY));
		CHECK(counts(blocked.full, 4, 4, 0, 0) && counts(blocked.wide, 4, 4, 0, 0));
		duct_cancel_free(cancel);
		unblocked(&blocked);
	}
}

/* Senders that wait are served first come, first served; a try does not overtake them. */
TEST(blocking, serves_senders_in_order, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 1), *wide = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);
	struct test_call calls[4];

	CHECK(sends(crowd.tx, 0, 0));
	for (int n = 0; n < 4; n++) {
		test_send_start(&calls[n], crowd.tx, n + 1);
		AWAIT(duct_channel_waiting_senders(crowd.channel) == (size_t)n + 1);
	}
	for (int n = 0; n < 4; n++) {
		CHECK(reads(rx, n, n));
		CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 9 }), DUCT_FULL);
		CHECK_STATUS(test_call_end(&calls[n]), DUCT_OK);
		CHECK(duct_channel_waiting_senders(crowd.channel) == (size_t)(3 - n));
	}
	CHECK(reads(rx, 4, 4) && reads(wide, 0, 4) && then(wide, DUCT_EMPTY));
	duct_receiver_free(rx);
	duct_receiver_free(wide);
	crowd_free(&crowd);
}

/* A sender that gives up does not hold those behind it: they have its turn. */
TEST(blocking, goes_on_behind_one_that_gave_up, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 1);
	struct test_call first, second;
	duct_cancel *cancel;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK(sends(crowd.tx, 1, 1));
	test_call_start(&first, SEND_UNTIL, &(struct test_pair){ .tx = crowd.tx }, 8, DUCT_FOREVER, cancel);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 1);
	test_send_start(&second, crowd.tx, 2);
	AWAIT(duct_channel_waiting_senders(crowd.channel) == 2);
	duct_cancel_raise(cancel);
	CHECK_STATUS(test_call_end(&first), DUCT_CANCELED);
	CHECK(reads(rx, 1, 1));
	CHECK_STATUS(test_call_end(&second), DUCT_OK);
	CHECK(reads(rx, 2, 2) && then(rx, DUCT_EMPTY));
	duct_cancel_free(cancel);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* One read makes room for one of those who wait; the next waits for the next, though a receiver with room were there. */
TEST(blocking, lets_one_in_for_each_place, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_BLOCK, 2), *joined;
	struct test_call calls[2];

	CHECK(sends(crowd.tx, 1, 2));
	for (int n = 0; n < 2; n++) {
		test_send_start(&calls[n], crowd.tx, n + 3);
		AWAIT(duct_channel_waiting_senders(crowd.channel) == (size_t)n + 1);
	}
	joined = crowd_join(&crowd, DUCT_BLOCK, 5);
	CHECK(duct_channel_waiting_senders(crowd.channel) == 2 && then(joined, DUCT_EMPTY));
	CHECK(reads(rx, 1, 1));
	CHECK_STATUS(test_call_end(&calls[0]), DUCT_OK);
	CHECK(duct_channel_waiting_senders(crowd.channel) == 1 && reads(joined, 3, 3) && then(joined, DUCT_EMPTY));
	CHECK(reads(rx, 2, 3));
	CHECK_STATUS(test_call_end(&calls[1]), DUCT_OK);
	CHECK(reads(rx, 4, 4) && reads(joined, 4, 4));
	duct_receiver_free(rx);
	duct_receiver_free(joined);
	crowd_free(&crowd);
}

/* A policy set to BLOCK makes the next send to a full queue wait. */
TEST(blocking, may_begin_later, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 2);

	CHECK(sends(crowd.tx, 1, 3) && !duct_channel_is_full(crowd.channel));
	CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_BLOCK), DUCT_OK);
	CHECK(duct_channel_is_full(crowd.channel));
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 4 }), DUCT_FULL);
	CHECK(reads(rx, 2, 2) && sends(crowd.tx, 4, 4) && reads(rx, 3, 4));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* ---- Cut off ----------------------------------------------------------------------------------------------------------- */

/* The message that finds it full cuts it off: it has left, drains and is at its end, and others go on without it. */
TEST(cut_off, leaves_drains_and_ends, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *slow = crowd_join(&crowd, DUCT_CUT_OFF, 3), *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 9);

	CHECK(sends(crowd.tx, 1, 3) && !duct_receiver_is_cut_off(slow) && !duct_receiver_is_closed(slow));
	CHECK(sends(crowd.tx, 4, 4));
	CHECK(duct_receiver_is_cut_off(slow) && duct_receiver_is_closed(slow) && duct_channel_receivers(crowd.channel) == 1);
	CHECK(sends(crowd.tx, 5, 6) && counts(slow, 4, 0, 1, 3));
	CHECK(reads(slow, 1, 3) && then(slow, DUCT_CLOSED) && reads(other, 1, 6));
	CHECK(!duct_channel_is_closed(crowd.channel) && counts(slow, 4, 3, 1, 0));
	duct_receiver_free(slow);
	duct_receiver_free(other);
	crowd_free(&crowd);
}

/* Who reads in time stays. */
TEST(cut_off, spares_who_reads_in_time, 5)
{
	struct crowd crowd = crowd_new(NULL);
	duct_receiver *rx = crowd_join(&crowd, DUCT_CUT_OFF, 3);

	for (int first = 1; first < 30; first += 3)
		CHECK(sends(crowd.tx, first, first + 2) && reads(rx, first, first + 2));
	CHECK(!duct_receiver_is_cut_off(rx) && then(rx, DUCT_EMPTY));
	/* A close is not a cut. */
	duct_receiver_close(rx);
	CHECK(!duct_receiver_is_cut_off(rx) && duct_receiver_is_closed(rx));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* The last receiver of a pair cut off: the channel is closed, as by any last receiver that leaves. */
TEST(cut_off, of_the_last_closes_a_pair, 5)
{
	duct_sender *tx;
	duct_receiver *rx;

	CHECK_STATUS(
	    duct_broadcast_open(&tx, &rx, sizeof(int), DUCT_SUBSCRIPTION(.overflow = DUCT_CUT_OFF, .capacity = 1), NULL),
	    DUCT_OK);
	CHECK(sends(tx, 1, 2));
	CHECK(duct_receiver_is_cut_off(rx) && duct_channel_is_closed(duct_sender_channel(tx)));
	CHECK_STATUS(duct_try_send(tx, &(int){ 3 }), DUCT_CLOSED);
	CHECK(reads(rx, 1, 1) && then(rx, DUCT_CLOSED));
	duct_receiver_free(rx);
	duct_sender_free(tx);
}

/* ---- Log --------------------------------------------------------------------------------------------------------------- */

enum { EVENTS = 512 };

/* What a log hook was told. */
struct told {
	pthread_mutex_t lock;
	int count;
	struct {
		duct_log_kind kind;
		char receiver[32];
		uint64_t lost;
		duct_time when;
	} events[EVENTS];
};

static void keep_event(const duct_log_event *event, void *context)
{
	struct told *told = context;
	bool names = event->kind == DUCT_LOG_LOST || event->kind == DUCT_LOG_CUT_OFF;

	CHECK(strcmp(event->channel, "news") == 0 && strchr(event->text, '\n') == NULL && strstr(event->text, "news") != NULL);
	CHECK((event->receiver != NULL) == names && (names || event->lost == 0));
	CHECK(!names || (strstr(event->text, event->receiver) != NULL && event->suppressed == 0));
	pthread_mutex_lock(&told->lock);
	CHECK(told->count < EVENTS);
	told->events[told->count].kind = event->kind;
	told->events[told->count].lost = event->lost;
	told->events[told->count].when = duct_now();
	snprintf(told->events[told->count].receiver, 32, "%s", names ? event->receiver : "");
	told->count++;
	pthread_mutex_unlock(&told->lock);
}

static int told_of(struct told *told, duct_log_kind kind, const char *receiver, uint64_t *lost)
{
	int count = 0;

	*lost = 0;
	pthread_mutex_lock(&told->lock);
	for (int e = 0; e < told->count; e++)
		if (told->events[e].kind == kind && strcmp(told->events[e].receiver, receiver) == 0) {
			*lost += told->events[e].lost;
			count++;
		}
	pthread_mutex_unlock(&told->lock);
	return count;
}

static struct crowd crowd_with_log(struct told *told, int64_t interval)
{
	return crowd_new(DUCT_OPTIONS(.name = "news", .log = keep_event, .log_interval = interval, .context = told));
}

static duct_receiver *join_named(const struct crowd *crowd, const char *name, duct_overflow overflow, bool quiet)
{
	return crowd_join_as(crowd, DUCT_SUBSCRIPTION(.name = name, .overflow = overflow,
					.capacity = overflow == DUCT_LATEST_ONLY ? 1 : 2, .quiet = quiet));
}

/* With the shortest interval each loss is told, of the receiver that had it. */
TEST(overflow_log, tells_of_each_loss, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crowd crowd = crowd_with_log(&told, 1);
	duct_receiver *oldest = join_named(&crowd, "oldest", DUCT_DROP_OLDEST, false);
	duct_receiver *newest = join_named(&crowd, "newest", DUCT_DROP_NEWEST, false);
	uint64_t lost;

	CHECK(sends(crowd.tx, 1, 2) && told.count == 0);
	CHECK(sends(crowd.tx, 3, 12));
	CHECK(told_of(&told, DUCT_LOG_LOST, "oldest", &lost) == 10 && lost == 10);
	CHECK(told_of(&told, DUCT_LOG_LOST, "newest", &lost) == 10 && lost == 10);
	CHECK(told.count == 20);
	duct_receiver_free(oldest);
	duct_receiver_free(newest);
	crowd_free(&crowd);
}

/* Within one interval, by itself a second, each receiver is told of once. */
TEST(overflow_log, tells_once_each_interval_for_each_receiver, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crowd crowd = crowd_with_log(&told, 0);
	duct_receiver *one = join_named(&crowd, "one", DUCT_DROP_OLDEST, false);
	duct_receiver *other = join_named(&crowd, "other", DUCT_DROP_NEWEST, false);
	duct_time start = duct_now();
	uint64_t lost;

	CHECK(sends(crowd.tx, 1, 20));
	/* On a machine so slow that a second has passed there may be more. */
	CHECK((told_of(&told, DUCT_LOG_LOST, "one", &lost) == 1 && lost == 1) || duct_now() - start >= 1000000000);
	CHECK((told_of(&told, DUCT_LOG_LOST, "other", &lost) == 1 && lost == 1) || duct_now() - start >= 1000000000);
	duct_receiver_free(one);
	duct_receiver_free(other);
	crowd_free(&crowd);
}

/* What was kept back is told with the next event: the counts add up to all that was lost until then. */
TEST(overflow_log, adds_up_what_it_kept_back, 10)
{
	const int64_t interval = 10 * 1000000;
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crowd crowd = crowd_with_log(&told, interval);
	duct_receiver *rx = join_named(&crowd, "one", DUCT_DROP_OLDEST, false);
	uint64_t lost = 0;
	int n = 0;

	while (told_of(&told, DUCT_LOG_LOST, "one", &lost) < 4) {
		CHECK(sends(crowd.tx, n, n));
		n++;
	}
	CHECK(lost == stats_of(rx).lost && lost >= 4 && (uint64_t)n == lost + 2);
	/* Four events span three intervals; that the hook is late only adds to them, but for the first. */
	CHECK(told.events[3].when - told.events[1].when >= interval);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* A batch tells of all that one receiver lost. */
TEST(overflow_log, tells_all_of_a_batch, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crowd crowd = crowd_with_log(&told, 1);
	duct_receiver *rx = join_named(&crowd, "one", DUCT_DROP_OLDEST, false);
	uint64_t lost;

	CHECK_STATUS(duct_send_many(crowd.tx, (int[10]){ 0 }, 10, NULL, 0, NULL), DUCT_OK);
	CHECK(told_of(&told, DUCT_LOG_LOST, "one", &lost) >= 1 && lost == 8);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Of a receiver that asked for quiet, and of the latest only, nothing is told. */
TEST(overflow_log, is_silent_where_it_is_asked_to, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crowd crowd = crowd_with_log(&told, 1);
	duct_receiver *quiet = join_named(&crowd, "quiet", DUCT_DROP_OLDEST, true);
	duct_receiver *latest = join_named(&crowd, "latest", DUCT_LATEST_ONLY, false);

	CHECK(sends(crowd.tx, 1, 20) && stats_of(quiet).lost == 18 && stats_of(latest).lost == 19);
	CHECK(told.count == 0);
	duct_receiver_free(quiet);
	duct_receiver_free(latest);
	crowd_free(&crowd);
}

/* Who is cut off is told of once. */
TEST(overflow_log, tells_of_who_is_cut_off, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crowd crowd = crowd_with_log(&told, 1);
	duct_receiver *rx = join_named(&crowd, "slow", DUCT_CUT_OFF, false);
	uint64_t lost;

	CHECK(sends(crowd.tx, 1, 9));
	CHECK(told_of(&told, DUCT_LOG_CUT_OFF, "slow", &lost) == 1 && lost == 1);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Each loss is told whose interval is over, however long ago the sends began that it came with. */
TEST(overflow_log, tells_what_senders_lost_that_waited, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crowd crowd = crowd_with_log(&told, 1);
	duct_receiver *full = crowd_join_as(&crowd, DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK, .capacity = 1));
	duct_receiver *lossy = crowd_join_as(&crowd, DUCT_SUBSCRIPTION(.name = "lossy", .capacity = 1));
	struct test_call calls[2];
	uint64_t lost;

	CHECK(sends(crowd.tx, 1, 1));
	for (int c = 0; c < 2; c++) {
		test_send_start(&calls[c], crowd.tx, 2 + c);
		AWAIT(duct_channel_waiting_senders(crowd.channel) == (size_t)c + 1);
	}
	for (int c = 0; c < 2; c++) {
		CHECK(reads(full, 1 + c, 1 + c));
		CHECK_STATUS(test_call_end(&calls[c]), DUCT_OK);
		CHECK(told_of(&told, DUCT_LOG_LOST, "lossy", &lost) == c + 1 && lost == (uint64_t)c + 1);
	}
	duct_receiver_free(full);
	duct_receiver_free(lossy);
	crowd_free(&crowd);
}

static struct {
	struct told told;
	struct crowd crowd;
	duct_receiver *rx;
	bool armed;
} hasty;

static void cut_off_inside(void *message, void *context)
{
	(void)message, (void)context;
	if (!hasty.armed)
		return;
	hasty.armed = false;
	CHECK_STATUS(duct_receiver_set_overflow(hasty.rx, DUCT_CUT_OFF), DUCT_OK);
	CHECK(sends(hasty.crowd.tx, 3, 3));
}

static void keep_hasty_event(const duct_log_event *event, void *context)
{
	CHECK(event->lost > 0);
	keep_event(event, context);
}

static void lose_one_more(void *message, void *context)
{
	(void)message, (void)context;
	if (!hasty.armed)
		return;
	hasty.armed = false;
	CHECK(sends(hasty.crowd.tx, 3, 3));
}

/* What a hook's own send loses, before the loss that it was called for is told, is told with that. */
TEST(overflow_log, adds_what_a_hook_lost_meanwhile, 5)
{
	uint64_t lost;

	hasty.told.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	hasty.crowd = crowd_new(
	    DUCT_OPTIONS(.name = "news", .log = keep_event, .drop = lose_one_more, .log_interval = 1, .context = &hasty.told));
	hasty.rx = crowd_join_as(&hasty.crowd, DUCT_SUBSCRIPTION(.name = "slow", .capacity = 1));
	hasty.armed = true;
	CHECK(sends(hasty.crowd.tx, 1, 2) && !hasty.armed);
	CHECK(told_of(&hasty.told, DUCT_LOG_LOST, "slow", &lost) == 1 && lost == 2);
	duct_receiver_free(hasty.rx);
	crowd_free(&hasty.crowd);
}

/* A loss that a hook's own send has told of already is not told again, as none. */
TEST(overflow_log, does_not_tell_of_no_loss, 5)
{
	uint64_t lost;

	hasty.told.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	hasty.crowd = crowd_new(DUCT_OPTIONS(.name = "news", .log = keep_hasty_event, .drop = cut_off_inside, .log_interval = 1,
	    .context = &hasty.told));
	hasty.rx = crowd_join_as(&hasty.crowd, DUCT_SUBSCRIPTION(.name = "slow", .capacity = 1));
	hasty.armed = true;
	CHECK(sends(hasty.crowd.tx, 1, 2) && !hasty.armed);
	CHECK(told_of(&hasty.told, DUCT_LOG_CUT_OFF, "slow", &lost) == 1 && lost == 2 && hasty.told.count == 1);
	duct_receiver_free(hasty.rx);
	crowd_free(&hasty.crowd);
}

/* A sender that waits for a receiver is told of, when it blocks and when it goes on. */
TEST(overflow_log, tells_of_a_sender_that_waits, 5)
{
	struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct crowd crowd = crowd_with_log(&told, 1);
	duct_receiver *rx = join_named(&crowd, "slow", DUCT_BLOCK, false);
	struct test_call call;
	uint64_t lost;

	CHECK(sends(crowd.tx, 1, 2));
	test_send_start(&call, crowd.tx, 3);
	AWAIT(told_of(&told, DUCT_LOG_BLOCKED, "", &lost) == 1);
	CHECK(reads(rx, 1, 1));
	CHECK_STATUS(test_call_end(&call), DUCT_OK);
	CHECK(told_of(&told, DUCT_LOG_RESUMED, "", &lost) == 1 && told.count == 2);
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* ---- Hooks that call the library --------------------------------------------------------------------------------------- */

struct inside {
	struct crowd crowd;
	duct_receiver *rx, *other;
	int drops;
	uint64_t told;
	bool within;
};

/* Everything that takes the locks that a send takes. */
static void use_the_channel(struct inside *inside)
{
	char line[300];
	duct_receiver *joined;
	duct_sender *tx;
	int message;

	CHECK(duct_channel_describe(inside->crowd.channel, line, sizeof line) > 0);
	CHECK(duct_channel_receivers(inside->crowd.channel) == 2 && adds_up(inside->other));
	joined = crowd_join(&inside->crowd, DUCT_BLOCK, 3);
	CHECK_STATUS(duct_sender_clone(inside->crowd.tx, &tx), DUCT_OK);
	CHECK_STATUS(duct_try_send(tx, &(int){ 100 }), DUCT_OK);
	CHECK(reads(joined, 100, 100));
	CHECK_STATUS(duct_receiver_set_overflow(joined, DUCT_DROP_OLDEST), DUCT_OK);
	CHECK_STATUS(duct_try_recv(inside->other, &message), DUCT_OK);
	duct_sender_free(tx);
	duct_receiver_free(joined);
}

static void drop_inside(void *message, void *context)
{
	struct inside *inside = context;

	(void)message;
	inside->drops++;
	if (inside->within)
		return;
	inside->within = true;
	use_the_channel(inside);
	inside->within = false;
}

static void log_inside(const duct_log_event *event, void *context)
{
	struct inside *inside = context;

	inside->told += event->lost;
	if (inside->within)
		return;
	inside->within = true;
	use_the_channel(inside);
	inside->within = false;
}

/* A drop or log hook of a loss may send to, join, leave and read from the very channel. */
TEST(overflow_hooks, may_use_the_channel, 5)
{
	for (int logs = 0; logs < 2; logs++) {
		struct inside inside = { .drops = 0 };

		inside.crowd = logs ? crowd_new(DUCT_OPTIONS(.log = log_inside, .log_interval = 1, .context = &inside))
		                    : crowd_new(DUCT_OPTIONS(.drop = drop_inside, .context = &inside));
		inside.rx = crowd_join(&inside.crowd, DUCT_DROP_OLDEST, 2);
		inside.other = crowd_join(&inside.crowd, DUCT_DROP_OLDEST, 50);
		CHECK(sends(inside.crowd.tx, 1, 6));
		CHECK(stats_of(inside.rx).lost > 4 && adds_up(inside.rx) && adds_up(inside.other));
		/* Of what is lost inside the log hook it may hear later. */
		CHECK(logs ? inside.told >= 4 && inside.told <= stats_of(inside.rx).lost
			   : (uint64_t)inside.drops == stats_of(inside.rx).lost);
		inside.within = true;
		duct_receiver_free(inside.rx);
		duct_receiver_free(inside.other);
		crowd_free(&inside.crowd);
	}
}

static void close_inside(void *message, void *context)
{
	(void)message;
	duct_channel_close(*(duct_channel **)context, 7);
}

/* A hook may close the channel that it is called for: the send that it belongs to was made before. */
TEST(overflow_hooks, may_close_the_channel, 5)
{
	duct_channel *channel = NULL;
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.drop = close_inside, .context = &channel));
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 1), *other = crowd_join(&crowd, DUCT_DROP_OLDEST, 5);

	channel = crowd.channel;
	CHECK(sends(crowd.tx, 1, 2));
	CHECK_STATUS(duct_try_send(crowd.tx, &(int){ 3 }), DUCT_CLOSED);
	CHECK(duct_channel_reason(crowd.channel) == 7 && reads(rx, 2, 2) && then(rx, DUCT_CLOSED));
	CHECK(reads(other, 1, 2) && then(other, DUCT_CLOSED));
	duct_receiver_free(rx);
	duct_receiver_free(other);
	crowd_free(&crowd);
}

static int looks_around;

static void look_around(void *message, void *context)
{
	duct_channel *channel = *(duct_channel **)context;

	(void)message;
	CHECK(duct_channel_len(channel) <= 3 &&
	      duct_channel_replay(channel) <= 3); /* with a lock held they would wait for ever */
	looks_around++;
}

/* What is dropped without a loss, since fewer are kept, a receiver goes or the channel closes, is so with no lock held too. */
TEST(overflow_hooks, of_what_is_left_may_use_the_channel, 5)
{
	duct_channel *channel = NULL;
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.drop = look_around, .context = &channel, .replay = 3));
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 3);

	looks_around = 0;
	channel = crowd.channel;
	CHECK(sends(crowd.tx, 1, 3) && looks_around == 0);
	CHECK_STATUS(duct_channel_set_replay(crowd.channel, 1), DUCT_OK);
	CHECK(looks_around == 2);
	duct_receiver_free(rx);
	CHECK(looks_around == 5);
	duct_channel_close(crowd.channel, 0);
	CHECK(looks_around == 6);
	crowd_free(&crowd);
	CHECK(looks_around == 6);
}

static size_t largest;

static void *note_largest(size_t size, void *context)
{
	(void)context;
	largest = size > largest ? size : largest;
	return malloc(size);
}

static void give_back(void *memory, void *context)
{
	(void)context;
	free(memory);
}

static void count_left(void *message, void *context)
{
	(void)message;
	++*(int *)context;
}

static void hear_nothing(const duct_log_event *event, void *context)
{
	(void)event, (void)context;
}

/* What is kept for later receivers is overwritten where it lies, if there is no hook that it has to go through. */
TEST(overflow, needs_no_memory_for_a_replay_without_hooks, 5)
{
	const duct_allocator allocator = { note_largest, give_back, NULL };
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.log = hear_nothing, .allocator = &allocator, .replay = 2));

	largest = 0;
	CHECK(sends(crowd.tx, 1, 9) && largest == 0);
	crowd_free(&crowd);
}

/* What a send needs memory for is what it may lose, not what its receivers have room for. */
TEST(overflow, that_became_the_latest_only_needs_no_memory_for_an_empty_queue, 5)
{
	const duct_allocator allocator = { note_largest, give_back, NULL };
	int drops = 0;
	struct crowd crowd = crowd_new(DUCT_OPTIONS(.drop = count_left, .context = &drops, .allocator = &allocator));
	duct_receiver *rx = crowd_join(&crowd, DUCT_DROP_OLDEST, 100000);

	CHECK(sends(crowd.tx, 1, 5));
	CHECK_STATUS(duct_receiver_set_overflow(rx, DUCT_LATEST_ONLY), DUCT_OK);
	largest = 0;
	CHECK(sends(crowd.tx, 6, 9) && drops == 8 && largest == 0 && reads(rx, 9, 9));
	duct_receiver_free(rx);
	crowd_free(&crowd);
}

/* Without hooks there is nothing to drop, and the memory goes with the handles. */
TEST(cut_off, of_the_last_forgets_what_is_kept_without_hooks, 5)
{
	duct_sender *tx;
	duct_receiver *rx, *late = NULL;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof(int), DUCT_SUBSCRIPTION(.overflow = DUCT_CUT_OFF, .capacity = 2),
			 DUCT_OPTIONS(.replay = 3)),
	    DUCT_OK);
	CHECK(sends(tx, 1, 3) && duct_channel_is_closed(duct_sender_channel(tx)));
	CHECK_STATUS(duct_sender_subscribe(tx, &late, NULL), DUCT_CLOSED);
	CHECK(reads(rx, 1, 2) && then(rx, DUCT_CLOSED));
	duct_receiver_free(rx);
	duct_sender_free(tx);
}

/* When a send cuts off the last receiver of a pair, and so closes it, what was kept is dropped with what it lost. */
TEST(cut_off, of_the_last_drops_what_is_kept, 5)
{
	int drops = 0;
	duct_sender *tx;
	duct_receiver *rx;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof(int), DUCT_SUBSCRIPTION(.overflow = DUCT_CUT_OFF, .capacity = 2),
			 DUCT_OPTIONS(.drop = count_left, .context = &drops, .replay = 3)),
	    DUCT_OK);
	CHECK(sends(tx, 1, 2) && drops == 0);
	CHECK(sends(tx, 3, 3) && duct_channel_is_closed(duct_sender_channel(tx)));
	CHECK(drops == 1 + 2); /* for the receiver, and for those who might have come */
	duct_receiver_free(rx);
	CHECK(drops == 5);
	duct_sender_free(tx);
	CHECK(drops == 5);
}
