/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One execution of a small program over two channels, recorded for the oracle.
 *
 * The body makes the channels and their ends, starts the threads, joins them, asks the oracle, and gives everything back.
 * Messages carry a number of their own, of one word on channel 0 and three words on channel 1, so that a torn copy shows.
 * Beside what the oracle sees, an execution checks that
 *
 *   - a call returns only what its form can return: TIMEDOUT after its deadline, CANCELED with a token, and nothing but
 *     CANCELED with a token that was raised before;
 *   - a receive buffer is as it was unless something was received into it;
 *   - DUCT_NOMEM comes only from calls in which something did fail;
 *   - each message that was sent is received or dropped exactly once, others never;
 *   - no allocation, mutex or condition variable is left when all handles are free.
 *
 * Freeing a handle is allowed while others are blocked on it, but not while they are on their way into a call.  So a step
 * that frees looks whether each thread that uses the end sleeps or has yielded, and only closes the end if not; the same goes
 * for the last handle of a channel and for tokens, which are kept then.  Steps that would use what is not there are left out.
 * To know that earlier calls have returned, a real program must have been told: the race detector is given that order, from
 * the return of a call on an end to its free.
 */
#include "program.h"

#include "explorer.h"
#include "heap.h"
#include "race.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_WORDS 3
#define BIG_WORDS 129
#define MAX_MESSAGES 99
#define SOON 1000       /* ns */
#define TOKEN_LATER 700 /* ns after the start */

struct buffer {
	uint64_t words[MAX_BATCH * BIG_WORDS];
};

struct channel {
	duct_channel *handle;
	duct_sender *senders[SLOTS];
	duct_receiver *receivers[SLOTS];
	int words; /* of a message */
};

struct program program_current;
long program_rests;

static struct channel channels[CHANNELS];
static duct_cancel *tokens[DEEP + 1];
static bool raised[DEEP + 1]; /* for certain */
static int64_t token_deadline;
static uint32_t absent; /* ends, channels' handles, tokens that are not there */
static int handles_left[CHANNELS];
static char end_returns[32];                       /* what the race detector knows the returns from each end by */
static const struct step *inside[MAX_THREADS + 1]; /* the step whose call a thread is in */
static int closings[32];                           /* calls so far that close an end or raise a token, by its bit */

static bool told_blocked[MAX_THREADS + 1];

static int last_message;
static bool sent[MAX_MESSAGES], received[MAX_MESSAGES];
static int dropped[MAX_MESSAGES];
static uint8_t discards[MAX_THREADS + 1][MAX_CAPACITY + 1]; /* what the discard of each thread dropped */
static int discard_count[MAX_THREADS + 1];

/* ---- Messages --------------------------------------------------------------------------------------------------------- */

static void buffer_clear(struct buffer *buffer, int channel)
{
	for (int i = 0; i < MAX_BATCH * channels[channel].words; i++)
		buffer->words[i] = UNTOUCHED;
}

static uint64_t *message_at(struct buffer *buffer, int channel, size_t i)
{
	return &buffer->words[i * (size_t)channels[channel].words];
}

static int message_new(struct buffer *buffer, int channel, size_t i)
{
	int value = ++last_message;

	EXPLORER_CHECK(value < MAX_MESSAGES);
	for (int k = 0; k < channels[channel].words; k++)
		message_at(buffer, channel, i)[k] = (uint64_t)value;
	return value;
}

static int message_value(const uint64_t *words, int channel)
{
	for (int k = 1; k < channels[channel].words; k++)
		if (words[k] != words[0])
			explorer_fail("a torn message: %d and %d", (int)words[0], (int)words[k]);
	EXPLORER_CHECK(words[0] > 0 && words[0] <= (uint64_t)last_message);
	return (int)words[0];
}

static void check_untouched(const uint64_t *words, int channel)
{
	for (int k = 0; k < channels[channel].words; k++)
		if (words[k] != UNTOUCHED)
			explorer_fail("a receive that failed wrote to its buffer");
}

static void note_sent(int value)
{
	sent[value] = true;
}

static void note_received(int value)
{
	if (received[value] || dropped[value] > 0)
		explorer_fail("message %d was received after it was received or dropped", value);
	received[value] = true;
}

static void drop(void *message, void *context)
{
	int channel = (int)((struct channel *)context - channels), self = explorer_self();
	int value = message_value(message, channel);

	if (received[value] || dropped[value]++ > 0)
		explorer_fail("message %d was dropped after it was received or dropped", value);
	if (inside[self] != NULL && discard_count[self] < MAX_CAPACITY + 1)
		discards[self][discard_count[self]++] = (uint8_t)value;
}

/* Channel 1 tells when a sender has to wait, and when it goes on. */
static void hear(const duct_log_event *event, void *context)
{
	bool *told = &told_blocked[explorer_self()];

	(void)context;
	EXPLORER_CHECK(*told == (event->kind == DUCT_LOG_RESUMED));
	*told = event->kind == DUCT_LOG_BLOCKED;
}

