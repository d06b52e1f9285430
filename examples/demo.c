/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * demo HTTPD DIRECTORY [SECONDS]: starts the example web server on the files of a directory, loads it with requests for some
 * seconds (2 if not told), and tells how it did.  Exits with 0 only if each response was right, byte for byte, and the
 * server shut down cleanly.
 *
 *               pages                          results
 *     [feeder] ========> client, client, ...  =========> [main: collects]
 *                         |  ^
 *                         v  |  HTTP over loopback, connections kept alive
 *                        httpd
 *
 * There is no flag that says "stop".  The feeder sends until its deadline passes and frees its sender; the clients work off
 * what is queued, receive DUCT_CLOSED and free theirs; with the last of them the results close, and main's loop ends with
 * every result in hand.
 */
#include <duct.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 8
#define WORKERS 4
#define PAGES_MAX 256
#define PAGE_MAX ((off_t)64 * 1024 * 1024)
#define RESULTS_MAX ((size_t)8 * 1024 * 1024)
#define TIMEOUT_SECONDS 10 /* for a response, and for the server to end */

/* A file that the server serves, and what it must answer. */
struct page {
	char name[256];
	char *text;
	size_t len;
};

struct result {
	int64_t latency; /* nanoseconds */
	int worker;      /* of the server, 1 to WORKERS */
	bool right;
};

DUCT_TYPE(pages, const struct page *);
DUCT_TYPE(results, struct result);

struct server {
	pid_t pid;
	int output;
	int port;
};

struct feeder {
	const struct page *pages;
	size_t count;
	duct_time deadline;
	pages_sender *tx;
	pthread_t thread;
};

struct client {
	int port;
	int fd; /* -1: not connected */
	pages_receiver *pages;
	results_sender *results;
	size_t used;
	char buffer[16 * 1024]; /* received, not yet looked at */
	pthread_t thread;
};

struct summary {
	int64_t *latencies;
	size_t count, room, failed;
	size_t by_worker[WORKERS + 1]; /* 0: unknown */
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "demo: %s\n", what);
	exit(1);
}

static void must(bool succeeded, const char *what)
{
	if (!succeeded)
		die(what);
}

/* ---- The pages --------------------------------------------------------------------------------------------------------- */

/* Hidden files are not served, and a name that would have to be encoded is left out. */
static bool is_plain_name(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return name[0] != '.' && strspn(name, plain) == strlen(name);
}

static bool read_page(int directory, const char *name, struct page *page)
{
	struct stat about;
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool whole = false;

	if (fd >= 0 && fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_size <= PAGE_MAX &&
	    strlen(name) < sizeof page->name) {
		snprintf(page->name, sizeof page->name, "%s", name);
		page->len = (size_t)about.st_size;
		page->text = malloc(page->len + 1);
		whole = page->text != NULL && read(fd, page->text, page->len) == about.st_size;
		if (!whole)
			free(page->text);
	}
	if (fd >= 0)
		close(fd);
	return whole;
}

static size_t read_pages(const char *path, struct page *pages)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	size_t count = 0;

	must(directory != NULL, "cannot read the directory");
	while (count < PAGES_MAX && (entry = readdir(directory)) != NULL)
		if (is_plain_name(entry->d_name) && read_page(dirfd(directory), entry->d_name, &pages[count]))
			count++;
	closedir(directory);
	must(count > 0, "the directory has no files to serve");
	return count;
}

/* ---- The server -------------------------------------------------------------------------------------------------------- */

static _Noreturn void become_server(const char *program, const char *directory, int output)
{
	char workers[16];

	snprintf(workers, sizeof workers, "%d", WORKERS);
	dup2(output, STDOUT_FILENO);
	execl(program, program, "-p", "0", "-w", workers, directory, (char *)NULL);
	perror(program);
	_exit(127);
}

/* The server says where it listens in its first line. */
static int read_port(int output)
{
	char line[128];
	size_t len = 0;
	int port;

	while (len < sizeof line - 1 && read(output, line + len, 1) == 1 && line[len] != '\n')
		len++;
	line[len] = '\0';
	return sscanf(line, "listening on http://127.0.0.1:%d/", &port) == 1 ? port : -1;
}

static struct server server_start(const char *program, const char *directory)
{
	struct server server;
	int output[2];

