/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * File watchers: notice of changes of files (notice.h), as a source.
 *
 * Who waits for a watcher waits for its descriptor, or until a batch is to be told or the files are to be looked at again,
 * and then pumps.  That reads files and directories, which may take long, so it is done without a lock, by one thread at a
 * time.  To all others the watcher has neither a descriptor nor a time meanwhile: they sleep, and are told to look anew when
 * the pump is over, if they asked.
 *
 *     pumps                                        waits
 *     ------------------------------------         --------------------------------------------
 *     locks; pumping; unlocks
 *     reads, looks at files                        locks; in line; asks when: not now (asked); unlocks, sleeps
 *     puts events into the queue                   (is served, or)
 *     locks; due later; tells who asked ......     looks anew: the descriptor, due later
 *
 * The queue holds a few events; the others stay with the notice until those are received.
 */
#include "dial.h"
#include "notice.h"

#include <errno.h>
#include <poll.h>

/* [I] fixed when made; [b] written under both locks of the queue, read under either; [p] by who pumps. */
struct watcher {
	struct source source;
	struct hand hand;      /* [I] */
	struct notice *notice; /* [p] */
	int descriptor;        /* [I] -1: there is none */
	duct_time due;         /* [b] */
	bool pumping;          /* [b] */
	bool asked;            /* [b] somebody waits who was told that there is nothing to wait for */
};

#define EVENTS_HELD 4

static struct watcher *watcher_behind(struct source *source)
{
	return (struct watcher *)(void *)source;
}

/* Nothing is read as long as there are events to be received. */
static bool is_busy_locked(struct watcher *watcher)
{
	if (source_holds_locked(&watcher->source))
		return true;
	watcher->asked |= watcher->pumping;
	return watcher->pumping;
}

static duct_time watcher_due_locked(struct source *source)
{
	struct watcher *watcher = watcher_behind(source);

	return is_busy_locked(watcher) ? DUCT_FOREVER : hand_deadline(&watcher->hand, watcher->due);
}

/* It has not ended: whoever asks has found nothing to receive, not even an end. */
static int watcher_descriptor_locked(struct source *source)
{
	struct watcher *watcher = watcher_behind(source);

	return is_busy_locked(watcher) ? -1 : watcher->descriptor;
}

/* Errors count as readable: to read tells of them. */
static bool is_readable(int descriptor)
{
	struct pollfd poll_now = { .fd = descriptor, .events = POLLIN };
	int error = errno, cancellation = cancellation_hold();
	bool readable = descriptor >= 0 && poll(&poll_now, 1, 0) > 0;

	cancellation_resume(cancellation);
	errno = error;
	return readable;
}

/*
 * There is something to do.  Without this question two threads that wait for one watcher would pump for ever, each because
 * the other was pumping when it asked.
 */
static bool wants_pump(struct watcher *watcher)
{
	duct_time due;

	queue_lock_both(&watcher->source.queue);
	due = watcher->due;
	queue_unlock_both(&watcher->source.queue);
	return deadline_passed(hand_deadline(&watcher->hand, due)) || is_readable(watcher->descriptor);
}

static bool begin_pump(struct watcher *watcher)
{
	bool begun;

	queue_lock_both(&watcher->source.queue);
	begun = !watcher->pumping && !source_has_ended(&watcher->source) && !source_holds_locked(&watcher->source);
	watcher->pumping |= begun;
	queue_unlock_both(&watcher->source.queue);
	return begun;
}

static void finish_pump(struct watcher *watcher, duct_time due)
{
	struct node *wakes = NULL;

	queue_lock_both(&watcher->source.queue);
	watcher->pumping = false;
	if (watcher->asked || due < watcher->due)
		source_moved_locked(&watcher->source, &wakes);
	watcher->asked = false;
	watcher->due = due;
	queue_unlock_both(&watcher->source.queue);
	wakes_notify(wakes);
}

/* As many events as the queue takes; when the rest, if there is one, is to be put. */
static duct_time put_events(struct watcher *watcher)
{
	const duct_file_event *event;

	while ((event = notice_first(watcher->notice)) != NULL) {
		if (source_put(&watcher->source, event) != DUCT_OK)
			return DEADLINE_NOW;
		notice_pop(watcher->notice);
	}
	return notice_due(watcher->notice);
}

static void watcher_pump(struct source *source)
{
	struct watcher *watcher = watcher_behind(source);

	if (!wants_pump(watcher) || !begin_pump(watcher))
		return;
	notice_pump(watcher->notice, hand_now(&watcher->hand));
	finish_pump(watcher, put_events(watcher));
}

static void watcher_destroy(struct source *source)
{
	hand_fini(&watcher_behind(source)->hand);
	notice_free(watcher_behind(source)->notice);
}

static const struct source_kind watcher_kind = { .name = "watcher",
	.due_locked = watcher_due_locked,
	.descriptor_locked = watcher_descriptor_locked,
	.pump = watcher_pump,
	.destroy = watcher_destroy };

duct_status duct_watcher_new(
    duct_receiver **receiver, const char *const *paths, size_t count, const duct_watcher_options *options)
{
	const duct_watcher_options defaults = DUCT_WATCHER_OPTIONS_INIT;
	struct watcher *watcher;
	struct notice *notice;
	duct_status status;

	if (options == NULL)
		options = &defaults;
	if (receiver == NULL || options->size != sizeof *options)
		return DUCT_INVALID;
	status = notice_new(&notice, paths, count, options, duct_clock_now(options->clock));
	if (status != DUCT_OK)
		return status;
	watcher = source_new(&(struct source_plan){ .kind = &watcher_kind,
	    .name = options->name,
	    .size = sizeof(struct watcher),
	    .capacity = EVENTS_HELD,
	    .hooks = { .size = sizeof(duct_file_event) } });
	if (watcher == NULL) {
		notice_free(notice);
		return DUCT_NOMEM;
	}
	watcher->notice = notice;
	watcher->descriptor = notice_descriptor(notice);
	watcher->due = notice_due(notice);
	hand_init(&watcher->hand, &watcher->source, options->clock);
	*receiver = source_receiver(&watcher->source);
	return DUCT_OK;
}
