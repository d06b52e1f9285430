/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A pipe: a thread that takes from a receiver and gives to a sender, and can be stopped at any moment without losing a message.
 *
 * It waits for room before it takes: so while the target is full nothing leaves the source, and there is nothing to lose.  But
 * room is only a hint, for others may fill it while the pipe waits for a message, and a target of capacity 0 has room only for
 * who has a message to offer.  So there is a hand, with at most one message.  It is the thread's while that runs, and
 * everybody's under the lock when it does not.
 *
 * Two locks.  control is held by who starts or stops, until that is done, over the joining of the old thread too: so there is
 * one thread at most.  lock is held for a moment, over what is told of the pipe.  The pipe's own thread never takes control,
 * for it may be what the holder waits for.  It calls start, stop and free only from hooks, is known by its id, and can ask for
 * no more than that it ends itself:
 *
 *     stop, anywhere else                the pipe's thread                  a hook in it that calls stop
 *     -------------------------------    ------------------------------     ----------------------------
 *     control; raises the token
 *                                        a wait ends: DUCT_CANCELED         raises the token, returns
 *                                        status; wakes who waits for it
 *     joins it ......................... ends
 *     releases control
 *
 * References keep the pipe: its handle, its thread, and calls that may block.  Whoever gives the last one back frees it, which
 * is the thread itself if the handle was freed in a hook: then nobody can join it, and it is detached.
 */
#include "cancel.h"
#include "channel.h"
#include "memory.h"
#include "wait.h"

#include <stddef.h>
#include <string.h>

#define PIPE_FLAGS (DUCT_BORROW_RECEIVER | DUCT_BORROW_SENDER | DUCT_CLOSE_CHANNEL | DUCT_CLOSE_SENDER)

/*
 * [I] fixed when made; [a] atomic; [c] under control; [m] under lock; [t] the thread's own while status is running, else under
 * lock.
 */
struct duct_pipe {
	_Atomic size_t references; /* [a] */
	pthread_mutex_t control, lock;
	duct_receiver *receiver;          /* [I] */
	duct_sender *sender;              /* [I] */
	unsigned flags;                   /* [I] */
	size_t size;                      /* [I] of a message */
	bool waits_for_room;              /* [I] */
	pthread_t thread;                 /* [c] if it has one: one that has ended is joined later */
	bool has_thread;                  /* [c] */
	duct_cancel *stop, *ended;        /* [c] of that thread, which may read them too: ask it to end, tell that it has */
	duct_pipe_status status;          /* [m] */
	bool freed;                       /* [m] */
	bool is_under_way;                /* [m] the thread has told its id */
	pthread_t id;                     /* [m] */
	bool in_hand;                     /* [t] */
	_Atomic uint64_t forwarded, lost; /* [a] relaxed: nothing depends on them */
	_Alignas(max_align_t) unsigned char hand[]; /* [t] */
};

/* ---- Its thread ------------------------------------------------------------------------------------------------ */

/* With control, or with the last reference.  What has no thread any more has no tokens either. */
static void forget_thread(duct_pipe *pipe)
{
	pipe->has_thread = false;
	duct_cancel_free(pipe->stop);
	duct_cancel_free(pipe->ended);
}

static void join_thread(duct_pipe *pipe)
{
	if (!pipe->has_thread)
		return;
	thread_join(pipe->thread);
	forget_thread(pipe);
}

static bool is_own_thread(duct_pipe *pipe)
{
	bool is_own;

	mutex_lock(&pipe->lock);
	is_own = pipe->is_under_way && pthread_equal(pipe->id, pthread_self());
	mutex_unlock(&pipe->lock);
	return is_own;
}

static void drop_hand(duct_pipe *pipe)
{
	const int cancellation = cancellation_hold();

	if (pipe->in_hand)
		hooks_drop(&pipe->sender->end.channel->hooks, pipe->hand);
	cancellation_resume(cancellation);
}

