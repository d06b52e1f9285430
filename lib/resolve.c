/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Receivers of sources in a wait.  resolve.h tells how it works.
 */
#include "resolve.h"

#include "memory.h"

#include <poll.h>
#include <string.h>

/* One operation on one queue, and for whom. */
struct branch {
	struct end *end;      /* pinned */
	size_t number;        /* of the part in the source above */
	uint32_t above;       /* the branch of that source; its own number: it is a case */
	uint32_t case_number; /* of the case that it belongs to */
	uint32_t version;     /* of the end's source */
	uint32_t root;        /* of branch n: which one is that of the n-th case; so says the caller's tour of cases */
	bool is_send;
	bool stepped;   /* there are steps above */
	bool selective; /* one of them is */
	bool pulls;     /* a case whose source this wait pulls */
};

#define FEW_BYTES 256

struct plan {
	const struct wait_rules *rules;
	const duct_case *cases;
	struct branch *branches;
	uint32_t len, room, roots;
	struct wait wait;
	struct tray *trays;
	unsigned char *hands[2]; /* where a message is on its way up: as it was taken, and what a step makes of it */
	void *memory;            /* of the hands, if they had to be allocated */
	struct pollfd *polls;    /* if sources have descriptors */
	struct branch few[WAIT_CASES_INLINE];
	_Alignas(max_align_t) unsigned char bytes[2][FEW_BYTES];
};

/* ---- What there is --------------------------------------------------------------------------------------------- */

/* Room for so many more branches; false if there is no memory. */
static bool reserve(struct plan *plan, uint32_t more)
{
	const uint32_t most = INT32_MAX / sizeof(struct branch) < INT32_MAX ? INT32_MAX / sizeof(struct branch) : INT32_MAX;
	uint32_t room = 2 * plan->room;
	struct branch *branches;

	if (plan->room - plan->len >= more)
		return true;
	if (more > most / 2 || plan->len > most / 2 - more)
		return false;
	if (room < plan->len + more)
		room = plan->len + more;
	if ((branches = memory_new(NULL, room * sizeof *branches)) == NULL)
		return false;
	memcpy(branches, plan->branches, plan->len * sizeof *branches);
	if (plan->branches != plan->few)
		memory_free(NULL, plan->branches);
	plan->branches = branches;
	plan->room = room;
	return true;
}

static struct end *case_end(const duct_case *c)
{
	return c->sender != NULL ? &c->sender->end : &c->receiver->end;
}

static void add_case(struct plan *plan, const duct_case *c, uint32_t case_number)
{
	struct end *end = case_end(c);

	end_pin(end);
	plan->branches[plan->roots++].root = plan->len;
	plan->branches[plan->len] = (struct branch){ .end = end,
		.above = plan->len,
		.case_number = case_number,
		.root = plan->branches[plan->len].root,
		.is_send = c->sender != NULL };
	plan->len++;
}

/* With the put lock of the source's queue, and with room. */
static void add_part_locked(struct plan *plan, uint32_t above, const struct part *part)
{
	const struct branch *up = &plan->branches[above];
	const struct source_kind *kind = up->end->source->kind;

	end_pin(part->end);
	plan->branches[plan->len++] = (struct branch){ .end = part->end,
		.number = part->number,
		.above = above,
		.case_number = up->case_number,
		.stepped = up->stepped || kind->step != NULL,
		.selective = up->selective || kind->selective };
}

/* The parts of a branch's source become branches; false if there is no memory. */
static bool add_parts(struct plan *plan, uint32_t above)
{
	struct source *source = plan->branches[above].end->source;
	uint32_t count, turn;

	queue_lock_put(&source->queue);
	while ((count = source_has_ended(source) ? 0 : source->part_count) > plan->room - plan->len) {
		queue_unlock_put(&source->queue);
		if (!reserve(plan, count))
			return false;
		queue_lock_put(&source->queue);
	}
	plan->branches[above].version = source->version;
	turn = count > 1 ? atomic_fetch_add_explicit(&source->turn, 1, memory_order_relaxed) : 0;
	for (uint32_t i = 0; i < count; i++)
		add_part_locked(plan, above, &source->parts[(i + turn) % count]);
	queue_unlock_put(&source->queue);
	return true;
}

