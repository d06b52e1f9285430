/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable, for receivers that are made of receivers: as nomem_test.c, but with merges and
 * maps of a few channels and of very many.  Those that are made borrow what they are made of, so that it can be seen to be as it
 * was; where they take it over, a call that fails leaves it the caller's.
 *
 * After a call that fails no message has been taken, whatever had to be looked at; made again, it comes to what it comes to
 * where nothing fails.
 */
#include "arena.h"
#include "faults.h"
#include "harness.h"

#define FEW 3
#define MANY 20   /* more than a receive has room for by itself */
#define WIDE 1000 /* messages for which it needs memory too */
#define UNTOUCHED (-1)

/* ---- The world -------------------------------------------------------------------------------------------------------- */

struct state {
	const char *name;
	int queued; /* in each channel: the numbers from 1 on, so the first that passes a filter is the second */
	bool held, closed;
};

static const struct state states[] = {
	{ .name = "empty" },
	{ .name = "one odd message each", .queued = 1 },
	{ .name = "two messages each", .queued = 2 },
	{ .name = "one held", .queued = 4, .held = true },
	{ .name = "closed", .closed = true },
	{ .name = "closed, with messages", .queued = 2, .closed = true },
};

static const size_t state_count = ARRAY_LEN(states);

/* Tokens end calls on these as they do all others: nomem_test.c has them. */
enum token { NO_TOKEN, TOKENS };

static const char *const token_names[TOKENS] = { "no token" };

struct tagged {
	size_t source;
	int number;
};

struct world {
	const struct state *state;
	struct arena arena;
	struct test_pair pair[MANY];
	duct_receiver *rx[MANY], *spare;
	duct_channel *spare_channel;
	duct_receiver *few, *many, *filtered, *compared, *wide;

	/* For the call. */
	duct_receiver *new_rx;
	bool gave; /* the sources */
	int in[2];
	char wide_in[WIDE];
	duct_case cases[2];
	size_t chosen, received, number;
};

struct snapshot {
	size_t len[MANY], receivers[MANY], few, many, filtered;
	bool few_closed, many_closed, filtered_closed;
};

static bool even(const void *message, void *context)
{
	int number;

	(void)context;
	memcpy(&number, message, sizeof number);
	return number % 2 == 0;
}

static bool rises(const void *previous, const void *message, void *context)
{
	(void)previous;
	return even(message, context);
}

static void widen(void *to, void *from, void *context)
{
	(void)from;
	(void)context;
	memset(to, 7, WIDE);
}

static bool widen_even(void *to, void *from, void *context)
{
	if (!even(from, context))
		return false;
	widen(to, from, context);
	return true;
}

#define BORROWED DUCT_COMBINE(.borrow = true)

static void make_receivers(struct world *world)
{
	CHECK_STATUS(duct_merge_new(&world->few, world->rx, FEW, BORROWED), DUCT_OK);
	CHECK_STATUS(duct_merge_new(&world->many, world->rx, MANY, BORROWED), DUCT_OK);
	CHECK_STATUS(duct_filter_new(&world->filtered, world->rx[0], even, NULL, BORROWED), DUCT_OK);
	CHECK_STATUS(duct_with_previous_new(&world->compared, world->rx[0], rises, NULL, false, BORROWED), DUCT_OK);
	CHECK_STATUS(duct_map_new(&world->wide, world->rx[0], WIDE, widen, NULL, BORROWED), DUCT_OK);
}

static void world_init(struct world *world, const struct state *state)
{
	memset(world, 0, sizeof *world);
	world->state = state;
	arena_init(&world->arena);
	world->in[0] = world->in[1] = UNTOUCHED;
	CHECK_STATUS(duct_anycast_new(&world->spare_channel, sizeof(int), 1, NULL), DUCT_OK);
	CHECK_STATUS(duct_receiver_new(world->spare_channel, &world->spare), DUCT_OK);
	for (int i = 0; i < MANY; i++) {
		world->pair[i] = test_pair_new(sizeof(int), 4);
		world->rx[i] = world->pair[i].rx;
		for (int n = 1; n <= world->state->queued; n++)
			CHECK_STATUS(duct_try_send(world->pair[i].tx, &n), DUCT_OK);
	}
	make_receivers(world);
	if (world->state->held)
		CHECK_STATUS(duct_receiver_wait(world->filtered, 0, NULL), DUCT_OK);
	for (int i = 0; i < MANY && world->state->closed; i++)
		duct_channel_close(world->pair[i].channel, 0);
}

