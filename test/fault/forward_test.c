/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable, no thread, for pipes and relays: as nomem_test.c, but in the states of a pipe.
 *
 * A pipe that could not be started is in the state that it was in, with the same message in hand, and can be started again.  A
 * relay goes on where it fails: what it says of each target is what that target has.  The copies of a message take memory too.
 */
#include "arena.h"
#include "faults.h"
#include "harness.h"

#include <errno.h>

#define BIG 2000 /* more than what a send has room for by itself */
#define OUT_VALUE 1000
#define TARGETS 2

/* ---- The world -------------------------------------------------------------------------------------------------------- */

struct message {
	int number;
	void *owned; /* with copies: memory of this instance */
	char filling[BIG - sizeof(int) - sizeof(void *)];
};

enum doing { STOPPED, IDLE, HOLDING, STOPPED_IN_HAND, ENDED };

struct state {
	const char *name;
	enum doing doing;
	bool copies, full; /* of the relay's targets */
};

static const struct state states[] = {
	{ .name = "stopped" },
	{ .name = "idle", .doing = IDLE },
	{ .name = "holding", .doing = HOLDING },
	{ .name = "stopped, with one in hand", .doing = STOPPED_IN_HAND },
	{ .name = "ended", .doing = ENDED },
	{ .name = "stopped, copying", .copies = true },
	{ .name = "holding, copying", .copies = true, .doing = HOLDING },
	{ .name = "stopped, with one in hand, copying", .copies = true, .doing = STOPPED_IN_HAND },
	{ .name = "stopped, full", .full = true },
	{ .name = "stopped, full, copying", .full = true, .copies = true },
};

static const size_t state_count = ARRAY_LEN(states);

enum token { NO_TOKEN, TOKENS };

static const char *const token_names[TOKENS] = { "no token" };

struct world {
	const struct state *state;
	struct arena arena;
	struct test_pair from, to, spare, targets[TARGETS];
	duct_pipe *pipe;
	duct_relay *relay;

	/* For the call. */
	duct_pipe *new_pipe;
	duct_relay *new_relay;
	struct message out, taken;
	duct_status statuses[TARGETS];
	bool moved, took, sent;
};

static int copy_owned(void *to, const void *from, void *context)
{
	void *owned = malloc(8);

	(void)context;
	if (owned == NULL)
		return 1;
	memcpy(to, from, sizeof(struct message));
	((struct message *)to)->owned = owned;
	return 0;
}

static void drop_owned(void *message, void *context)
{
	(void)context;
	free(((struct message *)message)->owned);
}

static void message_fill(const struct world *world, struct message *message, int number)
{
	message->number = number;
	message->owned = world->state->copies ? malloc(8) : NULL;
	CHECK(!world->state->copies || message->owned != NULL);
}

static struct test_pair pair_of(struct world *world, size_t capacity, bool with_allocator)
{
	return test_pair_with(sizeof(struct message), capacity,
	    DUCT_OPTIONS(.copy = world->state->copies ? copy_owned : NULL, .drop = world->state->copies ? drop_owned : NULL,
		.allocator = with_allocator ? &world->arena.allocator : NULL));
}

/* Until the pipe has made its condition variable: then it meets nothing any more that could be counted for the call. */
static void start_asleep(struct world *world)
{
	const long before = fault_conditions_made();

	CHECK_STATUS(duct_pipe_start(world->pipe), DUCT_OK);
	AWAIT(fault_conditions_made() > before);
}

static void make_pipe(struct world *world)
{
	const enum doing doing = world->state->doing;

	CHECK_STATUS(
	    duct_pipe_new(&world->pipe, world->from.rx, world->to.tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER), DUCT_OK);
	if (doing == HOLDING || doing == STOPPED_IN_HAND) {
		message_fill(world, &world->out, OUT_VALUE);
		CHECK_STATUS(duct_send(world->from.tx, &world->out), DUCT_OK);
	}
	if (doing == ENDED) {
		duct_channel_close(world->from.channel, 0);
		CHECK_STATUS(duct_pipe_start(world->pipe), DUCT_OK);
		CHECK_STATUS(duct_pipe_wait(world->pipe, DUCT_FOREVER, NULL), DUCT_OK);
	} else if (doing != STOPPED) {
		start_asleep(world);
	}
	if (doing == STOPPED_IN_HAND)
		duct_pipe_stop(world->pipe);
}

