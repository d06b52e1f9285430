/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * chat [-p port] [-c clients] [-q queue] [-t timeout]: a chat server on the loopback interface.  Try it with several of
 * `nc 127.0.0.1 PORT`: what one says in a line is told to all, in the same order.
 *
 *     client ---> reader --.                       .--> writer ---> client
 *     client ---> reader --+--> broadcast channel -+--> writer ---> client
 *     client ---> reader --'     (references to    '--> writer ---> client
 *                                boxes of text)
 *
 * A client is a sender, a receiver and a thread for each (chat/client.c).  Nobody knows how many others there are, and nobody
 * waits for them: a client that reads too slowly has its queue run full, loses its place in the channel (DUCT_CUT_OFF) and
 * its connection.  The log hook tells, on the thread of whoever sent the line that was too much, and the socket is shut down
 * right there, since the writer may be asleep on it.
 *
 * A client's threads end each other, and send the client through an anycast channel to main, which joins and frees it.  That
 * channel closes when the acceptor and the last client have freed their senders: then the server is empty, and main ends.
 *
 * SIGINT and SIGTERM are blocked in all threads and taken by one that waits for them and raises a cancel token.  That ends
 * main's wait; main ends the acceptor and closes the channel of lines, everybody is told what is queued, and the rest
 * follows.  Clients that do not read are hung up on after a while.  The last line printed tells what became of all lines.
 *
 * -p  the port (0: any free one)
 * -c  clients at a time (256)
 * -q  lines that wait for a client (1024)
 * -t  seconds that a client may take for the lines that are written to it at once, whatever its queue (10)
 */
#include "chat/chat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MAX 512
#define BACKLOG 128
#define ACCEPT_PAUSE_MS 100     /* after an accept without descriptors or memory */
#define DRAIN_SECONDS 1         /* that clients have for taking what is queued when the server ends */
#define SEND_BUFFER (16 * 1024) /* little: it is the queue that tells who is too slow */

enum { REASON_END = 1 };

struct options {
	int port, clients, queue, timeout;
};

struct server {
	struct options options;
	int listener;
	int wake[2]; /* a pipe; its write end is closed to end the acceptor */
	sigset_t signals;
	duct_cancel *stop;
	pthread_t signal_thread, acceptor;
	lines_channel *lines;
	clients_sender *gone_tx; /* of the acceptor, from which clients get theirs */
	clients_receiver *gone;
	uint64_t refused; /* of the acceptor */
	unsigned served;  /* of the acceptor */
	struct tally tally;

	pthread_mutex_t lock; /* of what follows */
	size_t present;
	struct client *clients[CLIENTS_MAX];
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "chat: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void check(duct_status status, const char *what)
{
	if (status == DUCT_OK)
		return;
	fprintf(stderr, "chat: %s: %s\n", what, duct_strerror(status));
	exit(1);
}

/* ---- Options ----------------------------------------------------------------------------------------------------------- */

static _Noreturn void usage(void)
{
	fputs("usage: chat [-p port] [-c clients] [-q queue] [-t timeout]\n", stderr);
	exit(2);
}

static int number(const char *text, int min, int max)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < min || value > max)
		usage();
	return (int)value;
}

static struct options read_options(int argc, char **argv)
{
	struct options options = { .port = 0, .clients = 256, .queue = 1024, .timeout = 10 };
	int option;

	while ((option = getopt(argc, argv, "p:c:q:t:")) != -1) {
		if (option == 'p')
			options.port = number(optarg, 0, 65535);
		else if (option == 'c')
			options.clients = number(optarg, 1, CLIENTS_MAX);
		else if (option == 'q')
			options.queue = number(optarg, 1, 1000000);
		else if (option == 't')
			options.timeout = number(optarg, 1, 3600);
		else
			usage();
	}
	if (optind != argc)
		usage();
	return options;
}

/* ---- Who is there ------------------------------------------------------------------------------------------------------ */

/* False: the house is full. */
static bool enter(struct server *server, struct client *client)
{
	bool fits;

	pthread_mutex_lock(&server->lock);
	fits = server->present < (size_t)server->options.clients;
	if (fits)
		server->clients[server->present++] = client;
	pthread_mutex_unlock(&server->lock);
	return fits;
}

static void leave(struct server *server, const struct client *client)
{
	size_t i = 0;

	pthread_mutex_lock(&server->lock);
	while (server->clients[i] != client)
		i++;
	server->clients[i] = server->clients[--server->present];
	pthread_mutex_unlock(&server->lock);
}

/* Hangs up on the client of that name, or on all for NULL.  Who is here has not been freed, and cannot be meanwhile. */
static void hang_up(struct server *server, const char *name)
{
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->present; i++)
		if (name == NULL || strcmp(server->clients[i]->name, name) == 0)
			client_hang_up(server->clients[i]);
	pthread_mutex_unlock(&server->lock);
}

static void tell(const duct_log_event *event, void *context)
{
	if (event->kind == DUCT_LOG_CUT_OFF)
		hang_up(context, event->receiver);
}

/* ---- Accepting --------------------------------------------------------------------------------------------------------- */

static void set_flags(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		die("fcntl");
}

