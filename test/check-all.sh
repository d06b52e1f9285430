#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Runs all layers of tests and prints a table, a line a layer: test/check-all.sh BUILD [LAYER...]
#
# A layer is one or more targets of the Makefile, LAYERS below.  Those that use both cores themselves, or watch the clock, run
# one after the other; the others (marked with a plus) side by side, as many as there are cores.  Each has its log in
# BUILD/check-all/.  What the table says of a layer is what its log has in lines that begin with "summary: " or, without such a
# line, its "N passed, M failed".  A layer whose tools are missing is skipped, but not where CI=true.  The last line is "N
# passed, M failed", of layers.
set -e
cd "$(dirname "$0")/.."
build=$1
shift
logs=$build/check-all
make=${MAKE:-make}

LAYERS='
compile    check-compile check-format check-tidy check-layers check-header check-symbols check-install check-man check-examples
unit       check-unit check-onelock
faults     check-fault
threads    check-threads
random     check-random
exhaustive check-exhaustive
planted    check-planted
targets    check-targets
mutants+   check-mutants
checkers+  check-checkers
fault-bugs+ check-fault-planted
model+     check-model
tsan+      check-tsan
asan+      check-asan
msan+      check-msan
helgrind+  check-helgrind
coverage+  check-coverage
instructions+ check-instructions
'

layers() # pattern of the marked names
{
	echo "$LAYERS" | awk -v side="$1" 'NF && ($1 ~ /[+]$/) == side { sub(/[+]$/, "", $1); print $1 }'
}

targets_of()
{
	echo "$LAYERS" | awk -v layer="$1" '{ sub(/[+]$/, "", $1) } $1 == layer { $1 = ""; print }'
}

# What the table says of a log.
summary()
{
	awk '
		/^summary: / { text = text (text == "" ? "" : "; ") substr($0, 10) }
		/^([a-z]+: )?[0-9]+ passed, [0-9]+ failed$/ { passed += $(NF - 3); failed += $(NF - 1); counted = 1 }
		/Synthesis: / { tests = $0; sub(/.*Synthesis: /, "", tests); gsub(/\033\[[0-9;]*m/, "", tests) }
		END {
			if (text == "" && counted)
				text = passed " passed, " failed " failed"
			if (tests != "")
				text = tests (text == "" ? "" : "; ") text
			print text == "" ? "done" : text
		}' "$logs/$1.log"
}

run_layer()
{
	began=$(date +%s)
	verdict=ok
	# shellcheck disable=SC2046
	"$make" -s $(targets_of "$1") >"$logs/$1.log" 2>&1 || verdict=FAILED
	[ "$verdict" = FAILED ] || [ "$(tail -n 1 "$logs/$1.log")" != '0 passed, 0 failed' ] || verdict=skipped
	took=$(($(date +%s) - began))
	printf '%-11s %-7s %4d s  %s\n' "$1" "$verdict" "$took" "$(summary "$1")" >"$logs/$1.line"
	cat "$logs/$1.line"
	[ "$verdict" != FAILED ] || tail -n 60 "$logs/$1.log" | sed 's/^/    /'
}

if [ "$1" = --layer ]; then
	run_layer "$2"
	exit
fi

chosen=" $(echo ${*:-$(layers 0) $(layers 1)}) "
mkdir -p "$logs"
rm -f "$logs"/*
start=$(date +%s)
for layer in $(layers 0); do
	case $chosen in
	*" $layer "*) run_layer "$layer" ;;
	esac
done
for layer in $(layers 1); do
	case $chosen in
	*" $layer "*) echo "$layer" ;;
	esac
done | xargs -r -P "$(nproc)" -n 1 "$0" "$build" --layer

printf '\n%s\n' "All layers, $(($(date +%s) - start)) s:"
for layer in $(layers 0) $(layers 1); do
	[ ! -e "$logs/$layer.line" ] || cat "$logs/$layer.line"
done | tee "$logs/table"
failed=$(grep -c ' FAILED ' "$logs/table" || :)
echo "$(grep -c ' ok ' "$logs/table" || :) passed, $failed failed"
[ "$failed" -eq 0 ]
