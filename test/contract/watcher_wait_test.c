/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Waits for file watchers: what ends them, alone and beside others, what they cost, and what they leave behind.
 */
#include "folder.h"

#include <signal.h>
#include <sys/resource.h>

/* Looks are so far apart, where there are any, that they do not disturb a test; or as near as that is no matter. */
#define RARELY (100000 * INT64_C(1000) * MS)
#define OFTEN (2 * MS)

static void watch_at_once(struct folder *folder)
{
	folder_watch(folder, EACH(.interval = OFTEN));
}

static duct_time soon(int64_t milliseconds)
{
	return duct_after_ms(milliseconds * test_time_scale());
}

/* A select in a thread of its own. */
struct chooser {
	duct_case cases[4];
	size_t chosen;
	duct_status status;
	struct test_call call; /* its thread */
};

static void *choose(void *argument)
{
	struct chooser *chooser = argument;

	atomic_store(&chooser->call.thread_id, (int)syscall(SYS_gettid));
	chooser->status = duct_select(chooser->cases, ARRAY_LEN(chooser->cases), &chooser->chosen);
	atomic_store(&chooser->call.done, true);
	return NULL;
}

static void chooser_await_asleep(const struct chooser *chooser)
{
	for (int moments = 0; moments < 5; test_pause())
		moments = is_asleep(&chooser->call) ? moments + 1 : 0;
}

static pthread_t chooser_start_asleep(struct chooser *chooser)
{
	pthread_t thread = test_start(choose, chooser);

	chooser_await_asleep(chooser);
	return thread;
}

/* ---- What ends a wait ------------------------------------------------------------------------------------------ */

static void wake_by_change(struct folder *folder)
{
	struct visit visit;

	watch_at_once(folder);
	visit_start_asleep(&visit, RECV, folder->watcher);
	make_directory("d");
	CHECK_STATUS(visit_end(&visit), DUCT_OK);
	CHECK(is_event(folder, &visit.event, DUCT_FILE_CREATED, "d"));
	visit_start_asleep(&visit, RECV_MANY, folder->watcher);
	put("d/f", "");
	CHECK_STATUS(visit_end(&visit), DUCT_OK);
	CHECK(is_event(folder, &visit.event, DUCT_FILE_CREATED, "d/f"));
}

TEST(watcher_wait, ends_with_a_change, 20)
{
	with_both(wake_by_change);
}

static void ready_by_change(struct folder *folder)
{
	struct visit visit;

	watch_at_once(folder);
	visit_start_asleep(&visit, RECEIVER_WAIT, folder->watcher);
	put("a", "");
	CHECK_STATUS(visit_end(&visit), DUCT_OK);
	CHECK(visit.event.change == 0);
	CHECK_STATUS(duct_receiver_wait(folder->watcher, 0, NULL), DUCT_OK);
	CHECK(tells_now(folder, "+a"));
	CHECK_STATUS(duct_receiver_wait(folder->watcher, 0, NULL), DUCT_TIMEDOUT);
}

TEST(watcher_wait, that_only_wants_to_know_takes_nothing, 20)
{
	with_both(ready_by_change);
}

static void close_asleep(struct folder *folder)
{
	struct visit visits[3];
	duct_time begun;

	folder_watch(folder, EACH(.interval = RARELY));
	for (int i = 0; i < 3; i++)
		visit_start_asleep(&visits[i], i == 1 ? RECEIVER_WAIT : RECV, folder->watcher);
	begun = duct_now();
	duct_receiver_close(folder->watcher);
	for (int i = 0; i < 3; i++)
		CHECK_STATUS(visit_end(&visits[i]), DUCT_CLOSED);
	CHECK(duct_now() - begun < 1000 * MS * test_time_scale());
}

TEST(watcher_wait, ends_with_a_close_at_once, 20)
{
	with_both(close_asleep);
}

