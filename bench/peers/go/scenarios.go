// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: The Duct authors
//
// The scenarios.  Senders send until the time is over; then every receiver gets one more message, which is 0 and ends it.
// Any other message carries a number, and the sums of the numbers sent and received have to agree.
//
// Each goroutine counts for itself, in variables of its own, and leaves its account when it is done: counting costs nothing
// that two cores would have to share.
package main

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// What one sender or receiver did.
type account struct {
	messages, sum uint64
	longest       time.Duration // of a single operation, when operations are timed
}

type run struct {
	duration           time.Duration
	timed              bool
	alike              bool        // who sent or received how many says nothing
	copies             uint64      // received of each message
	stop               atomic.Bool // tells the senders
	wall, processor    time.Duration
	senders, receivers []account
}

func total(accounts []account) account {
	var all account

	for _, one := range accounts {
		all.messages += one.messages
		all.sum += one.sum
		if one.longest > all.longest {
			all.longest = one.longest
		}
	}
	return all
}

func (r *run) counts(accounts []account) []uint64 {
	messages := []uint64{}

	for _, one := range accounts {
		if !r.alike {
			messages = append(messages, one.messages)
		}
	}
	return messages
}

// ---- Messages ----------------------------------------------------------------------------------------------------------

func bytes[T any](message *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(message)), unsafe.Sizeof(*message))
}

// Puts the number n > 0 into a message; returns what fits of it, which is not 0 either.
func write[T any](message *T, n uint64) uint64 {
	if unsafe.Sizeof(*message) < 8 {
		n = n&0xff | 1
		bytes(message)[0] = byte(n)
		return n
	}
	binary.LittleEndian.PutUint64(bytes(message), n)
	return n
}

// The number in a message.  The last byte, which is 0, is read too: as a receiver who uses the message would.
func read[T any](message *T) uint64 {
	size := unsafe.Sizeof(*message)
	if size < 8 {
		return uint64(bytes(message)[0])
	}
	if size == 8 {
		return binary.LittleEndian.Uint64(bytes(message))
	}
	return binary.LittleEndian.Uint64(bytes(message)) + uint64(bytes(message)[size-1])
}

// ---- Senders and receivers ---------------------------------------------------------------------------------------------

func sendUntilStopped[T any](r *run, channel chan<- T) account {
	var mine account
	var message T

	for !r.stop.Load() {
		mine.messages++
		mine.sum += write(&message, mine.messages)
		if !r.timed {
			channel <- message
			continue
		}
		begin := time.Now()
		channel <- message
		mine.note(begin)
	}
	return mine
}

func receiveToEnd[T any](r *run, channel <-chan T) account {
	var mine account

	for {
		var message T

		if !r.timed {
			message = <-channel
		} else {
			begin := time.Now()
			message = <-channel
			mine.note(begin)
		}
		number := read(&message)
		if number == 0 {
			return mine
		}
		mine.messages++
		mine.sum += number
	}
}

func (mine *account) note(begin time.Time) {
	if took := time.Since(begin); took > mine.longest {
		mine.longest = took
	}
}

// Runs senders and receivers side by side.  The clocks run from when all of them are there to when the last receiver ends;
// finish sends the end messages, once all senders are done.
func (r *run) race(senders, receivers []func() account, finish func()) {
	var ready, sending, receiving sync.WaitGroup

	begin := make(chan struct{})
	r.senders, r.receivers = make([]account, len(senders)), make([]account, len(receivers))
	start := func(work []func() account, accounts []account, done *sync.WaitGroup) {
		ready.Add(len(work))
		done.Add(len(work))
		for i := range work {
			go func(i int) {
				ready.Done()
				<-begin
				accounts[i] = work[i]()
				done.Done()
			}(i)
		}
	}
	start(senders, r.senders, &sending)
	start(receivers, r.receivers, &receiving)
	ready.Wait()
	r.clock(func() {
		close(begin)
		time.Sleep(r.duration)
		r.stop.Store(true)
		sending.Wait()
		finish()
		receiving.Wait()
	})
}

