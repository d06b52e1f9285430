/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Anycast channels: what can be made, what is refused, and that each message reaches exactly one receiver, whole and in order.
 */
#include "harness.h"

#include <stdatomic.h>

#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
#include <malloc.h>
#define HAVE_MALLINFO2 1
#else
#define HAVE_MALLINFO2 0
#endif

static const size_t capacities[] = { 0, 1, 2, 3, 100 };

/* ---- Making ------------------------------------------------------------------------------------------------------------ */

/* An allocator that has nothing to give, and counts who asked. */
static void *allocate_nothing(size_t size, void *context)
{
	(void)size;
	++*(int *)context;
	return NULL;
}

static void release_nothing(void *memory, void *context)
{
	(void)memory;
	(void)context;
	abort();
}

/* Sizes that overflow, a capacity of 2^32 and options of another size are refused before memory is asked for. */
TEST(anycast_new, refuses_what_can_never_work, 5)
{
	static const size_t option_sizes[] = { 0, 1, sizeof(duct_options) - 1, sizeof(duct_options) + 1, SIZE_MAX };
	int asked = 0;
	const duct_allocator nothing = { allocate_nothing, release_nothing, &asked };
	duct_options options = DUCT_OPTIONS_INIT;
	duct_channel *const before = (duct_channel *)&asked;
	duct_channel *channel = before;

	options.allocator = &nothing;
	CHECK_STATUS(duct_anycast_new(NULL, 8, 8, &options), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_new(NULL, 8, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_new(&channel, SIZE_MAX / 2, 4, &options), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_new(&channel, SIZE_MAX, 2, &options), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_new(&channel, SIZE_MAX / 8 + 1, 8, &options), DUCT_INVALID);
#if SIZE_MAX > UINT32_MAX
	CHECK_STATUS(duct_anycast_new(&channel, 0, (size_t)UINT32_MAX + 1, &options), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_new(&channel, 8, (size_t)UINT32_MAX + 1, &options), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_new(&channel, 8, SIZE_MAX, &options), DUCT_INVALID);
#endif
	for (size_t i = 0; i < ARRAY_LEN(option_sizes); i++) {
		options.size = option_sizes[i];
		CHECK_STATUS(duct_anycast_new(&channel, 8, 8, &options), DUCT_INVALID);
	}
	CHECK(channel == before && asked == 0);
}

/* A negative interval of the log, and an allocator that lacks a function, are refused before anything is allocated. */
TEST(anycast_new, refuses_options_that_can_never_work, 5)
{
	int asked = 0;
	const duct_allocator whole = { allocate_nothing, release_nothing, &asked };
	const duct_allocator halves[] = { { NULL, release_nothing, &asked }, { allocate_nothing, NULL, &asked },
		{ NULL, NULL, &asked } };
	duct_options options = DUCT_OPTIONS_INIT;
	duct_channel *const before = (duct_channel *)&asked;
	duct_channel *channel = before;

	for (size_t i = 0; i < ARRAY_LEN(halves); i++) {
		options.allocator = &halves[i];
		CHECK_STATUS(duct_anycast_new(&channel, 8, 8, &options), DUCT_INVALID);
	}
	options.allocator = &whole;
	options.log_interval = -1;
	CHECK_STATUS(duct_anycast_new(&channel, 8, 8, &options), DUCT_INVALID);
	options.log_interval = INT64_MIN;
	CHECK_STATUS(duct_anycast_new(&channel, 8, 8, &options), DUCT_INVALID);
	CHECK(channel == before && asked == 0);
	/* Nothing else was wrong. */
	options.log_interval = 0;
	CHECK_STATUS(duct_anycast_new(&channel, 8, 8, &options), DUCT_NOMEM);
	CHECK(channel == before && asked == 1);
}

/* Without memory, the largest capacity there is included, nothing is written. */
TEST(anycast_new, without_memory_makes_nothing, 5)
{
	int asked = 0, scratch;
	const duct_allocator nothing = { allocate_nothing, release_nothing, &asked };
	duct_options options = DUCT_OPTIONS_INIT;
	duct_channel *const before = (duct_channel *)&scratch;
	duct_channel *channel = before;

	options.allocator = &nothing;
	CHECK_STATUS(duct_anycast_new(&channel, 8, 8, &options), DUCT_NOMEM);
	CHECK(asked == 1);
#if SIZE_MAX > UINT32_MAX
	CHECK_STATUS(duct_anycast_new(&channel, 8, UINT32_MAX, &options), DUCT_NOMEM);
#endif
	CHECK(channel == before);
}

/* The pair form refuses the same, and writes neither handle. */
TEST(anycast_open, refuses_what_can_never_work, 5)
{
	int scratch;
	duct_options options = DUCT_OPTIONS_INIT;
	duct_sender *const tx_before = (duct_sender *)&scratch;
	duct_receiver *const rx_before = (duct_receiver *)&scratch;
	duct_sender *tx = tx_before;
	duct_receiver *rx = rx_before;

	CHECK_STATUS(duct_anycast_open(NULL, &rx, 8, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_open(&tx, NULL, 8, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_open(NULL, NULL, 8, 8, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_anycast_open(&tx, &rx, SIZE_MAX / 2, 4, NULL), DUCT_INVALID);
#if SIZE_MAX > UINT32_MAX
	CHECK_STATUS(duct_anycast_open(&tx, &rx, 0, (size_t)UINT32_MAX + 1, NULL), DUCT_INVALID);
#endif
	options.size = sizeof options - 1;
	CHECK_STATUS(duct_anycast_open(&tx, &rx, 8, 8, &options), DUCT_INVALID);
	CHECK(tx == tx_before && rx == rx_before);
}

/* ---- State ------------------------------------------------------------------------------------------------------------- */

/* A fresh channel has its capacity, no message, no end and nobody waiting. */
TEST(state, of_a_fresh_channel_is_empty, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		duct_channel *channel;

		CHECK_STATUS(duct_anycast_new(&channel, 24, capacities[i], NULL), DUCT_OK);
		CHECK(duct_channel_capacity(channel) == capacities[i]);
		CHECK(duct_channel_message_size(channel) == 24);
		CHECK(duct_channel_len(channel) == 0);
		CHECK(duct_channel_is_empty(channel));
		CHECK(duct_channel_is_full(channel) == (capacities[i] == 0));
		CHECK(!duct_channel_is_closed(channel));
		CHECK(duct_channel_reason(channel) == 0);
		CHECK(duct_channel_senders(channel) == 0 && duct_channel_receivers(channel) == 0);
		CHECK(duct_channel_waiting_senders(channel) == 0 && duct_channel_waiting_receivers(channel) == 0);
		duct_channel_free(channel);
	}
}

/* The length follows each message, the channel is full at exactly its capacity and empty at none, several times round. */
TEST(state, follows_each_message, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		int sent = 0, received = 0, message;

		for (int round = 0; round < 5; round++) {
			for (size_t len = 1; len <= capacities[i]; len++) {
				CHECK(!duct_channel_is_full(pair.channel));
				CHECK_STATUS(duct_try_send(pair.tx, &sent), DUCT_OK);
				sent++;
				CHECK(duct_channel_len(pair.channel) == len && !duct_channel_is_empty(pair.channel));
			}
			CHECK(duct_channel_is_full(pair.channel));
			CHECK_STATUS(duct_try_send(pair.tx, &sent), DUCT_FULL);
			for (size_t len = capacities[i]; len-- > 0;) {
				CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_OK);
				CHECK(message == received++);
				CHECK(duct_channel_len(pair.channel) == len && !duct_channel_is_full(pair.channel));
			}
			CHECK(duct_channel_is_empty(pair.channel));
			CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
			/* So that the rounds begin at different slots. */
			CHECK_STATUS(duct_send(pair.tx, &sent), DUCT_OK);
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == sent++ && message == received++);
		}
		test_pair_free(&pair);
	}
}

