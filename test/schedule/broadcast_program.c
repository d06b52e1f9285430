/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One execution of a small program over a broadcast channel, recorded for the oracle.
 *
 * The body makes the channel and its ends, tries some sends, starts the threads, joins them, looks at all receivers and takes
 * what they have, asks the oracle, and gives everything back.  Beside what the oracle sees, an execution checks that
 *
 *   - a call returns only what its form can return: TIMEDOUT after its deadline, CANCELED with a token, and nothing but
 *     CANCELED with a token that was raised before;
 *   - a buffer or a receipt is as it was unless the call succeeded, and DUCT_NOMEM comes only where something did fail;
 *   - with a copy hook each instance of a message is received or dropped exactly once, none is copied after that, and those
 *     that were not sent are neither; with a drop hook only as many are dropped as were not received;
 *   - the log is told in pairs of senders that block, and of losses with the name of who lost;
 *   - no allocation, mutex or condition variable is left when all handles are free.
 *
 * A message is its number, and in the upper half the number of the instance where there is a copy hook.
 *
 * Freeing a handle is allowed while others are blocked on it, but not while they are on their way into a call; what
 * program.c says of that holds here.  A step that frees where it may not only closes the end.  Calls on the channel of a pair
 * go through the handle that the shared sender lends, which is there as long as that sender.
 */
#include "broadcast.h"

#include "explorer.h"
#include "heap.h"
#include "race.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MESSAGES 99
#define MAX_INSTANCES 2048
#define INSTANCE_SHIFT 16
#define SOON 1000       /* ns */
#define TOKEN_LATER 700 /* ns after the start */

/* What a thread can need, as bits of a set. */
#define SENDER_BIT(i_) (UINT32_C(1) << (i_))
#define RECEIVER_BIT(i_) (UINT32_C(1) << (SENDERS + (i_)))
#define PEEKABLE_BIT(thread_) (UINT32_C(1) << (SENDERS + RECEIVERS + (thread_)))
#define TOKEN_BIT(token_) (UINT32_C(1) << (SENDERS + RECEIVERS + THREADS - 1 + (token_)))
#define HANDLE_BIT TOKEN_BIT(TIMED + 1)

struct program program_current;
long program_rests;

static duct_channel *channel; /* in a pair borrowed from the shared sender */
static duct_sender *senders[SENDERS];
static duct_receiver *receivers[RECEIVERS];
static duct_peekable *peekables[THREADS];
static int peekable_of[THREADS]; /* the receiver that each thread's peekable was made of */
static duct_cancel *tokens[TIMED + 1];
static bool raised[TIMED + 1]; /* for certain */
static int64_t token_deadline;

static uint32_t absent;                            /* what is not there */
static char returns[32];                           /* what the race detector knows the returns from each by */
static const struct step *inside[MAX_THREADS + 1]; /* the step whose call a thread is in */
static bool told_blocked[MAX_THREADS + 1];

static int last_message, last_instance;
static bool owned[MAX_INSTANCES]; /* by the channel, once */
static uint8_t ended[MAX_INSTANCES];
static long drops;

/* ---- Messages --------------------------------------------------------------------------------------------------------- */

static int instance_new(void)
{
	EXPLORER_CHECK(last_instance + 1 < MAX_INSTANCES);
	return ++last_instance;
}

static uint64_t message_new(void)
{
	EXPLORER_CHECK(last_message + 1 < MAX_MESSAGES);
	return (uint64_t)++last_message | (uint64_t)instance_new() << INSTANCE_SHIFT;
}

static int value_of(uint64_t message)
{
	return (int)(message & ((1 << INSTANCE_SHIFT) - 1));
}

static int instance_of(uint64_t message)
{
	int value = value_of(message);
	uint64_t instance = message >> INSTANCE_SHIFT;

	if (value < 1 || value > last_message || instance < 1 || instance > (uint64_t)last_instance)
		explorer_fail("not a message: %#llx", (unsigned long long)message);
	return (int)instance;
}

static void note_sent(uint64_t message)
{
	owned[instance_of(message)] = true;
}

/* The instance comes out of the channel. */
static void note_end(uint64_t message, const char *how)
{
	uint8_t *count = &ended[instance_of(message)];

	if (program_current.hooks == COPIES && *count > 0)
		explorer_fail("message %d was %s after it was received or dropped", value_of(message), how);
	++*count;
}

static void check_untouched(uint64_t message)
{
	if (message != UNTOUCHED)
		explorer_fail("a receive that failed wrote to its buffer");
}

static void drop(void *message, void *context)
{
	(void)context;
	explorer_point("drop hook", message);
	heap_check(message, sizeof(uint64_t));
	note_end(*(uint64_t *)message, "dropped");
	drops++;
}

