/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable, for broadcasts and what is built on them: as nomem_test.c, but with a channel of
 * its own states.  Every function of theirs, and every one that moves messages, meets each of its n faults in turn; the copies
 * of a message that the hook makes take memory too, so that they fail like everything else, and are seen to leak if they do.
 *
 * After a call that fails all receivers, the replay, and the message are as they were, but for what a batch says that it moved;
 * made again, it comes to what it comes to where nothing fails.  Of a cache that could not take in what its receiver has,
 * nothing is lost.
 */
#include "arena.h"
#include "faults.h"
#include "harness.h"

#define BIG 2000 /* more than what a send has room for by itself */
#define BATCH 3
#define MOST 12
#define MOST_CASES 40
#define OUT_VALUE 1000
#define UNTOUCHED (-1)

/* ---- The world -------------------------------------------------------------------------------------------------------- */

struct message {
	int number;
	void *owned; /* with hooks: memory of this instance */
	char filling[BIG - sizeof(int) - sizeof(void *)];
};

enum hooks { NONE, DROPS, COPIES, LOGS };

struct state {
	const char *name;
	enum hooks hooks;
	duct_overflow overflow; /* of the small receiver, which has room for two */
	int queued;
	size_t replay;
	duct_unheard unheard;
	bool nobody, tell_lag, closed;
};

static const struct state states[] = {
	{ .name = "empty" },
	{ .name = "partly full", .queued = 1 },
	{ .name = "partly full, with a replay", .queued = 1, .replay = 3 },
	{ .name = "full of the oldest", .queued = 2 },
	{ .name = "full of the newest", .queued = 2, .overflow = DUCT_DROP_NEWEST },
	{ .name = "full of the latest", .queued = 2, .overflow = DUCT_LATEST_ONLY },
	{ .name = "full, and blocks", .queued = 2, .overflow = DUCT_BLOCK },
	{ .name = "full, to be cut off", .queued = 2, .overflow = DUCT_CUT_OFF },
	{ .name = "cut off", .queued = 3, .overflow = DUCT_CUT_OFF },
	{ .name = "lagging", .queued = 3, .tell_lag = true },
	{ .name = "closed", .queued = 2, .closed = true, .replay = 2 },
	{ .name = "nobody", .queued = 2, .nobody = true, .replay = 2 },
	{ .name = "nobody, who is waited for", .nobody = true, .unheard = DUCT_UNHEARD_WAIT },
	{ .name = "nobody, which fails", .nobody = true, .unheard = DUCT_UNHEARD_FAIL },
	{ .name = "dropping, empty", .hooks = DROPS },
	{ .name = "dropping, full of the oldest", .hooks = DROPS, .queued = 2, .replay = 1 },
	{ .name = "dropping, nobody", .hooks = DROPS, .queued = 2, .replay = 2, .nobody = true },
	{ .name = "copying, empty", .hooks = COPIES, .replay = 2 },
	{ .name = "copying, full of the oldest", .hooks = COPIES, .queued = 2 },
	{ .name = "copying, full of the newest", .hooks = COPIES, .queued = 2, .overflow = DUCT_DROP_NEWEST, .replay = 3 },
	{ .name = "copying, full of the latest", .hooks = COPIES, .queued = 2, .overflow = DUCT_LATEST_ONLY },
	{ .name = "copying, full, and blocks", .hooks = COPIES, .queued = 2, .overflow = DUCT_BLOCK, .replay = 1 },
	{ .name = "copying, full, to be cut off", .hooks = COPIES, .queued = 2, .overflow = DUCT_CUT_OFF },
	{ .name = "copying, lagging", .hooks = COPIES, .queued = 3, .tell_lag = true, .replay = 5 },
	{ .name = "copying, closed", .hooks = COPIES, .queued = 2, .closed = true, .replay = 2 },
	{ .name = "copying, nobody", .hooks = COPIES, .queued = 3, .replay = 2, .nobody = true },
	{ .name = "copying, nobody, who is waited for", .hooks = COPIES, .nobody = true, .unheard = DUCT_UNHEARD_WAIT },
	{ .name = "logging, full of the oldest", .hooks = LOGS, .queued = 2 },
	{ .name = "logging, full, to be cut off", .hooks = LOGS, .queued = 2, .overflow = DUCT_CUT_OFF },
	{ .name = "logging, full, and blocks", .hooks = LOGS, .queued = 2, .overflow = DUCT_BLOCK },
};

