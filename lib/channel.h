/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A channel: a queue with handles.
 *
 * Everything that moves messages is the queue's.  The channel counts its handles and open ends, knows what that means for
 * the queue (closed, no receivers), and owns the memory, the hooks and the name.
 *
 * References keep the memory: one for each channel handle and each end, and one for a call that runs hooks.  Handles and
 * ends are also counted by kind, under both locks of the queue, since those counts decide what happens to the messages.
 */
#ifndef DUCT_CHANNEL_H
#define DUCT_CHANNEL_H

#include "log.h"
#include "queue.h"

#include <duct.h>

/* [I] fixed when made; [b] written under both locks of the queue, read under either or as a snapshot; [a] atomic. */
struct duct_channel {
	struct queue queue;           /* first member: an end's queue is its channel */
	_Atomic uint32_t references;  /* [a] */
	_Atomic int reason;           /* [b] of the close */
	_Atomic size_t handles;       /* [b] channel handles */
	_Atomic size_t senders;       /* [b] open ones */
	_Atomic size_t receivers;     /* [b] open ones */
	bool was_received;            /* [b] there was a receiver once */
	bool has_allocator;           /* [I] */
	const char *kind;             /* [I] "anycast" */
	const char *name;             /* [I] */
	void (*drop)(void *, void *); /* [I] */
	void *context;                /* [I] of drop */
	duct_allocator allocator;     /* [I] */
	struct log log;
};

struct duct_sender {
	struct end end;
};

struct duct_receiver {
	struct end end;
};

/* Makes a channel with one handle and no ends; the statuses are duct_anycast_new's. */
duct_status channel_new(
    duct_channel **channel, const char *kind, size_t message_size, size_t capacity, const duct_options *options);

#endif
