/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * The waiting protocol: how threads wait on queues, are served, give up and are stopped, as a model for spin.
 *
 * The names are those of lib/, and what has a name there does the same here:
 *
 *     waiter.h, waiter.c   struct waiter, node_claim, wakes_add, wakes_notify, withdraw, await_token, waiter_sleep
 *     queue.h, queue.c     struct side (locked, position, ended, waiting), side_claim_first, side_stop_waits, put_locked,
 *                          take_locked with the refill, queue_attempt, queue_probe_locked, queue_unwait
 *     wait.c               poll_locked, stand_in_line_locked, sleep_in_line, leave_lines, wait_turn
 *     channel.c, cancel.c  close_locked in duct_channel_close, duct_cancel_raise
 *     transfer.c           try_once
 *
 * One process `wait` is one thread in a call: a select of two cases, or a send or receive, which is a select of one.  The
 * others are a close, a raised cancel token, and time, which may pass a deadline at any moment, or never.
 *
 * What is shown, of every interleaving of a configuration:
 *
 *     once         a message is received once by one call, or its sender was told that it was not sent; at the end what
 *                  was sent was received or is in the ring
 *     no effect    who timed out, or was told of an end, sent nothing and has nothing in a buffer
 *     no loss      who was claimed has its message when it leaves
 *     life         nobody touches a waiter, or its mutex and condition variable, before they exist or after they are gone
 *     in line      nobody goes on by trying while somebody who sleeps in line could have: first come, first served
 *     no lost wake when nothing can run any more, no sleeper could go on; and once all is closed, everybody leaves (spin's
 *                  "invalid end state" is a thread that does not, and a deadlock of the locks)
 *     exact        a try that fails was right at some moment of its call
 *
 * What is left out, and why that is sound:
 *
 *     Spinning, and looks without a lock: a look only decides whether to try.  Here a wait tries any case any number of times
 *     and begins to sleep whenever it likes, so it does all that looks and spins could make it do.  (Only try_once answers by
 *     a look; that one is here, word by word.)  The fast paths do what put_locked and take_locked do when nobody waits.
 *     Rings of more than one slot: what waits and serves looks at one slot, the next; two sides meet in that one only.
 *     Closing one end, "no receivers": marks and stops as a close does, of some nodes or of one side.
 *     Batches, discards and counts are puts and takes under the same lock.  Memory order: all is sequentially consistent here.
 *     Lifetime of ends and queues, failing allocations: not here; queues and ends live for ever.
 *
 * GLUED steps.  What is done under a lock is one step here, except where others can see it half done.  That is sound: to get
 * a lock can as well happen later, to release it earlier, and what a lock guards nobody else sees in between.  Of the rest,
 * a claim that fails and a slot seen free by the holder of the put lock (or full, of the take lock) stay so until the unlock,
 * and so can happen later; what remains is one claim or one store to a word, with which everything else happens.  -DFINE
 * takes the glue away: each step to shared memory by itself, to check this argument on the smaller configurations, and
 * where a look without a lock can see such a step half done: a refill, which moves the other side's cursor, and a close.
 *
 * check-model.sh runs all configurations (at the end) and all mutants (below).
 */

/* ---- Mutants: mistakes in the protocol, each of which spin has to find in the configuration that is named -------- */

