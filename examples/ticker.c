/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * ticker [MILLISECONDS]: one price feed and seven receivers, each with a pace and a policy of its own, for a second.
 *
 *                                   .--> fast        keeps up
 *                                   |--> slow        loses the oldest prices, and does not mind
 *                                   |--> told        the same, but counts what it is told of its losses
 *     feed ----> broadcast channel -+--> newest out  loses the newest: what is queued stays
 *                                   |--> display     shows the latest price now and then
 *                                   |--> recorder    loses nothing: the feed waits while its disk is busy
 *                                   '--> stuck       stops reading, and is cut off
 *
 * There is nothing that the receivers agree on but the channel.  The feed sends, and what becomes of a price at a full queue
 * is a matter of that queue; only the recorder's makes the feed wait.  The channel has no handle but its ends: it closes when
 * the feed frees its sender, and each receiver drains and ends.
 *
 * Prints a table of what became of the prices, which has to add up: sent = received + lost + queued + discarded for each
 * receiver, and more than that (check_row, check_feed).  Exits with 1 if it does not.
 */
#include <duct.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TICK_US 100 /* between two prices */
#define STUCK_AFTER 100
#define SYNC_EVERY 1000
#define SYNC_US 20000 /* what the recorder's disk takes every so often */

struct price {
	uint64_t number; /* 1, 2, 3 ... */
	double value;
};

DUCT_TYPE(prices, struct price);

struct viewer {
	const char *name, *policy;
	duct_subscription subscription;
	int pause_us;
	prices_receiver *prices;
	pthread_t thread;

	/* What it has seen. */
	uint64_t received, last;
	uint64_t told;     /* losses that DUCT_LAGGED told of */
	bool out_of_order; /* or twice */
	duct_stats stats;
	bool cut_off;
};

struct feed {
	prices_sender *prices;
	duct_time end;
	uint64_t sent, delivered, lost;
	pthread_t thread;
};

static struct viewer viewers[] = {
	{ .name = "fast", .policy = "drop oldest", .subscription = { .capacity = 4096 } },
	{ .name = "slow", .policy = "drop oldest", .pause_us = 2000 },
	{ .name = "told", .policy = "drop oldest", .subscription = { .capacity = 20, .tell_lag = true }, .pause_us = 3000 },
	{ .name = "newest out", .policy = "drop newest", .subscription = { .overflow = DUCT_DROP_NEWEST }, .pause_us = 2000 },
	{ .name = "display", .policy = "latest only", .subscription = { .overflow = DUCT_LATEST_ONLY }, .pause_us = 40000 },
	{ .name = "recorder", .policy = "block", .subscription = { .overflow = DUCT_BLOCK, .capacity = 64 } },
	{ .name = "stuck", .policy = "cut off", .subscription = { .overflow = DUCT_CUT_OFF, .capacity = 200 } },
};

enum { TOLD = 2, NEWEST_OUT, DISPLAY, RECORDER, STUCK, VIEWERS };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "ticker: %s\n", what);
	exit(1);
}

static void pause_us(int microseconds)
{
	nanosleep(&(struct timespec){ .tv_nsec = microseconds * 1000L }, NULL);
}

/* ---- The feed ---------------------------------------------------------------------------------------------------------- */

static void *feed_prices(void *argument)
{
	struct feed *feed = argument;
	struct price price = { .number = 0, .value = 100 };
	duct_receipt receipt;

	while (duct_now() < feed->end) {
		price.number++;
		price.value += price.number % 3 == 0 ? -0.02 : 0.01;
		if (prices_publish(feed->prices, &price, &receipt, DUCT_FOREVER, NULL) != DUCT_OK)
			break;
		feed->sent++;
		feed->delivered += receipt.delivered;
		feed->lost += receipt.lost;
		pause_us(TICK_US);
	}
	prices_sender_free(feed->prices);
	return NULL;
}

/* ---- The receivers ----------------------------------------------------------------------------------------------------- */

static void look_at(struct viewer *viewer, const struct price *price)
{
	viewer->received++;
	if (price->number <= viewer->last)
		viewer->out_of_order = true;
	viewer->last = price->number;
	if (viewer->pause_us > 0)
		pause_us(viewer->pause_us);
	if (viewer == &viewers[RECORDER] && viewer->received % SYNC_EVERY == 0)
		pause_us(SYNC_US);
}

static void *view(void *argument)
{
	struct viewer *viewer = argument;
	struct price price;
	duct_status status;

	do {
		status = prices_recv(viewer->prices, &price);
		if (status == DUCT_OK)
			look_at(viewer, &price);
		else if (status == DUCT_LAGGED)
			viewer->told += duct_receiver_lag(prices_untyped_receiver(viewer->prices));
		if (viewer == &viewers[STUCK] && viewer->received == STUCK_AFTER)
			break;
	} while (status == DUCT_OK || status == DUCT_LAGGED);
	return NULL;
}

