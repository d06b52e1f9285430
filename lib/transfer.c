/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Sends and receives: checks, the fast path, and otherwise a wait.
 */
#include "cancel.h"
#include "clock.h"
#include "resolve.h"

static inline bool message_is_valid(const struct end *end, const void *message)
{
	return message != NULL || end->queue->ring.size == 0;
}

/* An array of so many messages there can be. */
static bool array_is_valid(const struct end *end, const void *messages, size_t count)
{
	size_t size = end->queue->ring.size;

	return count == 0 || size == 0 || (messages != NULL && count <= SIZE_MAX / size);
}

static duct_status do_until(const struct op *op, duct_time deadline, duct_cancel *cancel)
{
	if (deadline < 0 || !message_is_valid(op->end, op->message))
		return DUCT_INVALID;
	if (duct_cancel_raised(cancel))
		return DUCT_CANCELED;
	return queue_fast(op) ? DUCT_OK : wait_for(op, deadline, cancel);
}

/*
 * A batch is seen to be under way by the messages that it moved, so it keeps what it works on from its beginning on.  A
 * single message needs no such care (queue.h).
 */
static void batch_begin(struct end *end, duct_cancel *cancel)
{
	end_pin(end);
	cancel_pin(cancel);
}

static void batch_finish(struct end *end, duct_cancel *cancel)
{
	cancel_unpin(cancel);
	end_unpin(end);
}

static inline struct op send_op(duct_sender *sender, const void *message)
{
	return (struct op){ .queue = sender->end.queue, .end = &sender->end, .message = (void *)message, .is_send = true };
}

static inline bool is_broadcast(const duct_sender *sender)
{
	return sender->end.queue->outlet != NULL;
}

/* ---- To a broadcast, whose fast path always fails -------------------------------------------------------------- */

static NOINLINE duct_status try_with_tray(struct op op)
{
	struct tray tray;
	duct_status status;

	tray_begin(&tray, &op);
	status = queue_try(&op);
	tray_finish(&op);
	return status;
}

duct_status duct_publish(
    duct_sender *sender, const void *message, duct_receipt *receipt, duct_time deadline, duct_cancel *cancel)
{
	struct op op;
	struct tray tray;
	duct_status status;

	if (sender == NULL)
		return DUCT_INVALID;
	op = send_op(sender, message);
	if (op.queue->outlet == NULL || (receipt == NULL && !needs_tray(&op))) {
		status = do_until(&op, deadline, cancel);
		if (status == DUCT_OK && receipt != NULL)
			*receipt = (duct_receipt){ .delivered = 1 };
		return status;
	}
	tray_begin(&tray, &op);
	status = do_until(&op, deadline, cancel);
	if (status == DUCT_OK && receipt != NULL)
		*receipt = tray.receipt;
	tray_finish(&op);
	return status;
}

/*
 * Comes in with the put lock, as the fast path leaves it, and out without.  If the send is not done at once, its end is pinned
 * under that lock (wait.h).
 */
static NOINLINE duct_status finish_publish_locked(duct_sender *sender, const void *message)
{
	const struct op op = send_op(sender, message);
	struct node *wakes = NULL;
	duct_status status = needs_tray(&op) ? DUCT_FULL : queue_do_locked(&op, &wakes);
	const bool goes_on = is_pending(status);

	if (goes_on)
		end_pin(&sender->end);
	queue_unlock_put(op.queue);
	wakes_notify(wakes);
	if (goes_on) {
		status = duct_publish(sender, message, NULL, DUCT_FOREVER, NULL);
		end_unpin(&sender->end);
	}
	return status;
}

/* ---- Send ------------------------------------------------------------------------------------------------------ */

duct_status duct_send(duct_sender *sender, const void *message)
{
	struct op op;

	if (unlikely(sender == NULL || !message_is_valid(&sender->end, message)))
		return DUCT_INVALID;
	if (likely(queue_put_fast(&sender->end, message)))
		return DUCT_OK;
	if (unlikely(is_broadcast(sender)))
		return finish_publish_locked(sender, message);
	op = send_op(sender, message);
	return wait_for(&op, DUCT_FOREVER, NULL);
}

duct_status duct_try_send(duct_sender *sender, const void *message)
{
	struct op op;

	if (sender == NULL || !message_is_valid(&sender->end, message))
		return DUCT_INVALID;
	op = send_op(sender, message);
	full_fence(); /* in order with what the thread did on other channels */
	return unlikely(needs_tray(&op)) ? try_with_tray(op) : queue_try(&op);
}

duct_status duct_send_until(duct_sender *sender, const void *message, duct_time deadline, duct_cancel *cancel)
{
	struct op op;

	if (sender == NULL)
		return DUCT_INVALID;
	if (unlikely(is_broadcast(sender)))
		return duct_publish(sender, message, NULL, deadline, cancel);
	op = send_op(sender, message);
	return do_until(&op, deadline, cancel);
}

duct_status duct_send_many(
    duct_sender *sender, const void *messages, size_t count, size_t *sent, duct_time deadline, duct_cancel *cancel)
{
	const struct ring *ring;
	duct_status status = DUCT_OK;
	size_t done = 0, moved;

	if (sender == NULL || deadline < 0 || !array_is_valid(&sender->end, messages, count))
		return DUCT_INVALID;
	batch_begin(&sender->end, cancel);
	ring = &sender->end.queue->ring;
	if (duct_cancel_raised(cancel))
		status = DUCT_CANCELED;
	while (done < count && status == DUCT_OK) {
		status = queue_put_many(&sender->end, ring_nth(ring, messages, done), count - done, &moved);
		done += moved;
		if (!is_pending(status))
			continue;
		status = duct_send_until(sender, ring_nth(ring, messages, done), deadline, cancel);
		done += status == DUCT_OK;
	}
	batch_finish(&sender->end, cancel);
	if (sent != NULL)
		*sent = done;
	return status;
}

