/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Duct: channels between threads.
 *
 * A channel carries messages of one fixed size from any number of senders to any number of receivers: an anycast channel
 * each message to exactly one receiver, a broadcast channel each message to every receiver.  Threads wait on one channel, or
 * with select on any number of them at once, until a deadline or for ever; they never poll.
 *
 * The rules that hold for every call:
 *
 *   - Success moves the message, failure leaves it.  A message is copied in by a send and copied out by a receive; after any
 *     status but DUCT_OK a send has delivered nothing and a receive has written nothing.  (A batch tells how many it moved,
 *     DUCT_UNANSWERED that the message was taken.)
 *   - Every function may be called by any number of threads at once, on the same handles too, unless its comment says
 *     otherwise.  Freeing a handle while other threads are blocked in calls on it is safe: those calls return DUCT_CLOSED.
 *     (But not if it was one of several handles of one object.)  After a free the handle must not be passed to any function.
 *   - No function prints, aborts, sets errno or is interrupted by a signal.  None may be called from a signal handler.
 *   - A parameter that can be seen to be wrong (NULL, an overflowing size, a negative deadline) gets DUCT_INVALID and
 *     changes nothing, not even a count that is told "whatever the status".
 *   - Where several statuses apply, DUCT_INVALID comes first, then DUCT_BUSY, then DUCT_CANCELED for a token that was raised
 *     before the call, then what the operation itself comes to, then DUCT_TIMEDOUT.
 *   - Times are absolute int64_t nanoseconds of CLOCK_MONOTONIC, sizes are bytes, lengths and capacities are messages.
 *
 * The manual starts at duct(7).
 */
#ifndef DUCT_H
#define DUCT_H

#include <stddef.h>
#include <stdint.h>
#ifndef __cplusplus
#include <stdbool.h>
#endif

#define DUCT_VERSION_MAJOR 0
#define DUCT_VERSION_MINOR 1
#define DUCT_VERSION_PATCH 0
#define DUCT_VERSION "0.1.0"

#if defined __GNUC__
#define DUCT_API __attribute__((visibility("default")))
#define DUCT_MUST_CHECK __attribute__((warn_unused_result))
#define DUCT_UNUSED __attribute__((unused))
#else
#define DUCT_API
#define DUCT_MUST_CHECK
#define DUCT_UNUSED
#endif

/* Casts that neither language warns of: from handle to handle, and from any pointer to one that may be written through. */
#ifdef __cplusplus
#define DUCT_CAST_(type_, value_) reinterpret_cast<type_>(value_)
#define DUCT_UNCONST_(value_) const_cast<void *>(static_cast<const void *>(value_))
#else
#define DUCT_CAST_(type_, value_) ((type_)(value_))
#define DUCT_UNCONST_(value_) ((void *)(uintptr_t)(value_))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Results --------------------------------------------------------------------------------------------------- */

/* The result of a call.  Anything but DUCT_OK changed nothing, unless the function says what. */
typedef enum duct_status {
	DUCT_OK = 0,
	DUCT_FULL,        /* try_send: no room now, in a broadcast for some receiver that blocks the sender */
	DUCT_EMPTY,       /* try_recv: no message now; try_select: no case is ready now */
	DUCT_TIMEDOUT,    /* the deadline passed first */
	DUCT_CANCELED,    /* the cancel token was raised first */
	DUCT_CLOSED,      /* send: channel or sender closed.  recv: channel closed and drained, or receiver closed */
	DUCT_NO_RECEIVERS,/* send: the last receiver is gone, and the channel is not closed */
	DUCT_LAGGED,      /* recv: this receiver lost messages; the next receive goes on with the oldest kept */
	DUCT_INVALIDATED, /* recv: this receiver became a peekable */
	DUCT_NOMEM,       /* memory, a copy of a message, or a system's mutex or condition variable could not be had */
	DUCT_INVALID,     /* a parameter that can never work */
	DUCT_UNSUPPORTED, /* not on this system, or not for this kind of channel */
	DUCT_UNANSWERED,  /* exchange: the other party took what was given, but the call ended before it gave its own */
	DUCT_BUSY         /* another call is in flight at this end, which serves one at a time */
} duct_status;

/* The text of a status: a constant string, never NULL, for a value that is no status too. */
DUCT_API const char *duct_strerror(duct_status status);

/* The version of the library at run time, such as "0.1.0": a constant string. */
DUCT_API const char *duct_version(void);

/* ---- Time ------------------------------------------------------------------------------------------------------ */

/*
 * A deadline: absolute nanoseconds of CLOCK_MONOTONIC.  DUCT_FOREVER never passes; 0 has always passed.  A call whose
 * operation is ready succeeds whatever its deadline.
 */
typedef int64_t duct_time;
#define DUCT_FOREVER INT64_MAX

/* The time now, in nanoseconds. */
DUCT_API duct_time duct_now(void);

/* The deadline so long from now.  Saturates to DUCT_FOREVER; a negative duration counts as 0. */
DUCT_API duct_time duct_after_ns(int64_t nanoseconds);
DUCT_API duct_time duct_after_ms(int64_t milliseconds);
DUCT_API duct_time duct_after_s(int64_t seconds);

/* Nanoseconds until the deadline: 0 once it has passed, DUCT_FOREVER for DUCT_FOREVER. */
DUCT_API int64_t duct_remaining_ns(duct_time deadline);

/* ---- Handles --------------------------------------------------------------------------------------------------- */

/*
 * Handles are counted like file descriptors: free gives one back, and the object behind goes with the last.  A clone of a
 * channel or of a token is one more handle of the same object; a clone of a sender or receiver is another end of the same
 * channel.  Free never blocks, unless it is that of a pipe; it may run the drop hook.  Freeing NULL does nothing.
 */
typedef struct duct_channel duct_channel;
typedef struct duct_sender duct_sender;
typedef struct duct_receiver duct_receiver;
typedef struct duct_cancel duct_cancel;

/*
 * Where a channel takes its memory: once when it is made, once for each of its ends, and for a discard of messages over
 * 1 KiB.  A broadcast channel also takes it for what it keeps for later receivers, with a drop or copy hook at each send, and
 * for what it copies to them; and, if it has hooks, where a send needs more than 1 KiB for copies of its message or for
 * messages that are lost.  A peekable is one end more.  Cells, caches and peekables also take it for each message that they
 * take in from the receiver, and caches where a pop has to copy, and a relay for copies of more than 1 KiB; the rest of what
 * they need comes from malloc.
 *
 * allocate returns memory for any type, or NULL, as malloc does; release gets what allocate returned, never NULL.  Both may
 * be called by any thread, never with a lock of the library held.
 */
typedef struct duct_allocator {
	void *(*allocate)(size_t size, void *context);
	void (*release)(void *memory, void *context);
	void *context;
} duct_allocator;

/* What a log hook is told. */
typedef enum duct_log_kind {
	DUCT_LOG_BLOCKED = 1, /* a sender blocks because the channel is full, or has no receiver (DUCT_UNHEARD_WAIT) */
	DUCT_LOG_RESUMED,     /* that sender goes on */
	DUCT_LOG_LOST,        /* a receiver of a broadcast lost messages */
	DUCT_LOG_CUT_OFF      /* a receiver of a broadcast was too slow and is cut off */
} duct_log_kind;

typedef struct duct_log_event {
	duct_log_kind kind;
	const char *channel;  /* the name of the channel; valid during the hook, as is text */
	const char *text;     /* the event as a line for people, without a newline */
	uint64_t suppressed;  /* events kept back by the rate limit since the last pair told; 0 but with DUCT_LOG_BLOCKED */
	const char *receiver; /* of DUCT_LOG_LOST and DUCT_LOG_CUT_OFF its name, else NULL; valid during the hook */
	uint64_t lost;        /* all that this receiver lost since the log was last told of it; 0 with the other kinds */
} duct_log_event;

/* What a send to a broadcast channel comes to that has no receiver now. */
typedef enum duct_unheard {
	DUCT_UNHEARD_OK = 0, /* DUCT_OK: nobody receives it; it is kept for later receivers if there is a replay, else dropped */
	DUCT_UNHEARD_FAIL,   /* DUCT_NO_RECEIVERS */
	DUCT_UNHEARD_WAIT    /* as if full: DUCT_FULL, or a wait for a receiver */
} duct_unheard;

/*
 * What a channel can be given when it is made; NULL options are all zeros.  The structure is copied, and so are the name and
 * the allocator; the context is the caller's and must outlive the channel.
 *
 * Hooks run on the calling thread with no lock held, may call any function of the library, and must return.  A message that
 * a hook sees is aligned for any type of its size that malloc could serve.
 */
typedef struct duct_options {
	size_t size;      /* sizeof(duct_options): DUCT_OPTIONS and DUCT_OPTIONS_INIT set it */
	const char *name; /* for logs and descriptions; NULL: made from the channel's number */

	/* Destroys a message that nobody will receive: runs once for each one that the channel still owns when it is discarded
	 * or left over; of a broadcast, once for each receiver's copy that is lost, discarded or left over, and for each that
	 * was kept for later receivers; and for each that a cell, cache or peekable held, unless a pop moved it out. */
	void (*drop)(void *message, void *context);

	/* Makes a copy of a message.  A send to a broadcast needs one for each that gets the message but the first: receivers,
	 * peekables, and what is kept for later receivers; a new receiver or peekable needs one of each message that it begins
	 * with; and so does each message that a cell, cache or peekable gives out, and each target of a relay but one, of an
	 * anycast channel too, which else never calls it.  Nonzero: failed, and nothing was made.  NULL: the bytes are copied. */
	int (*copy)(void *to, const void *from, void *context);

	/* Is told when a sender has to wait because the channel is full, and when it goes on, having sent or not: at most one
	 * such pair each log_interval.  Only of sends outside a select, and not at capacity 0, where to wait is the rule.
	 * Also, by the sending thread, of the messages that a receiver of a broadcast loses, at most once each log_interval for
	 * each receiver: what it loses within that time is told with its next loss after it, and never if there is none; and of
	 * each receiver that is cut off. */
	void (*log)(const duct_log_event *event, void *context);
	int64_t log_interval; /* nanoseconds; 0: one second; negative: DUCT_INVALID */

	void *context;                   /* passed to drop, copy and log */
	const duct_allocator *allocator; /* NULL: malloc and free */

	/* Of broadcast channels; anycast channels take no notice of them. */
	size_t replay;        /* a new receiver begins with the last so many messages sent before it; 1: resend the latest */
	duct_unheard unheard; /* what sends come to that have no receiver */
} duct_options;

#define DUCT_OPTIONS_INIT { sizeof(duct_options), NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, DUCT_UNHEARD_OK }

/*
 * Options written in place: duct_anycast_open(&tx, &rx, 8, 64, DUCT_OPTIONS(.name = "jobs", .drop = drop_job)).  This, its
 * likes (DUCT_SUBSCRIPTION, DUCT_TIMER ...) and DUCT_BOX_HOOKS are for C; C++ begins a variable with ..._INIT and assigns its
 * members.
 */
#define DUCT_OPTIONS(...) (&(duct_options){ .size = sizeof(duct_options), __VA_ARGS__ })

/* ---- Anycast channels ------------------------------------------------------------------------------------------ */

/*
 * Makes an anycast channel: each message goes to exactly one receiver, in the order of sending.
 *
 * message_size is in bytes and may be 0.  capacity is the exact number of messages that wait in the channel; with capacity 0
 * (rendezvous) a message moves only between two threads that are both present.  The channel has no ends yet; one that
 * never had a receiver accepts messages up to its capacity, as long as there is a channel handle to make one from.
 * All memory is taken, and touched, here.
 *
 * Returns DUCT_OK, DUCT_INVALID (channel is NULL, options of an unknown size, an allocator without a function, sizes that
 * overflow, capacity of 2^32 or more) or DUCT_NOMEM; *channel is written on DUCT_OK only.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_anycast_new(duct_channel **channel, size_t message_size, size_t capacity,
    const duct_options *options);

/*
 * The common case: a channel with one sender and one receiver, and no channel handle, so that it closes itself when its last
 * sender is gone.  Statuses as above; both handles are written on DUCT_OK only.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_anycast_open(duct_sender **sender, duct_receiver **receiver, size_t message_size,
    size_t capacity, const duct_options *options);

/* ---- One-shot channels ----------------------------------------------------------------------------------------- */

