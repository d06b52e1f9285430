/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * What an execution of a program of sources has to keep to.  No order of the operations is looked for, as the oracles of channels
 * do; what is known for certain at a moment is enough:
 *
 *   - a message is received or dropped once, if it was sent, and not if its send failed; it is whole, has the marks of the maps on
 *     its way, and was refused by no filter there; it is dropped only where something may refuse it, or with the tree;
 *   - what one thread sent to one channel, one thread receives from one place in that order, but for what another thread took
 *     in order to know;
 *   - at rest nobody is blocked who has something to receive, a partner to meet, room, an end or a raised token;
 *   - no call receives from the tree that began after another one was told of its end;
 *   - DUCT_CLOSED only from what may have ended; DUCT_EMPTY and DUCT_TIMEDOUT only where nothing was there all the time, if the
 *     thread was alone; after a wait that said so something is there, if it was;
 *   - a call returns what its form can return, and NOMEM if something did fail.
 *
 * A step is disturbing if it can make a receiver less ready, as each receive is.  A call is alone as long as no other thread is in
 * one of these.
 *
 * A message is its number in the low half, marks above that, and the number again in the upper half, where a tick has nothing.
 */
#include "source_oracle.h"

#include "explorer.h"
#include "heap.h"
#include "history.h"

#include <stdio.h>
#include <string.h>

#define MAX_MESSAGES 64
#define MAX_EVENTS 200
#define COPY (UINT64_C(1) << 63)
#define MARK (UINT64_C(1) << 16)

struct message {
	uint8_t channel, sender;
	bool failed, gone;
	long sent;     /* when that was certain; 0: not yet */
	int toucher;   /* 0: no function has seen it; else the thread that took it, and one */
	unsigned seen; /* the nodes whose functions did, as bits */
};

static struct {
	long now;
	int last;
	struct message messages[MAX_MESSAGES];
	int received[THREADS][STREAMS][THREADS][CHANNELS]; /* the last one, by receiver, from where, sender and channel */
	long copies;
	bool closing[PLACES], freeing, removing, raised;
	bool adding[CHANNELS], not_added[CHANNELS];
	long added[CHANNELS];     /* since when for certain; 0: not yet */
	bool finished[MAX_NODES]; /* the function of a take-while said so */
	long clock_begun, clock_done, timer_base;
	int ticks, ticks_since;     /* that are gone; since the timer was reset */
	int resets;                 /* that have not returned */
	long reset_at, reset_done;  /* by the clock at the earliest; when that was certain; 0: never */
	long event_set, event_gone; /* the last of these for certain */
	long told_end;              /* when a call was first told that the tree has ended; 0: not yet */
	const struct step *inside[THREADS];
	const uint64_t *batch[THREADS]; /* what the step receives into */
	long entered[THREADS];
	int disturbing;
	long disturbances;
} world;

static struct event {
	int thread;
	const struct step *step;
	bool returned;
	const char *what;
	uint64_t message;
} events[MAX_EVENTS];
static int event_count;

void oracle_begin(void)
{
	memset(&world, 0, sizeof world);
	event_count = 0;
}

static long moment(void)
{
	return ++world.now;
}

/* ---- The tree ---------------------------------------------------------------------------------------------------------- */

static const struct tree_node *node_at(int node)
{
	return &program_current.nodes[node];
}

static bool marks(int node)
{
	return node_at(node)->kind == MAP || node_at(node)->kind == FILTER_MAP;
}

static bool passes(enum kind kind, unsigned number)
{
	switch (kind) {
	case FILTER:
		return number % 2 != 0;
	case FILTER_MAP:
		return number % 3 != 1;
	case TAKE_WHILE:
		return number % 4 != 0;
	case DROP_WHILE:
		return number >= 3;
	default:
		return true;
	}
}

static enum kind kind_of_channel(int channel)
{
	return channel == CHANNEL_A ? LEAF_A : LEAF_B;
}