static const size_t state_count = ARRAY_LEN(states);

/* Tokens end calls on broadcasts as they do all others: nomem_test.c has them. */
enum token { NO_TOKEN, TOKENS };

static const char *const token_names[TOKENS] = { "no token" };

/* What a form needs. */
enum {
	SMALL = 1, /* the receivers, unless there is nobody */
	LATEST = 2,
	PEEKABLE = 4,
	CACHE = 8,
	BOX = 16
};

struct world {
	const struct state *state;
	struct arena arena;
	duct_channel *channel;
	duct_sender *tx;
	duct_receiver *small, *wide, *taken; /* taken over by the one of the next three that there is */
	duct_latest *latest;
	duct_peekable *peekable;
	duct_cache *cache;
	duct_box *box;

	/* For the call. */
	duct_channel *new_channel;
	duct_sender *new_tx;
	duct_receiver *new_rx;
	duct_latest *new_latest;
	duct_peekable *new_peekable;
	duct_cache *new_cache;
	duct_box *new_box;
	struct message out[BATCH], in[MOST];
	duct_case cases[MOST_CASES];
	size_t chosen, sent, received, count;
	duct_receipt receipt;
	duct_stats stats;
	uint64_t cursor;
};

static int copy_owned(void *to, const void *from, void *context)
{
	void *owned = malloc(8);

	(void)context;
	if (owned == NULL)
		return 1;
	CHECK(((const struct message *)from)->owned != NULL);
	memcpy(to, from, sizeof(struct message));
	((struct message *)to)->owned = owned;
	return 0;
}

static void drop_owned(void *message, void *context)
{
	(void)context;
	free(((struct message *)message)->owned);
}

static void drop_bytes(void *message, void *context)
{
	(void)message;
	(void)context;
}

static void hear(const duct_log_event *event, void *context)
{
	(void)context;
	CHECK(event->text != NULL);
}

static void message_fill(const struct world *world, struct message *message, int number)
{
	message->number = number;
	message->owned = NULL;
	if (world->state->hooks == COPIES) {
		message->owned = malloc(8);
		CHECK(message->owned != NULL);
	}
}

static void make_channel(struct world *world, bool with_allocator)
{
	const struct state *state = world->state;
	duct_options options = DUCT_OPTIONS_INIT;

	options.name = "a channel with a rather long name to copy";
	options.drop = state->hooks == COPIES ? drop_owned : state->hooks == DROPS ? drop_bytes : NULL;
	options.copy = state->hooks == COPIES ? copy_owned : NULL;
	options.log = state->hooks == LOGS ? hear : NULL;
	options.log_interval = 1;
	options.allocator = with_allocator ? &world->arena.allocator : NULL;
	options.replay = state->replay;
	options.unheard = state->unheard;
	CHECK_STATUS(duct_broadcast_new(&world->channel, sizeof(struct message), &options), DUCT_OK);
	CHECK_STATUS(duct_sender_new(world->channel, &world->tx), DUCT_OK);
}

static duct_receiver *join(struct world *world, duct_overflow overflow, size_t capacity, bool tell_lag)
{
	const duct_subscription *subscription = DUCT_SUBSCRIPTION(.overflow = overflow,
	    .capacity = overflow == DUCT_LATEST_ONLY ? 1 : capacity, .tell_lag = tell_lag);
	duct_receiver *rx;

	CHECK_STATUS(duct_subscribe(world->channel, &rx, subscription), DUCT_OK);
	return rx;
}

static const void *key_of(const void *message, size_t *size, void *context)
{
	(void)context;
	*size = sizeof(int);
	return message;
}