#define NONE 0
#define CLAIM_WITHOUT_CAS 1	/* -DPAIR -DCAPACITY=0 -DFINE: a server claims a waiter that was free a moment ago */
#define WITHDRAW_WITHOUT_CAS 2	/* -DPAIR -DCAPACITY=0 -DFINE: a deadline takes the waiter back while somebody serves it */
#define SERVES_THE_DEAD 3	/* -DSELECTS -DCAPACITY=1: a server does not look whether the first in line still waits */
#define STOPS_AT_THE_DEAD 4	/* -DSELECTS -DCAPACITY=1: a server does not look behind a node that is claimed already */
#define LEAVES_THOUGH_CLAIMED 5	/* -DONE -DCAPACITY=0: a deadline that lost the race leaves all the same */
#define PARKS_WITHOUT_CAS 6	/* -DPAIR -DCAPACITY=0 -DFINE: parking overwrites a notification that came just before */
#define NO_SIGNAL 7		/* -DONE -DCAPACITY=0: the token is there, but the sleeper is not woken */
#define SIGNAL_AFTER_UNLOCK 8	/* -DONE -DCAPACITY=0: the condition variable is signalled when the waiter may be gone */
#define LEAVES_ON_WAKE_WORD 9	/* -DONE -DCAPACITY=0: a parked waiter does not wait for the token */
#define WAITS_ONCE 10		/* -DONE -DCAPACITY=0 -DSPURIOUS: a spurious wake-up is taken for a notification */
#define NEXT_AFTER_WAKE 11	/* -DTOKEN -DCAPACITY=0: the link of the list of wakes is read after its waiter was woken */
#define COPIES_AFTER_WAKE 12	/* -DONE -DCAPACITY=0: the message comes when its receiver may have left */
#define GAP_BEFORE_LINE 13	/* -DONE -DCAPACITY=1: unlocks between the last try and standing in line */
#define LOCKS_ONE_SIDE 14	/* -DPAIR -DCAPACITY=1 -DFINE: begins to wait with the lock of its own side only */
#define LOCKS_IN_CASE_ORDER 15	/* -DSELECTS -DCAPACITY=1 -DFINE: locks queues in the order of the cases, not of the ids */
#define STANDS_BEFORE_TRYING 16 /* -DSELF -DCAPACITY=0: a select stands in line already when it tries, and meets itself */
#define STAYS_IN_LINE 17	/* -DONE -DCAPACITY=0: who leaves forgets the node of its last case */
#define NO_REFILL 18		/* -DTRY -DCAPACITY=1: a take does not let the first waiting sender move up */
#define REFILL_SHOWS_FREE 19	/* -DTRY -DCAPACITY=1 -DFINE: a refill frees the slot first, and then fills it */
#define PUT_PASSES_LINE 20	/* -DONE -DCAPACITY=1: a put goes into the ring past waiting receivers */
#define STOPS_BEFORE_MARKS 21	/* -DLOOK -DCAPACITY=0 -DFINE: a close stops the waits first and then marks the ends */
#define MARKS_ONLY 22		/* -DONE -DCAPACITY=0: a close does not stop the waits */
#define SERVES_OBSERVERS 23	/* -DOBSERVER -DCAPACITY=0: a message is given to who only wanted to know */
#define PASSES_OBSERVERS 24	/* -DOBSERVER -DCAPACITY=1: observers in line are not pinged */
#define TRIES_BEFORE_TOKEN 25	/* -DTOKEN -DCAPACITY=0: who begins to wait does not look at the token any more */

#ifndef MUTANT
#define MUTANT NONE
#endif

#ifdef FINE
#define GLUED
#else
#define GLUED atomic
#endif

/* ---- Queues ------------------------------------------------------------------------------------------------------ */

#define A 0
#define B 1
#define CANCEL 2 /* of the token: no messages */
#define QUEUES 3

/* A queue has two sides.  Who waits to receive stands on the put side's list, under its lock; who sends, crosswise. */
#define PUT(queue) (2 * (queue))
#define TAKE(queue) (2 * (queue) + 1)
#define SIDES (2 * QUEUES)

/* An operation, named by the side that serves it: where it waits.  It is done at the other side of the queue. */
#define RECV(queue) PUT(queue)
#define SEND(queue) TAKE(queue)
#define IS_SEND(op) ((op) % 2 == 1)
#define QUEUE_OF(op) ((op) / 2)
#define SERVING_SIDE(op) (op)
#define OWN_SIDE(op) ((op) ^ 1)

#define WAITERS 4
#define OPS 3 /* of a wait, at most */
#define NODE(p, i) (OPS * (p) + (i))
#define WAITER_OF(node) ((node) / OPS)
#define INDEX_OF(node) ((node) % OPS)
#define NODES (OPS * WAITERS)
#define NIL 255

mtype = { OK, PENDING, CLOSED, TIMEDOUT, CANCELED, PINGED }; /* PENDING: full or empty */

bool locked[SIDES];				   /* lock */
byte position[SIDES];				   /* at.position: of the cursor, in steps of two */
bool ended[SIDES];				   /* at.ended */
chan waiting[SIDES] = [WAITERS] of { byte /* node */ }; /* waiting: first come first */

/* The ring: one slot, its word and its message; without capacity a word that is neither free nor full. */
byte word[QUEUES];
byte slot[QUEUES];

#define LAP 2
#define HAS_ROOM(queue) (word[queue] == position[PUT(queue)])
#define HAS_MESSAGE(queue) (word[queue] == position[TAKE(queue)] + 1)

inline mutex_lock(mutex)
{
	atomic { !mutex -> mutex = true }
}

inline mutex_unlock(mutex)
{
	mutex = false
}

/* ---- Waiters ----------------------------------------------------------------------------------------------------- */

mtype = { RUNNING, PARKED, NOTIFIED };
mtype = { NOBODY, SLEEPS, SIGNALLED }; /* at a condition variable */
#define FREE 255
#define WITHDRAWN 254

