/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The log: how seldom it speaks, what it says, and to whom.
 */
#include "log.h"
#include "harness.h"

/* The first event is told, and then none until the interval is over, to the nanosecond. */
TEST(log_admit_locked, admits_one_event_each_interval, 5)
{
	struct log log = { .interval = 100 };
	uint64_t suppressed = 99;

	CHECK(log_admit_locked(&log, 1000, &suppressed) && suppressed == 0);
	CHECK(!log_admit_locked(&log, 1000, &suppressed));
	CHECK(!log_admit_locked(&log, 1099, &suppressed));
	CHECK(log_admit_locked(&log, 1100, &suppressed));
	CHECK(!log_admit_locked(&log, 1199, &suppressed));
	CHECK(log_admit_locked(&log, 5000, &suppressed));
	CHECK(!log_admit_locked(&log, 5099, &suppressed));
}

/* An event that is told says how many were not since the last pair: a wait is two. */
TEST(log_admit_locked, counts_what_it_suppressed, 5)
{
	struct log log = { .interval = 100 };
	uint64_t suppressed = 99;

	CHECK(log_admit_locked(&log, 0, &suppressed) && suppressed == 0);
	for (int i = 1; i <= 5; i++)
		CHECK(!log_admit_locked(&log, i, &suppressed));
	CHECK(suppressed == 0);
	CHECK(log_admit_locked(&log, 100, &suppressed) && suppressed == 10);
	CHECK(!log_admit_locked(&log, 101, &suppressed));
	CHECK(log_admit_locked(&log, 200, &suppressed) && suppressed == 2);
	CHECK(log_admit_locked(&log, 300, &suppressed) && suppressed == 0);
}

/* An interval that reaches beyond all time admits nothing any more, instead of overflowing. */
TEST(log_admit_locked, saturates_the_next_time, 5)
{
	struct log log = { .interval = INT64_MAX };
	uint64_t suppressed;

	CHECK(log_admit_locked(&log, 1000, &suppressed));
	CHECK(log.next == DUCT_FOREVER);
	CHECK(!log_admit_locked(&log, DUCT_FOREVER - 1, &suppressed));
	log = (struct log){ .interval = INT64_MAX - 1000 };
	CHECK(log_admit_locked(&log, 999, &suppressed));
	CHECK(log.next == DUCT_FOREVER - 1);
}

/* What the hook was told last, and how. */
struct told {
	int calls;
	duct_log_event event;
	char text[300];
	int cancel_state;
};

static void hear(const duct_log_event *event, void *context)
{
	struct told *told = context;

	told->calls++;
	told->event = *event;
	snprintf(told->text, sizeof told->text, "%s", event->text);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &told->cancel_state);
}

/* The hook gets its context, the event's parts, and a line with the channel's name that differs by kind. */
TEST(log_tell, hands_over_the_event, 5)
{
	struct told told = { 0 };
	const struct log log = { .hook = hear, .context = &told, .channel = "jobs", .blocked = "full" };
	char blocked[300];

	log_tell(&log, DUCT_LOG_BLOCKED, 42);
	CHECK(told.calls == 1 && told.event.kind == DUCT_LOG_BLOCKED && told.event.suppressed == 42);
	CHECK(told.event.channel == log.channel);
	CHECK(strstr(told.text, "jobs: full") != NULL && strchr(told.text, '\n') == NULL);
	memcpy(blocked, told.text, sizeof blocked);
	log_tell(&log, DUCT_LOG_RESUMED, 0);
	CHECK(told.calls == 2 && told.event.kind == DUCT_LOG_RESUMED && told.event.suppressed == 0);
	CHECK(strstr(told.text, "jobs: the sender that waited") != NULL && strcmp(blocked, told.text) != 0);
}

/* A name longer than the line is cut off with it. */
TEST(log_tell, cuts_a_long_name, 5)
{
	struct told told = { 0 };
	char name[1000];
	const struct log log = { .hook = hear, .context = &told, .channel = name, .blocked = "full" };

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = 0;
	log_tell(&log, DUCT_LOG_BLOCKED, 0);
	CHECK(strlen(told.text) < 256 && strstr(told.text, "nnnn") != NULL);
	CHECK(told.event.channel == log.channel);
}

/* A thread cannot be cancelled in the hook, and can be again after it. */
TEST(log_tell, holds_cancellation_off, 5)
{
	struct told told = { 0 };
	const struct log log = { .hook = hear, .context = &told, .channel = "jobs" };
	int state;

	log_tell(&log, DUCT_LOG_BLOCKED, 0);
	CHECK(told.cancel_state == PTHREAD_CANCEL_DISABLE);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	CHECK(state == PTHREAD_CANCEL_ENABLE);
}
