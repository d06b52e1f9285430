/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A hash table against a plain array: what is put in is found until it is taken out, whatever the hashes are; and nodes in it.
 */
#include "table.h"

#include "harness.h"
#include "memory.h"
#include "tree.h"

enum { THINGS = 500 };

static bool has(const struct table *table, const struct table_link *link, uint64_t hash)
{
	struct table_link *found = table_first(table, hash);

	for (; found != NULL && found != link; found = table_next(found))
		CHECK(found->hash == hash);
	return found != NULL;
}

/* Hashes of so many values, in the low bits, in the high ones or in both. */
static void check(uint64_t values, uint64_t factor)
{
	static struct table_link things[THINGS];
	static bool is_in[THINGS];
	struct table table = { 0 };
	uint32_t seed = 1;
	size_t len = 0;

	memset(is_in, 0, sizeof is_in);
	for (int step = 0; step < 5000; step++) {
		const size_t i = test_random(&seed) % THINGS;
		const uint64_t hash = i % values * factor;

		CHECK(has(&table, &things[i], hash) == is_in[i] && table.len == len);
		if (is_in[i])
			table_take(&table, &things[i]), len--;
		else
			table_put(&table, &things[i], hash), len++;
		is_in[i] = !is_in[i];
	}
	for (size_t i = 0; i < THINGS; i++)
		CHECK(has(&table, &things[i], i % values * factor) == is_in[i]);
	CHECK(!has(&table, NULL, values * factor) && len > TABLE_FEW);
	CHECK(table.grown != NULL && table.slot_count >= len / 2);
	table_clear(&table);
	CHECK(table.len == 0 && table.grown == NULL && table_first(&table, 0) == NULL);
	table_clear(&table);
}

static struct node *node_of(struct node *parent, const char *name)
{
	/* With room for a path of one byte, which is no slash. */
	static union {
		struct root root;
		char room[sizeof(struct root) + 2];
	} some = { .root = { .length = 1, .real_length = 1 } };
	bool too_long;
	struct node *node = node_new(&some.root, parent, name, &too_long);

	CHECK(node != NULL && !too_long);
	return node;
}

TEST(table, finds_what_was_put_in_and_not_taken_out, 20)
{
	check(THINGS, 1);
	check(THINGS, UINT64_C(0x9e3779b97f4a7c15));
	check(THINGS, UINT64_C(1) << 32);
	check(7, 1);
	check(1, 0);
}

/* Nodes are put where others belong, as if their parents and names had the same hash. */
TEST(tree_find, tells_nodes_of_one_hash_apart, 5)
{
	struct node *root = node_of(NULL, ""), *parent = node_of(root, "p");
	struct node *nodes[] = { node_of(parent, "a"), node_of(root, "b"), node_of(parent, "b") };
	const char *name = "b";
	const uint64_t hash = hash_bytes(hash_bytes(HASH_BEGIN, &parent, sizeof parent), name, 1);
	struct tree tree = { .roots = NULL };

	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		CHECK(tree_find(&tree, parent, name) == NULL);
		table_put(&tree.nodes, &nodes[i]->link, hash);
	}
	CHECK(tree_find(&tree, parent, name) == nodes[2]);
	table_take(&tree.nodes, &nodes[2]->link);
	table_take(&tree.nodes, &nodes[0]->link);
	table_put(&tree.nodes, &nodes[2]->link, hash);
	table_put(&tree.nodes, &nodes[0]->link, hash);
	CHECK(tree_find(&tree, parent, name) == nodes[2] && tree_find(&tree, root, name) == NULL);
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		memory_free(NULL, nodes[i]);
	memory_free(NULL, parent);
	memory_free(NULL, root);
}

TEST(hash_bytes, goes_on_from_what_was_before, 5)
{
	CHECK(hash_bytes(HASH_BEGIN, "", 0) == HASH_BEGIN);
	CHECK(hash_bytes(HASH_BEGIN, "foobar", 6) == UINT64_C(0x85944171f73967e8));
	CHECK(hash_bytes(hash_bytes(HASH_BEGIN, "foo", 3), "bar", 3) == hash_bytes(HASH_BEGIN, "foobar", 6));
}
