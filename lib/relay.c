/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A relay: one send to several senders.
 *
 * Where a message has a copy hook, each target but the last gets a copy; a copy that a target did not take is good for the next
 * one, and is dropped if there is none.  The last target gets the message itself if all others have theirs: so the message has
 * moved if and only if all have it, and after a failure its owner knows that it is still his.  The copies are put on a tray, as
 * those of a send to a broadcast are.
 *
 * The relay refers to its senders as long as a send is under way: to those that it owns by their handles, which it frees last,
 * to those that it borrows as a call does that waits in them.  So a send that meets a free finds its next senders closed, or the
 * relay, and never gone.  No lock, no thread, and no memory but that of large copies.
 */
#include "channel.h"
#include "memory.h"
#include "sync.h"

/* [I] fixed when made; [a] atomic. */
struct duct_relay {
	_Atomic size_t references; /* [a] the handle, and sends */
	_Atomic bool closed;       /* [a] with its senders borrowed: it closes none */
	unsigned flags;            /* [I] */
	size_t count;              /* [I] */
	duct_sender *senders[];    /* [I] */
};

/* The handles that it owns are references to ends that the free has closed; those that it borrows are pinned. */
static void relay_destroy(duct_relay *relay)
{
	for (size_t i = 0; i < relay->count; i++)
		end_unpin(&relay->senders[i]->end);
	memory_free(NULL, relay);
}

static void relay_ref(duct_relay *relay)
{
	atomic_fetch_add(&relay->references, 1);
}

static void relay_unref(duct_relay *relay)
{
	if (atomic_fetch_sub(&relay->references, 1) == 1)
		relay_destroy(relay);
}

/* ---- Making it ------------------------------------------------------------------------------------------------- */

static bool are_listed_once(duct_sender *const *senders, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (senders[i] == senders[k])
				return false;
	return true;
}

static bool are_of_one_size(duct_sender *const *senders, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (senders[i] == NULL || senders[i]->end.channel->hooks.size != senders[0]->end.channel->hooks.size)
			return false;
	return true;
}

duct_status duct_relay_new(duct_relay **relay, duct_sender *const *senders, size_t count, unsigned flags)
{
	const size_t most = (SIZE_MAX - sizeof(duct_relay)) / sizeof(duct_sender *);
	duct_relay *made;

	if (relay == NULL || senders == NULL || count == 0 || count > most ||
	    (flags & ~(unsigned)(DUCT_BORROW_SENDER | DUCT_STOP_AT_FAILURE)) != 0 || !are_of_one_size(senders, count) ||
	    !are_listed_once(senders, count))
		return DUCT_INVALID;
	if ((made = memory_new(NULL, sizeof *made + count * sizeof(duct_sender *))) == NULL)
		return DUCT_NOMEM;
	atomic_init(&made->references, 1);
	atomic_init(&made->closed, false);
	made->flags = flags;
	made->count = count;
	for (size_t i = 0; i < count; i++) {
		made->senders[i] = senders[i];
		if (flags & DUCT_BORROW_SENDER)
			end_pin(&senders[i]->end);
	}
	*relay = made;
	return DUCT_OK;
}

void duct_relay_close(duct_relay *relay)
{
	if (relay == NULL)
		return;
	relay_ref(relay);
	if (relay->flags & DUCT_BORROW_SENDER)
		atomic_store(&relay->closed, true);
	else
		for (size_t i = 0; i < relay->count; i++)
			duct_sender_close(relay->senders[i]);
	relay_unref(relay);
}

void duct_relay_free(duct_relay *relay)
{
	if (relay == NULL)
		return;
	duct_relay_close(relay);
	relay_unref(relay);
}

/* ---- Sending --------------------------------------------------------------------------------------------------- */

/* One send of a relay. */
struct sending {
	const duct_relay *relay;
	const void *message;
	duct_time deadline;
	duct_cancel *cancel;
	bool waits;
	duct_status result; /* so far */
	struct tray tray;
};

static duct_status send_to(const struct sending *sending, duct_sender *sender, const void *message)
{
	if (atomic_load(&sending->relay->closed))
		return DUCT_CLOSED;
	return sending->waits ? duct_send_until(sender, message, sending->deadline, sending->cancel)
	                      : duct_try_send(sender, message);
}

/* What the target does not take stays on the tray. */
static duct_status send_copy_to(struct sending *sending, duct_sender *sender)
{
	struct tray *tray = &sending->tray;
	duct_status status;

	if (!tray_has(tray, 1, 0, false) && !tray_prepare(tray, sending->message))
		return DUCT_NOMEM;
	status = send_to(sending, sender, tray_item(tray, 0));
	if (status == DUCT_OK)
		tray->copies = 0;
	return status;
}

static duct_status send_nth(struct sending *sending, size_t i)
{
	const bool moves = i + 1 == sending->relay->count && sending->result == DUCT_OK;
	duct_sender *sender = sending->relay->senders[i];

	return moves || sending->tray.hooks->copy == NULL ? send_to(sending, sender, sending->message)
	                                                  : send_copy_to(sending, sender);
}

static void send_all(struct sending *sending, duct_status *statuses)
{
	const duct_relay *relay = sending->relay;
	bool over = duct_cancel_raised(sending->cancel);

	for (size_t i = 0; i < relay->count; i++) {
		const duct_status status = over ? DUCT_CANCELED : send_nth(sending, i);

		if (statuses != NULL)
			statuses[i] = status;
		if (sending->result == DUCT_OK)
			sending->result = status;
		over = over || (status != DUCT_OK && (relay->flags & DUCT_STOP_AT_FAILURE) != 0);
	}
}

static duct_status relay_send(
    duct_relay *relay, const void *message, duct_status *statuses, bool waits, duct_time deadline, duct_cancel *cancel)
{
	struct sending sending;
	const struct hooks *hooks;

	if (relay == NULL || deadline < 0)
		return DUCT_INVALID;
	hooks = &relay->senders[0]->end.channel->hooks;
	if (message == NULL && hooks->size != 0)
		return DUCT_INVALID;
	relay_ref(relay);
	sending.relay = relay;
	sending.message = message;
	sending.waits = waits;
	sending.deadline = deadline;
	sending.cancel = cancel;
	sending.result = DUCT_OK;
	tray_init(&sending.tray, hooks);
	send_all(&sending, statuses);
	tray_fini(&sending.tray);
	relay_unref(relay);
	return sending.result;
}

duct_status duct_relay_send(duct_relay *relay, const void *message, duct_status *statuses)
{
	return relay_send(relay, message, statuses, true, DUCT_FOREVER, NULL);
}

duct_status duct_relay_try_send(duct_relay *relay, const void *message, duct_status *statuses)
{
	return relay_send(relay, message, statuses, false, DUCT_FOREVER, NULL);
}

duct_status duct_relay_send_until(
    duct_relay *relay, const void *message, duct_status *statuses, duct_time deadline, duct_cancel *cancel)
{
	return relay_send(relay, message, statuses, true, deadline, cancel);
}
