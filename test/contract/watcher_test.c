/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * File watchers: what they tell, with either back end, by a clock that is set by hand.
 */
#include "folder.h"

/* ---- Changes --------------------------------------------------------------------------------------------------- */

static void files(struct folder *folder)
{
	folder_watch_by_hand(folder, AT_ONCE);
	CHECK(tells(folder, ""));
	put("a", "");
	CHECK(tells(folder, "+a"));
	put("a", "content");
	CHECK(tells(folder, "~a"));
	put("a", "more");
	CHECK(tells(folder, "~a"));
	drop("a");
	CHECK(tells(folder, "-a"));
	put("a", "again");
	CHECK(tells(folder, folder->polls ? "+a" : "+a ~a"));
	CHECK(chmod("a", 0640) == 0);
	CHECK(tells(folder, "~a"));
	CHECK(tells(folder, ""));
}

TEST(watcher, tells_what_happens_to_files, 10)
{
	with_both(files);
}

static void directories(struct folder *folder)
{
	folder_watch_by_hand(folder, AT_ONCE);
	make_directory("d");
	CHECK(tells(folder, "+d"));
	make_directory("d/e");
	CHECK(tells(folder, "+d/e"));
	put("d/e/f", "");
	CHECK(tells(folder, "+d/e/f"));
	put("d/e/f", "content");
	CHECK(tells(folder, "~d/e/f"));
	drop("d");
	CHECK(tells(folder, "-d/e/f -d/e -d"));
	CHECK(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0 && mkdir("d/e/g", 0700) == 0);
	CHECK(tells(folder, "+d +d/e +d/e/g"));
}

TEST(watcher, goes_down_into_directories, 10)
{
	with_both(directories);
}

static void renames(struct folder *folder)
{
	put("a", "");
	put("b", "other");
	make_directory("d");
	make_directory("d/e");
	put("d/e/f", "");
	folder_watch_by_hand(folder, AT_ONCE);
	move("a", "c");
	CHECK(tells(folder, "-a +c"));
	move("c", "b");
	CHECK(tells(folder, "-c ~b"));
	move("b", "d/e/f");
	CHECK(tells(folder, "-b ~d/e/f"));
	move("d", "h");
	CHECK(tells(folder, "-d/e/f -d/e -d +h +h/e +h/e/f"));
	put("h/e/f", "more");
	CHECK(tells(folder, "~h/e/f"));
}

TEST(watcher, tells_a_rename_as_gone_and_come, 10)
{
	with_both(renames);
}

/* ---- What is wanted -------------------------------------------------------------------------------------------- */

static void subsets(struct folder *folder)
{
	for (unsigned wanted = 0; wanted < 8; wanted++) {
		folder_watch_by_hand(folder, EACH(.changes = wanted != 0 ? wanted : DUCT_FILE_NONE));
		put("a", "");
		CHECK(tells(folder, wanted & DUCT_FILE_CREATED ? "+a" : ""));
		put("a", "content");
		CHECK(tells(folder, wanted & DUCT_FILE_MODIFIED ? "~a" : ""));
		drop("a");
		CHECK(tells(folder, wanted & DUCT_FILE_DELETED ? "-a" : ""));
		duct_receiver_free(folder->watcher);
		duct_clock_free(folder->clock);
	}
	folder->watcher = NULL;
	folder->clock = NULL;
}

TEST(watcher, tells_the_changes_that_are_wanted, 10)
{
	with_both(subsets);
}

static void deletions(struct folder *folder)
{
	folder_watch_by_hand(folder, EACH(.changes = DUCT_FILE_DELETED));
	for (int again = 0; again < 2; again++) {
		put("a", "content");
		if (folder->polls)
			CHECK(tells(folder, ""));
		drop("a");
		if (folder->polls)
			CHECK(tells(folder, "-a"));
	}
	CHECK(tells(folder, folder->polls ? "" : "-a -a"));
	put("a", "content");
	CHECK(tells(folder, ""));
}

