/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable, for timers, clocks, events, and the receiver that never has anything: as
 * nomem_test.c, but with these in their own states.  After a call that fails the timer is due when it was, its tick and the
 * event are there or not as they were, and the clock shows its time.
 *
 * A batch that met its fault may have its first tick already, as it says; the rest is as it was.
 */
#include "arena.h"
#include "faults.h"
#include "harness.h"

#define UNTOUCHED (-77)
#define MOST_CASES 40 /* more than need no memory */
#define INTERVAL 1000

/* ---- The world -------------------------------------------------------------------------------------------------------- */

struct state {
	const char *name;
	duct_time now;
	bool is_seen, is_set, closed, starts_later;
};

static const struct state states[] = {
	{ .name = "nothing due", .now = 999 },
	{ .name = "a tick due", .now = 1001 },
	{ .name = "ticks due and seen", .now = 4321, .is_seen = true, .is_set = true },
	{ .name = "set", .now = 5, .is_set = true },
	{ .name = "closed", .now = 5, .closed = true },
	{ .name = "closed, with a tick", .now = 2000, .is_seen = true, .is_set = true, .closed = true },
	{ .name = "not started", .now = 5, .starts_later = true },
};

static const size_t state_count = ARRAY_LEN(states);

/* Tokens end calls on sources as they do all others: nomem_test.c has them. */
enum token { NO_TOKEN, TOKENS };

static const char *const token_names[TOKENS] = { "no token" };

struct world {
	const struct state *state;
	struct arena arena;
	duct_clock *clock;
	duct_receiver *timer, *event, *never;
	struct test_pair beside; /* by which a select is ended */

	/* For the call. */
	duct_clock *new_clock;
	duct_receiver *new_receiver;
	int64_t late[4];
	duct_case cases[MOST_CASES];
	size_t chosen, received;
};

static void world_init(struct world *world, const struct state *state)
{
	memset(world, 0, sizeof *world);
	world->state = state;
	arena_init(&world->arena);
	CHECK_STATUS(duct_clock_new(&world->clock, 0), DUCT_OK);
	CHECK_STATUS(duct_timer_new(&world->timer, INTERVAL,
			 DUCT_TIMER(.clock = world->clock, .name = "a timer", .start_later = state->starts_later)),
	    DUCT_OK);
	CHECK_STATUS(duct_event_new(&world->event, NULL), DUCT_OK);
	CHECK_STATUS(duct_never_new(&world->never, sizeof(int64_t)), DUCT_OK);
	world->beside = test_pair_new(sizeof(int64_t), 1);
	CHECK_STATUS(duct_clock_advance(world->clock, state->now), DUCT_OK);
	if (state->is_seen)
		CHECK_STATUS(duct_receiver_wait(world->timer, 0, NULL), DUCT_OK);
	if (state->is_set)
		CHECK_STATUS(duct_event_set(world->event), DUCT_OK);
	if (state->closed) {
		duct_receiver_close(world->timer);
		duct_receiver_close(world->event);
		duct_receiver_close(world->never);
	}
	for (size_t i = 0; i < ARRAY_LEN(world->late); i++)
		world->late[i] = UNTOUCHED;
}

static void world_free(struct world *world)
{
	duct_receiver_free(world->new_receiver);
	duct_clock_free(world->new_clock);
	duct_receiver_free(world->timer);
	duct_receiver_free(world->event);
	duct_receiver_free(world->never);
	duct_clock_free(world->clock);
	test_pair_free(&world->beside);
}

struct snapshot {
	duct_time now;
	int64_t interval;
	size_t ticks, waiting;
	bool runs, timer_closed, is_set, event_closed, never_closed;
};

static struct snapshot world_snapshot(const struct world *world)
{
	return (struct snapshot){ .now = duct_clock_now(world->clock),
		.interval = duct_timer_interval(world->timer),
		.ticks = duct_receiver_len(world->timer),
		.waiting = duct_channel_waiting_receivers(world->beside.channel),
		.runs = duct_timer_is_running(world->timer),
		.timer_closed = duct_receiver_is_closed(world->timer),
		.is_set = duct_event_is_set(world->event),
		.event_closed = duct_receiver_is_closed(world->event),
		.never_closed = duct_receiver_is_closed(world->never) };
}

/* What was due when it was found may have been found by the call, and a timer that had not started have done so. */
static bool world_is_as_before(const struct world *world, const struct snapshot *one)
{
	const struct snapshot other = world_snapshot(world);

	return one->now == other.now && one->interval == other.interval && one->waiting == other.waiting &&
	       (one->runs == other.runs || world->state->starts_later) && one->timer_closed == other.timer_closed &&
	       one->is_set == other.is_set && one->event_closed == other.event_closed &&
	       one->never_closed == other.never_closed && other.ticks + world->received >= one->ticks;
}

