/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Batches of changes: folding, order and time, against a plain model.
 */
#include "batch.h"
#include "harness.h"

enum { PATHS = 8, CHANGES = 200 };

static void note(struct batch *batch, duct_file_change what, const char *path)
{
	struct change *change = change_new(what, strlen(path));

	CHECK(change != NULL);
	strcpy(change->path, path);
	batch_note(batch, change);
}

static bool tells(struct batch *batch, duct_file_change what, const char *path)
{
	const struct change *change = batch_first(batch);
	const bool same = change != NULL && change->what == what && strcmp(change->path, path) == 0;

	if (change != NULL)
		batch_pop(batch);
	return same;
}

TEST(batch, keeps_the_order_in_which_changes_came_up, 5)
{
	struct batch batch;

	batch_init(&batch, 7, 10, 100);
	note(&batch, DUCT_FILE_MODIFIED, "b");
	note(&batch, DUCT_FILE_CREATED, "a");
	note(&batch, DUCT_FILE_MODIFIED, "b");
	note(&batch, DUCT_FILE_MODIFIED, "a");
	note(&batch, DUCT_FILE_DELETED, "a");
	note(&batch, DUCT_FILE_MODIFIED, "a");
	note(&batch, DUCT_FILE_DELETED, "b");
	note(&batch, DUCT_FILE_CREATED, "a");
	batch_settle(&batch, 1);
	CHECK(batch_first(&batch) == NULL && batch_due(&batch) == 11);
	batch_settle(&batch, 11);
	CHECK(tells(&batch, DUCT_FILE_MODIFIED, "b") && tells(&batch, DUCT_FILE_CREATED, "a"));
	CHECK(tells(&batch, DUCT_FILE_DELETED, "a") && tells(&batch, DUCT_FILE_DELETED, "b"));
	CHECK(tells(&batch, DUCT_FILE_CREATED, "a") && batch_first(&batch) == NULL && batch_due(&batch) == DUCT_FOREVER);
	batch_fini(&batch);
}

/* What was told before is another batch; a change that says nothing new makes it wait too, for somebody is at work still. */
TEST(batch, folds_and_waits_within_itself, 5)
{
	struct batch batch;

	batch_init(&batch, 7, 10, 15);
	note(&batch, DUCT_FILE_CREATED, "a");
	batch_settle(&batch, 0);
	note(&batch, DUCT_FILE_MODIFIED, "a");
	batch_settle(&batch, 4);
	CHECK(batch_due(&batch) == 14);
	note(&batch, DUCT_FILE_MODIFIED, "a");
	batch_settle(&batch, 9);
	CHECK(batch_due(&batch) == 15); /* not 19 */
	batch_settle(&batch, 15);
	note(&batch, DUCT_FILE_MODIFIED, "a");
	batch_settle(&batch, 17);
	CHECK(batch_due(&batch) == 27);
	note(&batch, DUCT_FILE_MODIFIED, "b");
	batch_settle(&batch, 25);
	CHECK(batch_due(&batch) == 32); /* not 35 */
	batch_settle(&batch, 32);
	CHECK(tells(&batch, DUCT_FILE_CREATED, "a") && tells(&batch, DUCT_FILE_MODIFIED, "a"));
	CHECK(tells(&batch, DUCT_FILE_MODIFIED, "b") && batch_first(&batch) == NULL);
	batch_fini(&batch);
}

/* Their hashes by FNV-1a of 64 bits are the same. */
TEST(batch, folds_no_path_with_another_of_its_hash, 5)
{
	static const char one[] = "8yn0iYCKYHlIj4-BwPqk", other[] = "GReLUrM4wMqfg9yzV3KQ";
	struct batch batch;

	batch_init(&batch, 7, 10, 100);
	CHECK(hash_bytes(HASH_BEGIN, one, strlen(one)) == hash_bytes(HASH_BEGIN, other, strlen(other)));
	note(&batch, DUCT_FILE_CREATED, one);
	note(&batch, DUCT_FILE_CREATED, other);
	note(&batch, DUCT_FILE_MODIFIED, one);
	note(&batch, DUCT_FILE_MODIFIED, other);
	batch_settle(&batch, 0);
	batch_settle(&batch, 10);
	CHECK(tells(&batch, DUCT_FILE_CREATED, one) && tells(&batch, DUCT_FILE_CREATED, other));
	CHECK(batch_first(&batch) == NULL);
	batch_fini(&batch);
}

