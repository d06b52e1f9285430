/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * A fan: publishing, the scout, joining and leaving.  fan.h tells how it works.
 */
#include "fan.h"

#include "memory.h"

#include <assert.h>

/* ---- The scout ------------------------------------------------------------------------------------------------- */

static void pump(struct waiter *scout);

/* With the publish lock: waits at a full ring for the next take; false if it is not full any more. */
static bool send_scout_locked(struct fan *fan, struct member *member)
{
	struct queue *queue = &member->queue;
	bool full;

	if (fan->scouting)
		return true;
	queue_lock_take_too(queue);
	full = !ring_has_room(&queue->ring, &queue->put.at);
	if (full) {
		fan->scouting = true;
		fan->owner.keep(fan->channel);
		waiter_init_call(&fan->scout, pump);
		side_append(&queue->take, &fan->scout.first);
	}
	queue_unlock_take_too(queue);
	return full;
}

/* Sends wait for a first receiver. */
static bool awaits_receiver(const struct fan *fan)
{
	return fan->receivers == 0 && fan->unheard == DUCT_UNHEARD_WAIT;
}

/* With the publish lock: a member that blocks and has no room for so many messages, or NULL. */
static inline struct member *first_full(const struct fan *fan, size_t count)
{
	for (struct member *member = fan->blocking > 0 ? fan->first : NULL; member != NULL; member = member->next)
		if (member->overflow == DUCT_BLOCK && !ring_has_room_for(&member->queue.ring, &member->queue.put.at, count))
			return member;
	return NULL;
}

/* With the publish lock: whether so many messages can go to all members. */
static bool has_room_locked(const struct fan *fan, size_t count)
{
	return !awaits_receiver(fan) && first_full(fan, count) == NULL;
}

/* With the publish lock: whether a message can go to all members; if not, the scout is out. */
static bool admits_locked(struct fan *fan)
{
	struct member *full;

	if (awaits_receiver(fan))
		return false;
	while ((full = first_full(fan, 1)) != NULL)
		if (send_scout_locked(fan, full))
			return false;
	return true;
}

/* ---- Leaving --------------------------------------------------------------------------------------------------- */

static void unlink_member(struct fan *fan, struct member *member)
{
	member->joined = false;
	if (member->next != NULL)
		member->next->prev = member->prev;
	else
		fan->last = member->prev;
	if (member->prev != NULL)
		member->prev->next = member->next;
	else
		fan->first = member->next;
	store_relaxed(&fan->outlet.members, load_relaxed(&fan->outlet.members) - 1);
	fan->receivers -= !member->hidden;
	fan->blocking -= member->overflow == DUCT_BLOCK;
}

/* With the publish lock and the member's take lock. */
static void leave_locked(struct member *member, duct_status status, struct node **wakes)
{
	struct fan *fan = member->fan;

	unlink_member(fan, member);
	side_stop_waits(&member->queue.take, NULL, DUCT_OK, wakes); /* the scout, before it is seen to stand for nobody */
	queue_mark_takes_locked(&member->queue, status);
	atomic_store(&member->left, true);
	queue_stop_waits_locked(&member->queue, wakes);
}

/*
 * With both locks of the gate, or with the publish lock while nobody stands in line there, for whom alone the other lock is:
 * what the channel makes of it.
 */
static void report_left_locked(struct member *member, struct node **wakes)
{
	assert(member->fan->gate->take_is_held || load_relaxed(&member->fan->gate->take.waiting) == NULL);
	if (!member->hidden)
		member->fan->owner.receiver_left(member->fan->channel, wakes);
}

/* ---- One message, or a batch, to all members ------------------------------------------------------------------- */

/* What is published.  The first who stores a message gets the sender's, the others get copies, if there is a hook for it. */
struct publication {
	const struct ring *ring; /* for the sizes */
	const void *messages;
	size_t count;      /* 1 if there are hooks */
	struct tray *tray; /* NULL: no hooks, no receipt */
	bool has_copies;
	bool used; /* the sender's message */
	size_t delivered, lost;
	struct node **wakes;
};

