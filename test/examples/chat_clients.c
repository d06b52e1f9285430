/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * chat_clients CHAT [CLIENTS [SECONDS [LIMIT [GROWTH]]]]: starts a chat server and so many clients (50), all real sockets in one
 * thread here, and lets them talk for some seconds (1.5), the slower the more they are: 400 lines a second if 50, 100 if 200.
 * The last client never reads; for its queue to run full there have to be some 400 lines.
 *
 *     build/test/chat_clients build/examples/chat 200 10 50
 *
 * is the run to make where something has changed, on a machine that has nothing else to do.  It checks that
 *
 *   - the server hangs up on the client that does not read, while the others go on;
 *   - each other client gets each line of each other, and all get them in one and the same order;
 *   - none waits for a line longer than LIMIT milliseconds (5000), from when it was written by its client to when it was
 *     read by that one, with all that this program does itself in between;
 *   - the server's memory (VmRSS) does not grow by more than GROWTH KiB (2048) from a quarter of the run to its end;
 *   - the server ends cleanly, and what it says of the lines adds up.
 *
 * Prints the figures in one line, and exits with 0 only if all that is so.
 */
#include "chat_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>

#define CLIENTS_MAX 500
#define LINES_MAX 100000
#define COPIES_PER_SECOND 20000 /* about: what two processors do without haste */
#define LINE_SIZE 500
#define QUEUE "256"
#define PATIENCE_MS 20000 /* for whatever has to happen */
#define STALLED_BUFFER 4096

struct client {
	int fd;
	bool joined; /* its own greeting has come back */
	bool gone;   /* the server has hung up */
	size_t heard, used;
	char input[4096];
};

/* Line number i of all: who said it, as which of its lines. */
struct place {
	int client, number;
};

static struct client clients[CLIENTS_MAX];
static struct place order[LINES_MAX];
static int said[CLIENTS_MAX];    /* lines by each */
static int ordered[CLIENTS_MAX]; /* of those that somebody has heard */
static int count, stalled;
static size_t known; /* places of the order */
static int64_t longest;
static bool failed;

static void fail(const char *what)
{
	printf("chat_clients: %s\n", what);
	failed = true;
}

/* ---- Listening --------------------------------------------------------------------------------------------------------- */

/* The first to hear a line tells its place in the order, which must not change what its client said first. */
static void place_line(struct client *client, struct place heard)
{
	struct place *place = &order[client->heard++];

	if (client->heard > known) {
		if (heard.number != ordered[heard.client]++)
			fail("lines of one client out of order");
		*place = heard;
		known++;
	} else if (place->client != heard.client || place->number != heard.number) {
		fail("another order for another client");
	}
}

static void hear(struct client *client, const char *line)
{
	const char *text = strstr(line, ": ");
	struct place heard;
	long long begun;
	int greeting;

	if (text != NULL && sscanf(text, ": hello %d", &greeting) == 1) {
		client->joined = client->joined || greeting == client - clients;
	} else if (text != NULL && sscanf(text, ": %d %d %lld", &heard.client, &heard.number, &begun) == 3 &&
		   heard.client >= 0 && heard.client < count && client->heard < LINES_MAX) {
		int64_t waited = now_ns() - begun;

		longest = waited > longest ? waited : longest;
		place_line(client, heard);
	} else {
		fail("a line that nobody said");
	}
}

static void hear_lines(struct client *client)
{
	char *begin = client->input, *newline;

	while ((newline = memchr(begin, '\n', client->used - (size_t)(begin - client->input))) != NULL) {
		*newline = '\0';
		hear(client, begin);
		begin = newline + 1;
	}
	client->used -= (size_t)(begin - client->input);
	memmove(client->input, begin, client->used);
}

static void read_client(struct client *client)
{
	ssize_t len = read(client->fd, client->input + client->used, sizeof client->input - client->used);

	if (len > 0) {
		client->used += (size_t)len;
		hear_lines(client);
	} else if (len == 0 || errno != EAGAIN) {
		client->gone = true;
	}
}

/* Reads what comes until the time is over, but nothing that comes to the stalled client once it has joined. */
static void listen_for(int64_t nanoseconds)
{
	struct pollfd polled[CLIENTS_MAX];
	struct timespec timeout = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 };

	for (int i = 0; i < count; i++)
		polled[i] = (struct pollfd){ .fd = clients[i].gone ? -1 : clients[i].fd,
			.events = i == stalled && clients[i].joined ? 0 : POLLIN };
	if (ppoll(polled, (nfds_t)count, &timeout, NULL) <= 0)
		return;
	for (int i = 0; i < count; i++) {
		if (polled[i].revents == 0)
			continue;
		if (polled[i].events == 0)
			clients[i].gone = true; /* an error or a hang-up */
		else
			read_client(&clients[i]);
	}
}

/* ---- Talking ----------------------------------------------------------------------------------------------------------- */

