/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable, no descriptor to be woken by, for schedulers and file watchers: as nomem_test.c, but
 * with receivers that are no channel's.  What has a time keeps it, what happened to a file is told later, and no descriptor is
 * left open.
 */
#include "arena.h"
#include "faults.h"
#include "harness.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNTOUCHED (-1)
#define BEGINNING 1000
#define LATER 1000000 /* when the objects of the world are due */

/* ---- The world -------------------------------------------------------------------------------------------------------- */

struct state {
	const char *name;
	bool watches, polls, closed;
	int objects; /* that have a time */
	bool seen;   /* the first is due, and somebody knows of it */
};

/* What an agenda has room for at first. */
#define ROOM 16

static const struct state states[] = {
	{ .name = "nothing set" },
	{ .name = "some set", .objects = 3 },
	{ .name = "as many set as there is room for", .objects = ROOM },
	{ .name = "one due", .objects = 3, .seen = true },
	{ .name = "scheduler closed", .closed = true },
	{ .name = "idle", .watches = true },
	{ .name = "idle, polling", .watches = true, .polls = true },
	{ .name = "watcher closed", .watches = true, .closed = true },
};

static const size_t state_count = ARRAY_LEN(states);

enum token { NO_TOKEN, TOKENS };

static const char *const token_names[TOKENS] = { "no token" };

/* What a form needs. */
enum { SCHEDULER = 1, WATCHER = 2 };

struct world {
	const struct state *state;
	struct arena arena;
	duct_clock *clock;
	duct_receiver *receiver;

	/* For the call. */
	duct_receiver *new_receiver;
	int object;
	duct_file_event event;
	size_t received, chosen;
	duct_case cases[2];
};

struct snapshot {
	int descriptors;
	size_t pending, len;
	bool closed;
};

static char top[200];

static const char *const paths[] = { top, "missing" };

static int open_descriptors(void)
{
	DIR *stream = opendir("/proc/self/fd");
	int count = 0;

	CHECK(stream != NULL);
	while (readdir(stream) != NULL)
		count++;
	closedir(stream);
	return count;
}

static duct_status set(const struct world *world, int object, duct_time at)
{
	return duct_scheduler_set(world->receiver, &object, at);
}

static void schedule(struct world *world)
{
	CHECK_STATUS(duct_scheduler_new(&world->receiver, sizeof(int), NULL, world->clock), DUCT_OK);
	for (int i = 0; i < world->state->objects; i++)
		CHECK_STATUS(set(world, i, LATER + i), DUCT_OK);
	if (!world->state->seen)
		return;
	CHECK_STATUS(duct_clock_advance(world->clock, LATER - BEGINNING), DUCT_OK);
	CHECK_STATUS(duct_receiver_wait(world->receiver, 0, NULL), DUCT_OK);
}

#define RARELY (INT64_C(100000) * 1000000000)

static void world_init(struct world *world, const struct state *state)
{
	*world = (struct world){ .state = state, .object = UNTOUCHED };
	world->event.change = DUCT_FILE_NONE;
	CHECK_STATUS(duct_clock_new(&world->clock, BEGINNING), DUCT_OK);
	if (state->watches)
		CHECK_STATUS(
		    duct_watcher_new(&world->receiver, paths, 1, DUCT_WATCHER(.poll = state->polls, .interval = RARELY)),
		    DUCT_OK);
	else
		schedule(world);
	if (state->closed)
		duct_receiver_close(world->receiver);
}

static void world_free(struct world *world)
{
	duct_receiver_free(world->new_receiver);
	duct_receiver_free(world->receiver);
	duct_clock_free(world->clock);
}

static struct snapshot world_snapshot(const struct world *world)
{
	return (struct snapshot){ .descriptors = open_descriptors(),
		.pending = duct_scheduler_pending(world->receiver),
		.len = duct_receiver_len(world->receiver),
		.closed = duct_receiver_is_closed(world->receiver) };
}

#include "nomem.h"

/* ---- What is called --------------------------------------------------------------------------------------------------- */

#define LONG_NAME "a receiver with a rather long name to copy"

