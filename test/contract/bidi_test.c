/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Bidirectional links: what either peer sends the other receives, each direction closes by itself, and a peer's ends go
 * wherever ends go.
 */
#include "instances.h"

/* Numbers to the service, words back. */
struct word {
	char text[12];
};

struct link {
	duct_peer *client, *service;
};

static struct link link_new(size_t capacity, const duct_bidi_options *options)
{
	struct link link;

	CHECK_STATUS(duct_bidi_open(&link.client, &link.service, sizeof(int), sizeof(struct word), capacity, options), DUCT_OK);
	return link;
}

static void link_free(struct link *link)
{
	duct_peer_free(link->client);
	duct_peer_free(link->service);
}

/* The link is of that capacity, and not lossy; or lossy. */
static struct link link_as(bool lossy)
{
	return link_new(4, DUCT_BIDI_OPTIONS(.lossy = lossy, .client = "ui", .service = "db"));
}

static duct_channel *requests_of(const struct link *link)
{
	return duct_sender_channel(duct_peer_sender(link->client));
}

/* ---- Conversation ------------------------------------------------------------------------------------------------------ */

/* Says of each number which sign it has; 42 ends it. */
static void *tell_signs(void *argument)
{
	duct_peer *service = argument;
	int number;

	while (duct_peer_recv(service, &number) == DUCT_OK && number != 42) {
		struct word word = { { 0 } };

		strcpy(word.text, number < 0 ? "negative" : "positive");
		CHECK_STATUS(duct_peer_send(service, &word), DUCT_OK);
	}
	duct_peer_free(service);
	return NULL;
}

/* A client that asks for -5 to 4 gets five answers of either kind, and 42 ends the service, whatever the link is like. */
TEST(bidi, answers_each_request, 5)
{
	for (int kind = 0; kind < 3; kind++) {
		struct link link = link_new(kind == 0 ? 0 : 3, DUCT_BIDI_OPTIONS(.lossy = kind == 2));
		pthread_t thread = test_start(tell_signs, link.service);
		int negative = 0, positive = 0;
		struct word word;

		for (int number = -5; number < 5; number++) {
			CHECK_STATUS(duct_peer_send(link.client, &number), DUCT_OK);
			CHECK_STATUS(duct_peer_recv(link.client, &word), DUCT_OK);
			negative += strcmp(word.text, "negative") == 0;
			positive += strcmp(word.text, "positive") == 0;
		}
		CHECK(negative == 5 && positive == 5);
		CHECK_STATUS(duct_peer_send(link.client, &(int){ 42 }), DUCT_OK);
		CHECK_STATUS(duct_peer_recv(link.client, &word), DUCT_CLOSED);
		test_join(thread);
		duct_peer_free(link.client);
	}
}

/* Each direction has messages of its own size and a queue of its own, of that capacity. */
TEST(bidi, has_two_queues, 5)
{
	struct link link = link_new(4, NULL);
	duct_channel *requests = requests_of(&link), *responses = duct_receiver_channel(duct_peer_receiver(link.client));

	CHECK(requests == duct_receiver_channel(duct_peer_receiver(link.service)));
	CHECK(responses == duct_sender_channel(duct_peer_sender(link.service)) && requests != responses);
	CHECK(
	    duct_channel_message_size(requests) == sizeof(int) && duct_channel_message_size(responses) == sizeof(struct word));
	CHECK(duct_channel_capacity(requests) == 4 && duct_channel_capacity(responses) == 4);
	CHECK(test_fill(duct_peer_sender(link.client)) == 4);
	CHECK(duct_channel_len(requests) == 4 && duct_channel_len(responses) == 0);
	link_free(&link);
}

/* The ends are the same whenever they are asked for, and go into a select, for either direction. */
TEST(bidi, goes_into_a_select, 5)
{
	struct link link = link_new(1, NULL);
	int out = 7, in = -1;
	duct_case cases[] = { DUCT_RECV(duct_peer_receiver(link.client), NULL),
		DUCT_SEND(duct_peer_sender(link.client), &out) };
	struct word word;
	size_t chosen = 9;

	cases[0].message = &word;
	CHECK(duct_peer_sender(link.client) == duct_peer_sender(link.client));
	CHECK(duct_peer_receiver(link.client) == duct_peer_receiver(link.client));
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && cases[1].status == DUCT_OK);
	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_peer_recv(link.service, &in), DUCT_OK);
	CHECK(in == 7);
	CHECK_STATUS(duct_peer_send(link.service, &(struct word){ "seven" }), DUCT_OK);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
	CHECK(chosen == 0 && strcmp(word.text, "seven") == 0);
	link_free(&link);
}