/* What has no time to settle still folds until somebody looks; and what nobody looked at goes, however much it is. */
TEST(batch, that_settles_at_once_folds_until_it_is_looked_at, 5)
{
	struct batch batch;
	char path[20];

	batch_init(&batch, 7, 0, 100);
	note(&batch, DUCT_FILE_CREATED, "a");
	note(&batch, DUCT_FILE_MODIFIED, "a");
	CHECK(batch_first(&batch) == NULL);
	batch_settle(&batch, 5);
	CHECK(tells(&batch, DUCT_FILE_CREATED, "a") && batch_first(&batch) == NULL);
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof path, "%d", i);
		note(&batch, DUCT_FILE_CREATED, path);
	}
	batch_fini(&batch);
}

TEST(batch, that_waits_for_ever_does_not_overflow, 5)
{
	struct batch batch;

	batch_init(&batch, 7, INT64_MAX, INT64_MAX);
	note(&batch, DUCT_FILE_CREATED, "a");
	batch_settle(&batch, 5);
	CHECK(batch_due(&batch) == DUCT_FOREVER && batch_first(&batch) == NULL);
	batch_settle(&batch, INT64_MAX);
	CHECK(tells(&batch, DUCT_FILE_CREATED, "a"));
	batch_fini(&batch);
}

TEST(batch, that_does_not_settle_tells_all_at_once, 5)
{
	struct batch batch;

	batch_init(&batch, DUCT_FILE_CREATED | DUCT_FILE_MODIFIED, -1, 100);
	note(&batch, DUCT_FILE_CREATED, "a");
	note(&batch, DUCT_FILE_MODIFIED, "a");
	note(&batch, DUCT_FILE_DELETED, "a");
	note(&batch, DUCT_FILE_MODIFIED, "a");
	CHECK(batch_due(&batch) == DUCT_FOREVER);
	CHECK(tells(&batch, DUCT_FILE_CREATED, "a") && tells(&batch, DUCT_FILE_MODIFIED, "a"));
	CHECK(tells(&batch, DUCT_FILE_MODIFIED, "a") && batch_first(&batch) == NULL);
	batch_fini(&batch);
}

/* ---- Against a model -------------------------------------------------------------------------------------------- */

struct event {
	duct_file_change what;
	int path;
};

/* What is told of these changes: a change is left out if the last one of its path that is kept says as much. */
static size_t fold(const struct event *events, size_t count, unsigned wanted, struct event *kept)
{
	struct event all[CHANGES];
	size_t kept_count = 0, told = 0;

	for (size_t i = 0; i < count; i++) {
		size_t last = kept_count;

		while (last > 0 && all[last - 1].path != events[i].path)
			last--;
		if (last == 0 || (events[i].what != DUCT_FILE_MODIFIED && events[i].what != all[last - 1].what))
			all[kept_count++] = events[i];
	}
	for (size_t i = 0; i < kept_count; i++)
		if (wanted & all[i].what)
			kept[told++] = all[i];
	return told;
}

TEST(batch, folds_as_its_model_does, 20)
{
	uint32_t seed = 1;

	for (int round = 0; round < test_rounds(2000, 100000); round++) {
		struct event events[CHANGES], kept[CHANGES];
		const size_t count = 1 + test_random(&seed) % CHANGES;
		const unsigned wanted = test_random(&seed) % 8, paths = 1 + test_random(&seed) % 40;
		struct batch batch;
		size_t told;
		char path[20];

		batch_init(&batch, wanted, 1, 1);
		for (size_t i = 0; i < count; i++) {
			events[i].what = 1 << test_random(&seed) % 3;
			events[i].path = (int)(test_random(&seed) % paths);
			snprintf(path, sizeof path, "path %d", events[i].path);
			note(&batch, events[i].what, path);
		}
		batch_settle(&batch, 1);
		batch_settle(&batch, 2);
		told = fold(events, count, wanted, kept);
		for (size_t i = 0; i < told; i++) {
			snprintf(path, sizeof path, "path %d", kept[i].path);
			CHECK(tells(&batch, kept[i].what, path));
		}
		CHECK(batch_first(&batch) == NULL);
		batch_fini(&batch);
	}
}
