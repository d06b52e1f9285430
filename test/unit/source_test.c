/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A source by itself: its queue, its parts and what they are told, its end.
 */
#include "desk.h"
#include "source.h"

#include <limits.h>

/* ---- A kind of our own ------------------------------------------------------------------------------------------------- */

static struct {
	int destroyed, dropped;
	uint64_t last;
} seen;

static void see_destroyed(struct source *source)
{
	(void)source;
	seen.destroyed++;
}

static void see_dropped(void *message, void *context)
{
	(void)context;
	memcpy(&seen.last, message, sizeof seen.last);
	seen.dropped++;
}

static const struct source_kind plain_kind = { .name = "plain", .destroy = see_destroyed };
static const struct source_kind many_kind = { .name = "many", .many = true };

struct large {
	struct source source;
	char rest[100];
};

/* A part's, which may be gone before the source: it is never asked for anything. */
static const duct_allocator nobodys = { NULL, NULL, NULL };

static struct source *source_of_ours(const struct source_kind *kind)
{
	struct source *source = source_new(&(struct source_plan){ .kind = kind,
	    .size = sizeof(struct large),
	    .capacity = 1,
	    .part_room = 4,
	    .hooks = { .size = sizeof(uint64_t), .drop = see_dropped, .allocator = &nobodys } });

	CHECK(source != NULL);
	memset(&seen, 0, sizeof seen);
	return source;
}

static void source_free(struct source *source)
{
	duct_receiver_free(source_receiver(source));
}

/* Receivers for parts, and what is left of them. */
struct parts {
	struct test_pair pair[4];
};

static void parts_init(struct parts *parts)
{
	for (int i = 0; i < 4; i++)
		parts->pair[i] = test_pair_new(sizeof(uint64_t), 2);
}

static void parts_add(struct parts *parts, struct source *source, bool borrowed)
{
	for (size_t i = 0; i < 4; i++) {
		source_add_locked(source, (struct end *)(void *)parts->pair[i].rx, 10 + i, borrowed);
		if (!borrowed)
			parts->pair[i].rx = NULL;
	}
}

static void parts_free(struct parts *parts)
{
	for (int i = 0; i < 4; i++)
		test_pair_free(&parts->pair[i]);
}

static uint32_t pins_of(const duct_receiver *rx)
{
	return atomic_load(&((const struct end *)(const void *)rx)->references);
}

static bool has_room_for_locks(struct source *source)
{
	if (pthread_mutex_trylock(&source->queue.put.lock) != 0)
		return false;
	pthread_mutex_unlock(&source->queue.put.lock);
	return !source->queue.take_is_held;
}

static duct_status take(struct source *source, uint64_t *message)
{
	const struct op op = { .queue = &source->queue, .end = &source->end, .message = message };

	return queue_attempt(&op);
}

/* ---- Life -------------------------------------------------------------------------------------------------------------- */

/* It begins open, with one handle, no parts, a name of its kind, and zeros in what its kind adds. */
TEST(source_new, begins_with_nothing, 5)
{
	struct source *source = source_of_ours(&plain_kind);
	const struct large *large = (const struct large *)(const void *)source;

	for (size_t i = 0; i < sizeof large->rest; i++)
		CHECK(large->rest[i] == 0);
	CHECK(strncmp(source->name, "plain-", 6) == 0 && source->end.references == 1 && source->handles == 1);
	CHECK(source->part_count == 0 && source->version == 0 && !source_is_closed(source) && source->hooks.allocator == NULL);
	CHECK(source_of(source_receiver(source)) == source && source_of_kind(source_receiver(source), &plain_kind) == source);
	CHECK(source_of_kind(source_receiver(source), &many_kind) == NULL && source_of_kind(NULL, &plain_kind) == NULL);
	source_free(source);
	CHECK(seen.destroyed == 1 && seen.dropped == 0);
}

/* A name that is given is copied. */
TEST(source_new, keeps_a_name_of_its_own, 5)
{
	char name[] = "a name";
	struct source *source =
	    source_new(&(struct source_plan){ .kind = &many_kind, .name = name, .size = sizeof(struct source), .capacity = 1 });

	CHECK(source != NULL);
	memset(name, 'x', sizeof name - 1);
	CHECK(strcmp(source->name, "a name") == 0);
	source_free(source);
}

/* What does not fit in any memory is refused. */
TEST(source_new, refuses_what_overflows, 5)
{
	struct source_plan plan = { .kind = &many_kind, .size = sizeof(struct source), .capacity = 1 };

	plan.part_room = SIZE_MAX / sizeof(struct part);
	CHECK(source_new(&plan) == NULL);
	plan.part_room = UINT32_MAX / 2 / sizeof(struct part) + 1;
	CHECK(source_new(&plan) == NULL);
	plan.part_room = 0;
	plan.hooks.size = SIZE_MAX;
	CHECK(source_new(&plan) == NULL);
}

