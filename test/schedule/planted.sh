#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Whether the explorer finds the bugs of planted.txt: test/schedule/planted.sh [NAME...]
#
# Each bug is planted in a copy of lib/ and looked for until it is found: in the program that the list gives, then in random
# programs, with plain memory accesses as points and without, then in the listed programs under all schedules.  Prints for each
#
#     found     NAME  what the explorer said of it, by what programs, after how many executions
#     SURVIVES  NAME
#
# and last "N passed, M failed": a bug passes if it is found or, where the list says that it cannot be, if it survives.
# Bugs with a program of broadcasts are looked for by broadcasts, those with one of sources by sources, the others by programs.
# PROGRAMS, RUNS, SEED, BOUND and MOST (schedules of a listed program) in the environment say how long to look, JOBS in how many
# processes; LIB and LIST what in.  With SHOW=1 what the explorer says is shown as it is.
set -e
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
list=${LIST:-$here/planted.txt}
. "$root/test/support/planted.sh"
CC=${CC:-gcc}
export CC
jobs=${JOBS:-$(nproc)}
work=$(mktemp -d "${TMPDIR:-/tmp}/planted.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Plants the bug in the directory of sources, and prints the names of the files that changed.
plant()
{
	awk -v name="$1" -v dir="$2" '
		function refuse(text) {
			print "planted.txt: " name ": " text >"/dev/stderr"
			failed = 1
			exit 1
		}
		function load(file, line, text) {
			while ((getline line <file) > 0)
				text = text line "\n"
			close(file)
			return text
		}
		function change(path, text, at) {
			if (path == "")
				return
			text = "\n" load(path)
			if ((at = index(text, "\n" old)) == 0)
				refuse("not there:\n" old)
			if (index(substr(text, at + 1), "\n" old) != 0)
				refuse("there twice:\n" old)
			printf "%s", substr(text, 2, at - 1) new substr(text, at + 1 + length(old)) >path
			close(path)
		}
		function finish() {
			change(path)
			path = old = new = ""
		}
		/^== / { finish(); inside = $2 == name; found += inside; next }
		!inside { next }
		/^@ / { finish(); path = dir "/" $2; if (!seen[$2]++) print $2; next }
		path == "" { next }
		/^ / { old = old substr($0, 2) "\n"; new = new substr($0, 2) "\n"; next }
		/^-/ { old = old substr($0, 2) "\n"; next }
		/^\+/ { new = new substr($0, 2) "\n"; next }
		{ finish() }
		END {
			if (failed)
				exit 1
			finish()
			if (found != 1)
				refuse(found + 0 " bugs of that name")
		}' "$list"
}

# What each source includes, once for all.
note_needs()
{
	for source in "$work"/sound/*.c; do
		needs=$($CC -MM -D_GNU_SOURCE -I"$root/include" -I"$work/sound" "$source" | tr -d '\\\n')
		echo "$(basename "$source") $needs "
	done >"$work/needs"
}

# The sources that have to be compiled again after changes to the files; with flags of their own, all have to.
sources_of() # flags, file...
{
	if [ -n "$1" ]; then
		cut -d ' ' -f 1 "$work/needs"
		return
	fi
	shift
	for file in "$@"; do
		sed -n "s,^\\([^ ]*\\) .*/$file .*,\\1,p" "$work/needs"
	done | sort -u
}

# Runs the explorer until its first failure: "0 EXECUTIONS" if there is none, else "1 EXECUTIONS MESSAGE".
look()
{
	{ "$mine/out/$explorer" "$@" 2>&1 && echo ENDED || echo "ENDED $?"; } >"$mine/said"
	[ -z "$SHOW" ] || cat "$mine/said" >&2
	awk '
		/ schedules of at most / { for (i = 2; i <= NF; i++) if ($i == "schedules") executions += $(i - 1) }
		/^[0-9]+ executions, / && !listed { executions = $1 }
		/Assertion/ { message = $0; sub(/.*Assertion/, "assertion", message) }
		/^FAILED: / && message == "" { message = substr($0, 9); gsub(/( at)? \(?(pc )?0x[0-9a-f]+\)?/, "", message) }
		/^ENDED [0-9]/ && message == "" { message = "ended with status " $2 }
		/FAILED$/ { listed = 1 }
		END { print (message != "") + 0, executions + 0, message }' "$mine/said"
}

# One way to look: NAME POINTS ARGUMENTS...  Prints what was found.
look_by()
{
	way=$1
	DUCT_PLAIN_POINTS=$2
	export DUCT_PLAIN_POINTS
	shift 2
	result=$(look "$@")
	rest=${result#* }
	total=$((total + ${rest%% *}))
	case $result in
	1*) found="${rest#* } ($way, $total executions)" ;;
	esac
}

# Looks in all ways, one after the other, for the bug that has a program of its own or none; less long for one that has an
# excuse.
hunt()
{
	total=0 found=
	programs=${PROGRAMS:-$([ -n "$excuse" ] && echo 500 || echo 3000)}
	most=${MOST:-$([ -n "$excuse" ] && echo 1000 || echo 20000)}
	if [ -n "$1" ]; then
		look_by 'its program' 1 random-of "$1" 4000 "${SEED:-1}"
		[ -n "$found" ] || look_by 'its program, no plain points' 0 random-of "$1" 4000 "${SEED:-1}"
		[ -n "$found" ] || look_by 'its program, exhaustive' 0 exhaustive "${BOUND:-2}" 100000 "$1"
	fi
	[ -n "$found" ] || look_by random 1 random "$programs" "${RUNS:-50}" "${SEED:-1}"
	[ -n "$found" ] || look_by 'random, no plain points' 0 random "$programs" "${RUNS:-50}" "${SEED:-1}"
	[ -n "$found" ] || look_by exhaustive 0 exhaustive "${BOUND:-2}" "$most"
}

try()
{
	rm -rf "${mine:?}/lib" "${mine:?}/out"
	cp -R "$work/sound" "$mine/lib"
	cp -R "$work/base" "$mine/out"
	changed=$(plant "$1" "$mine/lib") || return 1
	flags=$(note "$1" with)
	# shellcheck disable=SC2086
	ONLY=$(sources_of "$flags" $changed) "$here/build.sh" "$mine/lib" "$mine/out" -w $flags || return 1
	excuse=$(note "$1" survives)
	explorer=programs
	program=$(note "$1" program)
	broadcast=$(note "$1" broadcast)
	sourced=$(note "$1" source)
	[ -z "$broadcast" ] || explorer=broadcasts program=$broadcast
	[ -z "$sourced" ] || explorer=sources program=$sourced
	if [ -n "$program" ] && "$mine/out/$explorer" random-of "$program" 1 1 2>&1 | grep '^not a program' >&2; then
		printf 'BROKEN    %s\n' "$1"
		return 1
	fi
	hunt "$program"
	if [ -n "$found" ]; then
		printf 'found     %-40s %s%s\n' "$1" "$found" "${excuse:+ THOUGH IT CANNOT BE}"
		echo "$1" >>"$mine/found"
	else
		printf 'SURVIVES  %-40s %s\n' "$1" "${excuse:-for $total executions}"
		[ -z "$excuse" ] || echo "$1" >>"$mine/excused"
	fi
	[ -n "$found$excuse" ] && { [ -z "$found" ] || [ -z "$excuse" ]; }
}

# Tries every name of the list whose turn it is: each JOBS-th.
work_through()
{
	mine=$work/$1
	mkdir "$mine"
	touch "$mine/found" "$mine/excused"
	turn=0
	while read -r name; do
		turn=$((turn + 1))
		[ $((turn % jobs)) -eq "$1" ] || continue
		verdict=passed
		try "$name" || verdict=failed
		echo "$verdict" >>"$work/results"
	done
}

cp -R "${LIB:-$root/lib}" "$work/sound" # lest it changes meanwhile
"$here/build.sh" "$work/sound" "$work/base"
note_needs
for name in ${*:-$(names)}; do
	echo "$name"
done >"$work/names"
job=0
while [ "$job" -lt "$jobs" ]; do
	work_through "$job" <"$work/names" &
	job=$((job + 1))
done
wait
failed=$(grep -c failed "$work/results" || :)
echo "summary: $(cat "$work"/*/found | wc -l) of $(wc -l <"$work/names") planted bugs found," \
	"$(cat "$work"/*/excused | wc -l) cannot be"
echo "$(grep -c passed "$work/results" || :) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$(wc -l <"$work/results")" -eq "$(wc -l <"$work/names")" ]