static void write_line(const struct client *client, const char *line, size_t len)
{
	if (send(client->fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail("a line could not be written");
}

/* Connects a client and waits until it is surely there. */
static void join(const struct chat *chat, int index)
{
	struct client *client = &clients[index];
	int64_t end = now_ns() + (int64_t)PATIENCE_MS * 1000000;
	char line[64];

	client->fd = connect_to_chat(chat, index == stalled ? STALLED_BUFFER : 0);
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
	count = index + 1;
	snprintf(line, sizeof line, "hello %d\n", index);
	write_line(client, line, strlen(line));
	while (!client->joined && !client->gone && now_ns() < end)
		listen_for(1000000);
	if (!client->joined)
		fail("a client was not let in");
}

static void say(int index)
{
	char line[LINE_SIZE + 1];
	int len = snprintf(line, sizeof line, "%d %d %lld ", index, said[index], (long long)now_ns());

	memset(line + len, 'x', (size_t)(LINE_SIZE - len));
	line[LINE_SIZE - 1] = '\n';
	write_line(&clients[index], line, LINE_SIZE);
	said[index]++;
}

/* ---- The run ----------------------------------------------------------------------------------------------------------- */

static long memory_of(pid_t pid)
{
	char path[64], line[256];
	long kib = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	if (file == NULL)
		die(path);
	while (fgets(line, sizeof line, file) != NULL && sscanf(line, "VmRSS: %ld", &kib) != 1)
		continue;
	fclose(file);
	return kib;
}

struct run {
	size_t lines;
	int rate; /* lines a second */
	int limit_ms;
	long growth_max;     /* KiB */
	long memory, growth; /* the same */
	size_t lines_until_cut_off;
};

static void watch(struct run *run, const struct chat *chat, size_t line)
{
	if (line == run->lines / 4)
		run->memory = memory_of(chat->pid);
	if (line > run->lines / 4 && line % 32 == 0) {
		long growth = memory_of(chat->pid) - run->memory;

		run->growth = growth > run->growth ? growth : run->growth;
	}
	if (clients[stalled].gone && run->lines_until_cut_off == 0)
		run->lines_until_cut_off = line;
}

static void talk(struct run *run, const struct chat *chat)
{
	int64_t next = now_ns();

	for (size_t line = 0; line < run->lines && !failed; line++) {
		say((int)(line % (size_t)stalled));
		next += 1000000000 / run->rate;
		for (int64_t left = next - now_ns(); left > 0; left = next - now_ns())
			listen_for(left);
		watch(run, chat, line + 1);
	}
}

static bool all_have_heard(size_t lines)
{
	for (int i = 0; i < stalled; i++)
		if (clients[i].heard < lines && !clients[i].gone)
			return false;
	return true;
}

static void check_end(const struct run *run)
{
	int64_t end = now_ns() + (int64_t)PATIENCE_MS * 1000000;

	while (!all_have_heard(run->lines) && now_ns() < end)
		listen_for(1000000);
	for (int i = 0; i < stalled && !failed; i++)
		if (clients[i].heard != run->lines)
			fail("a client has not heard all");
	if (run->lines_until_cut_off == 0)
		fail("the client that does not read was not hung up on");
	if (longest > run->limit_ms * (int64_t)1000000)
		fail("a client waited too long for a line");
	if (run->growth > run->growth_max)
		fail("the server's memory grows");
}

static void check_stop(struct chat *chat)
{
	unsigned served;
	unsigned long long refused, cut_off, in, copies, taken, lost, left;

	if (!stop_chat(chat))
		fail("the server did not end cleanly");
	if (sscanf(chat->last,
		"%u clients, %llu refused, %llu cut off; %llu lines in, %llu copies: %llu taken, %llu lost, %llu left", &served,
		&refused, &cut_off, &in, &copies, &taken, &lost, &left) != 8)
		fail("the server did not say what it did");
	else if (served != (unsigned)count || refused != 0 || cut_off != 1 || lost != 1 || copies != taken + lost + left)
		fail(chat->last);
	for (int i = 0; i < stalled; i++) {
		read_client(&clients[i]);
		if (!clients[i].gone)
			fail("a client was not hung up on at the end");
	}
}

int main(int argc, char **argv)
{
	double seconds = argc > 3 ? atof(argv[3]) : 1.5;
	struct run run = { .limit_ms = argc > 4 ? atoi(argv[4]) : 5000, .growth_max = argc > 5 ? atol(argv[5]) : 2048 };
	struct chat chat;

	stalled = (argc > 2 ? atoi(argv[2]) : 50) - 1;
	run.rate = COPIES_PER_SECOND / (stalled > 0 ? stalled + 1 : 1);
	run.lines = seconds > 0 && seconds < LINES_MAX ? (size_t)(seconds * run.rate) : 0;
	if (argc < 2 || stalled < 1 || stalled >= CLIENTS_MAX || run.lines < 1 || run.lines > LINES_MAX) {
		fputs("usage: chat_clients CHAT [CLIENTS [SECONDS [LIMIT [GROWTH]]]]\n", stderr);
		return 2;
	}
	chat = start_chat((char *[]){ argv[1], "-c", "500", "-q", QUEUE, NULL });
	for (int i = 0; i <= stalled && !failed; i++)
		join(&chat, i);
	talk(&run, &chat);
	check_end(&run);
	check_stop(&chat);
	printf("%d clients, %zu lines in one order, longest wait %.1f ms; one cut off after %zu lines; memory %ld KiB, then "
	       "%+ld KiB\n",
	    count, known, (double)longest / 1e6, run.lines_until_cut_off, run.memory, run.growth);
	return failed;
}
