/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Two threads that receive from one file watcher, of which the first is held before each of its locks in turn, inside the pump
 * and out of it: the other one sleeps meanwhile, and misses nothing that happens then or later.
 */
#include "faults.h"
#include "harness.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MS INT64_C(1000000)

static char top[200];

struct reader {
	duct_receiver *watcher;
	atomic_int *hold; /* or NULL */
	long lock;        /* before which it is held */
	bool tries;       /* only */
	duct_status status;
	duct_file_event event;
	atomic_int id;
	atomic_bool done;
	pthread_t thread;
};

static void *read_event(void *argument)
{
	struct reader *reader = argument;

	atomic_store(&reader->id, (int)syscall(SYS_gettid));
	if (reader->hold != NULL)
		fault_hold_lock(reader->hold, reader->lock);
	reader->status =
	    reader->tries ? duct_try_recv(reader->watcher, &reader->event) : duct_recv(reader->watcher, &reader->event);
	fault_unhold();
	atomic_store(&reader->done, true);
	return NULL;
}

static void reader_start(struct reader *reader, duct_receiver *watcher, atomic_int *hold, long lock)
{
	*reader = (struct reader){ .watcher = watcher, .hold = hold, .lock = lock, .tries = reader->tries };
	reader->thread = test_start(read_event, reader);
}

static bool is_asleep(const struct reader *reader)
{
	return test_thread_state(atomic_load(&reader->id)) == 'S';
}

/* Until it is held, or has slept for some moments on end: then it has no such lock to take. */
static bool reader_is_held(const struct reader *reader)
{
	for (int moments = 0; moments < 20 && atomic_load(reader->hold) != HOLD_HELD && !atomic_load(&reader->done);
	     test_pause())
		moments = is_asleep(reader) ? moments + 1 : 0;
	return atomic_load(reader->hold) == HOLD_HELD;
}

/* Of its thread; 0 if that is gone. */
static int64_t reader_cpu_time(const struct reader *reader)
{
	struct timespec used = { 0, 0 };
	clockid_t clock;

	if (pthread_getcpuclockid(reader->thread, &clock) != 0 || clock_gettime(clock, &used) != 0)
		return 0;
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static void make_file(const char *name)
{
	CHECK(mknod(name, S_IFREG | 0600, 0) == 0);
}

static const char *name_of(const struct reader *reader)
{
	CHECK_STATUS(reader->status, DUCT_OK);
	CHECK(reader->event.change == DUCT_FILE_CREATED);
	return reader->event.path + strlen(top) + 1;
}

/* How the test goes: the first file is there before the thread that is held begins; that one only tries to receive. */
enum { EARLY = 1, TRIES = 2, MANNERS = 4 };

static duct_receiver *watch(bool polls)
{
	const char *path = top;
	duct_receiver *watcher;

	make_file("m");
	CHECK_STATUS(duct_watcher_new(&watcher, &path, 1,
			 DUCT_WATCHER(.poll = polls, .interval = 5 * MS, .settle = -1, .changes = DUCT_FILE_CREATED)),
	    DUCT_OK);
	return watcher;
}

/* What is read first is nothing that is told, or a file. */
static void change_first(bool polls, bool early)
{
	CHECK(truncate("m", 10) == 0);
	if (early)
		make_file("a");
	if (polls)
		usleep(6000);
}

/* Each of the two files goes to one of the threads, or to the other one where the first only tried. */
static void finish_both(struct reader *held, struct reader *other)
{
	if (held->tries)
		test_join(held->thread);
	if (held->tries && held->status == DUCT_EMPTY) {
		test_join(other->thread);
		CHECK(strcmp(name_of(other), "a") == 0);
		make_file("b");
		return;
	}
	AWAIT(atomic_load(&held->done) || atomic_load(&other->done));
	make_file("b");
	if (!held->tries)
		test_join(held->thread);
	test_join(other->thread);
	CHECK(strcmp(name_of(held), name_of(other)) != 0);
}

static bool hold_before(long lock, bool polls, unsigned manner)
{
	atomic_int hold = HOLD_SET;
	struct reader held = { .tries = manner & TRIES }, other = { .tries = false };
	duct_receiver *watcher = watch(polls);
	bool was_held;
	int64_t used;

	change_first(polls, manner & EARLY);
	reader_start(&held, watcher, &hold, lock);
	was_held = reader_is_held(&held);
	reader_start(&other, watcher, NULL, 0);
	CHECK(truncate("m", 20) == 0);
	usleep(10000);
	used = reader_cpu_time(&other);
	usleep(20000);
	used = reader_cpu_time(&other) - used;
	CHECK(used < 3 * MS * test_time_scale());
	if (!(manner & EARLY))
		make_file("a");
	atomic_store(&hold, HOLD_LET_GO);
	finish_both(&held, &other);
	duct_receiver_free(watcher);
	CHECK(unlink("a") == 0 && unlink("b") == 0 && unlink("m") == 0);
	return was_held;
}

/* Standard input can be read at once, in case anybody polls it. */
static void hold_before_each(bool polls)
{
	CHECK(close(0) == 0 && open("/dev/null", O_RDONLY) == 0);
	test_folder_begin(top, sizeof top);
	for (unsigned manner = 0; manner < MANNERS; manner++) {
		long lock = 1;

		while (hold_before(lock, polls, manner))
			lock++;
		CHECK(lock > 6 && lock < 40);
	}
	test_folder_end(top);
}

TEST(pump, that_is_held_leaves_others_asleep_and_has_them_look_anew, 10)
{
	hold_before_each(false);
}

TEST(pump, that_is_held_leaves_others_asleep_until_the_next_look, 10)
{
	hold_before_each(true);
}

/* What was read by somebody who did not wait for it is due for the one who does. */
TEST(pump, by_a_try_tells_who_sleeps_when_it_is_due, 10)
{
	const char *path = top;
	duct_receiver *watcher;

	test_folder_begin(top, sizeof top);
	CHECK_STATUS(
	    duct_watcher_new(&watcher, &path, 1, DUCT_WATCHER(.settle = 2 * MS, .changes = DUCT_FILE_CREATED)), DUCT_OK);
	for (int round = 0; round < 200; round++) {
		struct reader reader = { .tries = false };
		duct_file_event event;
		duct_status status;

		reader_start(&reader, watcher, NULL, 0);
		AWAIT(is_asleep(&reader));
		make_file("a");
		/* Where it has settled already, which only a slow machine comes to see, it is for this thread: once more. */
		while ((status = duct_try_recv(watcher, &event)) == DUCT_OK) {
			CHECK(unlink("a") == 0);
			make_file("a");
		}
		CHECK_STATUS(status, DUCT_EMPTY);
		test_join(reader.thread);
		CHECK(strcmp(name_of(&reader), "a") == 0);
		CHECK(unlink("a") == 0);
	}
	duct_receiver_free(watcher);
	test_folder_end(top);
}