/* The node is, or is below, the first source of a merge that sources are removed from. */
static bool is_removable(int node)
{
	return node_at(0)->kind == MERGE && node >= 1 && node < tree_end(&program_current, 1);
}

/* On the way up from the node nothing has ended it for certain. */
static bool is_alive(int node)
{
	if (world.closing[TREE] || world.freeing || (world.removing && is_removable(node)))
		return false;
	for (; node >= 0; node = tree_parent(&program_current, node))
		if (world.finished[node])
			return false;
	return true;
}

/* The tree takes from the channel, for certain, and has done so since that moment. */
static bool is_source(int channel, long since)
{
	for (int i = 0; i < program_current.node_count; i++)
		if (node_at(i)->kind == kind_of_channel(channel) && is_alive(i))
			return true;
	return world.added[channel] != 0 && world.added[channel] < since && !world.closing[TREE] && !world.freeing;
}

static bool may_be_source(int channel)
{
	for (int i = 0; i < program_current.node_count; i++)
		if (node_at(i)->kind == kind_of_channel(channel))
			return true;
	return world.adding[channel];
}

/* Closed by somebody or, if it is a one-shot channel, by a message; certain: that was sent. */
static bool is_closed(int channel, bool certain)
{
	bool closed = world.closing[channel];

	for (int i = 1; program_current.capacity[channel] == ONCE && i <= world.last; i++)
		closed |= world.messages[i].channel == channel && (world.messages[i].sent != 0 || !certain);
	return closed;
}

static bool channel_is_drained(int channel)
{
	for (int i = 1; i <= world.last; i++)
		if (world.messages[i].channel == channel && !world.messages[i].gone && !world.messages[i].failed)
			return false;
	return is_closed(channel, true);
}

/* A node may have ended; or it has for certain, where nothing was removed. */
static bool node_ends(int node, bool certain)
{
	const struct tree_node *at = node_at(node);
	bool ends = true;

	if (at->kind == LEAF_A || at->kind == LEAF_B) {
		int channel = at->kind == LEAF_A ? CHANNEL_A : CHANNEL_B;

		return certain ? channel_is_drained(channel) : is_closed(channel, false);
	}
	if (at->kind == TIMER || at->kind == NEVER)
		return false;
	for (int i = 0, child = node + 1; i < at->children; i++, child = tree_end(&program_current, child))
		ends &= node_ends(child, certain) || (!certain && world.removing && child == 1);
	return ends || world.finished[node];
}

static bool tree_ends(bool certain)
{
	if (world.closing[TREE] || world.freeing)
		return true;
	for (int i = 0; i < CHANNELS; i++)
		if (certain ? world.adding[i] && !channel_is_drained(i) : world.added[i] != 0 && !is_closed(i, false))
			return false;
	return node_ends(0, certain) && !(certain && world.removing);
}

bool oracle_may_end(void)
{
	return tree_ends(false);
}

bool oracle_must_end(void)
{
	return tree_ends(true);
}

/* ---- Messages ---------------------------------------------------------------------------------------------------------- */

static unsigned number_of(uint64_t message)
{
	return message & (MARK - 1);
}

static int marks_of(uint64_t message)
{
	return (int)(message / MARK % 256);
}

static bool is_tick(uint64_t message)
{
	return (message & ~COPY) >> 32 == 0;
}

static struct message *message_at(uint64_t message)
{
	unsigned number = number_of(message);

	if (number < 1 || number > (unsigned)world.last || (message & ~COPY) >> 32 != number)
		explorer_fail("not a message: %#llx", (unsigned long long)message);
	return &world.messages[number];
}

uint64_t oracle_send(enum place channel)
{
	EXPLORER_CHECK(world.last + 1 < MAX_MESSAGES);
	world.messages[++world.last] = (struct message){ .channel = (uint8_t)channel, .sender = (uint8_t)explorer_self() };
	return (uint64_t)world.last | (uint64_t)world.last << 32;
}

