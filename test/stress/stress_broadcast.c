/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Broadcast: four senders, and four receivers of each of the five policies, at full speed.
 *
 *   whole    with hooks that know each instance of a message: none is leaked or ended twice; receipts of all sends, what the
 *            receivers counted, what they were told of their lag and what they got add up
 *   bytes    without hooks, with every form of send and receive
 *   coming   with both; and receivers join, change their policy, leave, are cloned, closed and freed with unread messages, and
 *            become peekables, all the time, while the replay changes
 *
 * The first of the receivers that block is there all the time and gets all messages: its sequence is the order of the channel.
 * It has each sender's messages in order; those of all others are parts of it.  A receiver that is cut off drains, and joins
 * again.  A hang ends in an alarm.
 *
 *     stress_broadcast [messages [seconds until the alarm [seed [whole | bytes | coming]]]]
 */
#include "harness.h"

#include <unistd.h>

#define SENDERS 4u
#define POLICIES 5u
#define EACH 4u
#define RECEIVERS (POLICIES * EACH)
#define BATCH 8u
#define POOL (1u << 16) /* more instances than can be alive at once */
#define PART_ENDS UINT32_MAX

static const duct_overflow policies[POLICIES] = { DUCT_BLOCK, DUCT_DROP_OLDEST, DUCT_DROP_NEWEST, DUCT_LATEST_ONLY,
	DUCT_CUT_OFF };

/* A message: the code says which one it is, the rest which instance of it. */
struct message {
	uint32_t code, slot, generation;
};

enum part { WHOLE, BYTES, COMING, PARTS };

static const char *const part_names[PARTS] = { "whole", "bytes", "coming" };

/* What all threads of a part share. */
static struct {
	enum part part;
	uint32_t each; /* messages of a sender */
	duct_channel *channel;
	atomic_bool sent_all;
	atomic_ulong delivered, lost; /* by receipts */
	atomic_ulong refused;         /* by receivers: of the lost, those that were not displaced by newer ones */
	atomic_ulong missed;          /* all that receivers lost */
	atomic_ulong counted;         /* all that was sent to receivers */
	atomic_ulong received;        /* messages in hands */
} run;

/* ---- Instances -------------------------------------------------------------------------------------------------------- */

/* Of each slot the generation that is alive; 0: none. */
static _Atomic uint32_t alive[POOL];
static _Atomic uint32_t next_generation;
static atomic_ulong made, ended;

static struct message instance_new(uint32_t code)
{
	uint32_t generation, slot, nobody = 0;

	do
		generation = atomic_fetch_add(&next_generation, 1) + 1;
	while (generation == 0);
	for (slot = generation % POOL; !atomic_compare_exchange_strong(&alive[slot], &nobody, generation); nobody = 0)
		slot = (slot + 1) % POOL;
	atomic_fetch_add(&made, 1);
	return (struct message){ code, slot, generation };
}

static void instance_end(const struct message *message)
{
	uint32_t generation = message->generation;

	CHECK(message->slot < POOL && atomic_compare_exchange_strong(&alive[message->slot], &generation, 0));
	atomic_fetch_add(&ended, 1);
}

static int copy_instance(void *to, const void *from, void *context)
{
	struct message copy;

	(void)context;
	memcpy(&copy, from, sizeof copy);
	CHECK(atomic_load(&alive[copy.slot]) == copy.generation);
	copy = instance_new(copy.code);
	memcpy(to, &copy, sizeof copy);
	return 0;
}

static void drop_instance(void *message, void *context)
{
	struct message dropped;

	(void)context;
	memcpy(&dropped, message, sizeof dropped);
	instance_end(&dropped);
}

static bool has_hooks(void)
{
	return run.part != BYTES;
}

static struct message message_new(uint32_t code)
{
	return has_hooks() ? instance_new(code) : (struct message){ code, 0, 0 };
}

static void message_end(const struct message *message)
{
	if (has_hooks())
		instance_end(message);
}

/* ---- Senders ---------------------------------------------------------------------------------------------------------- */

struct sending {
	uint32_t number, random;
	duct_sender *tx;
	pthread_t thread;
};