static void make_readers(struct world *world, unsigned takes)
{
	if (!world->state->nobody) {
		world->small = join(world, world->state->overflow, 2, world->state->tell_lag);
		world->wide = join(world, DUCT_DROP_OLDEST, 9, false);
	}
	if (takes & (LATEST | CACHE))
		world->taken = join(world, DUCT_DROP_OLDEST, 9, false);
	if (takes & LATEST)
		CHECK_STATUS(duct_latest_new(&world->latest, world->taken), DUCT_OK);
	if (takes & CACHE)
		CHECK_STATUS(duct_cache_new(&world->cache, world->taken, key_of, NULL), DUCT_OK);
	if (takes & PEEKABLE)
		CHECK_STATUS(duct_peekable_new(world->channel, &world->peekable), DUCT_OK);
	if (takes & BOX)
		CHECK_STATUS(duct_box_new(&world->box, 100, NULL, NULL), DUCT_OK);
}

static void world_init(struct world *world, const struct state *state, unsigned takes, bool with_allocator)
{
	memset(world, 0, sizeof *world);
	world->state = state;
	arena_init(&world->arena);
	make_channel(world, with_allocator);
	make_readers(world, takes);
	for (int n = 0; n < state->queued; n++) {
		message_fill(world, &world->out[0], n);
		CHECK_STATUS(duct_send(world->tx, &world->out[0]), DUCT_OK);
	}
	if (state->closed)
		duct_channel_close(world->channel, 3);
	for (int i = 0; i < BATCH; i++)
		message_fill(world, &world->out[i], OUT_VALUE + i);
	for (int i = 0; i < MOST; i++)
		world->in[i].number = UNTOUCHED;
}

static void free_new(struct world *world)
{
	duct_channel_free(world->new_channel);
	duct_sender_free(world->new_tx);
	duct_latest_free(world->new_latest);
	duct_cache_free(world->new_cache);
	duct_receiver_free(world->new_rx);
	duct_peekable_free(world->new_peekable);
	duct_box_free(world->new_box);
}

/* What was sent is the channel's, what was received the caller's. */
static void world_free(struct world *world)
{
	free_new(world);
	duct_latest_free(world->latest);
	duct_cache_free(world->cache);
	duct_peekable_free(world->peekable);
	duct_box_free(world->box);
	duct_receiver_free(world->small);
	duct_receiver_free(world->wide);
	duct_sender_free(world->tx);
	duct_channel_free(world->channel);
	for (size_t i = world->sent; i < BATCH; i++)
		free(world->out[i].owned);
	for (size_t i = 0; i < world->received; i++)
		free(world->in[i].owned);
}

/* What a call that failed must not change. */
struct snapshot {
	size_t senders, receivers, waiting_senders, waiting_receivers, replay, small_len, wide_len;
	bool closed, is_full, small_closed, small_cut, wide_closed;
	duct_stats small, wide;
	uint64_t lag;
};

static struct snapshot world_snapshot(const struct world *world)
{
	struct snapshot snapshot = { .senders = duct_channel_senders(world->channel),
		.receivers = duct_channel_receivers(world->channel),
		.waiting_senders = duct_channel_waiting_senders(world->channel),
		.waiting_receivers = duct_channel_waiting_receivers(world->channel),
		.replay = duct_channel_replay(world->channel),
		.small_len = duct_receiver_len(world->small),
		.wide_len = duct_receiver_len(world->wide),
		.closed = duct_channel_is_closed(world->channel),
		.is_full = duct_channel_is_full(world->channel),
		.small_closed = duct_receiver_is_closed(world->small),
		.small_cut = duct_receiver_is_cut_off(world->small),
		.wide_closed = duct_receiver_is_closed(world->wide),
		.lag = duct_receiver_lag(world->small) };

	if (world->small != NULL) {
		CHECK_STATUS(duct_receiver_stats(world->small, &snapshot.small), DUCT_OK);
		CHECK_STATUS(duct_receiver_stats(world->wide, &snapshot.wide), DUCT_OK);
	}
	return snapshot;
}

static bool stats_same(const duct_stats *one, const duct_stats *other)
{
	return one->sent == other->sent && one->received == other->received && one->lost == other->lost &&
	       one->queued == other->queued && one->discarded == other->discarded;
}

