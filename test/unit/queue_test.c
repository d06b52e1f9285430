/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A queue: what a put and a take do to the ring, to the threads in the lists, and to their order; what ends do.  Nobody really
 * sleeps here (desk.h).
 */
#include "desk.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t capacities[] = { 0, 1, 2, 3, 5 };

/* ---- Life ------------------------------------------------------------------------------------------------------ */

/* A queue is open and empty, nobody waits, and it comes after all others in the order of locking. */
TEST(queue_init, makes_an_open_empty_queue, 5)
{
	struct desk first, second;

	desk_init(&first, 2);
	desk_init(&second, 2);
	CHECK(first.queue.id < second.queue.id);
	CHECK(first.queue.put.at.ended == DUCT_OK && first.queue.take.at.ended == DUCT_OK);
	CHECK(queue_backlog(&first.queue).len == 0);
	CHECK(queue_count_waiting(&first.queue, true) == 0 && queue_count_waiting(&first.queue, false) == 0);
	desk_fini(&first);
	desk_fini(&second);
}

/* The two sides do not share a cache line, nor does what never changes share one with them. */
TEST(queue_init, sides_lie_on_lines_of_their_own, 5)
{
	struct desk desk;

	CHECK(offsetof(struct queue, put) % CACHE_LINE == 0 && offsetof(struct queue, take) % CACHE_LINE == 0);
	CHECK(offsetof(struct queue, ring) % CACHE_LINE == 0);
	desk_init(&desk, 1);
	CHECK((uintptr_t)&desk.queue % CACHE_LINE == 0);
	desk_fini(&desk);
}

/* What the system seems to tell of its processors: -1 what it tells, 0 that it cannot, else how many there are. */
static int processors = -1;

/* Stands in for the C library's in all of the program. */
int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set)
{
	CPU_ZERO_S(size, set);
	if (processors < 0)
		return syscall(SYS_sched_getaffinity, process, size, set) < 0 ? -1 : 0;
	for (int i = 0; i < processors; i++)
		CPU_SET_S((size_t)i, size, set);
	if (processors == 0)
		errno = EINVAL; /* as with more processors than a cpu_set_t holds */
	return processors == 0 ? -1 : 0;
}

/* Only with one processor, where nobody could answer meanwhile, a wait does not spin; to ask leaves errno alone. */
TEST(queue_init, spins_unless_there_is_one_processor, 5)
{
	static const int counts[] = { 0, 1, 2, 64 };
	uint16_t pauses[ARRAY_LEN(counts)];

	errno = EDOM;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct desk desk;

		processors = counts[i];
		desk_init(&desk, 1);
		pauses[i] = desk.queue.pauses;
		desk_fini(&desk);
	}
	CHECK(errno == EDOM);
	CHECK(pauses[1] == 0 && pauses[2] > 0);
	CHECK(pauses[0] == pauses[2] && pauses[3] == pauses[2]);
}

static int destroyed;

static void count_destroyed(struct end *end)
{
	CHECK(end->references == 0);
	destroyed++;
}

/* An end goes with the last of its handle and its pins, once. */
TEST(end_unpin, destroys_with_the_last_reference, 5)
{
	struct desk desk;
	struct end end;

	desk_init(&desk, 1);
	end_init(&end, &desk.queue, NULL, count_destroyed);
	CHECK(end.references == 1 && end.flags == 0 && end.queue == &desk.queue);
	end_pin(&end);
	end_pin(&end);
	end_unpin(&end);
	end_unpin(&end);
	CHECK(destroyed == 0);
	end_unpin(&end);
	CHECK(destroyed == 1);
	desk_fini(&desk);
}

/* ---- Locks ----------------------------------------------------------------------------------------------------- */

static bool is_locked(pthread_mutex_t *lock)
{
	if (pthread_mutex_trylock(lock) != 0)
		return true;
	pthread_mutex_unlock(lock);
	return false;
}

/* Both locks are taken together and given back together. */
TEST(queue_lock_both, takes_both_sides, 5)
{
	struct desk desk;

	desk_init(&desk, 1);
	queue_lock_both(&desk.queue);
	CHECK(is_locked(&desk.queue.put.lock) && is_locked(TAKE_LOCK(&desk.queue)));
	queue_unlock_both(&desk.queue);
	CHECK(!is_locked(&desk.queue.put.lock) && !is_locked(TAKE_LOCK(&desk.queue)));
	desk_fini(&desk);
}

#ifndef DUCT_ONE_LOCK
static void *attempt(void *argument)
{
	const struct op *op = argument;

	CHECK_STATUS(queue_attempt(op), DUCT_OK);
	return NULL;
}

/* The operation succeeds in another thread while this one holds the lock of the other side. */
static void attempt_beside(struct op op, pthread_mutex_t *other_side)
{
	mutex_lock(other_side);
	test_join(test_start(attempt, &op));
	mutex_unlock(other_side);
}

/* A put goes on while somebody takes, and a take while somebody puts; refills and the serving of receivers too. */
TEST(queue_attempt, needs_one_lock_only, 5)
{
	uint64_t first = 1, third = 3, taken = 0;
	struct sleeper sender, receiver;
	struct desk desk;

	desk_init(&desk, 1);
	attempt_beside(send_through(&desk.tx, &first), &desk.queue.take.lock);
	sleeper_send(&sender, &desk.tx, 2);
	attempt_beside(recv_through(&desk.rx, &taken), &desk.queue.put.lock);
	CHECK(taken == 1 && sleeper_woke(&sender, DUCT_OK));
	attempt_beside(recv_through(&desk.rx, &taken), &desk.queue.put.lock);
	CHECK(taken == 2);
	sleeper_recv(&receiver, &desk.rx);
	attempt_beside(send_through(&desk.tx, &third), &desk.queue.take.lock);
	CHECK(sleeper_woke(&receiver, DUCT_OK) && receiver.message == 3);
	desk_fini(&desk);
}
#endif

