/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Notice of changes of files: what is told of files, directories, links and paths that come and go, by both back ends.
 */
#include "grove.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Files ----------------------------------------------------------------------------------------------------- */

static void file_lives(struct grove *grove)
{
	put(grove, "old", "");
	grove_watch(grove, "", AT_ONCE());
	TOLD(grove, "");
	put(grove, "a", "");
	TOLD(grove, "+a");
	put(grove, "a", "more");
	TOLD(grove, "~a");
	put(grove, "old", "more");
	TOLD(grove, "~old");
	drop(grove, "a");
	TOLD(grove, "-a");
	drop(grove, "old");
	TOLD(grove, "-old");
	TOLD(grove, "");
}

TEST(notice_file, is_created_and_modified_and_deleted, 20)
{
	grove_both(file_lives);
}

static void facts_change(struct grove *grove)
{
	struct timespec times[2] = { { .tv_sec = 5 }, { .tv_sec = 5 } };

	put(grove, "a", "");
	grove_watch(grove, "", AT_ONCE());
	set_mode(grove, "a", 0640);
	TOLD(grove, "~a");
	CHECK(utimensat(AT_FDCWD, grove_path(grove, "a"), times, 0) == 0);
	TOLD(grove, "~a");
	times[1].tv_nsec = 1;
	CHECK(utimensat(AT_FDCWD, grove_path(grove, "a"), times, 0) == 0);
	TOLD(grove, "~a");
	TOLD(grove, "");
	notice_pop(grove->notice);
}

TEST(notice_file, is_modified_by_what_stat_tells_of_it, 20)
{
	grove_both(facts_change);
}

static void file_is_renamed(struct grove *grove)
{
	put(grove, "a", "");
	put(grove, "b", "");
	make_directory(grove, "d");
	grove_watch(grove, "", AT_ONCE());
	move(grove, "a", "c");
	TOLD(grove, "-a +c");
	move(grove, "c", "b");
	TOLD(grove, "-c ~b");
	put(grove, "b", "more");
	TOLD(grove, "~b");
	move(grove, "b", "d/b");
	TOLD(grove, "-b +d/b");
	drop(grove, "d/b");
	TOLD(grove, "-d/b");
}

TEST(notice_file, renamed_is_deleted_and_created, 20)
{
	grove_both(file_is_renamed);
}

/* Editors write a new file and rename it over the old one, again and again. */
static void file_is_replaced(struct grove *grove)
{
	put(grove, "a", "");
	grove_watch(grove, "a", AT_ONCE());
	for (int i = 0; i < 3; i++) {
		put(grove, "new", "content");
		move(grove, "new", "a");
		TOLD(grove, "~a");
	}
	put(grove, "a", "more");
	TOLD(grove, "~a");
	put(grove, "new", "content");
	move(grove, "new", "a");
	TOLD(grove, "~a");
	drop(grove, "a");
	TOLD(grove, "-a");
}

TEST(notice_file, replaced_is_modified_each_time, 20)
{
	grove_both(file_is_replaced);
}

/* Two renames over one file before anybody looks. */
TEST(notice_file, replaced_twice_is_modified_twice, 20)
{
	struct grove grove;

	grove_begin(&grove, false);
	put(&grove, "a", "");
	grove_watch(&grove, "", AT_ONCE());
	put(&grove, "b", "");
	put(&grove, "c", "");
	move(&grove, "b", "a");
	move(&grove, "c", "a");
	TOLD(&grove, "+b +c -b ~a -c ~a");
	grove_end(&grove);
}

/* Written to, and then replaced: both are told, though only the end can be seen. */
TEST(notice_file, that_is_written_and_replaced_is_modified_twice, 20)
{
	struct grove grove;

	grove_begin(&grove, false);
	put(&grove, "a", "");
	put(&grove, "b", "");
	grove_watch(&grove, "", AT_ONCE());
	put(&grove, "a", "more");
	move(&grove, "b", "a");
	TOLD(&grove, "~a -b ~a");
	grove_end(&grove);
}

/* One that is made again is told of in its turn. */
TEST(notice_file, that_is_made_again_comes_behind_others, 20)
{
	struct grove grove;

	grove_begin(&grove, false);
	put(&grove, "a", "");
	grove_watch(&grove, "", AT_ONCE());
	drop(&grove, "a");
	put(&grove, "b", "");
	put(&grove, "a", "");
	TOLD(&grove, "-a +b +a");
	grove_end(&grove);
}

static void exchange(const struct grove *grove, const char *one, const char *other)
{
	const char *one_path = grove_path(grove, one), *other_path = grove_path(grove, other);

	CHECK(syscall(SYS_renameat2, AT_FDCWD, one_path, AT_FDCWD, other_path, 1 << 1) == 0);
}

static void files_change_places(struct grove *grove)
{
	put(grove, "a", "");
	make_directory(grove, "b");
	put(grove, "b/f", "");
	put(grove, "c", "");
	put(grove, "d", "");
	grove_watch(grove, "", AT_ONCE());
	exchange(grove, "c", "d");
	TOLD_ANYHOW(grove, grove->polls ? "~c ~d" : "+c +d -c -d ~d");
	exchange(grove, "a", "b");
	grove_pump(grove);
	while (notice_first(grove->notice) != NULL)
		notice_pop(grove->notice);
	put(grove, "a/f", "more");
	TOLD(grove, "~a/f");
	put(grove, "b", "more");
	TOLD(grove, "~b");
	exchange(grove, "a", "b");
	grove_pump(grove);
	while (notice_first(grove->notice) != NULL)
		notice_pop(grove->notice);
	put(grove, "b/f", "more");
	TOLD(grove, "~b/f");
	put(grove, "b/g", "");
	TOLD(grove, "+b/g");
	drop(grove, "a");
	TOLD(grove, "-a");
	drop(grove, "c");
	TOLD(grove, "-c");
	drop(grove, "d");
	TOLD(grove, "-d");
}

TEST(notice_file, that_changes_places_with_another_is_known_there, 20)
{
	grove_both(files_change_places);
}

/* What came and went is told, though it can not be seen any more. */
TEST(notice_file, that_is_gone_already_is_told_of, 20)
{
	struct grove grove;

	grove_begin(&grove, false);
	grove_watch(&grove, "", AT_ONCE());
	for (int i = 0; i < 2; i++) {
		put(&grove, "a", "x");
		drop(&grove, "a");
	}
	TOLD(&grove, "+a ~a -a +a ~a -a");
	make_directory(&grove, "d");
	drop(&grove, "d");
	TOLD(&grove, "+d -d");
	grove_end(&grove);
}

