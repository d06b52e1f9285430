/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Waiting: which operation is done, how a wait ends, and that it leaves nothing behind.  Each test ends by asking its desks
 * whether a list, a lock or a pin was kept.
 */
#include "cancel.h"
#include "desk.h"
#include "log.h"
#include "channel.h"
#include "wait.h"

#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define MOST_CASES 100
#define NOT_DONE UINT32_MAX

static struct desk desks[MOST_CASES];

static void desks_init(size_t count, size_t capacity)
{
	for (size_t i = 0; i < count; i++)
		desk_init(&desks[i], capacity);
}

static void desks_fini(size_t count)
{
	for (size_t i = 0; i < count; i++)
		desk_fini(&desks[i]);
}

/* A wait with its rules, in this thread or in one of its own. */
struct attempt {
	struct wait_rules rules;
	uint64_t message; /* what each receive writes and each send sends */
	duct_status status;
	_Atomic bool over;
	pthread_t thread;
	void (*on_yield)(void); /* or NULL; only in a thread of its own */
	struct wait wait;       /* the last, so that a sanitizer sees what is written behind it */
};

/* A wait whose operations are still to be filled in. */
static void attempt_init(struct attempt *attempt, uint32_t cases, struct wait_rules rules)
{
	attempt->rules = rules;
	attempt->message = 77;
	attempt->on_yield = NULL;
	atomic_init(&attempt->over, false);
	CHECK_STATUS(wait_init(&attempt->wait, cases, rules.cancel), DUCT_OK);
	CHECK(attempt->wait.cases == cases);
}

static void attempt_set(struct attempt *attempt, uint32_t i, struct end *end, bool is_send)
{
	attempt->wait.ops[i] = is_send ? send_through(end, &attempt->message) : recv_through(end, &attempt->message);
	attempt->wait.ops[i].observe = attempt->rules.observe;
}

/* Receives on the first desks, one each. */
static void attempt_receives(struct attempt *attempt, uint32_t cases, struct wait_rules rules)
{
	attempt_init(attempt, cases, rules);
	for (uint32_t i = 0; i < cases; i++)
		attempt_set(attempt, i, &desks[i].rx, false);
}

static duct_status attempt_run(struct attempt *attempt)
{
	const struct tour tour = tour_plan(attempt->wait.cases, attempt->rules.in_order);

	attempt->wait.done = NOT_DONE;
	attempt->status = wait_any(&attempt->wait, &attempt->rules, &tour);
	return attempt->status;
}

static void *attempt_thread(void *argument)
{
	struct attempt *attempt = argument;

	on_yield = attempt->on_yield;
	attempt_run(attempt);
	atomic_store(&attempt->over, true);
	return NULL;
}

static void attempt_start(struct attempt *attempt)
{
	attempt->thread = test_start(attempt_thread, attempt);
}

static void attempt_join(struct attempt *attempt, duct_status status)
{
	test_join(attempt->thread);
	CHECK_STATUS(attempt->status, status);
	wait_fini(&attempt->wait);
}

static void await_receivers(struct desk *desk, size_t count)
{
	AWAIT(queue_count_waiting(&desk->queue, false) == count);
}

static const struct wait_rules forever = { .deadline = DUCT_FOREVER, .expired = DUCT_TIMEDOUT };

/* The ways to go about a wait that ends at once. */
static const struct wait_rules tries[] = {
	{ .deadline = DEADLINE_NOW, .expired = DUCT_EMPTY },
	{ .deadline = DEADLINE_NOW, .expired = DUCT_EMPTY, .in_order = true },
	{ .deadline = DEADLINE_NOW, .expired = DUCT_EMPTY, .observe = true },
	{ .deadline = DEADLINE_NOW, .expired = DUCT_EMPTY, .observe = true, .in_order = true },
	{ .deadline = DUCT_FOREVER, .expired = DUCT_EMPTY },
	{ .deadline = DUCT_FOREVER, .expired = DUCT_EMPTY, .in_order = true },
};

/* ---- Memory ---------------------------------------------------------------------------------------------------- */

/* Cases and generations together find room on the stack up to their number; from there on they are allocated. */
TEST(wait_init, allocates_above_the_inline_number_only, 5)
{
	duct_cancel *parent, *child;
	const struct {
		uint32_t cases;
		bool has_token, is_inline;
	} sizes[] = {
		{ 0, false, true },
		{ 1, false, true },
		{ WAIT_CASES_INLINE, false, true },
		{ WAIT_OPS_INLINE, false, true },
		{ WAIT_OPS_INLINE + 1, false, false },
		{ WAIT_OPS_INLINE - 2, true, true },
		{ WAIT_OPS_INLINE - 1, true, false },
		{ 1000, false, false },
		{ 1000, true, false },
	};

	CHECK(WAIT_OPS_INLINE >= WAIT_CASES_INLINE + 4);
	CHECK_STATUS(duct_cancel_new(&parent, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_cancel_new(&child, parent, DUCT_FOREVER), DUCT_OK);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint32_t depth = sizes[i].has_token ? 2 : 0;
		struct wait wait;

		CHECK_STATUS(wait_init(&wait, sizes[i].cases, sizes[i].has_token ? child : NULL), DUCT_OK);
		CHECK(wait.cases == sizes[i].cases && wait.count == sizes[i].cases + depth);
		CHECK((wait.block == NULL) == sizes[i].is_inline);
		/* All of it can be written: a sanitizer looks on. */
		for (uint32_t op = 0; op < wait.cases; op++)
			wait.ops[op] = (struct op){ 0 };
		memset(wait.nodes, 0, wait.count * sizeof wait.nodes[0]);
		memset(wait.order, 0, wait.count * sizeof wait.order[0]);
		for (uint32_t op = wait.cases; op < wait.count; op++)
			CHECK(wait.ops[op].end != NULL && wait.ops[op].queue == wait.ops[op].end->queue);
		wait_fini(&wait);
	}
	duct_cancel_free(parent);
	duct_cancel_free(child);
}

