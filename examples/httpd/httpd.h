/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the parts of httpd know of each other.  httpd.c tells how they fit together.
 */
#ifndef HTTPD_H
#define HTTPD_H

#include <duct.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#define HEAD_MAX ((size_t)8 * 1024) /* bytes of a request up to its empty line */
#define REQUEST_LINE_MAX ((size_t)4 * 1024)
#define FIELDS_MAX 64       /* header fields of a request */
#define REQUESTS_MAX 1000   /* requests on one connection */
#define CONNECTIONS_MAX 400 /* fewer where the limit on descriptors is low */
#define SCRATCH_SIZE ((size_t)64 * 1024)
#define TURN_BYTES ((off_t)1024 * 1024) /* what a worker sends before the next connection has its turn */

/* ---- request.c: text into a request, or into the status that refuses it ------------------------------------------------ */

struct request {
	bool is_head; /* HEAD, not GET */
	bool keep_alive;
	bool is_directory;           /* the path ended in a slash */
	char path[REQUEST_LINE_MAX]; /* decoded, without slashes at its ends: "" is the root, "a/b" a file in a directory */
};

/* The length of the head that the text begins with, empty line included; 0: it is not all there. */
size_t request_head_len(const char *text, size_t len);

/* Returns the status to answer with: 200, or the error.  keep_alive is right in any case. */
int request_parse(const char *head, size_t len, struct request *request);

/* ---- file.c: paths into files, never outside the root ------------------------------------------------------------------ */

/* Opens a file or directory below root.  Returns its descriptor, or -1 with errno. */
int file_open(int root, const char *path, struct stat *about);

/* The media type, by the suffix of the name. */
const char *file_type(const char *path);

/* Writes a directory as a page of links.  Returns false, with errno, if it cannot be read. */
bool file_write_listing(int directory, const char *path, FILE *page);

/* Writes a path for use in a link: percent-encoded, slashes kept. */
void file_write_encoded(const char *path, FILE *page);

/* ---- response.c: what goes back ---------------------------------------------------------------------------------------- */

/* A response is the bytes of memory (the head, and a short body), then those of a file. */
struct response {
	char *memory;
	off_t memory_len;
	int file; /* -1: none */
	off_t file_len;
};

struct response_context {
	int root;
	int worker;
	bool keep_alive;
};

/* Makes the response to a request, or the one that tells of an error status.  False: no memory; there is no response. */
bool response_make(
    struct response *response, const struct request *request, int status, const struct response_context *context);

void response_free(struct response *response);

/* Copies the bytes at offset, as many as there are and as fit.  0: the end, or the file has become shorter. */
size_t response_read(const struct response *response, off_t offset, char *buffer, size_t size);

/* ---- connection.c: one client ------------------------------------------------------------------------------------------ */

enum connection_state {
	CONNECTION_READING,   /* waits for a request, or the rest of one */
	CONNECTION_WRITING,   /* waits for room to send the response */
	CONNECTION_LINGERING, /* has said its last, waits for the client to hang up */
	CONNECTION_FINISHED
};

/* No locks: a connection belongs to the thread that got it from a channel. */
struct connection {
	int fd; /* non-blocking */
	enum connection_state state;
	duct_time deadline;    /* when the state may last no longer */
	duct_time quiet_since; /* READING: when the connection was new or the last response was sent */
	bool in_request;       /* READING: some of a request is there */
	bool keep_alive;       /* WRITING: whether another request may follow */
	int requests;
	size_t used;
	char input[HEAD_MAX];
	struct response response;
	off_t sent;
};

/* What a worker works with. */
struct worker {
	int number;
	int root;
	int timeout; /* seconds */
	duct_cancel *stop;
	char scratch[SCRATCH_SIZE];
};

struct connection *connection_new(int fd, int timeout);
void connection_free(struct connection *connection);

/* Does what can be done now without waiting for the client. */
void connection_work(struct connection *connection, struct worker *worker);

/* Tells a client that was too slow with its request; nothing in other states. */
void connection_tell_late(const struct connection *connection);

/* ---- front.c: accepts connections, keeps those that wait ---------------------------------------------------------------- */

DUCT_TYPE(connections, struct connection *);

struct front {
	int listener; /* -1: closed */
	int wake;     /* the read end of a pipe: workers gave something back, or stop was raised */
	int timeout;  /* seconds */
	duct_cancel *stop;
	connections_sender *ready;        /* to the workers */
	connections_receiver *given_back; /* from them */
	size_t most;                      /* connections at a time: up to CONNECTIONS_MAX */
	size_t live;                      /* connections now, those with the workers included */
	size_t waiting_len;
	struct connection *waiting[CONNECTIONS_MAX];
	duct_time accept_after;   /* no descriptors: not before this */
	duct_time drain_deadline; /* stopping: when the last ones are cut off */
};

/* Serves until stop is raised and the last connection is done. */
void front_run(struct front *front);

#endif
