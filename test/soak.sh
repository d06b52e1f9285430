#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Random programs in the explorers and real threads, with new seeds all the time: test/soak.sh HOURS EXPLORER-FOLDER STRESS-FOLDER
#
# One process explores, anycast channels, broadcasts and sources in turn, one runs the stress programs, and each minute a line tells how
# much they have done.  Ends when the time is over, or when something fails: then with what it printed, which says how to repeat it.
set -e
hours=${1:-1}
explorers=$2
stress=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/soak.XXXXXX")
began=$(date +%s)
end=$(awk -v began="$began" -v hours="$hours" 'BEGIN { printf "%d", began + hours * 3600 }')
trap 'touch "$work/stop"; kill $(jobs -p) 2>/dev/null || :; wait; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Runs one thing; what it said is kept if it fails.  NAME COMMAND...
run()
{
	log=$work/$1
	shift
	if "$@" >"$log" 2>&1; then
		return 0
	fi
	{ echo "$*"; cat "$log"; } >>"$work/failed"
	return 1
}

goes_on()
{
	[ ! -e "$work/stop" ] && [ ! -e "$work/failed" ] && [ "$(date +%s)" -lt "$end" ]
}

# Half of the seeds with plain memory accesses as points.
explore()
{
	seed=$began
	while goes_on; do
		for kind in programs broadcasts sources; do
			run explorer env DUCT_PLAIN_POINTS=$((seed % 2)) "$explorers/$kind" random 2000 50 "$seed" || return 0
			sed -n 's/^\([0-9]*\) executions, .*/\1/p' "$work/explorer" >>"$work/executions"
		done
		seed=$((seed + 1000001))
	done
}

stress_all()
{
	seed=$began
	while goes_on; do
		run threads "$stress/stress_mix" 20000 600 "$seed" || return 0
		run threads "$stress/stress_transfer" 100000 4 4 600 || return 0
		run threads "$stress/stress_history" 100000 all all 600 "$seed" || return 0
		run threads "$stress/stress_broadcast" 100000 600 "$seed" || return 0
		run threads "$stress/stress_combine" 100000 600 "$seed" || return 0
		run threads "$stress/stress_pipe" 50000 600 || return 0
		echo 1 >>"$work/rounds"
		seed=$((seed + 1))
	done
}

sum()
{
	awk '{ sum += $1 } END { printf "%.0f", sum }' "$1" 2>/dev/null || echo 0
}

report()
{
	now=$(($(date +%s) - began))
	printf '%d:%02d:%02d  %s executions of random programs, %s rounds of real threads, %s\n' \
		$((now / 3600)) $((now / 60 % 60)) $((now % 60)) "$(sum "$work/executions")" "$(sum "$work/rounds")" "$([ -e "$work/failed" ] && echo FAILED || echo 'no failure')"
}

touch "$work/executions" "$work/rounds"
echo "from seed $began, until $(date -d "@$end")"
explore &
stress_all &
while goes_on; do
	left=$((end - $(date +%s)))
	sleep $((left < 60 ? left : 60))
	report
done
wait
if [ -e "$work/failed" ]; then
	cat "$work/failed"
	echo '0 passed, 1 failed'
	exit 1
fi
report
echo '1 passed, 0 failed'
