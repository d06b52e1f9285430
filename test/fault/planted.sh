#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Whether the fault tests find the bugs of planted.txt: test/fault/planted.sh [NAME...]
#
# Each bug is planted in a copy of lib/, for which the tests must then fail.  Prints for each
#
#     found     NAME  where it was seen first
#     SURVIVES  NAME
#
# and last "N passed, M failed".  Two minutes on one processor.
#
# LIST and SOURCES in the environment are another list, and the test program to find its bugs; test/stress/planted.sh has such.
set -e
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
list=${LIST:-$here/planted.txt}
. "$root/test/support/planted.sh"
CC=${CC:-gcc}
work=$(mktemp -d "${TMPDIR:-/tmp}/planted.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
sources=${SOURCES:-$here/*.c $root/test/support/support.c $root/test/support/fork_runner.c}
flags="-std=c11 -D_GNU_SOURCE -pthread -g -O1 -DFORK_RUNNER -I$root/include -I$root/test/support"

# How to link the fault tests stands in their header.
[ -n "$SOURCES" ] || wraps=$(sed -n 's/^ \*  *\(-Wl,--wrap=.*\)/\1/p' "$here/faults.h")

# Changes the files of the bug in $work/lib; an empty change is an error.
plant()
{
	awk -v name="$1" -v work="$work" '
		/^== / { inside = $2 == name; file = ""; next }
		inside && /^@ / { file = $2; files = files " " file; next }
		inside && file != "" && NF > 0 { print >(work "/" file ".sed") }
		END { print files }' "$list" >"$work/files"
	changed=$(cat "$work/files")
	[ -n "$changed" ] || { echo "planted.txt: no bug $1" >&2; return 1; }
	for file in $changed; do
		sed -f "$work/$file.sed" "$work/sound/$file" >"$work/lib/$file"
		rm "$work/$file.sed"
		if cmp -s "$work/sound/$file" "$work/lib/$file"; then
			echo "planted.txt: $1 changes nothing" >&2
			return 1
		fi
	done
}

# Compiles one source of the library, from $work/lib to the folder.
compile()
{
	# shellcheck disable=SC2086
	$CC $flags -w -I"$work/lib" -c -o "$2/$(basename "$1" .c).o" "$1"
}

try()
{
	rm -rf "${work:?}/lib" "${work:?}/objects"
	cp -R "$work/sound" "$work/lib"
	cp -R "$work/base" "$work/objects"
	plant "$1" || return 1
	case $changed in
	*.h*) changed=$(cd "$work/lib" && echo *.c) ;;
	esac
	for file in $changed; do
		compile "$work/lib/$file" "$work/objects" || return 1
	done
	# shellcheck disable=SC2086
	$CC -pthread $wraps -o "$work/program" "$work"/tests/*.o "$work"/objects/*.o || return 1
	tries=$(note "$1" tries)
	while [ "${tries:=1}" -gt 0 ]; do
		# shellcheck disable=SC2046
		if ! timeout "${SECONDS_EACH:-20}" "$work/program" $(note "$1" run) >"$work/out" 2>&1; then
			said=$(grep -m 1 -E '^FAIL|: |:$' "$work/out" || echo 'out of time')
			printf 'found     %-40s %s\n' "$1" "$said"
			return 0
		fi
		tries=$((tries - 1))
	done
	printf 'SURVIVES  %s\n' "$1"
	return 1
}

cp -R "${LIB:-$root/lib}" "$work/sound" # lest it changes meanwhile
cp -R "$work/sound" "$work/lib"
mkdir "$work/base" "$work/tests"
for source in "$work"/lib/*.c; do
	compile "$source" "$work/base"
done
for source in $sources; do
	# shellcheck disable=SC2086
	$CC $flags -I"$work/sound" -c -o "$work/tests/$(basename "$source" .c).o" "$source"
done
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