/* Nothing is other than it was, or, after a batch that moved some, no more than that. */
static bool world_is_as_before(const struct world *world, const struct snapshot *one)
{
	const struct snapshot now = world_snapshot(world), *other = &now;

	if (world->sent > 0)
		return world->wide == NULL || other->wide.sent == one->wide.sent + world->sent;
	if (world->received > 0)
		return other->wide.received == one->wide.received + world->received;
	return one->senders == other->senders && one->receivers == other->receivers &&
	       one->waiting_senders == other->waiting_senders && one->waiting_receivers == other->waiting_receivers &&
	       one->replay == other->replay && one->small_len == other->small_len && one->wide_len == other->wide_len &&
	       one->closed == other->closed && one->is_full == other->is_full && one->small_closed == other->small_closed &&
	       one->small_cut == other->small_cut && one->wide_closed == other->wide_closed && one->lag == other->lag &&
	       stats_same(&one->small, &other->small) && stats_same(&one->wide, &other->wide);
}

static bool nothing_is_new(const struct world *world)
{
	return world->new_channel == NULL && world->new_tx == NULL && world->new_rx == NULL && world->new_latest == NULL &&
	       world->new_peekable == NULL && world->new_cache == NULL && world->new_box == NULL &&
	       world->receipt.delivered == 0 && world->chosen == 0 && world->count == 0 && world->cursor == 0 &&
	       world->cases[0].status == DUCT_OK && world->in[world->received].number == UNTOUCHED;
}

/* The wide receiver has what was queued, what a batch of the call sent, and nothing else, in order. */
static bool wide_reads_on(struct world *world)
{
	size_t last = (size_t)world->state->queued + world->sent;
	struct message in;
	bool right = true;

	if (world->wide == NULL)
		return true;
	for (size_t n = world->received; right && n < last; n++) {
		int expected = n < (size_t)world->state->queued ? (int)n : OUT_VALUE + (int)n - world->state->queued;

		right = duct_try_recv(world->wide, &in) == DUCT_OK && in.number == expected;
		if (right)
			free(in.owned);
	}
	return right && duct_try_recv(world->wide, &in) == (world->state->closed ? DUCT_CLOSED : DUCT_EMPTY);
}

/* ---- What is called --------------------------------------------------------------------------------------------------- */

#include "nomem.h"

#define WITH_ALL \
	DUCT_OPTIONS(.name = "all", .drop = drop_owned, .copy = copy_owned, .log = hear, .log_interval = 5, .replay = 7, \
	    .unheard = DUCT_UNHEARD_WAIT, .allocator = &w->arena.allocator)
#define NAMED DUCT_SUBSCRIPTION(.name = "a receiver with a rather long name to copy", .capacity = 100)

