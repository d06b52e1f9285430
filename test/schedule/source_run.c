/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * One execution of a small program of sources.
 *
 * The body makes two channels, some messages, the tree, an event, a clock and a token, runs the threads, then closes the channels
 * and receives what is left from everywhere until it has ended, and frees all.  The oracle hears of each call.
 *
 * Freeing the handle that all share is allowed while others are blocked on it, but not while they are on their way into a
 * call: then the step only closes the tree.  Each thread that frees a handle of its own has one from the beginning on.
 */
#include "source_oracle.h"

#include "explorer.h"
#include "heap.h"
#include "race.h"

#include <pthread.h>
#include <string.h>

struct program program_current;
long program_rests;

static duct_channel *channels[CHANNELS];
static duct_sender *senders[CHANNELS];
static duct_receiver *tree, *direct, *event, *timer;
static duct_receiver *only; /* of a one-shot channel b that it came with */
static int handles;         /* of the tree */
static bool tree_is_shared; /* the handle that all share is there */
static bool has_clone[THREADS];
static duct_clock *dial;
static duct_cancel *token;
static char returns; /* what the race detector knows returns by */
static const struct step *inside[THREADS];

/* ---- Messages ---------------------------------------------------------------------------------------------------------- */

static void drop(void *message, void *context)
{
	(void)context;
	explorer_point("drop hook", message);
	heap_check(message, sizeof(uint64_t));
	oracle_dropped(*(uint64_t *)message);
}

static int copy(void *to, const void *from, void *context)
{
	bool copied;
	uint64_t made;

	(void)context;
	explorer_point("copy hook", from);
	heap_check(from, sizeof(uint64_t));
	heap_check(to, sizeof(uint64_t));
	copied = !explorer_fails();
	made = oracle_copied(*(const uint64_t *)from, copied);
	if (copied)
		*(uint64_t *)to = made;
	return !copied;
}

static bool keep(const void *message, void *node)
{
	explorer_point("filter", message);
	return oracle_keeps((int)((const struct tree_node *)node - program_current.nodes), *(const uint64_t *)message);
}

static bool leave_out(const void *message, void *node)
{
	return !keep(message, node);
}

static void mark(void *to, void *from, void *node)
{
	(void)keep(from, node);
	*(uint64_t *)to = oracle_marked(*(uint64_t *)from);
}

static bool keep_and_mark(void *to, void *from, void *node)
{
	if (!keep(from, node))
		return false;
	*(uint64_t *)to = oracle_marked(*(uint64_t *)from);
	return true;
}

static bool keep_both(const void *previous, const void *message, void *node)
{
	heap_check(previous, sizeof(uint64_t));
	return keep(message, node);
}

/* ---- The tree ---------------------------------------------------------------------------------------------------------- */

static duct_receiver *make_merge(duct_receiver **children, int count)
{
	duct_receiver *made;

	EXPLORER_CHECK(duct_merge_new(&made, children, (size_t)count, NULL) == DUCT_OK);
	return made;
}

static duct_receiver *make_timer(void)
{
	duct_receiver *made;

	EXPLORER_CHECK(duct_timer_new(&made, INTERVAL, DUCT_TIMER(.clock = dial)) == DUCT_OK);
	EXPLORER_CHECK(duct_receiver_clone(made, &timer) == DUCT_OK);
	return made;
}

static duct_receiver *make_leaf(enum kind kind)
{
	duct_receiver *made = NULL;

	if (kind == TIMER)
		made = make_timer();
	else if (kind == NEVER)
		EXPLORER_CHECK(duct_never_new(&made, sizeof(uint64_t)) == DUCT_OK);
	else
		EXPLORER_CHECK(duct_receiver_new(channels[kind == LEAF_A ? CHANNEL_A : CHANNEL_B], &made) == DUCT_OK);
	return made;
}