/* ---- Taking in order to know ----------------------------------------------------------------------------------- */

static bool begin_to_pull(struct source *source)
{
	bool begun;

	queue_lock_both(&source->queue);
	begun = !source->pulled;
	source->pulled = true;
	queue_unlock_both(&source->queue);
	return begun;
}

/* Whoever observed only its queue meanwhile has to look anew: one of them will pull. */
static void stop_pulling(struct source *source)
{
	struct node *wakes = NULL;

	queue_lock_both(&source->queue);
	source->pulled = false;
	source_moved_locked(source, &wakes);
	queue_unlock_both(&source->queue);
	wakes_notify(wakes);
}

static void remove_from(struct plan *plan, uint32_t first)
{
	while (plan->len > first)
		end_unpin(plan->branches[--plan->len].end);
}

/* A case whose messages have to be taken to know of them is pulled by one thread at a time; the others wait for that. */
static void settle_pulling(struct plan *plan, uint32_t root)
{
	bool selective = false;

	for (uint32_t i = root; i < plan->len; i++)
		selective |= plan->branches[i].selective;
	if (!plan->rules->observe || !selective)
		return;
	if (begin_to_pull(plan->branches[root].end->source))
		plan->branches[root].pulls = true;
	else
		remove_from(plan, root + 1);
}

/* A case and all that it comes to. */
static bool add_tree(struct plan *plan, uint32_t case_number)
{
	const uint32_t root = plan->len;

	if (!reserve(plan, 1))
		return false;
	add_case(plan, &plan->cases[case_number], case_number);
	for (uint32_t i = root; i < plan->len; i++)
		if (plan->branches[i].end->source != NULL && !plan->branches[i].is_send && !add_parts(plan, i))
			return false;
	settle_pulling(plan, root);
	return true;
}

/* ---- A plan ---------------------------------------------------------------------------------------------------- */

static void plan_init(struct plan *plan, const duct_case *cases, const struct wait_rules *rules)
{
	plan->rules = rules;
	plan->cases = cases;
	plan->branches = plan->few;
	plan->len = plan->roots = 0;
	plan->room = WAIT_CASES_INLINE;
	plan->trays = NULL;
	plan->memory = NULL;
	plan->polls = NULL;
}

static void plan_fini(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->len; i++)
		if (plan->branches[i].pulls)
			stop_pulling(plan->branches[i].end->source);
	remove_from(plan, 0);
	if (plan->branches != plan->few)
		memory_free(NULL, plan->branches);
	if (plan->memory != NULL)
		memory_free(NULL, plan->memory);
	if (plan->polls != NULL)
		memory_free(NULL, plan->polls);
}

/* Every live case. */
static bool add_cases(struct plan *plan, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (case_is_live(&plan->cases[i]) && !add_tree(plan, (uint32_t)i))
			return false;
	return true;
}

/* Two hands for the largest message that goes through a step. */
static bool make_hands(struct plan *plan)
{
	size_t size = 0;

	for (uint32_t i = 0; i < plan->len; i++) {
		const struct branch *branch = &plan->branches[i], *up = &plan->branches[branch->above];

		if (branch->stepped && size < branch->end->queue->ring.size)
			size = branch->end->queue->ring.size;
		if (branch->stepped && size < up->end->queue->ring.size)
			size = up->end->queue->ring.size;
	}
	plan->hands[0] = plan->bytes[0];
	plan->hands[1] = plan->bytes[1];
	if (size <= FEW_BYTES)
		return true;
	size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	if (size > SIZE_MAX / 2 || (plan->memory = memory_new(NULL, 2 * size)) == NULL)
		return false;
	plan->hands[0] = plan->memory;
	plan->hands[1] = plan->hands[0] + size;
	return true;
}

/* What to poll descriptors with, if there are any. */
static bool make_polls(struct plan *plan, size_t *count)
{
	size_t descriptors = 0;

	for (uint32_t i = 0; i < plan->len; i++) {
		const struct source *source = plan->branches[i].end->source;

		descriptors += source != NULL && source->kind->descriptor_locked != NULL;
	}
	*count = descriptors + 1; /* the waiter's own */
	return descriptors == 0 || (plan->polls = memory_new(NULL, *count * sizeof *plan->polls)) != NULL;
}

