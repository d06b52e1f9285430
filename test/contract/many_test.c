/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Batches: send_many and recv_many, how far they get, and how they tell it when something ends them half way.
 */
#include "harness.h"

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

enum { LONGEST = 300 };

/* One batch in a thread of its own: sent if tx is set, received otherwise. */
struct batch {
	duct_sender *tx;
	duct_receiver *rx;
	size_t min, max;
	duct_time deadline;
	duct_cancel *cancel;
	int messages[LONGEST];
	size_t moved;
	duct_status status;
	pthread_t thread;
};

static void *move_batch(void *argument)
{
	struct batch *self = argument;

	if (self->tx != NULL)
		self->status = duct_send_many(self->tx, self->messages, self->max, &self->moved, self->deadline, self->cancel);
	else
		self->status =
		    duct_recv_many(self->rx, self->messages, self->min, self->max, &self->moved, self->deadline, self->cancel);
	return NULL;
}

static void send_start(struct batch *batch, duct_sender *tx, int first, size_t count, duct_cancel *cancel)
{
	*batch = (struct batch){ .tx = tx, .max = count, .deadline = DUCT_FOREVER, .cancel = cancel, .moved = 77 };
	for (size_t n = 0; n < count; n++)
		batch->messages[n] = first + (int)n;
	batch->thread = test_start(move_batch, batch);
}

static void recv_start(struct batch *batch, duct_receiver *rx, size_t min, size_t max, duct_cancel *cancel)
{
	*batch = (struct batch){ .rx = rx, .min = min, .max = max, .deadline = DUCT_FOREVER, .cancel = cancel, .moved = 77 };
	for (size_t n = 0; n < LONGEST; n++)
		batch->messages[n] = -1;
	batch->thread = test_start(move_batch, batch);
}

static duct_status batch_end(struct batch *batch)
{
	test_join(batch->thread);
	return batch->status;
}

/* Sends first, first + 1... one by one. */
static void send_row(duct_sender *tx, int first, size_t count)
{
	for (size_t n = 0; n < count; n++)
		CHECK_STATUS(duct_try_send(tx, &(int){ first + (int)n }), DUCT_OK);
}

/* Whether the array is first, first + 1... for so many, and -1 from there on. */
static bool is_row(const int *messages, int first, size_t count, size_t length)
{
	for (size_t n = 0; n < length; n++) {
		if (messages[n] != (n < count ? first + (int)n : -1))
			return false;
	}
	return true;
}

static void clear(int *messages, size_t length)
{
	for (size_t n = 0; n < length; n++)
		messages[n] = -1;
}

/* Stops a batch half way. */
enum stop { BY_CLOSE, BY_OWN_CLOSE, BY_CANCEL, BY_NO_RECEIVERS };

/* ---- Rules of count ---------------------------------------------------------------------------------------------------- */

/* A batch that fits goes in at once and comes out in order; the counts may be left out. */
TEST(many, that_fits_moves_at_once, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		int out[LONGEST], in[LONGEST];
		size_t moved = 77;

		for (size_t n = 0; n < LONGEST; n++)
			out[n] = (int)n;
		for (int round = 0; round < 4; round++) {
			CHECK_STATUS(duct_send_many(pair.tx, out, capacities[i], &moved, 0, NULL), DUCT_OK);
			CHECK(moved == capacities[i] && duct_channel_is_full(pair.channel));
			clear(in, LONGEST);
			CHECK_STATUS(duct_recv_many(pair.rx, in, capacities[i], LONGEST, &moved, 0, NULL), DUCT_OK);
			CHECK(moved == capacities[i] && is_row(in, 0, capacities[i], LONGEST));
			/* So that the next batch begins at another slot. */
			CHECK_STATUS(duct_send_many(pair.tx, out, 1, NULL, 0, NULL), DUCT_OK);
			CHECK_STATUS(duct_recv_many(pair.rx, in, 1, 1, NULL, 0, NULL), DUCT_OK);
		}
		test_pair_free(&pair);
	}
}

