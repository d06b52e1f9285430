/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * http_raw PORT [DRIP [PAUSE]]: sends its input to a port of this machine as it is and prints what comes back.
 *
 * For requests that no proper client would make.  DRIP sends a byte every so many milliseconds; PAUSE is how many to wait
 * before reading anything, with a small receive buffer.  Exits with 0 if the server hung up; with 1 if it did so in the
 * middle of what was sent (for DRIP this is as it should be, and not asked); is killed by a signal if it did not in 10 s.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char input[1024 * 1024];

static int connect_to(int port, bool small_buffer)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	/* For a server that does not read on to be noticed. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 8192 }, sizeof(int));
	if (small_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 4096 }, sizeof(int));
	address.sin_port = htons((unsigned short)port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		perror("http_raw: connect");
		exit(2);
	}
	return fd;
}

static size_t read_input(void)
{
	size_t len = 0;
	ssize_t count;

	while (len < sizeof input && (count = read(STDIN_FILENO, input + len, sizeof input - len)) > 0)
		len += (size_t)count;
	return len;
}

/* Prints what has come.  False: the server hung up. */
static bool print_some(int fd)
{
	char buffer[65536];
	ssize_t count = read(fd, buffer, sizeof buffer);

	if (count <= 0)
		return false;
	fwrite(buffer, 1, (size_t)count, stdout);
	return true;
}

int main(int argc, char **argv)
{
	int drip = argc > 2 ? atoi(argv[2]) : 0, pause = argc > 3 ? atoi(argv[3]) : 0;
	int fd = connect_to(argc > 1 ? atoi(argv[1]) : 0, pause > 0);
	size_t len = read_input(), sent = 0;

	signal(SIGPIPE, SIG_IGN);
	alarm(10);
	while (sent < len) {
		struct pollfd polled = { .fd = fd, .events = POLLIN };
		ssize_t count;

		if (drip > 0 && poll(&polled, 1, drip) > 0)
			break;
		count = write(fd, input + sent, drip > 0 ? 1 : len - sent);
		if (count < 0)
			break;
		sent += (size_t)count;
	}
	nanosleep(&(struct timespec){ pause / 1000, pause % 1000 * 1000000L }, NULL);
	while (print_some(fd))
		continue;
	return drip == 0 && sent < len;
}