static const void *instance(const struct publication *publication, size_t i)
{
	const struct tray *tray = publication->tray;

	if (publication->has_copies && publication->used)
		return tray_item(tray, tray->copies - 1);
	return ring_nth(publication->ring, publication->messages, i);
}

static void use_instance(struct publication *publication)
{
	if (publication->has_copies && publication->used)
		publication->tray->copies--;
	publication->used = true;
}

/* Where a message goes that is lost: on to the tray, or nowhere. */
static void *place_for_lost(const struct publication *publication)
{
	struct tray *tray = publication->tray;

	return tray != NULL && tray->hooks->drop != NULL ? tray_lose(tray) : NULL;
}

static void lose_message(struct publication *publication, size_t i)
{
	void *place = place_for_lost(publication);

	if (place != NULL)
		ring_copy(publication->ring, place, ring_nth(publication->ring, publication->messages, i));
}

/* What the log is to be told now: all that the member has lost since it was last told. */
static uint64_t lost_untold_locked(struct member *member)
{
	const uint64_t lost = member->lost - member->lost_logged;

	member->lost_logged = member->lost;
	return lost;
}

/* At most so often, counted from when it is told: the send that lost something may have waited long. */
static void tell_loss(struct loss *loss)
{
	struct member *member = (struct member *)(void *)((unsigned char *)loss - offsetof(struct member, loss));
	const duct_time now = duct_now();
	uint64_t lost = 0, suppressed;

	queue_lock_put(&member->queue);
	member->telling = false;
	if (log_admit_locked(&member->log, now, &suppressed))
		lost = lost_untold_locked(member);
	queue_unlock_put(&member->queue);
	if (lost > 0) /* a hook may have been quicker */
		log_tell_of(&member->log, DUCT_LOG_LOST, member->name, lost);
	end_unpin(&member->end);
}

static void tell_cut(struct loss *cut)
{
	struct member *member = (struct member *)(void *)((unsigned char *)cut - offsetof(struct member, cut));
	uint64_t lost;

	queue_lock_put(&member->queue);
	lost = lost_untold_locked(member);
	queue_unlock_put(&member->queue);
	log_tell_of(&member->log, DUCT_LOG_CUT_OFF, member->name, lost);
	end_unpin(&member->end);
}

static void drop_forgotten(struct loss *forgetting)
{
	fan_drop_forgotten((struct fan *)(void *)((unsigned char *)forgetting - offsetof(struct fan, forgetting)));
}

/* Whether the log hears of it, with what else this call has to do without a lock. */
static bool is_heard(const struct tray *tray, const struct member *member)
{
	return tray != NULL && tray->hooks->log != NULL && !member->quiet;
}

static void add_loss(struct tray *tray, struct member *member, struct loss *loss, void (*tell)(struct loss *loss))
{
	end_pin(&member->end);
	tray_tell_later(tray, loss, tell);
}

static void log_loss_locked(struct tray *tray, struct member *member)
{
	if (!is_heard(tray, member) || member->telling)
		return;
	member->telling = true;
	add_loss(tray, member, &member->loss, tell_loss);
}

/* With the publish lock and the member's take lock. */
static void count_loss_locked(struct member *member, struct publication *publication, size_t count)
{
	member->lost += count;
	if (!member->hidden)
		publication->lost += count;
	if (member->tell_lag)
		store_relaxed(&member->end.flags, load_relaxed(&member->end.flags) | END_LAGGED);
}

/* With both locks: takes the oldest messages but one out of a member's ring; they are lost. */
static void displace_but_one(struct member *member, struct publication *publication)
{
	struct queue *queue = &member->queue;
	const size_t displaced = queue_backlog_locked(queue).len - 1;

	for (size_t n = 0; n < displaced; n++)
		ring_take_many(&queue->ring, &queue->take.at, place_for_lost(publication), 1);
	if (displaced > 0)
		count_loss_locked(member, publication, displaced);
}

