/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What an execution of a small program has, of either kind: the calls that may wait, threads, tokens, and the question to the
 * oracle.  Beside what the oracle sees, an execution checks that
 *
 *   - a call returns only what its form can return: TIMEDOUT after its deadline, CANCELED with a token, and nothing but
 *     CANCELED with a token that was raised before;
 *   - a receive buffer is as it was unless something was received into it;
 *   - DUCT_NOMEM comes only from calls in which something did fail;
 *   - the log is told in pairs of senders that block;
 *   - no allocation, mutex or condition variable is left when all handles are free.
 *
 * Included after program.h or broadcast.h, and after MOST_WORDS, the words of the largest message, and TOKEN_BIT.  The bits are
 * those of the sets that say what a step needs, uses and makes: ends, handles, tokens.
 */
#ifndef TEST_SCHEDULE_FRAME_RUN_H
#define TEST_SCHEDULE_FRAME_RUN_H

#include "explorer.h"
#include "heap.h"
#include "race.h"

#include <pthread.h>
#include <string.h>

#define MAX_MESSAGES 99
#define SOON 1000       /* ns */
#define TOKEN_LATER 700 /* ns after the start */

/* Messages of a call, one after the other. */
struct buffer {
	uint64_t words[MAX_BATCH * MOST_WORDS];
};

struct program program_current;
long program_rests;

static duct_cancel *tokens[TOKENS];
static bool raised[TOKENS]; /* for certain */
static int64_t token_deadline;
static uint32_t absent;                            /* what is not there */
static char returns[32];                           /* what the race detector knows the returns from each by */
static const struct step *inside[MAX_THREADS + 1]; /* the step whose call a thread is in */
static bool told_blocked[MAX_THREADS + 1];

/* ---- What the kind of program has of its own --------------------------------------------------------------------------- */

/* How long a message is; a new one, and its number; it was sent; it was received, and its number. */
static size_t words_of(const struct part *part);
static int message_new(uint64_t *words, size_t count);
static void note_sent(const uint64_t *words);
static int note_received(const uint64_t *words, size_t count);

/* The end that a step goes through; in parts the value is 0. */
static duct_sender *sender_of(const struct step *step);
static duct_receiver *receiver_of(const struct step *step);
static struct part part_of_step(const struct step *step);

/* What a step of the thread needs, what others must not free meanwhile, and what it makes. */
static uint32_t needs_of_step(const struct step *step, int thread);
static uint32_t uses_of_step(const struct step *step, int thread);
static uint32_t makes_of_step(const struct step *step, int thread);

/* The channel can make a call end so. */
static bool is_end(duct_status status);

static void run_step(const struct step *step);

/* Fails if the history is right but for one rule, which can be left out. */
static void check_rules(bool at_rest);

/* ---- Messages --------------------------------------------------------------------------------------------------------- */

static uint64_t *message_at(struct buffer *buffer, const struct part *part, size_t i)
{
	return &buffer->words[i * words_of(part)];
}

/* For a send or a receive the i-th message: a new one, or room that is not touched. */
static struct part part_with_message(const struct step *step, struct buffer *buffer, size_t i)
{
	struct part part = part_of_step(step);
	uint64_t *words = message_at(buffer, &part, i);

	if (part.is_send)
		part.value = (uint8_t)message_new(words, words_of(&part));
	for (size_t k = 0; !part.is_send && k < words_of(&part); k++)
		words[k] = UNTOUCHED;
	return part;
}

static void check_untouched(const uint64_t *words, size_t count)
{
	for (size_t k = 0; k < count; k++)
		if (words[k] != UNTOUCHED)
			explorer_fail("a receive that failed wrote to its buffer");
}

