/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A checker for linearizability of broadcasts, and for what linearizability does not see.
 *
 * It searches as oracle.c does: for an order of instants, one of each operation between its call and its return, in which a
 * plain model of the channel gives the results that were seen.  What is different is that a send has more than one instant.
 *
 *   - A send is decided at one instant: by then all receivers that block have room, counted with what is on its way to them,
 *     and it goes to those that are open.  It arrives at each of them at an instant of its own before it returns, in the order
 *     of the decisions.  A close is decided and arrives in the same way.
 *   - What is on its way is a list, and for each receiver how many of its last entries have not arrived there.  An arrival
 *     matters only to who looks at that receiver, so the search lets messages arrive when it comes to an operation on it, as
 *     many as it likes, and otherwise when their call has returned before the next one began.  An arrival that may cut the
 *     receiver off matters to everybody, and is tried before every operation.
 *   - What is lost is decided by the arrival, from the queue at that instant; stats, lag and receipts are exact.  A message
 *     is not lost at a receiver where somebody slept in a receive when its send was called, and has not been served.
 *   - A receiver leaves, changes its overflow, or becomes a peekable after all that is on its way has arrived there.
 *   - First come, first served: nobody overtakes an operation whose thread slept, in a send or in a receive from the same
 *     receiver, when the later one was called.  With hooks a sender that sleeps may lose its place when a receiver joins, or
 *     the number of messages that are kept changes.
 *   - A discard throws away messages one by one, while others come and are taken; by its end those that were there at its
 *     beginning are gone.
 *   - The rest is as in oracle.c: batches are chains, what did not wait or timed out found one instant at which nothing was
 *     possible, and at rest nothing that is pending may be possible.
 */
#include "broadcast_oracle.h"
#include "frame_oracle.h"

#define REMEMBERED (1 << 18) /* a power of two */
#define MAX_FLIGHTS 16
#define MAX_STATES 1024
#define MOST_VISITS 100000 /* of states, for one history */

enum condition { NOT_THERE, OPEN, LEFT, CUT_OFF, PEEKING };

struct receiver {
	uint8_t condition;
	uint8_t freed;
	uint8_t ended;  /* the close of the channel has arrived */
	uint8_t behind; /* how many of the last flights have not arrived */
	struct subscription subscription;
	uint8_t length, queue[MAX_CAPACITY];
	uint8_t replay_count, replay[MAX_REPLAY]; /* that have to be copied for it */
	uint8_t lag, told;                        /* lost and not yet told; what was told last */
	uint8_t sent, received, lost, discarded;
	uint8_t condemned[THREADS]; /* how many were there when each thread's discard began, and are still */
	uint8_t shows, shown, shown_behind, shown_ended; /* its peekable: is there, and what it shows */
};

/* A message, or the close of the channel, on its way. */
struct flight {
	uint8_t operation, closes, kept, delivered, lost;
};

/* The state of the model, bytes only, so that states compare as bytes. */
union state {
	struct {
		uint8_t closed;  /* 1 + the reason */
		uint8_t senders; /* open */
		uint8_t replay, kept_count, kept[MAX_REPLAY];
		uint8_t raised;           /* tokens */
		uint8_t instances, taken; /* copies of messages that were made; that were received */
		uint8_t discards;         /* the threads that are in one */
		uint8_t thrown[THREADS];
		uint8_t flight_count;
		struct flight flights[MAX_FLIGHTS];
		struct receiver receivers[RECEIVERS];
	};
	uint64_t words[38];
};

_Static_assert(sizeof(struct receiver) == 29, "a receiver has padding");
_Static_assert(sizeof(union state) == 38 * 8, "the state has grown");

/* Where the search came and failed; of states it remembers a hash only, of 64 bits. */
struct memory {
	uint64_t hash;
	unsigned check;
};

long oracle_given_up;

struct rules oracle_rules = { true, true, true };

/* What the history tells of a receiver in the end, or nothing: no state on the way to it has more.  Spares much searching. */
static const struct last *lasts[RECEIVERS];

static struct memory memories[REMEMBERED];

/* The states that the search is in the middle of: they are too many for the stack of a fiber. */
static union state pool[MAX_STATES];
static int pool_used;
static unsigned check;
static long visits; /* in this check */

static union state *state_push(const union state *state)
{
	EXPLORER_CHECK(pool_used < MAX_STATES);
	pool[pool_used] = *state;
	return &pool[pool_used++];
}

static void state_pop(void)
{
	pool_used--;
}

/* ---- The channel ------------------------------------------------------------------------------------------------------ */

static int open_receivers(const union state *state)
{
	int count = 0;

	for (int r = 0; r < start.receivers; r++)
		count += state->receivers[r].condition == OPEN;
	return count;
}

/* On its way to all that is open, and to peekables. */
static void take_off(union state *state, int operation, bool closes)
{
	EXPLORER_CHECK(state->flight_count < MAX_FLIGHTS);
	state->flights[state->flight_count++] = (struct flight){ .operation = (uint8_t)operation, .closes = closes };
	for (int r = 0; r < start.receivers; r++) {
		struct receiver *receiver = &state->receivers[r];

		if (receiver->condition == OPEN)
			receiver->behind++;
		if (receiver->shows != 0)
			receiver->shown_behind++;
	}
}