/* Whether the file is there when it is told of does not matter. */
TEST(watcher, tells_of_each_deletion_and_of_nothing_else, 10)
{
	with_both(deletions);
}

static void gone_files(struct folder *folder)
{
	folder_watch_by_hand(folder, AT_ONCE);
	put("a", "");
	drop("a");
	CHECK(tells(folder, folder->polls ? "" : "+a -a"));
	put("a", "");
	CHECK(tells(folder, "+a"));
	drop("a");
	put("a", "other");
	CHECK(tells(folder, folder->polls ? "~a" : "-a +a ~a"));
}

/* Between two looks nothing is seen of that. */
TEST(watcher, tells_of_files_that_are_gone_meanwhile, 10)
{
	with_both(gone_files);
}

/* ---- Batches --------------------------------------------------------------------------------------------------- */

static void advance(struct folder *folder, int64_t duration)
{
	CHECK_STATUS(duct_clock_advance(folder->clock, duration), DUCT_OK);
}

/* Of a folder that is watched with the usual times. */
static void begin_batches(struct folder *folder)
{
	folder_begin(folder, false);
	folder_watch_by_hand(folder, DUCT_WATCHER());
}

TEST(watcher_batch, waits_until_nothing_new_comes, 10)
{
	struct folder folder;

	begin_batches(&folder);
	put("b", "");
	CHECK(tells_now(&folder, ""));
	advance(&folder, 49 * MS);
	put("a", "");
	CHECK(tells_now(&folder, ""));
	advance(&folder, 50 * MS - 1);
	CHECK(tells_now(&folder, ""));
	advance(&folder, 1);
	CHECK(tells_now(&folder, "+b +a"));
	advance(&folder, 5000 * MS);
	CHECK(tells_now(&folder, ""));
	folder_end(&folder);
}

TEST(watcher_batch, says_each_thing_once, 10)
{
	struct folder folder;

	begin_batches(&folder);
	put("a", "");
	for (int i = 0; i < 10; i++)
		put("a", "more");
	put("b", "");
	drop("b");
	put("b", "");
	CHECK(tells_now(&folder, ""));
	advance(&folder, 50 * MS);
	CHECK(tells_now(&folder, "+a +b -b +b"));
	put("a", "more");
	put("a", "more");
	move("b", "a");
	CHECK(tells_now(&folder, ""));
	advance(&folder, 50 * MS);
	CHECK(tells_now(&folder, "~a -b"));
	folder_end(&folder);
}

TEST(watcher_batch, does_not_wait_for_ever, 10)
{
	struct folder folder;

	begin_batches(&folder);
	for (int i = 0; i < 40; i++, advance(&folder, 40 * MS)) {
		CHECK(mknod((char[]){ (char)('0' + i), '\0' }, S_IFREG | 0600, 0) == 0);
		CHECK(tells_now(&folder, ""));
	}
	CHECK(tells_now(&folder,
	    "+0 +1 +2 +3 +4 +5 +6 +7 +8 +9 +: +; +< += +> +? +@ +A +B +C +D +E +F +G +H +I +J +K +L +M +N +O "
	    "+P +Q +R +S +T +U +V +W"));
	folder_end(&folder);
}

static void own_times(struct folder *folder)
{
	folder_watch_by_hand(folder, DUCT_WATCHER(.settle = 5, .settle_most = 8, .interval = 1));
	put("a", "");
	advance(folder, 1);
	CHECK(tells_now(folder, ""));
	advance(folder, 4);
	put("b", "");
	CHECK(tells_now(folder, ""));
	advance(folder, 3);
	CHECK(tells_now(folder, "")); /* where b is found last */
	advance(folder, 1);
	CHECK(tells_now(folder, "+a +b"));
}