/* The fast path gives its lock back when it did the operation, and keeps it when it could not. */
TEST(queue_fast, keeps_the_lock_where_it_fails, 5)
{
	uint64_t message = 5;
	struct desk desk;

	desk_init(&desk, 1);
	CHECK(!queue_take_fast(&desk.rx, &message));
	CHECK(is_locked(TAKE_LOCK(&desk.queue)));
	queue_unlock_take(&desk.queue);
	CHECK(queue_put_fast(&desk.tx, &message));
	CHECK(!is_locked(&desk.queue.put.lock));
	CHECK(!queue_put_fast(&desk.tx, &message));
	CHECK(is_locked(&desk.queue.put.lock));
	queue_unlock_put(&desk.queue);
	CHECK(queue_take_fast(&desk.rx, &message) && message == 5);
	CHECK(!is_locked(TAKE_LOCK(&desk.queue)));
	desk_fini(&desk);
}

/* The fast path leaves ended sides, closed ends and waiting threads to the slow one. */
TEST(queue_fast, declines_what_is_not_plain, 5)
{
	uint64_t message = 5;
	struct sleeper sleeper;
	struct desk desk;

	desk_init(&desk, 2);
	CHECK(queue_put_fast(&desk.tx, &message));
	atomic_store(&desk.tx.flags, END_CLOSED);
	atomic_store(&desk.rx.flags, END_CLOSED);
	CHECK(!queue_put_fast(&desk.tx, &message));
	queue_unlock_put(&desk.queue);
	CHECK(!queue_take_fast(&desk.rx, &message));
	queue_unlock_take(&desk.queue);
	atomic_store(&desk.tx.flags, 0);
	atomic_store(&desk.rx.flags, 0);
	queue_mark_puts_locked(&desk.queue, DUCT_NO_RECEIVERS);
	CHECK(!queue_put_fast(&desk.tx, &message));
	queue_unlock_put(&desk.queue);
	queue_mark_puts_locked(&desk.queue, DUCT_OK);
	sleeper_stand(&sleeper, &desk.rx, false, 0, true);
	CHECK(!queue_put_fast(&desk.tx, &message));
	queue_unlock_put(&desk.queue);
	sleeper_leave(&sleeper);
	sleeper_stand(&sleeper, &desk.tx, true, 0, true);
	CHECK(!queue_take_fast(&desk.rx, &message));
	queue_unlock_take(&desk.queue);
	sleeper_leave(&sleeper);
	desk_fini(&desk);
}

/* ---- Put and take ---------------------------------------------------------------------------------------------- */

/* Exactly the capacity goes in, and comes out in order, lap after lap. */
TEST(queue_attempt, is_first_in_first_out_up_to_the_capacity, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		size_t capacity = capacities[i];
		uint64_t message = 77;
		struct desk desk;

		desk_init(&desk, capacity);
		for (int lap = 0; lap < 5; lap++) {
			CHECK_STATUS(desk_take(&desk, &message), DUCT_EMPTY);
			desk_fill(&desk);
			CHECK(queue_backlog(&desk.queue).len == capacity);
			CHECK_STATUS(desk_put(&desk, 9), DUCT_FULL);
			for (uint64_t m = 1; m <= capacity; m++)
				desk_expect(&desk, m);
			CHECK(queue_backlog(&desk.queue).len == 0);
		}
		CHECK(message == 77);
		desk_fini(&desk);
	}
}

/* A put serves the receivers that wait, first come first, and leaves the ring alone. */
TEST(put, serves_waiting_receivers_in_order, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		struct sleeper sleepers[3];
		struct desk desk;

		desk_init(&desk, capacities[i]);
		for (size_t s = 0; s < 3; s++)
			sleeper_recv(&sleepers[s], &desk.rx);
		CHECK(queue_count_waiting(&desk.queue, false) == 3 && queue_count_waiting(&desk.queue, true) == 0);
		for (size_t s = 0; s < 3; s++) {
			CHECK(sleeper_sleeps(&sleepers[s]));
			CHECK_STATUS(desk_put(&desk, 10 + s), DUCT_OK);
			CHECK(sleeper_woke(&sleepers[s], DUCT_OK) && sleepers[s].message == 10 + s);
			CHECK(queue_backlog(&desk.queue).len == 0);
		}
		CHECK_STATUS(desk_put(&desk, 13), capacities[i] == 0 ? DUCT_FULL : DUCT_OK);
		CHECK(queue_backlog(&desk.queue).len == (capacities[i] != 0));
		desk_fini(&desk);
	}
}

/* A take lets the first waiting sender's message into the slot it freed: order is kept and the ring stays full. */
TEST(take, refills_from_waiting_senders_in_order, 5)
{
	for (size_t i = 1; i < ARRAY_LEN(capacities); i++) {
		size_t capacity = capacities[i];
		struct sleeper sleepers[3];
		struct desk desk;

		desk_init(&desk, capacity);
		desk_fill(&desk);
		for (size_t s = 0; s < 3; s++)
			sleeper_send(&sleepers[s], &desk.tx, capacity + 1 + s);
		CHECK(queue_count_waiting(&desk.queue, true) == 3);
		for (size_t s = 0; s < 3; s++) {
			CHECK(sleeper_sleeps(&sleepers[s]));
			desk_expect(&desk, 1 + s);
			CHECK(sleeper_woke(&sleepers[s], DUCT_OK));
			CHECK(queue_backlog(&desk.queue).len == capacity);
			CHECK_STATUS(desk_put(&desk, 99), DUCT_FULL);
		}
		for (uint64_t m = 4; m <= capacity + 3; m++)
			desk_expect(&desk, m);
		CHECK(queue_backlog(&desk.queue).len == 0);
		desk_fini(&desk);
	}
}

