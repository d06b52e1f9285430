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
	uint32_t place;       /* of the part there, when it was added */
	uint32_t above;       /* the branch of that source; its own number: it is a case */
	uint32_t case_number; /* of the case that it belongs to */
	uint32_t version;     /* of the end's source */
	uint32_t next;        /* which one is looked at after it */
	bool is_send;
	bool stepped;   /* there are steps above */
	bool selective; /* one of them is */
	bool left_out;  /* another call pulls: only what can be observed is */
};

#define FEW_BYTES 256

/* What stays the same from plan to plan. */
struct call {
	const duct_case *cases;
	uint32_t count;
	const struct wait_rules *rules;
	size_t attempts; /* that are left after the deadline; 0: it has not passed yet */
};

struct plan {
	struct call *call;
	struct branch *branches;
	uint32_t len, room, roots;
	uint32_t last;   /* branch to be looked at; the first one is 0 */
	bool has_choice; /* there are several to receive from, and this is only one order of them */
	struct wait wait;
	struct tray *trays;
	unsigned char *hands[2]; /* where a message is on its way up: as it was taken, and what a step makes of it */
	void *memory;            /* of the hands, if they had to be allocated */
	struct pollfd *polls;    /* if sources have descriptors */
	struct branch few[WAIT_CASES_INLINE];
	_Alignas(max_align_t) unsigned char bytes[2][FEW_BYTES];
};

/* ---- What there is --------------------------------------------------------------------------------------------- */

/* So that no size overflows, and an index goes into a claim word. */
#define BRANCHES_MOST (INT32_MAX / 2 / sizeof(struct branch))

/* Room for so many more branches; false if there is no memory. */
static bool reserve(struct plan *plan, uint32_t more)
{
	const uint32_t room = 2 * (plan->len + more);
	struct branch *branches;

	if (plan->room - plan->len >= more)
		return true;
	if (more > BRANCHES_MOST - plan->len || (branches = memory_new(NULL, room * sizeof *branches)) == NULL)
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

/* Is looked at right after that one. */
static void add_branch_after(struct plan *plan, uint32_t after, const struct branch *branch)
{
	const uint32_t added = plan->len++;

	end_pin(branch->end);
	plan->branches[added] = *branch;
	if (added == 0)
		return;
	plan->branches[added].next = plan->branches[after].next;
	plan->branches[after].next = added;
	if (plan->last == after)
		plan->last = added;
}

static void add_case(struct plan *plan, const duct_case *c, uint32_t case_number)
{
	struct end *end = case_end(c);

	plan->has_choice |= plan->roots++ > 0;
	add_branch_after(plan, plan->last,
	    &(struct branch){ .end = end, .above = plan->len, .case_number = case_number, .is_send = c->sender != NULL });
}

/* With the put lock of the source's queue, and with room: stands right behind the source, ahead of what was added before it. */
static void add_part_locked(struct plan *plan, uint32_t above, uint32_t place)
{
	const struct branch up = plan->branches[above];
	const struct source_kind *kind = up.end->source->kind;
	const struct part *part = &up.end->source->parts[place];

	add_branch_after(plan, above,
	    &(struct branch){ .end = part->end,
		.number = part->number,
		.place = place,
		.above = above,
		.case_number = up.case_number,
		.stepped = up.stepped || kind->step != NULL,
		.selective = up.selective || kind->selective });
}

/* The parts of a branch's source become branches, another one first each time; false if there is no memory. */
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
	plan->has_choice |= count > 1;
	turn = count > 0 ? load_relaxed(&source->turn) % count : 0;
	for (uint32_t i = count; i > 0; i--)
		add_part_locked(plan, above, (i - 1 + turn) % count);
	queue_unlock_put(&source->queue);
	return true;
}

/* ---- Taking in order to know ----------------------------------------------------------------------------------- */

/*
 * Of all its cases but that one, or NULL.  At the end of the call, and when it has a message in hand, but not between its plans:
 * two threads that pull one source each, and observe the other, would wake each other for ever.
 */