static void close_channel(union state *state, int operation, int reason)
{
	if (state->closed != 0)
		return;
	state->closed = (uint8_t)(1 + reason);
	memset(state->kept, 0, sizeof state->kept);
	state->kept_count = 0;
	take_off(state, operation, true);
}

/* A pair closes itself when all of one side are gone. */
static void settle(union state *state, int operation)
{
	if (start.pair && (state->senders == 0 || open_receivers(state) == 0))
		close_channel(state, operation, 0);
}

static void keep(union state *state, uint8_t value)
{
	if (state->replay == 0)
		return;
	state->instances++;
	if (state->kept_count == state->replay)
		memmove(state->kept, state->kept + 1, --state->kept_count);
	state->kept[state->kept_count++] = value;
}

static void set_replay(union state *state, int replay)
{
	int excess = state->kept_count - replay;

	if (excess > 0) {
		memmove(state->kept, state->kept + excess, (size_t)replay);
		memset(state->kept + replay, 0, (size_t)(MAX_REPLAY - replay));
		state->kept_count = (uint8_t)replay;
	}
	state->replay = (uint8_t)replay;
}

/* ---- Arrivals --------------------------------------------------------------------------------------------------------- */

/* The oldest message goes. */
static void take_first(struct receiver *receiver)
{
	memmove(receiver->queue, receiver->queue + 1, --receiver->length);
	receiver->queue[receiver->length] = 0;
	for (int i = 0; i < THREADS; i++)
		if (receiver->condemned[i] > 0)
			receiver->condemned[i]--;
}

static void lose(struct receiver *receiver, struct flight *flight)
{
	receiver->lost++;
	if (receiver->subscription.tell_lag)
		receiver->lag++;
	flight->lost++;
}

static void lose_first(struct receiver *receiver, struct flight *flight)
{
	take_first(receiver);
	lose(receiver, flight);
}

static bool part_receives(const struct part *part, int r)
{
	return !part->is_send && part->end == r;
}

/* Somebody who slept in a receive there when the message was sent has not been served. */
static bool is_awaited(uint64_t done, const struct operation *send, int r)
{
	for (int i = 0; i < history_length; i++) {
		if (!(send->slept >> i & 1) || is_done(done, i))
			continue;
		for (int k = 0; k < history[i].part_count; k++)
			if (part_receives(&history[i].parts[k], r))
				return true;
	}
	return false;
}

static void put(struct receiver *receiver, struct flight *flight, uint8_t value)
{
	receiver->queue[receiver->length++] = value;
	flight->delivered++;
}

/* A channel that closes by that does not keep the message any more. */
static void cut_off(union state *state, int r, const struct flight *flight)
{
	bool was_open = state->closed == 0;

	state->receivers[r].condition = CUT_OFF;
	state->receivers[r].behind = 0;
	settle(state, flight->operation);
	if (was_open && state->closed != 0)
		state->instances -= flight->kept;
}

static uint8_t value_of(const struct operation *operation)
{
	return operation->parts[operation->status == PENDING ? 0 : operation->chosen].value;
}

/* What comes behind a message that cuts off can only be the rest of its batch: other sends are decided when that has happened. */
static bool others_follow(const union state *state, const struct receiver *receiver, int thread)
{
	for (int i = state->flight_count - receiver->behind; i < state->flight_count; i++)
		if (!state->flights[i].closes && history[state->flights[i].operation].thread != thread)
			return true;
	return false;
}

/* The message finds the queue full. */
static bool overflow(union state *state, uint64_t done, int r, struct flight *flight)
{
	struct receiver *receiver = &state->receivers[r];
	const struct operation *operation = &history[flight->operation];

	if (is_awaited(done, operation, r))
		return false;
	switch (receiver->subscription.overflow) {
	case DUCT_DROP_OLDEST:
		lose_first(receiver, flight);
		put(receiver, flight, value_of(operation));
		return true;
	case DUCT_DROP_NEWEST:
		lose(receiver, flight);
		return true;
	case DUCT_LATEST_ONLY:
		while (receiver->length > 0)
			lose_first(receiver, flight);
		put(receiver, flight, value_of(operation));
		return true;
	case DUCT_CUT_OFF:
		if (others_follow(state, receiver, operation->thread))
			return false;
		lose(receiver, flight);
		cut_off(state, r, flight);
		return true;
	default:
		return false;
	}
}

/* The next one that is on its way arrives at the receiver, if the rules allow what comes of it. */
static bool arrive(union state *state, uint64_t done, int r)
{
	struct receiver *receiver = &state->receivers[r];
	struct flight *flight = &state->flights[state->flight_count - receiver->behind];
	const struct operation *operation = &history[flight->operation];
	bool latest = receiver->subscription.overflow == DUCT_LATEST_ONLY && receiver->length > 0;

	receiver->behind--;
	if (flight->closes) {
		receiver->ended = 1;
		return true;
	}
	receiver->sent++;
	state->instances++;
	if (latest || receiver->length >= receiver->subscription.capacity)
		return overflow(state, done, r, flight) && (lasts[r] == NULL || receiver->lost <= lasts[r]->stats.lost);
	put(receiver, flight, value_of(operation));
	return true;
}