func (r *run) clock(work func()) {
	processor, wall := processorTime(), time.Now()

	work()
	r.wall, r.processor = time.Since(wall), processorTime()-processor
}

func repeat(n int, work func() account) []func() account {
	many := make([]func() account, n)

	for i := range many {
		many[i] = work
	}
	return many
}

// ---- Scenarios ---------------------------------------------------------------------------------------------------------

func manyToMany[T any](r *run, senders, receivers, capacity int) {
	channel := make(chan T, capacity)

	r.race(repeat(senders, func() account { return sendUntilStopped(r, channel) }),
		repeat(receivers, func() account { return receiveToEnd(r, channel) }),
		func() {
			var end T

			for i := 0; i < receivers; i++ {
				channel <- end
			}
		})
}

// A message goes there and back; what is counted is round trips.
func pingPong(r *run) {
	ping, pong := make(chan uint64, 1), make(chan uint64, 1)

	serve := func() account {
		var mine account

		for !r.stop.Load() {
			mine.messages++
			begin := r.now()
			ping <- mine.messages
			mine.sum += <-pong
			r.noteIfTimed(&mine, begin)
		}
		return mine
	}
	r.alike = true
	reply := func() account {
		var mine account

		for ball := <-ping; ball != 0; ball = <-ping {
			mine.messages++
			mine.sum += ball
			pong <- ball
		}
		return mine
	}
	r.race(repeat(1, serve), repeat(1, reply), func() { ping <- 0 })
}

func (r *run) now() time.Time {
	if r.timed {
		return time.Now()
	}
	return time.Time{}
}

func (r *run) noteIfTimed(mine *account, begin time.Time) {
	if r.timed {
		mine.note(begin)
	}
}

// Sends and receives on one goroutine.
func alone(r *run) {
	channel := make(chan uint64, 1024)

	r.alike = true
	r.race(repeat(1, func() account {
		var sent, received account

		for !r.stop.Load() {
			sent.messages++
			begin := r.now()
			channel <- sent.messages
			r.noteIfTimed(&sent, begin)
			begin = r.now()
			received.sum += <-channel
			r.noteIfTimed(&received, begin)
			sent.sum += sent.messages
		}
		received.messages = sent.messages
		r.receivers = []account{received} // race started none
		return sent
	}), nil, func() {})
}

// Four channels with a sender each, and one receiver for all.
func selectOfFour(r *run) {
	var channels [4]chan uint64
	var senders []func() account

	for i := range channels {
		channel := make(chan uint64, 1024)
		channels[i] = channel
		senders = append(senders, func() account { return sendUntilStopped(r, channel) })
	}
	r.race(senders, repeat(1, func() account { return receiveFromFour(r, channels) }), func() {
		for _, channel := range channels {
			channel <- 0
		}
	})
}

// Until each of the channels has ended.
func receiveFromFour(r *run, channels [4]chan uint64) account {
	var mine account

	for ended := 0; ended < len(channels); {
		var message uint64

		begin := r.now()
		select {
		case message = <-channels[0]:
		case message = <-channels[1]:
		case message = <-channels[2]:
		case message = <-channels[3]:
		}
		r.noteIfTimed(&mine, begin)
		if message == 0 {
			ended++
			continue
		}
		mine.messages++
		mine.sum += message
	}
	return mine
}

// A thousand goroutines wait for one common channel and one of their own each; the sender goes round their own.
// What costs is that a message for one of them takes it out of the common channel's queue of a thousand.
func popular(r *run) {
	const waiters = 1000
	var own [waiters]chan uint64
	var receivers []func() account

	r.alike = true
	common := make(chan uint64)
	for i := range own {
		channel := make(chan uint64)
		own[i] = channel
		receivers = append(receivers, func() account { return receiveFromTwo(r, common, channel) })
	}
	r.race(repeat(1, func() account { return sendRound(r, own[:]) }), receivers, func() {
		for _, channel := range own {
			channel <- 0
		}
	})
}

