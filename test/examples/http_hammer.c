/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * http_hammer PORT: asks a server for / in eight threads until it refuses connections, and counts.
 *
 * It is the witness of a clean shutdown.  Half of the clients keep their connection as long as they may, half use a new one
 * for each request.  A connection that is refused ends its client; one that was made but brings no whole response is a
 * failed request, and there is no other measure: a load generator would count what was refused with what was broken.
 * Prints "A answered, F failed", and exits with 0 if some were answered and none failed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 8 };

static int port;
static atomic_int answered, failed;

/* -1: refused, the server is gone. */
static int connect_to_server(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_port = htons((unsigned short)port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Reads one response.  *more: the connection stays open.  False: not the whole of it came. */
static bool read_response(int fd, bool *more)
{
	char text[65536];
	size_t len = 0;

	for (;;) {
		ssize_t count = read(fd, text + len, sizeof text - 1 - len);
		char *body, *length;

		if (count <= 0)
			return false;
		len += (size_t)count;
		text[len] = '\0';
		body = strstr(text, "\r\n\r\n");
		length = strstr(text, "Content-Length: ");
		if (body == NULL || length == NULL || len < (size_t)(body + 4 - text) + strtoul(length + 16, NULL, 10))
			continue;
		*more = strstr(text, "Connection: close") == NULL;
		return strncmp(text, "HTTP/1.1 200 ", 13) == 0;
	}
}

static bool ask(int fd, bool keep, bool *more)
{
	char request[128];
	size_t len;

	snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: x\r\nConnection: %s\r\n\r\n", keep ? "keep-alive" : "close");
	len = strlen(request);
	return send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len && read_response(fd, more);
}

static void *run(void *argument)
{
	bool keep = argument != NULL;
	int fd;

	while ((fd = connect_to_server()) >= 0) {
		bool more = true;

		while (more) {
			if (ask(fd, keep, &more)) {
				atomic_fetch_add(&answered, 1);
			} else {
				atomic_fetch_add(&failed, 1);
				more = false;
			}
		}
		close(fd);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[CLIENTS];

	port = argc > 1 ? atoi(argv[1]) : 0;
	alarm(20);
	for (int i = 0; i < CLIENTS; i++)
		if (pthread_create(&threads[i], NULL, run, i % 2 != 0 ? &port : NULL) != 0)
			return 2;
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	printf("%d answered, %d failed\n", answered, failed);
	return answered == 0 || failed != 0;
}
