/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The front: accepts connections, watches those that wait for their client, and hands those that can go on to the workers.
 *
 * Each connection is in one place: in the list here, in the channel of ready ones, with one worker, or in the channel of
 * those given back.  Whoever has it needs no lock.
 *
 * The two channels form a circle, and yet nobody waits for ever.  The channel of ready ones has little room and the front
 * waits for it: while the workers are busy nothing new is accepted, and the kernel keeps the callers.  The channel back has
 * room for every connection there can be, so a worker never waits and always comes back for the next.
 *
 * A connection that waits for its next request is cheap but not free.  It is closed after the timeout; when there is no
 * room for more connections, or the server stops, already when it was quiet for QUIET_MS.
 *
 * Stopping: what the kernel had already accepted for us is taken in, then the listener is closed.  All that has begun is
 * finished, and a client that had a response less than QUIET_MS ago, and so may just be sending its next request, still gets
 * that one answered.  Responses now say "Connection: close".  What is not done after DRAIN_SECONDS is cut off.
 */
#include "httpd.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __linux__
#include <linux/filter.h>
#endif
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUIET_MS 500
#define LAST_CALL_MS 10 /* for callers half way through the handshake */
#define DRAIN_SECONDS 10
#define ACCEPT_PAUSE_MS 100   /* after an accept without descriptors or memory */
#define ACCEPTS_PER_ROUND 256 /* more than the backlog: one round empties it */

enum { POLL_WAKE, POLL_LISTENER, POLL_WAITING }; /* places in the array for poll */

static bool is_stopping(const struct front *front)
{
	return front->listener < 0;
}

static void discard(struct front *front, struct connection *connection)
{
	connection_free(connection);
	front->live--;
}

/* ---- Accepting --------------------------------------------------------------------------------------------------------- */

