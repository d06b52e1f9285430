/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Exchanges: two parties take turns, nothing lies between them, and whoever leaves ends it for both.
 */
#include "harness.h"

struct pair {
	duct_party *client, *server;
};

static struct pair pair_of(size_t item_size, size_t reply_size)
{
	struct pair pair;

	CHECK_STATUS(duct_exchange_open(&pair.client, &pair.server, item_size, reply_size, NULL), DUCT_OK);
	return pair;
}

static void pair_free(struct pair *pair)
{
	duct_party_free(pair->client);
	duct_party_free(pair->server);
}

/* Each party gives and takes a number. */
static struct pair duplex(void)
{
	return pair_of(sizeof(int), sizeof(int));
}

/* The server gives numbers, the client comes back for more. */
static struct pair simplex(void)
{
	return pair_of(sizeof(int), 0);
}

static bool sleeps_giving(const duct_party *party)
{
	return duct_channel_waiting_senders(duct_sender_channel(duct_party_sender(party))) == 1;
}

static bool sleeps_taking(const duct_party *party)
{
	return duct_channel_waiting_receivers(duct_receiver_channel(duct_party_receiver(party))) == 1;
}

/* ---- One exchange in a thread of its own ------------------------------------------------------------------------------- */

enum { NOTHING = -1 };

struct turn {
	duct_party *party;
	int give, take;
	duct_time deadline;
	duct_cancel *cancel;
	duct_status status;
	atomic_bool done;
	pthread_t thread;
};

static duct_status give_and_take(duct_party *party, int give, int *take, duct_time deadline, duct_cancel *cancel)
{
	return duct_exchange_until(party, give != NOTHING ? &give : NULL, take, deadline, cancel);
}

static void *turn_run(void *argument)
{
	struct turn *turn = argument;

	turn->status = give_and_take(turn->party, turn->give, &turn->take, turn->deadline, turn->cancel);
	atomic_store(&turn->done, true);
	return NULL;
}

static void turn_start_with(struct turn *turn, duct_party *party, int give, duct_time deadline, duct_cancel *cancel)
{
	*turn = (struct turn){ .party = party, .give = give, .take = NOTHING, .deadline = deadline, .cancel = cancel };
	turn->thread = test_start(turn_run, turn);
}

static void turn_start(struct turn *turn, duct_party *party, int give)
{
	turn_start_with(turn, party, give, DUCT_FOREVER, NULL);
}

static duct_status turn_end(struct turn *turn)
{
	test_join(turn->thread);
	return turn->status;
}

/* ---- What happened, in order ------------------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	char text[500];
} story = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void tell(const char *word)
{
	pthread_mutex_lock(&story.lock);
	CHECK(strlen(story.text) + strlen(word) + 2 < sizeof story.text);
	strcat(story.text, story.text[0] != '\0' ? " " : "");
	strcat(story.text, word);
	pthread_mutex_unlock(&story.lock);
}

static void tell_number(const char *word, int number)
{
	char text[32];

	snprintf(text, sizeof text, "%s%d", word, number);
	tell(text);
}

/* ---- Turns ------------------------------------------------------------------------------------------------------------- */

static void *give_letters(void *argument)
{
	duct_party *server = argument;
	int number = NOTHING;

	for (const char *letter = "AB"; *letter != '\0'; letter++) {
		CHECK_STATUS(duct_exchange(server, letter, &number), DUCT_OK);
		tell_number("", number);
	}
	duct_party_free(server);
	return NULL;
}

/* The server's item is always first, each reply is to the item before it, and both end when the server leaves. */
TEST(exchange, alternates_from_the_server_on, 5)
{
	struct pair pair = pair_of(1, sizeof(int));
	pthread_t thread = test_start(give_letters, pair.server);
	duct_status status;
	char letter[2] = "";
	int number = 0;

	for (status = duct_exchange(pair.client, NULL, letter); status == DUCT_OK; number++) {
		tell(letter);
		status = duct_exchange(pair.client, &number, letter);
	}
	test_join(thread);
	CHECK(strcmp(story.text, "A 0 B 1") == 0);
	CHECK(status == DUCT_UNANSWERED && number == 2);
	CHECK_STATUS(duct_exchange(pair.client, NULL, letter), DUCT_CLOSED);
	duct_party_free(pair.client);
}

static void *give_three(void *argument)
{
	duct_party *server = argument;

	for (int number = 1; number <= 3; number++) {
		CHECK_STATUS(duct_exchange(server, &number, NULL), DUCT_OK);
		tell_number("resumed", number);
	}
	duct_party_free(server);
	return NULL;
}