typedef waiter {
	byte claim; /* FREE, WITHDRAWN, or the index of the operation that was done */
	mtype wake;
	mtype status;
	bool token;
	bool lock;
	mtype woken;
	bool observer; /* of its nodes */
	bool lives;    /* checked: from stand_in_line_locked to the end of wait_turn */
	bool made;     /* checked: lock and woken exist */
};
waiter waiters[WAITERS];
byte message[NODES]; /* the caller's buffer of the operation */
byte next[NODES];    /* in a list of claimed nodes to wake */

#define THE_WAITER waiters[WAITER_OF(node)]

bool deadline_passed;
bool spurious; /* one wake-up for no reason is still to come */

/* What became of a message, each of which has a number; checked. */
#define NUMBER (p + 1 + WAITERS * (rounds - 1)) /* of the message of this call, if it is a send */
#define MESSAGES (2 * WAITERS + 1)
bool sent[MESSAGES], returned[MESSAGES], received[MESSAGES];

#if MUTANT == COPIES_AFTER_WAKE
#define LATE_COPY if :: late != NIL -> message[late] = NUMBER; late = NIL :: else fi
#else
#define LATE_COPY
#endif

hidden byte n; /* for loops of checks, which are one step */

/* Nobody who stands in line could have done what was just done by trying. */
inline none_overtaken(op_)
{
	d_step {
		n = 0;
		do
		:: n < NODES ->
			if
			:: waiting[SERVING_SIDE(op_)] ?? [eval(n)] ->
				assert(waiters[WAITER_OF(n)].claim != FREE || waiters[WAITER_OF(n)].observer)
			:: else
			fi;
			n++
		:: else -> break
		od;
		n = 0
	}
}

/* ---- waiter.h: claim and wake (locals: node, wakes, won, was) ---------------------------------------------------- */

inline node_claim()
{
	assert(THE_WAITER.lives);
#if MUTANT == CLAIM_WITHOUT_CAS
	won = (THE_WAITER.claim == FREE);
	if
	:: won -> THE_WAITER.claim = INDEX_OF(node)
	:: else
	fi
#else
	atomic {
		won = (THE_WAITER.claim == FREE || MUTANT == SERVES_THE_DEAD);
		if
		:: won -> THE_WAITER.claim = INDEX_OF(node)
		:: else
		fi
	}
#endif
}

inline wakes_add(with)
{
	atomic {
		assert(THE_WAITER.lives);
		THE_WAITER.status = with;
		next[node] = wakes;
		wakes = node;
		node = NIL
	}
}

inline wakes_notify()
{
	do
	:: wakes == NIL -> break
	:: else ->
		atomic {
			node = wakes;
			assert(THE_WAITER.lives);
#if MUTANT != NEXT_AFTER_WAKE
			wakes = next[node];
			next[node] = 0;
#endif
			was = THE_WAITER.wake;
			THE_WAITER.wake = NOTIFIED
		}
#if MUTANT == NEXT_AFTER_WAKE
		atomic {
			assert(THE_WAITER.lives);
			wakes = next[node];
			next[node] = 0
		}
#endif
		if
		:: was == PARKED -> hand_over_token()
		:: else
		fi;
		atomic { node = NIL; was = 0 }
	od
}

/* Whoever waits for a lock, too, may only touch what exists: so the checks come after it was got, and before. */
inline hand_over_token()
{
	assert(THE_WAITER.made);
	GLUED {
		mutex_lock(THE_WAITER.lock);
		assert(THE_WAITER.made);
		THE_WAITER.token = true;
#if MUTANT == SIGNAL_AFTER_UNLOCK
		mutex_unlock(THE_WAITER.lock)
	}
	GLUED {
#endif
		assert(THE_WAITER.made);
		if
		:: THE_WAITER.woken == SLEEPS && MUTANT != NO_SIGNAL -> THE_WAITER.woken = SIGNALLED
		:: else
		fi;
#if MUTANT != SIGNAL_AFTER_UNLOCK
		mutex_unlock(THE_WAITER.lock)
#endif
	}
}

/* ---- queue.c: lists of waiting threads --------------------------------------------------------------------------- */

/* The first waiting thread that is not claimed yet becomes ours (node, or NIL); observers on the way are pinged. */
inline side_claim_first(side)
{
	do
	:: GLUED { empty(waiting[side]) -> node = NIL; break }
	:: GLUED {
		waiting[side] ? <node>;
		node_claim();
		waiting[side] ? _;
		if
		:: !won && MUTANT == STOPS_AT_THE_DEAD -> node = NIL; break
		:: !won && MUTANT != STOPS_AT_THE_DEAD
		:: won && (!THE_WAITER.observer || MUTANT == SERVES_OBSERVERS) -> break
		:: won && THE_WAITER.observer && MUTANT == PASSES_OBSERVERS -> node = NIL
		:: won && THE_WAITER.observer && MUTANT != PASSES_OBSERVERS && MUTANT != SERVES_OBSERVERS -> wakes_add(OK)
		fi
	}
	od;
	won = false
}