static void stop_pulling(const struct call *call, const struct source *but)
{
	for (uint32_t i = 0; i < call->count; i++) {
		struct source *source = case_is_live(&call->cases[i]) ? case_end(&call->cases[i])->source : NULL;

		if (source != NULL && source != but && load_relaxed(&source->puller) == call)
			source_stop_pulling(source);
	}
}

/* A case whose messages have to be taken to know of them is pulled by one call at a time; the others wait for that. */
static void settle_pulling(struct plan *plan, uint32_t root)
{
	struct source *source = plan->branches[root].end->source;
	bool pulls = source != NULL && load_relaxed(&source->puller) == plan->call;

	for (uint32_t i = root; i < plan->len; i++)
		pulls |= plan->branches[i].selective;
	if (!plan->call->rules->observe || !pulls || source_pulls(source, plan->call))
		return;
	for (uint32_t i = root; i < plan->len; i++)
		plan->branches[i].left_out = plan->branches[i].selective;
}

/* A case and all that it comes to. */
static bool add_tree(struct plan *plan, uint32_t case_number)
{
	const uint32_t root = plan->len;

	if (!reserve(plan, 1))
		return false;
	add_case(plan, &plan->call->cases[case_number], case_number);
	for (uint32_t i = root; i < plan->len; i++)
		if (plan->branches[i].end->source != NULL && !add_parts(plan, i))
			return false;
	settle_pulling(plan, root);
	return true;
}

/* ---- A plan ---------------------------------------------------------------------------------------------------- */

static void plan_init(struct plan *plan, struct call *call)
{
	plan->call = call;
	plan->branches = plan->few;
	plan->len = plan->roots = plan->last = 0;
	plan->has_choice = false;
	plan->room = WAIT_CASES_INLINE;
	plan->trays = NULL;
	plan->memory = NULL;
	plan->polls = NULL;
}

static void plan_fini(struct plan *plan)
{
	while (plan->len > 0)
		end_unpin(plan->branches[--plan->len].end);
	if (plan->branches != plan->few)
		memory_free(NULL, plan->branches);
	if (plan->memory != NULL)
		memory_free(NULL, plan->memory);
	if (plan->polls != NULL)
		memory_free(NULL, plan->polls);
}

/* Every live case, in a fair order: each with all that is behind it, so a merge of many is one among others. */
static bool add_cases(struct plan *plan)
{
	const struct call *call = plan->call;
	const struct tour tour = tour_plan(call->count, call->rules->in_order);

	for (uint32_t k = 0; k <= tour.mask; k++) {
		const uint32_t i = tour_stop(&tour, k);

		if (i < call->count && case_is_live(&call->cases[i]) && !add_tree(plan, i))
			return false;
	}
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
	size = line_round_up(size);
	/* There is memory for one in some ring, so two do not overflow. */
	if ((plan->memory = memory_new(NULL, 2 * size)) == NULL)
		return false;
	plan->hands[0] = plan->memory;
	plan->hands[1] = plan->hands[0] + size;
	return true;
}

/* What to poll descriptors with, if there are any. */
static bool make_polls(struct plan *plan)
{
	size_t descriptors = 0;

	for (uint32_t i = 0; i < plan->len; i++) {
		const struct source *source = plan->branches[i].end->source;

		descriptors += source != NULL && source->kind->descriptor_locked != NULL;
	}
	/* One more for the waiter's own. */
	return descriptors == 0 || (plan->polls = memory_new(NULL, (descriptors + 1) * sizeof *plan->polls)) != NULL;
}

static struct op branch_op(const struct plan *plan, uint32_t number)
{
	const struct branch *branch = &plan->branches[number];

	return (struct op){ .queue = branch->end->queue,
		.end = branch->end,
		.message = branch->stepped ? plan->hands[0] : plan->call->cases[branch->case_number].message,
		.number = number,
		.version = branch->version,
		.is_send = branch->is_send,
		.observe = plan->call->rules->observe && !branch->selective };
}

/* The branches become the operations of a wait, in the order in which they are looked at. */
static void make_ops(struct plan *plan)
{
	uint32_t number = 0, made = 0;

	for (uint32_t left = plan->len; left > 0; left--) {
		if (!plan->branches[number].left_out)
			plan->wait.ops[made++] = branch_op(plan, number);
		number = plan->branches[number].next;
	}
}