/*
 * Makes a channel for one message, with one sender and one receiver.  The send closes the channel: that message is received
 * once, by whoever waits already or comes later; then receivers read DUCT_CLOSED, and so do further sends, at once.  A sender
 * that is freed unused closes it too.  A send never waits.  All else is as of duct_anycast_open.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_oneshot_open(duct_sender **sender, duct_receiver **receiver, size_t message_size,
    const duct_options *options);

/* ---- Broadcast channels ---------------------------------------------------------------------------------------- */

/*
 * What happens to a message that finds a receiver's queue full.  What is lost is always counted (duct_receiver_stats) and
 * always goes through the drop hook.  The receiver is told of it in band where it asked to be (tell_lag).  The log is told of
 * losses at most once each log_interval, and of each receiver that is cut off; but not of losses with DUCT_LATEST_ONLY, and of
 * nothing where the receiver is quiet.
 */
typedef enum duct_overflow {
	DUCT_DROP_OLDEST = 0, /* the oldest queued message is lost and makes room */
	DUCT_DROP_NEWEST,     /* the message is lost */
	DUCT_LATEST_ONLY,     /* all queued messages are lost: only the latest is ever queued; the log is not told */
	DUCT_BLOCK,           /* the sender waits: its message reaches all receivers together, or none */
	DUCT_CUT_OFF          /* the message is lost, and the receiver leaves the channel: it drains and reads DUCT_CLOSED */
} duct_overflow;

#define DUCT_CAPACITY_DEFAULT 50

/* What a receiver of a broadcast can be given when it is made; NULL is all zeros.  It is copied, and so is the name. */
typedef struct duct_subscription {
	size_t size;            /* sizeof(duct_subscription): DUCT_SUBSCRIPTION and DUCT_SUBSCRIPTION_INIT set it */
	const char *name;       /* for logs and descriptions; NULL: made from the channel's name and a number */
	size_t capacity;        /* exact, in messages; 0: 50, or 1 with DUCT_LATEST_ONLY */
	duct_overflow overflow; /* when its queue is full */
	bool tell_lag;          /* the next receive after a loss returns DUCT_LAGGED, ahead of what is queued */
	bool quiet;             /* neither its losses nor its being cut off are told to the log */
} duct_subscription;

#define DUCT_SUBSCRIPTION_INIT { sizeof(duct_subscription), NULL, 0, DUCT_DROP_OLDEST, false, false }

/* A subscription written in place (C only): duct_subscribe(prices, &rx, DUCT_SUBSCRIPTION(.overflow = DUCT_BLOCK)) */
#define DUCT_SUBSCRIPTION(...) (&(duct_subscription){ .size = sizeof(duct_subscription), __VA_ARGS__ })

/*
 * Makes a broadcast channel: each message goes to every receiver that is open when it is sent.  Every receiver has a queue of
 * its own, and its own answer to a full one, so that a slow receiver harms nobody but itself, unless it asks to (DUCT_BLOCK).
 *
 * All receivers get the messages in one and the same order.  A message reaches them one after the other, until its send
 * returns; so does a close.  Ends, sends, receives, waits, batches and selects are the same as those of an anycast channel,
 * but that a send to it
 *
 *   - waits (DUCT_FULL, or until the deadline) only while some receiver with DUCT_BLOCK has no room, or as options->unheard
 *     says while there is no receiver; a send that does not return DUCT_OK reached nobody;
 *   - returns DUCT_NO_RECEIVERS only as options->unheard says;
 *   - returns DUCT_NOMEM, having sent nothing, if a copy of its message, or memory for it, could not be had.  Copies are made
 *     before it is known who has room: also for receivers that then lose them at once.
 *
 * A receiver that is made later begins with the last options->replay messages, as far as its capacity goes, which are the
 * newest (the others count neither as sent to it nor as lost), and then gets all that follow: none is missing between and none
 * comes twice.  A close forgets what is kept for that.
 *
 * The channel has no ends yet.  Returns as duct_anycast_new; DUCT_INVALID also for an unknown options->unheard, or a replay of
 * 2^32 or more.  *channel is written on DUCT_OK only.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_broadcast_new(duct_channel **channel, size_t message_size,
    const duct_options *options);

/*
 * The common case: a channel with one sender and one receiver, and no channel handle, that closes itself when its last sender
 * is gone, and also when its last receiver is, by being cut off too: sends then return DUCT_CLOSED.  A channel handle that is
 * cloned from an end keeps it open without senders, but not without receivers.  More receivers are made by
 * duct_sender_subscribe and duct_receiver_clone.  subscription is of the first receiver only.  Statuses as of
 * duct_broadcast_new and duct_subscribe; both handles are written on DUCT_OK only.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_broadcast_open(duct_sender **sender, duct_receiver **receiver, size_t message_size,
    const duct_subscription *subscription, const duct_options *options);

/*
 * Makes a receiver of a broadcast channel.  (duct_receiver_new makes one with a subscription of NULL.  duct_receiver_clone
 * makes one with the capacity, tell_lag and quiet of the other and its overflow as it is now, but with a name of its own; it
 * begins where any new one does.)  On a closed channel it reads DUCT_CLOSED at once.  All memory of its queue is taken, and
 * touched, here.
 *
 * Returns DUCT_OK; DUCT_INVALID (a NULL, a subscription of an unknown size or overflow, sizes that overflow, capacity of 2^32
 * or more, over 1 with DUCT_LATEST_ONLY); DUCT_UNSUPPORTED (not a broadcast channel); DUCT_NOMEM, also if a copy for the
 * replay could not be made: then it was a receiver for a moment, which a send or a wait for receivers may have seen.
 * *receiver is written on DUCT_OK only.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_subscribe(duct_channel *channel, duct_receiver **receiver,
    const duct_subscription *subscription);

/* The same from a sender; DUCT_CLOSED also if that sender or the channel is closed. */
DUCT_API DUCT_MUST_CHECK duct_status duct_sender_subscribe(duct_sender *sender, duct_receiver **receiver,
    const duct_subscription *subscription);

/*
 * Waits until so many receivers are open; with count 0 not at all.  Returns DUCT_OK; DUCT_CLOSED once the channel is closed,
 * whatever the count; DUCT_UNSUPPORTED (not a broadcast channel); DUCT_INVALID, DUCT_TIMEDOUT, DUCT_CANCELED, DUCT_NOMEM as of
 * duct_recv_until.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_channel_wait_receivers(duct_channel *channel, size_t count, duct_time deadline,
    duct_cancel *cancel);

/*
 * Sets how many messages the channel keeps for later receivers, from now on: of those that are kept now, the newest stay.
 * Messages sent while the number was 0 are not kept.  The second returns it; 0 for NULL and for an anycast channel.  A close
 * makes it 0; to set it after that is of no use any more.
 *
 * Returns DUCT_OK, on a closed channel too; DUCT_INVALID (channel is NULL, 2^32 or more); DUCT_UNSUPPORTED (not a broadcast
 * channel); DUCT_NOMEM: nothing has changed.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_channel_set_replay(duct_channel *channel, size_t count);
DUCT_API size_t duct_channel_replay(const duct_channel *channel);

/*
 * Changes what happens when this receiver's queue is full.  Senders that wait for it go on at once if it no longer blocks
 * them.  Its capacity stays; with DUCT_LATEST_ONLY the next message that is sent displaces all that are queued.
 *
 * Returns DUCT_OK (also if the receiver is closed, for which it means nothing); DUCT_INVALID (receiver is NULL, unknown
 * overflow); DUCT_UNSUPPORTED (an anycast receiver).
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_receiver_set_overflow(duct_receiver *receiver, duct_overflow overflow);

/*
 * What became of the messages that were sent to a receiver of a broadcast, since it was made: at any one moment
 *
 *     sent = received + lost + queued + discarded
 *
 * The messages of a replay count as sent; those that were sent after it left the channel do not.
 */
typedef struct duct_stats {
	uint64_t sent;
	uint64_t received;
	uint64_t lost;      /* to a full queue */
	uint64_t queued;
	uint64_t discarded; /* by duct_channel_discard */
} duct_stats;

/* Returns DUCT_OK; DUCT_INVALID (a NULL); DUCT_UNSUPPORTED (an anycast receiver).  *stats is written on DUCT_OK only. */
DUCT_API duct_status duct_receiver_stats(const duct_receiver *receiver, duct_stats *stats);

/* How many lost messages the last DUCT_LAGGED of this receiver told of; 0 before the first one, and for NULL. */
DUCT_API uint64_t duct_receiver_lag(const duct_receiver *receiver);

/* The receiver was too slow and left the channel (DUCT_CUT_OFF).  False for NULL. */
DUCT_API bool duct_receiver_is_cut_off(const duct_receiver *receiver);

/* ---- Channels -------------------------------------------------------------------------------------------------- */

/* One more handle of the channel.  Returns DUCT_OK or DUCT_INVALID (a NULL). */
DUCT_API DUCT_MUST_CHECK duct_status duct_channel_clone(duct_channel *channel, duct_channel **clone);

/*
 * Gives a handle back.  When the last channel handle and the last sender are gone, the channel closes, with reason 0.  When
 * the last channel handle is gone and there is no receiver, senders get DUCT_NO_RECEIVERS and queued messages are dropped.
 */
DUCT_API void duct_channel_free(duct_channel *channel);

/*
 * Closes the channel: no more messages go in, receivers drain what is there and then read DUCT_CLOSED.  Blocked senders
 * return DUCT_CLOSED and keep their messages; blocked receivers return DUCT_CLOSED.  The reason is the caller's number for
 * receivers to read.  Closing again changes nothing, the reason neither.
 */
DUCT_API void duct_channel_close(duct_channel *channel, int reason);

/*
 * Throws away the messages that are queued now, in a broadcast for all receivers that have not left, through the drop hook;
 * *discarded, unless discarded is NULL, tells how many.
 * Senders that were blocked move up and keep their place.  Not one instant for other threads: those that take messages
 * meanwhile get theirs, and the count is of what was thrown away.
 *
 * Returns DUCT_OK; DUCT_INVALID (channel is NULL); DUCT_NOMEM: nothing was discarded (only for messages over 1 KiB with a
 * drop hook).
 */
DUCT_API duct_status duct_channel_discard(duct_channel *channel, size_t *discarded);

/* Closed, by anybody; messages may still be there. */
DUCT_API bool duct_channel_is_closed(const duct_channel *channel);

/* The reason given to the first close; 0 while the channel is open and when it closed itself. */
DUCT_API int duct_channel_reason(const duct_channel *channel);

/*
 * Constants of the channel, and snapshots of its state: true at some moment during the call, perhaps no longer after it.
 * An anycast channel of capacity 0 is always both full and empty.  The counts of senders and receivers are of open ends;
 * those of waiting ones are of the operations that threads sleep on here: sends, receives and waits without taking, plain or
 * in a select, where each case counts.  All return 0 or false for NULL.
 *
 * A broadcast channel has no capacity of its own (0); its length is that of the queues of all receivers that have not left,
 * together, without what peekables hold; and it is full while a send would have to wait, which none does once it is closed.
 */
DUCT_API size_t duct_channel_capacity(const duct_channel *channel);
DUCT_API size_t duct_channel_message_size(const duct_channel *channel);
DUCT_API size_t duct_channel_len(const duct_channel *channel);
DUCT_API bool duct_channel_is_full(const duct_channel *channel);
DUCT_API bool duct_channel_is_empty(const duct_channel *channel);
DUCT_API size_t duct_channel_senders(const duct_channel *channel);
DUCT_API size_t duct_channel_receivers(const duct_channel *channel);
DUCT_API size_t duct_channel_waiting_senders(const duct_channel *channel);
DUCT_API size_t duct_channel_waiting_receivers(const duct_channel *channel);

/* The name: valid as long as the caller's handle, never NULL ("" for a NULL channel). */
DUCT_API const char *duct_channel_name(const duct_channel *channel);

/*
 * Writes a line for people about the channel and its state into buffer, at most size bytes with the final zero, as snprintf
 * does.  Returns the length of the whole line, which was cut if that is size or more; 0, and an empty line, for NULL.
 */
DUCT_API size_t duct_channel_describe(const duct_channel *channel, char *buffer, size_t size);

/* ---- Ends ------------------------------------------------------------------------------------------------------ */

