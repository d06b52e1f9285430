/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A path is gone through as the system does it, step by step, symbolic links included, and in each directory on the way the
 * name of the next step is anchored.  So whatever makes the path lead elsewhere, or nowhere, or somewhere again, is told:
 * a parent that is moved away, a link that is set anew.  The way ends early where a step is missing; when it comes, the
 * passage is renewed.
 *
 * Each directory is marked before its step is looked at: what changes after the look is told, and the passage renewed again.
 * The old anchors are let go when the new ones are set, so that a mark which both have does not go in between, and with it
 * what was already on its way.
 */
#include "passage.h"

#include "memory.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MOST 40 /* as the system has it */

struct walk {
	struct survey *survey;
	struct root *root;
	unsigned links;
	size_t at_length;
	char at[PATH_ROOM];   /* the directory; no links in it */
	char rest[PATH_ROOM]; /* of the path */
};

static void free_anchors(struct survey *survey, struct anchor *anchor)
{
	for (struct anchor *next; anchor != NULL; anchor = next) {
		next = anchor->next;
		marks_untie(&survey->marks, &anchor->tie);
		memory_free(NULL, anchor);
	}
}

void passage_free(struct survey *survey, struct root *root)
{
	free_anchors(survey, root->anchors);
}

static size_t step_length(const char *rest)
{
	return strcspn(rest, "/");
}

/* Where the next step begins; after the last there is none. */
static const char *next_step(const char *rest)
{
	return rest + strspn(rest, "/");
}

/* Ties the anchor to the directory of which walk->at has so much, and no more of it from then on. */
static void tie(struct walk *walk, struct anchor *anchor, size_t directory_length, unsigned how)
{
	struct survey *survey = walk->survey;

	walk->at[directory_length] = '\0';
	switch (marks_tie(&survey->marks, &anchor->tie, walk->at, how)) {
	case MARKED_SHORT:
		survey->is_short = true;
		break;
	case MARKED_NO_ACCESS:
		survey->is_deaf |= anchor->is_last;
		break;
	default:
		break;
	}
}

static struct anchor *anchor_new(struct walk *walk, const char *name, size_t length, bool is_last)
{
	struct anchor *anchor = memory_new(NULL, sizeof *anchor + length + 1);

	if (anchor == NULL) {
		walk->survey->is_short = true;
		return NULL;
	}
	*anchor = (struct anchor){ .next = walk->root->anchors, .root = walk->root, .is_last = is_last };
	memcpy(anchor->name, name, length);
	anchor->name[length] = '\0';
	anchor->tie.name = anchor->name;
	anchor->tie.owner = anchor;
	walk->root->anchors = anchor;
	tie(walk, anchor, walk->at_length, MARK_NAMES);
	return anchor;
}

/* The way cannot be followed, since a path or what is left of it would be too long: then the system cannot tell of it. */
static bool give_up(struct walk *walk)
{
	walk->survey->is_deaf = true;
	return false;
}

/* Goes into the step; false: it cannot. */
static bool go(struct walk *walk, const char *step, size_t length)
{
	if (walk->at_length + 1 + length >= sizeof walk->at)
		return give_up(walk);
	if (walk->at_length > 1)
		walk->at[walk->at_length++] = '/';
	memcpy(walk->at + walk->at_length, step, length);
	walk->at_length += length;
	walk->at[walk->at_length] = '\0';
	return true;
}

/* Goes where the link at this place, of the directory with that length, leads; false: it cannot. */
static bool go_along(struct walk *walk, size_t directory_length, const char *rest)
{
	char target[PATH_ROOM];
	const ssize_t length = readlink(walk->at, target, sizeof target);
	const size_t rest_length = strlen(rest);

	if (length <= 0 || ++walk->links > LINKS_MOST)
		return false;
	if ((size_t)length + 1 + rest_length >= sizeof walk->rest)
		return give_up(walk);
	memmove(walk->rest + length + 1, rest, rest_length + 1);
	memcpy(walk->rest, target, (size_t)length);
	walk->rest[length] = '/';
	walk->at_length = target[0] == '/' ? 1 : directory_length;
	walk->at[walk->at_length] = '\0';
	return true;
}

/* What a root's own name stands for is told of by its directory, unless it is a directory itself, or somewhere else. */
static void settle_last(struct walk *walk, struct anchor *anchor, size_t directory_length, mode_t mode)
{
	if (S_ISLNK(mode))
		anchor->is_last = false;
	else if (!S_ISDIR(mode))
		tie(walk, anchor, directory_length, 0);
}

/* One step; false: it was the last. */
static bool step(struct walk *walk)
{
	const char *name = next_step(walk->rest), *rest;
	const size_t length = step_length(name), directory_length = walk->at_length;
	const bool is_self = length == 1 && *name == '.', is_parent = length == 2 && memcmp(name, "..", 2) == 0;
	struct anchor *anchor = NULL;
	struct facts facts = { 0 };

	if (length == 0)
		return false;
	rest = next_step(name + length);
	if (!is_self && !is_parent)
		anchor = anchor_new(walk, name, length, *rest == '\0');
	if (!is_self && !go(walk, name, length))
		return false;
	facts_at(walk->at, false, &facts);
	if (anchor != NULL && anchor->is_last)
		settle_last(walk, anchor, directory_length, facts.mode);
	if (S_ISLNK(facts.mode))
		return go_along(walk, directory_length, rest);
	memmove(walk->rest, rest, strlen(rest) + 1);
	return S_ISDIR(facts.mode);
}

void passage_renew(struct survey *survey, struct root *root)
{
	struct anchor *before = root->anchors;
	struct walk walk = { .survey = survey, .root = root, .at = "/", .at_length = 1 };

	root->anchors = NULL;
	memcpy(walk.rest, root->real, root->real_length + 1);
	while (step(&walk))
		;
	free_anchors(survey, before);
}
