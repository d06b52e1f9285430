#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# The waiting protocol's model under spin: test/model/check-model.sh [BUILD_DIR [long]]
#
# Every configuration is explored to its end and must have no error; every mutant of the list in waiting.pml must have one.
# Prints a line for each, and last "N passed, M failed".  A configuration that fails prints the last steps of spin's trail.
# "long" adds two larger ones in single steps.  CC in the environment compiles spin's programs.
set -e
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/model}
mkdir -p "$build"
build=$(cd "$build" && pwd)
CC=${CC:-gcc}
passed=0 failed=0

if ! command -v spin >/dev/null; then
	echo 'skipped: spin is not installed'
	[ "${CI:-}" != true ] || failed=1
	echo "$passed passed, $failed failed"
	exit "$failed"
fi

# NAME FLAGS...: two threads in single steps (-DFINE), then more of them in glued steps (waiting.pml).
configurations()
{
	cat <<-'END'
		pair-rendezvous -DPAIR -DCAPACITY=0 -DFINE
		pair-buffered -DPAIR -DCAPACITY=1 -DFINE
		look-rendezvous -DLOOK -DCAPACITY=0 -DFINE
		look-buffered -DLOOK -DCAPACITY=1 -DFINE
		one-select-spurious -DONE -DCAPACITY=0 -DSPURIOUS
		two-selects-rendezvous -DSELECTS -DCAPACITY=0
		two-selects-buffered -DSELECTS -DCAPACITY=1
		send-and-receive-rendezvous -DMIXED -DCAPACITY=0
		send-and-receive-buffered -DMIXED -DCAPACITY=1
		one-channel-rendezvous -DSELF -DCAPACITY=0
		one-channel-buffered -DSELF -DCAPACITY=1
		token-rendezvous -DTOKEN -DCAPACITY=0
		token-buffered -DTOKEN -DCAPACITY=1
		observer-rendezvous -DOBSERVER -DCAPACITY=0
		observer-buffered -DOBSERVER -DCAPACITY=1
		try-rendezvous -DTRY -DCAPACITY=0
		try-buffered -DTRY -DCAPACITY=1
	END
	[ "$1" != long ] || cat <<-'END'
		fine-try-buffered -DTRY -DCAPACITY=1 -DFINE
		fine-select-buffered -DONE -DCAPACITY=1 -DFINE
	END
}

# NAME FLAGS..., from the list of mutants.
mutants()
{
	sed -n 's|^#define \([A-Z_]*\) \([0-9]*\)[[:space:]]*/\* \(-D[^:]*\): .*|\1 -DMUTANT=\2 \3|p' "$here/waiting.pml"
}

# Explores the model with these flags in the current directory; what spin's program says goes to ./said.
explore()
{
	cp "$here/waiting.pml" .
	spin -a "$@" waiting.pml >said
	$CC -w -O0 -DSAFETY -DCOLLAPSE -DMEMLIM=1000 -o pan pan.c
	./pan -m100000 -w20 -n >>said
}

# "STATES DEPTH ERROR": the error that was found, "none", or "nothing: REASON" if the exploration has not come to its end.
result()
{
	awk '
		/^pan:1: / && !ended { ended = 1; sub(/^pan:1: /, ""); sub(/ \(at depth .*/, ""); sub(/  +/, " "); error = $0 }
		/Error: |gave up|out of memory|MEMLIM|search depth too small/ { trouble = $0 }
		/depth reached/ { depth = $0; sub(/.*depth reached /, "", depth); sub(/,.*/, "", depth) }
		/errors: / { count = $NF; counted = 1 }
		/states, stored/ { states = $1 }
		/Search not completed/ { partly = 1 }
		END {
			if (trouble != "" || !counted || (error == "" && (partly || count != 0)))
				error = "nothing: " (trouble != "" ? trouble : "no end")
			else if (error == "")
				error = "none"
			print states + 0, depth + 0, error
		}' said
}

# try KIND NAME FLAGS...: KIND is a configuration or a mutant.
try()
{
	kind=$1 name=$2
	shift 2
	rm -rf "${build:?}/$name"
	mkdir -p "$build/$name"
	cd "$build/$name"
	explore "$@" || echo 'gave up' >>said
	found=$(result)
	error=${found#* * }
	states=${found%% *}
	depth=${found#* }
	depth=${depth%% *}
	case $kind/$error in
	configuration/none)
		printf '%-28s %8d states  depth %4d  no errors\n' "$name" "$states" "$depth"
		passed=$((passed + 1))
		;;
	mutant/none | */nothing:*)
		printf '%-28s FAILED after %d states: %s\n' "$name" "$states" "$error"
		failed=$((failed + 1))
		;;
	configuration/*)
		printf '%-28s FAILED: %s\n' "$name" "$error"
		spin -t -p "$@" waiting.pml | sed '/^#processes/,$d' | tail -60
		failed=$((failed + 1))
		;;
	mutant/*)
		printf '%-28s fails as it must: %s\n' "$name" "$error"
		passed=$((passed + 1))
		;;
	esac
	cd "$build"
}

list=$build/list
{
	configurations "$2" | sed 's/^/configuration /'
	mutants | sed 's/^/mutant /'
} >"$list"
while read -r kind name flags; do
	# shellcheck disable=SC2086
	try "$kind" "$name" $flags
done <"$list"
echo "summary: $(grep -c ^configuration "$list") configurations in all states, $(grep -c ^mutant "$list") broken models refused"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