/* Takes in a new connection.  It waits here until the request comes, so that a silent client takes no worker. */
static void take_in(struct front *front, int fd)
{
	struct connection *connection = NULL;
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
		connection = connection_new(fd, front->timeout);
	if (connection == NULL) {
		close(fd);
		return;
	}
	/* We always send all we have at once; waiting for more would only delay the end of a response. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	front->live++;
	front->waiting[front->waiting_len++] = connection;
}

/* Accepts those who call, if there is room.  Returns how many. */
static int accept_some(struct front *front)
{
	int accepted = 0;

	for (int i = 0; i < ACCEPTS_PER_ROUND && front->live < front->most; i++) {
		int fd = accept(front->listener, NULL, NULL);

		if (fd >= 0) {
			take_in(front, fd);
			accepted++;
			continue;
		}
		/* What failed may be that connection only; without descriptors it will fail again, so not at once. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			front->accept_after = duct_after_ms(ACCEPT_PAUSE_MS);
		if (errno != EINTR && errno != ECONNABORTED)
			break;
	}
	return accepted;
}

static bool may_accept(const struct front *front)
{
	return !is_stopping(front) && front->live < front->most && duct_remaining_ns(front->accept_after) == 0;
}

/*
 * Makes the kernel ignore further callers.  A close resets those that are connected as far as they know but were not
 * accepted yet, and without this there is no moment at which there are surely none: one more may always come between the
 * last accept and the close.  Linux can drop by a filter what begins a connection; elsewhere the gap of some microseconds
 * stays.
 */
static void ignore_callers(int listener)
{
#if defined __linux__ && defined SO_ATTACH_FILTER
	struct sock_filter drop_syn[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13), /* the flags in the header of TCP */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = { .len = sizeof drop_syn / sizeof drop_syn[0], .filter = drop_syn };

	setsockopt(listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
#else
	(void)listener;
#endif
}

/* Takes in those that are calling right now, and closes the listener. */
static void stop_listening(struct front *front)
{
	struct pollfd listener = { .fd = front->listener, .events = POLLIN };

	if (is_stopping(front))
		return;
	ignore_callers(front->listener);
	while (poll(&listener, 1, LAST_CALL_MS) > 0 && accept_some(front) > 0)
		continue;
	close(front->listener);
	front->listener = -1;
	front->drain_deadline = duct_after_s(DRAIN_SECONDS);
}

/* ---- Waiting connections ----------------------------------------------------------------------------------------------- */

static duct_time earlier(duct_time a, duct_time b)
{
	return a < b ? a : b;
}

/* Whether idle connections are in the way: of new ones, or of the end. */
static bool is_pressed(const struct front *front)
{
	return is_stopping(front) || front->live == front->most || duct_remaining_ns(front->accept_after) > 0;
}

/* When a connection will have waited for too long. */
static duct_time limit_of(const struct front *front, const struct connection *connection)
{
	bool is_idle = connection->state == CONNECTION_READING && !connection->in_request;
	duct_time limit = connection->deadline;

	if (is_idle && is_pressed(front))
		limit = earlier(limit, connection->quiet_since + (duct_time)QUIET_MS * 1000000);
	return is_stopping(front) ? earlier(limit, front->drain_deadline) : limit;
}

/* Takes the connection at index out of the list; the last one takes its place. */
static struct connection *take_out(struct front *front, size_t index)
{
	struct connection *connection = front->waiting[index];

	front->waiting[index] = front->waiting[--front->waiting_len];
	return connection;
}

static void end_late(struct front *front)
{
	duct_time now = duct_now();

	for (size_t i = front->waiting_len; i-- > 0;) {
		if (limit_of(front, front->waiting[i]) <= now) {
			connection_tell_late(front->waiting[i]);
			discard(front, take_out(front, i));
		}
	}
}

/*
 * Gives a connection to the workers, waiting for room.  A signal to stop ends the wait, so that the listener is closed at
 * once, and the connection is sent all the same: it was accepted, it will be served.
 */
static void hand_over(struct front *front, struct connection *connection)
{
	duct_status status = connections_send_until(front->ready, &connection, DUCT_FOREVER, front->stop);

	if (status == DUCT_CANCELED) {
		stop_listening(front);
		status = connections_send(front->ready, &connection);
	}
	if (status != DUCT_OK)
		discard(front, connection);
}

static void take_back(struct front *front)
{
	struct connection *connection;

	while (connections_try_recv(front->given_back, &connection) == DUCT_OK) {
		if (connection->state == CONNECTION_FINISHED)
			discard(front, connection);
		else
			front->waiting[front->waiting_len++] = connection;
	}
}

/* ---- The loop ---------------------------------------------------------------------------------------------------------- */

static int milliseconds_until(duct_time deadline)
{
	int64_t remaining = duct_remaining_ns(deadline);

	if (remaining == DUCT_FOREVER)
		return -1;
	return remaining / 1000000 >= 60000 ? 60000 : (int)((remaining + 999999) / 1000000);
}

static void drain_wake(int wake)
{
	char bytes[512];

	while (read(wake, bytes, sizeof bytes) > 0)
		continue;
}

/* Sleeps until something can go on: a client, a worker, a caller, a time limit or the end. */
static void wait_and_serve(struct front *front)
{
	struct pollfd polled[POLL_WAITING + CONNECTIONS_MAX];
	duct_time next = DUCT_FOREVER;

	polled[POLL_WAKE] = (struct pollfd){ .fd = front->wake, .events = POLLIN };
	polled[POLL_LISTENER] = (struct pollfd){ .fd = may_accept(front) ? front->listener : -1, .events = POLLIN };
	if (duct_remaining_ns(front->accept_after) > 0)
		next = front->accept_after;
	for (size_t i = 0; i < front->waiting_len; i++) {
		const struct connection *connection = front->waiting[i];
		bool writing = connection->state == CONNECTION_WRITING;

		polled[POLL_WAITING + i] = (struct pollfd){ .fd = connection->fd, .events = writing ? POLLOUT : POLLIN };
		next = earlier(next, limit_of(front, connection));
	}
	if (poll(polled, (nfds_t)(POLL_WAITING + front->waiting_len), milliseconds_until(next)) <= 0)
		return;
	/* From the end: take_out moves only connections that were already looked at. */
	for (size_t i = front->waiting_len; i-- > 0;)
		if (polled[POLL_WAITING + i].revents != 0)
			hand_over(front, take_out(front, i));
	if (polled[POLL_WAKE].revents != 0)
		drain_wake(front->wake);
	if (polled[POLL_LISTENER].revents != 0 && !is_stopping(front))
		accept_some(front);
}

void front_run(struct front *front)
{
	while (!is_stopping(front) || front->live > 0) {
		take_back(front);
		if (duct_cancel_raised(front->stop))
			stop_listening(front);
		end_late(front);
		if (!is_stopping(front) || front->live > 0)
			wait_and_serve(front);
	}
}
