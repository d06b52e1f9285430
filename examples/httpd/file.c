/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Files: from the path of a request to an open file, and never to one outside of the root.
 *
 * The path is walked name by name, each opened in the directory before it with O_NOFOLLOW.  A symbolic link anywhere on the
 * way is an error, and so is ".."; nothing is checked first and opened later, so there is no moment in between for somebody to
 * swap a directory for a link.
 */
#include "httpd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LISTING_MAX 1000 /* names in a listing */

static const struct {
	const char *suffix, *type;
} types[] = {
	{ ".html", "text/html; charset=utf-8" },
	{ ".css", "text/css; charset=utf-8" },
	{ ".js", "text/javascript; charset=utf-8" },
	{ ".json", "application/json" },
	{ ".txt", "text/plain; charset=utf-8" },
	{ ".md", "text/plain; charset=utf-8" },
	{ ".c", "text/plain; charset=utf-8" },
	{ ".h", "text/plain; charset=utf-8" },
	{ ".3", "text/plain; charset=utf-8" },
	{ ".7", "text/plain; charset=utf-8" },
	{ ".svg", "image/svg+xml" },
	{ ".png", "image/png" },
	{ ".jpg", "image/jpeg" },
	{ ".gif", "image/gif" },
	{ ".ico", "image/x-icon" },
	{ ".pdf", "application/pdf" },
};

const char *file_type(const char *path)
{
	const char *suffix = strrchr(path, '.');

	for (size_t i = 0; suffix != NULL && i < sizeof types / sizeof types[0]; i++)
		if (strcasecmp(suffix, types[i].suffix) == 0)
			return types[i].type;
	return "application/octet-stream";
}

/* Opens the name, whose length is len, in a directory.  O_NONBLOCK: a FIFO must not stop us; it is refused later. */
static int open_name(int directory, const char *name, size_t len)
{
	char copy[NAME_MAX + 1];

	if (len > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(copy, name, len);
	copy[len] = '\0';
	if (strcmp(copy, "..") == 0) {
		errno = ENOENT;
		return -1;
	}
	return openat(directory, copy, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static int close_keeping_errno(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

int file_open(int root, const char *path, struct stat *about)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && *path != '\0') {
		size_t len = strcspn(path, "/");
		int next = open_name(fd, path, len);

		close_keeping_errno(fd);
		fd = next;
		path += len + (path[len] == '/');
	}
	if (fd < 0)
		return -1;
	if (fstat(fd, about) != 0)
		return close_keeping_errno(fd);
	if (!S_ISREG(about->st_mode) && !S_ISDIR(about->st_mode)) {
		errno = ENOENT;
		return close_keeping_errno(fd);
	}
	return fd;
}

/* ---- Listings ---------------------------------------------------------------------------------------------------------- */

void file_write_encoded(const char *path, FILE *page)
{
	for (; *path != '\0'; path++) {
		unsigned char c = (unsigned char)*path;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/-._~", c) != NULL)
			putc(c, page);
		else
			fprintf(page, "%%%02X", c);
	}
}

static void write_escaped(const char *text, FILE *page)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", page);
			break;
		case '>':
			fputs("&gt;", page);
			break;
		case '&':
			fputs("&amp;", page);
			break;
		case '"':
			fputs("&quot;", page);
			break;
		default:
			putc(*text, page);
		}
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory that are served, a directory's with a slash.  What there is no memory for is left out. */
static size_t read_names(DIR *directory, char **names)
{
	const struct dirent *entry;
	size_t count = 0;

	while (count < LISTING_MAX && (entry = readdir(directory)) != NULL) {
		struct stat about;
		size_t size = strlen(entry->d_name) + 2;

		if (entry->d_name[0] == '.' || fstatat(dirfd(directory), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		if (!S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode))
			continue;
		names[count] = malloc(size);
		if (names[count] != NULL)
			snprintf(names[count++], size, "%s%s", entry->d_name, S_ISDIR(about.st_mode) ? "/" : "");
	}
	qsort(names, count, sizeof *names, compare_names);
	return count;
}

static void write_page(const char *path, char *const *names, size_t count, FILE *page)
{
	fputs("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>/", page);
	write_escaped(path, page);
	fputs("</title></head>\n<body><h1>/", page);
	write_escaped(path, page);
	fputs("</h1>\n<ul>\n", page);
	for (size_t i = 0; i < count; i++) {
		/* "./": else a name like "a:b" would be read as a scheme. */
		fputs("<li><a href=\"./", page);
		file_write_encoded(names[i], page);
		fputs("\">", page);
		write_escaped(names[i], page);
		fputs("</a></li>\n", page);
	}
	fputs("</ul></body></html>\n", page);
}

bool file_write_listing(int directory, const char *path, FILE *page)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir closes it */
	DIR *entries = fd >= 0 ? fdopendir(fd) : NULL;
	char **names = calloc(LISTING_MAX, sizeof *names);
	size_t count;

	if (entries == NULL || names == NULL) {
		if (entries != NULL)
			closedir(entries);
		else if (fd >= 0)
			close(fd);
		free(names);
		return false;
	}
	count = read_names(entries, names);
	closedir(entries);
	write_page(path, names, count, page);
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
	return true;
}
