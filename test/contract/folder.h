/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the tests of file watchers share: a temporary folder, which is the working directory of the test, a watcher of it with
 * either back end, changes to make, and what is told of them as text: + for CREATED, ~ for MODIFIED, - for DELETED, each with
 * the path below the folder, in order: "+a ~a -a".
 *
 * With a clock that is set by hand a look, or the end of a batch, is due when the test says so, and nothing has to be waited for.
 */
#ifndef TEST_CONTRACT_FOLDER_H
#define TEST_CONTRACT_FOLDER_H

#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MS INT64_C(1000000)

struct folder {
	char top[200];
	bool polls;
	duct_clock *clock; /* by hand, or NULL */
	duct_receiver *watcher;
};

static inline void folder_begin(struct folder *folder, bool polls)
{
	const char *where = getenv("TMPDIR");

	*folder = (struct folder){ .polls = polls };
	snprintf(folder->top, sizeof folder->top, "%s/duct-XXXXXX", where != NULL && *where == '/' ? where : "/tmp");
	CHECK(mkdtemp(folder->top) != NULL && chdir(folder->top) == 0);
}

/* Removes what is in a directory, or a file, and itself. */
static inline void drop(const char *name)
{
	char below[4096];
	struct dirent *entry;
	DIR *stream;

	if (unlink(name) == 0)
		return;
	CHECK((stream = opendir(name)) != NULL);
	while ((entry = readdir(stream)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		CHECK(snprintf(below, sizeof below, "%s/%s", name, entry->d_name) < (int)sizeof below);
		drop(below);
	}
	closedir(stream);
	CHECK(rmdir(name) == 0);
}

static inline void folder_end(struct folder *folder)
{
	duct_receiver_free(folder->watcher);
	duct_clock_free(folder->clock);
	CHECK(chdir("/") == 0);
	drop(folder->top);
}

static inline void with_both(void (*test)(struct folder *folder))
{
	for (int polls = 0; polls < 2; polls++) {
		struct folder folder;

		folder_begin(&folder, polls);
		test(&folder);
		folder_end(&folder);
	}
}

/* ---- Changes --------------------------------------------------------------------------------------------------- */

/* Appends to a file, which is made if need be. */
static inline void put(const char *name, const char *more)
{
	int file = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);

	CHECK(file != -1 && write(file, more, strlen(more)) == (ssize_t)strlen(more) && close(file) == 0);
}

static inline void make_directory(const char *name)
{
	CHECK(mkdir(name, 0700) == 0);
}

static inline void move(const char *from, const char *to)
{
	CHECK(rename(from, to) == 0);
}

/* ---- The watcher ----------------------------------------------------------------------------------------------- */

/* Every change at once. */
#define EACH(...) DUCT_WATCHER(.settle = -1, __VA_ARGS__)
#define AT_ONCE DUCT_WATCHER(.settle = -1)

/* Watches a path, with that back end and clock. */
static inline duct_receiver *watch(const struct folder *folder, const char *path, const duct_watcher_options *options)
{
	duct_watcher_options some = *options;
	duct_receiver *watcher;

	some.poll = folder->polls;
	some.clock = folder->clock;
	CHECK_STATUS(duct_watcher_new(&watcher, &path, 1, &some), DUCT_OK);
	return watcher;
}

/* Watches the folder. */
static inline void folder_watch(struct folder *folder, const duct_watcher_options *options)
{
	folder->watcher = watch(folder, folder->top, options);
}

/* By a clock that is set by hand. */
static inline void folder_watch_by_hand(struct folder *folder, const duct_watcher_options *options)
{
	CHECK_STATUS(duct_clock_new(&folder->clock, 1), DUCT_OK);
	folder_watch(folder, options);
}

static inline const char *below(const struct folder *folder, const char *path)
{
	const size_t length = strlen(folder->top);

	if (strncmp(path, folder->top, length) != 0)
		return path;
	return path[length] == '/' ? path + length + 1 : ".";
}

/* The events that there are now, as text. */
static inline bool tells_now(const struct folder *folder, const char *expected)
{
	static char told[100000];
	duct_file_event event;
	duct_status status;
	char *end = told;

	*told = '\0';
	for (errno = EDOM; (status = duct_try_recv(folder->watcher, &event)) == DUCT_OK; errno = EDOM) {
		if (end != told)
			*end++ = ' ';
		*end = '\0';
		end += sprintf(end, "%c%s", " +~?-"[event.change], below(folder, event.path));
	}
	CHECK_STATUS(status, DUCT_EMPTY);
	CHECK(errno == EDOM);
	if (strcmp(told, expected) != 0)
		fprintf(stderr, "%s: told \"%s\", not \"%s\"\n", folder->polls ? "polling" : "inotify", told, expected);
	return strcmp(told, expected) == 0;
}

/* The same after an interval by a clock that is set by hand; looks are told of in no known order, so one change at a time. */
static inline bool tells(const struct folder *folder, const char *expected)
{
	if (folder->polls)
		CHECK_STATUS(duct_clock_advance(folder->clock, 1000 * MS), DUCT_OK);
	return tells_now(folder, expected);
}

/* ---- Threads and descriptors ----------------------------------------------------------------------------------- */

/* Descriptors that this process has open. */
static inline int open_descriptors(void)
{
	DIR *stream = opendir("/proc/self/fd");
	int count = -3; /* the two dots, and this one */

	CHECK(stream != NULL);
	while (readdir(stream) != NULL)
		count++;
	closedir(stream);
	return count;
}

/* A receive, or another call, from a watcher in a thread of its own. */
struct visit {
	struct test_call call;
	duct_file_event event;
};

static inline void visit_start(
    struct visit *visit, enum test_action action, duct_receiver *watcher, duct_time deadline, duct_cancel *cancel)
{
	*visit = (struct visit){ .call = { .action = action, .deadline = deadline, .cancel = cancel } };
	visit->call.pair.rx = watcher;
	visit->call.memory = &visit->event;
	visit->call.thread = test_start(test_call_run, &visit->call);
}

static inline bool is_asleep(const struct test_call *call)
{
	return !atomic_load(&call->done) && test_thread_state(atomic_load(&call->thread_id)) == 'S';
}

/* Until its thread has slept for some moments on end. */
static inline void visit_await_asleep(const struct visit *visit)
{
	for (int moments = 0; moments < 5; test_pause())
		moments = is_asleep(&visit->call) ? moments + 1 : 0;
}

static inline void visit_start_asleep(struct visit *visit, enum test_action action, duct_receiver *watcher)
{
	visit_start(visit, action, watcher, DUCT_FOREVER, NULL);
	visit_await_asleep(visit);
}

static inline duct_status visit_end(struct visit *visit)
{
	return test_call_end(&visit->call);
}

static inline bool is_event(
    const struct folder *folder, const duct_file_event *event, duct_file_change change, const char *name)
{
	return event->change == change && strcmp(below(folder, event->path), name) == 0;
}

#endif