static void arrive_shown(union state *state, int r)
{
	struct receiver *receiver = &state->receivers[r];
	const struct flight *flight = &state->flights[state->flight_count - receiver->shown_behind];

	receiver->shown_behind--;
	if (flight->closes)
		receiver->shown_ended = 1;
	else
		receiver->shown = value_of(&history[flight->operation]);
}

static bool arrive_all(union state *state, uint64_t done, int r)
{
	while (state->receivers[r].behind > 0)
		if (!arrive(state, done, r))
			return false;
	return true;
}

/* The last flight whose call has returned before that time; LONG_MAX: the last of all. */
static int last_landed(const union state *state, long time)
{
	for (int i = state->flight_count - 1; i >= 0; i--)
		if (time == LONG_MAX || history[state->flights[i].operation].returned < time)
			return i;
	return -1;
}

/* All flights up to that one arrive everywhere, but at the receivers of the set. */
static bool land(union state *state, uint64_t done, int last, unsigned except)
{
	for (int r = 0; r < start.receivers; r++) {
		struct receiver *receiver = &state->receivers[r];

		while (receiver->behind > 0 && state->flight_count - receiver->behind <= last && (except >> r & 1) == 0)
			if (!arrive(state, done, r))
				return false;
		while (receiver->shown_behind > 0 && state->flight_count - receiver->shown_behind <= last)
			arrive_shown(state, r);
	}
	return true;
}

static bool receipt_is_right(const struct flight *flight)
{
	const struct operation *operation = &history[flight->operation];

	return !oracle_rules.receipts || flight->closes || !operation->has_receipt ||
	       (operation->delivered == flight->delivered && operation->lost == flight->lost);
}

/* Forgets what has arrived everywhere, and looks whether it was told right. */
static bool forget_landed(union state *state)
{
	int behind = 0, landed;

	for (int r = 0; r < start.receivers; r++) {
		if (state->receivers[r].behind > behind)
			behind = state->receivers[r].behind;
		if (state->receivers[r].shown_behind > behind)
			behind = state->receivers[r].shown_behind;
	}
	landed = state->flight_count - behind;
	if (landed == 0)
		return true;
	for (int i = 0; i < landed; i++)
		if (!receipt_is_right(&state->flights[i]))
			return false;
	memmove(state->flights, state->flights + landed, (size_t)behind * sizeof state->flights[0]);
	memset(state->flights + behind, 0, (size_t)landed * sizeof state->flights[0]);
	state->flight_count = (uint8_t)behind;
	return true;
}

/* ---- Sends and receives ------------------------------------------------------------------------------------------------ */

/* Messages on their way to it; a close may be the last. */
static int coming(const union state *state, const struct receiver *receiver)
{
	return receiver->behind - (receiver->behind > 0 && state->closed != 0);
}

/* For one more message and those of so many others. */
static bool has_room(const union state *state, int others)
{
	int open = 0;

	for (int r = 0; r < start.receivers; r++) {
		const struct receiver *receiver = &state->receivers[r];

		if (receiver->condition != OPEN)
			continue;
		open++;
		if (receiver->subscription.overflow == DUCT_BLOCK &&
		    receiver->length + coming(state, receiver) + others >= receiver->subscription.capacity)
			return false;
	}
	return open > 0 || start.unheard == DUCT_UNHEARD_OK;
}

static bool is_closed_to(const union state *state, const struct part *part)
{
	return (state->senders >> part->end & 1) == 0 || state->closed != 0;
}

static bool is_unheard(const union state *state)
{
	return start.unheard == DUCT_UNHEARD_FAIL && open_receivers(state) == 0;
}

static bool is_drained(const struct receiver *receiver)
{
	return receiver->lag == 0 && receiver->length == 0 && (receiver->condition != OPEN || receiver->ended != 0);
}

/* The send or receive would end without moving a message or telling lag. */
static bool is_over(const union state *state, const struct part *part)
{
	if (part->is_send)
		return is_closed_to(state, part) || is_unheard(state);
	return is_drained(&state->receivers[part->end]) || state->receivers[part->end].freed != 0;
}

static bool can_move(const union state *state, const struct part *part)
{
	const struct receiver *receiver = &state->receivers[part->end];

	if (part->is_send)
		return !is_over(state, part) && has_room(state, 0);
	return receiver->lag == 0 && receiver->length > 0;
}

/* Senders that slept when the operation was called, and have not been served: it would have to overtake them. */
static int senders_before(uint64_t done, const struct operation *operation)
{
	int count = 0;

	for (int i = 0; i < history_length; i++) {
		bool sends = false;

		for (int k = 0; k < history[i].part_count; k++)
			sends |= history[i].parts[k].is_send;
		count += sends && (operation->slept >> i & 1) != 0 && !is_done(done, i);
	}
	return count;
}

static bool possible(const union state *state, uint64_t done, const struct operation *operation, const struct part *part)
{
	if (is_over(state, part))
		return true;
	if (part->is_send)
		return has_room(state, senders_before(done, operation));
	return state->receivers[part->end].lag > 0 || state->receivers[part->end].length > 0;
}