static void free_asleep(struct folder *folder)
{
	struct visit visits[3];

	folder_watch(folder, EACH(.interval = RARELY));
	for (int i = 0; i < 3; i++)
		visit_start_asleep(&visits[i], i == 1 ? RECEIVER_WAIT : RECV, folder->watcher);
	duct_receiver_free(folder->watcher);
	folder->watcher = NULL;
	for (int i = 0; i < 3; i++)
		CHECK_STATUS(visit_end(&visits[i]), DUCT_CLOSED);
}

TEST(watcher_wait, ends_when_the_watcher_is_freed, 20)
{
	with_both(free_asleep);
}

static void give_up(struct folder *folder)
{
	duct_file_event event = { .change = DUCT_FILE_NONE };
	duct_time deadline = soon(20);
	duct_cancel *cancel;
	struct visit visit;

	watch_at_once(folder);
	CHECK_STATUS(duct_cancel_new(&cancel, NULL, DUCT_FOREVER), DUCT_OK);
	CHECK_STATUS(duct_recv_until(folder->watcher, &event, deadline, cancel), DUCT_TIMEDOUT);
	CHECK(duct_now() >= deadline && event.change == DUCT_FILE_NONE);
	visit_start(&visit, RECV_UNTIL, folder->watcher, DUCT_FOREVER, cancel);
	visit_await_asleep(&visit);
	duct_cancel_raise(cancel);
	CHECK_STATUS(visit_end(&visit), DUCT_CANCELED);
	put("a", "");
	CHECK_STATUS(duct_recv_until(folder->watcher, &event, DUCT_FOREVER, cancel), DUCT_CANCELED);
	CHECK(event.change == DUCT_FILE_NONE);
	CHECK_STATUS(duct_recv(folder->watcher, &event), DUCT_OK);
	CHECK(is_event(folder, &event, DUCT_FILE_CREATED, "a"));
	duct_cancel_free(cancel);
}

TEST(watcher_wait, ends_at_a_deadline_or_by_a_token, 20)
{
	with_both(give_up);
}

enum { SHORT_WAITS = 300 };

static void *make_files(void *argument)
{
	char name[20];

	(void)argument;
	for (int i = 0; i < SHORT_WAITS; i++) {
		snprintf(name, sizeof name, "%d", i);
		CHECK(mknod(name, S_IFREG | 0600, 0) == 0);
		if (i % 8 == 0)
			test_pause();
	}
	return NULL;
}

/* The number of a new file that is told of, once. */
static void note_number(const struct folder *folder, const duct_file_event *event, atomic_uchar *seen)
{
	CHECK(event->change == DUCT_FILE_CREATED);
	CHECK(atomic_fetch_add(&seen[atoi(below(folder, event->path))], 1) == 0);
}

static void short_waits(struct folder *folder)
{
	atomic_uchar seen[SHORT_WAITS] = { 0 };
	int left = SHORT_WAITS, in_vain = 0;
	duct_file_event event;
	pthread_t thread;

	watch_at_once(folder);
	thread = test_start(make_files, NULL);
	while (left > 0) {
		duct_status status = duct_recv_until(folder->watcher, &event, duct_now() + 20000, NULL);

		CHECK(status == DUCT_OK || status == DUCT_TIMEDOUT);
		if (status == DUCT_OK) {
			note_number(folder, &event, seen);
			left--;
		} else {
			in_vain++;
		}
	}
	test_join(thread);
	CHECK(in_vain > 0);
	CHECK_STATUS(duct_recv_until(folder->watcher, &event, soon(10), NULL), DUCT_TIMEDOUT);
}

TEST(watcher_wait, that_times_out_loses_nothing, 30)
{
	with_both(short_waits);
}

static void on_signal(int number)
{
	(void)number;
}