void oracle_sent(uint64_t message, bool sent)
{
	struct message *at = message_at(message);

	if (sent)
		at->sent = moment();
	else if (at->gone || at->toucher != 0)
		explorer_fail("message %u was received, and its send failed", number_of(message));
	else
		at->failed = true;
}

/* On some way up from a leaf of that kind a message is refused for certain, may be, or has as many marks. */
struct way {
	bool refused, doubtful;
	int marks;
};

static struct way way_of(int leaf, unsigned number)
{
	struct way way = { 0 };

	for (int node = leaf; node >= 0; node = tree_parent(&program_current, node)) {
		bool passed = passes(node_at(node)->kind, number);

		way.refused |= !passed && node_at(node)->kind != DROP_WHILE;
		way.doubtful |= !passed;
		way.marks += marks(node);
	}
	return way;
}

static bool may_be_dropped(const struct message *message, unsigned number)
{
	for (int i = 0; i < program_current.node_count; i++)
		if (node_at(i)->kind == kind_of_channel(message->channel) && way_of(i, number).doubtful)
			return true;
	return world.freeing;
}

static bool may_be_received(enum kind leaf, uint64_t message)
{
	for (int i = 0; i < program_current.node_count; i++) {
		struct way way = way_of(i, number_of(message));

		if (node_at(i)->kind == leaf && !way.refused && way.marks == marks_of(message))
			return true;
	}
	return false;
}

/* Ticks come one after the other, and each once. */
static void tick_gone(uint64_t tick)
{
	world.ticks++;
	world.ticks_since++;
	if (world.ticks > world.clock_begun / INTERVAL || number_of(tick) + INTERVAL > world.clock_begun)
		explorer_fail("a tick that was not due");
}

static bool may_hold(void)
{
	for (int i = 0; i < program_current.node_count; i++)
		if (strchr("FQWDV", (int)node_at(i)->kind) != NULL)
			return true;
	return false;
}

/* A call that began after a reset receives none of the ticks from before it, unless the tree held one. */
static void check_reset(void)
{
	if (world.resets == 0 && world.reset_done != 0 && world.reset_done < world.entered[explorer_self()] && !may_hold() &&
	    world.clock_begun < world.reset_at + INTERVAL)
		explorer_fail("a tick of before the reset");
}

static void message_gone(struct message *message, uint64_t word, const char *how)
{
	if (message->failed)
		explorer_fail("message %u was %s, and its send failed", number_of(word), how);
	if (message->gone)
		explorer_fail("message %u was %s after it was received or dropped", number_of(word), how);
	message->gone = true;
}

/*
 * Somebody may have taken it to know of it, perhaps unseen by any function: a drop-while asks none that has stopped dropping, nor
 * does a with-previous for a first one that it has no memory for.
 */
static bool may_be_held(const struct message *message)
{
	for (int i = 0; i < program_current.node_count; i++)
		if (node_at(i)->kind == DROP_WHILE || (node_at(i)->kind == PREVIOUS && program_current.fails))
			return true;
	return message->toucher != 0;
}

static void check_order(const struct message *message, unsigned number, enum stream from)
{
	int *last = &world.received[explorer_self()][from][message->sender][message->channel];

	if (message->toucher != explorer_self() + 1 && may_be_held(message))
		return;
	if (*last > (int)number)
		explorer_fail("message %u came after message %d of the same thread", number, *last);
	*last = (int)number;
}

void oracle_received(uint64_t word, enum stream from)
{
	struct message *message;
	bool right;

	if (is_tick(word)) {
		tick_gone(word);
		check_reset();
		if (from == FROM_DIRECT || !may_be_received(TIMER, word))
			explorer_fail("a tick came where it must not");
		return;
	}
	message = message_at(word);
	right = marks_of(word) == 0 && (from == FROM_DIRECT ? message->channel == CHANNEL_A
							    : from == FROM_ELSEWHERE || world.adding[message->channel]);
	if (from == FROM_TREE && world.told_end != 0 && world.told_end < world.entered[explorer_self()])
		explorer_fail("message %u came after the end was told", number_of(word));
	if (from != FROM_DIRECT)
		right |= may_be_received(kind_of_channel(message->channel), word);
	if ((word & COPY) != 0 || !right)
		explorer_fail("message %#llx came where it must not", (unsigned long long)word);
	message_gone(message, word, "received");
	check_order(message, number_of(word), from);
}

