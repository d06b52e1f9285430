/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * sieve [N]: prints the first N primes (100 if not told), with a thread for each.
 *
 * The first thread sends 2, 3, 4, ...  The first number to come out of the chain is a prime; a thread is added to the end
 * that lets pass only what that prime does not divide:
 *
 *     2 3 4 5 6 7 8 9 ...  ->  [not / 2]  ->  3 5 7 9 ...  ->  [not / 3]  ->  5 7 11 ...  ->
 *
 * All channels are rendezvous channels (capacity 0): a number moves only when both its sender and its receiver are there, so
 * the chain never runs ahead of main.
 *
 * The end is the nice part.  The first thread would count for ever; but when main has enough and frees the last receiver,
 * the send before it returns DUCT_NO_RECEIVERS, that thread frees its own ends, and so on up the chain.
 */
#include <duct.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

DUCT_TYPE(numbers, uint32_t);

#define STACK_SIZE ((size_t)64 * 1024)
#define MOST_PRIMES 10000

/* One thread of the chain.  The first one, without an input, counts. */
struct link {
	numbers_receiver *in;
	numbers_sender *out;
	uint32_t prime;
	pthread_t thread;
};

static void *count(void *argument)
{
	struct link *self = argument;

	for (uint32_t number = 2; number < UINT32_MAX; number++)
		if (numbers_send(self->out, &number) != DUCT_OK)
			break;
	numbers_sender_free(self->out);
	return NULL;
}

static void *filter(void *argument)
{
	struct link *self = argument;
	uint32_t number;

	while (numbers_recv(self->in, &number) == DUCT_OK)
		if (number % self->prime != 0 && numbers_send(self->out, &number) != DUCT_OK)
			break;
	numbers_receiver_free(self->in);
	numbers_sender_free(self->out);
	return NULL;
}

/* Starts a thread that sends to a new channel, and tells where it can be received.  False: no more memory or threads. */
static bool start(struct link *link, void *(*run)(void *), const pthread_attr_t *attributes, numbers_receiver **output)
{
	numbers_receiver *receiver;

	if (numbers_open(&link->out, &receiver, 0, NULL) != DUCT_OK)
		return false;
	if (pthread_create(&link->thread, attributes, run, link) != 0) {
		numbers_sender_free(link->out);
		numbers_receiver_free(receiver);
		return false;
	}
	*output = receiver;
	return true;
}

/* Prints as many primes as there are links for, and tells how many threads it started. */
static size_t sieve(struct link *links, size_t primes, const pthread_attr_t *attributes)
{
	numbers_receiver *last;
	size_t started = 0;
	uint32_t prime;

	if (!start(&links[started], count, attributes, &last))
		return 0;
	for (started++; numbers_recv(last, &prime) == DUCT_OK; started++) {
		printf("%u\n", (unsigned)prime);
		if (started == primes)
			break;
		links[started] = (struct link){ .in = last, .prime = prime };
		if (!start(&links[started], filter, attributes, &last))
			break;
	}
	numbers_receiver_free(last);
	return started;
}

static size_t number_of_primes(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || number < 1 || number > MOST_PRIMES) {
		fprintf(stderr, "usage: sieve [N], with N from 1 to %d\n", MOST_PRIMES);
		exit(2);
	}
	return (size_t)number;
}

int main(int argc, char **argv)
{
	size_t primes = argc > 1 ? number_of_primes(argv[1]) : 100;
	struct link *links = calloc(primes, sizeof *links);
	long stack_min = sysconf(_SC_THREAD_STACK_MIN);
	pthread_attr_t attributes;
	size_t started;

	if (links == NULL || pthread_attr_init(&attributes) != 0)
		return 1;
	pthread_attr_setstacksize(&attributes, stack_min > (long)STACK_SIZE ? (size_t)stack_min : STACK_SIZE);
	started = sieve(links, primes, &attributes);
	for (size_t i = 0; i < started; i++)
		pthread_join(links[i].thread, NULL);
	pthread_attr_destroy(&attributes);
	free(links);
	if (started < primes)
		fprintf(stderr, "sieve: this system allows only %zu threads\n", started);
	return started < primes;
}