/* An instant at which none of its cases was ready. */
static bool found_nothing(const union state *state, uint64_t done, const struct operation *operation)
{
	if (operation->kind == WAIT_RECEIVERS)
		return state->closed == 0 && open_receivers(state) < operation->number;
	for (int i = 0; i < operation->part_count; i++)
		if (possible(state, done, operation, &operation->parts[i]))
			return false;
	return true;
}

/* It may end by the part that it chose: no earlier one goes first.  Sends are all alike: they go in no order. */
static bool may_choose(const union state *state, uint64_t done, const struct operation *operation)
{
	bool sends = operation->parts[operation->chosen].is_send;

	if (!operation->in_order || operation->status == PENDING)
		return true;
	for (int i = 0; i < operation->chosen; i++)
		if (!(sends && operation->parts[i].is_send) && possible(state, done, operation, &operation->parts[i]))
			return false;
	return true;
}

static bool apply_send(union state *state, int i, const struct part *part)
{
	if (!can_move(state, part))
		return false;
	keep(state, part->value);
	if (state->replay == 0 && open_receivers(state) == 0)
		state->instances++;
	take_off(state, i, false);
	state->flights[state->flight_count - 1].kept = state->replay > 0;
	return true;
}

static bool apply_recv(union state *state, const struct part *part)
{
	struct receiver *receiver = &state->receivers[part->end];

	if (!can_move(state, part) || receiver->queue[0] != part->value)
		return false;
	take_first(receiver);
	receiver->received++;
	state->taken++;
	return true;
}

static bool lags(const union state *state, const struct part *part)
{
	return !part->is_send && state->receivers[part->end].lag > 0;
}

static bool tell_lag(union state *state, const struct part *part)
{
	struct receiver *receiver = &state->receivers[part->end];

	if (!lags(state, part))
		return false;
	receiver->told = receiver->lag;
	receiver->lag = 0;
	return true;
}

static bool apply_ended(const union state *state, const struct part *part, int status)
{
	const struct receiver *receiver = &state->receivers[part->end];

	if (status == DUCT_NO_RECEIVERS)
		return part->is_send && !is_closed_to(state, part) && is_unheard(state);
	if (part->is_send)
		return status == DUCT_CLOSED && is_closed_to(state, part);
	if (receiver->freed != 0 && status == DUCT_CLOSED)
		return true;
	return is_drained(receiver) && (status == DUCT_INVALIDATED) == (receiver->condition == PEEKING);
}

/* What a call that may wait says of its chosen case or, with no case chosen, of all. */
static bool apply_waiting(union state *state, uint64_t done, int i)
{
	const struct operation *operation = &history[i];
	const struct part *part = &operation->parts[operation->status == PENDING ? 0 : operation->chosen];

	switch (operation->status) {
	case PENDING:
	case DUCT_OK:
		if (operation->kind == READY)
			return can_move(state, part);
		return part->is_send ? apply_send(state, i, part) : apply_recv(state, part);
	case DUCT_LAGGED:
		return operation->kind == READY ? lags(state, part) : tell_lag(state, part);
	case DUCT_CLOSED:
	case DUCT_NO_RECEIVERS:
	case DUCT_INVALIDATED:
		return apply_ended(state, part, operation->status);
	case DUCT_CANCELED:
		return operation->expired || (state->raised & operation->tokens) != 0;
	case DUCT_NOMEM:
		return true;
	default:
		return found_nothing(state, done, operation);
	}
}

static bool apply_wait_receivers(const union state *state, uint64_t done, const struct operation *operation)
{
	switch (operation->status) {
	case DUCT_OK:
		return state->closed == 0 && open_receivers(state) >= operation->number;
	case DUCT_CLOSED:
		return state->closed != 0;
	case DUCT_CANCELED:
		return operation->expired || (state->raised & operation->tokens) != 0;
	case DUCT_NOMEM:
		return true;
	default:
		return found_nothing(state, done, operation);
	}
}

/* ---- Receivers that come and go ------------------------------------------------------------------------------------------ */

static bool may_join(const union state *state, const struct operation *operation)
{
	if (operation->origin == FROM_SENDER)
		return state->closed == 0 && (state->senders >> operation->from & 1) != 0;
	return operation->origin != FROM_RECEIVER || state->receivers[operation->from].condition == OPEN;
}

/* It gets what is kept, as far as it goes; if that has to be copied first, only when it has been. */
static void receive_kept(union state *state, struct receiver *receiver)
{
	const bool latest = receiver->subscription.overflow == DUCT_LATEST_ONLY;
	uint8_t count = state->kept_count, most = latest ? 1 : receiver->subscription.capacity;
	const uint8_t *kept = state->kept;

	if (count > most) {
		kept += count - most;
		count = most;
	}
	if (start.copies) {
		memcpy(receiver->replay, kept, count);
		receiver->replay_count = count;
		return;
	}
	memcpy(receiver->queue, kept, count);
	receiver->length = receiver->sent = count;
	state->instances += count;
}

static void open_receiver(union state *state, const struct operation *operation)
{
	struct receiver *receiver = &state->receivers[operation->parts[0].end];

	memset(receiver, 0, sizeof *receiver);
	receiver->condition = OPEN;
	receiver->ended = state->closed != 0;
	receiver->subscription =
	    operation->origin == FROM_RECEIVER ? state->receivers[operation->from].subscription : operation->subscription;
	receive_kept(state, receiver);
}