static void kind_changes(struct grove *grove)
{
	put(grove, "a", "");
	make_directory(grove, "b");
	put(grove, "b/x", "");
	grove_watch(grove, "", AT_ONCE());
	drop(grove, "a");
	make_directory(grove, "a");
	TOLD(grove, "-a +a");
	put(grove, "a/x", "");
	TOLD(grove, "+a/x");
	drop(grove, "b");
	put(grove, "b", "");
	TOLD(grove, "-b/x -b +b");
	put(grove, "b", "more");
	TOLD(grove, "~b");
}

TEST(notice_file, that_became_a_directory_is_deleted_and_created, 20)
{
	grove_both(kind_changes);
}

/* ---- Directories ----------------------------------------------------------------------------------------------- */

static void directories_live(struct grove *grove)
{
	make_directory(grove, "d");
	make_directory(grove, "d/e");
	grove_watch(grove, "", AT_ONCE());
	put(grove, "d/e/f", "");
	TOLD(grove, "+d/e/f");
	make_directory(grove, "d/e/g");
	TOLD(grove, "+d/e/g");
	put(grove, "d/e/g/h", "");
	TOLD(grove, "+d/e/g/h");
	put(grove, "d/e/g/h", "more");
	TOLD(grove, "~d/e/g/h");
	drop(grove, "d/e/g");
	TOLD(grove, "-d/e/g/h -d/e/g");
	drop(grove, "d/e/f");
	TOLD(grove, "-d/e/f");
	make_directory(grove, "d/e/g");
	TOLD(grove, "+d/e/g");
	put(grove, "d/e/g/h", "");
	TOLD(grove, "+d/e/g/h");
}

TEST(notice_directory, is_watched_with_all_below_it, 20)
{
	grove_both(directories_live);
}

/* Made and filled before anybody looks. */
static void directory_is_full(struct grove *grove)
{
	grove_watch(grove, "", AT_ONCE());
	make_directory(grove, "d");
	make_directory(grove, "d/e");
	put(grove, "d/e/f", "");
	TOLD(grove, "+d +d/e +d/e/f");
	put(grove, "d/e/f", "more");
	TOLD(grove, "~d/e/f");
	put(grove, "d/g", "");
	TOLD(grove, "+d/g");
}

TEST(notice_directory, that_is_new_is_told_with_all_that_is_in_it, 20)
{
	grove_both(directory_is_full);
}

static void tree_moves(struct grove *grove)
{
	make_directory(grove, "top");
	make_directory(grove, "d");
	make_directory(grove, "d/e");
	put(grove, "d/e/f", "");
	grove_watch(grove, "top", AT_ONCE());
	move(grove, "d", "top/d");
	TOLD(grove, "+top/d +top/d/e +top/d/e/f");
	put(grove, "top/d/e/f", "more");
	TOLD(grove, "~top/d/e/f");
	move(grove, "top/d", "top/c");
	TOLD(grove, "-top/d/e/f -top/d/e -top/d +top/c +top/c/e +top/c/e/f");
	put(grove, "top/c/e/f", "more");
	TOLD(grove, "~top/c/e/f");
	move(grove, "top/c", "d");
	TOLD(grove, "-top/c/e/f -top/c/e -top/c");
	put(grove, "d/e/f", "more");
	put(grove, "d/e/g", "");
	TOLD(grove, "");
}

TEST(notice_directory, that_moves_is_deleted_and_created_with_all_that_is_in_it, 20)
{
	grove_both(tree_moves);
}

/* A rename can put a directory in the place of an empty one. */
static void directory_is_replaced(struct grove *grove)
{
	make_directory(grove, "d");
	make_directory(grove, "e");
	put(grove, "e/f", "");
	grove_watch(grove, "", AT_ONCE());
	move(grove, "e", "d");
	TOLD(grove, "-e/f -e +d/f");
	put(grove, "d/f", "more");
	TOLD(grove, "~d/f");
}

TEST(notice_directory, that_is_replaced_is_told_by_what_is_in_it, 20)
{
	grove_both(directory_is_replaced);
}

static void directory_changes(struct grove *grove)
{
	make_directory(grove, "d");
	grove_watch(grove, "", AT_ONCE());
	set_mode(grove, "d", 0750);
	set_mode(grove, "", 0750);
	TOLD(grove, "");
	put(grove, "d/f", "");
	TOLD(grove, "+d/f");
}

TEST(notice_directory, is_never_modified, 20)
{
	grove_both(directory_changes);
}

static void many_names(struct grove *grove)
{
	char name[20];

	grove_watch(grove, "", AT_ONCE());
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof name, "%d", i);
		put(grove, name, "");
	}
	grove_pump(grove);
	for (int i = 0; i < 500; i++) {
		CHECK(notice_first(grove->notice) != NULL && notice_first(grove->notice)->change == DUCT_FILE_CREATED);
		notice_pop(grove->notice);
	}
	CHECK(notice_first(grove->notice) == NULL);
	drop(grove, "250");
	TOLD(grove, "-250");
	put(grove, "499", "more");
	TOLD(grove, "~499");
}

TEST(notice_directory, may_be_large, 20)
{
	grove_both(many_names);
}

/* ---- Links ----------------------------------------------------------------------------------------------------- */

static void links_below(struct grove *grove)
{
	make_directory(grove, "top");
	make_directory(grove, "out");
	put(grove, "out/f", "");
	link_to(grove, "nowhere", "top/old");
	grove_watch(grove, "top", AT_ONCE());
	link_to(grove, "../out", "top/l");
	TOLD(grove, "+top/l");
	put(grove, "out/f", "more");
	put(grove, "out/g", "");
	TOLD(grove, "");
	link_to(grove, "elsewhere", "new");
	move(grove, "new", "top/old");
	TOLD(grove, "~top/old");
	drop(grove, "top/l");
	TOLD(grove, "-top/l");
}

TEST(notice_link, is_a_file_and_not_followed, 20)
{
	grove_both(links_below);
}

/* A look that finds nothing new tells nothing: here that at a path which was moved away, and back. */
static void look(struct grove *grove)
{
	move(grove, "way", "elsewhere");
	move(grove, "elsewhere", "way");
	TOLD(grove, "");
}

static void links_are_looked_at(struct grove *grove)
{
	make_directory(grove, "way");
	make_directory(grove, "way/top");
	for (int i = 0; i < 2; i++) {
		make_directory(grove, i == 0 ? "one" : "two");
		put(grove, i == 0 ? "one/f" : "two/f", "");
	}
	grove_watch(grove, "way/top", AT_ONCE());
	link_to(grove, "../../one", "way/top/l");
	TOLD(grove, "+way/top/l");
	look(grove);
	link_to(grove, grove_path(grove, "two"), "way/top/m");
	TOLD(grove, "+way/top/m");
	exchange(grove, "way/top/l", "way/top/m");
	TOLD_ANYHOW(grove, grove->polls ? "~way/top/l ~way/top/m" : "+way/top/l +way/top/m -way/top/l -way/top/m ~way/top/m");
	look(grove);
}