func sendRound(r *run, channels []chan uint64) account {
	var mine account

	for next := 0; !r.stop.Load(); next = (next + 1) % len(channels) {
		mine.messages++
		mine.sum += mine.messages
		begin := r.now()
		channels[next] <- mine.messages
		r.noteIfTimed(&mine, begin)
	}
	return mine
}

func receiveFromTwo(r *run, common, own <-chan uint64) account {
	var mine account

	for {
		var message uint64

		begin := r.now()
		select {
		case message = <-common:
		case message = <-own:
		}
		r.noteIfTimed(&mine, begin)
		if message == 0 {
			return mine
		}
		mine.messages++
		mine.sum += message
	}
}

// ---- Everybody gets everything -----------------------------------------------------------------------------------------

// Memory that is shared by all who receive a message.  The last of them gives it back to a pool: new memory would be cleared,
// which takes longer than all the rest.
type box struct {
	references atomic.Int32
	bytes      [65536]byte
}

var boxes = sync.Pool{New: func() any { return new(box) }}

func packBox(number uint64, receivers int) *box {
	made := boxes.Get().(*box)

	made.references.Store(int32(receivers))
	binary.LittleEndian.PutUint64(made.bytes[:], number)
	return made
}

func openBox(received *box) uint64 {
	number := binary.LittleEndian.Uint64(received.bytes[:])

	if received.references.Add(-1) == 0 {
		boxes.Put(received)
	}
	return number
}

// One for each receiver.
func channels[T any](receivers int) []chan T {
	all := make([]chan T, receivers)

	for i := range all {
		all[i] = make(chan T, 1024)
	}
	return all
}

func sendToEach[T any](channels []chan T, message T) {
	for _, channel := range channels {
		channel <- message
	}
}

// The numbers come one after the other.
func (mine *account) addNext(number uint64) {
	mine.messages++
	mine.sum += number
	if number != mine.messages {
		fail("a message came twice, too early or not at all")
	}
}

func toEach[T any](r *run, receivers int) {
	all := channels[T](receivers)

	r.raceToEach(receivers, func() account {
		var mine account
		var message T

		for !r.stop.Load() {
			mine.messages++
			mine.sum += write(&message, mine.messages)
			begin := r.now()
			sendToEach(all, message)
			r.noteIfTimed(&mine, begin)
		}
		return mine
	}, func(number int) account {
		var mine account

		for {
			begin := r.now()
			message := <-all[number]
			r.noteIfTimed(&mine, begin)
			got := read(&message)
			if got == 0 {
				return mine
			}
			mine.addNext(got)
		}
	}, func() {
		var end T

		sendToEach(all, end)
	})
}

func boxToEach(r *run, receivers int) {
	all := channels[*box](receivers)

	r.raceToEach(receivers, func() account {
		var mine account

		for !r.stop.Load() {
			mine.messages++
			mine.sum += mine.messages
			message := packBox(mine.messages, receivers)
			begin := r.now()
			sendToEach(all, message)
			r.noteIfTimed(&mine, begin)
		}
		return mine
	}, func(number int) account {
		var mine account

		for {
			begin := r.now()
			message := <-all[number]
			r.noteIfTimed(&mine, begin)
			if message == nil {
				return mine
			}
			mine.addNext(openBox(message))
		}
	}, func() { sendToEach(all, nil) })
}

// One sender, and so many receivers that each get what it sends.
func (r *run) raceToEach(count int, send func() account, receive func(number int) account, finish func()) {
	var receivers []func() account

	r.copies = uint64(count)
	for i := 0; i < count; i++ {
		number := i
		receivers = append(receivers, func() account { return receive(number) })
	}
	r.race(repeat(1, send), receivers, finish)
}
