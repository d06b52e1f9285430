/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One execution of a small program over two channels, recorded for the oracle.
 *
 * The body makes the channels and their ends, starts the threads, joins them, asks the oracle, and gives everything back.
 * Messages carry a number of their own, of one word on channel 0 and three words on channel 1, so that a torn copy shows.
 * Beside what the oracle sees and frame_run.h checks, each message that was sent must be received or dropped exactly once,
 * others never.
 *
 * Freeing a handle is allowed while others are blocked on it, but not while they are on their way into a call.  So a step
 * that frees looks whether each thread that uses the end sleeps or has yielded, and only closes the end if not; the same goes
 * for the last handle of a channel and for tokens, which are kept then.  Steps that would use what is not there are left out.
 * To know that earlier calls have returned, a real program must have been told: the race detector is given that order, from
 * the return of a call on an end to its free.
 */
#include "program.h"

#define SMALL_WORDS 3
#define BIG_WORDS 129
#define MOST_WORDS BIG_WORDS

/* Beside ends, as bits of the same sets. */
#define HANDLE_BIT(channel_) (UINT32_C(1) << (2 * CHANNELS * SLOTS + (channel_)))
#define TOKEN_BIT(token_) (UINT32_C(1) << (2 * CHANNELS * SLOTS + CHANNELS - 1 + (token_)))

#include "frame_run.h"

struct channel {
	duct_channel *handle;
	duct_sender *senders[SLOTS];
	duct_receiver *receivers[SLOTS];
	size_t words; /* of a message */
};

static struct channel channels[CHANNELS];
static int handles_left[CHANNELS];
static int closings[32]; /* calls so far that close an end or raise a token, by its bit */

static int last_message;
static bool sent[MAX_MESSAGES], received[MAX_MESSAGES];
static int dropped[MAX_MESSAGES];
static uint8_t discards[MAX_THREADS + 1][MAX_CAPACITY + 1]; /* what the discard of each thread dropped */
static int discard_count[MAX_THREADS + 1];

/* ---- Messages --------------------------------------------------------------------------------------------------------- */

static size_t words_of(const struct part *part)
{
	return channels[part->channel].words;
}

static int message_new(uint64_t *words, size_t count)
{
	int value = ++last_message;

	EXPLORER_CHECK(value < MAX_MESSAGES);
	for (size_t k = 0; k < count; k++)
		words[k] = (uint64_t)value;
	return value;
}

static int message_value(const uint64_t *words, size_t count)
{
	for (size_t k = 1; k < count; k++)
		if (words[k] != words[0])
			explorer_fail("a torn message: %d and %d", (int)words[0], (int)words[k]);
	EXPLORER_CHECK(words[0] > 0 && words[0] <= (uint64_t)last_message);
	return (int)words[0];
}

static void note_sent(const uint64_t *words)
{
	sent[words[0]] = true;
}

static int note_received(const uint64_t *words, size_t count)
{
	int value = message_value(words, count);

	if (received[value] || dropped[value] > 0)
		explorer_fail("message %d was received after it was received or dropped", value);
	received[value] = true;
	return value;
}

