/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The small world of one call: see world.h.
 */
#include "world.h"

const struct state states[] = {
	{ "empty", 4, 0, ALL_HANDLES, NOBODY, .closed = false },
	{ "partly full", 4, 2, ALL_HANDLES, NOBODY, .closed = false },
	{ "full", 4, 4, ALL_HANDLES, NOBODY, .closed = false },
	{ "closed", 4, 2, ALL_HANDLES, NOBODY, .closed = true },
	{ "closed and drained", 4, 0, ALL_HANDLES, NOBODY, .closed = true },
	{ "closed sender", 4, 2, ALL_HANDLES, NOBODY, .tx_closed = true },
	{ "closed receiver", 4, 2, ALL_HANDLES, NOBODY, .rx_closed = true },
	{ "no receiver any more", 4, 2, CHANNEL | TX, NOBODY, .closed = false },
	{ "no receiver yet", 4, 2, CHANNEL | TX, NOBODY, .never_received = true },
	{ "no sender any more", 4, 2, CHANNEL | RX, NOBODY, .closed = false },
	{ "nothing but its handle", 4, 2, CHANNEL, NOBODY, .closed = false },
	{ "nothing but a sender", 4, 2, TX, NOBODY, .closed = false },
	{ "nothing but a receiver", 4, 2, RX, NOBODY, .closed = false },
	{ "no handle but its ends", 4, 2, TX | RX, NOBODY, .closed = false },
	{ "empty, a receive asleep", 4, 0, ALL_HANDLES, RECV, .closed = false },
	{ "empty, a wait asleep", 4, 0, ALL_HANDLES, RECEIVER_WAIT, .closed = false },
	{ "empty, a select asleep", 4, 0, ALL_HANDLES, SELECT, .closed = false },
	{ "full, a send asleep", 4, 4, ALL_HANDLES, SEND, .closed = false },
	{ "full, a wait asleep", 4, 4, ALL_HANDLES, SENDER_WAIT, .closed = false },
	{ "rendezvous", 0, 0, ALL_HANDLES, NOBODY, .closed = false },
	{ "rendezvous, closed", 0, 0, ALL_HANDLES, NOBODY, .closed = true },
	{ "rendezvous, a receive asleep", 0, 0, ALL_HANDLES, RECV, .closed = false },
	{ "rendezvous, a send asleep", 0, 0, ALL_HANDLES, SEND, .closed = false },
};

const size_t state_count = ARRAY_LEN(states);

const char *const token_names[TOKENS] = {
	"no token",
	"a fresh token",
	"a token with many parents",
	"a token that somebody waits on",
	"a raised token",
	"a token past its deadline",
};

/* ---- Hooks ------------------------------------------------------------------------------------------------------------ */

static void count_drop(void *message, void *context)
{
	struct world *world = context;

	(void)message;
	atomic_fetch_add(&world->dropped, 1);
}

static void count_log(const duct_log_event *event, void *context)
{
	struct world *world = context;

	atomic_fetch_add(event->kind == DUCT_LOG_BLOCKED ? &world->blocked : &world->resumed, 1);
}

/* ---- Making ----------------------------------------------------------------------------------------------------------- */