inline side_stop_waits(side, with)
{
	do
	:: GLUED { empty(waiting[side]) -> node = NIL; break }
	:: GLUED {
		waiting[side] ? node;
		node_claim();
		if
		:: won -> wakes_add(with)
		:: else -> node = NIL
		fi
	}
	od;
	won = false
}

/* ---- queue.c: put and take, under the lock of the side (locals: p, op, i, status) -------------------------------- */

/* A wait has one or two cases, and behind them that of its token. */
#define OP(i_) ((i_) == cases -> RECV(CANCEL) : ((i_) == 0 -> op0 : op1))

inline put_locked(queue, mine)
{
	if
	:: ended[PUT(queue)] -> status = CLOSED
	:: else ->
#if MUTANT == PUT_PASSES_LINE
		node = NIL;
#else
		side_claim_first(PUT(queue));
#endif
		if
		:: node != NIL ->
#if MUTANT == COPIES_AFTER_WAKE
			late = node;
#else
			message[node] = message[mine];
#endif
			none_overtaken(SEND(queue));
			wakes_add(OK);
			status = OK
		:: node == NIL && HAS_ROOM(queue) ->
			slot[queue] = message[mine];
			atomic { word[queue] = position[PUT(queue)] + 1; none_overtaken(SEND(queue)); none_overtaken(RECV(queue)) };
			position[PUT(queue)] = position[PUT(queue)] + 2;
			status = OK
		:: node == NIL && !HAS_ROOM(queue) -> status = PENDING
		fi
	fi
}

/* The ring holds one message, so a refill takes it out and puts the first waiting sender's into the same slot. */
inline take_locked(queue, mine)
{
	if
	:: HAS_MESSAGE(queue) || CAPACITY == 0 ->
#if MUTANT != NO_REFILL
		side_claim_first(TAKE(queue));
#endif
		if
		:: HAS_MESSAGE(queue) && node == NIL ->
			atomic { message[mine] = slot[queue]; slot[queue] = 0 };
			atomic { word[queue] = position[TAKE(queue)] + LAP; none_overtaken(RECV(queue)) };
			position[TAKE(queue)] = position[TAKE(queue)] + 2;
			status = OK
		:: HAS_MESSAGE(queue) && node != NIL -> ring_refill(queue, mine); status = OK
		:: !HAS_MESSAGE(queue) && node != NIL ->
			message[mine] = message[node];
			none_overtaken(RECV(queue));
			wakes_add(OK);
			status = OK
		:: !HAS_MESSAGE(queue) && node == NIL -> take_of_nothing(queue)
		fi
	:: else -> take_of_nothing(queue)
	fi
}

inline ring_refill(queue, mine)
{
	message[mine] = slot[queue];
#if MUTANT == REFILL_SHOWS_FREE
	word[queue] = position[TAKE(queue)] + LAP;
#endif
	slot[queue] = message[node];
	atomic { word[queue] = position[TAKE(queue)] + LAP + 1; none_overtaken(RECV(queue)) };
	position[TAKE(queue)] = position[TAKE(queue)] + 2;
	position[PUT(queue)] = position[PUT(queue)] + 2;
	wakes_add(OK)
}

inline take_of_nothing(queue)
{
	status = (ended[TAKE(queue)] -> CLOSED : PENDING)
}

inline queue_do_locked()
{
	if
	:: IS_SEND(op) -> put_locked(QUEUE_OF(op), NODE(p, i))
	:: else -> take_locked(QUEUE_OF(op), NODE(p, i))
	fi
}

/* What a receive would come to; at capacity 0 it needs a partner in line. */
inline queue_probe_locked(op_)
{
	d_step {
		take_of_nothing(QUEUE_OF(op_));
		if
		:: HAS_MESSAGE(QUEUE_OF(op_)) -> status = OK
		:: else
		fi;
		n = 0;
		do
		:: n < NODES && CAPACITY == 0 ->
			if
			:: waiting[OWN_SIDE(op_)] ?? [eval(n)] && waiters[WAITER_OF(n)].claim == FREE &&
			   !waiters[WAITER_OF(n)].observer -> status = OK
			:: else
			fi;
			n++
		:: else -> break
		od;
		n = 0
	}
}

