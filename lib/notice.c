/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A notice has a picture of the files, and tells of each change of the picture.  There are two ways to learn that it is not
 * true any more: tidings from the system, and looking at everything.
 *
 * Tidings are taken at their word, without asking whether a file is still there, so that what came and went is told as that.
 * But they only count as far as they change the picture: of a file that is known already, that it has come is no news.  So tidings
 * and looks may overlap.  A directory is marked first and read then, and what happens between is in both; after tidings were lost,
 * all is looked at, and those that are still on their way do no harm.
 *
 * Looking is also the answer to all that can go wrong: where memory, watches or descriptors are short, or the system does not
 * tell, all is looked at each interval, as long as that is so.  Looking alone is what polling is.
 *
 * What is not told: what happens in a directory that is new or was just moved, and is undone before it is marked.
 */
#include "notice.h"

#include "memory.h"
#include "passage.h"
#include "sync.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_CHANGES (DUCT_FILE_CREATED | DUCT_FILE_MODIFIED | DUCT_FILE_DELETED)
#define NS_PER_MS INT64_C(1000000)

struct notice {
	struct survey survey;
	int64_t interval;   /* [I] */
	duct_time look_due; /* at everything */
	bool polls;         /* [I] each interval in any case */
	duct_file_event event;
};

/* ---- Tidings --------------------------------------------------------------------------------------------------- */

/* What tidings are of: a name in a directory, or a root's own. */
struct subject {
	struct root *root;
	struct node *parent;
	const char *name;
	struct node *node; /* what is known of it, or NULL */
};

/* A root is what its path leads to, along links. */
static bool facts_of(const struct node *node, struct facts *facts)
{
	char path[PATH_ROOM];

	node_real_path(node, path);
	return facts_at(path, node->parent == NULL, facts);
}

static void appear(struct survey *survey, const struct subject *subject, bool is_directory, bool is_put)
{
	struct facts facts = { 0 };
	struct node *node;

	if (subject->parent == NULL && facts_at(subject->root->real, true, &facts))
		is_directory = S_ISDIR(facts.mode);
	if ((node = survey_add(survey, subject->root, subject->parent, subject->name, is_directory)) == NULL)
		return;
	facts_of(node, &facts);
	if (S_ISDIR(facts.mode) == is_directory)
		node->facts = facts;
	node->is_put = is_put;
	if (is_directory)
		survey_below(survey, node);
}

static void change(struct survey *survey, struct node *node)
{
	struct facts facts;

	if (node->is_directory) {
		if (node->is_unread)
			survey_below(survey, node);
		return;
	}
	if (!survey_modify(survey, node))
		return;
	if (facts_of(node, &facts))
		node->facts = facts;
	node->is_found = false;
}

/* It has come where something was known already: a rename put it there, or a look has seen it before. */
static void replace(struct survey *survey, struct node *node, bool is_moved)
{
	struct facts facts;

	if (!is_moved)
		return;
	if (node->is_directory) {
		survey_below(survey, node);
		return;
	}
	if (node->is_found && facts_of(node, &facts) && facts_are_same(&facts, &node->facts))
		return;
	change(survey, node);
	node->is_put = true;
}

static void come(struct survey *survey, struct subject *subject, const struct tidings *tidings)
{
	struct node *node = subject->node;

	if (node != NULL && node->is_directory == tidings->is_directory)
		replace(survey, node, tidings->what & TOLD_MOVED);
	else if (node == NULL || survey_forget(survey, node))
		appear(survey, subject, tidings->is_directory, node != NULL);
}

/* Two files that change places are told of as four moves: what the first puts in a place, the third takes from it. */
static void look_again(struct survey *survey, const struct subject *subject, const char *path)
{
	struct facts facts;
	struct node *node;

	if (!facts_at(path, false, &facts))
		return;
	survey_compare(survey, subject->root, subject->parent, subject->name, NULL, &facts);
	node = tree_find(&survey->tree, subject->parent, subject->name);
	if (node != NULL && node->is_directory)
		survey_below(survey, node);
}

static void go(struct survey *survey, const struct subject *subject)
{
	struct node *node = subject->node;
	bool was_put;
	char path[PATH_ROOM];

	if (node == NULL)
		return;
	was_put = node->is_put;
	node_real_path(node, path);
	if (survey_forget(survey, node) && was_put && subject->parent != NULL)
		look_again(survey, subject, path);
}

