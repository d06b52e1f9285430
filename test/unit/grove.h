/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A grove: a temporary directory, a notice of what is in it, and a clock of its own.
 *
 * What is told is compared as text: + for CREATED, ~ for MODIFIED, - for DELETED, each with the path below the directory of
 * the test, in order: "+a ~a -a".  grove_both runs a test with each back end.
 */
#ifndef TEST_UNIT_GROVE_H
#define TEST_UNIT_GROVE_H

#include "notice.h"

#include <stdbool.h>

#define SECOND INT64_C(1000000000)

struct grove {
	char top[200]; /* the temporary directory: the working directory of the test */
	bool polls;
	struct notice *notice;
	duct_time now;
};

void grove_begin(struct grove *grove, bool polls);
void grove_end(struct grove *grove);
void grove_both(void (*test)(struct grove *grove));

/* The absolute path of a name; good for some calls. */
const char *grove_path(const struct grove *grove, const char *name);

/* A notice of one path below the directory, "" being the directory itself; one that was there is freed. */
void grove_watch(struct grove *grove, const char *name, const duct_watcher_options *options);

/* Every change at once. */
#define AT_ONCE(...) DUCT_WATCHER(.settle = -1, __VA_ARGS__)

/* Pumps, when it is time to look if the notice polls. */
void grove_pump(struct grove *grove);

/* Pumps, and what is told then has to be that; or that in any order. */
#define TOLD(grove_, text_) CHECK(grove_told((grove_), (text_), false))
#define TOLD_ANYHOW(grove_, text_) CHECK(grove_told((grove_), (text_), true))
bool grove_told(struct grove *grove, const char *text, bool in_any_order);

/* What is told already. */
bool grove_tells(struct grove *grove, const char *text, bool in_any_order);

/* Changes below the directory; each has to succeed. */
void put(const struct grove *grove, const char *name, const char *more); /* appends to a file, which is made if need be */
void make_directory(const struct grove *grove, const char *name);
void move(const struct grove *grove, const char *from, const char *to);
void drop(const struct grove *grove, const char *name); /* a file, or a directory with all that is in it */
void link_to(const struct grove *grove, const char *target, const char *name);
void set_mode(const struct grove *grove, const char *name, unsigned mode);

/* Descriptors that this process has open. */
int open_descriptors(void);

#endif