TEST(notice_link, is_looked_at_without_being_followed, 20)
{
	grove_both(links_are_looked_at);
}

/* As many links as the system follows, and one more; the last leads to a name of one letter. */
static void links_follow_each_other(struct grove *grove)
{
	enum { MOST = 40 };
	char name[20], target[20] = "d";

	make_directory(grove, "d");
	for (int i = 0; i <= MOST; i++) {
		snprintf(name, sizeof name, "l%d", i);
		link_to(grove, target, name);
		strcpy(target, name);
	}
	snprintf(name, sizeof name, "l%d", MOST - 1);
	snprintf(target, sizeof target, "+l%d", MOST - 1);
	grove_watch(grove, name, AT_ONCE());
	for (int again = 0; again < 2; again++) {
		drop(grove, "d");
		*target = '-';
		TOLD(grove, target);
		make_directory(grove, "d");
		*target = '+';
		TOLD(grove, target);
	}
	snprintf(name, sizeof name, "l%d", MOST);
	snprintf(target, sizeof target, "+l%d", MOST);
	grove_watch(grove, name, AT_ONCE(.may_be_missing = true));
	drop(grove, name);
	link_to(grove, "d", name);
	TOLD(grove, target);
}

TEST(notice_link, leads_on_as_long_as_the_system_follows, 20)
{
	grove_both(links_follow_each_other);
}

static void link_leads_to_itself(struct grove *grove)
{
	link_to(grove, "l", "l");
	grove_watch(grove, "l", AT_ONCE(.may_be_missing = true));
	TOLD(grove, "");
	drop(grove, "l");
	make_directory(grove, "l");
	TOLD(grove, "+l");
	put(grove, "l/f", "");
	TOLD(grove, "+l/f");
}

TEST(notice_link, to_itself_leads_nowhere, 20)
{
	grove_both(link_leads_to_itself);
}

static void link_is_root(struct grove *grove)
{
	make_directory(grove, "one");
	make_directory(grove, "two");
	put(grove, "one/f", "");
	put(grove, "one/g", "");
	put(grove, "two/f", "other");
	link_to(grove, "one", "l");
	grove_watch(grove, "l", AT_ONCE());
	put(grove, "l/f", "more");
	TOLD(grove, "~l/f");
	link_to(grove, "two", "new");
	move(grove, "new", "l");
	TOLD(grove, "-l/g ~l/f");
	put(grove, "one/f", "more");
	TOLD(grove, "");
	put(grove, "two/f", "more");
	TOLD(grove, "~l/f");
	drop(grove, "two");
	TOLD(grove, "-l/f -l");
	make_directory(grove, "two");
	TOLD(grove, "+l");
	put(grove, "two/f", "");
	TOLD(grove, "+l/f");
	drop(grove, "l");
	TOLD(grove, "-l/f -l");
	link_to(grove, "two", "l");
	TOLD(grove, "+l +l/f");
}

TEST(notice_link, that_is_watched_is_followed_wherever_it_leads, 20)
{
	grove_both(link_is_root);
}

/* A file behind links that are set anew, as configuration is deployed. */
static void links_on_the_way(struct grove *grove)
{
	make_directory(grove, "v1");
	make_directory(grove, "v2");
	put(grove, "v1/conf", "one");
	put(grove, "v2/conf", "the other");
	link_to(grove, grove_path(grove, "v1"), "..v");
	link_to(grove, "./..v/../..v/conf", "conf");
	grove_watch(grove, "conf", AT_ONCE());
	put(grove, "v1/conf", "more");
	TOLD(grove, "~conf");
	link_to(grove, grove_path(grove, "v2"), "new");
	move(grove, "new", "..v");
	TOLD(grove, "~conf");
	put(grove, "v1/conf", "more");
	TOLD(grove, "");
	put(grove, "v2/conf", "more");
	TOLD(grove, "~conf");
	drop(grove, "..v");
	TOLD(grove, "-conf");
	link_to(grove, "v1", "..v");
	TOLD(grove, "+conf");
	drop(grove, "..v");
	link_to(grove, "conf", "..v");
	TOLD(grove, "-conf");
}

TEST(notice_link, on_the_way_may_be_set_anew, 20)
{
	grove_both(links_on_the_way);
}

/* ---- Paths that come and go ------------------------------------------------------------------------------------ */

static void root_comes_back(struct grove *grove)
{
	make_directory(grove, "d");
	put(grove, "d/f", "");
	grove_watch(grove, "d", AT_ONCE());
	for (int i = 0; i < 3; i++) {
		drop(grove, "d");
		TOLD(grove, "-d/f -d");
		make_directory(grove, "d");
		TOLD(grove, "+d");
		put(grove, "d/f", "");
		TOLD(grove, "+d/f");
		put(grove, "d/f", "more");
		TOLD(grove, "~d/f");
	}
	move(grove, "d", "e");
	TOLD(grove, "-d/f -d");
	put(grove, "e/g", "");
	TOLD(grove, "");
	move(grove, "e", "d");
	TOLD_ANYHOW(grove, "+d +d/f +d/g");
}

TEST(notice_root, removed_and_made_again_goes_on_being_watched, 20)
{
	grove_both(root_comes_back);
}

static void file_root_comes_back(struct grove *grove)
{
	put(grove, "f", "");
	grove_watch(grove, "f", AT_ONCE());
	put(grove, "g", "");
	TOLD(grove, "");
	put(grove, "f", "more");
	TOLD(grove, "~f");
	drop(grove, "f");
	TOLD(grove, "-f");
	put(grove, "f", "");
	TOLD(grove, "+f");
	put(grove, "f", "more");
	TOLD(grove, "~f");
	drop(grove, "f");
	make_directory(grove, "f");
	TOLD(grove, "-f +f");
	put(grove, "f/x", "");
	TOLD(grove, "+f/x");
	drop(grove, "f");
	put(grove, "f", "");
	TOLD(grove, "-f/x -f +f");
}

TEST(notice_root, may_be_a_file, 20)
{
	grove_both(file_root_comes_back);
}

/* A file that was put in the place of another, and then a link to a directory in its place. */
TEST(notice_root, may_be_a_file_and_then_a_link, 20)
{
	struct grove grove;

	grove_begin(&grove, false);
	put(&grove, "r", "");
	put(&grove, "x", "");
	make_directory(&grove, "d");
	put(&grove, "d/f", "");
	grove_watch(&grove, "r", AT_ONCE());
	move(&grove, "x", "r");
	TOLD(&grove, "~r");
	move(&grove, "r", "x");
	link_to(&grove, "d", "r");
	TOLD(&grove, "-r +r +r/f");
	grove_end(&grove);
}