static duct_receiver *make_step(struct tree_node *node, duct_receiver *child)
{
	const duct_combine_options *options = DUCT_COMBINE(.drop = drop, .copy = copy, .borrow = child == direct);
	const size_t size = sizeof(uint64_t);
	duct_receiver *made = NULL;
	duct_status status = DUCT_INVALID;

	if (node->kind == FILTER)
		status = duct_filter_new(&made, child, keep, node, options);
	else if (node->kind == MAP)
		status = duct_map_new(&made, child, size, mark, node, options);
	else if (node->kind == FILTER_MAP)
		status = duct_filter_map_new(&made, child, size, keep_and_mark, node, options);
	else if (node->kind == TAKE_WHILE)
		status = duct_take_while_new(&made, child, keep, node, options);
	else if (node->kind == DROP_WHILE)
		status = duct_drop_while_new(&made, child, leave_out, node, options);
	else if (node->kind == PREVIOUS)
		status = duct_with_previous_new(&made, child, keep_both, node, true, options);
	EXPLORER_CHECK(status == DUCT_OK);
	return made;
}

static duct_receiver *make_node(int at)
{
	struct tree_node *node = &program_current.nodes[at];
	duct_receiver *children[MAX_NODES];

	if (node->children == 0)
		return node->is_borrowed ? direct : make_leaf(node->kind);
	for (int i = 0, child = at + 1; i < node->children; i++, child = tree_end(&program_current, child))
		children[i] = make_node(child);
	return node->kind == MERGE ? make_merge(children, node->children) : make_step(node, children[0]);
}

/* ---- Receiving ---------------------------------------------------------------------------------------------------------- */

static duct_receiver *receiver_of(enum place place)
{
	return place == TREE ? tree : place == DIRECT ? direct : event;
}

/* Says that only what was received was written. */
static void settle(const struct step *step, enum place place, duct_status status, uint64_t word, const char *what)
{
	if (status != DUCT_OK && word != UNTOUCHED)
		explorer_fail("a receive that failed wrote to its buffer");
	oracle_note(step, true, what, status == DUCT_OK && place != EVENT ? word : 0);
	if (status == DUCT_OK && place == EVENT)
		oracle_event_received();
	else if (status == DUCT_OK)
		oracle_received(word, place == TREE ? FROM_TREE : FROM_DIRECT);
}

static duct_cancel *token_of(const struct step *step)
{
	return step->token != NO_TOKEN ? token : NULL;
}

static duct_status call_recv(const struct call *call, duct_receiver *receiver, void *message)
{
	if (call->step->form == TRY)
		return duct_try_recv(receiver, message);
	if (call->step->form != PLAIN || call->token)
		return duct_recv_until(receiver, message, call->deadline, token_of(call->step));
	return duct_recv(receiver, message);
}

static void run_recv(const struct call *call)
{
	const enum place place = call->step->place;
	uint64_t word = UNTOUCHED;
	duct_status status = call_recv(call, receiver_of(place), &word);

	oracle_check_recv(call, place, status, DUCT_EMPTY);
	settle(call->step, place, status, word, duct_strerror(status));
}

static void run_recv_many(const struct call *call)
{
	const struct step *step = call->step;
	uint64_t words[MAX_BATCH];
	size_t done = MAX_BATCH + 1, min = (size_t)step->min, max = (size_t)step->max;
	duct_status status;

	for (int i = 0; i < MAX_BATCH; i++)
		words[i] = UNTOUCHED;
	oracle_batch(words);
	status = duct_recv_many(receiver_of(step->place), words, min, max, &done, call->deadline, token_of(step));
	EXPLORER_CHECK(done <= max && (status == DUCT_OK ? done >= min && done > 0 : done < min || done == 0));
	for (size_t i = 0; i < max; i++)
		settle(step, step->place,
		    i < done            ? DUCT_OK
		    : status == DUCT_OK ? DUCT_EMPTY
					: status,
		    words[i], i < done ? "" : duct_strerror(status));
	oracle_check_recv(call, step->place, status, min == 0 ? DUCT_EMPTY : DUCT_OK);
}