static struct op branch_op(const struct plan *plan, const struct branch *branch)
{
	const bool pulls = plan->rules->observe && branch->selective;

	return (struct op){ .queue = branch->end->queue,
		.end = branch->end,
		.message = branch->stepped ? plan->hands[0] : plan->cases[branch->case_number].message,
		.number = branch->case_number,
		.version = branch->version,
		.is_send = branch->is_send,
		.held = pulls ? plan->cases[branch->case_number].receiver->end.queue : NULL,
		.observe = plan->rules->observe && !pulls };
}

/* The branches become the operations of a wait. */
static duct_status begin_wait(struct plan *plan)
{
	size_t poll_count;
	duct_status status = make_polls(plan, &poll_count) ? DUCT_OK : DUCT_NOMEM;

	if (status == DUCT_OK)
		status = wait_init(&plan->wait, plan->len, plan->rules->cancel);
	if (status != DUCT_OK)
		return status;
	for (uint32_t i = 0; i < plan->len; i++)
		plan->wait.ops[i] = branch_op(plan, &plan->branches[i]);
	plan->wait.sourced = true;
	plan->wait.polls = plan->polls;
	plan->wait.poll_count = poll_count;
	if (plan->rules->observe || trays_begin(&plan->wait, &plan->trays))
		return DUCT_OK;
	wait_fini(&plan->wait);
	return DUCT_NOMEM;
}

static void finish_wait(struct plan *plan)
{
	trays_finish(&plan->wait, plan->trays);
	wait_fini(&plan->wait);
}

/* ---- The way up ------------------------------------------------------------------------------------------------ */

/* What a call goes round again for.  No call ends with it. */
#define AGAIN SOURCE_MOVED

/* A step refused the message of a branch: it is dropped; and the source may have ended by it. */
static void refuse(struct branch *branch, struct source *source, enum verdict verdict, void *message)
{
	hooks_drop(end_hooks(branch->end), message);
	if (verdict == STEP_END)
		source_end(source, DUCT_CLOSED);
}

/* A message that was taken for a branch goes up through the steps; NULL if one refuses it. */
static unsigned char *climb(struct plan *plan, struct branch *branch)
{
	unsigned char *message = plan->hands[0], *made = plan->hands[1], *old;

	for (struct branch *up; (up = &plan->branches[branch->above]) != branch; branch = up) {
		struct source *source = up->end->source;
		enum verdict verdict = STEP_KEEP;

		if (source->kind->step != NULL)
			verdict = source->kind->step(source, branch->number, message, made);
		if (verdict == STEP_SKIP || verdict == STEP_END) {
			refuse(branch, source, verdict, message);
			return NULL;
		}
		if (verdict == STEP_MADE) {
			old = message;
			message = made;
			made = old;
		}
	}
	return message;
}

/* What passed all steps arrives: with who waits for it or, for one who only wants to know, in the queue of the case. */
static void deliver(const struct plan *plan, const struct branch *branch, const unsigned char *message)
{
	const duct_case *c = &plan->cases[branch->case_number];

	if (plan->rules->observe)
		source_hold(c->receiver->end.source, message);
	else if (c->message != NULL)
		memcpy(c->message, message, c->receiver->end.queue->ring.size);
}

/* A message was taken for a branch below others: DUCT_OK if it arrived in the case. */
static duct_status send_up(struct plan *plan, struct branch *branch)
{
	int cancellation;
	unsigned char *message;

	if (!branch->stepped)
		return DUCT_OK; /* it is there already */
	cancellation = cancellation_hold();
	if ((message = climb(plan, branch)) != NULL)
		deliver(plan, branch, message);
	cancellation_resume(cancellation);
	return message != NULL ? DUCT_OK : AGAIN;
}

/* All sources above a branch can tell how many messages were lost. */
static void tell_lag(struct plan *plan, const struct branch *branch)
{
	const uint64_t lag = duct_receiver_lag((const duct_receiver *)(const void *)branch->end);

	for (const struct branch *up; (up = &plan->branches[branch->above]) != branch; branch = up)
		atomic_store(&up->end->source->lag, lag);
}