/* ---- waiter.c: sleeping ------------------------------------------------------------------------------------------ */

#define MY_WAITER waiters[p]

/* status: TIMEDOUT if nobody was faster. */
inline withdraw()
{
#if MUTANT == WITHDRAW_WITHOUT_CAS
	if
	:: MY_WAITER.claim == FREE -> MY_WAITER.claim = WITHDRAWN; status = TIMEDOUT
	:: else
	fi
#else
	atomic {
		if
		:: MY_WAITER.claim == FREE -> MY_WAITER.claim = WITHDRAWN; status = TIMEDOUT
		:: else -> status = (MUTANT == LEAVES_THOUGH_CLAIMED -> TIMEDOUT : OK)
		fi
	}
#endif
}

#if MUTANT == LEAVES_ON_WAKE_WORD
#define SEES_TOKEN (MY_WAITER.wake == NOTIFIED)
#else
#define SEES_TOKEN MY_WAITER.token
#endif

/* With the waiter's lock, parked.  To be woken and to have the lock again is one step. */
inline await_token()
{
	patient = (kind != TIMED);
	do
	:: SEES_TOKEN || status == TIMEDOUT -> break
	:: !SEES_TOKEN && status != TIMEDOUT ->
		atomic { MY_WAITER.woken = SLEEPS; mutex_unlock(MY_WAITER.lock) };
		if
		:: atomic { MY_WAITER.woken == SIGNALLED && !MY_WAITER.lock -> wake_up() }
		:: atomic { spurious && !MY_WAITER.lock -> spurious = false; wake_up() };
			if
			:: MUTANT == WAITS_ONCE -> break
			:: MUTANT != WAITS_ONCE
			fi
		:: atomic { deadline_passed && !patient && !MY_WAITER.lock -> wake_up() };
			if
			:: !SEES_TOKEN -> withdraw(); patient = true
			:: SEES_TOKEN
			fi
		fi
	od;
	patient = false
}

inline wake_up()
{
	MY_WAITER.woken = NOBODY;
	MY_WAITER.lock = true
}

inline waiter_sleep()
{
	MY_WAITER.made = true;
	mutex_lock(MY_WAITER.lock);
	atomic {
		parked = (MY_WAITER.wake == RUNNING);
		if
		:: parked && MUTANT != PARKS_WITHOUT_CAS -> MY_WAITER.wake = PARKED
		:: else
		fi
	}
	if
	:: parked ->
#if MUTANT == PARKS_WITHOUT_CAS
		MY_WAITER.wake = PARKED;
#endif
		await_token();
		parked = false
	:: else
	fi;
	mutex_unlock(MY_WAITER.lock);
	atomic { assert(!MY_WAITER.lock); MY_WAITER.made = false }
}

/* ---- wait.c (locals: q, passed, claimed) ------------------------------------------------------------------------- */

#if MUTANT == LOCKS_ONE_SIDE
#define LOCK_BOTH(queue) mutex_lock(locked[OWN_SIDE(op0) % 2 + 2 * (queue)])
#define UNLOCK_BOTH(queue) mutex_unlock(locked[OWN_SIDE(op0) % 2 + 2 * (queue)])
#else
#define LOCK_BOTH(queue) mutex_lock(locked[PUT(queue)]); mutex_lock(locked[TAKE(queue)])
#define UNLOCK_BOTH(queue) mutex_unlock(locked[TAKE(queue)]); mutex_unlock(locked[PUT(queue)])
#endif

#define USES(queue) \
	(QUEUE_OF(op0) == queue || (cases > 1 && QUEUE_OF(op1) == queue) || (queue == CANCEL && kind == CANCELABLE))

#if MUTANT == LOCKS_IN_CASE_ORDER
#define IN_ORDER(q) ((QUEUE_OF(op0) + q) % QUEUES)
#else
#define IN_ORDER(q) q
#endif

/* Each queue once, in the order of the ids. */
inline lock_all()
{
	q = 0;
	do
	:: q < QUEUES ->
		if
		:: USES(IN_ORDER(q)) -> LOCK_BOTH(IN_ORDER(q))
		:: else
		fi;
		q++
	:: else -> q = 0; break
	od
}

inline unlock_all()
{
	d_step {
		q = 0;
		do
		:: q < QUEUES ->
			if
			:: USES(q) -> UNLOCK_BOTH(q)
			:: else
			fi;
			q++
		:: else -> break
		od;
		q = 0
	}
}

inline any_case()
{
	if
	:: i = 0
	:: cases > 1 -> i = 1
	fi
}

