#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Whether the explorer finds the bugs of planted.txt: test/schedule/planted.sh [NAME...]
#
# Each bug is planted in a copy of lib/ and looked for until it is found: by random programs, with plain memory accesses as
# points and without, and by the listed programs under all schedules.  Prints for each
#
#     found     NAME  what the explorer said of it, by what programs, after how many executions
#     SURVIVES  NAME
#
# and last "N passed, M failed": a bug passes if it is found or, where the list says that it cannot be, if it survives.
# PROGRAMS, RUNS, SEED, BOUND and MOST (schedules of a listed program) in the environment say how long to look.
set -e
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
list=${LIST:-$here/planted.txt}
CC=${CC:-gcc}
export CC
work=$(mktemp -d "${TMPDIR:-/tmp}/planted.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Names of the bugs in the list.
names()
{
	awk '/^== / { print $2 }' "$list"
}

# What the list says of the bug after "KEY: ".
note()
{
	awk -v name="$1" -v key="$2: " '
		/^== / { inside = $2 == name }
		inside && index($0, key) == 1 { print substr($0, length(key) + 1) }' "$list"
}

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

# The sources that have to be compiled again after changes to the files.
sources_of()
{
	for source in "$work"/lib/*.c; do
		needed=$($CC -MM -D_GNU_SOURCE -I"$root/include" -I"$work/lib" "$source")
		for file in "$@"; do
			case "$needed " in
			*"/$file "*) basename "$source"; break ;;
			esac
		done
	done
}

# Runs the explorer until its first failure: "0 EXECUTIONS" if there is none, else "1 EXECUTIONS MESSAGE".
look()
{
	{ "$work/out/programs" "$@" 2>&1 && echo ENDED || echo "ENDED $?"; } | awk '
		/ schedules of at most / { for (i = 2; i <= NF; i++) if ($i == "schedules") executions += $(i - 1) }
		/^[0-9]+ executions, / { executions = $1 }
		/Assertion/ { message = $0; sub(/.*Assertion/, "assertion", message) }
		/^FAILED: / && message == "" { message = substr($0, 9); gsub(/( at)? \(?(pc )?0x[0-9a-f]+\)?/, "", message) }
		/^ENDED [0-9]/ && message == "" { message = "ended with status " $2 }
		/^FAILED: / && listed { exit }
		/FAILED$/ { listed = 1 }
		END { print (message != "") + 0, executions + 0, message }'
}

# Looks in all ways, one after the other.
hunt()
{
	total=0
	for way in 'random 1' 'random 0' exhaustive; do
		case $way in
		random*)
			DUCT_PLAIN_POINTS=${way#random } && export DUCT_PLAIN_POINTS
			result=$(look random "${PROGRAMS:-3000}" "${RUNS:-50}" "${SEED:-1}")
			;;
		*)
			unset DUCT_PLAIN_POINTS
			result=$(look exhaustive "${BOUND:-2}" "${MOST:-20000}")
			;;
		esac
		rest=${result#* }
		executions=${rest%% *}
		total=$((total + executions))
		case $result in
		1*)
			echo "${rest#* } ($way, $total executions)"
			return
			;;
		esac
	done
	echo "survived $total executions" >&2
}

try()
{
	rm -rf "${work:?}/lib" "${work:?}/out"
	cp -R "$work/sound" "$work/lib"
	cp -R "$work/base" "$work/out"
	changed=$(plant "$1" "$work/lib") || return 1
	# shellcheck disable=SC2046,SC2086
	ONLY=$(sources_of $changed) "$here/build.sh" "$work/lib" "$work/out" -w $(note "$1" with) || return 1
	excuse=$(note "$1" survives)
	how=$(hunt)
	if [ -n "$how" ]; then
		printf 'found     %-40s %s%s\n' "$1" "$how" "${excuse:+ THOUGH IT CANNOT BE}"
	else
		printf 'SURVIVES  %-40s %s\n' "$1" "$excuse"
	fi
	[ -n "$how$excuse" ] && { [ -z "$how" ] || [ -z "$excuse" ]; }
}

cp -R "${LIB:-$root/lib}" "$work/sound" # lest it changes meanwhile
"$here/build.sh" "$work/sound" "$work/base"
passed=0 failed=0
# shellcheck disable=SC2048
for name in ${*:-$(names)}; do
	if try "$name"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