/* The index of an operation has to fit into a claim word: more are refused before anything is set. */
TEST(wait_init, refuses_more_than_a_claim_word_can_tell, 5)
{
	struct wait wait = { .cases = 7 };
	duct_cancel *token;

	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(wait_init(&wait, INT32_MAX, token), DUCT_NOMEM);
	CHECK_STATUS(wait_init(&wait, (uint32_t)INT32_MAX + 1, NULL), DUCT_NOMEM);
	CHECK(wait.cases == 7);
	duct_cancel_free(token);
}

/* ---- The order of looking -------------------------------------------------------------------------------------- */

/* Of any number of cases the only one that is ready is found, whichever it is and however the wait looks. */
TEST(wait_any, finds_the_ready_one_of_any_number, 10)
{
	desks_init(MOST_CASES, 1);
	for (size_t t = 0; t < ARRAY_LEN(tries); t++) {
		for (uint32_t cases = 1; cases <= MOST_CASES; cases += cases < 30 ? 1 : 35) {
			struct attempt attempt;

			attempt_init(&attempt, cases, tries[t]);
			for (uint32_t ready = 0; ready < cases; ready++) {
				/* ThreadSanitizer follows no more than 64 locks at once. */
				for (uint32_t i = 0; i < cases; i++)
					attempt_set(&attempt, i, &desks[i < 30 || i == ready ? i : i % 30].rx, false);
				CHECK_STATUS(desk_put(&desks[ready], ready), DUCT_OK);
				CHECK_STATUS(attempt_run(&attempt), DUCT_OK);
				CHECK(attempt.wait.done % 30 == ready % 30);
				if (tries[t].observe)
					desk_expect(&desks[ready], ready);
				else
					CHECK(attempt.message == ready);
				CHECK(queue_backlog(&desks[ready].queue).len == 0);
			}
			wait_fini(&attempt.wait);
		}
	}
	desks_fini(MOST_CASES);
}

/* When none is ready a try says so, having looked at all, and writes nothing. */
TEST(wait_any, without_a_ready_one_expires, 5)
{
	desks_init(20, 1);
	for (size_t t = 0; t < 4; t++) {
		for (uint32_t cases = 0; cases <= 20; cases++) {
			struct attempt attempt;

			attempt_receives(&attempt, cases, tries[t]);
			CHECK_STATUS(attempt_run(&attempt), DUCT_EMPTY);
			CHECK(attempt.wait.done == NOT_DONE && attempt.message == 77);
			wait_fini(&attempt.wait);
		}
	}
	desks_fini(20);
}

static bool end_was_freed;

static void note_freed(struct end *end)
{
	(void)end;
	end_was_freed = true;
}

/*
 * Who finds its operation ready keeps no end: from the moment that it is done others may know of it and free the handle, so
 * that there is nothing left to keep.
 */
TEST(select, does_not_touch_the_end_of_what_was_ready, 5)
{
	static const duct_time deadlines[] = { 0, DUCT_FOREVER };

	for (size_t t = 0; t < ARRAY_LEN(deadlines); t++) {
		duct_receiver gone, other;
		uint64_t message = 0;
		duct_case cases[] = { { .receiver = &gone, .message = &message }, { .receiver = &other, .message = &message } };
		size_t chosen = 77;

		desks_init(2, 1);
		end_init(&gone.end, &desks[0].queue, NULL, note_freed);
		atomic_store(&gone.end.references, 0);
		end_init(&other.end, &desks[1].queue, NULL, note_freed);
		end_was_freed = false;
		CHECK_STATUS(desk_put(&desks[0], 5), DUCT_OK);
		CHECK_STATUS(duct_select_until(cases, 2, &chosen, 0, deadlines[t], NULL), DUCT_OK);
		CHECK(chosen == 0 && message == 5 && !end_was_freed);
		desks_fini(2);
	}
}

#define DRAWS 1600
#define BOUND 160 /* eight standard deviations of fair draws */

/* How often the first of two ready cases is chosen. */
static int draw_first(struct attempt *attempt, uint32_t first, uint32_t second)
{
	int count = 0;

	CHECK_STATUS(desk_put(&desks[first], 1), DUCT_OK);
	CHECK_STATUS(desk_put(&desks[second], 1), DUCT_OK);
	for (int i = 0; i < DRAWS; i++) {
		CHECK_STATUS(attempt_run(attempt), DUCT_OK);
		CHECK(attempt->wait.done == first || attempt->wait.done == second);
		count += attempt->wait.done == first;
		CHECK_STATUS(desk_put(&desks[attempt->wait.done], 1), DUCT_OK);
	}
	desk_expect(&desks[first], 1);
	desk_expect(&desks[second], 1);
	return count;
}

/* Of any two ready cases among any number each is chosen as often, neighbours or not. */
TEST(wait_any, is_fair_between_two_of_any_number, 20)
{
	desks_init(17, 1);
	for (uint32_t cases = 2; cases <= 17; cases++) {
		const uint32_t pairs[][2] = { { 0, 1 }, { 0, cases - 1 }, { cases / 2, cases - 1 }, { 0, cases / 2 } };
		struct attempt attempt;

		attempt_receives(&attempt, cases, tries[0]);
		for (size_t p = 0; p < ARRAY_LEN(pairs); p++) {
			int first;

			if (pairs[p][0] == pairs[p][1])
				continue;
			first = draw_first(&attempt, pairs[p][0], pairs[p][1]);
			CHECK(first > DRAWS / 2 - BOUND && first < DRAWS / 2 + BOUND);
		}
		wait_fini(&attempt.wait);
	}
	desks_fini(17);
}

/* In order means that the first ready one in the array is taken, each time. */
TEST(wait_any, in_order_takes_the_first_ready_one, 5)
{
	static const struct wait_rules ordered[] = {
		{ .deadline = DEADLINE_NOW, .expired = DUCT_EMPTY, .in_order = true },
		{ .deadline = DUCT_FOREVER, .expired = DUCT_EMPTY, .in_order = true },
	};

	desks_init(18, 1);
	for (size_t r = 0; r < ARRAY_LEN(ordered); r++) {
		struct attempt attempt;

		attempt_receives(&attempt, 18, ordered[r]);
		for (uint32_t i = 2; i < 18; i++)
			CHECK_STATUS(desk_put(&desks[i], i), DUCT_OK);
		for (uint32_t i = 2; i < 18; i++) {
			CHECK_STATUS(attempt_run(&attempt), DUCT_OK);
			CHECK(attempt.wait.done == i && attempt.message == i);
		}
		wait_fini(&attempt.wait);
	}
	desks_fini(18);
}

