/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable for pairs of ends: each call that can fail in each of their functions fails in
 * turn.  The function must answer DUCT_NOMEM, write no handle, and leave nothing behind; and the pair must then be as good as
 * ever: the same call, made again, comes to what it comes to where nothing fails.
 *
 * A call that would wait for ever is ended by a second thread, when the first has made its condition variable: that is the
 * last thing that can fail in a wait.
 *
 * With FAULT_TABLE in the environment each function that was called is told, for check-faults.sh to see that none is missing.
 */
#include "faults.h"
#include "harness.h"

struct stage {
	duct_peer *client, *service;
	duct_peer *new_client, *new_service;
	duct_party *taker, *giver;
	duct_party *new_taker, *new_giver;
	duct_writer *writer, *new_writer;
	duct_reader *reader, *new_reader;
	duct_box *all;
};

static void stage_set(struct stage *stage)
{
	*stage = (struct stage){ 0 };
	CHECK_STATUS(duct_bidi_open(&stage->client, &stage->service, sizeof(int), sizeof(int), 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_stream_open(&stage->writer, &stage->reader, sizeof(int), 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_exchange_open(&stage->taker, &stage->giver, sizeof(int), 0, NULL), DUCT_OK);
}

static void stage_clear(struct stage *stage)
{
	duct_peer_free(stage->client);
	duct_peer_free(stage->service);
	duct_peer_free(stage->new_client);
	duct_peer_free(stage->new_service);
	duct_party_free(stage->taker);
	duct_party_free(stage->giver);
	duct_party_free(stage->new_taker);
	duct_party_free(stage->new_giver);
	duct_writer_free(stage->writer);
	duct_reader_free(stage->reader);
	duct_writer_free(stage->new_writer);
	duct_reader_free(stage->new_reader);
}

/* ---- Forms ------------------------------------------------------------------------------------------------------------- */

/* How a call is made, and whether it waits until the other party of the pair is closed. */
struct form {
	const char *function;
	duct_status (*run)(struct stage *stage);
	bool waits;
};

#define FORM(name_, status_) \
	static duct_status name_(struct stage *s) \
	{ \
		(void)s; \
		return (status_); \
	}

/* A function without a status, which makes no call that can fail. */
#define PLAIN(name_, call_) FORM(name_, ((void)(call_), DUCT_OK))

/* The other one of the pair is freed by the stage alone. */
static void close_the_others(struct stage *s)
{
	duct_peer_close_send(s->service);
	duct_peer_close_recv(s->service);
	duct_party_close(s->taker);
	duct_writer_close(s->writer);
}

#define NAMES .client = "a client with a rather long name", .service = "a service"
#define BOTH_LOSSY DUCT_BIDI_OPTIONS(NAMES, .lossy = true)

FORM(bidi_open, duct_bidi_open(&s->new_client, &s->new_service, 8, 16, 4, NULL))
FORM(bidi_open_lossy, duct_bidi_open(&s->new_client, &s->new_service, 8, 16, 4, BOTH_LOSSY))
FORM(peer_send, duct_peer_send(s->client, &(int){ 1 }))
FORM(peer_recv, duct_peer_recv(s->client, &(int){ 1 }))
PLAIN(peer_sender, duct_peer_sender(s->client))
PLAIN(peer_receiver, duct_peer_receiver(s->client))
PLAIN(peer_close_send, duct_peer_close_send(s->client))
PLAIN(peer_close_recv, duct_peer_close_recv(s->client))
PLAIN(peer_describe, duct_peer_describe(s->client, (char[200]){ 0 }, 200))
PLAIN(peer_free, (duct_peer_free(s->client), s->client = NULL))

FORM(exchange_open, duct_exchange_open(&s->new_taker, &s->new_giver, 8, 16, NULL))
FORM(exchange_open_named, duct_exchange_open(&s->new_taker, &s->new_giver, 0, 0, DUCT_OPTIONS(.name = "a rather long name")))
FORM(exchange_give, duct_exchange(s->giver, &(int){ 1 }, NULL))
FORM(exchange_take, duct_exchange(s->taker, NULL, &(int){ 1 }))
FORM(exchange_until, duct_exchange_until(s->giver, &(int){ 1 }, NULL, duct_after_s(100000), NULL))
FORM(party_start, duct_party_start(s->giver, DUCT_FOREVER, NULL))
PLAIN(party_sender, duct_party_sender(s->giver))
PLAIN(party_receiver, duct_party_receiver(s->giver))
PLAIN(party_close, duct_party_close(s->giver))
PLAIN(party_free, (duct_party_free(s->giver), s->giver = NULL))

/* The box is the caller's, whatever became of it. */
static duct_status read_all(struct stage *s)
{
	size_t count;
	duct_status status = duct_stream_all(s->reader, &s->all, &count, DUCT_FOREVER, NULL);

	duct_box_free(s->all);
	return status;
}

FORM(stream_open, duct_stream_open(&s->new_writer, &s->new_reader, 8, DUCT_KEEP_ALIVE, NULL))
FORM(stream_write, duct_stream_write(s->writer, (int[]){ 1, 2 }, 2, NULL, duct_after_s(100000), NULL))
FORM(stream_send, duct_stream_send(s->writer, &(int){ 1 }))
FORM(stream_read, duct_stream_read(s->reader, (int[]){ 1, 2 }, 2, NULL, DUCT_FOREVER, NULL))
FORM(stream_chunk, duct_stream_chunk(s->reader, (int[]){ 1, 2 }, 2, NULL, DUCT_FOREVER, NULL))
FORM(stream_recv, duct_stream_recv(s->reader, &(int){ 1 }))
PLAIN(reader_receiver, duct_reader_receiver(s->reader))
PLAIN(writer_close, duct_writer_close(s->writer))
PLAIN(reader_close, duct_reader_close(s->reader))
PLAIN(writer_free, (duct_writer_free(s->writer), s->writer = NULL))
PLAIN(reader_free, (duct_reader_free(s->reader), s->reader = NULL))

static const struct form forms[] = {
	{ "duct_bidi_open", bidi_open, false },
	{ "duct_bidi_open", bidi_open_lossy, false },
	{ "duct_peer_send", peer_send, true },
	{ "duct_peer_recv", peer_recv, true },
	{ "duct_peer_sender", peer_sender, false },
	{ "duct_peer_receiver", peer_receiver, false },
	{ "duct_peer_close_send", peer_close_send, false },
	{ "duct_peer_close_recv", peer_close_recv, false },
	{ "duct_peer_describe", peer_describe, false },
	{ "duct_peer_free", peer_free, false },
	{ "duct_exchange_open", exchange_open, false },
	{ "duct_exchange_open", exchange_open_named, false },
	{ "duct_exchange", exchange_give, true },
	{ "duct_exchange", exchange_take, true },
	{ "duct_exchange_until", exchange_until, true },
	{ "duct_party_start", party_start, true },
	{ "duct_party_sender", party_sender, false },
	{ "duct_party_receiver", party_receiver, false },
	{ "duct_party_close", party_close, false },
	{ "duct_party_free", party_free, false },
	{ "duct_stream_open", stream_open, false },
	{ "duct_stream_write", stream_write, true },
	{ "duct_stream_send", stream_send, true },
	{ "duct_stream_read", stream_read, true },
	{ "duct_stream_chunk", stream_chunk, true },
	{ "duct_stream_recv", stream_recv, true },
	{ "duct_stream_all", read_all, true },
	{ "duct_reader_receiver", reader_receiver, false },
	{ "duct_writer_close", writer_close, false },
	{ "duct_reader_close", reader_close, false },
	{ "duct_writer_free", writer_free, false },
	{ "duct_reader_free", reader_free, false },
};

/* ---- Making the call --------------------------------------------------------------------------------------------------- */

struct rescue {
	struct stage *stage;
	long made; /* condition variables, before the call */
	atomic_bool done;
};

static void *run_rescue(void *argument)
{
	struct rescue *rescue = argument;

	AWAIT(atomic_load(&rescue->done) || fault_conditions_made() > rescue->made);
	if (!atomic_load(&rescue->done))
		close_the_others(rescue->stage);
	return NULL;
}

/* Makes the call with its n-th fault; the status, and how many calls that can fail there were. */
static duct_status make_call(const struct form *form, struct stage *stage, long n, long *points)
{
	struct rescue rescue = { .stage = stage, .made = fault_conditions_made() };
	pthread_t thread = { 0 };
	duct_status status;

	if (form->waits)
		thread = test_start(run_rescue, &rescue);
	fault_begin(n);
	status = form->run(stage);
	*points = fault_end();
	atomic_store(&rescue.done, true);
	if (form->waits)
		test_join(thread);
	return status;
}

/* ---- The check --------------------------------------------------------------------------------------------------------- */

static bool holds(const struct form *form, long n, bool condition)
{
	if (!condition)
		fprintf(stderr, "%s (form %td), fault %ld:\n", form->function, form - forms, n);
	return condition;
}

#define EXPECT(condition_) CHECK(holds(form, n, (condition_)))

/* Meets the n-th fault on a stage of its own; false once there is no n-th.  expected: where nothing fails. */
static bool meet(const struct form *form, long n, duct_status expected)
{
	const struct fault_live before = fault_live();
	struct fault_live set, after;
	struct stage stage;
	duct_status status;
	long points;
	bool hit;

	stage_set(&stage);
	set = fault_live();
	status = make_call(form, &stage, n, &points);
	hit = points >= n;
	after = fault_live();
	EXPECT(status == (hit ? DUCT_NOMEM : expected));
	if (hit) {
		EXPECT(fault_live_same(&set, &after));
		EXPECT(stage.new_client == NULL && stage.new_service == NULL);
		EXPECT(stage.new_taker == NULL && stage.new_giver == NULL);
		EXPECT(stage.new_writer == NULL && stage.new_reader == NULL);
		EXPECT(make_call(form, &stage, 0, &points) == expected);
	}
	stage_clear(&stage);
	after = fault_live();
	EXPECT(fault_live_same(&before, &after));
	return hit;
}

static long check_form(const struct form *form)
{
	struct stage stage;
	duct_status expected;
	long points, n;

	stage_set(&stage);
	expected = make_call(form, &stage, 0, &points);
	stage_clear(&stage);
	for (n = 1; meet(form, n, expected); n++)
		;
	EXPECT(n == points + 1);
	if (getenv("FAULT_TABLE") != NULL)
		printf("%-34s %6d calls, %6ld fault points\n", form->function, 1, points);
	return points;
}

TEST(nomem_pairs, every_function_says_so_and_leaves_all_as_it_was, 20)
{
	long points = 0;

	for (size_t f = 0; f < ARRAY_LEN(forms); f++)
		points += check_form(&forms[f]);
	CHECK(points > 0);
	printf("%ld fault points in %zu forms of functions of pairs: all answered\n", points, ARRAY_LEN(forms));
}

static void *write_canceled(void *argument)
{
	void **arguments = argument;

	CHECK_STATUS(duct_stream_write(arguments[0], &(int){ 1 }, 1, NULL, DUCT_FOREVER, arguments[1]), DUCT_UNANSWERED);
	return NULL;
}

/* Where it cannot wait to be asked beyond its last write, a writer shows nothing new. */
TEST(nomem_stream, that_was_not_asked_beyond_writes_nothing, 5)
{
	duct_writer *writer;
	duct_reader *reader;
	duct_cancel *cancel;
	void *arguments[2];
	pthread_t thread;
	size_t read = 99;

	CHECK_STATUS(duct_stream_open(&writer, &reader, sizeof(int), 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	arguments[0] = writer, arguments[1] = cancel;
	thread = test_start(write_canceled, arguments);
	CHECK_STATUS(duct_stream_recv(reader, &(int){ 0 }), DUCT_OK);
	duct_cancel_raise(cancel);
	test_join(thread);
	fault_begin(1);
	CHECK_STATUS(duct_stream_write(writer, &(int){ 2 }, 1, &read, duct_after_s(100000), NULL), DUCT_NOMEM);
	CHECK(fault_end() == 1 && read == 0);
	duct_cancel_free(cancel);
	duct_writer_free(writer);
	duct_reader_free(reader);
}

/* The next span does not fit into what there is for all: what has been read is there, and the rest is the writer's still. */
struct span {
	duct_writer *writer;
	int numbers[100];
	size_t read;
};

static void *write_span(void *argument)
{
	struct span *span = argument;

	CHECK_STATUS(duct_stream_write(span->writer, span->numbers, ARRAY_LEN(span->numbers), &span->read, DUCT_FOREVER, NULL),
	    DUCT_CLOSED);
	return NULL;
}

TEST(nomem_stream, that_cannot_hold_all_keeps_what_it_has, 5)
{
	struct span span = { .read = 0 };
	duct_reader *reader;
	duct_box *all;
	size_t count;
	pthread_t thread;

	for (int i = 0; i < 100; i++)
		span.numbers[i] = i;
	CHECK_STATUS(duct_stream_open(&span.writer, &reader, sizeof(int), 0, NULL), DUCT_OK);
	thread = test_start(write_span, &span);
	AWAIT(duct_channel_waiting_senders(duct_receiver_channel(duct_reader_receiver(reader))) == 1);
	fault_begin(2); /* the first is for the first box, and nobody has to sleep */
	CHECK_STATUS(duct_stream_all(reader, &all, &count, DUCT_FOREVER, NULL), DUCT_NOMEM);
	CHECK(fault_end() == 2 && count > 0 && count < 100);
	CHECK(memcmp(duct_box_data(all), span.numbers, count * sizeof(int)) == 0);
	duct_reader_free(reader);
	test_join(thread);
	CHECK(span.read == count);
	duct_box_free(all);
	duct_writer_free(span.writer);
}