static void make_relay(struct world *world)
{
	duct_sender *senders[TARGETS];

	for (int i = 0; i < TARGETS; i++) {
		senders[i] = world->targets[i].tx;
		if (world->state->full) {
			message_fill(world, &world->out, 0);
			CHECK_STATUS(duct_send(senders[i], &world->out), DUCT_OK);
		}
	}
	CHECK_STATUS(duct_relay_new(&world->relay, senders, TARGETS, DUCT_BORROW_SENDER), DUCT_OK);
}

static void world_init(struct world *world, const struct state *state, bool with_allocator)
{
	memset(world, 0, sizeof *world);
	world->state = state;
	arena_init(&world->arena);
	world->from = pair_of(world, 2, with_allocator);
	world->to = pair_of(world, 0, with_allocator);
	world->spare = pair_of(world, 2, with_allocator);
	for (int i = 0; i < TARGETS; i++)
		world->targets[i] = pair_of(world, 1, with_allocator);
	make_pipe(world);
	make_relay(world);
	message_fill(world, &world->out, OUT_VALUE + 1);
	for (int i = 0; i < TARGETS; i++)
		world->statuses[i] = DUCT_UNSUPPORTED;
}

static void world_free(struct world *world)
{
	duct_pipe_free(world->new_pipe);
	duct_relay_free(world->new_relay);
	duct_pipe_free(world->pipe);
	duct_relay_free(world->relay);
	test_pair_free(&world->from);
	test_pair_free(&world->to);
	test_pair_free(&world->spare);
	for (int i = 0; i < TARGETS; i++)
		test_pair_free(&world->targets[i]);
	if (!world->moved)
		free(world->out.owned);
	if (world->took)
		free(world->taken.owned);
}

struct snapshot {
	duct_pipe_status state;
	uint64_t forwarded;
	size_t from_len, from_waiting, to_waiting, spare_senders, spare_receivers, lens[TARGETS];
};

static struct snapshot world_snapshot(const struct world *world)
{
	return (struct snapshot){ .state = duct_pipe_state(world->pipe),
		.forwarded = duct_pipe_forwarded(world->pipe),
		.from_len = duct_channel_len(world->from.channel),
		.from_waiting = duct_channel_waiting_receivers(world->from.channel),
		.to_waiting = duct_channel_waiting_senders(world->to.channel),
		.spare_senders = duct_channel_senders(world->spare.channel),
		.spare_receivers = duct_channel_receivers(world->spare.channel),
		.lens = { duct_channel_len(world->targets[0].channel), duct_channel_len(world->targets[1].channel) } };
}

static bool world_is_as_before(const struct world *world, const struct snapshot *one)
{
	const struct snapshot now = world_snapshot(world), *other = &now;

	for (int i = 0; i < TARGETS; i++)
		if (other->lens[i] != one->lens[i] + (world->statuses[i] == DUCT_OK))
			return false;
	return one->state == other->state && one->forwarded == other->forwarded && one->from_len == other->from_len &&
	       one->from_waiting == other->from_waiting && one->to_waiting == other->to_waiting &&
	       one->spare_senders == other->spare_senders && one->spare_receivers == other->spare_receivers;
}

/* ---- What is called --------------------------------------------------------------------------------------------------- */

#include "nomem.h"

FORM(pipe_new, CALL(duct_pipe_new)(&w->new_pipe, w->spare.rx, w->to.tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER))
FORM(pipe_start, CALL(duct_pipe_start)(w->pipe))
PLAIN(pipe_stop, duct_pipe_stop, w->pipe)
PLAIN(pipe_state, duct_pipe_state, w->pipe)
PLAIN(pipe_forwarded, duct_pipe_forwarded, w->pipe)
PLAIN(pipe_lost, duct_pipe_lost, w->pipe)
FORM(pipe_wait, CALL(duct_pipe_wait)(w->pipe, far(), NULL))
GIVE_BACK(pipe_free, duct_pipe_free, duct_pipe, w->pipe)

static duct_status pipe_take(struct world *w)
{
	const duct_status status = CALL(duct_pipe_take)(w->pipe, &w->taken);

	w->took = status == DUCT_OK;
	return status;
}