/* A batch of none is done at once, and needs no array. */
TEST(many, of_none_moves_nothing, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		size_t moved = 77;

		CHECK_STATUS(duct_send_many(pair.tx, NULL, 0, &moved, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(moved == 0);
		moved = 77;
		CHECK_STATUS(duct_recv_many(pair.rx, NULL, 0, 0, &moved, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(moved == 0);
		CHECK(duct_channel_len(pair.channel) == 0);
		test_pair_free(&pair);
	}
}

/* A batch of more bytes than there can be is refused before anything moves. */
TEST(many, of_overflowing_size_is_refused, 5)
{
	static const size_t counts[] = { SIZE_MAX, SIZE_MAX / 2, SIZE_MAX / sizeof(int) + 1 };

	for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
		struct test_pair pair = test_pair_new(sizeof(int), 3);
		int messages[4] = { 0, 1, 2, 3 };
		size_t moved = 0;

		CHECK_STATUS(duct_send_many(pair.tx, messages, counts[c], &moved, 0, NULL), DUCT_INVALID);
		CHECK(moved == 0 && duct_channel_len(pair.channel) == 0);
		send_row(pair.tx, 5, 3);
		CHECK_STATUS(duct_recv_many(pair.rx, messages, 1, counts[c], &moved, 0, NULL), DUCT_INVALID);
		CHECK(moved == 0 && duct_channel_len(pair.channel) == 3 && messages[0] == 0);
		test_pair_free(&pair);
	}
}

/* With min 0 a receive takes what is there or says empty, and never waits. */
TEST(recv_many, with_min_0_never_waits, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 5);
	int in[10];
	size_t received = 77;

	clear(in, 10);
	CHECK_STATUS(duct_recv_many(pair.rx, in, 0, 10, &received, DUCT_FOREVER, NULL), DUCT_EMPTY);
	CHECK(received == 0 && is_row(in, 0, 0, 10));
	send_row(pair.tx, 0, 5);
	CHECK_STATUS(duct_recv_many(pair.rx, in, 0, 3, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 3 && is_row(in, 0, 3, 10));
	clear(in, 10);
	CHECK_STATUS(duct_recv_many(pair.rx, in, 0, 10, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 2 && is_row(in, 3, 2, 10));
	test_pair_free(&pair);
}

/* A receive takes no more than max, and no fewer than what is there up to it. */
TEST(recv_many, takes_what_is_there_up_to_max, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 8);
	int in[10];
	size_t received;

	for (size_t max = 1; max <= 10; max++) {
		send_row(pair.tx, 0, 8);
		clear(in, 10);
		CHECK_STATUS(duct_recv_many(pair.rx, in, 1, max, &received, 0, NULL), DUCT_OK);
		CHECK(received == (max < 8 ? max : 8) && is_row(in, 0, received, 10));
		CHECK(duct_channel_len(pair.channel) == 8 - received);
		CHECK_STATUS(duct_channel_discard(pair.channel, NULL), DUCT_OK);
	}
	test_pair_free(&pair);
}

/* However many there are, of any size. */
TEST(recv_many, takes_ten_thousand_at_once, 10)
{
	static const size_t sizes[] = { 0, 1, 3, 8 };
	static unsigned char in[10000 * 8];

	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		struct test_pair pair = test_pair_new(sizes[k], 10000);
		uint64_t message = 0;
		size_t received;

		for (; message < 10000; message++)
			CHECK_STATUS(duct_try_send(pair.tx, &(uint64_t){ message * UINT64_C(0x0101010101010101) }), DUCT_OK);
		CHECK_STATUS(duct_recv_many(pair.rx, in, 1, 10000, &received, 0, NULL), DUCT_OK);
		CHECK(received == 10000 && duct_channel_len(pair.channel) == 0);
		for (size_t i = 0; sizes[k] > 0 && i < 10000; i++) {
			uint64_t expected = i * UINT64_C(0x0101010101010101);

			CHECK(memcmp(&in[i * sizes[k]], &expected, sizes[k]) == 0);
		}
		test_pair_free(&pair);
	}
}

/* A receive waits until min are there, then goes. */
TEST(recv_many, waits_for_min, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct batch batch;

		recv_start(&batch, pair.rx, 5, 10, NULL);
		for (int n = 0; n < 5; n++) {
			AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
			CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
		}
		CHECK_STATUS(batch_end(&batch), DUCT_OK);
		CHECK(batch.moved == 5 && is_row(batch.messages, 0, 5, LONGEST));
		CHECK(duct_channel_len(pair.channel) == 0);
		test_pair_free(&pair);
	}
}

/* Senders that sleep are part of what is there: a receive that does not wait takes theirs too, in order. */
TEST(recv_many, takes_from_sleeping_senders_too, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct batch senders[3];
		int in[LONGEST];
		size_t received, queued = capacities[i];

		send_row(pair.tx, 0, queued);
		for (size_t s = 0; s < 3; s++) {
			send_start(&senders[s], pair.tx, (int)(queued + s), 1, NULL);
			AWAIT(duct_channel_waiting_senders(pair.channel) == s + 1);
		}
		clear(in, LONGEST);
		CHECK_STATUS(duct_recv_many(pair.rx, in, 0, LONGEST, &received, 0, NULL), DUCT_OK);
		CHECK(received == queued + 3 && is_row(in, 0, queued + 3, LONGEST));
		for (size_t s = 0; s < 3; s++)
			CHECK_STATUS(batch_end(&senders[s]), DUCT_OK);
		test_pair_free(&pair);
	}
}