/* Until what has come last is 5 old, or what has come first is 8. */
TEST(watcher_batch, has_the_times_of_the_options, 10)
{
	struct folder folder;

	folder_begin(&folder, true);
	own_times(&folder);
	folder_end(&folder);
	folder_begin(&folder, false);
	folder_watch_by_hand(&folder, DUCT_WATCHER(.settle = 5, .settle_most = 8));
	put("a", "");
	CHECK(tells_now(&folder, ""));
	advance(&folder, 4);
	put("b", "");
	CHECK(tells_now(&folder, ""));
	advance(&folder, 3);
	CHECK(tells_now(&folder, ""));
	advance(&folder, 1);
	CHECK(tells_now(&folder, "+a +b"));
	folder_end(&folder);
}

TEST(watcher, that_polls_looks_when_the_interval_is_over, 10)
{
	struct folder folder;

	folder_begin(&folder, true);
	folder_watch_by_hand(&folder, EACH(.interval = 30 * MS));
	put("a", "");
	advance(&folder, 30 * MS - 1);
	CHECK(tells_now(&folder, ""));
	advance(&folder, 1);
	CHECK(tells_now(&folder, "+a"));
	put("a", "more");
	advance(&folder, 30 * MS - 1);
	CHECK(tells_now(&folder, ""));
	advance(&folder, 1);
	CHECK(tells_now(&folder, "~a"));
	folder_end(&folder);
}

/* ---- Paths ----------------------------------------------------------------------------------------------------- */

static void missing_paths(struct folder *folder)
{
	const char *const paths[] = { folder->top, "d/e" };
	duct_receiver *const untouched = (duct_receiver *)(void *)folder;
	duct_receiver *watcher = untouched;

	CHECK_STATUS(duct_watcher_new(&watcher, paths, 2, DUCT_WATCHER(.poll = folder->polls)), DUCT_INVALID);
	CHECK_STATUS(duct_watcher_new(&watcher, paths + 1, 1, DUCT_WATCHER(.poll = folder->polls)), DUCT_INVALID);
	CHECK(watcher == untouched);
	CHECK_STATUS(duct_clock_new(&folder->clock, 1), DUCT_OK);
	folder->watcher = watch(folder, "d/e", EACH(.may_be_missing = true));
	CHECK(tells(folder, ""));
	make_directory("d");
	CHECK(tells(folder, ""));
	put("d/other", "");
	CHECK(tells(folder, ""));
	make_directory("d/e");
	CHECK(tells(folder, "+d/e"));
	put("d/e/f", "");
	CHECK(tells(folder, "+d/e/f"));
}

TEST(watcher, of_a_missing_path_is_refused_or_waits_for_it, 10)
{
	with_both(missing_paths);
}

static void removed_path(struct folder *folder)
{
	make_directory("d");
	put("d/f", "");
	CHECK_STATUS(duct_clock_new(&folder->clock, 1), DUCT_OK);
	folder->watcher = watch(folder, "d", AT_ONCE);
	for (int again = 0; again < 3; again++) {
		drop("d");
		CHECK(tells(folder, "-d/f -d"));
		make_directory("d");
		CHECK(tells(folder, "+d"));
		put("d/f", "");
		CHECK(tells(folder, "+d/f"));
	}
}

TEST(watcher, goes_on_when_its_path_is_made_again, 10)
{
	with_both(removed_path);
}

static void several_paths(struct folder *folder)
{
	const char *const paths[] = { "d", folder->top, "f" };

	make_directory("d");
	put("f", "");
	CHECK_STATUS(duct_clock_new(&folder->clock, 1), DUCT_OK);
	CHECK_STATUS(
	    duct_watcher_new(&folder->watcher, paths, 1, EACH(.poll = folder->polls, .clock = folder->clock)), DUCT_OK);
	put("f", "content");
	put("d/a", "");
	CHECK(tells(folder, "+d/a"));
	duct_receiver_free(folder->watcher);
	CHECK_STATUS(duct_watcher_new(&folder->watcher, (const char *const[]){ "f", "./d" }, 2,
			 EACH(.poll = folder->polls, .clock = folder->clock)),
	    DUCT_OK);
	put("f", "content");
	CHECK(tells(folder, "~f"));
	drop("d/a");
	CHECK(tells(folder, "-./d/a"));
	put("g", "");
	CHECK(tells(folder, ""));
}