static bool apply_join(union state *state, const struct operation *operation)
{
	if (operation->status == DUCT_NOMEM)
		return true;
	if (may_join(state, operation) != (operation->status == DUCT_OK))
		return false;
	if (operation->status == DUCT_OK)
		open_receiver(state, operation);
	return true;
}

/* The copies go ahead of what has come meanwhile, the newest first, as far as there is room; not if that was discarded. */
static void add_replay(struct receiver *receiver)
{
	const bool outdated = receiver->subscription.overflow == DUCT_LATEST_ONLY && receiver->length > 0;
	int count = outdated || receiver->discarded > 0 ? 0 : receiver->subscription.capacity - receiver->length;

	if (count > receiver->replay_count)
		count = receiver->replay_count;
	memmove(receiver->queue + count, receiver->queue, receiver->length);
	memcpy(receiver->queue, receiver->replay + receiver->replay_count - count, (size_t)count);
	receiver->length += (uint8_t)count;
	receiver->sent += (uint8_t)count;
	memset(receiver->replay, 0, sizeof receiver->replay);
	receiver->replay_count = 0;
}

/* One whose copies could not be made was a member for a moment. */
static bool apply_joined(union state *state, uint64_t done, int i)
{
	struct receiver *receiver = &state->receivers[history[i].parts[0].end];

	if (history[i].status == DUCT_OK) {
		add_replay(receiver);
		return true;
	}
	if (receiver->condition != OPEN)
		return true;
	if (!arrive_all(state, done, history[i].parts[0].end))
		return false;
	memset(receiver, 0, sizeof *receiver);
	settle(state, i);
	return true;
}

static bool apply_leave(union state *state, uint64_t done, int i)
{
	struct receiver *receiver = &state->receivers[history[i].parts[0].end];

	if (!arrive_all(state, done, history[i].parts[0].end))
		return false;
	if (receiver->condition == OPEN)
		receiver->condition = LEFT;
	if (history[i].kind == LEAVE_FREED)
		receiver->freed = 1;
	settle(state, i);
	return true;
}

/* From here on it knows of what is sent; and of what is kept. */
static void begin_to_show(union state *state, struct receiver *receiver)
{
	receiver->shows = 1;
	receiver->shown_ended = state->closed != 0;
	receiver->shown = state->kept_count > 0 ? state->kept[state->kept_count - 1] : 0;
}

static bool apply_left_peekable(union state *state, uint64_t done, int i)
{
	struct receiver *receiver = &state->receivers[history[i].parts[0].end];

	if (history[i].status == DUCT_NOMEM)
		return true;
	if (!arrive_all(state, done, history[i].parts[0].end))
		return false;
	if (history[i].status == DUCT_CLOSED)
		return receiver->condition != OPEN;
	if (receiver->condition != OPEN)
		return false;
	receiver->condition = PEEKING;
	settle(state, i);
	return true;
}

static bool apply_peek(const union state *state, const struct operation *operation)
{
	const struct receiver *receiver = &state->receivers[operation->parts[0].end];

	switch (operation->status) {
	case DUCT_OK:
		return receiver->shown_ended == 0 && receiver->shown != 0 && receiver->shown == operation->parts[0].value;
	case DUCT_EMPTY:
		return receiver->shown_ended == 0 && receiver->shown == 0;
	case DUCT_CLOSED:
		return state->closed != 0;
	default:
		return operation->status == DUCT_NOMEM;
	}
}

static bool apply_set_overflow(union state *state, uint64_t done, const struct operation *operation)
{
	if (!arrive_all(state, done, operation->parts[0].end))
		return false;
	state->receivers[operation->parts[0].end].subscription.overflow = (uint8_t)operation->number;
	return true;
}

/* ---- Discards and looks -------------------------------------------------------------------------------------------------- */

static void begin_discard(union state *state, int thread)
{
	state->discards |= (uint8_t)(1 << thread);
	for (int r = 0; r < start.receivers; r++)
		if (state->receivers[r].condition == OPEN)
			state->receivers[r].condemned[thread] = state->receivers[r].length;
}

static bool end_discard(union state *state, const struct operation *operation)
{
	int thread = operation->thread;

	for (int r = 0; r < start.receivers; r++) {
		struct receiver *receiver = &state->receivers[r];

		if (receiver->condemned[thread] > 0 && receiver->condition == OPEN)
			return false;
		receiver->condemned[thread] = 0;
	}
	if (state->thrown[thread] != operation->number)
		return false;
	state->thrown[thread] = 0;
	state->discards &= (uint8_t) ~(1 << thread);
	return true;
}

/* The thread's discard throws away the oldest message there; false: there is none. */
static bool throw_away(union state *state, int thread, int r)
{
	struct receiver *receiver = &state->receivers[r];

	if ((state->discards >> thread & 1) == 0 || receiver->length == 0)
		return false;
	if (lasts[r] != NULL && receiver->discarded == lasts[r]->stats.discarded)
		return false;
	take_first(receiver);
	receiver->discarded++;
	state->thrown[thread]++;
	return true;
}

static bool stats_are_right(const struct receiver *receiver, const struct stats *stats)
{
	return stats->sent == receiver->sent && stats->received == receiver->received && stats->lost == receiver->lost &&
	       stats->queued == receiver->length && stats->discarded == receiver->discarded;
}