static void world_free(struct world *world)
{
	duct_receiver_free(world->new_rx);
	duct_receiver_free(world->few);
	duct_receiver_free(world->many);
	duct_receiver_free(world->filtered);
	duct_receiver_free(world->compared);
	duct_receiver_free(world->wide);
	duct_receiver_free(world->spare);
	duct_channel_free(world->spare_channel);
	for (int i = 0; i < MANY; i++) {
		if (world->gave && i < FEW)
			world->pair[i].rx = NULL;
		test_pair_free(&world->pair[i]);
	}
}

static struct snapshot world_snapshot(const struct world *world)
{
	struct snapshot snapshot;

	memset(&snapshot, 0, sizeof snapshot);
	for (int i = 0; i < MANY; i++) {
		snapshot.len[i] = duct_channel_len(world->pair[i].channel);
		snapshot.receivers[i] = duct_channel_receivers(world->pair[i].channel);
	}
	snapshot.few = duct_receiver_len(world->few);
	snapshot.many = duct_receiver_len(world->many);
	snapshot.filtered = duct_receiver_len(world->filtered);
	snapshot.few_closed = duct_receiver_is_closed(world->few);
	snapshot.many_closed = duct_receiver_is_closed(world->many);
	snapshot.filtered_closed = duct_receiver_is_closed(world->filtered);
	return snapshot;
}

#include "nomem.h"

/* ---- What is called --------------------------------------------------------------------------------------------------- */

/* Takes the sources over, on success. */
static duct_status gave(struct world *w, duct_status status)
{
	w->gave = status == DUCT_OK;
	return status;
}

FORM(merge_new, CALL(duct_merge_new)(&w->new_rx, w->rx, FEW, BORROWED))
FORM(merge_new_owning, gave(w, CALL(duct_merge_new)(&w->new_rx, w->rx, FEW, NULL)))
FORM(merge_new_named, CALL(duct_merge_new)(&w->new_rx, w->rx, MANY, DUCT_COMBINE(.borrow = true, .name = "all of them")))
FORM(merge_tagged_new, CALL(duct_merge_tagged_new)(&w->new_rx, w->rx, FEW, 16, 8, BORROWED))
FORM(merge_tagged_new_owning, gave(w, CALL(duct_merge_tagged_new)(&w->new_rx, w->rx, FEW, 16, 8, NULL)))
FORM(map_new, CALL(duct_map_new)(&w->new_rx, w->rx[0], WIDE, widen, NULL, BORROWED))
FORM(filter_new, CALL(duct_filter_new)(&w->new_rx, w->rx[0], even, NULL, BORROWED))
FORM(filter_map_new, CALL(duct_filter_map_new)(&w->new_rx, w->rx[0], WIDE, widen_even, NULL, BORROWED))
FORM(take_while_new, CALL(duct_take_while_new)(&w->new_rx, w->rx[0], even, NULL, BORROWED))
FORM(drop_while_new, CALL(duct_drop_while_new)(&w->new_rx, w->rx[0], even, NULL, BORROWED))
FORM(with_previous_new, CALL(duct_with_previous_new)(&w->new_rx, w->rx[0], rises, NULL, true, BORROWED))
FORM(merge_add, CALL(duct_merge_add)(w->few, w->spare, true, &w->number))
FORM(merge_add_of_many, CALL(duct_merge_add)(w->few, w->many, true, &w->number))
FORM(merge_remove, CALL(duct_merge_remove)(w->few, 1, &w->new_rx) == DUCT_OK ? (w->new_rx = NULL, DUCT_OK) : DUCT_CLOSED)