/* At capacity 0 a take goes straight to the waiting senders, first come first. */
TEST(take, at_capacity_0_serves_waiting_senders_in_order, 5)
{
	struct sleeper sleepers[3];
	uint64_t message = 77;
	struct desk desk;

	desk_init(&desk, 0);
	for (size_t s = 0; s < 3; s++)
		sleeper_send(&sleepers[s], &desk.tx, 1 + s);
	for (size_t s = 0; s < 3; s++) {
		CHECK(sleeper_sleeps(&sleepers[s]));
		desk_expect(&desk, 1 + s);
		CHECK(sleeper_woke(&sleepers[s], DUCT_OK));
	}
	CHECK_STATUS(desk_take(&desk, &message), DUCT_EMPTY);
	CHECK(message == 77);
	desk_fini(&desk);
}

/* Who has given up is taken out of the list on the way, gets nothing and is not woken. */
TEST(claim_first, passes_over_those_that_gave_up, 5)
{
	for (int is_send = 0; is_send < 2; is_send++) {
		struct sleeper gone, alive;
		struct desk desk;

		desk_init(&desk, 0);
		sleeper_stand(&gone, is_send ? &desk.tx : &desk.rx, is_send, 1, false);
		sleeper_stand(&alive, is_send ? &desk.tx : &desk.rx, is_send, 2, false);
		sleeper_withdraw(&gone);
		CHECK(queue_count_waiting(&desk.queue, is_send) == 1);
		if (is_send) {
			desk_expect(&desk, 2);
		} else {
			CHECK_STATUS(desk_put(&desk, 2), DUCT_OK);
			CHECK(alive.message == 2 && gone.message == 1);
		}
		CHECK(sleeper_woke(&alive, DUCT_OK));
		CHECK(!gone.waiter.first.linked && !waiter_is_notified(&gone.waiter));
		CHECK(gone.waiter.claim == CLAIM_WITHDRAWN);
		sleeper_leave(&gone);
		desk_fini(&desk);
	}
}

/* Observers before a receiver are pinged and get no message; those behind it are left for the next. */
TEST(claim_first, pings_observers_and_goes_on, 5)
{
	struct sleeper before[2], receiver, behind;
	struct desk desk;

	desk_init(&desk, 0);
	sleeper_stand(&before[0], &desk.rx, false, 50, true);
	sleeper_stand(&before[1], &desk.rx, false, 51, true);
	sleeper_recv(&receiver, &desk.rx);
	sleeper_stand(&behind, &desk.rx, false, 52, true);
	CHECK_STATUS(desk_put(&desk, 5), DUCT_OK);
	CHECK(sleeper_woke(&before[0], DUCT_OK) && before[0].message == 50);
	CHECK(sleeper_woke(&before[1], DUCT_OK) && before[1].message == 51);
	CHECK(sleeper_woke(&receiver, DUCT_OK) && receiver.message == 5);
	CHECK(sleeper_sleeps(&behind));
	CHECK_STATUS(desk_put(&desk, 6), DUCT_FULL);
	CHECK(sleeper_woke(&behind, DUCT_OK) && behind.message == 52);
	desk_fini(&desk);
}

/* With nobody but observers a put goes into the ring, and a take out of it. */
TEST(claim_first, observers_hold_nobody_up, 5)
{
	struct sleeper observer;
	struct desk desk;

	desk_init(&desk, 1);
	sleeper_stand(&observer, &desk.rx, false, 50, true);
	CHECK_STATUS(desk_put(&desk, 5), DUCT_OK);
	CHECK(sleeper_woke(&observer, DUCT_OK) && observer.message == 50 && queue_backlog(&desk.queue).len == 1);
	sleeper_stand(&observer, &desk.tx, true, 51, true);
	desk_expect(&desk, 5);
	CHECK(sleeper_woke(&observer, DUCT_OK) && queue_backlog(&desk.queue).len == 0);
	desk_fini(&desk);
}

/* ---- Many ------------------------------------------------------------------------------------------------------ */

/* A batch serves those who wait first, then fills the ring, and says what did not go. */
TEST(queue_put_many, serves_receivers_then_the_ring, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		const uint64_t messages[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
		struct sleeper sleepers[2], observer;
		size_t moved = 77;
		struct desk desk;

		desk_init(&desk, capacities[i]);
		sleeper_recv(&sleepers[0], &desk.rx);
		sleeper_stand(&observer, &desk.rx, false, 50, true);
		sleeper_recv(&sleepers[1], &desk.rx);
		CHECK_STATUS(queue_put_many(&desk.tx, messages, ARRAY_LEN(messages), &moved), DUCT_OK);
		CHECK(moved == 2 + capacities[i]);
		CHECK(sleeper_woke(&sleepers[0], DUCT_OK) && sleepers[0].message == 1);
		CHECK(sleeper_woke(&sleepers[1], DUCT_OK) && sleepers[1].message == 2);
		CHECK(sleeper_woke(&observer, DUCT_OK) && observer.message == 50);
		CHECK_STATUS(queue_put_many(&desk.tx, messages, 9, &moved), DUCT_FULL);
		CHECK(moved == 0);
		for (uint64_t m = 3; m < 3 + capacities[i]; m++)
			desk_expect(&desk, m);
		desk_fini(&desk);
	}
}

