/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The ring that everybody writes first: one mutex, two condition variables, a signal for every message.  The honest floor
 * that a channel is measured against.  Capacity 0 is a hand-over: the sender waits until its message has been taken.
 */
#ifndef BENCH_NAIVE_H
#define BENCH_NAIVE_H

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

struct naive {
	pthread_mutex_t lock;
	pthread_cond_t not_full, not_empty, taken;
	uint64_t *slots;
	uint64_t sent, received; /* messages ever */
	size_t capacity;         /* slots: at least one */
	bool rendezvous;
};

static inline bool naive_init(struct naive *ring, size_t capacity)
{
	ring->rendezvous = capacity == 0;
	ring->capacity = capacity == 0 ? 1 : capacity;
	ring->sent = ring->received = 0;
	ring->slots = static_cast<uint64_t *>(malloc(ring->capacity * sizeof *ring->slots));
	return ring->slots != nullptr && pthread_mutex_init(&ring->lock, nullptr) == 0 &&
	       pthread_cond_init(&ring->not_full, nullptr) == 0 && pthread_cond_init(&ring->not_empty, nullptr) == 0 &&
	       pthread_cond_init(&ring->taken, nullptr) == 0;
}

static inline void naive_fini(struct naive *ring)
{
	pthread_cond_destroy(&ring->taken);
	pthread_cond_destroy(&ring->not_empty);
	pthread_cond_destroy(&ring->not_full);
	pthread_mutex_destroy(&ring->lock);
	free(ring->slots);
}

static inline void naive_send(struct naive *ring, uint64_t message)
{
	uint64_t place;

	pthread_mutex_lock(&ring->lock);
	while (ring->sent - ring->received == ring->capacity)
		pthread_cond_wait(&ring->not_full, &ring->lock);
	place = ring->sent++;
	ring->slots[place % ring->capacity] = message;
	pthread_cond_signal(&ring->not_empty);
	while (ring->rendezvous && ring->received <= place)
		pthread_cond_wait(&ring->taken, &ring->lock);
	pthread_mutex_unlock(&ring->lock);
}

static inline uint64_t naive_receive(struct naive *ring)
{
	uint64_t message;

	pthread_mutex_lock(&ring->lock);
	while (ring->sent == ring->received)
		pthread_cond_wait(&ring->not_empty, &ring->lock);
	message = ring->slots[ring->received++ % ring->capacity];
	pthread_cond_signal(&ring->not_full);
	if (ring->rendezvous)
		pthread_cond_broadcast(&ring->taken);
	pthread_mutex_unlock(&ring->lock);
	return message;
}

#endif