/* What the operation of a branch came to, to the case. */
static duct_status bring_up(struct plan *plan, uint32_t number, duct_status status)
{
	struct branch *branch = &plan->branches[number];

	if (branch->above == number)
		return status;
	if (status == DUCT_LAGGED)
		tell_lag(plan, branch);
	if (status_has_ended(status)) {
		source_part_ended(plan->branches[branch->above].end->source, branch->number, status);
		return AGAIN;
	}
	return status == DUCT_OK && !plan->wait.ops[number].observe ? send_up(plan, branch) : status;
}

/* ---- Looking and waiting --------------------------------------------------------------------------------------- */

static void pump(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->len; i++) {
		struct source *source = plan->branches[i].end->source;

		if (source != NULL && source->kind->pump != NULL)
			source->kind->pump(source);
	}
}

/*
 * A source that its user closed lets go of parts that have nothing more, without waiting for them to end: a timer may have been
 * set anew meanwhile.  True if there was one.
 */
static bool let_go(struct plan *plan)
{
	bool gone = false;

	for (uint32_t i = 0; i < plan->len; i++) {
		const struct branch *branch = &plan->branches[i], *up = &plan->branches[branch->above];
		const struct source *source = branch->end->source;

		if (up == branch || !atomic_load(&up->end->source->closed) || queue_looks_ready(&plan->wait.ops[i]))
			continue;
		if (source != NULL && (source->kind->many || source->kind->step != NULL))
			continue; /* it has parts itself */
		source_part_ended(up->end->source, branch->number, DUCT_CLOSED);
		gone = true;
	}
	return gone;
}

/* Tries each operation of a case that looks ready. */
static duct_status look_at_case(struct plan *plan, uint32_t root)
{
	duct_status status = DUCT_EMPTY;

	for (uint32_t i = root; is_pending(status) && i < plan->len; i++) {
		if (plan->branches[i].case_number != plan->branches[root].case_number)
			break;
		status = queue_try(&plan->wait.ops[i]);
		plan->wait.done = i;
	}
	return status;
}

/* One case after the other, in a fair order; so a merge of many is one among others. */
static duct_status look(struct plan *plan)
{
	const struct tour tour = tour_plan(plan->roots, plan->rules->in_order);
	duct_status status = DUCT_EMPTY;

	for (uint32_t k = 0; is_pending(status) && k <= tour.mask; k++)
		if (tour_stop(&tour, k) < plan->roots)
			status = look_at_case(plan, plan->branches[tour_stop(&tour, k)].root);
	return status;
}

/* Does one of the operations, and brings up what came of it; AGAIN if that was not for the caller. */
static duct_status attempt(struct plan *plan)
{
	duct_status status = DUCT_EMPTY;
	struct tour tour;

	pump(plan);
	if (let_go(plan))
		return AGAIN;
	if (wait_looks(plan->rules, plan->roots)) {
		if (plan->rules->deadline <= DEADLINE_NOW)
			full_fence();
		status = look(plan);
	}
	if (is_pending(status)) {
		tour = tour_plan(plan->len, plan->rules->in_order);
		status = wait_any(&plan->wait, plan->rules, &tour);
	}
	if (status == plan->rules->expired || status == DUCT_CANCELED || status == DUCT_NOMEM)
		return status;
	return bring_up(plan, plan->wait.done, status);
}

static bool has_moved(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->len; i++) {
		const struct source *source = plan->branches[i].end->source;

		if (source != NULL && (source->version != plan->branches[i].version || source_has_ended(source)))
			return true;
	}
	return false;
}

/*
 * A deadline that has passed gives way to what is ready; but others may send what a step refuses for ever.  So there are as many
 * more attempts as there were messages, and as sources could change, when it had passed.
 */
static bool gives_up(const struct plan *plan, size_t *attempts)
{
	if (duct_cancel_raised(plan->rules->cancel))
		return true;
	if (!deadline_passed(plan->rules->deadline))
		return false;
	if (*attempts == 0) {
		*attempts = 2 * (size_t)plan->len + 1;
		for (uint32_t i = 0; i < plan->len; i++)
			*attempts += queue_backlog(plan->branches[i].end->queue).len;
	}
	return --*attempts == 0;
}