/* A batch smaller than the number of receivers serves so many. */
TEST(queue_put_many, stops_at_its_count, 5)
{
	const uint64_t messages[] = { 1, 2 };
	struct sleeper sleepers[2];
	size_t moved;
	struct desk desk;

	desk_init(&desk, 3);
	sleeper_recv(&sleepers[0], &desk.rx);
	sleeper_recv(&sleepers[1], &desk.rx);
	CHECK_STATUS(queue_put_many(&desk.tx, messages, 1, &moved), DUCT_OK);
	CHECK(moved == 1 && sleeper_woke(&sleepers[0], DUCT_OK) && sleeper_sleeps(&sleepers[1]));
	CHECK_STATUS(queue_put_many(&desk.tx, messages, 0, &moved), DUCT_OK);
	CHECK(moved == 0);
	sleeper_leave(&sleepers[1]);
	desk_fini(&desk);
}

/* What one receiver got was sent, though behind it there are only those who look on. */
TEST(queue_put_many, serves_who_is_there, 5)
{
	const uint64_t messages[] = { 1, 2 };
	struct sleeper receiver, observer;
	size_t moved = 77;
	struct desk desk;

	desk_init(&desk, 0);
	sleeper_recv(&receiver, &desk.rx);
	sleeper_stand(&observer, &desk.rx, false, 50, true);
	CHECK_STATUS(queue_put_many(&desk.tx, messages, 2, &moved), DUCT_OK);
	CHECK(moved == 1 && sleeper_woke(&receiver, DUCT_OK) && receiver.message == 1);
	CHECK(sleeper_woke(&observer, DUCT_OK) && observer.message == 50);
	desk_fini(&desk);
}

/* Nothing goes into a side that has ended or through an end that is closed, and the status says why. */
TEST(queue_put_many, is_refused_with_the_reason, 5)
{
	const uint64_t messages[] = { 1, 2 };
	size_t moved = 77;
	struct desk desk;

	desk_init(&desk, 3);
	queue_mark_puts_locked(&desk.queue, DUCT_NO_RECEIVERS);
	CHECK_STATUS(queue_put_many(&desk.tx, messages, 2, &moved), DUCT_NO_RECEIVERS);
	CHECK(moved == 0);
	end_mark_locked(&desk.tx);
	CHECK_STATUS(queue_put_many(&desk.tx, messages, 2, &moved), DUCT_CLOSED);
	CHECK(moved == 0 && queue_backlog(&desk.queue).len == 0);
	desk_fini(&desk);
}

/* A batch that may not go in at all serves nobody either: those who wait may be waiting for another sender's. */
TEST(queue_put_many, refused_serves_nobody, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		const uint64_t messages[] = { 1, 2 };
		struct sleeper sleeper;
		size_t moved = 77;
		struct desk desk;
		struct end other;

		desk_init(&desk, capacities[i]);
		end_init(&other, &desk.queue, NULL, desk_end_left);
		sleeper_recv(&sleeper, &desk.rx);
		desk_close(&other, true);
		CHECK_STATUS(queue_put_many(&other, messages, 2, &moved), DUCT_CLOSED);
		CHECK(moved == 0 && sleeper_sleeps(&sleeper) && queue_backlog(&desk.queue).len == 0);
		CHECK_STATUS(desk_put(&desk, 3), DUCT_OK);
		CHECK(sleeper_woke(&sleeper, DUCT_OK) && sleeper.message == 3);
		desk_fini(&desk);
	}
}

/* A batch takes what is there and what moves up meanwhile, in order, and wakes those whose messages it let in. */
TEST(queue_take_many, takes_the_ring_and_those_who_wait, 5)
{
	for (size_t i = 0; i < ARRAY_LEN(capacities); i++) {
		size_t capacity = capacities[i];
		uint64_t messages[20] = { 0 };
		struct sleeper sleepers[2], observer;
		size_t moved = 77;
		struct desk desk;

		desk_init(&desk, capacity);
		desk_fill(&desk);
		sleeper_send(&sleepers[0], &desk.tx, capacity + 1);
		sleeper_stand(&observer, &desk.tx, true, 50, true);
		sleeper_send(&sleepers[1], &desk.tx, capacity + 2);
		CHECK_STATUS(queue_take_many(&desk.rx, messages, 20, &moved), DUCT_OK);
		CHECK(moved == capacity + 2);
		for (size_t m = 0; m < moved; m++)
			CHECK(messages[m] == m + 1);
		CHECK(messages[moved] == 0);
		CHECK(sleeper_woke(&sleepers[0], DUCT_OK) && sleeper_woke(&sleepers[1], DUCT_OK));
		CHECK(sleeper_woke(&observer, DUCT_OK));
		CHECK_STATUS(queue_take_many(&desk.rx, messages, 20, &moved), DUCT_EMPTY);
		CHECK(moved == 0);
		desk_fini(&desk);
	}
}

/* At capacity 0 those in line who have nothing to give, having given up or only wanting to know, make no batch. */
TEST(queue_take_many, at_capacity_0_finds_nothing_with_observers, 5)
{
	struct sleeper gone, observer;
	uint64_t messages[2] = { 0 };
	size_t moved = 77;
	struct desk desk;

	desk_init(&desk, 0);
	sleeper_send(&gone, &desk.tx, 1);
	sleeper_withdraw(&gone);
	sleeper_stand(&observer, &desk.tx, true, 2, true);
	CHECK_STATUS(queue_take_many(&desk.rx, messages, 2, &moved), DUCT_EMPTY);
	CHECK(moved == 0 && messages[0] == 0);
	CHECK(sleeper_woke(&observer, DUCT_OK) && !gone.waiter.first.linked && !waiter_is_notified(&gone.waiter));
	desk_fini(&desk);
}

