/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The paths of the library that one thread can go alone, each repeated as often as wanted, for their instructions to be
 * counted: check-instructions.sh runs all of them under callgrind and compares.  Times waver by a tenth on a quiet machine;
 * these counts are the same every time, so that four needless instructions in a message's three hundred are seen.
 *
 *     paths NAME N    goes the path N times and then 10 * N times; "all": every path so
 *
 * Under callgrind each of the two runs ends with a dump of what it took, titled "NAME N".  The first run of a path comes after
 * a short one, for the linker to bind its calls and malloc to fill its caches; what a dump costs is the same for both.  So the
 * difference over 9 * N is one repetition: the calls, the looks at their statuses, and some five instructions of the loop.
 *
 * Why a count is the same every time, wherever the process and its memory lie:
 *
 *   - A thread of its own goes the paths, and callgrind dumps each thread by itself.  A process that never had two threads is
 *     spared atomic instructions in the C library's mutexes, and a process with channels has two.
 *   - A fair select starts where a number says that is made from the address of the stack (lib/turn.c), and an environment of
 *     another length moves that.  So the stack lies at a fixed place.  A new compilation may still move the frames on it: then
 *     send_select_4 and send_select_16 go through another piece of the sequence, and with N = 2,000 their mean moves by a
 *     quarter of the 1 % that is allowed for these two.  All other paths may differ by one instruction.
 *   - Messages are aligned, as the ring's slots are, and N is a multiple of the capacity: each run goes whole rounds of a ring.
 *   - The name of a channel has its number in it, so create_free is a mean over numbers: always the same ones.
 *
 * A path of a broadcast is the sends or the receives alone: what else its repetition needs is not collected.  To switch that
 * off and on again counts for some fifteen instructions, always the same.
 *
 * Without callgrind's header it does the same, and nobody counts.
 */
#include <duct.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined __has_include
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif
#ifndef CALLGRIND_DUMP_STATS_AT
#define CALLGRIND_DUMP_STATS_AT(title_) (void)(title_)
#define CALLGRIND_TOGGLE_COLLECT (void)0
#endif

#define CAPACITY 100
#define CHANNELS_MOST 16
#define BATCH 64
#define WARM CAPACITY
#define BOX_SIZE 65536
#define FAR_AWAY (DUCT_FOREVER - 1)
#define STACK_PLACE 0x60000000 /* free in every process, under valgrind too, with 32 bits as with 64 */
#define STACK_SIZE 0x100000

/* What a path works on: some channels, with both ends and a case to receive from each; or a broadcast, with its receivers. */
struct world {
	_Alignas(64) unsigned char out[BATCH * 8];
	_Alignas(64) unsigned char in[BATCH * 8];
	duct_channel *channels[CHANNELS_MOST];
	duct_sender *senders[CHANNELS_MOST];
	duct_receiver *receivers[CHANNELS_MOST];
	duct_case cases[CHANNELS_MOST];
	duct_case send_case;
	duct_cancel *cancel;
	duct_box *box;
	size_t count, next; /* channels or receivers, and the one whose turn it is */
};

enum kind {
	ANYCAST,
	BROADCAST, /* one channel, and as many receivers; they lose the oldest */
	BOXES      /* a broadcast of boxes */
};

struct path {
	const char *name;
	void (*run)(struct world *world);
	size_t message_size, channels, queued; /* queued: messages in each channel, which stay */
	enum kind kind;
};

/* A path that does not do what it is named for would be counted as a fast one. */
static void must(bool condition)
{
	if (!condition) {
		fputs("paths: a call did not come to what it should\n", stderr);
		abort();
	}
}

/* ---- The paths: one repetition each, which leaves everything as it was ------------------------------------------ */

static void send_recv(struct world *world)
{
	must(duct_send(world->senders[0], world->out) == DUCT_OK);
	must(duct_recv(world->receivers[0], world->in) == DUCT_OK);
}

static void try_send_recv(struct world *world)
{
	must(duct_try_send(world->senders[0], world->out) == DUCT_OK);
	must(duct_try_recv(world->receivers[0], world->in) == DUCT_OK);
}

static void try_send_full(struct world *world)
{
	must(duct_try_send(world->senders[0], world->out) == DUCT_FULL);
}

static void try_recv_empty(struct world *world)
{
	must(duct_try_recv(world->receivers[0], world->in) == DUCT_EMPTY);
}

static void send_recv_until(struct world *world)
{
	must(duct_send_until(world->senders[0], world->out, FAR_AWAY, NULL) == DUCT_OK);
	must(duct_recv_until(world->receivers[0], world->in, FAR_AWAY, NULL) == DUCT_OK);
}

static void send_recv_cancel(struct world *world)
{
	must(duct_send(world->senders[0], world->out) == DUCT_OK);
	must(duct_recv_until(world->receivers[0], world->in, DUCT_FOREVER, world->cancel) == DUCT_OK);
}