/* Asked about no channel, the questions have plain answers. */
TEST(state, of_null_is_zero, 5)
{
	CHECK(duct_channel_capacity(NULL) == 0);
	CHECK(duct_channel_message_size(NULL) == 0);
	CHECK(duct_channel_len(NULL) == 0);
	CHECK(!duct_channel_is_full(NULL) && !duct_channel_is_empty(NULL));
	CHECK(!duct_channel_is_closed(NULL) && duct_channel_reason(NULL) == 0);
	CHECK(duct_channel_senders(NULL) == 0 && duct_channel_receivers(NULL) == 0);
	CHECK(duct_channel_waiting_senders(NULL) == 0 && duct_channel_waiting_receivers(NULL) == 0);
	CHECK(strcmp(duct_channel_name(NULL), "") == 0);
	CHECK(duct_sender_is_closed(NULL) && duct_receiver_is_closed(NULL));
	CHECK(duct_sender_channel(NULL) == NULL && duct_receiver_channel(NULL) == NULL);
}

struct flow {
	duct_sender *tx;
	duct_receiver *rx;
	int count;
};

static void *send_numbers(void *argument)
{
	struct flow *flow = argument;

	for (int i = 0; i < flow->count; i++)
		CHECK_STATUS(duct_send(flow->tx, &i), DUCT_OK);
	return NULL;
}

static void *receive_numbers(void *argument)
{
	struct flow *flow = argument;
	int message;

	for (int i = 0; i < flow->count; i++) {
		CHECK_STATUS(duct_recv(flow->rx, &message), DUCT_OK);
		CHECK(message == i);
	}
	return NULL;
}

/* While 25,000 messages pass, the length never exceeds the capacity. */
TEST(state, len_stays_within_capacity_while_messages_pass, 30)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i += 2) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct flow flow = { pair.tx, pair.rx, capacities[i] == 100 ? 25000 : 5000 };
		pthread_t sender = test_start(send_numbers, &flow);

		for (int n = 0; n < flow.count; n++) {
			int message;

			CHECK(duct_channel_len(pair.channel) <= capacities[i]);
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == n);
			CHECK(duct_channel_len(pair.channel) <= capacities[i]);
		}
		test_join(sender);
		CHECK(duct_channel_len(pair.channel) == 0);
		test_pair_free(&pair);
	}
}

/* ---- Names ------------------------------------------------------------------------------------------------------------- */

/* A given name is copied; a channel without one gets one of its own. */
TEST(name, is_copied_or_made, 5)
{
	char given[] = "jobs of the day";
	duct_channel *named, *first, *second;

	CHECK_STATUS(duct_anycast_new(&named, 4, 1, DUCT_OPTIONS(.name = given)), DUCT_OK);
	memset(given, 'x', sizeof given - 1);
	CHECK(strcmp(duct_channel_name(named), "jobs of the day") == 0);
	CHECK_STATUS(duct_anycast_new(&first, 4, 1, NULL), DUCT_OK);
	CHECK_STATUS(duct_anycast_new(&second, 4, 1, NULL), DUCT_OK);
	CHECK(strlen(duct_channel_name(first)) > 0);
	CHECK(strcmp(duct_channel_name(first), duct_channel_name(second)) != 0);
	duct_channel_free(second);
	duct_channel_free(first);
	duct_channel_free(named);
}

/* A description is one line that names the channel, and is cut as snprintf cuts. */
TEST(describe, is_cut_like_snprintf, 5)
{
	static const size_t some[] = { 0, 1, 100 };

	for (size_t i = 0; i < ARRAY_LEN(some); i++) {
		char whole[512], cut[512];
		duct_channel *channel;
		size_t length;

		CHECK_STATUS(duct_anycast_new(&channel, 4, some[i], DUCT_OPTIONS(.name = "mail")), DUCT_OK);
		length = duct_channel_describe(channel, NULL, 0);
		CHECK(length > 0 && length < sizeof whole);
		CHECK(duct_channel_describe(channel, whole, sizeof whole) == length);
		CHECK(strlen(whole) == length);
		CHECK(strstr(whole, "mail") != NULL && strchr(whole, '\n') == NULL);
		for (size_t size = 0; size <= length + 2; size++) {
			size_t kept = size == 0 ? 0 : size > length ? length : size - 1;

			memset(cut, '#', sizeof cut);
			CHECK(duct_channel_describe(channel, cut, size) == length);
			CHECK(memcmp(cut, whole, kept) == 0);
			CHECK(size == 0 || cut[kept] == '\0');
			for (size_t at = size; at < sizeof cut; at++)
				CHECK(cut[at] == '#');
		}
		duct_channel_free(channel);
	}
}

/* It ends with what has become of the channel. */
TEST(describe, tells_whether_it_is_closed, 5)
{
	duct_channel *channel;
	char line[200];

	CHECK_STATUS(duct_anycast_new(&channel, 4, 1, NULL), DUCT_OK);
	CHECK(duct_channel_describe(channel, line, sizeof line) == strlen(line));
	CHECK(strcmp(line + strlen(line) - 6, ", open") == 0);
	duct_channel_close(channel, 7);
	CHECK(duct_channel_describe(channel, line, sizeof line) == strlen(line));
	CHECK(strcmp(line + strlen(line) - 12, ", closed (7)") == 0);
	duct_channel_free(channel);
}