	must(pipe(output) == 0, "no pipe");
	must(fcntl(output[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(output[1], F_SETFD, FD_CLOEXEC) == 0, "no pipe");
	server.pid = fork();
	must(server.pid >= 0, "cannot fork");
	if (server.pid == 0)
		become_server(program, directory, output[1]);
	close(output[1]);
	server.output = output[0];
	server.port = read_port(server.output);
	must(server.port > 0, "the server did not start");
	return server;
}

/* Asks the server to end.  Returns whether it did, with exit status 0. */
static bool server_stop(const struct server *server)
{
	duct_time deadline = duct_after_s(TIMEOUT_SECONDS);
	int status;
	pid_t ended;

	kill(server->pid, SIGTERM);
	while ((ended = waitpid(server->pid, &status, WNOHANG)) == 0 && duct_remaining_ns(deadline) > 0)
		nanosleep(&(struct timespec){ .tv_nsec = 5 * 1000 * 1000 }, NULL);
	if (ended == 0) {
		kill(server->pid, SIGKILL);
		ended = waitpid(server->pid, &status, 0);
	}
	close(server->output);
	return ended == server->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- A client ---------------------------------------------------------------------------------------------------------- */

static void client_disconnect(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->used = 0;
}

static bool client_connect(struct client *client)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct timeval patience = { .tv_sec = TIMEOUT_SECONDS };

	if (client->fd >= 0)
		return true;
	address.sin_port = htons((uint16_t)client->port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (client->fd < 0)
		return false;
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0)
		return true;
	client_disconnect(client);
	return false;
}

static bool client_ask(struct client *client, const char *name)
{
	char request[512];
	int len = snprintf(request, sizeof request, "GET /%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", name);

	return send(client->fd, request, (size_t)len, MSG_NOSIGNAL) == len;
}

static bool client_receive(struct client *client)
{
	ssize_t count = recv(client->fd, client->buffer + client->used, sizeof client->buffer - 1 - client->used, 0);

	if (count <= 0)
		return false;
	client->used += (size_t)count;
	client->buffer[client->used] = '\0';
	return true;
}

static void client_drop(struct client *client, size_t len)
{
	client->used -= len;
	memmove(client->buffer, client->buffer + len, client->used + 1);
}

/* The number in a field of the head; -1: not there.  The server is ours and writes its fields in one way only. */
static long long field(const char *head, const char *name)
{
	const char *at = strstr(head, name);

	return at != NULL ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/* Receives a head.  *closes tells that the server will hang up after this response. */
static bool client_read_head(struct client *client, size_t expected_len, int *worker, bool *closes)
{
	char *end;
	long long number;
	bool right;

	client->buffer[client->used] = '\0';
	while ((end = strstr(client->buffer, "\r\n\r\n")) == NULL)
		if (client->used == sizeof client->buffer - 1 || !client_receive(client))
			return false;
	end[2] = '\0';
	right = strncmp(client->buffer, "HTTP/1.1 200 ", 13) == 0 &&
	        field(client->buffer, "\r\nContent-Length: ") == (long long)expected_len;
	number = field(client->buffer, "\r\nX-Worker: ");
	*worker = number >= 1 && number <= WORKERS ? (int)number : 0;
	*closes = strstr(client->buffer, "\r\nConnection: close\r\n") != NULL;
	client_drop(client, (size_t)(end + 4 - client->buffer));
	return right;
}

/* Receives a body and compares it. */
static bool client_read_body(struct client *client, const struct page *page)
{
	size_t len = 0;

	while (len < page->len) {
		size_t count;

		if (client->used == 0 && !client_receive(client))
			return false;
		count = client->used < page->len - len ? client->used : page->len - len;
		if (memcmp(client->buffer, page->text + len, count) != 0)
			return false;
		client_drop(client, count);
		len += count;
	}
	return client->used == 0;
}

static struct result client_get(struct client *client, const struct page *page)
{
	struct result result = { .right = false };
	duct_time start = duct_now();
	bool closes = true;

	result.right = client_connect(client) && client_ask(client, page->name) &&
	               client_read_head(client, page->len, &result.worker, &closes) && client_read_body(client, page);
	result.latency = duct_now() - start;
	if (!result.right || closes)
		client_disconnect(client);
	return result;
}

static void *client_run(void *argument)
{
	struct client *client = argument;
	const struct page *page;

	while (pages_recv(client->pages, &page) == DUCT_OK) {
		struct result result = client_get(client, page);

		if (results_send(client->results, &result) != DUCT_OK)
			break;
	}
	client_disconnect(client);
	pages_receiver_free(client->pages);
	results_sender_free(client->results);
	return NULL;
}

/* ---- Putting it together ------------------------------------------------------------------------------------------------ */

/* Sends the pages round and round.  A send that is ready beats a deadline, so the clock has a say of its own. */
static void *feed(void *argument)
{
	struct feeder *feeder = argument;
	duct_status status = DUCT_OK;

	for (size_t i = 0; status == DUCT_OK && duct_remaining_ns(feeder->deadline) > 0; i++) {
		const struct page *page = &feeder->pages[i % feeder->count];

		status = pages_send_until(feeder->tx, &page, feeder->deadline, NULL);
	}
	pages_sender_free(feeder->tx);
	return NULL;
}

static void collect(struct summary *summary, results_receiver *results)
{
	struct result result;

	while (results_recv(results, &result) == DUCT_OK) {
		if (summary->count == summary->room) {
			summary->room = summary->room > 0 ? 2 * summary->room : 4096;
			summary->latencies = realloc(summary->latencies, summary->room * sizeof *summary->latencies);
			must(summary->latencies != NULL && summary->room <= RESULTS_MAX, "too many results");
		}
		summary->latencies[summary->count++] = result.latency;
		summary->failed += !result.right;
		summary->by_worker[result.worker]++;
	}
}

static void start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
	must(pthread_create(thread, NULL, run, argument) == 0, "no more threads");
}

/* Starts feeder and clients and collects until they are done. */
static struct summary load(struct feeder *feeder, struct client *clients)
{
	struct summary summary = { 0 };
	pages_receiver *pages = NULL;
	results_sender *results_in = NULL;
	results_receiver *results_out = NULL;

	must(pages_open(&feeder->tx, &pages, CLIENTS, NULL) == DUCT_OK, "out of memory");
	must(results_open(&results_in, &results_out, 64, NULL) == DUCT_OK, "out of memory");
	for (int i = 0; i < CLIENTS; i++) {
		must(pages_receiver_clone(pages, &clients[i].pages) == DUCT_OK, "out of memory");
		must(results_sender_clone(results_in, &clients[i].results) == DUCT_OK, "out of memory");
		start_thread(&clients[i].thread, client_run, &clients[i]);
	}
	pages_receiver_free(pages);
	results_sender_free(results_in);
	start_thread(&feeder->thread, feed, feeder);

	collect(&summary, results_out);
	results_receiver_free(results_out);
	pthread_join(feeder->thread, NULL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
	return summary;
}

static int compare_latencies(const void *a_, const void *b_)
{
	const int64_t *a = a_, *b = b_;

	return (*a > *b) - (*a < *b);
}

static double percentile_ms(const struct summary *summary, size_t percent)
{
	return (double)summary->latencies[(summary->count - 1) * percent / 100] / 1e6;
}

/* There are results: at least one. */
static void report(const struct summary *summary, double seconds)
{
	qsort(summary->latencies, summary->count, sizeof *summary->latencies, compare_latencies);
	printf("  requests  %zu in %.1f s: %.0f a second\n", summary->count, seconds, (double)summary->count / seconds);
	printf("  failed    %zu\n", summary->failed);
	printf("  latency   p50 %.2f ms, p99 %.2f ms\n", percentile_ms(summary, 50), percentile_ms(summary, 99));
	printf("  workers  ");
	for (int i = 1; i <= WORKERS; i++) {
		double share = 100.0 * (double)summary->by_worker[i] / (double)summary->count;

		printf(" %d: %.1f %%%s", i, share, i < WORKERS ? "," : "\n");
	}
}

/* Runs the load and prints how it went.  Returns whether no request failed. */
static bool run(const struct server *server, const struct page *pages, size_t count, int seconds)
{
	struct feeder feeder = { .pages = pages, .count = count };
	struct client *clients = calloc(CLIENTS, sizeof *clients);
	struct summary summary;
	duct_time start;
	bool right;

	must(clients != NULL, "out of memory");
	for (int i = 0; i < CLIENTS; i++) {
		clients[i].port = server->port;
		clients[i].fd = -1;
	}
	start = duct_now();
	feeder.deadline = duct_after_s(seconds);
	summary = load(&feeder, clients);
	right = summary.count > 0 && summary.failed == 0;
	if (summary.count > 0)
		report(&summary, (double)(duct_now() - start) / 1e9);
	free(summary.latencies);
	free(clients);
	return right;
}

int main(int argc, char **argv)
{
	struct page *pages = calloc(PAGES_MAX, sizeof *pages);
	int seconds = argc > 3 ? atoi(argv[3]) : 2;
	struct server server;
	size_t count;
	bool right, clean;

	if (argc < 3 || seconds < 1 || seconds > 3600) {
		fprintf(stderr, "usage: demo HTTPD DIRECTORY [SECONDS]\n");
		free(pages);
		return 2;
	}
	must(pages != NULL, "out of memory");
	count = read_pages(argv[2], pages);
	server = server_start(argv[1], argv[2]);
	printf("%s: %d workers, %zu files of %s, port %d\n", argv[1], WORKERS, count, argv[2], server.port);
	printf("%d clients, %d s:\n", CLIENTS, seconds);
	fflush(stdout);

	right = run(&server, pages, count, seconds);
	clean = server_stop(&server);
	printf("  shutdown  %s\n", clean ? "clean" : "NOT CLEAN");
	for (size_t i = 0; i < count; i++)
		free(pages[i].text);
	free(pages);
	return right && clean ? 0 : 1;
}