static void send_recv_many(struct world *world)
{
	size_t sent, received;

	must(duct_send_many(world->senders[0], world->out, BATCH, &sent, DUCT_FOREVER, NULL) == DUCT_OK);
	must(duct_recv_many(world->receivers[0], world->in, 1, BATCH, &received, DUCT_FOREVER, NULL) == DUCT_OK);
	must(sent == BATCH && received == BATCH);
}

/* Each channel in turn is the one that has a message. */
static void send_select(struct world *world)
{
	size_t ready = world->next, chosen;

	world->next = ready + 1 < world->count ? ready + 1 : 0;
	must(duct_send(world->senders[ready], world->out) == DUCT_OK);
	must(duct_select(world->cases, world->count, &chosen) == DUCT_OK && chosen == ready);
}

static void try_select_none(struct world *world)
{
	size_t chosen;

	must(duct_try_select(world->cases, world->count, &chosen) == DUCT_EMPTY);
}

static void select_send_recv(struct world *world)
{
	size_t chosen;

	must(duct_select(&world->send_case, 1, &chosen) == DUCT_OK);
	must(duct_recv(world->receivers[0], world->in) == DUCT_OK);
}

static void create_free(struct world *world)
{
	duct_channel *channel;
	duct_sender *sender;
	duct_receiver *receiver;

	(void)world;
	must(duct_anycast_new(&channel, 8, CAPACITY, NULL) == DUCT_OK);
	must(duct_sender_new(channel, &sender) == DUCT_OK);
	must(duct_receiver_new(channel, &receiver) == DUCT_OK);
	duct_sender_free(sender);
	duct_receiver_free(receiver);
	duct_channel_free(channel);
}

static void clone_free(struct world *world)
{
	duct_sender *clone;

	must(duct_sender_clone(world->senders[0], &clone) == DUCT_OK);
	duct_sender_free(clone);
}

static void channel_len(struct world *world)
{
	must(duct_channel_len(world->channels[0]) == 0);
}

static void receive_all(struct world *world)
{
	for (size_t i = 0; i < world->count; i++)
		must(duct_recv(world->receivers[i], world->in) == DUCT_OK);
}

static void publish(struct world *world)
{
	must(duct_send(world->senders[0], world->out) == DUCT_OK);
	CALLGRIND_TOGGLE_COLLECT;
	receive_all(world);
	CALLGRIND_TOGGLE_COLLECT;
}

static void publish_recv(struct world *world)
{
	CALLGRIND_TOGGLE_COLLECT;
	must(duct_send(world->senders[0], world->out) == DUCT_OK);
	CALLGRIND_TOGGLE_COLLECT;
	receive_all(world);
}

/* The oldest message makes room. */
static void publish_over(struct world *world)
{
	must(duct_send(world->senders[0], world->out) == DUCT_OK);
}

/* The box has a reference more before; each receiver frees its own. */
static void publish_box(struct world *world)
{
	duct_box *box;

	CALLGRIND_TOGGLE_COLLECT;
	box = duct_box_ref(world->box);
	CALLGRIND_TOGGLE_COLLECT;
	must(duct_send(world->senders[0], &box) == DUCT_OK);
	CALLGRIND_TOGGLE_COLLECT;
	for (size_t i = 0; i < world->count; i++) {
		must(duct_recv(world->receivers[i], &box) == DUCT_OK && box == world->box);
		duct_box_free(box);
	}
	CALLGRIND_TOGGLE_COLLECT;
}

static const struct path paths[] = {
	{ "send_recv_8", send_recv, 8, 1, 0, ANYCAST },
	{ "send_recv_1", send_recv, 1, 1, 0, ANYCAST },
	{ "send_recv_64", send_recv, 64, 1, 0, ANYCAST },
	{ "send_recv_256", send_recv, 256, 1, 0, ANYCAST },
	{ "try_send_recv", try_send_recv, 8, 1, 0, ANYCAST },
	{ "try_send_full", try_send_full, 8, 1, CAPACITY, ANYCAST },
	{ "try_recv_empty", try_recv_empty, 8, 1, 0, ANYCAST },
	{ "send_recv_until", send_recv_until, 8, 1, 0, ANYCAST },
	{ "send_recv_cancel", send_recv_cancel, 8, 1, 0, ANYCAST },
	{ "send_recv_many_64", send_recv_many, 8, 1, 0, ANYCAST },
	{ "send_select_4", send_select, 8, 4, 0, ANYCAST },
	{ "send_select_16", send_select, 8, 16, 0, ANYCAST },
	{ "try_select_4_none", try_select_none, 8, 4, 0, ANYCAST },
	{ "select_send_recv", select_send_recv, 8, 1, 0, ANYCAST },
	{ "create_free", create_free, 8, 0, 0, ANYCAST },
	{ "clone_free_sender", clone_free, 8, 1, 0, ANYCAST },
	{ "channel_len", channel_len, 8, 1, 0, ANYCAST },
	{ "publish_1", publish, 8, 1, 0, BROADCAST },
	{ "publish_4", publish, 8, 4, 0, BROADCAST },
	{ "publish_recv", publish_recv, 8, 1, 0, BROADCAST },
	{ "publish_over_full", publish_over, 8, 1, CAPACITY, BROADCAST },
	{ "publish_box_4", publish_box, sizeof(duct_box *), 4, 0, BOXES },
};

