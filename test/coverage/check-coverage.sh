#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# How much of the library its tests run: test/coverage/check-coverage.sh [BUILD_DIR]
#
# Builds lib/ with clang's counters, runs the unit, contract and fault tests with it, and looks for lines that never ran, for
# outcomes of conditions that never came, and for conditions that never decided alone (MC/DC: there are two runs through the
# whole expression between which only this condition's outcome and the result differ).  What unreached.txt lists is excused;
# a listed thing that was reached is a fault of the list.  Prints one line of figures for each of the three, before it what
# is wrong, and last "N passed, M failed".
#
# Assertions are off, for each of them is a branch that must not be taken.  Inline functions of a header are counted over all
# sources that use them.  Hints to the compiler are taken out of the copy that is built: a condition inside the argument of a
# macro has no place of its own in the report.
#
# CLANG and LLVM_SUFFIX in the environment name another compiler and its tools; MC/DC needs clang 18 or later.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/test/coverage
build=${1:-$root/build/coverage}
CLANG=${CLANG:-clang-19}
LLVM_SUFFIX=${LLVM_SUFFIX:--19}
LC_ALL=C
export LC_ALL

for tool in "$CLANG" "llvm-profdata$LLVM_SUFFIX" "llvm-cov$LLVM_SUFFIX"; do
	command -v "$tool" >/dev/null && continue
	echo "coverage: $tool is not here: skipped"
	[ "$CI" = true ] && echo '0 passed, 1 failed' && exit 1
	echo '0 passed, 0 failed'
	exit 0
done

mkdir -p "$build/lib"
build=$(cd "$build" && pwd)

# How the fault tests are linked stands in their header.
wraps=$(sed -n 's/^ \*  *\(-Wl,--wrap=.*\)/\1/p' "$root/test/fault/faults.h")
plain="-std=c11 -D_GNU_SOURCE -DFORK_RUNNER -DNDEBUG -pthread -O1 -g"
plain="$plain -I$root/include -I$build/lib -I$root/test/support -I$root/test/fault"
counted='-fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc -fprofile-update=atomic'

# Compiles sources to GROUP_NAME.o each, two at a time: compile GROUP FLAGS SOURCE...
compile()
{
	group=$1 flags=$2
	shift 2
	for source; do
		[ -e "$source" ] && echo "$CLANG $plain $flags -c $source -o $build/${group}_$(basename "$source" .c).o"
	done | xargs -P 2 -I '{}' sh -c '{}'
}

# The sources without hints, line by line the same.
copy_library()
{
	rm -f "$build"/*.o "$build"/*.profraw "$build"/lib/*
	for source in "$root"/lib/*.[ch]; do
		sed '/#define/!s/\(un\)\{0,1\}likely(/(/g' "$source" >"$build/lib/${source##*/}"
	done
}

build_tests()
{
	copy_library
	compile lib "$counted" "$build"/lib/*.c
	compile unit '' "$root"/test/unit/*.c
	compile contract '' "$root"/test/contract/*.c
	compile fault '' "$root"/test/fault/*.c "$here"/*.c
	compile support '' "$root"/test/support/*.c
	cd "$build"
	$CLANG -fprofile-instr-generate -pthread -o tests lib_*.o unit_*.o contract_*.o support_*.o
	# shellcheck disable=SC2086
	$CLANG -fprofile-instr-generate -pthread $wraps -o faults lib_*.o fault_*.o support_*.o
}

# Each program adds to the counters of those before it: a test's process writes them when it exits.
run_tests()
{
	for program in tests faults; do
		TEST_TIME_SCALE=10 LLVM_PROFILE_FILE="$build/%m.profraw" "./$program" >"$program.log" 2>&1 || cat "$program.log"
		echo "$program: $(tail -n 1 "$program.log")"
	done
	"llvm-profdata$LLVM_SUFFIX" merge -o profile ./*.profraw
	"llvm-cov$LLVM_SUFFIX" show tests -object faults -instr-profile=profile -show-branches=count -show-mcdc lib >report
}

build_tests
run_tests
awk -v lib="$build/lib/" -v list="$here/unreached.txt" -f "$here/judge.awk" report
