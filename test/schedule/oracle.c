/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A checker for linearizability, and for what linearizability does not see.
 *
 * Each operation of a history takes effect at one instant between its call and its return; the checker looks for an order of
 * these instants in which a plain model of the channels gives the results that were seen.  It picks, among the operations
 * called before the first return of those left, one that the model allows next, and goes on from there; what failed before
 * is remembered by the set of operations done and the state (Wing and Gong, with Lowe's memory).
 *
 *   - Both channels are one history, and a select is one operation over all its cases.  A call that did not wait, or that
 *     timed out, needs one instant at which none of its cases was ready.
 *   - At capacity 0 a send and a receive take effect together.  A send or a receive that comes while its partner sleeps may
 *     not say that there was none.
 *   - First come, first served: nobody overtakes an operation whose thread slept on the same side of the same channel when
 *     the later one was called.
 *   - A batch is a chain of single operations.
 *   - A discard is three: it sees what is queued, drops messages of these one by one while others may take theirs, and ends
 *     when all of them are gone.
 *   - When a channel has neither handle nor receiver, what is queued at that instant is dropped before the call that took the
 *     last of them returns.
 *   - A token that was raised before the call means CANCELED: the caller of the oracle checks that.  CANCELED means that a
 *     token was raised before the return.  It has no effect, as everything else that is not OK.
 *   - At rest no operation that is still pending may be possible, none may have had an effect, and only those that may wait
 *     may be pending.  This is how a lost wake-up shows, without anybody having said which operations must end.
 *
 * Asleep is what the explorer sees: waiting on a condition variable.
 */
#include "oracle.h"
#include "frame_oracle.h"

#define THREADS 5
#define REMEMBERED 8192 /* a power of two */

/* The state of the model, without padding, so that states compare as bytes. */
union state {
	struct {
		uint32_t ends;            /* open; and HAD_RECEIVER */
		uint8_t closed[CHANNELS]; /* 1 + the reason */
		uint8_t length[CHANNELS];
		uint8_t raised;              /* tokens */
		uint8_t discarding[THREADS]; /* how many messages each thread's discard has to drop or see taken */
		uint8_t handles[CHANNELS];   /* of the channel */
		uint8_t queued[CHANNELS][MAX_CAPACITY + 1];
	};
	uint64_t words[4];
};

_Static_assert(sizeof(union state) == 32, "the state has padding");

/* There was a receiver once; a bit of a state's ends that is no end. */
#define HAD_RECEIVER(channel_) (UINT32_C(1) << (30 + (channel_)))

/* In discarding: the channel. */
#define DISCARDING(channel_) ((channel_) << 4)

struct memory {
	uint64_t done;
	union state state;
	unsigned check;
};

bool oracle_keeps_order = true;

static struct memory memories[REMEMBERED];
static unsigned check;

/* ---- The model -------------------------------------------------------------------------------------------------------- */

static bool is_open(const union state *state, const struct part *part)
{
	return (state->ends & END_BIT(part->is_send, part->channel, part->slot)) != 0;
}

static bool has_receivers(const union state *state, int channel)
{
	return (state->ends & ENDS_OF(false, channel)) != 0;
}

/* Nobody receives, nor will without being made a receiver first, since there was one or nobody can make one. */
static bool is_unreceived(const union state *state, int channel)
{
	return !has_receivers(state, channel) && (state->handles[channel] == 0 || (state->ends & HAD_RECEIVER(channel)) != 0);
}

/* Nobody holds what it takes to receive, now or later. */
static bool is_orphaned(const union state *state, int channel)
{
	return !has_receivers(state, channel) && state->handles[channel] == 0;
}

/* The send or receive would end without moving a message. */
static bool is_over(const union state *state, const struct part *part)
{
	if (!is_open(state, part))
		return true;
	if (part->is_send)
		return state->closed[part->channel] != 0 || is_unreceived(state, part->channel);
	return state->closed[part->channel] != 0 && state->length[part->channel] == 0;
}

/* It could move a message to or from the queue. */
static bool can_move(const union state *state, const struct part *part)
{
	if (is_over(state, part))
		return false;
	return part->is_send ? state->length[part->channel] < start.capacity[part->channel] : state->length[part->channel] > 0;
}

static bool possible(const union state *state, const struct part *part)
{
	return is_over(state, part) || can_move(state, part);
}

static bool opposite(const struct part *a, const struct part *b)
{
	return a->channel == b->channel && a->is_send != b->is_send;
}

/* At capacity 0: somebody who slept when the operation was called, and has not ended yet, could have met this part. */
static bool met_sleeper(uint64_t done, const struct operation *operation, const struct part *part)
{
	if (start.capacity[part->channel] != 0)
		return false;
	for (int i = 0; i < history_length; i++) {
		if (!(operation->slept >> i & 1) || is_done(done, i))
			continue;
		for (int k = 0; k < history[i].part_count; k++)
			if (opposite(part, &history[i].parts[k]))
				return true;
	}
	return false;
}

/* An instant at which none of its cases was ready. */
static bool found_nothing(const union state *state, uint64_t done, const struct operation *operation)
{
	for (int i = 0; i < operation->part_count; i++)
		if (possible(state, &operation->parts[i]) || met_sleeper(done, operation, &operation->parts[i]))
			return false;
	return true;
}

/* It may end by the part that it chose: no earlier one goes first.  Parts that end with their channel do so in no order. */
static bool may_choose(const union state *state, uint64_t done, const struct operation *operation)
{
	const struct part *chosen = &operation->parts[operation->chosen];
	bool ended = operation->status == DUCT_CLOSED || operation->status == DUCT_NO_RECEIVERS;

	if (!operation->in_order || operation->status == PENDING)
		return true;
	for (int i = 0; i < operation->chosen; i++) {
		const struct part *part = &operation->parts[i];

		if (ended && part->channel == chosen->channel && is_over(state, part))
			continue;
		if (possible(state, part) || met_sleeper(done, operation, part))
			return false;
	}
	return true;
}

/* At capacity 0: somebody else could be waiting at the other side, called before the first return of those left. */
static bool partner_waits(uint64_t done, const struct operation *operation, const struct part *part, long first_return)
{
	if (start.capacity[part->channel] != 0)
		return false;
	for (int i = 0; i < history_length; i++) {
		const struct operation *other = &history[i];

		if (other == operation || !is_next(done, i) || other->kind != MOVE || other->never_waits ||
		    other->status == ERASED || other->call > first_return)
			continue;
		for (int k = 0; k < other->part_count; k++)
			if (opposite(part, &other->parts[k]))
				return true;
	}
	return false;
}

/* The oldest message goes. */
static void take_first(union state *state, int channel)
{
	uint8_t *queued = state->queued[channel];
	uint8_t *length = &state->length[channel];

	memmove(queued, queued + 1, --*length);
	queued[*length] = 0;
	for (int i = 0; i < THREADS; i++)
		if (state->discarding[i] > DISCARDING(channel) && state->discarding[i] <= DISCARDING(channel) + MAX_CAPACITY)
			state->discarding[i]--;
}

static bool apply_move(union state *state, const struct part *part)
{
	uint8_t *queued = state->queued[part->channel];
	uint8_t *length = &state->length[part->channel];

	if (!can_move(state, part))
		return false;
	if (part->is_send) {
		queued[(*length)++] = part->value;
		if (start.once[part->channel])
			state->closed[part->channel] = 1;
		return true;
	}
	if (queued[0] != part->value)
		return false;
	take_first(state, part->channel);
	return true;
}

static bool apply_closed(const union state *state, const struct part *part)
{
	if (!is_open(state, part))
		return true;
	return state->closed[part->channel] != 0 && (part->is_send || state->length[part->channel] == 0);
}

/* What a call that may wait says of its chosen case or, with no case chosen, of all. */
static bool apply_waiting(union state *state, uint64_t done, const struct operation *operation, long first_return)
{
	const struct part *part = &operation->parts[operation->status == PENDING ? 0 : operation->chosen];

	switch (operation->status) {
	case PENDING:
	case DUCT_OK:
		if (operation->kind == READY)
			return can_move(state, part) ||
			       (!is_over(state, part) && partner_waits(done, operation, part, first_return));
		return apply_move(state, part);
	case DUCT_CLOSED:
		return apply_closed(state, part);
	case DUCT_NO_RECEIVERS:
		return part->is_send && state->closed[part->channel] == 0 && is_unreceived(state, part->channel);
	case DUCT_CANCELED:
		return operation->expired || (state->raised & operation->tokens) != 0;
	case DUCT_NOMEM:
		return true;
	default:
		return found_nothing(state, done, operation);
	}
}

static bool apply_drop(union state *state, const struct operation *operation)
{
	const struct part *part = &operation->parts[0];
	uint8_t discarding = state->discarding[operation->thread];
	bool discards = discarding > DISCARDING(part->channel) && discarding <= DISCARDING(part->channel) + MAX_CAPACITY;

	if (!discards || state->queued[part->channel][0] != part->value)
		return false;
	take_first(state, part->channel);
	return true;
}

/* The last handle and the last sender are gone: closed, with reason 0. */
static void settle(union state *state, int channel)
{
	if (state->handles[channel] == 0 && (state->ends & ENDS_OF(true, channel)) == 0 && state->closed[channel] == 0)
		state->closed[channel] = 1;
}

/* What is queued when nobody can receive it any more has to be dropped by who saw to that: not by one that did nothing. */
static void condemn(union state *state, int thread, int channel, bool did)
{
	int length = did && is_orphaned(state, channel) ? state->length[channel] : 0;

	state->discarding[thread] = (uint8_t)(DISCARDING(channel) + length);
}

static bool apply_open(union state *state, const struct operation *operation)
{
	const struct part *part = &operation->parts[0];
	bool clone = part->value != 0;
	bool refused = (part->is_send && state->closed[part->channel] != 0) ||
	               (clone && (state->ends & END_BIT(part->is_send, part->channel, 0)) == 0);

	if (operation->status == DUCT_NOMEM)
		return true;
	if (operation->status == DUCT_CLOSED)
		return refused;
	if (refused)
		return false;
	state->ends |= END_BIT(part->is_send, part->channel, part->slot);
	if (!part->is_send)
		state->ends |= HAD_RECEIVER(part->channel);
	return true;
}

/* The operation's effect, if the model allows it now. */
static bool apply(union state *state, uint64_t done, const struct operation *operation, long first_return)
{
	const struct part *part = &operation->parts[0];
	bool was_open;

	switch (operation->kind) {
	case MOVE:
	case READY:
		return apply_waiting(state, done, operation, first_return);
	case CLOSE:
		if (state->closed[part->channel] == 0)
			state->closed[part->channel] = (uint8_t)(1 + part->value);
		return true;
	case CLOSE_END:
		was_open = is_open(state, part);
		state->ends &= ~END_BIT(part->is_send, part->channel, part->slot);
		settle(state, part->channel);
		condemn(state, operation->thread, part->channel, was_open);
		return true;
	case OPEN_END:
		return apply_open(state, operation);
	case CLONE_HANDLE:
		state->handles[part->channel]++;
		return true;
	case FREE_HANDLE:
		state->handles[part->channel]--;
		settle(state, part->channel);
		condemn(state, operation->thread, part->channel, true);
		return true;
	case SETTLED:
		return state->discarding[operation->thread] % DISCARDING(1) == 0;
	case RAISE:
		state->raised |= operation->tokens;
		return true;
	case LENGTH:
		return state->length[part->channel] == part->value;
	case REASON:
		return (state->closed[part->channel] != 0 ? state->closed[part->channel] - 1 : 0) == part->value;
	case IS_CLOSED:
		return (state->closed[part->channel] != 0) == (part->value != 0);
	case COUNT:
		state->discarding[operation->thread] = (uint8_t)(DISCARDING(part->channel) + state->length[part->channel]);
		return true;
	case DROP:
		return apply_drop(state, operation);
	case DISCARDED:
		return state->discarding[operation->thread] == DISCARDING(part->channel);
	}
	return false;
}

static bool overtakes(uint64_t done, const struct operation *operation)
{
	const struct part *part = &operation->parts[operation->chosen];

	if (!oracle_keeps_order || operation->kind != MOVE || operation->status != DUCT_OK)
		return false;
	for (int i = 0; i < history_length; i++) {
		if (!(operation->slept >> i & 1) || is_done(done, i))
			continue;
		for (int k = 0; k < history[i].part_count; k++) {
			const struct part *slept = &history[i].parts[k];

			if (slept->channel == part->channel && slept->is_send == part->is_send)
				return true;
		}
	}
	return false;
}

/* ---- At rest ---------------------------------------------------------------------------------------------------------- */

/* Two pending calls stand on both sides of a channel of capacity 0; at least the second would move a message. */
static bool could_meet(const union state *state, const struct operation *a, const struct operation *b)
{
	if (b->kind != MOVE || a->thread == b->thread)
		return false;
	for (int i = 0; i < a->part_count; i++)
		for (int k = 0; k < b->part_count; k++)
			if (opposite(&a->parts[i], &b->parts[k]) && start.capacity[a->parts[i].channel] == 0 &&
			    !is_over(state, &a->parts[i]) && !is_over(state, &b->parts[k]))
				return true;
	return false;
}

static bool waits(enum kind kind)
{
	return kind == MOVE || kind == READY;
}

static bool could_end(const union state *state, uint64_t done, const struct operation *operation)
{
	if (!waits(operation->kind) || operation->never_waits || (state->raised & operation->tokens) != 0)
		return true;
	for (int i = 0; i < operation->part_count; i++)
		if (possible(state, &operation->parts[i]))
			return true;
	for (int i = 0; i < history_length; i++)
		if (is_next(done, i) && could_meet(state, operation, &history[i]))
			return true;
	return false;
}

/* Nothing that waits could end, and no batch that has moved all has yet to return. */
static bool rests(const union state *state, uint64_t done)
{
	for (int i = 0; i < history_length; i++)
		if (is_done(done, i) ? ends_batch(i) : is_next(done, i) && could_end(state, done, &history[i]))
			return false;
	return true;
}

/* ---- The search ------------------------------------------------------------------------------------------------------- */

static struct memory *memory_of(uint64_t done, const union state *state)
{
	uint64_t hash = done * UINT64_C(0x9e3779b97f4a7c15);

	for (int i = 0; i < 4; i++)
		hash = (hash ^ state->words[i]) * UINT64_C(0xff51afd7ed558ccd);
	return &memories[(hash >> 32) % REMEMBERED];
}

static bool search(uint64_t done, const union state *state, bool at_rest);

/* A send over capacity 0 takes effect together with a receive. */
static bool search_pairs(uint64_t done, const union state *state, bool at_rest, int sender, long first_return)
{
	const struct operation *send = &history[sender];
	const struct part *sent = &send->parts[send->chosen];

	if (send->kind != MOVE || (send->status != DUCT_OK && send->status != PENDING) || !sent->is_send ||
	    start.capacity[sent->channel] != 0 || is_over(state, sent))
		return false;
	for (int i = 0; i < history_length; i++) {
		const struct operation *receive = &history[i];
		const struct part *received = &receive->parts[receive->chosen];

		if (i == sender || receive->kind != MOVE || receive->status != DUCT_OK || !opposite(sent, received) ||
		    received->value != sent->value || is_over(state, received) ||
		    !can_come_next(done | UINT64_C(1) << sender, i, first_return) ||
		    !can_come_next(done | UINT64_C(1) << i, sender, first_return) || !may_choose(state, done, send) ||
		    !may_choose(state, done, receive))
			continue;
		if (search(done | UINT64_C(1) << sender | UINT64_C(1) << i, state, at_rest))
			return true;
	}
	return false;
}

static bool search_from(uint64_t done, const union state *state, bool at_rest, long first_return)
{
	for (int i = 0; i < history_length; i++) {
		union state next = *state;

		if (is_done(done, i))
			continue;
		if (can_come_next(done, i, first_return) && may_choose(state, done, &history[i]) &&
		    apply(&next, done, &history[i], first_return) && search(done | UINT64_C(1) << i, &next, at_rest))
			return true;
		if (search_pairs(done, state, at_rest, i, first_return))
			return true;
	}
	return false;
}

static bool search(uint64_t done, const union state *state, bool at_rest)
{
	struct memory *memory;
	bool complete;
	long first_return = first_return_of(done, &complete);

	if (complete && (!at_rest || rests(state, done)))
		return true;
	memory = memory_of(done, state);
	if (memory->check == check && memory->done == done && memcmp(&memory->state, state, sizeof *state) == 0)
		return false;
	oracle_visits++;
	if (search_from(done, state, at_rest, first_return))
		return true;
	memory->check = check;
	memory->done = done;
	memory->state = *state;
	return false;
}

bool oracle_allows(bool at_rest)
{
	union state state = { .words = { 0 } };

	check++;
	oracle_checks++;
	settle_batches();
	state.ends = start.ends;
	for (int i = 0; i < CHANNELS; i++) {
		state.handles[i] = 1;
		if (has_receivers(&state, i))
			state.ends |= HAD_RECEIVER(i);
	}
	memcpy(state.length, start.length, sizeof state.length);
	memcpy(state.queued, start.queued, sizeof state.queued);
	return search(erased_operations(), &state, at_rest);
}
