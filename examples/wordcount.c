/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * wordcount FILE...: counts the words in the files and prints "count word", the most frequent first and equal ones in byte
 * order.  A word is a run of bytes that are not white space; it ends with its file.
 *
 *                  chunks                    tables
 *     [reader]  ------------>  [worker] ...  -------->  [main: merge, sort, print]
 *
 * The reader sends pieces of text that end between words; each goes to whichever worker is free.  A worker counts into a
 * table of its own and sends that table when the chunks are over, so nothing is shared and nothing is locked here.
 *
 * Both channels carry owned memory.  A send that succeeds gives it away, a receive takes it over: the text of a chunk is
 * freed by the worker that counted it, a table by main.  The chunk channel is bounded, so the reader waits for slow workers
 * instead of reading a big file into memory.  A word of any length is kept whole: its chunk grows until it ends.
 */
#include <duct.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_SIZE ((size_t)64 * 1024)
#define MOST_WORKERS 64

/* Some text with whole words only. */
struct chunk {
	char *text;
	size_t len;
};

struct word {
	char *text; /* NULL: an empty place in the table */
	size_t len;
	uint64_t hash;
	uint64_t count;
};

/* A hash table with open addressing: size is a power of two and more than used. */
struct table {
	struct word *words;
	size_t size, used;
};

DUCT_TYPE(chunks, struct chunk);
DUCT_TYPE(tables, struct table);

struct reader {
	char **files;
	chunks_sender *chunks;
	bool failed;
	pthread_t thread;
};

struct worker {
	chunks_receiver *chunks;
	tables_sender *tables;
	pthread_t thread;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "wordcount: %s\n", what);
	exit(1);
}

static void *must_have(void *memory)
{
	if (memory == NULL)
		die("out of memory");
	return memory;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ---- Tables: no threads here ------------------------------------------------------------------------------------------ */

static uint64_t hash_of(const char *text, size_t len)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)text[i]) * 1099511628211u;
	return hash ^ hash >> 32;
}

static struct table table_new(void)
{
	struct table table = { .size = 1024 };

	table.words = must_have(calloc(table.size, sizeof *table.words));
	return table;
}

static void table_free(struct table *table)
{
	for (size_t i = 0; i < table->size; i++)
		free(table->words[i].text);
	free(table->words);
}

/* The place of a word, or the empty place where it belongs. */
static struct word *table_find(const struct table *table, const char *text, size_t len, uint64_t hash)
{
	size_t i = (size_t)hash & (table->size - 1);

	for (;; i = (i + 1) & (table->size - 1)) {
		struct word *word = &table->words[i];

		if (word->text == NULL)
			return word;
		if (word->hash == hash && word->len == len && memcmp(word->text, text, len) == 0)
			return word;
	}
}

static void table_grow(struct table *table)
{
	struct table bigger = { .size = 2 * table->size, .used = table->used };

	bigger.words = must_have(calloc(bigger.size, sizeof *bigger.words));
	for (size_t i = 0; i < table->size; i++) {
		struct word *word = &table->words[i];

		if (word->text != NULL)
			*table_find(&bigger, word->text, word->len, word->hash) = *word;
	}
	free(table->words);
	*table = bigger;
}

static void table_add(struct table *table, const char *text, size_t len, uint64_t count)
{
	uint64_t hash = hash_of(text, len);
	struct word *word;

	if (2 * table->used >= table->size)
		table_grow(table);
	word = table_find(table, text, len, hash);
	if (word->text == NULL) {
		*word = (struct word){ .text = must_have(malloc(len)), .len = len, .hash = hash };
		memcpy(word->text, text, len);
		table->used++;
	}
	word->count += count;
}

static void table_merge(struct table *into, const struct table *from)
{
	for (size_t i = 0; i < from->size; i++)
		if (from->words[i].text != NULL)
			table_add(into, from->words[i].text, from->words[i].len, from->words[i].count);
}