static void interrupt(struct folder *folder)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct visit visit;

	CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
	folder_watch(folder, EACH(.interval = RARELY));
	visit_start_asleep(&visit, RECV, folder->watcher);
	for (int i = 0; i < 20; i++) {
		CHECK(pthread_kill(visit.call.thread, SIGUSR1) == 0);
		visit_await_asleep(&visit);
	}
	if (folder->polls)
		duct_receiver_close(folder->watcher);
	else
		put("a", "");
	CHECK_STATUS(visit_end(&visit), folder->polls ? DUCT_CLOSED : DUCT_OK);
}

TEST(watcher_wait, goes_on_after_a_signal, 20)
{
	with_both(interrupt);
}

static atomic_bool calls_are_over;

static void *canceled_calls(void *argument)
{
	const struct folder *folder = argument;
	const char *path = folder->top;
	duct_receiver *watcher;
	duct_file_event event;

	CHECK(pthread_cancel(pthread_self()) == 0);
	CHECK_STATUS(duct_watcher_new(&watcher, &path, 1, EACH(.poll = folder->polls, .interval = OFTEN)), DUCT_OK);
	CHECK_STATUS(duct_try_recv(watcher, &event), DUCT_EMPTY);
	CHECK_STATUS(duct_recv_until(watcher, &event, duct_after_ms(5), NULL), DUCT_TIMEDOUT);
	duct_receiver_free(watcher);
	atomic_store(&calls_are_over, true);
	pthread_testcancel();
	return NULL;
}

static void cancel_thread(struct folder *folder)
{
	pthread_t thread;
	void *result;

	atomic_store(&calls_are_over, false);
	thread = test_start(canceled_calls, folder);
	CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
	CHECK(atomic_load(&calls_are_over));
}

TEST(watcher_wait, is_no_cancellation_point, 10)
{
	with_both(cancel_thread);
}

struct canceled_send {
	duct_sender *tx;
	duct_status status;
};

static void *send_canceled(void *argument)
{
	struct canceled_send *send = argument;
	int message = 7;

	CHECK(pthread_cancel(pthread_self()) == 0);
	send->status = duct_send(send->tx, &message);
	pthread_testcancel();
	return NULL;
}

/* A select that sleeps for a watcher is woken in another way; that is no cancellation point of who wakes it. */
TEST(watcher_wait, is_ended_by_a_thread_that_is_canceled, 10)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	struct canceled_send send = { .tx = pair.tx, .status = DUCT_INVALID };
	duct_file_event event;
	struct folder folder;
	struct chooser chooser;
	pthread_t thread;
	int message = 0;
	void *result;

	folder_begin(&folder, false);
	watch_at_once(&folder);
	chooser = (struct chooser){ .cases = { DUCT_RECV(folder.watcher, &event), DUCT_RECV(pair.rx, &message) } };
	thread = chooser_start_asleep(&chooser);
	CHECK(pthread_join(test_start(send_canceled, &send), &result) == 0 && result == PTHREAD_CANCELED);
	CHECK_STATUS(send.status, DUCT_OK);
	test_join(thread);
	CHECK(chooser.status == DUCT_OK && chooser.chosen == 1 && message == 7);
	test_pair_free(&pair);
	folder_end(&folder);
}

/* ---- A clock by hand ------------------------------------------------------------------------------------------- */

static void clock_by_hand(struct folder *folder)
{
	struct visit visit;

	folder_watch_by_hand(folder, DUCT_WATCHER(.interval = 10 * MS));
	visit_start_asleep(&visit, RECV, folder->watcher);
	put("a", "");
	visit_await_asleep(&visit);
	if (folder->polls) {
		CHECK_STATUS(duct_clock_advance(folder->clock, 10 * MS), DUCT_OK);
		visit_await_asleep(&visit);
	}
	CHECK_STATUS(duct_clock_advance(folder->clock, 50 * MS - 1), DUCT_OK);
	visit_await_asleep(&visit);
	CHECK(!atomic_load(&visit.call.done));
	CHECK_STATUS(duct_clock_advance(folder->clock, 1), DUCT_OK);
	CHECK_STATUS(visit_end(&visit), DUCT_OK);
	CHECK(is_event(folder, &visit.event, DUCT_FILE_CREATED, "a"));
}

