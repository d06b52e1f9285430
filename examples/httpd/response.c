/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Responses: a head and a short body in memory, or a head in memory and a body in a file.
 *
 * Whatever it is made of, a response reads as one run of bytes from an offset (response_read).  So there is one loop that
 * sends, it can stop anywhere and be taken up by another thread, and a small file leaves in one packet with its head.
 */
#include "httpd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
	int status;
	const char *reason;
} reasons[] = {
	{ 200, "OK" },
	{ 301, "Moved Permanently" },
	{ 400, "Bad Request" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 414, "URI Too Long" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

/* A response in the making: what its head will say. */
struct draft {
	int status;
	const char *type;
	off_t body_len;
	time_t modified; /* 0: not known */
	char *body;      /* in memory; NULL: none */
	int file;        /* or a file; -1: none */
};

static const char *reason_of(int status)
{
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

static int status_of(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return 503;
	default:
		return 404;
	}
}

/* ---- The body ---------------------------------------------------------------------------------------------------------- */

/* Closes a stream of open_memstream into *text.  False, with nothing to free, if memory ran out under it. */
static bool finish_text(FILE *stream, char **text)
{
	bool failed = ferror(stream) != 0;

	if (fclose(stream) == 0 && !failed)
		return true;
	free(*text);
	*text = NULL;
	return false;
}

static bool draft_text(struct draft *draft, const char *text)
{
	draft->body = strdup(text);
	draft->body_len = draft->body != NULL ? (off_t)strlen(text) : 0;
	return draft->body != NULL;
}

static bool draft_error(struct draft *draft, int status)
{
	char text[64];

	draft->status = status;
	draft->type = "text/plain; charset=utf-8";
	snprintf(text, sizeof text, "%d %s\n", status, reason_of(status));
	return draft_text(draft, text);
}

static bool draft_listing(struct draft *draft, int directory, const char *path)
{
	size_t len = 0;
	FILE *page = open_memstream(&draft->body, &len);
	bool listed;

	if (page == NULL)
		return false;
	listed = file_write_listing(directory, path, page);
	if (!finish_text(page, &draft->body))
		return false;
	if (!listed) {
		free(draft->body);
		return draft_error(draft, 503);
	}
	draft->type = "text/html; charset=utf-8";
	draft->body_len = (off_t)len;
	return true;
}

static void draft_file(struct draft *draft, int file, const struct stat *about, const char *path)
{
	draft->type = file_type(path);
	draft->body_len = about->st_size;
	draft->modified = about->st_mtime;
	draft->file = file;
}

/* A directory is its index.html or a listing. */
static bool draft_directory(struct draft *draft, int directory, const char *path)
{
	struct stat about;
	int index = file_open(directory, "index.html", &about);

	if (index >= 0 && S_ISREG(about.st_mode)) {
		draft_file(draft, index, &about, "index.html");
		return true;
	}
	if (index >= 0)
		close(index);
	return draft_listing(draft, directory, path);
}

static bool draft_path(struct draft *draft, const struct request *request, int root)
{
	struct stat about;
	int fd = file_open(root, request->path, &about);
	bool is_directory = fd >= 0 && S_ISDIR(about.st_mode);
	bool made;

	if (fd < 0)
		return draft_error(draft, status_of(errno));
	if (!is_directory && !request->is_directory) {
		draft_file(draft, fd, &about, request->path);
		return true;
	}
	if (!is_directory)
		made = draft_error(draft, 404);
	else if (!request->is_directory && request->path[0] != '\0')
		made = draft_error(draft, 301); /* with the slash, for relative links to work */
	else
		made = draft_directory(draft, fd, request->path);
	close(fd);
	return made;
}

/* ---- The head ---------------------------------------------------------------------------------------------------------- */

static void write_date(FILE *head, const char *name, time_t when)
{
	struct tm parts;
	char text[64];

	if (gmtime_r(&when, &parts) != NULL && strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0)
		fprintf(head, "%s: %s\r\n", name, text);
}

static void write_head(
    FILE *head, const struct draft *draft, const struct request *request, const struct response_context *context)
{
	fprintf(head, "HTTP/1.1 %d %s\r\n", draft->status, reason_of(draft->status));
	write_date(head, "Date", time(NULL));
	fprintf(head, "Content-Type: %s\r\nContent-Length: %" PRIdMAX "\r\nX-Content-Type-Options: nosniff\r\n", draft->type,
	    (intmax_t)draft->body_len);
	if (draft->modified != 0)
		write_date(head, "Last-Modified", draft->modified);
	if (draft->status == 405)
		fputs("Allow: GET, HEAD\r\n", head);
	if (draft->status == 301) {
		fputs("Location: /", head);
		file_write_encoded(request->path, head);
		fputs("/\r\n", head);
	}
	fprintf(head, "Connection: %s\r\nX-Worker: %d\r\n\r\n", context->keep_alive ? "keep-alive" : "close", context->worker);
}

/* Puts head and body together.  The draft's memory and file are gone afterwards: into the response, or for good. */
static bool finish(
    struct response *response, struct draft *draft, const struct request *request, const struct response_context *context)
{
	size_t len = 0;
	FILE *stream;
	bool made;

	*response = (struct response){ .file = -1 };
	stream = open_memstream(&response->memory, &len);
	if (stream != NULL) {
		write_head(stream, draft, request, context);
		if (draft->body != NULL && !request->is_head)
			fwrite(draft->body, 1, (size_t)draft->body_len, stream);
	}
	made = stream != NULL && finish_text(stream, &response->memory);
	if (made && draft->file >= 0 && !request->is_head) {
		response->file = draft->file;
		response->file_len = draft->body_len;
		draft->file = -1;
	}
	response->memory_len = (off_t)len;
	free(draft->body);
	if (draft->file >= 0)
		close(draft->file);
	return made;
}

bool response_make(struct response *response, const struct request *request, int status, const struct response_context *context)
{
	struct draft draft = { .status = 200, .file = -1 };
	bool drafted = status == 200 ? draft_path(&draft, request, context->root) : draft_error(&draft, status);

	return drafted && finish(response, &draft, request, context);
}

void response_free(struct response *response)
{
	free(response->memory);
	if (response->file >= 0)
		close(response->file);
	*response = (struct response){ .file = -1 };
}

size_t response_read(const struct response *response, off_t offset, char *buffer, size_t size)
{
	off_t in_memory = response->memory_len - offset, in_file;
	size_t len = 0;
	ssize_t count;

	if (in_memory > 0) {
		len = (size_t)in_memory < size ? (size_t)in_memory : size;
		memcpy(buffer, response->memory + offset, len);
	}
	in_file = response->memory_len + response->file_len - offset - (off_t)len;
	if (response->file < 0 || in_file <= 0 || len == size)
		return len;
	size = size - len < (size_t)in_file ? size - len : (size_t)in_file;
	count = pread(response->file, buffer + len, size, offset + (off_t)len - response->memory_len);
	return len + (count > 0 ? (size_t)count : 0);
}