/* No channel has an empty line for its description, as far as there is room for one. */
TEST(describe, of_null_is_an_empty_line, 5)
{
	char line[] = "####";

	CHECK(duct_channel_describe(NULL, NULL, 0) == 0);
	CHECK(duct_channel_describe(NULL, NULL, sizeof line) == 0);
	CHECK(duct_channel_describe(NULL, line, 0) == 0);
	CHECK(strcmp(line, "####") == 0);
	CHECK(duct_channel_describe(NULL, line, 1) == 0);
	CHECK(line[0] == '\0' && strcmp(line + 1, "###") == 0);
	line[0] = '#';
	CHECK(duct_channel_describe(NULL, line, sizeof line) == 0);
	CHECK(line[0] == '\0' && strcmp(line + 1, "###") == 0);
}

/* A very long name is kept whole, in the description too. */
TEST(describe, keeps_a_long_name, 5)
{
	char name[301], *line;
	duct_channel *channel;
	size_t length;

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	CHECK_STATUS(duct_anycast_new(&channel, 4, 1, DUCT_OPTIONS(.name = name)), DUCT_OK);
	CHECK(strcmp(duct_channel_name(channel), name) == 0);
	length = duct_channel_describe(channel, NULL, 0);
	line = malloc(length + 1);
	CHECK(line != NULL);
	CHECK(duct_channel_describe(channel, line, length + 1) == length);
	CHECK(strstr(line, name) != NULL);
	free(line);
	duct_channel_free(channel);
}

/* ---- Statuses ---------------------------------------------------------------------------------------------------------- */

/* Every status has a text of its own, and a number that is no status has one too. */
TEST(strerror, has_a_text_for_any_value, 5)
{
	for (int a = DUCT_OK; a <= DUCT_BUSY; a++) {
		CHECK(duct_strerror((duct_status)a) != NULL && *duct_strerror((duct_status)a) != '\0');
		for (int b = DUCT_OK; b < a; b++)
			CHECK(strcmp(duct_strerror((duct_status)a), duct_strerror((duct_status)b)) != 0);
	}
	CHECK(duct_strerror((duct_status)(DUCT_BUSY + 1)) != NULL);
	CHECK(duct_strerror((duct_status)12345) != NULL);
	CHECK(strcmp(duct_version(), DUCT_VERSION) == 0);
}