TEST(watcher_wait, goes_by_a_clock_that_is_set_by_hand, 20)
{
	with_both(clock_by_hand);
}

/* ---- Beside others --------------------------------------------------------------------------------------------- */

static void select_of_four(struct folder *folder)
{
	struct test_pair pair = test_pair_new(sizeof(int), 1);
	duct_receiver *event, *timer;
	duct_clock *clock;
	duct_file_event file;
	int64_t late;
	int message = 7;

	watch_at_once(folder);
	CHECK_STATUS(duct_clock_new(&clock, 1), DUCT_OK);
	CHECK_STATUS(duct_event_new(&event, NULL), DUCT_OK);
	CHECK_STATUS(duct_timer_new(&timer, 100, DUCT_TIMER(.clock = clock)), DUCT_OK);
	for (size_t i = 0; i < 40; i++) {
		struct chooser chooser = { .cases = { DUCT_RECV(folder->watcher, &file), DUCT_RECV(pair.rx, &message),
					       DUCT_RECV(event, NULL), DUCT_RECV(timer, &late) } };
		pthread_t thread = test_start(choose, &chooser);

		if (i % 8 < 4)
			chooser_await_asleep(&chooser);
		if (i % 4 == 0)
			CHECK(mknod((char[]){ (char)('A' + i), '\0' }, S_IFREG | 0600, 0) == 0);
		else if (i % 4 == 1)
			CHECK_STATUS(duct_send(pair.tx, &message), DUCT_OK);
		else if (i % 4 == 2)
			CHECK_STATUS(duct_event_set(event), DUCT_OK);
		else
			CHECK_STATUS(duct_clock_advance(clock, 100), DUCT_OK);
		test_join(thread);
		CHECK_STATUS(chooser.status, DUCT_OK);
		CHECK(chooser.chosen == i % 4);
		CHECK(i % 4 != 0 || is_event(folder, &file, DUCT_FILE_CREATED, (char[]){ (char)('A' + i), '\0' }));
	}
	duct_receiver_free(event);
	duct_receiver_free(timer);
	duct_clock_free(clock);
	test_pair_free(&pair);
}

TEST(watcher_select, is_ended_by_each_of_its_cases, 20)
{
	with_both(select_of_four);
}

static void merge_of_two(struct folder *folder)
{
	duct_receiver *sources[2], *merged;
	struct visit visit;

	make_directory("d");
	make_directory("e");
	sources[0] = watch(folder, "d", EACH(.interval = OFTEN));
	sources[1] = watch(folder, "e", EACH(.interval = OFTEN));
	CHECK_STATUS(duct_merge_new(&merged, sources, 2, NULL), DUCT_OK);
	for (int i = 0; i < 20; i++) {
		char name[] = { "de"[i % 2], '/', (char)('A' + i), '\0' };

		visit_start_asleep(&visit, i % 3 ? RECV : RECV_MANY, merged);
		CHECK(mknod(name, S_IFREG | 0600, 0) == 0);
		CHECK_STATUS(visit_end(&visit), DUCT_OK);
		CHECK(is_event(folder, &visit.event, DUCT_FILE_CREATED, name));
	}
	visit_start_asleep(&visit, RECV, merged);
	duct_receiver_close(merged);
	CHECK_STATUS(visit_end(&visit), DUCT_CLOSED);
	duct_receiver_free(merged);
}

TEST(watcher_merge, gives_the_events_of_all, 20)
{
	with_both(merge_of_two);
}

static bool is_wanted(const void *message, void *context)
{
	(void)context;
	return strstr(((const duct_file_event *)message)->path, ".c") != NULL;
}

