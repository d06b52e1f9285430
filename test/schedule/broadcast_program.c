/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One execution of a small program over a broadcast channel, recorded for the oracle.
 *
 * The body makes the channel and its ends, tries some sends, starts the threads, joins them, looks at all receivers and takes
 * what they have, asks the oracle, and gives everything back.  Beside what the oracle sees and frame_run.h checks
 *
 *   - a receipt is as it was unless the call succeeded;
 *   - with a copy hook each instance of a message is received or dropped exactly once, none is copied after that, and those
 *     that were not sent are neither; with a drop hook only as many are dropped as were not received;
 *   - the log is told of losses with the name of who lost.
 *
 * A message is its number, and in the upper half the number of the instance where there is a copy hook.
 *
 * Freeing a handle is allowed while others are blocked on it, but not while they are on their way into a call; what
 * program.c says of that holds here.  A step that frees where it may not only closes the end.  Calls on the channel of a pair
 * go through the handle that the shared sender lends, which is there as long as that sender.
 */
#include "broadcast.h"

#define MOST_WORDS 1

/* What a thread can need, as bits of a set. */
#define SENDER_BIT(i_) (UINT32_C(1) << (i_))
#define RECEIVER_BIT(i_) (UINT32_C(1) << (SENDERS + (i_)))
#define PEEKABLE_BIT(thread_) (UINT32_C(1) << (SENDERS + RECEIVERS + (thread_)))
#define TOKEN_BIT(token_) (UINT32_C(1) << (SENDERS + RECEIVERS + THREADS - 1 + (token_)))
#define HANDLE_BIT TOKEN_BIT(TIMED + 1)

#include "frame_run.h"

#define MAX_INSTANCES 2048
#define INSTANCE_SHIFT 16

static duct_channel *channel; /* in a pair borrowed from the shared sender */
static duct_sender *senders[SENDERS];
static duct_receiver *receivers[RECEIVERS];
static duct_peekable *peekables[THREADS];
static int peekable_of[THREADS]; /* the receiver that each thread's peekable was made of */

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

static size_t words_of(const struct part *part)
{
	(void)part;
	return 1;
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

static int message_new(uint64_t *words, size_t count)
{
	(void)count;
	EXPLORER_CHECK(last_message + 1 < MAX_MESSAGES);
	*words = (uint64_t)++last_message | (uint64_t)instance_new() << INSTANCE_SHIFT;
	return last_message;
}

static void note_sent(const uint64_t *words)
{
	owned[instance_of(*words)] = true;
}

/* The instance comes out of the channel. */
static void note_end(uint64_t message, const char *how)
{
	uint8_t *count = &ended[instance_of(message)];

	if (program_current.hooks == COPIES && *count > 0)
		explorer_fail("message %d was %s after it was received or dropped", value_of(message), how);
	++*count;
}

static int note_received(const uint64_t *words, size_t count)
{
	(void)count;
	note_end(*words, "received");
	return value_of(*words);
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

/* Of the sender, of the receiver that the step goes through. */
static int end_of(const struct step *step)
{
	int self = explorer_self();

	return verb_sends(step->verb) ? sender_number(step->own, self) : receiver_number(step->receiver, self);
}

static duct_sender *sender_of(const struct step *step)
{
	return senders[end_of(step)];
}

static duct_receiver *receiver_of(const struct step *step)
{
	return receivers[end_of(step)];
}

static struct part part_of(bool is_send, int end)
{
	return (struct part){ .is_send = is_send, .end = (uint8_t)end };
}

static struct part part_of_receiver(int receiver)
{
	return part_of(false, receiver);
}

static struct part part_of_step(const struct step *step)
{
	return part_of(verb_sends(step->verb), end_of(step));
}

static bool is_end(duct_status status)
{
	return status == DUCT_CLOSED || status == DUCT_NO_RECEIVERS || status == DUCT_LAGGED || status == DUCT_INVALIDATED;
}

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

static uint32_t uses_of_step(const struct step *step, int thread)
{
	return needs_of_step(step, thread);
}

static uint32_t makes_of_step(const struct step *step, int thread)
{
	if (verb_joins(step->verb))
		return RECEIVER_BIT(receiver_number(OWN, thread));
	return step->verb == TO_PEEKABLE ? PEEKABLE_BIT(thread) : 0;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------ */

static void run_publish(const struct step *step)
{
	static const duct_receipt untouched = { 77, 78 };
	struct wait wait = wait_of(step);
	struct buffer buffer;
	struct operation *operation = oracle_call(MOVE, part_with_message(step, &buffer, 0));
	duct_receipt receipt = untouched;
	duct_status status;

	wait_describe(&wait, operation);
	status = duct_publish(sender_of(step), &buffer, &receipt, wait.deadline, wait.token);
	check_status(&wait, status, NO_TRY);
	settle_message(&operation->parts[0], &buffer, 0, status == DUCT_OK);
	if (status == DUCT_OK) {
		operation->has_receipt = true;
		operation->delivered = (uint8_t)receipt.delivered;
		operation->lost = (uint8_t)receipt.lost;
	} else {
		EXPLORER_CHECK(receipt.delivered == untouched.delivered && receipt.lost == untouched.lost);
	}
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

static void run_leave(const struct step *step)
{
	int receiver = end_of(step);
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
	struct operation *operation = oracle_call(CLOSE_SENDER, part_of_step(step));

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
	int self = explorer_self(), receiver = end_of(step), failures = failures_now();
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
		check_untouched(&message, 1);
	else if (program_current.hooks == COPIES)
		operation->parts[0].value = (uint8_t)note_received(&message, 1);
	else
		operation->parts[0].value = (uint8_t)value_of(message);
	oracle_return(operation, (int)status, 0);
}

static void run_set_overflow(const struct step *step)
{
	struct operation *operation = oracle_call(SET_OVERFLOW, part_of_step(step));

	operation->number = step->subscription.overflow;
	EXPLORER_CHECK(duct_receiver_set_overflow(receiver_of(step), (duct_overflow)step->subscription.overflow) == DUCT_OK);
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
		last->values[last->count++] = (uint8_t)note_received(&message, 1);
		message = UNTOUCHED;
	}
	check_untouched(&message, 1);
	last->status = (int)status;
	oracle_return(operation, DUCT_OK, 0);
}

static void run_step(const struct step *step)
{
	switch (step->verb) {
	case SEND:
	case RECV:
		run_move(step);
		break;
	case PUBLISH:
		run_publish(step);
		break;
	case SEND_MANY:
		run_send_many(step);
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
		run_look_at_receiver((enum kind)(LOOK_STATS + (step->verb - SEE_STATS)), end_of(step));
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
		run_move(&try_send);
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
	free_tokens();
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
	check_nothing_is_left();
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

static void check_rules(bool at_rest)
{
	if (allowed_without(&oracle_rules.order, at_rest))
		explorer_fail("a sleeper was overtaken");
	if (allowed_without(&oracle_rules.receipts, at_rest))
		explorer_fail("a receipt tells something else than what happened");
	if (allowed_without(&oracle_rules.looks, at_rest))
		explorer_fail("what a receiver tells of itself is not what happened");
}

void program_run(void)
{
	forget();
	make_channel();
	begin_history();
	prefill();
	make_tokens();
	run_threads();
	look_at_all();
	ask_oracle(false);
	free_all();
	check_drops();
	check_accounts();
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