/* A batch of fewer lets fewer in: the ring stays full, the others wait on. */
TEST(queue_take_many, stops_at_its_count, 5)
{
	struct sleeper sleepers[2];
	uint64_t messages[3] = { 0 };
	size_t moved;
	struct desk desk;

	desk_init(&desk, 3);
	desk_fill(&desk);
	sleeper_send(&sleepers[0], &desk.tx, 4);
	sleeper_send(&sleepers[1], &desk.tx, 5);
	CHECK_STATUS(queue_take_many(&desk.rx, messages, 1, &moved), DUCT_OK);
	CHECK(moved == 1 && messages[0] == 1 && messages[1] == 0 && queue_backlog(&desk.queue).len == 3);
	CHECK(sleeper_woke(&sleepers[0], DUCT_OK) && sleeper_sleeps(&sleepers[1]));
	sleeper_leave(&sleepers[1]);
	desk_fini(&desk);
}

/* After the end what is queued can still be taken; then, and through a closed end at once, it is over. */
TEST(queue_take_many, drains_before_it_is_closed, 5)
{
	uint64_t messages[3] = { 0 };
	size_t moved;
	struct desk desk;

	desk_init(&desk, 2);
	desk_fill(&desk);
	queue_mark_takes_locked(&desk.queue, DUCT_CLOSED);
	CHECK_STATUS(queue_take_many(&desk.rx, messages, 1, &moved), DUCT_OK);
	CHECK(moved == 1 && messages[0] == 1);
	end_mark_locked(&desk.rx);
	CHECK_STATUS(queue_take_many(&desk.rx, messages, 1, &moved), DUCT_CLOSED);
	CHECK(moved == 0 && queue_backlog(&desk.queue).len == 1);
	atomic_store(&desk.rx.flags, 0);
	CHECK_STATUS(queue_take_many(&desk.rx, messages, 2, &moved), DUCT_OK);
	CHECK(moved == 1 && messages[0] == 2);
	CHECK_STATUS(queue_take_many(&desk.rx, messages, 2, &moved), DUCT_CLOSED);
	CHECK(moved == 0);
	desk_fini(&desk);
}

/* Where the queued messages end now. */
static size_t end_of(struct desk *desk)
{
	size_t end;

	end = queue_backlog(&desk->queue).end;
	return end;
}

/* A discard throws away what is there, with or without a place to put it; those who wait move up and are kept. */
TEST(queue_discard, lets_those_who_wait_move_up, 5)
{
	for (int keeps = 0; keeps < 2; keeps++) {
		uint64_t thrown[4] = { 0 };
		struct sleeper sleepers[2];
		struct desk desk;
		size_t end;

		desk_init(&desk, 3);
		desk_fill(&desk);
		sleeper_send(&sleepers[0], &desk.tx, 4);
		sleeper_send(&sleepers[1], &desk.tx, 5);
		end = end_of(&desk);
		CHECK(queue_discard(&desk.queue, end, keeps ? thrown : NULL, SIZE_MAX, NULL) == 3);
		CHECK(sleeper_woke(&sleepers[0], DUCT_OK) && sleeper_woke(&sleepers[1], DUCT_OK));
		for (uint64_t i = 0; i < 3; i++)
			CHECK(thrown[i] == (keeps ? i + 1 : 0));
		CHECK(queue_discard(&desk.queue, end, NULL, SIZE_MAX, NULL) == 0);
		CHECK(queue_backlog(&desk.queue).len == 2);
		desk_expect(&desk, 4);
		desk_expect(&desk, 5);
		desk_fini(&desk);
	}
}

/* It goes no further than the end that was seen, whatever others took and put meanwhile. */
TEST(queue_discard, stops_at_its_end, 5)
{
	for (uint64_t taken = 0; taken <= 5; taken++) {
		struct desk desk;
		size_t end;

		desk_init(&desk, 3);
		desk_fill(&desk);
		end = end_of(&desk);
		for (uint64_t i = 0; i < taken; i++) {
			desk_expect(&desk, 1 + i);
			CHECK_STATUS(desk_put(&desk, 4 + i), DUCT_OK);
		}
		CHECK(queue_discard(&desk.queue, end, NULL, SIZE_MAX, NULL) == (taken < 3 ? 3 - taken : 0));
		CHECK(queue_backlog(&desk.queue).len == (taken < 3 ? taken : 3));
		for (uint64_t i = taken < 3 ? 3 : taken; i < taken + 3; i++)
			desk_expect(&desk, 1 + i);
		desk_fini(&desk);
	}
}

/* It takes so many at most, and asks no end and no side whether it may. */
TEST(queue_discard, works_by_handfuls_on_what_has_ended, 5)
{
	struct desk desk;
	size_t end;

	desk_init(&desk, 3);
	desk_fill(&desk);
	queue_mark_puts_locked(&desk.queue, DUCT_CLOSED);
	queue_mark_takes_locked(&desk.queue, DUCT_CLOSED);
	end = end_of(&desk);
	CHECK(queue_discard(&desk.queue, end, NULL, 2, NULL) == 2);
	CHECK(queue_discard(&desk.queue, end, NULL, 2, NULL) == 1);
	CHECK(queue_discard(&desk.queue, end, NULL, 2, NULL) == 0 && queue_backlog(&desk.queue).len == 0);
	desk_fini(&desk);
}

