/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, watch or descriptor for a notice, or for what it learns: making one fails and leaves nothing; a change that could
 * not be told is found at a later look, and told then.  And what others do to the files just when they are looked at.
 */
#include "faults.h"
#include "harness.h"
#include "notice.h"
#include "table.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static char top[200];
static bool polls;

static void begin(bool with_polling)
{
	const char *where = getenv("TMPDIR");

	polls = with_polling;
	snprintf(top, sizeof top, "%s/duct-XXXXXX", where != NULL && *where == '/' ? where : "/tmp");
	CHECK(mkdtemp(top) != NULL && chdir(top) == 0);
}

static void end(void)
{
	CHECK(chdir("/") == 0 && rmdir(top) == 0);
}

static struct notice *watch(void)
{
	const char *path = top;
	struct notice *notice;

	CHECK_STATUS(notice_new(&notice, &path, 1, DUCT_WATCHER(.poll = polls, .settle = -1), 0), DUCT_OK);
	return notice;
}

static void put(const char *name, const char *more)
{
	int file = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);

	CHECK(file != -1 && write(file, more, strlen(more)) == (ssize_t)strlen(more) && close(file) == 0);
}

static void each_back_end(void (*check)(void))
{
	for (int i = 0; i < 2; i++) {
		begin(i == 1);
		check();
		end();
	}
}

/* ---- Making ---------------------------------------------------------------------------------------------------- */

static void make_in_vain(void)
{
	const struct fault_live before = fault_live();
	const char *paths[] = { "d", top, "missing" };
	bool hit = true;

	CHECK(mkdir("d", 0700) == 0);
	put("d/f", "");
	for (long n = 1; hit; n++) {
		struct notice *none = (struct notice *)&before, *notice = none;
		struct fault_live after;
		duct_status status;

		fault_begin(n);
		status = notice_new(&notice, paths, 3, DUCT_WATCHER(.poll = polls, .may_be_missing = true), 0);
		hit = fault_end() >= n;
		CHECK_STATUS(status, hit ? DUCT_NOMEM : DUCT_OK);
		CHECK((notice == none) == hit && (hit || n > 8));
		if (!hit)
			notice_free(notice);
		after = fault_live();
		CHECK(fault_live_same(&before, &after));
	}
	CHECK(unlink("d/f") == 0 && rmdir("d") == 0);
}

TEST(nomem_notice_new, fails_and_leaves_nothing, 60)
{
	each_back_end(make_in_vain);
}

/* ---- Pumping --------------------------------------------------------------------------------------------------- */

/* What there is to tell of, in one pump. */
static void change_much(void)
{
	CHECK(rename("new", "d/old") == 0);
	CHECK(unlink("gone") == 0 && mkdir("e", 0700) == 0 && mkdir("e/e", 0700) == 0);
	put("e/e/f", "");
	put("kept", "more");
	CHECK(rename("c", "b") == 0);
	CHECK(unlink("f") == 0 && mkdir("f", 0700) == 0);
}

/* Each that is to be told once is, in whatever pump. */
static void count_told(struct notice *notice, int *told)
{
	static const struct {
		duct_file_change change;
		const char *name;
	} expected[] = { { DUCT_FILE_DELETED, "new" }, { DUCT_FILE_MODIFIED, "d/old" }, { DUCT_FILE_DELETED, "gone" },
		{ DUCT_FILE_CREATED, "e" }, { DUCT_FILE_CREATED, "e/e" }, { DUCT_FILE_CREATED, "e/e/f" },
		{ DUCT_FILE_MODIFIED, "kept" }, { DUCT_FILE_DELETED, "c/x" }, { DUCT_FILE_DELETED, "c" },
		{ DUCT_FILE_CREATED, "b" }, { DUCT_FILE_CREATED, "b/x" }, { DUCT_FILE_DELETED, "f" },
		{ DUCT_FILE_CREATED, "f" } };

	for (const duct_file_event *event; (event = notice_first(notice)) != NULL; notice_pop(notice)) {
		size_t i = 0;

		while (event->change != expected[i].change || strcmp(event->path + strlen(top) + 1, expected[i].name) != 0)
			CHECK(++i < ARRAY_LEN(expected));
		*told |= 1 << i;
	}
}

enum { ALL_TOLD = (1 << 13) - 1 };