/* Waits, and then tries: there is something, unless others may have come between. */
static void run_wait(const struct call *call)
{
	const struct step *step = call->step;
	uint64_t word = UNTOUCHED;
	duct_status status = duct_receiver_wait(receiver_of(step->place), call->deadline, token_of(step));

	oracle_check_recv(call, step->place, status, DUCT_OK);
	oracle_note(step, true, duct_strerror(status), 0);
	if (status != DUCT_OK || (step->place == TREE && !tree_is_shared))
		return;
	oracle_goes_on();
	status = duct_try_recv(receiver_of(step->place), &word);
	if (status == DUCT_EMPTY)
		oracle_check_ready(call);
	else if (status != DUCT_OK && status != DUCT_CLOSED && status != DUCT_NOMEM)
		explorer_fail("a try returned \"%s\"", duct_strerror(status));
	settle(step, step->place, status, word, duct_strerror(status));
}

/* ---- Sending ----------------------------------------------------------------------------------------------------------- */

static void settle_send(const struct step *step, uint64_t word, duct_status status)
{
	oracle_note(step, true, duct_strerror(status), status == DUCT_OK ? word : 0);
	oracle_sent(word, status == DUCT_OK);
}

static void run_send(const struct call *call)
{
	const struct step *step = call->step;
	const uint64_t word = oracle_send(step->place);
	uint64_t message = word;
	duct_sender *sender = senders[step->place];
	duct_status status;

	if (step->form == TRY)
		status = duct_try_send(sender, &message);
	else if (step->form != PLAIN || call->token)
		status = duct_send_until(sender, &message, call->deadline, token_of(step));
	else
		status = duct_send(sender, &message);
	EXPLORER_CHECK(message == word);
	oracle_check_send(call, step->place, status, DUCT_FULL);
	settle_send(step, word, status);
}

/* ---- Select ------------------------------------------------------------------------------------------------------------- */

static duct_status call_select(const struct call *call, duct_case *cases, size_t *chosen)
{
	const struct step *step = call->step;
	const size_t count = (size_t)step->case_count;

	if (step->form == TRY)
		return duct_try_select(cases, count, chosen);
	if (step->form != PLAIN || call->token || step->flags != 0)
		return duct_select_until(cases, count, chosen, step->flags, call->deadline, token_of(step));
	return duct_select(cases, count, chosen);
}

static void prepare_select(const struct step *step, duct_case *cases, uint64_t *words)
{
	for (int i = 0; i < step->case_count; i++) {
		const struct step_case *asked = &step->cases[i];

		words[i] = asked->is_send ? oracle_send(asked->place) : UNTOUCHED;
		cases[i] = asked->is_send ? duct_send_case(senders[asked->place], &words[i])
		                          : duct_recv_case(receiver_of(asked->place), &words[i]);
	}
}

/* What became of one case; done: it was performed. */
static void settle_case(const struct step *step, const struct step_case *asked, uint64_t word, bool done, const char *what)
{
	if (asked->is_send)
		oracle_sent(word, done);
	if (done && asked->is_send)
		oracle_note(step, true, "sent", word);
	else if (!asked->is_send)
		settle(step, asked->place, done ? DUCT_OK : DUCT_EMPTY, word, done ? "received" : what);
}

static void run_select(const struct call *call)
{
	const struct step *step = call->step;
	duct_case cases[MAX_CASES];
	uint64_t words[MAX_CASES];
	size_t chosen = MAX_CASES + 1;
	duct_status status, came = DUCT_EMPTY;

	prepare_select(step, cases, words);
	status = call_select(call, cases, &chosen);
	if (status != DUCT_OK) {
		EXPLORER_CHECK(chosen == MAX_CASES + 1);
		oracle_check_nothing(call, status, DUCT_EMPTY);
	} else {
		EXPLORER_CHECK(chosen < (size_t)step->case_count);
		came = cases[chosen].status;
		if (step->cases[chosen].is_send)
			oracle_check_send(call, step->cases[chosen].place, came, DUCT_OK);
		else
			oracle_check_recv(call, step->cases[chosen].place, came, DUCT_OK);
	}
	for (size_t i = 0; i < (size_t)step->case_count; i++) {
		EXPLORER_CHECK(i == chosen || cases[i].status == DUCT_OK);
		settle_case(step, &step->cases[i], words[i], i == chosen && came == DUCT_OK && (step->flags & DUCT_READY) == 0,
		    i == chosen ? duct_strerror(came) : duct_strerror(status));
	}
}