/*
 * Makes an end of the channel.  duct_sender_new returns DUCT_CLOSED on a closed channel; duct_receiver_new does not, for
 * there may be messages to drain, and revives a channel whose last receiver was gone.
 *
 * Return DUCT_OK, DUCT_CLOSED, DUCT_INVALID (a NULL) or DUCT_NOMEM; the handle is written on DUCT_OK only.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_sender_new(duct_channel *channel, duct_sender **sender);
DUCT_API DUCT_MUST_CHECK duct_status duct_receiver_new(duct_channel *channel, duct_receiver **receiver);

/*
 * Makes another end of the same channel, open and closed by itself.  As above; DUCT_CLOSED also if this end is closed, cut off
 * or became a peekable.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_sender_clone(duct_sender *sender, duct_sender **clone);
DUCT_API DUCT_MUST_CHECK duct_status duct_receiver_clone(duct_receiver *receiver, duct_receiver **clone);

/*
 * Closes this end only: calls on it, those blocked in it included, return DUCT_CLOSED.  Closing again changes nothing.
 * A receiver of a broadcast leaves the channel: what is in its queue can still be received, and is dropped when it is freed.
 *
 * When the last sender and the last channel handle are gone the channel closes.  When the last receiver is gone, blocked
 * and later sends return DUCT_NO_RECEIVERS, until a receiver is made again; queued messages stay for it or, if there is no
 * channel handle either, are dropped at once (those over 1 KiB that a drop hook wants to see, if there is no memory to hold
 * one, with the last handle of any kind).
 */
DUCT_API void duct_sender_close(duct_sender *sender);
DUCT_API void duct_receiver_close(duct_receiver *receiver);

/* Closes the end and gives its handle back. */
DUCT_API void duct_sender_free(duct_sender *sender);
DUCT_API void duct_receiver_free(duct_receiver *receiver);

/* This end was closed, cut off, or made into a peekable (the channel may be open).  True for NULL. */
DUCT_API bool duct_sender_is_closed(const duct_sender *sender);
DUCT_API bool duct_receiver_is_closed(const duct_receiver *receiver);

/* The channel of an end, borrowed: valid as long as the end, not to be freed.  Clone it to keep it.  NULL for NULL. */
DUCT_API duct_channel *duct_sender_channel(const duct_sender *sender);
DUCT_API duct_channel *duct_receiver_channel(const duct_receiver *receiver);

/*
 * The queue that a receiver reads from: its own in a broadcast, else that of its channel.  The length is a snapshot.  The name
 * is valid as long as the receiver.  All return 0, false or "" for NULL; duct_receiver_describe is as duct_channel_describe.
 */
DUCT_API size_t duct_receiver_len(const duct_receiver *receiver);
DUCT_API size_t duct_receiver_capacity(const duct_receiver *receiver);
DUCT_API const char *duct_receiver_name(const duct_receiver *receiver);
DUCT_API size_t duct_receiver_describe(const duct_receiver *receiver, char *buffer, size_t size);

/* ---- Send ------------------------------------------------------------------------------------------------------ */

/*
 * Sends one message: copies it from message (which may be NULL if the message size is 0).  Waits while the channel is full;
 * at capacity 0 until a receiver has the message.  Threads that sleep in a send are served first come, first served.
 *
 * duct_try_send does not wait: DUCT_FULL, at capacity 0 unless a receive is waiting.
 * duct_send_until waits until the deadline, or until cancel (which may be NULL) is raised.
 *
 * Return DUCT_OK; DUCT_CLOSED; DUCT_NO_RECEIVERS; DUCT_INVALID; and what the form adds: DUCT_FULL; DUCT_TIMEDOUT,
 * DUCT_CANCELED; DUCT_NOMEM where a wait could not be set up.  After a failure the message was not sent and never will be.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_send(duct_sender *sender, const void *message);
DUCT_API DUCT_MUST_CHECK duct_status duct_try_send(duct_sender *sender, const void *message);
DUCT_API DUCT_MUST_CHECK duct_status duct_send_until(duct_sender *sender, const void *message, duct_time deadline,
    duct_cancel *cancel);

/*
 * Sends count messages from the array messages in order, as room comes; other senders' messages may come between them.
 * *sent, unless sent is NULL, tells how many were sent, whatever the status: the first *sent are gone, the rest were not
 * sent.  DUCT_OK: all of them.  Other statuses: those of duct_send_until.  In a broadcast as many as go at once are published
 * together, unless the channel has hooks.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_send_many(duct_sender *sender, const void *messages, size_t count, size_t *sent,
    duct_time deadline, duct_cancel *cancel);

/* What became of a message that was sent. */
typedef struct duct_receipt {
	size_t delivered; /* receivers that have it in their queues, or already in their hands */
	size_t lost;      /* copies lost for it: it, or older ones that it displaced */
} duct_receipt;

/*
 * Sends as duct_send_until, and tells what became of the message; *receipt is written on DUCT_OK only, unless it is NULL.  A
 * batch and a select have no receipt.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_publish(duct_sender *sender, const void *message, duct_receipt *receipt,
    duct_time deadline, duct_cancel *cancel);

/*
 * Waits until a send would not have to wait, without sending: for duct_try_send to follow.  Only a hint where other senders
 * may take the room first.  Returns DUCT_OK, or what duct_send_until would.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_sender_wait(duct_sender *sender, duct_time deadline, duct_cancel *cancel);

/* ---- Receive --------------------------------------------------------------------------------------------------- */

/*
 * Receives the oldest message: copies it to message (which may be NULL if the message size is 0).  Waits while there is none.
 * Threads that sleep in a receive are served first come, first served.
 *
 * duct_try_recv does not wait: DUCT_EMPTY, at capacity 0 unless a send is waiting.
 * duct_recv_until waits until the deadline, or until cancel (which may be NULL) is raised.
 *
 * Return DUCT_OK; DUCT_CLOSED, when the channel is closed and drained or this receiver is closed; DUCT_INVALID; and what the
 * form adds: DUCT_EMPTY; DUCT_TIMEDOUT, DUCT_CANCELED; DUCT_NOMEM where a wait could not be set up (for a receiver that is no
 * channel's, see below, also from duct_try_recv).  After a failure nothing was taken and *message is as it was.
 *
 * A receiver of a broadcast with tell_lag also returns DUCT_LAGGED, once for all losses since the last receive:
 * duct_receiver_lag tells how many, and the next receive goes on.  So one that is cut off returns first DUCT_LAGGED, then what
 * was queued, then DUCT_CLOSED.  One that became a peekable returns DUCT_INVALIDATED, not DUCT_CLOSED, once it is drained.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_recv(duct_receiver *receiver, void *message);
DUCT_API DUCT_MUST_CHECK duct_status duct_try_recv(duct_receiver *receiver, void *message);
DUCT_API DUCT_MUST_CHECK duct_status duct_recv_until(duct_receiver *receiver, void *message, duct_time deadline,
    duct_cancel *cancel);

/*
 * Receives at least min and at most max messages into the array messages: takes them as they come until it has min, then
 * what more is there without waiting; other receivers may take messages between.  With min 0 it never waits: DUCT_EMPTY if
 * there is nothing.  *received, unless received is NULL, tells how many were received, whatever the status; they are the
 * caller's even where the status says why min was not reached.  DUCT_OK: at least min, and at least one unless max is 0.
 * DUCT_INVALID also if min is over max.  Other statuses: those of duct_recv_until; DUCT_LAGGED ends a batch where it is met.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_recv_many(duct_receiver *receiver, void *messages, size_t min, size_t max,
    size_t *received, duct_time deadline, duct_cancel *cancel);

/*
 * Waits until a receive would not have to wait, without taking anything: for duct_try_recv to follow.  Only a hint where
 * other receivers may take the message first.  Returns DUCT_OK, or what duct_recv_until would.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_receiver_wait(duct_receiver *receiver, duct_time deadline, duct_cancel *cancel);

/* A loop over the messages of a receiver until one cannot be received: DUCT_FOR_EACH(jobs, &job) run(&job); */
#define DUCT_FOR_EACH(receiver_, message_) while (duct_recv((receiver_), (message_)) == DUCT_OK)

/* ---- Select ---------------------------------------------------------------------------------------------------- */

/*
 * One case of a select: a send, a receive, or, with both ends NULL, nothing that is ever ready.  The caller owns the array;
 * it can be built once and used again and again.
 *
 * status is written for the chosen case: DUCT_OK, DUCT_LAGGED, or why its operation ended.  A case whose status says that it
 * ended (DUCT_CLOSED, DUCT_NO_RECEIVERS, DUCT_INVALIDATED) is left out of later selects, so that each end is told once; set
 * status to DUCT_OK, or assign the whole case anew, to bring it back or to give the place to another end.
 */
typedef struct duct_case {
	duct_sender *sender;     /* one of the two, or neither */
	duct_receiver *receiver;
	void *message;           /* what to send, or where to receive */
	duct_status status;
} duct_case;

#define DUCT_RECV(receiver_, message_) { NULL, (receiver_), (message_), DUCT_OK }
#define DUCT_SEND(sender_, message_) { (sender_), NULL, DUCT_UNCONST_(message_), DUCT_OK }

/* The same as values, to assign a case. */
DUCT_UNUSED static inline duct_case duct_recv_case(duct_receiver *receiver, void *message)
{
	duct_case made = DUCT_RECV(receiver, message);
	return made;
}

DUCT_UNUSED static inline duct_case duct_send_case(duct_sender *sender, const void *message)
{
	duct_case made = DUCT_SEND(sender, message);
	return made;
}

/* Flags of a select. */
enum {
	DUCT_FAIR = 0,     /* of several ready cases, one is picked at random */
	DUCT_PRIORITY = 1, /* of several ready cases, the first in the array is taken; after a sleep, the one that woke */
	DUCT_READY = 2     /* do not perform the case: tell which one could be performed without waiting */
};

/*
 * Performs exactly one of the cases, waiting until one is ready.  The same channel may be listed any number of times and in
 * both directions; a select never meets itself.
 *
 * duct_try_select does not wait: DUCT_EMPTY if at one instant during the call no case was ready.
 * duct_select_until waits until the deadline, or until cancel (which may be NULL) is raised, and takes flags.
 *
 * DUCT_OK: *chosen is the index of the case chosen and its status tells what happened (DUCT_OK, DUCT_LAGGED, DUCT_CLOSED,
 * DUCT_NO_RECEIVERS, DUCT_INVALIDATED).  Anything else: no case was performed, *chosen and all cases are as they were.
 * DUCT_CLOSED: nothing is left to wait for: all cases that have an end have ended, one at least; or no case has an end, and
 * neither a deadline nor a cancel token would end the wait.  DUCT_EMPTY, DUCT_TIMEDOUT, DUCT_CANCELED.  DUCT_INVALID: cases is
 * NULL with count not 0, chosen is NULL, a case has two ends, a case that is not left out has a NULL message of a size other
 * than 0 (without DUCT_READY), unknown flags, a negative deadline.  DUCT_NOMEM: memory for more than 16 cases or for a wait,
 * which comes from malloc, or a copy of a message to send to a broadcast could not be had.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_select(duct_case *cases, size_t count, size_t *chosen);
DUCT_API DUCT_MUST_CHECK duct_status duct_try_select(duct_case *cases, size_t count, size_t *chosen);
DUCT_API DUCT_MUST_CHECK duct_status duct_select_until(duct_case *cases, size_t count, size_t *chosen, unsigned flags,
    duct_time deadline, duct_cancel *cancel);

/* ---- Cancel ---------------------------------------------------------------------------------------------------- */

/*
 * Makes a cancel token: a flag that is raised once and ends every wait it was given to.  It also counts as raised once its
 * deadline has passed or its parent (which may be NULL) is raised.  The token keeps its parent: the parent's handle may be
 * freed.  A call that is given a raised token returns DUCT_CANCELED even if its operation is ready, and does nothing: a
 * worker stops at once, and what is queued stays queued.  Each generation of parents costs a wait one more lock to take.
 *
 * Returns DUCT_OK, DUCT_INVALID (cancel is NULL, deadline negative) or DUCT_NOMEM; *cancel is written on DUCT_OK only.
 * The memory comes from malloc, as does that of a wait on more than 20 things: operations, and the token's generations.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_cancel_new(duct_cancel **cancel, duct_cancel *parent, duct_time deadline);

/* One more handle of the token.  Returns DUCT_OK or DUCT_INVALID (a NULL). */
DUCT_API DUCT_MUST_CHECK duct_status duct_cancel_clone(duct_cancel *cancel, duct_cancel **clone);

/* Raises the token; raising it again changes nothing.  Neither does raising NULL. */
DUCT_API void duct_cancel_raise(duct_cancel *cancel);