void oracle_dropped(uint64_t word)
{
	if ((word & COPY) != 0) {
		world.copies--;
		return;
	}
	if (is_tick(word))
		return;
	if (!may_be_dropped(message_at(word), number_of(word)))
		explorer_fail("message %u was dropped", number_of(word));
	message_gone(message_at(word), word, "dropped");
}

/* A function sees it, which only happens on its way up. */
static void touch(uint64_t word)
{
	if (is_tick(word))
		return;
	if (message_at(word)->gone || message_at(word)->failed)
		explorer_fail("message %u goes up after it has gone", number_of(word));
	message_at(word)->toucher = explorer_self() + 1;
}

uint64_t oracle_copied(uint64_t word, bool copied)
{
	touch(word);
	world.copies += copied;
	return word | COPY;
}

bool oracle_keeps(int node, uint64_t word)
{
	bool kept = passes(node_at(node)->kind, number_of(word));

	touch(word);
	if (is_tick(word) && !kept)
		tick_gone(word);
	else if (!is_tick(word) && (message_at(word)->seen >> node & 1) != 0)
		explorer_fail("message %u went through one step twice", number_of(word));
	else if (!is_tick(word))
		message_at(word)->seen |= 1u << node;
	world.finished[node] |= !kept && node_at(node)->kind == TAKE_WHILE;
	return kept;
}

uint64_t oracle_marked(uint64_t word)
{
	return word + MARK;
}

/* ---- What happens ------------------------------------------------------------------------------------------------------ */

void oracle_closing(enum place place)
{
	world.closing[place] = true;
}

void oracle_freeing(void)
{
	world.freeing = true;
}

void oracle_adding(enum place channel)
{
	world.adding[channel] = true;
}

void oracle_added(enum place channel, bool added)
{
	if (added && world.added[channel] == 0)
		world.added[channel] = moment();
	world.not_added[channel] |= !added;
}

void oracle_removing(void)
{
	world.removing = true;
}

void oracle_raised(void)
{
	world.raised = true;
}

void oracle_advancing(int nanoseconds)
{
	world.clock_begun += nanoseconds;
}

void oracle_advanced(int nanoseconds)
{
	world.clock_done += nanoseconds;
}

void oracle_resetting(void)
{
	world.ticks_since = 0;
	if (world.resets++ == 0)
		world.reset_at = world.clock_done;
}

/* It counts from some moment of the call on: from this one at the latest. */
void oracle_reset(void)
{
	world.timer_base = world.clock_begun;
	world.resets--;
	world.reset_done = moment();
}

void oracle_event_set(const struct call *call)
{
	if (world.event_set < call->began)
		world.event_set = call->began;
}

void oracle_event_received(void)
{
	world.event_gone = moment();
}

static bool event_is_set(void)
{
	return world.event_set > world.event_gone;
}

static bool tick_is_due(void)
{
	for (int i = 0; i < program_current.node_count; i++)
		if (node_at(i)->kind == TIMER && is_alive(i))
			return world.resets == 0 &&
			       world.clock_done >= world.timer_base + (long)INTERVAL * (world.ticks_since + 1);
	return false;
}

/* ---- Calls ------------------------------------------------------------------------------------------------------------- */

/* Sends that wait for ever end only by being received, unless something fails. */
static bool disturbs(const struct step *step)
{
	switch (step->verb) {
	case SEND:
		return step->form != PLAIN || step->token != NO_TOKEN || program_current.fails;
	case ADVANCE:
	case SET_EVENT:
	case ADD:
		return false;
	default:
		return true;
	}
}

