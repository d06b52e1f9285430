/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A waiter: sleeping and waking.  waiter.h tells how it works.
 */
#include "waiter.h"

#include <errno.h>

#ifdef __linux__
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#endif

void waiter_init(struct waiter *waiter)
{
	atomic_init(&waiter->claim, CLAIM_FREE);
	atomic_init(&waiter->wake, WAKE_RUNNING);
	waiter->token = false;
}

void waiter_init_call(struct waiter *waiter, void (*call)(struct waiter *waiter))
{
	waiter->token = false;
	waiter->call = call;
	waiter->first = (struct node){ .waiter = waiter, .observer = true };
	atomic_store(&waiter->wake, WAKE_CALLS);
	atomic_store(&waiter->claim, CLAIM_FREE); /* last: from here on it is live for all who look */
}

static bool condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t monotonic;
	bool made;

	if (pthread_condattr_init(&monotonic) != 0)
		return false;
	made = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 && pthread_cond_init(condition, &monotonic) == 0;
	pthread_condattr_destroy(&monotonic);
	return made;
}

/* Takes the waiter back before anybody claims it; false if somebody did: then a notification is under way. */
static bool withdraw(struct waiter *waiter)
{
	int32_t expected = CLAIM_FREE;

	return atomic_compare_exchange_strong(&waiter->claim, &expected, CLAIM_WITHDRAWN);
}

/* With the waiter's lock, parked: until the token is there.  False if the waiter withdrew at the deadline. */
static bool await_token(struct waiter *waiter, duct_time deadline)
{
	const struct timespec at = deadline_timespec(deadline);

	while (!waiter->token) {
		if (deadline == DUCT_FOREVER) {
			pthread_cond_wait(&waiter->woken, &waiter->lock);
		} else if (pthread_cond_timedwait(&waiter->woken, &waiter->lock, &at) == ETIMEDOUT) {
			if (withdraw(waiter))
				return false;
			deadline = DUCT_FOREVER; /* a message is on its way */
		}
	}
	return true;
}

/* Without a condition variable: leaves if nobody claimed the waiter, else sits out the moment until it is notified. */
static duct_status sleepless(struct waiter *waiter)
{
	if (withdraw(waiter))
		return DUCT_NOMEM;
	while (!waiter_is_notified(waiter))
		sched_yield();
	return DUCT_OK;
}

duct_status waiter_sleep(struct waiter *waiter, duct_time deadline)
{
	int32_t expected = WAKE_RUNNING;
	duct_status status = DUCT_OK;
	int cancellation;

	if (pthread_mutex_init(&waiter->lock, NULL) != 0)
		return sleepless(waiter);
	if (!condition_init(&waiter->woken)) {
		pthread_mutex_destroy(&waiter->lock);
		return sleepless(waiter);
	}
	waiter->bell = -1;
	cancellation = cancellation_hold(); /* to wait on a condition is a cancellation point */
	mutex_lock(&waiter->lock);
	if (atomic_compare_exchange_strong(&waiter->wake, &expected, WAKE_PARKED) && !await_token(waiter, deadline))
		status = DUCT_TIMEDOUT;
	mutex_unlock(&waiter->lock);
	cancellation_resume(cancellation);
	pthread_cond_destroy(&waiter->woken);
	pthread_mutex_destroy(&waiter->lock);
	return status;
}

/* ---- With descriptors ------------------------------------------------------------------------------------------ */

#ifdef __linux__

static bool has_token(struct waiter *waiter)
{
	bool token;

	mutex_lock(&waiter->lock);
	token = waiter->token;
	mutex_unlock(&waiter->lock);
	return token;
}

/* Until something can be read or the deadline passes, or for nothing: the caller looks what it was.  False: it cannot be. */
static bool poll_until(struct pollfd *polls, size_t count, duct_time deadline)
{
	const struct timespec left = deadline_timespec(duct_remaining_ns(deadline));

	return ppoll(polls, count, deadline == DUCT_FOREVER ? NULL : &left, NULL) >= 0 || errno == EINTR;
}

