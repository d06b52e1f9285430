/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Streams: what is written in batches is read in batches of any size, a write ends when the reader asks beyond it, and what was
 * not read stays the writer's, wherever the two stop.
 */
#include "harness.h"

struct stream {
	duct_writer *writer;
	duct_reader *reader;
};

static struct stream stream_of(size_t message_size, unsigned flags)
{
	struct stream stream;

	CHECK_STATUS(duct_stream_open(&stream.writer, &stream.reader, message_size, flags, NULL), DUCT_OK);
	return stream;
}

static struct stream stream_new(void)
{
	return stream_of(sizeof(int), 0);
}

static void stream_free(struct stream *stream)
{
	duct_writer_free(stream->writer);
	duct_reader_free(stream->reader);
}

static const int numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

/* ---- Writing in a thread of its own ------------------------------------------------------------------------------------ */

struct writing {
	duct_writer *writer;
	const int *messages;
	size_t count, read;
	duct_time deadline;
	duct_cancel *cancel;
	duct_status status;
	atomic_bool done;
	pthread_t thread;
};

static void *writing_run(void *argument)
{
	struct writing *w = argument;

	w->status = duct_stream_write(w->writer, w->messages, w->count, &w->read, w->deadline, w->cancel);
	atomic_store(&w->done, true);
	return NULL;
}

static void writing_start_with(
    struct writing *w, duct_writer *writer, int first, int last, duct_time deadline, duct_cancel *cancel)
{
	*w = (struct writing){ .writer = writer,
		.messages = &numbers[first],
		.count = (size_t)(last - first + 1),
		.read = 99,
		.deadline = deadline,
		.cancel = cancel };
	w->thread = test_start(writing_run, w);
}

/* Of the numbers first to last. */
static void writing_start(struct writing *w, duct_writer *writer, int first, int last)
{
	writing_start_with(w, writer, first, last, DUCT_FOREVER, NULL);
}

static duct_status writing_end(struct writing *w)
{
	test_join(w->thread);
	return w->status;
}

/* A writer sleeps until the reader comes for its span. */
static bool sleeps_giving(const struct stream *stream)
{
	return duct_channel_waiting_senders(duct_receiver_channel(duct_reader_receiver(stream->reader))) == 1;
}