/* To give is to be told that the item was dealt with: it returns when the client comes back for more, not when it has it. */
TEST(exchange, of_items_only_acknowledges_each, 5)
{
	struct pair pair = simplex();
	pthread_t thread = test_start(give_three, pair.server);
	int number;

	while (duct_exchange(pair.client, NULL, &number) == DUCT_OK) {
		tell_number("got", number);
		for (int moment = 0; moment < 20; moment++)
			test_pause();
		tell_number("done", number);
	}
	test_join(thread);
	CHECK(strcmp(story.text, "got1 done1 resumed1 got2 done2 resumed2 got3 done3 resumed3") == 0);
	duct_party_free(pair.client);
}

/* An exchange of no bytes at all is a hand-shake. */
TEST(exchange, of_nothing_takes_turns, 5)
{
	struct pair pair = pair_of(0, 0);
	struct turn turn;

	CHECK_STATUS(duct_exchange_until(pair.server, NULL, NULL, 0, NULL), DUCT_TIMEDOUT);
	turn_start(&turn, pair.client, NOTHING);
	AWAIT(sleeps_taking(pair.client));
	CHECK_STATUS(duct_exchange_until(pair.server, NULL, NULL, 0, NULL), DUCT_TIMEDOUT); /* given, and not asked for more */
	CHECK_STATUS(turn_end(&turn), DUCT_OK);
	CHECK_STATUS(duct_exchange_until(pair.client, NULL, NULL, 0, NULL), DUCT_TIMEDOUT); /* asked */
	CHECK_STATUS(duct_exchange_until(pair.server, NULL, NULL, 0, NULL), DUCT_OK);
	pair_free(&pair);
}

static void *add_ones(void *argument)
{
	duct_party *client = argument;
	int number;
	duct_status status = duct_exchange(client, NULL, &number);

	while (status == DUCT_OK) {
		number++;
		status = duct_exchange(client, &number, &number);
	}
	duct_party_free(client);
	return NULL;
}

/* What is given and what is taken may lie at the same place; each answer is to the question before it. */
TEST(exchange, answers_each_question, 20)
{
	struct pair pair = duplex();
	pthread_t thread = test_start(add_ones, pair.client);

	for (int number = 0; number < test_rounds(5000, 100000); number++) {
		int both = number;

		CHECK_STATUS(duct_exchange(pair.server, &both, &both), DUCT_OK);
		CHECK(both == number + 1);
	}
	duct_party_free(pair.server);
	test_join(thread);
}

static void *tell_all(void *argument)
{
	duct_party *client = argument;
	int number;

	while (duct_exchange(client, NULL, &number) == DUCT_OK)
		tell_number("", number);
	duct_party_free(client);
	return NULL;
}

static void *give_two(void *server)
{
	CHECK_STATUS(duct_exchange(server, &(int){ 2 }, NULL), DUCT_OK);
	CHECK_STATUS(duct_exchange(server, &(int){ 3 }, NULL), DUCT_OK);
	return NULL;
}

/* The right to give may be handed on, to another thread too, and back. */
TEST(exchange, may_be_handed_on, 5)
{
	struct pair pair = simplex();
	pthread_t client = test_start(tell_all, pair.client);

	CHECK_STATUS(duct_exchange(pair.server, &(int){ 1 }, NULL), DUCT_OK);
	test_join(test_start(give_two, pair.server));
	give_two(pair.server);
	duct_party_free(pair.server);
	test_join(client);
	CHECK(strcmp(story.text, "1 2 3 2 3") == 0);
}

struct lane {
	duct_party *client;
	const char *name;
};

static void *print_lane(void *argument)
{
	struct lane *lane = argument;
	const char *word;

	while (duct_exchange(lane->client, NULL, &word) == DUCT_OK) {
		tell(word);
		tell(lane->name);
	}
	return NULL;
}

/* One producer with two links: what is handed over follows the order of its program. */
TEST(exchange, with_two_follows_the_producers_order, 5)
{
	static const char *const words[] = { "Hello", "Goodbye" };
	struct pair pairs[2] = { pair_of(sizeof(char *), 0), pair_of(sizeof(char *), 0) };
	struct lane lanes[2] = { { pairs[0].client, "a" }, { pairs[1].client, "b" } };
	pthread_t threads[2] = { test_start(print_lane, &lanes[0]), test_start(print_lane, &lanes[1]) };

	for (int word = 0; word < 2; word++)
		for (int lane = 0; lane < 2; lane++)
			CHECK_STATUS(duct_exchange(pairs[lane].server, &words[word], NULL), DUCT_OK);
	for (int lane = 0; lane < 2; lane++) {
		duct_party_close(pairs[lane].server);
		test_join(threads[lane]);
		pair_free(&pairs[lane]);
	}
	CHECK(strcmp(story.text, "Hello a Hello b Goodbye a Goodbye b") == 0);
}

