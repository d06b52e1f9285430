/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The grove.
 */
#include "grove.h"

#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_MOST 60000

void grove_begin(struct grove *grove, bool polls)
{
	const char *where = getenv("TMPDIR");

	*grove = (struct grove){ .polls = polls, .now = SECOND };
	CHECK(snprintf(grove->top, sizeof grove->top, "%s/duct-XXXXXX", where != NULL && *where == '/' ? where : "/tmp") <
	      (int)sizeof grove->top);
	CHECK(mkdtemp(grove->top) != NULL);
	CHECK(chdir(grove->top) == 0);
}

/* By descriptors, for paths that are too long for a call. */
static void remove_at(int directory, const char *name)
{
	const struct dirent *entry;
	DIR *stream = NULL;
	int below;

	if (unlinkat(directory, name, 0) == 0)
		return;
	below = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	CHECK(below != -1 && (stream = fdopendir(below)) != NULL);
	while ((entry = readdir(stream)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_at(below, entry->d_name);
	closedir(stream);
	CHECK(unlinkat(directory, name, AT_REMOVEDIR) == 0);
}

static void remove_all(const char *path)
{
	remove_at(AT_FDCWD, path);
}

void grove_end(struct grove *grove)
{
	notice_free(grove->notice);
	CHECK(chdir("/") == 0);
	remove_all(grove->top);
}

void grove_both(void (*test)(struct grove *grove))
{
	for (int polls = 0; polls < 2; polls++) {
		struct grove grove;

		grove_begin(&grove, polls);
		test(&grove);
		grove_end(&grove);
	}
}

const char *grove_path(const struct grove *grove, const char *name)
{
	static char paths[4][PATH_MAX + 1];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof *paths, "%s%s%s", grove->top, *name != '\0' ? "/" : "", name);
	return path;
}

void grove_watch(struct grove *grove, const char *name, const duct_watcher_options *options)
{
	const char *path = grove_path(grove, name);
	duct_watcher_options some = options != NULL ? *options : (duct_watcher_options)DUCT_WATCHER_OPTIONS_INIT;

	some.poll = grove->polls;
	notice_free(grove->notice);
	CHECK_STATUS(notice_new(&grove->notice, &path, 1, &some, grove->now), DUCT_OK);
}

void grove_pump(struct grove *grove)
{
	if (grove->polls)
		grove->now += SECOND;
	notice_pump(grove->notice, grove->now);
}

static int by_text(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* The words of a text, sorted, in its place. */
static void sort_words(char *text)
{
	static char *words[WORDS_MOST];
	char *copy = strdup(text), *rest = copy, *word;
	size_t count = 0;

	while ((word = strtok_r(rest, " ", &rest)) != NULL) {
		CHECK(count < WORDS_MOST);
		words[count++] = word;
	}
	qsort(words, count, sizeof *words, by_text);
	*text = '\0';
	for (size_t i = 0; i < count; i++)
		text = stpcpy(stpcpy(text, i > 0 ? " " : ""), words[i]);
	free(copy);
}

static const char *below(const struct grove *grove, const char *path)
{
	const size_t length = strlen(grove->top);

	if (strncmp(path, grove->top, length) != 0)
		return path;
	return path[length] == '/' ? path + length + 1 : ".";
}

bool grove_tells(struct grove *grove, const char *text, bool in_any_order)
{
	const duct_file_event *event;
	char *told = NULL, *expected = strdup(text);
	size_t size;
	FILE *stream = open_memstream(&told, &size);
	bool same;

	for (bool first = true; (event = notice_first(grove->notice)) != NULL; first = false) {
		fprintf(stream, "%s%c%s", first ? "" : " ", " +~?-"[event->change], below(grove, event->path));
		notice_pop(grove->notice);
	}
	fclose(stream);
	if (in_any_order) {
		sort_words(told);
		sort_words(expected);
	}
	same = strcmp(told, expected) == 0;
	if (!same)
		fprintf(stderr, "%s: told %.4000s, not %.4000s\n", grove->polls ? "polling" : "inotify", told, expected);
	free(told);
	free(expected);
	return same;
}

bool grove_told(struct grove *grove, const char *text, bool in_any_order)
{
	grove_pump(grove);
	return grove_tells(grove, text, in_any_order);
}

void put(const struct grove *grove, const char *name, const char *more)
{
	int file = open(grove_path(grove, name), O_WRONLY | O_CREAT | O_APPEND, 0600);

	CHECK(file != -1);
	CHECK(write(file, more, strlen(more)) == (ssize_t)strlen(more));
	CHECK(close(file) == 0);
}

void make_directory(const struct grove *grove, const char *name)
{
	CHECK(mkdir(grove_path(grove, name), 0700) == 0);
}

void move(const struct grove *grove, const char *from, const char *to)
{
	CHECK(rename(grove_path(grove, from), grove_path(grove, to)) == 0);
}

void drop(const struct grove *grove, const char *name)
{
	remove_all(grove_path(grove, name));
}

void link_to(const struct grove *grove, const char *target, const char *name)
{
	CHECK(symlink(target, grove_path(grove, name)) == 0);
}

void set_mode(const struct grove *grove, const char *name, unsigned mode)
{
	CHECK(chmod(grove_path(grove, name), mode) == 0);
}

int open_descriptors(void)
{
	DIR *stream = opendir("/proc/self/fd");
	int count = 0;

	CHECK(stream != NULL);
	while (readdir(stream) != NULL)
		count++;
	closedir(stream);
	return count;
}