/* Raised, by deadline or parent too.  False for NULL. */
DUCT_API bool duct_cancel_raised(const duct_cancel *cancel);

/* Gives a handle back.  A wait that was given the token keeps it until it ends. */
DUCT_API void duct_cancel_free(duct_cancel *cancel);

/* ---- Boxes ----------------------------------------------------------------------------------------------------- */

/*
 * A box: memory that is shared by reference, for large messages.  A channel of boxes carries messages of type duct_box *; with
 * the hooks duct_box_copy and duct_box_drop (DUCT_BOX_HOOKS) a broadcast moves no payload: each receiver gets a reference of
 * its own to one and the same memory, and frees it.  What is in a box is nobody's to change once it is shared.
 *
 * duct_box_new returns DUCT_OK, DUCT_INVALID (box is NULL, a size that overflows) or DUCT_NOMEM; the memory is aligned for any
 * type, and comes from malloc.  destroy (or NULL) runs once, with the context, when the last reference is freed, by the thread
 * that frees it, before the memory goes.  duct_box_ref makes one more reference and returns the box.  Freeing NULL does
 * nothing.  A box may be referenced and freed by any number of threads at once.
 */
typedef struct duct_box duct_box;

DUCT_API DUCT_MUST_CHECK duct_status duct_box_new(duct_box **box, size_t size, void (*destroy)(void *data, void *context),
    void *context);
DUCT_API duct_box *duct_box_ref(duct_box *box);
DUCT_API void duct_box_free(duct_box *box);

/* The memory of the box, and its size in bytes.  NULL and 0 for NULL. */
DUCT_API void *duct_box_data(const duct_box *box);
DUCT_API size_t duct_box_size(const duct_box *box);

/*
 * Hooks of a channel whose messages are of type duct_box *: DUCT_OPTIONS(DUCT_BOX_HOOKS, .name = "frames"), or in C++
 * options.copy = duct_box_copy; options.drop = duct_box_drop; on a variable that began with DUCT_OPTIONS_INIT.  They never
 * fail; a NULL box is a message too.
 */
DUCT_API int duct_box_copy(void *to, const void *from, void *context);
DUCT_API void duct_box_drop(void *message, void *context);

#define DUCT_BOX_HOOKS .drop = duct_box_drop, .copy = duct_box_copy

/* ---- The latest value ------------------------------------------------------------------------------------------ */

/*
 * A cell with the latest message of a receiver of any kind.  No thread feeds it: each call on it first takes what the receiver
 * has.  duct_latest_new takes the receiver over, and duct_latest_free frees it; nobody else may use it.  (A receiver with
 * DUCT_LATEST_ONLY serves it best.)  But until it is freed any thread may ask the receiver for its state, by calls that only
 * look: duct_receiver_stats, duct_receiver_lag, duct_receiver_is_cut_off, duct_receiver_is_closed, duct_receiver_len and their
 * like.  That is how losses are seen, and that the receiver was cut off: the cell then stays as it is for ever and tells
 * nobody.
 *
 * duct_latest_get copies the latest message, through the channel's copy hook if it has one; again and again, until there is a
 * newer one, and also after the channel has closed.  DUCT_EMPTY: there was none yet, and *message is as it was, so it may hold
 * a default; DUCT_NOMEM, DUCT_INVALID.
 *
 * duct_latest_new returns DUCT_OK, DUCT_INVALID (a NULL) or DUCT_NOMEM: then the receiver is still the caller's.
 */
typedef struct duct_latest duct_latest;

DUCT_API DUCT_MUST_CHECK duct_status duct_latest_new(duct_latest **latest, duct_receiver *receiver);
DUCT_API DUCT_MUST_CHECK duct_status duct_latest_get(duct_latest *latest, void *message);
DUCT_API void duct_latest_free(duct_latest *latest);

/*
 * A peekable: shows the last message sent to a broadcast channel, without being one of its receivers for anybody's losses.
 * It knows of what the channel keeps for later receivers, and of all that is sent from then on.  A receiver that is made into
 * one leaves the channel, drains, and then reads DUCT_INVALIDATED.
 *
 * With a copy hook it costs each send a copy, as one receiver more would, and a copy that fails makes the send return
 * DUCT_NOMEM.  The message that a newer one displaces is dropped by the thread that sends or, if it was peeked at, by one that
 * peeks again.  A close does not drop what a peekable holds; duct_peekable_free does.
 *
 * duct_peek copies the last message sent, as duct_latest_get; DUCT_EMPTY: none yet; DUCT_CLOSED: the channel is closed.  The
 * others return DUCT_OK, DUCT_INVALID (a NULL), DUCT_UNSUPPORTED (not a broadcast), DUCT_CLOSED (the receiver is closed) or
 * DUCT_NOMEM; after any status but DUCT_OK nothing has changed.
 */
typedef struct duct_peekable duct_peekable;

DUCT_API DUCT_MUST_CHECK duct_status duct_peekable_new(duct_channel *channel, duct_peekable **peekable);
DUCT_API DUCT_MUST_CHECK duct_status duct_receiver_into_peekable(duct_receiver *receiver, duct_peekable **peekable);
DUCT_API DUCT_MUST_CHECK duct_status duct_peek(duct_peekable *peekable, void *message);
DUCT_API void duct_peekable_free(duct_peekable *peekable);

/*
 * A cache with the latest message of each key.  key tells the key of a message: bytes that lie in the message or in what it
 * points to, and *size of them; it must tell the same for the same message always, and is called with the cache's lock held:
 * it must not call it.  The receiver is taken over, and taken from, as by duct_latest_new, and may be asked for its state too.
 *
 * Where a message is given out (get, pop, pop_last, next, snapshot) it is a copy made by the channel's copy hook, if it has
 * one; a pop moves the message, unless another thread is copying it at that moment.  DUCT_EMPTY: there is none, and *message
 * is as it was, so it may hold a default.  Other statuses: DUCT_OK, DUCT_INVALID (a NULL other than a key of no bytes),
 * DUCT_NOMEM.
 */
typedef struct duct_cache duct_cache;
typedef const void *(*duct_key)(const void *message, size_t *size, void *context);

DUCT_API DUCT_MUST_CHECK duct_status duct_cache_new(duct_cache **cache, duct_receiver *receiver, duct_key key, void *context);
DUCT_API void duct_cache_free(duct_cache *cache);

/*
 * The message of a key; whether there is one; how many keys there are.  Where there is no memory to take from the receiver, the
 * last two answer by what the cache has, and the other calls return DUCT_NOMEM; the messages stay with the receiver.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_cache_get(duct_cache *cache, const void *key, size_t size, void *message);
DUCT_API bool duct_cache_contains(duct_cache *cache, const void *key, size_t size);
DUCT_API size_t duct_cache_len(duct_cache *cache);

/* Takes a key and its message out: to message, or to the drop hook if that is NULL; the key that was first seen last; all. */
DUCT_API duct_status duct_cache_pop(duct_cache *cache, const void *key, size_t size, void *message);
DUCT_API duct_status duct_cache_pop_last(duct_cache *cache, void *message);
DUCT_API duct_status duct_cache_clear(duct_cache *cache);

/*
 * Goes through the messages in the order in which their keys were first seen: *cursor begins as 0 and is the cache's
 * afterwards.  DUCT_EMPTY after the last one.  A key that goes meanwhile is not told of, one that comes is.
 *
 * A snapshot is of all at one moment: the first `most` of them to the array messages, and *count, which may be more, is how
 * many there are; *count is written on DUCT_OK only.  With most 0 messages may be NULL: that only counts.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_cache_next(duct_cache *cache, uint64_t *cursor, void *message);
DUCT_API DUCT_MUST_CHECK duct_status duct_cache_snapshot(duct_cache *cache, void *messages, size_t most, size_t *count);

/* ---- Receivers of sources -------------------------------------------------------------------------------------- */

/*
 * Not every receiver is a channel's.  Those made by the functions from here to the watcher's are of type duct_receiver too,
 * and go wherever one goes: duct_recv and its forms, batches, waits, select, merges, caches, DUCT_FOR_EACH.  Nothing is taken
 * from what is behind them before somebody asks, so stopping one loses nothing, and no threads run behind them.
 *
 *   - duct_receiver_clone makes one more handle of the same receiver, as for a channel: with the last it is closed and freed.
 *     To free one of several ends no call, and to close one closes it for all; a closed one has no clones (DUCT_CLOSED).
 *   - duct_receiver_close ends it: what it holds can still be received, then it reads DUCT_CLOSED.
 *   - duct_receiver_len is how many messages are known to be there: a filter may give fewer, what goes by time or files more.
 *     duct_receiver_capacity means nothing.  It has no channel (NULL), no statistics and no overflow (DUCT_UNSUPPORTED); its
 *     name is what it was given, or made from its kind and a number.
 *   - Their memory comes from malloc; so does that of a receive with more than 16 receivers behind it or, through functions,
 *     of messages over 256 bytes.  Without it such a receive returns DUCT_NOMEM and takes nothing.
 *
 * Functions that are given to them (of maps and filters, or a timer's next) run on the thread that receives or waits, with no
 * lock held but that of a cache that takes from there, and must return.  Several threads that receive from one receiver run
 * them at once.
 */

/* ---- Events and never ------------------------------------------------------------------------------------------ */

/*
 * Makes an event: a receiver of one message of no bytes, for others to set.  Setting it again before it was received changes
 * nothing; receiving it resets it.  Any thread may set it, by the same handle or a clone.  name is copied and may be NULL.
 *
 * duct_event_new returns DUCT_OK, DUCT_INVALID (event is NULL) or DUCT_NOMEM; duct_event_set DUCT_OK, DUCT_CLOSED (it was
 * closed; what was set before that is still received), DUCT_INVALID (NULL) or DUCT_UNSUPPORTED (not an event).
 * duct_event_is_set: it is set now, and not yet received.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_event_new(duct_receiver **event, const char *name);
DUCT_API duct_status duct_event_set(duct_receiver *event);
DUCT_API bool duct_event_is_set(const duct_receiver *event);

/*
 * Makes a receiver that never has a message, for the place of one that there is none for; also where a case is to end a wait
 * by being closed, or a merge is not to end with its last source.  (A case of a select whose ends are both NULL is never
 * ready either.)  Returns DUCT_OK, DUCT_INVALID (never is NULL, a size that overflows) or DUCT_NOMEM.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_never_new(duct_receiver **never, size_t message_size);

/* ---- Timers ---------------------------------------------------------------------------------------------------- */

/*
 * A clock that is set by hand, so that programs can test what their timers do without sleeping: a timer that is given one
 * goes by it.  It begins at now and only goes forward, when it is told to; threads that wait for its timers then wake at
 * once.  Deadlines stay with CLOCK_MONOTONIC.  A timer keeps its clock: the handle may be freed.
 *
 * duct_clock_new returns DUCT_OK, DUCT_INVALID (clock is NULL, now negative or DUCT_FOREVER) or DUCT_NOMEM.  duct_clock_advance
 * returns DUCT_OK or DUCT_INVALID (clock is NULL, a negative duration); it never comes to DUCT_FOREVER.  duct_clock_now of NULL is
 * duct_now.
 */
typedef struct duct_clock duct_clock;

DUCT_API DUCT_MUST_CHECK duct_status duct_clock_new(duct_clock **clock, duct_time now);
DUCT_API duct_status duct_clock_advance(duct_clock *clock, int64_t nanoseconds);
DUCT_API duct_time duct_clock_now(const duct_clock *clock);
DUCT_API void duct_clock_free(duct_clock *clock);

/* When a timer ticks after a tick that was received late: `late` after it was due. */
typedef enum duct_missed {
	DUCT_TRIGGER_ALL = 0, /* an interval after it was due: every missed tick comes, one right after the other */
	DUCT_SKIP_AND_RESYNC, /* the first time to come that is a number of intervals after it was due: missed ticks do not come */
	DUCT_SKIP_AND_DRIFT /* an interval from now, if late is over the tolerance; else an interval after it was due */
} duct_missed;

