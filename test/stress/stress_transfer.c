/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Transfer: senders and receivers at full speed, plain and through select, at several capacities.
 *
 * Each message carries its sender and its number there.  Every one must arrive exactly once, and the numbers of one sender
 * must rise at each receiver, and on each of the two channels where a select has two.  A hang ends in an alarm.
 *
 *     stress_transfer [messages of a configuration [senders [receivers [seconds until the alarm]]]]
 */
#include "harness.h"

#include <unistd.h>

#define CHANNELS 2
#define MAX_SENDERS 64

struct message {
	uint32_t sender, number;
};

/* How the threads call the library. */
enum form { PLAIN, SELECTING, FORMS };

struct configuration {
	enum form form;
	uint32_t senders, receivers, each;
	size_t channels;
	duct_sender *tx[CHANNELS];
	duct_receiver *rx[CHANNELS];
};

struct sending {
	const struct configuration *configuration;
	uint32_t number;
	pthread_t thread;
};

struct receiving {
	const struct configuration *configuration;
	unsigned char *seen; /* how often each message came, in this receiver */
	uint64_t count;
	uint64_t out_of_order, failures;
	pthread_t thread;
};

static void *run_sender(void *argument)
{
	const struct sending *self = argument;
	const struct configuration *configuration = self->configuration;
	struct message out = { self->number, 0 };
	duct_case cases[CHANNELS];
	size_t chosen;

	for (size_t k = 0; k < configuration->channels; k++)
		cases[k] = (duct_case)DUCT_SEND(configuration->tx[k], &out);
	for (; out.number < configuration->each; out.number++) {
		if (configuration->form == PLAIN) {
			CHECK_STATUS(duct_send(configuration->tx[0], &out), DUCT_OK);
		} else {
			CHECK_STATUS(duct_select(cases, configuration->channels, &chosen), DUCT_OK);
			CHECK_STATUS(cases[chosen].status, DUCT_OK);
		}
	}
	return NULL;
}

/* One message; the channel it came from, or CHANNELS at the end of all. */
static size_t receive(const struct configuration *configuration, duct_case *cases, struct message *in)
{
	size_t chosen;

	if (configuration->form == PLAIN)
		return duct_recv(configuration->rx[0], in) == DUCT_OK ? 0 : CHANNELS;
	while (duct_select(cases, configuration->channels, &chosen) == DUCT_OK)
		if (cases[chosen].status == DUCT_OK)
			return chosen;
	return CHANNELS;
}

static void *run_receiver(void *argument)
{
	struct receiving *self = argument;
	const struct configuration *configuration = self->configuration;
	uint32_t next[CHANNELS][MAX_SENDERS] = { { 0 } };
	duct_case cases[CHANNELS];
	struct message in;
	size_t channel;

	for (size_t k = 0; k < configuration->channels; k++)
		cases[k] = (duct_case)DUCT_RECV(configuration->rx[k], &in);
	while ((channel = receive(configuration, cases, &in)) != CHANNELS) {
		if (in.sender >= configuration->senders || in.number >= configuration->each) {
			self->failures++;
			continue;
		}
		if (in.number < next[channel][in.sender])
			self->out_of_order++;
		next[channel][in.sender] = in.number + 1;
		self->seen[(size_t)in.sender * configuration->each + in.number]++;
		self->count++;
	}
	return NULL;
}

static void open_channels(struct configuration *configuration, size_t capacity)
{
	configuration->channels = configuration->form == PLAIN ? 1 : CHANNELS;
	for (size_t k = 0; k < configuration->channels; k++) {
		duct_sender **tx = &configuration->tx[k];
		duct_receiver **rx = &configuration->rx[k];

		CHECK_STATUS(duct_anycast_open(tx, rx, sizeof(struct message), capacity + k, NULL), DUCT_OK);
	}
}