/* ---- Locking all queues ---------------------------------------------------------------------------------------- */

#define SHUFFLED 27

/* Each queue many times, in both directions and in no order: each is locked once, or this would stand still. */
TEST(wait_any, locks_each_queue_once_with_duplicates, 10)
{
	uint32_t random = 7;

	desks_init(SHUFFLED, 0);
	for (int round = 0; round < 200; round++) {
		uint32_t cases = 1 + test_random(&random) % 70, queues = 1 + test_random(&random) % SHUFFLED;
		struct attempt attempt;

		attempt_init(&attempt, cases, tries[round % 2 ? 1 : 2]);
		for (uint32_t i = 0; i < cases; i++) {
			struct desk *desk = &desks[test_random(&random) % queues];
			bool is_send = test_random(&random) % 2;

			attempt_set(&attempt, i, is_send ? &desk->tx : &desk->rx, is_send);
		}
		CHECK_STATUS(attempt_run(&attempt), DUCT_EMPTY);
		wait_fini(&attempt.wait);
	}
	desks_fini(SHUFFLED);
}

#define TURNS 500

/* Tries again and again; the order of the operations is the thread's own. */
static void *try_often(void *argument)
{
	struct attempt *attempt = argument;

	for (int i = 0; i < TURNS; i++)
		CHECK_STATUS(attempt_run(attempt), DUCT_EMPTY);
	return NULL;
}

/* Threads that list the same queues in different orders do not lock each other out: queues are locked by their ids. */
TEST(wait_any, locks_queues_in_one_order_in_all_threads, 20)
{
	static struct attempt attempts[3];
	uint32_t random = 99;

	desks_init(SHUFFLED, 1);
	for (size_t t = 0; t < 3; t++) {
		attempt_init(&attempts[t], SHUFFLED, tries[1]);
		for (uint32_t i = 0; i < SHUFFLED; i++)
			attempt_set(&attempts[t], i, &desks[t == 1 ? SHUFFLED - 1 - i : i].rx, false);
	}
	for (uint32_t i = SHUFFLED - 1; i > 0; i--) {
		uint32_t other = test_random(&random) % (i + 1);
		struct op moved = attempts[2].wait.ops[i];

		attempts[2].wait.ops[i] = attempts[2].wait.ops[other];
		attempts[2].wait.ops[other] = moved;
	}
	for (size_t t = 0; t < 3; t++)
		attempts[t].thread = test_start(try_often, &attempts[t]);
	for (size_t t = 0; t < 3; t++) {
		test_join(attempts[t].thread);
		wait_fini(&attempts[t].wait);
	}
	desks_fini(SHUFFLED);
}

/* The operations are ordered by the ids of their queues, whatever the order they come in: a few and many. */
TEST(wait_any, orders_operations_by_queue, 5)
{
	static const uint32_t counts[] = { 2, 3, 5, 20, 50, 100 };
	uint32_t random = 3;

	desks_init(SHUFFLED, 1);
	for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
		bool seen[MOST_CASES] = { false };
		struct attempt attempt;

		attempt_init(&attempt, counts[c], tries[1]);
		for (uint32_t i = 0; i < counts[c]; i++)
			attempt_set(&attempt, i, &desks[test_random(&random) % SHUFFLED].rx, false);
		CHECK_STATUS(attempt_run(&attempt), DUCT_EMPTY);
		for (uint32_t i = 0; i < counts[c]; i++) {
			const uint32_t *order = attempt.wait.order;

			CHECK(order[i] < counts[c] && !seen[order[i]]);
			seen[order[i]] = true;
			CHECK(i == 0 || attempt.wait.ops[order[i - 1]].queue->id <= attempt.wait.ops[order[i]].queue->id);
		}
		wait_fini(&attempt.wait);
	}
	desks_fini(SHUFFLED);
}

/* ---- Sleeping -------------------------------------------------------------------------------------------------- */

/* A sleeping wait stands in all lists, is served through any of them, and has left the others when it is over. */
TEST(wait_any, is_served_while_it_sleeps, 10)
{
	static const uint32_t numbers[] = { 1, 2, 5, 25 };

	desks_init(25, 1);
	for (size_t n = 0; n < ARRAY_LEN(numbers); n++) {
		for (uint32_t served = 0; served < numbers[n]; served += 1 + numbers[n] / 4) {
			struct attempt attempt;

			attempt_receives(&attempt, numbers[n], forever);
			attempt_start(&attempt);
			for (uint32_t i = 0; i < numbers[n]; i++)
				await_receivers(&desks[i], 1);
			CHECK_STATUS(desk_put(&desks[served], 40 + served), DUCT_OK);
			attempt_join(&attempt, DUCT_OK);
			CHECK(attempt.wait.done == served && attempt.message == 40 + served);
			for (uint32_t i = 0; i < numbers[n]; i++)
				CHECK(queue_count_waiting(&desks[i].queue, false) + queue_backlog(&desks[i].queue).len == 0);
		}
	}
	desks_fini(25);
}

/* A wait that lists both directions of a queue does not meet itself, but meets another. */
TEST(wait_any, never_meets_itself, 10)
{
	struct attempt attempt;

	desks_init(1, 0);
	attempt_init(&attempt, 2, forever);
	attempt_set(&attempt, 0, &desks[0].tx, true);
	attempt_set(&attempt, 1, &desks[0].rx, false);
	attempt_start(&attempt);
	AWAIT(queue_count_waiting(&desks[0].queue, true) == 1 && queue_count_waiting(&desks[0].queue, false) == 1);
	CHECK(!atomic_load(&attempt.over));
	desk_expect(&desks[0], 77);
	attempt_join(&attempt, DUCT_OK);
	CHECK(attempt.wait.done == 0);
	desks_fini(1);
}