/* ---- What a step goes through ----------------------------------------------------------------------------------------- */

static int slot_of(bool own)
{
	return own ? explorer_self() : 0;
}

static struct part part_of(bool is_send, int channel, bool own, int value)
{
	struct part part = {
		.channel = (uint8_t)channel, .is_send = is_send, .slot = (uint8_t)slot_of(own), .value = (uint8_t)value
	};

	return part;
}

static duct_sender *sender_of(const struct step *step)
{
	return channels[step->channel].senders[slot_of(step->own)];
}

static duct_receiver *receiver_of(const struct step *step)
{
	return channels[step->channel].receivers[slot_of(step->own)];
}

/* Beside ends, as bits of the same sets. */
#define HANDLE_BIT(channel_) (UINT32_C(1) << (2 * CHANNELS * SLOTS + (channel_)))
#define TOKEN_BIT(token_) (UINT32_C(1) << (2 * CHANNELS * SLOTS + CHANNELS - 1 + (token_)))

static bool verb_sends(enum verb verb)
{
	return verb == SEND || verb == SEND_MANY || verb == WAIT_SEND || verb == CLOSE_SENDER || verb == FREE_SENDER ||
	       verb == NEW_SENDER || verb == CLONE_SENDER;
}

static bool verb_clones_end(enum verb verb)
{
	return verb == CLONE_SENDER || verb == CLONE_RECEIVER;
}

/* The ends, handles and tokens that a step of the thread needs. */
static uint32_t needs_of_step(const struct step *step, int thread)
{
	uint32_t needs = step->token != NO_TOKEN ? TOKEN_BIT(step->token) : 0;

	switch (step->verb) {
	case SELECT:
		for (int i = 0; i < step->case_count; i++)
			needs |= END_BIT(step->cases[i].is_send, step->cases[i].channel, step->cases[i].own ? thread : 0);
		return needs;
	case RAISE_TOKEN:
	case FREE_TOKEN:
		return needs;
	case CLOSE_CHANNEL:
	case DISCARD_CHANNEL:
	case LOOK_LENGTH:
	case LOOK_REASON:
	case LOOK_CLOSED:
	case LOOK_WAITING:
	case CLONE_CHANNEL:
	case FREE_CHANNEL:
	case NEW_SENDER:
	case NEW_RECEIVER:
		return needs | HANDLE_BIT(step->channel);
	case BORROW_CHANNEL:
		return needs | END_BIT(true, step->channel, 0);
	case CLONE_SENDER:
	case CLONE_RECEIVER:
		return needs | END_BIT(verb_sends(step->verb), step->channel, 0);
	default:
		return needs | END_BIT(verb_sends(step->verb), step->channel, step->own ? thread : 0);
	}
}

/* What others must not free meanwhile: all that, but a handle that it gives back is its own. */
static uint32_t uses_of_step(const struct step *step, int thread)
{
	return step->verb == FREE_CHANNEL ? 0 : needs_of_step(step, thread);
}