static int copy(void *to, const void *from, void *context)
{
	uint64_t message = *(const uint64_t *)from;

	(void)context;
	explorer_point("copy hook", from);
	heap_check(from, sizeof(uint64_t));
	heap_check(to, sizeof(uint64_t));
	if (ended[instance_of(message)] > 0)
		explorer_fail("message %d was copied after it was received or dropped", value_of(message));
	if (explorer_fails())
		return 1;
	message = (uint64_t)value_of(message) | (uint64_t)instance_new() << INSTANCE_SHIFT;
	owned[last_instance] = true;
	*(uint64_t *)to = message;
	return 0;
}

/* Tells when a sender has to wait, and when it goes on; and what was lost. */
static void hear(const duct_log_event *event, void *context)
{
	bool *told = &told_blocked[explorer_self()];

	(void)context;
	explorer_point("log hook", event);
	if (event->kind == DUCT_LOG_LOST || event->kind == DUCT_LOG_CUT_OFF) {
		EXPLORER_CHECK(event->receiver != NULL);
		return;
	}
	EXPLORER_CHECK(*told == (event->kind == DUCT_LOG_RESUMED) && event->lost == 0 && event->receiver == NULL);
	*told = event->kind == DUCT_LOG_BLOCKED;
}

/* ---- What a step goes through ----------------------------------------------------------------------------------------- */

static int sender_number(bool own, int thread)
{
	return own ? thread : 0;
}

static int receiver_number(int receiver, int thread)
{
	return receiver == OWN ? FIRST_RECEIVERS + thread - 1 : receiver;
}

static duct_sender *sender_of(const struct step *step)
{
	return senders[sender_number(step->own, explorer_self())];
}

static int receiver_of(const struct step *step)
{
	return receiver_number(step->receiver, explorer_self());
}

static struct part part_of(bool is_send, int end, int value)
{
	struct part part = { .is_send = is_send, .end = (uint8_t)end, .value = (uint8_t)value };

	return part;
}

static struct part part_of_receiver(int receiver)
{
	return part_of(false, receiver, 0);
}

static struct part part_of_sender(const struct step *step, uint64_t message)
{
	return part_of(true, sender_number(step->own, explorer_self()), value_of(message));
}

/* What a step of the thread needs. */
static uint32_t needs_of_step(const struct step *step, int thread)
{
	uint32_t needs = step->token != NO_TOKEN ? TOKEN_BIT(step->token) : 0;

	if (verb_sends(step->verb))
		return needs | SENDER_BIT(sender_number(step->own, thread));
	if (verb_of_receiver(step->verb))
		return needs | RECEIVER_BIT(receiver_number(step->receiver, thread));
	switch (step->verb) {
	case SELECT:
		for (int i = 0; i < step->case_count; i++)
			needs |= step->cases[i].is_send ? SENDER_BIT(sender_number(step->cases[i].own, thread))
			                                : RECEIVER_BIT(receiver_number(step->cases[i].receiver, thread));
		return needs;
	case SENDER_SUBSCRIBE:
		return needs | SENDER_BIT(0);
	case SHOW_LAST:
		return needs | PEEKABLE_BIT(thread);
	case RAISE_TOKEN:
		return needs;
	default:
		return needs | HANDLE_BIT;
	}
}

