/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A tray: how many messages it has room for, what it makes ahead of a send, and what it drops and tells after it.
 */
#include "tray.h"
#include "harness.h"

/* ---- What hooks and allocator see ------------------------------------------------------------------------------ */

enum { MOST_DROPS = 32 };

static struct {
	size_t taken, given_back, last_size;
	size_t fail_in; /* the so-manieth allocation from now fails; 0: none */
	int copied, fail_copy_in;
	int dropped;
	uint64_t drops[MOST_DROPS]; /* the messages, in order */
	int told;
	int tells[MOST_DROPS]; /* whose losses, in order */
} seen;

/* Hooks run with cancellation held off. */
static bool is_held_off(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	pthread_setcancelstate(state, NULL);
	return state == PTHREAD_CANCEL_DISABLE;
}

static void *take(size_t size, void *context)
{
	CHECK(context == &seen);
	seen.last_size = size;
	if (seen.fail_in > 0 && --seen.fail_in == 0)
		return NULL;
	seen.taken++;
	return malloc(size);
}

static void give_back(void *memory, void *context)
{
	CHECK(context == &seen);
	seen.given_back++;
	free(memory);
}

static const duct_allocator allocator = { take, give_back, &seen };

static int copy(void *to, const void *from, void *context)
{
	CHECK(context == &seen && is_held_off() && (uintptr_t)to % _Alignof(uint64_t) == 0);
	if (seen.fail_copy_in > 0 && --seen.fail_copy_in == 0)
		return 1;
	memcpy(to, from, sizeof(uint64_t));
	seen.copied++;
	return 0;
}

static void drop(void *message, void *context)
{
	CHECK(context == &seen && is_held_off() && seen.dropped < MOST_DROPS);
	memcpy(&seen.drops[seen.dropped++], message, sizeof(uint64_t));
}

static struct hooks hooks_of(size_t size)
{
	return (struct hooks){ .size = size, .drop = drop, .copy = copy, .context = &seen, .allocator = &allocator };
}

/* How often that message was dropped. */
static int drops_of(uint64_t message)
{
	int count = 0;

	for (int i = 0; i < seen.dropped; i++)
		count += seen.drops[i] == message;
	return count;
}

static void lose(struct tray *tray, uint64_t message)
{
	memcpy(tray_lose(tray), &message, sizeof message);
}

/* All that was taken was given back, and cancellation is on again. */
static bool all_is_settled(void)
{
	return seen.taken == seen.given_back && !is_held_off();
}

/* ---- Hooks ----------------------------------------------------------------------------------------------------- */

/* Without a copy hook the bytes are copied, none of them for a size of 0, whatever the pointers; a drop does nothing. */
TEST(hooks, that_are_missing_copy_bytes_and_drop_nothing, 5)
{
	const struct hooks bytes = { .size = 3 }, nothing = { .size = 0 };
	char from[] = "abcd", to[] = "1234";

	CHECK(hooks_copy(&bytes, to, from) && strcmp(to, "abc4") == 0);
	CHECK(hooks_copy(&nothing, NULL, NULL));
	hooks_drop(&bytes, to);
	CHECK(strcmp(to, "abc4") == 0);
}

static int refuse(void *to, const void *from, void *context)
{
	(void)to;
	(void)from;
	return *(const int *)context;
}

/* What a copy hook returns is 0 for a copy and anything else for none. */
TEST(hooks, that_fail_make_nothing, 5)
{
	for (int result = -2; result <= 2; result++) {
		const struct hooks hooks = { .size = 3, .copy = refuse, .context = &result };
		char from[] = "abc", to[] = "123";

		CHECK(hooks_copy(&hooks, to, from) == (result == 0) && strcmp(to, "123") == 0);
	}
}

/* ---- Room ------------------------------------------------------------------------------------------------------ */

