/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * No memory, no mutex, no condition variable: every public function, in every state of a channel and of a token, with each of
 * its n calls that can fail failing in turn; nomem.h says what must be then.  The channel, the token, the threads asleep on them
 * and all that the call was given must be as they were; and the same call, made again, must come to what it comes to where
 * nothing fails.
 *
 * Some 25,000 calls, two seconds.  How to link: faults.h.
 */
#include "world.h"
#include "nomem.h"

/* ---- What is called --------------------------------------------------------------------------------------------------- */

PLAIN(strerror_of, duct_strerror, DUCT_NOMEM)
PLAIN(version, duct_version, )
PLAIN(now, duct_now, )
PLAIN(after_ns, duct_after_ns, 1)
PLAIN(after_ms, duct_after_ms, 1)
PLAIN(after_s, duct_after_s, 1)
PLAIN(remaining_ns, duct_remaining_ns, DUCT_FOREVER)

/* ---- Making ----------------------------------------------------------------------------------------------------------- */

static void new_drop(void *message, void *context)
{
	(void)message;
	(void)context;
}

static int new_copy(void *to, const void *from, void *context)
{
	(void)to;
	(void)from;
	(void)context;
	return 0;
}

static void new_log(const duct_log_event *event, void *context)
{
	(void)event;
	(void)context;
}

#define NAMED DUCT_OPTIONS(.name = "a channel with a rather long name to copy")
#define HOOKED DUCT_OPTIONS(.drop = new_drop, .copy = new_copy)
#define LOGGED DUCT_OPTIONS(.log = new_log, .log_interval = 5)
#define ALLOCATED DUCT_OPTIONS(.allocator = &w->arena.allocator)
#define WITH_ALL \
	DUCT_OPTIONS(.name = "all", .drop = new_drop, .copy = new_copy, .log = new_log, .log_interval = 5, .context = w, \
	    .allocator = &w->arena.allocator)

FORM(anycast_new, CALL(duct_anycast_new)(&w->new_channel, 8, 16, NULL))
FORM(anycast_new_meeting, CALL(duct_anycast_new)(&w->new_channel, 0, 0, NULL))
FORM(anycast_new_named, CALL(duct_anycast_new)(&w->new_channel, 8, 16, NAMED))
FORM(anycast_new_hooked, CALL(duct_anycast_new)(&w->new_channel, 8, 16, HOOKED))
FORM(anycast_new_logged, CALL(duct_anycast_new)(&w->new_channel, 8, 16, LOGGED))
FORM(anycast_new_allocated, CALL(duct_anycast_new)(&w->new_channel, 8, 16, ALLOCATED))
FORM(anycast_new_with_all, CALL(duct_anycast_new)(&w->new_channel, 8, 16, WITH_ALL))
FORM(anycast_open, CALL(duct_anycast_open)(&w->new_tx, &w->new_rx, 8, 16, NULL))
FORM(anycast_open_meeting, CALL(duct_anycast_open)(&w->new_tx, &w->new_rx, 0, 0, NULL))
FORM(anycast_open_allocated, CALL(duct_anycast_open)(&w->new_tx, &w->new_rx, 8, 16, ALLOCATED))
FORM(anycast_open_with_all, CALL(duct_anycast_open)(&w->new_tx, &w->new_rx, 8, 16, WITH_ALL))
FORM(oneshot_open, CALL(duct_oneshot_open)(&w->new_tx, &w->new_rx, 8, NULL))
FORM(oneshot_open_with_all, CALL(duct_oneshot_open)(&w->new_tx, &w->new_rx, 8, WITH_ALL))
FORM(sender_new, CALL(duct_sender_new)(w->pair.channel, &w->new_tx))
FORM(receiver_new, CALL(duct_receiver_new)(w->pair.channel, &w->new_rx))
FORM(sender_clone, CALL(duct_sender_clone)(w->pair.tx, &w->new_tx))
FORM(receiver_clone, CALL(duct_receiver_clone)(w->pair.rx, &w->new_rx))
FORM(channel_clone, CALL(duct_channel_clone)(w->pair.channel, &w->new_channel))
FORM(cancel_new, CALL(duct_cancel_new)(&w->new_token, w->token, DUCT_FOREVER))
FORM(cancel_new_timed, CALL(duct_cancel_new)(&w->new_token, w->token, far()))
FORM(cancel_clone, CALL(duct_cancel_clone)(w->token, &w->new_token))

/* ---- Ending and telling ----------------------------------------------------------------------------------------------- */