static void learn(struct survey *survey, struct subject *subject, const struct tidings *tidings)
{
	if (tidings->what & TOLD_THERE)
		come(survey, subject, tidings);
	else if (tidings->what & TOLD_GONE)
		go(survey, subject);
	else if (subject->node != NULL)
		change(survey, subject->node);
}

/* That a directory is gone itself is told by the one above, or on the way to a root. */
static void learn_in_directory(struct survey *survey, struct node *directory, const struct tidings *tidings)
{
	struct subject subject = { .root = directory->root, .parent = directory, .name = tidings->name };

	if (tidings->name == NULL)
		return;
	subject.node = tree_find(&survey->tree, directory, tidings->name);
	learn(survey, &subject, tidings);
}

/* Of the way to a root.  What has come in the last place may lead on. */
static void learn_on_passage(struct survey *survey, const struct anchor *anchor, const struct tidings *tidings)
{
	struct root *root = anchor->root;
	struct subject subject = { .root = root, .name = "", .node = root->node };

	if (anchor->is_last && tidings->name != NULL)
		learn(survey, &subject, tidings);
	if (tidings->name == NULL || tidings->what & (TOLD_THERE | TOLD_GONE))
		root->is_due = true;
}

static void hear(struct notice *notice)
{
	struct survey *survey = &notice->survey;
	struct tidings tidings;
	struct tie *tie;

	marks_begin(&survey->marks);
	while (marks_next(&survey->marks, &tidings)) {
		if (tidings.what & TOLD_LOST)
			notice->look_due = DEADLINE_NOW;
		while ((tie = marks_tie_of(&survey->marks, &tidings)) != NULL)
			if (tie->name == NULL)
				learn_in_directory(survey, tie->owner, &tidings);
			else
				learn_on_passage(survey, tie->owner, &tidings);
	}
}

/* ---- Looks ----------------------------------------------------------------------------------------------------- */

static duct_status look_at_root(struct survey *survey, struct root *root)
{
	if (survey->marks.descriptor != -1)
		passage_renew(survey, root);
	return survey_root(survey, root);
}

static void set_next_look(struct notice *notice, duct_time now)
{
	const struct survey *survey = &notice->survey;

	if (notice->look_due == DUCT_FOREVER && (notice->polls || survey->is_deaf || survey->is_short))
		notice->look_due = notice->interval < DUCT_FOREVER - now ? now + notice->interval : DUCT_FOREVER;
}

static void look(struct notice *notice, duct_time now)
{
	struct survey *survey = &notice->survey;
	const bool at_all = now >= notice->look_due;

	if (at_all) {
		notice->look_due = DUCT_FOREVER;
		survey->is_short = survey->is_deaf = false;
	}
	for (struct root *root = survey->tree.roots; root != NULL; root = root->next)
		if (at_all || root->is_due)
			(void)look_at_root(survey, root);
	set_next_look(notice, now);
}

/* ---- Making ---------------------------------------------------------------------------------------------------- */

static bool are_valid(const duct_watcher_options *options)
{
	return options->size == sizeof *options && !(options->changes & ~(unsigned)(ALL_CHANGES | DUCT_FILE_NONE)) &&
	       options->interval >= 0 && options->settle_most >= 0;
}

static int64_t or_ms(int64_t nanoseconds, int64_t otherwise)
{
	return nanoseconds != 0 ? nanoseconds : otherwise * NS_PER_MS;
}

static struct notice *make(const duct_watcher_options *options)
{
	struct notice *notice = memory_new(NULL, sizeof *notice);

	if (notice == NULL)
		return NULL;
	memset(notice, 0, sizeof *notice);
	notice->interval = or_ms(options->interval, 1000);
	notice->look_due = DUCT_FOREVER;
	notice->polls = options->poll;
	notice->survey.marks.descriptor = -1;
	notice->survey.is_silent = true;
	tree_init(&notice->survey.tree);
	batch_init(&notice->survey.batch, options->changes != 0 ? options->changes : ALL_CHANGES, or_ms(options->settle, 50),
	    or_ms(options->settle_most, 1600));
	return notice;
}

