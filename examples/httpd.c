/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * httpd [-a address] [-p port] [-w workers] [-q queue] [-t timeout] DIRECTORY: serves the files of a directory over HTTP/1.1.
 *
 *                         ready                      (bounded: when it is full, nothing is accepted)
 *     clients ---> front ========> worker, worker, ...
 *                    ^                |
 *                    '================'
 *                        given back
 *
 * The front (httpd/front.c) is the thread of main.  It accepts connections and watches all that wait for their client.  One
 * that can go on travels through an anycast channel to whichever worker is free; the worker does what can be done without
 * waiting (httpd/connection.c) and gives it back through another channel.  So a handful of workers serves hundreds of
 * connections, and slow or silent clients cost a place in a list instead of a thread.
 *
 * SIGINT and SIGTERM are blocked in all threads and taken by one that waits for them and raises a cancel token.  That ends
 * the front's waits, the rest of the shutdown follows from the ends of channels: the front finishes what was accepted and
 * returns, main frees the sender of ready connections, and the workers, whose receives then return DUCT_CLOSED, end.
 *
 * -a  the IPv4 address to listen on (127.0.0.1)
 * -p  the port (8080); 0: any free one
 * -w  worker threads (4)
 * -q  ready connections that wait for a worker (64)
 * -t  seconds that a client has for sending a request, or may be silent between two; twice that for taking a response (5)
 */
#include "httpd/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define BACKLOG 128
#define OWN_DESCRIPTORS 12       /* standard streams, root, listener, pipe, and some to spare */
#define WORKER_DESCRIPTORS 3     /* on the way to a file, or in a listing */
#define CONNECTION_DESCRIPTORS 2 /* the socket and a file */

struct options {
	const char *directory;
	struct in_addr address;
	int port, workers, queue, timeout;
};

struct worker_thread {
	struct worker worker;
	connections_receiver *ready;
	connections_sender *given_back;
	int wake; /* the write end of the front's pipe */
	pthread_t thread;
};

struct server {
	struct options options;
	int root;
	int wake[2];
	sigset_t signals;
	duct_cancel *stop;
	pthread_t signal_thread;
	struct front front;
	struct worker_thread *workers;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "httpd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void check(duct_status status, const char *what)
{
	if (status == DUCT_OK)
		return;
	fprintf(stderr, "httpd: %s: %s\n", what, duct_strerror(status));
	exit(1);
}

/* ---- Options ----------------------------------------------------------------------------------------------------------- */

static _Noreturn void usage(void)
{
	fputs("usage: httpd [-a address] [-p port] [-w workers] [-q queue] [-t timeout] DIRECTORY\n", stderr);
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
	struct options options = { .port = 8080, .workers = 4, .queue = 64, .timeout = 5 };
	int option;

	options.address.s_addr = htonl(INADDR_LOOPBACK);
	while ((option = getopt(argc, argv, "a:p:w:q:t:")) != -1) {
		if (option == 'a' && inet_pton(AF_INET, optarg, &options.address) == 1)
			continue;
		else if (option == 'p')
			options.port = number(optarg, 0, 65535);
		else if (option == 'w')
			options.workers = number(optarg, 1, WORKERS_MAX);
		else if (option == 'q')
			options.queue = number(optarg, 0, CONNECTIONS_MAX);
		else if (option == 't')
			options.timeout = number(optarg, 1, 3600);
		else
			usage();
	}
	if (optind != argc - 1)
		usage();
	options.directory = argv[optind];
	return options;
}

/* ---- Sockets and pipes ------------------------------------------------------------------------------------------------- */

static void set_flags(int fd)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		die("fcntl");
}