/* With the publish lock and the member's take lock. */
static void cut_off_locked(struct member *member, struct publication *publication)
{
	atomic_store(&member->cut_off, true);
	if (is_heard(publication->tray, member))
		add_loss(publication->tray, member, &member->cut, tell_cut);
	leave_locked(member, DUCT_CLOSED, publication->wakes);
}

/*
 * As report_left_locked.  If the channel closes with its last receiver, after which nobody is left to be cut off, what it kept
 * is dropped with what this send lost; without hooks it is only memory, and goes with the next change of handles.
 */
static void report_cut_off_locked(struct member *member, struct publication *publication)
{
	struct fan *fan = member->fan;

	report_left_locked(member, publication->wakes);
	if (fan->forgotten.kept != NULL && publication->tray != NULL)
		tray_tell_later(publication->tray, &fan->forgetting, drop_forgotten);
}

/*
 * With the publish lock and the member's take lock, a full ring: false if the message does not go in.  One that displaces the
 * oldest does it at one store.
 */
static bool overflow_locked(struct member *member, struct publication *publication, size_t i)
{
	struct queue *queue = &member->queue;

	assert(member->overflow != DUCT_BLOCK); /* which was found to have room */
	count_loss_locked(member, publication, 1);
	if (member->overflow == DUCT_CUT_OFF)
		cut_off_locked(member, publication);
	else if (member->overflow != DUCT_LATEST_ONLY)
		log_loss_locked(publication->tray, member);
	if (member->overflow == DUCT_CUT_OFF || member->overflow == DUCT_DROP_NEWEST)
		return false;
	ring_refill(&queue->ring, &queue->take.at, &queue->put.at, place_for_lost(publication), instance(publication, i));
	return true;
}

/*
 * Into a ring that looks full, or holds more than it may; false if the message is lost.  The take lock makes sure that no take
 * has made room meanwhile.
 */
static bool give_by_policy(struct member *member, struct publication *publication, size_t i)
{
	struct queue *queue = &member->queue;
	bool given;

	queue_lock_take_too(queue);
	given = ring_put(&queue->ring, &queue->put.at, instance(publication, i)) || overflow_locked(member, publication, i);
	if (member->overflow == DUCT_LATEST_ONLY)
		displace_but_one(member, publication);
	queue_unlock_take_too(queue);
	if (!member->joined)
		report_cut_off_locked(member, publication);
	if (!given && !publication->has_copies)
		lose_message(publication, i);
	return given;
}

/* To a waiting receiver, or into the ring; false if it is lost. */
static bool give(struct member *member, struct publication *publication, size_t i)
{
	struct queue *queue = &member->queue;
	const bool displaces = member->overflow == DUCT_LATEST_ONLY && queue->ring.capacity > 1;
	struct node *receiver;

	if (load_relaxed(&queue->put.waiting) != NULL &&
	    (receiver = side_claim_first(&queue->put, publication->wakes)) != NULL) {
		assert(ring_has_room(&queue->ring, &queue->put.at));
		ring_copy(&queue->ring, receiver->message, instance(publication, i));
		wakes_add(publication->wakes, receiver, DUCT_OK);
	} else if (displaces || !ring_put(&queue->ring, &queue->put.at, instance(publication, i))) {
		if (!give_by_policy(member, publication, i))
			return false;
	}
	use_instance(publication);
	return true;
}

/* What nearly always happens with one message, if there are no copies and nobody asked for a receipt. */
static inline bool give_fast(struct member *member, struct publication *publication)
{
	struct queue *queue = &member->queue;

	if (unlikely(publication->tray != NULL || publication->count != 1 || load_relaxed(&queue->put.waiting) != NULL ||
		     member->overflow == DUCT_LATEST_ONLY || !ring_put(&queue->ring, &queue->put.at, publication->messages)))
		return false;
	member->sent++;
	return true;
}

