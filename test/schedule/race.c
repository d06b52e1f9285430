/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The run-time library of code that was compiled with -fsanitize=thread but linked without libtsan.
 *
 * Every plain access and every atomic of the code under test comes here first.  Each is a point of the explorer, and a
 * detector with vector clocks reports two accesses of the same bytes, one of them a write, that nothing orders: neither a
 * mutex, nor a release that an acquire read, nor the start or end of a thread.  So a missing release is found though the
 * executions themselves are sequentially consistent.  Atomics do not race with each other, but with plain accesses they do.
 *
 * Memory is kept by words of four bytes, since most accesses are of whole ones.  The first access to a part of a word splits
 * it: from then on each of its bytes has clocks of its own, for neighbours that shared one would report races that are none.
 * As long as there is but one thread nothing is kept: all that it did comes before whatever others do.
 *
 * A store that is not a release takes away what earlier releases of the same atomic gave: who reads it acquires nothing.
 * A read-modify-write continues them.  A fence counts as a read-modify-write of one place that all fences share.
 *
 * Copies of a size that the compiler does not know go through memcpy, which is not instrumented: code under test is compiled
 * with -Dmemcpy=race_memcpy and its like.  A copy is made in two halves, with a point between them.
 */
#include "race.h"

#include "explorer.h"
#include "heap.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define CELLS 16384 /* powers of two */
#define OBJECTS 4096

/* A clock ticks at most once a step, and an execution has fewer steps than 2^16. */

struct cell {
	uint64_t key;                                               /* of a word, or of a byte */
	unsigned execution;                                         /* in use only if this one */
	bool split;                                                 /* a word whose bytes have cells of their own */
	uint16_t written[EXPLORER_THREADS], read[EXPLORER_THREADS]; /* each thread's clock at its last access; 0: none */
	uint16_t stored[EXPLORER_THREADS],
	    loaded[EXPLORER_THREADS]; /* the same, of atomics, which do not race among themselves */
};

struct object {
	const void *address;
	unsigned execution;
	unsigned clock[EXPLORER_THREADS];
};

bool race_points = true;

static struct cell cells[CELLS];
static struct object objects[OBJECTS];
static unsigned execution;
static unsigned clocks[EXPLORER_THREADS][EXPLORER_THREADS];

/* ---- What orders threads ---------------------------------------------------------------------------------------------- */

static unsigned place(uintptr_t address)
{
	return (unsigned)(address * UINT64_C(0x9e3779b97f4a7c15) >> 40);
}

static struct object *object_at(const void *address)
{
	unsigned i = place((uintptr_t)address) % OBJECTS;

	while (objects[i].execution == execution && objects[i].address != address)
		i = (i + 1) % OBJECTS;
	if (objects[i].execution != execution) {
		memset(&objects[i], 0, sizeof objects[i]);
		objects[i].execution = execution;
		objects[i].address = address;
	}
	return &objects[i];
}

void race_reset(void)
{
	execution++;
	memset(clocks, 0, sizeof clocks);
	clocks[0][0] = 1;
}

void race_acquire(int thread, const void *address)
{
	const struct object *object = object_at(address);

	for (int i = 0; i < EXPLORER_THREADS; i++)
		if (clocks[thread][i] < object->clock[i])
			clocks[thread][i] = object->clock[i];
}

void race_release(int thread, const void *address)
{
	struct object *object = object_at(address);

	for (int i = 0; i < EXPLORER_THREADS; i++)
		if (object->clock[i] < clocks[thread][i])
			object->clock[i] = clocks[thread][i];
	clocks[thread][thread]++;
}

void race_fork(int parent, int child)
{
	memcpy(clocks[child], clocks[parent], sizeof clocks[child]);
	clocks[child][child]++;
	clocks[parent][parent]++;
}

/* ---- Plain accesses --------------------------------------------------------------------------------------------------- */

static uint64_t word_key(uintptr_t address)
{
	return (uint64_t)address * 2;
}

static uint64_t byte_key(uintptr_t address)
{
	return (uint64_t)address * 2 + 1;
}

/* Neighbours lie side by side, regions far from each other, and the bytes of a word apart from the words. */
static struct cell *cell_at(uint64_t key)
{
	unsigned i = (unsigned)((key >> 3) + (key >> 17) * 2531 + (key & 7) * 2048) % CELLS;

	while (cells[i].execution == execution && cells[i].key != key)
		i = (i + 1) % CELLS;
	if (cells[i].execution != execution) {
		memset(&cells[i], 0, sizeof cells[i]);
		cells[i].execution = execution;
		cells[i].key = key;
	}
	return &cells[i];
}

/* What touches memory: plain or atomic, and whether it writes. */
struct access {
	bool write, atomic;
	const void *pc;
};

