/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Connections: what a worker does for a client, up to the moment when it would have to wait for it.
 *
 *     READING --- a whole request ---> WRITING --- all sent ---> READING (keep-alive)
 *        |                                |                  \-> LINGERING --- client hung up ---> FINISHED
 *        '------- client hung up ---------'------ client gone ------------------------------------>'
 *
 * A worker never sleeps on a client, so however slow clients are, a worker is free after some microseconds and 1 MiB at the
 * most.  Each state has a deadline, set when it begins and not moved by single bytes: a client that drips has as long as one
 * that sends nothing.
 *
 * Lingering: after a last response the server shuts down its direction only and reads on until the client closes.  A plain
 * close while the client still sends (the rest of a refused request, say) would reset the connection and could take the
 * response with it before the client has read it.
 */
#include "httpd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINGER_SECONDS 1
#define SLOWEST_RATE 65536 /* bytes a second that a client must take on top of its timeout */

struct connection *connection_new(int fd, int timeout)
{
	struct connection *connection = malloc(sizeof *connection);

	if (connection == NULL)
		return NULL;
	connection->fd = fd;
	connection->state = CONNECTION_READING;
	connection->quiet_since = duct_now();
	connection->deadline = duct_after_s(timeout);
	connection->in_request = false;
	connection->keep_alive = true;
	connection->requests = 0;
	connection->used = 0;
	connection->response = (struct response){ .file = -1 };
	connection->sent = 0;
	return connection;
}

void connection_free(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	response_free(&connection->response);
	free(connection);
}

/* Hangs up right away, for the client to know; the rest is freed with the connection. */
static void hang_up(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
	connection->state = CONNECTION_FINISHED;
}

void connection_tell_late(const struct connection *connection)
{
	static const char late[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

	if (connection->state == CONNECTION_READING && connection->in_request)
		(void)!send(connection->fd, late, sizeof late - 1, 0);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------------- */

/* Drops input from the front. */
static void drop(struct connection *connection, size_t len)
{
	connection->used -= len;
	memmove(connection->input, connection->input + len, connection->used);
}

static void receive(struct connection *connection)
{
	ssize_t count = recv(connection->fd, connection->input + connection->used, HEAD_MAX - connection->used, 0);

	if (count > 0)
		connection->used += (size_t)count;
	else if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		hang_up(connection);
}

static void start_response(struct connection *connection, struct worker *worker, struct request *request, int status)
{
	struct response_context context = { .root = worker->root, .worker = worker->number };
	off_t len;

	context.keep_alive = request->keep_alive && connection->requests < REQUESTS_MAX && !duct_cancel_raised(worker->stop);
	if (!response_make(&connection->response, request, status, &context)) {
		hang_up(connection);
		return;
	}
	connection->state = CONNECTION_WRITING;
	connection->keep_alive = context.keep_alive;
	connection->sent = 0;
	len = connection->response.memory_len + connection->response.file_len;
	connection->deadline = duct_after_s(2 * worker->timeout + len / SLOWEST_RATE);
}

/* Starts the response to the next request if all of it is there. */
static bool answer_next(struct connection *connection, struct worker *worker)
{
	struct request request = { .keep_alive = false };
	size_t blank = 0, len;

	/* Some clients end a request with one line end too many. */
	while (blank < connection->used && (connection->input[blank] == '\r' || connection->input[blank] == '\n'))
		blank++;
	drop(connection, blank);
	if (connection->used == 0)
		return false;
	if (!connection->in_request) {
		connection->in_request = true;
		connection->deadline = duct_after_s(worker->timeout);
	}
	len = request_head_len(connection->input, connection->used);
	if (len == 0 && connection->used < HEAD_MAX)
		return false;
	connection->requests++;
	if (len == 0) {
		start_response(connection, worker, &request, 431);
	} else {
		int status = request_parse(connection->input, len, &request);

		drop(connection, len);
		start_response(connection, worker, &request, status);
	}
	return connection->state == CONNECTION_WRITING;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------------- */

static void end_response(struct connection *connection, struct worker *worker)
{
	response_free(&connection->response);
	connection->in_request = false;
	if (connection->keep_alive) {
		connection->state = CONNECTION_READING;
		connection->quiet_since = duct_now();
		connection->deadline = duct_after_s(worker->timeout);
	} else {
		connection->state = CONNECTION_LINGERING;
		connection->deadline = duct_after_s(LINGER_SECONDS);
		if (shutdown(connection->fd, SHUT_WR) != 0)
			hang_up(connection);
	}
}

static void write_some(struct connection *connection, struct worker *worker)
{
	off_t end = connection->response.memory_len + connection->response.file_len;
	off_t enough = connection->sent + TURN_BYTES;

	while (connection->sent < end && connection->sent < enough) {
		size_t len = response_read(&connection->response, connection->sent, worker->scratch, SCRATCH_SIZE);
		ssize_t count = len > 0 ? send(connection->fd, worker->scratch, len, 0) : -1;

		if (len > 0 && count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
			return;
		if (count < 0) {
			/* Gone, or the file has become shorter: then hanging up is the only way to say so. */
			hang_up(connection);
			return;
		}
		connection->sent += count;
	}
	if (connection->sent == end)
		end_response(connection, worker);
}

static void linger(struct connection *connection, struct worker *worker)
{
	ssize_t count = recv(connection->fd, worker->scratch, SCRATCH_SIZE, 0);

	if (count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		hang_up(connection);
}

/*
 * One read at most, then all requests that are there: a client may send several without waiting.  What is in input when this
 * returns is part of a request, so the socket tells when there is more to do.
 */
void connection_work(struct connection *connection, struct worker *worker)
{
	if (connection->state == CONNECTION_READING)
		receive(connection);
	else if (connection->state == CONNECTION_WRITING)
		write_some(connection, worker);
	else if (connection->state == CONNECTION_LINGERING)
		linger(connection, worker);
	while (connection->state == CONNECTION_READING && answer_next(connection, worker))
		write_some(connection, worker);
}