/* What it holds is dropped with it, in the order of coming. */
TEST(source, drops_what_it_holds_with_it, 5)
{
	struct source *source = source_of_ours(&plain_kind);
	uint64_t in = 0;

	for (uint64_t n = 5; n < 8; n++) {
		CHECK_STATUS(source_put(source, &n), DUCT_OK);
		CHECK_STATUS(take(source, &in), DUCT_OK);
	}
	CHECK_STATUS(source_put(source, &(uint64_t){ 8 }), DUCT_OK);
	source_free(source);
	CHECK(seen.dropped == 1 && seen.last == 8 && seen.destroyed == 1);
}

/* It goes with its last handle, which closes it. */
TEST(source, goes_with_its_last_handle, 5)
{
	struct source *source = source_of_ours(&plain_kind);

	source_ref(source);
	source_free(source);
	CHECK(!source_is_closed(source) && seen.destroyed == 0);
	end_pin(&source->end);
	source_free(source);
	CHECK(source_has_ended(source) && seen.destroyed == 0);
	end_unpin(&source->end);
	CHECK(seen.destroyed == 1);
}

/* ---- Its queue --------------------------------------------------------------------------------------------------------- */

/* One message has room, until it has ended. */
TEST(source_put, has_room_for_one, 5)
{
	struct source *source = source_of_ours(&plain_kind);
	uint64_t in = 0;

	CHECK_STATUS(source_put(source, &(uint64_t){ 1 }), DUCT_OK);
	CHECK_STATUS(source_put(source, &(uint64_t){ 2 }), DUCT_FULL);
	CHECK_STATUS(take(source, &in), DUCT_OK);
	CHECK(in == 1);
	CHECK_STATUS(take(source, &in), DUCT_EMPTY);
	source_end(source, DUCT_INVALIDATED);
	CHECK_STATUS(source_put(source, &(uint64_t){ 3 }), DUCT_INVALIDATED);
	CHECK_STATUS(take(source, &in), DUCT_INVALIDATED);
	CHECK(has_room_for_locks(source));
	source_free(source);
}

/* Who waits gets it, and who only wants to know is pinged. */
TEST(source_put, serves_who_waits, 5)
{
	struct source *source = source_of_ours(&plain_kind);
	struct sleeper receiver, observer;

	sleeper_stand(&observer, &source->end, false, 0, true);
	sleeper_recv(&receiver, &source->end);
	CHECK_STATUS(source_put(source, &(uint64_t){ 5 }), DUCT_OK);
	CHECK(sleeper_woke(&observer, DUCT_OK) && sleeper_woke(&receiver, DUCT_OK) && receiver.message == 5);
	CHECK(queue_backlog(&source->queue).len == 0);
	source_free(source);
}

/* Losses are told once, ahead of what is held. */
TEST(source_hold_lag, is_told_once, 5)
{
	struct source *source = source_of_ours(&plain_kind);
	const struct op op = { .queue = &source->queue, .end = &source->end };
	struct sleeper receiver;
	uint64_t in = 0;

	sleeper_recv(&receiver, &source->end);
	source_hold_lag(source);
	CHECK(sleeper_woke(&receiver, SOURCE_MOVED) && source->version == 1);
	CHECK_STATUS(source_put(source, &(uint64_t){ 1 }), DUCT_OK);
	CHECK(queue_looks_ready(&op));
	queue_lock_both(&source->queue);
	CHECK(queue_probe_locked(&op) == DUCT_LAGGED && queue_probe_locked(&op) == DUCT_LAGGED);
	queue_unlock_both(&source->queue);
	CHECK_STATUS(take(source, &in), DUCT_LAGGED);
	CHECK_STATUS(take(source, &in), DUCT_OK);
	CHECK_STATUS(take(source, &in), DUCT_EMPTY);
	source_free(source);
}