/* What is wrong in itself is invalid, open or closed, raised or not, and moves nothing. */
static void check_invalid_sends(const struct test_pair *pair, size_t len, duct_cancel *cancel)
{
	const int messages[2] = { 1, 2 };
	size_t sent = 0;

	CHECK_STATUS(duct_send(NULL, messages), DUCT_INVALID);
	CHECK_STATUS(duct_send(pair->tx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_try_send(NULL, messages), DUCT_INVALID);
	CHECK_STATUS(duct_try_send(pair->tx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_send_until(NULL, messages, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_send_until(pair->tx, NULL, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_send_until(pair->tx, messages, -1, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_send_until(pair->tx, messages, INT64_MIN, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_send_many(NULL, messages, 2, &sent, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_send_many(pair->tx, NULL, 2, &sent, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_send_many(pair->tx, messages, 2, &sent, -1, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_sender_wait(NULL, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_sender_wait(pair->tx, -1, cancel), DUCT_INVALID);
	CHECK(sent == 0);
	CHECK(duct_channel_len(pair->channel) == len);
}

static void check_invalid_receives(const struct test_pair *pair, size_t len, duct_cancel *cancel)
{
	int messages[2] = { 1, 2 };
	size_t received = 0;

	CHECK_STATUS(duct_recv(NULL, messages), DUCT_INVALID);
	CHECK_STATUS(duct_recv(pair->rx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_try_recv(NULL, messages), DUCT_INVALID);
	CHECK_STATUS(duct_try_recv(pair->rx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(NULL, messages, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(pair->rx, NULL, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(pair->rx, messages, -1, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_recv_until(pair->rx, messages, INT64_MIN, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_recv_many(NULL, messages, 1, 2, &received, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_recv_many(pair->rx, NULL, 1, 2, &received, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_recv_many(pair->rx, messages, 2, 1, &received, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_recv_many(pair->rx, messages, 1, 2, &received, -1, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_wait(NULL, 0, cancel), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_wait(pair->rx, -1, cancel), DUCT_INVALID);
	CHECK(received == 0 && messages[0] == 1 && messages[1] == 2);
	CHECK(duct_channel_len(pair->channel) == len);
}

/* A wrong parameter is told before anything else: with room or full, raised, closed, and with the end closed. */
TEST(status, invalid_comes_first_and_moves_nothing, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		const size_t len = capacities[i] / 2;
		duct_cancel *cancel;

		CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
		for (size_t n = 0; n < len; n++)
			CHECK_STATUS(duct_send(pair.tx, &(int){ 5 }), DUCT_OK);
		check_invalid_sends(&pair, len, cancel);
		check_invalid_receives(&pair, len, cancel);
		duct_cancel_raise(cancel);
		check_invalid_sends(&pair, len, cancel);
		check_invalid_receives(&pair, len, cancel);
		duct_channel_close(pair.channel, 1);
		check_invalid_sends(&pair, len, NULL);
		check_invalid_receives(&pair, len, NULL);
		duct_sender_close(pair.tx);
		duct_receiver_close(pair.rx);
		check_invalid_sends(&pair, len, cancel);
		check_invalid_receives(&pair, len, cancel);
		duct_cancel_free(cancel);
		test_pair_free(&pair);
	}
}

/* The calls that make handles refuse NULLs and write nothing; those that end things take NULL and do nothing. */
TEST(status, null_handles_are_refused_or_ignored, 5)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	int scratch;
	duct_channel *channel = (duct_channel *)&scratch;
	duct_sender *tx = (duct_sender *)&scratch;
	duct_receiver *rx = (duct_receiver *)&scratch;
	duct_cancel *cancel = (duct_cancel *)&scratch;
	size_t discarded = 77;

	CHECK_STATUS(duct_channel_clone(NULL, &channel), DUCT_INVALID);
	CHECK_STATUS(duct_channel_clone(pair.channel, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_sender_new(NULL, &tx), DUCT_INVALID);
	CHECK_STATUS(duct_sender_new(pair.channel, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_new(NULL, &rx), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_new(pair.channel, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_sender_clone(NULL, &tx), DUCT_INVALID);
	CHECK_STATUS(duct_sender_clone(pair.tx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_clone(NULL, &rx), DUCT_INVALID);
	CHECK_STATUS(duct_receiver_clone(pair.rx, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_channel_discard(NULL, &discarded), DUCT_INVALID);
	CHECK_STATUS(duct_cancel_clone(NULL, &cancel), DUCT_INVALID);
	CHECK(channel == (duct_channel *)&scratch && cancel == (duct_cancel *)&scratch);
	CHECK(tx == (duct_sender *)&scratch && rx == (duct_receiver *)&scratch && discarded == 77);
	CHECK(duct_channel_senders(pair.channel) == 1 && duct_channel_receivers(pair.channel) == 1);
	duct_channel_free(NULL);
	duct_channel_close(NULL, 3);
	duct_sender_close(NULL);
	duct_receiver_close(NULL);
	duct_sender_free(NULL);
	duct_receiver_free(NULL);
	duct_cancel_free(NULL);
	duct_cancel_raise(NULL);
	CHECK(!duct_cancel_raised(NULL));
	test_pair_free(&pair);
}

/* Of a raised token and anything else that is true at the same time, the token is told. */
static void check_canceled(const struct test_pair *pair, duct_cancel *raised)
{
	int message = 9;
	size_t count = 77;

	CHECK_STATUS(duct_send_until(pair->tx, &message, 0, raised), DUCT_CANCELED);
	CHECK_STATUS(duct_send_until(pair->tx, &message, DUCT_FOREVER, raised), DUCT_CANCELED);
	CHECK_STATUS(duct_send_many(pair->tx, &message, 1, &count, 0, raised), DUCT_CANCELED);
	CHECK(count == 0);
	CHECK_STATUS(duct_sender_wait(pair->tx, 0, raised), DUCT_CANCELED);
	CHECK_STATUS(duct_recv_until(pair->rx, &message, 0, raised), DUCT_CANCELED);
	CHECK_STATUS(duct_recv_until(pair->rx, &message, DUCT_FOREVER, raised), DUCT_CANCELED);
	count = 77;
	CHECK_STATUS(duct_recv_many(pair->rx, &message, 1, 1, &count, 0, raised), DUCT_CANCELED);
	CHECK(count == 0);
	CHECK_STATUS(duct_receiver_wait(pair->rx, 0, raised), DUCT_CANCELED);
	CHECK(message == 9);
}

/* A raised token beats a ready operation, an expired deadline and a closed channel, and moves nothing. */
TEST(status, canceled_comes_before_ready_and_closed, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		duct_cancel *cancel;

		CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
		duct_cancel_raise(cancel);
		check_canceled(&pair, cancel);
		while (duct_try_send(pair.tx, &(int){ 5 }) == DUCT_OK) {
			check_canceled(&pair, cancel);
		}
		CHECK(duct_channel_len(pair.channel) == capacities[i]);
		duct_channel_close(pair.channel, 1);
		check_canceled(&pair, cancel);
		CHECK(duct_channel_len(pair.channel) == capacities[i]);
		duct_cancel_free(cancel);
		test_pair_free(&pair);
	}
}

/* A ready operation succeeds and a closed one is told as closed, however long ago the deadline passed. */
TEST(status, ready_and_closed_come_before_timedout, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		int message = 9;

		for (int round = 0; round < 2; round++) {
			CHECK_STATUS(duct_recv_until(pair.rx, &message, 0, NULL), DUCT_TIMEDOUT);
			CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_TIMEDOUT);
			for (size_t n = 0; n < capacities[i]; n++) {
				CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_OK);
				CHECK_STATUS(duct_send_until(pair.tx, &(int){ 5 }, 0, NULL), DUCT_OK);
			}
			CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_TIMEDOUT);
			CHECK_STATUS(duct_send_until(pair.tx, &(int){ 6 }, 0, NULL), DUCT_TIMEDOUT);
			for (size_t n = 0; n < capacities[i]; n++) {
				CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_OK);
				CHECK_STATUS(duct_recv_until(pair.rx, &message, 0, NULL), DUCT_OK);
				CHECK(message == 5);
			}
		}
		duct_channel_close(pair.channel, 0);
		CHECK_STATUS(duct_recv_until(pair.rx, &message, 0, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_send_until(pair.tx, &message, 0, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_CLOSED);
		test_pair_free(&pair);
	}
}

/* A full channel whose last receiver is gone has no receivers rather than no room, and an end's own close comes before both. */
TEST(status, ended_comes_before_full_and_empty, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		int message = 9;

		while (duct_try_send(pair.tx, &(int){ 5 }) == DUCT_OK)
			;
		duct_receiver_close(pair.rx);
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_recv_until(pair.rx, &message, 0, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_receiver_wait(pair.rx, 0, NULL), DUCT_CLOSED);
		CHECK(message == 9);
		CHECK_STATUS(duct_send(pair.tx, &message), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_try_send(pair.tx, &message), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_send_until(pair.tx, &message, 0, NULL), DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_NO_RECEIVERS);
		duct_sender_close(pair.tx);
		CHECK_STATUS(duct_send(pair.tx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_try_send(pair.tx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_send_until(pair.tx, &message, 0, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_sender_wait(pair.tx, 0, NULL), DUCT_CLOSED);
		CHECK(duct_channel_len(pair.channel) == capacities[i]);
		test_pair_free(&pair);
	}
}

/* ---- Messages ---------------------------------------------------------------------------------------------------------- */

enum { GUARD = 32, LARGEST = 4096, PATTERNS = 5, AROUND_OUT = 0xA5, AROUND_IN = 0x5A };

struct patterns {
	duct_sender *tx;
	size_t size;
};

static unsigned char pattern_byte(size_t size, size_t message, size_t at)
{
	return (unsigned char)(size * 31 + message * 71 + at * 13 + at / 251);
}

/* Whether the message is whole and everything around it is as it was. */
static bool holds_pattern(const unsigned char *buffer, size_t offset, size_t size, size_t message, unsigned char around)
{
	for (size_t at = 0; at < GUARD + LARGEST + GUARD; at++) {
		bool inside = at >= offset && at < offset + size;

		if (buffer[at] != (inside ? pattern_byte(size, message, at - offset) : around))
			return false;
	}
	return true;
}

/* Messages begin at odd addresses too: a message is bytes. */
static void *send_patterns(void *argument)
{
	const struct patterns *patterns = argument;
	unsigned char buffer[GUARD + LARGEST + GUARD];

	for (size_t message = 0; message < PATTERNS; message++) {
		size_t offset = GUARD + message % 3;

		memset(buffer, AROUND_OUT, sizeof buffer);
		for (size_t at = 0; at < patterns->size; at++)
			buffer[offset + at] = pattern_byte(patterns->size, message, at);
		CHECK_STATUS(duct_send(patterns->tx, buffer + offset), DUCT_OK);
		CHECK(holds_pattern(buffer, offset, patterns->size, message, AROUND_OUT));
	}
	return NULL;
}

/* Messages of any size arrive bit for bit, and neither buffer is touched outside the message. */
TEST(message, of_any_size_arrives_bit_for_bit, 10)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 7, 8, 16, 24, 64, 100, 4096 };
	unsigned char buffer[GUARD + LARGEST + GUARD];

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
			struct test_pair pair = test_pair_new(sizes[s], capacities[i]);
			struct patterns patterns = { pair.tx, sizes[s] };
			pthread_t sender = test_start(send_patterns, &patterns);

			CHECK(duct_channel_message_size(pair.channel) == sizes[s]);
			for (size_t message = 0; message < PATTERNS; message++) {
				size_t offset = GUARD + (message + 1) % 3;

				memset(buffer, AROUND_IN, sizeof buffer);
				CHECK_STATUS(duct_recv(pair.rx, buffer + offset), DUCT_OK);
				CHECK(holds_pattern(buffer, offset, sizes[s], message, AROUND_IN));
			}
			test_join(sender);
			/* A receive that fails writes nothing. */
			memset(buffer, AROUND_IN, sizeof buffer);
			CHECK_STATUS(duct_try_recv(pair.rx, buffer + GUARD), DUCT_EMPTY);
			CHECK_STATUS(duct_recv_until(pair.rx, buffer + GUARD, 0, NULL), DUCT_TIMEDOUT);
			duct_channel_close(pair.channel, 0);
			CHECK_STATUS(duct_recv(pair.rx, buffer + GUARD), DUCT_CLOSED);
			CHECK(holds_pattern(buffer, GUARD, 0, 0, AROUND_IN));
			test_pair_free(&pair);
		}
	}
}

/* A message of no bytes needs no buffer, is counted and bounded like any other. */
TEST(message, of_size_zero_is_counted, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(0, capacities[i]);
		size_t count = 0;

		CHECK_STATUS(duct_send(pair.tx, NULL), DUCT_OK);
		while (duct_try_send(pair.tx, NULL) == DUCT_OK)
			;
		CHECK(duct_channel_len(pair.channel) == capacities[i]);
		CHECK_STATUS(duct_send_until(pair.tx, NULL, 0, NULL), DUCT_TIMEDOUT);
		CHECK_STATUS(duct_recv(pair.rx, NULL), DUCT_OK);
		CHECK_STATUS(duct_send_many(pair.tx, NULL, 1, &count, 0, NULL), DUCT_OK);
		CHECK(count == 1);
		CHECK_STATUS(duct_recv_many(pair.rx, NULL, 1, capacities[i], &count, 0, NULL), DUCT_OK);
		CHECK(count == capacities[i]);
		CHECK_STATUS(duct_try_recv(pair.rx, NULL), DUCT_EMPTY);
		CHECK_STATUS(duct_recv_until(pair.rx, NULL, 0, NULL), DUCT_TIMEDOUT);
		test_pair_free(&pair);
	}
}

/* ---- Passing ----------------------------------------------------------------------------------------------------------- */

/* One sender, one receiver: 50,000 messages (5,000 where each one may be a meeting) in order, then closed for good. */
TEST(anycast, one_to_one_keeps_order_then_closes, 30)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct flow flow = { pair.tx, pair.rx, capacities[i] == 100 ? 50000 : 5000 };
		pthread_t receiver = test_start(receive_numbers, &flow);
		int message = -1;

		send_numbers(&flow);
		test_join(receiver);
		duct_channel_close(pair.channel, 0);
		for (int again = 0; again < 3; again++)
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_CLOSED);
		CHECK(message == -1);
		test_pair_free(&pair);
	}
}

enum { CROWD = 4, VALUES = 10000 };

struct crowd {
	duct_sender *tx;
	duct_receiver *rx;
	int values;
	atomic_int *seen;
};

static void *crowd_send(void *argument)
{
	struct crowd *crowd = argument;

	for (int i = 0; i < crowd->values; i++)
		CHECK_STATUS(duct_send(crowd->tx, &i), DUCT_OK);
	duct_sender_free(crowd->tx);
	return NULL;
}

static void *crowd_receive(void *argument)
{
	struct crowd *crowd = argument;
	int message;

	DUCT_FOR_EACH(crowd->rx, &message)
		atomic_fetch_add(&crowd->seen[message], 1);
	duct_receiver_free(crowd->rx);
	return NULL;
}

/* Four senders of the same 10,000 values (2,000 where each message may be a meeting), four receivers: each value four times. */
TEST(anycast, many_to_many_delivers_each_message_once, 60)
{
	static atomic_int seen[VALUES];

	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		const int values = capacities[i] == 100 ? VALUES : VALUES / 5;
		struct crowd members[2 * CROWD];
		pthread_t threads[2 * CROWD];
		duct_channel *channel;

		CHECK_STATUS(duct_anycast_new(&channel, sizeof(int), capacities[i], NULL), DUCT_OK);
		for (int value = 0; value < values; value++)
			atomic_store(&seen[value], 0);
		for (int m = 0; m < 2 * CROWD; m++) {
			members[m] = (struct crowd){ NULL, NULL, values, seen };
			if (m < CROWD)
				CHECK_STATUS(duct_sender_new(channel, &members[m].tx), DUCT_OK);
			else
				CHECK_STATUS(duct_receiver_new(channel, &members[m].rx), DUCT_OK);
		}
		duct_channel_free(channel);
		for (int m = 0; m < 2 * CROWD; m++)
			threads[m] = test_start(m < CROWD ? crowd_send : crowd_receive, &members[m]);
		for (int m = 0; m < 2 * CROWD; m++)
			test_join(threads[m]);
		for (int value = 0; value < values; value++)
			CHECK(atomic_load(&seen[value]) == CROWD);
	}
}

struct signed_message {
	int sender;
	int number;
};

struct signed_sender {
	duct_sender *tx;
	int id;
};

static void *send_signed(void *argument)
{
	struct signed_sender *sender = argument;

	for (int i = 0; i < 2000; i++)
		CHECK_STATUS(duct_send(sender->tx, &(struct signed_message){ sender->id, i }), DUCT_OK);
	return NULL;
}

static void *receive_signed(void *argument)
{
	struct signed_message message;
	int last[CROWD] = { -1, -1, -1, -1 };

	DUCT_FOR_EACH(argument, &message) {
		CHECK(message.number > last[message.sender]);
		last[message.sender] = message.number;
	}
	return NULL;
}

/* Of several senders and receivers, each receiver sees each sender's messages in the order of sending. */
TEST(anycast, each_receiver_sees_each_sender_in_order, 30)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(struct signed_message), capacities[i]);
		struct signed_sender senders[CROWD];
		pthread_t threads[CROWD], receivers[2];

		for (int r = 0; r < 2; r++)
			receivers[r] = test_start(receive_signed, pair.rx);
		for (int s = 0; s < CROWD; s++) {
			senders[s] = (struct signed_sender){ pair.tx, s };
			threads[s] = test_start(send_signed, &senders[s]);
		}
		for (int s = 0; s < CROWD; s++)
			test_join(threads[s]);
		duct_channel_close(pair.channel, 0);
		for (int r = 0; r < 2; r++)
			test_join(receivers[r]);
		test_pair_free(&pair);
	}
}

/* Senders that sleep on a full channel get in first come, first served. */
TEST(anycast, sleeping_senders_are_served_in_order, 10)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call calls[5];
		int message, next = test_fill(pair.tx);

		for (int s = 0; s < 5; s++) {
			test_send_start(&calls[s], pair.tx, next + s);
			AWAIT(duct_channel_waiting_senders(pair.channel) == (size_t)s + 1);
		}
		for (int n = 0; n < next + 5; n++) {
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		for (int s = 0; s < 5; s++)
			CHECK_STATUS(test_call_end(&calls[s]), DUCT_OK);
		CHECK(duct_channel_waiting_senders(pair.channel) == 0);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
		test_pair_free(&pair);
	}
}

/* Receivers that sleep on an empty channel get messages first come, first served; one message wakes one of them. */
TEST(anycast, sleeping_receivers_are_served_in_order, 10)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call calls[5];

		for (int r = 0; r < 5; r++) {
			test_recv_start(&calls[r], pair.rx);
			AWAIT(duct_channel_waiting_receivers(pair.channel) == (size_t)r + 1);
		}
		for (int r = 0; r < 5; r++) {
			CHECK_STATUS(duct_send(pair.tx, &r), DUCT_OK);
			CHECK_STATUS(test_call_end(&calls[r]), DUCT_OK);
			CHECK(calls[r].message == r);
			CHECK(duct_channel_waiting_receivers(pair.channel) == 4 - (size_t)r);
		}
		test_pair_free(&pair);
	}
}

/* Two receivers sleep on an empty channel and neither returns by itself; two messages let both go. */
TEST(anycast, an_empty_channel_holds_receivers_until_messages_come, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call calls[2];

		for (int r = 0; r < 2; r++)
			test_recv_start(&calls[r], pair.rx);
		AWAIT(duct_channel_waiting_receivers(pair.channel) == 2);
		for (int moment = 0; moment < 20; moment++) {
			test_pause();
			CHECK(duct_channel_waiting_receivers(pair.channel) == 2);
		}
		CHECK_STATUS(duct_send(pair.tx, &(int){ 40 }), DUCT_OK);
		CHECK_STATUS(duct_send(pair.tx, &(int){ 2 }), DUCT_OK);
		for (int r = 0; r < 2; r++)
			CHECK_STATUS(test_call_end(&calls[r]), DUCT_OK);
		CHECK(calls[0].message + calls[1].message == 42);
		test_pair_free(&pair);
	}
}

/* A send to a full channel waits; one receive releases it. */
TEST(anycast, a_full_channel_holds_a_sender_until_a_receive, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call call;
		int message;

		for (size_t n = 0; n < capacities[i]; n++)
			CHECK_STATUS(duct_send(pair.tx, &(int){ 6 }), DUCT_OK);
		test_send_start(&call, pair.tx, 7);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
		for (int moment = 0; moment < 20; moment++) {
			test_pause();
			CHECK(duct_channel_waiting_senders(pair.channel) == 1);
		}
		CHECK(duct_channel_len(pair.channel) == capacities[i]);
		CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		for (size_t n = 0; n < capacities[i]; n++)
			CHECK_STATUS(duct_recv(pair.rx, &message), DUCT_OK);
		CHECK(message == 7);
		test_pair_free(&pair);
	}
}

/* The room that a try_recv makes lets a sleeping sender in at once: the channel never looks emptier than it is. */
TEST(anycast, try_recv_refills_from_a_sleeping_sender, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		struct test_pair pair = test_pair_new(sizeof(int), capacities[i]);
		struct test_call call;
		int message;

		while (duct_try_send(pair.tx, &(int){ 6 }) == DUCT_OK)
			;
		test_send_start(&call, pair.tx, 7);
		AWAIT(duct_channel_waiting_senders(pair.channel) == 1);
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_OK);
		CHECK(message == 6);
		for (size_t n = 0; n < capacities[i]; n++) {
			CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_OK);
			CHECK(message == (n + 1 == capacities[i] ? 7 : 6));
		}
		CHECK_STATUS(duct_try_recv(pair.rx, &message), DUCT_EMPTY);
		CHECK_STATUS(test_call_end(&call), DUCT_OK);
		test_pair_free(&pair);
	}
}

static void *send_then_take(void *argument)
{
	struct flow *flow = argument;
	int message = 0;

	for (int i = 0; i < flow->count; i++) {
		CHECK_STATUS(duct_try_send(flow->tx, &message), DUCT_OK);
		CHECK_STATUS(duct_try_recv(flow->rx, &message), DUCT_OK);
	}
	return NULL;
}

/* Threads that each put one in and take one out of a channel with room for all never see it full or empty: 100,000 rounds. */
TEST(anycast, a_try_never_misses_what_was_sent_before, 30)
{
	struct test_pair pair = test_pair_new(sizeof(int), CROWD);
	struct flow flow = { pair.tx, pair.rx, 100000 / CROWD };
	pthread_t threads[CROWD];

	for (int t = 0; t < CROWD; t++)
		threads[t] = test_start(send_then_take, &flow);
	for (int t = 0; t < CROWD; t++)
		test_join(threads[t]);
	CHECK(duct_channel_is_empty(pair.channel));
	test_pair_free(&pair);
}

/* Step by step: empty, a message, empty, closed. */
TEST(anycast, try_recv_tells_each_state, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		duct_sender *tx;
		duct_receiver *rx;
		int message = -1;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), capacities[i], NULL), DUCT_OK);
		CHECK_STATUS(duct_try_recv(rx, &message), DUCT_EMPTY);
		CHECK_STATUS(duct_send(tx, &(int){ 3 }), DUCT_OK);
		CHECK_STATUS(duct_try_recv(rx, &message), DUCT_OK);
		CHECK(message == 3);
		CHECK_STATUS(duct_try_recv(rx, &message), DUCT_EMPTY);
		duct_sender_free(tx);
		CHECK_STATUS(duct_try_recv(rx, &message), DUCT_CLOSED);
		CHECK_STATUS(duct_try_recv(rx, &message), DUCT_CLOSED);
		duct_receiver_free(rx);
	}
}