TEST(watcher, names_paths_as_they_were_given, 10)
{
	with_both(several_paths);
}

static void early_changes(struct folder *folder)
{
	put("a", "");
	folder_watch_by_hand(folder, AT_ONCE);
	put("a", "content");
	CHECK(tells(folder, "~a"));
}

/* It need not be waited for from the beginning. */
TEST(watcher, tells_of_all_since_it_was_made, 10)
{
	with_both(early_changes);
}

/* ---- As a receiver --------------------------------------------------------------------------------------------- */

enum { MANY = 100 };

static void many_events(struct folder *folder)
{
	static duct_file_event events[MANY];
	unsigned char seen[MANY] = { 0 };
	size_t received;
	char name[20];

	folder_watch_by_hand(folder, AT_ONCE);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "%d", i);
		CHECK(mknod(name, S_IFREG | 0600, 0) == 0);
	}
	if (folder->polls)
		advance(folder, 1000 * MS);
	CHECK_STATUS(duct_recv_many(folder->watcher, events, 0, 7, &received, 0, NULL), DUCT_OK);
	CHECK(received == 7);
	CHECK_STATUS(duct_recv_many(folder->watcher, events + 7, MANY - 7, MANY - 7, &received, DUCT_FOREVER, NULL), DUCT_OK);
	CHECK(received == MANY - 7);
	for (int i = 0; i < MANY; i++) {
		int number = atoi(below(folder, events[i].path));

		CHECK(events[i].change == DUCT_FILE_CREATED && seen[number]++ == 0);
		CHECK(folder->polls || number == i);
	}
	CHECK_STATUS(duct_recv_many(folder->watcher, events, 1, MANY, &received, 0, NULL), DUCT_TIMEDOUT);
	CHECK(received == 0);
	CHECK(tells(folder, ""));
}

TEST(watcher, keeps_what_is_not_received_yet, 10)
{
	with_both(many_events);
}

static void close_with_some(struct folder *folder)
{
	duct_file_event event;

	put("b", "");
	folder_watch_by_hand(folder, AT_ONCE);
	put("a", "");
	if (folder->polls)
		advance(folder, 1000 * MS);
	CHECK_STATUS(duct_receiver_wait(folder->watcher, 0, NULL), DUCT_OK);
	CHECK(!duct_receiver_is_closed(folder->watcher) && duct_receiver_len(folder->watcher) == 1);
	put("b", "content");
	duct_receiver_close(folder->watcher);
	put("c", "");
	CHECK(duct_receiver_is_closed(folder->watcher));
	CHECK_STATUS(duct_receiver_wait(folder->watcher, 0, NULL), DUCT_OK);
	CHECK_STATUS(duct_recv(folder->watcher, &event), DUCT_OK);
	CHECK(is_event(folder, &event, DUCT_FILE_CREATED, "a"));
	CHECK_STATUS(duct_recv(folder->watcher, &event), DUCT_CLOSED);
	CHECK_STATUS(duct_try_recv(folder->watcher, &event), DUCT_CLOSED);
	CHECK_STATUS(duct_receiver_wait(folder->watcher, DUCT_FOREVER, NULL), DUCT_CLOSED);
	CHECK(is_event(folder, &event, DUCT_FILE_CREATED, "a"));
}

TEST(watcher, closed_gives_what_was_seen_and_no_more, 10)
{
	with_both(close_with_some);
}

static void names(struct folder *folder)
{
	char text[200];

	folder->watcher = watch(folder, folder->top, DUCT_WATCHER(.name = "the folder"));
	CHECK(strcmp(duct_receiver_name(folder->watcher), "the folder") == 0);
	CHECK(duct_receiver_describe(folder->watcher, text, sizeof text) > 0 && strstr(text, "watcher the folder") != NULL);
	CHECK(duct_receiver_channel(folder->watcher) == NULL);
	duct_receiver_free(folder->watcher);
	folder->watcher = watch(folder, folder->top, DUCT_WATCHER());
	CHECK(strncmp(duct_receiver_name(folder->watcher), "watcher-", 8) == 0);
}