/* At capacity 0 nothing is queued: those who wait keep their messages. */
TEST(queue_discard, at_capacity_0_leaves_those_who_wait, 5)
{
	struct sleeper sleeper;
	struct desk desk;

	desk_init(&desk, 0);
	sleeper_send(&sleeper, &desk.tx, 4);
	CHECK(queue_discard(&desk.queue, end_of(&desk), NULL, SIZE_MAX, NULL) == 0);
	CHECK(sleeper_sleeps(&sleeper));
	desk_expect(&desk, 4);
	desk_fini(&desk);
}

/* ---- Lists ----------------------------------------------------------------------------------------------------- */

#define IN_LINE 5

/* Whoever leaves the line, from any place in it, the others keep their order; to leave twice changes nothing. */
TEST(queue_unwait, keeps_the_order_of_the_others, 5)
{
	for (unsigned leaving = 0; leaving < 1u << IN_LINE; leaving++) {
		struct sleeper sleepers[IN_LINE];
		struct desk desk;

		desk_init(&desk, 0);
		for (size_t i = 0; i < IN_LINE; i++)
			sleeper_recv(&sleepers[i], &desk.rx);
		for (int again = 0; again < 2; again++)
			for (size_t i = 0; i < IN_LINE; i++)
				if (leaving >> i & 1)
					sleeper_leave(&sleepers[i]);
		for (size_t i = 0; i < IN_LINE; i++) {
			if (leaving >> i & 1)
				continue;
			CHECK(sleeper_sleeps(&sleepers[i]));
			CHECK_STATUS(desk_put(&desk, i), DUCT_OK);
			CHECK(sleeper_woke(&sleepers[i], DUCT_OK));
		}
		CHECK_STATUS(desk_put(&desk, 9), DUCT_FULL);
		desk_fini(&desk);
	}
}

/* Closing one end ends the waits that came through it and no others, which keep their order: any mixture of two ends. */
TEST(end_stop_waits_locked, ends_only_its_own_waits, 5)
{
	for (unsigned mine = 0; mine < 1u << IN_LINE; mine++) {
		struct sleeper sleepers[IN_LINE];
		struct desk desk;
		struct end other;

		desk_init(&desk, 0);
		end_init(&other, &desk.queue, NULL, desk_end_left);
		for (size_t i = 0; i < IN_LINE; i++)
			sleeper_send(&sleepers[i], mine >> i & 1 ? &desk.tx : &other, i);
		desk_close(&desk.tx, true);
		CHECK(desk.tx.flags == END_CLOSED && other.flags == 0);
		for (size_t i = 0; i < IN_LINE; i++) {
			if (mine >> i & 1) {
				CHECK(sleeper_woke(&sleepers[i], DUCT_CLOSED));
				continue;
			}
			CHECK(sleeper_sleeps(&sleepers[i]));
			desk_expect(&desk, i);
			CHECK(sleeper_woke(&sleepers[i], DUCT_OK));
		}
		desk_fini(&desk);
	}
}

/* A closed receiver ends waits of receivers, a closed sender those of senders; observers are told as well. */
TEST(end_stop_waits_locked, ends_waits_of_its_own_direction, 5)
{
	struct sleeper receiver, watcher;
	uint64_t message;
	struct desk desk;

	desk_init(&desk, 1);
	sleeper_recv(&receiver, &desk.rx);
	sleeper_stand(&watcher, &desk.rx, false, 0, true);
	desk_close(&desk.tx, true);
	CHECK(sleeper_sleeps(&receiver) && sleeper_sleeps(&watcher));
	desk_close(&desk.rx, false);
	CHECK(sleeper_woke(&receiver, DUCT_CLOSED) && sleeper_woke(&watcher, DUCT_CLOSED));
	CHECK_STATUS(desk_put(&desk, 1), DUCT_CLOSED);
	CHECK_STATUS(desk_take(&desk, &message), DUCT_CLOSED);
	CHECK(queue_backlog(&desk.queue).len == 0);
	desk_fini(&desk);
}

/* Who gave up already is taken out too, but not woken: nobody would wait for that. */
TEST(end_stop_waits_locked, leaves_those_alone_that_gave_up, 5)
{
	struct sleeper gone, alive;
	struct desk desk;

	desk_init(&desk, 1);
	sleeper_recv(&gone, &desk.rx);
	sleeper_recv(&alive, &desk.rx);
	sleeper_withdraw(&gone);
	desk_close(&desk.rx, false);
	CHECK(sleeper_woke(&alive, DUCT_CLOSED));
	CHECK(!gone.waiter.first.linked && !waiter_is_notified(&gone.waiter));
	desk_fini(&desk);
}

/* The end of the put side meets all senders with its status, those of any end, and can be taken back. */
TEST(queue_stop_waits_locked, ends_all_waits_of_senders, 5)
{
	struct sleeper sleepers[3];
	struct desk desk;
	struct end other;

	desk_init(&desk, 1);
	end_init(&other, &desk.queue, NULL, desk_end_left);
	desk_fill(&desk);
	sleeper_send(&sleepers[0], &desk.tx, 2);
	sleeper_send(&sleepers[1], &other, 3);
	sleeper_send(&sleepers[2], &desk.tx, 4);
	desk_end_puts(&desk, DUCT_NO_RECEIVERS);
	for (size_t i = 0; i < 3; i++)
		CHECK(sleeper_woke(&sleepers[i], DUCT_NO_RECEIVERS));
	CHECK_STATUS(desk_put(&desk, 5), DUCT_NO_RECEIVERS);
	desk_expect(&desk, 1);
	queue_mark_puts_locked(&desk.queue, DUCT_OK);
	CHECK_STATUS(desk_put(&desk, 5), DUCT_OK);
	desk_expect(&desk, 5);
	desk_fini(&desk);
}

