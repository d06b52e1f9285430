/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The picture of the files, and what makes it true: looking at them.  Each difference is noted as a change.
 */
#ifndef DUCT_SURVEY_H
#define DUCT_SURVEY_H

#include "batch.h"
#include "tree.h"

struct survey {
	struct tree tree;
	struct marks marks;
	struct batch batch;
	unsigned look;  /* numbers the readings of directories */
	bool is_silent; /* nothing is noted */
	bool is_deep;   /* directories that are known are looked through as well */
	bool is_short;  /* something could not be had, and the picture may not be true */
	bool is_deaf;   /* there are files of which the system does not tell all */
};

/*
 * One change, in the picture and noted; where it cannot be noted the picture stays as it was and the survey is short, so that
 * a later look finds the difference again.
 */
struct node *survey_add(struct survey *survey, struct root *root, struct node *parent, const char *name, bool is_directory);
bool survey_forget(struct survey *survey, struct node *node); /* with all below it, which goes first */
bool survey_modify(struct survey *survey, struct node *node);

/* What stat says; a symbolic link in the last place is followed or not.  False, with errno: nothing. */
bool facts_at(const char *path, bool follow, struct facts *facts);
bool facts_are_same(const struct facts *one, const struct facts *other);

/* Makes of the node, or of none, what the facts tell. */
void survey_compare(struct survey *survey, struct root *root, struct node *parent, const char *name, struct node *node,
    const struct facts *facts);

/* Looks through a directory, and those below it that are due.  It is marked first: what comes later, the system tells. */
void survey_below(struct survey *survey, struct node *directory);

/* Looks at a root and all below it.  DUCT_NOMEM: could not, for want of resources; DUCT_INVALID: there is nothing to be seen. */
duct_status survey_root(struct survey *survey, struct root *root);

/* A file system of this type (statfs) changes without the system's telling. */
bool file_system_is_deaf(unsigned long type);

#endif