/* The end that it makes. */
static uint32_t makes_of_step(const struct step *step, int thread)
{
	return verb_makes_end(step->verb) ? END_BIT(verb_sends(step->verb), step->channel, thread) : 0;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------ */

/* What a call that may wait was given, and what it may return. */
struct wait {
	const struct step *step;
	duct_time deadline;
	duct_cancel *token;
	bool must_cancel;
	int failures; /* of the thread, before the call */
};

static struct wait wait_of(const struct step *step)
{
	struct wait wait = { step, DUCT_FOREVER, tokens[step->token], false, explorer_failures(explorer_self()) };

	if (step->form == UNTIL)
		wait.deadline = explorer_now() + SOON;
	else if (step->form == PAST || step->form == TRY)
		wait.deadline = 0;
	if (step->form == TRY)
		wait.token = NULL;
	if (wait.token != NULL)
		wait.must_cancel = raised[step->token] || (step->token == TIMED && explorer_now() >= token_deadline);
	return wait;
}

/* The call may wait, so that the until form is the one for it. */
static bool uses_until(const struct wait *wait)
{
	return wait->step->form != TRY && (wait->step->form != PLAIN || wait->token != NULL);
}

static void wait_describe(const struct wait *wait, struct operation *operation)
{
	operation->never_waits = wait->deadline == 0;
	if (wait->token != NULL)
		operation->tokens = (uint8_t)(1 << wait->step->token);
}

/* For calls without a try form. */
#define NO_TRY DUCT_INVALID

static void check_status(const struct wait *wait, duct_status status, duct_status nothing)
{
	bool allowed = status == DUCT_OK || status == DUCT_CLOSED || status == DUCT_NO_RECEIVERS;

	if (status == DUCT_TIMEDOUT)
		allowed = wait->step->form != TRY && wait->deadline <= explorer_now();
	if (status == DUCT_CANCELED)
		allowed = wait->token != NULL;
	if (status == DUCT_NOMEM)
		allowed = explorer_failures(explorer_self()) > wait->failures;
	if (status == nothing)
		allowed = wait->step->form == TRY;
	if (wait->must_cancel && status != DUCT_CANCELED)
		explorer_fail("given a raised token a call returned \"%s\"", duct_strerror(status));
	if (!allowed)
		explorer_fail("a call returned \"%s\"", duct_strerror(status));
}

static void wait_return(const struct wait *wait, struct operation *operation, int status, int chosen)
{
	operation->expired = wait->token != NULL && wait->step->token == TIMED && explorer_now() >= token_deadline;
	oracle_return(operation, status, chosen);
}

/* ---- Send and receive ------------------------------------------------------------------------------------------------- */

static duct_status call_send(const struct wait *wait, const void *message)
{
	duct_sender *sender = sender_of(wait->step);

	if (wait->step->form == TRY)
		return duct_try_send(sender, message);
	if (uses_until(wait))
		return duct_send_until(sender, message, wait->deadline, wait->token);
	return duct_send(sender, message);
}

static void run_send(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct buffer buffer;
	int value = message_new(&buffer, step->channel, 0);
	struct operation *operation = oracle_call(MOVE, part_of(true, step->channel, step->own, value));
	duct_status status;

	wait_describe(&wait, operation);
	status = call_send(&wait, &buffer);
	check_status(&wait, status, DUCT_FULL);
	if (status == DUCT_OK)
		note_sent(value);
	wait_return(&wait, operation, (int)status, 0);
}

static duct_status call_recv(const struct wait *wait, void *message)
{
	duct_receiver *receiver = receiver_of(wait->step);

	if (wait->step->form == TRY)
		return duct_try_recv(receiver, message);
	if (uses_until(wait))
		return duct_recv_until(receiver, message, wait->deadline, wait->token);
	return duct_recv(receiver, message);
}

static void run_recv(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct buffer buffer;
	struct operation *operation = oracle_call(MOVE, part_of(false, step->channel, step->own, 0));
	duct_status status;

	buffer_clear(&buffer, step->channel);
	wait_describe(&wait, operation);
	status = call_recv(&wait, &buffer);
	check_status(&wait, status, DUCT_EMPTY);
	if (status == DUCT_OK) {
		operation->parts[0].value = (uint8_t)message_value(buffer.words, step->channel);
		note_received(operation->parts[0].value);
	} else {
		check_untouched(buffer.words, step->channel);
	}
	wait_return(&wait, operation, (int)status, 0);
}

static void run_ready(const struct step *step)
{
	bool is_send = step->verb == WAIT_SEND;
	struct wait wait = wait_of(step);
	struct operation *operation = oracle_call(READY, part_of(is_send, step->channel, step->own, 0));
	duct_status status;

	wait_describe(&wait, operation);
	if (is_send)
		status = duct_sender_wait(sender_of(step), wait.deadline, wait.token);
	else
		status = duct_receiver_wait(receiver_of(step), wait.deadline, wait.token);
	check_status(&wait, status, NO_TRY);
	wait_return(&wait, operation, (int)status, 0);
}

/* ---- Batches ---------------------------------------------------------------------------------------------------------- */

/* The i-th operation of a batch: all of them have the call and the return of the batch. */
static struct operation *batch_call(const struct wait *wait, struct part part, int first, int i)
{
	int previous = history_length - 1;
	struct operation *operation = oracle_call(MOVE, part);

	wait_describe(wait, operation);
	operation->may = true;
	if (i > 0) {
		operation->after = previous;
		operation->call = history[first].call;
		operation->slept = history[first].slept;
	}
	return operation;
}

/* done of the batch's operations succeeded; the next one failed, if the batch did; the others were not tried. */
static void batch_return(const struct wait *wait, int first, int count, int done, duct_status status)
{
	for (int i = 0; i < count; i++) {
		struct operation *operation = &history[first + i];

		if (i < done)
			wait_return(wait, operation, DUCT_OK, 0);
		else
			wait_return(wait, operation, i == done && status != DUCT_OK ? (int)status : ERASED, 0);
		operation->returned = history[first].returned;
	}
}

static void run_send_many(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct buffer buffer;
	int first = history_length, values[MAX_BATCH];
	size_t done = MAX_BATCH + 1;
	duct_status status;

	for (int i = 0; i < step->max; i++) {
		values[i] = message_new(&buffer, step->channel, (size_t)i);
		batch_call(&wait, part_of(true, step->channel, step->own, values[i]), first, i);
	}
	status = duct_send_many(sender_of(step), &buffer, (size_t)step->max, &done, wait.deadline, wait.token);
	check_status(&wait, status, NO_TRY);
	EXPLORER_CHECK(done <= (size_t)step->max && (status == DUCT_OK) == (done == (size_t)step->max));
	for (size_t i = 0; i < done; i++)
		note_sent(values[i]);
	batch_return(&wait, first, step->max, (int)done, status);
}

static void run_recv_many(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct buffer buffer;
	int first = history_length;
	size_t done = MAX_BATCH + 1;
	duct_status status;

	buffer_clear(&buffer, step->channel);
	if (step->min == 0)
		wait.deadline = DUCT_FOREVER;
	for (int i = 0; i < step->max; i++) {
		struct operation *operation = batch_call(&wait, part_of(false, step->channel, step->own, 0), first, i);

		operation->received = message_at(&buffer, step->channel, (size_t)i);
		operation->never_waits |= i >= step->min;
	}
	status =
	    duct_recv_many(receiver_of(step), &buffer, (size_t)step->min, (size_t)step->max, &done, wait.deadline, wait.token);
	if (step->min > 0 || status != DUCT_EMPTY)
		check_status(&wait, status, NO_TRY);
	EXPLORER_CHECK(done <= (size_t)step->max);
	EXPLORER_CHECK(status == DUCT_OK ? done >= (size_t)step->min && done > 0 : done < (size_t)step->min || done == 0);
	for (int i = 0; i < step->max; i++) {
		const uint64_t *words = message_at(&buffer, step->channel, (size_t)i);

		history[first + i].received = NULL;
		if ((size_t)i >= done) {
			check_untouched(words, step->channel);
			continue;
		}
		history[first + i].parts[0].value = (uint8_t)message_value(words, step->channel);
		note_received(history[first + i].parts[0].value);
	}
	batch_return(&wait, first, step->max, (int)done, status);
}

/* ---- Select ----------------------------------------------------------------------------------------------------------- */

static duct_status call_select(const struct wait *wait, duct_case *cases, size_t *chosen)
{
	size_t count = (size_t)wait->step->case_count;

	if (wait->step->form == TRY)
		return duct_try_select(cases, count, chosen);
	if (uses_until(wait) || wait->step->flags != 0)
		return duct_select_until(cases, count, chosen, wait->step->flags, wait->deadline, wait->token);
	return duct_select(cases, count, chosen);
}

static void select_prepare(const struct step *step, struct operation *operation, duct_case *cases, struct buffer *buffers)
{
	operation->part_count = step->case_count;
	operation->in_order = (step->flags & DUCT_PRIORITY) != 0;
	for (int i = 0; i < step->case_count; i++) {
		const struct step_case *from = &step->cases[i];
		struct channel *channel = &channels[from->channel];
		int value = 0;

		buffer_clear(&buffers[i], from->channel);
		memset(&cases[i], 0, sizeof cases[i]);
		if (from->is_send) {
			value = message_new(&buffers[i], from->channel, 0);
			cases[i].sender = channel->senders[slot_of(from->own)];
		} else {
			cases[i].receiver = channel->receivers[slot_of(from->own)];
		}
		cases[i].message = &buffers[i];
		operation->parts[i] = part_of(from->is_send, from->channel, from->own, value);
	}
}

/* Only the chosen case has a status, and only its message moved. */
static void select_check(
    const struct step *step, struct operation *operation, const duct_case *cases, const struct buffer *buffers, int chosen)
{
	for (int i = 0; i < step->case_count; i++) {
		struct part *part = &operation->parts[i];
		bool moved = i == chosen && cases[i].status == DUCT_OK && (step->flags & DUCT_READY) == 0;

		EXPLORER_CHECK(i == chosen || cases[i].status == DUCT_OK);
		if (moved && part->is_send)
			note_sent(part->value);
		if (!part->is_send && !moved)
			check_untouched(buffers[i].words, part->channel);
		if (!part->is_send && moved) {
			part->value = (uint8_t)message_value(buffers[i].words, part->channel);
			note_received(part->value);
		}
	}
}

static void run_select(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct operation *operation = oracle_call((step->flags & DUCT_READY) != 0 ? READY : MOVE, part_of(false, 0, false, 0));
	struct buffer buffers[MAX_CASES];
	duct_case cases[MAX_CASES];
	size_t chosen = MAX_CASES + 1;
	duct_status status;

	wait_describe(&wait, operation);
	select_prepare(step, operation, cases, buffers);
	status = call_select(&wait, cases, &chosen);
	check_status(&wait, status, DUCT_EMPTY);
	if (status != DUCT_OK) {
		EXPLORER_CHECK(status != DUCT_CLOSED && status != DUCT_NO_RECEIVERS && chosen == MAX_CASES + 1);
		select_check(step, operation, cases, buffers, -1);
		wait_return(&wait, operation, (int)status, 0);
		return;
	}
	EXPLORER_CHECK(chosen < (size_t)step->case_count);
	select_check(step, operation, cases, buffers, (int)chosen);
	wait_return(&wait, operation, (int)cases[chosen].status, (int)chosen);
}

/* ---- Ends and channels ------------------------------------------------------------------------------------------------ */

static void run_close(const struct step *step)
{
	int reason = explorer_self();
	struct operation *operation = oracle_call(CLOSE, part_of(false, step->channel, false, reason));

	duct_channel_close(channels[step->channel].handle, reason);
	EXPLORER_CHECK(duct_channel_is_closed(channels[step->channel].handle));
	oracle_return(operation, DUCT_OK, 0);
}

/* The call whose first operation that is has returned: what it dropped, and the operation at its end. */
static void return_with_drops(int first, enum kind last)
{
	int self = explorer_self(), count = discard_count[self];
	struct part part = history[first].parts[0];

	oracle_return(&history[first], DUCT_OK, 0);
	for (int i = 0; i <= count; i++) {
		int previous = i == 0 ? first : history_length - 1;
		struct operation *operation;

		part.value = i < count ? discards[self][i] : 0;
		operation = oracle_call(i < count ? DROP : last, part);
		operation->call = history[first].call;
		operation->after = previous;
		oracle_return(operation, DUCT_OK, 0);
		operation->returned = history[first].returned;
	}
}

static void run_discard(const struct step *step)
{
	int self = explorer_self(), first = history_length, failures = explorer_failures(self);
	struct operation *operation = oracle_call(COUNT, part_of(false, step->channel, false, 0));
	size_t count = MAX_CAPACITY + 1;
	duct_status status;

	discard_count[self] = 0;
	status = duct_channel_discard(channels[step->channel].handle, &count);
	if (status == DUCT_NOMEM) {
		EXPLORER_CHECK(explorer_failures(self) > failures && count == MAX_CAPACITY + 1 && discard_count[self] == 0);
		oracle_return(operation, ERASED, 0);
		return;
	}
	EXPLORER_CHECK(status == DUCT_OK && count == (size_t)discard_count[self]);
	return_with_drops(first, DISCARDED);
}

static int *closings_of(uint32_t end)
{
	return &closings[__builtin_ctz(end)];
}

/*
 * Nobody but threads that are blocked uses the end, the handle, the token; or one that closes or raises it, if that can be
 * seen to be done, since there were only so many calls that do.
 */
static bool may_free(uint32_t end, bool is_closed, int calls)
{
	int self = explorer_self();

	for (int i = 1; i <= program_current.thread_count; i++) {
		if (i == self || inside[i] == NULL || (uses_of_step(inside[i], i) & end) == 0 || explorer_blocked(i))
			continue;
		if (!is_closed || *closings_of(end) != calls || inside[i]->verb < CLOSE_SENDER || inside[i]->verb > RAISE_TOKEN)
			return false;
	}
	return true;
}

static bool end_is_closed(const struct step *step)
{
	return verb_sends(step->verb) ? duct_sender_is_closed(sender_of(step)) : duct_receiver_is_closed(receiver_of(step));
}

/* What the thread knows by now: that its calls on these ends have returned; that those of others on them have. */
static void returned_from(uint32_t ends)
{
	for (int i = 0; i < 32; i++)
		if ((ends >> i & 1) != 0)
			race_release(explorer_self(), &end_returns[i]);
}

static void told_of_returns(uint32_t ends)
{
	for (int i = 0; i < 32; i++)
		if ((ends >> i & 1) != 0)
			race_acquire(explorer_self(), &end_returns[i]);
}

/* If the discard could not be had memory for, what is queued lies there until the last reference goes. */
static void return_settled(int first, int failures)
{
	if (explorer_failures(explorer_self()) > failures)
		oracle_return(&history[first], DUCT_OK, 0);
	else
		return_with_drops(first, SETTLED);
}

static void run_close_end(const struct step *step)
{
	bool is_send = verb_sends(step->verb), frees = step->verb == FREE_SENDER || step->verb == FREE_RECEIVER;
	int self = explorer_self(), first = history_length, failures = explorer_failures(self);
	uint32_t end = END_BIT(is_send, step->channel, slot_of(step->own));

	oracle_call(CLOSE_END, part_of(is_send, step->channel, step->own, 0));
	discard_count[self] = 0;
	++*closings_of(end);
	if (frees && may_free(end, end_is_closed(step), 2)) {
		absent |= end;
		told_of_returns(end);
		if (is_send)
			duct_sender_free(sender_of(step));
		else
			duct_receiver_free(receiver_of(step));
	} else if (is_send) {
		duct_sender_close(sender_of(step));
	} else {
		duct_receiver_close(receiver_of(step));
	}
	return_settled(first, failures);
}

static void run_make_end(const struct step *step)
{
	bool is_send = verb_sends(step->verb), clones = verb_clones_end(step->verb);
	int self = explorer_self(), failures = explorer_failures(self);
	struct channel *channel = &channels[step->channel];
	struct operation *operation = oracle_call(OPEN_END, part_of(is_send, step->channel, true, clones));
	duct_sender *sender = NULL;
	duct_receiver *receiver = NULL;
	duct_status status;

	if (is_send)
		status = clones ? duct_sender_clone(channel->senders[0], &sender) : duct_sender_new(channel->handle, &sender);
	else
		status = clones ? duct_receiver_clone(channel->receivers[0], &receiver)
		                : duct_receiver_new(channel->handle, &receiver);
	EXPLORER_CHECK(status == DUCT_OK || status == DUCT_CLOSED || status == DUCT_NOMEM);
	EXPLORER_CHECK(status != DUCT_NOMEM || explorer_failures(self) > failures);
	EXPLORER_CHECK((status == DUCT_OK) == (is_send ? sender != NULL : receiver != NULL));
	if (is_send)
		channel->senders[self] = sender;
	else
		channel->receivers[self] = receiver;
	if (status == DUCT_OK)
		absent &= ~END_BIT(is_send, step->channel, self);
	oracle_return(operation, (int)status, 0);
}

/* From one of its handles, or from the one that the shared sender lends, though there may be none left. */
static void run_clone_channel(const struct step *step)
{
	struct channel *channel = &channels[step->channel];
	bool borrows = step->verb == BORROW_CHANNEL;
	struct operation *operation = oracle_call(CLONE_HANDLE, part_of(false, step->channel, false, 0));
	duct_channel *clone;

	EXPLORER_CHECK(
	    duct_channel_clone(borrows ? duct_sender_channel(channel->senders[0]) : channel->handle, &clone) == DUCT_OK);
	EXPLORER_CHECK(clone == channel->handle);
	handles_left[step->channel]++;
	absent &= ~HANDLE_BIT(step->channel);
	oracle_return(operation, DUCT_OK, 0);
}

static void run_free_channel(const struct step *step)
{
	int self = explorer_self(), first = history_length, failures = explorer_failures(self);
	uint32_t handle = HANDLE_BIT(step->channel);

	if (handles_left[step->channel] == 1) {
		if (!may_free(handle, false, 0))
			return;
		absent |= handle;
	}
	handles_left[step->channel]--;
	told_of_returns(handle);
	oracle_call(FREE_HANDLE, part_of(false, step->channel, false, 0));
	discard_count[self] = 0;
	duct_channel_free(channels[step->channel].handle);
	return_settled(first, failures);
}

static void run_free_token(const struct step *step)
{
	uint32_t token = TOKEN_BIT(step->token);

	if (!may_free(token, step->token == ROOT && duct_cancel_raised(tokens[ROOT]), 1))
		return;
	absent |= token;
	told_of_returns(token);
	duct_cancel_free(tokens[step->token]);
}

static void run_raise(const struct step *step)
{
	struct operation *operation = oracle_call(RAISE, part_of(false, 0, false, 0));

	operation->tokens = step->token == ROOT ? 1 << ROOT | 1 << TIMED | 1 << DEEP : 1 << step->token;
	++*closings_of(TOKEN_BIT(step->token));
	duct_cancel_raise(tokens[step->token]);
	for (int i = ROOT; i <= DEEP; i++)
		raised[i] |= (operation->tokens >> i & 1) != 0;
	oracle_return(operation, DUCT_OK, 0);
}

/* A handle of the channel, its own or borrowed; NULL if there is none. */
static const duct_channel *channel_look(int i)
{
	if ((absent & HANDLE_BIT(i)) == 0)
		return channels[i].handle;
	for (int slot = 0; slot < SLOTS; slot++) {
		if ((absent & END_BIT(true, i, slot)) == 0)
			return duct_sender_channel(channels[i].senders[slot]);
		if ((absent & END_BIT(false, i, slot)) == 0)
			return duct_receiver_channel(channels[i].receivers[slot]);
	}
	return NULL;
}

static void run_look(enum kind kind, int i)
{
	const duct_channel *channel = channel_look(i);
	struct operation *operation;
	int value;

	if (channel == NULL)
		return;
	operation = oracle_call(kind, part_of(false, i, false, 0));
	if (kind == LENGTH)
		value = (int)duct_channel_len(channel);
	else
		value = kind == REASON ? duct_channel_reason(channel) : duct_channel_is_closed(channel);
	operation->parts[0].value = (uint8_t)value;
	oracle_return(operation, DUCT_OK, 0);
}

/* Nobody stands in line more often than a select has cases. */
static void run_look_waiting(int i, int threads)
{
	const duct_channel *channel = channel_look(i);
	size_t most = (size_t)threads * MAX_CASES;

	if (channel == NULL)
		return;
	EXPLORER_CHECK(duct_channel_waiting_senders(channel) <= most);
	EXPLORER_CHECK(duct_channel_waiting_receivers(channel) <= most);
}

static void run_step(const struct step *step)
{
	switch (step->verb) {
	case SEND:
		run_send(step);
		break;
	case RECV:
		run_recv(step);
		break;
	case SELECT:
		run_select(step);
		break;
	case SEND_MANY:
		run_send_many(step);
		break;
	case RECV_MANY:
		run_recv_many(step);
		break;
	case WAIT_SEND:
	case WAIT_RECV:
		run_ready(step);
		break;
	case CLOSE_CHANNEL:
		run_close(step);
		break;
	case DISCARD_CHANNEL:
		run_discard(step);
		break;
	case CLOSE_SENDER:
	case CLOSE_RECEIVER:
	case FREE_SENDER:
	case FREE_RECEIVER:
		run_close_end(step);
		break;
	case RAISE_TOKEN:
		run_raise(step);
		break;
	case FREE_TOKEN:
		run_free_token(step);
		break;
	case LOOK_LENGTH:
		run_look(LENGTH, step->channel);
		break;
	case LOOK_REASON:
		run_look(REASON, step->channel);
		break;
	case LOOK_CLOSED:
		run_look(IS_CLOSED, step->channel);
		break;
	case LOOK_WAITING:
		run_look_waiting(step->channel, program_current.thread_count);
		break;
	case CLONE_CHANNEL:
	case BORROW_CHANNEL:
		run_clone_channel(step);
		break;
	case FREE_CHANNEL:
		run_free_channel(step);
		break;
	case NEW_SENDER:
	case NEW_RECEIVER:
	case CLONE_SENDER:
	case CLONE_RECEIVER:
		run_make_end(step);
		break;
	case VERBS:
		break;
	}
}

/* ---- One execution ---------------------------------------------------------------------------------------------------- */

/* Stands in for the library's own: where a fair select starts is the explorer's choice. */
uint64_t __wrap_turn_next(void)
{
	const struct step *step = inside[explorer_self()];

	return step == NULL || step->verb != SELECT ? 0 : (uint64_t)explorer_choose(step->case_count);
}

static void *thread_main(void *argument)
{
	int self = explorer_self();

	(void)argument;
	for (int i = 0; i < program_current.step_count[self - 1]; i++) {
		const struct step *step = &program_current.steps[self - 1][i];

		if ((absent & needs_of_step(step, self)) != 0 || (~absent & makes_of_step(step, self)) != 0)
			continue;
		inside[self] = step;
		run_step(step);
		returned_from(uses_of_step(step, self));
		inside[self] = NULL;
	}
	return NULL;
}

/* The ends, handles and tokens that are there at the start. */
static uint32_t present_at_start(void)
{
	uint32_t used = 0, made = 0;

	for (int i = 0; i < program_current.thread_count; i++) {
		for (int k = 0; k < program_current.step_count[i]; k++) {
			used |= needs_of_step(&program_current.steps[i][k], i + 1);
			made |= makes_of_step(&program_current.steps[i][k], i + 1);
		}
	}
	for (int i = 0; i < CHANNELS; i++) {
		used |= END_BIT(true, i, 0) | END_BIT(false, i, 0) | HANDLE_BIT(i);
		if (program_current.unreceived[i])
			made |= END_BIT(false, i, 0);
	}
	if ((used & TOKEN_BIT(DEEP)) != 0 || (used & TOKEN_BIT(TIMED)) != 0)
		used |= TOKEN_BIT(ROOT);
	return used & ~made;
}

static void make_ends(struct channel *channel, uint32_t ends)
{
	int i = (int)(channel - channels);

	for (int slot = 0; slot < SLOTS; slot++) {
		channel->senders[slot] = NULL;
		channel->receivers[slot] = NULL;
		if ((ends & END_BIT(true, i, slot)) != 0)
			EXPLORER_CHECK(duct_sender_new(channel->handle, &channel->senders[slot]) == DUCT_OK);
		if ((ends & END_BIT(false, i, slot)) != 0)
			EXPLORER_CHECK(duct_receiver_new(channel->handle, &channel->receivers[slot]) == DUCT_OK);
	}
}

static void prefill(struct channel *channel, struct beginning *beginning)
{
	int i = (int)(channel - channels);
	struct buffer buffer;

	for (int k = 0; k < program_current.prefilled[i]; k++) {
		int value = message_new(&buffer, i, 0);

		EXPLORER_CHECK(duct_try_send(channel->senders[0], &buffer) == DUCT_OK);
		note_sent(value);
		beginning->queued[i][beginning->length[i]++] = (uint8_t)value;
	}
}

static void make_channels(struct beginning *beginning)
{
	memset(beginning, 0, sizeof *beginning);
	beginning->ends = ~absent & (HANDLE_BIT(0) - 1);
	for (int i = 0; i < CHANNELS; i++) {
		struct channel *channel = &channels[i];
		size_t capacity = (size_t)program_current.capacity[i];

		channel->words = i == 0 ? 1 : program_current.big ? BIG_WORDS : SMALL_WORDS;
		handles_left[i] = 1;
		EXPLORER_CHECK(duct_anycast_new(&channel->handle, sizeof(uint64_t) * (size_t)channel->words, capacity,
				   DUCT_OPTIONS(.drop = drop, .log = i == 1 ? hear : NULL, .log_interval = 1,
				       .context = channel)) == DUCT_OK);
		beginning->capacity[i] = (uint8_t)capacity;
		make_ends(channel, beginning->ends);
		prefill(channel, beginning);
	}
}

/* A wait finds room on the stack for this many generations and one operation. */
#define GENERATIONS 20

static duct_cancel *make_deep_token(void)
{
	duct_cancel *deep = tokens[ROOT], *child;

	for (int i = 1; i < GENERATIONS; i++) {
		EXPLORER_CHECK(duct_cancel_new(&child, deep, DUCT_FOREVER) == DUCT_OK);
		if (i > 1)
			duct_cancel_free(deep);
		deep = child;
	}
	return deep;
}

static void make_tokens(void)
{
	memset(tokens, 0, sizeof tokens);
	memset(raised, 0, sizeof raised);
	token_deadline = explorer_now() + TOKEN_LATER;
	if ((absent & TOKEN_BIT(ROOT)) == 0)
		EXPLORER_CHECK(duct_cancel_new(&tokens[ROOT], NULL, DUCT_FOREVER) == DUCT_OK);
	if ((absent & TOKEN_BIT(TIMED)) == 0)
		EXPLORER_CHECK(duct_cancel_new(&tokens[TIMED], tokens[ROOT], token_deadline) == DUCT_OK);
	if ((absent & TOKEN_BIT(DEEP)) == 0)
		tokens[DEEP] = make_deep_token();
}

static void free_all(void)
{
	for (int i = 0; i < CHANNELS; i++) {
		for (int slot = 0; slot < SLOTS; slot++) {
			if ((absent & END_BIT(true, i, slot)) == 0)
				duct_sender_free(channels[i].senders[slot]);
			if ((absent & END_BIT(false, i, slot)) == 0)
				duct_receiver_free(channels[i].receivers[slot]);
		}
		while (handles_left[i]-- > 0)
			duct_channel_free(channels[i].handle);
	}
	for (int i = ROOT; i <= DEEP; i++)
		if ((absent & TOKEN_BIT(i)) == 0)
			duct_cancel_free(tokens[i]);
}

static void check_accounts(void)
{
	for (int value = 1; value <= last_message; value++) {
		int ends = received[value] + dropped[value];

		if (ends != (sent[value] ? 1 : 0))
			explorer_fail("message %d: sent %d, received %d, dropped %d times", value, sent[value], received[value],
			    dropped[value]);
	}
	for (int i = 1; i <= program_current.thread_count; i++)
		EXPLORER_CHECK(!told_blocked[i]);
	if (heap_live() != 0 || explorer_live_objects() != 0)
		explorer_fail("%d allocations, %d mutexes and conditions are left", heap_live(), explorer_live_objects());
}

static void forget(void)
{
	last_message = 0;
	absent = ~present_at_start();
	memset(sent, 0, sizeof sent);
	memset(received, 0, sizeof received);
	memset(dropped, 0, sizeof dropped);
	memset(inside, 0, sizeof inside);
	memset(closings, 0, sizeof closings);
	memset(told_blocked, 0, sizeof told_blocked);
}

static void look_at_all(int channel)
{
	run_look(LENGTH, channel);
	run_look(REASON, channel);
	run_look(IS_CLOSED, channel);
	run_look_waiting(channel, 0);
}

static bool allowed_but_for_order(bool at_rest)
{
	bool allowed;

	oracle_keeps_order = false;
	allowed = oracle_allows(at_rest);
	oracle_keeps_order = true;
	return allowed;
}

/* Ends the execution unless the oracle allows what happened. */
static void ask_oracle(bool at_rest)
{
	if (oracle_allows(at_rest))
		return;
	if (allowed_but_for_order(at_rest))
		explorer_fail("a sleeper was overtaken");
	if (at_rest)
		explorer_fail("no thread can run, and the contract does not allow that after this history");
	explorer_fail("the contract does not allow this history");
}

void program_run(void)
{
	pthread_t threads[MAX_THREADS];
	struct beginning beginning;

	forget();
	make_channels(&beginning);
	make_tokens();
	oracle_begin(&beginning);
	explorer_allow_failures(program_current.fails);
	for (int i = 0; i < program_current.thread_count; i++)
		pthread_create(&threads[i], NULL, thread_main, NULL);
	for (int i = 0; i < program_current.thread_count; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < CHANNELS; i++)
		look_at_all(i);
	ask_oracle(false);
	free_all();
	check_accounts();
}

bool program_quiescent(void)
{
	program_rests++;
	ask_oracle(true);
	return true;
}

int step_operations(const struct program *program, const struct step *step)
{
	if (step->verb == SEND_MANY || step->verb == RECV_MANY)
		return step->max;
	switch (step->verb) {
	case DISCARD_CHANNEL:
	case CLOSE_SENDER:
	case CLOSE_RECEIVER:
	case FREE_SENDER:
	case FREE_RECEIVER:
	case FREE_CHANNEL:
		return program->capacity[step->channel] + 2;
	default:
		return 1;
	}
}
