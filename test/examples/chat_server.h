/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Starts and stops the chat server, for the programs that test it, and connects to it.
 */
#ifndef CHAT_SERVER_H
#define CHAT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct chat {
	pid_t pid;
	int port;
	FILE *output;
	char last[512]; /* what it says when it ends */
};

static inline _Noreturn void die(const char *what)
{
	perror(what);
	exit(2);
}

static inline int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

static inline struct chat start_chat(char *const *command)
{
	struct chat chat = { .port = 0 };
	int output[2];

	if (pipe(output) != 0)
		die("pipe");
	chat.pid = fork();
	if (chat.pid == 0) {
#ifdef __linux__
		prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
		dup2(output[1], STDOUT_FILENO);
		close(output[0]);
		close(output[1]);
		execv(command[0], command);
		_exit(127);
	}
	close(output[1]);
	chat.output = fdopen(output[0], "r");
	if (chat.pid < 0 || chat.output == NULL || fgets(chat.last, sizeof chat.last, chat.output) == NULL ||
	    sscanf(chat.last, "listening on 127.0.0.1:%d", &chat.port) != 1)
		die(command[0]);
	return chat;
}

/* The server must end by itself, with status 0 and a last line. */
static inline bool stop_chat(struct chat *chat)
{
	int status;
	bool told;

	kill(chat->pid, SIGTERM);
	told = fgets(chat->last, sizeof chat->last, chat->output) != NULL;
	fclose(chat->output);
	return waitpid(chat->pid, &status, 0) == chat->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 && told;
}

/* With a receive buffer of so many bytes; 0: as the system likes. */
static inline int connect_to_chat(const struct chat *chat, int receive_buffer)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (receive_buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
	address.sin_port = htons((uint16_t)chat->port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		die("connect");
	return fd;
}

#endif