FORM(broadcast_new, CALL(duct_broadcast_new)(&w->new_channel, 8, NULL))
FORM(broadcast_new_replaying, CALL(duct_broadcast_new)(&w->new_channel, 8, DUCT_OPTIONS(.replay = 5, .name = "again")))
FORM(broadcast_new_with_all, CALL(duct_broadcast_new)(&w->new_channel, 8, WITH_ALL))
FORM(broadcast_open, CALL(duct_broadcast_open)(&w->new_tx, &w->new_rx, 8, NULL, NULL))
FORM(broadcast_open_with_all, CALL(duct_broadcast_open)(&w->new_tx, &w->new_rx, 8, NAMED, WITH_ALL))
FORM(subscribe, CALL(duct_subscribe)(w->channel, &w->new_rx, NULL))
FORM(subscribe_named, CALL(duct_subscribe)(w->channel, &w->new_rx, NAMED))
FORM(sender_subscribe, CALL(duct_sender_subscribe)(w->tx, &w->new_rx, NAMED))
FORM(receiver_new, CALL(duct_receiver_new)(w->channel, &w->new_rx))
FORM(receiver_clone, CALL(duct_receiver_clone)(w->small, &w->new_rx))
FORM(sender_new, CALL(duct_sender_new)(w->channel, &w->new_tx))
FORM(sender_clone, CALL(duct_sender_clone)(w->tx, &w->new_tx))
FORM(wait_for_nobody, CALL(duct_channel_wait_receivers)(w->channel, 0, far(), NULL))
FORM(wait_for_three, CALL(duct_channel_wait_receivers)(w->channel, 3, far(), NULL))
FORM(set_replay_0, CALL(duct_channel_set_replay)(w->channel, 0))
FORM(set_replay_1, CALL(duct_channel_set_replay)(w->channel, 1))
FORM(set_replay_9, CALL(duct_channel_set_replay)(w->channel, 9))
PLAIN(replay, duct_channel_replay, w->channel)
FORM(set_overflow, CALL(duct_receiver_set_overflow)(w->small, DUCT_DROP_NEWEST))
FORM(stats, CALL(duct_receiver_stats)(w->small, &w->stats))
PLAIN(lag, duct_receiver_lag, w->small)
PLAIN(is_cut_off, duct_receiver_is_cut_off, w->small)
PLAIN(receiver_len, duct_receiver_len, w->small)
PLAIN(receiver_capacity, duct_receiver_capacity, w->small)
PLAIN(receiver_name, duct_receiver_name, w->small)
PLAIN(receiver_describe, duct_receiver_describe, w->small, (char[200]){ 0 }, 200)
PLAIN(describe, duct_channel_describe, w->channel, (char[200]){ 0 }, 200)
PLAIN(len, duct_channel_len, w->channel)
PLAIN(is_full, duct_channel_is_full, w->channel)
PLAIN(channel_close, duct_channel_close, w->channel, 5)
PLAIN(receiver_close, duct_receiver_close, w->small)
FORM(discard, CALL(duct_channel_discard)(w->channel, &w->count))

/* If the call is done: of out[0], of in[0]. */
static duct_status sent_one(struct world *w, duct_status status)
{
	w->sent = status == DUCT_OK;
	return status;
}

static duct_status received_one(struct world *w, duct_status status)
{
	w->received = status == DUCT_OK;
	return status;
}

FORM(publish, sent_one(w, CALL(duct_publish)(w->tx, &w->out[0], &w->receipt, far(), NULL)))
FORM(send, sent_one(w, CALL(duct_send)(w->tx, &w->out[0])))
FORM(try_send, sent_one(w, CALL(duct_try_send)(w->tx, &w->out[0])))
FORM(send_until, sent_one(w, CALL(duct_send_until)(w->tx, &w->out[0], far(), NULL)))
FORM(send_many, CALL(duct_send_many)(w->tx, w->out, BATCH, &w->sent, far(), NULL))
FORM(sender_wait, CALL(duct_sender_wait)(w->tx, far(), NULL))
FORM(recv, received_one(w, CALL(duct_recv)(w->wide, &w->in[0])))
FORM(try_recv, received_one(w, CALL(duct_try_recv)(w->wide, &w->in[0])))
FORM(recv_many, CALL(duct_recv_many)(w->wide, w->in, BATCH, BATCH, &w->received, far(), NULL))
FORM(receiver_wait, CALL(duct_receiver_wait)(w->wide, far(), NULL))

/* The same send again and again. */
static duct_status select_sends(struct world *w, size_t count, bool tries)
{
	duct_status status;

	for (size_t i = 0; i < count; i++)
		w->cases[i] = (duct_case)DUCT_SEND(w->tx, &w->out[0]);
	status = tries ? CALL(duct_try_select)(w->cases, count, &w->chosen) : CALL(duct_select)(w->cases, count, &w->chosen);
	w->sent = status == DUCT_OK && w->cases[w->chosen].status == DUCT_OK;
	return status;
}

FORM(select_send, select_sends(w, 1, false))
FORM(select_send_40, select_sends(w, 40, false))
FORM(try_select_send, select_sends(w, 1, true))

FORM(box_new, CALL(duct_box_new)(&w->new_box, 5000, NULL, NULL))
FORM(box_ref, (w->new_box = CALL(duct_box_ref)(w->box), DUCT_OK))
PLAIN(box_data, duct_box_data, w->box)
PLAIN(box_size, duct_box_size, w->box)
FORM(box_copy, (duct_status)CALL(duct_box_copy)(&w->new_box, &w->box, NULL))