static void filtered(struct folder *folder)
{
	duct_receiver *sources;
	duct_file_event event;
	struct visit visit;

	watch_at_once(folder);
	CHECK_STATUS(duct_filter_new(&sources, folder->watcher, is_wanted, NULL, NULL), DUCT_OK);
	folder->watcher = sources;
	put("a.o", "");
	CHECK_STATUS(duct_recv_until(sources, &event, soon(20), NULL), DUCT_TIMEDOUT);
	visit_start_asleep(&visit, RECEIVER_WAIT, sources);
	put("b.o", "");
	put("b.c", "");
	CHECK_STATUS(visit_end(&visit), DUCT_OK);
	CHECK_STATUS(duct_try_recv(sources, &event), DUCT_OK);
	CHECK(is_event(folder, &event, DUCT_FILE_CREATED, "b.c"));
	visit_start_asleep(&visit, RECV, sources);
	drop("a.o");
	drop("b.c");
	CHECK_STATUS(visit_end(&visit), DUCT_OK);
	CHECK(is_event(folder, &visit.event, DUCT_FILE_DELETED, "b.c"));
}

TEST(watcher_filter, leaves_events_out, 20)
{
	with_both(filtered);
}

static void ready_select(struct folder *folder)
{
	duct_case cases[] = { DUCT_RECV(NULL, NULL) };
	size_t chosen = 7;

	watch_at_once(folder);
	cases[0].receiver = folder->watcher;
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, soon(10), NULL), DUCT_TIMEDOUT);
	put("a", "");
	CHECK_STATUS(duct_select_until(cases, 1, &chosen, DUCT_READY, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(chosen == 0 && tells_now(folder, "+a"));
}

TEST(watcher_select, that_only_wants_to_know_takes_nothing, 20)
{
	with_both(ready_select);
}

/* ---- Many threads ---------------------------------------------------------------------------------------------- */

enum { THREADS = 4, SHARED = 400 };

struct share {
	const struct folder *folder;
	atomic_uchar seen[SHARED];
	atomic_int left;
};

static void *take_share(void *argument)
{
	struct share *share = argument;
	duct_file_event event;

	while (duct_recv(share->folder->watcher, &event) == DUCT_OK) {
		note_number(share->folder, &event, share->seen);
		atomic_fetch_sub(&share->left, 1);
	}
	return NULL;
}

static void shared(struct folder *folder)
{
	struct share share = { .folder = folder, .left = SHARED };
	pthread_t threads[THREADS];
	char name[20];

	watch_at_once(folder);
	for (int i = 0; i < THREADS; i++)
		threads[i] = test_start(take_share, &share);
	for (int i = 0; i < SHARED; i++) {
		snprintf(name, sizeof name, "%d", i);
		CHECK(mknod(name, S_IFREG | 0600, 0) == 0);
		if (i % 50 == 0)
			AWAIT(atomic_load(&share.left) == SHARED - 1 - i);
	}
	AWAIT(atomic_load(&share.left) == 0);
	duct_receiver_close(folder->watcher);
	for (int i = 0; i < THREADS; i++)
		test_join(threads[i]);
	for (int i = 0; i < SHARED; i++)
		CHECK(share.seen[i] == 1);
}

TEST(watcher_threads, share_the_events, 30)
{
	with_both(shared);
}

static void idle(struct folder *folder)
{
	struct visit visits[3];
	duct_time end;
	int64_t used;

	folder_watch(folder, EACH(.interval = 20 * MS));
	for (int i = 0; i < 3; i++)
		visit_start_asleep(&visits[i], i == 1 ? RECEIVER_WAIT : RECV, folder->watcher);
	end = duct_after_ms(300);
	used = test_cpu_time();
	while (!(duct_now() >= end))
		usleep(10000);
	used = test_cpu_time() - used;
	duct_receiver_close(folder->watcher);
	for (int i = 0; i < 3; i++)
		CHECK_STATUS(visit_end(&visits[i]), DUCT_CLOSED);
	CHECK(used < 60 * MS * test_time_scale());
}

/* A few looks are all that it may cost. */
TEST(watcher_threads, use_no_processor_while_nothing_happens, 20)
{
	with_both(idle);
}

/* After events, too: who did not get any goes to sleep again. */
static void idle_again(struct folder *folder)
{
	struct visit visits[3];
	duct_file_event event;
	int64_t used;

	folder_watch(folder, EACH(.interval = 20 * MS));
	for (int i = 0; i < 3; i++)
		visit_start_asleep(&visits[i], RECV, folder->watcher);
	put("a", "");
	AWAIT(visits[0].call.done || visits[1].call.done || visits[2].call.done);
	for (int i = 0; i < 3; i++)
		if (!atomic_load(&visits[i].call.done))
			visit_await_asleep(&visits[i]);
	used = test_cpu_time();
	usleep(200000);
	used = test_cpu_time() - used;
	CHECK(used < 40 * MS * test_time_scale());
	duct_receiver_close(folder->watcher);
	for (int i = 0, got = 0; i < 3; i++)
		CHECK((visit_end(&visits[i]) == DUCT_OK ? ++got : got) <= 1);
	CHECK_STATUS(duct_try_recv(folder->watcher, &event), DUCT_CLOSED);
}

TEST(watcher_threads, that_got_nothing_sleep_again, 20)
{
	with_both(idle_again);
}

/* ---- Descriptors ----------------------------------------------------------------------------------------------- */

enum { DESCRIPTORS_MOST = 200 };

static void note_open(bool *is_open)
{
	for (int descriptor = 0; descriptor < DESCRIPTORS_MOST; descriptor++)
		is_open[descriptor] = fcntl(descriptor, F_GETFD) != -1;
}

static bool are_closed_by_exec(const bool *except)
{
	for (int descriptor = 0; descriptor < DESCRIPTORS_MOST; descriptor++)
		if (!except[descriptor] && fcntl(descriptor, F_GETFD) != -1 && fcntl(descriptor, F_GETFD) != FD_CLOEXEC)
			return false;
	return true;
}

static void count_descriptors(struct folder *folder)
{
	const int before = open_descriptors();
	bool were_open[DESCRIPTORS_MOST];
	struct visit visits[2];
	duct_file_event event;

	note_open(were_open);
	folder_watch(folder, EACH(.interval = RARELY));
	CHECK(open_descriptors() == before + !folder->polls);
	CHECK_STATUS(duct_try_recv(folder->watcher, &event), DUCT_EMPTY);
	for (int i = 0; i < 2; i++)
		visit_start_asleep(&visits[i], RECV, folder->watcher);
	CHECK(open_descriptors() == before + (folder->polls ? 0 : 3));
	CHECK(are_closed_by_exec(were_open));
	duct_receiver_close(folder->watcher);
	for (int i = 0; i < 2; i++)
		CHECK_STATUS(visit_end(&visits[i]), DUCT_CLOSED);
	CHECK(open_descriptors() == before + !folder->polls);
	duct_receiver_free(folder->watcher);
	folder->watcher = NULL;
	CHECK(open_descriptors() == before);
}

/* One for the watcher and one for each thread that sleeps, where the system tells of changes; no other program gets them. */
TEST(watcher_descriptors, are_given_back, 20)
{
	with_both(count_descriptors);
}

/* A program may have closed its standard input. */
TEST(watcher_descriptors, may_be_0, 10)
{
	struct folder folder;
	struct visit visit;

	folder_begin(&folder, false);
	CHECK(close(0) == 0);
	watch_at_once(&folder);
	CHECK(fcntl(0, F_GETFD) == FD_CLOEXEC);
	put("a", "");
	CHECK(tells_now(&folder, "+a"));
	visit_start_asleep(&visit, RECV, folder.watcher);
	put("a", "content");
	CHECK_STATUS(visit_end(&visit), DUCT_OK);
	folder_end(&folder);
}

/* No more descriptors than there are now, but for so many. */
static struct rlimit leave_descriptors(unsigned count)
{
	const int next = dup(0);
	struct rlimit limit, few;

	CHECK(next != -1 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	few = limit;
	few.rlim_cur = (rlim_t)next + count;
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	return limit;
}

TEST(watcher_descriptors, that_are_short_are_told_of_and_lose_nothing, 20)
{
	duct_receiver *none = NULL;
	duct_file_event event;
	struct rlimit limit;
	struct folder folder;
	const char *path;

	folder_begin(&folder, false);
	path = folder.top;
	watch_at_once(&folder);
	limit = leave_descriptors(0);
	CHECK_STATUS(duct_watcher_new(&none, &path, 1, NULL), DUCT_NOMEM);
	CHECK(none == NULL);
	errno = EDOM;
	CHECK_STATUS(duct_recv_until(folder.watcher, &event, soon(5000), NULL), DUCT_NOMEM);
	CHECK_STATUS(duct_receiver_wait(folder.watcher, soon(5000), NULL), DUCT_NOMEM);
	CHECK(errno == EDOM);
	CHECK_STATUS(duct_recv_until(folder.watcher, &event, 0, NULL), DUCT_TIMEDOUT);
	CHECK(mknod("a", S_IFREG | 0600, 0) == 0);
	CHECK_STATUS(duct_recv(folder.watcher, &event), DUCT_OK); /* without sleep */
	CHECK(is_event(&folder, &event, DUCT_FILE_CREATED, "a"));
	CHECK(unlink("a") == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK_STATUS(duct_recv(folder.watcher, &event), DUCT_OK);
	CHECK(is_event(&folder, &event, DUCT_FILE_DELETED, "a"));
	CHECK_STATUS(duct_watcher_new(&none, &path, 1, NULL), DUCT_OK);
	duct_receiver_free(none);
	folder_end(&folder);
}

/* What there is no descriptor for to read is looked at later. */
TEST(watcher_descriptors, that_are_short_for_looks_are_made_up_for, 20)
{
	duct_file_event event;
	struct rlimit limit;
	struct folder folder;

	folder_begin(&folder, true);
	watch_at_once(&folder);
	limit = leave_descriptors(0);
	CHECK(mknod("a", S_IFREG | 0600, 0) == 0);
	CHECK_STATUS(duct_recv_until(folder.watcher, &event, soon(20), NULL), DUCT_TIMEDOUT);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK_STATUS(duct_recv(folder.watcher, &event), DUCT_OK);
	CHECK(is_event(&folder, &event, DUCT_FILE_CREATED, "a"));
	CHECK_STATUS(duct_recv_until(folder.watcher, &event, soon(10), NULL), DUCT_TIMEDOUT);
	folder_end(&folder);
}

enum { CROWD = 24 };

/* Watchers that only look have no descriptors, so that there may be any number of them. */
TEST(watcher_descriptors, are_fewer_than_watchers_that_poll, 20)
{
	duct_receiver *sources[CROWD], *merged;
	duct_file_event event;
	struct rlimit limit;
	struct folder folder;
	int64_t used;

	folder_begin(&folder, true);
	for (int i = 0; i < CROWD; i++)
		sources[i] = watch(&folder, folder.top, EACH(.interval = RARELY));
	sources[CROWD - 1] = (duct_receiver_free(sources[CROWD - 1]), folder.polls = false,
	    watch(&folder, folder.top, EACH(.interval = RARELY)));
	CHECK_STATUS(duct_merge_new(&merged, sources, CROWD, NULL), DUCT_OK);
	limit = leave_descriptors(3);
	used = test_cpu_time();
	CHECK_STATUS(duct_recv_until(merged, &event, duct_after_ms(300), NULL), DUCT_TIMEDOUT);
	used = test_cpu_time() - used;
	CHECK(used < 100 * MS * test_time_scale());
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	duct_receiver_free(merged);
	folder_end(&folder);
}