static duct_status relay_new(struct world *w)
{
	duct_sender *senders[] = { w->spare.tx, w->to.tx };

	return CALL(duct_relay_new)(&w->new_relay, senders, ARRAY_LEN(senders), DUCT_BORROW_SENDER);
}

/* Made again, it finds no room where it has sent. */
static duct_status sent_by_relay(struct world *w, duct_status status)
{
	w->moved = status == DUCT_OK;
	w->sent = true;
	return status;
}

FORM(relay_send, sent_by_relay(w, CALL(duct_relay_send)(w->relay, &w->out, w->statuses)))
FORM(relay_try_send, sent_by_relay(w, CALL(duct_relay_try_send)(w->relay, &w->out, w->statuses)))
FORM(relay_send_until, sent_by_relay(w, CALL(duct_relay_send_until)(w->relay, &w->out, w->statuses, far(), NULL)))
PLAIN(relay_close, duct_relay_close, w->relay)
GIVE_BACK(relay_free, duct_relay_free, duct_relay, w->relay)

static const struct form forms[] = {
	A_FORM(pipe_new, FAILS, 0),
	A_FORM(pipe_start, FAILS, 0),
	A_FORM(pipe_stop, NEVER, 0),
	A_FORM(pipe_state, NEVER, 0),
	A_FORM(pipe_forwarded, NEVER, 0),
	A_FORM(pipe_lost, NEVER, 0),
	A_FORM(pipe_wait, FAILS, WAITS),
	A_FORM(pipe_take, NEVER, 0),
	A_FORM(pipe_free, NEVER, 0),
	A_FORM(relay_new, FAILS, 0),
	A_FORM(relay_send, FAILS, WAITS),
	A_FORM(relay_try_send, FAILS, 0),
	A_FORM(relay_send_until, FAILS, WAITS),
	A_FORM(relay_close, NEVER, 0),
	A_FORM(relay_free, NEVER, 0),
};

/* ---- What is to be seen ------------------------------------------------------------------------------------------------ */

static void make_world(struct world *world, const struct place *place)
{
	world_init(world, place->state, place->with_allocator);
}

static bool applies(const struct form *form, const struct state *state, enum token token)
{
	(void)form;
	(void)state;
	(void)token;
	return true;
}

/* Ends the pipe, and what the relay waits for. */
static void rescue_call(const struct world *world)
{
	duct_channel_close(world->from.channel, 9);
	duct_channel_close(world->to.channel, 9);
	for (int i = 0; i < TARGETS; i++)
		duct_channel_close(world->targets[i].channel, 9);
}

/* A start lets go of the thread before; a relay that goes on has sent copies. */
static bool may_free_memory(const struct place *place, const struct world *world)
{
	return place->state->doing == ENDED || place->state->doing == STOPPED_IN_HAND || world->sent;
}

/* The message in hand is still there, or none. */
static bool hand_is_as_it_was(struct world *world)
{
	const duct_status expected = world->state->doing == STOPPED_IN_HAND ? DUCT_OK : DUCT_EMPTY;

	return pipe_take(world) == expected && (expected != DUCT_OK || world->taken.number == OUT_VALUE);
}

static void check_unchanged(const struct place *place, struct world *world, const struct snapshot *before, enum after after)
{
	long points;

	EXPECT(world_is_as_before(world, before) && world->new_pipe == NULL && world->new_relay == NULL && !world->moved);
	if (after == DRAIN)
		EXPECT(hand_is_as_it_was(world));
	else if (!world->sent)
		EXPECT(make_call(place->form, world, 0, &points) == place->expected);
}

/* Each instance has memory of its own, which is counted. */
static void check_hooks(const struct place *place, const struct world *world)
{
	(void)place;
	(void)world;
}

TEST(nomem, of_a_pipe_or_relay_in_every_function_and_state_changes_nothing, 300)
{
	check_forms(forms, ARRAY_LEN(forms), "a pipe");
}

/* ---- With other threads ------------------------------------------------------------------------------------------------ */

static duct_pipe *pipe_between(struct test_pair *from, struct test_pair *to)
{
	duct_pipe *pipe;

	*from = test_pair_new(sizeof(int), 5);
	*to = test_pair_new(sizeof(int), 5);
	CHECK_STATUS(duct_pipe_new(&pipe, from->rx, to->tx, DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER), DUCT_OK);
	return pipe;
}

