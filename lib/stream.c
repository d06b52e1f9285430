/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Streams: batches from a writer to a reader, over an exchange of nothing.
 *
 *     writer                                   reader
 *     ---------------------------------        ---------------------------------
 *                                              read: has no span: takes
 *     write: shows its span, gives the turn
 *         takes                                copies out of the span, call by call
 *                                              read: nothing left: gives the turn back, takes
 *     hides its span; returns: all was read
 *
 * The messages stay where they are, in the writer's memory, which blocks until the reader asks beyond them: no message is ever
 * between the two, so none can be lost there.  Whoever holds the turn only counts: the reader looks at the span only while it
 * has it.
 *
 * A writer that gives up meanwhile (deadline, token, close) takes its span away from a reader that may be in the middle of
 * copying.  That is what the lock is for: under it messages are copied, and the span shown and hidden; what is left when it is
 * hidden was never read and never will be.  Nothing waits under it, and nothing else is locked.
 *
 * Costs two switches between the threads a span, and no more for a long one than for a short one.
 */
#include "exchange.h"
#include "memory.h"

#include <string.h>

/* [I] fixed when made; [m] under the lock; [a] atomic. */
struct stream {
	pthread_mutex_t lock;
	const unsigned char *next; /* [m] of the span */
	size_t left;               /* [m] messages in it that were not read; 0: there is none, or it was read */
	size_t size;               /* [I] of a message */
	bool keep_alive;           /* [I] */
	_Atomic uint32_t parties;  /* [a] that know of it */
};

enum { FIRST_ROOM = 64 }; /* of a box for all, which has to be possible */

static duct_party *writing(duct_writer *writer)
{
	return (duct_party *)(void *)writer;
}

static duct_party *reading(const duct_reader *reader)
{
	return (duct_party *)(uintptr_t)reader;
}

/* ---- The span -------------------------------------------------------------------------------------------------- */

static void show_span(struct stream *stream, const void *messages, size_t count)
{
	mutex_lock(&stream->lock);
	stream->next = messages;
	stream->left = count;
	mutex_unlock(&stream->lock);
}

/* How much of it was not read. */
static size_t hide_span(struct stream *stream)
{
	size_t left;

	mutex_lock(&stream->lock);
	left = stream->left;
	stream->left = 0;
	mutex_unlock(&stream->lock);
	return left;
}

/*
 * Into the array from that place on, as far as it goes; how many they were.  A span that is shown while the reader has not the
 * turn is not given yet.
 */
static size_t copy_out(const duct_party *party, unsigned char *messages, size_t from, size_t most)
{
	struct stream *stream = party->shared;
	size_t count, bytes;

	if (party->takes)
		return 0;
	mutex_lock(&stream->lock);
	count = stream->left < most - from ? stream->left : most - from;
	bytes = count * stream->size;
	if (bytes > 0) {
		memcpy(messages + from * stream->size, stream->next, bytes);
		stream->next += bytes;
	}
	stream->left -= count;
	mutex_unlock(&stream->lock);
	return count;
}

/* ---- Life ------------------------------------------------------------------------------------------------------ */

static struct stream *stream_new(size_t size, bool keep_alive)
{
	struct stream *stream = memory_new(NULL, sizeof *stream);

	if (stream == NULL)
		return NULL;
	*stream = (struct stream){ .size = size, .keep_alive = keep_alive };
	atomic_init(&stream->parties, 2);
	if (pthread_mutex_init(&stream->lock, NULL) == 0)
		return stream;
	memory_free(NULL, stream);
	return NULL;
}

static void stream_free(struct stream *stream)
{
	pthread_mutex_destroy(&stream->lock);
	memory_free(NULL, stream);
}

static void stream_release(void *shared)
{
	struct stream *stream = shared;

	if (atomic_fetch_sub(&stream->parties, 1) == 1)
		stream_free(stream);
}

