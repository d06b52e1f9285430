/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * File watchers while another process is at work: a thousand steps in a tree of directories, each told of once, in order, and
 * soon.
 */
#include "folder.h"

#include <sys/mman.h>
#include <sys/wait.h>

enum { STEPS = 1000, STEP_EVENTS = 2 };

struct step {
	duct_file_change change;
	char name[40];
};

/* What the other process tells of itself: when each step began. */
static _Atomic duct_time *begun;

static const char *const places[] = { "", "d/", "d/e/" };

/* The two names that a file has in its life of four steps, over the tree. */
static void name_step(int i, char *name, char *other)
{
	const int round = i / 4;

	sprintf(name, "%s%d", places[round % 3], round);
	sprintf(other, "%sx%d", places[round / 3 % 3], round);
}

/* What has to be told of a step; how many events. */
static int expect_step(int i, struct step *steps)
{
	char name[40], other[40];

	name_step(i, name, other);
	steps[0].change =
	    (const duct_file_change[]){ DUCT_FILE_CREATED, DUCT_FILE_MODIFIED, DUCT_FILE_DELETED, DUCT_FILE_DELETED }[i % 4];
	strcpy(steps[0].name, i % 4 == 3 ? other : name);
	if (i % 4 != 2)
		return 1;
	steps[1].change = DUCT_FILE_CREATED;
	strcpy(steps[1].name, other);
	return STEP_EVENTS;
}

static void take_step(int i)
{
	char name[40], other[40];

	name_step(i, name, other);
	atomic_store(&begun[i], duct_now());
	if (i % 4 == 0)
		put(name, "");
	else if (i % 4 == 1)
		put(name, "content");
	else if (i % 4 == 2)
		move(name, other);
	else
		drop(other);
}

/* The other process: waits for a byte before each step, if there is a pipe for it. */
static _Noreturn void take_steps(const int *go)
{
	char byte;

	if (go != NULL)
		close(go[1]);
	for (int i = 0; i < STEPS; i++) {
		if (go != NULL && read(go[0], &byte, 1) != 1)
			_exit(1);
		take_step(i);
	}
	_exit(0);
}

static pid_t start_steps(const int *go)
{
	pid_t child = fork();

	CHECK(child != -1);
	if (child == 0)
		take_steps(go);
	return child;
}

static void expect_exit(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static bool is_step(const struct folder *folder, const duct_file_event *event, const struct step *step)
{
	return is_event(folder, event, step->change, step->name);
}

/* Looks are told of in no order: then the events of a step may come the other way round. */
static void receive_step(const struct folder *folder, int i)
{
	struct step steps[STEP_EVENTS];
	duct_file_event event;
	const int count = expect_step(i, steps);
	int turned = 0;

	for (int k = 0; k < count; k++) {
		CHECK_STATUS(duct_recv_until(folder->watcher, &event, duct_after_s(10 * test_time_scale()), NULL), DUCT_OK);
		CHECK(duct_now() - atomic_load(&begun[i]) < 1000 * MS * test_time_scale());
		turned |= folder->polls && k == 0 && count == 2 && is_step(folder, &event, &steps[1]);
		CHECK(is_step(folder, &event, &steps[turned ? 1 - k : k]));
	}
}

static void begin_tree(struct folder *folder, bool polls)
{
	begun = mmap(NULL, STEPS * sizeof *begun, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(begun != MAP_FAILED);
	folder_begin(folder, polls);
	make_directory("d");
	make_directory("d/e");
	folder_watch(folder, EACH(.interval = 2 * MS));
}

static void end_tree(struct folder *folder, pid_t child)
{
	duct_file_event event;

	expect_exit(child);
	CHECK_STATUS(duct_recv_until(folder->watcher, &event, duct_after_ms(20), NULL), DUCT_TIMEDOUT);
	folder_end(folder);
	munmap(begun, STEPS * sizeof *begun);
}

TEST(watcher_process, that_waits_for_nobody_is_followed, 60)
{
	struct folder folder;
	pid_t child;

	begin_tree(&folder, false);
	child = start_steps(NULL);
	for (int i = 0; i < STEPS; i++)
		receive_step(&folder, i);
	end_tree(&folder, child);
}

/* A step is taken only when the last one has been told of, so that a look finds one at a time. */
TEST(watcher_process, that_waits_is_followed_by_looks, 60)
{
	struct folder folder;
	pid_t child;
	int go[2];

	begin_tree(&folder, true);
	CHECK(pipe(go) == 0);
	child = start_steps(go);
	for (int i = 0; i < STEPS; i++) {
		CHECK(write(go[1], "", 1) == 1);
		receive_step(&folder, i);
	}
	end_tree(&folder, child);
}

/* In batches the changes of a file are folded, and so are those of directories that come and go with it; no file is left out. */
TEST(watcher_process, in_batches_is_told_of_with_each_file_once, 60)
{
	static unsigned char created[STEPS / 4], removed[STEPS / 4];
	int left = STEPS / 2;
	duct_file_event event;
	struct folder folder;
	pid_t child;

	begin_tree(&folder, false);
	duct_receiver_free(folder.watcher);
	folder_watch(&folder, DUCT_WATCHER(.changes = DUCT_FILE_CREATED | DUCT_FILE_DELETED, .settle = 20 * MS));
	child = start_steps(NULL);
	for (; left > 0; left--) {
		unsigned char *counts;
		const char *name;

		do {
			CHECK_STATUS(
			    duct_recv_until(folder.watcher, &event, duct_after_s(10 * test_time_scale()), NULL), DUCT_OK);
			name = strrchr(event.path, '/') + 1;
		} while ((*name == 'x') == (event.change == DUCT_FILE_CREATED)); /* the two halves of a rename */
		counts = event.change == DUCT_FILE_CREATED ? created : removed;
		CHECK(counts[atoi(name + (*name == 'x'))]++ == 0);
	}
	end_tree(&folder, child);
}
