/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A source: what stands behind a receiver that is no channel's: a timer, an event, a merge, a map.
 *
 * It has a queue of its own, from which it is received as from any other; so waiting on it, first come first served, being
 * told of its end, and what is left when it ends are the queue's.  What it has instead of senders is one or more of these:
 *
 *     a call       puts something into its queue (an event is set)
 *     a feed       puts what is due, when somebody who looks or waits pumps it.  A wait knows when that will be, and sleeps until
 *                  then at most; so time needs no thread (a timer)
 *     parts        other receivers: who wants to receive from it looks at, and waits on, the queues of all of them too, and what
 *                  is taken from one goes through the steps of the sources above it (resolve.h)
 *
 * Its queue holds one message at most (a few for some feeds), and that only in passing: what fell due when somebody looked,
 * or what somebody who only wanted to know had to take from a part in order to know.  Nothing is taken before somebody asks.
 *
 * Version.  When something changes that a wait may rely on (a part comes or goes, a timer is set anew), the version is
 * counted up under both locks, and all who stand in the line of the queue are told SOURCE_MOVED.  Who comes into the line
 * later compares the version under the same locks.  So nobody sleeps on what was true once.
 *
 * Lock order: no two sources' locks are ever held together but by a wait that goes to sleep.
 */
#ifndef DUCT_SOURCE_H
#define DUCT_SOURCE_H

#include "clock.h"
#include "hooks.h"
#include "queue.h"

/* To those who wait: look anew at what there is to wait for.  No call ends with it. */
#define SOURCE_MOVED DUCT_UNSUPPORTED

/* What a step makes of a message. */
enum verdict {
	STEP_KEEP, /* it goes on as it is */
	STEP_MADE, /* another one goes on, which the step has made of it */
	STEP_SKIP, /* it goes no further, and is dropped */
	STEP_END   /* so too, and the source has ended */
};

struct source_kind {
	const char *name;
	/* When it wants to be pumped, with both locks of its queue; NULL: it has no feed. */
	duct_time (*due_locked)(struct source *source);
	int (*descriptor_locked)(struct source *source); /* and when that can be read; -1: never; NULL: it has none */
	void (*pump)(struct source *source);             /* puts what is due, with no lock */
	/* What becomes of a message from a part, with no lock; NULL: all go on.  Only a STEP_MADE writes to. */
	enum verdict (*step)(struct source *source, size_t part, void *from, void *to);
	bool selective;                         /* it may skip: nobody knows whether there is one for it but by taking it */
	bool many;                              /* its parts come and go */
	void (*destroy)(struct source *source); /* what is more than a source; NULL: nothing */
};

/* A receiver that another one is made of. */
struct part {
	struct end *end;
	size_t number;
	bool borrowed; /* else its handle is the source's to free */
};

/* [I] fixed when made; [b] written under both locks of the queue, read under either; [p] under the put lock; [a] atomic. */
struct source {
	struct queue queue;
	struct end end;                 /* its receiver */
	const struct source_kind *kind; /* [I] */
	const char *name;               /* [I] */
	struct hooks hooks;             /* [I] what to do with its messages; of parts they come from, without their allocator */
	struct part *parts;             /* [b] those that have not ended */
	uint32_t part_count;            /* [b] */
	_Atomic uint32_t version;       /* [b] */
	_Atomic(const void *) puller;   /* [b] the call that only wants to know, and takes from the parts to find out */
	bool pull_awaited;              /* [b] another one waits for that */
	duct_status ending;             /* [b] with what it ends as soon as nobody pulls; DUCT_OK: it does not */
	_Atomic bool closed;            /* [b] by its user; it may not have ended yet */
	_Atomic size_t handles;         /* [a] */
	_Atomic uint64_t lag;           /* [a] of the part that last told of lost messages */
	_Atomic uint32_t turn;          /* [a] relaxed: the place of the part that is asked first, as a hint */
};

