/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The picture of the watched files: what is where, as far as it is known, and was told.
 *
 * A path that is watched is a root.  What is there, and all that is below it if it is a directory, are nodes.  Roots may
 * overlap: each has nodes of its own.
 */
#ifndef DUCT_TREE_H
#define DUCT_TREE_H

#include "marks.h"

#include <sys/types.h>
#include <time.h>

#define PATH_ROOM 4096 /* of the system's paths, and more than of those that are told */
#define TOLD_ROOM sizeof(((duct_file_event *)NULL)->path)

/* What shows that a file has changed. */
struct facts {
	mode_t mode; /* 0: not known */
	uint64_t device, inode;
	int64_t size;
	struct timespec modified, changed; /* content; anything */
};

struct node {
	struct table_link link; /* by parent and name */
	struct root *root;
	struct node *parent; /* NULL: the root's own */
	struct node *children, *next, **at;
	struct tie tie; /* of a directory */
	struct facts facts;
	bool is_directory;
	bool is_found;  /* by a look; tidings of its coming may be on their way */
	bool is_put;    /* a rename put it in the place of another */
	bool is_unread; /* a directory that could not be read */
	bool is_due;    /* a directory to be looked through */
	unsigned look;  /* the last one that saw that it is still there */
	size_t length;  /* of its path */
	char name[];    /* of a root's own: empty */
};

struct root {
	struct root *next;
	struct node *node;      /* NULL: nothing is there */
	struct anchor *anchors; /* what tells of changes on the way to it */
	bool is_due;            /* to be looked at */
	size_t length, real_length;
	char
	    *real; /* the path as the system is asked, whatever the working directory becomes; ends with a slash as path does */
	char path[]; /* as it was given, of that length */
};

struct tree {
	struct table nodes; /* but those of roots */
	struct root *roots, **end;
};

/* Of zeros. */
void tree_init(struct tree *tree);

/* A root at the end of the tree, without a node; real NULL: as path.  NULL: no memory. */
struct root *tree_root(struct tree *tree, const char *path, const char *directory);
void tree_root_free(struct root *root);

/* A node that is not in the tree yet; NULL with *too_long, or for want of memory. */
struct node *node_new(struct root *root, struct node *parent, const char *name, bool *too_long);
void tree_put(struct tree *tree, struct node *node);

/* Takes out and frees a node without children, whose tie is to nothing. */
void tree_take(struct tree *tree, struct node *node);

struct node *tree_find(const struct tree *tree, const struct node *parent, const char *name);

/* Its path, of node->length, and the one to ask the system with; they fit TOLD_ROOM and PATH_ROOM. */
void node_path(const struct node *node, char *path);
void node_real_path(const struct node *node, char *path);

#endif