/* All of a batch to one member. */
static void give_all(struct member *member, struct publication *publication)
{
	struct queue *queue = &member->queue;
	size_t done = 0, given = 0;

	member->sent += publication->count;
	if (publication->count > 1 && load_relaxed(&queue->put.waiting) == NULL && member->overflow != DUCT_LATEST_ONLY)
		given = done = ring_put_many(&queue->ring, &queue->put.at, publication->messages, publication->count);
	for (; done < publication->count; done++) {
		if (!member->joined)
			member->sent--; /* cut off before */
		else
			given += give(member, publication, done);
	}
	if (!member->hidden)
		publication->delivered += given;
}

/* ---- The history ----------------------------------------------------------------------------------------------- */

/* Messages that have hooks need a new box for each, whose hooks run without a lock; others are overwritten where they are. */
static bool keeps_owned(const struct fan *fan)
{
	return fan->hooks->drop != NULL || fan->hooks->copy != NULL;
}

static void keep_latest(struct fan *fan, struct publication *publication, size_t i)
{
	struct history *history = &fan->history;
	duct_box **box = &history->kept[history->next];

	if (keeps_owned(fan)) {
		publication->tray->outdated = *box;
		*box = publication->tray->keepsake;
		publication->tray->keepsake = NULL;
	}
	ring_copy(publication->ring, duct_box_data(*box), instance(publication, i));
	use_instance(publication);
	history->next = history->next + 1 < history->most ? history->next + 1 : 0;
	history->len += history->len < history->most;
}

static void keep_last(struct fan *fan, struct publication *publication)
{
	const size_t most = fan->history.most, count = publication->count;

	for (size_t i = count > most ? count - most : 0; i < count; i++)
		keep_latest(fan, publication, i);
}

/* Number i of those that are kept, the oldest first. */
static duct_box **history_nth(const struct history *history, size_t i)
{
	return &history->kept[(history->next + history->most - history->len + i) % history->most];
}

static void history_free(const struct fan *fan, const struct history *history)
{
	for (size_t i = 0; i < history->most; i++)
		duct_box_free(history->kept[i]);
	if (history->kept != NULL)
		memory_free(fan->hooks->allocator, history->kept);
}

/* Places for that many messages. */
static bool history_make(struct fan *fan, struct history *history, size_t most)
{
	const struct hooks *hooks = fan->hooks;

	*history = (struct history){ 0 };
	if (most == 0)
		return true;
	if (most > SIZE_MAX / sizeof(duct_box *) ||
	    (history->kept = memory_new(hooks->allocator, most * sizeof(duct_box *))) == NULL)
		return false;
	while (history->most < most) {
		duct_box *box = keeps_owned(fan) ? NULL : box_new(hooks->allocator, hooks->size, NULL, NULL);

		if (box == NULL && !keeps_owned(fan)) {
			history_free(fan, history);
			return false;
		}
		history->kept[history->most++] = box;
	}
	return true;
}

/* Moves the newest messages over, and gives the other's empty places for them. */
static void history_move(struct history *to, struct history *from)
{
	const size_t count = from->len < to->most ? from->len : to->most;

	for (size_t i = 0; i < count; i++) {
		duct_box **old = history_nth(from, from->len - count + i), *box = *old;

		*old = to->kept[i];
		to->kept[i] = box;
	}
	to->len = count;
	to->next = count < to->most ? count : 0;
}

duct_status fan_set_replay(struct fan *fan, size_t count)
{
	struct history history, old;

	if (!history_make(fan, &history, count))
		return DUCT_NOMEM;
	queue_lock_put(fan->gate);
	old = fan->history;
	history_move(&history, &old);
	fan->history = history;
	fan->owner.keep(fan->channel); /* others can see that it is done, and hooks are called */
	queue_unlock_put(fan->gate);
	history_free(fan, &old);
	fan->owner.release(fan->channel);
	return DUCT_OK;
}

size_t fan_replay(struct fan *fan)
{
	size_t most;

	queue_lock_put(fan->gate);
	most = fan->history.most;
	queue_unlock_put(fan->gate);
	return most;
}