/* What a timer can be given when it is made; NULL is all zeros.  It is copied, and so is the name. */
typedef struct duct_timer_options {
	size_t size;      /* sizeof(duct_timer_options): DUCT_TIMER and DUCT_TIMER_OPTIONS_INIT set it */
	const char *name; /* NULL: made from a number */
	duct_missed missed;
	int64_t tolerance; /* nanoseconds, of DUCT_SKIP_AND_DRIFT */

	/* The caller's own rule instead of missed: when to tick next after a tick that was due at scheduled and found at now.  What
	 * is not after scheduled counts as one nanosecond after it.  It must not receive from, or wait for, its own timer. */
	duct_time (*next)(duct_time now, duct_time scheduled, int64_t interval, void *context);
	void *context;

	duct_time start_at;  /* an absolute time, past or to come, to start at instead of now; 0: now */
	int64_t start_delay; /* nanoseconds, between the start and when the first interval begins */
	bool tick_at_start;  /* the first tick is not an interval later, but when the first interval begins */
	bool tick_now;       /* there is one tick more, at once, whenever the others begin */
	bool start_later;    /* starts when it is first received from or waited for; without any of the four above */
	duct_clock *clock;   /* NULL: CLOCK_MONOTONIC */
} duct_timer_options;

#define DUCT_TIMER_OPTIONS_INIT \
	{ sizeof(duct_timer_options), NULL, DUCT_TRIGGER_ALL, 0, NULL, NULL, 0, 0, false, false, false, NULL }

/* Options written in place (C only): duct_timer_new(&tick, second, DUCT_TIMER(.missed = DUCT_SKIP_AND_RESYNC)) */
#define DUCT_TIMER(...) (&(duct_timer_options){ .size = sizeof(duct_timer_options), __VA_ARGS__ })

/* A tick that comes when nothing has happened for so long: to be reset when something does. */
#define DUCT_TIMER_TIMEOUT DUCT_TIMER(.missed = DUCT_SKIP_AND_DRIFT) /* C only */

/*
 * Makes a timer: a receiver of messages of type int64_t, the nanoseconds from when a tick was due to when it was found due,
 * by a thread that received, waited or tried.  A wait wakes when the tick is due.  One tick at most is kept for who comes
 * later; all arithmetic is exact.  Time is read only while somebody waits or tries: no thread and no file descriptor stands
 * behind a timer.
 *
 * duct_timer_at ticks once, at that time, and duct_timer_after once, so long from now (at once, if that is negative); then
 * they read DUCT_CLOSED.  They have no use for the options but name and clock.
 *
 * Return DUCT_OK; DUCT_INVALID (timer is NULL, interval under 1, a negative time, options of an unknown size, an unknown
 * missed, a negative tolerance or start_delay, start_later together with start_at, start_delay, tick_at_start or tick_now);
 * DUCT_NOMEM.  *timer is written on DUCT_OK only.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_timer_new(duct_receiver **timer, int64_t interval, const duct_timer_options *options);
DUCT_API DUCT_MUST_CHECK duct_status duct_timer_at(duct_receiver **timer, duct_time at, const duct_timer_options *options);
DUCT_API DUCT_MUST_CHECK duct_status duct_timer_after(duct_receiver **timer, int64_t delay, const duct_timer_options *options);

/*
 * Starts the timer anew, from now, also after it was closed or has ticked its once: with that interval (0: the one that it
 * has) and that start_delay and tick_at_start.  A tick that nobody received is thrown away.  Threads that wait for it go on
 * waiting for the new time.  (duct_receiver_close stops a timer: a tick that somebody saw but nobody received is still
 * received, and threads that wait return DUCT_CLOSED at once.)
 *
 * A timer that ticks once then ticks once more, that interval from now.
 *
 * Returns DUCT_OK; DUCT_INVALID (timer is NULL, a negative duration, interval 0 for a timer that ticks once);
 * DUCT_UNSUPPORTED (not a timer).
 */
DUCT_API duct_status duct_timer_reset(duct_receiver *timer, int64_t interval, int64_t start_delay, bool tick_at_start);

/* It has started, and neither been closed nor ticked its once; its interval, 0 if it ticks once.  false and 0 for others. */
DUCT_API bool duct_timer_is_running(const duct_receiver *timer);
DUCT_API int64_t duct_timer_interval(const duct_receiver *timer);
DUCT_API duct_missed duct_timer_missed(const duct_receiver *timer);

/* ---- Schedulers ------------------------------------------------------------------------------------------------ */

/*
 * Makes a scheduler: a receiver of objects, each when the time has come that was set for it.  Objects are messages of
 * object_size bytes, which are copied; those with the same bytes, those between the members of a structure too, are the
 * same.  It goes by clock, or CLOCK_MONOTONIC (NULL). name is copied and may be NULL.  Returns DUCT_OK, DUCT_INVALID
 * (scheduler is NULL, a size of 0 or that overflows) or DUCT_NOMEM.
 *
 * Each object has one time: duct_scheduler_set replaces the one that it had, and duct_scheduler_unset forgets it, also if it has come
 * but the object was not received.  Objects whose times have come are received in the order of their times; objects of one
 * time in the order in which they were set.
 *
 * set returns DUCT_OK; DUCT_TIMEDOUT (that time is past, or now), DUCT_CLOSED, DUCT_NOMEM, DUCT_INVALID (a NULL, a negative
 * time), DUCT_UNSUPPORTED (not a scheduler): nothing has changed then.  unset returns DUCT_OK, DUCT_EMPTY (it had none),
 * DUCT_INVALID or DUCT_UNSUPPORTED.  duct_scheduler_pending is how many objects have a time and were not received; of a
 * closed one those whose times have not come are forgotten.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_scheduler_new(duct_receiver **scheduler, size_t object_size, const char *name,
    duct_clock *clock);
DUCT_API DUCT_MUST_CHECK duct_status duct_scheduler_set(duct_receiver *scheduler, const void *object, duct_time at);
DUCT_API duct_status duct_scheduler_unset(duct_receiver *scheduler, const void *object);
DUCT_API size_t duct_scheduler_pending(const duct_receiver *scheduler);

/* ---- Receivers made of receivers ------------------------------------------------------------------------------- */

/*
 * What a merge, map or filter can be given when it is made; NULL is all zeros.  It is copied, and so is the name.
 *
 * It takes its sources, the receivers that it is made of, over: it frees each of them when that has ended or when it is freed
 * itself, and closes them when it is closed.  What they still have then can be received, as from any closed receiver.  (What
 * has other handles, such as an event that many wait for, it only lets go of.)  With borrow they stay the caller's, open and
 * with all that was not received from them, and may be received from by others too; one that the caller frees has ended.
 *
 * The hooks are for messages that a source does not have, of a map, a filter-map or a tagged merge: as those of a channel.
 * All others are treated as those of the (first) source are, when it is made, with the context of that.
 */
typedef struct duct_combine_options {
	size_t size;      /* sizeof(duct_combine_options): DUCT_COMBINE and DUCT_COMBINE_OPTIONS_INIT set it */
	const char *name; /* NULL: made from its kind and a number */
	bool borrow;      /* the sources stay the caller's */
	void (*drop)(void *message, void *context);
	int (*copy)(void *to, const void *from, void *context);
	void *context; /* passed to drop and copy */
} duct_combine_options;

#define DUCT_COMBINE_OPTIONS_INIT { sizeof(duct_combine_options), NULL, false, NULL, NULL, NULL }
#define DUCT_COMBINE(...) (&(duct_combine_options){ .size = sizeof(duct_combine_options), __VA_ARGS__ })

/*
 * Merges receivers: each message of any of the sources, in the order of its source.  Sources that have messages take
 * turns.  A source that has ended is left out; the merge has ended (DUCT_CLOSED) when the last one has.  DUCT_LAGGED
 * of a source is told by the merge, and duct_receiver_lag of it then.
 *
 * A tagged merge writes ahead of each message, at offset 0, the number of its source, a size_t: 0, 1, 2 ... in the order in
 * which they were given and added.  Its messages have that size, with the source's at that offset:
 * struct tagged { size_t source; struct job job; } and sizeof(struct tagged), offsetof(struct tagged, job).
 *
 * Return DUCT_OK; DUCT_INVALID (a NULL, no sources, one twice, messages of different sizes, an offset or size too small,
 * options of an unknown size); DUCT_NOMEM.  *merged is written on DUCT_OK only; else all sources are still the caller's.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_merge_new(duct_receiver **merged, duct_receiver *const *sources, size_t count,
    const duct_combine_options *options);
DUCT_API DUCT_MUST_CHECK duct_status duct_merge_tagged_new(duct_receiver **merged, duct_receiver *const *sources, size_t count,
    size_t size, size_t offset, const duct_combine_options *options);

/*
 * Adds a source to a merge; *number, unless number is NULL, is its number.  Threads that wait for the merge wait for it too.
 * Removes one: *source is the caller's again (a borrowed one always was); a thread that is receiving from it at that moment may
 * still bring one message.  A merge from which all sources were removed waits for new ones, unless it was closed.
 *
 * Return DUCT_OK; DUCT_CLOSED (add: the merge was closed or has ended; remove: that source has ended, or never was);
 * DUCT_INVALID (a NULL, a message of another size, a source of it already, or one that is made of the merge itself: of two
 * threads that add two merges to each other one has it);
 * DUCT_UNSUPPORTED (not a merge); DUCT_NOMEM.  After any status but DUCT_OK nothing has changed.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_merge_add(duct_receiver *merged, duct_receiver *source, bool borrow, size_t *number);
DUCT_API DUCT_MUST_CHECK duct_status duct_merge_remove(duct_receiver *merged, size_t number, duct_receiver **source);

/*
 * Receivers that make something of each message of one source, with a function of the caller's.
 *
 *   map            each message becomes another one, of size bytes: the function owns *from, and makes *to
 *   filter         keeps those for which the function says true; the others are dropped, through the drop hook
 *   filter_map     makes another one where the function says true; else *from is dropped, and *to must need no drop
 *   take_while     keeps those ahead of the first one for which it says false; that one is dropped, and the receiver has ended
 *   drop_while     keeps those from the first one on for which it says false
 *   with_previous  keeps those for which it says true of them and the one ahead, kept or not; for the first keep_first decides.
 *                  That takes a copy of each message, by the copy hook.  If it fails, or there is no memory for it (which one
 *                  receiving thread never needs), the next message counts as a first one
 *
 * They end when their source has, with the same status.  A thread that only waits (duct_receiver_wait, DUCT_READY) for one
 * that may leave messages out has to take them from the source to know: the one that passes is kept for the next receive, and
 * dropped if there is none until it is freed.  As long as the thread has one in hand, others find nothing there (DUCT_EMPTY), and
 * are not yet told of the end; so its function must not wait for the receiver that it is called for.  A DUCT_LAGGED that it comes
 * upon is told to the next receive too.
 *
 * Return DUCT_OK; DUCT_INVALID (a NULL, a size that overflows, options of an unknown size); DUCT_NOMEM.  The new receiver is
 * written on DUCT_OK only; else the source is still the caller's.
 */
typedef void (*duct_map)(void *to, void *from, void *context);
typedef bool (*duct_filter)(const void *message, void *context);
typedef bool (*duct_filter_map)(void *to, void *from, void *context);
typedef bool (*duct_compare)(const void *previous, const void *message, void *context);

DUCT_API DUCT_MUST_CHECK duct_status duct_map_new(duct_receiver **mapped, duct_receiver *source, size_t size, duct_map map,
    void *context, const duct_combine_options *options);
DUCT_API DUCT_MUST_CHECK duct_status duct_filter_new(duct_receiver **filtered, duct_receiver *source, duct_filter keep,
    void *context, const duct_combine_options *options);
DUCT_API DUCT_MUST_CHECK duct_status duct_filter_map_new(duct_receiver **mapped, duct_receiver *source, size_t size,
    duct_filter_map map, void *context, const duct_combine_options *options);
DUCT_API DUCT_MUST_CHECK duct_status duct_take_while_new(duct_receiver **taken, duct_receiver *source, duct_filter keep,
    void *context, const duct_combine_options *options);
DUCT_API DUCT_MUST_CHECK duct_status duct_drop_while_new(duct_receiver **rest, duct_receiver *source, duct_filter drop,
    void *context, const duct_combine_options *options);
DUCT_API DUCT_MUST_CHECK duct_status duct_with_previous_new(duct_receiver **filtered, duct_receiver *source, duct_compare keep,
    void *context, bool keep_first, const duct_combine_options *options);
/* ---- File watchers --------------------------------------------------------------------------------------------- */