/* A pipeline: takes two items for each that it gives on. */
static void *combine(void *argument)
{
	struct lane *ends = argument; /* the client of one, and in the name the server of the next */
	duct_party *next = (duct_party *)(uintptr_t)ends->name;
	int one, two;

	while (duct_exchange(ends->client, NULL, &one) == DUCT_OK && duct_exchange(ends->client, NULL, &two) == DUCT_OK)
		CHECK_STATUS(duct_exchange(next, &(int){ 10 * one + two }, NULL), DUCT_OK);
	duct_party_close(next);
	return NULL;
}

/* What a pipeline takes from one link it gives on in another: a transform pulls, the producer pushes. */
TEST(exchange, pushes_into_a_pipeline, 5)
{
	struct pair in = simplex(), out = simplex();
	struct lane ends = { in.client, (const char *)out.server };
	pthread_t transform = test_start(combine, &ends), last = test_start(tell_all, out.client);

	for (int item = 1; item <= 4; item++)
		CHECK_STATUS(duct_exchange(in.server, &item, NULL), DUCT_OK);
	duct_party_close(in.server);
	test_join(transform);
	test_join(last);
	CHECK(strcmp(story.text, "12 34") == 0);
	pair_free(&in);
	duct_party_free(out.server);
}

/* ---- Beginning --------------------------------------------------------------------------------------------------------- */

static void *start_server(void *argument)
{
	CHECK_STATUS(duct_party_start(argument, DUCT_FOREVER, NULL), DUCT_OK);
	return NULL;
}