static duct_status box_drop(struct world *w)
{
	duct_box *box = w->box;

	w->box = NULL;
	CALL(duct_box_drop)(&box, NULL);
	return DUCT_OK;
}

/* What takes the wide receiver over has it if it was made. */
static duct_status taken_over(struct world *w, duct_status status)
{
	if (status == DUCT_OK)
		w->wide = NULL;
	return status;
}

FORM(latest_new, taken_over(w, CALL(duct_latest_new)(&w->new_latest, w->wide)))
FORM(latest_get, received_one(w, CALL(duct_latest_get)(w->latest, &w->in[0])))
FORM(cache_new, taken_over(w, CALL(duct_cache_new)(&w->new_cache, w->wide, key_of, NULL)))
FORM(cache_get, received_one(w, CALL(duct_cache_get)(w->cache, &(int){ 1 }, sizeof(int), &w->in[0])))
PLAIN(cache_contains, duct_cache_contains, w->cache, &(int){ 1 }, sizeof(int))
PLAIN(cache_len, duct_cache_len, w->cache)
FORM(cache_pop, received_one(w, CALL(duct_cache_pop)(w->cache, &(int){ 1 }, sizeof(int), &w->in[0])))
FORM(cache_pop_last, received_one(w, CALL(duct_cache_pop_last)(w->cache, &w->in[0])))
FORM(cache_clear, CALL(duct_cache_clear)(w->cache))
FORM(cache_next, received_one(w, CALL(duct_cache_next)(w->cache, &w->cursor, &w->in[0])))

static duct_status cache_snapshot(struct world *w)
{
	duct_status status = CALL(duct_cache_snapshot)(w->cache, &w->in[1], MOST - 1, &w->count);

	/* What a copy that failed has left of those before it is nobody's. */
	w->received = 0;
	for (size_t i = 0; status == DUCT_OK && i < w->count; i++)
		free(w->in[i + 1].owned);
	return status;
}

FORM(peekable_new, CALL(duct_peekable_new)(w->channel, &w->new_peekable))
FORM(into_peekable, CALL(duct_receiver_into_peekable)(w->small, &w->new_peekable))
FORM(peek, received_one(w, CALL(duct_peek)(w->peekable, &w->in[0])))

GIVE_BACK(latest_free, duct_latest_free, duct_latest, w->latest)
GIVE_BACK(cache_free, duct_cache_free, duct_cache, w->cache)
GIVE_BACK(peekable_free, duct_peekable_free, duct_peekable, w->peekable)
GIVE_BACK(box_free, duct_box_free, duct_box, w->box)
GIVE_BACK(receiver_free, duct_receiver_free, duct_receiver, w->small)