static bool nothing_is_new(const struct world *world)
{
	return world->new_clock == NULL && world->new_receiver == NULL && world->chosen == 0 &&
	       world->late[world->received] == UNTOUCHED && world->cases[0].status == DUCT_OK;
}

/* The timer gives all ticks that the call did not, as late as they were. */
static bool ticks_on(struct world *world)
{
	const struct state *state = world->state;
	duct_time due = INTERVAL * (duct_time)(1 + world->received);
	int64_t late;

	for (; !state->starts_later && due <= state->now && (!state->closed || due == INTERVAL); due += INTERVAL)
		if (duct_try_recv(world->timer, &late) != DUCT_OK || late != state->now - due)
			return false;
	return duct_try_recv(world->timer, &late) == (state->closed ? DUCT_CLOSED : DUCT_EMPTY);
}

/* ---- What is called --------------------------------------------------------------------------------------------------- */

#include "nomem.h"

#define NAMED DUCT_TIMER(.name = "a timer with a rather long name to copy", .clock = w->clock, .tick_now = true)

FORM(timer_new, CALL(duct_timer_new)(&w->new_receiver, 5, NULL))
FORM(timer_new_named, CALL(duct_timer_new)(&w->new_receiver, 5, NAMED))
FORM(timer_at, CALL(duct_timer_at)(&w->new_receiver, 5, NULL))
FORM(timer_at_named, CALL(duct_timer_at)(&w->new_receiver, 5, NAMED))
FORM(timer_after, CALL(duct_timer_after)(&w->new_receiver, 5, NULL))
FORM(timer_after_named, CALL(duct_timer_after)(&w->new_receiver, 5, NAMED))
FORM(event_new, CALL(duct_event_new)(&w->new_receiver, NULL))
FORM(event_new_named, CALL(duct_event_new)(&w->new_receiver, "an event with a rather long name to copy"))
FORM(never_new, CALL(duct_never_new)(&w->new_receiver, 5000))
FORM(clock_new, CALL(duct_clock_new)(&w->new_clock, 5))
FORM(timer_clone, CALL(duct_receiver_clone)(w->timer, &w->new_receiver))
FORM(timer_reset, CALL(duct_timer_reset)(w->timer, 7, 8, true))
FORM(clock_advance, CALL(duct_clock_advance)(w->clock, 100000))
PLAIN(event_set, duct_event_set, w->event)
PLAIN(event_is_set, duct_event_is_set, w->event)
PLAIN(timer_is_running, duct_timer_is_running, w->timer)
PLAIN(timer_interval, duct_timer_interval, w->timer)
PLAIN(timer_missed, duct_timer_missed, w->timer)
PLAIN(clock_now, duct_clock_now, w->clock)
PLAIN(timer_close, duct_receiver_close, w->timer)
PLAIN(event_close, duct_receiver_close, w->event)
PLAIN(never_close, duct_receiver_close, w->never)
GIVE_BACK(timer_free, duct_receiver_free, duct_receiver, w->timer)
GIVE_BACK(event_free, duct_receiver_free, duct_receiver, w->event)
GIVE_BACK(never_free, duct_receiver_free, duct_receiver, w->never)
GIVE_BACK(clock_free, duct_clock_free, duct_clock, w->clock)

/* One that comes to something without a fault: these find nothing where there is nothing to find. */
static duct_status found(duct_status status)
{
	return status == DUCT_EMPTY || status == DUCT_TIMEDOUT ? DUCT_OK : status;
}

FORM(timer_try, found(CALL(duct_try_recv)(w->timer, &w->late[0])))
FORM(event_try, found(CALL(duct_try_recv)(w->event, NULL)))
FORM(never_try, found(CALL(duct_try_recv)(w->never, &w->late[0])))
FORM(timer_recv, CALL(duct_recv)(w->timer, &w->late[0]))
FORM(event_recv, CALL(duct_recv)(w->event, NULL))
FORM(never_recv, CALL(duct_recv)(w->never, &w->late[0]))
FORM(timer_until, CALL(duct_recv_until)(w->timer, &w->late[0], far(), NULL))
FORM(timer_wait, CALL(duct_receiver_wait)(w->timer, far(), NULL))
FORM(event_wait, CALL(duct_receiver_wait)(w->event, far(), NULL))
FORM(timer_batch, CALL(duct_recv_many)(w->timer, w->late, 2, 2, &w->received, far(), NULL))