static int start_listening(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	address.sin_port = htons((uint16_t)port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	set_flags(fd);
	if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0)
		die("listen");
	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		die("getsockname");
	printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void refuse(struct server *server, int fd)
{
	static const char full[] = "full\n";

	(void)!send(fd, full, sizeof full - 1, MSG_NOSIGNAL);
	close(fd);
	server->refused++;
}

/* A client is known here before it is a receiver, so that it can be hung up on as soon as it can be cut off. */
static void take_in(struct server *server, int fd)
{
	struct client *client;

	set_flags(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ SEND_BUFFER }, sizeof(int));
	client = client_new(fd, server->served + 1, server->options.timeout);
	if (client == NULL || !enter(server, client)) {
		free(client);
		refuse(server, fd);
	} else if (!client_start(client, server->lines, (size_t)server->options.queue, server->gone_tx)) {
		leave(server, client);
		client_free(client);
		server->refused++;
	} else {
		server->served++;
	}
}

/* Returns how long to let callers wait, in milliseconds: what failed may be that connection only, or the next one too. */
static int accept_one(struct server *server)
{
	int fd = accept(server->listener, NULL, NULL);

	if (fd >= 0)
		take_in(server, fd);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
		return ACCEPT_PAUSE_MS;
	return 0;
}

static void *run_acceptor(void *argument)
{
	struct server *server = argument;
	struct pollfd polled[2] = { { .fd = server->wake[0], .events = POLLIN }, { .events = POLLIN } };
	int pause = 0;

	while (polled[0].revents == 0) {
		polled[1].fd = pause > 0 ? -1 : server->listener;
		if (poll(polled, 2, pause > 0 ? pause : -1) < 0)
			continue;
		pause = polled[1].fd >= 0 && polled[1].revents != 0 ? accept_one(server) : 0;
	}
	close(server->listener);
	clients_sender_free(server->gone_tx);
	return NULL;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------------- */

static void *wait_for_signal(void *argument)
{
	struct server *server = argument;
	int signal_number;

	sigwait(&server->signals, &signal_number);
	duct_cancel_raise(server->stop);
	return NULL;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
	errno = pthread_create(thread, NULL, run, argument);
	if (errno != 0)
		die("thread");
}

static void start(struct server *server)
{
	const duct_options *options = DUCT_OPTIONS(DUCT_BOX_HOOKS, .name = "lines", .log = tell, .context = server);

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&server->signals);
	sigaddset(&server->signals, SIGINT);
	sigaddset(&server->signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &server->signals, NULL);
	pthread_mutex_init(&server->lock, NULL);
	if (pipe(server->wake) != 0)
		die("pipe");
	check(duct_cancel_new(&server->stop, NULL, DUCT_FOREVER), "stop");
	check(lines_broadcast_new(&server->lines, options), "lines");
	check(clients_open(&server->gone_tx, &server->gone, CLIENTS_MAX, NULL), "gone");
	start_thread(&server->signal_thread, wait_for_signal, server);
	server->listener = start_listening(server->options.port);
	start_thread(&server->acceptor, run_acceptor, server);
}

static void part_with(struct server *server, struct client *client)
{
	struct tally tally;

	leave(server, client);
	tally = client_end(client);
	server->tally.said += tally.said;
	server->tally.cut_off += tally.cut_off;
	server->tally.heard.sent += tally.heard.sent;
	server->tally.heard.received += tally.heard.received;
	server->tally.heard.lost += tally.heard.lost;
	server->tally.heard.queued += tally.heard.queued;
}

/* Parts with clients until the last one is gone.  After the signal they are given some time, then hung up on. */
static void serve(struct server *server)
{
	struct client *client = NULL;
	duct_time deadline;
	duct_status status;

	while (clients_recv_until(server->gone, &client, DUCT_FOREVER, server->stop) == DUCT_OK)
		part_with(server, client);
	close(server->wake[1]);
	pthread_join(server->acceptor, NULL);
	lines_channel_close(server->lines, REASON_END);
	deadline = duct_after_s(DRAIN_SECONDS);
	while ((status = clients_recv_until(server->gone, &client, deadline, NULL)) != DUCT_CLOSED) {
		if (status == DUCT_OK) {
			part_with(server, client);
		} else {
			hang_up(server, NULL);
			deadline = DUCT_FOREVER;
		}
	}
}

static void finish(struct server *server)
{
	const struct tally *tally = &server->tally;

	pthread_join(server->signal_thread, NULL);
	clients_receiver_free(server->gone);
	lines_channel_free(server->lines);
	duct_cancel_free(server->stop);
	close(server->wake[0]);
	pthread_mutex_destroy(&server->lock);
	printf("%u clients, %llu refused, %llu cut off; %llu lines in, %llu copies: %llu taken, %llu lost, %llu left\n",
	    server->served, (unsigned long long)server->refused, (unsigned long long)tally->cut_off,
	    (unsigned long long)tally->said, (unsigned long long)tally->heard.sent, (unsigned long long)tally->heard.received,
	    (unsigned long long)tally->heard.lost, (unsigned long long)tally->heard.queued);
}

int main(int argc, char **argv)
{
	struct server *server = calloc(1, sizeof *server);

	if (server == NULL)
		die("server");
	server->options = read_options(argc, argv);
	start(server);
	serve(server);
	finish(server);
	free(server);
	return 0;
}