static uint32_t code_of(uint32_t sender, uint32_t number)
{
	return number * SENDERS + sender;
}

static void publish(struct sending *self, uint32_t number)
{
	struct message message = message_new(code_of(self->number, number));
	duct_receipt receipt;

	CHECK_STATUS(duct_publish(self->tx, &message, &receipt, DUCT_FOREVER, NULL), DUCT_OK);
	atomic_fetch_add(&run.delivered, receipt.delivered);
	atomic_fetch_add(&run.lost, receipt.lost);
}

/* In one of the forms; how many were sent. */
static size_t send_batch(struct sending *self, const struct message *batch, size_t count)
{
	size_t sent = 0, chosen;
	duct_case cases[] = { DUCT_SEND(self->tx, batch), DUCT_SEND(self->tx, batch) };
	duct_time soon = duct_after_ns(test_random(&self->random) % 50000);
	duct_status status;

	switch (test_random(&self->random) % 5) {
	case 0:
		status = duct_send_many(self->tx, batch, count, &sent, soon, NULL);
		CHECK(status == DUCT_OK ? sent == count : status == DUCT_TIMEDOUT && sent < count);
		return sent;
	case 1:
		CHECK_STATUS(duct_sender_wait(self->tx, DUCT_FOREVER, NULL), DUCT_OK);
		status = duct_try_send(self->tx, batch);
		CHECK(status == DUCT_OK || status == DUCT_FULL);
		return status == DUCT_OK;
	case 2:
		status = duct_select_until(cases, 2, &chosen, DUCT_FAIR, soon, NULL);
		CHECK(status == DUCT_OK ? cases[chosen].status == DUCT_OK : status == DUCT_TIMEDOUT);
		return status == DUCT_OK;
	case 3:
		status = duct_send_until(self->tx, batch, soon, NULL);
		CHECK(status == DUCT_OK || status == DUCT_TIMEDOUT);
		return status == DUCT_OK;
	default:
		CHECK_STATUS(duct_send(self->tx, batch), DUCT_OK);
		return 1;
	}
}

/* One or more from number on; what was not sent is still the sender's. */
static uint32_t send_somehow(struct sending *self, uint32_t number)
{
	struct message batch[BATCH];
	const uint32_t most = run.each - number < BATCH ? run.each - number : BATCH;
	size_t sent;

	for (uint32_t n = 0; n < most; n++)
		batch[n] = message_new(code_of(self->number, number + n));
	sent = send_batch(self, batch, most);
	for (size_t n = sent; n < most; n++)
		message_end(&batch[n]);
	return (uint32_t)sent;
}

static void *run_sender(void *argument)
{
	struct sending *self = argument;

	for (uint32_t number = 0; number < run.each;) {
		if (run.part == WHOLE)
			publish(self, number++);
		else
			number += send_somehow(self, number);
	}
	duct_sender_free(self->tx);
	return NULL;
}

/* ---- Receivers -------------------------------------------------------------------------------------------------------- */

struct receiving {
	uint32_t number, random;
	duct_overflow overflow;
	bool tell_lag, steady; /* steady: the first that blocks */
	duct_receiver *rx;
	uint64_t got, told, joins; /* of rx; of all */
	uint32_t *codes;           /* what was received, PART_ENDS behind each receiver's */
	size_t count, room;
	pthread_t thread;
};

static uint32_t pick(struct receiving *self, uint32_t below)
{
	return test_random(&self->random) % below;
}

static void note(struct receiving *self, uint32_t code)
{
	if (self->count == self->room) {
		self->room = self->room * 2 + 1024;
		self->codes = realloc(self->codes, self->room * sizeof *self->codes);
		CHECK(self->codes != NULL);
	}
	self->codes[self->count++] = code;
}

static void take(struct receiving *self, const struct message *messages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		note(self, messages[i].code);
		message_end(&messages[i]);
	}
	self->got += count;
	atomic_fetch_add(&run.received, count);
}

/* Where all wait for the slowest, queues of a few messages would make each message cost a switch of threads. */
static size_t some_capacity(struct receiving *self)
{
	if (self->overflow == DUCT_LATEST_ONLY)
		return 1;
	return self->overflow == DUCT_BLOCK && run.part != COMING ? 100 + pick(self, 200) : 1 + pick(self, 64);
}

