/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Boxes: counted memory, and broadcasts that share it instead of copying.
 */
#include "crowd.h"

#include <stddef.h>

enum { MANY = 64, MEGABYTE = 1 << 20 };

struct destroyed {
	atomic_int count;
	void *data;
	char first;
};

static void count_destroyed(void *data, void *context)
{
	struct destroyed *destroyed = context;

	destroyed->data = data;
	destroyed->first = *(char *)data;
	atomic_fetch_add(&destroyed->count, 1);
}

/* A box has its size of memory, aligned for anything, and is destroyed once, with its last reference, while that is there. */
TEST(box, is_destroyed_with_its_last_reference, 5)
{
	static const size_t sizes[] = { 1, 3, 8, 100, 4097, MEGABYTE };

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		struct destroyed destroyed = { 0, NULL, 0 };
		duct_box *box, *other;
		char *data;

		CHECK_STATUS(duct_box_new(&box, sizes[s], count_destroyed, &destroyed), DUCT_OK);
		data = duct_box_data(box);
		CHECK(duct_box_size(box) == sizes[s] && (uintptr_t)data % _Alignof(max_align_t) == 0);
		memset(data, 'x', sizes[s]);
		other = duct_box_ref(box);
		CHECK(other == box && duct_box_data(other) == data);
		duct_box_free(box);
		CHECK(atomic_load(&destroyed.count) == 0 && data[sizes[s] - 1] == 'x');
		duct_box_free(other);
		CHECK(atomic_load(&destroyed.count) == 1 && destroyed.data == data && destroyed.first == 'x');
	}
}

/* One of no bytes, without a destroy, and what can never work. */
TEST(box, refuses_what_can_never_work, 5)
{
	duct_box *box = NULL, **volatile nowhere = NULL;

	CHECK_STATUS(duct_box_new(nowhere, 8, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_box_new(&box, SIZE_MAX, NULL, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_box_new(&box, SIZE_MAX - 8, NULL, NULL), DUCT_INVALID);
	CHECK(box == NULL);
	CHECK_STATUS(duct_box_new(&box, 0, NULL, NULL), DUCT_OK);
	CHECK(duct_box_size(box) == 0);
	duct_box_free(box);
	duct_box_free(NULL);
	CHECK(duct_box_ref(NULL) == NULL && duct_box_data(NULL) == NULL && duct_box_size(NULL) == 0);
}

struct referring {
	duct_box *box;
	atomic_int *started;
};

static void *refer_and_free(void *argument)
{
	struct referring *self = argument;

	atomic_fetch_add(self->started, 1);
	test_spin_until(self->started, 4);
	for (int n = 0; n < 2000; n++)
		duct_box_free(duct_box_ref(self->box));
	duct_box_free(self->box);
	return NULL;
}

/* Threads that refer to it and free it at once: destroyed once, after the last. */
TEST(box, is_counted_across_threads, 10)
{
	struct destroyed destroyed = { 0, NULL, 0 };
	atomic_int started = 0;
	struct referring referring = { NULL, &started };
	pthread_t threads[4];

	CHECK_STATUS(duct_box_new(&referring.box, 8, count_destroyed, &destroyed), DUCT_OK);
	memset(duct_box_data(referring.box), 'y', 8);
	for (int t = 0; t < 3; t++)
		(void)duct_box_ref(referring.box);
	for (int t = 0; t < 4; t++)
		threads[t] = test_start(refer_and_free, &referring);
	for (int t = 0; t < 4; t++)
		test_join(threads[t]);
	CHECK(atomic_load(&destroyed.count) == 1 && destroyed.first == 'y');
}

/* The hooks alone: a copy is a reference to the same box, a drop gives one back; NULL is a message too. */
TEST(box, hooks_refer_and_give_back, 5)
{
	struct destroyed destroyed = { 0, NULL, 0 };
	duct_box *box, *copy = NULL, *nothing = NULL;

	CHECK_STATUS(duct_box_new(&box, 8, count_destroyed, &destroyed), DUCT_OK);
	memset(duct_box_data(box), 'z', 8);
	CHECK(duct_box_copy(&copy, &box, NULL) == 0 && copy == box);
	duct_box_drop(&box, NULL);
	CHECK(atomic_load(&destroyed.count) == 0);
	duct_box_drop(&copy, NULL);
	CHECK(atomic_load(&destroyed.count) == 1);
	copy = box;
	CHECK(duct_box_copy(&copy, &nothing, NULL) == 0 && copy == NULL);
	duct_box_drop(&nothing, NULL);
}

static size_t allocated;

static void *count_bytes(size_t size, void *context)
{
	(void)context;
	allocated += size;
	return malloc(size);
}

static void give_back(void *memory, void *context)
{
	(void)context;
	free(memory);
}

/* A megabyte to sixty-four receivers: all see the same memory, no payload is moved, and it goes after the last of them. */
TEST(box, is_shared_by_all_receivers, 10)
{
	const duct_allocator allocator = { count_bytes, give_back, NULL };
	struct destroyed destroyed = { 0, NULL, 0 };
	duct_sender *tx;
	duct_receiver *rx[MANY];
	duct_box *box, *in[MANY];
	char *data;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx[0], sizeof box, DUCT_SUBSCRIPTION(.capacity = 2),
			 DUCT_OPTIONS(DUCT_BOX_HOOKS, .allocator = &allocator, .replay = 1)),
	    DUCT_OK);
	for (int r = 1; r < MANY; r++)
		CHECK_STATUS(duct_receiver_clone(rx[0], &rx[r]), DUCT_OK);
	CHECK_STATUS(duct_box_new(&box, MEGABYTE, count_destroyed, &destroyed), DUCT_OK);
	data = duct_box_data(box);
	memset(data, 'm', MEGABYTE);
	CHECK_STATUS(duct_send(tx, &box), DUCT_OK);
	for (int r = 0; r < MANY; r++) {
		CHECK_STATUS(duct_recv(rx[r], &in[r]), DUCT_OK);
		CHECK(duct_box_data(in[r]) == data && data[MEGABYTE - 1] == 'm');
		duct_box_free(in[r]);
		duct_receiver_free(rx[r]);
	}
	/* The last receiver gone, the channel has closed and forgotten its replay. */
	CHECK(atomic_load(&destroyed.count) == 1 && allocated < MEGABYTE / 2);
	duct_sender_free(tx);
	CHECK(atomic_load(&destroyed.count) == 1);
}

