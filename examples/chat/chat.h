/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What the parts of chat know of each other.  chat.c tells how they fit together.
 */
#ifndef CHAT_H
#define CHAT_H

#include <duct.h>
#include <pthread.h>

#define LINE_BYTES 1024 /* the longest line that a client may send, with its newline */

struct client;

DUCT_TYPE(lines, duct_box *);
DUCT_TYPE(clients, struct client *);

/* What became of the lines of a client, or of all. */
struct tally {
	uint64_t said;
	duct_stats heard;
	uint64_t cut_off; /* clients */
};

struct client {
	int fd;        /* non-blocking */
	char name[24]; /* that of its receiver, by which the log tells of it */
	int timeout;   /* seconds that it may take for what is written at once */
	lines_sender *said;
	lines_receiver *heard;
	clients_sender *gone;
	pthread_t reader, writer;
	bool stalled; /* of the writer: it gave up */
	uint64_t lines;
	size_t used;
	char input[LINE_BYTES];
};

struct client *client_new(int fd, unsigned number, int timeout);

/* Gives the client its ends and threads.  False: there is no memory or no thread, and it is as before. */
bool client_start(struct client *client, lines_channel *lines, size_t queue, clients_sender *gone);

/* Ends both of its threads soon, wherever they wait.  It goes on existing until it is freed. */
void client_hang_up(const struct client *client);

/* Frees a client that was never started, or that has come through the channel `gone`; tells of the latter what it did. */
void client_free(struct client *client);
struct tally client_end(struct client *client);

#endif
