/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Marks on directories, over inotify.  Without it the first call says so, and the others have nothing to do.
 *
 * Numbers of marks are the system's watch descriptors, which it does not use again before all others.  So tidings that were on
 * their way when their mark was given back find none, and are passed over.
 */
#include "marks.h"

#include "memory.h"

#include <string.h>

#if defined __has_include && !defined DUCT_NO_INOTIFY
#if __has_include(<sys/inotify.h>)
#define HAS_INOTIFY 1
#endif
#endif

#ifdef HAS_INOTIFY
#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#define BUFFER_SIZE 16384
#define READS_MOST 64 /* of one turn: a megabyte */

#define WHEN_NAMES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
#define WHEN_ALL (WHEN_NAMES | IN_MODIFY | IN_ATTRIB)

struct mark {
	struct table_link link; /* by its number */
	int number;
	struct tie *ties;
};

duct_status marks_open(struct marks *marks)
{
	if ((marks->buffer = memory_new(NULL, BUFFER_SIZE)) == NULL)
		return DUCT_NOMEM;
	if ((marks->descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) != -1)
		return DUCT_OK;
	memory_free(NULL, marks->buffer);
	return errno == ENOSYS ? DUCT_UNSUPPORTED : DUCT_NOMEM;
}

void marks_close(struct marks *marks)
{
	if (marks->descriptor == -1)
		return;
	close(marks->descriptor);
	memory_free(NULL, marks->buffer);
	table_clear(&marks->table);
}

/* ---- Ties ------------------------------------------------------------------------------------------------------ */

/* Numbers follow each other, so they are spread as they are; and a mark is the only one with its hash. */
static uint64_t hash_of(int number)
{
	return (uint64_t)number;
}

static struct mark *mark_of(const struct marks *marks, int number)
{
	return (struct mark *)table_first(&marks->table, hash_of(number));
}

static struct mark *mark_new(struct marks *marks, int number)
{
	struct mark *mark = memory_new(NULL, sizeof *mark);

	if (mark == NULL)
		return NULL; /* of the watch nobody will know, until somebody ties again and gets the same */
	*mark = (struct mark){ .number = number };
	table_put(&marks->table, &mark->link, hash_of(number));
	return mark;
}

static void mark_free(struct marks *marks, struct mark *mark)
{
	table_take(&marks->table, &mark->link);
	memory_free(NULL, mark);
}

static void let_go(struct tie *tie)
{
	struct tie **at = &tie->mark->ties;

	while (*at != tie)
		at = &(*at)->next;
	*at = tie->next;
	tie->mark = NULL;
}

void marks_untie(struct marks *marks, struct tie *tie)
{
	struct mark *mark = tie->mark;

	if (mark == NULL)
		return;
	let_go(tie);
	if (mark->ties != NULL)
		return;
	inotify_rm_watch(marks->descriptor, mark->number);
	mark_free(marks, mark);
}

static enum marked why_not(int error)
{
	switch (error) {
	case ENOMEM:
	case ENOSPC:
		return MARKED_SHORT;
	case EACCES:
		return MARKED_NO_ACCESS;
	default:
		return MARKED_OR_GONE; /* no directory, or not any more */
	}
}

enum marked marks_tie(struct marks *marks, struct tie *tie, const char *path, unsigned how)
{
	const uint32_t when = how & MARK_NAMES ? WHEN_NAMES : WHEN_ALL, follow = how & MARK_FOLLOW ? 0 : IN_DONT_FOLLOW;
	enum marked marked = MARKED_OR_GONE;
	struct mark *mark = NULL;
	int number;

	if (marks->descriptor == -1)
		return MARKED_OR_GONE;
	number = inotify_add_watch(marks->descriptor, path, when | follow | IN_ONLYDIR | IN_EXCL_UNLINK | IN_MASK_ADD);
	if (number == -1)
		marked = why_not(errno);
	else if ((mark = mark_of(marks, number)) == NULL && (mark = mark_new(marks, number)) == NULL)
		marked = MARKED_SHORT;
	if (mark == tie->mark)
		return marked;
	marks_untie(marks, tie);
	if (mark != NULL) {
		tie->mark = mark;
		tie->next = mark->ties;
		mark->ties = tie;
	}
	return marked;
}