static bool waits_to_send(int thread)
{
	return world.inside[thread] != NULL && world.inside[thread]->verb == SEND && explorer_asleep(thread);
}

void oracle_call(struct call *call, const struct step *step)
{
	int self = explorer_self();

	*call = (struct call){ .step = step,
		.deadline = DUCT_FOREVER,
		.token = step->token != NO_TOKEN,
		.must_cancel = step->token != NO_TOKEN && world.raised,
		.tick_due = tick_is_due(),
		.event_set = event_is_set(),
		.alone = world.disturbing == 0,
		.failures = explorer_failures(self),
		.began = moment() };
	if (step->form != PLAIN)
		call->deadline = step->form == UNTIL ? explorer_now() + 1000 : 0;
	for (int i = 1; i < THREADS; i++)
		call->blocked_sends[i] = i != self && waits_to_send(i) ? world.entered[i] : 0;
	world.inside[self] = step;
	world.entered[self] = call->began;
	world.disturbing += disturbs(step);
	world.disturbances += disturbs(step);
	call->disturbances = world.disturbances;
	oracle_note(step, false, "", 0);
}

void oracle_goes_on(void)
{
	world.entered[explorer_self()] = moment();
}

void oracle_batch(const uint64_t *words)
{
	world.batch[explorer_self()] = words;
}

void oracle_return(const struct call *call)
{
	world.batch[explorer_self()] = NULL;
	world.disturbing -= disturbs(call->step);
	world.inside[explorer_self()] = NULL;
}

static bool is_alone(const struct call *call)
{
	return call->alone && call->disturbances == world.disturbances;
}

/* What one way up refuses another one may pass. */
static bool has_two_ways(void)
{
	int leaves[CHANNELS] = { world.adding[CHANNEL_A], world.adding[CHANNEL_B] };

	for (int i = 0; i < program_current.node_count; i++)
		for (int k = 0; k < CHANNELS; k++)
			leaves[k] += node_at(i)->kind == kind_of_channel(k);
	return leaves[CHANNEL_A] > 1 || leaves[CHANNEL_B] > 1;
}

/* A message that could be received was there before that moment, and is there now. */
static bool message_is_there(long since, enum place place)
{
	for (int i = 1; i <= world.last; i++) {
		const struct message *message = &world.messages[i];

		if (message->sent == 0 || message->sent > since || message->gone)
			continue;
		if (place == DIRECT ? message->channel == CHANNEL_A && !may_be_held(message)
				    : message->toucher != 0 || is_source(message->channel, since))
			return true;
	}
	return false;
}

static bool sender_is_there(const struct call *call, enum place place)
{
	for (int i = 1; i < THREADS; i++)
		if (call->blocked_sends[i] != 0 && waits_to_send(i) && world.entered[i] == call->blocked_sends[i] &&
		    (place == DIRECT ? world.inside[i]->place == CHANNEL_A
				     : is_source((int)world.inside[i]->place, call->began)))
			return true;
	return false;
}

static bool was_ready(const struct call *call, enum place place)
{
	if (place == EVENT)
		return call->event_set && event_is_set();
	return message_is_there(call->began, place) || sender_is_there(call, place) ||
	       (place == TREE && call->tick_due && tick_is_due());
}

/* What has nothing to do with the place. */
static bool form_allows(const struct call *call, duct_status status, duct_status nothing)
{
	if (call->must_cancel && status != DUCT_CANCELED)
		explorer_fail("given a raised token a call returned \"%s\"", duct_strerror(status));
	if (status == DUCT_TIMEDOUT)
		return call->step->form != TRY && call->deadline <= explorer_now();
	if (status == DUCT_CANCELED)
		return call->token;
	if (status == DUCT_NOMEM)
		return explorer_failures(explorer_self()) > call->failures;
	return status == DUCT_OK || (status == nothing && (status == DUCT_FULL || status == DUCT_EMPTY));
}

static void refuse_status(duct_status status)
{
	explorer_fail("a call returned \"%s\"", duct_strerror(status));
}