/* The channel in its state; the handles that the state is without go last, for that closes it or drops messages. */
static void make_channel(struct world *world, bool with_allocator)
{
	const struct state *state = world->state;
	struct test_pair *pair = &world->pair;
	const duct_options *options = DUCT_OPTIONS(.drop = count_drop, .log = count_log, .context = world,
	    .allocator = with_allocator ? &world->arena.allocator : NULL);

	CHECK_STATUS(duct_anycast_new(&pair->channel, sizeof(struct message), state->capacity, options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(pair->channel, &pair->tx), DUCT_OK);
	if (!state->never_received)
		CHECK_STATUS(duct_receiver_new(pair->channel, &pair->rx), DUCT_OK);
	for (int i = 0; i < state->queued; i++) {
		world->out[0].number = i;
		CHECK_STATUS(duct_try_send(pair->tx, &world->out[0]), DUCT_OK);
	}
	if (state->closed)
		duct_channel_close(pair->channel, 3);
	if (state->tx_closed)
		duct_sender_close(pair->tx);
	if (state->rx_closed)
		duct_receiver_close(pair->rx);
	if ((state->handles & RX) == 0) {
		duct_receiver_free(pair->rx);
		pair->rx = NULL;
	}
	if ((state->handles & CHANNEL) == 0)
		duct_channel_free(pair->channel); /* an end keeps it for us */
	if ((state->handles & TX) == 0) {
		duct_sender_free(pair->tx);
		pair->tx = NULL;
	}
}

/*
 * Until it has made its condition variable, and has no attribute for it any more: then it meets nothing that could be counted for
 * the call.
 */
static void put_to_sleep(struct test_call *call)
{
	const long before = fault_conditions_made(), attributes = fault_live().attributes;

	call->thread = test_start(test_call_run, call);
	AWAIT(fault_conditions_made() > before && fault_live().attributes == attributes);
}

static void make_token(struct world *world, enum token token)
{
	duct_cancel *parent;

	if (token == NO_TOKEN)
		return;
	CHECK_STATUS(duct_cancel_new(&world->token, NULL, token == PASSED ? 0 : DUCT_FOREVER), DUCT_OK);
	for (int generations = 1; token == DEEP && generations < 25; generations++) {
		parent = world->token;
		CHECK_STATUS(duct_cancel_new(&world->token, parent, DUCT_FOREVER), DUCT_OK);
		duct_cancel_free(parent);
	}
	if (token == RAISED)
		duct_cancel_raise(world->token);
	if (token == WAITED_ON) {
		world->elsewhere = test_pair_new(sizeof(int), 1);
		world->bystander = (struct test_call){
			.action = RECV_UNTIL, .pair = world->elsewhere, .deadline = DUCT_FOREVER, .cancel = world->token
		};
		put_to_sleep(&world->bystander);
	}
}

static void make_sleeper(struct world *world)
{
	if (world->state->sleeper == NOBODY)
		return;
	world->sleeper_message.number = test_is_send(world->state->sleeper) ? SLEEPER_VALUE : UNTOUCHED;
	world->sleeper = (struct test_call){ .action = world->state->sleeper,
		.pair = world->pair,
		.memory = &world->sleeper_message,
		.deadline = DUCT_FOREVER };
	put_to_sleep(&world->sleeper);
}

void world_init(struct world *world, const struct state *state, enum token token, bool with_allocator)
{
	memset(world, 0, sizeof *world);
	world->state = state;
	arena_init(&world->arena);
	make_channel(world, with_allocator);
	make_token(world, token);
	make_sleeper(world);
	for (int i = 0; i < BATCH; i++) {
		world->out[i].number = OUT_VALUE + i;
		world->in[i].number = UNTOUCHED;
	}
	world->chosen = world->sent = world->received = world->discarded = NO_CHOICE;
}

void world_free(struct world *world)
{
	duct_channel_free(world->new_channel);
	duct_sender_free(world->new_tx);
	duct_receiver_free(world->new_rx);
	duct_cancel_free(world->new_token);
	duct_sender_free(world->pair.tx);
	duct_receiver_free(world->pair.rx);
	if ((world->state->handles & CHANNEL) != 0 && !world->gave_channel)
		duct_channel_free(world->pair.channel);
	if (world->sleeper.thread != 0)
		test_join(world->sleeper.thread);
	if (world->bystander.thread != 0) {
		duct_channel_close(world->elsewhere.channel, 0);
		test_join(world->bystander.thread);
		test_pair_free(&world->elsewhere);
	}
	duct_cancel_free(world->token);
}

/* ---- Looking ---------------------------------------------------------------------------------------------------------- */

struct snapshot world_snapshot(const struct world *world)
{
	const duct_channel *channel = world->pair.channel;

	return (struct snapshot){ .len = duct_channel_len(channel),
		.senders = duct_channel_senders(channel),
		.receivers = duct_channel_receivers(channel),
		.waiting_senders = duct_channel_waiting_senders(channel),
		.waiting_receivers = duct_channel_waiting_receivers(channel),
		.closed = duct_channel_is_closed(channel),
		.tx_closed = duct_sender_is_closed(world->pair.tx),
		.rx_closed = duct_receiver_is_closed(world->pair.rx),
		.raised = duct_cancel_raised(world->token),
		.reason = duct_channel_reason(channel),
		.dropped = atomic_load(&world->dropped) };
}

size_t world_sent(const struct world *world)
{
	return world->sent == NO_CHOICE ? 0 : world->sent;
}

size_t world_received(const struct world *world)
{
	return world->received == NO_CHOICE ? 0 : world->received;
}

static bool is_observer(enum test_action sleeper)
{
	return sleeper == SENDER_WAIT || sleeper == RECEIVER_WAIT;
}

bool world_sleeper_was_served(const struct world *world)
{
	enum test_action sleeper = world->state->sleeper;

	if (sleeper == NOBODY)
		return false;
	return (test_is_send(sleeper) ? world_received(world) : world_sent(world)) > 0;
}

bool world_moved(const struct world *world, const struct snapshot *before, const struct snapshot *after)
{
	struct snapshot expected = *before;
	bool is_send = test_is_send(world->state->sleeper);

	expected.len += world_sent(world) - world_received(world);
	if (world_sleeper_was_served(world)) {
		*(is_send ? &expected.waiting_senders : &expected.waiting_receivers) -= 1;
		if (!is_observer(world->state->sleeper))
			expected.len = is_send ? expected.len + 1 : expected.len - 1;
	}
	return expected.len == after->len && expected.senders == after->senders && expected.receivers == after->receivers &&
	       expected.waiting_senders == after->waiting_senders && expected.waiting_receivers == after->waiting_receivers &&
	       expected.closed == after->closed && expected.tx_closed == after->tx_closed &&
	       expected.rx_closed == after->rx_closed && expected.raised == after->raised && expected.reason == after->reason &&
	       expected.dropped == after->dropped;
}

/* The i-th of all messages that a receiver can get, those that the call sent included. */
static int nth_number(const struct world *world, size_t i)
{
	size_t queued = (size_t)world->state->queued;
	enum test_action sleeper = world->state->sleeper;

	if (i < queued)
		return (int)i;
	if (sleeper == SEND)
		return SLEEPER_VALUE;
	/* A receive that slept has the first that was sent. */
	return OUT_VALUE + (int)(i - queued) + (sleeper != NOBODY && !is_observer(sleeper));
}

bool world_parameters_are_kept(const struct world *world)
{
	if (world->new_channel != NULL || world->new_tx != NULL || world->new_rx != NULL || world->new_token != NULL)
		return false;
	if (world->chosen != NO_CHOICE || world->discarded != NO_CHOICE || world_sent(world) > BATCH ||
	    world_received(world) > BATCH)
		return false;
	for (size_t i = 0; i < BATCH; i++) {
		if (world->out[i].number != OUT_VALUE + (int)i)
			return false;
		if (world->in[i].number != (i < world_received(world) ? nth_number(world, i) : UNTOUCHED))
			return false;
	}
	for (size_t i = 0; i < MOST_CASES; i++)
		if (world->cases[i].status != DUCT_OK)
			return false;
	return true;
}

/* ---- Draining --------------------------------------------------------------------------------------------------------- */

/* Who was served is done; one that only waits must be, before what it was told of is gone again. */
static void join_sleeper(struct world *world)
{
	test_join(world->sleeper.thread);
	world->sleeper.thread = 0;
	CHECK_STATUS(world->sleeper.status, DUCT_OK);
}

/* A thread that sleeps in a receive gets what is sent, or has what the call sent; one that sleeps in a send has sent. */
static void check_sleeper(struct world *world)
{
	bool is_send = test_is_send(world->state->sleeper), served = world_sleeper_was_served(world);

	if (!is_send && !served) {
		world->out[0].number = SERVING_VALUE;
		CHECK_STATUS(duct_try_send(world->pair.tx, &world->out[0]), DUCT_OK);
	}
	join_sleeper(world);
	if (!is_send)
		CHECK(world->sleeper_message.number == (served ? OUT_VALUE : SERVING_VALUE));
}

void world_drain(struct world *world)
{
	duct_receiver *rx = world->pair.rx;
	struct message in;
	size_t next = world_received(world);
	size_t left = duct_channel_len(world->pair.channel);

	if (world->state->sleeper == SEND && !world_sleeper_was_served(world))
		left++;
	if (is_observer(world->state->sleeper) && world_sleeper_was_served(world))
		join_sleeper(world);
	if (duct_receiver_is_closed(rx)) {
		CHECK_STATUS(duct_receiver_new(world->pair.channel, &world->new_rx), DUCT_OK);
		rx = world->new_rx;
	}
	for (; left > 0; left--, next++) {
		CHECK_STATUS(duct_try_recv(rx, &in), DUCT_OK);
		CHECK(in.number == nth_number(world, next));
	}
	CHECK(duct_try_recv(rx, &in) != DUCT_OK && duct_channel_len(world->pair.channel) == 0);
	if (world->state->sleeper != NOBODY && !is_observer(world->state->sleeper))
		check_sleeper(world);
}