duct_status duct_stream_open(
    duct_writer **writer, duct_reader **reader, size_t message_size, unsigned flags, const duct_options *options)
{
	duct_party *client, *server;
	struct stream *stream;
	duct_status status;

	if (writer == NULL || reader == NULL || (flags & ~(unsigned)DUCT_KEEP_ALIVE) != 0 ||
	    message_size > SIZE_MAX / FIRST_ROOM)
		return DUCT_INVALID;
	if ((stream = stream_new(message_size, (flags & DUCT_KEEP_ALIVE) != 0)) == NULL)
		return DUCT_NOMEM;
	status = duct_exchange_open(&client, &server, 0, 0, options);
	if (status != DUCT_OK) {
		stream_free(stream);
		return status;
	}
	client->shared = server->shared = stream;
	client->release = server->release = stream_release;
	*writer = (duct_writer *)(void *)server;
	*reader = (duct_reader *)(void *)client;
	return DUCT_OK;
}

void duct_writer_close(duct_writer *writer)
{
	duct_party_close(writing(writer));
}

void duct_reader_close(duct_reader *reader)
{
	if (reader != NULL && !((const struct stream *)reading(reader)->shared)->keep_alive)
		duct_party_close(reading(reader));
}

void duct_writer_free(duct_writer *writer)
{
	duct_party_free(writing(writer));
}

void duct_reader_free(duct_reader *reader)
{
	duct_party_free(reading(reader));
}

/* An array of so many messages there can be. */
static bool array_is_valid(const duct_party *party, const void *messages, size_t count)
{
	const size_t size = ((const struct stream *)party->shared)->size;

	return count == 0 || size == 0 || (messages != NULL && count <= SIZE_MAX / size);
}

/* ---- Write ----------------------------------------------------------------------------------------------------- */

/* The reader may not have come back yet for what an earlier call left with it. */
static duct_status await_asking(duct_party *party, duct_time deadline, duct_cancel *cancel)
{
	if (duct_cancel_raised(cancel))
		return DUCT_CANCELED;
	return party->takes ? party_take(party, NULL, deadline, cancel) : DUCT_OK;
}

/* *read begins as 0. */
static duct_status write_span(
    duct_party *party, const void *messages, size_t count, size_t *read, duct_time deadline, duct_cancel *cancel)
{
	duct_status status = await_asking(party, deadline, cancel);

	if (status != DUCT_OK || count == 0)
		return status;
	show_span(party->shared, messages, count);
	status = party_give(party, NULL, deadline, cancel);
	if (status == DUCT_OK)
		status = party_take(party, NULL, deadline, cancel);
	*read = count - hide_span(party->shared);
	return status != DUCT_OK && *read == count ? DUCT_UNANSWERED : status;
}

duct_status duct_stream_write(
    duct_writer *writer, const void *messages, size_t count, size_t *read, duct_time deadline, duct_cancel *cancel)
{
	duct_party *party = writing(writer);
	duct_status status;
	size_t done = 0;

	if (party == NULL || deadline < 0 || !array_is_valid(party, messages, count))
		return DUCT_INVALID;
	status = party_enter(party, cancel);
	if (status == DUCT_OK) {
		status = write_span(party, messages, count, &done, deadline, cancel);
		party_leave(party, cancel);
	}
	if (read != NULL)
		*read = done;
	return status;
}

duct_status duct_stream_send(duct_writer *writer, const void *message)
{
	return duct_stream_write(writer, message, 1, NULL, DUCT_FOREVER, NULL);
}

/* ---- Read ------------------------------------------------------------------------------------------------------ */

/*
 * Asks for a span, unless an earlier call did, and waits for it.  To ask never has to wait, and what else keeps it from being
 * done, a close or a token, ends the wait as well.
 */
static duct_status ask(duct_party *party, duct_time deadline, duct_cancel *cancel)
{
	if (!party->takes)
		(void)party_give(party, NULL, deadline, cancel);
	return party_take(party, NULL, deadline, cancel);
}

/* How much a read wants: all that there is room for, or what is left of one write. */
enum extent { WHOLE, CHUNK };