static int state_of(const struct receiver *receiver)
{
	return (receiver->condition != OPEN ? STATE_CLOSED : 0) | (receiver->condition == CUT_OFF ? STATE_CUT_OFF : 0);
}

static bool last_is_right(const struct receiver *receiver, const struct last *last)
{
	bool ended = receiver->condition != OPEN || receiver->ended != 0;
	int status = !ended ? DUCT_EMPTY : receiver->condition == PEEKING ? DUCT_INVALIDATED : DUCT_CLOSED;

	return stats_are_right(receiver, &last->stats) && state_of(receiver) == last->state &&
	       (receiver->lag > 0) == (last->lagged != 0) &&
	       last->lag == (receiver->lag > 0 ? receiver->lag : receiver->told) && last->count == receiver->length &&
	       memcmp(last->values, receiver->queue, receiver->length) == 0 && last->status == status;
}

/* Calls that may take a receiver away, have done so, and had not returned when the look was called: it may count those. */
static int leaving(uint64_t done, const struct operation *look)
{
	int count = 0;

	for (int i = 0; i < history_length; i++) {
		bool leaves = history[i].kind == CLOSE_SENDER ||
		              (history[i].kind >= LEAVE && history[i].kind <= LEFT_PEEKABLE) || history[i].kind == MOVE;

		count += leaves && is_done(done, i) && history[i].returned > look->call;
	}
	return count;
}

static bool look_is_right(const union state *state, uint64_t done, const struct operation *operation)
{
	const struct receiver *receiver = &state->receivers[operation->parts[0].end];

	if (!oracle_rules.looks)
		return true;
	switch (operation->kind) {
	case LOOK_STATS:
		return stats_are_right(receiver, &operation->stats);
	case LOOK_LENGTH:
		return receiver->length == operation->number;
	case LOOK_STATE:
		return (receiver->condition != OPEN) == (operation->number != 0);
	case LOOK_LAG:
		return receiver->told == operation->number;
	case LOOK_RECEIVERS:
		return operation->number >= open_receivers(state) &&
		       operation->number <= open_receivers(state) + leaving(done, operation);
	case LOOK_LAST:
		return last_is_right(receiver, &operation->last);
	case DROPS:
		return !start.counts || (uint8_t)(state->instances - state->taken) == (uint8_t)operation->number;
	case LOOK_CLOSED:
		if (operation->number == 0 && start.pair && leaving(done, operation) > 0)
			return true; /* a pair closes itself when the last one has left, and that a moment later */
		return (state->closed != 0) == (operation->number != 0);
	default:
		return (state->closed != 0 ? state->closed - 1 : 0) == operation->number;
	}
}

/* The operation's effect, if the model allows it now. */
static bool apply(union state *state, uint64_t done, int i)
{
	const struct operation *operation = &history[i];

	switch (operation->kind) {
	case MOVE:
	case READY:
		return may_choose(state, done, operation) && apply_waiting(state, done, i);
	case JOIN:
		return apply_join(state, operation);
	case JOINED:
		return apply_joined(state, done, i);
	case LEAVE:
	case LEAVE_FREED:
		return apply_leave(state, done, i);
	case INTO_PEEKABLE:
		if (operation->status == DUCT_OK)
			begin_to_show(state, &state->receivers[operation->parts[0].end]);
		return true;
	case LEFT_PEEKABLE:
		return apply_left_peekable(state, done, i);
	case PEEK:
		return apply_peek(state, operation);
	case SET_OVERFLOW:
		return apply_set_overflow(state, done, operation);
	case SET_REPLAY:
		if (operation->status == DUCT_OK)
			set_replay(state, operation->number);
		return true;
	case CLOSE:
		close_channel(state, i, operation->number);
		return true;
	case CLOSE_SENDER:
		state->senders &= (uint8_t) ~(1 << operation->parts[0].end);
		settle(state, i);
		return true;
	case DISCARD:
		begin_discard(state, operation->thread);
		return true;
	case DISCARDED:
		return end_discard(state, operation);
	case RAISE:
		state->raised |= operation->tokens;
		return true;
	case WAIT_RECEIVERS:
		return apply_wait_receivers(state, done, operation);
	case LOOK_LAST:
		state->taken += operation->last.count;
		return look_is_right(state, done, operation);
	default:
		return look_is_right(state, done, operation);
	}
}

/* ---- First come, first served -------------------------------------------------------------------------------------------- */

/* With hooks it may need one more copy, or something to keep one in: it gets that, and comes back to the end of the line. */
static bool may_lose_place(uint64_t done, const struct operation *sleeper)
{
	for (int i = 0; i < history_length; i++) {
		bool joins = history[i].kind == JOIN || history[i].kind == INTO_PEEKABLE;

		if (((start.copies && joins) || (start.hooks && history[i].kind == SET_REPLAY)) && is_done(done, i) &&
		    history[i].returned > sleeper->call)
			return true;
	}
	return false;
}

