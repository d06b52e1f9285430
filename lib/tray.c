/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A tray: filling it and clearing it.  tray.h tells how it works.
 */
#include "tray.h"

#include "memory.h"
#include "sync.h"

void tray_init(struct tray *tray, const struct hooks *hooks)
{
	tray->hooks = hooks;
	tray->items = tray->few;
	tray->room = TRAY_BYTES / (hooks->size != 0 ? hooks->size : 1);
	tray->copies = tray->lost = 0;
	tray->keepsake = tray->outdated = NULL;
	tray->losses = NULL;
	tray->receipt = (duct_receipt){ 0 };
}

static void release_items(struct tray *tray)
{
	if (tray->items != tray->few)
		memory_free(tray->hooks->allocator, tray->items);
}

bool tray_reserve(struct tray *tray, size_t room)
{
	const size_t size = tray->hooks->size != 0 ? tray->hooks->size : 1;
	unsigned char *items;

	if (room <= tray->room)
		return true;
	if (room > SIZE_MAX / size || (items = memory_new(tray->hooks->allocator, room * size)) == NULL)
		return false;
	memcpy(items, tray->items, tray->copies * tray->hooks->size);
	release_items(tray);
	tray->items = items;
	tray->room = room;
	return true;
}

bool tray_prepare(struct tray *tray, const void *message)
{
	const struct hooks *hooks = tray->hooks;
	int cancellation;
	bool made = true;

	if (!tray_reserve(tray, tray->room_wanted))
		return false;
	if (tray->keepsake_wanted && tray->keepsake == NULL) {
		tray->keepsake = box_new(hooks->allocator, hooks->size, hooks->drop, hooks->context);
		if (tray->keepsake == NULL)
			return false;
	}
	cancellation = cancellation_hold();
	while (made && tray->copies < tray->copies_wanted) {
		made = hooks_copy(hooks, tray_item(tray, tray->copies), message);
		tray->copies += made;
	}
	cancellation_resume(cancellation);
	return made;
}

static void tell_losses(struct loss *losses)
{
	for (struct loss *loss = losses, *next; loss != NULL; loss = next) {
		next = loss->next; /* which is the receiver's again once it is told */
		loss->tell(loss);
	}
}

void tray_fini(struct tray *tray)
{
	int cancellation = cancellation_hold();

	for (size_t i = 0; i < tray->copies; i++)
		hooks_drop(tray->hooks, tray_item(tray, i));
	for (size_t i = 1; i <= tray->lost; i++)
		hooks_drop(tray->hooks, tray_item(tray, tray->room - i));
	if (tray->keepsake != NULL)
		box_free_empty(tray->keepsake);
	duct_box_free(tray->outdated);
	tell_losses(tray->losses);
	cancellation_resume(cancellation);
	release_items(tray);
}
