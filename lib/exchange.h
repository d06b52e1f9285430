/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A party of an exchange: what it gives with, what it takes with, and whose turn it is.
 *
 * The turn is the party's own and not shared: the two agree about it because a message from one to the other is all that
 * changes it, at either side.  It belongs to the call in flight, of which there is one at a time.
 */
#ifndef DUCT_EXCHANGE_H
#define DUCT_EXCHANGE_H

#include "sync.h"

#include <duct.h>

/* [I] fixed when made; [a] atomic; [c] of the call in flight. */
struct duct_party {
	duct_sender *sender;           /* [I] */
	duct_receiver *receiver;       /* [I] */
	void (*release)(void *shared); /* [I] gives back what the parties share, when this one is gone; or NULL */
	void *shared;                  /* [I] */
	_Atomic uint32_t references;   /* [a] the handle, and calls */
	_Atomic bool busy;             /* [a] a call is in flight */
	bool takes;                    /* [c] it is the other's turn to give, and this one's to take */
	bool started;                  /* [c] the other party was there once */
};

/* Claims the party for a call, and keeps it and the token (or NULL) between its halves too: DUCT_OK or DUCT_BUSY. */
duct_status party_enter(duct_party *party, duct_cancel *cancel);
void party_leave(duct_party *party, duct_cancel *cancel);

/* One turn; the caller has claimed the party, and knows whose turn it is.  Statuses of duct_send_until and duct_recv_until. */
duct_status party_give(duct_party *party, const void *message, duct_time deadline, duct_cancel *cancel);
duct_status party_take(duct_party *party, void *message, duct_time deadline, duct_cancel *cancel);

static inline bool party_is_closed(const duct_party *party)
{
	return duct_channel_is_closed(duct_receiver_channel(party->receiver));
}

#endif