#define RECEIVES(name_, from_, message_) \
	FORM(recv_##name_, CALL(duct_recv)(w->from_, (message_))) \
	FORM(try_recv_##name_, CALL(duct_try_recv)(w->from_, (message_))) \
	FORM(recv_until_##name_, CALL(duct_recv_until)(w->from_, (message_), far(), NULL)) \
	FORM(recv_many_##name_, CALL(duct_recv_many)(w->from_, (message_), 1, 1, &w->received, far(), NULL)) \
	FORM(wait_##name_, CALL(duct_receiver_wait)(w->from_, far(), NULL)) \
	FORM(select_##name_, select_from(w, w->from_, (message_), 0, far())) \
	FORM(try_select_##name_, select_from(w, w->from_, (message_), 0, 0)) \
	FORM(select_ready_##name_, select_from(w, w->from_, (message_), DUCT_READY, far()))

/* What a case comes to, or the select. */
static duct_status select_from(struct world *w, duct_receiver *rx, void *message, unsigned flags, duct_time deadline)
{
	duct_status status;

	w->cases[0] = duct_recv_case(rx, message);
	w->cases[1] = duct_recv_case(w->spare, &w->in[1]);
	status = CALL(duct_select_until)(w->cases, 2, &w->chosen, flags, deadline, NULL);
	if (status == DUCT_TIMEDOUT)
		return DUCT_EMPTY;
	return status == DUCT_OK ? w->cases[0].status : status;
}

RECEIVES(few, few, &w->in[0])
RECEIVES(many, many, &w->in[0])
RECEIVES(filtered, filtered, &w->in[0])
RECEIVES(compared, compared, &w->in[0])
RECEIVES(wide, wide, w->wide_in)

FORM(len, ((void)CALL(duct_receiver_len)(w->few), DUCT_OK))
FORM(len_of_many, ((void)CALL(duct_receiver_len)(w->many), DUCT_OK))
FORM(describe, ((void)CALL(duct_receiver_describe)(w->filtered, NULL, 0), DUCT_OK))
FORM(close_many, (CALL(duct_receiver_close)(w->many), DUCT_OK))
FORM(clone_few, CALL(duct_receiver_clone)(w->few, &w->new_rx))
GIVE_BACK(free_few, duct_receiver_free, duct_receiver, w->few)
GIVE_BACK(free_filtered, duct_receiver_free, duct_receiver, w->filtered)
GIVE_BACK(free_compared, duct_receiver_free, duct_receiver, w->compared)

#define FORMS_OF(name_, try_) \
	A_FORM(recv_##name_, FAILS, WAITS), A_FORM(try_recv_##name_, try_, 0), A_FORM(recv_until_##name_, FAILS, WAITS), \
	    A_FORM(recv_many_##name_, FAILS, WAITS), A_FORM(wait_##name_, FAILS, WAITS), A_FORM(select_##name_, FAILS, WAITS), \
	    A_FORM(try_select_##name_, try_, 0), A_FORM(select_ready_##name_, FAILS, WAITS)

static const struct form forms[] = {
	A_FORM(merge_new, FAILS, 0),
	A_FORM(merge_new_owning, FAILS, 0),
	A_FORM(merge_new_named, FAILS, 0),
	A_FORM(merge_tagged_new, FAILS, 0),
	A_FORM(merge_tagged_new_owning, FAILS, 0),
	A_FORM(map_new, FAILS, 0),
	A_FORM(filter_new, FAILS, 0),
	A_FORM(filter_map_new, FAILS, 0),
	A_FORM(take_while_new, FAILS, 0),
	A_FORM(drop_while_new, FAILS, 0),
	A_FORM(with_previous_new, FAILS, 0),
	A_FORM(merge_add, FAILS, 0),
	A_FORM(merge_add_of_many, FAILS, 0),
	A_FORM(merge_remove, NEVER, 0),
	FORMS_OF(few, NEVER),
	FORMS_OF(many, FAILS),
	FORMS_OF(filtered, NEVER),
	FORMS_OF(compared, NEVER),
	FORMS_OF(wide, FAILS),
	A_FORM(len, NEVER, 0),
	A_FORM(len_of_many, REGARDLESS, 0),
	A_FORM(describe, NEVER, 0),
	A_FORM(close_many, NEVER, 0),
	A_FORM(clone_few, NEVER, 0),
	A_FORM(free_few, NEVER, 0),
	A_FORM(free_filtered, NEVER, 0),
	A_FORM(free_compared, NEVER, 0),
};

/* ---- What is to be seen ------------------------------------------------------------------------------------------------ */

static void make_world(struct world *world, const struct place *place)
{
	world_init(world, place->state);
}

static bool applies(const struct form *form, const struct state *state, enum token token)
{
	(void)form;
	(void)state;
	(void)token;
	return true;
}

static void rescue_call(const struct world *world)
{
	/* What borrows ends at once: a thread that waits does not sleep again. */
	duct_receiver_close(world->few);
	duct_receiver_close(world->many);
	duct_receiver_close(world->filtered);
	duct_receiver_close(world->compared);
	duct_receiver_close(world->wide);
}

/* A wait that fails in its last step has gone over what a filter refuses, and let go of what has ended. */
static bool may_free_memory(const struct place *place, const struct world *world)
{
	(void)world;
	return (place->form->takes & WAITS) != 0;
}

/* Refused messages are gone, if the call came as far as to sleep; those that pass are not. */
static bool nothing_is_lost(const struct snapshot *before, const struct snapshot *after)
{
	for (int i = 0; i < MANY; i++)
		if (after->receivers[i] != before->receivers[i] || before->len[i] != after->len[i])
			if (i != 0 || before->len[i] != 1)
				return false;
	return true;
}

static void check_unchanged(const struct place *place, struct world *world, const struct snapshot *before, enum after after)
{
	struct snapshot now = world_snapshot(world);
	long points;

	EXPECT(nothing_is_lost(before, &now));
	EXPECT(now.few_closed == before->few_closed && now.filtered_closed == before->filtered_closed);
	EXPECT(world->new_rx == NULL && !world->gave && world->in[0] == UNTOUCHED && world->in[1] == UNTOUCHED);
	EXPECT(world->received == 0 && world->number == 0 && world->chosen == 0 && world->wide_in[0] == 0);
	if (after == REPEAT)
		EXPECT(make_call(place->form, world, 0, &points) == place->expected);
}

static void check_hooks(const struct place *place, const struct world *world)
{
	(void)place;
	(void)world;
}

TEST(nomem, of_what_is_made_of_receivers_changes_nothing, 300)
{
	check_forms(forms, ARRAY_LEN(forms), "what is made of receivers");
}

/* ---- Beside the table ---------------------------------------------------------------------------------------------------- */

static int copies_left;

static int copy_int(void *to, const void *from, void *context)
{
	(void)context;
	memcpy(to, from, sizeof(int));
	copies_left++;
	return 0;
}

static void drop_int(void *message, void *context)
{
	(void)message;
	(void)context;
	copies_left--;
}

/* A send to a broadcast that needs memory for copies, in a select with a merge: all or nothing. */
TEST(nomem_select, beside_a_merge_sends_to_all_or_to_nobody, 60)
{
	bool met = true;

	for (long n = 1; met; n++) {
		duct_sender *tx, *empty;
		duct_receiver *rx, *other, *merged;
		int message = 5, received = 77;
		size_t chosen = 9;
		duct_status status;

		CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof(int), NULL, DUCT_OPTIONS(.copy = copy_int, .drop = drop_int)),
		    DUCT_OK);
		CHECK_STATUS(duct_receiver_clone(rx, &other), DUCT_OK);
		CHECK_STATUS(duct_anycast_open(&empty, &merged, sizeof(int), 1, NULL), DUCT_OK);
		CHECK_STATUS(duct_merge_new(&merged, (duct_receiver *[]){ merged }, 1, NULL), DUCT_OK);
		copies_left = 0;
		duct_case cases[] = { DUCT_RECV(merged, &received), DUCT_SEND(tx, &message) };

		fault_begin(n);
		status = duct_select(cases, 2, &chosen);
		met = fault_end() >= n;
		CHECK(status == DUCT_OK || (met && status == DUCT_NOMEM));
		CHECK(chosen == (status == DUCT_OK ? 1 : 9) && received == 77);
		CHECK(duct_receiver_len(rx) == (status == DUCT_OK) && duct_receiver_len(other) == (status == DUCT_OK));
		CHECK(copies_left == (status == DUCT_OK));
		duct_receiver_free(merged);
		duct_sender_free(empty);
		duct_sender_free(tx);
		duct_receiver_free(rx);
		duct_receiver_free(other);
	}
}

static duct_receiver *compared;
static int nested, inner;

/* Receives from the same receiver in the middle, so that more memory is needed than one thread keeps. */
static bool compares_the_next(const void *previous, const void *message, void *context)
{
	int next;

	(void)previous;
	(void)message;
	(void)context;
	if (nested > 0) {
		nested--;
		CHECK_STATUS(duct_try_recv(compared, &next), DUCT_OK);
		inner++;
	}
	return true;
}

/* Without memory for a copy nothing is lost: the next message is a first one again, and is kept as such. */
TEST(nomem_previous, counts_the_next_as_the_first, 60)
{
	bool met = true;

	for (long n = 1; met; n++) {
		duct_sender *tx;
		duct_receiver *rx;
		int message;

		CHECK_STATUS(duct_anycast_open(&tx, &rx, sizeof(int), 16, NULL), DUCT_OK);
		CHECK_STATUS(duct_with_previous_new(&compared, rx, compares_the_next, NULL, true, NULL), DUCT_OK);
		for (int i = 0; i < 8; i++)
			CHECK_STATUS(duct_send(tx, &i), DUCT_OK);
		CHECK_STATUS(duct_recv(compared, &message), DUCT_OK);
		nested = 3;
		inner = 0;
		fault_begin(n);
		CHECK_STATUS(duct_recv(compared, &message), DUCT_OK);
		CHECK(message == 1);
		for (int i = 2 + inner; i < 8; i = message + 1 + inner) {
			inner = 0;
			CHECK_STATUS(duct_try_recv(compared, &message), DUCT_OK);
			CHECK(message == i);
		}
		met = fault_end() >= n;
		CHECK_STATUS(duct_try_recv(compared, &message), DUCT_EMPTY);
		duct_receiver_free(compared);
		duct_sender_free(tx);
	}
}

static void drop_nothing(void *message, void *context)
{
	(void)message, (void)context;
}

/* A select that needs memory for its cases, and then for the copies of a message, has given back the one where there is no other. */
TEST(nomem, of_a_merge_beside_a_broadcast_leaves_nothing, 60)
{
	struct world world;
	duct_sender *tx;
	duct_receiver *rx;
	bool hit = true;
	int in = UNTOUCHED;

	world_init(&world, &states[0]);
	CHECK_STATUS(duct_broadcast_open(&tx, &rx, sizeof(int), DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK, .capacity = 1),
			 DUCT_OPTIONS(.drop = drop_nothing)),
	    DUCT_OK);
	CHECK_STATUS(duct_try_send(tx, &(int){ 1 }), DUCT_OK);
	for (long n = 1; hit; n++) {
		duct_case cases[2] = { DUCT_RECV(world.many, &in), DUCT_SEND(tx, &(int){ 2 }) };
		const struct fault_live before = fault_live();
		struct fault_live after;
		size_t chosen = 77;
		duct_status status;

		fault_begin(n);
		status = duct_try_select(cases, 2, &chosen);
		hit = fault_end() >= n;
		after = fault_live();
		CHECK_STATUS(status, hit ? DUCT_NOMEM : DUCT_EMPTY);
		CHECK(fault_live_same(&before, &after) && chosen == 77 && in == UNTOUCHED);
		CHECK(hit || n > 3);
	}
	duct_sender_free(tx);
	duct_receiver_free(rx);
	world_free(&world);
}