/* The timer, the event, the one that never has anything, and a channel, in turn. */
static duct_case *cases_of(struct world *w, size_t count)
{
	duct_receiver *const receivers[] = { w->timer, w->event, w->never, w->beside.rx };

	for (size_t i = 0; i < count; i++)
		w->cases[i] = duct_recv_case(receivers[i % 4], &w->late[0]);
	return w->cases;
}

FORM(select_4, CALL(duct_select)(cases_of(w, 4), 4, &w->chosen))
FORM(select_40, CALL(duct_select)(cases_of(w, 40), 40, &w->chosen))
FORM(try_select_16, found(CALL(duct_try_select)(cases_of(w, 16), 16, &w->chosen)))
FORM(try_select_40, found(CALL(duct_try_select)(cases_of(w, 40), 40, &w->chosen)))
FORM(select_ready_40, CALL(duct_select_until)(cases_of(w, 40), 40, &w->chosen, DUCT_READY, far(), NULL))
FORM(select_in_order_40, CALL(duct_select_until)(cases_of(w, 40), 40, &w->chosen, DUCT_PRIORITY, far(), NULL))

static const struct form forms[] = {
	A_FORM(timer_new, FAILS, 0),
	A_FORM(timer_new_named, FAILS, 0),
	A_FORM(timer_at, FAILS, 0),
	A_FORM(timer_at_named, FAILS, 0),
	A_FORM(timer_after, FAILS, 0),
	A_FORM(timer_after_named, FAILS, 0),
	A_FORM(event_new, FAILS, 0),
	A_FORM(event_new_named, FAILS, 0),
	A_FORM(never_new, FAILS, 0),
	A_FORM(clock_new, FAILS, 0),
	A_FORM(timer_clone, NEVER, 0),
	A_FORM(timer_reset, NEVER, 0),
	A_FORM(clock_advance, NEVER, 0),
	A_FORM(event_set, NEVER, 0),
	A_FORM(event_is_set, NEVER, 0),
	A_FORM(timer_is_running, NEVER, 0),
	A_FORM(timer_interval, NEVER, 0),
	A_FORM(timer_missed, NEVER, 0),
	A_FORM(clock_now, NEVER, 0),
	A_FORM(timer_close, NEVER, 0),
	A_FORM(event_close, NEVER, 0),
	A_FORM(never_close, NEVER, 0),
	A_FORM(timer_free, NEVER, 0),
	A_FORM(event_free, NEVER, 0),
	A_FORM(never_free, NEVER, 0),
	A_FORM(clock_free, NEVER, 0),
	A_FORM(timer_try, NEVER, 0),
	A_FORM(event_try, NEVER, 0),
	A_FORM(never_try, NEVER, 0),
	A_FORM(timer_recv, FAILS, WAITS),
	A_FORM(event_recv, FAILS, WAITS),
	A_FORM(never_recv, FAILS, WAITS),
	A_FORM(timer_until, FAILS, WAITS),
	A_FORM(timer_wait, FAILS, WAITS),
	A_FORM(event_wait, FAILS, WAITS),
	A_FORM(timer_batch, FAILS, WAITS),
	A_FORM(select_4, FAILS, WAITS),
	A_FORM(select_40, FAILS, WAITS),
	A_FORM(try_select_16, NEVER, 0),
	A_FORM(try_select_40, FAILS, 0),
	A_FORM(select_ready_40, FAILS, WAITS),
	A_FORM(select_in_order_40, FAILS, WAITS),
};

/* ---- What is to be seen ------------------------------------------------------------------------------------------------ */

static void make_world(struct world *world, const struct place *place)
{
	world_init(world, place->state);
}

static bool applies(const struct form *form, const struct state *state, enum token token)
{
	(void)form, (void)state, (void)token;
	return true;
}

static void rescue_call(const struct world *world)
{
	duct_receiver_close(world->timer);
	duct_receiver_close(world->event);
	duct_receiver_close(world->never);
}

static bool may_free_memory(const struct place *place, const struct world *world)
{
	(void)place, (void)world;
	return false;
}

static void check_unchanged(const struct place *place, struct world *world, const struct snapshot *before, enum after after)
{
	long points;

	EXPECT(world_is_as_before(world, before));
	EXPECT(nothing_is_new(world));
	if (after == DRAIN) {
		EXPECT(ticks_on(world));
		EXPECT(duct_event_is_set(world->event) == world->state->is_set);
	} else {
		EXPECT(make_call(place->form, world, 0, &points) == place->expected);
	}
}

static void check_hooks(const struct place *place, const struct world *world)
{
	(void)place, (void)world;
}

TEST(nomem_timer, in_every_function_and_state_changes_nothing, 120)
{
	check_forms(forms, ARRAY_LEN(forms), "a timer, an event and a clock");
}