/* ---- The table --------------------------------------------------------------------------------------------------------- */

static bool check_row(const struct viewer *viewer, const struct feed *feed)
{
	const duct_stats *stats = &viewer->stats;

	if (stats->sent != stats->received + stats->lost + stats->queued + stats->discarded)
		return false;
	if (stats->received != viewer->received || viewer->out_of_order)
		return false;
	if (viewer->cut_off)
		return stats->sent < feed->sent && stats->lost == 1;
	return stats->sent == feed->sent && (stats->queued == 0 || viewer == &viewers[STUCK]);
}

/* What the receipts told the feed is what the receivers know, and each of these was treated as it had asked to be. */
static bool check_feed(const struct feed *feed)
{
	bool stuck = feed->sent > STUCK_AFTER + viewers[STUCK].subscription.capacity;
	uint64_t sent = 0, lost = 0, refused;

	for (int i = 0; i < VIEWERS; i++) {
		sent += viewers[i].stats.sent;
		lost += viewers[i].stats.lost;
		if (i != STUCK && viewers[i].cut_off)
			return false;
	}
	/* What is lost is an older price, which was delivered once, but for two policies, where it is the price itself. */
	refused = viewers[NEWEST_OUT].stats.lost + viewers[STUCK].stats.lost;
	return feed->lost == lost && feed->delivered == sent - refused && viewers[RECORDER].stats.lost == 0 &&
	       viewers[TOLD].told == viewers[TOLD].stats.lost && (viewers[STUCK].cut_off || !stuck);
}

static bool print_table(const struct feed *feed)
{
	bool adds_up = check_feed(feed);

	printf("%-11s %-12s %8s %8s %8s %8s %9s\n", "receiver", "when full", "sent", "received", "lost", "queued", "discarded");
	for (int i = 0; i < VIEWERS; i++) {
		const struct viewer *viewer = &viewers[i];
		const duct_stats *stats = &viewer->stats;
		bool right = check_row(viewer, feed);

		printf("%-11s %-12s %8llu %8llu %8llu %8llu %9llu%s%s\n", viewer->name, viewer->policy,
		    (unsigned long long)stats->sent, (unsigned long long)stats->received, (unsigned long long)stats->lost,
		    (unsigned long long)stats->queued, (unsigned long long)stats->discarded, viewer->cut_off ? "  cut off" : "",
		    right ? "" : "  WRONG");
		adds_up = adds_up && right;
	}
	printf("%llu prices sent, %llu copies lost: %s\n", (unsigned long long)feed->sent, (unsigned long long)feed->lost,
	    adds_up ? "it adds up" : "IT DOES NOT ADD UP");
	return adds_up;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------------- */

static void tell(const duct_log_event *event, void *context)
{
	(void)context;
	printf("log: %s\n", event->text);
}

static duct_subscription subscription_of(const struct viewer *viewer)
{
	duct_subscription subscription = viewer->subscription;

	subscription.size = sizeof subscription;
	subscription.name = viewer->name;
	return subscription;
}

static void subscribe_all(struct feed *feed)
{
	const duct_options *options = DUCT_OPTIONS(.name = "prices", .log = tell);
	duct_subscription subscription = subscription_of(&viewers[0]);

	/* The first receiver is made with the channel, so that there is one before anything is sent. */
	if (prices_broadcast_open(&feed->prices, &viewers[0].prices, &subscription, options) != DUCT_OK)
		die("no channel");
	for (int i = 1; i < VIEWERS; i++) {
		subscription = subscription_of(&viewers[i]);
		if (prices_sender_subscribe(feed->prices, &viewers[i].prices, &subscription) != DUCT_OK)
			die("no receiver");
	}
}

static void finish(struct viewer *viewer)
{
	const duct_receiver *receiver = prices_untyped_receiver(viewer->prices);

	if (duct_receiver_stats(receiver, &viewer->stats) != DUCT_OK)
		die("no statistics");
	viewer->cut_off = duct_receiver_is_cut_off(receiver);
	prices_receiver_free(viewer->prices);
}

int main(int argc, char **argv)
{
	struct feed feed = { .end = duct_after_ms(argc > 1 ? strtol(argv[1], NULL, 10) : 1000) };

	subscribe_all(&feed);
	for (int i = 0; i < VIEWERS; i++)
		if (pthread_create(&viewers[i].thread, NULL, view, &viewers[i]) != 0)
			die("no thread");
	if (pthread_create(&feed.thread, NULL, feed_prices, &feed) != 0)
		die("no thread");
	pthread_join(feed.thread, NULL);
	for (int i = 0; i < VIEWERS; i++)
		pthread_join(viewers[i].thread, NULL);
	for (int i = 0; i < VIEWERS; i++)
		finish(&viewers[i]);
	return print_table(&feed) ? 0 : 1;
}
