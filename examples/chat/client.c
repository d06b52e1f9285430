/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One client: a thread that reads its lines and says them to all, and one that writes what it hears.
 *
 *     socket ---> reader ---> said --.               .--> heard ---> writer ---> socket
 *                                    '--> channel ---'
 *
 * The reader never waits for anybody's writer: a receiver whose queue is full is cut off.  The writer waits for its client
 * only, with a time limit, and a hang-up ends that wait too.
 *
 * The reader ends when the client hangs up, says too much, or the channel closes.  It then closes the receiver: what is
 * queued can still be written, nothing is added, and the writer ends when that is done.  The other way round, a writer that
 * cannot go on shuts the socket down, and the reader reads its end.  So each ends the other, and the reader, which does so
 * last, sends the client to whoever is to free it.
 */
#include "chat.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 16 /* lines that are written at once */

struct client *client_new(int fd, unsigned number, int timeout)
{
	struct client *client = calloc(1, sizeof *client);

	if (client == NULL)
		return NULL;
	client->fd = fd;
	client->timeout = timeout;
	snprintf(client->name, sizeof client->name, "client-%u", number);
	return client;
}

void client_hang_up(const struct client *client)
{
	shutdown(client->fd, SHUT_RDWR);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

/* What is on the way to other people's terminals is text. */
static void copy_text(char *to, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		to[i] = (c < ' ' && c != '\t') || c == 127 ? '?' : text[i];
	}
}

/* Sends a line to all, this client included.  It is copied once, here: each receiver gets a reference to the same box. */
static bool say(struct client *client, const char *text, size_t len)
{
	size_t prefix = strlen(client->name);
	duct_box *line;
	char *to;

	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (duct_box_new(&line, prefix + 2 + len + 1, NULL, NULL) != DUCT_OK)
		return false;
	to = duct_box_data(line);
	memcpy(to, client->name, prefix);
	memcpy(to + prefix, ": ", 2);
	copy_text(to + prefix + 2, text, len);
	to[prefix + 2 + len] = '\n';
	if (lines_send(client->said, &line) != DUCT_OK) {
		duct_box_free(line);
		return false;
	}
	client->lines++;
	return true;
}

/* Says the lines that are there and keeps the beginning of the next.  False: that is too long, or nothing can be said. */
static bool say_lines(struct client *client)
{
	char *begin = client->input, *end = client->input + client->used, *newline;

	while ((newline = memchr(begin, '\n', (size_t)(end - begin))) != NULL) {
		if (!say(client, begin, (size_t)(newline - begin)))
			return false;
		begin = newline + 1;
	}
	client->used = (size_t)(end - begin);
	memmove(client->input, begin, client->used);
	return client->used < sizeof client->input;
}

/* False: the client has hung up, or was hung up on. */
static bool read_some(struct client *client)
{
	struct pollfd polled = { .fd = client->fd, .events = POLLIN };
	ssize_t count;

	if (poll(&polled, 1, -1) < 0)
		return errno == EINTR;
	count = recv(client->fd, client->input + client->used, sizeof client->input - client->used, 0);
	if (count > 0)
		client->used += (size_t)count;
	return count > 0 || (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

static void *run_reader(void *argument)
{
	struct client *client = argument;
	clients_sender *gone = client->gone;

	while (read_some(client) && say_lines(client))
		continue;
	lines_receiver_close(client->heard);
	pthread_join(client->writer, NULL);
	if (clients_send(gone, &client) != DUCT_OK)
		abort(); /* whoever receives them is there until the last client is gone */
	clients_sender_free(gone);
	return NULL;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------------- */

/* False: it is too late, or the socket is broken. */
static bool wait_for_room(int fd, duct_time deadline)
{
	struct pollfd polled = { .fd = fd, .events = POLLOUT };
	int64_t remaining = duct_remaining_ns(deadline);

	if (remaining == 0)
		return false;
	return poll(&polled, 1, (int)((remaining + 999999) / 1000000)) >= 0 || errno == EINTR;
}

static void skip_written(struct msghdr *message, size_t written)
{
	while (message->msg_iovlen > 0 && written >= message->msg_iov->iov_len) {
		written -= message->msg_iov->iov_len;
		message->msg_iov++;
		message->msg_iovlen--;
	}
	if (message->msg_iovlen > 0) {
		message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + written;
		message->msg_iov->iov_len -= written;
	}
}

/* Writes all of the lines before the deadline, in as many pieces as the socket likes. */
static bool write_lines(int fd, duct_box *const *lines, size_t count, duct_time deadline)
{
	struct iovec parts[BATCH];
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = (unsigned short)count };

	for (size_t i = 0; i < count; i++)
		parts[i] = (struct iovec){ .iov_base = duct_box_data(lines[i]), .iov_len = duct_box_size(lines[i]) };
	while (message.msg_iovlen > 0) {
		ssize_t written = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (written >= 0)
			skip_written(&message, (size_t)written);
		else if ((errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) || !wait_for_room(fd, deadline))
			return false;
	}
	return true;
}

static void *run_writer(void *argument)
{
	struct client *client = argument;
	duct_box *lines[BATCH];
	size_t count;

	while (!client->stalled && lines_recv_many(client->heard, lines, 1, BATCH, &count, DUCT_FOREVER, NULL) == DUCT_OK) {
		client->stalled = !write_lines(client->fd, lines, count, duct_after_s(client->timeout));
		for (size_t i = 0; i < count; i++)
			duct_box_free(lines[i]);
	}
	client_hang_up(client);
	return NULL;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------------- */

static bool make_ends(struct client *client, lines_channel *lines, size_t queue, clients_sender *gone)
{
	const duct_subscription *own = DUCT_SUBSCRIPTION(.name = client->name, .capacity = queue, .overflow = DUCT_CUT_OFF);

	return clients_sender_clone(gone, &client->gone) == DUCT_OK && lines_sender_new(lines, &client->said) == DUCT_OK &&
	       lines_subscribe(lines, &client->heard, own) == DUCT_OK;
}

static void free_ends(struct client *client)
{
	lines_sender_free(client->said);
	lines_receiver_free(client->heard);
	client->said = NULL;
	client->heard = NULL;
}

bool client_start(struct client *client, lines_channel *lines, size_t queue, clients_sender *gone)
{
	bool started = make_ends(client, lines, queue, gone) && pthread_create(&client->writer, NULL, run_writer, client) == 0;

	if (started && pthread_create(&client->reader, NULL, run_reader, client) != 0) {
		lines_receiver_close(client->heard);
		pthread_join(client->writer, NULL);
		started = false;
	}
	if (!started) {
		free_ends(client);
		clients_sender_free(client->gone);
		client->gone = NULL;
	}
	return started;
}

void client_free(struct client *client)
{
	close(client->fd);
	free(client);
}

/*
 * A client that does not read is not told that it was cut off, for it would not read that either: its connection is reset,
 * and what the system still holds for it is gone at once.
 */
struct tally client_end(struct client *client)
{
	const duct_receiver *heard = lines_untyped_receiver(client->heard);
	struct tally tally = { .said = 0 };

	pthread_join(client->reader, NULL);
	tally.said = client->lines;
	if (duct_receiver_stats(heard, &tally.heard) != DUCT_OK)
		abort();
	tally.cut_off = duct_receiver_is_cut_off(heard);
	if (tally.cut_off || client->stalled)
		setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	free_ends(client);
	client_free(client);
	return tally;
}