/* At the deadline a wait leaves all lists and says what its rules say: not before, and with nothing done. */
TEST(wait_any, expires_at_the_deadline_with_the_status_of_the_rules, 10)
{
	static const duct_status expired[] = { DUCT_EMPTY, DUCT_TIMEDOUT, DUCT_CANCELED };

	desks_init(3, 1);
	for (size_t e = 0; e < ARRAY_LEN(expired); e++) {
		for (uint32_t cases = 0; cases <= 3; cases++) {
			struct attempt attempt;

			attempt_receives(&attempt, cases,
			    (struct wait_rules){ .deadline = duct_after_ms(2), .expired = expired[e], .observe = e == 1 });
			CHECK_STATUS(attempt_run(&attempt), expired[e]);
			CHECK(duct_now() >= attempt.rules.deadline);
			CHECK(attempt.wait.done == NOT_DONE && attempt.message == 77);
			wait_fini(&attempt.wait);
		}
	}
	desks_fini(3);
}

/* Ends that are closed while the wait sleeps are a result of their operation. */
TEST(wait_any, ends_with_the_operation_that_ended, 10)
{
	for (int how = 0; how < 3; how++) {
		struct attempt attempt;

		desks_init(2, 1);
		desk_fill(&desks[1]);
		attempt_init(&attempt, 2, forever);
		attempt_set(&attempt, 0, &desks[0].rx, false);
		attempt_set(&attempt, 1, &desks[1].tx, true);
		attempt_start(&attempt);
		AWAIT(queue_count_waiting(&desks[1].queue, true) == 1);
		if (how == 0)
			desk_end_takes(&desks[0]);
		else if (how == 1)
			desk_end_puts(&desks[1], DUCT_NO_RECEIVERS);
		else
			desk_close(&desks[1].tx, true);
		attempt_join(&attempt, how == 1 ? DUCT_NO_RECEIVERS : DUCT_CLOSED);
		CHECK(attempt.wait.done == (how != 0));
		desks_fini(2);
	}
}

static _Atomic int ends_destroyed;

static void count_destroyed(struct end *end)
{
	(void)end;
	atomic_fetch_add(&ends_destroyed, 1);
}

/* A sleeping wait keeps the ends that it waits through until it has left, though their handles are gone. */
TEST(wait_any, pins_its_ends_while_it_sleeps, 10)
{
	struct attempt attempt;
	struct end end;

	desks_init(2, 1);
	end_init(&end, &desks[1].queue, NULL, count_destroyed);
	attempt_init(&attempt, 2, forever);
	attempt_set(&attempt, 0, &desks[0].rx, false);
	attempt_set(&attempt, 1, &end, false);
	attempt_start(&attempt);
	await_receivers(&desks[1], 1);
	CHECK(end.references == 2 && desks[0].rx.references == 2);
	end_unpin(&end);
	CHECK(atomic_load(&ends_destroyed) == 0);
	CHECK_STATUS(desk_put(&desks[0], 5), DUCT_OK);
	attempt_join(&attempt, DUCT_OK);
	CHECK(atomic_load(&ends_destroyed) == 1);
	desks_fini(2);
}

/* ---- Yields ---------------------------------------------------------------------------------------------------- */

/* A receive on the first desk, which may go to sleep and is served then. */
static void receive_once(void (*yield)(void))
{
	struct attempt attempt;

	attempt_receives(&attempt, 1, forever);
	attempt.on_yield = yield;
	attempt_start(&attempt);
	await_receivers(&desks[0], 1);
	CHECK_STATUS(desk_put(&desks[0], 5), DUCT_OK);
	attempt_join(&attempt, DUCT_OK);
	CHECK(attempt.message == 5);
}

/* Where yields do not pay each wait counts one off and goes to sleep, whether it paused before or may not. */
TEST(yield, not_allowed_is_counted_off, 10)
{
	desks_init(1, 1);
	desks[0].queue.pauses = 0;
	atomic_store(&desks[0].queue.yielding.without, 2);
	for (int left = 1; left >= 0; left--) {
		receive_once(NULL);
		CHECK(desks[0].queue.yielding.without == left && desks[0].queue.yielding.lasting == 0);
	}
	desks_fini(1);
}

/* Long, while nothing goes through the queue. */
static void yield_to_a_stranger(void)
{
	const struct timespec slice = { .tv_nsec = 300 * 1000 };

	nanosleep(&slice, NULL);
}

/* After a yield that went to a stranger the next waits do without, more of them each time. */
TEST(yield, to_a_stranger_is_a_failure, 10)
{
	desks_init(1, 1);
	desks[0].queue.pauses = 0;
	receive_once(yield_to_a_stranger);
	CHECK(desks[0].queue.yielding.lasting == 16 && desks[0].queue.yielding.without == 16); /* there was no second one */
	atomic_store(&desks[0].queue.yielding.without, 0);
	receive_once(yield_to_a_stranger);
	CHECK(desks[0].queue.yielding.lasting == 80);
	desks_fini(1);
}

#define BATCH 100

/* As long, but so many messages go through the queue that it was worth twice the time, and more. */
static void yield_to_a_peer(void)
{
	static uint64_t batch[BATCH];
	const duct_time begin = duct_now();
	int64_t sum = 0, took;
	size_t moved;

	do {
		CHECK_STATUS(queue_put_many(&desks[0].tx, batch, BATCH, &moved), DUCT_OK);
		CHECK_STATUS(queue_take_many(&desks[0].rx, batch, BATCH, &moved), DUCT_OK);
		CHECK(moved == BATCH);
		sum += BATCH;
		took = duct_now() - begin;
	} while (sum < 20000 || took < 300 * 1000 || sum * 1000 < took);
}

/* A yield that let the peers work was a good one, however long: a wait that may yield halves what the next failure comes to. */
TEST(yield, to_a_peer_is_a_success, 10)
{
	desks_init(1, BATCH);
	desks[0].queue.pauses = 0;
	atomic_store(&desks[0].queue.yielding.lasting, 100);
	receive_once(yield_to_a_peer);
	CHECK(desks[0].queue.yielding.lasting == 50 && desks[0].queue.yielding.without == 0);
	desks_fini(1);
}

/* ---- Pauses ---------------------------------------------------------------------------------------------------- */

static _Atomic int yields_seen;

static void count_yield(void)
{
	atomic_fetch_add(&yields_seen, 1);
}

static void put_during_yield(void)
{
	CHECK_STATUS(desk_put(&desks[0], 5), DUCT_OK);
}

