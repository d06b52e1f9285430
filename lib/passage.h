/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The passage to a root: the directories that its path leads through, and what in each is the next step.
 */
#ifndef DUCT_PASSAGE_H
#define DUCT_PASSAGE_H

#include "survey.h"

struct anchor {
	struct anchor *next;
	struct tie tie; /* its name is what matters there; its owner is the anchor */
	struct root *root;
	bool is_last; /* the name is the root's own */
	char name[];
};

/* Marks the passage as it is now; what was marked before is let go. */
void passage_renew(struct survey *survey, struct root *root);
void passage_free(struct survey *survey, struct root *root);

#endif