void fan_drop_forgotten(struct fan *fan)
{
	struct history forgotten;

	queue_lock_put(fan->gate);
	forgotten = fan->forgotten;
	fan->forgotten = (struct history){ 0 };
	queue_unlock_put(fan->gate);
	history_free(fan, &forgotten);
}

/* ---- Publishing ------------------------------------------------------------------------------------------------ */

/* Room on a tray for what rings displace that hold more than they may.  Takes meanwhile can only make it less. */
static size_t surplus(const struct fan *fan)
{
	size_t sum = 0;

	for (const struct member *member = fan->first; member != NULL; member = member->next)
		if (member->overflow == DUCT_LATEST_ONLY)
			sum += queue_backlog_locked(&member->queue).len;
	return sum;
}

/*
 * Whether the operation brings what hooks need for a message to all members: a copy for each but the first, and room for one
 * loss for each, in the places of used copies or beside them.
 */
static bool is_equipped(const struct fan *fan, const struct op *op)
{
	const bool keeps = fan->history.most > 0;
	size_t instances = load_relaxed(&fan->outlet.members) + keeps, copies = 0, losses = 0;

	if (!fan->outlet.has_hooks)
		return true;
	if (fan->hooks->copy != NULL && instances > 1)
		copies = instances - 1;
	if (fan->hooks->drop != NULL)
		losses = instances + 1 + surplus(fan);
	return tray_has(op->tray, copies, losses, keeps && keeps_owned(fan));
}

/* For spinning threads, which see by it that messages move: so many, to all members (spin.c).  Nothing is queued here. */
static void show_progress(const struct fan *fan, size_t count)
{
	struct queue *gate = fan->gate;
	const size_t position = load_relaxed(&gate->put.at.position) + 2 * count * (load_relaxed(&fan->outlet.members) + 1);

	store_relaxed(&gate->put.at.position, position);
	store_relaxed(&gate->take.at.position, position);
}

/* With the publish lock, admitted and equipped. */
static void publish_locked(struct fan *fan, const struct op *op, size_t count, struct node **wakes)
{
	struct publication publication = { .ring = &fan->gate->ring,
		.messages = op->message,
		.count = count,
		.tray = op->tray,
		.has_copies = fan->hooks->copy != NULL,
		.wakes = wakes };
	const bool nobody = fan->first == NULL;

	for (struct member *member = fan->first, *next; member != NULL; member = next) {
		next = member->next; /* it may be cut off */
		if (!give_fast(member, &publication))
			give_all(member, &publication);
	}
	keep_last(fan, &publication);
	if (!publication.used && (publication.has_copies || nobody))
		lose_message(&publication, 0);
	if (op->tray != NULL)
		op->tray->receipt = (duct_receipt){ .delivered = publication.delivered, .lost = publication.lost };
	show_progress(fan, count);
}

/* With the publish lock: does the sends that wait in line, as long as there is room; false if there was not enough for all. */
static bool serve_line_locked(struct fan *fan, struct node **wakes)
{
	struct queue *gate = fan->gate;
	struct node *sender;
	bool locked, served;

	if (load_relaxed(&gate->take.waiting) == NULL)
		return true;
	locked = queue_lock_take_also(gate);
	while (load_relaxed(&gate->take.waiting) != NULL && admits_locked(fan) &&
	       (sender = side_claim_first(&gate->take, wakes)) != NULL) {
		const bool equipped = is_equipped(fan, sender->op);

		if (equipped)
			publish_locked(fan, sender->op, 1, wakes);
		wakes_add(wakes, sender, equipped ? DUCT_OK : TRAY_IS_SHORT);
	}
	served = load_relaxed(&gate->take.waiting) == NULL;
	if (locked)
		queue_unlock_take_also(gate);
	return served;
}