/* Names as short as can be, such as look like those of the directory and of the one above, and a longer one. */
static void names_are_of_all_lengths(struct grove *grove)
{
	grove_watch(grove, "d/ee/.f/and-a-longer-one/..r", AT_ONCE(.may_be_missing = true));
	make_directory(grove, "d");
	TOLD(grove, "");
	make_directory(grove, "d/ee");
	TOLD(grove, "");
	make_directory(grove, "d/ee/.f");
	TOLD(grove, "");
	make_directory(grove, "d/ee/.f/and-a-longer-one");
	TOLD(grove, "");
	put(grove, "d/ee/.f/and-a-longer-one/..r", "");
	TOLD(grove, "+d/ee/.f/and-a-longer-one/..r");
}

TEST(notice_root, has_a_way_of_any_names, 20)
{
	grove_both(names_are_of_all_lengths);
}

static void way_ends_at_a_file(struct grove *grove)
{
	make_directory(grove, "d");
	make_directory(grove, "d/r");
	put(grove, "d/r/f", "");
	grove_watch(grove, "d/r", AT_ONCE());
	move(grove, "d", "e");
	put(grove, "d", "");
	TOLD(grove, "-d/r/f -d/r");
	drop(grove, "d");
	move(grove, "e", "d");
	TOLD(grove, "+d/r +d/r/f");
}

TEST(notice_root, is_gone_where_a_file_is_in_its_way, 20)
{
	grove_both(way_ends_at_a_file);
}

static void way_to_root_moves(struct grove *grove)
{
	make_directory(grove, "a");
	make_directory(grove, "a/b");
	make_directory(grove, "a/b/c");
	put(grove, "a/b/c/f", "");
	grove_watch(grove, "a/b/c", AT_ONCE());
	move(grove, "a", "z");
	TOLD(grove, "-a/b/c/f -a/b/c");
	put(grove, "z/b/c/f", "more");
	TOLD(grove, "");
	make_directory(grove, "a");
	TOLD(grove, "");
	make_directory(grove, "a/b");
	TOLD(grove, "");
	move(grove, "z/b/c", "a/b/c");
	TOLD(grove, "+a/b/c +a/b/c/f");
	put(grove, "a/b/c/f", "more");
	TOLD(grove, "~a/b/c/f");
	drop(grove, "a");
	TOLD(grove, "-a/b/c/f -a/b/c");
	make_directory(grove, "a");
	make_directory(grove, "a/b");
	make_directory(grove, "a/b/c");
	TOLD(grove, "+a/b/c");
	put(grove, "a/b/c/f", "");
	TOLD(grove, "+a/b/c/f");
}

TEST(notice_root, is_found_again_whatever_happens_on_the_way_to_it, 20)
{
	grove_both(way_to_root_moves);
}

static void root_is_missing(struct grove *grove)
{
	const char *path = grove_path(grove, "a/b");
	struct notice *none = (struct notice *)grove;

	CHECK_STATUS(notice_new(&none, &path, 1, DUCT_WATCHER(.poll = grove->polls), grove->now), DUCT_INVALID);
	CHECK(none == (struct notice *)grove);
	grove_watch(grove, "a/b", AT_ONCE(.may_be_missing = true));
	TOLD(grove, "");
	put(grove, "a", "");
	TOLD(grove, "");
	drop(grove, "a");
	make_directory(grove, "a");
	TOLD(grove, "");
	put(grove, "a/b", "");
	TOLD(grove, "+a/b");
	put(grove, "a/b", "more");
	TOLD(grove, "~a/b");
}

TEST(notice_root, that_is_missing_is_invalid_or_waited_for, 20)
{
	grove_both(root_is_missing);
}

/* All that happens to a file that did not exist, though nobody was looking meanwhile. */
TEST(notice_root, that_was_missing_is_told_of_from_its_first_moment, 20)
{
	struct grove grove;

	grove_begin(&grove, false);
	grove_watch(&grove, "f", AT_ONCE(.may_be_missing = true));
	put(&grove, "f", "x");
	drop(&grove, "f");
	put(&grove, "f", "");
	TOLD(&grove, "+f ~f -f +f");
	drop(&grove, "f");
	make_directory(&grove, "f");
	drop(&grove, "f");
	TOLD(&grove, "-f +f -f");
	grove_end(&grove);
}

/* Paths are told as they were given, and are what they were when the working directory is another. */
static void path_is_relative(struct grove *grove)
{
	static const char *const given[] = { "d/", "./e", "d/../d", ".//f" };

	make_directory(grove, "d");
	make_directory(grove, "e");
	put(grove, "f", "");
	CHECK_STATUS(notice_new(&grove->notice, given, 4, AT_ONCE(.poll = grove->polls), grove->now), DUCT_OK);
	CHECK(chdir("/") == 0);
	put(grove, "d/x", "");
	TOLD_ANYHOW(grove, "+d/x +d/../d/x");
	make_directory(grove, "d/s");
	TOLD_ANYHOW(grove, "+d/s +d/../d/s");
	put(grove, "d/s/y", "");
	TOLD_ANYHOW(grove, "+d/s/y +d/../d/s/y");
	put(grove, "e/x", "");
	TOLD(grove, "+./e/x");
	put(grove, "f", "more");
	TOLD(grove, "~.//f");
	drop(grove, "d");
	TOLD_ANYHOW(grove, "-d/x -d/s/y -d/s -d/ -d/../d/x -d/../d/s/y -d/../d/s -d/../d");
	make_directory(grove, "d");
	TOLD_ANYHOW(grove, "+d/ +d/../d");
}

TEST(notice_root, is_told_as_it_was_given, 20)
{
	grove_both(path_is_relative);
}

/* The longest path that can be asked for from here, and one more letter. */
TEST(notice_root, is_as_long_as_the_system_allows, 20)
{
	char path[PATH_MAX];
	const char *given = path;
	struct grove grove;
	size_t most;

	grove_begin(&grove, true);
	most = PATH_MAX - 1 - strlen(grove.top) - 1;
	memset(path, '/', sizeof path);
	path[0] = '.';
	path[most + 1] = '\0';
	CHECK_STATUS(notice_new(&grove.notice, &given, 1, DUCT_WATCHER(.poll = true, .may_be_missing = true), 0), DUCT_INVALID);
	path[most] = '\0';
	CHECK_STATUS(notice_new(&grove.notice, &given, 1, AT_ONCE(.poll = true), 0), DUCT_OK);
	grove_end(&grove);
}