static bool found_nothing(duct_status status)
{
	return status == DUCT_EMPTY || status == DUCT_TIMEDOUT;
}

static bool sends_may_end(enum place channel, duct_status status)
{
	bool finished = world.closing[TREE] || world.freeing || world.removing || world.not_added[channel];

	for (int i = 0; i < MAX_NODES; i++)
		finished |= world.finished[i];
	if (status == DUCT_NO_RECEIVERS)
		return channel == CHANNEL_B && finished;
	return status == DUCT_CLOSED && is_closed((int)channel, false);
}

void oracle_check_send(const struct call *call, enum place place, duct_status status, duct_status nothing)
{
	if (!sends_may_end(place, status) && !form_allows(call, status, nothing))
		refuse_status(status);
}

void oracle_check_recv(const struct call *call, enum place place, duct_status status, duct_status nothing)
{
	bool ended =
	    status == DUCT_CLOSED && place != EVENT && (place == TREE ? oracle_may_end() : is_closed(CHANNEL_A, false));

	if (!form_allows(call, status, nothing) && !ended)
		refuse_status(status);
	if (ended && place == TREE && world.told_end == 0)
		world.told_end = moment();
	if (ended && is_alone(call) && message_is_there(world.now + 1, place))
		explorer_fail("a call returned \"%s\" though something was there", duct_strerror(status));
	if (found_nothing(status) && is_alone(call) && was_ready(call, place))
		explorer_fail("a call returned \"%s\" though something was there", duct_strerror(status));
}

void oracle_check_nothing(const struct call *call, duct_status status, duct_status nothing)
{
	if (!form_allows(call, status, nothing))
		refuse_status(status);
	for (int i = 0; i < call->step->case_count; i++)
		if (!call->step->cases[i].is_send)
			oracle_check_recv(call, call->step->cases[i].place, status, nothing);
}

void oracle_check_ready(const struct call *call)
{
	if (is_alone(call) && !has_two_ways())
		explorer_fail("a wait said that something is there, and then nothing was");
}

/* ---- At rest ----------------------------------------------------------------------------------------------------------- */

/* A case of a blocked thread, or the one thing that it waits for. */
static struct step part_of(const struct step *step, int i)
{
	return step->verb == SELECT ? step_of_case(step, i) : *step;
}

static int parts_of(const struct step *step)
{
	return step->verb == SELECT ? step->case_count : 1;
}

static bool only_looks(const struct step *step)
{
	return step->verb == WAIT_RECV || (step->verb == SELECT && (step->flags & DUCT_READY) != 0);
}

/* A receive from there can take what is sent to that channel. */
static bool can_take(const struct step *part, int channel)
{
	if (part->verb == SEND)
		return false;
	return part->place == TREE ? is_source(channel, world.now + 1) : part->place == DIRECT && channel == CHANNEL_A;
}

static void check_pair(int sender, int receiver)
{
	const struct step *sending = world.inside[sender], *receiving = world.inside[receiver];

	for (int i = 0; i < parts_of(sending); i++)
		for (int k = 0; k < parts_of(receiving); k++) {
			struct step send = part_of(sending, i), receive = part_of(receiving, k);

			if (send.verb != SEND || !can_take(&receive, (int)send.place))
				continue;
			if (!only_looks(sending) || !only_looks(receiving))
				explorer_fail("a send and a receive that could meet are asleep");
		}
}

static int messages_in(int channel)
{
	int count = 0;

	for (int i = 1; i <= world.last; i++)
		count += world.messages[i].channel == channel && world.messages[i].sent != 0 && !world.messages[i].gone &&
		         world.messages[i].toucher == 0;
	return count;
}

static void check_sleeping_send(int channel)
{
	if (is_closed(channel, true) || program_current.capacity[channel] == ONCE)
		explorer_fail("a send is asleep, and its channel is closed");
	if (messages_in(channel) < program_current.capacity[channel])
		explorer_fail("a send is asleep, and there is room");
	if (channel == CHANNEL_B && (world.closing[TREE] || world.freeing) && may_be_source(channel) && !world.adding[channel])
		explorer_fail("a send is asleep, and nobody is there to receive");
}