/* ---- Full -------------------------------------------------------------------------------------------------------------- */

/* By default a full direction makes the sender wait; a lossy one loses the oldest, and holds 50 unless told otherwise. */
TEST(bidi, is_lossless_unless_asked, 5)
{
	struct link lossless = link_new(3, NULL), lossy = link_new(0, DUCT_BIDI_OPTIONS(.lossy = true)),
		    small = link_new(3, DUCT_BIDI_OPTIONS(.lossy = true));
	int number = -1;

	CHECK(test_fill(duct_peer_sender(lossless.client)) == 3);
	CHECK_STATUS(duct_try_send(duct_peer_sender(lossless.client), &(int){ 3 }), DUCT_FULL);
	CHECK_STATUS(duct_send_until(duct_peer_sender(lossless.client), &(int){ 3 }, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	for (int i = 0; i < 60; i++) {
		CHECK_STATUS(duct_peer_send(lossy.client, &i), DUCT_OK);
		CHECK_STATUS(duct_peer_send(small.client, &i), DUCT_OK);
	}
	CHECK(duct_receiver_len(duct_peer_receiver(lossy.service)) == 50);
	CHECK_STATUS(duct_peer_recv(lossy.service, &number), DUCT_OK);
	CHECK(number == 10);
	CHECK(duct_receiver_len(duct_peer_receiver(small.service)) == 3);
	CHECK_STATUS(duct_peer_recv(small.service, &number), DUCT_OK);
	CHECK(number == 57);
	for (int i = 0; i < 60; i++)
		CHECK_STATUS(duct_peer_send(small.service, &(struct word){ { (char)i } }), DUCT_OK);
	CHECK(duct_receiver_len(duct_peer_receiver(small.client)) == 3);
	link_free(&lossless);
	link_free(&lossy);
	link_free(&small);
}

/* ---- Closing ----------------------------------------------------------------------------------------------------------- */

/* Closed for sending, the other peer drains and is told; the other direction goes on. */
TEST(bidi, half_closed_for_sending_goes_on_the_other_way, 5)
{
	for (int lossy = 0; lossy < 2; lossy++) {
		struct link link = link_as(lossy);
		struct word word;
		int number = -1;

		CHECK_STATUS(duct_peer_send(link.client, &(int){ 7 }), DUCT_OK);
		for (int again = 0; again < 2; again++)
			duct_peer_close_send(link.client);
		CHECK_STATUS(duct_peer_send(link.client, &(int){ 8 }), DUCT_CLOSED);
		CHECK_STATUS(duct_peer_recv(link.service, &number), DUCT_OK);
		CHECK(number == 7);
		CHECK_STATUS(duct_peer_recv(link.service, &number), DUCT_CLOSED);
		CHECK_STATUS(duct_peer_send(link.service, &(struct word){ "still" }), DUCT_OK);
		CHECK_STATUS(duct_peer_recv(link.client, &word), DUCT_OK);
		CHECK(strcmp(word.text, "still") == 0);
		link_free(&link);
	}
}

/* Closed for receiving, the other peer's sends fail; the other direction goes on. */
TEST(bidi, half_closed_for_receiving_goes_on_the_other_way, 5)
{
	for (int lossy = 0; lossy < 2; lossy++) {
		struct link link = link_as(lossy);
		int number = -1;

		for (int again = 0; again < 2; again++)
			duct_peer_close_recv(link.client);
		CHECK_STATUS(duct_peer_send(link.service, &(struct word){ "none" }), lossy ? DUCT_CLOSED : DUCT_NO_RECEIVERS);
		CHECK_STATUS(duct_peer_recv(link.client, &(struct word){ "" }), DUCT_CLOSED);
		CHECK_STATUS(duct_peer_send(link.client, &(int){ 7 }), DUCT_OK);
		CHECK_STATUS(duct_peer_recv(link.service, &number), DUCT_OK);
		CHECK(number == 7);
		link_free(&link);
	}
}

static bool is_described(const duct_peer *peer, const char *expected)
{
	char line[300], cut[10];
	size_t length = duct_peer_describe(peer, line, sizeof line);

	if (strcmp(line, expected) != 0)
		fprintf(stderr, "%s\n%s\n", line, expected);
	return strcmp(line, expected) == 0 && length == strlen(line) && duct_peer_describe(peer, NULL, 5) == length &&
	       duct_peer_describe(peer, cut, sizeof cut) == length && strlen(cut) == 9 && strncmp(cut, line, 9) == 0;
}

/* Whose send or receive failed, on which link and in which direction, can be told. */
TEST(bidi, names_the_link_and_the_direction_that_failed, 5)
{
	struct link link = link_as(false);

	CHECK(strcmp(duct_channel_name(requests_of(&link)), "req_db_ui") == 0);
	CHECK(strcmp(duct_channel_name(duct_sender_channel(duct_peer_sender(link.service))), "resp_db_ui") == 0);
	CHECK_STATUS(duct_peer_send(link.client, &(int){ 7 }), DUCT_OK);
	CHECK(is_described(link.service, "service of bidirectional db_ui: sends to resp_db_ui, open, 0 messages; receives from "
					 "req_db_ui, open, 1 messages"));
	duct_channel_close(duct_sender_channel(duct_peer_sender(link.service)), 0);
	CHECK_STATUS(duct_peer_send(link.service, &(struct word){ "late" }), DUCT_CLOSED);
	CHECK(
	    is_described(link.service, "service of bidirectional db_ui: sends to resp_db_ui, closed, 0 messages; receives from "
				       "req_db_ui, open, 1 messages"));
	duct_peer_close_send(link.client);
	CHECK_STATUS(duct_peer_recv(link.service, &(int){ 0 }), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(duct_peer_receiver(link.service), DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_peer_recv(link.service, &(int){ 0 }), DUCT_CLOSED);
	CHECK(
	    is_described(link.service, "service of bidirectional db_ui: sends to resp_db_ui, closed, 0 messages; receives from "
				       "req_db_ui, closed, 0 messages"));
	CHECK(is_described(link.client,
	    "client of bidirectional db_ui: sends to req_db_ui, closed here, 0 messages; receives from "
	    "resp_db_ui, closed, 0 messages"));
	link_free(&link);
}

/* A direction that is closed at one end while the other goes on says where; a link without names has one. */
TEST(bidi, describes_itself_without_names, 5)
{
	char line[8] = "as ever";
	struct link link = link_new(2, DUCT_BIDI_OPTIONS(.requests = DUCT_OPTIONS(.name = "other")));

	duct_peer_close_recv(link.client);
	CHECK(
	    is_described(link.client, "client of bidirectional service_client: sends to req_service_client, open, 0 messages; "
				      "receives from resp_service_client, closed here, 0 messages"));
	CHECK(duct_peer_describe(NULL, NULL, 0) == 0 && duct_peer_describe(NULL, line, sizeof line) == 0 && line[0] == '\0');
	link_free(&link);
}

/* Who goes away has closed both directions: the other drains, and is told in either. */
TEST(bidi, freed_at_one_end_is_drained_at_the_other, 5)
{
	for (int lossy = 0; lossy < 2; lossy++) {
		struct link link = link_as(lossy);
		int number = -1;

		CHECK_STATUS(duct_peer_send(link.client, &(int){ 7 }), DUCT_OK);
		duct_peer_free(link.client);
		CHECK_STATUS(duct_peer_recv(link.service, &number), DUCT_OK);
		CHECK(number == 7);
		CHECK_STATUS(duct_peer_recv(link.service, &number), DUCT_CLOSED);
		CHECK_STATUS(duct_peer_send(link.service, &(struct word){ "none" }), lossy ? DUCT_CLOSED : DUCT_NO_RECEIVERS);
		duct_peer_free(link.service);
	}
}

static void *recv_from_peer(void *argument)
{
	int number;

	CHECK_STATUS(duct_peer_recv(argument, &number), DUCT_CLOSED);
	return NULL;
}

static void *send_to_peer(void *argument)
{
	CHECK_STATUS(duct_peer_send(argument, &(int){ 1 }), DUCT_CLOSED);
	return NULL;
}

/* Blocked calls end when their own peer is freed, and when the other one is. */
TEST(bidi, freed_wakes_those_who_wait, 5)
{
	struct link link = link_new(0, NULL);
	duct_channel *requests;
	pthread_t thread;

	CHECK_STATUS(duct_channel_clone(requests_of(&link), &requests), DUCT_OK);
	thread = test_start(send_to_peer, link.client);
	AWAIT(duct_channel_waiting_senders(requests) == 1);
	duct_peer_free(link.client);
	test_join(thread);
	thread = test_start(recv_from_peer, link.service);
	AWAIT(duct_channel_waiting_receivers(requests) == 1);
	duct_peer_free(link.service);
	test_join(thread);
	duct_channel_free(requests);

	link = link_new(0, NULL);
	thread = test_start(recv_from_peer, link.service);
	AWAIT(duct_channel_waiting_receivers(requests_of(&link)) == 1);
	duct_peer_free(link.client);
	test_join(thread);
	duct_peer_free(link.service);
}

/* Each direction has hooks of its own, and what is left over goes through them. */
TEST(bidi, drops_what_nobody_receives, 5)
{
	for (int lossy = 0; lossy < 2; lossy++) {
		const duct_options *counted = DUCT_OPTIONS(.drop = instance_drop, .copy = instance_copy);
		duct_peer *client, *service;

		CHECK_STATUS(duct_bidi_open(&client, &service, sizeof(struct instance), sizeof(struct instance), 4,
				 DUCT_BIDI_OPTIONS(.lossy = lossy, .requests = counted, .responses = counted)),
		    DUCT_OK);
		for (int n = 0; n < 3; n++) {
			CHECK_STATUS(instance_send(duct_peer_sender(client), n), DUCT_OK);
			CHECK_STATUS(instance_send(duct_peer_sender(service), n), DUCT_OK);
		}
		CHECK(instances_read(duct_peer_receiver(client), 0, 0) && instances_alive() == 5);
		duct_peer_free(client);
		CHECK(instances_alive() == 3 && instances_read(duct_peer_receiver(service), 0, 1));
		duct_peer_free(service);
		CHECK(instances_alive() == 0);
	}
}

/* ---- What can be seen to be wrong -------------------------------------------------------------------------------------- */

TEST(bidi, refuses_what_can_never_work, 5)
{
	duct_peer *client = NULL, *service = NULL;
	const duct_bidi_options strange = { .size = 1 };
	duct_options *old = malloc(sizeof(size_t)); /* no more of them is there than their size */

	CHECK(old != NULL);
	old->size = sizeof(size_t);
	CHECK_STATUS(duct_bidi_open(NULL, &service, 1, 1, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_bidi_open(&client, NULL, 1, 1, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_bidi_open(&client, &client, 1, 1, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_bidi_open(&client, &service, 1, 1, 1, &strange), DUCT_INVALID);
	CHECK_STATUS(duct_bidi_open(&client, &service, 1, 1, 1, DUCT_BIDI_OPTIONS(.requests = old)), DUCT_INVALID);
	CHECK_STATUS(duct_bidi_open(&client, &service, 1, 1, 1, DUCT_BIDI_OPTIONS(.responses = old)), DUCT_INVALID);
	CHECK_STATUS(duct_bidi_open(&client, &service, SIZE_MAX, 1, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_bidi_open(&client, &service, 1, SIZE_MAX, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_bidi_open(&client, &service, 1, SIZE_MAX, 1, DUCT_BIDI_OPTIONS(.lossy = true)), DUCT_INVALID);
	CHECK(client == NULL && service == NULL);
	CHECK(duct_peer_sender(NULL) == NULL && duct_peer_receiver(NULL) == NULL);
	CHECK_STATUS(duct_peer_send(NULL, &(int){ 0 }), DUCT_INVALID);
	CHECK_STATUS(duct_peer_recv(NULL, &(int){ 0 }), DUCT_INVALID);
	duct_peer_close_send(NULL);
	duct_peer_close_recv(NULL);
	duct_peer_free(NULL);
	free(old);
}

#ifdef DUCT_AUTO_PEER
static void *leave_scope(void *argument)
{
	DUCT_AUTO_PEER duct_peer *peer = argument;

	CHECK_STATUS(duct_peer_send(peer, &(int){ 7 }), DUCT_OK);
	return NULL;
}

TEST(bidi, closes_with_its_scope, 5)
{
	struct link link = link_new(1, NULL);
	int number = -1;

	leave_scope(link.client);
	CHECK_STATUS(duct_peer_recv(link.service, &number), DUCT_OK);
	CHECK(number == 7);
	CHECK_STATUS(duct_peer_recv(link.service, &number), DUCT_CLOSED);
	duct_peer_free(link.service);
}
#endif