/* The channel stays known where ends keep it. */
static duct_status channel_free(struct world *w)
{
	duct_channel *handle = w->pair.channel;

	if (w->pair.tx == NULL && w->pair.rx == NULL)
		w->pair.channel = NULL;
	w->gave_channel = true;
	CALL(duct_channel_free)(handle);
	return DUCT_OK;
}

GIVE_BACK(sender_free, duct_sender_free, duct_sender, w->pair.tx)
GIVE_BACK(receiver_free, duct_receiver_free, duct_receiver, w->pair.rx)
GIVE_BACK(cancel_free, duct_cancel_free, duct_cancel, w->token)
PLAIN(sender_close, duct_sender_close, w->pair.tx)
PLAIN(receiver_close, duct_receiver_close, w->pair.rx)
PLAIN(channel_close, duct_channel_close, w->pair.channel, 5)
PLAIN(cancel_raise, duct_cancel_raise, w->token)
FORM(discard, CALL(duct_channel_discard)(w->pair.channel, &w->discarded))

PLAIN(is_closed, duct_channel_is_closed, w->pair.channel)
PLAIN(reason, duct_channel_reason, w->pair.channel)
PLAIN(capacity, duct_channel_capacity, w->pair.channel)
PLAIN(message_size, duct_channel_message_size, w->pair.channel)
PLAIN(len, duct_channel_len, w->pair.channel)
PLAIN(is_full, duct_channel_is_full, w->pair.channel)
PLAIN(is_empty, duct_channel_is_empty, w->pair.channel)
PLAIN(senders, duct_channel_senders, w->pair.channel)
PLAIN(receivers, duct_channel_receivers, w->pair.channel)
PLAIN(waiting_senders, duct_channel_waiting_senders, w->pair.channel)
PLAIN(waiting_receivers, duct_channel_waiting_receivers, w->pair.channel)
PLAIN(name, duct_channel_name, w->pair.channel)
PLAIN(describe, duct_channel_describe, w->pair.channel, (char[200]){ 0 }, 200)
PLAIN(sender_is_closed, duct_sender_is_closed, w->pair.tx)
PLAIN(receiver_is_closed, duct_receiver_is_closed, w->pair.rx)
PLAIN(sender_channel, duct_sender_channel, w->pair.tx)
PLAIN(receiver_channel, duct_receiver_channel, w->pair.rx)
PLAIN(cancel_raised, duct_cancel_raised, w->token)

/* ---- Moving ----------------------------------------------------------------------------------------------------------- */

FORM(send, CALL(duct_send)(w->pair.tx, &w->out[0]))
FORM(try_send, CALL(duct_try_send)(w->pair.tx, &w->out[0]))
FORM(send_until, CALL(duct_send_until)(w->pair.tx, &w->out[0], far(), w->token))
FORM(send_many, CALL(duct_send_many)(w->pair.tx, w->out, BATCH, &w->sent, far(), w->token))
FORM(sender_wait, CALL(duct_sender_wait)(w->pair.tx, far(), w->token))
FORM(recv, CALL(duct_recv)(w->pair.rx, &w->in[0]))
FORM(try_recv, CALL(duct_try_recv)(w->pair.rx, &w->in[0]))
FORM(recv_until, CALL(duct_recv_until)(w->pair.rx, &w->in[0], far(), w->token))
FORM(recv_many, CALL(duct_recv_many)(w->pair.rx, w->in, BATCH, BATCH, &w->received, far(), w->token))
FORM(recv_many_of_0, CALL(duct_recv_many)(w->pair.rx, w->in, 0, BATCH, &w->received, far(), w->token))
FORM(receiver_wait, CALL(duct_receiver_wait)(w->pair.rx, far(), w->token))

/* The same case again and again, with the call's messages in turn. */
static duct_case *receives(struct world *w, size_t count)
{
	for (size_t i = 0; i < count; i++)
		w->cases[i] = (duct_case)DUCT_RECV(w->pair.rx, &w->in[i % BATCH]);
	return w->cases;
}

static duct_case *sends(struct world *w, size_t count)
{
	for (size_t i = 0; i < count; i++)
		w->cases[i] = (duct_case)DUCT_SEND(w->pair.tx, &w->out[i % BATCH]);
	return w->cases;
}