/* Who pauses in vain and is helped by a yield shares the processor with a peer. */
TEST(pause, in_vain_where_a_yield_helps_is_a_failure, 10)
{
	struct attempt attempt;

	desks_init(1, 1);
	desks[0].queue.pauses = 8;
	attempt_receives(&attempt, 1, forever);
	attempt.on_yield = put_during_yield;
	attempt_start(&attempt);
	attempt_join(&attempt, DUCT_OK);
	CHECK(desks[0].queue.pausing.lasting == 16 && desks[0].queue.pausing.without == 16);
	desks_fini(1);
}

/* A receive that sleeps for some time. */
static void receive_slowly(void (*yield)(void))
{
	const struct timespec time = { .tv_nsec = 2000 * 1000 };
	struct attempt attempt;

	attempt_receives(&attempt, 1, forever);
	attempt.on_yield = yield;
	attempt_start(&attempt);
	await_receivers(&desks[0], 1);
	nanosleep(&time, NULL);
	CHECK_STATUS(desk_put(&desks[0], 5), DUCT_OK);
	attempt_join(&attempt, DUCT_OK);
}

/* Nor is it worth pausing for a peer that lets one sleep long; those that do without pauses yield. */
TEST(pause, before_a_long_sleep_is_a_failure, 10)
{
	desks_init(1, 1);
	desks[0].queue.pauses = 8;
	receive_slowly(count_yield);
	CHECK(desks[0].queue.pausing.lasting == 16 && desks[0].queue.pausing.without == 16);
	atomic_store(&desks[0].queue.pausing.without, 2);
	for (int left = 1; left >= 0; left--) {
		atomic_store(&yields_seen, 0);
		receive_slowly(count_yield);
		CHECK(desks[0].queue.pausing.lasting == 16 && desks[0].queue.pausing.without == left && yields_seen == 2);
	}
	receive_slowly(count_yield);
	CHECK(desks[0].queue.pausing.lasting == 80 && desks[0].queue.pausing.without == 80);
	desks_fini(1);
}

/* Who has learned that peers share the processor, and pauses in vain once more, sleeps without a yield. */
TEST(pause, in_vain_after_many_failures_does_not_yield, 10)
{
	desks_init(1, 1);
	desks[0].queue.pauses = 8;
	for (int shared = 0; shared < 2; shared++) {
		atomic_store(&desks[0].queue.pausing.lasting, shared ? 8192 : 0);
		atomic_store(&desks[0].queue.pausing.without, 0);
		atomic_store(&yields_seen, 0);
		receive_slowly(count_yield);
		CHECK(yields_seen == (shared ? 0 : 2));
	}
	desks_fini(1);
}

/* After a sleep that was short pauses are tried again sooner.  How long one sleeps is the system's to say, so again and again. */
TEST(pause, after_a_short_sleep_is_doubted, 30)
{
	bool halved = false;

	desks_init(1, 1);
	desks[0].queue.pauses = 8;
	for (int again = 0; again < 10000 && !halved; again++) {
		atomic_store(&desks[0].queue.pausing.without, 8000);
		receive_once(NULL);
		CHECK(desks[0].queue.pausing.without == 7999 || desks[0].queue.pausing.without == 3999);
		halved = desks[0].queue.pausing.without == 3999;
	}
	CHECK(halved);
	desks_fini(1);
}

/* With one processor nobody pauses, so nobody pauses in vain. */
TEST(pause, with_one_processor_teaches_nothing, 10)
{
	desks_init(1, 1);
	desks[0].queue.pauses = 0;
	receive_once(count_yield);
	CHECK(desks[0].queue.pausing.lasting == 0 && desks[0].queue.pausing.without == 0);
	desks_fini(1);
}

/* ---- Observing ------------------------------------------------------------------------------------------------- */

static const struct wait_rules observing = { .deadline = DUCT_FOREVER, .expired = DUCT_TIMEDOUT, .observe = true };

/* An observer that sleeps is told of the message and leaves it where it is, in the ring or with its sender. */
TEST(observe, tells_which_is_ready_and_takes_nothing, 10)
{
	for (size_t capacity = 0; capacity < 2; capacity++) {
		struct sleeper sender;
		struct attempt attempt;

		desks_init(2, capacity);
		attempt_receives(&attempt, 2, observing);
		attempt_start(&attempt);
		await_receivers(&desks[1], 1);
		if (capacity == 0) {
			sleeper_send(&sender, &desks[1].tx, 9);
			CHECK_STATUS(desk_put(&desks[1], 9), DUCT_FULL); /* pings it */
		} else {
			CHECK_STATUS(desk_put(&desks[1], 9), DUCT_OK);
		}
		attempt_join(&attempt, DUCT_OK);
		CHECK(attempt.wait.done == 1 && attempt.message == 77);
		desk_expect(&desks[1], 9);
		desks_fini(2);
	}
}

/* An observer that was pinged for a message that another got goes back to sleep; the end of its operation it is told. */
TEST(observe, pinged_in_vain_waits_on, 10)
{
	struct sleeper receiver;
	struct attempt attempt;

	desks_init(1, 1);
	attempt_receives(&attempt, 1, observing);
	attempt_start(&attempt);
	for (uint64_t i = 0; i < 5; i++) {
		await_receivers(&desks[0], 1);
		sleeper_recv(&receiver, &desks[0].rx);
		CHECK_STATUS(desk_put(&desks[0], i), DUCT_OK);
		CHECK(sleeper_woke(&receiver, DUCT_OK) && receiver.message == i);
	}
	await_receivers(&desks[0], 1);
	CHECK(!atomic_load(&attempt.over) && desks[0].rx.references == 2);
	desk_end_takes(&desks[0]);
	attempt_join(&attempt, DUCT_CLOSED);
	CHECK(attempt.wait.done == 0 && attempt.message == 77);
	desks_fini(1);
}

/* ---- Tokens ---------------------------------------------------------------------------------------------------- */