duct_status duct_sender_wait(duct_sender *sender, duct_time deadline, duct_cancel *cancel)
{
	struct op op;

	if (sender == NULL)
		return DUCT_INVALID;
	op = send_op(sender, NULL);
	return wait_until_ready(&op, deadline, cancel);
}

static inline bool is_of_source(const duct_receiver *receiver)
{
	return receiver->end.source != NULL;
}

/* ---- From a source, of which only what its own queue holds comes fast ------------------------------------------- */

static duct_status receive_from_source(duct_receiver *receiver, void *message, duct_time deadline, duct_cancel *cancel)
{
	return resolve_receive(
	    receiver, message, &(struct wait_rules){ .deadline = deadline, .expired = DUCT_TIMEDOUT, .cancel = cancel });
}

static NOINLINE duct_status try_source(duct_receiver *receiver, void *message)
{
	return resolve_receive(receiver, message, &(struct wait_rules){ .deadline = DEADLINE_NOW, .expired = DUCT_EMPTY });
}

/* Comes in with the take lock, as the fast path leaves it, and out without; its end is pinned under that lock (wait.h). */
static NOINLINE duct_status finish_receive_locked(duct_receiver *receiver, void *message)
{
	duct_status status;

	end_pin(&receiver->end);
	queue_unlock_take(receiver->end.queue);
	status = receive_from_source(receiver, message, DUCT_FOREVER, NULL);
	end_unpin(&receiver->end);
	return status;
}

/* ---- Receive --------------------------------------------------------------------------------------------------- */

static inline struct op recv_op(duct_receiver *receiver, void *message)
{
	return (struct op){ .queue = receiver->end.queue, .end = &receiver->end, .message = message };
}

duct_status duct_recv(duct_receiver *receiver, void *message)
{
	struct op op;

	if (unlikely(receiver == NULL || !message_is_valid(&receiver->end, message)))
		return DUCT_INVALID;
	if (likely(queue_take_fast(&receiver->end, message)))
		return DUCT_OK;
	if (unlikely(is_of_source(receiver)))
		return finish_receive_locked(receiver, message);
	op = recv_op(receiver, message);
	return wait_for(&op, DUCT_FOREVER, NULL);
}

duct_status duct_try_recv(duct_receiver *receiver, void *message)
{
	struct op op;

	if (receiver == NULL || !message_is_valid(&receiver->end, message))
		return DUCT_INVALID;
	if (unlikely(is_of_source(receiver)))
		return try_source(receiver, message);
	op = recv_op(receiver, message);
	full_fence(); /* in order with what the thread did on other channels */
	return queue_try(&op);
}

duct_status duct_recv_until(duct_receiver *receiver, void *message, duct_time deadline, duct_cancel *cancel)
{
	struct op op;

	if (receiver == NULL)
		return DUCT_INVALID;
	if (unlikely(is_of_source(receiver)))
		return receive_from_source(receiver, message, deadline, cancel);
	op = recv_op(receiver, message);
	return do_until(&op, deadline, cancel);
}

/* As many as go now; of a source one by one. */
static duct_status take_many(duct_receiver *receiver, void *messages, size_t count, size_t *moved)
{
	duct_status status = DUCT_OK;

	if (likely(!is_of_source(receiver)))
		return queue_take_many(&receiver->end, messages, count, moved);
	for (*moved = 0; *moved < count && status == DUCT_OK; *moved += status == DUCT_OK)
		status = try_source(receiver, ring_nth(&receiver->end.queue->ring, messages, *moved));
	return status;
}

duct_status duct_recv_many(
    duct_receiver *receiver, void *messages, size_t min, size_t max, size_t *received, duct_time deadline, duct_cancel *cancel)
{
	const struct ring *ring;
	duct_status status = DUCT_OK;
	size_t done = 0, moved;

	if (receiver == NULL || deadline < 0 || min > max || !array_is_valid(&receiver->end, messages, max))
		return DUCT_INVALID;
	batch_begin(&receiver->end, cancel);
	ring = &receiver->end.queue->ring;
	if (duct_cancel_raised(cancel))
		status = DUCT_CANCELED;
	while (status == DUCT_OK && done < max) {
		status = take_many(receiver, ring_nth(ring, messages, done), max - done, &moved);
		done += moved;
		if (status == DUCT_LAGGED)
			break; /* which is told once, so it must not be kept back */
		if (done > 0 && done >= min) {
			status = DUCT_OK;
			break;
		}
		if (!is_pending(status) || min == 0)
			continue;
		status = duct_recv_until(receiver, ring_nth(ring, messages, done), deadline, cancel);
		done += status == DUCT_OK;
	}
	batch_finish(&receiver->end, cancel);
	if (received != NULL)
		*received = done;
	return status;
}

duct_status duct_receiver_wait(duct_receiver *receiver, duct_time deadline, duct_cancel *cancel)
{
	struct op op;

	if (receiver == NULL)
		return DUCT_INVALID;
	if (is_of_source(receiver))
		return resolve_receive(receiver, NULL,
		    &(struct wait_rules){ .deadline = deadline, .expired = DUCT_TIMEDOUT, .cancel = cancel, .observe = true });
	op = recv_op(receiver, NULL);
	return wait_until_ready(&op, deadline, cancel);
}
