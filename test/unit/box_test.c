/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A box: whose memory it is, what is moved out of it, and what its destroy is called with.
 */
#include "box.h"
#include "harness.h"

#include <stddef.h>

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

struct store {
	size_t taken, given_back, last_size;
	bool is_empty; /* has nothing to give */
};

static void *store_take(size_t size, void *context)
{
	struct store *store = context;

	store->last_size = size;
	if (store->is_empty)
		return NULL;
	store->taken++;
	return malloc(size);
}

static void store_give_back(void *memory, void *context)
{
	struct store *store = context;

	store->given_back++;
	free(memory);
}

/* One block, from the allocator and back to it, which is copied: the caller's may be gone by then. */
TEST(box_new, takes_one_block_of_the_allocator, 5)
{
	struct store store = { 0 };
	duct_allocator allocator = { store_take, store_give_back, &store };
	duct_box *box = box_new(&allocator, 100, NULL, NULL);

	CHECK(box != NULL && store.taken == 1 && store.last_size >= 100);
	CHECK(duct_box_size(box) == 100 && (uintptr_t)duct_box_data(box) % _Alignof(max_align_t) == 0);
	memset(duct_box_data(box), 'x', 100);
	memset(&allocator, 0, sizeof allocator);
	duct_box_free(box);
	CHECK(store.taken == 1 && store.given_back == 1);
}

/* One without an allocator is given back as it was taken, whatever was there before. */
TEST(box_new, without_an_allocator_takes_malloc_s, 5)
{
	duct_box *box = box_new(NULL, 100, NULL, NULL);

	CHECK(box != NULL && duct_box_size(box) == 100);
	memset(duct_box_data(box), 'x', 100);
	duct_box_free(box);
}

/* Without memory there is none; a size that overflows is not asked for, and the largest that does not is. */
TEST(box_new, fails_where_there_is_no_memory, 5)
{
	struct store store = { .is_empty = true };
	const duct_allocator allocator = { store_take, store_give_back, &store };
	size_t head;

	CHECK(box_new(&allocator, 0, NULL, NULL) == NULL && store.last_size > 0);
	head = store.last_size;
	store.last_size = 0;
	CHECK(box_new(&allocator, SIZE_MAX - head, NULL, NULL) == NULL && store.last_size == SIZE_MAX);
	store = (struct store){ 0 };
	for (size_t size = SIZE_MAX; size > SIZE_MAX - head; size--)
		CHECK(box_new(&allocator, size, NULL, NULL) == NULL && store.last_size == 0);
}

/* Sizes of over half of all memory can never work; the half itself is only not to be had, which sanitizers stop at. */
TEST(duct_box_new, tells_what_cannot_be_from_what_is_not_there, 5)
{
	duct_box *box = NULL;

	if (!TEST_SANITIZED)
		CHECK_STATUS(duct_box_new(&box, SIZE_MAX / 2, NULL, NULL), DUCT_NOMEM);
	CHECK_STATUS(duct_box_new(&box, SIZE_MAX / 2 + 1, NULL, NULL), DUCT_INVALID);
	CHECK(box == NULL);
}

/* ---- Its end --------------------------------------------------------------------------------------------------- */

struct ending {
	int calls, cancel_state;
	void *data;
};

static void note_end(void *data, void *context)
{
	struct ending *ending = context;

	ending->calls++;
	ending->data = data;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &ending->cancel_state);
	pthread_setcancelstate(ending->cancel_state, NULL);
}

/* destroy gets the data and the context, once; the thread cannot be cancelled in it, and can be again after it. */
TEST(duct_box_free, holds_cancellation_off, 5)
{
	struct ending ending = { 0 };
	duct_box *box = box_new(NULL, 8, note_end, &ending);
	void *data = duct_box_data(box);
	int state;

	duct_box_free(box);
	CHECK(ending.calls == 1 && ending.data == data && ending.cancel_state == PTHREAD_CANCEL_DISABLE);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	CHECK(state == PTHREAD_CANCEL_ENABLE);
}

/* Shared is what has a second reference, and no longer when that has gone. */
TEST(box_is_shared, from_the_second_reference_on, 5)
{
	duct_box *box = box_new(NULL, 8, NULL, NULL);

	CHECK(!box_is_shared(box));
	(void)duct_box_ref(box);
	CHECK(box_is_shared(box));
	(void)duct_box_ref(box);
	CHECK(box_is_shared(box));
	duct_box_free(box);
	duct_box_free(box);
	CHECK(!box_is_shared(box));
	duct_box_free(box);
}

/* What was moved out is not destroyed; all of it was, at any size. */
TEST(box_move_out, leaves_nothing_to_destroy, 5)
{
	for (size_t size = 0; size <= 9; size++) {
		struct ending ending = { 0 };
		duct_box *box = box_new(NULL, size, note_end, &ending);
		unsigned char to[10];

		memset(duct_box_data(box), 0x5a, size);
		memset(to, 0, sizeof to);
		box_move_out(box, to);
		for (size_t i = 0; i < sizeof to; i++)
			CHECK(to[i] == (i < size ? 0x5a : 0));
		duct_box_free(box);
		CHECK(ending.calls == 0);
	}
}

/* One that nothing was put into goes without its destroy, to where its memory came from. */
TEST(box_free_empty, destroys_nothing, 5)
{
	struct store store = { 0 };
	const duct_allocator allocator = { store_take, store_give_back, &store };
	struct ending ending = { 0 };

	box_free_empty(box_new(&allocator, 8, note_end, &ending));
	CHECK(ending.calls == 0 && store.taken == 1 && store.given_back == 1);
	box_free_empty(box_new(NULL, 8, note_end, &ending));
	CHECK(ending.calls == 0 && store.given_back == 1);
}
