#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Real threads, at length: the tests learned from Go and crossbeam with their full counts, histories of a million messages, and
# short ones under ThreadSanitizer; and whether the check of histories sees what it has to.
#
#     check-threads.sh BUILD      run from the top folder
#
# In BUILD there have to be fork/tests, fork/stress/stress_history and tsan/stress/stress_history.  MESSAGES in the environment
# is the length of the long histories, TSAN_RUN what to run a program of ThreadSanitizer with.  Two minutes on two processors.
set -e
build=$1
messages=${MESSAGES:-1000000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# Runs one part and adds up its last line: TITLE COMMAND...
part()
{
	title=$1 began=$(date +%s)
	shift
	"$@" >"$work/out" 2>&1 || echo "ended with status $?" >>"$work/out"
	now=$(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$work/out" | tail -n 1)
	if [ -n "$now" ] && [ "$now" -gt 0 ] && ! grep -q '^ended with' "$work/out"; then
		passed=$((passed + now))
		echo "ok   $title: $now, $(($(date +%s) - began)) s"
	else
		now=0 failed=$((failed + 1))
		echo "FAIL $title"
		cat "$work/out"
	fi
}

full()
{
	TEST_SCALE=full TEST_TIME_SCALE=10 "$build/fork/tests" "$1"
}

part "Go's tests, full counts" full go_
go=$now
part "crossbeam's tests, full counts" full crossbeam_
crossbeam=$now
part "histories of $messages messages" "$build/fork/stress/stress_history" "$messages" all mixed 600
long=$now
grep '^ok .* messages in ' "$work/out" || true
# shellcheck disable=SC2086
part 'short histories under ThreadSanitizer' env TSAN_OPTIONS=halt_on_error=1 $TSAN_RUN \
	"$build/tsan/stress/stress_history" 4000 all all 600
short=$now
part 'bugs planted and seen in their history' test/stress/planted.sh
echo "summary: $((go + crossbeam)) tests with full counts, $long histories of $messages messages, $short short ones under" \
	"ThreadSanitizer, $now planted bugs seen"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