FORM(scheduler_new, CALL(duct_scheduler_new)(&w->new_receiver, 200, LONG_NAME, w->clock))
FORM(scheduler_new_plain, CALL(duct_scheduler_new)(&w->new_receiver, 1, NULL, NULL))
FORM(watcher_new, CALL(duct_watcher_new)(&w->new_receiver, paths, 1, NULL))
FORM(watcher_new_with_all, CALL(duct_watcher_new)(&w->new_receiver, paths, 2,
			       DUCT_WATCHER(.name = LONG_NAME, .may_be_missing = true, .settle = -1, .clock = w->clock)))
FORM(
    watcher_new_polling, CALL(duct_watcher_new)(&w->new_receiver, paths, 2, DUCT_WATCHER(.poll = true, .may_be_missing = true)))

static const int first = 0, another = 100;

FORM(set_another, CALL(duct_scheduler_set)(w->receiver, &another, 2 * LATER))
FORM(set_first_anew, CALL(duct_scheduler_set)(w->receiver, &first, 2 * LATER))
FORM(unset_first, (CALL(duct_scheduler_unset)(w->receiver, &first)))
FORM(unset_another, (CALL(duct_scheduler_unset)(w->receiver, &another)))
PLAIN(pending, duct_scheduler_pending, w->receiver)
PLAIN(receiver_close, duct_receiver_close, w->receiver)
GIVE_BACK(receiver_free, duct_receiver_free, duct_receiver, w->receiver)

#define INTO (w->state->watches ? (void *)&w->event : (void *)&w->object)

FORM(recv, CALL(duct_recv)(w->receiver, INTO))
FORM(try_recv, CALL(duct_try_recv)(w->receiver, INTO))
FORM(recv_until, CALL(duct_recv_until)(w->receiver, INTO, far(), NULL))
FORM(recv_many, CALL(duct_recv_many)(w->receiver, INTO, 1, 1, &w->received, far(), NULL))
FORM(receiver_wait, CALL(duct_receiver_wait)(w->receiver, far(), NULL))

static duct_case *twice(struct world *w)
{
	for (int i = 0; i < 2; i++)
		w->cases[i] = (duct_case)DUCT_RECV(w->receiver, INTO);
	return w->cases;
}

FORM(select_twice, CALL(duct_select)(twice(w), 2, &w->chosen))
FORM(select_ready, CALL(duct_select_until)(twice(w), 2, &w->chosen, DUCT_READY, far(), NULL))

static const struct form forms[] = {
	A_FORM(scheduler_new, FAILS, SCHEDULER),
	A_FORM(scheduler_new_plain, FAILS, SCHEDULER),
	A_FORM(watcher_new, FAILS, WATCHER),
	A_FORM(watcher_new_with_all, FAILS, WATCHER),
	A_FORM(watcher_new_polling, FAILS, WATCHER),
	A_FORM(set_another, FAILS, SCHEDULER),
	A_FORM(set_first_anew, FAILS, SCHEDULER),
	A_FORM(unset_first, NEVER, SCHEDULER),
	A_FORM(unset_another, NEVER, SCHEDULER),
	A_FORM(pending, NEVER, SCHEDULER | WATCHER),
	A_FORM(receiver_close, NEVER, SCHEDULER | WATCHER),
	A_FORM(receiver_free, NEVER, SCHEDULER | WATCHER),
	A_FORM(recv, FAILS, SCHEDULER | WATCHER | WAITS),
	A_FORM(try_recv, FAILS, SCHEDULER | WATCHER),
	A_FORM(recv_until, FAILS, SCHEDULER | WATCHER | WAITS),
	A_FORM(recv_many, FAILS, SCHEDULER | WATCHER | WAITS),
	A_FORM(receiver_wait, FAILS, SCHEDULER | WATCHER | WAITS),
	A_FORM(select_twice, FAILS, SCHEDULER | WATCHER | WAITS),
	A_FORM(select_ready, FAILS, SCHEDULER | WATCHER | WAITS),
};

/* ---- What is to be seen ------------------------------------------------------------------------------------------------ */

static void make_world(struct world *world, const struct place *place)
{
	world_init(world, place->state);
}