static void join(struct receiving *self)
{
	const duct_subscription *subscription =
	    DUCT_SUBSCRIPTION(.overflow = self->overflow, .tell_lag = self->tell_lag, .capacity = some_capacity(self));

	CHECK_STATUS(duct_subscribe(run.channel, &self->rx, subscription), DUCT_OK);
	self->got = self->told = 0;
	self->joins++;
}

/* The receiver has left or is about to: what it counted adds up, and is what this thread has seen. */
static void account(struct receiving *self)
{
	duct_stats stats;

	CHECK_STATUS(duct_receiver_stats(self->rx, &stats), DUCT_OK);
	CHECK(stats.sent == stats.received + stats.lost + stats.queued + stats.discarded);
	CHECK(stats.received == self->got && stats.discarded == 0);
	CHECK(self->told <= stats.lost && (run.part == COMING || !self->tell_lag || self->told == stats.lost));
	atomic_fetch_add(&run.missed, stats.lost);
	atomic_fetch_add(&run.counted, stats.sent);
	if (self->overflow == DUCT_DROP_NEWEST || self->overflow == DUCT_CUT_OFF)
		atomic_fetch_add(&run.refused, stats.lost);
	note(self, PART_ENDS);
}

/* One receive in some form, which waits for a moment at most; its status, a LAGGED being told of. */
static duct_status receive_somehow(struct receiving *self)
{
	struct message in[BATCH];
	duct_case cases[] = { DUCT_RECV(self->rx, in) };
	duct_time deadline = duct_after_ns(1000 + pick(self, 1000000));
	size_t received = 0, chosen;
	duct_status status;

	switch (pick(self, 5)) {
	case 0:
		status = duct_recv_many(self->rx, in, 1 + pick(self, BATCH), BATCH, &received, deadline, NULL);
		break;
	case 1:
		status = duct_try_recv(self->rx, in);
		received = status == DUCT_OK;
		break;
	case 2:
		status = duct_select_until(cases, 1, &chosen, DUCT_FAIR, deadline, NULL);
		status = status == DUCT_OK ? cases[0].status : status;
		received = status == DUCT_OK;
		break;
	default:
		status = duct_recv_until(self->rx, in, deadline, NULL);
		received = status == DUCT_OK;
	}
	take(self, in, received);
	if (status == DUCT_LAGGED)
		self->told += duct_receiver_lag(self->rx);
	return status;
}

static bool goes_on(duct_status status)
{
	return status == DUCT_OK || status == DUCT_EMPTY || status == DUCT_TIMEDOUT || status == DUCT_LAGGED;
}

/* Reads until the end; who was cut off joins again. */
static void *run_receiver(void *argument)
{
	struct receiving *self = argument;
	bool again = true;
	duct_status status;

	while (again) {
		while (goes_on(status = receive_somehow(self)))
			;
		CHECK_STATUS(status, DUCT_CLOSED);
		again = duct_receiver_is_cut_off(self->rx) && !duct_channel_is_closed(run.channel);
		CHECK(!duct_receiver_is_cut_off(self->rx) || self->overflow == DUCT_CUT_OFF);
		account(self);
		duct_receiver_free(self->rx);
		if (again)
			join(self);
	}
	return NULL;
}

/* ---- Coming and going ------------------------------------------------------------------------------------------------- */

/* A peekable of a receiver, that is looked at a few times, while the receiver drains. */
static void become_peekable(struct receiving *self)
{
	duct_peekable *peekable;
	struct message seen;
	duct_status status = duct_receiver_into_peekable(self->rx, &peekable);

	if (status != DUCT_OK) {
		CHECK_STATUS(status, DUCT_CLOSED);
		return;
	}
	for (int looks = 0; looks < 3; looks++) {
		status = duct_peek(peekable, &seen);
		CHECK(status == DUCT_OK || status == DUCT_EMPTY || status == DUCT_CLOSED);
		if (status == DUCT_OK)
			message_end(&seen);
	}
	while (goes_on(status = receive_somehow(self)))
		;
	CHECK_STATUS(status, DUCT_INVALIDATED);
	duct_peekable_free(peekable);
}