static duct_status add_root(struct notice *notice, const char *path, bool may_be_missing)
{
	char directory[PATH_ROOM] = "";
	struct survey *survey = &notice->survey;
	struct root *root;
	duct_status status;

	if (path == NULL || *path == '\0' ||
	    (*path != '/' && (getcwd(directory, sizeof directory) == NULL || *directory != '/')))
		return DUCT_INVALID;
	if (strlen(path) >= TOLD_ROOM || strlen(directory) + 1 + strlen(path) >= PATH_ROOM)
		return DUCT_INVALID;
	if ((root = tree_root(&survey->tree, path, *path != '/' ? directory : NULL)) == NULL)
		return DUCT_NOMEM;
	status = look_at_root(survey, root);
	return status == DUCT_INVALID && may_be_missing ? DUCT_OK : status;
}

static duct_status begin(struct notice *notice, const char *const *paths, size_t count, bool may_be_missing)
{
	duct_status status = notice->polls ? DUCT_UNSUPPORTED : marks_open(&notice->survey.marks);

	if (status == DUCT_NOMEM)
		return status;
	notice->polls = status == DUCT_UNSUPPORTED;
	for (size_t i = 0; i < count; i++)
		if ((status = add_root(notice, paths[i], may_be_missing)) != DUCT_OK)
			return status;
	return DUCT_OK;
}

static duct_status notice_make(
    struct notice **notice, const char *const *paths, size_t count, const duct_watcher_options *options, duct_time now)
{
	struct notice *made = make(options);
	duct_status status;

	if (made == NULL)
		return DUCT_NOMEM;
	if ((status = begin(made, paths, count, options->may_be_missing)) != DUCT_OK) {
		notice_free(made);
		return status;
	}
	made->survey.is_silent = false;
	set_next_look(made, now);
	*notice = made;
	return DUCT_OK;
}

duct_status notice_new(
    struct notice **notice, const char *const *paths, size_t count, const duct_watcher_options *options, duct_time now)
{
	static const duct_watcher_options defaults = DUCT_WATCHER_OPTIONS_INIT;
	duct_status status;
	int error, cancellation;

	if (options == NULL)
		options = &defaults;
	if (notice == NULL || paths == NULL || count == 0 || !are_valid(options))
		return DUCT_INVALID;
	error = errno, cancellation = cancellation_hold();
	status = notice_make(notice, paths, count, options, now);
	cancellation_resume(cancellation);
	errno = error;
	return status;
}

static void free_root(struct survey *survey, struct root *root)
{
	passage_free(survey, root);
	if (root->node != NULL)
		(void)survey_forget(survey, root->node);
	tree_root_free(root);
}

void notice_free(struct notice *notice)
{
	int error = errno, cancellation;

	if (notice == NULL)
		return;
	cancellation = cancellation_hold();
	notice->survey.is_silent = true;
	for (struct root *root = notice->survey.tree.roots, *next; root != NULL; root = next) {
		next = root->next;
		free_root(&notice->survey, root);
	}
	table_clear(&notice->survey.tree.nodes);
	marks_close(&notice->survey.marks);
	batch_fini(&notice->survey.batch);
	memory_free(NULL, notice);
	cancellation_resume(cancellation);
	errno = error;
}

/* ---- Use ------------------------------------------------------------------------------------------------------- */

int notice_descriptor(const struct notice *notice)
{
	return notice->survey.marks.descriptor;
}

duct_time notice_due(const struct notice *notice)
{
	return deadline_min(notice->look_due, batch_due(&notice->survey.batch));
}

void notice_pump(struct notice *notice, duct_time now)
{
	int error = errno, cancellation = cancellation_hold();

	hear(notice);
	look(notice, now);
	batch_settle(&notice->survey.batch, now);
	cancellation_resume(cancellation);
	errno = error;
}

const duct_file_event *notice_first(struct notice *notice)
{
	const struct change *change = batch_first(&notice->survey.batch);

	if (change == NULL)
		return NULL;
	notice->event.change = change->what;
	memcpy(notice->event.path, change->path, strlen(change->path) + 1);
	return &notice->event;
}

void notice_pop(struct notice *notice)
{
	if (batch_first(&notice->survey.batch) != NULL)
		batch_pop(&notice->survey.batch);
}