/* What happened to a file; also the bits of duct_watcher_options.changes. */
typedef enum duct_file_change {
	DUCT_FILE_CREATED = 1,  /* it is there now; a directory, and then all that is found in it */
	DUCT_FILE_MODIFIED = 2, /* its content or what stat tells of it changed, or another took its place; never of a directory */
	DUCT_FILE_DELETED = 4,  /* it is gone; of a directory after all that was in it */
	DUCT_FILE_NONE = 8      /* no change: for a set that would otherwise be 0, and so all */
} duct_file_change;

/* The message of a file watcher.  path is the watched path as it was given or, below a directory, that, / and names. */
typedef struct duct_file_event {
	duct_file_change change;
	char path[4096 - sizeof(duct_file_change)];
} duct_file_event;

/*
 * How files are watched; NULL is all zeros.
 *
 * Changes gather until settle has passed without a new one, or settle_most since the first, and are then told in the order in
 * which they first came up: the same again on one path is told once, and MODIFIED not after another change of that path.  A
 * file that is renamed is DELETED and CREATED, a directory with all that is in it; the file that a rename replaces is
 * MODIFIED.
 *
 * Where the system tells of changes (inotify) all are seen, but those through another hard link or a mapping.  Otherwise, on
 * request, and where a path, or a directory below one, is on a file system of which the system does not tell all (network,
 * FUSE, /proc), the files are looked at each interval: what changes and changes back between two looks is not seen, nor that
 * a file was deleted and made again, which is MODIFIED.
 */
typedef struct duct_watcher_options {
	size_t size;          /* sizeof(duct_watcher_options): DUCT_WATCHER and DUCT_WATCHER_OPTIONS_INIT set it */
	const char *name;     /* for logs and descriptions; NULL: made from a number */
	unsigned changes;     /* the changes that are told, duct_file_change; 0: all */
	bool poll;            /* looks each interval in any case */
	bool may_be_missing;  /* a path that does not exist is waited for, and not DUCT_INVALID */
	int64_t interval;     /* between looks, in nanoseconds; 0: one second */
	int64_t settle;       /* nanoseconds; 0: 50 ms; negative: every change is told at once; several alike may be one */
	int64_t settle_most;  /* nanoseconds; 0: 1600 ms */
	duct_clock *clock;    /* NULL: CLOCK_MONOTONIC */
} duct_watcher_options;

#define DUCT_WATCHER_OPTIONS_INIT { sizeof(duct_watcher_options), NULL, 0, false, false, 0, 0, 0, NULL }

/* Options written in place (C only): DUCT_WATCHER(.changes = DUCT_FILE_CREATED | DUCT_FILE_DELETED) */
#define DUCT_WATCHER(...) (&(duct_watcher_options){ .size = sizeof(duct_watcher_options), __VA_ARGS__ })

/*
 * Makes a file watcher: a receiver of messages of type duct_file_event, the changes of files and, below directories, of all
 * that is in them.  Every change after this has returned is told, of files that are gone meanwhile too.  The paths are
 * copied.
 *
 * Whoever waits for it waits for the system's notice of changes, with no thread behind: such a wait needs a file descriptor
 * of its own while it sleeps (DUCT_NOMEM without one).  Several threads that receive from one watcher share the events.
 * duct_receiver_close ends it at once: events that some receiver might already have had are still received, changes that had
 * not been told are not.
 *
 * Returns DUCT_OK; DUCT_INVALID: a NULL, no path, a path that is empty, too long or not there (unless
 * options->may_be_missing), or that may not be seen, options of an unknown size, unknown changes, a negative interval or
 * settle_most; DUCT_NOMEM: memory, descriptors or the system's watches are short.  *watcher is written on DUCT_OK only.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_watcher_new(duct_receiver **watcher, const char *const *paths, size_t count,
    const duct_watcher_options *options);
/* ---- Bidirectional links --------------------------------------------------------------------------------------- */

/*
 * What a link can be given when it is made; NULL is all zeros.  It is copied, as the options in it are, whose names are not
 * looked at: the channels are named req_<service>_<client> and resp_<service>_<client>.
 */
typedef struct duct_bidi_options {
	size_t size;                   /* sizeof(duct_bidi_options): DUCT_BIDI_OPTIONS and DUCT_BIDI_OPTIONS_INIT set it */
	const char *client;            /* NULL: "client" */
	const char *service;           /* NULL: "service" */
	bool lossy;                    /* a full direction loses its oldest message, instead of making the sender wait */
	const duct_options *requests;  /* of the channel from client to service, or NULL */
	const duct_options *responses; /* of the one from service to client, or NULL */
} duct_bidi_options;

#define DUCT_BIDI_OPTIONS_INIT { sizeof(duct_bidi_options), NULL, NULL, false, NULL, NULL }

/* Written in place (C only): duct_bidi_open(&ui, &db, 8, 64, 16, DUCT_BIDI_OPTIONS(.client = "ui", .service = "db")) */
#define DUCT_BIDI_OPTIONS(...) (&(duct_bidi_options){ .size = sizeof(duct_bidi_options), __VA_ARGS__ })

/*
 * Makes a link of two peers, each of which sends what the other receives: two channels, one for each direction, with messages
 * of request_size bytes from client to service and of response_size bytes back.  They are anycast channels of that capacity
 * (0: rendezvous) or, if the link is lossy, broadcasts to one receiver with DUCT_DROP_OLDEST (0: 50 messages), as if made by
 * duct_anycast_open or duct_broadcast_open, whose statuses these are.  DUCT_INVALID also for options of an unknown size, and for
 * one place given for both peers.  Both are written on DUCT_OK only.
 */
typedef struct duct_peer duct_peer;

DUCT_API DUCT_MUST_CHECK duct_status duct_bidi_open(duct_peer **client, duct_peer **service, size_t request_size,
    size_t response_size, size_t capacity, const duct_bidi_options *options);

/*
 * The plain ends of a peer, borrowed, always the same: they go wherever a sender or a receiver goes, are valid as long as the
 * peer, and are not to be freed.  NULL for NULL.
 */
DUCT_API duct_sender *duct_peer_sender(const duct_peer *peer);
DUCT_API duct_receiver *duct_peer_receiver(const duct_peer *peer);

/* duct_send and duct_recv on them. */
DUCT_API DUCT_MUST_CHECK duct_status duct_peer_send(duct_peer *peer, const void *message);
DUCT_API DUCT_MUST_CHECK duct_status duct_peer_recv(duct_peer *peer, void *message);

/*
 * Close one direction, at this peer's end; the other direction goes on.  Closing again changes nothing, nor does NULL.
 *
 * After duct_peer_close_send the other peer drains and then reads DUCT_CLOSED.  After duct_peer_close_recv the other peer's
 * sends return DUCT_NO_RECEIVERS, in a lossy link DUCT_CLOSED, and what was queued is dropped (in a lossy link it can still be
 * received, and is dropped when the peer is freed).  Clones of the borrowed ends count as on any channel: they keep a direction open.
 */
DUCT_API void duct_peer_close_send(duct_peer *peer);
DUCT_API void duct_peer_close_recv(duct_peer *peer);

/* Closes both directions, as above, and gives the peer back.  Calls that are blocked in its ends return DUCT_CLOSED. */
DUCT_API void duct_peer_free(duct_peer *peer);

/* A line for people, as duct_channel_describe: the link, which peer it is, and the name and state of either direction. */
DUCT_API size_t duct_peer_describe(const duct_peer *peer, char *buffer, size_t size);

/* ---- Exchanges ------------------------------------------------------------------------------------------------- */

/*
 * A link of exactly two parties that take turns.  The server gives an item, the client takes it and gives a reply to it, which
 * the server takes before it gives the next item.  Nothing is queued between them: a message that has been given has been
 * taken.  With replies of 0 bytes a reply is no more than the client's coming back for the next item.
 *
 * Makes one, with items of item_size bytes from server to client and replies of reply_size bytes back.  Of the options only
 * the name and the allocator matter, for nothing is ever left to drop.  Returns DUCT_OK, DUCT_INVALID (a place for a party is
 * NULL or that of the other, options of an unknown size, an allocator without a function, sizes that overflow) or DUCT_NOMEM;
 * both parties are written on DUCT_OK only.
 */
typedef struct duct_party duct_party;

DUCT_API DUCT_MUST_CHECK duct_status duct_exchange_open(duct_party **client, duct_party **server, size_t item_size,
    size_t reply_size, const duct_options *options);

/*
 * Gives one message and takes the other party's next: a server gives an item and takes the reply to it, so it returns when the
 * client has come back for more; a client gives the reply to the last item and takes the next item.  Where it is the other's
 * turn give must be NULL, and it only takes: that is how a client begins.  Where it is this party's turn give must not be NULL.
 * What has no bytes is given without a message (give is not looked at); take may be NULL if there are none to take.
 *
 * duct_exchange_until waits until the deadline, or until cancel (which may be NULL) is raised, with either half.
 *
 * DUCT_OK: both were done.  DUCT_UNANSWERED: the message was given and is the other's now, but the call ended before that gave
 * its own; to go on waiting for it call again with give NULL, which then tells what ended it if that still does.  Any other
 * status: no message was given and none taken: DUCT_CLOSED, when either party is; DUCT_BUSY, another call is in flight at this
 * party: it may be used by any thread, but by one at a time; DUCT_TIMEDOUT, DUCT_CANCELED, DUCT_NOMEM as of duct_recv_until;
 * DUCT_INVALID, also for a give that is out of turn.  What has no bytes is not told of by DUCT_UNANSWERED but stays given too:
 * a client that has asked once does not ask twice.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_exchange(duct_party *party, const void *give, void *take);
DUCT_API DUCT_MUST_CHECK duct_status duct_exchange_until(duct_party *party, const void *give, void *take, duct_time deadline,
    duct_cancel *cancel);

/*
 * Waits until the client is in a call that takes, without giving it anything.  That is waited for once: if the client was ever
 * there, and with the client itself, it returns at once.  DUCT_OK; DUCT_CLOSED, when either party is, whether it was ever there
 * or not; DUCT_BUSY; DUCT_INVALID, DUCT_TIMEDOUT, DUCT_CANCELED, DUCT_NOMEM as of duct_sender_wait.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_party_start(duct_party *party, duct_time deadline, duct_cancel *cancel);

/*
 * What a party gives with and what it takes with, borrowed: valid as long as the party, and for waiting only, with a select
 * with DUCT_READY, duct_sender_wait or duct_receiver_wait: a message that goes through them is not known to the party.  They
 * are ready when duct_exchange_until with a deadline of 0 could give, or take.  A party that waits so is not in a call that
 * takes or gives: two that only wait so wait for ever.  NULL for NULL.
 */
DUCT_API duct_sender *duct_party_sender(const duct_party *party);
DUCT_API duct_receiver *duct_party_receiver(const duct_party *party);

/*
 * Closes the exchange for both parties, whoever does it and whether the other was ever there: calls that wait return
 * DUCT_CLOSED or DUCT_UNANSWERED, later ones DUCT_CLOSED; but a client's coming back for more without bytes, if it was before
 * the close, is still told to the server.  Closing again changes nothing, nor does NULL.  duct_party_free also gives the party
 * back, while calls on it are blocked, too.
 */
DUCT_API void duct_party_close(duct_party *party);
DUCT_API void duct_party_free(duct_party *party);

/* ---- Streams --------------------------------------------------------------------------------------------------- */

/*
 * Batches of messages from one writer to one reader.  Nothing is queued: what a writer writes stays its own, in its own memory,
 * until it is read, and a write returns when the reader asks for more than it gave, that is, when all of it was dealt with.
 *
 * Makes a stream of messages of message_size bytes.  Each end closes the stream for both when it is closed or freed; with
 * DUCT_KEEP_ALIVE duct_reader_close does nothing, so that readers come and go with the handle, and only the writer's close, or
 * the free of either, ends it.  Returns as duct_exchange_open; DUCT_INVALID also for unknown flags, and
 * for messages so large that there can never be 64.
 */
typedef struct duct_writer duct_writer;
typedef struct duct_reader duct_reader;

enum { DUCT_KEEP_ALIVE = 1 };

DUCT_API DUCT_MUST_CHECK duct_status duct_stream_open(duct_writer **writer, duct_reader **reader, size_t message_size,
    unsigned flags, const duct_options *options);