TEST(watcher, has_a_name, 5)
{
	with_both(names);
}

static void clones(struct folder *folder)
{
	duct_receiver *clone;
	duct_file_event event;

	folder_watch_by_hand(folder, AT_ONCE);
	CHECK_STATUS(duct_receiver_clone(folder->watcher, &clone), DUCT_OK);
	put("a", "");
	if (folder->polls)
		advance(folder, 1000 * MS);
	CHECK_STATUS(duct_try_recv(clone, &event), DUCT_OK);
	CHECK(is_event(folder, &event, DUCT_FILE_CREATED, "a"));
	duct_receiver_free(clone);
	drop("a");
	CHECK(tells(folder, "-a"));
}

TEST(watcher, shares_its_events_with_a_clone, 5)
{
	with_both(clones);
}

TEST(watcher, without_options_tells_of_all, 10)
{
	struct folder folder;
	const char *path = folder.top;
	duct_file_event event;
	duct_time begun;

	folder_begin(&folder, false);
	CHECK_STATUS(duct_watcher_new(&folder.watcher, &path, 1, NULL), DUCT_OK);
	begun = duct_now();
	put("a", "content");
	CHECK_STATUS(duct_recv(folder.watcher, &event), DUCT_OK);
	CHECK(is_event(&folder, &event, DUCT_FILE_CREATED, "a") && duct_now() >= begun + 50 * MS);
	drop("a");
	CHECK_STATUS(duct_recv(folder.watcher, &event), DUCT_OK);
	CHECK(is_event(&folder, &event, DUCT_FILE_DELETED, "a"));
	folder_end(&folder);
}

static void refusals(struct folder *folder)
{
	static char long_path[5000];
	duct_receiver *const untouched = (duct_receiver *)(void *)folder;
	duct_receiver *watcher = untouched;
	const char *good = folder->top, *none = NULL, *empty = "", *too_long = long_path;
	duct_watcher_options unknown = DUCT_WATCHER_OPTIONS_INIT;
	size_t *small = malloc(sizeof *small);

	memset(long_path, 'x', sizeof long_path - 1);
	unknown.size--;
	errno = EDOM;
	CHECK_STATUS(duct_watcher_new(NULL, &good, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_watcher_new(&watcher, NULL, 1, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_watcher_new(&watcher, &good, 0, NULL), DUCT_INVALID);
	CHECK_STATUS(duct_watcher_new(&watcher, &good, 1, &unknown), DUCT_INVALID);
	for (int i = 0; i < 3; i++) {
		const char *const *paths = (const char *const *[]){ &none, &empty, &too_long }[i];

		CHECK_STATUS(duct_watcher_new(&watcher, paths, 1, DUCT_WATCHER(.poll = folder->polls, .may_be_missing = true)),
		    DUCT_INVALID);
	}
	CHECK_STATUS(duct_watcher_new(&watcher, &good, 1, DUCT_WATCHER(.poll = folder->polls, .changes = 16)), DUCT_INVALID);
	CHECK_STATUS(duct_watcher_new(&watcher, &good, 1, DUCT_WATCHER(.poll = folder->polls, .interval = -1)), DUCT_INVALID);
	CHECK_STATUS(
	    duct_watcher_new(&watcher, &good, 1, DUCT_WATCHER(.poll = folder->polls, .settle_most = -1)), DUCT_INVALID);
	/* Nothing of the options is looked at but their size, until that is known to be right. */
	*small = sizeof *small;
	CHECK_STATUS(duct_watcher_new(&watcher, &good, 1, (const duct_watcher_options *)(void *)small), DUCT_INVALID);
	free(small);
	CHECK(watcher == untouched && errno == EDOM);
}

TEST(watcher, refuses_what_cannot_work, 5)
{
	with_both(refusals);
}