/* Raising the token, or its parent, ends the sleep; without any case too. */
TEST(token, raised_ends_the_sleep, 10)
{
	for (unsigned which = 0; which < 2 * 3 * 2; which++) {
		uint32_t cases = which / 2 % 3;
		duct_cancel *tokens[2];
		struct op ops[2];
		struct wait_rules rules = forever;
		struct attempt attempt;

		desks_init(2, 1);
		CHECK_STATUS(duct_cancel_new(&tokens[0], NULL, DUCT_FOREVER), DUCT_OK);
		CHECK_STATUS(duct_cancel_new(&tokens[1], tokens[0], DUCT_FOREVER), DUCT_OK);
		cancel_ops(tokens[1], ops);
		rules.cancel = tokens[1];
		rules.observe = which / 6;
		attempt_receives(&attempt, cases, rules);
		attempt_start(&attempt);
		AWAIT(queue_count_waiting(ops[0].queue, false) == 1 && queue_count_waiting(ops[1].queue, false) == 1);
		duct_cancel_raise(tokens[which % 2]);
		attempt_join(&attempt, DUCT_CANCELED);
		CHECK(attempt.wait.done == NOT_DONE && attempt.message == 77);
		CHECK(queue_count_waiting(ops[0].queue, false) == 0 && queue_count_waiting(ops[1].queue, false) == 0);
		CHECK(ops[0].end->references == 1 && ops[1].end->references == 2);
		duct_cancel_free(tokens[0]);
		duct_cancel_free(tokens[1]);
		desks_fini(2);
	}
}

/* Seen with all queues locked, a raised token comes before operations that are ready. */
TEST(token, raised_comes_before_what_is_ready, 5)
{
	for (int observe = 0; observe < 2; observe++) {
		struct wait_rules rules = { .deadline = DUCT_FOREVER, .expired = DUCT_TIMEDOUT, .in_order = true };
		struct attempt attempt;

		desks_init(2, 1);
		desk_fill(&desks[1]);
		CHECK_STATUS(duct_cancel_new(&rules.cancel, NULL, DUCT_FOREVER), DUCT_OK);
		duct_cancel_raise(rules.cancel);
		rules.observe = observe;
		attempt_receives(&attempt, 2, rules);
		CHECK_STATUS(attempt_run(&attempt), DUCT_CANCELED);
		CHECK(attempt.message == 77);
		desk_expect(&desks[1], 1);
		wait_fini(&attempt.wait);
		duct_cancel_free(rules.cancel);
		desks_fini(2);
	}
}

/* Whichever deadline is nearer ends the wait and says so: the token's, from anywhere above, as a cancellation. */
TEST(token, the_nearer_deadline_gives_the_status, 10)
{
	for (int token_is_nearer = 0; token_is_nearer < 2; token_is_nearer++) {
		duct_time near = duct_after_ms(3), far = duct_after_s(1000);
		duct_cancel *parent;
		struct wait_rules rules = { .deadline = token_is_nearer ? far : near, .expired = DUCT_TIMEDOUT };
		struct attempt attempt;

		desks_init(2, 1);
		CHECK_STATUS(duct_cancel_new(&parent, NULL, token_is_nearer ? near : far), DUCT_OK);
		CHECK_STATUS(duct_cancel_new(&rules.cancel, parent, DUCT_FOREVER), DUCT_OK);
		attempt_receives(&attempt, 2, rules);
		CHECK_STATUS(attempt_run(&attempt), token_is_nearer ? DUCT_CANCELED : DUCT_TIMEDOUT);
		CHECK(duct_now() >= near);
		wait_fini(&attempt.wait);
		duct_cancel_free(rules.cancel);
		duct_cancel_free(parent);
		desks_fini(2);
	}
}

/* ---- A plain send or receive ----------------------------------------------------------------------------------- */

/* A plain operation, as transfer.c does it: the fast path, and the rest with its lock. */
struct plain {
	struct op op;
	uint64_t message;
	duct_time deadline;
	duct_cancel *cancel;
	duct_status status;
	_Atomic bool over;
	pthread_t thread;
};

static void plain_init(struct plain *plain, struct end *end, bool is_send, duct_time deadline, duct_cancel *cancel)
{
	*plain = (struct plain){ .message = 77, .deadline = deadline, .cancel = cancel };
	plain->op = is_send ? send_through(end, &plain->message) : recv_through(end, &plain->message);
}

static duct_status plain_run(struct plain *plain)
{
	plain->status = queue_fast(&plain->op) ? DUCT_OK : wait_for(&plain->op, plain->deadline, plain->cancel);
	return plain->status;
}

static void *plain_thread(void *argument)
{
	struct plain *plain = argument;

	plain_run(plain);
	atomic_store(&plain->over, true);
	return NULL;
}

static void plain_start(struct plain *plain)
{
	plain->thread = test_start(plain_thread, plain);
	AWAIT(queue_count_waiting(plain->op.queue, plain->op.is_send) == 1);
	CHECK(plain->op.end->references > 1); /* the call keeps it */
}

static void plain_join(struct plain *plain, duct_status status)
{
	test_join(plain->thread);
	CHECK_STATUS(plain->status, status);
}

/* A receive that sleeps gets the next message, and a send gives its own; there is nobody in line afterwards. */
TEST(wait_for, is_served_while_it_sleeps, 10)
{
	for (size_t capacity = 0; capacity < 3; capacity++) {
		struct plain plain;

		desks_init(1, capacity);
		plain_init(&plain, &desks[0].rx, false, DUCT_FOREVER, NULL);
		plain_start(&plain);
		CHECK_STATUS(desk_put(&desks[0], 5), DUCT_OK);
		plain_join(&plain, DUCT_OK);
		CHECK(plain.message == 5);
		desk_fill(&desks[0]);
		plain_init(&plain, &desks[0].tx, true, DUCT_FOREVER, NULL);
		plain_start(&plain);
		for (uint64_t m = 1; m <= capacity; m++)
			desk_expect(&desks[0], m);
		desk_expect(&desks[0], 77);
		plain_join(&plain, DUCT_OK);
		desks_fini(1);
	}
}

/*
 * Messages, or room, that came after the fast path had looked are found, many or few, by a wait that may pause much, a little
 * or not at all: none of it is waited for.
 */