static int start_listening(const struct options *options)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = options->address };
	socklen_t len = sizeof address;
	char text[INET_ADDRSTRLEN];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	address.sin_port = htons((uint16_t)options->port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	set_flags(fd);
	if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0)
		die("listen");
	if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		die("getsockname");
	inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
	printf("listening on http://%s:%d/\n", text, ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* As many connections as there are surely descriptors for, so that an accepted one does not fail for want of them. */
static size_t most_connections(int workers)
{
	size_t needed = OWN_DESCRIPTORS + WORKER_DESCRIPTORS * (size_t)workers, most;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed + CONNECTION_DESCRIPTORS * CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	most = limit.rlim_cur > needed ? ((size_t)limit.rlim_cur - needed) / CONNECTION_DESCRIPTORS : 0;
	return most > 0 ? most : 1;
}

/* Gets the front out of poll.  If the pipe is full, a byte that does so is already in it. */
static void wake_front(int wake)
{
	(void)!write(wake, "", 1);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------------- */

static void *wait_for_signal(void *argument)
{
	struct server *server = argument;
	int signal_number;

	sigwait(&server->signals, &signal_number);
	duct_cancel_raise(server->stop);
	wake_front(server->wake[1]);
	return NULL;
}

static void *work(void *argument)
{
	struct worker_thread *self = argument;
	struct connection *connection;

	while (connections_recv(self->ready, &connection) == DUCT_OK) {
		connection_work(connection, &self->worker);
		check(connections_send(self->given_back, &connection), "giving back");
		wake_front(self->wake);
	}
	connections_receiver_free(self->ready);
	connections_sender_free(self->given_back);
	return NULL;
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
	errno = pthread_create(thread, NULL, run, argument);
	if (errno != 0)
		die("thread");
}

/* Opens the two channels and starts the workers, each with ends of its own. */
static void start_workers(struct server *server)
{
	size_t count = (size_t)server->options.workers;
	connections_receiver *ready = NULL;
	connections_sender *given_back = NULL;

	server->workers = calloc(count, sizeof *server->workers);
	if (server->workers == NULL)
		die("workers");
	check(connections_open(&server->front.ready, &ready, (size_t)server->options.queue, NULL), "ready");
	check(connections_open(&given_back, &server->front.given_back, CONNECTIONS_MAX, NULL), "given back");
	for (size_t i = 0; i < count; i++) {
		struct worker_thread *thread = &server->workers[i];

		thread->worker.number = (int)i + 1;
		thread->worker.root = server->root;
		thread->worker.timeout = server->options.timeout;
		thread->worker.stop = server->stop;
		thread->wake = server->wake[1];
		check(connections_receiver_clone(ready, &thread->ready), "ready");
		check(connections_sender_clone(given_back, &thread->given_back), "given back");
		start_thread(&thread->thread, work, thread);
	}
	connections_receiver_free(ready);
	connections_sender_free(given_back);
}

static void start(struct server *server)
{
	server->root = open(server->options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (server->root < 0)
		die(server->options.directory);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&server->signals);
	sigaddset(&server->signals, SIGINT);
	sigaddset(&server->signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &server->signals, NULL);
	if (pipe(server->wake) != 0)
		die("pipe");
	set_flags(server->wake[0]);
	set_flags(server->wake[1]);
	check(duct_cancel_new(&server->stop, NULL, DUCT_FOREVER), "stop");
	server->front.wake = server->wake[0];
	server->front.timeout = server->options.timeout;
	server->front.stop = server->stop;
	server->front.most = most_connections(server->options.workers);
	start_workers(server);
	start_thread(&server->signal_thread, wait_for_signal, server);
	server->front.listener = start_listening(&server->options);
}

/* The front has returned: no connection is left. */
static void finish(struct server *server)
{
	connections_sender_free(server->front.ready);
	for (int i = 0; i < server->options.workers; i++)
		pthread_join(server->workers[i].thread, NULL);
	pthread_join(server->signal_thread, NULL);
	connections_receiver_free(server->front.given_back);
	duct_cancel_free(server->stop);
	free(server->workers);
	close(server->wake[0]);
	close(server->wake[1]);
	close(server->root);
}

int main(int argc, char **argv)
{
	struct server *server = calloc(1, sizeof *server);

	if (server == NULL)
		die("server");
	server->options = read_options(argc, argv);
	start(server);
	front_run(&server->front);
	finish(server);
	free(server);
	return 0;
}