/* A box stays as long as one receiver may still want it: that is, until the last has read it, or has gone. */
TEST(box, stays_until_its_last_reader_has_gone, 5)
{
	struct destroyed destroyed = { 0, NULL, 0 };
	duct_sender *tx;
	duct_receiver *rx[3];
	duct_box *box, *in;

	CHECK_STATUS(duct_broadcast_open(&tx, &rx[0], sizeof box, NULL, DUCT_OPTIONS(DUCT_BOX_HOOKS)), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(rx[0], &rx[1]), DUCT_OK);
	CHECK_STATUS(duct_receiver_clone(rx[0], &rx[2]), DUCT_OK);
	CHECK_STATUS(duct_box_new(&box, 8, count_destroyed, &destroyed), DUCT_OK);
	CHECK_STATUS(duct_send(tx, &box), DUCT_OK);
	for (int r = 0; r < 3; r++) {
		CHECK(atomic_load(&destroyed.count) == 0);
		if (r == 0) { /* the others go without having read it */
			CHECK_STATUS(duct_recv(rx[r], &in), DUCT_OK);
			duct_box_free(in);
		}
		duct_receiver_free(rx[r]);
	}
	CHECK(atomic_load(&destroyed.count) == 1);
	duct_sender_free(tx);
}

/* Boxes lost to a full queue, left unread, or sent to nobody are given back. */
TEST(box, goes_when_it_is_lost, 5)
{
	struct destroyed destroyed = { 0, NULL, 0 };
	duct_channel *channel;
	duct_sender *tx;
	duct_receiver *rx;
	duct_box *box, *nothing = NULL;

	CHECK_STATUS(duct_broadcast_new(&channel, sizeof box, DUCT_OPTIONS(DUCT_BOX_HOOKS)), DUCT_OK);
	CHECK_STATUS(duct_sender_new(channel, &tx), DUCT_OK);
	for (int n = 0; n < 7; n++) {
		CHECK_STATUS(duct_box_new(&box, 8, count_destroyed, &destroyed), DUCT_OK);
		*(char *)duct_box_data(box) = (char)n;
		CHECK_STATUS(duct_send(tx, &box), DUCT_OK);
		/* The first is heard by nobody, the next two are queued, those from the fourth on displace the oldest. */
		CHECK(atomic_load(&destroyed.count) == (n == 0 ? 1 : n <= 2 ? 1 : n - 1));
		CHECK(destroyed.first == (n <= 2 ? 0 : n - 2));
		if (n == 0)
			CHECK_STATUS(duct_subscribe(channel, &rx, DUCT_SUBSCRIPTION(.capacity = 2)), DUCT_OK);
	}
	CHECK_STATUS(duct_send(tx, &nothing), DUCT_OK);
	CHECK(atomic_load(&destroyed.count) == 6);
	duct_receiver_free(rx);
	CHECK(atomic_load(&destroyed.count) == 7);
	duct_sender_free(tx);
	duct_channel_free(channel);
}