static const struct form forms[] = {
	A_FORM(broadcast_new, FAILS, 0),
	A_FORM(broadcast_new_replaying, FAILS, 0),
	A_FORM(broadcast_new_with_all, FAILS, 0),
	A_FORM(broadcast_open, FAILS, 0),
	A_FORM(broadcast_open_with_all, FAILS, 0),
	A_FORM(subscribe, FAILS, 0),
	A_FORM(subscribe_named, FAILS, 0),
	A_FORM(sender_subscribe, FAILS, 0),
	A_FORM(receiver_new, FAILS, 0),
	A_FORM(receiver_clone, FAILS, SMALL),
	A_FORM(sender_new, FAILS, 0),
	A_FORM(sender_clone, FAILS, 0),
	A_FORM(wait_for_nobody, FAILS, WAITS),
	A_FORM(wait_for_three, FAILS, WAITS),
	A_FORM(set_replay_0, FAILS, 0),
	A_FORM(set_replay_1, FAILS, 0),
	A_FORM(set_replay_9, FAILS, 0),
	A_FORM(replay, NEVER, 0),
	A_FORM(set_overflow, NEVER, SMALL),
	A_FORM(stats, NEVER, SMALL),
	A_FORM(lag, NEVER, SMALL),
	A_FORM(is_cut_off, NEVER, SMALL),
	A_FORM(receiver_len, NEVER, SMALL),
	A_FORM(receiver_capacity, NEVER, SMALL),
	A_FORM(receiver_name, NEVER, SMALL),
	A_FORM(receiver_describe, NEVER, SMALL),
	A_FORM(describe, NEVER, 0),
	A_FORM(len, NEVER, 0),
	A_FORM(is_full, NEVER, 0),
	A_FORM(channel_close, NEVER, 0),
	A_FORM(receiver_close, NEVER, SMALL),
	A_FORM(discard, FAILS, 0),
	A_FORM(publish, FAILS, WAITS),
	A_FORM(send, FAILS, WAITS),
	A_FORM(try_send, FAILS, 0),
	A_FORM(send_until, FAILS, WAITS),
	A_FORM(send_many, FAILS, WAITS),
	A_FORM(sender_wait, FAILS, WAITS),
	A_FORM(select_send, FAILS, WAITS),
	A_FORM(select_send_40, FAILS, WAITS),
	A_FORM(try_select_send, FAILS, 0),
	A_FORM(recv, FAILS, SMALL | WAITS),
	A_FORM(try_recv, NEVER, SMALL),
	A_FORM(recv_many, FAILS, SMALL | WAITS),
	A_FORM(receiver_wait, FAILS, SMALL | WAITS),
	A_FORM(receiver_free, REGARDLESS, SMALL),
	A_FORM(box_new, FAILS, 0),
	A_FORM(box_ref, NEVER, BOX),
	A_FORM(box_free, NEVER, BOX),
	A_FORM(box_data, NEVER, BOX),
	A_FORM(box_size, NEVER, BOX),
	A_FORM(box_copy, NEVER, BOX),
	A_FORM(box_drop, NEVER, BOX),
	A_FORM(latest_new, FAILS, SMALL),
	A_FORM(latest_get, FAILS, LATEST),
	A_FORM(latest_free, REGARDLESS, LATEST),
	A_FORM(peekable_new, FAILS, 0),
	A_FORM(into_peekable, FAILS, SMALL),
	A_FORM(peek, FAILS, PEEKABLE),
	A_FORM(peekable_free, REGARDLESS, PEEKABLE),
	A_FORM(cache_new, FAILS, SMALL),
	A_FORM(cache_free, REGARDLESS, CACHE),
	A_FORM(cache_get, FAILS, CACHE),
	A_FORM(cache_contains, REGARDLESS, CACHE),
	A_FORM(cache_len, REGARDLESS, CACHE),
	A_FORM(cache_pop, FAILS, CACHE),
	A_FORM(cache_pop_last, FAILS, CACHE),
	A_FORM(cache_clear, FAILS, CACHE),
	A_FORM(cache_next, FAILS, CACHE),
	A_FORM(cache_snapshot, FAILS, CACHE),
};

/* ---- What is to be seen ------------------------------------------------------------------------------------------------ */

static void make_world(struct world *world, const struct place *place)
{
	world_init(world, place->state, place->form->takes, place->with_allocator);
}

static bool applies(const struct form *form, const struct state *state, enum token token)
{
	(void)token;
	return (form->takes & SMALL) == 0 || !state->nobody;
}

static void rescue_call(const struct world *world)
{
	duct_channel_close(world->channel, 9);
}

/* A cache has let go of what it took in before it failed: that is in its entries, not leaked. */
static bool may_free_memory(const struct place *place, const struct world *world)
{
	return (place->form->takes & (CACHE | LATEST | PEEKABLE)) != 0 || world->sent > 0 || world->received > 0;
}

static void check_unchanged(const struct place *place, struct world *world, const struct snapshot *before, enum after after)
{
	long points;

	EXPECT(world_is_as_before(world, before));
	EXPECT(nothing_is_new(world));
	if (after == DRAIN)
		EXPECT(wide_reads_on(world));
	else if (world->sent == 0 && world->received == 0)
		EXPECT(make_call(place->form, world, 0, &points) == place->expected);
}

/* Each instance has memory of its own, which is counted. */
static void check_hooks(const struct place *place, const struct world *world)
{
	(void)place;
	(void)world;
}

TEST(nomem, of_a_broadcast_in_every_function_and_state_changes_nothing, 300)
{
	check_forms(forms, ARRAY_LEN(forms), "a broadcast");
}
