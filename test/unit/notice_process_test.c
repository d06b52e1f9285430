/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Notice of what another process does, meanwhile, in bulk, and faster than it is read.
 */
#include "grove.h"
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 1000 };

/* A step of the other process, and what has to be told of it. */
static void step(const struct grove *grove, int i, bool does, char *told)
{
	char name[40], other[40];
	const int round = i / 4;

	snprintf(name, sizeof name, "%s%d", round % 3 == 0 ? "" : round % 3 == 1 ? "d/" : "d/e/", round);
	snprintf(other, sizeof other, "%s-%d", round % 2 ? "" : "d/", round);
	switch (i % 4) {
	case 0:
		sprintf(told, "+%s", name);
		if (does)
			put(grove, name, "");
		break;
	case 1:
		sprintf(told, "~%s", name);
		if (does)
			put(grove, name, "content");
		break;
	case 2:
		sprintf(told, "-%s +%s", name, other);
		if (does)
			move(grove, name, other);
		break;
	default:
		sprintf(told, "-%s", other);
		if (does)
			drop(grove, other);
	}
}

/* Does the steps, each when a byte says so, and says when it is done. */
static _Noreturn void take_steps(const struct grove *grove, int go, int done)
{
	char told[100], byte = 0;

	for (int i = 0; i < STEPS; i++) {
		if (go != -1 && read(go, &byte, 1) != 1)
			_exit(1);
		step(grove, i, true, told);
		if (done != -1 && write(done, &byte, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static void expect_exit(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void make_places(struct grove *grove)
{
	make_directory(grove, "d");
	make_directory(grove, "d/e");
	grove_watch(grove, "", AT_ONCE());
}

/* Each step is told of, and only of that, before the next one. */
static void in_turn(struct grove *grove)
{
	int go[2], done[2];
	char byte = 0, told[100];
	pid_t child = -1;

	make_places(grove);
	CHECK(pipe(go) == 0 && pipe(done) == 0 && (child = fork()) != -1);
	if (child == 0)
		take_steps(grove, go[0], done[1]);
	for (int i = 0; i < STEPS; i++) {
		CHECK(write(go[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1);
		step(grove, i, false, told);
		grove_pump(grove);
		CHECK(grove_tells(grove, told, grove->polls));
	}
	expect_exit(child);
}

TEST(notice_process, that_waits_is_followed_step_by_step, 60)
{
	grove_both(in_turn);
}

/* All steps of a process that waits for nobody are told, each once and in order, with waits on the descriptor alone. */
TEST(notice_process, that_does_not_wait_is_followed_all_the_same, 60)
{
	struct grove grove;
	char *expected = malloc(STEPS * 100), *end = expected, *told = malloc(STEPS * 100), *told_end = told;
	pid_t child = -1;

	grove_begin(&grove, false);
	make_places(&grove);
	for (int i = 0; i < STEPS; i++) {
		char text[100];

		step(&grove, i, false, text);
		end += sprintf(end, "%s ", text);
	}
	CHECK((child = fork()) != -1);
	if (child == 0)
		take_steps(&grove, -1, -1);
	*told = '\0';
	while (strlen(told) < strlen(expected)) {
		struct pollfd ready = { .fd = notice_descriptor(grove.notice), .events = POLLIN };

		CHECK(poll(&ready, 1, 5000 * test_time_scale()) == 1);
		notice_pump(grove.notice, grove.now);
		for (const duct_file_event *event; (event = notice_first(grove.notice)) != NULL; notice_pop(grove.notice))
			told_end += sprintf(told_end, "%c%s ", " +~?-"[event->change], event -> path + strlen(grove.top) + 1);
	}
	CHECK(strcmp(told, expected) == 0);
	expect_exit(child);
	TOLD(&grove, "");
	free(expected);
	free(told);
	grove_end(&grove);
}

/* ---- Trees that grow while they are marked --------------------------------------------------------------------- */

enum { BRANCHES = 300 };

static _Noreturn void grow_branches(const struct grove *grove)
{
	char name[60];

	for (int i = 0; i < BRANCHES; i++) {
		snprintf(name, sizeof name, "%d", i);
		make_directory(grove, name);
		snprintf(name, sizeof name, "%d/a", i);
		make_directory(grove, name);
		snprintf(name, sizeof name, "%d/a/b", i);
		make_directory(grove, name);
		snprintf(name, sizeof name, "%d/a/b/f", i);
		put(grove, name, "");
		snprintf(name, sizeof name, "%d/g", i);
		put(grove, name, "");
	}
	_exit(0);
}

/* Whatever is made between a directory and its mark is found once: by the look, or by tidings, or by both. */
TEST(notice_process, that_fills_new_directories_is_told_of_once, 60)
{
	struct grove grove;
	static unsigned char seen[BRANCHES][5];
	int left = BRANCHES * 5;
	pid_t child = -1;

	grove_begin(&grove, false);
	grove_watch(&grove, "", AT_ONCE(.changes = DUCT_FILE_CREATED | DUCT_FILE_DELETED));
	CHECK((child = fork()) != -1);
	if (child == 0)
		grow_branches(&grove);
	for (bool more = true; more;) {
		more = left > 0;
		notice_pump(grove.notice, grove.now);
		for (const duct_file_event *event; (event = notice_first(grove.notice)) != NULL; notice_pop(grove.notice)) {
			const char *name = event->path + strlen(grove.top) + 1, *below = strchr(name, '/');
			static const char *const places[5] = { "", "/a", "/a/b", "/a/b/f", "/g" };
			int place = 0;

			while (strcmp(below != NULL ? below : "", places[place]) != 0)
				CHECK(++place < 5);
			CHECK(event->change == DUCT_FILE_CREATED && seen[atoi(name)][place]++ == 0);
			left--;
		}
	}
	expect_exit(child);
	TOLD(&grove, "");
	grove_end(&grove);
}

/* ---- More than the system keeps -------------------------------------------------------------------------------- */

enum { CROWD = 20000 };

/* Tells of each number how many events of which kinds there were. */
static void count_crowd(struct grove *grove, unsigned char (*counts)[CROWD][8])
{
	memset(*counts, 0, sizeof *counts);
	for (const duct_file_event *event; (event = notice_first(grove->notice)) != NULL; notice_pop(grove->notice)) {
		const char *name = strrchr(event->path, '/') + 1;

		CHECK(*name >= '0' && *name <= '9');
		(*counts)[atoi(name)][event->change]++;
	}
}

static bool is_crowded(const unsigned char counts[8], int created, int modified, int deleted)
{
	return counts[DUCT_FILE_CREATED] == created && counts[DUCT_FILE_MODIFIED] == modified &&
	       counts[DUCT_FILE_DELETED] == deleted;
}

/* Where the queue overflows, what was lost is found by looking, and the rest is told once too. */
static void crowd_comes_and_goes(struct grove *grove)
{
	static unsigned char counts[CROWD][8];
	char name[40];

	make_directory(grove, "d");
	grove_watch(grove, "", AT_ONCE());
	for (int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof name, "d/%d", i);
		CHECK(close(creat(name, 0600)) == 0);
	}
	grove_pump(grove);
	count_crowd(grove, &counts);
	for (int i = 0; i < CROWD; i++)
		CHECK(is_crowded(counts[i], 1, 0, 0));
	TOLD(grove, "");
	for (int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof name, "d/%d", i);
		if (i % 2 == 0)
			CHECK(truncate(name, 7) == 0);
		else
			CHECK(unlink(name) == 0);
	}
	grove_pump(grove);
	count_crowd(grove, &counts);
	for (int i = 0; i < CROWD; i++)
		CHECK(is_crowded(counts[i], 0, i % 2 == 0, i % 2 == 1));
	TOLD(grove, "");
	put(grove, "d/0", "more");
	TOLD(grove, "~d/0");
	CHECK(grove->polls || notice_due(grove->notice) == DUCT_FOREVER);
}

TEST(notice_crowd, beyond_the_queue_is_told_of_all_the_same, 120)
{
	grove_both(crowd_comes_and_goes);
}

/* Directories that were replaced while nothing was told are marked anew. */
TEST(notice_crowd, beyond_the_queue_hides_no_directory, 60)
{
	struct grove grove;

	grove_begin(&grove, false);
	make_directory(&grove, "d");
	make_directory(&grove, "d/e");
	make_directory(&grove, "c");
	put(&grove, "d/e/f", "");
	grove_watch(&grove, "", AT_ONCE());
	for (int i = 0; i < CROWD; i++) {
		CHECK(chmod("d/e/f", i % 2 ? 0600 : 0640) == 0);
		CHECK(chmod("d/e", i % 2 ? 0700 : 0750) == 0);
	}
	drop(&grove, "d");
	make_directory(&grove, "d");
	make_directory(&grove, "d/e");
	put(&grove, "d/e/f", "other");
	move(&grove, "c", "b");
	make_directory(&grove, "c");
	grove_pump(&grove);
	while (notice_first(grove.notice) != NULL)
		notice_pop(grove.notice);
	TOLD(&grove, "");
	put(&grove, "d/e/f", "more");
	put(&grove, "c/g", "");
	put(&grove, "b/g", "");
	TOLD(&grove, "~d/e/f +c/g +b/g");
	grove_end(&grove);
}

/* More than is read in a turn, and a look at all of it in between: what the look found is no news when tidings tell of it. */
TEST(notice_crowd, that_was_looked_at_is_not_told_again, 60)
{
	enum { NAMES = 6000 };
	struct grove grove;
	char name[240];
	int created = 0;

	grove_begin(&grove, false);
	make_directory(&grove, "a");
	make_directory(&grove, "a/b");
	put(&grove, "a/b/x", "");
	put(&grove, "a/b/gone", "");
	grove_watch(&grove, "a/b", AT_ONCE());
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof name, "a/b/%0220d", i);
		CHECK(close(creat(name, 0600)) == 0);
		if (i == 0) {
			move(&grove, "a", "z");
			move(&grove, "z", "a");
		}
	}
	drop(&grove, "a/b/gone");
	move(&grove, "a/b/x", "a/b/y");
	grove_pump(&grove);
	for (const duct_file_event *event; (event = notice_first(grove.notice)) != NULL; notice_pop(grove.notice))
		created += event->change == DUCT_FILE_CREATED ? 1 : event->change == DUCT_FILE_DELETED ? -1000000 : 1000;
	CHECK(created == NAMES + 1 - 2 * 1000000);
	TOLD(&grove, "");
	put(&grove, "c", "");
	move(&grove, "c", "a/b/y");
	TOLD(&grove, "~a/b/y");
	grove_end(&grove);
}