static void change_policy(struct receiving *self)
{
	self->overflow = policies[pick(self, POLICIES)];
	CHECK_STATUS(duct_receiver_set_overflow(self->rx, self->overflow), DUCT_OK);
}

static void clone_and_read(struct receiving *self)
{
	struct message in;
	duct_receiver *clone;
	duct_status status = duct_receiver_clone(self->rx, &clone);

	if (status != DUCT_OK) {
		CHECK_STATUS(status, DUCT_CLOSED);
		return;
	}
	if (duct_recv_until(clone, &in, duct_after_ns(100000), NULL) == DUCT_OK)
		message_end(&in);
	duct_receiver_free(clone);
}

/* What a channel keeps for later receivers, and waiting for these, while others come and go. */
static void change_channel(struct receiving *self)
{
	const duct_time soon = duct_after_ns(pick(self, 100000));
	duct_status status = duct_channel_wait_receivers(run.channel, 1 + pick(self, RECEIVERS), soon, NULL);

	CHECK(status == DUCT_OK || status == DUCT_TIMEDOUT || status == DUCT_CLOSED);
	CHECK_STATUS(duct_channel_set_replay(run.channel, pick(self, 6)), DUCT_OK);
}

/* One receiver's life: it reads for a while, meanwhile something happens to it, and is freed with what it has not read. */
static void live(struct receiving *self)
{
	uint32_t steps = 1 + pick(self, 40);
	duct_status status = DUCT_OK;

	self->overflow = policies[pick(self, POLICIES)];
	self->tell_lag = pick(self, 2);
	join(self);
	while (steps-- > 0 && goes_on(status)) {
		switch (pick(self, 30)) {
		case 0:
			change_policy(self);
			break;
		case 1:
			clone_and_read(self);
			break;
		case 2:
			duct_receiver_close(self->rx);
			break;
		case 3:
			become_peekable(self);
			break;
		case 4:
			change_channel(self);
			break;
		default:
			status = receive_somehow(self);
		}
	}
	account(self);
	duct_receiver_free(self->rx);
}

static void *run_member(void *argument)
{
	struct receiving *self = argument;

	while (!atomic_load(&run.sent_all))
		live(self);
	return NULL;
}

/* ---- The order -------------------------------------------------------------------------------------------------------- */

/* The steady receiver has everything, each sender's in order; where[] becomes the place of each message. */
static void order_of(const struct receiving *steady, uint32_t *where)
{
	uint32_t next[SENDERS] = { 0 };

	CHECK(steady->joins == 1 && steady->count == (size_t)run.each * SENDERS + 1);
	for (uint32_t place = 0; place + 1 < steady->count; place++) {
		uint32_t code = steady->codes[place];

		CHECK(code / SENDERS == next[code % SENDERS]++);
		where[code] = place;
	}
}

/* In each part the places rise; without a loss and a gap where the receiver blocks. */
static void check_order(const struct receiving *self, const uint32_t *where, bool whole)
{
	int64_t last = -1;

	for (size_t i = 0; i < self->count; i++) {
		uint32_t code = self->codes[i];

		if (code == PART_ENDS) {
			last = -1;
			continue;
		}
		CHECK(code < run.each * SENDERS && (int64_t)where[code] > last);
		CHECK(!whole || where[code] == last + 1);
		last = where[code];
	}
	CHECK(!whole || self->count == (size_t)run.each * SENDERS + 1);
}

static void check_orders(const struct receiving *receivers)
{
	uint32_t *where = malloc((size_t)run.each * SENDERS * sizeof *where);

	CHECK(where != NULL);
	order_of(&receivers[0], where);
	for (uint32_t r = 1; r < RECEIVERS; r++)
		check_order(&receivers[r], where, run.part != COMING && receivers[r].overflow == DUCT_BLOCK);
	free(where);
}

