/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A table of calls, each made in every state of a small world with each of its n calls that can fail failing in turn, until
 * there is none left to fail.
 *
 * A function that has a status must then answer DUCT_NOMEM, the world must be as it was, and nothing may be alive that was not
 * before.  A function that cannot fail must make no such call, or do its work all the same.
 *
 * A call that would wait for ever is ended by a second thread, when the first has made its condition variable, which is the
 * last thing that can fail in a wait, or polls.
 *
 * With FAULT_TABLE in the environment each function that was called is told, for check-faults.sh to see that none is missing.
 *
 * Included by nomem_test.c, broadcast_test.c, timer_test.c and others after their struct world, struct state, struct snapshot and
 * enum token.
 */
#ifndef TEST_FAULT_NOMEM_H
#define TEST_FAULT_NOMEM_H

#include "faults.h"
#include "harness.h"

/* ---- Forms ------------------------------------------------------------------------------------------------------------ */

/* The public function that the form at hand calls, by the call itself. */
static const char *called;
#define CALL(function_) (called = #function_, function_)

#define FORM(name_, status_) \
	static duct_status name_(struct world *w) \
	{ \
		(void)w; \
		return (status_); \
	}

/* A function without a status. */
#define PLAIN(name_, function_, ...) FORM(name_, ((void)CALL(function_)(__VA_ARGS__), DUCT_OK))

/* Each handle is given back once: the world forgets it. */
#define GIVE_BACK(name_, function_, type_, place_) \
	static duct_status name_(struct world *w) \
	{ \
		type_ *handle = (place_); \
		(place_) = NULL; \
		CALL(function_)(handle); \
		return DUCT_OK; \
	}

/* A time that a wait does not come to. */
static duct_time far(void)
{
	return duct_after_s(100000);
}

enum manner {
	FAILS,     /* a fault is DUCT_NOMEM, and nothing has changed */
	NEVER,     /* makes no call that can fail */
	REGARDLESS /* may make some, and does its work all the same */
};

/* What a form takes: the call may wait, maybe for ever.  Other bits are the world's. */
enum { WAITS = 32 };

struct form {
	const char *name;
	duct_status (*run)(struct world *world);
	enum manner manner;
	unsigned takes;
};

#define A_FORM(name_, manner_, takes_) \
	{ \
#name_, name_, (manner_), (takes_) \
	}

/* A form where it is to be called. */
struct place {
	const struct form *form;
	const struct state *state;
	enum token token;
	bool with_allocator;
	duct_status expected; /* without a fault */
	long points, n;
};

/* What to do after a fault, beside looking. */
enum after { DRAIN, REPEAT };

/* ---- What the world has of its own ------------------------------------------------------------------------------------- */

static void make_world(struct world *world, const struct place *place);

/* The form can be called there. */
static bool applies(const struct form *form, const struct state *state, enum token token);

/* Ends a call that waits. */
static void rescue_call(const struct world *world);

/* The call that failed may have given memory back. */
static bool may_free_memory(const struct place *place, const struct world *world);

static void check_unchanged(const struct place *place, struct world *world, const struct snapshot *before, enum after after);

/* When the world is free. */
static void check_hooks(const struct place *place, const struct world *world);

/* ---- Making the call -------------------------------------------------------------------------------------------------- */

/* The thread that ends a wait. */
struct rescue {
	const struct world *world;
	long made; /* condition variables, and polls begun, before the call */
	atomic_bool done;
	pthread_t thread;
};

static long sleeps_begun(void)
{
	return fault_conditions_made() + fault_polls_begun();
}

static void *run_rescue(void *argument)
{
	struct rescue *rescue = argument;

	AWAIT(atomic_load(&rescue->done) || sleeps_begun() > rescue->made);
	if (!atomic_load(&rescue->done))
		rescue_call(rescue->world);
	return NULL;
}

/* Makes the call with its n-th fault; the status, and how many calls that can fail there were. */
static duct_status make_call(const struct form *form, struct world *world, long n, long *points)
{
	struct rescue rescue = { .world = world, .made = sleeps_begun() };
	duct_status status;

	if (form->takes & WAITS)
		rescue.thread = test_start(run_rescue, &rescue);
	fault_begin(n);
	status = form->run(world);
	*points = fault_end();
	atomic_store(&rescue.done, true);
	if (form->takes & WAITS)
		test_join(rescue.thread);
	return status;
}