static void root_is_here(struct grove *grove)
{
	static const char *const here[] = { "." };

	make_directory(grove, "d");
	CHECK(chdir("d") == 0);
	CHECK_STATUS(notice_new(&grove->notice, here, 1, AT_ONCE(.poll = grove->polls), grove->now), DUCT_OK);
	CHECK(chdir("/") == 0);
	put(grove, "d/x", "");
	TOLD(grove, "+./x");
	drop(grove, "d");
	TOLD(grove, "-./x -.");
	make_directory(grove, "d");
	TOLD(grove, "+.");
}

TEST(notice_root, may_be_the_working_directory, 20)
{
	grove_both(root_is_here);
}

/* Roots within others, and one twice: in a batch each change is told once. */
static void roots_overlap(struct grove *grove)
{
	const char *paths[] = { grove_path(grove, "d"), grove_path(grove, "d/e"), grove_path(grove, "d"),
		grove_path(grove, "d/e/f") };

	make_directory(grove, "d");
	make_directory(grove, "d/e");
	put(grove, "d/e/f", "");
	CHECK_STATUS(
	    notice_new(&grove->notice, paths, 4, DUCT_WATCHER(.poll = grove->polls, .settle = 1), grove->now), DUCT_OK);
	put(grove, "d/e/f", "more");
	put(grove, "d/e/g", "");
	grove_pump(grove);
	grove->now += 1;
	notice_pump(grove->notice, grove->now);
	CHECK(grove_tells(grove, "~d/e/f +d/e/g", true));
	drop(grove, "d");
	grove_pump(grove);
	grove->now += 1;
	notice_pump(grove->notice, grove->now);
	CHECK(grove_tells(grove, "-d/e/f -d/e/g -d/e -d", true));
	make_directory(grove, "d");
	make_directory(grove, "d/e");
	put(grove, "d/e/f", "");
	grove_pump(grove);
	grove->now += 1;
	notice_pump(grove->notice, grove->now);
	CHECK(grove_tells(grove, "+d +d/e +d/e/f", true));
}

TEST(notice_root, may_lie_within_another, 20)
{
	grove_both(roots_overlap);
}

/* ---- Paths that are too long ----------------------------------------------------------------------------------- */

enum { NAME_LENGTH = 200 };

/* Directories within each other, and the longest path that fits an event; one more letter does not. */
static void path_is_long(struct grove *grove)
{
	char path[PATH_MAX], name[NAME_LENGTH + 2];
	const size_t most = sizeof(((duct_file_event *)NULL)->path) - 1;
	size_t length = strlen(strcpy(path, grove->top));
	const duct_file_event *event;
	int file;

	memset(name, 'n', sizeof name);
	for (; length + 1 + NAME_LENGTH + 2 <= most - 1; length += 1 + NAME_LENGTH) {
		snprintf(path + length, sizeof path - length, "/%.*s", NAME_LENGTH, name);
		CHECK(mkdir(path, 0700) == 0);
	}
	grove_watch(grove, "", AT_ONCE());
	snprintf(path + length, sizeof path - length, "/%.*s", (int)(most - length), name);
	CHECK(strlen(path) == most + 1 && (file = creat(path, 0600)) != -1 && write(file, "x", 1) == 1 && close(file) == 0);
	TOLD(grove, "");
	path[most] = '\0';
	CHECK(close(creat(path, 0600)) == 0);
	grove_pump(grove);
	event = notice_first(grove->notice);
	CHECK(event != NULL && event->change == DUCT_FILE_CREATED && strcmp(event->path, path) == 0);
	notice_pop(grove->notice);
	CHECK(notice_first(grove->notice) == NULL);
	CHECK(grove->polls || notice_due(grove->notice) == DUCT_FOREVER);
}

TEST(notice_path, that_does_not_fit_is_not_watched, 20)
{
	grove_both(path_is_long);
}

/* Directories of that name within each other, in the working directory, which is the test's own again afterwards. */
static void make_deep(const struct grove *grove, const char *name, int depth, char *path)
{
	for (int i = 0; i < depth; i++) {
		CHECK(mkdir(name, 0700) == 0 && chdir(name) == 0);
		path += sprintf(path, "%s%s", i > 0 ? "/" : "", name);
	}
	CHECK(chdir(grove->top) == 0);
}

/* Told paths may be short and still lead so far down that the system cannot be asked for all of them. */
static void directory_is_deep(struct grove *grove)
{
	static const char *const here[] = { "." };
	const size_t depth = (PATH_MAX - 40 - strlen(grove->top)) / (NAME_LENGTH + 1);
	char name[NAME_MAX + 1], path[PATH_MAX];
	size_t room;

	memset(name, 'n', sizeof name);
	name[NAME_LENGTH] = '\0';
	make_deep(grove, name, (int)depth, path);
	CHECK(chdir(path) == 0);
	CHECK_STATUS(notice_new(&grove->notice, here, 1, AT_ONCE(.poll = grove->polls), grove->now), DUCT_OK);
	room = PATH_MAX - 1 - strlen(grove->top) - 1 - strlen(path) - strlen("/./");
	name[NAME_LENGTH] = 'n';
	name[room + 1] = '\0';
	CHECK(close(creat(name, 0600)) == 0);
	TOLD(grove, "");
	name[room] = '\0';
	CHECK(close(creat(name, 0600)) == 0);
	grove_pump(grove);
	CHECK(notice_first(grove->notice) != NULL && strcmp(notice_first(grove->notice)->path + strlen("./"), name) == 0);
	notice_pop(grove->notice);
	TOLD(grove, "");
}

TEST(notice_path, that_the_system_cannot_be_asked_for_is_not_watched, 20)
{
	grove_both(directory_is_deep);
}

static void working_directory_is_gone(struct grove *grove)
{
	static const char *const here[] = { "." };
	const char *there = grove->top;
	struct notice *none = NULL;

	make_directory(grove, "d");
	CHECK(chdir("d") == 0 && rmdir("../d") == 0);
	CHECK_STATUS(notice_new(&none, here, 1, AT_ONCE(.poll = grove->polls, .may_be_missing = true), 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&grove->notice, &there, 1, AT_ONCE(.poll = grove->polls), 0), DUCT_OK);
	CHECK(none == NULL);
}

TEST(notice_path, that_is_relative_to_nowhere_is_invalid, 20)
{
	grove_both(working_directory_is_gone);
}

