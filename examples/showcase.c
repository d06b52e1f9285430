/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * showcase [MILLISECONDS]: most of what there is, in one small dialogue of threads.  It takes seven seconds, or seven times
 * that long.
 *
 *     main ---- commands (broadcast) ----+--> send-1 ---- data-1 (anycast) ---.
 *       ^                                |--> send-2 ---- data-2 (anycast) ---+--> merge --> receive
 *       |                                '------------------------------------------------->   |
 *       '--------------------------- replies (anycast) <--- all three ------------------------'
 *
 * Two senders count, once a second: each selects between a periodic timer and its commands.  The receiver selects between a
 * merge of both counters, its commands, and a timer that it sets back with each message: it gives up when nothing has come
 * for two seconds.  Main pings all three, waits for their replies and, five seconds later, stops the senders.
 *
 * The dialogue is that of the showcase of Frequenz channels, in which these threads are tasks.
 */
#include <duct.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct text {
	char text[48];
};

enum command { PING, STOP_SENDER };

struct reply {
	char source[16];
};

DUCT_TYPE(texts, struct text);
DUCT_TYPE(commands, enum command);
DUCT_TYPE(replies, struct reply);

static const char *const command_names[] = { "PING", "STOP_SENDER" };

static int64_t second = 1000000000; /* nanoseconds */

static void must(duct_status status, const char *what)
{
	if (status == DUCT_OK)
		return;
	fprintf(stderr, "showcase: %s: %s\n", what, duct_strerror(status));
	exit(1);
}

static void reply_pong(replies_sender *replies, const char *source)
{
	struct reply reply;

	snprintf(reply.source, sizeof reply.source, "%s", source);
	must(replies_send(replies, &reply), "reply");
}

/* ---- The senders ------------------------------------------------------------------------------------------------------- */

struct sender {
	const char *name;
	texts_sender *data;
	commands_receiver *commands;
	replies_sender *replies;
	pthread_t thread;
};

/* False when told to stop. */
static bool obey(const struct sender *sender, enum command command)
{
	printf("%s: Received command: %s\n", sender->name, command_names[command]);
	if (command == STOP_SENDER) {
		printf("%s: Stopping\n", sender->name);
		return false;
	}
	printf("%s: Ping received, reply with pong\n", sender->name);
	reply_pong(sender->replies, sender->name);
	return true;
}

static void count_up(const struct sender *sender, int counter)
{
	struct text text;

	printf("%s: Sending %d\n", sender->name, counter);
	snprintf(text.text, sizeof text.text, "%s: %d", sender->name, counter);
	must(texts_send(sender->data, &text), "send");
}

/* Sends a number every second, until a stop command is received. */
static void *send_numbers(void *argument)
{
	struct sender *sender = argument;
	DUCT_AUTO_RECEIVER duct_receiver *timer = NULL;
	enum command command;
	int64_t drift;
	size_t chosen;
	int counter = 0;

	printf("%s: Starting\n", sender->name);
	must(duct_timer_new(&timer, second, NULL), "timer");
	duct_case cases[] = { DUCT_RECV(timer, &drift), commands_recv_case(sender->commands, &command) };
	while (duct_select(cases, 2, &chosen) == DUCT_OK) {
		if (chosen == 0)
			count_up(sender, counter++);
		else if (cases[1].status != DUCT_OK || !obey(sender, command))
			break;
	}
	texts_sender_free(sender->data);
	commands_receiver_free(sender->commands);
	replies_sender_free(sender->replies);
	printf("%s: Finished\n", sender->name);
	return NULL;
}

/* ---- The receiver ------------------------------------------------------------------------------------------------------ */

struct receiver {
	duct_receiver *merged;
	commands_receiver *commands;
	replies_sender *replies;
	pthread_t thread;
};

static void hear(const struct receiver *receiver, enum command command)
{
	printf("receive: received command: %s\n", command_names[command]);
	if (command != PING)
		return;
	printf("receive: Ping received, reply with pong\n");
	reply_pong(receiver->replies, "receive");
}