/* The end of the take side meets all receivers, also those that come later to an empty ring. */
TEST(queue_stop_waits_locked, ends_all_waits_of_receivers, 5)
{
	struct sleeper sleepers[2];
	uint64_t message;
	struct desk desk;

	desk_init(&desk, 1);
	sleeper_recv(&sleepers[0], &desk.rx);
	sleeper_recv(&sleepers[1], &desk.rx);
	desk_end_takes(&desk);
	CHECK(sleeper_woke(&sleepers[0], DUCT_CLOSED) && sleeper_woke(&sleepers[1], DUCT_CLOSED));
	CHECK_STATUS(desk_take(&desk, &message), DUCT_CLOSED);
	desk_fini(&desk);
}

/* A mark by itself stops no wait, and only waits of a marked direction are stopped. */
TEST(queue_stop_waits_locked, stops_what_is_marked, 5)
{
	struct sleeper receiver;
	struct node *wakes = NULL;
	struct desk desk;

	desk_init(&desk, 1);
	sleeper_recv(&receiver, &desk.rx);
	desk_end_puts(&desk, DUCT_CLOSED);
	CHECK(sleeper_sleeps(&receiver));
	queue_lock_both(&desk.queue);
	queue_mark_takes_locked(&desk.queue, DUCT_CLOSED);
	CHECK(sleeper_sleeps(&receiver));
	queue_stop_waits_locked(&desk.queue, &wakes);
	queue_unlock_both(&desk.queue);
	wakes_notify(wakes);
	CHECK(sleeper_woke(&receiver, DUCT_CLOSED));
	desk_fini(&desk);
}

/* ---- Looking --------------------------------------------------------------------------------------------------- */

/* A state that a queue can be in, as far as one operation sees it. */
struct state {
	size_t capacity, len;
	duct_status puts_ended;
	bool takes_ended, end_closed, is_send;
	int partner; /* in the list of the other side: 0 none, 1 a thread, 2 one that gave up, 3 an observer */
};

static duct_status expected_put(const struct state *state)
{
	if (state->end_closed)
		return DUCT_CLOSED;
	if (state->puts_ended != DUCT_OK)
		return state->puts_ended;
	return state->len < state->capacity || state->partner == 1 ? DUCT_OK : DUCT_FULL;
}

static duct_status expected_take(const struct state *state)
{
	if (state->end_closed)
		return DUCT_CLOSED;
	if (state->len > 0 || state->partner == 1)
		return DUCT_OK;
	return state->takes_ended ? DUCT_CLOSED : DUCT_EMPTY;
}

/* Brings a desk into the state. */
static void set_up(struct desk *desk, struct sleeper *partner, const struct state *state)
{
	desk_init(desk, state->capacity);
	for (uint64_t i = 1; i <= state->len; i++)
		CHECK_STATUS(desk_put(desk, i), DUCT_OK);
	atomic_store(&desk->queue.put.at.ended, state->puts_ended);
	atomic_store(&desk->queue.take.at.ended, state->takes_ended ? DUCT_CLOSED : DUCT_OK);
	atomic_store(state->is_send ? &desk->tx.flags : &desk->rx.flags, state->end_closed ? END_CLOSED : 0);
	if (state->partner == 0)
		return;
	sleeper_stand(partner, state->is_send ? &desk->rx : &desk->tx, !state->is_send, 60, state->partner == 3);
	if (state->partner == 2)
		sleeper_withdraw(partner);
}

static void check_state(const struct state *state)
{
	duct_status expected = state->is_send ? expected_put(state) : expected_take(state), probed;
	struct node *wakes = NULL;
	uint64_t message = 50;
	struct sleeper partner;
	struct desk desk;
	struct op op;
	bool looked_ready;

	set_up(&desk, &partner, state);
	op = state->is_send ? send_through(&desk.tx, &message) : recv_through(&desk.rx, &message);
	looked_ready = queue_looks_ready(&op);
	queue_lock_both(&desk.queue);
	probed = queue_probe_locked(&op);
	CHECK_STATUS(probed, expected);
	CHECK(queue_backlog_locked(&desk.queue).len == state->len && message == 50);
	CHECK(state->partner == 0 || (partner.waiter.first.linked && !waiter_is_notified(&partner.waiter)));
	CHECK_STATUS(queue_do_locked(&op, &wakes), expected);
	queue_unlock_both(&desk.queue);
	CHECK(looked_ready || is_pending(expected));
	if (state->partner == 0 && !state->takes_ended && state->puts_ended == DUCT_OK)
		CHECK(looked_ready == !is_pending(expected));
	wakes_notify(wakes);
	if (state->partner != 0)
		sleeper_leave(&partner);
	desk_fini(&desk);
}

/* A probe in any state says what the attempt then comes to and changes nothing; a look never misses that it is ready. */
TEST(queue_probe_locked, foretells_every_state, 5)
{
	static const duct_status puts[] = { DUCT_OK, DUCT_NO_RECEIVERS, DUCT_CLOSED };
	struct state state;

	for (unsigned bits = 0; bits < 3 * 3 * 3 * 4 * 8; bits++) {
		unsigned rest = bits;

		state.is_send = rest % 2, rest /= 2;
		state.end_closed = rest % 2, rest /= 2;
		state.takes_ended = rest % 2, rest /= 2;
		state.partner = (int)(rest % 4), rest /= 4;
		state.puts_ended = puts[rest % 3], rest /= 3;
		state.capacity = rest % 3, rest /= 3;
		state.len = rest % 3;
		/* A partner would have had no reason to wait. */
		if (state.len > state.capacity ||
		    (state.partner == 1 && (state.is_send ? state.len > 0 : state.len < state.capacity)))
			continue;
		check_state(&state);
	}
}