/* Receives before, while and after a late sender sends get all its messages, then closed. */
TEST(anycast, a_late_sender_is_received_at_any_moment, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct test_call first;
		duct_sender *tx;
		duct_receiver *rx;
		struct flow late;
		pthread_t sender;
		int message;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), capacities[i], NULL), DUCT_OK);
		test_recv_start(&first, rx);
		AWAIT(duct_channel_waiting_receivers(duct_receiver_channel(rx)) == 1);
		late = (struct flow){ tx, NULL, 5 };
		sender = test_start(send_numbers, &late);
		CHECK_STATUS(test_call_end(&first), DUCT_OK);
		CHECK(first.message == 0);
		for (int n = 1; n < 5; n++) {
			CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
			CHECK(message == n);
		}
		test_join(sender);
		duct_sender_free(tx);
		CHECK_STATUS(duct_recv(rx, &message), DUCT_CLOSED);
		duct_receiver_free(rx);
	}
}

/* ---- Many channels ----------------------------------------------------------------------------------------------------- */

static void *send_through_each(void *argument)
{
	duct_sender *tx;

	DUCT_FOR_EACH(argument, &tx) {
		CHECK_STATUS(duct_send(tx, &tx), DUCT_OK);
		duct_sender_free(tx);
	}
	return NULL;
}