/*
 * Writes count messages from the array messages, which must stay as it is until the call returns, however it ends.  *read,
 * unless read is NULL, tells how many were read, whatever the status: the rest is still the writer's, and was not read and will
 * not be.  If an earlier write ended without being asked beyond, it waits for that first; with count 0 for no more than that.
 *
 * DUCT_OK: all were read, and the reader has asked for more.  DUCT_UNANSWERED: all were read, but the call ended before that.
 * Other statuses: DUCT_CLOSED, DUCT_BUSY, DUCT_TIMEDOUT, DUCT_CANCELED, DUCT_NOMEM, DUCT_INVALID as of duct_exchange_until.
 * duct_stream_send writes one message and waits for ever: after DUCT_UNANSWERED it was read, after other failures not.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_stream_write(duct_writer *writer, const void *messages, size_t count, size_t *read,
    duct_time deadline, duct_cancel *cancel);
DUCT_API DUCT_MUST_CHECK duct_status duct_stream_send(duct_writer *writer, const void *message);

/*
 * Read into the array messages, going on where the last read ended, in the middle of a write too.
 *
 * duct_stream_read reads count messages, of as many writes as it takes.
 * duct_stream_chunk reads what one write gives, or what is left of that, but not more than most messages.
 * duct_stream_recv reads one, and waits for ever.
 *
 * *received, unless received is NULL, tells how many were read, whatever the status; they are the caller's even where the
 * status says why there are no more.  DUCT_OK: count of them, or a chunk; with count or most 0 at once.  DUCT_CLOSED: the
 * stream is closed, by either end; DUCT_BUSY, DUCT_TIMEDOUT, DUCT_CANCELED, DUCT_NOMEM, DUCT_INVALID as of duct_exchange_until.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_stream_read(duct_reader *reader, void *messages, size_t count, size_t *received,
    duct_time deadline, duct_cancel *cancel);
DUCT_API DUCT_MUST_CHECK duct_status duct_stream_chunk(duct_reader *reader, void *messages, size_t most, size_t *received,
    duct_time deadline, duct_cancel *cancel);
DUCT_API DUCT_MUST_CHECK duct_status duct_stream_recv(duct_reader *reader, void *message);

/*
 * Reads until the stream is closed, which is DUCT_OK, into a new box, for the caller to free: it begins with *count messages.
 * Other statuses are those of duct_stream_read; then too the box has what was read, and may be NULL if that is nothing.  Both
 * are written whatever the status.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_stream_all(duct_reader *reader, duct_box **messages, size_t *count,
    duct_time deadline, duct_cancel *cancel);

/*
 * What the reader waits on, borrowed, and for waiting only, as duct_party_receiver: after a read with a deadline of 0 that came
 * to DUCT_TIMEDOUT it is ready when there is a write, or the stream is closed.  NULL for NULL.
 */
DUCT_API duct_receiver *duct_reader_receiver(const duct_reader *reader);

/* Close the stream, at once for both ends: what is being written and was not read is the writer's.  NULL does nothing. */
DUCT_API void duct_writer_close(duct_writer *writer);
DUCT_API void duct_reader_close(duct_reader *reader);

/* Close it, DUCT_KEEP_ALIVE or not, and give the end back, while calls on it are blocked, too. */
DUCT_API void duct_writer_free(duct_writer *writer);
DUCT_API void duct_reader_free(duct_reader *reader);
/* ---- Pipes and relays ------------------------------------------------------------------------------------------ */

/* Flags of a pipe, and of a relay. */
enum {
	DUCT_BORROW_RECEIVER = 1, /* pipe: the receiver stays the caller's */
	DUCT_BORROW_SENDER = 2,   /* both: the sender, or all of them, stay the caller's */
	DUCT_CLOSE_CHANNEL = 4,   /* pipe: when the source has ended, closes the target's channel, with the reason of the source's */
	DUCT_CLOSE_SENDER = 8,    /* pipe: when the source has ended, closes the sender only */
	DUCT_STOP_AT_FAILURE = 16 /* relay: does not send to the targets behind one that failed */
};

/*
 * A pipe: forwards what a receiver (the source) receives to a sender (the target), in a thread of its own, which is the only
 * thread that the library ever starts.  It takes a message when the target has room, and sends it.  Where the room has gone
 * meanwhile, and always at a target of capacity 0, it has the message in hand: a stop or the target's end leaves it there, and
 * it is the first that goes out after the next start.  So a pipe loses nothing, and adds at most one place to its channels.
 *
 * duct_pipe_new takes both ends over, and duct_pipe_free frees them; nobody else may use them, but to ask for their state.
 * Those that are borrowed may be used and closed meanwhile, but not freed before the pipe.
 *
 * Returns DUCT_OK, DUCT_INVALID (a NULL, sizes that differ, both ends of one channel, unknown flags) or DUCT_NOMEM: then both
 * ends are still the caller's.  The pipe does not run yet.
 */
typedef struct duct_pipe duct_pipe;

DUCT_API DUCT_MUST_CHECK duct_status duct_pipe_new(duct_pipe **pipe, duct_receiver *receiver, duct_sender *sender,
    unsigned flags);

/*
 * Starts it, also again after it was stopped or ended by itself; nothing is to be done where it runs.  Its thread has all
 * signals blocked but those of its own faults, and runs the hooks.
 *
 * Returns DUCT_OK; DUCT_INVALID (pipe is NULL); DUCT_NOMEM, also if there cannot be a thread: nothing has changed; DUCT_CLOSED:
 * it was freed meanwhile; DUCT_CANCELED: called by a hook in the pipe's own thread, which was asked to stop.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_pipe_start(duct_pipe *pipe);

/*
 * Stops it at once wherever it waits, and returns when its thread is gone: it may have to wait until a hook in that thread
 * returns, as may a start that meets a stop.  Called by a hook in the pipe's own thread it does not wait: the thread ends soon
 * after the hook.
 */
DUCT_API void duct_pipe_stop(duct_pipe *pipe);

/* Why a pipe does not run. */
typedef enum duct_pipe_status {
	DUCT_PIPE_STOPPED = 0,    /* not started yet, or stopped */
	DUCT_PIPE_RUNNING,        /* it does */
	DUCT_PIPE_SOURCE_ENDED,   /* closed and drained, or no receiver any more: all of it was forwarded */
	DUCT_PIPE_TARGET_CLOSED,
	DUCT_PIPE_NO_RECEIVERS,   /* at the target */
	DUCT_PIPE_NOMEM           /* a wait could not be set up, or a send came to DUCT_NOMEM */
} duct_pipe_status;

/* Stopped for NULL.  A pipe finds out that its target has ended when it is about to take the next message. */
DUCT_API duct_pipe_status duct_pipe_state(const duct_pipe *pipe);

/* Messages forwarded; messages that the receiver told to have lost (tell_lag), which a pipe goes on after.  0 for NULL. */
DUCT_API uint64_t duct_pipe_forwarded(const duct_pipe *pipe);
DUCT_API uint64_t duct_pipe_lost(const duct_pipe *pipe);

/*
 * Waits until it does not run: DUCT_OK, also if it is freed meanwhile.  DUCT_TIMEDOUT, DUCT_CANCELED, DUCT_NOMEM as of
 * duct_recv_until; DUCT_INVALID (pipe is NULL, a negative deadline, called in the pipe's own thread).
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_pipe_wait(duct_pipe *pipe, duct_time deadline, duct_cancel *cancel);

/*
 * Takes out the message in hand, which is the caller's then.  DUCT_EMPTY: there is none, or the pipe runs; DUCT_INVALID (a NULL
 * other than a message of size 0).
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_pipe_take(duct_pipe *pipe, void *message);

/*
 * Stops it and frees it, with the ends that it took over.  A message in hand goes through the drop hook of the target's
 * channel.  In the pipe's own thread it returns at once, and the thread frees it when it ends.
 */
DUCT_API void duct_pipe_free(duct_pipe *pipe);

/*
 * A relay: sends each message to several senders (the targets), one after the other in their order, and tells of each what it
 * came to.
 *
 * duct_relay_new takes the senders over, and duct_relay_free frees them.  Those that are borrowed may be used, closed and freed
 * meanwhile: the relay then finds them closed.  All their channels must carry messages of one type; the first one's hooks
 * copy and drop for all.  Returns DUCT_OK, DUCT_INVALID (a NULL, no sender, the same one twice, sizes that differ, unknown
 * flags, a count that overflows) or DUCT_NOMEM: then the senders are still the caller's.
 */
typedef struct duct_relay duct_relay;

DUCT_API DUCT_MUST_CHECK duct_status duct_relay_new(duct_relay **relay, duct_sender *const *senders, size_t count,
    unsigned flags);

/*
 * Sends to each target in turn, whatever those before it came to; with DUCT_STOP_AT_FAILURE those behind one that failed are
 * not tried, and their status is DUCT_CANCELED.  A target is what waits: those behind it get the message later.  The deadline
 * is one for all, and targets that are ready get the message after it too.
 *
 * statuses, unless it is NULL, is an array of one status for each target, written whatever the result, but for DUCT_INVALID:
 * that of duct_send_until, or of duct_try_send, to this target.  The result is DUCT_OK if all of them have the message, which has
 * moved then; else the first status that is not DUCT_OK: the message is still the caller's, and each target with DUCT_OK has a copy
 * of it, made by the copy hook, or of its bytes where there is none.  Where there is a copy hook a target may also come to
 * DUCT_NOMEM because a copy, or memory for one over 1 KiB, could not be had.
 */
DUCT_API DUCT_MUST_CHECK duct_status duct_relay_send(duct_relay *relay, const void *message, duct_status *statuses);
DUCT_API DUCT_MUST_CHECK duct_status duct_relay_try_send(duct_relay *relay, const void *message, duct_status *statuses);
DUCT_API DUCT_MUST_CHECK duct_status duct_relay_send_until(duct_relay *relay, const void *message, duct_status *statuses,
    duct_time deadline, duct_cancel *cancel);

/*
 * Closes all its senders; those that are borrowed stay open, but no send of the relay goes to them any more, and one that is
 * blocked in one of them stays so.  The free does that too; sends that are under way then go on to their end.
 */
DUCT_API void duct_relay_close(duct_relay *relay);
DUCT_API void duct_relay_free(duct_relay *relay);

/* ---- Handles that free themselves ------------------------------------------------------------------------------ */

/*
 * On compilers with the cleanup attribute: DUCT_AUTO_SENDER duct_sender *tx = NULL; frees tx when it goes out of scope.
 */
#if defined __GNUC__
#define DUCT_AUTO_CHANNEL __attribute__((cleanup(duct_auto_channel_free_)))
#define DUCT_AUTO_SENDER __attribute__((cleanup(duct_auto_sender_free_)))
#define DUCT_AUTO_RECEIVER __attribute__((cleanup(duct_auto_receiver_free_)))
#define DUCT_AUTO_CANCEL __attribute__((cleanup(duct_auto_cancel_free_)))
#define DUCT_AUTO_BOX __attribute__((cleanup(duct_auto_box_free_)))
#define DUCT_AUTO_LATEST __attribute__((cleanup(duct_auto_latest_free_)))
#define DUCT_AUTO_PEEKABLE __attribute__((cleanup(duct_auto_peekable_free_)))
#define DUCT_AUTO_CACHE __attribute__((cleanup(duct_auto_cache_free_)))
#define DUCT_AUTO_CLOCK __attribute__((cleanup(duct_auto_clock_free_)))
#define DUCT_AUTO_PEER __attribute__((cleanup(duct_auto_peer_free_)))
#define DUCT_AUTO_PARTY __attribute__((cleanup(duct_auto_party_free_)))
#define DUCT_AUTO_WRITER __attribute__((cleanup(duct_auto_writer_free_)))
#define DUCT_AUTO_READER __attribute__((cleanup(duct_auto_reader_free_)))
#define DUCT_AUTO_PIPE __attribute__((cleanup(duct_auto_pipe_free_)))
#define DUCT_AUTO_RELAY __attribute__((cleanup(duct_auto_relay_free_)))

DUCT_UNUSED static inline void duct_auto_channel_free_(duct_channel **channel)
{
	duct_channel_free(*channel);
}

DUCT_UNUSED static inline void duct_auto_sender_free_(duct_sender **sender)
{
	duct_sender_free(*sender);
}

DUCT_UNUSED static inline void duct_auto_receiver_free_(duct_receiver **receiver)
{
	duct_receiver_free(*receiver);
}

DUCT_UNUSED static inline void duct_auto_cancel_free_(duct_cancel **cancel)
{
	duct_cancel_free(*cancel);
}

DUCT_UNUSED static inline void duct_auto_box_free_(duct_box **box)
{
	duct_box_free(*box);
}

