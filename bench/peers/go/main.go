// SPDX-License-Identifier: MIT
// SPDX-FileCopyrightText: The Duct authors
//
// Go's channels, as one of the programs that run.py asks:
//
//	go list                            what it can do
//	go run go SCENARIO SECONDS         does it, and says a line of JSON
//	go wait go SCENARIO SECONDS        the same, with every operation timed
//
// The scenarios are in scenarios.go.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// What one run found; its JSON is the line that is said.
type result struct {
	Channel        string   `json:"channel"`
	Scenario       string   `json:"scenario"`
	Messages       uint64   `json:"messages"`
	Seconds        float64  `json:"seconds"`
	Ns             float64  `json:"ns"`
	CPUNs          float64  `json:"cpu_ns"`
	Receivers      []uint64 `json:"receivers"`
	Senders        []uint64 `json:"senders"`
	LongestSend    *float64 `json:"longest_send_us,omitempty"`
	LongestReceive *float64 `json:"longest_receive_us,omitempty"`
}

type scenario struct {
	name string
	run  func(r *run)
}

var scenarios = []scenario{
	{"S1", func(r *run) { manyToMany[uint64](r, 1, 1, 1024) }},
	{"S2", func(r *run) { manyToMany[uint64](r, 4, 1, 1024) }},
	{"S3", func(r *run) { manyToMany[uint64](r, 1, 4, 1024) }},
	{"S4", func(r *run) { manyToMany[uint64](r, 4, 4, 1024) }},
	{"S5", func(r *run) { manyToMany[uint64](r, 1, 1, 1) }},
	{"S6", func(r *run) { manyToMany[uint64](r, 1, 1, 0) }},
	{"S7", pingPong},
	{"S8", alone},
	{"S9", selectOfFour},
	{"S10-to1", func(r *run) { toEach[uint64](r, 1) }},
	{"S10", func(r *run) { toEach[uint64](r, 4) }},
	{"S10-to16", func(r *run) { toEach[uint64](r, 16) }},
	{"S10-to64", func(r *run) { toEach[uint64](r, 64) }},
	{"S10-256", func(r *run) { toEach[[256]byte](r, 4) }},
	{"S10-box", func(r *run) { boxToEach(r, 4) }},
	{"S10-to64-box", func(r *run) { boxToEach(r, 64) }},
	{"S11", func(r *run) { manyToMany[uint64](r, 16, 16, 1024) }},
	{"S1-1", func(r *run) { manyToMany[[1]byte](r, 1, 1, 1024) }},
	{"S1-64", func(r *run) { manyToMany[[64]byte](r, 1, 1, 1024) }},
	{"S1-256", func(r *run) { manyToMany[[256]byte](r, 1, 1, 1024) }},
	{"S4-256", func(r *run) { manyToMany[[256]byte](r, 4, 4, 1024) }},
	{"popular", popular},
}

func fail(text string) {
	fmt.Fprintln(os.Stderr, "go: "+text)
	os.Exit(1)
}

// The time that all threads of the process used.
func processorTime() time.Duration {
	var usage syscall.Rusage

	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err.Error())
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Does one scenario; the program ends if a message was lost or changed.
func measure(what scenario, duration time.Duration, timed bool) result {
	r := &run{duration: duration, timed: timed, copies: 1}
	what.run(r)
	sent, received := total(r.senders), total(r.receivers)
	if sent.sum*r.copies != received.sum || sent.messages*r.copies != received.messages {
		fail(fmt.Sprintf("%s: sent %d (sum %d), received %d (sum %d)", what.name, sent.messages, sent.sum,
			received.messages, received.sum))
	}
	said := result{Channel: "go", Scenario: what.name, Messages: sent.messages, Seconds: r.wall.Seconds(),
		Ns:    float64(r.wall.Nanoseconds()) / float64(sent.messages),
		CPUNs: float64(r.processor.Nanoseconds()) / float64(sent.messages), Receivers: r.counts(r.receivers),
		Senders: r.counts(r.senders)}
	if timed {
		send, receive := float64(sent.longest.Nanoseconds())/1000, float64(received.longest.Nanoseconds())/1000
		said.LongestSend, said.LongestReceive = &send, &receive
	}
	return said
}

func find(name string) scenario {
	for _, what := range scenarios {
		if what.name == name {
			return what
		}
	}
	fail("no scenario " + name)
	panic("not reached")
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "list" {
		for _, what := range scenarios {
			fmt.Println("go", what.name)
		}
		return
	}
	if len(os.Args) != 5 || (os.Args[1] != "run" && os.Args[1] != "wait") || os.Args[2] != "go" {
		fail("usage: go list | go run|wait go SCENARIO SECONDS")
	}
	seconds, err := strconv.ParseFloat(os.Args[4], 64)
	if err != nil || seconds <= 0 {
		fail("not a time: " + os.Args[4])
	}
	said := measure(find(os.Args[3]), time.Duration(seconds*float64(time.Second)), os.Args[1] == "wait")
	line, err := json.Marshal(said)
	if err != nil {
		fail(err.Error())
	}
	fmt.Println(string(line))
}