static bool overtakes(uint64_t done, const struct operation *operation)
{
	const struct part *part = &operation->parts[operation->chosen];

	if (!oracle_rules.order || operation->kind != MOVE || operation->status != DUCT_OK)
		return false;
	for (int i = 0; i < history_length; i++) {
		if (!(operation->slept >> i & 1) || is_done(done, i))
			continue;
		for (int k = 0; k < history[i].part_count; k++) {
			const struct part *slept = &history[i].parts[k];

			if (slept->is_send != part->is_send || (!part->is_send && slept->end != part->end))
				continue;
			if (!part->is_send || !may_lose_place(done, &history[i]))
				return true;
		}
	}
	return false;
}

/* ---- At rest ---------------------------------------------------------------------------------------------------------- */

static bool could_end(const union state *state, uint64_t done, const struct operation *operation)
{
	if ((state->raised & operation->tokens) != 0 || operation->never_waits)
		return true;
	if (operation->kind == WAIT_RECEIVERS)
		return !found_nothing(state, done, operation);
	if (operation->kind != MOVE && operation->kind != READY)
		return true;
	return !found_nothing(state, done, operation);
}

/* Nothing that waits could end, and no batch that has moved all has yet to return. */
static bool rests(const union state *state, uint64_t done)
{
	union state landed = *state;

	if (!land(&landed, done, last_landed(state, LONG_MAX), 0) || !forget_landed(&landed))
		return false;
	for (int i = 0; i < history_length; i++)
		if (is_done(done, i) ? ends_batch(i) : is_next(done, i) && could_end(&landed, done, &history[i]))
			return false;
	return true;
}

static bool is_complete(const union state *state, uint64_t done, bool at_rest)
{
	union state landed = *state;

	if (at_rest)
		return rests(state, done);
	return land(&landed, done, last_landed(state, LONG_MAX), 0) && forget_landed(&landed);
}

/* ---- The search ------------------------------------------------------------------------------------------------------- */

/* An operation that is tried next, and the last flight that has to have arrived everywhere before it. */
struct candidate {
	uint64_t done;
	bool at_rest;
	int operation, landed;
};

/* Sets of receivers at which something may happen before an operation; the peekables stand behind. */
#define SHOWN_BIT(r_) (1u << (RECEIVERS + (r_)))

/* Where an arrival may cut off. */
static unsigned risky_receivers(const union state *state)
{
	unsigned set = 0;

	for (int r = 0; r < start.receivers; r++) {
		const struct receiver *receiver = &state->receivers[r];

		if (receiver->subscription.overflow == DUCT_CUT_OFF && receiver->condition == OPEN &&
		    receiver->length + receiver->behind > receiver->subscription.capacity)
			set |= 1u << r;
	}
	return set;
}

/* Which a discard has not done with. */
static unsigned discarded_receivers(const union state *state, bool blocking_only)
{
	unsigned set = 0;

	for (int r = 0; state->discards != 0 && r < start.receivers; r++)
		if (state->receivers[r].condition != NOT_THERE &&
		    (!blocking_only || state->receivers[r].subscription.overflow == DUCT_BLOCK))
			set |= 1u << r;
	return set;
}

static unsigned receivers_of_cases(const union state *state, const struct operation *operation)
{
	unsigned set = 0;

	for (int i = 0; i < operation->part_count; i++)
		set |= operation->parts[i].is_send ? discarded_receivers(state, true) : 1u << operation->parts[i].end;
	return set;
}

/* Where what happens before the operation matters to it. */
static unsigned touched_receivers(const union state *state, const struct operation *operation)
{
	unsigned set = risky_receivers(state);

	switch (operation->kind) {
	case MOVE:
	case READY:
		return set | receivers_of_cases(state, operation);
	case DISCARDED:
		return set | discarded_receivers(state, false);
	case PEEK:
		return set | SHOWN_BIT(operation->parts[0].end);
	case JOINED:
	case LEAVE:
	case LEAVE_FREED:
	case LEFT_PEEKABLE:
	case SET_OVERFLOW:
	case LOOK_STATS:
	case LOOK_LENGTH:
	case LOOK_STATE:
	case LOOK_LAG:
	case LOOK_LAST:
		return set | 1u << operation->parts[0].end;
	default:
		return set;
	}
}

/* Of where the search is: place is 0 between operations, else it says before which one, and at which receivers. */
static uint64_t hash_of(uint64_t done, const union state *state, unsigned place)
{
	uint64_t hash = (done ^ (uint64_t)place << 32) * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < sizeof state->words / sizeof state->words[0]; i++) {
		hash = (hash ^ state->words[i]) * UINT64_C(0xff51afd7ed558ccd);
		hash ^= hash >> 32;
	}
	return hash;
}

/* The search came here before, and failed. */
static bool is_remembered(uint64_t hash)
{
	const struct memory *memory = &memories[hash % REMEMBERED];

	return memory->check == check && memory->hash == hash;
}

static void remember(uint64_t hash)
{
	memories[hash % REMEMBERED] = (struct memory){ hash, check };
}

static bool search(uint64_t done, const union state *state, bool at_rest);

/* Who joins, and fails to get its copies, may have been a member meanwhile. */
static bool search_member_for_a_moment(uint64_t done, const union state *state, bool at_rest, int i)
{
	union state *next;
	bool found;

	if (history[i].kind != JOIN || history[i].status != DUCT_NOMEM || !start.copies || !may_join(state, &history[i]))
		return false;
	next = state_push(state);
	open_receiver(next, &history[i]);
	found = search(done | UINT64_C(1) << i, next, at_rest);
	state_pop();
	return found;
}