/* A thread that is not joined by now was to free the pipe: it comes here itself, or has nothing to do with it any more. */
static void pipe_destroy(duct_pipe *pipe)
{
	if (pipe->has_thread) {
		pthread_detach(pipe->thread);
		forget_thread(pipe);
	}
	drop_hand(pipe);
	if ((pipe->flags & DUCT_BORROW_RECEIVER) == 0)
		duct_receiver_free(pipe->receiver);
	if ((pipe->flags & DUCT_BORROW_SENDER) == 0)
		duct_sender_free(pipe->sender);
	pthread_mutex_destroy(&pipe->lock);
	pthread_mutex_destroy(&pipe->control);
	memory_free(NULL, pipe);
}

static void pipe_ref(duct_pipe *pipe)
{
	atomic_fetch_add(&pipe->references, 1);
}

static void pipe_unref(duct_pipe *pipe)
{
	if (atomic_fetch_sub(&pipe->references, 1) == 1)
		pipe_destroy(pipe);
}

/* ---- Forwarding, in its thread --------------------------------------------------------------------------------- */

/* What the source's status means for the pipe: running is to go on. */
static duct_pipe_status after_source(duct_status status)
{
	switch (status) {
	case DUCT_OK:
	case DUCT_LAGGED:
		return DUCT_PIPE_RUNNING;
	case DUCT_CANCELED:
		return DUCT_PIPE_STOPPED;
	case DUCT_NOMEM:
		return DUCT_PIPE_NOMEM;
	default:
		return DUCT_PIPE_SOURCE_ENDED;
	}
}

static duct_pipe_status after_target(duct_status status)
{
	switch (status) {
	case DUCT_OK:
		return DUCT_PIPE_RUNNING;
	case DUCT_CANCELED:
		return DUCT_PIPE_STOPPED;
	case DUCT_NO_RECEIVERS:
		return DUCT_PIPE_NO_RECEIVERS;
	case DUCT_NOMEM:
		return DUCT_PIPE_NOMEM;
	default:
		return DUCT_PIPE_TARGET_CLOSED;
	}
}