/* As many messages as a tray's own memory holds, and nothing on it; a size of 0 counts as one byte. */
TEST(tray_init, is_empty_and_has_room, 5)
{
	static const struct {
		size_t size, room;
	} cases[] = { { 0, TRAY_BYTES }, { 1, TRAY_BYTES }, { 3, 341 }, { 8, 128 }, { TRAY_BYTES, 1 }, { TRAY_BYTES + 1, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct hooks hooks = hooks_of(cases[i].size);
		struct tray tray;

		memset(&tray, 0x5a, sizeof tray);
		tray_init(&tray, &hooks);
		CHECK(tray.hooks == &hooks && tray.room == cases[i].room && tray.items == tray.few);
		CHECK(tray.copies == 0 && tray.lost == 0);
		CHECK(tray.keepsake == NULL && tray.outdated == NULL && tray.losses == NULL);
		CHECK(tray.receipt.delivered == 0 && tray.receipt.lost == 0);
		tray_fini(&tray);
		CHECK(seen.taken == 0 && seen.given_back == 0 && seen.dropped == 0 && seen.told == 0 && all_is_settled());
	}
}

/* Room that is there costs nothing. */
TEST(tray_reserve, takes_no_memory_for_what_has_room, 5)
{
	const struct hooks hooks = hooks_of(8);
	struct tray tray;

	tray_init(&tray, &hooks);
	seen.fail_in = 1;
	CHECK(tray_reserve(&tray, 0) && tray_reserve(&tray, TRAY_BYTES / 8));
	CHECK(tray.room == TRAY_BYTES / 8 && tray.items == tray.few);
	CHECK(!tray_reserve(&tray, TRAY_BYTES / 8 + 1) && seen.taken == 0);
	tray_fini(&tray);
}

/* More room is one block of just that size, which takes the place of the last one; the copies move along. */
TEST(tray_reserve, moves_what_is_there, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;
	uint64_t message = 5;
	size_t smaller;

	tray_init(&tray, &hooks);
	CHECK(!tray_has(&tray, 3, 3, false) && tray_prepare(&tray, &message) && tray.copies == 3);
	CHECK(tray_reserve(&tray, 200) && tray.room == 200 && tray.items != tray.few && seen.taken == 1);
	smaller = seen.last_size;
	CHECK(tray_reserve(&tray, 1000) && tray.room == 1000 && seen.taken == 2 && seen.given_back == 1);
	CHECK(seen.last_size - smaller == 800 * sizeof(uint64_t) && smaller >= 200 * sizeof(uint64_t));
	for (size_t i = 0; i < 3; i++)
		CHECK(memcmp(tray_item(&tray, i), &message, sizeof message) == 0);
	memset(tray_item(&tray, 3), 0xff, 997 * sizeof message);
	tray_fini(&tray);
	CHECK(seen.dropped == 3 && drops_of(5) == 3 && all_is_settled());
}

/* Messages of no bytes take one byte of room each. */
TEST(tray_reserve, has_room_for_messages_of_no_bytes, 5)
{
	const struct hooks hooks = { .size = 0, .allocator = &allocator };
	struct tray tray;
	size_t smaller;

	tray_init(&tray, &hooks);
	CHECK(tray_reserve(&tray, 2000) && tray.room == 2000);
	smaller = seen.last_size;
	CHECK(tray_reserve(&tray, 3000) && tray.room == 3000 && seen.last_size - smaller == 1000);
	tray_fini(&tray);
	CHECK(all_is_settled());
}

/* Without memory, or with a size that overflows, which is not asked for, the tray stays as it was. */
TEST(tray_reserve, fails_without_memory, 5)
{
	const struct hooks hooks = hooks_of(8);
	struct tray tray;

	tray_init(&tray, &hooks);
	seen.fail_in = 1;
	CHECK(!tray_reserve(&tray, 200) && tray.room == 128 && tray.items == tray.few);
	seen.last_size = 0;
	CHECK(!tray_reserve(&tray, SIZE_MAX / 8 + 1) && !tray_reserve(&tray, SIZE_MAX / 8 + 100) && seen.last_size == 0);
	CHECK(tray_reserve(&tray, 200) && tray.room == 200);
	seen.fail_in = 1;
	CHECK(!tray_reserve(&tray, 201) && tray.room == 200);
	tray_fini(&tray);
	CHECK(all_is_settled());
}

/* ---- Before the lock ------------------------------------------------------------------------------------------- */

/* It has what is needed only with enough of each; else it remembers what was wanted. */
TEST(tray_has, enough_of_everything, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;
	uint64_t message = 5;

	tray_init(&tray, &hooks);
	CHECK(tray_has(&tray, 0, 128, false) && !tray_has(&tray, 0, 129, false) && tray.room_wanted == 129);
	CHECK(!tray_has(&tray, 2, 128, false) && tray.copies_wanted == 2 && tray.room_wanted == 128 && !tray.keepsake_wanted);
	CHECK(!tray_has(&tray, 0, 0, true) && tray.copies_wanted == 0 && tray.room_wanted == 0 && tray.keepsake_wanted);
	CHECK(!tray_has(&tray, 2, 2, true) && tray_prepare(&tray, &message));
	CHECK(tray_has(&tray, 2, 2, true) && tray_has(&tray, 1, 1, false) && !tray_has(&tray, 3, 2, true));
	tray_fini(&tray);
	CHECK(all_is_settled());
}

/* Only what is missing is made: copies, a box for the one that is kept, room. */
TEST(tray_prepare, makes_what_is_missing, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;
	uint64_t message = 5;
	duct_box *keepsake;

	tray_init(&tray, &hooks);
	CHECK(!tray_has(&tray, 2, 3, true) && tray_prepare(&tray, &message));
	keepsake = tray.keepsake;
	CHECK(seen.copied == 2 && tray.copies == 2 && keepsake != NULL && duct_box_size(keepsake) == sizeof message);
	CHECK(seen.taken == 1);
	CHECK(tray_prepare(&tray, &message) && seen.copied == 2 && tray.keepsake == keepsake && seen.taken == 1);
	CHECK(!tray_has(&tray, 5, 500, true) && tray_prepare(&tray, &message));
	CHECK(seen.copied == 5 && tray.copies == 5 && tray.room == 500 && tray.keepsake == keepsake && seen.taken == 2);
	/* One that wants less keeps the rest. */
	CHECK(tray_has(&tray, 1, 1, false) && tray_prepare(&tray, &message) && tray.copies == 5);
	CHECK(!is_held_off());
	tray_fini(&tray);
	CHECK(seen.dropped == 5 && drops_of(5) == 5 && all_is_settled());
}

/* No box is made where none is wanted. */
TEST(tray_prepare, keeps_nothing_unasked, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;
	uint64_t message = 5;

	tray_init(&tray, &hooks);
	CHECK(!tray_has(&tray, 1, 1, false) && tray_prepare(&tray, &message) && tray.keepsake == NULL && seen.taken == 0);
	tray_fini(&tray);
	CHECK(seen.dropped == 1 && all_is_settled());
}

/* Where room, the box or a copy is not to be had it fails, and what was made goes with the tray. */
TEST(tray_prepare, that_fails_leaves_nothing, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	uint64_t message = 5;

	for (int failing = 1; failing <= 5; failing++) {
		struct tray tray;

		memset(&seen, 0, sizeof seen);
		tray_init(&tray, &hooks);
		CHECK(!tray_has(&tray, 3, 200, true));
		seen.fail_in = failing <= 2 ? (size_t)failing : 0;
		seen.fail_copy_in = failing > 2 ? failing - 2 : 0;
		CHECK(!tray_prepare(&tray, &message));
		CHECK(tray.copies == (size_t)(failing > 2 ? failing - 3 : 0) && seen.copied == (int)tray.copies);
		CHECK(tray.room == (failing > 1 ? 200 : 128) && (tray.keepsake != NULL) == (failing > 2) && !is_held_off());
		/* Made again it goes on where it failed. */
		if (failing == 4) {
			CHECK(tray_prepare(&tray, &message) && tray.copies == 3 && seen.copied == 3);
			CHECK(tray_has(&tray, 3, 200, true));
		}
		tray_fini(&tray);
		CHECK(seen.dropped == seen.copied && all_is_settled());
	}
}

/* The box that is kept drops what is in it through the channel's hook. */
TEST(tray_prepare, makes_a_keepsake_that_drops, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;
	uint64_t message = 77;
	duct_box *keepsake;

	tray_init(&tray, &hooks);
	CHECK(!tray_has(&tray, 0, 0, true) && tray_prepare(&tray, &message));
	keepsake = tray.keepsake;
	tray.keepsake = NULL;
	memcpy(duct_box_data(keepsake), &message, sizeof message);
	tray_fini(&tray);
	CHECK(seen.dropped == 0 && seen.taken == 1 && seen.given_back == 0);
	duct_box_free(keepsake);
	CHECK(seen.dropped == 1 && drops_of(77) == 1 && all_is_settled());
}

/* ---- After it -------------------------------------------------------------------------------------------------- */

/* Lost messages lie at its end, from the last place on, and do not touch the copies before them. */
TEST(tray_lose, fills_the_tray_from_its_end, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;

	tray_init(&tray, &hooks);
	for (size_t i = 1; i <= tray.room; i++)
		CHECK(tray_lose(&tray) == tray_item(&tray, tray.room - i) && tray.lost == i);
	CHECK(tray_item(&tray, 0) == (void *)tray.few && tray_item(&tray, 2) == (void *)(tray.few + 16));
	tray.lost = 0;
	tray_fini(&tray);
	CHECK(seen.dropped == 0);
}

/* Everything on it is dropped once: copies that were not needed, and what was lost; and a box that was displaced. */
TEST(tray_fini, drops_each_message_once, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;
	uint64_t message = 5, outdated = 6;

	for (size_t room = 4; room <= 400; room += 396) {
		memset(&seen, 0, sizeof seen);
		tray_init(&tray, &hooks);
		CHECK(!tray_has(&tray, 4, room, false) && tray_prepare(&tray, &message));
		tray.copies = 2;
		for (uint64_t lost = 10; lost < 14; lost++)
			lose(&tray, lost);
		tray.outdated = box_new(&allocator, sizeof outdated, drop, &seen);
		memcpy(duct_box_data(tray.outdated), &outdated, sizeof outdated);
		tray_fini(&tray);
		CHECK(seen.dropped == 7 && drops_of(5) == 2 && drops_of(6) == 1 && all_is_settled());
		for (uint64_t lost = 10; lost < 14; lost++)
			CHECK(drops_of(lost) == 1);
	}
}

/* A box that nobody put anything into drops nothing. */
TEST(tray_fini, gives_an_unused_box_back, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;
	uint64_t message = 5;

	tray_init(&tray, &hooks);
	CHECK(!tray_has(&tray, 0, 0, true) && tray_prepare(&tray, &message));
	tray_fini(&tray);
	CHECK(seen.dropped == 0 && seen.taken == 1 && all_is_settled());
}

static struct loss losses[3];

/* Once it is told a loss is its receiver's again, who may list it elsewhere at once. */
static void tell(struct loss *loss)
{
	CHECK(is_held_off() && seen.told < MOST_DROPS);
	seen.tells[seen.told++] = (int)(loss - losses);
	loss->next = &losses[0];
}

/* Each loss is told once, in the order of the list, with cancellation held off. */
TEST(tray_fini, tells_each_loss_once, 5)
{
	const struct hooks hooks = hooks_of(sizeof(uint64_t));
	struct tray tray;

	tray_init(&tray, &hooks);
	for (int i = 0; i < 3; i++)
		losses[i] = (struct loss){ .next = i < 2 ? &losses[i + 1] : NULL, .tell = tell };
	tray.losses = &losses[0];
	tray_fini(&tray);
	CHECK(seen.told == 3 && !is_held_off());
	for (int i = 0; i < 3; i++)
		CHECK(seen.tells[i] == i);
}
