/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A fan: how a broadcast channel passes each message on to every receiver.
 *
 * Each receiver is a member: a queue of its own, behind the channel's queue, which is the gate of all of them (queue.h).  The put
 * lock of the gate is the publish lock.  Who holds it decides on a message, and puts it into all rings, in one step for all other
 * senders and for those who join, leave or close: hence one order, and all or nothing.
 *
 *     sender -> gate, no ring      publish lock, line of waiting senders
 *                 |
 *                 +-> member       ring, take lock, its waiting receivers (under the publish lock)
 *                 +-> member       ring, take lock, ...
 *
 * A receive takes its member's take lock, as from any queue.  While the publish lock is held a member's ring can only become
 * emptier: room that was seen stays, so it is enough to ask all members that block, and then to put into all of them.  What a
 * full ring displaces is taken out under both locks.
 *
 * Waiting senders stand in line at the gate, in one line for all.  The first of them waits for room in some full ring, and there
 * the fan has a scout: an observer among the ring's waiting senders, which the next take from it, or discard, pings.  Whoever
 * pinged it pumps when its locks are free: under the publish lock it does the sends of the line, as long as there is room, and
 * sends the scout out again.  As with any hand-off the sends are done before their threads wake.
 *
 *     sender                          receiver of A                 receiver of B
 *     ----------------------------    --------------------------    --------------------------
 *     publish lock: A is full
 *     scout to A; stands in line
 *     unlock, sleep
 *                                     take lock: claims the scout,
 *                                     takes, unlocks
 *                                     pump: publish lock: B is full
 *                                     scout to B, unlock
 *                                                                   takes; pumps: all have room:
 *                                                                   claims the sender, puts its
 *                                                                   message into A and B
 *     wakes: sent
 *
 * There is one scout, and while it is out, or its pump is due, nobody has to send another one.  A put says FULL only with the
 * scout out: so who stands in line under the same lock is found.  The scout is claimed before the slot that it waits for is
 * freed: so as long as it is not, the gate is full, and a failing try needs no lock.
 *
 * Late receivers.  The fan keeps the last messages in boxes.  Who joins puts them into its ring under the publish lock.  If they
 * have to be copied by a hook, it only refers to the boxes under the lock, makes the copies without it, and puts them ahead of
 * what has come meanwhile: nobody else takes from that ring yet.  Those that do not fit any more are the oldest: as if it had
 * joined a little later.  If what has come was discarded meanwhile, so are they.
 *
 * Lock order: the gate's put lock, then its take lock, then one member's.  A wait for several operations holds members' take locks
 * together; so what it does with the gate it does when it has released them (wait.c).
 *
 * Cost: a send takes one lock and then, for each receiver, what a put costs; a receive costs what any take does.
 */
#ifndef DUCT_FAN_H
#define DUCT_FAN_H

#include "log.h"
#include "queue.h"
#include "tray.h"

/* The messages that are kept for later receivers: the last len, most at most, which end before next. */
struct history {
	duct_box **kept;
	size_t most, len, next;
};

/* What a fan asks of its channel. */
struct fan_owner {
	void (*keep)(struct duct_channel *channel);    /* one more reference */
	void (*release)(struct duct_channel *channel); /* with no lock */
	/* With both locks of the gate, or with the publish lock while nobody stands in line there. */
	void (*receiver_left)(struct duct_channel *channel, struct node **wakes);
};

/* [I] fixed when made; [p] under the publish lock. */
struct fan {
	struct outlet outlet; /* [I] first member: a gate's outlet is its fan */
	struct queue *gate;   /* [I] */
	const struct hooks *hooks;
	struct fan_owner owner;       /* [I] */
	struct duct_channel *channel; /* [I] */
	duct_unheard unheard;         /* [I] */
	struct member *first, *last;  /* [p] in the order of joining */
	size_t receivers;             /* [p] those that are not hidden */
	size_t blocking;              /* [p] those with DUCT_BLOCK */
	uint64_t joined, named;       /* [p] members, ever; and those that were given names */
	struct history history;       /* [p] */
	struct history forgotten;     /* [p] by a close, to be dropped without a lock */
	struct loss forgetting;       /* [p] that, on the tray of a send which made the channel close */
	bool scouting;                /* [p] the scout is out, or its pump is due */
	struct waiter scout;
};

/* A receiver of a broadcast. */
struct member {
	struct end end;   /* first member: the handle */
	struct fan *fan;  /* [I] */
	const char *name; /* [I] */
	struct queue queue;
	struct member *next, *prev; /* [p] */
	uint64_t sent;              /* [p] */
	uint64_t lost;              /* [p], and under the take lock too */
	duct_overflow overflow;     /* [p] */
	bool tell_lag, quiet;       /* [I] */
	bool hidden;                /* [I] no receiver for anybody to count */
	bool joined;                /* [p] and has not left */
	_Atomic bool left;          /* [a] */
	_Atomic bool cut_off;       /* [a] */
	bool telling;               /* [p] its loss is on some tray */
	uint64_t number;            /* [p] of joining */
	uint64_t discarded;         /* [t] */
	uint64_t lag_told;          /* [t] of lost, by DUCT_LAGGED */
	_Atomic uint64_t lag;       /* [a] what the last DUCT_LAGGED told */
	uint64_t lost_logged;       /* [p] */
	struct log log;             /* of its losses */
	struct loss loss, cut;
};

static inline struct fan *fan_of(const struct queue *gate)
{
	return (struct fan *)(uintptr_t)gate->outlet;
}

/* Makes the outlet of a gate. */
void fan_init(struct fan *fan, struct queue *gate, struct duct_channel *channel, const struct hooks *hooks,
    struct fan_owner owner, duct_unheard unheard);

/* Nobody knows of the fan any more. */
void fan_fini(struct fan *fan);

/* A number for the next name. */
uint64_t fan_next_number(struct fan *fan);

/* The boxes that somebody who joins has to copy from: room for so many. */
struct replay {
	duct_box **boxes;
	size_t room, len;
};

/*
 * Joins, with both locks of the gate; false if there is more to copy than the replay has room for.  fan_finish_join follows with
 * no lock: false if a copy could not be made; then the caller has to leave.
 */
bool fan_join_locked(struct fan *fan, struct member *member, struct replay *replay, struct node **wakes);
bool fan_finish_join(struct member *member, struct replay *replay);

/* How many messages somebody who joined now would have to copy. */
size_t fan_replay_needed(const struct member *member);

/* Leaves, with both locks of the gate: its takes end with that status.  False if it had left. */
bool fan_leave_locked(struct member *member, duct_status status, struct node **wakes);

/* The channel has closed, with both locks of the gate. */
void fan_close_locked(struct fan *fan, struct node **wakes);

/* Drops what a close made the fan forget.  With no lock. */
void fan_drop_forgotten(struct fan *fan);

/* These take the locks they need. */
duct_status fan_set_replay(struct fan *fan, size_t count);
size_t fan_replay(struct fan *fan);
void fan_set_overflow(struct member *member, duct_overflow overflow);
duct_stats fan_stats(struct member *member);

/* The messages queued for all who are not hidden; whether a send would have to wait. */
size_t fan_len(struct fan *fan);
bool fan_is_full(struct fan *fan);
size_t fan_count_waiting_receivers(struct fan *fan);

/* The member that joined next after the one with that number, pinned; or NULL. */
struct member *fan_next(struct fan *fan, uint64_t number);

#endif