/* All who wait are told to look anew, and who comes later sees another version. */
TEST(source_moved, tells_all_who_wait, 5)
{
	struct source *source = source_of_ours(&plain_kind);
	struct sleeper receiver, observer;
	struct node *wakes = NULL;

	sleeper_stand(&observer, &source->end, false, 0, true);
	sleeper_recv(&receiver, &source->end);
	queue_lock_both(&source->queue);
	source_moved_locked(source, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
	CHECK(sleeper_woke(&observer, SOURCE_MOVED) && sleeper_woke(&receiver, SOURCE_MOVED) && source->version == 1);
	source_free(source);
}

/* ---- Its parts --------------------------------------------------------------------------------------------------------- */

/* One call at a time, and again as often as it says so; another one is told when it stops, if there was one. */
TEST(source_pulls, one_call_at_a_time, 5)
{
	struct source *source = source_of_ours(&plain_kind);
	const int one = 1, other = 2;
	struct sleeper observer;

	CHECK(source_pulls(source, &one) && source_pulls(source, &one));
	source_stop_pulling(source);
	CHECK(source->version == 0 && source_pulls(source, &other));
	CHECK(!source_pulls(source, &one) && source_pulls(source, &other) && !source_pulls(source, &one));
	sleeper_stand(&observer, &source->end, false, 0, true);
	source_stop_pulling(source);
	CHECK(sleeper_woke(&observer, SOURCE_MOVED) && source->version == 1);
	CHECK(source_pulls(source, &one));
	source_stop_pulling(source);
	CHECK(source->version == 1 && source->puller == NULL && has_room_for_locks(source));
	source_free(source);
}

/* Its end waits for the call that pulls: to stop, or to say that it has nothing in hand.  The first of two ends counts. */
TEST(source_pulls, ahead_of_the_end, 5)
{
	static const duct_status ends[] = { DUCT_CLOSED, DUCT_INVALIDATED, DUCT_NO_RECEIVERS };

	for (size_t e = 0; e < ARRAY_LEN(ends); e++)
		for (int stops = 0; stops < 2; stops++) {
			struct source *source = source_of_ours(&plain_kind);
			struct sleeper receiver;
			const int one = 1, other = 2;
			uint64_t in = 0;

			CHECK(source_pulls(source, &one));
			sleeper_recv(&receiver, &source->end);
			source_end(source, ends[e]);
			CHECK(sleeper_woke(&receiver, SOURCE_MOVED) && source->version == 1 && !source_has_ended(source));
			source_end(source, ends[(e + 1) % ARRAY_LEN(ends)]);
			CHECK(!source_pulls(source, &other) && !source_has_ended(source));
			CHECK(source->version == 1 && source_is_ending_locked(source));
			CHECK_STATUS(take(source, &in), DUCT_EMPTY);
			CHECK_STATUS(source_put(source, &(uint64_t){ 4 }), DUCT_OK);
			sleeper_recv(&receiver, &source->end);
			if (stops)
				source_stop_pulling(source);
			else
				CHECK(source_pulls(source, &one));
			CHECK(sleeper_woke(&receiver, ends[e]) && source_has_ended(source));
			CHECK(source->puller == (stops ? NULL : &one));
			CHECK_STATUS(take(source, &in), DUCT_OK);
			CHECK(in == 4);
			CHECK_STATUS(take(source, &in), ends[e]);
			source_stop_pulling(source);
			CHECK_STATUS(take(source, &in), ends[e]);
			CHECK(source->version == 1 && source->puller == NULL && has_room_for_locks(source));
			source_free(source);
		}
}

/* By number, and the others stay in order. */
TEST(source_take_part, leaves_the_others_in_order, 5)
{
	for (size_t taken = 10; taken < 14; taken++) {
		struct source *source = source_of_ours(&many_kind);
		struct parts parts;
		struct part part;
		size_t expected = 10;

		parts_init(&parts);
		parts_add(&parts, source, true);
		CHECK(!source_take_part_locked(source, 14, &part) && source->part_count == 4);
		CHECK(source_take_part_locked(source, taken, &part) && part.number == taken && part.borrowed);
		CHECK(part.end == (struct end *)(void *)parts.pair[taken - 10].rx && source->part_count == 3);
		for (uint32_t i = 0; i < 3; i++, expected++) {
			expected += expected == taken;
			CHECK(source->parts[i].number == expected);
		}
		CHECK(!source_take_part_locked(source, taken, &part));
		end_unpin(part.end);
		source_free(source);
		parts_free(&parts);
	}
}

/* A borrowed part is kept by a pin, an owned one is closed and freed. */
TEST(source_part_ended, lets_go_of_the_part, 5)
{
	struct source *source = source_of_ours(&many_kind);
	struct parts parts;

	parts_init(&parts);
	parts_add(&parts, source, true);
	CHECK(pins_of(parts.pair[1].rx) == 2);
	source_part_ended(source, 11, DUCT_CLOSED);
	CHECK(pins_of(parts.pair[1].rx) == 1 && source->part_count == 3 && source->version == 1 && !source_has_ended(source));
	source_part_ended(source, 11, DUCT_CLOSED);
	CHECK(source->part_count == 3 && source->version == 1);
	source_free(source);
	CHECK(pins_of(parts.pair[0].rx) == 1 && duct_channel_receivers(parts.pair[0].channel) == 1);

	source = source_of_ours(&many_kind);
	parts_add(&parts, source, false);
	source_part_ended(source, 13, DUCT_CLOSED);
	CHECK(duct_channel_receivers(parts.pair[3].channel) == 0 && duct_channel_receivers(parts.pair[2].channel) == 1);
	source_free(source);
	CHECK(duct_channel_receivers(parts.pair[2].channel) == 0);
	parts_free(&parts);
}

/* One that was taken out meanwhile ends nothing: a merge without parts waits for new ones. */
TEST(source_part_ended, of_one_that_is_gone_ends_nothing, 5)
{
	struct source *source = source_of_ours(&many_kind);

	source_part_ended(source, 5, DUCT_CLOSED);
	CHECK(!source_has_ended(source) && source->version == 0);
	source_free(source);
}

/* With its last part it ends: a merge because none is left, others as the part did.  Who waits is told. */
TEST(source_part_ended, ends_with_the_last, 5)
{
	for (int many = 0; many < 2; many++) {
		struct source *source = source_of_ours(many ? &many_kind : &plain_kind);
		struct test_pair pair = test_pair_new(sizeof(uint64_t), 1);
		struct sleeper receiver;

		source_add_locked(source, (struct end *)(void *)pair.rx, 0, true);
		sleeper_recv(&receiver, &source->end);
		source_part_ended(source, 1, DUCT_INVALIDATED);
		CHECK(sleeper_sleeps(&receiver) && !source_has_ended(source));
		source_part_ended(source, 0, DUCT_INVALIDATED);
		CHECK(sleeper_woke(&receiver, many ? DUCT_CLOSED : DUCT_INVALIDATED) && source_has_ended(source));
		CHECK(has_room_for_locks(source));
		source_free(source);
		test_pair_free(&pair);
	}
}

/* ---- Its end ----------------------------------------------------------------------------------------------------------- */

/* The first status is the one that stays; all parts go. */
TEST(source_end, comes_once, 5)
{
	struct source *source = source_of_ours(&many_kind);
	struct parts parts;
	uint64_t in;

	parts_init(&parts);
	parts_add(&parts, source, false);
	source_end(source, DUCT_INVALIDATED);
	source_end(source, DUCT_CLOSED);
	CHECK_STATUS(take(source, &in), DUCT_INVALIDATED);
	CHECK(source->part_count == 0 && source_is_closed(source));
	for (int i = 0; i < 4; i++)
		CHECK(duct_channel_receivers(parts.pair[i].channel) == 0);
	source_free(source);
	parts_free(&parts);
}

/* Closed, it lets go of what it borrowed at once, and closes its own, with which it will end. */
TEST(source_close, waits_for_its_own_parts, 5)
{
	struct source *source = source_of_ours(&many_kind);
	struct parts parts;
	struct sleeper receiver;

	parts_init(&parts);
	for (size_t i = 0; i < 4; i++)
		source_add_locked(source, (struct end *)(void *)parts.pair[i].rx, i, i % 2 == 0);
	sleeper_recv(&receiver, &source->end);
	source_close(source);
	CHECK(sleeper_woke(&receiver, SOURCE_MOVED) && source_is_closed(source) && !source_has_ended(source));
	CHECK(source->part_count == 2 && source->parts[0].number == 1 && source->parts[1].number == 3);
	for (int i = 0; i < 4; i++) {
		CHECK(duct_receiver_is_closed(parts.pair[i].rx) == (i % 2 == 1));
		CHECK(i % 2 == 1 || pins_of(parts.pair[i].rx) == 1);
	}
	source_part_ended(source, 1, DUCT_CLOSED);
	source_part_ended(source, 3, DUCT_CLOSED);
	CHECK(source_has_ended(source));
	parts.pair[1].rx = parts.pair[3].rx = NULL;
	source_free(source);
	parts_free(&parts);
}

/* Without parts, or with borrowed ones only, it ends at once. */
TEST(source_close, ends_without_parts_of_its_own, 5)
{
	for (int borrowed = 0; borrowed < 2; borrowed++) {
		struct source *source = source_of_ours(&many_kind);
		struct parts parts;
		struct sleeper receiver;

		parts_init(&parts);
		if (borrowed)
			parts_add(&parts, source, true);
		sleeper_recv(&receiver, &source->end);
		source_close(source);
		CHECK(sleeper_woke(&receiver, DUCT_CLOSED) && source_has_ended(source) && source->part_count == 0);
		source_free(source);
		parts_free(&parts);
	}
}

/* It can begin again. */
TEST(source_reopen, begins_again, 5)
{
	struct source *source = source_of_ours(&plain_kind);
	uint64_t in = 0;

	source_close(source);
	queue_lock_both(&source->queue);
	source_reopen_locked(source);
	queue_unlock_both(&source->queue);
	CHECK(!source_is_closed(source));
	CHECK_STATUS(source_put(source, &(uint64_t){ 7 }), DUCT_OK);
	CHECK_STATUS(take(source, &in), DUCT_OK);
	CHECK(in == 7);
	source_free(source);
}