static bool sleeps_reading(const struct stream *stream)
{
	return duct_channel_waiting_receivers(duct_receiver_channel(duct_reader_receiver(stream->reader))) == 1;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

typedef duct_status read_call(
    duct_reader *reader, void *messages, size_t count, size_t *received, duct_time deadline, duct_cancel *cancel);

/* One read of at most so many comes to that status and exactly these numbers, and writes no others. */
static bool gives(read_call *call, duct_reader *reader, size_t most, duct_time deadline, duct_status status, size_t count,
    const int *expected)
{
	int in[20];
	size_t received = 99;
	duct_status came;

	memset(in, 0x55, sizeof in);
	came = call(reader, in, most, &received, deadline, NULL);
	if (came != status || received != count)
		fprintf(stderr, "%s, %zu\n", duct_strerror(came), received);
	return came == status && received == count && memcmp(in, expected, count * sizeof *in) == 0 && in[count] == 0x55555555;
}

#define READS(reader_, most_, status_, ...) \
	gives(duct_stream_read, (reader_), (most_), DUCT_FOREVER, (status_), sizeof((int[]){ __VA_ARGS__ }) / sizeof(int), \
	    (int[]){ __VA_ARGS__ })
#define TAKES_CHUNK(reader_, most_, status_, ...) \
	gives(duct_stream_chunk, (reader_), (most_), DUCT_FOREVER, (status_), sizeof((int[]){ __VA_ARGS__ }) / sizeof(int), \
	    (int[]){ __VA_ARGS__ })

/* Nothing comes now, and the reader has asked. */
static bool asks_in_vain(duct_reader *reader)
{
	return gives(duct_stream_read, reader, 1, 0, DUCT_TIMEDOUT, 0, numbers);
}

/* ---- Batches ----------------------------------------------------------------------------------------------------------- */

static void *write_three_batches(void *argument)
{
	duct_writer *writer = argument;
	size_t read;

	CHECK_STATUS(duct_stream_write(writer, numbers, 5, &read, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(read == 5);
	CHECK_STATUS(duct_stream_send(writer, &(int){ 99 }), DUCT_OK);
	CHECK_STATUS(duct_stream_write(writer, &numbers[7], 2, NULL, DUCT_FOREVER, NULL), DUCT_OK);
	duct_writer_free(writer);
	return NULL;
}

/* A read of so many goes across writes, and is short only at the end. */
TEST(stream, read_by_number_crosses_writes, 5)
{
	struct stream stream = stream_new();
	pthread_t writer = test_start(write_three_batches, stream.writer);

	CHECK(READS(stream.reader, 3, DUCT_OK, 0, 1, 2));
	CHECK(READS(stream.reader, 3, DUCT_OK, 3, 4, 99));
	CHECK(READS(stream.reader, 3, DUCT_CLOSED, 7, 8));
	CHECK(gives(duct_stream_read, stream.reader, 3, DUCT_FOREVER, DUCT_CLOSED, 0, numbers));
	test_join(writer);
	duct_reader_free(stream.reader);
}

/* A read by chunks gives what one write gave. */
TEST(stream, read_by_chunks_gives_whole_writes, 5)
{
	struct stream stream = stream_new();
	pthread_t writer = test_start(write_three_batches, stream.writer);

	CHECK(TAKES_CHUNK(stream.reader, 10, DUCT_OK, 0, 1, 2, 3, 4));
	CHECK(TAKES_CHUNK(stream.reader, 10, DUCT_OK, 99));
	CHECK(TAKES_CHUNK(stream.reader, 10, DUCT_OK, 7, 8));
	CHECK(gives(duct_stream_chunk, stream.reader, 10, DUCT_FOREVER, DUCT_CLOSED, 0, numbers));
	test_join(writer);
	duct_reader_free(stream.reader);
}

/* A write that was read in part goes on with the next read, of any kind. */
TEST(stream, goes_on_within_a_write, 5)
{
	struct stream stream = stream_new();
	pthread_t writer = test_start(write_three_batches, stream.writer);
	int in = -1;

	CHECK_STATUS(duct_stream_recv(stream.reader, &in), DUCT_OK);
	CHECK(in == 0);
	CHECK(TAKES_CHUNK(stream.reader, 2, DUCT_OK, 1, 2));
	CHECK(TAKES_CHUNK(stream.reader, 2, DUCT_OK, 3, 4));
	CHECK(READS(stream.reader, 2, DUCT_OK, 99, 7));
	CHECK(TAKES_CHUNK(stream.reader, 2, DUCT_OK, 8));
	CHECK_STATUS(duct_stream_recv(stream.reader, &in), DUCT_CLOSED);
	CHECK(in == 0);
	test_join(writer);
	duct_reader_free(stream.reader);
}

static void *write_ten(void *argument)
{
	CHECK_STATUS(duct_stream_write(argument, numbers, 10, NULL, DUCT_FOREVER, NULL), DUCT_OK);
	duct_writer_free(argument);
	return NULL;
}

/* All that is written until the writer closes; and after that there is nothing, which is no error. */
TEST(stream, read_to_its_end_gives_all, 5)
{
	struct stream stream = stream_new();
	pthread_t writer = test_start(write_ten, stream.writer);

	for (size_t expected = 10;; expected = 0) {
		duct_box *all;
		size_t count = 99;

		CHECK_STATUS(duct_stream_all(stream.reader, &all, &count, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(count == expected && duct_box_size(all) >= count * sizeof(int));
		CHECK(memcmp(duct_box_data(all), numbers, count * sizeof(int)) == 0);
		duct_box_free(all);
		if (expected == 0)
			break;
	}
	test_join(writer);
	duct_reader_free(stream.reader);
}

enum { MANY = 1000 };

static void *write_many(void *argument)
{
	static char messages[MANY][3];

	for (int i = 0; i < MANY; i++)
		memcpy(messages[i], &(int){ i }, 2);
	for (size_t from = 0, size = 1; from < MANY; from += size, size += 7) {
		if (size > MANY - from)
			size = MANY - from;
		CHECK_STATUS(duct_stream_write(argument, messages[from], size, NULL, DUCT_FOREVER, NULL), DUCT_OK);
	}
	duct_writer_free(argument);
	return NULL;
}

/* However many there are. */
TEST(stream, read_to_its_end_grows, 5)
{
	struct stream stream = stream_of(3, 0);
	pthread_t writer = test_start(write_many, stream.writer);
	duct_box *all;
	size_t count;

	CHECK_STATUS(duct_stream_all(stream.reader, &all, &count, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(count == MANY);
	for (int i = 0; i < MANY; i++)
		CHECK(memcmp((char *)duct_box_data(all) + 3 * i, &(int){ i }, 2) == 0);
	duct_box_free(all);
	test_join(writer);
	duct_reader_free(stream.reader);
}

/* Nothing is read at once, and no more is asked for by that. */
TEST(stream, read_of_nothing_asks_for_nothing, 5)
{
	struct stream stream = stream_new();
	struct writing w;
	size_t received = 99;

	writing_start(&w, stream.writer, 0, 1);
	AWAIT(sleeps_giving(&stream));
	CHECK_STATUS(duct_stream_read(stream.reader, NULL, 0, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 0 && sleeps_giving(&stream));
	CHECK(READS(stream.reader, 2, DUCT_OK, 0, 1));
	CHECK_STATUS(duct_stream_chunk(stream.reader, NULL, 0, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK_STATUS(duct_stream_write(stream.writer, NULL, 0, NULL, DUCT_FOREVER, NULL), DUCT_BUSY);
	CHECK(asks_in_vain(stream.reader));
	CHECK_STATUS(writing_end(&w), DUCT_OK);
	stream_free(&stream);
}

/* To write is to be told that all was dealt with: when the reader asks beyond it, not when it has the last. */
TEST(stream, write_ends_when_the_reader_asks_beyond, 5)
{
	struct stream stream = stream_new();
	struct writing w;

	writing_start(&w, stream.writer, 0, 4);
	CHECK(READS(stream.reader, 5, DUCT_OK, 0, 1, 2, 3, 4));
	for (int moment = 0; moment < 50; moment++)
		test_pause();
	CHECK(!atomic_load(&w.done));
	CHECK(asks_in_vain(stream.reader));
	CHECK_STATUS(writing_end(&w), DUCT_OK);
	CHECK(w.read == 5);
	stream_free(&stream);
}

static void *combine_pairs(void *argument)
{
	struct stream *streams = argument;
	int pair[2];

	while (duct_stream_read(streams[0].reader, pair, 2, NULL, DUCT_FOREVER, NULL) == DUCT_OK)
		CHECK_STATUS(duct_stream_send(streams[1].writer, &(int){ 10 * pair[0] + pair[1] }), DUCT_OK);
	duct_writer_close(streams[1].writer);
	return NULL;
}

/* A transform between two streams reads as it likes, whatever the writes were. */
TEST(stream, goes_through_a_pipeline, 5)
{
	struct stream streams[2] = { stream_new(), stream_new() };
	pthread_t transform = test_start(combine_pairs, streams), writer = test_start(write_ten, streams[0].writer);

	CHECK(READS(streams[1].reader, 6, DUCT_CLOSED, 1, 23, 45, 67, 89));
	test_join(transform);
	test_join(writer);
	streams[0].writer = NULL;
	for (int i = 0; i < 2; i++)
		stream_free(&streams[i]);
}

static void *write_text(void *argument)
{
	CHECK_STATUS(duct_stream_write(argument, "duct", 5, NULL, DUCT_FOREVER, NULL), DUCT_OK);
	duct_writer_free(argument);
	return NULL;
}

/* Bytes are messages too. */
TEST(stream, of_bytes_is_read_one_by_one, 5)
{
	struct stream stream = stream_of(1, 0);
	pthread_t writer = test_start(write_text, stream.writer);
	char text[6] = "", *end = text;

	while (duct_stream_recv(stream.reader, end) == DUCT_OK)
		end++;
	CHECK(end == text + 5 && strcmp(text, "duct") == 0);
	test_join(writer);
	duct_reader_free(stream.reader);
}

static void *write_nothings(void *argument)
{
	size_t read = 99;

	CHECK_STATUS(duct_stream_write(argument, NULL, 5, &read, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(read == 5);
	duct_writer_free(argument);
	return NULL;
}

/* Messages without bytes are counted. */
TEST(stream, of_nothing_counts, 5)
{
	struct stream stream = stream_of(0, 0);
	pthread_t writer = test_start(write_nothings, stream.writer);
	size_t received, count;
	duct_box *all;

	CHECK_STATUS(duct_stream_read(stream.reader, NULL, 2, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 2);
	CHECK_STATUS(duct_stream_recv(stream.reader, NULL), DUCT_OK);
	CHECK_STATUS(duct_stream_all(stream.reader, &all, &count, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(count == 2);
	duct_box_free(all);
	test_join(writer);
	duct_reader_free(stream.reader);
}

static void *write_endless_nothings(void *argument)
{
	size_t read = 99;

	CHECK_STATUS(duct_stream_write(argument, NULL, SIZE_MAX, &read, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(read == SIZE_MAX / 2 + 1);
	return NULL;
}

/* More of them than can be counted in twice as many. */
TEST(stream, of_nothing_has_an_end, 5)
{
	struct stream stream = stream_of(0, 0);
	pthread_t writer = test_start(write_endless_nothings, stream.writer);
	size_t count;
	duct_box *all;

	CHECK_STATUS(duct_stream_all(stream.reader, &all, &count, DUCT_FOREVER, NULL), DUCT_NOMEM);
	CHECK(count == SIZE_MAX / 2 + 1);
	duct_box_free(all);
	duct_reader_free(stream.reader);
	test_join(writer);
	duct_writer_free(stream.writer);
}

/* ---- Stopping ---------------------------------------------------------------------------------------------------------- */

enum { BATCH = 4 };

/* What a write says that ended for this reason when so many were read. */
static duct_status told(int read, duct_status reason)
{
	return read == BATCH ? DUCT_UNANSWERED : reason;
}

/* A write that so many were read of, and whose reader is not in a call. */
static void writing_of_which(struct writing *w, struct stream *stream, int read, duct_time deadline, duct_cancel *cancel)
{
	writing_start_with(w, stream->writer, 0, BATCH - 1, deadline, cancel);
	if (read > 0)
		CHECK(gives(duct_stream_read, stream->reader, (size_t)read, DUCT_FOREVER, DUCT_OK, (size_t)read, numbers));
	else
		AWAIT(atomic_load(&w->done) || sleeps_giving(stream));
}

/* The rest of the batch is written anew, and the reader goes on with it as if nothing had been. */
static void write_the_rest(struct stream *stream, int read)
{
	struct writing w;
	size_t left = (size_t)(BATCH - read);

	CHECK(asks_in_vain(stream->reader));
	if (left == 0) {
		CHECK_STATUS(duct_stream_write(stream->writer, NULL, 0, NULL, DUCT_FOREVER, NULL), DUCT_OK);
		return;
	}
	writing_start(&w, stream->writer, read, BATCH - 1);
	CHECK(gives(duct_stream_chunk, stream->reader, 10, DUCT_FOREVER, DUCT_OK, left, &numbers[read]));
	CHECK(asks_in_vain(stream->reader));
	CHECK_STATUS(writing_end(&w), DUCT_OK);
	CHECK(w.read == left);
}

/* A writer that gives up is told how many were read; none of the rest is read any more, and the stream goes on. */
TEST(stream, of_a_writer_that_gives_up_loses_nothing, 10)
{
	for (int read = 0; read <= BATCH; read++) {
		struct stream stream = stream_new();
		duct_cancel *cancel;
		struct writing w;

		CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
		writing_of_which(&w, &stream, read, DUCT_FOREVER, cancel);
		duct_cancel_raise(cancel);
		CHECK_STATUS(writing_end(&w), told(read, DUCT_CANCELED));
		CHECK(w.read == (size_t)read);
		write_the_rest(&stream, read);
		duct_cancel_free(cancel);
		stream_free(&stream);
	}
}

/* And so with a deadline. */
TEST(stream, of_a_writer_that_times_out_loses_nothing, 10)
{
	for (int read = 0; read <= BATCH; read++) {
		struct stream stream = stream_new();
		struct writing w;

		writing_of_which(&w, &stream, read, duct_after_ms(100 * test_time_scale()), NULL);
		CHECK_STATUS(writing_end(&w), told(read, DUCT_TIMEDOUT));
		CHECK(w.read == (size_t)read);
		write_the_rest(&stream, read);
		stream_free(&stream);
	}
}

/* Whoever closes, and how, in the middle of a write: the writer is told how many were read, and the reader gets no more. */
TEST(stream, that_is_closed_leaves_the_rest_with_the_writer, 10)
{
	for (int read = 0; read <= BATCH; read++) {
		for (int how = 0; how < 4; how++) {
			struct stream stream = stream_new();
			struct writing w;

			writing_of_which(&w, &stream, read, DUCT_FOREVER, NULL);
			if (how == 0)
				duct_writer_close(stream.writer);
			else if (how == 1)
				duct_reader_close(stream.reader);
			else if (how == 2)
				duct_writer_free(stream.writer);
			else
				duct_reader_free(stream.reader);
			if (how != 3)
				CHECK(gives(duct_stream_chunk, stream.reader, 3, DUCT_FOREVER, DUCT_CLOSED, 0, numbers));
			CHECK_STATUS(writing_end(&w), told(read, DUCT_CLOSED));
			CHECK(w.read == (size_t)read);
			if (how != 2)
				CHECK_STATUS(duct_stream_send(stream.writer, &read), DUCT_CLOSED);
			stream_free(&(struct stream){ how == 2 ? NULL : stream.writer, how == 3 ? NULL : stream.reader });
		}
	}
}

/* A reader that gives up has what it has read, and goes on after it. */
TEST(stream, of_a_reader_that_gives_up_loses_nothing, 5)
{
	struct stream stream = stream_new();
	duct_cancel *cancel;
	struct writing w;
	int in[5] = { -1, -1, -1, -1, -1 };
	size_t received = 99;

	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	writing_start(&w, stream.writer, 0, 1);
	AWAIT(sleeps_giving(&stream));
	CHECK(gives(duct_stream_read, stream.reader, 5, 0, DUCT_TIMEDOUT, 2, numbers));
	CHECK_STATUS(writing_end(&w), DUCT_OK);
	writing_start(&w, stream.writer, 2, 3);
	AWAIT(sleeps_giving(&stream));
	CHECK_STATUS(duct_stream_recv(stream.reader, in), DUCT_OK);
	duct_cancel_raise(cancel);
	CHECK_STATUS(duct_stream_read(stream.reader, &in[1], 1, &received, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(in[0] == 2 && in[1] == -1 && received == 0);
	CHECK(READS(stream.reader, 1, DUCT_OK, 3));
	CHECK(asks_in_vain(stream.reader));
	CHECK_STATUS(writing_end(&w), DUCT_OK);
	CHECK_STATUS(duct_stream_write(stream.writer, numbers, 2, &received, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK_STATUS(duct_stream_write(stream.writer, numbers, 0, &received, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(received == 0);
	duct_cancel_free(cancel);
	stream_free(&stream);
}

/* One that wants all gives up with what it has. */
TEST(stream, read_to_its_end_keeps_what_it_has, 5)
{
	struct stream stream = stream_new();
	struct writing w;
	duct_box *all;
	size_t count = 99;

	writing_start(&w, stream.writer, 0, 4);
	CHECK(READS(stream.reader, 2, DUCT_OK, 0, 1));
	CHECK_STATUS(duct_stream_all(stream.reader, &all, &count, duct_after_ms(5), NULL), DUCT_TIMEDOUT);
	CHECK(count == 3 && memcmp(duct_box_data(all), &numbers[2], 3 * sizeof(int)) == 0);
	duct_box_free(all);
	CHECK_STATUS(writing_end(&w), DUCT_OK);
	stream_free(&stream);
}

/* A write that was not asked beyond is not forgotten: what comes next waits for that, as long as it may. */
TEST(stream, waits_to_be_asked_beyond_the_last_write, 5)
{
	struct stream stream = stream_new();
	struct writing w;
	size_t read = 99;

	CHECK_STATUS(duct_stream_write(stream.writer, NULL, 0, &read, DUCT_FOREVER, NULL), DUCT_OK); /* there was none */
	CHECK(read == 0);
	writing_start_with(&w, stream.writer, 0, 1, duct_after_ms(50 * test_time_scale()), NULL);
	CHECK(READS(stream.reader, 2, DUCT_OK, 0, 1));
	CHECK_STATUS(writing_end(&w), DUCT_UNANSWERED);
	read = 99;
	CHECK_STATUS(duct_stream_write(stream.writer, NULL, 0, &read, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_stream_write(stream.writer, &numbers[2], 2, &read, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK(read == 0);
	writing_start(&w, stream.writer, 2, 3);
	CHECK(TAKES_CHUNK(stream.reader, 5, DUCT_OK, 2, 3));
	duct_reader_free(stream.reader);
	CHECK_STATUS(writing_end(&w), DUCT_UNANSWERED);
	CHECK_STATUS(duct_stream_write(stream.writer, NULL, 0, &read, DUCT_FOREVER, NULL), DUCT_CLOSED);
	duct_writer_free(stream.writer);
}

static void *read_late(void *argument)
{
	int in = -1;

	CHECK_STATUS(duct_stream_recv(argument, &in), DUCT_CLOSED);
	CHECK(in == -1);
	return NULL;
}

/* A reader that waits is woken by either close, and one that comes after it does not wait. */
TEST(stream, that_is_closed_wakes_the_reader, 5)
{
	for (int by_writer = 0; by_writer < 2; by_writer++) {
		struct stream stream = stream_new();
		pthread_t reader = test_start(read_late, stream.reader);

		AWAIT(sleeps_reading(&stream));
		if (by_writer)
			duct_writer_free(stream.writer);
		else
			duct_reader_close(stream.reader);
		test_join(reader);
		read_late(stream.reader);
		stream_free(&(struct stream){ by_writer ? NULL : stream.writer, stream.reader });
	}
}

/* What the writer is told is what the reader has, the first of the span, wherever the two stop. */
TEST(stream, that_stops_at_random_loses_nothing, 20)
{
	struct stream stream = stream_new();
	const int rounds = test_rounds(300, 5000);
	uint32_t state = 1;
	size_t all = 0;

	for (int round = 0; round < rounds; round++) {
		const int first = (int)(test_random(&state) % 5), last = first + (int)(test_random(&state) % 5);
		duct_cancel *cancel;
		struct writing w;
		int in[10];
		size_t received, wanted = test_random(&state) % 8;
		read_call *call = test_random(&state) % 2 ? duct_stream_read : duct_stream_chunk;

		CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
		writing_start_with(&w, stream.writer, first, last, DUCT_FOREVER, cancel);
		(void)call(stream.reader, in, wanted, &received, duct_after_ns(test_random(&state) % 50000), NULL);
		duct_cancel_raise(cancel);
		(void)writing_end(&w);
		CHECK(w.read == received);
		CHECK(received == 0 || memcmp(in, &numbers[first], received * sizeof *in) == 0);
		all += received;
		duct_cancel_free(cancel);
	}
	CHECK(all > 0);
	stream_free(&stream);
}

/* ---- Keeping it alive -------------------------------------------------------------------------------------------------- */

/* Readers come and go, in the middle of a write too, and the writer is not disturbed; its close is the end. */
TEST(stream, kept_alive_goes_on_with_the_next_reader, 5)
{
	struct stream stream = stream_of(sizeof(int), DUCT_KEEP_ALIVE);
	struct writing w;

	writing_start(&w, stream.writer, 0, 4);
	CHECK(READS(stream.reader, 2, DUCT_OK, 0, 1));
	duct_reader_close(stream.reader);
	CHECK(READS(stream.reader, 2, DUCT_OK, 2, 3));
	duct_reader_close(stream.reader);
	CHECK(!atomic_load(&w.done));
	CHECK(TAKES_CHUNK(stream.reader, 2, DUCT_OK, 4));
	CHECK(asks_in_vain(stream.reader));
	CHECK_STATUS(writing_end(&w), DUCT_OK);
	duct_writer_close(stream.writer);
	CHECK_STATUS(duct_stream_recv(stream.reader, &(int){ 0 }), DUCT_CLOSED);
	CHECK_STATUS(duct_stream_read(stream.reader, NULL, 0, NULL, DUCT_FOREVER, NULL), DUCT_OK);
	stream_free(&stream);
}

/* But a reader that is freed cannot come back. */
TEST(stream, kept_alive_ends_with_its_handle, 5)
{
	struct stream stream = stream_of(sizeof(int), DUCT_KEEP_ALIVE);
	struct writing w;

	writing_start(&w, stream.writer, 0, 4);
	CHECK(READS(stream.reader, 2, DUCT_OK, 0, 1));
	duct_reader_free(stream.reader);
	CHECK_STATUS(writing_end(&w), DUCT_CLOSED);
	CHECK(w.read == 2);
	duct_writer_free(stream.writer);
}

#ifdef DUCT_AUTO_WRITER
static void *leave_scopes(void *argument)
{
	struct stream *stream = argument;
	DUCT_AUTO_WRITER duct_writer *writer = stream[0].writer;
	DUCT_AUTO_READER duct_reader *reader = stream[1].reader;

	(void)writer;
	(void)reader;
	return NULL;
}

/* Leaving a scope is the end, for either. */
TEST(stream, closes_with_its_scope, 5)
{
	struct stream streams[2] = { stream_new(), stream_new() };

	leave_scopes(streams);
	CHECK_STATUS(duct_stream_recv(streams[0].reader, &(int){ 0 }), DUCT_CLOSED);
	CHECK_STATUS(duct_stream_send(streams[1].writer, numbers), DUCT_CLOSED);
	duct_reader_free(streams[0].reader);
	duct_writer_free(streams[1].writer);
}
#endif

/* ---- One call at a time ------------------------------------------------------------------------------------------------ */

static void *read_five(void *argument)
{
	CHECK(READS(argument, 5, DUCT_OK, 0, 1, 2, 3, 4));
	return NULL;
}

/* A second call on an end that is in one says so, has done nothing, and the first goes on. */
TEST(stream, serves_one_call_at_a_time, 5)
{
	struct stream stream = stream_new();
	pthread_t reader = test_start(read_five, stream.reader);
	struct writing w;
	size_t moved = 99;
	duct_box *all = (duct_box *)&moved;

	AWAIT(sleeps_reading(&stream));
	CHECK_STATUS(duct_stream_recv(stream.reader, &(int){ 0 }), DUCT_BUSY);
	CHECK_STATUS(duct_stream_read(stream.reader, &(int){ 0 }, 1, &moved, DUCT_FOREVER, NULL), DUCT_BUSY);
	CHECK(moved == 0);
	moved = 99;
	CHECK_STATUS(duct_stream_all(stream.reader, &all, &moved, DUCT_FOREVER, NULL), DUCT_BUSY);
	CHECK(moved == 0 && all == NULL);
	writing_start(&w, stream.writer, 0, 4);
	test_join(reader);
	moved = 99;
	CHECK_STATUS(duct_stream_write(stream.writer, numbers, 1, &moved, DUCT_FOREVER, NULL), DUCT_BUSY);
	CHECK(moved == 0);
	CHECK_STATUS(duct_stream_send(stream.writer, numbers), DUCT_BUSY);
	CHECK(asks_in_vain(stream.reader));
	CHECK_STATUS(writing_end(&w), DUCT_OK);
	stream_free(&stream);
}

/* ---- Waiting for more than one thing ----------------------------------------------------------------------------------- */

/* A reader in a loop of its own takes what is there, and waits for more and for other things. */
TEST(stream, waits_in_a_select, 5)
{
	struct stream stream = stream_new();
	struct test_pair others = test_pair_new(sizeof(int), 1);
	duct_case cases[] = { DUCT_RECV(duct_reader_receiver(stream.reader), NULL), DUCT_RECV(others.rx, NULL) };
	pthread_t writer = test_start(write_three_batches, stream.writer);
	size_t seen = 0, received, chosen;
	duct_status status;
	int in[10];

	while ((status = duct_stream_chunk(stream.reader, in, 4, &received, 0, NULL)) != DUCT_CLOSED) {
		seen += received;
		if (status == DUCT_TIMEDOUT)
			CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
	}
	CHECK(seen == 8);
	test_join(writer);
	duct_reader_free(stream.reader);
	test_pair_free(&others);
}

/* ---- What can be seen to be wrong -------------------------------------------------------------------------------------- */

TEST(stream, refuses_what_can_never_work, 5)
{
	struct stream stream = { NULL, NULL };
	const duct_options old = { .size = 1 };
	size_t moved = 99;
	duct_box *all = NULL;
	int in;

	CHECK_STATUS(duct_stream_open(NULL, &stream.reader, 1, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_open(&stream.writer, NULL, 1, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_open(&stream.writer, &stream.reader, 1, 2, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_open(&stream.writer, &stream.reader, 1, 0, &old), DUCT_INVALID);
	CHECK_STATUS(duct_stream_open(&stream.writer, &stream.reader, SIZE_MAX / 64 + 1, 0, NULL), DUCT_INVALID);
	CHECK(stream.writer == NULL && stream.reader == NULL);
	CHECK_STATUS(duct_stream_open(&stream.writer, &stream.reader, SIZE_MAX / 64, 0, NULL), DUCT_OK);
	stream_free(&stream);
	stream = stream_new();
	CHECK_STATUS(duct_stream_send(NULL, &in), DUCT_INVALID);
	CHECK_STATUS(duct_stream_send(stream.writer, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_write(stream.writer, NULL, 1, &moved, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_write(stream.writer, &in, SIZE_MAX / 2, &moved, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_write(stream.writer, &in, 1, &moved, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_recv(NULL, &in), DUCT_INVALID);
	CHECK_STATUS(duct_stream_recv(stream.reader, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_read(stream.reader, NULL, 1, &moved, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_read(stream.reader, &in, SIZE_MAX / 2, &moved, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_read(stream.reader, &in, 1, &moved, -1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_all(NULL, &all, &moved, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_all(stream.reader, NULL, &moved, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_all(stream.reader, &all, NULL, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_stream_all(stream.reader, &all, &moved, -1, NULL), DUCT_INVALID);
	CHECK(moved == 99 && all == NULL && duct_reader_receiver(NULL) == NULL);
	CHECK_STATUS(duct_stream_write(stream.writer, &(int){ 0 }, 1, &moved, 0, NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_stream_all(stream.reader, &all, &moved, 0, NULL), DUCT_TIMEDOUT);
	CHECK(moved == 0);
	duct_box_free(all);
	stream_free(&stream);
	duct_writer_close(NULL);
	duct_reader_close(NULL);
	duct_writer_free(NULL);
	duct_reader_free(NULL);
}