/* Stands in for the library's own: where a fair select starts is the explorer's choice. */
uint64_t __wrap_turn_next(void)
{
	return explorer_self() == 0 ? 0 : (uint64_t)explorer_choose(2) << 31;
}

/* ---- The tree's end ------------------------------------------------------------------------------------------------------ */

/* All who use it are asleep. */
static bool may_free(bool (*uses)(const struct step *step))
{
	int self = explorer_self();

	for (int i = 1; i < THREADS; i++)
		if (i != self && inside[i] != NULL && uses(inside[i]) && !explorer_blocked(i))
			return false;
	return true;
}

static bool uses_tree(const struct step *step)
{
	return step_uses(step, TREE);
}

static bool uses_token(const struct step *step)
{
	return step->token != NO_TOKEN || step->verb == FREE_TOKEN;
}

static void give_handle_back(void)
{
	if (--handles == 0)
		oracle_freeing();
	race_acquire(explorer_self(), &returns);
	duct_receiver_free(tree);
}

static void run_free_tree(void)
{
	if (may_free(uses_tree)) {
		tree_is_shared = false;
		give_handle_back();
	} else {
		oracle_closing(TREE);
		duct_receiver_close(tree);
	}
}

static void run_free_clone(void)
{
	int self = explorer_self();

	if (!has_clone[self])
		return;
	has_clone[self] = false;
	give_handle_back();
}

static void run_free_token(void)
{
	duct_cancel *freed = token;

	if (!may_free(uses_token))
		return;
	token = NULL;
	race_acquire(explorer_self(), &returns);
	duct_cancel_free(freed);
}

static void run_close_tree(void)
{
	oracle_closing(TREE);
	duct_receiver_close(tree);
	EXPLORER_CHECK(duct_receiver_is_closed(tree));
}

/* ---- Sources that come and go --------------------------------------------------------------------------------------------- */

static bool tree_is_merge(void)
{
	return program_current.nodes[0].kind == MERGE;
}

static void check_change(const struct call *call, duct_status status, bool may_be_closed)
{
	if (!tree_is_merge())
		EXPLORER_CHECK(status == DUCT_UNSUPPORTED);
	else if (status == DUCT_NOMEM)
		EXPLORER_CHECK(explorer_failures(explorer_self()) > call->failures);
	else if (status != DUCT_OK && !(status == DUCT_CLOSED && may_be_closed))
		explorer_fail("a change of a merge returned \"%s\"", duct_strerror(status));
	oracle_note(call->step, true, duct_strerror(status), 0);
}

static void run_add(const struct call *call)
{
	enum place channel = call->step->place;
	duct_receiver *source = NULL;
	size_t number = 99;
	duct_status status = duct_receiver_new(channels[channel], &source);

	if (status != DUCT_OK) {
		EXPLORER_CHECK(status == DUCT_NOMEM && explorer_failures(explorer_self()) > call->failures);
		return;
	}
	oracle_adding(channel);
	status = duct_merge_add(tree, source, false, &number);
	EXPLORER_CHECK((status == DUCT_OK) == (number != 99));
	oracle_added(channel, status == DUCT_OK);
	check_change(call, status, oracle_may_end());
	if (status != DUCT_OK)
		duct_receiver_free(source);
}

static duct_receiver *take_first(const struct call *call)
{
	duct_receiver *source = NULL;
	duct_status status;

	if (tree_is_merge())
		oracle_removing();
	status = duct_merge_remove(tree, 0, &source);
	EXPLORER_CHECK((status == DUCT_OK) == (source != NULL));
	check_change(call, status, true);
	return source;
}