static void add_to(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

/* At capacity 0 there may be no room before the message is offered: then it only asks whether the target has ended. */
static duct_pipe_status take_next(duct_pipe *pipe)
{
	duct_status status = duct_sender_wait(pipe->sender, pipe->waits_for_room ? DUCT_FOREVER : 0, pipe->stop);

	if (status != DUCT_OK && status != DUCT_TIMEDOUT)
		return after_target(status);
	status = duct_recv_until(pipe->receiver, pipe->hand, DUCT_FOREVER, pipe->stop);
	pipe->in_hand = status == DUCT_OK;
	if (status == DUCT_LAGGED)
		add_to(&pipe->lost, duct_receiver_lag(pipe->receiver));
	return after_source(status);
}

/* Tries before it looks whether it is to stop: what can go out at once does not stay in hand. */
static duct_pipe_status give(duct_pipe *pipe)
{
	duct_status status = duct_try_send(pipe->sender, pipe->hand);

	if (status == DUCT_FULL)
		status = duct_send_until(pipe->sender, pipe->hand, DUCT_FOREVER, pipe->stop);
	if (status == DUCT_OK) {
		pipe->in_hand = false;
		add_to(&pipe->forwarded, 1);
	}
	return after_target(status);
}

static duct_pipe_status forward(duct_pipe *pipe)
{
	duct_pipe_status status;

	do
		status = pipe->in_hand ? give(pipe) : take_next(pipe);
	while (status == DUCT_PIPE_RUNNING);
	return status;
}

/* A source that is no channel's end has no reason. */
static void pass_end_on(const duct_pipe *pipe)
{
	if (pipe->flags & DUCT_CLOSE_CHANNEL)
		duct_channel_close(
		    duct_sender_channel(pipe->sender), duct_channel_reason(duct_receiver_channel(pipe->receiver)));
	if (pipe->flags & DUCT_CLOSE_SENDER)
		duct_sender_close(pipe->sender);
}

static void *run(void *argument)
{
	duct_pipe *pipe = argument;
	duct_pipe_status status;

	mutex_lock(&pipe->lock);
	pipe->id = pthread_self();
	pipe->is_under_way = true;
	mutex_unlock(&pipe->lock);
	status = forward(pipe);
	if (status == DUCT_PIPE_SOURCE_ENDED)
		pass_end_on(pipe);
	mutex_lock(&pipe->lock);
	pipe->status = status;
	pipe->is_under_way = false;
	mutex_unlock(&pipe->lock);
	duct_cancel_raise(pipe->ended);
	pipe_unref(pipe);
	return NULL;
}

/* ---- Making it ------------------------------------------------------------------------------------------------- */

static bool may_be_joined(const duct_receiver *receiver, const duct_sender *sender)
{
	return duct_sender_channel(sender) != duct_receiver_channel(receiver) &&
	       sender->end.queue->ring.size == receiver->end.queue->ring.size;
}

/* At capacity 0 nobody has room for what is not offered yet. */
static bool has_room_to_wait_for(const duct_channel *target)
{
	return target->fan != NULL || duct_channel_capacity(target) != 0;
}

static bool locks_init(duct_pipe *pipe)
{
	if (pthread_mutex_init(&pipe->control, NULL) != 0)
		return false;
	if (pthread_mutex_init(&pipe->lock, NULL) == 0)
		return true;
	pthread_mutex_destroy(&pipe->control);
	return false;
}

duct_status duct_pipe_new(duct_pipe **pipe, duct_receiver *receiver, duct_sender *sender, unsigned flags)
{
	duct_pipe *made;
	size_t size;

	if (pipe == NULL || receiver == NULL || sender == NULL || (flags & ~(unsigned)PIPE_FLAGS) != 0 ||
	    !may_be_joined(receiver, sender))
		return DUCT_INVALID;
	size = receiver->end.queue->ring.size;
	made = memory_new(NULL, sizeof *made + size); /* no message is so large that sums overflow: ring_measure */
	if (made == NULL)
		return DUCT_NOMEM;
	memset(made, 0, sizeof *made);
	if (!locks_init(made)) {
		memory_free(NULL, made);
		return DUCT_NOMEM;
	}
	atomic_init(&made->references, 1);
	made->receiver = receiver;
	made->sender = sender;
	made->flags = flags;
	made->size = size;
	made->waits_for_room = has_room_to_wait_for(duct_sender_channel(sender));
	*pipe = made;
	return DUCT_OK;
}

/* ---- Starting and stopping it, with control -------------------------------------------------------------------- */

static bool tokens_new(duct_pipe *pipe)
{
	if (duct_cancel_new(&pipe->stop, NULL, DUCT_FOREVER) != DUCT_OK)
		return false;
	if (duct_cancel_new(&pipe->ended, NULL, DUCT_FOREVER) == DUCT_OK)
		return true;
	duct_cancel_free(pipe->stop);
	return false;
}

/* Returns what it was before. */
static duct_pipe_status set_status(duct_pipe *pipe, duct_pipe_status status)
{
	duct_pipe_status before;

	mutex_lock(&pipe->lock);
	before = pipe->status;
	pipe->status = status;
	mutex_unlock(&pipe->lock);
	return before;
}

duct_pipe_status duct_pipe_state(const duct_pipe *pipe)
{
	duct_pipe *looked_at = (duct_pipe *)(uintptr_t)pipe;
	duct_pipe_status status;

	if (pipe == NULL)
		return DUCT_PIPE_STOPPED;
	mutex_lock(&looked_at->lock);
	status = pipe->status;
	mutex_unlock(&looked_at->lock);
	return status;
}

/* It is said to run before there is a thread, which may come to its end before anything else can be said. */
static duct_status launch(duct_pipe *pipe)
{
	duct_pipe_status before;

	if (!tokens_new(pipe))
		return DUCT_NOMEM;
	before = set_status(pipe, DUCT_PIPE_RUNNING);
	pipe_ref(pipe);
	pipe->has_thread = thread_start(&pipe->thread, run, pipe);
	if (pipe->has_thread)
		return DUCT_OK;
	(void)set_status(pipe, before);
	duct_cancel_raise(pipe->ended); /* somebody may wait for it already */
	forget_thread(pipe);
	pipe_unref(pipe);
	return DUCT_NOMEM;
}

static bool is_freed(duct_pipe *pipe)
{
	bool freed;

	mutex_lock(&pipe->lock);
	freed = pipe->freed;
	mutex_unlock(&pipe->lock);
	return freed;
}

/* Its own thread may have freed it until it is joined. */
static duct_status start(duct_pipe *pipe)
{
	if (duct_pipe_state(pipe) == DUCT_PIPE_RUNNING && !duct_cancel_raised(pipe->stop))
		return DUCT_OK;
	join_thread(pipe);
	return is_freed(pipe) ? DUCT_CLOSED : launch(pipe);
}

duct_status duct_pipe_start(duct_pipe *pipe)
{
	duct_status status;

	if (pipe == NULL)
		return DUCT_INVALID;
	if (is_own_thread(pipe))
		return duct_cancel_raised(pipe->stop) ? DUCT_CANCELED : DUCT_OK;
	pipe_ref(pipe);
	mutex_lock(&pipe->control);
	status = start(pipe);
	mutex_unlock(&pipe->control);
	pipe_unref(pipe);
	return status;
}

void duct_pipe_stop(duct_pipe *pipe)
{
	if (pipe == NULL)
		return;
	if (is_own_thread(pipe)) {
		duct_cancel_raise(pipe->stop);
		return;
	}
	pipe_ref(pipe);
	mutex_lock(&pipe->control);
	if (pipe->has_thread)
		duct_cancel_raise(pipe->stop);
	join_thread(pipe);
	mutex_unlock(&pipe->control);
	pipe_unref(pipe);
}

void duct_pipe_free(duct_pipe *pipe)
{
	if (pipe == NULL)
		return;
	mutex_lock(&pipe->lock);
	pipe->freed = true;
	mutex_unlock(&pipe->lock);
	duct_pipe_stop(pipe);
	pipe_unref(pipe);
}

/* ---- Looking at it --------------------------------------------------------------------------------------------- */

uint64_t duct_pipe_forwarded(const duct_pipe *pipe)
{
	return pipe != NULL ? load_relaxed(&pipe->forwarded) : 0;
}

uint64_t duct_pipe_lost(const duct_pipe *pipe)
{
	return pipe != NULL ? load_relaxed(&pipe->lost) : 0;
}

/* The token of the thread that runs, kept for the caller; NULL: none does. */
static duct_cancel *keep_ended(duct_pipe *pipe)
{
	duct_cancel *ended = NULL;

	mutex_lock(&pipe->lock);
	if (pipe->status == DUCT_PIPE_RUNNING) {
		ended = pipe->ended;
		cancel_pin(ended);
	}
	mutex_unlock(&pipe->lock);
	return ended;
}

/* To wait for a token is to wait for the end of its queue.  The pipe is not touched any more: it may be freed meanwhile. */
duct_status duct_pipe_wait(duct_pipe *pipe, duct_time deadline, duct_cancel *cancel)
{
	duct_cancel *ended;
	duct_status status;
	struct op op;

	if (pipe == NULL || deadline < 0 || is_own_thread(pipe))
		return DUCT_INVALID;
	if (duct_cancel_raised(cancel))
		return DUCT_CANCELED;
	if ((ended = keep_ended(pipe)) == NULL)
		return DUCT_OK;
	cancel_ops(ended, &op);
	status = wait_until_ready(&op, deadline, cancel);
	cancel_unpin(ended);
	return status == DUCT_CLOSED ? DUCT_OK : status;
}

duct_status duct_pipe_take(duct_pipe *pipe, void *message)
{
	size_t size;
	bool took;

	if (pipe == NULL)
		return DUCT_INVALID;
	size = pipe->size;
	if (message == NULL && size != 0)
		return DUCT_INVALID;
	mutex_lock(&pipe->lock);
	took = pipe->status != DUCT_PIPE_RUNNING && pipe->in_hand;
	if (took) {
		if (size != 0)
			memcpy(message, pipe->hand, size);
		pipe->in_hand = false;
	}
	mutex_unlock(&pipe->lock);
	return took ? DUCT_OK : DUCT_EMPTY;
}