/* A scout was pinged. */
static void pump(struct waiter *scout)
{
	struct fan *fan = (struct fan *)(void *)((unsigned char *)scout - offsetof(struct fan, scout));
	struct duct_channel *channel = fan->channel;
	void (*release)(struct duct_channel *) = fan->owner.release;
	struct node *wakes = NULL;

	queue_lock_both(fan->gate);
	fan->scouting = false;
	show_progress(fan, 1); /* a message was taken: a sender that is still awake is not yielding to strangers */
	(void)serve_line_locked(fan, &wakes);
	queue_unlock_both(fan->gate);
	wakes_notify(wakes);
	release(channel);
}

/* Whether it is this send's turn: those in line first, who may cut off the last receiver. */
static duct_status take_turn_locked(struct fan *fan, struct node **wakes)
{
	if (!serve_line_locked(fan, wakes) || !admits_locked(fan))
		return DUCT_FULL;
	return (duct_status)load_relaxed(&fan->gate->put.at.ended);
}

static duct_status fan_put_locked(const struct op *op, struct node **wakes)
{
	struct fan *fan = fan_of(op->queue);
	const duct_status turn = take_turn_locked(fan, wakes);

	if (turn != DUCT_OK)
		return turn;
	if (!is_equipped(fan, op))
		return TRAY_IS_SHORT;
	publish_locked(fan, op, 1, wakes);
	return DUCT_OK;
}

/* How many of a batch all members have room for; one at least has been admitted. */
static size_t room_for(const struct fan *fan, size_t count)
{
	for (const struct member *member = fan->blocking > 0 ? fan->first : NULL; member != NULL; member = member->next)
		if (member->overflow == DUCT_BLOCK)
			count = ring_room(&member->queue.ring, &member->queue.put.at, count);
	return count;
}

static duct_status fan_put_many_locked(const struct op *op, size_t count, size_t *moved, struct node **wakes)
{
	struct fan *fan = fan_of(op->queue);
	duct_status turn;

	if (fan->outlet.has_hooks)
		return DUCT_FULL; /* one by one, with a tray */
	turn = take_turn_locked(fan, wakes);
	if (turn != DUCT_OK)
		return turn;
	*moved = room_for(fan, count);
	publish_locked(fan, op, *moved, wakes);
	return DUCT_FULL;
}

/* With the publish lock: the line is served, or the scout out. */
static void fan_attend_locked(struct queue *gate, struct node **wakes)
{
	(void)serve_line_locked(fan_of(gate), wakes);
}

/*
 * What a send would come to, after those who wait in line; or whether there are as many receivers as the operation's number.
 * Who comes to stand in line has a tray that is equipped.
 */
static duct_status fan_probe_locked(const struct op *op)
{
	struct fan *fan = fan_of(op->queue);

	if (op->tray != NULL && !is_equipped(fan, op))
		return TRAY_IS_SHORT;
	if (op->is_send)
		return has_room_locked(fan, side_count_partners(&op->queue->take) + 1) ? DUCT_OK : DUCT_FULL;
	if (load_relaxed(&op->queue->take.at.ended) != DUCT_OK)
		return DUCT_CLOSED;
	return fan->receivers >= op->number ? DUCT_OK : DUCT_EMPTY;
}

static bool fan_prepare(const struct op *op)
{
	return tray_prepare(op->tray, op->message);
}

/* With the member's take lock. */
static void fan_tell_lag_locked(struct end *end)
{
	struct member *member = (struct member *)(void *)end;

	atomic_store(&member->lag, member->lost - member->lag_told);
	member->lag_told = member->lost;
	store_relaxed(&end->flags, load_relaxed(&end->flags) & (uint8_t)~END_LAGGED);
}

/* ---- Life ------------------------------------------------------------------------------------------------------ */

void fan_init(struct fan *fan, struct queue *gate, struct duct_channel *channel, const struct hooks *hooks,
    struct fan_owner owner, duct_unheard unheard)
{
	const struct outlet outlet = {
		.has_hooks = hooks->drop != NULL || hooks->copy != NULL || hooks->log != NULL,
		.prepare = fan_prepare,
		.put_locked = fan_put_locked,
		.put_many_locked = fan_put_many_locked,
		.probe_locked = fan_probe_locked,
		.attend_locked = fan_attend_locked,
		.scout = &fan->scout.claim,
		.tell_lag_locked = fan_tell_lag_locked,
	};