/* 10,000 fresh channels, each with one send in one thread and one receive in another. */
TEST(anycast, ten_thousand_channels_of_one_message, 60)
{
	duct_sender *senders_in;
	duct_receiver *senders_out;
	pthread_t thread;

	CHECK_STATUS(duct_anycast_open(&senders_in, &senders_out, sizeof(duct_sender *), 1, NULL), DUCT_OK);
	thread = test_start(send_through_each, senders_out);
	for (int n = 0; n < 10000; n++) {
		duct_sender *tx, *message = NULL;
		duct_receiver *rx;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(duct_sender *), (size_t)n % 2, NULL), DUCT_OK);
		CHECK_STATUS(duct_send(senders_in, &tx), DUCT_OK);
		CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
		CHECK(message == tx);
		if (n % 4 < 2)
			CHECK_STATUS(duct_recv(rx, &message), DUCT_CLOSED);
		duct_receiver_free(rx);
	}
	duct_sender_free(senders_in);
	test_join(thread);
	duct_receiver_free(senders_out);
}

enum { DEPTH = 1000 };

struct passage {
	duct_sender *tx;
	size_t capacity;
};

/* Sends through each channel the receiver of the next one. */
static void *send_next_channels(void *argument)
{
	struct passage *passage = argument;
	duct_sender *tx = passage->tx;

	for (int n = 0; n < DEPTH; n++) {
		duct_sender *next_tx;
		duct_receiver *next_rx;

		CHECK_STATUS(duct_anycast_open(&next_tx, &next_rx, sizeof(duct_receiver *), passage->capacity, NULL), DUCT_OK);
		CHECK_STATUS(duct_send(tx, &next_rx), DUCT_OK);
		duct_sender_free(tx);
		tx = next_tx;
	}
	duct_sender_free(tx);
	return NULL;
}