static void report(uintptr_t address, const struct access *access, int other, const char *what)
{
	explorer_fail("data race at %p: %s%s by T%d (pc %p), %s by T%d", (void *)address, access->atomic ? "atomic " : "",
	    access->write ? "write" : "read", explorer_self(), access->pc, what, other);
}

static void cell_access(struct cell *cell, uintptr_t address, const struct access *access)
{
	int self = explorer_self(), threads = explorer_threads();
	uint16_t *clock;

	for (int i = 0; i < threads; i++) {
		unsigned seen = clocks[self][i];

		if (i == self)
			continue;
		if (cell->written[i] > seen)
			report(address, access, i, "write");
		if (access->write && cell->read[i] > seen)
			report(address, access, i, "read");
		if (!access->atomic && cell->stored[i] > seen)
			report(address, access, i, "atomic write");
		if (!access->atomic && access->write && cell->loaded[i] > seen)
			report(address, access, i, "atomic read");
	}
	if (access->atomic)
		clock = access->write ? cell->stored : cell->loaded;
	else
		clock = access->write ? cell->written : cell->read;
	clock[self] = (uint16_t)clocks[self][self];
}

static void split(struct cell *word, uintptr_t address)
{
	word->split = true;
	for (unsigned i = 0; i < 4; i++) {
		struct cell *byte = cell_at(byte_key(address + i));

		memcpy(byte->written, word->written, sizeof byte->written);
		memcpy(byte->read, word->read, sizeof byte->read);
		memcpy(byte->stored, word->stored, sizeof byte->stored);
		memcpy(byte->loaded, word->loaded, sizeof byte->loaded);
	}
}

/* Bytes from first up to last of the word. */
static void word_access(uintptr_t address, unsigned first, unsigned last, const struct access *access)
{
	struct cell *word = cell_at(word_key(address));

	if (!word->split && first == 0 && last == 4) {
		cell_access(word, address, access);
		return;
	}
	if (!word->split)
		split(word, address);
	for (unsigned i = first; i < last; i++)
		cell_access(cell_at(byte_key(address + i)), address + i, access);
}

static void access_range(const void *memory, size_t size, const struct access *access)
{
	uintptr_t begin = (uintptr_t)memory, end = begin + size;

	heap_check(memory, size);
	if (explorer_threads() == 1)
		return;
	for (uintptr_t address = begin & ~(uintptr_t)3; address < end; address += 4) {
		unsigned first = address < begin ? (unsigned)(begin - address) : 0;
		unsigned last = end - address < 4 ? (unsigned)(end - address) : 4;

		word_access(address, first, last, access);
	}
}

static void access_at_point(const void *memory, size_t size, bool write, const void *pc)
{
	if (memory == &errno)
		return; /* thread-local, but fibers share it */
	if (race_points)
		explorer_point(write ? "write" : "read", memory);
	access_range(memory, size, &(struct access){ .write = write, .pc = pc });
}

void race_free(const void *memory, size_t size, const void *pc)
{
	access_range(memory, size, &(struct access){ .write = true, .pc = pc });
}

#define CALLER __builtin_return_address(0)

#define PLAIN(size_) \
	void __tsan_read##size_(void *memory) \
	{ \
		access_at_point(memory, size_, false, CALLER); \
	} \
	void __tsan_write##size_(void *memory) \
	{ \
		access_at_point(memory, size_, true, CALLER); \
	} \
	void __tsan_unaligned_read##size_(void *memory) \
	{ \
		access_at_point(memory, size_, false, CALLER); \
	} \
	void __tsan_unaligned_write##size_(void *memory) \
	{ \
		access_at_point(memory, size_, true, CALLER); \
	} \
	void __tsan_volatile_read##size_(void *memory) \
	{ \
		access_at_point(memory, size_, false, CALLER); \
	} \
	void __tsan_volatile_write##size_(void *memory) \
	{ \
		access_at_point(memory, size_, true, CALLER); \
	}

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *memory, size_t size)
{
	access_at_point(memory, size, false, CALLER);
}