/* One case, under the one lock of its side. */
inline queue_attempt()
{
	GLUED {
		any_case();
		begin_call();
		op = OP(i);
		mutex_lock(locked[OWN_SIDE(op)]);
		queue_do_locked();
		mutex_unlock(locked[OWN_SIDE(op)]);
		if
		:: status == PENDING -> i = 0; status = 0
		:: else -> end_call()
		fi;
		op = 0
	}
	wakes_notify();
	LATE_COPY
}

/* The token, and then each case, beginning anywhere. */
inline poll_locked()
{
	any_case();
	q = 0;
	status = PENDING;
	if
	:: kind == CANCELABLE && ended[TAKE(CANCEL)] && MUTANT != TRIES_BEFORE_TOKEN -> status = CANCELED
	:: else
	fi;
	do
	:: q < cases && status == PENDING ->
		op = OP(i);
		if
		:: kind == OBSERVES -> queue_probe_locked(op)
		:: else -> queue_do_locked()
		fi;
		q++;
		i = (status == PENDING && cases > 1 -> 1 - i : i)
	:: else -> q = 0; break
	od
}

inline stand_in_line_locked()
{
	GLUED {
		MY_WAITER.claim = FREE;
		MY_WAITER.wake = RUNNING;
		MY_WAITER.woken = NOBODY;
		MY_WAITER.observer = (kind == OBSERVES);
		MY_WAITER.lives = true;
		stands = true;
		do
		:: q < count -> op = OP(q); waiting[SERVING_SIDE(op)] ! NODE(p, q); q++
		:: else -> q = 0; break
		od
	}
}

/* Spins on its own wake word for a while, and then sleeps. */
inline sleep_in_line()
{
	GLUED {
		status = OK;
		if
		:: MY_WAITER.wake == NOTIFIED
		:: waiter_sleep()
		fi
	}
}

/* A queue_unwait for each. */
inline leave_lines()
{
	claimed = MY_WAITER.claim;
	q = 0;
	do
	:: q < count - (MUTANT == STAYS_IN_LINE -> 1 : 0) ->
		if
		:: q != claimed ->
			op = OP(q);
			mutex_lock(locked[SERVING_SIDE(op)]);
			if
			:: waiting[SERVING_SIDE(op)] ?? [eval(NODE(p, q))] ->
				waiting[SERVING_SIDE(op)] ?? eval(NODE(p, q))
			:: else
			fi;
			mutex_unlock(locked[SERVING_SIDE(op)])
		:: else
		fi;
		q++
	:: else -> q = 0; break
	od
}

/* What the wait came to; the waiter is gone. */
inline leave()
{
	d_step {
		i = (status == OK -> claimed : i);
		status = (status == OK -> MY_WAITER.status : status);
		status = (i == cases && status != TIMEDOUT -> CANCELED : status);
		status = (kind == OBSERVES && status == OK -> PINGED : status);
		i = (i == cases -> 0 : i);
		claimed = 0;
		MY_WAITER.claim = 0;
		MY_WAITER.wake = 0;
		MY_WAITER.status = 0;
		MY_WAITER.token = false;
		MY_WAITER.woken = 0;
		MY_WAITER.observer = false;
		MY_WAITER.lives = false;
		stands = false
	}
	if
	:: status != PINGED -> end_call()
	:: else -> i = 0
	fi
}

inline wait_turn()
{
	GLUED {
		begin_call();
		passed = (kind == TIMED && deadline_passed);
		lock_all();
#if MUTANT == STANDS_BEFORE_TRYING
		stand_in_line_locked();
#endif
		poll_locked();
#if MUTANT == GAP_BEFORE_LINE
		unlock_all()
	}
	GLUED {
		lock_all();
#endif
		if
		:: status == PENDING && !passed && !stands -> stand_in_line_locked()
		:: else
		fi;
		unlock_all();
		if
		:: !stands -> status = (status == PENDING -> TIMEDOUT : status); end_call()
		:: stands
		fi;
		passed = false;
		op = 0
	}
	wakes_notify();
	LATE_COPY
	if
	:: stands ->
		sleep_in_line();
		GLUED { leave_lines(); leave(); op = 0 }
	:: !stands
	fi
}

/* ---- A call ------------------------------------------------------------------------------------------------------ */

#define MESSAGE message[NODE(p, n)]

/* The caller's buffers. */
inline begin_call()
{
	d_step {
		n = 0;
		do
		:: n < cases -> MESSAGE = (IS_SEND(OP(n)) -> NUMBER : 0); n++
		:: else -> break
		od;
		n = 0
	}
}