static bool any_readable(const struct pollfd *polls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (polls[i].revents != 0)
			return true;
	return false;
}

/* Why a thread that was polling should stay no longer; DUCT_OK: it should. */
static duct_status why_leave(bool polled, const struct pollfd *polls, size_t count, duct_time deadline)
{
	if (!polled)
		return DUCT_NOMEM;
	if (any_readable(polls, count))
		return WAITER_READABLE;
	return deadline_passed(deadline) ? DUCT_TIMEDOUT : DUCT_OK;
}

/* Parked: until the bell is rung.  Anything but DUCT_OK: the waiter withdrew. */
static duct_status await_bell(struct waiter *waiter, duct_time deadline, struct pollfd *polls, size_t count)
{
	duct_status reason;

	while (!has_token(waiter)) {
		reason = why_leave(poll_until(polls, count, deadline), polls, count - 1, deadline);
		if (reason != DUCT_OK && withdraw(waiter))
			return reason;
		if (reason != DUCT_OK) { /* a message is on its way */
			polls += count - 1;
			count = 1;
			deadline = DUCT_FOREVER;
		}
	}
	return DUCT_OK;
}

static duct_status poll_parked(struct waiter *waiter, duct_time deadline, struct pollfd *polls, size_t count)
{
	int32_t expected = WAKE_RUNNING;
	duct_status status = DUCT_OK;

	if (pthread_mutex_init(&waiter->lock, NULL) != 0)
		return sleepless(waiter);
	if (atomic_compare_exchange_strong(&waiter->wake, &expected, WAKE_PARKED))
		status = await_bell(waiter, deadline, polls, count);
	pthread_mutex_destroy(&waiter->lock);
	return status;
}

duct_status waiter_poll(struct waiter *waiter, duct_time deadline, struct pollfd *polls, size_t count)
{
	int error = errno, cancellation = cancellation_hold();
	duct_status status;

	waiter->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	polls[count - 1] = (struct pollfd){ .fd = waiter->bell, .events = POLLIN };
	status = waiter->bell >= 0 ? poll_parked(waiter, deadline, polls, count) : sleepless(waiter);
	if (waiter->bell >= 0)
		(void)close(waiter->bell);
	cancellation_resume(cancellation);
	errno = error;
	return status;
}

/* With the waiter's lock. */
static void ring_bell(const struct waiter *waiter)
{
	const uint64_t once = 1;
	int error = errno, cancellation = cancellation_hold();

	(void)!write(waiter->bell, &once, sizeof once);
	cancellation_resume(cancellation);
	errno = error;
}

#else

/* No source has a descriptor here. */
duct_status waiter_poll(struct waiter *waiter, duct_time deadline, struct pollfd *polls, size_t count)
{
	(void)polls;
	(void)count;
	return waiter_sleep(waiter, deadline);
}

static void ring_bell(const struct waiter *waiter)
{
	(void)waiter;
}

#endif

/* ---- Waking ---------------------------------------------------------------------------------------------------- */

/* With the waiter's lock, after which it may be gone. */
static void wake_locked(struct waiter *waiter)
{
	waiter->token = true;
	if (unlikely(waiter->bell >= 0))
		ring_bell(waiter);
	else
		pthread_cond_signal(&waiter->woken);
}

void wakes_notify_slow(struct node *wakes)
{
	struct node *calls = NULL;

	for (struct node *node = wakes, *next; node != NULL; node = next) {
		struct waiter *waiter = node->waiter;
		int32_t wake;

		next = node->next; /* the node is its owner's again after the exchange */
		wake = atomic_exchange(&waiter->wake, WAKE_NOTIFIED);
		if (wake == WAKE_CALLS) {
			node->next = calls;
			calls = node;
		}
		if (wake != WAKE_PARKED)
			continue;
		mutex_lock(&waiter->lock);
		wake_locked(waiter);
		mutex_unlock(&waiter->lock);
	}
	for (struct node *node = calls, *next; node != NULL; node = next) {
		next = node->next;
		node->waiter->call(node->waiter);
	}
}