static void check_sleeping_receive(enum place place)
{
	const struct call now = { .began = world.now + 1, .tick_due = true, .event_set = true };

	if (place == TREE ? oracle_must_end() : place == DIRECT && channel_is_drained(CHANNEL_A))
		explorer_fail("a receive is asleep, and what it waits for has ended");
	if (was_ready(&now, place))
		explorer_fail("a receive is asleep, and something is there");
}

static void check_sleeper(int thread)
{
	const struct step *step = world.inside[thread];

	if (step->token != NO_TOKEN && world.raised)
		explorer_fail("a call is asleep, and its token is raised");
	for (int i = 0; i < parts_of(step); i++) {
		struct step part = part_of(step, i);

		if (part.verb == SEND)
			check_sleeping_send((int)part.place);
		else
			check_sleeping_receive(part.place);
	}
}

/* A batch that has not returned may have received something. */
static void settle_batch(int thread)
{
	for (int i = 0; world.batch[thread] != NULL && i < MAX_BATCH; i++) {
		uint64_t word = world.batch[thread][i];

		if (word == UNTOUCHED)
			continue;
		if (is_tick(word))
			tick_gone(word);
		else
			message_gone(message_at(word), word, "received");
	}
}

void oracle_at_rest(void)
{
	for (int i = 1; i < THREADS; i++)
		settle_batch(i);
	for (int i = 1; i < THREADS; i++) {
		if (world.inside[i] == NULL)
			continue;
		if (!explorer_asleep(i))
			explorer_fail("deadlock: no thread can run");
		check_sleeper(i);
		for (int k = 1; k < THREADS; k++)
			if (i != k && world.inside[k] != NULL)
				check_pair(i, k);
	}
}

void oracle_at_end(void)
{
	for (int i = 1; i <= world.last; i++)
		if (world.messages[i].sent != 0 && !world.messages[i].gone)
			explorer_fail("message %d was lost", i);
	if (world.copies != 0)
		explorer_fail("%ld copies were not dropped", world.copies);
	if (heap_live() != 0 || explorer_live_objects() != 0)
		explorer_fail("%d allocations, %d mutexes and conditions are left", heap_live(), explorer_live_objects());
}

/* ---- What is told of an execution -------------------------------------------------------------------------------------- */

void oracle_note(const struct step *step, bool returned, const char *what, uint64_t message)
{
	if (event_count < MAX_EVENTS)
		events[event_count++] = (struct event){ explorer_self(), step, returned, what, message };
}

void history_print(void)
{
	char text[64];

	for (int i = 0; i < event_count; i++) {
		const struct event *event = &events[i];

		step_format(event->step, text, sizeof text);
		printf("    T%d %*s%s%s", event->thread, event->thread > 1 ? 28 * (event->thread - 1) : 0, "",
		    event->returned ? "  -> " : "", text);
		printf("%s%s", event->what[0] != '\0' ? " " : "", event->what);
		if (event->message != 0)
			printf(is_tick(event->message) ? " tick %u" : " #%u", number_of(event->message));
		printf("\n");
	}
	for (int i = 1; i < THREADS; i++)
		if (world.inside[i] != NULL)
			printf("    T%d %*s  (has not returned)\n", i, 28 * (i - 1), "");
}

/* What the threads' calls returned. */
void history_outcome(char *text, size_t size)
{
	FILE *out = fmemopen(text, size, "w");

	for (int i = 1; out != NULL && i <= program_current.thread_count; i++) {
		fprintf(out, "%s", i > 1 ? "|" : "");
		for (int k = 0; k < event_count; k++)
			if (events[k].thread == i && events[k].returned)
				fprintf(out, "%.4s ", events[k].what);
		fprintf(out, "%s", world.inside[i] != NULL ? "asleep" : "");
	}
	if (out != NULL)
		fclose(out);
}