/* Checks what came of each case: case i was done if the status is OK. */
inline end_call()
{
	d_step {
		assert(!MY_WAITER.made);
		n = 0;
		do
		:: n < cases ->
			op = OP(n);
			if
			:: IS_SEND(op) && status == OK && i == n -> sent[MESSAGE] = true
			:: IS_SEND(op) && !(status == OK && IS_SEND(OP(i))) -> assert(!received[MESSAGE]); returned[MESSAGE] = true
			:: !IS_SEND(op) && status == OK && i == n && kind != OBSERVES ->
				assert(MESSAGE != 0);
				assert(!received[MESSAGE] && !returned[MESSAGE]);
				received[MESSAGE] = true
			:: else -> assert(IS_SEND(op) || MESSAGE == 0)
			fi;
			MESSAGE = 0;
			n++
		:: else -> break
		od;
		n = 0
	}
}

/* transfer.c: what surely is not ready is told by a look at one word, and then at what has ended. */
inline try_once()
{
	d_step { queue_probe_locked(op0); was_ready = (status != PENDING); status = 0 };
	looks = (CAPACITY == 0 -> len(waiting[OWN_SIDE(op0)]) > 0 : word[QUEUE_OF(op0)] != position[OWN_SIDE(op0)]);
	looks = looks || ended[OWN_SIDE(op0)];
	if
	:: looks -> queue_attempt()
	:: else
	fi;
	assert(status != 0 || !was_ready); /* nobody else takes anything */
	status = (status == 0 -> PENDING : status);
	was_ready = false;
	looks = false
}

mtype = { PLAIN, TIMED, CANCELABLE, OBSERVES, TRIES };

/* duct_send, duct_recv, duct_select and their forms, as often as rounds says. */
proctype wait(byte p; mtype kind; byte cases, op0, op1, rounds)
{
	byte count, op, i, q, claimed;
	byte node = NIL, wakes = NIL;
	bool won, passed, stands, patient, parked, looks, was_ready;
	mtype status, was;
#if MUTANT == COPIES_AFTER_WAKE
	byte late = NIL;
#endif

	count = (kind == CANCELABLE -> cases + 1 : cases);
	do
	:: rounds > 0 ->
		do
		:: kind == TRIES -> try_once(); break
		:: kind != OBSERVES && kind != TRIES ->
			queue_attempt();
			if
			:: status != 0 -> break
			:: else
			fi
		:: kind != TRIES -> break
		od;
		do
		:: status == 0 || status == PINGED -> wait_turn()
		:: else -> break
		od;
		i = 0;
		status = 0;
		rounds--
	:: else -> break
	od
}

/* ---- Others ------------------------------------------------------------------------------------------------------ */

/* duct_channel_close, and duct_cancel_raise, which ends the takes only. */
proctype close(byte queue)
{
	byte node = NIL, wakes = NIL;
	bool won;
	mtype was;

	GLUED {
		mutex_lock(locked[PUT(queue)]);
		mutex_lock(locked[TAKE(queue)]);
#if MUTANT != STOPS_BEFORE_MARKS
		ended[PUT(queue)] = (queue != CANCEL);
		ended[TAKE(queue)] = true;
#endif
#if MUTANT != MARKS_ONLY
		side_stop_waits(TAKE(queue), CLOSED);
		side_stop_waits(PUT(queue), CLOSED);
#endif
#if MUTANT == STOPS_BEFORE_MARKS
		ended[PUT(queue)] = (queue != CANCEL);
		ended[TAKE(queue)] = true;
#endif
		mutex_unlock(locked[TAKE(queue)]);
		mutex_unlock(locked[PUT(queue)])
	}
	wakes_notify()
}

proctype clock()
{
	deadline_passed = true
}

/* ---- Configurations ---------------------------------------------------------------------------------------------- */

/* A process that takes part in some executions, and not in others. */
#define PERHAPS(process) \
	if \
	:: run process \
	:: true \
	fi

/* When nothing can run, no sleeper could go on. */
inline check_rest()
{
	d_step {
		n = 0;
		do
		:: n < QUEUES ->
			assert(len(waiting[RECV(n)]) == 0 || (!HAS_MESSAGE(n) && !ended[TAKE(n)]));
			assert(len(waiting[SEND(n)]) == 0 || (!HAS_ROOM(n) && !ended[PUT(n)]));
			if
			:: len(waiting[RECV(n)]) > 0 && len(waiting[SEND(n)]) > 0 ->
				waiting[RECV(n)] ? <one>;
				waiting[SEND(n)] ? <other>;
				assert(len(waiting[RECV(n)]) == 1 && len(waiting[SEND(n)]) == 1 && WAITER_OF(one) == WAITER_OF(other))
			:: else
			fi;
			n++
		:: else -> break
		od;
		n = 0;
		do
		:: n < WAITERS -> assert(!waiters[n].lives || waiters[n].claim == FREE); n++
		:: else -> break
		od;
		n = 0;
		one = 0;
		other = 0
	}
}