/* What to make. */
struct source_plan {
	const struct source_kind *kind;
	const char *name; /* NULL: made from the kind and the number */
	size_t size;      /* of the structure that begins with the source */
	size_t capacity;  /* of its queue */
	size_t part_room; /* for so many parts, in the same memory */
	struct hooks hooks;
};

/* Makes one with one handle and no parts, the rest of its structure zero; NULL: no memory. */
void *source_new(const struct source_plan *plan);

/* Takes back one that nobody knows of yet, without what its kind adds. */
void source_give_up(struct source *source);

/* What its user wants to be done with messages that no part has. */
static inline struct hooks source_hooks(const duct_combine_options *options, size_t size)
{
	return (struct hooks){ .size = size, .drop = options->drop, .copy = options->copy, .context = options->context };
}

/* The receiver, as its user has it, and back; NULL: it is a channel's, or of another kind. */
static inline duct_receiver *source_receiver(struct source *source)
{
	return (duct_receiver *)(void *)&source->end;
}

static inline struct source *source_of(const duct_receiver *receiver)
{
	return ((const struct end *)(const void *)receiver)->source;
}

struct source *source_of_kind(const duct_receiver *receiver, const struct source_kind *kind);

/* Puts a message into the queue, or into the hands of who waits: DUCT_OK, DUCT_FULL, or DUCT_CLOSED once it has ended. */
duct_status source_put(struct source *source, const void *message);
duct_status source_put_locked(struct source *source, const void *message, struct node **wakes);

/*
 * Pulling: a call that only wants to know takes from the parts, since it cannot know otherwise, and puts what it took into the
 * queue.  One does at a time; true if it is this one.  If not, it is told to look anew when the other one stops.  The call has
 * nothing in hand: it says so again each time it looks anew.
 *
 * As long as a call pulls it may have a message in hand, which comes ahead of the end: so the source ends when it has not.
 */
bool source_pulls(struct source *source, const void *call);
void source_stop_pulling(struct source *source);

/* A part told of lost messages to who only wanted to know: the next receive is told of them. */
void source_hold_lag(struct source *source);

/* With both locks: its queue holds a message that nobody has received. */
static inline bool source_holds_locked(const struct source *source)
{
	return queue_backlog_locked(&source->queue).len > 0;
}

/* With both locks: all who wait have to look anew. */
void source_moved_locked(struct source *source, struct node **wakes);

/* With both locks: what its queue holds can be received, and then that status; once nobody pulls. */
void source_end_locked(struct source *source, duct_status status, struct node **wakes);

/* The same without a lock; and lets go of all parts. */
void source_end(struct source *source, duct_status status);

/* With both locks: begins again after it has ended, with an empty queue and no parts. */
void source_reopen_locked(struct source *source);

/* With both locks: it has ended, or will as soon as nobody pulls. */
static inline bool source_is_ending_locked(const struct source *source)
{
	return source->ending != DUCT_OK || load_relaxed(&source->queue.take.at.ended) != DUCT_OK;
}

static inline bool source_has_ended(const struct source *source)
{
	return load_acquire(&source->queue.take.at.ended) != DUCT_OK;
}

/* Adds a part; there is room.  With both locks, or before anybody else knows of the source. */
void source_add_locked(struct source *source, struct end *end, size_t number, bool borrowed);

/* With both locks: takes a part out; false if it is not there (any more). */
bool source_take_part_locked(struct source *source, size_t number, struct part *part);

/* A part has ended, with that status: the source lets go of it, and with its last one ends too. */
void source_part_ended(struct source *source, size_t number, duct_status status);

/* What its user asks for: it lets go of parts that it borrowed, closes its own, and ends when they have. */
void source_close(struct source *source);

/* Its user closed it, or it has ended. */
static inline bool source_is_closed(const struct source *source)
{
	return atomic_load(&source->closed) || source_has_ended(source);
}

/* One more handle; and one less, true if it was the last: the end has a reference for each. */
static inline void source_ref(struct source *source)
{
	end_pin(&source->end);
	atomic_fetch_add(&source->handles, 1);
}

static inline bool source_unref(struct source *source)
{
	return atomic_fetch_sub(&source->handles, 1) == 1;
}

#endif