static void prepare(void)
{
	CHECK(mkdir("d", 0700) == 0 && mkdir("c", 0700) == 0);
	put("d/old", "");
	put("c/x", "");
	put("new", "content");
	put("gone", "");
	put("kept", "");
	put("f", "");
}

static void clean(void)
{
	CHECK(unlink("d/old") == 0 && unlink("b/x") == 0 && unlink("kept") == 0 && unlink("e/e/f") == 0);
	CHECK(rmdir("d") == 0 && rmdir("b") == 0 && rmdir("e/e") == 0 && rmdir("e") == 0 && rmdir("f") == 0);
}

static void pump_in_vain(void)
{
	const struct fault_live before = fault_live();
	bool hit = true;

	for (long n = 1; hit; n++) {
		struct notice *notice;
		struct fault_live after;
		int told = 0;

		prepare();
		notice = watch();
		change_much();
		fault_begin(n);
		notice_pump(notice, SECOND);
		hit = fault_end() >= n;
		count_told(notice, &told);
		if (told != ALL_TOLD) {
			CHECK(hit && notice_due(notice) == 2 * SECOND);
			notice_pump(notice, 2 * SECOND);
			count_told(notice, &told);
		}
		CHECK(told == ALL_TOLD);
		CHECK(hit || n > 13);
		put("d/old", "more");
		CHECK(rmdir("f") == 0);
		notice_pump(notice, 3 * SECOND);
		for (int i = 0; i < 2; i++, notice_pop(notice))
			CHECK(notice_first(notice) != NULL);
		CHECK(notice_first(notice) == NULL && (notice_due(notice) == DUCT_FOREVER) == !polls);
		CHECK(mkdir("f", 0700) == 0);
		notice_free(notice);
		after = fault_live();
		CHECK(fault_live_same(&before, &after));
		clean();
	}
}

TEST(nomem_notice_pump, tells_later_what_it_could_not_tell, 60)
{
	each_back_end(pump_in_vain);
}

/* A root that could not be told of, and its passage. */
static void lose_root(void)
{
	bool hit = true;

	for (long n = 1; hit; n++) {
		const char *path = "d/e";
		struct notice *notice;
		int events = 0;

		CHECK(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0);
		CHECK_STATUS(notice_new(&notice, &path, 1, DUCT_WATCHER(.poll = polls, .settle = -1), 0), DUCT_OK);
		CHECK(rmdir("d/e") == 0 && rmdir("d") == 0);
		fault_begin(n);
		notice_pump(notice, SECOND);
		hit = fault_end() >= n;
		notice_pump(notice, 2 * SECOND);
		for (; notice_first(notice) != NULL; notice_pop(notice), events++)
			CHECK(notice_first(notice)->change == DUCT_FILE_DELETED);
		CHECK(events == 1);
		CHECK(mkdir("d", 0700) == 0 && mkdir("d/e", 0700) == 0);
		notice_pump(notice, 3 * SECOND);
		CHECK(notice_first(notice) != NULL && notice_first(notice)->change == DUCT_FILE_CREATED);
		notice_pop(notice);
		put("d/e/f", "");
		notice_pump(notice, 4 * SECOND);
		CHECK(notice_first(notice) != NULL && strcmp(notice_first(notice)->path, "d/e/f") == 0);
		notice_free(notice);
		CHECK(unlink("d/e/f") == 0 && rmdir("d/e") == 0 && rmdir("d") == 0);
	}
}

/* What is gathered or told when a notice is freed goes with it. */
static void free_untold(void)
{
	const struct fault_live before = fault_live();
	struct fault_live after;

	for (int64_t settle = -1; settle < 2; settle++) {
		const char *path = top;
		struct notice *notice;

		CHECK_STATUS(notice_new(&notice, &path, 1, DUCT_WATCHER(.poll = polls, .settle = settle), 0), DUCT_OK);
		put("f", "");
		notice_pump(notice, SECOND);
		CHECK((notice_first(notice) != NULL) == (settle < 0));
		notice_free(notice);
		after = fault_live();
		CHECK(fault_live_same(&before, &after) && unlink("f") == 0);
	}
}

TEST(nomem_notice_free, leaves_nothing_of_what_was_not_told, 60)
{
	each_back_end(free_untold);
}

TEST(nomem_notice_pump, finds_a_path_that_it_lost, 60)
{
	each_back_end(lose_root);
}