FORM(select_recv, CALL(duct_select)(receives(w, 1), 1, &w->chosen))
FORM(select_recv_40, CALL(duct_select)(receives(w, 40), 40, &w->chosen))
FORM(select_send, CALL(duct_select)(sends(w, 1), 1, &w->chosen))
FORM(select_send_40, CALL(duct_select)(sends(w, 40), 40, &w->chosen))
FORM(try_select_recv_16, CALL(duct_try_select)(receives(w, 16), 16, &w->chosen))
FORM(try_select_recv_40, CALL(duct_try_select)(receives(w, 40), 40, &w->chosen))
FORM(try_select_send_16, CALL(duct_try_select)(sends(w, 16), 16, &w->chosen))
FORM(try_select_send_40, CALL(duct_try_select)(sends(w, 40), 40, &w->chosen))

#define UNTIL(name_, cases_, count_, flags_) \
	FORM(name_, CALL(duct_select_until)(cases_(w, (count_)), (count_), &w->chosen, (flags_), far(), w->token))

UNTIL(until_recv_1, receives, 1, DUCT_FAIR)
UNTIL(until_recv_16, receives, 16, DUCT_PRIORITY)
UNTIL(until_recv_17, receives, 17, DUCT_FAIR)
UNTIL(until_recv_40, receives, 40, DUCT_PRIORITY)
UNTIL(until_recv_ready_1, receives, 1, DUCT_READY)
UNTIL(until_recv_ready_40, receives, 40, DUCT_READY)
UNTIL(until_send_1, sends, 1, DUCT_PRIORITY)
UNTIL(until_send_16, sends, 16, DUCT_FAIR)
UNTIL(until_send_17, sends, 17, DUCT_FAIR)
UNTIL(until_send_40, sends, 40, DUCT_FAIR)
UNTIL(until_send_ready_40, sends, 40, DUCT_READY | DUCT_PRIORITY)

/* No case at all: only the token ends it. */
FORM(until_nothing, CALL(duct_select_until)(NULL, 0, &w->chosen, DUCT_FAIR, far(), w->token))

/* ---- The table -------------------------------------------------------------------------------------------------------- */

/* Beside the handles: the state of the token matters, there has to be one. */
enum { TOKEN = 8, ANY_TOKEN = 24 };