/* A batch larger than the channel goes through it as room comes, in order, to single receives and to batches. */
TEST(send_many, of_more_than_capacity_keeps_order, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (size_t step = 0; step < 8; step++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct batch batch;
			int in[LONGEST];

			send_start(&batch, pair.tx, 0, LONGEST, NULL);
			clear(in, LONGEST);
			for (size_t taken = 0, received = 1; taken < LONGEST; taken += received) {
				size_t most = LONGEST - taken < step ? LONGEST - taken : step;
				duct_status status;

				if (step == 0)
					status = duct_recv(pair.rx, &in[taken]);
				else
					status = duct_recv_many(pair.rx, &in[taken], 1, most, &received, DUCT_FOREVER, NULL);
				CHECK_STATUS(status, DUCT_OK);
			}
			CHECK(is_row(in, 0, LONGEST, LONGEST));
			CHECK_STATUS(batch_end(&batch), DUCT_OK);
			CHECK(batch.moved == LONGEST);
			CHECK_STATUS(duct_try_recv(pair.rx, in), DUCT_EMPTY);
			test_pair_free(&pair);
		}
	}
}

/* A receive of more than the channel holds waits through several fillings. */
TEST(recv_many, of_more_than_capacity_waits_for_all, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct batch batch;

		recv_start(&batch, pair.rx, LONGEST, LONGEST, NULL);
		for (int n = 0; n < LONGEST; n++)
			CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
		CHECK_STATUS(batch_end(&batch), DUCT_OK);
		CHECK(batch.moved == LONGEST && is_row(batch.messages, 0, LONGEST, LONGEST));
		test_pair_free(&pair);
	}
}

/* Two batches, neither of which could wait for the other alone, pass through a channel of any capacity. */
TEST(many, a_large_batch_meets_a_large_batch, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct batch out, in;

		send_start(&out, pair.tx, 0, LONGEST, NULL);
		recv_start(&in, pair.rx, LONGEST, LONGEST, NULL);
		CHECK_STATUS(batch_end(&out), DUCT_OK);
		CHECK_STATUS(batch_end(&in), DUCT_OK);
		CHECK(out.moved == LONGEST && in.moved == LONGEST);
		CHECK(is_row(in.messages, 0, LONGEST, LONGEST));
		test_pair_free(&pair);
	}
}

/* One batch of three wakes three receivers that sleep, in their order. */
TEST(send_many, serves_sleeping_receivers_in_order, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct batch receivers[3];
		const int out[3] = { 0, 1, 2 };

		for (size_t r = 0; r < 3; r++) {
			recv_start(&receivers[r], pair.rx, 1, 1, NULL);
			AWAIT(duct_channel_waiting_receivers(pair.channel) == r + 1);
		}
		CHECK_STATUS(duct_send_many(pair.tx, out, 3, NULL, 0, NULL), DUCT_OK);
		for (int r = 0; r < 3; r++) {
			CHECK_STATUS(batch_end(&receivers[r]), DUCT_OK);
			CHECK(receivers[r].moved == 1 && receivers[r].messages[0] == r);
		}
		test_pair_free(&pair);
	}
}

/* ---- Half way ---------------------------------------------------------------------------------------------------------- */

