/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A channel: a queue with handles.
 *
 * Everything that moves messages is the queue's, or that of the fan behind it (fan.h) if the channel is a broadcast.  The
 * channel counts its handles and open ends, knows what that means for the queue (closed, no receivers), and owns the memory,
 * the hooks and the name.
 *
 * References keep the memory: one for each channel handle and each end, and one for a call that runs hooks.  Handles and
 * ends are also counted by kind, under both locks of the queue, since those counts decide what happens to the messages.  (When a
 * send cuts off a receiver of a broadcast it has the put lock alone, and nobody stands in line: then nobody reads them under
 * the take lock alone.)
 */
#ifndef DUCT_CHANNEL_H
#define DUCT_CHANNEL_H

#include "fan.h"
#include "hooks.h"
#include "log.h"
#include "queue.h"

#include <duct.h>

/* [I] fixed when made; [b] written under both locks of the queue, read under either or as a snapshot; [a] atomic. */
struct duct_channel {
	struct queue queue;          /* first member: an end's queue is its channel */
	_Atomic uint32_t references; /* [a] */
	_Atomic int reason;          /* [b] of the close */
	_Atomic size_t handles;      /* [b] channel handles */
	_Atomic size_t senders;      /* [b] open ones */
	_Atomic size_t receivers;    /* [b] open ones */
	bool was_received;           /* [b] there was a receiver once */
	bool closes_itself;          /* [I] with its last receiver too */
	bool once;                   /* [I] with its first message */
	const char *kind;            /* [I] "anycast" */
	const char *name;            /* [I] */
	struct fan *fan;             /* [I] NULL: anycast */
	struct hooks hooks;          /* [I] */
	duct_allocator allocator;    /* [I] if the hooks refer to it */
	struct log log;
};

struct duct_sender {
	struct end end;
};

struct duct_receiver {
	struct end end;
};

/* What to make. */
struct channel_plan {
	const char *kind;
	size_t message_size, capacity;
	const duct_options *options;
	bool is_broadcast, closes_itself, once;
};

/* Makes a channel with one handle and no ends; the statuses are duct_anycast_new's. */
duct_status channel_new(duct_channel **channel, const struct channel_plan *plan);

void channel_ref(duct_channel *channel);
void channel_unref(duct_channel *channel);

/* The gate of a broadcast with hooks: an operation on it, a send, has to bring a tray. */
static inline bool wants_trays(const struct queue *queue)
{
	return queue->outlet != NULL && queue->outlet->has_hooks;
}

static inline bool needs_tray(const struct op *op)
{
	return wants_trays(op->queue);
}

/* Gives it one.  Hooks may free the end, whose channel the tray needs until its end. */
static inline void tray_begin(struct tray *tray, struct op *op)
{
	end_pin(op->end);
	tray_init(tray, &op->end->channel->hooks);
	op->tray = tray;
}

static inline void tray_finish(struct op *op)
{
	tray_fini(op->tray);
	end_unpin(op->end);
}

static inline bool channel_is_closed(const duct_channel *channel)
{
	return load_acquire(&channel->queue.take.at.ended) != DUCT_OK;
}

/*
 * The frame of every change to handles and ends: with both locks of the queue, settled before they are free, and then without
 * locks what comes of it: who has to wake, what nobody can receive any more.
 */
struct change {
	struct node *wakes;
	struct backlog orphans;
};

void channel_begin(duct_channel *channel, struct change *change);
void channel_settle_locked(duct_channel *channel, struct change *change);
void channel_settle_less_locked(duct_channel *channel, struct change *change); /* something has gone: finds the orphans too */
void channel_finish(duct_channel *channel, struct change *change);

#endif