/* ---- Two that change places ------------------------------------------------------------------------------------ */

/* What was told to be there: a file or directory a, the other b, and what is in the directory. */
struct told {
	bool a, b, a_x, b_x;
};

static bool *told_of(struct told *told, const char *path)
{
	const char *name = path + strlen(top) + 1;

	return strcmp(name, "a") == 0     ? &told->a
	       : strcmp(name, "b") == 0   ? &told->b
	       : strcmp(name, "a/x") == 0 ? &told->a_x
	                                  : &told->b_x;
}

/* Nothing comes twice or goes twice, and what is in a directory comes after it and goes before it. */
static void follow(struct notice *notice, struct told *told)
{
	for (const duct_file_event *event; (event = notice_first(notice)) != NULL; notice_pop(notice)) {
		bool *is_there = told_of(told, event->path);

		CHECK(*is_there == (event->change != DUCT_FILE_CREATED));
		*is_there = event->change != DUCT_FILE_DELETED;
		CHECK((told->a || !told->a_x) && (told->b || !told->b_x));
	}
}

static void exchange(const char *one, const char *other)
{
	CHECK(syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 1 << 1) == 0);
}

static void exchange_in_vain(void)
{
	bool hit = true;

	for (long n = 1; hit; n++) {
		struct told told = { .a = true, .b = true, .b_x = true };
		struct notice *notice;

		put("a", "");
		CHECK(mkdir("b", 0700) == 0);
		put("b/x", "");
		notice = watch();
		exchange("a", "b");
		fault_begin(n);
		notice_pump(notice, SECOND);
		hit = fault_end() >= n;
		follow(notice, &told);
		notice_pump(notice, 2 * SECOND);
		follow(notice, &told);
		CHECK(told.a && told.b && told.a_x && !told.b_x);
		CHECK(unlink("a/x") == 0 && rmdir("a") == 0 && unlink("b") == 0);
		notice_pump(notice, 3 * SECOND);
		follow(notice, &told);
		CHECK(!told.a && !told.b && !told.a_x);
		notice_free(notice);
	}
}

TEST(nomem_notice_pump, keeps_its_picture_while_files_change_places, 60)
{
	each_back_end(exchange_in_vain);
}

/* ---- Others who act meanwhile ---------------------------------------------------------------------------------- */

static bool tells(struct notice *notice, duct_file_change change, const char *name)
{
	const duct_file_event *event = notice_first(notice);
	const bool same = event != NULL && event->change == change && strcmp(event->path + strlen(top) + 1, name) == 0;

	notice_pop(notice);
	return same;
}

static void remove_f(void)
{
	CHECK(unlink("f") == 0);
}

/* A name is read, and gone when its facts are asked for, whether it was known before or not. */
static void remove_while_reading(void)
{
	struct notice *notice;

	put("f", "");
	fault_before_look(remove_f);
	notice = watch();
	CHECK(fault_happened());
	notice_pump(notice, SECOND);
	CHECK(notice_first(notice) == NULL);
	put("f", "");
	notice_pump(notice, 2 * SECOND);
	CHECK(tells(notice, DUCT_FILE_CREATED, "f") && notice_first(notice) == NULL);
	if (polls)
		fault_before_look(remove_f);
	else
		remove_f();
	notice_pump(notice, 3 * SECOND);
	CHECK(fault_happened());
	CHECK(tells(notice, DUCT_FILE_DELETED, "f") && notice_first(notice) == NULL);
	notice_pump(notice, 4 * SECOND);
	CHECK(notice_first(notice) == NULL);
	notice_free(notice);
}

TEST(notice_race, with_who_removes_what_is_looked_at_tells_that_it_is_gone, 60)
{
	each_back_end(remove_while_reading);
}

static int inheritable(void)
{
	int count = 0;

	for (int descriptor = 3; descriptor < 200; descriptor++) {
		const int flags = fcntl(descriptor, F_GETFD);

		count += flags != -1 && !(flags & FD_CLOEXEC);
	}
	return count;
}

static int inherited;

static void count_inheritable(void)
{
	CHECK(inheritable() == inherited);
}

/* A program that is started meanwhile gets no descriptor of ours. */
static void start_while_reading(void)
{
	struct notice *notice;

	put("f", "");
	inherited = inheritable();
	fault_before_look(count_inheritable);
	notice = watch();
	CHECK(fault_happened());
	count_inheritable();
	notice_free(notice);
	remove_f();
}