/* A send that is stopped half way tells why and how many are gone; those arrive, the rest never do. */
TEST(send_many, stopped_half_way_tells_how_many_are_gone, 5)
{
	static const struct {
		enum stop stop;
		duct_status status;
	} stops[] = { { BY_CLOSE, DUCT_CLOSED }, { BY_OWN_CLOSE, DUCT_CLOSED }, { BY_CANCEL, DUCT_CANCELED },
		{ BY_NO_RECEIVERS, DUCT_NO_RECEIVERS } };

	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (size_t s = 0; s < ARRAY_LEN(stops); s++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct batch batch;
			int message;
			duct_cancel *cancel;

			CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
			send_start(&batch, pair.tx, 0, LONGEST, cancel);
			AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
			for (int n = 0; n < 2; n++) {
				CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
				CHECK(message == n);
			}
			AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
			AWAIT(duct_channel_len(pair.channel) == capacities[i]);
			if (stops[s].stop == BY_CLOSE)
				duct_channel_close(pair.channel, 0);
			else if (stops[s].stop == BY_OWN_CLOSE)
				duct_sender_close(pair.tx);
			else if (stops[s].stop == BY_CANCEL)
				duct_cancel_raise(cancel);
			else
				duct_receiver_free(pair.rx);
			CHECK_STATUS(batch_end(&batch), stops[s].status);
			CHECK(batch.moved == 2 + capacities[i]);
			if (stops[s].stop == BY_NO_RECEIVERS)
				CHECK_STATUS(duct_receiver_new(pair.channel, &pair.rx), DUCT_OK);
			for (int n = 2; n < 2 + (int)capacities[i]; n++) {
				CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
				CHECK(message == n);
			}
			CHECK_STATUS(duct_try_recv(pair.rx, &message), stops[s].stop == BY_CLOSE ? DUCT_CLOSED : DUCT_EMPTY);
			duct_cancel_free(cancel);
			test_pair_free(&pair);
		}
	}
}

/* A receive that is stopped half way tells why, and what it has by then is the caller's. */
TEST(recv_many, stopped_half_way_keeps_what_it_has, 5)
{
	static const struct {
		enum stop stop;
		duct_status status;
	} stops[] = { { BY_CLOSE, DUCT_CLOSED }, { BY_OWN_CLOSE, DUCT_CLOSED }, { BY_CANCEL, DUCT_CANCELED } };

	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		for (size_t s = 0; s < ARRAY_LEN(stops); s++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
			struct batch batch;
			duct_cancel *cancel;

			CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
			recv_start(&batch, pair.rx, 5, 10, cancel);
			for (int n = 0; n < 3; n++) {
				AWAIT(duct_channel_waiting_receivers(pair.channel) == 1);
				CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
			}
			AWAIT(duct_channel_waiting_receivers(pair.channel) == 1 && duct_channel_len(pair.channel) == 0);
			if (stops[s].stop == BY_CLOSE)
				duct_channel_close(pair.channel, 0);
			else if (stops[s].stop == BY_OWN_CLOSE)
				duct_receiver_close(pair.rx);
			else
				duct_cancel_raise(cancel);
			CHECK_STATUS(batch_end(&batch), stops[s].status);
			CHECK(batch.moved == 3 && is_row(batch.messages, 0, 3, LONGEST));
			duct_cancel_free(cancel);
			test_pair_free(&pair);
		}
	}
}

/* Out of time, a batch keeps what it moved: a deadline that has passed still moves all that needs no waiting. */
TEST(many, out_of_time_keeps_what_it_moved, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		const size_t capacity = capacities[i];

		for (int wait = 0; wait < 2; wait++) {
			struct test_pair pair = test_pair_new(sizeof(int), capacity);
			int messages[LONGEST];
			duct_time deadline = wait ? duct_after_ms(3) : 0;
			duct_status status;
			size_t moved = 77;

			for (int n = 0; n < LONGEST; n++)
				messages[n] = n;
			CHECK_STATUS(duct_send_many(pair.tx, messages, capacity + 2, &moved, deadline, NULL), DUCT_TIMEDOUT);
			CHECK(moved == capacity && duct_channel_len(pair.channel) == capacity);
			clear(messages, LONGEST);
			deadline = wait ? duct_after_ms(3) : 0;
			status = duct_recv_many(pair.rx, messages, capacity + 1, LONGEST, &moved, deadline, NULL);
			CHECK_STATUS(status, DUCT_TIMEDOUT);
			CHECK(moved == capacity && is_row(messages, 0, capacity, LONGEST));
			CHECK_STATUS(duct_try_recv(pair.rx, messages), DUCT_EMPTY);
			test_pair_free(&pair);
		}
	}
}