static duct_status begin_wait(struct plan *plan)
{
	uint32_t left_out = 0;
	duct_status status = make_polls(plan) ? DUCT_OK : DUCT_NOMEM;

	if (status != DUCT_OK)
		return status;
	for (uint32_t i = 0; i < plan->len; i++)
		left_out += plan->branches[i].left_out;
	if ((status = wait_init(&plan->wait, plan->len - left_out, plan->call->rules->cancel)) != DUCT_OK)
		return status;
	make_ops(plan);
	plan->wait.sourced = true;
	plan->wait.polls = plan->polls;
	if (plan->call->rules->observe || trays_begin(&plan->wait, &plan->trays))
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

/* The source of the case that a branch belongs to. */
static struct source *case_source(const struct plan *plan, const struct branch *branch)
{
	return plan->call->cases[branch->case_number].receiver->end.source;
}

/* What passed all steps arrives: with who waits for it or, for one who only wants to know, in the queue of the case. */
static void deliver(const struct plan *plan, const struct branch *branch, const unsigned char *message)
{
	const duct_case *c = &plan->call->cases[branch->case_number];

	if (plan->call->rules->observe)
		(void)source_put(case_source(plan, branch), message); /* there is room, and it has not ended: this call pulls */
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
	if (plan->call->rules->observe) /* functions may take long, and it has nothing in hand of the others */
		stop_pulling(plan->call, case_source(plan, branch));
	if ((message = climb(plan, branch)) != NULL)
		deliver(plan, branch, message);
	cancellation_resume(cancellation);
	return message != NULL ? DUCT_OK : AGAIN;
}

/* It was the turn of a branch, and of the sources above it, among the parts of those above them: the next one has the next. */
static void pass_turn(struct plan *plan, const struct branch *branch)
{
	for (const struct branch *up; (up = &plan->branches[branch->above]) != branch; branch = up)
		store_relaxed(&up->end->source->turn, branch->place + 1);
}

/* All sources above a branch can tell how many messages were lost. */
static void tell_lag(struct plan *plan, const struct branch *branch)
{
	const uint64_t lag = duct_receiver_lag((const duct_receiver *)(const void *)branch->end);

	for (const struct branch *up; (up = &plan->branches[branch->above]) != branch; branch = up)
		atomic_store(&up->end->source->lag, lag);
}

/* What an operation came to, to the case. */
static duct_status bring_up(struct plan *plan, const struct op *op, duct_status status)
{
	struct branch *branch = &plan->branches[op->number];

	if (branch->above == op->number)
		return status;
	if (status_has_ended(status)) {
		source_part_ended(plan->branches[branch->above].end->source, branch->number, status);
		return AGAIN;
	}
	if (op->observe || (status != DUCT_OK && status != DUCT_LAGGED))
		return status;
	pass_turn(plan, branch);
	if (status == DUCT_OK)
		return send_up(plan, branch);
	tell_lag(plan, branch);
	if (plan->call->rules->observe)
		source_hold_lag(case_source(plan, branch));
	return status;
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

/* Tries each operation that looks ready. */
static duct_status look(struct plan *plan)
{
	duct_status status = DUCT_EMPTY;

	for (uint32_t i = 0; is_pending(status) && i < plan->wait.cases; i++) {
		status = queue_try(&plan->wait.ops[i]);
		plan->wait.done = i;
	}
	return status;
}

/* Does one of the operations, and brings up what came of it; AGAIN if that was not for the caller. */
static duct_status attempt(struct plan *plan)
{
	const struct tour tour = tour_plan(plan->wait.cases, true);
	duct_status status = DUCT_EMPTY;

	pump(plan);
	if (wait_looks(plan->call->rules, plan->roots)) {
		if (plan->call->rules->deadline <= DEADLINE_NOW)
			full_fence();
		status = look(plan);
	}
	if (is_pending(status))
		status = wait_any(&plan->wait, plan->call->rules, &tour);
	return bring_up(plan, &plan->wait.ops[plan->wait.done], status);
}

static bool has_moved(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->len; i++) {
		const struct source *source = plan->branches[i].end->source;

		if (source != NULL && source->version != plan->branches[i].version)
			return true;
	}
	return false;
}

/*
 * A deadline that has passed gives way to what is ready; but others may send what a step refuses for ever.  So there are as many
 * more attempts as there were messages, and as sources could change, when it had passed.
 */
static bool gives_up(const struct plan *plan)
{
	struct call *call = plan->call;

	if (duct_cancel_raised(call->rules->cancel))
		return true;
	if (!deadline_passed(call->rules->deadline))
		return false;
	if (call->attempts == 0) {
		call->attempts = 2 * (size_t)plan->len + 1;
		for (uint32_t i = 0; i < plan->len; i++)
			call->attempts += queue_backlog(plan->branches[i].end->queue).len;
	}
	return --call->attempts == 0;
}

/*
 * With what there is now: until a case is performed or all is to be looked at anew (AGAIN).  Where there is a choice that is
 * after each attempt: else a branch whose messages are refused would be asked first, again and again.
 */
static duct_status attempt_all(struct plan *plan, size_t *done)
{
	const struct wait_rules *rules = plan->call->rules;
	duct_status status = begin_wait(plan);

	if (status != DUCT_OK)
		return status;
	do {
		status = attempt(plan);
		if (status == AGAIN && gives_up(plan))
			status = duct_cancel_raised(rules->cancel) ? DUCT_CANCELED : rules->expired;
	} while (status == AGAIN && !plan->has_choice && !has_moved(plan));
	*done = plan->branches[plan->wait.ops[plan->wait.done].number].case_number;
	finish_wait(plan);
	return status;
}

/*
 * Between two plans nothing else keeps what the caller has given; others may free their handles then, as at any time.  (Only
 * those that are live: what has ended may be gone.)
 */
static void pin_all(const struct call *call)
{
	for (uint32_t i = 0; i < call->count; i++)
		if (case_is_live(&call->cases[i]))
			end_pin(case_end(&call->cases[i]));
	cancel_pin(call->rules->cancel);
}

static void unpin_all(const struct call *call)
{
	cancel_unpin(call->rules->cancel);
	for (uint32_t i = 0; i < call->count; i++)
		if (case_is_live(&call->cases[i]))
			end_unpin(case_end(&call->cases[i]));
}

duct_status resolve_select(const duct_case *cases, size_t count, const struct wait_rules *rules, size_t *done)
{
	struct call call = { .cases = cases, .count = (uint32_t)count, .rules = rules };
	struct plan plan;
	duct_status status;

	pin_all(&call);
	do {
		plan_init(&plan, &call);
		status = add_cases(&plan) && make_hands(&plan) ? attempt_all(&plan, done) : DUCT_NOMEM;
		plan_fini(&plan);
	} while (status == AGAIN);
	if (rules->observe)
		stop_pulling(&call, NULL);
	unpin_all(&call);
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

/* A plan of all that is behind a receiver; false if there is no memory.  To be given back in either case. */
static bool plan_question(struct plan *plan, struct call *call)
{
	static const struct wait_rules rules = { .observe = false };

	call->rules = &rules;
	plan_init(plan, call);
	return add_tree(plan, 0);
}

size_t resolve_len(duct_receiver *receiver)
{
	struct call call = { .cases = &(duct_case)DUCT_RECV(receiver, NULL) };
	struct plan plan;
	size_t len = 0;

	if (plan_question(&plan, &call))
		for (uint32_t i = 0; i < plan.len; i++)
			len += queue_backlog(plan.branches[i].end->queue).len;
	plan_fini(&plan);
	return len;
}

duct_status resolve_reaches(duct_receiver *receiver, const struct source *source, bool *reaches)
{
	struct call call = { .cases = &(duct_case)DUCT_RECV(receiver, NULL) };
	struct plan plan;
	const duct_status status = plan_question(&plan, &call) ? DUCT_OK : DUCT_NOMEM;

	*reaches = false;
	for (uint32_t i = 0; i < plan.len; i++)
		*reaches |= plan.branches[i].end->source == source;
	plan_fini(&plan);
	return status;
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