/* Adds up what all receivers saw: how many messages were lost, and how many came again. */
static void count_seen(const struct receiving *receiving, uint32_t receivers, size_t messages, uint64_t *lost, uint64_t *twice)
{
	*lost = *twice = 0;
	for (size_t i = 0; i < messages; i++) {
		unsigned times = 0;

		for (uint32_t k = 0; k < receivers; k++)
			times += receiving[k].seen[i];
		*lost += times == 0;
		*twice += times > 1;
	}
}

/* Runs one configuration and prints its line; true if nothing was wrong. */
static bool transfer(enum form form, size_t capacity, uint32_t senders, uint32_t receivers, uint32_t messages)
{
	struct configuration configuration = {
		.form = form, .senders = senders, .receivers = receivers, .each = messages / senders
	};
	size_t total = (size_t)configuration.each * senders;
	struct sending *sending = calloc(senders, sizeof *sending);
	struct receiving *receiving = calloc(receivers, sizeof *receiving);
	uint64_t lost, twice, out_of_order = 0, failures = 0, count = 0;
	duct_time begin = duct_now();
	bool passed;

	CHECK(sending != NULL && receiving != NULL);
	open_channels(&configuration, capacity);
	for (uint32_t k = 0; k < receivers; k++) {
		receiving[k].configuration = &configuration;
		receiving[k].seen = calloc(total + 1, 1);
		CHECK(receiving[k].seen != NULL);
		CHECK(pthread_create(&receiving[k].thread, NULL, run_receiver, &receiving[k]) == 0);
	}
	for (uint32_t k = 0; k < senders; k++) {
		sending[k] = (struct sending){ .configuration = &configuration, .number = k };
		CHECK(pthread_create(&sending[k].thread, NULL, run_sender, &sending[k]) == 0);
	}
	for (uint32_t k = 0; k < senders; k++)
		pthread_join(sending[k].thread, NULL);
	for (size_t k = 0; k < configuration.channels; k++)
		duct_sender_free(configuration.tx[k]);
	for (uint32_t k = 0; k < receivers; k++) {
		pthread_join(receiving[k].thread, NULL);
		out_of_order += receiving[k].out_of_order;
		failures += receiving[k].failures;
		count += receiving[k].count;
	}
	count_seen(receiving, receivers, total, &lost, &twice);
	passed = lost + twice + out_of_order + failures == 0 && count == total;
	printf("%s %-6s capacity %3zu, %u x %u, %zu messages: "
	       "lost %llu, twice %llu, out of order %llu, wrong %llu, %.0f ns each\n",
	    passed ? "ok  " : "FAIL", form == PLAIN ? "plain" : "select", capacity, senders, receivers, total,
	    (unsigned long long)lost, (unsigned long long)twice, (unsigned long long)out_of_order, (unsigned long long)failures,
	    (double)(duct_now() - begin) / (double)(total + (total == 0)));
	fflush(stdout);
	for (size_t k = 0; k < configuration.channels; k++)
		duct_receiver_free(configuration.rx[k]);
	for (uint32_t k = 0; k < receivers; k++)
		free(receiving[k].seen);
	free(receiving);
	free(sending);
	return passed;
}

int main(int argc, char **argv)
{
	static const size_t capacities[] = { 0, 1, 2, 3, 100 };
	uint32_t messages = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20000;
	uint32_t senders = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 4;
	uint32_t receivers = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 4;
	int passed = 0, failed = 0;

	if (senders == 0 || senders > MAX_SENDERS || receivers == 0 || messages < senders) {
		fprintf(stderr, "usage: stress_transfer [messages [senders, at most %d [receivers [seconds]]]]\n", MAX_SENDERS);
		return 2;
	}
	alarm(argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 60 + messages / 1000);
	for (int form = PLAIN; form < FORMS; form++)
		for (size_t k = 0; k < ARRAY_LEN(capacities); k++)
			if (transfer((enum form)form, capacities[k], senders, receivers, messages))
				passed++;
			else
				failed++;
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
