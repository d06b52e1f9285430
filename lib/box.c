/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A box: its references, and the hooks of channels that carry boxes.
 */
#include "box.h"

#include "memory.h"
#include "sync.h"

#include <stddef.h>
#include <string.h>

/* [I] fixed when made; [a] atomic. */
struct duct_box {
	_Atomic size_t references;                  /* [a] */
	size_t size;                                /* [I] */
	void (*destroy)(void *data, void *context); /* [I] or NULL; but for box_move_out */
	void *context;                              /* [I] */
	duct_allocator allocator;                   /* [I] */
	bool has_allocator;                         /* [I] */
	_Alignas(max_align_t) unsigned char data[];
};

duct_box *box_new(const duct_allocator *allocator, size_t size, void (*destroy)(void *data, void *context), void *context)
{
	duct_box *box = size <= SIZE_MAX - sizeof *box ? memory_new(allocator, sizeof *box + size) : NULL;

	if (box == NULL)
		return NULL;
	atomic_init(&box->references, 1);
	box->size = size;
	box->destroy = destroy;
	box->context = context;
	box->has_allocator = allocator != NULL;
	if (box->has_allocator)
		box->allocator = *allocator;
	return box;
}

void box_free_empty(duct_box *box)
{
	memory_free(box->has_allocator ? &box->allocator : NULL, box);
}

bool box_is_shared(const duct_box *box)
{
	return atomic_load(&box->references) > 1;
}

void box_move_out(duct_box *box, void *to)
{
	if (box->size != 0)
		memcpy(to, box->data, box->size);
	box->destroy = NULL; /* read after the last reference has gone, which cannot be before ours */
}

duct_status duct_box_new(duct_box **box, size_t size, void (*destroy)(void *data, void *context), void *context)
{
	duct_box *made;

	if (box == NULL || size > SIZE_MAX / 2)
		return DUCT_INVALID;
	if ((made = box_new(NULL, size, destroy, context)) == NULL)
		return DUCT_NOMEM;
	*box = made;
	return DUCT_OK;
}

duct_box *duct_box_ref(duct_box *box)
{
	if (box != NULL)
		atomic_fetch_add_explicit(&box->references, 1, memory_order_relaxed); /* who refers to it already has it */
	return box;
}

void duct_box_free(duct_box *box)
{
	int cancellation;

	if (box == NULL || atomic_fetch_sub(&box->references, 1) != 1)
		return;
	if (box->destroy != NULL) {
		cancellation = cancellation_hold();
		box->destroy(box->data, box->context);
		cancellation_resume(cancellation);
	}
	box_free_empty(box);
}

void *duct_box_data(const duct_box *box)
{
	return box != NULL ? (void *)(uintptr_t)box->data : NULL;
}

size_t duct_box_size(const duct_box *box)
{
	return box != NULL ? box->size : 0;
}

int duct_box_copy(void *to, const void *from, void *context)
{
	duct_box *box;

	(void)context;
	memcpy(&box, from, sizeof box);
	box = duct_box_ref(box);
	memcpy(to, &box, sizeof box);
	return 0;
}

void duct_box_drop(void *message, void *context)
{
	duct_box *box;

	(void)context;
	memcpy(&box, message, sizeof box);
	duct_box_free(box);
}