/* Which of the two a test is of. */
static unsigned kind;

static bool applies(const struct form *form, const struct state *state, enum token token)
{
	(void)token;
	return (form->takes & kind) != 0 && state->watches == (kind == WATCHER);
}

static void rescue_call(const struct world *world)
{
	duct_receiver_close(world->receiver);
}

static bool may_free_memory(const struct place *place, const struct world *world)
{
	(void)place;
	(void)world;
	return false;
}

/* All that had a time comes then. */
static void drain(struct world *world)
{
	const struct state *state = world->state;
	int object;

	if (state->watches)
		return;
	CHECK_STATUS(duct_clock_advance(world->clock, LATER + ROOM), DUCT_OK);
	for (int i = 0; i < state->objects; i++) {
		CHECK_STATUS(duct_try_recv(world->receiver, &object), DUCT_OK);
		CHECK(object == i);
	}
	CHECK_STATUS(duct_try_recv(world->receiver, &object), state->closed ? DUCT_CLOSED : DUCT_EMPTY);
}

static void check_unchanged(const struct place *place, struct world *world, const struct snapshot *before, enum after after)
{
	struct snapshot now = world_snapshot(world);
	long points;

	EXPECT(now.descriptors == before->descriptors && now.pending == before->pending && now.len == before->len);
	EXPECT(now.closed == before->closed && world->new_receiver == NULL);
	EXPECT(world->object == UNTOUCHED && world->event.change == DUCT_FILE_NONE && world->received == 0);
	if (after == DRAIN)
		drain(world);
	else
		EXPECT(make_call(place->form, world, 0, &points) == place->expected);
}

static void check_hooks(const struct place *place, const struct world *world)
{
	(void)place;
	(void)world;
}

TEST(nomem_scheduler, in_every_function_and_state_changes_nothing, 60)
{
	kind = SCHEDULER;
	check_forms(forms, ARRAY_LEN(forms), "a scheduler or watcher");
}

TEST(nomem_watcher, in_every_function_and_state_changes_nothing, 300)
{
	kind = WATCHER;
	test_folder_begin(top, sizeof top);
	check_forms(forms, ARRAY_LEN(forms), "a scheduler or watcher");
	test_folder_end(top);
}

/* ---- Files that change ------------------------------------------------------------------------------------------------- */

/* Whatever there is no memory for, in the wait or for what is read: the change is told, by this receive or by the next. */
static void receive_in_vain(bool polls)
{
	const struct fault_live before = fault_live();
	bool hit = true;
	long n;

	for (n = 1; hit; n++) {
		duct_receiver *watcher;
		duct_file_event event;
		struct fault_live after;
		duct_status status;

		CHECK_STATUS(
		    duct_watcher_new(&watcher, paths, 1, DUCT_WATCHER(.poll = polls, .interval = 1000000, .settle = -1)),
		    DUCT_OK);
		CHECK(mknod("f", 0600, 0) == 0);
		fault_begin(n);
		status = duct_recv_until(watcher, &event, duct_after_s(20), NULL);
		hit = fault_end() >= n;
		CHECK(status == DUCT_OK || (hit && status == DUCT_NOMEM));
		if (status == DUCT_NOMEM)
			CHECK_STATUS(duct_recv_until(watcher, &event, duct_after_s(20), NULL), DUCT_OK);
		CHECK(event.change == DUCT_FILE_CREATED && strcmp(event.path + strlen(top), "/f") == 0);
		CHECK(unlink("f") == 0);
		CHECK_STATUS(duct_recv(watcher, &event), DUCT_OK);
		CHECK(event.change == DUCT_FILE_DELETED);
		CHECK_STATUS(duct_try_recv(watcher, &event), DUCT_EMPTY);
		duct_receiver_free(watcher);
		after = fault_live();
		CHECK(fault_live_same(&before, &after));
	}
	CHECK(n > 3);
}

TEST(nomem_watcher, tells_later_what_it_could_not_tell, 60)
{
	test_folder_begin(top, sizeof top);
	receive_in_vain(false);
	receive_in_vain(true);
	test_folder_end(top);
}