void __tsan_write_range(void *memory, size_t size)
{
	access_at_point(memory, size, true, CALLER);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

/* Both halves are read before either is written, so that overlapping ranges come out as memmove has them. */
void *race_memmove(void *to, const void *from, size_t size)
{
	size_t half = size > 8 ? size / 2 : size;
	unsigned char *target = to;
	const unsigned char *source = from;
	unsigned char held[1024];

	if (size == 0)
		return to;
	if (size > sizeof held) {
		access_at_point(from, size, false, CALLER);
		access_at_point(to, size, true, CALLER);
		return memmove(to, from, size);
	}
	access_at_point(source, half, false, CALLER);
	memcpy(held, source, half);
	if (half < size)
		access_at_point(source + half, size - half, false, CALLER);
	memcpy(held + half, source + half, size - half);
	access_at_point(target, half, true, CALLER);
	memcpy(target, held, half);
	if (half < size)
		access_at_point(target + half, size - half, true, CALLER);
	memcpy(target + half, held + half, size - half);
	return to;
}

void *race_memcpy(void *to, const void *from, size_t size)
{
	return race_memmove(to, from, size);
}

void *race_memset(void *to, int byte, size_t size)
{
	access_at_point(to, size, true, CALLER);
	return memset(to, byte, size);
}

/* ---- Atomics ---------------------------------------------------------------------------------------------------------- */

static bool acquires(int order)
{
	return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE;
}

static bool releases(int order)
{
	return order != __ATOMIC_RELAXED && order != __ATOMIC_ACQUIRE && order != __ATOMIC_CONSUME;
}

static void atomic_access(const void *address, size_t size, bool write, const void *pc)
{
	access_range(address, size, &(struct access){ .write = write, .atomic = true, .pc = pc });
}

static void atomic_load(const volatile void *address, size_t size, int order, const void *pc)
{
	explorer_point("load", (const void *)address);
	atomic_access((const void *)address, size, false, pc);
	if (acquires(order))
		race_acquire(explorer_self(), (const void *)address);
}

static void atomic_store(const volatile void *address, size_t size, int order, const void *pc)
{
	struct object *object;

	explorer_point("store", (const void *)address);
	atomic_access((const void *)address, size, true, pc);
	object = object_at((const void *)address);
	memset(object->clock, 0, sizeof object->clock);
	if (releases(order))
		race_release(explorer_self(), (const void *)address);
}

static void order_modify(const void *address, int order)
{
	if (acquires(order))
		race_acquire(explorer_self(), address);
	if (releases(order))
		race_release(explorer_self(), address);
}

static void atomic_modify(const volatile void *address, size_t size, int order, const char *what, const void *pc)
{
	explorer_point(what, (const void *)address);
	atomic_access((const void *)address, size, true, pc);
	order_modify((const void *)address, order);
}

#define ATOMIC_MODIFY(bits_, type_, name_, new_) \
	type_ __tsan_atomic##bits_##_##name_(volatile type_ *at, type_ value, int order) \
	{ \
		type_ old; \
		atomic_modify(at, sizeof *at, order, #name_, CALLER); \
		old = *at; \
		*at = (type_)(new_); \
		return old; \
	}

#define ATOMIC(bits_, type_) \
	type_ __tsan_atomic##bits_##_load(const volatile type_ *at, int order) \
	{ \
		atomic_load(at, sizeof *at, order, CALLER); \
		return *at; \
	} \
	void __tsan_atomic##bits_##_store(volatile type_ *at, type_ value, int order) \
	{ \
		atomic_store(at, sizeof *at, order, CALLER); \
		*at = value; \
	} \
	ATOMIC_MODIFY(bits_, type_, exchange, value) \
	ATOMIC_MODIFY(bits_, type_, fetch_add, old + value) \
	ATOMIC_MODIFY(bits_, type_, fetch_sub, old - value) \
	ATOMIC_MODIFY(bits_, type_, fetch_or, old | value) \
	ATOMIC_MODIFY(bits_, type_, fetch_and, old &value) \
	ATOMIC_MODIFY(bits_, type_, fetch_xor, old ^ value) \
	int __tsan_atomic##bits_##_compare_exchange_strong( \
	    volatile type_ *at, type_ *expected, type_ value, int order, int failure_order) \
	{ \
		explorer_point("compare_exchange", (const void *)at); \
		atomic_access((const void *)at, sizeof *at, *at == *expected, CALLER); \
		if (*at == *expected) { \
			order_modify((const void *)at, order); \
			*at = value; \
			return 1; \
		} \
		if (acquires(failure_order)) \
			race_acquire(explorer_self(), (const void *)at); \
		*expected = *at; \
		return 0; \
	} \
	int __tsan_atomic##bits_##_compare_exchange_weak( \
	    volatile type_ *at, type_ *expected, type_ value, int order, int failure_order) \
	{ \
		return __tsan_atomic##bits_##_compare_exchange_strong(at, expected, value, order, failure_order); \
	} \
	/* Clang's form: returns what was there. */ \
	type_ __tsan_atomic##bits_##_compare_exchange_val( \
	    volatile type_ *at, type_ expected, type_ value, int order, int failure_order) \
	{ \
		__tsan_atomic##bits_##_compare_exchange_strong(at, &expected, value, order, failure_order); \
		return expected; \
	}

ATOMIC(8, unsigned char)
ATOMIC(16, unsigned short)
ATOMIC(32, unsigned)
ATOMIC(64, unsigned long long)

void __tsan_atomic_thread_fence(int order)
{
	static int everybody;

	explorer_point("fence", NULL);
	order_modify(&everybody, order);
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}