/* The call has returned: the i-th message moved, or it did not. */
static void settle_message(struct part *part, struct buffer *buffer, size_t i, bool moved)
{
	const uint64_t *words = message_at(buffer, part, i);

	if (part->is_send && moved)
		note_sent(words);
	else if (moved)
		part->value = (uint8_t)note_received(words, words_of(part));
	else if (!part->is_send)
		check_untouched(words, words_of(part));
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

static int failures_now(void)
{
	return explorer_failures(explorer_self());
}

static struct wait wait_of(const struct step *step)
{
	struct wait wait = { step, DUCT_FOREVER, tokens[step->token], false, failures_now() };

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
	bool allowed = status == DUCT_OK || is_end(status);

	if (status == DUCT_TIMEDOUT)
		allowed = wait->step->form != TRY && wait->deadline <= explorer_now();
	if (status == DUCT_CANCELED)
		allowed = wait->token != NULL;
	if (status == DUCT_NOMEM)
		allowed = failures_now() > wait->failures;
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

/* Of a call that does not wait: NOMEM only if something failed. */
static void check_resources(duct_status status, int failures)
{
	EXPLORER_CHECK(status != DUCT_NOMEM || failures_now() > failures);
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

static duct_status call_recv(const struct wait *wait, void *message)
{
	duct_receiver *receiver = receiver_of(wait->step);

	if (wait->step->form == TRY)
		return duct_try_recv(receiver, message);
	if (uses_until(wait))
		return duct_recv_until(receiver, message, wait->deadline, wait->token);
	return duct_recv(receiver, message);
}

static void run_move(const struct step *step)
{
	bool is_send = step->verb == SEND;
	struct wait wait = wait_of(step);
	struct buffer buffer;
	struct operation *operation = oracle_call(MOVE, part_with_message(step, &buffer, 0));
	duct_status status;

	wait_describe(&wait, operation);
	status = is_send ? call_send(&wait, &buffer) : call_recv(&wait, &buffer);
	check_status(&wait, status, is_send ? DUCT_FULL : DUCT_EMPTY);
	settle_message(&operation->parts[0], &buffer, 0, status == DUCT_OK);
	wait_return(&wait, operation, (int)status, 0);
}

static void run_ready(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct operation *operation = oracle_call(READY, part_of_step(step));
	duct_status status;

	wait_describe(&wait, operation);
	if (step->verb == WAIT_SEND)
		status = duct_sender_wait(sender_of(step), wait.deadline, wait.token);
	else
		status = duct_receiver_wait(receiver_of(step), wait.deadline, wait.token);
	check_status(&wait, status, NO_TRY);
	wait_return(&wait, operation, (int)status, 0);
}

/* ---- Batches ---------------------------------------------------------------------------------------------------------- */

/* The i-th operation of a batch: all of them have the call and the return of the batch. */
static struct operation *batch_call(const struct wait *wait, struct buffer *buffer, int first, int i)
{
	int previous = history_length - 1;
	struct operation *operation = oracle_call(MOVE, part_with_message(wait->step, buffer, (size_t)i));

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
static void batch_return(const struct wait *wait, struct buffer *buffer, int first, int done, duct_status status)
{
	int count = wait->step->max;

	for (int i = 0; i < count; i++) {
		history[first + i].received = NULL;
		settle_message(&history[first + i].parts[0], buffer, (size_t)i, i < done);
	}
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
	int first = history_length;
	size_t done = MAX_BATCH + 1, max = (size_t)step->max;
	duct_status status;

	for (int i = 0; i < step->max; i++)
		batch_call(&wait, &buffer, first, i);
	status = duct_send_many(sender_of(step), &buffer, max, &done, wait.deadline, wait.token);
	check_status(&wait, status, NO_TRY);
	EXPLORER_CHECK(done <= max && (status == DUCT_OK) == (done == max));
	batch_return(&wait, &buffer, first, (int)done, status);
}

static void run_recv_many(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct buffer buffer;
	int first = history_length;
	size_t done = MAX_BATCH + 1, min = (size_t)step->min, max = (size_t)step->max;
	duct_status status;

	if (min == 0)
		wait.deadline = DUCT_FOREVER;
	for (int i = 0; i < step->max; i++) {
		struct operation *operation = batch_call(&wait, &buffer, first, i);

		operation->received = message_at(&buffer, &operation->parts[0], (size_t)i);
		operation->never_waits |= i >= step->min;
	}
	status = duct_recv_many(receiver_of(step), &buffer, min, max, &done, wait.deadline, wait.token);
	if (min > 0 || status != DUCT_EMPTY)
		check_status(&wait, status, NO_TRY);
	EXPLORER_CHECK(done <= max);
	if (status == DUCT_OK)
		EXPLORER_CHECK(done >= min && done > 0);
	else if (status != DUCT_LAGGED) /* which may come after any number */
		EXPLORER_CHECK(done < min || done == 0);
	batch_return(&wait, &buffer, first, (int)done, status);
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
		const struct step only = step_of_case(step, i);

		memset(&cases[i], 0, sizeof cases[i]);
		if (only.verb == SEND)
			cases[i].sender = sender_of(&only);
		else
			cases[i].receiver = receiver_of(&only);
		cases[i].message = &buffers[i];
		operation->parts[i] = part_with_message(&only, &buffers[i], 0);
	}
}

/* Only the chosen case has a status, and only its message moved. */
static void select_check(
    const struct step *step, struct operation *operation, const duct_case *cases, struct buffer *buffers, int chosen)
{
	for (int i = 0; i < step->case_count; i++) {
		bool moved = i == chosen && cases[i].status == DUCT_OK && (step->flags & DUCT_READY) == 0;

		EXPLORER_CHECK(i == chosen || cases[i].status == DUCT_OK);
		settle_message(&operation->parts[i], &buffers[i], 0, moved);
	}
}

static void run_select(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct operation *operation = oracle_call((step->flags & DUCT_READY) != 0 ? READY : MOVE, (struct part){ 0 });
	struct buffer buffers[MAX_CASES];
	duct_case cases[MAX_CASES];
	size_t chosen = MAX_CASES + 1;
	duct_status status;

	wait_describe(&wait, operation);
	select_prepare(step, operation, cases, buffers);
	status = call_select(&wait, cases, &chosen);
	check_status(&wait, status, DUCT_EMPTY);
	if (status != DUCT_OK) {
		EXPLORER_CHECK(!is_end(status) && chosen == MAX_CASES + 1);
		select_check(step, operation, cases, buffers, -1);
		wait_return(&wait, operation, (int)status, 0);
		return;
	}
	EXPLORER_CHECK(chosen < (size_t)step->case_count);
	select_check(step, operation, cases, buffers, (int)chosen);
	wait_return(&wait, operation, (int)cases[chosen].status, (int)chosen);
}

/* Stands in for the library's own: at which case a fair select starts is the explorer's choice (tour.h: a fraction of them). */
uint64_t __wrap_turn_next(void)
{
	const struct step *step = inside[explorer_self()];
	uint64_t cases = step == NULL || step->verb != SELECT ? 1 : (uint64_t)step->case_count;
	uint64_t first = (uint64_t)explorer_choose((int)cases);

	return ((first << 32) + cases - 1) / cases;
}

/* ---- Tokens ----------------------------------------------------------------------------------------------------------- */

static void make_tokens(void)
{
	memset(tokens, 0, sizeof tokens);
	memset(raised, 0, sizeof raised);
	token_deadline = explorer_now() + TOKEN_LATER;
	if ((absent & TOKEN_BIT(ROOT)) == 0)
		EXPLORER_CHECK(duct_cancel_new(&tokens[ROOT], NULL, DUCT_FOREVER) == DUCT_OK);
	if ((absent & TOKEN_BIT(TIMED)) == 0)
		EXPLORER_CHECK(duct_cancel_new(&tokens[TIMED], tokens[ROOT], token_deadline) == DUCT_OK);
}

/* All the others are below the root. */
static void run_raise(const struct step *step)
{
	struct operation *operation = oracle_call(RAISE, (struct part){ 0 });

	for (int i = ROOT; i < TOKENS; i++)
		if (step->token == ROOT || (int)step->token == i)
			operation->tokens |= (uint8_t)(1 << i);
	duct_cancel_raise(tokens[step->token]);
	for (int i = ROOT; i < TOKENS; i++)
		raised[i] |= (operation->tokens >> i & 1) != 0;
	oracle_return(operation, DUCT_OK, 0);
}

static void free_tokens(void)
{
	for (int i = ROOT; i < TOKENS; i++)
		if ((absent & TOKEN_BIT(i)) == 0)
			duct_cancel_free(tokens[i]);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------------- */

/* What the thread knows by now: that its calls on these have returned; that those of others on them have. */
static void returned_from(uint32_t what)
{
	for (int i = 0; i < 32; i++)
		if ((what >> i & 1) != 0)
			race_release(explorer_self(), &returns[i]);
}

static void told_of_returns(uint32_t what)
{
	for (int i = 0; i < 32; i++)
		if ((what >> i & 1) != 0)
			race_acquire(explorer_self(), &returns[i]);
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

/* Until all of them are done. */
static void run_threads(void)
{
	pthread_t threads[MAX_THREADS];

	explorer_allow_failures(program_current.fails);
	for (int i = 0; i < program_current.thread_count; i++)
		pthread_create(&threads[i], NULL, thread_main, NULL);
	for (int i = 0; i < program_current.thread_count; i++)
		pthread_join(threads[i], NULL);
}

/* ---- The end of an execution ------------------------------------------------------------------------------------------ */

/* Ends the execution unless the oracle allows what happened. */
static void ask_oracle(bool at_rest)
{
	if (oracle_allows(at_rest))
		return;
	check_rules(at_rest);
	if (at_rest)
		explorer_fail("no thread can run, and the contract does not allow that after this history");
	explorer_fail("the contract does not allow this history");
}

bool program_quiescent(void)
{
	program_rests++;
	ask_oracle(true);
	return true;
}

static void check_nothing_is_left(void)
{
	for (int i = 1; i <= program_current.thread_count; i++)
		EXPLORER_CHECK(!told_blocked[i]);
	if (heap_live() != 0 || explorer_live_objects() != 0)
		explorer_fail("%d allocations, %d mutexes and conditions are left", heap_live(), explorer_live_objects());
}

#endif