TEST(wait_for, finds_what_came_meanwhile, 10)
{
	static const uint16_t pauses[] = { 0, 1, 2, 3, 9 };

	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		for (size_t len = 1; len <= 64; len *= 2) {
			struct plain plain;

			desks_init(1, 256);
			desks[0].queue.pauses = pauses[i];
			for (uint64_t m = 1; m <= len; m++)
				CHECK_STATUS(desk_put(&desks[0], m), DUCT_OK);
			plain_init(&plain, &desks[0].rx, false, DUCT_FOREVER, NULL);
			queue_lock_take(&desks[0].queue);
			CHECK_STATUS(wait_for(&plain.op, DUCT_FOREVER, NULL), DUCT_OK);
			CHECK(plain.message == 1);
			plain_init(&plain, &desks[0].tx, true, DUCT_FOREVER, NULL);
			queue_lock_put(&desks[0].queue);
			CHECK_STATUS(wait_for(&plain.op, DUCT_FOREVER, NULL), DUCT_OK);
			for (uint64_t m = 2; m <= len; m++)
				desk_expect(&desks[0], m);
			desk_expect(&desks[0], 77);
			CHECK(queue_count_waiting(&desks[0].queue, false) == 0 &&
			      queue_count_waiting(&desks[0].queue, true) == 0);
			desks_fini(1);
		}
	}
}

/* A deadline ends it, one in the past after one attempt; the token's as a cancellation. */
TEST(wait_for, expires, 10)
{
	for (int is_send = 0; is_send < 2; is_send++) {
		duct_time soon = duct_after_ms(3);
		duct_cancel *token;
		struct plain plain;

		desks_init(1, 1);
		if (is_send)
			desk_fill(&desks[0]);
		plain_init(&plain, is_send ? &desks[0].tx : &desks[0].rx, is_send, DEADLINE_NOW, NULL);
		CHECK_STATUS(plain_run(&plain), DUCT_TIMEDOUT);
		plain.deadline = soon;
		CHECK_STATUS(plain_run(&plain), DUCT_TIMEDOUT);
		CHECK(duct_now() >= soon);
		CHECK_STATUS(duct_cancel_new(&token, NULL, soon), DUCT_OK);
		plain.deadline = DUCT_FOREVER;
		plain.cancel = token;
		CHECK_STATUS(plain_run(&plain), DUCT_CANCELED);
		CHECK(plain.message == 77 && queue_backlog(&desks[0].queue).len == (size_t)is_send);
		duct_cancel_free(token);
		if (is_send)
			desk_expect(&desks[0], 1);
		desks_fini(1);
	}
}

/* What is ready is done whatever the deadline, though the fast path did not do it. */
TEST(wait_for, ready_after_the_deadline_is_done, 5)
{
	struct sleeper observer;
	struct plain plain;

	desks_init(1, 1);
	sleeper_stand(&observer, &desks[0].rx, false, 0, true);
	plain_init(&plain, &desks[0].tx, true, DEADLINE_NOW, NULL);
	CHECK_STATUS(plain_run(&plain), DUCT_OK);
	CHECK(sleeper_woke(&observer, DUCT_OK));
	desk_expect(&desks[0], 77);
	desks_fini(1);
}

/* It keeps its end while it sleeps, and a token as well; raising that ends it. */
TEST(wait_for, keeps_its_token_while_it_sleeps, 10)
{
	duct_cancel *token, *again;
	struct plain plain;

	desks_init(1, 1);
	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_cancel_clone(token, &again), DUCT_OK);
	plain_init(&plain, &desks[0].rx, false, DUCT_FOREVER, token);
	plain_start(&plain);
	duct_cancel_free(token);
	CHECK(!atomic_load(&plain.over));
	duct_cancel_raise(again);
	duct_cancel_free(again);
	plain_join(&plain, DUCT_CANCELED);
	CHECK(plain.message == 77);
	desks_fini(1);
}

/* ---- The log --------------------------------------------------------------------------------------------------- */

struct heard {
	_Atomic int blocked, resumed;
};

static void hear(const duct_log_event *event, void *context)
{
	struct heard *heard = context;

	atomic_fetch_add(event->kind == DUCT_LOG_BLOCKED ? &heard->blocked : &heard->resumed, 1);
}

/* Gives the first desk's sender a log. */
static void desk_listen(struct log *log, struct heard *heard)
{
	*log = (struct log){ .hook = hear, .context = heard, .channel = "desk", .interval = 1, .queue = &desks[0].queue };
	desks[0].tx.log = log;
}

/* A send that sleeps on a full ring is told once before and once after, served or not. */
TEST(log, hears_of_a_send_that_sleeps, 10)
{
	struct heard heard = { 0, 0 };
	duct_cancel *token;
	struct plain plain;
	struct log log;

	desks_init(1, 1);
	desk_listen(&log, &heard);
	desk_fill(&desks[0]);
	plain_init(&plain, &desks[0].tx, true, DUCT_FOREVER, NULL);
	plain_start(&plain);
	AWAIT(atomic_load(&heard.blocked) == 1);
	CHECK(atomic_load(&heard.resumed) == 0);
	desk_expect(&desks[0], 1);
	plain_join(&plain, DUCT_OK);
	CHECK(heard.blocked == 1 && heard.resumed == 1);
	CHECK_STATUS(duct_cancel_new(&token, NULL, DUCT_FOREVER), DUCT_OK);
	plain_init(&plain, &desks[0].tx, true, DUCT_FOREVER, token);
	plain_start(&plain);
	duct_cancel_raise(token);
	plain_join(&plain, DUCT_CANCELED);
	CHECK(heard.blocked == 2 && heard.resumed == 2);
	duct_cancel_free(token);
	desk_expect(&desks[0], 77);
	desks_fini(1);
}

/* Receives, cases of a select and observers are nothing to tell. */
TEST(log, hears_of_nothing_else, 10)
{
	struct heard heard = { 0, 0 };
	struct attempt attempt;
	struct plain plain;
	struct log log;

	desks_init(1, 1);
	desk_listen(&log, &heard);
	plain_init(&plain, &desks[0].rx, false, duct_after_ms(1), NULL);
	CHECK_STATUS(plain_run(&plain), DUCT_TIMEDOUT);
	desk_fill(&desks[0]);
	for (int observe = 0; observe < 2; observe++) {
		attempt_init(&attempt, 1,
		    (struct wait_rules){ .deadline = duct_after_ms(1), .expired = DUCT_TIMEDOUT, .observe = observe });
		attempt_set(&attempt, 0, &desks[0].tx, true);
		CHECK_STATUS(attempt_run(&attempt), DUCT_TIMEDOUT);
		wait_fini(&attempt.wait);
	}
	CHECK(heard.blocked == 0 && heard.resumed == 0);
	desk_expect(&desks[0], 1);
	desks_fini(1);
}