/* How many calls of a start can fail: the last one makes the thread. */
static long points_of_a_start(void)
{
	struct test_pair from, to;
	duct_pipe *pipe = pipe_between(&from, &to);
	long points;

	fault_begin(0);
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	points = fault_end();
	duct_pipe_free(pipe);
	test_pair_free(&from);
	test_pair_free(&to);
	return points;
}

static struct {
	duct_pipe *pipe;
	atomic_int hold;
	duct_status status;
} starting;

static void *start_without_thread(void *argument)
{
	fault_begin(*(const long *)argument);
	fault_hold_fault(&starting.hold);
	errno = EDOM;
	CHECK_STATUS(duct_pipe_start(starting.pipe), DUCT_NOMEM);
	CHECK(errno == EDOM);
	CHECK(fault_end() == *(const long *)argument);
	return NULL;
}

static void *wait_for_pipe(void *argument)
{
	starting.status = duct_pipe_wait(starting.pipe, DUCT_FOREVER, NULL);
	return argument;
}

/* A pipe is said to run before it has a thread: who waits for it then is told if there can be none. */
TEST(nomem_pipe, that_has_no_thread_keeps_nobody_waiting, 5)
{
	struct test_pair from, to;
	long points = points_of_a_start(), before = fault_conditions_made();
	pthread_t starter, waiter;

	starting.pipe = pipe_between(&from, &to);
	starter = test_start(start_without_thread, &points);
	AWAIT(atomic_load(&starting.hold) == HOLD_HELD);
	CHECK(duct_pipe_state(starting.pipe) == DUCT_PIPE_RUNNING);
	waiter = test_start(wait_for_pipe, NULL);
	AWAIT(fault_conditions_made() > before);
	atomic_store(&starting.hold, HOLD_LET_GO);
	test_join(starter);
	test_join(waiter);
	CHECK_STATUS(starting.status, DUCT_OK);
	CHECK(duct_pipe_state(starting.pipe) == DUCT_PIPE_STOPPED);
	duct_pipe_free(starting.pipe);
	test_pair_free(&from);
	test_pair_free(&to);
}

static void fail_next(void *message, void *context)
{
	(void)message;
	if (*(int *)context == 0)
		fault_begin(1);
	*(int *)context = 1;
}