/* ---- Tidings --------------------------------------------------------------------------------------------------- */

void marks_begin(struct marks *marks)
{
	marks->reads_left = READS_MOST;
}

static bool fill(struct marks *marks)
{
	ssize_t size;

	if (marks->descriptor == -1 || marks->reads_left == 0)
		return false;
	marks->reads_left--;
	size = read(marks->descriptor, marks->buffer, BUFFER_SIZE);
	marks->begin = 0;
	marks->end = size > 0 ? (size_t)size : 0;
	return size > 0;
}

static unsigned what_of(uint32_t mask)
{
	unsigned what = 0;

	if (mask & (IN_CREATE | IN_MOVED_TO))
		what |= TOLD_THERE;
	if (mask & (IN_DELETE | IN_MOVED_FROM))
		what |= TOLD_GONE;
	if (mask & (IN_MOVED_TO | IN_MOVED_FROM))
		what |= TOLD_MOVED;
	if (mask & (IN_MODIFY | IN_ATTRIB))
		what |= TOLD_CHANGED;
	if (mask & (IN_DELETE_SELF | IN_MOVE_SELF))
		what |= TOLD_SELF;
	if (mask & (IN_Q_OVERFLOW | IN_UNMOUNT))
		what |= TOLD_LOST;
	return what;
}

/* The system has taken the mark away, and told why before. */
static void forget_mark(struct marks *marks, int number)
{
	struct mark *mark = mark_of(marks, number);

	if (mark == NULL)
		return;
	for (struct tie *tie = mark->ties; tie != NULL; tie = tie->next)
		tie->mark = NULL;
	mark_free(marks, mark);
}

bool marks_next(struct marks *marks, struct tidings *tidings)
{
	const struct inotify_event *event;

	if (marks->begin == marks->end && !fill(marks))
		return false;
	event = (const void *)(marks->buffer + marks->begin);
	marks->begin += sizeof *event + event->len;
	marks->number++;
	if (event->mask & IN_IGNORED)
		forget_mark(marks, event->wd);
	*tidings = (struct tidings){ .what = what_of(event->mask),
		.is_directory = event->mask & IN_ISDIR,
		.mark = event->wd,
		.name = event->len > 0 ? event->name : NULL };
	return true;
}

static bool is_for(const struct tie *tie, const struct tidings *tidings)
{
	return tie->name == NULL || tidings->name == NULL || strcmp(tie->name, tidings->name) == 0;
}

struct tie *marks_tie_of(struct marks *marks, const struct tidings *tidings)
{
	struct mark *mark = mark_of(marks, tidings->mark);

	if (mark == NULL)
		return NULL;
	for (struct tie *tie = mark->ties; tie != NULL; tie = tie->next)
		if (tie->served != marks->number && is_for(tie, tidings)) {
			tie->served = marks->number;
			return tie;
		}
	return NULL;
}

#else

duct_status marks_open(struct marks *marks)
{
	(void)marks;
	return DUCT_UNSUPPORTED;
}

void marks_close(struct marks *marks)
{
	(void)marks;
}

enum marked marks_tie(struct marks *marks, struct tie *tie, const char *path, unsigned how)
{
	(void)marks, (void)tie, (void)path, (void)how;
	return MARKED_OR_GONE;
}

void marks_untie(struct marks *marks, struct tie *tie)
{
	(void)marks, (void)tie;
}

void marks_begin(struct marks *marks)
{
	(void)marks;
}

bool marks_next(struct marks *marks, struct tidings *tidings)
{
	(void)marks, (void)tidings;
	return false;
}

struct tie *marks_tie_of(struct marks *marks, const struct tidings *tidings)
{
	(void)marks, (void)tidings;
	return NULL;
}

#endif