/* A link that leads further down than any path can say, and one that says more than there is room for with what follows. */
static void way_is_long(struct grove *grove)
{
	char name[NAME_LENGTH + 1], first[PATH_MAX], second[PATH_MAX], root[PATH_MAX], around[PATH_MAX];

	memset(name, 'n', NAME_LENGTH);
	name[NAME_LENGTH] = '\0';
	make_deep(grove, name, 15, first);
	CHECK(chdir(first) == 0);
	make_deep(grove, name, 10, second);
	CHECK(chdir(first) == 0 && symlink(second, "l") == 0 && chdir("l") == 0 && close(creat("f", 0600)) == 0);
	CHECK(chdir(grove->top) == 0);
	CHECK(snprintf(root, sizeof root, "%s/l/f", first) < PATH_MAX);
	grove_watch(grove, root, AT_ONCE());
	CHECK(notice_due(grove->notice) == grove->now + SECOND);
	put(grove, root, "more");
	grove->now += SECOND;
	notice_pump(grove->notice, grove->now);
	CHECK(notice_first(grove->notice) != NULL && notice_first(grove->notice)->change == DUCT_FILE_MODIFIED);
	memset(around, '/', sizeof around);
	memcpy(around, "./", 2);
	around[4000] = '\0';
	CHECK(symlink(around, "round") == 0);
	put(grove, "f", "");
	snprintf(root, sizeof root, "round/%.100s/f", around);
	grove_watch(grove, root, AT_ONCE());
	CHECK(notice_due(grove->notice) == grove->now + SECOND);
	strcpy(root, "round/f");
	grove_watch(grove, root, AT_ONCE());
	CHECK(grove->polls || notice_due(grove->notice) == DUCT_FOREVER);
	put(grove, "f", "more");
	TOLD(grove, "~round/f");
}

TEST(notice_path, that_cannot_be_followed_is_looked_at, 20)
{
	grove_both(way_is_long);
}

/* The way over a link, of what the link says and what follows: as long as there is room for, and one letter more. */
TEST(notice_path, along_a_link_is_followed_as_far_as_there_is_room, 20)
{
	char around[PATH_MAX], root[PATH_MAX];
	const size_t most = PATH_MAX - 1, length = 4000;
	struct grove grove;

	grove_begin(&grove, false);
	memset(around, '/', sizeof around);
	*around = '.';
	around[length] = '\0';
	CHECK(symlink(around, "round") == 0);
	put(&grove, "f", "");
	for (size_t rest = most - length - 1; rest <= most - length; rest++) {
		/* Behind "round/": a step, and slashes up to the last. */
		snprintf(root, sizeof root, "round/%.*sf", (int)rest - 1, around);
		grove_watch(&grove, root, AT_ONCE());
		CHECK(notice_due(grove.notice) == (rest + 1 + length > most ? grove.now + SECOND : DUCT_FOREVER));
	}
	grove_end(&grove);
}

/* The same with directories within each other, which links lead to. */
TEST(notice_path, down_into_a_tree_is_followed_as_far_as_there_is_room, 20)
{
	char name[NAME_MAX + 1], deep[PATH_MAX], path[PATH_MAX], target[PATH_MAX];
	struct grove grove;
	size_t length;

	grove_begin(&grove, false);
	memset(name, 'n', sizeof name);
	name[NAME_LENGTH] = '\0';
	make_deep(&grove, name, (int)((PATH_MAX - 56 - strlen(grove.top)) / (NAME_LENGTH + 1)), deep);
	CHECK(snprintf(path, sizeof path, "%s/%s", grove.top, deep) < PATH_MAX);
	link_to(&grove, path, "k");
	/* Down there a link to one more directory, and the file in it. */
	length = PATH_MAX - 1 - strlen(path) - strlen("//f");
	for (size_t more = 0; more < 2; more++) {
		memset(name, 'e', sizeof name);
		name[length + more] = '\0';
		snprintf(target, sizeof target, "%s/f", name);
		CHECK(chdir(path) == 0 && mkdir(name, 0700) == 0 && chdir(name) == 0 && close(creat("f", 0600)) == 0);
		CHECK(chdir("..") == 0 && (more == 0 || unlink("m") == 0) && symlink(target, "m") == 0);
		CHECK(chdir(grove.top) == 0);
		grove_watch(&grove, "k/m", AT_ONCE());
		CHECK(notice_due(grove.notice) == (more > 0 ? grove.now + SECOND : DUCT_FOREVER));
	}
	grove_end(&grove);
}

/* ---- Which changes --------------------------------------------------------------------------------------------- */

/* Every set of changes: exactly those of it are told. */
static void changes_are_chosen(struct grove *grove)
{
	static const char *const expected[] = { "+a ~a -a", "+a", "~a", "+a ~a", "-a", "+a -a", "~a -a", "+a ~a -a" };
	char told[80];

	for (unsigned set = 0; set < 16; set++) {
		grove_watch(grove, "", AT_ONCE(.changes = set));
		*told = '\0';
		for (int i = 0; i < 3; i++) {
			i < 2 ? put(grove, "a", i == 0 ? "" : "more") : drop(grove, "a");
			grove_pump(grove);
			for (const duct_file_event *event; (event = notice_first(grove->notice)) != NULL;
			     notice_pop(grove->notice))
				sprintf(told + strlen(told), "%s%ca", *told != '\0' ? " " : "", " +~?-"[event->change]);
		}
		CHECK(strcmp(told, set == DUCT_FILE_NONE ? "" : expected[set & 7]) == 0);
	}
}

TEST(notice_changes, are_those_that_are_wanted, 20)
{
	grove_both(changes_are_chosen);
}

/* Written and removed twice: both removals are told, whatever is there when they are. */
TEST(notice_changes, of_one_kind_are_all_told, 20)
{
	struct grove grove;

	grove_begin(&grove, false);
	grove_watch(&grove, "", DUCT_WATCHER(.changes = DUCT_FILE_DELETED));
	for (int i = 0; i < 2; i++) {
		put(&grove, "a", "content");
		drop(&grove, "a");
	}
	grove_pump(&grove);
	grove.now = notice_due(grove.notice);
	TOLD(&grove, "-a -a");
	grove_end(&grove);
}

/* ---- Batches and time ------------------------------------------------------------------------------------------ */

/* Told 50 ms after the last change, folded. */
TEST(notice_batch, is_told_when_nothing_new_came_for_a_while, 20)
{
	const int64_t ms = SECOND / 1000;
	struct grove grove;

	grove_begin(&grove, false);
	grove_watch(&grove, "", NULL);
	CHECK(notice_due(grove.notice) == DUCT_FOREVER);
	put(&grove, "a", "content");
	TOLD(&grove, "");
	CHECK(notice_due(grove.notice) == grove.now + 50 * ms);
	grove.now += 49 * ms;
	put(&grove, "b", "");
	put(&grove, "a", "more");
	TOLD(&grove, "");
	CHECK(notice_due(grove.notice) == grove.now + 50 * ms);
	grove.now += 50 * ms - 1;
	TOLD(&grove, "");
	grove.now++;
	TOLD(&grove, "+a +b");
	CHECK(notice_due(grove.notice) == DUCT_FOREVER);
	grove_end(&grove);
}