/* ---- The world --------------------------------------------------------------------------------------------------- */

static void world_init_anycast(struct world *world, const struct path *path)
{
	for (size_t i = world->count; i-- > 0;) {
		must(duct_anycast_new(&world->channels[i], path->message_size, CAPACITY, NULL) == DUCT_OK);
		must(duct_sender_new(world->channels[i], &world->senders[i]) == DUCT_OK);
		must(duct_receiver_new(world->channels[i], &world->receivers[i]) == DUCT_OK);
		world->cases[i] = duct_recv_case(world->receivers[i], world->in);
	}
	world->send_case = duct_send_case(world->senders[0], world->out);
}

static void world_init_broadcast(struct world *world, const struct path *path)
{
	const duct_options *options = path->kind == BOXES ? DUCT_OPTIONS(DUCT_BOX_HOOKS) : NULL;

	must(duct_broadcast_new(&world->channels[0], path->message_size, options) == DUCT_OK);
	must(duct_sender_new(world->channels[0], &world->senders[0]) == DUCT_OK);
	for (size_t i = 0; i < world->count; i++)
		must(duct_subscribe(world->channels[0], &world->receivers[i], DUCT_SUBSCRIPTION(.capacity = CAPACITY)) ==
		     DUCT_OK);
}

static void world_init(struct world *world, const struct path *path)
{
	memset(world, 0, sizeof *world);
	must(duct_cancel_new(&world->cancel, NULL, DUCT_FOREVER) == DUCT_OK);
	must(duct_box_new(&world->box, BOX_SIZE, NULL, NULL) == DUCT_OK);
	world->count = path->channels;
	if (path->kind == ANYCAST)
		world_init_anycast(world, path);
	else
		world_init_broadcast(world, path);
	for (size_t i = 0; i < CHANNELS_MOST && world->senders[i] != NULL; i++)
		for (size_t queued = 0; queued < path->queued; queued++)
			must(duct_send(world->senders[i], world->out) == DUCT_OK);
}

static void world_fini(struct world *world)
{
	for (size_t i = 0; i < world->count; i++) {
		duct_sender_free(world->senders[i]);
		duct_receiver_free(world->receivers[i]);
		duct_channel_free(world->channels[i]);
	}
	duct_cancel_free(world->cancel);
	duct_box_free(world->box);
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

static void repeat(const struct path *path, struct world *world, unsigned long n)
{
	for (; n > 0; n--)
		path->run(world);
}

static void repeat_counted(const struct path *path, struct world *world, unsigned long n)
{
	char title[64];

	snprintf(title, sizeof title, "%s %lu", path->name, n);
	repeat(path, world, n);
	CALLGRIND_DUMP_STATS_AT(title);
}

static void go(const struct path *path, unsigned long n)
{
	static struct world world;

	world_init(&world, path);
	repeat_counted(path, &world, WARM);
	repeat_counted(path, &world, n);
	repeat_counted(path, &world, 10 * n);
	world_fini(&world);
}

struct order {
	const char *name;
	unsigned long n;
	bool found;
};

static void *go_ordered(void *data)
{
	struct order *order = data;

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		if (strcmp(order->name, "all") != 0 && strcmp(order->name, paths[i].name) != 0)
			continue;
		order->found = true;
		go(&paths[i], order->n);
	}
	return NULL;
}

/* Calls on a stack at its fixed place. */
static bool call_in_place(void *(*call)(void *data), void *data)
{
	void *place = (void *)(uintptr_t)STACK_PLACE;
	void *stack = mmap(place, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;

	return stack == place && pthread_attr_init(&attributes) == 0 &&
	       pthread_attr_setstack(&attributes, stack, STACK_SIZE) == 0 &&
	       pthread_create(&thread, &attributes, call, data) == 0 && pthread_join(thread, NULL) == 0;
}

int main(int argc, char **argv)
{
	struct order order = { .name = argc == 3 ? argv[1] : "", .n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0 };

	if (order.n == 0) {
		fputs("usage: paths NAME|all N\n", stderr);
		return 2;
	}
	if (!call_in_place(go_ordered, &order)) {
		fputs("paths: no thread with its stack in place\n", stderr);
		return 1;
	}
	if (!order.found) {
		fprintf(stderr, "paths: no path %s\n", order.name);
		return 2;
	}
	return 0;
}
