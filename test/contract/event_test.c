/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Events: set or not, however often; received once, which resets them.  The receiver that never has anything.  And selects over
 * both, by threads that meet on what each can see of the other.
 */
#include "crowd.h"

#include <dirent.h>

static duct_receiver *event_new(void)
{
	duct_receiver *event;

	CHECK_STATUS(duct_event_new(&event, NULL), DUCT_OK);
	return event;
}

static duct_receiver *never_new(size_t message_size)
{
	duct_receiver *never;

	CHECK_STATUS(duct_never_new(&never, message_size), DUCT_OK);
	return never;
}

/* It was set and is reset. */
static bool was_set(duct_receiver *event)
{
	return duct_event_is_set(event) && duct_try_recv(event, NULL) == DUCT_OK && !duct_event_is_set(event);
}

static bool is_empty(duct_receiver *receiver)
{
	return duct_receiver_len(receiver) == 0 && duct_try_recv(receiver, NULL) == DUCT_EMPTY;
}

/* ---- Set and received ------------------------------------------------------------------------------------------ */

/* A new event is neither set nor closed, and keeps who waits for it waiting. */
TEST(event, is_not_set_when_it_is_made, 5)
{
	duct_receiver *event = event_new();

	CHECK(!duct_event_is_set(event) && !duct_receiver_is_closed(event) && is_empty(event));
	CHECK_STATUS(duct_recv_until(event, NULL, duct_after_ms(2), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_receiver_wait(event, 0, NULL), DUCT_TIMEDOUT);
	duct_receiver_free(event);
}

/* It is set however often it is, stays so until it is received, and is received once. */
TEST(event, is_a_level_and_no_count, 5)
{
	duct_receiver *event = event_new();

	for (int n = 1; n <= 3; n++) {
		for (int times = 0; times < n; times++)
			CHECK_STATUS(duct_event_set(event), DUCT_OK);
		CHECK_STATUS(duct_receiver_wait(event, DUCT_FOREVER, NULL), DUCT_OK);
		CHECK(duct_event_is_set(event) && duct_receiver_len(event) == 1);
		CHECK(was_set(event) && is_empty(event));
	}
	duct_receiver_free(event);
}

/* In each way in which it can be received it is reset. */
TEST(event, is_reset_by_receiving_it, 5)
{
	duct_receiver *event = event_new();
	duct_case cases[] = { DUCT_RECV(event, NULL) };
	size_t chosen = 77, received = 77;

	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	CHECK_STATUS(duct_recv(event, NULL), DUCT_OK);
	CHECK(is_empty(event));
	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	CHECK_STATUS(duct_recv_until(event, NULL, 0, NULL), DUCT_OK);
	CHECK(is_empty(event));
	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	CHECK_STATUS(duct_recv_many(event, NULL, 1, 5, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == 1 && is_empty(event));
	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 0 && duct_event_is_set(event));
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK(cases[0].status == DUCT_OK && is_empty(event));
	duct_receiver_free(event);
}

/* What was set before the close is received once more; to set it after that is refused. */
TEST(event_close, keeps_what_was_set_before, 5)
{
	duct_receiver *event = event_new(), *unset = event_new();

	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	for (int again = 0; again < 2; again++) {
		duct_receiver_close(event);
		duct_receiver_close(unset);
	}
	CHECK(duct_receiver_is_closed(event) && duct_event_is_set(event) && !duct_event_is_set(unset));
	CHECK_STATUS(duct_event_set(event), DUCT_CLOSED);
	CHECK_STATUS(duct_event_set(unset), DUCT_CLOSED);
	CHECK(!duct_event_is_set(unset));
	CHECK_STATUS(duct_receiver_wait(event, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(was_set(event));
	CHECK_STATUS(duct_event_set(event), DUCT_CLOSED);
	CHECK(!duct_event_is_set(event));
	CHECK_STATUS(duct_recv(event, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_wait(event, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK_STATUS(duct_recv(unset, NULL), DUCT_CLOSED);
	duct_receiver_free(event);
	duct_receiver_free(unset);
}

/* Its name is a copy of the one that it is given, or made from its kind; it is set through any handle of it. */
TEST(event, has_a_name_and_handles, 5)
{
	char name[] = "stop", line[100];
	duct_receiver *event, *other = event_new(), *clone;

	CHECK_STATUS(duct_event_new(&event, name), DUCT_OK);
	name[0] = 'x';
	CHECK(strcmp(duct_receiver_name(event), "stop") == 0 && strncmp(duct_receiver_name(other), "event-", 6) == 0);
	CHECK_STATUS(duct_receiver_clone(event, &clone), DUCT_OK);
	CHECK_STATUS(duct_event_set(clone), DUCT_OK);
	(void)duct_receiver_describe(event, line, sizeof line);
	CHECK(strcmp(line, "event stop: 1 messages of 0 bytes, open") == 0);
	duct_receiver_free(clone);
	CHECK(!duct_receiver_is_closed(event) && was_set(event));
	duct_receiver_free(event);
	duct_receiver_free(other);
	duct_receiver_free(NULL);
}

/* What is no event is not set; what can never work changes nothing. */
TEST(event, refuses_what_can_never_work, 5)
{
	struct test_pair pair = test_pair_new(0, 1);
	duct_receiver *never = never_new(0), *timer, *event = NULL;

	CHECK_STATUS(duct_timer_new(&timer, 1000000000, NULL), DUCT_OK);
	CHECK_STATUS(duct_event_new(NULL, "a name"), DUCT_INVALID);
	CHECK_STATUS(duct_event_set(NULL), DUCT_INVALID);
	CHECK_STATUS(duct_event_set(pair.rx), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_event_set(never), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_event_set(timer), DUCT_UNSUPPORTED);
	CHECK_STATUS(duct_send(pair.tx, NULL), DUCT_OK);
	CHECK(
	    !duct_event_is_set(NULL) && !duct_event_is_set(pair.rx) && !duct_event_is_set(never) && !duct_event_is_set(timer));
	event = event_new();
	CHECK_STATUS(duct_recv_until(event, NULL, -1, NULL), DUCT_INVALID);
	duct_receiver_free(event);
	duct_receiver_free(never);
	duct_receiver_free(timer);
	test_pair_free(&pair);
}

/* What is left set when the last handle goes is nobody's. */
TEST(event, may_be_freed_while_it_is_set, 5)
{
	duct_receiver *event = event_new();

	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	duct_receiver_free(event);
}

/* ---- Threads --------------------------------------------------------------------------------------------------- */

struct crew {
	duct_receiver *event;
	atomic_int woken, ended, waiting;
	int sets;
};

/* Beside the event each waits for a message that never comes, so that others see it in line. */
struct waiter_of {
	struct crew *crew;
	struct test_pair beside;
};

static void *wake_and_wait(void *argument)
{
	struct waiter_of *waiter = argument;
	duct_case cases[] = { DUCT_RECV(waiter->crew->event, NULL), DUCT_RECV(waiter->beside.rx, NULL) };
	size_t chosen;

	while (duct_select(cases, 2, &chosen) == DUCT_OK && cases[0].status == DUCT_OK)
		atomic_fetch_add(&waiter->crew->woken, 1);
	CHECK(chosen == 0 && cases[0].status == DUCT_CLOSED);
	atomic_fetch_add(&waiter->crew->ended, 1);
	return NULL;
}

static size_t count_in_line(const struct waiter_of *waiters, size_t count)
{
	size_t in_line = 0;

	for (size_t i = 0; i < count; i++)
		in_line += duct_channel_waiting_receivers(waiters[i].beside.channel);
	return in_line;
}

/* Each set wakes exactly one of those that wait; a close wakes all of them. */
TEST(event, wakes_one_for_each_time_it_is_set, 20)
{
	enum { WAITERS = 4 };
	struct crew crew = { .event = event_new() };
	struct waiter_of waiters[WAITERS];
	pthread_t threads[WAITERS];

	for (size_t i = 0; i < WAITERS; i++) {
		waiters[i] = (struct waiter_of){ .crew = &crew, .beside = test_pair_new(0, 1) };
		threads[i] = test_start(wake_and_wait, &waiters[i]);
	}
	for (int n = 1; n <= 100; n++) {
		AWAIT(count_in_line(waiters, WAITERS) == WAITERS);
		CHECK(atomic_load(&crew.woken) == n - 1);
		CHECK_STATUS(duct_event_set(crew.event), DUCT_OK);
		AWAIT(atomic_load(&crew.woken) == n);
		CHECK(!duct_event_is_set(crew.event));
	}
	AWAIT(count_in_line(waiters, WAITERS) == WAITERS);
	duct_receiver_close(crew.event);
	for (size_t i = 0; i < WAITERS; i++) {
		test_join(threads[i]);
		test_pair_free(&waiters[i].beside);
	}
	CHECK(atomic_load(&crew.woken) == 100 && atomic_load(&crew.ended) == WAITERS);
	duct_receiver_free(crew.event);
}

static void *count_wakes(void *argument)
{
	struct crew *crew = argument;

	while (duct_recv(crew->event, NULL) == DUCT_OK)
		atomic_fetch_add(&crew->woken, 1);
	atomic_fetch_add(&crew->ended, 1);
	return NULL;
}

static void *set_again_and_again(void *argument)
{
	struct crew *crew = argument;

	for (int n = 0; n < crew->sets; n++) {
		CHECK_STATUS(duct_event_set(crew->event), DUCT_OK);
		if (n % 16 == 0)
			AWAIT(!duct_event_is_set(crew->event));
	}
	return NULL;
}

/* Any number of threads may set and receive it: it is received no more often than it was set, and the last set is not lost. */
TEST(event, loses_no_set_among_many_threads, 20)
{
	struct crew crew = { .event = event_new(), .sets = test_rounds(2000, 50000) };
	pthread_t setters[3], waiters[3];

	for (size_t i = 0; i < 3; i++)
		waiters[i] = test_start(count_wakes, &crew);
	for (size_t i = 0; i < 3; i++)
		setters[i] = test_start(set_again_and_again, &crew);
	for (size_t i = 0; i < 3; i++)
		test_join(setters[i]);
	AWAIT(!duct_event_is_set(crew.event));
	duct_receiver_close(crew.event);
	for (size_t i = 0; i < 3; i++)
		test_join(waiters[i]);
	CHECK(atomic_load(&crew.woken) > 0 && atomic_load(&crew.woken) <= 3 * crew.sets);
	CHECK(atomic_load(&crew.ended) == 3);
	CHECK_STATUS(duct_try_recv(crew.event, NULL), DUCT_CLOSED);
	duct_receiver_free(crew.event);
}

/* A thread asleep in a plain receive is woken by a set, and one asleep in a wait too, which leaves it set. */
TEST(event, wakes_a_plain_receive_and_a_wait, 5)
{
	duct_receiver *event = event_new();
	struct test_call calls[2];
	enum test_action actions[] = { RECV_MANY, RECEIVER_WAIT };

	for (size_t i = 0; i < 2; i++) {
		test_call_start(&calls[i], actions[i], &(struct test_pair){ .rx = event }, -1, DUCT_FOREVER, NULL);
		await_asleep(&calls[i].thread_id);
		CHECK_STATUS(duct_event_set(event), DUCT_OK);
		CHECK_STATUS(test_call_end(&calls[i]), DUCT_OK);
		CHECK(duct_event_is_set(event) == (actions[i] == RECEIVER_WAIT));
	}
	duct_receiver_free(event);
}

/* ---- Never ----------------------------------------------------------------------------------------------------- */

/* It has nothing, whatever the size of what it does not have, and a wait for it lasts as long as it may. */
TEST(never, has_nothing, 5)
{
	static const size_t sizes[] = { 0, 1, 8, 5000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		duct_receiver *never = never_new(sizes[i]);
		const duct_time deadline = duct_after_ms(3);
		static char message[5000];
		size_t received = 77;

		memset(message, 7, sizeof message);
		CHECK_STATUS(duct_try_recv(never, message), DUCT_EMPTY);
		CHECK_STATUS(duct_recv_until(never, message, deadline, NULL), DUCT_TIMEDOUT);
		CHECK(duct_now() >= deadline && duct_receiver_len(never) == 0 && !duct_receiver_is_closed(never));
		CHECK_STATUS(duct_receiver_wait(never, 1, NULL), DUCT_TIMEDOUT);
		CHECK_STATUS(duct_recv_many(never, message, 0, 1, &received, 0, NULL), DUCT_EMPTY);
		CHECK(received == 0 && message[0] == 7);
		CHECK_STATUS(duct_recv_until(never, NULL, 0, NULL), sizes[i] == 0 ? DUCT_TIMEDOUT : DUCT_INVALID);
		CHECK(strncmp(duct_receiver_name(never), "never-", 6) == 0);
		duct_receiver_free(never);
	}
}

/* Closed it ends what waits for it, and later waits at once; to close it again is harmless. */
TEST(never, ends_waits_by_being_closed, 5)
{
	duct_receiver *never = never_new(0);
	enum test_action actions[] = { RECV_UNTIL, RECV_MANY, RECEIVER_WAIT, SELECT };
	struct test_call calls[4];

	for (size_t i = 0; i < 4; i++) {
		test_call_start(&calls[i], actions[i], &(struct test_pair){ .rx = never }, -1, DUCT_FOREVER, NULL);
		await_asleep(&calls[i].thread_id);
	}
	duct_receiver_close(never);
	for (size_t i = 0; i < 4; i++)
		CHECK_STATUS(test_call_end(&calls[i]), actions[i] == SELECT ? DUCT_OK : DUCT_CLOSED);
	for (int again = 0; again < 2; again++) {
		CHECK_STATUS(duct_receiver_wait(never, DUCT_FOREVER, NULL), DUCT_CLOSED);
		CHECK_STATUS(duct_recv(never, NULL), DUCT_CLOSED);
		duct_receiver_close(never);
	}
	CHECK(duct_receiver_is_closed(never));
	duct_receiver_free(never);
}

/* Two threads that receive from one do not meet each other, though it has no room. */
TEST(never, meets_nobody, 5)
{
	duct_receiver *never = never_new(0);
	struct test_call call;

	test_call_start(&call, RECV_UNTIL, &(struct test_pair){ .rx = never }, -1, DUCT_FOREVER, NULL);
	await_asleep(&call.thread_id);
	CHECK_STATUS(duct_try_recv(never, NULL), DUCT_EMPTY);
	CHECK_STATUS(duct_receiver_wait(never, 0, NULL), DUCT_TIMEDOUT);
	duct_receiver_free(never);
	CHECK_STATUS(test_call_end(&call), DUCT_CLOSED);
}

/* In the place of a receiver that there is none for, it is as good as an empty case, until there is one. */
TEST(never, stands_for_a_receiver_that_there_is_none_for, 5)
{
	duct_receiver *never = never_new(sizeof(int));
	struct test_pair pair = test_pair_new(sizeof(int), 2);
	int message = 0;
	duct_case cases[] = { DUCT_RECV(never, &message), DUCT_RECV(NULL, &message) };
	size_t chosen = 77;

	CHECK_STATUS(duct_try_select(cases, 2, &chosen), DUCT_EMPTY);
	CHECK_STATUS(duct_select_until(cases, 2, &chosen, DUCT_FAIR, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK_STATUS(duct_select_until(cases + 1, 1, &chosen, DUCT_READY, duct_after_ms(1), NULL), DUCT_TIMEDOUT);
	CHECK(chosen == 77);
	cases[1] = duct_recv_case(pair.rx, &message);
	for (int n = 5; n <= 100; n += 95) {
		CHECK_STATUS(duct_send(pair.tx, &n), DUCT_OK);
		CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
		CHECK(chosen == 1 && message == n);
	}
	duct_channel_close(pair.channel, 0);
	CHECK_STATUS(duct_select(cases, 2, &chosen), DUCT_OK);
	CHECK(chosen == 1 && cases[1].status == DUCT_CLOSED);
	duct_receiver_free(never);
	test_pair_free(&pair);
}

/* What can never work is refused. */
TEST(never, refuses_what_can_never_work, 5)
{
	duct_receiver *never = NULL;

	CHECK_STATUS(duct_never_new(NULL, 1), DUCT_INVALID);
	CHECK_STATUS(duct_never_new(&never, SIZE_MAX), DUCT_INVALID);
	CHECK(never == NULL);
}

/* ---- Selects over events --------------------------------------------------------------------------------------- */

enum { EVENTS = 3, LOG = 32 };

/* A thread that selects among events, and logs what it is told. */
struct watch {
	duct_receiver *events[EVENTS];
	struct test_pair beside; /* by which others see that it waits */
	size_t first;            /* of the events that it waits for */
	int most;                /* entries until it breaks */
	size_t chosen[LOG];
	duct_status statuses[LOG], last;
	atomic_int entries;
	pthread_t thread;
};

static void *watch_events(void *argument)
{
	struct watch *watch = argument;
	duct_case cases[EVENTS + 1];
	size_t count = 0, chosen;
	int entries = 0;

	for (size_t i = watch->first; i < EVENTS; i++)
		cases[count++] = duct_recv_case(watch->events[i], NULL);
	cases[count] = duct_recv_case(watch->beside.rx, NULL);
	while (entries < watch->most) {
		CHECK_STATUS(duct_select(cases, count + 1, &chosen), DUCT_OK);
		if (chosen == count)
			break;
		watch->chosen[entries] = watch->first + chosen;
		watch->statuses[entries] = cases[chosen].status;
		atomic_store(&watch->entries, ++entries);
	}
	watch->last = duct_try_select(cases, count, &chosen);
	return NULL;
}

static void watch_begin(struct watch *watch)
{
	*watch = (struct watch){ .beside = test_pair_new(0, 1), .most = LOG };
	for (size_t i = 0; i < EVENTS; i++)
		watch->events[i] = event_new();
}

static void watch_start(struct watch *watch)
{
	watch->thread = test_start(watch_events, watch);
}

/* It has seen that many, and waits again. */
static void await_entries(struct watch *watch, int entries)
{
	AWAIT(atomic_load(&watch->entries) >= entries && duct_channel_waiting_receivers(watch->beside.channel) == 1);
	CHECK(atomic_load(&watch->entries) == entries);
}

/* Ends it: what a select comes to that goes on without the message that ended it. */
static duct_status watch_stop(struct watch *watch)
{
	CHECK_STATUS(duct_send(watch->beside.tx, NULL), DUCT_OK);
	test_join(watch->thread);
	return watch->last;
}

static void watch_end(struct watch *watch)
{
	for (size_t i = 0; i < EVENTS; i++)
		duct_receiver_free(watch->events[i]);
	test_pair_free(&watch->beside);
}

static bool tells(const struct watch *watch, int entry, size_t chosen, duct_status status)
{
	return watch->chosen[entry] == chosen && watch->statuses[entry] == status;
}

static void *do_nothing(void *argument)
{
	return argument;
}

/* Once there was a thread: a sanitizer may start one of its own with the first. */
static int count_tasks(void)
{
	DIR *folder = opendir("/proc/self/task");
	int count = 0;

	while (folder != NULL && readdir(folder) != NULL)
		count++;
	if (folder != NULL)
		closedir(folder);
	return count;
}

/* Each event is told when it is set, in that order; each close is told once; after the last one there is nothing to wait for. */
TEST(event_select, tells_each_as_it_comes, 10)
{
	static const size_t sets[] = { 0, 1, 2, 1, 0, 2, 2, 0, 1 };
	struct watch watch;
	int n = 0;

	watch_begin(&watch);
	watch_start(&watch);
	await_entries(&watch, 0);
	for (; n < (int)ARRAY_LEN(sets); n++) {
		CHECK_STATUS(duct_event_set(watch.events[sets[n]]), DUCT_OK);
		await_entries(&watch, n + 1);
		CHECK(tells(&watch, n, sets[n], DUCT_OK) && !duct_event_is_set(watch.events[sets[n]]));
	}
	for (size_t i = 0; i < EVENTS; i++, n++) {
		duct_receiver_close(watch.events[i]);
		await_entries(&watch, n + 1);
		CHECK(tells(&watch, n, i, DUCT_CLOSED));
	}
	CHECK_STATUS(watch_stop(&watch), DUCT_CLOSED);
	watch_end(&watch);
}

/* After a break, a new select on the same events misses nothing that was set meanwhile; no thread of a select is left. */
TEST(event_select, begins_again_where_another_was_left, 10)
{
	struct watch watch;
	int tasks;

	test_join(test_start(do_nothing, NULL));
	tasks = count_tasks();
	watch_begin(&watch);
	watch.most = 1;
	watch_start(&watch);
	await_entries(&watch, 0);
	CHECK_STATUS(duct_event_set(watch.events[0]), DUCT_OK);
	test_join(watch.thread);
	AWAIT(count_tasks() <= tasks); /* the one ahead may have been there still */
	CHECK(watch.last == DUCT_EMPTY && tells(&watch, 0, 0, DUCT_OK));
	CHECK(duct_channel_waiting_receivers(watch.beside.channel) == 0);
	for (size_t i = 0; i < EVENTS; i++)
		CHECK_STATUS(duct_event_set(watch.events[i]), DUCT_OK);
	watch.most = LOG;
	atomic_store(&watch.entries, 0);
	watch_start(&watch);
	await_entries(&watch, EVENTS);
	CHECK_STATUS(watch_stop(&watch), DUCT_EMPTY);
	watch_end(&watch);
}

/* Events that are set at one moment are told once each before any of them is told again. */
TEST(event_select, tells_each_of_several_once, 10)
{
	for (int round = 0; round < 50; round++) {
		struct watch watch;
		bool told[EVENTS] = { false };

		watch_begin(&watch);
		for (size_t i = 0; i < EVENTS; i++)
			CHECK_STATUS(duct_event_set(watch.events[i]), DUCT_OK);
		watch_start(&watch);
		await_entries(&watch, EVENTS);
		for (int n = 0; n < EVENTS; n++) {
			CHECK(watch.statuses[n] == DUCT_OK && !told[watch.chosen[n]]);
			told[watch.chosen[n]] = true;
		}
		CHECK_STATUS(watch_stop(&watch), DUCT_EMPTY);
		watch_end(&watch);
	}
}

/* With the others closed and left out, the third is told until it is closed too. */
TEST(event_select, goes_on_without_those_that_ended, 10)
{
	struct watch watch;

	watch_begin(&watch);
	duct_receiver_close(watch.events[0]);
	duct_receiver_close(watch.events[1]);
	watch.first = 2;
	watch_start(&watch);
	await_entries(&watch, 0);
	for (int n = 0; n < 3; n++) {
		CHECK_STATUS(duct_event_set(watch.events[2]), DUCT_OK);
		await_entries(&watch, n + 1);
		CHECK(tells(&watch, n, 2, DUCT_OK));
	}
	duct_receiver_close(watch.events[2]);
	await_entries(&watch, 4);
	CHECK(tells(&watch, 3, 2, DUCT_CLOSED));
	CHECK_STATUS(watch_stop(&watch), DUCT_CLOSED);
	watch_end(&watch);
}

/* A select over events that nobody sets ends with its deadline, and leaves nothing behind: later sets are for later receives. */
TEST(event_select, times_out_and_leaves_nothing, 10)
{
	duct_receiver *events[EVENTS];
	duct_case cases[EVENTS];
	size_t chosen = 77;
	duct_time deadline = duct_after_ms(3);

	for (size_t i = 0; i < EVENTS; i++) {
		events[i] = event_new();
		cases[i] = duct_recv_case(events[i], NULL);
	}
	CHECK_STATUS(duct_select_until(cases, EVENTS, &chosen, DUCT_FAIR, deadline, NULL), DUCT_TIMEDOUT);
	CHECK(chosen == 77 && duct_now() >= deadline);
	for (size_t i = 0; i < EVENTS; i++) {
		CHECK_STATUS(duct_event_set(events[i]), DUCT_OK);
		CHECK(cases[i].status == DUCT_OK && was_set(events[i]));
		duct_receiver_free(events[i]);
	}
}

/* A set event that was closed is told as set, and as closed after that. */
TEST(event_select, tells_a_set_before_a_close, 5)
{
	duct_receiver *event = event_new();
	duct_case cases[] = { DUCT_RECV(event, NULL) };
	size_t chosen;

	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	duct_receiver_close(event);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK(cases[0].status == DUCT_OK);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_OK);
	CHECK(cases[0].status == DUCT_CLOSED);
	CHECK_STATUS(duct_select(cases, 1, &chosen), DUCT_CLOSED);
	duct_receiver_free(event);
}

/* One event in two cases, and among the cases of a channel, is told by one of them. */
TEST(event_select, performs_one_of_the_cases, 5)
{
	duct_receiver *event = event_new();
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	int in = 0, out = 42;
	duct_case cases[] = { DUCT_RECV(event, NULL), DUCT_RECV(pair.rx, &in), DUCT_RECV(event, NULL),
		DUCT_SEND(pair.tx, &out) };
	size_t chosen = 77;

	CHECK_STATUS(duct_event_set(event), DUCT_OK);
	CHECK_STATUS(duct_select_until(cases, 4, &chosen, DUCT_PRIORITY, 0, NULL), DUCT_OK);
	CHECK(chosen == 0 && !duct_event_is_set(event));
	CHECK_STATUS(duct_select(cases, 4, &chosen), DUCT_OK);
	CHECK(chosen == 3);
	CHECK_STATUS(duct_select(cases, 4, &chosen), DUCT_OK);
	CHECK(chosen == 1 && in == 42);
	CHECK_STATUS(duct_try_select(cases, 3, &chosen), DUCT_EMPTY);
	duct_receiver_free(event);
	test_pair_free(&pair);
}