/* A wait that cannot be set up in its thread ends it, and loses nothing; it can be started again. */
TEST(nomem_pipe, that_cannot_wait_ends, 5)
{
	int failed = 0, message;
	struct test_pair from = test_pair_new(sizeof(int), 5);
	duct_channel *target;
	duct_sender *tx;
	duct_receiver *rx;
	duct_pipe *pipe;

	CHECK_STATUS(duct_broadcast_new(&target, sizeof(int), DUCT_OPTIONS(.drop = fail_next, .context = &failed)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(target, &tx), DUCT_OK);
	CHECK_STATUS(duct_subscribe(target, &rx, DUCT_SUBSCRIPTION(.capacity = 1)), DUCT_OK);
	CHECK_STATUS(duct_pipe_new(&pipe, from.rx, tx, DUCT_BORROW_RECEIVER), DUCT_OK);
	for (message = 0; message < 2; message++)
		CHECK_STATUS(duct_send(from.tx, &message), DUCT_OK);
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	CHECK_STATUS(duct_pipe_wait(pipe, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(duct_pipe_state(pipe) == DUCT_PIPE_NOMEM && duct_pipe_forwarded(pipe) == 2);
	CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
	CHECK(message == 1);
	CHECK_STATUS(duct_send(from.tx, &(int){ 2 }), DUCT_OK);
	CHECK_STATUS(duct_pipe_start(pipe), DUCT_OK);
	CHECK_STATUS(duct_recv(rx, &message), DUCT_OK);
	CHECK(message == 2);
	duct_pipe_free(pipe);
	duct_receiver_free(rx);
	duct_channel_free(target);
	test_pair_free(&from);
}

static int copy_bytes(void *to, const void *from, void *context)
{
	(void)context;
	memcpy(to, from, sizeof(int));
	return 0;
}

/* A relay needs no memory for the copies of a small message. */
TEST(nomem_relay, of_small_messages_needs_none, 5)
{
	struct test_pair pairs[3];
	duct_sender *senders[3];
	duct_relay *relay;

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		pairs[i] = test_pair_with(sizeof(int), 1, DUCT_OPTIONS(.copy = copy_bytes));
		senders[i] = pairs[i].tx;
	}
	CHECK_STATUS(duct_relay_new(&relay, senders, ARRAY_LEN(senders), DUCT_BORROW_SENDER), DUCT_OK);
	fault_begin(1);
	CHECK_STATUS(duct_relay_send(relay, &(int){ 1 }, NULL), DUCT_OK);
	CHECK(fault_end() == 0);
	duct_relay_free(relay);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		test_pair_free(&pairs[i]);
}

/* ---- The last one out -------------------------------------------------------------------------------------------------- */

/* A pipe to a broadcast whose one receiver loses the older of two messages: the drop hook frees it, in its own thread. */
static struct {
	duct_pipe *pipe;
	struct test_pair from;
	duct_channel *target;
	duct_receiver *rx;
	atomic_bool entered, let_go;
	atomic_int hold;
} last;

static void free_in_hook(void *message, void *context)
{
	duct_pipe *pipe = last.pipe;

	(void)message;
	(void)context;
	if (atomic_exchange(&last.entered, true))
		return;
	AWAIT(atomic_load(&last.let_go));
	duct_pipe_free(pipe);
}

static void last_begin(void)
{
	duct_sender *tx;

	last.from = test_pair_new(sizeof(int), 5);
	CHECK_STATUS(duct_broadcast_new(&last.target, sizeof(int), DUCT_OPTIONS(.drop = free_in_hook)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(last.target, &tx), DUCT_OK);
	CHECK_STATUS(duct_subscribe(last.target, &last.rx, DUCT_SUBSCRIPTION(.capacity = 1)), DUCT_OK);
	CHECK_STATUS(duct_pipe_new(&last.pipe, last.from.rx, tx, 0), DUCT_OK);
	last.from.rx = NULL;
	for (int message = 0; message < 2; message++)
		CHECK_STATUS(duct_send(last.from.tx, &message), DUCT_OK);
	CHECK_STATUS(duct_pipe_start(last.pipe), DUCT_OK);
	AWAIT(atomic_load(&last.entered));
}

/* Until nothing is alive that was not before, the thread included. */
static void last_end(const struct fault_live *before)
{
	struct fault_live now;

	AWAIT(duct_channel_senders(last.target) == 0);
	duct_receiver_free(last.rx);
	duct_channel_free(last.target);
	test_pair_free(&last.from);
	AWAIT((now = fault_live(), fault_live_same(before, &now)));
}

/* Held after it has found that there is nothing to start. */
static void *start_and_stay(void *argument)
{
	fault_hold_unlock(&last.hold, 3);
	CHECK_STATUS(duct_pipe_start(last.pipe), DUCT_OK);
	return argument;
}

static void *await_its_end(void *argument)
{
	CHECK_STATUS(duct_pipe_wait(argument, DUCT_FOREVER, NULL), DUCT_OK);
	return NULL;
}

/* A pipe that its own thread frees while another is in a call on it goes with that call. */
TEST(held_pipe, goes_with_the_last_call, 5)
{
	const struct fault_live before = fault_live();
	pthread_t starter, waiter;
	long conditions;

	last_begin();
	starter = test_start(start_and_stay, NULL);
	AWAIT(atomic_load(&last.hold) == HOLD_HELD);
	conditions = fault_conditions_made();
	waiter = test_start(await_its_end, last.pipe);
	AWAIT(fault_conditions_made() > conditions);
	atomic_store(&last.let_go, true);
	test_join(waiter);
	CHECK(duct_channel_senders(last.target) == 1);
	atomic_store(&last.hold, HOLD_LET_GO);
	test_join(starter);
	last_end(&before);
}

/* One that nobody else is in goes with its thread, which is left to nobody to join. */
TEST(held_pipe, goes_with_its_thread, 5)
{
	const struct fault_live before = fault_live();

	last_begin();
	atomic_store(&last.let_go, true);
	last_end(&before);
}