DUCT_UNUSED static inline void duct_auto_latest_free_(duct_latest **latest)
{
	duct_latest_free(*latest);
}

DUCT_UNUSED static inline void duct_auto_peekable_free_(duct_peekable **peekable)
{
	duct_peekable_free(*peekable);
}

DUCT_UNUSED static inline void duct_auto_cache_free_(duct_cache **cache)
{
	duct_cache_free(*cache);
}

DUCT_UNUSED static inline void duct_auto_clock_free_(duct_clock **clock)
{
	duct_clock_free(*clock);
}

DUCT_UNUSED static inline void duct_auto_peer_free_(duct_peer **peer)
{
	duct_peer_free(*peer);
}

DUCT_UNUSED static inline void duct_auto_party_free_(duct_party **party)
{
	duct_party_free(*party);
}

DUCT_UNUSED static inline void duct_auto_writer_free_(duct_writer **writer)
{
	duct_writer_free(*writer);
}

DUCT_UNUSED static inline void duct_auto_reader_free_(duct_reader **reader)
{
	duct_reader_free(*reader);
}

DUCT_UNUSED static inline void duct_auto_pipe_free_(duct_pipe **pipe)
{
	duct_pipe_free(*pipe);
}

DUCT_UNUSED static inline void duct_auto_relay_free_(duct_relay **relay)
{
	duct_relay_free(*relay);
}
#endif

/* ---- Typed ends ------------------------------------------------------------------------------------------------ */

/*
 * DUCT_TYPE(jobs, struct job); declares the types jobs_channel, jobs_sender and jobs_receiver and the functions that make,
 * clone, close and free them, send and receive, with the names of those above and jobs_ for duct_: jobs_open (for
 * duct_anycast_open), jobs_oneshot_open, jobs_sender_new, jobs_send, jobs_recv_until, jobs_broadcast_open, and so on.  They are
 * the same handles and the same calls, for messages of type struct job only: an end or a message of another type does not
 * compile, neither in C nor in C++.  jobs_untyped_channel, jobs_untyped_sender and jobs_untyped_receiver give the plain handle
 * for everything else, and jobs_typed_receiver and its likes a typed one, for a merge or filter of jobs, say; jobs_send_case
 * and jobs_recv_case make cases for select.
 *
 * It is written once per type, at file scope, in a source or a header.  Compilers before GCC 14 and Clang 16 only warn of a
 * wrong pointer in C; for the rest of the source it is made the error that it is.
 */
#define DUCT_TYPE(name_, type_) \
	DUCT_TYPE_STRICT_ \
	DUCT_TYPE_COPYABLE_(type_) \
	DUCT_TYPE_HANDLES_(name_) \
	DUCT_TYPE_CHANNEL_(name_, type_) \
	DUCT_TYPE_END_(name_, sender) \
	DUCT_TYPE_END_(name_, receiver) \
	DUCT_TYPE_SEND_(name_, type_) \
	DUCT_TYPE_RECV_(name_, type_) \
	struct name_##_duct_type_

/* A pointer of the wrong type breaks the rules of C, but compilers before GCC 14 only warned. */
#if defined __GNUC__ && !defined __cplusplus
#define DUCT_TYPE_STRICT_ _Pragma("GCC diagnostic error \"-Wincompatible-pointer-types\"")
#else
#define DUCT_TYPE_STRICT_
#endif

/* What a C++ class does when it is copied is not known here: messages are copied as bytes. */
#if defined __cplusplus && defined __GNUC__
#define DUCT_TYPE_COPYABLE_(type_) static_assert(__is_trivially_copyable(type_), "messages are copied as bytes");
#else
#define DUCT_TYPE_COPYABLE_(type_)
#endif

#define DUCT_TYPE_HANDLE_(name_, handle_) \
	typedef struct name_##_##handle_ name_##_##handle_; \
	DUCT_UNUSED static inline duct_##handle_ *name_##_untyped_##handle_(const name_##_##handle_ *typed) \
	{ \
		return DUCT_CAST_(duct_##handle_ *, DUCT_UNCONST_(typed)); \
	} \
	DUCT_UNUSED static inline name_##_##handle_ *name_##_typed_##handle_(duct_##handle_ *untyped) \
	{ \
		return DUCT_CAST_(name_##_##handle_ *, untyped); \
	} \
	DUCT_UNUSED static inline void name_##_##handle_##_free(name_##_##handle_ *typed) \
	{ \
		duct_##handle_##_free(name_##_untyped_##handle_(typed)); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_##handle_##_clone(name_##_##handle_ *typed, \
	    name_##_##handle_ **clone) \
	{ \
		duct_##handle_ *untyped = NULL; \
		duct_status status = duct_##handle_##_clone(name_##_untyped_##handle_(typed), clone ? &untyped : NULL); \
		if (status == DUCT_OK) \
			*clone = DUCT_CAST_(name_##_##handle_ *, untyped); \
		return status; \
	}

#define DUCT_TYPE_HANDLES_(name_) \
	DUCT_TYPE_HANDLE_(name_, channel) \
	DUCT_TYPE_HANDLE_(name_, sender) \
	DUCT_TYPE_HANDLE_(name_, receiver)

#define DUCT_TYPE_CHANNEL_(name_, type_) \
	DUCT_UNUSED static inline void name_##_channel_close(name_##_channel *channel, int reason) \
	{ \
		duct_channel_close(name_##_untyped_channel(channel), reason); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_anycast_new(name_##_channel **channel, size_t capacity, \
	    const duct_options *options) \
	{ \
		duct_channel *untyped = NULL; \
		duct_status status = duct_anycast_new(channel ? &untyped : NULL, sizeof(type_), capacity, options); \
		if (status == DUCT_OK) \
			*channel = DUCT_CAST_(name_##_channel *, untyped); \
		return status; \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_broadcast_new(name_##_channel **channel, \
	    const duct_options *options) \
	{ \
		duct_channel *untyped = NULL; \
		duct_status status = duct_broadcast_new(channel ? &untyped : NULL, sizeof(type_), options); \
		if (status == DUCT_OK) \
			*channel = DUCT_CAST_(name_##_channel *, untyped); \
		return status; \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_subscribe(name_##_channel *channel, \
	    name_##_receiver **receiver, const duct_subscription *subscription) \
	{ \
		duct_receiver *untyped = NULL; \
		duct_status status = duct_subscribe(name_##_untyped_channel(channel), receiver ? &untyped : NULL, subscription); \
		if (status == DUCT_OK) \
			*receiver = DUCT_CAST_(name_##_receiver *, untyped); \
		return status; \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_sender_subscribe(name_##_sender *sender, \
	    name_##_receiver **receiver, const duct_subscription *subscription) \
	{ \
		duct_receiver *untyped = NULL; \
		duct_status status = \
		    duct_sender_subscribe(name_##_untyped_sender(sender), receiver ? &untyped : NULL, subscription); \
		if (status == DUCT_OK) \
			*receiver = DUCT_CAST_(name_##_receiver *, untyped); \
		return status; \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_broadcast_open(name_##_sender **sender, \
	    name_##_receiver **receiver, const duct_subscription *subscription, const duct_options *options) \
	{ \
		duct_sender *untyped_sender = NULL; \
		duct_receiver *untyped_receiver = NULL; \
		duct_status status = duct_broadcast_open(sender ? &untyped_sender : NULL, receiver ? &untyped_receiver : NULL, \
		    sizeof(type_), subscription, options); \
		if (status == DUCT_OK) { \
			*sender = DUCT_CAST_(name_##_sender *, untyped_sender); \
			*receiver = DUCT_CAST_(name_##_receiver *, untyped_receiver); \
		} \
		return status; \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_open(name_##_sender **sender, name_##_receiver **receiver, \
	    size_t capacity, const duct_options *options) \
	{ \
		duct_sender *untyped_sender = NULL; \
		duct_receiver *untyped_receiver = NULL; \
		duct_status status = duct_anycast_open(sender ? &untyped_sender : NULL, receiver ? &untyped_receiver : NULL, \
		    sizeof(type_), capacity, options); \
		if (status == DUCT_OK) { \
			*sender = DUCT_CAST_(name_##_sender *, untyped_sender); \
			*receiver = DUCT_CAST_(name_##_receiver *, untyped_receiver); \
		} \
		return status; \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_oneshot_open(name_##_sender **sender, \
	    name_##_receiver **receiver, const duct_options *options) \
	{ \
		duct_sender *untyped_sender = NULL; \
		duct_receiver *untyped_receiver = NULL; \
		duct_status status = duct_oneshot_open(sender ? &untyped_sender : NULL, receiver ? &untyped_receiver : NULL, \
		    sizeof(type_), options); \
		if (status == DUCT_OK) { \
			*sender = DUCT_CAST_(name_##_sender *, untyped_sender); \
			*receiver = DUCT_CAST_(name_##_receiver *, untyped_receiver); \
		} \
		return status; \
	}

#define DUCT_TYPE_END_(name_, end_) \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_##end_##_new(name_##_channel *channel, \
	    name_##_##end_ **typed) \
	{ \
		duct_##end_ *untyped = NULL; \
		duct_status status = duct_##end_##_new(name_##_untyped_channel(channel), typed ? &untyped : NULL); \
		if (status == DUCT_OK) \
			*typed = DUCT_CAST_(name_##_##end_ *, untyped); \
		return status; \
	} \
	DUCT_UNUSED static inline name_##_channel *name_##_##end_##_channel(const name_##_##end_ *typed) \
	{ \
		return DUCT_CAST_(name_##_channel *, duct_##end_##_channel(name_##_untyped_##end_(typed))); \
	} \
	DUCT_UNUSED static inline void name_##_##end_##_close(name_##_##end_ *typed) \
	{ \
		duct_##end_##_close(name_##_untyped_##end_(typed)); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_##end_##_wait(name_##_##end_ *typed, duct_time deadline, \
	    duct_cancel *cancel) \
	{ \
		return duct_##end_##_wait(name_##_untyped_##end_(typed), deadline, cancel); \
	}

#define DUCT_TYPE_SEND_(name_, type_) \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_send(name_##_sender *sender, type_ const *message) \
	{ \
		return duct_send(name_##_untyped_sender(sender), message); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_try_send(name_##_sender *sender, type_ const *message) \
	{ \
		return duct_try_send(name_##_untyped_sender(sender), message); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_send_until(name_##_sender *sender, type_ const *message, \
	    duct_time deadline, duct_cancel *cancel) \
	{ \
		return duct_send_until(name_##_untyped_sender(sender), message, deadline, cancel); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_send_many(name_##_sender *sender, type_ const *messages, \
	    size_t count, size_t *sent, duct_time deadline, duct_cancel *cancel) \
	{ \
		return duct_send_many(name_##_untyped_sender(sender), messages, count, sent, deadline, cancel); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_publish(name_##_sender *sender, type_ const *message, \
	    duct_receipt *receipt, duct_time deadline, duct_cancel *cancel) \
	{ \
		return duct_publish(name_##_untyped_sender(sender), message, receipt, deadline, cancel); \
	} \
	DUCT_UNUSED static inline duct_case name_##_send_case(name_##_sender *sender, type_ const *message) \
	{ \
		return duct_send_case(name_##_untyped_sender(sender), message); \
	}

#define DUCT_TYPE_RECV_(name_, type_) \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_recv(name_##_receiver *receiver, type_ *message) \
	{ \
		return duct_recv(name_##_untyped_receiver(receiver), message); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_try_recv(name_##_receiver *receiver, type_ *message) \
	{ \
		return duct_try_recv(name_##_untyped_receiver(receiver), message); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_recv_until(name_##_receiver *receiver, type_ *message, \
	    duct_time deadline, duct_cancel *cancel) \
	{ \
		return duct_recv_until(name_##_untyped_receiver(receiver), message, deadline, cancel); \
	} \
	DUCT_UNUSED DUCT_MUST_CHECK static inline duct_status name_##_recv_many(name_##_receiver *receiver, type_ *messages, \
	    size_t min, size_t max, size_t *received, duct_time deadline, duct_cancel *cancel) \
	{ \
		return duct_recv_many(name_##_untyped_receiver(receiver), messages, min, max, received, deadline, cancel); \
	} \
	DUCT_UNUSED static inline duct_case name_##_recv_case(name_##_receiver *receiver, type_ *message) \
	{ \
		return duct_recv_case(name_##_untyped_receiver(receiver), message); \
	}

#ifdef __cplusplus
}
#endif
#endif