/* A receiver can be a message: 1,000 channels, each come out of the one before. */
TEST(anycast, a_receiver_travels_through_a_channel, 30)
{
	for (size_t capacity = 0; capacity <= 2; capacity++) {
		struct passage passage = { NULL, capacity };
		duct_receiver *rx, *next;
		pthread_t thread;
		int depth = 0;

		CHECK_STATUS(duct_anycast_open(&passage.tx, &rx, sizeof(duct_receiver *), capacity, NULL), DUCT_OK);
		thread = test_start(send_next_channels, &passage);
		while (duct_recv(rx, &next) == DUCT_OK) {
			duct_receiver_free(rx);
			rx = next;
			depth++;
		}
		duct_receiver_free(rx);
		test_join(thread);
		CHECK(depth == DEPTH);
	}
}

enum { WORKERS = 23, ITEMS = 30000 };

static const int primes[] = { 2, 3, 7, 11, 13, 17, 19, 23, 27, 31 };

struct works {
	duct_sender *results;
	duct_receiver *items;
	pthread_t workers[WORKERS];
};

static void *work_through(void *argument)
{
	struct works *works = argument;
	int item;

	DUCT_FOR_EACH(works->items, &item) {
		if (item == 13)
			sched_yield();
		CHECK_STATUS(duct_send(works->results, &item), DUCT_OK);
	}
	return NULL;
}

static void *feed(void *argument)
{
	duct_sender *items = argument;

	for (int n = 0; n < ITEMS; n++)
		CHECK_STATUS(duct_send(items, &primes[(size_t)n % ARRAY_LEN(primes)]), DUCT_OK);
	duct_channel_close(duct_sender_channel(items), 0);
	return NULL;
}

static void *close_after_workers(void *argument)
{
	struct works *works = argument;

	for (int w = 0; w < WORKERS; w++)
		test_join(works->workers[w]);
	duct_channel_close(duct_sender_channel(works->results), 0);
	return NULL;
}

