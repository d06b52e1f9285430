/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Nodes know their names only; paths are put together when they are wanted.  All names are in one table, by parent and name,
 * so that a name is found at once in a directory of any size.
 */
#include "tree.h"

#include "memory.h"

#include <string.h>

void tree_init(struct tree *tree)
{
	tree->end = &tree->roots;
}

/* ---- Roots ----------------------------------------------------------------------------------------------------- */

struct root *tree_root(struct tree *tree, const char *path, const char *directory)
{
	const size_t length = strlen(path), before = directory != NULL ? strlen(directory) + 1 : 0;
	struct root *root = memory_new(NULL, sizeof *root + length + before + length + 1);

	if (root == NULL)
		return NULL;
	*root = (struct root){ .length = length, .real_length = before + length };
	memcpy(root->path, path, length);
	root->real = root->path + length;
	if (directory != NULL) {
		memcpy(root->real, directory, before - 1);
		root->real[before - 1] = '/';
	}
	memcpy(root->real + before, path, length + 1);
	*tree->end = root;
	tree->end = &root->next;
	return root;
}

void tree_root_free(struct root *root)
{
	memory_free(NULL, root);
}

/* ---- Nodes ----------------------------------------------------------------------------------------------------- */

static bool ends_with_slash(const struct node *node)
{
	return node->parent == NULL && node->root->path[node->root->length - 1] == '/';
}

static size_t length_of(const struct root *root, const struct node *parent, const char *name)
{
	return parent != NULL ? parent->length + !ends_with_slash(parent) + strlen(name) : root->length;
}

struct node *node_new(struct root *root, struct node *parent, const char *name, bool *too_long)
{
	const size_t length = length_of(root, parent, name), name_size = parent != NULL ? strlen(name) + 1 : 1;
	struct node *node;

	*too_long = length >= TOLD_ROOM || length - root->length + root->real_length >= PATH_ROOM;
	if (*too_long || (node = memory_new(NULL, sizeof *node + name_size)) == NULL)
		return NULL;
	*node = (struct node){ .root = root, .parent = parent, .length = length };
	memcpy(node->name, parent != NULL ? name : "", name_size);
	node->tie.owner = node;
	return node;
}

static uint64_t hash_of(const struct node *parent, const char *name)
{
	return hash_bytes(hash_bytes(HASH_BEGIN, &parent, sizeof parent), name, strlen(name));
}

void tree_put(struct tree *tree, struct node *node)
{
	struct node *parent = node->parent;

	if (parent == NULL) {
		node->root->node = node;
		return;
	}
	table_put(&tree->nodes, &node->link, hash_of(parent, node->name));
	node->next = parent->children;
	if (node->next != NULL)
		node->next->at = &node->next;
	node->at = &parent->children;
	parent->children = node;
}

void tree_take(struct tree *tree, struct node *node)
{
	if (node->parent == NULL) {
		node->root->node = NULL;
	} else {
		table_take(&tree->nodes, &node->link);
		*node->at = node->next;
		if (node->next != NULL)
			node->next->at = node->at;
	}
	memory_free(NULL, node);
}

struct node *tree_find(const struct tree *tree, const struct node *parent, const char *name)
{
	struct table_link *link = table_first(&tree->nodes, hash_of(parent, name));

	while (link != NULL && (((struct node *)link)->parent != parent || strcmp(((struct node *)link)->name, name) != 0))
		link = table_next(link);
	return (struct node *)link;
}

/* ---- Paths ----------------------------------------------------------------------------------------------------- */

/* From its end; a root that ends with a slash gets it once more. */
static void write_path(const struct node *node, const char *root, size_t root_length, char *path)
{
	char *end = path + node->length - node->root->length + root_length;

	*end = '\0';
	for (; node->parent != NULL; node = node->parent) {
		const size_t length = strlen(node->name);

		end -= length;
		memcpy(end, node->name, length);
		if (!ends_with_slash(node->parent))
			*--end = '/';
	}
	memcpy(path, root, root_length);
}

void node_path(const struct node *node, char *path)
{
	write_path(node, node->root->path, node->root->length, path);
}

void node_real_path(const struct node *node, char *path)
{
	write_path(node, node->root->real, node->root->real_length, path);
}
