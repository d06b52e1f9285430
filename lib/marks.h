/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the system tells of directories: inotify, where there is one.
 *
 * A directory of the system has one mark however often it is asked for: by several paths, or as a directory of which
 * everything is wanted and as one on the way to another.  Who asks has a tie to the mark.
 */
#ifndef DUCT_MARKS_H
#define DUCT_MARKS_H

#include "table.h"

#include <duct.h>

struct tie {
	struct tie *next;
	struct mark *mark; /* NULL: not tied */
	uint64_t served;   /* the number of the last tidings that it was given for */
	const char *name;  /* the only one that matters there, or NULL: all; set before it is tied */
	void *owner;       /* likewise: whatever the owner wants to know again */
};

struct marks {
	int descriptor; /* -1: there is none */
	struct table table;
	size_t reads_left; /* of this turn */
	size_t begin, end; /* of what was read and not told yet */
	uint64_t number;   /* of the tidings at hand */
	unsigned char *buffer;
};

/* Of marks that are all zeros but for a descriptor of -1.  DUCT_NOMEM: memory or descriptors are short.  DUCT_UNSUPPORTED: the system does not tell. */
duct_status marks_open(struct marks *marks);
void marks_close(struct marks *marks);

/* What is to be told of a directory: all, or only which names come and go. */
enum { MARK_NAMES = 1, MARK_FOLLOW = 2 /* a symbolic link in the last place */ };
enum marked { MARKED_OR_GONE, MARKED_NO_ACCESS, MARKED_SHORT };

/* Ties to the directory that is at path now, and lets go of another.  Where there is none, or it fails, the tie is to none. */
enum marked marks_tie(struct marks *marks, struct tie *tie, const char *path, unsigned how);
void marks_untie(struct marks *marks, struct tie *tie);

/* What happened, in the order in which it did. */
enum {
	TOLD_THERE = 1,   /* a name has come, */
	TOLD_GONE = 2,    /* or gone; */
	TOLD_MOVED = 4,   /* with either: by a rename; */
	TOLD_CHANGED = 8, /* or what it stands for has changed; without a name: the directory's own facts */
	TOLD_SELF = 16,   /* the directory itself is gone, or is elsewhere now */
	TOLD_LOST = 32    /* some tidings were lost, of whatever directories */
};

struct tidings {
	unsigned what;
	bool is_directory; /* what the name stands for */
	int mark;          /* number of the mark */
	const char *name;  /* or NULL; valid until the next ones */
};

/* Begins a turn: who changes files faster than they are told of must not keep us for ever. */
void marks_begin(struct marks *marks);

/* The next ones; false: no more now. */
bool marks_next(struct marks *marks, struct tidings *tidings);

/* A tie that these are for, each once; NULL: no more.  In between all may be tied and untied. */
struct tie *marks_tie_of(struct marks *marks, const struct tidings *tidings);

#endif