static void run_put_back(const struct call *call)
{
	duct_receiver *source = take_first(call);
	uint64_t word = UNTOUCHED;
	duct_status status;

	if (source == NULL)
		return;
	status = duct_try_recv(source, &word);
	if (status == DUCT_OK)
		oracle_received(word, FROM_ELSEWHERE);
	else
		EXPLORER_CHECK(word == UNTOUCHED);
	oracle_note(call->step, true, duct_strerror(status), status == DUCT_OK ? word : 0);
	status = duct_merge_add(tree, source, false, NULL);
	check_change(call, status, true);
	if (status != DUCT_OK)
		duct_receiver_free(source);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------------- */

static void run_set_event(const struct call *call)
{
	EXPLORER_CHECK(duct_event_set(event) == DUCT_OK);
	oracle_event_set(call);
}

static void run_advance(const struct step *step)
{
	oracle_advancing(step->number);
	EXPLORER_CHECK(duct_clock_advance(dial, step->number) == DUCT_OK);
	oracle_advanced(step->number);
}

static void run_reset(void)
{
	if (timer == NULL)
		return;
	oracle_resetting();
	EXPLORER_CHECK(duct_timer_reset(timer, 0, 0, false) == DUCT_OK);
	oracle_reset();
}

static void run_other(const struct call *call)
{
	switch (call->step->verb) {
	case CLOSE_CHANNEL:
		oracle_closing(call->step->place);
		duct_channel_close(channels[call->step->place], 0);
		break;
	case CLOSE_TREE:
		run_close_tree();
		break;
	case FREE_TREE:
		run_free_tree();
		break;
	case FREE_CLONE:
		run_free_clone();
		break;
	case ADVANCE:
		run_advance(call->step);
		break;
	case RESET:
		run_reset();
		break;
	case SET_EVENT:
		run_set_event(call);
		break;
	case FREE_TOKEN:
		run_free_token();
		break;
	case RAISE_TOKEN:
		duct_cancel_raise(token);
		oracle_raised();
		break;
	default:
		return;
	}
	oracle_note(call->step, true, "done", 0);
}

static void run_step(const struct step *step)
{
	static void (*const runs[VERBS])(const struct call *call) = {
		[SEND] = run_send,
		[RECV] = run_recv,
		[RECV_MANY] = run_recv_many,
		[SELECT] = run_select,
		[WAIT_RECV] = run_wait,
		[ADD] = run_add,
		[PUT_BACK] = run_put_back,
	};
	int self = explorer_self();
	struct call call;

	inside[self] = step;
	oracle_call(&call, step);
	if (step->verb == REMOVE)
		duct_receiver_free(take_first(&call));
	else
		(runs[step->verb] != NULL ? runs[step->verb] : run_other)(&call);
	oracle_return(&call);
	race_release(self, &returns);
	inside[self] = NULL;
}

/* ---- One execution ------------------------------------------------------------------------------------------------------ */

static void *thread_main(void *argument)
{
	int self = explorer_self();

	(void)argument;
	for (int i = 0; i < program_current.step_count[self - 1]; i++) {
		const struct step *step = &program_current.steps[self - 1][i];

		if ((tree_is_shared || !uses_tree(step)) && (token != NULL || !uses_token(step)))
			run_step(step);
	}
	return NULL;
}

/* With a handle, so that it can do what any other can. */
static void make_oneshot(int i, const duct_options *options)
{
	duct_receiver **receiver = i == CHANNEL_A ? &direct : &only;

	EXPLORER_CHECK(duct_oneshot_open(&senders[i], receiver, sizeof(uint64_t), options) == DUCT_OK);
	EXPLORER_CHECK(duct_channel_clone(duct_sender_channel(senders[i]), &channels[i]) == DUCT_OK);
}

static void make_channels(void)
{
	const duct_options *options = DUCT_OPTIONS(.drop = drop, .copy = copy);

	direct = only = NULL;
	for (int i = 0; i < CHANNELS; i++) {
		if (program_current.capacity[i] == ONCE) {
			make_oneshot(i, options);
			continue;
		}
		EXPLORER_CHECK(
		    duct_anycast_new(&channels[i], sizeof(uint64_t), (size_t)program_current.capacity[i], options) == DUCT_OK);
		EXPLORER_CHECK(duct_sender_new(channels[i], &senders[i]) == DUCT_OK);
	}
	if (direct == NULL)
		EXPLORER_CHECK(duct_receiver_new(channels[CHANNEL_A], &direct) == DUCT_OK);
}

static void prefill(void)
{
	for (int i = 0; i < CHANNELS; i++)
		for (int k = 0; k < program_current.prefilled[i]; k++) {
			uint64_t word = oracle_send((enum place)i);

			oracle_sent(word, duct_try_send(senders[i], &word) == DUCT_OK);
		}
}

/* With a handle for each thread that has one of its own. */
static void make_tree(void)
{
	timer = NULL;
	tree = make_node(0);
	handles = 1;
	tree_is_shared = true;
	memset(has_clone, 0, sizeof has_clone);
	for (int i = 0; i < program_current.thread_count; i++)
		for (int k = 0; k < program_current.step_count[i]; k++)
			has_clone[i + 1] |= program_current.steps[i][k].verb == FREE_CLONE;
	for (int i = 1; i < THREADS; i++)
		if (has_clone[i]) {
			duct_receiver *clone;

			EXPLORER_CHECK(duct_receiver_clone(tree, &clone) == DUCT_OK && clone == tree);
			handles++;
		}
}

static void make_all(void)
{
	memset(inside, 0, sizeof inside);
	EXPLORER_CHECK(duct_clock_new(&dial, 0) == DUCT_OK);
	EXPLORER_CHECK(duct_cancel_new(&token, NULL, DUCT_FOREVER) == DUCT_OK);
	EXPLORER_CHECK(duct_event_new(&event, NULL) == DUCT_OK);
	make_channels();
	make_tree();
	prefill();
}

static void run_threads(void)
{
	pthread_t threads[MAX_THREADS];

	explorer_allow_failures(program_current.fails);
	for (int i = 0; i < program_current.thread_count; i++)
		pthread_create(&threads[i], NULL, thread_main, NULL);
	for (int i = 0; i < program_current.thread_count; i++)
		pthread_join(threads[i], NULL);
}

/* Receives what there is; with what status that ends. */
static duct_status drain(const struct step *step)
{
	struct call call;
	uint64_t word;
	duct_status status;

	do {
		word = UNTOUCHED;
		oracle_call(&call, step);
		status = duct_try_recv(receiver_of(step->place), &word);
		oracle_check_recv(&call, step->place, status, DUCT_EMPTY);
		settle(step, step->place, status, word, duct_strerror(status));
		oracle_return(&call);
	} while (status == DUCT_OK);
	return status;
}

static void drain_tree(void)
{
	static const struct step try_tree = { .verb = RECV, .form = TRY, .place = TREE };
	duct_status status = drain(&try_tree);

	if (status == DUCT_EMPTY) {
		EXPLORER_CHECK(!oracle_must_end());
		run_close_tree();
		status = drain(&try_tree);
	}
	EXPLORER_CHECK(status == DUCT_CLOSED);
}

/* Channel b has perhaps no receiver any more. */
static void drain_channel_b(void)
{
	duct_receiver *receiver;
	uint64_t word;

	EXPLORER_CHECK(duct_receiver_new(channels[CHANNEL_B], &receiver) == DUCT_OK);
	while (duct_try_recv(receiver, &word) == DUCT_OK)
		oracle_received(word, FROM_ELSEWHERE);
	duct_receiver_free(receiver);
}

static void drain_all(void)
{
	static const struct step try_direct = { .verb = RECV, .form = TRY, .place = DIRECT };

	for (int i = 0; i < CHANNELS; i++) {
		oracle_closing((enum place)i);
		duct_channel_close(channels[i], 0);
	}
	if (handles > 0)
		drain_tree();
	EXPLORER_CHECK(drain(&try_direct) == DUCT_CLOSED);
	drain_channel_b();
}

static void free_all(void)
{
	while (handles-- > 0)
		duct_receiver_free(tree);
	duct_receiver_free(timer);
	duct_receiver_free(direct);
	duct_receiver_free(only);
	duct_receiver_free(event);
	for (int i = 0; i < CHANNELS; i++) {
		duct_sender_free(senders[i]);
		duct_channel_free(channels[i]);
	}
	duct_cancel_free(token);
	duct_clock_free(dial);
}

bool program_quiescent(void)
{
	program_rests++;
	oracle_at_rest();
	return true;
}

void program_run(void)
{
	oracle_begin();
	make_all();
	run_threads();
	drain_all();
	free_all();
	oracle_at_end();
}