/* Where all policies stayed what they were, the receipts say what the receivers counted. */
static void check_sums(void)
{
	if (run.part == WHOLE) {
		CHECK(atomic_load(&run.lost) == atomic_load(&run.missed));
		CHECK(atomic_load(&run.delivered) == atomic_load(&run.counted) - atomic_load(&run.refused));
	}
	if (run.part != COMING)
		CHECK(atomic_load(&run.counted) == atomic_load(&run.received) + atomic_load(&run.missed));
	CHECK(atomic_load(&made) == atomic_load(&ended));
	for (uint32_t slot = 0; slot < POOL; slot++)
		CHECK(atomic_load(&alive[slot]) == 0);
}

/* ---- The run ---------------------------------------------------------------------------------------------------------- */

static void begin(enum part part, uint32_t messages)
{
	const duct_options *options =
	    part == BYTES ? DUCT_OPTIONS(.name = "bytes")
			  : DUCT_OPTIONS(.copy = copy_instance, .drop = drop_instance, .replay = part == COMING ? 3 : 0);

	memset(&run, 0, sizeof run);
	run.part = part;
	run.each = messages / SENDERS;
	CHECK_STATUS(duct_broadcast_new(&run.channel, sizeof(struct message), options), DUCT_OK);
}

static void start_receivers(struct receiving *receivers, uint32_t seed)
{
	for (uint32_t r = 0; r < RECEIVERS; r++) {
		struct receiving *self = &receivers[r];
		bool steady = run.part != COMING || r == 0;

		*self = (struct receiving){ .number = r, .random = seed * 1000003 + r * 77777 + 1 };
		self->random += self->random == 0; /* which would stay */
		self->overflow = policies[r / EACH];
		self->tell_lag = r % 2;
		if (steady)
			join(self);
		self->thread = test_start(steady ? run_receiver : run_member, self);
	}
}

static void send_all(uint32_t seed)
{
	struct sending senders[SENDERS];

	for (uint32_t s = 0; s < SENDERS; s++) {
		senders[s] = (struct sending){ .number = s, .random = seed * 999983 + s * 31 + 7 };
		senders[s].random += senders[s].random == 0;
		CHECK_STATUS(duct_sender_new(run.channel, &senders[s].tx), DUCT_OK);
	}
	for (uint32_t s = 0; s < SENDERS; s++)
		senders[s].thread = test_start(run_sender, &senders[s]);
	for (uint32_t s = 0; s < SENDERS; s++)
		test_join(senders[s].thread);
}

static void run_part(enum part part, uint32_t messages, uint32_t seed)
{
	struct receiving receivers[RECEIVERS];
	uint64_t joins = 0;

	begin(part, messages);
	start_receivers(receivers, seed);
	send_all(seed);
	atomic_store(&run.sent_all, true);
	duct_channel_close(run.channel, 0);
	for (uint32_t r = 0; r < RECEIVERS; r++) {
		test_join(receivers[r].thread);
		joins += receivers[r].joins;
	}
	CHECK(duct_channel_receivers(run.channel) == 0 && duct_channel_senders(run.channel) == 0);
	CHECK(duct_channel_waiting_receivers(run.channel) == 0 && duct_channel_waiting_senders(run.channel) == 0);
	duct_channel_free(run.channel);
	check_orders(receivers);
	check_sums();
	printf("ok   %s: %u messages, %lu received, %lu lost, by %lu receivers\n", part_names[part], run.each * SENDERS,
	    atomic_load(&run.received), atomic_load(&run.missed), (unsigned long)joins);
	for (uint32_t r = 0; r < RECEIVERS; r++)
		free(receivers[r].codes);
}

/* support.c has these for the tests. */
pthread_t test_start(void *(*start)(void *), void *argument)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, start, argument) == 0);
	return thread;
}

void test_join(pthread_t thread)
{
	CHECK(pthread_join(thread, NULL) == 0);
}

int main(int argc, char **argv)
{
	uint32_t messages = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 20000;
	uint32_t seed = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	int passed = 0;

	alarm(argc > 2 ? (unsigned)atol(argv[2]) : 60 + messages / 1000);
	for (enum part part = WHOLE; part < PARTS; part++) {
		if (argc > 4 && strcmp(argv[4], part_names[part]) != 0)
			continue;
		run_part(part, messages, seed);
		passed++;
	}
	printf("%d passed, 0 failed\n", passed);
	return passed == 0;
}
