/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * tailf [-q SECONDS] FILE...: follows files that grow, also when they are replaced or appear later, and prints what is added.
 *
 *     FILE 1 ---- watcher ----.
 *     FILE 2 ---- watcher ----+--> tagged merge ----.
 *     FILE 3 ---- watcher ----'                     +--> select: reads on where the file ended last, and prints
 *                                 timer ------------'            or, with -q: ends when all have been quiet for so long
 *
 * One thread, no polling: it sleeps until the system tells of a change or the timer is due.
 */
#include <duct.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct followed {
	const char *path;
	FILE *file;
	ino_t inode; /* of what is open */
	long end;    /* what was printed so far */
};

/* What the merge gives: which file, and what happened to it. */
struct change {
	size_t file;
	duct_file_event event;
};

static struct followed *files;
static const char *last_printed;

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "tailf: %s: %s\n", what, why);
	exit(1);
}

static void must(duct_status status, const char *what)
{
	if (status != DUCT_OK)
		die(what, duct_strerror(status));
}

/* ---- One file ---------------------------------------------------------------------------------------------------------- */

static void close_file(struct followed *followed)
{
	if (followed->file != NULL)
		fclose(followed->file);
	followed->file = NULL;
	followed->end = 0;
}

/* What is at the path now, from the beginning if that is another file than before. */
static void open_file(struct followed *followed)
{
	struct stat facts;

	if (stat(followed->path, &facts) != 0) {
		close_file(followed);
		return;
	}
	if (followed->file != NULL && facts.st_ino != followed->inode)
		close_file(followed);
	if (followed->file == NULL && (followed->file = fopen(followed->path, "r")) == NULL)
		return;
	followed->inode = facts.st_ino;
	if (facts.st_size < followed->end)
		followed->end = 0; /* it was cut, and begins anew */
}

static void print_rest(struct followed *followed)
{
	char bytes[4096];
	size_t len;

	if (followed->file == NULL || fseek(followed->file, followed->end, SEEK_SET) != 0)
		return;
	while ((len = fread(bytes, 1, sizeof bytes, followed->file)) > 0) {
		if (last_printed != followed->path)
			printf("==> %s <==\n", followed->path);
		last_printed = followed->path;
		fwrite(bytes, 1, len, stdout);
	}
	followed->end = ftell(followed->file);
	fflush(stdout);
}

static void follow(struct followed *followed)
{
	print_rest(followed); /* of what it was */
	open_file(followed);
	print_rest(followed);
}

/* ---- All files --------------------------------------------------------------------------------------------------------- */

/* One watcher each, armed before the file is looked at for the first time: what is added later is told. */
static duct_receiver *watch_all(char **paths, size_t count)
{
	duct_receiver **watchers = calloc(count, sizeof(duct_receiver *)), *merged;

	files = calloc(count, sizeof *files);
	if (watchers == NULL || files == NULL)
		die("files", "no memory");
	for (size_t i = 0; i < count; i++) {
		const char *path = files[i].path = paths[i];

		must(duct_watcher_new(&watchers[i], &path, 1, DUCT_WATCHER(.may_be_missing = true, .settle = 5000000)), path);
		follow(&files[i]);
	}
	must(duct_merge_tagged_new(&merged, watchers, count, sizeof(struct change), offsetof(struct change, event), NULL),
	    "merge");
	free(watchers);
	return merged;
}

static void follow_all(duct_receiver *changes, double quiet)
{
	DUCT_AUTO_RECEIVER duct_receiver *timer = NULL;
	static struct change change;
	int64_t drift;
	size_t chosen;

	if (quiet > 0)
		must(duct_timer_new(&timer, (int64_t)(quiet * 1e9), DUCT_TIMER_TIMEOUT), "timer");

	duct_case cases[] = { DUCT_RECV(changes, &change), DUCT_RECV(timer, &drift) }; /* without a timer never ready */
	while (duct_select(cases, 2, &chosen) == DUCT_OK && chosen == 0 && cases[0].status == DUCT_OK) {
		follow(&files[change.file]);
		if (timer != NULL)
			must(duct_timer_reset(timer, 0, 0, false), "timer");
	}
}

int main(int argc, char **argv)
{
	double quiet = 0;
	int option;

	while ((option = getopt(argc, argv, "q:")) != -1) {
		if (option != 'q' || (quiet = strtod(optarg, NULL)) <= 0)
			die("usage", "tailf [-q SECONDS] FILE...");
	}
	if (optind == argc)
		die("usage", "tailf [-q SECONDS] FILE...");

	DUCT_AUTO_RECEIVER duct_receiver *changes = watch_all(argv + optind, (size_t)(argc - optind));
	follow_all(changes, quiet);
	for (int i = 0; i < argc - optind; i++)
		close_file(&files[i]);
	free(files);
	return 0;
}