inline check_messages()
{
	d_step {
		n = 1;
		do
		:: n < MESSAGES -> assert(sent[n] == (received[n] || slot[A] == n || slot[B] == n)); n++
		:: else -> break
		od;
		n = 0
	}
}

#define WAITERS_AT(queue) (len(waiting[RECV(queue)]) + len(waiting[SEND(queue)]))

/* Some of a configuration's processes run until they rest; then all that somebody waits for is closed. */
init
{
	byte one, other;

	atomic {
#if CAPACITY == 0
		word[A] = 254;
		word[B] = 254;
#endif
		word[CANCEL] = 254;
#ifdef SPURIOUS
		spurious = true;
#endif
#ifdef SELECTS /* two selects on two channels, a sender on each, a deadline, a close */
		run wait(0, TIMED, 2, RECV(A), RECV(B), 1);
		run wait(1, PLAIN, 2, RECV(B), RECV(A), 1);
		run wait(2, PLAIN, 1, SEND(A), 0, 1);
		run wait(3, PLAIN, 1, SEND(B), 0, 1);
		PERHAPS(clock());
		PERHAPS(close(A))
#endif
#ifdef MIXED /* the same, and one of the selects sends to the other or receives */
		run wait(0, TIMED, 2, RECV(A), RECV(B), 1);
		run wait(1, PLAIN, 2, RECV(B), SEND(A), 1);
		run wait(2, PLAIN, 1, SEND(A), 0, 1);
		run wait(3, PLAIN, 1, SEND(B), 0, 1);
		PERHAPS(clock());
		PERHAPS(close(A))
#endif
#ifdef SELF /* two selects that both send and receive on one channel, and a sender */
		run wait(0, TIMED, 2, RECV(A), SEND(A), 1);
		run wait(1, PLAIN, 2, SEND(A), RECV(A), 1);
		run wait(2, PLAIN, 1, SEND(A), 0, 1);
		PERHAPS(clock());
		PERHAPS(close(A))
#endif
#ifdef TOKEN /* a select with a token that is raised */
		run wait(0, CANCELABLE, 2, RECV(A), SEND(B), 1);
		run wait(1, CANCELABLE, 1, RECV(B), 0, 1);
		run wait(2, PLAIN, 1, SEND(A), 0, 1);
		PERHAPS(close(CANCEL))
#endif
#ifdef OBSERVER /* one that only wants to know, in line with one that receives */
		run wait(0, OBSERVES, 2, RECV(A), RECV(B), 1);
		run wait(1, PLAIN, 1, RECV(A), 0, 1);
		run wait(2, PLAIN, 1, SEND(A), 0, 2);
		PERHAPS(close(A))
#endif
#ifdef TRY /* the only receiver, which tries; senders that a refill lets move up */
		run wait(0, TRIES, 1, RECV(A), 0, 1);
		run wait(1, PLAIN, 1, SEND(A), 0, 2);
		run wait(2, PLAIN, 1, SEND(A), 0, 1);
		PERHAPS(close(A))
#endif
#ifdef LOOK /* the same with one sender */
		run wait(0, TRIES, 1, RECV(A), 0, 2);
		run wait(1, PLAIN, 1, SEND(A), 0, 2);
		PERHAPS(close(A))
#endif
#ifdef PAIR /* a receive with a deadline, a sender, a close */
		run wait(0, TIMED, 1, RECV(A), 0, 1);
		run wait(1, PLAIN, 1, SEND(A), 0, 2);
		PERHAPS(clock());
		PERHAPS(close(A))
#endif
#ifdef ONE /* one select, two senders, a deadline, a close */
		run wait(0, TIMED, 2, RECV(A), RECV(B), 1);
		run wait(1, PLAIN, 1, SEND(A), 0, 1);
		run wait(2, PLAIN, 1, SEND(B), 0, 1);
		PERHAPS(clock());
		PERHAPS(close(A))
#endif
	}
	do
	:: atomic {
		timeout -> check_rest();
		if
		:: WAITERS_AT(A) > 0 -> run close(A)
		:: WAITERS_AT(A) == 0 && WAITERS_AT(B) > 0 -> run close(B)
		:: WAITERS_AT(A) == 0 && WAITERS_AT(B) == 0 -> break
		fi
	}
	od;
	atomic { _nr_pr == 1 -> check_messages() }
}