	*fan = (struct fan){
		.outlet = outlet, .gate = gate, .hooks = hooks, .owner = owner, .channel = channel, .unheard = unheard
	};
	/* The scout is all zeros, and so not free to be claimed. */
	atomic_init(&gate->put.at.position, 1); /* odd, which the word of a gate's one slot never says */
	atomic_init(&gate->take.at.position, 1);
	gate->outlet = &fan->outlet;
}

void fan_fini(struct fan *fan)
{
	assert(fan->forgotten.kept == NULL); /* whoever gave the last handle back after the close dropped that */
	history_free(fan, &fan->history);
}

void fan_close_locked(struct fan *fan, struct node **wakes)
{
	for (struct member *member = fan->first; member != NULL; member = member->next) {
		queue_lock_take_too(&member->queue);
		queue_mark_takes_locked(&member->queue, DUCT_CLOSED);
		queue_stop_waits_locked(&member->queue, wakes);
		queue_unlock_take_too(&member->queue);
	}
	fan->forgotten = fan->history;
	fan->history = (struct history){ 0 };
}

/* ---- Joining and leaving --------------------------------------------------------------------------------------- */

uint64_t fan_next_number(struct fan *fan)
{
	uint64_t number;

	queue_lock_put(fan->gate);
	number = ++fan->named;
	queue_unlock_put(fan->gate);
	return number;
}

static void link_member(struct fan *fan, struct member *member)
{
	member->number = ++fan->joined;
	member->joined = true;
	member->prev = fan->last;
	if (fan->last != NULL)
		fan->last->next = member;
	else
		fan->first = member;
	fan->last = member;
	store_relaxed(&fan->outlet.members, load_relaxed(&fan->outlet.members) + 1);
	fan->receivers += !member->hidden;
	fan->blocking += member->overflow == DUCT_BLOCK;
}

/* How many of the kept messages go into a member's ring. */
static size_t fitting(const struct fan *fan, const struct member *member)
{
	const size_t most = member->overflow == DUCT_LATEST_ONLY ? 1 : member->queue.ring.capacity;

	return fan->history.len < most ? fan->history.len : most;
}

size_t fan_replay_needed(const struct member *member)
{
	struct fan *fan = member->fan;
	size_t needed;

	queue_lock_put(fan->gate);
	needed = fan->hooks->copy != NULL ? fitting(fan, member) : 0;
	queue_unlock_put(fan->gate);
	return needed;
}

/* The kept messages go into the ring, or, if hooks have to copy them, are only referred to. */
static void replay_locked(struct fan *fan, struct member *member, struct replay *replay)
{
	const struct history *history = &fan->history;
	const size_t count = fitting(fan, member);

	for (size_t i = history->len - count; i < history->len; i++) {
		duct_box *box = *history_nth(history, i);

		if (fan->hooks->copy != NULL)
			replay->boxes[replay->len++] = duct_box_ref(box);
		else
			member->sent += ring_put(&member->queue.ring, &member->queue.put.at, duct_box_data(box));
	}
}

bool fan_join_locked(struct fan *fan, struct member *member, struct replay *replay, struct node **wakes)
{
	if (fan->hooks->copy != NULL && fitting(fan, member) > replay->room)
		return false;
	if (load_relaxed(&fan->gate->take.at.ended) != DUCT_OK)
		queue_mark_takes_locked(&member->queue, DUCT_CLOSED);
	link_member(fan, member);
	replay_locked(fan, member, replay);
	(void)side_claim_first(&fan->gate->put, wakes); /* observers: those who wait for receivers look again */
	(void)serve_line_locked(fan, wakes);
	return true;
}