/* ... and 1.6 s after the first at the latest. */
TEST(notice_batch, does_not_wait_for_ever, 20)
{
	const int64_t ms = SECOND / 1000;
	struct grove grove;
	char name[20];

	grove_begin(&grove, false);
	grove_watch(&grove, "", NULL);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "%d", i);
		put(&grove, name, "");
		TOLD(&grove, "");
		grove.now += 40 * ms;
	}
	CHECK(notice_due(grove.notice) == grove.now);
	notice_pump(grove.notice, grove.now);
	for (int i = 0; i < 40; i++, notice_pop(grove.notice))
		CHECK(notice_first(grove.notice) != NULL);
	CHECK(notice_first(grove.notice) == NULL);
	grove_end(&grove);
}

TEST(notice_poll, looks_each_interval_and_has_no_descriptor, 20)
{
	struct grove grove;

	grove_begin(&grove, true);
	grove_watch(&grove, "", AT_ONCE(.interval = 5 * SECOND));
	CHECK(notice_descriptor(grove.notice) == -1 && notice_due(grove.notice) == grove.now + 5 * SECOND);
	put(&grove, "a", "");
	grove.now += 5 * SECOND - 1;
	notice_pump(grove.notice, grove.now);
	CHECK(notice_first(grove.notice) == NULL && notice_due(grove.notice) == grove.now + 1);
	grove.now += 2;
	notice_pump(grove.notice, grove.now);
	CHECK(grove_tells(&grove, "+a", false) && notice_due(grove.notice) == grove.now + 5 * SECOND);
	grove_watch(&grove, "", NULL);
	CHECK(notice_due(grove.notice) == grove.now + SECOND);
	grove_watch(&grove, "", DUCT_WATCHER(.interval = INT64_MAX));
	CHECK(notice_due(grove.notice) == DUCT_FOREVER);
	grove_end(&grove);
}

/* A file system that does not tell of its changes is looked at. */
TEST(notice_poll, is_what_a_deaf_file_system_gets, 20)
{
	const char *path = "/proc/self/oom_score_adj";
	struct notice *notice;

	CHECK_STATUS(notice_new(&notice, &path, 1, NULL, 7), DUCT_OK);
	CHECK(notice_descriptor(notice) != -1 && notice_due(notice) == 7 + SECOND);
	notice_pump(notice, 7 + SECOND);
	CHECK(notice_due(notice) == 7 + 2 * SECOND);
	notice_free(notice);
}

/* ---- Arguments ------------------------------------------------------------------------------------------------- */

TEST(notice_new, refuses_what_cannot_be, 20)
{
	const char *here = "/", *nothing[] = { NULL }, *empty = "";
	struct notice *notice = (struct notice *)&here;
	char *much = malloc(5001);
	const duct_watcher_options unknown = { .size = sizeof unknown - 1 };

	memset(much, '/', 5000);
	much[5000] = '\0';
	errno = 77;
	CHECK_STATUS(notice_new(NULL, &here, 1, NULL, 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, NULL, 1, NULL, 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, &here, 0, NULL, 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, nothing, 1, NULL, 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, &empty, 1, NULL, 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, (const char *const *)&much, 1, NULL, 0), DUCT_INVALID);
	much[sizeof(((duct_file_event *)NULL)->path)] = '\0';
	CHECK_STATUS(notice_new(&notice, (const char *const *)&much, 1, NULL, 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, &here, 1, &unknown, 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, &here, 1, DUCT_WATCHER(.changes = 16), 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, &here, 1, DUCT_WATCHER(.interval = -1), 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, &here, 1, DUCT_WATCHER(.settle_most = -1), 0), DUCT_INVALID);
	CHECK(notice == (struct notice *)&here && errno == 77);
	notice_free(NULL);
	free(much);
}

/* ---- Shortages ------------------------------------------------------------------------------------------------- */

