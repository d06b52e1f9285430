/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * chat_rules CHAT: starts chat servers and checks what they do with single clients, polite and not so polite ones.
 *
 * Prints a line for each check that fails and "N passed, M failed" in the end.  Is killed by a signal if a server does
 * nothing at all for 20 seconds.
 */
#include "chat_server.h"

#include <poll.h>
#include <sys/time.h>

static int passed, failed;

static void check(const char *what, bool right)
{
	if (right)
		passed++;
	else
		failed++;
	if (!right)
		printf("FAIL chat: %s\n", what);
}

static void say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		check("takes what is said", false);
}

/* The next line, without its newline; "" if there is none within five seconds, or no more. */
static const char *hear(int fd)
{
	static char line[4096];
	size_t len = 0;

	while (len < sizeof line - 1 && read(fd, line + len, 1) == 1 && line[len] != '\n')
		len++;
	line[len] = '\0';
	return line;
}

static bool hears(int fd, const char *wanted)
{
	return strcmp(hear(fd), wanted) == 0;
}

/* Connects, and has been heard by all that are there when this returns. */
static int join(const struct chat *chat)
{
	int fd = connect_to_chat(chat, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 5 }, sizeof(struct timeval));
	say(fd, "hello\n");
	check("greets a client with its own line", strstr(hear(fd), ": hello") != NULL);
	return fd;
}

static bool is_ended(int fd)
{
	char byte;

	return read(fd, &byte, 1) <= 0;
}

static void check_lines(const struct chat *chat)
{
	int first = join(chat), second = join(chat);

	check("tells others of a greeting", hears(first, "client-2: hello"));
	say(first, "two at\nonce\r\n");
	check("a line", hears(second, "client-1: two at"));
	check("a second line, without its carriage return", hears(second, "client-1: once"));
	say(second, "in pie");
	say(second, "ces\n");
	say(second, "a\033[2J\ttab\177\n\n");
	check("own lines", hears(first, "client-1: two at") && hears(first, "client-1: once"));
	check("a line in pieces", hears(first, "client-2: in pieces"));
	check("no control characters", hears(first, "client-2: a?[2J\ttab?"));
	check("an empty line", hears(first, "client-2: "));
	close(first);
	close(second);
}

/* Clients that hung up leave their places, but not at once. */
static int join_when_there_is_room(const struct chat *chat)
{
	for (;;) {
		int fd = connect_to_chat(chat, 0);

		say(fd, "hello\n");
		if (strstr(hear(fd), "hello") != NULL)
			return fd;
		close(fd);
		poll(NULL, 0, 10);
	}
}

static void check_limits(const struct chat *chat)
{
	int first = join_when_there_is_room(chat), second = join_when_there_is_room(chat), third;
	static char flood[3000];

	third = connect_to_chat(chat, 0);
	check("tells one too many", hears(third, "full") && is_ended(third));
	close(third);

	memset(flood, 'f', sizeof flood - 1);
	send(second, flood, strlen(flood), MSG_NOSIGNAL);
	check("hangs up on a line that is too long", is_ended(second));
	close(second);

	second = join_when_there_is_room(chat);
	check("the others do not see it", strstr(hear(first), "hello") != NULL && strstr(hear(first), "hello") != NULL);
	close(second);
	close(first);
}

/* Says much, hears all of it after having hung up in its own direction. */
static void check_half_close(const struct chat *chat)
{
	int fd = join_when_there_is_room(chat), heard = 0;

	for (int i = 0; i < 5; i++)
		say(fd, "last words\n");
	shutdown(fd, SHUT_WR);
	while (strstr(hear(fd), "last words") != NULL)
		heard++;
	check("a client that has said all hears all", heard == 5);
	check("and is hung up on then", is_ended(fd));
	close(fd);
}

/* A client that does not read, in a quiet room: its queue has much room left, but the writer has a time limit. */
static int stall(const struct chat *chat, int talker)
{
	static char line[1000];
	int fd = connect_to_chat(chat, 4096);

	say(fd, "hello\n");
	check("a client that will not read", strstr(hear(talker), "hello") != NULL);
	memset(line, 'x', sizeof line - 2);
	line[sizeof line - 2] = '\n';
	for (int i = 0; i < 200; i++) {
		say(talker, line);
		check("talks beside one that does not read", strstr(hear(talker), "xxxx") != NULL);
	}
	return fd;
}

static bool is_hung_up_on(int fd, int milliseconds)
{
	struct pollfd polled = { .fd = fd };

	return poll(&polled, 1, milliseconds) == 1 && (polled.revents & (POLLHUP | POLLERR)) != 0;
}

static void check_time_limit(char *program)
{
	struct chat chat = start_chat((char *[]){ program, "-q", "10000", "-t", "1", NULL });
	int talker = join(&chat), stalled = stall(&chat, talker);

	check("hangs up on who takes no line for a second", is_hung_up_on(stalled, 5000));
	check("ends", stop_chat(&chat));
	check("that one was not cut off", strstr(chat.last, "2 clients, 0 refused, 0 cut off") != NULL);
	close(talker);
	close(stalled);
}

static void check_end_with_stalled(char *program)
{
	struct chat chat = start_chat((char *[]){ program, "-q", "10000", "-t", "60", NULL });
	int talker = join(&chat), stalled = stall(&chat, talker);
	int64_t begin = now_ns();

	check("ends while a client does not read", stop_chat(&chat));
	check("ends soon", now_ns() - begin < (int64_t)5000000000);
	check("hangs up at the end", is_ended(talker) && is_hung_up_on(stalled, 1000));
	close(talker);
	close(stalled);
}

int main(int argc, char **argv)
{
	struct chat chat;

	if (argc != 2) {
		fputs("usage: chat_rules CHAT\n", stderr);
		return 2;
	}
	alarm(20);
	chat = start_chat((char *[]){ argv[1], "-c", "2", NULL });
	check_lines(&chat);
	check_limits(&chat);
	check_half_close(&chat);
	check("ends", stop_chat(&chat));
	check("has lost nothing", strstr(chat.last, " 0 cut off") != NULL && strstr(chat.last, " 0 lost") != NULL);
	check_time_limit(argv[1]);
	check_end_with_stalled(argv[1]);
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