/* The operation comes next. */
static bool search_after(uint64_t done, const union state *state, bool at_rest, int i)
{
	union state *next = state_push(state);
	bool found = apply(next, done, i) && forget_landed(next) && search(done | UINT64_C(1) << i, next, at_rest);

	state_pop();
	return found || search_member_for_a_moment(done, state, at_rest, i);
}

static bool has_landed(const union state *state, int member, int last)
{
	if (member >= RECEIVERS)
		return true;
	return state->receivers[member].behind == 0 || state->flight_count - state->receivers[member].behind > last;
}

/* Step 0 at a member of the set is an arrival there, the others are of the threads' discards; false: there is no such step. */
static bool step_at(union state *state, uint64_t done, int member, int step)
{
	if (member >= RECEIVERS) {
		if (step > 0 || state->receivers[member - RECEIVERS].shown_behind == 0)
			return false;
		arrive_shown(state, member - RECEIVERS);
		return true;
	}
	if (step == 0)
		return state->receivers[member].behind > 0 && arrive(state, done, member);
	return throw_away(state, step, member);
}

static bool search_after_steps(const struct candidate *candidate, const union state *state, unsigned set);

/* One more step at the member, and then whatever else. */
static bool search_after_step(const struct candidate *candidate, const union state *state, unsigned set, int member, int step)
{
	union state *next = state_push(state);
	bool found = step_at(next, candidate->done, member, step) && search_after_steps(candidate, next, set);

	state_pop();
	return found;
}

/* With discards there are many ways to the same state. */
static bool search_among_discards(const struct candidate *candidate, const union state *state, unsigned set, int member)
{
	unsigned place = (unsigned)(candidate->operation + 1) << 16 | set;
	uint64_t hash = hash_of(candidate->done, state, place);

	if (is_remembered(hash))
		return false;
	if (++visits > MOST_VISITS)
		return true;
	for (int step = 0; step < THREADS; step++)
		if (search_after_step(candidate, state, set, member, step))
			return true;
	if (has_landed(state, member, candidate->landed) && search_after_steps(candidate, state, set & (set - 1)))
		return true;
	remember(hash);
	return false;
}

/* The operation comes next, after any steps at the receivers of the set, one after the other. */
static bool search_after_steps(const struct candidate *candidate, const union state *state, unsigned set)
{
	int member = set != 0 ? __builtin_ctz(set) : 0;

	if (set == 0)
		return search_after(candidate->done, state, candidate->at_rest, candidate->operation);
	if (state->discards != 0)
		return search_among_discards(candidate, state, set, member);
	return search_after_steps(candidate, state, set & (set - 1)) || search_after_step(candidate, state, set, member, 0);
}

/*
 * What the calls that returned before it have sent arrives everywhere; where a discard is not done that may happen before or
 * after what it does.
 */
static bool search_candidate(uint64_t done, const union state *state, bool at_rest, int i)
{
	struct candidate candidate = { done, at_rest, i, last_landed(state, history[i].call) };
	unsigned apart = discarded_receivers(state, false), set = 0;
	union state *next = state_push(state);
	bool found = false;

	for (int r = 0; r < start.receivers; r++)
		if ((apart >> r & 1) != 0 && !has_landed(next, r, candidate.landed))
			set |= 1u << r;
	if (land(next, done, candidate.landed, set))
		found = search_after_steps(&candidate, next, set | touched_receivers(next, &history[i]));
	state_pop();
	return found;
}

static bool search_from(uint64_t done, const union state *state, bool at_rest, long first_return)
{
	for (int i = 0; i < history_length; i++)
		if (!is_done(done, i) && can_come_next(done, i, first_return) && search_candidate(done, state, at_rest, i))
			return true;
	return false;
}

static bool search(uint64_t done, const union state *state, bool at_rest)
{
	uint64_t hash;
	bool complete;
	long first_return = first_return_of(done, &complete);

	if (complete && is_complete(state, done, at_rest))
		return true;
	hash = hash_of(done, state, 0);
	if (is_remembered(hash))
		return false;
	visits++;
	if (visits > MOST_VISITS || search_from(done, state, at_rest, first_return))
		return true;
	remember(hash);
	return false;
}

/* Only where one receiver had the place from the beginning to the end. */
static void note_lasts(void)
{
	int joins[RECEIVERS] = { 0 };

	memset(lasts, 0, sizeof lasts);
	for (int i = 0; oracle_rules.looks && i < history_length; i++) {
		int r = history[i].parts[0].end;

		joins[r] += history[i].kind == JOIN && history[i].status == DUCT_OK;
		if (history[i].kind == LOOK_LAST && joins[r] == 1)
			lasts[r] = &history[i].last;
	}
}

bool oracle_allows(bool at_rest)
{
	union state state = { .words = { 0 } };
	bool allowed;

	check++;
	visits = 0;
	pool_used = 0;
	oracle_checks++;
	settle_batches();
	note_lasts();
	state.senders = start.senders;
	state.replay = (uint8_t)start.replay;
	allowed = search(erased_operations(), &state, at_rest);
	oracle_visits += visits;
	oracle_given_up += visits > MOST_VISITS;
	return allowed;
}