/* A closed channel with fewer than min gives those, and says closed; with min it is a success. */
TEST(recv_many, drains_a_closed_channel, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 8);
	int in[10];
	size_t received;

	send_row(pair.tx, 0, 8);
	duct_channel_close(pair.channel, 0);
	clear(in, 10);
	CHECK_STATUS(duct_recv_many(pair.rx, in, 5, 5, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 5 && is_row(in, 0, 5, 10));
	clear(in, 10);
	CHECK_STATUS(duct_recv_many(pair.rx, in, 5, 10, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(received == 3 && is_row(in, 5, 3, 10));
	CHECK_STATUS(duct_recv_many(pair.rx, in, 1, 10, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(received == 0);
	CHECK_STATUS(duct_recv_many(pair.rx, in, 0, 10, &received, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(received == 0);
	test_pair_free(&pair);
}

/* A token that was raised before stops a batch before its first message. */
TEST(many, given_a_raised_token_moves_nothing, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 8);
	int messages[4] = { -1, -1, -1, -1 };
	size_t moved = 77;
	duct_cancel *cancel;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	send_row(pair.tx, 0, 4);
	duct_cancel_raise(cancel);
	CHECK_STATUS(duct_send_many(pair.tx, messages, 4, &moved, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(moved == 0 && duct_channel_len(pair.channel) == 4);
	moved = 77;
	CHECK_STATUS(duct_recv_many(pair.rx, messages, 0, 4, &moved, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(moved == 0 && duct_channel_len(pair.channel) == 4 && is_row(messages, 0, 0, 4));
	duct_cancel_free(cancel);
	test_pair_free(&pair);
}

/* ---- Crowds ------------------------------------------------------------------------------------------------------------ */

enum { SENDERS = 4, EACH = 4000 };

struct signed_message {
	int sender;
	int number;
};

struct crowd {
	duct_sender *tx;
	duct_receiver *rx;
	int id;
	int received;
};

/* Every second sender sends in batches of growing length, the others one by one. */
static void *crowd_send(void *argument)
{
	struct crowd *crowd = argument;
	struct signed_message out[16];
	size_t length = 1;

	for (int n = 0; n < EACH;) {
		size_t count = crowd->id % 2 ? length : 1, sent;

		if (count > (size_t)(EACH - n))
			count = (size_t)(EACH - n);
		for (size_t at = 0; at < count; at++)
			out[at] = (struct signed_message){ crowd->id, n + (int)at };
		if (crowd->id % 2) {
			CHECK_STATUS(duct_send_many(crowd->tx, out, count, &sent, DUCT_FOREVER, NULL), DUCT_OK);
			CHECK(sent == count);
		} else {
			CHECK_STATUS(duct_send(crowd->tx, out), DUCT_OK);
		}
		n += (int)count;
		length = length % 16 + 1;
	}
	return NULL;
}

/* Every second receiver receives in batches, the others one by one; each sees each sender's messages in order. */
static void *crowd_receive(void *argument)
{
	struct crowd *crowd = argument;
	struct signed_message in[16];
	int last[SENDERS] = { -1, -1, -1, -1 };
	duct_status status = DUCT_OK;

	while (status == DUCT_OK) {
		size_t received = 1;

		if (crowd->id % 2) {
			status = duct_recv_many(crowd->rx, in, 3, 16, &received, DUCT_FOREVER, NULL);
		} else {
			status = duct_recv(crowd->rx, in);
			received = status == DUCT_OK;
		}
		for (size_t n = 0; n < received; n++) {
			CHECK(in[n].number > last[in[n].sender]);
			last[in[n].sender] = in[n].number;
		}
		crowd->received += (int)received;
	}
	CHECK_STATUS(status, DUCT_CLOSED);
	return NULL;
}

/* Batches and single messages, sent and received by many at once: each one arrives once, each sender's in order. */
TEST(many, and_singles_share_a_channel, 30)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(struct signed_message), capacities[i]);
		struct crowd senders[SENDERS], receivers[2];
		pthread_t sending[SENDERS], receiving[2];

		for (int r = 0; r < 2; r++) {
			receivers[r] = (struct crowd){ NULL, pair.rx, r, 0 };
			receiving[r] = test_start(crowd_receive, &receivers[r]);
		}
		for (int s = 0; s < SENDERS; s++) {
			senders[s] = (struct crowd){ pair.tx, NULL, s, 0 };
			sending[s] = test_start(crowd_send, &senders[s]);
		}
		for (int s = 0; s < SENDERS; s++)
			test_join(sending[s]);
		duct_channel_close(pair.channel, 0);
		for (int r = 0; r < 2; r++)
			test_join(receiving[r]);
		CHECK(receivers[0].received + receivers[1].received == SENDERS * EACH);
		test_pair_free(&pair);
	}
}

/* Messages of no bytes are counted in batches too, at every capacity. */
TEST(many, of_size_zero_is_counted, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(0, capacities[i]);
		struct batch batch;
		size_t received;

		send_start(&batch, pair.tx, 0, 200, NULL);
		CHECK_STATUS(duct_recv_many(pair.rx, NULL, 200, 200, &received, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(received == 200);
		CHECK_STATUS(batch_end(&batch), DUCT_OK);
		CHECK_STATUS(duct_try_recv(pair.rx, NULL), DUCT_EMPTY);
		test_pair_free(&pair);
	}
}