static int compare_words(const void *a_, const void *b_)
{
	const struct word *a = a_, *b = b_;
	int order;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* Prints the words in order.  The table can only be freed afterwards: its places have moved. */
static void table_print(struct table *table)
{
	size_t used = 0;

	for (size_t i = 0; i < table->size; i++) {
		struct word word = table->words[i];

		table->words[i].text = NULL;
		if (word.text != NULL)
			table->words[used++] = word;
	}
	if (used > 0)
		qsort(table->words, used, sizeof *table->words, compare_words);
	for (size_t i = 0; i < used; i++) {
		printf("%" PRIu64 " ", table->words[i].count);
		fwrite(table->words[i].text, 1, table->words[i].len, stdout);
		putchar('\n');
	}
}

/* ---- The reader ------------------------------------------------------------------------------------------------------- */

/* Sends len bytes of the text in place and goes on with a copy of the rest. */
static void send_words(struct reader *reader, struct chunk *chunk, size_t len)
{
	size_t size = chunk->len - len + CHUNK_SIZE;
	struct chunk rest = { .text = must_have(malloc(size)), .len = chunk->len - len };

	memcpy(rest.text, chunk->text + len, rest.len);
	chunk->len = len;
	if (chunks_send(reader->chunks, chunk) != DUCT_OK)
		die("nobody counts");
	*chunk = rest;
}

/* The length of the text up to its last white space: all words in it are whole.  0: there is none from old on. */
static size_t whole_words(const struct chunk *chunk, size_t old)
{
	size_t len = chunk->len;

	while (len > old && !is_space(chunk->text[len - 1]))
		len--;
	return len > old ? len : 0;
}

/*
 * Reads one file.  The chunk holds the beginning of a word from the last round, without a space, and room for CHUNK_SIZE
 * more; only what is new is searched, so that a long word costs no more than a copy each time that its chunk doubles.
 */
static bool read_file(struct reader *reader, int file)
{
	size_t size = CHUNK_SIZE;
	struct chunk chunk = { .text = must_have(malloc(size)) };
	ssize_t count;

	while ((count = read(file, chunk.text + chunk.len, size - chunk.len)) > 0) {
		size_t old = chunk.len, whole;

		chunk.len += (size_t)count;
		whole = whole_words(&chunk, old);
		if (whole > 0) {
			send_words(reader, &chunk, whole);
			size = chunk.len + CHUNK_SIZE;
		} else if (chunk.len == size) {
			if (size > SIZE_MAX / 2)
				die("out of memory");
			size *= 2;
			chunk.text = must_have(realloc(chunk.text, size));
		}
	}
	if (count == 0)
		send_words(reader, &chunk, chunk.len);
	free(chunk.text);
	return count == 0;
}

static void *read_files(void *argument)
{
	struct reader *reader = argument;

	for (char **name = reader->files; *name != NULL; name++) {
		int file = open(*name, O_RDONLY | O_CLOEXEC);

		if (file < 0 || !read_file(reader, file)) {
			fprintf(stderr, "wordcount: %s: %s\n", *name, strerror(errno));
			reader->failed = true;
		}
		if (file >= 0)
			close(file);
	}
	chunks_sender_free(reader->chunks);
	return NULL;
}

/* ---- The workers ------------------------------------------------------------------------------------------------------ */

static void count_words(struct table *table, const struct chunk *chunk)
{
	size_t start, end = 0;

	for (;;) {
		for (start = end; start < chunk->len && is_space(chunk->text[start]); start++)
			continue;
		if (start == chunk->len)
			return;
		for (end = start; end < chunk->len && !is_space(chunk->text[end]); end++)
			continue;
		table_add(table, chunk->text + start, end - start, 1);
	}
}

static void *count_chunks(void *argument)
{
	struct worker *worker = argument;
	struct table table = table_new();
	struct chunk chunk;

	while (chunks_recv(worker->chunks, &chunk) == DUCT_OK) {
		count_words(&table, &chunk);
		free(chunk.text);
	}
	if (tables_send(worker->tables, &table) != DUCT_OK)
		die("nobody merges");
	chunks_receiver_free(worker->chunks);
	tables_sender_free(worker->tables);
	return NULL;
}

/* ---- Main ------------------------------------------------------------------------------------------------------------- */

static size_t number_of_workers(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	return processors < 1 ? 1 : processors > MOST_WORKERS ? MOST_WORKERS : (size_t)processors;
}

static void start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	if (pthread_create(thread, NULL, run, argument) != 0)
		die("no more threads");
}

/* Starts the workers, each with ends of its own: the channels of the originals close when the last worker has ended. */
static void start_workers(struct worker *workers, size_t count, chunks_receiver *chunks, tables_sender *tables)
{
	for (size_t i = 0; i < count; i++) {
		if (chunks_receiver_clone(chunks, &workers[i].chunks) != DUCT_OK ||
		    tables_sender_clone(tables, &workers[i].tables) != DUCT_OK)
			die("out of memory");
		start(&workers[i].thread, count_chunks, &workers[i]);
	}
	chunks_receiver_free(chunks);
	tables_sender_free(tables);
}

static void merge_tables(struct table *total, tables_receiver *tables)
{
	struct table table;

	while (tables_recv(tables, &table) == DUCT_OK) {
		table_merge(total, &table);
		table_free(&table);
	}
	tables_receiver_free(tables);
}

int main(int argc, char **argv)
{
	struct reader reader = { .files = argv + 1 };
	struct worker workers[MOST_WORKERS];
	size_t count = number_of_workers();
	struct table total = table_new();
	chunks_receiver *chunks;
	tables_sender *tables_in;
	tables_receiver *tables_out;

	if (argc < 2) {
		fprintf(stderr, "usage: wordcount FILE...\n");
		table_free(&total);
		return 2;
	}
	if (chunks_open(&reader.chunks, &chunks, 2 * count, NULL) != DUCT_OK ||
	    tables_open(&tables_in, &tables_out, count, NULL) != DUCT_OK)
		die("out of memory");
	start_workers(workers, count, chunks, tables_in);
	start(&reader.thread, read_files, &reader);
	merge_tables(&total, tables_out);
	pthread_join(reader.thread, NULL);
	for (size_t i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);

	table_print(&total);
	table_free(&total);
	if (fflush(stdout) != 0 || ferror(stdout))
		die("cannot write");
	return reader.failed;
}