TEST(notice_race, with_who_starts_a_program_leaves_it_no_descriptor, 60)
{
	each_back_end(start_while_reading);
}

static void remove_moved(void)
{
	CHECK(unlink("d/new") == 0);
}

/*
 * A directory is moved and a name in it too, so the directory is looked through before that is heard; and then it is gone.  It
 * is marked all the while, being on the way to another path.
 */
TEST(notice_race, with_who_removes_what_was_moved_tells_of_both, 60)
{
	const char *paths[] = { top, "/", NULL };
	char other[200], way[300];
	struct notice *notice;

	begin(false);
	strcpy(other, top);
	begin(false);
	snprintf(way, sizeof way, "%s/d/f", other);
	paths[1] = way;
	CHECK(chdir(other) == 0 && mkdir("d", 0700) == 0);
	put("d/f", "");
	put("d/old", "");
	CHECK_STATUS(notice_new(&notice, paths, 2, DUCT_WATCHER(.settle = -1), 0), DUCT_OK);
	CHECK(chdir(top) == 0 && syscall(SYS_renameat2, AT_FDCWD, strcat(other, "/d"), AT_FDCWD, "d", 0) == 0);
	CHECK(rename("d/old", "d/new") == 0);
	fault_after_reading(remove_moved);
	notice_pump(notice, SECOND);
	CHECK(fault_happened());
	CHECK(tells(notice, DUCT_FILE_CREATED, "d"));
	for (int i = 0; i < 2; i++, notice_pop(notice))
		CHECK(notice_first(notice)->change == DUCT_FILE_CREATED);
	CHECK(tells(notice, DUCT_FILE_MODIFIED, "d/new") && tells(notice, DUCT_FILE_DELETED, "d/new"));
	CHECK(notice_first(notice) != NULL && strcmp(notice_first(notice)->path, way) == 0);
	CHECK(notice_first(notice)->change == DUCT_FILE_DELETED);
	notice_pop(notice);
	CHECK(notice_first(notice) == NULL);
	notice_free(notice);
	*strrchr(other, '/') = '\0';
	CHECK(unlink("d/f") == 0 && rmdir("d") == 0 && rmdir(other) == 0);
	end();
}

/* What was not read may be there: nothing is gone. */
TEST(notice_race, in_which_a_directory_cannot_be_read_deletes_nothing, 60)
{
	struct notice *notice;

	begin(true);
	put("f", "");
	put("g", "");
	notice = watch();
	remove_f();
	put("h", "");
	fault_unreadable();
	notice_pump(notice, SECOND);
	CHECK(fault_happened() && notice_first(notice) == NULL);
	notice_pump(notice, 2 * SECOND);
	CHECK(tells(notice, DUCT_FILE_DELETED, "f") && tells(notice, DUCT_FILE_CREATED, "h") && notice_first(notice) == NULL);
	notice_free(notice);
	CHECK(unlink("g") == 0 && unlink("h") == 0);
	end();
}

/* ---- Without inotify, without a larger table ------------------------------------------------------------------- */

TEST(notice_without_inotify, looks_each_interval, 60)
{
	struct notice *notice;

	begin(false);
	fault_no_inotify();
	notice = watch();
	CHECK(fault_happened() && notice_descriptor(notice) == -1 && notice_due(notice) == SECOND);
	put("f", "");
	notice_pump(notice, SECOND);
	CHECK(tells(notice, DUCT_FILE_CREATED, "f") && notice_due(notice) == 2 * SECOND);
	notice_free(notice);
	remove_f();
	end();
}

TEST(nomem_table, that_cannot_grow_holds_all_the_same, 5)
{
	enum { LINKS = TABLE_FEW + 2 };
	struct table table = { .len = 0 };
	struct table_link links[LINKS];

	for (size_t i = 0; i < LINKS; i++) {
		fault_begin(1);
		table_put(&table, &links[i], i);
		CHECK(fault_end() == (i >= TABLE_FEW));
	}
	CHECK(table.grown == NULL && table.len == LINKS);
	for (size_t i = 0; i < LINKS; i++)
		CHECK(table_first(&table, i) == &links[i]);
	table_clear(&table);
}