/* The server waits for the client's first take, whoever comes first, and gives nothing by that; a second time it does not. */
TEST(exchange_start, waits_for_the_client_once, 5)
{
	for (int server_first = 0; server_first < 2; server_first++) {
		struct pair pair = simplex();
		struct turn turn;
		pthread_t server;

		CHECK_STATUS(duct_party_start(pair.server, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
		if (server_first) {
			server = test_start(start_server, pair.server);
			AWAIT(sleeps_giving(pair.server));
		}
		turn_start_with(&turn, pair.client, NOTHING, DUCT_FOREVER, NULL);
		AWAIT(sleeps_taking(pair.client));
		if (!server_first)
			server = test_start(start_server, pair.server);
		test_join(server);
		CHECK(sleeps_taking(pair.client));
		CHECK_STATUS(duct_party_start(pair.server, 0, NULL), DUCT_OK);
		CHECK_STATUS(duct_exchange_until(pair.server, &(int){ 1 }, NULL, 0, NULL), DUCT_UNANSWERED);
		CHECK_STATUS(turn_end(&turn), DUCT_OK);
		CHECK_STATUS(duct_party_start(pair.server, 0, NULL), DUCT_OK);
		CHECK(turn.take == 1);
		pair_free(&pair);
	}
}

/* Also when the client has gone away since, without having got anything. */
TEST(exchange_start, remembers_a_client_that_gave_up, 5)
{
	struct pair pair = simplex();
	duct_cancel *cancel;
	struct turn turn;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	turn_start_with(&turn, pair.client, NOTHING, DUCT_FOREVER, cancel);
	CHECK_STATUS(duct_party_start(pair.server, DUCT_FOREVER, NULL), DUCT_OK);
	duct_cancel_raise(cancel);
	CHECK_STATUS(turn_end(&turn), DUCT_CANCELED);
	CHECK_STATUS(duct_party_start(pair.server, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_exchange_until(pair.server, &(int){ 1 }, NULL, 0, NULL), DUCT_TIMEDOUT);
	duct_cancel_free(cancel);
	pair_free(&pair);
}

/* Who has given something has met the client; and the client is there by itself. */
TEST(exchange_start, is_not_needed_to_give, 5)
{
	struct pair pair = simplex();
	struct turn turn;

	CHECK_STATUS(duct_party_start(pair.client, 0, NULL), DUCT_OK);
	turn_start(&turn, pair.server, 1);
	CHECK_STATUS(duct_exchange(pair.client, NULL, &(int){ 0 }), DUCT_OK);
	CHECK_STATUS(duct_exchange_until(pair.client, NULL, &(int){ 0 }, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(turn_end(&turn), DUCT_OK);
	CHECK_STATUS(duct_party_start(pair.server, 0, NULL), DUCT_OK);
	pair_free(&pair);
}

/* What was closed before anybody came says so to whoever comes late, at either end and in every call. */
TEST(exchange_start, sees_a_close_that_was_before, 5)
{
	for (int by_client = 0; by_client < 2; by_client++) {
		struct pair pair = duplex();
		duct_party *late = by_client ? pair.server : pair.client;
		int number = 0;

		duct_party_free(by_client ? pair.client : pair.server);
		for (int again = 0; again < 2; again++) {
			CHECK_STATUS(duct_party_start(late, DUCT_FOREVER, NULL), DUCT_CLOSED);
			CHECK_STATUS(duct_exchange(late, by_client ? &number : NULL, &number), DUCT_CLOSED);
		}
		duct_party_free(late);
	}
}

/* A wait for the client ends with a token, and one that has no need to wait too; and it is a call as others are. */
TEST(exchange_start, ends_with_a_token_and_keeps_others_out, 5)
{
	struct pair pair = simplex();
	duct_cancel *cancel;
	struct turn turn;
	pthread_t starter;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, duct_after_ms(5)), DUCT_OK);
	CHECK_STATUS(duct_party_start(pair.server, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK_STATUS(duct_party_start(pair.client, DUCT_FOREVER, cancel), DUCT_CANCELED);
	duct_cancel_free(cancel);
	starter = test_start(start_server, pair.server);
	AWAIT(sleeps_giving(pair.server));
	CHECK_STATUS(duct_party_start(pair.server, DUCT_FOREVER, NULL), DUCT_BUSY);
	turn_start(&turn, pair.client, NOTHING);
	test_join(starter);
	duct_party_close(pair.server);
	CHECK_STATUS(turn_end(&turn), DUCT_CLOSED);
	pair_free(&pair);
}

static void *start_until_closed(void *argument)
{
	CHECK_STATUS(duct_party_start(argument, DUCT_FOREVER, NULL), DUCT_CLOSED);
	return NULL;
}

TEST(exchange_start, is_woken_by_a_close, 5)
{
	for (int by_client = 0; by_client < 2; by_client++) {
		struct pair pair = simplex();
		pthread_t server = test_start(start_until_closed, pair.server);

		AWAIT(sleeps_giving(pair.server));
		duct_party_close(by_client ? pair.client : pair.server);
		test_join(server);
		pair_free(&pair);
	}
}

/* ---- Ending ------------------------------------------------------------------------------------------------------------ */

/* How far an exchange has come when it ends. */
enum moment { CLIENT_TAKES_FIRST, SERVER_GIVES, SERVER_TAKES, CLIENT_GIVES, CLIENT_TAKES, MOMENTS };

static bool is_of_client(enum moment moment)
{
	return moment == CLIENT_TAKES_FIRST || moment == CLIENT_GIVES || moment == CLIENT_TAKES;
}

/* Brings the pair to the point where the turn sleeps at that moment. */
static void bring_to(enum moment moment, struct pair *pair, struct turn *turn, duct_time deadline, duct_cancel *cancel)
{
	const bool of_client = is_of_client(moment), gives = moment == SERVER_GIVES || moment == CLIENT_GIVES;
	duct_party *party = of_client ? pair->client : pair->server;
	struct turn other;

	if (moment == SERVER_TAKES) {
		turn_start_with(turn, party, 7, deadline, cancel);
		CHECK_STATUS(duct_exchange(pair->client, NULL, &other.take), DUCT_OK);
	} else if (moment == CLIENT_GIVES || moment == CLIENT_TAKES) {
		turn_start(&other, pair->client, NOTHING);
		AWAIT(sleeps_taking(pair->client));
		CHECK_STATUS(give_and_take(pair->server, 7, &other.give, 0, NULL), DUCT_UNANSWERED);
		CHECK_STATUS(turn_end(&other), DUCT_OK);
		turn_start_with(turn, party, 7, deadline, cancel);
		if (moment == CLIENT_TAKES)
			CHECK_STATUS(duct_exchange(pair->server, NULL, &other.take), DUCT_OK);
	} else {
		turn_start_with(turn, party, of_client ? NOTHING : 7, deadline, cancel);
	}
	AWAIT(atomic_load(&turn->done) || (gives ? sleeps_giving(party) : sleeps_taking(party)));
}

/* What a call says that ended there for this reason: once its message has been taken it is gone. */
static duct_status told(enum moment moment, duct_status reason)
{
	return moment == SERVER_TAKES || moment == CLIENT_TAKES ? DUCT_UNANSWERED : reason;
}

/* Whoever closes or frees either end wakes both, wherever they are; and it stays closed. */
TEST(exchange, ends_for_both_whoever_leaves, 20)
{
	for (int moment = 0; moment < MOMENTS; moment++) {
		for (int how = 0; how < 4; how++) {
			struct pair pair = duplex();
			duct_party **leaves = how % 2 ? &pair.client : &pair.server,
				   **stays = how % 2 ? &pair.server : &pair.client;
			struct turn turn;

			bring_to((enum moment)moment, &pair, &turn, DUCT_FOREVER, NULL);
			if (how < 2) {
				duct_party_close(*leaves);
			} else {
				duct_party_free(*leaves);
				*leaves = NULL;
			}
			CHECK_STATUS(turn_end(&turn), told((enum moment)moment, DUCT_CLOSED));
			CHECK(duct_channel_reason(duct_sender_channel(duct_party_sender(*stays))) == 0);
			CHECK(duct_channel_reason(duct_receiver_channel(duct_party_receiver(*stays))) == 0);
			CHECK(turn.take == NOTHING);
			CHECK_STATUS(duct_party_start(*stays, DUCT_FOREVER, NULL), DUCT_CLOSED);
			pair_free(&pair);
		}
	}
}

/* A client that asked for more before it left has dealt with the item: the server is told so, and then of the end. */
TEST(exchange, tells_of_the_end_after_the_acknowledgement, 5)
{
	struct pair pair = simplex();
	struct turn turn;

	turn_start(&turn, pair.client, NOTHING);
	AWAIT(sleeps_taking(pair.client));
	CHECK_STATUS(duct_exchange_until(pair.server, &(int){ 1 }, NULL, 0, NULL), DUCT_UNANSWERED);
	CHECK_STATUS(turn_end(&turn), DUCT_OK);
	CHECK_STATUS(duct_exchange_until(pair.client, NULL, &turn.take, 0, NULL), DUCT_TIMEDOUT);
	duct_party_free(pair.client);
	CHECK_STATUS(duct_exchange(pair.server, NULL, NULL), DUCT_OK);
	CHECK_STATUS(duct_exchange(pair.server, &(int){ 2 }, NULL), DUCT_CLOSED);
	duct_party_free(pair.server);
}

#ifdef DUCT_AUTO_PARTY
static void *leave_scope(void *argument)
{
	DUCT_AUTO_PARTY duct_party *server = argument;

	if (duct_party_start(server, DUCT_FOREVER, NULL) != DUCT_OK)
		return NULL;
	return server; /* gone wrong here: nothing was ever given */
}

/* Leaving a scope closes, however it is left. */
TEST(exchange, closes_with_its_scope, 5)
{
	struct pair pair = simplex();
	pthread_t thread = test_start(leave_scope, pair.server);

	CHECK_STATUS(duct_exchange(pair.client, NULL, &(int){ 0 }), DUCT_CLOSED);
	test_join(thread);
	duct_party_free(pair.client);
}
#endif

/* ---- Giving up --------------------------------------------------------------------------------------------------------- */

/* Completes what a turn at that moment gave up, from the other side: the exchange is where it was. */
static void go_on(enum moment moment, struct pair *pair)
{
	const bool of_client = is_of_client(moment), gives = moment == SERVER_GIVES || moment == CLIENT_GIVES;
	duct_party *party = of_client ? pair->client : pair->server, *other = of_client ? pair->server : pair->client;
	struct turn turn;
	int taken = NOTHING;

	turn_start(&turn, party, gives ? 8 : NOTHING);
	if (gives) {
		CHECK_STATUS(give_and_take(other, NOTHING, &taken, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(taken == 8);
	}
	AWAIT(sleeps_taking(party));
	CHECK_STATUS(give_and_take(other, 9, &taken, 0, NULL), DUCT_UNANSWERED);
	CHECK_STATUS(turn_end(&turn), DUCT_OK);
	CHECK(turn.take == 9);
}

/* A deadline that passes, before the message was taken, undoes the call; after that the message stays given, and says so. */
TEST(exchange, that_times_out_goes_on_where_it_was, 10)
{
	for (int moment = 0; moment < MOMENTS; moment++) {
		struct pair pair = duplex();
		struct turn turn;

		bring_to((enum moment)moment, &pair, &turn, duct_after_ms(100 * test_time_scale()), NULL);
		CHECK_STATUS(turn_end(&turn), told((enum moment)moment, DUCT_TIMEDOUT));
		CHECK(turn.take == NOTHING);
		go_on((enum moment)moment, &pair);
		pair_free(&pair);
	}
}

/* And so with a token. */
TEST(exchange, that_is_canceled_goes_on_where_it_was, 10)
{
	for (int moment = 0; moment < MOMENTS; moment++) {
		struct pair pair = duplex();
		duct_cancel *cancel;
		struct turn turn;

		CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
		bring_to((enum moment)moment, &pair, &turn, DUCT_FOREVER, cancel);
		duct_cancel_raise(cancel);
		CHECK_STATUS(turn_end(&turn), told((enum moment)moment, DUCT_CANCELED));
		CHECK(turn.take == NOTHING);
		go_on((enum moment)moment, &pair);
		duct_cancel_free(cancel);
		pair_free(&pair);
	}
}

/* A token that was raised before keeps a call from doing what it could, and what was not given is not there. */
TEST(exchange, with_a_raised_token_does_nothing, 5)
{
	struct pair pair = duplex();
	duct_cancel *cancel;
	struct turn turn;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	duct_cancel_raise(cancel);
	turn_start(&turn, pair.client, NOTHING);
	AWAIT(sleeps_taking(pair.client));
	CHECK_STATUS(give_and_take(pair.server, 7, &(int){ 0 }, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(sleeps_taking(pair.client));
	duct_party_close(pair.server);
	CHECK_STATUS(turn_end(&turn), DUCT_CLOSED);
	duct_cancel_free(cancel);
	pair_free(&pair);
}

/* What waits for its answer cannot be given again, and the wait for it can be made as often as it takes. */
TEST(exchange, waits_for_its_answer_until_it_has_it, 5)
{
	struct pair pair = duplex();
	struct turn turn;
	int answer = NOTHING;

	turn_start(&turn, pair.client, NOTHING);
	AWAIT(sleeps_taking(pair.client));
	CHECK_STATUS(give_and_take(pair.server, 7, &answer, 0, NULL), DUCT_UNANSWERED);
	CHECK_STATUS(turn_end(&turn), DUCT_OK);
	for (int again = 0; again < 3; again++) {
		CHECK_STATUS(give_and_take(pair.server, 7, &answer, 0, NULL), DUCT_INVALID);
		CHECK_STATUS(give_and_take(pair.server, NOTHING, &answer, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	}
	turn_start(&turn, pair.client, 8);
	CHECK_STATUS(give_and_take(pair.server, NOTHING, &answer, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(answer == 8);
	duct_party_close(pair.server);
	CHECK_STATUS(turn_end(&turn), DUCT_UNANSWERED);
	pair_free(&pair);
}

/* A client that looks for more again and again has asked once: the second item needs its own. */
TEST(exchange, is_asked_for_one_item_at_a_time, 5)
{
	struct pair pair = simplex();
	int item = NOTHING;

	for (int number = 1; number <= 3; number++) {
		struct turn turn;

		for (int again = 0; again < 3; again++)
			CHECK_STATUS(duct_exchange_until(pair.client, NULL, &item, 0, NULL), DUCT_TIMEDOUT);
		if (number > 1)
			CHECK_STATUS(duct_exchange_until(pair.server, NULL, NULL, 0, NULL), DUCT_OK);
		turn_start(&turn, pair.client, NOTHING);
		AWAIT(sleeps_taking(pair.client));
		CHECK_STATUS(duct_exchange_until(pair.server, &number, NULL, 0, NULL), DUCT_UNANSWERED);
		CHECK_STATUS(turn_end(&turn), DUCT_OK);
		CHECK(turn.take == number);
		CHECK_STATUS(duct_exchange_until(pair.server, NULL, NULL, 0, NULL), DUCT_TIMEDOUT);
	}
	pair_free(&pair);
}

/* ---- In no time -------------------------------------------------------------------------------------------------------- */

struct impatient {
	duct_party *party;
	int rounds;
	uint32_t random;
};

/* Goes on where the last call ended: with the same message, or without one if it is gone. */
static duct_status insist(struct impatient *who, const int **give, int *take)
{
	duct_status status;

	do {
		status = duct_exchange_until(who->party, *give, take, duct_after_ns(test_random(&who->random) % 50000), NULL);
		if (status == DUCT_UNANSWERED)
			*give = NULL;
	} while (status == DUCT_TIMEDOUT || (status == DUCT_UNANSWERED && duct_party_start(who->party, 0, NULL) == DUCT_OK));
	return status;
}

static void *answer_impatiently(void *argument)
{
	struct impatient *client = argument;
	const int *give = NULL;
	int item = NOTHING, reply, expected = 0;

	while (insist(client, &give, &item) == DUCT_OK) {
		CHECK(item == expected++);
		reply = -item;
		give = &reply;
	}
	CHECK(expected == client->rounds);
	return NULL;
}

/* Wherever calls end, and however often: each item is taken once, and has its own answer. */
TEST(exchange, of_two_that_never_wait_loses_nothing, 20)
{
	struct pair pair = duplex();
	const int rounds = test_rounds(2000, 50000);
	struct impatient server = { pair.server, rounds, 1 }, client = { pair.client, rounds, 2 };
	pthread_t thread = test_start(answer_impatiently, &client);

	for (int number = 0; number < rounds; number++) {
		const int *give = &number;
		int answer = NOTHING;

		CHECK_STATUS(insist(&server, &give, &answer), DUCT_OK);
		CHECK(answer == -number);
	}
	duct_party_close(pair.server);
	test_join(thread);
	pair_free(&pair);
}

/* ---- One call at a time ------------------------------------------------------------------------------------------------ */

/* A second call on an end that is in one says so and is nowhere to be seen; the first goes on. */
TEST(exchange, serves_one_call_at_a_time, 10)
{
	for (int moment = 0; moment < MOMENTS; moment++) {
		struct pair pair = duplex();
		struct turn turn;
		int taken = NOTHING, gives = moment == SERVER_GIVES || moment == CLIENT_GIVES;
		duct_party *other;

		bring_to((enum moment)moment, &pair, &turn, DUCT_FOREVER, NULL);
		other = turn.party == pair.client ? pair.server : pair.client;
		CHECK_STATUS(give_and_take(turn.party, 5, &taken, DUCT_FOREVER, NULL), DUCT_BUSY);
		CHECK_STATUS(give_and_take(turn.party, NOTHING, &taken, DUCT_FOREVER, NULL), DUCT_BUSY);
		CHECK_STATUS(duct_party_start(turn.party, DUCT_FOREVER, NULL), DUCT_BUSY);
		CHECK_STATUS(duct_exchange(turn.party, NULL, NULL), DUCT_INVALID);
		CHECK_STATUS(give_and_take(turn.party, 5, &taken, -1, NULL), DUCT_INVALID);
		CHECK_STATUS(duct_party_start(turn.party, -1, NULL), DUCT_INVALID);
		if (gives) {
			CHECK_STATUS(give_and_take(other, NOTHING, &taken, DUCT_FOREVER, NULL), DUCT_OK);
			CHECK(taken == 7);
			AWAIT(sleeps_taking(turn.party));
		}
		CHECK_STATUS(give_and_take(other, 9, &taken, 0, NULL), DUCT_UNANSWERED);
		CHECK_STATUS(turn_end(&turn), DUCT_OK);
		CHECK(turn.take == 9);
		pair_free(&pair);
	}
}

struct crowded {
	duct_party *server;
	atomic_int given, busy;
};

static void *give_some(void *argument)
{
	struct crowded *crowded = argument;
	duct_status status;
	int number = 1;

	while ((status = duct_exchange(crowded->server, &number, NULL)) == DUCT_OK || status == DUCT_BUSY)
		atomic_fetch_add(status == DUCT_OK ? &crowded->given : &crowded->busy, 1);
	CHECK(status == DUCT_CLOSED || status == DUCT_UNANSWERED || status == DUCT_INVALID);
	return NULL;
}

/* Many that use one end without agreeing about it: each item is given once, and the others are told. */
TEST(exchange, turns_away_a_crowd, 10)
{
	struct pair pair = simplex();
	struct crowded crowded = { .server = pair.server };
	pthread_t threads[4];
	const int rounds = test_rounds(200, 5000);
	int number, taken = 0;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		threads[i] = test_start(give_some, &crowded);
	for (; taken < rounds; taken++)
		CHECK_STATUS(duct_exchange(pair.client, NULL, &number), DUCT_OK);
	duct_party_close(pair.client);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		test_join(threads[i]);
	CHECK(atomic_load(&crowded.given) == taken - 1);
	pair_free(&pair);
}

/* ---- Waiting for more than one thing ----------------------------------------------------------------------------------- */

/* A client in a loop of its own looks, then waits for this and for other things, and takes what is there. */
TEST(exchange, waits_in_a_select, 5)
{
	struct pair pair = simplex();
	struct test_pair others = test_pair_new(sizeof(int), 1);
	duct_case cases[] = { DUCT_RECV(duct_party_receiver(pair.client), NULL), DUCT_RECV(others.rx, NULL) };
	pthread_t server = test_start(give_three, pair.server);
	size_t chosen;
	int item, seen = 0;

	for (;;) {
		duct_status status = duct_exchange_until(pair.client, NULL, &item, 0, NULL);

		if (status == DUCT_OK)
			CHECK(item == ++seen);
		else if (status == DUCT_CLOSED)
			break;
		else
			CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
	}
	CHECK(seen == 3);
	test_join(server);
	CHECK_STATUS(duct_send(others.tx, &(int){ 5 }), DUCT_OK);
	cases[0] = duct_recv_case(NULL, NULL);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 1);
	duct_party_free(pair.client);
	test_pair_free(&others);
}

/* A server in a loop of its own waits until it can give without waiting. */
TEST(exchange, waits_in_a_select_to_give, 5)
{
	struct pair pair = duplex();
	duct_case cases[] = { DUCT_SEND(duct_party_sender(pair.server), NULL) };
	size_t chosen;
	struct turn turn;
	int answer;

	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, 0, NULL), DUCT_TIMEDOUT);
	turn_start(&turn, pair.client, NOTHING);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(give_and_take(pair.server, 7, &answer, 0, NULL), DUCT_UNANSWERED);
	CHECK_STATUS(turn_end(&turn), DUCT_OK);
	CHECK(turn.take == 7);
	pair_free(&pair);
}

/* ---- What can be seen to be wrong -------------------------------------------------------------------------------------- */

TEST(exchange, refuses_what_is_out_of_turn, 5)
{
	struct pair pair = duplex();
	int number = 0;

	CHECK_STATUS(duct_exchange(pair.client, &number, &number), DUCT_INVALID);
	CHECK_STATUS(duct_exchange(pair.server, NULL, &number), DUCT_INVALID);
	CHECK_STATUS(duct_exchange(pair.client, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_exchange(pair.server, &number, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_exchange_until(pair.client, NULL, &number, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_exchange(NULL, NULL, &number), DUCT_INVALID);
	CHECK_STATUS(duct_party_start(NULL, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_party_start(pair.server, -1, NULL), DUCT_INVALID);
	pair_free(&pair);
	CHECK(duct_party_sender(NULL) == NULL && duct_party_receiver(NULL) == NULL);
	duct_party_close(NULL);
	duct_party_free(NULL);
}

TEST(exchange, refuses_what_can_never_work, 5)
{
	const duct_options old = { .size = 1 };
	const duct_allocator lame = { NULL, NULL, NULL };
	struct pair pair = { NULL, NULL };

	CHECK_STATUS(duct_exchange_open(NULL, &pair.server, 1, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_exchange_open(&pair.client, NULL, 1, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_exchange_open(&pair.client, &pair.client, 1, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_exchange_open(&pair.client, &pair.server, 1, 1, &old), DUCT_INVALID);
	CHECK_STATUS(duct_exchange_open(&pair.client, &pair.server, 1, 1, DUCT_OPTIONS(.allocator = &lame)), DUCT_INVALID);
	CHECK_STATUS(duct_exchange_open(&pair.client, &pair.server, SIZE_MAX, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_exchange_open(&pair.client, &pair.server, 1, SIZE_MAX, NULL), DUCT_INVALID);
	CHECK(pair.client == NULL && pair.server == NULL);
}

static void never_drop(void *message, void *context)
{
	(void)message;
	(void)context;
	CHECK(false);
}

/* It has the name and the allocator that it was given, and nothing to drop, an unheard asking neither. */
TEST(exchange, takes_its_name_and_leaves_nothing, 5)
{
	struct pair pair;

	CHECK_STATUS(
	    duct_exchange_open(&pair.client, &pair.server, sizeof(int), 0, DUCT_OPTIONS(.name = "letters", .drop = never_drop)),
	    DUCT_OK);
	CHECK(strcmp(duct_channel_name(duct_sender_channel(duct_party_sender(pair.server))), "letters") == 0);
	CHECK(strcmp(duct_channel_name(duct_receiver_channel(duct_party_receiver(pair.server))), "letters") == 0);
	for (int again = 0; again < 2; again++) {
		struct turn turn;

		turn_start(&turn, pair.client, NOTHING);
		AWAIT(sleeps_taking(pair.client));
		if (again == 0) {
			CHECK_STATUS(duct_exchange_until(pair.server, &(int){ 1 }, NULL, 0, NULL), DUCT_UNANSWERED);
		} else {
			duct_party_free(pair.client);
		}
		CHECK_STATUS(turn_end(&turn), again == 0 ? DUCT_OK : DUCT_CLOSED);
	}
	duct_party_free(pair.server);
}
