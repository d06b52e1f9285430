/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * daisy [N]: a chain of N threads (10,000 if not told), each of which adds one to a number and passes it on.
 *
 *     main sends 0  ->  [+1]  ->  [+1]  ->  ...  ->  [+1]  ->  main receives N
 *
 * It shows what a channel and a waiting thread cost: there is one rendezvous channel in front of each thread and one behind
 * the last, and all the threads sleep until the number comes by.  A waiting thread needs nothing but its stack, which is
 * small here.  Many systems limit the number of threads (ulimit -u, a container's pids.max, vm.max_map_count); where N are
 * too many, daisy says how far it came and unwinds: with its sender gone the chain closes link after link.
 */
#include <duct.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

DUCT_TYPE(numbers, uint64_t);

#define STACK_SIZE ((size_t)32 * 1024)
#define MOST_LINKS 1000000

struct link {
	numbers_receiver *in;
	numbers_sender *out;
	pthread_t thread;
};

static void *add_one(void *argument)
{
	struct link *self = argument;
	uint64_t number;

	if (numbers_recv(self->in, &number) == DUCT_OK) {
		number++;
		/* Fails only if main gave up and nobody waits for the number. */
		(void)!numbers_send(self->out, &number);
	}
	numbers_receiver_free(self->in);
	numbers_sender_free(self->out);
	return NULL;
}

/* Adds a thread behind *last, which becomes its output.  On failure *last is as it was. */
static bool add_link(struct link *link, const pthread_attr_t *attributes, numbers_receiver **last)
{
	numbers_receiver *output;
	int error;

	if (numbers_open(&link->out, &output, 0, NULL) != DUCT_OK) {
		fprintf(stderr, "daisy: out of memory for channels\n");
		return false;
	}
	link->in = *last;
	error = pthread_create(&link->thread, attributes, add_one, link);
	if (error != 0) {
		fprintf(stderr, "daisy: no more threads: %s\n", strerror(error));
		numbers_receiver_free(output);
		numbers_sender_free(link->out);
		return false;
	}
	*last = output;
	return true;
}

/* Builds the chain and sends 0 through it.  *started tells how many threads there are to join. */
static bool run(struct link *links, size_t count, const pthread_attr_t *attributes, size_t *started, uint64_t *result)
{
	numbers_sender *first;
	numbers_receiver *last;
	uint64_t number = 0;
	bool passed = false;

	*started = 0;
	if (numbers_open(&first, &last, 0, NULL) != DUCT_OK)
		return false;
	while (*started < count && add_link(&links[*started], attributes, &last))
		++*started;
	if (*started == count)
		passed = numbers_send(first, &number) == DUCT_OK && numbers_recv(last, result) == DUCT_OK;
	numbers_sender_free(first);
	numbers_receiver_free(last);
	return passed;
}

static size_t number_of_links(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || number < 1 || number > MOST_LINKS) {
		fprintf(stderr, "usage: daisy [N], with N from 1 to %d\n", MOST_LINKS);
		exit(2);
	}
	return (size_t)number;
}

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? number_of_links(argv[1]) : 10000;
	struct link *links = calloc(count, sizeof *links);
	long stack_min = sysconf(_SC_THREAD_STACK_MIN);
	pthread_attr_t attributes;
	uint64_t result = 0;
	size_t started;
	bool passed;

	if (links == NULL || pthread_attr_init(&attributes) != 0)
		return 1;
	pthread_attr_setstacksize(&attributes, stack_min > (long)STACK_SIZE ? (size_t)stack_min : STACK_SIZE);
	passed = run(links, count, &attributes, &started, &result);
	for (size_t i = 0; i < started; i++)
		pthread_join(links[i].thread, NULL);
	pthread_attr_destroy(&attributes);
	free(links);
	if (passed)
		printf("%llu\n", (unsigned long long)result);
	else
		fprintf(stderr, "daisy: stopped after %zu of %zu threads\n", started, count);
	return !passed;
}
