#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Runs the schedule explorer in several processes at once, and adds up: test/schedule/explore.sh PROGRAMS-BINARY WHAT...
#
#     random PROGRAMS RUNS SEED     half of the processes with plain memory accesses as points, half with atomics only
#     exhaustive BOUND              the listed programs
#     outcomes BOUND                the listed pairs
#
# JOBS in the environment: how many processes; default: as many as there are cores, at least two.  Shows what a process says
# if it fails.  The last lines are what was done, and "N passed, M failed".
set -e
explorer=$1
shift
cores=$(nproc)
jobs=${JOBS:-$((cores < 2 ? 2 : cores))}
work=$(mktemp -d "${TMPDIR:-/tmp}/explore.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# One process, the i-th: its share of the programs.
start()
{
	i=$1
	shift
	case $1 in
	random)
		DUCT_PLAIN_POINTS=$((i % 2)) "$explorer" random $(($2 / jobs)) "$3" $(($4 + i * 1000000))
		;;
	*)
		EXPLORE_SHARE="$i $jobs" "$explorer" "$@"
		;;
	esac >"$work/said.$i" 2>&1 || touch "$work/failed.$i"
}

i=0
while [ "$i" -lt "$jobs" ]; do
	start "$i" "$@" &
	i=$((i + 1))
done
wait
i=0
while [ "$i" -lt "$jobs" ]; do
	[ ! -e "$work/failed.$i" ] || grep -v EXHAUSTED "$work/said.$i"
	i=$((i + 1))
done
cat "$work"/said.* | awk '
	function commas(n, text) {
		for (text = sprintf("%.0f", n); match(text, /[0-9][0-9][0-9][0-9]($|,)/); )
			text = substr(text, 1, RSTART) "," substr(text, RSTART + 1)
		return text
	}
	/^[0-9]+ executions, / { executions += $1 }
	/EXHAUSTED$/ { exhausted++ }
	/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3 }
	END {
		if (exhausted)
			printf "summary: %s schedules, %d programs EXHAUSTED\n", commas(executions), exhausted
		else
			printf "summary: %s executions of %s programs\n", commas(executions), commas(passed)
		printf "%d passed, %d failed\n", passed, failed
	}'
[ -z "$(find "$work" -name 'failed.*')" ]