/* 30,000 items pass 23 workers and two channels that are closed one after the other: none is lost. */
TEST(anycast, a_crowd_of_workers_hands_on_every_item, 60)
{
	struct test_pair items = test_pair_new(sizeof(int), WORKERS * 3), results = test_pair_new(sizeof(int), WORKERS * 3);
	struct works works = { .results = results.tx, .items = items.rx };
	pthread_t feeder, closer;
	long long sum = 0, expected = 0;
	int item, count = 0;

	for (int w = 0; w < WORKERS; w++)
		works.workers[w] = test_start(work_through, &works);
	feeder = test_start(feed, items.tx);
	closer = test_start(close_after_workers, &works);
	DUCT_FOR_EACH(results.rx, &item) {
		sum += item;
		count++;
	}
	for (int n = 0; n < ITEMS; n++)
		expected += primes[(size_t)n % ARRAY_LEN(primes)];
	CHECK(count == ITEMS && sum == expected);
	test_join(feeder);
	test_join(closer);
	test_pair_free(&items);
	test_pair_free(&results);
}

struct dialogue {
	duct_receiver *requests;
	duct_sender *responses;
};

static void *respond(void *argument)
{
	struct dialogue *dialogue = argument;

	DUCT_FOR_EACH(dialogue->requests, NULL) {
		if (duct_send(dialogue->responses, &(int){ 1 }) != DUCT_OK)
			break;
	}
	return NULL;
}

/* A consumer that takes what is there and asks for more gets 5,000 responses. */
TEST(anycast, requests_and_polled_responses, 30)
{
	struct test_pair requests = test_pair_new(0, 100), responses = test_pair_new(sizeof(int), 100);
	struct dialogue dialogue = { requests.rx, responses.tx };
	pthread_t responder = test_start(respond, &dialogue);
	int count = 0, message;

	while (count < 5000) {
		while (duct_try_recv(responses.rx, &message) == DUCT_OK)
			count += message;
		CHECK_STATUS(duct_send(requests.tx, NULL), DUCT_OK);
	}
	duct_channel_close(responses.channel, 0);
	duct_channel_close(requests.channel, 0);
	test_join(responder);
	test_pair_free(&requests);
	test_pair_free(&responses);
}

/* ---- Scale ------------------------------------------------------------------------------------------------------------- */

/* 20,000 selects that fire on one channel leave nothing behind in an idle one, neither waiting threads nor memory. */
TEST(scale, selects_leave_nothing_in_an_idle_channel, 30)
{
	struct test_pair busy = test_pair_new(sizeof(int), 0), idle = test_pair_new(sizeof(int), 0);
	struct flow flow = { busy.tx, busy.rx, 20000 };
	pthread_t sender = test_start(send_numbers, &flow);
	size_t chosen, used = 0;
	int message;

	for (int n = 0; n < flow.count; n++) {
		duct_case cases[] = { DUCT_RECV(idle.rx, &message), DUCT_RECV(busy.rx, &message) };

		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 1 && message == n);
		CHECK(duct_channel_waiting_receivers(idle.channel) == 0);
#if HAVE_MALLINFO2
		if (n == 1000)
			used = mallinfo2().uordblks;
#endif
	}
#if HAVE_MALLINFO2
	CHECK(mallinfo2().uordblks < used + 10000);
#endif
	(void)used;
	CHECK_STATUS(duct_try_send(idle.tx, &message), DUCT_FULL);
	test_join(sender);
	test_pair_free(&busy);
	test_pair_free(&idle);
}

enum { FOLLOWERS = 500 };

struct follower {
	duct_receiver *shared;
	duct_receiver *own;
	atomic_int *served;
};

static void *follow(void *argument)
{
	struct follower *follower = argument;
	int message;
	duct_case cases[] = { DUCT_RECV(follower->shared, &message), DUCT_RECV(follower->own, &message) };
	size_t chosen;

	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK_STATUS(cases[chosen].status, DUCT_OK);
	CHECK(message == (int)chosen);
	atomic_fetch_add(&follower->served[chosen], 1);
	return NULL;
}

/* 500 threads each select of one shared channel and one of their own: each message wakes one of them and all are served. */
TEST(scale, a_popular_channel_serves_everybody, 30)
{
	static struct follower followers[FOLLOWERS];
	static struct test_pair own[FOLLOWERS];
	static pthread_t threads[FOLLOWERS];
	struct test_pair shared = test_pair_new(sizeof(int), 0);
	atomic_int served[2] = { 0, 0 };
	pthread_attr_t small;

	CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, 256 * 1024) == 0);
	for (int f = 0; f < FOLLOWERS; f++) {
		own[f] = test_pair_new(sizeof(int), 1);
		followers[f] = (struct follower){ shared.rx, own[f].rx, served };
		CHECK(pthread_create(&threads[f], &small, follow, &followers[f]) == 0);
	}
	AWAIT(duct_channel_waiting_receivers(shared.channel) == FOLLOWERS);
	for (int n = 0; n < FOLLOWERS / 2; n++)
		CHECK_STATUS(duct_try_send(shared.tx, &(int){ 0 }), DUCT_OK);
	CHECK(duct_channel_waiting_receivers(shared.channel) == FOLLOWERS - FOLLOWERS / 2);
	/* Those that were served already leave this second message where it is. */
	for (int f = 0; f < FOLLOWERS; f++)
		CHECK_STATUS(duct_try_send(own[f].tx, &(int){ 1 }), DUCT_OK);
	for (int f = 0; f < FOLLOWERS; f++) {
		test_join(threads[f]);
		test_pair_free(&own[f]);
	}
	CHECK(atomic_load(&served[0]) == FOLLOWERS / 2 && atomic_load(&served[1]) == FOLLOWERS - FOLLOWERS / 2);
	pthread_attr_destroy(&small);
	test_pair_free(&shared);
}

static void count_drop(void *message, void *context)
{
	(void)message;
	++*(int *)context;
}

/* A channel freed with a million messages in it drops them all. */
TEST(scale, a_million_messages_are_dropped, 30)
{
	enum { MILLION = 1000000 };
	int drops = 0, message = 0;
	const duct_options *options = DUCT_OPTIONS(.drop = count_drop, .context = &drops);
	duct_sender *tx;
	duct_receiver *rx;

	CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), MILLION, options), DUCT_OK);
	for (int n = 0; n < MILLION; n++)
		CHECK_STATUS(duct_try_send(tx, &message), DUCT_OK);
	CHECK_STATUS(duct_try_send(tx, &message), DUCT_FULL);
	duct_receiver_free(rx);
	CHECK(drops == MILLION);
	duct_sender_free(tx);
	CHECK(drops == MILLION);
}
