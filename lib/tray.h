/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A tray: what a send to a broadcast takes along and brings back, because hooks must not run under a lock.
 *
 * Copies of the message, one for each receiver but the first, are made before the lock is taken.  The messages that are lost
 * meanwhile are put on the tray under the lock, in the places that used copies have left.  When the lock is free again all that
 * lies on the tray goes through the drop hook: lost messages, and copies that were not needed because a receiver had gone.  If
 * there are too few copies, because one has come, nothing is done under the lock but to say so, and more are made.
 *
 *     before the lock      c c c . .      three copies, room for five
 *     under the lock       c . . x x      two were used, two older messages lost
 *     after the lock       drops c x x
 *
 * What is lost is also to be told to the log: a list of losses, filled under the lock and told after it.
 *
 * A tray is on the stack of its call, like the message; who serves a waiting sender uses that one's tray.
 */
#ifndef DUCT_TRAY_H
#define DUCT_TRAY_H

#include "box.h"
#include "hooks.h"

#include <stddef.h>

#define TRAY_BYTES 1024 /* of messages, before memory has to be had */

/* A receiver's losses that are to be told. */
struct loss {
	struct loss *next;
	void (*tell)(struct loss *loss);
};

struct tray {
	const struct hooks *hooks;
	unsigned char *items;
	size_t room;         /* messages */
	size_t copies, lost; /* items[0 .. copies), items[room - lost .. room) */
	size_t copies_wanted, room_wanted;
	bool keepsake_wanted;
	duct_box *keepsake;  /* empty, for the message that is kept for later receivers */
	duct_box *outdated;  /* the one that it displaced */
	struct loss *losses; /* to be told */
	duct_receipt receipt;
	_Alignas(max_align_t) unsigned char few[TRAY_BYTES];
};

void tray_init(struct tray *tray, const struct hooks *hooks);

/* Room for so many messages; false if there is no memory.  The tray has lost nothing yet. */
bool tray_reserve(struct tray *tray, size_t room);

/* Makes the copies of this message that the tray was short of, and room; false if that failed.  With no lock. */
bool tray_prepare(struct tray *tray, const void *message);

/* Drops what lies on it, and tells the losses.  With no lock. */
void tray_fini(struct tray *tray);

static inline void *tray_item(const struct tray *tray, size_t i)
{
	return tray->items + i * tray->hooks->size;
}

/*
 * Under the lock: whether it has what the message needs; else it is short of that.  Copies that the message does not need,
 * since it has some for receivers that have gone, keep their places.
 */
static inline bool tray_has(struct tray *tray, size_t copies, size_t losses, bool keepsake)
{
	const size_t useless = tray->copies > copies ? tray->copies - copies : 0;
	const size_t room = useless + (losses > copies ? losses : copies);

	tray->copies_wanted = copies;
	tray->room_wanted = room;
	tray->keepsake_wanted = keepsake;
	return tray->copies >= copies && tray->room >= room && (!keepsake || tray->keepsake != NULL);
}

/* Under the lock: what is to be told, or done, without it. */
static inline void tray_tell_later(struct tray *tray, struct loss *loss, void (*tell)(struct loss *loss))
{
	loss->tell = tell;
	loss->next = tray->losses;
	tray->losses = loss;
}

/* Under the lock: a place for a message that is lost. */
static inline void *tray_lose(struct tray *tray)
{
	tray->lost++;
	return tray_item(tray, tray->room - tray->lost);
}

#endif