/* Receives from both counters, until nothing has come for two seconds. */
static void *receive_numbers(void *argument)
{
	struct receiver *receiver = argument;
	DUCT_AUTO_RECEIVER duct_receiver *silence = NULL;
	struct text text;
	enum command command;
	int64_t drift;
	size_t chosen;

	printf("receive: Starting\n");
	must(duct_timer_new(&silence, 2 * second, DUCT_TIMER_TIMEOUT), "timer");
	duct_case cases[] = { DUCT_RECV(receiver->merged, &text), DUCT_RECV(silence, &drift),
		commands_recv_case(receiver->commands, &command) };
	while (duct_select(cases, 3, &chosen) == DUCT_OK) {
		if (cases[chosen].status != DUCT_OK)
			continue; /* a case that ended is told once, and left out from then on */
		if (chosen == 0) {
			printf("receive: Received message '%s'\n", text.text);
			must(duct_timer_reset(silence, 0, 0, false), "reset");
		} else if (chosen == 1) {
			printf("receive: No data received for %.3f seconds, giving up\n",
			    (double)(duct_timer_interval(silence) + drift) / (double)second);
			break;
		} else {
			hear(receiver, command);
		}
	}
	duct_receiver_free(receiver->merged);
	commands_receiver_free(receiver->commands);
	replies_sender_free(receiver->replies);
	printf("receive: Finished\n");
	return NULL;
}

/* ---- Main -------------------------------------------------------------------------------------------------------------- */

static void start(pthread_t *thread, void *(*body)(void *), void *argument)
{
	if (pthread_create(thread, NULL, body, argument) != 0)
		must(DUCT_NOMEM, "thread");
}

/* Pings all, and prints who replies. */
static void ping(commands_sender *control, replies_receiver *replies)
{
	struct reply reply;

	must(commands_send(control, &(enum command){ PING }), "ping");
	for (int i = 0; i < 3; i++) {
		must(replies_recv(replies, &reply), "reply");
		printf("main: Reply PONG from %s\n", reply.source);
	}
}

static void pause_for(int64_t duration)
{
	DUCT_AUTO_RECEIVER duct_receiver *timer = NULL;
	int64_t drift;

	must(duct_timer_after(&timer, duration, NULL), "timer");
	must(duct_recv(timer, &drift), "timer");
}

int main(int argc, char **argv)
{
	struct sender senders[2] = { { .name = "send-1" }, { .name = "send-2" } };
	struct receiver receiver;
	commands_channel *commands;
	commands_sender *control;
	replies_channel *replies;
	replies_receiver *answers;
	texts_receiver *data[2];
	duct_receiver *sources[2];

	if (argc > 1)
		second = strtol(argv[1], NULL, 10) * 1000000;
	setvbuf(stdout, NULL, _IOLBF, 0);
	must(commands_broadcast_new(&commands, DUCT_OPTIONS(.name = "control-channel")), "channel");
	must(replies_anycast_new(&replies, 10, DUCT_OPTIONS(.name = "reply-channel")), "channel");
	for (int i = 0; i < 2; i++) {
		must(texts_open(&senders[i].data, &data[i], 10, DUCT_OPTIONS(.name = senders[i].name)), "channel");
		must(commands_subscribe(commands, &senders[i].commands, NULL), "receiver");
		must(replies_sender_new(replies, &senders[i].replies), "sender");
		sources[i] = texts_untyped_receiver(data[i]);
	}
	must(duct_merge_new(&receiver.merged, sources, 2, NULL), "merge");
	must(commands_subscribe(commands, &receiver.commands, NULL), "receiver");
	must(replies_sender_new(replies, &receiver.replies), "sender");
	must(commands_sender_new(commands, &control), "sender");
	must(replies_receiver_new(replies, &answers), "receiver");

	for (int i = 0; i < 2; i++)
		start(&senders[i].thread, send_numbers, &senders[i]);
	start(&receiver.thread, receive_numbers, &receiver);
	ping(control, answers);
	pause_for(5 * second);
	must(commands_send(control, &(enum command){ STOP_SENDER }), "stop");

	for (int i = 0; i < 2; i++)
		pthread_join(senders[i].thread, NULL);
	pthread_join(receiver.thread, NULL);
	commands_sender_free(control);
	replies_receiver_free(answers);
	commands_channel_free(commands);
	replies_channel_free(replies);
	return 0;
}