/* With what there is now: until a case is performed or all is to be looked at anew (AGAIN). */
static duct_status attempt_all(struct plan *plan, size_t *attempts, size_t *done)
{
	duct_status status = begin_wait(plan);

	if (status != DUCT_OK)
		return status;
	do {
		status = attempt(plan);
		if (status == AGAIN && gives_up(plan, attempts))
			status = duct_cancel_raised(plan->rules->cancel) ? DUCT_CANCELED : plan->rules->expired;
	} while (status == AGAIN && !has_moved(plan));
	if (plan->len > 0)
		*done = plan->branches[plan->wait.done].case_number;
	finish_wait(plan);
	return status;
}

static void pin_case(const duct_case *c)
{
	end_pin(case_end(c));
}

static void unpin_case(const duct_case *c)
{
	end_unpin(case_end(c));
}

static void for_live(const duct_case *cases, size_t count, void (*what)(const duct_case *c))
{
	for (size_t i = 0; i < count; i++)
		if (case_is_live(&cases[i]))
			what(&cases[i]);
}

/*
 * What the caller gave is kept to the end, for others may have freed the handles while it slept.  A plan keeps its ends; so they
 * are kept besides only where another one follows.  The token is asked between waits too.
 */
duct_status resolve_select(const duct_case *cases, size_t count, const struct wait_rules *rules, size_t *done)
{
	size_t attempts = 0;
	bool kept = false;
	struct plan plan;
	duct_status status;

	cancel_pin(rules->cancel);
	do {
		plan_init(&plan, cases, rules);
		status = add_cases(&plan, count) && make_hands(&plan) ? attempt_all(&plan, &attempts, done) : DUCT_NOMEM;
		if (status == AGAIN && !kept) {
			for_live(cases, count, pin_case);
			kept = true;
		}
		plan_fini(&plan);
	} while (status == AGAIN);
	if (kept)
		for_live(cases, count, unpin_case);
	cancel_unpin(rules->cancel);
	return status;
}

duct_status resolve_receive(duct_receiver *receiver, void *message, const struct wait_rules *rules)
{
	const duct_case c = DUCT_RECV(receiver, message);
	size_t done;

	if (rules->deadline < 0 || (message == NULL && !rules->observe && receiver->end.queue->ring.size != 0))
		return DUCT_INVALID;
	if (duct_cancel_raised(rules->cancel))
		return DUCT_CANCELED;
	return resolve_select(&c, 1, rules, &done);
}

/* ---- Questions ------------------------------------------------------------------------------------------------- */

static const struct wait_rules no_rules = { .observe = false };

size_t resolve_len(duct_receiver *receiver)
{
	const duct_case c = DUCT_RECV(receiver, NULL);
	struct plan plan;
	size_t len = 0;

	plan_init(&plan, &c, &no_rules);
	if (add_tree(&plan, 0))
		for (uint32_t i = 0; i < plan.len; i++)
			len += queue_backlog(plan.branches[i].end->queue).len;
	plan_fini(&plan);
	return len;
}

bool resolve_reaches(duct_receiver *receiver, const struct source *source)
{
	const duct_case c = DUCT_RECV(receiver, NULL);
	struct plan plan;
	bool found;

	plan_init(&plan, &c, &no_rules);
	found = !add_tree(&plan, 0);
	for (uint32_t i = 0; !found && i < plan.len; i++)
		found = plan.branches[i].end->source == source;
	plan_fini(&plan);
	return found;
}

/* ---- Sends that need trays ------------------------------------------------------------------------------------- */

bool trays_begin(struct wait *wait, struct tray **trays)
{
	size_t count = 0;

	for (uint32_t i = 0; i < wait->cases; i++)
		count += needs_tray(&wait->ops[i]);
	if (count == 0)
		return true;
	if (count > SIZE_MAX / sizeof **trays || (*trays = memory_new(NULL, count * sizeof **trays)) == NULL)
		return false;
	wait->hooked = true;
	for (uint32_t i = 0; i < wait->cases; i++)
		if (needs_tray(&wait->ops[i]))
			tray_begin(*trays + --count, &wait->ops[i]);
	return true;
}

void trays_finish(struct wait *wait, struct tray *trays)
{
	if (trays == NULL)
		return;
	for (uint32_t i = 0; i < wait->cases; i++)
		if (wait->ops[i].tray != NULL)
			tray_finish(&wait->ops[i]);
	memory_free(NULL, trays);
}