/* No descriptor is left for so many more. */
static void limit_descriptors(int more)
{
	struct rlimit limit;
	const int next = dup(0);

	CHECK(next != -1 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = (rlim_t)(next + more);
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void unlimit_descriptors(void)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void descriptors_are_short(struct grove *grove)
{
	const char *path = grove_path(grove, "");
	struct notice *notice;

	make_directory(grove, "d");
	for (int more = 0; more < 1 + !grove->polls; more++) {
		limit_descriptors(more);
		CHECK_STATUS(notice_new(&notice, &path, 1, DUCT_WATCHER(.poll = grove->polls), 0), DUCT_NOMEM);
		unlimit_descriptors();
	}
	put(grove, "f", "");
	path = grove_path(grove, "f");
	limit_descriptors(0);
	CHECK_STATUS(notice_new(&notice, &path, 1, DUCT_WATCHER(.poll = grove->polls), 0), grove->polls ? DUCT_OK : DUCT_NOMEM);
	unlimit_descriptors();
	if (grove->polls)
		notice_free(notice);
	grove_watch(grove, "", AT_ONCE());
	make_directory(grove, "e");
	put(grove, "e/f", "");
	limit_descriptors(0);
	TOLD(grove, grove->polls ? "" : "+e");
	CHECK(notice_due(grove->notice) == grove->now + SECOND);
	unlimit_descriptors();
	grove->now = notice_due(grove->notice);
	notice_pump(grove->notice, grove->now);
	CHECK(grove_tells(grove, grove->polls ? "+e +e/f" : "+e/f", false));
	CHECK(grove->polls || notice_due(grove->notice) == DUCT_FOREVER);
}

TEST(notice_shortage, of_descriptors_is_made_up_for, 20)
{
	grove_both(descriptors_are_short);
}

/* Whoever may not read a directory is told of it, but not of what is in it, until that is allowed. */
static void access_is_denied(struct grove *grove)
{
	set_mode(grove, "", 0755);
	make_directory(grove, "d");
	put(grove, "d/f", "");
	CHECK(chown(grove_path(grove, "d"), 1, 1) == 0);
	set_mode(grove, "d", 0);
	CHECK(seteuid(1) == 0);
	grove_watch(grove, "", AT_ONCE());
	TOLD(grove, "");
	set_mode(grove, "d", 0700);
	TOLD(grove, "+d/f");
	CHECK(seteuid(0) == 0);
	put(grove, "d/g", "");
	CHECK(seteuid(1) == 0);
	TOLD(grove, "+d/g");
	set_mode(grove, "d", 0);
	TOLD(grove, "");
	CHECK(seteuid(0) == 0);
}

TEST(notice_access, that_is_denied_leaves_what_is_known, 20)
{
	if (geteuid() == 0)
		grove_both(access_is_denied);
}

/* The names in a directory may be known without more; and the way to a root may be closed. */
static void way_is_closed(struct grove *grove)
{
	set_mode(grove, "", 0755);
	make_directory(grove, "d");
	put(grove, "d/f", "");
	CHECK(chown(grove_path(grove, "d"), 1, 1) == 0);
	CHECK(seteuid(1) == 0);
	grove_watch(grove, "d", AT_ONCE(.interval = 1));
	set_mode(grove, "d", 0400);
	CHECK(seteuid(0) == 0);
	put(grove, "d/f", "more");
	put(grove, "d/g", "");
	CHECK(seteuid(1) == 0);
	TOLD_ANYHOW(grove, grove->polls ? "+d/g" : "~d/f +d/g");
	set_mode(grove, "d", 0700);
	CHECK(seteuid(0) == 0);
	set_mode(grove, "", 0700);
	CHECK(seteuid(1) == 0);
	grove_pump(grove);
	while (notice_first(grove->notice) != NULL) {
		CHECK(notice_first(grove->notice)->change != DUCT_FILE_DELETED);
		notice_pop(grove->notice);
	}
	CHECK(seteuid(0) == 0);
}

TEST(notice_access, that_is_denied_to_facts_or_on_the_way_deletes_nothing, 20)
{
	if (geteuid() == 0)
		grove_both(way_is_closed);
}

/* That there is a link may be seen, but not where it leads: it belongs to another's process. */
TEST(notice_access, that_is_denied_to_a_link_ends_the_way, 20)
{
	char path[40];
	const char *given = path;
	struct notice *notice;

	if (geteuid() != 0)
		return;
	snprintf(path, sizeof path, "/proc/%ld/cwd/f", (long)getppid());
	CHECK(seteuid(1) == 0);
	CHECK_STATUS(notice_new(&notice, &given, 1, AT_ONCE(), 0), DUCT_INVALID);
	CHECK_STATUS(notice_new(&notice, &given, 1, AT_ONCE(.may_be_missing = true), 0), DUCT_OK);
	notice_pump(notice, SECOND);
	CHECK(notice_first(notice) == NULL);
	notice_free(notice);
	CHECK(seteuid(0) == 0);
}

static void root_is_unreadable(struct grove *grove)
{
	set_mode(grove, "", 0755);
	make_directory(grove, "d");
	CHECK(chown(grove_path(grove, "d"), 1, 1) == 0);
	set_mode(grove, "d", 0);
	put(grove, "d/f", "");
	CHECK(seteuid(1) == 0);
	grove_watch(grove, "d", AT_ONCE());
	CHECK(notice_due(grove->notice) == grove->now + SECOND);
	set_mode(grove, "d", 0755);
	grove->now += SECOND;
	notice_pump(grove->notice, grove->now);
	CHECK(grove_tells(grove, "+d/f", false));
	grove->now += SECOND;
	notice_pump(grove->notice, grove->now);
	CHECK(grove->polls || notice_due(grove->notice) == DUCT_FOREVER);
	CHECK(seteuid(0) == 0);
}

/* What the system does not let us mark tells nothing, and a later look finds it. */
TEST(notice_access, that_is_denied_to_a_path_is_made_up_for_by_looking, 20)
{
	if (geteuid() == 0)
		grove_both(root_is_unreadable);
}

/* A step of the way that cannot be marked from above tells itself that it moves. */
TEST(notice_access, that_is_denied_on_the_way_hides_no_move, 20)
{
	struct grove grove;

	if (geteuid() != 0)
		return;
	grove_begin(&grove, false);
	set_mode(&grove, "", 0755);
	make_directory(&grove, "p");
	make_directory(&grove, "p/x");
	make_directory(&grove, "p/x/y");
	set_mode(&grove, "p", 0711);
	set_mode(&grove, "p/x", 0755);
	set_mode(&grove, "p/x/y", 0755);
	CHECK(seteuid(1) == 0);
	grove_watch(&grove, "p/x/y", AT_ONCE());
	CHECK(notice_due(grove.notice) == DUCT_FOREVER);
	CHECK(seteuid(0) == 0);
	move(&grove, "p/x", "p/z");
	CHECK(seteuid(1) == 0);
	TOLD(&grove, "-p/x/y");
	CHECK(seteuid(0) == 0);
	grove_end(&grove);
}

/* A file in a directory that may be passed but not read can only be looked at; so it is. */
static void directory_is_closed(struct grove *grove)
{
	set_mode(grove, "", 0711);
	put(grove, "f", "");
	set_mode(grove, "f", 0644);
	CHECK(seteuid(1) == 0);
	grove_watch(grove, "f", AT_ONCE());
	CHECK(notice_due(grove->notice) == grove->now + SECOND);
	CHECK(seteuid(0) == 0);
	put(grove, "f", "more");
	CHECK(seteuid(1) == 0);
	grove->now += SECOND;
	notice_pump(grove->notice, grove->now);
	CHECK(grove_tells(grove, "~f", false) && notice_due(grove->notice) == grove->now + SECOND);
	CHECK(seteuid(0) == 0);
}

TEST(notice_access, that_is_denied_to_watch_a_file_makes_it_looked_at, 20)
{
	if (geteuid() == 0)
		grove_both(directory_is_closed);
}

static void nothing_is_left_behind(struct grove *grove)
{
	const int before = open_descriptors();

	make_directory(grove, "d");
	put(grove, "d/f", "");
	errno = 77;
	grove_watch(grove, "", NULL);
	CHECK(errno == 77);
	put(grove, "d/g", "");
	make_directory(grove, "e");
	errno = 77;
	grove_pump(grove);
	CHECK(errno == 77);
	drop(grove, "e"); /* the system lets go of its mark by itself */
	CHECK(open_descriptors() == before + (grove->polls ? 0 : 1));
	errno = 77;
	notice_free(grove->notice);
	CHECK(errno == 77);
	grove->notice = NULL;
	CHECK(open_descriptors() == before);
}

TEST(notice_free, leaves_no_descriptor, 20)
{
	grove_both(nothing_is_left_behind);
}

static void *free_canceled(void *argument)
{
	struct grove *grove = argument;
	int state;

	pthread_cancel(pthread_self());
	notice_free(grove->notice);
	grove->notice = NULL;
	CHECK(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state) == 0 && state == PTHREAD_CANCEL_ENABLE);
	return NULL;
}

/* A thread that is canceled gives all back first. */
TEST(notice_free, holds_cancellation_off, 20)
{
	struct grove grove;

	grove_begin(&grove, false);
	grove_watch(&grove, "", NULL);
	test_join(test_start(free_canceled, &grove));
	CHECK(grove.notice == NULL);
	grove_end(&grove);
}