static const struct form forms[] = {
	A_FORM(strerror_of, NEVER, 0),
	A_FORM(version, NEVER, 0),
	A_FORM(now, NEVER, 0),
	A_FORM(after_ns, NEVER, 0),
	A_FORM(after_ms, NEVER, 0),
	A_FORM(after_s, NEVER, 0),
	A_FORM(remaining_ns, NEVER, 0),
	A_FORM(anycast_new, FAILS, 0),
	A_FORM(anycast_new_meeting, FAILS, 0),
	A_FORM(anycast_new_named, FAILS, 0),
	A_FORM(anycast_new_hooked, FAILS, 0),
	A_FORM(anycast_new_logged, FAILS, 0),
	A_FORM(anycast_new_allocated, FAILS, 0),
	A_FORM(anycast_new_with_all, FAILS, 0),
	A_FORM(anycast_open, FAILS, 0),
	A_FORM(anycast_open_meeting, FAILS, 0),
	A_FORM(anycast_open_allocated, FAILS, 0),
	A_FORM(anycast_open_with_all, FAILS, 0),
	A_FORM(oneshot_open, FAILS, 0),
	A_FORM(oneshot_open_with_all, FAILS, 0),
	A_FORM(sender_new, FAILS, 0),
	A_FORM(receiver_new, FAILS, 0),
	A_FORM(sender_clone, FAILS, TX),
	A_FORM(receiver_clone, FAILS, RX),
	A_FORM(channel_clone, NEVER, 0),
	A_FORM(cancel_new, FAILS, TOKEN),
	A_FORM(cancel_new_timed, FAILS, TOKEN),
	A_FORM(cancel_clone, NEVER, ANY_TOKEN),
	A_FORM(channel_free, REGARDLESS, CHANNEL),
	A_FORM(sender_free, NEVER, TX),
	A_FORM(receiver_free, REGARDLESS, RX),
	A_FORM(cancel_free, NEVER, TOKEN),
	A_FORM(sender_close, NEVER, TX),
	A_FORM(receiver_close, REGARDLESS, RX),
	A_FORM(channel_close, NEVER, 0),
	A_FORM(cancel_raise, NEVER, TOKEN),
	A_FORM(discard, FAILS, 0),
	A_FORM(is_closed, NEVER, 0),
	A_FORM(reason, NEVER, 0),
	A_FORM(capacity, NEVER, 0),
	A_FORM(message_size, NEVER, 0),
	A_FORM(len, NEVER, 0),
	A_FORM(is_full, NEVER, 0),
	A_FORM(is_empty, NEVER, 0),
	A_FORM(senders, NEVER, 0),
	A_FORM(receivers, NEVER, 0),
	A_FORM(waiting_senders, NEVER, 0),
	A_FORM(waiting_receivers, NEVER, 0),
	A_FORM(name, NEVER, 0),
	A_FORM(describe, NEVER, 0),
	A_FORM(sender_is_closed, NEVER, TX),
	A_FORM(receiver_is_closed, NEVER, RX),
	A_FORM(sender_channel, NEVER, TX),
	A_FORM(receiver_channel, NEVER, RX),
	A_FORM(cancel_raised, NEVER, TOKEN),
	A_FORM(send, FAILS, TX | WAITS),
	A_FORM(try_send, NEVER, TX),
	A_FORM(send_until, FAILS, TX | WAITS | TOKEN),
	A_FORM(send_many, FAILS, TX | WAITS | TOKEN),
	A_FORM(sender_wait, FAILS, TX | WAITS | TOKEN),
	A_FORM(recv, FAILS, RX | WAITS),
	A_FORM(try_recv, NEVER, RX),
	A_FORM(recv_until, FAILS, RX | WAITS | TOKEN),
	A_FORM(recv_many, FAILS, RX | WAITS | TOKEN),
	A_FORM(recv_many_of_0, NEVER, RX | TOKEN),
	A_FORM(receiver_wait, FAILS, RX | WAITS | TOKEN),
	A_FORM(select_recv, FAILS, RX | WAITS),
	A_FORM(select_recv_40, FAILS, RX | WAITS),
	A_FORM(select_send, FAILS, TX | WAITS),
	A_FORM(select_send_40, FAILS, TX | WAITS),
	A_FORM(try_select_recv_16, NEVER, RX),
	A_FORM(try_select_recv_40, FAILS, RX),
	A_FORM(try_select_send_16, NEVER, TX),
	A_FORM(try_select_send_40, FAILS, TX),
	A_FORM(until_recv_1, FAILS, RX | WAITS | TOKEN),
	A_FORM(until_recv_16, FAILS, RX | WAITS | TOKEN),
	A_FORM(until_recv_17, FAILS, RX | WAITS | TOKEN),
	A_FORM(until_recv_40, FAILS, RX | WAITS | TOKEN),
	A_FORM(until_recv_ready_1, FAILS, RX | WAITS | TOKEN),
	A_FORM(until_recv_ready_40, FAILS, RX | WAITS | TOKEN),
	A_FORM(until_send_1, FAILS, TX | WAITS | TOKEN),
	A_FORM(until_send_16, FAILS, TX | WAITS | TOKEN),
	A_FORM(until_send_17, FAILS, TX | WAITS | TOKEN),
	A_FORM(until_send_40, FAILS, TX | WAITS | TOKEN),
	A_FORM(until_send_ready_40, FAILS, TX | WAITS | TOKEN),
	A_FORM(until_nothing, FAILS, WAITS | ANY_TOKEN),
};

/* ---- What is to be seen ------------------------------------------------------------------------------------------------ */

static void make_world(struct world *world, const struct place *place)
{
	world_init(world, place->state, place->token, place->with_allocator);
}

static bool applies(const struct form *form, const struct state *state, enum token token)
{
	if ((form->takes & ALL_HANDLES & ~state->handles) != 0)
		return false;
	if (token == NO_TOKEN)
		return (form->takes & ANY_TOKEN) != ANY_TOKEN;
	return (form->takes & TOKEN) != 0;
}

static void rescue_call(const struct world *world)
{
	duct_channel_close(world->pair.channel, 9);
	duct_cancel_raise(world->token);
}

/* Who was served goes with what it slept on. */
static bool may_free_memory(const struct place *place, const struct world *world)
{
	(void)place;
	return world_sleeper_was_served(world);
}

static void check_unchanged(const struct place *place, struct world *world, const struct snapshot *before, enum after after)
{
	struct snapshot now = world_snapshot(world);
	long points;

	EXPECT(world_moved(world, before, &now));
	EXPECT(world_parameters_are_kept(world));
	if (after == DRAIN)
		world_drain(world);
	else
		EXPECT(make_call(place->form, world, 0, &points) == place->expected);
}

/* What was queued and never received went through the hook, sooner or later. */
static void check_hooks(const struct place *place, const struct world *world)
{
	if (place->form->manner == REGARDLESS)
		EXPECT(world->dropped == world->state->queued);
	EXPECT(world->blocked == world->resumed);
}

TEST(nomem, in_every_function_and_state_changes_nothing, 300)
{
	check_forms(forms, ARRAY_LEN(forms), "a channel");
}