/* What it makes. */
static uint32_t makes_of_step(const struct step *step, int thread)
{
	if (verb_joins(step->verb))
		return RECEIVER_BIT(receiver_number(OWN, thread));
	return step->verb == TO_PEEKABLE ? PEEKABLE_BIT(thread) : 0;
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
	bool allowed = status == DUCT_OK || status == DUCT_CLOSED || status == DUCT_NO_RECEIVERS || status == DUCT_LAGGED ||
	               status == DUCT_INVALIDATED;

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

static void run_send(const struct step *step)
{
	struct wait wait = wait_of(step);
	uint64_t message = message_new();
	struct operation *operation = oracle_call(MOVE, part_of_sender(step, message));
	duct_status status;

	wait_describe(&wait, operation);
	status = call_send(&wait, &message);
	check_status(&wait, status, DUCT_FULL);
	if (status == DUCT_OK)
		note_sent(message);
	wait_return(&wait, operation, (int)status, 0);
}

static void run_publish(const struct step *step)
{
	static const duct_receipt untouched = { 77, 78 };
	struct wait wait = wait_of(step);
	uint64_t message = message_new();
	struct operation *operation = oracle_call(MOVE, part_of_sender(step, message));
	duct_receipt receipt = untouched;
	duct_status status;

	wait_describe(&wait, operation);
	status = duct_publish(sender_of(step), &message, &receipt, wait.deadline, wait.token);
	check_status(&wait, status, NO_TRY);
	if (status == DUCT_OK) {
		note_sent(message);
		operation->has_receipt = true;
		operation->delivered = (uint8_t)receipt.delivered;
		operation->lost = (uint8_t)receipt.lost;
	} else {
		EXPLORER_CHECK(receipt.delivered == untouched.delivered && receipt.lost == untouched.lost);
	}
	wait_return(&wait, operation, (int)status, 0);
}

static duct_status call_recv(const struct wait *wait, void *message)
{
	duct_receiver *receiver = receivers[receiver_of(wait->step)];

	if (wait->step->form == TRY)
		return duct_try_recv(receiver, message);
	if (uses_until(wait))
		return duct_recv_until(receiver, message, wait->deadline, wait->token);
	return duct_recv(receiver, message);
}

/* The operation received the message. */
static void receive(struct operation *operation, int part, uint64_t message)
{
	note_end(message, "received");
	operation->parts[part].value = (uint8_t)value_of(message);
}

static void run_recv(const struct step *step)
{
	struct wait wait = wait_of(step);
	uint64_t message = UNTOUCHED;
	struct operation *operation = oracle_call(MOVE, part_of_receiver(receiver_of(step)));
	duct_status status;

	wait_describe(&wait, operation);
	status = call_recv(&wait, &message);
	check_status(&wait, status, DUCT_EMPTY);
	if (status == DUCT_OK)
		receive(operation, 0, message);
	else
		check_untouched(message);
	wait_return(&wait, operation, (int)status, 0);
}

static void run_ready(const struct step *step)
{
	bool is_send = step->verb == WAIT_SEND;
	struct wait wait = wait_of(step);
	struct operation *operation =
	    oracle_call(READY, is_send ? part_of_sender(step, 0) : part_of_receiver(receiver_of(step)));
	duct_status status;

	wait_describe(&wait, operation);
	if (is_send)
		status = duct_sender_wait(sender_of(step), wait.deadline, wait.token);
	else
		status = duct_receiver_wait(receivers[receiver_of(step)], wait.deadline, wait.token);
	check_status(&wait, status, NO_TRY);
	wait_return(&wait, operation, (int)status, 0);
}

static void run_wait_receivers(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct operation *operation = oracle_call(WAIT_RECEIVERS, part_of_receiver(0));
	duct_status status;

	operation->number = step->number;
	wait_describe(&wait, operation);
	status = duct_channel_wait_receivers(channel, (size_t)step->number, wait.deadline, wait.token);
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
	uint64_t messages[MAX_BATCH];
	int first = history_length;
	size_t done = MAX_BATCH + 1;
	duct_status status;

	for (int i = 0; i < step->max; i++) {
		messages[i] = message_new();
		batch_call(&wait, part_of_sender(step, messages[i]), first, i);
	}
	status = duct_send_many(sender_of(step), messages, (size_t)step->max, &done, wait.deadline, wait.token);
	check_status(&wait, status, NO_TRY);
	EXPLORER_CHECK(done <= (size_t)step->max && (status == DUCT_OK) == (done == (size_t)step->max));
	for (size_t i = 0; i < done; i++)
		note_sent(messages[i]);
	batch_return(&wait, first, step->max, (int)done, status);
}

static void batch_receive(int first, const uint64_t *messages, int done, int max)
{
	for (int i = 0; i < max; i++) {
		history[first + i].received = NULL;
		if (i < done)
			receive(&history[first + i], 0, messages[i]);
		else
			check_untouched(messages[i]);
	}
}

static void run_recv_many(const struct step *step)
{
	struct wait wait = wait_of(step);
	uint64_t messages[MAX_BATCH] = { UNTOUCHED, UNTOUCHED, UNTOUCHED };
	int first = history_length;
	size_t done = MAX_BATCH + 1;
	duct_status status;

	if (step->min == 0)
		wait.deadline = DUCT_FOREVER;
	for (int i = 0; i < step->max; i++) {
		struct operation *operation = batch_call(&wait, part_of_receiver(receiver_of(step)), first, i);

		operation->received = &messages[i];
		operation->never_waits |= i >= step->min;
	}
	status = duct_recv_many(
	    receivers[receiver_of(step)], messages, (size_t)step->min, (size_t)step->max, &done, wait.deadline, wait.token);
	if (step->min > 0 || status != DUCT_EMPTY)
		check_status(&wait, status, NO_TRY);
	EXPLORER_CHECK(done <= (size_t)step->max);
	if (status == DUCT_OK)
		EXPLORER_CHECK(done >= (size_t)step->min && done > 0);
	else if (status != DUCT_LAGGED) /* which may come after any number */
		EXPLORER_CHECK(done < (size_t)step->min || done == 0);
	batch_receive(first, messages, (int)done, step->max);
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

static void select_prepare(const struct step *step, struct operation *operation, duct_case *cases, uint64_t *messages)
{
	int self = explorer_self();

	operation->part_count = step->case_count;
	operation->in_order = (step->flags & DUCT_PRIORITY) != 0;
	for (int i = 0; i < step->case_count; i++) {
		const struct step_case *from = &step->cases[i];
		int end = from->is_send ? sender_number(from->own, self) : receiver_number(from->receiver, self);

		memset(&cases[i], 0, sizeof cases[i]);
		messages[i] = from->is_send ? message_new() : UNTOUCHED;
		if (from->is_send)
			cases[i].sender = senders[end];
		else
			cases[i].receiver = receivers[end];
		cases[i].message = &messages[i];
		operation->parts[i] = part_of(from->is_send, end, from->is_send ? value_of(messages[i]) : 0);
	}
}

/* Only the chosen case has a status, and only its message moved. */
static void select_check(
    const struct step *step, struct operation *operation, const duct_case *cases, const uint64_t *messages, int chosen)
{
	for (int i = 0; i < step->case_count; i++) {
		bool moved = i == chosen && cases[i].status == DUCT_OK && (step->flags & DUCT_READY) == 0;

		EXPLORER_CHECK(i == chosen || cases[i].status == DUCT_OK);
		if (operation->parts[i].is_send && moved)
			note_sent(messages[i]);
		else if (moved)
			receive(operation, i, messages[i]);
		else if (!operation->parts[i].is_send)
			check_untouched(messages[i]);
	}
}

static void run_select(const struct step *step)
{
	struct wait wait = wait_of(step);
	struct operation *operation = oracle_call((step->flags & DUCT_READY) != 0 ? READY : MOVE, part_of_receiver(0));
	uint64_t messages[MAX_CASES];
	duct_case cases[MAX_CASES];
	size_t chosen = MAX_CASES + 1;
	duct_status status;

	wait_describe(&wait, operation);
	select_prepare(step, operation, cases, messages);
	status = call_select(&wait, cases, &chosen);
	check_status(&wait, status, DUCT_EMPTY);
	if (status != DUCT_OK) {
		EXPLORER_CHECK(
		    status == DUCT_EMPTY || status == DUCT_TIMEDOUT || status == DUCT_CANCELED || status == DUCT_NOMEM);
		EXPLORER_CHECK(chosen == MAX_CASES + 1);
		select_check(step, operation, cases, messages, -1);
		wait_return(&wait, operation, (int)status, 0);
		return;
	}
	EXPLORER_CHECK(chosen < (size_t)step->case_count);
	select_check(step, operation, cases, messages, (int)chosen);
	wait_return(&wait, operation, (int)cases[chosen].status, (int)chosen);
}

/* ---- Receivers that come and go ----------------------------------------------------------------------------------------- */

static duct_subscription subscription_of(const struct subscription *from)
{
	duct_subscription made = DUCT_SUBSCRIPTION_INIT;

	made.capacity = from->capacity;
	made.overflow = (duct_overflow)from->overflow;
	made.tell_lag = from->tell_lag;
	return made;
}

static struct operation *call_join(int receiver, enum origin origin, int from, const struct subscription *subscription)
{
	struct operation *operation = oracle_call(JOIN, part_of_receiver(receiver));

	operation->origin = origin;
	operation->from = (uint8_t)from;
	operation->subscription = *subscription;
	return operation;
}

static duct_status join(const struct step *step, duct_receiver **made)
{
	duct_subscription subscription = subscription_of(&step->subscription);

	if (step->verb == SUBSCRIBE)
		return duct_subscribe(channel, made, &subscription);
	if (step->verb == SENDER_SUBSCRIBE)
		return duct_sender_subscribe(senders[0], made, &subscription);
	return duct_receiver_clone(receivers[step->receiver], made);
}

/* A call that has returned had a last operation as well. */
static struct operation *return_again(const struct operation *first, enum kind kind)
{
	struct operation *operation = oracle_call(kind, first->parts[0]);

	operation->after = (int)(first - history);
	operation->call = first->call;
	oracle_return(operation, first->status, 0);
	operation->returned = first->returned;
	return operation;
}

static void run_join(const struct step *step)
{
	static const enum origin origins[] = { FROM_CHANNEL, FROM_SENDER, FROM_RECEIVER };
	int receiver = receiver_number(OWN, explorer_self()), failures = failures_now();
	enum origin origin = origins[step->verb - SUBSCRIBE];
	struct operation *operation = call_join(receiver, origin, step->receiver, &step->subscription);
	duct_receiver *made = NULL;
	duct_status status = join(step, &made);

	check_resources(status, failures);
	EXPLORER_CHECK(status == DUCT_OK || status == DUCT_CLOSED || status == DUCT_NOMEM);
	EXPLORER_CHECK((status == DUCT_OK) == (made != NULL));
	receivers[receiver] = made;
	if (status == DUCT_OK)
		absent &= ~RECEIVER_BIT(receiver);
	oracle_return(operation, (int)status, 0);
	if (status != DUCT_CLOSED)
		return_again(operation, JOINED);
}

/*
 * Nobody but threads that are blocked uses it.  A handle that is lent by what goes is not for blocked threads either.
 */
static bool may_free(uint32_t what, uint32_t lent)
{
	int self = explorer_self();

	for (int i = 1; i <= program_current.thread_count; i++) {
		uint32_t used = i == self || inside[i] == NULL ? 0 : needs_of_step(inside[i], i);

		if ((used & lent) != 0 || ((used & what) != 0 && !explorer_blocked(i)))
			return false;
	}
	return true;
}

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

static void run_leave(const struct step *step)
{
	int receiver = receiver_of(step);
	bool frees = step->verb == FREE_RECEIVER && may_free(RECEIVER_BIT(receiver), 0);
	struct operation *operation = oracle_call(frees ? LEAVE_FREED : LEAVE, part_of_receiver(receiver));

	if (frees) {
		absent |= RECEIVER_BIT(receiver);
		told_of_returns(RECEIVER_BIT(receiver));
		duct_receiver_free(receivers[receiver]);
	} else {
		duct_receiver_close(receivers[receiver]);
		EXPLORER_CHECK(duct_receiver_is_closed(receivers[receiver]));
	}
	oracle_return(operation, DUCT_OK, 0);
}

static void run_close_sender(const struct step *step)
{
	int sender = sender_number(step->own, explorer_self());
	uint32_t lent = program_current.pair && sender == 0 ? HANDLE_BIT : 0, what = SENDER_BIT(sender) | lent;
	bool frees = step->verb == FREE_SENDER && may_free(what, lent);
	struct operation *operation = oracle_call(CLOSE_SENDER, part_of_sender(step, 0));

	if (frees) {
		absent |= what;
		told_of_returns(what);
		duct_sender_free(senders[sender]);
	} else {
		duct_sender_close(senders[sender]);
	}
	oracle_return(operation, DUCT_OK, 0);
}

static void run_into_peekable(const struct step *step)
{
	int self = explorer_self(), receiver = receiver_of(step), failures = failures_now();
	struct operation *operation = oracle_call(INTO_PEEKABLE, part_of_receiver(receiver));
	duct_peekable *made = NULL;
	duct_status status = duct_receiver_into_peekable(receivers[receiver], &made);

	check_resources(status, failures);
	EXPLORER_CHECK(status == DUCT_OK || status == DUCT_CLOSED || status == DUCT_NOMEM);
	EXPLORER_CHECK((status == DUCT_OK) == (made != NULL));
	peekables[self] = made;
	peekable_of[self] = receiver;
	if (status == DUCT_OK)
		absent &= ~PEEKABLE_BIT(self);
	oracle_return(operation, (int)status, 0);
	return_again(operation, LEFT_PEEKABLE);
}

static void run_peek(void)
{
	int self = explorer_self(), failures = failures_now();
	struct operation *operation = oracle_call(PEEK, part_of_receiver(peekable_of[self]));
	uint64_t message = UNTOUCHED;
	duct_status status = duct_peek(peekables[self], &message);

	check_resources(status, failures);
	if (status != DUCT_OK)
		check_untouched(message);
	else if (program_current.hooks == COPIES)
		receive(operation, 0, message);
	else
		operation->parts[0].value = (uint8_t)value_of(message);
	oracle_return(operation, (int)status, 0);
}

static void run_set_overflow(const struct step *step)
{
	struct operation *operation = oracle_call(SET_OVERFLOW, part_of_receiver(receiver_of(step)));
	duct_receiver *receiver = receivers[receiver_of(step)];

	operation->number = step->subscription.overflow;
	EXPLORER_CHECK(duct_receiver_set_overflow(receiver, (duct_overflow)step->subscription.overflow) == DUCT_OK);
	oracle_return(operation, DUCT_OK, 0);
}

/* ---- The channel ------------------------------------------------------------------------------------------------------ */

static void run_set_replay(const struct step *step)
{
	int failures = failures_now();
	struct operation *operation = oracle_call(SET_REPLAY, part_of_receiver(0));
	duct_status status;

	operation->number = step->number;
	status = duct_channel_set_replay(channel, (size_t)step->number);
	check_resources(status, failures);
	EXPLORER_CHECK(status == DUCT_OK || status == DUCT_NOMEM);
	oracle_return(operation, (int)status, 0);
}

static void run_close(void)
{
	struct operation *operation = oracle_call(CLOSE, part_of_receiver(0));

	operation->number = explorer_self();
	duct_channel_close(channel, operation->number);
	EXPLORER_CHECK(duct_channel_is_closed(channel));
	oracle_return(operation, DUCT_OK, 0);
}

static void run_discard(void)
{
	int failures = failures_now();
	struct operation *operation = oracle_call(DISCARD, part_of_receiver(0));
	size_t count = MAX_MESSAGES;
	duct_status status = duct_channel_discard(channel, &count);

	check_resources(status, failures);
	EXPLORER_CHECK(status == DUCT_OK || (status == DUCT_NOMEM && count == MAX_MESSAGES));
	oracle_return(operation, status == DUCT_OK ? DUCT_OK : ERASED, 0);
	if (status == DUCT_OK)
		return_again(operation, DISCARDED)->number = (int)count;
}

static void run_raise(const struct step *step)
{
	struct operation *operation = oracle_call(RAISE, part_of_receiver(0));

	operation->tokens = step->token == ROOT ? 1 << ROOT | 1 << TIMED : 1 << step->token;
	duct_cancel_raise(tokens[step->token]);
	for (int i = ROOT; i <= TIMED; i++)
		raised[i] |= (operation->tokens >> i & 1) != 0;
	oracle_return(operation, DUCT_OK, 0);
}

/* ---- Looks ------------------------------------------------------------------------------------------------------------ */

static struct stats stats_of(int receiver)
{
	duct_stats stats;

	EXPLORER_CHECK(duct_receiver_stats(receivers[receiver], &stats) == DUCT_OK);
	if (stats.sent != stats.received + stats.lost + stats.queued + stats.discarded)
		explorer_fail("stats that do not add up: %d sent, %d received, %d lost, %d queued, %d discarded",
		    (int)stats.sent, (int)stats.received, (int)stats.lost, (int)stats.queued, (int)stats.discarded);
	return (struct stats){ (uint8_t)stats.sent, (uint8_t)stats.received, (uint8_t)stats.lost, (uint8_t)stats.queued,
		(uint8_t)stats.discarded };
}

static int state_of(int receiver)
{
	bool cut_off = duct_receiver_is_cut_off(receivers[receiver]);

	return (duct_receiver_is_closed(receivers[receiver]) ? STATE_CLOSED : 0) | (cut_off ? STATE_CUT_OFF : 0);
}

static void run_look_at_receiver(enum kind kind, int receiver)
{
	struct operation *operation = oracle_call(kind, part_of_receiver(receiver));

	if (kind == LOOK_STATS)
		operation->stats = stats_of(receiver);
	else if (kind == LOOK_LENGTH)
		operation->number = (int)duct_receiver_len(receivers[receiver]);
	else if (kind == LOOK_STATE)
		operation->number = duct_receiver_is_closed(receivers[receiver]);
	else
		operation->number = (int)duct_receiver_lag(receivers[receiver]);
	oracle_return(operation, DUCT_OK, 0);
}

static void run_look(enum kind kind)
{
	struct operation *operation = oracle_call(kind, part_of_receiver(0));

	if (kind == LOOK_RECEIVERS)
		operation->number = (int)duct_channel_receivers(channel);
	else if (kind == LOOK_CLOSED)
		operation->number = duct_channel_is_closed(channel);
	else
		operation->number = duct_channel_reason(channel);
	oracle_return(operation, DUCT_OK, 0);
}

/* All that there is to see of a receiver, and to receive. */
static void look_at_last(int receiver)
{
	struct operation *operation = oracle_call(LOOK_LAST, part_of_receiver(receiver));
	struct last *last = &operation->last;
	uint64_t message;
	duct_status status;

	last->stats = stats_of(receiver);
	last->state = (uint8_t)state_of(receiver);
	EXPLORER_CHECK(duct_receiver_len(receivers[receiver]) == last->stats.queued);
	message = UNTOUCHED;
	status = duct_try_recv(receivers[receiver], &message);
	last->lagged = status == DUCT_LAGGED;
	last->lag = (uint8_t)duct_receiver_lag(receivers[receiver]);
	if (status == DUCT_LAGGED)
		status = duct_try_recv(receivers[receiver], &message);
	for (; status == DUCT_OK && last->count <= MAX_CAPACITY; status = duct_try_recv(receivers[receiver], &message)) {
		note_end(message, "received");
		last->values[last->count++] = (uint8_t)value_of(message);
		message = UNTOUCHED;
	}
	check_untouched(message);
	last->status = (int)status;
	oracle_return(operation, DUCT_OK, 0);
}

static void run_step(const struct step *step)
{
	switch (step->verb) {
	case SEND:
		run_send(step);
		break;
	case PUBLISH:
		run_publish(step);
		break;
	case SEND_MANY:
		run_send_many(step);
		break;
	case RECV:
		run_recv(step);
		break;
	case RECV_MANY:
		run_recv_many(step);
		break;
	case SELECT:
		run_select(step);
		break;
	case WAIT_SEND:
	case WAIT_RECV:
		run_ready(step);
		break;
	case WAIT_COUNT:
		run_wait_receivers(step);
		break;
	case SUBSCRIBE:
	case SENDER_SUBSCRIBE:
	case CLONE_RECEIVER:
		run_join(step);
		break;
	case CLOSE_RECEIVER:
	case FREE_RECEIVER:
		run_leave(step);
		break;
	case TO_PEEKABLE:
		run_into_peekable(step);
		break;
	case SHOW_LAST:
		run_peek();
		break;
	case SET_POLICY:
		run_set_overflow(step);
		break;
	case SET_KEPT:
		run_set_replay(step);
		break;
	case CLOSE_CHANNEL:
		run_close();
		break;
	case DISCARD_CHANNEL:
		run_discard();
		break;
	case SHUT_SENDER:
	case FREE_SENDER:
		run_close_sender(step);
		break;
	case RAISE_TOKEN:
		run_raise(step);
		break;
	case SEE_STATS:
	case SEE_LENGTH:
	case SEE_STATE:
	case SEE_LAG:
		run_look_at_receiver((enum kind)(LOOK_STATS + (step->verb - SEE_STATS)), receiver_of(step));
		break;
	case SEE_RECEIVERS:
	case SEE_CLOSED:
	case SEE_REASON:
		run_look((enum kind)(LOOK_RECEIVERS + (step->verb - SEE_RECEIVERS)));
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
		uint32_t needs = needs_of_step(step, self);

		if ((absent & needs) != 0 || (~absent & makes_of_step(step, self)) != 0)
			continue;
		inside[self] = step;
		run_step(step);
		returned_from(needs);
		inside[self] = NULL;
	}
	return NULL;
}

/* What is there at the start: all that is used and not made. */
static uint32_t present_at_start(void)
{
	uint32_t used = SENDER_BIT(0) | HANDLE_BIT, made = 0;

	for (int i = 0; i < program_current.thread_count; i++) {
		made |= RECEIVER_BIT(receiver_number(OWN, i + 1)) | PEEKABLE_BIT(i + 1);
		for (int k = 0; k < program_current.step_count[i]; k++)
			used |= needs_of_step(&program_current.steps[i][k], i + 1);
	}
	for (int i = 0; i < FIRST_RECEIVERS; i++) {
		used |= RECEIVER_BIT(i);
		if (i >= program_current.receiver_count)
			made |= RECEIVER_BIT(i);
	}
	if ((used & TOKEN_BIT(TIMED)) != 0)
		used |= TOKEN_BIT(ROOT);
	return used & ~made;
}

static duct_options options_of_program(void)
{
	duct_options options = DUCT_OPTIONS_INIT;

	options.drop = program_current.hooks != NO_HOOKS ? drop : NULL;
	options.copy = program_current.hooks == COPIES ? copy : NULL;
	options.log = program_current.hooks == COPIES ? hear : NULL;
	options.log_interval = 1;
	options.replay = (size_t)program_current.replay;
	options.unheard = program_current.unheard;
	return options;
}

/* The receivers at the start join as any others do. */
static void make_receiver(int i)
{
	const struct subscription *from = &program_current.receivers[i];
	duct_subscription subscription = subscription_of(from);
	struct operation *operation = call_join(i, FROM_CHANNEL, 0, from);

	if (!program_current.pair)
		EXPLORER_CHECK(duct_subscribe(channel, &receivers[i], &subscription) == DUCT_OK);
	else if (i > 0)
		EXPLORER_CHECK(duct_sender_subscribe(senders[0], &receivers[i], &subscription) == DUCT_OK);
	oracle_return(operation, DUCT_OK, 0);
}

static void make_channel(void)
{
	duct_options options = options_of_program();
	duct_subscription first = subscription_of(&program_current.receivers[0]);

	if (program_current.pair) {
		EXPLORER_CHECK(duct_broadcast_open(&senders[0], &receivers[0], sizeof(uint64_t), &first, &options) == DUCT_OK);
		channel = duct_sender_channel(senders[0]);
	} else {
		EXPLORER_CHECK(duct_broadcast_new(&channel, sizeof(uint64_t), &options) == DUCT_OK);
		EXPLORER_CHECK(duct_sender_new(channel, &senders[0]) == DUCT_OK);
	}
	for (int i = 1; i < SENDERS; i++)
		if ((absent & SENDER_BIT(i)) == 0)
			EXPLORER_CHECK(duct_sender_clone(senders[0], &senders[i]) == DUCT_OK);
}

static void prefill(void)
{
	static const struct step try_send = { .verb = SEND, .form = TRY };

	for (int i = 0; i < program_current.receiver_count; i++)
		make_receiver(i);
	for (int i = 0; i < program_current.prefilled; i++)
		run_send(&try_send);
}

/* They have copies of their own. */
static bool has_peekables(void)
{
	for (int i = 0; i < program_current.thread_count; i++)
		for (int k = 0; k < program_current.step_count[i]; k++)
			if (program_current.steps[i][k].verb == TO_PEEKABLE)
				return true;
	return false;
}

static void begin_history(void)
{
	struct beginning beginning = {
		.unheard = program_current.unheard,
		.replay = program_current.replay,
		.pair = program_current.pair,
		.hooks = program_current.hooks != NO_HOOKS,
		.counts = program_current.hooks == ONLY_DROPS && !has_peekables(),
		.copies = program_current.hooks == COPIES,
		.receivers = FIRST_RECEIVERS + program_current.thread_count,
		.senders = (uint8_t)(~absent & (SENDER_BIT(SENDERS) - 1)),
	};

	oracle_begin(&beginning);
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
}

static void free_all(void)
{
	for (int i = 0; i < RECEIVERS; i++)
		if ((absent & RECEIVER_BIT(i)) == 0)
			duct_receiver_free(receivers[i]);
	for (int i = 0; i < SENDERS; i++)
		if ((absent & SENDER_BIT(i)) == 0)
			duct_sender_free(senders[i]);
	for (int i = 0; i < THREADS; i++)
		if ((absent & PEEKABLE_BIT(i)) == 0)
			duct_peekable_free(peekables[i]);
	if (!program_current.pair)
		duct_channel_free(channel);
	for (int i = ROOT; i <= TIMED; i++)
		if ((absent & TOKEN_BIT(i)) == 0)
			duct_cancel_free(tokens[i]);
}

static void check_instances(void)
{
	for (int i = 1; i <= last_instance; i++)
		if (ended[i] != owned[i])
			explorer_fail("instance %d: sent or copied %d, received or dropped %d times", i, owned[i], ended[i]);
}

/* With a copy hook instances are told apart, and counted one by one. */
static void check_drops(void)
{
	struct operation *operation;

	if (program_current.hooks != ONLY_DROPS)
		return;
	operation = oracle_call(DROPS, part_of_receiver(0));
	operation->number = (int)drops;
	oracle_return(operation, DUCT_OK, 0);
	if (!oracle_allows(false))
		explorer_fail("the drop hook ran %ld times, and not once for each copy that was left", drops);
}

static void check_accounts(void)
{
	if (program_current.hooks == COPIES)
		check_instances();
	for (int i = 1; i <= program_current.thread_count; i++)
		EXPLORER_CHECK(!told_blocked[i]);
	if (heap_live() != 0 || explorer_live_objects() != 0)
		explorer_fail("%d allocations, %d mutexes and conditions are left", heap_live(), explorer_live_objects());
}

static void forget(void)
{
	last_message = last_instance = 0;
	drops = 0;
	absent = ~present_at_start();
	memset(owned, 0, sizeof owned);
	memset(ended, 0, sizeof ended);
	memset(inside, 0, sizeof inside);
	memset(told_blocked, 0, sizeof told_blocked);
}

static void look_at_all(void)
{
	for (int i = 0; i < RECEIVERS; i++)
		if ((absent & RECEIVER_BIT(i)) == 0)
			look_at_last(i);
	if ((absent & HANDLE_BIT) != 0)
		return;
	run_look(LOOK_RECEIVERS);
	run_look(LOOK_CLOSED);
	run_look(LOOK_REASON);
}

static bool allowed_without(bool *rule, bool at_rest)
{
	long given_up = oracle_given_up;
	bool allowed;

	*rule = false;
	allowed = oracle_allows(at_rest);
	*rule = true;
	return allowed && oracle_given_up == given_up;
}

/* Ends the execution unless the oracle allows what happened. */
static void ask_oracle(bool at_rest)
{
	if (oracle_allows(at_rest))
		return;
	if (allowed_without(&oracle_rules.order, at_rest))
		explorer_fail("a sleeper was overtaken");
	if (allowed_without(&oracle_rules.receipts, at_rest))
		explorer_fail("a receipt tells something else than what happened");
	if (allowed_without(&oracle_rules.looks, at_rest))
		explorer_fail("what a receiver tells of itself is not what happened");
	if (at_rest)
		explorer_fail("no thread can run, and the contract does not allow that after this history");
	explorer_fail("the contract does not allow this history");
}

void program_run(void)
{
	pthread_t threads[MAX_THREADS];

	forget();
	make_channel();
	begin_history();
	prefill();
	make_tokens();
	explorer_allow_failures(program_current.fails);
	for (int i = 0; i < program_current.thread_count; i++)
		pthread_create(&threads[i], NULL, thread_main, NULL);
	for (int i = 0; i < program_current.thread_count; i++)
		pthread_join(threads[i], NULL);
	look_at_all();
	ask_oracle(false);
	free_all();
	check_drops();
	check_accounts();
}

bool program_quiescent(void)
{
	program_rests++;
	ask_oracle(true);
	return true;
}

int step_operations(const struct step *step)
{
	if (step->verb == SEND_MANY || step->verb == RECV_MANY)
		return step->max;
	return step->verb == DISCARD_CHANNEL || verb_joins(step->verb) || step->verb == TO_PEEKABLE ? 2 : 1;
}

int program_operations(const struct program *program)
{
	int operations = 2 * program->receiver_count + program->prefilled + program->thread_count + 4;

	for (int i = 0; i < program->thread_count; i++)
		for (int k = 0; k < program->step_count[i]; k++)
			operations += step_operations(&program->steps[i][k]);
	return operations;
}