static void drop(void *message, void *context)
{
	const struct channel *channel = context;
	int value = message_value(message, channel->words), self = explorer_self();

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

static bool verb_sends(enum verb verb)
{
	return verb == SEND || verb == SEND_MANY || verb == WAIT_SEND || verb == CLOSE_SENDER || verb == FREE_SENDER ||
	       verb == NEW_SENDER || verb == CLONE_SENDER;
}

static bool verb_clones_end(enum verb verb)
{
	return verb == CLONE_SENDER || verb == CLONE_RECEIVER;
}

static struct part part_of_step(const struct step *step)
{
	return part_of(verb_sends(step->verb), step->channel, step->own, 0);
}

static bool is_end(duct_status status)
{
	return status == DUCT_CLOSED || status == DUCT_NO_RECEIVERS;
}

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

/* All that it needs, but a handle that it gives back is its own. */
static uint32_t uses_of_step(const struct step *step, int thread)
{
	return step->verb == FREE_CHANNEL ? 0 : needs_of_step(step, thread);
}

static uint32_t makes_of_step(const struct step *step, int thread)
{
	return verb_makes_end(step->verb) ? END_BIT(verb_sends(step->verb), step->channel, thread) : 0;
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
	int self = explorer_self(), first = history_length, failures = failures_now();
	struct operation *operation = oracle_call(COUNT, part_of(false, step->channel, false, 0));
	size_t count = MAX_CAPACITY + 1;
	duct_status status;

	discard_count[self] = 0;
	status = duct_channel_discard(channels[step->channel].handle, &count);
	if (status == DUCT_NOMEM) {
		EXPLORER_CHECK(failures_now() > failures && count == MAX_CAPACITY + 1 && discard_count[self] == 0);
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

/* If the discard could not be had memory for, what is queued lies there until the last reference goes. */
static void return_settled(int first, int failures)
{
	if (failures_now() > failures)
		oracle_return(&history[first], DUCT_OK, 0);
	else
		return_with_drops(first, SETTLED);
}

static void run_close_end(const struct step *step)
{
	bool is_send = verb_sends(step->verb), frees = step->verb == FREE_SENDER || step->verb == FREE_RECEIVER;
	int self = explorer_self(), first = history_length, failures = failures_now();
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
	int self = explorer_self(), failures = failures_now();
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
	check_resources(status, failures);
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
	int self = explorer_self(), first = history_length, failures = failures_now();
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
	case RECV:
		run_move(step);
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
		++*closings_of(TOKEN_BIT(step->token));
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
	uint64_t words[MOST_WORDS];

	for (int k = 0; k < program_current.prefilled[i]; k++) {
		int value = message_new(words, channel->words);

		EXPLORER_CHECK(duct_try_send(channel->senders[0], words) == DUCT_OK);
		note_sent(words);
		beginning->queued[i][beginning->length[i]++] = (uint8_t)value;
	}
}

/* A channel, or a one-shot without the ends that it is opened with. */
static void make_channel(struct channel *channel, bool once, size_t capacity)
{
	const size_t size = sizeof(uint64_t) * channel->words;
	const duct_options *options =
	    DUCT_OPTIONS(.drop = drop, .log = channel == &channels[1] ? hear : NULL, .log_interval = 1, .context = channel);
	duct_sender *tx;
	duct_receiver *rx;

	if (!once) {
		EXPLORER_CHECK(duct_anycast_new(&channel->handle, size, capacity, options) == DUCT_OK);
		return;
	}
	EXPLORER_CHECK(duct_oneshot_open(&tx, &rx, size, options) == DUCT_OK);
	EXPLORER_CHECK(duct_channel_clone(duct_sender_channel(tx), &channel->handle) == DUCT_OK);
	duct_sender_free(tx);
	duct_receiver_free(rx);
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
		make_channel(channel, program_current.once[i], capacity);
		beginning->once[i] = program_current.once[i];
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

static void make_all_tokens(void)
{
	make_tokens();
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
	free_tokens();
}

static void check_accounts(void)
{
	for (int value = 1; value <= last_message; value++) {
		int ends = received[value] + dropped[value];

		if (ends != (sent[value] ? 1 : 0))
			explorer_fail("message %d: sent %d, received %d, dropped %d times", value, sent[value], received[value],
			    dropped[value]);
	}
	check_nothing_is_left();
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

static void check_rules(bool at_rest)
{
	bool allowed;

	oracle_keeps_order = false;
	allowed = oracle_allows(at_rest);
	oracle_keeps_order = true;
	if (allowed)
		explorer_fail("a sleeper was overtaken");
}

void program_run(void)
{
	struct beginning beginning;

	forget();
	make_channels(&beginning);
	make_all_tokens();
	oracle_begin(&beginning);
	run_threads();
	for (int i = 0; i < CHANNELS; i++)
		look_at_all(i);
	ask_oracle(false);
	free_all();
	check_accounts();
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