/* A watched slot moves when the operation becomes ready there, and not before; round the ring too. */
TEST(queue_watch, moves_when_the_slot_is_ready, 5)
{
	enum { CAPACITY = 3 };

	for (size_t wound = 0; wound < 2 * CAPACITY; wound++) {
		for (size_t ahead = 0; ahead < CAPACITY; ahead++) {
			uint64_t message = 0;
			struct desk desk;
			struct op send, recv;
			struct watch watch;

			desk_init(&desk, CAPACITY);
			send = send_through(&desk.tx, &message);
			recv = recv_through(&desk.rx, &message);
			for (size_t i = 0; i < wound; i++) {
				CHECK_STATUS(desk_put(&desk, 1), DUCT_OK);
				CHECK_STATUS(desk_take(&desk, &message), DUCT_OK);
			}
			watch = queue_watch(&recv);
			watch = watch_ahead(&desk.queue.ring, &watch, ahead);
			for (size_t i = 0; i < CAPACITY; i++) {
				CHECK(watch_moved(&watch) == (i > ahead));
				CHECK_STATUS(desk_put(&desk, i), DUCT_OK);
			}
			CHECK_STATUS(desk_take(&desk, &message), DUCT_OK);
			watch = queue_watch(&recv);
			CHECK(watch_moved(&watch)); /* there is a message, in a ring that is not full */
			CHECK_STATUS(desk_put(&desk, 3), DUCT_OK);
			watch = queue_watch(&send);
			watch = watch_ahead(&desk.queue.ring, &watch, ahead);
			for (size_t i = 0; i < CAPACITY; i++) {
				CHECK(watch_moved(&watch) == (i > ahead));
				CHECK_STATUS(desk_take(&desk, &message), DUCT_OK);
			}
			desk_fini(&desk);
		}
	}
}

/* A new queue has learned nothing, whatever was in its memory before. */
TEST(queue_init, has_learned_nothing, 5)
{
	struct desk desk;

	memset(&desk, 0xff, sizeof desk);
	desk_init(&desk, 1);
	CHECK(desk.queue.pausing.without == 0 && desk.queue.pausing.lasting == 0);
	CHECK(desk.queue.yielding.without == 0 && desk.queue.yielding.lasting == 0);
	desk_fini(&desk);
}

/* A run is a quarter of the ring, and 64 slots at most. */
TEST(queue_run, is_a_quarter, 5)
{
	static const struct {
		size_t capacity, run;
	} sizes[] = { { 0, 0 }, { 1, 0 }, { 3, 0 }, { 4, 1 }, { 7, 1 }, { 8, 2 }, { 255, 63 }, { 256, 64 }, { 1024, 64 } };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct desk desk;

		desk_init(&desk, sizes[i].capacity);
		CHECK(queue_run(&desk.queue) == sizes[i].run);
		desk_fini(&desk);
	}
}

#ifndef DUCT_ONE_LOCK
struct reader {
	struct queue *queue;
	size_t len;
	_Atomic bool done;
};

static void *read_len(void *argument)
{
	struct reader *reader = argument;

	reader->len = queue_backlog(reader->queue).len;
	atomic_store(&reader->done, true);
	return NULL;
}

/* A message can be taken before its put has moved the cursor: to count, one waits for the put to be through. */
TEST(queue_backlog, waits_for_a_put_that_is_under_way, 5)
{
	struct desk desk;
	struct reader reader;
	pthread_t thread;

	desk_init(&desk, 3);
	reader = (struct reader){ .queue = &desk.queue, .len = 77 };
	queue_lock_put(&desk.queue);
	*(uint64_t *)ring_message(&desk.queue.ring, 0) = 1;
	atomic_store(ring_word(&desk.queue.ring, 0), 1); /* the first half of a put */
	desk_expect(&desk, 1);
	thread = test_start(read_len, &reader);
	for (int i = 0; i < 20; i++) {
		test_pause();
		CHECK(!atomic_load(&reader.done));
	}
	cursor_advance(&desk.queue.ring, &desk.queue.put.at, 1); /* the second */
	queue_unlock_put(&desk.queue);
	test_join(thread);
	CHECK(reader.len == 0);
	desk_fini(&desk);
}
#endif

/* Threads are counted that still wait, observers too, and each on the side where it wants something. */
TEST(queue_count_waiting, counts_the_living, 5)
{
	struct sleeper receivers[3], sender;
	struct desk desk;

	desk_init(&desk, 0);
	sleeper_recv(&receivers[0], &desk.rx);
	sleeper_stand(&receivers[1], &desk.rx, false, 0, true);
	sleeper_recv(&receivers[2], &desk.rx);
	sleeper_stand(&sender, &desk.tx, true, 0, true);
	CHECK(queue_count_waiting(&desk.queue, false) == 3 && queue_count_waiting(&desk.queue, true) == 1);
	sleeper_withdraw(&receivers[0]);
	CHECK(queue_count_waiting(&desk.queue, false) == 2);
	for (size_t i = 0; i < 3; i++)
		sleeper_leave(&receivers[i]);
	sleeper_leave(&sender);
	CHECK(queue_count_waiting(&desk.queue, false) == 0 && queue_count_waiting(&desk.queue, true) == 0);
	desk_fini(&desk);
}