/*
 * *received tells where in the array to begin, and where it ends.  Once the stream is closed a span may still be shown for a
 * moment: it is the writer's already.
 */
static duct_status read_span(duct_party *party, unsigned char *messages, size_t most, size_t *received, enum extent extent,
    duct_time deadline, duct_cancel *cancel)
{
	duct_status status = DUCT_OK;

	if (duct_cancel_raised(cancel))
		return DUCT_CANCELED;
	while (status == DUCT_OK && *received < most) {
		if (party_is_closed(party))
			return DUCT_CLOSED;
		*received += copy_out(party, messages, *received, most);
		if (*received == most || (*received > 0 && extent == CHUNK))
			break;
		status = ask(party, deadline, cancel);
	}
	return status;
}

static duct_status read_until(duct_reader *reader, void *messages, size_t most, size_t *received, enum extent extent,
    duct_time deadline, duct_cancel *cancel)
{
	duct_party *party = reading(reader);
	duct_status status;
	size_t done = 0;

	if (party == NULL || deadline < 0 || !array_is_valid(party, messages, most))
		return DUCT_INVALID;
	status = party_enter(party, cancel);
	if (status == DUCT_OK) {
		status = read_span(party, messages, most, &done, extent, deadline, cancel);
		party_leave(party, cancel);
	}
	if (received != NULL)
		*received = done;
	return status;
}

duct_status duct_stream_read(
    duct_reader *reader, void *messages, size_t count, size_t *received, duct_time deadline, duct_cancel *cancel)
{
	return read_until(reader, messages, count, received, WHOLE, deadline, cancel);
}

duct_status duct_stream_chunk(
    duct_reader *reader, void *messages, size_t most, size_t *received, duct_time deadline, duct_cancel *cancel)
{
	return read_until(reader, messages, most, received, CHUNK, deadline, cancel);
}

duct_status duct_stream_recv(duct_reader *reader, void *message)
{
	return read_until(reader, message, 1, NULL, WHOLE, DUCT_FOREVER, NULL);
}

duct_receiver *duct_reader_receiver(const duct_reader *reader)
{
	return duct_party_receiver(reading(reader));
}

/* ---- Read all -------------------------------------------------------------------------------------------------- */

/* Room for twice as many; what that is in bytes cannot overflow, since half of it is there, or it is the first. */
static duct_status grow(duct_box **box, size_t *room, size_t size)
{
	const size_t larger = *room > 0 ? 2 * *room : FIRST_ROOM;
	duct_box *made;

	if (larger < *room || duct_box_new(&made, larger * size, NULL, NULL) != DUCT_OK)
		return DUCT_NOMEM;
	if (*box != NULL)
		memcpy(duct_box_data(made), duct_box_data(*box), *room * size);
	duct_box_free(*box);
	*box = made;
	*room = larger;
	return DUCT_OK;
}

/* There is room before anything is asked for, so that nothing is read that there is no room for; then it is full, or the end. */
static duct_status read_all(duct_party *party, duct_box **box, size_t *count, duct_time deadline, duct_cancel *cancel)
{
	const size_t size = ((const struct stream *)party->shared)->size;
	duct_status status = DUCT_OK;
	size_t room = 0;

	while (status == DUCT_OK) {
		status = grow(box, &room, size);
		if (status == DUCT_OK)
			status = read_span(party, duct_box_data(*box), room, count, WHOLE, deadline, cancel);
	}
	return status == DUCT_CLOSED ? DUCT_OK : status;
}

duct_status duct_stream_all(duct_reader *reader, duct_box **messages, size_t *count, duct_time deadline, duct_cancel *cancel)
{
	duct_party *party = reading(reader);
	duct_status status;

	if (party == NULL || messages == NULL || count == NULL || deadline < 0)
		return DUCT_INVALID;
	*messages = NULL;
	*count = 0;
	status = party_enter(party, cancel);
	if (status != DUCT_OK)
		return status;
	status = read_all(party, messages, count, deadline, cancel);
	party_leave(party, cancel);
	return status;
}