/* A copy from the replay goes ahead of what has come meanwhile; false if it is too late for that. */
static bool put_ahead_locked(struct member *member, const void *copy)
{
	struct queue *queue = &member->queue;

	if (member->overflow == DUCT_LATEST_ONLY && queue_backlog_locked(queue).len > 0)
		return false;
	if (member->discarded > 0) /* older than what was discarded: goes with it */
		return false;
	return ring_put_first(&queue->ring, &queue->take.at, copy);
}

bool fan_finish_join(struct member *member, struct replay *replay)
{
	struct fan *fan = member->fan;
	struct tray tray;
	int cancellation;
	bool made;

	if (replay->len == 0)
		return true;
	tray_init(&tray, fan->hooks);
	made = tray_reserve(&tray, replay->len);
	cancellation = cancellation_hold();
	while (made && tray.copies < replay->len) {
		made = hooks_copy(fan->hooks, tray_item(&tray, tray.copies), duct_box_data(replay->boxes[tray.copies]));
		tray.copies += made;
	}
	cancellation_resume(cancellation);
	queue_lock_both(&member->queue);
	while (made && tray.copies > 0 && put_ahead_locked(member, tray_item(&tray, tray.copies - 1))) {
		tray.copies--;
		member->sent++;
	}
	queue_unlock_both(&member->queue);
	for (size_t i = 0; i < replay->len; i++)
		duct_box_free(replay->boxes[i]);
	tray_fini(&tray);
	return made;
}

bool fan_leave_locked(struct member *member, duct_status status, struct node **wakes)
{
	if (!member->joined)
		return false;
	queue_lock_take_too(&member->queue);
	leave_locked(member, status, wakes);
	queue_unlock_take_too(&member->queue);
	report_left_locked(member, wakes);
	return true;
}

/* ---- State ----------------------------------------------------------------------------------------------------- */

void fan_set_overflow(struct member *member, duct_overflow overflow)
{
	struct queue *queue = &member->queue;
	struct node *wakes = NULL;

	queue_lock_both(queue);
	if (member->joined)
		member->fan->blocking += (size_t)(overflow == DUCT_BLOCK) - (size_t)(member->overflow == DUCT_BLOCK);
	member->overflow = overflow;
	side_stop_waits(&queue->take, NULL, DUCT_OK, &wakes); /* the scout: whoever waited for this ring may not have to */
	queue_unlock_both(queue);
	wakes_notify(wakes);
}

duct_stats fan_stats(struct member *member)
{
	duct_stats stats;

	queue_lock_both(&member->queue);
	stats = (duct_stats){ .sent = member->sent,
		.lost = member->lost,
		.discarded = member->discarded,
		.queued = queue_backlog_locked(&member->queue).len };
	queue_unlock_both(&member->queue);
	stats.received = stats.sent - stats.lost - stats.discarded - stats.queued;
	return stats;
}

size_t fan_len(struct fan *fan)
{
	size_t len = 0;

	queue_lock_put(fan->gate);
	for (struct member *member = fan->first; member != NULL; member = member->next) {
		if (!member->hidden)
			len += queue_backlog_too(&member->queue).len;
	}
	queue_unlock_put(fan->gate);
	return len;
}

bool fan_is_full(struct fan *fan)
{
	bool full;

	queue_lock_put(fan->gate);
	full = load_relaxed(&fan->gate->put.at.ended) == DUCT_OK && !has_room_locked(fan, 1);
	queue_unlock_put(fan->gate);
	return full;
}

size_t fan_count_waiting_receivers(struct fan *fan)
{
	size_t count = 0;

	queue_lock_put(fan->gate);
	for (struct member *member = fan->first; member != NULL; member = member->next)
		count += side_count_live(&member->queue.put);
	queue_unlock_put(fan->gate);
	return count;
}

struct member *fan_next(struct fan *fan, uint64_t number)
{
	struct member *member;

	queue_lock_put(fan->gate);
	for (member = fan->first; member != NULL && (member->number <= number || member->hidden); member = member->next)
		;
	if (member != NULL)
		end_pin(&member->end);
	queue_unlock_put(fan->gate);
	return member;
}