/* ---- Descriptors ----------------------------------------------------------------------------------------------- */

/* A source with a descriptor, or none now, that is due at some time. */
struct spring {
	struct source source;
	int descriptor;
	duct_time due;
};

static int spring_descriptor(struct source *source)
{
	return ((struct spring *)(void *)source)->descriptor;
}

static duct_time spring_due(struct source *source)
{
	return ((struct spring *)(void *)source)->due;
}

static const struct source_kind spring_kind = {
	.name = "spring", .descriptor_locked = spring_descriptor, .due_locked = spring_due
};
static const struct source_kind dry_kind = { .name = "dry" };

static struct spring *spring_new(const struct source_kind *kind, int descriptor)
{
	struct spring *spring = source_new(&(struct source_plan){
	    .kind = kind, .size = sizeof(struct spring), .capacity = 1, .hooks = { .size = sizeof(uint64_t) } });

	CHECK(spring != NULL);
	spring->descriptor = descriptor;
	spring->due = DUCT_FOREVER;
	return spring;
}

/* A wait for the first desk, and a spring of each kind: with the descriptor, with none now, and one that never has any. */
struct springs {
	int pipe[2], next;
	struct spring *spring[3];
	struct pollfd polls[3]; /* with what ends the wait at once, if it is not overwritten */
	struct attempt attempt;
};

static void springs_init(struct springs *springs, bool has_descriptor, struct wait_rules rules)
{
	desks_init(1, 1);
	CHECK(pipe(springs->pipe) == 0);
	springs->next = dup(0);
	CHECK(springs->next >= 0 && close(springs->next) == 0);
	springs->spring[0] = spring_new(&spring_kind, -1);
	springs->spring[1] = spring_new(&dry_kind, -1);
	springs->spring[2] = spring_new(&spring_kind, has_descriptor ? springs->pipe[0] : -1);
	attempt_init(&springs->attempt, 4, rules);
	attempt_set(&springs->attempt, 0, &desks[0].rx, false);
	for (uint32_t i = 0; i < 3; i++)
		attempt_set(&springs->attempt, 1 + i, &springs->spring[i]->source.end, false);
	for (size_t i = 0; i < ARRAY_LEN(springs->polls); i++)
		springs->polls[i] = (struct pollfd){ .fd = springs->pipe[1], .events = POLLOUT };
	springs->attempt.wait.sourced = true;
	springs->attempt.wait.polls = springs->polls;
}

static bool springs_sleep(const struct springs *springs)
{
	bool all = queue_count_waiting(&desks[0].queue, false) == 1;

	for (int i = 0; i < 3; i++)
		all = all && queue_count_waiting(&springs->spring[i]->source.queue, false) == 1;
	return all;
}

/* Asleep, with a bell or without. */
static void springs_start(struct springs *springs, bool with_bell)
{
	attempt_start(&springs->attempt);
	AWAIT(springs_sleep(springs));
	if (with_bell)
		AWAIT(fcntl(springs->next, F_GETFD) != -1);
	for (int moments = 0; moments < 10; moments++) {
		test_pause();
		CHECK(with_bell || fcntl(springs->next, F_GETFD) == -1);
	}
	CHECK(!atomic_load(&springs->attempt.over));
}

static void springs_fini(struct springs *springs, duct_status status)
{
	attempt_join(&springs->attempt, status);
	CHECK(fcntl(springs->next, F_GETFD) == -1);
	for (int i = 0; i < 3; i++) {
		CHECK(springs->spring[i]->source.end.references == 1);
		end_unpin(&springs->spring[i]->source.end);
	}
	CHECK(close(springs->pipe[0]) == 0 && close(springs->pipe[1]) == 0);
	desks_fini(1);
}

TEST(descriptors, that_can_be_read_have_the_caller_look_anew, 10)
{
	struct springs springs;

	springs_init(&springs, true, forever);
	springs_start(&springs, true);
	CHECK(springs.attempt.wait.poll_count == 1 && springs.polls[0].fd == springs.pipe[0]);
	CHECK(write(springs.pipe[1], "", 1) == 1);
	springs_fini(&springs, SOURCE_MOVED);
}

TEST(descriptors, do_not_keep_a_wait_from_being_served, 10)
{
	for (int has_descriptor = 0; has_descriptor < 2; has_descriptor++) {
		struct springs springs;

		springs_init(&springs, has_descriptor, forever);
		springs_start(&springs, has_descriptor);
		CHECK_STATUS(desk_put(&desks[0], 42), DUCT_OK);
		springs_fini(&springs, DUCT_OK);
		CHECK(springs.attempt.wait.done == 0 && springs.attempt.message == 42);
	}
}

TEST(descriptors, that_are_none_now_need_no_bell, 10)
{
	struct springs springs;
	struct node *wakes = NULL;
	struct source *source;

	springs_init(&springs, false, forever);
	springs_start(&springs, false);
	CHECK(springs.attempt.wait.poll_count == 0);
	CHECK(write(springs.pipe[1], "", 1) == 1);
	source = &springs.spring[0]->source;
	queue_lock_both(&source->queue);
	source_moved_locked(source, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
	springs_fini(&springs, SOURCE_MOVED);
}

/* Of what is due and the deadline the first ends the wait, and says which it was. */
TEST(descriptors, leave_a_wait_its_times, 10)
{
	for (int due = 0; due < 2; due++) {
		struct springs springs;
		duct_time end = duct_after_ms(20);

		springs_init(
		    &springs, true, (struct wait_rules){ .deadline = due ? DUCT_FOREVER : end, .expired = DUCT_CANCELED });
		springs.spring[2]->due = due ? end : DUCT_FOREVER;
		attempt_start(&springs.attempt);
		springs_fini(&springs, due ? SOURCE_MOVED : DUCT_CANCELED);
		CHECK(duct_now() >= end);
	}
}
