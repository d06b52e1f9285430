#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Each path that one thread can go alone takes as many instructions as recorded:
#
#     check-instructions.sh BUILD_DIR PATHS_PROGRAM [--record]
#
# One start of valgrind goes all paths, and the two dumps of each, of N and of 10 N repetitions, give the instructions of one
# (paths.c tells how).  They are compared with counts.txt, which --record writes anew.  A path fails whose count is further from
# its record than the tolerance: one instruction, or 1 % for the two fair selects (send_select_4 and send_select_16), whose mean
# is over a random sequence.  Fewer instructions fail too, until they are recorded: else the next change could lose unseen what
# this one gained.  A path that is only in the list, or not in it, fails.  The summary tells how many counts are exactly those
# recorded, and how many are within the tolerance.
#
# The list holds for one compiler with its flags and one C library.  With others the counts are shown and not judged.  CC and
# CFLAGS in the environment are those that the library and the program were built with.
#
# What else could change a count is held still.  The C library picks its memcpy by the processor, of which valgrind passes on a
# part: hwcaps leaves it the one that every x86-64 has (other processors do not know these names).  The environment is empty but
# for that, so no setting of malloc or of valgrind comes in.  Where the process and its memory lie, valgrind decides, always
# alike, and it does not matter (paths.c).  On more than 64 processors create_free, which counts them, takes a little longer.
#
# Two seconds.  Without valgrind the check is skipped, but not where CI=true.
set -eu
usage='usage: check-instructions.sh BUILD_DIR PATHS_PROGRAM [--record]'
build=${1:?$usage} program=${2:?$usage} mode=${3:-}
list=$(dirname "$0")/counts.txt
CC=${CC:-cc}
CFLAGS=${CFLAGS:--O2 -g}
LC_ALL=C
export LC_ALL

repetitions=2000
hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX_Fast_Unaligned_Load,-SSSE3,-SSE4_1,-SSE4_2,-ERMS,-FSRM

if ! command -v valgrind >/dev/null; then
	echo 'instructions: valgrind is not here: skipped'
	[ "${CI:-}" = true ] && echo '0 passed, 1 failed' && exit 1
	echo '0 passed, 0 failed'
	exit 0
fi

work=$build/instructions
rm -rf "$work"
mkdir -p "$work"

# What the counts hold for.  gcc begins with the name that it was called by: cc and gcc are the same.
circumstances()
{
	# shellcheck disable=SC2086
	echo "compiler: $($CC --version | sed -n '1s/^[^ ]* (/gcc (/; 1p'), $($CC -dumpmachine), $CFLAGS"
	echo "libc: $(ldd --version 2>&1 | sed -n 1p)"
}

# Without debugging information, of which valgrind needs none here and does not understand every compiler's.
run_paths()
{
	strip -g -o "$work/paths" "$program"
	env -i PATH="$PATH" GLIBC_TUNABLES="glibc.cpu.hwcaps=$hwcaps" \
		valgrind -q --tool=callgrind --separate-threads=yes --callgrind-out-file="$work/dump" \
		"$work/paths" all "$repetitions"
}

# The titled dumps, as lines "PART NAME N TOTAL" in the order of the paths.
totals()
{
	awk '
		FNR == 1 { name = "" }
		/^part: / { part = $2 }
		/^desc: Trigger: Client Request: / { name = $5; n = $6 }
		/^totals: / && name != "" { print part, name, n, $2 }' "$work"/dump.* | sort -n
}

# The instructions of one repetition, as lines "NAME COUNT".
counts()
{
	totals | awk -v n="$repetitions" '
		$3 == n { once = $4 }
		$3 == 10 * n { printf "%s %.1f\n", $2, ($4 - once) / (9 * n) }'
}

record()
{
	cat <<'END'
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Instructions of one repetition of each path in paths.c, written by check-instructions.sh --record, and what they hold for.
END
	cat "$work/circumstances" "$work/counts"
}

# The table and what is wrong; fails if anything is.
judge()
{
	awk '
		function row(name, was, is, verdict) { printf "%-18s %9s %9s  %s\n", name, was, is, verdict }
		function wrong(name, was, is, verdict) { row(name, was, is, "FAIL: " verdict); failed++ }
		function tolerance(name) { return name ~ /^send_select_(4|16)$/ ? recorded[name] / 100 : 1 }
		function change() { return sprintf("%+.1f %%", 100 * ($2 / recorded[$1] - 1)) }
		FILENAME == ARGV[1] { if (NF == 2) recorded[$1] = $2; next }
		{ counted[$1] = $2; paths++ }
		!($1 in recorded) { wrong($1, "-", $2, "not in the list"); next }
		$2 == recorded[$1] { row($1, recorded[$1], $2, "ok"); exact++; next }
		$2 > recorded[$1] + tolerance($1) { wrong($1, recorded[$1], $2, change() ", too many"); next }
		$2 < recorded[$1] - tolerance($1) { wrong($1, recorded[$1], $2, change() ", a gain to record"); next }
		{ row($1, recorded[$1], $2, "ok, " change()); near++ }
		END {
			for (name in recorded)
				if (!(name in counted))
					wrong(name, recorded[name], "-", "no such path")
			printf "summary: %d paths, %d exactly as recorded, %d within the tolerance", paths, exact, near
			print (failed ? ", " failed " not as recorded" : "")
			exit failed > 0
		}' "$work/recorded" "$work/counts"
}

circumstances >"$work/circumstances"
run_paths
counts >"$work/counts"
rm "$work/paths" "$work"/dump*
if [ ! -s "$work/counts" ]; then
	echo 'FAIL instructions: no counts; was the program built without valgrind/callgrind.h?'
	exit 1
fi

if [ "$mode" = --record ]; then
	record >"$list"
	echo "summary: $(wc -l <"$work/counts") paths, recorded"
	exit 0
fi

sed '/^#/d; /^[a-z]*: /d' "$list" >"$work/recorded"
sed -n '/^[a-z]*: /p' "$list" >"$work/circumstances-recorded"
if ! diff "$work/circumstances-recorded" "$work/circumstances"; then
	cat "$work/counts"
	echo 'summary: other compiler or libc than recorded: not judged'
	exit 0
fi
if ! judge >"$work/table"; then
	sed '$d' "$work/table"
	echo "record it, if it has to be so: $0 $build $program --record"
	sed -n '$p' "$work/table"
	exit 1
fi
cat "$work/table"