/* ---- The check -------------------------------------------------------------------------------------------------------- */

/* Before a check: what it is of, if it fails. */
static bool holds(const struct place *place, bool condition)
{
	if (!condition)
		fprintf(stderr, "%s (%s), %s%s, %s, fault %ld:\n", called, place->form->name, place->state->name,
		    place->with_allocator ? ", with an allocator" : "", token_names[place->token], place->n);
	return condition;
}

#define EXPECT(condition_) CHECK(holds(place, (condition_)))

/* Meets the n-th fault in a world of its own; false once there is no n-th. */
static bool meet(const struct place *place, enum after after)
{
	static struct world world;
	struct fault_live before = fault_live(), during, now;
	struct snapshot snapshot;
	duct_status status;
	long points;
	bool hit;

	make_world(&world, place);
	snapshot = world_snapshot(&world);
	during = fault_live();
	status = make_call(place->form, &world, place->n, &points);
	hit = points >= place->n;
	EXPECT(hit == (place->n <= place->points));
	if (hit && place->form->manner == FAILS) {
		now = fault_live();
		EXPECT(status == DUCT_NOMEM);
		EXPECT(may_free_memory(place, &world) || fault_live_same(&during, &now));
		check_unchanged(place, &world, &snapshot, after);
	} else {
		EXPECT(status == place->expected);
	}
	world_free(&world);
	check_hooks(place, &world);
	now = fault_live();
	EXPECT(world.arena.live == 0);
	EXPECT(fault_live_same(&before, &now));
	return hit;
}

/* Without a fault: how many calls there are that can fail, and what it comes to. */
static void measure(struct place *place)
{
	static struct world world;

	make_world(&world, place);
	place->expected = make_call(place->form, &world, 0, &place->points);
	world_free(&world);
	EXPECT(place->expected != DUCT_NOMEM && place->expected != DUCT_INVALID && place->expected != DUCT_TIMEDOUT);
	EXPECT(place->points == 0 || place->form->manner != NEVER);
}

/* ---- The sum ---------------------------------------------------------------------------------------------------------- */

static struct tally {
	const char *function;
	long calls, points;
} tallies[100];

static size_t tally_count;
static long all_calls, all_points;

static void count(const struct place *place)
{
	size_t k = 0;

	while (k < tally_count && strcmp(tallies[k].function, called) != 0)
		k++;
	if (k == tally_count) {
		CHECK(tally_count < ARRAY_LEN(tallies));
		tallies[tally_count++].function = called;
	}
	tallies[k].calls++;
	tallies[k].points += place->points;
	all_calls++;
	all_points += place->points;
}

static void check_place(struct place *place)
{
	measure(place);
	for (place->n = 1; meet(place, DRAIN); place->n++)
		if (place->form->manner == FAILS)
			CHECK(meet(place, REPEAT));
	count(place);
}

static void check_form(const struct form *form)
{
	for (size_t s = 0; s < state_count; s++)
		for (int token = 0; token < TOKENS; token++)
			for (int allocator = 0; allocator < 2; allocator++) {
				struct place place = { form, &states[s], (enum token)token, allocator, DUCT_OK, 0, 0 };

				if (applies(place.form, place.state, place.token))
					check_place(&place);
			}
}

/* Tells of each function, if that is asked for, and of all; what: it has the states. */
static void check_forms(const struct form *forms, size_t form_count, const char *what)
{
	for (size_t f = 0; f < form_count; f++)
		check_form(&forms[f]);
	CHECK(all_points > 0);
	for (size_t k = 0; k < tally_count && getenv("FAULT_TABLE") != NULL; k++)
		printf("%-34s %6ld calls, %6ld fault points\n", tallies[k].function, tallies[k].calls, tallies[k].points);
	printf(
	    "%ld fault points in %ld calls: %zu forms of %zu functions, in %zu states of %s and %d of a token: all answered\n",
	    all_points, all_calls, form_count, tally_count, state_count, what, (int)TOKENS);
}

#endif
